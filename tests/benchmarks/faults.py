"""The long run of the faults: SIGKILL at a thousand random moments, a store held for a minute.

``python -m tests.benchmarks.faults [KILLS] [SECONDS]`` prints what was accepted, what arrived and what was lost.
"""

from __future__ import annotations

import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

WRITER = """
import random, sys
import modellab_jupyter as ml
from modellab_jupyter import schema
chance = random.Random(int(sys.argv[1]))
say = lambda *words: (sys.stdout.write(" ".join(map(str, words)) + "\\n"), sys.stdout.flush())
say("ready")
sys.stdin.readline()
while True:
    run = ml.start_run(f"run {chance.random()}", project_id="killed")
    say("run", run.id)
    for step in range(chance.randrange(200)):
        ml.log_metrics({"a": step / 3, "b": float("nan")}, step=step)
        say("metric", run.id, step)
        kind = chance.randrange(60)
        if kind == 0:
            ml.log_params({f"p{step}": step})
            say("param", run.id, step)
        elif kind == 1:
            ml.log_latency([step + 0.5])
            say("latency", run.id, step)
        elif kind == 2:
            say("artifact", run.id, ml.log_artifact({"step": step}, "a.json"))
        elif kind == 3:
            ml.set_tags([f"t{step}"])
            say("tag", run.id, step)
        elif kind == 4:
            ml.runs.list()
        elif kind == 5:
            ml.runs.update(run.id, note=str(step))
            say("note", run.id, step)
        elif kind == 6:
            from modellab_jupyter import session
            session.current().store.compact()
    run.end()
    say("end", run.id)
"""


@dataclass(frozen=True)
class Outcome:
    """What a number of kills did: records that were accepted and seen again, that were lost, that stand twice."""

    accepted: int
    lost: list[tuple[str, ...]]
    doubled: int
    statuses: dict[str, int]


def kills(count: int, *, writers: int = 2, seed: int = 0, longest: float = 0.4) -> Outcome:
    """Kill writers on one store in the current folder at random moments; compare what they said with what is there."""
    chance = random.Random(seed)
    said: list[tuple[str, ...]] = []

    def begun(number: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, str(seed * 1_000_003 + number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    for first in range(0, count, writers):
        some = [begun(number) for number in range(first, min(count, first + writers))]
        for one in some:
            assert one.stdout is not None
            assert one.stdin is not None
            assert one.stdout.readline() == "ready\n"
        for one in some:
            one.stdin.write("\n")  # type: ignore[union-attr]
            one.stdin.flush()  # type: ignore[union-attr]
        until = [time.monotonic() + chance.uniform(0, longest) for _ in some]
        for one, moment in sorted(zip(some, until, strict=True), key=lambda pair: pair[1]):
            said += _told(one, moment)
    return _compared(said)


def _told(one: subprocess.Popen[str], moment: float) -> list[tuple[str, ...]]:
    """Kill a writer at a moment; return what it said before, whole lines only."""
    import threading

    killer = threading.Timer(max(0.0, moment - time.monotonic()), one.send_signal, [signal.SIGKILL])
    killer.start()
    assert one.stdout is not None
    assert one.stdin is not None
    text = one.stdout.read()
    killer.join()
    one.wait()
    one.stdout.close()
    one.stdin.close()
    return [tuple(line.split()) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _compared(said: list[tuple[str, ...]]) -> Outcome:
    import modellab_jupyter as ml

    rows = {
        "run": "SELECT run_id, '' FROM runs",
        "end": "SELECT run_id, '' FROM runs WHERE status = 'finished'",
        "metric": "SELECT run_id, step::VARCHAR FROM metrics WHERE key = 'a' AND value = step / 3",
        "nan": "SELECT run_id, step::VARCHAR FROM metrics WHERE key = 'b' AND isnan(value)",
        "param": "SELECT run_id, key[2:] FROM params",
        "latency": "SELECT run_id, (seconds - 0.5)::INT::VARCHAR FROM latencies",
        "artifact": "SELECT run_id, artifact_id FROM artifacts",
        "tag": "SELECT run_id, tag[2:] FROM tags",
    }
    there = {kind: collections.Counter(map(tuple, ml.sql(query).to_numpy().tolist())) for kind, query in rows.items()}
    lost = [
        line
        for line in said
        for kind in (["metric", "nan"] if line[0] == "metric" else [line[0]])
        if kind in there and not there[kind][line[1], line[2] if len(line) > 2 else ""]
    ]
    notes = dict(ml.sql("SELECT run_id, note FROM runs").to_numpy().tolist())
    last = {line[1]: int(line[2]) for line in said if line[0] == "note"}
    lost += [("note", run, str(step)) for run, step in last.items() if int(notes[run] or -1) < step]
    doubled = sum(n - 1 for counter in there.values() for n in counter.values())
    series = ml.sql("SELECT count(*) AS n FROM metric_summary s WHERE n <> (SELECT count(*) FROM metrics m "
                    "WHERE m.run_id = s.run_id AND m.key = s.key)")  # fmt: skip
    statuses = collections.Counter(ml.runs.list()["status"])
    return Outcome(len(said), lost, doubled + int(series["n"][0]), dict(statuses))


def held(seconds: float) -> tuple[int, float, int]:
    """Log while another program holds the store; return records, the longest log call in s, and those that arrived."""
    import modellab_jupyter as ml

    with ml.start_run("before"):
        ml.log_metric("a", 0.0)
    code = "import duckdb, sys; c = duckdb.connect('modellab.duckdb'); print('held', flush=True); sys.stdin.readline()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    holder.stdout.readline()
    end, count, longest = time.monotonic() + seconds, 0, 0.0
    while time.monotonic() < end:
        with ml.start_run("during"):
            for _ in range(20):
                began = time.perf_counter()
                ml.log_metric("a", count)
                longest = max(longest, time.perf_counter() - began)
                count += 1
        seen = ml.sql("SELECT count(*) AS n FROM metrics")["n"][0]
        assert seen == count + 1, (seen, count)
        time.sleep(min(0.1, seconds / 10))
    holder.communicate("\n")
    return count, longest, int(ml.sql("SELECT count(*) AS n FROM metrics")["n"][0]) - 1


def main() -> None:
    """Run and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    from modellab_jupyter import session

    for title, work in (
        (f"{count} SIGKILLs", lambda: kills(count)),
        (f"store held for {seconds:.0f} s: logged, longest call in s, arrived", lambda: held(seconds)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            session.reset()
            began = time.monotonic()
            found = work()
            print(f"{title}: {found} in {time.monotonic() - began:.0f} s", flush=True)
            os.chdir(ROOT)
            if (found.lost or found.doubled) if isinstance(found, Outcome) else found[0] != found[2]:
                sys.exit("something that was accepted is not there, or there twice")


if __name__ == "__main__":
    main()
