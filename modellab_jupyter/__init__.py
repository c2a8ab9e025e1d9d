"""ModelLab for Jupyter: an experiment tracker in the notebook.

>>> import modellab_jupyter as ml
>>> with ml.start_run("first", project_id="churn") as run:  # doctest: +SKIP
...     ml.log_params({"depth": 3})
...     ml.log_metrics({"loss": 0.31}, step=1)

Everything is logged into ``modellab.duckdb`` beside the notebook. Names are resolved on first use, so that
importing costs nothing one could feel.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from modellab_jupyter.api import (
        active_run,
        end_run,
        log_artifact,
        log_dataset,
        log_latency,
        log_metric,
        log_metrics,
        log_model,
        log_param,
        log_params,
        set_note,
        set_tags,
    )
    from modellab_jupyter.catalog import artifacts, evaluations, runs, sql, storage, trash
    from modellab_jupyter.errors import (
        DamagedError,
        InputError,
        ModelLabError,
        NoActiveRunError,
        NotFoundError,
        StoreBusyError,
        StoreError,
        StoreNewerError,
        StoreUnreadableError,
    )
    from modellab_jupyter.packs import repro_pack, reproduce, verify_pack
    from modellab_jupyter.session import configure
    from modellab_jupyter.templates import train
    from modellab_jupyter.tracking import Run, start_run
    from modellab_jupyter.transfer import export, import_
    from modellab_jupyter.views import compare, dashboard, datasets, evaluation, projects

__version__ = "0.1.0"

_HOMES = {
    "api": (
        "active_run", "end_run", "log_artifact", "log_dataset", "log_latency",
        "log_metric", "log_metrics", "log_model", "log_param", "log_params", "set_note", "set_tags",
    ),
    "catalog": ("artifacts", "evaluations", "runs", "sql", "storage", "trash"),
    "errors": (
        "DamagedError", "InputError", "ModelLabError", "NoActiveRunError", "NotFoundError", "StoreBusyError",
        "StoreError", "StoreNewerError", "StoreUnreadableError",
    ),
    "packs": ("repro_pack", "reproduce", "verify_pack"),
    "session": ("configure",),
    "templates": ("train",),
    "tracking": ("Run", "start_run"),
    "transfer": ("export", "import_"),
    "views": ("compare", "dashboard", "datasets", "evaluation", "projects"),
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DamagedError",
    "InputError",
    "ModelLabError",
    "NoActiveRunError",
    "NotFoundError",
    "Run",
    "StoreBusyError",
    "StoreError",
    "StoreNewerError",
    "StoreUnreadableError",
    "__version__",
    "active_run",
    "artifacts",
    "compare",
    "configure",
    "dashboard",
    "datasets",
    "end_run",
    "evaluation",
    "evaluations",
    "export",
    "import_",
    "load_ipython_extension",
    "log_artifact",
    "log_dataset",
    "log_latency",
    "log_metric",
    "log_metrics",
    "log_model",
    "log_param",
    "log_params",
    "projects",
    "repro_pack",
    "reproduce",
    "runs",
    "set_note",
    "set_tags",
    "sql",
    "start_run",
    "storage",
    "train",
    "trash",
    "unload_ipython_extension",
    "verify_pack",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        said = f"module 'modellab_jupyter' has no attribute {name!r}"
        if importlib.util.find_spec(f"modellab_jupyter.{name}") is None:  # else an import asks before it loads a module
            from modellab_jupyter.errors import hint

            said += hint(name, _HOME)
        raise AttributeError(said)
    value = getattr(importlib.import_module(f"modellab_jupyter.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Give a notebook the ``%modellab`` magics; ``%load_ext modellab_jupyter`` calls this."""
    from modellab_jupyter import magics

    magics.load(ip)


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Take back everything that `load_ipython_extension` did."""
    from modellab_jupyter import magics

    magics.unload(ip)
