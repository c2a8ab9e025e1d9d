"""Files that are read while cells run: by an audit hook, by readers that it cannot see, by texts that name them.

The hook looks at a file when it is opened for reading; its digest is made later, in a thread, and is only believed
where the file is then still the one that was opened. What the process wrote itself is no input.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import re
import stat
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any, NamedTuple

from modellab_jupyter import imports, schema

PATIENCE = 1.0  # seconds that a cell runs undisturbed; what it reads then waits for its end, or for what it reads later
AT_ONCE = 4 << 20  # bytes of a file that is hashed on the spot, since the process is about to write to it
LARGEST = 2 << 30  # bytes of a file that has a digest
ALL = 16 << 30  # bytes of all files of a cell, or of a script, that have one
MEMBERS = 10_000  # files of a folder, a pattern or a list that are looked at
PASSED = 100_000  # entries of folders that are passed by in search of them
BEFORE = 100  # files of a list that are looked at before they are read; the others beside
LONGEST = 1024  # letters of a text that may name a file
KNOWN = 100_000  # digests that are remembered
AT_MOST = 1_000  # files of one record
CHUNK = 1 << 20
_WRITES = os.O_WRONLY | os.O_RDWR
_DATABASES = (".duckdb", ".db", ".sqlite", ".sqlite3", ".db3", ".gpkg")
_SKIPPED = (".pyc", ".pyo", ".so", ".pyd", ".dll", ".dylib", ".lock", "-wal", "-shm", "-journal", ".wal")
_ELSEWHERE = re.compile(r"[a-zA-Z][\w+.-]+://|data:")
_TEXT = re.compile(r"""'([^'\n]{1,1024})'|"([^"\n]{1,1024})\"""")
_PATTERN = re.compile(r"[*?\[]")
_HASH = "import hashlib,sys;print(hashlib.file_digest(open(sys.argv[1],'rb'),'sha256').hexdigest())"


class _Own(str):
    """A path that this module opens; the hook looks away."""

    __slots__ = ()


class _Opened(NamedTuple):
    """A file as it was when it was opened."""

    path: str
    size: int
    modified: int
    inode: int
    position: int
    found_by: str


class _Several(NamedTuple):
    """Folders, patterns and files that a reader was given at a time (ns), absolute; what they name is told later."""

    texts: tuple[str, ...]
    position: int
    found_by: str
    given: int


class _Over(NamedTuple):
    """A cell that is over: its text, its position, the folder then, and the files that it wrote."""

    source: str
    position: int
    folder: str
    fresh: set[str]


