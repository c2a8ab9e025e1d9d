"""What a store costs by where it is: a file, a server, a lake on disk and on S3. Prints medians; decides nothing.

Run it as ``python -m tests.benchmarks.shared``; PostgreSQL, moto and the packages of ``[shared]`` must be there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import modellab_jupyter as ml
from modellab_jupyter import schema, session
from modellab_jupyter.journal import Journal
from tests.store import places


def timed(call: Callable[[], object], times: int = 5) -> float:
    """Return the median milliseconds of a call."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return statistics.median(took) * 1000


def fill(runs: int, steps: int) -> float:
    """Write the journal of many runs, five metrics each; return the seconds until they can be queried."""
    journal = Journal(session.current().settings.files / "journal")
    project = session.current().project("bench")
    journal.append(schema.ProjectAdded(time=time.time_ns(), project_id=project, name="bench"))
    for number in range(runs):
        run, now = schema.new_id("run"), time.time_ns()
        journal.append(schema.RunStarted(
            time=now, run_id=run, project_id=project, name=f"r{number}", session_id="s", host="h", pid=1, started=0.0,
        ))  # fmt: skip
        journal.append(schema.ParamsLogged(time=now, run_id=run, params={f"p{i}": str(number + i) for i in range(5)}))
        for step in range(steps):
            values = {f"m{i}": number + step / (i + 1) for i in range(5)}
            journal.append(schema.MetricsLogged(time=now + step * 1000, run_id=run, step=step, values=values))
        journal.append(schema.RunEnded(time=time.time_ns(), run_id=run, status="finished", duration=1.0))
    journal.close()
    start = time.perf_counter()
    ml.sql("SELECT count(*) FROM metrics")
    return time.perf_counter() - start


@contextlib.contextmanager
def addresses(folder: Path) -> Iterator[dict[str, str]]:
    token = uuid.uuid4().hex
    os.environ.update(places.KEYS, MODELLAB_TOKEN=token, XDG_DATA_HOME=str(folder / "home"))
    with places.postgres() as conninfo, places.s3() as s3, places.served(folder / "server", token) as server:
        import boto3

        os.environ["AWS_ENDPOINT_URL"] = s3
        where = {"LocationConstraint": places.KEYS["AWS_REGION"]}
        boto3.client("s3", region_name=places.KEYS["AWS_REGION"]).create_bucket(
            Bucket="bench", CreateBucketConfiguration=where
        )
        yield {
            "file": str(folder / "modellab.duckdb"),
            "server": server,
            "lake, disk": f"ducklake:postgres:{places.database(conninfo, 'a')}?data={folder / 'data'}",
            "lake, S3": f"ducklake:postgres:{places.database(conninfo, 'b')}?data=s3://bench/x",
        }
        session.reset()


def one_run() -> None:
    with ml.start_run("one", project_id="bench"):
        for step in range(100):
            ml.log_metrics({"loss": 1 / (step + 1)}, step=step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    print(f"{'':<12}{'first use':>10}{'run':>8}{'fill':>9}{'points/s':>10}{'list':>8}{'sql':>8}{'series':>8}   (ms)")
    with tempfile.TemporaryDirectory() as name, addresses(Path(name)) as found:
        for kind, address in found.items():
            ml.configure(address)
            first = timed(lambda: len(ml.runs.list()), 1)
            run = timed(one_run)
            took = fill(args.runs, args.steps)
            ids = ml.sql("SELECT run_id FROM runs WHERE name = 'r7'")["run_id"].tolist()
            print(
                f"{kind:<12}{first:>10.0f}{run:>8.0f}{took * 1000:>9.0f}{args.runs * args.steps * 5 / took:>10.0f}"
                f"{timed(lambda: ml.runs.list('bench')):>8.0f}"
                f"{timed(lambda: ml.sql('SELECT key, avg(value) FROM metrics GROUP BY key')):>8.0f}"
                f"{timed(lambda ids=ids: ml.runs.metrics(ids[0])):>8.0f}"
            )


if __name__ == "__main__":
    main()
