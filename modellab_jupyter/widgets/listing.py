"""What the lists of datasets and of projects have in common: what a page may ask, and what is saved, within bounds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellab_jupyter.errors import InputError, ModelLabError
from modellab_jupyter.widgets import saved
from modellab_jupyter.widgets.base import Answer, Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pyarrow as pa

SAVED_ROWS = 200
"""Rows of a list that a saved notebook keeps: the newest."""
SAVED_LIST = 42_000
"""Bytes of JSON that the list itself may take in a saved notebook, and all that is kept beside it."""
SAVED_REST = 50_000
HTML_ROWS = 50
_LEAST = 400  # bytes below which nothing more is tried


@dataclass(frozen=True, slots=True)
class Told:
    """What a verb tells: JSON values, and tables by name, which travel as binary columns and are saved as JSON."""

    head: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)

    def answer(self) -> Answer:
        """Return what goes to a live page: the tables' descriptions, and a block of bytes for each in their order."""
        packed = {name: saved.binary_table(table) for name, table in self.tables.items()}
        described = {name: about for name, (about, _) in packed.items()}
        return Answer({**saved.plain(dict(self.head)), **described}, [block for _, block in packed.values()])

    def kept(self) -> dict[str, Any]:
        """Return the same as JSON, as it is saved."""
        return {**saved.plain(dict(self.head)), **{name: saved.json_table(t) for name, t in self.tables.items()}}


class Listing(Widget):
    """A list that a page reads again when something changed.

    Parameters
    ----------
    view
        Name of the view in ``labextension/src/widgets``.
    source
        What is read from; with a method ``changes(project_id)`` polling is cheap.
    needed
        Methods that `source` must have.
    project_id
        Which project; None for all.

    Raises
    ------
    TypeError
        If `source` lacks one of them.
    """

    def __init__(
        self, view: str, source: Any, needed: tuple[str, ...], project_id: str | None, *, live: bool | None
    ) -> None:
        missing = [name for name in needed if not callable(getattr(source, name, None))]
        if missing:
            raise TypeError(
                f"source must have the methods {', '.join(needed)}; {type(source).__name__} lacks {', '.join(missing)}"
            )
        super().__init__(view, live=live)
        self._source = source
        self._project_id = project_id

    def _read(self) -> Told:
        """Return the list as it is now."""
        raise NotImplementedError

    def _open(self, _payload: dict[str, Any], unless: str | None = None) -> Answer:
        changes = getattr(self._source, "changes", None)
        # Asked before reading: what changes in between is seen by the next poll.
        token = None if changes is None else str(changes(self._project_id))
        if token is not None and token == unless:
            return Answer({"changed": False, "token": token})
        answer = self._read().answer()
        if token is None:
            head = json.dumps(answer.payload, sort_keys=True).encode()
            token = hashlib.sha256(head + b"".join(answer.buffers)).hexdigest()[:16]
            if token == unless:
                return Answer({"changed": False, "token": token})
        return Answer({**answer.payload, "changed": True, "token": token}, answer.buffers)

    def _poll(self, payload: dict[str, Any]) -> Answer:
        return self._open({}, unless=str(payload.get("token")))


def text_of(payload: Mapping[str, Any], key: str) -> str:
    """Return a text that a page must give with its question."""
    value = payload.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{key} must be a text, found {value!r:.80}; run the cell again.")
    return value


def whole_of(payload: Mapping[str, Any], key: str) -> int:
    """Return a whole number that a page must give with its question."""
    value = payload.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{key} must be a whole number, found {value!r:.80}; run the cell again.")
    return value


# What is saved, within bounds
# ------------------------------------------------------------------------------------------------------


def size_of(value: Any) -> int:
    """Return the bytes that a value takes in a saved output, as the text of JSON inside JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def fitting(table: pa.Table, rows: int, size: int) -> pa.Table:
    """Return the first rows of a table, at most so many and at most so many bytes of JSON."""
    kept = table.slice(0, rows)
    while kept.num_rows > 1 and size_of(saved.json_table(kept)) > size:
        kept = kept.slice(0, kept.num_rows * 3 // 4)
    return kept


def within(size: int, wanted: Iterable[tuple[str, str, Callable[[], Told]]]) -> dict[str, dict[str, Any]]:
    """Return answers by verb and key, as many of them in their order as fit into `size` bytes of JSON.

    What cannot be read is kept as the sentence that says so, which a page shows in its place.
    """
    kept: dict[str, dict[str, Any]] = {}
    for verb, key, make in wanted:
        if size < _LEAST:
            break
        try:
            answer = make().kept()
        except ModelLabError as error:
            answer = {"error": saved.cut(str(error))}
        needed = size_of(answer)
        if needed <= size:
            kept.setdefault(verb, {})[key] = answer
            size -= needed
    return kept


def notice(shown: int, total: int, what: str) -> str:
    """Return the sentence that says how many of all are saved; nothing where all are."""
    if shown >= total:
        return ""
    return f"{shown:,} of {total:,} {what} are saved here: the newest. Run the cell again to see all."


# Words
# ------------------------------------------------------------------------------------------------------


def share(value: float | None) -> str:
    """Return a share of a whole in percent; what is there is never said to be 0 %, what lacks never 100 %."""
    if value is None:
        return saved.MISSING
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    if value < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if value > 0.999 else f"{value * 100:.1f} %"


def storage(size: int | None) -> str:
    """Return a number of bytes as people say it."""
    if size is None:
        return saved.MISSING
    if size < 1000:
        return f"{size} B"
    power = next((k for k in (1, 2, 3) if size < 999.5 * 1000**k), 4)
    return f"{size / 1000**power:.3g} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def count(n: int, word: str) -> str:
    """Return a number with its word."""
    return f"{n:,} {word}{'' if n == 1 else 's'}"
