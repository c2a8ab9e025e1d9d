"""Packs as files: a ZIP of one canonical form out, and in again only what has that form to the last bit of its headers.

Members follow each other without a gap, sorted by name, with one date and one mode; sizes are known before the bytes;
nothing is encrypted, split, linked or commented. So a reader rebuilds each header from what it says and compares.
A pack's id is the SHA-256 of its manifest, which does not know how members are deflated: builds of zlib differ.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import pickle
import pickletools
import re
import struct
import sys
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from modellab_jupyter import zips
from modellab_jupyter.errors import DamagedError, InputError

MANIFEST: Final = "manifest.sha256"

# What a pack may be at most, made or read.
MEMBERS: Final = 20_000
SINGLE: Final = 2 << 30  # bytes of one member
TOTAL: Final = (4 << 30) - (1 << 20)  # bytes of all; no pack needs 64-bit fields
RATIO: Final = 200  # times that a member may be larger than what is stored of it, beyond the slack
SLACK: Final = 1 << 20
MANIFEST_BYTES: Final = 16 << 20
TEXT_BYTES: Final = 256 << 20  # of a member that is read whole into memory

CHUNK: Final = 1 << 20
LEVEL_LARGE: Final = 4 << 20  # from here on, speed counts for more than size

_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_STORED, _DEFLATED = 0, 8
_UTF8 = 0x800
_DATE = 0x21  # 1980-01-01, the first that a ZIP can say
_MODE = 0o100644 << 16
_UNIX = 3 << 8
_VERSION = 20

_PICKLED = re.compile(r"\.(pkl|pickle|pckl|joblib|dill|cloudpickle)(\.(gz|bz2|xz|lzma|zst))?$", re.IGNORECASE)
_RUNS = frozenset("Rboi\x81\x82\x83\x84\x92")  # what calls or sets something, or looks it up by a number
_LONG = {"T": 4, "X": 4, "B": 4, "\x8d": 8, "\x8e": 8, "\x96": 8}  # bytes that tell how many follow
_STARTS: Final = frozenset(ord(one.code) for one in pickletools.opcodes if not one.stack_before)
_LINED = {"INST", "GLOBAL", "INT", "LONG", "FLOAT", "STRING", "UNICODE", "PERSID"}  # lines follow
_QUOTED = re.compile(rb"""(['"]).*\1\n""")
_OWN_MODULES: Final = sys.stdlib_module_names | {
    "__builtin__",
    "copy_reg",
    "commands",
}  # the last three were Python 2's
_OPCODES: Final = {one.code: one for one in pickletools.opcodes}
HEAD: Final = 1 << 16  # bytes by which a pickle is known
_DEEP: Final = 5_000  # values one above another without a mark; Python nests no deeper


@dataclass(frozen=True)
class Entry:
    """One member as the ZIP tells it."""

    name: str
    method: int
    crc: int
    stored: int
    size: int
    offset: int

    def local(self) -> bytes:
        """Return the header before the member's bytes, as this package writes it."""
        raw = self.name.encode()
        return raw_local(self.method, self.crc, self.stored, self.size, len(raw)) + raw

    def central(self) -> bytes:
        """Return the member's line in the directory, as this package writes it."""
        raw = self.name.encode()
        return _CENTRAL.pack(
            b"PK\1\2", _UNIX | _VERSION, _VERSION, _UTF8, self.method, 0, _DATE, self.crc, self.stored, self.size,
            len(raw), 0, 0, 0, 0, _MODE, self.offset,
        ) + raw  # fmt: skip


def raw_local(method: int, crc: int, stored: int, size: int, length: int) -> bytes:
    """Return the fixed part of a local header."""
    return _LOCAL.pack(b"PK\3\4", _VERSION, _UTF8, method, 0, _DATE, crc, stored, size, length, 0)


def pickled(name: str, head: bytes, size: int | None = None) -> bool:
    """Tell whether a file is a pickle by its name or by its first `HEAD` bytes; no pack has one.

    Protocols 0 and 1 have no mark of their own, nor needs one who writes by hand any, and words look like opcodes. So
    what has none is read as Python would read it: the stack never lacks a value, and it ends and keeps a value in the
    memo or calls something, or calls something of Python's own before it breaks off. That a lone number or None makes
    no pickle here is no harm.

    Parameters
    ----------
    size : int, optional
        Bytes of the whole file; default: there are no others.
    """
    if _PICKLED.search(name) is not None:
        return True
    if head[:1] == b"\x80" and len(head) > 2:  # the mark and number of a protocol
        return head[1] <= pickle.HIGHEST_PROTOCOL and head[2] in _STARTS
    return _unheaded(head[:HEAD], len(head) if size is None else size)


def _unheaded(head: bytes, size: int) -> bool:
    """Tell whether bytes are a pickle without a mark, or begin as one where there are more of them."""
    file, stack, kept, runs = io.BytesIO(head), [0], False, False  # values above each mark
    texts: set[str] = set()  # that may name a module
    while True:
        at = file.tell()
        if at >= len(head):
            return at < size and (kept or runs)
        code = _OPCODES.get(chr(file.read(1)[0]))
        if code is None:
            return False
        try:
            value = _argument(code, file)
        except (ValueError, struct.error, IndexError):
            if size <= len(head):
                return False
            width = _LONG.get(code.code, 0)
            told = int.from_bytes(head[at + 1 : at + 1 + width], "little")
            return kept or runs or (width > 0 and len(head) - at < told + 1 + width <= size - at)
        if code.code == ".":
            alone = stack == [1] and not head[file.tell() :].strip()
            return stack[-1] > 0 and (runs or (kept and alone))
        if not _stacked(code, stack):
            return False
        kept = kept or (code.name in {"PUT", "BINPUT", "LONG_BINPUT"} and value in {0, 1})
        runs = runs or code.code in _RUNS
        if isinstance(value, str):
            texts.add(value.partition(".")[0])
        if code.code in _RUNS and not texts.isdisjoint(_OWN_MODULES):
            return True


def _argument(code: pickletools.OpcodeInfo, file: IO[bytes]) -> Any:
    """Read what follows an opcode: of lines the first as it stands, since decoding would warn of wrong escapes."""
    if code.arg is None:
        return None
    if code.name not in _LINED:
        return code.arg.reader(file)
    read = [file.readline() for _ in range(2 if code.name in {"GLOBAL", "INST"} else 1)]
    if not all(line.endswith(b"\n") for line in read):
        raise ValueError("no whole line")
    if code.name == "STRING" and not _QUOTED.fullmatch(read[0]):
        raise ValueError("no quotes")
    return read[0].strip(b"\n'\"").decode("utf-8", "replace")


def _stacked(code: pickletools.OpcodeInfo, stack: list[int]) -> bool:
    """Change a stack as an opcode does, and tell whether Python's has what it needs."""
    if code.name == "MARK":
        stack.append(0)
        return True
    before, after = list(code.stack_before), len(code.stack_after)
    if code.name == "POP" and stack[-1] == 0 and len(stack) > 1:
        stack.pop()
        return True
    if pickletools.markobject in before:
        if len(stack) == 1:
            return False
        stack.pop()
        before = before[: before.index(pickletools.markobject)]
    if stack[-1] < len(before):
        return False
    stack[-1] += after - len(before)
    return stack[-1] <= _DEEP or len(stack) > 1


# -- writing -----------------------------------------------------------------------------------------


Member = bytes | Path


def manifest(digests: Mapping[str, str]) -> bytes:
    """Return the manifest of members with these digests, as ``sha256sum`` writes one."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def pack_id(text: bytes) -> str:
    """Return the id of a pack whose manifest this is."""
    return hashlib.sha256(text).hexdigest()


def write(path: Path, members: Mapping[str, Member], digests: Mapping[str, str]) -> int:
    """Write a pack whole or not at all, in place of a file that is there; return its size.

    Parameters
    ----------
    members : mapping
        Name -> bytes, or the file that holds them.
    digests : mapping
        Name -> SHA-256 of every member; the manifest is made of them.

    Raises
    ------
    InputError
        A name or a size is one that no reader takes, or the folder cannot be written.
    DamagedError
        A file changed since its digest was taken.
    """
    whole: dict[str, Member] = {**members, MANIFEST: manifest(digests)}
    for name in whole:
        if wrong := zips.fault(name):
            raise InputError(f"the pack's member {name[:80]!r} {wrong}; nothing was written.")
    if pair := zips.clash(sorted(whole)):
        raise InputError(f"the pack's members {pair[0]!r} and {pair[1]!r} are one file on some systems; rename one.")
    if len(whole) > MEMBERS:
        raise InputError(f"a pack has at most {MEMBERS} files, found {len(whole)}; leave out data with max_data.")
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            entries = [_add(file, name, whole[name], digests.get(name)) for name in sorted(whole)]
            total = sum(entry.size for entry in entries)
            if total > TOTAL:
                raise InputError(f"a pack has at most {TOTAL >> 20} MiB, found {total >> 20}; leave out data.")
            began = file.tell()
            for entry in entries:
                file.write(entry.central())
            file.write(_end(len(entries), began, file.tell() - began))
            size = file.tell()
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"the pack cannot be written to {str(path)!r} ({error.strerror or error}); give another path."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return size


def stored(members: Mapping[str, bytes]) -> bytes:
    """Return an ordinary ZIP of members as they are: the same bytes on every Python, whatever zlib it has."""
    out = io.BytesIO()
    entries = [_put(out, io.BytesIO(members[name]), name, None, out.tell(), deflate=False) for name in sorted(members)]
    began = out.tell()
    for entry in entries:
        out.write(entry.central())
    out.write(_end(len(entries), began, out.tell() - began))
    return out.getvalue()


def _end(count: int, offset: int, size: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, size, offset, 0)


def _source(member: Member) -> IO[bytes]:
    return io.BytesIO(member) if isinstance(member, bytes) else member.open("rb")


def _add(file: IO[bytes], name: str, member: Member, digest: str | None) -> Entry:
    """Append a member, deflated where that makes it smaller and no reader would take it for a bomb."""
    offset = file.tell()
    with _source(member) as source:
        entry = _put(file, source, name, digest, offset, deflate=_worth(source))
        bomb = entry.size > SLACK and entry.size > RATIO // 2 * entry.stored
        if entry.method == _DEFLATED and (bomb or entry.stored >= entry.size):
            source.seek(0)
            file.seek(offset)
            file.truncate()
            entry = _put(file, source, name, digest, offset, deflate=False)
    return entry


def _worth(source: IO[bytes]) -> bool:
    """Tell by the first bytes whether a member is worth deflating; compressed formats are not."""
    head = source.read(1 << 16)
    source.seek(0)
    return len(zlib.compress(head, 1)) < 0.95 * len(head)


def _put(file: IO[bytes], source: IO[bytes], name: str, digest: str | None, offset: int, *, deflate: bool) -> Entry:
    file.write(Entry(name, 0, 0, 0, 0, 0).local())  # its place
    begin = file.tell()
    size, crc, sha, press = 0, 0, hashlib.sha256(), None
    while chunk := source.read(CHUNK):
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        sha.update(chunk)
        if deflate:
            press = press or zlib.compressobj(1 if len(chunk) == CHUNK else 6, zlib.DEFLATED, -15)
            chunk = press.compress(chunk)
        file.write(chunk)
    if press:
        file.write(press.flush())
    if digest is not None and sha.hexdigest() != digest:
        raise DamagedError(f"{name} changed while it was packed; nothing was written. Pack again.")
    if size > SINGLE or file.tell() > TOTAL:
        raise InputError(f"{name} makes the pack larger than {SINGLE >> 20} MiB a file or {TOTAL >> 20} in all.")
    end = file.tell()
    entry = Entry(name, _DEFLATED if press else _STORED, crc, end - begin, size, offset)
    file.seek(offset)
    file.write(entry.local())
    file.seek(end)
    return entry


# -- reading -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contents:
    """A pack whose structure and names were found harmless; a member's bytes are checked whenever they are read.

    Attributes
    ----------
    path : Path
        The file.
    id : str
        SHA-256 of the manifest.
    entries : dict
        Name -> `Entry`, sorted, the manifest included.
    digests : dict
        Name -> SHA-256 that the manifest tells.
    """

    path: Path
    id: str
    entries: dict[str, Entry] = field(repr=False)
    digests: dict[str, str] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Every member but the manifest, sorted."""
        return tuple(self.digests)

    def __contains__(self, name: object) -> bool:
        return name in self.digests

    def size(self, name: str) -> int:
        """Return the bytes of a member, unpacked."""
        return self.entries[name].size

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes in chunks; a difference from its digest is told after the last of them.

        Raises
        ------
        InputError
            There is no such member.
        DamagedError
            The bytes are not those of the manifest.
        """
        if name not in self.digests:
            raise InputError(f"{self.path.name} has no file {name!r}; it has {len(self.digests)} others.")
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            for chunk in _unpacked(file, self.entries[name], self.path):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != self.digests[name]:
            raise _damaged(self.path, name, "does not match its digest")

    def read(self, name: str, limit: int = TEXT_BYTES) -> bytes:
        """Return a member's bytes, at most `limit` of them."""
        if name in self.entries and self.entries[name].size > limit:
            raise _refuse(self.path, name, f"has more than {limit} bytes")
        return b"".join(self.stream(name))

    def json(self, name: str, limit: int = TEXT_BYTES) -> Any:
        """Return what a JSON member holds.

        Raises
        ------
        InputError
            It is no JSON, or so deep that reading it would break Python.
        """
        try:
            return json.loads(self.read(name, limit))
        except (ValueError, RecursionError) as error:
            raise _refuse(self.path, name, "is no JSON that can be read") from error

    def fault(self, name: str) -> str | None:
        """Return how a member is damaged, None where it is not."""
        try:
            for _ in self.stream(name):
                pass
        except DamagedError as error:
            return str(error)
        return None

    def extract(self, folder: Path, under: str = "") -> list[Path]:
        """Write the members below `under` to a folder that is empty or not there; return their paths.

        Raises
        ------
        InputError
            The folder holds something or cannot be written.
        DamagedError
            Bytes are not those of the manifest; what was written before is taken away again.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise InputError(f"folder must be empty, found files in {str(folder)!r}; give another.")
            return self._extract(folder, [name for name in (MANIFEST, *self.digests) if name.startswith(under)])
        except OSError as error:
            raise InputError(
                f"{self.path.name} cannot be unpacked to {str(folder)!r} ({error.strerror or error}); give another."
            ) from error

    def _extract(self, folder: Path, names: list[str]) -> list[Path]:
        written: list[Path] = []
        try:
            for name in names:
                target = folder.joinpath(*name.split("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:  # never through a link, never over another
                    written.append(target)
                    parts = [manifest(self.digests)] if name == MANIFEST else self.stream(name)
                    for part in parts:
                        file.write(part)
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            for path in sorted({p for w in written for p in w.parents if folder in p.parents}, reverse=True):
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise
        return written


def open_pack(path: str | os.PathLike[str]) -> Contents:
    """Open a pack from anybody; nothing of it is written and none of its code is run.

    Raises
    ------
    InputError
        It is not there, no pack, or made to do harm; the sentence names the member.
    DamagedError
        Its manifest does not name what it holds.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            entries = _directory(file, path)
            text = _small(file, entries, path)
            digests = _digests(text, entries, path)
            for entry in entries.values():
                _harmless(file, entry, path)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error.strerror or error}); give the path of a pack."
        ) from error
    return Contents(path, pack_id(text), entries, digests)


