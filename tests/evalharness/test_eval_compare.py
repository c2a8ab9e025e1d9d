"""Comparisons are paired, corrected, and refuse rows that are not the same."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalharness import InputError, Report, comparable, compare_models, evaluate
from evalharness.compare import NO_EVIDENCE, WHATEVER_CLASSES
from evalharness.paired import jackknife, mcnemar, melded, percentile_p, shares
from evalharness.resample import Plan

few = {"n_resamples": 100}
modest = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def reports(n=400, seed=0, noise=0.0, **given):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    y = rng.random(n) < p
    other = np.clip(p + noise * rng.normal(size=n), 0, 1)
    a = evaluate(task_type="classification", labels=y, predictions=p, **given)
    return a, evaluate(task_type="classification", labels=y, predictions=other, **given)


def test_worse_model_is_called_worse():
    good, bad = reports(noise=0.5)
    found = good.compare(bad)
    assert found.evidence("log_loss") == found.evidence("roc_auc") == "better"
    assert bad.compare(good).evidence("roc_auc") == "worse"
    table = found.table.set_index("metric")
    assert list(found.table.columns[:11]) == [
        "metric",
        "estimate",
        "other",
        "difference",
        "low",
        "high",
        "p_value",
        "q_value",
        "confidence_level",
        "n",
        "method",
    ]
    assert table.loc["roc_auc", "method"] == "DeLong"
    assert table.loc["roc_auc", "low"] < table.loc["roc_auc", "difference"] < table.loc["roc_auc", "high"]
    assert table.loc["brier_score", "q_value"] >= table.loc["brier_score", "p_value"]


def test_same_predictions_show_no_difference():
    a, b = reports(noise=0)
    found = a.compare(b)
    assert {found.evidence(row.metric) for row in found.rows} == {"no evidence of a difference"}
    row = next(r for r in found.rows if r.metric == "accuracy")
    assert (row.difference, row.low, row.high, row.p_value) == (0, 0, 0, 1)


@modest
@given(st.integers(0, 10**6), st.sampled_from(["binary", "multiclass", "regression", "groups", "weights", "2500 rows"]))
def test_turning_the_comparison_round_changes_signs_only(seed, kind):
    """Differences and intervals are mirrored, p-values and q-values stay, better becomes worse."""
    one, other = two_models(seed, kind)
    a, b = one.compare(other), other.compare(one)
    for here, there in zip(a.rows, b.rows, strict=True):
        if here.difference is None:
            assert there.difference is None
            continue
        assert here.difference == pytest.approx(-there.difference, abs=1e-15)
        assert (here.method, here.reason) == (there.method, there.reason)
        if here.low is not None:
            assert here.low == pytest.approx(-there.high, abs=1e-9, rel=1e-9)
            assert (here.p_value, here.q_value) == pytest.approx((there.p_value, there.q_value), abs=1e-9)
        said = {a.evidence(here.metric), b.evidence(here.metric)}
        assert said in ({"better", "worse"}, {NO_EVIDENCE}, {"different"})


def two_models(seed, kind, n=60, skill=(1.0, 1.0)):
    """Two models that differ by chance, or by skill where that is given; higher noise is less skill."""
    rng = np.random.default_rng(seed)
    n = 2500 if kind == "2500 rows" else n
    given = {"config": few}
    if kind == "groups":
        given["groups"] = rng.integers(0, 15, n)
    if kind == "weights":
        given["sample_weight"] = rng.random(n) + 0.1
    signal = rng.normal(size=n)
    if kind in ("regression", "2500 rows"):
        return [
            evaluate(task_type="regression", labels=signal, predictions=signal + s * rng.normal(size=n), **given)
            for s in skill
        ]
    if kind == "multiclass":
        y = rng.integers(0, 3, n)
        guesses = [np.where(rng.random(n) < 0.4 * s, rng.integers(0, 3, n), y) for s in skill]
        return [
            evaluate(task_type="classification", labels=y, predictions=g, classes=[0, 1, 2], **given) for g in guesses
        ]
    y = signal + rng.normal(size=n) > 0
    guesses = [1 / (1 + np.exp(-(signal + s * rng.normal(size=n)))) for s in skill]
    return [
        evaluate(task_type="classification", labels=y, predictions=p, classes=[False, True], **given) for p in guesses
    ]


@modest
@given(st.integers(0, 10**6), st.sampled_from(["binary", "multiclass", "regression", "groups", "weights"]))
def test_every_metric_is_judged_or_says_why_not(seed, kind):
    """A row has interval, p-value and method, or none of them and a reason; the two never contradict each other."""
    a, b = two_models(seed, kind)
    found = a.compare(b)
    assert [row.metric for row in found.rows] == list(a.metrics)
    for row in found.rows:
        judged = [row.low is not None, row.high is not None, row.p_value is not None, row.q_value is not None]
        assert judged in ([True] * 4, [False] * 4)
        assert (row.reason is None) == judged[0] == (row.method != "none")
        if judged[0]:
            assert row.low <= row.difference <= row.high or row.method == "paired percentile"
            assert (row.p_value <= 0.05) == (row.low > 0 or row.high < 0), row
            assert row.q_value >= row.p_value


@modest
@given(st.integers(0, 10**6), st.sampled_from(["binary", "multiclass", "regression", "groups", "weights"]))
def test_a_model_against_itself_shows_nothing(seed, kind):
    """All differences are 0, and no word but the one of no evidence is said."""
    a, _ = two_models(seed, kind, n=40)
    found = a.compare(a)
    assert {row.difference for row in found.rows} <= {0.0, None}
    assert {found.evidence(row.metric) for row in found.rows} == {NO_EVIDENCE}
    assert {row.p_value for row in found.rows} <= {1.0, None}


@modest
@given(st.integers(0, 10**6))
def test_names_of_classes_and_order_of_rows_change_nothing(seed):
    """Classes that sort alike under other names, and one permutation of both models: the same tests."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 50)
    p, q = rng.random((2, 50))
    turned = rng.permutation(50)

    def rows(labels, *models):
        a, b = (evaluate(task_type="classification", labels=labels, predictions=m, config=few) for m in models)
        return a.compare(b).rows

    plain = rows(y, p, q)
    assert rows(np.array(["no", "yes"])[y], p, q) == plain
    for one, other in zip(plain, rows(y[turned], p[turned], q[turned]), strict=True):
        assert (one.low, one.high, one.p_value) == pytest.approx((other.low, other.high, other.p_value), abs=1e-9)
        assert one.method == other.method != "paired percentile"


