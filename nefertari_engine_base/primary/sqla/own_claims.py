"""The entries that this process has just committed, on PostgreSQL: no lock is taken."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection
from zope.interface import implementer

from nefertari_engine_base.exceptions import InvalidDocumentId
from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.sqla import dead_letters
from nefertari_engine_base.primary.sqla.asking import fetch
from nefertari_engine_base.primary.sqla.forms import recorded_forms
from nefertari_engine_base.primary.sqla.json_loading import (
    JSONStatement,
    array_literal,
)
from nefertari_engine_base.primary.sqla.outbox import SQLClaim
from nefertari_engine_base.primary.sqla.texts import (
    ACKNOWLEDGE_FREE,
    FORMS,
    LOCK_ONE,
    SEE_AND_DRAW,
    acknowledge,
    numbered,
)
from nefertari_engine_base.refusals import Load, load_apart
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Snapshot

if TYPE_CHECKING:
    from nefertari_engine_base.primary.sqla.locking import LockingOutbox


@implementer(IClaim)
class OwnClaim(SQLClaim):
    """Entries that this process has just committed; see :meth:`IOutbox.claim_own`.

    :param connection: on which each statement is a transaction of its own.
    """

    source: LockingOutbox

    def __init__(
        self,
        source: LockingOutbox,
        entries: Sequence[OutboxEntry],
        connection: Connection,
    ) -> None:
        super().__init__(source, entries)
        self._connection = connection
        self._seen: frozenset[int] = frozenset()
        self._is_sent_by_libpq = False
        self._forms: Mapping[str, str] | None = None

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """Entries with a path are claimed by :meth:`LockingOutbox.claim`."""
        raise NotImplementedError

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IClaim.draw_and_load`."""
        ids = array_literal(entry.id for entry in self.entries)
        load: Load
        self._forms = None
        ready = self._ready_to_load(refs)
        if ready is None:
            drawn = fetch(self._connection, SEE_AND_DRAW, {"ids": ids})[0]
            load = partial(self.source.load_documents, self._connection)
        else:
            drawn, load = self._fetch_together(ids, refs, *ready)
        version, seen, pairs = drawn
        # A session that takes part in an outer transaction says that it has committed
        # when its entries are still invisible; so they stay.
        self._seen = frozenset(seen)
        self._version, self._obsolete = version, dead_letters.by_entry(pairs)
        return Snapshot(version, *load_apart(load, refs, self.source.blames))

    def _ready_to_load(
        self, refs: Sequence[DocumentRef]
    ) -> tuple[JSONStatement, Mapping[str, str]] | None:
        """What loads all of these, and its parameters, if it can travel with the draw:
        documents of one model that are known by numbers, which need no conversion."""
        models = {ref.model for ref in refs}
        if len(models) != 1 or self._connection.dialect.is_async:
            return None
        statement = self.source.statement_of(*models)
        if statement is None or not statement.is_numbered:
            return None
        # There is such a statement for psycopg alone.
        from nefertari_engine_base.primary.sqla import libpq

        if not libpq.is_utf8(self._connection.connection.driver_connection):
            return None
        try:
            return statement, statement.parameters([ref.id for ref in refs])
        except InvalidDocumentId:
            # Which one it is, is found out otherwise.
            return None

    def _fetch_together(
        self,
        ids: str,
        refs: Sequence[DocumentRef],
        statement: JSONStatement,
        parameters: Mapping[str, str],
    ) -> tuple[tuple[int, Sequence[int], Any], Load]:
        """What was drawn, and what makes documents of what was loaded after it."""
        self._is_sent_by_libpq = True
        draw = SEE_AND_DRAW, {"ids": ids}
        ((version, seen, pairs),), found, forms = self._send(
            draw, (statement.sql, parameters), (FORMS, {})
        )
        self._forms = {model.decode(): form.decode() for model, form in forms}
        rows = [tuple(column.decode() for column in row) for row in found]

        def load(model: str, asked: Sequence[str]) -> Mapping[str, bytes]:
            if len(asked) < len(refs):
                # One of them is bad, and now they are loaded one by one.
                return self.source.load_documents(self._connection, model, asked)
            return self.source.documents_of(self._connection, statement, rows)

        return (int(version), _numbers(seen), _pairs(pairs)), load

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IClaim.recorded_forms`."""
        if self._forms is None:
            return recorded_forms(self._connection)
        return self._forms

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`."""
        ids = [entry.id for entry in entries if entry.id in self._seen]
        if not ids:
            return
        ids += self.obsolete_with(ids)
        if self._is_sent_by_libpq:
            values = {"ids": array_literal(ids), "version": str(self._version)}
            self._send((ACKNOWLEDGE_FREE, values))
        else:
            acknowledge(self._connection, ACKNOWLEDGE_FREE, ids, self._version)

    def _send(
        self, *statements: tuple[str, Mapping[str, str]]
    ) -> list[list[tuple[bytes, ...]]]:
        """The rows of texts that are sent together, with their values."""
        from nefertari_engine_base.primary.sqla import libpq

        sent = []
        for text, values in statements:
            statement, names = numbered(text)
            sent.append((statement, [values[name].encode() for name in names]))
        return libpq.fetch_each(self._connection.connection.driver_connection, sent)

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`; left to whoever has locked the entry."""
        with self.source.transaction() as connection:
            if fetch(connection, LOCK_ONE, {"id": entry.id}):
                self.refuse_in(connection, entry, reason, delay)


def _numbers(array: bytes) -> list[int]:
    """The numbers of an array, of any dimensions, in PostgreSQL's form."""
    return list(map(int, re.findall(rb"\d+", array)))


def _pairs(array: bytes) -> list[list[int]]:
    numbers = iter(_numbers(array))
    return [list(pair) for pair in zip(numbers, numbers, strict=True)]
