from __future__ import annotations

import gzip
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modellab_jupyter as ml
from modellab_jupyter.data import as_table, frame_digest
from tests.conftest import answer

CELLS = {
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False),
    "text": st.text(max_size=5),
    "bool": st.booleans(),
    "time": st.datetimes(min_value=pd.Timestamp("1700-01-01"), max_value=pd.Timestamp("2200-01-01")),
}


def messy(rows: int = 6) -> pd.DataFrame:
    """Return a frame with a column of every common type, each with a missing value where it has one."""
    return pd.DataFrame(
        {
            "int": range(rows),
            "small": np.arange(rows, dtype="int8"),
            "nullable": pd.array([1, None, *range(rows - 2)], dtype="Int64"),
            "float": [0.5, np.nan, *[-0.0] * (rows - 2)],
            "text": ["a", None, *"bcdefghij"[: rows - 2]],
            "empty": [""] * rows,
            "bool": [True, False] * (rows // 2),
            "maybe": pd.array([True, None, *[False] * (rows - 2)], dtype="boolean"),
            "time": pd.date_range("2024-01-01", periods=rows),
            "zoned": pd.date_range("2024-01-01", periods=rows, tz="Europe/Berlin"),
            "span": pd.to_timedelta(range(rows), unit="s"),
            "label": pd.Categorical(["x", "y", None, *["x"] * (rows - 3)]),
            "code": pd.Categorical([3, 1, None, *[3] * (rows - 3)]),
            "decimal": [Decimal("1.10"), None, *[Decimal(2)] * (rows - 2)],
            "bytes": [b"\x00", None, *[b"x"] * (rows - 2)],
            "list": [[1, 2], None, *[[3]] * (rows - 2)],
            "mixed": [1, "one", *[None] * (rows - 2)],
            "complex": [1j] * rows,
            "nothing": [None] * rows,
        }
    )


@given(st.sampled_from(sorted(CELLS)), st.data())
@settings(max_examples=30, deadline=None)
def test_a_digest_changes_with_any_cell_and_not_with_layout(kind: str, data: Any) -> None:
    """Equal content has one digest whatever its index, copy and order in memory; another cell has another digest."""
    cells = data.draw(st.lists(st.none() | CELLS[kind], min_size=2, max_size=6))
    other = data.draw(CELLS[kind])
    place = data.draw(st.integers(0, len(cells) - 1))
    frame = pd.DataFrame({"a": pd.Series(cells, dtype=object), "b": range(len(cells))})
    digest = frame_digest(frame)
    shuffled = frame.set_index(pd.Index(np.arange(len(cells))[::-1] * 3)).iloc[::-1].copy().iloc[::-1]
    assert frame_digest(shuffled) == digest
    changed = frame.copy()
    changed.loc[place, "a"] = other
    was = cells[place]
    same = type(was) is type(other) and (was == other and (kind != "float" or repr(was) == repr(other)))
    assert (frame_digest(changed) == digest) == same


def test_a_digest_tells_every_column_from_its_neighbours() -> None:
    """Changing any cell of any column, a name, a type, the order of rows or columns changes the digest."""
    frame = messy()
    digest = frame_digest(frame)
    seen = {digest}
    for place, name in enumerate(frame.columns):
        changed = frame.copy()
        column = changed[name].tolist()
        column[0], column[1] = column[1], column[0]
        if name not in {"empty", "nothing", "complex", "zoned"}:
            changed[name] = pd.Series(column, dtype=frame[name].dtype)
            assert frame_digest(changed) not in seen, name
            seen.add(frame_digest(changed))
        renamed = frame.copy()
        renamed.columns = [*frame.columns[:place], f"{name}!", *frame.columns[place + 1 :]]
        assert frame_digest(renamed) not in seen
        seen.add(frame_digest(renamed))
    for other in (frame.iloc[::-1], frame[frame.columns[::-1]], frame.iloc[:-1], frame.astype({"small": "int16"})):
        assert frame_digest(other) not in seen


def test_a_digest_is_of_content_alone() -> None:
    """Index, memory layout, chunks, categories and the way to say "missing" do not matter; -0.0 is not 0.0."""
    frame = messy()
    digest = frame_digest(frame)
    assert frame_digest(frame.set_index(pd.MultiIndex.from_product([["i"], range(6)]))) == digest
    assert frame_digest(pd.concat([frame.iloc[:2], frame.iloc[2:]])[frame.columns].astype(frame.dtypes)) == digest
    plain = frame.assign(label=frame["label"].astype(object))
    assert frame_digest(plain) == digest
    reordered = frame.assign(label=frame["label"].cat.reorder_categories(["y", "x"]))
    assert frame_digest(reordered) == digest
    fortran = pd.DataFrame(np.asfortranarray(np.arange(12.0).reshape(3, 4)))
    assert frame_digest(fortran) == frame_digest(pd.DataFrame(np.arange(12.0).reshape(3, 4)))
    assert frame_digest(fortran[::2].reset_index(drop=True)) == frame_digest(fortran[::2])
    for missing in (None, np.nan, pd.NA):
        assert frame_digest(pd.DataFrame({"a": pd.Series(["x", missing], dtype=object)})) == frame_digest(
            pd.DataFrame({"a": ["x", None]})
        )
    assert frame_digest(pd.DataFrame({"a": [0.0]})) != frame_digest(pd.DataFrame({"a": [-0.0]}))
    table = pa.table({"a": pa.chunked_array([["x"], ["y", None]]), "b": [1, 2, 3]})
    assert frame_digest(table) == frame_digest(table.combine_chunks())


BACKINGS = {
    "int": (pa.int64(), "Int64"),
    "float": (pa.float64(), "float64"),
    "text": (pa.string(), "str"),
    "bool": (pa.bool_(), "boolean"),
    "time": (pa.timestamp("us"), "datetime64[us]"),
}


@given(st.sampled_from(sorted(CELLS)), st.data())
@settings(max_examples=40, deadline=None)
def test_a_digest_is_the_same_in_every_library(kind: str, data: Any) -> None:
    """pandas, pandas on Arrow, polars and Arrow in any chunks hold one content; NumPy does where nothing is missing."""
    cells = data.draw(st.lists(st.none() | CELLS[kind], max_size=8))
    cut = data.draw(st.integers(0, len(cells)))
    arrow, dtype = BACKINGS[kind]
    table = pa.table({"a": pa.array(cells, arrow)})
    digest = frame_digest(table)
    layouts = [
        pa.table({"a": pa.chunked_array([cells[:cut], [], cells[cut:]], arrow)}),
        pa.table({"b": [0, *cells[:0]], "a": pa.array([None], arrow)}).select(["a"]).slice(1) if not cells else table,
        pa.concat_tables([table, table]).slice(len(cells)),
        pd.DataFrame({"a": pd.Series(cells, dtype=dtype)}),
        table.to_pandas(types_mapper=pd.ArrowDtype),
        pl.from_arrow(table),
        table.to_batches()[0] if len(cells) else table,
    ]
    if kind == "text":
        layouts += [
            pd.DataFrame({"a": pd.Categorical(cells)}) if any(cells) else table,
            pl.DataFrame({"a": pl.Series(cells, dtype=pl.String).cast(pl.Categorical)}),
            pa.table({"a": pa.array(cells, arrow).dictionary_encode()}),
            pa.table({"a": pa.array(cells, pa.string_view())}),
        ]
    if None not in cells and kind in {"int", "float"} and cells:
        wide = np.zeros((len(cells), 3), dtype=dtype.lower())
        wide[:, 1] = cells
        layouts += [pd.DataFrame(wide[:, 1:2], columns=["a"]), {"a": wide[:, 1]}]
    for layout in layouts:
        assert frame_digest(layout) == digest, layout


def test_the_unit_of_a_time_is_layout_and_its_zone_is_content() -> None:
    """Seconds and nanoseconds of one instant are one content, before 1970 too; another zone is another column."""
    days = pd.DatetimeIndex(["1969-12-31 23:59:59", "2024-02-29", None])
    digests = {frame_digest({"t": days.as_unit(unit)}) for unit in ("s", "ms", "us", "ns")}
    assert len(digests) == 1
    zones = [days.tz_localize(zone) for zone in ("UTC", "Europe/Berlin")]
    assert len({frame_digest({"t": zone}) for zone in [days, *zones]}) == 3
    assert frame_digest({"t": zones[1].as_unit("ns")}) == frame_digest({"t": zones[1].as_unit("us")})


def test_a_missing_whole_number_stays_one() -> None:
    """Arrow and polars keep whole numbers beyond 2**53 beside a missing one."""
    big = [2**53 + 1, None]
    near = [2**53, None]
    assert frame_digest(pl.DataFrame({"a": big})) == frame_digest(pa.table({"a": big}))
    assert frame_digest(pl.DataFrame({"a": big})) != frame_digest(pl.DataFrame({"a": near}))


def test_values_within_values_are_of_content_alone() -> None:
    """Lists and records have one digest in every library, the order of a record's keys does not matter."""
    rows = [{"x": [1.5, None], "y": {"p": "a", "q": 1}}, {"x": [], "y": {"p": None, "q": 2}}]
    turned = [{"x": row["x"], "y": dict(reversed(row["y"].items()))} for row in rows]
    digest = frame_digest(pd.DataFrame(rows))
    assert frame_digest(pd.DataFrame(turned)) == frame_digest(pa.Table.from_pylist(rows)) == digest
    assert frame_digest(pl.DataFrame(rows)) == digest
    assert frame_digest(pd.DataFrame([rows[0], rows[0]])) != digest
    mixed = pd.DataFrame({"a": pd.Series([{3, 1}, "x", np.nan, (1, np.int64(2))], dtype=object)})
    again = pd.DataFrame({"a": pd.Series([{1, 3}, "x", None, (1, 2)], dtype=object)})
    assert frame_digest(mixed) == frame_digest(again)


def test_an_object_without_content_is_refused() -> None:
    """What shows an address in memory would get another digest each time; the column, type and row are named."""
    with pytest.raises(ml.InputError, match="column 'a' holds a object in row 1, whose"):
        ml.datasets.add(pd.DataFrame({"a": pd.Series([1, object()], dtype=object)}))
    with pytest.raises(ml.InputError, match="a column of polars' type Object holds none"):
        ml.datasets.add(pl.DataFrame({"a": pl.Series([object()])}))
    assert len(ml.datasets.list()) == 0


def test_a_digest_is_the_same_in_every_process() -> None:
    """Sets, whose order is another in each process, also within lists and records, have one digest."""
    code = (
        "import pandas as pd; from modellab_jupyter.data import frame_digest\n"
        "words = set('abcdefgh')\n"
        "rows = [[words, words], [[words]] * 2, [{'k': words}] * 2, [frozenset(words), 1]]\n"
        "print([frame_digest(pd.DataFrame({'a': pd.Series(row, dtype=object)})) for row in rows])"
    )
    assert len({answer(code) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "cells", [["\ud800", "a"], [2**70, 1], [-1, 2**64 - 1], [np.datetime64("2024-01-01"), None], [1j], [{1: 2}, "x"]]
)
def test_values_that_arrow_has_no_type_for_are_content(cells: list[Any]) -> None:
    """They are registered, summarised and told apart, and a copy has the same digest."""
    column = pd.Series(cells, dtype=object)
    record = ml.datasets.add(pd.DataFrame({"a": column}), "odd")
    assert record.digest == frame_digest(pd.DataFrame({"a": column.copy()}))
    assert record.digest != frame_digest(pd.DataFrame({"a": pd.Series([*cells[:-1], "other"], dtype=object)}))


def test_an_old_store_gets_summaries_and_a_current_version() -> None:
    """Versions from before have none and are current in their order; registering the content again adds the summary."""
    import duckdb

    from modellab_jupyter.store import migrations
    from modellab_jupyter.store.backends import STORAGE_VERSION

    frame = pd.DataFrame({"x": [1.0, 2.0]})
    with duckdb.connect() as con:
        con.execute(f"ATTACH 'modellab.duckdb' AS store (STORAGE_VERSION '{STORAGE_VERSION}')")
        con.execute("USE store")
        con.execute("CREATE TABLE migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMP)")
        con.execute(migrations.known()[0][2])
        con.execute("INSERT INTO migrations VALUES (1, 'foundation', now() AT TIME ZONE 'UTC')")
        con.execute("INSERT INTO datasets VALUES ('ds_1', NULL, 'd', '', '2024-01-01', '2024-01-02', NULL)")
        for version, digest in ((1, frame_digest(frame)), (2, "b" * 64)):
            con.execute(
                "INSERT INTO dataset_versions VALUES ('ds_1', ?, ?, 'frame', NULL, 2, 1, NULL, '[]', NULL, ?)",
                [version, digest, f"2024-01-0{version}"],
            )
    assert ml.datasets.get("d").version == 2
    for call in (lambda: ml.datasets.summary("d"), lambda: ml.datasets.drift("d")):
        with pytest.raises(ml.InputError, match=r"has no summary|neither rows nor a summary"):
            call()
    record = ml.datasets.add(frame, "d")
    assert (record.version, len(record.versions)) == (1, 2)
    assert ml.datasets.summary("d")["mean"].tolist() == [1.5]


def test_digests_stay_what_they_are() -> None:
    """A digest in a store of yesterday is that of the same content today."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan], "d": pd.to_datetime(["2024-01-01"] * 2)})
    assert frame_digest(frame) == "e9f3df8fc3cac54fc8def937d4e5e7655c8fac37f6955582a58db4f955f11e5a"


def test_a_change_of_time_alone_is_none(tmp_path: Path) -> None:
    """A file is its bytes: neither when it was written nor its name matters, and one of many blocks is read whole."""
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(3 << 20) + b"end")
    first = ml.datasets.add(path, "big")
    os.utime(path, (1, 1))
    path.rename(tmp_path / "other.bin")
    again = ml.datasets.add(tmp_path / "other.bin", "big")
    assert (again.version, again.digest, len(again.versions)) == (1, first.digest, 1)
    assert again.versions[0]["path"].endswith("other.bin")
    assert ml.datasets.verify("big")["intact"]


def test_an_old_content_that_is_registered_again_is_current() -> None:
    """After A, B, A the dataset is A: one row for each, and a run that names the dataset uses A."""
    a, b = pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [2]})
    for data in (a, b, a):
        record = ml.datasets.add(data, "d")
    assert (record.version, record.digest, len(record.versions)) == (1, frame_digest(a), 2)
    assert ml.datasets.list()[["version", "digest"]].values.tolist() == [[1, frame_digest(a)]]
    assert ml.datasets.preview("d")["x"].tolist() == [1]
    with ml.start_run("r", dataset="d") as run:
        pass
    assert ml.runs.get(run.id).datasets[0]["version"] == 1
    assert ml.datasets.add(b, "d").version == 2


def test_names_cannot_be_confused_with_values() -> None:
    """Moving text between a column's name and its values gives another digest."""
    digests = {
        frame_digest(pd.DataFrame(columns))
        for columns in ({"a": ["b"]}, {"ab": [""]}, {"": ["ab"]}, {"a\x00": ["b"]}, {"a": ["\x00b"]}, {"a": ["b", ""]})
    }
    assert len(digests) == 6


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=range(3))])
def test_an_empty_frame_is_a_dataset(frame: pd.DataFrame) -> None:
    """No rows or no columns is content too."""
    record = ml.datasets.add(frame, "empty")
    assert (record.versions[0]["rows"], record.versions[0]["columns"]) == frame.shape
    assert ml.datasets.preview("empty").columns.tolist() == frame.columns.tolist()
    assert ml.datasets.verify("empty", frame)["intact"]