class _Mark(threading.Event):
    """A place in the queue: set when all before it is recorded; what has no digest at a time then goes without."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


class _Hook:
    """The audit hook of this process, which Python never takes back, and whoever it tells."""

    listener: Reads | None = None
    installed = False
    error: Exception | None = None  # the first slip of ours, until it is told


def _audit(event: str, args: Any) -> None:
    listener = _Hook.listener
    if listener is None:
        return
    try:
        if event == "open":
            listener.opened(args[0], args[2])
        elif event == "os.rename":
            listener.renamed(args[0], args[1])
        elif event == "sqlite3.connect":
            listener.saw(args[0], "sqlite3", locks=True)
    except (OSError, ValueError):  # no such file, or no path at all: the user's own call tells that
        pass
    except Exception as error:  # noqa: BLE001 - raised here it would be one of the user's own call; `slip` tells it
        _Hook.error = _Hook.error or error


def slip() -> Exception | None:
    """Return the first error of ours since the last question, because of which a file that was read may be missing."""
    error, _Hook.error = _Hook.error, None
    return error


class Reads:
    """Turns files that were read into events.

    Parameters
    ----------
    session_id : str
    now : callable
        Returns the position of the cell that runs.
    write : callable
        Takes each event, on a thread of its own.
    ignored : iterable of str
        Files and folders that are nobody's input: the store, caches.
    """

    def __init__(
        self,
        session_id: str,
        now: Callable[[], int],
        write: Callable[[schema.FilesRead], None],
        ignored: Iterable[str] = (),
    ) -> None:
        self._session_id = session_id
        self._now = now
        self.write = write
        self.folder = os.getcwd()  # noqa: PTH109 - a text, as all paths here
        self._off = _outside(self.folder, ignored)
        self._since = 0
        self._seen: set[Any] = set()  # in this cell
        self._away: set[int] = set()  # threads whose reading is of no interest
        self._written: dict[str, tuple[int, int] | None] = {}  # with size and time (ns) that it was left with
        self._hashed = 0  # bytes, in this cell
        self._fresh: set[str] = set()  # of these, those that the process may still be writing to
        self._locked: set[str] = set()  # databases that this process may hold a lock on
        self._waiting: dict[str, _Opened] = {}  # opened and not hashed, by path
        self._early: dict[_Opened, str | None] = {}  # hashed before the process wrote to it
        self._queue: deque[Any] = deque()
        self._marks: list[_Mark] = []  # in the queue
        self._wake = threading.Event()  # a thread that wakes up costs whoever computes more than all the rest
        self._quiet: float = 0  # until when nobody is woken
        self._thread: threading.Thread | None = None
        self._digests: dict[tuple[str, int, int, int], str | None] = {}
        self._modules: dict[str, _Opened] = {}

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen from now on; a second call changes nothing."""
        if _Hook.listener is self:
            return
        self._since = time.time_ns()
        self.folder = os.getcwd()  # noqa: PTH109
        _Hook.listener = self
        if not _Hook.installed:
            _Hook.installed = True
            sys.addaudithook(_audit)
        for name, readers in _READERS.items():
            imports.when(name, functools.partial(_watch, readers=readers))

    def ignore(self, places: Iterable[str]) -> None:
        """Take further files and folders for nobody's input."""
        self._off = (*self._off, *places)

    def stop(self) -> None:
        """Listen no longer; what was seen is still recorded."""
        if _Hook.listener is self:
            _Hook.listener = None
            imports.forget()
            _unwatch()
        self._queue.append(None)
        self._wake.set()

    def begin(self) -> None:
        """Something begins to run: a file that it reads is seen again."""
        self._seen.clear()
        self._hashed = 0
        self._quiet = time.monotonic() + PATIENCE

    def over(self, source: str, position: int, *, idle: bool) -> None:
        """Look at what a cell that is over read and at the files that its text names; at once where all is `idle`."""
        try:
            folder = os.getcwd()  # noqa: PTH109
        except OSError:  # somebody removed it
            folder = self.folder
        fresh, self._fresh = self._fresh, set()
        self._put(_Over(source, position, folder, fresh))
        if idle:
            self.look()

    def look(self) -> None:
        """Have the thread look now at what was read."""
        self._quiet = 0
        if self._queue:
            self._wake.set()

    def settle(self, seconds: float, give_up: float | None = None) -> bool:
        """Wait until what was read so far is recorded, at most `seconds`; tell whether it is.

        What has no digest after `give_up` seconds, where they are given, is recorded without.
        """
        mark = _Mark(math.inf if give_up is None else time.monotonic() + give_up)
        until = time.monotonic() + seconds
        self._marks.append(mark)
        self._queue.append(mark)
        self._wake.set()
        while not mark.is_set():
            if self._thread is None or not self._thread.is_alive():  # it may have ended before it saw the mark
                self._batch()
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            mark.wait(min(left, 0.1))
        return True

    # -- what is seen: on the user's thread, within microseconds ---------------------------------

    @contextmanager
    def away(self) -> Iterator[None]:
        """Look away while this thread reads what is kept as a result."""
        me = threading.get_ident()
        self._away.add(me)
        try:
            yield
        finally:
            self._away.discard(me)

    def opened(self, path: Any, flags: int) -> None:
        """Note that a file is about to be opened."""
        if self._away and threading.get_ident() in self._away:
            return
        if type(path) is not str:
            if isinstance(path, int | _Own):
                return
            path = os.fsdecode(path)
        if path.startswith(self._off):
            return
        if flags & _WRITES:
            self._writes(path, truncates=bool(flags & os.O_TRUNC), reads=bool(flags & os.O_RDWR))
        elif path not in self._seen:
            if len(self._seen) >= KNOWN:  # a script is one long cell
                self._seen.clear()
            self._seen.add(path)
            self._look(path, "open")

    def renamed(self, old: Any, new: Any) -> None:
        """Follow a file that the process wrote to its other name."""
        old, new = (os.path.abspath(os.fsdecode(one)) for one in (old, new))  # noqa: PTH100
        self._before_writing(new)
        if old in self._written:
            self._wrote(new)

    def saw(self, source: Any, found_by: str, *, locks: bool = False) -> None:
        """Note a file, a folder, a pattern, or several, that a reader was given; it may hold `locks` on them."""
        several = source if isinstance(source, list | tuple) else (source,)
        beside: list[str] = []
        for count, one in enumerate(several[:MEMBERS]):
            if not isinstance(one, str | os.PathLike):  # these are data
                break
            text = os.fsdecode(one).removeprefix("file://")
            if len(text) > LONGEST or _ELSEWHERE.match(text) or "\n" in text or "\0" in text:
                continue
            text = os.path.expanduser(text)  # noqa: PTH111
            if (text, found_by) in self._seen:
                continue
            self._seen.add((text, found_by))
            if count >= BEFORE or not self._saw(text, found_by, locks=locks):
                beside.append(os.path.abspath(text))  # noqa: PTH100
        if beside:
            self._put(_Several(tuple(beside), self._now(), found_by, time.time_ns()))

    def _saw(self, text: str, found_by: str, *, locks: bool) -> bool:
        """Look at what is one file or nothing; False where it may be several."""
        try:
            there = os.stat(text)  # noqa: PTH116
        except OSError:
            return _PATTERN.search(text) is None
        if stat.S_ISDIR(there.st_mode):
            return False
        if locks:
            self._locked.add(os.path.abspath(text))  # noqa: PTH100
        if text not in self._seen:
            self._seen.add(text)
            self._look(text, found_by)
        return True

    def _look(self, path: str, found_by: str) -> None:
        there = os.stat(path)  # noqa: PTH116 - what is not there raises, which nobody sees
        if not stat.S_ISREG(there.st_mode):
            return
        if path[:1] != os.sep or "./" in path:  # joining is half the work of making it absolute
            plain = "./" not in path and os.sep == "/"
            path = f"{os.getcwd()}/{path}" if plain else os.path.abspath(path)  # noqa: PTH100, PTH109
        if self._counts(path, there):
            self._note(_Opened(path, there.st_size, there.st_mtime_ns, there.st_ino, self._now(), found_by))

    def _counts(self, path: str, there: os.stat_result) -> bool:
        """Tell whether an absolute path may be an input."""
        return not (
            path.startswith(self._off) or path.endswith(_SKIPPED) or "__pycache__" in path or self._ours(path, there)
        )

    def _ours(self, path: str, there: os.stat_result) -> bool:
        """Tell whether this process wrote a file and nobody else has since."""
        if path not in self._written:
            return False
        left = self._written[path]
        return left is None or left == (there.st_size, there.st_mtime_ns)

    def _note(self, opened: _Opened) -> None:
        self._waiting[opened.path] = opened
        self._put(opened)

    def _put(self, item: Any) -> None:
        self._queue.append(item)
        if self._quiet < time.monotonic():
            self._wake.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="modellab-reads", daemon=True)
            with suppress(RuntimeError):  # the process ends, and whoever ends it settles
                self._thread.start()

    def _writes(self, path: str, *, truncates: bool, reads: bool) -> None:
        path = os.path.abspath(path)  # noqa: PTH100
        if path.startswith(self._off):
            return
        if reads and not truncates and path not in self._seen:
            self._seen.add(path)
            with suppress(OSError):
                self._look(path, "open")
        self._before_writing(path)
        self._wrote(path)

    def _before_writing(self, path: str) -> None:
        """Tell the digest of a file that was read while it is still there."""
        opened = self._waiting.get(path)
        if opened is not None and opened.size <= AT_ONCE and not self._is_database(path):
            self._early[opened] = _digest(opened)

    def _is_database(self, path: str) -> bool:
        return path in self._locked or path.endswith(_DATABASES)

    def wrote(self, target: Any) -> None:
        """Note a file that something wrote which the hook cannot see."""
        if isinstance(target, str | os.PathLike):
            self._wrote(os.path.abspath(os.fsdecode(target)))  # noqa: PTH100

    def _wrote(self, path: str) -> None:
        if len(self._written) >= KNOWN:
            self._written.clear()
            self._fresh.clear()
        self._written[path] = None
        self._fresh.add(path)

    # -- what becomes of it: on a thread ---------------------------------------------------------

    def _work(self) -> None:
        goes_on = True
        while goes_on:
            self._wake.wait()
            self._wake.clear()
            goes_on = self._batch()

    def _batch(self) -> bool:
        """Record what waits; False where that was the end."""
        items: list[Any] = []
        with suppress(IndexError):  # there is no more
            while True:
                items.append(self._queue.popleft())
        found: dict[int, list[schema.FileSeen]] = {}
        code = _sources() if any(isinstance(i, _Opened) and i.path.endswith(".py") for i in items) else set()
        for item in items:
            with suppress(Exception):  # one file that cannot be told leaves the others
                if isinstance(item, _Opened):
                    if item.found_by == "open" and item.path in code:  # it was imported
                        continue
                    found.setdefault(item.position, []).append(self._told(item))
                elif isinstance(item, _Several):
                    there = found.setdefault(item.position, [])
                    there += map(self._told, self._members(item))
                elif isinstance(item, _Over):
                    self._left(item.fresh)
                    there = found.setdefault(item.position, [])
                    known = {file.path for file in there}
                    there += [self._told(one) for one in self._named(*item[:3]) if one.path not in known]
                elif isinstance(item, _Mark):
                    self._write(found)
                    found = {}
                    self._marks.remove(item)
            if isinstance(item, _Mark):
                item.set()
        self._write(found)
        return None not in items

    def _write(self, found: dict[int, list[schema.FileSeen]]) -> None:
        for position, files in found.items():
            for start in range(0, len(files), AT_MOST):
                with suppress(Exception):  # the journal keeps what the disk refuses, and says so elsewhere
                    self.write(
                        schema.FilesRead(
                            time=time.time_ns(), session_id=self._session_id, position=position,
                            files=files[start : start + AT_MOST],
                        )
                    )  # fmt: skip

    def _late(self) -> bool:
        """Tell whether what is being looked at was wanted by a time that is over."""
        now = time.monotonic()
        return any(mark.until < now for mark in tuple(self._marks))

    def _members(self, several: _Several) -> Iterator[_Opened]:
        """Yield the files that were there when a reader was given folders and patterns; late ones have no digest."""
        count = 0
        for text in several.texts:
            for path in _members(text, self._late):
                if count >= MEMBERS:
                    return
                with suppress(OSError):
                    there = os.stat(path)  # noqa: PTH116
                    if stat.S_ISREG(there.st_mode) and self._counts(path, there):
                        count += 1
                        inode = there.st_ino if there.st_mtime_ns <= several.given else -1  # of none: it is another now
                        yield _Opened(path, there.st_size, there.st_mtime_ns, inode, several.position, several.found_by)

    def _left(self, fresh: set[str]) -> None:
        """Note how the files that a cell wrote were left; those that are open still are looked at later."""
        held = _held() if fresh else fresh
        self._fresh |= fresh & held
        for path in fresh - held:
            with suppress(OSError):
                there = os.stat(path)  # noqa: PTH116
                self._written[path] = there.st_size, there.st_mtime_ns
                if path in self._fresh:  # it is written again
                    self._written[path] = None

    def _forked(self) -> None:
        self._queue, self._wake, self._thread, self._marks = deque(), threading.Event(), None, []

    def _told(self, opened: _Opened) -> schema.FileSeen:
        key = opened[:4]
        if key not in self._digests:
            if len(self._digests) >= KNOWN:
                self._digests.clear()
            early = self._early.pop(opened, None)
            digest = early
            if early is None and opened.size <= min(LARGEST, ALL - self._hashed) and not self._late():
                self._hashed += opened.size
                digest = (_digest_apart if self._is_database(opened.path) else _digest)(opened, self._late)
            if digest is not None:
                self._digests[key] = digest
        if self._waiting.get(opened.path) == opened:
            del self._waiting[opened.path]
        return schema.FileSeen(
            path=opened.path, size=opened.size, modified=opened.modified, found_by=opened.found_by,
            digest=self._digests.get(key), made=opened.modified > self._since and opened.found_by != "import",
        )  # fmt: skip

    def _named(self, source: str, position: int, folder: str) -> Iterator[_Opened]:
        """Yield the files that texts of a cell name and that were there before it."""
        for text in dict.fromkeys(one or other for one, other in _TEXT.findall(source)):
            if not ("." in text or "/" in text) or _ELSEWHERE.match(text):
                continue
            with suppress(OSError, ValueError):
                path = os.path.abspath(os.path.join(folder, os.path.expanduser(text)))  # noqa: PTH100, PTH111, PTH118
                there = os.stat(path)  # noqa: PTH116
                if stat.S_ISREG(there.st_mode) and there.st_mtime_ns <= self._since and self._counts(path, there):
                    yield _Opened(path, there.st_size, there.st_mtime_ns, there.st_ino, position, "named")

    # -- modules ---------------------------------------------------------------------------------

    def modules(self) -> None:
        """Note the local modules that are imported: neither the standard library's nor an installed package's."""
        for name, module in list(sys.modules.items()):
            if type(module) is not ModuleType or name == "__main__":
                continue
            path = module.__dict__.get("__file__")
            if type(path) is not str or path.startswith(self._off) or path.endswith(_SKIPPED[:2]):
                continue
            with suppress(OSError, ValueError):
                path = os.path.abspath(path)  # noqa: PTH100
                there = os.stat(path)  # noqa: PTH116
                opened = _Opened(path, there.st_size, there.st_mtime_ns, there.st_ino, self._now(), "import")
                known = self._modules.get(path)
                if known is None or known[:4] != opened[:4] or known.position > opened.position:
                    self._modules[path] = opened
                    if not path.startswith(self._off):
                        self._put(opened)


