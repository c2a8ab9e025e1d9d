"""Print what the store costs: medians, measured side by side in one run, other trackers' too. Decides nothing.

``python -m tests.benchmarks.store`` from the top of a checkout. ``--quick`` repeats less often; ``--scale`` also fills
one file with 20,000 runs and 20 M points and one with 100,000 runs (minutes); ``--peers`` installs MLflow and trackio
into an environment that is thrown away. Where they can be imported they are measured without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.benchmarks.core import FIRST, IMPORT, LOG, QUERYABLE, ROOT, TABLE, measured, median, show

PEERS = ("mlflow", "trackio")

FILL = """
import json, os, random, sys, time
from pathlib import Path
from modellab_jupyter import schema
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store
RUNS, KEYS, STEPS, BATCH = ARGUMENTS
store = Store(Path("modellab.duckdb"), Path("modellab.files"))
rng = random.Random(1)
now = time.time_ns() - RUNS * 10**9
ids, took = [], []
values = [{f"metric_{k}": rng.random() for k in range(KEYS)} for _ in range(1000)]
for first in range(0, RUNS, BATCH):
    journal = Journal(store.journals)
    journal.append(schema.ProjectAdded(time=now, project_id="proj_1", name="p"))
    for i in range(first, min(RUNS, first + BATCH)):
        at = now + i * 10**9
        ids.append(schema.new_id("run"))
        journal.append(schema.RunStarted(
            time=at, run_id=ids[-1], project_id="proj_1", name=f"r{i}", host="h", pid=1, started=1.0, session_id="s"))
        params = {f"param_{k}": json.dumps(rng.choice([1, 2, 3, "rf"])) for k in range(10)}
        journal.append(schema.ParamsLogged(time=at, run_id=ids[-1], params=params))
        for step in range(STEPS):
            journal.append(schema.MetricsLogged(
                time=at + step * 10**6, run_id=ids[-1], step=step, values=values[(i * 7 + step) % 1000]))
        journal.append(schema.RunEnded(time=at + 10**9, run_id=ids[-1], status="finished", duration=1.0))
    journal.close()
    a = time.perf_counter(); store.ingest(); took.append(time.perf_counter() - a)
"""

SCALE = (
    FILL
    + """
