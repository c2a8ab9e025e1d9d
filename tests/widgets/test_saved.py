"""What stays in the notebook: strict, bounded, escaped, the same every time."""

from __future__ import annotations

import html.parser
import json
import math
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pyarrow as pa
import pytest
from memory_source import HOSTILE, MemorySource, differences, report

from modellab_jupyter.widgets import diff, figures, judged, saved
from modellab_jupyter.widgets.compare import Details, Run, compare
from modellab_jupyter.widgets.dashboard import HTML_RUNS, LEAST_RUNS, SAVED_BYTES, SAVED_RUNS, Dashboard
from modellab_jupyter.widgets.evaluation import evaluation


class Tags(html.parser.HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.attributes = set()
        self.words = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words.append(data)


ALLOWED = {
    "div",
    "h3",
    "h4",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "bdi",
    "data",
    "small",
    "script",
    "figure",
    "figcaption",
    "img",
    "ul",
    "li",
    "b",
    "details",
    "summary",
    "pre",
    "ins",
    "del",
}


def pages():
    hostile = MemorySource(3, hostile=True, name=HOSTILE)
    judged = {
        **report(),
        "title": HOSTILE,
        "takeaway": HOSTILE,
        "failures": [{HOSTILE: HOSTILE}],
        "notes": [HOSTILE],
    }
    judged["slices"] = [{**s, "slice": HOSTILE, "metric": HOSTILE} for s in judged["slices"]]
    pairs = [{**d, "run": HOSTILE, "metric": HOSTILE} for d in differences()]
    yield Dashboard(hostile, live=False)
    yield compare(hostile.runs(None), pairs, title=HOSTILE)
    yield evaluation(judged)


def bundles():
    return [page._repr_mimebundle_() for page in pages()]


@pytest.mark.parametrize("bundle", bundles(), ids=["dashboard", "compare", "evaluation"])
def test_hostile_names_bring_no_element_and_no_attribute(bundle):
    """Only our own elements and harmless attributes are in the HTML, whatever a name holds."""
    found = Tags(bundle["text/html"])

    assert set(found.tags) <= ALLOWED
    assert found.attributes <= {
        "style",
        "class",
        "scope",
        "align",
        "value",
        "type",
        "src",
        "alt",
        "cellpadding",
        "rules",
        "title",
    }
    assert found.tags.count("img") == bundle["text/html"].count("data:image/svg+xml;base64,")
    assert any(HOSTILE[:30] in word for word in found.words)


@pytest.mark.parametrize("bundle", bundles(), ids=["dashboard", "compare", "evaluation"])
def test_json_is_strict_and_stays_within_its_bounds(bundle):
    """A saved output is strict JSON, and a name of 10,000 letters is cut in it."""
    text = json.dumps(bundle, allow_nan=False)

    assert json.loads(text) == bundle
    assert "x" * 1000 not in text
    assert len(text) < 200_000


def test_same_runs_give_the_same_bytes():
    """Nothing random is in a saved output, so a notebook that is run again does not change."""
    assert json.dumps(bundles()) == json.dumps(bundles())


def test_long_list_is_cut_and_says_so():
    """Of 1,000 runs the newest 200 are kept, with the baseline and the best; both forms say it in words."""
    source = MemorySource(1000)
    bundle = Dashboard(source, live=False)._repr_mimebundle_()
    data = json.loads(bundle[saved.MIME]["data"])
    columns = {c["name"]: c for c in data["runs"]["columns"]}

    assert data["runs"]["rows"] == SAVED_RUNS
    assert data["total"] == 1000
    assert "200 of 1,000 runs are saved here" in data["notice"]
    assert "run_000000" in columns["run_id"]["values"]
    assert source.project(None)["best_run"] in columns["run_id"]["values"]
    assert columns["run_id"]["values"][0] == "run_000999"
    assert f"The table shows {HTML_RUNS} of 1,000 runs." in bundle["text/html"]
    assert bundle["text/html"].count("<tr") == HTML_RUNS + 1
    assert "1,000 runs" in bundle["text/plain"]


def test_the_best_run_is_among_the_saved_ones():
    """The mark for the best of all runs names a run that is saved, and is the best of the saved ones."""
    data = json.loads(Dashboard(MemorySource(1000), live=False)._repr_mimebundle_()[saved.MIME]["data"])
    columns = {c["name"]: c for c in data["runs"]["columns"]}

    for metric, pick in (("metrics.accuracy", max), ("metrics.log_loss", min)):
        known = {i: v for i, v in zip(columns["run_id"]["values"], columns[metric]["values"], strict=True) if v}
        assert data["best"][metric]["runs"] == [pick(known, key=known.get)]


def test_project_without_runs_is_shown():
    """An empty project has a page, not an error."""
    bundle = Dashboard(MemorySource(0), live=False)._repr_mimebundle_()

    assert "No runs yet." in bundle["text/html"]
    assert bundle["text/plain"] == "Churn: 0 runs · 0 datasets\nNo runs yet."


def test_html_asks_for_nothing():
    """The plain form loads nothing from anywhere."""
    for bundle in bundles():
        text = bundle["text/html"]
        for word in ("http:", "https:", "//cdn", "@import", "url("):
            assert word not in text


def test_svg_is_well_formed_whatever_the_names_hold():
    """A picture is XML without script, also with control characters, markup and dollar signs in the names."""
    series = pa.table({"run_id": ["a", "a", "b"], "step": [0, 1, 0], "value": [0.1, math.nan, 3.0]})
    drawn = figures.svg(figures.curves(series, {"a": HOSTILE, "b": "_hidden $\\frac{$ 漢字"}, HOSTILE))
    root = ET.fromstring(drawn)

    assert root.tag.endswith("svg")
    assert not [e for e in root.iter() if e.tag.rpartition("}")[2] in ("script", "image", "a", "foreignObject")]
    assert "<script>window.hacked" in "".join(root.itertext())


def test_still_picture_shows_the_numbers_of_its_axes():
    """Making a picture smaller never shortens a number that is read."""
    rows = [{"label": str(i), "value": 0.775 + i / 1000, "low": 0.7701, "high": 0.7799} for i in range(3)]
    figure = figures.estimates(rows, "accuracy")
    figure["layout"]["xaxis"] |= {"tickvals": [0.7725, 0.7775], "ticktext": ["0.7725", "0.7775"]}
    words = list(ET.fromstring(figures.svg(figure)).itertext())

    assert {"0.7725", "0.7775"} <= set(words)


def test_numbers_in_words():
    """Numbers are short, and an interval is as fine as its width deserves."""
    assert [saved.number(v) for v in (0.91234567, 1234567.0, 1.234e-5, math.nan, None)] == [
        "0.9123",
        "1,234,567",
        "1.23e-05",
        "–",
        "–",
    ]
    assert saved.interval(0.8981, 0.9212) == "[0.898, 0.921]"
    assert saved.interval(0.1, None) == ""
    assert [saved.duration(s) for s in (0.0123, 59.2, 61, 7322, 90_000, None)] == [
        "12.3 ms",
        "59.2 s",
        "1 min 1 s",
        "2 h 2 min",
        "1 d 1 h",
        "–",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        pa.table({"a": [1, None], "b": ["x", None]}),
        pd.DataFrame({"a": [1, None], "b": ["x", None]}),
        [{"a": 1, "b": "x"}, {"a": None}],
        {"a": [1, None], "b": ["x", None]},
    ],
    ids=["arrow", "pandas", "records", "columns"],
)
def test_rows_come_in_any_usual_form(rows):
    """Arrow, pandas, records and columns give the same table."""
    assert saved.as_table(rows).to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}]


