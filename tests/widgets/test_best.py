"""The best run of a metric, among those that can be compared."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from modellab_jupyter.widgets.best import Best, bests, note

META = {"modellab": json.dumps({"greater_is_better": {"accuracy": True, "train_accuracy": True, "loss": False}})}


def table(**columns):
    """Runs a, b, c, … of the columns given."""
    n = len(next(iter(columns.values())))
    named = {f"metrics.{name.replace('__', '.')}": values for name, values in columns.items()}
    started = pa.array(np.arange(n), pa.timestamp("us", "UTC"))
    return pa.table({"run_id": list("abcdefgh"[:n]), "started_at": started, **named}).replace_schema_metadata(META)


def judged(*rows):
    schema = pa.schema([(name, pa.string()) for name in ("run_id", "name", "rows")])
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


def test_without_knowledge_of_rows_the_best_of_all_runs_is_marked():
    """The highest of a score and the lowest of a loss; what is missing or infinite is neither."""
    accuracy, loss = [0.5, None, 0.9, float("nan")], [2.0, 1.0, float("-inf"), None]
    found = bests(table(accuracy=accuracy, loss=loss, other=[1, 2, 3, 4]))
    assert found == {"metrics.accuracy": Best(("c",), 2, 0), "metrics.loss": Best(("b",), 2, 0)}
    assert note(found) == ""


def test_runs_judged_on_other_rows_are_not_compared():
    """The star is for the best on the rows that most runs share, however high another scored on other rows."""
    runs = table(accuracy=[0.5, 0.6, 0.99], accuracy__n=[60, 60, 40])
    found = bests(runs, judged(("a", "test", "x"), ("b", "test", "x"), ("c", "test", "y")))
    assert found == {"metrics.accuracy": Best(("b",), 2, 1)}
    assert note(found) == "★ is the best of the runs whose figures are of the same rows: 2 of 3 runs."


def test_of_equally_many_the_rows_of_the_latest_run_count():
    """Where two sets of rows were judged as often, the newer one is the one that is worked on."""
    runs = table(accuracy=[0.9, 0.8, 0.5, 0.6], accuracy__n=[9, 9, 9, 9])
    found = bests(runs, judged(("a", "test", "x"), ("b", "test", "x"), ("c", "test", "y"), ("d", "test", "y")))
    assert found == {"metrics.accuracy": Best(("d",), 2, 2)}


def test_without_two_comparable_runs_there_is_no_best_and_a_word_why():
    """Two runs on different rows: neither is the better one."""
    found = bests(table(accuracy=[0.5, 0.6], accuracy__n=[60, 40]), judged(("a", "test", "x"), ("b", "test", "y")))
    assert found == {"metrics.accuracy": Best((), 1, 1)}
    assert note(found) == "No run is the best by accuracy: no two figures are of the same rows."


def test_each_column_asks_for_the_rows_of_its_own_evaluation():
    """Runs that share their training rows and no test rows have a best by the former alone."""
    runs = table(accuracy=[0.5, 0.6], accuracy__n=[60, 40], train_accuracy=[0.8, 0.7], train_accuracy__n=[90, 90])
    rows = [("a", "test", "x"), ("b", "test", "y"), ("a", "train", "z"), ("b", "train", "z")]
    assert bests(runs, judged(*rows)) == {
        "metrics.accuracy": Best((), 1, 1),
        "metrics.train_accuracy": Best(("a",), 2, 0),
    }


def test_logged_figures_are_compared_where_the_same_data_were_used():
    """What was logged is of the data of its run: of other versions, or of none that is known, it is of other rows."""
    runs = table(accuracy=[0.5, 0.6, 0.9, 0.95])
    found = bests(runs, judged(("a", None, "v1"), ("b", None, "v1"), ("c", None, "v2")))
    assert found == {"metrics.accuracy": Best(("b",), 2, 2)}


def test_a_logged_figure_is_not_of_the_rows_that_another_was_judged_on():
    """One column may hold both; they are never compared, whatever the texts that name rows and data."""
    runs = table(accuracy=[0.5, 0.6, 0.9], accuracy__n=[60, 60, None])
    rows = [("a", "test", "x"), ("b", "test", "x"), ("c", None, "x")]
    assert bests(runs, judged(*rows)) == {"metrics.accuracy": Best(("b",), 2, 1)}


def test_all_that_share_the_best_value_are_marked():
    """A tie has no winner; and where nearly all are alike nobody is marked."""
    assert bests(table(accuracy=[0.9, 0.9, 0.5]))["metrics.accuracy"].runs == ("a", "b")
    same = pa.table({"run_id": [f"r{i}" for i in range(500)], "metrics.accuracy": [1.0] * 500})
    assert bests(same.replace_schema_metadata(META))["metrics.accuracy"].runs == ()


@pytest.mark.parametrize("names", [["metric"], [f"metric {i}" * 40 for i in range(9)]])
def test_the_word_why_stays_short(names):
    """However many metrics there are, and however long their names."""
    assert len(note({f"metrics.{name}": Best(("a",), 2, 1) for name in names})) < 300
