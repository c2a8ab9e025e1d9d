"""Baseline first: a messy table becomes a plan, a plan three models, and the models one comparison.

`train` goes the whole way. Its steps are here too: `read_table` reads a file, `plan` decides what is done with each
row and column and says so, `fit_models` fits a dummy, a linear model and XGBoost on the same training rows.
"""

from __future__ import annotations

from modellab_jupyter.tables import read_table
from modellab_jupyter.templates.columns import Column
from modellab_jupyter.templates.fitting import MODELS, Result, fit_models
from modellab_jupyter.templates.planning import TASK_TYPES, Plan, plan
from modellab_jupyter.templates.workflow import Summary, Trained, train

__all__ = [
    "MODELS",
    "TASK_TYPES",
    "Column",
    "Plan",
    "Result",
    "Summary",
    "Trained",
    "fit_models",
    "plan",
    "read_table",
    "train",
]
