"""Comparison and evaluation in a real JupyterLab: live, saved, opened again without a kernel."""

from __future__ import annotations

import nbformat
import pytest
from pages import open_notebook, run_all, save, shut_down, theme, write_notebook

pytestmark = pytest.mark.browser

PAGE = ".jp-OutputArea-output .modellab"
HOSTILE = '<script>window.hacked = true</script><img src=x onerror="window.hacked=true"> "q" \u202e $x_1$ \x07'
START = """%load_ext modellab_jupyter
import numpy as np, pandas as pd
import modellab_jupyter as ml
ml.configure(store="reports.duckdb")
"""
JUDGED = """
rng = np.random.default_rng(0)
n = 400
y = rng.integers(0, 2, n)
data = pd.DataFrame({"x": rng.normal(size=n) + y, "where": rng.choice(["here", "there"], n)})
data = data.assign(**{f"x{i}": rng.normal(size=n) for i in range(8)})
p = np.clip(0.25 + 0.5 * y + NOISE * rng.normal(size=n), 0.001, 0.999)
with ml.start_run(NAME, project_id="reports", params={"noise": NOISE}) as run:
    for step in range(40):
        ml.log_metrics({"loss": NOISE + 1 / (step + 1)}, step=step)
    few = {"n_resamples": 200, "plots": False}
    report = run.evaluate(p, np.array(["no", "yes"])[y], data, positive="yes", config=few)
"""
STATE = """() => {
  const panel = document.querySelector('.ml-threshold');
  const cells = [...panel.querySelectorAll('.ml-matrix td b')].map(b => +b.textContent.replaceAll(',', ''));
  const charts = [...panel.querySelectorAll('.js-plotly-plot')];
  return {
    cells, threshold: +panel.querySelector('output').value,
    told: panel.querySelector('[role=status]').textContent,
    calibration: panel.querySelectorAll('.ml-side table')[2].innerText,
    points: charts.map(c => [Array.from(c.data.at(-1).x), Array.from(c.data.at(-1).y)]),
    labels: [...panel.querySelectorAll('[role=figure]')].map(f => f.getAttribute('aria-label')),
  }; }"""
DRAWN = "() => document.querySelectorAll('.ml-threshold .js-plotly-plot .main-svg').length >= 3"
HOSTS_OWN = ("Could not restore the debugger state", "reading 'schema'", "'filebrowser:open-path' not registered")


def quiet(page):
    """Nothing left the machine and nothing went wrong."""
    assert page.outside == []
    assert [e for e in page.errors if not any(own in e for own in HOSTS_OWN)] == []


def is_consistent(state):
    """Matrix and points are of one threshold."""
    tp, fn, fp, tn = state["cells"]
    (x, y), (recall, precision), (probability, observed) = state["points"]
    assert x[0] == pytest.approx(fp / (fp + tn), abs=1e-9)
    assert y[0] == recall[0] == pytest.approx(tp / (tp + fn), abs=1e-9)
    assert precision[0] == pytest.approx(tp / (tp + fp), abs=1e-9)
    assert observed == pytest.approx([fn / (fn + tn), tp / (tp + fp)], abs=1e-9)
    assert probability[0] < state["threshold"] <= probability[1]


def moves_by_keyboard(page):
    """Arrow keys move the slider, and with it the matrix, the scores, the calibration and the points on the curves."""
    page.wait_for_function(DRAWN)
    before = page.evaluate(STATE)
    assert before["threshold"] == 0.5
    is_consistent(before)
    page.locator(".ml-threshold input[type=range]").focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "told => document.querySelector('.ml-threshold [role=status]').textContent !== told", arg=before["told"]
    )
    page.wait_for_timeout(300)
    after = page.evaluate(STATE)
    assert after["threshold"] > 0.5
    assert sum(after["cells"]) == sum(before["cells"]) == 400
    assert after["cells"][1] > before["cells"][1]
    assert after["calibration"] != before["calibration"]
    assert f"at threshold {after['threshold']}" in after["labels"][0]
    is_consistent(after)
    slider = page.locator(".ml-threshold input[type=range]")
    assert slider.get_attribute("aria-valuetext") == str(after["threshold"])
    page.get_by_role("button", name="Back to 0.5").click()
    assert page.evaluate(STATE)["cells"] == before["cells"]


def test_an_evaluation_moves_live_and_without_a_kernel(lab, page):
    """The slider does the same in a running notebook and in one that was closed, in the light and in the dark."""
    write_notebook(lab, "evaluation.ipynb", START, f"NAME, NOISE = 'one', 0.25\n{JUDGED}", "ml.evaluation('one')")
    open_notebook(page, lab, "evaluation.ipynb")
    run_all(page)
    moves_by_keyboard(page)
    rows = page.locator(f"{PAGE} .ml-fold summary", has_text="failures").first
    rows.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{PAGE} .ml-fold[open] table tbody tr").first.is_visible()
    save(page)
    shut_down(page)
    theme(page, "JupyterLab Dark")
    open_notebook(page, lab, "evaluation.ipynb", kernel=False)
    moves_by_keyboard(page)
    theme(page, "JupyterLab Light")
    quiet(page)


