from __future__ import annotations

import json

import numpy as np
import pytest

import modellab_jupyter as ml
from modellab_jupyter import views

CONFIG = {"n_resamples": 200, "plots": False}


def judged(name, right, *, project="p", baseline=False, rows=60, shift=0):
    """Record a run whose predictions are right on the first `right` of `rows` rows."""
    labels = (np.arange(rows) + shift) % 2
    predictions = np.where(np.arange(rows) < right, labels, 1 - labels)
    with ml.start_run(name, project_id=project, baseline=baseline, params={"right": right}) as run:
        run.evaluate(predictions, labels, config=CONFIG)
    return run


def test_differences_are_those_of_the_harness_and_corrected_together():
    """Every run is compared with the baseline on the same rows; q-values are over all runs and metrics."""
    from evalharness import adjusted

    base = judged("base", 30, baseline=True)
    good, same = judged("good", 58), judged("same", 30)
    table = views.differences(views.StoreSource().runs(None).take([2, 1, 0]))

    accuracy = table[table["metric"] == "accuracy"].set_index("run")

    assert accuracy.loc["good", "difference"] == pytest.approx(28 / 60)
    assert accuracy.loc["good", "evidence"] == "better"
    assert accuracy.loc["same", "difference"] == 0
    assert accuracy.loc["same", "evidence"] == "no evidence of a difference"
    expected = adjusted([None if np.isnan(p) else p for p in table["p_value"]])
    assert [q for q in table["q_value"] if not np.isnan(q)] == [q for q in expected if q is not None]
    assert {base.id, good.id, same.id} == set(ml.runs.list()["run_id"])


def test_runs_judged_on_other_rows_are_not_paired():
    """Where the labels differ no difference is made up."""
    judged("base", 30, baseline=True)
    judged("other", 50, shift=1)
    judged("shorter", 30, rows=40)

    assert len(views.differences(views.StoreSource().runs(None))) == 0
    assert "not evaluated on the same rows" in str(ml.compare("base", "other"))


def test_compare_needs_two_different_runs():
    """One run, or the same twice, is refused in one sentence."""
    run = judged("one", 30)
    with pytest.raises(ml.InputError, match="at least two different ones, found 1"):
        ml.compare("one", run.id)


def test_compare_leads_with_the_baseline_whatever_the_order():
    """The run that is marked as baseline is the one that others are compared with."""
    judged("base", 30, baseline=True)
    judged("good", 58)

    for order in (("base", "good"), ("good", "base")):
        text = str(ml.compare(*order))
        assert "0 worse" in text
        assert " 0 better" not in text


def test_the_source_speaks_of_the_project_alone():
    """A dashboard's project has its own runs and statistics; without one it has all."""
    judged("a", 30, project="one")
    judged("b", 30, project="two")
    source = views.StoreSource()
    one = ml.projects.get("one").project_id

    assert source.runs(one).column("name").to_pylist() == ["a"]
    assert source.project(one)["runs"] == 1
    assert source.project(None)["runs"] == 2
    better = json.loads(source.runs(one).schema.metadata[b"modellab"])["greater_is_better"]
    assert better["accuracy"] is True
    assert "accuracy.low" not in better


def test_changes_differ_exactly_when_something_was_logged():
    """The token that polls compare stays while nothing happens and moves with every record."""
    source = views.StoreSource()
    before = source.changes(None)
    assert source.changes(None) == before

    with ml.start_run("x"):
        first = source.changes(None)
        ml.log_metrics({"loss": 1.0})
        second = source.changes(None)

    assert len({before, first, second, source.changes(None)}) == 4


def test_acting_on_a_selection():
    """Tag, note, trash and compare do to the runs what their names say; anything else is refused."""
    a, b = judged("a", 30), judged("b", 50)
    source = views.StoreSource()

    source.act("tag", [a.id, b.id], {"tag": "seen"})
    source.act("note", [a.id], {"note": "look again"})
    page = source.act("compare", [a.id, b.id], {})
    source.act("trash", [b.id], {})

    assert ml.runs.get(a.id).tags == {"seen": None}
    assert ml.runs.get(a.id).note == "look again"
    assert "Comparison of a and b" in str(page)
    assert ml.runs.list()["run_id"].tolist() == [a.id]
    with pytest.raises(ml.InputError, match="cannot be asked 'drop'"):
        source.act("drop", [a.id], {})


def test_an_evaluation_that_is_not_there_says_what_to_do():
    """A run without evaluation is named, with the call that makes one."""
    with ml.start_run("bare"):
        pass
    with pytest.raises(ml.NotFoundError, match="was not evaluated"):
        ml.evaluation("bare")


def test_an_evaluation_shows_its_takeaway_and_each_metric():
    """The page has the five sentences and every metric with its number of rows."""
    judged("a", 50)
    text = ml.evaluation("a").to_html()

    record = ml.evaluations.get(ml.evaluations.list()["evaluation_id"].iloc[0])
    assert all(row["metric"] in text for row in record.estimates)
    assert "60" in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a" * 10_000, "\u202eevil"]
)
def test_hostile_names_are_text_in_every_view(name):
    """Markup in names reaches no output as markup."""
    judged(name, 30, baseline=True)
    judged("b", 50)

    for shown in (ml.dashboard("p"), ml.compare(name, "b"), ml.evaluation(name)):
        bundle = shown._repr_mimebundle_()
        assert "<script>alert" not in bundle["text/html"]
        assert "<img src=x" not in bundle["text/html"]
        json.dumps(bundle["application/vnd.modellab.v1+json"], allow_nan=False)


@pytest.mark.parametrize(
    ("metric", "better"),
    [("accuracy", True), ("val_accuracy", True), ("train_loss", False), ("rmse", False), ("lr", None)],
)  # fmt: skip
def test_what_is_better_is_known_by_name_or_unknown(metric, better):
    """Metrics of the harness, losses and scores have a direction; other names have none."""
    assert views.greater_is_better(metric) is better
