"""``%modellab VERB …``: parse, one call, render. A user's slip is one line, never our traceback."""

from __future__ import annotations

import argparse
import ast
import functools
import html
import re
import shlex
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import quote

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from modellab_jupyter import catalog, session, tracking
from modellab_jupyter.errors import InputError, ModelLabError, hint

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from modellab_jupyter.repro.records import Verdict


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        verb = self.prog.split()[-1]
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown:
            options = [o for action in self._actions for o in action.option_strings]
            message = f"{unknown[1]!r} is not understood{hint(unknown[1], options)}"
        mark = "" if message.endswith("?") else ";"
        raise UsageError(f"%modellab {verb}: {message}{mark} %modellab {verb} --help tells more.")

    def print_help(self, file: Any = None) -> None:
        print(self.format_help().rstrip(), file=file)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's signature
        raise _Done


class _Done(Exception):  # noqa: N818 - no error: the help was shown
    """Nothing is left to do."""


def _argument(*flags: str, **settings: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return flags, settings


def _verb(*arguments: tuple[tuple[str, ...], dict[str, Any]], cell: bool = False) -> Callable[[Any], Any]:
    """Mark a method as a verb; its docstring is the help, the first line the summary."""

    def mark(method: Any) -> Any:
        method.arguments, method.cell = arguments, cell
        return method

    return mark


_RUN = _argument("run", nargs="?", help="a run's id or name; default: the active run, else the newest")
_PROJECT = _argument("--project", "--project-id", dest="project", metavar="P", help="id or name of a project")
_PARAM = _argument("--param", action="append", default=[], metavar="KEY=EXPR", help="a param; may be repeated")
_SEED = _argument("--seed", metavar="N", help="seeds random, NumPy and torch where it is imported")
_TAG = _argument("--tag", action="append", default=[], metavar="TAG", help="a label; may be repeated")
_TRASH = _argument("--trash", action="store_true", help="those in the trash")


@magics_class
class ModelLabMagics(Magics):
    """The ``%modellab`` and ``%%modellab`` magics."""

    @no_var_expand
    @line_cell_magic
    def modellab(self, line: str = "", cell: str | None = None) -> Any:
        """Track experiments; ``%modellab`` alone shows where it logs to and what is possible."""
        __tracebackhide__ = True  # IPython leaves these frames out when the user's own cell raises
        verb, _, rest = line.strip().partition(" ")
        if verb in {"", "-h", "--help", "help"}:
            print(self._overview())
            return None
        method = _VERBS.get(verb)
        if method is None:
            raise UsageError(f"%modellab has no verb {verb!r}{hint(verb, _VERBS) or '; %modellab shows them all.'}")
        if cell is not None and not method.cell:
            raise UsageError(f"%%modellab {verb} is not a cell magic; write %modellab {verb} in a line of its own.")
        with _one_line():
            if verb == "sql":  # the query is taken as it stands
                return self.sql(rest, cell)
            if verb == "latency":
                options, statement = _split_options(rest)
                return self.latency(parser_of(verb).parse_args(options), statement)
            args = parser_of(verb).parse_args(_tokens(rest))
            return method(self, args) if cell is None else method(self, args, cell)
        return None

    # -- verbs -----------------------------------------------------------------------------------

    @_verb(
        _argument("store", nargs="?", help="path of the DuckDB file; default: the nearest modellab.duckdb"),
        _PROJECT,
    )
    def init(self, args: argparse.Namespace) -> None:
        """Choose the store and the default project of this notebook."""
        chosen = session.configure(self._text(args.store), self._text(args.project))
        print(f"logging to {chosen.store}, project {chosen.project!r}")

    @_verb(
        _argument("name", help="id or name of a project; a new name makes one"),
        _argument("--description", metavar="TEXT", help="what it is about"),
        _argument("--rename", metavar="NAME", help="another name"),
        _argument("--delete", action="store_true", help="put it into the trash"),
    )
    def project(self, args: argparse.Namespace) -> Any:
        """Make a project, or show one; it becomes the default of this notebook."""
        name = self._text(args.name)
        if args.delete:
            catalog.projects.delete(name)
            print(f"project {name!r} is in the trash; %modellab trash --restore {shlex.quote(name)} brings it back")
            return None
        fields = {
            k: self._text(v) for k, v in (("name", args.rename), ("description", args.description)) if v is not None
        }
        if "name" in fields and not str(fields["name"]).strip():
            raise InputError(f"--rename must be a text that is not empty, found {fields['name']!r}.")
        if not name.startswith("proj_"):
            catalog.projects.create(name)
        record = catalog.projects.update(name, **fields) if fields else catalog.projects.get(name)
        session.current().use_project(record.name)
        return _sheet(catalog.projects.stats(record.project_id))

    @_verb(_TRASH)
    def projects(self, args: argparse.Namespace) -> Any:
        """List projects with their statistics."""
        if args.trash or not self._is_notebook():
            return catalog.projects.list(trash=args.trash)
        from modellab_jupyter import views

        return views.project_list()

    @_verb(
        _argument("source", help="a variable that holds a frame, a file, or the name of a dataset to show"),
        _argument("--name", metavar="NAME", help="default: the name of the file or variable"),
        _argument("--description", metavar="TEXT", help="where it comes from"),
        _argument("--rows", type=int, default=5, metavar="N", help="rows of the preview, at most 100"),
        _argument("--delete", action="store_true", help="put it into the trash"),
        _PROJECT,
    )
    def dataset(self, args: argparse.Namespace) -> Any:
        """Register a frame or a file, or show a dataset."""
        from IPython.display import display

        data = None if args.delete else self._value(args.source, text=True)
        if args.delete:
            catalog.datasets.delete(str(self._text(args.source)))
            print(f"dataset {args.source!r} is in the trash; %modellab trash --restore {args.source} brings it back")
            return None
        known = isinstance(data, str) and not _is_file(data)
        if known:
            record = catalog.datasets.get(str(data))
        else:
            name = self._text(args.name) or (None if isinstance(data, str) else args.source.strip("${}"))
            record = catalog.datasets.add(data, name, self._text(args.project), self._text(args.description))
        used = ", ".join(run for version in record.versions for run in version["runs"])
        display(_sheet({
            "dataset": record.name, "id": record.dataset_id, "version": record.version, "digest": record.digest,
            "rows": record.versions[-1]["rows"], "columns": record.versions[-1]["columns"],
            "description": record.description, "used by": used or "no run yet",
        }))  # fmt: skip
        return catalog.datasets.preview(record.dataset_id, args.rows) if record.versions[-1]["preview"] else None

    @_verb(_PROJECT, _TRASH)
    def datasets(self, args: argparse.Namespace) -> Any:
        """List datasets with their newest version."""
        project = self._text(args.project)
        if args.trash or not self._is_notebook():
            return catalog.datasets.list(project, trash=args.trash)
        from modellab_jupyter import views

        return views.dataset_list(project)

    @_verb(
        _argument("name", nargs="?", help="for people; need not be unique"),
        _PROJECT, _SEED, _PARAM, _TAG,
        _argument("--dataset", metavar="D", help="a variable, a file or the name of a dataset"),
        _argument("--baseline", action="store_true", help="others are compared with this run"),
        _argument("--resume", metavar="RUN", help="go on with a run that stopped"),
        _argument("--total-steps", metavar="N", help="how many steps are expected; shown with the estimated end"),
    )  # fmt: skip
    def start(self, args: argparse.Namespace) -> None:
        """Start a run that lasts until %modellab end."""
        outer = session.current().active[-1:]
        run = tracking.start_run(
            self._text(args.name),
            self._text(args.project),
            seed=self._whole("--seed", args.seed),
            params=self._pairs(args.param, words=True),
            tags=[self._text(t) for t in args.tag] or None,
            dataset=None if args.dataset is None else self._value(args.dataset, text=True),
            baseline=args.baseline,
            resume=self._text(args.resume),
            total_steps=self._whole("--total-steps", args.total_steps),
        )
        if args.project is not None:
            session.current().use_project(self._text(args.project))
        within = f" within run {outer[0].name!r}, which goes on" if outer else ""
        print(f"run {run.name!r} ({run.id}) is recording{within}; %modellab end ends it")

    @_verb(
        _argument("--status", choices=["finished", "failed", "interrupted"], default="finished", help="how it ended"),
    )
    def end(self, args: argparse.Namespace) -> None:
        """End the active run."""
        run = session.current().run
        run.end(args.status)
        outer = session.current().active[-1:]
        left = f"; run {outer[0].name!r} is still recording" if outer else ""
        print(f"run {run.name!r} ({run.id}) {run.status}{left}")

    @_verb(
        _argument("metrics", nargs="*", metavar="KEY=EXPR", help="metrics; KEY alone takes the variable of that name"),
        _argument("--step", metavar="N", help="position in the series"),
        _PARAM, _TAG,
        _argument("--note", metavar="TEXT", help="the run's free text"),
        _argument("--artifact", action="append", default=[], metavar="PATH", help="a file, a folder or a variable"),
    )  # fmt: skip
    def log(self, args: argparse.Namespace) -> None:
        """Log metrics, params, tags, a note or artifacts to the active run."""
        run = session.current().run
        metrics, params = self._pairs(args.metrics), self._pairs(args.param, words=True)
        artifacts = [self._value(a, text=True) for a in args.artifact]
        with run.at_once():
            if metrics:
                run.log_metrics(metrics, self._whole("--step", args.step))
            if params:
                run.log_params(params)
            if args.tag:
                run.set_tags([self._text(t) for t in args.tag])
            if args.note is not None:
                run.set_note(self._text(args.note))
            for artifact in artifacts:
                run.log_artifact(artifact)

    @_verb(
        _PROJECT,
        _argument("--sort", metavar="COLUMN", help="a column; metrics. and params. may be left out"),
        _argument("--ascending", action="store_true", help="the smallest first"),
        _argument("--limit", type=int, metavar="N", help="at most so many"),
        _argument("--where", metavar="TEXT", help="only those, as in \"metrics.auc > 0.8 AND params.model = 'rf'\""),
        _argument("--order-by", metavar="TEXT", help='as in "metrics.auc desc, name"'),
        _argument("--summary", default="last", metavar="WHICH", help="of metrics: last, min, max or best of each run"),
        _TRASH,
    )
    def runs(self, args: argparse.Namespace) -> Any:
        """List runs with their params and metrics, the newest first."""
        return catalog.runs.list(
            self._text(args.project), sort=self._text(args.sort), ascending=args.ascending, limit=args.limit,
            trash=args.trash, where=self._text(args.where), order_by=self._text(args.order_by),
            summary=self._text(args.summary),
        )  # fmt: skip

    @_verb(
        _RUN,
        _argument("--name", metavar="NAME", help="another name"),
        _argument("--note", metavar="TEXT", help="its free text"),
        _argument("--baseline", action="store_true", help="make it a baseline"),
        _argument("--delete", action="store_true", help="put it into the trash"),
        _argument("--seed", metavar="N", help="cell magic: seeds random, NumPy and torch where it is imported"),
        _PROJECT, _PARAM, _TAG,
        _argument("--log", action="append", default=[], metavar="EXPR", help="cell magic: recorded after the cell"),
        cell=True,
    )  # fmt: skip
    def run(self, args: argparse.Namespace, cell: str | None = None) -> Any:
        """Show one run, or change it; as a cell magic, make the cell a run.

        %%modellab run NAME [--seed N] [--param KEY=EXPR …] [--log [KEY=]EXPR …] records the cell's source, duration,
        outcome and the values asked for. An exception ends the run as failed and is shown as usual.
        """
        __tracebackhide__ = True
        if cell is not None:
            return self._cell_run(args, cell)
        run_id = self._run_id(args.run)
        if args.delete:
            catalog.runs.delete(run_id)
            print(f"run {run_id} is in the trash; %modellab trash --restore {run_id} brings it back")
            return None
        fields: dict[str, Any] = {
            k: self._text(getattr(args, k)) for k in ("name", "note") if getattr(args, k) is not None
        }
        fields |= {"baseline": True} if args.baseline else {}
        alone = [f"--{name}" for name in ("seed", "param", "project", "log") if getattr(args, name)]
        if alone:
            raise InputError(
                f"{alone[0]} is for the cell magic %%modellab run; a run that was recorded keeps it as it is."
            )
        if args.tag:
            catalog.runs.tag(run_id, [self._text(tag) for tag in args.tag])
        record = catalog.runs.update(run_id, **fields) if fields else catalog.runs.get(run_id)
        environment = record.environment or {}
        packed = catalog.runs.packs(run_id).itertuples()
        return _sheet({
            "run": record.name, "id": record.run_id, "project": record.project, "status": record.status,
            "started": record.started_at, "seconds": record.duration, "seed": record.seed, "baseline": record.baseline,
            "tags": ", ".join(t if v is None else f"{t}={v}" for t, v in record.tags.items()), "note": record.note,
            **{f"param {k}": v for k, v in record.params.items()},
            **{f"metric {k}": v for k, v in record.metrics.items()},
            "datasets": ", ".join(f"{d['name']} version {d['version']}" for d in record.datasets),
            "error": record.error, "git": record.git_commit, "python": environment.get("python"),
            "records lost": record.lost or None,
            **{f"pack {n}": catalog.act(one) for n, one in enumerate(packed, 1)},
        })  # fmt: skip

    @_verb(
        _argument("project", nargs="?", help="id or name of a project; default: this notebook's"),
        _argument("--view", metavar="NAME", help="a view that was kept in the dashboard under this name"),
    )
    def dashboard(self, args: argparse.Namespace) -> Any:
        """Show a project: its runs as a table, curves and figures."""
        from modellab_jupyter import views

        return views.dashboard(self._text(args.project), view=self._text(args.view))

    @_verb(_argument("runs", nargs="+", help="two runs or more, by id or name; the first that is a baseline leads"))
    def compare(self, args: argparse.Namespace) -> Any:
        """Show only what differs between runs, each difference with its interval."""
        from modellab_jupyter import views

        return views.compare(*[self._text(run) for run in args.runs])

    @_verb(
        _argument("predictions", help="a variable: labels, or probabilities (n,) or (n, k)"),
        _argument("labels", help="a variable: the true labels (n,)"),
        _argument("--data", metavar="X", help="a variable: the rows, for slices"),
        _argument("--probabilities", metavar="P", help="a variable: probabilities beside predicted labels"),
        _argument("--predict", metavar="F", help="a variable: a callable on rows, for stress tests"),
        _argument("--task", choices=["classification", "regression"], help="default: what the labels say"),
        _argument("--name", default="test", metavar="NAME", help="what was judged on"),
    )
    def evaluate(self, args: argparse.Namespace) -> Any:
        """Judge predictions and keep the evaluation with the active run."""
        from modellab_jupyter import views

        run = session.current().run
        optional = {k: self._value(getattr(args, k)) for k in ("probabilities", "predict") if getattr(args, k)}
        run.evaluate(
            self._value(args.predictions), self._value(args.labels), self._value(args.data) if args.data else None,
            name=self._text(args.name), task_type=args.task, **optional,
        )  # fmt: skip
        return views.evaluation(run.id)

    @_verb(_RUN)
    def report(self, args: argparse.Namespace) -> Any:
        """Show a run's latest evaluation: takeaway, metrics with intervals, slices, failures."""
        from modellab_jupyter import views

        return views.evaluation(self._run_id(args.run))

    @_verb(
        _argument("statement", nargs="*", help="timed again and again; without it the quantiles of a run are shown"),
        _argument("-n", type=int, default=100, metavar="N", help="how often it is timed (100)"),
        _argument("--warmup", type=int, default=5, metavar="N", help="runs of it before that, not counted (5)"),
        _argument("--name", metavar="NAME", help="what is timed; default: the statement"),
        _argument("--run", metavar="RUN", help="show this run's; default: the active run, else the newest"),
    )
    def latency(self, args: argparse.Namespace, statement: str = "") -> Any:
        """Time a statement and log its latency to the active run, or show P50, P95 and P99 of a run."""
        if not statement:
            return catalog.runs.latency(self._run_id(args.run))
        if not session.current().active:
            raise InputError(
                f"no run is active to log the latency of {statement!r:.80} to; start one with %modellab start, "
                "or show what a run logged with %modellab latency --run RUN."
            )
        run = session.current().run
        if args.n < 1 or args.warmup < 0:
            raise InputError(f"-n must be at least 1 and --warmup at least 0, found {args.n} and {args.warmup}.")
        try:
            code = compile(statement, "<latency>", "exec")
        except SyntaxError as error:
            raise InputError(f"{statement!r} is not a statement: {error.msg}.") from None
        space = self._ip.user_ns
        seconds = []
        for _ in range(args.warmup + args.n):
            with _users_own():
                began = time.perf_counter()
                exec(code, space)  # noqa: S102 - the user's own statement, as %timeit does
                seconds.append(time.perf_counter() - began)
        name = self._text(args.name) or statement
        if args.warmup:
            run.log_latency(seconds[: args.warmup], name, warmup=True)
        run.log_latency(seconds[args.warmup :], name)
        shown = catalog.runs.latency(run.id)
        return shown[shown["name"] == name].reset_index(drop=True)

    @_verb(
        _argument("query", nargs="*", help="one SELECT; a cell magic takes the cell, --into NAME keeps the frame"),
        _argument("--into", metavar="NAME", help="cell magic: the variable that gets the frame"),
        cell=True,
    )
    def sql(self, line: str, cell: str | None = None) -> Any:
        """Query the store, read only: %modellab sql SELECT …, or %%modellab sql [--into NAME] with the query below."""
        if cell is None:
            if line.strip() in {"-h", "--help", ""}:
                parser_of("sql").print_help()
                return None
            return catalog.sql(line)
        name = parser_of("sql").parse_args(_tokens(line)).into
        if name is not None and not name.isidentifier():
            raise InputError(f"--into must be the name of a variable, found {name!r}.")
        found = catalog.sql(cell)
        if name is None:
            return found
        self._ip.user_ns[name] = found
        print(f"{name}: {len(found)} rows, {found.shape[1]} columns")
        return None

    @_verb(
        _argument("name", choices=["classification", "regression"], help="the task"),
        _argument("--to", metavar="PATH", help="the new notebook; default: NAME.ipynb here"),
    )
    def template(self, args: argparse.Namespace) -> None:
        """Copy a template notebook here: dummy, then linear, then XGBoost."""
        from modellab_jupyter.templates import notebook

        print(f"wrote {notebook.copy(args.name, self._text(args.to))}; open it and run it from the top")

    @_verb(
        _argument("run", nargs="?", help="a run's id or name; default: the newest that has ended"),
        _argument("--to", metavar="PATH", help="the file or its folder; default: beside the notebook"),
        _argument("--max-data", type=int, metavar="MIB", help="of data that go along (100)"),
    )
    def repro(self, args: argparse.Namespace) -> Any:
        """Write a run to a ZIP that can be rebuilt, run again and compared anywhere."""
        from modellab_jupyter import packs
        from modellab_jupyter.repro.records import MAX_DATA

        size = MAX_DATA if args.max_data is None else args.max_data << 20
        pack = packs.repro_pack(self._run_id(args.run, ended=True), self._text(args.to), max_data=size)
        print(pack)
        if self._is_notebook():
            self._offer(pack.path)

    @_verb(_argument("pack", help="a ZIP that %%modellab repro wrote"))
    def verify(self, args: argparse.Namespace) -> Any:
        """Check a pack without running anything of it."""
        from modellab_jupyter import packs

        return self._judged(packs.verify_pack(self._text(args.pack)))

    @_verb(
        _argument("pack", help="a ZIP that %%modellab repro wrote"),
        _argument("--yes", action="store_true", help="run the pack's code on this machine without being asked"),
        _argument("--data", action="append", default=[], metavar="PATH=HERE", help="where a file is; may be repeated"),
        _argument("--timeout", type=float, metavar="S", help="seconds that one replay may take"),
        _argument("--memory", metavar="SIZE", help="that a replay may take, as in 4GB"),
        _argument("--directory", metavar="FOLDER", help="an empty folder that keeps what replays wrote"),
        _argument("--offline", action="store_true", help="take packages from uv's cache alone"),
        _argument("--no-explain", action="store_true", help="do not look for the cause where numbers differ"),
    )
    def reproduce(self, args: argparse.Namespace) -> Any:
        """Rebuild a pack's environment, run it again, and say whether its numbers came back."""
        from modellab_jupyter import packs

        verdict = packs.reproduce(
            self._text(args.pack), yes=args.yes, data=packs.mapped(map(self._text, args.data)), timeout=args.timeout,
            memory=self._text(args.memory), directory=self._text(args.directory), offline=args.offline,
            explain=not args.no_explain,
        )  # fmt: skip
        return self._judged(verdict)

    @_verb(
        _argument("--restore", metavar="ID", action="append", default=[], help="bring something back; may be repeated"),
        _argument("--empty", action="store_true", help="destroy what is in the trash"),
        _argument("--yes", action="store_true", help="with --empty: really"),
    )
    def trash(self, args: argparse.Namespace) -> Any:
        """Show what was deleted, bring it back, or destroy it."""
        for ref in args.restore:
            catalog.trash.restore(self._text(ref))
            print(f"restored {self._text(ref)!r}")
        if args.restore:
            return None
        if args.empty:
            if not args.yes:
                print(f"this destroys {catalog.trash.contents()} for good; %modellab trash --empty --yes does it")
                return catalog.trash.list()
            gone = catalog.trash.empty()
            print(f"destroyed {gone['objects']} objects, {gone['files']} files, {gone['bytes']} bytes")
            return None
        return catalog.trash.list()

    @_verb(_argument("--repair", action="store_true", help="save what can be read of a damaged store; it is kept"))
    def doctor(self, args: argparse.Namespace) -> None:
        """Look at the store, the journals and the front end, and say what is wrong and what to do."""
        from modellab_jupyter import doctor

        print(doctor.repair(session.current()) if args.repair else doctor.report(session.current()))

    @_verb()
    def compact(self, args: argparse.Namespace) -> None:  # noqa: ARG002 - every verb takes its arguments
        """Write the store's file anew without its free space; everything stays."""
        from modellab_jupyter import doctor

        print(doctor.compact(session.current()))

    @property
    def _ip(self) -> InteractiveShell:
        """The shell that the magics were registered with."""
        return cast("InteractiveShell", self.shell)

    # -- parts -----------------------------------------------------------------------------------

    def _judged(self, verdict: Verdict) -> Any:
        from modellab_jupyter import packs
        from modellab_jupyter.repro import words

        if self._is_notebook():
            return packs.page(verdict)
        print(words.text(verdict))
        return None

    def _offer(self, path: Path) -> None:
        """Offer a file below the notebook's folder for download; a browser reaches no other."""
        from IPython.display import HTML, display

        try:
            inside = path.relative_to(Path.cwd()).as_posix()
        except ValueError:
            return
        link = f'<a href="{html.escape(quote(inside), quote=True)}" download>Download {html.escape(path.name)}</a>'
        display(HTML(link))

    def _is_notebook(self) -> bool:
        """Say whether outputs are drawn; a terminal's are letters."""
        return getattr(self._ip, "kernel", None) is not None

    def _overview(self) -> str:
        owner = session.current()
        active = f"run {owner.active[-1].name!r} is recording" if owner.active else "no run is active"
        width = max(len(name) for name in _VERBS) + 2
        verbs = "\n".join(f"  {name:<{width}}{(m.__doc__ or '').strip().splitlines()[0]}" for name, m in _VERBS.items())
        return (
            f"logging to {owner.settings.place}, project {owner.settings.project!r}; {active}\n\n"
            f"%modellab VERB …, and --help for each:\n{verbs}\n\n"
            "Values: $name and {expr} are replaced as IPython does; where a value is asked for, a variable's name "
            "will do."
        )

    def _cell_run(self, args: argparse.Namespace, cell: str) -> Any:
        """Run a cell as a run; what it raises is raised again after the run has ended as failed."""
        __tracebackhide__ = True
        shell = self._ip
        code = shell.transform_cell(cell)
        name = shell.compile.cache(code, len(shell.user_ns.get("In", [""])) - 1, raw_code=cell)
        with _users_own():
            tree = ast.parse(code, name)
        if any(isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith) for node in _top(tree)):
            raise InputError("a cell that awaits cannot become a run; start one in it with ml.start_run(...).")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        body = compile(tree, name, "exec")
        value = None
        run = tracking.start_run(
            self._text(args.run), self._text(args.project), seed=self._whole("--seed", args.seed),
            params=self._pairs(args.param, words=True), tags=[self._text(t) for t in args.tag] or None,
            baseline=args.baseline,
        )  # fmt: skip
        with run:
            if args.note is not None:
                run.set_note(self._text(args.note))
            with _users_own():
                exec(body, shell.user_ns)  # noqa: S102 - the user's own cell
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), name, "eval"), shell.user_ns)  # noqa: S307
            self._log_values(run, args.log)
        return None if cell.rstrip().endswith(";") else value

    def _log_values(self, run: tracking.Run, wanted: Sequence[str]) -> None:
        """Log expressions: numbers and mappings of numbers as metrics, anything else as params."""
        for key, value in self._pairs(wanted).items():
            numbers = value if isinstance(value, dict) else {key: value}
            try:
                run.log_metrics(numbers)
            except InputError:
                run.log_params({key: value})

    def _run_id(self, ref: str | None, *, ended: bool = False) -> str:
        """Return the run that is meant: the one named, the active one, or the newest; only one that has `ended`."""
        owner = session.current()
        if ref is not None:
            return owner.store.resolve("run", self._text(ref))
        if owner.active and not ended:
            return owner.active[-1].id
        newest = catalog.runs.list(limit=1, where="status != 'running'" if ended else None)
        if not len(newest):
            if owner.active:
                raise InputError("no run has ended yet; %modellab end ends the active one.")
            raise InputError("there is no run yet; start one with %modellab start NAME.")
        return str(newest["run_id"].iloc[0])

    def _text(self, token: Any) -> Any:
        """Return a token with $name and {expr} replaced, as text."""
        if token is None or not ("$" in token or "{" in token):
            return token
        return self._ip.var_expand(token)

    def _value(self, token: str, *, text: bool = False) -> Any:
        """Return what a token stands for: $name, {expr}, a name or an expression; with `text`, else itself."""
        token = token.strip()
        inner = token[1:] if token.startswith("$") else token[1:-1] if token[:1] + token[-1:] == "{}" else token
        if inner == token and text and not token.isidentifier():
            return token
        if text and inner == token and token not in self._ip.user_ns:
            return token
        try:
            return eval(inner, self._ip.user_global_ns, self._ip.user_ns)  # noqa: S307 - the user's own expression
        except NameError as error:
            missing = getattr(error, "name", None) or inner
            raise InputError(f"no variable is named {missing!r}{hint(str(missing), self._ip.user_ns) or '.'}") from None
        except SyntaxError:
            raise InputError(f"{inner!r} is not an expression.") from None
        except Exception as error:  # noqa: BLE001 - whatever the user's expression raises is told in one line
            raise InputError(f"{inner!r} raised {type(error).__name__}: {error}.") from None

    def _pairs(self, tokens: Sequence[str], *, words: bool = False) -> dict[str, Any]:
        """Return ``KEY=EXPR`` as a mapping; an expression alone is its own key, with `words` a word is a text."""
        pairs = {}
        for token in tokens:
            found = re.match(r"([^=<>!()\[\]{}'\"]+)=(?!=)(.*)", token, re.DOTALL)
            key, expression = found.groups() if found else (token, token)
            word = words and found and expression.isidentifier() and expression not in self._ip.user_ns
            pairs[key.strip()] = expression if word else self._value(expression)
        return pairs

    def _whole(self, option: str, token: str | None) -> int | None:
        if token is None:
            return None
        value = self._value(token)
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise InputError(f"{option} must be a whole number, found {value!r}.")
        return int(value)


