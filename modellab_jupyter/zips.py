"""Which names a file of an archive may have, so that it lands where it should on every system, and on no other's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

NAME: Final = 1000  # bytes of a whole name
PART: Final = 240  # bytes of what stands between two slashes

_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)\s*(?:\..*)?", re.IGNORECASE
)
_SPECIAL = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')


def fault(name: str) -> str | None:
    """Return what is wrong with a member's name, None where nothing is."""
    if not name or name.endswith("/"):
        return "is a folder or has no name"
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if "\\" in name:
        return "has a backslash in its name"
    parts = name.split("/")
    if ".." in parts:
        return "has a path that leads out of the folder"
    if "" in parts or "." in parts:
        return "has a path with empty parts"
    if _SPECIAL.search(name):
        return "has characters in its name that not every system allows"
    if any(_RESERVED.fullmatch(part) for part in parts):
        return "has a name that Windows keeps for a device"
    if any(part.endswith((".", " ")) or part.startswith(" ") for part in parts):
        return "has a part of its name that begins or ends with a space or ends with a dot"
    if len(name.encode()) > NAME or any(len(part.encode()) > PART for part in parts):
        return "has a name that is too long"
    return None


def folded(name: str) -> str:
    """Return a name as the least discerning file system sees it: one case, one form of each letter."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def clash(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first two names that some file system takes for one, or of which one is a folder of the other."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(folded(name), name)
        if other is not name:
            return other, name
    for name in seen.values():
        parts = name.split("/")
        for count in range(1, len(parts)):
            above = seen.get(folded("/".join(parts[:count])))
            if above is not None:
                return above, name
    return None


def safe(text: str) -> str:
    """Return a text as one part of a name that every system allows; a name that is allowed stays as it is."""
    kept = _SPECIAL.sub("_", text.replace("/", "_")).strip(" ").rstrip(". ") or "_"
    stem, dot, suffix = kept.rpartition(".") if len(kept.rpartition(".")[2]) < 16 else (kept, "", "")
    while len((stem + dot + suffix).encode()) > PART:
        stem = stem[:-1]
    kept = (stem + dot + suffix).rstrip(". ")
    return f"_{kept}" if _RESERVED.fullmatch(kept) or kept == ".." else kept
