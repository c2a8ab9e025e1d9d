"""The whole way in one call: read, plan, fit three models, judge each on rows it has not seen, compare."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from modellab_jupyter import progress
from modellab_jupyter.errors import InputError, hint
from modellab_jupyter.tables import read_table
from modellab_jupyter.templates.fitting import MODELS, ModelName, Result, fit_models
from modellab_jupyter.templates.planning import Plan, plan

if TYPE_CHECKING:
    import pandas as pd

    from evalharness import Comparison, Report
    from modellab_jupyter.tracking import Run

SCORES: Final = {"classification": "accuracy", "regression": "r2"}


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """One model of a `Summary`: its scores, and how it stands against the dummy on the same rows.

    Attributes
    ----------
    name, title : str
        ``"dummy"``, ``"linear"`` or ``"xgboost"``, and words for people.
    train_score, test_score : float or None
        The summary's metric on the training and the test rows; None where it is undefined.
    low, high : float or None
        Interval of `test_score`; both None where there is none, for the reason in `reason`.
    reason : str or None
        Why the test score or its interval is missing.
    difference, difference_low, difference_high : float or None
        Test score minus the dummy's, paired row by row, with its interval; None for the dummy.
    evidence : str
        ``"better"``, ``"worse"``, ``"no evidence of a difference"``; ``"baseline"`` for the dummy.
    run_id : str or None
        The run that holds it; None where nothing was logged.
    report : evalharness.Report
        Its evaluation on the test rows.
    result : Result
        The fitted model.
    """

    name: ModelName
    title: str
    train_score: float | None
    test_score: float | None
    low: float | None
    high: float | None
    reason: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    evidence: str
    run_id: str | None
    report: Report = field(repr=False)
    result: Result = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What `train` found; print it to read it.

    Attributes
    ----------
    plan : Plan
        What was done with rows and columns.
    metric : str
        Name of the score, as in ``evalharness.METRICS``.
    n : int
        Test rows behind every test score.
    confidence_level : float
        Of all intervals.
    models : tuple of Trained
        Dummy, linear, XGBoost.
    best : Trained
        The model with the best test score; of equal ones the simplest.
    verdict : str
        One sentence: the best model, its score with its interval, and whether it differs from the next best.
    project_id : str or None
        The project that holds the runs.
    """

    plan: Plan
    metric: str
    n: int
    confidence_level: float
    models: tuple[Trained, ...]
    best: Trained
    verdict: str
    project_id: str | None

    @property
    def table(self) -> pd.DataFrame:
        """One row per model: scores, intervals, paired difference with the dummy, evidence, run."""
        import pandas as pd

        scores = ["train_score", "test_score", "low", "high", "difference", "difference_low", "difference_high"]
        names = ["name", *scores, "evidence", "run_id"]
        rows = [[getattr(model, name) for name in names] for model in self.models]
        return pd.DataFrame(rows, columns=names).rename(columns={"name": "model"})

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))

    def __str__(self) -> str:
        level = f"{100 * self.confidence_level:g} %"
        head = ("model", f"train {self.metric}", f"test {self.metric} [{level}]", f"minus dummy [{level}]", "evidence")
        rows = [
            (
                model.title,
                _number(model.train_score),
                _interval(model.test_score, model.low, model.high),
                ""
                if model.name == MODELS[0]
                else _interval(model.difference, model.difference_low, model.difference_high),
                model.evidence,
            )
            for model in self.models
        ]
        wide = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
        padded = [[cell.ljust(size) for cell, size in zip(row, wide, strict=True)] for row in [head, *rows]]
        lines = ["  ".join(row).rstrip() for row in padded]
        reasons = [f"{model.title}: {model.reason}." for model in self.models if model.reason]
        notes = [note for model in self.models for note in model.result.notes]
        logged = []
        if self.project_id is not None:
            runs = ", ".join(str(model.run_id) for model in self.models)
            logged = [f"Logged in project {self.project_id!r}: {runs}."]
        return "\n".join([str(self.plan), "", *lines, "", *reasons, *notes, self.verdict, *logged])


