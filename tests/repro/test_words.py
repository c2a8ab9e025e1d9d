"""Verdicts in words, as JSON, and as exit codes."""

from __future__ import annotations

import json
import math
from typing import get_args, get_type_hints

import pytest

from modellab_jupyter.repro import reproduce, words
from modellab_jupyter.repro.records import Cause, HiddenState, Level, Verdict

CONCLUSIONS = get_args(get_type_hints(Verdict)["conclusion"])


def verdict(conclusion: str = "differs") -> Verdict:
    rows = [{"metric": f"m{n}", "recorded": 0.5, "found": math.nan, "level": "differs"} for n in range(9)]
    return Verdict(
        "ab" * 32,
        {"name": "rf <script>"},
        conclusion,  # type: ignore[arg-type]
        (
            Level("manifest", holds=True, sentence="every file is what the manifest says."),
            Level("metrics", holds=False, sentence="9 different.", rows=rows),
            Level("notebook", holds=None, sentence="not asked."),
        ),
        (
            Cause("clock", confirmed=True, sentence="m0 differs because of the clock."),
            Cause("x", confirmed=False, sentence="m1 differs: cause not established."),
        ),
        (HiddenState("deleted", "x", 3, 1, "x comes from a deleted cell."),),
        {"replay": 1.25},
    )


def test_a_verdict_is_read_from_top_to_bottom() -> None:
    """The conclusion stands first, each level has one line and its mark, rows are few, causes are told apart."""
    lines = words.text(verdict()).splitlines()
    assert lines[0] == "rf <script>: not reproduced: metrics differ"
    assert [line.strip()[0] for line in lines[1:3]] == ["✓", "✗"]
    assert lines[3:9] == [f"      m{n}: 0.5 → nan  (differs)" for n in range(5)] + ["      and 4 more"]
    assert lines[9].split() == ["?", "notebook", "not", "asked."]
    assert lines[10:] == [
        "Confirmed, by a replay that changed this alone:", "  - m0 differs because of the clock.", "Not confirmed:",
        "  - m1 differs: cause not established.", "Hidden state:", "  - x comes from a deleted cell.",
        "Took replay 1.2 s.",
    ]  # fmt: skip


def test_json_is_strict_and_whole() -> None:
    """Everything of a verdict is in its JSON, which has a schema and no NaN."""
    told = json.loads(words.as_json(verdict()), parse_constant=lambda word: pytest.fail(word))
    assert (told["schema"], told["conclusion"], told["exit_code"]) == ("modellab.verdict/1", "differs", 1)
    assert told["levels"][1]["rows"][0]["found"] == "NaN"
    assert told["causes"][0] == {"factor": "clock", "confirmed": True, "sentence": "m0 differs because of the clock."}
    assert told["hidden"][0]["name"] == "x"


@pytest.mark.parametrize("conclusion", CONCLUSIONS)
def test_every_conclusion_has_words_and_a_code(conclusion: str) -> None:
    """Success is intact, exact and equal alone; unknown is not failure; all others are."""
    code = words.exit_code(verdict(conclusion))
    assert code == {"intact": 0, "exact": 0, "equal": 0, "unknown": 2}.get(conclusion, 1)
    assert ("reproduced:" in words.text(verdict(conclusion)).replace("not reproduced:", "")) == (
        conclusion in {"exact", "equal"}
    )


def test_nothing_of_a_pack_steers_a_terminal() -> None:
    """Names, values, paths and sentences stay on their lines, whole verdicts can be printed, and JSON is ASCII."""
    evil = "x\n✓ reproduced\r\x1b[2J\x9b2J\u202eabc\u2028\u2066\ud800" + " " * 200 + "y"
    told = Verdict(
        "ab", {"name": evil}, "differs",
        (Level("data", holds=False, sentence=evil, rows=[{"path": evil, "recorded": evil, "found": {evil: evil}}]),),
        (Cause(evil, confirmed=True, sentence=evil), Cause(evil, confirmed=False, sentence=evil)),
        (HiddenState("deleted", evil, 3, 1, evil),), {evil: 1.0},
    )  # fmt: skip
    text = words.text(told)
    assert len(text.splitlines()) == 10
    assert all(character.isprintable() for line in text.splitlines() for character in line)
    assert text.encode().partition(b"\n")[0].endswith(b": not reproduced: metrics differ")
    assert len(text.splitlines()[0]) < 100
    assert words.as_json(told).isascii()
    assert json.loads(words.as_json(told))["run"]["name"] == evil


@pytest.mark.parametrize(
    ("said", "size"), [("4 GB", 4 * 10**9), ("4GiB", 4 << 30), ("512 kb", 512_000), ("1.5M", 1_500_000)]
)
def test_sizes_are_read_as_they_are_written(said: str, size: int) -> None:
    """Of sizes with an i the thousand has 1,024."""
    assert reproduce._bytes(said) == size
