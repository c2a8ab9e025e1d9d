"""Which run is the best of a metric: the best of those whose figures are of the same rows."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.columns import metric_parts
from modellab_jupyter.widgets.words import named

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa

    Numbers = np.ndarray[Any, Any]

MOST_ALIKE = 100
"""Runs that share the best value and are all marked; where there are more, a mark says nothing."""
_NAMED = 2
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Best:
    """The best of a metric.

    Attributes
    ----------
    runs : tuple of str
        Ids of those that have the best value; none where no two runs can be compared.
    among : int
        How many runs have figures of the same rows as these.
    others : int
        How many have figures of other rows.
    """

    runs: tuple[str, ...]
    among: int
    others: int


class Comparable:
    """What each figure of some runs is of.

    A figure of an evaluation is of the rows that were judged, one that was logged is of the data that its run used. Of
    what nothing is known is taken to be of the same rows.

    Parameters
    ----------
    runs : table
        As of `Source.runs`.
    judged : table, optional
        As of `Source.judged`.
    """

    def __init__(self, runs: pa.Table, judged: pa.Table | None = None) -> None:
        import numpy as np
        import pyarrow.compute as pc

        self._runs = runs
        self._parts = metric_parts(runs)
        self._ids: list[str] = runs.column("run_id").to_pylist()
        self._started = np.arange(runs.num_rows)
        if "started_at" in runs.column_names:
            self._started = runs.column("started_at").to_numpy().argsort(kind="stable").argsort()
        self._groups: dict[str | None, Numbers] = {}
        if judged is None or judged.num_rows == 0:
            return
        judged = judged.combine_chunks()
        place = pc.index_in(judged.column("run_id"), value_set=runs.column("run_id")).fill_null(-1).to_numpy()
        codes = judged.column("rows").fill_null("").combine_chunks().dictionary_encode().indices.to_numpy()
        names = np.array(judged.column("name").to_pylist(), dtype=object)
        for name in dict.fromkeys(names.tolist()):
            mine = (names == name) & (place >= 0)
            group = np.full(runs.num_rows, _UNKNOWN)
            group[place[mine]] = codes[mine]
            self._groups[name] = group

    def rows(self, metric: str) -> Numbers:
        """Return for each run a number that is equal where a column's figures are of the same rows."""
        import numpy as np

        count = len(self._ids)
        unknown = np.full(count, _UNKNOWN)
        judged = self._groups.get(self._evaluation(metric), unknown)
        used = self._groups.get(None, unknown)
        support = self._parts.get(metric, {}).get("n")
        if support is None:
            return used
        is_judged = self._runs.column(support).is_valid().to_numpy()
        # Rows that were judged and data that were used are never the same.
        return np.where(is_judged, 2 * judged, 2 * used + 1)

    def _evaluation(self, metric: str) -> str:
        """Return the evaluation that a column's figures are of: named "test" unless the column says another."""
        key = metric.removeprefix("metrics.")
        found = [name for name in self._groups if name and name != "test" and key.startswith(f"{name}_")]
        return max(found, key=len, default="test")

    def best(self, metric: str, greater: bool, values: Numbers | None = None) -> Best | None:
        """Return the best of a column, or of `values` in its place; None where fewer than two runs have it.

        It is looked for on the rows that most of the runs share, of equally many on those of the latest run.
        """
        import numpy as np

        if values is None:
            values = _numbers(self._runs, metric)
        known = np.flatnonzero(np.isfinite(values))
        if len(known) < 2:
            return None
        groups, place, sizes = np.unique(self.rows(metric)[known], return_inverse=True, return_counts=True)
        latest = np.full(len(groups), -1)
        np.maximum.at(latest, place, self._started[known])
        chosen = max(range(len(groups)), key=lambda g: (sizes[g], latest[g]))
        among = known[place == chosen]
        top = values[among].max() if greater else values[among].min()
        alike = [self._ids[i] for i in among[values[among] == top]]
        marked = tuple(alike) if len(among) > 1 and len(alike) <= MOST_ALIKE else ()
        return Best(marked, len(among), len(known) - len(among))


def _numbers(runs: pa.Table, metric: str) -> Numbers:
    import pyarrow as pa

    values: Numbers = runs.column(metric).cast(pa.float64()).fill_null(math.nan).to_numpy()
    return values


def bests(runs: pa.Table, judged: pa.Table | None = None) -> dict[str, Best]:
    """Return the best of each metric that has a direction and that two runs have."""
    greater = greater_is_better(runs)
    comparable, found = Comparable(runs, judged), {}
    for metric in metric_parts(runs):
        direction = greater.get(metric.removeprefix("metrics."))
        best = None if direction is None else comparable.best(metric, direction)
        if best is not None:
            found[metric] = best
    return found


def greater_is_better(runs: pa.Table) -> dict[str, bool | None]:
    """Return what is better of each metric, as far as who made the table knew."""
    found = json.loads((runs.schema.metadata or {}).get(b"modellab", b"{}")).get("greater_is_better", {})
    return {str(k): v for k, v in found.items() if v is None or isinstance(v, bool)}


def as_json(found: Mapping[str, Best]) -> dict[str, dict[str, Any]]:
    """Return the same as JSON."""
    return {metric: {"runs": list(b.runs), "among": b.among, "others": b.others} for metric, b in found.items()}


def note(found: Mapping[str, Best]) -> str:
    """Return what a star means where not all runs can be compared; nothing where all can."""
    apart = {metric.removeprefix("metrics."): best for metric, best in found.items() if best.others}
    starred: dict[str, list[str]] = {}
    for name, one in apart.items():
        if one.among > 1:
            starred.setdefault(f"{one.among:,} of {one.among + one.others:,} runs", []).append(named(name, 60))
    lone = [named(name, 60) for name, b in apart.items() if b.among == 1]
    parts = []
    if starred:
        counts = [count if len(starred) == 1 else f"{count} for {_some(names)}" for count, names in starred.items()]
        parts.append(f"★ is the best of the runs whose figures are of the same rows: {_some(counts)}.")
    if lone:
        parts.append(f"No run is the best by {_some(lone)}: no two figures are of the same rows.")
    return " ".join(parts)


def _some(words: list[str]) -> str:
    left = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {left} more" if left > 0 else "")
