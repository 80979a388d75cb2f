"""Claims by row locks: PostgreSQL.

A claim is one transaction at READ COMMITTED, where every statement has a snapshot of
its own: the entries are locked, then the version is drawn, then the documents are
loaded, each by a later statement. A worker that dies loses its locks with its
connection.
https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine, RootTransaction
from sqlalchemy.exc import SQLAlchemyError
from zope.interface import implementer

from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.sqla import dead_letters, own_sessions
from nefertari_engine_base.primary.sqla.asking import fetch, run_unheard
from nefertari_engine_base.primary.sqla.debts import (
    HIGHEST_FENCE,
    raise_fence,
)
from nefertari_engine_base.primary.sqla.entries import entry_of
from nefertari_engine_base.primary.sqla.forms import recorded_forms
from nefertari_engine_base.primary.sqla.json_loading import (
    JSONStatement,
    UnreadableRows,
    array_literal,
    json_statement,
)
from nefertari_engine_base.primary.sqla.loading import Loader
from nefertari_engine_base.primary.sqla.outbox import (
    LoaderOf,
    SQLClaim,
    SQLOutbox,
)
from nefertari_engine_base.primary.sqla.own_claims import OwnClaim
from nefertari_engine_base.primary.sqla.own_engines import own_engine
from nefertari_engine_base.primary.sqla.own_sessions import Timeouts
from nefertari_engine_base.primary.sqla.tables import ADVISORY_LOCK, VERSION_JUMP
from nefertari_engine_base.primary.sqla.texts import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_FREE,
    CLAIM_DUE,
    CLAIM_IDS,
    DRAW,
    DRAW_CLAIMED,
    PLACE,
    TRANSACTION,
    WRITTEN_IN,
    acknowledge,
    question,
)
from nefertari_engine_base.refusals import RefusedDocuments
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Snapshot, Touch

_JUMP = text(
    "SELECT setval('nefertari_version', "
    f"greatest(nextval('nefertari_version'), :above, {HIGHEST_FENCE}) + :jump)"
)
_LOCK_JUMP = text("SELECT pg_advisory_xact_lock(:key)")
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
_PREPARED = "nefertari_prepared"
#: Columns of an answer that has entries.
_ANSWERED = 8
_LOADING = "nefertari_loading"

_Level = Literal["READ COMMITTED", "AUTOCOMMIT"]


class LockingOutbox(SQLOutbox):
    """The outbox of a PostgreSQL database."""

    def __init__(
        self,
        engine: Engine,
        loader_of: LoaderOf,
        timeouts: Timeouts | None = None,
        delivery: Engine | None = None,
    ) -> None:
        super().__init__(engine, loader_of, timeouts, delivery)
        # Connections on which each statement is a transaction: three round trips to
        # deliver what was just committed instead of six.
        self.autocommit_engine = own_engine(delivery or engine)
        self._forked.ours.append(self.autocommit_engine)
        for own in (self.engine, self.autocommit_engine):
            own_sessions.prepare_sessions(own, self.timeouts)
        #: Sessions of the server that a pooler has handed out to us before.
        self._known: set[tuple[int, float]] = set()
        self._statements: WeakKeyDictionary[Loader, JSONStatement | None] = (
            WeakKeyDictionary()
        )
        #: Where the outbox is, once it is known; empty if it is not asked.
        self._place: str | None = None

    @contextmanager
    def claim(
        self,
        limit: int,
        ids: Sequence[int] | None = None,
        without: Collection[str] = (),
    ) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim`."""
        with self.transaction() as connection:
            if ids is None:
                rows = fetch(
                    connection, CLAIM_DUE, {"limit": limit, "without": list(without)}
                )
            else:
                rows = fetch(connection, CLAIM_IDS, {"ids": array_literal(ids[:limit])})
            yield LockingClaim(self, [entry_of(row[:-1]) for row in rows], connection)

    @contextmanager
    def claim_own(self, entries: Sequence[OutboxEntry]) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim_own`."""
        with (
            self.translated_errors(),
            self._connect(self.autocommit_engine, "AUTOCOMMIT") as connection,
        ):
            if not own_sessions.is_pooled(connection):
                yield OwnClaim(self, entries, connection)
                return
        # Each statement may have another session of the server, of which none knows
        # what the versions of the server before it were.
        with self.claim(len(entries), [entry.id for entry in entries]) as claim:
            yield claim

    def question(self, most: int) -> str:
        """What a transaction is asked of its entries; see :func:`.texts.question`.

        :param most: how many entries at most.
        """
        # Nobody may be waited for now; see written_in.
        return question(self._place, most) if self._place else TRANSACTION

    def answered(self, told: Sequence[Sequence[Any]]) -> list[OutboxEntry] | None:
        """The entries of the answer, if it has them."""
        if len(told[0]) < _ANSWERED:
            # Refused, maybe to another role: it is not tried again.
            self._place = self._place and ""
            return None
        if told[0][2] == "serializable":
            return None
        return [
            OutboxEntry(int(id_), Touch(*touch))
            for _, _, _, id_, *touch in told
            if id_ is not None
        ]

    def written_in(self, number: int, since: float, most: int) -> list[OutboxEntry]:
        """The entries of a transaction that is committed.

        :param number: PostgreSQL's.
        :param since: when it began.
        :param most: how many at most.
        """
        if self._place is None:
            with self.translated_errors(), self.engine.connect() as connection:
                found = fetch(connection, PLACE)
            if not found:
                # What is written before setup has no entries.
                return []
            self._place = found[0][0]
        values = {"number": number, "since": since, "limit": most}
        with (
            self.translated_errors(),
            self._connect(self.autocommit_engine, "AUTOCOMMIT") as connection,
        ):
            found = fetch(connection, WRITTEN_IN, values)
        return [OutboxEntry(id_, Touch(*touch)) for id_, *touch in found]

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IOutbox.draw_and_load`."""
        with self.transaction() as connection:
            version: int = fetch(connection, DRAW)[0][0]
            return Snapshot(version, *self.load(connection, refs))

    @contextmanager
    def recoverable(self, connection: Connection) -> Iterator[Callable[[], object]]:
        """See :meth:`SQLOutbox.recoverable`.

        After an error PostgreSQL takes nothing but a rollback, and the claim would be
        lost with its transaction.
        """
        run_unheard(connection, f"SAVEPOINT {_LOADING}")
        yield lambda: run_unheard(connection, f"ROLLBACK TO SAVEPOINT {_LOADING}")

    def load_documents(
        self, connection: Connection, model: str, ids: Sequence[str]
    ) -> dict[str, bytes]:
        """Documents that the database writes itself, where it can."""
        statement = self.statement_of(model)
        if statement is not None:
            rows = fetch(connection, statement.sql, statement.parameters(ids))
            return self.documents_of(connection, statement, rows)
        return super().load_documents(connection, model, ids)

    def documents_of(
        self, connection: Connection, statement: JSONStatement, rows: Sequence[Any]
    ) -> dict[str, bytes]:
        """The documents that a statement has given the rows of."""
        try:
            return statement.documents(rows, connection)
        except UnreadableRows as error:
            return self._load_unreadable(connection, statement.schema.name, error)

    def _load_unreadable(
        self, connection: Connection, model: str, error: UnreadableRows
    ) -> dict[str, bytes]:
        # Only Python can tell whether their values are readable after all.
        reasons = dict(error.reasons)
        try:
            others: Mapping[str, bytes]
            others = super().load_documents(connection, model, error.ids)
        except RefusedDocuments as refused:
            others = refused.documents
            reasons |= refused.reasons
        loaded = {**error.documents, **others}
        if reasons:
            raise RefusedDocuments(reasons, loaded)
        return loaded

    def statement_of(self, model: str) -> JSONStatement | None:
        """What has the database write a model's documents, if it can."""
        loader = self.loader_of(model)
        if loader not in self._statements:
            statement = json_statement(loader.schema, self.engine.dialect)
            self._statements[loader] = statement
        return self._statements[loader]

    def advance_version(self, above: int) -> None:
        """See :meth:`IOutbox.advance_version`."""
        with self.translated_errors(), self._connect(self.engine) as connection:
            _jump(connection, above)

    def fence(self, secondary: str, model: str) -> int:
        """See :meth:`IOutbox.fence`."""
        with self.transaction() as connection:
            version: int = fetch(connection, DRAW)[0][0]
            return raise_fence(connection, secondary, model, version)

    @contextmanager
    def exclusively(self, name: str) -> Iterator[bool]:
        """See :meth:`IOutbox.exclusively`.

        The lock is that of a transaction, which has written and read nothing, and so
        keeps no old rows alive. It is let go when the transaction ends, also behind a
        pooler, and after an hour of a worker that has stopped.
        """
        with self.translated_errors():
            connection = self._connect(self.autocommit_engine, "AUTOCOMMIT")
        try:
            with self.translated_errors():
                connection.exec_driver_sql("BEGIN")
                own_sessions.wait_longer(connection)
                values = {"name": f"nefertari {name}"}
                taken: bool = connection.execute(_TRY_LOCK, values).scalar_one()
            yield taken
        finally:
            # What it was for is done, even if the server has let it go before.
            with suppress(SQLAlchemyError):
                connection.exec_driver_sql("ROLLBACK")
            connection.close()

    def close(self) -> None:
        """See :meth:`SQLOutbox.close`."""
        super().close()
        self.autocommit_engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction at READ COMMITTED on a connection of deliveries."""
        with (
            self.translated_errors(),
            self._connect(self.engine) as connection,
            self._begun(connection),
        ):
            yield connection

    def _begun(self, connection: Connection) -> RootTransaction:
        """A transaction that has begun.

        A pooler gives it any session of the server. One that was not seen before may be
        that of another server, or of one that has crashed and come back: as after
        connecting, versions are moved ahead.
        """
        while True:
            transaction = connection.begin()
            if not own_sessions.is_pooled(connection):
                return transaction
            own_sessions.set_for_transaction(connection, self.timeouts)
            session = own_sessions.server_session(connection)
            if session in self._known:
                return transaction
            transaction.rollback()
            _jump(connection, 0)
            self._known.add(session)
            self.generation += 1

    def _connect(self, engine: Engine, level: _Level = "READ COMMITTED") -> Connection:
        connection = engine.connect()
        if _PREPARED not in connection.info:
            try:
                self._prepare(connection, level)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: Connection, level: _Level) -> None:
        dbapi_connection = connection.connection.dbapi_connection
        assert dbapi_connection is not None
        dialect = self.engine.dialect
        # Whatever the application's default is: every step needs its own snapshot.
        dialect.set_isolation_level(dbapi_connection, "READ COMMITTED")
        _jump(connection, 0)
        dialect.set_isolation_level(dbapi_connection, level)
        connection.info[_PREPARED] = True
        self.generation += 1


def _jump(connection: Connection, above: int) -> None:
    with connection.begin():
        # Two at once could otherwise set the sequence back to the lower of theirs.
        connection.execute(_LOCK_JUMP, {"key": ADVISORY_LOCK})
        connection.execute(_JUMP, {"above": above, "jump": VERSION_JUMP})


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
        self._claimed = [entry.id for entry in entries]

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """See :meth:`IClaim.expand`."""
        entries = self.expand_in(self._connection, entry, limit)
        self._claimed += [named.id for named in entries]
        return entries

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IClaim.draw_and_load`."""
        version, pairs = fetch(
            self._connection, DRAW_CLAIMED, {"ids": array_literal(self._claimed)}
        )[0]
        self._version, self._obsolete = version, dead_letters.by_entry(pairs)
        return Snapshot(version, *self.source.load(self._connection, refs))

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IClaim.recorded_forms`."""
        return recorded_forms(self._connection)

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`."""
        ids, version = [entry.id for entry in entries], self._version
        if dead := self.obsolete_with(ids):
            acknowledge(self._connection, ACKNOWLEDGE_FREE, ids + dead, version)
        elif ids:
            acknowledge(self._connection, ACKNOWLEDGE, ids, version)

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`."""
        self.refuse_in(self._connection, entry, reason, delay)