@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_two_equal_models_are_rarely_told_apart(kind, n):
    """Of null pairs 2 to 8 % have p below 0.05 (simulated 200 times, standard error 1.5 %); exact tests fewer."""
    called = {}
    for seed in range(200):
        a, b = two_models(seed, kind, n=n)
        for row in a.compare(b).rows:
            if row.p_value is not None:
                called.setdefault(row.metric, []).append(row.p_value <= 0.05)
    for metric in {"binary": ("accuracy", "roc_auc", "f1", "log_loss"), "regression": ("root_mean_squared_error",)}[
        kind
    ]:
        assert 0.005 <= np.mean(called[metric]) <= 0.10, metric
    assert all(np.mean(rates) <= 0.12 for rates in called.values()), {m: np.mean(r) for m, r in called.items()}


def test_groups_and_weights_keep_their_level():
    """Two null models on 25 groups of 8 alike rows: 2 to 8 % are called (standard error 1.5 %)."""
    called = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(25), 8)
        y = rng.normal(size=200)
        models = [y + rng.normal(size=25)[group] + 0.5 * rng.normal(size=200) for _ in range(2)]
        a, b = (
            evaluate(task_type="regression", labels=y, predictions=m, groups=group, config=few)
            for m in models
        )  # fmt: skip
        row = next(row for row in a.compare(b).rows if row.metric == "mean_squared_error")
        assert row.method == "paired jackknife t"
        called.append(row.p_value <= 0.05)
    assert 0.01 <= np.mean(called) <= 0.09


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda y: y[:-1],
            "the other report has 99 rows, this one 100; evaluate both models on the same rows.",
        ),
        (
            lambda y: y[::-1],
            (
                "the two reports have different labels, weights, groups or strata (their digests differ); evaluate "
                "both models on the same rows in the same order."
            ),
        ),
    ],
)
def test_other_rows_are_refused(change, sentence):
    y = np.random.default_rng(0).integers(0, 2, 100)
    a = evaluate(task_type="classification", labels=y, predictions=y)
    b = evaluate(task_type="classification", labels=change(y), predictions=change(y))
    with pytest.raises(InputError) as caught:
        a.compare(b)
    assert str(caught.value) == sentence


