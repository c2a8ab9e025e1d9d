"""Runs that are being recorded: `start_run` and what a run can log. Writes journal and blobs, never the database."""

from __future__ import annotations

import math
import operator
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from modellab_jupyter import cells, config, journal, schema, session
from modellab_jupyter.errors import InputError, NotFoundError, StoreError, shown

if TYPE_CHECKING:
    import numpy as np

    from evalharness import Report

_INFINITE = (math.inf, -math.inf)
DESCRIBE_AFTER = 0.3  # seconds after the start of a run in which looking at its surroundings would slow it down
DESCRIBE_WAIT = 2.0  # seconds that the end of a run waits for what its start began to look at
READS_WAIT = 0.05  # seconds that it waits for the digests of files; those that take longer come later
_LAST_STEP = 2**53  # the largest whole number that JavaScript and doubles hold exactly


class Run:
    """A run that is being recorded; made by `start_run`, also a context manager that ends it.

    Attributes
    ----------
    id : str
        ``run_…``; sorts by time of creation.
    name : str
    status : str
        ``"running"``, then ``"finished"``, ``"failed"`` or ``"interrupted"``.
    seed : int or None
    lost : int
        How many artifacts, datasets and evaluations the disk or the store did not take.
    """

    def __init__(self, owner: session.Session, run_id: str, name: str, project_id: str, seed: int | None) -> None:
        self.id = run_id
        self.name = name
        self.seed = seed
        self.status: schema.Status = "running"
        self.lost = 0
        self._dropped = owner.journal.dropped(run_id)
        self._project_id = project_id
        self._session = owner
        self._record: Callable[[schema.Event], None] = owner.record
        self._began = time.perf_counter()
        self._params: dict[str, str] = {}
        self._steps: dict[str, int] = {}
        self._rng: np.random.Generator | None = None
        self._describing: threading.Thread | None = None
        self._described = threading.Event()
        self._ending = threading.Event()
        self._until = math.inf  # the time (monotonic) from which on nobody waits for what it stands on
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self.status} {self.id}>"

    @property
    def is_own(self) -> bool:
        """Whether this process started or resumed it; a forked child logs to its parent's runs and never ends them."""
        return os.getpid() == self._pid

    @property
    def rng(self) -> np.random.Generator:
        """A NumPy generator that belongs to this run alone, from its seed."""
        if self._rng is None:
            import numpy as np

            self._rng = np.random.default_rng(self.seed)
        return self._rng

    # -- logging ---------------------------------------------------------------------------------

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log one value of each metric.

        Parameters
        ----------
        metrics : mapping of str to number
            NaN and infinities are kept as they are.
        step : int, optional
            Position in the series. Default: for each metric the one after its last.

        Raises
        ------
        InputError
            A key is no text or a value no number; nothing is logged then.
        """
        if type(metrics) is not dict:
            if not isinstance(metrics, Mapping):
                raise InputError(f"metrics must be a mapping of names to numbers, found {type(metrics).__name__}.")
            metrics = dict(_listed("metrics", metrics))
        values: dict[str, float] = {}
        odd: dict[str, str] | None = None
        for key, value in metrics.items():
            if type(key) is not str or not key:
                self.log_metrics({_key("metrics", "metric", k): v for k, v in metrics.items()}, step)
                return
            number = value if type(value) is float else _number(key, value)
            if number != number or number in _INFINITE:
                odd = odd or {}
                odd[key] = repr(number)
            else:
                values[key] = number
        if step is not None:
            step = _step(step)
            for key in metrics:
                self._steps[key] = step + 1
            self._metrics(values, odd, step)
            return
        steps = self._steps
        due: dict[int, list[str]] = {}
        for key in metrics:
            position = steps.get(key, 0)
            steps[key] = position + 1
            due.setdefault(position, []).append(key)
        if len(due) == 1:
            self._metrics(values, odd, next(iter(due)))
            return
        for position, keys in due.items():
            some = {key: values[key] for key in keys if key in values}
            strange = {key: odd[key] for key in keys if key in odd} if odd else None
            self._metrics(some, strange, position)

    def _metrics(self, values: dict[str, float], odd: dict[str, str] | None, step: int) -> None:
        self._record(
            schema.MetricsLogged(time=time.time_ns(), run_id=self.id, step=step, values=values, odd=odd)
            if odd
            else schema.MetricsLogged(time=time.time_ns(), run_id=self.id, step=step, values=values)
        )

    def log_metric(self, key: str, value: float, step: int | None = None) -> None:
        """Log one value of one metric; see `log_metrics`."""
        self.log_metrics({_key("metrics", "metric", key): value}, step)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log inputs that were chosen before the run, each once.

        Values may be anything; what is not a number, text, true, false, None or a list or dict of these
        is kept as its ``repr``.

        Raises
        ------
        InputError
            A key is no text, or has another value in this run already; nothing is logged then.
        """
        fresh = _texts(params)
        for key, text in fresh.items():
            if self._params.get(key, text) != text:
                raise InputError(
                    f"param {key!r} is {self._params[key]} in run {self.name!r} already, found {text}; "
                    "a param is logged once, use a metric for what changes or start another run."
                )
        self._params |= fresh
        self._record(schema.ParamsLogged(time=time.time_ns(), run_id=self.id, params=fresh))

    def log_param(self, key: str, value: Any) -> None:
        """Log one param; see `log_params`."""
        self.log_params({_key("params", "param", key): value})

    def log_latency(self, seconds: float | Iterable[float], name: str = "latency", *, warmup: bool = False) -> None:
        """Log durations, shown as quantiles with their number and interval.

        Parameters
        ----------
        seconds : number or iterable of numbers
            Durations in seconds, none negative.
        name : str
            What was timed.
        warmup : bool
            Left out of the quantiles, counted beside them.
        """
        name, warmup = schema.text("name", name), schema.truth("warmup", warmup)
        several = isinstance(seconds, Iterable) and getattr(seconds, "shape", None) != ()
        values = [_number(name, value, "latency") for value in (_listed("seconds", seconds) if several else [seconds])]
        bad = [v for v in values if not (math.isfinite(v) and v >= 0)]
        if bad:
            raise InputError(
                f"seconds must be durations of at least 0, found {bad[0]!r} ({len(bad)} of {len(values)}); "
                "log the difference of two readings of time.perf_counter()."
            )
        self._record(
            schema.LatencyLogged(time=time.time_ns(), run_id=self.id, name=name, seconds=values, warmup=warmup)
        )

    def set_tags(self, tags: Mapping[str, str | None] | Iterable[str] | str, remove: Sequence[str] = ()) -> None:
        """Add short labels, alone (``["draft"]``) or with a value (``{"stage": "draft"}``), and take others off."""
        gone = list(as_tags(remove))
        self._record(schema.TagsSet(time=time.time_ns(), run_id=self.id, tags=as_tags(tags), removed=gone))

    def set_note(self, note: str) -> None:
        """Set the run's free text."""
        note = schema.text("note", note, empty=True)
        self._record(schema.Changed(time=time.time_ns(), kind="run", id=self.id, fields={"note": note}))

    def log_artifact(self, path_or_object: Any, name: str | None = None, *, max_size: int | None = None) -> str:
        """Keep a file, a folder or an object; the same content is stored once.

        Parameters
        ----------
        path_or_object : path, bytes, dict, list, DataFrame, array, figure, or model
            A text is a path. Objects are written in a format that is safe to read: JSON, Parquet, ``.npy``, PNG (SVG or
            PDF where the name ends so) or HTML; XGBoost's models as its JSON, scikit-learn's by skops, ONNX as it is.
            Others are refused, since reading a pickle runs its author's code. `ml.artifacts.load` brings them back.
        name : str, optional
            Default: the file's name; for an object the name of its type.
        max_size : int, optional
            Refuse what has more bytes, before any work where the size is known.

        Returns
        -------
        str
            The id of the artifact, ``art_…``; empty where the disk did not take it, which a warning says.

        Raises
        ------
        InputError
            The file is not there, the object has no safe format, or it is too large.
        """
        from modellab_jupyter import objects

        name = name if name is None else schema.text("name", name)
        with self._kept("an artifact"), self._session.reads.away():
            kept = objects.keep(path_or_object, name, self._session.store.blobs, max_size=max_size)
            artifact_id = schema.new_id("artifact")
            self._record(
                schema.ArtifactLogged(
                    time=time.time_ns(), artifact_id=artifact_id, run_id=self.id, name=kept.name, kind=kept.kind,
                    digest=kept.digest, size=kept.size, media_type=kept.media_type,
                )
            )  # fmt: skip
            return artifact_id
        return ""

    def log_model(self, model: Any, name: str = "model", *, max_size: int | None = None) -> str:
        """Keep a model of scikit-learn, XGBoost or ONNX, never as a pickle; see `log_artifact`."""
        from modellab_jupyter import objects

        if not objects.is_model(model):
            raise InputError(
                f"model must be one of scikit-learn, XGBoost or ONNX, found {type(model).__name__}; "
                "write it to a file yourself and log the file's path with log_artifact."
            )
        return self.log_artifact(model, name, max_size=max_size)

    def log_dataset(self, data: Any, name: str | None = None, *, split: str = "") -> str:
        """Record that this run uses a dataset, as it is now.

        Parameters
        ----------
        data : DataFrame, path of a CSV or Parquet file, or the id or name of a dataset
            Of several datasets of one name that of the run's project.
        name : str, optional
            Default: the file's name without ending, ``"data"`` for a frame.
        split : str
            ``"train"``, ``"validation"``, ``"test"`` or empty.

        Returns
        -------
        str
            The SHA-256 of the content; empty where the disk did not take it, which a warning says.
        """
        split = split and schema.text("split", split)
        with self._kept("a dataset"):
            events = self._dataset(data, name, split)
            for event in events:
                self._record(event)
            return events[-1].digest
        return ""

    def _dataset(self, data: Any, name: str | None, split: str) -> list[schema.DatasetAdded | schema.DatasetUsed]:
        """Return the events that say what `data` is and that this run uses it."""
        store = self._session.store
        if isinstance(data, str) and not os.path.exists(os.path.expanduser(data)):  # noqa: PTH110, PTH111 - as above
            from modellab_jupyter.store import queries

            project = self._session.known(self._project_id)
            try:
                dataset_id = self._own_dataset(data, project) or store.resolve("dataset", data)
            except NotFoundError as error:
                raise InputError(
                    f"data must be a frame, a file or a dataset of the store, found {data!r:.120}, which is none; "
                    f"{error} The current folder is {str(Path.cwd())!r}."
                ) from error
            digest = store.read(queries.versions, dataset_id)[-1]["digest"]
            return [
                schema.DatasetUsed(
                    time=time.time_ns(), run_id=self.id, dataset_id=dataset_id, digest=digest, split=split
                )
            ]
        from modellab_jupyter.data import describe

        added = describe(data, name, store.blobs, project_id=self._project_id)
        used = schema.DatasetUsed(
            time=added.time, run_id=self.id, dataset_id=added.dataset_id, digest=added.digest, split=split
        )
        return [added, used]

    def _own_dataset(self, ref: str, project: str | None) -> str | None:
        """Return the id of a dataset of the run's project, None where it has none that goes by `ref`."""
        try:
            return project and self._session.store.resolve("dataset", ref, project_id=project)
        except NotFoundError:
            return None

    def evaluate(
        self,
        predictions: Any,
        labels: Any,
        data: Any = None,
        *,
        name: str = "test",
        task_type: Literal["classification", "regression"] | None = None,
        **settings: Any,
    ) -> Report:
        """Judge predictions, write the standard artifact folder and keep it with the run.

        Parameters
        ----------
        predictions, labels, data
            As `evalharness.evaluate` takes them: n predictions, n labels, n rows.
        name : str
            What was judged on, usually the split.
        task_type : {"classification", "regression"}, optional
            Default: regression where the labels are numbers with fractions, or the predictions of integer labels are.
        **settings
            Further keywords of `evalharness.evaluate`, such as ``probabilities=``, ``config=``, ``predict=``.

        Returns
        -------
        evalharness.Report
        """
        from modellab_jupyter.judge import judge

        name = schema.text("name", name)
        report, keep = judge(
            self.id, predictions, labels, data, name=name, task_type=task_type, settings=settings,
            files=self._session.settings.files,
        )  # fmt: skip
        with self._kept("an evaluation"):
            self._record(keep())
        return report

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Log everything that a block logs when it ends, or nothing where it raises."""
        record, params, steps = self._record, dict(self._params), dict(self._steps)
        events: list[schema.Event] = []
        self._record = events.append
        try:
            yield
        except BaseException:
            self._params, self._steps = params, steps
            raise
        finally:
            self._record = record
        for event in events:
            record(event)

    # -- life ------------------------------------------------------------------------------------

    def end(self, status: schema.Status = "finished", error: str | BaseException | None = None) -> None:
        """End the run and take what it logged into the store; a second call changes nothing.

        Parameters
        ----------
        status : {"finished", "failed", "interrupted"}
        error : str or exception, optional
            Why it failed.
        """
        if self.status != "running" or not self.is_own:
            return
        if not isinstance(status, str) or status not in {"finished", "failed", "interrupted"}:
            raise InputError(f"status must be 'finished', 'failed' or 'interrupted', found {shown(status)}.")
        if isinstance(error, BaseException):
            error = f"{type(error).__name__}: {shown(error, sys.maxsize, str)}"
        elif error is not None:
            error = schema.text("error", error, empty=True)
        self._until = time.monotonic() + session.GIVE_UP
        self._ending.set()
        if self._describing is not None:
            self._described.wait(DESCRIBE_WAIT)
        self._session.over(READS_WAIT)
        self._ended(schema.plain(status), error)
        self._session.leave(self)
        self._session.settle()

    def cut(self, error: str) -> None:
        """Write down that the run is interrupted and wait for nothing; for a process that is being ended."""
        if self.status == "running" and self.is_own:
            self._ended("interrupted", error)

    @contextmanager
    def _kept(self, what: str) -> Iterator[None]:
        """Let no disk or store that refuses stop a run that is being recorded: it is told and counted."""
        try:
            yield
        except (OSError, StoreError) as error:
            if self not in self._session.active:  # no training that could be stopped
                raise
            self._session.lose(self, what, error)

    def _ended(self, status: schema.Status, error: str | None) -> None:
        owner = self._session
        self.status = status
        self._record(
            schema.RunEnded(
                time=time.time_ns(), run_id=self.id, status=status, duration=time.perf_counter() - self._began,
                error=error, session_id=owner.recorder.session_id,
                last_cell=owner.recorder.now, lost=owner.journal.dropped(self.id) - self._dropped + self.lost,
            )
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            self.end()
        else:
            status: schema.Status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.end(status, error)

    def _begin(self, params: dict[str, str]) -> None:
        """Log the params that were given with the start and look at the surroundings meanwhile."""
        # No daemon: cut off in DuckDB's C++ at the end of the process, a thread would take the process down with it.
        self._describing = threading.Thread(target=self._find_out, name="modellab-describe")
        self._session.finding(self._describing)
        self._describing.start()
        if params:
            self._params |= params
            self._record(schema.ParamsLogged(time=time.time_ns(), run_id=self.id, params=params))

    def _continue(self, before: dict[str, Any]) -> None:
        """Go on where a run stopped: its params stand, its series grow."""
        self._params = {key: schema.param_text(value) for key, value in before["params"].items()}
        self._steps = {key: step + 1 for key, step in before["last_steps"].items()}
        self._began -= before["duration"] or 0.0

    def _find_out(self) -> None:
        """Tell where the run takes place, while it is on; a thread's work, begun when the start is over."""
        self._ending.wait(DESCRIBE_AFTER)
        with self._session.reads.away():  # what is read for that is nobody's data
            self._describe()
            self._surround()

    def _describe(self) -> None:
        """Find out environment and git state."""
        from modellab_jupyter import environment

        try:
            content = environment.capture()
            self._session.warm()
            digest = environment.digest(content)
            git = environment.git(self._folder(), self._is_late)
            self._record(schema.EnvironmentCaptured(time=time.time_ns(), digest=digest, content=content))
            self._record(
                schema.RunDescribed(
                    time=time.time_ns(), run_id=self.id, environment=digest,
                    git_commit=git.commit if git else None, git_dirty=git.dirty if git else None,
                )
            )  # fmt: skip
        finally:
            self._described.set()

    def _is_late(self) -> bool:
        """Tell whether the run or the process ended so long ago that nothing more is found out."""
        if self._until == math.inf and not threading.main_thread().is_alive():
            self._until = time.monotonic() + session.GIVE_UP
        return time.monotonic() > self._until

    def _folder(self) -> Path | None:
        """Return where the run was started; cells may have gone elsewhere since."""
        folder = Path(self._session.reads.folder)
        return folder if folder.is_dir() else None

    def _surround(self) -> None:
        """Find out what else the run stands on; the run's end does not wait for it."""
        from modellab_jupyter import environment

        owner = self._session
        content = {"distributions": environment.distributions()}
        digest = environment.digest(content)
        around = environment.checkout(self._folder(), self._is_late)
        roots = [one["editable"]["root"] for one in content["distributions"] if one["editable"]]
        details: dict[str, Any] = {
            "editable": [
                environment.editable(root, self._is_late) for root in dict.fromkeys(roots) if not self._is_late()
            ],
            "hardware": environment.hardware(),
        }
        if around is not None:
            details["git"] = {"root": around.root, "remote": around.remote, "diff_size": around.diff_size}
        diff = None
        if around is not None and around.diff is not None:
            with suppress(OSError):
                diff = owner.store.blobs.put(around.diff)
        owner.late(schema.EnvironmentCaptured(time=time.time_ns(), digest=digest, content=content))
        owner.late(
            schema.SurroundingsSeen(
                time=time.time_ns(),
                run_id=self.id,
                folder=owner.reads.folder,
                distributions=digest,
                diff=diff,
                details=details,
            )
        )


