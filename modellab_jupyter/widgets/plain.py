"""Sections as plain HTML, which needs no script, and as text."""

from __future__ import annotations

import base64
import html
import json
import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.columns import kind_of
from modellab_jupyter.widgets.sections import Diff, Fold, Matrix, Picture, Section, Stat, Stats, Text, Thresholds
from modellab_jupyter.widgets.still import svg
from modellab_jupyter.widgets.words import LONGEST, MISSING, cut, duration, interval, named, number, one_line, p_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modellab_jupyter.widgets.sections import Grid

# Words ----------------------------------------------------------------------------------------------------


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
    schema, parts = grid.table.schema, grid.parts
    return [(f.name, grid.titles.get(f.name, f.name), kind_of(f.type)) for f in schema if f.name not in parts]


def _beside(grid: Grid, name: str, row: Mapping[str, Any]) -> str:
    """Return the interval of a value and on how many rows it stands, as far as they are known."""
    ends, support = grid.intervals.get(name), grid.supports.get(name)
    around = interval(row[ends[0]], row[ends[1]]) if ends else ""
    n = row[support] if support else None
    return " ".join(part for part in (around, "" if n is None else f"n = {number(n)}") if part)


def text_section(section: Section) -> str:
    """Return a section as text; figures have none."""
    if isinstance(section, Text):
        return section.text
    if isinstance(section, Stats):
        return "\n".join(f"{s.label}: {_stat(s)}" for s in section.items)
    if isinstance(section, Picture):
        return ""
    if isinstance(section, Matrix):
        lines = [["", *section.classes]]
        lines += [[name, *map(number, row)] for name, row in zip(section.classes, section.counts, strict=True)]
        return "\n".join([cut(section.caption), *_aligned([[named(c, 24) for c in line] for line in lines[:11]])])
    if isinstance(section, Diff):
        told = [cut(piece.title) + "".join(f"\n  {line}" for line in _changed(piece.lines)) for piece in section.pieces]
        return "\n".join([cut(section.caption), *told[:20]])
    if isinstance(section, Fold):
        inside = [text_section(s) for s in section.sections]
        return "\n".join([cut(section.title), *(part for part in inside if part)])
    if isinstance(section, Thresholds):
        return "\n\n".join(map(text_section, section.grids()))
    return _text_grid(section)


def _text_grid(grid: Grid) -> str:
    rows = grid.table.slice(0, 10).to_pylist()
    if grid.table.num_rows == 0:
        return f"{grid.caption}: {grid.empty}" if grid.caption else grid.empty
    columns = _columns(grid)[:8]
    lines = [[named(title, 24) for _, title, _ in columns]]
    for row in rows:
        cells = []
        for name, _, kind in columns:
            shown = _cell(grid.forms.get(name), kind, row[name])
            written = named(shown, 32) if kind in ("text", "list") else shown
            cells.append(f"{written} {_beside(grid, name, row)}".strip())
        lines.append(cells)
    more = grid.table.num_rows - len(rows)
    tail = [f"… and {more:,} more row{'' if more == 1 else 's'}"] if more > 0 else []
    return "\n".join([*([cut(grid.caption)] if grid.caption else []), *_aligned(lines), *tail])


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]


def _changed(lines: Iterable[str]) -> list[str]:
    return [cut(one_line(line), 100) for line in lines if line[0] in "+-"][:30]


def _stat(stat: Stat) -> str:
    shown = stat.text if stat.text is not None else number(stat.value)
    support = "" if stat.n is None else f"n = {stat.n:,}"
    return " ".join(p for p in (shown, interval(stat.low, stat.high), support, stat.note) if p)


# HTML -----------------------------------------------------------------------------------------------------