_VERBS: dict[str, Any] = {name: method for name, method in vars(ModelLabMagics).items() if hasattr(method, "arguments")}


def verbs() -> tuple[str, ...]:
    """Return the names of all verbs."""
    return tuple(_VERBS)


@functools.cache
def parser_of(verb: str) -> _Parser:
    """Return the parser of a verb."""
    method = _VERBS[verb]
    parser = _Parser(
        prog=f"%modellab {verb}",
        description=textwrap.dedent(method.__doc__ or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for flags, settings in method.arguments:
        parser.add_argument(*flags, **settings)
    return parser


@contextmanager
def _users_own() -> Iterator[None]:
    """Mark what is raised inside as the user's own, to be shown as usual."""
    try:
        yield
    except BaseException as error:
        error.__modellab_users_own__ = True  # type: ignore[attr-defined]
        raise


@contextmanager
def _one_line() -> Iterator[None]:
    """Turn our complaints into one line; what the user's own code raises passes as it is."""
    try:
        yield
    except _Done:
        pass
    except (ModelLabError, ValueError, OSError) as error:
        if getattr(error, "__modellab_users_own__", False):
            raise
        if isinstance(error, OSError):  # a place that cannot be used, also deep below a store's path
            raise UsageError(f"{error.filename or 'the store'}: {error.strerror or error}.") from None
        if not (isinstance(error, ModelLabError) or type(error).__module__.startswith("evalharness")):
            raise
        raise UsageError(str(error)) from None


def _tokens(line: str) -> list[str]:
    """Split a line at spaces outside quotes and brackets; quotes go where they wrap a whole token or value."""
    tokens: list[str] = []
    current, depth, quote = "", 0, ""
    for char in line:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        if char.isspace() and not quote and depth <= 0:
            if current:
                tokens.append(current)
            current = ""
        else:
            current += char
    if quote:
        raise InputError(f"a quote {quote} is not closed.")
    if current:
        tokens.append(current)
    return [t[1:-1] if len(t) > 1 and t[0] == t[-1] and t[0] in "'\"" and t[0] not in t[1:-1] else t for t in tokens]


def _top(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a cell that are not inside a function of its own."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _top(node)


def _split_options(line: str) -> tuple[list[str], str]:
    """Return the options of ``latency`` that stand before and after a statement, and the statement as it is."""
    option = r"(?:-n|--warmup|--name|--run)(?:\s+|=)(?:'[^']*'|\"[^\"]*\"|\S+)|-h|--help"
    before = re.match(rf"(?:\s*(?:{option})(?=\s|$))*", line)
    start = before.end() if before else 0
    after = re.search(rf"(?:\s+(?:{option}))*\s*$", line[start:])
    end = start + (after.start() if after else len(line))
    statement = line[start:end].strip()
    return _tokens(line[:start] + " " + line[end:]), statement.removeprefix("-- ")


def _is_file(text: str) -> bool:
    from pathlib import Path

    tables = {".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq", ".xlsx", ".json", ".arrow", ".feather"}
    return Path(text).suffix.lower() in tables or Path(text).is_file()


def _sheet(values: dict[str, Any]) -> Any:
    """Return names and values as a frame that is shown whole; what is empty is left out."""
    kept = {name: str(value) for name, value in values.items() if value is not None and value != ""}
    return _sheet_class()({"": list(kept.values())}, index=list(kept))


@functools.cache
def _sheet_class() -> Any:
    import pandas as pd

    class Sheet(pd.DataFrame):  # type: ignore[misc]
        """A frame whose texts are cut nowhere."""

        def __repr__(self) -> str:
            with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
                return str(super().__repr__())

        def _repr_html_(self) -> str | None:
            with pd.option_context("display.max_colwidth", None, "display.max_rows", None):
                return cast("str | None", super()._repr_html_())

    return Sheet


# -- completion ----------------------------------------------------------------------------------

_COMPLETES = {
    "run": "run", "report": "run", "repro": "run", "compare": "run", "dashboard": "project", "project": "project",
    "--project": "project", "--run": "run", "--resume": "run", "--dataset": "dataset",
}  # fmt: skip


@context_matcher()  # type: ignore[untyped-decorator]
def complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete verbs, options, runs, projects and datasets after ``%modellab``."""
    found = re.match(r"\s*%{1,2}modellab\s+(.*)$", context.line_with_cursor, re.DOTALL)
    if not found:
        return {"completions": [], "suppress": False}
    words = found[1].split(" ")
    names = candidates(words)
    starting = [name for name in names if name.startswith(context.token)]
    return {"completions": [SimpleCompletion(name, type="param") for name in starting], "suppress": bool(starting)}


def candidates(words: Sequence[str]) -> list[str]:
    """Return what may stand in the place of the last of the words after ``%modellab``."""
    if len(words) <= 1:
        return list(_VERBS)
    verb, before, last = words[0], words[-2], words[-1]
    if verb not in _VERBS:
        return []
    parser = parser_of(verb)
    if last.startswith("-"):
        return [option for action in parser._actions for option in action.option_strings]  # noqa: SLF001
    for action in parser._actions:  # noqa: SLF001
        if action.choices and (before in action.option_strings or not action.option_strings):
            return [str(choice) for choice in action.choices]
    kind = _COMPLETES.get(before if before.startswith("--") else verb)
    return session.current().store.names(kind) if kind else []


def load(ip: InteractiveShell) -> None:
    """Register the magics, completion, and the recording of cells; a second call changes nothing."""
    if "modellab" not in ip.magics_manager.magics["line"]:
        ip.register_magics(ModelLabMagics)
        ip.Completer.custom_matchers.append(complete)
    session.current().listen("load")


def unload(ip: InteractiveShell) -> None:
    """Take back everything that `load` did."""
    for kind in ("line", "cell"):
        ip.magics_manager.magics[kind].pop("modellab", None)
    if complete in ip.Completer.custom_matchers:
        ip.Completer.custom_matchers.remove(complete)
    session.current().mute()
