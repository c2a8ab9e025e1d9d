"""The dashboard in a real JupyterLab: live, saved, closed, opened again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from pages import open_notebook, run_all, save, shut_down, theme, write_notebook

from modellab_jupyter.widgets.base import LIVE_MIME

pytestmark = pytest.mark.browser

MEMORY = Path(__file__).parent.parent / "widgets" / "memory_source.py"
SHOW = "from memory_source import MemorySource\nfrom modellab_jupyter.widgets.dashboard import Dashboard\n"
BOARD = ".jp-OutputArea-output .modellab"
FIRST = f"{BOARD} .ml-body .ml-row[aria-rowindex='2']"


@pytest.fixture(autouse=True)
def _memory(lab):
    shutil.copy(MEMORY, lab.work)


def drawn(page, within=BOARD):
    """Wait for a chart with lines in it."""
    page.wait_for_selector(f"{within} .ml-plot .scatterlayer .trace path.js-line", state="attached")


def names(page, count=3):
    """Names in the first rows as they are on the screen."""
    rows = page.locator(f"{BOARD} .ml-body .ml-row")
    found = {int(r.get_attribute("aria-rowindex")): r.locator(".ml-first > bdi").inner_text() for r in rows.all()}
    return [found[i] for i in sorted(found)][:count]


HOSTS_OWN = (
    "Could not restore the debugger state",
    "reading 'schema'",
    "'filebrowser:open-path' not registered",
)
"""Said by JupyterLab when a kernel ends, and by Notebook 7 at each start, without us too."""


def quiet(page):
    """Nothing left the machine and nothing went wrong."""
    assert page.outside == []
    assert [e for e in page.errors if not any(own in e for own in HOSTS_OWN)] == []


def sort_by(page, title):
    page.locator(f"{BOARD} .ml-head .ml-cell", has=page.get_by_text(title, exact=True)).click()


def test_live_then_saved_then_reopened_without_kernel(lab, page):
    """Run, sort, filter, save, close: later everything is still there and sorts."""
    path = write_notebook(lab, "life.ipynb", SHOW + "board = Dashboard(MemorySource(12))\nboard")
    open_notebook(page, lab, "life.ipynb")
    run_all(page)
    drawn(page)
    assert page.locator(f"{BOARD} .ml-state").inner_text().startswith("live")
    assert page.locator(f"{BOARD} .ml-grid").get_attribute("aria-rowcount") == "13"

    sort_by(page, "accuracy")
    best = names(page, 1)
    assert page.locator(f"{FIRST} .ml-star").count() >= 1
    sort_by(page, "accuracy")
    assert names(page, 1) == ["dummy"]
    assert page.locator(f"{FIRST} .ml-badge").inner_text() == "◆ baseline"

    page.locator(f"{BOARD} .ml-filter").first.fill("accuracy > 0.6 and not model = logistic")
    page.wait_for_function(
        "() => /of 12 runs/.test(document.querySelector('.modellab .ml-bar [role=status]').textContent)"
    )
    page.locator(f"{BOARD} .ml-filter").first.fill("acuracy > 1")
    assert 'did you mean "accuracy"?' in page.locator(f"{BOARD} .ml-slip").inner_text()
    page.locator(f"{BOARD} .ml-filter").first.fill("")

    save(page)
    size = path.stat().st_size
    shut_down(page)
    page.wait_for_function(
        "() => document.querySelector('.modellab .ml-state').textContent.includes('saved with the notebook')"
    )
    quiet(page)
    assert size < 120_000

    open_notebook(page, lab, "life.ipynb")
    page.wait_for_selector(BOARD)
    drawn(page)
    assert page.locator(f"{BOARD} .ml-state").inner_text() == "saved with the notebook"
    sort_by(page, "accuracy")
    assert names(page, 1) == best
    shut_down(page)
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.sessionContext.session")
    for tab in ("scatter", "parallel", "curves"):
        page.locator(f"{BOARD} [data-tab={tab}]").click()
    drawn(page)
    assert page.locator(f"{BOARD} .ml-choose button").count() == 0
    quiet(page)


def test_actions_and_changes_reach_the_page(lab, page):
    """The selection is tagged, compared and trashed through the kernel; a new run shows up by itself."""
    write_notebook(lab, "act.ipynb", SHOW + "source = MemorySource(3)\nboard = Dashboard(source)\nboard")
    open_notebook(page, lab, "act.ipynb")
    run_all(page)
    drawn(page)
    assert page.locator(f"{BOARD} button", has_text="Compare").is_disabled()
    for i in (2, 3):
        page.locator(f"{BOARD} .ml-row[aria-rowindex='{i}'] .ml-tick").click()

    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("textbox", name="Add a tag to 2 runs:").fill("<i>seen</i>")
    page.keyboard.press("Enter")
    page.locator(f"{BOARD} .ml-grid").first.evaluate("g => { g.scrollLeft = g.scrollWidth }")
    page.wait_for_selector(f"{FIRST} >> text=<i>seen</i>")

    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(f"{BOARD} >> text=Paired differences to the baseline")
    page.get_by_role("button", name="Close", exact=True).click()

    page.get_by_role("button", name="Trash", exact=True).click()
    page.get_by_role("button", name="Move to trash").click()
    page.wait_for_function("() => document.querySelector('.modellab .ml-grid').getAttribute('aria-rowcount') === '2'")
    page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
             { code: 'source.rows = MemorySource(5).rows; board.refresh()' }).done"""
    )
    page.wait_for_function("() => document.querySelector('.modellab .ml-grid').getAttribute('aria-rowcount') === '6'")
    quiet(page)