def start_run(
    name: str | None = None,
    project_id: str | None = None,
    seed: int | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str | None] | Iterable[str] | None = None,
    dataset: Any = None,
    baseline: bool = False,
    resume: str | None = None,
    total_steps: int | None = None,
) -> Run:
    """Start a run; use it in a ``with`` statement, or end it with `Run.end` or ``ml.end_run()``.

    Parameters
    ----------
    name : str, optional
        For people; need not be unique.
    project_id : str, optional
        Id or name of the project; an unknown name is created. Default: the project of `configure`.
    seed : int, optional
        Seeds ``random`` and NumPy (and torch where it is imported) and gives `Run.rng` its seed.
    params : mapping, optional
        As for `Run.log_params`.
    tags : mapping or iterable of str, optional
        As for `Run.set_tags`.
    dataset : DataFrame, path, or id or name of a dataset, optional
        As for `Run.log_dataset`.
    baseline : bool
        Others of the project are compared with this run.
    resume : str, optional
        Id or name of a run that goes on.
    total_steps : int, optional
        How many steps the run is expected to log, counted from 0; the dashboard then shows how far it is and when it
        should end.

    Raises
    ------
    InputError
        An argument cannot be used; nothing is recorded then.
    NotFoundError
        `project_id` or `resume` is an id that the store does not have.

    Notes
    -----
    A run that is resumed keeps its name, project and params, and its seed where none is given; its series go on after
    their last steps.
    """
    if name is not None:
        name = schema.text("name", name)
    if seed is not None:
        number = _whole(seed)
        if number is None or not 0 <= number < 2**32:
            raise InputError(f"seed must be an integer from 0 to 4294967295, found {shown(seed)}.")
        seed = number
    if total_steps is not None:
        number = _whole(total_steps)
        if number is None or not 0 < number <= _LAST_STEP:
            raise InputError(f"total_steps must be a whole number above 0, found {shown(total_steps)}.")
        total_steps = number
    baseline = schema.truth("baseline", baseline)
    if tags is not None:
        tags = as_tags(tags)
    texts = _texts(params or {})
    owner = session.current()
    at = time.time_ns()
    if resume is not None:
        run_id = owner.store.resolve("run", resume)
        before = owner.store.run(run_id)
        _check_resumable(before, name, project_id, baseline, texts)
        run = Run(owner, run_id, before["name"], before["project_id"], before["seed"] if seed is None else seed)
        run._continue(before)  # noqa: SLF001 - the same module
        beginning: list[schema.Event] = []
    else:
        run_id = schema.new_id("run")
        project = owner.project(project_id)
        run = Run(owner, run_id, name or f"run-{run_id[-6:]}", project, seed)
        beginning = owner.introduce(project)
    described = [] if dataset is None else run._dataset(dataset, None, "")  # noqa: SLF001
    owner.listen("run")
    seeded = [] if seed is None else _seed(seed)
    if resume is not None:
        beginning.append(
            schema.RunResumed(
                time=at, run_id=run_id, host=journal.host(), pid=os.getpid(), started=journal.process_started(),
                session_id=owner.recorder.session_id, first_cell=owner.recorder.first, seed=seed, seeded=seeded,
                total_steps=total_steps,
            )
        )  # fmt: skip
    else:
        beginning.append(
            schema.RunStarted(
                time=at, run_id=run_id, project_id=run._project_id, name=run.name, host=journal.host(),  # noqa: SLF001
                pid=os.getpid(), started=journal.process_started(), session_id=owner.recorder.session_id, seed=seed,
                seeded=seeded, baseline=baseline, notebook=config.notebook() or cells.notebook(),
                script=_script(), first_cell=owner.recorder.first, total_steps=total_steps,
            )
        )  # fmt: skip
    for event in [*beginning, *described]:
        schema.encode(event)  # all of them or none
    owner.ready()  # a run that cannot be recorded fails at its start, loudly; after that nothing stops it
    for event in [*beginning, *described]:
        owner.record(event)
    owner.enter(run)
    run._begin(texts)  # noqa: SLF001
    if tags:
        run.set_tags(tags)
    return run


