"""What changed from one version of a table to another: rows, columns, missing values, distributions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from modellab_jupyter.blobs import Blobs, file_digest
from modellab_jupyter.data import as_table, given_file, no_version, read_file, table_digest, token
from modellab_jupyter.errors import InputError
from modellab_jupyter.summary import POINTS, Column, Summary, decode, seconds, summarise, type_name

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

_EXPECTED: Final = 5  # rows that a cell of a chi-squared test must expect
_EXACT: Final = 1_000  # rows up to which Kolmogorov and Smirnov's test is exact
_BINS: Final = 10
_LABELS: Final = 10_000  # categories that are told apart where the rows are there


@dataclass(frozen=True)
class ColumnDrift:
    """What changed in a column.

    Attributes
    ----------
    change : {"kept", "retyped", "added", "removed"}
    missing_old, missing_new : float or None
        Shares of rows without a value, 0 to 1.
    missing_p, missing_q : float or None
        Of the test that the shares are the same; None where nothing is missing.
    distance : float or None
        0 to 1: of numbers and times the largest difference of the distribution functions (Kolmogorov-Smirnov), of
        categories the total variation. Either is the largest difference of a share of rows.
    psi : float or None
        Population stability index over tenths of the old values, or over categories.
    test : str or None
    p, q : float or None
        Of the test of one distribution; `q` is corrected for the number of tests (Benjamini-Hochberg).
    changed : bool
        The column came, went or has another type, or a `q` is at most 1 - confidence level.
    note : str
        Why there is no test, or what it rests on.
    """

    column: str
    change: Literal["kept", "retyped", "added", "removed"]
    old_type: str | None = None
    new_type: str | None = None
    missing_old: float | None = None
    missing_new: float | None = None
    missing_p: float | None = None
    missing_q: float | None = None
    distance: float | None = None
    psi: float | None = None
    test: str | None = None
    p: float | None = None
    q: float | None = None
    changed: bool = True
    note: str = ""


@dataclass(frozen=True)
class Drift:
    """What changed from `old` to `new`; prints as sentences, and as a table in a notebook.

    Attributes
    ----------
    old, new : str
        Which versions.
    same : bool or None
        The content is the same: names, types and values in their order; None where that is not known any more.
    rows_old, rows_new : int
    rows_added, rows_removed : int or None
        By content of the columns that both have with one type; None where the rows are not there any more.
    columns : tuple of ColumnDrift
    basis : str
        What the comparison rests on: the data, or what was kept of them.
    """

    dataset: str
    old: str
    new: str
    same: bool | None
    rows_old: int
    rows_new: int
    rows_added: int | None
    rows_removed: int | None
    columns: tuple[ColumnDrift, ...]
    basis: str
    confidence_level: float

    @property
    def changed(self) -> tuple[ColumnDrift, ...]:
        """The columns with a change."""
        return tuple(column for column in self.columns if column.changed)

    def frame(self) -> pd.DataFrame:
        """Return a row for each column, those that changed first."""
        import pandas as pd

        ordered = sorted(self.columns, key=lambda c: (not c.changed, c.change == "kept", -(c.distance or 0.0)))
        names = [field.name for field in fields(ColumnDrift)]
        return pd.DataFrame([[getattr(column, name) for name in names] for column in ordered], columns=names)

    def __str__(self) -> str:
        title = f"{self.dataset}: {self.old} to {self.new}"
        if self.same:
            return f"{title}: the content is the same."
        moved = (
            "which ones came and went is not known"
            if self.rows_added is None
            else f"{self.rows_added} added, {self.rows_removed} removed"
        )
        lines = [f"{title}, from {self.basis}.", f"rows: {self.rows_old} to {self.rows_new} ({moved})"]
        lines += [f"{column.column}: {_said(column)}" for column in self.changed]
        quiet = [column for column in self.columns if not column.changed]
        tested = sum(column.q is not None or column.missing_q is not None for column in quiet)
        if tested:
            lines.append(
                f"no evidence of a change in {tested} {'other ' * bool(self.changed)}column{'s' * (tested > 1)}"
            )
        if len(quiet) > tested:
            lines.append(f"not tested: {', '.join(column.column for column in quiet if column.q is None)}"[:300])
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        head = "<br>".join(escape(line) for line in str(self).split("\n")[: 1 if self.same else 2])
        shown = self.frame()
        return (
            head if self.same else head + str(shown.to_html(index=False, float_format="%.4g", na_rep="", escape=True))
        )


@dataclass(frozen=True)
class Side:
    """A version: its name, the digest of its content, and its rows or what was kept of them.

    Of a file whose rows are gone, `digest` is that of its bytes (`of_bytes`), which tells nothing about other bytes.
    """

    title: str
    digest: str
    table: pa.Table | None
    kept: Summary | None
    of_bytes: bool = False

    @cached_property
    def summary(self) -> Summary:
        """Everything about the rows where they are there, else what was kept."""
        if self.table is not None:
            return summarise(self.table, points=len(self.table) + POINTS + 1, labels=_LABELS)
        if self.kept is None:
            raise InputError(f"{self.title} has neither rows nor a summary any more; give its data in its place.")
        return self.kept


def side(dataset: str, chosen: Any, versions: Sequence[dict[str, Any]], blobs: Blobs) -> Side:
    """Return a version given by its number, or the data that were given in its place, as one side of a comparison.

    Raises
    ------
    NotFoundError
        There is no version of that number.
    InputError
        It is a file without rows, or no data at all.
    """
    if isinstance(chosen, bool) or not isinstance(chosen, int):
        given = given_file(chosen)
        table = as_table(chosen) if given is None else _rows(given)
        return Side("the data given" if given is None else str(chosen), table_digest(table), table, None)
    version = next((one for one in versions if one["version"] == chosen), None)
    if version is None:
        raise no_version(dataset, chosen, versions)
    title = f"version {chosen}"
    if version["source"] == "file":
        raise InputError(f"{title} is no table, so its distribution cannot be compared; compare digests instead.")
    path = None if version["path"] is None else Path(version["path"])
    if path is not None and path.is_file() and file_digest(path) == version["digest"]:
        table = _rows(path)
        return Side(title, table_digest(table), table, None)
    kept = None if version["summary"] is None else decode(blobs.get(version["summary"]))
    return Side(title, version["digest"], None, kept, of_bytes=version["source"] != "frame")


def _rows(path: Path) -> pa.Table:
    found, _ = read_file(path)
    if found is None:
        raise InputError(f"data must be a table, found {str(path)!r:.200}, which is none; give a CSV or Parquet file.")
    return as_table(found)


def is_same(old: Side, new: Side) -> bool | None:
    """Tell whether two sides have one content; None where rows are gone and what was kept of them is the same."""
    if old.digest == new.digest:
        return True
    if not (old.of_bytes or new.of_bytes):
        return False
    if any(side.table is None and side.kept is None for side in (old, new)):
        return None
    known = [
        [(side.summary.rows, c.name, c.type, c.missing, c.distinct) for c in side.summary.columns]
        for side in (old, new)
    ]
    pairs = zip(old.summary.columns, new.summary.columns, strict=False)
    return False if known[0] != known[1] or any(_column(a, b).get("distance") for a, b in pairs) else None


def compare(dataset: str, old: Side, new: Side, *, confidence_level: float = 0.95) -> Drift:
    """Return what changed from one version to another.

    Notes
    -----
    Numbers and times: two-sample Kolmogorov-Smirnov, exact up to 1,000 rows (Hodges 1958, doi:10.1007/BF02589501),
    else by its limit. Categories: Pearson's chi-squared over those that expect at least five rows in each version, the
    rest together; Fisher's exact test where only two are left and are rare. Missing values: the same two by two. All
    p-values are corrected together (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x).
    Where a distribution is known at some points only, the least distance that agrees with them is tested, so p is an
    upper bound. The tests take the versions for independent samples: rows that both share make them cautious.
    """
    from scipy.stats import false_discovery_control

    a, b = old.summary, new.summary
    pairs = _pairs(a, b)
    found = [_column(x, y) for x, y in pairs]
    places = [(i, name) for i, one in enumerate(found) for name in ("p", "missing_p") if one[name] is not None]
    corrected = false_discovery_control([found[i][name] for i, name in places]) if places else []
    for (i, name), q in zip(places, corrected, strict=True):
        found[i][name.replace("p", "q") if name == "p" else "missing_q"] = float(q)
    alpha = 1 - confidence_level
    columns = tuple(
        ColumnDrift(**one, changed=one["change"] != "kept" or min(one.get("q", 1), one.get("missing_q", 1)) <= alpha)
        for one in found
    )
    added = removed = None
    if old.table is not None and new.table is not None:
        added, removed = _moved(old.table, new.table, pairs)
    gone = [side.title for side in (old, new) if side.table is None]
    return Drift(
        dataset=dataset, old=old.title, new=new.title, same=is_same(old, new), rows_old=a.rows, rows_new=b.rows,
        rows_added=added, rows_removed=removed, columns=columns, confidence_level=confidence_level,
        basis=f"the kept summary of {' and of '.join(gone)} (its rows are gone)" if gone else "the data",
    )  # fmt: skip


def _said(column: ColumnDrift) -> str:
    """Return in a few words what changed in a column."""
    if column.change in {"added", "removed"}:
        return f"{column.change} ({column.new_type or column.old_type})"
    said = [f"type {column.old_type} to {column.new_type}"] if column.change == "retyped" else []
    if column.missing_q is not None:
        said.append(f"missing {column.missing_old:.2%} to {column.missing_new:.2%} (q = {column.missing_q:.2g})")
    if column.q is not None:
        least = "at least " if column.note.startswith("at least") else ""
        said.append(f"distribution differs by {least}{column.distance:.3g} ({column.test}, q = {column.q:.2g})")
    return "; ".join(said)


def _pairs(a: Summary, b: Summary) -> list[tuple[Column | None, Column | None]]:
    """Return columns of one name side by side; of a name that is there twice, the first with the first."""

    def keyed(summary: Summary) -> dict[tuple[str, int], Column]:
        seen: dict[str, int] = {}
        keys = {}
        for column in summary.columns:
            seen[column.name] = seen.get(column.name, -1) + 1
            keys[column.name, seen[column.name]] = column
        return keys

    left, right = keyed(a), keyed(b)
    return [(left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])]


def _column(a: Column | None, b: Column | None) -> dict[str, Any]:
    """Return the fields of `ColumnDrift` but those that depend on the other columns."""
    one = {"column": (a or b).name, "p": None, "missing_p": None}  # type: ignore[union-attr]
    for column, end in ((a, "old"), (b, "new")):
        if column is not None:
            share = column.missing / column.n if column.n else None
            one |= {f"{end}_type": column.type, f"missing_{end}": share}
    if a is None or b is None:
        return one | {"change": "added" if a is None else "removed"}
    one["change"] = "kept" if a.type == b.type else "retyped"
    if a.missing or b.missing:
        one["missing_p"] = _independent([[a.missing, a.n - a.missing], [b.missing, b.n - b.missing]])[0]
    if a.kind != b.kind or a.kind == "other":
        return one | {"note": "values of this type are not compared" if a.kind == b.kind else "other kinds of values"}
    if a.n == a.missing or b.n == b.missing:
        return one | {"note": "a version has no values"}
    if a.kind == "category":
        return one | _categories(a, b)
    return one | _numbers(a, b)


def _numbers(a: Column, b: Column) -> dict[str, Any]:
    import numpy as np
    from scipy import stats

    n, m = a.n - a.missing, b.n - b.missing
    exact = a.is_complete and b.is_complete
    gap = 0.0
    for x, y in ((a, b), (b, a)):
        for side, counts in (("right", x.up_to), ("left", x.below))[: 1 if exact else 2]:
            low, high = _between(y, np.asarray(x.values), side)
            share = np.asarray(counts) / (x.n - x.missing)
            gap = max(gap, float(np.max(share - high)), float(np.max(low - share)))
    if exact and max(n, m) <= _EXACT:
        left, right = (np.repeat(c.values, np.diff(c.up_to, prepend=0)) for c in (a, b))
        with (
            warnings.catch_warnings()
        ):  # where rounding lifts the exact p above 1, SciPy tells it and takes the limit's
            warnings.simplefilter("ignore", RuntimeWarning)
            p = float(stats.ks_2samp(left, right, method="exact").pvalue)
    else:
        p = float(stats.kstwo.sf(gap, max(1, round(n * m / (n + m)))))
    edges = np.unique([a.quantile(i / _BINS) for i in range(1, _BINS)])
    shares = [np.diff([0.0, *np.mean(_between(c, edges, "right"), axis=0), 1.0]) for c in (a, b)]
    return {
        "distance": gap,
        "psi": _psi(shares[0] * n, shares[1] * m),
        "test": "Kolmogorov-Smirnov",
        "p": p,
        "note": "" if exact else "at least this distance, by what is kept of the distribution",
    }


def _between(column: Column, at: Any, side: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return bounds of the shares of values up to (right) or below (left) some points; equal where they are known."""
    import numpy as np

    n = column.n - column.missing
    values, below, up_to = (np.asarray(part) for part in (column.values, column.below, column.up_to))
    place = np.searchsorted(values, at, "right")  # kept values up to the point
    low = np.concatenate([[0], up_to])[place]
    high = np.concatenate([below, [n]])[place]
    hit = (place > 0) & (values[np.maximum(place, 1) - 1] == at)
    known = (up_to if side == "right" else below)[np.maximum(place, 1) - 1]
    return np.where(hit, known, low) / n, np.where(hit, known, high) / n