def test_a_dataset_has_a_version_for_each_content() -> None:
    """Another content is another version, a known one adds none and is current again, and a run says which it used."""
    first, second = messy(), messy().iloc[1:]
    record = ml.datasets.add(first, "data", project_id="p", description="why")
    assert (record.version, record.description) == (1, "why")
    with ml.start_run("a", project_id="p") as a:
        digest = ml.log_dataset(second, "data", split="train")
    with ml.start_run("b", project_id="p", dataset="data") as b:
        assert ml.log_dataset(first, "data", split="test") == record.digest
    versions = ml.datasets.get("data").versions
    assert [(v["version"], v["digest"], sorted(v["runs"])) for v in versions] == [
        (2, digest, sorted([a.id, b.id])),
        (1, record.digest, [b.id]),
    ]
    assert [d["version"] for d in ml.runs.get(b.id).datasets] == [2, 1]
    assert ml.datasets.list("p")[["name", "version", "runs"]].values.tolist() == [["data", 1, 2]]
    assert ml.datasets.verify("data", first)["intact"]
    assert not ml.datasets.verify("data", second)["intact"]
    assert ml.datasets.verify("data", second, version=2)["intact"]
    assert ml.runs.list()["dataset"].tolist() == ["data", "data"]


def test_a_preview_shows_the_first_hundred_rows() -> None:
    """Every type can be shown, also those that Parquet has none for, and names that are there twice."""
    ml.datasets.add(messy(10), "messy")
    shown = ml.datasets.preview("messy")
    assert shown.columns.tolist() == messy().columns.tolist()
    ml.datasets.add(pd.DataFrame(np.arange(500).reshape(250, 2), columns=["a", "a"]), "twice")
    assert ml.datasets.preview("twice").shape == (100, 2)
    assert ml.datasets.preview("twice", rows=3).values.tolist() == [[0, 1], [2, 3], [4, 5]]
    sparse = pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 7]), "a": [1.5, None, 2.5]})
    ml.datasets.add(sparse.assign(c=pd.arrays.SparseArray(["x", "", "x"], fill_value="")), "sparse")
    assert ml.datasets.preview("sparse")["s"].tolist() == [0, 0, 7]
    assert ml.datasets.preview("sparse")["c"].tolist() == ["x", "", "x"]
    ml.datasets.add(pd.DataFrame({("x", 1): [1], 3: ["a"]}), "odd names")
    assert ml.datasets.preview("odd names").shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "shape"),
    [
        ("a.csv", "x,y\n1,2\n3,4\n", (2, 2)),
        ("a.csv", "x;y;z\n1,5;2;3\n3,5;4;5\n", (2, 3)),
        ("a.tsv", "x\ty\n1\t2\n", (1, 2)),
        ("one.csv", "x\n1\n2\n", (2, 1)),
        ("b.csv.gz", "x,y\n1,2\n", (1, 2)),
        ("umlaut ü.csv", "größe,y\n1,ß\n", (1, 2)),
    ],
)
def test_files_are_read_as_what_they_are(name: str, text: str, shape: tuple[int, int]) -> None:
    """CSV with any usual separator, packed or not, is a table with a preview; its digest is that of its bytes."""
    path = Path(name)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    record = ml.datasets.add(path)
    version = record.versions[0]
    assert (version["rows"], version["columns"]) == shape
    assert record.name == name.partition(".")[0]
    assert ml.datasets.preview(record.dataset_id).shape == shape
    assert ml.datasets.verify(record.dataset_id)["intact"]
    path.write_bytes(path.read_bytes() + b"\n9,9\n")
    assert not ml.datasets.verify(record.dataset_id)["intact"]
    path.unlink()
    assert "is not there any more" in ml.datasets.verify(record.dataset_id)["reason"]


