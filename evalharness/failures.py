"""What goes wrong, in six exclusive categories whose counts sum to the number of errors.

A row belongs to the first category, in the order below, whose rule it meets.

Classification; an error is a row whose predicted class is not its label:

1. ``confident``: the predicted class has probability 0.9 or more.
2. ``borderline``: the predicted class leads the next by less than 0.1 (two classes: the probability is
   less than 0.05 from the threshold).
3. ``rare class``: the label's class has less than 5 % of the rows.
4. ``missing input``: at least one feature is missing.
5. ``unusual input``: a number lies more than 3 interquartile ranges outside the quartiles of its column.
6. ``other``: none of these.

Regression; an error is a row whose absolute error is more than 3 times the median absolute error (about two
standard deviations where errors are normal):

1. ``extreme``: more than 9 times the median absolute error.
2. ``missing input``, 3. ``unusual input``: as above.
4. ``rare target``: the label is below the 5 % or above the 95 % quantile of the labels.
5. ``too high``: the prediction is above the label.
6. ``too low``: the prediction is below the label.

The lift of a category says whether errors are met there more often than elsewhere. All rows, not only errors,
are sorted by the same rules in the same order; the lift is the category's share of the errors over its share of
all rows (its base rate), which is also the error rate inside the category over that of all rows. 1 is no
association. ``extreme`` has none, because its rule is part of what makes a row an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.intervals import normal_quantile, wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalharness.schemas import Booleans, Config, Floats, Sample

COLUMNS = (
    "category", "rule", "count", "share", "low", "high", "rows", "base_rate", "lift", "lift_low", "lift_high",
    "lift_reason",
)  # fmt: skip
LIFT = "share of the errors over share of all rows sorted by the same rules; 1 is no association"
CONFIDENT, CLOSE, RARE, FENCE, LARGE, EXTREME, TAIL = 0.9, 0.1, 0.05, 3.0, 3.0, 9.0, 0.05


@dataclass(frozen=True)
class Example:
    """One failed row: its place in the input, label, prediction, why it is listed, and its features."""

    row: int
    label: Any
    prediction: Any
    probability: float | None
    reason: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Category:
    """One category: its rule, its errors, how much more often errors are met there, and examples.

    Attributes
    ----------
    category, rule : str
    count : int
        Errors in it.
    share, low, high : float or None
        Share of all errors, with Wilson's interval (with groups for the effective number of errors).
    rows : int
        Rows that the rules put here, errors or not.
    base_rate : float
        Their share of all rows.
    lift, lift_low, lift_high : float or None
        ``share / base_rate`` with its interval.
    lift_reason : str or None
        Why there is no lift, or no interval of it.
    examples : tuple of Example
    """

    category: str
    rule: str
    count: int
    share: float | None
    low: float | None
    high: float | None
    rows: int
    base_rate: float
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    lift_reason: str | None
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Failures:
    """All categories; `errors` is the number of errors and the sum of the counts."""

    categories: tuple[Category, ...]
    errors: int
    n: int
    rule: str

    @property
    def table(self) -> Any:
        """One row for each example, as a pandas DataFrame; categories without errors have none."""
        import pandas as pd

        rows = [
            [
                c.category,
                e.row,
                e.label,
                e.prediction,
                e.probability,
                e.reason,
                c.count,
                c.share,
                c.low,
                c.high,
                c.rule,
            ]
            for c in self.categories
            for e in c.examples
        ]
        names = [
            "category",
            "row",
            "label",
            "prediction",
            "probability",
            "reason",
            "count",
            "share",
            "low",
            "high",
            "rule",
        ]
        return pd.DataFrame(rows, columns=names)

    @property
    def counts(self) -> Any:
        """One row for each of the six categories, as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([[getattr(c, k) for k in COLUMNS] for c in self.categories], columns=list(COLUMNS))


def find(sample: Sample, config: Config) -> Failures:
    """Sort the errors of a sample into the six categories of its task."""
    if sample.task == "regression":
        wrong, size, tests, rule = _regression(sample)
    else:
        wrong, size, tests, rule = _classification(sample)
    free = np.ones(sample.n, dtype=bool)
    errors = int(wrong.sum())
    categories = []
    for name, text, mask, why in tests:
        here = free & mask
        free &= ~here
        mine = np.flatnonzero(here & wrong)
        worst = mine[np.argsort(-size[mine], kind="stable")][: config.n_failures_per_type]
        share, low, high = _share(here, wrong, sample, config.confidence_level)
        examples = tuple(_example(sample, int(i), why(int(i))) for i in worst)
        rows = int(here.sum())
        lift = _lift(name, here, wrong, sample, config.confidence_level)
        categories.append(Category(name, text, len(mine), share, low, high, rows, rows / sample.n, *lift, examples))
    return Failures(tuple(categories), errors, sample.n, rule)


