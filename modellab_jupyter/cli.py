"""The ``modellab`` command: parse, one call, print."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from modellab_jupyter.errors import InputError, ModelLabError, hint

if TYPE_CHECKING:
    import pandas as pd

    from modellab_jupyter.repro.records import Verdict

DEMO = "modellab-demo"
_PROJECT = ("--project-id", "--project")  # the magics say --project


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        mark = "" if message.endswith("?") else ";"
        self.exit(2, f"{self.prog}: {message}{mark} {self.prog} --help tells more.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0, 1 where it failed, 2 where it was called wrongly."""
    parser, commands = _parser()
    words = list(sys.argv[1:] if argv is None else argv)
    if words and not words[0].startswith("-") and words[0] not in commands:
        parser.error(f"there is no command {words[0]!r}{hint(words[0], commands)}")
    args, others = parser.parse_known_args(words)
    if others and args.command != "lab":
        under = commands.get(args.command, parser)
        options = [option for action in under._actions for option in action.option_strings]  # noqa: SLF001
        under.error(f"{others[0]!r} is not understood{hint(others[0], options)}")
    args.others = others
    if args.command is None:
        parser.print_help()
        return 0
    try:
        return int(args.call(args) or 0)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"modellab {args.command}: {error.filename or 'the store'}: {error.strerror or error}.", file=sys.stderr)
        return 1
    except (ModelLabError, ValueError) as error:
        if not _is_ours(error):
            raise
        print(f"modellab {args.command}: {error}", file=sys.stderr)
        return 1


def commands() -> tuple[str, ...]:
    """Return the names of all commands."""
    return tuple(_parser()[1])


