"""What to do when a module is imported, or was already; how a function is replaced wherever it is known."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_Seen = Callable[[ModuleType], None]


class _Finder:
    """First of the finders: finds what the others find, and calls who waits for it once it was executed."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[_Seen]] = {}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> Any:
        """Return what another finder says of a module that somebody waits for, None for all others."""
        if name not in self.waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                with suppress(AttributeError):  # a loader that takes no attributes is left alone
                    self._follow(name, spec)
                return spec
        return None

    def _follow(self, name: str, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            __tracebackhide__ = True
            del loader.exec_module  # it is again what it was
            execute(module)
            for seen in self.waiting.pop(name, []):
                _call(seen, module)

        loader.exec_module = exec_module


_finder = _Finder()


def when(name: str, seen: _Seen) -> None:
    """Call `seen` with a module: now where it was imported, else right after it is; its errors are nobody's."""
    module = sys.modules.get(name)
    if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
        _call(seen, module)
        return
    _finder.waiting.setdefault(name, []).append(seen)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def forget() -> None:
    """Wait for no module any more."""
    _finder.waiting.clear()
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _call(seen: _Seen, module: ModuleType) -> None:
    with suppress(Exception):  # a version that is built otherwise; nothing of it may break the user's import
        seen(module)


def replace(old: Any, new: Any, names: Sequence[str]) -> None:
    """Have every module that knows an object by one of the names know another in its place.

    Modules that are loaded on first use are not touched, since touching would load them.
    """
    for module in list(sys.modules.values()):
        if type(module) is not ModuleType:
            continue
        known = module.__dict__
        for name in names:
            if known.get(name) is old:
                known[name] = new


def restore(pairs: Mapping[str, Sequence[tuple[Any, Any]]]) -> None:
    """Have every module that knows what took a name's place know what was there before: name -> (new, old)."""
    for module in list(sys.modules.values()):
        if type(module) is not ModuleType:
            continue
        known = module.__dict__
        for name in pairs.keys() & known.keys():
            for new, old in pairs[name]:
                if known[name] is new:
                    known[name] = old
