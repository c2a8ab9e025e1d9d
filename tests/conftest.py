from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest

ROOT = Path(__file__).parents[1]
_REQUIRED = os.environ.get("MODELLAB_REQUIRE", "").split(",")


def lacking(kind: Literal["browser", "shared", "machine"], reason: str) -> NoReturn:
    """Skip a test for want of something; fail where ``MODELLAB_REQUIRE`` names its kind."""
    if kind in _REQUIRED:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test works in an empty folder of its own, with the default settings and no session."""
    from modellab_jupyter import session

    for name in [name for name in os.environ if name.startswith(("MODELLAB_", "JPY_SESSION"))]:
        if name != "MODELLAB_OTHER_PYTHON":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    session.reset()
    yield
    session.reset()


@pytest.fixture
def shell() -> Iterator[Any]:
    """Give a real IPython, in this process and without a history file; gone afterwards."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from modellab_jupyter import session

    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    ip = InteractiveShell.instance(config=config)
    yield ip
    session.reset()
    ip.restore_sys_module_state()
    InteractiveShell.clear_instance()


@pytest.fixture
def store(tmp_path: Path):
    """Give the store of this folder, past the session."""
    from modellab_jupyter.store import Store

    return Store(tmp_path / "modellab.duckdb", tmp_path / "modellab.files")


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """Tell path and bytes of each file of this folder but the database, whose rows `content` tells."""

    def look() -> dict[str, bytes]:
        return {
            path.relative_to(tmp_path).as_posix(): path.read_bytes()
            for path in sorted(tmp_path.rglob("*"))
            if path.is_file() and not path.name.startswith("modellab.duckdb")
        }

    return look


def python(code: str, *args: str, interpreter: str = sys.executable, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start Python on some code, in the current folder unless another is told, with this checkout on its path."""
    return subprocess.Popen(
        [interpreter, "-c", code, *args], cwd=cwd,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def answer(code: str, *args: str, interpreter: str = sys.executable, timeout: float = 60) -> str:
    """Run Python to its end and return what it printed; it must end well."""
    process = python(code, *args, interpreter=interpreter)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return out


def content(folder: Path) -> dict[str, list[str]]:
    """Return every row of every table of a folder's store, as text, but what says when something was taken in."""
    import duckdb

    path = folder / "modellab.duckdb"
    if not path.exists():
        return {}
    with duckdb.connect(str(path), read_only=True) as con:
        tables = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()]
        return {
            table: sorted(map(repr, con.execute(f"SELECT * FROM {table}").fetchall()))
            for table in tables
            if table not in {"segments", "migrations"}
        }
