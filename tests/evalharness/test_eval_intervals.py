"""Intervals cover, are shared, and are withheld with a reason where they would mislead."""

import numpy as np
import pytest

from evalharness import METRICS, evaluate
from evalharness.intervals import SMALL, bca, percentile, squares
from evalharness.paired import mcnemar, score


def coverage(truth, draw, runs, names, **given):
    """Share of runs in which the interval of each metric holds the true value."""
    hits = dict.fromkeys(names, 0)
    for run in range(runs):
        labels, predictions = draw(np.random.default_rng(run))
        report = evaluate(
            labels=labels,
            predictions=predictions,
            config={"n_resamples": 300, "max_slice_features": 0},
            seed=run,
            **given,
        )
        for name in names:
            hits[name] += report.intervals[name].contains(truth[name])
    return {name: count / runs for name, count in hits.items()}


def calibrated(n):
    def draw(rng):
        p = rng.beta(2, 3, n)
        return rng.random(n) < p, p

    return draw


@pytest.fixture(scope="module")
def truth():
    """Values of a calibrated model on half a million rows."""
    labels, p = calibrated(500_000)(np.random.default_rng(99))
    return dict(
        evaluate(task_type="classification", labels=labels, predictions=p, config={"compute_cis": False}).metrics
    ) | {"debiased_calibration_error": 0.0}


@pytest.mark.parametrize(("n", "least"), [(100, 0.88), (400, 0.90)])
def test_intervals_of_a_classifier_cover(truth, n, least):
    """Nominal 95 % intervals cover about 95 %; bounds leave room for 200 runs (standard error 1.5 points)."""
    names = [
        "accuracy",
        "balanced_accuracy",
        "f1",
        "matthews_corrcoef",
        "roc_auc",
        "average_precision",
        "log_loss",
        "brier_score",
        "debiased_calibration_error",
    ]
    found = coverage(truth, calibrated(n), 200, names, task_type="classification")
    assert all(share >= least for share in found.values()), found
    assert all(share <= 0.995 for name, share in found.items() if name != "debiased_calibration_error"), found


def test_intervals_of_a_regression_cover():
    def draw(rng):
        y = rng.normal(size=150)
        return y, y + rng.normal(size=150) * 0.5

    # E: 0.25 = var of error; |error| mean 0.5 sqrt(2/pi); r2 = 1 - 0.25; median |error| = 0.5 * 0.67449
    true = {
        "root_mean_squared_error": 0.5,
        "mean_absolute_error": 0.5 * np.sqrt(2 / np.pi),
        "r2": 0.75,
        "mean_bias_error": 0.0,
        "median_absolute_error": 0.5 * 0.674490,
    }
    found = coverage(true, draw, 200, list(true), task_type="regression")
    assert all(0.89 <= share <= 0.99 for share in found.values()), found


