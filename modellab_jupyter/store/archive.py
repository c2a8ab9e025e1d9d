"""A project in one file: a ZIP of Parquet tables and stored bytes, with a manifest of their digests.

Members are stored as they are, never deflated, so that an archive cannot be larger inside than it is; Parquet
compresses its own columns. Everything in an archive is checked before anything of it is written.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from modellab_jupyter import progress, schema, zips
from modellab_jupyter.errors import DamagedError, InputError, StoreNewerError
from modellab_jupyter.store import migrations, wide
from modellab_jupyter.store.shared import blob_name, is_path

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from modellab_jupyter.store import Store

FORMAT = "modellab-project"
MANIFEST = "manifest.json"
MANIFEST_BYTES = 64 << 20
GROWTH = 300  # times that a table may be larger in memory than in its file, beyond the first few megabytes
ROWS = 50  # rows that a byte of a table can hold at most, beyond the first million
SLACK = 16 << 20  # bytes
OWN = {"segments", "unreadable", "migrations"}  # of a store, not of a project
DERIVED = {"run_wide"}  # from the others
CHUNK = 1 << 20

_DIGESTS = [
    ("artifacts", "digest"), ("evaluations", "predictions"), ("dataset_versions", "digest"),
    ("dataset_versions", "preview"), ("dataset_versions", "summary"), ("run_datasets", "digest"),
    ("environments", "digest"), ("runs", "environment"), ("runs", "distributions"), ("runs", "git_diff"),
    ("files_read", "digest"),
]  # fmt: skip
_JSON = [
    ("environments", "content"), ("dataset_versions", "fields"), ("evaluations", "settings"), ("runs", "surroundings"),
    ("random_states", "python"), ("random_states", "numpy"), ("packs", "verdict"),
]  # fmt: skip

# Which rows of a table belong to a project, by the first column of these that it has.
_BELONG = {
    "run_id": "run_id IN (SELECT run_id FROM runs WHERE project_id = $project)",
    "evaluation_id": "evaluation_id IN (SELECT evaluation_id FROM evaluations e JOIN runs r USING (run_id) "
    "WHERE r.project_id = $project)",
    "dataset_id": "dataset_id IN (SELECT dataset_id FROM datasets WHERE project_id = $project UNION "
    "SELECT u.dataset_id FROM run_datasets u JOIN runs r USING (run_id) WHERE r.project_id = $project)",
    "session_id": "session_id IN (SELECT session_id FROM run_sessions s JOIN runs r USING (run_id) "
    "WHERE r.project_id = $project)",
    "project_id": "project_id = $project",
    "digest": "digest IN (SELECT unnest([environment, distributions]) FROM runs WHERE project_id = $project)",
    "proposed": "id = $project OR id IN (SELECT dataset_id FROM datasets WHERE project_id = $project UNION "
    "SELECT u.dataset_id FROM run_datasets u JOIN runs r USING (run_id) WHERE r.project_id = $project)",
}


def tables(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return the tables that hold projects, each with its columns in order."""
    rows = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database() "
        "AND NOT internal AND schema_name = 'main' ORDER BY table_name, column_index"
    ).fetchall()
    found: dict[str, list[str]] = {}
    for table, column in rows:
        if table in migrations.tables() - OWN - DERIVED:
            found.setdefault(str(table), []).append(str(column))
    return found


def write(store: Store, project_id: str, path: Path) -> dict[str, int]:
    """Write a project, with what is in its trash, to a file that does not exist; return rows of each table and files.

    Raises
    ------
    InputError
        The file exists.
    DamagedError, NotFoundError
        Bytes that the project refers to are damaged or gone.
    """
    import pyarrow.parquet as pq

    if path.exists():
        raise InputError(f"path must not exist yet, found {str(path)!r}; give another.")
    part = path.with_name(f".{path.name}.part")
    held: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    try:
        with (
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive,
            progress.steps(f"writing {path.name}", unit="file") as step,
        ):
            for name, rows in store.read(_select, project_id).items():
                step(name)
                sink = io.BytesIO()
                pq.write_table(rows, sink, compression="zstd")
                if rows.nbytes > SLACK + GROWTH * sink.tell() or rows.num_rows > ROWS * sink.tell():
                    sink = io.BytesIO()  # it repeats itself so much that a reader would take it for a bomb
                    pq.write_table(rows, sink, compression="none", use_dictionary=False)
                _add(archive, f"tables/{name}.parquet", [sink.getvalue()], held)
                counts[name] = rows.num_rows
            counts["files"] = 0
            for name in sorted(store.read(_names, project_id, store)):
                step(name)
                with (store.files / name).open("rb") as file:
                    _add(archive, f"files/{name}", iter(lambda file=file: file.read(CHUNK), b""), held)  # type: ignore[misc]
                if name.startswith("blobs/") and blob_name(held[f"files/{name}"]["sha256"]) != name:
                    raise DamagedError(f"the stored bytes {name} were changed or damaged; restore them from a copy.")
                counts["files"] += 1
            manifest = {"format": FORMAT, "version": 1, "schema": migrations.known()[-1][0], "members": held}
            archive.writestr(_info(MANIFEST), json.dumps(manifest, indent=1))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return counts


