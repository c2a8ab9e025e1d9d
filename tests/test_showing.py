"""Runs shown while they are recorded: what logging tells, what it may cost, how far a run is, views with a name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import modellab_jupyter as ml
from modellab_jupyter import session, views
from modellab_jupyter.widgets.base import STILL_EVERY, Channel, is_built

needs_build = pytest.mark.skipif(not is_built(), reason="the front end is not built here; run: pip install .")


class Watcher:
    """Something that is told, and may go wrong."""

    def __init__(self, *, fails: bool = False, place: tuple[str, str] = ("", "")) -> None:
        self.told, self.fails, self.place = 0, fails, place
        self.refreshed = self.closed = 0

    def refresh(self) -> None:
        self.refreshed += 1

    def close(self) -> None:
        self.closed += 1

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
    """What goes wrong while a run is shown is written to the log, and the run goes on."""
    watcher, other = Watcher(fails=True), Watcher()
    with ml.start_run("a") as run:
        session.current().watch(watcher)
        session.current().watch(other)
        for _ in range(5):
            session.current().budget = session.Budget()
            session.current()._show_due = 0
            ml.log_metrics({"loss": 1.0})

    assert run.status == "finished"
    assert watcher.told <= session.FAILURES
    assert other.told > 0
    assert "a live view could not be brought up to date" in caplog.text


def test_who_waited_longest_is_told_first() -> None:
    """Where the budget is enough for one, watchers take turns."""

    class Costly(Watcher):
        def news(self) -> None:
            super().news()
            session.current().budget._due = time.time_ns() + 10**12

    watchers = [Costly() for _ in range(3)]
    with ml.start_run("a"):
        for watcher in watchers:
            session.current().watch(watcher)
        for _ in range(3):
            session.current().budget = session.Budget()
            session.current()._show_due = 0
            ml.log_metrics({"loss": 1.0})

    assert [watcher.told for watcher in watchers] == [1, 1, 1]


def test_a_cell_that_runs_again_closes_what_it_showed_before() -> None:
    """A watcher of an earlier execution is closed; of the same execution, of another cell or of no cell it stays."""
    first, beside = Watcher(place=("p cell-1", "one")), Watcher(place=("p cell-1", "one"))
    other, unknown = Watcher(place=("p cell-2", "one")), Watcher()
    for watcher in (first, beside, other, unknown, Watcher(place=("p cell-1", "two"))):
        session.current().watch(watcher)

    assert [watcher.closed for watcher in (first, beside, other, unknown)] == [1, 1, 0, 0]


def test_watchers_are_told_that_a_run_ended() -> None:
    """The end of a run asks every view to look, whatever the budget says."""
    watcher = Watcher()
    session.current().watch(watcher)
    ml.start_run("a").end()

    assert watcher.refreshed == 1


def test_showing_takes_a_fiftieth_of_the_time() -> None:
    """After a look that took some time nobody looks again before fifty times as long has passed."""
    budget = session.Budget()
    assert budget.wait() == 0.0
    for beside in (True, False):
        end = time.thread_time() + 0.1
        with budget.spending(beside=beside):
            while time.thread_time() < end:
                pass

    assert budget.wait() > 9.0


def test_waiting_costs_only_the_thread_that_waits() -> None:
    """A look that waits for a lock counts where a training waits with it, and not beside it."""
    alone, beside = session.Budget(), session.Budget()
    with alone.spending(beside=False):
        time.sleep(0.1)
    with beside.spending(beside=True):
        time.sleep(0.1)

    assert alone.wait() > 4.5
    assert beside.wait() < 4.0


def test_a_forked_child_shows_nothing() -> None:
    """The screen is its parent's: what a child logs is told to no view."""
    watcher = Watcher()
    with ml.start_run("a"):
        session.current().watch(watcher)
        session.current().unwatch()
        ml.log_metrics({"loss": 1.0})

    assert watcher.told == 0


@needs_build
def test_every_answer_counts_and_polls_wait_for_it() -> None:
    """While a run is recorded a poll waits until earlier answers are paid for; a person's question never does."""
    ask = {"protocol": 1, "id": 1}
    with ml.start_run("a", project_id="p") as run:
        ml.log_metrics({"loss": 1.0}, step=0)
        board = ml.dashboard("p", live=True)
        board._repr_mimebundle_()
        channel = board._channel
        assert channel is not None
        opened, _ = channel.answer({**ask, "verb": "open"})
        token = opened["payload"]["token"]
        early, _ = channel.answer({**ask, "verb": "poll", "payload": {"token": token}})
        before = session.current().budget.wait()
        series, _ = channel.answer({**ask, "verb": "series", "payload": {"run_ids": [run.id], "key": "loss"}})
        after = session.current().budget.wait()
    late, _ = channel.answer({**ask, "verb": "poll", "payload": {"token": token}})
    board.close()

    assert early["payload"]["changed"] is False
    assert early["payload"]["wait"] > 0
    assert series["payload"]["rows"] == 1
    assert after > before - 0.5
    assert late["payload"]["changed"] is True


