"""The dashboard while a cell trains: with subshells, without them, and after it was looked at in some way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psutil
import pytest
from pages import open_notebook, run_all, write_notebook
from pages import watched as looked_after
from test_dashboard import BOARD, drawn, names, quiet, sort_by

pytestmark = pytest.mark.browser

MEMORY = Path(__file__).parent.parent / "widgets" / "memory_source.py"
SHOW = "from memory_source import MemorySource\nfrom modellab_jupyter.widgets.dashboard import Dashboard\n"
SECONDS = 240  # of a training, which each test cuts short
STEPS = f"() => Math.round({20 * SECONDS} * document.querySelector('.ml-going progress').value)"
PATIENCE = 120_000  # milliseconds: what is shown may take a fiftieth of the training, so a busy machine shows it seldom

TRAIN = """import time
with ml.start_run("long", project_id="P", total_steps=SECONDS * 20, params={"depth": 3}) as run:
    for step in range(SECONDS * 20):
        ml.log_metrics({"loss": 1 / (step + 1)}, step=step)
        time.sleep(0.05)
"""


@pytest.fixture(autouse=True)
def _memory(lab):
    shutil.copy(MEMORY, lab.work)


def start(page, cell):
    """Run one cell and do not wait for it."""
    page.evaluate(
        """i => { const notebook = window.jupyterapp.shell.currentWidget.content; notebook.activeCellIndex = i;
        void window.jupyterapp.commands.execute('notebook:run-cell'); }""",
        cell,
    )


def steps(page):
    """How many steps the page says that were done."""
    page.wait_for_selector(f"{BOARD} .ml-going progress")
    return page.evaluate(STEPS)


def watched(page, lab, name, app="lab/tree"):
    """Run a dashboard and, in the cell below, a training."""
    (lab.work / name).mkdir()
    before = "import modellab_jupyter as ml\nml.start_run('before', project_id='P').end()"
    write_notebook(lab, f"{name}/live.ipynb", before, "ml.dashboard('P')", TRAIN.replace("SECONDS", str(SECONDS)))
    open_notebook(page, lab, f"{name}/live.ipynb", app=app)
    for cell in (0, 1):
        start(page, cell)
        page.wait_for_function(
            "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.executionCount !== null", arg=cell
        )
    page.wait_for_selector(f"{BOARD} .ml-body .ml-row")
    start(page, 2)


def interrupt(page):
    page.evaluate("() => { void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt() }")


@pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
def test_a_dashboard_follows_a_training_and_its_interruption(lab, page, app):
    """While a cell runs, step, time left and curve move in the output of another; an interrupt turns the status."""
    watched(page, lab, f"train-{app[:3]}", app)
    first = steps(page)
    assert "left, until" in page.locator(f"{BOARD} .ml-going").inner_text()
    assert "loss" in page.locator(f"{BOARD} .ml-going").inner_text()
    page.wait_for_function(f"n => ({STEPS})() > n + 20", arg=first, timeout=PATIENCE)
    drawn(page)
    interrupt(page)
    page.wait_for_selector(f"{BOARD} .ml-body .ml-row[aria-rowindex='2'] >> text=interrupted")
    assert page.locator(f"{BOARD} .ml-going").count() == 0
    quiet(page)


def test_a_killed_kernel_turns_its_run_stale_where_somebody_watches(lab, page):
    """The dashboard of another notebook says by itself that nobody records it any more; what it logged stays."""
    watched(page, lab, "killed")
    page.wait_for_selector(f"{BOARD} .ml-going progress")
    write_notebook(lab, "killed/other.ipynb", "import modellab_jupyter as ml\nml.dashboard('P')")
    other = looked_after(page.context.new_page())
    open_notebook(other, lab, "killed/other.ipynb")
    run_all(other)
    row = f"{BOARD} .ml-body .ml-row[aria-rowindex='2']"
    other.wait_for_selector(f"{row} >> text=running")
    other.wait_for_selector(f"{BOARD} .ml-going progress")
    kernel = page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    running = psutil.process_iter(["cmdline"])
    (process,) = [one for one in running if any(kernel in part for part in one.info["cmdline"] or ())]
    process.kill()
    other.wait_for_selector(f"{row} >> text=stale")
    assert other.locator(f"{BOARD} .ml-going").count() == 0
    assert float(other.locator(f"{row} .ml-num").first.inner_text()) > 0
    assert other.locator(f"{BOARD} .ml-state").inner_text().startswith("live")
    quiet(other)


def test_without_subshells_logging_brings_the_news(lab, page):
    """Where a busy kernel cannot be asked, what is logged is sent: step and curve move all the same."""
    settings = lab.root / "config/lab/user-settings/@jupyterlab/apputils-extension"
    kernels = settings / "kernels-settings.jupyterlab-settings"
    kernels.write_text(json.dumps({"commsOverSubshells": "disabled"}))
    try:
        watched(page, lab, "push")
        page.wait_for_timeout(12_000)
        first = steps(page)
        page.wait_for_function(f"n => ({STEPS})() > n", arg=first, timeout=PATIENCE)
        drawn(page)
        assert page.locator(".jp-InputPrompt").nth(2).inner_text() == "[*]:"
        interrupt(page)
        page.wait_for_selector(f"{BOARD} .ml-body .ml-row[aria-rowindex='2'] >> text=interrupted")
        quiet(page)
    finally:
        kernels.unlink()


def test_a_look_survives_the_cell_the_kernel_and_has_a_name(lab, page):
    """Filter, order, columns, selection and chart come back when the cell runs again, also in a new kernel."""
    write_notebook(lab, "look.ipynb", SHOW + "source = MemorySource(12)", "Dashboard(source)")
    open_notebook(page, lab, "look.ipynb")
    run_all(page)
    drawn(page)
    sort_by(page, "accuracy")
    page.locator(f"{BOARD} .ml-filter").first.fill("accuracy > 0.6")
    page.locator(f"{BOARD} summary", has_text="Columns").click()
    page.locator(f"{BOARD} .ml-pop label", has_text="log_loss").click()
    page.keyboard.press("Escape")
    page.locator(f"{BOARD} .ml-row[aria-rowindex='3'] .ml-tick").click()
    page.locator(f"{BOARD} [data-tab=scatter]").click()
    page.wait_for_timeout(1000)
    order = names(page)

    def as_before():
        page.wait_for_selector(f"{BOARD} .ml-body .ml-row")
        assert page.locator(f"{BOARD} .ml-filter").first.input_value() == "accuracy > 0.6"
        assert names(page) == order
        assert page.locator(f"{BOARD} .ml-head").inner_text().count("log_loss") == 0
        assert page.locator(f"{BOARD} .ml-row[aria-rowindex='3']").get_attribute("aria-selected") == "true"
        assert page.locator(f"{BOARD} [data-tab=scatter]").get_attribute("aria-selected") == "true"

    start(page, 1)
    page.wait_for_timeout(1500)
    as_before()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    run_all(page)
    as_before()

    page.locator(f"{BOARD} summary", has_text="Views").click()
    page.get_by_role("textbox", name="Name of this view").fill("<b>best</b>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="<b>best</b>", exact=True).wait_for()
    page.locator(f"{BOARD} .ml-filter").first.fill("")
    page.locator(f"{BOARD} summary", has_text="Views").click()
    page.get_by_role("button", name="<b>best</b>", exact=True).click()
    as_before()
    page.locator(f"{BOARD} summary", has_text="Views").click()
    page.get_by_role("button", name="Forget the view <b>best</b>").click()
    page.get_by_text("A view keeps filter").wait_for()
    quiet(page)


def test_zooming_asks_for_more_points_of_a_part(lab, page):
    """A long curve has as many points of the part that was zoomed to as of the whole, and goes back."""
    write_notebook(lab, "zoom.ipynb", SHOW + "Dashboard(MemorySource(4, steps=50_000))")
    open_notebook(page, lab, "zoom.ipynb")
    run_all(page)
    drawn(page)
    gap = "() => (x => x[6] - x[5])(document.querySelector('.modellab .js-plotly-plot')._fullData[0].x)"
    assert page.evaluate(gap) == 50
    plot = page.locator(f"{BOARD} .js-plotly-plot .nsewdrag").first.bounding_box()
    page.mouse.move(plot["x"] + plot["width"] * 0.5, plot["y"] + 50)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * 0.6, plot["y"] + 52, steps=5)
    page.mouse.up()
    page.wait_for_function(f"() => ({gap})() < 10")
    low, high = page.evaluate("() => document.querySelector('.modellab .js-plotly-plot')._fullLayout.xaxis.range")
    assert 3000 < high - low < 7000
    page.mouse.dblclick(plot["x"] + plot["width"] * 0.5, plot["y"] + 100)
    page.wait_for_function(f"() => ({gap})() === 50")
    quiet(page)