def test_same_columns_with_other_data_are_refused_but_other_columns_are_not():
    y = [0, 1] * 20
    a, b, c = (
        evaluate(task_type="classification", labels=y, predictions=y, data=data, config={"compute_cis": False})
        for data in (
            pd.DataFrame({"x": range(40)}),
            pd.DataFrame({"x": range(1, 41)}),
            pd.DataFrame({"z": range(40)}),
        )
    )
    assert a.compare(c).n == 40
    with pytest.raises(InputError, match="same columns with different data"):
        a.compare(b)


def test_other_tasks_and_things_are_refused():
    a = evaluate(task_type="classification", labels=[0, 1], predictions=[0, 1])
    b = evaluate(task_type="regression", labels=[0, 1], predictions=[0, 1])
    with pytest.raises(InputError, match="the other report is about regression, this one about classification"):
        a.compare(b)
    with pytest.raises(InputError, match="other is a int; give a report"):
        a.compare(3)


def test_unknown_metric_names_the_nearest():
    a, b = reports(n=50)
    with pytest.raises(InputError, match=r"the comparison has no metric 'acuracy'; did you mean 'accuracy'\?"):
        a.compare(b).evidence("acuracy")


def test_reports_of_different_seeds_are_put_on_one_plan():
    rng = np.random.default_rng(0)
    y, p, q = rng.normal(size=(3, 120))
    first = evaluate(task_type="regression", labels=y, predictions=p, seed=1)
    one = evaluate(task_type="regression", labels=y, predictions=q, seed=1)
    two = evaluate(task_type="regression", labels=y, predictions=q, seed=2)
    assert first.compare(one).rows == first.compare(two).rows


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_report_comes_back_from_its_stored_predictions(task, tmp_path):
    """Through Parquet and JSON: the same documents, digests and comparison."""
    rng = np.random.default_rng(1)
    n = 120
    data = pd.DataFrame({"x": rng.normal(size=n), "c": rng.choice(["u", "v"], n)})
    given = {"data": data, "sample_weight": rng.random(n), "groups": rng.integers(0, 15, n).astype(str)}
    if task == "regression":
        y = rng.normal(size=n)
        report = evaluate(task_type="regression", labels=y, predictions=y + rng.normal(size=n), **given)
    else:
        k = 2 if task == "binary" else 3
        labels = np.array(["a", "b", "c"])[rng.integers(0, k, n)]
        report = evaluate(
            task_type="classification",
            labels=labels,
            predictions=rng.dirichlet(np.ones(k), n),
            threshold=0.4,
            on_missing="drop",
            **given,
        )
    report.predictions_frame().to_parquet(tmp_path / "p.parquet")
    settings = json.loads(json.dumps(report.settings))
    back = Report.from_predictions(pd.read_parquet(tmp_path / "p.parquet"), settings, data=data)
    assert back == report
    assert (back.labels_digest, back.rows_digest) == (report.labels_digest, report.rows_digest)
    assert {row.p_value for row in back.compare(report).rows} <= {1.0, None}


