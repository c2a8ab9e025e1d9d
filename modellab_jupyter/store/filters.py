"""What `where` and `order_by` say, as SQL over the wide table of runs: parsed, checked node by node, and compiled.

Nothing that was given reaches the SQL but as a bound parameter: names are looked up in the lists of keys of each run.
Comparing with a missing value is neither true nor false, as in SQL; a metric that is NaN counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from modellab_jupyter.errors import InputError, hint
from modellab_jupyter.schema import greater_is_better

Kind = Literal["number", "text", "param", "tag", "time", "truth"]
STATS = {"last": "metric_lasts", "min": "metric_lowests", "max": "metric_highests", "low": "metric_lows",
         "high": "metric_highs", "n": "metric_ns", "best": "metric_values"}  # fmt: skip
EXAMPLE = "metrics.accuracy > 0.8 AND params.model = 'xgboost' AND NOT tags.draft"
_LONGEST = 10_000  # characters
_UNITS = {"minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
_OPERATORS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=",
              "NullSafeEQ": "IS NOT DISTINCT FROM", "NullSafeNEQ": "IS DISTINCT FROM"}  # fmt: skip
_PARTS = {"this", "expression", "expressions"}  # of a node; _MORE has what else a kind of node may say
_MORE = {"Between": {"low", "high"}, "Like": {"negate"}, "ILike": {"negate"}}
# Fields of a run itself: their SQL, where r is the run, d its dataset, q its project, and their kind.
FIELDS: dict[str, tuple[str, Kind]] = {
    "run_id": ("r.run_id", "text"), "name": ("r.name", "text"), "note": ("r.note", "text"),
    "status": ("{status}", "text"), "baseline": ("r.baseline", "truth"), "seed": ("r.seed", "number"),
    "started_at": ("r.started_at", "time"), "ended_at": ("r.ended_at", "time"), "duration": ("{duration}", "number"),
    "project": ("q.name", "text"), "project_id": ("r.project_id", "text"), "dataset": ("d.name", "text"),
    "error": ("r.error", "text"), "host": ("r.host", "text"), "notebook": ("r.notebook", "text"),
    "git_commit": ("r.git_commit", "text"), "git_dirty": ("r.git_dirty", "truth"), "lost": ("r.lost", "number"),
}  # fmt: skip


STATUSES = ("running", "finished", "failed", "interrupted", "stale")


@dataclass(frozen=True)
class _Column:
    """A thing of a run that can be compared; `text` is its SQL as text, `number` as a number."""

    said: str
    kind: Kind
    text: str
    number: str


class Compiler:
    """Turns what was given into SQL; collects the values to bind in `params`.

    Parameters
    ----------
    known : callable
        Gives the keys that any run has, of ``"params"``, ``"metrics"`` or ``"tags"``.
    status, duration : str
        SQL of the fields that are not stored as they are shown.
    """

    def __init__(self, known: Callable[[str], Sequence[str]], status: str = "r.status", duration: str = "r.duration"):
        self.params: dict[str, Any] = {}
        self._known = known
        self._keys: dict[str, list[str]] = {}
        self._fields = {n: (s.format(status=status, duration=duration), k) for n, (s, k) in FIELDS.items()}

    def where(self, text: str) -> str:
        """Return the SQL of a condition.

        Raises
        ------
        InputError
            It is no condition, or names something that no run has.
        """
        return self._guarded(lambda: self._condition(_parsed(text, "where")))

    def order(self, text: str) -> str:
        """Return the SQL of an order: names with ``asc`` or ``desc``, separated by commas; missing values come last."""
        return self._guarded(
            lambda: ", ".join(self._ordered(one) for one in _parsed(text, "order_by").expressions), "order_by"
        )

    def _guarded(self, compiled: Callable[[], str], what: str = "where") -> str:
        try:
            return compiled()
        except RecursionError:
            raise InputError(f"{what} is nested too deeply to be read; write it with fewer parentheses.") from None

    def _ordered(self, node: Any) -> str:
        if not _is_column(node.this):
            raise InputError(
                f"order_by cannot use {_said(node.this)!r:.80}; it knows names with asc or desc, separated by commas."
            )
        column = self._column(node.this)
        way = "DESC" if node.args.get("desc") else "ASC"
        nulls = "FIRST" if node.args.get("nulls_first") else "LAST"
        terms = {"param": [column.number, column.text], "tag": [column.text], "number": [column.number]}
        return ", ".join(f"{term} {way} NULLS {nulls}" for term in terms.get(column.kind, [column.text]))

    def _condition(self, node: Any) -> str:
        kind = type(node).__name__
        if kind not in {"Column", "Dot"} and not {n for n, v in node.args.items() if v} <= _PARTS | _MORE.get(
            kind, set()
        ):
            raise _refused(node)  # what a parser of another version says beside would change the answer
        match kind:
            case "Paren":
                return self._condition(node.this)
            case "And" | "Or":
                return f"({self._condition(node.left)} {kind.upper()} {self._condition(node.right)})"
            case "Not":
                return f"(NOT {self._condition(node.this)})"
            case "Column" | "Dot":
                column = self._column(node)
                if column.kind == "tag":
                    return column.number
                if column.kind != "truth":
                    raise InputError(f"{column.said} alone is no condition; compare it, as in {EXAMPLE}.")
                return column.text
            case "Is":
                return self._is(node)
            case "Between":
                low, high = node.args["low"], node.args["high"]
                return f"({self._compare(node.this, '>=', low)} AND {self._compare(node.this, '<=', high)})"
            case "In" if node.expressions:
                return "(" + " OR ".join(self._compare(node.this, "=", one) for one in node.expressions) + ")"
            case "Like" | "ILike" if _is_text(node.expression):
                column = self._column(node.this)
                if column.kind not in {"text", "param", "tag"}:
                    raise InputError(f"{column.said} is no text, so LIKE cannot match it; compare it with a value.")
                sign = "NOT " * bool(node.args.get("negate")) + kind.upper()
                return f"({column.text} {sign} {self._bind(node.expression.this)})"
            case _ if kind in _OPERATORS:
                return self._compare(node.left, _OPERATORS[kind], node.right)
            case _:
                raise _refused(node)

    def _is(self, node: Any) -> str:
        column, what = self._column(node.this), type(node.expression).__name__
        if what == "Null":
            if column.kind == "tag":
                return f"(NOT {column.number})"
            return f"({column.number if column.kind == 'number' else column.text} IS NULL)"
        if what == "Boolean" and column.kind == "truth":
            return f"({column.text} IS {'TRUE' if node.expression.this else 'FALSE'})"
        raise _refused(node)

    def _compare(self, left: Any, sign: str, right: Any) -> str:
        if not _is_column(left):
            if not _is_column(right):
                raise _refused(left)
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
            left, right, sign = right, left, turned.get(sign, sign)
        column = self._column(left)
        if _is_column(right):
            other = self._column(right)
            return f"({self._together(column, other, sign)})"
        if type(right).__name__ == "Null":
            raise InputError(f"{column.said} cannot be compared with NULL; write {column.said} IS NULL.")
        return f"({self._against(column, sign, right)})"

    def _together(self, one: _Column, other: _Column, sign: str) -> str:
        numbers = {"number", "param"}
        if one.kind in numbers and other.kind in numbers:
            texts = one.kind == other.kind == "param" and sign in {"=", "<>"}
            return f"{one.text} {sign} {other.text}" if texts else f"{one.number} {sign} {other.number}"
        if one.kind == other.kind or {one.kind, other.kind} <= {"text", "param", "tag"}:
            return f"{one.text} {sign} {other.text}"
        raise InputError(f"{one.said} cannot be compared with {other.said}, which is of another kind; use a value.")

    def _against(self, column: _Column, sign: str, node: Any) -> str:
        """Compare with a value that was written out."""
        number, text, truth = _number(node), _text(node), _truth(node)
        if column.said == "status" and text is not None and text not in STATUSES:
            known = ", ".join(STATUSES)
            raise InputError(f"status is one of {known}, found {text!r:.80}{hint(text, STATUSES) or '.'}")
        if column.kind == "time":
            return f"{column.text} {sign} {self._bind(_time(node, column.said))}"
        if column.kind == "truth" and truth is not None:
            return f"{column.text} {sign} {self._bind(truth)}"
        if column.kind == "tag" and truth is not None:
            return f"{column.number} {sign} {self._bind(truth)}"
        if number is not None and column.kind in {"number", "param"}:
            return f"{column.number} {sign} {self._bind(number)}"
        if column.kind == "number" and text is not None and text.lower().lstrip("+-") in {"inf", "infinity"}:
            return f"{column.number} {sign} {self._bind(float(text))}"
        if column.kind in {"text", "tag"} and number is not None:
            text = node.sql()
        if column.kind == "param" and truth is not None:
            text = "true" if truth else "false"
        if text is None or column.kind in {"number", "truth"}:
            if not any(given is not None for given in (number, text, truth)):
                raise _refused(node)
            wanted = {"number": "a number", "truth": "true or false"}.get(column.kind, "a text in quotes")
            raise InputError(f"{column.said} must be compared with {wanted}, found {node.sql()!s:.80}.")
        return f"{column.text} {sign} {self._bind(text)}"

    def _bind(self, value: Any) -> str:
        name = f"w{len(self.params)}"
        self.params[name] = value
        return f"${name}"

    def _names(self, kind: str) -> list[str]:
        if kind not in self._keys:
            self._keys[kind] = list(self._known(kind))
        return self._keys[kind]

    def _column(self, node: Any) -> _Column:
        """Return what a name stands for: a field, a param, a metric or one of its statistics, or a tag."""
        if not _is_column(node):
            raise _refused(node)
        parts = [str(part.this) for part in node.parts]
        said, head, rest = ".".join(parts), parts[0], parts[1:]
        if not rest and head in self._fields:
            sql, kind = self._fields[head]
            return _Column(said, kind, sql, sql)
        if head in {"params", "metrics", "tags"} and rest:
            return self._keyed(said, head, rest)
        for kind_ in ("metrics", "params"):
            if said in self._names(kind_):
                return self._keyed(said, kind_, [said])
        if len(parts) > 1 and parts[-1] in STATS and ".".join(parts[:-1]) in self._names("metrics"):
            return self._keyed(said, "metrics", parts)
        near = [
            *self._fields,
            *(f"{kind}.{key}" for kind in ("metrics", "params", "tags") for key in self._names(kind)),
        ]
        plain = {name.partition(".")[2] or name: name for name in reversed(near)}
        guess = hint(said, near) or hint(said, plain)
        raise InputError(
            f"no run has anything called {said!r:.80}{guess or f'; texts stand in single quotes, as in {EXAMPLE}.'}"
        )

    def _keyed(self, said: str, kind: str, rest: list[str]) -> _Column:
        known, key, stat = self._names(kind), ".".join(rest), "metric_values"
        if kind == "metrics" and key not in known and len(rest) > 1 and rest[-1] in STATS:
            key, stat = ".".join(rest[:-1]), STATS[rest[-1]]
            if rest[-1] == "best":
                stat = _best(key)
        if known and key not in known:
            names = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
            raise InputError(f"no run has {kind[:-1]} {key!r:.80}{hint(key, known) or f'; there are {names}.'}")
        bound = self._bind(key)
        where = f"list_position(w.{kind[:-1]}_keys, {bound})"
        if kind == "metrics":
            number = f"nullif(w.{stat}[{where}]::DOUBLE, 'nan'::DOUBLE)"
            return _Column(said, "number", number, number)
        if kind == "params":
            number = f"nullif(w.param_numbers[{where}], 'nan'::DOUBLE)"
            return _Column(said, "param", f"w.param_texts[{where}]", number)
        return _Column(said, "tag", f"w.tag_values[{where}]", f"coalesce(list_contains(w.tag_keys, {bound}), false)")


def _best(metric: str) -> str:
    """Return the list that has the best value logged of a metric."""
    better = greater_is_better(metric)
    if better is None:
        raise InputError(
            f"nobody knows whether more of metric {metric!r:.80} is better; write metrics.{metric:.80}.max or .min."
        )
    return STATS["max" if better else "min"]


def _parsed(text: Any, what: str) -> Any:
    """Return the syntax tree of one condition or one order."""
    import sqlglot
    from sqlglot import errors, expressions

    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST:
        example = EXAMPLE if what == "where" else "metrics.accuracy desc, started_at"
        raise InputError(f"{what} must be a text such as {example!r}, found {text!r:.80}.")
    try:
        if what == "order_by":
            return sqlglot.parse_one(f"ORDER BY {text}", into=expressions.Order, dialect="duckdb")
        found = sqlglot.parse(text, dialect="duckdb")
    except (errors.SqlglotError, RecursionError) as error:
        place = re.search(r"Line \d+, Col: (\d+)", str(error))
        at = f" near character {place[1]}" if place else ""
        raise InputError(
            f"{what} cannot be read{at}, found {text!r:.80}; write it as {EXAMPLE}, names with signs in double quotes."
            if what == "where"
            else f"order_by cannot be read, found {text!r:.80}; write it as metrics.accuracy desc, started_at."
        ) from error
    if len(found) != 1 or found[0] is None:
        raise InputError(f"where must be one condition, found {len(found)}; join conditions with AND or OR.")
    return found[0]


def _refused(node: Any) -> InputError:
    return InputError(
        f"where cannot use {_said(node)!r:.80}; it knows AND, OR, NOT, comparisons, IN, BETWEEN, LIKE and IS NULL, and "
        'names with other signs in double quotes, as in metrics."val/loss" < 0.5.'
    )


def _said(node: Any) -> str:
    return " ".join(node.sql(dialect="duckdb").split())


def _is_column(node: Any) -> bool:
    kinds = {"Identifier", "Var"}
    return type(node).__name__ in {"Column", "Dot"} and all(type(part).__name__ in kinds for part in node.parts)


def _is_text(node: Any) -> bool:
    return type(node).__name__ == "Literal" and bool(node.is_string)


def _text(node: Any) -> str | None:
    return str(node.this) if _is_text(node) else None


def _truth(node: Any) -> bool | None:
    return bool(node.this) if type(node).__name__ == "Boolean" else None


def _number(node: Any) -> float | None:
    if type(node).__name__ == "Neg":
        inner = _number(node.this)
        return None if inner is None else -inner
    return float(node.this) if type(node).__name__ == "Literal" and not node.is_string else None


def _time(node: Any, said: str) -> datetime:
    """Return a time in UTC: one written out, ``now() - INTERVAL 7 DAY``, or ``current_date``, when today began."""
    kind = type(node).__name__
    text = _text(node)
    now = datetime.now(UTC).replace(tzinfo=None)
    if kind == "CurrentDate":
        return datetime(now.year, now.month, now.day)  # noqa: DTZ001 - of UTC, as the store has it
    if kind == "CurrentTimestamp" or (kind == "Anonymous" and str(node.this).lower() == "now"):
        return now
    if kind == "Sub" and type(node.right).__name__ == "Interval":
        count, unit = _interval(node.right)
        if count is not None and unit in _UNITS:
            with suppress(OverflowError, ValueError):  # before the year 1, or no number
                return _time(node.left, said) - timedelta(seconds=count * _UNITS[unit])
    if text is not None:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
    raise InputError(
        f"{said} must be compared with a time in UTC such as '2026-01-31' or '2026-01-31 14:00', or with "
        f"now() - INTERVAL 7 DAY, found {node.sql()!s:.80}."
    )


def _interval(node: Any) -> tuple[float | None, str]:
    unit = str(node.args["unit"].this).lower().removesuffix("s") if node.args.get("unit") is not None else ""
    try:
        count = float(node.this.this)
    except (AttributeError, TypeError, ValueError):
        return None, unit
    return count, unit
