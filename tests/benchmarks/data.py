"""Print what registering and comparing a large table costs, in medians. Decides nothing.

``python -m tests.benchmarks.data`` from the top of a checkout; ``--rows`` and ``--repeats`` say how much.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from modellab_jupyter.data import as_table, table_digest
from modellab_jupyter.drift import Side, compare
from modellab_jupyter.summary import summarise


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return twenty columns: normal and whole numbers, categories, ids, times, truth values, holes."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {f"normal {i}": rng.normal(size=rows) for i in range(8)}
    columns |= {f"whole {i}": rng.integers(0, 1000, rows) for i in range(4)}
    columns |= {f"category {i}": rng.choice(["a", "bb", "ccc", "dddd"], rows) for i in range(4)}
    columns["id"] = [f"user-{seed}-{i}" for i in range(rows)]
    columns["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, rows), unit="s")
    columns["truth"] = rng.random(rows) < 0.3
    columns["holes"] = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    return pd.DataFrame(columns)


def main() -> None:
    """Print one line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    frames = [table(args.rows, seed) for seed in (1, 2)]
    tables = [as_table(frame) for frame in frames]
    kept = [summarise(one) for one in tables]
    whole = [Side(str(i), table_digest(one), one, None) for i, one in enumerate(tables)]
    gone = [Side(str(i), str(i), None, one) for i, one in enumerate(kept)]
    steps: dict[str, Callable[[], Any]] = {
        "pandas to Arrow": lambda: as_table(frames[0]),
        "digest": lambda: table_digest(tables[0]),
        "summary": lambda: summarise(tables[0]),
        "drift from rows": lambda: compare("d", *whole),
        "drift from summaries": lambda: compare("d", *gone),
    }
    print(f"{args.rows} rows, {len(frames[0].columns)} columns; a summary has {len(kept[0].encode())} bytes")
    for name, step in steps.items():
        times = []
        for _ in range(args.repeats):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        print(f"{name:<22}{statistics.median(times):8.3f} s")


if __name__ == "__main__":
    main()
