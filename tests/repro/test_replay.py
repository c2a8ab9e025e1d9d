"""What a replay may take and see, and what is left of it."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import DamagedError, InputError
from modellab_jupyter.repro import replay, reproduce, unpacked, words
from modellab_jupyter.repro.replay import Conditions, Limits, Replayed
from tests.repro import packs
from tests.repro.test_archive import made
from tests.repro.test_causes import log


def ran(tmp_path: Path, cells: Any, limits: Limits | None = None, *, given: Any = None, **more: Any) -> Replayed:
    """Return what a replay with this Python did."""
    pack = unpacked.read(packs.write(tmp_path / "pack", cells, {"m": 1.0}, **more))
    work = tmp_path / "work"
    work.mkdir()
    places = replay.find(pack, given or {})
    cells = None if pack.script else pack.cells
    conditions = Conditions(sys.executable, cells, places, replay.recorded_variables(pack))
    return replay.run(pack, conditions, work, limits or Limits())


def last(done: Replayed, name: str = "m") -> Any:
    assert done.metrics is not None, done
    return done.metrics[name]["last"]


def alive(pid: int, within: float = 5.0) -> bool:
    """Tell whether a process goes on; one that was killed a moment ago takes its time to be gone."""
    end = time.monotonic() + within
    while True:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        if time.monotonic() > end:
            return True
        time.sleep(0.02)


SPAWN = "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']{})"


def test_a_replay_that_takes_too_long_is_ended_whole(tmp_path: Path) -> None:
    """At its time limit the kernel and all that it started are gone, also what left its group."""
    pids = tmp_path / "pids"
    code = SPAWN.format(", start_new_session=True")
    code += f"\nimport time; open({str(pids)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    done = ran(tmp_path, [packs.LOAD, code], Limits(total=4.0))
    assert done.limited
    assert done.stopped == "the replay was ended after its limit of 4 s; allow more with timeout=."
    assert not alive(int(pids.read_text()))


def test_a_replay_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    """The memory of all its processes counts, and the sentence has both figures."""
    code = "import time; x = bytearray(800 << 20); x[::4096] = b'1' * len(x[::4096]); time.sleep(60)"
    done = ran(tmp_path, [code], Limits(memory=500 << 20))
    assert done.limited
    assert "above its limit of 0.49 GiB" in str(done.stopped)


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """What a cell started and did not end is gone when the replay is over."""
    done = ran(tmp_path, log("child.pid", SPAWN.format("")))
    assert done.agrees
    assert not alive(int(last(done)))


def test_nothing_that_a_script_starts_last_is_left_running(tmp_path: Path) -> None:
    """What a script starts as its last act, too late for anybody to see it, ends with its group."""
    pids = tmp_path / "pids"
    code = SPAWN.format("") + f"\nopen({str(pids)!r}, 'w').write(str(child.pid)); import os; os._exit(0)"
    assert ran(tmp_path, None, script=code).agrees
    assert not alive(int(pids.read_text()))


def test_a_script_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """A limit ends a script as it ends a kernel."""
    done = ran(tmp_path, None, Limits(total=1.5), script="import time; time.sleep(600)\n")
    assert (done.limited, "its limit of 1.5 s" in str(done.stopped)) == (True, True)


def test_an_interrupted_script_may_end_either_way(tmp_path: Path) -> None:
    """A script that somebody interrupted has no end of its own that a replay could miss."""
    done = ran(tmp_path, None, script="raise SystemExit(3)\n", run={"status": "interrupted"})
    assert (done.outcomes[0].recorded, done.agrees) == ("interrupted", True)


def test_a_resumed_run_is_not_judged(tmp_path: Path) -> None:
    """A replay has a new store: a run that goes on with one of before is neither reproduced nor failed."""
    script = "import modellab_jupyter as ml\nwith ml.start_run(resume='run_before') as run:\n    pass\n"
    folder = packs.write(tmp_path / "pack", None, {"m": 1.0}, script=script)
    (tmp_path / "work").mkdir()
    verdict = reproduce.replayed(folder, tmp_path / "work", python=sys.executable)
    assert (verdict.conclusion, verdict.levels[3].holds) == ("unknown", None), words.text(verdict)
    assert "resumes a run that is not in the new store" in verdict.levels[3].sentence
    assert list((tmp_path / "work").iterdir()) == []


def test_an_interrupt_ends_the_kernel(tmp_path: Path) -> None:
    """Ctrl-C ends the replay whole and reaches the caller."""
    import _thread

    pids = tmp_path / "pids"
    code = f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    def interrupt() -> None:
        while not pids.exists() or not pids.read_text():
            time.sleep(0.1)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, [code])
    assert not alive(int(pids.read_text()))


def test_secrets_of_the_outside_are_not_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables reach a replay by an allow-list, its home is its own, and no variable of a pack has code loaded."""
    monkeypatch.setenv("CLOUD_API_TOKEN", "very-secret-value")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    told = {"LD_PRELOAD": "/evil.so", "PYTHONSTARTUP": "/evil.py", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "17"}
    code = "import os, json; open('seen.json', 'w').write(json.dumps({**os.environ, 'home': os.path.expanduser('~')}))"
    done = ran(tmp_path, [code], env=packs.environment(variables=told))
    assert done.agrees, done
    seen = json.loads(next(tmp_path.glob("work/files/**/seen.json")).read_text())
    assert "very-secret-value" not in json.dumps(seen)
    assert not {"LD_PRELOAD", "PYTHONSTARTUP", "PYTHONPATH"} & seen.keys()
    assert (seen["TZ"], seen["PYTHONHASHSEED"]) == ("Asia/Kathmandu", "17")
    assert Path(seen["home"]).is_relative_to(tmp_path / "work")


