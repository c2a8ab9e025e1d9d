"""Print what recording cells costs: medians per cell with and without it, side by side in one run. Decides nothing.

``python -m tests.benchmarks.capture`` from the top of a checkout; ``--quick`` repeats less often.
"""

from __future__ import annotations

import argparse

from tests.benchmarks.core import measured, median, show

CELLS = '''
import json, os, random, sys, time
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config(); config.HistoryManager.enabled = False
ip = InteractiveShell.instance(config=config)
folder = Path("data"); folder.mkdir()
for n in range(100):
    (folder / f"{n}.csv").write_text("a,b\\n" + "1,2\\n" * 2500)
cells = {
    "empty": "pass",
    "files": "for n in range(100):\\n    with open(f'data/{n}.csv') as file:\\n        file.read()",
    "frames": "for n in range(100):\\n    pd.read_csv(f'data/{n}.csv')",
    "long": "\\n".join(f"v{n} = 'text {n}'" for n in range(1000)),
    "drawing": "for n in range(100):\\n    np.random.default_rng()",
}
START = """from modellab_jupyter import session, start_run
run = start_run('a')
run._ending.set()
session.current().found()"""
ip.run_cell("import numpy as np, pandas as pd", store_history=True)
def time_all(n):
    found = {}
    for name, source in cells.items():
        taken = []
        for _ in range(n):
            a = time.perf_counter()
            ip.run_cell(source, store_history=True)
            taken.append(time.perf_counter() - a)
            time.sleep(0.01)
        found[name] = taken
    return found
time_all(3)
off, on = {name: [] for name in cells}, {name: [] for name in cells}
for _ in range(ROUNDS):
    for name, taken in time_all(7).items():
        off[name] += taken
    a = time.perf_counter()
    ip.run_cell("%load_ext modellab_jupyter", store_history=True)
    loaded = time.perf_counter() - a
    if RUN:
        ip.run_cell(START, store_history=True)
    time_all(1)
    for name, taken in time_all(7).items():
        on[name] += taken
    if RUN:
        ip.run_cell("run.end()", store_history=True)
    ip.run_cell("%unload_ext modellab_jupyter", store_history=True)
middle = lambda taken: sorted(taken)[len(taken) // 2]
print(json.dumps({f"{name}_{way}": middle(taken) for way, each in (("off", off), ("on", on))
                  for name, taken in each.items()}))
'''

LOAD = """
import json, time
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
a = time.perf_counter()
ip.run_cell("%load_ext modellab_jupyter", store_history=True)
print(json.dumps({"load": time.perf_counter() - a}))
"""

HOOK = """
import json, sys, time
from modellab_jupyter import reads
inside = reads.Reads("s", lambda: 0, lambda event: None)
inside.start()
audit, clock = sys.audit, time.perf_counter
open("one.txt", "w").close()
names = [f"f{n}" for n in range(2000)]
for name in names:
    open(name, "w").close()
inside._written.clear()
import os
def cost(call, n=20000):
    best = []
    for _ in range(5):
        a = clock()
        for _ in range(n):
            call()
        best.append((clock() - a) / n)
    return sorted(best)[2]
flags = os.O_RDONLY
prefix = sys.prefix + "/lib/x.py"
def fresh():
    inside.begin()
    for name in names:
        audit("open", name, "r", flags)
found = {"other": cost(lambda: audit("x.y", 1)), "package": cost(lambda: audit("open", prefix, "r", flags)),
         "again": cost(lambda: audit("open", "one.txt", "r", flags))}
found["new"] = cost(fresh, 1) / len(names)
inside.stop()
found["silent"] = cost(lambda: audit("open", "one.txt", "r", flags))
print(json.dumps(found))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="repeat less often")
    quick = parser.parse_args().quick
    rows = measured(LOAD, 3 if quick else 9)
    show("%load_ext modellab_jupyter", 1e3 * median(rows, "load"), "ms", 150)
    hook = measured(HOOK, 3 if quick else 7)
    for key, what in (
        ("silent", "audit event while nobody listens"), ("other", "audit event that is none of ours"),
        ("package", "opening a file of a package"), ("again", "opening a file once more in a cell"),
        ("new", "opening a file for the first time in a cell"),
    ):  # fmt: skip
        show(what, 1e6 * median(hook, key), "us", None)
    for recording in (False, True):
        code = CELLS.replace("ROUNDS", "3" if quick else "7").replace("if RUN:", f"if {recording}:")
        rows = measured(code, 1 if quick else 3)
        state = "during a run" if recording else "without a run"
        for name, what in (
            ("empty", "empty cell"), ("files", "cell that reads 100 files of 10 kB"),
            ("frames", "cell that reads 100 frames of 10 kB"), ("long", "cell of 1,000 lines"),
            ("drawing", "cell with 100 unseeded generators"),
        ):  # fmt: skip
            off, on = 1e3 * median(rows, f"{name}_off"), 1e3 * median(rows, f"{name}_on")
            note = f"{off:.3f} ms without, {on:.3f} ms with: {100 * (on / off - 1):+.1f} %"
            show(f"{what}, {state}: recording", on - off, "ms", 5, note)


if __name__ == "__main__":
    main()
