"""Bytes kept under their SHA-256: written to a temporary file, hashed on the way, moved into place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

from modellab_jupyter.errors import DamagedError, InputError, NotFoundError

CHUNK = 1 << 20


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Blobs:
    """A folder of blobs; the same content is stored once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where the blob with this digest lies; it need not be there."""
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(f"digest must be 64 hexadecimal digits, found {digest[:80]!r}; take it from the store.")
        return self.folder / digest[:2] / digest[2:]

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
        members = []
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise InputError(
                    f"folder {folder.name!r} holds a link, {path.name!r}, which may point anywhere; replace it by a file."
                )
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                members.append({"path": name, "digest": self.put_file(path), "size": path.stat().st_size})
        listing = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
        return self.put(listing), sum(int(str(m["size"])) for m in members)

    def get(self, digest: str) -> bytes:
        """Return a blob's bytes after checking them against the digest."""
        path = self.existing(digest)
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamagedError(
                f"the stored bytes of {digest[:12]}… were changed or damaged; restore {path} from a copy."
            )
        return data

    def members(self, digest: str) -> list[dict[str, str | int]]:
        """Return the list of members of a stored folder."""
        members: list[dict[str, str | int]] = json.loads(self.get(digest))
        return members

    def existing(self, digest: str) -> Path:
        """Return the path of a blob that is there."""
        path = self.path(digest)
        if not path.is_file():
            raise NotFoundError(f"the stored bytes of {digest[:12]}… are missing; restore {path} from a copy.")
        return path

    def is_intact(self, digest: str) -> bool:
        """Tell whether the blob is there and its bytes match its digest."""
        path = self.path(digest)
        return path.is_file() and file_digest(path) == digest

    def export(self, digest: str, target: Path, *, folder: bool) -> Path:
        """Copy a blob, or every member of a stored folder, to `target`, which must not exist."""
        if target.exists():
            raise InputError(f"{str(target)!r} exists already; give a path that does not.")
        if not folder:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.existing(digest), target)
            return target
        root = target.resolve()
        for member in self.members(digest):
            path = (root / str(member["path"])).resolve()
            if not path.is_relative_to(root):
                raise DamagedError(
                    f"a stored folder names a member outside it, {member['path']!r}; it was not written."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.existing(str(member["digest"])), path)
        root.mkdir(parents=True, exist_ok=True)
        return target

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
            if path.is_file() and path.stat().st_size == temporary.stat().st_size:
                return digest.hexdigest()
            path.parent.mkdir(exist_ok=True)
            temporary.replace(path)
            return digest.hexdigest()
        finally:
            temporary.unlink(missing_ok=True)
