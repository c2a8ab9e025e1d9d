"""A real JupyterLab and a real Chromium, one of each for the session."""

from __future__ import annotations

import os

import host
import pytest
from pages import watched


@pytest.fixture(scope="session", autouse=True)
def _needs():
    reason = host.missing()
    if reason is None:
        return
    if os.environ.get("MODELLAB_REQUIRE_BROWSER") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(_needs, tmp_path_factory):
    with host.jupyter_lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="session")
def browser(_needs):
    with host.browsing() as started:
        yield started


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    made = watched(context.new_page())
    made.set_default_timeout(30_000)
    yield made
    context.close()
