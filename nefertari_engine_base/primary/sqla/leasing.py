"""Claims by leases: SQLite, and databases without SKIP LOCKED.

Each step is a transaction of its own, so that nobody waits for a search server with
the database locked. A claim marks its entries with a name of its own and a time; who
dies leaves marks that expire.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, or_, select, text, update
from zope.interface import implementer

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.sqla import dead_letters
from nefertari_engine_base.primary.sqla.asking import fetch
from nefertari_engine_base.primary.sqla.debts import HIGHEST_FENCE, raise_fence
from nefertari_engine_base.primary.sqla.entries import ENTRY_COLUMNS, entry_of
from nefertari_engine_base.primary.sqla.outbox import (
    ACKNOWLEDGE,
    SQLClaim,
    SQLOutbox,
)
from nefertari_engine_base.primary.sqla.tables import (
    VERSION_JUMP,
    epoch_now,
    outbox,
    version_counter,
)
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Snapshot

log = logging.getLogger(__name__)

#: How long a claim lasts, in seconds: longer than any delivery, since a claim that
#: expires too early costs a repeat, and one that expires too late costs a wait.
LEASE = 60.0

_FREE = (
    outbox.c.dead_at.is_(None),
    or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < epoch_now()),
)
_DUE = (
    select(outbox.c.id)
    .where(
        *_FREE,
        outbox.c.due_at <= epoch_now(),
        outbox.c.model.not_in(bindparam("without", expanding=True)),
    )
    .order_by(outbox.c.due_at, outbox.c.id)
    .limit(bindparam("limit"))
    .scalar_subquery()
)
_MARK = (
    update(outbox)
    .values(claimed_by=bindparam("name"), claimed_until=epoch_now() + LEASE)
    .returning(*ENTRY_COLUMNS, outbox.c.due_at)
)
_CLAIM_DUE = _MARK.where(outbox.c.id.in_(_DUE))
_CLAIM_IDS = _MARK.where(*_FREE, outbox.c.id.in_(bindparam("ids", expanding=True)))
_SEE = select(outbox.c.id).where(outbox.c.id.in_(bindparam("ids", expanding=True)))
_ACKNOWLEDGE = ACKNOWLEDGE.where(outbox.c.claimed_by == bindparam("name"))
_CLEAR = ACKNOWLEDGE.where(outbox.c.dead_at.is_not(None))
_RELEASE = (
    update(outbox)
    .where(outbox.c.claimed_by == bindparam("name"))
    .values(claimed_by=None, claimed_until=None)
)
_KEEP = (
    update(outbox)
    .where(outbox.c.id.in_(bindparam("ids", expanding=True)))
    .values(claimed_by=bindparam("name"), claimed_until=epoch_now() + LEASE)
)
_DRAW = (
    update(version_counter)
    .values(value=version_counter.c.value + 1)
    .returning(version_counter.c.value)
)
_ADVANCE = text(
    "UPDATE nefertari_version_counter "
    f"SET value = max(value, :above, {HIGHEST_FENCE}) + :jump WHERE id = 1"
)


_IS_THERE = "SELECT 1 FROM sqlite_master WHERE name = 'nefertari_outbox'"
# The highest number of an entry that was ever committed:
# https://www.sqlite.org/autoinc.html
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'nefertari_outbox'"
_ABOVE = (
    f"SELECT {', '.join(column.name for column in ENTRY_COLUMNS)} "
    "FROM nefertari_outbox WHERE id > ? ORDER BY id LIMIT ?"
)
_EVERY = (
    select(*ENTRY_COLUMNS)
    .where(*_FREE, outbox.c.due_at <= epoch_now())
    .order_by(outbox.c.id)
    .limit(bindparam("limit"))
)


class LeasingOutbox(SQLOutbox):
    """The outbox of a SQLite database."""

    _is_there = False

    @contextmanager
    def claim(
        self,
        limit: int,
        ids: Sequence[int] | None = None,
        without: Collection[str] = (),
    ) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim`."""
        name = str(uuid4())
        with self.translated_errors():
            with self.engine.begin() as connection:
                if ids is None:
                    values = {"name": name, "limit": limit, "without": list(without)}
                    rows = connection.execute(_CLAIM_DUE, values)
                else:
                    values = {"name": name, "ids": ids[:limit]}
                    rows = connection.execute(_CLAIM_IDS, values)
                # An update returns rows in any order.
                ordered = sorted(rows, key=lambda row: (row.due_at, row.id))
                entries = [entry_of(row) for row in ordered]
            claim = LeasingClaim(self, entries, name)
            try:
                yield claim
            finally:
                if entries:
                    claim.release()

    @contextmanager
    def claim_own(self, entries: Sequence[OutboxEntry]) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim_own`."""
        with self.translated_errors():
            with self.engine.connect() as connection:
                ids = [entry.id for entry in entries]
                seen = set(connection.execute(_SEE, {"ids": ids}).scalars())
            yield OwnClaim(self, [entry for entry in entries if entry.id in seen])

    def uncommitted(self, connection: Any, most: int) -> list[OutboxEntry]:
        """The entries of a transaction that has the right to write.

        :param connection: its, as the pool has handed it out.
        """
        with self.engine.connect() as own:
            if not self._is_there and not fetch(own, _IS_THERE, {}):
                # What is written before setup has no entries.
                return []
            self._is_there = True
            committed = fetch(own, _LAST, {})
        number = committed[0][0] if committed else 0
        cursor = connection.cursor()
        try:
            cursor.execute(_ABOVE, (number, most))
            return [entry_of(row) for row in cursor.fetchall()]
        finally:
            cursor.close()

    def every(self, most: int) -> list[OutboxEntry]:
        """Entries that are due."""
        with self.translated_errors(), self.engine.connect() as connection:
            return list(map(entry_of, connection.execute(_EVERY, {"limit": most})))

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IOutbox.draw_and_load`."""
        with self.translated_errors():
            # The draw is committed before anything is written with it: a version
            # that a rollback takes back would be drawn again.
            with self.engine.begin() as connection:
                version: int = connection.execute(_DRAW).scalar_one()
            with self.engine.connect() as connection:
                return Snapshot(version, *self.load(connection, refs))

    def advance_version(self, above: int) -> None:
        """See :meth:`IOutbox.advance_version`."""
        with self.translated_errors(), self.engine.begin() as connection:
            connection.execute(_ADVANCE, {"above": above, "jump": VERSION_JUMP})

    def fence(self, secondary: str, model: str) -> int:
        """See :meth:`IOutbox.fence`."""
        with self.translated_errors(), self.engine.begin() as connection:
            version: int = connection.execute(_DRAW).scalar_one()
            return raise_fence(connection, secondary, model, version)


@implementer(IClaim)
class OwnClaim(SQLClaim):
    """Entries that this process has just committed; see :meth:`IOutbox.claim_own`."""

    def __init__(self, source: SQLOutbox, entries: Sequence[OutboxEntry]) -> None:
        super().__init__(source, entries)
        self._claimed = [entry.id for entry in entries]

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """Entries with a path are claimed by :meth:`LeasingOutbox.claim`."""
        raise NotImplementedError

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IClaim.draw_and_load`."""
        with self.source.engine.connect() as connection:
            self._obsolete = dead_letters.obsolete(connection, self._claimed)
        snapshot = self.source.draw_and_load(refs)
        self._version = snapshot.version
        return snapshot

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IClaim.recorded_forms`."""
        return self.source.recorded_forms()

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`."""
        if entries:
            ids = [entry.id for entry in entries]
            values = {"ids": ids + self.obsolete_with(ids), "version": self._version}
            with self.source.engine.begin() as connection:
                connection.execute(ACKNOWLEDGE, values)

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`."""
        with self.source.engine.begin() as connection:
            self.refuse_in(connection, entry, reason, delay)


