"""The standard artifact folder: strict JSON, equal bytes for equal input, replaced whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness import takeaway
from evalharness.failures import LIFT
from evalharness.metrics import METRICS
from evalharness.schemas import SCHEMA_VERSION, InputError

if TYPE_CHECKING:
    from evalharness.evaluators import Report

PLOTS = {
    "classification": (
        "confusion_matrix",
        "roc_curve",
        "pr_curve",
        "calibration_curve",
        "confidence_histogram",
    ),
    "regression": ("predicted_vs_actual", "residuals", "residual_histogram", "qq_plot", "error_by_decile"),
}
FILES = (
    "metrics.json",
    "confidence_intervals.json",
    "slices.json",
    "failure_examples.json",
    "stress.json",
    "takeaway.txt",
)
MARK = "evalharness report"
LITTER = frozenset({".ipynb_checkpoints", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""What editors and desktops leave in any folder; it goes with the old report."""
ABANDONED = 3600
"""Seconds after which a half-written folder is that of a crash, where locks cannot tell."""


def documents(report: Report) -> dict[str, Any]:
    """Return what each file of the folder holds, as plain data (text for takeaway.txt)."""
    slices, failures, stress = report.slices_found, report.failures_found, report.stress_found
    out: dict[str, Any] = {
        "metrics.json": {
            "kind": MARK,
            "schema_version": SCHEMA_VERSION,
            "task_type": report.task_type,
            "task": report.sample.task,
            "n": report.n,
            "classes": list(report.classes),
            "positive": report.positive,
            "threshold": report.sample.threshold if report.sample.task == "binary" else None,
            "metrics": dict(report.metrics),
            "undefined": dict(report.undefined),
            "notes": list(report.notes),
            "greater_is_better": {name: METRICS[name].greater_is_better for name in report.metrics},
            "tests": dict(report.tests),
            "prediction_intervals": [asdict(row) for row in report.prediction_intervals],
            "takeaway": takeaway.as_data(report.claims),
            "seed": report.seed,
            "config": report.config.to_dict(),
            "labels_digest": report.labels_digest,
            "rows_digest": report.rows_digest,
        },
        "confidence_intervals.json": {
            name: {
                "estimate": report.metrics[name],
                "low": i.low,
                "high": i.high,
                "confidence_level": i.confidence_level,
                "method": i.method,
                "n_resamples": i.n_resamples,
                "undefined_resamples": i.undefined_resamples,
                "reason": i.reason,
                "also": [{"low": o.low, "high": o.high, "method": o.method} for o in i.also],
            }
            for name, i in report.intervals.items()
        },
        "slices.json": {
            "rows": [{name: getattr(row, name) for name in row.__dataclass_fields__} for row in slices.rows],
            "tested": slices.tested,
            "min_support": slices.min_support,
            "skipped": [{"feature": feature, "reason": reason} for feature, reason in slices.skipped],
            "notes": list(slices.notes),
            "reason": slices.reason,
        },
        "failure_examples.json": {
            "rule": failures.rule,
            "errors": failures.errors,
            "n": failures.n,
            "lift": LIFT,
            "categories": [
                {
                    "category": c.category,
                    "rule": c.rule,
                    "count": c.count,
                    "share": c.share,
                    "low": c.low,
                    "high": c.high,
                    "rows": c.rows,
                    "base_rate": c.base_rate,
                    "lift": c.lift,
                    "lift_low": c.lift_low,
                    "lift_high": c.lift_high,
                    "lift_reason": c.lift_reason,
                    "examples": [
                        {
                            "row": e.row,
                            "label": e.label,
                            "prediction": e.prediction,
                            "probability": e.probability,
                            "reason": e.reason,
                            "values": dict(e.values),
                        }
                        for e in c.examples
                    ],
                }
                for c in failures.categories
            ],
        },
    }
    if report.config.run_stress_tests:
        out["stress.json"] = {
            "rows": [{name: getattr(row, name) for name in row.__dataclass_fields__} for row in stress.rows],
            "n": stress.n,
            "notes": list(stress.notes),
            "reason": stress.reason,
        }
    out["takeaway.txt"] = takeaway.text(report.claims) + "\n"
    return out


def encoded(report: Report) -> dict[str, bytes]:
    """Return the bytes of each file, plots left out."""
    return {
        name: (
            content
            if isinstance(content, str)
            else json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        ).encode("utf-8", "backslashreplace")
        for name, content in documents(report).items()
    }