_SORT = """
(() => {
  for (const table of document.querySelectorAll('.modellab-html .modellab-table table:not([data-ready])')) {
    table.dataset.ready = 'yes';
    const json = table.parentElement.querySelector('script[type="application/json"]');
    const kinds = JSON.parse(json.textContent).kinds;
    const body = table.tBodies[0];
    const number = /^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)(e[-+]?[0-9]+)?$/i;
    const written = text => number.test(text.trim()) ? Number(text) : NaN;
    const byValue = (a, b) => Number.isNaN(a) - Number.isNaN(b) || a - b || 0;
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
          ? Number.isNaN(a) - Number.isNaN(b) || down * (a - b) || 0
          : down * (byValue(written(a), written(b)) || a.localeCompare(b, 'en', { numeric: true })));
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
        f'<h3 style="margin:4px 0;font-size:16px;direction:ltr">{escape(title)}</h3>{body}{script}</div>'
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
    for i, row in enumerate(grid.table.slice(0, grid.plain).to_pylist()):
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
            if kind == "number" and value is not None and i in grid.best.get(name, ()):
                shown = f'<b title="best">★ {shown}</b>'
            beside = _beside(grid, name, row)
            if beside:
                shown += f" <small>{beside}</small>"
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
    data = base64.b64encode(svg(picture.figure, picture.width, picture.height)).decode("ascii")
    caption = f'<figcaption style="font-weight:600">{escape(picture.caption)}</figcaption>' if picture.caption else ""
    return (
        f'<figure style="margin:8px 0;display:inline-block;max-width:100%">{caption}'
        f'<img alt="{escape(picture.alt)}" style="max-width:100%;background:#fff" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )


def html_text(text: str) -> str:
    """Return a paragraph."""
    return f'<p style="margin:4px 0;max-width:80ch">{escape(text, 4000)}</p>'


def html_section(section: Section) -> str:
    """Return a section as HTML."""
    if isinstance(section, Text):
        return html_text(section.text)
    if isinstance(section, Stats):
        items = "".join(
            f'<li style="margin:1px 0">{escape(s.label)}: <b>{escape(_stat(s))}</b></li>' for s in section.items
        )
        return f'<ul style="margin:6px 0;padding-left:20px">{items}</ul>'
    if isinstance(section, Picture):
        return html_picture(section) if section.still else ""
    if isinstance(section, Matrix):
        return _caption(section.caption) + _html_matrix(section) + (html_text(section.note) if section.note else "")
    if isinstance(section, Diff):
        pieces = "".join(_html_piece(p.kind, p.title, p.lines) for p in section.pieces)
        return _caption(section.caption) + pieces + (html_text(section.note) if section.note else "")
    if isinstance(section, Fold):
        # Open, since what is closed is missing on paper.
        inside = "".join(map(html_section, section.sections))
        return f"<details open><summary><b>{escape(section.title)}</b></summary>{inside}</details>"
    if isinstance(section, Thresholds):
        from modellab_jupyter.widgets.judged import pictures

        note = html_text(section.note) if section.note else ""
        drawn = [html_section(picture) for picture in pictures(section)]
        return "".join([*drawn, *(html_section(grid) for grid in section.grids())]) + note
    return _html_grid(section)


def _caption(text: str) -> str:
    return f'<h4 style="margin:10px 0 2px;font-size:14px">{escape(text)}</h4>' if text else ""


def _html_grid(grid: Grid) -> str:
    rows = grid.table.num_rows
    cut_ = (
        f"The first {grid.plain:,} of {rows:,} rows; the notebook in JupyterLab has all." if rows > grid.plain else ""
    )
    notes = "".join(html_text(note) for note in (cut_, grid.note) if note)
    return _caption(grid.caption) + (html_table(grid) if rows else html_text(grid.empty)) + notes


def _html_matrix(matrix: Matrix) -> str:
    heads = "".join(f'<th scope="col"><bdi>{escape(name, 40)}</bdi></th>' for name in matrix.classes)
    rows = []
    for i, (name, counts) in enumerate(zip(matrix.classes, matrix.counts, strict=True)):
        whole = sum(counts)
        cells = "".join(
            f'<td align="right" style="background:rgba({"0,114,178" if i == j else "213,94,0"},'
            f'{0.5 * count / whole if whole else 0:.2f})">{number(count)}</td>'
            for j, count in enumerate(counts)
        )
        rows.append(f'<tr><th scope="row" style="text-align:left"><bdi>{escape(name, 40)}</bdi></th>{cells}</tr>')
    return (
        '<div style="overflow:auto"><table cellpadding="4" style="border-collapse:collapse;font-size:12.5px;margin:0">'
        f"<thead><tr><th>is, said</th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


_INK = {"+": "background:rgba(0,158,115,.16)", "-": "background:rgba(213,94,0,.16)"}


def _html_piece(kind: str, title: str, lines: Iterable[str]) -> str:
    if kind == "same":
        return html_text(title)
    told = "".join(_html_line(line) for line in lines)
    body = f'<pre style="margin:0 0 6px;padding:4px;overflow:auto;font-size:12px">{told}</pre>' if told else ""
    return f'<p style="margin:6px 0 2px"><b>{escape(title)}</b></p>{body}'


def _html_line(line: str) -> str:
    sign, text = line[0], html.escape(line[1:], quote=True)
    tag = {"+": "ins", "-": "del"}.get(sign)
    if tag is None:
        return f"{'… ' if sign == '@' else '  '}{text}\n"
    return f'<{tag} style="{_INK[sign]};text-decoration:none">{sign} {text}</{tag}>\n'
