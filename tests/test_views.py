from __future__ import annotations

import json

import numpy as np
import pytest

import modellab_jupyter as ml
from modellab_jupyter import judgement, schema, views

CONFIG = {"n_resamples": 200, "plots": False}


def judged(name, right, *, project="p", baseline=False, rows=60, shift=0):
    """Record a run whose predictions are right on the first `right` of `rows` rows."""
    labels = (np.arange(rows) + shift) % 2
    predictions = np.where(np.arange(rows) < right, labels, 1 - labels)
    with ml.start_run(name, project_id=project, baseline=baseline, params={"right": right}) as run:
        run.evaluate(predictions, labels, config=CONFIG)
    return run


def sections(page):
    """Give the saved sections of a page, those inside of others too."""

    def inside(parts):
        for part in parts:
            yield part
            yield from inside(part.get("sections", ()))

    return list(inside(json.loads(page.to_json()["data"])["sections"]))


def columns(section):
    return {column["name"]: column for column in section.get("columns", ())}


def rows(page, caption):
    """Give the saved rows of a table of a page."""
    found = columns(next(part for part in sections(page) if part.get("caption") == caption))
    lists = {n: [c["levels"][i] for i in c["codes"]] if "codes" in c else c["values"] for n, c in found.items()}
    return [dict(zip(lists, line, strict=True)) for line in zip(*lists.values(), strict=True)]


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


def test_figures_are_handed_out_as_plotlys_own():
    """What a page draws can be restyled or saved as a Plotly figure."""
    judged("base", 30, baseline=True)
    judged("good", 58)

    figure = ml.compare("base", "good").figures()["Paired differences, metrics"]

    assert type(figure).__module__.startswith("plotly")
    assert figure.layout.xaxis.title.text == "difference to the baseline"
    assert "accuracy" in figure.layout.yaxis.ticktext


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
    assert schema.greater_is_better(metric) is better


def test_a_score_on_training_rows_is_never_taken_for_one_on_test_rows():
    """Evaluations of another name stand under that name, whichever came last; the best run is chosen by test."""
    a, b = judged("a", 40), judged("b", 50)
    labels = np.arange(60) % 2
    with ml.start_run(resume=a.id) as run:
        run.evaluate(labels, labels, name="train", config=CONFIG)

    table = ml.runs.list().set_index("name")

    assert table.loc["a", "metrics.accuracy"] == pytest.approx(40 / 60)
    assert table.loc["a", "metrics.train_accuracy"] == 1
    assert ml.projects.stats("p")["best_run"] == b.id
    assert len(views.differences(views.StoreSource().runs(None))) > 0


def test_a_logged_metric_stays_where_the_latest_evaluation_lacks_it():
    """What an earlier evaluation had does not hide what was logged."""
    labels = np.arange(60) % 2
    with ml.start_run("a", project_id="p") as run:
        run.log_metrics({"roc_auc": 0.77})
        run.evaluate(np.linspace(0, 1, 60), labels, config=CONFIG)
        run.evaluate(labels, labels, config=CONFIG)

    assert ml.runs.list()["metrics.roc_auc"].tolist() == [0.77]


def test_records_and_differences_know_evaluated_metrics():
    """get and diff speak of the same metrics as the table, with interval and n."""
    a, b = judged("a", 40), judged("b", 50)
    record = ml.runs.get(a.id)

    assert record.metrics["accuracy"] == pytest.approx(40 / 60)
    assert record.intervals["accuracy"]["low"] < record.metrics["accuracy"] < record.intervals["accuracy"]["high"]
    assert record.intervals["accuracy"]["n"] == 60
    assert "accuracy" in ml.runs.diff(a.id, b.id)["name"].tolist()


