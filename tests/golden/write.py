"""Write the golden files: inputs with what evalharness makes of them, read by the tests of both languages.

``python -m tests.golden.write`` from the top of a checkout writes all of them again, with equal bytes for equal
results. A file is a list of cases; `COMPUTE` tells how the output of a case of each file follows from its input.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy import special

from evalharness import METRICS, InputError, calibration, cells, evaluate, intervals
from evalharness.resample import Plan, Stream, scaled, threefry
from modellab_jupyter.widgets.sections import Scored

HERE = Path(__file__).parent
Json = dict[str, Any]


# What follows from an input -----------------------------------------------------------------------


@contextmanager
def sizes(wanted: Mapping[str, int]) -> Iterator[None]:
    """Use cells for samples of other sizes than usual, so that files stay small."""
    before = {name: getattr(intervals if name in ("LARGE", "SMALL") else cells, name) for name in wanted}
    try:
        for name, size in wanted.items():
            setattr(intervals if name in ("LARGE", "SMALL") else cells, name, size)
        yield
    finally:
        for name, size in before.items():
            setattr(intervals if name in ("LARGE", "SMALL") else cells, name, size)


def evaluation(given: Json) -> Json:
    """Return what a report says of the keywords of `evaluate`."""
    with sizes(given.get("sizes", {})):
        return _evaluation(given)


def _evaluation(given: Json) -> Json:
    curves = given.get("curves", False)
    report = evaluate(**{name: value for name, value in given.items() if name not in ("curves", "sizes")})
    sample, files = report.sample, report.documents()
    out: Json = {name: files[name] for name in ("metrics.json", "confidence_intervals.json")}
    del out["metrics.json"]["takeaway"]
    if report.replicates is not None:
        out["first_resamples"] = {name: values[:1].tolist() for name, values in report.replicates.resampled.items()}
    if sample.task != "regression":
        k = len(sample.classes)
        cells, weights = sample.labels * k + sample.predictions, sample.weights
        out["confusion"] = np.bincount(cells, weights=weights, minlength=k * k).astype(float).tolist()
    if curves:
        out["curves"] = {
            name: {key: column.tolist() for key, column in table.items()} for name, table in report.curves().items()
        }
        judged = sample.probabilities[:, sample.positive]
        out["thresholds"] = []
        for cut in (0.05, 0.3, 0.5, float(judged.max()), 0.999):
            found = evaluate(
                task_type="classification",
                labels=sample.labels,
                predictions=np.where(judged >= cut, sample.positive, 1 - sample.positive),
                sample_weight=sample.weights,
                classes=[0, 1],
                positive=sample.positive,
                config={"compute_cis": False},
            )
            out["thresholds"].append({"threshold": cut, "metrics": dict(found.metrics)})
    return out


def folder(given: Json) -> Json:
    """Return all files of a report's folder but the plots; `stress` holds what a model answered on changed rows."""
    import pandas as pd

    rest = {name: value for name, value in given.items() if name not in ("data", "stress")}
    data = given.get("data")
    if data is not None:
        columns = {name: pd.to_datetime(c["times"]) if isinstance(c, dict) else c for name, c in data.items()}
        data = pd.DataFrame(columns)
    if "stress" in given:
        rest["predict"] = {
            (a["perturbation"], a["severity"]): a.get("predictions", ValueError(a.get("error", "").partition(": ")[2]))
            for a in given["stress"]
        }
    return evaluate(**rest, data=data).documents()


def comparison(given: Json) -> Json:
    """Return what comparing two reports of the same rows gives, or why they cannot be compared."""
    with sizes(given.get("sizes", {})):
        one, other = (evaluate(**given["both"] | given[name]) for name in ("one", "other"))
        try:
            found = one.compare(other)
        except InputError as error:
            return {"sentence": str(error)}
    columns = list(found.rows[0].__dataclass_fields__)
    rows = [[getattr(row, name) for name in columns] for row in found.rows]
    said = [found.evidence(row.metric) for row in found.rows]
    return {"columns": columns, "rows": rows, "notes": found.notes, "evidence": said}


def refusal(given: Json) -> Json:
    """Return the sentence with which keywords of `evaluate` are refused."""
    try:
        evaluate(**given)
    except InputError as error:
        return {"sentence": str(error)}
    raise AssertionError(f"{given} was not refused")


def generator(given: Json) -> Json:
    """Return words, numbers and resamples of the generator; a seed is text because it may be beyond 2**53."""
    kind = given["kind"]
    if kind == "block":
        first, second = (np.array([c], dtype=np.uint32) for c in given["counter"])
        a, b = threefry(tuple(given["key"]), first, second)
        return {"words": [int(a[0]), int(b[0])]}
    if kind == "stream":
        source = Stream(int(given["seed"]), given["purpose"])
        words = source.words(given["count"], given["rows"], given["start"])
        return {
            "key": list(source.key),
            "words": words.tolist(),
            "integers": {str(high): scaled(words[0], high).tolist() for high in (1, 10, 2**21, 2**21 + 7, 2**31)},
            "uniforms": source.uniforms(given["count"]).tolist(),
        }
    columns = [None if given[name] is None else np.array(given[name]) for name in ("groups", "strata")]
    plan = Plan(given["n"], given["resamples"], int(given["seed"]), *columns)
    return {"weights": np.concatenate(list(plan.draws())).tolist(), "largest_total": plan.largest_total}