def _parser() -> tuple[_Parser, dict[str, argparse.ArgumentParser]]:
    from modellab_jupyter import __version__

    parser = _Parser(
        prog="modellab", description="Track, evaluate and compare machine-learning runs.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"modellab-jupyter {__version__}")
    parser.add_argument(
        "--store", metavar="STORE", help="a DuckDB file or an address; default: the nearest modellab.duckdb"
    )
    under = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    found: dict[str, argparse.ArgumentParser] = {}

    def command(name: str, call: Callable[[argparse.Namespace], int | None]) -> argparse.ArgumentParser:
        summary = (call.__doc__ or "").strip().splitlines()[0]
        found[name] = under.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        found[name].set_defaults(call=call)
        return found[name]

    p = command("demo", _demo)
    p.add_argument("folder", nargs="?", default=DEMO, help=f"where to; default: {DEMO}")
    p = command("lab", _lab)
    p.add_argument("folder", nargs="?", help=f"default: {DEMO} where it is there, else this folder")
    p = command("train", _train)
    p.add_argument("task", choices=["classification", "regression"])
    p.add_argument("data", help="a CSV or Parquet file")
    p.add_argument("--target", required=True, metavar="COLUMN", help="the column to predict")
    p.add_argument(
        "--project-id",
        "--project",
        dest="project_id",
        metavar="P",
        help="log the three runs into this project, by id or name",
    )
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of the split, the models and the resampling (0)")
    p = command("runs", _runs)
    p.add_argument("run", nargs="?", help="show this one, by id or name")
    p.add_argument(*_PROJECT, dest="project_id", metavar="P", help="of this project, by id or name")
    p.add_argument("--sort", metavar="COLUMN", help="the largest first; metrics. and params. may be left out")
    p.add_argument("--ascending", action="store_true", help="with --sort: the smallest first")
    p.add_argument("--where", metavar="TEXT", help='only those, as in "metrics.roc_auc > 0.8 AND NOT baseline"')
    p.add_argument("--order-by", metavar="TEXT", help="in place of --sort, as in 'metrics.roc_auc desc, name'")
    p.add_argument("--summary", default="last", metavar="WHICH", help="of metrics: last, min, max or best of each run")
    p.add_argument("--limit", type=int, metavar="N", help="at most so many")
    p.add_argument("--all", action="store_true", help="every column")
    p.add_argument("--trash", action="store_true", help="those in the trash")
    p = command("projects", _projects)
    p.add_argument("--trash", action="store_true", help="those in the trash")
    p = command("datasets", _datasets)
    p.add_argument("dataset", nargs="?", help="show the versions and first rows of this one, by id or name")
    p.add_argument(*_PROJECT, dest="project_id", metavar="P", help="of this project, by id or name")
    p.add_argument("--trash", action="store_true", help="those in the trash")
    p = command("evaluate", _evaluate)
    p.add_argument("data", help="a CSV or Parquet file with a row for each prediction")
    p.add_argument("--labels", required=True, metavar="COLUMN", help="the true labels")
    p.add_argument(
        "--predictions", required=True, metavar="COLUMN", help="labels, values, or positive-class probabilities"
    )
    p.add_argument("--task", choices=["classification", "regression"], help="default: what the labels say")
    p.add_argument("--positive", metavar="CLASS", help="the positive class")
    p.add_argument("--output", metavar="FOLDER", help="write the standard artifact folder")
    p = command("repro", _repro)
    p.add_argument("run", help="by id or name")
    p.add_argument("--to", metavar="PATH", help="the file or its folder; default: beside the notebook")
    p.add_argument("--max-data", type=int, metavar="MIB", help="MiB of all data that go along (100)")
    p = command("verify", _verify)
    p.add_argument("pack", help="a ZIP that modellab repro wrote")
    p.add_argument("--json", action="store_true", help="print the verdict as JSON")
    p = command("reproduce", _reproduce)
    p.add_argument("pack", help="a ZIP that modellab repro wrote")
    p.add_argument("--yes", action="store_true", help="run the pack's code on this machine without being asked")
    p.add_argument("--data", action="append", default=[], metavar="PATH=HERE", help="where a file is; may be repeated")
    p.add_argument("--timeout", type=float, metavar="S", help="seconds that one replay may take")
    p.add_argument("--memory", metavar="SIZE", help="that a replay may take, as in 4GB")
    p.add_argument("--directory", metavar="FOLDER", help="an empty folder that keeps what replays wrote")
    p.add_argument("--offline", action="store_true", help="take packages from uv's cache alone")
    p.add_argument("--no-explain", action="store_true", help="do not look for the cause where numbers differ")
    p.add_argument("--json", action="store_true", help="print the verdict as JSON")
    p = command("export", _export)
    p.add_argument("path", help="the file to write")
    p.add_argument(*_PROJECT, dest="project_id", metavar="P", help="by id or name; default: the default project")
    p = command("import", _import)
    p.add_argument("path", help="a file that modellab export wrote")
    p = command("serve", _serve)
    p.add_argument("--host", default="127.0.0.1", metavar="NAME", help="where to listen; default: this machine alone")
    p.add_argument("--port", type=int, default=9494, metavar="N", help="default: 9494")
    p = command("trash", _trash)
    p.add_argument("--restore", metavar="ID", action="append", default=[], help="bring something back; may be repeated")
    p.add_argument("--empty", action="store_true", help="destroy what is in the trash, after asking")
    p.add_argument("--yes", action="store_true", help="with --empty: do not ask")
    p = command("doctor", _doctor)
    p.add_argument("--repair", action="store_true", help="save what can be read of a damaged store; it is kept")
    command("compact", _compact)
    return parser, found


def _demo(args: argparse.Namespace) -> int:
    """Train, evaluate and compare three models on a real data set, and say what to do next."""
    from modellab_jupyter import demo

    if args.store is not None:
        raise InputError(f"--store cannot be given, found {args.store!r}; the demo keeps its store in its own folder.")
    print(demo.run(Path(args.folder)))
    return 0


def _lab(args: argparse.Namespace) -> int:
    """Open JupyterLab where the notebooks and the store are; its own options are handed on."""
    if args.store is not None:
        raise InputError(
            f"--store cannot be given, found {args.store!r}; choose it in the notebook with %modellab init."
        )
    folder = Path(args.folder or (DEMO if Path(DEMO).is_dir() else "."))
    if not folder.is_dir():
        raise InputError(f"folder must be there, found {str(folder)!r}; modellab demo makes one.")
    os.chdir(folder)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *args.others])  # noqa: S606 - this program becomes JupyterLab


def _train(args: argparse.Namespace) -> int:
    """Fit a dummy, a linear model and XGBoost on a table; print train and test scores with intervals."""
    from modellab_jupyter.templates import train

    _configure(args)
    print(train(args.task, args.data, args.target, project_id=args.project_id, seed=args.seed))
    if args.project_id is None:
        print("Nothing was logged; --project-id NAME keeps the three runs.")
    else:
        from modellab_jupyter import session

        print(f"The store is {session.current().settings.place}.")
    return 0


def _runs(args: argparse.Namespace) -> int:
    """List runs, or show one."""
    from modellab_jupyter import catalog

    _configure(args, reads=True)
    if args.run is None:
        chosen = {"where": args.where, "order_by": args.order_by, "summary": args.summary, "trash": args.trash}
        found = catalog.runs.list(args.project_id, sort=args.sort, ascending=args.ascending, limit=args.limit, **chosen)
        return _print(found.drop(columns="note") if args.all else _brief(found))
    record = catalog.runs.get(args.run)
    for name in record.__struct_fields__:
        if name not in {"environment", "last_steps"} and getattr(record, name) not in (None, "", [], {}):
            print(f"{name:<12} {getattr(record, name)}")
    for one in catalog.runs.packs(record.run_id).itertuples():
        print(f"{'pack':<12} {catalog.act(one)}, {one.path}")
    return 0


