"""What can go wrong does, and nothing is lost; ``python -m tests.benchmarks.faults`` does it for longer."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import pytest

import modellab_jupyter as ml
from modellab_jupyter import schema, session
from modellab_jupyter.cli import main
from modellab_jupyter.journal import Journal, segments
from modellab_jupyter.store import Store, picture, upkeep
from modellab_jupyter.store.backends import FileBackend
from tests.benchmarks import faults
from tests.conftest import answer, content, lacking, python

HOLD = """
import duckdb, sys
con = duckdb.connect("modellab.duckdb", read_only=sys.argv[1] == "reader")
con.execute("SELECT 1")
print("held", flush=True)
sys.stdin.readline()
"""


def log(name: str, count: int = 3) -> ml.Run:
    with ml.start_run(name, params={"p": 1}) as run:
        for step in range(count):
            ml.log_metrics({"a": step / 7, "b": float("nan")}, step=step)
    return run


def hold(how: str) -> subprocess.Popen[str]:
    process = python(HOLD, how)
    assert process.stdout.readline() == "held\n"
    return process


def names() -> set[str]:
    return set(ml.runs.list()["name"])


# -- killed ------------------------------------------------------------------------------------------


def test_what_writers_said_was_accepted_is_there_once_after_kills() -> None:
    """Killed at random moments of all they do, two writers on one store lose nothing and double nothing."""
    outcome = faults.kills(12, seed=7)
    assert outcome.accepted > 20
    assert (outcome.lost, outcome.doubled) == ([], 0)
    assert set(outcome.statuses) <= {"stale", "finished"}


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGTERM that a process may answer")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_process_that_is_asked_to_end_ends_its_runs(name: str) -> None:
    """The run is interrupted and says by what; the process ends by the signal, at once."""
    process = python("""
import time
import modellab_jupyter as ml
with ml.start_run("outer"), ml.start_run("inner"):
    ml.log_metrics({"a": 1.0})
    print("there", flush=True)
    time.sleep(60)
""")
    assert process.stdout.readline() == "there\n"
    began = time.monotonic()
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == -getattr(signal, name)
    found = ml.sql("SELECT status, error FROM runs")
    assert found["status"].tolist() == ["interrupted"] * 2
    assert all(name in error for error in found["error"])
    assert ml.sql("SELECT value FROM metrics")["value"].tolist() == [1.0]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGTERM that a process may answer")
def test_a_users_handler_of_signals_stays_alone() -> None:
    """A program that answers SIGTERM itself goes on as it wants, also in its runs; after a run all is as before."""
    out = answer("""
import os, signal
import modellab_jupyter as ml
seen = []
signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
with ml.start_run("a") as run:
    os.kill(os.getpid(), signal.SIGTERM)
    ml.log_metrics({"a": 1.0})
print(seen, ml.runs.get(run.id).status, signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)
""")
    assert out.split() == ["[15]", "finished", "True"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_is_ended_leaves_its_parents_runs_alone() -> None:
    """SIGTERM ends a forked child by itself, without a handler of ours, and the run goes on."""
    out = answer("""
import os, signal, time
import modellab_jupyter as ml
with ml.start_run("a") as run:
    child = os.fork()
    if child == 0:
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            time.sleep(60)
        os._exit(1)
    time.sleep(0.1)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    ml.log_metrics({"a": 1.0})
