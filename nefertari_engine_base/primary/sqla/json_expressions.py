"""How PostgreSQL writes the values of a column as JSON text: a table by type.

The forms are those of :mod:`nefertari_engine_base.encoding`, and no setting of a
session changes them, but for ``extra_float_digits`` below 1, which takes digits from
floats on every road.

* ``String``, ``Text``, ``CITEXT``, ``BIT``, ``MACADDR``, ``MONEY``, ``INET``, ``CIDR``,
  ``Uuid``: a string, as PostgreSQL prints the value.
* ``Integer`` and its like, ``OID``, ``Boolean``: as they are.
* ``Float``, ``Numeric(asdecimal=False)``: a number; or ``"NaN"``, ``"Infinity"``.
* ``Numeric``: a string of all digits.
* ``Date``, ``DateTime``, ``Time``: as ``isoformat()`` writes them; a date-time with a
  zone in UTC.
* ``Interval``: microseconds; a year has 365 days and a month 30.
* ``LargeBinary``: Base64.
* ``Enum``: the stored string.
* ``JSON``, ``JSONB``, ``HSTORE``: JSON as ``jsonb`` prints it, with spaces and with its
  order of members.
* ``ARRAY``: of strings, integers, floats, decimals, Booleans, enumerations, UUIDs and
  addresses, in any number of dimensions.
* ``DOMAIN``: as its type; not of enumerations and arrays.
* ``TypeDecorator``: as its ``impl``, if it leaves results alone.

What is not here has no template, since its values pass through Python code of
SQLAlchemy or of the application: subclasses of these types, decorators that convert
results, ``Float(asdecimal=True)``, intervals and UUIDs that are kept in other types,
enumerations that store aliases, JSON that the engine has a ``json_deserializer`` for,
arrays of dates, times, intervals, bytes and JSON, types of other databases; and of SQL
expressions, whose real type is not known, all but strings, integers and Booleans.
Adapters that an application registers with psycopg are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeDecorator, TypeEngine

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.sqla.json_templates import (
    AS_JSON,
    AS_TEXT,
    BINARY,
    DATE,
    INSTANT,
    INTERVAL,
    JSON,
    MOMENT,
    NUMERIC_FLOAT,
    OID,
    QUOTED,
    TIME,
    ZONED_TIME,
    guarded,
)
from nefertari_engine_base.primary.sqla.types import describe_type, stores_plainly
from nefertari_engine_base.schema import FieldSchema


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
    return any(
        getattr(class_, hook) is not getattr(TypeDecorator, hook) for hook in _HOOKS
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
        return None if type_.asdecimal else (Kind.FLOAT, AS_JSON)
    return (Kind.DECIMAL, QUOTED) if type_.asdecimal else (Kind.FLOAT, NUMERIC_FLOAT)


def _boolean(type_: Any, dialect: Any) -> _Found | None:
    return (Kind.BOOLEAN, AS_JSON) if dialect.supports_native_boolean else None


def _moment(type_: Any, dialect: Any) -> _Found:
    return Kind.DATETIME, INSTANT if type_.timezone else MOMENT


def _time(type_: Any, dialect: Any) -> _Found:
    return Kind.TIME, ZONED_TIME if type_.timezone else TIME


def _interval(type_: Any, dialect: Any) -> _Found | None:
    return (Kind.INTERVAL, INTERVAL) if getattr(type_, "native", True) else None


def _enumeration(type_: Any, dialect: Any) -> _Found | None:
    labels = _labels(type_, dialect)
    if labels is None:
        return None
    return Kind.ENUM, guarded(f"{{0}}::text IN ({labels})", AS_JSON)


def _enumerations(type_: Any, dialect: Any) -> _Found | None:
    labels = _labels(type_, dialect)
    if labels is None:
        return None
    others = f"SELECT FROM unnest({{0}}::text[]) AS item WHERE item NOT IN ({labels})"
    return Kind.ENUM, guarded(f"NOT EXISTS ({others})", AS_JSON)


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
    return (Kind.UUID if type_.as_uuid else Kind.TOKEN), AS_JSON


def _json(type_: Any, dialect: Any) -> _Found | None:
    if getattr(dialect, "_json_deserializer", None) is not None:
        return None
    return Kind.JSON, AS_TEXT if isinstance(type_, pg.JSONB) else JSON


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


#: From the form of an item to that of an array of such items.
_OF_ITEMS = {
    AS_TEXT: AS_JSON,
    AS_JSON: AS_JSON,
    QUOTED: "to_json({0}::text[])::text",
    OID: "to_json({0}::bigint[])::text",
}

_TABLE: dict[type[Any], _Find] = {
    sa.String: _always(Kind.STRING, AS_JSON),
    sa.Text: _always(Kind.TEXT, AS_JSON),
    sa.Integer: _always(Kind.INTEGER, AS_TEXT),
    sa.SmallInteger: _always(Kind.SMALL_INTEGER, AS_TEXT),
    sa.BigInteger: _always(Kind.BIG_INTEGER, AS_TEXT),
    sa.Numeric: _number,
    sa.Float: _number,
    sa.Boolean: _boolean,
    sa.Date: _always(Kind.DATE, DATE),
    sa.DateTime: _moment,
    sa.Time: _time,
    sa.Interval: _interval,
    sa.LargeBinary: _always(Kind.BINARY, BINARY),
    sa.Enum: _enumeration,
    sa.Uuid: _uuid,
    sa.JSON: _json,
    sa.ARRAY: _array,
    pg.BIT: _always(Kind.TOKEN, AS_JSON),
    pg.CIDR: _always(Kind.NETWORK, AS_JSON),
    pg.CITEXT: _always(Kind.STRING, AS_JSON),
    pg.DOMAIN: _domain,
    pg.HSTORE: _always(Kind.JSON, AS_JSON),
    pg.INET: _always(Kind.IP, AS_JSON),
    pg.INTERVAL: _interval,
    pg.MACADDR: _always(Kind.TOKEN, AS_JSON),
    pg.MACADDR8: _always(Kind.TOKEN, AS_JSON),
    pg.MONEY: _always(Kind.TOKEN, AS_JSON),
    pg.OID: _always(Kind.BIG_INTEGER, OID),
}
