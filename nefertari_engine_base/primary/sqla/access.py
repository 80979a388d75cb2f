"""Access control lists in columns, and what the database says of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.sqla.types import register_type
from nefertari_engine_base.values import access
from nefertari_engine_base.values.access import Access, Entry


class AccessList(TypeDecorator[Any]):
    """A column of JSON that holds an access control list; see
    :mod:`nefertari_engine_base.values.access`."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """The list as it is sent. :raises ValueError: if it is none."""
        return None if value is None else access.checked(value)


register_type(AccessList, Kind.ACL)


def answers(
    column: Any, asked: Access | Entry, dialect: Dialect
) -> ColumnElement[bool]:
    """Whether a list lets somebody in, or holds an entry. Never NULL.

    :raises QueryError: on a database whose functions of JSON are not known here.
    """
    entries, position, part = _entries(column, dialect)
    if isinstance(asked, Entry):
        equal = (part(name) == text for name, text in asked.as_dict().items())
        return sa.exists().select_from(entries).where(*equal)
    first: Any = (
        sa.select(part(access.ACTION))
        .select_from(entries)
        .where(
            part(access.PRINCIPAL).in_(sorted(asked.principals)),
            part(access.PERMISSION).in_(sorted(asked.permissions)),
        )
        .order_by(position)
        .limit(1)
        .scalar_subquery()
    )
    return sa.func.coalesce(first, access.DENY) == access.ALLOW


def _entries(column: Any, dialect: Dialect) -> tuple[Any, Any, Any]:
    """The entries of a list as a table, its column of their order, and a function that
    reads a part of an entry."""
    if dialect.name == "sqlite":
        table = sa.func.json_each(column).table_valued("key", "value")

        def read(name: str) -> Any:
            return sa.func.json_extract(table.c.value, f"$.{name}")

        return table, table.c.key, read
    if dialect.name == "postgresql":
        stored = sa.type_coerce(column, sa.JSON())
        there = sa.case((sa.func.json_typeof(stored) == "array", stored))
        table = (
            sa.func.json_array_elements(there)
            .table_valued(sa.column("value", sa.JSON()), with_ordinality="position")
            .render_derived()
        )

        def read(name: str) -> Any:
            return table.c.value[name].as_string()

        return table, table.c.position, read
    raise QueryError(
        f"{dialect.name} is not asked for access control lists here; ask the secondary "
        f"engine."
    )
