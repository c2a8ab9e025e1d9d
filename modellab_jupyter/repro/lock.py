"""An environment as it was recorded -> a lock with hashes, and wheels for what no index has.

An index is asked once: what it said is kept in the user's cache under a digest of the question.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tomllib
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from modellab_jupyter import config
from modellab_jupyter import environment as surroundings
from modellab_jupyter.errors import ModelLabError
from modellab_jupyter.repro import installer, wheels
from modellab_jupyter.repro.wheels import canonical

FORM: Final = 3  # of what is kept
TRIES: Final = 64  # questions for one lock

_ELSEWHERE = {"url", "vcs", "directory", "editable"}
_MANYLINUX = (17, 28, *range(31, 41))
_IS_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_IS_VERSION = re.compile(r"[A-Za-z0-9.+!_-]+")


@dataclass(frozen=True)
class Locked:
    """A lock and what goes with it.

    Attributes
    ----------
    requirements : str
        In pip's format, a line for each distribution.
    pylock : str
        The same as PEP 751 has it; what has no hash is not in it.
    wheels : dict
        File name -> bytes, for ``env/wheels/``.
    hashed : dict
        Canonical name -> whether its line has the hashes of what the run had.
    wheel_of : dict
        Canonical name -> file name.
    changed : frozenset of str
        Canonical names of editable distributions whose checkout is not as it was.
    caveats : tuple of str
        What a rebuild cannot have as it was.
    """

    requirements: str
    pylock: str
    wheels: dict[str, bytes] = field(default_factory=dict, repr=False)
    hashed: dict[str, bool] = field(default_factory=dict)
    wheel_of: dict[str, str] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What an index says of exact versions: lines with hashes, the rest; and whether it was reached."""

    lines: dict[str, str]
    missing: tuple[str, ...]
    pylock: str
    reached: bool


def asked(environment: Mapping[str, Any], folder: Path) -> Told:
    """Return what an index says of the distributions that may be from one; `folder` is that whose settings hold."""
    known = {canonical(one["name"]): one for one in distributions(environment)}
    return _ask({
        name: str(one["version"])
        for name, one in sorted(known.items())
        if (one.get("origin") or {}).get("kind") not in _ELSEWHERE and _sound(one)
    }, environment, folder)  # fmt: skip


def study(environment: Mapping[str, Any], told: Told, look: wheels.Clean) -> None:
    """Show every file of the wheels that will be made to a callable."""
    for name, one in sorted({canonical(one["name"]): one for one in distributions(environment)}.items()):
        if name not in told.lines and (told.reached or (one.get("origin") or {}).get("kind") in _ELSEWHERE):
            _built(one, environment, look)


def lock(environment: Mapping[str, Any], folder: Path, clean: wheels.Clean, told: Told | None = None) -> Locked:
    """Return the lock of an environment.

    Parameters
    ----------
    environment : mapping
        As it was recorded: ``python``, ``platform``, ``machine``, ``distributions``; or, of old runs, ``packages``.
    folder : Path
        Whose settings of uv hold.
    clean : callable
        Takes name and bytes of a file of a wheel, and returns them without secrets, or None where it stays here.
    told : Told, optional
        What an index said; by default it is asked.
    """
    known = {canonical(one["name"]): one for one in distributions(environment)}
    told = asked(environment, folder) if told is None else told
    lines, hashed = dict(told.lines), dict.fromkeys(told.lines, True)
    made: dict[str, bytes] = {}
    of: dict[str, str] = {}
    caveats: list[str] = []
    changed: set[str] = set()
    for name, one in sorted(known.items()):
        kind = (one.get("origin") or {}).get("kind")
        if name in lines:
            if kind in {"conda", "unknown"}:
                where = "was installed by conda" if kind == "conda" else "came from nobody knows where"
                caveats.append(
                    f"{one['name']} {one['version']} {where}; the lock has the index's files of that version."
                )
            continue
        unknown = kind not in _ELSEWHERE and _sound(one) and not told.reached
        built = None if unknown else _built(one, environment, clean)
        shown = f"{one['name']} {one['version']}"
        if built is not None:
            file, data = built
            made[file], of[name], hashed[name] = data, file, True
            if _has_changed(one.get("editable") or {}):
                changed.add(name)
                hashed[name] = False
                caveats.append(f"{shown} is packed as it is now: its checkout has changed since the run.")
            lines[name] = f"./wheels/{file} --hash=sha256:{hashlib.sha256(data).hexdigest()}"
            continue
        hashed[name] = False
        if not _sound(one):
            caveats.append(f"{shown[:80]!r} is no name and version that an index could have; it is not in the lock.")
            continue
        lines[name] = f"{name}=={one['version']}"
        caveats.append(
            f"{shown} has no hash: no index could be reached when the pack was made."
            if unknown
            else f"{shown} has no hash: no index has it, and what was installed is not here or has changed."
        )
    text = "".join(f"{lines[name]}\n" for name in sorted(lines))
    return Locked(
        text, _pylock(told.pylock, environment, made, of, known), made, hashed, of, frozenset(changed), tuple(caveats)
    )