def test_a_metric_may_be_named_like_the_end_of_an_interval():
    """A logged "accuracy.low" beside an evaluated accuracy breaks neither the table nor the dashboard."""
    labels = np.arange(60) % 2
    with ml.start_run("a", project_id="p") as run:
        run.log_metrics({"accuracy.low": 0.1, "accuracy.n": 2.0})
        run.evaluate(np.r_[labels[:50], 1 - labels[50:]], labels, config=CONFIG)

    table = ml.runs.list()

    assert table["metrics.accuracy.low (logged)"].tolist() == [0.1]
    assert table["metrics.accuracy.n"].tolist() == [60]
    assert "accuracy" in ml.dashboard("p")._repr_mimebundle_()["text/html"]


def test_features_do_not_hide_what_a_failure_was():
    """Columns of the data named label and row leave the failure's own label and row as they are."""
    import pandas as pd

    labels = np.arange(60) % 2
    data = pd.DataFrame({"label": ["FEATURE"] * 60, "row": np.arange(60) + 1000})
    with ml.start_run("a", project_id="p") as run:
        run.evaluate(np.r_[1 - labels[:5], labels[5:]], labels, data, config=CONFIG)

    shown = [part for part in sections(ml.evaluation("a")) if "feature row" in columns(part)]

    assert len(shown) >= 1
    assert max(row for part in shown for row in columns(part)["row"]["values"]) < 60


def test_the_best_run_is_best_on_the_labels_that_most_runs_share():
    """A run judged on other rows is not the best of those judged on the shared ones."""
    judged("a", 40)
    b = judged("b", 50)
    judged("elsewhere", 39, rows=40)

    assert ml.projects.stats("p")["best_run"] == b.id


def test_the_dashboard_and_lists_star_the_best_on_shared_rows():
    """Other rows, however well they went, have no star; the page says so in words."""
    judged("a", 40)
    b = judged("b", 50)
    judged("elsewhere", 40, rows=40)
    ml.start_run("logged", project_id="p").end()

    bundle = views.dashboard("p").saved()
    data = json.loads(bundle["application/vnd.modellab.v1+json"]["data"])
    project = views.ProjectStore()
    listed = project.runs(project.projects().column("project_id")[0].as_py(), 100).to_pylist()

    assert data["best"]["metrics.accuracy"] == {"runs": [b.id], "among": 2, "others": 1}
    assert "2 of 3 runs" in data["best_note"]
    assert data["best_note"] in bundle["text/html"]
    assert [row["name"] for row in listed if row["best"]] == ["b"]


def test_logged_metrics_are_starred_among_runs_of_the_same_data():
    """A run on another version of the data is not the best of those before it, nor are two versions compared."""
    import pandas as pd

    frame = pd.DataFrame({"x": [1, 2, 3]})
    for name, value, data in (("a", 0.5, frame), ("b", 0.6, frame), ("c", 0.9, frame.assign(x=4))):
        with ml.start_run(name, project_id="p"):
            ml.log_dataset(data, "d")
            ml.log_metrics({"accuracy": value})

    projects, datasets = views.ProjectStore(), views.DatasetStore()
    runs = projects.runs(projects.projects().column("project_id")[0].as_py(), 9)
    used = datasets.runs(datasets.datasets(None).column("dataset_id")[0].as_py())

    for table in (runs, used):
        assert {row["name"]: row["best"] for row in table.to_pylist()} == {"a": False, "b": True, "c": False}


def test_an_evaluation_is_shown_by_name():
    """Of several evaluations the one asked for is shown; a name that is not there is said."""
    labels = np.arange(60) % 2
    with ml.start_run("a", project_id="p") as run:
        run.evaluate(labels, labels, name="test", config=CONFIG)
        run.evaluate(labels, labels, name="train", config=CONFIG)

    assert "a, test" in str(ml.evaluation("a"))
    assert "a, train" in str(ml.evaluation("a", "train"))
    with pytest.raises(ml.NotFoundError, match="was not evaluated as 'valid'"):
        ml.evaluation("a", "valid")


def test_a_dashboard_stays_with_its_store(tmp_path):
    """After the notebook chooses another store an old dashboard shows its own and changes nothing."""
    a = judged("a", 40)
    source = views.StoreSource()
    ml.configure(tmp_path / "other.duckdb")

    assert source.runs(None).column("name").to_pylist() == ["a"]
    with pytest.raises(ml.InputError, match="shows another store"):
        source.act("note", [a.id], {"note": "x"})


