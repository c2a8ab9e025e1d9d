"""The lists of datasets and projects in a real JupyterLab: live, reopened without a kernel, hostile, by keyboard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pages import open_notebook, run_all, save, shut_down, theme, write_notebook
from test_dashboard import BOARD, quiet
from test_exported import offline  # noqa: F401 - a fixture
from test_stranger import LINK, ODD, harmless, polluted, stranger

pytestmark = pytest.mark.browser

MEMORY = Path(__file__).parent.parent / "widgets"
FROM_MEMORY = "from memory_lists import MemoryDatasets, MemoryProjects\n"
SHOW_DATASETS = FROM_MEMORY + "from modellab_jupyter.widgets.datasets import DatasetList\n"
SHOW_PROJECTS = FROM_MEMORY + "from modellab_jupyter.widgets.projects import ProjectList\n"
STORE = """
import os, pathlib, tempfile
import numpy as np, pandas as pd
import modellab_jupyter as ml
ml.configure(pathlib.Path(tempfile.mkdtemp()) / "modellab.duckdb", "shop")
%load_ext modellab_jupyter
rng = np.random.default_rng(0)
first = pd.DataFrame({"age": rng.normal(40, 9, 400), "plan": ["a", "b"] * 200})
second = first.assign(age=first["age"] + 8, region="north")
for name, frame in (("one", first), ("two", second)):
    with ml.start_run(name, project_id="shop"):
        ml.log_dataset(frame, "customers")
        ml.log_metrics({"accuracy": 0.7 + 0.1 * (name == "two")})
