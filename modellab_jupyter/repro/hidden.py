"""Hidden state: what a run took from cells that the notebook, read from top to bottom, does not give it.

Of each cell the names that it binds and uses are read from its syntax tree. What a function or a class uses counts
when somebody uses that function or class. A use is compared with two histories: the executions as they were, and the
notebook's cells in their order; where both name the same maker, nothing is hidden.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from modellab_jupyter.repro.records import Execution, HiddenState

_GIVEN = frozenset(dir(builtins)) | {
    "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh", "_exit_code", "get_ipython", "display",
    "exit", "quit", "__name__", "__file__", "__doc__", "__builtins__", "__builtin__", "__annotations__", "__session__",
    "__vsc_ipynb_file__", "__spec__", "__loader__", "__package__",
}  # fmt: skip
_NUMBERED = re.compile(r"_i?\d+")
_GROWS = {"append", "extend", "insert", "add", "update", "remove", "pop", "popitem", "setdefault", "clear", "discard"}
_CHANGES = _GROWS | {
    "sort", "reverse", "fit", "partial_fit", "fit_transform", "fit_predict", "load_state_dict", "load_model",
}  # fmt: skip
_RUNS_CODE = {"time", "timeit", "prun", "capture", "memit", "mprun", "lprun", "scalene", "modellab"}
_KEEPS_NAMES = {"timeit", "memit"}  # magics whose code binds nothing that stays
_OPAQUE = {"run", "load", "pylab", "store", "recall", "rerun", "macro", "sql", "R", "edit"}
_FIELD = re.compile(r"\{\s*([A-Za-z_]\w*)|\$([A-Za-z_]\w*)")
_WORD = re.compile(r"\b[A-Za-z_]\w*\b")


@dataclass
class _Use:
    """How a cell uses a name; `sure` where it is met whatever happens."""

    sure: bool = False


@dataclass
class _Code:
    """What a cell does with the names of its notebook.

    Attributes
    ----------
    uses : dict
        Names that it takes from elsewhere.
    binds : set of str
        Names that it gives a value; `touches` those whose value it changes in place.
    grows : set of str
        Names that get a value made of the one before: running the cell again gives another.
    bodies : dict
        Function or class -> names that its code uses once it runs.
    assigns : dict
        Function -> names that it gives a value of its notebook (``global``).
    aliases : dict
        Name -> function or class that it is another name for, or an instance of.
    """

    uses: dict[str, _Use] = field(default_factory=dict)
    binds: set[str] = field(default_factory=set)
    touches: set[str] = field(default_factory=set)
    grows: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    bodies: dict[str, set[str]] = field(default_factory=dict)
    assigns: dict[str, set[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    opaque: bool = False
    tree: str = ""

    @property
    def makes(self) -> set[str]:
        return self.binds | self.touches


class _Scope(ast.NodeVisitor):
    """Names that a function's code takes from outside, and those of its notebook that it assigns."""

    def __init__(self, bound: set[str]) -> None:
        self.bound = bound
        self.free: set[str] = set()
        self.assigned: set[str] = set()

    @classmethod
    def of(cls, args: ast.arguments, body: Sequence[ast.AST]) -> _Scope:
        names = _arguments(args)
        outer: set[str] = set()
        for child in body:
            found, said = _locals(child)
            names |= found
            outer |= said
        scope = cls(names - outer)
        for child in body:
            scope.visit(child)
        scope.assigned |= {name for child in body for name in _locals(child)[0]} & outer
        return scope

    def _inner(self, scope: _Scope) -> None:
        self.free |= scope.free - self.bound
        self.assigned |= scope.assigned

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and node.id not in self.bound:
            self.free.add(node.id)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in [*node.decorator_list, *_defaults(node.args), *_annotations(node)]:
            self.visit(outside)
        self._inner(_Scope.of(node.args, node.body))

    visit_FunctionDef = visit_AsyncFunctionDef = _function  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for outside in _defaults(node.args):
            self.visit(outside)
        self._inner(_Scope.of(node.args, [node.body]))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for outside in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(outside)
        names = {name for child in node.body for name in _locals(child)[0]}
        body = _Scope(names)
        for child in node.body:
            body.visit(child)
        self._inner(body)
        for inner in ast.walk(node):  # methods do not see the names of the class
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inside: list[ast.AST] = [*inner.body] if isinstance(inner.body, list) else [inner.body]
                self._inner(_Scope.of(inner.args, inside))

    def _comprehension(self, node: Any) -> None:
        names = {one.id for part in node.generators for one in ast.walk(part.target) if isinstance(one, ast.Name)}
        self.visit(node.generators[0].iter)
        inner = _Scope(names)
        for part in node.generators:
            for condition in part.ifs:
                inner.visit(condition)
        for part in node.generators[1:]:
            inner.visit(part.iter)
        for value in ("elt", "key", "value"):
            if hasattr(node, value):
                inner.visit(getattr(node, value))
        self._inner(inner)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815


