"""What runs before the first cell of a replay, inside the rebuilt Python: its text is copied there, whole.

It imports the standard library alone, since the environment may hold an older version of this package or none.
``python preamble.py CONFIG kernel -f CONNECTION`` becomes a kernel, ``python preamble.py CONFIG script PATH`` a script.

CONFIG is a JSON file: ``orders`` of the cells to come, with nested executions under ``parents``; ``states`` and
``draws`` as in ``state/rng.json``; ``frozen`` (of ``"clock"`` and ``"entropy"``); ``epoch`` in seconds, for the clock;
``store``, where results go whatever the code says; ``root``, below which the code lies; ``report``, the file that is
written at the end.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import importlib
import importlib.util
import itertools
import json
import os
import random
import runpy
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

# Whoever asks from one of these gets the real clock and real entropy: they keep the kernel alive.
_HOST = {
    "asyncio", "concurrent", "ipykernel", "jupyter_client", "logging", "modellab_jupyter", "queue", "selectors",
    "threading", "tornado", "zmq",
}  # fmt: skip
_CELL = 1.0  # seconds that a frozen clock goes on from one cell to the next, whatever happened in between
_TICK = 1e-5  # seconds that it goes on with each look, so that a loop that waits for it ends


class Replay:
    """Gives the code what was recorded, and notes what it asked for beyond that."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.orders: list[int | None] = list(config["orders"])
        self.parents = {int(k): v for k, v in config.get("parents", {}).items()}
        self.place = -1  # of the cell that runs, among `orders`
        self.depth = 0
        self.draws: dict[tuple[int, str], deque[int]] = {}
        for draw in config.get("draws", ()):
            order = int(draw["order"])
            while self.parents.get(order) is not None:  # an execution inside another one belongs to the outer
                order = self.parents[order]
            self.draws.setdefault((order, draw["source"]), deque()).append(int(draw["value"], 16))
        self.missing: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.inside = False
        self.states = [dict(state) for state in config.get("states", ())]
        self.clock = "clock" in config.get("frozen", ())
        self.entropy = "entropy" in config.get("frozen", ())
        self.looks: dict[int, int] = {}
        self.taken: dict[int, int] = {}

    # -- before the first cell ---------------------------------------------------------------------

    def begin(self) -> None:
        """Prepare everything that lasts for the whole replay."""
        if self.entropy:
            self._fix_entropy()
        self._recorder()
        has_numpy = importlib.util.find_spec("numpy") is not None
        if has_numpy:
            importlib.import_module("numpy")
        self._play(numpy=has_numpy)
        self._own_store()
        if not any(state["moment"] == "load" for state in self.states):
            self._restore_at_start_of_run()
        atexit.register(self.report)

    def report(self) -> None:
        """Write down what could not be given."""
        left = sum(map(len, self.draws.values()))
        text = json.dumps({"missing": self.missing, "unused": left, "problems": self.problems})
        Path(self.config["report"]).write_text(text, "utf-8")

    def _recorder(self) -> None:
        """Import what records entropy before it is replaced, so that it listens to nobody: else it would draw anew."""
        try:
            importlib.import_module("modellab_jupyter.randomness")
        except ImportError:
            pass
        except Exception as error:  # noqa: BLE001 - another version of a package may raise anything; it is told
            self.problems.append(f"recorded entropy may not be played: {error!r}")

    def _own_store(self) -> None:
        """Let results go to the replay's own store, whatever the code names."""
        if importlib.util.find_spec("modellab_jupyter") is None:
            return
        try:
            settings: Any = importlib.import_module("modellab_jupyter.config")
            choose, store = settings.settings, self.config["store"]

            @functools.wraps(choose)
            def own(*told: Any, **named: Any) -> Any:
                return choose(store, *told[1:], **{key: value for key, value in named.items() if key != "store"})

            settings.settings = own
        except Exception as error:  # noqa: BLE001 - another version of a package may raise anything; it is told
            self.problems.append(f"the store could not be fixed: {error!r}")

    # -- states ------------------------------------------------------------------------------------

    def restore(self, state: dict[str, Any]) -> None:
        """Put the global generators where they were."""
        try:
            told = state.get("python")
            if told:
                random.setstate((told["version"], tuple(told["state"]), told.get("gauss")))
            told = state.get("numpy")
            if told:
                numpy: Any = importlib.import_module("numpy.random")
                inner = dict(told["state"])
                if "key" in inner:
                    array: Any = importlib.import_module("numpy")
                    inner["key"] = array.asarray(inner["key"], dtype="uint32")
                numpy.set_state({**told, "state": inner})
        except Exception as error:  # noqa: BLE001 - another version of a package may raise anything; it is told
            self.problems.append(f"a random state could not be restored: {error!r}")

    def _restore_at_start_of_run(self) -> None:
        states = deque(state for state in self.states if state["moment"] == "run")
        if not states or importlib.util.find_spec("modellab_jupyter") is None:
            return
        try:
            tracking: Any = importlib.import_module("modellab_jupyter.tracking")
        except Exception as error:  # noqa: BLE001 - another version of a package may raise anything; it is told
            self.problems.append(f"the state at the start of the run could not be restored: {error!r}")
            return
        start = tracking.start_run

        @functools.wraps(start)
        def started(*args: Any, **kwargs: Any) -> Any:
            if states:
                self.restore(states.popleft())
            return start(*args, **kwargs)

        tracking.start_run = started

    # -- cells -------------------------------------------------------------------------------------

    def before(self, *_: Any) -> None:
        """Note that a cell begins; one inside another does not count."""
        self.depth += 1
        if self.depth > 1:
            return
        self.place += 1
        self.looks.clear()
        self.taken.clear()
        if self.place == 0:
            self.enter()
        order = self.orders[self.place] if self.place < len(self.orders) else None
        for state in self.states:
            if order is not None and int(state["order"]) == order:
                if state["moment"] == "load":
                    self.restore(state)
                elif state["moment"] == "numpy":
                    # Noted amid the cell, after draws of Python's own that come again by themselves.
                    self.restore({"numpy": state.get("numpy")})
        self.inside = True

    def after(self, *_: Any) -> None:
        """Note that a cell ended."""
        self.depth = max(0, self.depth - 1)
        if self.depth == 0:
            self.inside = False

    def enter(self) -> None:
        """Hold still what is to be; only now, so that the host has its own clock, and drew what it needs."""
        if self.entropy:
            random.seed(0)
            numpy: Any = sys.modules.get("numpy.random")
            if numpy is not None:
                numpy.seed(0)
        if self.clock:
            self._stop_clock()

    # -- entropy -----------------------------------------------------------------------------------

    def _next(self, source: str) -> int | None:
        """Return the entropy that a generator got here when it was recorded; note where there is none."""
        if not self.inside:
            return None
        order = self.orders[self.place] if 0 <= self.place < len(self.orders) else None
        queue = self.draws.get((-1 if order is None else order, source))
        if queue:
            return queue.popleft()
        self.missing.append({"order": order, "source": source})
        return None

    def _play(self, *, numpy: bool) -> None:
        if numpy:
            bits: Any = importlib.import_module("numpy.random.bit_generator")
            draw = bits.randbits

            def randbits(count: int) -> int:
                value = self._next("numpy")
                return draw(count) if value is None else value

            bits.randbits = randbits
        seed: Any = random.Random.seed

        @functools.wraps(seed)
        def seeded(generator: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None:
                a = self._next("random")
            if a is None and self.entropy:
                a = int.from_bytes(os.urandom(32), "big")
            seed(generator, a, version)

        module: Any = random
        module.Random.seed = seeded
        module.seed = module._inst.seed  # noqa: SLF001 - what the module's functions are of

    def _fix_entropy(self) -> None:
        """Give the same bytes in place of the operating system's to everybody but the host, in each cell anew."""
        real = os.urandom

        def bytes_of(size: int) -> bytes:
            if _asker(2) in _HOST:
                return real(size)
            thread = 0 if threading.current_thread() is threading.main_thread() else 1
            found = b""
            while len(found) < size:
                count = self.taken.get(thread, 0)
                self.taken[thread] = count + 1
                found += hashlib.sha256(f"{self.place} {thread} {count}".encode()).digest()
            return found[:size]

        os.urandom = bytes_of
        module: Any = random
        module._urandom = bytes_of  # noqa: SLF001 - bound before os.urandom was replaced
        uuid: Any = importlib.import_module("uuid")
        uuid.uuid1 = lambda *_args, **_kwargs: uuid.UUID(bytes=bytes_of(16), version=1)

    # -- clock -------------------------------------------------------------------------------------

    def _stop_clock(self) -> None:
        """Let every clock of Python tell the same on every replay: it goes on by looks and by cells, not by itself."""
        epoch = float(self.config.get("epoch") or 0.0)

        def now() -> float:
            thread = 0 if threading.current_thread() is threading.main_thread() else 1
            self.looks[thread] = self.looks.get(thread, 0) + 1
            return self.place * _CELL + self.looks[thread] * _TICK

        def instead(name: str, base: float, *, whole: bool) -> None:
            real = getattr(time, name)

            def look() -> Any:
                if _asker(2) in _HOST:
                    return real()
                return int((base + now()) * 1e9) if whole else base + now()

            setattr(time, name, look)

        for name, base in (
            ("time", epoch), ("perf_counter", 0.0), ("monotonic", 0.0), ("process_time", 0.0), ("thread_time", 0.0),
        ):  # fmt: skip
            instead(name, base, whole=False)
            instead(f"{name}_ns", base, whole=True)
        for name in ("localtime", "gmtime"):
            real = getattr(time, name)
            setattr(time, name, functools.partial(_broken_down, real, lambda: epoch + now()))
        datetime: Any = importlib.import_module("datetime")
        true = datetime.datetime

        class Meta(type(true)):  # type: ignore[misc]
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, true)

            def __subclasscheck__(cls, other: type) -> bool:
                return issubclass(other, true)

        class Frozen(true, metaclass=Meta):  # type: ignore[misc, valid-type]
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return true.fromtimestamp(epoch + now(), tz)

            @classmethod
            def utcnow(cls) -> Any:
                return true.fromtimestamp(epoch + now(), datetime.timezone.utc).replace(tzinfo=None)

            @classmethod
            def today(cls) -> Any:
                return true.fromtimestamp(epoch + now())

        Frozen.__name__ = Frozen.__qualname__ = "datetime"
        date = datetime.date

        class MetaDate(type(date)):  # type: ignore[misc]
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, date)

            def __subclasscheck__(cls, other: type) -> bool:
                return issubclass(other, date)

        class FrozenDate(date, metaclass=MetaDate):  # type: ignore[misc, valid-type]
            @classmethod
            def today(cls) -> Any:
                return date.fromtimestamp(epoch + now())

        FrozenDate.__name__ = FrozenDate.__qualname__ = "date"
        root = self.config["root"]

        def own(frozen: type, real: type) -> Any:
            return property(lambda _: frozen if _is_own(2, root) else real)

        class Module(type(datetime)):  # type: ignore[misc]
            """Gives the run's own code types that stand still, and libraries, compiled ones above all, the true."""

        Module.datetime, Module.date = own(Frozen, true), own(FrozenDate, date)
        datetime.__class__ = Module


