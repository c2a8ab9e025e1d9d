"""Packs as files: the same bytes for the same content, and nothing hostile gets in."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import string
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modellab_jupyter import zips
from modellab_jupyter.errors import DamagedError, InputError, ModelLabError
from modellab_jupyter.repro import archive


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def made(path: Path, members: dict[str, bytes]) -> Path:
    archive.write(path, members, {name: digest(data) for name, data in members.items()})
    return path


PLAIN = {
    "code/executions.jsonl": b'{"order": 0}\n' * 40, "data/files/AB/CD": bytes(range(256)),
    "empty": b"", "params.json": b"{}\n",
}  # fmt: skip


@dataclass
class Piece:
    """A member of a ZIP that is built by hand, each field as hostile as wanted."""

    name: bytes
    data: bytes = b"x"
    method: int = 0
    flags: int = 0x800
    mode: int = 0o100644
    made: int = 3 << 8 | 20
    disk: int = 0
    attributes: int = 0
    size: int | None = None
    stored: int | None = None
    crc: int | None = None
    local: dict[str, object] = field(default_factory=dict)  # what its own header says instead
    extra: bytes = b""
    local_extra: bytes = b""
    raw: bytes | None = None  # what is stored
    gap: bytes = b""  # before it
    at: int | None = None  # where the directory says that it lies


def built(path: Path, pieces: list[Piece], *, listed: bool = True, manifest: bytes | None = None,
          order: bool = True, before: bytes = b"", after: bytes = b"", count: int | None = None,
          disks: tuple[int, int] = (0, 0), comment: bytes = b"", between: bytes = b"") -> Path:  # fmt: skip
    """Write a ZIP of pieces to a file, with a manifest that fits unless another is given."""
    if listed:
        lines = {piece.name: digest(piece.data) for piece in pieces}
        text = manifest if manifest is not None else b"".join(
            f"{lines[name]}  ".encode() + name + b"\n" for name in sorted(lines))  # fmt: skip
        pieces = [*pieces, Piece(archive.MANIFEST.encode(), text)]
    if order:
        pieces = sorted(pieces, key=lambda piece: piece.name)
    out, directory = bytearray(before), bytearray()
    for piece in pieces:
        out += piece.gap
        stored = piece.raw if piece.raw is not None else piece.data
        if piece.method == 8 and piece.raw is None:
            press = zlib.compressobj(9, zlib.DEFLATED, -15)
            stored = press.compress(piece.data) + press.flush()
        said = {
            "flags": piece.flags, "method": piece.method, "name": piece.name,
            "crc": zlib.crc32(piece.data) if piece.crc is None else piece.crc,
            "stored": len(stored) if piece.stored is None else piece.stored,
            "size": len(piece.data) if piece.size is None else piece.size,
        }  # fmt: skip
        own = {**said, **piece.local}
        offset = len(out) if piece.at is None else piece.at
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, own["flags"], own["method"], 0, 0x21, own["crc"],
                           own["stored"], own["size"], len(own["name"]), len(piece.local_extra))  # fmt: skip
        out += own["name"] + piece.local_extra + stored
        mode = piece.mode << 16 | piece.attributes
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", piece.made, 20, said["flags"], said["method"], 0, 0x21,
                                 said["crc"], said["stored"], said["size"], len(piece.name), len(piece.extra), 0,
                                 piece.disk, 0, mode, offset) + piece.name + piece.extra  # fmt: skip
    out += between
    number = len(pieces) if count is None else count
    end = struct.pack("<4s4H2LH", b"PK\5\6", *disks, number, number, len(directory), len(out), len(comment))
    path.write_bytes(bytes(out + directory + end + comment) + after)
    return path


def one(name: str | bytes, **said: object) -> Callable[[Path], Path]:
    raw = name if isinstance(name, bytes) else name.encode()
    return lambda path: built(path, [Piece(b"a.txt"), Piece(raw, **said)])


def two(first: str, second: str) -> Callable[[Path], Path]:
    return lambda path: built(path, [Piece(first.encode()), Piece(second.encode())])


def overlapping(path: Path) -> Path:
    """One member lies inside another, as in a bomb of quoted members."""
    inner = Piece(b"b.txt", b"y" * 50)
    head = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0x800, 0, 0, 0x21, zlib.crc32(inner.data), 50, 50, 5, 0)
    outer = Piece(b"a.txt", head + b"b.txt" + inner.data)
    return built(path, [outer, Piece(b"b.txt", inner.data, at=35)])


def bomb(path: Path) -> Path:
    return built(path, [Piece(b"a.txt", bytes(30_000_000), method=8)])


def liar(path: Path) -> Path:
    """The bytes unpack to far more than the headers say."""
    press = zlib.compressobj(9, zlib.DEFLATED, -15)
    return built(path, [Piece(b"a.txt", b"x", method=8, raw=press.compress(bytes(50_000_000)) + press.flush())])


def many(path: Path) -> Path:
    return built(path, [Piece(f"{i:06}".encode(), b"") for i in range(archive.MEMBERS)])


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "out of the folder": (one("../evil"), "leads out"),
    "out from inside": (one("code/../../evil"), "leads out"),
    "absolute": (one("/etc/evil"), "absolute"),
    "drive": (one("C:/evil"), "absolute"),
    "drive without slash": (one("C:evil"), "absolute"),
    "share": (one("\\\\host\\evil"), "absolute"),
    "backslash": (one("code\\..\\evil"), "backslash"),
    "stream of NTFS": (one("a:evil"), "absolute"),
    "stream of NTFS below": (one("code/name.py:evil"), "characters"),
    "NUL": (one("evil\0.txt"), "characters"),
    "newline": (one("evil\nx"), "characters"),
    "text turned around": (one("evil\u202etxt.exe"), "characters"),
    "question mark": (one("evil?"), "characters"),
    "no UTF-8": (one(b"evil\xff"), "no UTF-8"),
    "no name": (one(b""), "no name"),
    "folder": (one("evil/", data=b""), "folder"),
    "dots": (one("code/./evil"), "empty parts"),
    "two slashes": (one("code//evil"), "empty parts"),
    "Windows device": (one("code/AUX.py"), "Windows"),
    "Windows port": (one("com1"), "Windows"),
    "Windows superscript": (one("LPT².txt"), "Windows"),
    "dot at the end": (one("evil."), "ends with a dot"),
    "space at the end": (one("evil /x"), "space"),
    "long name": (one("e" * 241), "too long"),
    "long path": (one("/".join(["evil"] * 400)), "too long"),
    "link": (one("evil", mode=0o120777), "link"),
    "pipe": (one("evil", mode=0o010644), "no ordinary file"),
    "device": (one("evil", mode=0o020644), "no ordinary file"),
    "socket": (one("evil", mode=0o140644), "no ordinary file"),
    "folder by its mode": (one("evil", mode=0o040755), "no ordinary file"),
    "folder of DOS": (one("evil", made=20, mode=0, attributes=0x10), "no ordinary file"),
    "runs": (one("evil", mode=0o104755), "other fields"),
    "encrypted": (one("evil", flags=0x801), "encrypted"),
    "strongly encrypted": (one("evil", flags=0x841), "encrypted"),
    "hidden headers": (one("evil", flags=0x2800), "encrypted"),
    "sizes behind": (one("evil", flags=0x808), "other fields"),
    "another disk": (one("evil", disk=1), "another disk"),
    "several disks": (lambda p: built(p, [Piece(b"a")], disks=(1, 0)), "several disks"),
    "bzip2": (one("evil", method=12), "method 12"),
    "64-bit size": (one("evil", size=0xFFFFFFFF), "64-bit"),
    "64-bit count": (lambda p: built(p, [Piece(b"a")], count=0xFFFF), "64-bit"),
    "another name inside": (one("evil", extra=struct.pack("<HH9s", 0x7075, 9, b"\1abcdevil")), "other fields"),
    "extra of its own header": (one("evil", local_extra=b"\1\0\0\0"), "header of its own"),
    "another name in its header": (one("evil", local={"name": b"good"}), "header of its own"),
    "another size in its header": (one("evil", local={"size": 2}), "header of its own"),
    "another method in its header": (one("evil", local={"method": 8}), "header of its own"),
    "another checksum in its header": (one("evil", local={"crc": 1}), "header of its own"),
    "stored larger": (one("evil", size=5_000_000), "another size"),
    "twice": (two("evil", "evil"), "twice"),
    "case": (two("Evil", "evil"), "same file"),
    "sharp s": (two("evil/stra\u00dfe", "evil/STRASSE"), "same file"),
    "forms of a letter": (two("evil\u00e9", "evile\u0301"), "same file"),
    "forms of a digit": (two("evil2", "evil\u00b2"), "same file"),
    "file and folder": (two("evil", "evil/a"), "same file"),
    "file and folder, by case": (two("EVIL", "evil/a"), "same file"),
    "overlap": (overlapping, "overlaps"),
    "same place": (lambda p: built(p, [Piece(b"a"), Piece(b"b", at=0)]), "overlaps"),
    "gap": (lambda p: built(p, [Piece(b"a"), Piece(b"b", gap=b"PK\3\4 hidden")]), "gap"),
    "something before": (lambda p: built(p, [Piece(b"a")], before=b"#!/bin/sh\n"), "gap"),
    "something between": (lambda p: built(p, [Piece(b"a")], between=b"hidden"), "no member"),
    "something behind": (lambda p: built(p, [Piece(b"a")], after=b"hidden"), "added to its end"),
    "comment": (lambda p: built(p, [Piece(b"a")], comment=b"PK\5\6"), "no whole pack"),
    "not in order": (lambda p: built(p, [Piece(b"b"), Piece(b"a")], order=False), "order"),
    "bomb": (bomb, "200 times"),
    "bomb that lies": (liar, "200 times|more than it says"),
    "huge": (one("evil", method=8, size=archive.SINGLE + 1), "2048 MiB"),
    "many": (many, "20001 files"),
    "fewer than counted": (lambda p: built(p, [Piece(b"a")], count=3), "directory"),
    "more than counted": (lambda p: built(p, [Piece(b"a")], count=1), "more than its members"),
    "pickle by name": (one("evil.pkl"), "pickle by its name"),
    "joblib by name": (one("evil.joblib.gz"), "pickle by its name"),
    **{
        f"pickle of protocol {n}": (one("evil", data=pickle.dumps({"a": [1]}, n)), "pickle by its first bytes")
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "pickle that runs": (one("evil", data=b"cos\nsystem\n(S'id'\ntR."), "pickle by its first bytes"),
    "no manifest": (lambda p: built(p, [Piece(b"a")], listed=False), "has no manifest"),
    "manifest is empty": (lambda p: built(p, [Piece(b"a")], manifest=b""), "not named"),
    "manifest names more": (
        lambda p: built(p, [Piece(b"a")], manifest=b"%s  a\n%s  b\n" % (digest(b"x").encode(), b"0" * 64)), "not there",
    ),
    "manifest names itself": (
        lambda p: built(p, [Piece(b"a")], manifest=b"%064d  a\n%064d  manifest.sha256\n" % (0, 0)), "not there",
    ),
    "manifest names one twice": (lambda p: built(p, [Piece(b"a")], manifest=(b"0" * 64 + b"  a\n") * 2), "line 2"),
    "manifest of something else": (lambda p: built(p, [Piece(b"a")], manifest=b"[1]\n"), "line 1"),
    "manifest of no text": (lambda p: built(p, [Piece(b"a")], manifest=b"\xff\n"), "no UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_pack_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    """What was made to do harm is refused when it is opened, with the reason, and nothing is written."""
    make, reason = HOSTILE[kind]
    path = make(tmp_path / "evil.zip")
    with pytest.raises((InputError, DamagedError), match=reason) as error:
        archive.open_pack(path).extract(tmp_path / "out")  # some only unpacking tells
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("evil.zip ")
    assert str(error.value).endswith(".")
    if "evil" in kind:
        assert "evil" in str(error.value)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_what_is_built_by_hand_is_a_pack_where_nothing_is_hostile(tmp_path: Path) -> None:
    """The hostile ones are refused for what they do: the same builder makes packs that open."""
    path = built(tmp_path / "a.zip", [Piece(b"a.txt", b"x" * 100, method=8), Piece(b"b", b"y")])
    pack = archive.open_pack(path)
    assert pack.read("a.txt") == b"x" * 100
    assert pack.fault("b") is None


def test_other_programs_zips_are_no_packs(tmp_path: Path) -> None:
    """A ZIP by another program, an empty file, a folder and nothing at all are refused in one sentence."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("manifest.sha256", "")
    (tmp_path / "b.zip").write_bytes(b"")
    for name in ("a.zip", "b.zip", ".", "gone.zip"):
        with pytest.raises(InputError) as error:
            archive.open_pack(tmp_path / name)
        assert "\n" not in str(error.value)


