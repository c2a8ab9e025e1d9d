"""Curves as columns: what the plots, and whoever else draws an evaluation, start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import calibration, intervals, resample

if TYPE_CHECKING:
    from evalharness.evaluators import Report
    from evalharness.schemas import Booleans, Floats

BAND_RESAMPLES = 200
BAND_ROWS = 200_000  # above, a pointwise band is narrower than the line
ROC_GRID = np.linspace(0, 1, 101)
PR_GRID = np.linspace(0.005, 1, 200)


def counted(score: Floats, positive: Booleans, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return weighted true and false positives at each distinct score from high to low, with the totals."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[score[order][1:] != score[order][:-1], True])
    tp = np.cumsum(weights[order] * positive[order])
    fp = np.cumsum(weights[order] * ~positive[order])
    return tp[ends], fp[ends], tp[-1:], fp[-1:]


def roc_at(curve: Any, grid: Floats) -> Floats:
    """Return true positive rates at false positive rates, linear between the points of the curve."""
    tp, fp, up, down = curve
    return np.interp(grid, np.r_[0, fp / down], np.r_[0, tp / up])


def precision_at(curve: Any, grid: Floats) -> Floats:
    """Return the precision at which each recall is first reached."""
    tp, fp, up, _ = curve
    place = np.minimum(np.searchsorted(tp / up, grid - 1e-12), len(tp) - 1)
    said = tp[place] + fp[place]
    return np.asarray(np.divide(tp[place], said, out=np.full(len(grid), np.nan), where=said > 0))


def band(report: Report, c: int, grid: Floats, read: Callable[[Any, Floats], Floats]) -> tuple[Floats, Floats] | None:
    """Return the pointwise band of a class's curve on a grid; None without intervals or with very many rows."""
    sample = report.sample
    if not report.config.compute_cis or report.n > BAND_ROWS or sample.probabilities is None:
        return None
    own = sample.weights if sample.weights is not None else np.ones(report.n)
    score, positive = sample.probabilities[:, c], sample.labels == c
    found = []
    for weights in resample.Plan(report.n, BAND_RESAMPLES, report.seed, sample.groups).draws():
        for row in weights:
            curve = counted(score, positive, own * row)
            if curve[2][0] > 0 and curve[3][0] > 0:
                found.append(read(curve, grid))
    if len(found) < 0.95 * BAND_RESAMPLES:
        return None
    level = report.config.confidence_level
    low, high = np.nanquantile(np.array(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def reliability(report: Report) -> dict[str, Floats] | None:
    """Return ``predicted``, ``observed``, ``n``, Wilson ``low`` and ``high`` of equal-mass bins; None without scores.

    The interval is left out (NaN) where rows come in groups, since it takes them as independent.
    """
    sample = report.sample
    if sample.probabilities is None:
        return None
    bins = calibration.equal_mass(*calibration.event(sample), sample.weights)
    level, size = report.config.confidence_level, bins.count.astype(float)
    ends = np.array([intervals.wilson(o * n, n, level) for o, n in zip(bins.observed, size, strict=True)]).T
    if sample.groups is not None:
        ends = np.full_like(ends, np.nan)
    return {"predicted": bins.predicted, "observed": bins.observed, "n": size, "low": ends[0], "high": ends[1]}


def tables(report: Report) -> dict[str, dict[str, Floats]]:
    """Return ``roc``, ``pr`` (two classes) and ``calibration`` as columns, those that can be had.

    Returns
    -------
    dict
        ``roc``: ``fpr``, ``tpr``; ``pr``: ``recall``, ``precision``; both on a fixed grid, with ``low`` and ``high``
        of a pointwise band where there is one. ``calibration``: as `reliability`.
    """
    sample, found = report.sample, {}
    if sample.probabilities is not None and sample.positive is not None and len(np.unique(sample.labels)) == 2:
        c = sample.positive
        own = sample.weights if sample.weights is not None else np.ones(sample.n)
        curve = counted(sample.probabilities[:, c], sample.labels == c, own)
        for name, x, y, grid, read in (
            ("roc", "fpr", "tpr", ROC_GRID, roc_at),
            ("pr", "recall", "precision", PR_GRID, precision_at),
        ):
            found[name] = {x: grid, y: read(curve, grid)}
            ends = band(report, c, grid, read)
            if ends is not None:
                found[name] |= {"low": ends[0], "high": ends[1]}
    bins = reliability(report)
    return found if bins is None else {**found, "calibration": bins}
