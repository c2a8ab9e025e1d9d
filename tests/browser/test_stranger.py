"""A notebook that nobody trusts, with saved outputs made by hand to do harm."""

from __future__ import annotations

import json

import nbformat
import pytest
from pages import open_notebook

from modellab_jupyter.widgets import saved

pytestmark = pytest.mark.browser

OUTPUT = ".jp-OutputArea-output"
IMAGE = "https://evil.example/track.png"
LINK = '<a href="https://evil.example/">sign in</a>'
LAYOUT = {
    "images": [{"source": IMAGE, "x": 0, "y": 1, "sizex": 1, "sizey": 1, "xref": "paper", "yref": "paper"}],
    "template": {"layout": {"images": [{"source": IMAGE}], "annotations": [{"text": LINK}]}},
    "annotations": [{"text": LINK, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False}, 3, None],
    "title": {"text": f'{LINK}<span style="background:url({IMAGE})">x</span>'},
    "xaxis": {"title": {"text": LINK}, "tickvals": [0, 1, 2], "ticktext": [LINK, LINK, None]},
    "updatemenus": [{"buttons": [{"label": LINK, "method": "relayout", "args": ["images", [{"source": IMAGE}]]}]}],
    "sliders": [{"steps": [{"label": LINK}]}],
    "mapbox": {"style": IMAGE},
    "geo": {"scope": "world"},
    "paper_bgcolor": f"url({IMAGE})",
    "font": {"family": f"x;background:url({IMAGE})"},
    "constructor": {"prototype": {"images": 1}},
}
TRACE = {
    "type": "scatter",
    "mode": "markers+text",
    "name": LINK,
    "x": [0, 1, 2],
    "y": [1, 2, 1],
    "text": [LINK, {"toString": 1}, "plain"],
    "hovertemplate": f"%{{x}}<br>{LINK}<extra>{LINK}</extra>",
    "hoverlabel": {"bgcolor": f"url({IMAGE})"},
    "marker": {"size": [20, 20, 20], "color": f"url({IMAGE})", "symbol": IMAGE},
    "constructor": {"prototype": 1},
}
ODD = {"toString": 1, "valueOf": [], "length": -1}


def report(*sections, **more):
    return {
        "protocol": 1,
        "view": "report",
        "title": LINK,
        "data": polluted({"title": LINK, "sections": sections, **more}),
    }


def polluted(data):
    """Return JSON text in which every object has the key that changes objects where it is assigned."""

    def add(value):
        if isinstance(value, dict):
            return {"__proto__": {"hacked": 1, "images": [{"source": IMAGE}]}, **{k: add(v) for k, v in value.items()}}
        return [add(v) for v in value] if isinstance(value, list | tuple) else value

    return json.dumps(add(data))


def figure(data, layout=None):
    return {"kind": "figure", "caption": LINK, "alt": LINK, "figure": {"data": data, "layout": layout or {}}}


def words(text):
    return {"kind": "text", "text": text}


def table(rows, columns, **more):
    return {"kind": "table", "rows": rows, "columns": columns, "caption": LINK, **more}


SCORED = {"name": LINK, "chosen": 0.5, "score": [0.9, 0.2], "tp": [1, 2], "fp": [0, 3], "sum": [1, 2]}


def nested(section, times):
    for _ in range(times):
        section = {"kind": "fold", "title": LINK, "open": True, "sections": [section]}
    return section


