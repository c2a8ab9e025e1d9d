"""Print how often intervals cover and tests are wrong, on data whose truth is known. Decides nothing.

``python -m tests.benchmarks.simulations`` from the top of a checkout; ``--quick`` makes a tenth of the runs.
The functions take the number of runs, so that the tests can ask for a short version of the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from evalharness import evaluate

LEVEL = 0.95
POPULATION = 1_000_000
"""Rows from which the true values of metrics are taken; their standard error is a thirtieth of that at n = 1,000."""


class Share(NamedTuple):
    """How often something happened in `runs` runs."""

    what: str
    happened: int
    runs: int

    @property
    def share(self) -> float:
        return self.happened / self.runs if self.runs else float("nan")


# Populations --------------------------------------------------------------------------------------


def calibrated(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Two classes, 40 % positive, probabilities that are true."""
    p = rng.beta(2, 3, n)
    return {"task_type": "classification", "labels": rng.random(n) < p, "predictions": p, "classes": [False, True]}


def rare(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """One row in ten positive, scores that are far too sure."""
    y = rng.random(n) < 0.1
    p = 1 / (1 + np.exp(-(rng.normal(0, 1.5, n) + 2.5 * y - 1.5)))
    return {"task_type": "classification", "labels": y, "predictions": p, "classes": [False, True]}


def classes(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Three classes of 50, 30 and 20 %, probabilities that are true for a flat prior."""
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    e = np.exp(rng.normal(size=(n, 3)) + 1.2 * np.eye(3)[y])
    p = e / e.sum(axis=1, keepdims=True)
    return {"task_type": "classification", "labels": y, "predictions": p, "classes": [0, 1, 2]}


def numbers(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """A regression on 5 to 15 with errors of Student's t with six degrees of freedom."""
    y = rng.uniform(5, 15, n)
    return {"task_type": "regression", "labels": y, "predictions": y + rng.standard_t(6, n)}


def users(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Rows of five per user, with a skill and a taste of each user."""
    user = np.repeat(np.arange(-(-n // 5)), 5)[:n]
    taste, skill = rng.normal(size=user.max() + 1)[user], rng.normal(size=user.max() + 1)[user]
    y = rng.random(n) < 1 / (1 + np.exp(-taste))
    p = 1 / (1 + np.exp(-(1.5 * (2 * y - 1) * (1 + 0.5 * skill) * 0.6 + rng.normal(size=n))))
    return {
        "task_type": "classification",
        "labels": y,
        "predictions": p,
        "groups": user,
        "classes": [False, True],
    }


@cache
def truth(draw: Callable[..., dict[str, Any]]) -> dict[str, float | None]:
    """Return the metrics of a population of a million rows."""
    given = draw(np.random.default_rng(2**31), POPULATION)
    return dict(evaluate(**given, config={"compute_cis": False}).metrics)


# Simulations --------------------------------------------------------------------------------------


def coverage(draw: Callable[..., dict[str, Any]], n: int, runs: int, start: int = 0) -> list[Share]:
    """Count for each metric how often its interval holds the true value; samples without one are left out."""
    real, found = truth(draw), {}
    for run in range(start, start + runs):
        report = evaluate(**draw(np.random.default_rng(run), n), seed=run)
        for name, interval in report.intervals.items():
            if interval.low is not None and name != "debiased_calibration_error":
                hit, met = found.get(name, (0, 0))
                found[name] = (hit + interval.contains(real[name]), met + 1)
    return [Share(name, hit, met) for name, (hit, met) in found.items()]


def calibration(kind: str, n: int, runs: int, start: int = 0) -> list[Share]:
    """Count how often the interval of the calibration error holds the true one.

    ``"true"``: probabilities that are right; ``"high"`` and ``"sure"``: every bin is off by 0.1, in one direction or
    away from the middle; ``"three"``: true probabilities of three classes, judged on the top one.
    """
    hits = 0
    for run in range(start, start + runs):
        rng = np.random.default_rng(run)
        if kind == "three":
            p = rng.dirichlet([1, 1, 1], n)
            y = np.minimum((rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1), 2)
            given = {"labels": y, "predictions": p, "classes": [0, 1, 2]}
        else:
            p = rng.beta(2, 3, n) if kind == "true" else rng.uniform(0.15, 0.85, n)
            shift = {"true": 0.0, "high": -0.1, "sure": np.where(p > 0.5, -0.1, 0.1)}[kind]
            given = {"labels": rng.random(n) < p + shift, "predictions": p, "classes": [False, True]}
        report = evaluate(task_type="classification", seed=run, **given)
        real = 0.0 if kind in ("true", "three") else 0.1
        hits += report.intervals["debiased_calibration_error"].contains(real)
    return [Share(f"{kind}, n = {n:,}", hits, runs)]


def null_slices(n: int, runs: int, start: int = 0) -> list[Share]:
    """Count samples in which any slice is called significant although the model errs alike everywhere."""
    flagged = 0
    for run in range(start, start + runs):
        rng = np.random.default_rng(run)
        y = rng.integers(0, 2, n)
        guess = np.where(rng.random(n) < 0.2, 1 - y, y)
        report = evaluate(
            task_type="classification", labels=y, predictions=guess, data=_features(rng, n), config={"plots": False}
        )
        flagged += bool(report.slices["significant"].any())
    return [Share(f"null slices flagged, n = {n:,}", flagged, runs)]


def planted_slices(n: int, runs: int, start: int = 0) -> list[Share]:
    """Count samples in which a group of one row in ten with errors of 45 instead of 15 % is found."""
    found = 0
    for run in range(start, start + runs):
        rng = np.random.default_rng(run)
        data, y = _features(rng, n), rng.integers(0, 2, n)
        bad = data["colour"].to_numpy() == "red"
        guess = np.where(rng.random(n) < np.where(bad, 0.45, 0.15), 1 - y, y)
        table = evaluate(task_type="classification", labels=y, predictions=guess, data=data).slices
        worst = table[(table["slice"] == "colour = 'red'") & table["significant"]]
        found += len(worst) == 1
    return [Share(f"planted slices found, n = {n:,}", found, runs)]


def _features(rng: np.random.Generator, n: int) -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            "colour": rng.choice(["red", "green", "blue", "grey"], n, p=[0.1, 0.3, 0.3, 0.3]),
            "size": rng.normal(size=n),
            "age": rng.integers(18, 90, n),
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
            "region": rng.choice(list("abcdef"), n),
        }
    )


def null_comparisons(task: str, n: int, runs: int, start: int = 0, apart: float = 1.0) -> list[Share]:
    """Count, for each metric, how often two equally good models are called different (p at most 0.05).

    Their errors have a share ``1 - apart**2`` of their variance in common.
    """
    both = np.sqrt(1 - apart**2)
    called: dict[str, list[int]] = {}
    for run in range(start, start + runs):
        rng = np.random.default_rng(run)
        if task == "regression":
            y = rng.uniform(5, 15, n)
            common = rng.normal(size=n)
            one, other = (y + 0.5 * (both * common + apart * rng.normal(size=n)) for _ in range(2))
        else:
            y = rng.random(n) < 0.4
            common = rng.normal(size=n)
            scores = (2.0 * y - 1 + both * common + apart * rng.normal(size=n) for _ in range(2))
            one, other = (1 / (1 + np.exp(-score)) for score in scores)
        first, second = (evaluate(task_type=task, labels=y, predictions=p, seed=run) for p in (one, other))
        for row in first.compare(second).rows:
            if row.p_value is not None:
                called.setdefault(row.metric, []).append(row.p_value <= 1 - LEVEL)
    return [Share(f"{name}, n = {n}", sum(each), len(each)) for name, each in called.items()]


# The command --------------------------------------------------------------------------------------


def spread(work: Callable[..., list[Share]], runs: int, pool: ProcessPoolExecutor) -> list[Share]:
    """Make runs in parts, one after another in each process, and add the parts up."""
    parts = np.array_split(np.arange(runs), min(runs, 16))
    done = list(pool.map(partial(_part, work), [(len(p), int(p[0])) for p in parts]))
    total: dict[str, tuple[int, int]] = {}
    for share in (share for part in done for share in part):
        hit, met = total.get(share.what, (0, 0))
        total[share.what] = (hit + share.happened, met + share.runs)
    return [Share(what, hit, met) for what, (hit, met) in total.items()]


def _part(work: Callable[..., list[Share]], part: tuple[int, int]) -> list[Share]:
    return work(runs=part[0], start=part[1])


def simulations(runs: int) -> Iterator[tuple[str, Callable[..., list[Share]], int, float, float]]:
    """Yield title, work, runs, and the bounds that are promised."""
    for n in (100, 300, 1000):
        low, high = (0.91, 1.0) if n < 300 else (0.925, 0.975)
        for draw in (calibrated, rare, classes, numbers, users):
            yield f"coverage, {draw.__name__}, n = {n:,}", partial(coverage, draw, n), runs, low, high
    for draw in (calibrated, rare, classes, numbers):
        yield f"coverage, {draw.__name__}, n = 60,000", partial(coverage, draw, 60_000), runs // 4, 0.925, 0.975
    for n in (100, 500, 2000):
        for kind in ("true", "high", "sure", "three"):
            yield f"calibration interval, {kind}, n = {n:,}", partial(calibration, kind, n), runs, 0.90, 1.0
    for n in (500, 3000):
        yield f"slices, null, n = {n:,}", partial(null_slices, n), runs, 0.0, 0.075
    yield "slices, planted, n = 3,000", partial(planted_slices, 3000), runs // 4, 0.8, 1.0
    for task in ("classification", "regression"):
        for n in (100, 400):
            yield f"comparisons, null, {task}, n = {n:,}", partial(null_comparisons, task, n), runs, 0.02, 0.08
        for n in (5000, 60_000):
            work = partial(null_comparisons, task, n, apart=0.1)
            yield f"comparisons, null, alike, {task}, n = {n:,}", work, runs // 4, 0.02, 0.08


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--only", default="", help="simulations whose title holds this")
    given = parser.parse_args()
    began = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        for title, work, runs, low, high in simulations(200 if given.quick else 2000):
            if given.only not in title:
                continue
            print(f"{title} ({runs:,} runs; promised {low:.1%} to {high:.1%})", flush=True)
            for share in spread(work, runs, pool):
                error = np.sqrt(max(share.share * (1 - share.share), 1e-4) / share.runs)
                missed = ""
                if not low <= share.share <= high:
                    near = low - 2 * error <= share.share <= high + 2 * error
                    missed = "   outside" + (", by less than two standard errors of this simulation" if near else "")
                few = "" if share.runs == runs else f"  of {share.runs:,} with an interval"
                print(f"  {share.what:<45}{share.share:8.1%}{few}{missed}", flush=True)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