def _arguments(args: ast.arguments) -> set[str]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return {one.arg for one in every}


def _defaults(args: ast.arguments) -> list[ast.expr]:
    return [one for one in (*args.defaults, *args.kw_defaults) if one is not None]


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    args = node.args
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return [one.annotation for one in every if one.annotation is not None] + ([node.returns] if node.returns else [])


def _locals(node: ast.AST) -> tuple[set[str], set[str]]:
    """Return the names that a statement binds in the scope that it stands in, and those it says are of another."""
    found: set[str] = set()
    outer: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        one = todo.pop()
        match one:
            case ast.Global() | ast.Nonlocal():
                outer |= set(one.names)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(one.name)
                continue
            case ast.Lambda():
                continue
            case ast.Import() | ast.ImportFrom():
                found |= _imported(one)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                found.add(one.id)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
            case ast.MatchMapping(rest=str(name)):
                found.add(name)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                walrus = (w.target.id for w in ast.walk(one) if isinstance(w, ast.NamedExpr))
                found |= set(walrus)
                continue
            case _:
                pass
        todo += list(ast.iter_child_nodes(one))
    return found, outer


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    return {(alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name != "*"}


class _Reader:
    """Walks a cell's statements in their order."""

    def __init__(self) -> None:
        self.code = _Code()

    # -- what is met -----------------------------------------------------------------------------

    def use(self, name: str, *, sure: bool) -> None:
        code = self.code
        if name in code.binds or name in _GIVEN or _NUMBERED.fullmatch(name):
            return
        known = code.uses.setdefault(name, _Use())
        known.sure = known.sure or sure

    def bind(self, names: set[str], *, sure: bool = True) -> None:
        self.code.binds |= names
        if sure:
            self.code.gone -= names

    def expression(self, node: ast.AST | None, *, sure: bool) -> None:
        """Note what an expression uses at once, and for sure or perhaps."""
        if node is None:
            return
        certain = {id(one) for one in _certain(node)} if sure else set()
        scope = _Scope(set())
        scope.visit(node)
        direct = {
            one.id
            for one in ast.walk(node)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and id(one) in certain
        }
        for name in sorted(scope.free):
            self.use(name, sure=name in direct)
        for one in ast.walk(node):
            match one:
                case ast.NamedExpr(target=ast.Name(id=name)):
                    self.bind({name}, sure=False)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in _CHANGES:
                    self._touch(name, grows=method in _GROWS)
                case ast.Call(func=ast.Name(id="exec" | "globals" | "locals" | "vars" | "eval")):
                    self.code.opaque = True
                case ast.Call(func=ast.Attribute(attr=method)) if method in {
                    "run_line_magic", "run_cell_magic", "system", "getoutput", "push", "ex", "run_cell", "user_ns",
                }:  # fmt: skip
                    self._magic(one, method)
                case _:
                    pass

    def _touch(self, name: str, *, grows: bool) -> None:
        code = self.code
        if name in code.imported or name in _GIVEN:
            return
        self.use(name, sure=False)
        if name not in code.binds:
            code.touches.add(name)
            if grows:
                code.grows.add(name)

    def _magic(self, call: ast.Call, method: str) -> None:
        texts = [one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else "" for one in call.args]
        if method in {"push", "ex", "run_cell", "user_ns"} or not texts:
            self.code.opaque = True
            return
        if method in {"system", "getoutput"}:
            self._fields(texts[0])
            return
        name, line, body = texts[0], texts[1] if len(texts) > 1 else "", texts[2] if len(texts) > 2 else None
        self.code.opaque = self.code.opaque or name in _OPAQUE or (body is not None and name not in _RUNS_CODE)
        self._fields(line)
        if body is not None and name == "capture" and (found := _WORD.match(line)):
            self.bind({found[0]})
        if name == "modellab":
            if into := re.search(r"--into[ =]+(\w+)", line):
                self.bind({into[1]})
            for word in _WORD.findall(line.partition(" ")[2]):
                self.use(word, sure=False)
        source = body if body is not None else line if name in _RUNS_CODE - {"capture", "modellab"} else None
        if source is None or (body is not None and name == "modellab" and not line.lstrip().startswith("run")):
            return
        inner = _Reader()
        inner.code.binds |= self.code.binds
        before = set(inner.code.binds)
        inner.read(re.sub(r"^(\s*-\w+(\s+\d+)?)+\s+", "", source) if body is None else source)
        for used in inner.code.uses:
            self.use(used, sure=False)
        self.code.opaque = self.code.opaque or inner.code.opaque
        if name not in _KEEPS_NAMES:
            for part in ("touches", "grows", "imported"):
                setattr(self.code, part, getattr(self.code, part) | getattr(inner.code, part))
            self.code.bodies |= inner.code.bodies
            self.code.assigns |= inner.code.assigns
            self.code.aliases |= inner.code.aliases
            self.bind(inner.code.binds - before)

    def _fields(self, text: str) -> None:
        for found in _FIELD.finditer(text):
            self.use(found[1] or found[2], sure=False)

    # -- statements ------------------------------------------------------------------------------

    def read(self, source: str) -> None:
        try:
            tree = ast.parse(_plain(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        self.code.tree = ast.dump(tree)
        self.block(tree.body, sure=True)

    def block(self, body: Sequence[ast.stmt], *, sure: bool) -> None:
        for statement in body:
            self.statement(statement, sure=sure)

    def statement(self, node: ast.stmt, *, sure: bool) -> None:
        code = self.code
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for outside in [*node.decorator_list, *_defaults(node.args), *_annotations(node)]:
                    self.expression(outside, sure=sure)
                scope = _Scope.of(node.args, node.body)
                self._defined(node.name, scope)
            case ast.ClassDef():
                self._class(node, sure=sure)
            case ast.Import() | ast.ImportFrom():
                if any(alias.name == "*" for alias in node.names):
                    code.opaque = True
                code.imported |= _imported(node)
                self.bind(_imported(node))
            case ast.Assign(value=ast.Lambda() as value, targets=[ast.Name(id=name)]):
                for outside in _defaults(value.args):
                    self.expression(outside, sure=sure)
                self._defined(name, _Scope.of(value.args, [value.body]))
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(node, sure=sure)
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.use(target.id, sure=sure)
                        if sure:
                            code.gone.add(target.id)
                            code.binds.discard(target.id)
                    else:
                        self._target(target, sure=sure, grows=True)
            case ast.For() | ast.AsyncFor():
                self.expression(node.iter, sure=sure)
                self._target(node.target, sure=sure, grows=False)
                self.block(node.body, sure=False)
                self.block(node.orelse, sure=False)
            case ast.While():
                self.expression(node.test, sure=sure)
                self.block(node.body, sure=False)
                self.block(node.orelse, sure=False)
            case ast.If():
                self.expression(node.test, sure=sure)
                self.block(node.body, sure=False)
                self.block(node.orelse, sure=False)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self.expression(item.context_expr, sure=sure)
                    if item.optional_vars is not None:
                        self._target(item.optional_vars, sure=sure, grows=False)
                self.block(node.body, sure=False)  # it may swallow what goes wrong inside
            case ast.Try() | ast.TryStar():
                self.block(node.body, sure=False)
                for handler in node.handlers:
                    self.expression(handler.type, sure=False)
                    if handler.name:
                        self.bind({handler.name}, sure=False)
                    self.block(handler.body, sure=False)
                self.block(node.orelse, sure=False)
                self.block(node.finalbody, sure=False)
            case ast.Match():
                self.expression(node.subject, sure=sure)
                for case in node.cases:
                    self.bind(_locals(case.pattern)[0], sure=False)
                    self.expression(case.pattern, sure=False)
                    self.expression(case.guard, sure=False)
                    self.block(case.body, sure=False)
            case ast.Expr() | ast.Return() | ast.Assert() | ast.Raise():
                for child in ast.iter_child_nodes(node):
                    self.expression(child, sure=sure)
            case _:
                for child in ast.iter_child_nodes(node):
                    self.expression(child, sure=False)
                self.bind(_locals(node)[0], sure=False)

    def _defined(self, name: str, scope: _Scope) -> None:
        self.code.bodies[name] = scope.free - _GIVEN
        self.code.assigns[name] = set(scope.assigned)
        self.bind({name})

    def _class(self, node: ast.ClassDef, *, sure: bool) -> None:
        for outside in [*node.decorator_list, *node.bases, *(one.value for one in node.keywords)]:
            self.expression(outside, sure=sure)
        own: set[str] = set()
        body: set[str] = set()
        for child in node.body:
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                for outside in [*child.decorator_list, *_defaults(child.args), *_annotations(child)]:
                    free = _Scope(set(own))
                    free.visit(outside)
                    for name in free.free:
                        self.use(name, sure=False)
                body |= _Scope.of(child.args, child.body).free
            else:
                scope = _Scope(set(own))
                scope.visit(child)
                for name in scope.free:
                    self.use(name, sure=False)
            own |= _locals(child)[0]
        self.code.bodies[node.name] = body - _GIVEN
        self.bind({node.name})

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, *, sure: bool) -> None:
        code = self.code
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AnnAssign):
            self.expression(node.annotation, sure=False)
        before = set(code.binds)
        self.expression(node.value, sure=sure)
        taken = _Scope(set())
        if node.value is not None:
            taken.visit(node.value)
        for target in targets:
            if isinstance(node, ast.AnnAssign) and node.value is None:
                continue
            if isinstance(node, ast.AugAssign) and isinstance(target, ast.Name):
                self.use(target.id, sure=sure)
            for name in _locals(target)[0]:
                if name not in before and (isinstance(node, ast.AugAssign) or name in taken.free):
                    code.grows.add(name)
            self._target(target, sure=sure, grows=isinstance(node, ast.AugAssign))
        value = node.value
        for target in targets:
            if isinstance(target, ast.Name):
                code.bodies.pop(target.id, None)
                code.aliases.pop(target.id, None)
        if isinstance(node, ast.Assign) and len(targets) == 1 and isinstance(targets[0], ast.Name):
            source = value.func if isinstance(value, ast.Call) else value
            partial = isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] == "partial"
            if partial and isinstance(value, ast.Call) and value.args:
                source = value.args[0]
            if isinstance(source, ast.Name) and (partial or not isinstance(value, ast.Call) or source.id[:1].isupper()):
                code.aliases[targets[0].id] = source.id

    def _target(self, node: ast.expr, *, sure: bool, grows: bool) -> None:
        """Bind what is assigned to; a part of something changes it in place."""
        match node:
            case ast.Name(id=name):
                self.bind({name}, sure=sure)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._target(part, sure=sure, grows=grows)
            case ast.Starred(value=value):
                self._target(value, sure=sure, grows=grows)
            case ast.Attribute() | ast.Subscript():
                root: ast.expr = node
                while isinstance(root, ast.Attribute | ast.Subscript):
                    if isinstance(root, ast.Subscript):
                        self.expression(root.slice, sure=sure)
                    root = root.value
                if isinstance(root, ast.Name):
                    self.use(root.id, sure=sure)
                    self._touch(root.id, grows=grows)
                else:
                    self.expression(root, sure=sure)
            case _:
                self.expression(node, sure=sure)