def _categories(a: Column, b: Column) -> dict[str, Any]:
    import numpy as np

    n, m = a.n - a.missing, b.n - b.missing
    left, right = dict(a.labels), dict(b.labels)
    known = [
        name for name in dict.fromkeys([*left, *right])
        if (name in left or a.is_complete) and (name in right or b.is_complete)
    ]  # fmt: skip
    counts = np.array([[left.get(name, 0), right.get(name, 0)] for name in known], dtype=np.int64).reshape(-1, 2)
    rest = np.array([n, m]) - counts.sum(axis=0)
    whole = np.vstack([counts, rest]) if rest.any() else counts
    distance = float(np.abs(whole[:, 0] / n - whole[:, 1] / m).sum() / 2)
    known_all = a.is_complete and b.is_complete
    found = {
        "distance": distance,
        "psi": _psi(whole[:, 0], whole[:, 1]),
        "note": "" if known_all else "at least this distance; categories that were not kept count as one",
    }
    if len(whole) < 2:
        return found | ({} if known_all else {"distance": None, "psi": None}) | {
            "note": "one value only in both" if known_all else "no category is known in both"
        }  # fmt: skip
    p, test = _independent(whole.T.tolist())
    return found | {"p": p, "test": test}


def _independent(rows: list[list[int]]) -> tuple[float, str]:
    """Test that two rows of counts are of one distribution; rare categories are put together first."""
    import numpy as np
    from scipy import stats

    counts = np.array(rows, dtype=np.int64)
    counts = counts[:, counts.sum(axis=0).argsort(kind="stable")[::-1]]
    least = counts.sum(axis=0) * counts.sum(axis=1).min() / max(counts.sum(), 1)
    common = int((least >= _EXPECTED).sum())
    while common > 1 and 0 < least[common:].sum() < _EXPECTED:
        common -= 1
    parts = [counts[:, :common], counts[:, common:].sum(axis=1, keepdims=True)]
    kept = np.hstack(parts) if parts[1].any() else counts[:, :common]
    if kept.shape[1] >= 2 and (kept.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()).min() >= _EXPECTED:
        return float(stats.chi2_contingency(kept, correction=False).pvalue), "chi-squared"
    two = np.column_stack([counts[:, 0], counts[:, 1:].sum(axis=1)])
    return float(stats.fisher_exact(two).pvalue), "Fisher"


