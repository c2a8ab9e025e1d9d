"""Print what intervals and evaluations cost beside scikit-learn and scipy, in one run. Decides nothing.

``python -m tests.benchmarks.harness`` from the top of a checkout; ``--quick`` leaves out a million rows.
Every measurement is made in a process of its own, with one thread, so that its memory can be told.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

COMMON = """
import json, resource, statistics, sys, threading, time
import numpy as np
from evalharness import evaluate, intervals
from evalharness.resample import Plan

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def measured(work):
    "Return seconds, the result, and by how many MB the process grew at most."
    before = peak = resident()
    done = []
    def watch():
        nonlocal peak
        while not done:
            peak = max(peak, resident())
            time.sleep(0.005)
    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        result = work()
    finally:
        seconds = time.perf_counter() - began
        done.append(True)
        watcher.join()
    return seconds, result, peak - before

n = int(sys.argv[1])
rng = np.random.default_rng(7)
p = rng.beta(2, 3, n)
y = (rng.random(n) < p).astype(int)
"""

RATIO = (
    COMMON
    + """
from sklearn import metrics as m
NINE = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "matthews_corrcoef", "roc_auc",
        "average_precision", "log_loss")
sample = evaluate(task_type="classification", labels=y, predictions=p, config={"compute_cis": False}).sample
evaluate(task_type="classification", labels=y[:500], predictions=p[:500]).intervals
times = []
for _ in range(3 if n <= 100_000 else 1):
    seconds, found, grown = measured(lambda: intervals.replicate(sample, Plan(n, 1000, 0), NINE))
    times.append(seconds)

def loop(y, p):
    guess = p >= 0.5
    return (m.accuracy_score(y, guess), m.balanced_accuracy_score(y, guess), m.precision_score(y, guess),
            m.recall_score(y, guess), m.f1_score(y, guess), m.matthews_corrcoef(y, guess), m.roc_auc_score(y, p),
            m.average_precision_score(y, p), m.log_loss(y, p))

repeats = {1000: 40, 10_000: 15, 100_000: 5, 1_000_000: 2}[n]
loop(y[:1000], p[:1000])
first = next(iter(Plan(n, repeats, 0).draws()))[:repeats]
each, apart = [], 0.0
for r, weights in enumerate(first):
    rows = np.repeat(np.arange(n), weights)
    began = time.perf_counter()
    values = loop(y[rows], p[rows])
    each.append(time.perf_counter() - began)
    if not intervals.gathered(sample, Plan(n, 1000, 0)):
        apart = max(apart, max(abs(found.resampled[name][r] - v) for name, v in zip(NINE, values)))
ours, theirs = statistics.median(times), 1000 * statistics.median(each)
print(json.dumps({"ours": ours, "theirs": theirs, "grown": grown, "apart": apart,
                  "by": "cells" if intervals.gathered(sample, Plan(n, 1000, 0)) else "rows"}))
"""
)

SCIPY = (
    COMMON
    + """
from scipy import stats
report = evaluate(task_type="classification", labels=y, predictions=p, config={"compute_cis": False})
sample, right = report.sample, ((p >= 0.5) == y).astype(float)
ours, _, grown = measured(lambda: intervals.replicate(sample, Plan(n, 1000, 0)))
theirs, _, theirs_grown = measured(
    lambda: stats.bootstrap((right,), np.mean, n_resamples=1000, method="percentile", vectorized=True))
print(json.dumps({"ours": ours, "theirs": theirs, "grown": grown, "theirs_grown": theirs_grown,
                  "metrics": len(intervals.replicate(sample, Plan(n, 100, 0)).resampled)}))
"""
)

EVALUATE = (
    COMMON
    + """
import pandas as pd
data = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(14)})
for i in range(4):
    data[f"kind{i}"] = rng.choice(list("abcdefg"[: i + 3]), n)
data["age"] = rng.integers(18, 90, n)
data["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300 * 86400, n), unit="s")
if sys.argv[2] == "regression":
    y = 5 + 3 * p + rng.normal(size=n)
evaluate(task_type=sys.argv[2], labels=y[:300], predictions=p[:300], data=data[:300]).documents()
def work():
    report = evaluate(task_type=sys.argv[2], labels=y, predictions=p, data=data)
    report.documents()
seconds, _, grown = measured(work)
print(json.dumps({"seconds": seconds, "grown": grown, "resident": resident(),
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}))
"""
)


def run(code: str, *arguments: str) -> dict[str, float]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=env, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without a million rows")
    sizes = [1000, 10_000, 100_000] if parser.parse_args().quick else [1000, 10_000, 100_000, 1_000_000]

    print("nine metrics x 1,000 resamples against a loop over scikit-learn (its time is 1,000 medians of one resample)")
    for n in sizes:
        found = run(RATIO, str(n))
        promise = 1000 if n == 1_000_000 else 100
        ratio = found["theirs"] / found["ours"]
        same = f"values differ by at most {found['apart']:.0e}" if found["by"] == "rows" else "by cells"
        print(
            f"  {n:>9,} rows  ours {found['ours']:7.3f} s, {found['grown']:4.0f} MB"
            f"   scikit-learn {found['theirs']:9.1f} s   ratio {ratio:7.0f} (promised {promise})"
            f"{'' if ratio >= promise else '   MISSED'}"
            f"{'' if found['grown'] < 150 else '   MEMORY MISSED (150 MB)'}   {same}",
            flush=True,
        )
    print("all metrics against scipy.stats.bootstrap of accuracy alone (vectorised mean, percentile)")
    for n in sizes[:3]:
        found = run(SCIPY, str(n))
        print(
            f"  {n:>9,} rows  ours {found['ours']:7.3f} s for {found['metrics']} metrics, {found['grown']:4.0f} MB   "
            f"scipy {found['theirs']:7.3f} s for one, {found['theirs_grown']:5.0f} MB",
            flush=True,
        )
    print("evaluate without plots, 20 columns")
    for n in sizes[1:]:
        promise = {10_000: 2, 100_000: 6, 1_000_000: 20}[n]
        for task in ("classification", "regression"):
            found = run(EVALUATE, str(n), task)
            print(
                f"  {n:>9,} rows  {task:<15}{found['seconds']:7.2f} s (promised {promise})"
                f"{'' if found['seconds'] <= promise else '   MISSED'}   grew by {found['grown']:5.0f} MB, "
                f"peak {found['peak']:5.0f} MB{'' if found['peak'] < 1500 else '   MISSED (1,500)'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