def _refuse(path: Path, name: str, reason: str) -> InputError:
    return InputError(f"{path.name} was refused: {shown(name)} {reason}; nothing was written. Ask for another pack.")


def _damaged(path: Path, name: str, reason: str) -> DamagedError:
    return DamagedError(f"{path.name} is damaged: {shown(name)} {reason}; copy it again.")


def shown(name: str) -> str:
    """Return a member's name as it may be shown in a sentence."""
    return ascii(name[:80]) if any(not c.isprintable() for c in name) else repr(name[:80])


def _no_pack(path: Path, reason: str) -> InputError:
    return InputError(f"{path.name} is no whole pack: {reason}; copy or make it again.")


def _directory(file: IO[bytes], path: Path) -> dict[str, Entry]:
    """Return the members after every header was found to be what this package writes."""
    size = file.seek(0, os.SEEK_END)
    if size < _END.size or size > TOTAL + (64 << 20):
        raise _no_pack(path, f"it has {size} bytes")
    file.seek(size - _END.size)
    raw = file.read(_END.size)
    mark, disk, first, here, count, length, offset, comment = _END.unpack(raw)
    if mark != b"PK\5\6" or comment:
        raise _no_pack(path, "it does not end as a ZIP does, is cut short, or something was added to its end")
    if disk or first or here != count:
        raise _no_pack(path, "it is one of several disks")
    if count == 0xFFFF or offset == 0xFFFFFFFF:
        raise _no_pack(path, "it needs 64-bit fields, which packs never do")
    if count > MEMBERS:
        raise InputError(f"{path.name} was refused: it has {count} files, more than {MEMBERS}; nothing was written.")
    if offset + length + _END.size != size or length < count * _CENTRAL.size:
        raise _no_pack(path, "its directory is not where it should be")
    file.seek(offset)
    entries = _listed(file.read(length), count, path)
    _laid(file, entries, offset, path)
    return {entry.name: entry for entry in entries}


