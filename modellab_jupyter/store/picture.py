"""What a store looks like while another program holds its file: a copy of the file, with what the journals hold."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import threading
import time
import weakref
from contextlib import suppress
from pathlib import Path

from modellab_jupyter.errors import StoreBusyError, StoreError
from modellab_jupyter.store.backends import FileBackend

CAN_COPY_HELD = os.name != "nt"  # Windows keeps even the bytes of a file that another program holds from readers
KEPT_BYTES = 32_000_000  # the largest file of which a copy is kept after each read where it cannot be copied later
_HEADER = 3 * 4096  # bytes: DuckDB's main header and two others; a checkpoint ends by writing one of these
_PART = 1 << 20  # bytes copied at once
_TRIES = 3
_PREFIX = "modellab-picture-"
_LEFT = 86_400  # seconds after which the copy of a process that is gone is removed

# A file whose locks are POSIX record locks loses them when *any* handle of the process on it is closed, also where
# another part of the process (the user's own connection) holds it. So handles for copying are never closed.
_sources: dict[tuple[int, int], int] = {}  # device and number of a file -> a handle on it


class _Turn:
    """Who holds its lock may read by the handles, whose positions are shared."""

    lock = threading.RLock()


class Picture:
    """A private copy of a store's file, made anew when the file has changed.

    Parameters
    ----------
    path : Path
        The DuckDB file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backend: FileBackend | None = None
        self._folder: Path | None = None
        self._key: tuple[int, ...] | None = None
        self._made = 0.0

    @property
    def can_be_made(self) -> bool:
        """Whether the file can be copied while somebody holds it."""
        return CAN_COPY_HELD

    @property
    def age(self) -> float:
        """Seconds since the copy was made, 0 where it is of the file as it stands."""
        return 0.0 if self._key == _key(self.path) else time.time() - self._made

    def keep(self) -> None:
        """Copy a file that nobody holds now, where it could not be copied while somebody does."""
        if not CAN_COPY_HELD and self.path.is_file() and self.path.stat().st_size <= KEPT_BYTES:
            with _Turn.lock:
                self._refresh()

    def look(self) -> FileBackend:
        """Return the copy, which is this process's alone: of the file as it stands, else as it was when last read.

        Raises
        ------
        StoreError
            No copy could be made, now or before.
        OSError
            There is no room for one.
        """
        with _Turn.lock:
            if CAN_COPY_HELD:
                self._refresh()
        if self.backend is None:
            raise StoreBusyError(f"{self.path.name} was not read before.")
        return self.backend

    def _refresh(self) -> None:
        if self._key is not None and self._key == _key(self.path):
            return
        _sweep()
        for attempt in range(_TRIES):
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
            weakref.finalize(self, _remove, folder, os.getpid())
            key, backend = _key(self.path), FileBackend(folder / self.path.name)
            try:
                whole = self._copy(folder / self.path.name)
                if whole:
                    with backend.connect(write=True):  # it opens, and gets the schema of this version
                        pass
            except (OSError, StoreError):
                _remove(folder, os.getpid())
                if attempt == _TRIES - 1:
                    raise
            else:
                if whole:
                    self._swap(folder, backend, key)
                    return
                _remove(folder, os.getpid())
            time.sleep(0.01)
        raise StoreError(f"{self.path.name} changes too often to be copied; try again.")

    def _copy(self, target: Path) -> bool:
        """Copy the file and its write-ahead log; tell whether no checkpoint came in between.

        Until a checkpoint has ended, with a new header, nothing that the old header speaks of is overwritten.
        """
        if not self.path.exists():  # an empty store, for what the journals hold
            return True
        source = _source(self.path)
        log = self.path.with_name(self.path.name + ".wal")
        header = _read(source, 0, _HEADER)
        if log.exists():
            shutil.copyfile(log, target.with_name(target.name + ".wal"))
        with target.open("wb") as file:
            while part := _read(source, file.tell(), _PART):
                file.write(part)
        return _read(source, 0, _HEADER) == header

    def _swap(self, folder: Path, backend: FileBackend, key: tuple[int, ...]) -> None:
        old, self._folder = self._folder, folder
        self.backend, self._key, self._made = backend, key, time.time()
        if old is not None:
            _remove(old, os.getpid())


def _source(path: Path) -> int:
    """Return the handle for copying a file, which stays open."""
    stat = path.stat()
    known = _sources.get((stat.st_dev, stat.st_ino))
    if known is None:
        known = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        stat = os.fstat(known)
        _sources[stat.st_dev, stat.st_ino] = known
    return known


def _read(handle: int, position: int, count: int) -> bytes:
    os.lseek(handle, position, os.SEEK_SET)
    return os.read(handle, count)


def _key(path: Path) -> tuple[int, ...]:
    """Return what changes whenever a file or its write-ahead log does."""
    found: list[int] = []
    for part in (path, path.with_name(path.name + ".wal")):
        if part.exists():
            stat = part.stat()
            found += [stat.st_ino, stat.st_size, stat.st_mtime_ns]
    return tuple(found)


@functools.cache
def _sweep() -> None:
    """Remove the copies of processes that were killed; once for each process."""
    import psutil

    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):  # another process sweeps, too, or it is another user's
            old = folder.stat().st_mtime < time.time() - _LEFT
            if old and pid.isdecimal() and not psutil.pid_exists(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, pid: int) -> None:
    """Remove a copy, in the process that made it."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def _after_fork() -> None:
    """Give a forked child a turn that nobody has."""
    _Turn.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