REPORT = [
    {"kind": "thresholds", "classes": [SCORED, {**SCORED, "bands": ODD, "calibration": {"predicted": [LINK]}}]},
    {"kind": "thresholds", "classes": [{**SCORED, "tp": [LINK, 2]}]},
    {"kind": "thresholds", "classes": ODD},
    {"kind": "matrix", "classes": [LINK, ODD], "counts": [[1, 2], [3, 4]], "caption": LINK, "note": LINK},
    {"kind": "matrix", "classes": [LINK], "counts": [[LINK]]},
    {"kind": "diff", "caption": LINK, "note": LINK, "cells": [
        {"kind": "changed", "title": LINK, "lines": [f"+{LINK}", f"-{LINK}\u202e", f"@{LINK}", LINK, ODD, 3, ""]},
        {"kind": ODD, "title": ODD, "lines": ODD}, {"kind": "same", "lines": [f" {LINK}"]}, 3,
    ]},
    {"kind": "diff", "cells": ODD},
    nested(words("inside two folds"), 2),
    nested(words("inside too many folds"), 9),
    {"kind": "fold", "title": ODD, "sections": ODD},
    words("after the parts"),
]  # fmt: skip
RUNS = [
    {"name": "run_id", "kind": "text", "values": ["a", "b"]},
    {"name": "name", "kind": "text", "values": [LINK, "constructor"]},
    {"name": "status", "kind": "text", "values": ["constructor", "__proto__"]},
    {"name": "started_at", "kind": "time", "values": [LINK, "9" * 40]},
    {"name": f"params.{LINK}", "kind": "text", "values": [LINK, "x"]},
    {"name": "params.depth", "kind": "number", "values": [ODD, 1]},
    {"name": "metrics.acc", "kind": "number", "values": [0.5, 0.7]},
    {"name": "metrics.__proto__", "kind": "number", "values": [LINK, [1]]},
]
CURVE = {
    "rows": 4,
    "columns": [
        {"name": "run_id", "kind": "text", "values": ["a", "a", "b", "b"]},
        {"name": "step", "kind": "number", "values": [0, 1, 0, 1]},
        {"name": "value", "kind": "number", "values": [0.1, LINK, 0.2, 0.3]},
    ],
}
BOARD = {
    "project": {"name": LINK, "runs": ODD, "datasets": [], "last_activity": LINK, "best_run": "b"},
    "runs": {"rows": 2, "columns": RUNS, "greater_is_better": {"acc": True, "__proto__": False}},
    "best": {"metrics.acc": 0.7, "metrics.none": 3, "constructor": 1},
    "counts": {"failed": ODD, "running": LINK},
    "series": {"acc": CURVE, "constructor": 3},
    "notice": LINK,
}
MALFORMED = [
    None,
    "text",
    [],
    {},
    {"protocol": ODD, "view": "report", "data": "{}"},
    {"protocol": 1, "view": ODD, "data": "{}"},
    {"protocol": 1, "view": "constructor", "data": "{}"},
    {"protocol": 1, "view": "report", "data": "["},
    {"protocol": 1, "view": "report", "title": ODD, "data": "{}"},
    {"protocol": 1, "view": "report", "data": json.dumps({"sections": ODD})},
    {"protocol": 1, "view": "dashboard", "data": "{}"},
    {"protocol": 1, "view": "dashboard", "data": json.dumps({"runs": {"rows": 1e12, "columns": RUNS}})},
    {"protocol": 1, "view": "dashboard", "data": json.dumps({"runs": ODD, "project": 3, "verbs": [ODD]})},
]


def stranger(lab, page, name, *snapshots):
    """Open a notebook whose cells were never run here, one for each saved output."""
    cells = []
    for i, snapshot in enumerate(snapshots):
        data = {saved.MIME: snapshot, "text/plain": "as text"}
        cell = nbformat.v4.new_code_cell(f"cell_{i}", execution_count=1, id=f"cell-{i}")
        cell.outputs = [nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})]
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (lab.work / name).write_text(json.dumps(notebook))
    open_notebook(page, lab, name)
    assert not page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.some(c => c.model.trusted)")


def harmless(page):
    """Nothing was asked for outside this machine, nothing can be followed, and no object was changed."""
    assert page.outside == []
    assert page.locator(f"{OUTPUT} a, {OUTPUT} image[href^=http], {OUTPUT} img, {OUTPUT} iframe").count() == 0
    assert page.evaluate("() => [({}).hacked, ({}).images, ({}).x]") == [None, None, None]
    assert not [e for e in page.errors if "evil.example" in e or "rror:" in e]


