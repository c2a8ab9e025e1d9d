"""Bad input is refused in one whole sentence before any work; good input is accepted in every container."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evalharness import InputError, evaluate

QUICK = {"compute_cis": False}
Y, P = [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3]
INDEX = pd.Series(Y, index=[3, 1, 2, 0])

BAD = [
    ({"task_type": "clasification"}, "task_type is 'clasification'; did you mean 'classification'?"),
    ({"config": {"n_resample": 5}}, "config has the unknown key 'n_resample'; did you mean 'n_resamples'?"),
    ({"config": {"n_resamples": 5}}, "config['n_resamples'] is 5; give a whole number from 100 to 1000000."),
    ({"config": {"plots": "yes"}}, "config['plots'] is 'yes'; give True or False."),
    ({"config": {"confidence_level": 95}}, "config['confidence_level'] is 95, outside [0.5, 1); give 0.95."),
    ({"config": [1]}, "config is a list; give a mapping such as {'n_resamples': 1000}."),
    ({"on_missing": "ignore"}, "on_missing is 'ignore'; give one of error, drop."),
    ({"threshold": 50}, "threshold is 50; give a probability between 0 and 1, such as 0.5."),
    ({"seed": -1}, "seed is -1; give a whole number from 0 to 2**63 - 1."),
    ({"predict": 3}, "predict is a int; give a callable such as model.predict_proba."),
    ({"predictions": None}, "predictions is None; give one value for each row."),
    ({"labels": []}, "labels has no rows; give at least one."),
    ({"labels": "yes"}, "labels is a str; give a NumPy array, a pandas, polars or Arrow column, or a list."),
    ({"predictions": P[:3]}, "predictions has 3 rows but labels has 4; give one for each label."),
    ({"data": np.zeros((5, 2))}, "data has 5 rows but labels has 4; give one for each label."),
    ({"sample_weight": [1]}, "sample_weight has 1 row but labels has 4; give one for each label."),
    (
        {"labels": [0, None, 1, np.nan]},
        (
            "labels are missing in 2 rows (first: row 1); fill them in, or "
            "give on_missing='drop' to leave those rows out."
        ),
    ),
    (
        {"predictions": [0.1, np.nan, 0.2, 0.3]},
        (
            "predictions is missing in 1 row (first: row 1); fill them "
            "in, or give on_missing='drop' to leave those rows out."
        ),
    ),
    (
        {"predictions": [10.0, 80.5, 40.0, 30.0]},
        ("predictions lies outside [0, 1] in 4 rows (first: row 0, 10); they look like percentages, so divide by 100."),
    ),
    (
        {"predictions": [10, 80, 40, 30]},
        (
            "predictions holds 4 rows (first: row 0, 10) with a class that is not in labels (0, 1); they look like "
            "percentages, so divide by 100, or give classes= if they are classes."
        ),
    ),
    (
        {"predictions": [-2, 1, 3, -1]},
        (
            "predictions holds 3 rows (first: row 0, -2) with a class that is not in labels (0, 1); they look like "
            "logits or scores, so pass them through a sigmoid, or give classes= if they are classes."
        ),
    ),
    (
        {"predictions": [[20.0, 80.0], [90.0, 10.0], [0.0, 100.0], [50.0, 50.0]]},
        ("predictions lies outside [0, 1] in 4 rows (first: row 0, 20); they look like percentages, so divide by 100."),
    ),
    (
        {"predictions": [0.2, 0.8, 1.4, 3.0]},
        (
            "predictions lies outside [0, 1] in 2 rows (first: row 2, 1.4); divide percentages by 100, or pass "
            "logits or scores through a sigmoid or softmax first."
        ),
    ),
    ({"labels": [None] * 4}, "labels is missing in all 4 rows; give what really was in each row."),
    ({"labels": [2**70, 0, 1, 0]}, "labels holds whole numbers beyond 64 bits; give smaller codes or strings."),
    (
        {"labels": [2**60, 2**60 + 1, 0, 0]},
        (
            "labels holds a class beyond 2**53 (first: row 0, 1152921504606846976); give classes as strings or small "
            "codes."
        ),
    ),
    (
        {"labels": [0, float("inf"), 1, 0]},
        "labels is infinite in 1 row (first: row 1, inf); give a class for each row.",
    ),
    (
        {"sample_weight": [1, np.inf, 1, 1]},
        "sample_weight is infinite in 1 row (first: row 1, inf); give finite numbers of at least 0.",
    ),
    ({"sample_weight": list("abcd")}, "sample_weight holds strings; give a number of at least 0 for each row."),
    ({"sample_weight": np.ones((4, 2))}, "sample_weight has 2 columns; give one value for each row."),
    (
        {"labels": pd.Series(Y, index=[0, 0, 1, 1]), "predictions": pd.Series(P, index=[0, 1, 0, 1])},
        (
            "predictions and labels have different pandas indexes in 2 rows (first: row 1, 1 against 0); rows are "
            "matched by position, so put them in one order and give both the same index."
        ),
    ),
    ({"data": np.zeros((4, 2, 2))}, "data has 3 dimensions; give a table of rows and columns."),
    (
        {"labels": ["a"] * 4, "predictions": [[0.3, 0.7]] * 4},
        "predictions has 2 columns but labels holds one class only ('a'); give classes= in the order of the columns.",
    ),
    (
        {"predictions": [-2.0, 1.5, 0.5, -0.1]},
        (
            "predictions lies outside [0, 1] in 3 rows (first: row 0, "
            "-2); they look like logits or scores, so pass them through "
            "a sigmoid or softmax first."
        ),
    ),
    (
        {"predictions": [[0.5, 0.5], [0.2, 0.9], [0.5, 0.5], [0.5, 0.5]]},
        (
            "predictions does not sum to 1 in 1 row (first: row 1, sum "
            "1.1); give one probability for each class, normalised by row."
        ),
    ),
    (
        {"predictions": [0, 1, 2, 7], "classes": [0, 1]},
        (
            "predictions holds 2 rows (first: row 2, 2) with a "
            "class that is not in classes= (0, 1); add it to "
            "classes=, or correct the rows."
        ),
    ),
    (
        {"predictions": ["0", "1", "1", "0"]},
        ("predictions holds strings (row 0: '0') but labels holds whole numbers (row 0: 0); give both in one type."),
    ),
    (
        {"labels": [0, "1", 1, "0"]},
        "labels mixes types: 2 rows (first: row 1, '1') are not int like row 0 (0); give one type.",
    ),
    (
        {"labels": [True, False, 2, 1]},
        "labels mixes types: 2 rows (first: row 2, 2) are not bool like row 0 (True); give one type.",
    ),
    ({"labels": [{}, {}, {}, {}]}, "labels holds a dict at row 0; give numbers, strings or booleans."),
    (
        {"labels": [0.5, 1.0, 0.0, 1.0]},
        (
            "labels is not a whole number and so no class in 1 row (first: row "
            "0, 0.5); give class labels, or task_type='regression' for "
            "quantities."
        ),
    ),
    (
        {"labels": [0, 1, 2, 0]},
        (
            "predictions is not a whole number and so no class in 4 rows (first: row "
            "0, 0.1); give class labels, or task_type='regression' for quantities."
        ),
    ),
    (
        {"classes": [0, 2]},
        (
            "labels holds 2 rows (first: row 1, 1) with a class that is not in classes= (0, "
            "2); add it to classes=, or correct the rows."
        ),
    ),
    ({"classes": [0, 0, 1]}, "classes lists 0 twice; list each class once."),
    ({"classes": [0]}, "classes lists one class only; list all that can occur, at least two."),
    ({"positive": 5}, "positive is 5, which is not one of the classes 0, 1; give one of them."),
    (
        {"labels": ["a"] * 4},
        (
            "predictions is one column of probabilities but labels holds one class only "
            "('a'); give classes= with two classes, or one column for each class."
        ),
    ),
    (
        {"predictions": np.full((4, 3), 1 / 3)},
        ("predictions has 3 columns but labels holds 2 classes (0, 1); give classes= in the order of the columns."),
    ),
    (
        {"predictions": np.zeros((4, 2, 2))},
        "predictions has 3 dimensions; give one value for each row, or one row of probabilities.",
    ),
    (
        {"predictions": [[0.5, 0.5], [1.0], [0.5, 0.5], [0.5, 0.5]]},
        "predictions is ragged: row 1 does not have 2 values like row 0; give rows of one length.",
    ),
    (
        {"predictions": np.full((4, 2), 0.5), "probabilities": P},
        ("predictions has 2 columns although probabilities were given too; give one predicted class for each row."),
    ),
    (
        {"sample_weight": [1, -1, -2, 1]},
        "sample_weight is negative in 2 rows (first: row 1, -1); give numbers of at least 0.",
    ),
    (
        {"sample_weight": [1, np.nan, 1, 1]},
        "sample_weight is missing in 1 row (first: row 1, nan); give a number of at least 0 for each row.",
    ),
    (
        {"sample_weight": [0, 0, 0, 0]},
        "sample_weight is 0 in all 4 rows; give at least one row a positive weight.",
    ),
    ({"groups": [1, 1, 1, 1]}, "groups holds one group only; give at least two, or leave groups out."),
    (
        {"groups": [1, None, 1, 2]},
        "groups is missing in 1 row (first: row 1); give each row the group it belongs to.",
    ),
    (
        {"labels": INDEX, "predictions": pd.Series(P)},
        (
            "predictions and labels have different pandas "
            "indexes in 2 rows (first: row 0, 0 against 3); rows "
            "are matched by position, so put them in one order "
            "and give both the same index."
        ),
    ),
    ({"data": object()}, "data is a object; give a pandas, polars or Arrow table, or a NumPy array."),
    ({"output_dir": 3}, "output_dir is 3; give the path of a folder."),
]


@pytest.mark.parametrize(("change", "sentence"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_classification_input(change, sentence):
    given = {"task_type": "classification", "labels": Y, "predictions": P, **change}
    with pytest.raises(InputError) as caught:
        evaluate(**given)
    text = str(caught.value)
    assert text == sentence
    assert text.endswith((".", "?"))
    assert "\n" not in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"labels": ["a", "b"]},
            (
                "labels holds strings (first: row 0, 'a'); task_type='regression' needs "
                "numbers, so convert them or give task_type='classification'."
            ),
        ),
        (
            {"predictions": [[1, 2], [3, 4]]},
            "predictions has 2 columns; with task_type='regression' give one number for each row.",
        ),
        (
            {"predictions": [1e200, 1]},
            "predictions is beyond 1e+100 in 1 row (first: row 0, 1e+200); give it in a larger unit.",
        ),
        ({"labels": [1.0, np.inf]}, "labels is infinite in 1 row (first: row 1, inf); give finite numbers."),
        (
            {"probabilities": [0.1, 0.2]},
            (
                "probabilities were given with task_type='regression'; leave them "
                "out, or give task_type='classification'."
            ),
        ),
        (
            {"positive": 1},
            ("positive was given with task_type='regression'; leave it out, or give task_type='classification'."),
        ),
    ],
)
def test_bad_regression_input(change, sentence):
    with pytest.raises(InputError) as caught:
        evaluate(**{"task_type": "regression", "labels": [1.0, 2.0], "predictions": [1.5, 2.5], **change})
    assert str(caught.value) == sentence


def test_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


def columns(values):
    yield "list", list(values)
    yield "tuple", tuple(values)
    yield "numpy", np.array(values)
    yield "column", np.array(values).reshape(-1, 1)
    yield "object", np.array(values, dtype=object)
    yield "series", pd.Series(values, index=range(5, 5 + len(values)))
    yield "frame", pd.DataFrame({"y": values}, index=range(5, 5 + len(values)))
    yield "category", pd.Series(values, index=range(5, 5 + len(values))).astype("category")
    yield "nullable", pd.Series(values, index=range(5, 5 + len(values))).convert_dtypes()
    yield "arrow", pa.array(values)
    yield "chunked", pa.chunked_array([values[:2], values[2:]])
    yield "table", pa.table({"y": values})


@pytest.mark.parametrize(
    "values",
    [[0, 1, 1, 0, 1], [False, True, True, False, True], ["no", "yes", "yes", "no", "yes"]],
    ids=["int", "bool", "str"],
)
def test_every_container_gives_one_report(values):
    p = [0.2, 0.9, 0.4, 0.1, 0.6]
    reports = [
        evaluate(task_type="classification", labels=column, predictions=np.float32(p), config=QUICK)
        for _, column in columns(values)
    ]
    for report in reports:
        assert report.documents() == reports[0].documents()
    assert reports[0].positive == max(values)
    assert reports[0].metrics["accuracy"] == 0.8


@pytest.mark.parametrize("kind", ["list", "numpy", "column", "series", "frame", "arrow", "chunked", "table"])
def test_probabilities_in_every_container(kind):
    p = [0.2, 0.9, 0.4, 0.1, 0.6]
    report = evaluate(
        task_type="classification", labels=[0, 1, 1, 0, 1], predictions=dict(columns(p))[kind], config=QUICK
    )
    assert report.metrics["roc_auc"] == 1


def test_polars_columns_and_tables():
    polars = pytest.importorskip("polars")
    given = {
        "task_type": "classification",
        "labels": ["n", "y", "y"],
        "predictions": [0.2, 0.9, 0.4],
        "config": QUICK,
    }
    data = {"a": [1.0, None, 3.0], "b": ["u", "v", None]}
    plain = evaluate(**given, data=pd.DataFrame(data))
    other = evaluate(
        **{**given, "labels": polars.Series(["n", "y", "y"]), "predictions": polars.Series([0.2, 0.9, 0.4])},
        data=polars.DataFrame(data),
    )
    assert dict(plain.metrics) == dict(other.metrics)
    assert plain.rows_digest == other.rows_digest


def test_rows_without_label_or_prediction_can_be_dropped():
    report = evaluate(
        task_type="classification",
        labels=["a", None, "b", "a"],
        predictions=["a", "b", "b", None],
        on_missing="drop",
        config=QUICK,
    )
    assert report.n == 2
    assert report.sample.rows.tolist() == [0, 2]
    assert "2 rows of 4 with a missing label or prediction were left out (on_missing='drop')." in report.notes


def test_columns_named_after_classes_are_read_by_name():
    y, p = ["a", "b", "b"], pd.DataFrame({"b": [0.1, 0.9, 0.8], "a": [0.9, 0.1, 0.2]})
    assert evaluate(task_type="classification", labels=y, predictions=p, config=QUICK).metrics["accuracy"] == 1


def test_hard_predictions_as_floats_are_labels():
    report = evaluate(task_type="classification", labels=[0, 1, 2, 1], predictions=[0.0, 1.0, 2.0, 2.0], config=QUICK)
    assert report.metrics["accuracy"] == 0.75


def test_positive_class_is_stated_and_can_be_chosen():
    given = {
        "task_type": "classification",
        "labels": ["bad", "good", "bad"],
        "predictions": ["bad", "good", "good"],
        "config": QUICK,
    }
    assert evaluate(**given).positive == "good"
    assert any("positive class is 'good'" in note for note in evaluate(**given).notes)
    chosen = evaluate(**given, positive="bad")
    assert (chosen.positive, chosen.metrics["recall"]) == ("bad", 0.5)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_one_and_two_rows(n, task):
    """The smallest inputs give a report in which what is undefined says why."""
    report = evaluate(task_type=task, labels=[0, 1][:n], predictions=[1, 1][:n])
    assert report.n == n
    for name, value in report.metrics.items():
        assert (value is None) == (name in report.undefined)
        assert (report.intervals[name].low is None) == (report.intervals[name].reason is not None)
    assert report.get_takeaway().count("\n") == 4


def test_class_absent_from_the_rows():
    p = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    report = evaluate(
        task_type="classification",
        labels=["a", "b", "a"],
        predictions=p,
        classes=["a", "b", "c"],
        config=QUICK,
    )
    assert report.metrics["roc_auc_ovr"] is None
    assert report.undefined["roc_auc_ovr"] == "a class has no row in labels: none of 3 rows is 'c'"
    assert report.metrics["balanced_accuracy"] == 1


def test_one_class_only():
    report = evaluate(task_type="classification", labels=[1, 1, 1], predictions=[0.9, 0.4, 0.8], config=QUICK)
    assert report.metrics["roc_auc"] is None
    assert report.undefined["roc_auc"] == "labels hold one class only: none of 3 rows is 0"
    assert report.undefined["specificity"] == "no row is negative"


def test_zero_targets_are_counted():
    report = evaluate(task_type="regression", labels=[0, 0, 3], predictions=[1, 1, 3], config=QUICK)
    assert report.metrics["mean_absolute_percentage_error"] is None
    assert (
        report.undefined["mean_absolute_percentage_error"]
        == "2 of 3 labels are zero, where a percentage error has no value"
    )


def test_input_and_global_random_state_are_untouched():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"a": rng.random(80), "b": rng.choice(["x", "y"], 80)})
    y, p = rng.integers(0, 2, 80), rng.random(80)
    copies = data.copy(deep=True), y.copy(), p.copy()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    evaluate(
        task_type="classification",
        labels=y,
        predictions=p,
        data=data,
        predict=lambda d: d["a"].fillna(0).clip(0, 1),
        config={"run_stress_tests": True},
    )
    pd.testing.assert_frame_equal(data, copies[0])
    assert np.array_equal(y, copies[1])
    assert np.array_equal(p, copies[2])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_no_sentence_names_an_internal():
    assert not any(re.search(r"ndarray|_vector|Traceback", sentence or "") for _, sentence in BAD)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["a", "b", "b", "a"], "category"),
        (["a", "b", "b", "a"], "string"),
        ([1, 2, 2, 1], "Int64"),
        ([True, False, False, True], "boolean"),
    ],
)
def test_bare_pandas_arrays_are_columns(values, dtype):
    """A pandas array, or an index, without its series means what the list of its values means."""
    plain = evaluate(task_type="classification", labels=values, predictions=values[::-1], groups=values, data=values)
    for kind in (lambda v: pd.array(v, dtype=dtype), lambda v: pd.Index(v, dtype=dtype)):
        one, other = kind(values), kind(values[::-1])
        found = evaluate(task_type="classification", labels=one, predictions=other, groups=one, data=one)
        assert (found.metrics, found.labels_digest) == (plain.metrics, plain.labels_digest)
        holed = kind([*values, None])
        found = evaluate(task_type="classification", labels=holed, predictions=holed, on_missing="drop")
        assert (found.n, found.metrics["accuracy"]) == (4, 1)


@pytest.mark.parametrize("classes", [None, ["a", "b", "c"]])
def test_names_of_probability_columns_win_over_their_places(classes):
    """A table whose columns are called like the classes is read by name, and a note says where that moved columns."""
    y = ["a", "b", "c"] * 5
    table = pd.DataFrame({c: [0.8 if v == c else 0.1 for v in y] for c in "cab"})
    note = "The columns of predictions are matched to the classes 'a', 'b', 'c' by name, not by place."
    found = evaluate(task_type="classification", labels=y, predictions=table, classes=classes)
    assert found.metrics["accuracy"] == 1
    assert note in found.notes
    assert note not in evaluate(task_type="classification", labels=y, predictions=table[["a", "b", "c"]]).notes


def test_duplicate_indexes_that_agree_are_matched_by_position():
    """An index that repeats, or is out of order, is no obstacle where all share it; a note says how rows match."""
    plain = evaluate(task_type="classification", labels=Y, predictions=P, data={"x": [1, 2, 3, 4]}, config=QUICK)
    for index in ([0, 0, 1, 1], [3, 1, 0, 2]):
        found = evaluate(
            task_type="classification",
            labels=pd.Series(Y, index=index),
            predictions=pd.Series(P, index=index),
            data=pd.DataFrame({"x": [1, 2, 3, 4]}, index=index),
            config=QUICK,
        )
        assert found.metrics == plain.metrics
        assert found.rows_digest == plain.rows_digest
        assert "Rows of labels, predictions and data are matched by position." in found.notes


def test_rows_of_weight_zero_count_for_nothing():
    whole = evaluate(task_type="classification", labels=Y, predictions=P, sample_weight=[0, 1, 1, 1], config=QUICK)
    without = evaluate(task_type="classification", labels=Y[1:], predictions=P[1:], config=QUICK)
    for name in ("accuracy", "balanced_accuracy", "f1", "roc_auc", "average_precision", "log_loss", "brier_score"):
        assert whole.metrics[name] == pytest.approx(without.metrics[name])


def test_hard_probabilities_beside_other_codes_are_probabilities():
    """Floats of 0 and 1 are no classes where the labels are 1 and 2."""
    found = evaluate(task_type="classification", labels=[1, 2, 2, 1], predictions=[0.0, 1.0, 1.0, 1.0], config=QUICK)
    assert (found.classes, found.metrics["accuracy"]) == ((1, 2), 0.75)


def test_order_of_classes_is_that_of_the_columns():
    table = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]]
    found = evaluate(
        task_type="classification", labels=list("baab"), predictions=table, classes=["b", "a"], config=QUICK
    )
    assert (found.classes, found.positive, found.metrics["accuracy"]) == (("b", "a"), "a", 1)


TABLE = {"a": [1.0, None, 3.0, 4.0], "b": ["u", "v", None, "u"]}


@pytest.mark.parametrize(
    "make",
    [
        lambda: pa.table(TABLE),
        lambda: pa.RecordBatch.from_pydict(TABLE),
        lambda: pd.DataFrame(TABLE).convert_dtypes(),
        lambda: pd.DataFrame(TABLE).astype({"b": "category"}),
        lambda: TABLE,
        lambda: [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)],
        lambda: np.array([(1.0, "u"), (np.nan, "v"), (3.0, None), (4.0, "u")], dtype=[("a", float), ("b", object)]),
    ],
    ids=["arrow", "batch", "nullable", "category", "mapping", "list", "structured"],
)
def test_every_table_gives_the_same_rows(make):
    """Features mean the same in every container: examples and their values agree."""
    given = {"task_type": "classification", "labels": Y, "predictions": P, "config": QUICK}
    plain = evaluate(**given, data=pd.DataFrame(TABLE)).documents()["failure_examples.json"]
    assert evaluate(**given, data=make()).documents()["failure_examples.json"] == plain


def test_digests_tell_values_apart_and_containers_not():
    """Times, categories and mixed columns enter by what they say, missing values apart."""

    def digest(values, **kind):
        column = pd.Series(values, **kind)
        return evaluate(
            task_type="classification", labels=Y, predictions=P, data=pd.DataFrame({"x": column}), config=QUICK
        ).rows_digest

    times = pd.date_range("2024-01-01", periods=4)
    assert digest(list("abca")) == digest(list("abca"), dtype="category") == digest(list("abca"), dtype="string")
    different = [
        list("abca"),
        list("abcb"),
        ["a", "b", None, "a"],
        [1, True, 1, 1],
        [1, 1, 1, True],
        times,
        times[::-1],
    ]
    assert len({digest(values) for values in different}) == len(different)


def test_two_thousand_columns_are_judged_and_pairs_of_the_first_hundred():
    """Slices, failures and digests of a wide table come whole, and what was left out to bound the time is said."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 3000)
    found = evaluate(
        task_type="classification", labels=y, predictions=1 - y, data=rng.normal(size=(3000, 2000)), config=QUICK
    )
    assert len(found.slices) >= 8000
    assert found.slices_found.notes == (
        "Two-feature slices are of the first 100 of 2,000 features, to bound the time.",
    )
