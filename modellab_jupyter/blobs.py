"""Bytes kept under their SHA-256: written to a temporary file, hashed on the way, moved into place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Container, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from modellab_jupyter.errors import DamagedError, InputError, NotFoundError

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fault(path: Path, digest: str) -> str | None:
    """Return what is wrong with a file that should have a digest, None where nothing is."""
    try:
        return None if file_digest(path) == digest else "has other bytes"
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"


def is_text(name: str) -> bool:
    """Tell whether a name that the operating system gave can be written as UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _damaged(digest: str, path: Path) -> DamagedError:
    return DamagedError(f"the stored bytes of {digest[:12]}… were changed or damaged; restore {path} from a copy.")


@dataclass(frozen=True)
class Damage:
    """Bytes that are not what was registered: whose they are, where they should lie, and what is wrong."""

    kind: str
    id: str
    name: str
    part: str  # of a folder the member, of a dataset the version and what of it
    digest: str
    path: str
    reason: str


@dataclass(frozen=True)
class Check:
    """What a check of bytes against digests found; true where nothing is damaged."""

    files: int
    size: int
    damaged: tuple[Damage, ...] = ()

    def __bool__(self) -> bool:
        return not self.damaged

    def __str__(self) -> str:
        lines = [f"{self.files} files of {self.size} bytes checked, {len(self.damaged) or 'none'} damaged"]
        lines += [f"{d.kind} {d.name!r} {d.id} {d.part}: {d.path} {d.reason}" for d in self.damaged]
        return "\n".join(lines)

    def frame(self) -> pd.DataFrame:
        """Return a row for each damage."""
        import pandas as pd

        names = [field.name for field in fields(Damage)]
        return pd.DataFrame([[getattr(one, name) for name in names] for one in self.damaged], columns=names)


