"""Three models for a plan, from the one that knows nothing upwards."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    import pandas as pd

    from modellab_jupyter.templates.planning import Plan

    Array = np.ndarray[Any, Any]

ModelName = Literal["dummy", "linear", "xgboost"]
MODELS: Final[tuple[ModelName, ...]] = ("dummy", "linear", "xgboost")
_LEAST_FOR_STOPPING: Final = 200  # training rows; below, a fifth of them is too noisy to stop by


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One fitted model with its predictions on both splits.

    Attributes
    ----------
    name : str
        ``"dummy"``, ``"linear"`` or ``"xgboost"``.
    title : str
        What it is, for people.
    params : mapping
        The choices that make the model.
    fit_seconds : float
        Wall time of fitting, preprocessing included.
    train_predictions, test_predictions : numpy.ndarray
        Shape (rows of the split,): classes, or float64.
    train_probabilities, test_probabilities : numpy.ndarray or None
        Shape (rows of the split, classes), columns in the order of ``plan.classes``; None for regression.
    pipeline : sklearn.pipeline.Pipeline
        From raw rows to encoded predictions; `predict` and `probabilities` decode them.
    notes : tuple of str
        What happened while fitting, such as a solver that did not converge.
    """

    name: ModelName
    title: str
    params: Mapping[str, Any]
    fit_seconds: float
    train_predictions: Array
    test_predictions: Array
    train_probabilities: Array | None
    test_probabilities: Array | None
    pipeline: Any = field(repr=False)
    classes: tuple[Any, ...] = field(repr=False)
    notes: tuple[str, ...] = ()

    def predict(self, rows: pd.DataFrame) -> Array:
        """Return the predicted class or number of each raw (or cleaned) row, shape (rows,)."""
        return _decode(self.pipeline.predict(rows), self.classes)

    def probabilities(self, rows: pd.DataFrame) -> Array | None:
        """Return the probability of each class, shape (rows, classes); None for regression."""
        return _spread(self.pipeline, rows, self.classes)


def fit_models(plan: Plan, names: tuple[ModelName, ...] = MODELS) -> Iterator[Result]:
    """Fit the models of `plan` on its training rows, one after the other, the dummy first.

    The same plan gives the same predictions. Warnings of scikit-learn with a meaning for the reader become
    `notes`; any other warning is shown as usual.

    Parameters
    ----------
    plan : Plan
        From `plan(frame, target, task_type)`.
    names : tuple of {"dummy", "linear", "xgboost"}
        Which models, in this order.

    Yields
    ------
    Result
        As soon as its model is fitted.
    """
    x_train, y_train = plan.rows_of("train")
    x_test, _ = plan.rows_of("test")
    for name in names:
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            pipeline, title, params = _BUILDERS[name](plan, x_train, _encode(y_train, plan.classes))
        seconds = time.perf_counter() - started
        yield Result(
            name=name,
            title=title,
            params=MappingProxyType(params),
            fit_seconds=seconds,
            train_predictions=_decode(pipeline.predict(x_train), plan.classes),
            test_predictions=_decode(pipeline.predict(x_test), plan.classes),
            train_probabilities=_spread(pipeline, x_train, plan.classes),
            test_probabilities=_spread(pipeline, x_test, plan.classes),
            pipeline=pipeline,
            classes=plan.classes,
            notes=_told(caught, title),
        )


def _encode(labels: Array, classes: tuple[Any, ...]) -> Array:
    import numpy as np

    return np.searchsorted(np.array(classes), labels) if classes else labels


def _decode(codes: Array, classes: tuple[Any, ...]) -> Array:
    import numpy as np

    return np.array(classes)[codes] if classes else np.asarray(codes, dtype=np.float64)


def _spread(pipeline: Any, rows: pd.DataFrame, classes: tuple[Any, ...]) -> Array | None:
    import numpy as np

    if not classes:
        return None
    found: Array = np.asarray(pipeline.predict_proba(rows), dtype=np.float64)
    found /= found.sum(axis=1, keepdims=True)  # the float32 of XGBoost add up to one only roughly
    return found


def _told(caught: list[warnings.WarningMessage], title: str) -> tuple[str, ...]:
    """Turn warnings that mean something here into sentences; show the others as if nobody caught them."""
    from sklearn.exceptions import ConvergenceWarning

    notes: list[str] = []
    for warning in caught:
        text = str(warning.message)
        if issubclass(warning.category, ConvergenceWarning):
            notes.append(f"{title} did not converge: its score may be below what it could reach.")
        elif text.startswith("The number of unique classes is greater than 50%"):
            notes.append(f"{title} had fewer than two rows for most classes to learn from.")
        elif text.startswith("The least populated class in y has only"):
            notes.append(f"{title}: levels of large categories were encoded with rare classes in few folds.")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return tuple(dict.fromkeys(notes))


# --- models ------------------------------------------------------------------------------------------


def _dummy(plan: Plan, rows: pd.DataFrame, answers: Array) -> tuple[Any, str, dict[str, Any]]:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import make_pipeline

    if plan.classes:
        model, title, params = (
            DummyClassifier(strategy="prior"),
            "Dummy (most frequent class)",
            {"strategy": "prior"},
        )
    else:
        model, title, params = DummyRegressor(strategy="mean"), "Dummy (mean)", {"strategy": "mean"}
    return (
        make_pipeline(_reader(plan), model).fit(rows, answers),
        title,
        {"model": type(model).__name__, **params},
    )


