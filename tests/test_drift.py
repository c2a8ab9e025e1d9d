from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import modellab_jupyter as ml
from modellab_jupyter.data import as_table, table_digest
from modellab_jupyter.drift import Drift, Side, compare
from modellab_jupyter.summary import POINTS, decode, summarise


def sides(old: Any, new: Any, *, kept: bool = False) -> Drift:
    """Compare two tables, by their rows or by what a store keeps of them."""
    made = []
    for title, data in (("old", old), ("new", new)):
        table = as_table(data)
        summary = decode(summarise(table).encode())
        made.append(Side(title, table_digest(table), None if kept else table, summary))
    return compare("d", *made)


def one(drift: Drift, name: str = "x") -> Any:
    return next(column for column in drift.columns if column.column == name)


@given(st.lists(st.floats(-5, 5) | st.integers(0, 3), min_size=1), st.lists(st.floats(-5, 5), min_size=1))
@example(old=[0.0] * 7, new=[0.0] * 6 + [1.0])  # SciPy's exact p is above 1 by rounding
@settings(max_examples=40, deadline=None)
def test_distance_and_p_of_numbers_are_those_of_scipy(old: list[float], new: list[float]) -> None:
    """Small samples get Kolmogorov and Smirnov's exact test, without a warning, from rows and from summaries alike."""
    old = [float(value) for value in old]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = stats.ks_2samp(old, new, method="exact")
    for kept in (False, True):
        found = one(sides({"x": old}, {"x": new}, kept=kept))
        assert found.distance == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.2])
def test_a_summary_never_claims_more_than_the_rows(shift: float) -> None:
    """From what is kept, the distance is at most that of the rows, near it, and its p-value at least theirs."""
    rng = np.random.default_rng(1)
    old, new = rng.normal(size=40_000), rng.normal(loc=shift, size=30_000).round(3)
    exact, bound = (one(sides({"x": old}, {"x": new}, kept=kept)) for kept in (False, True))
    expected = stats.ks_2samp(old, new, method="asymp")
    assert (exact.distance, exact.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert exact.distance - 3 / POINTS <= bound.distance <= exact.distance
    assert bound.p >= exact.p
    assert "at least" in bound.note
    assert exact.changed == bound.changed == (shift > 0.1) or shift == 0.02


def test_categories_are_tested_as_worked_by_hand() -> None:
    """60:40 against 30:70 of 100 each: chi-squared 18.18 with one degree of freedom, total variation 0.3."""
    found = one(sides({"x": ["a"] * 60 + ["b"] * 40}, {"x": ["a"] * 30 + ["b"] * 70}))
    assert (found.test, found.distance) == ("chi-squared", pytest.approx(0.3))
    assert found.p == pytest.approx(stats.chi2.sf(100 * 2 * (60 * 70 - 40 * 30) ** 2 / (100 * 100 * 90 * 110) / 1, 1))
    assert found.changed


def test_rare_categories_are_put_together_or_tested_exactly() -> None:
    """Ids and a handful of rows give no false alarm and no warning; a new frequent category is found."""
    ids = [f"u{i}" for i in range(500)]
    assert not one(sides({"x": ids}, {"x": [f"v{i}" for i in range(500)]}, kept=True)).changed
    few = one(sides({"x": ["a"] * 3 + ["b"]}, {"x": ["a", "b", "b"]}))
    assert few.test == "Fisher"
    assert few.p == pytest.approx(stats.fisher_exact([[3, 1], [1, 2]]).pvalue)
    for kept in (False, True):
        assert one(sides({"x": ["a"] * 50}, {"x": ["a"] * 25 + ["b"] * 25}, kept=kept)).changed
    same = one(sides({"x": ["a"] * 50}, {"x": ["a"] * 9}))
    assert (same.p, same.distance, same.note) == (None, 0.0, "one value only in both")


def test_rows_columns_types_and_missing_values_are_told() -> None:
    """What came and went is counted, doubles included, and said in words and in a table that escapes names."""
    rng = np.random.default_rng(2)
    old = pd.DataFrame({
        "key": range(400), "gap": rng.normal(size=400), "whole": 1, "<b>gone": "x", "same": rng.normal(size=400),
        "when": pd.date_range("2024-01-01", periods=400), "list": [[i] for i in range(400)],
    })  # fmt: skip
    new = pd.concat([old.iloc[10:], old.iloc[10:12]]).drop(columns="<b>gone").assign(whole=1.0, came=True)
    same = sides(old, new)
    assert (same.rows_old, same.rows_new, same.rows_added, same.rows_removed) == (400, 392, 2, 10)
    new.loc[new.index[:60], "gap"] = np.nan
    found = sides(old, new)
    assert {c.column: c.change for c in found.changed} == {
        "gap": "kept", "whole": "retyped", "<b>gone": "removed", "came": "added",
    }  # fmt: skip
    assert one(found, "gap").missing_q < 1e-6
    assert one(found, "gap").missing_new == pytest.approx(62 / 392, abs=0.01)
    text = str(found)
    assert "rows: 400 to 392 (62 added, 70 removed)" in text
    assert "whole: type int64 to float64" in text
    assert "no evidence of a change in 3 other columns" in text
    assert "not tested: list" in text
    assert "<b>gone" not in found._repr_html_()
    assert len(found.frame()) == 8
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.old = "x"  # type: ignore[misc]


def test_samples_of_one_source_rarely_differ() -> None:
    """With twenty columns of one source, a change is claimed in at most about one comparison of twenty."""
    rng = np.random.default_rng(3)
    repeats, claimed = 60, 0
    for _ in range(repeats):
        tables = []
        for n in (300, 200):
            numbers = {f"n{i}": rng.normal(size=n) for i in range(6)}
            labels = {
                f"c{i}": rng.choice(list("abcdefgh"), n, p=[0.4, 0.3, 0.1, 0.1, 0.05, 0.03, 0.01, 0.01])
                for i in range(4)
            }
            holes = {f"m{i}": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)) for i in range(5)}
            tables.append(pd.DataFrame(numbers | labels | holes))
        claimed += bool(sides(*tables).changed)
    assert claimed / repeats <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(), pd.DataFrame({"x": []}), pd.DataFrame({"x": [None, None]}),
        pd.DataFrame({"x": [np.inf, -np.inf]}),
        pd.DataFrame({"x": [True, None]}), pd.DataFrame([[1, 2]], columns=["x", "x"]),
        pd.DataFrame({"x": pd.to_timedelta([1, 2], unit="s")}), pd.DataFrame({"x": [1j]}),
    ],
)  # fmt: skip
def test_every_table_can_be_compared_with_itself_and_another(frame: pd.DataFrame) -> None:
    """Nothing, no rows, infinities, doubled names and odd types: no error, and the same content is called that."""
    assert str(sides(frame, frame)).endswith("the content is the same.")
    for kept in (False, True):
        assert not [c for c in sides(frame, frame, kept=kept).columns if c.changed]
        assert str(sides(frame, pd.DataFrame({"x": [1.0]}), kept=kept))
        sides(frame, frame)._repr_html_()


