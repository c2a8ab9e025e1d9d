from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import modellab_jupyter as ml
from modellab_jupyter import magics


@pytest.fixture
def ip():
    """A real IPython with our magics loaded, and none of them afterwards."""
    shell = InteractiveShell.instance()
    shell.reset(new_session=False)
    ml.load_ipython_extension(shell)
    yield shell
    ml.unload_ipython_extension(shell)
    InteractiveShell.clear_instance()


def slip(ip, line, cell=None):
    """Return the one line that a slip shows."""
    with pytest.raises(UsageError) as caught:
        ip.run_line_magic("modellab", line) if cell is None else ip.run_cell_magic("modellab", line, cell)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_run_in_three_magics(ip, capsys):
    """Start, log and end record a run with its params, metrics, tags and seed."""
    ip.user_ns["acc"] = 0.9
    ip.run_line_magic("modellab", "start first --project churn --seed 3 --param lr=0.1 --param model=rf --tag draft")
    ip.run_line_magic("modellab", "log acc loss=1-acc --step 4 --note 'a note'")
    ip.run_line_magic("modellab", "end")

    run = ml.runs.get("first")

    assert run.params == {"lr": 0.1, "model": "rf"}
    assert run.metrics == {"acc": 0.9, "loss": 1 - 0.9}
    assert run.last_steps == {"acc": 4, "loss": 4}
    assert (run.seed, run.note, run.tags, run.project, run.status) == (
        3,
        "a note",
        {"draft": None},
        "churn",
        "finished",
    )
    assert "is recording" in capsys.readouterr().out


def test_values_are_names_dollars_braces_and_expressions(ip):
    """A value may be a variable's name, $name, {expr} or an expression."""
    ip.user_ns |= {"x": 2.0, "title": "named"}
    ip.run_line_magic("modellab", "start $title")
    ip.run_line_magic("modellab", "log x a=$x b={x * 2} c=x**3 d=max(1, 5)")
    ip.run_line_magic("modellab", "end")

    assert ml.runs.get("named").metrics == {"x": 2.0, "a": 2.0, "b": 4.0, "c": 8.0} | {"d": 5.0}


def test_a_cell_becomes_a_run(ip):
    """%%modellab run records outcome, params and what was asked for, and shows the cell's last value."""
    value = ip.run_cell_magic(
        "modellab", "run fit --seed 1 --param depth={1 + 2} --log z --log twice=z*2", "z = 5\nz + 1"
    )

    run = ml.runs.get("fit")

    assert value == 6
    assert ip.user_ns["z"] == 5
    assert run.metrics == {"z": 5.0, "twice": 10.0}
    assert run.params == {"depth": 3}
    assert run.status == "finished"


def test_a_cell_that_raises_is_failed_and_raises_as_usual(ip):
    """The user's exception leaves the cell as it is, also one of a kind that we use ourselves."""
    for name, code, kind in (("a", "1 / 0", ZeroDivisionError), ("b", "raise ValueError('mine')", ValueError)):
        with pytest.raises(kind):
            ip.run_cell_magic("modellab", f"run {name}", f"before = 1\n{code}")

        assert ml.runs.get(name).status == "failed"
        assert kind.__name__ in ml.runs.get(name).error


def test_the_cell_of_a_cell_run_is_recorded(ip):
    """The source of the cell that was the run is among the run's cells, marked as during it."""
    ip.run_cell("first = 1", store_history=True)
    ip.run_cell("%%modellab run here\nsecond = 2", store_history=True)

    cells = ml.runs.cells("here")

    assert cells.loc[cells["during"], "source"].tolist() == ["%%modellab run here\nsecond = 2"]
    assert "first = 1" in cells.loc[~cells["during"], "source"].tolist()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rns", "%modellab has no verb 'rns'; did you mean 'runs'?"),
        ("runs --limt 3", "'--limt' is not understood; did you mean '--limit'? %modellab runs --help tells more."),
        ("log x=1", "no run is active; start one with ml.start_run(name=...) or %modellab start."),
        ("run nope", "no run goes by 'nope'; the store has no run yet."),
        ("start --seed many", "no variable is named 'many'."),
        ("start --seed 1.5", "--seed must be a whole number, found 1.5."),
        ("start a --dataset nowhere.csv", "data must be a frame, a file or a dataset of the store"),
        ("sql delete from runs", "query must be one SELECT, found something else; the store is read only here."),
        ("sql select * from rns", "the query was refused: Catalog Error: Table with name rns does not exist!"),
        ("start 'open", "a quote ' is not closed."),
        ("latency sum([1])", "no run is active to log the latency of 'sum([1])' to; start one with %modellab start"),
        ("trash --restore x", "nothing in the trash goes by 'x'."),
        ("compare one", "no run goes by 'one'"),
        ("template clasification", "argument name: invalid choice: 'clasification'"),
    ],
)  # fmt: skip
def test_a_slip_is_one_line(ip, line, said):
    """What a user mistypes is answered in one line that says what was wrong, and nothing is recorded."""
    assert said in slip(ip, line)
    assert len(ml.runs.list()) == 0


