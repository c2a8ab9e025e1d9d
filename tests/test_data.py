from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modellab_jupyter as ml
from modellab_jupyter.data import as_frame, frame_digest

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
    assert frame_digest(as_frame(table)) == frame_digest(as_frame(table.combine_chunks()))


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
    """Another content is another version, a known one adds none, and a run says which it used."""
    first, second = messy(), messy().iloc[1:]
    record = ml.datasets.add(first, "data", project_id="p", description="why")
    assert (record.version, record.description) == (1, "why")
    with ml.start_run("a", project_id="p") as a:
        digest = ml.log_dataset(second, "data", split="train")
    with ml.start_run("b", project_id="p", dataset="data") as b:
        assert ml.log_dataset(first, "data", split="test") == record.digest
    versions = ml.datasets.get("data").versions
    assert [(v["version"], v["digest"], sorted(v["runs"])) for v in versions] == [
        (1, record.digest, [b.id]),
        (2, digest, sorted([a.id, b.id])),
    ]
    assert [d["version"] for d in ml.runs.get(b.id).datasets] == [2, 1]
    assert ml.datasets.list("p")[["name", "version", "runs"]].values.tolist() == [["data", 2, 2]]
    assert ml.datasets.verify("data", second)["intact"]
    assert not ml.datasets.verify("data", first)["intact"]
    assert ml.datasets.verify("data", first, version=1)["intact"]
    assert ml.runs.list()["dataset"].tolist() == ["data", "data"]


def test_a_preview_shows_the_first_hundred_rows() -> None:
    """Every type can be shown, also those that Parquet has none for, and names that are there twice."""
    ml.datasets.add(messy(10), "messy")
    shown = ml.datasets.preview("messy")
    assert shown.columns.tolist() == messy().columns.tolist()
    ml.datasets.add(pd.DataFrame(np.arange(500).reshape(250, 2), columns=["a", "a"]), "twice")
    assert ml.datasets.preview("twice").shape == (100, 2)
    assert ml.datasets.preview("twice", rows=3).values.tolist() == [[0, 1], [2, 3], [4, 5]]
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
        assert frame_digest(as_frame(data)) == expected
    assert as_frame(np.eye(2)).shape == (2, 2)


def test_a_dataset_whose_name_looks_like_a_path_is_found() -> None:
    """A name with a dot is a name where no such file is there."""
    ml.datasets.add(pd.DataFrame({"a": [1]}), "data.v1")
    with ml.start_run("a", dataset="data.v1") as run:
        pass
    assert ml.runs.get(run.id).datasets[0]["name"] == "data.v1"
