"""DuckDB's extensions for shared stores, taken from Python packages and never from the network."""

from __future__ import annotations

from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from modellab_jupyter.errors import StoreError

if TYPE_CHECKING:
    import duckdb

PACKAGES = {
    "httpfs": "duckdb-extension-httpfs",
    "quack": "duckdb-extension-quack",
    "ducklake": "duckdb-extension-ducklake",
    "postgres_scanner": "duckdb-extension-postgres-scanner",
}
LAKE = ("httpfs", "postgres_scanner", "ducklake")
QUACK = ("httpfs", "quack")


def find(names: tuple[str, ...]) -> list[Path]:
    """Return the files of extensions, in order, for the DuckDB that is installed.

    Raises
    ------
    StoreError
        One is missing; the message says what to install.
    """
    import duckdb

    found: list[Path] = []
    missing: list[str] = []
    others: set[str] = set()
    for name in names:
        spec = util.find_spec(PACKAGES[name].replace("-", "_"))
        folder = Path(spec.origin).parent / "extensions" if spec is not None and spec.origin else None
        path = None if folder is None else folder / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if path is not None and path.is_file():
            found.append(path)
            continue
        missing.append(PACKAGES[name])
        if folder is not None:
            others.add(metadata.version(PACKAGES[name]))
    if missing:
        have = f" (found for {', '.join(sorted(others))})" if others else ""
        raise StoreError(
            f"a shared store needs {', '.join(missing)} for DuckDB {duckdb.__version__}{have}; "
            "run pip install 'modellab-jupyter[shared]'."
        )
    return found


def connect(names: tuple[str, ...], *, threads: int = 4) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB in memory with extensions loaded; it never fetches one by itself."""
    import duckdb

    files = find(names)
    con = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": str(threads)},
    )
    try:
        con.execute("SET enable_progress_bar = false")  # it would stand in the output of whoever logs
        for path in files:
            quoted = str(path).replace("'", "''")
            con.execute(f"LOAD '{quoted}'")
    except BaseException:
        con.close()
        raise
    return con