def _sources() -> set[str]:
    """Return the files that modules were made from."""
    files = (module.__dict__.get("__file__") for module in list(sys.modules.values()) if type(module) is ModuleType)
    return {os.path.abspath(path) for path in files if isinstance(path, str)}  # noqa: PTH100


def _never() -> bool:
    return False


def _digest(opened: _Opened, late: Callable[[], bool] = _never) -> str | None:
    """Return the SHA-256 of a file, None where it is not what was opened, or too `late`."""
    import hashlib  # loads OpenSSL, which takes a third of the time to the first metric

    try:
        with open(_Own(opened.path), "rb", buffering=0) as file:  # noqa: PTH123 - a path that the hook knows
            if not _same(opened, os.fstat(file.fileno())):
                return None
            digest = hashlib.sha256()
            while part := file.read(CHUNK):
                digest.update(part)
                if late():
                    return None
            return digest.hexdigest() if _same(opened, os.fstat(file.fileno())) else None
    except OSError:
        return None


def _digest_apart(opened: _Opened, late: Callable[[], bool] = _never) -> str | None:
    """Return the SHA-256 of a database; whoever closes a file gives back all locks of its process on it."""
    import subprocess  # as long to load as all the rest of this module

    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _HASH, opened.path], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with process:
            while True:
                try:
                    said = process.communicate(timeout=0.1)[0].strip()
                    break
                except subprocess.TimeoutExpired:
                    if late():
                        process.kill()
                        return None
        there = os.stat(opened.path)  # noqa: PTH116
        return said if process.returncode == 0 and _same(opened, there) else None
    except (OSError, subprocess.SubprocessError):
        return None


