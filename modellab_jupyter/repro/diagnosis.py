"""Why numbers did not come back: each cause that the evidence suggests is changed alone, and claimed if that did it.

Two kinds of experiment. Where replays agree with each other, one thing is put as it was recorded: a file, a package,
the number of threads, the date; if the numbers come back, that was it. Where replays differ from each other, one source
of chance is held still: entropy, the clock, threads; if they agree then, and did not before, that was it.
"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from modellab_jupyter import environment
from modellab_jupyter.errors import ModelLabError
from modellab_jupyter.repro import rebuild, replay
from modellab_jupyter.repro.comparing import compare
from modellab_jupyter.repro.records import Cause, HiddenState
from modellab_jupyter.repro.replay import Conditions, Limits, Place, Replayed
from modellab_jupyter.repro.unpacked import Cell, Unpacked

RUNS: Final = 40  # replays that a diagnosis may take in all
RUN_LEAST: Final = 60.0  # seconds that any of them may take
RUN_TIMES: Final = 4.0  # times the first replay that each may take
TOTAL_LEAST: Final = 300.0  # seconds for all of them
TOTAL_TIMES: Final = 12.0
TOTAL_MOST: Final = 3600.0  # seconds beyond which a diagnosis does not go, but for three replays of a long run
LOOSE: Final = 3  # replays as they are, from which chance is seen
LOOSE_IF_FEW: Final = 6  # the same, where two of them agree: a number with few values agrees by luck
HELD: Final = 3  # replays with one source of chance held still, all of which must agree
HELD_MOST: Final = 9
LUCK: Final = 0.02  # the chance at which luck is not believed
PACKAGES: Final = 5  # packages that are tried one by one

_CLOCK = re.compile(
    r"\btime\s*\(|\bperf_counter|\bmonotonic|process_time|\.now\s*\(|utcnow|\btoday\s*\(|\bctime\s*\(|%time|time_ns|localtime|gmtime"
)
_ENTROPY = re.compile(
    r"urandom|uuid|secrets|SystemRandom|default_rng\s*\(\s*\)|\brandom\b|RandomState\s*\(\s*\)|shuffle|sample\s*\("
)
_HASHED = re.compile(r"\bset\s*\(|\bfrozenset\s*\(|\bhash\s*\(|\{[^:{}]+,[^:{}]+\}|\.keys\(\)\s*[-&|^]")


@dataclass
class Lab:
    """What a diagnosis works with, and how much it may still do.

    Attributes
    ----------
    base : Replayed
        The first replay, under `conditions`.
    """

    pack: Unpacked
    conditions: Conditions
    base: Replayed
    environment: rebuild.Rebuilt
    work: Path
    limits: Limits
    say: Callable[[str], None]
    offline: bool = False
    keep: bool = False  # what replays leave behind
    ran: int = 0
    began: float = field(default_factory=time.monotonic)
    last: Replayed | None = None

    def third(self) -> Replayed | None:
        """Return one more replay as the first was; made when it is first asked for."""
        if self.last is None:
            self.last = self.run("once more as it was", self.conditions)
        return self.last

    @property
    def spent(self) -> bool:
        """Whether no further replay may be begun."""
        most = max(TOTAL_LEAST, min(TOTAL_TIMES * self.base.seconds, max(TOTAL_MOST, 3 * self.base.seconds)))
        if self.limits.total is not None:
            most = min(most, TOTAL_TIMES * self.limits.total)
        return self.ran >= RUNS or time.monotonic() - self.began > most

    def run(self, what: str, conditions: Conditions) -> Replayed | None:
        """Replay under other conditions; None where the budget is spent or the replay itself broke."""
        if self.spent:
            return None
        self.ran += 1
        self.say(what)
        folder = self.work / f"try{self.ran:02}"
        folder.mkdir()
        most = max(RUN_LEAST, RUN_TIMES * self.base.seconds)
        if self.limits.total is not None:
            most = min(most, self.limits.total)
        try:
            done = replay.run(self.pack, conditions, folder, Limits(most, self.limits.memory))
        except (ModelLabError, OSError, RuntimeError):
            return None
        finally:
            if not self.keep:
                shutil.rmtree(folder, ignore_errors=True)
        return None if done.stopped else done


def apart(one: Replayed | None, other: Replayed | None) -> set[str]:
    """Return the metrics that two replays do not agree on, not even numerically."""
    if one is None or other is None:
        return set()
    return _apart(one.metrics or {}, other.metrics or {})


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {row.metric for row in compare(one, other) if row.level not in {"exact", "equal"}}


def _named(metrics: set[str]) -> str:
    some = sorted(metrics)
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return ", ".join(some[:3]) + more


def _verb(metrics: set[str], singular: str, plural: str) -> str:
    return f"{_named(metrics)} {singular if len(metrics) == 1 else plural}"


# -- why metrics differ ----------------------------------------------------------------------------------


def causes(lab: Lab, rows: Sequence[Mapping[str, Any]]) -> tuple[Cause, ...]:
    """Return why the metrics of the base replay are not those recorded, or why it ended otherwise.

    Parameters
    ----------
    rows : sequence of dict
        What differs in the environment, as `rebuild.differences` tells it.
    """
    recorded = lab.pack.metrics
    wrong = _apart(recorded, lab.base.metrics or {})
    failed = not lab.base.agrees
    if not wrong and not failed:
        return ()
    again = lab.run("the same again", lab.conditions)
    unstable = apart(lab.base, again) & wrong
    steady = wrong - unstable if again is not None else set()
    found: list[Cause] = []
    explained: set[str] = set()
    settled = False  # whether a replay that failed was made to end as it did
    if again is not None and (steady or (failed and not again.agrees)):
        for factor, doing, conditions, sentence in _as_recorded(lab, rows):
            if not (steady - explained) and not (failed and not settled):
                break
            back, ended = _came_back(lab, doing, conditions, steady)
            if back or (failed and ended):
                explained |= back
                settled = settled or ended
                what = _verb(back, "differs", "differ") if back else "the run ends otherwise"
                came = f"{'they' if len(back) > 1 else 'it'} came back" if back else "it ended as recorded"
                found.append(Cause(factor, confirmed=True, sentence=f"{what} because {sentence.format(came=came)}"))
        left = steady - explained
        if left and not failed:
            found += _judged(lab, rows, _hashes(lab, left), explained)
    if unstable:
        found += _judged(lab, rows, _chance(lab, [lab.base, again], unstable), explained)
    found += _unconfirmed(lab, rows, {cause.factor for cause in found})
    left = wrong - explained
    if failed and not settled:
        found.append(Cause("unknown", confirmed=False, sentence="the run ends otherwise: cause not established."))
    elif left and not failed:
        found.append(
            Cause("unknown", confirmed=False, sentence=f"{_verb(left, 'differs', 'differ')}: cause not established.")
        )
    return tuple(found)


_Moved = tuple[str, set[str], str]


def _judged(lab: Lab, rows: Sequence[Mapping[str, Any]], moved: Sequence[_Moved], explained: set[str]) -> list[Cause]:
    """Return what moves metrics by itself: their cause where nothing else differs, else no more than a remark.

    That a number depends on chance says why it is another only if data, packages and Python are what they were.
    """
    alone = all(row["kind"] != "editable" and row["recorded"] == row["found"] for row in rows) and all(
        place.same or place.wanted.made or (place.wanted.optional and place.source is None)
        for place in lab.conditions.places
    )
    found: list[Cause] = []
    for factor, metrics, told in moved:
        if alone:
            explained |= metrics
            sentence = f"{_verb(metrics, 'differs', 'differ')} because of {told}"
        else:
            sentence = f"{_verb(metrics, 'also varies by itself', 'also vary by themselves')}, because of {told}"
        found.append(Cause(factor, confirmed=alone, sentence=sentence))
    return found


def _came_back(lab: Lab, doing: str, conditions: Conditions, steady: set[str]) -> tuple[set[str], bool]:
    """Return which metrics come back under other conditions, twice, and whether the run then ends as it did.

    A number with few values may come back by luck: so it must twice, and a third replay as it was must still differ.
    """
    back, ended = set(steady), True
    for _ in range(2):
        tried = lab.run(doing, conditions)
        if tried is None or not tried.agrees:
            return set(), False
        back -= _apart(lab.pack.metrics, tried.metrics or {})
        if not back and lab.base.agrees:
            return set(), False
    third = lab.third()
    if third is None or third.agrees != lab.base.agrees:
        return set(), False
    return back - apart(lab.base, third), ended


_Try = tuple[str, str, Conditions, str]


def _as_recorded(lab: Lab, rows: Sequence[Mapping[str, Any]]) -> Iterator[_Try]:
    """Give what can be put as it was recorded, one at a time, likeliest first: name, doing, how, sentence."""
    yield from _data(lab)
    yield from _packages(lab, rows)
    yield from _editables(lab, rows)
    yield from _threads(lab)
    yield from _dates(lab)


def _data(lab: Lab) -> list[_Try]:
    """Return files that were given, or lie here with other content, while the pack has them as they were."""
    tries: list[_Try] = []
    places = lab.conditions.places
    for at, place in enumerate(places):
        if place.same or place.source is None:
            continue
        member = None if place.wanted.member is None else lab.pack.folder / place.wanted.member
        if member is None or not member.is_file():
            continue
        own = Place(place.wanted, "pack", str(member), place.wanted.digest)
        changed = replace(lab.conditions, places=(*places[:at], own, *places[at + 1 :]))
        name = place.wanted.path
        told = f"{name} has other content: with the recorded one alone {{came}}."
        tries.append((f"data:{name}", f"with {name} as recorded", changed, told))
    return tries


def _packages(lab: Lab, rows: Sequence[Mapping[str, Any]]) -> Iterator[_Try]:
    """Give packages that are at another version, where the recorded one can be had."""
    own = [row for row in rows if row["kind"] == "package" and row["recorded"] != row["found"]]
    text = lab.pack.sources
    own.sort(key=lambda row: re.search(rf"\b{re.escape(str(row['name']).replace('-', '_'))}\b", text) is None)
    for number, row in enumerate(own[:PACKAGES]):
        name, was, now = str(row["name"]), str(row["recorded"]), row["found"]
        folder = lab.work / f"package-{number}"
        folder.mkdir()
        lab.say(f"fetching {name} {was}")
        wheels = lab.pack.folder / "env" / "wheels"
        place = rebuild.varied(
            lab.environment, name, was, wheels if wheels.is_dir() else None, folder,
            wanted=rebuild.requirements(lab.pack), offline=lab.offline,
        )  # fmt: skip
        if place is None:
            continue
        changed = replace(lab.conditions, path=(place, *lab.conditions.path))
        told = f"{name} is {now or 'not there'} in place of {was}: with {was} alone {{came}}."
        yield f"package:{name}", f"with {name} {was}", changed, told


def _editables(lab: Lab, rows: Sequence[Mapping[str, Any]]) -> list[_Try]:
    """Return packages that were installed from a folder with changes, where that folder is here as it was."""
    tries: list[_Try] = []
    for row in rows:
        if row["kind"] != "editable":
            continue
        name = str(row["name"])
        told = next(d for d in lab.pack.environment["distributions"] if d.get("name") == name)["editable"]
        root = Path(str(told.get("root") or ""))
        if not root.is_absolute() or not root.is_dir() or _diff(root) != (told.get("commit"), told.get("diff_sha256")):
            continue
        place = root / "src" if (root / "src").is_dir() else root
        changed = replace(lab.conditions, path=(str(place), *lab.conditions.path))
        why = f"{name} had changes that were not committed: with them alone {{came}}."
        tries.append((f"editable:{name}", f"with the changes of {name}", changed, why))
    return tries


def _diff(root: Path) -> tuple[str | None, str | None]:
    """Return the commit of a checkout and the SHA-256 of what differs from it, as they are recorded."""
    now = environment.editable(str(root))
    return now["commit"], now["diff_sha256"]


def _threads(lab: Lab) -> list[_Try]:
    """Return the number of threads, where the replay had another than was recorded or is likely from the cores."""
    told = replay.recorded_threads(lab.pack)
    if told is None or told == replay.used_threads(lab.conditions.variables):
        return []
    variables = lab.conditions.variables | dict.fromkeys(replay.THREADS, str(told))
    count = f"{told} thread" + ("" if told == 1 else "s")
    changed = replace(lab.conditions, variables=variables)
    return [
        ("threads", f"with {count}", changed, f"of the number of threads: with {told}, as recorded, alone {{came}}.")
    ]


def _dates(lab: Lab) -> list[_Try]:
    """Return the time of the recorded run, where the code reads a clock."""
    if not _CLOCK.search(lab.pack.sources) or "clock" in lab.conditions.frozen:
        return []
    changed = replace(lab.conditions, frozen=(*lab.conditions.frozen, "clock"))
    return [("clock", "at the recorded time", changed, "of the date: with that of the recorded run alone {came}.")]


def _hashes(lab: Lab, left: set[str]) -> list[_Moved]:
    """Change the seed of hashes alone, where none was recorded; only what then changes can be told to depend on it."""
    variables = lab.pack.environment.get("variables") or {}
    if str(variables.get("PYTHONHASHSEED", "random")) != "random":
        return []
    hit: set[str] = set()
    seeds = (1, 2, 3) if _HASHED.search(lab.pack.sources) else (1,)  # a set of few keys may stand in one order twice
    for seed in seeds:
        doing, variables = f"with hash seed {seed}", lab.conditions.variables | {"PYTHONHASHSEED": str(seed)}
        changed = replace(lab.conditions, variables=variables)
        tried = lab.run(doing, changed)
        new = (apart(lab.base, tried) & left) - hit if tried is not None and tried.agrees else set()
        if not new:
            continue
        again, third = lab.run(doing, changed), lab.third()
        if again is not None and third is not None and again.agrees:
            hit |= new - apart(tried, again) - apart(lab.base, third)
        if hit >= left:
            break
    if not hit:
        return []
    told = (
        "the order of hashes: under the same seed of hashes replays agree, with another one alone they do not, "
        "and none was set when the run was recorded."
    )
    return [("hash order", hit, told)]


def _chance(lab: Lab, loose: list[Replayed | None], unstable: set[str]) -> list[_Moved]:
    """Hold one source of chance still at a time, and see under which one replays agree.

    Three replays that all differ, and three held still that all agree, have a chance of 2.5 % at most where holding
    changes nothing. Where two of the loose ones agreed, the value has few values: more are seen, and as many must agree
    as make it a chance of 2 %, from how often the most frequent value came.
    """
    while len(loose) < LOOSE:
        loose.append(lab.run("the same again", lab.conditions))
    needed = {name: HELD for name in unstable if _most(loose, name) == 1}
    if len(needed) < len(unstable):
        while len(loose) < LOOSE_IF_FEW:
            loose.append(lab.run("the same again", lab.conditions))
        seen = sum(one is not None and one.agrees for one in loose)
        for name in unstable - needed.keys():
            luck = (_most(loose, name) + 1) / (seen + 1)
            held = 1 + math.ceil(math.log(LUCK) / math.log(luck)) if luck < 1 else HELD_MOST + 1
            if held <= HELD_MOST:
                needed[name] = held
    text = lab.pack.sources
    threads = lab.conditions.variables | dict.fromkeys(replay.THREADS, "1")
    factors: list[tuple[str, Conditions, bool]] = [
        ("entropy", replace(lab.conditions, frozen=("entropy",)), bool(lab.base.missing or _ENTROPY.search(text))),
        ("clock", replace(lab.conditions, frozen=("clock",)), bool(_CLOCK.search(text))),
    ]
    if threads != lab.conditions.variables:
        factors.append(("threads", replace(lab.conditions, variables=threads), False))
    found: list[_Moved] = []
    left = set(needed)
    for factor, conditions, _ in sorted(factors, key=lambda one: not one[2]):
        agreed, first = set(left), None
        for number in range(max((needed[name] for name in left), default=0)):
            due = {name for name in agreed if number < needed[name]}
            if not due:
                break
            tried = lab.run(f"with the {_FACTORS[factor][0]} held still", conditions)
            if tried is None or not tried.agrees:
                agreed = set()
                break
            first = first or tried
            agreed -= apart(first, tried) & due
        if not agreed:
            continue
        left -= agreed
        changes = "it changes" if len(agreed) == 1 else "they change"
        told = (
            f"{_FACTORS[factor][1]}: {changes} from replay to replay, "
            f"and not with the {_FACTORS[factor][0]} alone held still."
        )
        found.append((factor, agreed, told))
    return found


def _most(loose: Sequence[Replayed | None], name: str) -> int:
    """Return how many of some replays agree on a metric, at most."""
    seen = [one for one in loose if one is not None and one.agrees]
    return max((sum(name not in apart(one, other) for other in seen) for one in seen), default=len(seen))


_FACTORS: Final = {
    "entropy": ("operating system's entropy", "randomness without a seed"),
    "clock": ("clock", "the clock"),
    "threads": ("number of threads", "threads that race"),
}


def _unconfirmed(lab: Lab, rows: Sequence[Mapping[str, Any]], told: set[str]) -> list[Cause]:
    """Return what differs, too, and could not be shown to matter."""
    found = []
    for row in rows:
        factor = f"{row['kind']}:{row['name']}"
        if factor not in told:
            found.append(
                Cause(
                    factor,
                    confirmed=False,
                    sentence=f"{row['name']} is {row['found'] or 'not there'}, recorded was {row['recorded']}"
                    f"{', and ' + row['note'] if row['note'] and row['recorded'] == row['found'] else ''}.",
                )
            )
    for place in lab.conditions.places:
        name = place.wanted.path
        if not place.same and f"data:{name}" not in told:
            sentence = f"{name} is not what was read then."
            found.append(Cause(f"data:{name}", confirmed=False, sentence=sentence))
    return found[:20]


# -- the notebook as it was saved ------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One way in which the saved notebook differs from what ran, and the notebook with that alone undone."""

    kind: str
    sentence: str
    cells: tuple[Cell, ...]
    orders: tuple[int, ...] = ()


