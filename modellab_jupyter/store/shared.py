"""Stores that several machines share: the same tables and verbs, with the files carried along.

Journals stay on the machine that writes them until they are taken. Bytes (blobs, evaluation folders) are written there
first, too, and go into the shared store in the transaction that takes the event which names them; another machine
fetches what it reads, once.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import config, schema
from modellab_jupyter.blobs import Blobs, fault
from modellab_jupyter.errors import DamagedError, InputError, NotFoundError, tell
from modellab_jupyter.store import Health, Store, queries, upkeep
from modellab_jupyter.store import bin as bin_
from modellab_jupyter.store.intake import Intake
from modellab_jupyter.store.lake import LakeBackend

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

PART = 4 << 20  # bytes of one row of the table `files`
_PATH = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{62}|evaluations/[^/\\\0]+(/[^/\\\0]+)+")


def open_store(settings: config.Settings) -> Store:
    """Return the store that settings name."""
    match settings.shared:
        case config.Lake():
            return LakeStore(settings.shared, settings.files)
        case config.Server():
            from modellab_jupyter.store.quack import ServedStore

            return ServedStore(settings.shared, settings.files)
        case None:
            return Store(settings.store, settings.files)


def is_path(name: str) -> bool:
    """Tell whether a name is one that a file of a store can have: a blob's, or one below an evaluation's folder."""
    return _PATH.fullmatch(name) is not None and not {".", ".."} & set(name.split("/"))


def named(events: Iterable[schema.AnyEvent], blobs: Blobs, files: Path) -> Iterator[str]:
    """Yield the files that events name and that are here: blobs, members of folders, evaluation folders."""
    for event in events:
        if not isinstance(
            event, schema.ArtifactLogged | schema.EvaluationLogged | schema.DatasetAdded | schema.SurroundingsSeen
        ):
            continue
        digests = [v for v in (getattr(event, f) for f in event.__struct_fields__) if _is_digest(v)]
        there = [digest for digest in digests if _is_sound(blobs, digest)]
        if isinstance(event, schema.ArtifactLogged) and event.kind == "folder" and event.digest in there:
            there += [d for m in blobs.members(event.digest) if _is_sound(blobs, d := str(m["digest"]))]
        yield from map(blob_name, there)
        if isinstance(event, schema.EvaluationLogged):
            for path in sorted((files / event.folder).rglob("*")):
                if path.is_file():
                    yield path.relative_to(files).as_posix()


def blob_name(digest: str) -> str:
    """Return the name of a blob among the files."""
    return f"blobs/{digest[:2]}/{digest[2:]}"


def _is_sound(blobs: Blobs, digest: str) -> bool:
    """Tell whether a blob is here to go along; a damaged one is told and holds nothing else back."""
    path = blobs.path(digest)
    if not path.is_file():
        return False
    reason = fault(path, digest)
    if reason is not None:
        told = f"stored bytes were not sent along: {path} {reason}; restore them from a copy and log them again."
        tell(told, stacklevel=6)
    return reason is None


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


class _SharedBlobs(Blobs):
    """Blobs of which some lie in the shared store until they are asked for."""

    def __init__(self, folder: Path, store: SharedStore) -> None:
        super().__init__(folder)
        self._store = store

    def near(self, digest: str) -> Path:
        """Return the path of a blob, fetched if need be and if the store has it."""
        path = self.path(digest)
        if not path.is_file():
            self._store.fetch([blob_name(digest)])
        return path


class SharedStore(Store):
    """What all shared stores do alike.

    Parameters
    ----------
    shared : config.Server or config.Lake
        Where the tables are.
    files : Path
        The folder of this machine: journals that wait, and copies of files.
    """

    def __init__(self, shared: config.Server | config.Lake, files: Path) -> None:
        super().__init__(None, files)
        self.shared = shared
        self.blobs = _SharedBlobs(files / "blobs", self)

    def fetch(self, names: Sequence[str]) -> None:
        """Copy files of the shared store to this machine; those that it does not have stay away."""
        raise NotImplementedError

    def below(self, folder: str) -> list[str]:
        """Return the names of the shared store's files below a folder."""
        raise NotImplementedError

    def folder(self, name: str) -> Path:
        """Return an evaluation's folder, fetched if need be."""
        if not (self.files / name).is_dir():
            self.fetch(self.below(name))
        return self.files / name

    def health(self) -> Health:
        """Return the state of the store, of the journals that wait here, and what could not be read."""
        return replace(super().health(), path=str(self.shared))

    def compact(self) -> tuple[int, int]:
        """Refuse: who holds the file can do it."""
        raise InputError(
            f"{self.shared} is compacted where its file is; stop modellab serve there, then modellab compact."
        )