time.sleep(0.2)
def typical(call, n=7, again=False):
    taken = []
    for i in range(n):
        if not again:
            store._kept.__init__()  # forgets what was read before
        a = time.perf_counter(); call(i); taken.append(time.perf_counter() - a)
    return sorted(taken)[n // 2]
typical(lambda i: store.runs(limit=1), 2)
one = Journal(store.journals)
one.append(schema.MetricsLogged(time=now + RUNS * 10**9, run_id=ids[-1], step=STEPS, values=values[0]))
one.close()
a = time.perf_counter(); store.ingest(); small = time.perf_counter() - a
time.sleep(0.2)
where = "metrics.metric_3 > 0.5 AND params.param_1 = 'rf' AND NOT tags.draft"
first = typical(lambda i: store.series([ids[(i * 37 + 11) % RUNS]], "metric_3"))
print(json.dumps({
    "table": typical(lambda i: store.runs()), "top": typical(lambda i: store.runs(limit=20)),
    "best": typical(lambda i: store.runs(order_by="metrics.metric_3 desc", limit=20)),
    "where": typical(lambda i: store.runs(where=where, limit=20)),
    "series": typical(lambda i: store.series([ids[RUNS // 2]], "metric_3"), again=True), "first": first,
    "run": typical(lambda i: store.run(ids[RUNS // 2])), "last_ingest": small,
    "batches": sum(took), "points": RUNS * KEYS * STEPS, "size": os.path.getsize("modellab.duckdb")}))
"""
)

MILLION = """
import json, time
from pathlib import Path
from modellab_jupyter import schema
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store
store = Store(Path("modellab.duckdb"), Path("modellab.files"))
journal = Journal(store.journals)
for step in range(1_000_000):
    value = (step * 7919) % 10007
    journal.append(schema.MetricsLogged(time=step * 10**6, run_id="run_1", step=step, values={"m": value}))
journal.close()
store.ingest()
taken = []
for points in range(1000, 1005):
    store._kept.__init__()
    a = time.perf_counter(); store.series(["run_1"], "m", points); taken.append(time.perf_counter() - a)
print(json.dumps({"reduced": sorted(taken)[2]}))
"""

MLFLOW = """
import json, os, random, time
a = time.perf_counter()
import mlflow
from mlflow.tracking import MlflowClient
from mlflow.entities import Metric, Param
imported = time.perf_counter() - a
a = time.perf_counter()
mlflow.set_tracking_uri("sqlite:///first.db")
mlflow.set_experiment("p")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5)
    cold = time.perf_counter() - a
rng = random.Random(1)
names = ["train_loss", "val_loss", "accuracy", "roc_auc", "lr"]
taken, STEPS = [], 1000
a = time.perf_counter()
with mlflow.start_run() as run:
    for step in range(STEPS):
        b = time.perf_counter()
        mlflow.log_metrics({k: rng.random() for k in names}, step=step)
        taken.append(time.perf_counter() - b)
many = time.perf_counter() - a
mlflow.set_tracking_uri("sqlite:///runs.db")
experiment = mlflow.set_experiment("p").experiment_id
client = MlflowClient()
for i in range(RUNS):
    one = client.create_run(experiment, run_name=f"r{i}")
    metrics = [Metric(f"metric_{k}", rng.random(), 1, s) for k in range(10) for s in range(10)]
    client.log_batch(one.info.run_id, metrics=metrics, params=[Param(f"p{k}", str(k)) for k in range(10)])
def typical(call, n=5):
    taken = []
    for _ in range(n):
        a = time.perf_counter(); call(); taken.append(time.perf_counter() - a)
    return sorted(taken)[n // 2]
assert len(mlflow.search_runs([experiment], max_results=RUNS)) == RUNS
print(json.dumps({"import": imported, "cold": cold, "log": sorted(taken)[STEPS // 2], "many": many * 10000 / STEPS,
    "table": typical(lambda: mlflow.search_runs([experiment], max_results=RUNS)),
    "top": typical(lambda: mlflow.search_runs([experiment], order_by=["metrics.metric_3 DESC"], max_results=20)),
    "series": typical(lambda: client.get_metric_history(one.info.run_id, "metric_3")),
    "size": os.path.getsize("runs.db")}))
"""

# Its Api has runs with their params and no metrics; `trackio get metric` reads a series as it is done here.
TRACKIO = """
import json, os, random, time
from pathlib import Path
os.environ["TRACKIO_DIR"] = os.path.abspath("trackio")
a = time.perf_counter()
import trackio
imported = time.perf_counter() - a
from trackio.sqlite_storage import SQLiteStorage
rng = random.Random(1)
names = ["train_loss", "val_loss", "accuracy", "roc_auc", "lr"]
a = time.perf_counter()
trackio.init(project="p", name="first")
trackio.log({"loss": 0.5})
cold = time.perf_counter() - a
trackio.finish()
trackio.init(project="many", name="many")
taken = []
a = time.perf_counter()
for step in range(10000):
    row = {k: rng.random() for k in names}
    b = time.perf_counter()
    trackio.log(row)
    taken.append(time.perf_counter() - b)
trackio.finish()
many = time.perf_counter() - a
for i in range(RUNS):
    trackio.init(project="runs", name=f"r{i}", config={f"p{k}": str(k) for k in range(10)})
    for step in range(10):
        trackio.log({f"metric_{k}": rng.random() for k in range(10)}, step=step)
    trackio.finish()
def typical(call, n=5):
    taken = []
    for _ in range(n):
        a = time.perf_counter(); call(); taken.append(time.perf_counter() - a)
    return sorted(taken)[n // 2]
assert len(trackio.Api().runs("runs")) == RUNS
assert len(SQLiteStorage.get_metric_values("many", "many", "lr")) == 10000
def size(project):
    return sum(file.stat().st_size for file in Path("trackio").glob(f"{project}.db*"))
print(json.dumps({"import": imported, "cold": cold, "log": sorted(taken)[5000], "many": many,
    "table": None, "top": None,
    "bare": typical(lambda: [(run.name, run.config) for run in trackio.Api().runs("runs")]),
    "series": typical(lambda: SQLiteStorage.get_metric_values("runs", f"r{RUNS // 2}", "metric_3")),
    "one": size("many"), "size": size("runs")}))
"""


def own(n: int, runs: int) -> dict[str, float]:
    """Measure and print ours, the table of as many runs as others get; return what they are compared with."""
    first, log, many = measured(FIRST, n), measured(LOG, n), measured("import numpy\n" + QUERYABLE, n)
    warm = measured("import duckdb, pandas, pyarrow\n" + QUERYABLE, n)
    table = TABLE.replace("range(1000)", f"range({runs})")
    small, wide, million = (measured(code, 1) for code in (table, scaled(20_000, 10, 1, 5000), MILLION))
    imported = median(measured(IMPORT, n), "package")
    promised = runs == 1000
    show("import modellab_jupyter, over bare Python", imported * 1e3, "ms", 100)
    show("start_run and first metric, fresh process", median(first, "cold") * 1e3, "ms", 30)
    kernel = measured("import IPython.core.interactiveshell, ipykernel.kernelapp\n" + FIRST, n)
    show("start_run and first metric, as in a kernel", median(kernel, "cold") * 1e3, "ms", 30)
    show("end of the first run, with DuckDB's import", median(first, "first_end") * 1e3, "ms", 200)
    show("end of a later run", median(first, "end") * 1e3, "ms", 200)
    show("log_metrics of 5 values", median(log, "log") * 1e6, "us", 5)
    ended, whole = median(many, "log") + median(many, "end"), median(many, "process")
    print("10,000 x 5 values until a new process can query them")
    show("  as written: Python and DuckDB start in both", (ended + whole) * 1e3, "ms", 300)
    show("  of these: logging and ending", ended * 1e3, "ms", None)
    show("  of these: the new process, its start and imports", whole * 1e3, "ms", None)
    ended_warm = median(warm, "log") + median(warm, "end")
    show("  without any start or import", (ended_warm + median(warm, "query")) * 1e3, "ms", 300)
    show("  of these: logging and ending", ended_warm * 1e3, "ms", None)
    show("file of one run, 50,000 scalars", median(many, "size") / 1e6, "MB", 1.0)
    show("opening and closing the file", median(small, "open") * 1e3, "ms", None)
    show(f"runs table of {runs:,} runs", median(small, "table") * 1e3, "ms", 25 if promised else None)
    show(f"top 20 of {runs:,} runs", median(small, "top") * 1e3, "ms", 8 if promised else None)
    show(f"top 20 of {runs:,} runs, read before", median(small, "again") * 1e3, "ms", 8 if promised else None)
    show(f"top 20 of {runs:,} runs by a metric", median(small, "best") * 1e3, "ms", 8 if promised else None)
    show(f"file of {runs:,} runs, {runs * 100:,} scalars", median(small, "size") / 1e6, "MB", 3.0 if promised else None)
    show(f"one series of {runs:,} runs, read for the first time", median(small, "series") * 1e3, "ms", 2)
    show("runs table of 20,000 runs", median(wide, "table") * 1e3, "ms", 120)
    show("top 20 of 20,000 runs by a metric", median(wide, "best") * 1e3, "ms", 8)
    show("20 of 20,000 runs by a filter", median(wide, "where") * 1e3, "ms", None)
    show("one series, read before", median(wide, "series") * 1e3, "ms", 2)
    show("one series, read for the first time", median(wide, "first") * 1e3, "ms", 2)
    show("a series of 1 M points, extremes kept", median(million, "reduced") * 1e3, "ms", 300)
    return {
        "cold": median(first, "cold"), "log": median(log, "log"), "many": ended, "table": median(small, "table"),
        "bare": median(small, "table"), "top": median(small, "best"), "series": median(small, "series"),
        "size": median(small, "size"), "one": median(many, "size"), "import": imported,
    }  # fmt: skip


def scaled(runs: int, keys: int, steps: int, batch: int) -> str:
    return SCALE.replace("ARGUMENTS", repr((runs, keys, steps, batch)))


def scale() -> None:
    """Fill large stores and print what reading them takes."""
    for runs, keys, steps in ((20_000, 10, 100), (100_000, 10, 1)):
        row = measured(scaled(runs, keys, steps, 500 if steps > 1 else 5000), 1)[0]
        what = f"{runs:,} runs, {row['points'] / 1e6:g} M points:"
        promised = runs == 20_000
        show(f"{what} taking in", row["batches"], "s", None)
        show(f"{what} ingest of one more value", row["last_ingest"] * 1e3, "ms", 200)
        show(f"{what} runs table", row["table"] * 1e3, "ms", 120 if promised else None)
        show(f"{what} top 20", row["top"] * 1e3, "ms", 8 if promised else None)
        show(f"{what} top 20 by a metric", row["best"] * 1e3, "ms", 8 if promised else None)
        show(f"{what} 20 by a filter", row["where"] * 1e3, "ms", None)
        show(f"{what} one run", row["run"] * 1e3, "ms", None)
        show(f"{what} one series, first", row["first"] * 1e3, "ms", 2 if promised else None)
        show(f"{what} file", row["size"] / 1e6, "MB", None)


def peers(python: str, ours: dict[str, float], runs: int) -> None:
    """Print the same of other trackers, as ratios to ours, and what one of them has no way to do."""
    words = {"import": "import", "cold": "first metric", "log": "log call of 5 values",
             "many": "10,000 x 5 values, logged and ended", "table": f"runs table of {runs:,} runs",
             "bare": f"params alone of {runs:,} runs, ours the table", "top": f"top 20 of {runs:,} by a metric",
             "series": "one series", "one": "file of one run, 50,000 scalars",
             "size": f"file of {runs:,} runs, {runs * 100:,} scalars"}  # fmt: skip
    for name, code in zip(PEERS, (MLFLOW, TRACKIO), strict=True):
        if subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode:
            print(f"{name} cannot be imported; --peers installs it for this run.")
            continue
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [python, "-c", code.replace("RUNS", str(runs))],
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            print(f"{name} failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no word'}")
            continue
        row = json.loads(done.stdout.strip().splitlines()[-1])
        for key, figure in row.items():
            if figure is None:
                print(f"{name}: {words[key]}: it has no way")
                continue
            unit, factor = ("MB", 1e-6) if key in {"one", "size"} else ("ms", 1e3)
            show(f"{name}: {words[key]}", figure * factor, unit, None, f"{figure / ours[key]:.3g} x ours")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="repeat less often")
    parser.add_argument("--scale", action="store_true", help="also 20 M points, and 100,000 runs")
    parser.add_argument("--peers", action="store_true", help="install MLflow and trackio for this run")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the other trackers")
    given = parser.parse_args()
    runs = 200 if given.quick else 1000
    ours = own(1 if given.quick else 5, runs)
    if given.scale:
        scale()
    if not given.peers:
        if given.python != sys.executable or any(importlib.util.find_spec(name) for name in PEERS):
            peers(given.python, ours, runs)
        return
    with tempfile.TemporaryDirectory() as folder:
        uv = shutil.which("uv")
        venv.create(folder, with_pip=uv is None)
        python = str(Path(folder) / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
        install = [uv, "pip", "install", "-q", "--python", python] if uv else [python, "-m", "pip", "install", "-q"]
        subprocess.run([*install, *PEERS], check=True, cwd=ROOT)
        peers(python, ours, runs)


if __name__ == "__main__":
    main()
