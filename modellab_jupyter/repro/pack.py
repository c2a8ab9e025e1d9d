"""A run leaves as a ZIP: what it is made of, without secrets.

The same recorded content, notebook as saved and answers of the package index make the same bytes anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Final

from modellab_jupyter import environment as surroundings
from modellab_jupyter import zips
from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import InputError
from modellab_jupyter.progress import Step, steps
from modellab_jupyter.repro import archive, crate, lock, secrets
from modellab_jupyter.repro.hidden import hidden_state
from modellab_jupyter.repro.recorded import notebook_cells
from modellab_jupyter.repro.records import MAX_DATA, FileRead, HiddenState, Recorded
from modellab_jupyter.repro.wheels import canonical

MODULE_CAP: Final = 20 << 20  # bytes of one local module
TABLES: Final = {".csv", ".tsv", ".tab", ".parquet", ".arrow", ".feather", ".npy", ".npz", ".h5", ".svm", ".libsvm"}
"""Files of rows: a column called ``password`` in them is no secret of the run."""
COMPRESSED: Final = {".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tgz", ".xlsx", ".xlsb", ".ods", ".docx", ".npz",
                     ".parquet", ".arrow", ".feather", ".h5", ".hdf5", ".orc", ".avro"}  # fmt: skip
"""Files whose texts nobody sees without unpacking them."""


@dataclass(frozen=True)
class Pack:
    """A pack that was written.

    Attributes
    ----------
    id : str
        SHA-256 of its manifest.
    path : Path
        The file.
    size : int
        Bytes of the file.
    members : tuple of str
        Its files, sorted.
    redactions : tuple of dict
        ``member``, ``kind``, ``where``, ``replacement`` of each secret that was taken out.
    left_out : tuple of dict
        ``path``, ``size``, ``reason`` of each file that is not in it.
    caveats : tuple of str
        What a rebuild cannot have as it was, a sentence each.
    hidden : tuple of HiddenState
        What the notebook as it is saved does not say.
    """

    id: str
    path: Path
    size: int
    members: tuple[str, ...]
    redactions: tuple[dict[str, Any], ...] = ()
    left_out: tuple[dict[str, Any], ...] = ()
    caveats: tuple[str, ...] = ()
    hidden: tuple[HiddenState, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.path} ({self.size} bytes, {len(self.members)} files)", f"id {self.id}"]
        lines += [f"removed: {one['kind']} in {one['member']} ({one['where']})" for one in self.redactions]
        lines += [f"left out: {one['path']} ({one['size']} bytes): {one['reason']}" for one in self.left_out]
        lines += [f"caveat: {one}" for one in self.caveats]
        return "\n".join([*lines, *(f"warning: {one.sentence}" for one in self.hidden)])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))


def pack_recorded(known: Recorded, path: str | os.PathLike[str] | None = None, *, max_data: int = MAX_DATA) -> Pack:
    """Write what was recorded of a run to a ZIP; see `packs.repro_pack`."""
    if isinstance(max_data, bool) or not isinstance(max_data, int) or max_data < 0:
        raise InputError(f"max_data must be a number of bytes, 0 or more, found {max_data!r:.80}; give one.")
    target = Path(known.folder if path is None else path).expanduser().absolute()
    if target.exists() and not (target.is_dir() or target.is_file()):
        raise InputError(f"path must be a file or a folder, found {str(target)!r}; give another.")
    if not (target if target.is_dir() else target.parent).is_dir():
        raise InputError(f"path must lie in a folder that is there, found {str(target)!r}; make the folder first.")
    name = str(known.run.get("name") or known.run.get("run_id") or "run")
    with steps(f"packing run {name!r}", total=5) as step:
        making = _Making(known, max_data)
        members, digests, data = making.make(step)
        step("writing")
        identity = archive.pack_id(archive.manifest(digests))
        if target.is_dir():
            target = target / zips.safe(f"{making.redactor.text('path', name)[:100]}-{identity[:12]}.zip")
        size = archive.write(target, {**members, **data}, digests)
    return Pack(
        identity, target, size, tuple(sorted(digests)), tuple(making.removed), tuple(making.left_out),
        tuple(making.caveats), tuple(_hidden(known, making.redactor)),
    )  # fmt: skip


def _hidden(known: Recorded, redactor: secrets.Redactor) -> Iterator[HiddenState]:
    """Yield what the notebook as it is saved does not say; the names in it are looked through for secrets, too."""
    for state in hidden_state(known.executions, notebook_cells(known)):
        yield replace(state, name=redactor.text("hidden", state.name), sentence=redactor.text("hidden", state.sentence))


class _Making:
    """The making of one pack."""

    def __init__(self, recorded: Recorded, max_data: int) -> None:
        self.recorded = recorded
        self.max_data = max_data
        self.redactor = secrets.Redactor(surroundings.secret_values())
        self.left_out: list[dict[str, Any]] = []
        self.caveats: list[str] = []
        self.removed: list[dict[str, Any]] = []
        self.closed: list[str] = []  # compressed data files that come along
        self.held: dict[str, tuple[str, int]] = {}  # path of a data file -> kind and line of a secret in it

    def make(self, step: Step) -> tuple[dict[str, bytes], dict[str, str], dict[str, Path]]:
        """Return small members, the digests of all members, and the files that hold large ones."""
        step("reading")
        texts, jsons, raw = self._texts(), self._jsons(), self._evaluations()
        step("looking for secrets")
        for text in texts.values():
            self.redactor.study(text)
        for value in jsons.values():
            self.redactor.study_json(value)
        for one in self.recorded.executions:
            self.redactor.study_json(_plain(asdict(one)))
        for member, part in raw.items():
            self._study(member, part)
        self._study_data()
        told = lock.asked(self.recorded.environment, Path(self.recorded.folder))
        lock.study(self.recorded.environment, told, self._look)
        members: dict[str, bytes] = {member: self._without(member, part) for member, part in sorted(raw.items())}
        for member, text in sorted(texts.items()):
            members[member] = self.redactor.text(member, text).encode("utf-8", "surrogateescape")
        clean: dict[str, Any] = {}
        for member, value in sorted(jsons.items()):
            clean[member] = self.redactor.json(member, value)
            members[member] = encoded(clean[member])
        members["code/executions.jsonl"] = self._executions()
        members["code/replay.ipynb"] = encoded(self._replay())
        step("data")
        index, data, digests = self._data()
        members["data/index.json"] = encoded(index)
        step("environment")
        members |= self._environment(told)
        removed = self.removed = secrets.listed(self.redactor.removals)
        members["redactions.json"] = encoded(removed)
        run, params = clean["metrics.json"]["run"], clean["params.json"]
        if removed:
            self.caveats.append(f"{len(removed)} places that looked like secrets were removed; see redactions.json.")
        self.caveats = sorted(self.redactor.text("reproduce.md", one) for one in self.caveats)
        seen = replace(self.recorded, run=run, metrics=clean["metrics.json"]["metrics"], git=self._git(clean))
        members["reproduce.md"] = crate.instructions(seen, run, index, removed, self.caveats).encode()
        members["CITATION.cff"] = crate.citation(seen, run).encode()
        sizes = {name: len(part) for name, part in members.items()} | {
            name: file.stat().st_size for name, file in data.items()
        }
        members[crate.METADATA] = encoded(crate.metadata(seen, run, params, sizes, index))
        digests |= {name: hashlib.sha256(part).hexdigest() for name, part in members.items()}
        return members, digests, data

    # -- code ----------------------------------------------------------------------------------------

    def _texts(self) -> dict[str, str]:
        """Return the members that are plain text: script, modules, diff."""
        texts: dict[str, str] = {}
        if self.recorded.script:
            self._read_text(
                texts, f"code/{zips.safe(PurePath(self.recorded.script).name)}", self._path(self.recorded.script)
            )
        for module in self.recorded.modules:
            self._read_text(texts, self._module_name(module), Path(module), MODULE_CAP)
            known = self.recorded.module_digests.get(module)
            if known is not None and Path(module).is_file() and file_digest(Path(module)) != known:
                self.caveats.append(f"{self._shown(Path(module))} was changed after the run had imported it.")
        git = self.recorded.git
        if git is not None and git.diff:
            diff, binary = readable(git.diff.decode("utf-8", "surrogateescape"))
            for path, size in binary:
                self._leave(f"code/dirty.diff!{path}", size, "its change is not text, which nobody can look through")
            texts["code/dirty.diff"] = diff
        return texts

    def _path(self, path: str) -> Path:
        return Path(self.recorded.folder) / path

    def _module_name(self, module: str) -> str:
        try:
            inner = Path(module).relative_to(self.recorded.folder).parts
        except ValueError:
            return f"code/modules/_outside/{zips.safe(Path(module).name)}"
        return "/".join(["code/modules", *map(zips.safe, inner)])

    def _read_text(self, texts: dict[str, str], member: str, path: Path, cap: int = secrets.FILE_CAP) -> None:
        """Take a text along, or say why not."""
        shown = self._shown(path)
        try:
            size = path.stat().st_size
            if size > cap:
                self._leave(shown, size, f"larger than {cap} bytes")
            elif zips.folded(member) in map(zips.folded, texts):
                self._leave(shown, size, "its name differs from another's by case alone, or is that of another folder")
            else:
                texts[member] = path.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            self._leave(shown, 0, f"it cannot be read any more ({error.strerror or 'error'})")

    def _shown(self, path: Path) -> str:
        try:
            return path.relative_to(self.recorded.folder).as_posix()
        except ValueError:
            return path.as_posix()

    def _leave(self, path: str, size: int, reason: str) -> None:
        path = self.redactor.text("data/index.json", path)
        self.left_out.append({"path": path, "size": size, "reason": reason})
        if reason and not any(path == row for row in self._data_paths()):
            self.caveats.append(f"{path} is not in the pack: {reason}.")

    def _data_paths(self) -> set[str]:
        return {file.path for file in self.recorded.files}

    def _jsons(self) -> dict[str, Any]:
        """Return the members that are JSON and may hold what people wrote."""
        recorded = self.recorded
        values: dict[str, Any] = {
            "params.json": recorded.params,
            "metrics.json": {"run": recorded.run, "metrics": recorded.metrics},
            "state/rng.json": _randomness(recorded),
            "env/platform.json": _platform(recorded.environment),
        }
        if recorded.git is not None:
            git = recorded.git
            values["code/git.json"] = {"commit": git.commit, "dirty": git.dirty, "remote": git.remote}
        if recorded.notebook:
            path = self._path(recorded.notebook)
            name = zips.safe(path.name)
            name = f"_{name}" if zips.folded(name) == "replay.ipynb" else name
            try:
                values[f"code/{name}"] = json.loads(path.read_bytes())
            except OSError as error:
                self._leave(self._shown(path), 0, f"it cannot be read any more ({error.strerror or 'error'})")
            except (ValueError, RecursionError):
                self._leave(self._shown(path), path.stat().st_size, "it is no notebook that can be read")
        return {name: _plain(value) for name, value in values.items()}

    def _git(self, clean: Mapping[str, Any]) -> Any:
        git = self.recorded.git
        return None if git is None else replace(git, remote=clean["code/git.json"]["remote"])

    def _executions(self) -> bytes:
        """Return code/executions.jsonl; a secret's place in it is its line."""
        lines = []
        for number, one in enumerate(self.recorded.executions, 1):
            row = _plain(asdict(one))
            row = self.redactor.json("code/executions.jsonl", row, where=number)
            lines.append(json.dumps(row, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
        return "".join(lines).encode("utf-8", "replace")

    def _replay(self) -> dict[str, Any]:
        """Return the notebook of what ran: top-level executions in order, each under the id that it had."""
        cells: list[dict[str, Any]] = []
        ids: set[str] = set()
        for one in self.recorded.executions:
            if one.parent is not None:
                continue
            known = one.cell_id if one.cell_id and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one.cell_id) else None
            identity = known if known and known not in ids else f"x{one.order:04}"
            while identity in ids:
                identity += "x"
            ids.add(identity)
            metadata: dict[str, Any] = {"modellab": {"order": one.order, "outcome": one.outcome, "hidden": one.hidden}}
            if one.outcome == "error":
                metadata["tags"] = ["raises-exception"]
            source = self.redactor.text("code/replay.ipynb", one.source, f"/cells/{len(cells)}/source")
            cells.append({
                "cell_type": "code", "execution_count": None, "id": identity, "metadata": metadata, "outputs": [],
                "source": _plain(source).splitlines(keepends=True),
            })  # fmt: skip
        python = str(self.recorded.environment.get("python") or "3")
        return {
            "cells": cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python", "version": python},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }

    def _evaluations(self) -> dict[str, bytes]:
        """Return the files of the standard folders."""
        members: dict[str, bytes] = {}
        for place in self.recorded.evaluations:
            folder = Path(place)
            name = base = zips.safe(folder.name)
            number = 1
            while any(member.startswith(f"eval/{name}/") for member in members):
                number += 1
                name = f"{base}-{number}"
            if not folder.is_dir():
                self._leave(self._shown(folder), 0, "the folder of the evaluation is not there any more")
            for path in sorted(folder.rglob("*")):
                if path.is_symlink() or not path.is_file():
                    continue
                member = "/".join(["eval", name, *map(zips.safe, path.relative_to(folder).parts)])
                data = path.read_bytes()
                if archive.pickled(member, data[: archive.HEAD], len(data)):
                    self._leave(self._shown(path), len(data), "it is a pickle, which packs never carry")
                    continue
                members[member] = data
        return members

    def _study(self, member: str, data: bytes) -> None:
        """Look for secrets in the bytes of a file that may be a text."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return
        if member.endswith((".json", ".ipynb")):
            with contextlib.suppress(ValueError, RecursionError):
                self.redactor.study_json(json.loads(text))
                return
        self.redactor.study(text)

    def _look(self, name: str, data: bytes) -> bytes:
        """Look for secrets in a file of a wheel."""
        if self._key_file(name, data):
            self.redactor.study_key(data)
        self._study(name, data)
        return data

    def _key_file(self, name: str, data: bytes) -> str | None:
        """Return why a file that is made to hold a secret stays here, None for other files."""
        return "its name says that it holds a secret" if secrets.is_key_file(name, data) else None

    def _without(self, member: str, data: bytes) -> bytes:
        """Return the bytes of a file without secrets; what is no text stays as it is."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            return data
        if member.endswith((".json", ".ipynb")):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                made = self.redactor.json(member, value)
                return data if made == value else encoded(_plain(made))
        return self.redactor.text(member, text).encode("utf-8", "surrogateescape")

    # -- data ----------------------------------------------------------------------------------------

    def _study_data(self) -> None:
        """Look for secrets in every file that was read and is still there; code and outputs may tell them, too."""
        for path in sorted({file.path for file in self.recorded.files}):
            place = self._path(path)
            if place.suffix.lower() in TABLES or not place.is_file():
                continue
            with contextlib.suppress(OSError):
                if place.stat().st_size <= secrets.KEY_CAP and self._key_file(place.name, data := place.read_bytes()):
                    self.redactor.study_key(data)
                if found := self.redactor.study_file(place):
                    self.held[path] = found

    def _data(self) -> tuple[list[dict[str, Any]], dict[str, Path], dict[str, str]]:
        """Return data/index.json, the files that come along, and the digests of these."""
        chosen: dict[tuple[str, str | None], tuple[str | None, str | None]] = {}  # path, digest -> member, reason
        data: dict[str, Path] = {}
        digests: dict[str, str] = {}
        total = 0
        for file in sorted(self.recorded.files, key=lambda one: (one.size, one.path, one.digest or "")):
            member = None if file.digest is None else f"data/files/{file.digest[:2]}/{file.digest[2:]}"
            if member is not None and member in data:  # the same content as another's, which was looked through
                chosen[file.path, file.digest] = member, None
                continue
            reason = self._unfit(file, total)
            if reason is None and member is not None and file.digest is not None:
                data[member], digests[member] = self._path(file.path), file.digest
                total += file.size
                chosen[file.path, file.digest] = member, None
            else:
                chosen[file.path, file.digest] = None, reason
                self.left_out.append({
                    "path": self.redactor.text("data/index.json", file.path), "size": file.size, "reason": reason,
                })  # fmt: skip
        for path in sorted(self.redactor.partly):
            self.caveats.append(f"Not all of {self._shown(path)} was searched for passwords: it names them too often.")
        if self.closed:
            shown = ", ".join(sorted(self.closed)[:20]) + (" and others" if len(self.closed) > 20 else "")
            self.caveats.append(f"Nobody looked for secrets inside of compressed data: {shown}.")
        rows = []
        for number, file in enumerate(sorted(self.recorded.files, key=lambda one: (one.path, one.digest or ""))):
            member, reason = chosen[file.path, file.digest]
            row = {
                "path": file.path, "sha256": file.digest, "size": file.size, "found_by": file.found_by,
                "orders": list(file.orders), "dataset": file.dataset, "made": file.made, "member": member,
                "left_out": reason,
            }  # fmt: skip
            rows.append(self.redactor.json("data/index.json", _plain(row), f"/{number}"))
        return rows, data, digests

    def _unfit(self, file: FileRead, total: int) -> str | None:
        """Return why a file does not come along, None where it does."""
        if file.digest is None:
            return "its content is not known any more"
        if file.found_by == "named" and file.dataset is None:
            return "named in a cell, but nobody was seen reading it"
        if file.size > archive.SINGLE:
            return f"larger than {archive.SINGLE} bytes, which no file of a pack is"
        if total + file.size > self.max_data:
            return f"larger than what was left of {self.max_data} bytes for data"
        path = self._path(file.path)
        try:
            with path.open("rb") as opened:
                head = opened.read(archive.HEAD)
            if path.stat().st_size != file.size or file_digest(path) != file.digest:
                return "it was changed after the run read it"
            if archive.pickled(path.name, head, file.size):
                return "it is a pickle, which packs never carry"
            if path.suffix.lower() not in TABLES and file.size <= secrets.KEY_CAP:
                data = path.read_bytes()
                if reason := self._key_file(path.name, data):
                    self.redactor.removals.append(secrets.Removal(
                        "data/index.json", "file", self.redactor.text("data/index.json", file.path), None,
                    ))  # fmt: skip
                    return reason
            found = self.held.get(file.path) or self.redactor.file(path, table=path.suffix.lower() in TABLES)
        except OSError as error:
            return f"it cannot be read any more ({error.strerror or 'error'})"
        if found is not None:
            self.redactor.removals.append(secrets.Removal(
                "data/index.json", found[0], f"{self.redactor.text('data/index.json', file.path)}:{found[1]}", None,
            ))  # fmt: skip
            return f"it holds what looks like a secret ({found[0]}, line {found[1]})"
        if path.suffix.lower() in COMPRESSED:
            self.closed.append(file.path)
        if file.size > secrets.FILE_CAP:
            self.caveats.append(f"Of {file.path} the first {secrets.FILE_CAP >> 20} MiB were searched for secrets.")
        return None

    # -- environment ---------------------------------------------------------------------------------

    def _environment(self, told: lock.Told) -> dict[str, bytes]:
        environment = self.recorded.environment

        def clean(name: str, data: bytes) -> bytes | None:
            reason = self._key_file(name, data)
            if reason is None and not _is_text(data) and (found := self.redactor.in_bytes(data)):
                reason = f"it holds what looks like a secret ({found})"
            if reason is None:
                return self._without(f"env/wheels!/{name}", data)
            self._leave(f"env/wheels!/{name}", len(data), reason)
            self.redactor.removals.append(secrets.Removal(f"env/wheels!/{name}", "file", "whole", None))
            return None

        locked = lock.lock(environment, Path(self.recorded.folder), clean, told)
        self.caveats += locked.caveats
        rows = []
        for one in lock.distributions(environment):
            name = canonical(str(one["name"]))
            file = locked.wheel_of.get(name)
            row = {key: value for key, value in one.items() if key != "location"}
            row |= {"wheel": f"env/wheels/{file}" if file else None, "locked": locked.hashed.get(name, False)}
            row |= {"changed": True} if name in locked.changed else {}
            rows.append({"origin": {"kind": "unknown"}, "record": None, "editable": None, **row})
        variables = environment.get("variables") or {}
        content = {
            "python": environment.get("python"), "implementation": environment.get("implementation"),
            "variables": {name: variables[name] for name in sorted(variables) if name in surroundings.VARIABLES},
            "distributions": sorted(rows, key=lambda row: canonical(str(row["name"]))),
        }  # fmt: skip
        members = {
            "env/environment.json": encoded(self.redactor.json("env/environment.json", _plain(content))),
            "env/requirements.lock": self.redactor.known("env/requirements.lock", locked.requirements).encode(),
            "env/pylock.toml": self.redactor.known("env/pylock.toml", locked.pylock).encode(),
        }
        for file, data in locked.wheels.items():
            members[f"env/wheels/{file}"] = data
        return members


def readable(diff: str) -> tuple[str, list[tuple[str, int]]]:
    """Return git's diff without binary content, and the path and size of each file whose content was dropped."""
    dropped: list[tuple[str, int]] = []

    def told(match: re.Match[str]) -> str:
        head = diff.rfind("\ndiff --git ", 0, match.start()) + 1
        line = diff[head : diff.find("\n", head)]
        sizes = [int(size) for size in re.findall(r"(?m)^(?:literal|delta) (\d+)$", match[0])]
        dropped.append((line.rpartition(" b/")[2].rstrip('"') or line, max(sizes, default=0)))
        return "Binary files differ\n"

    lines = r"(?:(?:literal|delta) \d+\n(?:[A-Za-z][^\n]*\n)*\n?)*"
    return re.sub(rf"(?m)^GIT binary patch\n{lines}", told, diff), dropped


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _platform(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what env/platform.json tells; what was not recorded is null or empty."""
    text = str(environment.get("platform") or "")
    told = {**environment, **(environment.get("hardware") or {})}
    return {
        "platform": text or None,
        "system": told.get("system") or text.partition("-")[0] or None,
        "cores": told.get("cores", told.get("processors")),
        **{name: told.get(name) for name in ("release", "machine", "processor", "usable")},
        **{name: told.get(name) or [] for name in ("blas", "gpu")},
        "threads": told.get("threads") or {},
    }


def _randomness(recorded: Recorded) -> dict[str, Any]:
    return {
        "seed": recorded.run.get("seed"),
        "seeded": recorded.run.get("seeded") or [],
        "states": [asdict(one) for one in recorded.random],
        "draws": [asdict(one) for one in recorded.draws],
        "seeds": [asdict(one) for one in recorded.seeds],
    }


def _plain(value: Any) -> Any:
    """Return a value as strict JSON has it: numbers that JSON lacks as texts, texts that UTF-8 has."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # a number of NumPy
        return _plain(value.item())
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return _plain(str(value))


def encoded(value: Any) -> bytes:
    """Return JSON as packs have it: sorted keys, one blank of indent, UTF-8, a newline at the end."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
