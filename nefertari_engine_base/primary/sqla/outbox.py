"""The outbox of one SQL database: what both ways of claiming have in common.

Delivery has connections of its own; see :mod:`.own_engines`. :mod:`.locking` claims by
row locks, :mod:`.leasing` by leases.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from zope.interface import implementer

from nefertari_engine_base.exceptions import ConversionError, PrimaryError
from nefertari_engine_base.interfaces import IClaim, IOutbox
from nefertari_engine_base.primary.sqla import dead_letters, status, waking
from nefertari_engine_base.primary.sqla.blaming import blames_row
from nefertari_engine_base.primary.sqla.debts import UNFENCED, Indebted
from nefertari_engine_base.primary.sqla.entries import (
    MOST_TOLD,
    insert_entries,
    insert_untold,
    rows_of,
)
from nefertari_engine_base.primary.sqla.forms import Forming
from nefertari_engine_base.primary.sqla.loading import Loader
from nefertari_engine_base.primary.sqla.own_engines import Forked, own_engine
from nefertari_engine_base.primary.sqla.own_sessions import Timeouts
from nefertari_engine_base.primary.sqla.tables import create_tables, epoch_now, outbox
from nefertari_engine_base.refusals import load_apart, reason_of
from nefertari_engine_base.values import (
    DeadLetter,
    DocumentRef,
    OutboxEntry,
    RecordedEntry,
    Snapshot,
    SyncStatus,
    Touch,
)

DELETE = delete(outbox).where(outbox.c.id.in_(bindparam("ids", expanding=True)))
#: Removes what was written with ``version``, unless that has to be repeated.
ACKNOWLEDGE = DELETE.where(UNFENCED)
_REMAINING = (
    select(func.count())
    .select_from(outbox)
    .where(
        outbox.c.id.in_(bindparam("ids", expanding=True)), outbox.c.dead_at.is_(None)
    )
)
REFUSE = (
    update(outbox)
    .where(outbox.c.id == bindparam("entry"))
    .values(
        attempts=outbox.c.attempts + 1,
        reason=bindparam("reason"),
        due_at=epoch_now() + bindparam("delay"),
        claimed_by=None,
        claimed_until=None,
    )
)
BURY = (
    update(outbox)
    .where(outbox.c.id == bindparam("entry"))
    .values(
        attempts=outbox.c.attempts + 1,
        reason=bindparam("reason"),
        dead_at=epoch_now(),
        claimed_by=None,
        claimed_until=None,
    )
)

#: Finds the loader of a model. :raises KeyError:
LoaderOf = Callable[[str], Loader]


@implementer(IOutbox)
class SQLOutbox(Forming, Indebted):
    """See :class:`~nefertari_engine_base.interfaces.IOutbox`.

    :param engine: the application's engine; ours is made from it.
    :param delivery: an engine to make ours from in its place, on the same database.
    """

    #: See :class:`~nefertari_engine_base.interfaces.IOutbox`.
    generation = 0
    #: Whether commits of entries wake workers.
    announces = False

    def __init__(
        self,
        engine: Engine,
        loader_of: LoaderOf,
        timeouts: Timeouts | None = None,
        delivery: Engine | None = None,
    ) -> None:
        self.application_engine = engine
        self.timeouts = timeouts or Timeouts()
        self.engine = own_engine(delivery or engine)
        self._forked = Forked([self.engine])
        self.loader_of = loader_of

    @abstractmethod
    def claim(
        self,
        limit: int,
        ids: Sequence[int] | None = None,
        without: Collection[str] = (),
    ) -> AbstractContextManager[IClaim]:
        """See :meth:`IOutbox.claim`."""

    @abstractmethod
    def claim_own(
        self, entries: Sequence[OutboxEntry]
    ) -> AbstractContextManager[IClaim]:
        """See :meth:`IOutbox.claim_own`."""

    @abstractmethod
    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IOutbox.draw_and_load`."""

    @abstractmethod
    def advance_version(self, above: int) -> None:
        """See :meth:`IOutbox.advance_version`."""

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Errors of the database, and of its driver, as one of the family.

        :raises PrimaryError:
        """
        driver = self.engine.dialect.loaded_dbapi
        try:
            yield
        except (SQLAlchemyError, driver.Error) as error:
            raise PrimaryError(
                f"The database failed a delivery: {error}. If it lacks a table whose "
                f"name begins with nefertari_, run setup_database."
            ) from error

    def remaining(self, ids: Sequence[int]) -> int:
        """See :meth:`IOutbox.remaining`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return connection.execute(_REMAINING, {"ids": ids}).scalar_one()

    def waiting(self) -> int:
        """See :meth:`IOutbox.waiting`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return connection.execute(
                select(func.count())
                .select_from(outbox)
                .where(outbox.c.dead_at.is_(None))
            ).scalar_one()

    def status(self) -> SyncStatus:
        """See :meth:`IOutbox.status`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return status.status(connection)

    def recorded(
        self, model: str, keys: Mapping[str, Collection[str] | None]
    ) -> Sequence[RecordedEntry]:
        """See :meth:`IOutbox.recorded`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return status.recorded(connection, model, keys)

    def heartbeat(
        self, name: str, uptime: float, documents: int, per_second: float = 0.0
    ) -> None:
        """See :meth:`IOutbox.heartbeat`."""
        with self.translated_errors(), self.engine.begin() as connection:
            status.heartbeat(connection, name, uptime, documents, per_second)

    def forget_worker(self, name: str) -> None:
        """See :meth:`IOutbox.forget_worker`."""
        with self.translated_errors(), self.engine.begin() as connection:
            status.forget_worker(connection, name)

    def insert(
        self, connection: Connection, touches: Sequence[Touch]
    ) -> list[OutboxEntry]:
        """Insert entries in the connection's transaction, for its commit to announce
        if entries are announced here; see :mod:`.waking`."""
        return insert_entries(connection, touches, self.is_announced)

    def insert_many(
        self, connection: Connection, touches: Sequence[Touch], announced: bool,
        most: int,
    ) -> list[OutboxEntry]:  # fmt: skip
        """Insert any number of entries in the connection's transaction.

        :param most: how many of them have to be known.
        """
        if len(touches) <= max(most, MOST_TOLD):
            return insert_entries(connection, touches, announced)
        insert_untold(connection, touches, announced)
        return []

    @property
    def is_announced(self) -> bool:
        """Whether a statement that inserts entries announces them to workers."""
        return self.announces and self.engine.dialect.name == "postgresql"

    def add(self, touches: Iterable[Touch]) -> None:
        """See :meth:`IOutbox.add`."""
        if rows := rows_of(touches):
            with self.translated_errors(), self.engine.begin() as connection:
                connection.execute(insert(outbox), rows)
                self._notify(connection)

    def _notify(self, connection: Connection) -> None:
        if self.is_announced:
            waking.notify(connection)

    def listen(self, wake: Callable[[], object]) -> AbstractContextManager[None]:
        """See :meth:`IOutbox.listen`."""
        return waking.listen(self.engine, wake)

    def dead_letters(
        self, model: str | None = None, key: str | None = None
    ) -> Sequence[DeadLetter]:
        """See :meth:`IOutbox.dead_letters`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return dead_letters.find(connection, model, key)

    def retry(self, model: str | None = None, key: str | None = None) -> int:
        """See :meth:`IOutbox.retry`."""
        with self.translated_errors(), self.engine.begin() as connection:
            count = dead_letters.retry(connection, model, key)
            self._notify(connection)
            return count

    def drop(self, model: str | None = None, key: str | None = None) -> int:
        """See :meth:`IOutbox.drop`."""
        with self.translated_errors(), self.engine.begin() as connection:
            return dead_letters.drop(connection, model, key)

    def setup(self) -> None:
        """Create the tables that are missing."""
        with self.translated_errors(), self.engine.begin() as connection:
            create_tables(connection)

    @property
    def is_shared(self) -> bool:
        """Whether deliveries have no connections of their own."""
        return self.engine.pool is self.application_engine.pool

    def close(self) -> None:
        """Give back the connections of deliveries."""
        if not self.is_shared:
            self.engine.dispose()

    def load(
        self, connection: Connection, refs: Sequence[DocumentRef]
    ) -> tuple[dict[str, dict[str, bytes]], dict[DocumentRef, str]]:
        """Documents by model and id, and why others cannot be loaded."""
        load = partial(self.load_documents, connection)
        with self.recoverable(connection) as recover:
            return load_apart(load, refs, self.blames, recover)

    def blames(self, error: Exception) -> bool:
        """Whether an error may be one of a row; see :mod:`.blaming`."""
        return blames_row(self.engine.dialect, error)

    @contextmanager
    def recoverable(self, connection: Connection) -> Iterator[Callable[[], object]]:
        """What makes the connection take statements again after an error.

        :param connection: in a transaction.
        """
        yield lambda: None

    def load_documents(
        self, connection: Connection, model: str, ids: Sequence[str]
    ) -> dict[str, bytes]:
        """The documents of one model that exist, by id.

        :raises ConversionError: if one of them has a value that no document can hold.
        :raises InvalidDocumentId: if an id cannot be one of the model.
        """
        return self.loader_of(model).load(connection, ids)


