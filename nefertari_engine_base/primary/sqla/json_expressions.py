"""The forms of values as JSON text that PostgreSQL writes itself: a table by type.

The forms are those of :mod:`nefertari_engine_base.encoding`, and no setting of a
session changes them, but for ``extra_float_digits`` below 1, which takes digits from
floats on every road. A value that Python could not read, or that needs more care than
SQL has, becomes :data:`UNREADABLE`; the statement as such never fails, since that
would take the transaction with it.

========================================  =============================================
Type                                      Form
========================================  =============================================
``String``, ``Text``, ``CITEXT``, ``BIT``,  a string, as PostgreSQL prints the value
``MACADDR``, ``MONEY``, ``INET``, ``CIDR``
``Integer``..., ``OID``, ``Boolean``      as they are
``Float``, ``Numeric(asdecimal=False)``   a number; ``"NaN"``, ``"Infinity"``
``Numeric``                               a string of all digits
``Date``, ``DateTime``, ``Time``          ``isoformat()``; with a zone, in UTC
``Interval``                              microseconds, of years of 365 days and months
                                          of 30, which is how psycopg reads them
``LargeBinary``                           Base64 on one line
``Enum``                                  the stored string, if it is of a member
``Uuid``                                  with hyphens
``JSON``, ``JSONB``, ``HSTORE``           JSON as ``jsonb`` prints it: with spaces
``ARRAY``                                 of what needs no work of SQL in each item:
                                          strings, integers, floats, decimals, Booleans,
                                          enumerations, UUIDs, addresses
``DOMAIN``                                of its type, enumerations excepted
``TypeDecorator``                         of its ``impl``, if it leaves results alone
========================================  =============================================

Everything else has no form here: types of the application, decorators that convert
results, ``Float(asdecimal=True)``, UUIDs and Booleans and intervals that are emulated
by other types, arrays of dates and of bytes, types of other databases.

https://www.postgresql.org/docs/current/functions-json.html
https://www.postgresql.org/docs/current/functions-datetime.html
https://www.postgresql.org/docs/current/functions-binarystring.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.sqla.types import describe_type, stores_plainly
from nefertari_engine_base.schema import FieldSchema

#: Stands in a text where a value has no form. Text that is JSON never holds it raw.
UNREADABLE = "\x01"

_UNREADABLE = "chr(1)"
# A text with backslashes means one thing or another by a setting of the server.
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


def template_of(field: FieldSchema, column: Any, dialect: sa.Dialect) -> str | None:
    """How a field's value is written, never as NULL; ``None`` if not by SQL alone.

    :param column: what the field maps: a column, or an expression of SQL.
    """
    type_ = _plain(column.type)
    found = None if type_ is None else _find(type_, dialect)
    if found is None:
        return None
    kind, template = found
    is_many = isinstance(type_, sa.ARRAY)
    if kind is not field.kind or is_many is not field.many:
        return None
    if not isinstance(column, sa.Column) and (is_many or kind not in _EXPRESSIONS):
        # What an expression really gives may be another type than it says.
        return None
    return f"coalesce({template}, 'null')"


# --- types -------------------------------------------------------------------------

_Found = tuple[Kind, str]
_HOOKS = (
    "process_result_value",
    "result_processor",
    "column_expression",
    "load_dialect_impl",
    "type_engine",
)
_EXPRESSIONS = frozenset(
    {
        Kind.STRING,
        Kind.TEXT,
        Kind.INTEGER,
        Kind.SMALL_INTEGER,
        Kind.BIG_INTEGER,
        Kind.BOOLEAN,
    }
)


def _plain(type_: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """The type of PostgreSQL behind variants and decorators, if no value passes
    through Python code of the application."""
    while isinstance(type_, TypeDecorator) and not isinstance(type_, sa.Interval):
        if _decorates_results(type(type_)):
            return None
        type_ = type_.impl_instance
    if not stores_plainly(type_):
        return None
    # SQLAlchemy has no public way to ask for the variants.
    type_ = getattr(type_, "_variant_mapping", {}).get("postgresql", type_)
    return type_ if _is_of_sqlalchemy(type_) else None


def _decorates_results(class_: type[Any]) -> bool:
    names = (*_HOOKS, "load_dialect_impl", "type_engine")
    return any(
        getattr(class_, name) is not getattr(TypeDecorator, name) for name in names
    )


def _is_of_sqlalchemy(type_: TypeEngine[Any]) -> bool:
    return type(type_).__module__.partition(".")[0] == "sqlalchemy"


def _find(type_: Any, dialect: sa.Dialect) -> _Found | None:
    for ancestor in type(type_).__mro__:
        find = _TABLE.get(ancestor)
        if find is not None:
            return find(type_, dialect)
    return None


_Find = Callable[[Any, Any], _Found | None]


def _always(kind: Kind, template: str) -> _Find:
    return lambda type_, dialect: (kind, template)


def _number(type_: Any, dialect: Any) -> _Found | None:
    if isinstance(type_, sa.Float):
        return None if type_.asdecimal else (Kind.FLOAT, _AS_JSON)
    return (Kind.DECIMAL, _QUOTED) if type_.asdecimal else (Kind.FLOAT, _NUMERIC_FLOAT)


def _boolean(type_: Any, dialect: Any) -> _Found | None:
    return (Kind.BOOLEAN, _AS_JSON) if dialect.supports_native_boolean else None


def _moment(type_: Any, dialect: Any) -> _Found:
    return Kind.DATETIME, _INSTANT if type_.timezone else _MOMENT


def _time(type_: Any, dialect: Any) -> _Found:
    return Kind.TIME, _ZONED_TIME if type_.timezone else _TIME


def _interval(type_: Any, dialect: Any) -> _Found | None:
    return (Kind.INTERVAL, _INTERVAL) if getattr(type_, "native", True) else None


def _enumeration(type_: Any, dialect: Any) -> _Found | None:
    labels = _labels(type_, dialect)
    if labels is None:
        return None
    return Kind.ENUM, _guarded(f"{{0}}::text IN ({labels})", _AS_JSON)


def _enumerations(type_: Any, dialect: Any) -> _Found | None:
    labels = _labels(type_, dialect)
    if labels is None:
        return None
    others = f"SELECT FROM unnest({{0}}::text[]) AS item WHERE item NOT IN ({labels})"
    return Kind.ENUM, _guarded(f"NOT EXISTS ({others})", _AS_JSON)


def _labels(type_: Any, dialect: Any) -> str | None:
    """The strings that are stored for members, as a list in SQL."""
    description = describe_type(type_)
    assert description is not None
    if not type_.enums or {*type_.enums} != {*description.enum_values}:
        return None  # a label may be that of an alias, which documents do not show
    return ", ".join(_literal(label, dialect) for label in type_.enums)


def _literal(label: str, dialect: Any) -> str:
    literal = sa.literal(label, sa.Text())
    return str(literal.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _uuid(type_: Any, dialect: Any) -> _Found | None:
    if not type_.native_uuid:
        return None
    return (Kind.UUID if type_.as_uuid else Kind.TOKEN), _AS_JSON


def _json(type_: Any, dialect: Any) -> _Found | None:
    if getattr(dialect, "_json_deserializer", None) is not None:
        return None
    return Kind.JSON, _AS_TEXT if isinstance(type_, pg.JSONB) else _JSON


def _array(type_: Any, dialect: Any) -> _Found | None:
    item = _plain(type_.item_type)
    if item is None or isinstance(item, sa.ARRAY):
        return None
    if isinstance(item, sa.Enum):
        return _enumerations(item, dialect)
    found = _find(item, dialect)
    if found is None or found[1] not in _OF_ITEMS:
        return None
    return found[0], _OF_ITEMS[found[1]]


def _domain(type_: Any, dialect: Any) -> _Found | None:
    base = _plain(type_.data_type)
    if base is None or isinstance(base, sa.Enum | sa.ARRAY):
        return None
    return _find(base, dialect)


# --- templates ---------------------------------------------------------------------


def _guarded(condition: str, template: str) -> str:
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


_AS_TEXT = "{0}::text"
_AS_JSON = "to_json({0})::text"
_QUOTED = "'\"' || {0}::text || '\"'"
_OID = "{0}::bigint::text"

_DATE = _guarded("{0} >= '0001-01-01' AND {0} <= '9999-12-31'", _AS_JSON)
_MOMENT = _guarded(
    "{0} >= '0001-01-01 00:00:00' AND {0} < '10000-01-01 00:00:00'",
    _moment_of("{0}", ""),
)
_INSTANT = _guarded(
    "{0} >= '0001-01-01 00:00:00+00' AND {0} < '10000-01-01 00:00:00+00'",
    _moment_of("({0} AT TIME ZONE 'UTC')", "+00:00"),
)
_TIME = _guarded("{0} < '24:00:00'", f"'\"' || {_fraction_of('{0}::text')} || '\"'")
_ZONE = "substring({0}::text from '[-+].*')"
_ZONED_TIME = _guarded(
    "{0}::time < '24:00:00'",
    f"'\"' || {_fraction_of('{0}::time::text')} || {_ZONE} || "
    f"CASE WHEN length({_ZONE}) = 3 THEN ':00\"' ELSE '\"' END",
)

# The days of the greatest timedelta and of the least.
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
_INTERVAL = (
    f"CASE WHEN isfinite({{0}}) THEN CASE WHEN {_INTERVAL_TOTAL} "
    f"BETWEEN -86399999913600000000 AND 86399999999999999999 "
    f"THEN {_INTERVAL_TOTAL}::text ELSE {_UNREADABLE} END "
    f"WHEN {{0}} IS NOT NULL THEN {_UNREADABLE} END"
)

# encode breaks lines after 76 characters.
_BINARY = "'\"' || translate(encode({0}, 'base64'), chr(10), '') || '\"'"

_NUMERIC_FLOAT = _guarded("{0} = 'NaN' OR abs({0}) < 1e308::numeric", _AS_JSON)

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
_JSON = (
    f"CASE WHEN {{0}}::text ~ {_LONG_NUMBER} THEN {_UNREADABLE} "
    f"WHEN strpos({{0}}::text, {_BACKSLASH} || 'u') = 0 THEN {{0}}::jsonb::text "
    f"WHEN {{0}}::text ~ ({_ODD_CHARACTER}) THEN {_UNREADABLE} "
    f"ELSE {{0}}::jsonb::text END"
)

#: From the form of an item to that of an array of such items.
_OF_ITEMS = {
    _AS_TEXT: _AS_JSON,
    _AS_JSON: _AS_JSON,
    _QUOTED: "to_json({0}::text[])::text",
    _OID: "to_json({0}::bigint[])::text",
}

_TABLE: dict[type[Any], _Find] = {
    sa.String: _always(Kind.STRING, _AS_JSON),
    sa.Text: _always(Kind.TEXT, _AS_JSON),
    sa.Integer: _always(Kind.INTEGER, _AS_TEXT),
    sa.SmallInteger: _always(Kind.SMALL_INTEGER, _AS_TEXT),
    sa.BigInteger: _always(Kind.BIG_INTEGER, _AS_TEXT),
    sa.Numeric: _number,
    sa.Float: _number,
    sa.Boolean: _boolean,
    sa.Date: _always(Kind.DATE, _DATE),
    sa.DateTime: _moment,
    sa.Time: _time,
    sa.Interval: _interval,
    sa.LargeBinary: _always(Kind.BINARY, _BINARY),
    sa.Enum: _enumeration,
    sa.Uuid: _uuid,
    sa.JSON: _json,
    sa.ARRAY: _array,
    pg.BIT: _always(Kind.TOKEN, _AS_JSON),
    pg.CIDR: _always(Kind.NETWORK, _AS_JSON),
    pg.CITEXT: _always(Kind.STRING, _AS_JSON),
    pg.DOMAIN: _domain,
    pg.HSTORE: _always(Kind.JSON, _AS_JSON),
    pg.INET: _always(Kind.IP, _AS_JSON),
    pg.INTERVAL: _interval,
    pg.MACADDR: _always(Kind.TOKEN, _AS_JSON),
    pg.MACADDR8: _always(Kind.TOKEN, _AS_JSON),
    pg.MONEY: _always(Kind.TOKEN, _AS_JSON),
    pg.OID: _always(Kind.BIG_INTEGER, _OID),
}
