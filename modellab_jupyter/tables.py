"""Files to frames, and cells to values: what a text means, decided once for a whole column."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from modellab_jupyter.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

PARQUET_SUFFIXES: Final = (".parquet", ".pq")
# Cells that pandas reads as missing, but without "None": it is a class or a level in many a table.
NOT_AVAILABLE: Final = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
)
NOT_AVAILABLE_WORDS: Final = ("<NA>", "N/A", "NA", "NULL", "NaN", "n/a", "nan", "null")
# What further counts as missing in a feature, in lower case.
MISSING: Final = frozenset({"", "?", "-", "--", ".", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "none"})
# What counts as missing in a target: a class may well be called "none".
MISSING_TARGET: Final = frozenset({"", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null"})

_SNIFFED: Final = 1 << 18
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_POINT: Final = re.compile(r"[+-]?\d{1,3}([,\u00a0\u202f ']\d{3})+(\.\d+)?", re.ASCII)
_COMMA: Final = re.compile(r"[+-]?(\d{1,3}([.\u00a0\u202f ']\d{3})+|\d+)(,\d+)?", re.ASCII)
_CODE: Final = re.compile(r"0\d+", re.ASCII)
_MARKS: Final = "$€£¥%"
_DAYS: Final = (
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%m-%d-%Y", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y"),
    *("%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"),
)
_HOURS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DATE_FORMATS: Final = tuple(day + hour for day in _DAYS for hour in _HOURS)
_ISO_DATE: Final = re.compile(r"\d{4}-\d{1,2}(-\d{1,2})?([T ]\d{1,2}:.*)?", re.ASCII)
_DATE: Final = re.compile(r"(?=.*\d.*)(?=.*(\d[/.\-]\d|[A-Za-z]{3}))[\w/.,:+\- ]{6,40}", re.ASCII)


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a CSV, TSV or Parquet file as people send them.

    Delimiter (comma, semicolon, tab, bar, blanks), encoding (UTF-8, UTF-16 with a mark, Windows-1252) and
    decimal sign are found from the file; ``.gz`` is unpacked. Cells such as ``?`` stay as they are: `plan`
    reads them. How the file was read, where that is not the usual way, is said in ``frame.attrs["read"]``.

    Parameters
    ----------
    path : str or path-like
        The file. Parquet is recognised by its first bytes, whatever its name.

    Returns
    -------
    pandas.DataFrame
        Shape (rows, columns), column names unique.

    Raises
    ------
    InputError
        The file is missing, empty, not a table of one of these kinds, or two columns have one name.
    """
    file = Path(path).expanduser()
    if not file.exists():
        near = _near(file)
        raise InputError(f"path: there is no file {str(file)!r}{near}; give the path of a CSV or Parquet file")
    if not file.is_file():
        raise InputError(f"path: {str(file)!r} is a folder; give the path of one CSV or Parquet file")
    try:
        with file.open("rb") as stream:
            magic = stream.read(8)
    except OSError as error:
        raise InputError(f"path: {str(file)!r} cannot be opened ({error.strerror}); check its permissions") from None
    if not magic:
        raise InputError(f"path: {str(file)!r} is empty (0 bytes); give a file with a header line and rows")
    if magic.startswith(b"PAR1") or file.suffix.lower() in PARQUET_SUFFIXES:
        return _read_parquet(file)
    if magic.startswith(
        (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"SQLite f", b"ARROW1", b"\x89HDF", b"\x93NUMPY")
    ):
        raise InputError(f"path: {str(file)!r} is not a text table; save it as CSV or Parquet first")
    return _read_text(file, _gzipped if magic.startswith(b"\x1f\x8b") else _plain)


def _near(file: Path) -> str:
    from modellab_jupyter.errors import hint

    if not file.parent.is_dir():
        return f" (nor a folder {str(file.parent)!r})"
    return hint(file.name, (other.name for other in file.parent.iterdir() if other.is_file()))


def _plain(file: Path) -> BinaryIO:
    return file.open("rb")


def _gzipped(file: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(file, "rb"))


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        names = parquet.read_schema(file).names
        _refuse_doubles(names, file)
        return pd.read_parquet(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"path: {str(file)!r} cannot be read as Parquet ({_line(error)}); write it again") from None


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a text holds its table; `names` are ours where the file's own header cannot be taken as it is."""

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...] | None
    has_header: bool

    def told(self) -> str:
        """Say what is unusual, or nothing."""
        unusual = [
            *([f"fields separated by {_NAMES[self.delimiter]}"] if self.delimiter != "," else []),
            *(["a decimal comma"] if self.decimal == "," else []),
            *([f"encoding {self.encoding}"] if self.encoding not in ("utf-8", "utf-8-sig") else []),
            *([] if self.has_header else ["columns numbered, as its first line holds numbers and no names"]),
        ]
        return f"The file was read with {', '.join(unusual)}." if unusual else ""


