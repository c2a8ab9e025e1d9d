"""All that is known of a run comes out of the store as one value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

import modellab_jupyter as ml
from modellab_jupyter import session
from modellab_jupyter.repro.recorded import notebook_cells, recorded
from tests.conftest import ROOT


def run(ip: Any, *cells: str) -> None:
    for cell in cells:
        assert ip.run_cell(cell, store_history=True).success, cell


def test_params_metrics_evaluations_and_data_come_along(tmp_path: Path) -> None:
    """Series are whole and in order, intervals stand beside estimates, files know their dataset."""
    Path("data.csv").write_text("a,b\n1,2\n")
    with ml.start_run("a", params={"lr": 0.1}, tags={"t": "v"}, seed=3) as one:
        for step in (2, 0, 1):
            one.log_metric("loss", 1 / (step + 1), step)
        one.log_dataset("data.csv")
        one.evaluate(predictions=[0, 1, 1, 0] * 20, labels=[0, 1, 0, 1] * 20)
    known = recorded(one.id)
    assert known == recorded("a")
    assert known.params == {"lr": 0.1}
    assert known.run["seed"] == 3
    assert {"random", "numpy"} <= set(known.run["seeded"])
    assert known.run["tags"] == {"t": "v"}
    assert known.run["started_at"].endswith("+00:00")
    assert known.metrics["loss"] == {"last": 1 / 3, "series": {"steps": [0, 1, 2], "values": [1, 1 / 2, 1 / 3]}}
    assert {"last", "series", "low", "high", "n"} == set(known.metrics["accuracy"])
    assert known.metrics["accuracy"]["n"] == 80
    assert [one.path for one in known.files if one.dataset] == ["data.csv"]
    assert known.files[0].dataset["name"] == "data"
    assert [Path(folder, "metrics.json").is_file() for folder in known.evaluations] == [True]
    assert known.folder == str(tmp_path)


def test_seeds_are_read_from_the_cells(shell) -> None:
    """Calls that set a seed and keywords that give one are listed with what the source says."""
    run(shell, "%load_ext modellab_jupyter\nimport random, numpy as np",
        "SEED = 4\nrandom.seed(SEED)\nnp.random.seed(1)",
        "g = np.random.default_rng(5); h = np.random.default_rng(); d = dict(random_state=7, other=1)",
        "from sklearn.tree import DecisionTreeClassifier as T; T(random_state=None)",
        "import modellab_jupyter as ml\nml.start_run('a', seed=9).end()")  # fmt: skip
    assert [(one.order, one.call, one.value) for one in recorded("a").seeds] == [
        (1, "random.seed", "SEED"), (1, "np.random.seed", "1"), (2, "np.random.default_rng", "5"),
        (2, "dict(random_state=)", "7"), (4, "ml.start_run(seed=)", "9"),
    ]  # fmt: skip


def test_an_older_run_that_captured_nothing_is_told_as_far_as_it_is_known(shell) -> None:
    """A run without cells, states, files or surroundings is still a value."""
    with ml.start_run("a"):
        pass
    session.current().found()
    owner = session.current().store
    owner.ingest()  # what a slow machine found out after the end of the run
    with owner._backend.connect(write=True) as con:
        for table in ("cells", "random_states", "draws", "files_read"):
            con.execute(f"DELETE FROM {table}")
        con.execute("UPDATE runs SET folder = NULL, distributions = NULL, git_diff = NULL, surroundings = NULL")
    known = recorded("a")
    assert (known.executions, known.files, known.random, known.environment["distributions"]) == ((), (), (), [])
    assert known.folder


def test_a_run_that_has_not_ended_is_refused(tmp_path: Path) -> None:
    """A run that this process or another that lives records is told so in one sentence, and packs once it has ended."""
    code = "import modellab_jupyter as ml; ml.start_run('there').log_params({'a': 1}); print(1, flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with ml.start_run("here"):
            for name in ("here", "there"):
                with pytest.raises(ml.InputError, match=f"{name}.*still being recorded") as error:
                    recorded(name)
                assert "\n" not in str(error.value)
        with pytest.raises(ml.InputError, match="still being recorded"):
            ml.repro_pack("there", tmp_path / "a.zip")
        assert not (tmp_path / "a.zip").exists()
    finally:
        other.communicate(b"\n", timeout=60)
    assert recorded("here").run["status"] == "finished"
    assert recorded("there").params == {"a": 1}


def test_an_unknown_run_is_an_error() -> None:
    """A name that no run has is told as everywhere."""
    with ml.start_run("training"):
        pass
    with pytest.raises(ml.NotFoundError, match=r"trainign.*training"):
        recorded("trainign")


def test_resumed_runs_have_the_executions_of_both_kernels(shell) -> None:
    """Orders count through all kernels of a run, parents included."""
    run(shell, "import modellab_jupyter as ml; r = ml.start_run('a')", "ml.end_run()")
    session.reset()
    shell.history_manager.input_hist_raw[:] = [""]  # another kernel
    run(shell, "with ml.start_run(resume='a'): get_ipython().run_cell('deep = 1')")
    found = recorded("a").executions
    assert [one.order for one in found] == [0, 1, 2, 3]
    assert len({one.session for one in found}) == 2
    assert found[3].parent == 2


@pytest.mark.notebook
@pytest.mark.filterwarnings("default")
def test_a_notebook_in_a_real_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel records ids, files and entropy; the saved notebook tells what was deleted, and nothing when whole."""
    from nbclient import NotebookClient

    Path("in.csv").write_text("a\n1\n")
    sources = [
        "%load_ext modellab_jupyter",
        "import numpy as np, pandas as pd, modellab_jupyter as ml",
        "factor = 3",
        "frame = pd.read_csv('in.csv'); noise = np.random.default_rng().random()",
        "with ml.start_run('a') as run:\n    run.log_metric('m', float(frame['a'].sum()) * factor)",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(book, "book.ipynb")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "book.ipynb"))
    NotebookClient(book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    known = recorded("a")
    assert [one.source for one in known.executions if not one.hidden] == sources
    assert [(one.path, one.orders) for one in known.files] == [("in.csv", (3,))]
    assert [(one.source, one.order) for one in known.draws] == [("numpy", 3)]
    assert [one.moment for one in known.random][:2] == ["load", "numpy"]
    assert known.notebook == str(tmp_path / "book.ipynb")
    assert [source for _, source in notebook_cells(known)] == sources
    assert "warning: " not in str(ml.repro_pack("a"))
    del book.cells[2]
    nbformat.write(book, "book.ipynb")
    pack = ml.repro_pack("a")
    assert [(one.kind, one.name, one.source) for one in pack.hidden] == [("deleted", "factor", 2)]
    (warning,) = [line for line in str(pack).splitlines() if line.startswith("warning: ")]
    assert "factor" in warning
    assert warning == f"warning: {pack.hidden[0].sentence}"
    Path("book.ipynb").unlink()
    assert notebook_cells(recorded("a")) is None
    assert ml.repro_pack("a").hidden == ()
