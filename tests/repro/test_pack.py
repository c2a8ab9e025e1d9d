"""A run leaves as a ZIP that holds what it says, the same wherever it is packed."""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import modellab_jupyter as ml
from modellab_jupyter.errors import InputError, ModelLabError
from modellab_jupyter.repro import archive, crate
from modellab_jupyter.repro.pack import pack_recorded
from modellab_jupyter.repro.records import FileRead
from tests.conftest import ROOT
from tests.repro.made import editable, environment, read, recorded


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def opened(pack) -> archive.Contents:
    return archive.open_pack(pack.path)


def test_a_pack_has_the_files_that_are_promised(tmp_path: Path) -> None:
    """Each file of the contract is there, JSON is strict, sorted and ends with a newline, and nothing else is there."""
    pack = pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")
    inside = opened(pack)
    wheel = "env/wheels/house_tools-0.3.0-py3-none-any.whl"
    data = [name for name in pack.members if name.startswith("data/files/")]
    assert len(data) == 2
    assert set(pack.members) == {
        "CITATION.cff", "code/dirty.diff", "code/executions.jsonl", "code/git.json", "code/modules/helpers.py",
        "code/replay.ipynb", "code/work.ipynb", "data/index.json", *data, "env/environment.json", "env/platform.json",
        "env/pylock.toml", "env/requirements.lock", wheel, "eval/eval/metrics.json", "eval/eval/takeaway.txt",
        "metrics.json", "params.json", "redactions.json", "reproduce.md", "ro-crate-metadata.json", "state/rng.json",
    }  # fmt: skip
    for name in inside.names:
        if name.endswith((".json", ".ipynb")) and not name.startswith("eval/"):
            value = inside.json(name)
            assert inside.read(name).decode() == json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    assert pack.id == inside.id
    assert pack.size == pack.path.stat().st_size
    assert inside.json("params.json") == {"depth": 3, "rate": "NaN"}
    assert inside.json("metrics.json")["metrics"]["accuracy"]["series"]["values"] == [0.4, "Infinity"]
    assert inside.json("code/git.json")["commit"] == "0123456789" * 4
    assert ml.verify_pack(pack.path).conclusion == "intact"