def test_keyboard_reaches_the_table_and_the_charts(lab, page):
    """Without a mouse: move, sort, select, filter, change the chart; JupyterLab's keys stay out."""
    write_notebook(lab, "keys.ipynb", SHOW + "Dashboard(MemorySource(30))")
    open_notebook(page, lab, "keys.ipynb")
    run_all(page)
    drawn(page)
    grid = page.locator(f"{BOARD} .ml-grid")
    grid.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press(" ")
    assert page.locator(f"{BOARD} .ml-row[aria-rowindex='3']").get_attribute("aria-selected") == "true"
    for key in ("ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert page.locator(f"{BOARD} .ml-head [aria-sort=ascending]").inner_text().startswith("name")
    page.keyboard.press("Control+End")
    active = grid.get_attribute("aria-activedescendant")
    assert page.locator(f"[id='{active}']").is_visible()
    page.keyboard.press("d")
    page.keyboard.press("d")
    assert page.locator(BOARD).count() == 1
    page.locator(f"{BOARD} [role=tab][aria-selected=true]").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(f"{BOARD} [role=tab][aria-selected=true]").inner_text() == "Param against metric"
    quiet(page)


def test_hostile_names_stay_text_live_trusted_and_untrusted(lab, page):
    """Markup in every name is shown letter by letter, in each form of the output."""
    cells = [
        SHOW + "from memory_source import HOSTILE\n"
        "source = MemorySource(3, hostile=True, name=HOSTILE)\n"
        "Dashboard(source)",
        "from modellab_jupyter.widgets.compare import compare\ncompare(source.runs(None), title=HOSTILE)",
    ]
    path = write_notebook(lab, "hostile.ipynb", *cells)
    open_notebook(page, lab, "hostile.ipynb")
    run_all(page)
    drawn(page)

    def check():
        for tab in ("scatter", "parallel", "curves"):
            page.locator(f"{BOARD} [data-tab={tab}]").click()
            page.wait_for_timeout(300)
        drawn(page)
        assert page.evaluate("() => window.hacked") is None
        assert page.locator(f"{BOARD} script, {BOARD} img").count() == 0
        assert page.locator(f"{BOARD} h2").first.inner_text().startswith("<script>window.hacked")
        quiet(page)

    check()
    save(page)
    open_notebook(page, lab, "hostile.ipynb")
    check()
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source += "\n# from a stranger"
    nbformat.write(notebook, lab.work / "stranger.ipynb")
    open_notebook(page, lab, "stranger.ipynb")
    trusted = page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.trusted")
    assert trusted is False
    check()


@pytest.mark.parametrize("app", ["lab/tree", "notebooks"])
def test_what_is_saved_is_what_was_last_shown(lab, page, app):
    """Runs that came after the cell ran are in each form of the saved notebook, and saving draws nothing anew."""
    name = f"later-{app[:3]}.ipynb"
    path = write_notebook(lab, name, SHOW + "source = MemorySource(3)\nDashboard(source)")
    open_notebook(page, lab, name, app=app)
    run_all(page)
    drawn(page)
    page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
             { code: 'source.rows.append({**source.rows[-1], "run_id": "run_later", "name": "later"})' }).done"""
    )
    page.wait_for_selector(f"{BOARD} .ml-row >> text=later")
    sort_by(page, "name")
    page.evaluate("() => { document.querySelector('.modellab .ml-grid').dataset.same = 'yes' }")
    page.wait_for_timeout(3000)
    for wait in (0, 20_000):
        page.wait_for_timeout(wait)
        save(page)
        output = nbformat.read(path, 4).cells[0].outputs[0]
        if all("later" in str(output.data[kind]) for kind in output.data if kind != LIVE_MIME):
            break
    else:
        raise AssertionError("the saved notebook has not what was shown")
    assert page.locator(f"{BOARD} .ml-grid[data-same]").count() == 1
    assert page.locator(f"{BOARD} .ml-state").inner_text().startswith("live")
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty") is False
    shut_down(page)
    open_notebook(page, lab, name, app=app, kernel=False)
    page.wait_for_selector(f"{BOARD} .ml-row >> text=later")
    quiet(page)


def test_notebook_7_shows_the_same(lab, page):
    """Live and reopened in Notebook 7."""
    write_notebook(lab, "seven.ipynb", SHOW + "Dashboard(MemorySource(8))")
    open_notebook(page, lab, "seven.ipynb", app="notebooks")
    run_all(page)
    drawn(page)
    save(page)
    shut_down(page)
    open_notebook(page, lab, "seven.ipynb", app="notebooks")
    drawn(page)
    assert page.locator(f"{BOARD} .ml-state").inner_text() == "saved with the notebook"
    quiet(page)


def test_kernel_gives_what_no_extension_has(lab, page):
    """Where the extension's files cannot be had, views and Plotly come through the kernel's channel."""
    page.context.route("**/labextensions/modellab-jupyter/static/views.*", lambda r: r.abort())
    page.context.route("**/labextensions/modellab-jupyter/static/plotly.*", lambda r: r.abort())
    write_notebook(lab, "kernel.ipynb", SHOW + "Dashboard(MemorySource(3))")
    open_notebook(page, lab, "kernel.ipynb")
    run_all(page)
    drawn(page)
    assert page.outside == []


def test_plain_html_export_reads_and_sorts_offline(lab, page):
    """``jupyter nbconvert --to html`` shows the table and the picture from disk, and its headings sort."""
    write_notebook(lab, "plain.ipynb", SHOW + "Dashboard(MemorySource(12))")
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", "--execute", "plain.ipynb"]
    env = {k: v for k, v in lab.env.items() if k != "JPY_SESSION_NAME"}
    subprocess.run(command, cwd=lab.work, env=env, check=True, capture_output=True)
    page.goto((lab.work / "plain.html").as_uri(), wait_until="domcontentloaded")

    assert page.locator(".modellab-html tbody tr").count() == 12
    assert page.evaluate("() => document.querySelector('.modellab-html img').naturalWidth") > 300
    button = page.locator(".modellab-html th button", has_text="accuracy")
    button.click()
    assert page.locator(".modellab-html tbody tr").first.locator("td").first.inner_text() == "dummy (baseline)"
    button.click()
    assert page.locator(".modellab-html th[aria-sort=descending]").inner_text() == "accuracy"
    best = page.locator(".modellab-html tbody data").first.get_attribute("value")
    assert float(best) > 0.8
    # nbconvert's own template asks for its libraries; our output asks for nothing.
    assert not [url for url in page.outside if "plotly" in url or "modellab" in url]


def test_twenty_thousand_runs_scroll(lab, page):
    """20,000 runs are on the screen soon, and only the rows that can be seen exist."""
    write_notebook(lab, "many.ipynb", SHOW + "Dashboard(MemorySource(20000))")
    open_notebook(page, lab, "many.ipynb")
    run_all(page)
    drawn(page)
    assert page.locator(f"{BOARD} .ml-body .ml-row").count() < 60
    middle = page.evaluate(
        """async () => { const grid = document.querySelector('.modellab .ml-grid'); const times = [];
        for (let i = 0; i < 60; i++) { const began = performance.now(); grid.scrollTop += 60;
          await new Promise(r => requestAnimationFrame(r)); times.push(performance.now() - began); }
        times.sort((a, b) => a - b); return times[30]; }"""
    )
    page.locator(f"{BOARD} .ml-filter").first.fill("accuracy > 0.93")
    sort_by(page, "accuracy")
    print(f"20,000 runs: half of the scroll frames within {middle:.0f} ms")
    assert middle < 60
    quiet(page)


def test_dark_theme_reaches_the_charts(lab, page):
    """Letters of a chart are light on dark, also when the theme is changed under it."""
    write_notebook(lab, "dark.ipynb", SHOW + "Dashboard(MemorySource(3))")
    open_notebook(page, lab, "dark.ipynb")
    run_all(page)
    drawn(page)
    theme(page, "JupyterLab Dark")
    page.wait_for_function(
        """() => { const tick = document.querySelector('.modellab .ml-plot .xtick text');
        const [r, g, b] = getComputedStyle(tick).fill.match(/\\d+/g).map(Number); return r + g + b > 500; }"""
    )
    theme(page, "JupyterLab Light")
    quiet(page)


def test_what_is_marked_stays_marked_while_rows_come_and_go(lab, page):
    """Shift and Space act on the run that was marked, also after a filter and after a new run came on top."""
    write_notebook(lab, "marked.ipynb", SHOW + "source = MemorySource(30)\nboard = Dashboard(source)\nboard")
    open_notebook(page, lab, "marked.ipynb")
    run_all(page)
    drawn(page)
    count = page.locator(f"{BOARD} .ml-bar [role=status]").first
    page.locator(f"{BOARD} .ml-row[aria-rowindex='9'] .ml-tick").click()
    page.locator(f"{BOARD} .ml-filter").first.fill("name = dummy or name = logistic or name = forest")
    page.wait_for_function(
        "() => /3 of 30 runs/.test(document.querySelector('.modellab .ml-bar [role=status]').textContent)"
    )
    page.locator(f"{FIRST} .ml-tick").click(modifiers=["Shift"])
    assert count.inner_text() == "3 of 30 runs, 2 selected"
    page.locator(f"{BOARD} .ml-row[aria-rowindex='4'] .ml-tick").click(modifiers=["Shift"])
    assert count.inner_text() == "3 of 30 runs, 4 selected"
    page.locator(f"{BOARD} .ml-filter").first.fill("")
    page.locator(f"{BOARD} .ml-grid").focus()
    page.keyboard.press("Control+Home")
    marked = names(page, 1)
    page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
             { code: 'source.rows = MemorySource(31).rows[30:] + source.rows; board.refresh()' }).done"""
    )
    page.wait_for_function("() => document.querySelector('.modellab .ml-grid').getAttribute('aria-rowcount') === '32'")
    active = page.locator(f"{BOARD} .ml-body .ml-row", has=page.locator(".ml-active"))
    assert active.get_attribute("aria-rowindex") == "3"
    assert active.locator(".ml-first > bdi").inner_text() == marked[0]
    page.locator(f"{BOARD} .ml-grid").evaluate("g => { g.scrollTop = 600 }")
    page.wait_for_timeout(200)
    page.locator(f"{BOARD} .ml-grid").evaluate("g => { g.scrollTop = 300 }")
    page.wait_for_timeout(200)
    order = page.locator(f"{BOARD} .ml-body .ml-row").evaluate_all("rows => rows.map(r => Number(r.ariaRowIndex))")
    assert order == sorted(order)
    quiet(page)


