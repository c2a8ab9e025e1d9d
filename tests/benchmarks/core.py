"""Print what the tracker costs: medians and ratios, measured side by side in one run. Decides nothing.

``python -m tests.benchmarks.core`` from the top of a checkout; ``--quick`` repeats less often.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
VALUES = {"train_loss": 0.1234567, "val_loss": 0.2345678, "accuracy": 0.9123456, "roc_auc": 0.9456789, "lr": 0.0012345}


def python(code: str, folder: Path) -> str:
    """Run Python in a folder and return what it printed."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=env, check=True, capture_output=True, text=True
    ).stdout


def measured(code: str, repeats: int) -> list[dict[str, float]]:
    """Run a program, each time in an empty folder; it prints one JSON object of seconds."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            found.append(json.loads(python(code, Path(folder)).splitlines()[-1]))
    return found


def median(rows: list[dict[str, float]], key: str) -> float:
    return statistics.median(row[key] for row in rows)


def show(what: str, figure: float, unit: str, promise: float | None, note: str = "") -> None:
    verdict = "" if promise is None else f"promised {promise:g} {unit}{'' if figure <= promise else '   MISSED'}"
    print(f"{what:<58}{figure:>10.3f} {unit:<3} {verdict:<28}{note}", flush=True)


IMPORT = """
import json, subprocess, sys, time
def cost(code):
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began
bare, ours, harness = cost("pass"), cost("import modellab_jupyter"), cost("import evalharness")
print(json.dumps({"package": ours - bare, "harness": harness - bare, "bare": bare}))
"""

FIRST = """
import json, time
began = time.perf_counter()
import modellab_jupyter as ml
imported = time.perf_counter()
run = ml.start_run("first")
ml.log_metrics({"loss": 0.5})
cold = time.perf_counter()
run.end()
first_end = time.perf_counter()
ends, starts = [], []
for _ in range(5):
    a = time.perf_counter()
    run = ml.start_run("next")
    ml.log_metrics({"loss": 0.5})
    starts.append(time.perf_counter() - a)
    time.sleep(0.5)
    a = time.perf_counter()
    run.end()
    ends.append(time.perf_counter() - a)
