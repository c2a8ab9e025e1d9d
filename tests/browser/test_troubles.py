"""What goes wrong is said, stays as long as it matters, and leaves what is on the screen as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from alone import Alone

from modellab_jupyter.widgets.dashboard import Dashboard
from modellab_jupyter.widgets.datasets import DatasetList

sys.path.append(str(Path(__file__).parent.parent / "widgets"))
from memory_lists import MemoryDatasets
from memory_source import MemorySource

pytestmark = pytest.mark.browser

ALERT = ".modellab .ml-error:visible"
STATE = ".modellab .ml-state"


class Broken(MemorySource):
    """A source that can be told to fail at reading or at acting."""

    reading = acting = None

    def changes(self, project_id):
        if self.reading:
            raise OSError(self.reading)
        return super().changes(project_id)

    def act(self, verb, run_ids, payload):
        if self.acting:
            raise OSError(self.acting)
        return super().act(verb, run_ids, payload)


def first(page):
    return page.locator(".modellab .ml-body .ml-row .ml-first > bdi").first.inner_text()


def tag(page, text):
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("textbox", name="Add a tag to 1 run:").fill(text)
    page.keyboard.press("Enter")


def polled(page, alone):
    """Wait until the view has asked once more and drawn the answer."""
    before = alone.asked.count("poll")
    for _ in range(100):
        page.wait_for_timeout(100)
        if alone.asked.count("poll") > before:
            return page.wait_for_timeout(100)
    raise AssertionError("the view does not ask any more")


def test_why_an_action_failed_stays_until_the_next_or_until_it_is_dismissed(page):
    """Polling that succeeds does not take away what a person has to read."""
    source = Broken(3)
    alone = Alone(page, Dashboard(source, live=True))
    page.locator(".modellab .ml-row[aria-rowindex='2'] .ml-tick").click()
    source.acting = "the disk is full"
    tag(page, "one")
    page.wait_for_selector(f"{ALERT} >> text=the disk is full")
    polled(page, alone)
    assert page.locator(ALERT).inner_text().startswith("the disk is full")
    assert page.locator(STATE).inner_text().startswith("live")
    page.get_by_role("button", name="Dismiss").click()
    assert page.locator(ALERT).count() == 0
    tag(page, "two")
    page.wait_for_selector(ALERT)
    source.acting = None
    tag(page, "three")
    page.wait_for_selector(".modellab .ml-row >> text=three")
    assert page.locator(ALERT).count() == 0
    assert page.errors == []


def test_what_could_not_be_read_can_be_tried_again(page):
    """The sentence and a button come, the last rows stay with their age, and both go once reading succeeds."""
    source = Broken(3)
    alone = Alone(page, Dashboard(source, live=True))
    page.wait_for_selector(".modellab .ml-body .ml-row")
    source.reading = "the network is down"
    page.wait_for_selector(f"{ALERT} >> text=the network is down")
    assert page.locator(STATE).inner_text().startswith("as of ")
    assert page.locator(".modellab .ml-body .ml-row").count() == 3
    source.reading = None
    opened = alone.asked.count("open")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("() => document.querySelector('.modellab .ml-state').textContent.startsWith('live')")
    assert page.locator(ALERT).count() == 0
    assert alone.asked.count("open") == opened + 1
    assert page.errors == []


@pytest.mark.parametrize(("widget", "source"), [(Dashboard, MemorySource), (DatasetList, MemoryDatasets)])
def test_a_busy_kernel_is_no_error(page, widget, source):
    """Without an answer a view says that the kernel is busy and since when, keeps what it had, and goes on."""
    page.clock.install()
    alone = Alone(page, widget(source(3), live=True))
    rows = page.locator(".modellab .ml-body").first.locator(".ml-row")
    rows.first.wait_for()
    before = rows.count()
    alone.busy = ("poll",)
    page.clock.run_for(4_000)
    page.clock.run_for(31_000)
    page.wait_for_function(
        "() => document.querySelector('.modellab .ml-state').textContent.startsWith('the kernel is busy; as of ')"
    )
    assert page.locator(ALERT).count() == 0
    assert rows.count() == before
    alone.busy = ()
    page.clock.run_for(4_000)
    page.wait_for_function("() => document.querySelector('.modellab .ml-state').textContent.startsWith('live')")
    assert page.errors == []


def test_a_kernel_that_never_answered_can_be_asked_again(page):
    """Without anything to show there is the sentence and a button, and no state that claims to know something."""
    page.clock.install()
    alone = Alone(page, Dashboard(MemorySource(3), live=True), busy=("open", "poll"))
    page.wait_for_selector(f"{STATE} >> text=loading")
    page.clock.run_for(31_000)
    page.wait_for_selector(f"{ALERT} >> text=The kernel does not answer")
    assert page.locator(STATE).inner_text().startswith("no data")
    alone.busy = ()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".modellab .ml-body .ml-row")
    assert page.locator(ALERT).count() == 0


def test_a_slip_in_a_filter_keeps_the_last_one_while_runs_come(page):
    """New runs move rows; behind what is half typed stand the runs of the last filter, not others by their place."""
    source = Broken(6)
    alone = Alone(page, Dashboard(source, live=True))
    page.wait_for_selector(".modellab .ml-body .ml-row")
    page.locator(".modellab .ml-filter").fill("name = logistic")
    assert page.locator(".modellab .ml-body .ml-row").count() == 1
    page.locator(".modellab .ml-filter").fill("name = logistic and (")
    source.rows.insert(0, {**source.rows[0], "run_id": "run_new", "name": "new"})
    polled(page, alone)
    assert page.locator(".modellab .ml-slip").is_visible()
    assert page.locator(".modellab .ml-body .ml-row").count() == 1
    assert first(page) == "logistic"
    assert page.errors == []
