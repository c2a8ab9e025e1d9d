"""Evaluation of predictions: every number with its support and its confidence interval."""
