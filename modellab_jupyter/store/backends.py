"""Where SQL runs: what every place must offer, and a DuckDB file, opened for one piece of work and closed again.

One process owns a DuckDB file at a time, so a handle that is kept locks every other kernel out.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modellab_jupyter.errors import StoreBusyError, StoreError, StoreUnreadableError
from modellab_jupyter.store import migrations

if TYPE_CHECKING:
    import duckdb

STORAGE_VERSION = "v1.2.0"  # the newest format that every supported DuckDB reads and writes
BLOCK_SIZE = 16_384  # bytes; DuckDB's 262,144 make a small store twice as large, an empty one nine times
_OWN = "file handle conflict"  # DuckDB's words where this process has the file open by another connection
WAIT = 5.0  # seconds that a reader waits for another program
_JITTER = random.SystemRandom()  # so that waiters do not march in step; the global generator is the user's
_SANDBOX = {
    "python_enable_replacements": "false",  # else a query could read the caller's variables
    "enable_external_access": "false",
    "lock_configuration": "true",
}


class Backend(Protocol):
    """What a store needs of the place where its data lives."""

    def exists(self) -> bool:
        """Tell whether there is anything to read yet."""

    def connect(
        self, *, write: bool, wait: float | None = None, sealed: bool = False
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Give a connection whose default catalogue is the store.

        With `write`, alone among all writers; `sealed`, for a query of the user's own, without files or the network.
        """

    def stamp(self) -> Any:
        """Return what differs whenever something was committed."""

    def forked(self) -> None:
        """Give a forked child what is its own."""


_backends: weakref.WeakSet[Backend] = weakref.WeakSet()


def track(backend: Backend) -> None:
    """Tell a backend when this process has been forked."""
    _backends.add(backend)


class FileBackend:
    """A DuckDB file. Connections of one process take turns; those of several wait for each other.

    Parameters
    ----------
    path : Path or None
        The file; None keeps everything in memory, for tests and for reading a store that is not there yet.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._memory: duckdb.DuckDBPyConnection | None = None
        self._current = False
        self._engine: duckdb.DuckDBPyConnection | None = None  # kept, since starting one takes ten times an ATTACH
        self._used = False
        track(self)

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self._memory is not None if self.path is None else self.path.is_file()

    @contextmanager
    def connect(
        self, *, write: bool, wait: float | None = None, sealed: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for one piece of work.

        Parameters
        ----------
        write : bool
            Whether rows will change; the file is made then if it is not there.
        wait : float, optional
            Seconds to wait for another program, by default `WAIT`.
        sealed : bool
            Whether it is for a query of the user's own, without files or the network; its engine ends with it.

        Raises
        ------
        StoreBusyError
            Another program held the file for `wait` seconds; the message names it.
        StoreNewerError, StoreUnreadableError, StoreError
            The file cannot be used.
        """
        with self._turn:
            if self.path is None:
                self._memory = self._memory or _empty()
                if sealed:
                    seal(self._memory)
                yield self._memory
                return
            if not (write or self.exists()):
                with _empty() as nothing:
                    if sealed:
                        seal(nothing)
                    yield nothing
                return
            kept, self._engine = self._engine, None if sealed else self._engine
            con: duckdb.DuckDBPyConnection | None = None
            self._used = clean = True
            try:
                con = self._open(self.path, write=write, wait=WAIT if wait is None else wait)
                if sealed:
                    seal(con)
                yield con
            except BaseException as error:
                clean = False
                if is_of_file(error):
                    raise _translated(error, self.path) from error
                raise
            finally:
                if con is not None:
                    self._release(con, keep=clean and not sealed)
                self._engine = kept if sealed else self._engine
                self._used = False

    def warm(self) -> None:
        """Start the engine, so that the next use need not."""
        with self._turn:
            if self.path is not None and self._engine is None:
                self._engine = _engine()

    def _release(self, con: duckdb.DuckDBPyConnection, *, keep: bool = True) -> None:
        """Close the file, so that others can have it; the engine is kept unless it cannot let go of the file."""
        import duckdb

        con.close()
        if self._engine is not None and keep:
            try:
                self._engine.execute("DETACH DATABASE IF EXISTS store")
            except duckdb.Error:
                keep = False
        if self._engine is not None and not keep:
            self._engine.close()
            self._engine = None

    def stamp(self) -> Any:
        """Return the file's time and size."""
        if self.path is None:
            return None
        with suppress(FileNotFoundError):
            stat = self.path.stat()
            return stat.st_mtime_ns, stat.st_size

    def forking(self) -> None:
        """End the engine before a fork where nobody uses it: a child has none of its threads."""
        if self._turn.acquire(blocking=False):
            if self._engine is not None and not self._used:
                self._engine.close()
                self._engine = None
            self._turn.release()

    def forked(self) -> None:
        """Give a forked child a turn that nobody has, and no engine: its threads stayed with the parent."""
        import ctypes

        self._turn = threading.RLock()
        self._used = False
        if self._engine is not None:  # ending it would wait for threads that are not there
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._engine))
            self._engine = None

    def _open(self, path: Path, *, write: bool, wait: float) -> duckdb.DuckDBPyConnection:
        if write:
            path.parent.mkdir(parents=True, exist_ok=True)
        con = self._attach(path, write=write, wait=wait)
        try:
            if write:
                migrations.apply(con)
            elif not self._current and not migrations.is_current(con):
                self._release(con)
                con = self._attach(path, write=True, wait=wait)
                migrations.apply(con)
            self._current = True
        except BaseException:
            self._release(con)
            raise
        return con

    def _attach(self, path: Path, *, write: bool, wait: float) -> duckdb.DuckDBPyConnection:
        import duckdb

        options = "READ_WRITE" if write else "READ_ONLY"
        if write and not self.exists():  # a file that is there keeps its own
            options = f"STORAGE_VERSION '{STORAGE_VERSION}', BLOCK_SIZE {BLOCK_SIZE}"
        quoted = str(path).replace("'", "''")
        end = time.monotonic() + wait
        pause = 0.005
        while True:
            seen = _number(path)
            if self._engine is None:
                self._engine = _engine()
            con = self._engine.cursor()
            try:
                con.execute(f"ATTACH '{quoted}' AS store ({options})")
                con.execute("USE store")
            except duckdb.Error as error:
                self._release(con)
                if not _is_lock(error):
                    raise _translated(error, path) from error
                if time.monotonic() + pause > end:
                    raise StoreBusyError(
                        f"{path.name} is held by {_holder(error)}; "
                        "close it there or try again; what you log meanwhile is kept and arrives later."
                    ) from error
                time.sleep(pause * _JITTER.uniform(0.5, 1.5))
                pause = min(pause * 1.6, 0.2)
            else:
                if seen in {None, _number(path)}:
                    return con
                self._release(con)  # another took its place while it was opened: what the old one gets reaches nobody


