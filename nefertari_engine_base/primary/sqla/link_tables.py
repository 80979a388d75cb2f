"""Statements on the table of a many-to-many relation, whose rows have no class.

``session.execute(movie_genres.insert(), rows)`` changes the documents of the films, and
of the genres if these show their films. The rows of the table name both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, select, tuple_
from sqlalchemy.engine import Connection, Result
from sqlalchemy.orm import Mapper, ORMExecuteState, RelationshipProperty

from nefertari_engine_base.primary.sqla.announcing import Found, announce
from nefertari_engine_base.primary.sqla.inserts import returning
from nefertari_engine_base.primary.sqla.keys import fetch_keyed
from nefertari_engine_base.primary.sqla.references import lock_sqlite
from nefertari_engine_base.primary.sqla.rows import RowReader, updated
from nefertari_engine_base.primary.sqla.sources import SOURCES


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a many-to-many relation.

    :attr own: columns of the class that has the relation.
    :attr columns: the columns of the table that refer to them.
    """

    relationship: RelationshipProperty[Any]
    own: tuple[Any, ...]
    columns: tuple[Any, ...]


def links_of(table: Any) -> list[Link]:
    """The relations through a table that documents show."""
    found: dict[RelationshipProperty[Any], Link] = {}
    for model, source in list(SOURCES.items()):
        mapper: Mapper[Any] = inspect(model)
        for relationship in mapper.relationships:
            if relationship.secondary is table and relationship.key in source.contents:
                own, columns = zip(*relationship.synchronize_pairs, strict=True)
                found[relationship] = Link(relationship, own, columns)
    return list(found.values())


def capture_links(state: ORMExecuteState, links: Sequence[Link]) -> Result[Any]:
    """Execute a statement on a link table, and report whose links it has changed."""
    statement: Any = state.statement
    columns = list(dict.fromkeys(c for link in links for c in link.columns))
    bind = {"mapper": links[0].relationship.parent}
    connection = state.session.connection(bind_arguments=bind)
    if state.is_insert:
        result, rows = returning(state, columns)
    else:
        old, new = _rows(state, connection, columns)
        if connection.dialect.name != "sqlite" and not state.is_executemany:
            statement = statement.where(tuple_(*columns).in_(old))
        result, rows = state.invoke_statement(statement), [*old, *new]
    found: list[Found] = []
    for link in links:
        positions = [columns.index(column) for column in link.columns]
        keys = dict.fromkeys(tuple(row[p] for p in positions) for row in rows)
        found += _report(connection, link, list(keys))
    announce(state.session, connection, found)
    return result


_Rows = list[tuple[Any, ...]]


def _rows(
    state: ORMExecuteState, connection: Connection, columns: Sequence[Any]
) -> tuple[_Rows, _Rows]:
    """The links that the statement will change, and what it will make of them."""
    lock_sqlite(connection)
    statement: Any = state.statement
    values = {
        getattr(target, "key", target): value
        for target, value in dict(getattr(statement, "_values", None) or {}).items()
    }
    expressions = [values.get(column.key, column) for column in columns]
    chosen = select(*columns, *expressions).where(*statement._where_criteria)
    parameters: Any = state.parameters
    sets = parameters if state.is_executemany else [parameters or {}]
    found = [
        tuple(row)
        for parameter in sets
        for row in connection.execute(chosen.with_for_update(), parameter)
    ]
    width = len(columns)
    return [row[:width] for row in found], [row[width:] for row in found]


def _report(connection: Connection, link: Link, keys: Sequence[Any]) -> list[Found]:
    """That the relation of the rows with these values has changed."""
    reader = RowReader(link.relationship.parent)
    names = [link.relationship.parent.get_property_by_column(c).key for c in link.own]
    columns = [getattr(reader.entity, name) for name in names]
    rows = fetch_keyed(connection, select(*reader.columns), columns, keys)
    fields = frozenset({link.relationship.key})
    return [updated(row, fields) for row in reader.rows(rows)]
