"""Start what a person has: a JupyterLab server and a Chromium, for tests and benchmarks."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
GET_ONE = "no Chromium was found; to run the browser tests install one (Debian: apt-get install chromium)"


@dataclass(frozen=True)
class Lab:
    """A running server: where it listens, the folder it shows, and the environment of its kernels."""

    url: str
    token: str
    work: Path
    env: dict[str, str]
    root: Path


def chromium() -> str | None:
    """Return the Chromium of this machine."""
    return os.environ.get("MODELLAB_CHROMIUM") or next(
        (found for name in BROWSERS if (found := shutil.which(name))), None
    )


def missing() -> str | None:
    """Say what lacks here for a browser test, with what to do; None where nothing lacks."""
    if chromium() is None:
        return GET_ONE
    from jupyter_core.paths import jupyter_path

    if not any((Path(p) / "labextensions/modellab-jupyter/package.json").is_file() for p in jupyter_path()):
        return "the JupyterLab extension is not installed here; run: pip install ."
    if importlib.util.find_spec("notebook") is None:
        return "Notebook 7 is not installed here; run: pip install '.[test]'"
    return None


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(command: list[str], ready: str, env: dict[str, str], folder: Path, log: Path) -> Iterator[None]:
    """Run a server until the block ends; the block begins when the address `ready` answers."""
    with log.open("w") as out:
        server = subprocess.Popen(command, env=env, cwd=folder, stdout=out, stderr=out)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(ready, timeout=2).read()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise RuntimeError(log.read_text()) from None
                    time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(15)


@contextmanager
def jupyter_lab(root: Path) -> Iterator[Lab]:
    """Run JupyterLab and Notebook 7 with nobody's settings, in folders below `root`."""
    work = root / "work"
    work.mkdir()
    settings = root / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    env = {
        **os.environ,
        "HOME": str(root),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_DATA_DIR": str(root / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "IPYTHONDIR": str(root / "ipython"),
    }
    port, token = free_port(), secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={work}",
        "--allow-root",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    with serving(command, f"{url}/api/status?token={token}", env, root, root / "server.log"):
        yield Lab(url, token, work, env, root)


@contextmanager
def browsing(*more: str) -> Iterator[Any]:
    """Run the Chromium of this machine, with `more` of its switches."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), headless=True, args=[*ARGS, *more])
        try:
            yield started
        finally:
            started.close()
