"""A real JupyterLab and a real Chromium, one of each for the session."""

from __future__ import annotations

from types import SimpleNamespace

import gallery
import host
import pytest
from pages import open_notebook, output, run_all, save, watched, write_notebook

from tests.conftest import lacking


@pytest.fixture(scope="session", autouse=True)
def _needs():
    reason = host.missing()
    if reason is not None:
        lacking("browser", reason)


@pytest.fixture(scope="session")
def lab(_needs, tmp_path_factory):
    with host.jupyter_lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="session")
def browser(_needs):
    with host.browsing() as started:
        yield started


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    made = watched(context.new_page())
    made.set_default_timeout(30_000)
    yield made
    context.close()


@pytest.fixture(scope="session")
def shown(lab):
    """Make the runs once, and write a notebook with each widget in a cell of its own."""
    found = gallery.make(lab.work / gallery.FOLDER)
    cells = ["import modellab_jupyter as ml", *[widget.code for widget in gallery.WIDGETS]]
    path = write_notebook(lab, f"{gallery.FOLDER}/all.ipynb", *cells)
    return SimpleNamespace(found=found, path=path, name=f"{gallery.FOLDER}/all.ipynb")


@pytest.fixture(scope="session")
def left(lab, browser, shown):
    """Run the notebook in JupyterLab and save it: what a person leaves behind, and the page where it happened."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = watched(context.new_page())
    page.set_default_timeout(30_000)
    open_notebook(page, lab, shown.name)
    run_all(page)
    output(page, 1).locator(".modellab .ml-body .ml-row").first.wait_for()
    save(page)
    yield SimpleNamespace(page=page, path=shown.path)
    context.close()
