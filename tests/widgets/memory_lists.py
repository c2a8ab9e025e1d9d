"""Datasets and projects that live in memory: the same shape as the store's, with real summaries and drift."""

from __future__ import annotations

import datetime as dt
import hashlib
import random

import pyarrow as pa
from memory_source import HOSTILE, START, MemorySource

from modellab_jupyter import drift
from modellab_jupyter.errors import DamagedError, NotFoundError
from modellab_jupyter.summary import summarise
from modellab_jupyter.widgets.dashboard import Dashboard
from modellab_jupyter.widgets.projects import STATUSES

LONG = "x" * 10_000
RTL = "\u202eevil\u0007"
TIME = pa.timestamp("us", "UTC")
METRIC = [("metric", pa.string()), *((n, pa.float64()) for n in ("value", "low", "high")), ("n", pa.int64())]


def customers(version=1, rows=300, *, hostile=False):
    """A table of customers; each version has more missing incomes, older customers, and the third another column."""
    rng = random.Random(version)
    made = {
        "age": [rng.gauss(40 + 6 * version, 9) for _ in range(rows)],
        "income": [None if rng.random() < 0.1 * version else rng.lognormvariate(10, 0.5) for _ in range(rows)],
        "plan": [rng.choice(["basic", "plus", "max"]) for _ in range(rows)],
        "since": [START + dt.timedelta(days=rng.randrange(900)) for _ in range(rows)],
        "active": [rng.random() < 0.8 for _ in range(rows)],
    }
    if version > 2:
        made["region"] = [rng.choice(["north", "south"]) for _ in range(rows)]
    if hostile:
        made |= {HOSTILE: [HOSTILE, LONG, RTL] * (rows // 3), LONG: [1] * rows, RTL: [None] * rows}
    return pa.table(made)


class MemoryDatasets:
    """`n` datasets; the first has three versions and the runs that used them."""

    def __init__(self, n=3, *, hostile=False):
        self.hostile = hostile
        self.token = 0
        self.damaged = False
        self.tables = {
            f"ds_{i:05d}": [customers(v + 1, hostile=hostile) for v in range(3 if i == 0 else 1)]
            for i in range(min(n, 12))
        }
        self.names = [HOSTILE, LONG, RTL] if hostile else ["customers", "orders", "returns"]
        self.n = n

    def name(self, i):
        return self.names[i] if i < 3 else f"data {i}"

    def title(self, project_id):
        return "Datasets" if project_id is None else f"Datasets of {project_id}"

    def changes(self, project_id):
        return str(self.token)

    def datasets(self, project_id):
        rows = []
        for i in range(self.n):
            known = self.tables.get(f"ds_{i:05d}")
            rows.append({
                "dataset_id": f"ds_{i:05d}", "name": self.name(i), "project": HOSTILE if self.hostile else "churn",
                "versions": len(known or [0]), "version": len(known or [0]), "source": "frame",
                "rows": len(known[-1]) if known else 10, "columns": known[-1].num_columns if known else 2,
                "missing": 0.05, "size": None if i % 2 else 12_345, "runs": 2 if i == 0 else 0,
                "last_used": START if i == 0 else None, "registered_at": START - dt.timedelta(hours=i),
                "description": HOSTILE if self.hostile else "",
            })  # fmt: skip
        kinds = {"versions": pa.int64(), "version": pa.int64(), "rows": pa.int64(), "columns": pa.int64()}
        kinds |= {
            "missing": pa.float64(),
            "size": pa.int64(),
            "runs": pa.int64(),
            "last_used": TIME,
            "registered_at": TIME,
        }
        names = (
            "dataset_id", "name", "project", "versions", "version", "source", "rows", "columns", "missing", "size",
            "runs", "last_used", "registered_at", "description",
        )  # fmt: skip
        return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.string())) for name in names]))

    def _of(self, dataset_id):
        if dataset_id not in self.tables:
            raise NotFoundError(f"no dataset goes by {dataset_id!r:.80}.")
        return self.tables[dataset_id]

    def _one(self, dataset_id, version):
        versions = self._of(dataset_id)
        if not 1 <= version <= len(versions):
            raise NotFoundError(f"dataset {dataset_id!r:.80} has no version {version}; it has {len(versions)}.")
        return versions[version - 1]

    def versions(self, dataset_id):
        rows = [
            {
                "version": v, "digest": hashlib.sha256(f"{dataset_id} {v}".encode()).hexdigest(), "source": "frame",
                "path": HOSTILE if self.hostile else None, "rows": len(table), "columns": table.num_columns,
                "size": None, "created_at": START + dt.timedelta(days=v), "registered_at": START + dt.timedelta(days=v),
            }
            for v, table in enumerate(self._of(dataset_id), 1)
        ]  # fmt: skip
        kinds = [("version", pa.int64()), *((n, pa.string()) for n in ("digest", "source", "path"))]
        kinds += [
            *((n, pa.int64()) for n in ("rows", "columns", "size")),
            ("created_at", TIME),
            ("registered_at", TIME),
        ]
        return pa.Table.from_pylist(rows[::-1], pa.schema(kinds))

    def runs(self, dataset_id):
        rows = [
            {
                "run_id": f"run_{i}", "name": HOSTILE if self.hostile else f"forest-{i}", "status": "finished",
                "version": i + 1, "split": "train", "project": "churn",
                "used_at": START + dt.timedelta(days=i + 1, hours=3), "metric": "accuracy",
                "value": 0.8 + i / 20, "low": 0.77, "high": 0.9, "n": 300, "best": i == 1,
            }
            for i in range(2 if dataset_id == "ds_00000" else 0)
        ]  # fmt: skip
        texts = [(n, pa.string()) for n in ("run_id", "name", "status")]
        more = [("version", pa.int64()), ("split", pa.string()), ("project", pa.string()), ("used_at", TIME)]
        return pa.Table.from_pylist(rows, pa.schema([*texts, *more, *METRIC, ("best", pa.bool_())]))

    def summary(self, dataset_id, version):
        if self.damaged:
            raise DamagedError("the stored bytes of abc… were changed or damaged; restore the file from a copy.")
        return summarise(self._one(dataset_id, version))

    def preview(self, dataset_id, version):
        return self._one(dataset_id, version).slice(0, 100)

    def drift(self, dataset_id, old, new):
        sides = [drift.Side(f"version {v}", str(v), self._one(dataset_id, v), None) for v in (old, new)]
        return drift.compare(dataset_id, *sides)


