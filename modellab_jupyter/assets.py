"""Datasets and artifacts of the store, and the trash."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import data as data_
from modellab_jupyter import drift as drift_
from modellab_jupyter import objects, schema, session, tracking
from modellab_jupyter import summary as summary_
from modellab_jupyter.blobs import Check, Damage, fault, file_digest
from modellab_jupyter.collection import Collection, frame, restore
from modellab_jupyter.errors import InputError, NotFoundError, hint
from modellab_jupyter.store import queries

if TYPE_CHECKING:
    import pandas as pd

    from modellab_jupyter.store.bin import Contents


class Datasets(Collection[schema.DatasetRecord]):
    """Named sources and their exact contents."""

    kind = "dataset"

    def add(
        self,
        data: Any,
        name: str | None = None,
        project_id: str | None = None,
        description: str | None = None,
    ) -> schema.DatasetRecord:
        """Register a frame or a file; the same name with another content is another version of it.

        Parameters
        ----------
        data : DataFrame, or path of a file
        name : str, optional
            Default: the file's name without ending, ``"data"`` for a frame.
        project_id : str, optional
            Id or name; default: the project that was chosen by `configure`, or none.
        description : str, optional

        Raises
        ------
        InputError
            `data` is neither a frame nor a file that can be read.
        StoreError
            Nothing can be written beside the store.
        """
        if description is not None:
            self._check({"description": description})
        owner = session.current()
        if project_id is None and "project" in owner.chosen:
            project_id = owner.settings.project
        project = None if project_id is None else owner.project(project_id)
        owner.ready()
        event = data_.describe(data, name, owner.store.blobs, project_id=project, description=description)
        for first in owner.introduce(project) if project else []:
            owner.record(first)
        owner.submit(event)
        return self.get(event.dataset_id)

    def _check(self, fields: dict[str, Any]) -> None:
        super()._check(fields)
        if "project_id" in fields:
            fields["project_id"] = session.current().store.resolve("project", fields["project_id"])

    def list(self, project_id: str | None = None, *, trash: bool = False) -> pd.DataFrame:
        """Return datasets with their newest version, the most recent first."""
        store = session.current().store
        project = None if project_id is None else store.resolve("project", project_id)
        return frame(store.read(queries.datasets, project_id=project, trash=trash))

    def get(self, id: str) -> schema.DatasetRecord:  # noqa: A002
        """Return one dataset with all its versions and the runs that used each."""
        store = session.current().store
        found = store.resolve(self.kind, id, trash=True)
        row = store.read(
            queries.rows,
            """SELECT dataset_id, project_id, name, description, created_at, updated_at, deleted_at
            FROM datasets WHERE dataset_id = ?""",
            [found],
        )[0]
        versions = store.read(queries.versions, found)
        return schema.DatasetRecord(
            **row, versions=versions, digest=versions[-1]["digest"], version=versions[-1]["version"]
        )

    def preview(self, id: str, rows: int = 100, version: int | None = None) -> pd.DataFrame:  # noqa: A002
        """Return the first rows of a dataset, at most 100, as they were when it was registered."""
        import pandas as pd

        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
            raise InputError(f"rows must be a whole number of at least 0, found {rows!r}.")
        chosen = self._version(id, version)
        if chosen["preview"] is None:
            raise InputError(f"dataset {id!r} is no table, so it has no preview; its bytes are at {chosen['path']!r}.")
        return pd.read_parquet(io.BytesIO(session.current().store.blobs.get(chosen["preview"]))).head(rows)

    def summary(self, id: str, version: int | None = None) -> pd.DataFrame:  # noqa: A002
        """Return a row for each column: type, missing, distinct, mean, least, quartiles, greatest, most frequent."""
        chosen = self._version(id, version)
        if chosen["summary"] is None:
            raise InputError(f"version {chosen['version']} of dataset {id!r} has no summary; register its data again.")
        return summary_.decode(session.current().store.blobs.get(chosen["summary"])).frame()

    def drift(
        self,
        id: str,  # noqa: A002
        old: Any = None,
        new: Any = None,
        *,
        confidence_level: float = 0.95,
    ) -> drift_.Drift:
        """Tell what changed between versions: rows, columns, types, missing values, distributions; see `drift.compare`.

        Parameters
        ----------
        old, new : int, or DataFrame, or path of a table, optional
            Numbers of versions, or data in their place. Default: the current version as `new`, and as `old` the one
            that was registered before it.
        confidence_level : float
            Between 0 and 1; a change is one whose q-value is at most ``1 - confidence_level``.
        """
        if not isinstance(confidence_level, float) or not 0 < confidence_level < 1:
            raise InputError(f"confidence_level must be a number between 0 and 1, found {confidence_level!r}.")
        record = self.get(id)
        new = record.version if new is None else new
        if old is None:
            before = [one["version"] for one in record.versions if not isinstance(new, int) or one["version"] != new]
            if not before:
                raise InputError(f"dataset {id!r} has one version only; give what to compare it with as old=.")
            old = before[-1]
        blobs = session.current().store.blobs
        sides = [drift_.side(record.name, chosen, record.versions, blobs) for chosen in (old, new)]
        return drift_.compare(record.name, *sides, confidence_level=confidence_level)

    def verify_all(self) -> Check:
        """Check the files of the current versions, and what is kept of all versions, against their digests."""
        kept, damaged, files, size = [], [], 0, 0
        for id_ in self.list()["dataset_id"]:
            record = self.get(id_)
            for one in record.versions:
                kept += [
                    ("dataset", id_, record.name, f"version {one['version']}, {part}", one[part], False)
                    for part in ("preview", "summary")
                    if one[part]
                ]
            if one["path"] is not None:
                reason = fault(Path(one["path"]), one["digest"])
                part = f"version {one['version']}"
                if reason is not None:
                    damaged.append(Damage("dataset", id_, record.name, part, one["digest"], one["path"], reason))
                files, size = files + 1, size + (one["size"] or 0) * (reason is None)
        check = session.current().store.blobs.check(kept)
        return Check(check.files + files, check.size + size, (*damaged, *check.damaged))

    def verify(self, id: str, data: Any = None, version: int | None = None) -> dict[str, Any]:  # noqa: A002
        """Tell whether a dataset's file, or what is given as `data`, is the content that was registered.

        Parameters
        ----------
        data : DataFrame, or path of a file, optional
            A file that was registered is compared with a file by its bytes, and with a frame by the rows that it has.

        Returns
        -------
        dict
            ``intact`` (bool, or None where the rows of a file are gone, so that nobody knows whether a frame is the
            same), ``found`` (digest or None) and ``registered`` (digest), both of bytes or both of the table's content
            where that is known, ``reason`` (a sentence).
        """
        chosen = self._version(id, version)
        title = f"version {chosen['version']}"
        given = data_.given_file(data)
        if data is None and chosen["path"] is None:
            raise InputError(f"data must be given for {id!r}, which was registered from a frame and not from a file.")
        intact: bool | None
        if data is None or (given is not None and chosen["source"] != "frame"):
            path, registered = given or Path(chosen["path"]), chosen["digest"]
            found = file_digest(path) if path.is_file() else None
            intact = found == registered
        else:
            blobs = session.current().store.blobs
            old, new = (drift_.side(id, one, [chosen], blobs) for one in (chosen["version"], data))
            found, registered, intact = new.digest, old.digest, drift_.is_same(old, new)
        reason = (
            f"{chosen['path']} is not there any more"
            if found is None
            else f"whether this is the content of {title} is not known: its rows are gone, and their summary agrees"
            if intact is None
            else f"the content is that of {title}"
            if intact
            else f"the content differs from {title}"
        )
        return {"intact": intact, "found": found, "registered": registered, "reason": reason + "."}

    def _version(self, ref: str, version: int | None) -> dict[str, Any]:
        record = self.get(ref)
        for one in record.versions:
            if one["version"] == (record.version if version is None else version):
                return one
        raise data_.no_version(record.name, version, record.versions)


class Artifacts(Collection[schema.ArtifactRecord]):
    """Files and folders of runs."""

    kind = "artifact"

    def add(self, run_id: str, path_or_object: Any, name: str | None = None) -> schema.ArtifactRecord:
        """Keep a file, folder or object with a run that has ended; see `Run.log_artifact`."""
        owner = session.current()
        run = tracking.Run(owner, owner.store.resolve("run", run_id), run_id, "", None)
        artifact_id = run.log_artifact(path_or_object, name)
        owner.settle(wait=None)
        return self.get(artifact_id)

    def list(self, run_id: str | None = None, *, trash: bool = False) -> pd.DataFrame:
        """Return artifacts, the newest first."""
        store = session.current().store
        run = None if run_id is None else store.resolve("run", run_id)
        return frame(store.read(queries.artifacts, run_id=run, trash=trash))

    def get(self, id: str) -> schema.ArtifactRecord:  # noqa: A002
        """Return one artifact."""
        store = session.current().store
        found = store.read(
            queries.rows,
            """SELECT artifact_id, run_id, name, kind, digest, size, media_type, created_at, deleted_at
            FROM artifacts WHERE artifact_id = ?""",
            [store.resolve(self.kind, id, trash=True)],
        )
        return schema.ArtifactRecord(**found[0])

    def open(self, id: str) -> bytes:  # noqa: A002
        """Return a file's bytes, checked against their digest.

        Raises
        ------
        DamagedError
            The stored bytes were changed.
        """
        record = self.get(id)
        if record.kind == "folder":
            raise InputError(f"artifact {record.name!r} is a folder; copy it out with ml.artifacts.download(id, path).")
        return session.current().store.blobs.get(record.digest)

    def download(self, id: str, path: str | Path) -> Path:  # noqa: A002
        """Copy an artifact to a path that does not exist yet."""
        record = self.get(id)
        target = Path(path).expanduser()
        return session.current().store.blobs.export(record.digest, target, folder=record.kind == "folder")

    def load(self, id: str, *, trusted: str | Sequence[str] = ()) -> Any:  # noqa: A002
        """Return the object that was logged: JSON, table (as a pandas frame), array, text, or model.

        Nothing is ever unpickled. `trusted` names the types that a scikit-learn model may hold besides those known to
        be safe; the error of a model with others lists them.
        """
        record = self.get(id)
        return objects.load(self.open(id), record.name, record.media_type, trusted=trusted)

    def verify(self, *ids: str) -> Check:
        """Check stored bytes, of folders all of them, against their digests; all artifacts where none is named.

        The result is true where nothing is damaged, and else tells what is.
        """
        found = [self.get(id_) for id_ in ids] if ids else [self.get(id_) for id_ in self.list()["artifact_id"]]
        return session.current().store.blobs.check(
            ("artifact", one.artifact_id, one.name, "", one.digest, one.kind == "folder") for one in found
        )


class Trash:
    """What was deleted; emptying it is the only thing that destroys."""

    def list(self) -> pd.DataFrame:
        """Return what is in the trash: ``kind``, ``id``, ``name``, ``deleted_at``."""
        return frame(session.current().store.read(queries.trash))

    def restore(self, ref: str) -> None:
        """Bring back whatever goes by an id or a name."""
        ref = schema.text("ref", ref)
        inside = self.list()
        found = inside[(inside["id"] == ref) | (inside["name"] == ref)]
        if not len(found):
            known = [*inside["id"], *inside["name"]]
            raise NotFoundError(f"nothing in the trash goes by {ref!r}{hint(ref, known) or '.'}")
        kind, id_ = found["kind"].iloc[0], found["id"].iloc[0]
        restore(kind, [id_])

    def contents(self) -> Contents:
        """Return what `empty` would destroy, objects with all that go along, files and bytes; and what stays."""
        return session.current().store.in_trash()

    def empty(self) -> dict[str, int]:
        """Destroy what is in the trash, which `contents` tells; return how many objects, files and bytes went."""
        owner = session.current()
        count = sum(self.contents().objects.values())
        owner.store.ready()  # or nothing is destroyed at all
        owner.submit(schema.Purged(time=time.time_ns()))
        files, size = owner.store.collect()
        return {"objects": count, "files": files, "bytes": size}


datasets = Datasets()
artifacts = Artifacts()
trash = Trash()
