"""Baseline first: a messy table becomes a plan, and a plan three models that can be compared.

``read_table`` reads a file, ``plan`` decides what is done with each row and column and says so,
``fit_models`` fits a dummy, a linear model and XGBoost on the same training rows.
"""

from __future__ import annotations

from modellab_jupyter.templates.columns import Column
from modellab_jupyter.templates.fitting import MODELS, Result, fit_models
from modellab_jupyter.templates.planning import TASK_TYPES, Plan, plan
from modellab_jupyter.templates.reading import read_table

__all__ = ["MODELS", "TASK_TYPES", "Column", "Plan", "Result", "fit_models", "plan", "read_table"]
