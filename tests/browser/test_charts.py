"""Charts follow what is chosen, and say what they show to those who do not see them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from alone import Alone

from modellab_jupyter.widgets.dashboard import Dashboard

sys.path.append(str(Path(__file__).parent.parent / "widgets"))
from memory_source import MemorySource

pytestmark = pytest.mark.browser

AXES = """wanted => (found => found && found.includes('depth') === wanted)(
  document.querySelector('.modellab .js-plotly-plot')?._fullData?.[0]?.dimensions?.map(d => d.label))"""


def test_parallel_coordinates_follow_the_columns(page):
    """A column that is taken away is no axis any more, and is one again when it comes back."""
    Alone(page, Dashboard(MemorySource(12), live=True))
    page.locator("[data-tab=parallel]").click()
    page.wait_for_function(AXES, arg=True)
    page.locator("summary", has_text="Columns").click()
    page.locator(".ml-pop label", has_text="depth").click()
    page.wait_for_function(AXES, arg=False)
    page.locator(".ml-pop label", has_text="depth").click()
    page.wait_for_function(AXES, arg=True)
    assert page.errors == []


def test_a_chart_has_its_values_as_a_table(page):
    """A line for each run with its first, last, lowest and highest value; of the drawing itself nothing is read out."""
    Alone(page, Dashboard(MemorySource(6), live=True))
    page.wait_for_selector(".modellab .js-plotly-plot .main-svg", state="attached")
    table = page.get_by_role("figure").get_by_role("table")
    assert table.get_by_role("columnheader").all_inner_texts() == [
        "line", "points", "first", "last", "lowest", "highest",
    ]  # fmt: skip
    assert table.get_by_role("rowheader").all_inner_texts()[-3:] == ["xgboost", "forest", "logistic"]
    points, first = table.get_by_role("row").nth(1).get_by_role("cell").all_inner_texts()[:2]
    assert points == "60"
    assert first.endswith(" at 0")
    assert page.locator(".js-plotly-plot svg.main-svg:not([aria-hidden=true])").count() == 0
    assert page.errors == []


def test_support_is_seen_beside_each_interval(page):
    """The number of rows stands in the cell, where nobody has to point at it."""
    Alone(page, Dashboard(MemorySource(4), live=True))
    cell = page.locator(".modellab .ml-body .ml-row .ml-ci").first
    assert cell.inner_text().endswith("] n = 2,500")
