"""Dead letters of one SQL database: entries that were refused too often.

They are rows of the outbox with a ``dead_at``. No claim takes them. What removes one
is a person, or a later delivery of the same document: see :func:`obsolete`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update
from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla.tables import epoch_now, outbox
from nefertari_engine_base.values import DeadLetter, OutboxEntry, Touch

_dead, _entry = outbox.alias("dead"), outbox.alias("entry")
_OBSOLETE = (
    select(_dead.c.id, _entry.c.id)
    .join_from(
        _entry,
        _dead,
        (_dead.c.key == _entry.c.key)
        & (_dead.c.model == _entry.c.model)
        & (_dead.c.secondary == _entry.c.secondary),
    )
    .where(
        _entry.c.id.in_(bindparam("ids", expanding=True)),
        _entry.c.path == "",
        _dead.c.path == "",
        _dead.c.dead_at.is_not(None),
        _dead.c.id != _entry.c.id,
    )
)


def obsolete(connection: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """Dead letters of the documents of these entries, by entry.

    To be asked before a version is drawn. What was dead by then was committed by
    then, so the documents that are loaded after the draw hold its change too.
    """
    return by_entry(tuple(row) for row in connection.execute(_OBSOLETE, {"ids": ids}))


def by_entry(pairs: Any) -> dict[int, list[int]]:
    """Numbers of dead letters by entry, from pairs of both."""
    found: dict[int, list[int]] = {}
    for dead, entry in pairs:
        found.setdefault(entry, []).append(dead)
    return found


def find(
    connection: Connection, model: str | None, key: str | None
) -> list[DeadLetter]:
    """See :meth:`IOutbox.dead_letters`."""
    columns = outbox.c
    rows = connection.execute(
        select(
            columns.id,
            columns.secondary,
            columns.model,
            columns.key,
            columns.path,
            columns.cursor,
            columns.attempts,
            columns.reason,
            columns.created_at,
            columns.dead_at,
        )
        .where(*_chosen(model, key))
        .order_by(columns.id)
    )
    return [
        DeadLetter(
            OutboxEntry(
                row.id,
                Touch(row.secondary, row.model, row.key, row.path),
                row.cursor,
                row.attempts,
            ),
            row.reason or "",
            datetime.fromtimestamp(row.created_at, UTC),
            datetime.fromtimestamp(row.dead_at, UTC),
        )
        for row in rows
    ]


def retry(connection: Connection, model: str | None, key: str | None) -> int:
    """See :meth:`IOutbox.retry`."""
    return connection.execute(
        update(outbox)
        .where(*_chosen(model, key))
        .values(dead_at=None, attempts=0, due_at=epoch_now())
    ).rowcount


def drop(connection: Connection, model: str | None, key: str | None) -> int:
    """See :meth:`IOutbox.drop`."""
    return connection.execute(delete(outbox).where(*_chosen(model, key))).rowcount


def _chosen(model: str | None, key: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [outbox.c.dead_at.is_not(None)]
    if model is not None:
        conditions.append(outbox.c.model == model)
    if key is not None:
        conditions.append(outbox.c.key == key)
    return conditions
