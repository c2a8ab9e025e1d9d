"""Predictions become an evaluation: the harness's report, its folder, the rows judged as a blob, the event."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modellab_jupyter import schema
from modellab_jupyter.blobs import Blobs
from modellab_jupyter.errors import InputError, StoreError

if TYPE_CHECKING:
    from evalharness import Report

TaskType = Literal["classification", "regression"]


def judge(
    run_id: str,
    predictions: Any,
    labels: Any,
    data: Any,
    *,
    name: str,
    task_type: TaskType | None,
    settings: dict[str, Any],
    files: Path,
) -> tuple[Report, Callable[[], schema.EvaluationLogged]]:
    """Evaluate; return the report, and what keeps all that is needed to show, compare and recompute it later.

    Raises
    ------
    InputError, evalharness.InputError
        The input cannot be judged; nothing is written then.
    """
    from evalharness import evaluate

    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name must be a text that is not empty, found {name!r}.")
    evaluation_id = schema.new_id("evaluation")
    settings = dict(settings)
    output = settings.pop("output_dir", None)
    report = evaluate(
        task_type=task_type or infer_task(predictions, labels, settings),
        predictions=predictions, labels=labels, data=data, output_dir=output, **settings,
    )  # fmt: skip
    return report, lambda: _keep(report, run_id, evaluation_id, name, files)


def _keep(report: Report, run_id: str, evaluation_id: str, name: str, files: Path) -> schema.EvaluationLogged:
    """Write a report's folder and predictions; return the event that says so.

    Raises
    ------
    OSError, StoreError
        The disk does not take them.
    """
    from evalharness import InputError as Refused

    try:
        report.write(files / "evaluations" / evaluation_id)
    except Refused as error:  # of our own folder: it cannot be written
        raise StoreError(str(error)) from error
    buffer = io.BytesIO()
    report.predictions_frame().to_parquet(buffer, index=False)
    return schema.EvaluationLogged(
        time=time.time_ns(),
        evaluation_id=evaluation_id,
        run_id=run_id,
        name=name,
        task_type=report.task_type,
        n=report.n,
        labels_digest=report.labels_digest,
        rows_digest=report.rows_digest or "",
        predictions=Blobs(files / "blobs").put(buffer.getvalue()),
        folder=f"evaluations/{evaluation_id}",
        estimates=estimates(report),
        takeaway=report.get_takeaway(),
        settings=report.settings,
    )


def rebuilt(predictions: bytes, settings: dict[str, Any]) -> Report:
    """Return the report of a stored evaluation from its predictions (Parquet) and settings, without slices."""
    import pandas as pd

    from evalharness import Report

    return Report.from_predictions(pd.read_parquet(io.BytesIO(predictions)), settings)


def estimates(report: Report) -> list[schema.Estimate]:
    """Return a report's metrics with their intervals as values of the schema."""
    found = []
    for metric, value in report.metrics.items():
        interval = report.intervals.get(metric)
        found.append(
            schema.Estimate(
                metric=metric,
                estimate=value,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                confidence_level=interval.confidence_level if interval else None,
                method=interval.method if interval else None,
                n=report.n,
                reason=report.undefined.get(metric) or (interval.reason if interval else None),
            )
        )
    return found


def infer_task(predictions: Any, labels: Any, settings: dict[str, Any]) -> TaskType:
    """Return the task that labels and predictions speak of.

    Regression where the labels are numbers with fractions, or whole numbers judged by predictions with fractions that
    are no probabilities, unless the labels are 0 and 1; else classification.
    """
    import numpy as np

    if settings.get("probabilities") is not None or settings.get("classes") is not None:
        return "classification"
    given, truth = np.asarray(predictions), np.asarray(labels)
    if truth.dtype.kind not in "iuf" or given.dtype.kind not in "iuf" or given.squeeze().ndim == 2:
        return "classification"
    whole = truth[np.isfinite(truth)] if truth.dtype.kind == "f" else truth
    if (whole != np.floor(whole)).any():
        return "regression"
    fractions = given.dtype.kind == "f" and bool((given[np.isfinite(given)] % 1 != 0).any())
    few = len(np.unique(whole)) <= 2
    inside = given.min(initial=0) >= 0 and given.max(initial=0) <= 1
    if fractions and few and (inside or set(np.unique(whole)) == {0, 1}):  # 1.0001 is a slip, which the harness tells
        return "classification"
    return "regression" if fractions or len(np.unique(whole)) > 50 else "classification"
