"""What emptying the trash would destroy, told without destroying anything."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modellab_jupyter.errors import DamagedError, NotFoundError

if TYPE_CHECKING:
    import duckdb

    from modellab_jupyter.store import Store

YOUNG = 3600  # seconds in which a blob may belong to what is not in the store yet
# What outlives the trash, by the rules of `ingest`: a project takes its runs and datasets along, a run what it logged.
_LIVE = """
  bin AS (SELECT project_id FROM projects WHERE deleted_at IS NOT NULL),
  live_runs AS (SELECT run_id FROM runs WHERE deleted_at IS NULL AND project_id NOT IN (SELECT project_id FROM bin)),
  live_datasets AS (SELECT dataset_id FROM datasets WHERE deleted_at IS NULL
    AND (project_id IS NULL OR project_id NOT IN (SELECT project_id FROM bin))),
  kept_datasets AS (SELECT dataset_id FROM datasets WHERE dataset_id NOT IN (SELECT dataset_id FROM live_datasets)
    AND dataset_id IN (SELECT dataset_id FROM run_datasets WHERE run_id IN (SELECT run_id FROM live_runs))),
  live_artifacts AS (SELECT artifact_id, digest, kind FROM artifacts
    WHERE deleted_at IS NULL AND run_id IN (SELECT run_id FROM live_runs)),
  live_evaluations AS (SELECT evaluation_id, predictions, folder FROM evaluations
    WHERE deleted_at IS NULL AND run_id IN (SELECT run_id FROM live_runs))"""


@dataclass(frozen=True)
class Contents:
    """What emptying the trash destroys.

    Attributes
    ----------
    objects : dict of str to int
        Projects, datasets, runs, artifacts and evaluations, with those that go along with what holds them.
    files, size : int
        Files that nothing else needs, and their bytes.
    later : int
        Bytes that are too young to go now and go the next time.
    kept : int
        Datasets that stay in the trash, since runs outside it used them and would forget on what they worked.
    """

    objects: dict[str, int]
    files: int
    size: int
    later: int
    kept: int = 0

    def __bool__(self) -> bool:
        return bool(any(self.objects.values()) or self.files)

    def __str__(self) -> str:
        counts = ", ".join(f"{n} {kind}{'s' * (n != 1)}" for kind, n in self.objects.items() if n)
        files = f"{self.files} file{'s' * (self.files != 1)} of {self.size} bytes" if self.files else ""
        text = " and ".join(filter(None, [counts, files])) or "nothing"
        stay = (
            "1 dataset that runs outside the trash used stays"
            if self.kept == 1
            else (f"{self.kept} datasets that runs outside the trash used stay")
        )
        notes = [
            f"{self.later} bytes more when they are an hour old" * bool(self.later),
            f"{stay} in it" * bool(self.kept),
        ]
        return text + f" ({'; '.join(filter(None, notes))})" * any(notes)


def contents(store: Store) -> Contents:
    """Return what emptying the trash of a store destroys now."""
    objects, kept, wanted, listings, folders = store.read(look)
    then = time.time() - YOUNG
    try:
        for digest in listings:
            wanted |= {str(member["digest"]) for member in store.blobs.members(digest)}
    except (DamagedError, NotFoundError):  # then nobody can tell what belongs to it, and every blob stays
        files, size, later = 0, 0, 0
    else:
        files, size, later = store.blobs.weigh(wanted, then)
    for path in (store.files / "evaluations").glob("*"):
        if f"evaluations/{path.name}" not in folders and path.is_dir():
            weight = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
            old = path.stat().st_mtime < then
            files, size, later = files + old, size + weight * old, later + weight * (not old)
    return Contents(objects, files, size, later, kept)


def look(con: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], int, set[str], list[str], set[str]]:
    """Return what goes and what stays.

    Counts of objects that go; of datasets that stay in the trash; the digests that stay, those of folders' lists among
    them, and the evaluation folders that stay.
    """
    counts = con.execute(
        f"""WITH {_LIVE} SELECT
        (SELECT count(*) FROM bin),
        (SELECT count(*) FROM datasets) - (SELECT count(*) FROM live_datasets) - (SELECT count(*) FROM kept_datasets),
        (SELECT count(*) FROM runs) - (SELECT count(*) FROM live_runs),
        (SELECT count(*) FROM artifacts) - (SELECT count(*) FROM live_artifacts),
        (SELECT count(*) FROM evaluations) - (SELECT count(*) FROM live_evaluations),
        (SELECT count(*) FROM kept_datasets)"""
    ).fetchall()[0]
    wanted = con.execute(
        f"""WITH {_LIVE} SELECT digest, kind FROM live_artifacts
        UNION ALL SELECT predictions, '' FROM live_evaluations
        UNION ALL SELECT unnest([preview, summary]), '' FROM dataset_versions
          WHERE dataset_id IN (FROM live_datasets UNION ALL FROM kept_datasets)
        UNION ALL SELECT git_diff, '' FROM runs WHERE run_id IN (SELECT run_id FROM live_runs)"""
    ).fetchall()
    folders = con.execute(f"WITH {_LIVE} SELECT folder FROM live_evaluations").fetchall()
    names = ("project", "dataset", "run", "artifact", "evaluation")
    return (
        dict(zip(names, map(int, counts[:-1]), strict=True)),
        int(counts[-1]),
        {digest for digest, _ in wanted if digest},
        [digest for digest, kind in wanted if kind == "folder"],
        {folder for (folder,) in folders},
    )