def test_cluster_bootstrap_covers_where_rows_do_not():
    """Forty users whose rows are right or wrong together need intervals of groups."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 10)
    by_row = by_group = 0
    for seed in range(100):
        skill = rng.random(40) < 0.7
        labels, guess = np.zeros(400, dtype=int), np.repeat(~skill, 10).astype(int)
        given = {
            "task_type": "classification",
            "labels": labels,
            "predictions": guess,
            "seed": seed,
            "config": {"n_resamples": 300},
        }
        by_row += evaluate(**given).intervals["accuracy"].contains(0.7)
        by_group += evaluate(**given, groups=groups).intervals["accuracy"].contains(0.7)
    assert by_row < 60
    assert by_group >= 87


def test_small_samples_get_bca_and_large_ones_percentiles():
    rng = np.random.default_rng(0)
    for n, method in ((SMALL, "bca"), (SMALL + 1, "percentile")):
        p = rng.random(n)
        report = evaluate(
            task_type="classification", labels=rng.random(n) < p, predictions=p, config={"n_resamples": 200}
        )
        assert report.intervals["roc_auc"].method == method
        assert report.intervals["accuracy"].method == "wilson"


def test_more_than_five_percent_undefined_resamples_leave_no_interval():
    """With one row of a class in 60 a resample lacks it in 37 % of cases."""
    y = [2] + [0, 1] * 29 + [0]
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 60)
    found = evaluate(task_type="classification", labels=y, predictions=p).intervals["roc_auc_ovr_weighted"]
    assert found.low is None
    assert 250 < found.undefined_resamples < 500
    assert found.reason == f"the metric is undefined on {found.undefined_resamples} of 1,000 resamples, more than 5%"


@pytest.mark.parametrize("classes", [2, 3])
def test_a_rare_class_leaves_rankings_without_an_interval(classes):
    """Four rows of a class cannot show how areas over it vary, whoever ranks them; five can."""
    rng = np.random.default_rng(0)
    names = {2: ("roc_auc", "average_precision"), 3: ("roc_auc_ovr", "roc_auc_ovo")}[classes]
    for count in (4, 5):
        y = np.r_[np.full(count, classes - 1), np.arange(300) % (classes - 1)]
        one, other = (
            evaluate(task_type="classification", labels=y, predictions=rng.dirichlet(np.ones(classes), len(y)))
            for _ in range(2)
        )
        rows = {row.metric: row for row in one.compare(other).rows}
        for name in names:
            reason = f"only 4 rows are labelled {classes - 1}; an interval needs 5" if count == 4 else None
            assert one.metrics[name] is not None
            assert one.intervals[name].reason == rows[name].reason == reason
            assert (rows[name].p_value is None) == (count == 4)


def test_perfect_score_has_an_honest_interval_or_a_reason():
    y = np.arange(50) % 2
    report = evaluate(task_type="classification", labels=y, predictions=y)
    assert (report.intervals["accuracy"].low, report.intervals["accuracy"].high) == (
        pytest.approx(0.9287, abs=1e-4),
        1.0,
    )
    assert (
        report.intervals["f1"].reason
        == "all 1,000 resamples give the same value, so they cannot show how far off it may be"
    )


@pytest.mark.parametrize("grouped", [False, True])
def test_few_rows_or_groups_leave_no_interval_by_resampling(grouped):
    """Nine units are too few, ten are enough; shares keep the interval of their (effective) rows."""
    rng = np.random.default_rng(0)
    for units in (2, 9, 10):
        n, what = (4 * units, "groups") if grouped else (units, "rows")
        groups = np.arange(n) % units if grouped else None
        y = rng.normal(size=n)
        report = evaluate(task_type="regression", labels=y, predictions=y + rng.normal(size=n), groups=groups)
        found = report.intervals["mean_absolute_error"]
        assert found.reason == (f"only {units} {what}; an interval by resampling needs 10" if units < 10 else None)
        labels, guess = np.arange(n) % 2, rng.integers(0, 2, n)
        share = evaluate(task_type="classification", labels=labels, predictions=guess, groups=groups)
        assert share.intervals["accuracy"].low is not None


@pytest.mark.parametrize("metric", ["balanced_accuracy", "explained_variance"])
def test_an_interval_without_width_is_none(metric):
    """Resamples that agree but for a few, or but for rounding, cannot show how far off a value may be."""
    if metric == "balanced_accuracy":  # .5 on every resample with both classes, 1 on the few without
        given = {"task_type": "classification", "labels": [1] * 5 + [0] * 95, "predictions": [0] * 100}
    else:
        y = np.random.default_rng(0).normal(size=50)
        given = {"task_type": "regression", "labels": y, "predictions": np.full(50, 0.3)}
    found = evaluate(**given).intervals[metric]
    assert found.low is None
    assert "resamples give the same value" in found.reason


def test_perfect_score_of_groups_counts_groups():
    y = np.arange(50) % 2
    found = evaluate(task_type="classification", labels=y, predictions=y, groups=np.arange(50) // 10).intervals[
        "accuracy"
    ]
    assert found.method == "wilson, effective rows"
    assert found.low == pytest.approx(5 / (5 + 1.959964**2), abs=1e-5)


def test_off_switch_gives_reasons():
    report = evaluate(task_type="regression", labels=[1, 2, 4], predictions=[1, 3, 3], config={"compute_cis": False})
    assert {i.reason for i in report.intervals.values()} == {"compute_cis was off"}


def test_max_error_has_no_interval():
    report = evaluate(task_type="regression", labels=np.arange(30), predictions=np.arange(30) ** 1.1)
    assert report.intervals["max_error"].reason == METRICS["max_error"].no_interval


def test_higher_confidence_is_wider():
    rng = np.random.default_rng(1)
    y = rng.normal(size=200)
    p = y + rng.normal(size=200)
    wide, narrow = (
        evaluate(task_type="regression", labels=y, predictions=p, config={"confidence_level": c}) for c in (0.99, 0.9)
    )
    for name in ("r2", "mean_absolute_error", "median_absolute_error"):
        a, b = wide.intervals[name], narrow.intervals[name]
        assert a.low < b.low < b.high < a.high


# Paired shares ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "first", "second"), [(30, 0.1, 0.1), (50, 0.25, 0.05), (200, 0.02, 0.02), (40, 0.5, 0.02), (60, 0.3, 0.3)]
)
def test_score_interval_covers_and_agrees_with_its_test(n, first, second):
    """It holds the true difference in 95 % of 1,000 samples (standard error .7), and 0 exactly where p is above .05."""
    drawn = np.random.default_rng(0).multinomial(n, [first, second, 1 - first - second], 1000)
    found = {tuple(row): score(int(row[0]), int(row[1]), n, 0.95) for row in drawn}
    held = [found[tuple(row)].low <= first - second <= found[tuple(row)].high for row in drawn]
    assert 0.92 <= np.mean(held) <= 0.985
    for (b, c, _), test in found.items():
        assert test.low <= (b - c) / n <= test.high
        assert (test.p_value <= 0.05) == (test.low > 0 or test.high < 0)
        turned = score(int(c), int(b), n, 0.95)
        assert (turned.low, turned.high) == (pytest.approx(-test.high), pytest.approx(-test.low))


def test_score_interval_without_discordant_rows_is_wilsons():
    """Nothing seen in 50 rows: either end is that of Wilson's interval for 0 of 50; the test is McNemar's."""
    z2 = 1.959964**2
    found = score(0, 0, 50, 0.95)
    assert (found.high, found.low) == (pytest.approx(z2 / (50 + z2)), pytest.approx(-z2 / (50 + z2)))
    assert score(86, 150, 1600, 0.95).p_value == mcnemar(86, 150)


# Resampling ---------------------------------------------------------------------------------------


def test_replicates_are_the_metric_on_repeated_rows():
    """The vectorised value of a resample is the plain value on the rows it repeats."""
    rng = np.random.default_rng(0)
    n = 60
    probabilities = rng.dirichlet([1, 1, 1], n)
    y = rng.integers(0, 3, n)
    report = evaluate(task_type="classification", labels=y, predictions=probabilities, config={"n_resamples": 100})
    drawn = np.concatenate(list(report.replicates.plan.draws()))
    for i in range(0, 100, 9):
        rows = np.repeat(np.arange(n), drawn[i])
        plain = evaluate(
            task_type="classification",
            labels=y[rows],
            predictions=probabilities[rows],
            classes=[0, 1, 2],
            config={"compute_cis": False},
        )
        for name, values in report.replicates.resampled.items():
            assert values[i] == pytest.approx(plain.metrics[name], abs=1e-12), name


def test_regression_replicates_are_the_metric_on_repeated_rows():
    rng = np.random.default_rng(0)
    y = rng.normal(100, 1, 41)
    p = y + rng.normal(size=41)
    report = evaluate(task_type="regression", labels=y, predictions=p, config={"n_resamples": 100})
    drawn = np.concatenate(list(report.replicates.plan.draws()))
    for i in range(0, 100, 9):
        rows = np.repeat(np.arange(41), drawn[i])
        plain = evaluate(task_type="regression", labels=y[rows], predictions=p[rows], config={"compute_cis": False})
        for name, values in report.replicates.resampled.items():
            assert values[i] == pytest.approx(plain.metrics[name], rel=1e-9), name


def test_bca_without_bias_or_skew_is_the_percentile_interval():
    values = np.linspace(-1, 1, 2001)
    left_out = np.array([-1.0, 0, 1])
    assert bca(0.0, values, left_out, 0.9) == pytest.approx(percentile(values, 0.9), abs=1e-9)


def test_hundreds_of_classes_take_bounded_time():
    """One-against-one areas, whose number grows with the square of the classes, give way with a reason."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(120), 600)
    report = evaluate(
        task_type="classification",
        labels=rng.integers(0, 120, 600),
        predictions=p,
        classes=range(120),
        config={"n_resamples": 100},
    )
    assert report.undefined["roc_auc_ovo"] == "it is counted for up to 100 classes, and there are 120"
    assert report.intervals["accuracy"].method == "wilson"


