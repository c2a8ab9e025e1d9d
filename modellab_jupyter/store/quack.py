"""A store behind a DuckDB server: ``modellab serve`` holds the file, others reach it through the quack extension.

The server's DuckDB that listens is empty, may open no files, and lets through one statement only: a call of our own
function with a request, compressed and in base64. The function answers from the store, which another DuckDB of the
process holds. So a record, a query and its values travel as data; they become SQL there, with bound parameters.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import secrets
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from modellab_jupyter import config, schema
from modellab_jupyter import errors as errors_
from modellab_jupyter import journal as journals
from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import InputError, ModelLabError, StoreError
from modellab_jupyter.store import Store, extensions, migrations, wide
from modellab_jupyter.store.backends import FileBackend, is_of_file, seal, track
from modellab_jupyter.store.bin import Contents
from modellab_jupyter.store.intake import Intake
from modellab_jupyter.store.shared import SharedStore, blob_name, is_path, named

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

DEFAULT_PORT = 9494
PART = 2 << 20  # bytes of a file or a journal in one request
REQUEST = 1 << 30  # bytes of a request at most
IDLE = 600.0  # seconds after which a client that said nothing loses its temporary tables
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ALLOWED = re.compile(r"SELECT modellab_call\(from_base64\('[A-Za-z0-9+/=]*'\)\)")


# -- the server --------------------------------------------------------------------------------------


class _HeldBackend(FileBackend):
    """A DuckDB file that this process keeps open; writers take turns, readers do not wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._held: duckdb.DuckDBPyConnection = self._open(path, write=True, wait=1.0)
        self._used = True  # the engine is not ended before a fork
        seal(self._held)
        self._writes = 0

    @contextmanager
    def connect(
        self,
        *,
        write: bool,
        wait: float | None = None,  # noqa: ARG002
        sealed: bool = False,  # noqa: ARG002
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection of its own to the file; all are without access to files and the network."""
        con = self.cursor()
        try:
            if not write:
                yield con
                return
            with self._turn:
                try:
                    yield con
                finally:
                    self._writes += 1
        finally:
            con.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return another connection to the file; temporary tables are its own."""
        con = self._held.cursor()
        con.execute("USE store")
        return con

    def stamp(self) -> Any:
        """Return how often something was written, and to which process."""
        return os.getpid(), self._writes

    def close(self) -> None:
        """Write everything to the file and give it back."""
        self._held.execute("CHECKPOINT store")
        self._release(self._held, keep=False)


@dataclass
class _Talk:
    """A client's connection with its temporary tables."""

    con: duckdb.DuckDBPyConnection
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float = 0.0


class Desk:
    """Answers requests from a store whose file it holds.

    Parameters
    ----------
    path, files : Path
        The DuckDB file and the folder of its files.
    """

    def __init__(self, path: Path, files: Path) -> None:
        self.store = Store(path, files)
        self._held = _HeldBackend(path)
        self.store._backend = self._held  # noqa: SLF001 - the same package
        self.store._intake = Intake(self.store.journals, has_all=False)  # noqa: SLF001 - clients send theirs in parts
        self._talks: dict[str, _Talk] = {}
        self._lock = threading.Lock()
        self._verbs: dict[str, Callable[..., Any]] = {
            "hello": self._hello, "taken": self._taken, "append": self._append, "ingest": self.store.ingest,
            "missing": self._missing, "put": self._put, "get": self._get, "below": self._below, "sql": self._sql,
            "end": self._end, "receive": self._receive, "stamp": self._held.stamp, "collect": self.store.collect,
            "in_trash": self._in_trash,
        }  # fmt: skip
        self.store.ingest()

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a request; an error is an answer, too."""
        import duckdb

        try:
            plain = zlib.decompressobj().decompress(request, REQUEST)
            verb, values = msgspec.msgpack.decode(plain, type=tuple[str, dict[str, Any]])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what cannot be read stands in the store; `modellab doctor` tells it
                said: Any = ("ok", self._verbs[verb](**values))
        except (ModelLabError, duckdb.Error, OSError, LookupError, TypeError, ValueError, zlib.error) as error:
            said = (type(error).__name__, str(error))
        return msgspec.msgpack.encode(said)

    def close(self) -> None:
        """Give the file back."""
        for talk in self._talks.values():
            talk.con.close()
        self._held.close()

    def _hello(self) -> int:
        with self._held.connect(write=False) as con:
            return migrations.applied(con)

    def _segment(self, name: str) -> Path:
        if journals.NAME.fullmatch(name) is None:
            raise InputError(f"a journal must have the name of one, found {name!r:.80}.")
        return self.store.journals / name

    def _taken(self, segments: list[str]) -> dict[str, int]:
        """Return how far each journal is here: taken, or written to the server's own disk."""
        with self._held.connect(write=False) as con:
            known = dict(
                con.execute(
                    "SELECT segment, taken FROM segments WHERE list_contains(?::VARCHAR[], segment)", [segments]
                ).fetchall()
            )
        for name in segments:
            path = self._segment(name)
            if path.is_file():
                known[name] = max(path.stat().st_size, known.get(name, 0))
        return known

    def _append(self, segment: str, start: int, data: bytes) -> int:
        """Write a part of a client's journal to the same place of ours; return how far it is here."""
        with self._lock:
            end = self._taken([segment]).get(segment, 0)
            if start == end:
                path = self._segment(segment)
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("r+b" if path.is_file() else "w+b") as file:
                    file.seek(start)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                end = start + len(data)
        return end

    def _file(self, name: str) -> Path:
        if not is_path(name):
            raise InputError(f"a file must be a blob's or an evaluation's, found {name!r:.80}.")
        return self.store.files / name

    def _missing(self, names: list[str]) -> list[str]:
        missing = []
        for name in names:
            try:
                os.utime(self._file(name))  # young again, so that whoever empties the trash this moment leaves it
            except FileNotFoundError:
                missing.append(name)
        return missing

    def _put(self, name: str, client: str, start: int, data: bytes, last: bool) -> None:
        target = self._file(name)
        part = self.store.files / f".{hashlib.sha256((client + name).encode()).hexdigest()[:24]}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if last:
            if name.startswith("blobs/") and blob_name(file_digest(part)) != name:
                part.unlink()
                raise InputError(f"the bytes sent as {name} are others; send them again.")
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)

    def _get(self, name: str, start: int) -> tuple[bytes, bool] | None:
        """Return a part of a file and whether it is the last; None where there is no such file."""
        try:
            with self._file(name).open("rb") as file:
                file.seek(start)
                data = file.read(PART)
                return data, not file.read(1)
        except FileNotFoundError:
            return None

    def _below(self, folder: str) -> list[str]:
        if re.fullmatch(r"evaluations/[^/\\\0]+", folder) is None or ".." in folder:
            raise InputError(f"folder must be an evaluation's, found {folder!r:.80}.")
        root = self.store.files
        return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file())

    def _receive(self, client: str, start: int, data: bytes, last: bool) -> dict[str, int] | None:
        """Keep a part of an archive; with the last one take the archive in."""
        from modellab_jupyter.store import archive

        part = self.store.files / f".{hashlib.sha256(client.encode()).hexdigest()[:24]}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.write(data)
        if not last:
            return None
        try:
            return archive.read(self.store, part)
        finally:
            part.unlink()

    def _sql(self, talk: str, query: str, params: bytes) -> bytes:
        with self._lock:
            now = time.monotonic()
            for old in [key for key, one in self._talks.items() if now - one.at > IDLE]:
                self._talks.pop(old).con.close()
            found = self._talks.setdefault(talk, _Talk(self._held.cursor()))
            found.at = now
        with found.lock:
            return _ipc(wide.arrow(found.con, query, _unpacked(params)))

    def _in_trash(self) -> tuple[dict[str, int], int, int, int, int]:
        found = self.store.in_trash()
        return found.objects, found.files, found.size, found.later, found.kept

    def _end(self, talk: str) -> None:
        with self._lock:
            found = self._talks.pop(talk, None)
        if found is not None:
            with found.lock:
                found.con.close()