def test_a_summary_is_of_bounded_size_and_right() -> None:
    """Figures are NumPy's; long categories are cut and stay apart; many columns keep less of each."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=5_000)
    long = ["y" * 5_000 + str(i % 300) for i in range(5_000)]
    ml.datasets.add(pd.DataFrame({"x": x, "long": long, "t": pd.date_range("2024", periods=5_000, freq="h")}), "d")
    found = ml.datasets.summary("d").set_index("column")
    assert found.loc["x", "mean"] == pytest.approx(x.mean())
    assert found.loc["x", "std"] == pytest.approx(x.std(ddof=1))
    assert (found.loc["x", "min"], found.loc["x", "max"]) == (x.min(), x.max())
    assert found.loc["x", "median"] == pytest.approx(np.median(x), abs=0.02)
    assert found["distinct"].tolist() == [5_000, 300, 5_000]
    assert found.loc["t", "min"] == pd.Timestamp("2024-01-01", tz="UTC")
    wide = summarise(as_table(pd.DataFrame(rng.normal(size=(300, 2_000)))))
    assert len(wide.encode()) < 4_000_000
    assert len(summarise(as_table({"a": long})).encode()) < 10_000


def test_versions_are_compared_from_rows_or_from_what_was_kept() -> None:
    """A file that is there is read; when it is gone its summary speaks, and the result says so; data may be given."""
    rng = np.random.default_rng(5)
    first, second = pd.DataFrame({"x": rng.normal(size=500)}), pd.DataFrame({"x": rng.normal(size=500) + 1})
    first.to_parquet("d.parquet")
    ml.datasets.add("d.parquet")
    with pytest.raises(ml.InputError, match="has one version only"):
        ml.datasets.drift("d")
    assert ml.datasets.drift("d", new=second).basis == "the data"
    second.to_parquet("d.parquet")
    ml.datasets.add("d.parquet")
    found = ml.datasets.drift("d")
    assert (found.old, found.new, found.rows_added) == ("version 1", "version 2", None)
    assert found.basis == "the kept summary of version 1 (its rows are gone)"
    assert [c.column for c in found.changed] == ["x"]
    assert ml.datasets.drift("d", old=first).rows_removed == 500
    assert ml.datasets.drift("d", 1, Path("d.parquet")).changed
    Path("d.parquet").unlink()
    assert "version 1 and of version 2" in str(ml.datasets.drift("d", 1, 2))
    for wrong in (7, "nowhere.csv", 3.5):
        with pytest.raises(ml.ModelLabError, match=r"no version 7|numbers of versions|must be a"):
            ml.datasets.drift("d", wrong)