def _held() -> set[str]:
    """Return the files that this process has open, nothing where the system does not tell."""
    found = set()
    with suppress(OSError):
        for one in os.listdir("/proc/self/fd"):  # noqa: PTH208 - texts
            with suppress(OSError):
                found.add(os.readlink(f"/proc/self/fd/{one}"))  # noqa: PTH115
    return found


def _same(opened: _Opened, there: os.stat_result) -> bool:
    return (there.st_size, there.st_mtime_ns, there.st_ino) == opened[1:4]


def _members(text: str, late: Callable[[], bool] = _never) -> Iterator[str]:
    """Yield the files that a path names: itself, what lies below a folder, what a pattern finds."""
    if os.path.isdir(text):  # noqa: PTH112
        passed = 0
        for folder, folders, files in os.walk(text):
            folders[:] = sorted(one for one in folders if one[:1] not in "._")
            for name in sorted(files):
                if name[:1] not in "._":  # as those who read folders skip them
                    yield os.path.join(folder, name)  # noqa: PTH118
            passed += len(files) + 1
            if passed > PASSED or late():
                return
    elif os.path.exists(text) or not _PATTERN.search(text):  # noqa: PTH110 - false, and no error, for what is no path
        yield text
    else:
        import glob

        found = []
        for path in glob.iglob(text, recursive=True):  # noqa: PTH207 - a text
            found.append(path)
            if len(found) > PASSED or late():
                break
        yield from sorted(found)