"""
PANEL = f"{BOARD} [role=tabpanel]"


@pytest.fixture(autouse=True)
def _memory(lab):
    for name in ("memory_source.py", "memory_lists.py"):
        shutil.copy(MEMORY / name, lab.work)


def state(page):
    return page.locator(f"{BOARD} .ml-state").first.inner_text()


def tab(page, name, waits_for):
    page.locator(f"{BOARD} [data-tab={name}]").click()
    page.wait_for_selector(f"{PANEL} :is(p, .ml-row) >> text={waits_for}")


def walk(page, *, live):
    """Look at every part of the first dataset."""
    page.wait_for_selector(f"{PANEL} .ml-spark")
    assert page.locator(f"{BOARD} .ml-versions tbody tr").count() == 3
    assert page.locator(f"{PANEL} .ml-body .ml-row").count() == 6
    tab(page, "rows", "The first")
    assert page.locator(f"{PANEL} .ml-head .ml-cell").count() == 6
    tab(page, "runs", "forest-1")
    assert page.locator(f"{PANEL} .ml-star").count() == 1
    assert page.locator(f"{PANEL} svg.ml-time").get_attribute("aria-label").startswith("Which runs used which version")
    tab(page, "drift", "3 of 6 columns changed" if live else "was not saved with the notebook")
    if live:
        page.locator(f"{PANEL} select").first.select_option("2")
        page.locator(f"{PANEL} select").first.select_option("1")
        page.wait_for_selector(f"{PANEL} >> text=new column")
    tab(page, "columns", "300 rows, 6 columns")
    page.locator(f"{BOARD} .ml-versions input").nth(2).check()
    page.wait_for_selector(f"{PANEL} >> text=300 rows, 5 columns")


def test_datasets_live_then_reopened_without_kernel(lab, page):
    """Choose, look, filter, save, close: later list, versions, columns and rows are still there."""
    path = write_notebook(lab, "datasets.ipynb", SHOW_DATASETS + "DatasetList(MemoryDatasets(40))")
    open_notebook(page, lab, "datasets.ipynb")
    run_all(page)
    walk(page, live=True)
    assert state(page).startswith("live")
    page.locator(f"{BOARD} .ml-filter").fill("versions > 1 and project = churn")
    page.wait_for_selector(f"{BOARD} >> text=1 of 40 datasets")
    page.locator(f"{BOARD} .ml-filter").fill("vershions > 1")
    assert 'did you mean "versions"?' in page.locator(f"{BOARD} .ml-slip").inner_text()
    page.locator(f"{BOARD} .ml-filter").fill("")

    save(page)
    assert path.stat().st_size < 150_000
    shut_down(page)
    page.wait_for_function("() => document.querySelector('.modellab .ml-state').textContent.includes('saved')")
    open_notebook(page, lab, "datasets.ipynb")
    page.wait_for_selector(BOARD)
    assert state(page) == "saved with the notebook"
    walk(page, live=False)
    page.locator(f"{BOARD} .ml-grid").first.evaluate("grid => grid.scrollTop = 1e6")
    page.locator(f"{BOARD} .ml-body .ml-row >> text=data 39").click()
    page.wait_for_selector(f"{BOARD} .ml-detail >> text=was not saved with the notebook")
    quiet(page)


def test_projects_live_then_reopened_without_kernel(lab, page):
    """Statistics, activity, runs and datasets; the dashboard comes from the kernel and goes again."""
    write_notebook(lab, "projects.ipynb", SHOW_PROJECTS + "ProjectList(MemoryProjects(3))")
    open_notebook(page, lab, "projects.ipynb")
    run_all(page)

    def walk_projects():
        page.wait_for_selector(f"{PANEL} >> text=forest-11")
        assert page.locator(f"{BOARD} svg.ml-time").count() == 2
        page.locator(f"{BOARD} .ml-body .ml-row >> text=prices").click()
        page.wait_for_selector(f"{BOARD} .ml-detail h3 >> text=prices")
        assert page.locator(f"{BOARD} .ml-detail code").inner_text() == 'ml.dashboard("prices")'
        tab(page, "datasets", "customers")
        tab(page, "runs", "forest-11")

    walk_projects()
    page.get_by_role("button", name="Show its dashboard here").click()
    page.wait_for_selector(f"{BOARD} .ml-nested .scatterlayer .trace", state="attached")
    page.get_by_role("button", name="Close", exact=True).click()
    assert page.locator(f"{BOARD} .ml-nested").count() == 0
    save(page)
    shut_down(page)
    open_notebook(page, lab, "projects.ipynb")
    page.wait_for_selector(BOARD)
    walk_projects()
    assert state(page) == "saved with the notebook"
    assert page.get_by_role("button", name="Show its dashboard here").count() == 0
    quiet(page)


def test_collections_and_magics_show_what_the_store_has(lab, page):
    """`ml.datasets`, `ml.projects` and both magics in cells; what is registered later appears by itself."""
    write_notebook(
        lab,
        "store.ipynb",
        STORE,
        "ml.datasets",
        "ml.projects",
        "%modellab datasets --project shop",
        "%modellab projects",
    )
    open_notebook(page, lab, "store.ipynb")
    run_all(page)
    heads = "[...document.querySelectorAll('.jp-OutputArea-output .modellab h2')].map(h => h.innerText)"
    wanted = json.dumps(["Datasets", "Projects", "Datasets of shop", "Projects"])
    # At once: between the saved form and the live one a heading may be empty.
    page.wait_for_function(f"() => JSON.stringify({heads}) === JSON.stringify({wanted})")
    first = page.locator(BOARD).first
    first.locator("[data-tab=drift]").click()
    first.locator("text=2 of 3 columns changed").wait_for()
    page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
             { code: 'ml.datasets.add(first, "later", description="<i>new</i>")' }).done"""
    )
    first.locator(".ml-body .ml-row >> text=later").wait_for()
    assert first.locator(".ml-detail h3").inner_text() == "customers"
    quiet(page)