def test_installing_in_a_cell_changes_nothing(tmp_path: Path) -> None:
    """Pip in a cell says that a replay installs nothing, and touches neither this Python nor the user's."""
    done = ran(tmp_path, ["out = !pip install surely-not-there", packs.LOAD, packs.START,
                          "run.log_metrics({'m': 'a replay installs nothing' in ' '.join(out)})"])  # fmt: skip
    assert last(done) == 1.0


def test_a_script_is_replayed_as_a_script(tmp_path: Path) -> None:
    """A script has its name, its folder, its modules and a main guard; its last line on stderr is its error."""
    text = (
        "import sys, helper, modellab_jupyter as ml\n"
        "if __name__ == '__main__':\n"
        "    with ml.start_run('rf') as run:\n"
        "        run.log_metrics({'m': helper.VALUE + len(sys.argv)})\n"
    )
    done = ran(tmp_path, None, script=text, modules={"helper.py": "VALUE = 4\n"})
    assert (done.agrees, last(done)) == (True, 5.0)

    (tmp_path / "second").mkdir()
    done = ran(tmp_path / "second", None, script="raise SystemError('so it is')\n")
    assert done.outcomes[0].error == "SystemError: so it is"


def test_data_lies_where_the_code_looks_for_it(tmp_path: Path) -> None:
    """Relative paths lie below the replay's folder, ``~`` and ``..`` work, absolute ones are replaced in the code."""
    sizes = "sum(len(open(os.path.expanduser(p)).read()) for p in paths) + helper.SIZE"
    paths = ["data/a.txt", "/recorded/there/b.txt", "../c.txt", "~/own/d.txt"]
    recorded = ["data/a.txt", "/recorded/there/b.txt", "/recorded/c.txt", "/home/somebody/own/d.txt"]
    contents = [b"1", b"22", b"333", b"4444"]
    members = {f"data/files/{n}": content for n, content in enumerate(contents)}
    index = [
        packs.read(p, c, member=f"data/files/{n}") for n, (p, c) in enumerate(zip(recorded, contents, strict=True))
    ]
    done = ran(
        tmp_path, log(sizes, f"import os, helper; paths = {paths}"), data=index, members=members,
        modules={"helper.py": "SIZE = len(open('/recorded/there/b.txt').read())\n"},
    )  # fmt: skip
    assert (done.agrees, last(done)) == (True, 12.0), done


def test_files_beside_the_notebook_are_found_on_the_authors_own_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files outside the notebook's folder that are here are found by ``..``, by parts of a path and by ``~``."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    places = ["data/x.csv", "raw/y.csv", "me/own/z.csv"]
    for name, text in zip(places, ["1", "22", "333"], strict=True):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "nb").mkdir()
    monkeypatch.chdir(tmp_path / "nb")
    code = (
        "from pathlib import Path\np = [Path('../data/x.csv'), Path.cwd().parent / 'raw' / 'y.csv',"
        " Path('~/own/z.csv').expanduser()]\nm = sum(len(one.read_text()) for one in p)"
    )
    index = [packs.read(str(tmp_path / name), (tmp_path / name).read_bytes()) for name in places]
    folder = packs.write(tmp_path / "pack", log("m", code), {"m": 6.0}, data=index)
    (tmp_path / "work").mkdir()
    verdict = reproduce.replayed(folder, tmp_path / "work", python=sys.executable)
    assert verdict.conclusion == "exact", words.text(verdict)
    assert "3 of them copied to where .. and ~ lead" in verdict.levels[2].sentence


