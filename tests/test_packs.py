"""Packs by Python, magics and the command line: one run, one pack, and what was found stays with the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.lib.pretty import pretty

import modellab_jupyter as ml
from modellab_jupyter import packs, session
from modellab_jupyter.cli import main
from modellab_jupyter.repro.archive import open_pack

LOAD = """import random
import modellab_jupyter as ml
from pathlib import Path
rows = Path('rows.csv').read_text().split()"""
RUN = """with ml.start_run('packed', project_id='packs') as run:
    ml.log_metrics({'rows': float(len(rows)), 'draw': random.random()})"""
CELLS = ["%load_ext modellab_jupyter", LOAD, RUN]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook that ran in a kernel of its own, and its store."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "rows.csv").write_text("a\nb\nc\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbformat.write(notebook, folder / "run.ipynb")
    subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", "--inplace", "run.ipynb"], cwd=folder, check=True,
        capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def _inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    session.reset()


def test_every_face_makes_the_same_pack(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python and the command line write the same bytes for one run; the run keeps that they did."""
    one = ml.repro_pack("packed", "one.zip")
    assert main(["repro", "packed", "--to", "two.zip"]) == 0
    assert f"id {one.id}" in capsys.readouterr().out
    assert (project / "one.zip").read_bytes() == (project / "two.zip").read_bytes()
    session.reset()
    kept = ml.runs.packs("packed")
    assert kept["act"].tolist() == ["made", "made"]
    assert set(kept["pack_id"]) == {one.id}
    assert [Path(path).name for path in kept["path"]] == ["two.zip", "one.zip"]
    (row,) = open_pack(one.path).json("data/index.json")
    assert (row["path"], row["size"]) == ("rows.csv", 6)


def test_a_pack_comes_back_on_the_command_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Verified and reproduced it ends with 0, as text and as JSON; the verdict stays with the run."""
    pack = ml.repro_pack("packed", "again.zip")
    assert main(["verify", "again.zip"]) == 0
    assert "packed: the pack is intact" in capsys.readouterr().out
    assert main(["reproduce", "again.zip", "--yes", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["conclusion"], verdict["pack_id"]) == ("exact", pack.id)
    session.reset()
    kept = ml.runs.packs("packed")
    assert kept["act"].tolist()[:3] == ["reproduced", "verified", "made"]
    assert kept["conclusion"].tolist()[0] == "exact"
    assert json.loads(kept["verdict"][0])["conclusion"] == "exact"
    checked = ml.verify_pack("again.zip")
    assert pretty(checked) == str(checked)
    assert "packed: the pack is intact" in str(checked)
    assert pretty(pack) == str(pack)
    page = packs.page(checked)
    assert "Pack of run packed" in page.to_html()
    shell = InteractiveShell.instance()
    try:
        ml.load_ipython_extension(shell)
        capsys.readouterr()
        shell.run_line_magic("modellab", "reproduce again.zip --yes")
        assert "packed: reproduced: every metric came back bit for bit" in capsys.readouterr().out
        sheet = shell.run_line_magic("modellab", "run packed")
    finally:
        ml.unload_ipython_extension(shell)
        InteractiveShell.clear_instance()
    for shown in (repr(sheet), sheet._repr_html_()):
        for told in ("reproduced (exact) ", "verified (intact) ", "made 20", f"pack {pack.id[:12]}"):
            assert told in shown
    capsys.readouterr()
    assert main(["runs", "packed"]) == 0
    assert " made 20" in capsys.readouterr().out


def test_what_is_refused_ends_with_two(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No pack, no consent and a wrong option are one sentence each; nothing was run and nothing is kept."""
    before = len(ml.runs.packs("packed"))
    (project / "none.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    ml.repro_pack("packed", "refused.zip")
    assert main(["export", "export.zip", "--project-id", "packs"]) == 0
    capsys.readouterr()
    for words, told in [
        (["verify", "none.zip"], "none.zip"),
        (["verify", "nowhere.zip"], "nowhere.zip"),
        (["verify", "export.zip"], "export.zip is an export of a store and no pack; modellab import takes it in."),
        (["reproduce", "refused.zip"], "agree with yes=True in Python, or else with --yes"),
        (["reproduce", "refused.zip", "--yes", "--data", "rows"], "--data must be PATH=HERE"),
    ]:
        assert main(words) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1
    assert len(ml.runs.packs("packed")) == before + 1


def test_a_strangers_pack_leaves_no_trace(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that this store did not make is verified and nothing of it is recorded, whatever run it names."""
    pack = ml.repro_pack("packed", "stranger.zip")
    monkeypatch.chdir(tmp_path)
    session.reset()
    assert ml.verify_pack(pack.path).conclusion == "intact"
    assert not any(tmp_path.iterdir())
    monkeypatch.chdir(project)
    session.reset()
    ml.repro_pack("packed", "other.zip", max_data=0)
    before = len(ml.runs.packs("packed"))
    packs._keep(ml.runs.get("packed").run_id, "0" * 64, "verified", Path("other.zip"), ml.verify_pack("other.zip"))
    assert len(ml.runs.packs("packed")) == before + 1  # the pack that was made here, not the one of another id


def test_a_verdict_outlives_a_store_that_cannot_be_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the store is no DuckDB file any more, what was found is returned and a warning says what was not kept."""
    pack = ml.repro_pack("packed", "kept.zip")
    monkeypatch.chdir(project)
    (project / "broken.duckdb").write_bytes(b"no database" * 1000)
    ml.configure(store="broken.duckdb")
    with pytest.warns(RuntimeWarning, match="could not be kept with its run"):
        assert ml.verify_pack(pack.path).conclusion == "intact"


def test_a_run_that_goes_takes_its_packs_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Emptying the trash forgets what was done with the packs of a run; the files stay, they are the user's."""
    monkeypatch.chdir(tmp_path)
    session.reset()
    with ml.start_run("gone") as run:
        ml.log_metrics({"x": 1.0})
    pack = ml.repro_pack(run, tmp_path)
    assert len(ml.sql("FROM packs")) == 1
    ml.runs.delete("gone")
    ml.trash.empty()
    assert len(ml.sql("FROM packs")) == 0
    assert pack.path.is_file()
