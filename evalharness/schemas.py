"""The values that pass between the parts of the harness: frozen, without behaviour that needs data.

Vocabulary: a *sample* is the checked input of one evaluation, an *interval* is what is known about the
uncertainty of one number, a *claim* is one sentence of the takeaway with the numbers it prints.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Booleans = npt.NDArray[np.bool_]
    Class = str | int | float | bool

SCHEMA_VERSION = 1
TASK_TYPES = ("classification", "regression")
Task = Literal["binary", "multiclass", "regression"]


class InputError(ValueError):
    """Input that cannot be evaluated: one sentence with the argument, what was found and what to do."""


def nearest(name: object, known: tuple[str, ...]) -> str:
    """Say which known name is nearest to a wrong one, or list them all."""
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"give one of {', '.join(known)}."


class Finding:
    """What printing and pickling of the larger results have in common; `__str__` is their table."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {str(self).partition(chr(10))[0]}>"

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        import html

        return f"<pre>{html.escape(str(self))}</pre>"

    def __getstate__(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the attributes with read-only mappings as dicts, which can be pickled, and which these are."""
        held = tuple(name for name, value in self.__dict__.items() if isinstance(value, MappingProxyType))
        return {name: dict(value) if name in held else value for name, value in self.__dict__.items()}, held

    def __setstate__(self, state: tuple[dict[str, Any], tuple[str, ...]]) -> None:
        values, held = state
        self.__dict__.update(values | {name: MappingProxyType(values[name]) for name in held})


def aligned(head: str, lines: Sequence[tuple[str, ...]]) -> str:
    """Return a heading and lines of text in columns, the first of them the names of the columns."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        [head, *("  ".join(f"{t:{w}}" for t, w in zip(line, widths, strict=True)).rstrip() for line in lines)]
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """What is known about the uncertainty of one number.

    Attributes
    ----------
    low, high : float or None
        Ends of the interval in the unit of the metric; both None when there is no honest interval.
    confidence_level : float
        Nominal coverage, for example 0.95.
    method : str
        ``"wilson"``, ``"bca"``, ``"percentile"``, ``"test inversion"`` ... or ``"none"``.
    n_resamples : int
        Resamples behind the interval; 0 when the method needs none.
    undefined_resamples : int
        Resamples on which the metric was undefined and which were left out.
    reason : str or None
        Why there is no interval; None when there is one.
    also : tuple of Interval
        Intervals by other methods for the same number, for those who compare with other programs.
    """

    low: float | None
    high: float | None
    confidence_level: float
    method: str
    n_resamples: int = 0
    undefined_resamples: int = 0
    reason: str | None = None
    also: tuple[Interval, ...] = ()

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the interval; False when there is no interval."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of one evaluation; see `evaluate` for what each key means."""

    compute_cis: bool = True
    run_stress_tests: bool = False
    n_failures_per_type: int = 10
    n_resamples: int = 1000
    confidence_level: float = 0.95
    plots: bool = True
    min_support: int | None = None
    max_slice_features: int = 2

    @classmethod
    def read(cls, given: Mapping[str, Any] | Config | None) -> Config:
        """Check a user's mapping and fill in the defaults.

        Raises
        ------
        InputError
            For a key that does not exist (the nearest one is named) or a value out of its range.
        """
        if given is None:
            return cls()
        if isinstance(given, Config):
            return given
        if not isinstance(given, Mapping):
            raise InputError(f"config is a {type(given).__name__}; give a mapping such as {{'n_resamples': 1000}}.")
        known = tuple(field.name for field in fields(cls))
        for key in given:
            if key not in known:
                raise InputError(f"config has the unknown key {key!r}; {nearest(key, known)}")
        checked = {key: _checked(key, value) for key, value in given.items()}
        return replace(cls(), **checked)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as a plain mapping that `read` accepts again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_WHOLE = {
    "n_failures_per_type": (0, 1_000_000),
    "n_resamples": (100, 1_000_000),
    "min_support": (2, 10**12),
    "max_slice_features": (0, 2),
}


def _checked(key: str, value: Any) -> Any:
    if key in ("compute_cis", "run_stress_tests", "plots"):
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        raise InputError(f"config[{key!r}] is {value!r}; give True or False.")
    if key == "confidence_level":
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if number and 0.5 <= float(value) < 1:
            return float(value)
        hint = f"give {float(value) / 100:g}." if number and 50 <= float(value) < 100 else "give a number such as 0.95."
        raise InputError(f"config['confidence_level'] is {value!r}, outside [0.5, 1); {hint}")
    low, high = _WHOLE[key]
    if key == "min_support" and value is None:
        return None
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and low <= value <= high:
        return int(value)
    raise InputError(f"config[{key!r}] is {value!r}; give a whole number from {low} to {high}.")


@dataclass(frozen=True, eq=False)
class Sample:
    """The checked input of one evaluation; every array has one entry per kept row.

    Attributes
    ----------
    task : {"binary", "multiclass", "regression"}
    labels, predictions : ndarray of shape (n,)
        Class codes (int64, positions in `classes`) or real values (float64).
    probabilities : ndarray of shape (n, k) or None
        Probability of each class in the order of `classes`.
    classes : tuple
        The classes as the user wrote them; empty for regression.
    positive : int or None
        Position of the positive class (binary only).
    threshold : float
        A row is predicted positive where its probability is at least this.
    weights : ndarray of shape (n,) or None
        Sample weights above 0, scaled to mean 1.
    groups : ndarray of shape (n,) or None
        Cluster number of each row, 0 ... number of clusters - 1.
    strata : ndarray of shape (n,) or None
        Stratum number of each row; clusters lie within strata.
    rows : ndarray of shape (n,)
        Position of each kept row in what the user gave.
    frame : pandas.DataFrame or None
        The features of the kept rows.
    notes : tuple of str
        Conventions and readings of the input that a reader of the report must know.
    """

    task: Task
    labels: Integers | Floats
    predictions: Integers | Floats
    probabilities: Floats | None
    classes: tuple[Class, ...]
    positive: int | None
    threshold: float
    weights: Floats | None
    groups: Integers | None
    strata: Integers | None
    rows: Integers
    frame: Any
    data_kind: str
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.labels)

    @property
    def plain(self) -> bool:
        """Whether rows count alike and were drawn one by one: no weights, groups or strata."""
        return self.weights is None and self.groups is None and self.strata is None

    @property
    def task_type(self) -> str:
        """The public task type."""
        return "regression" if self.task == "regression" else "classification"


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the takeaway, with the numbers it prints (as printed) and the names it quotes."""

    about: str
    sentence: str
    numbers: Mapping[str, float | int]
    names: Mapping[str, str]
