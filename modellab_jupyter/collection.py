"""What the collections of a store have in common: get, change, trash, restore."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from modellab_jupyter import schema, session
from modellab_jupyter.errors import InputError, hint

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_Record = TypeVar("_Record")


def frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a pandas frame."""
    return cast("pd.DataFrame", table.to_pandas())


class Collection(Generic[_Record]):
    """What all five have in common."""

    kind: schema.Kind

    def __repr__(self) -> str:
        return f"<{self.kind}s of {session.current().settings.place}; .list() shows them>"

    def get(self, id: str) -> _Record:  # noqa: A002 - the contract's name
        """Return one of them, as a frozen record.

        Raises
        ------
        NotFoundError
            Nothing goes by that id or name.
        """
        raise NotImplementedError

    def update(self, id: str, **fields: Any) -> _Record:  # noqa: A002
        """Give fields other values and return the record as it stands then.

        Raises
        ------
        InputError
            A field cannot be set; nothing is changed then.
        """
        owner = session.current()
        found = owner.store.resolve(self.kind, id)
        self._check(fields)
        self._submit(schema.Changed(time=time.time_ns(), kind=self.kind, id=found, fields=fields) if fields else None)
        return self.get(found)

    def _check(self, fields: dict[str, Any]) -> None:
        from modellab_jupyter.store import ingest

        allowed = ingest.editable(self.kind)
        for name, value in list(fields.items()):
            if name not in allowed:
                near = hint(name, allowed) or f"; {', '.join(sorted(allowed))} can."
                raise InputError(f"field {name!r} of a {self.kind} cannot be set{near}")
            fields[name] = (
                schema.truth(name, value) if name == "baseline" else schema.text(name, value, empty=name != "name")
            )

    def _submit(self, event: schema.Event | None) -> None:
        if event is not None:
            session.current().submit(event)

    def delete(self, *ids: str) -> None:
        """Put some of them into the trash; `restore` brings them back, only emptying the trash destroys.

        Raises
        ------
        InputError
            Several have the name that is given; nothing goes into the trash then.
        """
        store = session.current().store
        found = [store.resolve(self.kind, ref, alone=True) for ref in ids]
        self._submit(schema.Trashed(time=time.time_ns(), kind=self.kind, ids=found) if found else None)

    def restore(self, *ids: str) -> None:
        """Bring some of them back from the trash.

        Raises
        ------
        InputError
            A project or dataset has the name of another that is not in the trash; nothing is brought back then.
        """
        store = session.current().store
        found = [store.resolve(self.kind, ref, trash_first=True) for ref in ids]
        if found:
            restore(self.kind, found)


def restore(kind: schema.Kind, ids: list[str]) -> None:
    """Bring objects back from the trash; raise InputError where a name would stand for two."""
    from modellab_jupyter.store import queries

    owner = session.current()
    taken = owner.store.read(queries.namesakes, kind, ids)
    if taken:
        raise InputError(
            f"{kind} {taken[0]!r:.80} cannot be brought back, since another has its name by now; "
            f"rename that one with ml.{kind}s.update(..., name=...) first."
        )
    owner.submit(schema.Restored(time=time.time_ns(), kind=kind, ids=ids))
