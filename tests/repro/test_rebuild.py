"""Environments from locks: what is asked for, from where, and what came of it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modellab_jupyter.errors import DamagedError
from modellab_jupyter.repro import installer, rebuild, unpacked, words
from modellab_jupyter.repro import reproduce as reproducing
from modellab_jupyter.repro.reproduce import replayed, reproduce
from tests.conftest import ROOT, lacking
from tests.repro import packs
from tests.repro.test_causes import confirmed, holds, log, wheel


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder for environments that are rebuilt once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _cache(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared))
    installer.index.cache_clear()


def pack(folder: Path, lock: str, **more: Any) -> unpacked.Unpacked:
    return unpacked.read(packs.write(folder / "pack", log("1.0"), {"m": 1.0}, lock=lock, **more))


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://example.org/simple",
        "--extra-index-url https://example.org/simple",
        "--find-links .",
        "-r other.txt",
        "-e .",
        "numpy",
        "numpy>=2",
        "numpy @ https://example.org/numpy.whl",
        "git+https://example.org/x.git",
        "./setup/",
        "../wheels/x-1.0-py3-none-any.whl",
        "./wheels/../../x-1.0-py3-none-any.whl",
        "numpy==2.0.0 --global-option=x",
        "numpy==2.0.0 ; --index-url=https://example.org",
    ],
)
def test_a_lock_says_nothing_but_releases_and_own_wheels(tmp_path: Path, line: str) -> None:
    """Options, addresses, folders and open versions are refused, since they could have something else installed."""
    with pytest.raises(DamagedError, match="which is neither NAME==VERSION nor"):
        rebuild.requirements(pack(tmp_path, line + "\n"))


def test_a_lock_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    """Continued lines, comments, markers and several hashes are understood."""
    a, b = "a" * 64, "b" * 64
    text = (
        f"# made by hand\nnumpy==2.0.0 \\\n    --hash=sha256:{a} \\\n    --hash=sha256:{b}\n    # via pandas\n"
        f"colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{a}\n\nuvloop[x]==1.0\n"
    )
    first, second, third = rebuild.requirements(pack(tmp_path, text))
    assert (first.name, first.version, first.hashes) == ("numpy", "2.0.0", (f"sha256:{a}", f"sha256:{b}"))
    assert second.line == f"colorama==0.4.6 ; sys_platform == 'win32' --hash=sha256:{a}"
    assert (third.version, third.hashes) == ("1.0", ())


def test_a_wheel_that_is_another_is_refused(tmp_path: Path) -> None:
    """A wheel of the pack whose digest is not the lock's is not installed."""
    own = wheel(tmp_path, "toy", "1.0", "")
    line = f"./wheels/{own.name} --hash=sha256:{'0' * 64}\n"
    with pytest.raises(DamagedError, match="is not what its lock says"):
        rebuild.requirements(pack(tmp_path, line, wheels=[own]))


def test_the_nearest_python_is_taken() -> None:
    """The same version is best, else one of its minor version, else the nearest minor version; never none."""
    own = platform.python_version()
    minor = ".".join(own.split(".")[:2])
    assert rebuild.interpreter(own)[1] == own
    assert rebuild.interpreter(f"{minor}.99", offline=True)[1].startswith(f"{minor}.")
    path, version = rebuild.interpreter("3.99.0", offline=True)
    assert version.startswith("3.")
    assert subprocess.run([path, "-c", "pass"], check=False).returncode == 0


def test_packages_come_from_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of uv stand alone; else pip's are told to uv, several values and all."""
    for name in installer._OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://one.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://two.example/simple https://three.example/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/a /b")
    found = installer.index(Path.cwd())
    assert found["UV_INDEX_URL"] == "https://one.example/simple"
    assert found["UV_EXTRA_INDEX_URL"] == "https://two.example/simple https://three.example/simple"
    assert (found["UV_FIND_LINKS"], found["UV_INDEX_STRATEGY"]) == ("/a,/b", "unsafe-best-match")
    installer.index.cache_clear()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert installer.index(Path.cwd()) == {}


