"""Print what packing, verifying and reproducing a run costs, in medians. Decides nothing.

``python -m tests.benchmarks.packs`` from the top of a checkout; ``--megabytes``, ``--packages`` and ``--repeats`` say
how much. The first pack of an environment asks an index; what it said is kept, and the others need no network.
The run of that size is made by hand. What is reproduced was recorded: a small run in this Python's own environment;
cold, every cache is empty, uv's as well.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import modellab_jupyter as ml
from modellab_jupyter.environment import capture
from modellab_jupyter.repro.pack import pack_recorded
from modellab_jupyter.repro.records import Execution
from modellab_jupyter.repro.verify import verify_pack
from tests.conftest import ROOT
from tests.repro.made import read, recorded


def distributions(count: int) -> list[dict[str, Any]]:
    """Return this Python's own distributions, this project among them, editable as in a checkout."""
    names = sorted({(one.metadata["Name"], one.version) for one in metadata.distributions() if one.metadata["Name"]})
    rows: list[dict[str, Any]] = [
        {"name": name, "version": version, "origin": {"kind": "index"}, "record": None, "editable": None}
        for name, version in names if name.lower().replace("_", "-") != "modellab-jupyter"
    ][: count - 1]  # fmt: skip
    own = {"root": str(ROOT), "commit": None, "diff_sha256": None}
    version = next((version for name, version in names if name.lower().startswith("modellab")), "0.1.0")
    return [*rows, {"name": "modellab-jupyter", "version": version, "origin": {"kind": "editable"}, "editable": own}]


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    times, made = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        made = work()
        times.append(time.perf_counter() - began)
    return statistics.median(times), made


RUN = """
import random
import numpy as np
import modellab_jupyter as ml
with ml.start_run("small"):
    ml.log_metrics({"draw": random.random(), "normal": float(np.random.default_rng().normal())})
"""


def reproduced(folder: Path, repeats: int) -> None:
    """Print the times of a recorded run that is packed and comes back, with empty caches and with full ones."""
    (folder / "own").mkdir()
    (folder / "own" / "train.py").write_text(RUN)
    subprocess.run(
        [sys.executable, "train.py"], cwd=folder / "own", check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    os.chdir(folder / "own")
    first, pack = timed(lambda: ml.repro_pack("small", folder / "small.zip"), 1)
    again, pack = timed(lambda: ml.repro_pack("small", folder / "small.zip"), repeats)
    print(f"{'pack a recorded run, first (< 3 s)':<34}{first:8.2f} s, {len(pack.caveats)} caveats")
    print(f"{'pack a recorded run (< 3 s)':<34}{again:8.2f} s")
    os.environ["XDG_CACHE_HOME"], os.environ["UV_CACHE_DIR"] = str(folder / "empty"), str(folder / "uv")
    cold, verdict = timed(lambda: ml.reproduce(pack.path, yes=True), 1)
    warm, again = timed(lambda: ml.reproduce(pack.path, yes=True), repeats)
    for what, seconds, promised, one in (("cold", cold, 60, verdict), ("warm", warm, 15, again)):
        parts = ", ".join(f"{name} {spent:.1f} s" for name, spent in one.seconds.items())
        print(f"{f'reproduce, {what} (promised < {promised} s)':<34}{seconds:8.2f} s, {one.conclusion}; {parts}")


def main() -> None:
    """Print one line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--packages", type=int, default=50)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        rng = random.Random(0)
        rows = "".join(
            f"{rng.random()},{rng.random()},{rng.randrange(1000)},word{i}\n" for i in range(100_000)
        ).encode()
        made = recorded(folder / "nb")
        files = [
            read(folder / "nb", "rows.csv", (rows * (args.megabytes // 5 + 1))[: args.megabytes * 500_000]),
            read(folder / "nb", "rows.parquet", rng.randbytes(args.megabytes * 500_000)),
        ]
        source = "model = RandomForestClassifier(n_estimators=300, random_state=0)\nmodel.fit(X_train, y_train)\n" * 5
        executions = tuple(Execution(i, "s", f"# cell {i}\n{source}", "ok", f"c{i}", i) for i in range(args.cells))
        surroundings = {**capture(), "distributions": distributions(args.packages)}
        run = replace(made, files=tuple(files), executions=executions, environment=surroundings)
        print(f"{args.packages} packages, {args.megabytes} MB of data in 2 files, {args.cells} cells")
        first, _ = timed(lambda: pack_recorded(run, folder / "a.zip"), 1)
        again, pack = timed(lambda: pack_recorded(run, folder / "a.zip"), args.repeats)
        checked, verdict = timed(lambda: verify_pack(pack.path), args.repeats)
        print(f"{'first pack, asking an index (< 3 s)':<36}{first:6.2f} s")
        print(f"{'pack (promised < 3 s)':<34}{again:8.2f} s")
        print(f"{'its size':<34}{pack.size / 1e6:8.1f} MB in {len(pack.members)} files, {len(pack.caveats)} caveats")
        print(f"{'verify':<34}{checked:8.2f} s, {verdict.conclusion}")
        reproduced(folder, args.repeats)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
