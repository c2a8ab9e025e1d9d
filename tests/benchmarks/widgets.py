"""Print what widgets cost in a real JupyterLab and Chromium, others' beside them in one run. Decides nothing.

``python -m tests.benchmarks.widgets`` from the top of a checkout. ``--quick`` repeats less often; ``--peers`` also
draws plotly's FigureWidget and itables, which is installed for this run; ``--only`` chooses some of the parts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.core import ROOT, python, show
from tests.benchmarks.store import FILL

sys.path.insert(0, str(ROOT / "tests" / "browser"))
import gallery
import host
import pages

FRAME = 1000 / 60
SERIES = 3  # long ones, each read for the first time
BOARD = ".jp-OutputArea-output .modellab"
START = "import modellab_jupyter as ml"

MILLIONS = """
import random, time
from pathlib import Path
from modellab_jupyter import schema
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store
store = Store(Path("modellab.duckdb"), Path("modellab.files"))
now, rng = time.time_ns() - 10**12, random.Random(1)
journal = Journal(store.journals)
journal.append(schema.ProjectAdded(time=now, project_id="proj_1", name="p"))
run_id = schema.new_id("run")
journal.append(schema.RunStarted(
    time=now, run_id=run_id, project_id="proj_1", name="long", host="h", pid=1, started=1.0, session_id="s"))
for step in range(1_000_000):
    values = {f"long_{k}": rng.random() for k in range(SERIES)}
    if step in (123_457, 654_321):
        values = {key: 9.0 if step == 123_457 else -9.0 for key in values}
    if step < 50:
        values["brief"] = rng.random()
    journal.append(schema.MetricsLogged(time=now + step * 10**5, run_id=run_id, step=step, values=values))
journal.append(schema.RunEnded(time=now + 10**12, run_id=run_id, status="finished", duration=1.0))
journal.close()
store.ingest()
""".replace("SERIES", str(SERIES))

TRAIN = """
import json, time
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
x, y = load_digits(return_X_y=True)
with ml.start_run(project_id="training", total_steps=5000) as run:
    model = SGDClassifier(loss="log_loss", random_state=0)
    wall, spent = time.perf_counter(), time.process_time()
    for step in range(5000):
        model.partial_fit(x, y, classes=range(10))
        ml.log_metrics({"accuracy": model.score(x, y), "weight": float(abs(model.coef_).mean())}, step=step)
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
print(json.dumps({"wall": wall, "spent": spent}))
"""

CHART = """from modellab_jupyter.widgets import figures, saved
import numpy as np
def chart(i):
    rng = np.random.default_rng(i)
    lines = [{"type": "scatter", "mode": "lines", "name": f"run {k}", "x": list(range(100)),
              "y": rng.normal(size=100).cumsum().tolist()} for k in range(3)]
    layout = {"xaxis": {"title": {"text": "step"}}, "yaxis": {"title": {"text": "loss"}}}
    return {"data": lines, "layout": layout}
