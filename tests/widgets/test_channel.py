"""The channel: an id, a verb, one place where errors are caught; and what a dashboard answers on it."""

from __future__ import annotations

import gzip
import itertools
import json
import struct
import sys
import threading
import types

import pyarrow as pa
import pytest
from memory_source import HOSTILE, MemorySource

from modellab_jupyter.widgets import saved
from modellab_jupyter.widgets.base import LIVE_MIME, PROTOCOL, STATIC, Answer, Channel, is_built, is_live_host
from modellab_jupyter.widgets.dashboard import Dashboard

needs_build = pytest.mark.skipif(not is_built(), reason="the front end is not built here; run: pip install .")


def ask(channel, verb, payload=None, protocol=PROTOCOL):
    return channel.answer({"protocol": protocol, "id": 7, "verb": verb, "payload": payload or {}})


@pytest.fixture
def channel():
    def fail(_payload):
        raise LookupError("no run has this id")

    made = Channel("dashboard", {"echo": lambda p: Answer({"got": p}, [b"123"]), "fail": fail})
    yield made
    made.close()


@needs_build
def test_answer_carries_the_id_of_the_question(channel):
    """The browser can match answers that come in any order."""
    content, buffers = ask(channel, "echo", {"a": 1})

    assert content == {
        "protocol": PROTOCOL,
        "id": 7,
        "verb": "echo",
        "ok": True,
        "payload": {"got": {"a": 1}},
    }
    assert buffers == [b"123"]


@needs_build
def test_error_becomes_one_sentence_and_the_log_keeps_the_rest(channel, caplog):
    """What a verb raises reaches the page as its message, and the log with its traceback."""
    content, buffers = ask(channel, "fail")

    assert (content["id"], content["ok"], content["error"], buffers) == (7, False, "no run has this id", [])
    assert "LookupError" in caplog.text


@needs_build
@pytest.mark.parametrize(
    "message", [None, 3, {}, {"verb": "echo"}, {"protocol": 1, "id": 1, "verb": "select * from runs"}]
)
def test_odd_messages_are_answered_too(channel, message):
    """Nothing a page sends can break the kernel, and unknown verbs are refused by name."""
    content, _ = channel.answer(message)

    assert content["ok"] is False
    assert content["error"]


@needs_build
def test_other_protocol_is_told_to_run_the_cell_again(channel):
    """A page of another version is not half understood."""
    assert "run the cell again" in ask(channel, "echo", protocol=99)[0]["error"]


@needs_build
def test_shared_files_are_given_for_their_own_hash_only(channel):
    """The kernel hands out views and Plotly where no extension is, and nothing else."""
    hashes = json.loads((STATIC / "assets.json").read_text())
    content, (views,) = ask(channel, "asset", {"name": "views", "hash": hashes["views"]})

    assert content["ok"]
    assert b"mount" in gzip.decompress(views)
    assert not ask(channel, "asset", {"name": "views", "hash": "other"})[0]["ok"]
    assert not ask(channel, "asset", {"name": "../schema.py", "hash": ""})[0]["ok"]


@needs_build
def test_stub_is_small():
    """Each widget sends a few KB; the rest is shared by the page."""
    assert (STATIC / "stub.js").stat().st_size < 4_000


def test_widget_is_left_out_where_nobody_looks(monkeypatch):
    """Outside a live front end an output opens no comm and holds no widget view."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)

    assert not is_live_host()
    assert LIVE_MIME not in Dashboard(MemorySource(3))._repr_mimebundle_()


@pytest.mark.parametrize(("module", "runs"), [("google.colab", True), ("marimo", True), ("marimo", False)])
def test_hosts_are_known_by_their_modules(monkeypatch, module, runs):
    """Colab and marimo have no Jupyter Server: what they load says that somebody looks; marimo may only be imported."""
    host = types.ModuleType(module)
    host.running_in_notebook = lambda: runs  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module, host)

    assert is_live_host() is runs


def test_marimo_is_given_an_object():
    """A host that asks for an object gets the live model, or plain HTML where nothing is to be live."""
    still = Dashboard(MemorySource(3), live=False)._display_()

    assert "<table" in still._repr_html_()
    if is_built():
        board = Dashboard(MemorySource(3), live=True)
        assert board._display_().model_id == board._repr_mimebundle_()[LIVE_MIME]["model_id"]
        board.close()


@needs_build
def test_widget_view_is_there_when_asked_for():
    """The reader's choice beats the guess, and showing twice shares one model."""
    board = Dashboard(MemorySource(3), live=True)
    first, second = board._repr_mimebundle_(), board._repr_mimebundle_()
    board.close()

    assert first[LIVE_MIME]["model_id"] == second[LIVE_MIME]["model_id"]
    assert set(first) == {saved.MIME, LIVE_MIME, "text/html", "text/plain"}


def test_source_must_be_one():
    """What cannot be read from is named at once."""
    with pytest.raises(TypeError, match="must be a Source, a store's for example; found str"):
        Dashboard("runs.duckdb")


def columns_of(answer):
    """Decode a binary answer as the browser does."""
    (block,) = answer.buffers
    table = answer.payload.get("runs", answer.payload)
    n, out = table["rows"], {}
    for column in table["columns"]:
        at = column["at"]
        if column["kind"] in ("number", "time"):
            out[column["name"]] = list(struct.unpack_from(f"<{n}d", block, at[0]))
        elif column["kind"] == "bool":
            out[column["name"]] = list(block[at[0] : at[0] + n])
        else:
            ends = struct.unpack_from(f"<{n + 1}i", block, at[0])
            known = block[at[2] : at[2] + n]
            texts = [block[at[1] + a : at[1] + b].decode() for a, b in itertools.pairwise(ends)]
            out[column["name"]] = [t if k else None for t, k in zip(texts, known, strict=True)]
    return out