def test_a_pack_comes_back_as_it_went_in(tmp_path: Path) -> None:
    """Every member is read and unpacked as it was; other programs can read the ZIP too."""
    pack = archive.open_pack(made(tmp_path / "a.zip", PLAIN))
    assert {name: pack.read(name) for name in pack.names} == PLAIN
    with zipfile.ZipFile(pack.path) as other:
        assert other.testzip() is None
        assert other.read(archive.MANIFEST) == archive.manifest(pack.digests)
        assert set(other.namelist()) == {*PLAIN, archive.MANIFEST}
    assert pack.id == digest(archive.manifest({n: digest(d) for n, d in PLAIN.items()}))
    pack.extract(tmp_path / "out")
    found = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()
    }
    assert found == {**PLAIN, archive.MANIFEST: archive.manifest(pack.digests)}
    with pytest.raises(InputError, match="must be empty"):
        pack.extract(tmp_path / "out")


def test_a_part_is_unpacked_alone(tmp_path: Path) -> None:
    """Members below a folder of the pack can be had without the others."""
    pack = archive.open_pack(made(tmp_path / "a.zip", PLAIN))
    assert [p.name for p in pack.extract(tmp_path / "out", "code/")] == ["executions.jsonl"]


def test_a_damaged_pack_leaves_nothing_behind(tmp_path: Path) -> None:
    """Bytes that are not those of the manifest are told with the member, and what was unpacked before is gone."""
    path = made(tmp_path / "a.zip", PLAIN)
    raw = bytearray(path.read_bytes())
    raw[raw.index(bytes(range(256))) + 5] ^= 1
    path.write_bytes(raw)
    pack = archive.open_pack(path)
    with pytest.raises(DamagedError, match="data/files/AB/CD"):
        pack.extract(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*"))
    assert pack.fault("data/files/AB/CD")
    assert pack.fault("params.json") is None


def test_no_flipped_bit_goes_unseen(tmp_path: Path) -> None:
    """With one bit turned, a pack is refused, is found damaged, or holds what it held."""
    path = made(tmp_path / "a.zip", {"a.txt": b"abc" * 40, "b": bytes(range(40))})
    raw = path.read_bytes()
    same = 0
    for bit in range(len(raw) * 8):
        turned = bytearray(raw)
        turned[bit // 8] ^= 1 << bit % 8
        path.write_bytes(turned)
        try:
            pack = archive.open_pack(path)
            assert {name: pack.read(name) for name in pack.names} == {"a.txt": b"abc" * 40, "b": bytes(range(40))}
            same += 1
        except ModelLabError:
            pass
    assert same < 8  # the bits behind the last of a deflated member mean nothing


def test_no_cut_pack_opens(tmp_path: Path) -> None:
    """A pack that was cut anywhere is refused."""
    path = made(tmp_path / "a.zip", PLAIN)
    raw = path.read_bytes()
    for size in range(0, len(raw), 7):
        path.write_bytes(raw[:size])
        with pytest.raises(InputError):
            archive.open_pack(path)


names = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).map(zips.safe), min_size=1, max_size=3
).map("/".join)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.binary(max_size=300) | st.sampled_from([b"ab" * 5000, bytes(2_000_000)]), max_size=6))
def test_the_same_content_makes_the_same_pack(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes]
) -> None:
    """Whatever is in it and in whatever order it is given, a pack has the same bytes and opens again."""
    members = {name: data for name, data in members.items() if not archive.pickled(name, data)}
    folder = tmp_path_factory.mktemp("p")
    if archive.MANIFEST in map(zips.folded, members) or zips.clash(sorted(members)):
        return
    one, other = made(folder / "1.zip", members), made(folder / "2.zip", dict(reversed(members.items())))
    assert one.read_bytes() == other.read_bytes()
    pack = archive.open_pack(one)
    assert {name: pack.read(name) for name in pack.names} == members


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_any_text_becomes_a_name_that_every_system_allows(text: str) -> None:
    """A made-safe name has no fault, and a name without fault stays as it is."""
    safe = zips.safe(text)
    assert zips.fault(safe) is None, safe
    if zips.fault(text) is None and "/" not in text:
        assert safe == text