@pytest.mark.parametrize("n", [80, 2500])
def test_interval_leaves_zero_out_where_the_p_value_is_small(n):
    """A p-value of 0.05 or less and a 95 % interval without 0 are one statement, for BCa and percentiles."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = rng.gamma(1, 1, n)
        a, b = (
            evaluate(
                task_type="regression",
                labels=y,
                predictions=y + (1 + 0.1 * k) * rng.normal(size=n),
                seed=seed,
            )
            for k in (0, seed / 6)
        )
        for row in a.compare(b).rows:
            if row.low is not None:
                assert (row.p_value <= 0.05) == (row.low > 0 or row.high < 0), row


def test_an_extra_predicted_class_leaves_what_means_the_same():
    """Metrics of two classes and of three are compared where they mean one thing, and a note names the others."""
    y = ["a", "b"] * 40
    two, three = (
        evaluate(task_type="classification", labels=y, predictions=["a", "b"] * 30 + end)
        for end in (["a", "a"] * 10, ["a", "c"] * 10)
    )
    assert comparable(two, three) is None
    found = two.compare(three)
    names = ["accuracy", "balanced_accuracy", "matthews_corrcoef", "cohen_kappa"]
    assert [row.metric for row in found.rows] == names
    assert [-row.difference for row in three.compare(two).rows] == [row.difference for row in found.rows]
    assert "'f1'" not in found.notes[0]
    assert "f1" in found.notes[0]


def test_two_class_sets_of_many_classes_share_all_their_metrics():
    """Both are macro means over the classes met, so one class more changes nothing of what they mean."""
    y = ["a", "b", "c"] * 30
    one, other = (evaluate(task_type="classification", labels=y, predictions=[*y[1:], end]) for end in "ad")
    assert [row.metric for row in one.compare(other).rows] == list(one.metrics)


def test_another_positive_class_leaves_its_metrics_out():
    """Recall of one class is not compared with recall of the other."""
    y = [0, 1] * 40
    p = np.random.default_rng(0).random(80)
    one, other = (evaluate(task_type="classification", labels=y, predictions=p, positive=c) for c in (0, 1))
    found = one.compare(other)
    assert {row.metric for row in found.rows} == set(WHATEVER_CLASSES)
    assert "recall" in found.notes[0]
    turned = evaluate(task_type="classification", labels=y, predictions=p, classes=[1, 0], positive=1)
    assert {(row.difference, row.p_value) for row in other.compare(turned).rows} <= {(0, 1), (0, None)}


def test_a_report_without_its_data_still_knows_its_rows():
    """Columns and digest are in the settings, so stored predictions obey the rule of the reports they are from."""
    y = [0, 1] * 20
    frames = pd.DataFrame({"x": range(40)}), pd.DataFrame({"x": range(1, 41)}), pd.DataFrame({"z": range(40)})
    reports = [evaluate(task_type="classification", labels=y, predictions=y, data=frame) for frame in frames]
    a, b, c = (Report.from_predictions(r.predictions_frame(), json.loads(json.dumps(r.settings))) for r in reports)
    assert (a.rows_digest, a.columns, a.settings) == (reports[0].rows_digest, ("x",), reports[0].settings)
    for one in (a, reports[0]):
        assert comparable(one, a) is comparable(one, c) is None
        assert comparable(one, b).startswith("the two reports have the same columns with different data")
    old = {key: value for key, value in a.settings.items() if key not in ("columns", "rows_digest")}
    assert Report.from_predictions(a.predictions_frame(), old).compare(b).n == 40


def test_a_report_that_is_only_compared_makes_nothing_else(monkeypatch):
    """Stored predictions are compared without slices, failures, intervals or a takeaway; asked for, they are there."""
    a, b = reports(n=60, noise=0.2)
    whole = a.documents()
    back = Report.from_predictions(a.predictions_frame(), a.settings)
    with monkeypatch.context() as patch:
        for part in ("slices.find", "failures.find", "takeaway.write", "intervals.for_metric"):
            patch.delattr(f"evalharness.{part}")
        assert back.compare(b).rows == a.compare(b).rows
    assert back.documents() == whole


def test_data_changed_after_an_evaluation_does_not_change_the_report():
    """Nothing of a report is read from the user's table later."""
    data = pd.DataFrame({"x": np.arange(200.0)})
    y = np.arange(200) % 2
    given = {"task_type": "classification", "labels": y, "predictions": (np.arange(200) // 3) % 2}
    whole = evaluate(**given, data=data.copy()).documents()
    report = evaluate(**given, data=data)
    data["x"] = 0.0
    data.iloc[:, 0] = 1.0
    given["predictions"][:] = 0
    assert report.documents() == whole


def test_interval_and_p_value_of_accuracy_agree():
    """A 95 % interval of a difference in accuracy leaves 0 out exactly where its p-value is at most 0.05."""
    y = np.zeros(60, dtype=int)
    for only in range(1, 12):
        one, other = y.copy(), y.copy()
        one[:2], other[2 : 2 + only] = 1, 1
        a, b = (
            evaluate(task_type="classification", labels=y, predictions=p, classes=[0, 1], config={"n_resamples": 100})
            for p in (one, other)
        )
        row = next(row for row in a.compare(b).rows if row.metric == "accuracy")
        assert row.method == "exact McNemar"
        assert row.low < row.difference < row.high
        assert (row.p_value <= 0.05) == (row.low > 0 or row.high < 0)


@pytest.mark.parametrize("n", [24, 60, 5000])
def test_interval_and_p_value_of_mcnemar_agree_for_all_counts(n):
    """Exact below 25 discordant rows and score above: 0 is left out exactly where p is small; swapping mirrors."""
    for total in (*range(0, 25, 3), 24, 25, 40):
        for ours in range(0, min(total, n) + 1, 2):
            theirs = total - ours
            if total > n:
                continue
            found, turned = shares(ours, theirs, n, 0.9), shares(theirs, ours, n, 0.9)
            assert found.exact == (total < 25)
            assert found.p_value == mcnemar(ours, theirs)
            assert found.low <= (ours - theirs) / n <= found.high
            assert (found.p_value <= 0.1) == (found.low > 0 or found.high < 0)
            assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


def test_melded_interval_covers():
    """Its coverage is at least nominal for 20 rows, by enumeration of all outcomes, as Fay & Lumbard prove."""
    from math import comb

    n = 20
    ends = {(b, c): melded(b, c, n, 0.95) for b in range(n + 1) for c in range(n + 1 - b)}
    for p, q in ((0.1, 0.1), (0.3, 0.1), (0.02, 0.3), (0.5, 0.45), (0.0, 0.2)):
        covered = sum(
            comb(n, b) * comb(n - b, c) * p**b * q**c * (1 - p - q) ** (n - b - c)
            for (b, c), found in ends.items()
            if found.low <= p - q <= found.high
        )
        assert covered >= 0.95


def test_recall_and_specificity_are_judged_on_their_own_rows():
    """Over fewer than 30 rows of a class their test is McNemar's on these alone, over more the paired jackknife."""
    y = np.repeat([1, 0], [29, 41])
    one, other = y.copy(), y.copy()
    one[:1], other[3:12], other[35:37] = 0, 0, 1
    a, b = (evaluate(task_type="classification", labels=y, predictions=p, config=few) for p in (one, other))
    rows = {row.metric: row for row in a.compare(b).rows}
    assert rows["recall"].p_value == mcnemar(9, 1) == pytest.approx(22 / 1024)
    exact = melded(9, 1, 29, 0.95)
    assert (rows["recall"].low, rows["recall"].high) == (exact.low, exact.high)
    assert rows["specificity"].method == "paired jackknife t"
    assert rows["specificity"].p_value == pytest.approx(0.157, abs=0.003)  # t = 2 / sqrt(2 * 39 / 40), 69 df
    assert rows["accuracy"].p_value == mcnemar(11, 1)


def test_one_pair_of_models_gets_one_verdict():
    """The takeaway judges accuracy against the majority as a comparison with that model does."""
    y = np.repeat([0, 1], [60, 40])
    for right in range(0, 41, 4):
        guess = np.zeros(100, dtype=int)
        guess[60 : 60 + right] = 1
        guess[:3] = 1
        model, majority = (
            evaluate(task_type="classification", labels=y, predictions=p, classes=[0, 1], config=few)
            for p in (guess, np.zeros(100, dtype=int))
        )
        row = model.compare(majority).rows[0]
        said = next(c.sentence for c in model.claims if c.about == "baseline")
        if "is better than" in said or "is worse than" in said:
            assert row.p_value <= 0.05
            assert ("better" in said) == (row.difference > 0)


def test_jackknife_of_a_mean_is_students_t():
    """Leaving out one row of a mean gives the usual standard error, so the test is the paired t-test."""
    d = np.random.default_rng(1).normal(0.3, 1, 30)
    found = jackknife(d.mean(), np.array([np.delete(d, i).mean() for i in range(30)]), 0.95)
    assert found.statistic == pytest.approx(d.mean() / (d.std(ddof=1) / np.sqrt(30)))
    assert found.df == 29
    assert jackknife(1.0, np.ones(30), 0.95) is None
    assert jackknife(1.0, np.full(30, np.nan), 0.95) is None


@modest
@given(st.lists(st.integers(-9, 30), min_size=20, max_size=80), st.floats(0.5, 0.9))
def test_p_value_of_resamples_agrees_with_their_percentiles(values, level):
    """The percentile interval leaves 0 out exactly where p is below the level, ties and all."""
    v = np.array(values, dtype=float)
    low, high = np.quantile(v, [(1 - level) / 2, (1 + level) / 2])
    p = percentile_p(v)
    assert p == percentile_p(-v)
    if abs(p - (1 - level)) > 1e-9:
        assert (p < 1 - level) == (low > 1e-12 or high < -1e-12)


def three(n=300, **given):
    rng = np.random.default_rng(4)
    y = rng.normal(size=n)
    noise = {"good": 0.5, "fair": 1.0, "twin": 1.0, "poor": 2.0}
    return {
        name: evaluate(
            task_type="regression", labels=y, predictions=y + s * rng.normal(size=n), seed=len(name), **given
        )
        for name, s in noise.items()
    }


def test_many_models_are_corrected_together():
    """Rows are those of two at a time, q-values count all metrics of all pairs."""
    reports = three()
    found = compare_models(reports, baseline="fair")
    assert list(found.pairs) == [("good", "fair"), ("twin", "fair"), ("poor", "fair")]
    table = found.table
    assert list(table.columns[:3]) == ["model", "against", "metric"]
    single = reports["good"].compare(reports["fair"]).table
    mine = table[table["model"] == "good"]
    assert list(mine["difference"]) == list(single["difference"])
    tested = table.dropna(subset="p_value")
    worst = tested["p_value"].max()
    assert tested.loc[tested["p_value"] == worst, "q_value"].iloc[0] == pytest.approx(worst)
    ordered = tested.sort_values("p_value")
    assert ordered["q_value"].is_monotonic_increasing
    assert ordered["q_value"].iloc[0] >= ordered["p_value"].iloc[0] * 1.0
    metric = "mean_squared_error"
    assert [found.evidence(metric, name) for name in ("good", "twin", "poor")] == ["better", NO_EVIDENCE, "worse"]
    assert found.evidence(metric, "fair", "good") == "worse"
    assert found.baseline == "fair"
    assert found.n == 300


def test_all_pairs_are_compared_without_a_baseline():
    """Six pairs of four models, each said both ways round."""
    found = compare_models(three())
    assert len(found.pairs) == 6
    assert found.evidence("mean_squared_error", "poor", "good") == "worse"
    assert found.evidence("mean_squared_error", "good", "poor") == "better"
    with pytest.raises(InputError, match="against is missing and there is no baseline"):
        found.evidence("mean_squared_error", "poor")
    with pytest.raises(InputError, match="'poor' was not compared with 'best'; the pairs are 'good' and 'fair'"):
        found.evidence("mean_squared_error", "poor", "best")


def test_each_model_is_resampled_once(monkeypatch):
    """However many pairs there are, every report goes through the resamples one time."""
    reports = three(config=few)
    drawn = []
    draws = Plan.draws
    monkeypatch.setattr(Plan, "draws", lambda self, *given: drawn.append(self.seed) or draws(self, *given))
    for report in reports.values():
        _ = report.replicates
    once = len(drawn)
    compare_models({name: r for name, r in reports.items() if name != "good"})
    assert once == 4
    assert len(drawn) <= once + 3


def test_large_samples_are_compared_in_pairs():
    """Where cells are resampled in place of rows, both models of a pair are drawn together, on one plan."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=60_000)
    reports = {
        name: evaluate(task_type="regression", labels=y, predictions=y + s * rng.normal(size=60_000), config=few)
        for name, s in (("a", 1.0), ("b", 1.0), ("c", 1.1))
    }
    found = compare_models(reports, baseline="a")
    assert [found.evidence("mean_squared_error", m) for m in "bc"] == [NO_EVIDENCE, "worse"]
    for name in "bc":
        single = reports[name].compare(reports["a"])
        for one, other in zip(found.pairs[name, "a"].rows, single.rows, strict=True):
            assert (one.low, one.high, one.p_value) == (other.low, other.high, other.p_value)
    assert {row.p_value for row in reports["a"].compare(reports["a"]).rows} <= {1.0, None}


def test_resamples_too_few_for_many_tests_are_told():
    """A percentile p-value cannot be below 2 / 101 here; where that decides, a note says so."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=100)
    reports = {
        f"m{i}": evaluate(task_type="regression", labels=y, predictions=y + s * rng.normal(size=100), config=few)
        for i, s in enumerate((1, 1, 1, 1, 1, 4))
    }
    assert compare_models({name: reports[name] for name in ("m0", "m5")}).notes == ()
    notes = compare_models(reports, baseline="m0").notes
    assert notes[0].startswith("Resamples give no p-value below 0.0198, too large for ")
    assert notes[0].endswith("tests together; raise n_resamples to judge median_absolute_error.")


@pytest.mark.parametrize(
    ("reports", "baseline", "sentence"),
    [
        ([1, 2], None, "reports is a list; give a mapping of names to reports"),
        ({"a": 1}, None, "reports has 1 of them; give at least two"),
        ({"a": 1, "b": 2}, None, r"reports\['a'\] is a int; give a report from evaluate"),
    ],
)
def test_other_things_than_reports_are_refused(reports, baseline, sentence):
    with pytest.raises(InputError, match=sentence):
        compare_models(reports, baseline)


def test_models_of_other_rows_and_unknown_baselines_are_refused():
    reports = three(config={"compute_cis": False})
    with pytest.raises(InputError, match="baseline 'goood' is not among the reports; did you mean 'good'"):
        compare_models(reports, "goood")
    other = evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2])
    with pytest.raises(InputError, match="reports 'good' and 'short' cannot be compared: the other report has 300"):
        compare_models({**reports, "short": other})
    rows = compare_models(reports).pairs["good", "fair"].rows
    assert {row.reason for row in rows} == {"compute_cis was off, so nothing was resampled"}
