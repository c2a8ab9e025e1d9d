"""What is recorded: frozen values, and nothing that knows where they are kept.

An *event* is one line of a journal. The store is what becomes of all events in order, so an event
says everything that its effect needs, and taking it in twice is the same as once.
Times are nanoseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import json
import operator
import os
import re
import sys
import threading
import time
from typing import Any, Final, Literal

import msgspec

from modellab_jupyter.errors import InputError, shown

Status = Literal["running", "finished", "failed", "interrupted"]
Kind = Literal["project", "dataset", "run", "artifact", "evaluation"]

PREFIXES: Final[dict[str, str]] = {
    "project": "proj", "dataset": "ds", "run": "run", "artifact": "art", "evaluation": "eval",
    "segment": "seg", "session": "ses",
}  # fmt: skip

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as the number does
_last = 0
_lock = threading.Lock()


def _after_fork() -> None:
    """Give a forked child a lock that nobody holds; its ids differ by their random part."""
    global _lock, _last
    _lock, _last = threading.Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def new_id(kind: str) -> str:
    """Return a new id such as ``run_01k9…``: 48 bits of time in ms, 52 random bits, in base 32.

    Ids sort by time of creation; within one process also those made in the same millisecond.
    """
    global _last
    with _lock:
        number = (time.time_ns() // 1_000_000 << 52) | int.from_bytes(os.urandom(7)) >> 4
        if number <= _last:
            number = _last + 1
        _last = number
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(95, -1, -5))
    return f"{PREFIXES[kind]}_{digits}"


class Event(msgspec.Struct, frozen=True, tag_field="event", omit_defaults=True, kw_only=True):
    """One line of a journal."""

    time: int


class SegmentOpened(Event, frozen=True, kw_only=True, tag="opened"):
    """First line of a segment: who writes it."""

    host: str
    pid: int
    started: float  # when the process started, seconds since 1970, tells a reused pid
    version: str


class SegmentClosed(Event, frozen=True, kw_only=True, tag="closed"):
    """Last line of a segment that will not grow any more."""


class ProjectAdded(Event, frozen=True, kw_only=True, tag="project"):
    """A project; where one of that name lives already, `project_id` becomes another name for it."""

    project_id: str
    name: str
    description: str = ""


class DatasetAdded(Event, frozen=True, kw_only=True, tag="dataset"):
    """One exact content of a named source; one that is known already adds no version and is current again."""

    dataset_id: str
    name: str
    digest: str
    source: Literal["frame", "csv", "parquet", "file"]
    project_id: str | None = None
    path: str | None = None
    rows: int | None = None
    columns: int | None = None
    size: int | None = None  # bytes, of a file
    fields: list[dict[str, str]] = []
    preview: str | None = None  # digest of a Parquet blob with the first rows
    summary: str | None = None  # digest of a JSON blob; see `summary.Summary`
    description: str | None = None


class DatasetUsed(Event, frozen=True, kw_only=True, tag="used"):
    """A run read one version of a dataset."""

    run_id: str
    dataset_id: str
    digest: str
    split: str = ""


class EnvironmentCaptured(Event, frozen=True, kw_only=True, tag="environment"):
    """Python, packages, platform; `digest` is that of `content`."""

    digest: str
    content: dict[str, Any]


class RunStarted(Event, frozen=True, kw_only=True, tag="started"):
    """A run begins."""

    run_id: str
    project_id: str
    name: str
    host: str
    pid: int
    started: float
    session_id: str
    seed: int | None = None
    seeded: list[str] = []
    baseline: bool = False
    notebook: str | None = None
    script: str | None = None
    first_cell: int | None = None
    total_steps: int | None = None


class RunResumed(Event, frozen=True, kw_only=True, tag="resumed"):
    """A run that had ended, or whose process is gone, goes on in this process."""

    run_id: str
    host: str
    pid: int
    started: float
    session_id: str
    first_cell: int | None = None
    seed: int | None = None  # None: the run keeps the one it had
    seeded: list[str] = []
    total_steps: int | None = None  # as for the seed


class RunDescribed(Event, frozen=True, kw_only=True, tag="described"):
    """What was found about a run's surroundings after it had started."""

    run_id: str
    environment: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None


