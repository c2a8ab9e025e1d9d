"""What reproducing or verifying a pack found, as a page: the conclusion, each level, its particulars, causes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS = 200  # of one level
_MARKS = {True: "✓ holds", False: "✗ does not hold", None: "? not known"}
_TITLES = {
    "manifest": "Files of the pack", "environment": "Packages", "data": "Data", "executions": "Cells",
    "metrics": "Metrics", "notebook": "The notebook from top to bottom",
}  # fmt: skip


def verdict(found: Mapping[str, Any], told: str) -> saved.Page:
    """Show a verdict.

    Parameters
    ----------
    found
        As JSON has it: ``run``, ``pack_id``, ``levels`` (each with ``name, holds, sentence, rows``), ``causes`` (each
        with ``factor, confirmed, sentence``), ``hidden`` (each with ``sentence``), ``seconds``.
    told
        The conclusion in words.
    """
    levels: Sequence[Mapping[str, Any]] = found["levels"]
    answers = [{"level": one["name"], "answer": _MARKS[one["holds"]], "found": one["sentence"]} for one in levels]
    sections: list[saved.Section] = [
        saved.Text(told, "lede"),
        saved.Grid("What was asked of the pack", saved.as_table(answers)),
    ]
    causes = [
        {"cause": one["factor"], "evidence": "confirmed alone" if one["confirmed"] else "not confirmed",
         "found": one["sentence"]}
        for one in found["causes"]
    ]  # fmt: skip
    if causes:
        note = "A cause is confirmed where a replay that changed it alone made the difference come or go."
        sections.append(saved.Grid("Why numbers differ", saved.as_table(causes), note=note))
    if found["hidden"]:
        rows = [{"variable": one["name"], "kind": one["kind"], "found": one["sentence"]} for one in found["hidden"]]
        sections.append(saved.Grid("Hidden state", saved.as_table(rows)))
    for one in levels:
        rows = [_row(row) for row in one["rows"][:ROWS]]
        if rows:
            grid = saved.Grid(one["sentence"], saved.as_table(rows))
            title = f"{_TITLES[one['name']]} ({len(one['rows'])})"
            sections.append(saved.Fold(title, [grid], is_open=one["holds"] is False))
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["seconds"].items())
    sections.append(saved.Text(f"Pack {found['pack_id'][:12]}" + (f"; took {spent}." if spent else "."), "note"))
    return saved.Page(f"Pack of run {found['run'].get('name') or found['run'].get('run_id') or ''}", sections)


def _row(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a row whose values are texts: what was recorded and found may be of different types."""
    return {
        str(name): None if value is None else value if isinstance(value, str) else repr(value)
        for name, value in row.items()
    }
