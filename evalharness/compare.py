"""Two models on the same rows: paired differences with intervals and tests."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evalharness import intervals, paired
from evalharness.metrics import METRICS
from evalharness.schemas import Finding, InputError, aligned, nearest
from evalharness.takeaway import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalharness.evaluators import Report
    from evalharness.intervals import Replicates
    from evalharness.schemas import Sample

    Drafts = tuple[list[dict[str, Any]], tuple[str, ...]]

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


@dataclass(frozen=True, repr=False)
class Comparison(Finding):
    """Paired differences between two reports on the same rows.

    `Row.method` says how each was judged; interval and p-value are of one test, so they never disagree.

    ========================  ====================================================================================
    exact McNemar, McNemar    accuracy, recall, specificity: shares of rows that only one model gets right; exact
                              below 25 such rows (McNemar 1947; Fay & Lumbard 2021; Tango 1998)
    DeLong                    area under the ROC curve (DeLong et al. 1988)
    paired jackknife t        other metrics, and all with weights or groups, up to 2,000 rows or groups
    paired percentile         above 2,000, and the median absolute error: resamples shared by both models
    ========================  ====================================================================================

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

    def __str__(self) -> str:
        """Return a table of the metrics: difference, interval, q-value and what they show."""
        head = ("metric", "difference", f"{100 * self.confidence_level:g} % interval", "q", "")
        lines = [head, *map(self._line, self.rows)]
        return aligned(f"paired differences on {self.n:,} rows, this report minus the other", lines)

    def _line(self, row: Row) -> tuple[str, ...]:
        if row.difference is None or row.low is None or row.high is None or row.q_value is None:
            shown = "none" if row.difference is None else str(rounded(row.difference))
            return row.metric, shown, "none", "", textwrap.shorten(str(row.reason), 60, placeholder=" ...")
        ends = f"{rounded(row.low)} to {rounded(row.high)}"
        return row.metric, str(rounded(row.difference)), ends, str(rounded(row.q_value)), self.evidence(row.metric)

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
        return f"the two reports have different labels, weights, groups or strata (their digests differ); {rows}"
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
    return _corrected([_drafts(report, other, mine, theirs, level)], level, report.n, mine)[0]


def _drafts(report: Report, other: Report, mine: Replicates | None, theirs: Replicates | None, level: float) -> Drafts:
    """Return the rows of a comparison before correction, and notes."""
    if _alike(report.sample, other.sample):
        theirs = mine
    shared, notes = _shared(report, other)
    drafts: list[dict[str, Any]] = []
    for name in shared:
        pair, drawn = (report.sample, other.sample), (mine, theirs)
        drafts.append(difference(name, report.metrics[name], other.metrics[name], pair, drawn, level))
    return drafts, notes


def _corrected(found: list[Drafts], level: float, n: int, drawn: Replicates | None) -> list[Comparison]:
    """Correct the p-values of some comparisons together."""
    p_values = [draft["p_value"] for drafts, _ in found for draft in drafts]
    q_values = iter(adjusted(p_values))
    made = []
    for drafts, notes in found:
        rows = tuple(Row(**d, q_value=next(q_values), confidence_level=level, n=n) for d in drafts)
        least = 0.0 if drawn is None else 2 / (drawn.plan.n_resamples + 1)
        short = [r.metric for r in rows if r.p_value == least and r.q_value is not None and r.q_value > 1 - level]
        tested = sum(p is not None for p in p_values)
        said = (
            f"Resamples give no p-value below {least:.3g}, too large for {tested} tests together; raise n_resamples "
            f"to judge {', '.join(short)}."
        )
        made.append(Comparison(rows, n, level, (*notes, said) if short else notes))
    return made


