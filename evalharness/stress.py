"""How a model holds up when its rows change: perturbations at several severities, against clean rows."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import inputs, intervals
from evalharness.batch import Prepared
from evalharness.metrics import METRICS
from evalharness.resample import Plan, Stream
from evalharness.schemas import InputError

if TYPE_CHECKING:
    from evalharness.schemas import Config, Floats, Sample

COLUMNS = (
    "perturbation", "severity", "metric", "estimate", "low", "high", "drop", "drop_low", "drop_high", "n", "error",
)  # fmt: skip
MAX_ROWS = 20_000
MAX_RESAMPLES = 500


@dataclass(frozen=True)
class Row:
    """One metric under one perturbation; `drop` is how much worse than on the clean rows it is."""

    perturbation: str
    severity: float
    metric: str
    estimate: float | None
    low: float | None
    high: float | None
    drop: float | None
    drop_low: float | None
    drop_high: float | None
    n: int
    error: str | None


@dataclass(frozen=True)
class Stress:
    """All stress tests; `reason` says why there are none."""

    rows: tuple[Row, ...] = ()
    n: int = 0
    notes: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def table(self) -> Any:
        """The rows as a pandas DataFrame; None without any."""
        if self.reason is not None:
            return None
        import pandas as pd

        return pd.DataFrame([[getattr(row, c) for c in COLUMNS] for row in self.rows], columns=list(COLUMNS))


def run(sample: Sample, config: Config, predict: Callable[[Any], Any] | None, seed: int) -> Stress:
    """Run every perturbation that the features allow.

    Numbers: Gaussian noise, scaling, clipping to the middle (truncation) and outliers. Any column: missing
    values and shuffling of all values of some columns. Categories: swaps between rows, and values never seen.
    Severity is the share of cells or columns touched, or the size in standard deviations, as each
    perturbation says in its docstring. A model that raises leaves a row with the error.
    """
    if not config.run_stress_tests:
        return Stress(reason="run_stress_tests was off")
    if predict is None:
        return Stress(reason="predict= was not given, and stress tests need a model to call")
    if sample.frame is None:
        return Stress(reason="data was not given, and stress tests need rows to change")
    notes: list[str] = []
    keep = np.arange(sample.n)
    if sample.n > MAX_ROWS:
        keep = np.sort(np.argsort(Stream(seed, 3).words(sample.n)[0], kind="stable")[:MAX_ROWS])
        notes.append(f"Stress tests use {MAX_ROWS:,} of {sample.n:,} rows, drawn once.")
    frame = sample.frame.iloc[keep].reset_index(drop=True)
    metrics = _chosen(sample)
    try:
        clean = _judge(sample, keep, predict, frame)
    except Exception as error:  # noqa: BLE001  a user's model may raise anything, and is recorded
        return Stress(reason=f"predict failed on the unchanged rows: {_said(error)}")
    plan = Plan(len(keep), min(config.n_resamples, MAX_RESAMPLES), seed, clean.groups)
    base = _measure(clean, metrics, plan, config)
    differ = int(np.sum(clean.predictions != sample.predictions[keep]))
    if differ and not (sample.task == "regression" and np.allclose(clean.predictions, sample.predictions[keep])):
        notes.append(
            f"predict gives other predictions than predictions= in {differ:,} of {len(keep):,} unchanged "
            "rows; drops are from predict's own."
        )
    rows = [_row("none", 0.0, name, base[name], base[name], len(keep), config.confidence_level) for name in metrics]
    for number, (kind, severity, change) in enumerate(_perturbations(frame)):
        changed = change(
            frame, severity, np.random.Generator(np.random.Philox(key=np.array([seed, 100 + number], dtype=np.uint64)))
        )
        try:
            stressed = _judge(sample, keep, predict, changed)
        except Exception as error:  # noqa: BLE001  a user's model may raise anything, and is recorded
            rows += [
                Row(kind, severity, name, None, None, None, None, None, None, len(keep), _said(error))
                for name in metrics
            ]
            continue
        found = _measure(stressed, metrics, plan, config)
        rows += [
            _row(kind, severity, name, base[name], found[name], len(keep), config.confidence_level) for name in metrics
        ]
    return Stress(tuple(rows), len(keep), tuple(notes))


def _chosen(sample: Sample) -> tuple[str, ...]:
    if sample.task == "regression":
        return ("root_mean_squared_error", "mean_absolute_error")
    if sample.probabilities is None:
        return ("accuracy", "balanced_accuracy")
    return ("accuracy", "roc_auc") if sample.task == "binary" else ("accuracy", "log_loss")


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _judge(sample: Sample, keep: Any, predict: Callable[[Any], Any], frame: Any) -> Sample:
    """Call the model and read its answer as `predictions` were read."""
    answer = predict(_as_given(frame, sample.data_kind))
    truth: Any = sample.labels[keep]
    if sample.task != "regression":
        kinds = {type(c) for c in sample.classes}
        table = np.array(sample.classes, dtype=object if kinds == {str} else None)
        truth = table[truth]
    try:
        read = inputs.read(
            task_type=sample.task_type,
            predictions=answer,
            labels=truth,
            classes=list(sample.classes) if len(sample.classes) > 1 else None,
            positive=None if sample.positive is None else sample.classes[sample.positive],
            threshold=sample.threshold,
            sample_weight=None if sample.weights is None else sample.weights[keep],
            groups=None if sample.groups is None else sample.groups[keep],
        )
    except InputError as error:
        raise InputError(f"what predict returned cannot be read: {error}") from None
    return read


def _as_given(frame: Any, kind: str) -> Any:
    """Return a copy of the rows in the container that `data` was."""
    if kind == "numpy":
        return frame.to_numpy()
    if kind == "polars":
        polars = importlib.import_module("polars")

        return polars.from_pandas(frame)
    if kind == "pyarrow":
        import pyarrow

        return pyarrow.Table.from_pandas(frame, preserve_index=False)
    return frame.copy()


def _measure(sample: Sample, metrics: tuple[str, ...], plan: Plan, config: Config) -> dict[str, Any]:
    batch = Prepared(sample).estimate()
    specs = [
        METRICS[name] for name in metrics if METRICS[name].needs != "probabilities" or sample.probabilities is not None
    ]
    values = intervals.replicate(sample, plan, only=tuple(s.name for s in specs)) if config.compute_cis else None
    out: dict[str, Any] = dict.fromkeys(metrics, (None, None, None, None))
    for spec in specs:
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = float(spec.compute(batch)[0])
        if not np.isfinite(estimate):
            continue
        low = high = None
        if values is not None:
            found = intervals.for_metric(spec.name, estimate, sample, values, config.confidence_level, plan.seed)
            low, high = found.low, found.high
        out[spec.name] = (estimate, low, high, values)
    return out


def _row(kind: str, severity: float, name: str, clean: Any, found: Any, n: int, level: float) -> Row:
    estimate, low, high, values = found
    before, base = clean[0], clean[3]
    if estimate is None or before is None:
        return Row(kind, severity, name, estimate, low, high, None, None, None, n, None)
    sign = 1.0 if METRICS[name].greater_is_better else -1.0
    drop = sign * (before - estimate)
    drop_low = drop_high = None
    if values is not None and base is not None:
        apart = sign * (base.resampled[name] - values.resampled[name])
        if not np.any(apart):
            drop_low = drop_high = 0.0
        else:
            paired = intervals.from_replicates(drop, apart, None, level)
            drop_low, drop_high = paired.low, paired.high
    return Row(kind, severity, name, estimate, low, high, drop, drop_low, drop_high, n, None)


# Perturbations ------------------------------------------------------------------------------------

Change = Callable[[Any, float, np.random.Generator], Any]


def _perturbations(frame: Any) -> list[tuple[str, float, Change]]:
    numbers, categories = _kinds(frame)
    found: list[tuple[str, float, Change]] = []
    if numbers:
        found += [("noise", s, _noise) for s in (0.1, 0.5, 1.0)]
        found += [("scaling", s, _scaling) for s in (0.9, 1.1, 10.0)]
        found += [("outliers", s, _outliers) for s in (0.01, 0.05, 0.2)]
        found += [("truncation", s, _truncation) for s in (0.01, 0.1, 0.25)]
    found += [("missing", s, _missing) for s in (0.05, 0.2, 0.5)]
    if categories:
        found += [("category swaps", s, _swaps) for s in (0.05, 0.2, 0.5)]
        found += [("unseen categories", s, _unseen) for s in (0.05, 0.2)]
    found += [("shuffled features", s, _shuffled) for s in (0.1, 0.5, 1.0)]
    return found


def _kinds(frame: Any) -> tuple[list[int], list[int]]:
    import pandas as pd

    numbers, categories = [], []
    for i in range(frame.shape[1]):
        kind = frame.dtypes.iloc[i]
        if getattr(kind, "kind", "O") in "bcmM" or pd.api.types.is_datetime64_any_dtype(kind):
            continue
        if pd.api.types.is_numeric_dtype(kind):
            numbers.append(i)
        elif set(map(type, frame.iloc[:, i].dropna().tolist())) <= {str}:
            categories.append(i)
    return numbers, categories


def _numbers_changed(frame: Any, change: Callable[[Floats], Floats]) -> Any:
    out = frame.copy()
    for i in _kinds(frame)[0]:
        values = frame.iloc[:, i].to_numpy(dtype=np.float64, na_value=np.nan)
        out.isetitem(i, change(values))
    return out


def _spread(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.std()) if len(finite) else 0.0


def _noise(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Add normal noise of `severity` standard deviations to every number."""
    return _numbers_changed(frame, lambda v: v + severity * _spread(v) * rng.standard_normal(len(v)))


