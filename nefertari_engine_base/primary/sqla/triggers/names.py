"""How SQL writes the id of a document, from the columns of its key.

The ids are those of :mod:`nefertari_engine_base.document_ids`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla.json_expressions import template_of
from nefertari_engine_base.primary.sqla.triggers.quoting import Row
from nefertari_engine_base.primary.sqla.types import describe_type
from nefertari_engine_base.schema import FieldSchema

_WORDS = frozenset({Kind.STRING, Kind.TEXT, Kind.ENUM})
#: What may be empty, or begin with a backslash.
_FREE = _WORDS | {Kind.BINARY}
_INTEGERS = frozenset({Kind.INTEGER, Kind.SMALL_INTEGER, Kind.BIG_INTEGER})


def document_id(columns: Sequence[Any], row: Row, dialect: sa.Dialect) -> str:
    """The expression of the id of a document whose key these columns hold.

    :param row: names the columns.
    :raises ConfigurationError: if Python makes their values what they are.
    """
    backslash = _BACKSLASH[dialect.name]
    texts = [_text(column, row, dialect) for column in columns]
    if len(columns) == 1:
        free = _is_free(columns[0])
        return _quoted_alone(texts[0], backslash) if free else texts[0]
    parts = [
        _quoted(text, backslash) if _is_free(column) else text
        for text, column in zip(texts, columns, strict=True)
    ]
    return " || ',' || ".join(parts)


#: Whether one escapes in a literal depends on a setting of PostgreSQL.
_BACKSLASH = {"postgresql": "chr(92)", "sqlite": "char(92)"}


def _is_free(column: Any) -> bool:
    """Whether any text may stand there: other kinds have nothing to be escaped."""
    description = describe_type(column.type)
    return description is None or description.kind in _FREE


def _quoted_alone(text: str, backslash: str) -> str:
    # What begins with a backslash, and what is empty, gets one in front.
    return (
        f"CASE WHEN {text} = '' OR substr({text}, 1, 1) = {backslash} "
        f"THEN {backslash} || {text} ELSE {text} END"
    )


def _quoted(text: str, backslash: str) -> str:
    doubled = f"replace({text}, {backslash}, {backslash} || {backslash})"
    return f"replace({doubled}, ',', {backslash} || ',')"


def _text(column: Any, row: Row, dialect: sa.Dialect) -> str:
    template = _TEMPLATES[dialect.name](column, dialect)
    if template is None:
        raise ConfigurationError(
            f"{column} is of type {column.type!r}, whose values Python makes what they "
            f"are: a trigger cannot name the documents of its rows. Leave these rows "
            f"to sessions, or give the column another type."
        )
    return template.replace("{0}", row(column))


def _postgresql(column: Any, dialect: sa.Dialect) -> str | None:
    description = describe_type(column.type)
    if description is None:
        return None
    field = FieldSchema(
        name=column.name,
        kind=description.kind,
        many=description.many,
        enum=description.enum,
        enum_values=description.enum_values,
    )
    template = template_of(field, column, dialect)
    if template is None or description.many or description.kind is Kind.JSON:
        return None
    if description.kind in _WORDS | _INTEGERS | {Kind.UUID}:
        return "{0}::text"
    return f"btrim({template}, '\"')"


def _sqlite(column: Any, dialect: sa.Dialect) -> str | None:
    type_, description = column.type, describe_type(column.type)
    if description is None or isinstance(type_, TypeDecorator):
        return None
    if not type(type_).__module__.startswith("sqlalchemy.sql"):
        return None
    if isinstance(type_, sa.Uuid):
        return _UUID
    if description.kind in _WORDS | _INTEGERS | {Kind.DATE}:
        return "CAST({0} AS TEXT)"
    return _OF_KINDS.get(description.kind)


#: SQLAlchemy keeps a UUID as 32 digits in SQLite.
_UUID = " || '-' || ".join(
    f"substr({{0}}, {start}, {length})"
    for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
_OF_KINDS = {
    Kind.BOOLEAN: "CASE {0} WHEN 0 THEN 'false' ELSE 'true' END",
    # Kept with six digits after the point; isoformat() leaves out zeros alone.
    Kind.DATETIME: "replace(replace({0}, '.000000', ''), ' ', 'T')",
    Kind.TIME: "replace({0}, '.000000', '')",
}
_TEMPLATES = {"postgresql": _postgresql, "sqlite": _sqlite}
