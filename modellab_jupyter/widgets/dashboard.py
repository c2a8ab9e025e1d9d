"""The dashboard: a project, its runs, their curves; live with a kernel, saved without."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modellab_jupyter.errors import InputError
from modellab_jupyter.widgets import figures, saved
from modellab_jupyter.widgets.base import Answer, Source, Widget, cell_id, execution
from modellab_jupyter.widgets.best import as_json, bests, greater_is_better, note
from modellab_jupyter.widgets.listing import size_of, text_of, whole_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from modellab_jupyter.widgets.best import Best

    Bests = Mapping[str, Best]
    Curves = dict[str, tuple[pa.Table, dict[str, str]]]  # metric -> its series, and the names of their runs

SAVED_RUNS = 200
"""Runs that a saved notebook keeps in full; the newest, with every baseline and the best of each metric."""
HTML_RUNS = 50
HTML_COLUMNS = 24
SAVED_BYTES = 60_000  # of JSON: ten dashboards of wide projects stay below a megabyte
LEAST_RUNS = 20
SAVED_CURVES = 10
SAVED_METRICS = 4
ASKED_METRICS = 12
SAVED_POINTS = 100
STATE_SIZE = 100_000
ASKED_WITHIN = 10.0
"""Seconds without a question after which a view seems unable to ask."""
SERIES = 100
"""Runs whose curves are asked for at once."""
PUSHED_RUNS = 2000
PUSHED_METRICS = 4
PUSHED_POINTS = 400

_ORDER = ("name", "status")
_TAIL = ("started_at", "duration", "dataset", "tags", "note", "run_id")
_FORMS = {"duration": "duration"}
_TITLES = {"started_at": "started (UTC)", "run_id": "run id"}


class Dashboard(Widget):
    """Runs of a project as a table and charts, in the output of a cell.

    Parameters
    ----------
    source
        What to read from.
    project_id
        Which project; None for all that the source knows.
    view
        Name of one of the source's saved views; default: how this cell showed the project last.
    live
        As of :class:`~modellab_jupyter.widgets.base.Widget`.

    Raises
    ------
    TypeError
        If `source` is no :class:`~modellab_jupyter.widgets.base.Source`.

    Notes
    -----
    Every output also holds a snapshot (the newest 200 runs, their curves) as JSON for our JupyterLab
    extension, plain HTML and text, so that it is readable without a kernel.

    A view asks for changes every few seconds. Where the front end cannot ask, since a cell is running and its host
    has no subshells, what is logged sends them.
    """

    def __init__(
        self, source: Source, project_id: str | None = None, *, view: str | None = None, live: bool | None = None
    ) -> None:
        if not isinstance(source, Source):
            raise TypeError(f"source must be a Source, a store's for example; found {type(source).__name__}")
        super().__init__("dashboard", live=live)
        self._source = source
        self._project_id = project_id
        cell = cell_id()
        self._look = f"dashboard {project_id or ''} {cell}"
        self.place = (self._look if cell else "", execution())
        self._told: str | None = None
        if view is not None:
            source.looks[self._look] = source.saved_views(project_id)[view]

    def __repr__(self) -> str:
        return f"Dashboard(project_id={self._project_id!r})"

    def saved(self) -> dict[str, Any]:
        """Return the snapshot, plain HTML and text of what is there now."""
        with self._source.moment():
            project, runs = self._read()
            best = bests(runs, self._source.judged(self._project_id))
            kept = _fitting(runs, project, best)
            curves = _stepped(self._source, kept)
        return {
            saved.MIME: _snapshot(project, runs, kept, curves, best, self._state()),
            "text/html": _html(project, runs, kept, curves, best),
            "text/plain": _text(project, kept),
        }

    def news(self) -> None:
        """Send what is new to views that have not asked for a while; see `Source.watch`."""
        channel = self._channel
        if channel is None or channel.beside or channel.silent < ASKED_WITHIN:
            return
        answer = self._open({}, unless=self._told)
        if not answer.payload["changed"]:
            return
        self._told = answer.payload["token"]
        payload, buffers = dict(answer.payload), answer.buffers
        if payload["runs"]["rows"] > PUSHED_RUNS:  # these would fill the line; how far the training is does not
            payload, buffers = {key: payload[key] for key in ("changed", "token", "project", "progress")}, []
        ids = [run["run_id"] for run in payload["progress"]][:SAVED_CURVES]
        with self._source.moment():
            metrics = _metrics(self._source.runs(self._project_id)) if ids else []
            metrics.sort(key=lambda metric: metric != self._state().get("metric"))  # stable: what is drawn comes first
            payload["series"] = {
                metric.removeprefix("metrics."): self._pushed_series(ids, metric) for metric in metrics[:PUSHED_METRICS]
            }
        channel.push("news", payload, buffers)

    def _pushed_series(self, ids: list[str], metric: str) -> dict[str, Any]:
        series = self._source.series(ids, metric.removeprefix("metrics."), PUSHED_POINTS)
        table: dict[str, Any] = saved.plain(saved.json_table(series.select(["run_id", "step", "value"]), digits=6))
        return table

    # What the browser may ask
    # ----------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Any]:
        self._source.watch(self)
        return {
            "open": self._open, "poll": self._poll, "series": self._series, "act": self._act, "look": self._looked,
            "keep": self._keep,
        }  # fmt: skip

    def _read(self) -> tuple[Mapping[str, Any], pa.Table]:
        return self._source.project(self._project_id), self._source.runs(self._project_id)

    def _state(self) -> dict[str, Any]:
        return self._source.looks.get(self._look, {})

    def _open(self, _payload: dict[str, Any], unless: str | None = None) -> Answer:
        # Asked before reading: what changes in between is seen by the next poll.
        token = self._source.changes(self._project_id)
        if token is not None and token == unless:
            return Answer({"changed": False, "token": token})
        with self._source.moment():
            return self._now(token, unless)

    def _now(self, token: str | None, unless: str | None) -> Answer:
        project, runs = self._read()
        table, block = saved.binary_table(runs)
        saved.marked_parts(runs, table["columns"])
        if token is None:
            head = json.dumps(saved.plain([dict(project), table]), sort_keys=True)
            token = hashlib.sha256(head.encode() + block).hexdigest()[:16]
            if token == unless:
                return Answer({"changed": False, "token": token})
        return Answer(
            {
                "changed": True,
                "token": token,
                "project": saved.plain(dict(project)),
                "runs": {**table, "greater_is_better": greater_is_better(runs)},
                **_told(bests(runs, self._source.judged(self._project_id))),
                "verbs": list(self._source.verbs),
                "progress": self._source.progress(self._project_id),
                "look": self._look,
                "state": self._state(),
                "views": self._source.saved_views(self._project_id),
            },
            [block],
        )

    def _poll(self, payload: dict[str, Any]) -> Answer:
        return self._open({}, unless=str(payload.get("token")))

    def _series(self, payload: dict[str, Any]) -> Answer:
        given = payload.get("run_ids")
        if not isinstance(given, list):
            raise InputError(f"run_ids must be a list of ids, found {given!r:.80}; run the cell again.")
        points = max(2, min(10_000, whole_of({"points": 1000, **payload}, "points")))
        series = self._source.series(
            [str(run_id) for run_id in given][:SERIES], text_of(payload, "key"), points, _steps(payload)
        )
        table, block = saved.binary_table(series.select(["run_id", "step", "value"]))
        return Answer(table, [block])

    def _looked(self, payload: dict[str, Any]) -> Answer:
        """Remember how the runs are shown, for the next time that this cell runs."""
        self._source.looks[self._look] = _sound(payload.get("state"))
        return Answer({})

    def _keep(self, payload: dict[str, Any]) -> Answer:
        """Give a view a name, or forget it; return all that have one."""
        state = payload.get("state")
        self._source.keep_view(self._project_id, str(payload.get("name", "")), None if state is None else _sound(state))
        return Answer({"views": self._source.saved_views(self._project_id)})

    def _act(self, payload: dict[str, Any]) -> Answer:
        verb, run_ids, given = str(payload.get("verb")), payload.get("run_ids"), payload.get("payload")
        if verb not in self._source.verbs:
            raise ValueError(f"this dashboard cannot {verb!r} runs")
        if not isinstance(run_ids, list) or not run_ids:
            raise ValueError(f"{verb!r} needs runs; select one in the table")
        shown = self._source.act(verb, [str(r) for r in run_ids], given if isinstance(given, dict) else {})
        return Answer({} if shown is None else {"shown": shown.saved()[saved.MIME]})


def _steps(payload: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the ends of the steps that a page asks for; None for all."""
    given = payload.get("steps")
    if given is None:
        return None
    sound = isinstance(given, list) and len(given) == 2 and all(type(end) in (int, float) for end in given)
    if not sound:
        raise InputError(f"steps must be two numbers, found {given!r:.80}; run the cell again.")
    return float(given[0]), float(given[1])


