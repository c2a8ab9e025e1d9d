"""Real example notebooks, run, packed, rebuilt in an environment of their own and reproduced: how many come back.

The examples are those of scikit-learn as Debian ships them (``apt-get download python-sklearn-doc``), or of any folder
of scripts in the same form. Each becomes a notebook, cell by cell, with a run around it that logs every number that the
script leaves in its variables. ``python -m tests.benchmarks.gallery --count 20`` prints a line for each and the shares.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHIPPED = Path("/usr/share/doc/python-sklearn-doc/examples")
PACKAGE = "python-sklearn-doc"
NETWORK = re.compile(r"\bfetch_\w+\s*\(|openml|urlopen|requests\.")
BEGIN = """%load_ext modellab_jupyter
import modellab_jupyter as ml
import matplotlib; matplotlib.use("agg")
run = ml.start_run({!r})"""
END = """
import numpy as _np
_found = {}
for _name, _value in sorted(globals().items()):
    if _name.startswith("_") or isinstance(_value, bool):
        continue
    if isinstance(_value, (int, float, _np.number)):
        _found[_name] = float(_value)
    elif isinstance(_value, _np.ndarray) and _value.dtype.kind in "fiu" and _value.size:
        _found[_name + ".mean"] = float(_value.mean())
assert _found, "it leaves no number that could be compared"
ml.log_metrics(_found)
run.end()
"""


def scripts(folder: Path | None, unpacked: Path) -> list[Path]:
    """Return the example scripts: of a folder, of the installed package, or of the package as it is downloaded."""
    place = folder or SHIPPED
    if folder is None and not any(SHIPPED.rglob("plot_*.py")):
        subprocess.run(["apt-get", "download", PACKAGE], cwd=unpacked, check=True, capture_output=True)
        package = next(unpacked.glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(package), str(unpacked / "tree")], check=True)
        package.unlink()
        place = unpacked / "tree" / SHIPPED.relative_to("/")
    return sorted(place.rglob("plot_*.py"), key=lambda path: (path.stat().st_size, path.name))


def cells(script: Path) -> list[str]:
    """Return a script of the gallery cut where it has its own cells, text left out."""
    text = script.read_text("utf-8")
    text = re.sub(r'\A(#[^\n]*\n)*\s*[rR]?"""(.|\n)*?"""', "", text)
    parts = re.split(r"^#\s*%%.*$|^#{20,}\s*$", text, flags=re.MULTILINE)
    code = ["\n".join(line for line in part.splitlines() if not line.startswith("#")).strip() for part in parts]
    return [BEGIN.format(script.stem), *(part for part in code if part), END.strip()]


def notebook(script: Path, folder: Path, limit: int) -> str | None:
    """Run an example as a notebook in a folder; return why it could not be, or None."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells(script)])
    path = folder / "example.ipynb"
    nbformat.write(book, path)
    client = NotebookClient(book, timeout=limit, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    names = {"JPY_SESSION_NAME": str(path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        client.execute()
    except Exception as error:  # noqa: BLE001 - an example may need what is not here, and fail in any way
        return str(error).strip().splitlines()[-1][:80]
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    nbformat.write(book, path)
    return None


def judged(name: str, folder: Path, explain: bool) -> tuple[str, Any]:
    """Pack and reproduce the run of a folder; return how it came back, and the verdict."""
    import modellab_jupyter as ml

    ml.configure(store=folder / "modellab.duckdb")
    ml.repro_pack(name, folder / "run.zip")
    verdict = ml.reproduce(folder / "run.zip", yes=True, explain=explain)
    if verdict.conclusion in {"exact", "equal"}:
        return verdict.conclusion, verdict
    established = [cause for cause in verdict.causes if cause.confirmed]
    unknown = [cause for cause in verdict.causes if cause.factor == "unknown"]
    return ("explained" if established and not unknown else "unexplained"), verdict


def rows(options: argparse.Namespace) -> Iterator[tuple[str, str, Any, float]]:
    """Give name, outcome, verdict and seconds of each example that runs here, until there are enough."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        work = Path(name)
        done = 0
        for number, script in enumerate(scripts(options.examples, work)):
            if done >= options.count:
                return
            if NETWORK.search(script.read_text("utf-8")):
                continue
            folder = work / f"{number:03}"
            folder.mkdir()
            why = notebook(script, folder, options.limit)
            if why is not None:
                print(f"{script.stem:<50} does not run here: {why}", flush=True)
                continue
            done += 1
            began = time.perf_counter()
            outcome, verdict = judged(script.stem, folder, options.explain)
            yield script.stem, outcome, verdict, time.perf_counter() - began


def main() -> None:
    """Print how each example came back, and the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="examples that run here, the smallest first")
    parser.add_argument("--limit", type=int, default=120, help="seconds that one cell may take")
    parser.add_argument("--examples", type=Path, help="a folder of scripts in place of scikit-learn's")
    parser.add_argument("--no-explain", dest="explain", action="store_false", help="look for no causes")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    counts: Counter[str] = Counter()
    for name, outcome, verdict, seconds in rows(options):
        counts[outcome] += 1
        metrics = next((level.sentence for level in verdict.levels if level.name == "metrics"), "")
        print(f"{name:<50} {outcome:<12} {seconds:5.1f} s  {metrics}", flush=True)
        for cause in verdict.causes:
            print(f"    {'✓' if cause.confirmed else '?'} {cause.sentence}", flush=True)
    total = sum(counts.values())
    shares = ", ".join(
        f"{kind} {counts[kind]} ({counts[kind] / max(1, total):.0%})"
        for kind in ("exact", "equal", "explained", "unexplained")
    )
    print(f"{total} notebooks: {shares}")


if __name__ == "__main__":
    main()