def test_paths_are_replaced_whole_and_once() -> None:
    """A path within another is left alone, and what was put in is not replaced again."""
    wanted = [unpacked.Wanted(path, None, 0, None, None, "open") for path in ("/a/x", "/b/x", "/a/x.csv")]
    places = tuple(
        replay.Place(one, "given", now, None) for one, now in zip(wanted, ["/b/x", "/c/x", "/d"], strict=True)
    )
    text = "'/a/x' '/b/x' '/a/x.csv' '/z/a/x' '/a/x-1' '/a/x/y' 'file:///a/x'"
    assert replay._moved(text, places) == "'/b/x' '/c/x' '/d' '/z/a/x' '/a/x-1' '/a/x/y' 'file:///b/x'"


def test_a_strangers_paths_open_nothing_but_what_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices, views of the kernel, shares and pipes are not opened, nor a file of another size than was recorded."""
    (tmp_path / "same").write_text("12")
    (tmp_path / "link").symlink_to("/proc/self/pagemap")
    os.mkfifo(tmp_path / "pipe")
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *args: opened.append(str(path)) or real(path, *args))
    paths = [
        "/proc/self/pagemap", "/dev/zero", "/sys/kernel/notes", "//host/share", "\\\\host\\share", "/tmp/../dev/zero",
        str(tmp_path / "link"), str(tmp_path / "pipe"), str(tmp_path), "link",
    ]  # fmt: skip
    assert [unpacked.found_at(path, size, tmp_path) for path in paths for size in (0, 5)] == [None] * 20
    assert unpacked.found_at("same", 3, tmp_path) == (tmp_path / "same", None)
    assert opened == []
    assert unpacked.found_at("same", 2, tmp_path / "no", tmp_path) == (
        tmp_path / "same", file_digest(tmp_path / "same")
    )  # fmt: skip


def test_a_replay_leaves_the_pack_as_it_is(tmp_path: Path) -> None:
    """Code that writes over its data changes its own copy, and each replay has one."""
    index = [packs.read(path, b"1", member="data/files/a") for path in ("a.txt", "/there/b.txt")]
    code = "open('a.txt', 'w').write('2'); open('/there/b.txt', 'w').write('2')"
    done = ran(tmp_path, [*log("1.0"), code], data=index, members={"data/files/a": b"1"})
    assert done.agrees
    assert unpacked.damage(tmp_path / "pack") == []


def test_missing_data_is_told_before_anything_runs(tmp_path: Path) -> None:
    """Where a file that the run read is nowhere, nothing is run, and the sentence says how to give it."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0}, data=[packs.read("a.txt", b"1")])
    (tmp_path / "work").mkdir()
    verdict = reproduce.replayed(folder, tmp_path / "work", python=sys.executable)
    assert (verdict.conclusion, words.exit_code(verdict)) == ("unknown", 2)
    assert "give data={'a.txt': path}" in words.text(verdict)
    with pytest.raises(
        InputError, match=r"data must name files that the run read, found 'b.txt'; did you mean 'a.txt'"
    ):
        reproduce.replayed(folder, tmp_path / "work", python=sys.executable, data={"b.txt": "x"})


