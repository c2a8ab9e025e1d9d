"""A pack from anybody -> what is wrong with it and what is different here, without running anything of it."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any, Final

from modellab_jupyter.environment import capture
from modellab_jupyter.errors import DamagedError, InputError
from modellab_jupyter.progress import steps
from modellab_jupyter.repro.archive import Contents, open_pack
from modellab_jupyter.repro.records import Conclusion, Level, Verdict
from modellab_jupyter.repro.unpacked import found_at
from modellab_jupyter.repro.wheels import canonical

JSON_BYTES: Final = 64 << 20  # of a member that is read whole
NEEDED: Final = (
    "code/executions.jsonl", "code/replay.ipynb", "data/index.json", "env/environment.json", "env/requirements.lock",
    "metrics.json", "params.json", "redactions.json",
)  # fmt: skip


def verify_pack(path: str | os.PathLike[str]) -> Verdict:
    """Check a pack against its manifest, this Python's packages and the files on this machine; nothing of it is run.

    Parameters
    ----------
    path : path
        The ZIP.

    Returns
    -------
    Verdict
        ``"intact"`` or ``"damaged"``, with the levels manifest, environment and data. That packages or files differ
        here damages no pack.

    Raises
    ------
    InputError
        It is not there, no pack, or made to do harm.
    """
    began = time.perf_counter()
    path = Path(path)
    try:
        pack = open_pack(path)
    except DamagedError as error:
        return Verdict("", {}, "damaged", (Level("manifest", holds=False, sentence=str(error)),))
    with steps(f"verifying {path.name}", total=sum(entry.size for entry in pack.entries.values()), unit="B") as step:
        manifest = _manifest(pack, step)
    levels = [manifest]
    run: dict[str, Any] = {}
    if manifest.holds:
        try:
            run = _run(pack)
            levels += [_environment(pack), _data(pack)]
        except (InputError, DamagedError) as error:
            levels[0] = Level("manifest", holds=False, sentence=str(error))
    conclusion: Conclusion = "intact" if levels[0].holds else "damaged"
    seconds = {"verify": time.perf_counter() - began}
    return Verdict(pack.id, run, conclusion, tuple(levels), seconds=seconds)


def _manifest(pack: Contents, step: Any) -> Level:
    """Compare every member with its digest."""
    rows: list[dict[str, Any]] = []
    done = 0.0
    for name in pack.names:
        step(name, done)
        if fault := pack.fault(name):
            rows.append({"member": name, "recorded": pack.digests[name], "found": fault})
        done = pack.size(name)
    rows += [{"member": name, "recorded": None, "found": "is not there"} for name in NEEDED if name not in pack]
    if rows:
        sentence = f"{len(rows)} of {len(pack.names)} files are damaged or not there, the first is {rows[0]['member']}."
        return Level("manifest", holds=False, sentence=sentence, rows=rows)
    return Level("manifest", holds=True, sentence=f"All {len(pack.names)} files are what the manifest says.")


def _wrong(pack: Contents, name: str, error: Exception) -> InputError:
    return InputError(f"{pack.path.name} has a {name} that no pack has ({type(error).__name__}); ask for another pack.")


def _run(pack: Contents) -> dict[str, Any]:
    try:
        return dict(pack.json("metrics.json", JSON_BYTES)["run"])
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong(pack, "metrics.json", error) from error


def _environment(pack: Contents) -> Level:
    """Compare the recorded distributions with those that this Python has."""
    try:
        told = pack.json("env/environment.json", JSON_BYTES)
        recorded = {canonical(str(one["name"])): str(one["version"]) for one in told["distributions"]}
        python = str(told["python"])
    except (KeyError, TypeError, AttributeError) as error:
        raise _wrong(pack, "env/environment.json", error) from error
    here = {canonical(name): version for name, version in capture()["packages"].items()}
    rows = [
        {"name": name, "recorded": version, "found": here.get(name)}
        for name, version in sorted(recorded.items()) if here.get(name) != version
    ]  # fmt: skip
    absent = sum(row["found"] is None for row in rows)
    if python != platform.python_version():
        rows.insert(0, {"name": "python", "recorded": python, "found": platform.python_version()})
    if not rows:
        sentence = f"This Python has all {len(recorded)} distributions in the versions that were recorded."
        return Level("environment", holds=True, sentence=sentence)
    different = len(rows) - absent - (rows[0]["name"] == "python")
    said = [f"{absent} of {len(recorded)} distributions are absent here and {different} have another version"]
    if rows[0]["name"] == "python":
        said.append(f"this is Python {platform.python_version()}, recorded was {python}")
    return Level("environment", holds=False, sentence="; ".join(said) + ".", rows=rows)


def _data(pack: Contents) -> Level:
    """Look for each file that was read: in the pack, else at its place, with the digest that was recorded."""
    rows = []
    try:
        for one in pack.json("data/index.json", JSON_BYTES):
            path, digest, member = str(one["path"]), one["sha256"], one["member"]
            inside = member is not None and pack.digests.get(str(member)) == digest
            found = "in the pack" if inside else _place(path, digest, int(one["size"]), pack.path.absolute().parent)
            rows.append({"path": path, "recorded": digest, "found": found})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(pack, "data/index.json", error) from error
    there = sum(row["found"] in {"in the pack", "at its place"} for row in rows)
    unknown = sum(row["recorded"] is None for row in rows)
    if there == len(rows):
        inside = sum(row["found"] == "in the pack" for row in rows)
        sentence = "No file was read that the run did not make."
        if there == 1:
            sentence = f"The file that was read is there{', in the pack' if inside else ''}."
        elif there:
            sentence = f"All {there} files that were read are there, {inside} of them in the pack."
        return Level("data", holds=True, sentence=sentence, rows=rows)
    said = f"{len(rows) - there} of {len(rows)} files that were read are not there as they were"
    if unknown == len(rows) - there:
        return Level("data", None, f"What {unknown} of {len(rows)} files held was not recorded.", rows)
    first = next(row for row in rows if row["found"] not in {"in the pack", "at its place", "not recorded"})
    return Level("data", holds=False, sentence=f"{said}; {first['path'][:200]!r} is {first['found']}.", rows=rows)


def _place(path: str, digest: object, size: int, folder: Path) -> str:
    """Tell whether a file lies where it lay, below the pack's folder or this one where its path is relative."""
    if not isinstance(digest, str):
        return "not recorded"
    found = found_at(path, size, folder, Path.cwd())
    return "absent" if found is None else "at its place" if found[1] == digest else "changed"