def test_hostile_figures_reach_nothing_and_leave_the_page_standing(lab, page):
    """Images, links, templates and buttons of a figure are not drawn; words before and after it are."""
    many = list(range(450_000))
    snapshot = report(
        words("before the figures"),
        figure([TRACE], LAYOUT),
        figure([{**TRACE, "type": "image", "source": IMAGE}, {"type": "scattergeo"}], LAYOUT),
        figure([{**TRACE, "type": "bar"}, {"type": "heatmap", "z": [[1, LINK], ODD]}, {"type": "box", "y": ODD}], ODD),
        figure(
            [{"type": "histogram", "x": [1, 1e308, -1e308], "nbinsx": 1e9}],
            {"xaxis": {"range": [0, 1e299], "type": "log"}},
        ),
        figure(
            [
                {
                    "type": "parcoords",
                    "dimensions": [{"label": LINK, "values": [1, LINK]}, 3, ODD, {"label": "b", "values": [1, 2]}],
                }
            ]
        ),
        figure([{"type": "histogram", "x": [1, 1e299, -1e299]}], {"barmode": "overlay"}),
        figure([{"type": "histogram", "x": ["0001-01-01", "9999-12-31"]}], {"xaxis": {"type": "date"}}),
        figure([{"type": "scatter", "x": many[:30_000], "y": many[:30_000]}]),
        figure([{"type": "scatter", "x": many, "y": [1]}]),
        figure(ODD, ODD),
        {"kind": "figure", "figure": IMAGE, "height": 1e9},
        {"kind": "stats", "items": [{"label": ODD, "value": LINK, "note": ODD, "n": [], "low": 1}, None, 3]},
        table(
            2, [{"name": "evidence", "kind": "text", "values": ["constructor", LINK], "title": ODD, "form": "evidence"}]
        ),
        table(1e9, [{"name": "a", "kind": "number", "values": [1]}]),
        table(1, [{"name": ODD, "kind": "number", "values": [1]}]),
        {"kind": "constructor"},
        {"kind": ODD},
        words(ODD),
        words("after the figures"),
    )
    stranger(lab, page, "figures.ipynb", snapshot)
    page.wait_for_selector(f"{OUTPUT} >> text=after the figures")
    for plot in page.locator(f"{OUTPUT} .ml-chart").all():
        plot.scroll_into_view_if_needed()
        page.wait_for_timeout(400)
    harmless(page)
    page.locator(f"{OUTPUT} .scatterlayer .point").first.hover(force=True)
    page.wait_for_selector(f"{OUTPUT} .hoverlayer text")
    shown = page.locator(OUTPUT).first.inner_text()

    harmless(page)
    assert "before the figures" in shown
    assert page.locator(f"{OUTPUT} .js-plotly-plot").count() >= 4
    assert "annotation-text" not in shown
    assert '<a href="https://evil.example/">' in page.locator(f"{OUTPUT} .hoverlayer").first.text_content()
    for sentence in (
        "holds nothing that can be drawn",
        "more than 400,000 values",
        "more than 20,000 points",
        "This figure is damaged",
        "1 values for 1,000,000,000 rows",
        "a column has no name or no known kind",
        "a kind that this version does not know",
    ):
        assert sentence in shown
    assert "could not be drawn" not in shown


def test_hostile_reports_are_letters_and_sentences(lab, page):
    """Sliders, matrices, code and folds of a stranger are drawn as letters, or say what is wrong with them."""
    stranger(lab, page, "report.ipynb", report(*REPORT))
    page.wait_for_selector(f"{OUTPUT} >> text=after the parts")
    page.locator(f"{OUTPUT} select").first.select_option(index=1)
    page.wait_for_selector(f"{OUTPUT} .ml-threshold .main-svg")
    page.wait_for_timeout(400)
    shown = page.locator(OUTPUT).first.inner_text()

    harmless(page)
    assert page.locator(f"{OUTPUT} .ml-threshold").count() == 1
    assert shown.count("The thresholds of this page are damaged") == 2
    assert shown.count("This confusion matrix is damaged") == 1
    assert "inside two folds" in shown
    assert "inside too many folds" not in shown
    assert f"+ {LINK}" in shown
    assert "\\u202e" in shown


def test_hostile_dashboard_is_drawn_as_far_as_it_makes_sense(lab, page):
    """Wrong types and names of inherited things are letters or missing values."""
    stranger(lab, page, "board.ipynb", {"protocol": 1, "view": "dashboard", "title": LINK, "data": polluted(BOARD)})
    page.wait_for_selector(f"{OUTPUT} .scatterlayer .trace", state="attached")
    for tab in ("scatter", "parallel", "curves"):
        page.locator(f"{OUTPUT} [data-tab={tab}]").click()
        page.wait_for_timeout(400)
    page.locator(f"{OUTPUT} .ml-filter").first.fill("constructor = 1")
    assert "no column is named" in page.locator(f"{OUTPUT} .ml-slip").inner_text()

    harmless(page)
    assert page.locator(f"{OUTPUT} .ml-body .ml-row").count() == 2
    assert page.locator(f"{OUTPUT} h2").inner_text() == LINK


def test_malformed_outputs_are_sentences(lab, page):
    """Whatever was saved, a reader finds words in its place."""
    stranger(lab, page, "malformed.ipynb", *MALFORMED, report(words("the last one")))
    page.wait_for_selector(f"{OUTPUT} >> text=the last one")
    page.wait_for_timeout(500)
    shown = [" ".join(t.split()) for t in page.locator(".jp-Notebook .jp-OutputArea-child").all_inner_texts()]

    harmless(page)
    assert len(shown) == len(MALFORMED) + 1
    for text in shown[:-1]:
        assert any(w in text for w in ("run the cell again.", "as text")), text
        assert "Javascript Error" not in text
