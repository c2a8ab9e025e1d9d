"""Numbers, lengths of time and names as people read them; everything returned is plain text."""

from __future__ import annotations

import math
import re

from modellab_jupyter import errors

__all__ = ["LONGEST", "MISSING", "cut", "duration", "interval", "named", "number", "one_line", "p_value", "quoting"]

MISSING = "–"
LONGEST = 400
"""Characters of one text that are saved; the whole of it stays in the store."""


_ISOLATES = re.compile(r"[\u2066-\u2069]")
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_RIGHT_TO_LEFT = re.compile(
    r"[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)


def one_line(text: str) -> str:
    """Return `text` as `errors.one_line` does, with the marks of direction that names and sentences have."""
    return errors.one_line(text, marks=True)


def named(text: str, length: int = LONGEST) -> str:
    """Return a name as a part of a sentence: on one line, cut, and without an effect on the letters around it.

    Names that are read from right to left stand between the marks of an isolate (Unicode Annex 9).
    """
    shown = cut(_ISOLATES.sub(errors.escaped, one_line(text)), length)
    return f"\u2068{shown}\u2069" if _RIGHT_TO_LEFT.search(shown) else shown


def quoting(text: str) -> str:
    """Return a text whose names stand in quotes, each without an effect on the letters around it."""
    return _QUOTED.sub(lambda found: named(found[0], len(found[0])), text)


def cut(text: str, length: int = LONGEST) -> str:
    """Return `text` with an ellipsis where it goes on beyond `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def number(value: float | None) -> str:
    """Return four significant digits, or a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:.4g}"


def p_value(value: float | None) -> str:
    """Return three significant digits, and never zero: no finite test shows that."""
    if value is None or not 0 <= value <= 1:
        return number(value)
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    """Return both ends as fine as the width deserves; nothing where an end is unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    width, size = abs(high - low), max(abs(low), abs(high))
    if width == 0 or size >= 1e6 or size < 1e-4:
        return f"[{number(low)}, {number(high)}]"
    decimals = min(6, max(0, 1 - math.floor(math.log10(width))))
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