def test_columns_travel_as_bytes_and_come_back():
    """Every kind of column survives the journey, missing values included."""
    source = MemorySource(3, hostile=True)
    got = columns_of(Dashboard(source, live=False)._open({}))
    rows = source.runs(None).to_pylist()

    assert got["name"] == [r["name"] for r in rows]
    assert got["name"][0] == HOSTILE
    assert got["metrics.accuracy"] == [r["metrics.accuracy"] for r in rows]
    assert [v == v for v in got["params.depth"]] == [r["params.depth"] is not None for r in rows]
    assert got["baseline"] == [1, 0, 0]
    assert [json.loads(t) for t in got["tags"]] == [r["tags"] for r in rows]
    assert got["started_at"] == [r["started_at"].timestamp() * 1000 for r in rows]


@pytest.mark.parametrize(
    "column",
    [
        pa.chunked_array([pa.array([True, None]), pa.array([False])]),
        pa.chunked_array([["a", None], ["b"]]).dictionary_encode(),
        pa.chunked_array([pa.array(["x", "y", None]).slice(1), pa.array(["z"])]),
        pa.chunked_array([pa.array([1, None, 3], pa.int16())]),
        pa.chunked_array([pa.array([None, None, None])]),
        pa.chunked_array([pa.array([1_700_000_000_000_000_001, None, 0], pa.timestamp("ns"))]),
        pa.chunked_array([pa.array([{"a": 1}, None, {"a": 2}])]),
    ],
)
def test_odd_arrow_columns_are_shown(column):
    """Chunks, dictionaries, slices, nulls, nanoseconds and structs all have a form."""
    table = pa.table({"c": column})
    spec, block = saved.binary_table(table)

    assert spec["rows"] == 3
    assert len(block) % 8 == 0
    json.dumps(saved.json_table(table), allow_nan=False)


def test_poll_is_silent_until_something_changed():
    """A poll without news carries no table; with news it carries all of it."""
    source = MemorySource(3)
    board = Dashboard(source, live=False)
    token = board._open({}).payload["token"]
    quiet = board._poll({"token": token})
    source.act("tag", ["run_000001"], {"tag": "seen"})
    loud = board._poll({"token": token})

    assert quiet.payload == {"changed": False, "token": token}
    assert not quiet.buffers
    assert loud.payload["changed"] is True
    assert columns_of(loud)["tags"][1] is not None


def test_poll_sees_changes_of_sources_that_do_not_count_them():
    """Without ``changes`` the content itself is compared."""
    source = MemorySource(3)
    source.changes = lambda project_id: None
    board = Dashboard(source, live=False)
    token = board._open({}).payload["token"]
    before = board._poll({"token": token}).payload["changed"]
    source.rows[0]["note"] = "new"

    assert before is False
    assert board._poll({"token": token}).payload["changed"] is True


def test_actions_reach_the_source_by_name_only():
    """Verbs are a closed list; runs must be named."""
    source = MemorySource(3)
    board = Dashboard(source, live=False)
    board._act({"verb": "tag", "run_ids": ["run_000001"], "payload": {"tag": "x"}})

    assert source.done == [("tag", ["run_000001"], {"tag": "x"})]
    with pytest.raises(ValueError, match="cannot 'drop' runs"):
        board._act({"verb": "drop", "run_ids": ["run_000001"]})
    with pytest.raises(ValueError, match="needs runs"):
        board._act({"verb": "trash", "run_ids": []})


def test_comparing_gives_a_page_to_show():
    """What an action returns is drawn by the same renderer."""
    answer = Dashboard(MemorySource(3), live=False)._act({"verb": "compare", "run_ids": ["run_000000", "run_000001"]})

    assert answer.payload["shown"]["view"] == "report"
    json.dumps(dict(answer.payload), allow_nan=False)


def test_source_without_actions_offers_none():
    """Buttons are off where nothing can be done."""
    assert Dashboard(MemorySource(3, acts=False), live=False)._open({}).payload["verbs"] == []


@needs_build
def test_answers_are_made_one_at_a_time():
    """Messages that come on several threads never run a verb twice at once."""
    inside, most = 0, 0
    lock = threading.Lock()

    def slow(_payload):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.01)
        with lock:
            inside -= 1
        return Answer({})

    channel = Channel("dashboard", {"slow": slow})
    threads = [threading.Thread(target=ask, args=(channel, "slow")) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    channel.close()

    assert most == 1


@needs_build
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"key": None}, "key must be a text, found None; run the cell again."),
        ({"key": 3}, "key must be a text, found 3; run the cell again."),
        ({"points": "many"}, "points must be a whole number, found 'many'; run the cell again."),
        ({"run_ids": "run_1"}, "run_ids must be a list of ids, found 'run_1'; run the cell again."),
        ({"steps": [1]}, "steps must be two numbers, found [1]; run the cell again."),
        ({"steps": [1, "2"]}, "steps must be two numbers, found [1, '2']; run the cell again."),
    ],
)
def test_a_question_for_curves_that_makes_no_sense_is_refused_in_a_sentence(wrong, sentence):
    """Which part was wrong, what it was and what to do; never the message of a conversion that failed."""
    asked = {"run_ids": ["run_000001"], "key": "accuracy", "points": 10, "steps": None}
    channel = Dashboard(MemorySource(3), live=True)._attached()

    assert ask(channel, "series", asked)[0]["ok"] is True
    assert ask(channel, "series", asked | wrong)[0]["error"] == sentence
