"""What waits in journals goes into a database: in the order of time, in portions, each with the record of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modellab_jupyter import config, schema
from modellab_jupyter import journal as journals
from modellab_jupyter.errors import StoreError, tell
from modellab_jupyter.store import backends, ingest

if TYPE_CHECKING:
    import duckdb

    _Carry = Callable[[duckdb.DuckDBPyConnection, Iterable[schema.AnyEvent]], None]

PORTION = 16_000_000  # bytes of journals in one transaction; taking them in needs some twelve times that of memory
KNOWN_DAYS = 7  # how long a segment that was taken and removed is known, should it come back from a copy


# The time of a line or of a later one before it, the number of its segment, the line; compared, they never tie.
_Placed = tuple[int, int, journals.Line]


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection, *, keep: bool = True) -> Iterator[None]:
    """Run a block in one transaction, which an error takes back; without `keep`, also its end."""
    import duckdb

    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT" if keep else "ROLLBACK")
    except BaseException:
        with suppress(duckdb.Error):  # DuckDB may have rolled back itself; the first error is what matters
            con.execute("ROLLBACK")
        raise


class Intake:
    """The journals of a folder, and how far this process knows them to be taken.

    Parameters
    ----------
    folder : Path
        Where segments lie.
    carry : callable, optional
        Takes along, in the same transaction, the files that events name.
    has_all : bool
        Whether no other machine has segments of the same store, which may have been idle for long.
    """

    def __init__(self, folder: Path, carry: _Carry | None = None, *, has_all: bool = True) -> None:
        self.folder = folder
        self._carry = carry
        self._has_all = has_all
        self._ends: dict[str, int] = {}
        self._torn: dict[str, int] = {}  # how large a segment was when nothing new in it was whole; it may stay so

    def waits(self, *, exists: bool) -> bool:
        """Tell whether a journal holds what this process did not see taken; that others took it does not matter.

        Parameters
        ----------
        exists : bool
            Whether the database is there; one that was removed has taken nothing.
        """
        known = self._ends if exists else {}
        try:
            return any(
                (size := path.stat().st_size) > known.get(path.name, 0) and size != self._torn.get(path.name)
                for path in journals.segments(self.folder)
            )
        except FileNotFoundError:  # others take it this moment
            return True

    def take(self, con: duckdb.DuckDBPyConnection, *, for_good: bool = True) -> int:
        """Take in what the journals hold, return how many records that were.

        Parameters
        ----------
        con : DuckDBPyConnection
            Of the database, alone among all writers.
        for_good : bool
            Otherwise the journals stay, and what cannot be read is not told: the database is a picture.
        """
        taken: dict[str, int] = dict(con.execute("SELECT segment, taken FROM segments").fetchall())
        present = journals.segments(self.folder)
        torn: dict[str, int] = {}
        unreadable: list[tuple[str, journals.Line]] = []
        count = 0
        waiting = heapq.merge(*(_placed(n, path, taken.get(path.name, 0), torn) for n, path in enumerate(present)))
        while portion := _portion(waiting):
            bad = self._save(con, portion, present)
            count += len(portion) - len(bad)
            unreadable += [(present[writer].name, line) for _, writer, line in bad]
            taken |= {present[writer].name: line.end for _, writer, line in portion}
        if not for_good:
            return count
        self._ends = taken
        self._torn |= torn
        self.sweep(taken)
        for name, line in unreadable:
            tell(
                f"a line of the journal {name} cannot be read ({line.reason}, position {line.start}); "
                "it is kept in the store's table `unreadable`, and everything else was taken in.",
                stacklevel=4,
            )
        return count

    def _save(self, con: duckdb.DuckDBPyConnection, portion: list[_Placed], present: Sequence[Path]) -> list[_Placed]:
        """Take a portion in; return those of its lines that could not be."""
        import duckdb

        good = [one for one in portion if one[2].event is not None]
        bad = [one for one in portion if one[2].event is None]
        ends = {present[writer].name: line.end for _, writer, line in portion}
        faults: tuple[type[Exception], ...] = (duckdb.Error, *ingest.faults())
        try:
            self._commit(con, good, bad, ends, present)
        except faults as error:
            if backends.is_of_file(error):
                raise
            more = _culprits(con, good) if isinstance(error, ingest.faults()) else []
            # Where a plain event of a kind fails as well, the fault is this program's, not that of what events hold:
            # nothing is set aside, the journals stay. Else every event that fails is set aside, however many they are.
            if not more or _fails_plainly(con, more, good):
                said = config.redacted(str(error).partition("\n")[0])
                told = f"the journals cannot be taken into the store ({said}); see modellab doctor."
                raise StoreError(told) from error
            refused = {(writer, line.start): (order, writer, line) for order, writer, line in more}
            return self._save(con, [refused.get((one[1], one[2].start), one) for one in portion], present)
        return bad

    def _commit(
        self,
        con: duckdb.DuckDBPyConnection,
        good: Sequence[_Placed],
        bad: Sequence[_Placed],
        ends: dict[str, int],
        present: Sequence[Path],
    ) -> None:
        """Apply events and note how far each segment was taken, in one transaction."""
        with transaction(con):
            ingest.apply(con, _events(good))
            if self._carry is not None:
                self._carry(con, _events(good))
            con.executemany("DELETE FROM segments WHERE segment = ?", [[name] for name in ends])
            if self._has_all:
                con.execute(
                    f"""DELETE FROM segments WHERE NOT list_contains(?::VARCHAR[], segment)
                    AND taken_at < now() AT TIME ZONE 'UTC' - INTERVAL {KNOWN_DAYS} DAY""",
                    [[path.name for path in present]],
                )
            con.executemany(
                "INSERT INTO segments VALUES (?, ?, now() AT TIME ZONE 'UTC')", [[name, ends[name]] for name in ends]
            )
            lost = [(present[writer], line) for _, writer, line in bad]
            if lost:
                con.executemany(
                    "INSERT INTO unreadable VALUES (?, ?, ?, ?, now() AT TIME ZONE 'UTC')",
                    [[path.name, at.start, journals.line_at(path, at.start), at.reason] for path, at in lost],
                )

    def sweep(self, taken: dict[str, int]) -> None:
        """Remove segments that are over and were taken whole; a torn tail is set aside, never deleted."""
        for path in journals.segments(self.folder):
            try:
                end = taken.get(path.name, 0)
                if not journals.is_over(path):
                    continue
                with path.open("rb") as file:
                    file.seek(end)
                    tail = file.read()
                if b"\n" in tail:
                    continue  # grew between reading and now
                if tail:
                    aside = self.folder / "set-aside"
                    aside.mkdir(exist_ok=True)
                    (aside / f"{path.name}.{end}.torn").write_bytes(tail)
                path.unlink()
            except FileNotFoundError:
                continue


def _placed(writer: int, path: Path, start: int, torn: dict[str, int]) -> Iterator[_Placed]:
    """Yield the lines of a segment, each read when its turn comes."""
    try:
        size = path.stat().st_size
        if size <= start:
            return
        latest, none = 0, True
        for line in journals.lines(path, start):
            if line.start >= size:  # written meanwhile, perhaps faster than it is taken
                break
            none = False
            if line.event is not None and line.event.time > latest:  # its own order stays, whatever the clock did
                latest = line.event.time
            yield latest, writer, line
        if none:
            torn[path.name] = size
    except FileNotFoundError:  # another process took it and removed it
        return


def _portion(waiting: Iterator[_Placed]) -> list[_Placed]:
    found: list[_Placed] = []
    size = 0
    for one in waiting:
        found.append(one)
        size += one[2].end - one[2].start
        if size >= PORTION:
            break
    return found


def _events(portion: Iterable[_Placed]) -> Iterator[schema.AnyEvent]:
    return (line.event for _, _, line in portion if line.event is not None)


def _culprits(con: duckdb.DuckDBPyConnection, portion: Sequence[_Placed]) -> list[_Placed]:
    """Return the lines whose events cannot be applied, with the reason, found by halves; nothing is changed."""
    try:
        with transaction(con, keep=False):
            ingest.apply(con, _events(portion))
    except ingest.faults() as error:
        if len(portion) == 1:
            order, writer, line = portion[0]
            said = str(error).partition("\n")[0]
            return [(order, writer, line._replace(event=None, reason=f"its values do not fit the tables: {said}"))]
        half = len(portion) // 2
        return _culprits(con, portion[:half]) + _culprits(con, portion[half:])
    return []


def _fails_plainly(con: duckdb.DuckDBPyConnection, culprits: Sequence[_Placed], portion: Sequence[_Placed]) -> bool:
    """Tell whether an event of a culprit's kind cannot be applied whatever it holds; nothing is changed."""
    import duckdb

    refused = {(writer, line.start) for _, writer, line in culprits}
    events = _events(one for one in portion if (one[1], one[2].start) in refused)
    for kind in {type(event) for event in events}:
        try:
            with transaction(con, keep=False):
                ingest.apply(con, [plain(kind)])
        except ingest.faults():
            return True
        except duckdb.Error:  # says nothing about other events
            continue
    return False


def plain(kind: type[Any]) -> Any:
    """Return an event of a kind with what it must have and nothing odd in it: zeros, and texts that are JSON too."""

    def value(of: msgspec.inspect.Type) -> Any:
        match of:
            case msgspec.inspect.UnionType():
                return value(of.types[0])
            case msgspec.inspect.LiteralType():
                return of.values[0]
            case msgspec.inspect.StructType():
                return {one.encode_name: value(one.type) for one in of.fields if one.required}
            case msgspec.inspect.ListType():
                return [value(of.item_type)]
            case msgspec.inspect.DictType():
                return {"0": value(of.value_type)}
            case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
                return 0
            case msgspec.inspect.BoolType():
                return False
            case _:
                return "0"

    return msgspec.convert(value(msgspec.inspect.type_info(kind)), kind)
