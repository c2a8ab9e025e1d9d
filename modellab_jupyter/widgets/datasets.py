"""The list of datasets: versions, columns, first rows, what changed, and which runs used them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from modellab_jupyter.errors import ModelLabError
from modellab_jupyter.widgets import bars, saved
from modellab_jupyter.widgets.listing import (
    HTML_ROWS,
    SAVED_LIST,
    SAVED_REST,
    SAVED_ROWS,
    Listing,
    Told,
    count,
    fitting,
    notice,
    share,
    size_of,
    storage,
    text_of,
    whole_of,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from modellab_jupyter.drift import Drift
    from modellab_jupyter.summary import Column, Summary

ROWS = 100
"""Rows of a preview."""
MOST_COLUMNS = 2000
"""Columns of a table that a page is told of, and that a saved notebook keeps."""
SAVED_COLUMNS = 60
SAVED_DATASETS = 10
"""Datasets of which a saved notebook keeps versions, columns and first rows: the newest."""
SAVED_PREVIEW = 40
HTML_DATASETS = 2
HTML_STRIPS = 16
MOST_VERSIONS = 1000
MOST_RUNS = 500
_TOP = 5


class DatasetSource(Protocol):
    """Where the list reads from: the store, or a stand-in of the same shape.

    ``changes(project_id)``, where it is there, returns a short text that differs whenever something to show changed.
    """

    def title(self, project_id: str | None) -> str:
        """Return the heading."""

    def datasets(self, project_id: str | None) -> pa.Table:
        """Return one row for each dataset, the most recent first.

        Columns are ``dataset_id, name, project, versions, version, source, rows, columns, missing`` (a share), ``size``
        (bytes), ``runs, last_used, registered_at, description``; of the newest version where they speak of one.
        """

    def versions(self, dataset_id: str) -> pa.Table:
        """Return the versions, the one that was registered last first.

        Columns are ``version, digest, source, path, rows, columns, size``, ``created_at`` (when it was first
        registered) and ``registered_at`` (when last).
        """

    def runs(self, dataset_id: str) -> pa.Table:
        """Return who used it, the latest first.

        Columns are ``run_id, name, status, version, split, project, used_at, metric, value, low, high, n, best``.
        """

    def summary(self, dataset_id: str, version: int) -> Summary | None:
        """Return what is known of a version's columns; None where it is no table."""

    def preview(self, dataset_id: str, version: int) -> pa.Table | None:
        """Return a version's first rows; None where it is no table."""

    def drift(self, dataset_id: str, old: int, new: int) -> Drift:
        """Return what changed from one version to another."""


