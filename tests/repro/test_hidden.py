# ruff: noqa: E501 - cells in one line
"""Hidden state is named where there is some, and nowhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modellab_jupyter.repro.hidden import hidden_state
from modellab_jupyter.repro.records import Execution

NOTEBOOKS = {
    "ordinary": [
        "%matplotlib inline\nimport numpy as np, os.path\nfrom collections import Counter as C",
        "def area(r, k=2):\n    half = r / 2\n    return scale(half) * k * np.pi\n\nscale = lambda v: v * factor",
        "factor = 3\nrows = [area(r) for r in range(3) if r]\nprint(rows, __name__, C(rows), os.path.sep)",
        "total = 0\nfor i, row in enumerate(rows):\n    total += row\nelse:\n    last = i\nprint(total, last, i)",
        "with open('x') as file, open('y') as other:\n    text = file.read()\ntry:\n    import nothing\nexcept ImportError as e:\n    nothing = None\nprint(text, other, nothing)",
        "class Model:\n    depth = 3\n    half = depth // 2\n    def fit(self, X, rows=rows):\n        self.seen = helper(X)\n        return self\n    @staticmethod\n    def of(): return Model()\n",
        "def helper(x):\n    global calls\n    calls = 1\n    return len(x)\nmodel = Model().fit([1])\nmodel.seen += 1\ncalls",
        "a, (b, *rest) = 1, (2, 3, 4)\nif (n := len(rest)) > 1:\n    print(n, a, b)\nd = {k: v for k, v in zip('ab', rest)}\nd['c'] = d['a']\nd",
        "match d:\n    case {'a': one, **more}:\n        print(one, more)\n    case [first, *others] as whole:\n        print(first, others, whole)",
        "%%time\nslow = sum(rest)",
        "!echo {slow} $total\nfiles = !ls\nprint(files, _, _i, In, Out, _12)",
        "%timeit -n 1 sum(rest)\nx = %time slow + 1\nprint(x)",
        "display(model); get_ipython()\nsorted(rest, key=lambda v: v * undefined_unless_called)",
        "if False:\n    print(never_made)\nprint(x if x else never_made_either)",
        "del a\na = 2\nprint(a)",
        "async def later(): return await other_thing()\nresults = []\nresults.append(slow)\nresults",
    ],
    "star": ["from math import *", "print(sin(pi))"],
    "twins": ["x = 1", "print(x)", "x = 2", "print(x)", "x = 1", "print(x)"],
    "broken": ["x = (", "x = 1", "print(x"],
    "shell": ["%%bash\necho $HOME", "%%writefile a.py\nprint(unknown)", "%%html\n<b>{bold}</b>"],
    "magics": ["%%modellab run fit --log acc\nacc = 1", "%modellab log acc", "%%capture out\nprint(acc)", "out.show()",
               "%%modellab sql --into runs\nSELECT 1", "runs"],
    "unicode": ["größe = 1\nℌ = 2", "print(größe, ℌ)"],
}  # fmt: skip


def executed(cells, outcomes=None):
    """Return executions of (id, source) pairs in this order."""
    return [
        Execution(i, "s", source, "ok" if outcomes is None else outcomes[i], cell_id=id_, execution_count=i + 1)
        for i, (id_, source) in enumerate(cells)
    ]


def named(sources, *, ids=True):
    return [(f"c{i}" if ids else None, source) for i, source in enumerate(sources)]


def found(runs, notebook):
    return [(one.kind, one.name, one.order, one.source) for one in hidden_state(runs, notebook)]


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_run_from_top_to_bottom_hides_nothing(name: str, ids: bool) -> None:
    """Ordinary cells with scopes, magics, shells, star imports and twins give no false alarm."""
    cells = named(NOTEBOOKS[name], ids=ids)
    assert found(executed(cells), cells) == []
    assert found(executed(cells, ["error"] * len(cells)), cells) == []


STATEMENTS = st.sampled_from([
    "{a} = {b}", "{a} = 1", "{a} += {b}", "{a}, {b} = {b}, 1", "{a} = [{b} for {b} in range(3)]", "{a}[0] = {b}",
    "def {a}(v):\n    return {b} + v", "class {a}:\n    v = {b}\n    def m(self): return {c}", "for {a} in {b}:\n    {c} = {a}",
    "{a} = lambda {b}: {b} + {c}", "import {a}", "print({a}, {b})", "{a}({b})", "{a}.append({b})", "%time {a} = {b}",
    "if {a}:\n    {b} = 1\nelse:\n    {c} = {b}", "try:\n    {a}\nexcept Exception as {b}:\n    {c} = 1",
    "def {a}():\n    global {b}\n    {b} = {c}", "{a}()", "with {a} as {b}:\n    {c}", "while {a}:\n    {a} = {b}",
])  # fmt: skip
NAMES = st.sampled_from(["x", "y", "z", "f", "g"])
LINES = st.builds(lambda s, a, b, c: s.format(a=a, b=b, c=c), STATEMENTS, NAMES, NAMES, NAMES)
CELLS = st.lists(st.lists(LINES, min_size=1, max_size=3).map("\n".join), min_size=1, max_size=8)


@settings(max_examples=400, deadline=None)
@given(CELLS, st.booleans())
def test_any_notebook_run_once_from_top_to_bottom_hides_nothing_that_a_cell_made(sources: list[str], ids: bool) -> None:
    """Whatever cells bind and use, in their own order each use has the maker that the notebook gives it."""
    first = "x, y, z, f, g = [], [], [], print, print"
    cells = named([first, *sources], ids=ids)
    assert found(executed(cells), cells) == []


@settings(max_examples=300, deadline=None)
@given(CELLS, st.integers(0, 7), NAMES)
def test_deleting_a_cell_that_made_a_used_name_is_always_found(sources: list[str], place: int, name: str) -> None:
    """Where the last maker of a name is deleted and a later cell uses it, that is told with both cells."""
    place = min(place, len(sources))
    sources = [*sources[:place], f"{name} = 0", *(s for s in sources[place:] if not re.search(rf"\b{name}\b", s))]
    sources = [s for s in sources if "global" not in s]
    maker = max(i for i, s in enumerate(sources) if s == f"{name} = 0")
    sources.append(f"print({name})")
    cells = named(["x, y, z, f, g = [], [], [], print, print", *sources])
    runs = executed(cells)
    gone = [cell for i, cell in enumerate(cells) if i != maker + 1]
    assert ("deleted", name, maker + 1) in {(kind, what, source) for kind, what, _, source in found(runs, gone)}


def test_a_deleted_helper_counts_where_its_caller_is_called() -> None:
    """A function that uses a deleted one, a class whose method does, and an alias are followed to where they run."""
    cells = named(["def helper(x): return x", "def outer(x): return inner(x)", "def inner(x): return helper(x)",
                   "class M:\n    def go(self): return outer(1)", "m = M()", "alias = outer", "m.go()", "alias(2)"])  # fmt: skip
    told = hidden_state(executed(cells), cells[1:])
    assert [(one.kind, one.name, one.source) for one in told] == [("deleted", "helper", 0)]
    assert "'helper'" in told[0].sentence
    assert "cell [1]" in told[0].sentence
    assert found(executed(cells[:4]), cells[1:4]) == []  # nobody has called it


def test_an_edited_cell_is_told_and_a_comment_is_no_edit() -> None:
    """What a cell made counts as hidden once the cell says something else, not for blanks and comments."""
    cells = named(["lr = 0.1", "fit = lr * 2"])
    runs = executed(cells)
    assert found(runs, named(["lr = 0.2", "fit = lr * 2"])) == [("edited", "lr", 1, 0)]
    assert found(runs, named(["lr  =  0.1  # as before", "fit = lr * 2\n"])) == []


def test_cells_that_ran_in_another_order_are_told() -> None:
    """A name from a cell below, and one that another cell between gives, are told; order that changes nothing is not."""
    below = [("a", "x = 1"), ("c", "print(x)"), ("b", "x = 2")]
    assert found(executed([below[0], below[2], below[1]]), below) == [("order", "x", 2, 1)]
    between = [("a", "x = 1"), ("b", "x = 2"), ("c", "print(x)")]
    assert found(executed([between[1], between[0], between[2]]), between) == [("order", "x", 2, 1)]
    free = [("a", "x = 1"), ("b", "y = 2"), ("c", "print(x, y)")]
    assert found(executed([free[1], free[0], free[2]]), free) == []


def test_a_cell_that_builds_on_itself_and_ran_twice_is_told() -> None:
    """`x += 1`, `df = df[…]` and `append` run again give another value; plain assignment and `d[k] = v` do not."""
    for again in ("x += [1]", "x = x + [1]", "x.append(1)", "x[0] += 1"):
        cells = named(["x = [0]", again, "print(x)"])
        runs = executed([cells[0], cells[1], cells[1], cells[2]])
        assert ("repeated", "x", 2, 1) in found(runs, cells), again
        assert ("repeated", "x", 2, 1) in found(runs, None), again
    for same in ("x = [1]", "x[0] = 1", "y = x"):
        cells = named(["x = [0]", same, "print(x)"])
        assert found(executed([cells[0], cells[1], cells[1], cells[2]]), cells) == [], same


def test_what_nobody_recorded_is_told_only_where_it_is_certain() -> None:
    """A name from nowhere in straight code that ended well is told; with a star import, a branch or an error it is not."""
    assert found(executed([("a", "print(q)")]), [("a", "print(q)")]) == [("unrecorded", "q", 0, None)]
    for source in ("if c():\n    q", "[q for _ in []]", "True or q", "f = lambda: q", "exec('q = 1'); q"):
        source = f"c = lambda: 0\n{source}"
        assert found(executed([("a", source)]), [("a", source)]) == []
    assert found(executed([("a", "print(q)")], ["error"]), [("a", "print(q)")]) == []
    cells = named(["%run other.py", "print(q)"])
    assert found(executed(cells), cells) == []


def test_nested_and_hidden_code_makes_names_too() -> None:
    """What a cell binds through run_cell is its own; what ran silently is in no cell, and is told so."""
    cells = named(["get_ipython().run_cell('deep = 1')", "print(deep)"])
    runs = executed([cells[0], (None, "deep = 1"), cells[1]])
    runs[1] = Execution(1, "s", "deep = 1", "ok", parent=0, hidden=True)
    assert found(runs, cells) == []
    quiet = [Execution(0, "s", "q = 1", "ok", hidden=True), Execution(1, "s", "print(q)", "ok", "c0", 1)]
    told = hidden_state(quiet, [("c0", "print(q)")])
    assert [(one.kind, one.name) for one in told] == [("deleted", "q")]
    assert told[0].sentence == (
        "cell [1] used 'q', which was made by code that is in no cell ('q = 1'); put that code into a cell."
    )


def test_cells_without_ids_are_known_by_their_text() -> None:
    """In notebooks that keep no ids, and after a cell was pasted elsewhere, its text tells it."""
    cells = named(["x = 1", "print(x)"])
    assert found(executed(cells), named(["x = 1", "print(x)"], ids=False)) == []
    assert found(executed(cells), [("new", "x = 1"), ("c1", "print(x)")]) == []
    assert found(executed(cells), named(["print(x)"], ids=False)) == [("deleted", "x", 1, 0)]


def test_two_kernels_share_no_names() -> None:
    """A run that was resumed in another kernel takes nothing from the first one."""
    runs = [Execution(0, "one", "x = 1", "ok", "a", 1), Execution(1, "two", "print(x)", "ok", "b", 1)]
    assert found(runs, [("a", "x = 1"), ("b", "print(x)")]) in ([], [("unrecorded", "x", 1, None)])


def test_it_is_fast_enough_for_long_sessions() -> None:
    """Five hundred executions of long cells take less than a few seconds."""
    import time

    source = "\n".join(f"v{i} = v{i - 1} if {i} else 0" for i in range(1, 60))
    cells = named([f"v0 = {n}\n{source}\nprint(v59, {n})" for n in range(500)])
    began = time.perf_counter()
    assert found(executed(cells), cells) == []
    assert time.perf_counter() - began < 10