def test_mixed_column_becomes_text():
    """A column of numbers and texts is shown as text."""
    assert saved.as_table([{"v": 1}, {"v": "x"}, {"v": None}]).to_pylist() == [
        {"v": "1"},
        {"v": "x"},
        {"v": None},
    ]


def test_rows_of_another_kind_are_refused():
    """What is no table is named."""
    with pytest.raises(
        TypeError,
        match="rows must be an Arrow table, a DataFrame, a list of dicts or columns by name, got int",
    ):
        saved.as_table(3)


def grid(page, caption):
    return next(s for s in page.sections if isinstance(s, saved.Grid) and s.caption == caption)


def test_comparison_shows_only_what_differs():
    """A param with one value for all runs is not in the table."""
    runs = MemorySource(3).runs(None)
    runs = runs.append_column("params.same", pa.array(["a"] * runs.num_rows))
    page = compare(runs, differences())
    params, metrics = grid(page, "Params that differ"), grid(page, "Metrics that differ")

    assert params.table.column("name").to_pylist() == ["model", "learning_rate", "depth"]
    assert params.titles == {"name": "param", "run 0": "dummy", "run 1": "logistic", "run 2": "forest"}
    assert params.note == "1 more is the same."
    assert metrics.table.column("metric").to_pylist() == ["accuracy", "log_loss"]
    assert metrics.intervals["run 0"] == ("run 0 low", "run 0 high")
    assert [metrics.table.column("run 0 low")[i].as_py() for i in range(2)] == [
        runs.column("metrics.accuracy.low")[0].as_py(),
        None,
    ]


