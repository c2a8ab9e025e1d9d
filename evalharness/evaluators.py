"""Composition: checked input in; metrics, intervals and all other findings out, as one `Report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import calibration, diagnostics, digests, failures, inputs, intervals, slices, stress, takeaway, writer
from evalharness.batch import EPSILON, Prepared
from evalharness.metrics import wanted, why_undefined
from evalharness.resample import Plan
from evalharness.schemas import Config, Finding, InputError, Interval, Sample, aligned

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evalharness.compare import Comparison
    from evalharness.diagnostics import PredictionInterval
    from evalharness.failures import Failures
    from evalharness.intervals import Replicates
    from evalharness.schemas import Claim, Class
    from evalharness.slices import Slices
    from evalharness.stress import Stress

    Predict = Callable[[Any], Any] | Mapping[tuple[str, float], Any]


def evaluate(
    *,
    task_type: str,
    predictions: Any,
    labels: Any,
    data: Any = None,
    probabilities: Any = None,
    output_dir: str | Path | None = None,
    config: Mapping[str, Any] | Config | None = None,
    classes: Any = None,
    positive: Any = None,
    threshold: float = 0.5,
    sample_weight: Any = None,
    groups: Any = None,
    stratify: Any = None,
    predict: Predict | None = None,
    on_missing: str = "error",
    seed: int = 0,
) -> Report:
    """Judge predictions: every metric with its interval, slices, failures, stress tests and a takeaway.

    All input is checked before any work, never changed, and matched by position. NumPy arrays, pandas, polars
    and Arrow columns and lists are accepted; (n, 1) tables count as columns.

    Parameters
    ----------
    task_type : {"classification", "regression"}
    predictions : array-like of shape (n,) or (n, k)
        Predicted labels; or probabilities of the positive class (n,); or of each class (n, k), in the order
        of `classes`, or in any order where a table's column names are the classes: names win over places, and
        a note says so. One column of floats that are not all classes is read as probabilities when there are
        two classes.
    labels : array-like of shape (n,)
        What really was: strings, booleans or whole numbers for classification, numbers for regression.
    data : table of n rows, optional
        The features, for slices, failures and stress tests.
    probabilities : array-like of shape (n,) or (n, k), optional
        Probabilities beside predicted labels.
    output_dir : path, optional
        Where the standard artifact folder is written; without it nothing is written.
    config : mapping, optional
        ``compute_cis`` (True), ``run_stress_tests`` (False), ``n_failures_per_type`` (10), ``n_resamples``
        (1000), ``confidence_level`` (0.95), ``plots`` (True), ``min_support`` (None: 30 rows or 1 %,
        whichever is more), ``max_slice_features`` (2).
    classes : sequence, optional
        All classes, in the order of probability columns without names; by default those met, sorted.
    positive : class, optional
        The positive one of two classes; by default the last.
    threshold : float
        A row is predicted positive where its probability is at least this.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows, at least 0; only their ratios matter. Rows of weight 0 are left out.
    groups : array-like of shape (n,), optional
        What rows belong together (patient, user, ...): whole groups are then resampled.
    stratify : True or array-like of shape (n,), optional
        How many rows of each stratum there are was decided, not met by chance: resamples then keep their numbers.
        True takes the labels as strata (for example where as many of each class were collected).
    predict : callable or mapping, optional
        Called with rows like `data`, returns what `predictions` holds; needed for stress tests. Or its answers to
        the rows that `evalharness.stress.perturbed` gives, by (perturbation, severity).
    on_missing : {"error", "drop"}
        What to do with rows whose label or prediction is missing.
    seed : int
        Seed of the resampling; equal input and seed give equal reports. The global random state is not used.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        A ValueError of one sentence: the argument, what was found, what to do.
    """
    settings = Config.read(config)
    number = _seed(seed)
    if isinstance(predict, Mapping):
        stress.named(predict)
    elif predict is not None and not callable(predict):
        raise InputError(f"predict is a {type(predict).__name__}; give a callable such as model.predict_proba.")
    sample = inputs.read(
        task_type=task_type,
        predictions=predictions,
        labels=labels,
        data=data,
        probabilities=probabilities,
        classes=classes,
        positive=positive,
        threshold=threshold,
        sample_weight=sample_weight,
        groups=groups,
        stratify=stratify,
        on_missing=on_missing,
    )
    target = None if output_dir is None else writer.check(output_dir)
    report = _compose(sample, settings, number, predict)
    if target is not None:
        writer.write(report, target)
    return report


def _seed(seed: Any) -> int:
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and 0 <= int(seed) < 2**63:
        return int(seed)
    raise InputError(f"seed is {seed!r}; give a whole number from 0 to 2**63 - 1.")


def _compose(sample: Sample, config: Config, seed: int, predict: Predict | None) -> Report:
    prepared = Prepared(sample)
    metrics: dict[str, float | None] = {}
    undefined: dict[str, str] = {}
    batch = prepared.estimate()
    with np.errstate(divide="ignore", invalid="ignore"):
        for spec in wanted(sample):
            value = float(spec.compute(batch)[0])
            metrics[spec.name] = value if np.isfinite(value) else None
            if metrics[spec.name] is None:
                undefined[spec.name] = why_undefined(spec, sample)
    report = Report(
        metrics=MappingProxyType(metrics),
        undefined=MappingProxyType(undefined),
        notes=(*sample.notes, *_conventions(sample)),
        stress_found=stress.run(sample, config, predict, seed),
        config=config,
        seed=seed,
        labels_digest=digests.of_labels(sample),
        rows_digest=digests.of_rows(sample),
        columns=() if sample.frame is None else tuple(map(str, sample.frame.columns)),
        sample=sample,
    )
    if sample.frame is not None:
        # the frame may share memory with the user's, who may change it later: nothing waits for it
        _ = report.claims
    return report


def _conventions(sample: Sample) -> list[str]:
    """Say what a reader must know about how numbers of this sample were reached."""
    notes = []
    if sample.frame is not None:
        notes.append("Rows of labels, predictions and data are matched by position.")
    if sample.weights is not None:
        notes.append("Metrics are weighted by sample_weight (only ratios matter); counts and support are of rows.")
    if sample.groups is not None:
        notes.append(f"Whole groups are resampled: {int(sample.groups.max()) + 1} of them.")
    if sample.strata is not None:
        notes.append(f"Resamples keep the size of each of {int(sample.strata.max()) + 1} strata.")
    if sample.task == "multiclass":
        notes.append("Precision, recall and F1 of a class are taken as 0 where they would be 0/0.")
    if sample.probabilities is not None:
        one = sample.task == "binary"
        notes.append(
            "The Brier score runs from 0 to " + ("1 (positive class only)." if one else "2 (sum over classes).")
        )
        judged = "the positive class" if one else "the most probable class"
        notes.append(f"Calibration is judged on the probability of {judged}, over {calibration.N_BINS} bins.")
        p = sample.probabilities[np.arange(sample.n), sample.labels]
        never = int(np.sum(p < EPSILON))
        if never:
            notes.append(
                f"Log loss takes {EPSILON:.3g} for the probability of what happened where it was smaller, "
                f"in {never} row"
                f"{'' if never == 1 else 's'}."
            )
    return notes


@dataclass(frozen=True, eq=False, repr=False)
class Report(Finding):
    """What one evaluation found.

    Without `data`, whatever takes time is computed where it is first asked for, and then kept: a report that is
    only compared makes metrics and resamples, and nothing else.

    Attributes
    ----------
    metrics : mapping of str to float or None
        Estimates; None where undefined.
    undefined : mapping of str to str
        Why a metric is None.
    intervals : mapping of str to Interval
    notes : tuple of str
        Conventions and readings of the input.
    tests : mapping
        ``perfect_calibration`` with p-value, statistic, bins and reason; for regression ``residual_normality``,
        ``residual_autocorrelation`` and ``residual_heteroscedasticity``, each as `diagnostics.ResidualTest`.
    prediction_intervals : tuple of PredictionInterval
        Split conformal intervals at 80 %, 90 % and the confidence level (regression only).
    replicates : Replicates or None
        The metrics on every resample; None where ``compute_cis`` was off.
    slices_found, failures_found, stress_found
        Everything known about slices, failures and stress tests; `slices`, `failures` and `stress` are their
        tables.
    claims : tuple of Claim
        The sentences of the takeaway with the numbers they print.
    config : Config
    seed : int
    labels_digest : str
        SHA-256 of the labels (with weights and groups) in order: equal for reports that may be compared.
    rows_digest : str or None
        SHA-256 of `data`; None without it.
    columns : tuple of str
        Names of the columns of `data`.
    """

    metrics: Mapping[str, float | None]
    undefined: Mapping[str, str]
    notes: tuple[str, ...]
    stress_found: Stress
    config: Config
    seed: int
    labels_digest: str
    rows_digest: str | None
    columns: tuple[str, ...]
    sample: Sample

    @cached_property
    def replicates(self) -> Replicates | None:
        """The metrics on every resample; None where ``compute_cis`` was off."""
        if not self.config.compute_cis:
            return None
        return intervals.replicate(self.sample, self.plan)

    @cached_property
    def intervals(self) -> Mapping[str, Interval]:
        """The interval of each metric, or why there is none."""
        found: dict[str, Interval] = {}
        level = self.config.confidence_level
        for name, estimate in self.metrics.items():
            if estimate is None:
                why = f"the metric is undefined: {self.undefined[name]}"
                found[name] = Interval(None, None, level, "none", reason=why)
            elif not self.config.compute_cis:
                found[name] = Interval(None, None, level, "none", reason="compute_cis was off")
            else:
                found[name] = intervals.for_metric(name, estimate, self.sample, self.replicates, level, self.seed)
        return MappingProxyType(found)

    @cached_property
    def tests(self) -> Mapping[str, Any]:
        """Tests as plain data: ``perfect_calibration``, or those of the residuals."""
        found: dict[str, Any] = {} if self._calibrated is None else {"perfect_calibration": self._calibrated}
        if self.sample.task == "regression":
            found |= diagnostics.residual_tests(self.sample, self.config.confidence_level)
        return MappingProxyType({name: asdict(test) for name, test in found.items()})

    @cached_property
    def prediction_intervals(self) -> tuple[PredictionInterval, ...]:
        """Split conformal prediction intervals, one for each level; empty for classification."""
        if self.sample.task != "regression":
            return ()
        return diagnostics.prediction_intervals(self.sample, self.seed, self.config.confidence_level)

    @cached_property
    def _calibrated(self) -> calibration.CalibrationTest | None:
        return None if self.sample.probabilities is None else calibration.against_perfect(self.sample)

    @cached_property
    def slices_found(self) -> Slices:
        """Everything known about slices; `slices` is their table."""
        return slices.find(self.sample, self.config)

    @cached_property
    def failures_found(self) -> Failures:
        """Everything known about failures; `failures` is their table."""
        return failures.find(self.sample, self.config)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The sentences of the takeaway with the numbers they print."""
        return takeaway.write(
            self.sample,
            self.config,
            self.metrics,
            self.intervals,
            self._calibrated,
            self.slices_found,
            self.failures_found,
        )

    @property
    def n(self) -> int:
        """Number of rows judged."""
        return self.sample.n

    @property
    def task_type(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return self.sample.task_type

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes in order; empty for regression."""
        return self.sample.classes

    @property
    def positive(self) -> Class | None:
        """The positive class of two; None otherwise."""
        return None if self.sample.positive is None else self.sample.classes[self.sample.positive]

    @property
    def slices(self) -> Any:
        """The slices as a pandas DataFrame; why there are none is in `slices_found.reason`."""
        return self.slices_found.table

    @property
    def failures(self) -> Any:
        """The examples of failures as a pandas DataFrame; `failures_found.counts` has the six categories."""
        return self.failures_found.table

    @property
    def stress(self) -> Any:
        """The stress tests as a pandas DataFrame, or None; why is in `stress_reason`."""
        return self.stress_found.table

    @property
    def stress_reason(self) -> str | None:
        """Why there are no stress tests; None when there are."""
        return self.stress_found.reason

    def get_takeaway(self) -> str:
        """Return exactly five sentences, one on each line."""
        return takeaway.text(self.claims)

    def documents(self) -> dict[str, Any]:
        """Return the content of each file of the artifact folder as plain data, plots left out."""
        return writer.documents(self)

    def write(self, output_dir: str | Path) -> Path:
        """Write the standard artifact folder; an older report there is replaced whole or not at all.

        Parameters
        ----------
        output_dir : path

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        InputError
            When the folder cannot be written, or holds anything that is not from an earlier report.
        """
        return writer.write(self, output_dir)

    def __eq__(self, other: object) -> bool:
        return self.documents() == other.documents() if isinstance(other, Report) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.labels_digest, self.rows_digest, self.seed))

    def __repr__(self) -> str:
        first = next(iter(self.metrics))
        return f"<Report: {self.sample.task}, {self.n} rows, {first} {self.metrics[first]}>"

    def __str__(self) -> str:
        """Return a table of the metrics: estimate and interval, or why there is none."""
        import textwrap

        def said(reason: str | None) -> str:
            return textwrap.shorten(str(reason), 80, placeholder=" ...")

        chosen = "" if self.positive is None else f", positive class {self.positive!r}"
        head = f"{self.sample.task}, {self.n:,} row{'' if self.n == 1 else 's'}{chosen}"
        lines = [("metric", "estimate", f"{100 * self.config.confidence_level:g} % interval")]
        for name, value in self.metrics.items():
            found = self.intervals[name]
            if value is None:
                lines.append((name, "none", said(self.undefined[name])))
            elif found.low is None or found.high is None:
                lines.append((name, f"{takeaway.rounded(value)}", f"none: {said(found.reason)}"))
            else:
                ends = f"{takeaway.rounded(found.low)} to {takeaway.rounded(found.high)}"
                lines.append((name, f"{takeaway.rounded(value)}", ends))
        return aligned(head, lines)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything but the rows that the evaluation depended on, as plain data for `from_predictions`."""
        return {
            "task_type": self.task_type,
            "classes": list(self.classes),
            "positive": self.positive,
            "threshold": self.sample.threshold,
            "seed": self.seed,
            "config": self.config.to_dict(),
            "notes": list(self.sample.notes),
            "columns": list(self.columns),
            "rows_digest": self.rows_digest,
        }

    def compare(self, other: Report) -> Comparison:
        """Compare with a report on the same rows, metric by metric.

        Both models are judged on the same resamples, so a difference is paired row by row.

        Parameters
        ----------
        other : Report

        Returns
        -------
        Comparison

        Raises
        ------
        InputError
            When the reports are not about the same labels in the same order; see `comparable`.
        """
        from evalharness import compare

        return compare.compare(self, other)

    def curves(self) -> dict[str, Any]:
        """Return the ROC, precision-recall and calibration curves as columns; see `evalharness.curves.tables`."""
        from evalharness import curves

        return curves.tables(self)

    def thresholds(self, most: int = 500) -> dict[str, Any] | None:
        """Return true and false positives at each threshold as columns; see `evalharness.curves.thresholds`."""
        from evalharness import curves

        return curves.thresholds(self, most)

    def replicates_with(self, other: Report) -> tuple[Replicates, Replicates] | None:
        """Return the metrics of both reports on the same resamples; None where ``compute_cis`` was off."""
        if not self.config.compute_cis:
            return None
        plan = self.plan
        if intervals.gathered(self.sample, plan) or intervals.gathered(other.sample, plan):
            return intervals.together(self.sample, other.sample, plan)
        assert self.replicates is not None
        if other.config.compute_cis and other.plan.same_as(plan):
            assert other.replicates is not None
            return self.replicates, other.replicates
        return self.replicates, intervals.replicate(other.sample, plan)

    @property
    def plan(self) -> Plan:
        """Which rows each resample draws."""
        return Plan(self.n, self.config.n_resamples, self.seed, self.sample.groups, self.sample.strata)

    def predictions_frame(self) -> Any:
        """Return one row for each judged row: label, prediction, probabilities, weight and group where given.

        Returns
        -------
        pandas.DataFrame
            Columns ``row`` (position in the input), ``label``, ``prediction``, ``probability[<class>]`` for
            each class, ``weight``, ``group``, ``stratum``.
        """
        import pandas as pd

        s = self.sample
        columns: dict[str, Any] = {"row": s.rows}
        if s.task == "regression":
            columns |= {"label": s.labels, "prediction": s.predictions}
        else:
            kinds = {type(c) for c in s.classes}
            table = np.array(s.classes, dtype=object if kinds == {str} else None)
            columns |= {"label": table[s.labels], "prediction": table[s.predictions]}
            if s.probabilities is not None:
                columns |= {f"probability[{c}]": s.probabilities[:, j] for j, c in enumerate(s.classes)}
        if s.weights is not None:
            columns["weight"] = s.weights
        if s.groups is not None:
            columns["group"] = s.groups
        if s.strata is not None:
            columns["stratum"] = s.strata
        return pd.DataFrame(columns)

    @classmethod
    def from_predictions(
        cls,
        frame: Any,
        settings: Mapping[str, Any],
        *,
        data: Any = None,
        predict: Predict | None = None,
        output_dir: str | Path | None = None,
    ) -> Report:
        """Rebuild a report from what `predictions_frame` and `settings` gave.

        Parameters
        ----------
        frame : pandas.DataFrame
        settings : mapping
        data, predict, output_dir
            As in `evaluate`; `data` holds the rows of `frame`.

        Returns
        -------
        Report
            Equal to the one the frame is from, when `data` and `predict` are given as they were then.
        """
        for name in ("label", "prediction"):
            if name not in frame.columns:
                raise InputError(f"frame has no column {name!r}; give what Report.predictions_frame() returned.")
        probabilities = [c for c in frame.columns if str(c).startswith("probability[")]
        known = list(settings["classes"])
        config, seed = Config.read(settings["config"]), _seed(settings["seed"])
        sample = inputs.read(
            task_type=settings["task_type"],
            predictions=frame["prediction"].to_numpy(),
            labels=frame["label"].to_numpy(),
            probabilities=frame[probabilities].to_numpy() if probabilities else None,
            data=data,
            classes=known if len(known) > 1 else None,
            positive=settings["positive"],
            threshold=settings["threshold"],
            groups=frame["group"].to_numpy() if "group" in frame.columns else None,
            stratify=frame["stratum"].to_numpy() if "stratum" in frame.columns else None,
        )
        sample = replace(
            sample,
            notes=tuple(settings["notes"]),
            rows=frame["row"].to_numpy(dtype=np.int64) if "row" in frame.columns else sample.rows,
            weights=frame["weight"].to_numpy(dtype=np.float64) if "weight" in frame.columns else None,
        )
        target = None if output_dir is None else writer.check(output_dir)
        report = _compose(sample, config, seed, predict)
        if data is None:
            columns = tuple(settings.get("columns", ()))
            report = replace(report, rows_digest=settings.get("rows_digest"), columns=columns)
        if target is not None:
            writer.write(report, target)
        return report
