"""The one door to what was saved: events go in, tables come out, and nobody keeps the database open."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modellab_jupyter import journal as journals
from modellab_jupyter import schema
from modellab_jupyter.blobs import Blobs
from modellab_jupyter.errors import (
    DamagedError,
    InputError,
    NotFoundError,
    StoreBusyError,
    StoreError,
    StoreNewerError,
    StoreUnreadableError,
    hint,
    shown,
    tell,
)
from modellab_jupyter.store import backends, kept, migrations, queries, readonly, upkeep
from modellab_jupyter.store.backends import Backend, FileBackend
from modellab_jupyter.store.intake import Intake, transaction
from modellab_jupyter.store.picture import Picture

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from modellab_jupyter.store.bin import Contents

_T = TypeVar("_T")
_Connect = Callable[..., AbstractContextManager["duckdb.DuckDBPyConnection"]]
SOON = 0.3  # seconds that a reader waits for a store held by another program before it shows a picture of it
PICTURES = 4  # how often one is made that others change at once


@dataclass(frozen=True)
class Health:
    """What `Store.health` found; see its docstring."""

    path: Path | str  # of a shared store its address
    exists: bool
    size: int
    schema_version: int
    duckdb_version: str
    waiting_segments: int
    waiting_bytes: int
    unreadable: list[dict[str, Any]]
    problem: str | None


def _liveness(running: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return which running runs of this machine have lost their process, and the time."""
    gone = [
        row["run_id"]
        for row in running
        if row["host"] == journals.host() and not journals.is_alive(row["pid"], row["process_started"])
    ]
    return {"gone": gone, "now": time.time_ns() // 1000}


class Store:
    """Runs, datasets, artifacts and evaluations of one DuckDB file and the folder of files beside it.

    Parameters
    ----------
    path : Path or None
        The DuckDB file; None keeps the tables in memory (for tests), with `files` on disk all the same.
    files : Path
        Folder with journals, blobs and evaluations.
    """

    def __init__(self, path: Path | None, files: Path) -> None:
        self.path = path
        self.files = files
        self.journals = files / "journal"
        self._intake = Intake(self.journals)
        self.blobs = Blobs(files / "blobs")
        self._backend: Backend = FileBackend(path)
        self._kept = kept.Kept()
        self._picture = None if path is None else Picture(path)
        self._told = False
        self._calm = threading.local()

    def warm(self) -> None:
        """Load DuckDB and start it, so that the next use need not."""
        import duckdb  # noqa: F401

        if isinstance(self._backend, FileBackend):
            self._backend.warm()

    # -- taking in -------------------------------------------------------------------------------

    def ingest(self, *, wait: float | None = None) -> int:
        """Take every whole record of every journal into the database; return how many there were.

        Any process may do it at any time, as often as it likes.

        Raises
        ------
        StoreBusyError, StoreError
            The database cannot be written now; the journals keep everything.
        """
        if not journals.segments(self.journals):
            return 0
        with self._backend.connect(write=True, wait=wait) as con:
            return self._intake.take(con)

    # -- reading ---------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, *, sealed: bool = False, real: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection that has seen everything logged so far.

        While another program holds the file, or it cannot be written, that is a picture: a copy that is this process's
        own, with what the journals hold. A warning says so, once.

        Parameters
        ----------
        sealed : bool
            The connection is for a query of the user's own: nothing can be changed, no file or network reached.
        real : bool
            The store itself or an error, no picture.
        """
        with ExitStack() as stack:
            try:
                con = stack.enter_context(
                    self._taken(
                        self._backend.connect,
                        sealed=sealed,
                        wait=None if real or self._picture is None else 0 if self._told else SOON,
                    )
                )
                self._told = False
            except StoreError as error:
                if real or isinstance(error, StoreNewerError | StoreUnreadableError):
                    raise
                con = self._shown(stack, error, sealed=sealed)
            yield con
        if self._picture is not None:
            self._picture.keep()

    @contextmanager
    def _taken(
        self, connect: _Connect, *, sealed: bool, wait: float | None, for_good: bool = True
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        late = not for_good and journals.segments(self.journals)  # a picture may be older than what was seen taken
        calm = for_good and getattr(self._calm, "on", False) and self._backend.exists()
        if late or (not calm and self._intake.waits(exists=self._backend.exists())):
            with connect(write=True, wait=wait) as con:
                self._intake.take(con, for_good=for_good)
                if not sealed:
                    yield con
                    return
        with connect(write=False, wait=wait, sealed=sealed) as con:
            yield con

    def _settled(self, stack: ExitStack, picture: Picture, *, sealed: bool) -> duckdb.DuckDBPyConnection | None:
        """Give a connection to a picture that has all, None where others take in and write faster than it is made."""
        for _ in range(PICTURES):
            with ExitStack() as inner:
                backend = picture.look()
                con = inner.enter_context(self._taken(backend.connect, sealed=sealed, wait=None, for_good=False))
                # What a journal no longer holds is in the file, so a file that has changed meanwhile may have more.
                if picture.age == 0 or not picture.can_be_made:
                    stack.push(inner.pop_all())
                    return con
        return None

    def _shown(self, stack: ExitStack, error: StoreError, *, sealed: bool) -> duckdb.DuckDBPyConnection:
        """Give a connection to a picture; where there is none, wait longer for the file."""
        con: duckdb.DuckDBPyConnection | None = None
        if self._picture is not None:
            with suppress(StoreError, OSError):  # there is none; the first error says what matters
                con = self._settled(stack, self._picture, sealed=sealed)
        if con is None and isinstance(error, StoreBusyError):
            return stack.enter_context(self._taken(self._backend.connect, sealed=sealed, wait=backends.WAIT - SOON))
        if con is None or self._picture is None:
            raise error
        if not self._told:
            self._told = True
            age = self._picture.age
            made = "as it stands" if age == 0 else f"as it was {age:.0f} s ago"
            tell(
                f"{str(error).partition(';')[0]}; meanwhile a copy is shown, {made}, with what the journals hold.",
                stacklevel=6,
            )
        return con

    def read(self, query: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Run one of the named queries after taking in what is pending."""
        with self._reading() as con:
            return query(con, *args, **kwargs)

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Have the reads of this thread within the block tell of about the same moment, that of its beginning.

        They take in nothing more; while a training logs, each of them would find something and pay for it.
        """
        self.read(lambda _: None)
        outer, self._calm.on = getattr(self._calm, "on", False), True
        try:
            yield
        finally:
            self._calm.on = outer

    def series(
        self,
        run_ids: Sequence[str],
        key: str | None = None,
        points: int | None = None,
        steps: tuple[float, float] | None = None,
    ) -> pa.Table:
        """Return metric values of runs, see `queries.series`; again from memory where the file has not changed."""
        asked = repr((list(run_ids), key, points, steps))
        return self._again(asked, lambda con: (queries.series(con, run_ids, key, points, steps), True))

    def _again(self, asked: str, query: Callable[[duckdb.DuckDBPyConnection], tuple[pa.Table, bool]]) -> pa.Table:
        """Return a table from memory where nothing has changed since it was read, else from a query.

        The query also tells whether its answer stays the same as long as the file does.
        """
        state = None if self._intake.waits(exists=self._backend.exists()) else kept.state(self.path)
        found = self._kept.get(state, asked)
        if found is None:
            found, stays = self.read(query)
            if stays:
                self._kept.put(state, asked, found)
        return found

    def projects(self, *, trash: bool = False, project_id: str | None = None) -> pa.Table:
        """Return projects with their statistics."""
        return self.read(queries.projects, trash=trash, project_id=project_id)

    def runs(
        self,
        project_id: str | None = None,
        *,
        run_ids: Sequence[str] | None = None,
        trash: bool = False,
        limit: int | None = None,
        where: str | None = None,
        order_by: str | None = None,
        summary: str = "last",
        projects: bool = False,
    ) -> pa.Table:
        """Return the wide table of runs, the newest first; see `queries.runs` and `filters`."""
        chosen: dict[str, Any] = {
            "project_id": project_id, "run_ids": run_ids, "trash": trash, "limit": limit, "where": where,
            "order_by": order_by, "summary": summary, "projects": projects,
        }  # fmt: skip

        def query(con: duckdb.DuckDBPyConnection) -> tuple[pa.Table, bool]:
            running = queries.running(con)
            stays = where is None and not running  # neither asks what time it is
            return queries.runs(con, **chosen, **(_liveness(running) if running else {})), stays

        return self._again(repr(chosen), query)

    def progress(self, project_id: str | None = None) -> list[dict[str, Any]]:
        """Return how far runs are that are being recorded; see `queries.progress`."""
        with self._reading() as con:
            running = queries.running(con)
            return queries.progress(con, project_id, **_liveness(running)) if running else []

    def run(self, run_id: str) -> dict[str, Any]:
        """Return everything about one run but its metric series."""
        with self._reading() as con:
            found = queries.run(con, run_id, **_liveness(queries.running(con)))
        if found is None:
            raise NotFoundError(f"no run has the id {run_id!r}; see ml.runs.list().")
        return found

    def sql(self, query: str, params: Any = None) -> pa.Table:
        """Run one SELECT over the store's tables, without access to files or the network.

        Raises
        ------
        InputError
            The text is not one single query, or DuckDB refuses it; the message has DuckDB's reason.
        """
        import duckdb

        with self._reading(sealed=True) as con:
            try:
                kinds = [statement.type for statement in con.extract_statements(query)]
            except (duckdb.Error, TypeError) as error:
                said = " ".join(str(error).partition("\n\nLINE ")[0].split())
                raise InputError(f"the query was refused: {said:.500}") from error
            if kinds != [duckdb.StatementType.SELECT]:
                raise InputError("query must be one SELECT, found something else; the store is read only here.")
            readonly.check(readonly.nodes(con, query))
            try:
                return queries.table(con, query, params)
            except duckdb.Error as error:
                if backends.is_of_file(error):
                    raise
                said = " ".join(str(error).partition("\n\nLINE ")[0].split())
                raise InputError(f"the query was refused: {said:.500}") from error
            except InputError:
                raise
            except (
                ValueError,
                TypeError,
                OverflowError,
                ArithmeticError,
                NotImplementedError,
            ) as error:  # also Arrow's
                said = " ".join(str(error).split())
                raise InputError(
                    f"the query's values or parameters do not fit ({said:.200}); cast such a column to VARCHAR, "
                    "and give parameters as a list or a dict."
                ) from error

    def resolve(
        self,
        kind: str,
        ref: str,
        *,
        project_id: str | None = None,
        trash: bool = False,
        trash_first: bool = False,
        alone: bool = False,
    ) -> str:
        """Return the id that `ref` stands for: an id, the beginning or end of one, or a name (the newest of that name).

        Parameters
        ----------
        trash : bool
            Also what is in the trash, after what is not.
        trash_first : bool
            Also what is in the trash, before what is not.
        alone : bool
            Refuse a name that several have.

        Raises
        ------
        InputError
            `ref` is no text, or a part of several ids, or with `alone` the name of several.
        NotFoundError
            Nothing goes by that, with the nearest name as a hint.
        """
        if not isinstance(ref, str):
            raise InputError(f"{kind} must be given by id or name, found {shown(ref)} of type {type(ref).__name__}.")
        ref = str.__str__(ref)
        with self._reading() as con:
            found = queries.find(con, kind, ref, project_id=project_id)
            near = [] if found else queries.names(con, kind)
        usable = [row for row in found if trash or trash_first or not row[2]]
        if found and not usable:
            raise NotFoundError(
                f"{kind} {ref!r:.80} is in the trash; bring it back with ml.{kind}s.restore({ref!r:.80})."
            )
        if not usable:
            known = f"the store has no {kind} yet" if not near else f"see ml.{kind}s.list()"
            raise NotFoundError(f"no {kind} goes by {ref!r:.80}{hint(ref, near) or f'; {known}.'}")
        if len(usable) > 1 and usable[0][0] != ref and usable[0][1] != ref:
            several = ", ".join(row[0] for row in usable[:3])
            raise InputError(
                f"{kind} {ref!r} is a part of {len(usable)} ids ({several}, …); give more of the one meant."
            )
        if alone and len(usable) > 1 and usable[0][0] != ref:
            several = ", ".join(row[0] for row in usable[:5]) + (", …" if len(usable) > 5 else "")
            raise InputError(f"{len(usable)} {kind}s are named {ref!r:.80} ({several}); give the id of the one meant.")
        return next((row[0] for row in usable if row[2]), usable[0][0]) if trash_first else usable[0][0]

    def token(self, project_id: str | None) -> str:
        """Return a short text that differs whenever a run of the project, or of any, has changed; cheap to ask."""
        waiting = []
        for path in journals.segments(self.journals):
            with suppress(FileNotFoundError):  # another process took it and removed it
                waiting.append((path.name, path.stat().st_size))
        key = (project_id, waiting, self._backend.stamp(), int(time.time() / queries.STALE_AFTER))
        return hashlib.sha256(repr(key).encode()).hexdigest()[:16]

    def names(self, kind: str) -> list[str]:
        """Return names for completion, the newest first; none where the file is held by another program."""
        try:
            with self._backend.connect(write=False, wait=0.1) as con:
                return queries.names(con, kind)
        except StoreError:
            return []

    def folder(self, name: str) -> Path:
        """Return an evaluation's folder, given as it stands in the table of evaluations."""
        return self.files / name

    def place(self, name: str, parts: Iterable[bytes]) -> None:
        """Write one of the store's files where it belongs, whole or not at all."""
        target = self.files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.files / f".{schema.new_id('segment')}.part"
        try:
            with temporary.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def receive(self, path: Path) -> dict[str, int]:
        """Take an archive in; see `archive.read`."""
        from modellab_jupyter.store import archive

        self.ingest()
        return archive.read(self, path)

    def bring(self, rows: dict[str, pa.Table], names: Sequence[str]) -> dict[str, int]:
        """Insert an archive's rows that are new here, in one transaction; `names` are the files that came with them."""
        from modellab_jupyter.store import archive

        with self._backend.connect(write=True) as con, transaction(con):
            counts = archive.insert(con, rows)
            self._bring_files(con, names)
        return counts

    def _bring_files(self, con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
        """Take files that lie here along in the transaction; a store beside its files has them already."""

    def in_trash(self) -> Contents:
        """Return what emptying the trash destroys; see `bin.contents`."""
        from modellab_jupyter.store import bin as bin_

        return bin_.contents(self)

    def ready(self) -> None:
        """Make sure that the store can be written now.

        Raises
        ------
        StoreBusyError, StoreError
            It cannot.
        """
        with self._backend.connect(write=True):
            pass

    def collect(self) -> tuple[int, int]:
        """Remove blobs and evaluation folders that nothing refers to; return how many and their bytes.

        Blobs stay where the list of a folder that is still wanted cannot be read; a warning names it.
        """
        with self._reading(real=True) as con:
            digests, folders = queries.references(con)
            kinds = con.execute("SELECT digest FROM artifacts WHERE kind = 'folder'").fetchall()
        hour_ago = time.time() - 3600  # what a run writes this moment is not in the store yet
        count = size = 0
        try:
            for (digest,) in kinds:
                digests |= {str(member["digest"]) for member in self.blobs.members(digest)}
        except (DamagedError, NotFoundError) as error:
            tell(
                f"stored bytes were kept, since nobody can tell which belong to a folder whose list is lost: {error}",
                stacklevel=3,
            )
        else:
            count, size = self.blobs.discard(digests, hour_ago)
        gone = upkeep.drop_folders(self.files / "evaluations", folders, hour_ago)
        return count + gone[0], size + gone[1]

    def health(self) -> Health:
        """Return the state of the file, of the journals that wait, and what could not be read."""
        import duckdb

        version, unreadable, problem = 0, [], None
        waiting = journals.segments(self.journals)
        size = sum(backends.size(path) or 0 for path in waiting)
        try:
            with self._backend.connect(write=False, wait=0.5) as con:
                version = migrations.applied(con)
                unreadable = queries.rows(con, "SELECT segment, position, reason FROM unreadable ORDER BY found_at")
                if not upkeep.is_sound(con):
                    problem = f"some rows of {self.path} cannot be read; modellab doctor --repair saves the others."
        except StoreError as error:
            problem = str(error)
        at = None if self.path is None else backends.size(self.path)
        return Health(
            path=self.path or Path(":memory:"),
            exists=self._backend.exists() if self.path is None else at is not None,
            size=at or 0,
            schema_version=version,
            duckdb_version=duckdb.__version__,
            waiting_segments=len(waiting),
            waiting_bytes=size,
            unreadable=unreadable,
            problem=problem,
        )

    # -- upkeep ----------------------------------------------------------------------------------

    def compact(self) -> tuple[int, int]:
        """Write the file anew without its free space; return its bytes before and after.

        Everything stays, also what is in the trash. Other processes wait meanwhile, or read the file as it was.

        Raises
        ------
        InputError
            There is no file yet.
        StoreError
            Another program holds the file, or the disk has no room for the new one; nothing was changed.
        """
        self.ingest()
        if not isinstance(self._backend, FileBackend) or self.path is None or not self.path.is_file():
            raise InputError("the store has no file yet that could be made smaller; log a run first.")
        return upkeep.rewrite(self._backend, self.path)

    def storage(self) -> list[dict[str, Any]]:
        """Return what takes space, as rows of ``what``, ``name``, ``count`` and ``bytes``; tables by whole blocks."""
        with self._reading() as con:
            found = upkeep.inside(con)
        return [*found, *upkeep.beside(self.path, self.files)]

    def repair(self) -> upkeep.Salvage | None:
        """Save what can be read of a damaged file, keep it, and take the journals in; return None if it is sound.

        Raises
        ------
        StoreError
            Another program holds the file, or a later version wrote it.
        """
        if self.path is None or not self.path.is_file() or self._is_sound():
            self.ingest()
            return None
        done = upkeep.salvage(
            FileBackend(self.path),
            self.path,
            lambda: (
                line.event
                for path in journals.segments(self.journals)
                for line in journals.lines(path)
                if line.event is not None
            ),
        )
        self.ingest()
        return done

    def _is_sound(self) -> bool:
        """Tell whether every row of every table can be read."""
        try:
            with self._backend.connect(write=False) as con:
                return upkeep.is_sound(con)
        except StoreUnreadableError:
            return False


__all__ = ["Health", "Store", "StoreBusyError"]
