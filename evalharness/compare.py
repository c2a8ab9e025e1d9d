"""Two models on the same rows: paired differences with intervals and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalharness import intervals, paired
from evalharness.metrics import METRICS
from evalharness.schemas import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.evaluators import Report
    from evalharness.schemas import Sample

COLUMNS = (
    "metric", "estimate", "other", "difference", "low", "high", "p_value", "q_value", "confidence_level", "n",
    "method", "reason",
)  # fmt: skip
WHATEVER_CLASSES = ("accuracy", "balanced_accuracy", "matthews_corrcoef", "cohen_kappa", "log_loss")
"""Metrics that mean the same for two classes and for more, and whichever class is positive."""
NO_EVIDENCE = "no evidence of a difference"


def adjusted(p_values: list[float | None]) -> list[float | None]:
    """Return Benjamini-Hochberg q-values; entries without a p-value are not counted.

    ``q_(i) = min over j >= i of p_(j) m / j`` (Benjamini & Hochberg 1995, JRSS B 57(1)).
    """
    tested = np.array([p for p in p_values if p is not None])
    m = len(tested)
    if m == 0:
        return list(p_values)
    order = np.argsort(tested, kind="stable")
    scaled = tested[order] * m / np.arange(1, m + 1)
    q = np.empty(m)
    q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    filled = iter(q.tolist())
    return [None if p is None else next(filled) for p in p_values]


@dataclass(frozen=True)
class Row:
    """One metric of two models; `difference` is this report's estimate minus the other's."""

    metric: str
    estimate: float | None
    other: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_value: float | None
    q_value: float | None
    confidence_level: float
    n: int
    method: str
    reason: str | None


@dataclass(frozen=True)
class Comparison:
    """Paired differences between two reports on the same rows.

    Attributes
    ----------
    rows : tuple of Row
    n : int
        Rows both models were judged on.
    confidence_level : float
    notes : tuple of str
    """

    rows: tuple[Row, ...]
    n: int
    confidence_level: float
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> Any:
        """The rows as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([[getattr(row, c) for c in COLUMNS] for row in self.rows], columns=list(COLUMNS))

    def evidence(self, metric: str) -> str:
        """Say in words what the comparison shows about one metric, for this report against the other.

        Returns
        -------
        str
            ``"better"`` or ``"worse"`` where the q-value is at most ``1 - confidence_level``, ``"different"``
            for a metric in which neither direction is better, and ``"no evidence of a difference"``
            otherwise.
        """
        for row in self.rows:
            if row.metric == metric:
                break
        else:
            from evalharness.schemas import nearest

            raise InputError(
                f"the comparison has no metric {metric!r}; {nearest(metric, tuple(r.metric for r in self.rows))}"
            )
        if (
            row.q_value is None
            or row.difference is None
            or row.q_value > 1 - self.confidence_level + 1e-12
            or row.difference == 0
        ):
            return NO_EVIDENCE
        better = METRICS[metric].greater_is_better
        if better is None:
            return "different"
        return "better" if (row.difference > 0) == better else "worse"


class Judged(Protocol):
    """What `comparable` reads of a report; a stored record of one has it too."""

    @property
    def task_type(self) -> str:
        """``"classification"`` or ``"regression"``."""

    @property
    def n(self) -> int:
        """Number of rows judged."""

    @property
    def labels_digest(self) -> str:
        """SHA-256 of the labels in order."""

    @property
    def rows_digest(self) -> str | None:
        """SHA-256 of the data; None or empty without it."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns of the data."""


def comparable(one: Judged, other: Judged) -> str | None:
    """Say whether two reports may be compared: one task, and the same labels in the same order.

    Models may use other columns of the data; the same columns with other data are other rows.

    Parameters
    ----------
    one, other : Report
        Or anything with their ``task_type``, ``n``, ``labels_digest``, ``rows_digest`` and ``columns``.

    Returns
    -------
    str or None
        None when they may be compared, otherwise why not, in one sentence.
    """
    if one.task_type != other.task_type:
        return (
            f"the other report is about {other.task_type}, this one about {one.task_type}; compare reports of one task."
        )
    if one.n != other.n:
        return f"the other report has {other.n:,} rows, this one {one.n:,}; evaluate both models on the same rows."
    rows = "evaluate both models on the same rows in the same order."
    if one.labels_digest != other.labels_digest:
        return f"the two reports have different labels (their digests differ); {rows}"
    differ = one.rows_digest and other.rows_digest and one.rows_digest != other.rows_digest
    if differ and tuple(one.columns) == tuple(other.columns):
        return f"the two reports have the same columns with different data (their digests differ); {rows}"
    return None