def _short(cell: Cell) -> str:
    line = next((line for line in cell.source.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    return repr(line.strip()[:50])


def matched(pack: Unpacked) -> tuple[Cell, ...]:
    """Return the cells of the saved notebook, each as the execution that it was, if it is one.

    Cells after the last that had a part in the run are left out: they ran later, if ever, to pack the run for example.
    """
    left = list(pack.cells)
    found: list[Cell] = []
    for cell in pack.notebook or ():
        same = [one for one in left if one.source == cell.source]
        same = [one for one in same if one.cell_id == cell.cell_id] or same
        if same:
            left.remove(same[-1])
            found.append(replace(same[-1], cell_id=cell.cell_id))
        else:
            found.append(cell)
    ran = {cell.cell_id for cell in pack.cells}
    while found and found[-1].order is None and found[-1].cell_id not in ran | {None}:
        found.pop()
    return tuple(found)


def changes(pack: Unpacked) -> tuple[Change, ...]:
    """Return how the saved notebook differs from what ran, each with the notebook in which it alone is undone."""
    saved = list(matched(pack))
    ids = {cell.cell_id for cell in saved}
    sources = {cell.source for cell in saved}
    ran = [cell for cell in pack.cells if cell.order is not None]
    found: list[Change] = []
    seen: set[str] = set()
    for cell in ran:
        if cell.source in sources and cell.source not in seen:
            seen.add(cell.source)
            continue
        again = cell.source in sources
        later = [at for at, other in enumerate(saved) if other.order is not None and other.order > (cell.order or 0)]
        at = later[0] if later else len(saved)
        inserted = (*saved[:at], cell, *saved[at:])
        if again:
            found.append(Change("repeated", f"cell {_short(cell)} ran more than once", inserted, (cell.order or 0,)))
        elif cell.cell_id in ids:
            here = next(place for place, other in enumerate(saved) if other.cell_id == cell.cell_id)
            old = replace(cell, cell_id=saved[here].cell_id)
            newest = not any(o.cell_id == cell.cell_id and (o.order or 0) > (cell.order or 0) for o in ran)
            undone = (*saved[:here], old, *saved[here + 1 :]) if newest else inserted
            found.append(Change("edited", f"cell {_short(cell)} says something else now", undone, (cell.order or 0,)))
        else:
            found.append(
                Change("deleted", f"cell {_short(cell)} is not in the saved notebook", inserted, (cell.order or 0,))
            )
    known = [cell for cell in saved if cell.order is not None]
    if [cell.order for cell in known] != sorted(cell.order or 0 for cell in known):
        queue = iter(sorted(known, key=lambda cell: cell.order or 0))
        ordered = tuple(next(queue) if cell.order is not None else cell for cell in saved)
        found.append(Change("order", "cells ran in another order than they stand", ordered))
    executed = {cell.source for cell in ran}
    edited = {cell.cell_id for cell in ran}
    for at, cell in enumerate(saved):
        if cell.source not in executed and cell.cell_id not in edited:
            found.append(Change("added", f"cell {_short(cell)} never ran", (*saved[:at], *saved[at + 1 :])))
    return tuple(found)


def notebook_causes(lab: Lab, hidden: Sequence[HiddenState]) -> tuple[Cause, ...]:
    """Return which difference between the saved notebook and what ran keeps the numbers from coming back."""
    wanted = {state.source for state in hidden if state.source is not None}
    kinds = {state.kind for state in hidden}
    several = sorted(
        changes(lab.pack),
        key=lambda one: (
            not (wanted & set(one.orders) or (one.kind == "order" and "order" in kinds)),
            one.kind != "deleted",
        ),
    )
    found: list[Cause] = []
    for change in several:
        undone = replace(lab.conditions, cells=change.cells)
        doing = f"the notebook, undone: {change.kind}"
        if all(_as_was(lab, lab.run(doing, undone)) for _ in range(2)):
            names = sorted({state.name for state in hidden if state.source in change.orders})
            of = f" and gives {', '.join(names)}" if names else ""
            found.append(
                Cause(
                    f"notebook:{change.kind}",
                    confirmed=True,
                    sentence=f"the saved notebook does not give these numbers because {change.sentence}{of}: "
                    "with that alone undone they came back.",
                )
            )
            break
    if not found:
        found.append(
            Cause(
                "notebook:unknown",
                confirmed=False,
                sentence="the saved notebook does not give these numbers: cause not established.",
            )
        )
    return tuple(found)


def _as_was(lab: Lab, tried: Replayed | None) -> bool:
    return tried is not None and tried.agrees and not _apart(lab.pack.metrics, tried.metrics or {})


def machine_environment(python: str) -> rebuild.Rebuilt:
    """Return an interpreter that is there as if it had been rebuilt."""
    return rebuild.Rebuilt(python, warm=True)
