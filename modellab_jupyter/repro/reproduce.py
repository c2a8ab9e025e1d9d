"""Reproducing a pack: open, agree, rebuild, replay, compare, explain."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from modellab_jupyter import config
from modellab_jupyter.errors import DamagedError, InputError, one_line, shown
from modellab_jupyter.progress import steps
from modellab_jupyter.repro import comparing, diagnosis, rebuild, replay, unpacked
from modellab_jupyter.repro.archive import open_pack
from modellab_jupyter.repro.diagnosis import Lab
from modellab_jupyter.repro.hidden import hidden_state
from modellab_jupyter.repro.records import Cause, Conclusion, HiddenState, Level, Verdict
from modellab_jupyter.repro.replay import Conditions, Limits, Place, Replayed
from modellab_jupyter.repro.unpacked import Cell, Unpacked
from modellab_jupyter.repro.wheels import canonical

_RESUMES = re.compile(r"\bresume\b")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)[bB]?\s*")


def reproduce(
    path: str | os.PathLike[str],
    *,
    yes: bool = False,
    data: Mapping[str, str | os.PathLike[str]] | None = None,
    directory: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    memory: int | str | None = None,
    explain: bool = True,
    offline: bool = False,
) -> Verdict:
    """Rebuild a pack's environment, run its code again and compare; see `packs.reproduce`."""
    limits = Limits(_seconds(timeout), _bytes(memory))
    place = Path(path) if isinstance(path, str | os.PathLike) else None
    if place is None or not place.exists():
        raise InputError(
            f"path must be a pack, found {shown(path)}, where nothing is; give the ZIP that repro_pack wrote."
        )
    if data is not None and not isinstance(data, Mapping):
        raise InputError(f"data must map recorded paths to paths here, found {type(data).__name__}; give a dict.")
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(_folder(place))
        except DamagedError as error:
            return _damaged(str(error))
        work = stack.enter_context(replay.temporary(None if directory is None else Path(directory)))
        return replayed(
            folder, work, agree=lambda pack: _agree(pack, yes=yes), data=data or {}, limits=limits, explain=explain,
            offline=offline, keep=directory is not None,
        )  # fmt: skip


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Give the folder of a pack: its own where it was extracted, else a temporary one."""
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="modellab-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve() / "pack"
        folder.mkdir()
        open_pack(path).extract(folder)
        yield folder


# -- arguments -----------------------------------------------------------------------------------------


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        raise InputError(f"timeout must be seconds above 0, found {shown(timeout)}; give a number such as 600.")
    return float(timeout)


def _bytes(memory: Any) -> int | None:
    if memory is None:
        return None
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    told = _SIZE.fullmatch(memory) if isinstance(memory, str) else None
    if told is None or float(told[1]) <= 0:
        raise InputError(f"memory must be bytes or a text such as '4 GB', found {shown(memory)}.")
    base = 1024 if told[3] else 1000
    return int(float(told[1]) * base ** " kMGT".index(told[2].replace("K", "k") or " "))


# -- consent -------------------------------------------------------------------------------------------


def plan(pack: Unpacked) -> str:
    """Say what reproducing a pack runs: how many cells or which script, and how many packages are installed."""
    count = len(pack.cells)
    runs = f"the script {one_line(pack.script)}" if pack.script else f"{count} cell" + ("" if count == 1 else "s")
    wanted = rebuild.requirements(pack)
    bare = sum(not one.hashes for one in wanted)
    installs = f"{len(wanted)} package" + ("" if len(wanted) == 1 else "s")
    installs += f", {bare} without a hash," if bare else ""
    return (
        f"reproducing run {str(pack.run.get('name'))!r} installs {installs} and runs {runs} of the pack "
        "with your rights"
    )


def _agree(pack: Unpacked, *, yes: bool) -> None:
    if yes is True:
        return
    what = plan(pack)
    how = "agree with yes=True in Python, or else with --yes"
    if not (config.in_kernel() or (sys.stdin is not None and sys.stdin.isatty())):
        raise InputError(f"{what}; {how}.")
    try:
        answer = input(f"{what[0].upper()}{what[1:]}. Go on? [y/N] ")
    except Exception as error:  # a notebook that runs without a person has an error of its own for this
        raise InputError(f"{what}; {how}.") from error
    if answer.strip().lower() not in {"y", "yes"}:
        raise InputError(f"{what}, which was declined; nothing was run.")


# -- the verdict ---------------------------------------------------------------------------------------


def replayed(
    folder: Path,
    work: Path,
    *,
    agree: Any = lambda _: None,
    data: Mapping[str, str | os.PathLike[str]] | None = None,
    limits: Limits | None = None,
    explain: bool = True,
    offline: bool = False,
    python: str | None = None,
    keep: bool = False,
) -> Verdict:
    """Reproduce a pack that lies extracted in a folder.

    Parameters
    ----------
    folder, work : path
        The pack, which stays as it is; an empty folder for everything that replays write.
    agree : callable
        Takes the pack, and raises where it may not be run.
    python : str, optional
        An interpreter to use in place of a rebuilt environment.
    keep : bool
        Leave what replays wrote in `work`.
    """
    began = time.perf_counter()
    limits = limits or Limits()
    broken = unpacked.damage(folder)
    if broken:
        name = broken[0]["member"]
        sentence = f"{len(broken)} of its files are not what its manifest says, first {name}; nothing was run."
        return _damaged(sentence, broken)
    pack = unpacked.read(folder)
    places = replay.find(pack, data or {})
    agree(pack)
    levels = [Level("manifest", holds=True, sentence="every file is what the manifest says.")]
    title = f"reproducing {pack.run.get('name')!r}"
    with steps(title, total=4 if pack.notebook else 3) as step, ExitStack() as stack:
        step("environment")
        if python is None:
            environment = rebuild.rebuild(pack, offline=offline, say=lambda what: step(one_line(what), 0))
            stack.callback(rebuild.discard, environment)
        else:
            environment = diagnosis.machine_environment(python)
        rows = _environment(pack, environment)
        levels += [_environment_level(pack, environment, rows), _data_level(pack, places)]
        built = time.perf_counter()
        step("replay")
        stuck = _stuck(pack, places, environment)
        if stuck is not None:
            levels += [
                Level("executions", holds=None, sentence=stuck),
                Level("metrics", holds=None, sentence="not compared."),
            ]
            return Verdict(pack.pack_id, pack.run, "unknown", tuple(levels), seconds={"environment": built - began})
        conditions = Conditions(
            python=environment.python, cells=None if pack.script else pack.cells, places=places,
            variables=replay.recorded_variables(pack),
        )  # fmt: skip
        first = work / "replay"
        first.mkdir()
        base = replay.run(pack, conditions, first, limits, say=lambda what: step(one_line(what), 0))
        if not keep:
            shutil.rmtree(first, ignore_errors=True)
        ran = time.perf_counter()
        compared = comparing.compare(pack.metrics, base.metrics or {})
        levels += [_executions_level(pack, base), _metrics_level(pack, base, compared)]
        conclusion = _conclusion(pack, base, compared)
        lab = Lab(
            pack, conditions, base, environment, work, limits, lambda what: step(one_line(what), 0), offline, keep
        )
        hidden = _hidden(pack)
        if pack.notebook is not None:
            step("notebook, top to bottom")
        level, off = _notebook_level(lab, conclusion, hidden, explain=explain)
        levels.append(level)
        causes: tuple[Cause, ...] = ()
        if explain:
            step("looking for causes")
            if conclusion in {"within", "differs", "failed"}:
                causes += diagnosis.causes(lab, rows)
            if off:
                causes += diagnosis.notebook_causes(lab, hidden)
    seconds = {"environment": built - began, "replay": ran - built, "explanation": time.perf_counter() - ran}
    return Verdict(pack.pack_id, pack.run, conclusion, tuple(levels), causes, hidden, seconds)


def _damaged(sentence: str, rows: list[dict[str, Any]] | None = None) -> Verdict:
    """Return the verdict on a pack of which nothing is believed, its name neither."""
    return Verdict("", {}, "damaged", (Level("manifest", holds=False, sentence=sentence, rows=rows or []),))


def _conclusion(pack: Unpacked, base: Replayed, rows: Sequence[comparing.Row]) -> Conclusion:
    """Return the word for a replay; numbers of one that ended otherwise are not looked at."""
    if (base.stopped is not None and base.limited) or _resumed(pack, base):
        return "unknown"
    if not base.agrees:
        return "failed"
    return comparing.worst(rows, recorded=len(pack.metrics))


def _stuck(pack: Unpacked, places: Sequence[Place], environment: rebuild.Rebuilt) -> str | None:
    """Return why a replay cannot even be tried, or None."""
    lost = [place.wanted.path for place in places if place.source is None and not place.wanted.optional]
    if lost:
        more = f" and {len(lost) - 1} more files" if len(lost) > 1 else ""
        return f"not tried, since {lost[0]}{more} that the run read cannot be had; give data={{{lost[0]!r}: path}}."
    if not pack.script and "ipykernel" not in rebuild.inventory(environment.python)[1]:
        return "not tried, since the rebuilt environment has no ipykernel, in which cells run."
    return None


def _environment(pack: Unpacked, environment: rebuild.Rebuilt) -> list[dict[str, Any]]:
    """Return what is not as it was: what could not be had, and what the rebuilt Python says of itself."""
    rows = rebuild.differences(pack, environment.python)
    known = {canonical(str(row["name"])): row for row in rows}
    for row in environment.rows:
        told = known.get(canonical(str(row["name"])))
        if told is None:
            rows.append(dict(row))
        else:
            told["note"] = told["note"] or row["note"]
    return rows


def _environment_level(pack: Unpacked, environment: rebuild.Rebuilt, rows: list[dict[str, Any]]) -> Level:
    locked = len(rebuild.requirements(pack))
    made = "as it was made before" if environment.warm else f"made in {environment.seconds:.0f} s"
    other = _platform(pack)
    beside = f" {other}" if other else ""
    if not rows:
        return Level(
            "environment", holds=True, sentence=f"Python and {locked} packages are as recorded, {made}.{beside}"
        )
    apart = [row for row in rows if row["kind"] == "editable" or row["recorded"] != row["found"]]
    told = apart or rows
    named = ", ".join(str(row["name"]) for row in told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
    if not apart:
        sentence = f"every version is as recorded, yet {named} may have other files, {made}.{beside}"
        return Level("environment", holds=None, sentence=sentence, rows=rows)
    rows = [*apart, *(row for row in rows if row not in apart)]
    return Level("environment", holds=False, sentence=f"{named} not as recorded.{beside}", rows=rows)


def _platform(pack: Unpacked) -> str:
    """Return what of the machine is another, which may change last bits and cannot be rebuilt."""
    import platform

    told = pack.platform
    pairs = [
        (name, told.get(name), here)
        for name, here in (("system", platform.system()), ("machine", platform.machine()))
        if told.get(name) and told[name] != here
    ]
    return (
        "The machine is another: " + ", ".join(f"{name} {was} → {now}" for name, was, now in pairs) + "."
        if pairs
        else ""
    )


def _data_level(pack: Unpacked, places: Sequence[Place]) -> Level:
    if not places:
        return Level("data", holds=True, sentence="the run read no files but those that it made.")
    rows = [
        {"path": place.wanted.path, "recorded": place.wanted.digest, "found": place.digest,
         "note": place.wanted.left_out or "" if place.source is None else _how(place)}
        for place in places
        if not place.same or place.moved
    ]  # fmt: skip
    wrong = [place for place in places if not place.same]
    if not wrong:
        moved = sum(place.moved for place in places)
        also = f", {moved} of them at another path, which was replaced in the code" if moved else ""
        text = pack.sources
        led = sum(bool(replay.outside(text, place.wanted)) for place in places)
        also += f", {led} of them copied to where .. and ~ lead in the replay" if led else ""
        return Level("data", holds=True, sentence=f"{_files(len(places))} what was read{also}.", rows=rows)
    if all(place.wanted.digest is None and place.source is not None for place in wrong):
        told = f"{len(wrong)} {'is' if len(wrong) == 1 else 'are'} there whose content was not recorded"
        sentence = f"of {len(places)} files, {told}."
        return Level("data", holds=None, sentence=sentence, rows=rows)
    lost = sum(place.source is None for place in wrong)
    parts = [f"{lost} cannot be had"] if lost else []
    other = len(wrong) - lost
    parts += [f"{other} {'has' if other == 1 else 'have'} other content"] if other else []
    return Level("data", holds=False, sentence=f"of {len(places)} files, {' and '.join(parts)}.", rows=rows)


def _files(count: int) -> str:
    return "the file is" if count == 1 else f"all {count} files are"


def _how(place: Place) -> str:
    how = {"given": "as given", "here": "at its own path", "pack": "from the pack"}[place.how]
    if place.digest is None and place.wanted.digest is not None:
        how += ", of another size"
    return f"{how}, path replaced in the code" if place.moved else how


def _resumed(pack: Unpacked, base: Replayed) -> bool:
    """Tell whether the code goes on with a run that the store of a replay, which is a new one, does not have."""
    wrong = next((outcome for outcome in base.outcomes if not outcome.agrees), None)
    if wrong is None or not (wrong.error or "").partition(":")[0].endswith("NotFoundError"):
        return False
    return _RESUMES.search(pack.sources if pack.script else wrong.source) is not None


def _executions_level(pack: Unpacked, base: Replayed) -> Level:
    rows = [
        {"cell": outcome.source[:80], "order": outcome.order, "recorded": outcome.was or outcome.recorded,
         "found": outcome.error or outcome.found}
        for outcome in base.outcomes
        if not outcome.agrees
    ]  # fmt: skip
    if _resumed(pack, base):
        sentence = "the code resumes a run that is not in the new store of a replay, so it cannot be replayed alone."
        return Level("executions", holds=None, sentence=sentence, rows=rows)
    if base.stopped:
        return Level("executions", holds=None if base.limited else False, sentence=base.stopped, rows=rows)
    if rows:
        return Level(
            "executions", holds=False, sentence=f"{len(rows)} ended otherwise: {rows[0]['found']}"[:300], rows=rows
        )
    either = sum(outcome.recorded in {"interrupted", "unknown"} for outcome in base.outcomes)
    also = f", of which {either} had no end that was recorded" if either else ""
    return Level("executions", holds=True, sentence=f"all {len(base.outcomes)} ended as they did{also}.")


def _metrics_level(pack: Unpacked, base: Replayed, compared: Sequence[comparing.Row]) -> Level:
    rows = [_strict(row) for row in compared]
    if base.metrics is None:
        sentence = f"the replay logged {base.runs} runs, none of which stands for the recorded one."
        return Level(
            "metrics", holds=False if pack.metrics else None, sentence=sentence, rows=rows if pack.metrics else []
        )
    if not pack.metrics:
        return Level("metrics", holds=None, sentence="none were recorded, so nothing can be compared.", rows=rows)
    count = {level: sum(row.level == level for row in compared) for level in {row.level for row in compared}}
    order = ("exact", "equal", "within", "differs", "missing", "additional")
    names = {"equal": "numerically equal", "within": "within their interval", "differs": "different"}
    said = ", ".join(f"{count[level]} {names.get(level, level)}" for level in order if level in count)
    worst = comparing.worst(compared, recorded=len(pack.metrics))
    whole = base.agrees and base.stopped is None
    holds = worst in {"exact", "equal"} if whole or worst not in {"exact", "equal"} else None
    return Level("metrics", holds=holds, sentence=f"{said}.", rows=rows)


def _strict(row: comparing.Row) -> dict[str, Any]:
    return {key: comparing.plain(value) if isinstance(value, float) else value for key, value in asdict(row).items()}


# -- the notebook as it was saved ----------------------------------------------------------------------


def _hidden(pack: Unpacked) -> tuple[HiddenState, ...]:
    """Return the variables that came from cells which the saved notebook does not have so."""
    if pack.notebook is None:
        return ()
    return tuple(hidden_state(pack.executions, [(cell.cell_id, cell.source) for cell in pack.notebook]))


def _notebook_level(lab: Lab, conclusion: str, hidden: Sequence[HiddenState], *, explain: bool) -> tuple[Level, bool]:
    """Return the level of the notebook as it was saved, and whether it fails where the replay did not."""
    pack, base = lab.pack, lab.base
    if pack.notebook is None:
        return Level(
            "notebook", holds=None, sentence="there is none; a script ran." if pack.script else "it was not saved."
        ), False
    rows = [{"name": state.name, "cell": state.order, "note": state.sentence} for state in hidden]
    if conclusion not in {"exact", "equal"}:
        return Level("notebook", holds=None, sentence="not asked, since the replay itself differs.", rows=rows), False
    saved = diagnosis.matched(pack)
    if _sources(saved) == _sources(pack.cells):
        return Level("notebook", holds=True, sentence="top to bottom it is what ran.", rows=rows), False
    if not explain:
        return Level("notebook", holds=None, sentence="it is not what ran; not tried.", rows=rows), False
    tried = lab.run("the notebook, top to bottom", replace(lab.conditions, cells=saved))
    if tried is None:
        return Level("notebook", holds=None, sentence="it did not run to its end.", rows=rows), False
    off = comparing.compare(base.metrics or {}, tried.metrics or {})
    apart = [row.metric for row in off if row.level not in {"exact", "equal"}]
    wrong = next((outcome for outcome in tried.outcomes if not outcome.agrees), None)
    if not apart and tried.agrees:
        return Level("notebook", holds=True, sentence="top to bottom it gives the same metrics.", rows=rows), False
    again = lab.third()
    if again is None or diagnosis.apart(base, again):
        return Level(
            "notebook", holds=None, sentence="not told, since replays differ among themselves.", rows=rows
        ), False
    if wrong is not None:
        sentence = f"top to bottom it ends with {wrong.error or wrong.found}."
    else:
        sentence = f"top to bottom it gives other metrics: {', '.join(apart[:3])}."
    return Level("notebook", holds=False, sentence=sentence[:300], rows=rows), True


def _sources(cells: Sequence[Cell]) -> list[str]:
    return [cell.source for cell in cells]


__all__ = ["plan", "replayed", "reproduce"]