def _outside(folder: str, ignored: Iterable[str]) -> tuple[str, ...]:
    """Return beginnings of paths that are nobody's input."""
    home = os.path.expanduser("~")  # noqa: PTH111
    found = {"/proc/", "/dev/", "/sys/", "/etc/", "/usr/share/", "/usr/lib/", "/run/", "/var/lib/", "/var/cache/"}
    found |= {f"{home}/{name}" for name in (
        ".ssh/", ".aws/", ".netrc", ".config/", ".docker/", ".kube/", ".kaggle/", ".gnupg/", ".git-credentials",
        ".gitconfig", ".pgpass", ".fonts/", ".local/share/fonts/", ".cache/fontconfig/",
    )}  # fmt: skip
    found.add(os.path.join(os.path.dirname(os.__file__), ""))  # noqa: PTH118, PTH120 - the standard library
    found |= {os.path.join(one, "") for one in sys.path if "site-packages" in one or "dist-packages" in one}  # noqa: PTH118
    found |= {one for one in sys.path if one.endswith(".zip")}
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix}:
        inside = os.path.join(prefix, "")  # noqa: PTH118
        if not (folder + os.sep).startswith(inside):
            found.add(inside)
        else:  # the user works below it: what is Python's lies in folders of its own
            found |= {f"{inside}{name}{os.sep}" for name in ("bin", "etc", "include", "lib", "lib64", "share")}
    found |= set(ignored)
    return tuple(one for one in found if len(one) > 1)


