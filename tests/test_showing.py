"""Runs shown while they are recorded: what logging tells, what it may cost, how far a run is, views with a name."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import modellab_jupyter as ml
from modellab_jupyter import session, views
from modellab_jupyter.widgets.base import Channel, is_built

needs_build = pytest.mark.skipif(not is_built(), reason="the front end is not built here; run: pip install .")


class Watcher:
    """Something that is told, and may go wrong."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told, self.fails = 0, fails

    def news(self) -> None:
        self.told += 1
        if self.fails:
            raise RuntimeError("the screen broke")


def test_logging_tells_watchers_at_most_once_a_second() -> None:
    """However much is logged, who watches is told now and then, and nobody else pays for it."""
    watcher = Watcher()
    run = ml.start_run("a")
    ml.log_metrics({"loss": 1.0})
    session.current().watch(watcher)
    for _ in range(200):
        ml.log_metrics({"loss": 1.0})
    told = watcher.told
    run.end()

    assert told == 1


def test_a_view_that_breaks_never_reaches_the_training(caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong while a run is shown is written to the log once, and the run goes on."""
    watcher, other = Watcher(fails=True), Watcher()
    with ml.start_run("a") as run:
        session.current().watch(watcher)
        session.current().watch(other)
        ml.log_metrics({"loss": 1.0})
        session.current()._show_due = 0
        ml.log_metrics({"loss": 0.5})

    assert (watcher.told, other.told, run.status) == (1, 2, "finished")
    assert "a live view could not be brought up to date" in caplog.text


def test_showing_takes_a_fiftieth_of_the_time() -> None:
    """After a look that took some time nobody looks again before fifty times as long has passed."""
    budget = session.Budget()
    assert budget.wait() == 0.0
    with budget.spending():
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            pass

    assert 4.5 < budget.wait() < 8.0


def test_polls_wait_while_a_run_is_recorded_and_the_budget_is_spent() -> None:
    """A view that asks too early is told how long to wait; without a run it may ask whenever it likes."""
    with ml.start_run("a", project_id="p"):
        ml.log_metrics({"loss": 1.0})
        board = ml.dashboard("p", live=False)
        first = board._poll({"token": ""}).payload
        second = board._poll({"token": first["token"]}).payload
    third = board._poll({"token": first["token"]}).payload

    assert first["changed"] is True
    assert second["changed"] is False
    assert second["wait"] > 0.5
    assert third["changed"] is True


@needs_build
def test_news_are_pushed_only_to_views_that_cannot_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that asked a moment ago is left alone; one that was silent gets runs, progress and curves."""
    sent: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(Channel, "push", lambda _, verb, payload, buffers=(): sent.append((verb, dict(payload))))
    with ml.start_run("a", project_id="p", total_steps=10) as run:
        for step in range(4):
            ml.log_metrics({"loss": 1 / (step + 1), "other": 1.0}, step=step)
        board = ml.dashboard("p", live=True)
        board._repr_mimebundle_()
        assert board._channel is not None
        board.news()
        assert sent == []
        monkeypatch.setattr(board._channel, "_asked", time.monotonic() - 60)
        session.current().budget.due = 0
        board.news()
        session.current().budget.due = 0
        board.news()
    board.close()
    ((verb, payload),) = sent

    assert verb == "news"
    assert payload["runs"]["rows"] == 1  # type: ignore[index]
    (going,) = payload["progress"]  # type: ignore[misc]
    assert {k: going[k] for k in ("run_id", "step", "total")} == {"run_id": run.id, "step": 3, "total": 10}
    assert set(payload["series"]) == {"loss", "other"}  # type: ignore[call-overload]
    json.dumps(payload, allow_nan=False)


def test_progress_is_of_runs_that_are_recorded() -> None:
    """A run that ended, or went to the trash, is not under way; one without steps has none."""
    with ml.start_run("over", project_id="p"):
        ml.log_metrics({"loss": 1.0}, step=5)
    source = views.StoreSource()
    with ml.start_run("now", project_id="p") as run:
        (found,) = source.progress(None)
        project = ml.runs.get(run.id).project_id
        assert source.progress(project) == [found]
        assert source.progress("proj_other") == []

    assert (found["run_id"], found["step"], found["total"]) == (run.id, None, None)
    assert source.progress(None) == []


@pytest.mark.parametrize("steps", [0, -1, 2.5, "ten", True, 2**60])
def test_total_steps_are_whole_and_positive(steps: object) -> None:
    """Anything else is refused before a run begins."""
    with pytest.raises(ml.InputError, match="total_steps must be a whole number above 0, found"):
        ml.start_run("a", total_steps=steps)
    assert len(ml.runs.list()) == 0


def test_a_resumed_run_keeps_its_total_unless_it_gets_another() -> None:
    """What a run is expected to take stays with it."""
    ml.start_run("a", total_steps=10).end()
    source = views.StoreSource()
    with ml.start_run(resume="a"):
        assert source.progress(None)[0]["total"] == 10
    with ml.start_run(resume="a", total_steps=20):
        assert source.progress(None)[0]["total"] == 20


def test_views_are_kept_replaced_and_forgotten_by_name() -> None:
    """A name stands for the state that was kept last, in its project alone."""
    ml.start_run("a", project_id="p").end()
    ml.start_run("b", project_id="q").end()
    p, q = (ml.projects.get(name).project_id for name in "pq")
    source = views.StoreSource()
    source.keep_view(p, "<b>best</b>", {"filter": "x"})
    source.keep_view(p, "<b>best</b>", {"filter": "y"})
    source.keep_view(None, "all", {"filter": "z"})

    assert source.saved_views(p) == {"<b>best</b>": {"filter": "y"}}
    assert source.saved_views(q) == {}
    assert source.saved_views(None) == {"all": {"filter": "z"}}
    assert ml.dashboard("p", view="<b>best</b>", live=False)._state() == {"filter": "y"}
    source.keep_view(p, "<b>best</b>", None)
    assert source.saved_views(p) == {}


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_a_view_needs_a_name_that_can_be_shown(name: str) -> None:
    """A name that says nothing, or too much, is refused."""
    with pytest.raises(ml.InputError, match="name must"):
        views.StoreSource().keep_view(None, name, {})


def test_a_view_that_is_not_there_is_told_with_the_nearest() -> None:
    """Asking for a view by a wrong name says which there are."""
    ml.start_run("a", project_id="p").end()
    project = ml.projects.get("p").project_id
    with pytest.raises(ml.NotFoundError, match="no view named 'best'; it has none yet"):
        ml.dashboard("p", view="best")
    views.StoreSource().keep_view(project, "beste", {})
    with pytest.raises(ml.NotFoundError, match="did you mean 'beste'"):
        ml.dashboard("p", view="best")


def test_a_look_is_kept_for_the_cell_that_runs_again() -> None:
    """A second dashboard of the same cell opens as the first was left, in its saved form too."""
    ml.start_run("a", project_id="p").end()
    first = ml.dashboard("p", live=False)
    first._looked({"state": {"filter": "a"}})
    again = ml.dashboard("p", live=False)

    assert again._open({}).payload["state"] == {"filter": "a"}
    assert json.loads(again.saved()["application/vnd.modellab.v1+json"]["data"])["state"] == {"filter": "a"}
    with pytest.raises(ValueError, match="must be an object of at most"):
        first._looked({"state": {"filter": "a" * 200_000}})


def test_views_move_with_their_project_and_go_with_it(tmp_path: Path) -> None:
    """An export carries the views of its project alone; emptying the trash of the project ends them."""
    ml.start_run("a", project_id="p").end()
    project = ml.projects.get("p").project_id
    source = views.StoreSource()
    source.keep_view(project, "mine", {"filter": "a"})
    source.keep_view(None, "all", {})
    ml.export(tmp_path / "p.zip", "p")
    ml.projects.delete("p")
    ml.trash.empty()
    assert source.saved_views(project) == {}
    assert source.saved_views(None) == {"all": {}}

    ml.configure(tmp_path / "other.duckdb")
    ml.import_(tmp_path / "p.zip")
    ml.import_(tmp_path / "p.zip")
    moved = views.StoreSource()
    assert moved.saved_views(ml.projects.get("p").project_id) == {"mine": {"filter": "a"}}
    assert moved.saved_views(None) == {}
