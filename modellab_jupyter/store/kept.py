"""What this process read last, kept as long as the file has not changed; it holds no lock and no file."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

State = tuple[int, int, int, int]
LIMIT = 64_000_000  # bytes of tables
_FINE, _COARSE = 0.1, 2.5  # seconds in which a second write may leave a file's time as it is


def state(path: Path | None) -> State | None:
    """Return what tells one content of a file from another, or None where nothing can: it was written just now."""
    if path is None:
        return None
    try:
        found = path.stat()
        if path.with_name(f"{path.name}.wal").exists():
            return None
    except OSError:
        return None
    settled = _COARSE if found.st_mtime_ns % 1_000_000_000 == 0 else _FINE
    if time.time() - found.st_mtime < settled:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class Kept:
    """Tables by what was asked, of one state of the file; the oldest go first where they become too large."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state: State | None = None
        self._tables: OrderedDict[str, pa.Table] = OrderedDict()
        self._size = 0

    def get(self, state: State | None, asked: str) -> pa.Table | None:
        """Return a table that was kept of this state, or None."""
        with self._lock:
            if state is None or state != self._state or asked not in self._tables:
                return None
            self._tables.move_to_end(asked)
            return self._tables[asked]

    def put(self, state: State | None, asked: str, table: pa.Table) -> None:
        """Keep a table that was read after `state` was found; what was kept of another state goes."""
        with self._lock:
            if state != self._state:
                self._state, self._size = state, 0
                self._tables.clear()
            if state is None or table.nbytes > LIMIT // 2 or asked in self._tables:
                return
            self._tables[asked] = table
            self._size += table.nbytes
            while self._size > LIMIT:
                self._size -= self._tables.popitem(last=False)[1].nbytes