def _check_resumable(
    before: dict[str, Any], name: str | None, project_id: str | None, baseline: bool, texts: dict[str, str]
) -> None:
    """Refuse to go on with a run that is still going, and what a run that goes on cannot take."""
    ref = before["name"]
    if before["status"] == "running":
        raise InputError(f"resume must be a run that has ended, found {ref!r}, which is being recorded; end it first.")
    if (name is not None and name != ref) or project_id is not None or baseline:
        raise InputError(
            f"name, project_id and baseline cannot be given with resume, since run {ref!r} keeps its own; "
            "leave them out, or change them with ml.runs.update()."
        )
    for key, text in texts.items():
        if key in before["params"] and schema.param_text(before["params"][key]) != text:
            raise InputError(
                f"param {key!r} is {before['params'][key]!r} in run {ref!r} already, found {text}; "
                "a param is logged once, start another run for another value."
            )


def _script() -> str | None:
    """Return the path of the script that runs, None in a notebook or a prompt."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return None if path is None or config.in_kernel() else os.path.abspath(path)  # noqa: PTH100 - keeps links


def _seed(seed: int) -> list[str]:
    """Seed the global generators; return which."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the legacy global state is what libraries draw from
    seeded = ["random", "numpy"]
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
        seeded.append("torch")
    return seeded


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(params, Mapping):
        raise InputError(f"params must be a mapping of names to values, found {type(params).__name__}.")
    return {_key("params", "param", key): schema.param_text(value) for key, value in _listed("params", params)}


