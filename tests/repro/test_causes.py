"""Causes put into packs on purpose: each gets its verdict, and what cannot be confirmed is not claimed."""

from __future__ import annotations

import datetime
import hashlib
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modellab_jupyter.repro import diagnosis, words
from modellab_jupyter.repro.records import Verdict
from modellab_jupyter.repro.reproduce import replayed
from tests.repro import packs


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def judged(
    tmp_path: Path, cells: Any, metrics: Any, *, given: Any = None, explain: bool = True, **more: Any
) -> Verdict:
    """Return the verdict on a pack, replayed with this Python."""
    number = len(list(tmp_path.glob("pack*")))
    folder = packs.write(tmp_path / f"pack{number}", cells, metrics, **more)
    work = tmp_path / f"work{number}"
    work.mkdir()
    return replayed(folder, work, python=sys.executable, data=given, explain=explain)


def confirmed(verdict: Verdict) -> list[str]:
    return [cause.factor for cause in verdict.causes if cause.confirmed]


def holds(verdict: Verdict) -> dict[str, bool | None]:
    return {level.name: level.holds for level in verdict.levels}


def log(expression: str, before: str = "pass") -> list[str]:
    return [packs.LOAD, packs.START, before, f"run.log_metrics({{'m': {expression}}})", packs.END]


def script(expression: str, before: str = "pass") -> dict[str, Any]:
    """Return the arguments of a pack of a script, which starts faster than a kernel."""
    return {"script": f"{before}\n{packs.LOAD}\n{packs.START}\nrun.log_metrics({{'m': {expression}}})\nrun.end()\n"}


def test_what_stands_after_a_run_is_not_run_again(tmp_path: Path) -> None:
    """Cells that had no part in it, to pack and reproduce it for example, are left alone; its own last one is not."""
    cells, ids = log("0.5"), ["c0", "c1", "c2", "c3", "c4"]
    later = judged(tmp_path, cells, {"m": 0.5}, saved=[*cells, "1 / 0"], saved_ids=[*ids, "later"])
    assert (later.conclusion, holds(later)["notebook"]) == ("exact", True)
    own = judged(tmp_path, cells, {"m": 0.5}, saved=[*cells[:-1], "1 / 0"], saved_ids=ids, explain=False)
    assert holds(own)["notebook"] is None
    before = judged(tmp_path, cells, {"m": 0.5}, saved=["1 / 0", *cells], saved_ids=["first", *ids], explain=False)
    assert holds(before)["notebook"] is None


def test_a_run_that_comes_back_is_exact(tmp_path: Path) -> None:
    """The same numbers from the same code are exact, every level holds, and no cause is looked for."""
    verdict = judged(tmp_path, log("sum(0.1 * k for k in range(9))"), {"m": sum(0.1 * k for k in range(9))})
    assert verdict.conclusion == "exact"
    assert set(holds(verdict).values()) == {True}
    assert (verdict.causes, words.exit_code(verdict)) == ((), 0)


# -- what was put in, and is found -------------------------------------------------------------------


def test_changed_data_is_the_cause_where_the_recorded_is_at_hand(tmp_path: Path) -> None:
    """One changed byte of data is told by its digest, and named as the cause after a replay with the recorded bytes."""
    (tmp_path / "changed.txt").write_bytes(b"1 2 4")
    verdict = judged(
        tmp_path, log("sum(map(int, open('numbers.txt').read().split()))"), {"m": 6.0},
        given={"numbers.txt": tmp_path / "changed.txt"}, members={"data/files/ab/cd": b"1 2 3"},
        data=[packs.read("numbers.txt", b"1 2 3", member="data/files/ab/cd")],
    )  # fmt: skip
    assert (verdict.conclusion, holds(verdict)["data"]) == ("differs", False)
    assert confirmed(verdict) == ["data:numbers.txt"]
    assert "m differs because numbers.txt has other content" in words.text(verdict)


