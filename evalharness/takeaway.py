"""Five sentences, each a function of tables; words that judge are used only where a test passed.

Every number a sentence prints is kept with it, as printed, and so is in metrics.json.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import paired
from evalharness.metrics import METRICS
from evalharness.schemas import Claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.calibration import CalibrationTest
    from evalharness.failures import Failures
    from evalharness.schemas import Config, Floats, Interval, Sample
    from evalharness.slices import Slice, Slices

GOOD_CALIBRATION = 0.05
"""Probabilities are called well calibrated when the whole interval of their error is below this."""


class _Words:
    """Collects the numbers and names of one sentence while it is written."""

    def __init__(self, level: float) -> None:
        self.numbers: dict[str, float | int] = {}
        self.names: dict[str, str] = {}
        self.level = level

    def number(self, name: str, value: float) -> str:
        printed = rounded(value)
        self.numbers[name] = printed
        return json.dumps(printed)

    def count(self, name: str, value: int) -> str:
        self.numbers[name] = int(value)
        return str(int(value))

    def name(self, key: str, text: str) -> str:
        flat = " ".join(text.split())
        self.names[key] = flat
        return flat

    def interval(self, found: Interval, key: str = "") -> str:
        if found.low is None or found.high is None:
            return "no interval"
        level = self.number("confidence_percent", 100 * self.level)
        return f"{level} % interval {self.number(key + 'low', found.low)} to {self.number(key + 'high', found.high)}"

    def p(self, value: float, key: str = "p_value") -> str:
        if value < 0.001:
            self.numbers[key + "_below"] = 0.001
            return "p < 0.001"
        return f"p = {self.number(key, value)}"

    def claim(self, about: str, sentence: str) -> Claim:
        return Claim(about, sentence, self.numbers, self.names)


def rounded(value: float) -> float | int:
    """Round for reading: three decimals from 0.1 up, four digits for large numbers, three for small.

    What is just below 1 keeps as many decimals as tell it from 1, up to six.
    """
    size = abs(value)
    if 0.9995 <= size < 1 - 5e-7:
        return round(value, 1 - int(np.floor(np.log10(1 - size))))
    if size >= 1000:
        digits = 3 - int(np.floor(np.log10(size)))
        return int(round(value, min(digits, 0)))
    result = round(value, 3) if size >= 0.1 or size == 0 else round(value, 2 - int(np.floor(np.log10(size))))
    return int(result) if float(result).is_integer() else result


def write(
    sample: Sample,
    config: Config,
    metrics: Mapping[str, float | None],
    intervals: Mapping[str, Interval],
    calibration: CalibrationTest | None,
    slices: Slices,
    failures: Failures,
) -> tuple[Claim, ...]:
    """Return the five claims: headline, baseline, calibration or bias, slices, failures."""
    level = config.confidence_level
    if sample.task == "regression":
        first = (
            _headline("root_mean_squared_error", sample, metrics, intervals, level),
            _mean_baseline(sample, metrics, intervals, level),
            _bias(metrics, intervals, level),
        )
    else:
        beats, baseline = _majority(sample, metrics, intervals, level)
        name = "accuracy" if beats else ("roc_auc" if metrics.get("roc_auc") is not None else "balanced_accuracy")
        first = (
            _headline(name, sample, metrics, intervals, level),
            baseline,
            _calibration(sample, metrics, intervals, calibration, level),
        )
    return (*first, _slices(slices, sample, metrics, level), _failures(failures, level))


def _headline(
    name: str,
    sample: Sample,
    metrics: Mapping[str, float | None],
    intervals: Mapping[str, Interval],
    level: float,
) -> Claim:
    words = _Words(level)
    value = metrics[name]
    title = METRICS[name].title
    rows = f"on {words.count('n', sample.n)} row{'' if sample.n == 1 else 's'}"
    if value is None:
        return words.claim("headline", f"{title} is not defined {rows}.")
    return words.claim(
        "headline", f"{title} is {words.number(name, value)} ({words.interval(intervals[name])}) {rows}."
    )


def _majority(
    sample: Sample, metrics: Mapping[str, float | None], intervals: Mapping[str, Interval], level: float
) -> tuple[bool, Claim]:
    """Judge accuracy against always answering the most frequent class of these very labels."""
    words = _Words(level)
    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    mass = np.bincount(sample.labels, weights=w, minlength=len(sample.classes))
    top = int(np.argmax(mass))
    share = float(mass[top] / mass.sum())
    accuracy, interval = metrics["accuracy"], intervals["accuracy"]
    assert accuracy is not None
    answer = words.name("majority_class", repr(sample.classes[top]))
    said = f"always answering {answer}, which is right in a share of {words.number('majority_share', share)}"
    right, would = sample.labels == sample.predictions, sample.labels == top
    if sample.weights is None and sample.groups is None:
        test, p = "McNemar", paired.mcnemar(int(np.sum(right & ~would)), int(np.sum(would & ~right)))
    else:
        test, p = "paired t test", _paired_t(right.astype(np.float64) - would, sample)
    decided = interval.low is not None and not interval.contains(share) and p <= 1 - level
    by = f"{test} {words.p(p)}" if decided else ""
    if decided and accuracy > share:
        return True, words.claim(
            "baseline", f"Accuracy, {words.number('accuracy', accuracy)}, is better than {said} ({by})."
        )
    if decided:
        return False, words.claim(
            "baseline", f"Accuracy, {words.number('accuracy', accuracy)}, is worse than {said} ({by})."
        )
    return False, words.claim(
        "baseline",
        f"There is no evidence that accuracy, {words.number('accuracy', accuracy)}, differs from {said}.",
    )


def _paired_t(difference: Floats, sample: Sample) -> float:
    """P-value of a weighted mean difference of 0, by Student's t over rows or groups (Binder 1983)."""
    from scipy.special import stdtr

    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    mean = float(np.sum(w * difference) / w.sum())
    pull = w * (difference - mean) / w.sum()
    if sample.groups is not None:
        pull = np.bincount(sample.groups, weights=pull)
    units = int(np.count_nonzero(np.bincount(sample.groups, weights=w) if sample.groups is not None else w))
    variance = float(np.sum(pull**2)) * units / (units - 1) if units > 1 else 0.0
    return 1.0 if variance <= 0 else float(min(1.0, 2 * stdtr(units - 1, -abs(mean) / np.sqrt(variance))))


