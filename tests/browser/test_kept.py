"""What a person chose stays when a live view is brought up to date."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from alone import Alone

from modellab_jupyter.errors import DamagedError
from modellab_jupyter.widgets.datasets import DatasetList
from modellab_jupyter.widgets.projects import ProjectList

sys.path.append(str(Path(__file__).parent.parent / "widgets"))
from memory_lists import LONG, MemoryDatasets, MemoryProjects

pytestmark = pytest.mark.browser

DETAIL = ".modellab .ml-detail"
PANEL = f"{DETAIL} [role=tabpanel]"


def counted(table, column, by):
    """The same table with other numbers in a column, as after something was logged."""
    values = [None if v is None else v + by for v in table.column(column).to_pylist()]
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.array(values, table.schema.field(column).type))


class Datasets(MemoryDatasets):
    def datasets(self, project_id):
        return counted(super().datasets(project_id), "runs", self.token)


class Projects(MemoryProjects):
    broken = False

    def projects(self):
        return counted(super().projects(), "runs", self.token)

    def dashboard(self, project_id):
        if self.broken:
            raise DamagedError("the dashboard is damaged")
        return super().dashboard(project_id)


def brought_up_to_date(page, alone, source, verb):
    """Change something, and wait until the view has read what is told of the chosen one anew."""
    before = alone.asked.count(verb)
    source.token += 1
    for _ in range(100):
        page.wait_for_timeout(50)
        if alone.asked.count(verb) > before:
            return page.wait_for_timeout(100)
    raise AssertionError("the view does not read again")


def heads(page, within):
    return page.locator(f"{within} [aria-sort=ascending], {within} [aria-sort=descending]").all_inner_texts()


def test_a_version_an_order_and_a_place_in_a_table_stay(page):
    """Version, sorting, scrolling and focus of the chosen dataset outlive new numbers in the list."""
    source = Datasets(3)
    page.set_viewport_size({"width": 500, "height": 900})
    alone = Alone(page, DatasetList(source, live=True))
    page.locator(f"{PANEL} .ml-body .ml-row").first.wait_for()
    page.locator(f"{DETAIL} .ml-versions input").nth(1).check()
    page.locator(f"{PANEL} >> text=300 rows, 5 columns").wait_for()
    page.locator(f"{PANEL} .ml-head .ml-cell").first.click()
    page.locator(f"{PANEL} .ml-grid").evaluate("g => { g.scrollLeft = 70 }")
    page.locator(f"{DETAIL} .ml-versions input").nth(1).focus()
    brought_up_to_date(page, alone, source, "summary")
    assert page.locator(f"{DETAIL} .ml-versions input").nth(1).is_checked()
    assert page.evaluate("() => document.activeElement.matches('.ml-versions input:checked')")
    assert heads(page, PANEL)[0].startswith("column")
    assert page.locator(f"{PANEL} .ml-grid").evaluate("g => g.scrollLeft") == 70
    assert page.errors == []


def test_a_version_chosen_while_an_update_is_under_way_stays(page):
    """What comes late is of what was asked before, and does not undo what was chosen since."""
    source = Datasets(3)
    alone = Alone(page, DatasetList(source, live=True))
    page.locator(f"{PANEL} .ml-body .ml-row").first.wait_for()
    alone.late = ("dataset",)
    brought_up_to_date(page, alone, source, "dataset")
    page.locator(f"{DETAIL} .ml-versions input").nth(2).check()
    alone.catch_up()
    page.wait_for_timeout(300)
    assert page.locator(f"{DETAIL} .ml-versions input").nth(2).is_checked()
    page.locator(f"{PANEL} >> text=300 rows, 5 columns").wait_for()


def test_the_versions_that_are_compared_stay(page):
    """From and to of what changed are those that were chosen, and the answer is of them."""
    source = Datasets(3)
    alone = Alone(page, DatasetList(source, live=True))
    page.locator(f"{PANEL} .ml-body .ml-row").first.wait_for()
    page.locator("[data-tab=drift]").click()
    page.locator(f"{PANEL} select").nth(0).select_option("2")
    page.locator(f"{PANEL} select").nth(1).select_option("1")
    page.locator(f"{PANEL} >> text=old ▴ new ▾").wait_for()
    brought_up_to_date(page, alone, source, "drift")
    assert [one.input_value() for one in page.locator(f"{PANEL} select").all()] == ["2", "1"]
    page.locator(f"{DETAIL} .ml-versions input").nth(1).check()
    page.wait_for_timeout(200)
    assert [one.input_value() for one in page.locator(f"{PANEL} select").all()] == ["1", "2"]


def test_a_tab_an_order_and_an_open_dashboard_of_a_project_stay(page):
    """New numbers of a project close nothing, sort nothing anew, and take the focus from nobody."""
    source = Projects(3)
    alone = Alone(page, ProjectList(source, live=True))
    page.locator(f"{PANEL} .ml-body .ml-row").first.wait_for()
    page.locator(f"{PANEL} .ml-head .ml-cell", has_text="run").first.click()
    page.get_by_role("button", name="Show its dashboard here").click()
    page.locator(".ml-nested .ml-body .ml-row").first.wait_for()
    page.get_by_role("button", name="Show its dashboard here").focus()
    brought_up_to_date(page, alone, source, "project")
    assert heads(page, PANEL)[0].startswith("run")
    assert page.locator(".ml-nested .ml-body .ml-row").count() > 0
    assert page.evaluate("() => document.activeElement.textContent") == "Show its dashboard here"
    assert page.errors == []


def test_why_a_dashboard_could_not_be_shown_stays(page):
    """Until it is tried again or closed, or another project is chosen."""
    source = Projects(3)
    source.broken = True
    alone = Alone(page, ProjectList(source, live=True))
    page.get_by_role("button", name="Show its dashboard here").click()
    page.locator(f"{DETAIL} .ml-error >> text=the dashboard is damaged").wait_for()
    brought_up_to_date(page, alone, source, "project")
    assert page.locator(f"{DETAIL} .ml-error >> text=the dashboard is damaged").is_visible()
    source.broken = False
    page.get_by_role("button", name="Try again").click()
    page.locator(".ml-nested .ml-body .ml-row").first.wait_for()
    assert page.locator(f"{DETAIL} .ml-error:visible").count() == 0


@pytest.mark.parametrize("name", ["x" * 300, LONG, 'a "b" \\ \u202e\u0007 é\U000e0041🎉'])
def test_the_code_that_opens_a_dashboard_has_the_whole_name(page, name):
    """What is copied from the page runs: a name is not cut in code, and it steers nothing."""
    source = Projects(1)
    source.names = [name]
    Alone(page, ProjectList(source, live=True))
    page.locator(f"{DETAIL} code").wait_for()
    code = page.locator(f"{DETAIL} code").inner_text()
    assert "\u202e" not in code
    assert eval(code.removeprefix("ml.dashboard")) == name
    assert page.locator(".modellab").evaluate("b => b.scrollWidth - b.clientWidth") <= 0
