"""``nbconvert --to modellab``: one page, asking nobody, whatever the notebook holds."""

from __future__ import annotations

import copy
import re

import nbformat
import pytest
from memory_source import HOSTILE, MemorySource

from modellab_jupyter.exporter import ModelLabExporter
from modellab_jupyter.widgets.base import LIVE_MIME, is_built
from modellab_jupyter.widgets.dashboard import Dashboard
from modellab_jupyter.widgets.saved import MIME

LOADS = re.compile(r"""(?:src|href)=["']?(?:https?:)?//|import\(?\s*["'](?:https?:)?//|url\(["']?https?:""")


def notebook(*bundles):
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in bundles]
    cell = nbformat.v4.new_code_cell("board", outputs=outputs, execution_count=1)
    made = nbformat.v4.new_notebook(cells=[cell])
    made.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    return made


def exported(*bundles):
    return ModelLabExporter().from_notebook_node(notebook(*bundles))[0]


def bundle(**given):
    return Dashboard(MemorySource(5, **given))._repr_mimebundle_()


@pytest.mark.skipif(not is_built(), reason="the front end is not built in this checkout; run: pip install .")
def test_shared_files_are_in_the_page_once():
    """Ten widgets cost little more than one: views and Plotly are held once."""
    one, ten = exported(bundle()), exported(*[bundle()] * 10)
    for page, count in ((one, 1), (ten, 10)):
        assert page.count('id="modellab-plotly"') == page.count('id="modellab-views"') == 1
        assert page.count(f'<script type="{MIME}">') == count
    assert len(ten) - len(one) < 9 * 50_000


def test_nothing_is_asked_of_a_network():
    """No script, style or picture of the page is somewhere else, and widgets' own loader is not there."""
    page = re.sub(r'<script type="application/gzip".*?</script>', "", exported(bundle()), flags=re.S)
    assert not LOADS.findall(page)
    assert "html-manager" not in page


def test_a_notebook_without_our_outputs_gets_no_scripts():
    page = exported({"text/plain": "3"})
    assert "modellab-views" not in page
    assert "3" in page


def test_widgets_of_others_keep_their_plain_form():
    """A live widget would be fetched from a network; what stands beside it is shown."""
    page = exported({LIVE_MIME: {"model_id": "abc"}, "text/plain": "IntSlider(value=3)"})
    assert "IntSlider(value=3)" in page
    assert "abc" not in page


def test_hostile_names_do_not_leave_their_script():
    """What a run is called can neither end the script that holds it nor start another."""
    page = exported(bundle(hostile=True))
    (held,) = re.findall(f'<script type="{re.escape(MIME)}">(.*?)</script>', page, flags=re.S)
    assert "<" not in held
    assert HOSTILE not in page


def test_the_notebook_is_not_changed():
    given = notebook({**bundle(), LIVE_MIME: {"model_id": "abc"}})
    before = copy.deepcopy(given)
    ModelLabExporter().from_notebook_node(given)
    assert given == before
