"""Evaluation of predictions: every number with its support and its confidence interval.

>>> from evalharness import evaluate
>>> report = evaluate(task_type="classification", labels=[0, 0, 1, 1], predictions=[0, 1, 1, 1])
>>> report.metrics["accuracy"]
0.75
"""

from evalharness.compare import Comparison, Comparisons, adjusted, comparable, compare_models
from evalharness.evaluators import Report, evaluate
from evalharness.metrics import METRICS, MetricSpec
from evalharness.schemas import Config, InputError, Interval
from evalharness.studies import DataSetComparison, FoldComparison, compare_data_sets, compare_folds

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
