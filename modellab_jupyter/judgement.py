"""What the page of one evaluation shows: read from its folder and predictions, reduced to what a screen can show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modellab_jupyter import judge, session
from modellab_jupyter.errors import DamagedError
from modellab_jupyter.store import queries

if TYPE_CHECKING:
    from evalharness import Report
    from modellab_jupyter.widgets.saved import Matrix, Scored, Thresholds

CLASSES = 12
"""Classes that get a slider, and that a matrix shows; of more those with the most errors."""
STEPS = 240
"""Scores that are kept for a slider of two classes, beside every hundredth; fewer for each of more classes."""
POINTS = 300
"""Rows that are drawn of an evaluation of numbers."""
WEIGHED = "Counts are sums of the rows' weights."


def evaluations(run_ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the latest evaluation of each name of each run; "test" first, then the newest."""
    rows = session.current().store.read(queries.evaluations, run_ids=run_ids).to_pylist()
    rows.sort(key=lambda row: row["name"] != "test")  # stable: the newest of a name stays first
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["run_id"], {}).setdefault(row["name"], row)
    return found


def latest(run_ids: Sequence[str], name: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the latest evaluation of each run that has one: of that name, else named "test" where there is one."""
    found = evaluations(run_ids)
    if name is None:
        return {run_id: next(iter(by_name.values())) for run_id, by_name in found.items()}
    return {run_id: by_name[name] for run_id, by_name in found.items() if name in by_name}


def report_of(found: dict[str, Any], known: dict[str, Report] | None = None) -> Report:
    """Return the report of a stored evaluation, one that was rebuilt before where it is `known`."""
    known = {} if known is None else known
    if found["evaluation_id"] not in known:
        blob = session.current().store.blobs.get(found["predictions"])
        known[found["evaluation_id"]] = judge.rebuilt(blob, json.loads(found["settings"]))
    return known[found["evaluation_id"]]


def parts(found: dict[str, Any]) -> dict[str, Any]:
    """Return all that `widgets.evaluation.evaluation` shows of a stored evaluation.

    Raises
    ------
    DamagedError
        The evaluation's folder is not there any more.
    """
    from modellab_jupyter.widgets.words import named, quoting

    store = session.current().store
    folder = store.folder(found["folder"])
    if not (folder / "metrics.json").is_file():
        raise DamagedError(f"the folder of this evaluation is not there any more; restore {folder} from a copy.")
    report = report_of(found)
    kept = {
        name: json.loads((folder / f"{name}.json").read_text("utf-8"))
        for name in ("metrics", "slices", "failure_examples")
    }
    metrics = store.read(queries.estimates, [found["evaluation_id"]])
    regression = report.sample.task == "regression"
    return {
        "title": f"{named(found['run'])}, {named(found['name'])}",
        "takeaway": quoting(found["takeaway"]),
        "n": found["n"],
        "level": report.config.confidence_level,
        "metrics": metrics.drop_columns(["evaluation_id", "run_id", "confidence_level"]),
        "thresholds": None if regression else _thresholds(report),
        "confusion": None if regression else _confusion(report),
        "classes": _classes(report) if report.sample.task == "multiclass" else None,
        "all_classes": len(report.classes),
        "errors": _errors(report, kept["metrics"]) if regression else None,
        "slices": _slices(kept["slices"], kept["metrics"]),
        "categories": [_category(one) for one in kept["failure_examples"]["categories"] if one["count"]],
        "stress": _stress(folder / "stress.json"),
        "notes": [quoting(note) for part in ("metrics", "slices") for note in kept[part].get("notes", ())],
    }


# Classes --------------------------------------------------------------------------------------------------


def _thresholds(report: Report) -> Thresholds | None:
    from modellab_jupyter.widgets.saved import Thresholds

    sample = report.sample
    if sample.probabilities is None:
        return None
    level = report.config.confidence_level
    weighted, note = sample.weights is not None, WEIGHED if sample.weights is not None else ""
    if sample.positive is not None:
        return Thresholds([_scored(report, sample.positive, STEPS)], level, sample.plain, weighted, note)
    shown = _worst(report)
    about = "One class against the rest; the evaluation itself takes the most probable class of each row."
    note = f"{about} {note}".strip()
    if len(shown) < len(report.classes):
        note += f" {len(shown)} of {len(report.classes)} classes are here, those with the most errors."
    scored = [_scored(report, c, max(50, STEPS // len(shown))) for c in shown]
    return Thresholds(scored, level, sample.plain, weighted, note)


def _scored(report: Report, c: int, most: int) -> Scored:
    from evalharness import calibration, curves, intervals
    from modellab_jupyter.widgets.saved import Scored

    sample = report.sample
    assert sample.probabilities is not None
    columns = curves.thresholds(report, most, c, [*(i / 100 for i in range(1, 100)), sample.threshold])
    assert columns is not None
    bins = calibration.equal_mass(sample.probabilities[:, c], sample.labels == c, sample.weights)
    binned: dict[str, Any] = {"predicted": bins.predicted, "observed": bins.observed, "n": bins.count}
    if sample.plain:
        level = report.config.confidence_level
        pairs = zip(bins.observed, bins.count.astype(float), strict=True)
        ends = [intervals.wilson(o * n, n, level) for o, n in pairs]
        binned |= {"low": [low for low, _ in ends], "high": [high for _, high in ends]}
    bands = {}
    if sample.positive is not None:
        found = report.curves()
        bands = {
            name: {"x": found[name][x][::2], "low": found[name]["low"][::2], "high": found[name]["high"][::2]}
            for name, x in (("roc", "fpr"), ("pr", "recall"))
            if "low" in found.get(name, {})
        }
    return Scored(str(report.classes[c]), columns, sample.threshold, bands, binned)


def _worst(report: Report) -> list[int]:
    """Return the classes to show in their order: all, or of very many those with the most errors."""
    import numpy as np

    sample, k = report.sample, len(report.classes)
    if k <= CLASSES:
        return list(range(k))
    wrong = sample.labels != sample.predictions
    errors = np.bincount(sample.labels[wrong], minlength=k) + np.bincount(sample.predictions[wrong], minlength=k)
    return sorted(np.argsort(-errors, kind="stable")[:CLASSES].tolist())


def _confusion(report: Report) -> Matrix | None:
    import numpy as np

    from modellab_jupyter.widgets.saved import Matrix

    sample, k = report.sample, len(report.classes)
    if sample.positive is not None and sample.probabilities is not None:
        return None  # the slider has it, at any threshold
    counts = np.zeros((k, k))
    place = (sample.labels.astype(int), sample.predictions.astype(int))
    np.add.at(counts, place, 1.0 if sample.weights is None else sample.weights)
    shown, notes = _worst(report), []
    names = [str(report.classes[c]) for c in shown]
    if len(shown) < k:
        rest = [c for c in range(k) if c not in shown]
        order = [*shown, *rest]
        counts = counts[np.ix_(order, order)]
        n = len(shown)
        counts = np.add.reduceat(np.add.reduceat(counts, range(n + 1), axis=0), range(n + 1), axis=1)
        names.append(f"{len(rest)} other classes")
        notes.append("Classes with few errors are together in the last row and column.")
    if sample.weights is not None:
        notes.append(WEIGHED)
    return Matrix("Confusion matrix", names, counts.tolist(), " ".join(notes))


def _classes(report: Report) -> list[dict[str, Any]]:
    """Return precision and recall of each class with Wilson's interval, where rows stand for themselves, and F1."""
    import numpy as np

    from evalharness import intervals

    sample, level = report.sample, report.config.confidence_level
    weights = np.ones(report.n) if sample.weights is None else sample.weights
    rows = []
    for c in _worst(report):
        is_, said = sample.labels == c, sample.predictions == c
        hit, actual, claimed = (float(weights[part].sum()) for part in (is_ & said, is_, said))
        row: dict[str, Any] = {"class": str(report.classes[c]), "support": int(is_.sum())}
        for name, whole in (("precision", claimed), ("recall", actual)):
            ends = intervals.share(int(hit), int(whole), level) if whole and sample.plain else None
            row |= {name: hit / whole if whole else None}
            row |= {f"{name}_{end}": None if ends is None else getattr(ends, end) for end in ("low", "high")}
        rows.append(row | {"f1": 2 * hit / (actual + claimed) if actual + claimed else None})
    return rows


# Numbers --------------------------------------------------------------------------------------------------


def _errors(report: Report, metrics: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    sample, level = report.sample, report.config.confidence_level
    label, guess = sample.labels.astype(float), sample.predictions.astype(float)
    error = guess - label
    rows = _some(error)
    intervals = metrics.get("prediction_intervals", [])
    mine = next((i for i in intervals if i["level"] == level and i["half_width"] is not None), None)
    order = np.argsort(guess, kind="stable")
    weights = np.ones(report.n) if sample.weights is None else sample.weights
    split = np.array_split(order, min(20, max(1, report.n // 20)))
    pieces = [part for part in split if len(part) >= 5 and weights[part].any()]
    parts = None
    if len(pieces) > 2 and np.ptp(guess) > 0:
        # NumPy knows quantiles of weighted rows by this method only; rows that count alike keep the usual one.
        how = [{} if sample.weights is None else {"weights": weights[p], "method": "inverted_cdf"} for p in pieces]
        found: list[Any] = [
            np.quantile(error[p], [0.1, 0.5, 0.9], **given)  # type: ignore[call-overload]
            for p, given in zip(pieces, how, strict=True)
        ]
        low, middle, high = np.array(found).T.tolist()
        means = [float(np.average(guess[p], weights=weights[p])) for p in pieces]
        parts = {"prediction": means, "low": low, "median": middle, "high": high}
    some = f"{len(rows):,} of {report.n:,} rows are drawn, those with the largest errors among them."
    return {
        "points": {"label": label[rows].tolist(), "prediction": guess[rows].tolist(), "error": error[rows].tolist()},
        "parts": parts,
        "deciles": _deciles(report, label, np.abs(error)),
        "intervals": intervals,
        "width": None if mine is None else mine["half_width"],
        "told": f"{100 * level:g} % of labels",
        "tests": [test["sentence"] for test in metrics.get("tests", {}).values() if test.get("sentence")],
        "note": some if len(rows) < report.n else "",
    }


def _some(error: Any) -> Any:
    """Return the rows that are drawn: all, or the largest errors of either sign and rows evenly from the others."""
    import numpy as np

    if len(error) <= POINTS:
        return np.arange(len(error))
    order = np.argsort(error, kind="stable")
    far = POINTS // 10
    middle = np.linspace(0, len(error) - 1, POINTS - 2 * far).astype(int)
    return np.unique(np.r_[order[:far], order[-far:], middle])


def _deciles(report: Report, label: Any, size: Any) -> list[dict[str, Any]]:
    """Return the mean absolute error over tenths of the labels, with Student's interval where rows stand alone."""
    import numpy as np
    from scipy.special import stdtrit

    weights = np.ones(report.n) if report.sample.weights is None else report.sample.weights
    cuts = np.unique(np.quantile(label, np.arange(1, 10) / 10, method="inverted_cdf", weights=report.sample.weights))
    cuts = cuts[cuts < label.max()]
    place, edges = np.searchsorted(cuts, label, side="left"), np.r_[label.min(), cuts, label.max()]
    made = []
    for b in range(len(cuts) + 1):
        part, counted = size[place == b], weights[place == b]
        if not counted.any():
            continue
        mean, n = float(np.average(part, weights=counted)), len(part)
        row: dict[str, Any] = {"label": f"{edges[b]:.4g} to {edges[b + 1]:.4g}", "value": mean}
        if n > 1 and report.sample.plain:
            half = float(stdtrit(n - 1, (1 + report.config.confidence_level) / 2) * part.std(ddof=1) / np.sqrt(n))
            row |= {"low": max(0.0, mean - half), "high": mean + half}
        made.append(row)
    return made


# Slices, failures, stress ---------------------------------------------------------------------------------


def _slices(kept: dict[str, Any], metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the slices, each with what it shows against the rest."""
    better = metrics.get("greater_is_better", {})

    def evidence(row: dict[str, Any]) -> str:
        whole = metrics["metrics"].get(row["metric"])
        if not row["significant"]:
            return "no evidence of a difference"
        direction = better.get(row["metric"])
        if whole is None or direction is None:
            return "different"
        return "better" if (row["estimate"] > whole) == direction else "worse"

    return [{**row, "evidence": evidence(row)} for row in kept["rows"]]


def _category(one: dict[str, Any]) -> dict[str, Any]:
    examples = [
        {name: value for name, value in example.items() if name != "values"}
        | {f"feature {name}": value for name, value in example["values"].items()}
        for example in one["examples"]
    ]
    return {**one, "examples": examples}


def _stress(path: Any) -> Any:
    """Return the rows of the stress tests, or why there are none; None where none were asked for."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text("utf-8"))
    return found["rows"] or str(found.get("reason") or "there are no rows.")