def _share(
    here: Booleans, wrong: Booleans, sample: Sample, level: float
) -> tuple[float | None, float | None, float | None]:
    """Return the share of the errors that are here, with its interval."""
    count, errors = int(np.sum(here & wrong)), int(wrong.sum())
    if errors == 0:
        return None, None, None
    share, size = count / errors, float(errors)
    if sample.groups is not None:
        variance = _between(wrong * (here - share) / errors, sample)
        if 0 < count < errors and variance > 0:
            size = min(size, share * (1 - share) / variance)
        else:
            size = min(size, float(len(np.unique(sample.groups[wrong]))))
    return share, *wilson(share * size, size, level)


def _lift(
    name: str, here: Booleans, wrong: Booleans, sample: Sample, level: float
) -> tuple[float | None, float | None, float | None, str | None]:
    """Return lift, low, high, reason: the ratio of the error rate here to that of all rows.

    The interval is symmetric in the logarithm (Katz et al. 1978, Biometrics 34(3)), its variance by the delta
    method for counts of one multinomial, since the rows here are part of all rows; with groups, for sums of groups.
    """
    n, errors, rows, count = sample.n, int(wrong.sum()), int(here.sum()), int(np.sum(here & wrong))
    if name == "extreme":
        return None, None, None, "its rule is part of what makes a row an error"
    if errors == 0:
        return None, None, None, "there are no errors"
    if rows == 0:
        return None, None, None, "no row meets the rule"
    if count == 0:
        return 0.0, None, None, "no error is in this category, so the logarithm of the lift has no value"
    lift = count * n / (rows * errors)
    pull = 1 / n - wrong / errors - here / rows + (here & wrong) / count
    variance = _between(pull, sample)
    if variance <= 1e-12 / n:
        return lift, None, None, "every row, or every error and no other row, is in this category"
    half = normal_quantile((1 + level) / 2) * np.sqrt(variance)
    return lift, float(lift * np.exp(-half)), float(lift * np.exp(half)), None


def _between(pull: Floats, sample: Sample) -> float:
    """Return the variance of a sum over rows, or over groups where rows come in groups."""
    if sample.groups is not None:
        pull = np.bincount(sample.groups, weights=pull).astype(np.float64)
    return float(np.sum(pull**2)) * len(pull) / max(len(pull) - 1, 1)


def _classification(sample: Sample) -> Any:
    y, guess, classes, n = sample.labels, sample.predictions, sample.classes, sample.n
    wrong = np.asarray(y != guess)
    said = np.full(n, np.nan)
    lead = np.full(n, np.nan)
    size = np.zeros(n)
    close_rule = f"the predicted class leads the next by less than {CLOSE:g}"
    if sample.probabilities is not None:
        rows = np.arange(n)
        said = sample.probabilities[rows, guess]
        size = said - sample.probabilities[rows, y]
        if sample.positive is not None:
            lead = 2 * np.abs(sample.probabilities[:, sample.positive] - sample.threshold)
            close_rule = f"the probability is less than {CLOSE / 2:g} from the threshold {sample.threshold:g}"
        else:
            two = np.partition(sample.probabilities, -2, axis=1)[:, -2:]
            lead = two[:, 1] - two[:, 0]
    share = np.bincount(y, minlength=len(classes)) / n
    without = " (probabilities were not given)" if sample.probabilities is None else ""
    no_data = " (data was not given)" if sample.frame is None else ""
    missing, missing_why = _missing(sample)
    unusual, unusual_why = _unusual(sample)
    with np.errstate(invalid="ignore"):
        confident, close = said >= CONFIDENT, lead < CLOSE
    tests = [
        (
            "confident",
            f"the predicted class has probability {CONFIDENT:g} or more{without}",
            confident,
            lambda i: f"predicted {classes[guess[i]]!r} with probability {said[i]:.3f}, but it is {classes[y[i]]!r}",
        ),
        (
            "borderline",
            close_rule + without,
            close,
            lambda i: f"predicted {classes[guess[i]]!r} with probability {said[i]:.3f}, a close call",
        ),
        (
            "rare class",
            f"the label's class has less than {RARE:.0%} of the rows",
            share[y] < RARE,
            lambda i: f"{classes[y[i]]!r} has {share[y[i]]:.1%} of the rows",
        ),
        ("missing input", f"at least one feature is missing{no_data}", missing, missing_why),
        (
            "unusual input",
            f"a number lies more than {FENCE:g} interquartile ranges outside the quartiles{no_data}",
            unusual,
            unusual_why,
        ),
        (
            "other",
            "none of the above",
            np.ones(n, dtype=bool),
            lambda i: f"predicted {classes[guess[i]]!r}, but it is {classes[y[i]]!r}",
        ),
    ]
    return wrong, size, tests, "the predicted class is not the label"