# -- readers that open files in languages of their own -------------------------------------------------


class _Reader(NamedTuple):
    """Functions or methods of a module, and which of their arguments names files."""

    names: tuple[str, ...]
    found_by: str
    argument: str
    place: int = 0
    look: Callable[[Reads, Any, str, Any], None] = lambda listener, value, found_by, _: listener.saw(value, found_by)


def _sql(listener: Reads, query: Any, found_by: str, bound: Any) -> None:
    """Note the files that the texts of a query name, and those bound to it; those that it writes are not read."""
    if not isinstance(query, str) or len(query) > 1 << 20:
        return
    if bound and "read_" in query:
        values = bound.values() if isinstance(bound, dict) else bound
        for value in itertools.islice(values, BEFORE):
            listener.saw(value, found_by)
    if not ("'" in query or '"' in query):
        return
    for found in _TEXT.finditer(query):
        text = found[1] or found[2]
        if not ("." in text or "/" in text or "*" in text):
            continue
        before = query[: found.start()].rstrip()[-16:].upper()
        if before.endswith((" TO", "\nTO")):
            listener.wrote(text)
        elif before.endswith(("ATTACH", "DATABASE", "EXISTS")):
            listener.saw(text, found_by, locks=True)
        else:
            listener.saw(text, found_by)


def _database(listener: Reads, value: Any, found_by: str, _: Any) -> None:
    listener.saw(value, found_by, locks=True)
    if not os.path.exists(value):  # noqa: PTH110 - it is about to be made
        listener.wrote(value)


def _wrote(listener: Reads, value: Any, _found_by: str, _: Any) -> None:
    listener.wrote(value)


def _uri(listener: Reads, value: Any, found_by: str, _: Any) -> None:
    """Note the file that XGBoost is given as a path with settings behind it."""
    if isinstance(value, str):
        value = value.partition("?")[0].partition("#")[0]
    listener.saw(value, found_by)