def _scaling(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Multiply every number by `severity`, as a wrong unit would."""
    del rng
    return _numbers_changed(frame, lambda v: v * severity)


def _outliers(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Move a share `severity` of the numbers by 10 standard deviations up or down."""

    def change(v: Floats) -> Floats:
        hit = rng.random(len(v)) < severity
        return np.asarray(v + hit * np.where(rng.random(len(v)) < 0.5, -10.0, 10.0) * _spread(v))

    return _numbers_changed(frame, change)


def _truncation(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Clip every number to between the `severity` and ``1 - severity`` quantiles of its column."""
    del rng

    def change(v: Floats) -> Floats:
        finite = v[np.isfinite(v)]
        return np.clip(v, *np.quantile(finite, [severity, 1 - severity], method="inverted_cdf")) if len(finite) else v

    return _numbers_changed(frame, change)


def _missing(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Remove a share `severity` of all values; whole numbers become floats."""
    out = frame.copy()
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        out.isetitem(i, column.mask(rng.random(len(frame)) < severity))
    return out


def _swaps(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Give a share `severity` of the categories the value of another row drawn at random."""
    out = frame.copy()
    for i in _kinds(frame)[1]:
        source = np.where(
            rng.random(len(frame)) < severity, rng.integers(0, len(frame), len(frame)), np.arange(len(frame))
        )
        out.isetitem(i, frame.iloc[:, i].take(source).set_axis(frame.index))
    return out


def _unseen(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Give a share `severity` of the categories a value that occurs nowhere."""
    out = frame.copy()
    for i in _kinds(frame)[1]:
        column = frame.iloc[:, i].astype(object)
        out.isetitem(i, column.mask(rng.random(len(frame)) < severity, "a value never seen"))
    return out


def _shuffled(frame: Any, severity: float, rng: np.random.Generator) -> Any:
    """Shuffle a share `severity` of the columns (at least one), which breaks their link to the label."""
    out = frame.copy()
    width = frame.shape[1]
    for i in rng.permutation(width)[: max(1, round(severity * width))]:
        out.isetitem(int(i), frame.iloc[:, int(i)].take(rng.permutation(len(frame))).set_axis(frame.index))
    return out