def _listed(argument: str, several: Any) -> list[Any]:
    """Return what an iterable gives, of a mapping its items; InputError where its own methods fail."""
    try:
        return list(several.items() if isinstance(several, Mapping) else several)
    except Exception as error:
        raise InputError(
            f"{argument} cannot be read through, since its {type(several).__name__} raised {type(error).__name__}; "
            "give a plain list or dict."
        ) from error


def _key(argument: str, one: str, key: Any) -> str:
    """Return the name of a metric or param as Python's own text."""
    if not isinstance(key, str) or not key:
        raise InputError(f"{argument} must have texts as keys, found {shown(key)}; give each {one} a name.")
    return str.__str__(key)


def as_tags(tags: Mapping[str, str | None] | Iterable[str] | str) -> dict[str, str | None]:
    """Return tags as a mapping from label to value or None.

    Raises
    ------
    InputError
        A label or value is no text.
    """
    if isinstance(tags, str):
        found: list[tuple[Any, Any]] = [(tags, None)]
    elif isinstance(tags, Mapping):
        found = _listed("tags", tags)
    elif isinstance(tags, Iterable):
        found = [(tag, None) for tag in _listed("tags", tags)]
    else:
        raise InputError(f"tags must be texts or a mapping of texts, found {shown(tags)}.")
    for tag, _ in found:
        if not isinstance(tag, str) or not tag:
            raise InputError(f"tags must be texts that are not empty, found {shown(tag)}.")
    return {str.__str__(tag): None if value is None else _tag(value) for tag, value in found}