def function(given: Json) -> Json:
    """Return the values of a function of the normal or chi-squared distribution."""
    found: Mapping[str, Callable[..., float]] = {
        "normal_quantile": NormalDist().inv_cdf,
        "normal_cdf": lambda x: float(special.ndtr(x)),
        "erfc": math.erfc,
        "student_cdf": lambda freedom, t: float(special.stdtr(freedom, t)),
        "student_quantile": lambda freedom, share: float(special.stdtrit(freedom, share)),
        "gamma_quantile": lambda shape, share: float(special.gammaincinv(shape, share)),
        "chi_squared_tail": lambda freedom, x: float(special.chdtrc(freedom, x)),
    }
    return {"values": [found[given["function"]](*arguments) for arguments in given["arguments"]]}


def interval(given: Json) -> Json:
    """Return what each way to an interval makes of an estimate, its resamples and its jackknife."""
    if given["kind"] == "wilson":
        return {"ends": intervals.wilson(given["successes"], given["trials"], given["level"])}
    values = np.array([np.nan if v is None else v for v in given["values"]], dtype=float)
    left_out = None if given["left_out"] is None else np.array(given["left_out"], dtype=float)
    known, level = values[~np.isnan(values)], given["level"]
    chosen = intervals.from_replicates(given["estimate"], values, left_out, level)
    return {
        "percentile": intervals.percentile(known, level),
        "bca": None if left_out is None else intervals.bca(given["estimate"], known, left_out, level),
        "chosen": {field: getattr(chosen, field) for field in chosen.__dataclass_fields__},
    }


def bins(given: Json) -> Json:
    """Return equal-width and equal-mass bins of probabilities."""
    p, happened = np.array(given["p"], dtype=float), np.array(given["happened"], dtype=bool)
    weights = None if given["weights"] is None else np.array(given["weights"], dtype=float)
    found = {
        "equal_width": calibration.equal_width(p, happened, weights),
        "equal_mass": calibration.equal_mass(p, happened, weights),
        "equal_mass_5": calibration.equal_mass(p, happened, weights, least=5),
    }
    return {name: {field: getattr(b, field).tolist() for field in b.__dataclass_fields__} for name, b in found.items()}


def table(_: Json) -> Json:
    """Return what is known about each metric, sources and formulas left out."""
    fields = ("title", "greater_is_better", "unit", "tasks", "needs", "interval", "no_interval")
    return {spec.name: {name: getattr(spec, name) for name in fields} for spec in METRICS.values()}