class RunEnded(Event, frozen=True, kw_only=True, tag="ended"):
    """A run ends; `lost` counts records since it was started or resumed that could not be written anywhere."""

    run_id: str
    status: Status
    duration: float
    error: str | None = None
    session_id: str = ""
    last_cell: int | None = None
    lost: int = 0


class Beat(Event, frozen=True, kw_only=True, tag="beat"):
    """The process of a run is alive."""

    run_id: str


class ParamsLogged(Event, frozen=True, kw_only=True, tag="params"):
    """Params as JSON texts (Python's dialect, which has NaN and Infinity)."""

    run_id: str
    params: dict[str, str]


class MetricsLogged(Event, frozen=True, kw_only=True, tag="metrics"):
    """Values of one step; what JSON has no number for stands in `odd` as a word."""

    run_id: str
    step: int
    values: dict[str, float]
    odd: dict[str, str] = {}


class TagsSet(Event, frozen=True, kw_only=True, tag="tags"):
    """Tags added to a run, with a value or none; `removed` ones go."""

    run_id: str
    tags: dict[str, str | None]
    removed: list[str] = []


class LatencyLogged(Event, frozen=True, kw_only=True, tag="latency"):
    """Durations in seconds."""

    run_id: str
    name: str
    seconds: list[float]
    warmup: bool = False


class ArtifactLogged(Event, frozen=True, kw_only=True, tag="artifact"):
    """A file or folder of a run; a folder's blob is the list of its members with their digests."""

    artifact_id: str
    run_id: str
    name: str
    kind: Literal["file", "folder"]
    digest: str
    size: int
    media_type: str | None = None


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One metric of an evaluation with its interval, or the reason that it has none."""

    metric: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    confidence_level: float | None = None
    method: str | None = None
    n: int | None = None
    reason: str | None = None


class EvaluationLogged(Event, frozen=True, kw_only=True, tag="evaluation"):
    """One evaluation of a run: what was judged, on which rows, and what was found."""

    evaluation_id: str
    run_id: str
    name: str
    task_type: str
    n: int
    labels_digest: str
    rows_digest: str
    predictions: str  # digest of a Parquet blob, one row per row judged
    folder: str  # relative to the store's files, as POSIX path
    estimates: list[Estimate]
    takeaway: str
    settings: dict[str, Any] = {}


class CellExecuted(Event, frozen=True, kw_only=True, tag="cell"):
    """One piece of code that a kernel ran; positions count in the order in which they began."""

    session_id: str
    position: int
    source: str
    outcome: Literal["ok", "error", "interrupted", "unknown"]
    cell_id: str | None = None
    execution_count: int | None = None
    duration: float | None = None
    error: str | None = None
    parent: int | None = None  # the position of the cell inside which it ran
    hidden: bool = False  # silent, or told not to be stored: it is in no history


class RandomSeen(Event, frozen=True, kw_only=True, tag="random"):
    """The state of the global generators at a moment of the cell `position`.

    `python` has ``version``, ``state`` (base64 of 625 little-endian words of 32 bits) and ``gauss``; `numpy` what
    ``numpy.random.get_state(legacy=False)`` says, arrays as base64 of their bytes and large integers as texts. Both are
    None where they are those of the event before.
    """

    session_id: str
    position: int
    moment: Literal["load", "numpy", "run"]
    python: dict[str, Any] | None = None
    numpy: dict[str, Any] | None = None


class EntropyDrawn(Event, frozen=True, kw_only=True, tag="entropy"):
    """What generators without a seed took from the operating system in one cell, in hexadecimal, in their order."""

    session_id: str
    position: int
    source: Literal["numpy", "random"]
    values: list[str]
    first: int = 0  # how many of this source the session had drawn before


class FileSeen(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A file as it was when it was read; `path` absolute, `digest` None where it changed before it could be told."""

    path: str
    size: int
    modified: int  # nanoseconds since 1970
    found_by: str
    digest: str | None = None
    made: bool = False  # it came or changed after the session had begun, and nobody saw who wrote it


