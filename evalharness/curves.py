"""Curves as columns: what the plots, and whoever else draws an evaluation, start from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness import calibration, intervals, resample

if TYPE_CHECKING:
    from evalharness.evaluators import Report
    from evalharness.schemas import Booleans, Floats

BAND_RESAMPLES = 200
BAND_ROWS = 200_000  # above, a pointwise band is narrower than the line


class Ranking:
    """Rows of one score from high to low, sorted once for any number of weightings.

    Parameters
    ----------
    score : ndarray of shape (n,)
    positive : ndarray of shape (n,), bool
    """

    def __init__(self, score: Floats, positive: Booleans) -> None:
        self.order = np.argsort(-score, kind="stable")
        high = score[self.order]
        self.ends = np.flatnonzero(np.r_[high[1:] != high[:-1], True])
        self.positive = positive[self.order]

    def counted(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return weighted true and false positives at each distinct score, from none to all rows."""
        w = weights[self.order]
        tp, fp = np.cumsum(w * self.positive)[self.ends], np.cumsum(w * ~self.positive)[self.ends]
        return np.r_[0.0, tp], np.r_[0.0, fp]


@dataclass(frozen=True)
class Kind:
    """What a curve of a score shows.

    Attributes
    ----------
    x, y : str
        Names of its columns.
    grid : ndarray
        Where tables and bands give it.
    points : callable
        True and false positives -> the points of the curve.
    read : callable
        True and false positives, grid -> its height there.
    """

    x: str
    y: str
    grid: Floats
    points: Callable[[Floats, Floats], tuple[Floats, Floats]]
    read: Callable[[Floats, Floats, Floats], Floats]


def _roc_points(tp: Floats, fp: Floats) -> tuple[Floats, Floats]:
    return fp / fp[-1], tp / tp[-1]


def _roc_read(tp: Floats, fp: Floats, grid: Floats) -> Floats:
    """Return true positive rates at false positive rates, linear between the points of the curve."""
    return np.interp(grid, *_roc_points(tp, fp))


def _pr_points(tp: Floats, fp: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision from the first true positive on, where the step sum starts."""
    first = int(np.argmax(tp > 0))
    tp, fp = tp[first:], fp[first:]
    precision = tp / (tp + fp)
    return np.r_[0.0, tp / tp[-1]], np.r_[precision[0], precision]


def _pr_read(tp: Floats, fp: Floats, grid: Floats) -> Floats:
    """Return the precision at which each recall is first reached."""
    place = np.minimum(np.searchsorted(tp / tp[-1], grid - 1e-12), len(tp) - 1)
    said = tp[place] + fp[place]
    return np.asarray(np.divide(tp[place], said, out=np.full(len(grid), np.nan), where=said > 0))


KINDS = {
    "roc": Kind("fpr", "tpr", np.linspace(0, 1, 101), _roc_points, _roc_read),
    "pr": Kind("recall", "precision", np.linspace(0.005, 1, 200), _pr_points, _pr_read),
}


def ranking(report: Report, c: int) -> Ranking:
    """Return the rows ranked by the probability of class `c`."""
    assert report.sample.probabilities is not None
    return Ranking(report.sample.probabilities[:, c], report.sample.labels == c)


def weights(report: Report) -> Floats:
    """Return the weights of the rows, ones where none were given."""
    return np.ones(report.n) if report.sample.weights is None else report.sample.weights


def band(report: Report, ranked: Ranking, kind: Kind) -> tuple[Floats, Floats] | None:
    """Return the pointwise band of a curve on its grid; None without intervals or with very many rows."""
    sample = report.sample
    if not report.config.compute_cis or report.n > BAND_ROWS:
        return None
    own, found = weights(report), []
    for drawn in resample.Plan(report.n, BAND_RESAMPLES, report.seed, sample.groups, sample.strata).draws():
        for row in drawn:
            tp, fp = ranked.counted(own * row)
            if tp[-1] > 0 and fp[-1] > 0:
                found.append(kind.read(tp, fp, kind.grid))
    if len(found) < 0.95 * BAND_RESAMPLES:
        return None
    level = report.config.confidence_level
    low, high = np.nanquantile(np.array(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def thresholds(
    report: Report, most: int = 500, c: int | None = None, also: Sequence[float] = ()
) -> dict[str, Floats] | None:
    """Return what each threshold would give, from high to low; None without scores of two classes.

    Parameters
    ----------
    report : Report
    most : int
        Of more distinct scores as many are given, those at equal steps of the ranking and the last.
    c : int, optional
        The class that is parted from the rest, by its place; default: the positive one of two.
    also : sequence of float
        Thresholds that must part the rows exactly: the scores that this needs are given too.

    Returns
    -------
    dict or None
        ``score``: rows with at least that probability are said to be positive; ``tp`` and ``fp``: how many (or what
        weight) of them are, and are not; ``sum``: their probabilities together.
    """
    sample = report.sample
    c = sample.positive if c is None else c
    if sample.probabilities is None or c is None:
        return None
    ranked, own = ranking(report, c), weights(report)
    score = sample.probabilities[:, c]
    tp, fp = ranked.counted(own)
    columns = {
        "score": score[ranked.order][ranked.ends],
        "tp": tp[1:],
        "fp": fp[1:],
        "sum": np.cumsum((own * score)[ranked.order])[ranked.ends],
    }
    size = len(ranked.ends)
    if size > most:
        needed = np.searchsorted(-columns["score"], -np.asarray(also, dtype=float), side="right") - 1
        kept = np.unique(np.r_[np.linspace(0, size - 1, most).astype(int), needed[needed >= 0]])
        columns = {name: values[kept] for name, values in columns.items()}
    return columns


def reliability(report: Report) -> dict[str, Floats] | None:
    """Return ``predicted``, ``observed``, ``n``, Wilson ``low`` and ``high`` of equal-mass bins; None without scores.

    The interval is left out (NaN) where rows have weights, groups or strata: it takes them as alike and independent.
    """
    sample = report.sample
    if sample.probabilities is None:
        return None
    bins = calibration.equal_mass(*calibration.event(sample), sample.weights)
    level, size = report.config.confidence_level, bins.count.astype(float)
    ends = np.array([intervals.wilson(o * n, n, level) for o, n in zip(bins.observed, size, strict=True)]).T
    if not sample.plain:
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
        ranked = ranking(report, sample.positive)
        counts = ranked.counted(weights(report))
        for name, kind in KINDS.items():
            found[name] = {kind.x: kind.grid, kind.y: kind.read(*counts, kind.grid)}
            ends = band(report, ranked, kind)
            if ends is not None:
                found[name] |= {"low": ends[0], "high": ends[1]}
    bins = reliability(report)
    return found if bins is None else {**found, "calibration": bins}