@contextmanager
def serve(path: Path, files: Path, host: str, port: int, token: str) -> Iterator[str]:
    """Serve a DuckDB file until the block ends; give the address.

    Raises
    ------
    StoreError
        An extension is missing, the file is held by another program, or the port is taken.
    """
    import duckdb

    con = extensions.connect(extensions.QUACK)
    desk = Desk(path, files)
    try:
        con.create_function("modellab_call", desk.answer, ["BLOB"], "BLOB", side_effects=True)
        con.create_function("modellab_allow", _is_allowed, ["VARCHAR", "VARCHAR"], "BOOLEAN", side_effects=True)
        con.execute("SET GLOBAL quack_authorization_function = 'modellab_allow'")
        address = f"quack:{host}:{port}"
        try:
            con.execute(
                "CALL quack_serve(?, token := ?, allow_other_hostname := ?)", [address, token, host not in _LOOPBACK]
            )
        except duckdb.Error as error:
            said = str(error).splitlines()[0].replace(token, "***")
            raise StoreError(f"{address} cannot be listened at ({said}); choose another --port or --host.") from None
        seal(con)
        yield address
        con.execute("CALL quack_stop(?)", [address])
    finally:
        con.close()
        desk.close()


def make_token() -> str:
    """Return the token of this user; one is made, in a file of their own, where there is none."""
    found = config.token()
    if found is not None:
        return found
    path = config.token_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_urlsafe(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token + "\n")
    return token


