"""Chance, as it was: states of the global generators, and what generators without a seed took from the system.

Numbers that somebody draws are never other ones for being watched: a generator that has a seed is not touched, and
one that has none still gets what the operating system gives.
"""

from __future__ import annotations

import base64
import functools
import os
import random
import struct
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

from modellab_jupyter import imports, schema

ENTROPY = 32  # bytes that a generator of `random` gets where it has no seed
KEPT = 10_000  # draws of one cell that are kept; who draws more does so in a loop that no seed can be put into
STATES = 50  # states of one session that are kept at the starts of runs


class _Tap:
    """Whoever listens to the generators of this process."""

    listener: Randomness | None = None
    original = random.Random.seed


class Randomness:
    """Turns the states of global generators and drawn entropy into events.

    Parameters
    ----------
    session_id : str
    now : callable
        Returns the position of the cell that runs.
    write : callable
        Takes each event.
    """

    def __init__(
        self,
        session_id: str,
        now: Callable[[], int],
        write: Callable[[schema.RandomSeen | schema.EntropyDrawn], None],
    ) -> None:
        self._session_id = session_id
        self._now = now
        self.write = write
        self._lock = threading.RLock()
        self._drawn: dict[tuple[int, Literal["numpy", "random"]], list[str]] = {}
        self._counts: dict[str, int] = {"numpy": 0, "random": 0}
        self._last: tuple[Any, Any] | None = None
        self._states = 0

    def start(self) -> None:
        """Listen from now on; a second call changes nothing."""
        if _Tap.listener is self:
            return
        _Tap.listener = self
        if random.Random.seed is _Tap.original:
            bound = random.seed
            random.Random.seed = _seed  # type: ignore[method-assign]
            random.seed = random._inst.seed  # noqa: SLF001
            _replace_bound(bound, random.seed)
        imports.when("numpy.random", self._numpy)

    def stop(self) -> None:
        """Listen no longer."""
        self.flush()
        if _Tap.listener is not self:
            return
        _Tap.listener = None
        if random.Random.seed is _seed:
            bound = random.seed
            random.Random.seed = _Tap.original  # type: ignore[method-assign]
            random.seed = random._inst.seed  # noqa: SLF001
            _replace_bound(bound, random.seed)
        generator: Any = sys.modules.get("numpy.random.bit_generator")
        if generator is not None and hasattr(generator.randbits, "__wrapped__"):
            generator.randbits = generator.randbits.__wrapped__

    def note(self, moment: Literal["load", "numpy", "run"]) -> None:
        """Record the states as they are now; those that are the last ones again without their words."""
        states = _python(), _numpy()
        new = states != self._last
        if new and self._states >= STATES:
            return
        if new:
            self._last = states
            self._states += 1
        python, numpy = states if new else (None, None)
        self.write(
            schema.RandomSeen(
                time=time.time_ns(), session_id=self._session_id, position=self._now(), moment=moment,
                python=python, numpy=numpy,
            )
        )  # fmt: skip

    def drew(self, source: Literal["numpy", "random"], value: str) -> None:
        """Keep what a generator took, until its cell is over."""
        with self._lock:
            values = self._drawn.setdefault((self._now(), source), [])
            if len(values) < KEPT:
                values.append(value)

    def flush(self) -> None:
        """Record what was drawn."""
        if not self._drawn:
            return
        with self._lock:
            drawn, self._drawn = self._drawn, {}
            for (position, source), values in drawn.items():
                first = self._counts[source]
                self._counts[source] += len(values)
                self.write(
                    schema.EntropyDrawn(
                        time=time.time_ns(), session_id=self._session_id, position=position, source=source,
                        values=values, first=first,
                    )
                )  # fmt: skip

    def _numpy(self, _module: ModuleType) -> None:
        """Listen to NumPy from the moment in which its generators are there."""
        if _Tap.listener is not self:
            return
        generator: Any = sys.modules["numpy.random.bit_generator"]
        original = generator.randbits
        if not hasattr(original, "__wrapped__"):

            @functools.wraps(original)
            def randbits(k: int) -> int:
                value: int = original(k)
                if _Tap.listener is not None:
                    _Tap.listener.drew("numpy", f"{value:x}")
                return value

            generator.randbits = randbits
        if self._last is not None:
            self.note("numpy")


@functools.wraps(_Tap.original)
def _seed(self: random.Random, a: Any = None, version: int = 2) -> None:
    listener = _Tap.listener
    if a is None and listener is not None:
        drawn = os.urandom(ENTROPY)
        listener.drew("random", drawn.hex())
        a = int.from_bytes(drawn)
    _Tap.original(self, a, version)


def _replace_bound(old: Any, new: Any) -> None:
    """Give the user's own name for ``random.seed`` the function that holds now."""
    main = sys.modules.get("__main__")
    if main is not None and main.__dict__.get("seed") == old:
        main.__dict__["seed"] = new


def _python() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    return {"version": version, "state": _text(struct.pack(f"<{len(words)}I", *words)), "gauss": gauss}


def _numpy() -> dict[str, Any] | None:
    module: Any = sys.modules.get("numpy.random.mtrand")
    if module is None or not hasattr(module, "get_state"):
        return None
    return {name: _plain(value) for name, value in module.get_state(legacy=False).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if hasattr(value, "tobytes") and getattr(value, "shape", ()) != ():
        return {"dtype": value.dtype.newbyteorder("<").str, "bytes": _text(value.astype(value.dtype.newbyteorder("<")))}
    value = value.item() if hasattr(value, "item") else value
    return {"int": str(value)} if isinstance(value, int) and abs(value) >= 2**53 else value


def _text(data: Any) -> str:
    return base64.b64encode(memoryview(data).cast("B")).decode("ascii")


def state(python: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded state of ``random`` with its words as integers."""
    data = base64.b64decode(python["state"])
    return {**python, "state": list(struct.unpack(f"<{len(data) // 4}I", data))}


def numpy_state(value: Any) -> Any:
    """Return a recorded state of NumPy with lists for arrays and integers for what JSON does not hold exactly."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"int"}:
        return int(value["int"])
    if set(value) == {"dtype", "bytes"}:
        import numpy as np

        return np.frombuffer(base64.b64decode(value["bytes"]), dtype=value["dtype"]).tolist()
    return {name: numpy_state(inner) for name, inner in value.items()}


def _after_fork() -> None:
    """Leave a forked child alone: its draws are of no cell."""
    if _Tap.listener is not None:
        _Tap.listener._lock = threading.RLock()  # noqa: SLF001 - the same module
    _Tap.listener = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
