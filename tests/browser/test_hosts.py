"""Hosts that have no extension of ours: what VS Code and Colab give a widget is all that it needs."""

from __future__ import annotations

import gallery
import plain_host
import pytest
from gallery import WIDGETS

pytestmark = pytest.mark.browser

SIGNS = {
    "VS Code": "__vsc_ipynb_file__ = 'all.ipynb'",
    "Colab": "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')",
}


@pytest.mark.parametrize("host", SIGNS)
def test_the_channel_of_the_kernel_is_enough(host, lab, shown, page):
    """Without files, network and storage each widget draws, sorts and has charts; shared files come once a frame."""
    cells = [SIGNS[host], "import modellab_jupyter as ml", *[widget.code for widget in WIDGETS]]
    with plain_host.showing(lab.work / gallery.FOLDER, cells, together=host == "VS Code") as found:
        page.goto(found.url)
        for i, widget in enumerate(WIDGETS):
            frame = page.locator("iframe").nth(0 if host == "VS Code" else i)
            frame.scroll_into_view_if_needed()
            view = frame.content_frame.locator(".modellab:not(.modellab .modellab)").nth(i if host == "VS Code" else 0)
            view.wait_for()
            for text in widget.says(shown.found):
                view.get_by_text(text).first.wait_for(state="attached")
            for act in widget.plays:
                act(page, view)
        frames = 1 if host == "VS Code" else len(WIDGETS)
        assert found.asked.count("asset views") == frames
        assert 1 <= found.asked.count("asset plotly") <= frames
        assert {"open", "series"} <= set(found.asked)
    assert page.outside == []
    assert page.errors == []
