"""The plan of the house, held by walking the syntax trees."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import modellab_jupyter
from tests.conftest import ROOT

PACKAGE = ROOT / "modellab_jupyter"
HARNESS = ROOT / "evalharness"

# Who may import whom: a module takes from the floors below its own alone.
FLOORS = [
    {"errors"},
    {"schema", "config"},
    {"progress", "imports", "zips"},
    {"journal", "blobs", "environment", "cells", "randomness", "reads", "latency", "tables", "summary"},
    {"data", "objects"},
    {"store", "drift"},
    {"session"},
    {"judge", "collection"},
    {"tracking"},
    {"assets", "api", "transfer"},
    {"catalog"},
    {"templates", "repro", "widgets"},
    {"judgement", "packs"},
    {"differing"},
    {"views", "exporter"},
    {"demo", "doctor"},
    {"magics", "cli", "server"},
]
ONLY_IN = {  # heavy or hosting packages, and the places that know them
    "duckdb": {"store"},
    "matplotlib": {"evalharness/plots"},
    "plotly": {"widgets"},
    "IPython": {"magics", "cells", "widgets"},
    "ipywidgets": {"widgets", "magics"},
    "anywidget": {"widgets"},
    "jupyter_server": {"server"},
    "tornado": {"server"},
    "xgboost": {"templates", "objects"},
}
HEAVY = {
    "numpy", "pandas", "sklearn", "scipy", "matplotlib", "plotly", "duckdb", "pyarrow", "IPython", "xgboost",
    "ipywidgets", "anywidget", "jupyter_server", "jupyterlab", "nbconvert", "psutil",
}  # fmt: skip
LATE = {
    "widgets",
    "templates",
    "server",
    "exporter",
    "magics",
}  # loaded on use or by their host, so they may


def sources(package: Path) -> list[Path]:
    return sorted(p for p in package.rglob("*.py") if not {"static", "labextension", "node_modules"} & set(p.parts))


def part(path: Path) -> str:
    """Return the part of the package that a file belongs to: ``store`` for ``store/queries.py``."""
    name = path.relative_to(PACKAGE).parts[0]
    return name.removesuffix(".py")


def imports(path: Path, *, top_only: bool = False) -> list[tuple[str, int]]:
    """Return the dotted names that a file imports outside of type checking, with their lines."""
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if top_only and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                found.extend((f"{child.module}.{alias.name}", child.lineno) for alias in child.names)
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def floor(name: str) -> int:
    return next((height for height, names in enumerate(FLOORS) if name in names), -1)


@pytest.mark.parametrize("path", sources(PACKAGE), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    """A module imports from the floors below its own, never from its own floor or above."""
    mine = part(path)
    if mine == "__init__":
        return
    assert floor(mine) >= 0, f"{mine} has no place in the plan of the house; give it one in tests/test_house.py"
    for name, line in imports(path):
        if not name.startswith("modellab_jupyter"):
            continue
        other = [*name.split("."), "__init__"][1]
        if other in {mine, "__init__", "__version__"}:
            continue
        assert 0 <= floor(other) < floor(mine), f"{path.name}:{line} imports {other}, which is not below {mine}"


def test_the_harness_stands_alone() -> None:
    """Evalharness imports nothing of the tracker."""
    for path in sources(HARNESS):
        assert not [name for name, _ in imports(path) if name.startswith("modellab_jupyter")], path


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_a_package_is_known_in_its_places_only(package: str) -> None:
    """DuckDB is met in the store alone, and so on, so that each can be replaced."""
    for path in sources(PACKAGE) + sources(HARNESS):
        if package in {name.split(".")[0] for name, _ in imports(path)}:
            place = part(path) if path.is_relative_to(PACKAGE) else f"evalharness/{path.stem}"
            assert place in ONLY_IN[package], f"{path} imports {package}"


def test_nothing_heavy_is_imported_at_the_top() -> None:
    """Heavy packages are imported where they are used."""
    for path in sources(PACKAGE):
        if part(path) in LATE:
            continue
        heavy = {name.split(".")[0] for name, _ in imports(path, top_only=True)} & HEAVY
        assert not heavy, f"{path} imports {heavy} at the top"


def test_environment_variables_are_read_in_two_places() -> None:
    """Settings come from config, what is recorded from environment; nothing else looks at variables."""
    for path in sources(PACKAGE) + sources(HARNESS):
        if path.stem in {"config", "environment"} and path.parent == PACKAGE:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            read = isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}
            assert not read, f"{path.relative_to(ROOT)}:{node.lineno} reads an environment variable; ask config for it"


def test_there_is_one_mutable_global() -> None:
    """Only the session (and the counter of ids) is rebound after import."""
    found = {
        f"{path.stem}.{name}"
        for path in sources(PACKAGE)
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Global)
        for name in node.names
    }
    assert found == {"session._session", "schema._last", "schema._lock"}


def test_every_public_name_is_there_and_says_what_it_does() -> None:
    """`__all__` is what resolves, sorted, without doubles; every name has a docstring and is listed by dir()."""
    names = modellab_jupyter.__all__
    assert len(set(names)) == len(names)
    assert dir(modellab_jupyter) == sorted(names)
    for name in names:
        value = getattr(modellab_jupyter, name)
        if name != "__version__":
            assert inspect.getdoc(value), name
            assert getattr(value, "__module__", type(value).__module__).startswith("modellab_jupyter"), name
    assert set(modellab_jupyter._HOME) <= set(names)


def test_every_public_method_is_documented() -> None:
    """What a user can call on a run or a collection has a docstring."""
    import modellab_jupyter as ml

    for thing in (
        ml.Run,
        *(type(getattr(ml, k)) for k in ("projects", "datasets", "runs", "artifacts", "evaluations", "trash")),
    ):
        for name, member in inspect.getmembers(thing):
            if not name.startswith("_") and callable(member):
                assert inspect.getdoc(member), f"{thing.__name__}.{name}"


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    """A misspelt attribute names the one that was meant."""
    with pytest.raises(AttributeError, match=r"has no attribute 'log_metrcs'; did you mean 'log_metrics'\?"):
        modellab_jupyter.log_metrcs  # noqa: B018


def test_every_error_is_one_of_the_family() -> None:
    """Each error of the package can be caught as ModelLabError and as the built-in kind that it is."""
    import modellab_jupyter as ml

    for name in (n for n in ml.__all__ if n.endswith("Error")):
        assert issubclass(getattr(ml, name), ml.ModelLabError)
    assert issubclass(ml.InputError, ValueError)
    assert issubclass(ml.NotFoundError, LookupError)
    assert issubclass(ml.StoreBusyError, ml.StoreError)


def test_migrations_are_numbered_without_a_gap_and_need_no_keys() -> None:
    """Numbers run from 1, and no schema needs what a lakehouse lacks."""
    from modellab_jupyter.store import migrations

    assert [number for number, _, _ in migrations.known()] == list(range(1, len(migrations.known()) + 1))
    for _, name, sql in migrations.known():
        code = "\n".join(line.partition("--")[0] for line in sql.splitlines()).upper()
        for word in ("PRIMARY", "UNIQUE", "REFERENCES", "SEQUENCE", "INDEX", "FOREIGN"):
            assert word not in code, f"{name}: {word}"


def test_every_test_states_a_law() -> None:
    """Each test of the foundation has a docstring of one line."""
    for path in [*(ROOT / "tests").glob("test_*.py"), *(ROOT / "tests" / "store").glob("test_*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert "\n" not in (ast.get_docstring(node) or "\n"), f"{path.name}: {node.name}"


def test_the_readme_names_what_there_is() -> None:
    """Every public name, magic verb and command is in the README, as code."""
    from modellab_jupyter import cli, magics

    readme = (PACKAGE.parent / "README.md").read_text("utf-8")
    readme = re.sub(r"```.*?```", "", readme, flags=re.DOTALL)
    code = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", readme))))
    names = {name for name in modellab_jupyter.__all__ if not name.startswith("__")}

    assert {name for name in names | set(magics.verbs()) if name not in code} == set()
    assert {name for name in cli.commands() if f"modellab {name}" not in readme} == set()


def test_the_readme_names_nothing_else() -> None:
    """What the README writes as ``ml.name`` or as a verb of ``%modellab`` exists."""
    from modellab_jupyter import magics

    readme = (PACKAGE.parent / "README.md").read_text("utf-8")

    assert set(re.findall(r"\bml\.(\w+)", readme)) <= set(modellab_jupyter.__all__)
    assert set(re.findall(r"%modellab (?!VERB)([a-z]\w*)", readme)) <= set(magics.verbs())


def test_modules_are_importable_one_by_one() -> None:
    """No module needs another to have been imported first."""
    from tests.conftest import answer

    names = [f"modellab_jupyter.{part(p)}" for p in sources(PACKAGE) if part(p) not in {"__init__", "magics", *LATE}]
    for name in sorted(set(names)):
        assert importlib.util.find_spec(name)
    answer(
        "import importlib, sys\n"
        f"for name in {sorted(set(names))}:\n"
        "    for loaded in [m for m in sys.modules if m.startswith('modellab_jupyter')]: del sys.modules[loaded]\n"
        "    importlib.import_module(name)"
    )