def test_comparison_never_concludes_without_pairs():
    """Without paired differences the page says that there are none."""
    page = compare(MemorySource(3).runs(None))

    assert "No paired differences" in str(page)


def test_comparison_refuses_one_run_and_incomplete_differences():
    """Wrong input is refused in a sentence."""
    runs = MemorySource(3).runs(None)
    with pytest.raises(ValueError, match="at least two runs, got 1"):
        compare(runs.slice(0, 1))
    with pytest.raises(ValueError, match="differences must have the column 'q_value'"):
        compare(runs, [{k: v for k, v in d.items() if k != "q_value"} for d in differences()])


def test_evaluation_says_why_a_number_is_missing():
    """A metric without a value carries its reason, in words and in the saved form."""
    page = evaluation(report())

    assert "f1: – no positive was predicted" in str(page)
    assert "no positive was predicted" in json.dumps(page.to_json())


def test_evaluation_refuses_parts_it_does_not_know():
    """A slip in a key is named."""
    with pytest.raises(ValueError, match="found 'metric'"):
        evaluation({"metric": []})


def test_p_values_are_never_written_as_zero():
    """Zero and tiny p-values read "< 0.001" in every form, others keep three digits."""
    assert [saved.p_value(v) for v in (0.0, 1e-300, 0.00099, 0.001, 0.04321, 0.5, 1, None)] == [
        "< 0.001",
        "< 0.001",
        "< 0.001",
        "0.001",
        "0.0432",
        "0.5",
        "1",
        "–",
    ]
    rows = [{**d, "p_value": 0.0, "q_value": 0.04321} for d in differences()]
    page = compare(MemorySource(3).runs(None), rows)

    assert page.to_html().count("&lt; 0.001") == 2
    assert "0.0432" in page.to_html()
    assert "< 0.001" in str(page)
    sections = json.loads(page.to_json()["data"])["sections"]
    paired = next(s for s in sections if s.get("caption") == "Paired differences to the baseline")
    columns = {c["name"]: c for c in paired["columns"]}
    assert [columns[n].get("form") for n in ("p_value", "q_value", "evidence", "difference")] == [
        "p",
        "p",
        "evidence",
        None,
    ]
    sliced = evaluation({**report(), "slices": [{**s, "q_value": 0.0} for s in report()["slices"]]})
    assert sliced.to_html().count("&lt; 0.001") == 4


