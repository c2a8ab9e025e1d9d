"""Resamples keep the size of strata where that was decided, and intervals know it."""

import numpy as np
import pytest

from evalharness import InputError, evaluate
from evalharness.evaluators import Report


def drawn(seed=0, n=200, apart=2.0):
    """Half positives by design, scores a distance apart."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], n // 2)
    return {"labels": y, "predictions": 1 / (1 + np.exp(-(apart * (y - 0.5) + rng.normal(size=n))))}


def test_true_takes_the_labels():
    given = drawn() | {"task_type": "classification", "config": {"n_resamples": 200}}
    by_label = evaluate(**given, stratify=True)
    assert by_label == evaluate(**given, stratify=given["labels"].astype(str))
    assert by_label.notes[-3:] == evaluate(**given, stratify=True).notes[-3:]
    assert "Resamples keep the size of each of 2 strata." in by_label.notes
    assert by_label.intervals["accuracy"].method == "percentile"


def test_strata_that_explain_the_errors_narrow_the_interval():
    """The mean of two groups of known size varies only within them: half-widths are in the ratio of the spreads."""
    rng = np.random.default_rng(1)
    part = np.repeat([0, 1], 300)
    errors = np.where(part == 1, 10.0, 0.0) + rng.normal(size=600)
    given = {"task_type": "regression", "labels": np.zeros(600), "predictions": errors, "config": {"n_resamples": 2000}}
    free, kept = (evaluate(**given, **more).intervals["mean_bias_error"] for more in ({}, {"stratify": part}))
    within = np.sqrt(np.mean([errors[part == p].var() for p in (0, 1)]))
    assert (kept.high - kept.low) / (free.high - free.low) == pytest.approx(within / errors.std(), rel=0.1)


def test_intervals_of_a_design_by_class_cover():
    """With as many of each class by decision, accuracy varies less than Wilson's interval knows, and is held."""
    hits = {"accuracy": 0, "roc_auc": 0}
    truth = evaluate(task_type="classification", **drawn(99, 400_000), config={"compute_cis": False}).metrics
    for seed in range(120):
        report = evaluate(
            task_type="classification", **drawn(seed), stratify=True, seed=seed, config={"n_resamples": 300}
        )
        for name in hits:
            hits[name] += report.intervals[name].contains(truth[name])
    assert all(105 <= count <= 119 for count in hits.values()), hits


def test_groups_lie_within_strata():
    given = drawn() | {"task_type": "classification"}
    groups, strata = np.arange(200) // 5, np.arange(200) // 50
    report = evaluate(**given, groups=groups, stratify=strata, config={"n_resamples": 100})
    for weights in report.plan.draws():
        for stratum in range(4):
            assert set(weights[:, strata == stratum].sum(axis=1)) == {50}
    split = strata.copy()
    split[52] = 0
    with pytest.raises(InputError, match=r"^stratify parts a group: row 52 lies in another stratum than the first"):
        evaluate(**given, groups=groups, stratify=split)


def test_reports_with_strata_come_back():
    given = drawn() | {"task_type": "classification", "config": {"n_resamples": 100}, "stratify": True}
    report = evaluate(**given)
    assert Report.from_predictions(report.predictions_frame(), report.settings) == report
    other = evaluate(**(given | {"predictions": given["predictions"] ** 2}))
    rows = {row.metric: row for row in report.compare(other).rows}
    assert rows["accuracy"].method == rows["f1"].method == "paired percentile"


@pytest.mark.parametrize(
    ("stratify", "said"),
    [
        (np.arange(200), "one row .or group. in every stratum"),
        ([0] * 199 + [None], "stratify is missing in 1 row .first: row 199."),
        ([0, 1], "stratify has 2 rows but labels has 200"),
        ("label", "stratify is a str"),
    ],
)
def test_strata_that_cannot_be_are_refused(stratify, said):
    with pytest.raises(InputError, match=said):
        evaluate(task_type="classification", **drawn(), stratify=stratify)


def test_numbers_have_no_strata_of_their_own():
    with pytest.raises(InputError, match=r"^stratify is True with task_type='regression'"):
        evaluate(task_type="regression", labels=[1.0, 2.0], predictions=[1.0, 2.0], stratify=True)


def test_rows_of_weight_zero_are_no_rows():
    """What they hold changes nothing, and a note says that they were left out."""
    rng = np.random.default_rng(3)
    y, p, w = rng.integers(0, 2, 90), rng.random(90), rng.random(90)
    w[::3] = 0
    kept = w > 0
    data = np.column_stack([rng.normal(size=90), y])
    given = {"task_type": "classification", "config": {"n_resamples": 100}}
    found = evaluate(labels=y, predictions=p, sample_weight=w, data=data, **given)
    alone = evaluate(labels=y[kept], predictions=p[kept], sample_weight=w[kept], data=data[kept], **given)
    assert found.metrics == alone.metrics
    assert found.intervals == alone.intervals
    assert found.n == alone.n == 60
    assert "30 rows of 90 with sample_weight 0 were left out." in found.notes
    assert found.predictions_frame()["row"].tolist() == np.flatnonzero(kept).tolist()