"""

# What happens in the page, as functions of it; each gives milliseconds.
HELPERS = """() => {
  const frame = () => new Promise(done => requestAnimationFrame(done));
  window.painted = async () => { await frame(); await new Promise(done => setTimeout(done)); };
  window.until = async (found, limit = 120_000) => {
    const began = performance.now();
    while (!found()) {
      if (performance.now() - began > limit) throw new Error('not seen in time: ' + found);
      await frame();
    }
    await painted();
  };
  window.output = cell => document.querySelectorAll('.jp-CodeCell')[cell];
  window.run = cell => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    notebook.activeCellIndex = cell;
    return window.jupyterapp.commands.execute('notebook:run-cell');
  };
  window.scrolled = async (el, frames, by) => {
    const times = [];
    let last = await frame();
    for (let i = 0; i < frames; i++) {
      el.scrollTop += by;
      const now = await frame();
      times.push(now - last);
      last = now;
    }
    return times;
  };
}"""
PAINT = """async cell => {
  const old = output(cell).querySelector('.modellab');
  const began = performance.now();
  let kernel = null;
  void run(cell).then(() => { kernel = performance.now() - began; });
  const board = () => [...output(cell).querySelectorAll('.modellab')].find(one => one !== old);
  await until(() => board()?.querySelector('.ml-body .ml-row'));
  const rows = performance.now() - began;
  board().querySelector('.ml-chart').scrollIntoView({ block: 'nearest' });
  await until(() => board().querySelector('.ml-plot .scatterlayer .trace'));
  const chart = performance.now() - began;
  await until(() => kernel !== null);
  return { rows, chart, kernel };
}"""
SORT = """async column => {
  const head = [...document.querySelectorAll('.modellab .ml-head .ml-cell')]
    .find(one => one.querySelector('.ml-title')?.textContent.replace(/ [▲▼]$/u, '') === column);
  const began = performance.now();
  head.click();
  const worked = performance.now() - began;
  await painted();
  return { worked, painted: performance.now() - began };
}"""
FILTER = """async text => {
  const box = document.querySelector('.modellab .ml-filter');
  const began = performance.now();
  box.value = text;
  box.dispatchEvent(new InputEvent('input', { bubbles: true }));
  const worked = performance.now() - began;
  await painted();
  return { worked, painted: performance.now() - began };
}"""
LONG = """async metric => {
  const board = document.querySelector('.modellab');
  const select = board.querySelector('.ml-choose select'), plot = board.querySelector('.ml-plot');
  const title = () => plot.querySelector('.ytitle')?.textContent;
  const began = performance.now();
  select.value = `metrics.${metric}`;
  select.dispatchEvent(new Event('change', { bubbles: true }));
  await until(() => title() === metric && plot.querySelector('path.js-line'));
  const y = plot._fullData[0].y, took = performance.now() - began;
  return { took, points: y.length, low: Math.min(...y), high: Math.max(...y) };
}"""
DRAWN = """async ({ cells, mark }) => {
  const began = performance.now();
  void window.jupyterapp.commands.execute('notebook:run-all-cells');
  await until(() => Array.from({ length: cells }, (_, i) => output(i + 1)?.querySelector(mark)).every(Boolean));
  return performance.now() - began;
}"""

CLEAR = "cell => { window.jupyterapp.shell.currentWidget.content.widgets[cell].outputArea.model.clear() }"


@contextmanager
def notebook(lab: host.Lab, browser: Any, name: str, *cells: str, height: int = 1000) -> Iterator[Any]:
    """Open a notebook of these cells on a fresh page, and count what comes over its websockets."""
    pages.write_notebook(lab, name, *cells)
    context = browser.new_context(viewport={"width": 1400, "height": height})
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.received = 0

    def count(data: str | bytes) -> None:
        page.received += len(data)

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    try:
        pages.open_notebook(page, lab, name)
        page.evaluate(HELPERS)
        yield page
    finally:
        pages.shut_down(page)
        context.close()


def first(page: Any, cell: int = 0) -> None:
    """Run a cell that shows nothing."""
    page.evaluate("cell => void run(cell)", cell)
    page.wait_for_function(
        "cell => window.jupyterapp.shell.currentWidget.content.widgets[cell].model.executionCount !== null", arg=cell
    )


def folder(lab: host.Lab, name: str) -> Path:
    made = lab.work / name
    made.mkdir(exist_ok=True)
    return made


def middle(rows: list[dict[str, float]], key: str) -> float:
    return statistics.median(row[key] for row in rows)


def late(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def heap(page: Any) -> float:
    """Return MB of the page's JavaScript after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def tables(lab: host.Lab, browser: Any, repeats: int) -> None:
    """First paint, scrolling, sorting and filtering of runs."""
    for runs, promise in ((1000, 1000), (20_000, 2000)):
        place = f"runs-{runs}"
        python(FILL.replace("ARGUMENTS", repr((runs, 10, 10 if runs == 1000 else 1, 5000))), folder(lab, place))
        with notebook(lab, browser, f"{place}/board.ipynb", START, "ml.dashboard()") as page:
            first(page)
            fresh = page.evaluate(PAINT, 1)
            rows = [page.evaluate(PAINT, 1) for _ in range(repeats)]
            what = f"{runs:,} runs:"
            for word, took in (
                ("fresh kernel and page", [fresh]),
                ("the cell run again", rows),
            ):
                note = f"{middle(took, 'kernel'):.0f} ms until the kernel is done"
                show(f"{what} first rows, {word}", middle(took, "rows"), "ms", promise, note)
                show(f"{what} and the chart, {word}", middle(took, "chart"), "ms", None)
            if runs == 1000:
                continue
            grid = page.locator(f"{BOARD} .ml-grid").first
            frames = grid.evaluate("el => scrolled(el, 240, 90)")
            show(
                f"{what} a frame of slow scrolling",
                statistics.median(frames),
                "ms",
                FRAME + 0.5,
                "promised 60 a second",
            )
            show(f"{what} a frame of slow scrolling, p95", late(frames), "ms", None)
            frames = grid.evaluate("el => scrolled(el, 240, 2000)")
            show(
                f"{what} a frame of fast scrolling",
                statistics.median(frames),
                "ms",
                FRAME + 0.5,
                "promised 60 a second",
            )
            show(f"{what} a frame of fast scrolling, p95", late(frames), "ms", None)
            grid.evaluate("el => { el.scrollTop = 0 }")
            for title, script, given in (
                ("sort by a metric", SORT, ["metric_3"] * 6),
                ("sort by name", SORT, ["name"] * 6),
                ("filter by a metric", FILTER, [f"metric_3 > 0.{k}" for k in range(1, 7)]),
                ("filter by a word", FILTER, ["r1", "r19", "r199", "r19", "r1", ""]),
            ):
                found = []
                for one in given:
                    found.append(page.evaluate(script, one))
                    page.wait_for_timeout(700)
                note = f"{middle(found, 'worked'):.1f} ms of them work"
                show(f"{what} {title}, painted", middle(found, "painted"), "ms", None, note)