def test_what_ran_is_a_notebook(tmp_path: Path) -> None:
    """Top-level executions in order, each under its own id or another where that is taken, errors marked."""
    import nbformat

    inside = opened(pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip"))
    replay = nbformat.reads(inside.read("code/replay.ipynb").decode(), as_version=4)
    nbformat.validate(replay)
    assert [cell["id"] for cell in replay.cells] == ["c0", "c1", "x0003", "x0004"]
    assert [cell.metadata.modellab.order for cell in replay.cells] == [0, 1, 3, 4]
    assert replay.cells[2].metadata.tags == ["raises-exception"]
    assert replay.cells[1].source.startswith("%time ")
    lines = [json.loads(line) for line in inside.read("code/executions.jsonl").splitlines()]
    assert [line["order"] for line in lines] == [0, 1, 2, 3, 4]
    assert lines[2] | {"session": ""} == {
        "order": 2, "session": "", "source": "frame = None", "outcome": "ok", "cell_id": None, "execution_count": None,
        "error": None, "duration": None, "parent": 1, "hidden": True,
    }  # fmt: skip


def test_a_script_travels_as_a_script(tmp_path: Path) -> None:
    """A run without a notebook holds its script, and says how to run it."""
    made = recorded(tmp_path / "nb", notebook=None, script="train.py")
    (tmp_path / "nb" / "train.py").write_text("print(1)\n")
    inside = opened(pack_recorded(made, tmp_path / "a.zip"))
    assert inside.read("code/train.py") == b"print(1)\n"
    assert b"python code/train.py" in inside.read("reproduce.md")


def test_data_are_what_was_read_or_are_left_out(tmp_path: Path) -> None:
    """A file comes along only with the bytes that were read; every other is listed with its reason."""
    folder = tmp_path / "nb"
    made = recorded(folder)
    files = [
        *made.files,
        read(folder, "changed.csv", b"1"), read(folder, "deleted.csv", b"22"), read(folder, "large.csv", b"3" * 4000),
        read(folder, "model.pkl", b"\x80\x04\x95" + b"4" * 20),
        read(folder, "copy.csv", (folder / "data/rows.csv").read_bytes()),
    ]  # fmt: skip
    (folder / "changed.csv").write_bytes(b"2")
    (folder / "deleted.csv").unlink()
    pack = pack_recorded(replace(made, files=tuple(files)), tmp_path / "a.zip", max_data=3000)
    inside = opened(pack)
    rows = {row["path"]: row for row in inside.json("data/index.json")}
    for path in ("data/rows.csv", "data/more.bin", "copy.csv"):
        assert inside.read(rows[path]["member"]) == (folder / path).read_bytes()
        assert rows[path]["member"] == f"data/files/{rows[path]['sha256'][:2]}/{rows[path]['sha256'][2:]}"
        assert rows[path]["left_out"] is None
    reasons = {path: row["left_out"] for path, row in rows.items() if row["member"] is None}
    assert reasons == {
        "changed.csv": "it was changed after the run read it",
        "deleted.csv": "it cannot be read any more (No such file or directory)",
        "gone.csv": "its content is not known any more",
        "large.csv": "larger than what was left of 3000 bytes for data",
        "model.pkl": "it is a pickle, which packs never carry",
    }
    assert {one["path"]: one["reason"] for one in pack.left_out} == reasons
    assert all(path in inside.read("reproduce.md").decode().replace("\\", "") for path in reasons)
    assert rows["data/rows.csv"]["dataset"] == {"id": "ds_1", "name": "rows", "version": 1}


def test_a_pack_is_the_same_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed again, from another folder, in another order of files and with other variables, it has the same id."""
    made = recorded(tmp_path / "nb")
    first = pack_recorded(made, tmp_path / "1.zip")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.chdir(tmp_path / "nb")
    for path in (tmp_path / "nb").rglob("*"):
        os.utime(path, (1, 1))
    second = pack_recorded(replace(made, files=made.files[::-1]), tmp_path / "2.zip")
    assert first.id == second.id
    assert first.path.read_bytes() == second.path.read_bytes()


def test_every_python_makes_the_same_pack(tmp_path: Path) -> None:
    """The Python that packs is not in the pack: another makes one of the same id."""
    other = os.environ.get("MODELLAB_OTHER_PYTHON")
    if not other:
        pytest.skip("set MODELLAB_OTHER_PYTHON to another Python with this package's dependencies")
    recorded(tmp_path / "nb")
    told = []
    for interpreter in (sys.executable, other):
        done = subprocess.run(
            [interpreter, "-m", "tests.repro.made", str(tmp_path / "nb"), str(tmp_path / "a.zip")],
            capture_output=True, text=True, cwd=ROOT, timeout=100, check=True,
        )  # fmt: skip
        told.append(done.stdout.split())
    assert told[0][0] == told[1][0]
    assert told[0][1] != told[1][1]


def test_a_pack_lands_where_it_was_asked_for(tmp_path: Path) -> None:
    """Beside the notebook, in a folder or at a path, in place of what is there; else it says why in one sentence."""
    made = recorded(tmp_path / "nb", run={"run_id": "run_1", "name": "a/b: c?"})
    beside = pack_recorded(made)
    assert beside.path.parent == tmp_path / "nb"
    assert beside.path.name == f"a_b_ c_-{beside.id[:12]}.zip"
    (tmp_path / "out").mkdir()
    assert pack_recorded(made, tmp_path / "out").path.parent == tmp_path / "out"
    (tmp_path / "x.zip").write_text("old")
    assert pack_recorded(made, tmp_path / "x.zip").id == beside.id
    assert ml.verify_pack(tmp_path / "x.zip").conclusion == "intact"
    for bad in (tmp_path / "no" / "x.zip", Path("/dev/null/x.zip")):
        with pytest.raises(InputError) as error:
            pack_recorded(made, bad)
        assert "\n" not in str(error.value)
    for size in (-1, True, 1.5, "1"):
        with pytest.raises(InputError, match="max_data"):
            pack_recorded(made, max_data=size)


def test_names_that_no_archive_has_are_made_safe(tmp_path: Path) -> None:
    """Modules whose names some system takes for one, or keeps, are renamed or left out, and the pack opens."""
    folder = tmp_path / "nb"
    made = recorded(folder)
    names = ["Helpers.py", "aux.py", "deep/er/x.py", "ünï.py"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n")
    outside = tmp_path / "elsewhere.py"
    outside.write_text("y = 1\n")
    modules = (*made.modules, *(str(folder / name) for name in names), str(outside), str(folder / "not there.py"))
    pack = pack_recorded(replace(made, modules=modules), tmp_path / "a.zip")
    inside = [name for name in opened(pack).names if name.startswith("code/modules/")]
    assert inside == [
        "code/modules/_aux.py", "code/modules/_outside/elsewhere.py", "code/modules/deep/er/x.py",
        "code/modules/helpers.py", "code/modules/ünï.py",
    ]  # fmt: skip
    assert {one["path"] for one in pack.left_out} >= {"Helpers.py", "not there.py"}


def test_the_environment_says_what_is_locked(tmp_path: Path) -> None:
    """A local distribution travels as a wheel whose digest is in the lock; others installers read both locks."""
    pack = pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")
    inside = opened(pack)
    told = inside.json("env/environment.json")["distributions"]
    assert [(one["name"], one["wheel"], one["locked"]) for one in told] == [
        ("house-tools", "env/wheels/house_tools-0.3.0-py3-none-any.whl", True)
    ]
    digest = inside.digests["env/wheels/house_tools-0.3.0-py3-none-any.whl"]
    line = f"./wheels/house_tools-0.3.0-py3-none-any.whl --hash=sha256:{digest}\n"
    assert inside.read("env/requirements.lock").decode() == line
    (entry,) = tomllib.loads(inside.read("env/pylock.toml").decode())["packages"]
    assert entry["wheels"][0]["hashes"]["sha256"] == digest
    assert inside.json("env/environment.json")["variables"] == {"LANG": "C.UTF-8", "TZ": "UTC"}
    assert inside.json("env/platform.json")["cores"] == 4


def test_variables_leave_by_a_list_alone(tmp_path: Path) -> None:
    """A variable that is not on the list of recorded ones stays here, even if it was recorded."""
    made = recorded(tmp_path / "nb")
    made = replace(made, environment={**made.environment, "variables": {"TZ": "UTC", "HOME_TOWN": "x"}})
    told = opened(pack_recorded(made, tmp_path / "a.zip")).json("env/environment.json")
    assert told["variables"] == {"TZ": "UTC"}


def test_the_metadata_are_an_ro_crate(tmp_path: Path) -> None:
    """Another library reads the metadata: every file is described, the run has its tool, inputs and results."""
    from rocrate.rocrate import ROCrate

    pack = pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")
    inside = opened(pack)
    inside.extract(tmp_path / "out")
    read_back = ROCrate(tmp_path / "out")
    told = inside.json(crate.METADATA)
    assert told["@context"] == "https://w3id.org/ro/crate/1.2/context"
    graph = {one["@id"]: one for one in told["@graph"]}
    assert len(graph) == len(told["@graph"])
    described = {crate.iri(name) for name in inside.names if name != crate.METADATA}
    assert {one["@id"] for one in graph["./"]["hasPart"]} == described
    for one in told["@graph"]:  # every reference is met
        for value in one.values():
            for ref in value if isinstance(value, list) else [value]:
                if isinstance(ref, dict) and not ref["@id"].startswith("http"):
                    assert ref["@id"] in graph, ref
    (run,) = [one for one in read_back.get_entities() if one.type == "CreateAction"]
    assert run["instrument"]["@id"] == "code/work.ipynb"
    assert run["startTime"] == "2024-03-01T10:00:00+00:00"
    assert run["endTime"] == "2024-03-01T10:00:12+00:00"
    assert "metrics.json" in {one["@id"] for one in graph["#run"]["result"]}
    assert read_back.root_dataset["conformsTo"]["@id"] == crate.PROFILE


def _cache_of_contexts(path: Path) -> None:
    """Fill the validator's cache with the context that the library rocrate ships, since tests load nothing."""
    import requests
    import rocrate
    from requests.adapters import BaseAdapter
    from requests_cache import CachedSession
    from urllib3 import HTTPResponse

    class Shipped(BaseAdapter):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
            data = Path(rocrate.__file__).with_name("data").joinpath("ro-crate.jsonld").read_bytes()
            answer = requests.Response()
            answer.status_code, answer.url, answer.request = 200, str(request.url), request
            answer.headers["Content-Type"] = "application/ld+json"
            answer.raw = HTTPResponse(io.BytesIO(data), status=200, headers=answer.headers, preload_content=False)
            return answer

        def close(self) -> None:
            pass

    with CachedSession(str(path), backend="sqlite", expire_after=-1) as cache:
        cache.mount("https://", Shipped())
        cache.get("https://w3id.org/ro/crate/1.2/context").raise_for_status()


def test_the_validator_accepts_the_metadata(tmp_path: Path) -> None:
    """All that RO-Crate 1.2 requires holds, and what its profile of runs does but for that profile's older version."""
    folder = tmp_path / "pack"
    opened(pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")).extract(folder)
    _cache_of_contexts(tmp_path / "cache")
    tool = [str(Path(sys.executable).with_name("rocrate-validator")), "-y", "validate", "--offline", "--no-paging"]
    tool += ["--cache-path", str(tmp_path / "cache"), "-l", "required", "--skip-availability-check", "-f", "json"]
    for profile, but in (("ro-crate-1.2", ""), ("process-run-crate-0.5", "ro-crate-1.1_5.3")):
        given = ["-p", profile, *(["-s", but] if but else []), str(folder)]
        ran = subprocess.run([*tool, *given], capture_output=True, text=True, check=False)
        told = json.loads(ran.stdout)
        assert (told["passed"], [issue["message"] for issue in told["issues"]]) == (True, []), ran.stderr
    told = json.loads((folder / crate.METADATA).read_text())
    next(one for one in told["@graph"] if one["@id"] == "./").pop("datePublished")
    (folder / crate.METADATA).write_text(json.dumps(told))
    ran = subprocess.run([*tool, "-p", "ro-crate-1.2", str(folder)], capture_output=True, check=False)
    assert "datePublished" in json.loads(ran.stdout)["issues"][0]["message"]  # it does look


def test_the_citation_can_be_read(tmp_path: Path) -> None:
    """CITATION.cff is YAML with what its format requires, whatever the run is called."""
    import yaml

    name = 'x: "y" - #\n{[&*!|>%@`'
    made = recorded(tmp_path / "nb")
    made = replace(made, run={**made.run, "name": name})
    told = yaml.safe_load(opened(pack_recorded(made, tmp_path / "a.zip")).read("CITATION.cff"))
    assert told["authors"] == [{"given-names": "Ada", "family-names": "Lovelace"}]
    assert {"cff-version", "message", "title", "authors"} <= set(told)
    assert "y" in told["title"]


def test_a_pack_of_nothing_is_a_pack(tmp_path: Path) -> None:
    """A run with no cells, files, metrics, git or known environment can be packed and verified."""
    made = recorded(tmp_path / "nb")
    bare = replace(
        made, run={"run_id": "run_1"}, notebook=None, executions=(), random=(), draws=(), files=(), environment={},
        git=None, params={}, metrics={}, modules=(), evaluations=(),
    )  # fmt: skip
    pack = pack_recorded(bare, tmp_path / "a.zip")
    assert ml.verify_pack(pack.path).conclusion == "intact"
    assert "code/git.json" not in pack.members


def test_verifying_tells_packages_and_files_of_this_machine(tmp_path: Path) -> None:
    """Packages that are absent or differ, files that changed or are gone, are rows; none of them damages the pack."""
    folder = tmp_path / "nb"
    made = recorded(folder)
    away = read(folder, "away.csv", b"5" * 900)
    missing = read(folder, "missing.csv", b"6" * 900)
    kept = read(folder, "kept.csv", b"7" * 900)
    packages = environment(
        {"name": "Not_There", "version": "1", "origin": {"kind": "directory"}},
        {"name": "numpy", "version": "0.1", "origin": {"kind": "directory"}},
    )
    pack = pack_recorded(replace(made, files=(away, missing, kept), environment=packages), folder / "a.zip", max_data=0)
    (folder / "away.csv").write_bytes(b"8" * 900)
    (folder / "missing.csv").unlink()
    verdict = ml.verify_pack(pack.path)
    assert verdict.conclusion == "intact"
    assert verdict.pack_id == pack.id
    assert verdict.run["name"] == "rf 300"
    manifest, packages_level, data = verdict.levels
    assert manifest.holds
    assert packages_level.holds is False
    rows = {row["name"]: row["found"] for row in packages_level.rows}
    assert rows["not-there"] is None
    assert rows["numpy"] not in {None, "0.1"}
    assert {row["path"]: row["found"] for row in data.rows} == {
        "away.csv": "changed", "missing.csv": "absent", "kept.csv": "at its place",
    }  # fmt: skip
    assert data.holds is False


def test_a_damaged_pack_is_called_damaged(tmp_path: Path) -> None:
    """Whatever byte is changed or cut, a pack is refused or damaged, never intact with other content."""
    pack = pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")
    raw = pack.path.read_bytes()
    before = {name: opened(pack).read(name) for name in opened(pack).names}
    rng = random.Random(7)
    found = set()
    for place in [rng.randrange(len(raw)) for _ in range(150)]:
        turned = bytearray(raw)
        turned[place] ^= 1 << rng.randrange(8)
        pack.path.write_bytes(turned)
        try:
            verdict = ml.verify_pack(pack.path)
        except ModelLabError:
            continue
        found.add(verdict.conclusion)
        if verdict.conclusion == "intact":
            assert {name: opened(pack).read(name) for name in before} == before
        else:
            assert verdict.levels[0].rows or verdict.levels[0].sentence
    assert "damaged" in found
    for size in range(0, len(raw), len(raw) // 40):
        pack.path.write_bytes(raw[:size])
        with pytest.raises(InputError):
            ml.verify_pack(pack.path)


def test_members_of_the_wrong_form_are_told(tmp_path: Path) -> None:
    """A stranger's pack whose JSON is something else is damaged, in one sentence."""
    import hashlib

    pack = pack_recorded(recorded(tmp_path / "nb"), tmp_path / "a.zip")
    members = {name: opened(pack).read(name) for name in opened(pack).names}
    for name, data in [("metrics.json", b"[]"), ("data/index.json", b'[{"path": 1}]'), ("env/environment.json", b"{}"),
                       ("data/index.json", b"[" * 100_000), ("metrics.json", b"\xff")]:  # fmt: skip
        changed = {**members, name: data}
        archive.write(pack.path, changed, {n: hashlib.sha256(d).hexdigest() for n, d in changed.items()})
        verdict = ml.verify_pack(pack.path)
        assert verdict.conclusion == "damaged"
        assert name in verdict.levels[0].sentence
        assert "\n" not in verdict.levels[0].sentence


def test_nothing_of_the_packing_machine_is_in_a_pack(tmp_path: Path) -> None:
    """Neither the folder, nor the Python that packs, nor the time stand in any member that was not recorded so."""
    folder = tmp_path / "a place of its own" / "nb"
    made = recorded(folder)
    pack = pack_recorded(replace(made, git=None, environment=environment()), tmp_path / "a.zip")
    with zipfile.ZipFile(pack.path) as file:
        for name in file.namelist():
            assert b"a place of its own" not in file.read(name), name
            assert not re.search(rb"20(2[5-9]|3\d)-\d\d-\d\d", file.read(name)), name


def test_two_editable_packages_of_one_root_stay_apart(tmp_path: Path) -> None:
    """A wheel holds the packages of its root without tests and caches, with its commands."""
    row = editable(tmp_path / "tools")
    made = recorded(tmp_path / "nb")
    inside = opened(pack_recorded(replace(made, environment=environment(row)), tmp_path / "a.zip"))
    (tmp_path / "w.whl").write_bytes(inside.read("env/wheels/house_tools-0.3.0-py3-none-any.whl"))
    with zipfile.ZipFile(tmp_path / "w.whl") as wheel:
        assert wheel.namelist() == [
            "house_tools-0.3.0.dist-info/METADATA", "house_tools-0.3.0.dist-info/RECORD",
            "house_tools-0.3.0.dist-info/WHEEL", "house_tools-0.3.0.dist-info/entry_points.txt",
            "house_tools/__init__.py",
        ]  # fmt: skip
        assert b"half = house_tools:half" in wheel.read("house_tools-0.3.0.dist-info/entry_points.txt")


def test_a_file_of_no_digest_is_never_guessed(tmp_path: Path) -> None:
    """What was read and is not known any more is not packed, though a file of that name is there."""
    made = recorded(tmp_path / "nb")
    (tmp_path / "nb" / "gone.csv").write_bytes(b"x" * 12)
    pack = pack_recorded(replace(made, files=(FileRead("gone.csv", None, 12, "named"),)), tmp_path / "a.zip")
    assert not [name for name in pack.members if name.startswith("data/files")]


def test_a_file_read_twice_has_each_content_under_its_own_digest(tmp_path: Path) -> None:
    """Of a path that was read with two contents, the one that is still there comes along, the other is told changed."""
    made = recorded(tmp_path / "nb")
    files = (read(tmp_path / "nb", "a.csv", b"old,1\n" * 9), read(tmp_path / "nb", "a.csv", b"new,2\n" * 9))
    for given in (files, files[::-1]):
        inside = opened(pack_recorded(replace(made, files=given), tmp_path / "a.zip"))
        rows = {row["sha256"]: row for row in inside.json("data/index.json")}
        assert rows[files[0].digest]["left_out"] == "it was changed after the run read it"
        assert rows[files[0].digest]["member"] is None
        assert inside.read(rows[files[1].digest]["member"]) == b"new,2\n" * 9


def test_what_was_only_named_stays_here(tmp_path: Path) -> None:
    """A file whose name stands in a cell and that nobody was seen reading is listed with its digest, not carried."""
    folder = tmp_path / "nb"
    made = recorded(folder)
    named = replace(read(folder, "diary.txt", b"dear diary " * 9), found_by="named")
    inside = opened(pack_recorded(replace(made, files=(named,)), tmp_path / "a.zip"))
    (row,) = inside.json("data/index.json")
    assert (row["sha256"], row["member"]) == (named.digest, None)
    assert row["left_out"] == "named in a cell, but nobody was seen reading it"
    dataset = replace(named, dataset={"dataset_id": "d", "name": "diary", "version": 1})
    (row,) = opened(pack_recorded(replace(made, files=(dataset,)), tmp_path / "a.zip")).json("data/index.json")
    assert row["member"]


def test_an_editable_package_that_changed_is_told(tmp_path: Path) -> None:
    """Its wheel is what is here, so a pack says where that is not what ran, and only there."""
    from modellab_jupyter import environment as surroundings

    folder = tmp_path / "tools"
    row = editable(folder)
    row["editable"] = surroundings.editable(str(folder))
    made = replace(recorded(tmp_path / "nb"), environment=environment(row))
    pack = pack_recorded(made, tmp_path / "a.zip")
    (told,) = opened(pack).json("env/environment.json")["distributions"]
    assert told["locked"]
    assert "changed" not in told
    (folder / "house_tools" / "__init__.py").write_text("def half(x):\n    return x / 3\n")
    pack = pack_recorded(made, tmp_path / "a.zip")
    (told,) = opened(pack).json("env/environment.json")["distributions"]
    assert (told["locked"], told["changed"]) == (False, True)
    assert any("house-tools 0.3.0 is packed as it is now" in one for one in pack.caveats)


def test_a_commit_elsewhere_does_not_change_a_package(tmp_path: Path) -> None:
    """What is committed beside an editable package leaves it as it was; what is committed within it does not."""
    from modellab_jupyter import environment as surroundings
    from modellab_jupyter.repro import lock

    def git(*args: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=tmp_path, check=True,
                       capture_output=True)  # fmt: skip

    row = editable(tmp_path / "tools")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    row["editable"] = surroundings.editable(str(tmp_path / "tools"))

    def same(_: str, data: bytes) -> bytes:
        return data

    for path, changed in (("book.txt", set()), ("tools/house_tools/more.py", {"house-tools"})):
        (tmp_path / path).write_text("1")
        git("add", ".")
        git("commit", "-qm", "more")
        assert lock.lock(environment(row), tmp_path, same).changed == changed


def test_a_diff_has_no_binary_content(tmp_path: Path) -> None:
    """What git writes in base85 is dropped and listed, each file by its name; changes of texts stay as they are."""

    def git(*args: str) -> bytes:
        return subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=tmp_path, check=True,
                              capture_output=True).stdout  # fmt: skip

    git("init", "-q")
    for name in ("a.txt", "b c.bin", "z.bin", "zz.txt"):
        (tmp_path / name).write_bytes(b"\0\xff" * 200 if name.endswith("bin") else b"one\n")
    git("add", ".")
    git("commit", "-qm", "one")
    rng = random.Random(1)
    for name in ("a.txt", "b c.bin", "z.bin", "zz.txt"):
        (tmp_path / name).write_bytes(b"\0" + rng.randbytes(900) if name.endswith("bin") else b"two\n")
    diff = git("diff", "HEAD", "--binary")
    made = recorded(tmp_path / "nb")
    made = replace(made, git=replace(made.git, diff=diff))
    pack = pack_recorded(made, tmp_path / "p.zip")
    kept = opened(pack).read("code/dirty.diff").decode()
    assert "GIT binary patch" not in kept
    assert kept.count("Binary files differ") == 2
    assert kept.count("+two") == 2
    assert "literal" not in kept
    assert len(kept) < 900
    gone = [one["path"] for one in pack.left_out if "dirty.diff" in one["path"]]
    assert gone == ["code/dirty.diff!b c.bin", "code/dirty.diff!z.bin"]
