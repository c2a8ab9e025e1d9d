"""Models compared over folds of one data set, or over many data sets: tests on tables of scores.

One row of such a table is a fold or a data set, one column a model, and what is tested is whether models differ
beyond what other folds or other data sets would show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import paired
from evalharness.compare import NO_EVIDENCE
from evalharness.schemas import Finding, InputError, aligned, nearest
from evalharness.takeaway import rounded

if TYPE_CHECKING:
    from evalharness.schemas import Floats

PAIR_COLUMNS = (
    "model", "against", "difference", "low", "high", "wins", "ties", "losses", "p_value", "adjusted_p_value",
    "confidence_level", "n", "method", "reason",
)  # fmt: skip


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted so that the chance of any false call stays below the level.

    ``max over j <= i of min(1, (m - j + 1) p_(j))`` (Holm 1979, Scand. J. Stat. 6(2)).
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.array(p_values)[order] * np.arange(m, 0, -1)))
    return [float(p) for p in adjusted]


def _words(difference: float, p_value: float | None, level: float, *, greater_is_better: bool | None) -> str:
    if p_value is None or p_value > 1 - level + 1e-12 or difference == 0:
        return NO_EVIDENCE
    if greater_is_better is None:
        return "different"
    return "better" if (difference > 0) == greater_is_better else "worse"


# Folds --------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class FoldComparison(Finding):
    """What the corrected resampled t-test says of two models.

    Attributes
    ----------
    first, second : float
        Mean scores over all folds.
    difference, low, high : float or None
        First minus second, with its interval.
    statistic, p_value : float or None
        t, and the two-sided p-value of no difference.
    df : int
        Degrees of freedom: folds less one.
    n : int
        Folds over all repeats.
    test_to_train : float
        Rows tested over rows trained on.
    confidence_level : float
    greater_is_better : bool or None
    reason : str or None
        Why there is no test; None when there is.
    """

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    statistic: float | None
    df: int
    p_value: float | None
    n: int
    test_to_train: float
    confidence_level: float
    greater_is_better: bool | None
    reason: str | None = None

    def __str__(self) -> str:
        """Return what was found in one line."""
        if self.reason is not None or self.low is None or self.high is None or self.p_value is None:
            return f"difference {rounded(self.difference)} over {self.n} folds: no test ({self.reason})"
        return (
            f"difference {rounded(self.difference)}, {100 * self.confidence_level:g} % interval {rounded(self.low)} to "
            f"{rounded(self.high)}, p = {rounded(self.p_value)} over {self.n} folds: {self.evidence}"
        )

    @property
    def evidence(self) -> str:
        """The first model against the second: better, worse, different, or no evidence of a difference."""
        return _words(self.difference, self.p_value, self.confidence_level, greater_is_better=self.greater_is_better)


def compare_folds(
    first: Any,
    second: Any,
    *,
    folds: int | None = None,
    n_train: int | None = None,
    n_test: int | None = None,
    greater_is_better: bool | None = True,
    confidence_level: float = 0.95,
) -> FoldComparison:
    """Compare two models by their scores on the folds of cross-validation, repeated or not.

    The corrected resampled t-test: ``t = mean(d) / sqrt((1/J + n_test/n_train) var(d))`` over J folds, with
    J - 1 degrees of freedom (Nadeau & Bengio 2003, Machine Learning 52(3); for repeated folds Bouckaert & Frank
    2004, PAKDD). Training sets share most rows, so an uncorrected t-test calls far too much real.

    Parameters
    ----------
    first, second : array-like of shape (J,) or (repeats, folds)
        Scores of the two models on the same folds, in one order.
    folds : int, optional
        Folds of one round of cross-validation, each tested once; by default the columns of a table.
    n_train, n_test : int, optional
        Rows trained on and tested in each split, for repeated random splits; instead of `folds`.
    greater_is_better : bool or None
        Direction of the score; None where neither is better.
    confidence_level : float

    Returns
    -------
    FoldComparison

    Raises
    ------
    InputError
        For other shapes, missing scores, fewer than two folds, or a split that is not stated.

    Examples
    --------
    >>> from evalharness import compare_folds
    >>> found = compare_folds([0.81, 0.84, 0.79, 0.86, 0.83], [0.78, 0.80, 0.77, 0.80, 0.80], folds=5)
    >>> found.evidence, round(found.difference, 3), round(found.p_value, 3)
    ('better', 0.036, 0.024)
    """
    level = _level(confidence_level)
    _direction(greater_is_better)
    one, other = _numbers("first", first), _numbers("second", second)
    if one.shape != other.shape:
        raise InputError(
            f"first has shape {one.shape} and second {other.shape}; give both models' scores on the same folds."
        )
    if one.ndim not in (1, 2):
        raise InputError(f"first has {one.ndim} dimensions; give scores by fold, or a table of repeats by folds.")
    if one.size < 2:
        raise InputError(f"first has {one.size} score{'s' * (one.size != 1)}; give those of at least two folds.")
    sizes = (n_train, n_test)
    if (sizes[0] is None) != (sizes[1] is None):
        raise InputError("n_train and n_test go together; give both, or folds.")
    if n_train is not None and n_test is not None:
        if folds is not None:
            raise InputError("folds and n_train with n_test were both given; give one of them.")
        ratio = _whole("n_test", n_test, 1) / _whole("n_train", n_train, 1)
    else:
        if folds is None and one.ndim == 1:
            raise InputError("nothing says how large the test sets were; give folds, or n_train and n_test.")
        k = _whole("folds", one.shape[1] if folds is None else folds, 2)
        if one.size % k or (one.ndim == 2 and one.shape[1] != k):
            raise InputError(f"first has shape {one.shape}, not whole rounds of {k} folds; give every fold's score.")
        ratio = 1 / (k - 1)
    found = paired.corrected_t((one - other).ravel(), ratio, level)
    return FoldComparison(
        float(one.mean()),
        float(other.mean()),
        found.difference,
        found.low,
        found.high,
        found.statistic,
        found.df,
        found.p_value,
        one.size,
        ratio,
        level,
        greater_is_better,
        None if found.p_value is not None else "all folds give the same difference, so they cannot show its error",
    )


# Data sets ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Friedman:
    """Friedman's test that all models rank alike, with the F of Iman & Davenport.

    Attributes
    ----------
    chi_squared : float
        Friedman's statistic, corrected for ties; 0 where all models tie everywhere.
    tie_correction : float
        What it was divided by: 1 without ties.
    f : float or None
        ``(N - 1) chi2 / (N (k - 1) - chi2)``; None where all data sets rank the models in one order.
    df, df_within : int
        Degrees of freedom of F: ``k - 1`` (also those of chi-squared) and ``(k - 1) (N - 1)``.
    p_value : float
        Of F; where there is no F the exact one, ``(1 / k!)**(N - 1)``.
    """

    chi_squared: float
    tie_correction: float
    f: float | None
    df: int
    df_within: int
    p_value: float


def friedman(ranks: Floats) -> Friedman:
    """Test ranks of shape (data sets, models) by Friedman's test as Iman & Davenport correct it.

    ``chi2 = 12 N / (k (k + 1)) sum_j (R_j - (k + 1) / 2)**2`` over the mean ranks R, divided by
    ``1 - sum (t**3 - t) / (N k (k**2 - 1))`` over ties of t (Friedman 1937, JASA 32(200); Iman & Davenport 1980,
    Commun. Stat. A 9(6); Conover 1999, Practical Nonparametric Statistics, section 5.8).
    """
    from math import factorial

    from scipy.special import fdtrc

    n, k = ranks.shape
    df, within = k - 1, (k - 1) * (n - 1)
    ties = sum(float(np.sum(c.astype(float) ** 3 - c)) for c in (np.unique(r, return_counts=True)[1] for r in ranks))
    correction = 1 - ties / (n * k * (k**2 - 1))
    if correction < 1e-12:
        return Friedman(0.0, correction, 0.0, df, within, 1.0)
    chi = 12 * n / (k * (k + 1)) * float(np.sum((ranks.mean(axis=0) - (k + 1) / 2) ** 2)) / correction
    rest = n * df - chi
    if rest <= 1e-9 * n * df:
        return Friedman(chi, correction, None, df, within, float(factorial(k)) ** (1 - n))
    f = (n - 1) * chi / rest
    return Friedman(chi, correction, f, df, within, float(fdtrc(df, within, f)))


@dataclass(frozen=True)
class Pair:
    """Two models over the data sets; `difference` is the Hodges-Lehmann estimate of model minus against."""

    model: str
    against: str
    difference: float
    low: float | None
    high: float | None
    wins: int
    ties: int
    losses: int
    p_value: float
    adjusted_p_value: float
    confidence_level: float
    n: int
    method: str
    reason: str | None


@dataclass(frozen=True, repr=False)
class DataSetComparison(Finding):
    """Several models over many data sets.

    Attributes
    ----------
    models : tuple of str
    average_ranks : mapping of str to float
        1 is best.
    friedman : Friedman
        Whether all models rank alike.
    pairs : tuple of Pair
        Signed-rank tests of two models, their p-values adjusted by Holm's method.
    n : int
        Data sets.
    confidence_level : float
    greater_is_better : bool
    notes : tuple of str
    """

    models: tuple[str, ...]
    average_ranks: Mapping[str, float]
    friedman: Friedman
    pairs: tuple[Pair, ...]
    n: int
    confidence_level: float
    greater_is_better: bool
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the average ranks, and a table of the pairs."""
        ranks = ", ".join(f"{name} {rounded(rank)}" for name, rank in self.average_ranks.items())
        head = f"{self.n} data sets, Friedman p = {rounded(self.friedman.p_value)}; average ranks: {ranks}"
        lines = [("model", "against", "difference", "wins-ties-losses", "adjusted p", "")]
        lines += [
            (
                p.model,
                p.against,
                str(rounded(p.difference)),
                f"{p.wins}-{p.ties}-{p.losses}",
                str(rounded(p.adjusted_p_value)),
                self.evidence(p.model, p.against),
            )
            for p in self.pairs
        ]
        return aligned(head, lines)

    @property
    def table(self) -> Any:
        """The pairs as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([[getattr(p, c) for c in PAIR_COLUMNS] for p in self.pairs], columns=list(PAIR_COLUMNS))

    def evidence(self, model: str, against: str) -> str:
        """Say in words what the data sets show of one model against another.

        Returns
        -------
        str
            ``"better"`` or ``"worse"`` where the adjusted p-value is at most ``1 - confidence_level``,
            otherwise ``"no evidence of a difference"``.
        """
        for name in (model, against):
            if name not in self.models:
                raise InputError(f"there is no model {name!r}; {nearest(name, self.models)}")
        for pair in self.pairs:
            if {pair.model, pair.against} == {model, against}:
                sign = 1 if pair.model == model else -1
                score = (pair.wins - pair.losses) if pair.difference == 0 else pair.difference
                up = True if pair.difference == 0 else self.greater_is_better
                return _words(sign * score, pair.adjusted_p_value, self.confidence_level, greater_is_better=up)
        raise InputError(f"{model!r} was not compared with {against!r}; leave baseline out to compare all pairs.")


def compare_data_sets(
    scores: Any,
    models: Any = None,
    *,
    baseline: str | None = None,
    greater_is_better: bool = True,
    confidence_level: float = 0.95,
) -> DataSetComparison:
    """Compare two or more models by their scores on many data sets.

    Friedman's test in the form of Iman & Davenport asks whether the models differ at all (Demsar 2006, JMLR 7).
    Which do is judged by Wilcoxon's signed-rank test of each pair, exact up to 50 data sets, with Holm's
    adjustment. Tests on mean ranks (Nemenyi) are not used: whether they call two models different depends on
    which other models are in the table (Benavoli, Corani & Mangili 2016, JMLR 17(5)).

    Parameters
    ----------
    scores : table of shape (data sets, models)
        A DataFrame with the models as columns, a mapping of names to scores, or an array.
    models : sequence of str, optional
        Names of the columns of an array; by default ``"model 1"``, ...
    baseline : str, optional
        Compare every model with this one only: fewer tests, so more power.
    greater_is_better : bool
    confidence_level : float

    Returns
    -------
    DataSetComparison

    Raises
    ------
    InputError
        For other shapes, missing scores, fewer than two models or data sets, or unknown names.

    Notes
    -----
    A zero difference is ranked and its rank split between both signs, one zero being left out where their
    number is odd (Demsar 2006). `Pair.low` and `Pair.high` bound the typical difference (Hodges & Lehmann 1963) at
    the confidence level of one pair, before adjustment; where many differences tie an end may be 0 itself.
    """
    level = _level(confidence_level)
    if not isinstance(greater_is_better, bool):
        raise InputError(f"greater_is_better is {greater_is_better!r}; give True or False, ranks need a direction.")
    table, names, labels = _table(scores, models)
    n, k = table.shape
    if baseline is not None and baseline not in names:
        raise InputError(f"baseline {baseline!r} is not among the models; {nearest(baseline, names)}")
    _complete(table, names, labels)
    ranks = np.array([paired.mean_ranks(-row if greater_is_better else row) for row in table])
    if baseline is None:
        chosen = [(a, b) for a in range(k) for b in range(a + 1, k)]
    else:
        chosen = [(a, names.index(baseline)) for a in range(k) if names[a] != baseline]
    scale = float(np.abs(table).max()) or 1.0
    gaps = [np.round((table[:, a] - table[:, b]) / scale, 12) * scale for a, b in chosen]  # equal gaps stay equal
    tests = [paired.signed_rank(gap, level) for gap in gaps]
    won = 1 if greater_is_better else -1
    few = f"{n} data sets are too few for an interval at this level"
    pairs = tuple(
        Pair(
            names[a],
            names[b],
            test.difference,
            test.low,
            test.high,
            int(np.sum(won * gap > 0)),
            int(np.sum(gap == 0)),
            int(np.sum(won * gap < 0)),
            test.p_value,
            adjusted,
            level,
            n,
            "signed rank, exact" if test.exact else "signed rank, normal",
            None if test.low is not None else "all differences are 0" if test.n == test.zeros else few,
        )
        for (a, b), test, gap, adjusted in zip(chosen, tests, gaps, holm([t.p_value for t in tests]), strict=True)
    )
    smallest = len(pairs) * 2.0 ** (1 - n)
    few_tests = (
        f"With {n} data sets and {len(pairs)} pair{'s' * (len(pairs) != 1)} the smallest adjusted p-value is "
        f"{min(smallest, 1):.3g}: no difference can be called real."
    )
    notes = (few_tests,) if smallest > 1 - level else ()
    average = {name: float(rank) for name, rank in zip(names, ranks.mean(axis=0), strict=True)}
    return DataSetComparison(
        names, MappingProxyType(average), friedman(ranks), pairs, n, level, greater_is_better, notes
    )


# Input --------------------------------------------------------------------------------------------


def _level(value: Any) -> float:
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if number and 0.5 <= float(value) < 1:
        return float(value)
    raise InputError(f"confidence_level is {value!r}; give a number from 0.5 to below 1, such as 0.95.")


def _direction(value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        raise InputError(f"greater_is_better is {value!r}; give True, False or None.")


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= least:
        return int(value)
    raise InputError(f"{name} is {value!r}; give a whole number, at least {least}.")


def _floats(name: str, given: Any) -> Floats:
    told = f"{name} is not a table of numbers; give scores as floats, rows of one length."
    try:
        found = np.asarray(given)
    except (TypeError, ValueError):
        raise InputError(told) from None
    if found.dtype.kind not in "iufO" or any(
        isinstance(v, bool) or not (v is None or isinstance(v, (int, float, np.number)))
        for v in (found.ravel() if found.dtype.kind == "O" else ())
    ):
        raise InputError(told)
    return found.astype(np.float64)


def _numbers(name: str, given: Any) -> Floats:
    found = _floats(name, given)
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        place = " ".join(f"{axis} {i}" for axis, i in zip(("row", "column", "layer"), wrong[0], strict=False))
        raise InputError(
            f"{name} has {len(wrong)} missing or infinite score{'s' * (len(wrong) > 1)}, the first in {place}; "
            "give a score for every fold."
        )
    return found


def _table(scores: Any, models: Any) -> tuple[Floats, tuple[str, ...], list[Any]]:
    """Return scores of shape (data sets, models), the names of the models and of the data sets."""
    labels: list[Any] | None = None
    if isinstance(scores, Mapping):
        names, table = list(scores), _floats("scores", list(scores.values())).T
    elif hasattr(scores, "columns") and hasattr(scores, "to_numpy"):
        names, table = list(scores.columns), _floats("scores", scores.to_numpy())
        labels = list(scores.index) if hasattr(scores, "index") else None
    else:
        names, table = [], _floats("scores", scores)
    if table.ndim != 2:
        raise InputError(f"scores has {table.ndim} dimensions; give a table of data sets by models.")
    n, k = table.shape
    if models is not None:
        names = [models] if isinstance(models, str) else list(models)
    names = [str(name) for name in names] or [f"model {j + 1}" for j in range(k)]
    if len(names) != k:
        raise InputError(f"models has {len(names)} names for {k} columns of scores; give one for each.")
    if len(set(names)) < k:
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"models has the name {twice!r} more than once; give each model its own.")
    if k < 2:
        raise InputError(f"scores has {k} model{'s' * (k != 1)}; give at least two columns.")
    if n < 2:
        raise InputError(f"scores has {n} data set{'s' * (n != 1)}; give at least two rows.")
    return table, tuple(names), list(range(n)) if labels is None else labels


def _complete(table: Floats, names: tuple[str, ...], labels: list[Any]) -> None:
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        i, j = wrong[0]
        raise InputError(
            f"scores has {len(wrong)} missing or infinite value{'s' * (len(wrong) > 1)}, the first of {names[j]!r} in "
            f"row {labels[i]!r}; leave out data sets that not all models were judged on."
        )