def _psi(old: Any, new: Any) -> float:
    """Return the population stability index of two vectors of counts, with half a row more in each bin."""
    import numpy as np

    p, q = ((np.asarray(c) + 0.5) / (np.sum(c) + 0.5 * len(c)) for c in (old, new))
    return float(np.sum((q - p) * np.log(q / p)))


def _moved(old: pa.Table, new: pa.Table, pairs: list[tuple[Column | None, Column | None]]) -> tuple[int, int]:
    """Return how many rows came and went, by the content of the columns that both have with one type."""
    import numpy as np

    names = [a.name for a, b in pairs if a is not None and b is not None and a.type == b.type]
    left, right = (np.unique(_keys(table, names), return_counts=True) for table in (old, new))
    _, at_left, at_right = np.intersect1d(left[0], right[0], assume_unique=True, return_indices=True)
    stayed = int(np.minimum(left[1][at_left], right[1][at_right]).sum())
    return len(new) - stayed, len(old) - stayed


def _keys(table: pa.Table, names: list[str]) -> np.ndarray[Any, Any]:
    """Return a 64-bit hash of each row."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    keys = np.zeros(len(table), dtype=np.uint64)
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        place = [i for i, other in enumerate(table.column_names) if other == name][seen[name]]
        array = pa.concat_arrays(table.column(place).chunks) if table.column(place).num_chunks else pa.array([])
        if pa.types.is_date(array.type):
            parts: tuple[Any, ...] = (array.cast(pa.date32()).cast(pa.int32()).fill_null(0).to_numpy(),)
        elif pa.types.is_temporal(array.type) and hasattr(array.type, "unit") and array.type.bit_width in {32, 64}:
            parts = seconds(array)
        elif pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_boolean(array.type):
            empty = False if pa.types.is_boolean(array.type) else 0
            parts = (array.fill_null(empty).to_numpy(zero_copy_only=False),)
        elif type_name(array.type) == "string":
            coded = array.dictionary_encode()
            hashes = pd.util.hash_array(np.array([*coded.dictionary.to_pylist(), ""], dtype=object), categorize=False)
            parts = (hashes[coded.indices.fill_null(len(hashes) - 1).to_numpy()],)
        else:
            parts = (np.array([token(value) for value in array.to_pylist()], dtype=object),)
        for part in (*parts, array.is_null().to_numpy(zero_copy_only=False)):
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + pd.util.hash_array(part)
    return keys