@pytest.mark.parametrize("missing", [None, math.nan])
def test_undefined_difference_is_not_lack_of_evidence(missing):
    """What could not be compared says why, is drawn nowhere and is counted apart."""
    better, none = differences()
    undefined = {**none, "metric": "f1", "difference": missing, "low": None, "high": None, "p_value": None}
    rows = [
        {**better, "reason": None},
        {**none, "reason": None},
        {**undefined, "q_value": None, "reason": "the metric is undefined for dummy"},
    ]
    page = compare(MemorySource(3).runs(None), rows)

    assert str(page).splitlines()[2] == (
        "Of 3 paired comparisons with the baseline dummy: 1 better, 0 worse, 1 without evidence of a difference, "
        "1 not comparable (the difference is undefined; the table says why)."
    )
    table = grid(page, "Paired differences to the baseline").table
    assert table.column("evidence").to_pylist() == ["better", "no evidence of a difference", "not comparable"]
    assert "the metric is undefined for dummy" in page.to_html()
    assert [s.caption for s in page.sections if isinstance(s, saved.Picture)] == ["accuracy"]
    plain = compare(MemorySource(3).runs(None), [better, {**undefined, "q_value": None}])
    assert "1 not comparable." in str(plain)
    assert "reason" not in grid(plain, "Paired differences to the baseline").table.column_names


def test_differences_without_a_better_direction_are_counted():
    """A metric that has no better direction may differ, and the conclusion says so."""
    rows = [{**d, "evidence": "different"} for d in differences()]

    assert "0 better, 0 worse, 2 different, 0 without" in str(compare(MemorySource(3).runs(None), rows))


def test_failures_may_have_columns_of_any_name():
    """Names of features mean nothing: they are shown as they are, in every form."""
    names = ["label", "row", "prediction", "p_value", "duration", "evidence", "part", "low", "high", "undefined"]
    names += ["constructor", "__proto__", "", "estimate", "a" * 900, "\ud800", "<b>", "title", "form", "reason"]
    row = {
        "category": "confident",
        **dict.fromkeys(names, 0.0001),
        **{f"feature {n}": 90 + i for i, n in enumerate(names)},
    }
    odd = {"category": 2**70, "row": "\ud800", "label": {"a": {1, 2}}, "prediction": [1, "x"], "reason": object}
    page = evaluation({"failures": [row, odd]})
    html_, text = page.to_html(), str(page)
    section = json.loads(page.to_json()["data"])["sections"][0]

    assert section["rows"] == 2
    assert len(section["columns"]) == 2 * len(names) + 1
    assert not [c for c in section["columns"] if "part" in c or "form" in c]
    assert "&lt; 0.001" not in html_
    assert "1 min" not in html_
    assert "confident" in text


def marked(**columns):
    """Return a runs table whose metric columns say what they are, where told."""
    fields = {
        n: pa.field(f"metrics.{n}", pa.float64(), metadata={saved.PART: p} if p else None) for n, p in columns.items()
    }
    head = MemorySource(2).runs(None).select(["run_id", "name", "status", "baseline", "started_at", "duration", "note"])
    for i, field in enumerate(fields.values()):
        head = head.append_column(field, pa.array([float(i), i + 0.5]))
    return head


NAMED = ["accuracy", "accuracy.low", "accuracy.high", "accuracy.n"]


def test_metrics_are_told_from_their_parts_by_metadata_first():
    """A metric that a person called accuracy.low stays one where the table says what is a part."""
    ours = marked(**dict.fromkeys(NAMED), f1=None, **{"f1.low": b"low", "f1.high": b"high", "f1.n": b"n"})
    named = marked(**dict.fromkeys([*NAMED, "shift.low"]))

    assert list(saved.metric_parts(ours)) == [f"metrics.{n}" for n in [*NAMED, "f1"]]
    assert saved.metric_parts(ours)["metrics.accuracy"] == {}
    assert set(saved.metric_parts(ours)["metrics.f1"]) == {"low", "high", "n"}
    assert list(saved.metric_parts(named)) == ["metrics.accuracy", "metrics.shift.low"]