def archive(given: Json) -> Json:
    """Return the bytes of a ZIP of text files, in hexadecimal."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as target:
        for name, content in given["files"]:
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01
            entry.create_system, entry.external_attr = 3, 0o600 << 16
            target.writestr(entry, content)
    return {"zip": held.getvalue().hex(), "sha256": hashlib.sha256(held.getvalue()).hexdigest()}


def operating(given: Json) -> Json:
    """Return what the slider of a page shows at some thresholds: counts, shares with intervals, calibration."""
    one = Scored("yes", {name: given[name] for name in ("score", "tp", "fp", "sum")}, given["chosen"])

    def share(value: float | None, part: float, whole: float) -> Json:
        found = intervals.share(int(part), int(whole), given["level"]) if given["counted"] and whole else None
        ends = (None, None) if found is None else (found.low, found.high)
        return {"part": part, "whole": whole, "value": value, "low": ends[0], "high": ends[1]}

    out = []
    for threshold in given["thresholds"]:
        at = one.at(threshold)
        tp, fp, fn, tn = (at[name] for name in ("tp", "fp", "fn", "tn"))
        wholes = {
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
            "specificity": (tn, tn + fp),
            "accuracy": (tp + tn, tp + fp + fn + tn),
        }
        shares = {name: share(at[name], *pair) for name, pair in wholes.items()}
        said = share(at["said_share"], tp, tp + fp) | {"mean": at["said_mean"]}
        rest = share(at["rest_share"], fn, fn + tn) | {"mean": at["rest_mean"]}
        counts = {"threshold": threshold, "tp": tp, "fp": fp, "fn": fn, "tn": tn}
        out.append({**counts, **shares, "f1": at["f1"], "said": said, "rest": rest})
    return {"at": out, "roc": list(one.curve("roc").values()), "pr": list(one.curve("pr").values())}


COMPUTE: Mapping[str, Callable[[Json], Json]] = {
    "random": generator,
    "special": function,
    "table": table,
    "binary": evaluation,
    "multiclass": evaluation,
    "regression": evaluation,
    "cells": evaluation,
    "folders": folder,
    "compare": comparison,
    "intervals": interval,
    "bins": bins,
    "operating": operating,
    "refused": refusal,
    "archive": archive,
}


# Inputs -------------------------------------------------------------------------------------------


def uniform(seed: int, count: int) -> np.ndarray[Any, Any]:
    """Draw inputs with the generator itself, so that they are the same for every version of NumPy."""
    return Stream(seed, 999).uniforms(count)


def scores(seed: int, n: int, digits: int) -> tuple[list[int], list[float]]:
    """Return labels and calibrated scores, rounded so that they tie."""
    u = uniform(seed, 2 * n)
    p = np.round(u[:n], digits)
    return (u[n:] < p).astype(int).tolist(), p.tolist()


def simplex(seed: int, n: int, k: int) -> tuple[list[int], list[list[float]]]:
    """Return labels and probabilities of k classes, in hundredths."""
    u = uniform(seed, n * (k + 1)).reshape(n, k + 1)
    part = u[:, :k] ** 2
    whole = np.floor(100 * part / part.sum(axis=1, keepdims=True)).astype(int)
    whole[:, 0] += 100 - whole.sum(axis=1)
    labels = (u[:, k:] > np.cumsum(whole[:, :-1], axis=1) / 100).sum(axis=1)
    return labels.tolist(), (whole / 100).tolist()


def binary() -> Iterator[tuple[str, Json]]:
    """Two classes: ties, weights, groups, one class only, an absent class, tiny n, labels only."""
    few: Json = {"task_type": "classification", "config": {"n_resamples": 200}}
    y, p = scores(1, 60, 9)
    yield "distinct scores", few | {"labels": y, "predictions": p}
    y, p = scores(2, 60, 1)
    yield "scores in ties", few | {"labels": y, "predictions": p, "curves": True, "seed": 3}
    weights = np.round(uniform(3, 60) * 3, 2)
    weights[5:9] = 0
    weighted = few | {"labels": y, "predictions": p, "sample_weight": weights.tolist()}
    yield "weights, some of them zero", weighted | {"curves": True}
    groups = [f"g{int(g)}" for g in uniform(4, 60) * 14]
    yield "groups", few | {"labels": y, "predictions": p, "groups": groups}
    yield "groups and weights", weighted | {"groups": groups}
    yield "strata", few | {"labels": y, "predictions": p, "stratify": True}
    held = [g in ("g1", "g2", "g3") for g in groups]
    yield "groups in strata", few | {"labels": y, "predictions": p, "groups": groups, "stratify": held}
    yield "three groups", few | {"labels": y, "predictions": p, "groups": [i % 3 for i in range(60)]}
    yield "two groups", few | {"labels": y, "predictions": p, "groups": [i % 2 for i in range(60)]}
    level = {"n_resamples": 100, "confidence_level": 0.8}
    yield "level and threshold", few | {"labels": y, "predictions": p, "threshold": 0.3, "config": level}
    yield "no intervals", few | {"labels": y, "predictions": p, "config": {"compute_cis": False}}
    named = ["yes" if v else "no" for v in y]
    yield "the first class is positive", few | {"labels": named, "predictions": p, "positive": "no"}
    guess = ["yes" if v >= 0.4 else "no" for v in p]
    yield "labels only", few | {"labels": named, "predictions": guess}
    yield "labels beside probabilities", few | {"labels": named, "predictions": guess, "probabilities": p}
    yield "weighted labels only", few | {"labels": named, "predictions": guess, "sample_weight": weights.tolist()}
    truth = [bool(v) for v in y]
    yield "booleans, two columns", few | {"labels": truth, "predictions": [[round(1 - v, 1), v] for v in p]}
    yield "one class only", few | {"labels": [1] * 12, "predictions": p[:12], "classes": [0, 1]}
    yield "the negative class only", few | {"labels": [0] * 12, "predictions": p[:12], "classes": [0, 1]}
    yield "perfect labels", few | {"labels": y, "predictions": y}
    yield "perfect labels in groups", few | {"labels": y, "predictions": y, "groups": groups}
    yield "constant prediction", few | {"labels": y, "predictions": [0.25] * 60}
    yield "certain and wrong", few | {"labels": [0, 1, 1, 0, 1, 0], "predictions": [1.0, 0.0, 1.0, 0.0, 0.5, 0.25]}
    lacking = {"labels": [*y[:20], None], "predictions": [None, *p[:20]]}
    yield "missing rows dropped", few | lacking | {"on_missing": "drop"}
    yield "classes with quotes", few | {"labels": ["it's", 'a "b"', "it's"], "predictions": ['a "b"', 'a "b"', "it's"]}
    rare = [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] * 3
    yield "few positives", few | {"labels": rare, "predictions": scores(5, 42, 2)[1]}
    for n in range(1, 6):
        y, p = scores(10 + n, n, 2)
        yield f"{n} rows", few | {"labels": y, "predictions": p, "classes": [0, 1]}
    y, p = scores(7, 12, 2)
    yield "12 rows", few | {"labels": y, "predictions": p}
    y, p = scores(8, 60, 2)
    yield "too many rows for the jackknife", few | {"labels": y, "predictions": p, "sizes": {"SMALL": 50}}


def multiclass() -> Iterator[tuple[str, Json]]:
    """Three and five classes: weights, groups, an absent class, labels only."""
    few: Json = {"task_type": "classification", "config": {"n_resamples": 200}}
    y, p = simplex(21, 70, 3)
    yield "three classes", few | {"labels": y, "predictions": p}
    weights = np.round(uniform(22, 70) * 3, 2).tolist()
    yield "three classes, weights", few | {"labels": y, "predictions": p, "sample_weight": weights}
    groups = [int(g) for g in uniform(23, 70) * 12]
    yield "three classes, groups", few | {"labels": y, "predictions": p, "groups": groups, "seed": 2**40 + 7}
    named = [("ä", "b", "c")[v] for v in y]
    yield "strings in an order of their own", few | {"labels": named, "predictions": p, "classes": ["ä", "b", "c"]}
    guess = [("ä", "b", "d")[int(np.argmax(row))] for row in p]
    yield "labels only, one class in predictions alone", few | {"labels": named, "predictions": guess}
    absent = [0 if v == 1 else v for v in y]
    yield "an absent class", few | {"labels": absent, "predictions": p, "classes": [0, 1, 2]}
    y, p = simplex(24, 80, 5)
    yield "five classes", few | {"labels": y, "predictions": p}
    yield "five classes, tiny", few | {"labels": y[:4], "predictions": p[:4], "classes": [0, 1, 2, 3, 4]}
    yield "one label only", few | {"labels": ["a", "a", "a"], "predictions": ["a", "a", "a"]}


def regression() -> Iterator[tuple[str, Json]]:
    """Numbers: zero targets, weights, groups, ties, equal labels, tiny n, large offsets."""
    few: Json = {"task_type": "regression", "config": {"n_resamples": 200}}
    u = uniform(31, 120)
    y = np.round(10 * u[:60] + 0.5, 3)
    p = np.round(y + 3 * (u[60:] - 0.45), 3)
    plain = few | {"labels": y.tolist(), "predictions": p.tolist()}
    yield "plain", plain
    weights = np.round(uniform(32, 60) * 3, 2)
    weights[:3] = 0
    yield "weights", plain | {"sample_weight": weights.tolist()}
    groups = [int(g) for g in uniform(33, 60) * 12]
    yield "groups", plain | {"groups": groups}
    yield "groups and weights", plain | {"groups": groups, "sample_weight": weights.tolist()}
    yield "zero targets", plain | {"labels": np.round(y).astype(int).clip(0, 4).tolist()}
    yield "one zero target", plain | {"labels": [0, *y[1:].tolist()]}
    yield "errors in ties", few | {"labels": list(range(20)), "predictions": [v + (v % 3) for v in range(20)]}
    yield "a large offset", few | {"labels": (1e6 + y).tolist(), "predictions": (1e6 + p).tolist()}
    yield "small numbers", few | {"labels": (1e-9 * y).tolist(), "predictions": (1e-9 * p).tolist()}
    yield "equal labels", few | {"labels": [2.5] * 8, "predictions": p[:8].tolist()}
    yield "all zero", few | {"labels": [0] * 8, "predictions": [0] * 8}
    yield "perfect", few | {"labels": y.tolist(), "predictions": y.tolist()}
    for n in range(1, 6):
        yield f"{n} rows", few | {"labels": y[:n].tolist(), "predictions": p[:n].tolist()}
    lacking = {"labels": [None, *y[:9].tolist()], "predictions": p[:10].tolist()}
    yield "missing rows dropped", few | lacking | {"on_missing": "drop"}


def gathered() -> Iterator[tuple[str, Json]]:
    """Samples that count as large, so that cells are resampled: ties, rare classes, many classes, regression."""
    small: Json = {"LARGE": 0, "SMALL": 100, "TOP": 8, "RANGES": 24, "RARE": 9}
    few: Json = {"task_type": "classification", "config": {"n_resamples": 100}, "sizes": small}
    y, p = scores(61, 300, 6)
    yield "distinct scores", few | {"labels": y, "predictions": p, "seed": 2**33}
    y, p = scores(62, 300, 2)
    yield "scores in ties", few | {"labels": y, "predictions": p, "sizes": small | {"RANGES": 512, "TOP": 128}}
    yield "labels only", few | {"labels": y, "predictions": [int(v >= 0.4) for v in p]}
    rare = [int(i % 50 == 7 or v > 0.99) for i, v in enumerate(p)]
    yield "few positives", few | {"labels": rare, "predictions": p}
    y3, p3 = simplex(63, 200, 3)
    yield "three classes", few | {"labels": y3, "predictions": p3}
    y5, p5 = simplex(64, 240, 5)
    yield "five classes", few | {"labels": y5, "predictions": p5, "sizes": small | {"RARE": 60}}
    u = uniform(65, 500)
    y1, p1 = np.round(10 * u[:250] + 0.5, 3), np.round(10 * u[:250] + 3 * u[250:] - 1, 3)
    real: Json = few | {"task_type": "regression"}
    yield "regression", real | {"labels": y1.tolist(), "predictions": p1.tolist()}
    whole = {"labels": np.round(y1 - 5).tolist(), "predictions": np.round(p1 - 5).tolist()}
    yield "regression, errors in ties", real | whole


def folders() -> Iterator[tuple[str, Json]]:
    """Whole folders: features of every kind, weights, groups, stress tests, regression."""
    n = 240
    few: Json = {"task_type": "classification"}
    few["config"] = {"n_resamples": 100, "min_support": 14, "n_failures_per_type": 1, "run_stress_tests": True}
    u = uniform(71, 8 * n).reshape(8, n)
    age = np.round(20 + 60 * u[0]).astype(int)
    town = np.array(["Oslo", "Bergen", "it's", "Ås"])[np.minimum(3, (u[1] * 6).astype(int))]
    p = np.round(u[2], 3)
    noisy = (town == "it's") | (age > 70)
    y = np.where(u[3] < np.where(noisy, 0.6, 0.06), u[2] < 0.5, u[2] >= 0.5)
    times = [str(np.datetime64("2023-12-28T05:00:00") + int(v * 9e6)) if v > 0.04 else None for v in u[4]]
    columns: Json = {
        "age": age.tolist(),
        "income": [None if v < 0.1 else round(float(9000 * v**9), 1) for v in u[5]],
        "town": [None if v > 0.96 else str(t) for t, v in zip(town, u[5], strict=True)],
        "member": [bool(v < 0.4) for v in u[6]],
        "rooms": [int(v * 4) for v in u[7]],
        "share": [round(float(v * 4)) / 8 for v in u[6]],
        "joined": {"times": times},
        "id": list(range(100, 100 + n)),
        "same": [1] * n,
        "nothing": [None] * n,
        "name": [f"n{i}" for i in range(n)],
    }
    some = {name: columns[name] for name in ("age", "town", "member")}
    case = few | {"labels": ["yes" if v else "no" for v in y], "predictions": p.tolist(), "data": columns}
    worse = np.round(0.5 + (p - 0.5) * np.where(u[7] < 0.3, -1, 1), 3)
    answers = [
        {"perturbation": "noise", "severity": 0.5, "predictions": worse.tolist()},
        {"perturbation": "noise", "severity": 1.0, "predictions": p.tolist()},
        {"perturbation": "missing", "severity": 0.2, "error": "ValueError: no"},
        {"perturbation": "scaling", "severity": 10.0, "predictions": [7.5] * n},
    ]
    yield "features of every kind", case | {"stress": answers}
    weights = np.round(0.2 + uniform(72, n), 2).tolist()
    yield "weights", case | {"data": some, "sample_weight": weights}
    groups = [int(v * 60) for v in uniform(73, n)]
    yield "groups", case | {"data": some, "groups": groups}
    three, three_p = simplex(74, 150, 3)
    yield "three classes, labels of failures", few | {"labels": three, "predictions": three_p}
    named = [["low", "middle", "high"][v] for v in three]
    guessed = [["low", "middle", "high"][int(np.argmax(row))] for row in three_p]
    held = {"size": [round(float(v), 1) for v in u[0][:150]], "kind": [int(v * 3) for v in u[1][:150]]}
    yield "three classes, labels only", few | {"labels": named, "predictions": guessed, "data": held}
    label = np.round(10 * u[0], 2)
    guess = np.round(label + (u[2] - 0.5) * np.where(noisy, 8, 1) + 0.3 * noisy, 2)
    real: Json = few | {"task_type": "regression", "labels": label.tolist(), "predictions": guess.tolist()}
    moved = [{"perturbation": "noise", "severity": 0.1, "predictions": np.round(guess + 0.5, 2).tolist()}]
    yield "regression", real | {"data": {name: columns[name] for name in ("town", "income", "joined")}, "stress": moved}
    yield "regression, weights and groups", real | {"data": some, "sample_weight": weights, "groups": groups}
    yield (
        "too few rows",
        few | {"labels": y[:20].tolist(), "predictions": p[:20].tolist(), "data": {"age": age[:20].tolist()}},
    )


def compared() -> Iterator[tuple[str, Json]]:
    """Two models on the same rows: every test, weights, groups, cells, other classes, other rows."""
    n = 120
    y, p = scores(81, n, 2)
    u = uniform(82, n)
    poor = np.round(0.7 * np.array(p) + 0.3 * u, 2).tolist()
    near = np.round(np.clip(np.array(p) + 0.1 * (u - 0.5), 0, 1), 2).tolist()
    both: Json = {"task_type": "classification", "labels": y, "config": {"n_resamples": 100}}
    first: Json = {"both": both, "one": {"predictions": p}, "other": {"predictions": poor}}
    yield "binary", first
    yield "few rows apart", first | {"other": {"predictions": near, "seed": 5}}
    yield "many rows apart", first | {"other": {"predictions": [round(1 - v, 2) for v in poor]}}
    yield "the same answers", first | {"other": {"predictions": p}}
    yield "one column and labels", first | {"other": {"predictions": [int(v > 0.6) for v in poor]}}
    yield "weights", first | {"both": both | {"sample_weight": np.round(0.2 + u, 2).tolist()}}
    yield "groups", first | {"both": both | {"groups": [int(v * 30) for v in u]}}
    yield "no jackknife", first | {"sizes": {"SMALL": 50}}
    yield "cells", first | {"sizes": {"SMALL": 50, "LARGE": 0, "TOP": 8, "RANGES": 64, "RARE": 5, "LINEAR": 9}}
    yield "no intervals", first | {"both": both | {"config": {"compute_cis": False}}}
    yield "another positive class", first | {"other": {"predictions": poor, "positive": 0}}
    y3, p3 = simplex(83, 70, 3)
    _, q3 = simplex(84, 70, 3)
    three: Json = {"both": both | {"labels": y3}, "one": {"predictions": p3}, "other": {"predictions": q3}}
    yield "three classes", three
    yield "three classes, cells", three | {"sizes": {"SMALL": 50, "LARGE": 0, "TOP": 8, "RARE": 5}}
    real: Json = {"task_type": "regression", "labels": p, "config": {"n_resamples": 100}}
    yield "regression", {"both": real, "one": {"predictions": near}, "other": {"predictions": poor}}
    yield "other labels", {"both": both, "one": {"predictions": p}, "other": {"predictions": p, "labels": y[::-1]}}
    fewer = {"predictions": p[:60], "labels": y[:60]}
    yield "other rows", {"both": both, "one": {"predictions": p}, "other": fewer}


def random() -> Iterator[tuple[str, Json]]:
    """Known answers, streams of several seeds, and resamples of rows, groups and strata."""
    most = 2**32 - 1
    # Random123, kat_vectors, threefry2x32 with 20 rounds: these outputs are published and not only ours
    for key, counter in (
        ((0, 0), (0, 0)),
        ((most, most), (most, most)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)),
    ):
        yield f"published {key}", {"kind": "block", "key": key, "counter": counter}
    for seed in (0, 1, 2**32, 2**40 + 5, 2**53 + 1, 2**63 - 1):
        row = {"kind": "stream", "seed": str(seed), "purpose": 2, "count": 7, "rows": 2, "start": 3}
        yield f"stream of {seed}", row
    resamples: Json = {"kind": "resamples", "n": 11, "resamples": 4, "seed": "5", "groups": None, "strata": None}
    groups, strata = [0, 1, 1, 2, 0, 3, 3, 3, 4, 4, 5], [1, 0, 0, 2, 1, 2, 2, 2, 0, 0, 2]
    yield "rows", resamples
    yield "groups", resamples | {"groups": groups}
    yield "strata", resamples | {"strata": [0, 0, 1, 1, 0, 1, 3, 3, 1, 0, 0]}
    yield "groups in strata", resamples | {"groups": groups, "strata": strata}
    yield "one row", resamples | {"n": 1}
    yield "many rows", resamples | {"n": 700, "resamples": 2, "seed": str(2**62 + 1)}


def functions() -> Iterator[tuple[str, Json]]:
    """Functions over their whole range."""
    shares = [1e-300, 1e-20, 1e-9, 0.0013, 0.025, 0.074, 0.076, 0.3, 0.5, 0.51, 0.924, 0.975, 0.9999, 1 - 1e-12]
    points = [-30, -8.5, -5.1, -2.3, -1, -0.4687, -0.2, 0, 1e-9, 0.4688, 0.7, 1.959963984540054, 3.999, 4.001, 6, 8.2]
    yield "normal_quantile", {"function": "normal_quantile", "arguments": [[s] for s in shares]}
    yield "normal_cdf", {"function": "normal_cdf", "arguments": [[x] for x in points]}
    yield "erfc", {"function": "erfc", "arguments": [[x] for x in points]}
    tails = [[k, t] for k in (1, 3.5, 12, 400) for t in (-40, -3, -0.01, 0, 1.2)]
    yield "student_cdf", {"function": "student_cdf", "arguments": tails}
    both = [[k, share] for k in (1, 8, 59, 2000) for share in (0.75, 0.95, 0.9999)]
    yield "student_quantile", {"function": "student_quantile", "arguments": both}
    edges = [[k, share] for k in (1, 2, 3) for share in (0.001, 0.05, 0.5)]
    yield "gamma_quantile", {"function": "gamma_quantile", "arguments": edges}
    pairs = [[k, x] for k in (1, 2, 3, 10, 15) for x in (0, 0.3, 4.5, 21.0)]
    yield "chi_squared_tail", {"function": "chi_squared_tail", "arguments": pairs}


def resampled() -> Iterator[tuple[str, Json]]:
    """Intervals of given resamples: ties with the estimate, undefined ones, a skewed jackknife, proportions."""
    for successes, trials in ((0, 7), (7, 7), (3, 10), (81, 263)):
        yield f"{successes} of {trials}", {"kind": "wilson", "successes": successes, "trials": trials, "level": 0.95}
    values = np.round(uniform(41, 120) ** 2, 2)
    left = np.round(values.mean() + uniform(42, 30) ** 4 / 50, 5).tolist()
    base: Json = {"kind": "resampled", "estimate": 0.3, "values": values.tolist(), "left_out": left, "level": 0.9}
    yield "bca", base
    yield "ties with the estimate", base | {"estimate": float(values[0])}
    close = np.where(values == values[0], values + 1e-16, values).tolist()
    yield "ties but for rounding", base | {"estimate": float(values[0]), "values": close}
    yield "around zero", base | {"values": (values - 0.2).round(2).tolist(), "estimate": 0.1}
    yield "no jackknife", base | {"left_out": None}
    yield "estimate beyond all", base | {"estimate": 2.0}
    yield "some undefined", base | {"values": [None, *values.tolist()[:-1]]}
    yield "many undefined", base | {"values": [None] * 9 + values.tolist()[:-9]}
    yield "all alike", base | {"values": [0.3] * 50}


def binned() -> Iterator[tuple[str, Json]]:
    """Bins of scores with and without ties and weights, on edges, and of few rows."""
    y, p = scores(51, 80, 2)
    yield "ties", {"p": p, "happened": y, "weights": None}
    yield "weights", {"p": p, "happened": y, "weights": np.round(uniform(52, 80) * 2, 1).tolist()}
    edges = [round(b / 15, 17) for b in range(16)] + [0.1, 0.2, 0.3, 0.6, 0.7]
    yield "edges", {"p": edges, "happened": [i % 2 for i in range(21)], "weights": None}
    yield "one row", {"p": [0.4], "happened": [1], "weights": None}
    yield "constant", {"p": [0.4] * 9, "happened": [1, 0, 0] * 3, "weights": None}


def refused() -> Iterator[tuple[str, Json]]:
    """Wrong input; both languages say the same sentence."""
    ok: Json = {"task_type": "classification", "labels": [0, 1, 1], "predictions": [0.2, 0.7, 0.4]}
    real: Json = {"task_type": "regression", "labels": [1.5, 2, 3], "predictions": [1, 2, 3]}
    for name, change in (
        ("no rows", {"labels": [], "predictions": []}),
        ("lengths", {"predictions": [0.2, 0.7]}),
        ("length of weights", {"sample_weight": [1, 2]}),
        ("percentages", {"predictions": [20.5, 70, 40]}),
        ("logits", {"predictions": [-2.5, 0.7, 0.4]}),
        ("rows that do not sum to 1", {"predictions": [[0.5, 0.5], [0.2, 0.7], [0.4, 0.6]]}),
        ("missing label", {"labels": [0, None, 1]}),
        ("missing both", {"labels": [0, None, 1], "predictions": [None, 0.5, 0.5]}),
        ("mixed types", {"labels": [0, "a", 1]}),
        ("types of labels and predictions", {"labels": [0, 1, 1], "predictions": ["a", "b", "a"]}),
        ("classes missing", {"labels": [0, 1, 5], "classes": [0, 1]}),
        ("one class listed", {"classes": [1]}),
        ("class listed twice", {"classes": [1, 1]}),
        ("positive unknown", {"positive": 7}),
        ("scores of one class", {"labels": [5, 5, 5]}),
        ("columns", {"predictions": [[0.2, 0.3, 0.5]] * 3}),
        ("positive of three", {"labels": [0, 1, 2], "predictions": [[0.2, 0.3, 0.5]] * 3, "positive": 1}),
        ("fractional labels", {"labels": [0.5, 1, 1]}),
        ("negative weight", {"sample_weight": [1, -2, 1]}),
        ("missing weight", {"sample_weight": [1, None, 1]}),
        ("zero weights", {"sample_weight": [0, 0, 0]}),
        ("one group", {"groups": ["a", "a", "a"]}),
        ("missing group", {"groups": ["a", None, "b"]}),
        ("one row in every stratum", {"stratify": [1, 2, 3]}),
        ("a group in two strata", {"groups": ["a", "b", "b"], "stratify": [1, 1, 2]}),
        ("missing stratum", {"stratify": [1, None, 1]}),
        ("threshold", {"threshold": 1.5}),
        ("all labels missing", {"labels": [None, None, None]}),
        ("class beyond 2**53", {"labels": [0, 1, 2**60], "predictions": [0, 1, 1]}),
        ("percentages as whole numbers", {"predictions": [20, 70, 40]}),
        ("scores as whole numbers", {"predictions": [-3, 7, 1]}),
        ("a little above 1", {"predictions": [0.2, 1.7, 0.4]}),
        ("percentages by class", {"predictions": [[80, 20], [1.5, 98.5], [3, 97]]}),
        ("one class and three columns", {"labels": [1, 1, 1], "predictions": [[0.2, 0.3, 0.5]] * 3}),
        ("length of data", {"data": {"x": [1, 2]}}),
        ("misspelt task", {"task_type": "clasification"}),
        ("unknown task", {"task_type": "xyz"}),
        ("misspelt way with what is missing", {"on_missing": "dropp"}),
        ("misspelt setting", {"config": {"n_resample": 200}}),
        ("reordered setting", {"config": {"level_confidence": 0.9}}),
        ("unknown setting", {"config": {"qq": 1}}),
        ("resamples", {"config": {"n_resamples": 10}}),
        ("level", {"config": {"confidence_level": 95}}),
    ):
        yield name, ok | change
    for name, change in (
        ("strings as numbers", {"labels": ["a", "b", "c"]}),
        ("columns of numbers", {"predictions": [[1, 2]] * 3}),
        ("probabilities of numbers", {"probabilities": [0.5, 0.5, 0.5]}),
        ("strata of numbers", {"stratify": True}),
        ("classes of numbers", {"classes": [1, 2]}),
        ("beyond", {"predictions": [1, 1e120, 3]}),
    ):
        yield f"regression: {name}", real | change


def archived() -> Iterator[tuple[str, Json]]:
    """No file, one, and some with names and content beyond ASCII."""
    yield "empty", {"files": []}
    yield "one", {"files": [["takeaway.txt", "123456789"]]}
    yield "more", {"files": [["a/b.json", "{}"], ["ä €.txt", "é\n" * 40], ["empty", ""]]}


def operated() -> Iterator[tuple[str, Json]]:
    """Yield sliders: of rows, of weights, of one score for all, and of a class that nobody has."""
    generator = np.random.default_rng(11)
    y = generator.integers(0, 2, 60)
    p = np.round(np.clip(0.25 + 0.5 * y + 0.3 * generator.standard_normal(60), 0, 1), 2)
    weight = np.round(generator.uniform(0.5, 2, 60), 3)
    usual = {"chosen": 0.5, "level": 0.95, "counted": True, "thresholds": [0.0, 0.13, 0.5, 0.77, 1.0]}
    for name, labels, scores, own in (
        ("rows", y, p, None),
        ("weights", y, p, weight),
        ("one score", y, np.full(60, 0.4), None),
        ("nobody", np.zeros(60, dtype=int), p, None),
    ):
        w = np.ones(60) if own is None else own
        kept = np.unique(scores)[::-1]
        columns = {
            "score": kept.tolist(),
            "tp": [round(float(w[(scores >= s) & (labels == 1)].sum()), 9) for s in kept],
            "fp": [round(float(w[(scores >= s) & (labels == 0)].sum()), 9) for s in kept],
            "sum": [round(float((w * scores)[scores >= s].sum()), 9) for s in kept],
        }
        yield name, columns | usual | {"counted": own is None}


INPUTS: Mapping[str, Callable[[], Iterator[tuple[str, Json]]]] = {
    "random": random,
    "special": functions,
    "table": lambda: iter([("every metric", {})]),
    "binary": binary,
    "multiclass": multiclass,
    "regression": regression,
    "cells": gathered,
    "folders": folders,
    "compare": compared,
    "intervals": resampled,
    "bins": binned,
    "operating": operated,
    "refused": refused,
    "archive": archived,
}


def strict(value: Any) -> Any:
    """Turn what is undefined into null, and tuples into lists."""
    if isinstance(value, Mapping):
        return {key: strict(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def short(value: Any) -> Any:
    """Keep 14 digits of the numbers of an output, which are compared to 12."""
    if isinstance(value, dict):
        return {key: short(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [short(entry) for entry in value]
    return float(f"{value:.14g}") if isinstance(value, float) else value


def text(name: str) -> str:
    """Return the text of one file: one line for each case."""
    lines = []
    for case, given in INPUTS[name]():
        held = strict(given)
        output = strict(COMPUTE[name](held))
        row = {"name": case, "input": held, "output": output if name == "random" else short(output)}
        lines.append(json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    for file in INPUTS:
        path = HERE / f"{file}.json"
        path.write_text(text(file), "utf-8")
        print(f"{path.name:20} {path.stat().st_size:>9,} bytes")
