"""``modellab demo``: the classification template on a real data set, into a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import catalog, session, views
from modellab_jupyter.errors import InputError
from modellab_jupyter.templates import notebook, train

if TYPE_CHECKING:
    import pandas as pd

PROJECT = "demo"
TARGET = "diagnosis"
MARK = ".modellab-demo"  # says that a folder is the demo's own


def data() -> pd.DataFrame:
    """Return scikit-learn's breast cancer data, 569 rows, with the target as words.

    W. N. Street, W. H. Wolberg and O. L. Mangasarian, Nuclear feature extraction for breast tumor diagnosis, 1993.
    """
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer(as_frame=True)
    frame: pd.DataFrame = found.data.assign(**{TARGET: found.target_names[found.target]})
    return frame


def run(folder: Path) -> str:
    """Train, evaluate and compare; return what was found, where it lies, and what to type next.

    Raises
    ------
    InputError
        `folder` is a file, or a folder with other things in it.
    """
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / MARK).exists())):
        raise InputError(f"folder must be new, empty or of an earlier demo, found {str(folder)!r}; give another one.")
    target.mkdir(parents=True, exist_ok=True)
    (target / MARK).touch()
    session.configure(target / "modellab.duckdb", PROJECT)
    table = target / "breast_cancer.csv"
    data().to_csv(table, index=False)
    summary = train("classification", table, TARGET, project_id=PROJECT)
    report = write_report(target / "report.html", [str(model.run_id) for model in summary.models], summary.best.run_id)
    copied = target / "classification.ipynb"
    if not copied.exists():  # somebody may have worked in it since
        notebook.copy("classification", copied, parameters={"data": table.name, "target": TARGET, "project": PROJECT})
    evaluated = views.latest_evaluations([str(summary.best.run_id)])[str(summary.best.run_id)]
    places = {
        "store": target / "modellab.duckdb",
        "artifact folder": target / "modellab.files" / evaluated["folder"],
        "report (offline)": report,
        "notebook": copied,
    }
    width = max(map(len, places)) + 2
    near = [f"  {name:<{width}}{_short(place)}" for name, place in places.items()]
    program = _program()
    steps = [
        f"  {program} lab {_short(target)}   opens the notebook in JupyterLab",
        f"  {program} --store {_short(target / 'modellab.duckdb')} runs",
        f"  {program} train classification YOUR.csv --target COLUMN",
    ]
    return "\n".join([str(summary), "", *near, "", "Next:", *steps])


def write_report(path: Path, run_ids: list[str], best: str | None) -> Path:
    """Write one HTML file that needs no network: the comparison, the best run's evaluation, all runs."""
    parts: list[Any] = [views.compare(*run_ids)]
    if best is not None:
        parts.append(views.evaluation(best))
    bodies = [part.to_html() for part in parts]
    bodies.append(views.dashboard(catalog.runs.get(run_ids[0]).project_id, live=False)._repr_mimebundle_()["text/html"])
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ModelLab report</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>body{max-width:1100px;margin:24px auto;padding:0 16px;color:#222;background:#fff}</style></head><body>"
        + "<hr>".join(bodies)
        + "</body></html>\n",
        "utf-8",
    )
    return path


def _short(path: Path) -> str:
    """Return a path relative to the current folder where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _program() -> str:
    """Return how the command was called, as far as that can be typed again."""
    import shutil
    import sys

    if shutil.which("modellab"):
        return "modellab"
    beside = Path(sys.argv[0])
    return _short(beside.absolute()) if beside.name == "modellab" and os.access(beside, os.X_OK) else "modellab"
