"""Packs of runs: made, verified, reproduced, and each time kept with the run where this store knows it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from modellab_jupyter import journal, schema, session
from modellab_jupyter.errors import InputError, ModelLabError, tell
from modellab_jupyter.repro.records import MAX_DATA
from modellab_jupyter.schema import RunRecord
from modellab_jupyter.tracking import Run

if TYPE_CHECKING:
    from modellab_jupyter.repro.pack import Pack
    from modellab_jupyter.repro.records import Verdict
    from modellab_jupyter.widgets.saved import Page


def repro_pack(
    run: str | Run | RunRecord, path: str | os.PathLike[str] | None = None, *, max_data: int = MAX_DATA
) -> Pack:
    """Write a run to a ZIP that rebuilds its environment, checks its data, runs again and compares.

    Parameters
    ----------
    run : id, name or run
        One that has ended.
    path : path, optional
        A file, or a folder to write it into. Default: beside the notebook, named after the run and the pack.
    max_data : int
        Bytes of all data files together that go along, the smallest first; the others are listed with their digests.

    Returns
    -------
    Pack
        Its id, path and size, and what was removed or left out. The same recorded content, notebook as saved and
        answers of the package index give the same id. Secrets that only variables of a kernel hold are known there:
        pack from it.

    Raises
    ------
    NotFoundError
        There is no such run.
    InputError
        The run is still being recorded, or the file cannot be written.
    """
    from modellab_jupyter.repro.pack import pack_recorded
    from modellab_jupyter.repro.recorded import recorded

    run_id = run_id_of(run)
    pack = pack_recorded(recorded(run_id), path, max_data=max_data)
    _keep(run_id, pack.id, "made", pack.path, None)
    return pack


def verify_pack(path: str | os.PathLike[str]) -> Verdict:
    """Check a pack without running anything of it: its files against its manifest, this machine's packages and data.

    Raises
    ------
    InputError
        It is no pack, or one that was made to do harm.
    """
    from modellab_jupyter.repro.verify import verify_pack as verify

    verdict = verify(path)
    _keep(str(verdict.run.get("run_id", "")), verdict.pack_id, "verified", Path(path), verdict)
    return verdict


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
    """Rebuild a pack's environment, run its code again, and say whether its numbers came back.

    Parameters
    ----------
    path : path
        A pack, or the folder of one that was extracted.
    yes : bool
        Agree that the pack's code runs on this machine, with the rights of this user. Without it, somebody at a
        terminal or in a notebook is asked.
    data : mapping, optional
        Where files are that the pack does not hold: as the run named them -> here.
    directory : path, optional
        An empty folder in which everything is left that replays wrote. Default: a temporary one.
    timeout : float, optional
        Seconds that one replay may take. Default: twenty times what was recorded, at least a quarter of an hour.
    memory : int or str, optional
        Bytes that all processes of a replay may take together, or a text such as ``"4 GB"``. Default: nine tenths of
        the machine's.
    explain : bool
        Look for the cause where numbers differ, by further replays that change one thing each.
    offline : bool
        Take packages from uv's cache alone.

    Returns
    -------
    Verdict
        Print it to read it. A pack that is damaged is not run.

    Raises
    ------
    InputError
        An argument cannot be used, or nobody agreed; nothing was run then.
    DamagedError
        It is no pack, or what a replay needs cannot be read.
    """
    from modellab_jupyter.repro.reproduce import reproduce as again

    verdict = again(
        path, yes=yes, data=data, directory=directory, timeout=timeout, memory=memory, explain=explain, offline=offline
    )
    _keep(str(verdict.run.get("run_id", "")), verdict.pack_id, "reproduced", Path(path), verdict)
    return verdict


def page(verdict: Verdict) -> Page:
    """Return a verdict as a page for notebooks."""
    from modellab_jupyter.repro import words
    from modellab_jupyter.widgets import packed

    return packed.verdict(words.as_dict(verdict), words.text(verdict).partition("\n")[0])


def mapped(pairs: Iterable[str]) -> dict[str, str]:
    """Return ``PATH=HERE`` as a mapping, as `reproduce` takes it.

    Raises
    ------
    InputError
        There is no ``=`` in one of them.
    """
    found = {}
    for pair in pairs:
        recorded, sign, here = pair.partition("=")
        if not (recorded and sign and here):
            raise InputError(f"--data must be PATH=HERE, found {pair!r}; give the path that the run used and yours.")
        found[recorded] = here
    return found


def run_id_of(run: str | Run | RunRecord) -> str:
    """Return the id of a run that was given as itself, as its record, or by id or name."""
    if isinstance(run, Run):
        return run.id
    if isinstance(run, RunRecord):
        return run.run_id
    return session.current().store.resolve("run", run)


def _keep(
    run_id: str, pack_id: str, act: Literal["made", "verified", "reproduced"], path: Path, verdict: Verdict | None
) -> None:
    """Record what was done with a pack that this store made; any other, whatever run it names, leaves no trace here."""
    from modellab_jupyter.repro import words
    from modellab_jupyter.store import queries

    owner = session.current()
    try:
        if verdict is not None:
            made = owner.store.read(queries.packs, run_id)
            if (pack_id, "made") not in zip(*(made.column(n).to_pylist() for n in ("pack_id", "act")), strict=True):
                return
        owner.submit(
            schema.PackHandled(
                time=time.time_ns(), run_id=run_id, pack_id=pack_id, act=act, path=str(path.absolute()),
                size=path.stat().st_size if path.is_file() else 0, host=journal.host(),
                conclusion=None if verdict is None else verdict.conclusion,
                verdict=None if verdict is None else words.as_json(verdict),
            )
        )  # fmt: skip
    except (ModelLabError, OSError) as error:  # what was made or found is told all the same
        tell(f"that the pack was {act} could not be kept with its run: {error}", stacklevel=3)