def test_saved_and_live_tables_say_what_is_a_part():
    """The browser is told which columns are parts, and comparisons show a metric with such a name."""

    class Named(MemorySource):
        def runs(self, project_id):
            return marked(**dict.fromkeys(NAMED), f1=None, **{"f1.low": b"low", "f1.high": b"high"})

    board = Dashboard(Named(2), live=False)
    data = json.loads(board._repr_mimebundle_()[saved.MIME]["data"])
    live = board._open({}).payload["runs"]["columns"]
    wanted = {f"metrics.{n}": n in ("f1.low", "f1.high") for n in [*NAMED, "f1", "f1.low", "f1.high"]}

    assert {c["name"]: c["part"] for c in data["runs"]["columns"] if "part" in c} == wanted
    assert {c["name"]: c["part"] for c in live if "part" in c} == wanted
    metrics = grid(compare(Named(2).runs(None)), "Metrics that differ").table.to_pylist()
    assert [row["metric"] for row in metrics] == [*NAMED, "f1"]
    assert [row["run 0 low"] is not None for row in metrics] == [False] * 4 + [True]


def scored(name="yes", **more):
    columns = {"score": [0.9, 0.6, 0.2], "tp": [1, 2, 2], "fp": [0, 1, 2], "sum": [0.9, 2.1, 2.5]}
    return saved.Scored(name, columns, 0.55, **more)


def test_a_threshold_is_a_table_where_nothing_moves():
    """Without scripts the counts and shares at round thresholds stand there, with the one of the evaluation."""
    one = scored()
    assert one.at(0.6) == {
        "threshold": 0.6, "tp": 2, "fp": 1, "fn": 0, "tn": 1,
        "precision": 2 / 3, "recall": 1, "specificity": 0.5, "f1": 0.8, "accuracy": 0.75,
        "said_mean": 2.1 / 3, "said_share": 2 / 3, "rest_mean": pytest.approx(0.4), "rest_share": 0,
    }  # fmt: skip
    assert one.at(0.95)["precision"] is None
    page = saved.Page("one", [saved.Thresholds([one], 0.95, counted=True)])
    assert page.to_html().count("<tr") == 11
    assert set(page.figures()) == {"ROC curve", "Precision and recall"}
    assert json.loads(page.to_json()["data"])["sections"][0]["classes"][0]["name"] == "yes"


@pytest.mark.parametrize("score", [0.4999999, 0.5, 0.1234565, 1.0, 3.21e-7, 0.0, 1 / 3])
def test_a_saved_score_is_never_above_what_it_was(score):
    """Rows below a threshold of six digits stay below it in the saved page, and those at it stay at it."""
    kept = saved._down(score)

    assert kept <= score
    assert score - kept <= score * 1e-5
    assert (kept >= 0.5) == (score >= 0.5)


def everything():
    """Return one page with every kind of section, hostile names in each."""
    pieces = diff.of_cells([diff.Cell(HOSTILE, "a", HOSTILE)], [diff.Cell(HOSTILE + "\n\u202ex = 1", "a", HOSTILE)])
    return saved.Page(
        HOSTILE,
        [
            saved.Matrix(HOSTILE, [HOSTILE, "x" * 10_000], [[3, 1], [0, 2]], HOSTILE),
            saved.Thresholds([scored(HOSTILE), scored("x" * 10_000)], 0.95, counted=True, note=HOSTILE),
            saved.Fold(HOSTILE, [saved.Diff(HOSTILE, pieces, HOSTILE), saved.Text(HOSTILE, "note")]),
        ],
    )