@dataclass(frozen=True, repr=False)
class Comparisons(Finding):
    """Several models on the same rows, two at a time, with q-values over all metrics and all pairs.

    Attributes
    ----------
    pairs : mapping of (model, against) to Comparison
        Differences are of the first model minus the second.
    baseline : str or None
        What every model is compared with; None where all are compared with each other.
    n : int
        Rows all models were judged on.
    confidence_level : float
    notes : tuple of str
    """

    pairs: Mapping[tuple[str, str], Comparison]
    baseline: str | None
    n: int
    confidence_level: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the table of each pair."""
        return "\n\n".join(f"{model} against {against}: {one}" for (model, against), one in self.pairs.items())

    @property
    def table(self) -> Any:
        """All rows as one pandas DataFrame, with the columns ``model`` and ``against`` in front."""
        import pandas as pd

        rows = [(*pair, *(getattr(row, c) for c in COLUMNS)) for pair, one in self.pairs.items() for row in one.rows]
        return pd.DataFrame(rows, columns=["model", "against", *COLUMNS])

    def evidence(self, metric: str, model: str, against: str | None = None) -> str:
        """Say in words what the comparison shows about one metric of `model`, as `Comparison.evidence` does.

        Parameters
        ----------
        metric, model : str
        against : str, optional
            By default the baseline.
        """
        other = self.baseline if against is None else against
        if other is None:
            raise InputError("against is missing and there is no baseline; name the model to compare with.")
        if (model, other) in self.pairs:
            return self.pairs[model, other].evidence(metric)
        if (other, model) in self.pairs:
            said = self.pairs[other, model].evidence(metric)
            return {"better": "worse", "worse": "better"}.get(said, said)
        known = "; ".join(f"{a!r} and {b!r}" for a, b in list(self.pairs)[:5])
        raise InputError(f"{model!r} was not compared with {other!r}; the pairs are {known}.")


def compare_models(reports: Mapping[str, Report], baseline: str | None = None) -> Comparisons:
    """Compare several models on the same rows: each with a baseline, or all with each other.

    Every model is resampled once, on one plan, and the q-values (Benjamini & Hochberg 1995) count all metrics of
    all pairs, so that of the differences called real at 95 % about one in twenty is not.

    Parameters
    ----------
    reports : mapping of str to Report
        At least two, of the same labels in the same order.
    baseline : str, optional
        Name of the report every other is compared with; without it all pairs are compared.

    Returns
    -------
    Comparisons

    Raises
    ------
    InputError
        For fewer than two reports, an unknown baseline, or reports of other rows; see `comparable`.

    Examples
    --------
    >>> from evalharness import compare_models, evaluate
    >>> y = [0, 1] * 20
    >>> guesses = {"good": y, "constant": [0] * 40, "poor": [0, 1, 1, 0] * 10}
    >>> found = compare_models(
    ...     {name: evaluate(task_type="classification", labels=y, predictions=p) for name, p in guesses.items()},
    ...     baseline="constant",
    ... )
    >>> found.evidence("accuracy", "good"), found.evidence("accuracy", "poor")
    ('better', 'no evidence of a difference')
    """
    from collections.abc import Mapping as Named

    from evalharness.evaluators import Report as Kind

    if not isinstance(reports, Named):
        raise InputError(f"reports is a {type(reports).__name__}; give a mapping of names to reports from evaluate().")
    if len(reports) < 2:
        raise InputError(f"reports has {len(reports)} of them; give at least two to compare.")
    for name, report in reports.items():
        if not isinstance(report, Kind):
            raise InputError(f"reports[{name!r}] is a {type(report).__name__}; give a report from evaluate().")
    names = list(reports)
    if baseline is not None and baseline not in reports:
        raise InputError(f"baseline {baseline!r} is not among the reports; {nearest(baseline, tuple(map(str, names)))}")
    if baseline is None:
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    else:
        pairs = [(name, baseline) for name in names if name != baseline]
    for a, b in pairs:
        refused = comparable(reports[b], reports[a])
        if refused is not None:
            raise InputError(f"reports {a!r} and {b!r} cannot be compared: {refused}")
    head = reports[names[0] if baseline is None else baseline]
    level, drawn = head.config.confidence_level, _resamples(reports, head, pairs)
    found = [_drafts(reports[a], reports[b], *both, level) for (a, b), both in zip(pairs, drawn, strict=True)]
    corrected = _corrected(found, level, head.n, drawn[0][0])
    return Comparisons(
        MappingProxyType(dict(zip(pairs, corrected, strict=True))),
        baseline,
        head.n,
        level,
        tuple(dict.fromkeys(note for one in corrected for note in one.notes)),
    )


def _resamples(
    reports: Mapping[str, Report], head: Report, pairs: list[tuple[str, str]]
) -> list[tuple[Replicates | None, Replicates | None]]:
    """Return the metrics of both models of each pair on the resamples of one plan; each model once, if it can be."""
    if not head.config.compute_cis:
        return [(None, None)] * len(pairs)
    plan = head.plan
    if any(intervals.gathered(report.sample, plan) for report in reports.values()):
        return [intervals.together(reports[a].sample, reports[b].sample, plan) for a, b in pairs]
    each = {name: (head.replicates_with(report) or (None, None))[1] for name, report in reports.items()}
    return [(each[a], each[b]) for a, b in pairs]


def _alike(one: Sample, other: Sample) -> bool:
    """Whether two models of one set of classes answer every row alike."""
    if (one.classes, one.positive) != (other.classes, other.positive):
        return False
    p, q = one.probabilities, other.probabilities
    told_alike = p is q if p is None or q is None else np.array_equal(p, q)
    return told_alike and np.array_equal(one.predictions, other.predictions)


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


def difference(
    name: str,
    estimate: float | None,
    against: float | None,
    samples: tuple[Sample, Sample],
    drawn: tuple[Replicates | None, Replicates | None],
    level: float,
) -> dict[str, Any]:
    """Judge one metric of two samples of the same rows, from both estimates and the same resamples of both."""
    draft = _resampled_difference(name, estimate, against, samples, drawn, level)
    return draft if drawn[0] is None else _sharpened(draft, *samples, level)


def _resampled_difference(
    name: str,
    estimate: float | None,
    against: float | None,
    samples: tuple[Sample, Sample],
    drawn: tuple[Replicates | None, Replicates | None],
    level: float,
) -> dict[str, Any]:
    mine, theirs = drawn
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
    few = intervals.withheld(name, samples[0]) or intervals.withheld(name, samples[1])
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
    defined = values[~np.isnan(values)]
    if len(defined) and not np.any(defined):
        return {**draft, "low": 0.0, "high": 0.0, "p_value": 1.0, "method": "identical on every resample"}
    if mine.plan.units < intervals.LEAST:
        return {**draft, "reason": intervals.too_few(mine.plan)}
    found = intervals.from_replicates(draft["difference"], values, None, level)
    if found.low is None:
        return {**draft, "reason": found.reason}
    if name in mine.left_out and name != "median_absolute_error":
        test = paired.jackknife(draft["difference"], mine.left_out[name] - theirs.left_out[name], level)
        if test is not None:
            ends = {"low": test.low, "high": test.high}
            return {**draft, **ends, "p_value": test.p_value, "method": "paired jackknife t"}
    ends = {"low": found.low, "high": found.high}
    return {**draft, **ends, "p_value": paired.percentile_p(defined), "method": "paired percentile"}


def _sharpened(draft: dict[str, Any], mine: Sample, theirs: Sample, level: float) -> dict[str, Any]:
    """Replace resampling by what is made for the metric: McNemar for shares of rows, DeLong for ROC AUC.

    McNemar's test takes the number of rows asked as given; for recall and specificity it is random, and the test,
    exact as it is, calls 1 to 2 % of null pairs different. It stands for them where few rows of a class are there.
    """
    name = draft["metric"]
    if draft["difference"] is None or not mine.plain:
        return draft
    if name in ("accuracy", "recall", "specificity"):
        asked = np.ones(mine.n, dtype=bool)
        if name != "accuracy":
            asked = (mine.labels == mine.positive) == (name == "recall")
            if int(np.sum(asked)) >= intervals.RARE:
                return draft
        right, other = mine.labels == mine.predictions, theirs.labels == theirs.predictions
        ours, others = int(np.sum(asked & right & ~other)), int(np.sum(asked & other & ~right))
        if ours + others == 0:
            return draft
        test = paired.shares(ours, others, int(asked.sum()), level)
        method = "exact McNemar" if test.exact else "McNemar"
        return {
            **draft, "low": test.low, "high": test.high, "p_value": test.p_value, "method": method, "reason": None
        }  # fmt: skip
    if name == "roc_auc" and draft["p_value"] is not None:
        assert mine.positive is not None
        assert theirs.positive is not None
        assert mine.probabilities is not None
        assert theirs.probabilities is not None
        found = paired.delong(
            mine.labels == mine.positive,
            mine.probabilities[:, mine.positive],
            theirs.probabilities[:, theirs.positive],
        )
        if found is not None:
            half = intervals.normal_quantile((1 + level) / 2) * found.standard_error
            low, high = max(-1.0, draft["difference"] - half), min(1.0, draft["difference"] + half)
            return {**draft, "low": low, "high": high, "p_value": found.p_value, "method": "DeLong"}
    return draft