@implementer(IClaim)
class LeasingClaim(OwnClaim):
    """Entries that carry this claim's name."""

    def __init__(
        self, source: SQLOutbox, entries: Sequence[OutboxEntry], name: str
    ) -> None:
        super().__init__(source, entries)
        self._name = name

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """See :meth:`IClaim.expand`."""
        with self.source.engine.begin() as connection:
            entries = self.expand_in(connection, entry, limit)
            if entries:
                ids = [named.id for named in entries]
                connection.execute(_KEEP, {"ids": ids, "name": self._name})
                self._claimed += ids
            return entries

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`."""
        if entries:
            with self.source.engine.begin() as connection:
                ids = [entry.id for entry in entries]
                values = {"version": self._version}
                connection.execute(
                    _ACKNOWLEDGE, {"ids": ids, "name": self._name, **values}
                )
                if dead := self.obsolete_with(ids):
                    connection.execute(_CLEAR, {"ids": dead, **values})

    def release(self) -> None:
        """Give back what was not acknowledged."""
        try:
            with (
                self.source.translated_errors(),
                self.source.engine.begin() as connection,
            ):
                connection.execute(_RELEASE, {"name": self._name})
        except PrimaryError as error:
            # The lease ends by itself; the error of the delivery is the one to see.
            log.warning(
                "A claim was not released and expires in %d s: %s",
                LEASE,
                error,
                extra={"action": "release_claim"},
            )
