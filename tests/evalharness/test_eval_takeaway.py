"""The takeaway: five sentences that cannot say more than the tables."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness import evaluate
from evalharness.takeaway import rounded, write
from tests.evalharness.support import QUICK, churn

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def judged(report):
    """Check the laws of every takeaway; return its sentences."""
    lines = report.get_takeaway().split("\n")
    found = json.loads(json.dumps(report.documents()["metrics.json"], allow_nan=False))
    assert len(lines) == len(found["takeaway"]) == 5
    assert [claim["about"] for claim in found["takeaway"]] == [
        "headline", "baseline", "bias" if report.task_type == "regression" else "calibration", "slices", "failures",
    ]  # fmt: skip
    level = report.config.confidence_level
    for line, claim in zip(lines, found["takeaway"], strict=True):
        assert line == claim["sentence"]
        assert line.endswith(".")
        assert line[0].isupper()
        for name in sorted(claim["names"].values(), key=len, reverse=True):
            line = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])|(?<!\w){re.escape(name)}(?=[.:,] |\.$)", "", line)
        assert set(NUMBER.findall(line)) <= {json.dumps(value) for value in claim["numbers"].values()}, line
        words = set(re.findall(r"[a-z]+", line.lower()))
        if words & {"better", "worst", "best"}:
            assert claim["about"] == "baseline"
        if "better" in words or ("worse" in words and claim["about"] == "baseline"):
            key, baseline = ("r2", 0.0) if report.task_type == "regression" else ("accuracy", majority(report))
            interval = report.intervals[key]
            assert not interval.contains(baseline)
            assert (report.metrics[key] > baseline) == ("better" in words)
        if "worse" in words and claim["about"] == "slices" and "none" not in words:
            assert (report.slices["q_value"] <= 1 - level + 1e-12).any()
        if "no evidence" in line and claim["about"] in ("baseline", "bias", "calibration"):
            for key, null in nulls(report, claim["about"]):
                found = report.intervals.get(key)
                assert found is None or found.low is None or found.contains(null), line
        if "well" in words:
            assert report.tests["perfect_calibration"]["p_value"] > 1 - level
            assert report.intervals["debiased_calibration_error"].high <= 0.05
    if report.task_type == "classification" and report.intervals["accuracy"].contains(majority(report)):
        assert not lines[0].startswith("Accuracy")
    return lines


def nulls(report, about):
    """What each sentence may find no evidence against."""
    if about == "calibration":
        return ("debiased_calibration_error", 0.0), ("calibration_slope", 1.0)
    if about == "bias":
        return (("mean_bias_error", 0.0),)
    return (("r2", 0.0) if report.task_type == "regression" else ("accuracy", majority(report)),)


def majority(report):
    w = report.sample.weights if report.sample.weights is not None else np.ones(report.n)
    return float(np.bincount(report.sample.labels, weights=w).max() / w.sum())


@st.composite
def reports(draw):
    n = draw(st.sampled_from([1, 2, 3, 7, 40, 150]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    task = draw(st.sampled_from(["classification", "regression"]))
    skill = draw(st.sampled_from([-1.0, 0.0, 0.5, 1.0]))
    given = {"task_type": task, "config": {"n_resamples": 100, "plots": False, "min_support": 5}}
    if task == "regression":
        scale = draw(st.sampled_from([1e-9, 1.0, 1e7]))
        y = rng.normal(size=n) if draw(st.booleans()) else np.full(n, 3.0)
        guess = skill * y + rng.normal(size=n) * draw(st.sampled_from([0.0, 1.0]))
        given |= {"labels": scale * y, "predictions": scale * guess}
    else:
        k = draw(st.sampled_from([1, 2, 2, 3]))
        names = ["no 17.5", "yes", "better"]
        codes = rng.integers(0, k, n)
        sharp = np.eye(max(k, 2))[codes] * 4 * skill + rng.normal(size=(n, max(k, 2)))
        p = np.exp(sharp) / np.exp(sharp).sum(axis=1, keepdims=True)
        kind = draw(st.sampled_from(["labels", "probabilities", "constant"]))
        classes = names[: max(k, 2)]
        if kind == "constant":
            p[:] = p[0]
        given |= {"labels": [names[c] for c in codes], "classes": classes, "predictions": p}
        if kind == "labels":
            given["predictions"] = [classes[c] for c in p.argmax(axis=1)]
    if draw(st.booleans()):
        given["data"] = pd.DataFrame({"3 worst": rng.normal(size=n), "c": rng.choice(["1", "better"], n)})
    if draw(st.booleans()):
        given["sample_weight"] = rng.random(n) + 0.01
    if n > 3 and draw(st.booleans()):
        given["groups"] = np.arange(n) % 4
    return given


@settings(max_examples=60, deadline=None, derandomize=True)
@given(reports())
def test_any_report_gives_five_sentences_of_known_numbers(arguments):
    """Five sentences whose numbers are in metrics.json as printed; words that judge only after a passing test."""
    judged(evaluate(**arguments))


def test_the_worst_slice_is_told_by_its_corrected_estimate():
    """What the sentence prints is `adjusted_estimate` with its interval, not the luckier number that was seen."""
    rng = np.random.default_rng(3)
    n = 1500
    data = pd.DataFrame({"city": rng.choice(list("abcdefgh"), n), "x": rng.normal(size=n)})
    y = rng.integers(0, 2, n)
    wrong = rng.random(n) < np.where(data["city"] == "c", 0.27, 0.15)
    report = evaluate(
        task_type="classification", labels=y, predictions=np.where(wrong, 1 - y, y), data=data, config={"plots": False}
    )
    line, claim = judged(report)[3], report.claims[3]
    row = report.slices[report.slices["slice"] == "city = 'c'"].iloc[0]
    assert claim.names["slice"] == "city = 'c'"
    assert claim.numbers["estimate"] == rounded(row["adjusted_estimate"]) != rounded(row["estimate"])
    assert f"{claim.numbers['low']} to {claim.numbers['high']}, corrected for the search" in line


@pytest.mark.parametrize("extra", ["sample_weight", "groups"])
def test_a_model_far_from_the_majority_is_called_better_by_a_paired_test(extra):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    given = {"sample_weight": rng.random(300)} if extra == "sample_weight" else {"groups": rng.integers(0, 60, 300)}
    report = evaluate(
        task_type="classification", labels=y, predictions=np.where(rng.random(300) < 0.1, 1 - y, y), **given
    )
    lines = judged(report)
    assert lines[0].startswith("Accuracy is ")
    assert "is better than" in lines[1]
    assert "paired t test p < 0.001" in lines[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, 0.123), (0.99962, 0.99962), (0.9999999, 1), (1.0, 1), (123456.0, 123500), (0.0012345, 0.00123), (0, 0)],
)
def test_numbers_are_rounded_for_reading(value, shown):
    """Just below 1 is not 1."""
    assert rounded(value) == shown


def takes():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=300), rng.random(300)
    yield churn(config={"plots": False})
    yield churn(weak=lambda d: d["city"] == "Rome", config={"plots": False})
    yield evaluate(task_type="regression", labels=1e6 * y, predictions=1e6 * (y + 0.2))
    yield evaluate(task_type="regression", labels=y, predictions=-y, data={"x": rng.normal(size=300)})
    yield evaluate(task_type="classification", labels=rng.random(300) < 0.9, predictions=0.5 + p / 2)
    yield evaluate(task_type="classification", labels=["1.5"] * 30, predictions=["1.5"] * 30)
    yield evaluate(
        task_type="classification",
        labels=rng.integers(0, 3, 90),
        predictions=rng.integers(0, 3, 90),
        config=QUICK,
    )


@pytest.mark.parametrize("number", range(7))
def test_takeaway_is_five_sentences_of_known_numbers(number):
    """Every number that is printed is in metrics.json, in the same digits."""
    report = list(takes())[number]
    lines = report.get_takeaway().split("\n")
    assert len(lines) == 5
    assert all(line.endswith(".") and line[0].isupper() for line in lines)
    for claim in report.documents()["metrics.json"]["takeaway"]:
        text = claim["sentence"]
        for name in claim["names"].values():
            text = text.replace(name, "")
        printed = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)
        assert set(printed) <= {json.dumps(value) for value in claim["numbers"].values()}, text


def test_majority_in_the_interval_keeps_accuracy_from_the_headline():
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.9
    report = evaluate(
        task_type="classification", labels=y, predictions=np.clip(0.9 + 0.05 * rng.normal(size=300), 0, 1)
    )
    first, second = report.get_takeaway().split("\n")[:2]
    assert first.startswith("ROC AUC is ")
    assert second.startswith("There is no evidence that accuracy")


def test_judging_words_need_a_passing_test():
    """A model of pure noise is called neither better nor well calibrated, and no slice worse."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        report = evaluate(
            task_type="classification",
            labels=rng.integers(0, 2, 200),
            predictions=rng.integers(0, 2, 200),
            data={"x": rng.normal(size=200)},
        )
        text = report.get_takeaway()
        assert "better" not in text
        assert "well calibrated" not in text