def test_an_id_does_not_know_how_members_are_deflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another level, as another build of zlib, gives other bytes and the same id."""
    one = made(tmp_path / "1.zip", PLAIN)
    other = built(
        tmp_path / "2.zip", [Piece(n.encode(), d, method=8 if n.startswith("d") else 0) for n, d in PLAIN.items()]
    )
    assert one.read_bytes() != other.read_bytes()
    assert archive.open_pack(one).id == archive.open_pack(other).id


def test_nothing_half_is_left_behind(tmp_path: Path) -> None:
    """A file that changed while it was packed, or a name that no reader takes, leaves the old pack as it was."""
    path = made(tmp_path / "a.zip", PLAIN)
    before = path.read_bytes()
    with pytest.raises(DamagedError, match="changed while"):
        archive.write(path, {"a": b"1"}, {"a": digest(b"2")})
    for name in ("../a", "CON", "a\\b"):
        with pytest.raises(InputError):
            archive.write(path, {name: b""}, {name: digest(b"")})
    with pytest.raises(InputError, match="one file"):
        archive.write(path, {"a": b"", "A": b""}, {"a": digest(b""), "A": digest(b"")})
    with pytest.raises(InputError, match="cannot be written"):
        archive.write(tmp_path / "no" / "a.zip", {}, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_packed_without_being_held(tmp_path: Path) -> None:
    """Bytes come from memory or from a file alike."""
    file = tmp_path / "f"
    file.write_bytes(b"q" * 3_000_000 + os.urandom(10))
    held = made(tmp_path / "1.zip", {"f": file.read_bytes()})
    archive.write(tmp_path / "2.zip", {"f": file}, {"f": digest(file.read_bytes())})
    assert held.read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert io.BytesIO(archive.open_pack(held).read("f")).read() == file.read_bytes()


words = st.lists(
    st.lists(st.text(string.ascii_letters + string.digits + " .-_'()[]", max_size=12), min_size=1, max_size=4),
    min_size=1, max_size=9,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(words, st.sampled_from([",", ";", "\t"]), st.integers(1, 3))
def test_plain_tables_and_words_are_no_pickles(rows: list[list[str]], between: str, times: int) -> None:
    """Lines of words and numbers are data whatever letters they begin with, short or longer than what is looked at."""
    text = "".join(between.join(row) + "\n" for row in rows).encode() * times
    assert not archive.pickled("rows.csv", text)
    assert not archive.pickled("rows.csv", text * (archive.HEAD // len(text) + 1), 1 << 20)


@pytest.mark.parametrize(
    "text",
    [b"city\nBerlin\nParis\n", b"cat\ndog\n", b"cat\ndog\n.\n", b"class\nsetosa\nversicolor\n", b"I\n1\n.5\n", b"N.",
     b"Vienna\n.", b"(a)\n", b"", b"import os\n", b"c\n" * 40_000, b"Paris\n" * 20_000, b"V1,V2" * 20_000],
)  # fmt: skip
def test_words_that_are_opcodes_are_no_pickles(text: bytes) -> None:
    """Tables whose first letters all say something to a reader of pickles are still tables."""
    assert not archive.pickled("rows.csv", text[: archive.HEAD], len(text))


RUNNING = {
    "protocol 0, said": b"\x80\x00cbuiltins\nprint\n(tR.",
    "protocol 1, said": b"\x80\x01cbuiltins\nprint\n(tR.",
    "a protocol said twice": b"\x80\x02\x80\x02cbuiltins\nprint\n(tR.",
    "a protocol said late": b"cbuiltins\nprint\n\x80\x02(tR.",
    "begins with text": b"\x80\x03Vx\n0cbuiltins\nprint\n(tR.",
    "begins with a string": b"\x80\x02S'x'\n0cbuiltins\nprint\n(tR.",
    "begins with a float": b"\x80\x04F1\n0cbuiltins\nprint\n(tR.",
    "new opcodes alone": b"\x8c\x08builtins\x8c\x05print\x93(tR.",
    "true first": b"\x880cbuiltins\nprint\n(tR.",
    "a long first": b"\x8a\x01\x010cbuiltins\nprint\n(tR.",
    "a number by its base": b"I0x10\n0cbuiltins\nprint\n(tR.",
    "values below": b"NNNcbuiltins\nprint\n(tR.",
    "nothing left": b"cbuiltins\nprint\n(tR0",
    "broken off": b"cbuiltins\nprint\n(tR0\xff",
    "a string that is none": b"cbuiltins\nprint\n(tR0S'\xff'",
    "an instance": b"(ibuiltins\nprint\n.",
    "an object": b"(cbuiltins\nprint\no.",
}


@pytest.mark.parametrize("kind", RUNNING)
def test_a_pickle_by_hand_is_known_before_it_runs(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What Python would run is a pickle, whatever its writer left out or broke behind it."""
    data = RUNNING[kind]
    with contextlib.suppress(pickle.UnpicklingError, EOFError, UnicodeDecodeError, IndexError):
        pickle.loads(data)
    assert capsys.readouterr().out == "\n"  # it does run

    assert archive.pickled("model.bin", data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"P", b"c", b"i", b"S", b"S'", b"V", b"PK\3\4"]), st.binary(max_size=40), st.binary(max_size=9))
@example(b"PK\3\4", b"\\M\n", b"")
def test_bytes_of_any_kind_are_judged_without_a_word(begin: bytes, line: bytes, more: bytes) -> None:
    """A file may look like a pickle with a wrong escape, as some wheels do; nobody is warned of it."""
    head = begin + line + b"\n" + more
    assert archive.pickled("tool.whl", head) in {True, False}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    | st.tuples(inner, inner), max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(plain, st.sampled_from(range(pickle.HIGHEST_PROTOCOL + 1)))
def test_real_pickles_are_known_in_every_protocol(value: object, protocol: int) -> None:
    """Lists, dicts, texts, objects of classes, long or short, are pickles by their first bytes."""
    for held in ([value], {"k": value}, (value, "x"), Path("x"), [value] * 20_000, ["abc"] * 40_000, "x" * 100_000):
        data = pickle.dumps(held, protocol)
        if held == "x" * 100_000 and protocol == 0:  # a line without an end
            continue
        assert archive.pickled("x", data[: archive.HEAD], len(data)), data[:60]