def check(output_dir: Any) -> Path:
    """Refuse, before any work, a folder that cannot be written or that holds anything but an earlier report.

    An earlier report that a crash left moved aside is put back first.

    Returns
    -------
    Path
        The folder, absolute, with links followed.
    """
    if not isinstance(output_dir, (str, os.PathLike)) or not str(output_dir) or "\0" in str(output_dir):
        raise InputError(f"output_dir is {output_dir!r}; give the path of a folder.")
    target = Path(output_dir).expanduser()
    try:
        target = target.resolve()
        recover(target)
        if target.exists() and not target.is_dir():
            raise InputError(f"output_dir {str(target)!r} is a file; give the path of a folder.")
        if target.is_dir():
            _ours(target)
        near = target.parent
        while not near.exists():
            near = near.parent
        Path(tempfile.mkdtemp(prefix=".evalharness-", dir=near)).rmdir()
    except OSError as error:
        raise InputError(
            f"output_dir {str(target)!r} cannot be written ({error.strerror or error}); give a folder that can."
        ) from None
    return target


def _ours(target: Path) -> None:
    """Refuse a folder with anything that a report does not write."""
    known = {*FILES, "plots"}
    images = {f"{name}.png" for names in PLOTS.values() for name in names}
    found = sorted(entry.name for entry in target.iterdir() if entry.name not in LITTER)
    plots = target / "plots"
    foreign = [name for name in found if name not in known]
    if plots.is_symlink() or (plots.exists() and not plots.is_dir()):
        foreign.append("plots")
    elif plots.is_dir():
        foreign += [f"plots/{entry.name}" for entry in sorted(plots.iterdir()) if entry.name not in images | LITTER]
    if not foreign and found:
        try:
            kind = json.loads((target / "metrics.json").read_bytes()).get("kind")
        except (OSError, ValueError, AttributeError):
            kind = None
        if kind != MARK:
            foreign = [name for name in found if name == "metrics.json"] or found
    if foreign:
        raise InputError(
            f"output_dir {str(target)!r} holds {foreign[0]!r}, which is not from an earlier report"
            f"{f' ({len(foreign)} such entries)' if len(foreign) > 1 else ''}; give a new folder, or "
            "empty this one."
        )


def write(report: Report, output_dir: Any) -> Path:
    """Write the folder beside its place, then swap it in; an old report stays until the new one is complete.

    Returns
    -------
    Path
        The folder written.
    """
    target = check(output_dir)
    files = encoded(report)
    if report.config.plots:
        from evalharness import plots

        files |= {f"plots/{name}.png": image for name, image in plots.draw(report).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.parent / f".{target.name}.new-{uuid.uuid4().hex}"
    for half in _siblings(target, "new"):
        if _abandoned(half):
            shutil.rmtree(half, ignore_errors=True)
    fresh.mkdir()
    held = _locked(fresh)
    try:
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        _swap(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if held is not None:
            os.close(held)
    return target


def _locked(folder: Path) -> int | None:
    """Lock a folder while this process lives; return what to close, or None where that is impossible.

    It is impossible where another process holds it, and on systems that lock no folders.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _abandoned(half: Path) -> bool:
    """Whether a half-written folder was left by a crash: nobody holds it; without locks, it is old."""
    try:
        held = _locked(half)
        if held is not None:
            os.close(held)
            return True
        return time.time() - half.stat().st_mtime > ABANDONED
    except OSError:  # gone, or not ours
        return False


def _swap(fresh: Path, target: Path) -> None:
    """Put a complete folder in the place of an old one.

    No file system moves two folders at once everywhere: between two renames the old report is a hidden sibling.
    After a crash there `recover` puts it back; it is called before any write, and may be before a read.
    """
    if not target.exists():
        fresh.rename(target)
    else:
        old = target.parent / f".{target.name}.old-{uuid.uuid4().hex}"
        target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            old.rename(target)
            raise
    for old in _siblings(target, "old"):
        (old / "metrics.json").unlink(missing_ok=True)  # from here on it is no report that could be put back
        shutil.rmtree(old, ignore_errors=True)  # what is left goes with the next write


def _siblings(target: Path, how: str) -> list[Path]:
    if not target.parent.is_dir():
        return []
    named = re.compile(rf"\.{re.escape(target.name)}\.{how}-[0-9a-f]{{32}}")
    return [path for path in target.parent.iterdir() if named.fullmatch(path.name) and path.is_dir()]


def recover(target: Path) -> None:
    """Put back a report that a crash left moved aside; nothing happens where `target` exists or there is none.

    Parameters
    ----------
    target : pathlib.Path
        The folder of a report, absolute.
    """
    if target.exists():
        return
    whole = [path for path in _siblings(target, "old") if (path / "metrics.json").is_file()]
    if whole:
        max(whole, key=lambda path: (path / "metrics.json").stat().st_mtime_ns).rename(target)