def test_a_rare_prediction_leaves_no_interval():
    y = np.arange(200) % 2
    guess = np.zeros(200, dtype=int)
    guess[:3] = 1
    report = evaluate(task_type="classification", labels=y, predictions=guess)
    assert report.intervals["f1"].reason == "only 3 rows are predicted as 1; an interval needs 5"
    assert report.intervals["accuracy"].low is not None


@pytest.mark.parametrize("scale", [2.0**-300, 2.0**300])
@pytest.mark.parametrize("rows", [80, 2100])
def test_intervals_and_comparisons_follow_the_unit_of_the_target(scale, rows, monkeypatch):
    """Targets in another unit give the same intervals and tests in that unit, however small or large it is."""
    monkeypatch.setattr("evalharness.intervals.LARGE", 0)
    rng = np.random.default_rng(0)
    y = rng.normal(size=rows)
    models = y + rng.normal(size=(2, rows))
    plain, scaled = (
        [evaluate(task_type="regression", labels=s * y, predictions=s * p, config={"n_resamples": 200}) for p in models]
        for s in (1.0, scale)
    )
    for name, held in plain[0].intervals.items():
        factor = {"target": scale, "squared target": scale**2}.get(METRICS[name].unit, 1.0)
        found = scaled[0].intervals[name]
        assert (found.method, found.reason) == (held.method, held.reason), name
        if held.low is not None:
            ends = factor * held.low, factor * held.high
            assert (found.low, found.high) == pytest.approx(ends, rel=1e-9, abs=factor * 1e-12), name
    for one, other in zip(plain[0].compare(plain[1]).rows, scaled[0].compare(scaled[1]).rows, strict=True):
        assert other.p_value == (None if one.p_value is None else pytest.approx(one.p_value, rel=1e-9)), one.metric