def _read_text(file: Path, opened: Callable[[Path], BinaryIO]) -> pd.DataFrame:
    import pandas as pd

    try:
        with opened(file) as stream:
            head = stream.read(_SNIFFED)
            layout = _layout(head, _encoding(head, stream), file)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"path: {str(file)!r} cannot be unpacked ({_line(error)}); write it again") from None
    try:
        with opened(file) as stream:
            frame = pd.read_csv(
                stream,
                sep=r"\s+" if layout.delimiter == " " else layout.delimiter,
                decimal=layout.decimal,
                encoding=layout.encoding,
                names=layout.names,
                header=0 if layout.has_header else None,
                usecols=None if layout.names is None else [name for name in layout.names if name != _SPARE],
                low_memory=False,
                keep_default_na=False,
                na_values=[*NOT_AVAILABLE, *NOT_AVAILABLE_WORDS],
                skipinitialspace=True,
            )
    except (pd.errors.ParserError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"path: {str(file)!r} cannot be read as fields separated by {_NAMES[layout.delimiter]}"
            f" ({_line(error)}); quote fields that hold the delimiter"
        ) from None
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if layout.told():
        frame.attrs["read"] = layout.told()
    return frame


def _layout(head: bytes, encoding: str, file: Path) -> _Layout:
    """Find out from the first lines how they hold a table, or refuse them."""
    text = head.decode(encoding, errors="ignore")
    lines = [line for line in text.splitlines() if line.strip()]
    if "\0" in text:
        raise InputError(f"path: {str(file)!r} holds zero bytes, so it is not text; save it as CSV or Parquet first")
    if not lines:
        raise InputError(f"path: {str(file)!r} holds no line of text; give a file with a header line and rows")
    if text.lstrip().startswith(("{", "[{", "<")):
        raise InputError(f"path: {str(file)!r} looks like JSON or markup; save it as CSV or Parquet first")
    if len(head) == _SNIFFED and len(lines) > 1:
        lines.pop()  # it may be cut
    delimiter = _delimiter(lines)
    header, *rows = _split(lines, delimiter)
    decimal = _decimal(rows) if delimiter != "," else "."
    longest = max((len(row) for row in rows), default=0)
    if len(header) > 1 and longest == len(header) and all(_PLAIN.fullmatch(name.strip()) for name in header):
        names = tuple(f"column {at}" for at in range(1, len(header) + 1))
        return _Layout(encoding, delimiter, decimal, names, has_header=False)
    _refuse_doubles([name.strip() for name in header if name.strip()], file)
    wide = [row for row in rows if len(row) > len(header)]
    if wide and longest == len(header) + 1 and all(not row[-1].strip() for row in wide):
        return _Layout(encoding, delimiter, decimal, (*header, _SPARE), has_header=True)
    if wide and not (longest == len(header) + 1 and len(wide) == len(rows)):  # that would be a column of row names
        raise InputError(
            f"path: line {rows.index(wide[0]) + 2} of {str(file)!r} has {len(wide[0])} fields where the"
            f" header names"
            f" {len(header)}; give each column a name and quote fields that hold {delimiter!r}"
        )
    return _Layout(encoding, delimiter, decimal, None, has_header=True)


_SPARE: Final = "\0"
_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}


def _encoding(head: bytes, rest: BinaryIO) -> str:
    """Return the first of UTF-8, UTF-16 with a mark, Windows-1252 and Latin-1 that decodes the whole file."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    possible = ["utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8", "cp1252"]
    decoders = [codecs.getincrementaldecoder(name)() for name in possible]
    block = head
    while block:
        for at in range(len(decoders) - 1, -1, -1):
            try:
                decoders[at].decode(block)
            except UnicodeDecodeError:
                del decoders[at], possible[at]
        if not possible:
            return "latin-1"
        block = rest.read(1 << 20)
    for name, decoder in zip(possible, decoders, strict=True):
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if delimiter == " ":
        return [line.split() for line in lines]
    try:
        return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that cuts the first lines into most columns, alike in nearly every line."""
    best, score = ",", 0.0
    for delimiter in ",;\t| ":
        counts = [len(row) for row in _split(lines[:200], delimiter)]
        columns = counts[0]
        alike = sum(count == columns for count in counts) / len(counts)
        if columns > 1 and alike > 0.8 and (columns * alike**4 > score) and not (delimiter == " " and score > 0):
            best, score = delimiter, columns * alike**4
    return best


def _decimal(rows: Iterable[Sequence[str]]) -> str:
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(bool(re.fullmatch(r"[+-]?\d*,\d+", cell)) for cell in cells)
    points = sum(bool(re.fullmatch(r"[+-]?\d*\.\d+", cell)) for cell in cells)
    return "," if commas > points else "."


def _refuse_doubles(names: Sequence[str], file: Path) -> None:
    doubles = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if doubles:
        more = f" and {len(doubles) - 1} more names twice" if len(doubles) > 1 else ""
        raise InputError(
            f"path: {str(file)!r} has {names.count(doubles[0])} columns named {doubles[0]!r}{more};"
            " give each column its own name"
        )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


# --- cells ------------------------------------------------------------------------------------------


