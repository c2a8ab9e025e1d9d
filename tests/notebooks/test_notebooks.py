"""The notebooks run from the top, in a folder of their own, and are kept without outputs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(HOME.glob("*/*.ipynb"))


@pytest.fixture
def surroundings(tmp_path) -> dict[str, str]:
    """Give a kernel a store and settings of its own."""
    return {**os.environ, "MODELLAB_STORE": str(tmp_path / "modellab.duckdb"), "IPYTHONDIR": str(tmp_path / "ipython")}


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.notebook
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_the_top(notebook, tmp_path, surroundings):
    """Every cell runs in a fresh kernel without an error."""
    shutil.copy(notebook, tmp_path)
    nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "no:cacheprovider"]
    run(["-m", "pytest", "-q", *nbval, f"--rootdir={tmp_path}", notebook.name], tmp_path, surroundings)

    assert (tmp_path / "modellab.duckdb").is_file()


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("template", "package", "file", "target"),
    [
        ("classification", "palmerpenguins", "palmerpenguins/data/penguins-raw.csv", "Sex"),
        ("regression", "plotly", "plotly/package_data/datasets/tips.csv.gz", "tip"),
    ],
)
def test_a_template_takes_a_file_and_a_target(template, package, file, target, tmp_path, surroundings):
    """With the parameters changed a template runs on any table; papermill fills them in."""
    data = Path(str(distribution(package).locate_file(file)))
    parameters = ["-p", "data", str(data), "-p", "target", target, "-p", "project", "mine", "-p", "seed", "7"]
    source = HOME / "templates" / f"{template}.ipynb"
    run(["-m", "papermill", "--no-progress-bar", str(source), "done.ipynb", *parameters], tmp_path, surroundings)

    cells = json.loads((tmp_path / "done.ipynb").read_text())["cells"]
    printed = "".join(
        "".join(output.get("text", "")) for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]
    )
    assert f"{template} of '{target}'" in printed
    assert "Logged in project 'mine'" in printed


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(notebook):
    """What is in the repository is source: no outputs, no counts, and nothing but public names."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    text = "".join("".join(cell["source"]) for cell in code)

    assert content["cells"][0]["cell_type"] == "markdown"
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "._" not in text
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
