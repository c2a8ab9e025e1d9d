"""Runs of real kernels, packed and replayed after something was put in: the whole way from capture to verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

import modellab_jupyter as ml
from modellab_jupyter.repro import words
from modellab_jupyter.repro.archive import open_pack
from modellab_jupyter.repro.records import Verdict
from modellab_jupyter.repro.reproduce import replayed
from tests.conftest import ROOT

LOAD = "%load_ext modellab_jupyter\nimport modellab_jupyter as ml"
START = "run = ml.start_run('run')"
Cells = dict[str, str]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def ran(cells: Cells, order: Sequence[str] | None = None, *, saved: Cells | None = None) -> Path:
    """Run the cells of a notebook as a front end does, each named; save the notebook as told, and pack its run."""
    path = Path("notebook.ipynb").resolve()
    kept = {**os.environ, "JPY_SESSION_NAME": str(path), "PYTHONPATH": str(ROOT)}
    manager, client = start_new_kernel(env=kept)
    try:
        for name in order or list(cells):
            content = {"code": cells[name], "silent": False, "store_history": True, "allow_stdin": False}
            message = client.session.msg("execute_request", content, metadata={"cellId": name})
            client.shell_channel.send(message)
            answer = client._recv_reply(message["header"]["msg_id"], timeout=60)["content"]
            assert answer["status"] == "ok", answer
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    book = nbformat.v4.new_notebook()
    for name, source in (saved or cells).items():
        book.cells.append(nbformat.v4.new_code_cell(source, id=name))
    nbformat.write(book, path)
    return ml.repro_pack("run", "run.zip").path


def judged(pack: Path, work: str, **given: Path) -> Verdict:
    folder = Path(f"{work}-pack")
    folder.mkdir()
    Path(work).mkdir()
    open_pack(pack).extract(folder)
    data = {f"{name}.csv": path for name, path in given.items()}
    return replayed(folder.resolve(), Path(work).resolve(), python=sys.executable, data=data)


def confirmed(verdict: Verdict) -> dict[str, str]:
    return {cause.factor: cause.sentence for cause in verdict.causes if cause.confirmed}


def metrics(verdict: Verdict) -> dict[str, str]:
    (rows,) = (level.rows for level in verdict.levels if level.name == "metrics")
    return {row["metric"]: row["level"] for row in rows}


def test_each_number_of_a_run_has_its_own_verdict() -> None:
    """What capture saw comes back exactly; the clock and entropy that it cannot see are the causes of the rest."""
    Path("rows.csv").write_text("a\n1\n2\n4\n")
    pack = ran({
        "load": LOAD,
        "imports": "import os, random, time\nimport numpy as np\nimport pandas as pd",
        "data": "rows = pd.read_csv('rows.csv')['a']",
        "start": START + "\nbegan = time.perf_counter()",
        "draw": "python, legacy = random.random(), np.random.normal()",
        "generators": "rng, own = np.random.default_rng(), random.Random()",
        "log": "run.log_metrics({'sum': float(rows.sum()), 'python': python, 'legacy': legacy, 'rng': rng.normal(),"
        " 'own': own.random(), 'took': time.perf_counter() - began, 'system': int.from_bytes(os.urandom(6)) / 7})",
        "end": "run.end()",
    })  # fmt: skip
    verdict = judged(pack, "work")
    told = {"sum": "exact", "python": "exact", "legacy": "exact", "rng": "exact", "own": "exact"}
    assert metrics(verdict) == {**told, "took": "differs", "system": "differs"}, words.text(verdict)
    assert (verdict.conclusion, words.exit_code(verdict)) == ("differs", 1)
    assert sorted(confirmed(verdict)) == ["clock", "entropy"]


def test_a_changed_byte_is_told_from_what_capture_saw() -> None:
    """A number from a file with another byte differs because of it alone; one without a seed is exact all the same."""
    Path("rows.csv").write_text("1\n2\n4\n")
    pack = ran({
        "load": LOAD,
        "data": "import random\nrows = [int(line) for line in open('rows.csv')]",
        "run": f"{START}\nrun.log_metrics({{'sum': sum(rows), 'draw': random.random()}})\n"
        "import numpy.random\nrun.log_metrics({'late': numpy.random.normal()})\nrun.end()",
    })  # fmt: skip
    other = Path("other.csv")
    other.write_text("1\n2\n5\n")
    verdict = judged(pack, "work", rows=other)
    assert (metrics(verdict), verdict.conclusion) == (
        {"sum": "differs", "draw": "exact", "late": "exact"},
        "differs",
    )
    assert confirmed(verdict) == {
        "data:rows.csv": "sum differs because rows.csv has other content: with the recorded one alone it came back."
    }


def test_a_script_draws_the_same_before_and_after_numpy_is_loaded() -> None:
    """Draws without a seed come back in a script, also where NumPy's generators are there only after the first."""
    code = """
import random
import modellab_jupyter as ml
with ml.start_run("run") as run:
    run.log_metrics({"draw": random.random()})
    import numpy.random
    run.log_metrics({"legacy": numpy.random.normal(), "rng": numpy.random.default_rng().normal()})
"""
    Path("train.py").write_text(code)
    subprocess.run([sys.executable, "train.py"], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    verdict = judged(ml.repro_pack("run", "run.zip").path, "work")
    assert metrics(verdict) == dict.fromkeys(("draw", "legacy", "rng"), "exact"), words.text(verdict)


CELLS = {
    "load": LOAD, "start": START, "one": "x = 1", "three": "x = x * 3", "more": "x = x + 1",
    "log": "run.log_metrics({'x': float(x)})", "end": "run.end()",
}  # fmt: skip


@pytest.mark.parametrize(
    ("factor", "order", "change"),
    [
        ("deleted", None, {"one": None}),
        ("edited", None, {"three": "x = x * 5"}),
        ("order", ["load", "start", "one", "more", "three", "log", "end"], {}),
    ],
)
def test_a_notebook_that_hides_how_it_ran_is_named(
    factor: str, order: list[str] | None, change: dict[str, str | None]
) -> None:
    """What ran comes back exactly; the notebook as it was saved does not, and putting that one thing right does."""
    saved = {name: source for name, source in (CELLS | change).items() if source is not None}
    verdict = judged(ran(CELLS, order, saved=saved), "work")
    (notebook,) = (level for level in verdict.levels if level.name == "notebook")
    assert (metrics(verdict), verdict.conclusion, notebook.holds) == ({"x": "exact"}, "exact", False)
    assert list(confirmed(verdict)) == [f"notebook:{factor}"], words.text(verdict)
    assert {(state.kind, state.name) for state in verdict.hidden} == {(factor, "x")}
    assert words.text(verdict).count(verdict.hidden[0].sentence) == 1
