"""Pictures of each widget in light and dark, 1200 pixels wide; kept where the variable MODELLAB_PICTURES says."""

from __future__ import annotations

import io
import os
from pathlib import Path

import gallery
import pytest
from gallery import WIDGETS
from pages import open_notebook, output, run_all, theme, watched, write_notebook
from PIL import Image

pytestmark = pytest.mark.browser

# Read here: tests begin in another folder, without such variables.
KEPT = Path(os.environ["MODELLAB_PICTURES"]).absolute() if os.environ.get("MODELLAB_PICTURES") else None
WHOLE = KEPT and os.environ.get("MODELLAB_PICTURES_WHOLE")
WIDTH, HEIGHT = 1200, 1000
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
LARGEST = 150_000


@pytest.fixture(scope="module")
def wide(lab, browser, shown):
    """A page on which each widget is live and as wide as a picture."""
    context = browser.new_context(viewport={"width": 1600, "height": 1200})
    page = watched(context.new_page())
    page.set_default_timeout(30_000)
    name = f"{gallery.FOLDER}/pictures.ipynb"
    write_notebook(lab, name, "import modellab_jupyter as ml", *[widget.code for widget in WIDGETS])
    open_notebook(page, lab, name)
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    run_all(page)
    view = output(page, 1).locator(".modellab").first
    view.wait_for()
    # High enough for the longest: what the notebook does not show is not in a picture.
    page.set_viewport_size({"width": 1600 + WIDTH - int(view.bounding_box()["width"]), "height": 4500})
    yield page
    context.close()


def taken(page, i):
    """Take a picture of a widget with its charts drawn, of its upper part where it is long."""
    view = output(page, i + 1).locator(".modellab").first
    for chart in view.locator(".ml-chart:visible").all():
        chart.scroll_into_view_if_needed()
        chart.locator(".main-svg").first.wait_for(state="attached")
    view.evaluate("el => { el.style.scrollMarginTop = '40px'; el.scrollIntoView({ block: 'start' }); }")
    page.mouse.move(5, 5)
    page.wait_for_timeout(700)
    return Image.open(io.BytesIO(view.screenshot(animations="disabled")))


def compressed(picture):
    """Return the bytes of a PNG with a palette."""
    out = io.BytesIO()
    picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


@pytest.mark.parametrize("name", THEMES)
def test_each_widget_has_its_picture(wide, tmp_path, name):
    """In each theme every widget can be photographed: not blank, on a light or a dark ground, small enough to keep."""
    theme(wide, THEMES[name])
    wide.wait_for_timeout(1000)
    folder = KEPT or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    for i, widget in enumerate(WIDGETS):
        whole = taken(wide, i)
        if WHOLE:
            whole.save(folder / f"{widget.name}-{name}-whole.png")
        upper = whole.crop((0, 0, whole.width, min(HEIGHT, whole.height)))
        data = compressed(upper)
        (folder / f"{widget.name}-{name}.png").write_bytes(data)
        grey = upper.convert("L").histogram()
        light = sum(grey[192:]) > sum(grey[:64])
        assert abs(whole.width - WIDTH) <= 2
        assert light == (name == "light")
        assert len(upper.convert("RGB").getcolors(1 << 24)) > 50
        assert len(data) < LARGEST