def _listed(directory: bytes, count: int, path: Path) -> list[Entry]:
    """Return the members that a directory lists, each with a name and sizes that do no harm."""
    entries: list[Entry] = []
    at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size:
            raise _no_pack(path, "its directory is cut short")
        (mark, made, _, flags, method, _, _, crc, stored, size, length, extra, comment, disk, _, mode,
         offset) = _CENTRAL.unpack_from(directory, at)  # fmt: skip
        raw = directory[at + _CENTRAL.size : at + _CENTRAL.size + length]
        if mark != b"PK\1\2" or len(raw) != length:
            raise _no_pack(path, "its directory is damaged")
        try:
            name = raw.decode()
        except UnicodeDecodeError:
            name = raw.decode("utf-8", "backslashreplace")
            raise _refuse(path, name, "has a name that is no UTF-8") from None
        entry = Entry(name, method, crc, stored, size, offset)
        _allowed(entry, flags, disk, mode, made, path)
        line = directory[at : at + _CENTRAL.size + length + extra + comment]
        if line != entry.central() and name.startswith("tables/"):
            raise InputError(f"{path.name} is an export of a store and no pack; modellab import takes it in.")
        if line != entry.central():
            raise _refuse(path, name, "was not written by ModelLab (its line in the directory has other fields)")
        at += len(line)
        entries.append(entry)
    if at != len(directory):
        raise _no_pack(path, "its directory holds more than its members")
    _together(entries, path)
    return entries


