"""A run leaves the notebook as a pack: made, downloaded and verified by a person in JupyterLab."""

from __future__ import annotations

import json

import pytest
from pages import open_notebook, output, run_all, save, write_notebook

from modellab_jupyter.repro.archive import open_pack

pytestmark = pytest.mark.browser

TRAIN = """import random
import modellab_jupyter as ml
start = random.random()
with ml.start_run("packed", project_id="packs") as run:
    ml.log_params({"depth": 3})
    ml.log_metrics({"loss": start})"""


def test_a_run_is_packed_and_downloaded_from_a_notebook(lab, page, tmp_path):
    """The magic packs the run, its link downloads the pack, and what arrives is whole; verifying it shows a page."""
    write_notebook(
        lab, "packs.ipynb", "%load_ext modellab_jupyter", TRAIN, "%modellab repro packed --to packed.zip",
        "%modellab verify packed.zip", "ml.runs.packs('packed')['act'].tolist()",
    )  # fmt: skip
    open_notebook(page, lab, "packs.ipynb")
    save(page)
    run_all(page)
    link = output(page, 2).locator("a", has_text="Download packed.zip")
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "arrived.zip")

    assert (tmp_path / "arrived.zip").read_bytes() == (lab.work / "packed.zip").read_bytes()
    pack = open_pack(tmp_path / "arrived.zip")
    metrics = pack.json("metrics.json")
    cells = [json.loads(line) for line in pack.read("code/executions.jsonl").splitlines()]
    assert "code/packs.ipynb" in pack.names
    assert list(metrics["metrics"]) == ["loss"]
    assert [cell["source"] for cell in cells][:2] == ["%load_ext modellab_jupyter", TRAIN]
    assert {cell["cell_id"] for cell in cells} <= {"cell-0", "cell-1", "cell-2", "cell-3", "cell-4"}
    verdict = output(page, 3).locator(".modellab")
    assert verdict.locator("h2").inner_text() == "Pack of run packed"
    assert "packed: the pack is intact" in verdict.inner_text()
    assert output(page, 4).inner_text() == "['verified', 'made']"
    assert page.outside == []
