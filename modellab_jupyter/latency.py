"""Quantiles of durations, with their number and an interval that assumes no distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

QUANTILES: Final = (0.50, 0.95, 0.99)


@dataclass(frozen=True)
class Quantile:
    """One quantile of `n` durations, in seconds; an end that the sample is too small for is None, with the reason."""

    quantile: float
    seconds: float
    low: float | None
    high: float | None
    n: int
    confidence_level: float
    reason: str | None


def quantiles(seconds: Sequence[float], confidence_level: float = 0.95) -> list[Quantile]:
    """Return P50, P95 and P99 of durations.

    Parameters
    ----------
    seconds : sequence of float, shape (n,)
        Durations in seconds, n >= 1.
    confidence_level : float
        At least this share of such intervals holds the true quantile, whatever the distribution.

    Returns
    -------
    list of Quantile
        The estimate interpolates linearly between order statistics (type 7 of Hyndman and Fan, The American
        Statistician 50(4), 1996). The interval runs between the order statistics X(l) and X(u) with
        P(l <= B < u) >= `confidence_level` for B binomial (n, q), each tail at most half of the rest
        (David and Nagaraja, Order Statistics, 3rd ed., section 7.1).
    """
    import numpy as np
    from scipy.stats import binom

    values = np.sort(np.asarray(seconds, dtype=float))
    n, tail = len(values), (1 - confidence_level) / 2
    found = []
    for q in QUANTILES:
        lower = int(binom.ppf(tail, n, q))  # X(l) > quantile has probability P(B < l) <= tail
        if binom.cdf(lower - 1, n, q) > tail:
            lower -= 1
        upper = int(binom.ppf(1 - tail, n, q)) + 1  # X(u) < quantile has probability P(B >= u) <= tail
        low = float(values[lower - 1]) if lower >= 1 else None
        high = float(values[upper - 1]) if upper <= n else None
        short = [word for word, end in (("lower", low), ("upper", high)) if end is None]
        reason = f"{n} durations are too few for the {' and the '.join(short)} limit" if short else None
        found.append(Quantile(q, float(np.quantile(values, q)), low, high, n, confidence_level, reason))
    return found