class Blobs:
    """A folder of blobs; the same content is stored once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where the blob with this digest lies; it need not be there."""
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(f"digest must be 64 hexadecimal digits, found {digest[:80]!r}; take it from the store.")
        return self.folder / digest[:2] / digest[2:]

    def near(self, digest: str) -> Path:
        """Return the same; a store that is elsewhere brings the blob here first, where it has it."""
        return self.path(digest)

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        return self._put([data])

    def put_file(self, path: Path) -> str:
        """Store a file's bytes and return their digest."""
        with path.open("rb") as file:
            return self._put(iter(lambda: file.read(CHUNK), b""))

    def put_folder(self, folder: Path) -> tuple[str, int]:
        """Store every file below a folder; return the digest of the list of members, and their bytes in all.

        The list is a blob too: JSON, ``[{"path", "digest", "size"}]``, sorted by path. Links are refused.
        """
        files: list[tuple[str, Path]] = []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise InputError(
                    f"folder {folder.name!r} holds a link, {name!r}, which may point anywhere; replace it by a file."
                )
            if not is_text(name):
                raise InputError(f"folder {folder.name!r} holds {name!r}, whose name is no UTF-8; rename it.")
            if path.is_file():
                files.append((name, path))
        members = [{"path": name, "digest": self.put_file(path), "size": path.stat().st_size} for name, path in files]
        listing = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
        return self.put(listing), sum(int(str(m["size"])) for m in members)

    def get(self, digest: str) -> bytes:
        """Return a blob's bytes after checking them against the digest."""
        path = self.existing(digest)
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise _damaged(digest, path)
        return data

    def members(self, digest: str) -> list[dict[str, str | int]]:
        """Return the list of members of a stored folder."""
        members: list[dict[str, str | int]] = json.loads(self.get(digest))
        return members

    def existing(self, digest: str) -> Path:
        """Return the path of a blob that is there."""
        path = self.near(digest)
        if not path.is_file():
            raise NotFoundError(f"the stored bytes of {digest[:12]}… are missing; restore {path} from a copy.")
        return path

    def check(self, owned: Iterable[tuple[str, str, str, str, str, bool]]) -> Check:
        """Check blobs, each once: kind, id, name and part of whom one belongs to, digest, and whether a folder."""
        known: dict[str, str | None] = {}
        damaged: list[Damage] = []

        def look(kind: str, id_: str, name: str, part: str, digest: str) -> bool:
            path = self.near(digest)
            if digest not in known:
                known[digest] = fault(path, digest)
            reason = known[digest]
            if reason is not None:
                damaged.append(Damage(kind, id_, name, part, digest, str(path), reason))
            return reason is None

        for kind, id_, name, part, digest, folder in owned:
            if look(kind, id_, name, part, digest) and folder:
                for member in self.members(digest):
                    look(kind, id_, name, str(member["path"]), str(member["digest"]))
        sizes = [self.path(digest).stat().st_size for digest, reason in known.items() if reason is None]
        return Check(len(known), sum(sizes), tuple(damaged))

    def weigh(self, wanted: Container[str], before: float) -> tuple[int, int, int]:
        """Return how many blobs `discard` would remove, their bytes, and those of unwanted ones that are too young."""
        count = size = young = 0
        for path in self.folder.glob("*/*"):
            if path.parent.name + path.name not in wanted:
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    if stat.st_mtime < before:
                        count, size = count + 1, size + stat.st_size
                    else:
                        young += stat.st_size
        return count, size, young

    def export(self, digest: str, target: Path, *, folder: bool) -> Path:
        """Copy a blob, or every member of a stored folder, to `target`, which must not exist."""
        if target.exists():
            raise InputError(f"{str(target)!r} exists already; give a path that does not.")
        if not folder:
            copies = [(self._sound(digest), target)]
        else:
            root = target.resolve()
            copies = [(self._sound(str(m["digest"])), (root / str(m["path"])).resolve()) for m in self.members(digest)]
            for _, path in copies:
                if not path.is_relative_to(root):
                    raise DamagedError(
                        f"a stored folder names a member outside it, {str(path)!r}; nothing was written."
                    )
            root.mkdir(parents=True, exist_ok=True)
        for source, path in copies:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
        return target

    def discard(self, wanted: Container[str], before: float) -> tuple[int, int]:
        """Remove the blobs that are not `wanted` and were last put before a time; return how many and their bytes.

        A blob is moved aside first and looked at again, since another process may put it this moment.
        """
        for path in self.folder.glob(".*.aside"):  # of a process that was killed in between
            self._settle(path, path.name[1:-6], wanted, before)
        sizes = []
        for path in self.folder.glob("*/*"):
            digest = path.parent.name + path.name
            if digest in wanted:
                continue
            with contextlib.suppress(FileNotFoundError):  # somebody else empties the trash as well
                if path.stat().st_mtime < before:
                    aside = self.folder / f".{digest}.aside"
                    path.replace(aside)
                    sizes.append(self._settle(aside, digest, wanted, before))
        for path in self.folder.glob(".*.part"):  # of a process that was killed while it wrote
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if stat.st_mtime < before:
                    path.unlink()
                    sizes.append(stat.st_size)
        removed = [size for size in sizes if size is not None]
        return len(removed), sum(removed)

    def _settle(self, aside: Path, digest: str, wanted: Container[str], before: float) -> int | None:
        """Bring back a blob that was moved aside where it is wanted or was put meanwhile, else remove it."""
        stat = aside.stat()
        if digest in wanted or stat.st_mtime >= before:
            path = self.path(digest)
            path.parent.mkdir(exist_ok=True)
            aside.replace(path)
            return None
        aside.unlink()
        return stat.st_size

    def _sound(self, digest: str) -> Path:
        """Return the path of a blob that is there and whose bytes match its digest."""
        path = self.existing(digest)
        if file_digest(path) != digest:
            raise _damaged(digest, path)
        return path

    def _put(self, chunks: Iterable[bytes]) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{uuid.uuid4().hex}.part"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            path = self.path(digest.hexdigest())
            with contextlib.suppress(FileNotFoundError):  # not there, or taken away this moment
                if path.stat().st_size == temporary.stat().st_size and file_digest(path) == digest.hexdigest():
                    os.utime(path)  # young again, so that whoever empties the trash this moment leaves it
                    return digest.hexdigest()
            path.parent.mkdir(exist_ok=True)
            temporary.replace(path)
            return digest.hexdigest()
        finally:
            temporary.unlink(missing_ok=True)