def _mean_baseline(
    sample: Sample, metrics: Mapping[str, float | None], intervals: Mapping[str, Interval], level: float
) -> Claim:
    words = _Words(level)
    value, interval = metrics["r2"], intervals["r2"]
    del sample
    if value is None:
        return words.claim(
            "baseline",
            "R squared is not defined, so the predictions cannot be set against the mean of the labels.",
        )
    said = f"R squared is {words.number('r2', value)} ({words.interval(interval)})"
    if interval.low is None or interval.high is None or interval.contains(0.0):
        return words.claim(
            "baseline",
            f"There is no evidence of a difference from always answering the mean of the labels: {said}.",
        )
    word = "better" if interval.low > 0 else "worse"
    return words.claim("baseline", f"The predictions are {word} than always answering the mean of the labels: {said}.")


def _bias(metrics: Mapping[str, float | None], intervals: Mapping[str, Interval], level: float) -> Claim:
    words = _Words(level)
    value, interval = metrics["mean_bias_error"], intervals["mean_bias_error"]
    assert value is not None
    if interval.low is None or interval.contains(0.0):
        return words.claim(
            "bias",
            "There is no evidence that predictions are too high or too low on "
            "average: the mean bias is "
            f"{words.number('mean_bias_error', value)} "
            f"({words.interval(interval)}).",
        )
    side = "high" if value > 0 else "low"
    return words.claim(
        "bias",
        f"Predictions are too {side} on average: the mean bias is "
        f"{words.number('mean_bias_error', value)} ({words.interval(interval)}).",
    )