def _is_allowed(_: str, query: str) -> bool:
    return _ALLOWED.fullmatch(query) is not None


# -- the client --------------------------------------------------------------------------------------


class QuackBackend:
    """Requests to a server, one at a time.

    Parameters
    ----------
    server : config.Server
        Where.
    """

    def __init__(self, server: config.Server) -> None:
        self.server = server
        self._turn = threading.RLock()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._left: list[Any] = []  # connections of the parent, whose sockets a forked child must not close
        track(self)

    def exists(self) -> bool:
        """Tell whether there is anything to read yet; a server has a store."""
        return True

    def call(self, verb: str, **values: Any) -> Any:
        """Ask the server.

        Raises
        ------
        StoreError
            It cannot be reached or refuses the token; or what it says.
        """
        with self._turn:
            if self._con is None:
                self._con = self._open()
            return self._ask(self._con, verb, values)

    @contextmanager
    def connect(
        self,
        *,
        write: bool,  # noqa: ARG002
        wait: float | None = None,  # noqa: ARG002
        sealed: bool = False,  # noqa: ARG002
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give what stands for a connection: it runs SQL where the data is and gives back what came of it.

        Nothing that the server runs reaches files or the network, so every connection is sealed.
        """
        remote = _Remote(self)
        try:
            yield remote  # type: ignore[misc]  # it has what `queries` uses of a connection, and no more
        finally:
            remote.close()

    def stamp(self) -> Any:
        """Return what differs whenever the server has written something."""
        return self.call("stamp")

    def forked(self) -> None:
        """Give a forked child a turn and a connection of its own."""
        self._left.append(self._con)
        self._turn, self._con = threading.RLock(), None

    def _open(self) -> duckdb.DuckDBPyConnection:
        token = config.token()
        if token is None:
            raise StoreError(
                f"{self.server} needs a token; set MODELLAB_TOKEN, or put it into {config.token_file()} with mode 600."
            )
        con = extensions.connect(extensions.QUACK, threads=1)
        try:
            con.execute("CREATE SECRET (TYPE quack, TOKEN ?)", [token])
            found, known = self._ask(con, "hello", {}), migrations.known()[-1][0]
        except BaseException:
            con.close()
            raise
        if found != known:
            con.close()
            older = "this machine" if found > known else "the server"
            raise StoreError(
                f"{self.server} has schema {found} and this ModelLab has {known}; upgrade modellab-jupyter on {older}."
            )
        return con

    def _ask(self, con: duckdb.DuckDBPyConnection, verb: str, values: dict[str, Any]) -> Any:
        import duckdb

        request = base64.b64encode(zlib.compress(msgspec.msgpack.encode((verb, values)), 1)).decode()
        plain = self.server.host in _LOOPBACK or not self.server.tls
        try:
            found = con.execute(
                "SELECT * FROM quack_query(?, ?, disable_ssl := ?)",
                [
                    f"quack:{self.server.host}:{self.server.port}",
                    f"SELECT modellab_call(from_base64('{request}'))",
                    plain,
                ],
            ).fetchall()
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            if "Authentication failed" in said:
                raise StoreError(f"{self.server} refused the token; give the server's as MODELLAB_TOKEN.") from None
            raise StoreError(
                f"{self.server} cannot be reached ({said[:200]}); start it with modellab serve; "
                "what you log meanwhile is kept and arrives later."
            ) from None
        kind, value = msgspec.msgpack.decode(found[0][0])
        if kind == "ok":
            return value
        for module in (errors_, duckdb):
            if isinstance(getattr(module, kind, None), type):
                told = getattr(module, kind)(value)
                if is_of_file(told):
                    said = value.partition("\n")[0]
                    raise StoreError(f"the store at {self.server} cannot be used ({said}); see modellab doctor there.")
                raise told
        raise StoreError(f"{self.server} could not answer ({kind}: {value}).")


class _Remote:
    """What `queries` needs of a connection, run by the server in one talk."""

    def __init__(self, backend: QuackBackend) -> None:
        import duckdb

        self._backend = backend
        self._talk = ""
        self._local = duckdb.connect(":memory:")
        self._local.execute("SET TimeZone = 'UTC'")

    def sql(self, query: str, *, params: Any = None) -> duckdb.DuckDBPyRelation:
        """Run a query there; its rows come back as a relation here."""
        return self._local.from_arrow(self._run(query, params))

    def execute(self, query: str, params: Any = None) -> duckdb.DuckDBPyConnection:
        """Run a statement there; what it gave can be fetched here."""
        answer = self._run(query, params)
        if not answer.num_columns:
            return self._local
        self._local.register("answer", answer)
        return self._local.execute("FROM answer")

    def extract_statements(self, query: str) -> list[Any]:
        """Return the statements of a text."""
        return self._local.extract_statements(query)

    def close(self) -> None:
        """Forget what the server keeps for this talk."""
        self._local.close()
        if self._talk:
            with suppress(StoreError):  # it forgets by itself
                self._backend.call("end", talk=self._talk)

    def _run(self, query: str, params: Any) -> pa.Table:
        import pyarrow as pa

        self._talk = self._talk or secrets.token_hex(8)
        answer = self._backend.call("sql", talk=self._talk, query=query, params=_packed(params))
        return pa.ipc.open_stream(answer).read_all()


def _packed(params: Any) -> bytes:
    """Return the values of a query as bytes: a table of one row, or nothing."""
    import pyarrow as pa

    if params is None:
        return b""
    named_ = isinstance(params, dict)
    items = params.items() if named_ else enumerate(params)
    try:
        table = pa.table({str(name): pa.array([value]) for name, value in items})
    except (pa.ArrowException, OverflowError) as error:
        raise InputError(f"a value of the query cannot be sent to the server: {error}") from error
    return (b"n" if named_ else b"p") + _ipc(table)


def _unpacked(data: bytes) -> Any:
    import pyarrow as pa

    if not data:
        return None
    rows = pa.ipc.open_stream(data[1:]).read_all().to_pylist()
    row: dict[str, Any] = rows[0] if rows else {}
    return row if data[:1] == b"n" else list(row.values())


def _ipc(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


class _Sending(Intake):
    """Journals that are sent to a server's disk, files before the records that name them, and taken there."""

    def __init__(self, store: ServedStore, server: QuackBackend) -> None:
        super().__init__(store.journals, has_all=False)
        self._store = store
        self._server = server

    def take(self, con: duckdb.DuckDBPyConnection, *, for_good: bool = True) -> int:  # noqa: ARG002 - the server takes
        """Send what waits here and have it taken; return how many records that were."""
        present = journals.segments(self.folder)
        ends: dict[str, int] = self._server.call("taken", segments=[path.name for path in present])
        for path in present:
            with suppress(FileNotFoundError):  # another process sent it and removed it
                ends[path.name] = self._send(path, ends.get(path.name, 0))
        count = int(self._server.call("ingest"))
        self._ends = ends
        self.sweep(ends)
        return count

    def _send(self, path: Path, start: int) -> int:
        """Send the whole lines of a segment from position `start` on; return how far the server has it."""
        whole = list(journals.lines(path, start))
        self._store.send_files([line.event for line in whole if line.event is not None])
        with path.open("rb") as file:
            file.seek(start)
            while whole and start < whole[-1].end:
                data = file.read(min(PART, whole[-1].end - start))
                end = self._server.call("append", segment=path.name, start=start, data=data)
                if end != start + len(data):  # another process of this machine sends it, too
                    file.seek(end)
                start = end
        return start


class ServedStore(SharedStore):
    """A store behind a server: journals and files are sent, and taken there."""

    def __init__(self, shared: config.Server, files: Path) -> None:
        super().__init__(shared, files)
        self._server = QuackBackend(shared)
        self._backend = self._server
        self._intake = _Sending(self, self._server)
        self._client = secrets.token_hex(8)

    def receive(self, path: Path) -> dict[str, int]:
        """Send an archive to the server, which takes it in."""
        client, start, size = secrets.token_hex(8), 0, path.stat().st_size
        with path.open("rb") as file:
            while True:
                data = file.read(PART)
                last = start + len(data) >= size
                counts = self._server.call("receive", client=client, start=start, data=data, last=last)
                if last:
                    return dict(counts)
                start += len(data)

    def send_files(self, events: Sequence[schema.AnyEvent]) -> None:
        """Send the files that events name and that the server does not have."""
        names = list(dict.fromkeys(named(events, self.blobs, self.files)))
        for name in self._server.call("missing", names=names) if names else ():
            size = (self.files / name).stat().st_size
            with (self.files / name).open("rb") as file:
                start = 0
                while True:
                    data = file.read(PART)
                    end = start + len(data)
                    last = end >= size or not data
                    self._server.call("put", name=name, client=self._client, start=start, data=data, last=last)
                    start = end
                    if last:
                        break

    def fetch(self, names: Sequence[str]) -> None:
        """Copy files of the server to this machine."""
        for name in names:
            first = self._server.call("get", name=name, start=0)
            if first is not None:
                self.place(name, self._parts(name, first))

    def _parts(self, name: str, part: tuple[bytes, bool]) -> Iterator[bytes]:
        start = 0
        while True:
            data, last = part
            yield data
            start += len(data)
            if last:
                return
            part = self._server.call("get", name=name, start=start)

    def below(self, folder: str) -> list[str]:
        """Return the names of the server's files below a folder."""
        return [str(name) for name in self._server.call("below", folder=folder)]

    def in_trash(self) -> Contents:
        """Return what emptying the trash destroys on the server; see `bin.contents`."""
        self.ingest()
        return Contents(*self._server.call("in_trash"))

    def collect(self) -> tuple[int, int]:
        """Remove files that nothing refers to, from the server and from this machine; see `Store.collect`."""
        super().collect()
        count, size = self._server.call("collect")
        return int(count), int(size)