def test_like_is_compared_with_like() -> None:
    """A file is verified by bytes against a file, by rows against a frame, and says what nobody can know any more."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})
    other = frame.assign(a=[1, 2, 4])
    frame.to_csv("x.csv", index=False)
    other.to_csv("y.csv", index=False)
    ml.datasets.add("x.csv")
    ml.datasets.add(frame, "frame")

    def intact(name: str, data: Any) -> bool | None:
        found = ml.datasets.verify(name, data=data)
        assert (found["found"] == found["registered"]) is (found["intact"] is True)
        return found["intact"]

    for name in ("x", "frame"):
        assert [intact(name, data) for data in (frame, "x.csv", Path("x.csv"))] == [True] * 3
        assert [intact(name, data) for data in (other, "y.csv", Path("y.csv"))] == [False] * 3
    for new in (frame, "x.csv", Path("x.csv")):
        assert ml.datasets.drift("x", old=1, new=new).same is True
    assert ml.datasets.drift("x", old=1, new=other).same is False
    Path("x.csv").unlink()
    assert intact("x", other) is False
    assert "not known" in ml.datasets.verify("x", data=frame)["reason"]
    assert intact("x", frame) is None
    assert ml.datasets.drift("x", old=1, new=frame).same is None
    with pytest.raises(ml.InputError, match="data must be a frame, a file"):
        ml.datasets.verify("x", data="x.csv")
    Path("n.bin").write_bytes(b"x")
    ml.datasets.add("n.bin")
    with pytest.raises(ml.InputError, match="is no table"):
        ml.datasets.verify("n", data=frame)
    assert intact("n", "n.bin")


def test_a_parquet_file_and_a_file_of_another_kind() -> None:
    """Parquet has a preview; what is no table is kept by its bytes alone and says so."""
    pd.DataFrame({"a": [1, 2]}).to_parquet("t.parquet")
    Path("model.bin").write_bytes(b"\x00\x01")
    assert ml.datasets.add("t.parquet").versions[0]["source"] == "parquet"
    assert ml.datasets.preview("t")["a"].tolist() == [1, 2]
    assert ml.datasets.add("model.bin").versions[0]["source"] == "file"
    with pytest.raises(ml.InputError, match="is no table, so it has no preview"):
        ml.datasets.preview("model")


@pytest.mark.parametrize("name", ["broken.parquet", "empty.csv"])
def test_a_file_that_cannot_be_read_is_refused(name: str) -> None:
    """The message names the file and the reason."""
    Path(name).write_bytes(b"" if name.startswith("empty") else b"no such thing")
    with pytest.raises(ml.InputError, match=f"'{name}' (cannot be read|is empty)"):
        ml.datasets.add(name)
    assert len(ml.datasets.list()) == 0


def test_frames_of_other_libraries_are_frames() -> None:
    """Arrow tables, columns in a dict and matrices are taken as they are."""
    expected = frame_digest(pd.DataFrame({"a": [1, 2]}))
    for data in (pa.table({"a": [1, 2]}), {"a": [1, 2]}, pd.Series([1, 2], name="a")):
        assert frame_digest(data) == expected
    assert as_table(np.eye(2)).shape == (2, 2)


def test_a_dataset_whose_name_looks_like_a_path_is_found() -> None:
    """A name with a dot is a name where no such file is there."""
    ml.datasets.add(pd.DataFrame({"a": [1]}), "data.v1")
    with ml.start_run("a", dataset="data.v1") as run:
        pass
    assert ml.runs.get(run.id).datasets[0]["name"] == "data.v1"