def test_changed_data_alone_is_no_cause(tmp_path: Path) -> None:
    """Where the recorded bytes are nowhere, the file is told to differ and is not claimed."""
    (tmp_path / "changed.txt").write_bytes(b"1 2 4")
    verdict = judged(
        tmp_path, None, {"m": 6.0}, given={"numbers.txt": tmp_path / "changed.txt"},
        data=[packs.read("numbers.txt", b"1 2 3")], **script("sum(map(int, open('numbers.txt').read().split()))"),
    )  # fmt: skip
    assert (verdict.conclusion, holds(verdict)["data"], confirmed(verdict)) == ("differs", False, [])
    assert "cause not established" in words.text(verdict)


def wheel(folder: Path, name: str, version: str, source: str) -> Path:
    """Write a package of one module as a wheel."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", source)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def test_a_package_that_is_not_there_is_why_a_run_fails(tmp_path: Path) -> None:
    """A run that ends with an ImportError is explained by the package alone, where its version can be had."""
    own = wheel(tmp_path, "toytracker", "1.0", "def score():\n    return 0.25\n")
    told = {"name": "toytracker", "version": "1.0", "origin": {"kind": "index"}, "editable": None, "locked": True}
    verdict = judged(
        tmp_path, None, {"m": 0.25}, wheels=[own], **script("toytracker.score()", "import toytracker"),
        env=packs.environment(distributions=[told]),
    )  # fmt: skip
    assert (verdict.conclusion, holds(verdict)["environment"], holds(verdict)["executions"]) == ("failed", False, False)
    assert confirmed(verdict) == ["package:toytracker"]


def test_a_package_that_cannot_be_had_is_not_claimed(tmp_path: Path) -> None:
    """The same without the version at hand: the row is there, the cause is not established."""
    told = {"name": "toytracker-nowhere", "version": "1.0", "editable": None, "locked": True}
    verdict = judged(
        tmp_path, log("toytracker.score()", "import toytracker"), {"m": 0.25},
        env=packs.environment(distributions=[told]),
    )  # fmt: skip
    assert (verdict.conclusion, confirmed(verdict)) == ("failed", [])
    assert "cause not established" in words.text(verdict)


def test_randomness_without_a_seed_is_the_cause(tmp_path: Path) -> None:
    """Numbers that come from entropy nobody recorded differ from replay to replay, and not with entropy held still."""
    verdict = judged(tmp_path, log("np.random.default_rng().normal()", "import numpy as np"), {"m": 0.5})
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", ["entropy"])
    assert "because of randomness without a seed" in words.text(verdict)


def test_recorded_entropy_makes_unseeded_generators_come_back(tmp_path: Path) -> None:
    """States of the global generators and draws of entropy are played back where they were taken."""
    state, bits, seed = random.Random(7), 0x1234567890ABCDEF1234567890ABCDEF, 0xFEDCBA
    legacy = np.random.RandomState(3)
    told = legacy.get_state(legacy=False)
    told = {**told, "state": {"key": told["state"]["key"].tolist(), "pos": told["state"]["pos"]}}
    version, words_, gauss = state.getstate()
    expected = {
        "python": state.random(), "numpy": legacy.normal(), "rng": np.random.default_rng(bits).normal(),
        "own": random.Random(seed).random(),
    }  # fmt: skip
    cells = [
        "import random, numpy as np", packs.LOAD, packs.START, "rng = np.random.default_rng(); own = random.Random()",
        ("run.log_metrics({'python': random.random(), 'numpy': np.random.normal(), 'rng': rng.normal(),"
         " 'own': own.random()})"), packs.END,
    ]  # fmt: skip
    states = [
        {"moment": "load", "order": 1, "python": {"version": version, "state": list(words_), "gauss": gauss},
         "numpy": told},
    ]  # fmt: skip
    draws = [
        {"order": 3, "source": "numpy", "value": f"{bits:x}"}, {"order": 3, "source": "random", "value": f"{seed:x}"}
    ]  # fmt: skip
    verdict = judged(tmp_path, cells, expected, rng={"states": states, "draws": draws})
    assert verdict.conclusion == "exact", words.text(verdict)


def test_the_number_of_threads_is_the_cause(tmp_path: Path) -> None:
    """A sum in as many parts as there are threads comes back with as many as the recorded machine had."""
    code = (
        "import os, numpy as np\nn = int(os.environ.get('OMP_NUM_THREADS', 2))\n"
        "x = np.random.default_rng(0).normal(size=999).astype('float32')\n"
        "s = float(np.float32(sum(part.sum() for part in np.array_split(x, n))) * 1000)"
    )
    x = np.random.default_rng(0).normal(size=999).astype("float32")
    was = float(np.float32(sum(part.sum() for part in np.array_split(x, 7))) * 1000)
    verdict = judged(tmp_path, None, {"m": was + 7}, **script("s + n", code), platform={"cores": 7})
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", ["threads"])

    verdict = judged(
        tmp_path, None, {"m": was + 7}, **script("s + n", code), platform={"cores": 64, "blas": [{"num_threads": 7}]}
    )
    assert verdict.conclusion == "exact"


def test_a_deleted_cell_is_named(tmp_path: Path) -> None:
    """The replay of what ran is exact, the saved notebook is not, and putting the cell back alone mends it."""
    cells = log("x", "x = 0.125")
    ids = ["c0", "c1", "c2", "c3", "c4"]
    verdict = judged(tmp_path, cells, {"m": 0.125}, saved=[*cells[:2], *cells[3:]], saved_ids=[*ids[:2], *ids[3:]])
    assert (verdict.conclusion, holds(verdict)["notebook"]) == ("exact", False)
    assert confirmed(verdict) == ["notebook:deleted"]
    assert "NameError" in words.text(verdict)


def test_an_edited_cell_is_named(tmp_path: Path) -> None:
    """A cell that says something else now is named after a replay in which it alone says what it said."""
    cells = log("x", "x = 0.125")
    verdict = judged(tmp_path, cells, {"m": 0.125}, saved=[*cells[:2], "x = 0.25", *cells[3:]])
    assert (verdict.conclusion, holds(verdict)["notebook"]) == ("exact", False)
    assert confirmed(verdict) == ["notebook:edited"]


def test_another_order_is_named(tmp_path: Path) -> None:
    """Cells that ran in another order than they stand are named after a replay in the order of then."""
    cells = [packs.LOAD, packs.START, "x = 1", "x = x * 3", "x = x + 1", "run.log_metrics({'m': x})", packs.END]
    ids = [f"c{n}" for n in range(7)]
    swapped = [0, 1, 2, 4, 3, 5, 6]
    verdict = judged(
        tmp_path, cells, {"m": 4.0}, ids=ids, saved=[cells[n] for n in swapped], saved_ids=[ids[n] for n in swapped]
    )
    assert (verdict.conclusion, holds(verdict)["notebook"]) == ("exact", False)
    assert confirmed(verdict) == ["notebook:order"]


def test_an_edit_without_effect_hides_nothing(tmp_path: Path) -> None:
    """A saved notebook that says it in other words, and gives the same numbers, holds."""
    cells = log("x", "x = 0.125")
    verdict = judged(tmp_path, cells, {"m": 0.125}, saved=[*cells[:2], "x = 1 / 8", *cells[3:]])
    assert (verdict.conclusion, holds(verdict)["notebook"], verdict.causes) == ("exact", True, ())


def checkout(folder: Path) -> tuple[str, str]:
    """Make a repository whose module has a change that is not committed; return its commit and the digest of that."""
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / "toydirty.py").write_text("SCORE = 1.0\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "clean"], check=True)
    (folder / "toydirty.py").write_text("SCORE = 2.0\n")
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    diff = subprocess.run([*git, "diff", "HEAD", "--binary"], check=True, capture_output=True).stdout
    return commit, hashlib.sha256(diff).hexdigest()


def test_a_dirty_package_is_the_cause_where_its_folder_is_here(tmp_path: Path) -> None:
    """Changes that were never committed are named after a replay with them; where they are gone, they are not."""
    commit, digest = checkout(tmp_path / "toy")
    editable = {"root": str(tmp_path / "toy"), "commit": commit, "diff_sha256": digest}
    told = {
        "name": "toydirty", "version": "0", "origin": {"kind": "editable"}, "editable": editable, "wheel": None,
        "locked": True,
    }  # fmt: skip
    given: dict[str, Any] = {
        "env": packs.environment(distributions=[told]), "modules": {"_outside/toydirty.py": "SCORE = 1.0\n"}
    }  # fmt: skip
    given |= script("toydirty.SCORE", "import toydirty")
    verdict = judged(tmp_path, None, {"m": 2.0}, **given)
    assert (verdict.conclusion, holds(verdict)["environment"]) == ("differs", False)
    assert confirmed(verdict) == ["editable:toydirty"]

    (tmp_path / "toy" / "toydirty.py").write_text("SCORE = 3.0\n")
    verdict = judged(tmp_path, None, {"m": 2.0}, **given)
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", [])


def test_the_order_of_hashes_is_the_cause(tmp_path: Path) -> None:
    """What depends on the order of a set changes with the seed of hashes alone, where none was recorded."""
    code = "s = sum(k * ord(c) for k, c in enumerate(set('abcdefghijklmnop'))) / 7"
    verdict = judged(tmp_path, None, {"m": 1.0}, **script("s", code))
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", ["hash order"])

    told = {"PYTHONHASHSEED": "5"}
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(repr(s))"], env=told, capture_output=True, text=True, check=True
    )
    verdict = judged(
        tmp_path, None, {"m": float(out.stdout)}, **script("s", code), env=packs.environment(variables=told)
    )
    assert verdict.conclusion == "exact"


def test_the_clock_is_the_cause_of_a_duration(tmp_path: Path) -> None:
    """A duration that was logged as a metric differs each time, and not with the clock held still."""
    verdict = judged(tmp_path, log("time.perf_counter() - t", "import time; t = time.perf_counter()"), {"m": 0.5})
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", ["clock"])


def test_the_date_is_the_cause_of_what_depends_on_it(tmp_path: Path) -> None:
    """A number that is the same on every replay, and depends on the date, comes back at the recorded time."""
    day = float(datetime.date(2026, 1, 2).toordinal())
    verdict = judged(
        tmp_path, None, {"m": day}, **script("datetime.date.today().toordinal()", "import datetime, pandas"),
        env=packs.environment(variables={"TZ": "UTC"}),
    )  # fmt: skip
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", ["clock"])


def test_two_causes_are_told_apart(tmp_path: Path) -> None:
    """Each metric has its own cause, and the one without any is said to have none that was established."""
    cells = [
        packs.LOAD, "import time, random, os\n" + packs.START, "t = time.perf_counter()",
        ("run.log_metrics({'chance': random.SystemRandom().random(), 'took': time.perf_counter() - t,"
         " 'process': os.getpid() + os.getppid() / 7, 'same': 1.5})"), packs.END,
    ]  # fmt: skip
    metrics = {"chance": 0.5, "took": 0.25, "process": 1.0, "same": 1.5}
    verdict = judged(tmp_path, cells, metrics)
    found = {cause.factor: cause.sentence for cause in verdict.causes}
    assert sorted(confirmed(verdict)) == ["clock", "entropy"]
    assert found["clock"].startswith("took differs")
    assert found["entropy"].startswith("chance differs")
    assert found["unknown"] == "process differs: cause not established."


def test_two_causes_of_one_metric_are_not_taken_for_one(tmp_path: Path) -> None:
    """Where data is another as well, that a number varies by itself is told, and is not why it is another."""
    (tmp_path / "changed.txt").write_bytes(b"1 2 4")
    expression = "sum(map(int, open('numbers.txt').read().split())) + random.SystemRandom().random()"
    verdict = judged(
        tmp_path, None, {"m": 6.0}, given={"numbers.txt": tmp_path / "changed.txt"},
        data=[packs.read("numbers.txt", b"1 2 3")], **script(expression, "import random"),
    )  # fmt: skip
    found = {cause.factor: cause.sentence for cause in verdict.causes}
    assert (verdict.conclusion, confirmed(verdict)) == ("differs", [])
    assert found["entropy"].startswith("m also varies by itself, because of randomness without a seed")
    assert found["unknown"] == "m differs: cause not established."


def test_a_notebook_that_could_not_be_tried_is_not_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no replay of the saved notebook was to be had, nothing is said against it, and no cause is looked for."""
    monkeypatch.setattr(diagnosis, "RUNS", 0)
    cells = log("x", "x = 0.125")
    verdict = judged(tmp_path, cells, {"m": 0.125}, saved=[*cells[:2], *cells[3:]])
    assert (verdict.conclusion, holds(verdict)["notebook"], verdict.causes) == ("exact", None, ())