def test_acting_on_a_run_that_is_not_there_changes_none():
    """A selection with an unknown run is refused whole."""
    a = judged("a", 40)
    with pytest.raises(ml.NotFoundError):
        views.StoreSource().act("tag", [a.id, "run_nowhere"], {"tag": "seen"})

    assert ml.runs.get(a.id).tags == {}


def test_models_with_other_features_are_paired_on_the_same_rows():
    """Other columns of the same rows do not keep two runs from being compared; other data in the same columns does."""
    import pandas as pd

    labels = np.arange(60) % 2
    tables = {
        "base": pd.DataFrame({"x": np.arange(60.0)}),
        "wide": pd.DataFrame({"x": np.arange(60.0), "z": 1.0 * labels}),
        "moved": pd.DataFrame({"x": np.arange(60.0) + 1}),
    }
    for name, data in tables.items():
        with ml.start_run(name, project_id="p", baseline=name == "base") as run:
            run.evaluate(np.r_[labels[:40], 1 - labels[40:]], labels, data, config=CONFIG)

    found = views.differences(views.StoreSource().runs(None))

    assert set(found["run"]) == {"wide"}


def test_a_model_that_predicts_one_more_class_is_compared_where_that_means_the_same():
    """A class that only one model predicts does not end the comparison with an error."""
    labels = np.array(["a", "b"] * 30)
    for name, wrong in (("base", "b"), ("odd", "c")):
        predictions = labels.copy()
        predictions[:6] = wrong
        with ml.start_run(name, project_id="p", baseline=name == "base") as run:
            run.evaluate(predictions, labels, config=CONFIG)

    assert "accuracy" in views.differences(views.StoreSource().runs(None))["metric"].tolist()


def table(version=1, rows=60):
    """Return customers; a later version is older and has missing incomes."""
    import pandas as pd

    rng = np.random.default_rng(version)
    income = np.where(rng.random(rows) < 0.2 * (version - 1), np.nan, rng.lognormal(10, 1, rows))
    return pd.DataFrame({"age": rng.normal(40 + 12 * version, 5, rows), "income": income, "plan": ["a", "b", "c"] * 20})


def used(name, data, *, project="p", right=40, dataset="customers"):
    """Record a run that used a dataset and was judged."""
    labels = np.arange(60) % 2
    with ml.start_run(name, project_id=project) as run:
        ml.log_dataset(data, dataset, split="train")
        run.evaluate(np.where(np.arange(60) < right, labels, 1 - labels), labels, config=CONFIG)
    return run


def test_datasets_are_told_with_versions_missing_values_and_use():
    """The list has a row for each dataset: versions, missing share of the newest, runs that are not in the trash."""
    used("first", table(1), right=40)
    used("second", table(2), right=50)
    gone = used("gone", table(2), right=50)
    ml.runs.delete(gone.id)
    ml.datasets.add(table(1), "other", project_id="q")
    source = views.DatasetStore()

    found = {row["name"]: row for row in source.datasets(None).to_pylist()}

    assert (found["customers"]["versions"], found["customers"]["version"], found["customers"]["runs"]) == (2, 2, 2)
    assert found["customers"]["missing"] == pytest.approx(table(2).isna().to_numpy().mean())
    assert found["customers"]["last_used"] is not None
    assert (found["other"]["project"], found["other"]["runs"], found["other"]["last_used"]) == ("q", 0, None)
    project = ml.projects.get("p").project_id
    assert source.datasets(project).column("name").to_pylist() == ["customers"]
    assert source.title(project) == "Datasets of p"