@pytest.mark.parametrize(
    ("member", "text", "said"),
    [
        ("metrics.json", "{", "metrics.json cannot be read"),
        ("metrics.json", '{"run": {}, "metrics": {"m": {"last": NaN}}}', "metrics.json cannot be read"),
        ("metrics.json", '{"run": {}, "metrics": {"m": {"last": "1"}}}', "metrics.json cannot be read"),
        ("data/index.json", '[{"path": "../../etc/x"}]', "data/index.json cannot be read"),
        ("data/index.json", '[{"path": "/a/../../etc/x"}]', "data/index.json cannot be read"),
        ("data/index.json", '[{"path": "x", "member": "/etc/passwd"}]', "data/index.json cannot be read"),
        ("data/index.json", '[{"path": "x", "member": "code/study.ipynb"}]', "data/index.json cannot be read"),
        ("code/executions.jsonl", '{"order": 1}', "executions.jsonl cannot be read"),
        (
            "code/executions.jsonl",
            '{"order": "1", "session": "s", "source": "", "outcome": "ok"}',
            "executions.jsonl cannot",
        ),
        (
            "code/executions.jsonl",
            '{"order": 1, "session": "s", "source": "", "outcome": "x"}',
            "executions.jsonl cannot",
        ),
        ("metrics.json", '{"run": {"name": ["rf"]}, "metrics": {}}', "metrics.json cannot be read"),
        ("env/environment.json", '{"python": "3"}', "environment.json cannot be read"),
        ("env/environment.json", '{"distributions": [{"name": 3}]}', "environment.json cannot be read"),
        ("data/index.json", '[{"path": 3}]', "data/index.json cannot be read"),
        ("data/index.json", '[{"path": "x", "size": "many"}]', "data/index.json cannot be read"),
        ("state/rng.json", '{"draws": [{"order": 1, "source": "numpy", "value": 7}]}', "rng.json cannot be read"),
        ("code/replay.ipynb", "[]", "replay.ipynb cannot be read"),
        ("env/environment.json", "[]", "environment.json cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, member: str, text: str, said: str) -> None:
    """A file of a pack that is not what it must be is named, and nothing is run."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0})
    (folder / member).write_text(text)
    packs.manifest(folder)
    with pytest.raises(DamagedError, match=said):
        unpacked.read(folder)


def test_a_folder_is_looked_at_as_a_zip_is(tmp_path: Path) -> None:
    """Links, pickles, names that not every system allows and a manifest in the wrong place are damage."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0})
    (folder / "data" / "manifest.sha256").write_text("")
    (folder / "data" / "out").symlink_to(tmp_path)
    (folder / "data" / "passwd").symlink_to("/etc/passwd")
    packs.manifest(folder)
    (folder / "data" / "x.pkl").write_bytes(b"")
    (folder / "data" / "a:b").write_bytes(b"")
    found = {row["member"]: str(row["found"]) for row in unpacked.damage(folder)}
    assert found == {
        "data/manifest.sha256": file_digest(folder / "data" / "manifest.sha256"),
        "data/out": unpacked.LINK, "data/passwd": unpacked.LINK, "data/x.pkl": "is a pickle, which no pack has",
        "data/a:b": "has characters in its name that not every system allows",
    }  # fmt: skip
    verdict = reproduce.reproduce(folder, yes=True)
    assert (verdict.conclusion, verdict.run) == ("damaged", {})


def test_a_damaged_zip_is_a_verdict(tmp_path: Path) -> None:
    """A ZIP of which a byte has changed is told as a damaged folder is, and nothing is run."""
    made(tmp_path / "x.zip", {"metrics.json": bytes(range(256))})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(bytes(range(50, 99)))] ^= 1
    (tmp_path / "x.zip").write_bytes(data)
    verdict = reproduce.reproduce(tmp_path / "x.zip", yes=True)
    assert (verdict.conclusion, words.exit_code(verdict)) == ("damaged", 1)


# -- consent and arguments ---------------------------------------------------------------------------


def test_nothing_is_run_without_consent(tmp_path: Path) -> None:
    """Without a yes and without anybody to ask, one sentence says what would run and how to agree."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0}, lock="numpy==2.0.0\n")
    with pytest.raises(InputError) as told:
        reproduce.reproduce(folder, directory=tmp_path / "work")
    assert str(told.value) == (
        "reproducing run 'rf' installs 1 package, 1 without a hash, and runs 5 cells of the pack with your rights; "
        "agree with yes=True in Python, or else with --yes."
    )
    assert list((tmp_path / "work").iterdir()) == []


def test_somebody_at_a_terminal_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person is shown what would run; anything but yes runs nothing."""
    asked = []
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda text: asked.append(text) or "n")
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0})
    with pytest.raises(InputError, match="was declined; nothing was run"):
        reproduce.reproduce(folder)
    assert asked == [
        "Reproducing run 'rf' installs 0 packages and runs 5 cells of the pack with your rights. Go on? [y/N] "
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout": 0}, "timeout must be seconds above 0, found 0"),
        ({"timeout": float("nan")}, "timeout must be seconds"),
        ({"memory": "much"}, "memory must be bytes or a text such as '4 GB', found 'much'"),
        ({"data": ["x"]}, "data must map recorded paths to paths here, found list"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(tmp_path: Path, arguments: Any, said: str) -> None:
    """Each argument that cannot be used is named with what was found."""
    folder = packs.write(tmp_path / "pack", log("1.0"), {"m": 1.0})
    with pytest.raises(InputError, match=said):
        reproduce.reproduce(folder, yes=True, **arguments)
    with pytest.raises(InputError, match=r"path must be a pack, found 'nowhere.zip'"):
        reproduce.reproduce("nowhere.zip", yes=True)


def test_memory_is_given_in_words() -> None:
    """Sizes are decimal, as people write them."""
    assert [reproduce._bytes(text) for text in ("4 GB", "500M", "1.5gb".upper(), 7, None)] == [
        4_000_000_000, 500_000_000, 1_500_000_000, 7, None
    ]  # fmt: skip


def test_no_variable_of_the_machine_holds_a_secret() -> None:
    """What a replay sees of the variables around it are places and switches of the processor."""
    from modellab_jupyter import config

    assert not [name for name in config.machine() if any(w in name for w in ("TOKEN", "KEY", "SECRET", "PASS"))]
    assert set(config.machine()) <= set(os.environ)