def _allowed(entry: Entry, flags: int, disk: int, mode: int, made: int, path: Path) -> None:
    name = entry.name
    if wrong := zips.fault(name):
        raise _refuse(path, name, wrong)
    if flags & 0x2041:
        raise _refuse(path, name, "is encrypted")
    if disk:
        raise _refuse(path, name, "lies on another disk")
    kind = mode >> 16 & 0o170000
    if kind == 0o120000:
        raise _refuse(path, name, "is a link")
    if kind not in {0, 0o100000} or (made >> 8 in {0, 10} and mode & 0x10):
        raise _refuse(path, name, "is no ordinary file")
    if entry.method not in {_STORED, _DEFLATED}:
        raise _refuse(path, name, f"is compressed by method {entry.method}, which packs never are")
    if 0xFFFFFFFF in {entry.stored, entry.size, entry.offset}:
        raise _refuse(path, name, "needs 64-bit fields, which packs never do")
    if entry.method == _STORED and entry.stored != entry.size:
        raise _refuse(path, name, "claims another size than it has")
    if entry.size > SINGLE:
        raise _refuse(path, name, f"would unpack to more than {SINGLE >> 20} MiB")
    if entry.size > SLACK + RATIO * entry.stored:
        raise _refuse(path, name, f"would unpack to more than {RATIO} times its size")
    if pickled(name, b""):
        raise _refuse(path, name, "is a pickle by its name, which can run anything")


