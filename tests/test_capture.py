# ruff: noqa: NPY002 - the legacy generators are what is watched
"""What a run draws and reads is recorded while it happens, and changes nothing of it."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modellab_jupyter as ml
from modellab_jupyter import environment, imports, randomness, reads, session
from modellab_jupyter.repro.recorded import recorded
from tests.conftest import ROOT, answer

pytestmark = pytest.mark.filterwarnings(  # cells that read a file in one line leave it to be closed
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
DATA = "a,b\n1,2\n3,4\n"


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(ip: Any, *cells: str) -> None:
    for cell in cells:
        result = ip.run_cell(cell if cell[0] == "%" else cell + ";", store_history=True)
        assert result.success, (cell, result.error_in_exec or result.error_before_exec)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of files that existed before the session."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text(f"{DATA}{len(name)},{name[:1]}\n")
    old = time.time() - 100
    for path in folder.iterdir():
        os.utime(path, (old, old))
    return folder


def files(name: str = "a") -> dict[str, tuple[str, bool, bool]]:
    return {one.path: (one.found_by, one.digest is not None, one.made) for one in recorded(name).files}


# -- chance ------------------------------------------------------------------------------------------


def test_seeded_streams_are_what_they_are_without_us() -> None:
    """Every generator with a seed gives the same numbers whether somebody listens or not, NumPy's and Python's."""
    code = """
import random, sys
if sys.argv[1] == "1":
    import modellab_jupyter as ml
    ml.start_run("a")
import numpy as np
out = []
random.seed(3); out += [random.random(), random.gauss(0, 1)]
random.seed("text"); out += [random.random()]
random.seed(b"bytes", 1); out += [random.random()]
out += [random.Random(5).random(), random.Random(2.5).random()]
class Mine(random.Random):
    def seed(self, a=None, version=2):
        super().seed(7 if a is None else a, version)
out += [Mine().random()]
state = random.getstate(); x = random.random(); random.setstate(state); out += [random.random() == x]
np.random.seed(3); out += [float(np.random.rand()), float(np.random.RandomState(4).rand())]
out += [float(np.random.default_rng(5).random()), float(np.random.Generator(np.random.PCG64(6)).random())]
out += [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(9).spawn(2)]
print(out)
"""
    assert answer(code, "0") == answer(code, "1")


def test_unseeded_generators_draw_and_their_entropy_is_recorded(shell) -> None:
    """With what was recorded each generator that had no seed is made again, in the order of its drawing."""
    run(shell, "%load_ext modellab_jupyter", "import random, numpy as np, modellab_jupyter as ml",
        "a = random.Random().random(); random.seed(); b = random.random()",
        "c = np.random.default_rng().random(); d = np.random.RandomState()\nnp.random.seed(); e = np.random.rand()",
        "with ml.start_run('a'): pass", "later = np.random.default_rng().random()")  # fmt: skip
    drawn = recorded("a").draws
    python = [int(one.value, 16) for one in drawn if one.source == "random"]
    numpy = [int(one.value, 16) for one in drawn if one.source == "numpy"]
    assert {(one.source, one.order) for one in drawn} == {("random", 2), ("numpy", 3)}
    names = shell.user_ns
    assert [random.Random(value).random() for value in python] == [names["a"], names["b"]]
    assert np.random.default_rng(numpy[0]).random() == names["c"]
    assert len(numpy) == 3
    assert len({*python, *numpy}) == 5


def test_played_back_entropy_gives_the_same_numbers(shell) -> None:
    """Where NumPy is given the recorded entropy in its order, unseeded generators give the numbers of the run."""
    import numpy.random.bit_generator as bits

    draw = "np.random.default_rng().random(), np.random.RandomState().rand(), np.random.PCG64().random_raw()"
    run(shell, "%load_ext modellab_jupyter", "import numpy as np, modellab_jupyter as ml",
        f"got = {draw}; state = np.random.get_state()\nnp.random.seed(); got += (np.random.rand(),)",
        "with ml.start_run('a'): pass")  # fmt: skip
    values = [int(one.value, 16) for one in recorded("a").draws]
    session.current().mute()
    original, bits.randbits = bits.randbits, lambda k: values.pop(0)
    try:
        again = eval(draw)
        np.random.set_state(shell.user_ns["state"])  # seeding leaves its place in the old words as it was
        np.random.seed()
        again += (np.random.rand(),)
    finally:
        bits.randbits = original
    assert again == shell.user_ns["got"]


def test_the_state_at_load_brings_the_numbers_back(shell) -> None:
    """Numbers of the global generators follow from the states at load and at the start of the run."""
    run(shell, "import random, numpy as np", "%load_ext modellab_jupyter",
        "x = random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()",
        "import modellab_jupyter as ml; r = ml.start_run('a')", "y = random.random(), np.random.rand()",
        "r.end()")  # fmt: skip
    states = recorded("a").random
    assert [state.moment for state in states] == ["load", "run"]

    def restore(state):
        python = state.python
        random.setstate((python["version"], tuple(python["state"]), python["gauss"]))
        inner = state.numpy["state"]
        np.random.set_state({**state.numpy, "state": {**inner, "key": np.array(inner["key"], dtype=np.uint32)}})

    restore(states[0])
    assert (random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn()) == shell.user_ns["x"]
    restore(states[1])
    assert (random.random(), np.random.rand()) == shell.user_ns["y"]


def test_numpy_that_comes_later_is_seen_before_anybody_draws() -> None:
    """The state of NumPy's global generator is recorded when it is imported after the extension."""
    code = """
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
for cell in ("%load_ext modellab_jupyter", "import numpy as np; first = np.random.rand()",
             "import modellab_jupyter as ml\\nml.start_run('a').end()"):
    assert ip.run_cell(cell, store_history=True).success
import numpy as np
from modellab_jupyter.repro.recorded import recorded
states = {one.moment: one for one in recorded("a").random}
assert states["load"].numpy is None, "NumPy was there already"
state = states["numpy"].numpy
np.random.set_state({**state, "state": {**state["state"], "key": np.array(state["state"]["key"], dtype=np.uint32)}})
print(np.random.rand() == ip.user_ns["first"], len(recorded("a").draws))
"""
    assert answer(code).split() == ["True", "0"]