# -- what is never called reproduced -----------------------------------------------------------------


def test_nothing_compared_is_nothing_reproduced(tmp_path: Path) -> None:
    """A run without metrics is unknown, whatever its replay logs, and its exit code says so."""
    verdict = judged(tmp_path, log("1.0"), {})
    assert (verdict.conclusion, holds(verdict)["metrics"], words.exit_code(verdict)) == ("unknown", None, 2)


def test_a_replay_that_logs_nothing_is_not_reproduced(tmp_path: Path) -> None:
    """Metrics that do not come back differ, whether the run is there or not."""
    empty = judged(tmp_path, [packs.LOAD, packs.START, packs.END], {"m": 1.0}, explain=False)
    none = judged(tmp_path, [packs.LOAD], {"m": 1.0}, explain=False)
    assert (empty.conclusion, none.conclusion) == ("differs", "differs")


def test_results_come_from_the_store_of_the_replay_alone(tmp_path: Path) -> None:
    """Code that names a store of its own logs into the replay's all the same, and nothing else is read."""
    other = tmp_path / "mine.duckdb"
    start = f"ml.configure(store={str(other)!r})\n{packs.START}"
    verdict = judged(tmp_path, [packs.LOAD, start, "run.log_metrics({'m': 2.0})", packs.END], {"m": 2.0})
    assert (verdict.conclusion, other.exists()) == ("exact", False)


