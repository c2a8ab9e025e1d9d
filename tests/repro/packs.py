"""Packs as folders, made by hand to the formats that packs have."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

LOAD = "import modellab_jupyter as ml"
START = "run = ml.start_run('rf', project_id='p')"
END = "run.end()"


def dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=1, allow_nan=False) + "\n"


def environment(python: str | None = None, **more: Any) -> dict[str, Any]:
    import platform

    return {
        "python": python or platform.python_version(), "implementation": "CPython", "variables": {},
        "distributions": [], **more,
    }  # fmt: skip


def manifest(folder: Path) -> None:
    """Write the manifest of what lies in a folder."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix())
        if path.is_file() and path.name != "manifest.sha256"
    ]
    (folder / "manifest.sha256").write_text("".join(lines))


def metric(last: Any, values: Sequence[Any] | None = None, low: Any = None, high: Any = None) -> dict[str, Any]:
    values = [last] if values is None else list(values)
    series = {"steps": list(range(len(values))), "values": values}
    return {"last": last, "series": series, "low": low, "high": high, "n": None}


def notebook(
    sources: Sequence[str], ids: Sequence[str] | None = None, marks: Sequence[Mapping[str, Any]] | None = None
) -> str:
    cells = [
        nbformat.v4.new_code_cell(
            source,
            id=ids[place] if ids else f"c{place}",
            metadata={"modellab": dict(marks[place])} if marks else {},
        )
        for place, source in enumerate(sources)
    ]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)) + "\n"


def write(
    folder: Path,
    cells: Sequence[str] | None,
    metrics: Mapping[str, Any],
    *,
    ids: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
    saved: Sequence[str] | None = None,
    saved_ids: Sequence[str] | None = None,
    script: str | None = None,
    env: Mapping[str, Any] | None = None,
    platform: Mapping[str, Any] | None = None,
    lock: str = "",
    wheels: Sequence[Path] = (),
    data: Sequence[Mapping[str, Any]] = (),
    members: Mapping[str, bytes] | None = None,
    modules: Mapping[str, str] | None = None,
    rng: Mapping[str, Any] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Path:
    """Write a pack's folder; `metrics` are given as `metric` makes them or as the one value that was logged."""
    for name in ("code", "env", "data", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    told = {
        "run_id": "run_recorded", "name": "rf", "project": "p", "status": "finished", "seed": None,
        "started_at": "2026-01-02T03:04:05+00:00", "duration": 1.0, **(run or {}),
    }  # fmt: skip
    full = {name: value if isinstance(value, dict) else metric(value) for name, value in metrics.items()}
    (folder / "metrics.json").write_text(dumps({"run": told, "metrics": full}))
    (folder / "params.json").write_text(dumps({}))
    outcomes = outcomes or ["ok"] * len(cells or [])
    ids = ids or [f"c{place}" for place in range(len(cells or []))]
    lines = [
        json.dumps(
            {"order": place, "session": "s", "source": source, "outcome": outcomes[place].partition(":")[0],
             "cell_id": ids[place], "execution_count": place + 1, "error": outcomes[place].partition(":")[2] or None,
             "duration": 0.1, "parent": None, "hidden": False},
            sort_keys=True,
        )
        for place, source in enumerate(cells or [])
    ]  # fmt: skip
    (folder / "code" / "executions.jsonl").write_text("".join(line + "\n" for line in lines))
    if cells is not None:
        marks = [{"order": n, "outcome": outcomes[n].partition(":")[0], "hidden": False} for n in range(len(cells))]
        unique = [name if list(ids).count(name) == 1 else f"x{n:04}" for n, name in enumerate(ids)]
        (folder / "code" / "replay.ipynb").write_text(notebook(cells, unique, marks))
        saved = cells if saved is None else saved
        (folder / "code" / "study.ipynb").write_text(notebook(saved, saved_ids))
    if script is not None:
        (folder / "code" / "study.py").write_text(script)
    (folder / "env" / "environment.json").write_text(dumps(env or environment()))
    (folder / "env" / "platform.json").write_text(dumps(platform or {}))
    (folder / "env" / "requirements.lock").write_text(lock)
    for wheel in wheels:
        (folder / "env" / "wheels").mkdir(exist_ok=True)
        shutil.copy(wheel, folder / "env" / "wheels" / wheel.name)
    (folder / "data" / "index.json").write_text(dumps(list(data)))
    for name, content in (members or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name, text in (modules or {}).items():
        path = folder / "code" / "modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "state" / "rng.json").write_text(
        dumps({"seed": None, "seeded": [], "states": [], "draws": [], "seeds": [], **(rng or {})})
    )
    manifest(folder)
    return folder


def read(path: str, content: bytes, *, member: str | None = None) -> dict[str, Any]:
    """Return a line of ``data/index.json``."""
    return {
        "path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "found_by": "open",
        "orders": [1], "dataset": None, "member": member, "left_out": None if member else "larger than 1 MB",
    }  # fmt: skip