print(json.dumps({
    "cold": cold - imported, "warm": sorted(starts)[2], "first_end": first_end - cold, "end": sorted(ends)[2],
}))
"""

LOG = """
import gc, json, time
import modellab_jupyter as ml
values = VALUES
run = ml.start_run("log")
time.sleep(1)
run._describing.join()
file = open("reference.jsonl", "a")
clock = time.perf_counter
def many(call, n=20000):
    taken = []
    for step in range(n):
        a = clock(); call(step); taken.append(clock() - a)
    taken.sort()
    return taken[n // 2], taken[n * 99 // 100]
def reference(step):
    file.write(json.dumps({"step": step, "time": time.time(), **values}) + "\\n"); file.flush()
many(reference, 2000); many(lambda step: run.log_metrics(values, step), 2000)
ref, ours = many(reference), many(lambda step: run.log_metrics(values, step))
auto = many(lambda step: run.log_metrics(values))
run.end()
print(json.dumps({"ref": ref[0], "ref99": ref[1], "log": ours[0], "log99": ours[1], "auto": auto[0]}))
""".replace("VALUES", repr(VALUES))

KILLED = """
import sys
import modellab_jupyter as ml
run = ml.start_run("killed")
for step in range(10**9):
    run.log_metrics(VALUES, step)
    if step == 999:
        print("accepted", flush=True)
        sys.stdin.readline()
""".replace("VALUES", repr(VALUES))

QUERYABLE = """
import json, random, subprocess, sys, time, os
import modellab_jupyter as ml
rng = random.Random(1)
rows = [{k: rng.random() for k in KEYS} for _ in range(10000)]
run = ml.start_run("many")
time.sleep(0.6)
began = time.perf_counter()
for row in rows:
    run.log_metrics(row)
logged = time.perf_counter()
run.end()
ended = time.perf_counter()
code = '''
import json, time, sys
import modellab_jupyter as ml
began = time.perf_counter()
import duckdb, pandas, pyarrow
imported = time.perf_counter()
n = ml.sql("SELECT count(*) AS n FROM metrics")["n"][0]
asked = time.perf_counter()
print(json.dumps([asked - began, asked - imported, int(n)]))
'''
a = time.perf_counter()
out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
process = time.perf_counter() - a
cold, query, n = json.loads(out)
assert n == 50000, n
size = os.path.getsize("modellab.duckdb")
print(json.dumps({"log": logged - began, "end": ended - logged, "cold": cold, "query": query, "process": process,
    "size": size}))
""".replace("KEYS", repr(list(VALUES)))

TABLE = """
import json, os, random, time
from pathlib import Path
from modellab_jupyter import schema
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store
store = Store(Path("modellab.duckdb"), Path("modellab.files"))
journal = Journal(store.journals)
rng = random.Random(1)
now = time.time_ns()
journal.append(schema.ProjectAdded(time=now, project_id="proj_1", name="p"))
ids = [schema.new_id("run") for _ in range(1000)]
for i, run in enumerate(ids):
    at = now + i * 10**9
    journal.append(schema.RunStarted(
        time=at, run_id=run, project_id="proj_1", name=f"r{i}", host="h", pid=1, started=1.0, session_id="s"))
    params = {f"param_{k}": json.dumps(rng.choice([1, 2, 3, 0.5])) for k in range(10)}
    journal.append(schema.ParamsLogged(time=at, run_id=run, params=params))
    for step in range(10):
        values = {f"metric_{k}": rng.random() for k in range(10)}
        journal.append(schema.MetricsLogged(time=at + step * 10**6, run_id=run, step=step, values=values))
    journal.append(schema.RunEnded(time=at + 10**8, run_id=run, status="finished", duration=0.1))
journal.close()
a = time.perf_counter(); store.ingest(); took = time.perf_counter() - a
def best(call, n=9, again=False):
    taken = []
    for _ in range(n):
        if not again:
            store._kept.__init__()  # forgets what was read before
        a = time.perf_counter(); call(); taken.append(time.perf_counter() - a)
    return sorted(taken)[n // 2]
best(store.runs, 2)
print(json.dumps({"ingest": took, "table": best(store.runs), "top": best(lambda: store.runs(limit=20)),
    "best": best(lambda: store.runs(order_by="metrics.metric_3 desc", limit=20)),
    "series": best(lambda: store.series([ids[7]], "metric_3")),
    "again": best(lambda: store.runs(limit=20), again=True),
    "open": best(lambda: store.read(lambda con: None)),
    "size": os.path.getsize("modellab.duckdb")}))
"""


def survivors() -> int:
    """Return how many of 1,000 accepted calls a new process finds after the writer was killed."""
    with tempfile.TemporaryDirectory() as name:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        with subprocess.Popen([sys.executable, "-c", KILLED], cwd=name, env=env, stdin=pipe, stdout=pipe) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        code = "import modellab_jupyter as ml; print(len(ml.sql('SELECT DISTINCT step FROM metrics')))"
        return int(python(code, Path(name)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="repeat less often")
    n = 3 if parser.parse_args().quick else 9
    ms: Callable[[float], float] = lambda seconds: seconds * 1e3  # noqa: E731
    us: Callable[[float], float] = lambda seconds: seconds * 1e6  # noqa: E731
    rows = measured(IMPORT, 3 * n)
    show("import modellab_jupyter, over bare Python", ms(median(rows, "package")), "ms", 100)
    show("import evalharness, over bare Python", ms(median(rows, "harness")), "ms", 300)
    rows = measured(FIRST, n)
    show("start_run and first metric, fresh store and process", ms(median(rows, "cold")), "ms", 30)
    kernel = measured("import IPython.core.interactiveshell, ipykernel.kernelapp\n" + FIRST, n)
    show("start_run and first metric, fresh store and kernel", ms(median(kernel, "cold")), "ms", 30)
    show("start_run and first metric, later in the process", ms(median(rows, "warm")), "ms", 30)
    show("end of the first run, bare process: DuckDB, Arrow, NumPy load", ms(median(rows, "first_end")), "ms", 200)
    trained = measured("import numpy\n" + FIRST, n)  # as whoever trains has loaded it
    show("end of the first run where NumPy is loaded", ms(median(trained, "first_end")), "ms", 200)
    show("end of a later run", ms(median(rows, "end")), "ms", 200)
    rows = measured(LOG, n)
    ref = median(rows, "ref")
    note = f"{median(rows, 'log') / ref:.2f} x of json.dumps, write, flush: {us(ref):.1f} us"
    show("log_metrics of 5 values, median", us(median(rows, "log")), "us", 5, note)
    show(
        "log_metrics of 5 values, p99",
        us(median(rows, "log99")),
        "us",
        25,
        f"reference {us(median(rows, 'ref99')):.1f} us",
    )
    show("log_metrics of 5 values without step, median", us(median(rows, "auto")), "us", 5)
    show("of 1,000 accepted calls, there after SIGKILL", survivors(), "", None)
    rows = measured("import numpy\n" + QUERYABLE, n)
    show("10,000 x 5 values: logging", ms(median(rows, "log")), "ms", None)
    show("10,000 x 5 values: end of the run", ms(median(rows, "end")), "ms", 200)
    show("10,000 x 5 values: until others can query them", ms(median(rows, "log") + median(rows, "end")), "ms", 300)
    show("then ml.sql in a new process, with its imports", ms(median(rows, "cold")), "ms", None)
    show("file of 50,000 scalars", median(rows, "size") / 1e6, "MB", 1.0)
    rows = measured(TABLE, max(1, n // 3))
    show("1,000 runs x 10 params x 10 metrics x 10 steps: ingest", ms(median(rows, "ingest")), "ms", None)
    show("runs table of 1,000 runs, Arrow", ms(median(rows, "table")), "ms", 25)
    show("top 20 of 1,000 runs", ms(median(rows, "top")), "ms", 8)
    show("one series", ms(median(rows, "series")), "ms", 2)
    show("of each of these: opening and closing the file", ms(median(rows, "open")), "ms", None)
    show("file of 1,000 runs, 100,000 scalars", median(rows, "size") / 1e6, "MB", 3.0)


if __name__ == "__main__":
    main()
