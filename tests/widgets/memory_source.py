"""A Source that lives in memory: the same shape as the store's, made from a seed."""

from __future__ import annotations

import datetime as dt
import json
import math
import random

import pyarrow as pa

from modellab_jupyter.widgets.base import Source

START = dt.datetime(2026, 11, 2, 9, 0, tzinfo=dt.UTC)
FAMILIES = ("dummy", "logistic", "forest", "xgboost")
HOSTILE = '<script>window.hacked = true</script><img src=x onerror="window.hacked=true"> "quoted" \'n\' & $x_1$ \x07'


class MemorySource(Source):
    """Holds `n` runs of a project and answers what a dashboard asks."""

    verbs = ("tag", "note", "trash", "compare")

    def __init__(self, n=3, *, name="Churn", hostile=False, acts=True, steps=60):
        super().__init__()
        rng = random.Random(n)
        self.kept = {}
        self.name = name
        self.steps = steps
        self.version = 0
        self.done = []
        self.rows = []
        for i in range(n):
            family = FAMILIES[min(i, 3)] if i < 4 else rng.choice(FAMILIES[1:])
            status = (
                "finished" if i < 3 else rng.choices(["finished", "failed", "interrupted", "stale"], [90, 5, 3, 2])[0]
            )
            level = 0.5 if family == "dummy" else 0.72 + 0.22 * rng.random()
            known = status == "finished"
            row = {
                "run_id": f"run_{i:06d}",
                "name": f"{family}-{i}" if i >= 4 else family,
                "status": status,
                "baseline": i == 0,
                "started_at": START + dt.timedelta(minutes=7 * i),
                "duration": 0.4 + rng.expovariate(1 / 90),
                "note": "",
                "tags": ["candidate"] if level > 0.9 else [],
                "dataset": "churn v2" if i % 5 else "churn v1",
                "params.model": family,
                "params.learning_rate": None if family == "dummy" else 10 ** rng.uniform(-3, -0.5),
                "params.depth": None if family in ("dummy", "logistic") else float(rng.randint(2, 12)),
                "metrics.accuracy": level if known else None,
                "metrics.accuracy.low": level - 0.03 if known else None,
                "metrics.accuracy.high": level + 0.025 if known else None,
                "metrics.accuracy.n": 2500 if known else None,
                "metrics.log_loss": 1.2 - level + 0.1 * rng.random() if known else None,
            }
            self.rows.append(row)
        if self.rows and n > 3:
            self.rows[-1]["status"] = "running"
        if hostile and self.rows:
            self.rows[0] |= {"name": HOSTILE, "note": HOSTILE, "tags": [HOSTILE], "params.model": HOSTILE}
            self.rows[1]["name"] = "x" * 10_000
            for row in self.rows:
                row["params." + HOSTILE] = row["run_id"]
                row["metrics." + HOSTILE] = float(len(row["name"]))
        if not acts:
            self.verbs = ()

    def project(self, project_id):
        best = max(self.rows, key=lambda r: r["metrics.accuracy"] or 0.0, default=None)
        return {
            "project_id": project_id or "proj_1",
            "name": self.name,
            "runs": len(self.rows),
            "datasets": 2 if self.rows else 0,
            "last_activity": self.rows[-1]["started_at"].isoformat() if self.rows else None,
            "best_run": best and best["run_id"],
        }

    def runs(self, project_id):
        names = list(dict.fromkeys(name for row in self.rows for name in row)) or [
            "run_id",
            "name",
            "status",
            "baseline",
        ]
        types = {
            "started_at": pa.timestamp("us", "UTC"),
            "tags": pa.list_(pa.string()),
            "baseline": pa.bool_(),
        }
        fields = []
        for name in names:
            is_count = name.endswith(".n")
            is_number = name.startswith("metrics.") or name in (
                "duration",
                "params.learning_rate",
                "params.depth",
            )
            fields.append(
                pa.field(
                    name,
                    types.get(name) or (pa.int64() if is_count else pa.float64() if is_number else pa.string()),
                )
            )
        if not self.rows:
            fields += [pa.field("started_at", types["started_at"]), pa.field("duration", pa.float64())]
        meta = json.dumps({"greater_is_better": {"accuracy": True, "log_loss": False}})
        return pa.Table.from_pylist(self.rows, pa.schema(fields, metadata={"modellab": meta}))

    def series(self, run_ids, key, points, steps=None):
        out = []
        for row in self.rows:
            last = row.get(f"metrics.{key}")
            if row["run_id"] not in run_ids or last is None or row["params.model"] == "dummy":
                continue
            rng = random.Random(row["run_id"] + key)
            low, high = steps or (0, self.steps)
            every = max(1, -(-int(min(high + 1, self.steps) - max(0, low)) // points))
            for step in range(max(0, math.ceil(low)), min(self.steps, math.floor(high) + 1), every):
                value = last + (0.3 if key == "log_loss" else -0.3) * math.exp(-step / 12) + rng.gauss(0, 0.008)
                out.append({"run_id": row["run_id"], "step": step, "value": value, "time": row["started_at"]})
        schema = pa.schema(
            [
                ("run_id", pa.string()),
                ("step", pa.int64()),
                ("value", pa.float64()),
                ("time", pa.timestamp("us", "UTC")),
            ]
        )
        return pa.Table.from_pylist(out, schema)

    def progress(self, project_id):
        return [
            {"run_id": row["run_id"], "name": row["name"], "step": self.steps - 1, "total": 2 * self.steps,
             "first": 0, "elapsed": 90.0}
            for row in self.rows if row["status"] == "running"
        ]  # fmt: skip

    def saved_views(self, project_id):
        return self.kept

    def keep_view(self, project_id, name, state):
        self.kept.pop(name, None)
        if state is not None:
            self.kept[name] = state

    def changes(self, project_id):
        return f"{self.version}:{len(self.rows)}"

    def act(self, verb, run_ids, payload):
        self.done.append((verb, list(run_ids), dict(payload)))
        self.version += 1
        chosen = [r for r in self.rows if r["run_id"] in run_ids]
        if verb == "trash":
            self.rows = [r for r in self.rows if r["run_id"] not in run_ids]
        elif verb == "tag":
            for row in chosen:
                row["tags"] = [*row["tags"], payload["tag"]]
        elif verb == "note":
            for row in chosen:
                row["note"] = payload["note"]
        elif verb == "compare":
            from modellab_jupyter.widgets.compare import compare

            table = self.runs(None)
            keep = [i for i, r in enumerate(self.rows) if r["run_id"] in run_ids]
            return compare(table.take(keep), differences())
        return None


def differences():
    """Paired differences as a comparison gives them."""
    return [
        {
            "run": "forest",
            "metric": "accuracy",
            "estimate": 0.91,
            "baseline": 0.5,
            "difference": 0.41,
            "low": 0.38,
            "high": 0.44,
            "p_value": 1e-12,
            "q_value": 2e-12,
            "evidence": "better",
        },
        {
            "run": "logistic",
            "metric": "accuracy",
            "estimate": 0.51,
            "baseline": 0.5,
            "difference": 0.01,
            "low": -0.02,
            "high": 0.04,
            "p_value": 0.5,
            "q_value": 0.5,
            "evidence": "no evidence of a difference",
        },
    ]


def report():
    """Return an evaluation as the harness gives it."""
    return {
        "title": "Evaluation of forest",
        "takeaway": "Accuracy is 0.91 on 2,500 rows, between 0.90 and 0.92 with 95 % confidence.",
        "n": 2500,
        "metrics": [
            {"metric": "accuracy", "estimate": 0.91, "low": 0.898, "high": 0.921, "n": 2500, "reason": None},
            {"metric": "roc_auc", "estimate": 0.95, "low": 0.94, "high": 0.958, "n": 2500, "reason": None},
            {
                "metric": "f1",
                "estimate": None,
                "low": None,
                "high": None,
                "n": 2500,
                "reason": "no positive was predicted",
            },
        ],
        "slices": [
            {
                "slice": f"region = {r}",
                "support": 300 + 70 * i,
                "metric": "accuracy",
                "estimate": 0.93 - 0.05 * i,
                "low": 0.9 - 0.05 * i,
                "high": 0.95 - 0.05 * i,
                "q_value": 0.5 / (1 + 9 * i),
                "significant": i == 3,
            }
            for i, r in enumerate(["north", "east", "south", "<b>west</b>"])
        ],
        "failures": [
            {
                "category": "confident and wrong",
                "row": 17,
                "label": "yes",
                "prediction": "no",
                "reason": "probability 0.98",
            },
            {
                "category": "near the threshold",
                "row": 902,
                "label": "no",
                "prediction": "yes",
                "reason": "probability 0.51",
            },
        ],
    }