def _linear(plan: Plan, rows: pd.DataFrame, answers: Array) -> tuple[Any, str, dict[str, Any]]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    if plan.classes:
        model, title = LogisticRegression(C=1.0, max_iter=2000), "Logistic regression"
        params: dict[str, Any] = {"penalty": "l2", "C": 1.0, "max_iter": 2000}
    else:
        model, title, params = Ridge(alpha=1.0), "Ridge regression", {"alpha": 1.0}
    prepared = {"numeric": "median, missing flagged, standardised", **_encodings(plan)}
    pipeline = make_pipeline(_reader(plan), _table(plan, scaled=True), model).fit(rows, answers)
    return pipeline, title, {"model": type(model).__name__, **params, **prepared}


def _xgboost(plan: Plan, rows: pd.DataFrame, answers: Array) -> tuple[Any, str, dict[str, Any]]:
    import numpy as np
    from sklearn.pipeline import make_pipeline
    from xgboost import XGBClassifier, XGBRegressor

    from modellab_jupyter.templates.planning import split

    params: dict[str, Any] = {
        "n_estimators": 100,
        "learning_rate": 0.1,
        "max_depth": 4,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "tree_method": "hist",
        "random_state": plan.seed,
        "n_jobs": 1,
    }
    kind = XGBClassifier if plan.classes else XGBRegressor
    stopped = len(answers) >= _LEAST_FOR_STOPPING
    if stopped:  # find the number of rounds on a fifth of the training rows, then fit all of them with it
        inner, held, _ = split(answers if plan.classes else None, len(answers), 0.2, np.random.default_rng(plan.seed))
        table = make_pipeline(_reader(plan), _table(plan, scaled=False))
        seen = table.fit_transform(rows.iloc[inner], answers[inner])
        trial = kind(**{**params, "n_estimators": 1000}, early_stopping_rounds=30)
        trial.fit(seen, answers[inner], eval_set=[(table.transform(rows.iloc[held]), answers[held])], verbose=False)
        params["n_estimators"] = int(trial.best_iteration) + 1
    pipeline = make_pipeline(_reader(plan), _table(plan, scaled=False), kind(**params)).fit(rows, answers)
    rounds = "early stopping on a fifth of the training rows" if stopped else "fixed: few training rows"
    return (
        pipeline,
        "XGBoost",
        {"model": kind.__name__, **params, "rounds": rounds, "missing": "native", **_encodings(plan)},
    )


_BUILDERS: Final = {"dummy": _dummy, "linear": _linear, "xgboost": _xgboost}


def _encodings(plan: Plan) -> dict[str, str]:
    uses = {column.use for column in plan.used}
    return {
        **({"categories": "one-hot"} if uses & {"category", "boolean"} else {}),
        **({"many_categories": "target encoded"} if "many categories" in uses else {}),
        **({"dates": "day, year, month, weekday, hour"} if "date" in uses else {}),
    }


def _reader(plan: Plan) -> Any:
    """First step of every pipeline: raw rows become the cleaned columns."""
    from sklearn.preprocessing import FunctionTransformer

    from modellab_jupyter.templates.columns import clean

    return FunctionTransformer(clean, kw_args={"columns": plan.used})


def date_parts(times: pd.DataFrame) -> Array:
    """Take times apart: days since 1970, year, month, day of the month, weekday, hour; missing stays missing.

    Returns
    -------
    numpy.ndarray of float64
        Shape (rows, 6 for each column).
    """
    import numpy as np
    import pandas as pd

    parts = [
        part.to_numpy(dtype=np.float64, na_value=np.nan)
        for name in times.columns
        for at in [times[name].dt]
        for part in (
            (times[name] - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1),
            at.year, at.month, at.day, at.day_of_week, at.hour,
        )
    ]  # fmt: skip
    return np.column_stack(parts)


def _table(plan: Plan, *, scaled: bool) -> Any:
    """Turn cleaned columns into numbers; `scaled` also fills and standardises, as a linear model needs."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler, TargetEncoder

    def named(*uses: str) -> list[str]:
        return [str(column.name) for column in plan.used if column.use in uses]

    def filled() -> list[Any]:
        if not scaled:
            return []
        return [
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
        ]

    def spoken() -> Any:
        return SimpleImputer(strategy="constant", fill_value="(missing)", keep_empty_features=True)

    kind = "continuous" if not plan.classes else "binary" if len(plan.classes) == 2 else "multiclass"
    level = TargetEncoder(target_type=kind, **_folds(plan.seed))
    steps = [
        ("numbers", make_pipeline(*filled()) if scaled else "passthrough", named("numeric")),
        ("dates", make_pipeline(FunctionTransformer(date_parts), *filled()), named("date")),
        (
            "categories",
            make_pipeline(spoken(), OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
            named("category", "boolean"),
        ),
        (
            "many categories",
            make_pipeline(spoken(), level, *([StandardScaler()] if scaled else [])),
            named("many categories"),
        ),
    ]
    return ColumnTransformer([step for step in steps if step[2]], sparse_threshold=0.0, verbose_feature_names_out=False)


def _folds(seed: int) -> dict[str, Any]:
    """Return how `TargetEncoder` is told to shuffle by `seed`: scikit-learn 1.9 changed the names."""
    import sklearn
    from sklearn.model_selection import KFold

    major, minor = (int(part) for part in sklearn.__version__.split(".")[:2])
    if (major, minor) >= (1, 9):
        return {"cv": KFold(5, shuffle=True, random_state=seed)}
    return {"cv": 5, "shuffle": True, "random_state": seed}