def series(lab: host.Lab, browser: Any) -> None:
    """A series of a million points, each read and reduced for the first time."""
    python(MILLIONS, folder(lab, "series"))
    with notebook(lab, browser, "series/long.ipynb", START, "ml.dashboard()") as page:
        first(page)
        page.evaluate(PAINT, 1)
        page.evaluate(LONG, "brief")
        found = [page.evaluate(LONG, f"long_{k}") for k in range(SERIES)]
    kept = all((row["low"], row["high"]) == (-9, 9) for row in found)
    note = f"{found[0]['points']} points drawn, extremes {'kept' if kept else 'LOST'}"
    show("a series of 1 M points, chosen to drawn", middle(found, "took"), "ms", 300, note)


def ten(lab: host.Lab, browser: Any, repeats: int) -> None:
    """Ten widgets on a page that shows all of them at once."""
    gallery.make(lab.work / "ten")
    cells = [gallery.WIDGETS[i % len(gallery.WIDGETS)].code for i in range(10)]
    told = _drawn(lab, browser, "ten/ten", [START, *cells], ".modellab", repeats, 14_000)
    _tell("ten widgets", told, {"ipynb": 1.0, "html": 1.0})


def charts(lab: host.Lab, browser: Any, repeats: int, *, peers: bool) -> None:
    """Ten charts of ours, and the same ten of plotly's FigureWidget."""
    folder(lab, "charts")
    page = 'saved.Page("chart", [saved.Picture("loss by step", chart(I), "three lines")])'
    ours = [CHART, *[page.replace("I", str(i)) for i in range(10)]]
    told = _drawn(lab, browser, "charts/ours", ours, ".modellab .scatterlayer .trace", repeats, 9000)
    _tell("ten charts", told, {})
    if not peers:
        return
    theirs = [f"import plotly.graph_objects as go\n{CHART}", *[f"go.FigureWidget(chart({i}))" for i in range(10)]]
    other = _drawn(lab, browser, "charts/theirs", theirs, ".js-plotly-plot .scatterlayer .trace", repeats, 9000)
    _tell("ten FigureWidgets of plotly", other, {}, told)


def _drawn(
    lab: host.Lab, browser: Any, name: str, cells: list[str], mark: str, repeats: int, height: int
) -> dict[str, float]:
    rows = []
    for _ in range(repeats):
        with notebook(lab, browser, f"{name}.ipynb", *cells, height=height) as page:
            first(page)
            page.wait_for_timeout(1000)
            before, used = page.received, heap(page)
            took = page.evaluate(DRAWN, {"cells": len(cells) - 1, "mark": mark})
            page.wait_for_timeout(1500)
            rows.append({"took": took, "bytes": (page.received - before) / 1e6, "heap": heap(page) - used})
            pages.save(page)
    path = lab.work / f"{name}.ipynb"
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "html", str(path)]
    subprocess.run(command, env=lab.env, check=True, capture_output=True)
    sizes = {"ipynb": path.stat().st_size / 1e6, "html": path.with_suffix(".html").stat().st_size / 1e6}
    return {key: middle(rows, key) for key in rows[0]} | sizes


def _tell(what: str, told: dict[str, float], promises: dict[str, float], ours: dict[str, float] | None = None) -> None:
    words = {"took": ("from run all to drawn", "ms"), "bytes": ("over the websocket", "MB"),
             "heap": ("more JavaScript heap", "MB"), "ipynb": ("saved notebook", "MB"),
             "html": ("plain HTML of it", "MB")}  # fmt: skip
    for key, (word, unit) in words.items():
        note = f"{told[key] / ours[key]:.3g} x ours" if ours and ours[key] > 0 else ""
        show(f"{what}: {word}", told[key], unit, promises.get(key), note)


