"""The list of datasets: what it answers, what it saves, and what strangers' names do not change."""

from __future__ import annotations

import base64
import itertools
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from memory_lists import LONG, RTL, MemoryDatasets, customers
from memory_source import HOSTILE
from test_saved import ALLOWED, Tags

from modellab_jupyter.errors import InputError, NotFoundError
from modellab_jupyter.summary import summarise
from modellab_jupyter.widgets import bars, saved
from modellab_jupyter.widgets.datasets import DatasetList, as_shown
from modellab_jupyter.widgets.listing import SAVED_ROWS, share, storage

BOUND = 150_000


def data_of(bundle):
    return json.loads(bundle[saved.MIME]["data"])


def columns(table):
    return {c["name"]: c for c in table["columns"]}


def ask(widget, verb, **payload):
    return widget._verbs()[verb](payload)


def test_the_list_says_of_each_dataset_what_there_is():
    """Text and HTML hold name, versions, rows, missing share and size."""
    bundle = DatasetList(MemoryDatasets(3), live=False)._repr_mimebundle_()

    assert "3 datasets · 5 versions · 1 used by runs" in bundle["text/plain"]
    for word in ("customers", "churn", "5.0 %", "12.3 kB"):
        assert word in bundle["text/plain"]
        assert word in bundle["text/html"]


def test_newest_datasets_are_saved_with_versions_columns_and_rows():
    """Without a kernel the list, versions, columns of each version, first rows and runs are there."""
    data = data_of(DatasetList(MemoryDatasets(3), live=False).saved())

    assert columns(data["dataset"]["ds_00000"]["versions"])["version"]["values"] == [3, 2, 1]
    assert columns(data["dataset"]["ds_00000"]["runs"])["name"]["values"] == ["forest-0", "forest-1"]
    assert {"ds_00000 3", "ds_00000 2", "ds_00000 1", "ds_00001 1"} <= set(data["summary"])
    assert data["preview"]["ds_00000 3"]["names"] == ["age", "income", "plan", "since", "active", "region"]
    assert "ds_00000 1" not in data["preview"]


@pytest.mark.parametrize("hostile", [False, True])
def test_what_is_saved_is_bounded_and_says_so(hostile):
    """Of a thousand datasets the newest are kept, within the bound, also where names are long."""
    bundle = DatasetList(MemoryDatasets(1000, hostile=hostile), live=False).saved()
    data = data_of(bundle)

    assert len(json.dumps(bundle, ensure_ascii=False).encode()) < BOUND
    assert data["total"] == 1000
    assert data["datasets"]["rows"] <= SAVED_ROWS
    assert f"{data['datasets']['rows']} of 1,000 datasets are saved here" in data["notice"]
    assert bundle["text/html"].count("<tr") == 51
    assert "1,000 datasets" in bundle["text/plain"]


def test_wide_and_long_tables_are_bounded():
    """A dataset of a thousand columns of long texts leaves no more than the bound."""
    source = MemoryDatasets(2)
    wide = pa.table({f"{LONG[:300]}{i}": [LONG] * 120 for i in range(1000)})
    source.tables = {name: [wide] for name in source.tables}
    bundle = DatasetList(source, live=False).saved()

    assert len(json.dumps(bundle, ensure_ascii=False).encode()) < BOUND
    assert data_of(bundle)["summary"]["ds_00000 1"]["total"] == 1000


def test_hostile_names_are_text_in_every_form():
    """Markup in names, columns, cells and paths brings no element, no attribute, and no broken picture."""
    bundle = DatasetList(MemoryDatasets(3, hostile=True), live=False).saved()
    found = Tags(bundle["text/html"])

    assert set(found.tags) <= ALLOWED
    assert not any(name.startswith("on") for name in found.attributes)
    assert "x" * 500 not in json.dumps(bundle)
    assert "\n" not in bundle["text/plain"].split("\n")[2]
    pictures = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", bundle["text/html"])
    assert len(pictures) == 2
    for picture in pictures:
        root = ET.fromstring(base64.b64decode(picture))
        assert {el.tag.rpartition("}")[2] for el in root.iter()} <= {"svg", "rect", "path", "text", "defs", "pattern"}
    json.dumps(bundle, allow_nan=False)


def test_same_datasets_give_the_same_bytes():
    """Nothing random is saved, so a notebook that is run again does not change."""
    assert len({json.dumps(DatasetList(MemoryDatasets(3), live=False).saved()) for _ in range(2)}) == 1


