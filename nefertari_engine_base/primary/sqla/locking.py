"""Claims by row locks: PostgreSQL.

A claim is one transaction at READ COMMITTED, where every statement has a snapshot of
its own: the entries are locked, then the version is drawn, then the documents are
loaded, each by a later statement. A worker that dies loses its locks with its
connection.
https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.engine import Connection, Engine
from zope.interface import implementer

from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.sqla.outbox import (
    DELETE,
    ENTRY_COLUMNS,
    LoaderOf,
    SQLClaim,
    SQLOutbox,
    entry_of,
    translated_errors,
)
from nefertari_engine_base.primary.sqla.tables import (
    ADVISORY_LOCK,
    epoch_now,
    outbox,
    version_sequence,
)
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Snapshot

# Losing an acknowledgement costs a repeated delivery, which is harmless: it need not
# wait for the disk. Said in the claiming statement to save a round trip.
_NOT_DURABLE = text("set_config('synchronous_commit', 'off', true)")

_CLAIM = (
    select(*ENTRY_COLUMNS, _NOT_DURABLE)
    .where(outbox.c.dead_at.is_(None))
    .with_for_update(skip_locked=True)
)
_CLAIM_DUE = (
    _CLAIM.where(outbox.c.due_at <= epoch_now())
    .order_by(outbox.c.due_at, outbox.c.id)
    .limit(bindparam("limit"))
)
_CLAIM_IDS = _CLAIM.where(outbox.c.id.in_(bindparam("ids", expanding=True)))

_DRAW = select(version_sequence.next_value())

#: By how many versions a new connection moves the sequence ahead, durably. Advances
#: that were not yet on the disk when the server crashed could be drawn again; there
#: are fewer of them than this, and every connection after a crash is a new one.
VERSION_JUMP = 2**20

_JUMP = text(
    "SELECT setval('nefertari_version', "
    "greatest(nextval('nefertari_version'), :above) + :jump)"
)
_LOCK_JUMP = text("SELECT pg_advisory_xact_lock(:key)")
_JUMPED = "nefertari_version_jumped"


class LockingOutbox(SQLOutbox):
    """The outbox of a PostgreSQL database."""

    def __init__(self, engine: Engine, loader_of: LoaderOf) -> None:
        super().__init__(engine, loader_of)
        # Whatever the application's default is; every step needs its own snapshot.
        self.engine = self.engine.execution_options(isolation_level="READ COMMITTED")

    @contextmanager
    def claim(self, limit: int, ids: Sequence[int] | None = None) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim`."""
        with translated_errors(), self._connect() as connection, connection.begin():
            if ids is None:
                rows = connection.execute(_CLAIM_DUE, {"limit": limit})
            else:
                rows = connection.execute(_CLAIM_IDS, {"ids": ids[:limit]})
            entries = [entry_of(row[:-1]) for row in rows]
            yield LockingClaim(self, entries, connection)

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IOutbox.draw_and_load`."""
        with translated_errors(), self._connect() as connection, connection.begin():
            return self.draw_and_load_in(connection, refs)

    def draw_and_load_in(
        self, connection: Connection, refs: Sequence[DocumentRef]
    ) -> Snapshot:
        """Draw and load by two statements of a transaction, in this order."""
        version: int = connection.execute(_DRAW).scalar_one()
        return Snapshot(version, *self.load(connection, refs))

    def advance_version(self, above: int) -> None:
        """See :meth:`IOutbox.advance_version`."""
        with translated_errors(), self.engine.connect() as connection:
            _jump(connection, above)

    def _connect(self) -> Connection:
        connection = self.engine.connect()
        if _JUMPED not in connection.info:
            try:
                _jump(connection, 0)
            except BaseException:
                connection.close()
                raise
        return connection


def _jump(connection: Connection, above: int) -> None:
    with connection.begin():
        # Two at once could otherwise set the sequence back to the lower of theirs.
        connection.execute(_LOCK_JUMP, {"key": ADVISORY_LOCK})
        connection.execute(_JUMP, {"above": above, "jump": VERSION_JUMP})
    connection.info[_JUMPED] = True


@implementer(IClaim)
class LockingClaim(SQLClaim):
    """Entries whose rows are locked by a running transaction."""

    source: LockingOutbox

    def __init__(
        self,
        source: LockingOutbox,
        entries: Sequence[OutboxEntry],
        connection: Connection,
    ) -> None:
        super().__init__(source, entries)
        self._connection = connection

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """See :meth:`IClaim.expand`."""
        return self.expand_in(self._connection, entry, limit)

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IClaim.draw_and_load`."""
        return self.source.draw_and_load_in(self._connection, refs)

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`."""
        if entries:
            ids: list[Any] = [entry.id for entry in entries]
            self._connection.execute(DELETE, {"ids": ids})

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`."""
        self.refuse_in(self._connection, entry, reason, delay)