def test_every_kind_of_section_is_strict_escaped_and_said():
    """Matrix, slider, fold and code hold names as text in all three forms; nothing turns letters around."""
    bundle = everything()._repr_mimebundle_()
    found = Tags(bundle["text/html"])

    assert set(found.tags) <= ALLOWED
    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle
    assert "x" * 1000 not in json.dumps(bundle)
    assert "\\u202ex = 1" in bundle["text/html"]
    assert "\u202e" not in bundle["text/html"] + json.dumps(bundle, ensure_ascii=False)
    assert "\\u202ex = 1" in bundle["text/plain"]


def cell(source, key=None, count=None):
    return diff.Cell(source, key, f"cell [{count}]")


def kinds(old, new):
    return [piece.kind for piece in diff.of_cells(old, new)]


def test_code_is_compared_cell_by_cell():
    """A version of a cell is told from a cell that came or went, by its id or by what it has in common."""
    stays, old, new = (
        cell("import numpy", "a"),
        cell("lr = 1\nfit(lr)\nplot()", "b"),
        cell("lr = 2\nfit(lr)\nplot()", "b"),
    )

    assert diff.of_cells([stays, old], [stays, old]) == ()
    assert kinds([stays, old], [stays, new]) == ["same", "changed"]
    assert diff.of_cells([stays, old], [stays, new])[1].lines == ("-lr = 1", "+lr = 2", " fit(lr)", " plot()")
    assert kinds([stays], [stays, new]) == ["same", "added"]
    assert kinds([stays, old], [stays]) == ["same", "removed"]
    assert kinds([cell("lr = 1\nfit(lr)")], [cell("lr = 2\nfit(lr)")]) == ["changed"]
    assert kinds([cell("a = 1")], [cell("import torch as t")]) == ["removed", "added"]
    assert sorted(kinds([stays, old], [old, stays])) == ["moved", "same"]
    again = diff.of_cells([stays, old], [stays, old, cell(new.source, "c", 7)])[1]
    assert (again.kind, again.lines[:2]) == ("changed", ("-lr = 1", "+lr = 2"))


def test_the_code_of_a_run_is_each_cell_as_it_ran_last():
    """A cell that ran twice before the run ended counts once, at its last place; without id it is known by its code."""
    rows = [
        {"source": "x = 1", "cell_id": "a", "execution_count": 1},
        {"source": "fit(x)", "cell_id": "b", "execution_count": 2},
        {"source": "x = 2", "cell_id": "a", "execution_count": 3},
        {"source": "x = 3", "cell_id": None, "execution_count": 4},
        {"source": "x = 3", "cell_id": None, "execution_count": None},
    ]

    assert [(c.source, c.title) for c in diff.cells(rows)] == [
        ("fit(x)", "cell [2]"), ("x = 2", "cell [3]"), ("x = 3", "cell"),
    ]  # fmt: skip


def test_a_long_difference_is_cut_and_says_so():
    """A cell of 10,000 lines, or one line of 100,000 letters, leaves a page that stays small."""
    pieces = diff.of_cells([cell("a")], [cell("\n".join(f"x{i} = {i}" for i in range(10_000))), cell("y" * 100_000)])

    assert sum(len(line) for piece in pieces for line in piece.lines) < 30_000
    assert any("more lines are not saved here" in piece.lines[-1] for piece in pieces)
    assert any(line.startswith("@") for line in diff._lines("a\n" * 40 + "b", "a\n" * 40 + "c"))


def test_a_comparison_without_differences_shows_none():
    """Runs that are the same in every way have sentences in place of tables."""
    run = MemorySource(1).rows[0]
    runs = pa.Table.from_pylist([{**run, "run_id": i, "name": i} for i in ("a", "b")])
    known = Run({"python": "3.13"}, {"train": "version 1"}, [cell("x = 1", "a", 1)])
    text = str(compare(runs, None, Details(runs=[known, known])))

    assert "All params are the same." in text
    assert "All metrics are the same." in text
    assert "All runs used the same data." in text
    assert "git commit are the same" in text
    assert "the executed cells of b are those of the baseline" in text