def test_a_verb_that_is_no_cell_magic_says_so(ip):
    """%%modellab with a line verb names the right form."""
    assert (
        slip(ip, "start a", "x = 1")
        == "%%modellab start is not a cell magic; write %modellab start in a line of its own."
    )


def test_a_list_shows_the_best_of_each_run(ip):
    """%modellab runs --summary best shows of each metric the best value in place of the last."""
    with ml.start_run("one") as run:
        for value in (3.0, 1.0, 2.0):
            run.log_metrics({"loss": value})

    assert ip.run_line_magic("modellab", "runs --summary best")["metrics.loss"].tolist() == [1.0]
    assert ip.run_line_magic("modellab", "runs")["metrics.loss"].tolist() == [2.0]


def test_sql_into_a_variable(ip):
    """%%modellab sql --into keeps the frame under that name."""
    with ml.start_run("one"):
        pass
    ip.run_cell_magic("modellab", "sql --into found", "select name\nfrom runs")

    assert ip.user_ns["found"]["name"].tolist() == ["one"]


def test_latency_counts_its_runs_and_leaves_out_the_warmup(ip):
    """%modellab latency logs n durations of a statement and shows three quantiles."""
    ip.run_line_magic("modellab", "start timed")
    shown = ip.run_line_magic("modellab", "latency sum(range(10)) -n 30 --warmup 2 --name sum")

    assert shown["quantile"].tolist() == ["P50", "P95", "P99"]
    assert set(shown["n"]) == {30}
    assert set(shown["warmup"]) == {2}


@pytest.mark.parametrize("verb", magics.verbs())
def test_every_verb_has_help(ip, capsys, verb):
    """--help of every verb prints its usage and ends quietly."""
    ip.run_line_magic("modellab", f"{verb} --help")

    assert f"usage: %modellab {verb}" in capsys.readouterr().out


def test_alone_it_says_where_it_logs_to_and_what_is_possible(ip, capsys, tmp_path):
    """%modellab without a verb names the store, the project and every verb."""
    ip.run_line_magic("modellab", "")

    out = capsys.readouterr().out

    assert "modellab.duckdb" in out
    assert all(f"  {verb} " in out for verb in magics.verbs())


def test_completion_knows_verbs_options_runs_and_projects(ip):
    """Tab completes verbs, options, choices, runs and projects."""
    with ml.start_run("base", project_id="churn"):
        pass

    def completed(text):
        with provisionalcompleter():
            return [found.text for found in ip.Completer.completions(text, len(text))]

    assert "dashboard" in completed("%modellab da")
    assert "--baseline" in completed("%modellab start --ba")
    assert "base" in completed("%modellab run ba")
    assert "churn" in completed("%modellab dashboard ch")
    assert "regression" in completed("%modellab template reg")


def test_loading_twice_and_unloading_leave_nothing(ip):
    """load is idempotent and unload takes everything back."""
    ml.load_ipython_extension(ip)
    assert sum(m is magics.complete for m in ip.Completer.custom_matchers) == 1

    ml.unload_ipython_extension(ip)

    assert "modellab" not in ip.magics_manager.magics["line"]
    assert magics.complete not in ip.Completer.custom_matchers


def test_trash_destroys_only_when_told_twice(ip, capsys):
    """trash --empty names what it would destroy; with --yes it does."""
    with ml.start_run("gone"):
        pass
    ip.run_line_magic("modellab", "run gone --delete")
    ip.run_line_magic("modellab", "trash --empty")
    assert "this destroys 1 run for good" in capsys.readouterr().out
    assert len(ml.trash.list()) == 1

    ip.run_line_magic("modellab", "trash --empty --yes")

    assert len(ml.trash.list()) == 0
    assert len(ml.sql("select * from runs")) == 0


