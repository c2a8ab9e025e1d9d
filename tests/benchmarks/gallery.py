"""Real example notebooks, run, packed, rebuilt in an environment of their own and reproduced: how many come back.

The examples are those that projects ship: scikit-learn's and statsmodels' in Debian (``apt-get download``), those of
arch, imbalanced-learn, linearmodels and lmfit in their source distributions (``pip download``). They need the packages
of ``pip install -e '.[gallery]'``; a project that is not installed is left out, with a line that says so. Notebooks run
as they are, scripts cut into their cells, with a run around that logs every number which an example leaves in its
variables. Projects take turns, the smallest examples first.

``python -m tests.benchmarks.gallery`` prints a line for each example, and the shares of each project and of all.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KINDS = ("exact", "equal", "explained", "unexplained")
NETWORK = re.compile(
    r"\bfetch_\w+\s*\(|openml|urlopen|\brequests\.|get_rdataset|webuse|pandas_datareader|[\"']https?://\S*[\"'/]"
)
BEGIN = """%load_ext modellab_jupyter
import modellab_jupyter as ml
import matplotlib; matplotlib.use("agg")
run = ml.start_run({!r})"""
END = """
import contextlib as _contextlib
import numpy as _np
import pandas as _pd

_NUMERIC = (int, float, _np.number, _np.ndarray, _pd.Series, _pd.DataFrame)

def _mean(value):
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        return None
    frame = value.select_dtypes("number") if isinstance(value, _pd.DataFrame) else value
    numbers = _np.asarray(frame)
    if numbers.dtype.kind not in "fiu":
        return None
    finite = numbers[_np.isfinite(numbers)]
    return float(finite.mean()) if finite.size else None

_found = {}
for _name, _value in sorted(globals().items()):
    if _name.startswith("_"):
        continue
    _parts = {_name + (".mean" if hasattr(_value, "__len__") else ""): _value}
    for _part in ("params", "pvalues", "pvalue", "stat", "llf", "loglikelihood", "aic", "chisqr"):
        with _contextlib.suppress(Exception):
            _parts[_name + "." + _part] = getattr(_value, _part)
    _found |= {key: mean for key, mean in ((key, _mean(part)) for key, part in _parts.items()) if mean is not None}
assert _found, "it leaves no number that could be compared"
ml.log_metrics(_found)
run.end()
"""


@dataclass(frozen=True)
class Project:
    """Whose examples: the distribution that they need, what ships them, and where in it they are."""

    name: str
    pattern: str
    debian: str | None = None  # a package of Debian; else it is the source distribution of the installed version

    @property
    def source(self) -> str:
        """What ships the examples."""
        return f"Debian's {self.debian}" if self.debian else f"PyPI's {self.name} {metadata.version(self.name)}"

    def examples(self, folder: Path) -> list[Path]:
        """Return the examples, the smallest first, from what an index or an archive gives."""
        folder.mkdir()
        if self.debian:
            subprocess.run(["apt-get", "download", self.debian], cwd=folder, check=True, capture_output=True)
            subprocess.run(["dpkg", "-x", str(next(folder.glob("*.deb"))), str(folder)], check=True)
        else:
            given = ["--no-deps", "--no-binary", self.name, "-d", str(folder)]
            wanted = f"{self.name}=={metadata.version(self.name)}"
            subprocess.run([sys.executable, "-m", "pip", "download", *given, wanted], check=True, capture_output=True)
            with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
        for packed in folder.rglob("*.ipynb.gz"):  # Debian's policy for documents above 4 KiB
            packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        return smallest_first(folder.glob(self.pattern))


PROJECTS = (
    Project("scikit-learn", "usr/share/doc/python-sklearn-doc/examples/**/plot_*.py", "python-sklearn-doc"),
    Project("statsmodels", "usr/share/doc/python-statsmodels-doc/examples/notebooks/*.ipynb", "python-statsmodels-doc"),
    Project("arch", "arch-*/examples/*.ipynb"),
    Project("imbalanced-learn", "imbalanced_learn-*/doc/auto_examples/**/*.ipynb"),
    Project("linearmodels", "linearmodels-*/examples/*.ipynb"),
    Project("lmfit", "lmfit-*/examples/example_*.py"),
)


@dataclass(frozen=True)
class Outcome:
    """How one example came back."""

    source: str
    name: str
    kind: str
    verdict: Any
    seconds: float


def smallest_first(paths: Iterator[Path]) -> list[Path]:
    """Return paths by size and name."""
    return sorted(paths, key=lambda path: (path.stat().st_size, path.name))


def cells(example: Path) -> list[tuple[str, str]]:
    """Return kind and source of an example's cells: of a notebook as they are, of a script where it cuts itself."""
    import nbformat

    if example.suffix == ".ipynb":
        return [(cell.cell_type, cell.source) for cell in nbformat.read(example, as_version=4).cells]
    text = example.read_text("utf-8")
    text = re.sub(r'\A(#[^\n]*\n)*\s*[rR]?"""(.|\n)*?"""', "", text)
    parts = re.split(r"^#\s*%%.*$|^#{20,}\s*$", text, flags=re.MULTILINE)
    code = ["\n".join(line for line in part.splitlines() if not line.startswith("#")).strip() for part in parts]
    return [("code", part) for part in code if part]