class SQLClaim:
    """What both claims do with a connection in a transaction."""

    def __init__(self, source: SQLOutbox, entries: Sequence[OutboxEntry]) -> None:
        self.source = source
        self.entries = entries
        self._obsolete: dict[int, list[int]] = {}
        #: What was drawn last.
        self._version = 0

    def obsolete_with(self, ids: Sequence[int]) -> list[int]:
        """Dead letters that go with these entries; see :mod:`.dead_letters`."""
        return [dead for id_ in ids for dead in self._obsolete.get(id_, ())]

    def expand_in(
        self, connection: Connection, entry: OutboxEntry, limit: int
    ) -> list[OutboxEntry]:
        """:meth:`IClaim.expand` in the connection's transaction."""
        touch, source = entry.touch, self.source
        find = source.loader_of(touch.model).find_owners
        with source.recoverable(connection) as recover:
            try:
                ids = find(connection, touch.path, touch.key, entry.cursor, limit)
            except Exception as error:
                if not source.blames(error):
                    raise
                recover()
                raise ConversionError(reason_of(error)) from error
        if len(ids) < limit:
            connection.execute(DELETE, {"ids": [entry.id]})
        else:
            # Behind what is due by now: others do not wait until all are found.
            connection.execute(
                update(outbox)
                .where(outbox.c.id == entry.id)
                .values(cursor=ids[-1], due_at=epoch_now())
            )
        if not ids:
            return []
        touches = [Touch(touch.secondary, touch.model, id_) for id_ in ids]
        # Who has claimed the old entry has the new ones: nobody is to be woken.
        return insert_entries(connection, touches, announced=False)

    def refuse_in(
        self,
        connection: Connection,
        entry: OutboxEntry,
        reason: str,
        delay: float | None,
    ) -> None:
        """:meth:`IClaim.refuse` in the connection's transaction."""
        values = {"entry": entry.id, "reason": reason}
        if delay is None:
            connection.execute(BURY, values)
        else:
            connection.execute(REFUSE, {**values, "delay": delay})