def test_paper_has_every_column(lab, page):
    """Columns that do not fit beside each other stand below, and the table is as narrow as paper."""
    write_notebook(lab, "paper.ipynb", SHOW + "Dashboard(MemorySource(12))")
    open_notebook(page, lab, "paper.ipynb")
    run_all(page)
    drawn(page)
    titles = f"{BOARD} .ml-head .ml-title bdi"
    before = page.locator(titles).all_inner_texts()
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert (
        page.locator(f"{BOARD} .ml-body").evaluate("b => b.getBoundingClientRect().width && parseInt(b.style.width)")
        <= 640
    )
    below = page.locator(f"{BOARD} .ml-further")
    headings = page.locator(titles).all_inner_texts() + below.locator("thead th:not(:first-child)").all_inner_texts()
    assert [h.split(" ")[-1] for h in headings] == [b.split(" ")[-1] for b in before]
    assert below.locator("table").first.locator("tbody tr").count() == 12
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(titles).all_inner_texts() == before
    assert below.is_hidden()
    quiet(page)


AT_WORK = """import time
import pyarrow as pa
class Slow(MemorySource):
    def runs(self, project_id):
        table = super().runs(project_id)
        return table.append_column("lost", pa.array([3] + [None] * (table.num_rows - 1), pa.int64()))
    def act(self, verb, run_ids, payload):
        missing = set(run_ids) - {row["run_id"] for row in self.rows}
        assert not missing, missing
        time.sleep(2 if verb == "compare" else 0)
        return super().act(verb, run_ids, payload)
source = Slow(6)
board = Dashboard(source)
board"""