def size(path: Path) -> int | None:
    """Return a file's bytes, None where it is not there: others replace and remove files at any time."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _number(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that takes its place, None where it is not there."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _before_fork() -> None:
    for backend in list(_backends):
        if isinstance(backend, FileBackend):
            backend.forking()


def _after_fork() -> None:
    for backend in list(_backends):
        backend.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def _engine() -> duckdb.DuckDBPyConnection:
    """Return a DuckDB that has no file yet."""
    import duckdb

    return duckdb.connect(":memory:", config={"threads": str(min(4, os.cpu_count() or 1))})


def seal(con: duckdb.DuckDBPyConnection) -> None:
    """Take away files and the network from a connection, for ever."""
    if con.execute("SELECT current_setting('lock_configuration')").fetchall() == [(False,)]:
        for setting, value in _SANDBOX.items():
            con.execute(f"SET {setting} = {value}")


def _empty() -> duckdb.DuckDBPyConnection:
    """Return a store in memory with nothing in it."""
    import duckdb

    con = duckdb.connect(":memory:")
    migrations.apply(con)
    return con


def is_of_file(error: BaseException) -> bool:
    """Tell whether an error speaks of the file or the disk, not of a query or of what an event holds."""
    import duckdb

    return not isinstance(error, StoreError) and (
        isinstance(
            error,
            (
                OSError,
                duckdb.IOException,
                duckdb.FatalException,
                duckdb.SerializationException,
                duckdb.TransactionException,  # a commit for which the disk has no room
            ),
        )
        or "Corrupt database" in str(error)
    )


def _is_lock(error: Exception) -> bool:
    text = str(error)
    return "lock on file" in text or "being used by another process" in text or _OWN in text


def _holder(error: Exception) -> str:
    """Say who holds the file, as far as DuckDB knows."""
    if _OWN in str(error):
        return "a connection that was opened in this process"
    found = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
    return f"another program (process {found[2]}, {Path(found[1]).name})" if found else "another program"


def _translated(error: BaseException, path: Path) -> StoreError:
    text = str(error).splitlines()[0]
    if "newer" in text and "version" in text:
        return StoreUnreadableError(f"{path.name} was written by a newer DuckDB; upgrade duckdb to read it ({text}).")
    if (
        "not a valid DuckDB" in text
        or "corrupt" in text.lower()
        or "not read enough bytes" in text
        or "Serialization" in text
        or "checksum" in text.lower()
    ):
        return StoreUnreadableError(
            f"{path.name} is not a readable DuckDB file ({text}); "
            "modellab doctor --repair saves what can be read and keeps the file."
        )
    return StoreError(
        f"{path.name} cannot be used ({text}); check the folder's permissions and the disk, or choose another store."
    )