def _together(entries: list[Entry], path: Path) -> None:
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _refuse(path, twice, "is there twice")
    if pair := zips.clash(names):
        raise _refuse(path, pair[1], f"is the same file as {shown(pair[0])} on some systems")
    if (total := sum(entry.size for entry in entries)) > TOTAL:
        biggest = max(entries, key=lambda entry: entry.size).name
        raise _refuse(path, biggest, f"and the others would unpack to {total >> 20} MiB, more than {TOTAL >> 20}")
    if names != sorted(names):
        late = next(b for a, b in itertools.pairwise(names) if a > b)
        raise _refuse(path, late, "does not stand in the order of names")


def _laid(file: IO[bytes], entries: list[Entry], end: int, path: Path) -> None:
    """Check that members lie one after the other, each under a header that says what the directory says."""
    at = 0
    for entry in entries:
        expected = entry.local()
        if entry.offset != at:
            how = "overlaps another" if entry.offset < at else "leaves a gap before it"
            raise _refuse(path, entry.name, how)
        file.seek(at)
        if file.read(len(expected)) != expected:
            raise _refuse(path, entry.name, "has a header of its own that says something else than the directory")
        at += len(expected) + entry.stored
    if at != end:
        name = entries[-1].name if entries else MANIFEST
        raise _refuse(path, name, "is followed by something that is no member" if at < end else "reaches too far")


