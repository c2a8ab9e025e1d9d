"""Simulated error rates of slices: how often noise is found, planted slices are missed, and estimates are off.

`python -m tests.benchmarks.slices [RUNS]` prints them; the tests run a short version.
"""

import argparse
import re

import numpy as np
import pandas as pd

from evalharness import inputs, slices
from evalharness.schemas import Config

LETTERS = list("abcdefghij")


def world(seed, *, n=1500, planted=0, drop=0.15, good=0.85, task="classification", given="labels"):
    """Return a sample of `n` rows in which `planted` of ten categories are worse by `drop`, and the truth of each row.

    Truth is the chance of being right, or the expected absolute error: `drop` raises it from 1 to 1 + `drop` times.
    """
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({f"x{j}": rng.normal(size=n) for j in range(6)})
    frame["c"], frame["flag"] = rng.choice(LETTERS, n), rng.random(n) < 0.4
    bad = frame["c"].isin(LETTERS[:planted]).to_numpy()
    extra = {}
    if given == "groups":
        extra["groups"] = rng.integers(0, n // 5, n)
    elif given == "weights":
        extra["sample_weight"] = rng.random(n) + 0.2
    if task == "classification":
        truth = np.where(bad, good - drop, good)
        labels = rng.integers(0, 2, n)
        predictions = np.where(rng.random(n) < truth, labels, 1 - labels)
        if given == "probabilities":  # calibrated, and so telling of errors without any finding
            p = rng.beta(2, 2, n)
            labels, predictions = (rng.random(n) < p).astype(int), p
    else:
        size = np.where(bad, 1 + drop, 1.0)
        truth = size * np.sqrt(2 / np.pi)
        predictions = rng.normal(size=n)
        labels = predictions + rng.normal(size=n) * size
    sample = inputs.read(task_type=task, predictions=predictions, labels=labels, data=frame, **extra)
    return sample, truth


def _mask(frame, text):
    chosen = np.ones(len(frame), dtype=bool)
    for part in text.split(" & "):
        name, condition = part.split(" ", 1)
        values = frame[name]
        if condition.startswith("= "):
            chosen &= (values.astype(str) == condition[2:].strip("'")).to_numpy()
        else:
            low, high = -np.inf, np.inf
            numbers = [float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", condition)]
            if condition.startswith("<="):
                high = numbers[0]
            elif condition.startswith(">"):
                low = numbers[0]
            else:
                low, high = numbers
            chosen &= ((values > low) & (values <= high)).to_numpy()
    return chosen


def false_findings(runs, **kind):
    """Return the share of runs without any planted slice in which some slice is called significant."""
    return float(
        np.mean([any(r.significant for r in slices.find(world(s, **kind)[0], Config()).rows) for s in range(runs)])
    )


def winners(runs, **kind):
    """Judge the worst slice that each run finds by the truth.

    Returns
    -------
    dict
        ``found``: share of runs that find a worse slice. ``bias_seen`` and ``bias``: mean of the worst estimate, as
        seen and as corrected, less the truth of its slice (negative: made out too bad), in units of the planted
        drop. ``coverage_seen`` and ``coverage``: how often its interval holds the truth.
    """
    task, drop = kind.get("task", "classification"), kind.get("drop", 0.15)
    sign = 1 if task == "classification" else -1
    seen, anew = [], []
    for seed in range(runs):
        sample, truth = world(seed, **kind)
        overall = 1 - slices.row_losses(sample)[1].mean() if sign == 1 else slices.row_losses(sample)[1].mean()
        rows = [r for r in slices.find(sample, Config()).rows if r.significant and sign * (r.estimate - overall) < 0]
        rows = [r for r in rows if "the " not in r.feature]
        if rows:
            worst = min(rows, key=lambda r: sign * r.estimate)
            t = truth[_mask(sample.frame, worst.slice)].mean()
            seen.append((sign * (worst.estimate - t), worst.low <= t <= worst.high))
            worst = min(rows, key=lambda r: sign * r.adjusted_estimate)
            t = truth[_mask(sample.frame, worst.slice)].mean()
            anew.append((sign * (worst.adjusted_estimate - t), worst.adjusted_low <= t <= worst.adjusted_high))
    scale = drop if sign == 1 else drop * np.sqrt(2 / np.pi)
    (bias_seen, coverage_seen), (bias, coverage) = np.mean(seen, axis=0), np.mean(anew, axis=0)
    return {
        "found": len(anew) / runs,
        "bias_seen": float(bias_seen / scale),
        "bias": float(bias / scale),
        "coverage_seen": float(coverage_seen),
        "coverage": float(coverage),
    }


NULLS = (
    {},
    {"given": "probabilities"},
    {"given": "weights"},
    {"given": "groups"},
    {"task": "regression"},
    {"task": "regression", "given": "groups"},
)
PLANTED = (
    {"planted": 1, "drop": 0.12},
    {"planted": 1, "drop": 0.16},
    {"planted": 1, "drop": 0.25},
    {"planted": 3, "drop": 0.2, "good": 0.9},
    {"planted": 5, "drop": 0.2, "good": 0.9},
    {"planted": 1, "drop": 0.16, "given": "groups"},
    {"planted": 3, "drop": 0.2, "good": 0.9, "given": "weights"},
    {"planted": 1, "drop": 0.3, "task": "regression", "n": 2000},
    {"planted": 4, "drop": 0.5, "task": "regression"},
)


def main(runs=500):
    """Print all rates."""
    for kind in NULLS:
        print(f"noise {kind}: found in {false_findings(runs, **kind):.3f} of {runs} runs")
    for kind in PLANTED:
        print(f"planted {kind}: " + ", ".join(f"{k} {v:+.3f}" for k, v in winners(runs, **kind).items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=500, metavar="RUNS")
    main(parser.parse_args().runs)