def test_what_is_typed_and_pressed_stays_while_runs_come_and_go(lab, page):
    """An update takes no text and no focus, an action leaves out runs that are gone, and a slow one says so."""
    write_notebook(lab, "work.ipynb", SHOW + AT_WORK)
    open_notebook(page, lab, "work.ipynb")
    run_all(page)
    drawn(page)

    def now(code, rows):
        page.evaluate(
            """code => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
                 { code: code + '; source.version += 1; board.refresh()' }).done""",
            code,
        )
        page.wait_for_function(
            "n => document.querySelector('.modellab .ml-grid').getAttribute('aria-rowcount') === String(n + 1)",
            arg=rows,
        )

    lost = page.locator(f"{BOARD} .ml-first", has=page.locator(".ml-lost"))
    assert lost.all_inner_texts()[0].split("\n")[0].startswith("dummy")
    assert page.locator(f"{BOARD} .ml-lost").all_inner_texts() == ["incomplete, 3 records lost"]
    for i in (2, 3, 4):
        page.locator(f"{BOARD} .ml-row[aria-rowindex='{i}'] .ml-tick").click()
    page.locator(f"{BOARD} summary", has_text="Views").click()
    field = page.get_by_role("textbox", name="Name of this view")
    field.fill("half a na")
    page.evaluate(
        """() => { window.said = 0; new MutationObserver(() => window.said++).observe(
             document.querySelector('.modellab .ml-bar [role=status]'),
             { childList: true, characterData: true, subtree: true }) }"""
    )
    now("source.rows[0]['note'] = 'x'", 6)
    page.wait_for_timeout(1500)
    assert page.evaluate("() => window.said") == 0
    now("del source.rows[-1]", 5)
    assert field.input_value() == "half a na"
    assert page.evaluate("() => document.activeElement.ariaLabel") == "Name of this view"
    page.keyboard.press("Escape")

    compare = page.get_by_role("button", name="Compare", exact=True)
    compare.click()
    page.wait_for_selector(f"{BOARD} >> text=Comparing 2 runs…")
    assert compare.is_disabled()
    page.wait_for_selector(f"{BOARD} >> text=Paired differences to the baseline")
    page.wait_for_function("() => document.activeElement.textContent === 'Compare'")
    assert page.get_by_text("Comparing").count() == 0
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("textbox", name="Add a tag to 2 runs:").fill("seen")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.modellab .ml-grid').scrollWidth > 0")
    page.get_by_role("button", name="Trash", exact=True).click()
    page.get_by_role("button", name="Move to trash").click()
    page.wait_for_function("() => document.querySelector('.modellab .ml-grid').getAttribute('aria-rowcount') === '4'")
    quiet(page)
