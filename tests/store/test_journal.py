from __future__ import annotations

import math
import os
import shutil
import struct
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab_jupyter import journal as journals
from modellab_jupyter import schema
from modellab_jupyter.errors import InputError
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store, intake
from tests.conftest import answer

ANY_TEXT = st.text(max_size=30)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)


def beat(run: str = "run_1") -> schema.Beat:
    return schema.Beat(time=time.time_ns(), run_id=run)


def metric(step: int, run: str = "run_1") -> schema.MetricsLogged:
    return schema.MetricsLogged(time=1_700_000_000_000_000_000 + step * 1000, run_id=run, step=step, values={"m": step})


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def steps(store: Store) -> list[int]:
    return [row["step"] for row in store.sql("SELECT step FROM metrics ORDER BY step").to_pylist()]


def age(path: Path) -> None:
    """Make a segment one that nobody has written to for a while."""
    then = time.time() - 2 * journals.QUIET
    os.utime(path, (then, then))


@given(st.dictionaries(ANY_TEXT.filter(bool), ANY_FLOAT, min_size=1, max_size=5), st.integers(-(2**53), 2**53))
@settings(max_examples=25, deadline=None)
def test_any_key_and_any_float_come_back_bit_for_bit(values: dict[str, float], step: int) -> None:
    """Whatever the key and the number, NaN, infinities, -0.0 and subnormals included, the store returns them."""
    finite = {k: v for k, v in values.items() if math.isfinite(v)}
    odd = {k: repr(v) for k, v in values.items() if not math.isfinite(v)}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(None, Path(folder))
        journal = Journal(store.journals)
        journal.append(schema.MetricsLogged(time=1, run_id="run_1", step=step, values=finite, odd=odd))
        journal.close()
        found = store.sql("SELECT key, step, value FROM metrics").to_pylist()
    assert {row["key"]: bits(row["value"]) for row in found} == {
        k: bits(v) if not math.isnan(v) else bits(float("nan")) for k, v in values.items()
    }
    assert all(row["step"] == step for row in found)


