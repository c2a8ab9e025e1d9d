"""A project moves between stores whole, once, and never does harm on the way."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import modellab_jupyter as ml
from modellab_jupyter.errors import DamagedError, InputError, ModelLabError, NotFoundError, StoreNewerError
from modellab_jupyter.store import archive
from tests.conftest import answer, content
from tests.store.test_contract import bucket, cluster, place, shared  # noqa: F401 - fixtures


def fill(folder: Path) -> None:
    """Log something of every kind, with a dataset of no project, a neighbour and something in the trash."""
    (folder / "things").mkdir()
    (folder / "things" / "a.bin").write_bytes(b"x" * 3_000_000)
    (folder / "things" / "none").write_bytes(b"")
    frame = pd.DataFrame({"x": [1.5, None, 3.0], "who": ["a", "b", "ü'"]})
    with ml.start_run("first", project_id="churn", params={"depth": 3, "odd": float("nan")}, tags={"t": "v"}) as run:
        for step in range(20):
            ml.log_metrics({"loss": 1 / (step + 1), "odd": float("nan" if step % 2 else "inf")}, step=step)
        ml.log_latency([0.1, 0.2])
        ml.log_artifact({"a": 1}, "a.json")
        ml.log_artifact(folder / "things", "things")
        ml.log_dataset(frame, "people")
        run.evaluate(predictions=[0, 1, 1, 0] * 10, labels=[0, 1, 0, 0] * 10, data=None)
    ml.start_run("binned", project_id="churn").end()
    ml.runs.delete("binned")
    ml.start_run("neighbour", project_id="other").end()
    ml.projects.update("churn", description="who goes")


def project_only(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: lines for name, lines in rows.items() if name not in archive.OWN and lines}


@pytest.fixture
def file(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an archive of the project of `fill`, from a store that stays behind in the folder ``old``."""
    made = tmp_path_factory.getbasetemp() / "transfer"
    if not made.exists():
        (made / "old").mkdir(parents=True)
        ml.configure(made / "old" / "modellab.duckdb")
        fill(made)
        ml.export(made / "churn.zip", "churn")
    shutil.copytree(made / "old", tmp_path / "old")
    ml.configure(tmp_path / "old" / "modellab.duckdb")
    return Path(shutil.copy(made / "churn.zip", tmp_path))


def test_a_project_comes_back_as_it_was(file: Path, tmp_path: Path) -> None:
    """Out of one store and into an empty one: the same rows in every table, the same bytes, the trash too."""
    before = content(tmp_path / "old")
    (tmp_path / "new").mkdir()
    ml.configure(tmp_path / "new" / "modellab.duckdb")
    counts = ml.import_(file)
    after = content(tmp_path / "new")
    assert counts["runs"] == 2
    assert counts["metrics"] == 40
    for name, rows in project_only(before).items():
        others = [row for row in rows if row not in after[name]]
        assert all("neighbour" in row or "other" in row or name in {"run_sessions", "run_wide"} for row in others), name
        assert set(after[name]) <= set(rows), name
    things = ml.artifacts.list().set_index("name")["artifact_id"]
    assert ml.artifacts.verify(things["things"])
    judged = ml.evaluations.list()["evaluation_id"][0]
    assert (ml.evaluations.folder(judged) / "metrics.json").is_file()
    assert ml.datasets.preview("people")["who"].tolist() == ["a", "b", "ü'"]
    assert "who" in str(ml.datasets.summary("people"))
    assert ml.runs.list(trash=True)["name"].tolist() == ["binned"]
    again = ml.export(tmp_path / "again.zip", "churn")
    assert again.read_bytes() == file.read_bytes()


def test_importing_twice_changes_nothing(file: Path, tmp_path: Path) -> None:
    """The second time nothing is new, also in the store that it came from."""
    before = content(tmp_path / "old")
    assert set(ml.import_(file).values()) == {0}
    assert content(tmp_path / "old") == before
    (tmp_path / "new").mkdir()
    ml.configure(tmp_path / "new" / "modellab.duckdb")
    ml.import_(file)
    before = content(tmp_path / "new")
    assert set(ml.import_(file).values()) == {0}
    assert content(tmp_path / "new") == before