class FilesRead(Event, frozen=True, kw_only=True, tag="read"):
    """Files that one cell read; local modules among them, found by ``"import"``."""

    session_id: str
    position: int
    files: list[FileSeen]


class SurroundingsSeen(Event, frozen=True, kw_only=True, tag="surroundings"):
    """What a run stands on beside its environment, found out after its start.

    `distributions` and `diff` are digests: of what `EnvironmentCaptured` holds, and of a blob.
    """

    run_id: str
    folder: str
    distributions: str | None = None
    diff: str | None = None
    details: dict[str, Any] = {}


class Changed(Event, frozen=True, kw_only=True, tag="changed"):
    """Fields of one object got other values."""

    kind: Kind
    id: str
    fields: dict[str, Any]


class Trashed(Event, frozen=True, kw_only=True, tag="trashed"):
    """Objects went to the trash."""

    kind: Kind
    ids: list[str]


class Restored(Event, frozen=True, kw_only=True, tag="restored"):
    """Objects came back from the trash."""

    kind: Kind
    ids: list[str]


class ViewKept(Event, frozen=True, kw_only=True, tag="view"):
    """A way of looking at a project has a name now, or no longer."""

    project_id: str  # empty: all projects
    widget: str
    name: str
    state: str | None  # JSON; None: forgotten


class PackHandled(Event, frozen=True, kw_only=True, tag="pack"):
    """A pack of a run was made, verified or reproduced; `verdict` is JSON."""

    run_id: str
    pack_id: str
    act: Literal["made", "verified", "reproduced"]
    path: str
    size: int
    host: str
    conclusion: str | None = None
    verdict: str | None = None


class Purged(Event, frozen=True, kw_only=True, tag="purged"):
    """Everything that was in the trash is gone for good."""


AnyEvent = (
    SegmentOpened | SegmentClosed | ProjectAdded | DatasetAdded | DatasetUsed | EnvironmentCaptured
    | RunStarted | RunResumed | RunDescribed | RunEnded | Beat | ParamsLogged | MetricsLogged | TagsSet
    | LatencyLogged | ArtifactLogged | EvaluationLogged | CellExecuted | RandomSeen | EntropyDrawn | FilesRead
    | SurroundingsSeen | PackHandled | Changed | Trashed | Restored | ViewKept | Purged
)  # fmt: skip


def plain(value: Any) -> Any:
    """Return a text, number or truth value of another type, such as NumPy's, as Python's own.

    Raises
    ------
    TypeError
        It is none of these.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float(value)
    if getattr(getattr(value, "dtype", None), "kind", "") in {"b", "f"} and value.shape == ():
        return value.item()
    return int(operator.index(value))


def text(argument: str, value: Any, *, empty: bool = False) -> str:
    """Return a text as Python's own; InputError where it is none, or only blanks where it must not be empty."""
    if not isinstance(value, str) or not (empty or value.strip()):
        raise InputError(
            f"{argument} must be a text{'' if empty else ' that is not empty'}, found {shown(value)}"
            + ("." if isinstance(value, str) else f" of type {type(value).__name__}.")
        )
    return str.__str__(value)


def truth(argument: str, value: Any) -> bool:
    """Return a truth value as Python's own; InputError where it is none."""
    found = value if isinstance(value, bool) or getattr(value, "shape", None) != () else value.item()
    if not isinstance(found, bool):
        raise InputError(f"{argument} must be true or false, found {shown(value)}.")
    return found


_encode = msgspec.json.Encoder(enc_hook=plain).encode
decode = msgspec.json.Decoder(AnyEvent).decode