_QUERIES = ("execute", "sql", "query", "from_query")
_TABLES = ("read_csv", "read_json", "read_parquet", "from_parquet", "from_csv_auto")
_READERS: dict[str, tuple[_Reader, ...]] = {
    "pyarrow": (_Reader(("memory_map", "input_stream"), "pyarrow", "path"),),
    "pyarrow.parquet.core": (
        _Reader(("ParquetFile.__init__",), "pyarrow", "source", 1),
        _Reader(("read_metadata", "read_schema"), "pyarrow", "where"),
        _Reader(("ParquetDataset.__init__",), "pyarrow", "path_or_paths", 1),
        _Reader(("ParquetWriter.__init__",), "pyarrow", "where", 1, _wrote),
    ),
    "pyarrow.dataset": (
        _Reader(("dataset",), "pyarrow", "source"), _Reader(("parquet_dataset",), "pyarrow", "metadata_path"),
    ),
    "pyarrow.csv": (
        _Reader(("read_csv", "open_csv"), "pyarrow", "input_file"),
        _Reader(("write_csv",), "pyarrow", "output_file", 1, _wrote),
    ),
    "pyarrow.json": (_Reader(("read_json", "open_json"), "pyarrow", "input_file"),),
    "pyarrow.feather": (
        _Reader(("read_table", "read_feather"), "pyarrow", "source"),
        _Reader(("write_feather",), "pyarrow", "dest", 1, _wrote),
    ),
    "pyarrow.orc": (
        _Reader(("ORCFile.__init__",), "pyarrow", "source", 1), _Reader(("read_table",), "pyarrow", "source"),
    ),
    "polars": (
        _Reader(
            tuple(
                f"{verb}_{kind}" for verb in ("read", "scan")
                for kind in ("csv", "parquet", "ipc", "ipc_stream", "ndjson", "json", "avro", "lines", "delta", "excel",
                             "csv_batched", "ods")
            ), "polars", "source",
        ),
        _Reader(
            tuple(f"DataFrame.write_{kind}" for kind in ("csv", "parquet", "ipc", "ndjson", "json", "avro")),
            "polars", "file", 1, _wrote,
        ),
    ),
    "xgboost.core": (
        _Reader(("DMatrix.__init__",), "xgboost", "data", 1, _uri),
        _Reader(("Booster.__init__",), "xgboost", "model_file", 3),
        _Reader(("Booster.load_model",), "xgboost", "fname", 1),
        _Reader(("Booster.save_model",), "xgboost", "fname", 1, _wrote),
    ),
    "duckdb": (
        _Reader(_QUERIES, "duckdb", "query", 0, _sql),
        _Reader(_TABLES, "duckdb", "path_or_buffer"),
        _Reader(("connect",), "duckdb", "database", 0, _database),
        _Reader(tuple(f"DuckDBPyConnection.{name}" for name in _QUERIES), "duckdb", "query", 1, _sql),
        _Reader(tuple(f"DuckDBPyConnection.{name}" for name in _TABLES), "duckdb", "path_or_buffer", 1),
    ),
}  # fmt: skip
_wrappers: weakref.WeakSet[Any] = weakref.WeakSet()
_replaced: list[tuple[Any, str, Any, Any, bool]] = []  # owner, name, what was there, what is, whether it was its own


def _watch(module: ModuleType, readers: Sequence[_Reader]) -> None:
    """Have readers of a module say what they are given, under whatever name somebody knows them already."""
    for reader in readers:
        for name in reader.names:
            with suppress(AttributeError, TypeError):  # another version of the package lacks it
                owner: Any = module
                *path, last = name.split(".")
                for one in path:
                    owner = getattr(owner, one)
                original = owner.__dict__[last] if path and last in owner.__dict__ else getattr(owner, last)
                if original in _wrappers:
                    continue
                wrapper = _wrapper(original, reader)
                own = last in owner.__dict__
                setattr(owner, last, wrapper)
                _wrappers.add(wrapper)
                _replaced.append((owner, last, original, wrapper, own))
                if not path:
                    imports.replace(original, wrapper, [last])


def _unwatch() -> None:
    """Give back every reader that `_watch` took, under whatever name somebody knows it now."""
    known: dict[str, list[tuple[Any, Any]]] = {}
    while _replaced:
        owner, name, original, wrapper, own = _replaced.pop()
        with suppress(AttributeError, TypeError):
            if owner.__dict__.get(name) is wrapper:
                if own:
                    setattr(owner, name, original)
                else:
                    delattr(owner, name)
            if type(owner) is ModuleType:
                known.setdefault(name, []).append((wrapper, original))
    if known:
        imports.restore(known)


def _wrapper(function: Any, reader: _Reader) -> Any:
    found_by, argument, place, look = reader[1:]

    @functools.wraps(function)
    def read(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        listener = _Hook.listener
        if listener is not None:
            with suppress(Exception):
                value = args[place] if len(args) > place else kwargs.get(argument)
                if value is not None:
                    bound = args[place + 1] if len(args) > place + 1 else kwargs.get("parameters")
                    look(listener, value, found_by, bound)
        return function(*args, **kwargs)

    return read


def _after_fork() -> None:
    """Leave a forked child alone: the thread that would look at files is its parent's."""
    if _Hook.listener is not None:
        _Hook.listener._forked()  # noqa: SLF001 - the same module
    _Hook.listener = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
