"""What residuals say about a regression: three tests, and prediction intervals by split conformal prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness import resample
from evalharness.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.schemas import Booleans, Floats, Integers, Sample

LEVELS = (0.8, 0.9)
"""Coverages of prediction intervals beside the confidence level of the report."""

FEWEST_NORMAL, FEWEST_ROWS = 20, 10
"""Rows from which the chi-squared distribution holds: of K squared, and of the two other tests."""

SPLIT = 5
"""Purpose of the stream that splits rows; see `resample`."""


@dataclass(frozen=True)
class ResidualTest:
    """A test of one property that residuals have when nothing is left to learn from them.

    Attributes
    ----------
    method : str
    statistic, p_value : float or None
    degrees : int or None
        Degrees of freedom of the chi-squared distribution that the p-value is from.
    n : int
        Rows.
    details : mapping of str to float
        Numbers that belong to the statistic.
    sentence : str
        What was found, or why there is nothing.
    reason : str or None
        Why there is no p-value.
    """

    method: str
    statistic: float | None
    p_value: float | None
    degrees: int | None
    n: int
    details: Mapping[str, float]
    sentence: str
    reason: str | None


def residual_tests(sample: Sample, level: float) -> dict[str, ResidualTest]:
    """Return the tests of normality, autocorrelation and heteroscedasticity of ``prediction - label``.

    Parameters
    ----------
    sample : Sample
        Of a regression, without weights and groups: otherwise each test says so in place of a result.
    level : float
        A sentence speaks of evidence where the p-value is at most ``1 - level``.

    Returns
    -------
    dict
        ``residual_normality``, ``residual_autocorrelation``, ``residual_heteroscedasticity``.
    """
    guess = np.asarray(sample.predictions, dtype=np.float64)
    error = guess - sample.labels
    refused = None
    if sample.weights is not None or sample.groups is not None:
        given = "weights" if sample.weights is not None else "groups"
        refused = f"the test needs independent rows of one weight, and {given} were given"
    elif not float(np.ptp(error)) > 1e-14 * float(np.abs(sample.labels).max()):
        refused = "all residuals are equal"
    # no test knows the unit, and squares of very large or small numbers leave the range of floats
    error, guess = (v / (float(np.abs(v).max()) or 1.0) for v in (error, guess))
    return {
        "residual_normality": _normality(error, level, refused),
        "residual_autocorrelation": _autocorrelation(error, level, refused),
        "residual_heteroscedasticity": _heteroscedasticity(error, guess, level, refused),
    }


def _none(method: str, n: int, reason: str, details: Mapping[str, float] | None = None) -> ResidualTest:
    return ResidualTest(method, None, None, None, n, details or {}, f"There is no test: {reason}.", reason)


def _too_few(n: int, needed: int) -> str | None:
    return None if n >= needed else f"{n} {'row is' if n == 1 else 'rows are'} too few; the test needs {needed}"


def _judged(p_value: float, level: float, found: str, absent: str) -> str:
    p = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
    return f"{found} ({p})." if p_value <= 1 - level else f"There is no evidence that {absent} ({p})."


def normal_scores(skewness: float, kurtosis: float, n: int) -> tuple[float, float]:
    """Return skewness and kurtosis of n rows as normal scores (D'Agostino, Belanger & D'Agostino 1990, p. 318-319).

    Parameters
    ----------
    skewness, kurtosis : float
        Third and fourth moment over powers of the second: 0 and 3 for the normal distribution.
    n : int
        At least 20.

    Examples
    --------
    >>> [round(z, 3) for z in normal_scores(0.0, 3.0, 100)]
    [0.0, 0.321]
    """
    y = skewness * np.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    beta = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    w2 = np.sqrt(2 * (beta - 1)) - 1
    first = np.arcsinh(y / np.sqrt(2 / (w2 - 1))) / np.sqrt(np.log(w2) / 2)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    x = (kurtosis - 3 * (n - 1) / (n + 1)) / np.sqrt(variance)
    third = 6 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * np.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    a = 6 + 8 / third * (2 / third + np.sqrt(1 + 4 / third**2))
    cube = (1 - 2 / a) / (1 + x * np.sqrt(2 / (a - 4)))
    return float(first), float((1 - 2 / (9 * a) - np.cbrt(cube)) / np.sqrt(2 / (9 * a)))


def _normality(error: Floats, level: float, refused: str | None) -> ResidualTest:
    """D'Agostino and Pearson's K squared, from skewness and kurtosis.

    The sum of the squares of their normal scores, chi-squared with two degrees of freedom from 20 rows on. It
    needs moments only, so that it takes any number of rows, which Shapiro and Wilk's does not; the Jarque-Bera
    test takes skewness and kurtosis as normal, which they are for thousands of rows only.
    """
    method = "D'Agostino-Pearson K squared"
    n = len(error)
    why = _too_few(n, FEWEST_NORMAL) or refused
    if why is not None:
        return _none(method, n, why)
    from scipy.special import chdtrc

    t = error - error.mean()
    t = t / np.sqrt(np.mean(t * t))
    skewness, kurtosis = float(np.mean(t**3)), float(np.mean(t**4))
    z_skewness, z_kurtosis = normal_scores(skewness, kurtosis, n)
    statistic = z_skewness**2 + z_kurtosis**2
    p_value = float(chdtrc(2, statistic))
    details = {"skewness": skewness, "kurtosis": kurtosis, "z_skewness": z_skewness, "z_kurtosis": z_kurtosis}
    sentence = _judged(
        p_value,
        level,
        f"The residuals are not normal, with skewness {skewness:.3g} and kurtosis {kurtosis:.3g} instead of 0 and 3",
        "the residuals are not normal",
    )
    return ResidualTest(method, statistic, p_value, 2, n, details, sentence, None)


def _autocorrelation(error: Floats, level: float, refused: str | None) -> ResidualTest:
    """Ljung and Box's test in the order of the rows, with Durbin and Watson's statistic beside it.

    ``n (n + 2) sum_k r_k**2 / (n - k)`` over lags 1 to min(10, n // 5), chi-squared with as many degrees of
    freedom (Ljung & Box 1978, Biometrika 65(2)). Durbin and Watson's ``sum (e_t - e_{t-1})**2 / sum e_t**2``
    (1950, Biometrika 37(3/4)) is near 2 without autocorrelation; its p-value would need the model's features.
    Both are of residuals less their mean, so that a constant bias is not taken for autocorrelation.
    """
    method = "Ljung-Box"
    n = len(error)
    why = _too_few(n, FEWEST_ROWS) or refused
    if why is not None:
        return _none(method, n, why)
    from scipy.special import chdtrc

    t = error - error.mean()
    total = float(np.sum(t * t))
    lags = min(10, n // 5)
    r = [float(np.sum(t[k:] * t[:-k])) / total for k in range(1, lags + 1)]
    statistic = n * (n + 2) * sum(value * value / (n - k) for k, value in enumerate(r, 1))
    p_value = float(chdtrc(lags, statistic))
    watson = float(np.sum(np.diff(t) ** 2)) / total
    sentence = _judged(
        p_value,
        level,
        f"Residuals of rows that follow each other are related: the lag-1 correlation is {r[0]:.3g}",
        "residuals depend on those of the rows before",
    )
    details = {"durbin_watson": watson, "lag_1_correlation": r[0], "lags": lags}
    return ResidualTest(method, statistic, p_value, lags, n, details, sentence, None)


def _heteroscedasticity(error: Floats, guess: Floats, level: float, refused: str | None) -> ResidualTest:
    """Koenker's studentised form of Breusch and Pagan's test, on the predictions.

    n times R squared of the regression of squared residuals (less their mean) on the predictions, chi-squared
    with one degree of freedom (Breusch & Pagan 1979, Econometrica 47(5); Koenker 1981, J. Econometrics 17(1)).
    """
    method = "Breusch-Pagan, studentised (Koenker)"
    n = len(error)
    why = _too_few(n, FEWEST_ROWS) or refused
    if why is None and not float(np.ptp(guess)) > 1e-12 * float(np.abs(guess).max()):
        why = "all predictions are equal"
    if why is not None:
        return _none(method, n, why)
    from scipy.special import chdtrc

    square = (error - error.mean()) ** 2
    square, x = square - square.mean(), guess - guess.mean()
    top, bottom = float(np.sum(square * x)), float(np.sum(square * square)) * float(np.sum(x * x))
    if not bottom > 0:
        return _none(method, n, "all residuals are equally large")
    statistic = n * top * top / bottom
    p_value = float(chdtrc(1, statistic))
    sentence = _judged(
        p_value,
        level,
        f"The residuals spread {'more' if top > 0 else 'less'} where predictions are higher",
        "the spread of the residuals depends on the prediction",
    )
    correlation = top / float(np.sqrt(bottom))
    return ResidualTest(method, statistic, p_value, 1, n, {"correlation": correlation}, sentence, None)


# Prediction intervals -----------------------------------------------------------------------------


@dataclass(frozen=True)
class PredictionInterval:
    """``prediction - half_width`` to ``prediction + half_width`` for the label of a new row.

    Attributes
    ----------
    level : float
        Coverage asked for.
    half_width : float or None
        In the unit of the labels; half the width of every interval.
    coverage, low, high : float or None
        Share of the rows that were kept out of the calibration whose label lies inside, with Wilson's interval
        at the report's confidence level.
    calibration_rows, test_rows : int
        Rows that the width is from, and rows that the coverage is from.
    reason : str or None
        Why there is no interval, or none for the coverage.
    """

    level: float
    half_width: float | None
    coverage: float | None
    low: float | None
    high: float | None
    calibration_rows: int
    test_rows: int
    reason: str | None


def half_width(size: Floats, level: float, groups: Integers | None = None) -> float | None:
    """Return the absolute error that a new one stays below with probability `level` or more.

    The k-th smallest of m, ``k = ceil((m + 1) level)`` (Lei et al. 2018, JASA 113(523), algorithm 2; Vovk,
    Gammerman & Shafer 2005, Algorithmic Learning in a Random World, section 4.1). With m groups the smallest that
    the mean over groups of their shares below reaches ``(m + 1) / m level``, for a row of a new group (Dunn,
    Wasserman & Ramdas 2023, JASA 118(544), pooling of distribution functions).

    Parameters
    ----------
    size : ndarray of shape (rows,)
        Absolute errors of rows that the model was not fitted on.
    level : float
    groups : ndarray of shape (rows,), int, optional
        Group of each row.

    Returns
    -------
    float or None
        None where m is so small that no error suffices.

    Examples
    --------
    >>> half_width(np.arange(1.0, 10.0), 0.9), half_width(np.arange(1.0, 9.0), 0.9)
    (9.0, None)
    """
    if groups is None:
        rank = int(np.ceil(round((len(size) + 1) * level, 9)))
        return float(np.partition(size, rank - 1)[rank - 1]) if rank <= len(size) else None
    _, unit, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(size, kind="stable")
    reached = np.cumsum(1 / counts[unit[order]])
    place = int(np.searchsorted(reached, (len(counts) + 1) * level - 1e-9))
    return float(size[order[place]]) if place < len(size) else None


def prediction_intervals(sample: Sample, seed: int, confidence_level: float) -> tuple[PredictionInterval, ...]:
    """Return split conformal prediction intervals at 80 %, 90 % and the confidence level, and how they fare.

    Rows are parted at random, half and half; with groups whole groups are. One half gives the width, the other
    says how often it holds. The promise of the width needs exchangeable rows (or groups), as does the coverage.
    """
    levels = tuple(sorted({*LEVELS, confidence_level}))
    if sample.weights is not None:
        why = "prediction intervals need rows of one weight, and weights were given"
        return tuple(PredictionInterval(level, None, None, None, None, 0, 0, why) for level in levels)
    unit = np.arange(sample.n) if sample.groups is None else sample.groups
    units = int(unit.max()) + 1
    order = np.argsort(resample.Stream(seed, SPLIT).uniforms(units), kind="stable")
    chosen = np.zeros(units, dtype=np.bool_)
    chosen[order[: (units + 1) // 2]] = True
    size = np.abs(np.asarray(sample.predictions - sample.labels, dtype=np.float64))
    return tuple(_conformal(size, chosen[unit], sample, level, confidence_level) for level in levels)


def _conformal(
    size: Floats, first: Booleans, sample: Sample, level: float, confidence_level: float
) -> PredictionInterval:
    rows, rest = int(first.sum()), int((~first).sum())
    groups = None if sample.groups is None else sample.groups[first]
    width = half_width(size[first], level, groups)
    if width is None:
        m, needed = rows if groups is None else len(np.unique(groups)), int(np.ceil(round(level / (1 - level), 9)))
        which = f"{m} {'row' if groups is None else 'group'}{' is' if m == 1 else 's are'}"
        why = f"{which} too few for {100 * level:g} %; the width needs {needed}"
        return PredictionInterval(level, None, None, None, None, rows, rest, why)
    if rest < 1:
        return PredictionInterval(level, width, None, None, None, rows, 0, "no row is left to judge the width")
    inside = int(np.sum(size[~first] <= width))
    if groups is not None:
        why = "the interval of the coverage needs independent rows, and groups were given"
        return PredictionInterval(level, width, inside / rest, None, None, rows, rest, why)
    return PredictionInterval(level, width, inside / rest, *wilson(inside, rest, confidence_level), rows, rest, None)