@given(st.lists(st.lists(ANY_FLOAT | st.just(-0.0) | st.just(0.0), min_size=1, max_size=6), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_any_series_comes_back_bit_for_bit_from_a_file(portions: list[list[float]]) -> None:
    """A series and its last value are what was logged, also once the file was written, closed and opened again."""
    with tempfile.TemporaryDirectory() as folder:
        where = (Path(folder) / "a.duckdb", Path(folder) / "a.files")
        store, journal = Store(*where), Journal(where[1] / "journal")
        journal.append(
            schema.RunStarted(
                time=1, run_id="r", project_id="p", name="r", host="h", pid=1, started=1.0, session_id="s"
            )
        )
        values = [value for portion in portions for value in portion]
        step = 0
        for portion in portions:
            for value in portion:
                odd = {} if math.isfinite(value) else {"m": repr(value)}
                event = schema.MetricsLogged(time=1, run_id="r", step=step, values={} if odd else {"m": value}, odd=odd)
                journal.append(event)
                step += 1
            store.ingest()
        again = Store(*where)
        found = again.series(["r"], "m").column("value").to_pylist()
        last = [again.sql("SELECT last FROM metric_summary")["last"][0].as_py(), again.run("r")["metrics"]["m"]]
        last += again.runs()["metrics.m"].to_pylist()
    expected = [kept(value) for value in values]
    assert [kept(value) for value in found] == expected
    assert [kept(value) for value in last] == expected[-1:] * 3


def kept(value: float) -> bytes:
    """Return what a file keeps of a number: its bits; no NaN's payload, and in DuckDB 1 not the sign of a zero.

    DuckDB 1 compares neighbours by ``==`` where it writes runs (RLE) and segments of one value (Constant), so zeros
    beside each other get the sign of the first; only disabling RLE, which doubles the file, would save a part of them.
    """
    if math.isnan(value):
        return bits(math.nan)
    return bits(abs(value) if value == 0 and duckdb.__version__.startswith("1.") else value)


@given(st.dictionaries(ANY_TEXT.filter(bool), st.none() | ANY_TEXT, max_size=4), ANY_TEXT, ANY_TEXT)
@settings(max_examples=25, deadline=None)
def test_any_text_survives_the_journal(tags: dict[str, str | None], note: str, source: str) -> None:
    """What is encoded is decoded to the same event."""
    for event in (
        schema.TagsSet(time=1, run_id="r", tags=tags),
        schema.Changed(time=2, kind="run", id="r", fields={"note": note}),
        schema.CellExecuted(time=3, session_id="s", position=0, source=source, outcome="ok"),
    ):
        assert schema.decode(schema.encode(event)) == event


def test_half_a_surrogate_pair_is_written_as_an_escape() -> None:
    """A text that UTF-8 has no bytes for does not cost its record."""
    event = schema.decode(schema.encode(schema.TagsSet(time=1, run_id="r", tags={"a\ud800": "\udfffb"})))
    assert event.tags == {"a\\ud800": "\\udfffb"}


@pytest.mark.parametrize(
    "event",
    [
        schema.LatencyLogged(time=1, run_id="r", name="l", seconds=[0.1], warmup=1),  # type: ignore[arg-type]
        schema.RunEnded(time=1, run_id="r", status="over", duration=1.0),  # type: ignore[arg-type]
        schema.RunEnded(time=1, run_id="r", status="failed", duration=1.0, error=ValueError("x")),  # type: ignore[arg-type]
        schema.TagsSet(time=1, run_id="r", tags={}, removed=[1]),  # type: ignore[list-item]
        schema.Changed(time=1, kind="run", id="r", fields={"note": object()}),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_could_not_be_read_is_not_written(event: schema.Event, tmp_path: Path) -> None:
    """An event that `decode` would refuse is refused before a byte is written."""
    journal = Journal(tmp_path)
    with pytest.raises(InputError, match="what is logged must be texts, numbers and truth values"):
        journal.append(event)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_cut_at_any_byte_gives_its_whole_records(tmp_path: Path) -> None:
    """Cut anywhere, a segment gives a prefix of its records, none damaged, and takes the rest up when it comes."""
    journal = Journal(tmp_path / "journal")
    for step in range(4):
        journal.append(metric(step))
    path = journal.path
    assert path is not None
    data = path.read_bytes()
    journal.close()
    whole = [line.event for line in journals.lines(path) if isinstance(line.event, schema.MetricsLogged)]
    cut = tmp_path / "seg_cut.jsonl"
    for size in range(len(data) + 1):
        cut.write_bytes(data[:size])
        first = list(journals.lines(cut))
        end = first[-1].end if first else 0
        assert end == data[:size].rfind(b"\n") + 1
        cut.write_bytes(data)
        both = [line.event for line in [*first, *journals.lines(cut, end)]]
        assert None not in both
        assert [event for event in both if isinstance(event, schema.MetricsLogged)] == whole


def test_a_damaged_line_is_set_aside_with_its_position(store: Store) -> None:
    """A line that cannot be read is reported and kept with its bytes; what stands around it is taken in."""
    journal = Journal(store.journals)
    for step in range(3):
        journal.append(metric(step))
    path = journal.path
    assert path is not None
    lines = path.read_bytes().splitlines(keepends=True)
    position = len(lines[0]) + len(lines[1])
    damaged = lines[2].replace(b'"step":1', b'"step":7')
    path.write_bytes(lines[0] + lines[1] + damaged + lines[3])
    with pytest.warns(RuntimeWarning, match=f"cannot be read .*position {position}"):
        store.ingest()
    assert steps(store) == [0, 2]
    assert store.health().unreadable == [
        {"segment": path.name, "position": position, "reason": "the check sum does not match"}
    ]
    kept = store.sql("SELECT line FROM unreadable").to_pylist()[0]["line"]
    assert kept == damaged.rstrip(b"\n")


@pytest.mark.parametrize("line", [b"", b"x", b"00000000 {}", b"zzzzzzzz {}", b"\x00" * 40, "é".encode() * 20])
def test_rubbish_is_one_unreadable_line(tmp_path: Path, line: bytes) -> None:
    """Bytes that are no record are one unreadable line each, whatever they are."""
    path = tmp_path / "seg_1.jsonl"
    path.write_bytes(line + b"\n")
    (found,) = journals.lines(path)
    assert (found.start, found.end, found.event) == (0, len(line) + 1, None)
    assert found.reason
    assert journals.line_at(path, found.start) == line


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=4), st.integers(1, 1500), st.booleans())
@settings(max_examples=25, deadline=None)
def test_portions_of_any_size_give_the_same_store(times: list[list[int]], size: int, rubbish: bool) -> None:
    """However many transactions it takes, every record is taken once, later words win, and rubbish is set aside."""
    found = []
    for portion in (size, 10**9):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(intake, "PORTION", portion)
            store = Store(None, Path(folder))
            logs = [Journal(store.journals) for _ in times]
            for writer, (journal, moments) in enumerate(zip(logs, times, strict=True)):
                for number, moment in enumerate(moments):
                    at = 10**18 + moment * 10**6 + writer * 1000 + number
                    journal.append(schema.MetricsLogged(time=at, run_id="r", step=moment, values={"m": number}))
                    journal.append(schema.ParamsLogged(time=at, run_id="r", params={"p": f"{writer} {number}"}))
            if rubbish and logs[0].path is not None:
                with logs[0].path.open("ab") as file:
                    file.write(b"x\n")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                store.ingest()
            tables = ("metrics", "metric_summary", "params")
            found.append([store.sql(f"SELECT * FROM {table} ORDER BY ALL").to_pylist() for table in tables])
            assert len(store.health().unreadable) == (rubbish and logs[0].path is not None)
            assert not store._intake.waits(exists=True)
    assert found[0] == found[1]
    assert len(found[0][0]) == sum(map(len, times))


def test_more_segments_than_a_process_may_open_are_taken(store: Store) -> None:
    """Two thousand crashed writers are no matter of file handles."""
    store.journals.mkdir(parents=True)
    for number in range(2000):
        body = schema.encode(metric(number))
        name = f"{schema.new_id('segment')}.jsonl"
        (store.journals / name).write_bytes(b"%08x %b\n" % (journals.zlib.crc32(body), body))
    assert store.ingest() == 2000
    assert steps(store) == list(range(2000))


def test_a_torn_tail_waits_and_then_is_set_aside(store: Store) -> None:
    """Half a record waits for its other half; when its writer is gone, it is kept beside the journal."""
    journal = Journal(store.journals)
    journal.append(metric(0))
    path = journal.path
    assert path is not None
    opened = schema.SegmentOpened(time=1, host=journals.host(), pid=2**22 - 1, started=1.0, version="1")
    whole = b"".join(b"%08x %b\n" % (journals.zlib.crc32(b), b) for b in map(schema.encode, [opened, metric(0)]))
    path.write_bytes(whole + b"1234567")
    store.ingest()
    assert path.exists()
    assert steps(store) == [0]
    age(path)
    store.ingest()
    assert not path.exists()
    assert [p.read_bytes() for p in (store.journals / "set-aside").iterdir()] == [b"1234567"]


def test_a_segment_without_a_whole_record_goes_once_it_is_old(store: Store) -> None:
    """What a process left that was killed while it opened its segment does not lie about for ever."""
    store.journals.mkdir(parents=True)
    path = store.journals / f"{schema.new_id('segment')}.jsonl"
    path.write_bytes(b"")
    store.ingest()
    assert path.exists()
    os.utime(path, (1, 1))
    store.ingest()
    assert not path.exists()


def test_a_segment_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    """Rotation keeps order and loses nothing."""
    journal = Journal(tmp_path, segment_bytes=1000)
    for step in range(100):
        journal.append(metric(step))
    journal.close()
    parts = journals.segments(tmp_path)
    assert len(parts) > 5
    assert all(path.stat().st_size < 1400 for path in parts)
    events = [line.event for path in parts for line in journals.lines(path)]
    assert [e.step for e in events if isinstance(e, schema.MetricsLogged)] == list(range(100))
    assert all(journals.is_over(path) for path in parts)


def test_who_writes_decides_whether_a_segment_is_over(tmp_path: Path) -> None:
    """Over is what was closed, or what a process left that is gone and quiet; never what a live one writes."""
    journal = Journal(tmp_path)
    journal.append(beat())
    path = journal.path
    assert path is not None
    age(path)
    assert not journals.is_over(path)
    journal.close()
    assert journals.is_over(path)
    dead = answer(
        "import os, sys, time; from pathlib import Path; from modellab_jupyter.journal import Journal\n"
        "from modellab_jupyter import schema\n"
        "j = Journal(Path(sys.argv[1])); j.append(schema.Beat(time=1, run_id='r'))\n"
        "print(j.path, flush=True); os._exit(0)",
        str(tmp_path),
    ).strip()
    assert not journals.is_over(Path(dead))  # gone, but not for long: it may be in another container
    age(Path(dead))
    assert journals.is_over(Path(dead))


def test_another_machines_segment_is_over_after_a_week(tmp_path: Path) -> None:
    """Nobody can tell whether another machine's process lives, so its segments wait."""
    body = schema.encode(schema.SegmentOpened(time=1, host="elsewhere", pid=1, started=1.0, version="1"))
    path = tmp_path / "seg_1.jsonl"
    path.write_bytes(b"%08x %b\n" % (journals.zlib.crc32(body), body))
    age(path)
    assert not journals.is_over(path)
    os.utime(path, (time.time() - 8 * 86_400,) * 2)
    assert journals.is_over(path)


def test_threads_share_one_segment(tmp_path: Path) -> None:
    """Records of many threads are whole, each there once."""
    journal = Journal(tmp_path, segment_bytes=20_000)

    def work(number: int) -> None:
        for step in range(200):
            journal.append(metric(step, f"run_{number}"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    events = [line.event for path in journals.segments(tmp_path) for line in journals.lines(path)]
    assert None not in events
    found = [(e.run_id, e.step) for e in events if isinstance(e, schema.MetricsLogged)]
    assert len(found) == 1200
    assert len(set(found)) == 1200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_writes_into_a_segment_of_its_own() -> None:
    """Parent and child go on side by side, and the child's end leaves the parent's run alone."""
    out = answer("""
import os, sys, warnings
import modellab_jupyter as ml
warnings.simplefilter("ignore", DeprecationWarning)
with ml.start_run("parent") as run:
    ml.log_metrics({"m": 0}, step=0)
    pid = os.fork()
    ml.log_metrics({"m": 1}, step=1 if pid else 2)
    if not pid:
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ml.log_metrics({"m": 3}, step=3)
    assert len(list(run._session.journal.folder.glob("*"))) == 2
print(ml.runs.list()[["name", "status"]].values.tolist(), ml.runs.metrics(run.id, "m").step.tolist())
""")
    assert out.strip() == "[['parent', 'finished']] [0, 1, 2, 3]"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_ends_its_own_runs_with_itself() -> None:
    """What a child started and left open ends with it, by fork or multiprocessing; the parent's run goes on."""
    out = answer("""
import multiprocessing, os, sys, warnings
import modellab_jupyter as ml
warnings.simplefilter("ignore", DeprecationWarning)
def work(name, fails):
    ml.start_run(name)
    ml.log_metrics({"m": 1.0})
    if fails:
        sys.stderr = open(os.devnull, "w")
        raise ValueError("no")
run = ml.start_run("parent")
pid = os.fork()
if not pid:
    work("forked", False)
    sys.exit(0)
os.waitpid(pid, 0)
for name, fails in (("worker", False), ("failing", True)):
    process = multiprocessing.get_context("fork").Process(target=work, args=(name, fails))
    process.start()
    process.join()
found = ml.runs.list(order_by="name")
print(dict(zip(found["name"], found["status"])), found["metrics.m"].count())
run.end()
print(ml.runs.get("parent").status)
""")
    told = "failed" if sys.version_info < (3, 13) else "interrupted"  # the later ones tell a worker nothing of its end
    statuses = {"failing": told, "forked": "finished", "parent": "running", "worker": "interrupted"}
    assert out.splitlines() == [f"{statuses} 3", "finished"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_while_a_thread_reads_does_not_wait_for_it() -> None:
    """Locks that another thread held at the fork are free in the child."""
    out = answer("""
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import modellab_jupyter as ml
from modellab_jupyter import session
ml.start_run("parent").end()
held, over = threading.Event(), threading.Event()
def hold():
    with session._Guard.lock, session.current().store._backend._turn:
        held.set()
        over.wait(30)
thread = threading.Thread(target=hold)
thread.start()
held.wait()
pid = os.fork()
if pid == 0:
    import signal
    signal.alarm(20)
    ml.start_run("child").end()
    os._exit(0 if len(ml.runs.list()) == 2 else 1)
status = os.waitpid(pid, 0)[1]
over.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
""")
    assert out.split() == ["0"]


@pytest.mark.skipif(sys.platform == "win32", reason="this system removes no file that is open")
@pytest.mark.parametrize("taken", [False, True])
def test_a_journal_that_was_removed_is_written_again(store: Store, *, taken: bool) -> None:
    """A writer puts back what it wrote, by the same name: nothing is lost, nothing taken twice, somebody is told."""
    journal = Journal(store.journals)
    second = 10**9
    now = time.time_ns()
    for step in range(3):
        journal.append(metric(step))
    if taken:
        store.ingest()
    first = journal.path
    shutil.rmtree(store.journals)
    with pytest.warns(RuntimeWarning, match=f"somebody removed {first}.* with all it held"):
        journal.append(schema.TagsSet(time=now + 2 * second, run_id="run_1", tags={"kept": None}))
    assert journal.path == first
    store.ingest()
    assert steps(store) == [0, 1, 2]
    assert store.sql("SELECT tag FROM tags")["tag"].to_pylist() == ["kept"]
    journal.append(metric(3))
    journal.path.unlink()
    with pytest.warns(RuntimeWarning, match="somebody removed"):
        journal.close()
    store.ingest()
    assert steps(store) == [0, 1, 2, 3]
    assert journals.segments(store.journals) == []


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no limit on the size of a file")
def test_a_full_disk_costs_nothing_when_there_is_room_again() -> None:
    """What the disk refuses is kept, told once, and written in order when there is room."""
    out = answer("""
import resource, warnings
import modellab_jupyter as ml
run = ml.start_run("a")
run._describing.join()
size = run._session.journal.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 250, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for step in range(20):
        ml.log_metrics({"m": step}, step=step)
assert len(told) == 1, told
assert "cannot write" in str(told[0].message)
assert run._session.journal.waiting > 10
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ml.log_metrics({"m": 20}, step=20)
assert run._session.journal.waiting == 0
run.end()
print(ml.runs.metrics(run.id, "m").step.tolist() == list(range(21)))
print(ml.runs.get(run.id).lost, len(ml.sql("from unreadable")))
""")
    assert out.split() == ["True", "0", "0"]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no limit on the size of a file")
def test_ending_a_run_on_a_full_disk_raises_nothing() -> None:
    """A disk that takes nothing more stops neither the training nor its end; what is lost is said."""
    out = answer("""
import resource, warnings
import modellab_jupyter as ml
run = ml.start_run("a")
run._describing.join()
from modellab_jupyter import session
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    with run:
        ml.log_metrics({"m": 1})
    session.reset()
print(run.status, len(told), "are lost" in str(told[-1].message))
""")
    assert out.split() == ["finished", "2", "True"]


def test_ids_sort_as_they_were_made() -> None:
    """Ids are unique and sort by creation, also from many threads."""
    made: list[list[str]] = [[] for _ in range(4)]

    def work(mine: list[str]) -> None:
        mine.extend(schema.new_id("run") for _ in range(2000))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in made)
    assert len({i for mine in made for i in mine}) == 8000


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (-0.5, -0.5), (True, None), ("1", None), (None, None), (10**400, None), (1e308, 1e308), ([1], None)],
)
def test_a_param_is_a_number_where_it_is_one(value: object, number: float | None) -> None:
    """Numbers sort as numbers; whatever else, also an integer beyond all doubles, stands as text alone."""
    assert schema.param_number(schema.param_text(value)) == number


def test_any_object_has_a_param_text() -> None:
    """What JSON cannot say is kept as its repr, whatever it is."""
    circle: list[object] = []
    circle.append(circle)
    for value in ({(1, 2): 3}, circle, object, {1, 2}, 10**5000, b"x", float("nan"), {"a": {None: [10**5000]}}):
        text = schema.param_text(value)
        assert isinstance(text, str)
        schema.param_number(text)


def test_a_copy_of_a_segment_is_no_segment(store: Store) -> None:
    """What a program of synchronization copies under another name doubles nothing and is told."""
    journal = Journal(store.journals)
    journal.append(schema.ProjectAdded(time=1, project_id="proj_1", name="p"))
    assert journal.path is not None
    for name in (f"{journal.path.stem} (conflicted copy).jsonl", f"{journal.path.stem}-2.jsonl"):
        journal.path.with_name(name).write_bytes(journal.path.read_bytes())
    assert journals.segments(store.journals) == [journal.path]
    assert len(journals.strangers(store.journals)) == 2


@pytest.mark.parametrize("trouble", ["closed", "gone for good"])
def test_a_file_that_went_bad_is_left_for_another(store: Store, trouble: str) -> None:
    """A journal whose file cannot be written any more goes on in another, with the record that was refused."""
    journal = Journal(store.journals)
    journal.append(schema.ProjectAdded(time=1, project_id="proj_1", name="one"))
    bad = os.open(os.devnull, os.O_RDONLY)
    if trouble == "closed":
        os.close(journal._fd)
    else:
        os.dup2(bad, journal._fd)
    os.close(bad)
    with pytest.raises(OSError, match="Bad file descriptor"):
        journal.append(schema.ProjectAdded(time=2, project_id="proj_2", name="two"))
    journal.append(schema.ProjectAdded(time=3, project_id="proj_3", name="three"))
    store.ingest()
    assert store.projects().column("name").to_pylist() == ["one", "two", "three"]


def test_a_torn_tail_is_looked_at_once(store: Store) -> None:
    """A reader opens the store only to read while nothing new is whole, and takes the rest when it comes."""
    journal = Journal(store.journals)
    journal.append(schema.ProjectAdded(time=1, project_id="proj_1", name="one"))
    journal.append(schema.ProjectAdded(time=2, project_id="proj_2", name="two"))
    assert journal.path is not None
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-5])
    assert store.projects().num_rows == 1
    assert store.projects().num_rows == 1
    assert not store._intake.waits(exists=True)
    journal.path.write_bytes(whole)
    assert store.projects().num_rows == 2