def distributions(environment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the recorded distributions; of runs that recorded names and versions alone, those."""
    if "distributions" in environment:
        return [one for one in environment["distributions"] if one.get("name") and one.get("version")]
    packages = environment.get("packages") or {}
    return [{"name": name, "version": version, "origin": {"kind": "unknown"}} for name, version in packages.items()]


def _has_changed(recorded: Mapping[str, Any]) -> bool:
    """Tell whether an editable package's code is not as it was recorded; False where nothing was."""
    if not recorded.get("commit") and not recorded.get("diff_sha256"):
        return False
    now = surroundings.editable(str(recorded["root"]))
    if now["diff_sha256"] != recorded.get("diff_sha256"):
        return True
    if now["commit"] == recorded.get("commit"):
        return False
    if not now["commit"] or not recorded.get("commit"):
        return True
    try:
        done = subprocess.run(
            ["git", "diff", "--quiet", str(recorded["commit"]), str(now["commit"]), "--", "."], cwd=recorded["root"],
            capture_output=True, timeout=20, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return True
    return done.returncode != 0


def _sound(one: Mapping[str, Any]) -> bool:
    return bool(_IS_NAME.fullmatch(str(one["name"])) and _IS_VERSION.fullmatch(str(one["version"])))


# -- asking an index ---------------------------------------------------------------------------------


def platform(environment: Mapping[str, Any]) -> str | None:
    """Return the recorded platform by uv's name for it, None where uv has none."""
    text, machine = str(environment.get("platform", "")), str(environment.get("machine", "")).lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if text.lower().startswith("win"):
        return f"{machine}-pc-windows-msvc" if machine in {"x86_64", "aarch64", "i686"} else None
    if text.lower().startswith(("macos", "darwin")):
        return f"{machine}-apple-darwin" if machine in {"x86_64", "aarch64"} else None
    if machine not in {"x86_64", "aarch64"} or not text.lower().startswith("linux"):
        return None
    if found := re.search(r"glibc2\.(\d+)", text):
        minor = max((n for n in _MANYLINUX if n <= int(found[1])), default=17)
        return f"{machine}-manylinux_2_{minor}"
    return f"{machine}-unknown-linux-{'musl' if 'musl' in text else 'gnu'}"


def _ask(asked: Mapping[str, str], environment: Mapping[str, Any], folder: Path) -> Told:
    """Return what an index says, or what it said when it was asked the same before."""
    python = re.match(r"\d+\.\d+(?:\.\d+)?", str(environment.get("python", "")))
    version, target = python[0] if python else None, platform(environment)
    if not asked:
        return Told({}, (), "", reached=True)
    question = json.dumps([FORM, version, target, sorted(asked.items())])
    kept = config.cache() / "locks" / f"{hashlib.sha256(question.encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        old = json.loads(kept.read_text("utf-8"))
        if set(old["lines"]) | set(old["missing"]) == set(asked):
            return Told(dict(old["lines"]), tuple(old["missing"]), str(old["pylock"]), reached=True)
    options = ["--python-version", version] if version else []
    options += ["--python-platform", target] if target else []
    where = folder if folder.is_dir() else Path.home()
    told = _resolved(asked, options, where, offline=False)
    if not told.reached:
        near = _resolved(asked, options, where, offline=True)
        return Told(near.lines, near.missing, near.pylock, not near.missing)
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_name(f".{uuid.uuid4().hex}.part")
        part.write_text(json.dumps({"lines": told.lines, "missing": told.missing, "pylock": told.pylock}), "utf-8")
        part.replace(kept)
    return told


def _resolved(asked: Mapping[str, str], options: Sequence[str], folder: Path, *, offline: bool) -> Told:
    """Ask until what is left is what the index has; it names what it lacks one by one."""
    left: list[dict[str, str]] = [dict(asked)]  # groups that were not answered yet
    lines: dict[str, str] = {}
    missing: list[str] = []
    pylock, tries = "", 0
    try:
        installer.uv()
    except ModelLabError:
        return Told({}, tuple(asked), "", reached=False)
    while left:
        group = left.pop()
        if not group:
            continue
        tries += 1
        if tries > TRIES:
            missing += list(group)
            continue
        answer = _compile(group, options, folder, offline=offline)
        if answer.done:
            found = _lines(answer.text)
            lines |= {name: found[name] for name in group if name in found}
            missing += [name for name in group if name not in found]
        elif answer.unreached and not offline:
            return Told({}, tuple(asked), "", reached=False)
        elif len(group) == 1:
            missing += list(group)
        elif blamed := _blamed(answer.text, group):
            missing += blamed
            left.append({name: group[name] for name in group if name not in blamed})
        else:
            names = list(group)
            left += [{n: group[n] for n in names[: len(names) // 2]}, {n: group[n] for n in names[len(names) // 2 :]}]
    if lines:
        exact = {name: asked[name] for name in lines}
        answer = _compile(exact, [*options, "--format", "pylock.toml"], folder, offline=offline)
        pylock = public(answer.text) if answer.done else ""
        for name, hashes in _hashes(pylock).items():
            if " --hash" not in lines.get(name, " --hash"):  # from a folder of files, of which the other form has none
                lines[name] = " ".join([lines[name], *(f"--hash=sha256:{one}" for one in hashes)])
    missing += [name for name, line in lines.items() if " --hash" not in line]
    lines = {name: line for name, line in lines.items() if " --hash" in line}
    return Told(dict(sorted(lines.items())), tuple(sorted(missing)), pylock, reached=True)


def public(pylock: str) -> str:
    """Return a pylock.toml that names no place: file names and hashes stay."""

    def shown(match: re.Match[str]) -> str:
        return f'name = "{urllib.parse.unquote(PurePosixPath(urllib.parse.urlsplit(match[2]).path).name)}"'

    text = re.sub(r'(?m)^[ \t]*index\s*=\s*"([^"]*)".*\n', "", re.sub(r"(?m)^#.*\n", "", pylock))
    return re.sub(r'(?<![\w-])(url|path)\s*=\s*"([^"]*)"', shown, text)


def _compile(group: Mapping[str, str], options: Sequence[str], folder: Path, *, offline: bool) -> installer.Answer:
    text = "".join(f"{name}=={version}\n" for name, version in sorted(group.items()))
    return installer.call(
        "pip", "compile", "-", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate", "--no-sources",
        "--no-build", "--quiet", *options, folder=folder, text=text, offline=offline,
    )  # fmt: skip


def _lines(text: str) -> dict[str, str]:
    """Return the lines of a lock, each on one line with its hashes sorted."""
    found: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        name = re.match(r"([A-Za-z0-9._-]+)==", line)
        hashes = sorted(set(re.findall(r"--hash=sha256:[0-9a-f]{64}", line)))
        if name:
            pinned = line.split(" --hash", 1)[0].split(";")[0].split("#")[0].strip()
            found[canonical(name[1])] = " ".join([pinned, *hashes])
    return found


def _hashes(pylock: str) -> dict[str, list[str]]:
    """Return the hashes that a pylock.toml has of each distribution."""
    try:
        packages = tomllib.loads(pylock).get("packages", [])
    except tomllib.TOMLDecodeError:
        return {}
    return {
        canonical(one["name"]): sorted(set(re.findall(r"'sha256': '([0-9a-f]{64})'", repr(one))))
        for one in packages
    }  # fmt: skip


def _blamed(said: str, group: Mapping[str, str]) -> list[str]:
    """Return which of the names uv gives as the reason."""
    words = " ".join(said.split())
    return [
        name
        for name, version in group.items()
        if re.search(
            rf"(?<![\w.-]){re.escape(name)}(?:=={re.escape(version)})?"
            r"(?: was not found| has no | is unavailable|,? and only)"
            rf"|no version of {re.escape(name)}(?:==|\s)|(?<![\w.-]){re.escape(name)} are available",
            words,
        )
    ]


# -- what no index has -------------------------------------------------------------------------------


def _built(one: Mapping[str, Any], environment: Mapping[str, Any], clean: wheels.Clean) -> tuple[str, bytes] | None:
    """Return a wheel of a distribution as it is installed here, None where that is not what was recorded."""
    name, version = str(one["name"]), str(one["version"])
    editable = one.get("editable")
    if editable and editable.get("root"):
        root = Path(editable["root"])
        return wheels.of_source(name, version, root, environment, clean)
    found = wheels.installed(name, one.get("location"))
    if found is None or found.version != version:
        return None
    if one.get("record") and wheels.record_digest(found) != one["record"]:
        return None
    return wheels.of_installed(found, clean)


def _pylock(told: str, environment: Mapping[str, Any], made: Mapping[str, bytes], of: Mapping[str, str],
            known: Mapping[str, Mapping[str, Any]]) -> str:  # fmt: skip
    """Return uv's pylock.toml and, behind it, the wheels that travel."""
    head = 'lock-version = "1.0"\ncreated-by = "modellab"\n'
    python = re.match(r"\d+\.\d+", str(environment.get("python", "")))
    parts = [told.rstrip("\n") if told else head + (f'requires-python = ">={python[0]}"\n' if python else "")]
    if not told and not of:
        parts[0] = parts[0].rstrip("\n") + "\npackages = []"
    for name, file in sorted(of.items()):
        digest = hashlib.sha256(made[file]).hexdigest()
        parts.append(
            f'[[packages]]\nname = "{name}"\nversion = "{known[name]["version"]}"\n'
            f'wheels = [{{ path = "wheels/{file}", size = {len(made[file])}, hashes = {{ sha256 = "{digest}" }} }}]'
        )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