def test_a_dataset_knows_its_versions_and_who_used_which():
    """Versions come newest first; each run stands beside the version it used, with its metric, the best marked."""
    used("first", table(1), right=40)
    best = used("second", table(2), right=50)
    source = views.DatasetStore()
    id_ = ml.datasets.get("customers").dataset_id

    versions, runs = source.versions(id_), source.runs(id_).to_pylist()

    assert versions.column("version").to_pylist() == [2, 1]
    assert [(r["name"], r["version"], r["split"], r["metric"]) for r in runs] == [
        ("second", 2, "train", "accuracy"),
        ("first", 1, "train", "accuracy"),
    ]
    assert [r["run_id"] for r in runs if r["best"]] == [best.id]
    assert runs[0]["low"] < runs[0]["value"] < runs[0]["high"]
    assert source.summary(id_, 1).rows == source.preview(id_, 1).num_rows == 60
    changed = {column.column for column in source.drift(id_, 1, 2).changed}
    assert "age" in changed
    assert "plan" not in changed
    with pytest.raises(ml.NotFoundError, match="has no version 9; it has versions 1 to 2"):
        source.summary(id_, 9)


def test_a_damaged_summary_costs_its_own_number_alone(files):
    """The list stands where the kept summary of one dataset cannot be read, and choosing that one says why."""
    from pathlib import Path

    ml.datasets.add(table(1), "broken")
    ml.datasets.add(table(2), "whole")
    digest = ml.datasets.get("broken").versions[0]["summary"]
    (path,) = [name for name in files() if name.endswith(digest[2:])]
    Path(path).write_bytes(b"{}")
    source = views.DatasetStore()

    found = {row["name"]: row["missing"] for row in source.datasets(None).to_pylist()}

    assert found["broken"] is None
    assert found["whole"] is not None
    with pytest.raises(ml.DamagedError):
        source.summary(ml.datasets.get("broken").dataset_id, 1)
    assert "were changed or damaged" in views.dataset_list(live=False).saved()["text/html"]


def test_projects_are_told_with_status_activity_and_best_run():
    """The list has runs by status, what happened when, and the best run with the metric it is best by."""
    used("a", table(1), project="p", right=40)
    best = used("b", table(1), project="p", right=50)
    with pytest.raises(ZeroDivisionError), ml.start_run("broken", project_id="q"):
        1 / 0  # noqa: B018
    source = views.ProjectStore()

    found = {row["name"]: row for row in source.projects().to_pylist()}
    days = source.activity().to_pylist()

    assert (found["p"]["runs"], found["p"]["finished"], found["p"]["failed"], found["p"]["datasets"]) == (2, 2, 0, 1)
    assert (found["p"]["best_run_id"], found["p"]["metric"]) == (best.id, "accuracy")
    assert found["p"]["best_run_id"] == ml.projects.stats("p")["best_run"]
    assert found["p"]["value"] == pytest.approx(50 / 60)
    assert (found["q"]["failed"], found["q"]["best_run"]) == (1, None)
    counted = {d["project_id"]: (d["runs"], d["failed"]) for d in days}
    assert counted == {found["p"]["project_id"]: (2, 0), found["q"]["project_id"]: (1, 1)}
    assert [r["name"] for r in source.runs(found["p"]["project_id"], 1).to_pylist()] == ["b"]
    assert source.dashboard(found["p"]["project_id"]).saved()["text/plain"].startswith("p: 2 runs")


def test_a_list_of_projects_stays_with_its_store(tmp_path):
    """After the notebook chooses another store the old list opens no dashboard of the new one."""
    used("a", table(1))
    source = views.ProjectStore()
    project = ml.projects.get("p").project_id
    ml.configure(tmp_path / "other.duckdb")

    assert source.projects().num_rows == 1
    with pytest.raises(ml.InputError, match="shows another store"):
        source.dashboard(project)


def test_collections_show_themselves_as_lists():
    """`ml.datasets` and `ml.projects` alone in a cell are widgets; what they do stays as it was."""
    used("a", table(1))
    for thing, view in ((ml.datasets, "datasets"), (ml.projects, "projects")):
        bundle = thing._repr_mimebundle_()
        assert bundle["application/vnd.modellab.v1+json"]["view"] == view
        assert len(thing.list()) == 1