@needs_build
def test_saved_forms_leave_a_training_to_who_looks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run is recorded, a saved form is made once a minute and takes no turn of what is asked for the screen."""
    still, poll = {"protocol": 1, "id": 1, "verb": "still"}, {"protocol": 1, "id": 2, "verb": "poll"}
    with ml.start_run("a", project_id="p"):
        board = ml.dashboard("p", live=True)
        board._repr_mimebundle_()
        channel = board._channel
        assert channel is not None
        early, _ = channel.answer(still)
        looked, _ = channel.answer(poll)
        monkeypatch.setattr(session.current(), "budget", session.Budget())
        monkeypatch.setattr(channel, "_kept", channel._kept - STILL_EVERY)
        due, _ = channel.answer(still)
        monkeypatch.setattr(session.current(), "budget", session.Budget())
        again, _ = channel.answer(still)
    late, _ = channel.answer(still)
    board.close()

    assert 0 < early["payload"]["wait"] <= STILL_EVERY
    assert looked["payload"]["changed"] is True
    assert "still" in due["payload"]
    assert 0 < again["payload"]["wait"] <= STILL_EVERY
    assert "still" in late["payload"]


@needs_build
def test_news_are_pushed_only_to_views_that_cannot_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that asked a moment ago is left alone; one that was silent gets runs, progress and curves."""
    sent: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(Channel, "push", lambda _, verb, payload, buffers=(): sent.append((verb, dict(payload))))
    with ml.start_run("a", project_id="p", total_steps=10) as run:
        for step in range(4):
            ml.log_metrics({"loss": 1 / (step + 1), "other": 1.0}, step=step)
        assert run._describing is not None
        run._describing.join()  # what it finds out is news, too
        board = ml.dashboard("p", live=True)
        board._repr_mimebundle_()
        assert board._channel is not None
        board.news()
        assert sent == []
        monkeypatch.setattr(board._channel, "_asked", time.monotonic() - 60)
        board.news()
        board.news()
        ((verb, payload),) = sent
    board.close()

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
        assert [one["run_id"] for one in source.progress(project)] == [run.id]
        assert source.progress("proj_other") == []

    assert (found["run_id"], found["step"], found["total"]) == (run.id, None, None)
    assert source.progress(None) == []


def test_a_killed_run_is_not_under_way() -> None:
    """A run whose process is gone has no progress, whatever the store still says of it."""
    code = "import os, modellab_jupyter as ml; ml.start_run('killed', total_steps=9); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert list(ml.runs.list()["status"]) == ["stale"]
    assert views.StoreSource().progress(None) == []


def test_a_resumed_run_counts_from_where_it_went_on() -> None:
    """Its pace is that of its present life: the first step and the time since it was resumed in another process."""
    code = """import modellab_jupyter as ml
with ml.start_run('a', total_steps=100):
    for step in range(10):
        ml.log_metrics({'loss': 1.0}, step=step)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with ml.start_run(resume="a"):
        ml.log_metrics({"loss": 1.0})
        (found,) = views.StoreSource().progress(None)

    assert (found["first"], found["step"], found["total"]) == (10, 10, 100)
    assert found["elapsed"] < 60


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


@needs_build
def test_a_dashboard_says_where_its_project_went() -> None:
    """In the trash it says how to bring it back, emptied out of it that it is not there any more."""
    ml.start_run("a", project_id="p").end()
    board = ml.dashboard("p", live=True)
    board._repr_mimebundle_()
    assert board._channel is not None
    ml.projects.delete("p")
    trashed, _ = board._channel.answer({"protocol": 1, "id": 1, "verb": "open"})
    ml.trash.empty()
    gone, _ = board._channel.answer({"protocol": 1, "id": 1, "verb": "open"})
    board.close()

    assert "is in the trash; bring it back with ml.projects.restore(" in trashed["error"]
    assert gone["error"].startswith("no project goes by 'proj_")
