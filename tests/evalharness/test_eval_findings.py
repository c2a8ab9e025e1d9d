"""Results print as tables, travel between processes, and say what they were given."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from evalharness import InputError, compare_data_sets, compare_folds, compare_models, evaluate

QUICK = {"n_resamples": 100}


def models(n=80):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    return {
        name: evaluate(
            task_type="classification", labels=y, predictions=np.clip(0.5 + (y - 0.5) * f + e, 0, 1), config=QUICK
        )
        for name, f, e in (("good", 0.8, 0.1 * rng.random(n)), ("<poor>", 0.0, 0.4 * rng.random(n)))
    }


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_results_can_be_copied_and_pickled(again):
    """Before and after anything was computed, and what comes back is equal and still read-only."""
    both = models()
    fresh = again(both["good"])
    assert fresh == both["good"]
    used = again(both["good"])
    assert used == fresh
    with pytest.raises(TypeError):
        used.metrics["accuracy"] = 1.0
    many = compare_models(both)
    assert again(many).pairs == many.pairs
    assert again(both["good"].compare(both["<poor>"])).rows == both["good"].compare(both["<poor>"]).rows


def test_results_print_as_tables():
    """One line for each metric or pair, short representations, and markup stays text."""
    both = models()
    found = both["good"].compare(both["<poor>"])
    lines = str(found).splitlines()
    assert lines[0] == "paired differences on 80 rows, this report minus the other"
    assert len(lines) == 2 + len(found.rows)
    assert next(line for line in lines if line.startswith("roc_auc")).endswith("better")
    assert next(line for line in lines if line.startswith("expected_calibration_error ")).split()[2] == "none"
    assert repr(found).count("\n") == 0
    many = compare_models({**both, "same": both["good"]}, baseline="<poor>")
    assert str(many).startswith("good against <poor>: paired differences")
    assert "<pre>good against &lt;poor&gt;" in many._repr_html_()
    folds = compare_folds(np.arange(10) / 10, np.arange(10) / 10 + np.tile([0.1, 0.2], 5), folds=10)
    assert str(folds).endswith("over 10 folds: worse")
    scores = pd.DataFrame(np.random.default_rng(0).random((12, 3)) + np.array([0, 0, 2]), columns=["a", "b", "c"])
    sets = compare_data_sets(scores)
    assert str(sets).splitlines()[0].startswith("12 data sets, Friedman p = ")
    assert len(str(sets).splitlines()) == 5


def test_categorical_labels_state_the_order_of_columns():
    """Columns without names cannot be read in another order than the labels state; names or classes= settle it."""
    levels = ["low", "mid", "high"]
    codes = np.arange(60) % 3
    labels, p = pd.Categorical.from_codes(codes, levels, ordered=True), np.eye(3)[codes] * 0.7 + 0.1
    given = {"task_type": "classification", "labels": labels, "config": QUICK}
    with pytest.raises(InputError, match=r"^labels are categorical in the order 'low', 'mid', 'high', while columns"):
        evaluate(**given, predictions=p)
    for more in ({"predictions": pd.DataFrame(p, columns=levels)}, {"predictions": p, "classes": levels}):
        assert evaluate(**given, **more).metrics["accuracy"] == 1
    alphabetical = pd.Categorical.from_codes(codes, sorted(levels))
    assert evaluate(task_type="classification", labels=alphabetical, predictions=p).metrics["accuracy"] == 1


@pytest.mark.parametrize(
    ("answers", "said"),
    [({}, "^predict is an empty mapping"), ({"noise": [1]}, "^predict has the key 'noise'; give pairs such as")],
)
def test_answers_that_name_no_perturbation_are_refused(answers, said):
    with pytest.raises(InputError, match=said):
        evaluate(task_type="classification", labels=[0, 1], predictions=[0, 1], predict=answers)


def test_litter_of_editors_goes_with_an_old_report(tmp_path):
    """Checkpoints of a notebook server are no reason to refuse a folder; anything else is."""
    given = {"task_type": "classification", "labels": [0, 1] * 10, "predictions": [0, 1] * 10}
    given["config"] = QUICK | {"plots": False}
    evaluate(**given, output_dir=tmp_path / "eval")
    (tmp_path / "eval" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "eval" / ".DS_Store").write_bytes(b"x")
    evaluate(**given, output_dir=tmp_path / "eval")
    assert not (tmp_path / "eval" / ".ipynb_checkpoints").exists()
    (tmp_path / "eval" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        evaluate(**given, output_dir=tmp_path / "eval")
    with pytest.raises(InputError, match=r"^output_dir is"):
        evaluate(**given, output_dir="a\0b")
