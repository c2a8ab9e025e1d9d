r"""One append-only file per writer: append, rotate, read whole records.

A record is a line: eight hexadecimal digits of its CRC-32, a space, JSON, a newline. It is given to the
operating system by one write call before `Journal.append` returns, so that a killed process loses nothing.
No lock is needed, also on a network file system: nobody else writes to the file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import threading
import time
import weakref
import zlib
from collections import Counter, deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from modellab_jupyter import schema
from modellab_jupyter.errors import tell

SEGMENT_BYTES = 8_000_000
KEPT_RECORDS = 100_000  # what is held in memory while the disk refuses to write
_PART = 1 << 18  # bytes that are read at once
LOOK_EVERY = 1_000_000_000  # nanoseconds after which a writer looks whether its segment is still there
NAME = re.compile(r"seg_[0-9a-z]+\.jsonl")  # of a segment; the copies that other programs make have others
_PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EINTR,
    errno.EAGAIN,
}  # after which a file is still good
QUIET = 60.0  # seconds without a record before a segment counts as over because its writer seems gone

_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


@cache
def host() -> str:
    """Return the name of this machine."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import socket

    return socket.gethostname()


@cache
def _started(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError, StopIteration):  # as psutil does it on Linux, without its import
        ticks = int(Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text("ascii").splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    import psutil

    return float(psutil.Process().create_time())


def process_started() -> float:
    """Return when this process started, in seconds since 1970; with the pid it names the process."""
    return _started(os.getpid())


def is_alive(pid: int, started: float) -> bool:
    """Tell whether the process `pid` of this machine that started at `started` still runs."""
    import psutil

    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - started) < 2 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # somebody else's, so it is there
        return True


class Journal:
    """The file that this process appends to; it comes into being with its first record.

    Parameters
    ----------
    folder : Path
        Where segments lie; made when the first record is written.
    segment_bytes : int
        A segment that has reached this size is closed and the next record opens another.
    """

    def __init__(self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self.path: Path | None = None
        self._segment_bytes = segment_bytes
        self._fd = -1
        self._size = 0
        self._waiting: deque[bytes] = deque()
        self._dropped: Counter[str] = Counter()
        self._looked = 0
        self._lock = threading.RLock()
        _journals.add(self)

    @property
    def waiting(self) -> int:
        """How many accepted records the disk has not taken yet."""
        return len(self._waiting)

    def dropped(self, run_id: str) -> int:
        """Return how many records of a run, or of nobody knows which, were lost since the disk refused for too long."""
        return self._dropped[run_id] + self._dropped[""]

    def append(self, event: schema.Event) -> None:
        """Hand one record to the operating system.

        Raises
        ------
        OSError
            The disk did not take it. The record is kept in memory and tried again with the next one.
        """
        body = schema.encode(event)
        line = b"%08x %b\n" % (zlib.crc32(body), body)
        with self._lock:
            try:
                if self._waiting:
                    self.flush()
                self._write(line)
            except OSError:
                if len(self._waiting) < KEPT_RECORDS:
                    self._waiting.append(line)
                else:
                    self._dropped[getattr(event, "run_id", "")] += 1
                raise
            if event.time - self._looked > LOOK_EVERY:  # after it was written, which a warning as error cannot undo
                self._look(event.time)
            if self._size >= self._segment_bytes:
                with contextlib.suppress(OSError):  # the record itself is written; the segment ends with its process
                    self.close()

    @contextlib.contextmanager
    def alone(self, seconds: float) -> Iterator[bool]:
        """Keep other threads from appending meanwhile, unless one is at it for longer than `seconds`; tell whether."""
        got = self._lock.acquire(timeout=seconds)
        try:
            yield got
        finally:
            if got:
                self._lock.release()

    def ready(self) -> None:
        """Open the segment that the next record goes to; raise OSError where that cannot be done."""
        with self._lock:
            if self._fd < 0:
                self._open()

    def flush(self) -> None:
        """Try again to write what the disk did not take before; raise OSError where it still does not."""
        with self._lock:
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()

    def close(self) -> None:
        """End the segment, so that whoever takes it in may remove it; the next record opens another."""
        with self._lock:
            self._look(time.time_ns())
            if self._fd < 0:
                return
            body = schema.encode(schema.SegmentClosed(time=time.time_ns()))
            try:
                self._write(b"%08x %b\n" % (zlib.crc32(body), body))
            finally:
                self._leave()

    def _look(self, now: int) -> None:
        """Go on in another segment where this one was removed: what is written to it no longer reaches anybody."""
        self._looked = now
        with contextlib.suppress(OSError):
            if self._fd >= 0 and os.fstat(self._fd).st_nlink == 0:
                tell(
                    f"somebody removed {self.path}, the journal of a run that is being recorded; {self._rewritten()}.",
                    stacklevel=5,
                )

    def _rewritten(self) -> str:
        """Write a segment that was removed again, by the same name, so that nobody takes a record twice; say it."""
        part = self.path.with_suffix(".part") if self.path else None
        assert part is not None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file, os.fdopen(os.dup(self._fd), "rb") as old:
                old.seek(0)
                shutil.copyfileobj(old, file)
            part.replace(path := part.with_suffix(".jsonl"))
            fd, size = os.open(path, os.O_RDWR | os.O_APPEND), self._size
        except OSError as error:
            self._leave()
            self._dropped[""] += 1
            return f"what was logged in the moments before may be lost ({error.strerror or error})"
        self._leave()
        self._fd, self._size, self.path = fd, size, path
        return "it was written again, with all it held"

    def _write(self, line: bytes) -> None:
        if self._fd < 0:
            self._open()
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            if error.errno not in _PASSING:
                self._leave()  # the file is gone for good, as on a network that came back; the next try opens another
            raise
        if written != len(line):  # a disk that fills up takes a part: take it back, so that the next line is whole
            try:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            except OSError:
                self._leave()  # the torn tail stays behind; what follows goes into another segment
            raise OSError(errno.ENOSPC, "the disk took only a part of a record", str(self.path))
        self._size += written

    def _leave(self) -> None:
        fd, self._fd, self._size, self.path = self._fd, -1, 0, None
        if fd >= 0:
            with contextlib.suppress(OSError):  # what cannot be closed is gone already
                os.close(fd)

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{schema.new_id('segment')}.jsonl"
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o666)
        self.path, self._size = path, 0
        opened = schema.SegmentOpened(
            time=time.time_ns(), host=host(), pid=os.getpid(), started=process_started(), version="1"
        )
        body = schema.encode(opened)
        try:
            self._write(b"%08x %b\n" % (zlib.crc32(body), body))
        except OSError:
            self._leave()
            path.unlink(missing_ok=True)
            raise

    def _forked(self) -> None:
        """Leave the parent's file to the parent."""
        self._lock = threading.RLock()
        self._fd, self._size, self.path = -1, 0, None
        self._waiting = deque()


