"""`plan`: every row and column has a decision and a reason, and the same table always gives the same one."""

from __future__ import annotations

import datetime
import decimal
import random
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab_jupyter.errors import InputError
from modellab_jupyter.templates import Plan, plan
from modellab_jupyter.templates.columns import clean
from modellab_jupyter.templates.planning import split

N = 60


def table(**columns: object) -> pd.DataFrame:
    """Return a table with a numeric feature, the columns given, and a target of two classes."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=N), **columns, "y": ["no", "yes", "no"] * (N // 3)})


def use_of(decided: Plan, name: object) -> str:
    return next(column.use for column in decided.columns if column.name == name)


def reason_of(decided: Plan, name: object) -> str:
    return next(column.reason for column in decided.columns if column.name == name)


def said(decided: Plan) -> str:
    return "\n".join(decided.notes)


CYCLE = [f"{i % 7}" for i in range(N)]
DAYS = pd.date_range("2024-01-30", periods=N, freq="36h")


@pytest.mark.parametrize(
    ("values", "use"),
    [
        (np.arange(N) ** 2, "numeric"),
        (pd.array([None, *range(5, N + 4)], dtype="Int64"), "numeric"),
        ([np.inf, -np.inf, *np.linspace(0, 1, N - 2)], "numeric"),
        ([1e300, *np.linspace(0, 1, N - 1)], "numeric"),
        ([f"{i * 1234:,}" for i in range(N)], "numeric"),
        ([f"1.{i + 100},{i}" for i in range(N)], "numeric"),
        ([f"{i},5" for i in range(N)], "numeric"),
        ([f"${i}.50" for i in range(N)], "numeric"),
        ([f"{i * i}%" for i in range(N)], "numeric"),
        (["?", "NA", " ", *(str(i / 7) for i in range(N - 3))], "numeric"),
        (pd.timedelta_range("1h", periods=N), "numeric"),
        ([True, False] * (N // 2), "boolean"),
        (pd.array([True, None, False] * (N // 3), dtype="boolean"), "boolean"),
        (["Yes", "no"] * (N // 2), "boolean"),
        (["red", "green", None] * (N // 3), "category"),
        (pd.Categorical(CYCLE), "category"),
        (pd.Categorical([int(c) for c in CYCLE]), "category"),
        ([f"0{i % 5}" for i in range(N)], "category"),
        ([f"town {i % 25}" for i in range(N)], "many categories"),
        (DAYS, "date"),
        (DAYS.tz_localize("Europe/Berlin"), "date"),
        (pd.period_range("2020-01", periods=N, freq="M"), "date"),
        (DAYS.strftime("%Y-%m-%d"), "date"),
        (DAYS.strftime("%Y-%m-%dT%H:%M:%SZ"), "date"),
        (DAYS.strftime("%d.%m.%Y"), "date"),
        (DAYS.strftime("%m/%d/%Y %H:%M"), "date"),
        (DAYS.strftime("%d %b %Y"), "date"),
        ([datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(N)], "date"),
        ([f"user-{i}" for i in range(N)], "left out"),
        ([f"the story of row {i} told at length" for i in range(N)], "left out"),
        (np.arange(N), "left out"),
        (np.arange(1, N + 1), "left out"),
        (["same"] * N, "left out"),
        ([3.5] * N, "left out"),
        ([None] * N, "left out"),
        ([np.inf] * N, "left out"),
        (["?"] * N, "left out"),
        ([[1, 2]] * N, "left out"),
        ([1j] * N, "left out"),
        (["one", None, None] * (N // 3), "category"),
        ([1, "1", 2.0] * (N // 3), "numeric"),
        (pd.array([None, *range(5, N + 4)], dtype="int64[pyarrow]"), "numeric"),
        (pd.array([True, None, False] * (N // 3), dtype="bool[pyarrow]"), "boolean"),
        (pd.array(["red", "green", None] * (N // 3), dtype="string[pyarrow]"), "category"),
        (pd.array(DAYS, dtype="timestamp[us][pyarrow]"), "date"),
        (pd.array([day.date() for day in DAYS], dtype="date32[pyarrow]"), "date"),
        ([decimal.Decimal(i) / 7 for i in range(N)], "numeric"),
        ([b"bytes"] * N, "left out"),
    ],
)
def test_each_kind_of_column_gets_its_use(values, use):
    """What a column holds decides how it is used, and every decision has a reason."""
    decided = plan(table(feature=values), "y", "classification")

    assert use_of(decided, "feature") == use
    assert reason_of(decided, "feature")


def test_an_identifier_is_known_by_its_name():
    """Whole numbers that name things are left out; repeated ones warn of groups."""
    ids = np.random.default_rng(1).integers(1000, 1030, N)
    decided = plan(table(CustomerID=ids, amount=ids + 1), "y", "classification")

    assert use_of(decided, "CustomerID") == "left out"
    assert use_of(decided, "amount") == "numeric"
    assert "'CustomerID' repeats: rows of one CustomerID may be in both splits" in said(decided)


def test_copies_and_the_target_itself_are_left_out():
    """The second of two equal columns says nothing new, and the target is no feature."""
    frame = table(a=np.arange(N) % 9, b=np.arange(N) % 9)
    frame["copy"] = frame["y"]
    frame["hidden"] = frame["y"].map({"no": "A", "yes": "B"})
    decided = plan(frame, "y", "classification")

    assert reason_of(decided, "b") == "the same values as 'a'"
    assert reason_of(decided, "copy") == "the target itself"
    assert use_of(decided, "hidden") == "category"
    assert "'hidden' tells the class in every row: it may give the answer away." in decided.notes


def test_a_rescaled_target_is_told():
    """A feature that is the target in other units gives the answer away."""
    frame = table().assign(grams=np.linspace(5, 90, N) ** 2)
    frame["kilos"], frame["same"] = frame["grams"] / 1000, frame["grams"]
    decided = plan(frame, "grams", "regression")

    assert "'kilos' is the target on another scale in every row: it may give the answer away." in decided.notes
    assert reason_of(decided, "same") == "the target itself"


def test_what_was_read_differently_is_told():
    """Texts read as numbers, cells taken as missing, dates in doubt and dropped rows are all told."""
    frame = table(
        price=["?", "n.v.", *(f"{i},000" for i in range(1, N - 1))],
        day=[f"{1 + i % 12:02}/{1 + i % 11:02}/2024" for i in range(N)],
        wild=[np.inf, *range(7, N + 6)],
    )
    frame.loc[[3, 8], "y"] = [None, "?"]
    decided = plan(frame, "y", "classification")

    assert "'price' has numbers written as text, read as in 1,234.5; '?' and 1 cell such as 'n.v.' taken" in said(
        decided
    )
    assert "'day' has dates with day and month in doubt; they were read as %m/%d/%Y." in decided.notes
    assert "1 infinite value of 'wild' taken as missing." in decided.notes
    assert "2 rows without a value of 'y' left out." in decided.notes
    assert len(decided.rows) == N - 2
    assert not {3, 8} & {*decided.train, *decided.test}


def test_times_and_repeated_rows_are_hinted_at():
    """A random split flatters a table that is ordered in time or holds rows twice."""
    frame = table(when=DAYS)
    timed = plan(frame, "y", "classification")
    doubled = plan(pd.concat([table(), table()]), "y", "classification")

    assert "the split is random: later rows may score lower" in said(timed)
    assert "60 rows repeated exactly" in said(doubled)


def test_the_plan_depends_on_its_arguments_only():
    """Same arguments, same plan; another seed, another split; global random state and input untouched."""
    frame = table(c=CYCLE, when=DAYS.strftime("%d.%m.%Y"))
    before = frame.copy(deep=True)
    np_state, py_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    one, two, other = (plan(frame, "y", "classification", seed=seed) for seed in (5, 5, 6))

    np.testing.assert_array_equal(one.test, two.test)
    assert one.columns == two.columns
    assert one.notes == two.notes
    assert one.test.tolist() != other.test.tolist()
    pd.testing.assert_frame_equal(frame, before)
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert random.getstate() == py_state


def test_a_plan_cannot_be_changed():
    """Fields and arrays are read-only."""
    decided = plan(table(), "y", "classification")

    with pytest.raises(AttributeError):
        decided.seed = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        decided.test[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        decided.labels[0] = "x"


def test_train_and_test_share_no_row_and_lose_none():
    """Both splits together are the rows with a target; their labels belong to these rows."""
    frame = table()
    frame.index = ["a"] * N
    frame.iloc[:5, -1] = None
    decided = plan(frame, "y", "classification", test_size=0.3)
    _, labels = decided.rows_of("test")

    assert sorted([*decided.train, *decided.test]) == list(range(5, N))
    assert len(decided.test) == round(0.3 * (N - 5))
    assert labels.tolist() == frame["y"].iloc[decided.test].tolist()


CELLS = st.one_of(
    st.none(),
    st.integers(-9, 9),
    st.floats(),
    st.booleans(),
    st.sampled_from(["", "?", "NA", "a", " b ", "1,234", "1.5", "3,5", "12%", "2024-01-02", "01/02/2024", "00"]),
    st.text(max_size=4),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(CELLS, min_size=12, max_size=12))
def test_any_cells_can_be_planned_and_cleaning_twice_changes_nothing(values):
    """No column, whatever it holds, stops a plan; cleaned rows pass through cleaning as they are."""
    frame = pd.DataFrame({"x": np.arange(12) ** 1.5, "any": pd.Series(values, dtype=object), "y": [0, 1] * 6})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decided = plan(frame, "y", "classification")
        once = clean(frame, decided.used)
        twice = clean(once, decided.used)

    pd.testing.assert_frame_equal(once, twice)
    pd.testing.assert_frame_equal(once, decided.features)


def test_cleaning_needs_the_columns_it_knows():
    """Rows without a used column are refused by its name; further columns do not matter."""
    decided = plan(table(colour=["red", "green"] * (N // 2)), "y", "classification")

    with pytest.raises(InputError, match=r"1 column that the model needs not found \('colour'\); did you mean 'color'"):
        decided.clean(pd.DataFrame({"x": [1.0], "color": ["red"]}))
    assert list(decided.clean(pd.DataFrame({"more": [1], "colour": ["red"], "x": [2]})).columns) == [
        "x",
        "colour",
    ]


# --- target -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([0, 1] * 10, (0, 1)),
        ([0.0, 1.0, None, 1.0] * 5, (0, 1)),
        ([True, False] * 10, (False, True)),
        (pd.array([True, False, None, True] * 5, dtype="boolean"), (False, True)),
        (pd.array([3, 1, None, 2] * 5, dtype="Int64"), (1, 2, 3)),
        ([" b", "a ", "?", "a"] * 5, ("a", "b")),
        (["none", "some"] * 10, ("none", "some")),
        (pd.Categorical(["b", "a"] * 10, categories=["b", "a", "unused"]), ("a", "b")),
        (pd.Categorical([2, 1] * 10), (1, 2)),
        ([1, "one"] * 10, ("1", "one")),
        ([0.5, 1.5] * 10, ("0.5", "1.5")),
    ],
)
def test_classes_are_sorted_and_keep_their_type(values, classes):
    """Whole numbers stay numbers, truth stays truth, text is stripped; unused categories are no classes."""
    decided = plan(pd.DataFrame({"x": np.arange(20) ** 2, "y": values}), "y", "classification")

    assert decided.classes == classes
    assert set(decided.labels.tolist()) == set(classes)


@pytest.mark.parametrize(
    "values", [["1,200", "3,400"] * 10, pd.array([1, 2] * 10, dtype="Int64"), pd.Categorical([1, 2] * 10)]
)
def test_numbers_to_predict_are_read_from_any_type(values):
    """A regression target may be text, nullable or categorical as long as it holds numbers."""
    decided = plan(pd.DataFrame({"x": np.arange(20) ** 2, "y": values}), "y", "regression")

    assert decided.labels.dtype == np.float64
    assert decided.classes == ()
    assert "'y' has two values only: task_type='classification' may fit better." in decided.notes


AMOUNTS = np.random.default_rng(0).normal(size=500)
DAILY = pd.date_range("2020", periods=500)


@pytest.mark.parametrize(
    ("y", "task_type", "sentence"),
    [
        (AMOUNTS, "classification", "500 different numbers in 500 rows, which look like amounts"),
        (np.arange(500), "classification", "use task_type='regression'"),
        (
            [f"{i}.5" for i in range(500)],
            "classification",
            "too many for classes; use task_type='regression'",
        ),
        ([f"name {i}" for i in range(500)], "classification", "500 different texts in 500 rows, too many"),
        (["a"] * 500, "classification", r"holds one class only \('a', in 500 rows\)"),
        ([1] * 499 + [None], "classification", r"holds one class only \(1, in 499 rows\)"),
        (DAILY, "classification", "holds times"),
        (["b", "a"] * 250, "regression", r"needs numbers \('b' in row 0, 500 such in 500 rows\)"),
        (["?", *["1"] * 200, "x", *["2"] * 298], "regression", "use task_type='classification'"),
        ([*map(str, range(499)), "x"], "regression", r"\('x' in row 499, 1 such in 500 rows\); correct"),
        ([True, False] * 250, "regression", "holds true and false; use task_type='classification'"),
        (DAILY, "regression", "holds times"),
        ([7] * 500, "regression", "is 7 in every row"),
        ([None] * 500, "regression", "0 rows with a value of 'y'"),
        (
            [None] * 495 + [1, 0] * 2 + [1],
            "classification",
            "5 rows with a value of 'y', and a split needs 10",
        ),
    ],
)
def test_a_target_that_does_not_fit_is_refused(y, task_type, sentence):
    """The error says what the target holds and names what would fit."""
    with pytest.raises(InputError, match=sentence) as caught:
        plan(pd.DataFrame({"x": AMOUNTS, "y": y}), "y", task_type)

    assert str(caught.value).startswith(("target: ", "data: "))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"target": "Y"}, r"there is no column 'Y' in the data; did you mean 'y'\?"),
        ({"target": "zebra"}, "its columns are 'x', 'y'"),
        ({"task_type": "clasification"}, "did you mean 'classification'"),
        ({"seed": -1}, "seed: a whole number"),
        ({"seed": True}, "seed: a whole number"),
        ({"test_size": 1.0}, "test_size: a share between 0 and 1"),
        ({"frame": {"x": [1]}}, "a pandas DataFrame is needed, not dict"),
        ({"frame": pd.DataFrame({"x": [], "y": []})}, "0 rows under 2 columns"),
        ({"frame": pd.DataFrame({"x": [1], "y": [1]})}, "one class only"),
        ({"frame": pd.DataFrame([[1, 2]], columns=["y", "y"])}, "2 columns are named 'y'"),
        ({"frame": pd.DataFrame([[1, 2]], columns=[1, "1"])}, "2 columns are named '1'"),
        ({"frame": pd.DataFrame({"y": [0, 1] * 9})}, "there is no other column"),
        (
            {"frame": pd.DataFrame({"k": 1, "y": [0, 1] * 9})},
            r"no column is left to learn from \('k': always 1\)",
        ),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, sentence):
    """Each argument is checked before any work."""
    good = {"frame": table()[["x", "y"]], "target": "y", "task_type": "classification"}
    with pytest.raises(InputError, match=sentence) as caught:
        plan(**{**good, **arguments})

    assert "\n" not in str(caught.value)


# --- split ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=12), st.floats(0.05, 0.9), st.integers(0, 2**31 - 1))
def test_training_rows_know_every_class(counts, test_size, seed):
    """However rare the classes: no row is lost or doubled, and each class has a training row."""
    labels = np.repeat(np.arange(len(counts)), counts)
    try:
        train, test, notes = split(labels, len(labels), test_size, np.random.default_rng(seed))
    except InputError:
        assert sum(counts) - len(counts) < len(counts) / min(test_size, 1 - test_size)
        return

    assert sorted([*train, *test]) == list(range(len(labels)))
    assert set(labels[train]) == set(labels)
    assert len(test) > 0
    if min(counts) == 1:
        assert notes


def test_a_class_of_one_row_is_told():
    """What the test split cannot judge is named."""
    frame = table()
    frame.loc[7, "y"] = "perhaps"
    decided = plan(frame, "y", "classification")

    assert 7 in decided.train
    assert "Rare classes (perhaps: 1 row): each keeps at least one row for training." in decided.notes
    assert "The test split has no row of class 'perhaps', so it cannot judge that." in decided.notes


def test_the_plan_prints_what_it_decided():
    """The text names sizes, columns left out with their reason, and every note."""
    decided = plan(table(k=["c"] * N), "y", "classification")

    assert str(decided).splitlines() == [
        "classification of 'y': 45 rows to train, 15 to test, 1 of 2 columns used",
        "  left out: k (always 'c')",
    ]
    assert list(decided.table.columns) == ["column", "use", "reason", "missing", "distinct"]
    assert decided.table["column"].tolist() == ["x", "k"]
