"""What the database holds in the reference columns of rows that are about to change.

A session may have read a row long ago. If another transaction has moved it to another
parent meanwhile, the session neither knows the parent that loses the row nor the one
that shows it now. So the rows are locked and read once more before they are flushed;
from then on nobody else can move them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstanceState, Mapper

from nefertari_engine_base.primary.sqla.keys import fetch_keyed
from nefertari_engine_base.primary.sqla.tables import version_counter

# Takes SQLite's lock for writing, which has none for rows, and changes nothing.
_LOCK_SQLITE = f"UPDATE {version_counter.name} SET value = value WHERE 0"


def stored_references(
    connection: Connection,
    mapper: Mapper[Any],
    names: Sequence[str],
    states: Iterable[InstanceState[Any]],
) -> dict[InstanceState[Any], Mapping[str, Any]]:
    """Lock the rows of these persistent states, and read their references.

    :param names: attributes of the mapped class.
    :return: the values by attribute, for each state whose row exists.
    """
    by_key = {state.identity: state for state in states if state.identity}
    lock_sqlite(connection)
    model = mapper.class_
    width = len(mapper.primary_key)
    key = [mapper.get_property_by_column(column) for column in mapper.primary_key]
    columns = [getattr(model, attribute.key) for attribute in key]
    statement = select(*columns, *(getattr(model, name) for name in names))
    statement = statement.with_for_update()
    found: dict[InstanceState[Any], Mapping[str, Any]] = {}
    for row in fetch_keyed(connection, statement, columns, by_key):
        state = by_key.get(tuple(row[:width]))
        if state is not None:
            found[state] = dict(zip(names, row[width:], strict=True))
    return found


def stored_key(
    connection: Connection, mapper: Mapper[Any], identity: Sequence[Any]
) -> tuple[Any, ...]:
    """A row's key as the row spells it: its document has that for its id.

    :return: ``identity`` itself, if there is no row.
    """
    columns = list(mapper.primary_key)
    statement = select(*columns).with_for_update()
    statement = statement.where(
        *(column == part for column, part in zip(columns, identity, strict=True))
    )
    row = connection.execute(statement).first()
    return tuple(identity) if row is None else tuple(row)


def lock_sqlite(connection: Connection) -> None:
    """Take SQLite's lock for writing, so that nobody changes what is read from now on;
    on other databases rows are locked, and this does nothing."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_LOCK_SQLITE)
