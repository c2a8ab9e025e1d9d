"""How metrics are compared."""

from __future__ import annotations

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from modellab_jupyter.repro.comparing import compare, number, plain, same, single, worst

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
RANK = {"exact": 0, "equal": 1, "within": 2, "differs": 3, "missing": 3, "additional": 3}


def metric(values, low=None, high=None, last=None):
    values = list(map(plain, values))
    return {
        "last": plain(last) if last is not None else (values[-1] if values else None),
        "series": {"steps": list(range(len(values))), "values": values},
        "low": plain(low), "high": plain(high), "n": None,
    }  # fmt: skip


METRICS = st.dictionaries(st.text(max_size=3), st.lists(NUMBERS, max_size=4).map(metric), max_size=4)


@given(METRICS)
def test_a_run_is_exactly_itself(metrics) -> None:
    """Whatever was recorded, NaN and infinities included, is exact beside itself."""
    rows = compare(metrics, metrics)
    assert {row.level for row in rows} <= {"exact"}
    assert worst(rows, recorded=len(metrics)) == ("exact" if metrics else "unknown")


@given(NUMBERS, NUMBERS)
def test_exact_means_the_same_bits(one, other) -> None:
    """Two values are the same where their 64 bits are, or both are no number; so 0.0 is not -0.0."""
    bits = struct.pack("<d", one) == struct.pack("<d", other)
    assert same(one, other) == (bits or (math.isnan(one) and math.isnan(other)))


@given(METRICS, METRICS)
def test_the_worst_metric_decides(one, other) -> None:
    """The level of a run is that of its worst metric, whichever side lacks one."""
    rows = compare(one, other)
    level = worst(rows, recorded=len(one))
    assert {row.metric for row in rows} == one.keys() | other.keys()
    assert level == "unknown" if not one else RANK[level] == max(RANK[row.level] for row in rows)


@given(METRICS, METRICS)
def test_agreement_is_the_same_both_ways(one, other) -> None:
    """Without intervals, what agrees from here agrees from there."""
    swap = {"missing": "additional", "additional": "missing"}
    there = {row.metric: row.level for row in compare(other, one)}
    assert {row.metric: swap.get(row.level, row.level) for row in compare(one, other)} == there


@given(st.floats(1e-300, 1e300), st.floats(-4e-10, 4e-10))
def test_a_billionth_is_numerically_equal(value, shift) -> None:
    """A value that moved by less than a billionth of itself is equal, and exact only if its bits are."""
    (row,) = compare({"m": metric([value])}, {"m": metric([value * (1 + shift)])})
    assert row.level == ("exact" if value * (1 + shift) == value else "equal")


@given(st.floats(1.0, 1e6), st.floats(1e-8, 1e-2))
def test_more_than_a_billionth_differs(value, shift) -> None:
    """A value of float64 that moved by more than that differs."""
    value = value + 1e-11 * math.pi  # so that it is no float32
    if single([value]):
        return
    (row,) = compare({"m": metric([value])}, {"m": metric([value * (1 + shift)])})
    assert row.level == "differs"


def test_float32_gets_its_own_tolerance() -> None:
    """Where all values of both sides are float32, a relative 1e-5 is equal; a short fraction or a count is not."""
    a, b = (struct.unpack("<f", struct.pack("<f", x))[0] for x in (0.123456, 0.1234563))
    assert compare({"m": metric([a])}, {"m": metric([b])})[0].level == "equal"
    assert compare({"m": metric([0.75])}, {"m": metric([0.750005])})[0].level == "differs"
    assert compare({"m": metric([123457.0])}, {"m": metric([123458.0])})[0].level == "differs"
    assert compare({"m": metric([a, 0.1])}, {"m": metric([b, 0.1])})[0].level == "differs"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-2, 2))
def test_within_is_between_the_recorded_bounds(last, down, up, found) -> None:
    """A last value that is not equal is within its interval exactly where the recorded one holds it."""
    low, high = last - down, last + up
    (row,) = compare({"m": metric([last], low, high)}, {"m": metric([found])})
    if row.level not in {"exact", "equal"}:
        assert (row.level == "within") == (low <= found <= high)


def test_no_number_is_within_nothing() -> None:
    """NaN beside a number differs, with an interval or without; beside NaN it is exact."""
    assert compare({"m": metric([0.5], 0.0, 1.0)}, {"m": metric([math.nan])})[0].level == "differs"
    assert compare({"m": metric([math.nan], 0.0, 1.0)}, {"m": metric([0.5])})[0].level == "within"
    assert compare({"m": metric([math.nan])}, {"m": metric([math.nan])})[0].level == "exact"


def test_a_series_of_another_length_differs() -> None:
    """One value more or fewer, or another step, is a difference though the last values agree."""
    (row,) = compare({"m": metric([1.0, 2.0])}, {"m": metric([2.0])})
    assert (row.level, row.note) == ("differs", "2 values were recorded, 1 came back")
    shifted = metric([1.0, 2.0])
    shifted["series"]["steps"] = [0, 2]
    assert compare({"m": metric([1.0, 2.0])}, {"m": shifted})[0].note == "the steps are others"


def test_the_first_difference_is_named() -> None:
    """Of a long series the step is told from which it is another."""
    was, now = [0.1 * n for n in range(9)], [0.1 * n for n in range(9)]
    now[5] += 1
    (row,) = compare({"m": metric(was)}, {"m": metric(now)})
    assert (row.level, row.note) == ("differs", "first at step 5")


def test_missing_and_additional_metrics_are_differences() -> None:
    """A metric on one side alone is told, and no run with one is reproduced."""
    rows = compare({"a": metric([1.0]), "b": metric([1.0])}, {"a": metric([1.0]), "c": metric([1.0])})
    assert [(row.metric, row.level) for row in rows] == [("b", "missing"), ("c", "additional"), ("a", "exact")]
    assert worst(rows, recorded=2) == "differs"


@given(NUMBERS)
def test_numbers_survive_strict_json(value) -> None:
    """What JSON lacks goes through as text and comes back."""
    assert same(number(plain(value)), value)
