"""How often intervals hold the truth and tests reject it, by simulation: functions for tests and for long runs.

`python -m tests.benchmarks.uncertainty [RUNS]` prints every scenario; each function returns shares by scenario.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from evalharness import calibration, diagnostics, evaluate, intervals
from evalharness.schemas import Sample

LEVEL = 0.95
QUICK = {"compute_cis": False}

Draw = Callable[[np.random.Generator, int], tuple[Any, Any]]


def sample(labels: Any, predictions: Any, task: str = "classification", **given: Any) -> Sample:
    """Return the checked sample of labels and predictions."""
    return evaluate(task_type=task, labels=labels, predictions=predictions, config=QUICK, **given).sample


def _binary(probabilities: Callable[[np.random.Generator, int], Any], true: Callable[[Any], Any]) -> Draw:
    def draw(rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        p = probabilities(rng, n)
        return p, true(p)

    return draw


def _beta(rng: np.random.Generator, n: int) -> Any:
    return rng.beta(2, 3, n)


def _rare(rng: np.random.Generator, n: int) -> Any:
    return special.expit(rng.normal(-3.3, 1.2, n))


MODELS: dict[str, Draw] = {
    "calibrated": _binary(_beta, lambda p: p),
    "over-confident": _binary(_beta, lambda p: special.expit(0.5 * special.logit(p))),
    "under-confident": _binary(_beta, lambda p: special.expit(2 * special.logit(p))),
    "rare": _binary(_rare, lambda p: p),
    "rare, half of what is said": _binary(_rare, lambda p: p / 2),
    "one step": _binary(lambda rng, n: rng.uniform(0.02, 0.98, n), lambda p: np.where(p > 0.5, 0.9, 0.3)),
}
"""Probabilities that are said, and those that are true."""

SHAPES: dict[str, float] = {"equal": 1.0, "positives spread more": 2.0, "positives spread less": 0.5}
"""Standard deviation of the scores of positives; that of negatives is 1."""


def areas(runs: int, positives: int, negatives: int, truths: tuple[float, ...] = (0.6, 0.8, 0.93)) -> dict[str, float]:
    """Coverage of the score interval of ROC AUC for normal scores."""
    found = {}
    counts = np.array([positives, negatives])
    for shape, spread in SHAPES.items():
        for truth in truths:
            apart, held = special.ndtri(truth) * np.sqrt(1 + spread**2), 0
            for run in range(runs):
                rng = np.random.default_rng(run)
                score = np.r_[rng.normal(apart, spread, positives), rng.normal(size=negatives)]
                up = np.arange(len(score)) < positives
                estimate = float(np.mean(score[up][:, None] > score[~up][None, :]))
                variance = intervals.delong_variance(up, score)
                low, high = intervals.area(estimate, variance, intervals.compared("roc_auc", counts), LEVEL)
                held += low <= truth <= high
            found[f"{shape}, {truth}, {positives} against {negatives}"] = held / runs
    return found


def class_areas(runs: int, n: int, shares: tuple[float, ...] = (0.1, 0.3, 0.6)) -> dict[str, float]:
    """Coverage of the intervals of the three areas over several classes, some of them rare."""
    share = np.array(shares)
    k = len(share)

    def draw(rng: np.random.Generator, rows: int, apart: float) -> tuple[Any, Any]:
        labels = rng.choice(k, rows, p=share)
        logits = rng.normal(size=(rows, k)) + apart * np.eye(k)[labels]
        return labels, special.softmax(logits + np.log(share), axis=1)

    found = {}
    for apart in (0.5, 1.5, 3.0):
        labels, p = draw(np.random.default_rng(99), 100_000, apart)
        truth = evaluate(task_type="classification", labels=labels, predictions=p, config=QUICK).metrics
        names = ("roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo")
        held, defined = dict.fromkeys(names, 0), 0
        for run in range(runs):
            labels, p = draw(np.random.default_rng(run), n, apart)
            settings = {"n_resamples": 200, "confidence_level": LEVEL}
            given = {"labels": labels, "predictions": p, "classes": list(range(k))}
            report = evaluate(task_type="classification", config=settings, seed=run, **given)
            if report.intervals[names[0]].low is not None:
                defined += 1
                for name in names:
                    held[name] += report.intervals[name].contains(truth[name] or 0)
        found |= {f"{name}, {apart}": count / max(defined, 1) for name, count in held.items()}
    return found


def shares(trials: int) -> dict[str, float]:
    """Least and mean coverage of the interval of a counted share, exactly, over true shares of .0005 to .5."""
    k = np.arange(trials + 1)
    found = [intervals.share(int(i), trials, LEVEL) for i in k]
    low, high = np.array([i.low for i in found]), np.array([i.high for i in found])
    held = []
    for p in np.r_[np.linspace(0.0005, 0.06, 200), np.linspace(0.06, 0.5, 200)]:
        chance = special.bdtr(k, trials, p) - np.r_[0, special.bdtr(k[:-1], trials, p)]
        held.append(float(chance[(low <= p) & (p <= high)].sum()))
    return {"least": min(held), "mean": float(np.mean(held))}


def calibration_errors(runs: int, n: int, models: tuple[str, ...] = tuple(MODELS)) -> dict[str, float]:
    """Coverage of the interval of the debiased calibration error; the truth is that of 15 equal-mass bins."""
    found = {}
    for name in models:
        p, true = MODELS[name](np.random.default_rng(1), 200_000)
        parts = np.array_split(np.argsort(p), calibration.N_BINS)
        truth = float(np.sqrt(np.mean([(p[part].mean() - true[part].mean()) ** 2 for part in parts])))
        truth = 0.0 if np.array_equal(p, true) else truth
        held = 0
        for run in range(runs):
            rng = np.random.default_rng(run)
            p, true = MODELS[name](rng, n)
            drawn = sample((rng.random(n) < true).astype(int), p, classes=[0, 1])
            held += calibration.debiased_interval(drawn, LEVEL, run).contains(truth)
        found[name] = held / runs
    return found


def softmax_errors(runs: int, n: int) -> dict[str, float]:
    """Coverage of the same interval for the most probable of four classes, logits stretched and shrunk."""

    def draw(rng: np.random.Generator, rows: int, factor: float) -> tuple[Any, Any]:
        logits = rng.normal(size=(rows, 4)) * 1.5
        return special.softmax(logits * factor, axis=1), special.softmax(logits, axis=1)

    found = {}
    for name, factor in (("calibrated", 1.0), ("over-confident", 2.0), ("under-confident", 0.5)):
        said, true = draw(np.random.default_rng(1), 200_000, factor)
        top = said.argmax(axis=1)
        p, right = said.max(axis=1), true[np.arange(len(said)), top]
        parts = np.array_split(np.argsort(p), calibration.N_BINS)
        truth = float(np.sqrt(np.mean([(p[part].mean() - right[part].mean()) ** 2 for part in parts])))
        truth = 0.0 if factor == 1 else truth
        held = 0
        for run in range(runs):
            rng = np.random.default_rng(run)
            said, true = draw(rng, n, factor)
            labels = (rng.random(n)[:, None] > np.cumsum(true, axis=1)).sum(axis=1).clip(0, 3)
            drawn = sample(labels, said, classes=[0, 1, 2, 3])
            held += calibration.debiased_interval(drawn, LEVEL, run).contains(truth)
        found[name] = held / runs
    return found


def recalibrations(runs: int, n: int, models: tuple[str, ...] = tuple(MODELS), **kind: bool) -> dict[str, float]:
    """Coverage of the intervals of slope and intercept; `weights` or `groups` (of ten rows) may be True."""
    found = {}
    for name in models:
        p, true = MODELS[name](np.random.default_rng(1), 200_000)
        slope, intercept = 1.0, 0.0
        if not np.array_equal(p, true):
            fine = sample((np.random.default_rng(2).random(len(p)) < true).astype(int), p, classes=[0, 1])
            slope, intercept = calibration.slope(fine).value or 0, calibration.intercept(fine).value or 0
        held = {"slope": 0, "intercept": 0}
        defined = 0
        for run in range(runs):
            rng = np.random.default_rng(run)
            if kind.get("groups"):
                # the rows of a group share their probability and lean together to one side
                p, true = (np.repeat(column, 10) for column in MODELS[name](rng, n // 10))
                same = np.repeat(rng.random(n // 10), 10)
                happened = np.where(rng.random(n) < 0.3, same, rng.random(n)) < true
                drawn = sample(happened.astype(int), p, classes=[0, 1], groups=np.arange(n) // 10)
            else:
                p, true = MODELS[name](rng, n)
                given = {"sample_weight": rng.exponential(size=n)} if kind.get("weights") else {}
                drawn = sample((rng.random(n) < true).astype(int), p, classes=[0, 1], **given)
            one = calibration.recalibration_interval(calibration.slope(drawn), LEVEL)
            other = calibration.recalibration_interval(calibration.intercept(drawn), LEVEL)
            if one.low is not None and other.low is not None:
                defined += 1
                held["slope"] += one.contains(slope)
                held["intercept"] += other.contains(intercept)
        found |= {f"{name}, {what}": count / max(defined, 1) for what, count in held.items()}
    return found


def residual_tests(runs: int, n: int) -> dict[str, float]:
    """Share of runs in which each test of residuals rejects at 5 % although nothing is wrong."""
    rejected = dict.fromkeys(("residual_normality", "residual_autocorrelation", "residual_heteroscedasticity"), 0)
    for run in range(runs):
        rng = np.random.default_rng(run)
        guess = rng.normal(size=n)
        tests = diagnostics.residual_tests(sample(guess + rng.normal(size=n), guess, "regression"), LEVEL)
        for name in rejected:
            p = tests[name].p_value
            rejected[name] += p is not None and p <= 0.05
    return {name: count / runs for name, count in rejected.items()}


def conformal(runs: int, n: int, per_group: int = 1) -> dict[str, float]:
    """Mean share of new rows within the prediction interval of each level, for skewed and unequal errors."""
    inside: dict[float, list[float]] = {}
    for run in range(runs):
        rng = np.random.default_rng(run)
        total = n + 4000
        guess = np.repeat(rng.uniform(1, 3, total // per_group), per_group)
        # rows of a group err to one side together
        lean = np.repeat(rng.exponential(size=total // per_group), per_group) - 1
        y = guess + guess * (lean + (0 if per_group == 1 else 0.3) * rng.normal(size=len(guess)))
        given = {} if per_group == 1 else {"groups": np.arange(n) // per_group}
        for found in diagnostics.prediction_intervals(sample(y[:n], guess[:n], "regression", **given), run, LEVEL):
            if found.half_width is not None:
                inside.setdefault(found.level, []).append(float(np.mean(np.abs(y - guess)[n:] <= found.half_width)))
    return {f"{level:g}": float(np.mean(shares)) for level, shares in inside.items()}


def main(runs: int = 1000) -> None:
    """Print every scenario."""
    for positives, negatives in ((5, 95), (10, 290), (30, 270), (90, 210)):
        print("area", positives, negatives, areas(runs, positives, negatives))
    for n in (100, 300, 1000):
        print("areas of classes", n, class_areas(runs, n))
    for n in (20, 50, 100, 300, 1000):
        print("share", n, shares(n))
    for n in (100, 300, 1000, 2000):
        print("calibration error", n, calibration_errors(runs, n))
        print("calibration error, four classes", n, softmax_errors(runs, n))
    for n in (100, 300, 1000):
        print("recalibration", n, recalibrations(runs, n))
        print("recalibration, weights", n, recalibrations(runs, n, ("calibrated",), weights=True))
        print("recalibration, groups of ten", n, recalibrations(runs, n, ("calibrated",), groups=True))
    for n in (20, 100, 1000):
        print("residual tests reject", n, residual_tests(runs, n))
        print("prediction intervals hold", n, conformal(runs, max(n, 40)))
        print("prediction intervals hold, groups of five", 5 * n, conformal(runs, 5 * max(n, 40), 5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=1000, metavar="RUNS")
    main(parser.parse_args().runs)
