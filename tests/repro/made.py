"""Runs as they are recorded, made by hand, with something of everything."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from modellab_jupyter.repro.records import Draw, Execution, FileRead, Git, RandomState, Recorded

PYTHON = "3.11.7"


def notebook(sources: list[str], outputs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": i + 1, "outputs": [],
         "source": source.splitlines(keepends=True)} for i, source in enumerate(sources)
    ]  # fmt: skip
    cells[-1]["outputs"] = outputs or []
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def read(folder: Path, path: str, data: bytes, **more: Any) -> FileRead:
    """Write a data file and return what was recorded of it."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return FileRead(path, hashlib.sha256(data).hexdigest(), len(data), "open", (0,), **more)


def environment(*distributions: dict[str, Any]) -> dict[str, Any]:
    return {
        "python": PYTHON, "implementation": "CPython", "platform": "Linux-6.1.0-x86_64-with-glibc2.36",
        "machine": "x86_64", "processors": 4, "variables": {"TZ": "UTC", "LANG": "C.UTF-8"},
        "distributions": list(distributions), "packages": {},
    }  # fmt: skip


def editable(folder: Path, name: str = "house-tools") -> dict[str, Any]:
    """Make a project that is installed editable, and return what was recorded of it."""
    package = folder / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def half(x):\n    return x / 2\n")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"\0")
    (folder / "tests").mkdir()
    (folder / "tests" / "__init__.py").write_text("")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\n[project.scripts]\nhalf = "house_tools:half"\n'
    )
    return {
        "name": name, "version": "0.3.0", "origin": {"kind": "editable", "url": folder.as_uri()}, "record": None,
        "editable": {"root": str(folder), "commit": None, "diff_sha256": None},
    }  # fmt: skip


def recorded(folder: Path, **changes: Any) -> Recorded:
    """Return a run of a notebook in a folder, with the files that it needs written there."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = ["import pandas as pd\nfrom helpers import half", "%time frame = pd.read_csv('data/rows.csv')", "1 / 0",
               "frame.x.mean()"]  # fmt: skip
    (folder / "work.ipynb").write_text(json.dumps(notebook(sources)))
    (folder / "helpers.py").write_text("def half(x):\n    return x / 2\n")
    judged = folder / "eval"
    judged.mkdir(exist_ok=True)
    (judged / "metrics.json").write_text('{"accuracy": 0.5}\n')
    (judged / "takeaway.txt").write_text("It is so.\n")
    files = [
        read(folder, "data/rows.csv", b"x,y\n" + b"1,2\n" * 50, dataset={"id": "ds_1", "name": "rows", "version": 1}),
        read(folder, "data/more.bin", bytes(range(256)) * 4),
        FileRead("gone.csv", None, 12, "named"),
    ]
    run = {
        "run_id": "run_1", "name": "rf 300", "project": "churn", "status": "completed",
        "started_at": "2024-03-01T10:00:00+00:00", "duration": 12.5, "seed": 42, "tags": {"author": "Ada Lovelace"},
        "note": "the first", "error": None,
    }  # fmt: skip
    states = RandomState("load", 0, {"version": 3, "state": [1, 2, 3], "gauss": None}, None)
    made = Recorded(
        run=run, folder=str(folder), notebook="work.ipynb", script=None,
        executions=(
            Execution(0, "s", sources[0], "ok", "c0", 1, duration=0.1),
            Execution(1, "s", sources[1], "ok", "c1", 2, duration=0.2),
            Execution(2, "s", "frame = None", "ok", None, None, parent=1, hidden=True),
            Execution(3, "s", sources[2], "error", "c1", 3, error="ZeroDivisionError"),
            Execution(4, "s", sources[3], "ok", None, 4),
        ),
        random=(states,), draws=(Draw(1, "numpy", "ab" * 16),), files=tuple(files),
        environment=environment(editable(folder / "tools")) if not (folder / "tools").exists() else environment(),
        git=Git("0123456789" * 4, True, "https://git.example.org/a/b.git", str(folder), b"--- a/x\n+++ b/x\n+1\n"),
        params={"depth": 3, "rate": float("nan")},
        metrics={"accuracy": {"last": 0.5, "series": {"steps": [0, 1], "values": [0.4, float("inf")]}, "low": None,
                              "high": None, "n": 40}},
        modules=(str(folder / "helpers.py"),), evaluations=(str(judged),),
    )  # fmt: skip
    return replace(made, **changes)


def main() -> None:
    """Pack the run of a folder that is there and print the id, for another interpreter."""
    from modellab_jupyter.repro.pack import pack_recorded

    folder = Path(sys.argv[1])
    tools = {
        "name": "house-tools", "version": "0.3.0", "origin": {"kind": "editable"}, "record": None,
        "editable": {"root": str(folder / "tools"), "commit": None, "diff_sha256": None},
    }  # fmt: skip
    pack = pack_recorded(recorded(folder, environment=environment(tools)), sys.argv[2])
    print(pack.id, platform.python_version())


if __name__ == "__main__":
    main()