def test_an_environment_is_made_once_and_moved_whole(tmp_path: Path, shared: Path) -> None:
    """Two at once share one environment, nobody sees half of one, and the next finds it made."""
    own = wheel(tmp_path, "toyonce", "1.0", "VALUE = 1\n")
    told = {"name": "toyonce", "version": "1.0", "locked": True}
    one = pack(
        tmp_path, f"./wheels/{own.name} --hash=sha256:{sha(own)}\n", wheels=[own],
        env=packs.environment(distributions=[told]),
    )  # fmt: skip
    found: list[rebuild.Rebuilt] = []
    threads = [threading.Thread(target=lambda: found.append(rebuild.rebuild(one))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({rebuilt.python for rebuilt in found}) == 1
    assert not [path for path in (shared / "modellab" / "environments").iterdir() if path.name.startswith(".")]
    began = time.perf_counter()
    again = rebuild.rebuild(one)
    assert (again.warm, again.rows, rebuild.differences(one, again.python)) == (True, (), [])
    assert time.perf_counter() - began < 5
    assert rebuild.inventory(again.python)[1] == {"toyonce": "1.0"}


def test_what_cannot_be_rebuilt_exactly_is_a_row(tmp_path: Path) -> None:
    """A package that is nowhere has its row, the others are there, and that environment is not kept."""
    own = wheel(tmp_path, "toyrest", "1.0", "")
    lock = f"./wheels/{own.name} --hash=sha256:{sha(own)}\nmodellab-surely-nowhere==1.0\n"
    told = [{"name": name, "version": "1.0", "locked": True} for name in ("toyrest", "modellab-surely-nowhere")]
    one = pack(tmp_path, lock, wheels=[own], env=packs.environment(distributions=told))
    rebuilt = rebuild.rebuild(one, offline=True)
    assert [(row["name"], row["found"]) for row in rebuilt.rows] == [("modellab-surely-nowhere", None)]
    assert [row["name"] for row in rebuild.differences(one, rebuilt.python)] == ["modellab-surely-nowhere"]
    assert "toyrest" in rebuild.inventory(rebuilt.python)[1]
    rebuild.discard(rebuilt)
    assert not Path(rebuilt.python).exists()


def test_another_python_is_told(tmp_path: Path) -> None:
    """An environment of another Python does not hold, whatever its packages are."""
    one = pack(tmp_path, "", env=packs.environment("3.1.4"))
    assert rebuild.differences(one, sys.executable)[0] == {
        "kind": "python", "name": "Python", "recorded": "3.1.4", "found": platform.python_version(), "note": ""
    }  # fmt: skip


def test_what_has_no_hash_or_is_condas_is_not_as_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same version without a hash, or from conda, may be other files: told in a row, and the level is open."""
    monkeypatch.setattr(
        rebuild, "inventory", lambda _: (platform.python_version(), dict.fromkeys(("bare", "conda", "sure"), "1.0"))
    )
    lock = "bare==1.0\n" + "".join(f"{name}==1.0 --hash=sha256:{'a' * 64}\n" for name in ("conda", "sure"))
    told = [
        {"name": "bare", "version": "1.0", "origin": {"kind": "index"}, "locked": False},
        {"name": "conda", "version": "1.0", "origin": {"kind": "conda"}, "locked": True},
        {"name": "sure", "version": "1.0", "origin": {"kind": "index"}, "locked": True},
    ]
    one = pack(tmp_path, lock, env=packs.environment(distributions=told))
    rows = rebuild.differences(one, sys.executable)
    assert [(row["name"], row["recorded"], row["found"]) for row in rows] == [
        ("bare", "1.0", "1.0"), ("conda", "1.0", "1.0")
    ]  # fmt: skip
    assert all("may be others" in row["note"] for row in rows)
    made = rebuild.Rebuilt(sys.executable, warm=True)
    assert reproducing._environment_level(one, made, rows).holds is None
    assert reproducing._environment_level(one, made, [{**rows[0], "found": "2.0"}]).holds is False
    assert "installs 3 packages, 1 without a hash, and runs 5 cells" in reproducing.plan(one)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("--extra-index-url=https://evil.example", "1.0"),
        ("x @ https://evil.example/x.whl", "1.0"),
        ("../x", "1.0"),
        ("x", "1.0 --index-url=https://evil.example"),
        ("x", "--pre"),
        ("not-in-the-lock", "1.0"),
    ],
)
def test_no_name_of_a_pack_is_an_option_or_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> None:
    """A diagnosis asks for names and versions of the lock alone, whatever the recorded environment says."""
    monkeypatch.setattr(rebuild, "_call", lambda *args, **_: pytest.fail(str(args)))
    wanted = (rebuild.Requirement("x", "1.0"),)
    made = rebuild.Rebuilt(sys.executable, warm=True)
    assert rebuild.varied(made, name, version, None, tmp_path, wanted=wanted) is None


def test_an_installer_sees_no_secret_and_builds_nothing_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, proxies and places reach uv, nothing else; only a release with its hash may be built."""
    from modellab_jupyter import config

    for name in ("CLOUD_TOKEN", "UV_PUBLISH_TOKEN", "UV_INDEX_URL", "https_proxy", "SSL_CERT_FILE", "PYTHONPATH"):
        monkeypatch.setenv(name, "x")
    around = config.around(MORE="y")
    assert {"UV_INDEX_URL", "https_proxy", "SSL_CERT_FILE", "HOME", "PATH", "MORE"} <= around.keys()
    assert not {"CLOUD_TOKEN", "UV_PUBLISH_TOKEN", "PYTHONPATH"} & around.keys()
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(rebuild, "_call", lambda *args, **_: (asked.append(args) or False, ""))
    assert not rebuild._installs(tmp_path, ["x==1.0"], hashed=False, offline=True)
    assert ["--only-binary" in args for args in asked] == [True]
    assert not rebuild._installs(tmp_path, ["x==1.0"], hashed=True, offline=True)
    assert ["--only-binary" in args for args in asked] == [True, True, False]
    assert "--require-hashes" in asked[2]


# -- with an environment of its own --------------------------------------------------------------------


@pytest.fixture(scope="session")
def lock(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> tuple[str, Path, list[dict[str, Any]]]:
    """Give the lock of a small environment that can run cells and log them: its text, its wheel, its distributions.

    The tracker in it is this checkout's modules as a wheel, so that its dependencies are those that a run needs.
    """
    folder = tmp_path_factory.mktemp("lock")
    asked = folder / "asked.txt"
    versions = rebuild.inventory(sys.executable)[1]
    asked.write_text(
        "".join(
            f"{name}=={versions[name]}\n" for name in ("ipykernel", "duckdb", "msgspec", "psutil", "numpy", "pyarrow")
        )
    )
    done, text = rebuild._call(
        "pip", "compile", "--generate-hashes", "--no-header", "--no-annotate", "--python", sys.executable, str(asked)
    )
    if not done:
        lacking("machine", f"no index is reached: {text[-200:]}")
    own = tracker(folder)
    text += f"\n./wheels/{own.name} --hash=sha256:{sha(own)}\n"
    (folder / "probe").mkdir()
    told = rebuild.requirements(pack(folder / "probe", text, wheels=[own]))
    return text, own, [{"name": one.name, "version": one.version, "locked": True} for one in told if not one.marker]


def tracker(folder: Path) -> Path:
    """Write this checkout's package as a wheel, without its front end."""
    import zipfile

    path = folder / "modellab_jupyter-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for package in ("modellab_jupyter", "evalharness"):
            for source in sorted((ROOT / package).rglob("*")):
                if source.suffix in {".py", ".sql"} and "static" not in source.parts:
                    file.write(source, source.relative_to(ROOT).as_posix())
        info = "modellab_jupyter-0.1.0.dist-info"
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: modellab-jupyter\nVersion: 0.1.0\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def test_a_pack_reproduces_in_an_environment_of_its_own(tmp_path: Path, lock: Any, shared: Path) -> None:
    """From lock to verdict: the environment is rebuilt, checked, used, and warm the second time, two at once."""
    text, own, told = lock
    folder = packs.write(
        tmp_path / "pack", log("float(np.random.default_rng(0).normal())", "import numpy as np"),
        {"m": _normal()}, lock=text, wheels=[own], env=packs.environment(distributions=told),
    )  # fmt: skip
    verdict = reproduce(folder, yes=True)
    assert verdict.conclusion == "exact", words.text(verdict)
    assert set(holds(verdict).values()) == {True}, words.text(verdict)

    found = []
    threads = [threading.Thread(target=lambda: found.append(reproduce(folder, yes=True))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.conclusion for one in found] == ["exact", "exact"]
    assert "as it was made before" in found[0].levels[1].sentence


def _normal() -> float:
    import numpy as np

    return float(np.random.default_rng(0).normal())


def test_another_version_of_a_library_is_the_cause(tmp_path: Path, lock: Any) -> None:
    """Where the lock brings another version than was recorded, the numbers come back with the recorded one alone."""
    text, own, told = lock
    old = wheel(tmp_path, "toylib", "1.0", "def score():\n    return 0.25\n")
    new = wheel(tmp_path, "toylib", "2.0", "def score():\n    return 0.5\n")
    bystander = wheel(tmp_path, "toyother", "2.0", "")
    text += "".join(f"./wheels/{one.name} --hash=sha256:{sha(one)}\n" for one in (new, bystander))
    told = [*told, *({"name": name, "version": "1.0", "locked": True} for name in ("toylib", "toyother"))]
    folder = packs.write(
        tmp_path / "pack", log("toylib.score()", "import toylib"), {"m": 0.25}, lock=text,
        wheels=[own, old, new, bystander], env=packs.environment(distributions=told),
    )  # fmt: skip
    (tmp_path / "work").mkdir()
    verdict = replayed(folder, tmp_path / "work")
    assert (verdict.conclusion, holds(verdict)["environment"]) == ("differs", False), words.text(verdict)
    assert confirmed(verdict) == ["package:toylib"]
    assert [cause.factor for cause in verdict.causes if not cause.confirmed] == ["package:toyother"]
