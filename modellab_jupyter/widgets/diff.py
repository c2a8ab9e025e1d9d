"""The code of two runs, cell by cell: what was changed, came, went, moved, and what stayed."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from modellab_jupyter.widgets.words import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CONTEXT = 3
"""Unchanged lines that are kept around a change."""
LINES, LONGEST_LINE = 400, 300
"""Lines of one difference that are kept, and letters of one line."""
STAYED = 60
"""Lines of unchanged cells that are kept, to be unfolded."""
ALIKE, NEAR = 0.5, 0.6
"""Common letters from which on a cell is a version of one that is gone, or of one that is still there."""
_READ, _LOOKED_AT = 1500, 60  # letters of a cell that are compared, and cells that a new one is compared with
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it was executed last; `key` is the same for versions of one cell, None where nobody knows."""

    source: str
    key: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of a difference.

    Attributes
    ----------
    kind : {"changed", "added", "removed", "moved", "same"}
    title : str
    lines : tuple of str
        The first letter of each says what it is: ``+`` came, ``-`` went, a space stayed, ``@`` stands for lines that
        stayed and are left out.
    """

    kind: Literal["changed", "added", "removed", "moved", "same"]
    title: str
    lines: tuple[str, ...] = ()


def cells(rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """Return the cells that a run's kernel executed, each as it was executed last, in the order of that.

    `rows` have ``source``, ``cell_id`` and ``execution_count``; without an id a cell is known by its source.
    """
    found: dict[tuple[str, str], Cell] = {}
    for row in rows:
        key, count, source = row.get("cell_id"), row.get("execution_count"), str(row["source"]).rstrip()
        found.pop(("source", source), None)
        name = ("source", source) if key is None else ("id", key)
        found.pop(name, None)
        found[name] = Cell(source, key, f"cell [{count}]" if count is not None else "cell")
    return list(found.values())


def of_cells(old: Sequence[Cell], new: Sequence[Cell]) -> tuple[Piece, ...]:
    """Return what differs, in the order of `new`; nothing where all cells are the same in the same order."""
    matcher = difflib.SequenceMatcher(None, [c.source for c in old], [c.source for c in new], autojunk=False)
    codes = matcher.get_opcodes()
    if all(tag == "equal" for tag, *_ in codes):
        return ()
    gone = {i for tag, a, b, _, _ in codes if tag != "equal" for i in range(a, b)}
    partner = _partners(old, new, codes, gone)
    pieces: list[Piece] = []
    for tag, a, b, c, d in codes:
        if tag == "equal":
            pieces.append(_same(new[c:d]))
            continue
        pieces += [_whole("removed", "-", old[i]) for i in range(a, b) if i in gone]
        for j in range(c, d):
            other = partner.get(j)
            if other is None:
                pieces.append(_added(new[j], old))
            elif old[other].source == new[j].source:
                pieces.append(Piece("moved", f"{new[j].title}: the same code, run at another place"))
            else:
                title = f"{old[other].title} became {new[j].title}"
                pieces.append(Piece("changed", title, _lines(old[other].source, new[j].source)))
    return _bounded(pieces)


def _partners(old: Sequence[Cell], new: Sequence[Cell], codes: Sequence[Any], gone: set[int]) -> dict[int, int]:
    """Return which old cell each new one was made of; `gone` keeps the old ones of which none was made."""
    fresh = [j for tag, _, _, c, d in codes if tag != "equal" for j in range(c, d)]
    partner: dict[int, int] = {}

    def take(j: int, candidates: Iterable[int]) -> None:
        i = next(iter(candidates), None)
        if i is not None and j not in partner:
            partner[j] = i
            gone.discard(i)

    for j in fresh:
        take(j, (i for i in sorted(gone) if old[i].source == new[j].source))
    for j in fresh:
        if j not in partner and new[j].key is not None:
            take(j, (i for i in sorted(gone) if old[i].key == new[j].key))
    for tag, a, b, c, d in codes:
        for j in range(c, d) if tag == "replace" else ():
            if j not in partner:
                take(j, (i for i in range(a, b) if i in gone and _alike(old[i].source, new[j].source)))
    return partner


def _alike(one: str, other: str) -> float:
    """Return the share of common letters; 0 where it is too small for a version."""
    matcher = difflib.SequenceMatcher(None, one[:_READ], other[:_READ], autojunk=False)
    if matcher.real_quick_ratio() < ALIKE or matcher.quick_ratio() < ALIKE:
        return 0.0
    share = matcher.ratio()
    return share if share >= ALIKE else 0.0


def _added(cell: Cell, old: Sequence[Cell]) -> Piece:
    """Return a new cell: beside the old one that it is a version of, though that one is still there, or whole."""
    share, i = max(((_alike(one.source, cell.source), i) for i, one in enumerate(old[-_LOOKED_AT:])), default=(0.0, 0))
    if share < NEAR:
        return _whole("added", "+", cell)
    before = old[-_LOOKED_AT:][i]
    return Piece("changed", f"{before.title} ran again as {cell.title}", _lines(before.source, cell.source))


def _lines(old: str, new: str) -> tuple[str, ...]:
    a, b = old.splitlines(), new.splitlines()
    made: list[str] = []
    for group in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        tag, i, j, k, m = group
        if tag != "equal":
            made += [_line("-", text) for text in a[i:j]] + [_line("+", text) for text in b[k:m]]
            continue
        head = CONTEXT if made else 0
        tail = CONTEXT if m < len(b) or j < len(a) else 0
        stays = [_line(" ", text) for text in b[k:m]]
        left = len(stays) - head - tail
        if left > 1:
            stays = [*stays[:head], f"@{left} unchanged lines", *stays[len(stays) - tail :]]
        made += stays
    return tuple(made)


def _line(sign: str, text: str) -> str:
    return sign + visible(cut(text, LONGEST_LINE))


def visible(text: str) -> str:
    """Return code with what cannot be seen, or turns the order of letters around, written as an escape."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _whole(kind: Literal["added", "removed"], sign: str, cell: Cell) -> Piece:
    return Piece(kind, f"{cell.title} {kind}", tuple(_line(sign, text) for text in cell.source.splitlines()))


def _same(stayed: Sequence[Cell]) -> Piece:
    lines: list[str] = []
    for cell in stayed:
        lines += [*(["@"] if lines else []), *(_line(" ", text) for text in cell.source.splitlines())]
    return Piece("same", f"{len(stayed)} unchanged cell{'' if len(stayed) == 1 else 's'}", tuple(lines))


def _bounded(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Return the pieces with no more lines than are kept; what is left out is counted."""
    left = {"same": STAYED}
    made = []
    for piece in pieces:
        kind = "same" if piece.kind == "same" else "other"
        room = left.setdefault(kind, LINES)
        kept = piece.lines[:room]
        left[kind] -= len(kept)
        more = len(piece.lines) - len(kept)
        made.append(replace(piece, lines=(*kept, f"@{more} more lines are not saved here") if more else kept))
    return tuple(made)
