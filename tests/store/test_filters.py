"""The filter language agrees with pandas, and nothing that is given to it reaches the SQL."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modellab_jupyter as ml
from modellab_jupyter import schema
from modellab_jupyter.errors import InputError
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store

NAN, INF = math.nan, math.inf
RUNS: list[dict[str, Any]] = [
    {"params": {"model": "rf", "depth": 3}, "metrics": {"acc": 0.7, "val/loss": 1.0}, "tags": {"draft": None}},
    {"params": {"model": "xgboost", "depth": 5}, "metrics": {"acc": 0.9}, "tags": {"stage": "prod"}},
    {"params": {"model": "xgboost"}, "metrics": {"val/loss": 0.2}, "tags": {}},
    {"params": {}, "metrics": {"acc": NAN, "val/loss": INF}, "tags": {"draft": None, "stage": "dev"}},
    {"params": {"model": None, "depth": 1.5}, "metrics": {"acc": -INF}, "tags": {}},
    {"params": {"model": "it's", "depth": "deep"}, "metrics": {"acc": 0.9, "val/loss": 0.5}, "tags": {"draft": "no"}},
]
HOSTILE = "x'; DROP TABLE runs; --"


def fill(store: Store) -> None:
    journal = Journal(store.journals)
    journal.append(schema.ProjectAdded(time=1, project_id="proj_1", name="p"))
    for i, one in enumerate(RUNS):
        at, run = (i + 1) * 10**15, f"run_{i}"
        journal.append(
            schema.RunStarted(
                time=at, run_id=run, project_id="proj_1", name=f"r{i}", host="h", pid=1, started=1.0, session_id="s"
            )
        )
        journal.append(
            schema.ParamsLogged(time=at, run_id=run, params={k: json.dumps(v) for k, v in one["params"].items()})
        )
        values = {k: v for k, v in one["metrics"].items() if math.isfinite(v)}
        odd = {k: repr(v) for k, v in one["metrics"].items() if not math.isfinite(v)}
        journal.append(schema.MetricsLogged(time=at, run_id=run, step=0, values=values, odd=odd))
        journal.append(schema.TagsSet(time=at, run_id=run, tags=one["tags"]))
        journal.append(schema.RunEnded(time=at + 10**9, run_id=run, status="finished", duration=float(i)))
    journal.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("filters")
    store = Store(folder / "modellab.duckdb", folder / "modellab.files")
    fill(store)
    store.ingest()
    return store


def found(store: Store, where: str) -> list[int]:
    return sorted(int(name[1:]) for name in store.runs(where=where).column("name").to_pylist())


Column = tuple[str, list[Any]]
NUMBERS: list[Column] = [
    ("metrics.acc", [one["metrics"].get("acc") for one in RUNS]),
    ('metrics."val/loss"', [one["metrics"].get("val/loss") for one in RUNS]),
    ("params.depth", [v if isinstance(v := one["params"].get("depth"), int | float) else None for one in RUNS]),
    ("duration", [float(i) for i in range(len(RUNS))]),
]
TEXTS: list[Column] = [
    ("params.model", [one["params"].get("model") for one in RUNS]),
    ("tags.stage", [one["tags"].get("stage") for one in RUNS]),
    ("name", [f"r{i}" for i in range(len(RUNS))]),
]
Truth = tuple[str, list[bool | None]]


def known(values: list[Any]) -> pd.Series:
    return pd.Series([None if v is None or v != v else v for v in values], dtype=object)


def compared(column: Column, sign: str, value: Any) -> Truth:
    series = known(column[1])
    calls = {"=": "eq", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
    filled = getattr(series.dropna(), calls[sign])(value)
    shown = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
    return f"{column[0]} {sign} {shown}", [bool(filled[i]) if i in filled.index else None for i in range(len(RUNS))]


SIGNS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def matched(column: Column, word: str, start: str) -> Truth:
    found = [None if v is None else v.lower().startswith(start) for v in known(column[1])]
    truth = [None if v is None else v != word.startswith("NOT ") for v in found]
    return f"{column[0]} {word} '{start}%'", truth


ATOMS = st.one_of(
    st.builds(
        matched,
        st.sampled_from(TEXTS),
        st.sampled_from(["LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"]),
        st.sampled_from(["r", "x", "it", ""]),
    ),
    st.builds(compared, st.sampled_from(NUMBERS), SIGNS, st.sampled_from([0.2, 0.7, 0.9, 1.5, 3, 5, -1])),
    st.builds(
        compared, st.sampled_from(TEXTS), SIGNS, st.sampled_from(["rf", "xgboost", "it's", "prod", "r2", "", "ü"])
    ),
    st.sampled_from([(f"{c[0]} IS NULL", known(c[1]).isna().tolist()) for c in NUMBERS[:2] + TEXTS]),
    st.just(("tags.draft", ["draft" in one["tags"] for one in RUNS])),
)


def joined(word: str, one: Truth, other: Truth) -> Truth:
    pair = zip(pd.array(one[1], dtype="boolean"), pd.array(other[1], dtype="boolean"), strict=True)
    truth = [a & b if word == "AND" else a | b for a, b in pair]
    return f"({one[0]} {word} {other[0]})", [None if t is pd.NA else bool(t) for t in truth]


CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["AND", "OR"]), inner, inner),
        inner.map(lambda one: (f"NOT ({one[0]})", [None if t is None else not t for t in one[1]])),
    ),
    max_leaves=6,
)


@given(CONDITIONS)
@settings(max_examples=120, deadline=None)
def test_a_filter_agrees_with_pandas(store: Store, condition: Truth) -> None:
    """AND, OR, NOT and comparisons choose the runs that pandas does with missing values, of which NaN is one."""
    text, truth = condition
    expected = [i for i, yes in enumerate(truth) if yes]

    assert expected == found(store, text)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("params.model IN ('rf', 'it''s')", [0, 5]),
        ("params.model NOT IN ('rf')", [1, 2, 5]),
        ("metrics.acc BETWEEN 0.7 AND 0.8", [0]),
        ("name LIKE 'r%' AND params.model ILIKE 'XG%'", [1, 2]),
        ("params.model NOT LIKE 'xg%'", [0, 5]),
        ("name NOT ILIKE 'R%' OR NOT name NOT LIKE 'r0'", [0]),
        ("tags.draft AND NOT tags.stage = 'dev'", []),
        ("tags.draft IS NOT NULL", [0, 3, 5]),
        ("tags.draft = 'no'", [5]),
        ("acc > 0.8", [1, 5]),
        ("0.8 < acc", [1, 5]),
        ("metrics.acc.max = 0.9 AND metrics.acc.last = 0.9", [1, 5]),
        ("metrics.acc.best = 0.9", [1, 5]),
        ("metrics.\"val/loss\".best <= 0.5", [2, 5]),
        ("metrics.acc > metrics.\"val/loss\"", [5]),
        ("metrics.acc = '-inf'", [4]),
        ("params.model IS DISTINCT FROM 'xgboost'", [0, 3, 4, 5]),
        ("started_at >= '1970-01-24' AND started_at < '1970-02-05'", [1, 2]),
        ("started_at > now() - INTERVAL 7 DAY", []),
        ("NOT baseline AND status = 'finished' AND project = 'p' AND duration > 4.5", [5]),
        (f"name = '{HOSTILE.replace(chr(39), chr(39) * 2)}'", []),
    ],
)  # fmt: skip
def test_what_the_language_can_say(store: Store, where: str, expected: list[int]) -> None:
    """Each word means what it does in SQL."""
    assert expected == found(store, where)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("metrics.ac > 1", "did you mean 'acc'"),
        ("params.modle = 'rf'", "did you mean 'model'"),
        ("stauts = 'failed'", "did you mean 'status'"),
        ("metrics.val/loss > 1", "double quotes"),
        ("name", "alone is no condition"),
        ("metrics.acc > 'high'", "must be compared with a number"),
        ("started_at > 'soon'", "a time in UTC"),
        ("started_at > now() - INTERVAL 999999 WEEK", "a time in UTC"),
        ("started_at > now() - INTERVAL 'nan' DAY", "a time in UTC"),
        ("acc BETWEEN SYMMETRIC 2 AND 1", "cannot use"),
        ("status = finished", "texts stand in single quotes"),
        ("acc = NULL", "IS NULL"),
        ("acc > 0; DROP TABLE runs", "one condition"),
        ("acc > 0 UNION SELECT 1", "where"),
        ("name IN (SELECT name FROM runs)", "cannot use"),
        ("EXISTS (SELECT 1 FROM read_csv('/etc/passwd'))", "cannot use"),
        ("read_text('/etc/passwd') = 'a'", "cannot use"),
        ("getenv('HOME') LIKE '%'", "cannot use"),
        ("name = getenv('HOME')", "cannot use"),
        ("name LIKE getenv('HOME')", "cannot use"),
        ("CASE WHEN 1 = 1 THEN true END", "cannot use"),
        ("acc > 1 +", "cannot be read"),
        ("$1 = 1", "where"),
        ("acc > ?", "where"),
        (f'metrics."{HOSTILE}" > 1', "no run has metric"),
        ("(" * 3000 + "acc > 1" + ")" * 3000, "where"),
        ("", "must be a text"),
        (7, "must be a text"),
    ],
)
def test_what_is_no_filter_is_refused_in_one_sentence(store: Store, where: Any, message: str) -> None:
    """A slip or an attack is named, with the nearest name, and changes nothing."""
    with pytest.raises(InputError, match=message) as caught:
        store.runs(where=where)

    assert "\n" not in str(caught.value)
    assert store.runs().num_rows == len(RUNS)


@given(st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_filter_or_refused(store: Store, text: str) -> None:
    """No text raises anything but the product's own error, whether it stands as a filter, an order or a value."""
    quoted = text.replace("'", "''").replace("\0", "")
    assert found(store, f"params.model = '{quoted}'") in ([], [0], [1, 2], [5])
    for given_ in ({"where": text}, {"order_by": text}):
        with suppress(InputError):
            store.runs(**given_)