def _broken_down(real: Any, seconds: Any, at: Any = None) -> Any:
    return real(seconds() if at is None else at)


def _is_own(depth: int, root: str) -> bool:
    """Tell whether the caller's caller is code of the run: a cell, the script, or a module beside them."""
    names = sys._getframe(depth).f_globals  # noqa: SLF001 - no other way to know
    return names.get("__name__") == "__main__" or str(names.get("__file__") or "").startswith(root)


def _asker(depth: int) -> str:
    """Return the top package of whoever called the caller."""
    try:
        name: str = sys._getframe(depth).f_globals.get("__name__", "")  # noqa: SLF001 - no other way to know
    except ValueError:
        return ""
    return name.partition(".")[0]


def main(argv: list[str]) -> None:
    """Become the kernel or the script."""
    config = json.loads(Path(argv[1]).read_text("utf-8"))
    del sys.path[0]  # the folder of this file
    for place in reversed(config.get("path", ())):
        sys.path.insert(0, place)
    replay = Replay(config)
    replay.begin()
    if argv[2] == "script":
        sys.argv = list(itertools.islice(argv, 3, None))
        sys.path.insert(0, str(Path(argv[3]).parent))
        replay.before()
        runpy.run_path(argv[3], run_name="__main__")
        return
    sys.argv = ["ipykernel_launcher", *argv[3:]]
    app: Any = importlib.import_module("ipykernel.kernelapp").IPKernelApp.instance()
    app.initialize(argv[3:])
    app.shell.events.register("pre_run_cell", replay.before)
    app.shell.events.register("post_run_cell", replay.after)
    app.start()


if __name__ == "__main__":
    main(sys.argv)