@pytest.mark.parametrize("n", [300, 60_000])
def test_one_huge_row_takes_nothing_from_the_others(n):
    """Resamples without it have the error of the other rows, to the digits that these have."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=n)
    p = y + 0.5 * rng.normal(size=n)
    plain, odd = (
        evaluate(task_type="regression", labels=labels, predictions=guess, config={"n_resamples": 200})
        for labels, guess in ((y, p), (np.r_[y, -1e8], np.r_[p, 1e8]))
    )
    lowest = odd.replicates.resampled["root_mean_squared_error"].min()
    assert lowest == pytest.approx(plain.metrics["root_mean_squared_error"], rel=0.15)
    assert np.all(odd.replicates.resampled["r2"] < 1)


def test_squared_errors_of_heavy_tails_are_covered():
    """With t errors of 6 degrees of freedom (variance 1.5) 93 % of the intervals at n = 100 hold their mean square."""
    rng = np.random.default_rng(5)
    found = [
        squares("mean_squared_error", np.zeros(100), rng.standard_t(6, 100), 0.95).contains(1.5) for _ in range(1500)
    ]
    assert 0.91 <= np.mean(found) <= 0.97


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e150])
def test_the_interval_of_squared_errors_undoes_its_transformation(size):
    """At either end the transformed studentised mean of Hall (1992) is the quantile of Student's t."""
    errors = np.random.default_rng(3).standard_t(6, 50)
    ends = squares("root_mean_squared_error", np.zeros(50), size * errors, 0.95)
    square, reached = errors**2, []
    g = float(np.mean((square - square.mean()) ** 3)) / square.std() ** 3 / 50**0.5
    for end in (ends.low / size, ends.high / size):
        s = (square.mean() - end**2) / (square.std() / 49**0.5)
        reached.append(s + g * s**2 / 3 + g**2 * s**3 / 27 + g / 6)
    assert reached == pytest.approx([2.009575, -2.009575], rel=1e-6)  # t(49, 0.975), from printed tables 2.0096


def test_equal_errors_have_no_interval_of_their_squares():
    """Where all rows are off by as much, nothing shows how far the mean may be off, and that is said."""
    y = np.arange(40.0)
    interval = evaluate(task_type="regression", labels=y, predictions=y + 2).intervals["mean_squared_error"]
    assert (interval.low, interval.method) == (None, "none")
    assert "same value" in interval.reason


def test_the_interval_of_explained_squares_does_not_depend_on_the_unit():
    """R² and explained variance, and their intervals, are free of the unit and, of the latter, of a constant bias."""
    rng = np.random.default_rng(3)
    y = rng.normal(size=80)
    errors = rng.standard_t(6, 80)
    for name in ("r2", "explained_variance"):
        plain, scaled = (squares(name, s * y, s * errors, 0.95) for s in (1.0, 1e-90))
        assert (plain.low, plain.high) == pytest.approx((scaled.low, scaled.high), rel=1e-9)
    moved = squares("explained_variance", y, errors + 7, 0.95)
    assert (moved.low, moved.high) == pytest.approx((plain.low, plain.high), rel=1e-9)
    assert moved.low < 1 - np.var(errors) / np.var(y) < moved.high
