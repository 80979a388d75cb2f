"""Whether a condition chooses the same rows when it is asked twice.

The rows of a statement are looked up by its own WHERE before it runs. A condition that
is different each time chooses others then; PostgreSQL knows of its functions which are
so, and so may a SELECT be that takes some rows of many.
https://www.postgresql.org/docs/current/xfunc-volatility.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import GenerativeSelect

from nefertari_engine_base.primary.sqla.asking import ask

#: Functions that are known to be always the same; they need not be asked about.
_STABLE = frozenset(
    [
        "abs",
        "avg",
        "cast",
        "char_length",
        "coalesce",
        "concat",
        "count",
        "current_date",
        "current_time",
        "current_timestamp",
        "date",
        "datetime",
        "exists",
        "greatest",
        "ifnull",
        "iif",
        "instr",
        "json_extract",
        "julianday",
        "least",
        "left",
        "length",
        "like",
        "localtime",
        "localtimestamp",
        "lower",
        "ltrim",
        "max",
        "min",
        "mod",
        "now",
        "nullif",
        "position",
        "replace",
        "right",
        "round",
        "rtrim",
        "strftime",
        "substr",
        "substring",
        "sum",
        "time",
        "trim",
        "typeof",
        "unicode",
        "upper",
    ]
)
_CALL = re.compile(r"\b(\w+)\s*\(")
_WORDS = frozenset(
    [
        "and",
        "or",
        "in",
        "not",
        "any",
        "all",
        "exists",
        "values",
        "select",
        "from",
        "where",
        "as",
    ]
)
_KNOWN = sa.text(
    "SELECT 1 FROM pg_proc WHERE lower(proname) = :name AND provolatile = 'v' "
    "UNION ALL SELECT 1 WHERE NOT EXISTS "
    "(SELECT FROM pg_proc WHERE lower(proname) = :name) LIMIT 1"
)


def suspects(elements: Sequence[Any]) -> frozenset[str] | None:
    """Names of functions that may be different each time.

    :return: ``None`` if rows are certainly chosen in no certain way.
    """
    names: set[str] = set()
    for element in elements:
        for part in visitors.iterate(element):
            if isinstance(part, GenerativeSelect) and _takes_some(part):
                return None
            names.update(_names(part))
    return frozenset(names - _STABLE)


def is_volatile(connection: Connection, names: frozenset[str]) -> bool:
    """Whether any of these functions may be different each time."""
    if connection.dialect.name != "postgresql":
        return bool(names)
    known: dict[str, bool] = connection.engine.dialect.__dict__.setdefault(
        "_nefertari_volatile", {}
    )
    for name in names:
        if name not in known:
            found = ask(connection, _KNOWN, {"name": name}).first()
            known[name] = found is not None
    return any(known[name] for name in names)


def _takes_some(select: Any) -> bool:
    return select._limit_clause is not None or select._offset_clause is not None


def _names(part: Any) -> Iterator[str]:
    if isinstance(part, FunctionElement):
        yield str(getattr(part, "name", "?")).lower()
    elif isinstance(part, TextClause) or getattr(part, "is_literal", False):
        for name in _CALL.findall(str(part)):
            if name.lower() not in _WORDS:
                yield name.lower()
    elif not type(part).__module__.startswith("sqlalchemy."):
        # What somebody has made himself is rendered as nobody knows what.
        yield type(part).__name__