def _sound(state: object) -> dict[str, Any]:
    """Return what a page says of how it shows runs; ValueError where it is none, or too much to keep."""
    if not isinstance(state, dict) or len(json.dumps(state)) > STATE_SIZE:
        raise ValueError(f"the state of a view must be an object of at most {STATE_SIZE:,} characters")
    return state


# The saved form
# ------------------------------------------------------------------------------------------------------


def _told(best: Bests, kept: pa.Table | None = None) -> dict[str, Any]:
    """Return which runs a view stars, of those that it gets, and what it says of that."""
    found = as_json(best)
    if kept is not None:
        ids = set(kept.column("run_id").to_pylist())
        found = {name: {**one, "runs": [run for run in one["runs"] if run in ids]} for name, one in found.items()}
    return {"best": found, "best_note": note(best)}


def _metrics(runs: pa.Table) -> list[str]:
    """Names of metric columns, without the ends of intervals and the supports that belong to one."""
    return list(saved.metric_parts(runs))


def _ends(runs: pa.Table) -> dict[str, tuple[str, str]]:
    """Columns of both ends of the interval of each metric that has one."""
    return {m: (p["low"], p["high"]) for m, p in saved.metric_parts(runs).items() if "low" in p and "high" in p}


def _fitting(runs: pa.Table, project: Mapping[str, Any], best: Bests) -> pa.Table:
    """Return the runs that are worth saving, as many as fit into `SAVED_BYTES` of JSON."""
    kept = _keep(runs, project, best, SAVED_RUNS)
    size = size_of(saved.json_table(kept))
    if size > SAVED_BYTES:
        kept = _keep(runs, project, best, max(LEAST_RUNS, kept.num_rows * SAVED_BYTES // size))
    return kept


def _keep(runs: pa.Table, project: Mapping[str, Any], best: Bests, most: int) -> pa.Table:
    """Return the newest runs, newest first, with the baselines and the best ones; of these as many as there is room."""
    import pyarrow as pa
    import pyarrow.compute as pc

    order = pc.sort_indices(runs, sort_keys=[("started_at", "descending")]).to_pylist()
    if len(order) <= most:
        return runs.take(pa.array(order, pa.int64()))
    baselines = [i for i, flag in enumerate(runs.column("baseline").to_pylist()) if flag]
    place = {run_id: i for i, run_id in enumerate(runs.column("run_id").to_pylist())}
    stars = [place[one.runs[0]] for one in best.values() if one.runs]
    project_best = [place[project["best_run"]]] if project.get("best_run") in place else []
    must = dict.fromkeys([*project_best, *baselines[:20], *stars][:most])
    newest = [i for i in order if i not in must][: max(0, most - len(must))]
    kept = {*must, *newest}
    return runs.take(pa.array([i for i in order if i in kept], pa.int64()))


def _notice(shown: int, total: int) -> str:
    if shown >= total:
        return ""
    return (
        f"{shown:,} of {total:,} runs are saved here: the newest, the baselines and the best of each metric. "
        "Run the cell again to see all."
    )


def _curves(source: Source, kept: pa.Table, metric: str) -> tuple[pa.Table, dict[str, str]]:
    first = kept.slice(0, SAVED_CURVES)
    ids = [str(r) for r in first.column("run_id").to_pylist()]
    names = dict(zip(ids, (n or "" for n in first.column("name").to_pylist()), strict=True))
    return source.series(ids, metric.removeprefix("metrics."), SAVED_POINTS).select(["run_id", "step", "value"]), names


def _stepped(source: Source, kept: pa.Table) -> Curves:
    """Return the curves worth saving: of the first metrics that have steps, which evaluated ones rarely have."""
    found: Curves = {}
    parts = saved.metric_parts(kept)
    asked = sorted(parts, key=lambda metric: "n" in parts[metric])
    for metric in asked[:ASKED_METRICS]:
        series, names = _curves(source, kept, metric)
        if len(set(series.column("step").to_pylist())) > 1:
            found[metric.removeprefix("metrics.")] = series, names
        if len(found) == SAVED_METRICS:
            break
    return found


def _snapshot(
    project: Mapping[str, Any], runs: pa.Table, kept: pa.Table, curves: Curves, best: Bests, state: Mapping[str, Any]
) -> dict[str, Any]:
    series = {metric: saved.json_table(table, digits=6) for metric, (table, _) in curves.items()}
    status = [s for s in runs.column("status").to_pylist() if s is not None]
    table = saved.json_table(kept)
    saved.marked_parts(kept, table["columns"])
    data = {
        "project": {**project, "name": saved.cut(str(project.get("name") or "Runs"))},
        "runs": {**table, "greater_is_better": greater_is_better(runs)},
        "total": runs.num_rows,
        **_told(best, kept),
        "counts": {word: status.count(word) for word in dict.fromkeys(status)},
        "series": series,
        "notice": _notice(kept.num_rows, runs.num_rows),
        "state": state,
    }
    return saved.snapshot("dashboard", str(project.get("name") or "Runs"), data)


def _shown(kept: pa.Table, columns: int) -> tuple[saved.Grid, int]:
    """Return a still table, and how many columns it leaves out."""
    metrics = _metrics(kept)
    params = [n for n in kept.column_names if n.startswith("params.")]
    plain = [n for n in (*_TAIL,) if n in kept.column_names and n != "run_id"]
    filled = [n for n in plain if any(v not in (None, "", []) for v in kept.column(n).to_pylist())]
    names = [*_ORDER, *metrics, *params, *filled]
    shown = names[:columns]
    ends = {m: both for m, both in _ends(kept).items() if m in shown}
    supports = {m: p["n"] for m, p in saved.metric_parts(kept).items() if m in shown and "n" in p}
    table = kept.select([*shown, *(end for pair in ends.values() for end in pair), *supports.values()])
    grid = saved.Grid("", table, _titles(table), ends, forms=_FORMS, supports=supports)
    return grid, len(names) - len(shown)


def _titles(table: pa.Table) -> dict[str, str]:
    return {n: _TITLES.get(n, n.removeprefix("metrics.").removeprefix("params.")) for n in table.column_names}


def _marked(kept: pa.Table) -> pa.Table:
    """Say in the name which run is the baseline; a run without a name shows its id."""
    import pyarrow as pa

    rows = zip(*(kept.column(c).to_pylist() for c in ("name", "run_id", "baseline")), strict=True)
    names = [(name or run_id) + (" (baseline)" if baseline else "") for name, run_id, baseline in rows]
    return kept.set_column(kept.column_names.index("name"), "name", pa.array(names, pa.string()))


def _facts(project: Mapping[str, Any]) -> str:
    counts = {word: int(project.get(f"{word}s", 0)) for word in ("run", "dataset")}
    parts = [f"{count:,} {word}{'s' * (count != 1)}" for word, count in counts.items()]
    if project.get("last_activity"):
        parts.append(f"last activity {str(project['last_activity'])[:16].replace('T', ' ')} UTC")
    return " · ".join(parts)


def _html(project: Mapping[str, Any], runs: pa.Table, kept: pa.Table, curves: Curves, best: Bests) -> str:
    title = str(project.get("name") or "Runs")
    parts = [saved.html_text(_facts(project))]
    if kept.num_rows == 0:
        return saved.html_page(title, [*parts, saved.html_text("No runs yet.")])
    rows = _marked(kept.slice(0, HTML_RUNS))
    grid, left_out = _shown(rows, HTML_COLUMNS)
    told = []
    if rows.num_rows < runs.num_rows:
        told.append(f"The table shows {rows.num_rows:,} of {runs.num_rows:,} runs.")
    if left_out:
        told.append(f"{left_out:,} more columns are left out.")
    told.append(note({name: one for name, one in best.items() if name in grid.table.column_names}))
    if any(told):
        parts.append(saved.html_text(" ".join(told).strip()))
    ids = rows.column("run_id").to_pylist()
    stars = {name: [i for i, run_id in enumerate(ids) if run_id in one.runs] for name, one in best.items()}
    parts.append(saved.html_table(replace(grid, best=stars)))
    picture = _picture(rows, curves)
    if picture is not None:
        parts.append(saved.html_picture(picture))
    return saved.html_page(title, parts)


def _picture(rows: pa.Table, curves: Curves) -> saved.Picture | None:
    """Draw the first metric that has steps, else the first that has intervals."""
    for key, (series, names) in curves.items():
        figure = figures.curves(series, names, key)
        alt = f"{saved.named(key, 60)} against step for {len(figure['data'])} runs: {figures.describe(figure)}"
        return saved.Picture(f"{saved.named(key, 60)} by step", figure, alt)
    for metric, (low, high) in _ends(rows).items():
        key = metric.removeprefix("metrics.")
        parts = {"label": "name", "value": metric, "low": low, "high": high}
        dots = [{part: row[column] for part, column in parts.items()} for row in rows.slice(0, 20).to_pylist()]
        said = "; ".join(map(figures.told, dots))
        return saved.Picture(key, figures.estimates(dots, key), f"{saved.named(key, 60)}: {said}", 110 + 34 * len(dots))
    return None


def _text(project: Mapping[str, Any], kept: pa.Table) -> str:
    title = saved.named(str(project.get("name") or "Runs"), 80)
    head = f"{title}: {_facts(project)}"
    if kept.num_rows == 0:
        return f"{head}\nNo runs yet."
    return f"{head}\n{saved.Page('', [_shown(_marked(kept), 7)[0]])}".rstrip()
