"""Intervals and tests from an estimate, its resamples and its jackknife; closed forms for proportions.

Which one is used when is decided in `for_metric`, and said in `Interval.method`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from evalharness import calibration, cells
from evalharness.batch import Prepared
from evalharness.metrics import MAX_RESAMPLED_PAIRS, METRICS, MetricSpec, wanted
from evalharness.schemas import Interval

if TYPE_CHECKING:
    from evalharness.resample import Plan
    from evalharness.schemas import Booleans, Floats, Integers, Sample

SMALL = 2000
"""Up to this many units intervals are BCa, by the jackknife; above, percentiles do as well."""

LARGE = 50_000
"""With more rows (times passes over them) than this, cells are resampled in place of rows."""

LEAST = 10
"""Fewer rows (or groups) than this are too few to resample: nominal 95 % then cover 46 to 87 %."""

FEW = 5
"""Fewer rows of a class than this cannot show how metrics that mix both classes vary."""

AREAS = ("roc_auc", "roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo")
RANKING = ("roc_auc", "average_precision", "roc_auc_ovr", "roc_auc_ovo")
"""Metrics in which each class of the labels counts alike, however rare."""

RARE, RARE_PRECISION = 30, 20
"""With fewer rows of a class resamples of areas, and of average precision, repeat the few too often: at an area of
.96 with 30 positives of 300 they cover 91 % in place of 95 %. With more of them score intervals cover up to 99 %."""

SQUARES = ("mean_squared_error", "root_mean_squared_error", "r2", "explained_variance")
"""Metrics that are made of a mean of squared errors."""

EDGE = 3
"""Up to this many successes or failures Wilson's interval is corrected."""

MAX_UNDEFINED = 0.05
"""With a larger share of undefined resamples the rest says nothing about the whole."""

ALIKE = 1e-9
"""Values this near, as a share of the spread of the resamples, differ by rounding only."""


@dataclass(frozen=True, eq=False)
class Replicates:
    """Values of each metric on each resample, and with each unit left out (small samples only)."""

    plan: Plan
    resampled: dict[str, Floats] = field(default_factory=dict)
    left_out: dict[str, Floats] = field(default_factory=dict)


def replicate(sample: Sample, plan: Plan, only: tuple[str, ...] | None = None) -> Replicates:
    """Compute every bootstrapped metric, or only some, on every resample of one plan."""
    if gathered(sample, plan):
        return _by_cells((sample,), plan, only)[0]
    specs = _resampled(sample, only)
    prepared = Prepared(sample, plan.largest_total)
    resampled: dict[str, list[Floats]] = {spec.name: [] for spec in specs}
    left_out: dict[str, list[Floats]] = {spec.name: [] for spec in specs}
    with np.errstate(divide="ignore", invalid="ignore"):
        for weights in plan.draws(prepared.width):
            batch = prepared.batch(weights)
            for spec in specs:
                resampled[spec.name].append(spec.compute(batch))
        if 3 <= plan.units <= SMALL and plan.strata is None:
            for weights in plan.leave_one_out(prepared.width):
                batch = prepared.batch(weights)
                for spec in specs:
                    left_out[spec.name].append(spec.compute(batch))
    return Replicates(
        plan,
        {name: np.concatenate(parts) for name, parts in resampled.items()},
        {name: np.concatenate(parts) for name, parts in left_out.items() if parts},
    )


def together(one: Sample, other: Sample, plan: Plan) -> tuple[Replicates, Replicates]:
    """Compute the metrics of two samples of the same rows on the same resamples."""
    if gathered(one, plan) or gathered(other, plan):
        mine, theirs = _by_cells((one, other), plan, None)
        return mine, theirs
    return replicate(one, plan), replicate(other, plan)