def _brief(runs: pd.DataFrame) -> pd.DataFrame:
    """Return what fits a terminal: who, how it went, and a few metrics, those with an interval first."""
    import pandas as pd

    metrics = [
        name for name in runs.columns if name.startswith("metrics.") and not name.endswith((".low", ".high", ".n"))
    ]
    leading = ("metrics.accuracy", "metrics.roc_auc", "metrics.r2", "metrics.root_mean_squared_error")
    metrics.sort(key=lambda name: (name not in leading, f"{name}.low" not in runs.columns))
    kept: dict[str, list[str]] = {
        "run_id": runs["run_id"].tolist(),
        "name": [name + " (baseline)" * flag for name, flag in zip(runs["name"], runs["baseline"], strict=True)],
        **({"project": runs["project"].tolist()} if len(set(runs.get("project", []))) > 1 else {}),
        "status": runs["status"].tolist(),
        "started (UTC)": [f"{at:%Y-%m-%d %H:%M}" for at in runs["started_at"]],
    }
    for metric in metrics[:3]:
        nothing = pd.Series([None] * len(runs))
        low, high = (runs.get(f"{metric}.{end}", nothing) for end in ("low", "high"))
        kept[metric.removeprefix("metrics.")] = [
            "" if pd.isna(value) else f"{value:.4g}" + ("" if pd.isna(a) else f" [{a:.3g}, {b:.3g}]")
            for value, a, b in zip(runs[metric], low, high, strict=True)
        ]
    return pd.DataFrame(kept)


def _projects(args: argparse.Namespace) -> int:
    """List projects with their numbers of runs and datasets."""
    from modellab_jupyter import catalog

    _configure(args, reads=True)
    return _print(catalog.projects.list(trash=args.trash).drop(columns=["deleted_at", "created_at"]))


def _datasets(args: argparse.Namespace) -> int:
    """List datasets, or show the versions and first rows of one."""
    from modellab_jupyter import catalog

    _configure(args, reads=True)
    if args.dataset is None:
        found = catalog.datasets.list(args.project_id, trash=args.trash)
        return _print(found[["dataset_id", "name", "version", "rows", "columns", "runs", "digest"]])
    record = catalog.datasets.get(args.dataset)
    for version in record.versions:
        print(
            f"version {version['version']}  {version['digest']}  {version['rows']} rows  "
            f"used by {len(version['runs'])} runs"
        )
    return _print(catalog.datasets.preview(record.dataset_id, 10)) if record.versions[-1]["preview"] else 0


def _evaluate(args: argparse.Namespace) -> int:
    """Judge the predictions in a file: every metric with its interval, and the takeaway."""
    from evalharness import evaluate
    from modellab_jupyter.judge import infer_task
    from modellab_jupyter.templates import read_table

    frame = read_table(args.data)
    for name in (args.labels, args.predictions):
        if name not in frame.columns:
            raise InputError(f"{args.data} has no column {name!r}{hint(name, map(str, frame.columns)) or '.'}")
    labels, predictions = frame[args.labels], frame[args.predictions]
    report = evaluate(
        task_type=args.task or infer_task(predictions, labels, {}),
        predictions=predictions,
        labels=labels,
        data=frame.drop(columns=[args.labels, args.predictions]),
        output_dir=args.output,
        positive=next((label for label in labels.unique() if str(label) == args.positive), args.positive),
    )
    print(report, report.get_takeaway(), sep="\n\n")
    if args.output:
        print(f"wrote {args.output}")
    return 0


def _trash(args: argparse.Namespace) -> int:
    """Show what was deleted, bring it back, or destroy it."""
    from modellab_jupyter import catalog

    _configure(args, reads=True)
    for ref in args.restore:
        catalog.trash.restore(ref)
        print(f"restored {ref!r}")
    if args.restore:
        return 0
    if not args.empty:
        return _print(catalog.trash.list())
    print(f"this destroys {catalog.trash.contents()} for good")
    if not args.yes:
        if not sys.stdin.isatty():
            raise InputError("--yes must be given where nobody can be asked; nothing was destroyed.")
        if input("destroy it? [y/N] ").strip().lower() not in {"y", "yes"}:
            print("nothing was destroyed")
            return 1
    gone = catalog.trash.empty()
    print(f"destroyed {gone['objects']} objects, {gone['files']} files, {gone['bytes']} bytes")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    """Look at the store, the journals and the front end, and say what is wrong and what to do."""
    from modellab_jupyter import doctor, session

    _configure(args)
    text = doctor.repair(session.current()) if args.repair else doctor.report(session.current())
    print(text)
    return int("\n!" in text)