def test_an_empty_store_says_what_to_do():
    """Without datasets each form says how the first one comes."""
    bundle = DatasetList(MemoryDatasets(0), live=False).saved()

    assert "ml.datasets.add" in bundle["text/plain"]
    assert "ml.datasets.add" in bundle["text/html"]
    assert data_of(bundle)["datasets"]["rows"] == 0


def test_what_cannot_be_read_is_said_in_its_place():
    """A damaged summary leaves the list standing, and its sentence where the columns would be."""
    source = MemoryDatasets(2)
    source.damaged = True
    bundle = DatasetList(source, live=False).saved()

    assert "were changed or damaged" in bundle["text/html"]
    assert "were changed or damaged" in data_of(bundle)["summary"]["ds_00000 3"]["error"]
    assert data_of(bundle)["preview"]["ds_00000 3"]["names"]


def test_polling_reads_only_what_changed():
    """An unchanged token is answered without reading the list; a changed one with it."""
    source = MemoryDatasets(2)
    widget = DatasetList(source, live=False)
    token = ask(widget, "open").payload["token"]

    assert ask(widget, "poll", token=token).payload == {"changed": False, "token": token}
    source.token += 1
    assert ask(widget, "poll", token=token).payload["changed"] is True


def test_a_source_without_a_token_is_told_apart_by_its_content():
    """Where the source has no `changes`, the same content is the same token."""
    source = MemoryDatasets(2)
    source.changes = None
    widget = DatasetList(source, live=False)
    token = ask(widget, "open").payload["token"]

    assert ask(widget, "poll", token=token).payload["changed"] is False
    source.n = 1
    assert ask(widget, "poll", token=token).payload["changed"] is True


def test_verbs_answer_for_one_version():
    """Versions and runs, columns, first rows and drift come as tables with a block of bytes each."""
    widget = DatasetList(MemoryDatasets(3), live=False)

    about = ask(widget, "dataset", dataset_id="ds_00000")
    assert (about.payload["versions"]["rows"], about.payload["runs"]["rows"], len(about.buffers)) == (3, 2, 2)
    summary = ask(widget, "summary", dataset_id="ds_00000", version=3)
    assert (summary.payload["rows"], summary.payload["columns"]["rows"]) == (300, 6)
    preview = ask(widget, "preview", dataset_id="ds_00000", version=3)
    assert preview.payload["table"]["rows"] == 100
    drift = ask(widget, "drift", dataset_id="ds_00000", old=1, new=3).payload
    assert (drift["changed"], drift["rows_added"], drift["same"]) == (3, 300, False)
    assert ask(widget, "drift", dataset_id="ds_00000", old=1, new=1).payload["same"] is True


@pytest.mark.parametrize(
    ("verb", "payload", "error"),
    [
        ("dataset", {}, InputError),
        ("dataset", {"dataset_id": ["ds_00000"]}, InputError),
        ("dataset", {"dataset_id": "'; DROP TABLE datasets; --"}, NotFoundError),
        ("summary", {"dataset_id": "ds_00000", "version": "3"}, InputError),
        ("preview", {"dataset_id": "ds_00000", "version": True}, InputError),
        ("preview", {"dataset_id": "ds_00000", "version": 9}, NotFoundError),
        ("drift", {"dataset_id": "ds_00000", "old": 1}, InputError),
    ],
)
def test_what_a_page_asks_wrongly_is_refused_in_one_sentence(verb, payload, error):
    """A question that lacks something, or names what is not there, ends in a sentence."""
    with pytest.raises(error, match=r"\.$") as caught:
        ask(DatasetList(MemoryDatasets(3), live=False), verb, **payload)
    assert "\n" not in str(caught.value)


def test_a_source_that_lacks_a_method_is_refused():
    """The methods that are missing are named."""
    with pytest.raises(TypeError, match=r"object lacks title, datasets"):
        DatasetList(object())


