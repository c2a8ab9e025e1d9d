"""What a page is composed of: frozen values, drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.words import named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from modellab_jupyter.widgets.diff import Piece


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `role` is ``""``, ``"lede"`` for the sentence that matters, or ``"note"``."""

    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Stat:
    """One number with its interval and support, or a text in its place."""

    label: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    note: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """A line of numbers."""

    items: Sequence[Stat]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table.

    `intervals` names, for a column, the two columns that hold the ends of its interval, and `supports` the one with the
    number of rows that it is of; `best` the rows of a column that get a star; `forms` the columns that are written in a
    way of their own: ``p`` (a p-value), ``duration`` (seconds) or ``evidence``. A name alone says nothing: features may
    be called anything.
    Plain HTML has at most `plain` rows, and a view folds what comes after its first dozen.
    """

    caption: str
    table: pa.Table
    titles: Mapping[str, str] = field(default_factory=dict)
    intervals: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    best: Mapping[str, Collection[int]] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    empty: str = "Nothing to show."
    plain: int = 100
    supports: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> set[str]:
        """Columns that stand beside the value that they belong to."""
        return {end for pair in self.intervals.values() for end in pair} | set(self.supports.values())


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as Plotly data, with words for those who do not see it.

    `still` says that plain HTML has it too, as wide as `width`; a view takes the width that there is.
    """

    caption: str
    figure: Mapping[str, Any]
    alt: str
    height: int = 320
    still: bool = True
    width: int = 620


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows by class (down) and prediction (across)."""

    caption: str
    classes: Sequence[str]
    counts: Sequence[Sequence[float]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between the code of two runs, cell by cell; see `diff.of_cells`."""

    caption: str
    pieces: Sequence[Piece]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """Sections under a line that opens and closes them."""

    title: str
    sections: Sequence[Section]
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """One class against the rest, at any threshold.

    `columns` hold ``score`` from high to low, and of the rows with at least that score ``tp`` and ``fp`` (how many are
    of the class and not) and ``sum`` (of their scores). `bands` may hold, for ``roc`` and ``pr``, the columns ``x``,
    ``low`` and ``high``; `calibration` the bins ``predicted``, ``observed``, ``low`` and ``high``.
    """

    name: str
    columns: Mapping[str, Any]
    chosen: float
    bands: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def at(self, threshold: float) -> dict[str, float | None]:
        """Return counts, shares and calibration where rows with at least that score are said to be of the class.

        ``said_mean`` and ``said_share`` are the mean probability of the rows that are said to be of the class, and the
        share that is; ``rest_mean`` and ``rest_share`` the same of the other rows.
        """
        said = sum(score >= threshold for score in self.columns["score"])
        tp, fp, near = (float(self.columns[name][said - 1]) if said else 0.0 for name in ("tp", "fp", "sum"))
        ups, downs, total = (float(self.columns[name][-1]) for name in ("tp", "fp", "sum"))
        fn, tn = ups - tp, downs - fp
        shares = {
            "precision": (tp, tp + fp),
            "recall": (tp, ups),
            "specificity": (tn, downs),
            "f1": (2 * tp, 2 * tp + fp + fn),
            "accuracy": (tp + tn, ups + downs),
            "said_mean": (near, tp + fp),
            "said_share": (tp, tp + fp),
            "rest_mean": (total - near, fn + tn),
            "rest_share": (fn, fn + tn),
        }
        counts = {"threshold": threshold, "tp": tp, "fp": fp, "fn": fn, "tn": tn}
        return {**counts, **{name: part / whole if whole else None for name, (part, whole) in shares.items()}}

    def curve(self, kind: str) -> dict[str, list[float | None]]:
        """Return the points of the ``roc`` (fpr, tpr) or ``pr`` (recall, precision) curve, one for each score."""
        tp, fp = ([float(v) for v in self.columns[name]] for name in ("tp", "fp"))
        ups, downs = tp[-1], fp[-1]
        if kind == "roc":
            return {
                "fpr": [0.0, *(v / downs if downs else None for v in fp)],
                "tpr": [0.0, *(v / ups if ups else None for v in tp)],
            }
        first = next((i for i, v in enumerate(tp) if v > 0), 0)
        recall = [v / ups if ups else None for v in tp[first:]]
        precision = [t / (t + f) for t, f in zip(tp[first:], fp[first:], strict=True)]
        return {"recall": [0.0, *recall], "precision": [precision[0], *precision]}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Classes at any threshold: a slider in the browser, tables and pictures elsewhere.

    `counted` says that the counts are of rows, each by itself, so that a share of them has Wilson's interval at
    `level`; `weighted`, that they are sums of the rows' weights.
    """

    classes: Sequence[Scored]
    level: float
    counted: bool
    weighted: bool = False
    note: str = ""

    def grids(self, most: int = 6) -> list[Grid]:
        """Return the tables that stand where nothing moves."""
        import pyarrow as pa

        found = []
        for one in self.classes[:most]:
            places = sorted({round(0.1 * i, 1) for i in range(1, 10)} | {one.chosen})
            names = ("threshold", "tp", "fp", "fn", "tn", "precision", "recall", "specificity", "f1", "accuracy")
            rows = [{name: found[name] for name in names} for found in map(one.at, places)]
            found.append(Grid(f"At a threshold for {named(one.name, 60)}", pa.Table.from_pylist(rows)))
        return found


Section = Text | Stats | Grid | Picture | Matrix | Diff | Fold | Thresholds
