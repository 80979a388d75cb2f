"""Texts of SQL that write one value, or an object of several, as JSON.

In a template ``{0}`` is a column of the type that it is for. The text it makes is that
of the value's form in a document, and NULL for NULL. It never fails, since that would
take the transaction with it: for a value that Python could not read, or that needs
more care than SQL has, it is :data:`UNREADABLE`.

Templates hold no backslash: whether one escapes depends on a setting of the server.

https://www.postgresql.org/docs/current/functions-json.html
https://www.postgresql.org/docs/current/functions-datetime.html
https://www.postgresql.org/docs/current/functions-binarystring.html
https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

#: Stands in a text where a value has no form. Text that is JSON never holds it raw.
UNREADABLE = "\x01"

_UNREADABLE = "chr(1)"
_BACKSLASH = "chr(92)"

#: concat takes a hundred arguments, as any function does.
_MOST_ARGUMENTS = 90


class form(FunctionElement[str]):  # noqa: N801 - SQL functions are lower case
    """Text by a template, in which ``{0}`` is a column."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, template: str, column: Any) -> None:
        super().__init__(column)
        self.template = template


@compiles(form)
def _form(element: form, compiler: SQLCompiler, **kw: Any) -> str:
    column = compiler.process(next(iter(element.clauses)), **kw)
    return element.template.replace("{0}", column)


def json_object(members: Sequence[tuple[str, Sequence[Any]]]) -> Any:
    """Text of a JSON object, from names that are JSON strings already, and texts."""
    parts: list[Any] = []
    literal = "{"
    for number, (name, texts) in enumerate(members):
        literal += ("," if number else "") + name + ":"
        for text in texts:
            if isinstance(text, str):
                literal += text
            else:
                parts += [sa.literal(literal, sa.Text()), text]
                literal = ""
    return _concat([*parts, sa.literal(literal + "}", sa.Text())])


def _concat(parts: Sequence[Any]) -> Any:
    # Joined by operators, the text would be copied once for each of them.
    while len(parts) > _MOST_ARGUMENTS:
        parts = [
            sa.func.concat(*parts[start : start + _MOST_ARGUMENTS])
            for start in range(0, len(parts), _MOST_ARGUMENTS)
        ]
    return sa.func.concat(*parts)


# --- values -----------------------------------------------------------------------


def guarded(condition: str, template: str) -> str:
    """A template for values that a condition is true of; others are unreadable."""
    return (
        f"CASE WHEN {condition} THEN {template} "
        f"WHEN {{0}} IS NOT NULL THEN {_UNREADABLE} END"
    )


def _fraction_of(clock: str) -> str:
    """Seconds with six digits after the point, or none."""
    return f"CASE WHEN length({clock}) = 8 THEN {clock} ELSE rpad({clock}, 15, '0') END"


def _moment_of(value: str, zone: str) -> str:
    """ISO 8601; to_json writes it whatever DateStyle is, but without the zeros at the
    end of a fraction."""
    return (
        f"CASE WHEN date_trunc('second', {value}) = {value} "
        f"THEN left(to_json({value})::text, 20) "
        f"ELSE '\"' || to_char({value}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') END "
        f"|| '{zone}\"'"
    )


AS_TEXT = "{0}::text"
AS_JSON = "to_json({0})::text"
QUOTED = "'\"' || {0}::text || '\"'"
OID = "{0}::bigint::text"

DATE = guarded("{0} >= '0001-01-01' AND {0} <= '9999-12-31'", AS_JSON)
MOMENT = guarded(
    "{0} >= '0001-01-01 00:00:00' AND {0} < '10000-01-01 00:00:00'",
    _moment_of("{0}", ""),
)
INSTANT = guarded(
    "{0} >= '0001-01-01 00:00:00+00' AND {0} < '10000-01-01 00:00:00+00'",
    _moment_of("({0} AT TIME ZONE 'UTC')", "+00:00"),
)
TIME = guarded("{0} < '24:00:00'", f"'\"' || {_fraction_of('{0}::text')} || '\"'")
_ZONE = "substring({0}::text from '[-+].*')"
ZONED_TIME = guarded(
    "{0}::time < '24:00:00'",
    f"'\"' || {_fraction_of('{0}::time::text')} || {_ZONE} || "
    f"CASE WHEN length({_ZONE}) = 3 THEN ':00\"' ELSE '\"' END",
)

# Of 365 days a year and 30 a month, as psycopg reads them, where extract(epoch) has
# years of 365.25; and no more than a timedelta holds.
_INTERVAL_DAYS = (
    "(extract(year from {0})::bigint * 365 + extract(month from {0})::bigint * 30"
    " + extract(day from {0})::bigint)"
)
_INTERVAL_CLOCK = (
    "(extract(hour from {0})::bigint * 3600000000"
    " + extract(minute from {0})::bigint * 60000000"
    " + extract(microseconds from {0})::bigint)"
)
_INTERVAL_TOTAL = f"({_INTERVAL_DAYS}::numeric * 86400000000 + {_INTERVAL_CLOCK})"
INTERVAL = (
    f"CASE WHEN isfinite({{0}}) THEN CASE WHEN {_INTERVAL_TOTAL} "
    f"BETWEEN -86399999913600000000 AND 86399999999999999999 "
    f"THEN {_INTERVAL_TOTAL}::text ELSE {_UNREADABLE} END "
    f"WHEN {{0}} IS NOT NULL THEN {_UNREADABLE} END"
)

# encode breaks lines after 76 characters.
BINARY = "'\"' || translate(encode({0}, 'base64'), chr(10), '') || '\"'"

NUMERIC_FLOAT = guarded("{0} = 'NaN' OR abs({0}) < 1e308::numeric", AS_JSON)

# Only jsonb has no member twice, which a search engine refuses. It takes neither the
# character of number 0 nor halves of surrogate pairs nor very long numbers, and it
# makes integers of large floats: Python knows what to do about these.
_BS = f"{_BACKSLASH} || {_BACKSLASH}"
_LONG_NUMBER = (
    "'(^|[[:space:]:,[])-?[0-9]+([.][0-9]+)?[eE]([+]?[0-9][0-9]|-[0-9][0-9][0-9])"
    "|[0-9]{250}'"
)
_HIGH, _LOW = "u[dD][89abAB][0-9a-fA-F]{2}", "u[dD][c-fC-F][0-9a-fA-F]{2}"
_ODD_CHARACTER = (
    f"{_BS} || 'u0000|' || {_BS} || {_BS} || 'u|' "
    f"|| {_BS} || '{_HIGH}(?!' || {_BS} || '{_LOW})|(?<!' "
    f"|| {_BS} || '{_HIGH})' || {_BS} || '{_LOW}'"
)
JSON = (
    f"CASE WHEN {{0}}::text ~ {_LONG_NUMBER} THEN {_UNREADABLE} "
    f"WHEN strpos({{0}}::text, {_BACKSLASH} || 'u') = 0 THEN {{0}}::jsonb::text "
    f"WHEN {{0}}::text ~ ({_ODD_CHARACTER}) THEN {_UNREADABLE} "
    f"ELSE {{0}}::jsonb::text END"
)
