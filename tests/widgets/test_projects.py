"""The list of projects: what it answers, what it saves, and what strangers' names do not change."""

from __future__ import annotations

import datetime as dt
import json
import xml.etree.ElementTree as ET

import pytest
from memory_lists import MemoryProjects
from test_datasets import BOUND, ask, columns, data_of
from test_saved import ALLOWED, Tags

from modellab_jupyter.errors import InputError, NotFoundError
from modellab_jupyter.widgets import bars, saved
from modellab_jupyter.widgets.projects import ProjectList, by_day


def test_the_list_says_of_each_project_what_there_is():
    """Text and HTML hold runs by status, datasets, and the best run with its metric and interval."""
    bundle = ProjectList(MemoryProjects(3), live=False)._repr_mimebundle_()

    assert "3 projects · 36 runs · 6 failed · 3 running" in bundle["text/plain"]
    assert "forest: roc_auc 0.91 [0.880, 0.930]" in bundle["text/html"]
    assert "Runs over time" in bundle["text/html"]
    assert "36 runs from 2026-10-24 to 2026-11-02 by day" in bundle["text/html"]


def test_newest_projects_are_saved_with_runs_and_datasets():
    """Without a kernel the list, what happened when, and the runs and datasets of the newest are there."""
    data = data_of(ProjectList(MemoryProjects(3), live=False).saved())

    assert data["activity"]["rows"] == 12
    assert data["project"]["proj_00000"]["runs"]["rows"] == 12
    assert columns(data["project"]["proj_00000"]["datasets"])["name"]["values"] == ["customers"]


@pytest.mark.parametrize("hostile", [False, True])
def test_what_is_saved_is_bounded_and_says_so(hostile):
    """Of a thousand projects the newest are kept, within the bound, also where names are long."""
    bundle = ProjectList(MemoryProjects(1000, hostile=hostile), live=False).saved()
    data = data_of(bundle)

    assert len(json.dumps(bundle, ensure_ascii=False).encode()) < BOUND
    assert data["total"] == 1000
    assert f"{data['projects']['rows']} of 1,000 projects are saved here" in data["notice"]
    assert bundle["text/html"].count("<tr") == 51


def test_hostile_names_are_text_in_every_form():
    """Markup in names, runs and descriptions brings no element and no attribute."""
    bundle = ProjectList(MemoryProjects(3, hostile=True), live=False).saved()
    found = Tags(bundle["text/html"])

    assert set(found.tags) <= ALLOWED
    assert not any(name.startswith("on") for name in found.attributes)
    assert "x" * 500 not in json.dumps(bundle)
    json.dumps(bundle, allow_nan=False)


def test_an_empty_store_says_what_to_do():
    """Without projects each form says how the first one comes."""
    bundle = ProjectList(MemoryProjects(0), live=False).saved()

    assert "the first run makes one" in bundle["text/plain"]
    assert "the first run makes one" in bundle["text/html"]


def test_polling_reads_only_what_changed():
    """An unchanged token is answered without reading the list; a changed one with it and two blocks of bytes."""
    source = MemoryProjects(2)
    widget = ProjectList(source, live=False)
    token = ask(widget, "open").payload["token"]

    assert ask(widget, "poll", token=token).payload == {"changed": False, "token": token}
    source.token += 1
    assert len(ask(widget, "poll", token=token).buffers) == 2


def test_the_dashboard_is_asked_for_and_shown():
    """The verb gives the saved form of the project's dashboard."""
    shown = ask(ProjectList(MemoryProjects(2), live=False), "dashboard", project_id="proj_00001").payload["shown"]

    assert shown["view"] == "dashboard"
    assert json.loads(shown["data"])["runs"]["rows"] == 4


@pytest.mark.parametrize(
    ("verb", "payload", "error"),
    [("project", {}, InputError), ("project", {"project_id": 3}, InputError), ("dashboard", {}, InputError),
     ("project", {"project_id": "nowhere"}, NotFoundError)],
)  # fmt: skip
def test_what_a_page_asks_wrongly_is_refused_in_one_sentence(verb, payload, error):
    """A question that lacks something, or names what is not there, ends in a sentence."""
    with pytest.raises(error, match=r"\.$"):
        ask(ProjectList(MemoryProjects(2), live=False), verb, **payload)


def test_a_source_that_lacks_a_method_is_refused():
    """The methods that are missing are named."""
    with pytest.raises(TypeError, match="object lacks projects, activity"):
        ProjectList(object())


def day(text):
    return dt.date.fromisoformat(text)


def test_days_are_put_together_as_the_page_does():
    """Days up to a quarter, weeks from Monday up to three years, then months; none between is left out."""
    short = bars.periods({day("2026-11-03"): (2, 1), day("2026-11-01"): (5, 0)})
    weeks = bars.periods({day("2026-07-01"): (3, 0), day("2026-07-05"): (4, 0), day("2026-11-28"): (2, 2)})
    months = bars.periods({day("2020-01-31"): (1, 0), day("2020-02-29"): (1, 0), day("2026-11-28"): (5, 0)})

    assert short == ("day", [(day("2026-11-01"), 5, 0), (day("2026-11-02"), 0, 0), (day("2026-11-03"), 2, 1)])
    assert (weeks[0], weeks[1][0]) == ("week", (day("2026-06-29"), 7, 0))
    assert sum(runs for _, runs, _ in weeks[1]) == 9
    assert (months[0], len(months[1])) == ("month", 83)
    assert len(bars.periods({dt.date(1, 1, 1): (1, 0), dt.date(9999, 11, 30): (1, 0)})[1]) <= 420
    assert bars.periods({}) == ("day", [])


def test_the_picture_of_what_happened_is_svg():
    """Whatever the days, the picture is well-formed, and failed runs are hatched."""
    for days in ({}, by_day(MemoryProjects(2).activity()), {day("2026-11-03"): (1, 1)}):
        text = bars.activity(days)
        ET.fromstring(text)
        assert (b'fill="url(#f)" stroke' in text) == any(failed for _, failed in days.values())
    assert saved.MIME
