"""Resampling cells in place of rows changes no estimate, and no limit by more than chance does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness import evaluate, intervals
from evalharness.cells import CellBatch, Condensed, batches
from evalharness.metrics import wanted
from evalharness.resample import Plan


def drawn(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "regression":
        y = rng.standard_t(4, n) * 3 + 10
        return {"task_type": "regression", "labels": y, "predictions": y + rng.standard_t(4, n) * 0.5}
    if kind == "classes":
        p = rng.dirichlet(np.ones(4), n)
        return {
            "task_type": "classification",
            "labels": (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1).clip(0, 3),
            "predictions": p,
        }
    p = {
        "scores": lambda: rng.beta(2, 3, n),
        "ties": lambda: np.round(rng.beta(2, 3, n), 1),
        "rare": lambda: rng.beta(0.2, 30, n),
    }[kind]()
    given = {"task_type": "classification", "labels": rng.random(n) < p, "predictions": p, "classes": [False, True]}
    return given | {"threshold": 0.05 if kind == "rare" else 0.5}


def judged(**given):
    return evaluate(**given, config={"compute_cis": False})


@pytest.mark.parametrize("kind", ["scores", "ties", "rare", "classes", "regression"])
def test_cells_as_large_as_they_are_give_the_estimates(kind):
    """Every cell drawn as often as it has rows is the sample itself, in each metric."""
    report = judged(**drawn(kind, 3000))
    part = Condensed(report.sample, 64, 16)
    key = part.key.copy()
    key[part.heavy] = -1 - np.arange(part.heavy.sum())
    _, first, cell, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    part.settle(cell, first, size)
    batch = CellBatch(part, size[None, :].astype(float), {})
    assert len(size) < 1500
    for spec in wanted(report.sample):
        if spec.interval in ("bootstrap", "proportion"):
            value, expected = spec.compute(batch)[0], report.metrics[spec.name]
            assert np.isnan(value) if expected is None else value == pytest.approx(expected, abs=1e-9), spec.name


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 30)), min_size=8, max_size=60))
def test_areas_from_ranges_are_exact(rows):
    """However rows are cut into ranges, pairs within and between them are counted exactly."""
    y, p = np.array(rows).T
    if len(set(y.tolist())) < 2:
        return
    report = judged(task_type="classification", labels=y, predictions=p / 31, classes=[0, 1])
    part = Condensed(report.sample, 3, 1)
    _, first, cell, size = np.unique(part.key, return_index=True, return_inverse=True, return_counts=True)
    part.settle(cell, first, size)
    batch = CellBatch(part, size[None, :].astype(float), {})
    assert batch.ranked(1).auc[0] == pytest.approx(report.metrics["roc_auc"], abs=1e-12)
    assert batch.ranked(1).average_precision[0] == pytest.approx(report.metrics["average_precision"], abs=1e-12)


@pytest.mark.parametrize("kind", ["scores", "ties", "rare", "classes", "regression"])
def test_limits_agree_with_those_of_rows(kind, monkeypatch):
    """Means and spreads of 4,000 replicates differ by less than five standard errors, limits by little."""
    sample = judged(**drawn(kind, 2500, 1)).sample
    plan = Plan(sample.n, 4000, 3)
    rows = intervals.replicate(sample, plan).resampled
    monkeypatch.setattr(intervals, "LARGE", 0)
    cells = intervals.replicate(sample, plan).resampled
    assert rows.keys() == cells.keys()
    for name in rows:
        a, b = rows[name][~np.isnan(rows[name])], cells[name][~np.isnan(cells[name])]
        if len(a) < 0.95 * plan.n_resamples:
            continue
        spread = a.std()
        assert abs(a.mean() - b.mean()) < 5 * spread * np.sqrt(2 / len(a)), name
        tails = max(1.0, np.mean(((a - a.mean()) / spread) ** 4) / 3)
        assert abs(b.std() / spread - 1) < 5 * np.sqrt(tails / len(a)), name
        ends = np.quantile(a, [0.025, 0.975]), np.quantile(b, [0.025, 0.975])
        assert np.abs(ends[0] - ends[1]).max() < 0.3 * spread, name


@pytest.mark.parametrize(
    ("kind", "apart"), [("scores", 0.03), ("scores", 1e-3), ("ties", 0.03), ("classes", 0.1), ("regression", 0.05)]
)
def test_models_share_their_cells(kind, apart, monkeypatch):
    """The spread of a paired difference is that of rows, far below that of two models drawn apart."""
    given = drawn(kind, 2500, 2)
    one = judged(**given).sample
    rng = np.random.default_rng(5)
    if kind == "regression":
        other = given["predictions"] + rng.normal(0, apart, 2500)
    elif kind == "classes":
        other = (1 - apart) * given["predictions"] + apart * rng.dirichlet(np.ones(4), 2500)
    else:
        other = np.clip(given["predictions"] + rng.normal(0, apart, 2500), 0, 1)
    two = judged(**(given | {"predictions": other})).sample
    plan = Plan(2500, 3000, 3)
    rows = intervals.together(one, two, plan)
    monkeypatch.setattr("evalharness.cells.LINEAR", 500)
    monkeypatch.setattr(intervals, "LARGE", 0)
    cells = intervals.together(one, two, plan)
    for name in rows[0].resampled:
        a, b = (found[0].resampled[name] - found[1].resampled[name] for found in (rows, cells))
        alone = np.hypot(*(found.resampled[name].std() for found in rows))
        assert b.std() == pytest.approx(a.std(), rel=0.12), name
        assert abs(a.mean() - b.mean()) < 5 * a.std() * np.sqrt(2 / 3000), name
        assert b.std() < 0.6 * alone, name


def test_a_model_beside_itself_never_differs():
    sample = judged(**drawn("scores", 2500)).sample
    for one, other in batches((sample, sample), Plan(2500, 200, 0)):
        assert np.array_equal(one.confusion, other.confusion)
        assert np.array_equal(one.ranked(1).auc, other.ranked(1).auc)
        assert np.allclose(one.mean("log_loss"), other.mean("log_loss"), rtol=1e-12)


def test_large_samples_are_gathered_and_small_or_grouped_ones_are_not():
    given = drawn("scores", 60_000)
    for more, expected in (
        ({}, True),
        ({"groups": np.arange(60_000) % 50}, False),
        ({"sample_weight": np.arange(60_000) + 1}, False),
    ):
        sample = judged(**given, **more).sample
        assert intervals.gathered(sample, Plan(60_000, 100, 0, sample.groups)) is expected
    few = judged(**drawn("scores", 1000)).sample
    assert not intervals.gathered(few, Plan(1000, 100, 0))


def test_large_samples_give_equal_reports_twice():
    given = drawn("regression", 51_000)
    one, other = (evaluate(**given, config={"n_resamples": 100}) for _ in range(2))
    assert one == other
    assert one.intervals["mean_absolute_error"].method == "percentile"
    assert one.intervals["r2"].contains(one.metrics["r2"])
    assert one.compare(other).evidence("r2") == "no evidence of a difference"