def gathered(sample: Sample, plan: Plan) -> bool:
    """Whether a sample is so large that cells are resampled in place of rows."""
    k = len(sample.classes)
    passes = 1 if k <= 2 or sample.probabilities is None else 3 * min(k, MAX_RESAMPLED_PAIRS)
    plain = sample.weights is None and plan.groups is None and plan.strata is None
    return plain and sample.n > SMALL and sample.n * passes > LARGE


def _resampled(sample: Sample, only: tuple[str, ...] | None) -> list[MetricSpec]:
    return [
        spec
        for spec in wanted(sample)
        if spec.interval in ("bootstrap", "proportion")
        and (only is None or spec.name in only)
        and not _too_many_pairs(spec.name, sample)
    ]


def _by_cells(samples: tuple[Sample, ...], plan: Plan, only: tuple[str, ...] | None) -> list[Replicates]:
    specs = [_resampled(sample, only) for sample in samples]
    found: list[dict[str, list[Floats]]] = [{spec.name: [] for spec in each} for each in specs]
    with np.errstate(divide="ignore", invalid="ignore"):
        for batches in cells.batches(samples, plan):
            for batch, each, values in zip(batches, specs, found, strict=True):
                for spec in each:
                    values[spec.name].append(spec.compute(batch))
    return [Replicates(plan, {name: np.concatenate(parts) for name, parts in values.items()}) for values in found]


def _too_many_pairs(name: str, sample: Sample) -> bool:
    return name == "roc_auc_ovo" and len(sample.classes) > MAX_RESAMPLED_PAIRS


def too_few(plan: Plan) -> str:
    """Say that there are fewer rows, or groups, than resampling needs."""
    what = ("row" if plan.groups is None else "group") + ("s" if plan.units > 1 else "")
    return f"only {plan.units} {what}; an interval by resampling needs {LEAST}"


# Closed forms -------------------------------------------------------------------------------------


def wilson(successes: float, trials: float, level: float) -> tuple[float, float]:
    """Score interval for a proportion (Wilson 1927, JASA 22(158); Newcombe 1998, Stat. Med. 17(8))."""
    z = normal_quantile((1 + level) / 2)
    share, z2 = successes / trials, z * z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z / (1 + z2 / trials) * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    return (0.0 if successes <= 0 else float(middle - half)), (1.0 if successes >= trials else float(middle + half))


def normal_quantile(share: float) -> float:
    """Return the quantile of the standard normal distribution."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


# Resampling ---------------------------------------------------------------------------------------


def percentile(values: Floats, level: float) -> tuple[float, float]:
    """Percentile interval (Efron & Tibshirani 1993, chapter 13); quantiles by linear interpolation."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _bias_and_acceleration(estimate: float, values: Floats, left_out: Floats) -> tuple[float, float] | None:
    defined = left_out[~np.isnan(left_out)]
    if len(defined) < max(3, (1 - MAX_UNDEFINED) * len(left_out)):
        return None
    tied = np.abs(values - estimate) <= ALIKE * np.ptp(values)
    below = (np.sum((values < estimate) & ~tied) + 0.5 * np.sum(tied)) / len(values)
    if not 0 < below < 1:
        return None
    pull = defined.mean() - defined
    pull = pull / (float(np.abs(pull).max()) or 1.0)  # so that no power is beyond the range of numbers
    spread = float(np.sum(pull**2))
    acceleration = float(np.sum(pull**3)) / (6 * spread**1.5) if spread > 0 else 0.0
    return normal_quantile(float(below)), acceleration