class MemoryProjects:
    """`n` projects with runs over some weeks."""

    def __init__(self, n=3, *, hostile=False):
        self.n = n
        self.hostile = hostile
        self.token = 0
        self.names = [HOSTILE, LONG, RTL] if hostile else ["churn", "prices", "fraud"]

    def changes(self, project_id):
        return str(self.token)

    def projects(self):
        rows = [
            {
                "project_id": f"proj_{i:05d}", "name": self.names[i] if i < 3 else f"project {i}",
                "description": HOSTILE if self.hostile else "", "runs": 12, "datasets": 2,
                "last_activity": START - dt.timedelta(hours=i), "created_at": START - dt.timedelta(days=90),
                **{status: {"finished": 9, "failed": 2, "running": 1}.get(status, 0) for status in STATUSES},
                "best_run": HOSTILE if self.hostile else "forest" if i else None,
                "best_run_id": "run_1" if i else None, "metric": "roc_auc" if i else None, "value": 0.91 if i else None,
                "low": 0.88 if i else None, "high": 0.93 if i else None, "n": 400 if i else None,
            }
            for i in range(self.n)
        ]  # fmt: skip
        kinds = [(n, pa.string()) for n in ("project_id", "name", "description")]
        kinds += [("runs", pa.int64()), ("datasets", pa.int64()), ("last_activity", TIME), ("created_at", TIME)]
        kinds += [
            *((s, pa.int64()) for s in STATUSES),
            ("best_run", pa.string()),
            ("best_run_id", pa.string()),
            *METRIC,
        ]
        return pa.Table.from_pylist(rows, pa.schema(kinds))

    def activity(self):
        first = START.replace(hour=0)
        rows = [
            {"project_id": f"proj_{i:05d}", "day": first - dt.timedelta(days=3 * k), "runs": 3, "failed": k % 2}
            for k in range(4)
            for i in range(self.n)
        ]
        kinds = [("project_id", pa.string()), ("day", TIME), ("runs", pa.int64()), ("failed", pa.int64())]
        return pa.Table.from_pylist(rows, pa.schema(kinds))

    def runs(self, project_id, most):
        if not project_id.startswith("proj_"):
            raise NotFoundError(f"no project goes by {project_id!r:.80}.")
        rows = [
            {
                "run_id": f"run_{i}", "name": HOSTILE if self.hostile else f"forest-{i}",
                "status": "failed" if i == 1 else "finished", "started_at": START - dt.timedelta(hours=i),
                "duration": 3.5, "metric": "roc_auc", "value": 0.8 + i / 100, "low": None, "high": None, "n": None,
                "best": i == 11,
            }
            for i in range(min(12, most))
        ]  # fmt: skip
        kinds = [
            *((n, pa.string()) for n in ("run_id", "name", "status")),
            ("started_at", TIME),
            ("duration", pa.float64()),
        ]
        return pa.Table.from_pylist(rows, pa.schema([*kinds, *METRIC, ("best", pa.bool_())]))

    def datasets(self, project_id):
        rows = [{"dataset_id": "ds_00000", "name": HOSTILE if self.hostile else "customers", "version": 3, "rows": 300,
                 "columns": 6, "runs": 2, "last_used": START}]  # fmt: skip
        kinds = [("dataset_id", pa.string()), ("name", pa.string()), *((n, pa.int64()) for n in ("version", "rows"))]
        kinds += [("columns", pa.int64()), ("runs", pa.int64()), ("last_used", TIME)]
        return pa.Table.from_pylist(rows, pa.schema(kinds))

    def dashboard(self, project_id):
        return Dashboard(MemorySource(4, hostile=self.hostile), project_id, live=False)