def _info(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)  # with a fixed date, so that the same project gives the same bytes


def _add(archive: zipfile.ZipFile, name: str, parts: Any, held: dict[str, dict[str, Any]]) -> None:
    digest, size = hashlib.sha256(), 0
    with archive.open(_info(name), "w", force_zip64=True) as member:
        for part in parts:
            digest.update(part)
            size += len(part)
            member.write(part)
    held[name] = {"sha256": digest.hexdigest(), "size": size}


def _select(con: duckdb.DuckDBPyConnection, project_id: str) -> dict[str, pa.Table]:
    found: dict[str, pa.Table] = {}
    for table, columns in tables(con).items():
        rule = next(rule for column, rule in _BELONG.items() if column in columns)
        order = ", ".join(f'"{column}"' for column in columns)
        relation = con.sql(f"SELECT * FROM {table} WHERE {rule} ORDER BY {order}", params={"project": project_id})
        found[table] = relation.to_arrow_table()
    return found


def _names(con: duckdb.DuckDBPyConnection, project_id: str, store: Store) -> set[str]:
    """Return the files that a project refers to; those of a shared store are fetched."""
    run = _BELONG["run_id"]
    digests = con.execute(
        f"""SELECT digest, kind = 'folder' FROM artifacts WHERE {run}
        UNION ALL SELECT predictions, false FROM evaluations WHERE {run}
        UNION ALL SELECT unnest([preview, summary]), false FROM dataset_versions WHERE {_BELONG["dataset_id"]}
        UNION ALL SELECT git_diff, false FROM runs WHERE project_id = $project""",
        {"project": project_id},
    ).fetchall()
    folders = con.execute(f"SELECT folder FROM evaluations WHERE {run}", {"project": project_id}).fetchall()
    names: set[str] = set()
    for digest, folder in digests:
        if digest is None:
            continue
        members = [str(member["digest"]) for member in store.blobs.members(digest)] if folder else []
        names |= {blob_name(one) for one in (digest, *members) if store.blobs.existing(one)}
    for (folder,) in folders:
        path = store.folder(folder)
        names |= {one.relative_to(store.files).as_posix() for one in path.rglob("*") if one.is_file()}
    return names


# -- reading -----------------------------------------------------------------------------------------


