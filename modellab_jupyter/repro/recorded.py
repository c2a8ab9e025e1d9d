"""All that the store knows of a run, as one value; what a pack holds is made of it."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

from modellab_jupyter import randomness, session
from modellab_jupyter.errors import DamagedError, InputError, NotFoundError
from modellab_jupyter.repro.records import (
    Draw,
    Execution,
    FileRead,
    Git,
    RandomState,
    Recorded,
    Seed,
)
from modellab_jupyter.store import Store, queries

_SEEDS = {
    "seed", "default_rng", "manual_seed", "manual_seed_all", "set_seed", "seed_everything", "set_random_seed",
    "RandomState", "Random", "SeedSequence", "PRNGKey", "PCG64", "MT19937", "Philox", "SFC64",
}  # fmt: skip
_KEYWORDS = {"random_state", "seed", "random_seed", "data_seed", "bagging_seed", "subsample_seed"}


def recorded(run: str) -> Recorded:
    """Return what was recorded of a run while it ran.

    Parameters
    ----------
    run : str
        Its id or name.

    Raises
    ------
    NotFoundError
        The store has no such run.
    InputError
        It has not ended: a process records it still.
    """
    owner = session.current()
    owner.found()  # what this process captured may still be on its way
    store = owner.store
    run_id = store.resolve("run", run)
    one = store.run(run_id)
    if one["status"] == "running":
        raise InputError(f"run {one['name'] or run_id!r} is still being recorded; end it first, or give another run.")
    around = store.read(queries.surroundings, run_id)
    folder = around["folder"] or _folder(around)
    executions, orders = _executions(store.read(queries.executions, run_id))
    states, draws = store.read(queries.randomness, run_id)

    def where(row: dict[str, Any]) -> int:
        return orders.get((row["session_id"], row["position"]), 0)

    files, modules = _files(store.read(queries.files_read, run_id), orders, folder, one["datasets"])
    environment = _environment(one["environment"] or {}, around)
    installed = environment["distributions"]
    modules = {path: digest for path, digest in modules.items() if not _is_packaged(path, folder, installed)}
    return Recorded(
        run={
            "run_id": run_id,
            **{
                name: one[name]
                for name in ("name", "project", "status", "duration", "seed", "seeded", "tags", "note", "error")
            },
            "started_at": _iso(one["started_at"]),
            "place": around["place"],
        },
        folder=folder,
        notebook=around["notebook"],
        script=around["script"],
        executions=executions,
        random=tuple(_states(states, orders)),
        draws=tuple(Draw(where(row), row["source"], row["value"]) for row in draws),
        files=files,
        environment=environment,
        git=_git(around, store),
        params=one["params"],
        metrics=_metrics(store, run_id, one),
        modules=tuple(modules),
        evaluations=tuple(
            str(store.folder(row["folder"]))
            for row in reversed(store.read(queries.evaluations, run_ids=[run_id]).to_pylist())
        ),
        datasets=tuple(one["datasets"]),
        seeds=tuple(_seeds(executions, one["seed"])),
        module_digests=modules,
    )


def notebook_cells(known: Recorded) -> list[tuple[str | None, str]] | None:
    """Return id and source of the code cells of a run's notebook as it is saved, None where it cannot be read."""
    path = notebook_path(known)
    if path is None:
        return None
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        return [
            (cell.get("id"), cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"]))
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def notebook_path(known: Recorded) -> Path | None:
    """Return where a run's notebook lies, None where nobody knows or it is gone."""
    if known.notebook is None:
        return None
    given = Path(known.notebook)
    places = [given] if given.is_absolute() else [Path(known.folder) / given, Path(known.folder) / given.name]
    return next((place for place in places if place.is_file()), None)


def _states(rows: Sequence[dict[str, Any]], orders: dict[tuple[str, int], int]) -> Iterator[RandomState]:
    """Yield the states, each with its words; a row without any has those of the row before."""
    last: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {}
    for row in rows:
        kernel = row["session_id"]
        if row["python"] is not None:
            last[kernel] = randomness.state(row["python"]), randomness.numpy_state(row["numpy"])
        if kernel in last:
            yield RandomState(row["moment"], orders.get((kernel, row["position"]), 0), *last[kernel])


def _executions(rows: Sequence[dict[str, Any]]) -> tuple[tuple[Execution, ...], dict[tuple[str, int], int]]:
    orders = {(row["session_id"], row["position"]): order for order, row in enumerate(rows)}
    return tuple(
        Execution(
            order=order, session=row["session_id"], source=row["source"], outcome=row["outcome"],
            cell_id=row["cell_id"], execution_count=row["execution_count"], error=row["error"],
            duration=row["duration"], hidden=row["hidden"],
            parent=None if row["parent"] is None else orders.get((row["session_id"], row["parent"])),
        )
        for order, row in enumerate(rows)
    ), orders  # fmt: skip


def _files(
    rows: Sequence[dict[str, Any]],
    orders: dict[tuple[str, int], int],
    folder: str,
    datasets: Sequence[dict[str, Any]],
) -> tuple[tuple[FileRead, ...], dict[str, str | None]]:
    """Return the files by path and content, each once, and the modules with their digests."""
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    modules: dict[str, str | None] = {}
    for row in rows:
        if row["found_by"] == "import":
            modules[row["path"]] = row["digest"]
            continue
        key = (row["path"], row["digest"])
        known = found.setdefault(key, {**row, "orders": set()})
        if known["found_by"] == "named" or row["made"] < known["made"]:  # who read it says more than who named it
            known |= {"found_by": row["found_by"], "made": row["made"]}
        if (row["session_id"], row["position"]) in orders:
            known["orders"].add(orders[row["session_id"], row["position"]])
    versions = {one["digest"]: one for one in datasets}
    return tuple(
        FileRead(
            path=_relative(path, folder), digest=digest, size=row["size"], found_by=row["found_by"],
            orders=tuple(sorted(row["orders"])), made=row["made"],
            dataset={name: versions[digest][name] for name in ("dataset_id", "name", "version")}
            if digest in versions else None,
        )
        for (path, digest), row in sorted(found.items(), key=lambda one: (one[0][0], one[1]["modified"]))
    ), dict(sorted(modules.items()))  # fmt: skip


def _relative(path: str, folder: str) -> str:
    given = Path(path)
    return given.relative_to(folder).as_posix() if given.is_relative_to(folder) else given.as_posix()


def _environment(content: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    details = around["details"]
    states = {one["root"]: one for one in details.get("editable", [])}
    distributions = [
        {**one, "editable": one["editable"] and {**one["editable"], **states.get(one["editable"]["root"], {})}}
        for one in around["distributions"]
    ]
    return {**content, "distributions": distributions, "hardware": details.get("hardware", {})}


def _is_packaged(path: str, folder: str, distributions: Sequence[dict[str, Any]]) -> bool:
    """Tell whether a module belongs to an editable package, unless the run's own folder lies around it as well."""
    roots = [one["editable"]["root"] for one in distributions if one["editable"]]
    inside = any(Path(path).is_relative_to(root) for root in roots)
    return inside and not Path(path).is_relative_to(folder)


def _git(around: dict[str, Any], store: Store) -> Git | None:
    if around["git_commit"] is None:
        return None
    known, diff = around["details"].get("git", {}), None
    if around["git_diff"] is not None:
        try:
            diff = store.blobs.get(around["git_diff"])
        except (DamagedError, NotFoundError):  # it is told by the level that lacks it
            diff = None
    return Git(around["git_commit"], bool(around["git_dirty"]), known.get("remote"), known.get("root"), diff)


def _metrics(store: Store, run_id: str, one: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in store.series([run_id]).to_pylist():
        series = found.setdefault(row["key"], {"last": None, "series": {"steps": [], "values": []}})["series"]
        series["steps"].append(row["step"])
        series["values"].append(row["value"])
    for name, value in one["metrics"].items():
        found.setdefault(name, {"last": value, "series": {"steps": [], "values": []}})["last"] = value
    for name, metric in found.items():
        if metric["last"] is None and metric["series"]["values"]:
            metric["last"] = metric["series"]["values"][-1]
        if name in one["intervals"]:
            metric.update(one["intervals"][name])
    return dict(sorted(found.items()))


def _folder(around: dict[str, Any]) -> str:
    """Return a folder for a run whose own was never recorded: that of its notebook or script."""
    path = around["notebook"] or around["script"]
    return os.path.dirname(path) if path and os.path.isabs(path) else os.getcwd()  # noqa: PTH109, PTH117, PTH120


def _iso(at: Any) -> str | None:
    if at is None:
        return None
    return str((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat())


def _seeds(executions: Sequence[Execution], seed: int | None) -> Iterator[Seed]:
    """Yield the seeds that cells set, as their source says them, and the one that the run was started with."""
    for run in executions:
        try:
            tree = ast.parse(run.source)
        except (SyntaxError, ValueError):
            try:
                from modellab_jupyter.cells import plain

                tree = ast.parse(plain(run.source))
            except (SyntaxError, ValueError):
                continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            call = ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""
            name = call.rpartition(".")[2]
            if name in _SEEDS and node.args:
                yield Seed(run.order, call, ast.unparse(node.args[0]))
            for keyword in node.keywords:
                if keyword.arg in _KEYWORDS and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is None
                ):
                    yield Seed(run.order, f"{call}({keyword.arg}=)", ast.unparse(keyword.value))
    if seed is not None and not executions:
        yield Seed(0, "start_run(seed=)", str(seed))
