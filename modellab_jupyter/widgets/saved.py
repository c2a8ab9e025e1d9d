"""What a widget leaves in the notebook: JSON for our renderer, plain HTML, and text.

A page is composed once, as a title and sections of words, numbers, tables and figures; the three forms are
renderings of it. Tables are Arrow tables. JSON is strict: a number that does not exist is null.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.base import PROTOCOL, Answer, Widget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

MIME = "application/vnd.modellab.v1+json"
MISSING = "–"
PART = b"modellab.part"
"""Metadata of a column that belongs to a metric: ``low``, ``high`` or ``n``."""
SVG_DPI = 94  # of still pictures: a page's pixels to an inch
LONGEST = 400
"""Characters of one text that are saved; the whole of it stays in the store."""


# Sections
# ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `role` is ``""``, ``"lede"`` for the sentence that matters, or ``"note"``."""

    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Stat:
    """One number with its interval and support, or a text in its place."""

    label: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    note: str = ""
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """A line of numbers."""

    items: Sequence[Stat]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table.

    `intervals` names, for a column, the two columns that hold the ends of its interval; `best` the value of a
    column that gets a star; `forms` the columns that are written in a way of their own: ``p`` (a p-value),
    ``duration`` (seconds) or ``evidence``. A name alone says nothing: features may be called anything.
    """

    caption: str
    table: pa.Table
    titles: Mapping[str, str] = field(default_factory=dict)
    intervals: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    best: Mapping[str, float] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    empty: str = "Nothing to show."


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as Plotly data, with words for those who do not see it."""

    caption: str
    figure: Mapping[str, Any]
    alt: str
    height: int = 320


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What two classes look like at any threshold: a slider in the browser, a table elsewhere.

    `columns` hold ``score`` from high to low, and of the rows with at least that score ``tp`` and ``fp`` (how many are
    positive and not) and ``sum`` (of their scores). `counted` says that these are rows, each by itself, so that a
    share of them has Wilson's interval.
    """

    columns: Mapping[str, Sequence[float]]
    chosen: float
    positive: str
    level: float
    counted: bool

    def at(self, threshold: float) -> dict[str, float | None]:
        """Return counts and shares where rows with at least that score are said to be positive."""
        said = sum(score >= threshold for score in self.columns["score"])
        tp, fp = (float(self.columns[name][said - 1]) if said else 0.0 for name in ("tp", "fp"))
        fn, tn = float(self.columns["tp"][-1]) - tp, float(self.columns["fp"][-1]) - fp
        shares = {
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "f1": (2 * tp, 2 * tp + fp + fn),
            "accuracy": (tp + tn, tp + tn + fp + fn),
        }
        counts = {"threshold": threshold, "tp": tp, "fp": fp, "fn": fn, "tn": tn}
        return {**counts, **{name: part / whole if whole else None for name, (part, whole) in shares.items()}}

    def grid(self) -> Grid:
        """Return the table that stands where nothing moves."""
        import pyarrow as pa

        places = sorted({round(0.1 * i, 1) for i in range(1, 10)} | {self.chosen})
        table = pa.Table.from_pylist([self.at(place) for place in places])
        return Grid(f"At a threshold for {self.positive}", table)


Section = Text | Stats | Grid | Picture | Thresholds


class Page(Widget):
    """A title and its sections, shown by Jupyter in whichever form the front end knows.

    Parameters
    ----------
    title
        Heading of the page.
    sections
        From top to bottom.
    live
        As of :class:`~modellab_jupyter.widgets.base.Widget`; a live page is drawn by what the kernel hands out, where
        the front end has no extension of ours.
    """

    def __init__(self, title: str, sections: Sequence[Section], *, live: bool | None = None) -> None:
        super().__init__("report", live=live)
        self.title = title
        self.sections = tuple(sections)

    def _data(self) -> dict[str, Any]:
        return {"title": cut(self.title), "sections": [_section_json(s) for s in self.sections]}

    def _verbs(self) -> dict[str, Any]:
        return {"open": lambda _payload: Answer(plain(self._data()))}

    def to_json(self) -> dict[str, Any]:
        """Return the saved form that the renderer of JupyterLab draws."""
        return snapshot("report", self.title, self._data())

    def figures(self) -> dict[str, Any]:
        """Return the page's figures as `plotly.graph_objects.Figure` by caption, to restyle or save."""
        import plotly.graph_objects as go

        return {part.caption: go.Figure(dict(part.figure)) for part in self.sections if isinstance(part, Picture)}

    def to_html(self) -> str:
        """Return plain HTML that needs no script, no network and no kernel."""
        return html_page(self.title, [_section_html(s) for s in self.sections])

    def __str__(self) -> str:
        parts = [self.title, *(_section_text(s) for s in self.sections)]
        return "\n\n".join(p for p in parts if p)

    def saved(self) -> dict[str, Any]:
        """Return the snapshot, plain HTML and text."""
        return {MIME: self.to_json(), "text/html": self.to_html(), "text/plain": str(self)}