@pytest.mark.parametrize("today", ["current_date", "today()", "current_date()"])
def test_a_day_begins_at_midnight(tmp_path: Path, today: str) -> None:
    """Today is what began at 00:00 UTC, and a day before it begins a day before that."""
    store = Store(tmp_path / "a.duckdb", tmp_path / "files")
    midnight = datetime.combine(datetime.now(UTC), datetime.min.time(), UTC)
    journal = Journal(store.journals)
    started = {"project_id": "proj_1", "host": "h", "pid": 1, "started": 1.0, "session_id": "s"}
    for hours in (-25, -1, 0):
        at = int((midnight + timedelta(hours=hours)).timestamp()) * 10**9
        journal.append(schema.RunStarted(time=at, run_id=f"run_{hours}", name=f"{hours}", **started))

    def names(where: str) -> set[str]:
        return set(store.runs(where=where).column("name").to_pylist())

    assert names(f"started_at >= {today}") == {"0"}
    assert names(f"started_at < {today}") == {"-1", "-25"}
    assert names(f"started_at >= {today} - INTERVAL 1 DAY") == {"0", "-1"}


def test_keys_with_any_sign_can_be_asked_for(tmp_path: Path) -> None:
    """A key that looks like SQL is only a name."""
    store = Store(tmp_path / "a.duckdb", tmp_path / "files")
    journal = Journal(store.journals)
    started = {"host": "h", "pid": 1, "started": 1.0, "session_id": "s", "project_id": "proj_1"}
    journal.append(schema.RunStarted(time=1, run_id="run_1", name=HOSTILE, **started))
    journal.append(schema.MetricsLogged(time=2, run_id="run_1", step=0, values={HOSTILE: 1.0, "loss.min": 2.0}))
    assert store.runs(where=f'metrics."{HOSTILE}" = 1').num_rows == 1
    assert store.runs(where="metrics.loss.min = 2").num_rows == 1
    assert store.runs(order_by=f'metrics."{HOSTILE}" desc').column("name").to_pylist() == [HOSTILE]


