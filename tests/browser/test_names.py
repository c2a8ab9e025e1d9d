"""Names that turn letters around change nothing but the text shown."""

from __future__ import annotations

import numpy as np
import pytest
from alone import Alone

import modellab_jupyter as ml
from modellab_jupyter.views import ProjectStore
from modellab_jupyter.widgets.projects import ProjectList

pytestmark = pytest.mark.browser

NAME = "שלום 12 \u202eabc\u2067 \u2069 עולם"
ORDER = """root => {
  const turned = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const whole = node.parentElement.closest('p, h2, h3, h4, summary, caption, li, dd, small, label, text');
    if (!whole || !node.parentElement.checkVisibility()) continue;
    // Letters of a name by itself, in an element that isolates it, may stand as they like.
    if (/^\\p{Script=Hebrew}/u.test(node.data)) continue;
    let end = { top: NaN, right: 0 }, inside = 0;
    [...node.data].forEach((letter, i) => {
      if (letter === '\u2068') inside++;
      if (letter === '\u2069') inside--;
      if (!/[\\p{L}0-9]/u.test(letter)) return;
      const range = document.createRange();
      range.setStart(node, i), range.setEnd(node, i + 1);
      const { left, right, top } = range.getBoundingClientRect();
      const same = Math.abs(end.top - top) < 2;
      const around = !inside && !/\\p{Script=Hebrew}/u.test(letter);
      if (same && around && left < end.right - 1) turned.push(node.data.slice(0, 120));
      end = { top, right: same ? Math.max(right, end.right) : right };
    });
  }
  return [...new Set(turned)];
}"""


@pytest.fixture
def evaluated(tmp_path):
    """Two runs, judged by classes of such a name."""
    ml.configure(tmp_path / "modellab.duckdb", project=NAME)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    for name, noise in ((NAME, 0.2), ("b", 0.4)):
        p = np.clip(0.25 + 0.5 * y + noise * rng.normal(size=200), 0, 1)
        with ml.start_run(name, params={NAME: name, "depth": 3 if name == "b" else 4}) as run:
            ml.log_metrics({NAME: 1.0}, step=1)
            ml.log_metrics({NAME: noise}, step=2)
            run.evaluate(p, [NAME if one else "no" for one in y], positive=NAME, config={"n_resamples": 200})


@pytest.mark.parametrize("shown", ["dashboard", "compare", "evaluation", "projects"])
def test_what_stands_around_a_name_stays_in_its_order(page, evaluated, shown):
    """Letters and digits of each sentence run from left to right, and no sign that turns them is on the page."""
    widget = {
        "dashboard": lambda: ml.dashboard(live=True),
        "compare": lambda: ml.compare(NAME, "b"),
        "evaluation": lambda: ml.evaluation(NAME),
        "projects": lambda: ProjectList(ProjectStore(), live=True),
    }[shown]()
    widget._live = True
    Alone(page, widget)
    page.wait_for_selector(".modellab .main-svg" if shown != "projects" else ".modellab .ml-detail .ml-row")
    page.wait_for_timeout(300)
    everything = page.evaluate(
        "() => document.body.innerText + [...document.querySelectorAll('[title], [aria-label], option')]"
        ".map(e => `${e.title} ${e.ariaLabel} ${e.label ?? ''}`).join('\\n')"
    )
    assert "שלום" in everything
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067") & set(everything)
    assert page.evaluate(f"({ORDER})(document.querySelector('.modellab'))") == []
    plain = widget.saved()
    page.set_content(plain["text/html"])
    assert page.evaluate(f"({ORDER})(document.body)") == []
    for line in plain["text/plain"].split("\n"):
        assert line.count("\u2068") == line.count("\u2069")
    assert page.errors == []
