"""uv, called in the user's name: with uv's own settings where there are any, else with pip's."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from modellab_jupyter import config
from modellab_jupyter.errors import ModelLabError

LIMIT: Final = 120.0  # seconds for one question to an index

_OWN_SETTINGS = (
    "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_CONFIG_FILE",
)  # fmt: skip
_SETTING = re.compile(
    r"^\s*(\[\[?(tool\.uv\.)?(pip\.)?index|(extra-|default-)?index(-url)?\s*=|find-links\s*=|no-index\s*=)",
    re.MULTILINE,
)
_UNREACHED = re.compile(
    r"error sending request|failed to fetch|could not connect|network (?:was|is) (?:disabled|unreachable)|dns error"
    r"|failed to lookup|timed? ?out|connection (?:refused|reset)|tcp connect",
    re.IGNORECASE,
)


class Answer(NamedTuple):
    """What uv printed, or said where it failed."""

    done: bool
    text: str

    @property
    def unreached(self) -> bool:
        """Whether it failed because no index could be reached."""
        return not self.done and _UNREACHED.search(self.text) is not None


def uv() -> str:
    """Return the path of uv.

    Raises
    ------
    ModelLabError
        It is not installed.
    """
    try:
        import uv
    except ImportError as error:
        raise ModelLabError(
            "environments are locked and rebuilt with uv, which is not installed; pip install uv."
        ) from error
    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise ModelLabError("the program of the package uv is not there; pip install --force-reinstall uv.") from error


def call(
    *args: str, folder: Path, text: str = "", limit: float = LIMIT, offline: bool = False, settings: Path | None = None
) -> Answer:
    """Run uv in a folder and give it a text to read.

    Parameters
    ----------
    folder : Path
        Where it runs.
    settings : Path, optional
        Whose settings hold, in ``uv.toml`` or ``pyproject.toml`` there or above; default: `folder`.
    offline : bool
        Use what uv keeps of earlier calls alone.
    """
    command = [uv(), *args, "--no-progress", "--color", "never", *(["--offline"] if offline else [])]
    try:
        done = subprocess.run(
            command, cwd=folder, env=config.around(**index(settings or folder)), input=text, capture_output=True,
            text=True, encoding="utf-8", errors="replace", timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(done=False, text=f"uv timed out after {limit:g} s")
    except OSError as error:
        return Answer(done=False, text=f"uv could not be started: {error}")
    return Answer(done.returncode == 0, done.stdout if done.returncode == 0 else done.stderr.strip())


@lru_cache(maxsize=8)
def index(folder: Path) -> dict[str, str]:
    """Return where packages come from, as uv's variables: none where uv has settings of its own, else pip's."""
    around = config.around()
    if any(around.get(name) for name in _OWN_SETTINGS):
        return {}
    home = Path(around.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    near = [above / name for above in (folder, *folder.parents) for name in ("uv.toml", "pyproject.toml")]
    for path in (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml"), *near):
        with suppress(OSError, ValueError):
            text = path.read_text("utf-8")
            if _SETTING.search(text) and (path.name == "uv.toml" or "[tool.uv" in text):
                return {}
    told = _pip()
    names = {
        "index-url": "UV_INDEX_URL", "extra-index-url": "UV_EXTRA_INDEX_URL", "cert": "SSL_CERT_FILE",
        "trusted-host": "UV_INSECURE_HOST", "proxy": "ALL_PROXY",
    }  # fmt: skip
    found = {names[key]: " ".join(value.split()) for key, value in told.items() if key in names and value.strip()}
    if told.get("find-links", "").strip():
        found["UV_FIND_LINKS"] = ",".join(told["find-links"].split())
    if told.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        found["UV_NO_INDEX"] = "1"
    if found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip looks: in all of them; hashes say which file
    return found


def _pip() -> dict[str, str]:
    """Return pip's settings, those of its variables over those of its files."""
    rank = {"global": 0, "install": 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    lines: Sequence[str] = ()
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=30, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        lines = done.stdout.splitlines()
    for line in lines:
        name, _, value = line.partition("=")
        section, _, key = name.partition(".")
        with suppress(ValueError, SyntaxError):
            if section in rank and rank[section] >= found.get(key, (-1, ""))[0]:
                found[key] = (rank[section], str(ast.literal_eval(value)))
    told = {key: value for key, (_, value) in found.items()}
    if not lines:
        around = config.around()
        told = {n[4:].lower().replace("_", "-"): v for n, v in around.items() if n.startswith("PIP_")}
    return told