def _tag(value: Any) -> str:
    """Return the value of a tag as Python's own text."""
    if isinstance(value, str):
        return str.__str__(value)
    try:
        return str(value)
    except Exception as error:
        raise InputError(f"tags must have values that are texts, found {shown(value)}.") from error


def _number(key: Any, value: Any, what: str = "metric") -> float:
    """Return what somebody logged as a float; NumPy, torch and other scalars included."""
    if not isinstance(value, str | bytes | bytearray):
        try:
            return float(value)
        except OverflowError as error:
            told = f"{what} {key!r} must fit into 64 bits as a float, up to 1.8e308, found {shown(value)}."
            raise InputError(told) from error
        except Exception:  # noqa: BLE001, S110 - a tensor of several elements raises one thing, a user's class another
            pass
    raise InputError(f"{what} {key!r} must be a number, found {shown(value)} of type {type(value).__name__}.")


def _whole(value: Any) -> int | None:
    """Return an integer of any type as Python's own, None for what is none."""
    try:
        return None if isinstance(value, bool) else int(operator.index(value))
    except Exception:  # noqa: BLE001 - what is no integer raises TypeError, a user's class anything
        return None


def _step(step: Any) -> int:
    number = _whole(step)
    if number is None:
        raise InputError(f"step must be an integer, found {shown(step)}; log an epoch's fraction as a metric.")
    if abs(number) > _LAST_STEP:
        raise InputError(f"step must lie within 2**53, found {shown(number, 40)}.")
    return number
