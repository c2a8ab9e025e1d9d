"""`train`: three models, judged on the same rows, logged only when a project is named."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modellab_jupyter as ml
from evalharness import evaluate
from modellab_jupyter import session
from modellab_jupyter.errors import InputError
from modellab_jupyter.templates import MODELS, Summary, train


def table(n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x, colour = rng.normal(size=n), rng.choice(["red", "green"], n)
    score = x + (colour == "red") + rng.normal(scale=0.4, size=n)
    return pd.DataFrame({"x": x, "colour": colour, "price": score * 10, "sold": np.where(score > 0.5, "yes", "no")})


CLASSES, AMOUNTS = table().drop(columns="price"), table().drop(columns="sold")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Give each test that logs a store of its own."""
    session.reset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MODELLAB_STORE", raising=False)
    ml.configure(store=tmp_path / "modellab.duckdb")
    yield tmp_path
    session.reset()


@pytest.fixture(scope="module")
def sold() -> Summary:
    return train("classification", CLASSES, "sold")


def test_scores_are_those_of_the_harness(sold):
    """Every number of the summary is in the reports, and the differences are paired with the dummy."""
    dummy = sold.models[0].report
    for model in sold.models:
        assert model.test_score == model.report.metrics["accuracy"]
        assert (model.low, model.high) == (
            model.report.intervals["accuracy"].low,
            model.report.intervals["accuracy"].high,
        )
        assert model.report.n == sold.n == 40
    for model in sold.models[1:]:
        row = next(row for row in model.report.compare(dummy).rows if row.metric == "accuracy")
        assert (model.difference, model.difference_low, model.difference_high) == (row.difference, row.low, row.high)
        assert model.evidence == "better"
    assert sold.models[0].evidence == "baseline"


def test_train_scores_are_those_of_the_training_rows(sold):
    """The train score is the metric of the training predictions, without an interval."""
    _, labels = sold.plan.rows_of("train")
    for model in sold.models:
        again = evaluate(
            task_type="classification",
            labels=labels,
            predictions=model.result.train_probabilities,
            classes=sold.plan.classes,
            config={"compute_cis": False},
        )
        assert model.train_score == again.metrics["accuracy"]


def test_the_text_names_every_model_with_score_and_interval(sold):
    """Each model has a line with its scores, intervals and evidence; the last one names the best."""
    lines = str(sold).splitlines()
    for model in sold.models:
        (line,) = [line for line in lines if line.startswith(model.title)]
        assert f"{model.train_score:.3f}" in line
        assert f"{model.test_score:.3f} [{model.low:.3f}, {model.high:.3f}]" in line
        assert line.endswith(model.evidence)
    assert lines[-1] == sold.verdict
    assert lines[-1].startswith(f"Best: {sold.best.title}, accuracy {sold.best.test_score:.3f} [")
    assert "on 40 test rows" in lines[-1]


def test_the_best_has_the_best_score(sold):
    """The direction of the metric decides, and of equal scores the simpler model is the best."""
    by_loss = train("regression", AMOUNTS, "price", metric="mean_absolute_error")
    useless = train("classification", CLASSES.assign(x=0.0, colour=["a", "b"] * 80, more=np.arange(160) % 7), "sold")

    assert sold.best.test_score == max(model.test_score for model in sold.models)
    assert by_loss.best.test_score == min(model.test_score for model in by_loss.models)
    assert by_loss.best.name != "dummy"
    assert all(model.evidence != "better" for model in useless.models)


def test_the_table_has_a_row_for_each_model(sold):
    """What is printed is also a table."""
    assert sold.table["model"].tolist() == list(MODELS)
    assert sold.table["run_id"].isna().all()
    assert sold.table["test_score"].tolist() == [model.test_score for model in sold.models]


@pytest.mark.parametrize(
    "y",
    [
        [0, 1] * 30,
        [True, False] * 30,
        ["a", "b", "c"] * 20,
        [0.5, 1.5] * 30,
        [1, 2, 3, 4, 5, 6] * 10,
        ["a"] * 58 + ["b", "c"],
    ],
)
def test_every_kind_of_class_can_be_judged(y):
    """Labels of any type go through plan, models and harness; what is undefined has its reason."""
    found = train("classification", pd.DataFrame({"x": np.random.default_rng(0).normal(size=60), "y": y}), "y")

    assert all(model.test_score is not None for model in found.models)
    assert all(reason for model in found.models for reason in model.report.undefined.values())


