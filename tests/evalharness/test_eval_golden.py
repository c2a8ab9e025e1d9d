"""The golden files, which the tests of the TypeScript harness read too, are what evalharness computes."""

import json
import math
import re

import pytest

from tests.golden.write import COMPUTE, HERE, INPUTS, strict

AGAIN = "run python -m tests.golden.write and look at what changed"
TINY = 1e-12


def differences(found, held, where=""):
    """Yield the places at which two values of JSON differ by more than rounding; only what is held is compared."""
    if isinstance(held, dict) and isinstance(found, dict):
        for key, value in held.items():
            yield from differences(found.get(key, "missing"), value, f"{where}.{key}")
    elif isinstance(held, list) and isinstance(found, list) and len(held) == len(found):
        for i, pair in enumerate(zip(found, held, strict=True)):
            yield from differences(*pair, f"{where}[{i}]")
    elif type(held) in (int, float) and type(found) in (int, float):
        if not math.isclose(found, held, rel_tol=TINY, abs_tol=1e-30):
            yield f"{where} is {found!r}, not {held!r}"
    elif found != held or type(found) is not type(held):
        yield f"{where} is {found!r}, not {held!r}"


def cases(name):
    return json.loads((HERE / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", COMPUTE)
def test_golden_files_hold_what_is_computed(name):
    """Every output follows from its input, to 1e-12."""
    wrong = []
    for case in cases(name):
        found = json.loads(json.dumps(strict(COMPUTE[name](case["input"]))))
        wrong += [f"{case['name']}{place}" for place in differences(found, case["output"])]
    assert not wrong, f"{AGAIN}: {wrong[:10]}, {len(wrong)} in all"


@pytest.mark.parametrize("name", INPUTS)
def test_golden_files_hold_the_cases_of_the_script(name):
    """The inputs are those that the script writes, in its order; what a case says is compared elsewhere."""
    held = [(case["name"], case["input"]) for case in cases(name)]
    assert held == [(case, json.loads(json.dumps(strict(given)))) for case, given in INPUTS[name]()], AGAIN


def test_golden_files_are_strict_json():
    """No file holds what JSON does not know, and none is there that no test reads."""
    assert {path.stem for path in HERE.glob("*.json")} == set(COMPUTE)
    for name in COMPUTE:
        assert not re.search(r"[:\[,](NaN|-?Infinity)", (HERE / f"{name}.json").read_text("utf-8"))
