"""The list of projects: their statistics, what happened when, and the newest runs and the datasets of each."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

from modellab_jupyter.widgets import bars, saved
from modellab_jupyter.widgets.base import Answer, Widget
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
    size_of,
    text_of,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

SAVED_PROJECTS = 12
"""Projects of which a saved notebook keeps the newest runs and the datasets."""
SAVED_RUNS = 20
SAVED_DAYS = 16_000  # bytes of what happened when
MOST_RUNS = 200
STATUSES = ("finished", "failed", "running", "interrupted", "stale")


class ProjectSource(Protocol):
    """Where the list reads from: the store, or a stand-in of the same shape.

    ``changes(None)``, where it is there, returns a short text that differs whenever something to show changed.
    """

    def projects(self) -> pa.Table:
        """Return one row for each project, the most recent first.

        Columns are ``project_id, name, description, runs``, one for each of `STATUSES`, ``datasets, last_activity,
        created_at``, and of the best run ``best_run`` (its name), ``best_run_id, metric, value, low, high, n``.
        """

    def activity(self) -> pa.Table:
        """Return runs by project and day, the latest first: ``project_id, day`` (UTC), ``runs, failed``.

        ``failed`` counts those that did not come to their end: failed, interrupted or stale.
        """

    def runs(self, project_id: str, most: int) -> pa.Table:
        """Return at most so many runs, the newest first.

        Columns are ``run_id, name, status, started_at, duration, metric, value, low, high, n, best``.
        """

    def datasets(self, project_id: str) -> pa.Table:
        """Return datasets: ``dataset_id, name, version, rows, columns, runs, last_used``."""

    def dashboard(self, project_id: str) -> Widget:
        """Return the dashboard of a project, as `ml.dashboard` does."""


class ProjectList(Listing):
    """All projects, in the output of a cell.

    Parameters
    ----------
    source
        What to read from, as :class:`ProjectSource` says.
    live
        True attaches a live widget to the output, False only saves what is there now. By default a widget is
        attached where a person's front end is listening.

    Notes
    -----
    Every output also holds the newest 200 projects, and of the newest few their runs and datasets, as JSON for our
    JupyterLab extension, plain HTML and text, so that it is readable without a kernel.
    """

    def __init__(self, source: ProjectSource, *, live: bool | None = None) -> None:
        super().__init__("projects", source, ("projects", "activity", "runs", "datasets", "dashboard"), None, live=live)

    def __repr__(self) -> str:
        return "ProjectList()"

    # What the browser may ask
    # ----------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Any]:
        return {
            "open": self._open,
            "poll": self._poll,
            "project": lambda asked: self._project(text_of(asked, "project_id"), MOST_RUNS).answer(),
            "dashboard": self._dashboard,
        }

    def _read(self) -> Told:
        return Told({"title": "Projects"}, {"projects": self._source.projects(), "activity": self._source.activity()})

    def _project(self, project_id: str, most: int) -> Told:
        datasets = self._source.datasets(project_id)
        tables = {"runs": self._source.runs(project_id, most), "datasets": datasets.slice(0, most)}
        return Told({"datasets_total": datasets.num_rows}, tables)

    def _dashboard(self, payload: dict[str, Any]) -> Answer:
        return Answer({"shown": self._source.dashboard(text_of(payload, "project_id")).saved()[saved.MIME]})

    # The saved form
    # ----------------------------------------------------------------------------------------

    def saved(self) -> dict[str, Any]:
        """Return the snapshot, plain HTML and text of what is there now."""
        table, activity = self._source.projects(), self._source.activity()
        kept = fitting(table, SAVED_ROWS, SAVED_LIST)
        days = fitting(activity, activity.num_rows, SAVED_DAYS)
        data = {
            **Told({"title": "Projects"}, {"projects": kept, "activity": days}).kept(),
            "total": table.num_rows,
            "notice": notice(kept.num_rows, table.num_rows, "projects"),
        }
        data |= within(SAVED_LIST + SAVED_REST - size_of(data), self._wanted(kept))
        return {
            saved.MIME: saved.snapshot("projects", "Projects", data),
            "text/html": _html(table, activity),
            "text/plain": _text(table),
        }

    def _wanted(self, kept: pa.Table) -> Iterator[tuple[str, str, Any]]:
        for id_ in kept.column("project_id").to_pylist()[:SAVED_PROJECTS]:
            yield "project", id_, lambda id_=id_: self._project(id_, SAVED_RUNS)


# Words and plain tables
# ------------------------------------------------------------------------------------------------------


def _facts(table: pa.Table) -> str:
    runs = sum(table.column("runs").to_pylist())
    parts = [count(table.num_rows, "project"), count(runs, "run")]
    for word in STATUSES[1:]:
        n = sum(table.column(word).to_pylist())
        if n:
            parts.append(f"{n:,} {word}")
    return " · ".join(parts)


def _grid(table: pa.Table) -> saved.Grid:
    """Return the list as a still table, the best run with its metric in words."""
    import pyarrow as pa

    best = [
        None
        if row["best_run"] is None
        else f"{saved.named(row['best_run'], 60)}: {row['metric']} {saved.number(row['value'])} "
        f"{saved.interval(row['low'], row['high'])}".strip()
        for row in table.to_pylist()
    ]
    names = ["name", "runs", *[s for s in STATUSES if any(table.column(s).to_pylist())], "datasets", "last_activity"]
    shown = table.select(names).append_column("best", pa.array(best, pa.string()))
    return saved.Grid("", shown, {"last_activity": "last activity (UTC)", "best": "best run"})


def _html(table: pa.Table, activity: pa.Table) -> str:
    if table.num_rows == 0:
        return saved.html_page("Projects", [saved.html_text("No projects yet; the first run makes one.")])
    parts = [saved.html_text(_facts(table))]
    if table.num_rows > HTML_ROWS:
        parts.append(saved.html_text(f"The table shows {HTML_ROWS} of {table.num_rows:,} projects."))
    parts.append(saved.html_table(_grid(table.slice(0, HTML_ROWS))))
    days = by_day(activity)
    if days:
        unit, found = bars.periods(days)
        busiest = max(found, key=lambda bar: bar[1])
        failed = sum(bar[2] for bar in found)
        said = (
            f"{count(sum(bar[1] for bar in found), 'run')} from {found[0][0]} to {found[-1][0]} by {unit}, "
            f"most on {busiest[0]}: {busiest[1]:,}; {failed:,} did not come to their end"
        )
        parts.append(bars.image(bars.activity(days), "Runs over time", said))
    return saved.html_page("Projects", parts)


def by_day(activity: pa.Table) -> dict[dt.date, tuple[int, int]]:
    """Return the runs of each day, and those of them that did not come to their end."""
    days: dict[dt.date, tuple[int, int]] = {}
    for row in activity.select(["day", "runs", "failed"]).to_pylist():
        known = days.get(row["day"].date(), (0, 0))
        days[row["day"].date()] = (known[0] + row["runs"], known[1] + row["failed"])
    return days


def _text(table: pa.Table) -> str:
    if table.num_rows == 0:
        return "Projects: none yet; the first run makes one."
    return f"Projects: {_facts(table)}\n{saved.Page('', [_grid(table)])}".rstrip()
