"""An environment becomes a lock with hashes, asked for once; what no index has travels as a wheel."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from modellab_jupyter.repro import installer, lock, wheels
from tests.conftest import lacking
from tests.repro.made import editable, environment


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    installer.index.cache_clear()


def same(_: str, data: bytes) -> bytes:
    return data


def index_row(name: str, version: str, **more: object) -> dict[str, object]:
    return {"name": name, "version": version, "origin": {"kind": "index"}, "record": None, "editable": None, **more}


def test_what_an_index_has_is_locked_with_hashes_and_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exact versions get every hash, one that is nowhere gets none and is told; the second time nobody is asked."""
    rows = [index_row("Typing_Extensions", "4.12.2"), index_row("packaging", "24.1"), index_row("packaging-x", "7!77")]
    first = lock.lock(environment(*rows), tmp_path, same)
    lines = first.requirements.splitlines()
    if first.hashed["packaging"] is False:
        lacking("machine", "no index can be reached")
    assert lines[0].startswith("packaging==24.1 --hash=sha256:")
    assert lines[1] == "packaging-x==7!77"
    assert lines[2].startswith("typing-extensions==4.12.2 --hash=sha256:")
    assert first.hashed == {"packaging": True, "typing-extensions": True, "packaging-x": False}
    assert len(first.caveats) == 1
    assert "packaging-x 7!77" in first.caveats[0]
    assert {one["name"] for one in tomllib.loads(first.pylock)["packages"]} == {"packaging", "typing-extensions"}
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")  # where nobody answers
    installer.index.cache_clear()
    assert lock.lock(environment(*reversed(rows)), tmp_path, same) == first


def test_without_an_index_lines_have_no_hash_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no index answers and uv keeps nothing, names and versions are there, each with a caveat, and not kept."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("UV_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    made = lock.lock(environment(index_row("packaging", "24.1"), editable(tmp_path / "tools")), tmp_path, same)
    assert made.requirements.splitlines()[1] == "packaging==24.1"
    assert made.hashed == {"packaging": False, "house-tools": True}
    assert "no index could be reached" in made.caveats[0]
    assert not (tmp_path / "cache" / "modellab" / "locks").exists()


