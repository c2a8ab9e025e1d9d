"""A DuckLake: its catalogue in PostgreSQL, its rows as Parquet files on disk or S3; many machines at once.

A lake has no keys, so two that take the same segment could both keep it. Writers therefore take turns by an advisory
lock of PostgreSQL, which a killed process gives back with its connection; readers need no lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modellab_jupyter import config
from modellab_jupyter.errors import InputError, StoreBusyError, StoreError
from modellab_jupyter.store import extensions, migrations, readonly
from modellab_jupyter.store.backends import seal, track

if TYPE_CHECKING:
    import duckdb

WAIT = 30.0  # seconds that a reader waits for its turn; a turn of a lake takes about a second
INLINED = 500  # rows; fewer than these stay in the catalogue until they are put together
_TURN = 0x6D6F64656C6C6162  # the number of our advisory lock
_OUTSIDE = ("postgres_", "ducklake_", "duckdb_", "quack_", "pragma_", "mysql_", "sqlite_", "http")


class LakeBackend:
    """Connections to a lake; one is kept open and its users take turns.

    Parameters
    ----------
    lake : config.Lake
        Where.
    """

    def __init__(self, lake: config.Lake) -> None:
        self.lake = lake
        self._turn = threading.RLock()
        self._con: duckdb.DuckDBPyConnection | None = None
        self._sealed: duckdb.DuckDBPyConnection | None = None
        self._left: list[Any] = []  # connections of the parent, whose sockets a forked child must not close
        self._made = False
        track(self)

    def exists(self) -> bool:
        """Tell whether there is anything to read yet; a lake is made when it is first opened."""
        return True

    @contextmanager
    def connect(
        self, *, write: bool, wait: float | None = None, sealed: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection whose default catalogue is the lake; with `write`, alone among all writers.

        Parameters
        ----------
        sealed : bool
            For a query of the user's own: it reads the lake's own files and no others.

        Raises
        ------
        StoreBusyError
            Another writer had its turn for `wait` seconds.
        StoreError
            PostgreSQL or the files cannot be reached; the message says why, without the password.
        """
        wait = WAIT if wait is None else wait
        with self._turn, self._translating():
            self._con = self._con or self._open(wait)
            if sealed:
                self._sealed = self._sealed or self._open_sealed(self._data(self._con))
                yield self._sealed
            elif write:
                with self._alone(self._con, wait):
                    yield self._con
            else:
                yield self._con

    def refuse(self, con: duckdb.DuckDBPyConnection, query: str) -> None:
        """Raise InputError where a query would leave the lake's tables; the sandbox of DuckDB knows files alone."""
        for node in readonly.nodes(con, query):
            if node.get("type") == "SHOW_REF" and node.get("table_name") not in {"", '"tables"'}:
                raise InputError(f"the query was refused: {node['table_name']} reaches beyond the store's tables.")
            name = str(node.get("function_name", "")).lower()
            if name.startswith(_OUTSIDE) or name in {"query", "query_table"}:
                raise InputError(f"the query was refused: {name} reaches beyond the store's tables.")
            place = {str(node.get("catalog_name", "")).lower(), str(node.get("schema_name", "")).lower()}
            if node.get("type") == "BASE_TABLE" and not place <= {"", "store", "main", "temp"}:
                raise InputError(f"the query was refused: {sorted(place)[-1]} is not among the store's tables.")
            if node.get("type") == "BASE_TABLE" and str(node.get("table_name", "")).lower().startswith(_OUTSIDE):
                raise InputError(f"the query was refused: {node['table_name']} is not among the store's tables.")

    def stamp(self) -> Any:
        """Return what differs whenever something was committed."""
        with self.connect(write=False, wait=0.5) as con:
            return _ask(con, "SELECT max(snapshot_id) FROM ducklake_snapshot")

    def compact(self) -> None:
        """Put small files together and remove what no snapshot of the last day needs."""
        with self.connect(write=True) as con:
            con.execute("CALL ducklake_flush_inlined_data('store')")
            con.execute("CALL ducklake_merge_adjacent_files('store')")
            con.execute("CALL ducklake_expire_snapshots('store', older_than => now() - INTERVAL 1 DAY)")
            con.execute("CALL ducklake_cleanup_old_files('store', older_than => now() - INTERVAL 1 DAY)")

    def _open(self, wait: float) -> duckdb.DuckDBPyConnection:
        con = extensions.connect(extensions.LAKE)
        try:
            con.execute("SET TimeZone = 'UTC'")
            _secret(con)
            con.execute(f"ATTACH {_quoted(self.lake.conninfo)} AS turn (TYPE postgres, READ_ONLY)")
            if self._made:
                self._attach(con)
            else:  # two that make it at once would both fail
                with self._alone(con, wait):
                    if _ask(con, "SELECT count(*) FROM pg_tables WHERE tablename = ''ducklake_metadata''") == 0:
                        self._check_data()
                    self._attach(con)
                    migrations.apply(con)
                    self._make_files(con)
                self._made = True
        except BaseException:
            con.close()
            raise
        return con

    def _open_sealed(self, data: str) -> duckdb.DuckDBPyConnection:
        """Open a connection that reads the files below `data` and no others."""
        con = self._open(WAIT)
        con.execute("DETACH turn")  # PostgreSQL itself is not to be asked
        con.execute("SET allowed_directories = ?", [[data]])
        seal(con)
        return con

    def _make_files(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the table of files once; their bytes lie below the data path and never in PostgreSQL."""
        made = "SELECT 1 FROM duckdb_tables() WHERE table_name = 'files' AND database_name = 'store'"
        if not con.execute(made).fetchall():
            con.execute("CREATE TABLE files (path VARCHAR, part INTEGER, bytes BLOB)")
        con.execute("CALL store.set_option('data_inlining_row_limit', 0, table_name => 'files')")

    def _check_data(self) -> None:
        if self.lake.data is None:
            raise InputError(
                f"{self.lake} is a new lake and names no place for its files; add ?data=FOLDER or ?data=s3://bucket/prefix."
            )

    def _attach(self, con: duckdb.DuckDBPyConnection) -> None:
        options = f"DATA_INLINING_ROW_LIMIT {INLINED}"
        if self.lake.data:
            options += f", DATA_PATH {_quoted(self.lake.data + '/')}"
        con.execute(f"ATTACH {_quoted('ducklake:postgres:' + self.lake.conninfo)} AS store ({options})")
        con.execute("USE store")

    def _data(self, con: duckdb.DuckDBPyConnection) -> str:
        return str(_ask(con, "SELECT value FROM ducklake_metadata WHERE key = ''data_path'' AND scope IS NULL"))

    @contextmanager
    def _alone(self, con: duckdb.DuckDBPyConnection, wait: float) -> Iterator[None]:
        """Hold PostgreSQL's advisory lock on a second connection."""
        import duckdb

        holder = con.cursor()
        try:
            holder.execute("BEGIN")
            _ask(holder, f"SELECT set_config(''lock_timeout'', ''{max(1, int(wait * 1000))}ms'', true)")
            try:
                _ask(holder, f"SELECT pg_advisory_xact_lock({_TURN})::text")  # PostgreSQL serves who came first
            except duckdb.Error as error:
                if "lock timeout" not in str(error):
                    raise
                raise StoreBusyError(
                    f"other writers had their turn at {self.lake} for {wait:g} s; "
                    "try again; what you log meanwhile is kept and arrives later."
                ) from None
            yield
        finally:
            holder.close()  # ends its transaction, and with it the lock

    @contextmanager
    def _translating(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (OSError, duckdb.IOException, duckdb.FatalException, duckdb.HTTPException, duckdb.TransactionException,
                duckdb.PermissionException) as error:  # fmt: skip
            self._con = self._sealed = None  # a connection that failed is not trusted again
            said = config.redacted(str(error).splitlines()[0])
            raise StoreError(
                f"{self.lake} cannot be used ({said}); check that PostgreSQL and the files can be reached; "
                "what you log meanwhile is kept and arrives later."
            ) from None

    def forked(self) -> None:
        """Give a forked child a turn and connections of its own."""
        self._left += [self._con, self._sealed]
        self._turn, self._con, self._sealed = threading.RLock(), None, None


def _ask(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """Return one value that PostgreSQL says; `sql` is a constant, quotes doubled."""
    return con.execute(f"SELECT * FROM postgres_query('turn', '{sql}')").fetchall()[0][0]


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _secret(con: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB the keys of S3 that the environment has."""
    keys = config.s3()
    if keys.key is None:
        return
    parts = {"KEY_ID": keys.key, "SECRET": keys.secret, "SESSION_TOKEN": keys.token, "REGION": keys.region}
    if keys.endpoint:
        scheme, _, host = keys.endpoint.partition("://")
        parts |= {"ENDPOINT": host.rstrip("/"), "URL_STYLE": "path"}
        parts["USE_SSL"] = "true" if scheme == "https" else "false"
    given = {name: value for name, value in parts.items() if value is not None}
    con.execute(f"CREATE SECRET (TYPE s3, {', '.join(f'{name} ?' for name in given)})", list(given.values()))
