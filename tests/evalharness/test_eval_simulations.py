"""Intervals cover and tests keep their level: the short version of ``python -m tests.benchmarks.simulations``."""

import pytest

from tests.benchmarks import simulations

SHORT = {
    title: (work, low, high)
    for title, work, _, low, high in simulations.simulations(1000)
    if not any(long in title for long in ("n = 1,000", "n = 2,000", "n = 3,000", "n = 5,000", "n = 60,000"))
}


@pytest.mark.parametrize("title", SHORT)
def test_simulated_shares_are_near_what_is_promised(title):
    """Each metric over 40 samples, within four standard errors, and all of them together within two."""
    work, low, high = SHORT[title]
    found = work(runs=40)
    happened, runs = sum(share.happened for share in found), sum(share.runs for share in found)
    error = (0.05 * 0.95 / 40) ** 0.5  # metrics of one sample go together: as if there were 40 values
    assert runs >= 40
    for share in found:
        assert share.runs < 20 or low - 4 * error <= share.share <= high + 4 * error, share
    assert low - 2 * error <= happened / runs <= high + 2 * error, found


def test_planted_slices_are_found():
    (found,) = simulations.planted_slices(3000, runs=10)
    assert found.happened >= 9