def test_good_calibration_is_said_where_shown():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 1, 8000)
    text = evaluate(
        task_type="classification", labels=rng.random(8000) < p, predictions=p, config={"n_resamples": 100}
    ).get_takeaway()
    assert "The probabilities are well calibrated: " in text


def regression(y, guess, **given):
    return evaluate(task_type="regression", labels=y, predictions=guess, **given)


@pytest.mark.parametrize("extra", ["nothing", "sample_weight", "groups"])
def test_answering_the_mean_is_not_worse_than_answering_the_mean(extra):
    """Neither the mean itself nor the mean of the other rows, an honest dummy on noise, is told from the mean."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        y = 5 + rng.normal(size=60)
        given = {"config": {"n_resamples": 100}}
        given |= {"sample_weight": rng.random(60) + 0.1} if extra == "sample_weight" else {}
        given |= {"groups": np.arange(60) % 20} if extra == "groups" else {}
        mean = float(np.average(y, weights=given.get("sample_weight")))
        guesses = [np.full(60, mean)]
        if extra == "nothing":
            guesses.append((60 * y.mean() - y) / 59)
        for guess in guesses:
            line = judged(regression(y, guess, **given))[1]
            assert "better" not in line
            assert "worse" not in line


def test_other_answers_than_the_mean_are_told_from_it_by_a_paired_test():
    """A perfect model has no interval of R squared and is better all the same, also without any resampling."""
    y = np.random.default_rng(0).normal(size=50)
    for config in ({"n_resamples": 100}, {"compute_cis": False}):
        better, worse = (judged(regression(y, guess, config=config))[1] for guess in (y, -y))
        assert better.startswith("The predictions are better than")
        assert worse.startswith("The predictions are worse than")
        assert "paired t test p < 0.001" in better
    for scale in (1e-90, 1e90):
        assert "better than" in regression(scale * y, scale * 0.9 * y, config=QUICK).get_takeaway()
    assert "better" in judged(regression([0.0, 1.0] * 10, [0.0, 1.0] * 10))[1]  # every difference is the same
    assert "better" not in judged(regression([0.0, 1.0] * 2, [0.0, 1.0] * 2))[1]


@pytest.mark.parametrize("n", [2, 3, 5, 40])
def test_unbiased_predictions_are_seldom_called_biased(n):
    """The size of the test: about 1 - level of unbiased samples, also of two rows."""
    rng = np.random.default_rng(n)
    config = {"n_resamples": 100, "plots": False}
    said = [regression(rng.normal(size=n), np.zeros(n), config=config).claims[2].sentence for _ in range(60)]
    assert sum(line.startswith("Predictions are too") for line in said) <= 8


def test_bias_is_told_where_test_and_interval_show_it():
    """One error everywhere has no t; from six rows on its signs alone are evidence."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    for config in ({"n_resamples": 100}, {"compute_cis": False}):
        assert judged(regression(y, y + 1 + rng.normal(size=80), config=config))[2].startswith(
            "Predictions are too high"
        )
        assert judged(regression(range(6), np.arange(6) - 1.0, config=config))[2].startswith("Predictions are too low")
        assert judged(regression(range(5), np.arange(5) - 1.0, config=config))[2].startswith("There is no evidence")


