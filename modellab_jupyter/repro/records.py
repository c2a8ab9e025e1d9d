"""What a pack is made of and what is found about one: frozen values, and nothing that knows where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

MAX_DATA: Final = 100 << 20  # bytes of data files that a pack takes along
Conclusion = Literal["intact", "damaged", "exact", "equal", "within", "differs", "failed", "unknown"]
Outcome = Literal["ok", "error", "interrupted", "unknown"]


@dataclass(frozen=True)
class Execution:
    """One thing that the kernel was asked to run.

    Attributes
    ----------
    order : int
        Position among all executions of the run's sessions, from 0.
    parent : int or None
        `order` of the execution inside which it ran (``run_cell`` in a cell); None for what somebody asked for.
    hidden : bool
        It left no trace in the history: silent, or told not to be stored. Replayed, yet in no notebook.
    duration : float or None
        Seconds.
    """

    order: int
    session: str
    source: str
    outcome: Outcome
    cell_id: str | None = None
    execution_count: int | None = None
    error: str | None = None
    duration: float | None = None
    parent: int | None = None
    hidden: bool = False


@dataclass(frozen=True)
class RandomState:
    """The state of the global generators before the execution `order`.

    Attributes
    ----------
    moment : {"load", "numpy", "run"}
        When the extension was loaded; when NumPy was first seen afterwards; when the run started.
    python : dict or None
        ``random.getstate()`` as ``version``, ``state`` (list of int), ``gauss``.
    numpy : dict or None
        ``numpy.random.get_state(legacy=False)`` with lists for arrays; None where NumPy was not imported.
    """

    moment: Literal["load", "numpy", "run"]
    order: int
    python: dict[str, Any] | None
    numpy: dict[str, Any] | None


@dataclass(frozen=True)
class Draw:
    """Entropy that a generator without a seed took from the operating system; `value` in hexadecimal."""

    order: int
    source: Literal["numpy", "random"]
    value: str


@dataclass(frozen=True)
class Seed:
    """A seed that the code of a cell sets; `value` as the source says it, `call` the dotted name that takes it."""

    order: int
    call: str
    value: str


@dataclass(frozen=True)
class FileRead:
    """A file that the run read, as it was then.

    Attributes
    ----------
    path : str
        POSIX path, relative to `Recorded.folder` where it lies below it, else absolute.
    digest : str or None
        SHA-256 of what was read; None where nobody could tell any more.
    found_by : str
        ``"open"`` for the audit hook, the name of a reader that it cannot see (``"pyarrow"``, ``"duckdb"``,
        ``"polars"``, ``"xgboost"``, ``"sqlite3"``), ``"named"`` for a text in a cell that names it, ``"dataset"`` for
        `log_dataset`.
    orders : tuple of int
        The executions that read it; empty for a script.
    made : bool
        It came or changed after the session had begun, and nobody saw who wrote it: perhaps the run itself.
    """

    path: str
    digest: str | None
    size: int
    found_by: str
    orders: tuple[int, ...] = ()
    dataset: dict[str, Any] | None = None  # dataset_id, name, version
    made: bool = False


@dataclass(frozen=True)
class Git:
    """The checkout that the notebook lay in; `remote` without secrets, `diff` of tracked files, `root` absolute."""

    commit: str
    dirty: bool
    remote: str | None = None
    root: str | None = None
    diff: bytes | None = None


@dataclass(frozen=True)
class Recorded:
    """All that is known of a run, as it was recorded while it ran.

    Attributes
    ----------
    run : dict
        ``run_id``, ``name``, ``project``, ``status``, ``started_at`` (text, ISO 8601), ``duration``, ``seed``,
        ``seeded`` (what that seed was given to), ``tags``, ``note``, ``error``, ``place`` (how many runs the same
        kernels had started before it).
    folder : str
        Absolute: the working folder when recording began, which relative paths are relative to; a notebook lies there,
        and a script was started there.
    environment : dict
        As `environment.capture` tells it, with ``distributions`` (see `environment.distributions`; an editable one has
        the ``commit`` and ``diff_sha256`` of its code beside its ``root``) and ``hardware``.
    metrics : dict
        Name -> ``last``, ``series`` (``steps`` and ``values``, all of them), ``low``, ``high``, ``n`` where they were
        evaluated.
    modules : tuple of str
        Absolute paths of local modules that were imported: neither the standard library's nor an installed package's.
    module_digests : dict
        Path -> SHA-256 of each of these as it was when the run ended; None where it was never known.
    evaluations : tuple of str
        Absolute paths of the standard artifact folders.
    """

    run: dict[str, Any]
    folder: str
    notebook: str | None
    script: str | None
    executions: tuple[Execution, ...]
    random: tuple[RandomState, ...]
    draws: tuple[Draw, ...]
    files: tuple[FileRead, ...]
    environment: dict[str, Any]
    git: Git | None
    params: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    modules: tuple[str, ...] = ()
    evaluations: tuple[str, ...] = ()
    datasets: tuple[dict[str, Any], ...] = ()
    seeds: tuple[Seed, ...] = ()
    module_digests: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class HiddenState:
    """A variable that a run took from a cell which the notebook, top to bottom, does not give it.

    Attributes
    ----------
    kind : {"deleted", "edited", "order", "repeated", "unrecorded"}
        The cell is gone; says something else now; stands below or ran in another order; ran more than once and builds
        on itself; or nobody recorded what made the variable.
    name : str
        The variable.
    order : int
        The execution that used it.
    source : int or None
        The execution that made it.
    sentence : str
        For people, with the cell and the name.
    """

    kind: Literal["deleted", "edited", "order", "repeated", "unrecorded"]
    name: str
    order: int
    source: int | None
    sentence: str


@dataclass(frozen=True)
class Level:
    """One question that was asked about a pack, and its answer.

    Attributes
    ----------
    name : {"manifest", "environment", "data", "executions", "metrics", "notebook"}
    holds : bool or None
        None where it could not be told, or was not asked.
    sentence : str
        The answer in one sentence.
    rows : list of dict
        Its particulars: packages, files, cells or metrics, each with what was recorded and what was found.
    """

    name: Literal["manifest", "environment", "data", "executions", "metrics", "notebook"]
    holds: bool | None
    sentence: str
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """Something that differed; `confirmed` only after a run that changed it alone made the difference come or go."""

    factor: str
    confirmed: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What verifying or reproducing a pack found, level by level.

    Attributes
    ----------
    conclusion : {"intact", "damaged", "exact", "equal", "within", "differs", "failed", "unknown"}
        The first two are of `verify_pack`; the others of `reproduce`: metrics exact, numerically equal, within their
        intervals, different; a cell that ended otherwise; nothing could be compared.
    """

    pack_id: str
    run: dict[str, Any]
    conclusion: Conclusion
    levels: tuple[Level, ...]
    causes: tuple[Cause, ...] = ()
    hidden: tuple[HiddenState, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        from modellab_jupyter.repro import words

        return words.text(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("..." if cycle else str(self))