def test_lists_of_an_empty_store_say_what_to_do():
    """Before anything was logged each list says how the first one comes."""
    assert "none yet" in ml.datasets._repr_mimebundle_()["text/plain"]
    assert "none yet" in ml.projects._repr_mimebundle_()["text/plain"]


def test_the_metric_of_a_run_is_the_one_that_says_most():
    """ROC-AUC, accuracy or RMSE before others, evaluated before logged, known directions before unknown ones."""
    with ml.start_run("logged", project_id="p"):
        ml.log_metrics({"zeta": 1.0, "my_score": 0.4, "alpha": 2.0})
    used("judged", table(1))
    with ml.start_run("bare", project_id="p"):
        pass

    found = {row["name"]: row for row in views.headlined(views.StoreSource().runs(None)).to_pylist()}

    assert found["logged"]["metric"] == "my_score"
    assert found["judged"]["metric"] == "accuracy"
    assert found["bare"]["metric"] is None
    assert not any(row["best"] for row in found.values())


@pytest.mark.parametrize("order", [(float("nan"), 0.9, 0.8), (0.9, 0.8, float("inf")), (0.8, 0.9, float("nan"))])
def test_the_best_run_is_the_best_of_the_finite_ones(order):
    """A run whose metric is no number, or infinite, hides no other one that is the best."""
    for value in order:
        with ml.start_run(str(value), project_id="p"):
            ml.log_metrics({"accuracy": value})

    found = {row["name"]: row["best"] for row in views.headlined(views.StoreSource().runs(None)).to_pylist()}

    assert found == {str(value): value == 0.9 for value in order}


def test_runs_that_differ_in_nothing_show_nothing_that_differs():
    """Two runs of one script have the same params, data and environment, and the page says so in sentences."""
    import pandas as pd

    data = pd.DataFrame({"x": np.arange(20.0)})
    for name in ("a", "b"):
        with ml.start_run(name, project_id="p", params={"depth": 3}) as run:
            run.log_dataset(data, name="train")

    text = str(ml.compare("a", "b"))

    assert "All params are the same." in text
    assert "All runs used the same data." in text
    assert "packages, platform and git commit are the same" in text


def test_versions_of_data_and_seeds_that_differ_are_shown():
    """The page tells which version each run used, what changed between them, and another seed."""
    import pandas as pd

    rng = np.random.default_rng(0)
    old = pd.DataFrame({"x": rng.normal(size=300), "y": 1.0})
    new = pd.DataFrame({"x": rng.normal(3, 1, size=350), "z": 1.0})
    for name, data, seed in (("a", old, 1), ("b", new, 2)):
        with ml.start_run(name, project_id="p", seed=seed) as run:
            run.log_dataset(data, name="train")

    page = ml.compare("a", "b")
    used = rows(page, "Data that differ")[0]
    text = str(page)

    assert used["run 0"].startswith("version 1, 300 × 2, ")
    assert used["run 1"].startswith("version 2, 350 × 2, ")
    assert "train, version 1 → 2: rows 300 → 350; columns added: z; columns removed: y" in text
    assert "distribution changed in 1 of 1 columns: x" in text
    assert [(r["name"], r["run 0"], r["run 1"]) for r in rows(page, "Environment that differs")] == [("seed", "1", "2")]


def test_packages_that_differ_are_shown(monkeypatch):
    """A package of another version, one that came and one that went, are told from the stored environments."""
    from modellab_jupyter import environment

    content = environment.capture()
    with ml.start_run("a", project_id="p"):
        pass
    other = {name: version for name, version in content["packages"].items() if name != "pandas"}
    monkeypatch.setattr(environment, "capture", lambda: {**content, "packages": {**other, "numpy": "0.1", "new": "1"}})
    with ml.start_run("b", project_id="p"):
        pass

    found = {r["name"]: (r["run 1"], r["change"]) for r in rows(ml.compare("a", "b"), "Environment that differs")}

    assert found == {"numpy": ("0.1", "changed"), "new": ("1", "added"), "pandas": (None, "removed")}


