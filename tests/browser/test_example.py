"""The example notebook as a person meets it: run, look, sort, close; open again when no kernel is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages import open_notebook, run_all, save, shut_down

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "examples" / "first_steps.ipynb"
BOARD = ".jp-OutputArea-output .modellab"
PLOT = f"{BOARD} .ml-plot .scatterlayer .trace"


def first_name(page):
    row = page.locator(f"{BOARD} .ml-body .ml-row[aria-rowindex='2'] .ml-first > bdi")
    return row.inner_text()


def see_charts(page):
    """Estimates with their intervals first, then the curve of a metric that has steps."""
    page.locator(BOARD).first.scroll_into_view_if_needed()
    page.wait_for_selector(f"{PLOT} .point", state="attached")
    page.wait_for_selector(f"{PLOT} .errorbar", state="attached")
    choice = page.locator(f"{BOARD} select").first
    choice.select_option(label="test_loss")
    page.wait_for_selector(f"{PLOT} path.js-line", state="attached")
    choice.select_option(label="accuracy")


def sort_by(page, title):
    page.locator(f"{BOARD} .ml-head .ml-cell", has=page.get_by_text(title, exact=True)).click()


def test_the_example_notebook_lives_on_without_a_kernel(lab, page):
    """Run it in JupyterLab, sort the dashboard, save and close; reopened without a kernel both are there."""
    shutil.copy(EXAMPLE, lab.work / "example.ipynb")
    open_notebook(page, lab, "example.ipynb")
    run_all(page)
    see_charts(page)
    assert page.locator(f"{BOARD} .ml-state").inner_text().startswith("live")
    assert page.locator(f"{BOARD} .ml-grid").get_attribute("aria-rowcount") == "4"

    sort_by(page, "accuracy")
    descending = first_name(page)
    sort_by(page, "accuracy")
    assert first_name(page) != descending

    save(page)
    shut_down(page)
    page.evaluate("() => window.jupyterapp.commands.execute('application:close')")
    open_notebook(page, lab, "example.ipynb", kernel=False)
    page.wait_for_selector(BOARD)
    shut_down(page)
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.sessionContext.session")
    see_charts(page)

    assert page.locator(f"{BOARD} .ml-state").inner_text() == "saved with the notebook"
    sort_by(page, "accuracy")
    assert first_name(page) == descending
    assert page.outside == []
