"""What is done with each row and column of a table, decided and told before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from modellab_jupyter.errors import InputError, hint
from modellab_jupyter.templates.columns import Column, clean, describe, named_id, without_copies
from modellab_jupyter.templates.target import class_labels, number_labels
from modellab_jupyter.templates.wording import count, several

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]
    Ints = np.ndarray[Any, np.dtype[np.int64]]

TaskType = Literal["classification", "regression"]

TASK_TYPES: Final[tuple[TaskType, ...]] = ("classification", "regression")
LEAST_ROWS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What was decided about a table: rows, columns, classes and the split. Arrays are read-only.

    Attributes
    ----------
    task_type : str
        ``"classification"`` or ``"regression"``.
    target : hashable
        Name of the target column.
    columns : tuple of Column
        Every other column, in the frame's order.
    classes : tuple
        Classes in sorted order; empty for regression.
    notes : tuple of str
        What a person should know: rows dropped, texts read as numbers, rare classes, hints of leakage.
    rows : numpy.ndarray of int64
        Positions, in the frame that was given, of the rows that have a target.
    train, test : numpy.ndarray of int64
        Positions of the rows of both splits in that frame; no row is in both.
    seed : int
        Seed of the split and of the models.
    features : pandas.DataFrame
        Cleaned columns that are used, for all rows kept, on the frame's own index. Treat as read-only.
    labels : numpy.ndarray
        Target of all rows kept: class values, or float64.
    """

    task_type: TaskType
    target: Hashable
    columns: tuple[Column, ...]
    classes: tuple[Any, ...]
    notes: tuple[str, ...]
    rows: Ints
    train: Ints
    test: Ints
    seed: int
    features: pd.DataFrame = field(repr=False)
    labels: Array = field(repr=False)

    @property
    def used(self) -> tuple[Column, ...]:
        """Columns that the models see."""
        return tuple(column for column in self.columns if column.use != "left out")

    @property
    def table(self) -> pd.DataFrame:
        """One row per column: column, use, reason, missing, distinct."""
        import pandas as pd

        names = ["column", "use", "reason", "missing", "distinct"]
        return pd.DataFrame(
            [(str(c.name), c.use, c.reason, c.missing, c.distinct) for c in self.columns], columns=names
        )

    def clean(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the used columns of raw rows as the models read them; cleaning twice changes nothing.

        Parameters
        ----------
        frame : pandas.DataFrame
            Rows with at least the used columns; the target need not be there.

        Returns
        -------
        pandas.DataFrame
            float64, datetime64 and text columns, named as text, on the same index.

        Raises
        ------
        InputError
            A used column is not in `frame`.
        """
        return clean(frame, self.used)

    def rows_of(self, split: Literal["train", "test"]) -> tuple[pd.DataFrame, Array]:
        """Return cleaned features and labels of the training or the test rows."""
        import numpy as np

        at = np.searchsorted(self.rows, self.train if split == "train" else self.test)
        return self.features.iloc[at], self.labels[at]

    def __str__(self) -> str:
        rows = f"{count(len(self.train), 'row')} to train, {len(self.test):,} to test"
        used = f"{len(self.used)} of {count(len(self.columns), 'column')} used"
        lines = [f"{self.task_type} of {str(self.target)!r}: {rows}, {used}"]
        left_out = [f"{column.name} ({column.reason})" for column in self.columns if column.use == "left out"]
        if left_out:
            lines.append(f"  left out: {several(left_out, 12)}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def plan(frame: pd.DataFrame, target: Hashable, task_type: str, seed: int = 0, *, test_size: float = 0.25) -> Plan:
    """Decide what is done with each row and column, and split the rows.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table as it came, shape (rows, columns). It is not changed.
    target : hashable
        Name of the column to predict.
    task_type : {"classification", "regression"}
        What kind of target it is.
    seed : int
        Seed of the split, 0 to 2**31 - 1; the global random state is not used.
    test_size : float
        Share of rows in the test split, between 0 and 1.

    Returns
    -------
    Plan
        The same for the same arguments.

    Raises
    ------
    InputError
        An argument cannot be used: its name, what was found and what to do.
    """
    import numpy as np

    _check_arguments(frame, task_type, seed, test_size)
    target = _target_name(frame, target)
    notes = [str(frame.attrs["read"])] if "read" in frame.attrs else []
    labels, kept = (class_labels if task_type == "classification" else number_labels)(frame[target], target, notes)
    dropped = len(frame) - len(kept)
    if dropped:
        notes.append(f"{count(dropped, 'row')} without a value of {str(target)!r} left out.")
    if len(kept) < LEAST_ROWS:
        raise InputError(
            f"data: {count(len(kept), 'row')} with a value of {str(target)!r}, and a split needs"
            f" {LEAST_ROWS} at least;"
            " give more rows"
        )
    classes = tuple(value.item() for value in np.unique(labels)) if task_type == "classification" else ()

    others = frame.iloc[kept].drop(columns=[target])
    described = [describe(others[name], name, notes) for name in others.columns]
    columns, features = without_copies(others, described, labels, notes)
    if not features.shape[1]:
        why = several([f"{str(column.name)!r}: {column.reason}" for column in columns], 5)
        raise InputError(
            f"data: no column is left to learn from ({why or 'there is no other column'}); give a table with features"
        )
    notes.extend(_hints(others, features, columns, labels, bool(classes)))

    train, test, said = split(labels if classes else None, len(kept), test_size, np.random.default_rng(seed))
    arrays = (kept, kept[train], kept[test], labels)
    for array in arrays:
        array.setflags(write=False)
    return Plan(
        task_type=cast("TaskType", task_type),
        target=target,
        columns=tuple(columns),
        classes=classes,
        notes=(*notes, *said),
        rows=arrays[0],
        train=arrays[1],
        test=arrays[2],
        seed=int(seed),
        features=features,
        labels=labels,
    )


def _check_arguments(frame: object, task_type: object, seed: object, test_size: object) -> None:
    import numpy as np
    import pandas as pd

    if task_type not in TASK_TYPES:
        near = hint(str(task_type), TASK_TYPES)
        raise InputError(f"task_type: {task_type!r} is not known{near}; give 'classification' or 'regression'")
    if not isinstance(frame, pd.DataFrame):
        raise InputError(
            f"data: a pandas DataFrame is needed, not {type(frame).__name__}; read a file with read_table(path)"
        )
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**31:
        raise InputError(f"seed: a whole number from 0 to {2**31 - 1} is needed, not {seed!r}; give for example seed=0")
    if isinstance(test_size, bool) or not isinstance(test_size, float) or not 0 < test_size < 1:
        raise InputError(f"test_size: a share between 0 and 1 is needed, not {test_size!r}; give for example 0.25")
    if frame.columns.nlevels > 1:
        raise InputError(f"data: its columns have {frame.columns.nlevels} levels of names; give each column one name")
    names = [str(name) for name in frame.columns]
    doubles = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if doubles:
        raise InputError(f"data: {names.count(doubles[0])} columns are named {doubles[0]!r}; give each its own name")
    if not len(frame):
        raise InputError(f"data: 0 rows under {count(len(names), 'column')}; give a table with rows")


def _target_name(frame: pd.DataFrame, target: Hashable) -> Hashable:
    for name in frame.columns:
        if name == target or str(name) == str(target):
            return cast("Hashable", name)
    names = [str(name) for name in frame.columns]
    lower = {name.strip().lower(): name for name in names}
    same = lower.get(str(target).strip().lower())
    near = f"; did you mean {same!r}?" if same else hint(str(target), names)
    said = "" if near else f"; its columns are {several([*map(repr, names)], 8)}"
    raise InputError(f"target: there is no column {str(target)!r} in the data{near}{said}")


def _hints(
    frame: pd.DataFrame, features: pd.DataFrame, columns: Sequence[Column], labels: Array, classes: bool
) -> list[str]:
    """Tell what may make the test look better than the truth."""
    import pandas as pd

    n = len(features)
    away = "it may give the answer away"
    notes = [
        f"{str(column.name)!r} {'tells the class' if classes else 'is the target on another scale'} in"
        f" every row: {away}."
        for column in columns
        if column.use not in ("left out", "date") and not column.missing and column.distinct > 1
        if (_tells_class if classes else _is_rescaled)(features[str(column.name)].to_numpy(), labels)
    ]
    both = "may be in both splits and flatter the test score"
    notes += [
        f"{str(column.name)!r} repeats: rows of one {column.name} {both}."
        for column in columns
        if column.use == "left out" and named_id(column.name) and 1 < column.distinct < n - column.missing
    ]
    times = [str(column.name) for column in columns if column.use == "date" and column.distinct > 0.5 * n]
    if times:
        notes.append(f"The rows have times ({times[0]!r}) and the split is random: later rows may score lower.")
    plain = [column.name for column in columns if not column.reason.startswith("holds ")]
    whole = frame[plain].set_axis(range(n), axis=0)
    twins = int(pd.concat([whole, pd.Series(labels)], axis=1).duplicated().sum())
    if twins:
        notes.append(f"{count(twins, 'row')} repeated exactly: copies {both}.")
    return notes


def _tells_class(values: Array, labels: Array) -> bool:
    import pandas as pd

    pairs = pd.DataFrame({"value": values, "label": labels}).drop_duplicates()
    return bool(len(pairs) == pairs["value"].nunique() == pairs["label"].nunique())


def _is_rescaled(values: Array, labels: Array) -> bool:
    import numpy as np

    if values.dtype != np.float64:
        return False
    x, y = values / np.abs(values).max(), labels / np.abs(labels).max()
    x, y = x - x.mean(), y - y.mean()
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    return size > 0 and abs(float(x @ y)) > (1 - 1e-9) * size and len(np.unique(labels)) > 2


def split(labels: Array | None, n: int, test_size: float, rng: np.random.Generator) -> tuple[Ints, Ints, list[str]]:
    """Split `n` rows at random, by class where `labels` are given; training rows know every class.

    Classes too small to appear in the test split in proportion share one stratum; a class that then has no
    training row gets one of its test rows back.

    Returns
    -------
    train, test : numpy.ndarray of int64
        Sorted positions.
    notes : list of str
        What was done about rare classes.

    Raises
    ------
    InputError
        Every class has one row only, so that no test split is possible.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    state = int(rng.integers(2**31))
    rest = np.arange(n)
    if labels is None:
        train, test = train_test_split(rest, test_size=test_size, random_state=state)
        return np.sort(train), np.sort(test), []
    classes, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts < np.ceil(1 / test_size))
    strata = np.where(np.isin(codes, rare), -1, codes)
    alone = np.flatnonzero(strata == -1) if (strata == -1).sum() == 1 else rest[:0]
    rest = np.setdiff1d(rest, alone)
    smallest = len(np.unique(strata[rest]))
    held = min(max(round(test_size * n), smallest), len(rest) - smallest)
    train, test = train_test_split(rest, test_size=held, random_state=state, stratify=strata[rest])
    lost = [np.flatnonzero(codes == code)[0] for code in np.setdiff1d(codes, codes[[*train, *alone]])]
    train, test = np.sort([*train, *alone, *lost]), np.sort(np.setdiff1d(test, lost))
    if not len(test):
        raise InputError(
            "target: nearly every class has one row only, so no test split is possible; join classes first"
        )
    notes: list[str] = []
    if len(rare):
        few = several([f"{classes[code]!s}: {count(int(counts[code]), 'row')}" for code in rare], 5)
        notes.append(f"Rare classes ({few}): each keeps at least one row for training.")
    unseen = [repr(classes[code].item()) for code in np.setdiff1d(codes, codes[test])]
    if unseen:
        notes.append(f"The test split has no row of class {several(unseen, 5)}, so it cannot judge that.")
    return train.astype(np.int64), test.astype(np.int64), notes
