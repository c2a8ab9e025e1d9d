"""The target column: which rows have one, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from modellab_jupyter import tables
from modellab_jupyter.errors import InputError
from modellab_jupyter.templates.wording import count

if TYPE_CHECKING:
    from collections.abc import Hashable

    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

MOST_CLASSES: Final = 100
_MOST_NUMBERS: Final = 30  # whole numbers that may be classes; more are amounts unless they repeat a lot
_MOST_FRACTIONS: Final = 10


def class_labels(series: pd.Series[Any], target: Hashable, notes: list[str]) -> tuple[Array, Array]:
    """Read the target of a classification.

    Returns
    -------
    labels : numpy.ndarray
        Classes of the rows that have one: bool, int64 or text.
    kept : numpy.ndarray of int64
        Positions of these rows in `series`.

    Raises
    ------
    InputError
        The column holds amounts, times, too many classes, or one class only.
    """
    import numpy as np

    present, kept = _present(series)
    labels = _as_classes(present, target, notes)
    classes = np.unique(labels)
    if len(labels) and len(classes) < 2:
        raise InputError(
            f"target: {str(target)!r} holds one class only ({classes[0].item()!r}, in"
            f" {count(len(labels), 'row')});"
            " choose a column with two classes or more, or give rows of another class"
        )
    return labels, kept


def number_labels(series: pd.Series[Any], target: Hashable, notes: list[str]) -> tuple[Array, Array]:
    """Read the target of a regression.

    Returns
    -------
    labels : numpy.ndarray of float64
        Finite numbers of the rows that have one.
    kept : numpy.ndarray of int64
        Positions of these rows in `series`.

    Raises
    ------
    InputError
        The column holds text, truth values or times, or always the same number.
    """
    import numpy as np
    import pandas as pd

    types = pd.api.types
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.dtype.categories.dtype)
    present, kept = _present(series)
    if types.is_datetime64_any_dtype(present.dtype) or isinstance(present.dtype, pd.PeriodDtype):
        raise InputError(
            f"target: {str(target)!r} holds times; choose a numeric column, or make it a number of days first"
        )
    if types.is_bool_dtype(present.dtype):
        raise InputError(f"target: {str(target)!r} holds true and false; use task_type='classification'")
    style = ""
    if not types.is_numeric_dtype(present.dtype) and not types.is_timedelta64_dtype(present.dtype):
        style = _number_style(present, kept, target)
        if any(isinstance(value, str) for value in present):
            notes.append(f"{str(target)!r} has numbers written as text; they were read as numbers.")
    labels = tables.numbers(present, style).to_numpy(dtype=np.float64)
    finite = np.isfinite(labels)
    labels, kept = labels[finite], kept[finite]
    if len(labels) and np.all(labels == labels[0]):
        raise InputError(
            f"target: {str(target)!r} is {labels[0]:g} in every row, so there is nothing to learn;"
            f" choose another column"
        )
    if len(np.unique(labels)) == 2:
        notes.append(f"{str(target)!r} has two values only: task_type='classification' may fit better.")
    return labels, kept


def _present(series: pd.Series[Any]) -> tuple[pd.Series[Any], Array]:
    """Return cells that hold something, and their positions; infinite numbers are told by their absence."""
    import numpy as np
    import pandas as pd

    there = series.notna().to_numpy(dtype=bool)
    if series.dtype == object or isinstance(series.dtype, pd.StringDtype | pd.CategoricalDtype):
        there = there & tables.texts(series, tables.MISSING_TARGET).notna().to_numpy(dtype=bool)
    elif pd.api.types.is_float_dtype(series.dtype):
        there = there & np.isfinite(series.to_numpy(dtype=np.float64, na_value=np.nan))
    kept = np.flatnonzero(there).astype(np.int64)
    return series.iloc[kept], kept


def _as_classes(present: pd.Series[Any], target: Hashable, notes: list[str]) -> Array:
    import numpy as np
    import pandas as pd

    types, dtype = pd.api.types, present.dtype
    if isinstance(dtype, pd.CategoricalDtype) and types.is_numeric_dtype(dtype.categories.dtype):
        present = present.astype(dtype.categories.dtype)
        dtype = present.dtype
    kinds = {type(value).__name__ for value in present.astype(object)}
    if types.is_bool_dtype(dtype) or kinds == {"bool"}:
        flags: Array = present.to_numpy(dtype=bool)
        return flags
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        raise InputError(
            f"target: {str(target)!r} holds times, which are neither classes nor numbers; choose another column"
        )
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return _number_classes(present.to_numpy(dtype=np.float64), target)
    if len(kinds) > 1:
        notes.append(f"{str(target)!r} mixes {' and '.join(sorted(kinds))}: all its values are taken as text.")
    labels = tables.texts(present, tables.MISSING_TARGET).to_numpy(dtype=object)
    classes = [str(value) for value in pd.unique(labels)]
    if len(classes) > MOST_CLASSES or (len(classes) > 10 and len(classes) > 0.5 * len(labels)):
        numeric = tables.number_style(classes)[0]
        todo = "use task_type='regression'" if numeric else "choose another column, or join classes first"
        raise InputError(
            f"target: {str(target)!r} holds {len(classes)} different {'numbers' if numeric else 'texts'} in"
            f" {count(len(labels), 'row')}, too many for classes; {todo}"
        )
    words: Array = labels.astype(np.str_)
    return words


def _number_classes(values: Array, target: Hashable) -> Array:
    """Return whole numbers as int64 and a few fractions as text, since a class is a name; refuse amounts."""
    import numpy as np

    distinct = len(np.unique(values))
    whole = bool(np.all(values == np.floor(values)) and np.all(np.abs(values) < 2**53))
    if (distinct > _MOST_NUMBERS and distinct > 0.02 * len(values)) or (not whole and distinct > _MOST_FRACTIONS):
        raise InputError(
            f"target: {str(target)!r} holds {distinct} different numbers in"
            f" {count(len(values), 'row')}, which look like"
            " amounts and not like classes; use task_type='regression', or turn them into classes first"
        )
    return values.astype(np.int64) if whole else values.astype(np.str_)


def _number_style(present: pd.Series[Any], kept: Array, target: Hashable) -> str:
    """Return how texts write numbers, or refuse them and show the first that is none."""
    import numpy as np

    said = tables.texts(present, tables.MISSING_TARGET)
    levels = [str(level) for level in said.unique()]
    style, strangers = tables.number_style(levels)
    if levels and (not style or strangers):
        bad = said.isin(strangers or levels).to_numpy(dtype=bool)
        first = int(np.flatnonzero(bad)[0])
        todo = "correct these cells" if style else "use task_type='classification', or choose a numeric column"
        raise InputError(
            f"target: {str(target)!r} holds text where regression needs numbers ({said.iloc[first]!r} in row"
            f" {int(kept[first])}, {int(bad.sum()):,} such in {count(len(said), 'row')}); {todo}"
        )
    return style