def compare(report: Report, other: Report) -> Comparison:
    """Compare two reports metric by metric; see `Report.compare`."""
    from evalharness.evaluators import Report as Kind

    if not isinstance(other, Kind):
        raise InputError(f"other is a {type(other).__name__}; give a report from evaluate().")
    refused = comparable(report, other)
    if refused is not None:
        raise InputError(refused)
    level = report.config.confidence_level
    mine, theirs = report.replicates_with(other) or (None, None)
    shared, notes = _shared(report, other)
    drafts: list[dict[str, Any]] = []
    for name in shared:
        few = intervals.withheld(name, report.sample) or intervals.withheld(name, other.sample)
        draft = _difference(name, report.metrics[name], other.metrics[name], mine, theirs, level, few)
        drafts.append(_sharpened(draft, report.sample, other.sample, level))
    q_values = adjusted([draft["p_value"] for draft in drafts])
    rows = tuple(
        Row(**draft, q_value=q, confidence_level=level, n=report.n) for draft, q in zip(drafts, q_values, strict=True)
    )
    return Comparison(rows, report.n, level, notes)


def _shared(report: Report, other: Report) -> tuple[list[str], tuple[str, ...]]:
    """Return the metrics that mean one thing in both reports, and notes on those left out."""
    both = [name for name in report.metrics if name in other.metrics]
    only = sorted(set(report.metrics) ^ set(other.metrics))
    notes = [f"Only one of the two reports has {', '.join(only)}."] if only else []
    mine, theirs = report.sample, other.sample
    alike = set(report.classes) == set(other.classes) and report.positive == other.positive
    if alike or mine.task == theirs.task == "multiclass":
        return both, tuple(notes)
    kept = [name for name in both if name in WHATEVER_CLASSES]
    left = ", ".join(sorted(set(both) - set(kept)))
    notes.append(
        f"The reports differ in classes or positive class ({report.classes!r}, {report.positive!r} against "
        f"{other.classes!r}, {other.positive!r}), so {left} mean different things and are left out."
    )
    return kept, tuple(notes)


def _difference(
    name: str,
    estimate: float | None,
    against: float | None,
    mine: Any,
    theirs: Any,
    level: float,
    few: str | None,
) -> dict[str, Any]:
    draft: dict[str, Any] = {
        "metric": name,
        "estimate": estimate,
        "other": against,
        "difference": None,
        "low": None,
        "high": None,
        "p_value": None,
        "method": "none",
        "reason": None,
    }
    if estimate is None or against is None:
        return {
            **draft,
            "reason": "the metric is undefined for "
            + ("both" if estimate is None and against is None else "one of the two"),
        }
    draft["difference"] = estimate - against
    if mine is None or theirs is None:
        return {**draft, "reason": "compute_cis was off, so nothing was resampled"}
    if few is not None:
        return {**draft, "reason": few}
    if name == "roc_auc_ovo" and not (name in mine.resampled and name in theirs.resampled):
        return {**draft, "reason": "it is not resampled for so many classes"}
    if name not in mine.resampled:
        return {
            **draft,
            "reason": METRICS[name].no_interval
            or "calibration errors are biased by an amount that differs between models, so their "
            "difference has no interval",
        }
    values = mine.resampled[name] - theirs.resampled[name]
    if not np.any(values):
        return {**draft, "low": 0.0, "high": 0.0, "p_value": 1.0, "method": "identical on every resample"}
    jack = None
    if name in mine.left_out and name != "median_absolute_error":
        jack = mine.left_out[name] - theirs.left_out[name]
    found = intervals.from_replicates(draft["difference"], values, jack, level)
    if found.low is None:
        return {**draft, "reason": found.reason}
    defined = values[~np.isnan(values)]
    p = intervals.p_value(draft["difference"], defined, jack if found.method == "bca" else None)
    return {**draft, "low": found.low, "high": found.high, "p_value": p, "method": f"paired {found.method}"}


def _sharpened(draft: dict[str, Any], mine: Sample, theirs: Sample, level: float) -> dict[str, Any]:
    """Replace resampling by what is made for the metric: the score test for accuracy, DeLong for ROC AUC."""
    if draft["p_value"] is None or mine.weights is not None or mine.groups is not None:
        return draft
    if draft["metric"] == "accuracy":
        right, other = mine.labels == mine.predictions, theirs.labels == theirs.predictions
        ours, others = int(np.sum(right & ~other)), int(np.sum(other & ~right))
        if ours + others == 0:
            return draft
        test = paired.score(ours, others, len(right), level)
        return {**draft, "low": test.low, "high": test.high, "p_value": test.p_value, "method": "score test (McNemar)"}
    if draft["metric"] == "roc_auc" and mine.probabilities is not None and theirs.probabilities is not None:
        assert mine.positive is not None
        assert theirs.positive is not None
        found = paired.delong(
            mine.labels == mine.positive,
            mine.probabilities[:, mine.positive],
            theirs.probabilities[:, theirs.positive],
        )
        if found is not None:
            half = intervals.normal_quantile((1 + level) / 2) * found.standard_error
            ends = {"low": draft["difference"] - half, "high": draft["difference"] + half}
            return {**draft, **ends, "p_value": found.p_value, "method": "DeLong"}
    return draft
