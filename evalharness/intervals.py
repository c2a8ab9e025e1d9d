"""Intervals and tests from an estimate, its resamples and its jackknife; closed forms for proportions.

Which one is used when is decided in `for_metric`, and said in `Interval.method`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evalharness import calibration, cells
from evalharness.batch import Prepared
from evalharness.metrics import METRICS, MetricSpec, wanted
from evalharness.schemas import Interval

if TYPE_CHECKING:
    from evalharness.resample import Plan
    from evalharness.schemas import Floats, Sample

SMALL = 2000
"""Up to this many units intervals are BCa, by the jackknife; above, percentiles do as well."""

LARGE = 50_000
"""With more rows (times passes over them) than this, cells are resampled in place of rows."""

MAX_RESAMPLED_PAIRS = 50
"""One-against-one areas are resampled up to this many classes."""

FEW = 5
"""Fewer rows of a class than this cannot show how metrics that mix both classes vary."""

RANKING = ("roc_auc", "average_precision", "roc_auc_ovr", "roc_auc_ovo")
"""Metrics in which each class of the labels counts alike, however rare."""

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
        if 3 <= plan.units <= SMALL:
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


def p_value(estimate: float, values: Floats, left_out: Floats | None) -> float:
    """Two-sided p-value of "the true value is 0": one minus the level at which the interval just touches 0.

    Percentile intervals are turned round for large samples and BCa intervals for small ones (Efron &
    Tibshirani 1993, section 15.4 and chapter 14). Never below ``2 / (n_resamples + 1)``, which it is where no
    resample reaches 0.
    """
    from statistics import NormalDist

    m = len(values)
    if values.min() > 0 or values.max() < 0:  # no resample reaches 0: the correction of BCa has nothing to go by
        return 2 / (m + 1)
    below = (float(np.sum(values < 0)) + 0.5 * float(np.sum(values == 0)) + 0.5) / (m + 1)
    share = below
    constants = None if left_out is None else _bias_and_acceleration(estimate, values, left_out)
    if constants is not None:
        bias, acceleration = constants
        z = normal_quantile(below) - bias
        bottom = 1 + acceleration * z
        if bottom > 0:
            share = NormalDist().cdf(z / bottom - bias)
    return float(min(1.0, max(2 * min(share, 1 - share), 2 / (m + 1))))


def from_replicates(estimate: float, values: Floats, left_out: Floats | None, level: float) -> Interval:
    """Choose the interval that the resamples of one number allow."""
    defined = values[~np.isnan(values)]
    lost = len(values) - len(defined)
    if lost > MAX_UNDEFINED * len(values):
        why = f"the metric is undefined on {lost:,} of {len(values):,} resamples, more than {MAX_UNDEFINED:.0%}"
        return Interval(None, None, level, "none", len(values), lost, why)
    spread = float(defined.max() - defined.min())
    if spread <= 1e-12 * float(np.abs(defined).max()):
        why = f"all {len(values):,} resamples give the same value, so they cannot show how far off it may be"
        return Interval(None, None, level, "none", len(values), lost, why)
    if left_out is not None:
        ends = bca(estimate, defined, left_out, level)
        if ends is not None:
            return Interval(*ends, level, "bca", len(values), lost)
    return Interval(*percentile(defined, level), level, "percentile", len(values), lost)


# Choice -------------------------------------------------------------------------------------------


def _counted(name: str, sample: Sample) -> tuple[int, int]:
    """Return successes and trials of a metric that is a share of counted rows."""
    y, guess, p = sample.labels, sample.predictions, sample.positive
    if name == "accuracy":
        return int(np.sum(y == guess)), sample.n
    chosen = {"precision": guess == p, "recall": y == p, "specificity": y != p}[name]
    return int(np.sum(chosen & (y == guess))), int(np.sum(chosen))


def for_metric(
    name: str, estimate: float, sample: Sample, replicates: Replicates | None, level: float, seed: int
) -> Interval:
    """Return the interval of one metric.

    Shares of counted rows get Wilson's score interval; with weights or groups they are resampled like all
    others, and where every resample agrees (an edge) Wilson's interval for the effective number of rows or
    for the number of groups. Other metrics get BCa intervals up to 2,000 rows (or groups), percentile
    intervals above.
    """
    spec = METRICS[name]
    if spec.interval == "none":
        return Interval(None, None, level, "none", 0, 0, spec.no_interval)
    if spec.interval == "calibration":
        return calibration.debiased_interval(sample, level, seed)
    plain = sample.weights is None and sample.groups is None
    if spec.interval == "proportion" and plain:
        return Interval(*wilson(*_counted(name, sample), level), level, "wilson")
    if replicates is None:
        return Interval(None, None, level, "none", 0, 0, "resampling was not run")
    if _too_many_pairs(name, sample):
        why = f"it is resampled for up to {MAX_RESAMPLED_PAIRS} classes, and there are {len(sample.classes)}"
        return Interval(None, None, level, "none", 0, 0, why)
    few = withheld(name, sample)
    if few is not None:
        return Interval(None, None, level, "none", reason=few)
    smooth = name not in ("median_absolute_error",)
    left_out = replicates.left_out.get(name) if smooth else None
    found = from_replicates(estimate, replicates.resampled[name], left_out, level)
    if (
        found.low is None
        and spec.interval == "proportion"
        and found.undefined_resamples <= MAX_UNDEFINED * found.n_resamples
    ):
        size = _effective(sample)
        return Interval(*wilson(estimate * size, size, level), level, "wilson, effective rows")
    return found


def withheld(name: str, sample: Sample) -> str | None:
    """Say that one class is too rare for resamples to show how a metric varies; None where all are met enough.

    Metrics of labels mix what was labelled and what was predicted, metrics of ranks the classes of the labels.
    With fewer than five rows of a class their intervals miss the true value far too often.
    """
    if name in RANKING:
        sources = [(sample.labels, "labelled")]
    elif METRICS[name].needs == "labels" and METRICS[name].interval == "bootstrap" and sample.task == "binary":
        sources = [(sample.labels, "labelled"), (sample.predictions, "predicted as")]
    else:
        return None
    for codes, how in sources:
        for code, count in enumerate(np.bincount(codes, minlength=len(sample.classes))):
            if 0 < count < FEW:
                rows = "row is" if count == 1 else "rows are"
                return f"only {count} {rows} {how} {sample.classes[code]!r}; an interval needs {FEW}"
    return None


def _effective(sample: Sample) -> float:
    """Return Kish's effective number of rows (1965, section 11.7), at most the number of groups."""
    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    size = float(w.sum() ** 2 / np.sum(w**2))
    return size if sample.groups is None else min(size, float(sample.groups.max() + 1))