class DatasetList(Listing):
    """Datasets of a project, or of all, in the output of a cell.

    Parameters
    ----------
    source
        What to read from, as :class:`DatasetSource` says.
    project_id
        Which project; None for all that the source knows.
    live
        True attaches a live widget to the output, False only saves what is there now. By default a widget is
        attached where a person's front end is listening.

    Notes
    -----
    Every output also holds the newest 200 datasets, and of the newest few their versions, columns and first rows, as
    JSON for our JupyterLab extension, plain HTML and text, so that it is readable without a kernel.
    """

    def __init__(self, source: DatasetSource, project_id: str | None = None, *, live: bool | None = None) -> None:
        needed = ("title", "datasets", "versions", "runs", "summary", "preview", "drift")
        super().__init__("datasets", source, needed, project_id, live=live)

    def __repr__(self) -> str:
        return f"DatasetList(project_id={self._project_id!r})"

    # What the browser may ask
    # ----------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Any]:
        return {
            "open": self._open,
            "poll": self._poll,
            "dataset": lambda asked: self._dataset(text_of(asked, "dataset_id")).answer(),
            "summary": lambda asked: self._summary(text_of(asked, "dataset_id"), whole_of(asked, "version")).answer(),
            "preview": lambda asked: self._preview(text_of(asked, "dataset_id"), whole_of(asked, "version")).answer(),
            "drift": lambda asked: self._drift(
                text_of(asked, "dataset_id"), whole_of(asked, "old"), whole_of(asked, "new")
            ).answer(),
        }

    def _read(self) -> Told:
        title = self._source.title(self._project_id)
        return Told({"title": title}, {"datasets": self._source.datasets(self._project_id)})

    def _dataset(self, dataset_id: str, most: int = MOST_VERSIONS) -> Told:
        versions, runs = self._source.versions(dataset_id), self._source.runs(dataset_id)
        head = {"versions_total": versions.num_rows, "runs_total": runs.num_rows}
        return Told(head, {"versions": versions.slice(0, most), "runs": runs.slice(0, min(most, MOST_RUNS))})

    def _summary(self, dataset_id: str, version: int, most: int = MOST_COLUMNS) -> Told:
        found = self._source.summary(dataset_id, version)
        if found is None:
            return Told({"is_table": False})
        head = {"is_table": True, "rows": found.rows, "total": len(found.columns)}
        return Told(head, {"columns": described(found.columns[:most])})

    def _preview(
        self, dataset_id: str, version: int, rows: int = ROWS, columns: int = MOST_COLUMNS, length: int | None = None
    ) -> Told:
        found = self._source.preview(dataset_id, version)
        if found is None:
            return Told({"is_table": False})
        shown = found.slice(0, rows).select(range(min(columns, found.num_columns)))
        names = shown.column_names if length is None else [saved.cut(n, length) for n in shown.column_names]
        head = {"is_table": True, "names": names, "total": found.num_columns}
        return Told(head, {"table": as_shown(shown, length)})

    def _drift(self, dataset_id: str, old: int, new: int) -> Told:
        found = self._source.drift(dataset_id, old, new)
        sides = [self._source.summary(dataset_id, version) for version in (old, new)]
        head = {
            name: getattr(found, name)
            for name in ("same", "rows_old", "rows_new", "rows_added", "rows_removed", "basis", "confidence_level")
        }
        told = {"old": old, "new": new, "changed": len(found.changed), "total": len(found.columns)}
        return Told(head | told, {"columns": _drifted(found, *sides)})

    # The saved form
    # ----------------------------------------------------------------------------------------

    def saved(self) -> dict[str, Any]:
        """Return the snapshot, plain HTML and text of what is there now."""
        title, table = self._source.title(self._project_id), self._source.datasets(self._project_id)
        kept = fitting(table, SAVED_ROWS, SAVED_LIST)
        data = {
            **Told({"title": saved.cut(title)}, {"datasets": kept}).kept(),
            "total": table.num_rows,
            "notice": notice(kept.num_rows, table.num_rows, "datasets"),
        }
        data |= within(SAVED_LIST + SAVED_REST - size_of(data), self._wanted(kept))
        return {
            saved.MIME: saved.snapshot("datasets", title, data),
            "text/html": self._html(title, table),
            "text/plain": _text(title, table),
        }

    def _wanted(self, kept: pa.Table) -> Iterator[tuple[str, str, Any]]:
        """Yield what to save beside the list: all of the newest versions, then the columns of those before."""
        few = list(zip(*(kept.column(c).to_pylist()[:SAVED_DATASETS] for c in ("dataset_id", "version")), strict=True))
        for id_, version in few:
            yield "dataset", id_, lambda id_=id_: self._dataset(id_, 30)
            yield "summary", f"{id_} {version}", lambda id_=id_, v=version: self._summary(id_, v, SAVED_COLUMNS)
            yield (
                "preview",
                f"{id_} {version}",
                lambda id_=id_, v=version: self._preview(id_, v, SAVED_PREVIEW, SAVED_COLUMNS, 60),
            )
        for id_, version in few:
            older = [v for v in self._source.versions(id_).column("version").to_pylist() if v != version][:2]
            for old in older:
                yield "summary", f"{id_} {old}", lambda id_=id_, v=old: self._summary(id_, v, SAVED_COLUMNS)

    def _html(self, title: str, table: pa.Table) -> str:
        if table.num_rows == 0:
            return saved.html_page(title, [saved.html_text("No datasets yet; ml.datasets.add(frame, name) adds one.")])
        parts = [saved.html_text(_facts(table))]
        if table.num_rows > HTML_ROWS:
            parts.append(saved.html_text(f"The table shows {HTML_ROWS} of {table.num_rows:,} datasets."))
        parts.append(saved.html_table(_grid(table.slice(0, HTML_ROWS))))
        parts += [self._strips(row) for row in table.slice(0, HTML_DATASETS).to_pylist()]
        return saved.html_page(title, parts)

    def _strips(self, row: dict[str, Any]) -> str:
        """Return a picture of how the columns of a dataset's newest version spread, or why there is none."""
        try:
            found = self._source.summary(row["dataset_id"], row["version"])
        except ModelLabError as error:
            return saved.html_text(str(error))
        if found is None or not found.columns:
            return ""
        shown = found.columns[:HTML_STRIPS]
        more = f", the first {len(shown)} of {len(found.columns):,} columns" if len(shown) < len(found.columns) else ""
        said = "; ".join(f"{c.name} ({c.type}): {bars.ends(c)}" for c in shown)
        return bars.image(bars.strips(shown), f"{row['name']}, version {row['version']}{more}", said)


# Tables that are shown
# ------------------------------------------------------------------------------------------------------