def encode(event: Event) -> bytes:
    r"""Return an event as one line of JSON; half a surrogate pair, which UTF-8 has no bytes for, as ``\udXXX``.

    Raises
    ------
    InputError
        A field holds what `decode` would refuse. Metrics and heartbeats, which are many, are made of checked values.
    """
    try:
        try:
            line = _encode(event)
        except UnicodeEncodeError:
            line = _encode(_mended(msgspec.to_builtins(event, enc_hook=plain)))
        if type(event) is not MetricsLogged and type(event) is not Beat:
            decode(line)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(
            f"what is logged must be texts, numbers and truth values in their places, but {error}; "
            "turn it into one of these first."
        ) from error
    return line


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_mended(key): _mended(inner) for key, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list) else value


def param_text(value: object) -> str:
    """Return a param as JSON text; what JSON cannot say is kept as its ``repr``."""
    item = getattr(value, "item", None)
    if item is not None and getattr(value, "shape", None) == ():  # a NumPy scalar
        value = item()
    try:
        return json.dumps(value, default=repr, ensure_ascii=False)
    except Exception:  # noqa: BLE001 - keys that are no texts, a circle, a repr that raises whatever its author chose
        return json.dumps(shown(value, sys.maxsize), ensure_ascii=False)


def param_number(text: str) -> float | None:
    """Return a param as a number where it is one (true and false are not)."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond the range of doubles
        return None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands in the store; `status` may also be ``"stale"``.

    `metrics` has each metric's estimate, or its last value; `intervals` the estimates' ``low``, ``high`` and ``n``.
    """

    run_id: str
    project_id: str
    project: str
    name: str
    status: str
    baseline: bool
    started_at: Any
    ended_at: Any
    duration: float | None
    seed: int | None
    seeded: list[str]
    note: str
    tags: dict[str, str | None]
    params: dict[str, Any]
    metrics: dict[str, float]
    intervals: dict[str, dict[str, Any]]
    last_steps: dict[str, int]
    datasets: list[dict[str, Any]]
    error: str | None
    lost: int
    git_commit: str | None
    git_dirty: bool | None
    environment: dict[str, Any] | None
    notebook: str | None
    host: str
    deleted_at: Any

    def __repr__(self) -> str:
        """Return all fields; of the environment, which fills a screen, what one looks for first."""
        parts = {name: repr(getattr(self, name)) for name in self.__struct_fields__}
        if self.environment is not None:
            packages = len(self.environment.get("packages", ()))
            parts["environment"] = f"<Python {self.environment.get('python')}, {packages} packages>"
        return f"RunRecord({', '.join(f'{name}={text}' for name, text in parts.items())})"


class ProjectRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A project as it stands in the store."""

    project_id: str
    name: str
    description: str
    created_at: Any
    updated_at: Any
    deleted_at: Any


class DatasetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset and its versions, the one that was registered last at the end."""

    dataset_id: str
    project_id: str | None
    name: str
    description: str
    digest: str
    version: int
    versions: list[dict[str, Any]]
    created_at: Any
    updated_at: Any
    deleted_at: Any


class ArtifactRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact as it stands in the store; `size` in bytes."""

    artifact_id: str
    run_id: str
    name: str
    kind: str
    digest: str
    size: int
    media_type: str | None
    created_at: Any
    deleted_at: Any


class EvaluationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation as it stands in the store."""

    evaluation_id: str
    run_id: str
    name: str
    task_type: str
    n: int
    labels_digest: str
    rows_digest: str
    predictions: str
    folder: str
    takeaway: str
    settings: dict[str, Any]
    estimates: list[dict[str, Any]]
    created_at: Any
    deleted_at: Any


def greater_is_better(metric: str) -> bool | None:
    """Return whether more of a metric is better: known to the harness, or a loss, an error or a score by its name."""
    from evalharness import METRICS

    plain = metric
    for prefix in ("train_", "val_", "valid_", "validation_", "test_", "eval_"):
        plain = plain.removeprefix(prefix)
    if plain in METRICS:
        return METRICS[plain].greater_is_better
    words = re.split(r"[^a-z0-9]+", plain.lower())
    if {"loss", "error", "rmse", "mae", "mse", "perplexity"} & set(words):
        return False
    if {"accuracy", "acc", "auc", "f1", "precision", "recall", "r2", "score"} & set(words):
        return True
    return None