def read(store: Store, path: Path) -> dict[str, int]:
    """Take an archive into a store; return how many rows were new in each table, and how many files.

    What the store knows stays as it is. A project or dataset whose name the store has under another id becomes part
    of that one.

    Raises
    ------
    InputError
        It is no such archive, or one that was made to do harm; nothing was written.
    DamagedError
        Bytes do not match the manifest; nothing was written.
    StoreNewerError
        A later version of ModelLab wrote it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _checked(archive, path)
            rows = _migrated(manifest["schema"], {
                name[7:-8]: _table(archive, name, path) for name in manifest["members"] if name.startswith("tables/")
            })  # fmt: skip
            names = [name[6:] for name in manifest["members"] if name.startswith("files/")]
            new = [name for name in names if not (store.files / name).is_file()]
            for name in new:
                store.place(name, _bytes(archive, f"files/{name}"))
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not a readable archive of a project ({error}); export it again.") from error
    counts = store.bring(rows, names)
    return {**counts, "files": len(new)}


def _refuse(path: Path, reason: str) -> InputError:
    return InputError(f"{path.name} was refused: {reason}; nothing was written. Export it again from its store.")


def _checked(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    """Return the manifest after every member was found to be what it says."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise _refuse(path, "it has two members of one name")
    if pair := zips.clash(names):
        raise _refuse(path, f"its members {pair[0][:80]!r} and {pair[1][:80]!r} are one file on some systems")
    if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > MANIFEST_BYTES:
        raise _refuse(path, "it has no manifest, or one that is too large")
    size = path.stat().st_size
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        raise _refuse(path, "a member is compressed or encrypted, which ours never are")
    if any(info.file_size != info.compress_size for info in infos) or sum(i.file_size for i in infos) > size:
        raise _refuse(path, "its members claim to be larger than it is")
    try:
        manifest = json.loads(archive.read(MANIFEST))
        form, version, number = manifest["format"], manifest["version"], int(manifest["schema"])
        held: dict[str, Any] = {str(n): (str(m["sha256"]), int(m["size"])) for n, m in manifest["members"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _refuse(path, "its manifest cannot be read") from error
    if form != FORMAT:
        raise _refuse(path, "its manifest is that of something else")
    if version != 1 or number > migrations.known()[-1][0]:
        raise StoreNewerError(f"{path.name} was written by a later version of ModelLab; upgrade modellab-jupyter.")
    if set(held) != set(names) - {MANIFEST} or number < 1:
        raise _refuse(path, "its manifest names other members than it has")
    for name, said in held.items():
        if wrong := zips.fault(name):
            raise _refuse(path, f"a member, {name[:80]!r}, {wrong}")
        table = re.fullmatch(r"tables/[a-z_]+\.parquet", name)
        if not table and not (name.startswith("files/") and is_path(name[6:])):
            raise _refuse(path, f"a member has the name {name[:80]!r}, which no file of a store has")
        digest = hashlib.sha256()
        for part in _bytes(archive, name):
            digest.update(part)
        blob = name.startswith("files/blobs/") and blob_name(digest.hexdigest()) != name[6:]
        if said != (digest.hexdigest(), archive.getinfo(name).file_size) or blob:
            raise DamagedError(f"{path.name} is damaged: {name} does not match its digest; copy it again.")
    return {"schema": number, "members": held}


def _bytes(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as member:
        while part := member.read(CHUNK):
            yield part


def _table(archive: zipfile.ZipFile, name: str, path: Path) -> pa.Table:
    """Read a Parquet member, at most `GROWTH` times as large in memory as in the file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = archive.read(name)
    limit, total, batches = SLACK + GROWTH * len(data), 0, []
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        if file.metadata.num_rows > 1_000_000 + ROWS * len(data):
            raise _refuse(path, f"{name} claims more rows than so small a file can hold")
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        if sum(g.column(n).total_uncompressed_size for g in groups for n in range(g.num_columns)) > limit:
            raise _refuse(path, f"{name} is {GROWTH} times as large in memory as in the file")
        for batch in file.iter_batches(batch_size=512):
            total += batch.nbytes
            if total > limit:
                raise _refuse(path, f"{name} is {GROWTH} times as large in memory as in the file")
            batches.append(batch)
        return pa.Table.from_batches(batches, schema=file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise _refuse(path, f"{name} is no Parquet file") from error


def _migrated(number: int, rows: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Return tables as the newest schema has them; their columns and types are checked on the way."""
    import duckdb

    with duckdb.connect(":memory:") as con:
        for version, _, sql in migrations.known():
            if version <= number:
                con.execute(sql)
        known = tables(con)
        if missing := sorted(set(known) - set(rows)):
            raise InputError(f"the archive has no table {missing[0]!r}; nothing was written. Export it again.")
        for name, table in rows.items():
            if name not in known or set(table.column_names) - set(known[name]):
                raise InputError(f"the archive's table {name!r} is not one of a project; nothing was written.")
            con.register("fresh", table)
            try:
                con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM fresh")
            except duckdb.Error as error:
                said = str(error).splitlines()[0]
                raise InputError(f"the archive's table {name!r} does not fit ({said}); nothing was written.") from error
            con.unregister("fresh")
        for version, _, sql in migrations.known():
            if version > number:
                con.execute(sql)
        _check_values(con)
        folders = con.execute("SELECT folder FROM evaluations").fetchall()
        if any(re.fullmatch(r"evaluations/[^/\\\0]+", str(folder)) is None or ".." in folder for (folder,) in folders):
            raise InputError("the archive names an evaluation's folder outside the store; nothing was written.")
        return {name: con.sql(f"SELECT * FROM {name}").to_arrow_table() for name in tables(con)}


def _check_values(con: duckdb.DuckDBPyConnection) -> None:
    """Refuse what no store of ours writes, since every later read would meet it."""
    wrong = [
        *(f"SELECT {kind}_id FROM {kind}s WHERE coalesce(NOT regexp_full_match({kind}_id, '{prefix}_[0-9a-z]+'), true)"
          for kind, prefix in schema.PREFIXES.items() if f"{kind}s" in tables(con)),
        *(f"SELECT {kind}_id FROM {kind}s GROUP BY 1 HAVING count(*) > 1"
          for kind in schema.PREFIXES if f"{kind}s" in tables(con)),
        *(f"SELECT {column} FROM {table} WHERE NOT regexp_full_match({column}, '[0-9a-f]{{64}}')"
          for table, column in _DIGESTS),
        *(f"SELECT {column} FROM {table} WHERE NOT json_valid({column})" for table, column in _JSON),
        f"SELECT status FROM runs WHERE coalesce(status NOT IN {get_args(schema.Status)}, true)",
        "SELECT project_id FROM runs WHERE project_id IS NULL OR project_id NOT IN (SELECT project_id FROM projects)",
    ]  # fmt: skip
    for query in wrong:
        found = con.execute(f"{query} LIMIT 1").fetchall()
        if found:
            column = query.split()[1]
            raise InputError(
                f"the archive has the {column} {found[0][0]!r:.80}, which no store writes or which is there twice; "
                "nothing was written. Export it again."
            )


def insert(con: duckdb.DuckDBPyConnection, rows: dict[str, pa.Table]) -> dict[str, int]:
    """Insert what a store does not know, inside the caller's transaction; return how many rows of each table."""
    counts: dict[str, int] = {}
    projects = {
        old: _stand(con, "project", old, [name]) for old, name in _heads(rows, "projects", "project_id", "name")
    }
    _replace(rows, "project_id", projects)
    heads = _heads(rows, "datasets", "dataset_id", "name", "project_id")
    datasets = {old: _stand(con, "dataset", old, [name, project]) for old, name, project in heads}
    _replace(rows, "dataset_id", datasets)
    moved = {old: new for old, new in (projects | datasets).items() if old != new}
    if moved:
        _replace(rows, "id", moved)  # of aliases
        con.executemany("INSERT INTO aliases SELECT $1, $2 WHERE NOT EXISTS (FROM aliases WHERE proposed = $1)",
                        [[old, new] for old, new in moved.items()])  # fmt: skip
    known = tables(con)
    con.register("incoming_runs", rows["runs"].select(["run_id"]))
    unknown = "SELECT DISTINCT run_id AS run FROM incoming_runs WHERE run_id NOT IN (SELECT run_id FROM runs)"
    new_runs = con.sql(unknown).to_arrow_table()
    con.unregister("incoming_runs")
    con.register("new_runs", new_runs)
    for name, table in rows.items():
        con.register("fresh", table)
        counts[name] = int(con.execute(_statement(name, known[name])).fetchall()[0][0])
        con.unregister("fresh")
    con.unregister("new_runs")
    wide.refresh(con, new_runs)
    return counts


def _statement(name: str, columns: Sequence[str]) -> str:
    """Return the statement that inserts those rows of ``fresh`` that are new to a table."""
    into = f"INSERT INTO {name} BY NAME SELECT"
    if "run_id" in columns:
        return f"{into} * FROM fresh WHERE run_id IN (SELECT run FROM new_runs)"
    if name == "dataset_versions":  # another history of the dataset may have taken its numbers
        return f"""{into} * REPLACE (CAST(coalesce((SELECT max(v.version) FROM dataset_versions v
            WHERE v.dataset_id = f.dataset_id), 0) + row_number() OVER (PARTITION BY f.dataset_id ORDER BY version)
            AS INTEGER) AS version) FROM fresh f WHERE NOT EXISTS (
            SELECT 1 FROM dataset_versions k WHERE k.dataset_id = f.dataset_id AND k.digest = f.digest)"""
    key = next(column for column in (*_BELONG, columns[0]) if column in columns)
    within = ["position"] if "position" in columns else ["widget", "name"] if "widget" in columns else []
    same = " AND ".join(f"k.{column} = f.{column}" for column in (key, *within))
    return f"{into} * FROM fresh f WHERE NOT EXISTS (SELECT 1 FROM {name} k WHERE {same})"


def _heads(rows: dict[str, pa.Table], name: str, *columns: str) -> list[tuple[Any, ...]]:
    return list(zip(*(rows[name].column(column).to_pylist() for column in columns), strict=True))


def _stand(con: duckdb.DuckDBPyConnection, kind: str, old: str, names: list[Any]) -> str:
    """Return the id that stands for an archive's here: itself, an alias's, or that of the same name."""
    key, table = f"{kind}_id", f"{kind}s"
    same = f"""SELECT id FROM (
        SELECT {key} AS id, 0 AS rank FROM {table} WHERE {key} = $old
        UNION ALL SELECT id, 1 FROM aliases WHERE proposed = $old
        UNION ALL SELECT {key}, 2 FROM {table} WHERE name = $name AND deleted_at IS NULL
        {"AND project_id IS NOT DISTINCT FROM $project" if kind == "dataset" else ""}) ORDER BY rank, id LIMIT 1"""
    values = {"old": old, "name": names[0]} | ({"project": names[1]} if kind == "dataset" else {})
    found = con.execute(same, values).fetchall()
    return str(found[0][0]) if found else old


def _replace(rows: dict[str, pa.Table], column: str, ids: dict[str, str]) -> None:
    """Give the rows of all tables the ids that stand for theirs."""
    import pyarrow as pa

    if all(old == new for old, new in ids.items()):
        return
    for name, table in rows.items():
        if column in table.column_names:
            values = [ids.get(value, value) for value in table.column(column).to_pylist()]
            array = pa.array(values, type=pa.string())
            rows[name] = table.set_column(table.column_names.index(column), column, array)