def test_a_comparison_says_what_changed_around_the_runs():
    """Versions, packages that came and went, data and code stand side by side; more than eight runs are said."""
    runs = MemorySource(2).runs(None)
    one = Run({"numpy": "1.0", "gone": "2", "same": "1"}, {"train": "version 1"}, [cell("x = 1", "a", 1)])
    two = Run({"numpy": "2.0", "new": "3", "same": "1"}, {"train": "version 2"}, [cell("x = 2", "a", 4)])
    page = compare(runs, None, Details(runs=[one, two], drift=["rows 10 → 12"]))
    environment = grid(page, "Environment that differs").table.to_pylist()

    assert [(row["name"], row["change"]) for row in environment] == [
        ("numpy", "changed"), ("gone", "removed"), ("new", "added"),
    ]  # fmt: skip
    assert grid(page, "Data that differ").table.to_pylist() == [
        {"name": "train", "run 0": "version 1", "run 1": "version 2"}
    ]
    assert "rows 10 → 12" in str(page)
    assert "cells 1 changed" in str(page)
    assert "4 more are in the tables alone" in str(compare(MemorySource(12).runs(None)))


def test_an_untested_difference_is_not_lack_of_evidence():
    """A difference without a test is said to be untested, and not drawn."""
    better, none = differences()
    page = compare(MemorySource(3).runs(None), [better, {**none, "metric": "ece", "p_value": None, "q_value": None}])

    assert "0 without evidence of a difference, 1 not tested." in str(page)
    assert [s.caption for s in page.sections if isinstance(s, saved.Picture)] == ["accuracy"]


def test_a_curve_keeps_its_corners():
    """Of a curve of steps, points on straight lines are left out, and the highest and lowest stay."""
    x = [i / 1000 for i in range(1001)]
    y = [0.0 if v < 0.4 else 1.0 if v < 0.7 else 0.5 for v in x]
    kept = judged.fewer({"x": x, "y": y}, "x", "y", 40)

    assert len(kept["x"]) <= 40
    assert {0.0, 1.0, 0.5} <= set(kept["y"])
    assert (kept["x"][0], kept["x"][-1]) == (0, 1)


def test_a_wide_project_is_saved_small_and_its_names_steer_no_terminal():
    """However many metrics runs have, the saved table stays below its bytes; text for terminals has no controls."""
    source = MemorySource(200)
    runs = source.runs(None)
    for i in range(100):
        values = [float(i) + row / 7 for row in range(runs.num_rows)]
        runs = runs.append_column(f"params.wide_{i}", pa.array(values))
    place = runs.column_names.index("name")
    runs = runs.set_column(place, "name", pa.array(["\x1b[2Jred\u0007"] * runs.num_rows))
    source.runs = lambda _project: runs
    bundle = Dashboard(source)._repr_mimebundle_()

    assert len(json.dumps(bundle[saved.MIME])) < 1.5 * SAVED_BYTES
    assert json.loads(bundle[saved.MIME]["data"])["runs"]["rows"] >= LEAST_RUNS
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", bundle["text/plain"])


def test_support_stands_beside_its_value_in_every_form():
    """The number of rows is a text beside the interval, not a column of its own nor a tooltip."""
    rows = {"run": ["a"], "accuracy": [0.91], "low": [0.898], "high": [0.921], "rows": [2500]}
    grid = saved.Grid("t", saved.as_table(rows), {}, {"accuracy": ("low", "high")}, supports={"accuracy": "rows"})
    bundle = saved.Page("p", [grid])._repr_mimebundle_()
    assert "<small>[0.898, 0.921] n = 2,500</small>" in bundle["text/html"]
    assert bundle["text/html"].count("<th ") == 2
    assert "0.91 [0.898, 0.921] n = 2,500" in bundle["text/plain"]
    columns = {c["name"]: c for c in json.loads(bundle[saved.MIME]["data"])["sections"][0]["columns"]}
    assert (columns["accuracy"]["support"], columns["rows"]["part"]) == ("rows", True)