def _unpacked(file: IO[bytes], entry: Entry, path: Path) -> Iterator[bytes]:
    """Yield a member's bytes, never more than it says it has."""
    file.seek(entry.offset + len(entry.local()))
    left, given, crc = entry.stored, 0, 0
    press = zlib.decompressobj(-15) if entry.method == _DEFLATED else None
    pending = b""
    while left or pending:
        if not pending:
            pending = file.read(min(CHUNK, left))
            if not pending:
                raise _damaged(path, entry.name, "is cut short")
            left -= len(pending)
        if press is None:
            chunk, pending = pending, b""
        else:
            try:
                chunk = press.decompress(pending, CHUNK)
            except zlib.error as error:
                raise _damaged(path, entry.name, "cannot be unpacked") from error
            pending = press.unconsumed_tail
            if press.eof and (press.unused_data or pending or left):
                raise _damaged(path, entry.name, "has bytes behind its end")
        given += len(chunk)
        if given > entry.size:
            raise _damaged(path, entry.name, "unpacks to more than it says")
        crc = zlib.crc32(chunk, crc)
        if chunk:
            yield chunk
    if press is not None:
        while not press.eof:  # what the last bytes still hold
            chunk = press.decompress(b"", CHUNK)
            if not chunk:
                raise _damaged(path, entry.name, "is cut short")
            given += len(chunk)
            if given > entry.size:
                raise _damaged(path, entry.name, "unpacks to more than it says")
            crc = zlib.crc32(chunk, crc)
            yield chunk
    if given != entry.size or crc != entry.crc:
        raise _damaged(path, entry.name, "does not match its checksum")


def _small(file: IO[bytes], entries: dict[str, Entry], path: Path) -> bytes:
    entry = entries.get(MANIFEST)
    if entry is None:
        raise _no_pack(path, f"it has no {MANIFEST}")
    if entry.size > MANIFEST_BYTES:
        raise _refuse(path, MANIFEST, f"has more than {MANIFEST_BYTES >> 20} MiB")
    return b"".join(_unpacked(file, entry, path))


def _digests(text: bytes, entries: dict[str, Entry], path: Path) -> dict[str, str]:
    """Return what the manifest says, which must name every other member and nothing else."""
    digests: dict[str, str] = {}
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError:
        raise _damaged(path, MANIFEST, "is no UTF-8") from None
    for number, line in enumerate(lines[:-1], 1):
        found = re.fullmatch(r"([0-9a-f]{64})  ([^\n]+)", line)
        if found is None or found[2] in digests:
            raise _damaged(path, MANIFEST, f"cannot be read in line {number}")
        digests[found[2]] = found[1]
    if lines[-1] or list(digests) != sorted(digests):
        raise _damaged(path, MANIFEST, "is cut short or not sorted")
    for name in digests:
        if name not in entries or name == MANIFEST:
            raise _damaged(path, name, f"is named by {MANIFEST} and is not there")
    for name in entries:
        if name not in digests and name != MANIFEST:
            raise _damaged(path, name, f"is not named by {MANIFEST}")
    return digests


def _harmless(file: IO[bytes], entry: Entry, path: Path) -> None:
    head = b""
    with contextlib.suppress(DamagedError):  # told when it is read
        part = replace(entry, stored=min(entry.stored, HEAD + 4096))
        for chunk in _unpacked(file, part, path):
            head += chunk
            if len(head) >= HEAD:
                break
    if pickled("", head[:HEAD], entry.size):
        raise _refuse(path, entry.name, "is a pickle by its first bytes, which can run anything")