def train(
    task_type: str,
    data: pd.DataFrame | str | os.PathLike[str],
    target: Hashable,
    project_id: str | None = None,
    seed: int = 0,
    *,
    test_size: float = 0.25,
    metric: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> Summary:
    """Fit a dummy, a linear model and XGBoost on a table, and judge them on the same test rows.

    Parameters
    ----------
    task_type : {"classification", "regression"}
        What kind of target it is.
    data : DataFrame or path
        A table as it came, or a CSV or Parquet file; see `read_table` and `plan` for what is done with it.
    target : hashable
        Name of the column to predict.
    project_id : str, optional
        Id or name of the project in which the three runs are logged, the dummy as its baseline. Without it
        nothing is logged or written.
    seed : int
        Seed of the split, the models and the resampling. The global random state ends as it began.
    test_size : float
        Share of rows that are kept for the test.
    metric : str, optional
        The score, a name of ``evalharness.METRICS``; default: accuracy, or r2 for regression.
    config : mapping, optional
        Settings of ``evalharness.evaluate``, such as ``{"run_stress_tests": True}``.

    Returns
    -------
    Summary
        Print it to read it.

    Raises
    ------
    InputError
        An argument cannot be used; nothing is logged then.

    Notes
    -----
    Test scores carry an interval; differences with the dummy are paired row by row. The best model is chosen by
    its test score, so that its score flatters it a little.
    """
    frame = read_table(data) if isinstance(data, str | os.PathLike) else data
    decided = plan(frame, target, task_type, seed, test_size=test_size)
    score = _score(decided, metric)
    task = _Task(decided, score, _settings(config))
    judged = []
    with progress.steps(f"training on {len(frame):,} rows", len(MODELS), unit="model") as step:
        for name in MODELS:
            step(name)
            if project_id is None:
                judged.append(_judged(task, name))
            else:
                with _kept_random_state():
                    judged.append(_logged(task, name, data, project_id))
    return _summary(task, judged, project_id)


@dataclass(frozen=True, slots=True)
class _Task:
    """What is the same for every model."""

    plan: Plan
    metric: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A fitted model with its report on the test rows and its score on the training rows."""

    result: Result
    report: Report
    train_score: float | None
    run_id: str | None


def _score(decided: Plan, metric: str | None) -> str:
    from evalharness import METRICS

    name = SCORES[decided.task_type] if metric is None else metric
    task = "regression" if not decided.classes else "binary" if len(decided.classes) == 2 else "multiclass"
    known = [spec.name for spec in METRICS.values() if task in spec.tasks and spec.greater_is_better is not None]
    if name not in known:
        raise InputError(
            f"metric: {name!r} is no score of a {task} target"
            f"{hint(str(name), known) or f'; give one, such as {known[0]!r}, or leave it out for the usual one.'}"
        )
    return name


def _settings(config: Mapping[str, Any] | None) -> dict[str, Any]:
    from evalharness import Config
    from evalharness import InputError as Refused

    try:
        return Config.read(config).to_dict()
    except Refused as error:
        raise InputError(str(error)) from None


def _judged(task: _Task, name: ModelName, run: Run | None = None) -> _Judged:
    """Fit one model and judge it; with a `run`, everything is logged to it."""
    from evalharness import evaluate

    decided = task.plan
    if run is not None:
        run.log_params(_params(decided))
    (result,) = fit_models(decided, (name,))
    about: dict[str, Any] = {"task_type": decided.task_type}
    if decided.classes:
        about["classes"] = decided.classes
    probable = result.test_probabilities is not None
    seen = evaluate(
        predictions=result.train_probabilities if probable else result.train_predictions,
        labels=decided.rows_of("train")[1],
        config={"compute_cis": False, "plots": False},
        **about,
    )
    train_score = seen.metrics[task.metric]
    rows, labels = decided.rows_of("test")
    about |= {
        "predictions": result.test_probabilities if probable else result.test_predictions,
        "labels": labels,
        "data": rows,
        "predict": result.probabilities if probable else result.predict,
        "config": task.config,
        "seed": decided.seed,
    }
    if run is None:
        return _Judged(result, evaluate(**about), train_score, None)
    run.log_params(result.params)
    scores = {} if train_score is None else {f"train_{task.metric}": train_score}
    run.log_metrics({**scores, "fit_seconds": result.fit_seconds}, step=0)
    return _Judged(result, run.evaluate(**about), train_score, run.id)


def _logged(task: _Task, name: ModelName, data: Any, project_id: str) -> _Judged:
    """Fit and judge one model in a run of its own; the dummy's is the baseline of its project."""
    from modellab_jupyter.tracking import start_run

    seed, told = task.plan.seed, str(task.plan)
    with start_run(name, project_id, seed=seed, tags=["template"], baseline=name == MODELS[0]) as run:
        run.log_dataset(data)
        run.set_note(told)
        judged = _judged(task, name, run)
        if judged.result.notes:
            run.set_note("\n".join([told, *judged.result.notes]))
    return judged


def _params(decided: Plan) -> dict[str, Any]:
    return {
        "task_type": decided.task_type,
        "target": str(decided.target),
        "rows_train": len(decided.train),
        "rows_test": len(decided.test),
        "columns": [str(column.name) for column in decided.used],
    }


@contextmanager
def _kept_random_state() -> Iterator[None]:
    """Give the user's random numbers back as they were: a run that has a seed seeds them."""
    import numpy as np

    ours, theirs = random.getstate(), np.random.get_state()  # noqa: NPY002 - it is what runs seed
    torch = sys.modules.get("torch")
    tensors = None if torch is None else torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(theirs)  # noqa: NPY002
        if torch is not None:
            torch.set_rng_state(tensors)


def _summary(task: _Task, judged: list[_Judged], project_id: str | None) -> Summary:
    metric, dummy = task.metric, judged[0].report
    models = tuple(_trained(one, metric, dummy) for one in judged)
    ordered = _ordered(models, metric)
    best = ordered[0]
    comparison = best.report.compare(ordered[1].report)
    return Summary(
        plan=task.plan,
        metric=metric,
        n=dummy.n,
        confidence_level=dummy.config.confidence_level,
        models=models,
        best=best,
        verdict=_verdict(best, ordered[1], metric, comparison),
        project_id=project_id,
    )


def _trained(judged: _Judged, metric: str, dummy: Report) -> Trained:
    report, result = judged.report, judged.result
    interval = report.intervals[metric]
    row = None
    evidence = "baseline"
    if report is not dummy:
        comparison = report.compare(dummy)
        row = next(row for row in comparison.rows if row.metric == metric)
        evidence = comparison.evidence(metric)
    return Trained(
        name=result.name,
        title=result.title,
        train_score=judged.train_score,
        test_score=report.metrics[metric],
        low=interval.low,
        high=interval.high,
        reason=report.undefined.get(metric) or interval.reason,
        difference=None if row is None else row.difference,
        difference_low=None if row is None else row.low,
        difference_high=None if row is None else row.high,
        evidence=evidence,
        run_id=judged.run_id,
        report=report,
        result=result,
    )


def _ordered(models: tuple[Trained, ...], metric: str) -> list[Trained]:
    """Return the models from the best test score down; equal ones in their own order, undefined ones last."""
    from evalharness import METRICS

    sign = -1.0 if METRICS[metric].greater_is_better else 1.0
    return sorted(models, key=lambda model: float("inf") if model.test_score is None else sign * model.test_score)


def _verdict(best: Trained, second: Trained, metric: str, comparison: Comparison) -> str:
    if best.test_score is None:
        return f"No model can be called best: {metric} is undefined on these test rows."
    found = f"{metric} {_interval(best.test_score, best.low, best.high)} on {best.report.n:,} test rows"
    evidence = comparison.evidence(metric)
    against = f"{evidence} {'than' if evidence in ('better', 'worse') else 'from'} {second.title}"
    if second.test_score is None:
        against = f"{second.title} has no such score"
    return f"Best: {best.title}, {found}; {against} ({_number(second.test_score)})."


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{round(value, 3) + 0.0:,.3f}" if abs(value) < 1e5 else f"{value:.4g}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return _number(value)
    return f"{_number(value)} [{_number(low)}, {_number(high)}]"