class LakeStore(SharedStore):
    """A store in a DuckLake; the bytes of files stand in its table ``files``, in parts."""

    def __init__(self, shared: config.Lake, files: Path) -> None:
        super().__init__(shared, files)
        self._lake = LakeBackend(shared)
        self._backend = self._lake
        self._intake = Intake(self.journals, self._carry, has_all=False)

    def _carry(self, con: duckdb.DuckDBPyConnection, events: Iterable[schema.AnyEvent]) -> None:
        self._bring_files(con, list(dict.fromkeys(named(events, self.blobs, self.files))))

    def _bring_files(self, con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
        if not names:
            return
        there = "SELECT DISTINCT path FROM files WHERE list_contains(?::VARCHAR[], path)"
        known = {str(row[0]) for row in con.execute(there, [names]).fetchall()}
        for name in names:
            if name in known:
                continue
            with (self.files / name).open("rb") as file:
                number, data = 0, file.read(PART)
                while data or not number:  # an empty file has one part
                    con.execute("INSERT INTO files VALUES (?, ?, ?)", [name, number, data])
                    number, data = number + 1, file.read(PART)

    def fetch(self, names: Sequence[str]) -> None:
        """Copy files of the lake to this machine."""
        with self._lake.connect(write=False) as con:
            for name in names:
                numbers = con.execute("SELECT part FROM files WHERE path = ? ORDER BY part", [name]).fetchall()
                one = "SELECT bytes FROM files WHERE path = ? AND part = ?"
                if numbers:
                    self.place(name, (con.execute(one, [name, n]).fetchall()[0][0] for (n,) in numbers))

    def below(self, folder: str) -> list[str]:
        """Return the names of the lake's files below a folder."""
        with self._lake.connect(write=False) as con:
            found = con.execute(
                "SELECT DISTINCT path FROM files WHERE starts_with(path, ?) ORDER BY path", [folder + "/"]
            ).fetchall()
        return [str(row[0]) for row in found]

    def compact(self) -> tuple[int, int]:
        """Put small files together and remove what no snapshot of the last day needs; see `Store.compact`."""
        self.ingest()
        before = sum(row["bytes"] for row in self._tables())
        self._lake.compact()
        return before, sum(row["bytes"] for row in self._tables())

    def storage(self) -> list[dict[str, Any]]:
        """Return what takes space in the lake, and on this machine; see `Store.storage`."""
        self.ingest()
        return [*self._tables(), *upkeep.beside(None, self.files)]

    def _tables(self) -> list[dict[str, Any]]:
        with self._lake.connect(write=False) as con:
            return upkeep.in_lake(con)

    def sql(self, query: str, params: Any = None) -> pa.Table:
        """Run one SELECT over the lake's tables; see `Store.sql`."""
        with self._lake.connect(write=False) as con:
            self._lake.refuse(con, query)
        return super().sql(query, params)

    def in_trash(self) -> bin_.Contents:
        """Return what emptying the trash destroys in the lake; see `bin.contents`."""
        objects, kept, wanted, listings, folders = self.read(bin_.look)
        try:
            for digest in listings:
                wanted |= {str(member["digest"]) for member in self.blobs.members(digest)}
        except (DamagedError, NotFoundError):  # then nobody can tell what belongs to it, and every file stays
            return bin_.Contents(objects, 0, 0, 0, kept)
        with self._lake.connect(write=False) as con:
            gone = _unwanted(con, wanted, folders)
        return bin_.Contents(objects, len(gone), sum(gone.values()), 0, kept)

    def collect(self) -> tuple[int, int]:
        """Remove files that nothing refers to, from the lake and from this machine; see `Store.collect`."""
        count, size = super().collect()
        with self._lake.connect(write=True) as con:
            digests, folders = queries.references(con)
            lists = con.execute("SELECT digest FROM artifacts WHERE kind = 'folder'").fetchall()
            try:
                for (digest,) in lists:
                    digests |= {str(member["digest"]) for member in self.blobs.members(digest)}
            except (DamagedError, NotFoundError):  # told already; nobody knows what belongs to that folder
                return count, size
            gone = _unwanted(con, digests, folders)
            if gone:
                con.execute("DELETE FROM files WHERE list_contains(?::VARCHAR[], path)", [list(gone)])
        for name in gone:  # what lay here as a copy is counted once
            path = self.files / name
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - bin_.YOUNG:  # a run may be about to name it again
                    path.unlink()
        return max(count, len(gone)), max(size, sum(gone.values()))


def _unwanted(con: duckdb.DuckDBPyConnection, digests: set[str], folders: set[str]) -> dict[str, int]:
    """Return the lake's files that are no wanted blob and in no wanted folder, with their bytes."""
    wanted = {blob_name(digest) for digest in digests}
    found = con.execute("SELECT path, sum(octet_length(bytes))::BIGINT FROM files GROUP BY path").fetchall()
    return {
        str(path): int(held)
        for path, held in found
        if path not in wanted and "/".join(str(path).split("/")[:2]) not in folders
    }
