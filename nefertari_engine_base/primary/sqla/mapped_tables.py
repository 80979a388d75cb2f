"""The tables that the rows of a mapped class are in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Mapper


def tables_of(mapper: Mapper[Any]) -> Iterator[tuple[Table, list[Any]]]:
    """The tables that a row of a class is in, with its key there."""
    names = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
    for table in mapper.tables:
        if isinstance(table, Table):
            own = [
                next((c for c in mapper.attrs[name].columns if c.table is table), None)
                for name in names
            ]
            if all(column is not None for column in own):
                yield table, own