def described(columns: tuple[Column, ...]) -> pa.Table:
    """Return a row for each column: type, missing, distinct, least, median, greatest, shares to draw, most frequent.

    Numbers of a column of times are milliseconds since 1970 UTC.
    """
    import pyarrow as pa

    rows = []
    for column in columns:
        times = 1000.0 if column.kind == "time" else 1.0
        ends = {name: column.quantile(q) for name, q in (("least", 0.0), ("median", 0.5), ("most", 1.0))}
        top = column.labels[:_TOP]
        known = column.n - column.missing
        rows.append({
            "column": saved.cut(column.name), "type": saved.cut(column.type, 60), "kind": column.kind,
            "missing": column.missing / column.n if column.n else None, "distinct": column.distinct,
            **{name: None if value is None else value * times for name, value in ends.items()},
            "mean": None if column.mean is None else column.mean * times,
            "bars": [f"{part:g}" for part in bars.spread(column)],
            "top": [saved.cut(name, 60) for name, _ in top],
            "top_shares": [f"{n / known:.4f}" for _, n in top],
        })  # fmt: skip
    texts, floats = pa.string(), pa.float64()
    many = pa.list_(texts)
    schema = pa.schema([
        ("column", texts), ("type", texts), ("kind", texts), ("missing", floats), ("distinct", pa.int64()),
        ("least", floats), ("median", floats), ("most", floats), ("mean", floats), ("bars", many), ("top", many),
        ("top_shares", many),
    ])  # fmt: skip
    return pa.Table.from_pylist(rows, schema)


def as_shown(table: pa.Table, length: int | None = None) -> pa.Table:
    """Return rows as a page can show them, columns named by their place: times and large whole numbers as texts."""
    import pyarrow as pa

    names = [str(i) for i in range(table.num_columns)]
    return pa.table([_readable(column, length) for column in table.columns], names)


def _readable(column: pa.ChunkedArray, length: int | None) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = saved.kind_of(column.type)
    if kind == "bool":
        return column.combine_chunks()
    if kind == "number":
        whole = pa.types.is_integer(column.type)
        top = max((abs(v) for v in pc.min_max(column).as_py().values() if v is not None), default=0) if whole else 0
        if top <= 2**53:
            return pc.cast(column, pa.float64(), safe=False).combine_chunks()
    written = [None if v is None else _written(v) for v in column.to_pylist()]
    if kind == "time" and all(v is None or v.endswith(" 00:00:00") for v in written):
        written = [None if v is None else v.removesuffix(" 00:00:00") for v in written]
    return pa.array([v if v is None or length is None else saved.cut(v, length) for v in written], pa.string())


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def _drifted(found: Drift, old: Summary | None, new: Summary | None) -> pa.Table:
    """Return the table of a drift, those that changed first, with the shares of both sides to draw."""
    table = saved.as_table(found.frame())
    names = table.column("column").to_pylist()
    sides = [{c.name: c for c in (side.columns if side else ())} for side in (old, new)]
    drawn = [bars.side_by_side(*(side.get(name) for side in sides)) for name in names]
    for place, end in enumerate(("old", "new")):
        table = table.append_column(f"bars_{end}", _lists([pair[place] for pair in drawn]))
    return table


def _lists(shares: list[list[float]]) -> pa.Array:
    import pyarrow as pa

    return pa.array([[f"{part:g}" for part in row] for row in shares], pa.list_(pa.string()))


# Words and plain tables
# ------------------------------------------------------------------------------------------------------


def _facts(table: pa.Table) -> str:
    versions = sum(table.column("versions").to_pylist())
    used = sum(runs > 0 for runs in table.column("runs").to_pylist())
    return f"{count(table.num_rows, 'dataset')} · {count(versions, 'version')} · {used:,} used by runs"


def _grid(table: pa.Table) -> saved.Grid:
    """Return the list as a still table; shares and sizes in words."""
    import pyarrow as pa

    names = ("name", "project", "version", "versions", "rows", "columns", "missing", "size", "runs", "last_used")
    shown = table.select(names)
    for name, say in (("missing", share), ("size", storage)):
        said = pa.array([say(value) for value in table.column(name).to_pylist()], pa.string())
        shown = shown.set_column(names.index(name), name, said)
    titles = {"version": "newest version", "runs": "runs", "last_used": "last used (UTC)"}
    return saved.Grid("", shown, titles)


def _text(title: str, table: pa.Table) -> str:
    head = saved.named(title, 80)
    if table.num_rows == 0:
        return f"{head}: none yet; ml.datasets.add(frame, name) adds one."
    return f"{head}: {_facts(table)}\n{saved.Page('', [_grid(table)])}".rstrip()