def bca(estimate: float, values: Floats, left_out: Floats, level: float) -> tuple[float, float] | None:
    """BCa interval (Efron 1987, JASA 82(397)); None where its constants are undefined."""
    constants = _bias_and_acceleration(estimate, values, left_out)
    if constants is None:
        return None
    from statistics import NormalDist

    bias, acceleration = constants
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        z = bias + normal_quantile(share)
        if 1 - acceleration * z <= 0:
            return None
        ends.append(NormalDist().cdf(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(values, ends)
    return float(low), float(high)


def from_replicates(
    estimate: float, values: Floats, left_out: Floats | None, level: float, scale: float = 0.0
) -> Interval:
    """Choose the interval that the resamples of one number allow; none where its width is nothing beside `scale`."""
    defined = values[~np.isnan(values)]
    lost = len(values) - len(defined)
    if lost > MAX_UNDEFINED * len(values):
        why = f"the metric is undefined on {lost:,} of {len(values):,} resamples, more than {MAX_UNDEFINED:.0%}"
        return Interval(None, None, level, "none", len(values), lost, why)
    tiny = 1e-12 * max(scale, float(np.abs(defined).max()))
    many, ends, method = "all", None, "bca"
    if float(defined.max() - defined.min()) > tiny:
        many = "nearly all"
        if left_out is not None:
            ends = bca(estimate, defined, left_out, level)
        if ends is None:
            ends, method = percentile(defined, level), "percentile"
    if ends is None or ends[1] - ends[0] <= tiny:
        why = f"{many} {len(values):,} resamples give the same value, so they cannot show how far off it may be"
        return Interval(None, None, level, "none", len(values), lost, why)
    return Interval(*ends, level, method, len(values), lost)


# Choice -------------------------------------------------------------------------------------------


def for_metric(
    name: str, estimate: float, sample: Sample, replicates: Replicates | None, level: float, seed: int
) -> Interval:
    """Return the interval of one metric.

    Shares of counted rows get Wilson's score interval, at their edges as modified by Brown, Cai & DasGupta; with
    weights or groups they are resampled like all others, and where every resample agrees (an edge) Wilson's
    interval for the effective number of rows or for the number of groups. ROC AUC and average precision get score
    intervals where a class has few rows (see `area` and `precision_score`), since resamples then repeat the few.
    Mean squared errors, which a few rows may dominate, get an interval of their skewness (see `squares`).
    Other metrics get BCa intervals from 10 to 2,000 rows (or groups), percentile intervals above. DeLong's interval
    stands beside that of ROC AUC.
    """
    spec = METRICS[name]
    if spec.interval == "none":
        return Interval(None, None, level, "none", 0, 0, spec.no_interval)
    if spec.interval == "calibration":
        return calibration.debiased_interval(sample, level, seed)
    if spec.interval == "recalibration":
        fitted = calibration.slope(sample) if name == "calibration_slope" else calibration.intercept(sample)
        return calibration.recalibration_interval(fitted, level)
    plain = sample.plain
    if spec.interval == "proportion" and plain:
        return share(*_counted(name, sample), level)
    if replicates is None:
        return Interval(None, None, level, "none", 0, 0, "resampling was not run")
    if _too_many_pairs(name, sample):
        why = f"it is resampled for up to {MAX_RESAMPLED_PAIRS} classes, and there are {len(sample.classes)}"
        return Interval(None, None, level, "none", 0, 0, why)
    few = withheld(name, sample)
    if few is not None:
        return Interval(None, None, level, "none", reason=few)
    if plain and name in AREAS:
        return _of_area(name, estimate, sample, replicates, level)
    if plain and name == "average_precision" and _rarest(sample) < RARE_PRECISION:
        return precision_score(estimate, _positives(sample), replicates.resampled[name], level)
    if plain and name in SQUARES and sample.n >= LEAST:
        labels = np.asarray(sample.labels, dtype=np.float64)
        found = squares(name, labels, labels - sample.predictions, level)
        if found is not None:
            return found
    return _bootstrapped(name, estimate, sample, replicates, level)


def _bootstrapped(name: str, estimate: float, sample: Sample, replicates: Replicates, level: float) -> Interval:
    units, spec = replicates.plan.units, METRICS[name]
    if units < LEAST:
        found = Interval(None, None, level, "none", reason=too_few(replicates.plan))
    else:
        left_out = None if name == "median_absolute_error" else replicates.left_out.get(name)
        scale = 1.0 if spec.unit in ("share", "correlation", "ratio") else 0.0
        found = from_replicates(estimate, replicates.resampled[name], left_out, level, scale)
    if found.low is not None or spec.interval != "proportion":
        return found
    if found.undefined_resamples > MAX_UNDEFINED * found.n_resamples:
        return found
    size = _effective(name, sample)
    return Interval(*wilson(estimate * size, size, level), level, "wilson, effective rows")


def share(successes: int, trials: int, level: float) -> Interval:
    """Return the interval of a counted share.

    Wilson's, which covers badly next to 0 and 1: with one to three successes its lower end is taken down to the
    Poisson bound ``gamma^-1(successes, 1 - level) / trials``, and likewise for failures (Brown, Cai & DasGupta
    2001, Statistical Science 16(2), section 4.1.1). From 20 trials on it then covers 92 % or more everywhere,
    where Wilson's own falls to 83 %, and it stays shorter than Clopper and Pearson's.
    """
    low, high = wilson(successes, trials, level)
    if not (0 < successes <= EDGE or 0 < trials - successes <= EDGE):
        return Interval(low, high, level, "wilson")
    from scipy.special import gammaincinv

    if 0 < successes <= EDGE:
        low = min(low, float(gammaincinv(successes, 1 - level)) / trials)
    if 0 < trials - successes <= EDGE:
        high = max(high, 1 - float(gammaincinv(trials - successes, 1 - level)) / trials)
    return Interval(low, high, level, "wilson, edge")


def squares(name: str, labels: Floats, errors: Floats, level: float) -> Interval | None:
    """Return the interval of a metric that is a mean of squared errors, which a few rows may dominate.

    With ``s`` the studentised estimate and ``g`` the skewness of its influence values over ``sqrt(n)``,
    ``s + g s**2 / 3 + g**2 s**3 / 27 + g / 6`` is nearly normal and always increasing (Hall 1992, JRSS B 54(1)); it is
    solved for the true value at both quantiles of Student's t. Influence values are the squares, or for R² and
    explained variance ``(square - ratio * (label - mean)**2) / variance``. With errors of heavy tails (t, 6 degrees of
    freedom) it covers 93 % at n = 100, BCa intervals 90 %.

    Parameters
    ----------
    name : str
        One of `SQUARES`.
    labels, errors : ndarrays of shape (n,)
    level : float

    Returns
    -------
    Interval or None
        None where all influence values are the same.
    """
    from scipy.special import stdtrit

    ratio, n = name in ("r2", "explained_variance"), len(errors)
    scale = float(np.abs(labels - labels.mean() if ratio else errors).max())  # so that no power leaves the numbers
    if scale == 0:
        return None
    square = ((errors - errors.mean() if name == "explained_variance" else errors) / scale) ** 2
    estimate, pull = float(square.mean()), square
    if ratio:
        apart = ((labels - labels.mean()) / scale) ** 2
        estimate /= float(apart.mean())
        pull = (square - estimate * apart) / float(apart.mean())
    pull = pull - pull.mean()
    spread = float(np.sqrt(np.mean(pull**2)))
    if spread <= 1e-12 * estimate:
        return None
    skew = float(np.mean((pull / spread) ** 3)) / np.sqrt(n)
    error, t = spread / np.sqrt(n - 1), float(stdtrit(n - 1, (1 + level) / 2))

    def end(reached: float) -> float:
        """Return the mean at which the transformed studentised estimate is `reached`."""
        student = 3 * (np.cbrt(1 + skew * (reached - skew / 6)) - 1) / skew if abs(skew) > 1e-9 else reached
        return max(0.0, float(estimate - error * student))

    low, high = end(t), end(-t)
    if ratio:
        return Interval(1 - high, 1 - low, level, "skewness")
    roots = scale * float(np.sqrt(low)), scale * float(np.sqrt(high))
    if name == "root_mean_squared_error":
        return Interval(*roots, level, "skewness")
    return Interval(roots[0] ** 2, roots[1] ** 2, level, "skewness")


# Areas and precisions over few rows of a class ----------------------------------------------------


def _of_area(name: str, estimate: float, sample: Sample, replicates: Replicates, level: float) -> Interval:
    assert sample.probabilities is not None
    counts = np.bincount(sample.labels, minlength=len(sample.classes))
    delong = 0.0
    if name == "roc_auc":
        assert sample.positive is not None
        delong = delong_variance(sample.labels == sample.positive, sample.probabilities[:, sample.positive])
    values = replicates.resampled[name]
    lost = int(np.sum(np.isnan(values)))
    if counts.min() >= RARE or lost > MAX_UNDEFINED * len(values):
        found = _bootstrapped(name, estimate, sample, replicates, level)
    elif name == "roc_auc":
        found = Interval(*area(estimate, delong, compared(name, counts), level), level, "score")
    else:
        variance = float(np.nanvar(values))
        ends = area(estimate, variance, compared(name, counts), level)
        found = Interval(*ends, level, "score", len(values), lost)
    if not delong > 0:
        return found
    half = normal_quantile((1 + level) / 2) * float(np.sqrt(delong))
    ends = max(0.0, estimate - half), min(1.0, estimate + half)
    return replace(found, also=(Interval(*ends, level, "delong"),))


def compared(name: str, counts: Integers) -> Floats:
    """Return, for each area that a metric is the mean of, its share and the rows on either side; shape (areas, 3)."""
    k, n = len(counts), int(counts.sum())
    if name == "roc_auc":
        return np.array([[1.0, counts[0], counts[1]]])
    if name == "roc_auc_ovo":
        pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
        return np.array([[1 / len(pairs), counts[i], counts[j]] for i, j in pairs])
    shares = np.full(k, 1 / k) if name == "roc_auc_ovr" else counts / n
    return np.column_stack([shares, counts, n - counts])


def delong_variance(positive: Booleans, score: Floats) -> float:
    """Return DeLong's variance of the area under the ROC curve.

    ``var(V10) / m + var(V01) / n``, V10 the share of negatives that a positive outranks and V01 the share of
    positives that outrank a negative, ties one half (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3)).

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
        At least two rows of either kind.
    score : ndarray of shape (n,)
    """
    x, y = np.sort(score[positive]), np.sort(score[~positive])
    above = (np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")) / (2 * len(y))
    below = 1 - (np.searchsorted(x, y, "left") + np.searchsorted(x, y, "right")) / (2 * len(x))
    return float(np.var(above, ddof=1)) / len(x) + float(np.var(below, ddof=1)) / len(y)


def area(estimate: float, variance: float, areas: Floats, level: float) -> tuple[float, float]:
    """Score interval for an area under the ROC curve: every A with ``(estimate - A)**2 <= z**2 V(A)``.

    V(A) is that of Newcombe 2006 (Stat. Med. 25(4), method 5: the variance of Hanley & McNeil 1982 with the mean
    number of rows in either place), but no less than ``variance * A (1 - A) / (estimate (1 - estimate))``: the
    first alone misses where scores of the rare class spread more, DeLong's where few rows happen to agree. For a
    mean of areas it is the sum of ``share**2`` times that of each, as if all were A and independent.

    Parameters
    ----------
    estimate : float
    variance : float
        DeLong's, or that of resamples; 0 where it is unknown.
    areas : ndarray of shape (areas, 3)
        As from `compared`.
    level : float

    Examples
    --------
    >>> [round(end, 3) for end in area(0.9, 0.0, np.array([[1.0, 30, 30]]), 0.95)]
    [0.783, 0.955]
    """
    z2 = normal_quantile((1 + level) / 2) ** 2
    share, up, down = areas.T
    more, weight = (up + down) / 2 - 1, share**2 / (up * down)
    own, pairs = float(np.sum(weight)), float(np.sum(weight * more))
    known = variance / (estimate * (1 - estimate)) if variance > 0 and 0 < estimate < 1 else 0.0

    def held(a: float) -> bool:
        exponential = own + pairs * ((1 - a) / (2 - a) + a / (1 + a))
        return (estimate - a) ** 2 <= z2 * a * (1 - a) * max(exponential, known)

    ends = []
    for outer in (0.0, 1.0):
        inner, end = estimate, outer
        for _ in range(60):
            middle = (inner + end) / 2
            inner, end = (middle, end) if held(middle) else (inner, middle)
        ends.append(inner)
    return ends[0], ends[1]


def precision_score(estimate: float, positives: int, values: Floats, level: float) -> Interval:
    """Return the interval of average precision over few positives or few negatives.

    Wilson's score interval that takes positives as trials (after the binomial interval of Boyd, Eng & Page 2013,
    ECML PKDD), or as many as resamples say the estimate is worth where those are fewer.
    """
    defined = values[~np.isnan(values)]
    lost = len(values) - len(defined)
    spread = float(np.var(defined)) if len(defined) else 0.0
    worth = estimate * (1 - estimate) / spread if spread > 0 else np.inf
    trials = min(float(positives), worth)
    return Interval(*wilson(estimate * trials, trials, level), level, "score", len(values), lost)


def _positives(sample: Sample) -> int:
    return int(np.sum(sample.labels == sample.positive))


def _rarest(sample: Sample) -> int:
    return int(np.bincount(sample.labels, minlength=len(sample.classes)).min())


# Counts -------------------------------------------------------------------------------------------


def _asked(name: str, sample: Sample) -> Booleans:
    """Return the rows of which a metric is a share."""
    y, guess, p = sample.labels, sample.predictions, sample.positive
    if name == "accuracy":
        return np.ones(sample.n, dtype=bool)
    return np.asarray({"precision": guess == p, "recall": y == p, "specificity": y != p}[name])


def _counted(name: str, sample: Sample) -> tuple[int, int]:
    """Return successes and trials of a metric that is a share of counted rows."""
    chosen = _asked(name, sample)
    return int(np.sum(chosen & (sample.labels == sample.predictions))), int(np.sum(chosen))


def withheld(name: str, sample: Sample) -> str | None:
    """Say that one class is too rare for resamples to show how a metric varies; None where all are met enough.

    Metrics of labels mix what was labelled and what was predicted, metrics of ranks the classes of the labels.
    With fewer than five rows of a class, or five groups that hold it, intervals miss the true value too often.
    """
    if name in RANKING:
        sources = [(sample.labels, "labelled")]
    elif METRICS[name].needs == "labels" and METRICS[name].interval == "bootstrap" and sample.task == "binary":
        sources = [(sample.labels, "labelled"), (sample.predictions, "predicted as")]
    else:
        return None
    for codes, how in sources:
        for code, count in enumerate(_units(codes, sample)):
            if 0 < count < FEW:
                which = ("row is " if count == 1 else "rows are ") + how
                if sample.groups is not None:
                    which = ("group has rows " if count == 1 else "groups have rows ") + how
                return f"only {count} {which} {sample.classes[code]!r}; an interval needs {FEW}"
    return None


def _units(codes: Integers | Floats, sample: Sample) -> list[int]:
    """Return the rows of each class, or the groups that hold any."""
    k = len(sample.classes)
    if sample.groups is None:
        return [int(count) for count in np.bincount(codes.astype(np.int64), minlength=k)]
    return [len(np.unique(sample.groups[codes == code])) for code in range(k)]


def _effective(name: str, sample: Sample) -> float:
    """Return Kish's effective number of the rows of a share (1965, section 11.7), at most that of their groups."""
    chosen = _asked(name, sample)
    w = (sample.weights if sample.weights is not None else np.ones(sample.n))[chosen]
    size = float(w.sum() ** 2 / np.sum(w**2))
    return size if sample.groups is None else min(size, float(len(np.unique(sample.groups[chosen]))))
