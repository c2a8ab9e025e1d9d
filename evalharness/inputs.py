"""The door: whatever the user holds becomes one checked `Sample`, or one clear sentence.

Everything that can be wrong is found here, before any work. Rows are matched by position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness import containers
from evalharness.containers import Vector
from evalharness.schemas import TASK_TYPES, InputError, Sample, nearest

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Class, Floats, Integers

MAX_CLASSES = 500
LARGEST_CLASS = 2**53
"""Whole numbers beyond this are not told apart once written as floats."""
LARGEST = 1e100
"""Larger targets would overflow when squared or cubed."""


def read(
    *,
    task_type: str,
    predictions: Any,
    labels: Any,
    data: Any = None,
    probabilities: Any = None,
    classes: Any = None,
    positive: Any = None,
    threshold: float = 0.5,
    sample_weight: Any = None,
    groups: Any = None,
    stratify: Any = None,
    on_missing: str = "error",
) -> Sample:
    """Check all of a user's input and return it as a `Sample`.

    Raises
    ------
    InputError
        One sentence: the argument, what was found (first bad row and count), what to do.
    """
    if task_type not in TASK_TYPES:
        raise InputError(f"task_type is {task_type!r}; {nearest(task_type, TASK_TYPES)}")
    if on_missing not in ("error", "drop"):
        raise InputError(f"on_missing is {on_missing!r}; {nearest(on_missing, ('error', 'drop'))}")
    number = isinstance(threshold, (int, float, np.number)) and not isinstance(threshold, bool)
    if not (number and 0 < threshold < 1):
        raise InputError(f"threshold is {threshold!r}; give a probability between 0 and 1, such as 0.5.")
    for name, value in (("predictions", predictions), ("labels", labels)):
        if value is None:
            raise InputError(f"{name} is None; give one value for each row.")
    containers.same_index(
        labels=labels,
        predictions=predictions,
        probabilities=probabilities,
        data=data,
        sample_weight=sample_weight,
        groups=groups,
        stratify=stratify,
    )

    y = containers.column(labels, "labels")
    n = len(y.values)
    if n == 0:
        raise InputError("labels has no rows; give at least one.")
    if y.missing.all():
        raise InputError(f"labels is missing in all {containers.counted(n)}; give what really was in each row.")
    frame, kind = containers.frame(data)
    first = containers.matrix(predictions, "predictions")
    second = None if probabilities is None else containers.matrix(probabilities, "probabilities")
    weights = None if sample_weight is None else containers.column(sample_weight, "sample_weight")
    cluster = None if groups is None else containers.column(groups, "groups", dates=True)
    strata = _stratum_column(stratify, y, task_type)
    sizes = {
        "predictions": containers.length(first),
        "probabilities": None if second is None else containers.length(second),
        "data": None if frame is None else len(frame),
        "sample_weight": None if weights is None else len(weights.values),
        "groups": None if cluster is None else len(cluster.values),
        "stratify": None if strata is None else len(strata.values),
    }
    for name, size in sizes.items():
        if size is not None and size != n:
            raise InputError(f"{name} has {containers.counted(size)} but labels has {n:,}; give one for each label.")

    notes: list[str] = []
    if task_type == "regression":
        sample = _regression(y, first, second, {"classes": classes, "positive": positive})
    else:
        sample = _classification(y, first, second, classes, positive, float(threshold), notes)
        if classes is None:
            _same_order(containers.categories(labels), sample[4], first if second is None else second)
    task, truth, guess, proba, known, positive_code, missing = sample

    keep = np.arange(n)
    bad = int(missing.sum())
    if bad:
        if on_missing == "error":
            raise InputError(
                f"{_whose(y, missing)} {'is' if bad == 1 else 'are'} missing in {containers.counted(bad)} (first: row "
                f"{int(np.argmax(missing))}); "
                "fill them in, or give on_missing='drop' to leave those rows out."
            )
        keep = np.flatnonzero(~missing)
        if len(keep) == 0:
            raise InputError(f"labels and predictions leave no complete row of {n:,}; fill in the missing values.")
        notes.append(
            f"{containers.counted(bad)} of {n:,} with a missing label or prediction were left out (on_missing='drop')."
        )

    scaled: Floats | None = None
    if weights is not None:
        scaled = _weights(weights, keep)
        if not scaled.all():
            notes.append(f"{containers.counted(int(np.sum(scaled == 0)))} of {n:,} with sample_weight 0 were left out.")
            keep = keep[scaled > 0]
            scaled = _weights(weights, keep)
        if scaled.min() == scaled.max():
            notes.append("sample_weight is the same in every row that counts, which is to give none.")
            scaled = None
    codes = None if cluster is None else _groups(cluster, keep)
    parts = None if strata is None else _strata(strata, keep, codes)
    return Sample(
        task=task,
        labels=truth[keep],
        predictions=guess[keep],
        probabilities=None if proba is None else np.ascontiguousarray(proba[keep]),
        classes=known,
        positive=positive_code,
        threshold=float(threshold),
        weights=scaled,
        groups=codes,
        strata=parts,
        rows=keep,
        frame=frame if frame is None or len(keep) == n else frame.iloc[keep],
        data_kind=kind,
        notes=tuple(notes),
    )


def _same_order(stated: list[str] | None, known: tuple[Class, ...], scores: Any) -> None:
    """Refuse columns without names where labels state an order of the classes that is not the one assumed."""
    if stated is None or isinstance(scores, Vector):
        return
    names, _ = scores
    assumed = [str(c) for c in known]
    if [c for c in stated if c in assumed] == assumed or (names and sorted(names) == sorted(assumed)):
        return
    raise InputError(
        f"labels are categorical in the order {_listing(tuple(stated))}, while columns of probabilities without names "
        f"are read in the sorted order {_listing(known)}; give classes= in the order of the columns."
    )


# Tasks --------------------------------------------------------------------------------------------


def _regression(y: Vector, first: Any, second: Any, refused: Mapping[str, Any]) -> Any:
    if second is not None:
        raise InputError(
            "probabilities were given with task_type='regression'; leave them out, or give task_type='classification'."
        )
    for name, value in refused.items():
        if value is not None:
            raise InputError(
                f"{name} was given with task_type='regression'; leave it out, or give task_type='classification'."
            )
    if not isinstance(first, Vector):
        raise InputError(
            f"predictions has {len(first[1])} columns; with task_type='regression' give one number for each row."
        )
    out = []
    for name, vector in (("labels", y), ("predictions", first)):
        if vector.kind == "str":
            row = int(np.argmax(~vector.missing))
            raise InputError(
                f"{name} holds strings (first: row {row}, {containers.shown(vector.values[row])}); "
                "task_type='regression' "
                "needs numbers, so convert them or give task_type='classification'."
            )
        values = vector.values.astype(np.float64)
        _refuse(np.isinf(values), name, "is infinite", "give finite numbers.", values)
        beyond = np.abs(np.nan_to_num(values)) > LARGEST
        _refuse(beyond, name, f"is beyond {LARGEST:g}", "give it in a larger unit.", values)
        out.append(values)
    return "regression", out[0], out[1], None, (), None, y.missing | first.missing


def _classification(
    y: Vector, first: Any, second: Any, classes: Any, positive: Any, threshold: float, notes: list[str]
) -> Any:
    y = _class_like(y, "labels")
    listed = None if classes is None else _listed(classes)
    scores = None
    guessed: Vector | None = None
    if second is not None:
        if not isinstance(first, Vector):
            raise InputError(
                f"predictions has {len(first[1])} columns although probabilities were given too; give one "
                "predicted class for each row."
            )
        guessed, scores = first, ("probabilities", second)
    elif not isinstance(first, Vector) or _are_probabilities(first, y, listed):
        scores = ("predictions", first)
    else:
        guessed = first
    if guessed is not None:
        guessed = _predicted(guessed, y)
        if listed is None:
            _not_scores(guessed, y)
    known = listed if listed is not None else _found(y, guessed, scores)
    if len(known) > MAX_CLASSES:
        raise InputError(
            f"labels and predictions hold {len(known):,} classes; up to {MAX_CLASSES} are supported, so "
            "group rare ones, or give task_type='regression' for numbers."
        )
    k = len(known)
    where = {value: code for code, value in enumerate(known)}
    truth = _codes(y, where, "labels", classes_given=listed is not None)
    if listed is None and guessed is not None:
        absent = tuple(c for code, c in enumerate(known) if not np.any((truth == code) & ~y.missing))
        if absent and len(_unique(guessed)) > 0 and k > 2:
            notes.append(f"Met in predictions but in no label: {_listing(absent)}.")
    task = "binary" if k == 2 else "multiclass"
    positive_code: int | None = None
    if positive is not None:
        wanted = _class_value(positive, known)
        if wanted not in where:
            raise InputError(
                f"positive is {positive!r}, which is not one of the classes {_listing(known)}; give one of them."
            )
        if k != 2:
            raise InputError(
                f"positive is {positive!r} but there are {k} classes; leave it out, or join the others into one class."
            )
        positive_code = where[wanted]
    elif k == 2:
        positive_code = 1
        notes.append(
            f"The positive class is {known[1]!r}, the last of the classes {_listing(known)}; positive= chooses another."
        )
    missing = y.missing.copy()
    proba = None
    if scores is not None:
        proba, lost = _probabilities(scores[0], scores[1], known, positive_code, notes)
        missing |= lost
    if guessed is not None:
        guess = _codes(guessed, where, "predictions", classes_given=listed is not None)
        missing |= guessed.missing
        if proba is not None and k == 2 and positive_code is not None:
            cut = np.where(proba[:, positive_code] >= threshold, positive_code, 1 - positive_code)
            differ = int(np.sum((cut != guess) & ~missing))
            if differ:
                notes.append(
                    f"{containers.counted(differ)} {'is' if differ == 1 else 'are'} predicted otherwise than "
                    f"probability >= {threshold:g} would; label metrics use predictions."
                )
    else:
        assert proba is not None
        filled = np.where(np.isnan(proba), -1.0, proba)
        if k == 2 and positive_code is not None:
            guess = np.where(filled[:, positive_code] >= threshold, positive_code, 1 - positive_code).astype(np.int64)
            notes.append(
                f"A row is predicted {known[positive_code]!r} where its probability is at least {threshold:g}."
            )
        else:
            guess = np.argmax(filled, axis=1).astype(np.int64)
            notes.append("A row is predicted as its most probable class; the first in class order wins a tie.")
    return task, truth, guess, proba, known, positive_code, missing


def _class_like(vector: Vector, name: str) -> Vector:
    """Whole numbers written as floats are whole numbers; other floats are no classes."""
    if vector.kind in ("int", "float"):
        with np.errstate(invalid="ignore"):
            far = (vector.values > LARGEST_CLASS) | (vector.values < -LARGEST_CLASS)
        if np.any(far & np.isfinite(vector.values)):
            row = int(np.argmax(far))
            raise InputError(
                f"{name} holds a class beyond 2**53 (first: row {row}, {containers.shown(vector.values[row])}); give "
                "classes as strings or small codes."
            )
    if vector.kind != "float":
        return vector
    present = vector.values[~vector.missing]
    if not np.all(np.isfinite(present)):
        _refuse(np.isinf(vector.values), name, "is infinite", "give a class for each row.", vector.values)
    fractional = ~vector.missing & (np.nan_to_num(vector.values) % 1 != 0)
    _refuse(
        fractional,
        name,
        "is not a whole number and so no class",
        "give class labels, or task_type='regression' for quantities.",
        vector.values,
    )
    return Vector("int", vector.values, vector.missing)


def _are_probabilities(guess: Vector, y: Vector, listed: tuple[Class, ...] | None) -> bool:
    """Decide whether a single column of floats is meant as probabilities of the positive class."""
    if guess.kind != "float":
        return False
    present = guess.values[~guess.missing]
    if y.kind == "str":
        return True
    known = set(listed) if listed is not None else set(np.unique(y.values[~y.missing]).tolist())
    if len(known) < 2:
        known |= {0, 1}
    if all(value in known for value in np.unique(present).tolist()):
        return False
    return len(np.unique(y.values[~y.missing]) if listed is None else listed) <= 2


def _predicted(guess: Vector, y: Vector) -> Vector:
    guess = _class_like(guess, "predictions")
    if (guess.kind == "str") != (y.kind == "str") and not (y.missing.all() or guess.missing.all()):
        a, b = int(np.argmax(~guess.missing)), int(np.argmax(~y.missing))
        raise InputError(
            f"predictions holds {_kinds(guess)} (row {a}: {containers.shown(guess.values[a])}) but labels holds "
            f"{_kinds(y)} (row {b}: {containers.shown(y.values[b])}); give both in one type."
        )
    return guess


def _not_scores(guess: Vector, y: Vector) -> None:
    """Refuse whole numbers that can hardly be classes: percentages or scores beside labels of 0 and 1."""
    if guess.kind != "int" or y.kind not in ("int", "bool") or guess.missing.all():
        return
    if not set(np.unique(y.values[~y.missing]).tolist()) <= {0, 1}:
        return
    with np.errstate(invalid="ignore"):
        odd = ~guess.missing & (guess.values != 0) & (guess.values != 1)
    low, high = float(np.nanmin(guess.values)), float(np.nanmax(guess.values))
    if 2 * int(odd.sum()) > int(np.sum(~guess.missing)) and (low < 0 or high >= 10) and high <= 100:
        row = int(np.argmax(odd))
        like = "percentages, so divide by 100" if low >= 0 else "logits or scores, so pass them through a sigmoid"
        raise InputError(
            f"predictions holds {containers.counted(int(odd.sum()))} (first: row {row}, {guess.values[row]:g}) with a "
            f"class that is not in labels (0, 1); they look like {like}, or give classes= if they are classes."
        )


def _kinds(vector: Vector) -> str:
    return {"str": "strings", "int": "whole numbers", "bool": "booleans", "float": "numbers"}[vector.kind]


def _listed(classes: Any) -> tuple[Class, ...]:
    vector = containers.column(classes, "classes")
    if vector.missing.any() or len(vector.values) == 0:
        raise InputError(
            "classes is empty or holds a missing value; list each class once, in the order of the probability columns."
        )
    vector = _class_like(vector, "classes")
    listed = tuple(_scalar(v, vector.kind) for v in vector.values.tolist())
    twice = [v for i, v in enumerate(listed) if v in listed[:i]]
    if twice:
        raise InputError(f"classes lists {twice[0]!r} twice; list each class once.")
    if len(listed) == 1:
        raise InputError("classes lists one class only; list all that can occur, at least two.")
    return listed


def _scalar(value: Any, kind: str) -> Class:
    if kind == "str":
        return str(value)
    return bool(value) if kind == "bool" else int(value)


def _class_value(value: Any, known: tuple[Class, ...]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return next((k for k in known if k == value and isinstance(k, str) == isinstance(value, str)), value)


def _found(y: Vector, guessed: Vector | None, scores: Any) -> tuple[Class, ...]:
    """Return the classes met in labels and predictions, in sorted order."""
    kind = y.kind
    met: set[Any] = set(_unique(y))
    if guessed is not None:
        met |= {_scalar(v, kind) if kind != "str" and v in (0, 1) else v for v in _unique(guessed)}
    if kind == "bool":
        met = {bool(v) for v in met} | {True, False} if met <= {0, 1} else {int(v) for v in met}
    elif kind == "int":
        met = {int(v) for v in met}
        if len(met) == 1 and met <= {0, 1}:
            met = {0, 1}
    known = tuple(sorted(met))
    if scores is None:
        return known
    name, found = scores
    if isinstance(found, Vector):
        if len(known) != 2:
            what = "one class only" if len(known) == 1 else f"{len(known)} classes"
            raise InputError(
                f"{name} is one column of probabilities but labels holds {what} ({_listing(known)}); give "
                "classes= with two classes, or one column for each class."
            )
    elif len(found[1]) != len(known):
        what = "one class only" if len(known) == 1 else f"{len(known)} classes"
        raise InputError(
            f"{name} has {len(found[1])} columns but labels holds {what} "
            f"({_listing(known)}); give classes= in the order of the columns."
        )
    return known


def _unique(vector: Vector) -> list[Any]:
    present = vector.values[~vector.missing]
    return list(set(present.tolist())) if vector.kind == "str" else np.unique(present).tolist()


def _codes(vector: Vector, where: Mapping[Any, int], name: str, *, classes_given: bool) -> Integers:
    codes = np.zeros(len(vector.values), dtype=np.int64)
    if vector.kind == "str":
        codes = np.fromiter((where.get(v, -1) for v in vector.values), dtype=np.int64, count=len(vector.values))
    elif len(where) and not any(isinstance(k, str) for k in where):
        order = sorted(where)
        numbers = np.array([float(v) for v in order])
        values = np.nan_to_num(vector.values.astype(np.float64), nan=numbers[0])
        at = np.clip(np.searchsorted(numbers, values), 0, len(numbers) - 1)
        codes = np.where(numbers[at] == values, np.array([where[v] for v in order])[at], -1).astype(np.int64)
    else:
        codes[:] = -1
    unknown = (codes < 0) & ~vector.missing
    if unknown.any():
        row = int(np.argmax(unknown))
        value = vector.values[row]
        shown = value if isinstance(value, str) else value.item()
        source = "classes=" if classes_given else "labels"
        raise InputError(
            f"{name} holds {containers.counted(int(unknown.sum()))} (first: row {row}, {shown!r}) with a class that is "
            f"not in {source} ({_listing(tuple(where))}); "
            "add it to classes=, or correct the rows."
        )
    codes[vector.missing] = 0
    return codes


def _probabilities(
    name: str, found: Any, known: tuple[Class, ...], positive: int | None, notes: list[str]
) -> tuple[Floats, Booleans]:
    k = len(known)
    single = isinstance(found, Vector)
    if single and k != 2:
        raise InputError(
            f"{name} is one column of probabilities but there are {k} classes ({_listing(known)}); give "
            "one column for each class."
        )
    names, vectors = (None, [found]) if single else found
    if not single and len(vectors) != k:
        raise InputError(
            f"{name} has {len(vectors)} columns but there are {k} classes ({_listing(known)}); give one "
            "column for each class, in that order."
        )
    for vector in vectors:
        if vector.kind in ("str", "bool") and not vector.missing.all():
            row = int(np.argmax(~vector.missing))
            raise InputError(
                f"{name} holds {_kinds(vector)} (first: row {row}, {containers.shown(vector.values[row])}); "
                "give numbers "
                "from 0 to 1."
            )
    table = np.column_stack([vector.values.astype(np.float64) for vector in vectors])
    if names is not None and sorted(names) == sorted(map(str, known)):
        order = [names.index(str(c)) for c in known]
        if order != sorted(order):
            notes.append(f"The columns of {name} are matched to the classes {_listing(known)} by name, not by place.")
        table = table[:, order]
    lost = np.isnan(table).any(axis=1)
    with np.errstate(invalid="ignore"):
        bad = ((table < -1e-9) | (table > 1 + 1e-6)).any(axis=1)
    if bad.any():
        present = table[~lost]
        low, high = float(present.min()), float(present.max())
        hundred = len(vectors) > 1 and bool(np.all(np.abs(present.sum(axis=1) - 100) < 1))
        if low < 0 or 100 < high < np.inf:
            hint = "they look like logits or scores, so pass them through a sigmoid or softmax first."
        elif hundred or 5 < high <= 100:
            hint = "they look like percentages, so divide by 100."
        elif high < np.inf:
            hint = "divide percentages by 100, or pass logits or scores through a sigmoid or softmax first."
        else:
            hint = "give probabilities."
        row = int(np.argmax(bad))
        value = table[row][(table[row] < -1e-9) | (table[row] > 1 + 1e-6)][0]
        raise InputError(
            f"{name} lies outside [0, 1] in {containers.counted(int(bad.sum()))} (first: row {row}, {value:g}); {hint}"
        )
    table = np.clip(table, 0.0, 1.0)
    if single:
        assert positive is not None
        other = 1.0 - table[:, 0]
        table = np.column_stack([other, table[:, 0]] if positive == 1 else [table[:, 0], other])
    else:
        total = table.sum(axis=1)
        off = ~lost & (np.abs(total - 1) > 1e-4)
        if off.any():
            row = int(np.argmax(off))
            raise InputError(
                f"{name} does not sum to 1 in {containers.counted(int(off.sum()))} (first: row {row}, sum "
                f"{total[row]:.6g}); give one probability for each class, normalised by row."
            )
    return table, lost


def _weights(vector: Vector, keep: Integers) -> Floats:
    if vector.kind == "str":
        raise InputError("sample_weight holds strings; give a number of at least 0 for each row.")
    values = vector.values.astype(np.float64)
    _refuse(vector.missing, "sample_weight", "is missing", "give a number of at least 0 for each row.", values)
    _refuse(np.isinf(values), "sample_weight", "is infinite", "give finite numbers of at least 0.", values)
    _refuse(values < 0, "sample_weight", "is negative", "give numbers of at least 0.", values)
    values = values[keep]
    if not np.any(values > 0):
        raise InputError(f"sample_weight is 0 in all {len(values):,} rows; give at least one row a positive weight.")
    scaled = values / values.max()
    return np.asarray(scaled / scaled.mean())


def _groups(vector: Vector, keep: Integers) -> Integers:
    codes = _numbered(vector, keep, "groups", "group it belongs to")
    if codes.max() == 0:
        raise InputError("groups holds one group only; give at least two, or leave groups out.")
    return codes


def _numbered(vector: Vector, keep: Integers, name: str, what: str) -> Integers:
    """Give each different value of a column a number, in the order in which they are met."""
    if vector.missing.any():
        row = int(np.argmax(vector.missing))
        raise InputError(
            f"{name} is missing in {containers.counted(int(vector.missing.sum()))} (first: row {row}); give each row "
            f"the {what}."
        )
    values = vector.values[keep]
    order: dict[Any, int] = {}
    return np.fromiter((order.setdefault(v, len(order)) for v in values.tolist()), dtype=np.int64, count=len(values))


def _stratum_column(stratify: Any, y: Vector, task_type: str) -> Vector | None:
    if stratify is None or stratify is False:
        return None
    if stratify is not True:
        return containers.column(stratify, "stratify", dates=True)
    if task_type == "regression":
        raise InputError("stratify is True with task_type='regression'; give the stratum of each row.")
    return y


def _strata(vector: Vector, keep: Integers, groups: Integers | None) -> Integers | None:
    """Return the stratum of each row; None where all are one, which is to draw from all rows."""
    codes = _numbered(vector, keep, "stratify", "stratum it belongs to")
    if groups is not None:
        first = np.empty(int(groups.max()) + 1, dtype=np.int64)
        first[groups[::-1]] = np.arange(len(groups))[::-1]
        split = codes != codes[first[groups]]
        if split.any():
            row = int(np.argmax(split))
            raise InputError(
                f"stratify parts a group: row {int(keep[row])} lies in another stratum than the first row of its "
                "group; give all rows of a group one stratum."
            )
        units = np.bincount(codes[first])
    else:
        units = np.bincount(codes)
    if units.max() == 1:
        raise InputError(
            "stratify has one row (or group) in every stratum, so resamples could not differ; give larger strata."
        )
    return None if len(units) == 1 else codes


# Wording ------------------------------------------------------------------------------------------


def _listing(classes: tuple[Any, ...]) -> str:
    shown = ", ".join(repr(c) for c in classes[:6])
    return shown if len(classes) <= 6 else f"{shown}, ... {len(classes)} in all"


def _whose(y: Vector, missing: Booleans) -> str:
    lacking = int(y.missing.sum())
    if lacking == 0:
        return "predictions"
    return "labels" if not np.any(missing & ~y.missing) else "labels or predictions"


def _refuse(bad: Booleans, name: str, what: str, advice: str, values: np.ndarray[Any, Any]) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            f"{name} {what} in {containers.counted(int(bad.sum()))} (first: row {row}, {values[row]:g}); {advice}"
        )
