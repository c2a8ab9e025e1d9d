"""Five sentences, each a function of tables; words that judge are used only where a test passed.

Every number a sentence prints is kept with it, as printed, and so is in metrics.json.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import paired
from evalharness.failures import LARGE
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
            _bias(sample, metrics, intervals, level),
        )
    else:
        beats, baseline = _majority(sample, metrics, intervals, level)
        name = "accuracy" if beats else ("roc_auc" if metrics.get("roc_auc") is not None else "balanced_accuracy")
        first = (
            _headline(name, sample, metrics, intervals, level),
            baseline,
            _calibration(sample, metrics, intervals, calibration, level),
        )
    return (*first, _slices(slices, sample, metrics, level), _failures(failures, sample, level))


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
    verdict = _verdict(p, interval, share, accuracy - share, level)
    said = f"accuracy, {words.number('accuracy', accuracy)}, {{}} {said}"
    if verdict == "none":
        return False, words.claim("baseline", f"There is no evidence that {said.format('differs from')}.")
    by = f"{test} {words.p(p)}"
    if verdict == "split":
        whether = said.format("differs from")
        return False, words.claim("baseline", f"It is not decided whether {whether}: {by}, {_places(interval, share)}.")
    judged = said.format("is better than" if accuracy > share else "is worse than")
    return accuracy > share, words.claim("baseline", f"{judged[0].upper()}{judged[1:]} ({by}).")


def _verdict(p: float, interval: Interval, null: float, difference: float, level: float) -> str:
    """Return "shown" where test and interval leave `null` out on the side seen, "none" where neither does, or "split".

    Where there is no interval the test decides alone.
    """
    rejected = p <= 1 - level
    if interval.low is None or interval.high is None:
        return "shown" if rejected else "none"
    if rejected and (interval.low > null if difference > 0 else interval.high < null):
        return "shown"
    return "none" if not rejected and interval.contains(null) else "split"


def _places(interval: Interval, null: float) -> str:
    return f"although that share lies {'in' if interval.contains(null) else 'outside'} the interval of accuracy"


def _paired_t(difference: Floats, sample: Sample) -> float:
    """P-value of a weighted mean difference of 0, by Student's t over rows or groups (Binder 1983).

    Where all differences are one number but 0, t has no value; then the share of all changes of signs that give as
    large a mean (Fisher 1935, The Design of Experiments, section 21).
    """
    from scipy.special import stdtr

    difference = _scaled(difference)
    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    mean = float(np.sum(w * difference) / w.sum())
    pull = w * (difference - mean) / w.sum()
    if sample.groups is not None:
        pull = np.bincount(sample.groups, weights=pull)
    units = int(np.count_nonzero(np.bincount(sample.groups, weights=w) if sample.groups is not None else w))
    if units < 2 or mean == 0:
        return 1.0
    error = float(np.sqrt(np.sum(pull**2) * units / (units - 1)))
    if error <= 1e-12 * abs(mean):
        return float(2.0 ** (1 - units))
    return float(min(1.0, 2 * stdtr(units - 1, -abs(mean) / error)))


def _scaled(values: Any) -> Any:
    """Return values over the largest of them, so that products and squares stay within range."""
    largest = float(np.abs(values).max())
    return values / largest if largest > 0 else values


def _mean_baseline(
    sample: Sample, metrics: Mapping[str, float | None], intervals: Mapping[str, Interval], level: float
) -> Claim:
    """Judge squared errors against those of always answering the mean of these very labels."""
    words = _Words(level)
    value, interval = metrics["r2"], intervals["r2"]
    if value is None:
        return words.claim(
            "baseline",
            "R squared is not defined, so the predictions cannot be set against the mean of the labels.",
        )
    p = _against_mean(sample)
    said = f"R squared is {words.number('r2', value)} ({words.interval(interval)}), paired t test {words.p(p)}"
    verdict = _verdict(p, interval, 0.0, value, level)
    than = "always answering the mean of the labels"
    if verdict == "none":
        return words.claim("baseline", f"There is no evidence of a difference from {than}: {said}.")
    if verdict == "split":
        return words.claim("baseline", f"It is not decided whether the predictions differ from {than}: {said}.")
    word = "better" if value > 0 else "worse"
    return words.claim("baseline", f"The predictions are {word} than {than}: {said}.")


def _against_mean(sample: Sample) -> float:
    """P-value of squared errors against those of the mean of the labels, with and without the row (or group) itself.

    The mean of all labels has seen the label that it answers, so an honest mean of other rows always does worse,
    and it always does better than that one: predictions differ where both tests say so, on the same side.
    """
    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    y = np.asarray(sample.labels, dtype=np.float64)
    own: Any = w * y
    mass: Any = w
    if sample.groups is not None:
        own, mass = (np.bincount(sample.groups, weights=v)[sample.groups] for v in (own, w))
    total, all_ = float(np.sum(w * y)), float(w.sum())
    if np.any(all_ - mass <= 1e-12 * all_):
        return 1.0
    found, sides = [], []
    for answer in (total / all_, (total - own) / (all_ - mass)):
        gap = answer - sample.predictions
        gap = np.where(np.abs(gap) <= 1e-12 * np.abs(y).max(), 0.0, gap)
        # (prediction - label)**2 - (answer - label)**2, as a product: 0 where the answer is predicted
        lost = _scaled(gap) * _scaled(2 * y - sample.predictions - answer)
        found.append(_paired_t(lost, sample))
        sides.append(float(np.sum(w * lost)) > 0)
    return max(found) if sides[0] == sides[1] else 1.0


def _bias(
    sample: Sample, metrics: Mapping[str, float | None], intervals: Mapping[str, Interval], level: float
) -> Claim:
    words = _Words(level)
    value, interval = metrics["mean_bias_error"], intervals["mean_bias_error"]
    assert value is not None
    p = _paired_t(np.asarray(sample.predictions - sample.labels, dtype=np.float64), sample)
    said = (
        f"the mean bias is {words.number('mean_bias_error', value)} ({words.interval(interval)}), "
        f"paired t test {words.p(p)}"
    )
    verdict = _verdict(p, interval, 0.0, value, level)
    if verdict == "shown":
        return words.claim("bias", f"Predictions are too {'high' if value > 0 else 'low'} on average: {said}.")
    begin = "There is no evidence that" if verdict == "none" else "It is not decided whether"
    return words.claim("bias", f"{begin} predictions are too high or too low on average: {said}.")


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
    low, high = (None, None) if value is None else (interval.low, interval.high)
    if value is None or low is None:
        expected = metrics["expected_calibration_error"]
        assert expected is not None
        number = words.number("expected_calibration_error", expected)
        error = f"their plug-in expected calibration error is {number} (no interval)"
    else:
        number = words.number("debiased_calibration_error", value)
        error = f"their root mean square calibration error is {number} ({words.interval(interval)})"
    away, rejected = low is not None and low > 0, test.p_value is not None and test.p_value <= 1 - level
    slope, line = metrics.get("calibration_slope"), intervals.get("calibration_slope")
    bend = ""
    off = line is not None and line.low is not None and not line.contains(1.0)
    if slope is not None and line is not None and off and not (away or rejected):
        number, bound = words.number("calibration_slope", slope), words.number("calibrated_slope", 1)
        bend = f"the calibration slope, {number} ({words.interval(line, 'slope_')}), leaves {bound} out"
    chi = "" if test.p_value is None else words.p(test.p_value)
    zero = "" if not rejected or away or low is None else words.number("no_error", 0)
    if away or rejected:
        said = f"The probabilities are not perfectly calibrated: {error}"
        if zero:
            said += f"; the chi-squared test rejects ({chi}), although the interval still reaches {zero}"
        elif rejected:
            said += f", chi-squared {chi}"
        elif chi:
            said += f", although the chi-squared test does not reject ({chi})"
    elif not chi:
        said = f"The calibration of the probabilities was not tested: {error}" + (f", and {bend}" if bend else "")
    elif bend:
        said = f"Judgements of the probabilities disagree: chi-squared does not reject ({chi}) and {error}, but {bend}"
    elif high is not None and high <= GOOD_CALIBRATION:
        bound = words.number("bound", GOOD_CALIBRATION)
        said = f"The probabilities are well calibrated: {error}, all of it below {bound}, chi-squared {chi}"
    else:
        said = (
            "There is no evidence that the probabilities are miscalibrated, but not enough to exclude it: "
            f"{error}, chi-squared {chi}"
        )
    return words.claim("calibration", f"{said}.")


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

    row = min(worse, key=lambda r: (sign * float(f"{corrected(r):.9g}"), float(f"{r.p_value:.9g}"), r.slice))
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


def _failures(failures: Failures, sample: Sample, level: float) -> Claim:
    words = _Words(level)
    n = words.count("n", failures.n)
    means = ""
    if sample.task == "regression":
        words.number("error_above", LARGE)
        means = f" (an error is a row where {failures.rule})"
    if failures.errors == 0:
        return words.claim("failures", f"No row of {n} counts as an error{means}.")
    kinds, which = failures.categories, "largest"
    top = max(kinds, key=lambda c: c.count)
    if top.category == "other" and top.count < failures.errors:
        kinds, which = tuple(c for c in kinds if c.category != "other"), "largest named"
        top = max(kinds, key=lambda c: c.count)
    tied = sum(c.count == top.count for c in kinds) > 1
    share = f"{words.number('share', top.share or 0.0)}"
    kind = f"one of the {which} kinds" if tied else f"the {which} kind"
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
        f"Of {words.count('errors', failures.errors)} {plural} in {n} rows{means}, "
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