def test_an_installed_distribution_comes_back_from_its_wheel(tmp_path: Path) -> None:
    """A wheel made of what RECORD lists installs the same files; each digest in it fits; it is the same each time."""
    found = wheels.installed("iniconfig")
    assert found is not None
    name, data = wheels.of_installed(found, same) or ("", b"")
    assert (name, data) == wheels.of_installed(found, same)
    path = tmp_path / name
    path.write_bytes(data)
    with zipfile.ZipFile(path) as wheel:
        assert wheel.testzip() is None
        record = wheel.read(f"iniconfig-{found.version}.dist-info/RECORD").decode().splitlines()
        for line in record[:-1]:
            member, digest, size = line.rsplit(",", 2)
            told = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(member)).digest()).decode().rstrip("=")
            assert digest == f"sha256={told}"
            assert int(size) == len(wheel.read(member))
        assert {line.rsplit(",", 2)[0] for line in record} == set(wheel.namelist())
    target = tmp_path / "there"
    done = subprocess.run(
        [installer.uv(), "pip", "install", "--no-deps", "--offline", "--no-index", "--target", str(target), str(path),
         "--python", sys.executable, "--quiet"], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for file in found.files or ():
        if file.suffix == ".py":
            assert (target / str(file)).read_bytes() == Path(str(file.locate())).read_bytes()


def test_what_was_recorded_otherwise_is_never_taken_from_here(tmp_path: Path) -> None:
    """A distribution that is here in another version, or with other files than were recorded, makes no wheel."""
    found = wheels.installed("iniconfig")
    assert found is not None
    digest = wheels.record_digest(found)
    rows = {
        "other version": index_row("iniconfig", "0.0.1", origin={"kind": "vcs"}, record=digest),
        "other files": index_row("iniconfig", found.version, origin={"kind": "vcs"}, record="0" * 64),
        "not here": index_row("not-here-at-all", "1.0", origin={"kind": "vcs"}),
    }
    for kind, row in rows.items():
        made = lock.lock(environment(row), tmp_path, same)
        assert not made.wheels, kind
        assert len(made.caveats) == 1
    good = index_row("iniconfig", found.version, origin={"kind": "vcs"}, record=digest)
    assert lock.lock(environment(good), tmp_path, same).hashed == {"iniconfig": True}


def test_compiled_code_is_tagged_for_the_machine_it_ran_on(tmp_path: Path) -> None:
    """An editable package with a compiled module makes a wheel of the recorded Python and platform."""
    row = editable(tmp_path / "tools")
    (tmp_path / "tools" / "house_tools" / "fast.so").write_bytes(b"\x7fELF")
    made = lock.lock(environment(row), tmp_path, same)
    assert list(made.wheels) == ["house_tools-0.3.0-cp311-cp311-linux_x86_64.whl"]


def test_names_that_are_none_reach_no_command(tmp_path: Path) -> None:
    """A recorded name or version that could be an option or a path is left out of the lock, and said."""
    rows = [index_row("--index-url=x", "1"), index_row("ok", "1; evil"), index_row("../x", "1")]
    made = lock.lock(environment(*rows), tmp_path, same)
    assert made.requirements == ""
    assert len(made.caveats) == 3


@pytest.mark.parametrize(
    ("text", "machine", "wanted"),
    [
        ("Linux-6.1-x86_64-with-glibc2.36", "x86_64", "x86_64-manylinux_2_36"),
        ("Linux-6.1-x86_64-with-glibc2.27", "x86_64", "x86_64-manylinux_2_17"),
        ("Linux-6.1-aarch64-with-musl1.2", "aarch64", "aarch64-unknown-linux-musl"),
        ("macOS-14.5-arm64-arm-64bit", "arm64", "aarch64-apple-darwin"),
        ("Windows-11-10.0.22631-SP0", "AMD64", "x86_64-pc-windows-msvc"),
        ("Haiku-1", "x86_64", None),
    ],
)
def test_platforms_are_asked_for_by_uvs_names(text: str, machine: str, wanted: str | None) -> None:
    """The recorded platform decides which files count, not the one that packs."""
    assert lock.platform({"platform": text, "machine": machine}) == wanted


def test_pips_settings_hold_where_uv_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv looks where pip looks, until uv has settings of its own: in variables or in a file beside the notebook."""
    for name in [name for name in os.environ if name.startswith(("UV_", "PIP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "https://me@packages.example.org/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    assert installer.index(tmp_path)["UV_INDEX_URL"] == "https://me@packages.example.org/simple"
    assert installer.index(tmp_path)["UV_FIND_LINKS"] == "/a,/b"
    installer.index.cache_clear()
    (tmp_path / "uv.toml").write_text('[[index]]\nurl = "https://other.example.org/simple"\n')
    assert installer.index(tmp_path) == {}
    (tmp_path / "uv.toml").unlink()
    installer.index.cache_clear()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://third.example.org/simple")
    assert installer.index(tmp_path) == {}


def test_metadata_of_this_python_are_found_by_any_spelling() -> None:
    """Distributions are compared as indexes compare them."""
    assert wheels.canonical("Foo.Bar__baz") == "foo-bar-baz"
    assert wheels.installed("Typing.Extensions") is not None
    assert wheels.installed("no-such-thing") is None


def test_a_pylock_names_no_index() -> None:
    """Hosts of indexes, names and tokens in addresses and queries are gone; file names and hashes are there."""
    text = """lock-version = "1.0"
# from https://me:pw@here.example.org
[[packages]]
name = "a"
version = "1"
index = "https://me:pw@pip.example.org/t/abc/simple"
sdist = { url = "https://pip.example.org/t/abc/a-1.tar.gz?sig=q", size = 1, hashes = { sha256 = "00" } }
wheels = [{ url = "https://me@files.example.org/p/a-1-py3-none-any.whl?x=y#z", hashes = { sha256 = "11" } }]

[[packages]]
name = "b"
version = "1"
index = "https://index.example.org/simple"
wheels = [{ path = "../../home/me/b-1%2Bx-py3-none-any.whl", hashes = { sha256 = "22" } }]
"""
    made = lock.public(text)
    for gone in ("example.org", "me@", "abc", "sig=", "x=y", "home/me", "#z"):
        assert gone not in made, gone
    a, b = tomllib.loads(made)["packages"]
    assert a["sdist"] == {"name": "a-1.tar.gz", "size": 1, "hashes": {"sha256": "00"}}
    assert a["wheels"][0]["name"] == "a-1-py3-none-any.whl"
    assert not {"index", "url"} & {*a, *b}
    assert b["wheels"][0]["name"] == "b-1+x-py3-none-any.whl"


def test_packages_of_other_installers_have_a_caveat(tmp_path: Path) -> None:
    """Where conda or nobody knows who installed a package, the lock has the index's files and says so."""
    told = lock.Told(
        {"a": "a==1 --hash=sha256:0", "b": "b==1 --hash=sha256:0", "c": "c==1 --hash=sha256:0"}, (), "", True
    )
    rows = [index_row("a", "1"), index_row("b", "1", origin={"kind": "conda"}), index_row("c", "1", origin={})]
    made = lock.lock(environment(*rows), tmp_path, same, told)
    assert [one.split()[0] for one in made.caveats] == ["b"]
    rows[2]["origin"] = {"kind": "unknown"}
    assert [one.split()[0] for one in lock.lock(environment(*rows), tmp_path, same, told).caveats] == ["b", "c"]