def test_what_came_and_went_is_seen_from_the_baseline(monkeypatch):
    """A package that the baseline has and the other lacks was removed, wherever the baseline stands."""
    from modellab_jupyter import environment

    content = environment.capture()
    lacking = {name: version for name, version in content["packages"].items() if name != "pandas"}
    for name, packages in (("base", content["packages"]), ("other", {**lacking, "new": "1"})):
        monkeypatch.setattr(environment, "capture", lambda packages=packages: {**content, "packages": packages})
        with ml.start_run(name, project_id="p", baseline=name == "base"):
            pass

    for order in (("base", "other"), ("other", "base")):
        found = {r["name"]: r["change"] for r in rows(ml.compare(*order), "Environment that differs")}
        assert found == {"new": "added", "pandas": "removed"}


def test_a_baseline_behind_many_runs_is_drawn_with_the_first():
    """Of more runs than are drawn the baseline is one, and what changed in its data since is told."""
    import pandas as pd

    for i in range(10):
        with ml.start_run(f"r{i}", project_id="p", baseline=i == 9) as run:
            run.log_dataset(pd.DataFrame({"x": np.arange(20.0) + (i == 9)}), name="train")
            for step in range(3):
                run.log_metrics({"loss": float(i)}, step=step)

    page = ml.compare(*(f"r{i}" for i in range(10)))
    text = str(page)

    assert [line.name for line in page.figures()["loss by step"].data] == [*(f"r{i}" for i in range(7)), "r9"]
    assert "Figures and code are of the first 7 runs and the baseline; 2 more are in the tables alone." in text
    assert text.count("train, version 2 → 1") == 1


def test_series_and_curves_of_compared_runs_are_overlaid():
    """Metrics with steps, and curves of probabilities, are in one figure each, with a line for each run."""
    labels = np.arange(80) % 2
    for name, noise in (("a", 0.3), ("b", 0.6)):
        with ml.start_run(name, project_id="p", baseline=name == "a") as run:
            for step in range(5000):
                run.log_metrics({"loss": 9.0 if step == 1234 else 1 / (step + 1)}, step=step)
            run.log_metrics({"once": 1.0})
            p = np.clip(0.2 + 0.6 * labels + noise * np.random.default_rng(0).normal(size=80), 0, 1)
            run.evaluate(p, labels, config=CONFIG)

    page = ml.compare("a", "b")
    drawn = page.figures()

    assert {"ROC curves", "Precision and recall", "Calibration", "loss by step"} <= set(drawn)
    assert "once by step" not in drawn
    for caption in ("ROC curves", "loss by step"):
        assert [t.name for t in drawn[caption].data if t.name in ("a", "b")] == ["a", "b"]
    assert all(max(line.y) == 9 and len(line.y) < 500 for line in drawn["loss by step"].data)
    assert len(page.to_json()["data"]) < 60_000


def shown_kinds(page):
    return {part["kind"] for part in sections(page)}


