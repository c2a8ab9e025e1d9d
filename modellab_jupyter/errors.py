"""The family of errors; each message says what was wrong, what was found and what to do.

::

    ModelLabError
    ├── InputError (ValueError)           an argument cannot be used
    ├── NotFoundError (LookupError)       no such project, dataset, run, artifact or evaluation
    ├── NoActiveRunError (RuntimeError)   something was logged while no run was active
    ├── DamagedError (RuntimeError)       stored bytes do not match their digest
    └── StoreError (RuntimeError)         the store cannot be used
        ├── StoreBusyError                another program holds the file
        ├── StoreNewerError               written by a later version of this package
        └── StoreUnreadableError          not a DuckDB file, or damaged
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

_BREAKS = re.compile(r"[\t-\r\x1c-\x1e\x85\u2028\u2029]+")
_STEERS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff\ufeff\ufffe\uffff\U000e0000-\U000e007f]"
)
_MARKS = re.compile(r"[\u061c\u200e\u200f\u2068\u2069]")  # of direction; what they do ends with their line


class ModelLabError(Exception):
    """Base of every error that this package raises on purpose."""


class InputError(ModelLabError, ValueError):
    """An argument cannot be used."""


class NotFoundError(ModelLabError, LookupError):
    """No such project, dataset, run, artifact or evaluation."""


class NoActiveRunError(ModelLabError, RuntimeError):
    """Something was logged while no run was active."""


class DamagedError(ModelLabError, RuntimeError):
    """Stored bytes do not match their digest."""


class StoreError(ModelLabError, RuntimeError):
    """The store cannot be used."""


class StoreBusyError(StoreError):
    """Another program holds the store's file."""


class StoreNewerError(StoreError):
    """The store was written by a later version of this package."""


class StoreUnreadableError(StoreError):
    """The store's file is damaged or is not a DuckDB file."""


def hint(wrong: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the name nearest to `wrong`, or an empty string."""
    import difflib  # takes longer than a metric, and nobody has made a mistake yet

    near = difflib.get_close_matches(wrong, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def one_line(text: str, *, marks: bool = False) -> str:
    """Return `text` without line breaks; what steers a terminal, turns letters around or cannot be encoded is escaped.

    Parameters
    ----------
    marks : bool
        Keep marks of direction, which names have and which stand around names in sentences.
    """
    shown = _STEERS.sub(escaped, _BREAKS.sub(" ", text))
    return shown if marks else _MARKS.sub(escaped, shown)


def escaped(found: re.Match[str]) -> str:
    """Return the sign that was found by its number, as Python writes it in code."""
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shown(value: object, width: int = 80, say: Callable[[Any], str] = repr) -> str:
    """Return the first characters of a value's ``repr``, or what else `say` gives; of its type where that fails."""
    try:
        return say(value)[:width]
    except Exception:  # noqa: BLE001 - a user's class may raise anything, and what is said of it must not
        return f"<{type(value).__name__}>"


def tell(text: str, *, stacklevel: int) -> None:
    """Warn; where warnings are errors, say it on stderr instead, since tracking never raises into training."""
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=stacklevel + 1)
    except RuntimeWarning:
        sys.stderr.write(f"RuntimeWarning: {text}\n")
