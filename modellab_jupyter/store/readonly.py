"""What a query of the user's own may say: one SELECT, and no function that does anything but read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modellab_jupyter.errors import InputError

if TYPE_CHECKING:
    import duckdb

# Functions that change the state of DuckDB, run text that nobody has looked at, or read memory by its address.
_CHANGING = ("enable_", "disable_", "truncate_", "register_", "deregister_", "create_", "destroy_")
_REFUSED = {
    "checkpoint", "force_checkpoint", "write_log", "setseed", "setval", "nextval", "query",
    "json_execute_serialized_sql", "arrow_scan", "arrow_scan_dumb", "python_arrow_scan", "pandas_scan",
    "python_map_function",
}  # fmt: skip


def nodes(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Return the nodes of a query's syntax tree.

    Raises
    ------
    InputError
        It is no SELECT.
    """
    import duckdb

    try:
        found = json.loads(con.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()[0][0])
    except RecursionError as error:  # sums and unions of many hundred parts are nested as deeply
        raise InputError("query must be nested less deeply; list_sum([...]) or a subquery says the same.") from error
    except (duckdb.Error, ValueError) as error:
        raise InputError("query must be one SELECT, found what cannot be read as one.") from error
    if found["error"]:  # a PRAGMA, which DuckDB runs as a SELECT, and what is wrongly written
        raise InputError(f"the query was refused: {found.get('error_message') or 'it is no SELECT'!s}")
    return list(_nodes(found))


def check(tree: list[dict[str, Any]]) -> None:
    """Raise InputError where a query calls what does more than read."""
    for node in tree:
        name = str(node.get("function_name", "")).lower()
        if name.startswith(_CHANGING) or name in _REFUSED:
            raise InputError(f"the query was refused: {name} does more than read; the store is read only here.")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left += one.values()
        elif isinstance(one, list):
            left += one