def test_a_comparison_shows_the_cell_that_was_changed(lab, page):
    """Two runs of one notebook differ by the cell that was edited between them, live and without a kernel."""
    write_notebook(lab, "compare.ipynb", START, "NAME, NOISE = 'base', 0.6", JUDGED, "KEPT = 1")
    open_notebook(page, lab, "compare.ipynb")
    run_all(page)
    edit = "([i, text]) => window.jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.setSource(text)"
    page.evaluate(edit, [1, "NAME, NOISE = 'better', 0.1"])
    page.evaluate(edit, [3, "ml.compare('base', 'better')"])
    page.evaluate(
        "() => { for (const c of window.jupyterapp.shell.currentWidget.content.widgets) c.model.executionCount = null }"
    )
    run_all(page)

    def check():
        page.wait_for_selector(f"{PAGE} .ml-diff ins")
        diff = page.locator(f"{PAGE} .ml-diff")
        assert diff.locator("del").all_inner_texts() == ["− NAME, NOISE = 'base', 0.6"]
        assert diff.locator("ins").all_inner_texts() == ["+ KEPT = 1", "+ NAME, NOISE = 'better', 0.1"]
        assert page.locator(f"{PAGE} .ml-lede").inner_text().startswith("Of ")
        assert page.locator(f"{PAGE} td .ml-better", has_text="better").count() >= 3
        titles = page.locator(f"{PAGE} h3").all_inner_texts()
        for wanted in ("ROC curves", "Calibration", "loss by step", "Params that differ", "Metrics that differ"):
            assert wanted in titles
        same = diff.locator(".ml-same summary").first
        same.focus()
        page.keyboard.press("Enter")
        assert diff.locator(".ml-same[open] pre").first.is_visible()
        page.wait_for_selector(f"{PAGE} .js-plotly-plot .main-svg")

    check()
    save(page)
    shut_down(page)
    open_notebook(page, lab, "compare.ipynb", kernel=False)
    check()
    quiet(page)


def test_hostile_names_stay_text_in_reports(lab, page):
    """Markup, long and turning names of runs, classes, features, params and code are letters, trusted or not."""
    judged = f"""
bad = {HOSTILE!r}
rng = np.random.default_rng(0)
names = [bad, "x" * 10_000, "\\u05d0\\u05d1"]
y = rng.integers(0, 3, 200)
p = rng.dirichlet(np.ones(3), 200) + np.eye(3)[y]
data = pd.DataFrame({{bad: rng.choice([bad, "b"], 200), "x" * 10_000: rng.normal(size=200)}})
for run_name in (bad, "x" * 10_000):
    with ml.start_run(run_name, project_id="hostile", params={{bad: run_name}}) as run:
        ml.log_metrics({{bad: len(run_name)}}, step=1)
        ml.log_metrics({{bad: 2.0}}, step=2)
        run.evaluate(p / p.sum(axis=1, keepdims=True), [names[i] for i in y], data, classes=names,
                     config={{"n_resamples": 100, "plots": False}})
note = {HOSTILE!r}
"""
    path = write_notebook(lab, "hostile.ipynb", START, judged, "ml.evaluation(bad)", "ml.compare(bad, 'x' * 10_000)")
    open_notebook(page, lab, "hostile.ipynb")
    run_all(page)

    def check():
        page.wait_for_function(DRAWN)
        page.locator(f"{PAGE} select").select_option(index=1)
        page.wait_for_timeout(400)
        assert page.evaluate("() => window.hacked") is None
        assert page.locator(f"{PAGE} script, {PAGE} img, {PAGE} a").count() == 0
        assert page.locator(f"{PAGE} h2").first.inner_text().startswith("<script>window.hacked")
        wide = "() => [...document.querySelectorAll('.modellab')].every(e => e.scrollWidth <= e.clientWidth + 2)"
        assert page.evaluate(wide)
        quiet(page)

    check()
    save(page)
    notebook = nbformat.read(path, 4)
    notebook.cells[1].source += "\n# from a stranger"
    nbformat.write(notebook, lab.work / "hostile2.ipynb")
    open_notebook(page, lab, "hostile2.ipynb")
    assert not page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.trusted")
    check()


def test_paper_and_narrow_pages_lose_nothing(lab, page):
    """At 320 pixels nothing hangs out of the page; printed, folds are open and every row of a table is there."""
    cells = [START, f"NAME, NOISE = 'narrow', 0.25\n{JUDGED}", "ml.evaluation('narrow')"]
    write_notebook(lab, "narrow.ipynb", *cells)
    open_notebook(page, lab, "narrow.ipynb")
    run_all(page)
    page.wait_for_function(DRAWN)
    page.add_style_tag(content=".jp-OutputArea-output { max-width: 320px !important; }")
    page.wait_for_timeout(600)
    assert page.evaluate(
        "() => { const e = document.querySelector('.modellab'); return e.scrollWidth <= e.clientWidth + 1 }"
    )
    hidden = f"{PAGE} .ml-folded tr.ml-more"
    assert page.locator(hidden).count() > 10
    assert not page.locator(hidden).first.is_visible()
    page.emulate_media(media="print")
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert all(row.is_visible() for row in page.locator(hidden).all())
    assert page.locator(f"{PAGE} details:not([open])").count() == 0
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(f"{PAGE} details[open]").count() == 0
    quiet(page)
