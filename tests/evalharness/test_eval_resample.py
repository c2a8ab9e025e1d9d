"""Resamples are drawn evenly, and are the same everywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.resample import Plan, Stream, scaled, threefry


# Random123 1.14, kat_vectors, threefry2x32 with 20 rounds
@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_threefry(key, counter, words):
    first, second = (np.array([c], dtype=np.uint32) for c in counter)
    assert tuple(int(w[0]) for w in threefry(key, first, second)) == words


@given(st.integers(0, 2**64 - 1), st.integers(1, 40), st.integers(1, 5), st.integers(0, 9))
def test_words_are_found_by_their_place(seed, count, rows, start):
    """A block of words is that part of the whole table, wherever it starts and ends."""
    source = Stream(seed, 3)
    whole = source.words(41, 14)
    assert np.array_equal(source.words(count, rows, start), whole[start : start + rows, :count])


def test_seeds_and_purposes_have_their_own_words():
    words = {tuple(Stream(seed, purpose).words(4)[0].tolist()) for seed in (0, 1, 2**32) for purpose in (0, 1, 2)}
    assert len(words) == 9


def test_words_scaled_to_a_range():
    """floor(u * high / 2**32) in whole numbers, at both ends and in the middle."""
    words = np.array([0, 2**31 - 1, 2**31, 2**32 - 1], dtype=np.uint32)
    assert scaled(words, 10).tolist() == [0, 4, 5, 9]
    assert scaled(words, 2**31).tolist() == [0, 2**30 - 1, 2**30, 2**31 - 1]


def test_uniforms_fill_the_open_interval():
    """Mean 1/2 and variance 1/12 within five standard errors, and neither end is met."""
    u = Stream(5, 9).uniforms(100_000)
    assert u.min() > 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(u))
    assert abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / len(u))


@pytest.mark.parametrize("groups", [None, np.array([0, 0, 1, 2, 3, 3, 4, 4, 5])])
def test_strata_keep_their_size(groups):
    """Every resample has as many rows (or groups) of each stratum as the sample."""
    strata = np.array([1, 1, 0, 0, 2, 2, 2, 2, 2])
    weights = np.concatenate(list(Plan(9, 300, 0, groups, strata).draws()))
    unit = np.arange(9) if groups is None else groups
    one = np.array([np.flatnonzero(unit == u)[0] for u in np.unique(unit)])
    for stratum in range(3):
        inside = one[strata[one] == stratum]
        assert set(weights[:, inside].sum(axis=1)) == {len(inside)}
        assert len(inside) < 2 or len(np.unique(weights[:, inside], axis=0)) > 1


def test_weights_draw_n_rows_evenly():
    weights = np.concatenate(list(Plan(50, 2000, 3).draws()))
    assert weights.shape == (2000, 50)
    assert set(weights.sum(axis=1)) == {50}
    # each row is drawn once on average; the standard error of a mean of 2,000 is sqrt(.98 / 2000) = .022
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.1


def test_chunks_do_not_change_the_draws(monkeypatch):
    whole = np.concatenate(list(Plan(300, 100, 3).draws()))
    monkeypatch.setattr("evalharness.resample.CELLS", 301)
    assert np.array_equal(whole, np.concatenate(list(Plan(300, 100, 3).draws())))


def test_groups_are_drawn_whole():
    groups = np.array([0, 0, 1, 2, 2, 2])
    for weights in Plan(6, 100, 0, groups).draws():
        assert np.array_equal(weights[:, 0], weights[:, 1])
        assert np.array_equal(weights[:, 3], weights[:, 5])
        assert set((weights[:, 0] + weights[:, 2] + weights[:, 3]).tolist()) == {3}