def _calibration(
    sample: Sample,
    metrics: Mapping[str, float | None],
    intervals: Mapping[str, Interval],
    test: CalibrationTest | None,
    level: float,
) -> Claim:
    words = _Words(level)
    if sample.probabilities is None or test is None:
        return words.claim("calibration", "Calibration was not judged, because no probabilities were given.")
    value, interval = metrics["debiased_calibration_error"], intervals["debiased_calibration_error"]
    if value is None or interval.low is None or interval.high is None:
        expected = metrics["expected_calibration_error"]
        assert expected is not None
        return words.claim(
            "calibration",
            "Calibration could not be judged with certainty; the plug-in expected calibration error is "
            f"{words.number('expected_calibration_error', expected)}.",
        )
    error = (
        "their root mean square calibration error is "
        f"{words.number('debiased_calibration_error', value)} ({words.interval(interval)})"
    )
    rejected = test.p_value is not None and test.p_value <= 1 - level
    if rejected and test.p_value is not None:
        return words.claim(
            "calibration",
            f"The probabilities are not perfectly calibrated: {error}, chi-squared {words.p(test.p_value)}.",
        )
    if interval.high <= GOOD_CALIBRATION and test.p_value is not None:
        return words.claim(
            "calibration",
            f"The probabilities are well calibrated: {error}, all of it below "
            f"{words.number('bound', GOOD_CALIBRATION)}.",
        )
    return words.claim("calibration", f"There is no evidence of miscalibration, but not enough to exclude it: {error}.")


def _slices(slices: Slices, sample: Sample, metrics: Mapping[str, float | None], level: float) -> Claim:
    words = _Words(level)
    if slices.reason is not None or slices.tested == 0:
        if sample.frame is None:
            return words.claim("slices", "No slices were tested, because no data was given.")
        return words.claim("slices", "No slices were tested, because none has enough rows.")
    metric = "mean_absolute_error" if sample.task == "regression" else "accuracy"
    overall = metrics[metric]
    assert overall is not None
    sign = 1 if METRICS[metric].greater_is_better else -1
    worse = [row for row in slices.rows if row.significant and sign * (row.estimate - overall) < 0]
    tested = words.count("tested", slices.tested)
    if not worse:
        return words.claim(
            "slices",
            f"None of the {tested} slices tested does significantly worse than the other rows after "
            "correction for their number.",
        )

    def corrected(row: Slice) -> float:
        return row.estimate if row.adjusted_estimate is None else row.adjusted_estimate

    row = min(worse, key=lambda r: (sign * corrected(r), r.slice))
    span = "no interval"
    if row.adjusted_low is not None and row.adjusted_high is not None:
        percent = words.number("confidence_percent", 100 * level)
        low, high = words.number("low", row.adjusted_low), words.number("high", row.adjusted_high)
        span = f"{percent} % interval {low} to {high}, corrected for the search"
    where = words.name("slice", row.slice)
    return words.claim(
        "slices",
        f"Of {tested} slices tested, {words.count('worse', len(worse))} "
        f"{'is' if len(worse) == 1 else 'are'} significantly worse than the "
        "other rows, "
        f"most of all {where}: {METRICS[metric].title} "
        f"{words.number('estimate', corrected(row))} ({span}) on "
        f"{words.count('support', row.support)} rows, "
        f"against {words.number('overall', overall)} overall.",
    )


def _failures(failures: Failures, level: float) -> Claim:
    words = _Words(level)
    n = words.count("n", failures.n)
    if failures.errors == 0:
        return words.claim("failures", f"No row of {n} counts as an error.")
    top = max(failures.categories, key=lambda c: c.count)
    tied = sum(c.count == top.count for c in failures.categories) > 1
    share = f"{words.number('share', top.share or 0.0)}"
    kind = "one of the largest kinds" if tied else "the largest kind"
    span = (
        ""
        if top.low is None or top.high is None
        else (
            f", {words.number('confidence_percent', 100 * level)} % interval {words.number('low', top.low)} "
            f"to {words.number('high', top.high)}"
        )
    )
    more = ""
    if top.lift is not None and top.lift_low is not None and top.lift_low > 1:
        more = f", {words.number('lift', top.lift)} times as often as its share of all rows"
    plural = "error" if failures.errors == 1 else "errors"
    return words.claim(
        "failures",
        f"Of {words.count('errors', failures.errors)} {plural} in {n} rows, "
        f"{kind} is {top.category!r} with {words.count('count', top.count)} "
        f"(share {share}{span}{more}).",
    )


def text(claims: tuple[Claim, ...]) -> str:
    """Return the sentences, one on each line."""
    return "\n".join(claim.sentence for claim in claims)


def as_data(claims: tuple[Claim, ...]) -> list[dict[str, Any]]:
    """Return the claims as plain data."""
    return [
        {"about": c.about, "sentence": c.sentence, "numbers": dict(c.numbers), "names": dict(c.names)} for c in claims
    ]