def test_an_evaluation_of_many_classes_has_a_matrix_and_a_slider_for_each():
    """Each class against the rest counts as NumPy does; rows of the matrix add up to the classes."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 500)
    p = rng.dirichlet(np.ones(4), 500) + 0.5 * np.eye(4)[labels]
    p /= p.sum(axis=1, keepdims=True)
    names = np.array(["a", "b", "c", "d"])
    with ml.start_run("many", project_id="p") as run:
        run.evaluate(p, names[labels], classes=list(names), config=CONFIG)

    page = ml.evaluation("many")
    matrix = next(part for part in sections(page) if part["kind"] == "matrix")
    panel = next(part for part in sections(page) if part["kind"] == "thresholds")

    assert [sum(row) for row in matrix["counts"]] == np.bincount(labels).tolist()
    assert [matrix["counts"][i][i] for i in range(4)] == [
        int(np.sum((labels == i) & (p.argmax(axis=1) == i))) for i in range(4)
    ]
    assert [one["name"] for one in panel["classes"]] == ["a", "b", "c", "d"]
    for c, one in enumerate(panel["classes"]):
        kept = sum(score >= 0.37 for score in one["score"]) - 1
        assert (one["tp"][kept], one["fp"][kept]) == (
            int(np.sum((p[:, c] >= 0.37) & (labels == c))),
            int(np.sum((p[:, c] >= 0.37) & (labels != c))),
        )
    assert rows(page, "By class")[0]["support"] == int(np.sum(labels == 0))


def test_an_evaluation_without_data_says_that_there_are_no_slices():
    """A table of no rows and no columns stays one of no rows: the page is not damaged."""
    judged("bare", 50)
    page = ml.evaluation("bare")
    slices = next(part for part in sections(page) if part.get("caption") == "Slices")
    assert (slices["rows"], slices["columns"], slices["empty"]) == (0, [], "No slices were computed.")
    for form in (page.to_html(), str(page)):
        assert "No slices were computed." in form


def test_weighted_rows_of_two_classes_are_told_as_weights():
    """Counts of a slider are said to be sums of weights, and neither they nor bins have intervals."""
    rng = np.random.default_rng(2)
    labels, weights = rng.integers(0, 2, 300), 0.5 + np.arange(300) % 3
    scores = np.clip(0.3 + 0.4 * labels + 0.2 * rng.standard_normal(300), 0, 1)
    with ml.start_run("weighed", project_id="p") as run:
        run.evaluate(scores, labels, sample_weight=weights, config=CONFIG)
    panel = next(part for part in sections(ml.evaluation("weighed")) if part["kind"] == "thresholds")
    assert (panel["counted"], panel["weighted"], panel["note"]) == (False, True, judgement.WEIGHED)
    assert panel["classes"][0]["tp"][-1] == pytest.approx(weights[labels == 1].sum() / weights.mean(), rel=1e-6)
    assert not {"low", "high"} & set(panel["classes"][0]["calibration"])


def test_very_many_classes_are_shown_by_those_with_the_most_errors():
    """Of 40 classes twelve have a row of their own in the matrix, and no row is lost."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 40, 2000)
    guess = np.where(rng.uniform(size=2000) < 0.7, labels, rng.integers(0, 40, 2000))
    with ml.start_run("many", project_id="p") as run:
        run.evaluate(guess, labels, config=CONFIG)

    page = ml.evaluation("many")
    matrix = next(part for part in sections(page) if part["kind"] == "matrix")

    assert matrix["classes"][-1] == "28 other classes"
    assert sum(map(sum, matrix["counts"])) == 2000
    by_class = next(part for part in sections(page) if part.get("caption") == "By class")
    assert by_class["note"] == "12 of 40 classes are here, those with the most errors."


def test_an_evaluation_of_numbers_shows_predictions_residuals_and_intervals():
    """Predictions against labels, with the largest errors kept of very many rows; no slider, no matrix."""
    rng = np.random.default_rng(3)
    labels = rng.normal(10, 3, 4000)
    guess = labels + rng.normal(0, 1, 4000)
    guess[17] = labels[17] + 40
    with ml.start_run("numbers", project_id="p") as run:
        run.evaluate(guess, labels, config=CONFIG)

    page = ml.evaluation("numbers")
    drawn = page.figures()

    assert {"Predicted against actual", "Residuals", "Error by size of the label"} <= set(drawn)
    dots = next(trace for trace in drawn["Residuals"].data if trace.mode == "markers")
    assert len(dots.y) <= 300
    assert max(dots.y) == pytest.approx(40)
    assert [round(row["level"], 2) for row in rows(page, "Prediction intervals")] == [0.8, 0.9, 0.95]
    assert not shown_kinds(page) & {"thresholds", "matrix"}
    assert "of 4,000 rows are drawn, those with the largest errors among them." in str(page)


