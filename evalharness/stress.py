"""How a model holds up when its rows change: perturbations at several severities, against clean rows."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import inputs, intervals
from evalharness.batch import Prepared
from evalharness.compare import difference
from evalharness.metrics import METRICS, why_undefined
from evalharness.resample import Plan, Stream, scaled
from evalharness.schemas import InputError, Interval

if TYPE_CHECKING:
    from evalharness.resample import Words
    from evalharness.schemas import Booleans, Config, Floats, Integers, Sample

COLUMNS = (
    "perturbation", "severity", "metric", "estimate", "low", "high", "drop", "drop_low", "drop_high", "n", "error",
    "reason",
)  # fmt: skip
MAX_ROWS = 20_000
MAX_RESAMPLES = 500
SUBSET, FIRST = 16, 32
"""Purposes of streams: the rows that are used, and the first of the perturbations."""
CLEAN = ("none", 0.0)


@dataclass(frozen=True)
class Row:
    """One metric under one perturbation; `drop` is how much worse than on the clean rows it is.

    `error` is what the model raised; `reason` says why a number or an interval is missing.
    """

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
    reason: str | None


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


def run(
    sample: Sample,
    config: Config,
    predict: Callable[[Any], Any] | Mapping[tuple[str, float], Any] | None,
    seed: int,
) -> Stress:
    """Run every perturbation that the features allow, or judge answers that are already there.

    Numbers: Gaussian noise, scaling, clipping to the middle (truncation) and outliers. Any column: missing
    values and shuffling of all values of some columns. Categories: swaps between rows, and values never seen.
    Severity is the share of cells or columns touched, or the size in standard deviations, as each
    perturbation says in its docstring. A model that raises leaves a row with the error.

    Parameters
    ----------
    sample : Sample
    config : Config
    predict : callable, mapping or None
        A callable on rows like `data`; or what `predictions` holds for each ``(perturbation, severity)``, on the
        rows that `perturbed` makes from the same data and seed: ``("none", 0.0)``, where given, is the clean one.
    seed : int
    """
    if not config.run_stress_tests:
        return Stress(reason="run_stress_tests was off")
    if predict is None:
        return Stress(reason="predict= was not given, and stress tests need a model to call")
    everything = np.arange(sample.n)
    if isinstance(predict, Mapping):
        answers = named(predict)
        clean = _read(sample, everything, answers.pop(CLEAN)) if CLEAN in answers else sample
        return Stress(judged(clean, _answered(sample, everything, answers.items()), config, seed), sample.n)
    if sample.frame is None:
        return Stress(reason="data was not given, and stress tests need rows to change")
    notes: list[str] = []
    keep = everything
    if sample.n > MAX_ROWS:
        keep = np.sort(np.argsort(Stream(seed, SUBSET).words(sample.n)[0], kind="stable")[:MAX_ROWS])
        notes.append(f"Stress tests use {MAX_ROWS:,} of {sample.n:,} rows, drawn once.")
    frame = sample.frame.iloc[keep].reset_index(drop=True)
    try:
        clean = _read(sample, keep, predict(_as_given(frame, sample.data_kind)))
    except Exception as error:  # noqa: BLE001  a user's model may raise anything, and is recorded
        return Stress(reason=f"predict failed on the unchanged rows: {_said(error)}")
    differ = int(np.sum(clean.predictions != sample.predictions[keep]))
    if differ and not (sample.task == "regression" and np.allclose(clean.predictions, sample.predictions[keep])):
        notes.append(
            f"predict gives other predictions than predictions= in {differ:,} of {len(keep):,} unchanged "
            "rows; drops are from predict's own."
        )

    def asked() -> Iterator[tuple[tuple[str, float], Any]]:
        for kind, severity, changed in perturbed(frame, seed):
            try:
                yield (kind, severity), predict(_as_given(changed, sample.data_kind))
            except Exception as error:  # noqa: BLE001  a user's model may raise anything, and is recorded
                yield (kind, severity), error

    return Stress(judged(clean, _answered(sample, keep, asked()), config, seed), len(keep), tuple(notes))


def named(answers: Mapping[Any, Any]) -> dict[tuple[str, float], Any]:
    """Return given answers by (perturbation, severity), or refuse keys that are something else."""
    if not answers:
        raise InputError("predict is an empty mapping; give predictions by (perturbation, severity), or a callable.")
    for key in answers:
        pair = isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str)
        if not pair or isinstance(key[1], bool) or not isinstance(key[1], (int, float, np.number)):
            raise InputError(f"predict has the key {key!r}; give pairs such as ('noise', 0.1).")
    return {(kind, float(severity)): answer for (kind, severity), answer in answers.items()}


Answered = tuple[str, float, "Sample | str"]


def _answered(sample: Sample, keep: Integers, answers: Iterable[tuple[tuple[str, float], Any]]) -> Iterator[Answered]:
    """Read each answer as predictions are read; an exception, or what cannot be read, becomes its text."""
    for (kind, severity), answer in answers:
        try:
            yield kind, severity, _said(answer) if isinstance(answer, Exception) else _read(sample, keep, answer)
        except InputError as error:
            yield kind, severity, _said(error)


def judged(clean: Sample, answered: Iterable[Answered], config: Config, seed: int) -> tuple[Row, ...]:
    """Turn predictions on perturbed rows into the rows of stress.json: nothing else enters.

    Parameters
    ----------
    clean : Sample
        Labels with the predictions on unchanged rows.
    answered : iterable of (perturbation, severity, Sample or str)
        The same labels with the predictions on changed rows, or why there are none.
    config : Config
    seed : int
        Of the resamples, which clean and changed rows share; so differences are paired.

    Returns
    -------
    tuple of Row
        First the clean rows, then each perturbation in the order given.
    """
    metrics, n, level = _chosen(clean), clean.n, config.confidence_level
    plan = Plan(n, min(config.n_resamples, MAX_RESAMPLES), seed, clean.groups, clean.strata)
    base = _measure(clean, metrics, plan, config)
    rows = [_row(*CLEAN, name, base[name], base[name], (clean, clean), level) for name in metrics]
    for kind, severity, found in answered:
        if isinstance(found, str):
            why = "the model gave no answer that can be read"
            rows += [Row(kind, severity, m, None, None, None, None, None, None, n, found, why) for m in metrics]
        else:
            values = _measure(found, metrics, plan, config)
            rows += [_row(kind, severity, name, base[name], values[name], (clean, found), level) for name in metrics]
    return tuple(rows)


def _chosen(sample: Sample) -> tuple[str, ...]:
    if sample.task == "regression":
        return ("root_mean_squared_error", "mean_absolute_error")
    if sample.probabilities is None:
        return ("accuracy", "balanced_accuracy")
    return ("accuracy", "roc_auc") if sample.task == "binary" else ("accuracy", "log_loss")


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _read(sample: Sample, keep: Integers, answer: Any) -> Sample:
    """Read what a model answered for some rows as `predictions` were read."""
    truth: Any = sample.labels[keep]
    if sample.task != "regression":
        kinds = {type(c) for c in sample.classes}
        truth = np.array(sample.classes, dtype=object if kinds == {str} else None)[truth]
    try:
        return inputs.read(
            task_type=sample.task_type,
            predictions=answer,
            labels=truth,
            classes=list(sample.classes) if len(sample.classes) > 1 else None,
            positive=None if sample.positive is None else sample.classes[sample.positive],
            threshold=sample.threshold,
            sample_weight=None if sample.weights is None else sample.weights[keep],
            groups=None if sample.groups is None else sample.groups[keep],
            stratify=None if sample.strata is None else sample.strata[keep],
        )
    except InputError as error:
        raise InputError(f"what predict returned cannot be read: {error}") from None


def _as_given(frame: Any, kind: str) -> Any:
    """Return a copy of the rows in the container that `data` was."""
    if kind == "numpy":
        return frame.to_numpy(copy=True)
    if kind == "mapping":
        return {str(name): frame[name].to_numpy(copy=True) for name in frame.columns}
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
    out: dict[str, Any] = {
        name: (None, Interval(None, None, config.confidence_level, "none", reason="no probabilities were given"), None)
        for name in metrics
    }
    for spec in specs:
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate = float(spec.compute(batch)[0])
        if not np.isfinite(estimate):
            why = f"the metric is undefined: {why_undefined(spec, sample)}"
            out[spec.name] = (None, Interval(None, None, config.confidence_level, "none", reason=why), None)
        elif values is None:
            why = "compute_cis was off"
            out[spec.name] = (estimate, Interval(None, None, config.confidence_level, "none", reason=why), None)
        else:
            found = intervals.for_metric(spec.name, estimate, sample, values, config.confidence_level, plan.seed)
            out[spec.name] = (estimate, found, values)
    return out


def _row(
    kind: str, severity: float, name: str, clean: Any, found: Any, samples: tuple[Sample, Sample], level: float
) -> Row:
    n = samples[0].n
    estimate, own, values = found
    before, _, base = clean
    if estimate is None or before is None:
        why = own.reason if estimate is None else "the metric is undefined on the clean rows"
        return Row(kind, severity, name, estimate, own.low, own.high, None, None, None, n, None, why)
    sign = 1.0 if METRICS[name].greater_is_better else -1.0
    paired = difference(name, before, estimate, samples, (base, values), level)
    low, high = paired["low"], paired["high"]
    if low is not None and sign < 0:
        low, high = 0.0 - high, 0.0 - low
    why = own.reason or paired["reason"]
    return Row(kind, severity, name, estimate, own.low, own.high, sign * (before - estimate), low, high, n, None, why)


# Perturbations ------------------------------------------------------------------------------------


class _Draws:
    """Random numbers of one perturbation: each call takes the next row of its stream."""

    def __init__(self, seed: int, purpose: int) -> None:
        self._stream, self._row = Stream(seed, purpose), 0

    def _words(self, count: int) -> Words:
        drawn: Words = self._stream.words(count, start=self._row)[0]
        self._row += 1
        return drawn

    def hits(self, count: int, share: float) -> Booleans:
        """Draw True with probability `share`, to within ``2**-32``."""
        return np.asarray(self._words(count) < np.float64(share) * 2.0**32)

    def integers(self, high: int, count: int) -> Integers:
        """Draw whole numbers below `high`."""
        return scaled(self._words(count), high)

    def normal(self, count: int) -> Floats:
        """Draw standard normal numbers, by the inverse of their distribution."""
        from scipy.special import ndtri

        return np.asarray(ndtri((self._words(count) + 0.5) * 2.0**-32))

    def order(self, count: int) -> Integers:
        """Draw an order of 0 ... `count` - 1."""
        return np.argsort(self._words(count), kind="stable")


Change = Callable[[Any, float, _Draws], Any]


def perturbed(frame: Any, seed: int) -> Iterator[tuple[str, float, Any]]:
    """Yield perturbation, severity and changed rows for everything that the columns of a table allow.

    Parameters
    ----------
    frame : pandas.DataFrame
        It is not changed.
    seed : int
        Each perturbation at each severity has random numbers of its own, whatever else is run.
    """
    numbers, categories = _kinds(frame)
    for place, (kind, severities, change, needs) in enumerate(PERTURBATIONS):
        if needs == "any" or (numbers if needs == "numbers" else categories):
            for step, severity in enumerate(severities):
                yield kind, severity, change(frame, severity, _Draws(seed, FIRST + 8 * place + step))


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


def _noise(frame: Any, severity: float, draws: _Draws) -> Any:
    """Add normal noise of `severity` standard deviations to every number."""
    return _numbers_changed(frame, lambda v: v + severity * _spread(v) * draws.normal(len(v)))


def _scaling(frame: Any, severity: float, draws: _Draws) -> Any:
    """Multiply every number by `severity`, as a wrong unit would."""
    del draws
    return _numbers_changed(frame, lambda v: v * severity)


def _outliers(frame: Any, severity: float, draws: _Draws) -> Any:
    """Move a share `severity` of the numbers by 10 standard deviations up or down."""

    def change(v: Floats) -> Floats:
        hit, down = draws.hits(len(v), severity), draws.hits(len(v), 0.5)
        return np.asarray(v + hit * np.where(down, -10.0, 10.0) * _spread(v))

    return _numbers_changed(frame, change)


def _truncation(frame: Any, severity: float, draws: _Draws) -> Any:
    """Clip every number to between the `severity` and ``1 - severity`` quantiles of its column."""
    del draws

    def change(v: Floats) -> Floats:
        finite = v[np.isfinite(v)]
        return np.clip(v, *np.quantile(finite, [severity, 1 - severity], method="inverted_cdf")) if len(finite) else v

    return _numbers_changed(frame, change)


def _missing(frame: Any, severity: float, draws: _Draws) -> Any:
    """Remove a share `severity` of all values; whole numbers become floats."""
    out = frame.copy()
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        out.isetitem(i, column.mask(draws.hits(len(frame), severity)))
    return out


def _swaps(frame: Any, severity: float, draws: _Draws) -> Any:
    """Give a share `severity` of the categories the value of another row drawn at random."""
    out = frame.copy()
    for i in _kinds(frame)[1]:
        n = len(frame)
        source = np.where(draws.hits(n, severity), draws.integers(n, n), np.arange(n))
        out.isetitem(i, frame.iloc[:, i].take(source).set_axis(frame.index))
    return out


def _unseen(frame: Any, severity: float, draws: _Draws) -> Any:
    """Give a share `severity` of the categories a value that occurs nowhere."""
    out = frame.copy()
    for i in _kinds(frame)[1]:
        column = frame.iloc[:, i].astype(object)
        out.isetitem(i, column.mask(draws.hits(len(frame), severity), "a value never seen"))
    return out


def _shuffled(frame: Any, severity: float, draws: _Draws) -> Any:
    """Shuffle a share `severity` of the columns (at least one), which breaks their link to the label."""
    out = frame.copy()
    width = frame.shape[1]
    for i in draws.order(width)[: max(1, round(severity * width))]:
        out.isetitem(int(i), frame.iloc[:, int(i)].take(draws.order(len(frame))).set_axis(frame.index))
    return out


PERTURBATIONS: tuple[tuple[str, tuple[float, ...], Change, str], ...] = (
    ("noise", (0.1, 0.5, 1.0), _noise, "numbers"),
    ("scaling", (0.9, 1.1, 10.0), _scaling, "numbers"),
    ("outliers", (0.01, 0.05, 0.2), _outliers, "numbers"),
    ("truncation", (0.01, 0.1, 0.25), _truncation, "numbers"),
    ("missing", (0.05, 0.2, 0.5), _missing, "any"),
    ("category swaps", (0.05, 0.2, 0.5), _swaps, "categories"),
    ("unseen categories", (0.05, 0.2, 0.5), _unseen, "categories"),
    ("shuffled features", (0.1, 0.5, 1.0), _shuffled, "any"),
)
"""Perturbation, severities, what it does, and the columns it needs; places fix the random numbers of each."""