def test_keyboard_reaches_the_lists(lab, page):
    """Without a mouse: move, choose, sort, change version and tab; JupyterLab's keys stay out."""
    write_notebook(lab, "keys2.ipynb", SHOW_DATASETS + "DatasetList(MemoryDatasets(5))")
    open_notebook(page, lab, "keys2.ipynb")
    run_all(page)
    page.wait_for_selector(f"{PANEL} .ml-spark")
    page.locator(f"{BOARD} .ml-grid").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{BOARD} .ml-detail h3 >> text=orders")
    assert page.locator(f"{BOARD} .ml-row[aria-selected=true]").count() == 1
    for key in ("ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert page.locator(f"{BOARD} .ml-head [aria-sort=ascending]").inner_text().startswith("name")
    for key in ("Home", "ArrowDown", "Space"):
        page.keyboard.press(key)
    page.wait_for_selector(f"{BOARD} .ml-detail h3 >> text=customers")
    page.locator(f"{BOARD} .ml-versions input").first.focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(f"{PANEL} >> text=300 rows, 5 columns")
    page.locator(f"{BOARD} [role=tab][aria-selected=true]").focus()
    page.keyboard.press("End")
    page.wait_for_selector(f"{PANEL} .ml-row >> text=forest-1")
    page.keyboard.press("d")
    page.keyboard.press("d")
    assert page.locator(BOARD).count() == 1
    quiet(page)


@pytest.mark.parametrize("which", ["datasets", "projects"])
def test_hostile_names_stay_text(lab, page, which):
    """Markup, 10,000 letters and right-to-left signs are shown letter by letter, live and reopened."""
    made = {
        "datasets": SHOW_DATASETS + "DatasetList(MemoryDatasets(3, hostile=True))",
        "projects": SHOW_PROJECTS + "ProjectList(MemoryProjects(3, hostile=True))",
    }
    write_notebook(lab, f"hostile-{which}.ipynb", made[which])
    open_notebook(page, lab, f"hostile-{which}.ipynb")
    run_all(page)

    def check():
        page.wait_for_selector(f"{BOARD} .ml-detail .ml-grid .ml-row")
        for row in range(2, 5):
            page.locator(f"{BOARD} .ml-grid").first.locator(f".ml-row[aria-rowindex='{row}']").click()
            for button in page.locator(f"{BOARD} [role=tab]").all():
                button.click()
                page.wait_for_timeout(150)
        page.locator(f"{BOARD} .ml-grid").first.locator(".ml-row[aria-rowindex='2']").click()
        page.locator(f"{BOARD} .ml-detail h3", has_text="<script>window.hacked").wait_for()
        assert page.evaluate("() => window.hacked") is None
        assert page.locator(f"{BOARD} script, {BOARD} img, {BOARD} a").count() == 0
        wide = page.evaluate(
            "() => { const b = document.querySelector('.modellab'); return b.scrollWidth - b.clientWidth; }"
        )
        assert wide <= 0
        quiet(page)

    check()
    save(page)
    shut_down(page)
    open_notebook(page, lab, f"hostile-{which}.ipynb")
    check()


def lists_of_a_stranger():
    texts = {"kind": "text", "values": [LINK]}
    rows = {"rows": 1, "columns": [
        {"name": "dataset_id", **texts}, {"name": "project_id", **texts}, {"name": "name", **texts},
        {"name": "missing", "kind": "number", "values": [ODD]}, {"name": "versions", "kind": "text", "values": [LINK]},
        {"name": "runs", "kind": "number", "values": [1e308]},
        {"name": "last_activity", "kind": "time", "values": [LINK]},
    ]}  # fmt: skip
    versions = {
        "rows": 1,
        "columns": [{"name": "version", "kind": "number", "values": [2]}, {"name": "digest", **texts}],
    }
    about = {"rows": 1, "columns": [
        {"name": "column", **texts}, {"name": "kind", "kind": "text", "values": ["constructor"]},
        {"name": "bars", "kind": "list", "values": [[LINK, "1e999", "-1", ODD]]},
        {"name": "top", "kind": "list", "values": [ODD]},
    ]}  # fmt: skip
    days = {"rows": 3, "columns": [
        {"name": "project_id", "kind": "text", "values": [LINK, LINK, "x"]},
        {"name": "day", "kind": "time", "values": ["-271821-04-20", "+275760-09-13", "0001-01-01"]},
        {"name": "runs", "kind": "number", "values": [1e300, -5, 3]},
        {"name": "failed", "kind": "number", "values": [9, 9, ODD]},
    ]}  # fmt: skip
    answers = {
        "dataset": {LINK: {"versions": versions, "runs": rows}},
        "summary": {f"{LINK} 2": {"columns": about, "total": ODD}},
        "preview": {f"{LINK} 2": {"table": about, "names": [ODD, LINK]}},
        "project": {LINK: {"runs": rows, "datasets": {"rows": 5, "columns": []}}},
    }
    good = {
        "title": LINK,
        "notice": LINK,
        "total": ODD,
        "datasets": rows,
        "projects": rows,
        "activity": days,
        **answers,
    }
    for view in ("datasets", "projects"):
        yield {"protocol": 1, "view": view, "title": LINK, "data": polluted(good)}
        for bad in (
            {},
            {view: ODD, "activity": 3},
            {view: {"rows": 1e9, "columns": rows["columns"]}, "activity": days},
        ):
            yield {"protocol": 1, "view": view, "title": LINK, "data": json.dumps(bad)}


def test_a_strangers_lists_are_drawn_as_far_as_they_make_sense(lab, page):
    """Saved lists made by hand to do harm reach nothing, and end in words where they cannot be drawn."""
    stranger(lab, page, "lists.ipynb", *lists_of_a_stranger())
    page.wait_for_function("() => document.querySelectorAll('.jp-OutputArea-output .modellab').length === 8")
    page.wait_for_timeout(500)
    for button in page.locator(".jp-OutputArea-output [role=tab]:visible").all():
        button.click()
        page.wait_for_timeout(100)

    harmless(page)
    shown = page.locator(".jp-OutputArea-output .modellab").all_inner_texts()
    assert LINK in shown[0]
    assert LINK in shown[4]
    assert all("run the cell again" in shown[i] for i in (1, 2, 3, 5, 6, 7))


def test_lists_follow_the_theme_and_narrow_outputs(lab, page):
    """Bars are light on dark, and nothing is wider than a narrow output."""
    cells = [SHOW_DATASETS + "DatasetList(MemoryDatasets(3))", SHOW_PROJECTS + "ProjectList(MemoryProjects(3))"]
    write_notebook(lab, "narrow.ipynb", *cells)
    open_notebook(page, lab, "narrow.ipynb")
    run_all(page)
    page.wait_for_selector(f"{PANEL} .ml-spark")
    theme(page, "JupyterLab Dark")
    page.wait_for_function(
        """() => { const { fill } = getComputedStyle(document.querySelector('.modellab .ml-bars'));
        const [r, g, b] = fill.match(/\\d+/g).map(Number); return r + g + b > 400; }"""
    )
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.set_viewport_size({"width": 436, "height": 900})
    page.wait_for_timeout(500)
    for board in page.locator(BOARD).all():
        assert board.bounding_box()["width"] < 340
        assert board.evaluate("b => b.scrollWidth - b.clientWidth") <= 0
    theme(page, "JupyterLab Light")
    quiet(page)


def test_exported_lists_are_interactive_without_a_network(lab, offline):  # noqa: F811 - the fixture
    """From the page alone: choose a dataset and a version, look at rows and runs, choose a project."""
    cells = [SHOW_DATASETS + "DatasetList(MemoryDatasets(3))", SHOW_PROJECTS + "ProjectList(MemoryProjects(3))"]
    page, _ = offline("lists-offline", *cells)
    boards = page.locator(".modellab")
    boards.nth(1).locator(".ml-body .ml-row >> text=prices").click()
    boards.nth(1).locator(".ml-detail h3 >> text=prices").wait_for()
    boards.first.locator(".ml-versions input").nth(2).check()
    boards.first.locator("p >> text=300 rows, 5 columns").wait_for()
    boards.first.locator("[data-tab=runs]").click()
    boards.first.locator(".ml-row >> text=forest-1").wait_for()

    assert page.locator(".modellab-html").count() == 0
    assert page.outside == []
    assert page.errors == []
