"""Module-level verbs: each a thin use of the active run or of the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modellab_jupyter import session
from modellab_jupyter.tracking import Run

if TYPE_CHECKING:
    from modellab_jupyter.schema import Status


def active_run() -> Run | None:
    """Return the innermost run that is being recorded, None where there is none."""
    active = session.current().active
    return active[-1] if active else None


def end_run(status: Status = "finished") -> None:
    """End the innermost active run; see `Run.end`."""
    session.current().run.end(status)


def log_metrics(metrics: Mapping[str, float], step: int | None = None) -> None:
    """Log one value of each metric to the active run; see `Run.log_metrics`."""
    session.current().run.log_metrics(metrics, step)


def log_metric(key: str, value: float, step: int | None = None) -> None:
    """Log one value of one metric to the active run; see `Run.log_metrics`."""
    session.current().run.log_metrics({key: value}, step)


def log_params(params: Mapping[str, Any]) -> None:
    """Log params to the active run; see `Run.log_params`."""
    session.current().run.log_params(params)


def log_param(key: str, value: Any) -> None:
    """Log one param to the active run; see `Run.log_params`."""
    session.current().run.log_params({key: value})


def log_latency(seconds: float | Iterable[float], name: str = "latency", *, warmup: bool = False) -> None:
    """Log durations in seconds to the active run; see `Run.log_latency`."""
    session.current().run.log_latency(seconds, name, warmup=warmup)


def log_artifact(path_or_object: Any, name: str | None = None, *, max_size: int | None = None) -> str:
    """Keep a file, folder or object with the active run; see `Run.log_artifact`."""
    return session.current().run.log_artifact(path_or_object, name, max_size=max_size)


def log_model(model: Any, name: str = "model", *, max_size: int | None = None) -> str:
    """Keep a model with the active run, never as a pickle; see `Run.log_model`."""
    return session.current().run.log_model(model, name, max_size=max_size)


def log_dataset(data: Any, name: str | None = None, *, split: str = "") -> str:
    """Record that the active run uses a dataset; see `Run.log_dataset`."""
    return session.current().run.log_dataset(data, name, split=split)


def set_tags(tags: Mapping[str, str | None] | Iterable[str] | str, remove: Sequence[str] = ()) -> None:
    """Label the active run; see `Run.set_tags`."""
    session.current().run.set_tags(tags, remove)


def set_note(note: str) -> None:
    """Set the free text of the active run."""
    session.current().run.set_note(note)