def training(lab: host.Lab, browser: Any, repeats: int) -> None:
    """Train for about a minute with and without a live dashboard that follows, in a project of two hundred runs."""
    python(FILL.replace("ARGUMENTS", repr((200, 5, 10, 200))), folder(lab, "training"))
    cells = [START, "ml.start_run('before', project_id='training').end()", "ml.dashboard('training')", "ml.runs",
             TRAIN]  # fmt: skip
    rows: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    with notebook(lab, browser, "training/train.ipynb", *cells, height=2400) as page:
        for cell in (0, 1):
            first(page, cell)
        for live in (*(False, True) * repeats, False):  # one more without, so that a drift of the machine evens out
            if live:
                page.evaluate(PAINT, 2)
            else:
                page.evaluate(CLEAR, 2)
            page.wait_for_timeout(4000)
            rows[live].append(_trained(page))
    for key, word in (("wall", "by the clock"), ("spent", "by the kernel's CPU time")):
        cost = 100 * (middle(rows[True], key) / middle(rows[False], key) - 1)
        show(f"a live dashboard costs a training, {word}", cost, "%", 2, f"of {middle(rows[False], key):.1f} s")


def _trained(page: Any) -> dict[str, float]:
    page.evaluate(CLEAR, 4)
    page.evaluate("() => void run(4)")
    text = page.locator(".jp-CodeCell").nth(4).locator(".jp-OutputArea-output pre", has_text="wall")
    text.wait_for()
    found: dict[str, float] = json.loads(text.inner_text().strip().splitlines()[-1])
    return found


ITABLES = """import sys
sys.path.append(FOLDER)
import numpy as np, pandas as pd
from itables.widget import ITable
rng = np.random.default_rng(0)
frame = pd.DataFrame({f"metric_{k}": rng.random(20_000) for k in range(10)})
frame.insert(0, "name", [f"r{i}" for i in range(20_000)])
frame = frame.assign(**{f"param_{k}": rng.choice(["1", "2", "3", "rf"], 20_000) for k in range(10)})
"""
SHOWN = """async cell => {
  const began = performance.now();
  void run(cell);
  await until(() => output(cell).querySelectorAll('tbody tr').length > 5);
  return performance.now() - began;
}"""
PRESSED = """async () => {
  const head = [...document.querySelectorAll('.jp-OutputArea-output th')].find(one => /metric_3/.test(one.textContent));
  const text = () => document.querySelector('.jp-OutputArea-output tbody tr')?.textContent, old = text();
  const target = head.querySelector('.dt-column-order, [role=button]') ?? head;
  const began = performance.now();
  target.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  await until(() => text() !== old, 10_000);
  return performance.now() - began;
}"""


def itables(lab: host.Lab, browser: Any) -> None:
    """The same 20,000 rows in a table of itables, which scrolls by virtual rows."""
    with tempfile.TemporaryDirectory() as place:
        uv = shutil.which("uv")
        install = [uv, "pip", "install"] if uv else [sys.executable, "-m", "pip", "install"]
        command = [*install, "-q", "--no-deps", "--target", place, "itables"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print("itables could not be installed; it is left out.")
            return
        folder(lab, "itables")
        table = 'ITable(frame, maxBytes=0, scrollY="300px", scroller=True, paging=True)'
        cells = [ITABLES.replace("FOLDER", repr(place)), table]
        with notebook(lab, browser, "itables/table.ipynb", *cells) as page:
            first(page)
            before = page.received
            show("itables, the same rows: first rows, fresh kernel and page", page.evaluate(SHOWN, 1), "ms", None)
            show("itables: over the websocket", (page.received - before) / 1e6, "MB", None)
            body = page.locator(".jp-OutputArea-output .dt-scroll-body").first
            for word, by in (("slow", 90), ("fast", 2000)):
                frames = body.evaluate(f"el => scrolled(el, 240, {by})")
                show(f"itables: a frame of {word} scrolling", statistics.median(frames), "ms", None)
                show(f"itables: a frame of {word} scrolling, p95", late(frames), "ms", None)
            body.evaluate("el => { el.scrollTop = 0 }")
            page.wait_for_timeout(1000)
            found = []
            for _ in range(4):
                found.append(page.evaluate(PRESSED))
                page.wait_for_timeout(500)
            show("itables: sort by a metric", statistics.median(found), "ms", None)


PARTS = ("tables", "series", "ten", "charts", "training")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="repeat less often")
    parser.add_argument("--peers", action="store_true", help="also plotly's FigureWidget and itables")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    given = parser.parse_args()
    lacks = host.missing()
    if lacks is not None:
        parser.error(lacks)
    repeats = 1 if given.quick else 5
    os.environ["OMP_NUM_THREADS"] = "1"  # a library's threads that wait for each other are not what is measured
    with tempfile.TemporaryDirectory() as root, host.jupyter_lab(Path(root)) as lab, host.browsing() as browser:
        if "tables" in given.only:
            tables(lab, browser, max(3, repeats))
            if given.peers:
                itables(lab, browser)
        if "series" in given.only:
            series(lab, browser)
        if "ten" in given.only:
            ten(lab, browser, repeats)
        if "charts" in given.only:
            charts(lab, browser, repeats, peers=given.peers)
        if "training" in given.only:
            training(lab, browser, repeats)


if __name__ == "__main__":
    main()