def test_another_bit_generator_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A legacy generator of 128-bit integers is recorded exactly."""
    before = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        state = np.random.get_state(legacy=False)
        assert randomness.numpy_state(json.loads(json.dumps(randomness._numpy()))) == state
    finally:
        np.random.set_bit_generator(before)


def test_nothing_is_left_of_listening(shell) -> None:
    """After the extension is unloaded, seeding is Python's own again and nobody waits for imports."""
    import duckdb
    import polars
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.feather
    import pyarrow.json
    import pyarrow.orc
    import pyarrow.parquet
    import xgboost

    def readers() -> dict[tuple[str, str], Any]:
        found = {}
        for name, each in reads._READERS.items():
            for full in (full for reader in each for full in reader.names):
                owner = sys.modules[name]
                *path, last = full.split(".")
                for one in path:
                    owner = getattr(owner, one, None)
                found[name, full] = vars(owner).get(last, "absent") if owner is not None else None
        return found

    before = random.Random.seed, np.random.bit_generator.randbits, list(sys.meta_path)
    known = readers()
    run(shell, "from polars import read_csv; from duckdb import sql", "%load_ext modellab_jupyter")
    assert random.Random.seed is not before[0]
    run(shell, "from pyarrow.csv import read_csv as other; from polars import scan_csv")
    assert sum(readers()[key] is not value for key, value in known.items()) > 30
    assert polars.read_csv in reads._wrappers
    run(shell, "%unload_ext modellab_jupyter")
    assert readers() == known
    names = shell.user_ns
    assert (names["read_csv"], names["sql"], names["scan_csv"]) == (polars.read_csv, duckdb.sql, polars.scan_csv)
    assert not any(hasattr(one, "__wrapped__") and one in reads._wrappers for one in (
        polars.read_csv, duckdb.DuckDBPyConnection.execute, xgboost.DMatrix.__init__, pyarrow.csv.read_csv,
    ))  # fmt: skip
    session.reset()
    assert random.Random.seed is before[0]
    assert np.random.bit_generator.randbits is before[1]
    assert sys.meta_path == before[2]
    assert reads._Hook.listener is None


def test_generators_pickle_and_copy_as_before(shell) -> None:
    """A listened-to generator goes through pickle with its state."""
    run(shell, "%load_ext modellab_jupyter")
    one = random.Random(4)
    assert pickle.loads(pickle.dumps(one)).random() == random.Random(4).random()
    assert random.Random.seed.__name__ == "seed"


# -- files -------------------------------------------------------------------------------------------