@pytest.mark.parametrize(
    "line", ["-n 30 --name sum -- sum(range(10))", "sum(range(10)) -n 30 --name sum", "-n 30 sum(range(10)) --name=sum"]
)
def test_latency_takes_options_on_either_side(ip, line):
    """Options may stand before or behind the statement."""
    ip.run_line_magic("modellab", "start timed")
    shown = ip.run_line_magic("modellab", f"latency {line}")

    assert shown["name"].tolist() == ["sum"] * 3
    assert set(shown["n"]) == {30}


def test_a_statement_that_fails_is_the_users_own_error(ip):
    """What the timed statement raises is shown as usual; what is no statement is one line."""
    ip.run_line_magic("modellab", "start timed")
    with pytest.raises(ZeroDivisionError):
        ip.run_line_magic("modellab", "latency 1/0")

    assert "is not a statement" in slip(ip, "latency x x x")


def test_log_writes_all_or_nothing(ip):
    """One value that cannot be logged keeps the others of that line from being logged."""
    ip.run_line_magic("modellab", "start whole --param depth=2")
    for line in ("log acc=0.5 --param depth=3", "log acc=0.5 --artifact nofile.txt", "log acc=0.5 bad='x'"):
        assert slip(ip, line)
    ip.run_line_magic("modellab", "end")

    assert ml.runs.get("whole").metrics == {}
    assert ml.runs.get("whole").params == {"depth": 2}


def test_a_start_that_is_run_again_says_what_goes_on(ip, capsys):
    """A second start is within the first, and says so; an end says what is still recording."""
    for line in ("start one", "start two", "end", "end"):
        ip.run_line_magic("modellab", line)
    first, second, ended, last = capsys.readouterr().out.splitlines()

    assert first.endswith(" is recording; %modellab end ends it")
    assert second.endswith(" is recording within run 'one', which goes on; %modellab end ends it")
    assert ended.endswith(" finished; run 'one' is still recording")
    assert last.endswith(" finished")


def test_run_changes_what_may_change(ip):
    """A tag, note or name reaches a recorded run; what only a cell magic can do is refused."""
    with ml.start_run("one"):
        pass
    ip.run_line_magic("modellab", "run one --tag seen --note 'look'")

    assert ml.runs.get("one").tags == {"seen": None}
    assert ml.runs.get("one").note == "look"
    assert "is for the cell magic" in slip(ip, "run one --seed 3")


def test_the_project_of_a_start_stays(ip):
    """After %modellab start --project P later runs of the notebook belong to P."""
    ip.run_line_magic("modellab", "start a --project churn")
    ip.run_line_magic("modellab", "end")
    ip.run_cell_magic("modellab", "run b", "x = 1")

    assert ml.runs.get("b").project == "churn"


def test_a_dataset_goes_by_its_name_also_beside_a_variable(ip):
    """Deleting speaks of the name, and showing of a name with a dot of the dataset."""
    import pandas as pd

    ip.user_ns["df"] = pd.DataFrame({"x": [1, 2]})
    ip.run_line_magic("modellab", "dataset df")
    ml.datasets.add(ip.user_ns["df"], "sales.2024")
    ip.run_line_magic("modellab", "dataset df --delete")

    assert ml.datasets.list()["name"].tolist() == ["sales.2024"]
    assert len(ip.run_line_magic("modellab", "dataset sales.2024")) == 2


def test_a_cell_that_awaits_is_told(ip):
    """Top-level await in a cell run is refused in one line, and no run is left behind."""
    assert "a cell that awaits cannot become a run" in slip(ip, "run a", "import asyncio\nawait asyncio.sleep(0)")
    assert len(ml.runs.list()) == 0


def test_a_place_that_cannot_be_a_store_is_one_line(ip):
    """A path below a file is refused in one line."""
    assert "'/dev/null' is none" in slip(ip, "init /dev/null/x.duckdb")


def test_lists_are_letters_in_a_terminal(ip):
    """Without a kernel `datasets` and `projects` give the frames of the collections."""
    import pandas as pd

    ml.datasets.add(pd.DataFrame({"x": [1]}), "small", project_id="p")

    assert ip.run_line_magic("modellab", "datasets --project p")["name"].tolist() == ["small"]
    assert ip.run_line_magic("modellab", "projects")["name"].tolist() == ["p"]