def test_an_undefined_score_is_told():
    """A metric that these test rows cannot give is called undefined, with the reason."""
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=40), "y": ["a"] * 39 + ["b"]})
    found = train("classification", frame, "y", metric="roc_auc")

    assert found.best.test_score is None
    assert "No model can be called best: roc_auc is undefined" in str(found)
    assert all(model.reason for model in found.models)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"metric": "acuracy"}, "metric: 'acuracy' is no score of a binary target; did you mean 'accuracy'"),
        ({"metric": "r2"}, "metric: 'r2' is no score of a binary target"),
        ({"config": {"n_resample": 200}}, "unknown key 'n_resample'; did you mean 'n_resamples'"),
        ({"data": "nowhere.csv"}, "there is no file 'nowhere.csv'"),
        ({"data": [1, 2]}, "a pandas DataFrame is needed, not list"),
        ({"target": "Sold"}, "did you mean 'sold'"),
        ({"task_type": "regression"}, "use task_type='classification'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_logged(store, arguments, sentence):
    """One sentence, and no trace of a run."""
    good = {"task_type": "classification", "data": CLASSES, "target": "sold", "project_id": "p"}
    with pytest.raises(InputError, match=sentence):
        train(**{**good, **arguments})

    assert list(store.iterdir()) == []


def test_nothing_is_written_without_a_project(store):
    """Training alone leaves the folder empty and the global random state as it was."""
    np_state, py_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    found = train("regression", AMOUNTS, "price")

    assert found.project_id is None
    assert list(store.iterdir()) == []
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert random.getstate() == py_state


def test_a_project_holds_three_runs_the_dummy_as_baseline(store):
    """Params, train scores, lineage and evaluation are logged with each run; the random state ends as it began."""
    CLASSES.to_csv(store / "sales.csv", index=False)
    np_state, py_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    found = train("classification", store / "sales.csv", "sold", project_id="shop", seed=3)
    runs = ml.runs.list("shop").set_index("name").loc[list(MODELS)]

    assert runs["run_id"].tolist() == [model.run_id for model in found.models]
    assert runs["baseline"].tolist() == [True, False, False]
    assert set(runs["status"]) == {"finished"}
    assert set(runs["dataset"]) == {"sales"}
    assert runs["params.model"].tolist() == ["DummyClassifier", "LogisticRegression", "XGBClassifier"]
    np.testing.assert_allclose(runs["metrics.accuracy"], [model.test_score for model in found.models])
    np.testing.assert_allclose(runs["metrics.accuracy.low"], [model.low for model in found.models])
    np.testing.assert_allclose(runs["metrics.train_accuracy"], [model.train_score for model in found.models])
    assert (runs["metrics.accuracy.n"] == 40).all()
    assert len(ml.evaluations.list()) == 3
    assert len(ml.projects.datasets("shop")) == 1
    assert "Logged in project 'shop'" in str(found)
    assert ml.runs.get(found.best.run_id).seed == 3
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert random.getstate() == py_state


def test_logged_and_unlogged_scores_are_the_same(store):
    """Logging changes no number."""
    alone, logged = (train("regression", AMOUNTS, "price", project_id=project) for project in (None, "p"))

    pd.testing.assert_frame_equal(alone.table.drop(columns="run_id"), logged.table.drop(columns="run_id"))


def test_a_file_that_only_we_can_read_is_logged_all_the_same(store):
    """A table in Windows-1252 with semicolons has its dataset in the store too."""
    text = CLASSES.assign(colour=["grün", "weiß"] * 80).to_csv(sep=";", decimal=",", index=False)
    (store / "verkäufe.csv").write_bytes(text.encode("cp1252"))
    train("classification", store / "verkäufe.csv", "sold", project_id="shop")

    assert ml.projects.datasets("shop")["name"].tolist() == ["verkäufe"]


def test_importing_templates_loads_nothing_heavy():
    """pandas, scikit-learn, XGBoost and even NumPy wait until they are used."""
    heavy = ["numpy", "pandas", "sklearn", "xgboost", "scipy", "duckdb", "pyarrow", "matplotlib"]
    code = f"import sys, modellab_jupyter.templates; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())

    assert done.stdout.strip() == "[]"


def test_every_stress_test_reaches_every_model():
    """Models answer on rows that were disturbed: noise, missing cells, levels and dates never seen."""
    frame = CLASSES.assign(day=pd.date_range("2024-01-01", periods=160).strftime("%d.%m.%Y"))
    found = train("classification", frame, "sold", config={"run_stress_tests": True, "n_resamples": 100})

    for model in found.models:
        assert {"noise", "missing", "unseen categories"} <= set(model.report.stress["perturbation"])
        assert model.report.stress["error"].isna().all()
        assert model.report.stress["estimate"].notna().all()