@pytest.mark.parametrize("extra", ["nothing", "sample_weight", "groups"])
def test_the_majority_is_judged_without_intervals_too(extra):
    """With compute_cis off the paired test decides alone, either way; one class has nothing to be told apart."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    given = {"nothing": {}, "sample_weight": {"sample_weight": rng.random(200)}, "groups": {"groups": range(200)}}[
        extra
    ]
    for turned, word in ((0.1, "better"), (0.9, "worse")):
        guess = np.where(rng.random(200) < turned, 1 - y, y)
        lines = judged(evaluate(task_type="classification", labels=y, predictions=guess, config=QUICK, **given))
        assert f"is {word} than" in lines[1]
        assert lines[0].startswith("Accuracy") == (word == "better")
    ones = evaluate(task_type="classification", labels=[1] * 200, predictions=[1] * 200, config=QUICK, **given)
    assert judged(ones)[1].startswith("There is no evidence")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32), st.sampled_from([12, 60, 400]), st.sampled_from([0.5, 0.8, 1.0, 1.3]),
    st.sampled_from([-0.4, 0.0, 0.2]), st.sampled_from(["nothing", "sample_weight", "groups"]), st.booleans(),
)  # fmt: skip
def test_words_and_numbers_of_calibration_agree(seed, n, slope, off, extra, intervals):
    """Each word on calibration stands beside a test and intervals that allow it; none is said of a test not made."""
    rng = np.random.default_rng(seed)
    logit = 1.5 * rng.normal(size=n)
    y, p = rng.random(n) < 1 / (1 + np.exp(-logit * slope - off)), 1 / (1 + np.exp(-logit))
    given = {"sample_weight": rng.random(n) + 0.1} if extra == "sample_weight" else {}
    given |= {"groups": np.arange(n) % 12} if extra == "groups" else {}
    config = {"n_resamples": 100, "plots": False, "compute_cis": intervals}
    report = evaluate(
        task_type="classification", labels=y, predictions=p, classes=[False, True], config=config, **given
    )
    line, test = judged(report)[2], report.tests["perfect_calibration"]["p_value"]
    error, bend = report.intervals["debiased_calibration_error"], report.intervals["calibration_slope"]
    rejected, away = test is not None and test <= 0.05, error.low is not None and error.low > 0
    off_line = bend.low is not None and not bend.contains(1)
    assert ("not perfectly calibrated" in line) == (rejected or away)
    assert ("still reaches 0" in line) == (rejected and error.low == 0)
    assert ("was not tested" in line) == (test is None and not away)
    assert ("disagree" in line) == (test is not None and not rejected and not away and off_line)
    assert ("leaves 1 out" in line) == (off_line and not rejected and not away)
    assert ("chi-squared" in line) == (test is not None)


def test_of_equal_estimates_the_surer_slice_is_told():
    """Ties of the corrected estimate go to the smaller p-value, then to the name."""
    rng = np.random.default_rng(3)
    city = rng.choice(list("abcd"), 800)
    wrong = rng.random(800) < np.where(np.isin(city, ["b", "c"]), 0.5, 0.05)
    report = evaluate(
        task_type="classification",
        labels=np.zeros(800, int),
        predictions=wrong.astype(int),
        data={"city": city},
        config=QUICK,
    )
    found = report.slices_found
    worse = [r for r in found.rows if r.slice in ("city = 'b'", "city = 'c'")]
    assert len(worse) == 2
    for p, told in (((1e-3, 1e-5), 1), ((1e-5, 1e-3), 0), ((1e-4, 1e-4), 0)):
        rows = tuple(
            replace(r, significant=True, adjusted_estimate=0.5, p_value=v)
            for r, v in zip(sorted(worse, key=lambda r: r.slice), p, strict=True)
        )
        claims = write(
            report.sample,
            report.config,
            report.metrics,
            report.intervals,
            None,
            replace(found, rows=rows),
            report.failures_found,
        )
        assert claims[3].names["slice"] == rows[told].slice


def test_failures_say_what_an_error_is_and_name_a_kind():
    """An error of a regression is defined where it is counted; 'other' is not told while a named kind has rows."""
    y = np.arange(40.0)
    rule = "(an error is a row where the absolute error is more than 3 times the median absolute error)"
    assert judged(regression(y, y + 1, config=QUICK))[4] == f"No row of 40 counts as an error {rule}."
    guess = y + 1
    guess[[10, 20]] += 4
    assert judged(regression(y, guess, config=QUICK))[4].startswith(
        f"Of 2 errors in 40 rows {rule}, the largest kind is 'too high'"
    )
    p, labels = np.full(40, 0.8), np.ones(40, int)
    labels[:5] = 0
    p[0] = 0.95
    said = [
        evaluate(task_type="classification", labels=labels, predictions=q, config=QUICK) for q in (p, np.full(40, 0.8))
    ]
    assert "the largest named kind is 'confident' with 1 " in judged(said[0])[4]
    assert "the largest kind is 'other' with 5 " in judged(said[1])[4]