def texts(series: pd.Series[Any], missing: frozenset[str] = MISSING) -> pd.Series[Any]:
    """Return `series` as stripped strings (dtype object), with NaN for what counts as missing.

    Whole floats lose their ``.0`` so that a code reads alike whether or not its column has missing cells.
    """
    import numpy as np
    import pandas as pd

    codes, levels = pd.factorize(series.astype(object))
    said = np.empty(len(levels) + 1, dtype=object)
    said[-1] = np.nan  # code -1 is missing
    for at, level in enumerate(levels):
        text = str(int(level)) if isinstance(level, float) and level.is_integer() else str(level).strip()
        said[at] = np.nan if text.lower() in missing else text
    return pd.Series(said[codes], index=series.index, dtype=object)


def number_style(levels: Sequence[str]) -> tuple[str, list[str]]:
    """Tell how these distinct texts write numbers.

    Returns
    -------
    style : str
        ``"1,234.5"``, ``"1.234,5"`` or ``""`` where they are no numbers; at least 95 % have to be.
    strangers : list of str
        Texts that are no numbers in that style.
    """
    if not levels or any(_CODE.fullmatch(level) for level in levels):
        return "", list(levels)
    if len(levels) > 1000 and not number_style(levels[:500])[0]:
        return "", list(levels)  # the first ones tell enough
    best, strangers = "", list(levels)
    for style in ("1,234.5", "1.234,5"):
        other = [level for level in levels if parse_number(level, style) is None]
        if len(other) < len(strangers):
            best, strangers = style, other
    if not best or len(strangers) > max(0.05 * len(levels), 1 if len(levels) >= 10 else 0):
        return "", strangers
    return best, strangers


def parse_number(text: str, style: str) -> float | None:
    """Return the number that `text` writes in `style`, or None; currency and per cent marks are ignored."""
    bare = text.strip(_MARKS + " \u00a0").replace("\u2212", "-")
    if style == "1.234,5":
        if _COMMA.fullmatch(bare):
            return float(re.sub(r"[.\u00a0\u202f ']", "", bare).replace(",", "."))
        return None
    if _PLAIN.fullmatch(bare):
        return float(bare)
    if _POINT.fullmatch(bare):
        return float(re.sub(r"[,\u00a0\u202f ']", "", bare))
    return None


def numbers(series: pd.Series[Any], style: str) -> pd.Series[Any]:
    """Return `series` as float64: texts read in `style`, infinite and unreadable cells as NaN."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_timedelta64_dtype(series.dtype):
        values = series.dt.total_seconds().to_numpy(dtype=np.float64)
    elif pd.api.types.is_numeric_dtype(series.dtype) or pd.api.types.is_bool_dtype(series.dtype):
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        said = texts(series)
        codes, levels = pd.factorize(said)
        read = [parse_number(str(level), style) for level in levels]
        values = np.array([*(np.nan if number is None else number for number in read), np.nan], dtype=np.float64)[codes]
    possible = np.abs(values) <= float(np.finfo(np.float32).max)  # as far as XGBoost can count
    return pd.Series(np.where(possible, values, np.nan), index=series.index)


def date_style(levels: Sequence[str]) -> tuple[str, bool]:
    """Tell how these distinct texts write dates (a `strptime` format, ``"ISO8601"``, ``""``) and if in doubt.

    Doubt is day and month that could change places in every one of the texts.
    """
    import pandas as pd

    some = levels[:200]
    if not some or sum(bool(_DATE.fullmatch(level)) for level in some) < 0.95 * len(some):
        return "", False
    iso = sum(bool(_ISO_DATE.fullmatch(level)) for level in some) >= 0.95 * len(some)
    styles = ("ISO8601",) if iso else DATE_FORMATS
    likely = [style for style in styles if _share(some, style) >= 0.95]
    scores = [(style, score) for style in likely if (score := _share(levels, style)) >= 0.95]
    if not scores:
        return "", False
    best = max(score for _, score in scores)
    top = [style for style, score in scores if score == best]
    doubt = len(top) > 1 and not pd.Series(read_dates(levels, top[0])).equals(pd.Series(read_dates(levels, top[1])))
    return top[0], doubt


def _share(levels: Sequence[str], style: str) -> float:
    import numpy as np

    return 1 - float(np.mean(np.isnat(read_dates(levels, style).to_numpy())))


def read_dates(values: Sequence[str | None], style: str) -> pd.DatetimeIndex:
    """Return texts written in `style` as times without zone (UTC if they had one), NaT where unreadable."""
    import pandas as pd

    said = pd.Series(list(values), dtype=object)
    read = pd.DatetimeIndex(pd.to_datetime(said, format=style, errors="coerce", utc=True))
    return read.tz_localize(None).as_unit("us")


def dates(series: pd.Series[Any], style: str) -> pd.Series[Any]:
    """Return `series` as datetime64[us] without zone."""
    import pandas as pd

    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        index = pd.DatetimeIndex(series)
        read = (index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index).as_unit("us")
    else:
        said = texts(series)
        codes, levels = pd.factorize(said)
        read = read_dates([*levels, None], style).take(codes)
    return pd.Series(read, index=series.index)
