"""What each column is: numbers, dates, levels, or nothing to learn from; and its cells read accordingly."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from modellab_jupyter import tables
from modellab_jupyter.errors import InputError, hint
from modellab_jupyter.templates.wording import count, several

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    import pandas as pd

Use = Literal["numeric", "boolean", "category", "many categories", "date", "left out"]

MOST_ONE_HOT: Final = 20  # levels with a column each; above, the target tells one number per level
_FEWEST: Final = 10  # values from which a pattern of identifiers is believed
_YES_NO: Final = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
_ID_WORDS: Final = ("id", "ids", "uuid", "guid", "rownames", "rowid")


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is used.

    Attributes
    ----------
    name : hashable
        Its name in the frame that was given.
    use : str
        ``"numeric"``, ``"boolean"``, ``"category"`` (a column per level), ``"many categories"`` (levels
        encoded by the target), ``"date"`` (taken apart) or ``"left out"``.
    reason : str
        Why, in a few words.
    missing : int
        Cells without a value among the rows that are used.
    distinct : int
        Different values among them.
    style : str
        How its texts are read: a way to write numbers or dates; empty where nothing has to be read.
    """

    name: Hashable
    use: Use
    reason: str
    missing: int
    distinct: int
    style: str = ""


def clean(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Return `columns` of `frame` read as they were described (see `Plan.clean`)."""
    import pandas as pd

    names = {str(name): name for name in frame.columns}
    lacking = [str(column.name) for column in columns if str(column.name) not in names]
    if lacking:
        found = several([repr(name) for name in lacking], 5)
        raise InputError(
            f"data: {count(len(lacking), 'column')} that the model needs not found ({found})"
            f"{hint(lacking[0], names) or '; give rows with the columns of the training table.'}"
        )
    read = {str(column.name): cells(frame[names[str(column.name)]], column) for column in columns}
    return pd.DataFrame(read, index=frame.index)


def cells(series: pd.Series[Any], column: Column) -> pd.Series[Any]:
    """Return `series` read as `column` says: float64, datetime64 or text with NaN."""
    if column.use == "numeric":
        return tables.numbers(series, column.style)
    if column.use == "date":
        return tables.dates(series, column.style)
    return tables.texts(series)


def describe(series: pd.Series[Any], name: Hashable, notes: list[str]) -> Column:
    """Decide how a feature is used, from the rows that are kept; what people should know joins `notes`."""
    import numpy as np
    import pandas as pd

    types, dtype = pd.api.types, series.dtype
    if types.is_complex_dtype(dtype):
        return Column(name, "left out", "complex numbers", int(series.isna().sum()), int(series.nunique()))
    if isinstance(dtype, pd.CategoricalDtype):
        return _described_text(series, name, notes)
    if types.is_bool_dtype(dtype):
        return _described(name, "boolean", "true or false", tables.texts(series))
    if types.is_numeric_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        values = tables.numbers(series, "")
        infinite = int(series.notna().sum() - values.notna().sum())
        if infinite:
            notes.append(f"{count(infinite, 'infinite value')} of {str(name)!r} taken as missing.")
        why = "durations in seconds" if types.is_timedelta64_dtype(dtype) else "numbers"
        return _described(name, "numeric", why, values)
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return _described(name, "date", "times, taken apart", tables.dates(series, "ISO8601"), "ISO8601")
    strange = (list, dict, set, tuple, bytes, np.ndarray)
    odd = [value for value in series.dropna().iloc[:1000] if isinstance(value, strange)]
    if odd:
        return Column(name, "left out", f"holds {type(odd[0]).__name__} objects", int(series.isna().sum()), 0)
    return _described_text(series, name, notes)


def _described(name: Hashable, use: Use, reason: str, values: pd.Series[Any], style: str = "") -> Column:
    """Describe values that were read, unless there is nothing to learn from them."""
    import numpy as np

    missing, found = int(values.isna().sum()), values.dropna()
    distinct = int(found.nunique())
    column = Column(name, use, reason, missing, distinct, style)
    leave = dataclasses.replace(column, use="left out", style="")
    if not distinct:
        return dataclasses.replace(leave, reason="no values at all")
    if distinct == 1 and not missing:
        return dataclasses.replace(leave, reason=f"always {_shown(found.iloc[0])}")
    if use != "numeric" or len(found) < _FEWEST:
        return column
    amounts = found.to_numpy(dtype=np.float64)
    if np.any(amounts != np.floor(amounts)):
        return column
    if not missing and amounts[0] in (0, 1) and np.all(np.diff(amounts) == 1):
        return dataclasses.replace(leave, reason="numbers the rows")
    if named_id(name) and distinct > MOST_ONE_HOT:
        return dataclasses.replace(leave, reason=f"named like an identifier, {distinct} different")
    return column


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(str(value)[:40])


def _described_text(series: pd.Series[Any], name: Hashable, notes: list[str]) -> Column:
    values = tables.texts(series)
    levels = [str(level) for level in values.dropna().unique()]
    chosen = levels and str(series.dtype) == "category" and len(levels) <= MOST_ONE_HOT
    if not chosen:  # who made it a category meant it
        style, strangers = tables.number_style(levels)
        if style:
            notes.append(_read_as_numbers(series, values, name, style, strangers))
            return _described(name, "numeric", "numbers as text", tables.numbers(series, style), style)
        style, doubt = tables.date_style(levels)
        if style:
            if doubt:
                notes.append(f"{str(name)!r} has dates with day and month in doubt; they were read as {style}.")
            read = tables.dates(series, style)
            return _described(name, "date", f"dates as text ({style}), taken apart", read, style)
    if {level.lower() for level in levels} in _YES_NO:
        return _described(name, "boolean", "two words that mean yes or no", values)
    distinct, there = len(levels), int(values.notna().sum())
    column = _described(name, "category", f"{distinct} {'level' if distinct == 1 else 'levels'}", values)
    if column.use == "left out" or distinct <= _FEWEST:
        return column
    words = sum(len(level.split()) for level in levels[:500]) / len(levels[:500])
    if distinct > MOST_ONE_HOT and distinct > 0.2 * there and words >= 4:
        return dataclasses.replace(column, use="left out", reason=f"free text, {distinct} different in {there} cells")
    if distinct > 0.5 * there:
        why = f"identifier-like, {distinct} different in {there} cells"
        return dataclasses.replace(column, use="left out", reason=why)
    if distinct > MOST_ONE_HOT and named_id(name):
        return dataclasses.replace(column, use="left out", reason=f"named like an identifier, {distinct} different")
    if distinct > MOST_ONE_HOT:
        return dataclasses.replace(column, use="many categories", reason=f"{distinct} levels, encoded by the target")
    return column


def _read_as_numbers(
    series: pd.Series[Any], values: pd.Series[Any], name: Hashable, style: str, strangers: Sequence[str]
) -> str:
    marks = sorted({str(text).strip() for text in series[values.isna() & series.notna()]} - {""})
    lost = int(values.isin(strangers).sum())
    aside = [
        *([several([repr(mark) for mark in marks], 3)] if marks else []),
        *([f"{count(lost, 'cell')} such as {strangers[0]!r}"] if lost else []),
    ]
    taken = f"; {' and '.join(aside)} taken as missing" if aside else ""
    return f"{str(name)!r} has numbers written as text, read as in {style}{taken}."


def named_id(name: Hashable) -> bool:
    """Tell whether the last word of a column's name says that it identifies something."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", str(name))
    return bool(words) and words[-1].lower() in _ID_WORDS


def without_copies(
    frame: pd.DataFrame, columns: Sequence[Column], labels: np.ndarray[Any, Any], notes: list[str]
) -> tuple[list[Column], pd.DataFrame]:
    """Leave out columns that repeat an earlier one or the target itself.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw features of the rows that are kept.
    columns : sequence of Column
        What its columns are.
    labels : numpy.ndarray
        Target of the same rows.
    notes : list of str
        Gets a sentence for each copy of the target.

    Returns
    -------
    columns : list of Column
        All of them; copies are left out with their reason.
    features : pandas.DataFrame
        Cleaned columns that are used.
    """
    import pandas as pd

    alike: dict[int, list[str]] = {}
    kept: dict[str, pd.Series[Any]] = {}
    decided: list[Column] = []
    answers = pd.Series(labels, index=frame.index)
    if labels.dtype.kind in "iuf":
        answers = answers.astype("float64")
    written = tables.texts(pd.Series(labels, index=frame.index))
    for column in columns:
        if column.use == "left out":
            decided.append(column)
            continue
        values = cells(frame[column.name], column)
        mark = int(pd.util.hash_pandas_object(values, index=False).to_numpy().view("int64").sum())
        twin = next((name for name in alike.get(mark, []) if kept[name].equals(values)), None)
        if values.equals(answers if column.use == "numeric" else written):
            notes.append(f"{str(column.name)!r} is the target itself in every row: left out, it gives the answer away.")
            decided.append(dataclasses.replace(column, use="left out", reason="the target itself"))
        elif twin is not None:
            decided.append(dataclasses.replace(column, use="left out", reason=f"the same values as {twin!r}"))
        else:
            alike.setdefault(mark, []).append(str(column.name))
            kept[str(column.name)] = values
            decided.append(column)
    return decided, pd.DataFrame(kept, index=frame.index)