def test_errors_of_weighted_numbers_are_weighted():
    """Rows without weight change no mean and no quantile that is drawn, and whole weights count as repeated rows do."""
    rng = np.random.default_rng(5)
    labels = rng.permutation(np.arange(400.0))
    guess = labels + rng.normal(0, 1, 400)
    weights = rng.integers(0, 4, 400)
    weights[0] += (7 - weights.sum()) % 10  # no tenth ends between two rows, where rounding would decide
    wrong = np.where(weights == 0, guess + 50, guess)
    repeated = np.repeat(np.arange(400), weights)
    found = []
    for name, given in {
        "weighted": {"predictions": wrong, "labels": labels, "sample_weight": weights},
        "repeated": {"predictions": guess[repeated], "labels": labels[repeated]},
    }.items():
        with ml.start_run(name, project_id="p") as run:
            run.evaluate(**given, config=CONFIG)
        found.append(judgement.parts(judgement.latest([run.id])[run.id])["errors"])

    weighted, plain = found
    assert [row["label"] for row in weighted["deciles"][1:-1]] == [row["label"] for row in plain["deciles"][1:-1]]
    for mine, other in zip(weighted["deciles"], plain["deciles"], strict=True):
        assert mine["value"] == pytest.approx(other["value"])
    assert max(map(abs, weighted["parts"]["low"] + weighted["parts"]["median"] + weighted["parts"]["high"])) < 10


def test_slices_failures_and_stress_of_an_evaluation_are_shown():
    """Slices with what they show against the rest, failures by rule with their rows, and curves over severity."""
    import pandas as pd

    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=600), "<b>where</b>": rng.choice(["here", "there"], 600)})
    labels = (data["x"] > 0).to_numpy().astype(int)
    wrong = (data["<b>where</b>"] == "there") & (rng.uniform(size=600) < 0.4)

    def predict(frame):
        return np.clip(0.5 + 0.3 * frame["x"].to_numpy(dtype=float), 0, 1)

    p = np.where(wrong, 1 - predict(data), predict(data))
    with ml.start_run("a", project_id="p") as run:
        run.evaluate(p, labels, data, predict=predict, config=CONFIG | {"run_stress_tests": True})

    page = ml.evaluation("a")
    slices = {row["slice"]: row for row in rows(page, "Slices")}
    categories = rows(page, "Failures by category")
    folds = [part["title"] for part in sections(page) if part["kind"] == "fold"]

    assert next(row for name, row in slices.items() if "there" in name)["evidence"] == "worse"
    assert next(row for name, row in slices.items() if "there" in name)["adjusted_estimate"] is not None
    assert sum(row["count"] for row in categories) == int(np.sum((p >= 0.5) != labels))
    assert any(title.startswith(str(categories[0]["category"])) for title in folds)
    assert "Stress: accuracy" in page.figures()
    assert "Stress tests in numbers" in folds
    assert "<b>where" not in page.to_html()


def test_a_metric_without_an_interval_says_why():
    """The table of metrics has the reason beside the number that has no interval."""
    labels = np.arange(60) % 2
    with ml.start_run("a", project_id="p") as run:
        run.evaluate(np.clip(0.3 + 0.4 * labels, 0, 1), labels, config=CONFIG)

    found = {row["metric"]: row for row in rows(ml.evaluation("a"), "Metrics")}

    assert all(row["low"] is not None or row["reason"] for row in found.values())


def test_pages_of_ten_thousand_rows_stay_small():
    """An evaluation of 10,000 rows with 20 columns, and a comparison of two, are below 120 kB each in all forms."""
    import pandas as pd

    rng = np.random.default_rng(5)
    data = pd.DataFrame({f"x{i}": rng.normal(size=10_000) for i in range(16)})
    for i in range(4):
        data[f"c{i}"] = rng.choice(list("abcdef"), 10_000)
    labels = (data["x0"] + rng.normal(size=10_000) > 0.3).to_numpy().astype(int)
    for name, weight in (("a", 1.6), ("b", 0.6)):
        with ml.start_run(name, project_id="p", params={"weight": weight}) as run:
            run.evaluate(1 / (1 + np.exp(-weight * data["x0"].to_numpy())), labels, data, config=CONFIG)

    for page in (ml.evaluation("a"), ml.compare("a", "b")):
        assert len(json.dumps(page._repr_mimebundle_())) < 120_000
