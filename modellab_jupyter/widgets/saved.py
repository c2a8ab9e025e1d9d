"""What a widget leaves in the notebook: JSON for our renderer, plain HTML, and text.

A page is composed once, as a title and sections of words, numbers, tables and figures; the three forms are
renderings of it. Tables are Arrow tables. JSON is strict: a number that does not exist is null.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.base import PROTOCOL, Answer, Widget
from modellab_jupyter.widgets.columns import (
    PART,
    as_table,
    binary_table,
    json_table,
    kind_of,
    marked_parts,
    metric_parts,
    short,
    texts,
)
from modellab_jupyter.widgets.plain import (
    escape,
    html_page,
    html_picture,
    html_section,
    html_table,
    html_text,
    text_section,
)
from modellab_jupyter.widgets.sections import (
    Diff,
    Fold,
    Grid,
    Matrix,
    Picture,
    Scored,
    Section,
    Stat,
    Stats,
    Text,
    Thresholds,
)
from modellab_jupyter.widgets.words import LONGEST, MISSING, cut, duration, interval, named, number, one_line, p_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "LONGEST", "MIME", "MISSING", "PART", "Diff", "Fold", "Grid", "Matrix", "Page", "Picture", "Scored", "Section",
    "Stat", "Stats", "Text", "Thresholds", "as_table", "binary_table", "cut", "duration", "escape", "html_page",
    "html_picture", "html_table", "html_text", "interval", "json_table", "kind_of", "marked_parts", "metric_parts",
    "named", "number", "one_line", "p_value", "plain", "snapshot", "texts",
]  # fmt: skip

MIME = "application/vnd.modellab.v1+json"


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

        return {part.caption: go.Figure(dict(part.figure)) for part in _pictures(self.sections)}

    def to_html(self) -> str:
        """Return plain HTML that needs no script, no network and no kernel."""
        return html_page(self.title, [html_section(s) for s in self.sections])

    def __str__(self) -> str:
        parts = [self.title, *(text_section(s) for s in self.sections)]
        return "\n\n".join(p for p in parts if p)

    def saved(self) -> dict[str, Any]:
        """Return the snapshot, plain HTML and text."""
        return {MIME: self.to_json(), "text/html": self.to_html(), "text/plain": str(self)}


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


def _pictures(sections: Sequence[Section]) -> Iterator[Picture]:
    from modellab_jupyter.widgets.judged import pictures

    for part in sections:
        if isinstance(part, Picture):
            yield part
        elif isinstance(part, Thresholds):
            yield from pictures(part)
        elif isinstance(part, Fold):
            yield from _pictures(part.sections)


def _section_json(section: Section) -> dict[str, Any]:
    if isinstance(section, Text):
        return {"kind": "text", "text": section.text, "role": section.role}
    if isinstance(section, Stats):
        return {"kind": "stats", "items": [_stat_json(s) for s in section.items]}
    if isinstance(section, Picture):
        return {
            "kind": "figure",
            "caption": cut(section.caption),
            "figure": _fewer_digits(section.figure),
            "alt": cut(section.alt),
            "height": section.height,
        }
    if isinstance(section, Matrix):
        counts = [[short(v) for v in row] for row in section.counts]
        named = {"classes": [cut(c) for c in section.classes], "counts": counts}
        return {"kind": "matrix", "caption": cut(section.caption), **named, "note": section.note}
    if isinstance(section, Diff):
        cells = [{"kind": p.kind, "title": cut(p.title), "lines": list(p.lines)} for p in section.pieces]
        return {"kind": "diff", "caption": cut(section.caption), "cells": cells, "note": section.note}
    if isinstance(section, Fold):
        inside = [_section_json(s) for s in section.sections]
        return {"kind": "fold", "title": cut(section.title), "open": section.is_open, "sections": inside}
    if isinstance(section, Thresholds):
        about = {"level": section.level, "counted": section.counted, "weighted": section.weighted, "note": section.note}
        return {"kind": "thresholds", "classes": [_scored_json(c) for c in section.classes], **about}
    return _grid_json(section)


def _stat_json(stat: Stat) -> dict[str, Any]:
    made = {"label": cut(stat.label), "value": stat.value, "low": stat.low, "high": stat.high, "n": stat.n}
    return {**made, "note": cut(stat.note)} | ({} if stat.text is None else {"text": cut(stat.text)})


def _scored_json(one: Scored) -> dict[str, Any]:
    digits = {"tp": 9, "fp": 9, "sum": 6}
    columns: dict[str, list[float | int | None]] = {"score": [_down(float(v)) for v in one.columns["score"]]}
    columns |= {name: [short(v, most) for v in plain(one.columns[name])] for name, most in digits.items()}
    return {
        "name": cut(one.name),
        "chosen": _down(one.chosen),
        **columns,
        "bands": _fewer_digits(plain(one.bands), 4),
        "calibration": _fewer_digits(plain(one.calibration), 4),
    }


def _down(score: float) -> float:
    """Return six significant digits that are not above `score`, so that a threshold of as many parts the same rows."""
    if score <= 0:
        return 0.0
    made = float(f"{score:.6g}")
    return made if made <= score else float(f"{made - 10.0 ** (math.floor(math.log10(score)) - 5):.6g}")


def _fewer_digits(value: Any, digits: int = 5) -> Any:
    """Return a figure with numbers as fine as a screen can show."""
    if isinstance(value, float):
        return short(value, digits)
    if isinstance(value, dict):
        return {key: _fewer_digits(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_fewer_digits(one, digits) for one in value]
    return value


def _grid_json(grid: Grid) -> dict[str, Any]:
    made = json_table(grid.table, 6)
    for column in made["columns"]:
        name = column["name"]
        if name in grid.titles:
            column["title"] = cut(grid.titles[name])
        if name in grid.forms:
            column["form"] = grid.forms[name]
        if name in grid.parts:
            column["part"] = True
        if name in grid.intervals:
            column["low"], column["high"] = grid.intervals[name]
        if name in grid.supports:
            column["support"] = grid.supports[name]
    return {"kind": "table", "caption": cut(grid.caption), "note": grid.note, "empty": grid.empty, **made}