def test_a_cell_that_fails_otherwise_is_a_failure(tmp_path: Path) -> None:
    """A new error, an error that is gone and an error of another kind are told; the error of then is not."""
    cells = [packs.LOAD, packs.START, "run.log_metrics({'m': 1.0})", "CODE", packs.END]
    outcomes = ["ok", "ok", "ok", "error:ValueError: was", "ok"]
    seen = []
    for code in ("raise ValueError('now')", "pass", "raise KeyError('now')"):
        now = [cell.replace("CODE", code) for cell in cells]
        seen.append(judged(tmp_path, now, {"m": 1.0}, outcomes=outcomes, explain=False).conclusion)
    assert seen == ["exact", "failed", "failed"]
    verdict = judged(tmp_path, [*cells[:3], "1 / 0", packs.END], {"m": 1.0}, explain=False)
    assert (verdict.conclusion, holds(verdict)["executions"], holds(verdict)["metrics"]) == ("failed", False, None)


def test_a_damaged_pack_is_not_run(tmp_path: Path) -> None:
    """One changed byte in the pack itself, or one file more, is damage: nothing is run and nothing is compared."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0})
    (folder / "params.json").write_text("{ }\n")
    (folder / "code" / "more.py").write_text("")
    verdict = replayed(folder, tmp_path / "work", python=sys.executable)
    assert (verdict.conclusion, words.exit_code(verdict)) == ("damaged", 1)
    assert [row["member"] for row in verdict.levels[0].rows] == ["code/more.py", "params.json"]
    assert not (tmp_path / "work").exists()


def test_within_its_interval_is_not_reproduced(tmp_path: Path) -> None:
    """Another number within the recorded interval is told as such, and its exit code is not that of success."""
    verdict = judged(tmp_path, log("0.52"), {"m": packs.metric(0.5, low=0.4, high=0.6)}, explain=False)
    assert (verdict.conclusion, words.exit_code(verdict)) == ("within", 1)
