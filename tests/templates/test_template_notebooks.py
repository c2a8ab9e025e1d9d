"""`notebook.copy`: a template for a person to work in, and nothing of theirs overwritten."""

from __future__ import annotations

import json

import pytest

from modellab_jupyter.errors import InputError
from modellab_jupyter.templates import notebook


def parameters_of(path):
    (cell,) = [
        cell for cell in json.loads(path.read_text())["cells"] if "parameters" in cell["metadata"].get("tags", [])
    ]
    found: dict[str, object] = {}
    exec("".join(cell["source"]), found)
    return {key: value for key, value in found.items() if key != "__builtins__"}


@pytest.mark.parametrize("name", notebook.NAMES)
def test_a_template_is_copied_where_it_is_wanted(tmp_path, monkeypatch, name):
    """Into the current folder, a folder that is named, or a file with or without its ending."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    made = [notebook.copy(name), notebook.copy(name, "there"), notebook.copy(name, tmp_path / "mine")]

    assert [path.resolve() for path in made] == [
        tmp_path / f"{name}.ipynb",
        tmp_path / "there" / f"{name}.ipynb",
        tmp_path / "mine.ipynb",
    ]
    for path in made:
        assert path.read_bytes() == notebook.source(name).read_bytes()


def test_parameters_are_filled_in(tmp_path):
    """Values replace those of the parameters cell, quotes and all; the others stay."""
    path = notebook.copy("regression", tmp_path, parameters={"data": "it's\\mine.csv", "seed": 3})

    assert parameters_of(path) == {
        "data": "it's\\mine.csv",
        "target": "progression",
        "project": "regression",
        "seed": 3,
    }


def test_nothing_is_overwritten(tmp_path):
    """An existing file stays as it is; a template or parameter that is not there is named."""
    (tmp_path / "a.ipynb").write_text("mine")
    with pytest.raises(InputError, match="does not exist yet"):
        notebook.copy("regression", tmp_path / "a.ipynb")
    with pytest.raises(InputError, match="did you mean 'regression'"):
        notebook.copy("regresion", tmp_path)
    with pytest.raises(InputError, match="did you mean 'target'"):
        notebook.copy("regression", tmp_path, parameters={"tarjet": "y"})

    assert (tmp_path / "a.ipynb").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1
