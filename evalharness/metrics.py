"""The table of metrics: what each is called, needs and means, its source, and how it is computed.

A metric is a function of a `Batch`; it returns one value for each weighting, NaN where it is undefined. Names
are scikit-learn's wherever scikit-learn has the metric. For two classes `precision`, `recall` and `f1` are
those of the positive class; for more there are `*_macro` (mean over classes) and `*_weighted` (mean by
support).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evalharness import calibration

if TYPE_CHECKING:
    from evalharness.batch import Batch
    from evalharness.schemas import Floats, Sample

MAX_PAIRED_CLASSES = 100
"""One-against-one areas are counted up to this many classes; their number grows with the square."""

MAX_RESAMPLED_PAIRS = 50
"""One-against-one areas are resampled up to this many classes."""

Compute = Callable[["Batch"], "Floats"]
Needs = Literal["labels", "probabilities", "values"]


@dataclass(frozen=True)
class MetricSpec:
    """What is known about one metric.

    Attributes
    ----------
    name, title : str
        Key in reports, and words for people.
    greater_is_better : bool or None
        None where neither direction is better as such (for example the mean bias).
    unit : str
        ``"share"`` (0 to 1), ``"correlation"`` (-1 to 1), ``"nats"``, ``"log odds"``, ``"target"`` (unit of the
        labels), ``"squared target"`` or ``"ratio"``.
    tasks : tuple of str
        Any of ``"binary"``, ``"multiclass"``, ``"regression"``.
    needs : {"labels", "probabilities", "values"}
    formula, source : str
        Definition and a reference for it.
    interval : str
        ``"bootstrap"``, ``"proportion"`` (a share of rows that are counted), ``"calibration"``,
        ``"recalibration"`` or ``"none"``.
    undefined : str
        What it means when the value is None.
    no_interval : str or None
        Why there is no interval when `interval` is ``"none"``, and no paired one where only that is missing.
    """

    name: str
    title: str
    greater_is_better: bool | None
    unit: str
    tasks: tuple[str, ...]
    needs: Needs
    formula: str
    source: str
    interval: str = "bootstrap"
    undefined: str = "it is not defined for these rows"
    no_interval: str | None = None
    compute: Compute = field(repr=False, compare=False, default=lambda batch: np.full(len(batch.weights), np.nan))

    def to_dict(self) -> dict[str, Any]:
        """Return the specification as plain data, without the function."""
        return {
            "name": self.name,
            "title": self.title,
            "greater_is_better": self.greater_is_better,
            "unit": self.unit,
            "tasks": list(self.tasks),
            "needs": self.needs,
            "formula": self.formula,
            "source": self.source,
        }


# Classification -----------------------------------------------------------------------------------


def _ratio(top: Floats, bottom: Floats) -> Floats:
    good = bottom > 0
    return np.asarray(np.where(good, top / np.where(good, bottom, 1.0), np.nan))


def _diagonal(batch: Batch) -> Floats:
    return np.asarray(np.einsum("bii->bi", batch.confusion))


def _sides(batch: Batch) -> tuple[Floats, Floats, Floats, Floats]:
    """Return true positives, false positives, false negatives, true negatives of the positive class."""
    p = batch.sample.positive
    assert p is not None
    c = batch.confusion
    return c[:, p, p], c[:, 1 - p, p], c[:, p, 1 - p], c[:, 1 - p, 1 - p]


def _accuracy(batch: Batch) -> Floats:
    return _ratio(_diagonal(batch).sum(axis=1), batch.confusion.sum(axis=(1, 2)))


def _balanced_accuracy(batch: Batch) -> Floats:
    support = batch.confusion.sum(axis=2)
    recalls = np.where(support > 0, _diagonal(batch) / np.where(support > 0, support, 1.0), 0.0)
    return _ratio(recalls.sum(axis=1), (support > 0).sum(axis=1).astype(float))


def _precision(batch: Batch) -> Floats:
    tp, fp, _, _ = _sides(batch)
    return _ratio(tp, tp + fp)


def _recall(batch: Batch) -> Floats:
    tp, _, fn, _ = _sides(batch)
    return _ratio(tp, tp + fn)


def _specificity(batch: Batch) -> Floats:
    _, fp, _, tn = _sides(batch)
    return _ratio(tn, tn + fp)


def _f1(batch: Batch) -> Floats:
    tp, fp, fn, _ = _sides(batch)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _averaged(kind: str, how: str) -> Compute:
    """Average a score of each class met in labels or predictions; 0/0 counts as 0."""

    def compute(batch: Batch) -> Floats:
        hit, actual, predicted = _diagonal(batch), batch.confusion.sum(axis=2), batch.confusion.sum(axis=1)
        bottom = {"precision": predicted, "recall": actual, "f1": (actual + predicted) / 2}[kind]
        score = np.where(bottom > 0, hit / np.where(bottom > 0, bottom, 1.0), 0.0)
        weight = ((actual + predicted) > 0).astype(float) if how == "macro" else actual
        return _ratio((score * weight).sum(axis=1), weight.sum(axis=1))

    return compute


def _matthews(batch: Batch) -> Floats:
    actual, predicted = batch.confusion.sum(axis=2), batch.confusion.sum(axis=1)
    n, hit = actual.sum(axis=1), _diagonal(batch).sum(axis=1)
    spread_a, spread_p = n**2 - (actual**2).sum(axis=1), n**2 - (predicted**2).sum(axis=1)
    # rounding of weighted counts must not make a constant column look spread
    spread_a, spread_p = (np.where(s > 1e-12 * n**2, s, 0.0) for s in (spread_a, spread_p))
    return np.clip(_ratio(hit * n - (actual * predicted).sum(axis=1), np.sqrt(spread_a) * np.sqrt(spread_p)), -1.0, 1.0)


def _kappa(batch: Batch) -> Floats:
    actual, predicted = batch.confusion.sum(axis=2), batch.confusion.sum(axis=1)
    n = actual.sum(axis=1)
    chance = (actual * predicted).sum(axis=1)
    rest = n**2 - chance
    return _ratio(_diagonal(batch).sum(axis=1) * n - chance, np.where(rest > 1e-12 * n**2, rest, 0.0))


def _auc(batch: Batch) -> Floats:
    assert batch.sample.positive is not None
    return batch.ranked(batch.sample.positive).auc


def _average_precision(batch: Batch) -> Floats:
    assert batch.sample.positive is not None
    return batch.ranked(batch.sample.positive).average_precision


def _one_vs_rest(how: str) -> Compute:
    return lambda batch: batch.one_vs_rest(how)


def _one_vs_one(batch: Batch) -> Floats:
    return batch.one_vs_one() if 2 <= batch.k <= MAX_PAIRED_CLASSES else np.full(len(batch.weights), np.nan)


def _of_column(name: str) -> Compute:
    return lambda batch: batch.mean(name)


def _of_sample(measure: Callable[[Sample], float | None]) -> Compute:
    """Compute on the sample as it is; there are no values on resamples."""

    def compute(batch: Batch) -> Floats:
        if batch.exact:
            return np.full(len(batch.weights), np.nan)
        value = measure(batch.sample)
        return np.array([np.nan if value is None else value])

    return compute


# Regression ---------------------------------------------------------------------------------------


def _label_variance(batch: Batch) -> Floats:
    spread = batch.mean("squared_label") - batch.mean("label") ** 2
    return np.asarray(np.where(spread > 1e-12 * batch.mean("squared_label"), spread, 0.0))


def _r2(batch: Batch) -> Floats:
    spread = _label_variance(batch)
    return 1 - _ratio(batch.mean("squared_error"), spread)


def _explained_variance(batch: Batch) -> Floats:
    return 1 - _ratio(batch.mean("squared_error") - batch.mean("error") ** 2, _label_variance(batch))


def _percentage(batch: Batch) -> Floats:
    return (
        batch.mean("percentage_error")
        if "percentage_error" in batch.prepared.columns
        else np.full(len(batch.weights), np.nan)
    )


def _wape(batch: Batch) -> Floats:
    return _ratio(batch.mean("absolute_error"), batch.mean("absolute_label"))


# The table ----------------------------------------------------------------------------------------

_MORE, _LESS = True, False
_BOTH, _TWO, _MANY, _REAL = ("binary", "multiclass"), ("binary",), ("multiclass",), ("regression",)
_SOKOLOVA = "Sokolova & Lapalme 2009, A systematic analysis of performance measures, Inf. Process. Manag. 45(4)"
_PLUG_IN = (
    "the plug-in calibration error is biased upwards, so a resampling interval would miss the true value "
    "almost always "
    "for a calibrated model; see debiased_calibration_error for an interval and the test against perfect "
    "calibration"
)
_LINE = "the line is not fitted again on resamples, so its numbers have no paired interval"
_WILLMOTT = "Willmott & Matsuura 2005, Climate Research 30(1)"

# fmt: off
_TABLE = (
    MetricSpec(
        "accuracy", "Accuracy", _MORE, "share", _BOTH, "labels", "correct rows / rows", _SOKOLOVA, "proportion",
        compute=_accuracy
    ),
    MetricSpec(
        "balanced_accuracy", "Balanced accuracy", _MORE, "share", _BOTH, "labels",
        "mean over the classes met in labels of recall of the class",
        "Brodersen et al. 2010, The balanced accuracy and its posterior distribution, ICPR", compute=_balanced_accuracy
    ),
    MetricSpec(
        "precision", "Precision", _MORE, "share", _TWO, "labels", "TP / (TP + FP) of the positive class", _SOKOLOVA,
        "proportion", "no row is predicted positive", compute=_precision
    ),
    MetricSpec(
        "recall", "Recall", _MORE, "share", _TWO, "labels", "TP / (TP + FN) of the positive class", _SOKOLOVA,
        "proportion", "no row is positive", compute=_recall
    ),
    MetricSpec(
        "specificity", "Specificity", _MORE, "share", _TWO, "labels", "TN / (TN + FP)",
        "Altman & Bland 1994, Diagnostic tests 1, BMJ 308:1552", "proportion", "no row is negative",
        compute=_specificity
    ),
    MetricSpec(
        "f1", "F1", _MORE, "share", _TWO, "labels", "2 TP / (2 TP + FP + FN) of the positive class",
        "van Rijsbergen 1979, Information Retrieval, chapter 7", undefined="no row is positive or predicted positive",
        compute=_f1
    ),
    *(
        MetricSpec(
            f"{kind}_{how}",
            f"{title}, {how}",
            _MORE,
            "share",
            _MANY,
            "labels",
            f"{'unweighted mean' if how == 'macro' else 'mean by support'} over classes of the {kind} of "
            "the class, 0/0 taken as 0",
            _SOKOLOVA,
            compute=_averaged(kind, how),
        )
        for kind, title in (("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"))
        for how in ("macro", "weighted")
    ),
    MetricSpec(
        "matthews_corrcoef", "Matthews correlation", _MORE, "correlation", _BOTH, "labels",
        "correlation of actual and predicted class (for k classes: R_K)",
        "Matthews 1975, BBA 405(2); Gorodkin 2004, Comput. Biol. Chem. 28(5)",
        undefined="all labels, or all predictions, are one class", compute=_matthews
    ),
    MetricSpec(
        "cohen_kappa", "Cohen's kappa", _MORE, "correlation", _BOTH, "labels",
        "(p_o - p_e) / (1 - p_e), p_o observed and p_e chance agreement", "Cohen 1960, Educ. Psychol. Meas. 20(1)",
        undefined="labels and predictions are all one class", compute=_kappa
    ),
    MetricSpec(
        "roc_auc", "ROC AUC", _MORE, "share", _TWO, "probabilities",
        "share of (positive, negative) pairs in which the positive scores higher, ties one half",
        "Hanley & McNeil 1982, Radiology 143(1)", undefined="labels hold one class only", compute=_auc
    ),
    MetricSpec(
        "average_precision", "Average precision", _MORE, "share", _TWO, "probabilities",
        "sum_s (R_s - R_{s-1}) P_s over distinct scores: the step sum, no interpolation",
        "Davis & Goadrich 2006, ICML; Boyd et al. 2013, ECML", undefined="no row is positive",
        compute=_average_precision
    ),
    MetricSpec(
        "roc_auc_ovr", "ROC AUC, one against rest, macro", _MORE, "share", _MANY, "probabilities",
        "mean over classes of the AUC of the class against all others",
        "Provost & Domingos 2000, CeDER working paper 00-04", undefined="a class has no row in labels",
        compute=_one_vs_rest("macro")
    ),
    MetricSpec(
        "roc_auc_ovr_weighted", "ROC AUC, one against rest, weighted", _MORE, "share", _MANY, "probabilities",
        "mean by support of the AUC of the class against all others",
        "Provost & Domingos 2000, CeDER working paper 00-04", undefined="a class has no row in labels",
        compute=_one_vs_rest("weighted")
    ),
    MetricSpec(
        "roc_auc_ovo", "ROC AUC, one against one (Hand-Till M)", _MORE, "share", _MANY, "probabilities",
        "mean over pairs of classes of (A(i|j) + A(j|i)) / 2", "Hand & Till 2001, Machine Learning 45(2), eq. 7",
        undefined="a class has no row in labels", compute=_one_vs_one
    ),
    MetricSpec(
        "log_loss", "Log loss", _LESS, "nats", _BOTH, "probabilities",
        "-mean log p of the actual class, p kept within [2.2e-16, 1 - 2.2e-16]",
        "Good 1952, Rational decisions, JRSS B 14(1)", compute=_of_column("log_loss")
    ),
    MetricSpec(
        "brier_score", "Brier score", _LESS, "ratio", _BOTH, "probabilities",
        "two classes: mean (p_positive - y)^2, from 0 to 1 (half of Brier's sum); more: mean sum_c (p_c - "
        "[y = c])^2, from 0 to 2 (Brier's own form)", "Brier 1950, Mon. Weather Rev. 78(1)", compute=_of_column("brier")
    ),
    MetricSpec(
        "expected_calibration_error", "Expected calibration error", _LESS, "share", _BOTH, "probabilities",
        "sum_b n_b/n |mean y - mean p| over 15 equal-width bins of the positive class's probability (two "
        "classes) or of the top label's (more)", "Naeini et al. 2015, AAAI; Guo et al. 2017, ICML", "none",
        no_interval=_PLUG_IN, compute=_of_sample(calibration.expected)
    ),
    MetricSpec(
        "expected_calibration_error_equal_mass", "Expected calibration error, equal-mass bins", _LESS, "share", _BOTH,
        "probabilities",
        "sum_b n_b/n |mean y - mean p| over up to 15 bins of about equally many rows, equal probabilities together",
        "Nguyen & O'Connor 2015, Posterior calibration and exploratory analysis, EMNLP; Nixon et al. 2019, Measuring "
        "calibration in deep learning, CVPR workshops",
        "none", no_interval=_PLUG_IN, compute=_of_sample(calibration.expected_equal_mass)
    ),
    MetricSpec(
        "expected_calibration_error_classwise", "Expected calibration error, class-wise", _LESS, "share", _MANY,
        "probabilities", "mean over all classes of the error of the class against the rest, 15 equal-width bins each",
        "Kull et al. 2019, Beyond temperature scaling, NeurIPS; Nixon et al. 2019, CVPR workshops",
        "none", no_interval=_PLUG_IN, compute=_of_sample(calibration.classwise)
    ),
    MetricSpec(
        "maximum_calibration_error", "Maximum calibration error", _LESS, "share", _BOTH, "probabilities",
        "largest |mean y - mean p| over the same 15 equal-width bins", "Naeini et al. 2015, AAAI", "none",
        no_interval="the largest of several noisy gaps is biased upwards, so a resampling interval would "
        "miss the true value; see debiased_calibration_error", compute=_of_sample(calibration.maximum)
    ),
    MetricSpec(
        "debiased_calibration_error", "Calibration error, debiased root mean square", _LESS, "share", _BOTH,
        "probabilities",
        "sqrt(max(0, sum_b n_b/n [(mean y - mean p)^2 - var_b/(n_b - 1)])) over up to 15 equal-mass bins",
        "Kumar et al. 2019, Verified uncertainty calibration, NeurIPS, section 5", "calibration",
        "there is one row only, and the noise of a bin needs two", compute=_of_sample(calibration.debiased)
    ),
    MetricSpec(
        "calibration_slope", "Calibration slope", None, "ratio", _TWO, "probabilities",
        "b of logit P(positive) = a + b logit p, by maximum likelihood, rows of p = 0 or 1 that came true left out; "
        "1 is calibrated, below 1 too extreme",
        "Cox 1958, Biometrika 45(3/4); Steyerberg 2019, Clinical Prediction Models, chapter 15", "recalibration",
        no_interval=_LINE, compute=_of_sample(lambda sample: calibration.slope(sample).value)
    ),
    MetricSpec(
        "calibration_intercept", "Calibration intercept (in the large)", None, "log odds", _TWO, "probabilities",
        "a of logit P(positive) = a + logit p, slope held at 1, rows of p = 0 or 1 that came true left out; "
        "0 is calibrated, above 0 more happens than predicted",
        "Cox 1958, Biometrika 45(3/4); Steyerberg 2019, Clinical Prediction Models, chapter 15", "recalibration",
        no_interval=_LINE, compute=_of_sample(lambda sample: calibration.intercept(sample).value)
    ),
    MetricSpec(
        "root_mean_squared_error", "RMSE", _LESS, "target", _REAL, "values", "sqrt(mean (prediction - label)^2)",
        _WILLMOTT, compute=lambda b: np.sqrt(b.mean("squared_error"))
    ),
    MetricSpec(
        "mean_squared_error", "MSE", _LESS, "squared target", _REAL, "values", "mean (prediction - label)^2", _WILLMOTT,
        compute=_of_column("squared_error")
    ),
    MetricSpec(
        "mean_absolute_error", "MAE", _LESS, "target", _REAL, "values", "mean |prediction - label|", _WILLMOTT,
        compute=_of_column("absolute_error")
    ),
    MetricSpec(
        "median_absolute_error", "Median absolute error", _LESS, "target", _REAL, "values",
        "median |prediction - label|", "Hyndman & Koehler 2006, Int. J. Forecasting 22(4)",
        compute=lambda b: b.median_size()
    ),
    MetricSpec(
        "r2", "R squared", _MORE, "ratio", _REAL, "values",
        "1 - sum (prediction - label)^2 / sum (label - mean label)^2",
        "Kvalseth 1985, The American Statistician 39(4), eq. 1", undefined="all labels are equal", compute=_r2
    ),
    MetricSpec(
        "explained_variance", "Explained variance", _MORE, "ratio", _REAL, "values",
        "1 - var(prediction - label) / var(label)", "Kvalseth 1985, The American Statistician 39(4)",
        undefined="all labels are equal", compute=_explained_variance
    ),
    MetricSpec(
        "mean_absolute_percentage_error", "MAPE", _LESS, "ratio", _REAL, "values",
        "mean |prediction - label| / |label|, as a ratio and not in percent",
        "Hyndman & Koehler 2006, Int. J. Forecasting 22(4)", undefined="a label is zero", compute=_percentage
    ),
    MetricSpec(
        "weighted_absolute_percentage_error", "WAPE", _LESS, "ratio", _REAL, "values",
        "sum |prediction - label| / sum |label|", "Kolassa & Schuetz 2007, Foresight 6",
        undefined="all labels are zero", compute=_wape
    ),
    MetricSpec(
        "max_error", "Largest absolute error", _LESS, "target", _REAL, "values", "max |prediction - label|",
        "scikit-learn user guide, section Max error", "none",
        no_interval="resampling cannot show errors larger than the largest seen, so it gives no interval "
        "for a maximum (Bickel & Freedman 1981)", compute=lambda b: b.largest_size()
    ),
    MetricSpec(
        "mean_bias_error", "Mean bias", None, "target", _REAL, "values",
        "mean (prediction - label); above 0 the predictions are too high", _WILLMOTT, compute=_of_column("error")
    ),
)
# fmt: on

METRICS: MappingProxyType[str, MetricSpec] = MappingProxyType({spec.name: spec for spec in _TABLE})
"""Every metric by name."""


def wanted(sample: Sample) -> tuple[MetricSpec, ...]:
    """Return the metrics that fit a sample, in the order of the table."""
    return tuple(
        spec
        for spec in _TABLE
        if sample.task in spec.tasks and (spec.needs != "probabilities" or sample.probabilities is not None)
    )


def why_undefined(spec: MetricSpec, sample: Sample) -> str:
    """Say why a metric has no value on a sample, with the classes or counts that cause it."""
    reason = spec.undefined
    if spec.interval == "recalibration":
        fitted = calibration.slope(sample) if spec.name == "calibration_slope" else calibration.intercept(sample)
        return fitted.reason or reason
    if sample.task == "regression":
        if spec.name == "mean_absolute_percentage_error":
            zeros = int(np.sum(sample.labels == 0))
            return (
                f"{zeros:,} of {sample.n:,} labels {'is' if zeros == 1 else 'are'} zero, where a "
                "percentage error has no value"
            )
        return f"{reason} ({sample.labels[0]:g})" if spec.undefined == "all labels are equal" else reason
    if spec.name == "roc_auc_ovo" and len(sample.classes) > MAX_PAIRED_CLASSES:
        return f"it is counted for up to {MAX_PAIRED_CLASSES} classes, and there are {len(sample.classes)}"
    counts = np.bincount(sample.labels, minlength=len(sample.classes))
    absent = [repr(c) for c, count in zip(sample.classes, counts, strict=True) if count == 0]
    if absent and spec.undefined in ("a class has no row in labels", "labels hold one class only"):
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        return f"{reason}: none of {sample.n:,} rows is {shown}"
    return reason