@pytest.mark.parametrize("seed", range(5))
def test_bars_are_the_histogram_of_the_values(seed):
    """Where all values are known the bars are numpy's histogram; where points are, close to it; they sum to one."""
    rng = np.random.default_rng(seed)
    for values in (rng.integers(0, 9, 500), rng.normal(size=200), rng.lognormal(size=20_000)):
        column = summarise(pa.table({"x": values})).columns[0]
        found = np.array(bars.histogram(column))
        edges = np.linspace(values.min(), values.max(), bars.BINS + 1)
        # A value on an edge is in the bin to its left there, to its right in numpy's.
        upto = np.array([(values <= edge).mean() for edge in edges])
        expected = np.diff(np.concatenate([[0], upto[1:]]))

        assert found.sum() == pytest.approx(1, abs=0.002)
        assert np.abs(np.cumsum(found) - np.cumsum(expected)).max() < (0.006 if len(values) > 256 else 1e-3)


def test_odd_columns_have_bars_or_none():
    """Constants, missing values, infinities, the widest doubles and nested values neither fail nor lie."""
    table = pa.table({
        "constant": [3.0] * 4, "missing": pa.array([None] * 4, pa.float64()), "infinite": [1.0, 2.0, np.inf, -np.inf],
        "widest": [-1.7e308, 1.7e308, 0.0, 1.0], "one": [None, None, None, 5], "nested": [[1], [2], [3], None],
        "texts": ["a", "a", None, "b"], "empty": ["", "", "", ""],
    })  # fmt: skip
    found = {c.name: bars.spread(c) for c in summarise(table).columns}

    assert found["constant"] == found["one"] == found["empty"] == [1.0]
    assert found["missing"] == found["nested"] == []
    assert found["texts"] == [0.6667, 0.3333]
    assert all(0 <= part <= 1 for parts in found.values() for part in parts)
    assert sum(found["infinite"]) == pytest.approx(0.5)
    assert bars.strips(summarise(table).columns)


def test_two_versions_are_drawn_in_the_same_bins():
    """Bars of two versions speak of the same ranges and the same categories."""
    old, new = (summarise(customers(v)).columns for v in (1, 3))
    pairs = {a.name: bars.side_by_side(a, b) for a, b in zip(old, new, strict=False)}

    assert all(len(a) == len(b) for a, b in pairs.values())
    assert np.cumsum(pairs["age"][0])[8] > np.cumsum(pairs["age"][1])[8]
    assert bars.side_by_side(None, new[0])[0] == []


def test_rows_are_shown_as_they_are():
    """Whole numbers beyond 2**53 and times become texts, so that nothing is rounded or moved to another zone."""
    import datetime as dt

    table = pa.table({
        "big": [2**60 + 1, None], "day": pa.array([dt.date(2020, 1, 2), None]), "text": [RTL, "b"],
        "at": pa.array([18_263, 18_628], pa.int32()).cast(pa.date32()).cast(pa.timestamp("us")), "small": [1, 2],
    })  # fmt: skip
    shown = as_shown(table).to_pydict()

    assert shown == {
        "0": [str(2**60 + 1), None], "1": ["2020-01-02", None], "2": [RTL, "b"], "3": ["2020-01-02", "2021-01-01"],
        "4": [1.0, 2.0],
    }  # fmt: skip


def test_columns_of_one_name_stay_two():
    """A table may have two columns of one name; both are in the first rows."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert as_shown(table).to_pydict() == {"0": [1.0], "1": [2.0]}


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0 %"), (0.0004, "< 0.1 %"), (0.123, "12.3 %"), (0.9995, "> 99.9 %"), (1.0, "100 %"), (None, "–")],
)
def test_shares_are_said_as_the_page_says_them(value, said):
    """Something is never said to be nothing, nor almost all to be all."""
    assert share(value) == said


def test_sizes_are_said_as_the_page_says_them():
    """Bytes in the units of the page, three digits."""
    sizes = [0, 999, 1000, 930_127, 999_600, 2_180_000, 5 * 10**12, None]
    assert [storage(s) for s in sizes] == ["0 B", "999 B", "1 kB", "930 kB", "1 MB", "2.18 MB", "5 TB", "–"]


def test_hostile_columns_are_saved_short():
    """Names of columns and labels are cut in what is saved, and whole in what a live page gets."""
    widget = DatasetList(MemoryDatasets(1, hostile=True), live=False)
    live = ask(widget, "preview", dataset_id="ds_00000", version=1).payload["names"]
    kept = data_of(widget.saved())["preview"]["ds_00000 3"]["names"]

    assert LONG in live
    assert HOSTILE in live
    assert max(map(len, itertools.chain(kept))) <= 60
