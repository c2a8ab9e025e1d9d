"""Every widget wherever it is met: live, reopened, a stranger's, exported. The same numbers, and nobody is asked."""

from __future__ import annotations

import subprocess
import sys

import gallery
import nbformat
import pytest
from gallery import WIDGETS
from pages import open_notebook, output, run_all, save, shut_down, watched, write_notebook
from test_dashboard import quiet

pytestmark = pytest.mark.browser

SIZE = 1_000_000
STATE = ".ml-state [role=status]"


def check(page, shown, *, own=".modellab", play=True):
    """Each widget says what it must and does what it must."""
    for i, widget in enumerate(WIDGETS, 1):
        place = output(page, i)
        place.first.scroll_into_view_if_needed()
        view = place.locator(own).first
        view.wait_for()
        for text in widget.says(shown.found):
            view.get_by_text(text).first.wait_for(state="attached")
        for act in widget.plays if play else ():
            act(page, view)


def states(page):
    """What the widgets that tell it say of themselves."""
    return set(page.locator(STATE).all_text_contents())


def reopened(page, lab, name, app="lab/tree"):
    """Open a notebook and end its kernel: only what was saved is left."""
    open_notebook(page, lab, name, app=app)
    output(page, 1).locator(".modellab").first.wait_for()
    shut_down(page)
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.sessionContext.session")


def trusted(page):
    return page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.slice(1).every(cell => cell.model.trusted)"
    )


def exported(lab, path, form, *more):
    """Return the page that nbconvert makes of a notebook."""
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", form, path.name, *more]
    subprocess.run(command, cwd=path.parent, env=lab.env, check=True, capture_output=True)
    name = more[more.index("--output") + 1] if "--output" in more else path.stem
    return path.parent / f"{name}.html"


@pytest.fixture
def offline(browser):
    """A page of a browser whose network is cut."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    made = watched(context.new_page())
    made.set_default_timeout(30_000)
    yield made
    context.close()


def test_live_in_jupyterlab_and_reopened_without_a_kernel(lab, shown, left):
    """Each widget shows its numbers and moves while it is live, and so it does when the kernel is gone."""
    check(left.page, shown)
    assert states(left.page) == {"live"}
    reopened(left.page, lab, shown.name)
    assert trusted(left.page)
    check(left.page, shown)
    assert states(left.page) == {"saved with the notebook"}
    quiet(left.page)
    left.page.goto("about:blank")


def test_live_in_notebook_7_and_reopened_without_a_kernel(lab, shown, page):
    """The same in Notebook 7."""
    name = f"{gallery.FOLDER}/seven.ipynb"
    write_notebook(lab, name, "import modellab_jupyter as ml", *[widget.code for widget in WIDGETS])
    open_notebook(page, lab, name, app="notebooks")
    run_all(page)
    check(page, shown)
    assert states(page) == {"live"}
    save(page)
    reopened(page, lab, name, app="notebooks")
    check(page, shown)
    assert states(page) == {"saved with the notebook"}
    quiet(page)


@pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
def test_a_strangers_notebook_shows_the_same_untrusted(lab, shown, left, page, app):
    """Opened by somebody who did not run it, a notebook is not trusted, and its widgets are drawn all the same."""
    notebook = nbformat.read(left.path, 4)
    for cell in notebook.cells:
        cell.source += "\n# sent by a stranger"
    name = f"{gallery.FOLDER}/stranger.ipynb"
    nbformat.write(notebook, lab.work / name)
    reopened(page, lab, name, app=app)
    assert not trusted(page)
    check(page, shown)
    quiet(page)


def test_exported_for_offline_it_is_interactive(lab, shown, left, offline):
    """``nbconvert --to modellab``: from disk, with the network cut, everything is there and moves."""
    offline.goto(exported(lab, left.path, "modellab", "--output", "interactive").as_uri())
    offline.locator(".modellab").first.wait_for()
    check(offline, shown)
    assert offline.locator(".modellab-html").count() == 0
    assert (offline.outside, offline.errors) == ([], [])


def test_plain_html_keeps_numbers_and_pictures_offline(lab, shown, left, offline):
    """``nbconvert --to html``: numbers and pictures are there, tables sort; asked is only what any page asks."""
    bare = write_notebook(lab, f"{gallery.FOLDER}/bare.ipynb", "1 + 1")
    offline.goto(exported(lab, bare, "html").as_uri(), wait_until="domcontentloaded")
    asked = set(offline.outside)
    offline.outside.clear()
    offline.errors.clear()
    offline.goto(exported(lab, left.path, "html").as_uri(), wait_until="domcontentloaded")
    check(offline, shown, own=".modellab-html", play=False)
    for i in range(1, len(WIDGETS) + 1):
        gallery.sorts(offline, output(offline, i).locator(".modellab-html").first)
        pictures = output(offline, i).locator("img")
        drawn = pictures.evaluate_all("all => all.map(one => one.complete && one.naturalWidth)")
        assert all(width > 200 for width in drawn)
        assert pictures.count() > 0
    assert set(offline.outside) <= asked
    assert [e for e in offline.errors if not any(url in e for url in asked)] == []


def test_ten_widgets_take_less_than_a_megabyte(lab, left):
    """A notebook with ten widgets, and its plain HTML, can be mailed."""
    notebook = nbformat.read(left.path, 4)
    cells = notebook.cells[1:]
    notebook.cells = [nbformat.from_dict({**cells[i % len(cells)], "id": f"ten-{i}"}) for i in range(10)]
    path = left.path.with_name("ten.ipynb")
    nbformat.write(notebook, path)
    page = exported(lab, path, "html")
    print(
        f"ten widgets: {path.stat().st_size / 1e6:.2f} MB of notebook, {page.stat().st_size / 1e6:.2f} MB of plain HTML"
    )
    assert path.stat().st_size < SIZE
    assert page.stat().st_size < SIZE
