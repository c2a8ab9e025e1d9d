"""A marimo app, served by marimo: widgets in shadow roots, spoken to over marimo's own line."""

from __future__ import annotations

import importlib.util
import sys

import gallery
import host
import pytest
from gallery import WIDGETS

from tests.conftest import lacking

pytestmark = pytest.mark.browser

APP = """import marimo
app = marimo.App(width="full")

@app.cell
def _():
    import modellab_jupyter as ml
    return (ml,)
"""
CELL = """
@app.cell
def _(ml):
    CODE
    return
"""


def test_marimo_shows_each_widget_live(lab, shown, page):
    """In marimo each widget draws, sorts and has charts, and asks nobody but marimo."""
    if importlib.util.find_spec("marimo") is None:  # not imported here: it would be the sign of a host
        lacking("browser", "marimo is not installed here; run: pip install '.[test]'")
    folder = lab.work / gallery.FOLDER
    (folder / "app.py").write_text(APP + "".join(CELL.replace("CODE", widget.code) for widget in WIDGETS))
    port = host.free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token", "--host", "127.0.0.1"]
    with host.serving([*command, "--port", str(port)], f"{url}health", lab.env, folder, lab.root / "marimo.log"):
        page.goto(url)
        for i, widget in enumerate(WIDGETS):
            view = page.locator("marimo-anywidget .modellab:not(.modellab .modellab)").nth(i)
            view.wait_for(timeout=60_000)
            for text in widget.says(shown.found):
                view.get_by_text(text).first.wait_for(state="attached")
            for act in widget.plays:
                act(page, view)
        states = page.locator(".modellab .ml-state [role=status]").all_text_contents()
        assert set(states) == {"live"}
        page.goto("about:blank")
    assert (page.outside, page.errors) == ([], [])
