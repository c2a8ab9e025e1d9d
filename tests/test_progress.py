"""Progress of long work, on a real terminal and without one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

from tests.conftest import ROOT, answer

WORK = """
import sys, time
from modellab_jupyter.progress import steps
with steps("working", 3, unit="model") as step:
    for name in ("first", "second", "third"):
        step(name); time.sleep(float(sys.argv[1]))
print("done")
"""


def terminal(*args: str) -> str:
    """Return what Python writes to a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, *args], stdout=theirs, stderr=theirs, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(30) == 0
    return said.decode()


def test_long_work_says_what_it_does_and_leaves_nothing() -> None:
    """A step that lasts is named, the next one too, and the line is empty when the work is over."""
    said = terminal("0.8")
    assert "working" in said
    assert "first" in said.partition("second")[0]
    assert "third" in said
    last = said.replace("\r\n", "\n").rpartition("\r")[2]
    assert last == "done\n"


def test_short_work_shows_nothing() -> None:
    """What is over before anybody could read it is not announced."""
    assert terminal("0.01") == "done\r\n"


def test_nothing_is_shown_where_nobody_looks() -> None:
    """A pipe gets the output of the work alone."""
    assert answer(WORK, "0.4") == "done\n"