def _certain(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of an expression that are evaluated whatever the others give."""
    yield node
    match node:
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case ast.BoolOp(values=[first, *_]) | ast.IfExp(test=first):
            yield from _certain(first)
        case ast.Compare(left=left, comparators=[first, *_]):
            yield from _certain(left)
            yield from _certain(first)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _certain(child)


def _plain(source: str) -> str:
    """Return a cell's code with IPython's own syntax turned into calls; what is Python already stays as it is."""
    if not re.search(r"^\s*[%!?]|[%!?]", source, re.MULTILINE):
        return source
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        from modellab_jupyter.cells import plain

        return plain(source)
    return source


@lru_cache(maxsize=4096)
def _code(source: str) -> _Code:
    reader = _Reader()
    reader.read(source)
    return reader.code


# -- histories ---------------------------------------------------------------------------------------


@dataclass
class _World:
    """Names and who gave them their values, at some moment of a history."""

    maker: dict[str, int] = field(default_factory=dict)
    chain: dict[str, list[int]] = field(default_factory=dict)  # whoever changed the value since it was made
    bodies: dict[str, set[str]] = field(default_factory=dict)
    assigns: dict[str, set[str]] = field(default_factory=dict)

    def body(self, code: _Code, name: str) -> set[str]:
        """Return what a function or class uses once it runs, whether the code makes it or it was there before."""
        if name in code.aliases:
            return self.body(code, code.aliases[name]) if code.aliases[name] not in code.aliases else set()
        return code.bodies[name] if name in code.bodies else self.bodies.get(name, set())

    def needed(self, code: _Code) -> tuple[dict[str, bool], set[str]]:
        """Return the names that code takes from this world, and those that functions which it calls may assign."""
        found = {name: how.sure for name, how in code.uses.items()}
        todo = [*code.uses, *_loaded(code)]
        called = set(todo)
        while todo:
            for inner in self.body(code, todo.pop()):
                if inner not in called:
                    called.add(inner)
                    todo.append(inner)
                    if inner not in code.binds and inner not in _GIVEN:
                        found.setdefault(inner, False)
        assigned = {one for name in called for one in code.assigns.get(name) or self.assigns.get(name, set())}
        return found, assigned

    def apply(self, code: _Code, who: int, more: set[str]) -> None:
        """Go on after code has run; `more` are names that it bound in ways that its text does not show."""
        _, assigned = self.needed(code)
        followed = {name: set(self.body(code, source)) for name, source in code.aliases.items()}
        for name in code.gone:
            self.maker.pop(name, None)
            self.chain.pop(name, None)
        for name in code.touches - code.binds:
            self.chain.setdefault(name, []).append(who)
        for name in code.binds | more | assigned:
            self.maker[name] = who
            self.chain[name] = []
            self.bodies.pop(name, None)
            self.assigns.pop(name, None)
        for name, body in (followed | code.bodies).items():
            if name in code.binds and body:
                self.bodies[name] = body
        for name, names in code.assigns.items():
            if name in code.binds and names:
                self.assigns[name] = names


def _loaded(code: _Code) -> set[str]:
    """Return the functions and classes of a cell that the cell itself uses."""
    names = re.findall(r"Name\(id='(\w+)', ctx=Load\(\)\)", code.tree)
    return {name for name in names if name in code.bodies}


@dataclass(frozen=True)
class _Cell:
    """A cell of the notebook."""

    id: str | None
    source: str


def _matched(executions: Sequence[Execution], cells: Sequence[_Cell]) -> dict[int, int]:
    """Return the cell that each execution was of, by its id, else by its text; without those whose cell is gone."""
    ids = {cell.id: place for place, cell in enumerate(cells) if cell.id is not None}
    texts: dict[str, list[int]] = {}
    for place, cell in enumerate(cells):
        texts.setdefault(cell.source.strip(), []).append(place)
    found: dict[int, int] = {}
    taken: set[int] = set()
    last: dict[str, int] = {}
    for run in executions:
        text = run.source.strip()
        same = texts.get(text, [])
        at = ids.get(run.cell_id) if run.cell_id is not None else None
        if at is None and same:  # the next cell of that text, as one goes down the notebook
            free = [one for one in same if one not in taken]
            at = next((one for one in free if one > last.get(run.session, -1)), free[0] if free else same[-1])
        elif at is not None and same and at not in same and same[0] not in taken:
            at = same[0]  # it was moved into another cell
        if at is not None:
            found[run.order] = at
            taken.add(at)
            last[run.session] = at
    return found


def hidden_state(
    executions: Sequence[Execution], notebook_cells: Sequence[tuple[str | None, str]] | None
) -> tuple[HiddenState, ...]:
    """Return the variables that executions took from cells which the notebook does not give them.

    Parameters
    ----------
    executions : sequence of Execution
        In their order.
    notebook_cells : sequence of (id, source), optional
        The code cells of the notebook as it is now, from top to bottom; ids are None where the file has none. Without
        a notebook only what ran more than once and what nobody recorded can be told.

    Returns
    -------
    tuple of HiddenState
        One for each kind, variable and maker; `order` is the first execution that used it.
    """
    cells = None if notebook_cells is None else [_Cell(one, source) for one, source in notebook_cells]
    found: dict[tuple[str, str, int | None], HiddenState] = {}
    for session in dict.fromkeys(run.session for run in executions):
        for one in _of_session([run for run in executions if run.session == session], cells):
            found.setdefault((one.kind, one.name, one.source), one)
    return tuple(sorted(found.values(), key=lambda one: (one.order, one.name)))


def _of_session(executions: Sequence[Execution], cells: Sequence[_Cell] | None) -> Iterator[HiddenState]:
    top = [run for run in executions if run.parent is None]
    inside: dict[int, set[str]] = {}  # names bound by what ran inside a cell
    parents = {run.order: run.parent for run in executions}
    for run in executions:
        root = run.order
        while (above := parents.get(root)) is not None:
            root = above
        if root != run.order:
            inside.setdefault(root, set()).update(_code(run.source).makes)
    by_order = {run.order: run for run in top}
    seen = [run for run in top if not run.hidden]
    places = _matched(seen, cells) if cells is not None else _places_without(seen)
    last = {at: order for order, at in sorted(places.items())}
    last_runs = set(last.values())
    expected = _expected(cells, last, inside) if cells is not None else {}

    world, opaque = _World(), False
    for run in top:
        code = _code(run.source)
        if run.order in last_runs:
            place = places[run.order]
            needed, assigned = world.needed(code)
            for name, sure in needed.items():
                for maker in [world.maker.get(name), *world.chain.get(name, [])]:
                    certain = sure and run.outcome == "ok" and not opaque and not code.opaque
                    kind = _judged(
                        name, maker, place, cells=cells, places=places, by_order=by_order,
                        certain=certain and name not in assigned,
                        expected=expected.get(place, {}).get(name, set()), grows=name in code.grows,
                    )  # fmt: skip
                    if kind is not None:
                        made = None if maker is None else by_order[maker]
                        yield HiddenState(kind, name, run.order, maker, _sentence(kind, name, run, made))
        world.apply(code, run.order, inside.get(run.order, set()))
        opaque = opaque or code.opaque


def _places_without(executions: Sequence[Execution]) -> dict[int, int]:
    """Return which executions were of one cell, where there is no notebook."""
    known: dict[Any, int] = {}
    return {
        run.order: known.setdefault(run.cell_id if run.cell_id is not None else run.source.strip(), len(known))
        for run in executions
    }


def _expected(
    cells: Sequence[_Cell], last: dict[int, int], inside: dict[int, set[str]]
) -> dict[int, dict[str, set[int]]]:
    """Return for each cell who made the names that it finds, were the notebook run from top to bottom."""
    world = _World()
    found: dict[int, dict[str, set[int]]] = {}
    for place, cell in enumerate(cells):
        found[place] = {name: {maker, *world.chain.get(name, [])} for name, maker in world.maker.items()}
        for name, chain in world.chain.items():
            found[place].setdefault(name, set()).update(chain)
        more = inside.get(last[place], set()) if place in last else set()
        world.apply(_code(cell.source), place, more)
    return found


_Kind = Literal["deleted", "edited", "order", "repeated", "unrecorded"]


def _judged(
    name: str,
    maker: int | None,
    place: int,
    *,
    certain: bool,
    grows: bool,
    cells: Sequence[_Cell] | None,
    places: dict[int, int],
    by_order: dict[int, Execution],
    expected: set[int],
) -> _Kind | None:
    """Say what is hidden about one use of a name, None where nothing is."""
    if maker is None:
        return "unrecorded" if certain and not expected and name not in _GIVEN else None
    at = places.get(maker)
    if at is not None and at == place:  # the same cell, earlier
        return "repeated" if grows else None
    if cells is None:
        return None
    if at is None:
        return "deleted"
    if not _same(by_order[maker].source, cells[at].source):
        return "edited"
    return None if at in expected else "order"


def _same(one: str, other: str) -> bool:
    """Tell whether two texts are the same code."""
    if one.strip() == other.strip():
        return True
    first, second = _code(one).tree, _code(other).tree
    return bool(first) and first == second


def _called(run: Execution) -> str:
    if run.execution_count is not None:
        return f"cell [{run.execution_count}]"
    first = next((line.strip() for line in run.source.splitlines() if line.strip()), "")
    return f"code that is in no cell ({first[:40]!r})" if run.hidden else f"the cell {first[:40]!r}"


def _sentence(kind: _Kind, name: str, run: Execution, made: Execution | None) -> str:
    user, maker = _called(run), "" if made is None else _called(made)
    said: dict[_Kind, Callable[[], str]] = {
        "deleted": lambda: (
            f"{user} used {name!r}, which was made by {maker}"
            + ("; put that code into a cell." if made is not None and made.hidden else
               ", and that cell is gone; bring it back, or run the notebook from top to bottom.")
        ),
        "edited": lambda: (
            f"{user} used {name!r} as {maker} made it, and that cell says something else now; "
            "run the notebook from top to bottom."
        ),
        "order": lambda: (
            f"{user} used {name!r} as {maker} made it, which is not what the notebook gives from top to bottom; "
            "put the cells into the order in which they ran."
        ),
        "repeated": lambda: (
            f"{user} ran more than once and builds on the {name!r} that it made before ({maker}); "
            "begin with a fresh value in that cell, or run the notebook from top to bottom."
        ),
        "unrecorded": lambda: (
            f"{user} used {name!r}, and nothing that was recorded made it; load modellab_jupyter in the first cell, "
            f"or make {name!r} in the notebook."
        ),
    }  # fmt: skip
    return said[kind]()