print(ml.runs.get(run.id).status)
""")
    assert out.split() == ["-15", "finished"]


def test_power_lost_while_a_run_is_taken_in_costs_nothing(tmp_path: Path) -> None:
    """With DuckDB's write-ahead log cut anywhere, and journals that were not removed yet, all is there once."""
    with ml.start_run("r"):
        for step in range(40):
            ml.log_metrics({"a": step / 7, "b": float("nan")}, step=step)
        files = Path(shutil.copytree(session.current().store.files, tmp_path / "files"))
    store = Store(tmp_path / "one" / "modellab.duckdb", files)
    with store._backend.connect(write=True) as con:
        store._intake.take(con, for_good=False)
        shutil.copytree(tmp_path / "one", tmp_path / "torn")
    wal = tmp_path / "torn" / "modellab.duckdb.wal"
    data = wal.read_bytes()
    assert len(data) > 1000
    for size in {*range(0, len(data), len(data) // 20), len(data) - 1, len(data)}:
        cut = shutil.copytree(tmp_path / "torn", tmp_path / f"cut-{size}")
        (cut / wal.name).write_bytes(data[:size])
        again = Store(cut / "modellab.duckdb", shutil.copytree(files, tmp_path / f"files-{size}"))
        found = again.sql(
            "SELECT key, count(*) AS n, sum(step)::INTEGER AS total FROM metrics GROUP BY key ORDER BY key"
        )
        assert found.to_pylist() == [{"key": key, "n": 40, "total": 780} for key in "ab"]
        assert len(again.runs()) == 1


# -- held --------------------------------------------------------------------------------------------


def test_a_held_store_keeps_its_trash() -> None:
    """Emptying the trash of a store that cannot be written destroys nothing, also later."""
    with ml.start_run("r", "p") as run:
        run.log_artifact(b"x", "x.bin")
    ml.runs.delete("r")
    ml.runs.list()
    holder = hold("writer")
    try:
        with (
            pytest.warns(RuntimeWarning, match="meanwhile a copy is shown"),
            pytest.raises(ml.StoreBusyError, match="is held by"),
        ):
            ml.trash.empty()
    finally:
        holder.communicate("\n")
    assert len(ml.trash.list()) == 1
    ml.runs.restore("r")
    assert ml.runs.list()["name"].tolist() == ["r"]


def test_waiting_for_a_store_draws_nothing_from_the_users_generators() -> None:
    """A run whose store is held gives the same random numbers as one whose store is free."""
    log("before")
    state, legacy = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    holder = hold("writer")
    try:
        with pytest.raises(ml.StoreBusyError), FileBackend(Path("modellab.duckdb")).connect(write=True, wait=0.2):
            raise AssertionError
    finally:
        holder.communicate("\n")
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002


@pytest.mark.parametrize("how", ["writer", "reader"])
def test_readers_see_everything_while_another_program_holds_the_store(how: str) -> None:
    """File and journals are shown together, changes too, with one warning that names the holder; later all arrives."""
    log("before")
    holder = hold(how)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = log("during")
        assert names() == {"before", "during"}
        ml.runs.update(run.id, note="seen", tags=["t"])
        record = ml.runs.get(run.id)
        assert (record.status, record.note) == ("finished", "seen")
        assert ml.runs.metrics(run.id, "a")["step"].tolist() == [0, 1, 2]
        with ml.start_run("open"):
            ml.log_metrics({"a": 1.0})
            assert ml.sql("SELECT count(*) AS n FROM metrics")["n"].tolist() == [13]
            with pytest.raises(ml.InputError, match="one SELECT"):
                ml.sql("DROP TABLE runs")
    (only,) = [str(one.message) for one in told]
    assert f"is held by another program (process {holder.pid}, " in only
    assert only.endswith("meanwhile a copy is shown, as it stands, with what the journals hold.")
    shown = ml.sql("SELECT * FROM metrics ORDER BY ALL")
    holder.communicate("\n", timeout=30)
    assert ml.sql("SELECT * FROM metrics ORDER BY ALL").equals(shown)
    assert names() == {"before", "during", "open"}
    assert segments(Path("modellab.files/journal")) == []


def test_a_reader_with_nothing_to_take_in_reads_beside_other_readers() -> None:
    """While a run is open, whoever has seen what it logged asks for the file to read it, not to write."""
    with ml.start_run("open") as run:
        ml.log_metrics({"a": 1.0})
        run._describing.join()
        assert names() == {"open"}
        holder = hold("reader")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert names() == {"open"}
            assert ml.sql("SELECT value FROM metrics")["value"].tolist() == [1.0]
        holder.communicate("\n", timeout=30)
        ml.log_metrics({"a": 2.0})
        assert ml.sql("SELECT value FROM metrics")["value"].tolist() == [1.0, 2.0]


def test_a_picture_does_not_free_the_file_for_others() -> None:
    """Copying a file that the user's own connection holds leaves its lock in force: nobody else gets in."""
    import duckdb

    log("before")
    with duckdb.connect("modellab.duckdb"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log("during")
        assert names() == {"before", "during"}
        with pytest.raises(AssertionError, match="lock"):
            answer("import duckdb; duckdb.connect('modellab.duckdb')")
    assert names() == {"before", "during"}


def test_copies_of_killed_processes_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was killed with a picture leaves it; a day later the next one removes it, and no other's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    named = {
        name: tmp_path / f"modellab-picture-{pid}-{name}"
        for name, pid in (("dead", gone.pid), ("fresh", gone.pid), ("alive", os.getppid()), ("odd", "x"))
    }
    for name, folder in named.items():
        folder.mkdir()
        if name != "fresh":
            os.utime(folder, (1, 1))
    picture._sweep.cache_clear()
    log("before")
    holder = hold("writer")
    with pytest.warns(RuntimeWarning, match="copy is shown"):
        assert names() == {"before"}
    holder.communicate("\n", timeout=30)
    assert {name for name, folder in named.items() if folder.exists()} == {"fresh", "alive", "odd"}


def test_where_a_held_file_cannot_be_copied_the_last_one_read_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is what this process last read, with the journals' tails, and says how old it is."""
    monkeypatch.setattr(picture, "CAN_COPY_HELD", False)
    monkeypatch.setattr("modellab_jupyter.store.backends.WAIT", 0.5)
    log("before")
    holder = hold("writer")
    with pytest.raises(ml.StoreBusyError, match=rf"held by another program \(process {holder.pid}"):
        ml.runs.list()
    holder.communicate("\n", timeout=30)
    assert names() == {"before"}
    os.utime("modellab.duckdb", (1, 1))  # it changes after it was read
    holder = hold("writer")
    log("during")
    with pytest.warns(RuntimeWarning, match=r"copy is shown, as it was \d+ s ago, with what the journals hold"):
        assert names() == {"before", "during"}
    holder.communicate("\n", timeout=30)


def test_a_store_held_for_long_costs_no_call_and_no_record() -> None:
    """While another program holds the store, logging is as quick as ever and readers see each record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logged, longest, arrived = faults.held(1.0)
    assert logged == arrived
    assert longest < 0.2


# -- no room, no right -------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Give a folder on a disk of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        lacking("machine", "this user may mount no small disk")
    yield folder
    session.reset()
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[list[Path]]:
    """Give one folder as two machines see it, each through a network file system of its own."""
    server = Path("/usr/lib/openssh/sftp-server")
    if shutil.which("sshfs") is None or not server.exists():
        lacking("machine", "there is no sshfs here; run: apt-get install sshfs openssh-sftp-server")
    places, served = [tmp_path / "one", tmp_path / "two"], []
    (tmp_path / "shared").mkdir()
    try:
        for place in places:
            place.mkdir()
            ours, theirs = socket.socketpair()
            with ours, theirs:
                served.append(subprocess.Popen([server], stdin=ours, stdout=ours))
                mount = ["sshfs", f":{tmp_path / 'shared'}", place, "-f", "-o", "passive,cache=no"]
                served.append(subprocess.Popen(mount, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE))
            end = time.monotonic() + 20
            while not place.is_mount():
                if served[-1].poll() is not None or time.monotonic() > end:
                    lacking("machine", "this user may mount no network file system")
                time.sleep(0.01)
        yield places
    finally:
        session.reset()
        for place in places:
            subprocess.run(["umount", "-l", place], check=False, capture_output=True)
        for process in served:
            process.kill()
            process.communicate()


def test_a_network_file_system_loses_nothing(mounts: list[Path]) -> None:
    """Two machines write into one folder, some are killed, and each reads all that both were told was accepted."""
    code = """
import os, sys
import modellab_jupyter as ml
run = ml.start_run(sys.argv[1])
for step in range(300):
    run.log_metrics({"a": step / 7}, step=step)
print("logged", flush=True)
sys.stdin.readline()
run.end()
"""
    writers = [(name, python(code, name, cwd=mounts[name > "b"])) for name in "abcd"]
    for name, writer in writers:
        assert writer.stdout.readline() == "logged\n", writer.communicate()
        if name in "ac":
            writer.kill()
        writer.communicate("\n")
    for place in reversed(mounts):
        ml.configure(store=place / "modellab.duckdb")
        assert names() == set("abcd")
        points = ml.sql("SELECT count(*) AS n, count(DISTINCT (run_id, step)) AS steps, sum(value) AS sum FROM metrics")
        assert points.iloc[0].tolist() == [1200, 1200, pytest.approx(4 * sum(step / 7 for step in range(300)))]


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_full_disk_stops_no_training(small: Path) -> None:
    """Nothing that is logged raises; what cannot be kept is counted and told, the rest arrives when there is room."""
    import numpy as np
    import pandas as pd

    ml.configure(store=small / "modellab.duckdb")
    log("before")
    run = ml.start_run("full")
    run._describing.join()
    filler = small / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for step in range(300):
            ml.log_metrics({"a": step / 3, "b": -0.0, "c": 5e-324}, step=step)
        ml.log_params({"text": "x" * 9000})
        ml.log_latency([0.5] * 1000)
        run.set_note("n" * 5000)
        ml.set_tags(["full"])
        assert run.log_artifact(os.urandom(5000), "a.bin") == ""
        assert run.log_dataset(pd.DataFrame({"a": range(2000)}), "d") == ""
        report = run.evaluate([0, 1] * 20, [0, 1] * 20, config={"plots": False})
        assert report.metrics["accuracy"] == 1.0
    assert sorted(str(one.message).split(";")[0][:30] for one in told) == [
        "ModelLab cannot write to " + str(small)[:5],
        "ModelLab could not keep an art",
    ]
    assert names() == {"before", "full"}
    filler.unlink()
    run.end()
    record = ml.runs.get(run.id)
    assert (record.status, record.lost, record.note, record.params["text"]) == ("finished", 3, "n" * 5000, "x" * 9000)
    series = ml.runs.metrics(run.id)
    assert series[series["key"] == "a"]["value"].tolist() == [step / 3 for step in range(300)]
    assert np.signbit(series[series["key"] == "b"]["value"]).all()
    assert (series[series["key"] == "c"]["value"] == 5e-324).all()
    assert len(series) == 900


def test_a_folder_that_cannot_be_written_is_read_with_its_journals(small: Path) -> None:
    """On a disk that is read only, a store is shown with what waits in its journals; a run does not start."""
    ml.configure(store=small / "modellab.duckdb")
    log("before")
    run = ml.start_run("open")
    ml.log_metrics({"a": 1.0})
    run._describing.join()
    session.current().journal.close()
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.warns(RuntimeWarning):
        assert names() == {"before", "open"}
    subprocess.run(["mount", "-o", "remount,rw", small], check=True)
    run.end()
    assert len(segments(small / "modellab.files" / "journal")) == 0


# -- damaged -----------------------------------------------------------------------------------------


def harmed(data: bytes, place: str) -> bytes:
    return {
        "head": b"\0" * 9000 + data[9000:],
        "cut": data[: len(data) // 2],
        "middle": data[: len(data) // 3] + bytes(len(data) // 3) + data[2 * len(data) // 3 :],
        "tail": data[:-20_000] + b"x" * 20_000,
    }[place]


@pytest.mark.parametrize("place", ["head", "cut", "middle", "tail"])
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_damaged_store_is_explained_repaired_and_kept(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The doctor says what is wrong; its repair keeps the file, saves what can be read, and takes the journals once."""
    for k in range(3):
        log(f"run {k}", 400)
    with ml.start_run("open") as run:
        ml.log_metrics({"a": 0.5})
        ml.runs.list()  # half of the journal is in the file
        ml.log_metrics({"a": 1.5})
        damaged = harmed(Path("modellab.duckdb").read_bytes(), place)
        Path("modellab.duckdb").write_bytes(damaged)
        assert main(["doctor"]) == 1
        assert "modellab doctor --repair" in capsys.readouterr().out
        assert Path("modellab.duckdb").read_bytes() == damaged
        main(["doctor", "--repair"])
        said = capsys.readouterr().out
        (kept,) = Path.cwd().glob("modellab.damaged-*.duckdb")
        assert kept.read_bytes() == damaged
        assert kept.name in said
        assert "could not be read" in said or "no row" in said
    assert ml.runs.metrics(run.id, "a")["value"].tolist() == [0.5, 1.5]
    assert ml.runs.get(run.id).status == "finished"
    series = ml.sql("SELECT count(*) AS n, count(DISTINCT (run_id, key, step)) AS once FROM metrics")
    assert series["n"].tolist() == series["once"].tolist()
    assert main(["doctor", "--repair"]) == 0
    assert "is sound" in capsys.readouterr().out


def harm_column(table: str, column: str) -> None:
    """Overwrite the blocks of the store that hold nothing but values of one column."""
    with duckdb.connect("modellab.duckdb", read_only=True) as con:
        size = con.execute("SELECT block_size FROM pragma_database_size()").fetchall()[0][0]
        blocks = con.execute(
            """SELECT block_id FROM pragma_storage_info(?) WHERE block_id >= 0 GROUP BY block_id
            HAVING bool_and(column_name = ?)""",
            [table, column],
        ).fetchall()
    assert blocks
    with Path("modellab.duckdb").open("r+b") as file:
        for (block,) in blocks:
            file.seek(3 * 4096 + block * size)  # behind three headers
            file.write(b"x" * size)


@pytest.mark.parametrize("column", ["time", "step", "value"])
def test_a_column_that_cannot_be_read_costs_no_other(column: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a row what can be read is saved, a series stays whole and in order, and the repair says what is missing."""
    runs = [log(name, 4000) for name in ("one", "two")]
    before = {run.id: ml.runs.metrics(run.id, "a") for run in runs}
    harm_column("metrics", column)
    session.reset()
    assert main(["doctor", "--repair"]) == 1
    said = capsys.readouterr().out
    if column == "value":  # without it a row says nothing
        assert "rows of table metrics could not be read" in said
        return
    assert f"column {column} of 16000 rows of table metrics could not be read" in said
    assert "! 16000 rows" not in said
    for run in runs:
        assert ml.runs.metrics(run.id, "a")["value"].tolist() == before[run.id]["value"].tolist()
        assert ml.runs.metrics(run.id, "a")["step"].tolist() == list(range(4000))
        assert ml.runs.get(run.id).metrics["a"] == 3999 / 7
    assert ml.runs.list()["metrics.a"].tolist() == [3999 / 7] * 2


@pytest.mark.parametrize("column", ["time", "step"])
def test_what_is_given_again_is_there_once_also_without_a_column(column: str) -> None:
    """Where nobody knows what was taken in, the journals' word counts, though a column of the file cannot be read."""
    run = log("one", 4000)
    chosen = "SELECT step, epoch_us(time) AS us FROM metrics WHERE key = 'a' AND step >= 3990"
    sent = ml.sql(chosen).to_dict("records")
    with duckdb.connect("modellab.duckdb") as con:
        con.execute("DROP TABLE segments")
    harm_column("metrics", column)
    session.reset()
    events = [
        schema.MetricsLogged(time=row["us"] * 1000, run_id=run.id, step=row["step"], values={"a": 1.0}) for row in sent
    ]
    place = Path("modellab.duckdb")
    assert upkeep.salvage(FileBackend(place), place, lambda: events).lost == {"segments": -1}
    assert len(ml.runs.metrics(run.id, "a")) == 4000 - len(events)


def test_a_repair_counts_lost_records_once() -> None:
    """What a journal gives again adds nothing to the lost records of a run, and what was never taken in does."""
    run = log("one", 5)
    now = time.time_ns()
    ended = [
        schema.RunEnded(time=now + i * 10**9, run_id=run.id, status="finished", duration=1.0, lost=2) for i in (1, 2)
    ]
    journal = Journal(Path("modellab.files/journal"))
    journal.append(ended[0])
    assert ml.runs.get(run.id).lost == 2
    journal.append(ended[1])
    with duckdb.connect("modellab.duckdb") as con:
        con.execute("DROP TABLE segments")
    session.reset()
    place = Path("modellab.duckdb")
    upkeep.salvage(FileBackend(place), place, lambda: ended)
    assert ml.runs.get(run.id).lost == 4


def test_a_repair_saves_what_stands_behind_deleted_rows() -> None:
    """Rows that were destroyed before leave gaps, and no row behind them is forgotten."""
    for name in ("one", "two", "three"):
        log(name, 500)
    ml.runs.delete("one")
    ml.trash.empty()
    place = Path("modellab.duckdb")
    assert not upkeep.salvage(FileBackend(place), place, list).lost
    assert names() == {"two", "three"}
    assert ml.sql("SELECT count(*) AS n FROM metrics")["n"].tolist() == [2000]


def test_a_repair_keeps_the_sign_of_the_last_value() -> None:
    """What is computed anew of a series that ends in -0.0 ends in -0.0."""
    with ml.start_run("one"):
        for step, value in enumerate([1.0, 2.0, -0.0]):
            ml.log_metrics({"a": value}, step=step)
    ml.runs.list()
    place = Path("modellab.duckdb")
    upkeep.salvage(FileBackend(place), place, list)
    last = ml.sql("SELECT last FROM metric_summary")["last"].tolist()
    shown = [*last, *ml.runs.list()["metrics.a"], ml.runs.get("one").metrics["a"]]
    assert [math.copysign(1, value) for value in shown] == [-1.0] * 3


def test_every_damaged_file_is_kept() -> None:
    """Two repairs within a second leave two files."""
    for name in ("one", "two"):
        log(name)
        Path("modellab.duckdb").write_bytes(harmed(Path("modellab.duckdb").read_bytes(), "head"))
        assert main(["doctor", "--repair"]) == 1
    assert len(list(Path.cwd().glob("modellab.damaged-*.duckdb"))) == 2


def test_the_users_own_tables_stay_whatever_is_done() -> None:
    """A table that somebody made in the file is no damage: it is kept by a compaction and by a repair."""
    log("one")
    with duckdb.connect("modellab.duckdb") as con:
        con.execute("CREATE SCHEMA mine; CREATE TABLE mine.notes AS SELECT 'kept' AS said; CREATE TABLE extra (a INT)")
        con.execute("INSERT INTO extra VALUES (1), (2)")
    assert main(["doctor"]) == 0
    assert main(["compact"]) == 0
    ml.export("out.zip", "default")
    place = Path("modellab.duckdb")
    assert not upkeep.salvage(FileBackend(place), place, list).lost
    with duckdb.connect("modellab.duckdb", read_only=True) as con:
        assert con.execute("SELECT said FROM mine.notes").fetchall() == [("kept",)]
        assert con.execute("SELECT sum(a) FROM extra").fetchall() == [(3,)]
    assert names() == {"one"}


def test_what_ends_during_a_repair_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process cannot take its run into the file that is about to be replaced."""
    log("one", 400)
    place = Path("modellab.duckdb")
    place.write_bytes(harmed(place.read_bytes(), "tail"))
    exchange = upkeep._exchange

    def late(*paths: Path) -> None:
        other = "import modellab_jupyter as ml\nml.start_run('late').end()"
        subprocess.run([sys.executable, "-W", "ignore", "-c", other], check=True, timeout=60)
        exchange(*paths)

    monkeypatch.setattr(upkeep, "_exchange", late)
    main(["doctor", "--repair"])
    assert "late" in names()


def test_a_repair_that_is_cut_off_leaves_the_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the new file stands in its place, the old one does; the next repair goes through."""
    log("one")
    place = Path("modellab.duckdb")
    damaged = harmed(place.read_bytes(), "head")
    place.write_bytes(damaged)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            main(["doctor", "--repair"])
    assert place.read_bytes() == damaged
    main(["doctor", "--repair"])
    assert names() == set()


def test_a_link_stays_a_link_and_a_mode_a_mode(tmp_path: Path) -> None:
    """A compaction and a repair write the file that a link names, and give it no wider mode."""
    log("one")
    place, real = Path("modellab.duckdb"), tmp_path / "elsewhere.duckdb"
    place.rename(real)
    real.chmod(0o600)
    place.symlink_to(real)
    assert main(["compact"]) == 0
    real.write_bytes(harmed(real.read_bytes(), "head"))
    main(["doctor", "--repair"])
    assert place.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert names() == set()


def test_what_a_killed_repair_left_behind_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The doctor names a half-written copy of a process that is gone."""
    log("one")
    Path(".modellab.duckdb.999999999.new").write_bytes(b"half")
    assert main(["doctor"]) == 1
    assert ".modellab.duckdb.999999999.new was left behind" in capsys.readouterr().out


def test_a_damaged_log_beside_the_store_costs_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the write-ahead log of a program that was killed is damaged, the file itself is saved whole."""
    log("one")
    Path("modellab.duckdb.wal").write_bytes(b"no log" * 1000)
    try:
        assert names() == {"one"}
    except ml.StoreError:
        main(["doctor", "--repair"])
        assert "nothing was lost" in capsys.readouterr().out
    assert names() == {"one"}


# -- compact -----------------------------------------------------------------------------------------


def test_a_compacted_store_is_smaller_and_the_same(tmp_path: Path) -> None:
    """Nothing but the size of the file changes, the trash included."""
    for k in range(12):
        log(f"run {k}", 300)
    ml.runs.delete("run 3")
    before, size = content(tmp_path), Path("modellab.duckdb").stat().st_size
    assert main(["compact"]) == 0
    assert content(tmp_path) == before
    assert Path("modellab.duckdb").stat().st_size < size
    assert not list(Path.cwd().glob(".modellab*"))
    ml.runs.restore("run 3")
    assert len(ml.runs.list()) == 12


def test_others_work_on_while_a_store_is_compacted(store: Store) -> None:
    """Writers that end runs while the file is replaced again and again lose nothing."""
    log("first")
    code = """
import sys, time
from pathlib import Path
import modellab_jupyter as ml
k = 0
while k < 3 or not Path("enough").exists():
    with ml.start_run(f"{sys.argv[1]} {k}") as run:
        ml.log_metrics({"a": float(k)})
    assert ml.runs.get(run.id).status == "finished"
    time.sleep(0.2)  # four that never pause could keep one of them out
    k += 1
print(k)
"""
    writers = [python(code, str(k)) for k in range(3)]
    while len(ml.runs.list()) < 4 and all(writer.poll() is None for writer in writers):
        time.sleep(0.05)  # until they are at work
    count = 0
    while count < 3 and all(writer.poll() is None for writer in writers):
        began = time.monotonic()
        with suppress(ml.StoreBusyError):  # three writers may hold it for longer than anybody waits
            store.compact()
            count += 1
        time.sleep(max(0.1, time.monotonic() - began))  # or the others would hardly ever find it free
    Path("enough").touch()
    ended = 0
    for writer in writers:
        out, err = writer.communicate(timeout=60)
        assert writer.returncode == 0, err
        ended += int(out)
    assert count == 3
    assert ml.runs.list()["status"].tolist() == ["finished"] * (ended + 1)
    assert ml.sql("SELECT count(*) AS n FROM metrics WHERE key = 'a'")["n"].tolist() == [ended + 3]


def test_what_takes_space_is_told() -> None:
    """Each table with its rows and bytes, the file, blobs, evaluations, journals and the trash."""
    run = log("one", 500)
    with ml.start_run("two") as other:
        other.log_artifact(b"x" * 1000, "x.bin")
    ml.runs.delete(other.id)
    found = ml.storage().set_index("name")
    assert found.loc["metrics", "count"] == 1000
    assert 0 < found.loc["metrics", "bytes"] <= found.loc["modellab.duckdb", "bytes"]
    by_kind = ml.storage().set_index("what")["bytes"]
    assert (by_kind["blobs"], by_kind["trash"]) == (1000, 1000)
    assert run.id
