"""`read_table`: the files that people have, and one sentence for each file that is none."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from modellab_jupyter.errors import InputError
from modellab_jupyter.tables import read_table

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = "name,size,price\nann,1,1.5\nbob,2,2.5\n"


def written(folder: Path, text: str | bytes, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN, None),
        (PLAIN.replace(",", "\t"), "tabs"),
        (PLAIN.replace(",", "|"), "bars"),
        (PLAIN.replace(",", ";"), "semicolons"),
        (PLAIN.replace(",", ";").replace(".", ","), "decimal comma"),
        (PLAIN.replace(",", " "), "blanks"),
        (PLAIN.replace("\n", "\r\n"), None),
        (PLAIN.replace(",", " , "), None),
    ],
)
def test_every_way_to_write_a_table_gives_the_same_frame(tmp_path, text, said):
    """Delimiter, decimal sign and line ends do not change what is read; the unusual is told."""
    frame = read_table(written(tmp_path, text))

    expected = pd.DataFrame({"name": ["ann", "bob"], "size": [1, 2], "price": [1.5, 2.5]})
    frame["name"] = frame["name"].str.strip()
    pd.testing.assert_frame_equal(frame, expected)
    assert (said in frame.attrs["read"]) if said else "read" not in frame.attrs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_letters_survive_each_encoding(tmp_path, encoding):
    """A name with an umlaut is read alike from four encodings."""
    frame = read_table(written(tmp_path, "größe,n\nweiß,1\ngrün,2\n", encoding=encoding))

    assert list(frame.columns) == ["größe", "n"]
    assert list(frame["größe"]) == ["weiß", "grün"]


def test_an_odd_byte_far_into_the_file_is_found(tmp_path):
    """The encoding is decided by the whole file, not by its first lines."""
    frame = read_table(written(tmp_path, b"a,b\n" + b"x,1\n" * 100_000 + b"\xe9,2\n"))

    assert frame["a"].iloc[-1] == "é"


def test_gzip_and_parquet(tmp_path):
    """A packed text and a Parquet file hold the same table, whatever they are called."""
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    frame = read_table(packed)
    frame.to_parquet(tmp_path / "table.parquet")
    (tmp_path / "table.parquet").rename(tmp_path / "renamed.csv")

    pd.testing.assert_frame_equal(read_table(tmp_path / "renamed.csv"), frame)


def test_quotes_hold_delimiters_and_line_ends(tmp_path):
    """What stands in quotes is one cell."""
    frame = read_table(written(tmp_path, 'a,b\n"x, y",1\n"two\nlines",2\n'))

    assert list(frame["a"]) == ["x, y", "two\nlines"]


def test_none_is_a_value_and_na_is_not(tmp_path):
    """The word None is a class in many tables; NA is a missing cell."""
    frame = read_table(written(tmp_path, "a,b\nNone,1\nNA,2\n,3\n"))

    assert frame["a"].iloc[0] == "None"
    assert frame["a"].isna().tolist() == [False, True, True]


def test_row_names_become_the_index_and_a_trailing_delimiter_nothing(tmp_path):
    """A header with one name less than fields is how R writes row names; an empty last field is no field."""
    named = read_table(written(tmp_path, "a,b\nr1,1,2\nr2,3,4\n"))
    trailing = read_table(written(tmp_path, "a,b\n1,2,\n3,4,\n", "trailing.csv"))

    assert named.index.tolist() == ["r1", "r2"]
    np.testing.assert_array_equal(trailing.to_numpy(), [[1, 2], [3, 4]])
    assert list(trailing.columns) == ["a", "b"]


def test_a_file_without_a_header_keeps_its_first_row(tmp_path):
    """A first line of numbers only is a row; the columns are numbered and that is told."""
    frame = read_table(written(tmp_path, "1,2.5\n1,3.5\n"))

    assert frame.to_dict("list") == {"column 1": [1, 1], "column 2": [2.5, 3.5]}
    assert "columns numbered" in frame.attrs["read"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty (0 bytes)"),
        (b"\n \n", "holds no line of text"),
        (b"PK\x03\x04rest", "is not a text table; save it as CSV or Parquet first"),
        (b"a\0b", "so it is not text"),
        (b'{"a": 1}', "looks like JSON"),
        (b"a,b,a\n1,2,3\n", "has 2 columns named 'a'; give each column its own name"),
        (b"a,b\n1,2\n3,4,5,6\n", "line 3 of"),
        (b"150,4,x\n5.1,3.5,1.4,0.2,0\n4.9,3.0,1.4,0.2,0\n", "has 5 fields where the header names 3"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"\x1f\x8b\x08\x00broken", "cannot be unpacked"),
    ],
)
def test_a_file_that_is_no_table_gets_one_sentence(tmp_path, content, sentence):
    """The sentence names the file, says what was found and what to do; pandas stays unseen."""
    path = written(tmp_path, content)

    with pytest.raises(InputError) as caught:
        read_table(path)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_a_missing_file_names_the_nearest(tmp_path):
    """A slip in the name is met with the name that exists."""
    written(tmp_path, PLAIN, "customers.csv")

    with pytest.raises(InputError, match=r"there is no file .*; did you mean 'customers\.csv'\?"):
        read_table(tmp_path / "custmers.csv")
    with pytest.raises(InputError, match="nor a folder"):
        read_table(tmp_path / "nowhere" / "customers.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)
