"""Exported pages, opened from disk with the network cut."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import watched, write_notebook

from modellab_jupyter.widgets import saved

pytestmark = pytest.mark.browser

MEMORY = Path(__file__).parent.parent / "widgets" / "memory_source.py"
SHOW = "from memory_source import MemorySource\nfrom modellab_jupyter.widgets.dashboard import Dashboard\n"


@pytest.fixture
def offline(lab, browser):
    """A function that executes cells, exports the notebook and opens it in a browser without a network."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)

    def opened(name, *cells):
        shutil.copy(MEMORY, lab.work)
        write_notebook(lab, f"{name}.ipynb", SHOW, *cells)
        command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "modellab", "--execute", f"{name}.ipynb"]
        env = {k: v for k, v in lab.env.items() if k != "JPY_SESSION_NAME"}
        subprocess.run(command, cwd=lab.work, env=env, check=True, capture_output=True)
        page = watched(context.new_page())
        page.goto((lab.work / f"{name}.html").as_uri())
        return page, lab.work / f"{name}.html"

    yield opened
    context.close()


def test_an_exported_dashboard_is_interactive_without_a_network(offline):
    """Its table sorts and filters and its curves are drawn by Plotly, from the page alone."""
    page, file = offline("offline", "Dashboard(MemorySource(30))")
    page.locator(".modellab .ml-row").first.wait_for()
    page.locator(".modellab .js-plotly-plot .main-svg").first.wait_for()
    assert page.locator(".modellab-html").count() == 0
    before = page.locator(".modellab .ml-body .ml-row").count()
    page.locator(".modellab .ml-filter").first.fill("accuracy > 0.9")
    page.wait_for_function("n => document.querySelectorAll('.modellab .ml-body .ml-row').length < n", arg=before)
    assert page.outside == []
    assert page.errors == []
    assert file.stat().st_size < 1_300_000


def test_without_scripts_the_plain_table_stays(offline, browser):
    """Where scripts do not run the page has the table and the picture of the saved output."""
    _, file = offline("unscripted", "Dashboard(MemorySource(12))")
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".modellab-html tbody tr").count() == 12
    assert page.locator(".modellab-html img").count() >= 1
    context.close()


def test_headings_of_plain_html_put_numbers_before_texts(page):
    """A column of numbers and texts has its numbers by value, then its texts with "run 9" before "run 10"."""
    values = ["auto", "0.2", "run 10", "0.15", "10", "run 9"]
    page.set_content(saved.Page("mixed", [saved.Grid("", saved.as_table({"lr": values}))]).to_html())
    page.get_by_role("button", name="lr").click()
    assert page.locator("tbody td").all_inner_texts() == ["0.15", "0.2", "10", "auto", "run 9", "run 10"]
    page.get_by_role("button", name="lr").click()
    assert page.locator("tbody td").all_inner_texts() == ["run 10", "run 9", "auto", "10", "0.2", "0.15"]


EVALUATED = """import numpy as np
import modellab_jupyter as ml
rng = np.random.default_rng(0)
y = rng.integers(0, 2, 200)
p = np.clip(0.25 + 0.5 * y + 0.25 * rng.normal(size=200), 0, 1)
with ml.start_run("one", project_id="thresholds") as run:
    report = run.evaluate(p, y)
"""


def test_the_threshold_of_an_evaluation_moves_without_a_kernel(offline):
    """Keys move the slider; counts follow, add up, and cost is least where the button leads."""
    page, _ = offline("threshold", EVALUATED, "ml.evaluation('one')")
    panel = page.locator(".ml-threshold")
    panel.wait_for()
    cells = "() => [...document.querySelectorAll('.ml-threshold .ml-matrix td b')].map(c => +c.innerText)"
    before = page.evaluate(cells)
    panel.locator("input[type=range]").focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    after = page.evaluate(cells)
    assert sum(before) == sum(after) == 200
    assert after[0] <= before[0]
    assert after[2] <= before[2]
    cost = "() => Number(document.querySelector('.ml-threshold').innerText.match(/Cost ([\\d.]+)/)[1])"
    dear = page.evaluate(cost)
    panel.get_by_role("button", name="Cheapest threshold").click()
    assert page.evaluate(cost) <= dear
    assert page.outside == []
    assert page.errors == []
