from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import modellab_jupyter as ml
from modellab_jupyter import session
from modellab_jupyter.store import queries


def run(ip, *cells: str) -> None:
    for cell in cells:
        ip.run_cell(cell, store_history=True)


def seen(run_id: str) -> list[list[object]]:
    return ml.runs.cells(run_id)[["source", "outcome", "during"]].values.tolist()


def test_the_cells_of_a_kernel_are_recorded_in_order(shell, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells before, during and in which the run ended, with their outcome; those after it are not its own."""
    start = "import modellab_jupyter as ml; r = ml.start_run('a')"
    run(shell, "x = 1", start, "ml.log_metrics({'m': x})", "1 / 0", "def (:", "ml.end_run(); y = 2", "z = 3")
    run_id = shell.user_ns["r"].id
    ml.runs.list()
    assert seen(run_id) == [
        ["x = 1", "unknown", False],
        [start, "ok", True],
        ["ml.log_metrics({'m': x})", "ok", True],
        ["1 / 0", "error", True],
        ["def (:", "error", True],
        ["ml.end_run(); y = 2", "ok", True],
    ]
    table = ml.runs.cells(run_id)
    assert table["execution_count"].tolist() == [1, 2, 3, 4, 5, 6]
    assert table["error"][3] == "ZeroDivisionError: division by zero"
    assert table["error"][4].startswith("SyntaxError: ")
    assert (table["duration"].iloc[2:] >= 0).all()
    assert ml.runs.get(run_id).status == "finished"


def test_cells_between_two_runs_belong_to_the_second(shell) -> None:
    """What ran before a run is shown with it and is not during it; nothing is told twice."""
    run(shell, "import modellab_jupyter as ml", "with ml.start_run('a') as a: pass", "between = 1",
        "with ml.start_run('b') as b: pass", "after = 1")  # fmt: skip
    first, second = (shell.user_ns[name].id for name in "ab")
    assert [(source, during) for source, _, during in seen(first)] == [
        ("import modellab_jupyter as ml", False), ("with ml.start_run('a') as a: pass", True),
    ]  # fmt: skip
    assert [(source, during) for source, _, during in seen(second)] == [
        ("import modellab_jupyter as ml", False), ("with ml.start_run('a') as a: pass", False), ("between = 1", False),
        ("with ml.start_run('b') as b: pass", True),
    ]  # fmt: skip


def test_an_interrupted_cell_says_so(shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell that was interrupted inside a run interrupts the run."""
    run(shell, "import modellab_jupyter as ml", "with ml.start_run('a') as a: raise KeyboardInterrupt")
    run_id = shell.user_ns["a"].id
    ml.runs.list()
    assert seen(run_id)[-1][1:] == ["interrupted", True]
    assert ml.runs.get(run_id).status == "interrupted"


def test_a_reset_takes_the_listener_back(shell) -> None:
    """After the session ended, IPython calls nothing of ours."""
    before = {event: list(found) for event, found in shell.events.callbacks.items()}
    run(shell, "import modellab_jupyter as ml", "r = ml.start_run('a')")
    assert {event: list(found) for event, found in shell.events.callbacks.items()} != before
    session.reset()
    assert {event: list(found) for event, found in shell.events.callbacks.items()} == before


@pytest.mark.notebook
@pytest.mark.filterwarnings("default")
def test_a_real_kernel_tells_its_cells() -> None:
    """A notebook that is executed records its cells, and a run that it leaves open ends with the kernel."""
    import os

    import nbformat
    from nbclient import NotebookClient

    from tests.conftest import ROOT

    sources = [
        "import modellab_jupyter as ml",
        "run = ml.start_run('in a kernel', params={'x': 1})",
        "for step in range(3):\n    ml.log_metrics({'loss': 1 / (step + 1)})",
        "raise ValueError('stop')",
        "left = 'open'",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = NotebookClient(notebook, timeout=60, allow_errors=True, kernel_name="python3")
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    try:
        client.execute()
    finally:
        os.environ.pop("PYTHONPATH") if path is None else os.environ.update(PYTHONPATH=path)
    row = ml.runs.list().iloc[0]
    assert (row["name"], row["status"]) == ("in a kernel", "interrupted")
    assert seen(row["run_id"]) == [
        [sources[0], "unknown", False],
        [sources[1], "ok", True],
        [sources[2], "ok", True],
        [sources[3], "error", True],
        [sources[4], "ok", True],
    ]
    assert len(ml.runs.metrics(row["run_id"], "loss")) == 3


def test_a_resumed_run_has_the_cells_of_both_kernels(shell) -> None:
    """A run that goes on in another kernel keeps the first one's cells and adds its own."""
    run(shell, "import modellab_jupyter as ml; r = ml.start_run('a')", "ml.end_run()")
    session.reset()
    shell.history_manager.reset(new_session=False)
    run(shell, "with ml.start_run(resume='a'): later = 1")
    cells = ml.runs.cells("a")
    assert cells.loc[cells["during"], "source"].tolist() == [
        "import modellab_jupyter as ml; r = ml.start_run('a')",
        "ml.end_run()",
        "with ml.start_run(resume='a'): later = 1",
    ]


def everything(name: str) -> list[dict]:
    session.current().found()
    store = session.current().store
    return store.read(queries.executions, store.resolve("run", name))


def test_what_runs_inside_a_cell_or_silently_is_recorded_and_shown_to_nobody(shell) -> None:
    """Nested and silent code is kept in the order in which it began; the list of cells is that of the history."""
    outer = "import time; get_ipython().run_cell('inner = 1'); time.sleep(0.02); get_ipython().run_cell('more = 2')"
    run(shell, "import modellab_jupyter as ml; r = ml.start_run('a')", outer)
    shell.run_cell("quiet = 3", silent=True)
    shell.run_cell("1 / 0", silent=True)
    run(shell, "last = 1", "ml.end_run()")
    found = everything("a")
    told = [(e["position"], e["source"], e["parent"], e["hidden"], e["outcome"]) for e in found]
    assert told[1:6] == [
        (1, outer, None, False, "ok"),
        (2, "inner = 1", 1, True, "ok"),
        (3, "more = 2", 1, True, "ok"),
        (4, "quiet = 3", None, True, "ok"),
        (5, "1 / 0", None, True, "error"),
    ]
    assert found[1]["duration"] > 0.02 > found[2]["duration"]
    assert found[5]["error"] == "ZeroDivisionError: division by zero"
    assert [source for source, *_ in seen("a")] == [found[0]["source"], outer, "last = 1", "ml.end_run()"]


def test_a_nested_cell_is_not_the_last_one(shell) -> None:
    """A run that is started and ended around nested code has the cells around it, and those that ran in them."""
    run(shell, "import modellab_jupyter as ml", "get_ipython().run_cell('r = ml.start_run(\"a\")')",
        "get_ipython().run_cell('ml.end_run()'); get_ipython().run_cell('after = 1')", "later = 1")  # fmt: skip
    assert [e["source"] for e in everything("a")][-3:] == [
        'r = ml.start_run("a")',
        "get_ipython().run_cell('ml.end_run()'); get_ipython().run_cell('after = 1')",
        "ml.end_run()",
    ]
    assert [during for *_, during in seen("a")] == [False, True, True]


def test_a_run_that_starts_inside_nested_code_belongs_to_the_cell_around_it(shell) -> None:
    """The recorder that is started late knows what is running, the outermost first."""
    run(
        shell,
        "x = 1",
        "get_ipython().run_cell('import modellab_jupyter as ml; r = ml.start_run(\"a\")')",
        "ml.end_run()",
    )
    found = everything("a")
    assert [(e["position"], e["parent"], e["outcome"]) for e in found] == [
        (0, None, "unknown"), (1, None, "ok"), (2, 1, "ok"), (3, None, "ok"),
    ]  # fmt: skip


def test_a_cell_that_awaits_is_recorded_with_its_outcome(shell) -> None:
    """Top-level await goes another way through IPython and is told all the same."""
    cells = [
        "import modellab_jupyter as ml; r = ml.start_run('a')", "import asyncio\nawait asyncio.sleep(0)",
        "await asyncio.sleep(0)\n1 / 0", "ml.end_run()",
    ]  # fmt: skip
    with ThreadPoolExecutor(1) as pool:  # a thread without an event loop: tests of a browser leave one running here
        pool.submit(run, shell, *cells).result()
    assert [e["outcome"] for e in everything("a")] == ["ok", "ok", "error", "ok"]
