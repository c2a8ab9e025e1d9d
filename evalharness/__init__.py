"""Evaluation of predictions: every number with its support and its confidence interval.

>>> from evalharness import evaluate
>>> report = evaluate(task_type="classification", labels=[0, 0, 1, 1], predictions=[0, 1, 1, 1])
>>> report.metrics["accuracy"]
0.75
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.compare import Comparison, Comparisons, adjusted, comparable, compare_models
    from evalharness.evaluators import Report, evaluate
    from evalharness.metrics import METRICS, MetricSpec
    from evalharness.schemas import Config, InputError, Interval
    from evalharness.studies import DataSetComparison, FoldComparison, compare_data_sets, compare_folds

# Resolved on first use: who asks which way a metric is better needs neither SciPy nor the rest.
_HOMES = {
    "compare": ("Comparison", "Comparisons", "adjusted", "comparable", "compare_models"),
    "evaluators": ("Report", "evaluate"),
    "metrics": ("METRICS", "MetricSpec"),
    "schemas": ("Config", "InputError", "Interval"),
    "studies": ("DataSetComparison", "FoldComparison", "compare_data_sets", "compare_folds"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "METRICS",
    "Comparison",
    "Comparisons",
    "Config",
    "DataSetComparison",
    "FoldComparison",
    "InputError",
    "Interval",
    "MetricSpec",
    "Report",
    "adjusted",
    "comparable",
    "compare_data_sets",
    "compare_folds",
    "compare_models",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'evalharness' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"evalharness.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