def _compact(args: argparse.Namespace) -> int:
    """Write the store's file anew without its free space; everything stays."""
    from modellab_jupyter import doctor, session

    _configure(args, reads=True)
    print(doctor.compact(session.current()))
    return 0


def _repro(args: argparse.Namespace) -> int:
    """Write a run to a ZIP that can be rebuilt, run again and compared anywhere."""
    from modellab_jupyter import packs
    from modellab_jupyter.repro.records import MAX_DATA

    _configure(args, reads=True)
    size = MAX_DATA if args.max_data is None else args.max_data << 20
    print(packs.repro_pack(args.run, args.to, max_data=size))
    return 0


def _verify(args: argparse.Namespace) -> int:
    """Check a pack without running anything of it; 0 where it is intact, 1 where it is not, 2 where it is none."""
    from modellab_jupyter import packs

    _configure(args)
    return _told(lambda: packs.verify_pack(args.pack), args)


def _reproduce(args: argparse.Namespace) -> int:
    """Rebuild a pack's environment, run it again and compare; 0 where its numbers came back, 1 not, 2 nobody knows."""
    from modellab_jupyter import packs

    _configure(args)
    return _told(
        lambda: packs.reproduce(
            args.pack, yes=args.yes, data=packs.mapped(args.data), timeout=args.timeout, memory=args.memory,
            directory=args.directory, offline=args.offline, explain=not args.no_explain,
        ),
        args,
    )  # fmt: skip


def _told(judge: Callable[[], Verdict], args: argparse.Namespace) -> int:
    """Print a verdict and return its exit code; what is refused ends with 2."""
    from modellab_jupyter.repro import words

    try:
        verdict = judge()
    except ModelLabError as error:
        print(f"modellab {args.command}: {error}", file=sys.stderr)
        return 2
    print(words.as_json(verdict) if args.json else words.text(verdict), end="" if args.json else "\n")
    return words.exit_code(verdict)


def _export(args: argparse.Namespace) -> int:
    """Write a project with everything that belongs to it to one file, to be imported into another store."""
    from modellab_jupyter import transfer

    _configure(args, reads=True)
    print(f"wrote {transfer.export(args.path, args.project_id)}")
    return 0


def _import(args: argparse.Namespace) -> int:
    """Take in a project that modellab export wrote; twice changes nothing."""
    from modellab_jupyter import session, transfer

    _configure(args)
    counts = transfer.import_(args.path)
    print(f"{counts['runs']} runs and {counts['files']} files are new in {session.current().settings.place}")
    return 0


def _serve(args: argparse.Namespace) -> int:
    """Serve the store to other kernels and machines until interrupted; the token is MODELLAB_TOKEN or in a file."""
    import signal
    import threading

    from modellab_jupyter import config
    from modellab_jupyter.store import quack

    chosen = config.settings(args.store)
    if chosen.shared is not None:
        raise InputError(f"--store must be a DuckDB file to be served, found {chosen.place}.")
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with quack.serve(chosen.store, chosen.files, args.host, args.port, quack.make_token()) as address:
        print(f"serving {chosen.store} at {address}; in a notebook: ml.configure({address!r})")
        print(f"the token is MODELLAB_TOKEN or in {config.token_file()}; stop with Ctrl+C", flush=True)
        while not over.wait(1.0):
            pass
    return 0


def _configure(args: argparse.Namespace, *, reads: bool = False) -> None:
    """Choose the store that was named; one that is only read must be there."""
    if args.store is not None:
        from modellab_jupyter.session import configure

        chosen = configure(args.store)
        if reads and chosen.shared is None and not chosen.store.exists() and not chosen.files.exists():
            raise InputError(f"--store must be there to be read, found {args.store!r}, which is not.")


def _print(frame: pd.DataFrame) -> int:
    """Print a frame as wide as it is, columns without any value left out."""
    shown = frame.dropna(axis="columns", how="all")
    print(shown.to_string(index=False) if len(shown) else "none yet")
    return 0


def _is_ours(error: Exception) -> bool:
    return isinstance(error, ModelLabError) or type(error).__module__.startswith("evalharness")


if __name__ == "__main__":
    sys.exit(main())
