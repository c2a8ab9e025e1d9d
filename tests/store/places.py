"""Real places for shared stores: a PostgreSQL cluster, an S3 server and a DuckDB server, each started by the tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from modellab_jupyter.errors import StoreError
from modellab_jupyter.store import extensions
from tests.conftest import ROOT, lacking

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}


def need_extensions(names: tuple[str, ...]) -> None:
    try:
        extensions.find(names)
    except StoreError as error:
        lacking("shared", str(error))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextlib.contextmanager
def started(command: list[str], port: int, **more: object) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)  # type: ignore[call-overload]
    try:
        wait_for(port, process)
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast way: it waits for no client
        process.wait(30)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start a cluster of its own in a temporary folder, as a user that is not root; give its conninfo."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    program = programs[-1] if programs else Path(shutil.which("postgres") or "")
    if not program.is_file():
        lacking("shared", "PostgreSQL is not installed; apt-get install postgresql")
    who = {}
    folder = Path(tempfile.mkdtemp(prefix="modellab-pg-"))
    if os.getuid() == 0:
        import pwd

        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    port = free_port()
    try:
        subprocess.run(
            [program.with_name("initdb"), "-D", folder / "data", "-A", "trust", "-U", "modellab", "--no-sync"],
            check=True, capture_output=True, cwd="/", **who,
        )  # fmt: skip
        command = [
            str(program),
            "-D",
            str(folder / "data"),
            "-p",
            str(port),
            "-F",
            "-k",
            str(folder),
            "-h",
            "127.0.0.1",
        ]
        with started(command, port, cwd="/", **who):
            yield f"host=127.0.0.1 port={port} user=modellab"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def database(conninfo: str, name: str) -> str:
    """Make a database in a cluster and return how to reach it."""
    psql = shutil.which("psql") or sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
    end = time.monotonic() + 20
    while True:  # the port is open a moment before the cluster is ready
        done = subprocess.run(
            [psql, f"{conninfo} dbname=postgres", "-c", f"CREATE DATABASE {name}"], capture_output=True, text=True
        )
        if done.returncode == 0:
            return f"{conninfo} dbname={name}"
        assert time.monotonic() < end, done.stderr
        time.sleep(0.1)


@contextlib.contextmanager
def s3() -> Iterator[str]:
    """Start moto's server; give its address."""
    try:
        import moto.server  # noqa: F401
    except ImportError:
        lacking("shared", "moto is not installed; pip install 'moto[server]'")
    port = free_port()
    code = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
    with started([sys.executable, "-W", "ignore", "-c", code, str(port)], port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def served(folder: Path, token: str) -> Iterator[str]:
    """Start ``modellab serve`` on a store in a folder; give its address."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "modellab_jupyter.cli", "--store", "modellab.duckdb", "serve", "--port", str(port)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MODELLAB_TOKEN": token}
    with started(command, port, cwd=folder, env=env):
        yield f"quack:127.0.0.1:{port}"