def wrapped(example: Path) -> Any:
    """Return an example as a notebook with a run around it."""
    import nbformat

    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }
    told = [("code", BEGIN.format(example.stem)), *cells(example), ("code", END.strip())]
    return nbformat.v4.new_notebook(cells=[make[kind](source) for kind, source in told])


def notebook(example: Path, folder: Path, limit: int) -> str | None:
    """Run an example as a notebook in a folder, beside the files that it names; return why it could not be, or None."""
    import nbformat
    from nbclient import NotebookClient

    text = example.read_text("utf-8")
    for near in example.parent.iterdir():
        if near.is_file() and near != example and near.name in text:
            shutil.copy(near, folder)
    book = wrapped(example)
    path = folder / "example.ipynb"
    nbformat.write(book, path)
    client = NotebookClient(book, timeout=limit, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    names = {"JPY_SESSION_NAME": str(path), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        client.execute()
    except Exception as error:  # noqa: BLE001 - an example may need what is not here, and fail in any way
        return re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()[-1][:80]
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


def outcomes(source: str, examples: list[Path], work: Path, options: argparse.Namespace) -> Iterator[Outcome]:
    """Give how the examples of one source come back, those that run here."""
    for example in examples:
        if NETWORK.search(example.read_text("utf-8")):
            continue
        folder = Path(tempfile.mkdtemp(dir=work))
        why = notebook(example, folder, options.limit)
        if why is not None:
            print(f"{example.stem:<48} {source}: does not run here: {why}", flush=True)
            continue
        began = time.perf_counter()
        kind, verdict = judged(example.stem, folder, options.explain)
        yield Outcome(source, example.stem, kind, verdict, time.perf_counter() - began)


def sources(options: argparse.Namespace, work: Path) -> dict[str, list[Path]]:
    """Return what ships examples, and the examples: of a folder, or of the projects that are installed."""
    if options.examples:
        return {str(options.examples): smallest_first(p for p in options.examples.rglob("*")
                                                      if re.fullmatch(r"plot_.*\.py|.*\.ipynb", p.name))}  # fmt: skip
    found = {}
    for project in PROJECTS:
        if options.only and project.name not in options.only:
            continue
        try:
            metadata.version(project.name)
        except metadata.PackageNotFoundError:
            print(f"{project.name} is not installed and left out; pip install -e '.[gallery]'", flush=True)
            continue
        found[project.source] = project.examples(work / project.name)
        print(f"{len(found[project.source])} examples in {project.source}", flush=True)
    return found


def in_turn(options: argparse.Namespace, work: Path) -> Iterator[Outcome]:
    """Give one outcome of each source, then the next of each, until there are enough."""
    waiting = [outcomes(source, paths, work, options) for source, paths in sources(options, work).items()]
    done = 0
    while waiting:
        for one in list(waiting):
            found = next(one, None)
            if found is None:
                waiting.remove(one)
                continue
            yield found
            done += 1
            if done >= options.count:
                return


def shares(counts: Counter[str]) -> str:
    """Return how many came back in which way."""
    total = sum(counts.values())
    return f"{total} notebooks: " + ", ".join(f"{kind} {counts[kind]} ({counts[kind] / total:.0%})" for kind in KINDS)


def main() -> None:
    """Print how each example came back, and the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30, help="examples that run here, of all projects in turn")
    parser.add_argument("--limit", type=int, default=120, help="seconds that one cell may take")
    parser.add_argument("--only", nargs="+", metavar="PROJECT", help="examples of these projects alone")
    parser.add_argument("--examples", type=Path, help="a folder of notebooks or scripts in place of the projects'")
    parser.add_argument("--no-explain", dest="explain", action="store_false", help="look for no causes")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        for one in in_turn(options, Path(name)):
            counts.setdefault(one.source, Counter())[one.kind] += 1
            metrics = next((level.sentence for level in one.verdict.levels if level.name == "metrics"), "")
            print(f"{one.name:<48} {one.source:<32} {one.kind:<11} {one.seconds:5.1f} s  {metrics}", flush=True)
            for cause in one.verdict.causes:
                print(f"    {'✓' if cause.confirmed else '?'} {cause.sentence}", flush=True)
    for source, found in counts.items():
        print(f"{source}: {shares(found)}")
    if counts:
        print(shares(sum(counts.values(), Counter())))


if __name__ == "__main__":
    main()
