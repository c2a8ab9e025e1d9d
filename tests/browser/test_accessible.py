"""Widgets for everyone: what axe-core finds, the keyboard alone, forced colours, a narrow page, paper."""

from __future__ import annotations

from importlib.resources import files

import gallery
import pytest
from gallery import WIDGETS
from pages import open_notebook, output, run_all, theme, watched, write_notebook
from test_dashboard import quiet

pytestmark = pytest.mark.browser

NAMES = [widget.name for widget in WIDGETS]
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")
AXE = """async el => {
  const found = await axe.run(el);
  if (found.passes.length < 5) throw new Error('axe looked at nothing');
  const told = (rule, one) => `${rule.id}: ${one.target.join(' ')}: ${one.html.slice(0, 160)}: ${one.failureSummary}`;
  return found.violations.filter(rule => ['serious', 'critical'].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(one => told(rule, one)));
}"""
CONTROLS = """el => [...el.querySelectorAll('button, select, input, textarea, summary, a[href], [role=grid]')]
  .filter(one => one.checkVisibility({ visibilityProperty: true }) && !one.disabled)
  .filter(one => one.getAttribute('role') !== 'tab' || one.getAttribute('aria-selected') === 'true')"""
WALK = """el => { window.walked = new Set();
  el.addEventListener('focusin', event => window.walked.add(event.target), true);
  const before = document.createElement('button'); el.before(before); before.focus(); window.before = before; }"""
LEFT = "el => !el.contains((el.getRootNode()).activeElement) && document.activeElement !== window.before"
SEEN = "el => el.innerText.split(/\\s+/).filter(Boolean).sort().join(' ')"
WIDER = """el => [...el.querySelectorAll('*')].filter(one => {
  if (!one.checkVisibility() || one.getBoundingClientRect().right <= el.getBoundingClientRect().right + 1) return false;
  for (let over = one.parentElement; over !== el; over = over.parentElement)
    if (/auto|scroll|hidden/.test(getComputedStyle(over).overflowX)) return false;
  return true;
}).map(one => one.outerHTML.slice(0, 120))"""
LIGHTS = """svg => [getComputedStyle(svg.querySelector('text')).fill, getComputedStyle(svg).backgroundColor]
  .map(colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b))"""
CUT = """el => [el, ...el.querySelectorAll('*')].filter(one => one.checkVisibility() && !one.closest('svg'))
  .filter(one => /auto|scroll|hidden/.test(getComputedStyle(one).overflowY) && one.scrollHeight > one.clientHeight + 1)
  .filter(one => one.clientHeight > 30)
  .map(one => `${one.className}: ${one.clientHeight} of ${one.scrollHeight} px`)"""


@pytest.fixture(scope="module")
def live(lab, browser, shown):
    """A page on which each widget is live, with axe in it."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = watched(context.new_page())
    page.set_default_timeout(30_000)
    name = f"{gallery.FOLDER}/everyone.ipynb"
    write_notebook(lab, name, "import modellab_jupyter as ml", *[widget.code for widget in WIDGETS])
    open_notebook(page, lab, name)
    run_all(page)
    for i in range(len(WIDGETS)):
        view(page, i)
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    yield page
    context.close()


def view(page, i):
    """Return a widget on the screen, its charts drawn."""
    found = output(page, i + 1).locator(".modellab").first
    found.wait_for()
    for chart in found.locator(".ml-chart").all():
        chart.scroll_into_view_if_needed()
        chart.locator(".main-svg").first.wait_for(state="attached")
    found.scroll_into_view_if_needed()
    return found


@pytest.mark.parametrize("name", THEMES)
def test_axe_finds_nothing_serious_in_any_theme(live, name):
    """Names, roles, order and contrast of every widget are right in every theme of JupyterLab."""
    theme(live, name)
    live.wait_for_timeout(1000)
    found = {widget: view(live, i).evaluate(AXE) for i, widget in enumerate(NAMES)}
    assert found == {widget: [] for widget in NAMES}
    quiet(live)


def test_axe_finds_nothing_serious_on_a_narrow_page(live):
    """In a column of 400 pixels nothing is lost either, and no widget is wider than its place."""
    theme(live, THEMES[0])
    live.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    live.set_viewport_size({"width": 400, "height": 900})
    live.wait_for_timeout(1000)
    try:
        for i in range(len(WIDGETS)):
            one = view(live, i)
            assert one.evaluate(AXE) == []
            assert one.evaluate("el => el.clientWidth") < 400
            live.wait_for_timeout(500)
            assert one.evaluate(WIDER) == []
    finally:
        live.set_viewport_size({"width": 1400, "height": 1000})


@pytest.mark.parametrize("i", range(len(WIDGETS)), ids=NAMES)
def test_keys_alone_reach_every_control(live, i):
    """Tab goes through each control of a widget once, each has a name, and Tab leads out again."""
    one = view(live, i)
    one.evaluate(WALK)
    for _ in range(300):
        live.keyboard.press("Tab")
        if one.evaluate(LEFT):
            break
    else:
        raise AssertionError("Tab does not lead out")
    missed = one.evaluate(
        f"el => ({CONTROLS})(el).filter(one => !window.walked.has(one)).map(one => one.outerHTML.slice(0, 120))"
    )
    assert missed == []
    assert one.evaluate("el => window.walked.size") > 0


def test_forced_colours_hide_nothing(live):
    """Where the system chooses the colours every word and every chart is there, and a chart's letters can be read."""
    before = [view(live, i).evaluate(SEEN) for i in range(len(WIDGETS))]
    live.emulate_media(forced_colors="active", color_scheme="dark")
    live.wait_for_timeout(1000)
    try:
        assert [view(live, i).evaluate(SEEN) for i in range(len(WIDGETS))] == before
        for i in range(len(WIDGETS)):
            for chart in view(live, i).locator(".ml-plot .main-svg:first-child").all():
                letters, paper = chart.evaluate(LIGHTS)
                assert abs(letters - paper) > 300
    finally:
        live.emulate_media(forced_colors="none", color_scheme="light")


def test_paper_shows_whole_tables_and_no_buttons(live):
    """Printed, a widget has all its words but those of its controls, and no table is cut by its scroll bar."""
    live.emulate_media(media="print")
    live.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    try:
        for i, widget in enumerate(WIDGETS):
            one = output(live, i + 1).locator(".modellab").first
            assert one.evaluate(CUT) == [], widget.name
            assert one.locator("h2").first.is_visible()
            assert one.locator("button:visible", has_text="Refresh").count() == 0
            for grid in one.locator(".ml-grid:visible").all():
                rows = int(grid.get_attribute("aria-rowcount") or 0) - 1
                assert grid.locator(".ml-body .ml-row").count() == min(rows, 500)
                assert grid.evaluate("g => g.scrollHeight - g.clientHeight") <= 1
    finally:
        live.evaluate("window.dispatchEvent(new Event('afterprint'))")
        live.emulate_media(media="screen")