def test_the_best_of_a_metric_is_what_its_name_says(tmp_path: Path) -> None:
    """The least of a loss, the most of a score, over all that was logged; of what nobody knows, a sentence."""
    store = Store(tmp_path / "a.duckdb", tmp_path / "files")
    journal = Journal(store.journals)
    started = {"host": "h", "pid": 1, "started": 1.0, "session_id": "s", "project_id": "proj_1"}
    for n, values in enumerate([(3.0, 1.0, 2.0), (4.0, 2.0, 5.0)]):
        journal.append(schema.RunStarted(time=n + 1, run_id=f"run_{n}", name=f"r{n}", **started))
        for step, value in enumerate(values):
            logged = {"val_loss": value, "f1": value, "size": value}
            journal.append(schema.MetricsLogged(time=10 + step, run_id=f"run_{n}", step=step, values=logged))
    assert store.runs(order_by="metrics.val_loss.best").column("name").to_pylist() == ["r0", "r1"]
    assert store.runs(where="metrics.val_loss.best = 1").column("name").to_pylist() == ["r0"]
    assert store.runs(where="metrics.f1.best = 5").column("name").to_pylist() == ["r1"]
    with pytest.raises(InputError, match=r"whether more of metric 'size' is better"):
        store.runs(where="metrics.size.best = 5")


def test_an_order_puts_missing_values_last(store: Store) -> None:
    """By several names, up or down; NaN is missing; equal ones stay newest first."""

    def order(by: str, limit: int | None = None) -> list[str]:
        return store.runs(order_by=by, limit=limit).column("name").to_pylist()

    assert order("metrics.acc desc") == ["r5", "r1", "r0", "r4", "r3", "r2"]
    assert order("metrics.acc, name") == ["r4", "r0", "r1", "r5", "r2", "r3"]
    assert order("params.model asc, duration desc", 3) == ["r5", "r0", "r2"]
    with pytest.raises(InputError, match="order_by cannot be read"):
        order("name LIMIT 1")
    with pytest.raises(InputError, match="order_by cannot use 'RANDOM"):
        order("random()")


def test_filters_at_the_public_edge() -> None:
    """The list of runs takes a filter and an order, also by magic words; an empty store refuses no key."""
    assert len(ml.runs.list(where="metrics.nothing > 1")) == 0
    for i in range(3):
        with ml.start_run(f"r{i}", params={"lr": i / 10}) as run:
            run.log_metrics({"auc": i / 2})
    best = ml.runs.list(where="metrics.auc > 0", order_by="metrics.auc desc", limit=1)
    assert best["name"].tolist() == ["r2"]
    with pytest.raises(InputError, match="give one of them"):
        ml.runs.list(sort="auc", order_by="auc")