def test_what_has_the_same_name_becomes_one(file: Path, tmp_path: Path) -> None:
    """A project and a dataset of a name that the store has join it; versions are numbered on."""
    (tmp_path / "new").mkdir()
    ml.configure(tmp_path / "new" / "modellab.duckdb")
    with ml.start_run("mine", project_id="churn"):
        ml.log_dataset(pd.DataFrame({"x": [1, 2]}), "people")
    ml.import_(file)
    assert ml.projects.list()["name"].tolist() == ["churn"]
    assert sorted(ml.runs.list("churn")["name"]) == ["first", "mine"]
    assert sorted(one["version"] for one in ml.datasets.get("people").versions) == [1, 2]
    assert [d["name"] for d in ml.runs.get("first").datasets] == ["people"]
    assert set(ml.import_(file).values()) == {0}


@shared
def test_a_project_moves_to_a_shared_store_and_back(
    file: Path, place: str, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    """From a file to a server or a lake and out of it again: the same archive."""
    ml.configure(place)
    assert ml.import_(file)["runs"] == 2
    assert ml.runs.list("churn")["name"].tolist() == ["first"]
    again = ml.import_(file)
    assert not any(again.values())
    back = ml.export(tmp_path / "back.zip", "churn")
    (tmp_path / "new").mkdir()
    ml.configure(tmp_path / "new" / "modellab.duckdb")
    ml.import_(back)
    assert ml.export(tmp_path / "third.zip", "churn").read_bytes() == file.read_bytes()


def test_bytes_that_are_gone_are_told_and_nothing_is_written(file: Path, tmp_path: Path) -> None:
    """An export is whole or is not made; a path that is there stays as it is."""
    ml.configure(tmp_path / "old" / "modellab.duckdb")
    with pytest.raises(InputError, match="must not exist"):
        ml.export(file, "churn")
    with pytest.raises(NotFoundError):
        ml.export(tmp_path / "x.zip", "no such project")
    digest = ml.artifacts.get("a.json").digest
    blob = tmp_path / "old" / "modellab.files" / "blobs" / digest[:2] / digest[2:]
    blob.write_bytes(b"other")
    with pytest.raises(DamagedError):
        ml.export(tmp_path / "x.zip", "churn")
    blob.unlink()
    with pytest.raises(NotFoundError):
        ml.export(tmp_path / "x.zip", "churn")
    assert not list(tmp_path.glob("*x.zip*"))


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as one:
        return {name: one.read(name) for name in one.namelist()}


def listed(held: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    """Return members with a manifest that fits them."""
    import hashlib

    manifest = json.loads(held[archive.MANIFEST]) | changes
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in held.items() if name != archive.MANIFEST
    }  # fmt: skip
    return held | {archive.MANIFEST: json.dumps(manifest).encode()}


def parquet(columns: dict[str, object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd", data_page_size=1 << 30, row_group_size=1 << 30)
    return sink.getvalue()


def altered(held: dict[str, bytes], table: str, column: str, value: str) -> dict[str, bytes]:
    """Return members of which one column of a table has another value in all rows, of which there is one at least."""
    name = f"tables/{table}.parquet"
    rows = pq.read_table(io.BytesIO(held[name]))
    assert rows.num_rows
    at = rows.column_names.index(column)
    return written(held, name, rows.set_column(at, column, pa.array([value] * rows.num_rows)))


def doubled(held: dict[str, bytes], table: str) -> dict[str, bytes]:
    """Return members of which a table has every row twice."""
    name = f"tables/{table}.parquet"
    rows = pq.read_table(io.BytesIO(held[name]))
    return written(held, name, pa.concat_tables([rows, rows]))


def written(held: dict[str, bytes], name: str, rows: pa.Table) -> dict[str, bytes]:
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return listed({**held, name: sink.getvalue()})


HOSTILE: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "path escape": lambda held: listed({**held, "files/../../evil": b"x"}),
    "absolute path": lambda held: listed({**held, "files//etc/evil": b"x"}),
    "dots inside": lambda held: listed({**held, "files/evaluations/a/../../evil": b"x"}),
    "blob of another name": lambda held: listed({**held, f"files/blobs/aa/{'0' * 62}": b"x"}),
    "unlisted member": lambda held: {**held, "files/evaluations/a/b": b"x"},
    "member gone": lambda held: {n: d for n, d in held.items() if n != "tables/runs.parquet"},
    "changed bytes": lambda held: {**held, "tables/runs.parquet": held["tables/metrics.parquet"]},
    "no manifest": lambda held: {n: d for n, d in held.items() if n != archive.MANIFEST},
    "manifest of lists": lambda held: {**held, archive.MANIFEST: b"[[]]"},
    "manifest of something else": lambda held: listed(held, format="other"),
    "later schema": lambda held: listed(held, schema=10_000),
    "no schema": lambda held: listed(held, schema=0),
    "no parquet": lambda held: listed({**held, "tables/runs.parquet": b"no"}),
    "unknown table": lambda held: listed({**held, "tables/segments.parquet": parquet({"segment": ["x"]})}),
    "unknown column": lambda held: listed({**held, "tables/tags.parquet": parquet({"evil": ["x"]})}),
    "wrong type": lambda held: listed({**held, "tables/metrics.parquet": parquet({"step": ["x"]})}),
    "rows out of nothing": lambda held: listed(
        {**held, "tables/tags.parquet": parquet({"tag": pa.array(np.zeros(20_000_000, np.int8))})}
    ),
    "text out of nothing": lambda held: listed(
        {**held, "tables/tags.parquet": parquet({"tag": pa.array(["x" * 100_000] * 3000)})}
    ),
    "table gone": lambda held: listed({n: d for n, d in held.items() if n != "tables/tags.parquet"}),
    "run twice": lambda held: doubled(held, "runs"),
    "digest that is a path": lambda held: altered(held, "artifacts", "digest", "../../etc/passwd"),
    "status of another world": lambda held: altered(held, "runs", "status", "exploded"),
    "run of no project": lambda held: altered(held, "runs", "project_id", "proj_0"),
    "id of no form": lambda held: altered(held, "runs", "run_id", "run_' OR 1"),
    "settings that are no JSON": lambda held: altered(held, "environments", "content", "{"),
    "folder outside": lambda held: listed(
        {**held, "tables/evaluations.parquet": parquet({"evaluation_id": ["e"], "folder": ["evaluations/../.."]})}
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused(
    kind: str, file: Path, tmp_path: Path, files: Callable[[], dict[str, bytes]]
) -> None:
    """What was made to do harm, or was damaged, is refused in a sentence, and nothing is written."""
    bad = tmp_path / "bad.zip"
    with zipfile.ZipFile(bad, "w") as one:
        for name, data in HOSTILE[kind](members(file)).items():
            one.writestr(name, data)
    (tmp_path / "new").mkdir()
    ml.configure(tmp_path / "new" / "modellab.duckdb")
    ml.runs.list()
    before = files()
    with pytest.raises((InputError, DamagedError, StoreNewerError)) as error:
        ml.import_(bad)
    assert "\n" not in str(error.value)
    assert files() == before
    assert not len(ml.runs.list())


def test_compressed_doubled_and_cut_archives_are_refused(file: Path, tmp_path: Path) -> None:
    """Deflated members, two of one name, a file that was cut anywhere, and what is no archive."""
    held = members(file)
    deflated, doubled, cut = tmp_path / "deflated.zip", tmp_path / "doubled.zip", tmp_path / "cut.zip"
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as one:
        for name, data in held.items():
            one.writestr(name, data)
    with zipfile.ZipFile(doubled, "w") as one:
        for name, data in held.items():
            one.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            one.writestr("tables/runs.parquet", held["tables/runs.parquet"])
    for path in (deflated, doubled):
        with pytest.raises(InputError, match="refused"):
            ml.import_(path)
    whole = file.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(ModelLabError):
            ml.import_(cut)
    with pytest.raises(InputError):
        ml.import_(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone tells the peak of a process's memory")
def test_a_small_archive_takes_little_memory(file: Path, tmp_path: Path) -> None:
    """One value of half a gigabyte that compresses to nothing is refused before it is unpacked."""
    bad = tmp_path / "bad.zip"
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"run_id": ["run_1"], "note": ["x" * 500_000_000]}), sink, compression="zstd", use_dictionary=False
    )
    with zipfile.ZipFile(bad, "w") as one:
        held = members(file) | {"tables/runs.parquet": sink.getvalue()}
        for name, data in listed(held).items():
            one.writestr(name, data)
    assert len(sink.getvalue()) < 100_000
    grown = answer(f"""
import pathlib, re
import modellab_jupyter as ml
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
ml.configure({str(tmp_path / "new.duckdb")!r})
ml.runs.list()
before = peak()
try:
    ml.import_({str(bad)!r})
except ml.InputError as error:
    assert "as large in memory" in str(error), error
    print((peak() - before) // 1024)
""")
    assert int(grown) < 200


def test_every_table_belongs_to_a_project_or_to_the_store(store) -> None:
    """A table that a later schema adds is carried, or named as the store's own."""
    with store._backend.connect(write=True) as con:
        for name, columns in archive.tables(con).items():
            assert set(archive._BELONG) & set(columns), name