# JSON -----------------------------------------------------------------------------------------------------


def snapshot(view: str, title: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object saved under :data:`MIME`.

    ``data`` is the text of strict JSON: notebooks are written with every list element on a line of its own,
    which would make a saved table three times as large.
    """
    text = json.dumps(plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return {"protocol": PROTOCOL, "view": view, "title": cut(title), "data": text}


def plain(value: Any) -> Any:
    """Return `value` with nothing that strict JSON lacks: NaN and infinities become null."""
    if value is None or isinstance(value, bool | str):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return str(value)


def cut(text: str, length: int = LONGEST) -> str:
    """Return `text` with an ellipsis where it goes on beyond `length` characters."""
    return text if len(text) <= length else text[: length - 1] + "…"


def as_table(rows: Any) -> pa.Table:
    """Return an Arrow table from Arrow, pandas, a list of records, or columns by name.

    A column whose values have no common type becomes text.

    Raises
    ------
    TypeError
        If `rows` is none of these.
    """
    import pyarrow as pa

    if rows is None:
        return pa.table({})
    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        named: dict[str, Any] = {str(name): rows.iloc[:, i] for i, name in enumerate(rows.columns)}
    elif isinstance(rows, dict):
        named = {str(name): list(values) for name, values in rows.items()}
    elif isinstance(rows, list | tuple) and all(isinstance(r, dict) for r in rows):
        names = list(dict.fromkeys(str(name) for r in rows for name in r))
        named = {name: [r.get(name) for r in rows] for name in names}
    else:
        raise TypeError(
            f"rows must be an Arrow table, a DataFrame, a list of dicts or columns by name, got {type(rows).__name__}"
        )
    return pa.table({_utf8(name): _array(values) for name, values in named.items()})


def _array(values: Any) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        # Nothing in common, a whole number beyond 64 bits, or half of a letter: as text it can be shown.
        return pa.array([None if _is_missing(v) else _utf8(str(v)) for v in values], pa.string())


def _is_missing(value: Any) -> bool:
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NaTType", "NAType")
    )


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def metric_parts(runs: pa.Table) -> dict[str, dict[str, str]]:
    """Return each metric column of a runs table with those that belong to it, by ``low``, ``high`` and ``n``.

    Fields that carry :data:`PART` say so themselves. In a table where none does, names tell: ``.low`` and
    ``.high`` beside each other and beside their metric, and ``.n`` beside it.
    """
    columns = dict.fromkeys(n for n in runs.column_names if n.startswith("metrics."))
    marks = {f.name: f.metadata[PART].decode() for f in runs.schema if f.metadata and PART in f.metadata}

    def is_part(owner: str, end: str) -> bool:
        name = f"{owner}.{end}"
        if name not in columns or owner not in columns:
            return False
        if marks:
            return marks.get(name) == end
        return end == "n" or (f"{owner}.low" in columns and f"{owner}.high" in columns)

    ends = ("low", "high", "n")
    found = {owner: {end: f"{owner}.{end}" for end in ends if is_part(owner, end)} for owner in columns}
    parts = {name for mine in found.values() for name in mine.values()}
    return {owner: mine for owner, mine in found.items() if owner not in parts}


def marked_parts(runs: pa.Table, columns: Sequence[dict[str, Any]]) -> None:
    """Write into the descriptions of the columns of a runs table which of them are parts of a metric."""
    parts = {name for mine in metric_parts(runs).values() for name in mine.values()}
    for column in columns:
        if column["name"].startswith("metrics."):
            column["part"] = column["name"] in parts


def kind_of(type_: pa.DataType) -> str:
    """Return how a column is shown: ``number``, ``time``, ``bool``, ``list`` or ``text``."""
    import pyarrow as pa

    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "time"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "list"
    return "text"


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return the values of a column as text, None where missing."""
    return [None if v is None else v if isinstance(v, str) else str(v) for v in column.to_pylist()]


def json_table(table: pa.Table, digits: int = 9) -> dict[str, Any]:
    """Return rows and columns as JSON values; numbers keep `digits` significant digits."""
    columns = [_json_column(name, table.column(i), digits) for i, name in enumerate(table.column_names)]
    return {"rows": table.num_rows, "columns": columns}


def _json_column(name: str, column: pa.ChunkedArray, digits: int) -> dict[str, Any]:
    kind = kind_of(column.type)
    made: dict[str, Any] = {"name": name, "kind": kind}
    if kind == "number":
        made["values"] = [_short(v, digits) for v in column.to_pylist()]
    elif kind == "time":
        made["values"] = [None if ms is None else _iso(ms) for ms in _milliseconds(column).to_pylist()]
    elif kind == "bool":
        made["values"] = column.to_pylist()
    elif kind == "list":
        made["values"] = [None if v is None else [cut(str(x)) for x in v] for v in column.to_pylist()]
    else:
        values = [None if v is None else cut(v) for v in texts(column)]
        levels = list(dict.fromkeys(v for v in values if v is not None))
        if len(levels) * 2 < len(values):
            place = {level: i for i, level in enumerate(levels)}
            made |= {"levels": levels, "codes": [-1 if v is None else place[v] for v in values]}
        else:
            made["values"] = values
    return made


def _short(value: Any, digits: int) -> float | int | None:
    if value is None or isinstance(value, int):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    short = float(f"{number:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _milliseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    return pc.cast(pc.cast(column, pa.timestamp("ms", tz=zone), safe=False), pa.int64())


def _iso(ms: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def binary_table(table: pa.Table) -> tuple[dict[str, Any], bytes]:
    """Return the description of a table and its columns as one block of bytes.

    Numbers and times (milliseconds since 1970 UTC) are little-endian float64 with NaN for missing, booleans
    bytes with 2 for missing, texts and lists (as JSON) UTF-8 with int32 ends and a byte that says whether
    there is a value. ``at`` gives the offset of each piece, all multiples of eight.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces: list[bytes] = []
    size = 0

    def put(piece: bytes) -> int:
        nonlocal size
        at = size
        pieces.append(piece + bytes(-len(piece) % 8))
        size += len(pieces[-1])
        return at

    columns: list[dict[str, Any]] = []
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        kind = kind_of(column.type)
        if kind in ("number", "time"):
            numbers = pc.cast(column if kind == "number" else _milliseconds(column), pa.float64(), safe=False)
            values = numbers.combine_chunks().to_numpy(zero_copy_only=False)
            at = [put(np.ascontiguousarray(values, "<f8").tobytes())]
        elif kind == "bool":
            flags = pc.fill_null(pc.cast(column, pa.uint8()), 2).combine_chunks().to_numpy(zero_copy_only=False)
            at = [put(np.ascontiguousarray(flags, "u1").tobytes())]
        else:
            values_ = column.to_pylist() if kind == "list" else texts(column)
            encoded = [
                b""
                if v is None
                else (json.dumps([str(x) for x in v]) if kind == "list" else v).encode("utf-8", "replace")
                for v in values_
            ]
            ends = np.zeros(len(encoded) + 1, "<i4")
            np.cumsum([len(e) for e in encoded], out=ends[1:])
            known = np.fromiter((v is not None for v in values_), "u1", len(values_))
            at = [put(ends.tobytes()), put(b"".join(encoded)), put(known.tobytes())]
        columns.append({"name": name, "kind": kind, "at": at})
    return {"rows": table.num_rows, "columns": columns}, b"".join(pieces)


def _section_json(section: Section) -> dict[str, Any]:
    if isinstance(section, Text):
        return {"kind": "text", "text": section.text, "role": section.role}
    if isinstance(section, Stats):
        items = [
            {
                "label": cut(s.label),
                "value": s.value,
                "low": s.low,
                "high": s.high,
                "n": s.n,
                "note": cut(s.note),
            }
            | ({} if s.text is None else {"text": cut(s.text)})
            for s in section.items
        ]
        return {"kind": "stats", "items": items}
    if isinstance(section, Picture):
        return {
            "kind": "figure",
            "caption": cut(section.caption),
            "figure": section.figure,
            "alt": cut(section.alt),
            "height": section.height,
        }
    if isinstance(section, Thresholds):
        columns = {name: [round(float(v), 6) for v in values] for name, values in section.columns.items()}
        about = {"chosen": section.chosen, "positive": cut(section.positive), "level": section.level}
        return {"kind": "thresholds", **columns, **about, "counted": section.counted}
    made = json_table(section.table)
    ends = {end for pair in section.intervals.values() for end in pair}
    for column in made["columns"]:
        name = column["name"]
        if name in section.titles:
            column["title"] = section.titles[name]
        if name in section.forms:
            column["form"] = section.forms[name]
        if name in ends:
            column["part"] = True
        if name in section.intervals:
            column["low"], column["high"] = section.intervals[name]
    return {
        "kind": "table",
        "caption": cut(section.caption),
        "note": section.note,
        "empty": section.empty,
        **made,
    }


# Words ----------------------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Return four significant digits, or a dash where there is no number."""
    if value is None or not math.isfinite(value):
        return MISSING
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{value:.4g}"


def p_value(value: float | None) -> str:
    """Return three significant digits, and never zero: no finite test shows that."""
    if value is None or not 0 <= value <= 1:
        return number(value)
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    """Return both ends as fine as the width deserves; nothing where an end is unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    width, size = abs(high - low), max(abs(low), abs(high))
    if width == 0 or size >= 1e6 or size < 1e-4:
        return f"[{number(low)}, {number(high)}]"
    decimals = min(6, max(0, 1 - math.floor(math.log10(width))))
    return f"[{low:.{decimals}f}, {high:.{decimals}f}]"


def duration(seconds: float | None) -> str:
    """Return a length of time as people say it."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _cell(form: str | None, kind: str, value: Any) -> str:
    if value is None or value == "":
        return MISSING
    if kind == "number":
        return {"p": p_value, "duration": duration}.get(form or "", number)(value)
    if kind == "time":
        return f"{value:%Y-%m-%d %H:%M}"
    if kind == "bool":
        return "yes" if value else "no"
    if kind == "list":
        return ", ".join(str(v) for v in value) or MISSING
    return str(value)


def _columns(grid: Grid) -> list[tuple[str, str, str]]:
    ends = {end for pair in grid.intervals.values() for end in pair}
    schema = grid.table.schema
    return [(f.name, grid.titles.get(f.name, f.name), kind_of(f.type)) for f in schema if f.name not in ends]


def _section_text(section: Section) -> str:
    if isinstance(section, Text):
        return section.text
    if isinstance(section, Stats):
        return "\n".join(f"{s.label}: {_stat(s)}" for s in section.items)
    if isinstance(section, Picture):
        return ""
    if isinstance(section, Thresholds):
        return _section_text(section.grid())
    rows = section.table.slice(0, 10).to_pylist()
    if not rows:
        return f"{section.caption}: {section.empty}" if section.caption else section.empty
    columns = _columns(section)[:8]
    lines = [[cut(one_line(title), 24) for _, title, _ in columns]]
    for row in rows:
        cells = []
        for name, _, kind in columns:
            ends = section.intervals.get(name)
            shown = _cell(section.forms.get(name), kind, row[name]) + (
                f" {interval(row[ends[0]], row[ends[1]])}" if ends else ""
            )
            cells.append(cut(one_line(shown), 32).strip())
        lines.append(cells)
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    drawn = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    more = section.table.num_rows - len(rows)
    tail = [f"… and {more:,} more rows"] if more > 0 else []
    return "\n".join([*([section.caption] if section.caption else []), *drawn, *tail])


def _stat(stat: Stat) -> str:
    shown = stat.text if stat.text is not None else number(stat.value)
    support = "" if stat.n is None else f"n = {stat.n:,}"
    return " ".join(p for p in (shown, interval(stat.low, stat.high), support, stat.note) if p)


def one_line(text: str) -> str:
    """Return `text` without line breaks and control characters, which neither tables nor XML can hold."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", " ", text)


# HTML -----------------------------------------------------------------------------------------------------

_SORT = """
(() => {
  for (const table of document.querySelectorAll('.modellab-html table:not([data-ready])')) {
    table.dataset.ready = 'yes';
    const json = table.parentElement.querySelector('script[type="application/json"]');
    const kinds = JSON.parse(json.textContent).kinds;
    const body = table.tBodies[0];
    const key = (row, i) => {
      const cell = row.cells[i], exact = cell.querySelector('data');
      if (kinds[i] === 'number') return exact ? Number(exact.value) : NaN;
      return cell.textContent;
    };
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.style.cssText = 'all:unset;cursor:pointer;outline:revert';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', down === 1 ? 'ascending' : 'descending');
        const rows = [...body.rows].map(row => [key(row, i), row]);
        rows.sort(([a], [b]) => kinds[i] === 'number'
          ? (Number.isNaN(a) - Number.isNaN(b)) || down * (a - b) || 0
          : down * a.localeCompare(b, 'en', { numeric: true }));
        body.append(...rows.map(r => r[1]));
      });
    });
  }
})();
"""


def escape(text: str, length: int = LONGEST) -> str:
    """Return `text` as HTML that shows it, on one line and no longer than `length`."""
    return html.escape(cut(one_line(text), length), quote=True)


def html_page(title: str, parts: Iterable[str]) -> str:
    """Return a block of plain HTML with a heading."""
    body = "".join(parts)
    script = f"<script>{_SORT}</script>" if "<table" in body else ""
    return (
        '<div class="modellab-html" style="font-family:system-ui,sans-serif;font-size:13px;line-height:1.4">'
        f'<h3 style="margin:4px 0;font-size:16px"><bdi>{escape(title)}</bdi></h3>{body}{script}</div>'
    )


def html_table(grid: Grid) -> str:
    """Return a table that is readable as it stands; a small script makes its headings sort."""
    columns = _columns(grid)
    # Styles are few and short: a table of fifty runs has a thousand cells.
    left = ' style="text-align:left"'
    heads = "".join(
        f'<th scope="col" style="text-align:{"right" if kind == "number" else "left"}">'
        f"<bdi>{escape(title, 80)}</bdi></th>"
        for _, title, kind in columns
    )
    rows = []
    for row in grid.table.to_pylist():
        cells = []
        for name, _, kind in columns:
            value = row[name]
            shown = _cell(grid.forms.get(name), kind, value)
            if not shown.isascii() or not shown.isprintable() or len(shown) > 20:
                shown = f"<bdi>{escape(shown, 160)}</bdi>" if shown != MISSING else shown
            else:
                shown = escape(shown)
            if kind == "number" and value is not None and math.isfinite(value):
                shown = f'<data value="{float(value):.6g}">{shown}</data>'
            if kind == "number" and value is not None and value == grid.best.get(name):
                shown = f'<b title="best">★ {shown}</b>'
            ends = grid.intervals.get(name)
            around = interval(row[ends[0]], row[ends[1]]) if ends else ""
            if around:
                shown += f" <small>{around}</small>"
            wide = kind == "text" and value is not None and len(str(value)) > 60
            style = ' style="text-align:left;white-space:normal;min-width:420px"' if wide else left
            cells.append(f'<td align="right">{shown}</td>' if kind == "number" else f"<td{style}>{shown}</td>")
        rows.append(f'<tr style="border-color:#ccc">{"".join(cells)}</tr>')
    kinds = json.dumps({"kinds": [kind for _, _, kind in columns]})
    return (
        '<div class="modellab-table" style="overflow:auto;max-height:460px;margin:6px 0">'
        f'<table cellpadding="4" rules="rows" style="border-collapse:collapse;font-size:12.5px;margin:0;'
        f'white-space:nowrap;font-variant-numeric:tabular-nums"><thead><tr>{heads}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table><script type="application/json">{kinds}</script></div>'
    )


def html_picture(picture: Picture) -> str:
    """Return a figure as an SVG image inside the page."""
    from modellab_jupyter.widgets.figures import svg

    data = base64.b64encode(svg(picture.figure, height=picture.height / SVG_DPI)).decode("ascii")
    caption = f'<figcaption style="font-weight:600">{escape(picture.caption)}</figcaption>' if picture.caption else ""
    return (
        f'<figure style="margin:8px 0">{caption}'
        f'<img alt="{escape(picture.alt)}" style="max-width:100%;background:#fff" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )


def html_text(text: str) -> str:
    """Return a paragraph."""
    return f'<p style="margin:4px 0;max-width:80ch">{escape(text, 4000)}</p>'


def _section_html(section: Section) -> str:
    if isinstance(section, Text):
        return html_text(section.text)
    if isinstance(section, Stats):
        items = "".join(
            f'<li style="margin:1px 0">{escape(s.label)}: <b>{escape(_stat(s))}</b></li>' for s in section.items
        )
        return f'<ul style="margin:6px 0;padding-left:20px">{items}</ul>'
    if isinstance(section, Picture):
        return html_picture(section)
    if isinstance(section, Thresholds):
        return _section_html(section.grid())
    caption = f'<h4 style="margin:10px 0 2px;font-size:14px">{escape(section.caption)}</h4>' if section.caption else ""
    note = html_text(section.note) if section.note else ""
    return caption + (html_table(section) if section.table.num_rows else html_text(section.empty)) + note
