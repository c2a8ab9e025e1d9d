"""A verdict in words, as JSON, and as the exit code of a command."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any, Final

from modellab_jupyter.errors import one_line
from modellab_jupyter.repro.records import Level, Verdict

SCHEMA: Final = "modellab.verdict/1"
ROWS: Final = 5  # of one level that are shown to people
WIDTH: Final = 100
NAME: Final = 60  # characters of a run's name: it stands before what came of it, and must not push it off the line

_CONCLUSIONS: Final = {
    "intact": "the pack is intact",
    "damaged": "the pack is damaged",
    "exact": "reproduced: every metric came back bit for bit",
    "equal": "reproduced: every metric came back, numerically equal",
    "within": "not the same numbers, yet each within its recorded interval",
    "differs": "not reproduced: metrics differ",
    "failed": "not reproduced: the run ended otherwise than it did",
    "unknown": "could not be judged",
}
_CODES: Final = {
    "intact": 0, "exact": 0, "equal": 0, "within": 1, "differs": 1, "failed": 1, "damaged": 1, "unknown": 2,
}  # fmt: skip


def exit_code(verdict: Verdict) -> int:
    """Return 0 where it held, 1 where it did not, 2 where that could not be told.

    0: intact, exact, equal. 1: within, differs, failed, damaged; a number within its interval is another number.
    2: unknown; a refusal, which is an error and no verdict, ends a command with 2 as well.
    """
    return _CODES[verdict.conclusion]


def text(verdict: Verdict) -> str:
    """Return a verdict for people: what came of it, each level on a line, the rows that matter, causes."""
    name = _brief(verdict.run.get("name"))
    lines = [f"{name}: {_CONCLUSIONS[verdict.conclusion]}" if name else _CONCLUSIONS[verdict.conclusion]]
    width = max((len(level.name) for level in verdict.levels), default=0)
    for level in verdict.levels:
        mark = {True: "✓", False: "✗", None: "?"}[level.holds]
        lines.append(f"  {mark} {level.name:<{width}}  {level.sentence}")
        if level.holds is not True and level.name != "notebook":  # its rows are the hidden state, told below
            lines += [f"      {line}" for line in rows(level)]
    because = [cause for cause in verdict.causes if cause.confirmed]
    others = [cause for cause in verdict.causes if not cause.confirmed]
    if because:
        lines += ["Confirmed, by a replay that changed this alone:", *(f"  - {cause.sentence}" for cause in because)]
    if others:
        lines += ["Not confirmed:", *(f"  - {cause.sentence}" for cause in others[:ROWS])]
        lines += [f"  - and {len(others) - ROWS} more"] if len(others) > ROWS else []
    if verdict.hidden:
        lines += ["Hidden state:", *(f"  - {state.sentence}" for state in verdict.hidden[:ROWS])]
    if verdict.seconds:
        lines.append("Took " + ", ".join(f"{name} {spent:.1f} s" for name, spent in verdict.seconds.items()) + ".")
    return "\n".join(map(one_line, lines))  # names, paths, values and errors are a stranger's


def rows(level: Level) -> list[str]:
    """Return the rows of a level that matter most, one line each."""
    told = [row for row in level.rows if row.get("level") not in {"exact"}]
    lines = [_row(row) for row in told[:ROWS]]
    lines = [one_line(line) for line in lines]
    return lines + ([f"and {len(told) - ROWS} more"] if len(told) > ROWS else [])


def _row(row: dict[str, Any]) -> str:
    name = next(
        (_brief(row[key], WIDTH) for key in ("metric", "name", "path", "cell", "member") if row.get(key) is not None),
        "",
    )
    said = f"{_value(row.get('recorded'))} → {_value(row.get('found'))}"
    extra = " ".join(str(row[key]) for key in ("level", "note") if row.get(key))
    return f"{name}: {said}{f'  ({extra})' if extra else ''}"[:WIDTH]


def _brief(value: Any, width: int = NAME) -> str:
    """Return a value's text on one line, with one space where there are many, cut where it is long."""
    said = " ".join(one_line("" if value is None else str(value)).split())
    return said if len(said) <= width else f"{said[: width - 1]}…"


def _value(value: Any) -> str:
    return "nothing" if value is None else _brief(value, 40) if isinstance(value, str) else repr(value)[:40]


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as strict JSON takes it: numbers that JSON lacks are texts."""
    return {"schema": SCHEMA, "exit_code": exit_code(verdict), **_strict(asdict(verdict))}


def as_json(verdict: Verdict) -> str:
    """Return a verdict as JSON in ASCII, schema ``modellab.verdict/1``."""
    return json.dumps(as_dict(verdict), sort_keys=True, indent=1, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
