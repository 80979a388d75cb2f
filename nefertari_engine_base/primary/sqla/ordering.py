"""One order of text on every database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class byte_order(FunctionElement[Any]):  # noqa: N801 - SQL functions are lower case
    """A column to order by, whose text is compared by the bytes of its UTF-8 form.

    That is how Elasticsearch orders keywords and Python orders strings, and it is
    the same whatever collation a database was made with. Enumerations are ordered by
    the strings that are stored for them. Other types keep their own order.
    """

    inherit_cache = True
    name = "byte_order"

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = next(iter(self.clauses)).type


@compiles(byte_order)
def _byte_order(element: byte_order, compiler: SQLCompiler, **kw: Any) -> str:
    return _render(element, compiler, "BINARY", kw)


@compiles(byte_order, "postgresql")
def _byte_order_postgresql(
    element: byte_order, compiler: SQLCompiler, **kw: Any
) -> str:
    return _render(element, compiler, '"C"', kw)


def _render(
    element: byte_order, compiler: SQLCompiler, collation: str, kw: dict[str, Any]
) -> str:
    column = next(iter(element.clauses))
    text: str = compiler.process(column, **kw)
    type_ = _stored_as(column.type, compiler.dialect)
    if isinstance(type_, sa.Enum):
        return f"CAST({text} AS TEXT) COLLATE {collation}"
    return f"({text}) COLLATE {collation}" if isinstance(type_, sa.String) else text


def _stored_as(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    stored = type_.dialect_impl(dialect)
    while isinstance(stored, TypeDecorator):
        stored = stored.impl_instance
    return stored