READERS = {
    "open": "open('data/one.csv').read()",
    "pandas": "import pandas as pd; pd.read_csv('data/one.csv')",
    "bytes": "open(b'data/one.csv', 'rb').read()",
    "os": "import os; os.close(os.open('data/one.csv', os.O_RDONLY))",
    "pathlib": "import pathlib; pathlib.Path('data/one.csv').read_text()",
    "pyarrow.csv": "import pyarrow.csv as c; c.read_csv('data/one.csv')",
    "pyarrow.dataset": "import pyarrow.dataset as d; d.dataset('data', format='csv').to_table()",
    "polars": "import polars as pl; pl.read_csv('data/one.csv')",
    "polars glob": "import polars as pl; pl.scan_csv('data/*.csv').collect()",
    "duckdb": "import duckdb; duckdb.sql(\"SELECT * FROM 'data/one.csv'\").fetchall()",
    "duckdb bound": "import duckdb; duckdb.connect().execute('SELECT * FROM read_csv(?)', ['data/one.csv']).fetchall()",
    "duckdb method": "import duckdb; duckdb.connect().read_csv('data/one.csv').fetchall()",
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_is_seen_whoever_reads_it(shell, data: Path, reader: str) -> None:
    """The file, its digest and the cell are recorded, for readers in C++ and Rust too."""
    run(shell, "%load_ext modellab_jupyter", READERS[reader], "import modellab_jupyter as ml\nml.start_run('a').end()")
    found = {one.path: one for one in recorded("a").files}
    assert set(found) == ({"data/one.csv", "data/two.csv"} if reader in {"pyarrow.dataset", "polars glob"} else
                          {"data/one.csv"})  # fmt: skip
    one = found["data/one.csv"]
    assert (one.digest, one.size, one.orders, one.made) == (sha(data / "one.csv"), 16, (1,), False)
    assert one.found_by == (reader.split(".")[0].split()[0] if reader.startswith(("py", "pol", "duck")) else "open")


def test_parquet_and_models_are_seen(shell, tmp_path: Path) -> None:
    """Parquet files, alone and in folders, Arrow files and XGBoost's models and texts are inputs."""
    import pandas as pd
    import xgboost

    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    (tmp_path / "parts").mkdir()
    frame.to_parquet("one.parquet")
    frame.to_parquet("parts/0.parquet")
    frame.to_feather("one.feather")
    xgboost.train({}, xgboost.DMatrix(frame[["x"]], label=frame["y"]), 1).save_model("model.json")
    time.sleep(0.02)
    run(shell, "%load_ext modellab_jupyter", "import pandas as pd, pyarrow.feather as f, xgboost",
        "pd.read_parquet('one.parquet'); pd.read_parquet('parts'); f.read_table('one.feather')",
        "xgboost.Booster().load_model('model.json')",
        "import modellab_jupyter as ml\nml.start_run('a').end()")  # fmt: skip
    found = {one.path: (one.found_by, one.orders, one.digest) for one in recorded("a").files}
    assert found == {
        "one.feather": ("pyarrow", (2,), sha(tmp_path / "one.feather")),
        "one.parquet": ("pyarrow", (2,), sha(tmp_path / "one.parquet")),
        "parts/0.parquet": ("pyarrow", (2,), sha(tmp_path / "parts" / "0.parquet")),
        "model.json": ("xgboost", (3,), sha(tmp_path / "model.json")),
    }


def test_data_are_not_searched_for_names_of_files(shell, data: Path) -> None:
    """Of what a reader is given, only texts up to the first thing that is none are looked at, however much follows."""

    class Row(list):
        def __iter__(self) -> Any:
            raise AssertionError("looked into")

        __getitem__ = __iter__

    looked: list[str] = []
    inside = reads.Reads("s", lambda: 0, lambda event: None)
    inside._look = lambda path, found_by: looked.append(path)  # type: ignore[method-assign]
    one = str(data / "one.csv")
    inside.saw([one, Row([str(data / "two.csv")]), one + "x"], "xgboost")
    inside.saw([[one]] * 100_000, "xgboost")
    inside.saw([1.0] * 1_000_000, "xgboost")
    assert looked == [one]
    assert not inside._queue


def test_folders_are_walked_beside_the_user_and_not_to_their_end(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is given a folder, a pattern or a long list waits for one look; so many of the files are told."""
    for n in range(200):
        (data / f"n{n:03}.csv").write_text("x")
        os.utime(data / f"n{n:03}.csv", (1e9, 1e9))
    told: list[Any] = []
    inside = reads.Reads("s", lambda: 3, told.append)
    monkeypatch.setattr(reads, "MEMBERS", 50)
    monkeypatch.setattr(reads.Reads, "_put", lambda self, item: self._queue.append(item))
    stats: list[Any] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: stats.append(args) or stat(*args, **kwargs))
    for source in (str(data), str(data / "*.csv"), [str(data / f"n{n:03}.csv") for n in range(200)]):
        stats.clear()
        told.clear()
        inside.begin()
        monkeypatch.setattr(reads, "BEFORE", 5)
        inside.saw(source, "polars")
        assert len(stats) <= 10
        (data / "n001.csv").write_text("other")  # before anybody looked, but not when it was given in a list
        inside._batch()
        found = {Path(one.path).name: one.digest for event in told for one in event.files}
        assert len(found) == 50
        assert found["n003.csv"] == hashlib.sha256(b"x").hexdigest()
        assert found["n001.csv"] is None
        (data / "n001.csv").write_text("x")
        os.utime(data / "n001.csv", (1e9, 1e9))


def test_a_file_too_large_to_hash_delays_neither_run_nor_process(tmp_path: Path) -> None:
    """Run and process end at once beside files of any size; one whose digest takes too long is told without."""
    for name, size in (("huge.bin", 100 << 30), ("slow.bin", 2 << 30), ("slow.db", 2 << 30)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        os.utime(tmp_path / name, (1e9, 1e9))
    code = """
import time, sys, hashlib
import modellab_jupyter as ml
from modellab_jupyter import reads
class Slow:  # as one core of an old machine
    def update(self, part): time.sleep(0.05)
    def hexdigest(self): return "0" * 64
hashlib.sha256 = Slow if sys.argv[1] == "1" else hashlib.sha256
with ml.start_run("a"):
    for name in ("huge.bin", "slow.bin", "slow.db"):
        open(name, "rb").close()
    began = time.time()
print(time.time() - began, time.time())
"""
    out = answer(code, "1").split()
    assert float(out[0]) < 60  # of the minutes that all digests take: the machine may be busy
    assert time.time() - float(out[1]) < 60
    assert files() == dict.fromkeys(("huge.bin", "slow.bin", "slow.db"), ("open", False, False))


def test_of_a_cell_that_reads_very_much_so_much_is_hashed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beyond the bytes of one cell are told without a digest, those of the next cell with theirs."""
    told: list[Any] = []
    inside = reads.Reads("s", lambda: 0, told.append)
    monkeypatch.setattr(reads, "ALL", 20)  # bytes; each of the files has 16
    for _ in range(2):
        inside.begin()
        for name in ("one.csv", "two.csv"):
            inside._look(str(data / name), "open")
        inside.settle(5)
    digests = [one.digest for event in told for one in event.files]
    assert digests[0] == sha(data / "one.csv")
    assert digests[1] is None
    assert digests[-2:] == [sha(data / "one.csv"), sha(data / "two.csv")]


def test_a_file_that_somebody_else_replaced_is_an_input_again(shell, data: Path) -> None:
    """What a cell wrote is no input while it is as it was left, also through a file that stays open over cells."""
    run(shell, "%load_ext modellab_jupyter", "open('w.txt', 'w').write('x')", "log = open('log.txt', 'w')",
        "log.write('more'); log.flush()", "open('w.txt').read(); open('log.txt').read()", "log.close()")  # fmt: skip
    session.current().found()
    import subprocess

    subprocess.run(["sh", "-c", "echo other > w.txt"], check=True)
    run(shell, "open('w.txt').read(); open('log.txt').read()", "import modellab_jupyter as ml\nml.start_run('a').end()")
    assert files() == {"w.txt": ("open", True, True)}


def test_what_is_kept_without_a_run_is_bounded_and_the_newest(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of cells that no run follows, the oldest are forgotten by their bytes; states of generators stay."""
    monkeypatch.setattr(session, "CAPTURED", 100_000)
    run(shell, "%load_ext modellab_jupyter", *(f"x = {n}  # {'-' * 5_000}" for n in range(60)))
    owner = session.current()
    owner.found()
    assert owner._captured_size == sum(map(session._size, owner._captured)) <= 100_000
    run(shell, "import modellab_jupyter as ml\nml.start_run('a').end()")
    known = recorded("a")
    told = [one.source for one in known.executions]
    assert 5 < len(told) < 25
    assert told[-2].startswith("x = 59 ")
    assert known.random[0].moment == "load"


def test_names_that_were_imported_before_are_followed(shell, data: Path) -> None:
    """A reader that the user knows by a name of her own from before is seen, and stays picklable and itself."""
    run(shell, "from polars import read_csv\nfrom pyarrow.csv import read_csv as other", "%load_ext modellab_jupyter",
        "read_csv('data/one.csv')", "import modellab_jupyter as ml\nml.start_run('a').end()")  # fmt: skip
    import inspect

    import polars
    import pyarrow.csv

    assert files() == {"data/one.csv": ("polars", True, False)}
    for function in (polars.read_csv, pyarrow.csv.read_csv):
        assert pickle.loads(pickle.dumps(function)) is function
        assert len(inspect.signature(function).parameters) > 3
    with pytest.raises(FileNotFoundError):
        polars.read_csv("nowhere.csv")


def test_what_the_run_wrote_is_no_input(shell, data: Path) -> None:
    """Files that cells write, directly, by renaming or by libraries, are left out when they are read back."""
    run(shell, "%load_ext modellab_jupyter", "import polars as pl, duckdb, os",
        "open('w.txt', 'w').write('x'); open('w.txt').read()",
        "open('t.tmp', 'w').write('x'); os.replace('t.tmp', 'r.txt'); open('r.txt').read()",
        "pl.DataFrame({'a': [1]}).write_csv('p.csv'); pl.read_csv('p.csv')",
        "duckdb.sql(\"COPY (SELECT 1 AS a) TO 'd.csv'\"); duckdb.sql(\"FROM 'd.csv'\").fetchall()",
        "name = 'p.csv'", "import modellab_jupyter as ml\nml.start_run('a').end()")  # fmt: skip
    assert files() == {}


def test_a_file_that_is_read_and_then_overwritten_keeps_the_digest_of_what_was_read(shell, data: Path) -> None:
    """What a cell reads and writes anew in its next line is an input with the content that it had."""
    before = sha(data / "one.csv")
    cell = "t = open('data/one.csv').read(); open('data/one.csv', 'w').write(t + 'more')"
    run(shell, "%load_ext modellab_jupyter", cell, "import modellab_jupyter as ml\nml.start_run('a').end()")
    assert [(one.path, one.digest) for one in recorded("a").files] == [("data/one.csv", before)]


def test_a_file_that_changed_before_its_digest_was_known_has_none(data: Path) -> None:
    """Nobody tells the digest of other bytes than those that were read."""
    path = data / "one.csv"
    there = path.stat()
    opened = reads._Opened(str(path), there.st_size, there.st_mtime_ns, there.st_ino, 0, "open")
    assert reads._digest(opened) == sha(path)
    path.write_text("other")
    assert reads._digest(opened) is None
    assert reads._digest_apart(opened) is None


def test_databases_are_read_by_another_process(shell, tmp_path: Path) -> None:
    """The digest of an SQLite file is told without taking the locks that the user holds on it."""
    with sqlite3.connect("facts.db") as con:
        con.execute("CREATE TABLE t (x)")
    con.close()
    time.sleep(0.02)
    run(shell, "%load_ext modellab_jupyter", "import sqlite3; con = sqlite3.connect('facts.db', isolation_level=None)",
        "con.execute('BEGIN EXCLUSIVE')", "import modellab_jupyter as ml\nml.start_run('a').end()")  # fmt: skip
    assert files() == {"facts.db": ("sqlite3", True, False)}
    check = "import sqlite3\ntry: sqlite3.connect('facts.db', timeout=0).execute('INSERT INTO t VALUES (1)')\n"
    assert answer(check + "except sqlite3.OperationalError as e: print(e)").strip() == "database is locked"
    shell.user_ns["con"].close()


def test_files_that_a_text_names_are_told(shell, data: Path) -> None:
    """A text in a cell that is the path of a file from before says so; addresses and outputs do not."""
    run(shell, "%load_ext modellab_jupyter", "p = 'data/one.csv'; q = \"https://x.org/a.csv\"; r = 'data/none.csv'",
        "import modellab_jupyter as ml\nml.start_run('a').end()")  # fmt: skip
    assert files() == {"data/one.csv": ("named", True, False)}


def test_python_and_our_own_files_are_no_inputs(shell, data: Path, tmp_path: Path) -> None:
    """Modules, libraries' data, devices, folders and what the tracker keeps are left out."""
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    run(shell, "%load_ext modellab_jupyter", "import sys; sys.path.insert(0, '.'); import helper",
        "from sklearn.datasets import load_iris; load_iris()", "open('/dev/null').read(); open('/proc/stat').read()",
        "import os; os.close(os.open('data', os.O_RDONLY))", "import matplotlib.pyplot as plt; plt.figure()",
        "import modellab_jupyter as ml\nwith ml.start_run('a') as r: r.log_artifact('data/one.csv')",
        "ml.runs.list(); ml.runs.get('a')", "ml.start_run('b').end()")  # fmt: skip
    known = recorded("b")
    assert [one.path for one in known.files if one.found_by != "named"] == []
    helper = str(tmp_path / "helper.py")
    assert helper in known.modules  # beside those of the tests themselves
    assert known.module_digests[helper] == sha(tmp_path / "helper.py")
    sys.modules.pop("helper")
    sys.path.remove(".")


def test_the_hook_never_raises_and_does_nothing_when_off(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in the hook is none of the user's call."""
    run(shell, "%load_ext modellab_jupyter")
    monkeypatch.setattr(reads.Reads, "opened", lambda *args: 1 / 0)
    Path("x.txt").write_text("x")
    assert Path("x.txt").read_text() == "x"
    reads._audit("open", ())
    reads._audit("open", (object(), None, "flags"))


def test_a_script_is_followed_from_the_start_of_its_run(tmp_path: Path, data: Path) -> None:
    """In plain Python what is read and drawn after start_run is recorded, and the folder is where it was started."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "helper.py").write_text("X = 1\n")
    (tmp_path / "job" / "train.py").write_text(
        "import modellab_jupyter as ml, helper, numpy as np\n"
        "with ml.start_run('a', seed=4) as run:\n"
        "    np.random.default_rng()\n    text = open('data/one.csv').read()\n    run.log_metric('n', len(text))\n"
    )
    answer(f"import sys, runpy; sys.path[:0] = ['job', {str(ROOT)!r}]; sys.argv = ['job/train.py'];"
           "runpy.run_path('job/train.py', run_name='__main__')")  # fmt: skip
    known = recorded("a")
    assert known.folder == str(tmp_path)
    assert {one.path: one.digest for one in known.files} == {"data/one.csv": sha(data / "one.csv")}
    assert [(one.source, one.order) for one in known.draws] == [("numpy", 0)]
    assert known.modules == (str(tmp_path / "job" / "helper.py"),)
    assert known.executions == ()
    assert [(one.call, one.value) for one in known.seeds] == [("start_run(seed=)", "4")]


def test_a_forked_child_is_left_alone(shell, data: Path) -> None:
    """What a forked worker reads and draws changes neither the record nor the worker."""
    run(shell, "%load_ext modellab_jupyter", "import modellab_jupyter as ml; r = ml.start_run('a')",
        "import os, random\npid = os.fork()\n"
        "if pid == 0:\n    open('data/one.csv').read(); random.Random(); os._exit(0)\n"
        "_, status = os.waitpid(pid, 0)", "r.end()")  # fmt: skip
    assert shell.user_ns["status"] == 0
    assert [one.found_by for one in recorded("a").files] == ["named"]
    assert recorded("a").draws == ()


def test_an_import_that_somebody_waits_for_leaves_the_module_as_it_was(tmp_path: Path) -> None:
    """The loader and the spec of a module that was waited for are those it would have had."""
    code = """
import sys
from modellab_jupyter import imports
seen = []
imports.when("colorsys", seen.append)
imports.when("sys", seen.append)
import colorsys
assert seen == [sys, colorsys], seen
assert type(colorsys.__loader__).__name__ == "SourceFileLoader" and "exec_module" not in vars(colorsys.__loader__)
imports.when("colorsys", lambda module: 1 / 0)
imports.forget()
print(type(sys.meta_path[0]).__name__)
"""
    assert answer(code).strip() != "_Finder"
    assert imports._finder not in sys.meta_path or imports._finder.waiting


def test_the_run_that_is_packed_without_a_name_is_one_that_ended(shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run is active, `repro` takes the newest one before it, or says that there is none."""
    from modellab_jupyter import packs

    packed: list[str] = []
    monkeypatch.setattr(packs, "repro_pack", lambda run, to, max_data: packed.append(run))
    run(shell, "%load_ext modellab_jupyter", "%modellab start one")
    result = shell.run_cell("%modellab repro")
    assert "no run has ended yet" in str(result.error_in_exec)
    run(shell, "%modellab end", "%modellab start two", "%modellab repro")
    assert packed == [ml.runs.get("one").run_id]


# -- surroundings ------------------------------------------------------------------------------------


def test_distributions_tell_where_they_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index, address, checkout, folder, editable and conda are told apart, without secrets, with RECORD's digest."""

    def install(name: str, installer: str = "pip", **url: Any) -> None:
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "RECORD").write_bytes(f"{name}.py,,\r\n".encode())
        if installer:
            (folder / "INSTALLER").write_text(installer + "\n")
        if url:
            (folder / "direct_url.json").write_text(json.dumps(url))

    (tmp_path / "code").mkdir()
    install("from-index")
    install("from-conda", "conda")
    install("nobody-knows", "")
    install("from-url", url="https://me:secret@x.org/a.whl", archive_info={"hashes": {"sha256": "ab"}})
    install("from-git", url="https://token@x.org/r.git", vcs_info={"vcs": "git", "commit_id": "c0ffee"})
    install("from-folder", url="file:///somewhere", dir_info={})
    install("editable-one", url=f"file://{tmp_path}/code", dir_info={"editable": True})
    monkeypatch.syspath_prepend(tmp_path / "site")
    ours = {path.name.partition("-1.0")[0] for path in (tmp_path / "site").iterdir()}
    found = {one["name"]: one for one in environment.distributions() if one["name"] in ours}
    assert {name: one["origin"]["kind"] for name, one in found.items()} == {
        "editable-one": "editable", "from-conda": "conda", "from-folder": "directory", "from-git": "vcs",
        "from-index": "index", "from-url": "url", "nobody-knows": "unknown",
    }  # fmt: skip
    assert "secret" not in json.dumps(found)
    assert "token" not in json.dumps(found)
    assert found["from-git"]["origin"]["commit"] == "c0ffee"
    assert found["from-index"]["record"] == hashlib.sha256(b"from-index.py,,\r\n").hexdigest()
    assert found["editable-one"]["editable"] == {"root": str(tmp_path / "code")}


def test_uncommitted_code_of_an_editable_package_is_told(tmp_path: Path) -> None:
    """Another line, a new file, and their absence each give another digest; a clean checkout gives none."""
    import subprocess

    def git(*args: str) -> None:
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *args], cwd=tmp_path, check=True,
                       capture_output=True)  # fmt: skip

    (tmp_path / "m.py").write_text("x = 1\n")
    loose = environment.editable(str(tmp_path))
    assert loose["commit"] is None
    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    git("remote", "add", "origin", "https://me:secret@x.org/r.git")
    clean = environment.editable(str(tmp_path))
    assert len(clean["commit"]) == 40
    assert clean["diff_sha256"] is None
    (tmp_path / "m.py").write_text("x = 2\n")
    changed = environment.editable(str(tmp_path))["diff_sha256"]
    (tmp_path / "new.py").write_text("y = 1\n")
    more = environment.editable(str(tmp_path))["diff_sha256"]
    assert len({None, changed, more, loose["diff_sha256"]}) == 4
    (tmp_path / "deep").mkdir()
    (tmp_path / "modellab.files").mkdir()
    for name in ("work.ipynb", "deep/work.ipynb", "modellab.duckdb", "modellab.files/seg", "deep/run.zip"):
        (tmp_path / name).write_text("{}")  # whoever works in the checkout of a package
        assert environment.editable(str(tmp_path))["diff_sha256"] == more
    git("add", "--force", "deep/run.zip")
    assert environment.editable(str(tmp_path))["diff_sha256"] != more  # one that is part of the package
    git("reset", "-q")
    around = environment.checkout(tmp_path)
    assert around.remote == "https://x.org/r.git"
    assert around.root == str(tmp_path)
    assert b"+x = 2" in around.diff


def test_looking_for_changes_reads_no_data(tmp_path: Path) -> None:
    """New code of an editable package is told by its digest; that we read it makes it nobody's data."""
    import subprocess

    code, info = tmp_path / "code", tmp_path / "site" / "toy-1.0.dist-info"
    code.mkdir()
    info.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", code], check=True)
    git = ["git", "-C", code, "-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "one"]
    subprocess.run(git, check=True)
    (code / "new.py").write_text("x = 1\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "direct_url.json").write_text(json.dumps({"url": code.as_uri(), "dir_info": {"editable": True}}))
    (tmp_path / "rows.csv").write_text("a\n")
    answer("""
import sys
sys.path.append("site")
import modellab_jupyter as ml
with ml.start_run("a") as run:
    open("rows.csv").close()
run._describing.join()
""")
    assert list(files()) == ["rows.csv"]


@pytest.mark.parametrize("ended", [True, False])
def test_a_slow_git_delays_neither_run_nor_process(
    ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where git does not answer, as beside a checkout on a disk far away, run and process end all the same."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexec sleep 300\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    code = """
import time, sys
import modellab_jupyter as ml
run = ml.start_run("a")
time.sleep(0.5)
began = time.time()
if sys.argv[1] == "1":
    run.end()
print(time.time() - began, time.time())
"""
    out = answer(code, str(int(ended))).split()
    assert float(out[0]) < 60  # of the 300 that git takes: the machine may be busy
    assert time.time() - float(out[1]) < 60
    assert ml.runs.get("a").status == "finished"


def test_data_beside_an_editable_package_are_told_by_their_size(tmp_path: Path) -> None:
    """No file of data or beyond a megabyte is read, whatever its size; another size is another state."""
    import subprocess

    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    (tmp_path / "m.py").write_text("x = 1\n")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "add", "m.py"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], cwd=tmp_path, check=True)
    states = []
    for name, size in (("a.parquet", 20 << 30), ("a.parquet", 21 << 30), ("b.py", 2 << 30), ("b.py", 3 << 30)):
        with (tmp_path / name).open("ab") as file:
            file.truncate(size)
        began = time.monotonic()
        states += [environment.editable(str(tmp_path))["diff_sha256"]] * 2
        assert time.monotonic() - began < 2
    assert len(set(states)) == 4
    (tmp_path / ".git").rename(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.py")  # nobody writes to it
    assert environment.editable(str(tmp_path))["diff_sha256"] not in states
    began = time.monotonic()
    assert environment.editable(str(tmp_path), lambda: True)["commit"] is None
    assert time.monotonic() - began < 1


def test_what_is_new_does_not_show_as_a_difference(tmp_path: Path) -> None:
    """Two runs of one environment still differ in nothing."""
    for name in "ab":
        with ml.start_run(name):
            pass
        session.current().found()
    one, other = (ml.runs.get(name).environment for name in "ab")
    assert environment.diff(one, other) == []
    assert not {"distributions", "hardware"} & set(one)
    known = recorded("a")
    assert {"name", "version", "origin", "record", "editable"} <= set(known.environment["distributions"][0])
    assert known.environment["hardware"]["cores"] == os.cpu_count()
    assert known.environment["packages"] == one["packages"]


def test_what_computes_here_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores, thread pools with their sizes, variables that set them, and each GPU with its driver go with a run."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA A100-SXM4-40GB, 535.104.05'\necho 'Odd, Inc. GPU, 1.2'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    answer("""
import numpy
import modellab_jupyter as ml
with ml.start_run("a") as run:
    pass
run._describing.join()
""")
    told = recorded("a").environment["hardware"]
    (blas,) = [pool for pool in told["blas"] if pool["user_api"] == "blas"]

    assert (blas["internal_api"], blas["num_threads"]) == ("openblas", 2)
    assert blas["file"].startswith("lib")
    assert told["threads"]["OPENBLAS_NUM_THREADS"] == "2"
    assert told["gpu"] == [
        {"name": "NVIDIA A100-SXM4-40GB", "driver": "535.104.05"},
        {"name": "Odd, Inc. GPU", "driver": "1.2"},
    ]
    assert 1 <= told["usable"] <= told["cores"]


def test_a_slip_of_ours_reaches_the_log_and_not_the_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the audit hook itself is wrong, the user's file opens all the same, and the end of the run says so once."""

    def broken(*_: Any) -> None:
        raise KeyError("ours")

    Path("rows.csv").write_text("a")
    with ml.start_run("a"):
        monkeypatch.setattr(session.current().reads, "opened", broken)
        assert Path("rows.csv").read_text() == "a"
        monkeypatch.undo()
    told = [one for one in caplog.records if "files that were read may be missing" in one.message]

    assert len(told) == 1
    assert reads.slip() is None
