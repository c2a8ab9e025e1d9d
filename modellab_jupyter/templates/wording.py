"""Small pieces of sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def count(n: int, one: str) -> str:
    """Return ``"1 row"`` or ``"1,200 rows"``."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def several(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