def _after_fork() -> None:
    for journal in list(_journals):
        journal._forked()  # noqa: SLF001 - the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Line(NamedTuple):
    """A whole line of a segment: from where to where it reaches, and its record; None where that cannot be read."""

    start: int
    end: int
    event: schema.AnyEvent | None
    reason: str = ""  # why it cannot be read


def segments(folder: Path) -> list[Path]:
    """Return the segments in a folder, the oldest first."""
    return sorted(path for path in folder.glob("seg_*.jsonl") if NAME.fullmatch(path.name))


def strangers(folder: Path) -> list[Path]:
    """Return files that look like segments and are none, such as the copies that a program of synchronization makes."""
    return sorted(path for path in folder.glob("seg_*.jsonl*") if not NAME.fullmatch(path.name))


def lines(path: Path, start: int = 0) -> Iterator[Line]:
    """Yield the whole lines of a segment from position `start` on; a torn tail stays for the next time."""
    while True:
        with path.open("rb") as file:  # closed again, since there may be more segments than a process may open files
            file.seek(start)
            data = file.read(_PART) + file.readline()
        if not data.endswith(b"\n"):
            data = data[: data.rfind(b"\n") + 1]
        if not data:
            return
        for line in data[:-1].split(b"\n"):
            end = start + len(line) + 1
            try:
                if line[8:9] != b" " or int(line[:8], 16) != zlib.crc32(memoryview(line)[9:]):
                    raise ValueError("the check sum does not match")  # noqa: TRY301 - one boundary per line
                yield Line(start, end, schema.decode(memoryview(line)[9:]))
            except ValueError as error:
                reason = str(error)
                if "`$.event`" in reason:
                    reason = f"a later version of ModelLab wrote an event that this one does not know: {reason}"
                yield Line(start, end, None, reason)
            start = end


def line_at(path: Path, position: int) -> bytes:
    """Return the line that begins at a position of a segment, without its end."""
    with path.open("rb") as file:
        file.seek(position)
        return file.readline().removesuffix(b"\n")


def is_over(path: Path) -> bool:
    """Tell whether nobody writes to a segment any more: closed, or its writer is gone.

    A writer that seems gone must also have been quiet, since an active run writes at least its heartbeat: in another
    container of the same host name, or after the clock was set, a process that lives can look gone.
    """
    first, last = read_ends(path)
    if isinstance(last, schema.SegmentClosed):
        return True
    quiet = time.time() - path.stat().st_mtime
    if not isinstance(first, schema.SegmentOpened) or first.host != host():
        return quiet > 7 * 86_400  # another machine's: a week of silence
    return quiet > QUIET and not is_alive(first.pid, first.started)


def read_ends(path: Path) -> tuple[schema.AnyEvent | None, schema.AnyEvent | None]:
    """Return the first and the last record of a segment, None for what is torn or unreadable."""
    with path.open("rb") as file:
        head = file.readline()
        file.seek(0, os.SEEK_END)
        size = file.tell()
        file.seek(max(0, size - 512))
        tail = file.read()
    first = _one(head[:-1]) if head.endswith(b"\n") else None
    return first, _one(tail[:-1].rpartition(b"\n")[2]) if tail.endswith(b"\n") else None


def _one(line: bytes) -> schema.AnyEvent | None:
    try:
        return schema.decode(line[9:]) if int(line[:8], 16) == zlib.crc32(line[9:]) else None
    except ValueError:
        return None