def _regression(sample: Sample) -> Any:
    y = sample.labels
    error = sample.predictions - y
    size = np.abs(error).astype(np.float64)
    middle = float(np.median(size))
    wrong = size > LARGE * middle
    low, high = np.quantile(y, [TAIL, 1 - TAIL])
    no_data = " (data was not given)" if sample.frame is None else ""
    missing, missing_why = _missing(sample)
    unusual, unusual_why = _unusual(sample)

    def off(i: int) -> str:
        return f"predicted {sample.predictions[i]:.6g} for {y[i]:.6g}"

    tests = [
        (
            "extreme",
            f"the absolute error is more than {EXTREME:g} times the median absolute error",
            size > EXTREME * middle,
            lambda i: (
                f"{off(i)}, {size[i] / middle:.1f} times the median absolute error"
                if middle > 0
                else f"{off(i)}, where most rows are exact"
            ),
        ),
        ("missing input", f"at least one feature is missing{no_data}", missing, missing_why),
        (
            "unusual input",
            f"a number lies more than {FENCE:g} interquartile ranges outside the quartiles{no_data}",
            unusual,
            unusual_why,
        ),
        (
            "rare target",
            f"the label is below the {TAIL:.0%} or above the {1 - TAIL:.0%} quantile of the labels",
            (y < low) | (y > high),
            lambda i: f"{off(i)}, a label {'below' if y[i] < low else 'above'} {low if y[i] < low else high:.6g}",
        ),
        ("too high", "the prediction is above the label", error > 0, off),
        ("too low", "the prediction is below the label", error < 0, off),
    ]
    return wrong, size, tests, f"the absolute error is more than {LARGE:g} times the median absolute error"


def _missing(sample: Sample) -> tuple[Booleans, Any]:
    if sample.frame is None:
        return np.zeros(sample.n, dtype=bool), None
    columns = {str(name): sample.frame.iloc[:, i].isna().to_numpy() for i, name in enumerate(sample.frame.columns)}
    mask = np.logical_or.reduce(list(columns.values())) if columns else np.zeros(sample.n, dtype=bool)

    def why(i: int) -> str:
        lacking = [name for name, gone in columns.items() if gone[i]]
        return (
            f"{', '.join(lacking[:5])}{' and more' if len(lacking) > 5 else ''} "
            f"{'is' if len(lacking) == 1 else 'are'} missing"
        )

    return mask, why


def _unusual(sample: Sample) -> tuple[Booleans, Any]:
    found: dict[str, tuple[Booleans, Floats]] = {}
    if sample.frame is not None:
        import pandas as pd

        for i, name in enumerate(sample.frame.columns):
            column = sample.frame.iloc[:, i]
            kind = column.dtype
            if (
                not pd.api.types.is_numeric_dtype(kind)
                or pd.api.types.is_bool_dtype(kind)
                or pd.api.types.is_complex_dtype(kind)
            ):
                continue
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            finite = values[np.isfinite(values)]
            if len(finite) < 4:
                continue
            q1, q3 = np.quantile(finite, [0.25, 0.75], method="inverted_cdf")
            if q3 > q1:
                with np.errstate(invalid="ignore"):
                    found[str(name)] = (
                        (values < q1 - FENCE * (q3 - q1)) | (values > q3 + FENCE * (q3 - q1)),
                        values,
                    )
    mask = np.logical_or.reduce([m for m, _ in found.values()]) if found else np.zeros(sample.n, dtype=bool)

    def why(i: int) -> str:
        far = [f"{name} is {values[i]:.6g}" for name, (out, values) in found.items() if out[i]]
        return f"{', '.join(far[:3])}{' and more' if len(far) > 3 else ''}, far outside the other rows"

    return mask, why


def _example(sample: Sample, i: int, reason: str) -> Example:
    values: dict[str, Any] = {}
    if sample.frame is not None:
        values = {str(name): plain(sample.frame.iloc[i, j]) for j, name in enumerate(sample.frame.columns[:50])}
    probability = None
    if sample.task == "regression":
        label, guess = float(sample.labels[i]), float(sample.predictions[i])
    else:
        label, guess = sample.classes[sample.labels[i]], sample.classes[sample.predictions[i]]
        if sample.probabilities is not None:
            probability = float(sample.probabilities[i, sample.predictions[i]])
    return Example(int(sample.rows[i]), label, guess, probability, reason, values)


def plain(value: Any) -> Any:
    """Return a cell as JSON can hold it; missing and infinite values as None and text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float):
        return value if np.isfinite(value) else (None if np.isnan(value) else str(value))
    return value if isinstance(value, (bool, int, str)) else str(value)
