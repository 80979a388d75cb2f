"""What belongs to the running transaction of a connection: its entries, and its end.

An entry counts as written only as long as the database's transaction and savepoint live
that it was written in; so no books are kept of what was written. Little is kept: the
touches that can still travel with the ``COMMIT`` (see :mod:`..libpq`), and for a
process that delivers inline the numbers of its entries, of which those count that the
database shows after the commit.

The state lies with what the pool hands out, and so goes with it if somebody abandons a
session. Whether a transaction is running, the driver is asked.
https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.PoolProxiedConnection
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection, TwoPhaseTransaction

from nefertari_engine_base.primary.sqla.debts import insert_debts
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.values import Change, Debt, OutboxEntry, Touch

if TYPE_CHECKING:
    from nefertari_engine_base.primary.sqla.capture.following import Following

_KEY = "_nefertari_transaction"

#: Touches that are held at most.
_MOST_HELD = 1000

#: Tells touches once it can.
Pending = Callable[[], Iterable[Touch]]


@dataclass(slots=True, eq=False)
class Part:
    """What one application has of a transaction.

    :attr outbox: where its entries are.
    :attr entries: entries that were written, no more than this process wants to know.
    :attr numbers: the same, of those that are known by number alone.
    :attr changes: for subscribers alone; beside them the names of savepoints that
        began meanwhile.
    :attr find: finds the entries that triggers have written, after the commit.
    """

    outbox: SQLOutbox | None = None
    entries: list[OutboxEntry] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    debts: set[Debt] = field(default_factory=set)
    changes: list[Change | str] = field(default_factory=list)
    find: Callable[[], Sequence[OutboxEntry]] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be told of it."""
        return not (self.entries or self.numbers or self.changes or self.find)


@dataclass(slots=True, eq=False)
class Transaction:
    """The state of one connection of the driver.

    :attr pending: gives the touches of an INSERT, once its result is there.
    :attr held: touches that will be written with the commit, or before something that
        may end the transaction or a savepoint, by the application that they are of.
    :attr connection: on which something was executed.
    :attr doomed: why the transaction cannot be committed.
    :attr savepoints: names of those that have begun.
    :attr doomed_in: those of which the end by a rollback lets it be committed again.
    :attr context: of the statement that has been executed last, if it is executed in
        several batches.
    :attr is_own: it was begun here, for one statement, and ends with that.
    :attr session: gives the session that drives the connection, if one does.
    :attr by_triggers: the applications whose entries the database writes, once it has
        executed something that may have written any.
    """

    parts: dict[Following, Part] = field(default_factory=dict)
    pending: list[tuple[Connection, Following, Pending]] = field(default_factory=list)
    held: dict[Following, dict[Touch, None]] = field(default_factory=dict)
    connection: Connection | None = None
    doomed: BaseException | None = None
    savepoints: list[str] = field(default_factory=list)
    doomed_in: frozenset[str] = frozenset()
    context: Any = None
    is_own: bool = False
    session: Callable[[], Any] | None = None
    by_triggers: Sequence[Following] = ()

    @property
    def is_busy(self) -> bool:
        """Whether the end of the transaction concerns us."""
        return bool(
            self.parts or self.pending or self.held or self.doomed or self.by_triggers
        )

    def part(self, following: Following) -> Part:
        """What an application has of it."""
        found = self.parts.get(following)
        if found is None:
            found = self.parts[following] = Part()
        return found

    # --- writing

    def want(
        self, connection: Connection, following: Following, touches: Iterable[Touch]
    ) -> None:
        """Write entries for these documents, at the latest with the commit.

        :param touches: made one after the other, since they may be very many.
        """
        for touch in touches:
            self.connection = connection
            held = self.held.setdefault(following, {})
            held[touch] = None
            if len(held) > _MOST_HELD:
                self.settle()

    def wait(
        self, connection: Connection, following: Following, touches: Pending
    ) -> None:
        """Have touches told when the result of a statement is there."""
        self.connection = connection
        self.pending.append((connection, following, touches))

    def resolve(self) -> None:
        """Learn the touches of the statement before; its result is there by now."""
        self.context = None
        while self.pending:
            connection, following, touches = self.pending.pop()
            try:
                self.want(connection, following, touches())
            except BaseException as error:
                # Its statement has been executed, and would be committed untold.
                self.doom(connection, error)
                raise

    def settle(self) -> None:
        """Write what is held: something is to be executed that may end the transaction,
        or a savepoint."""
        if self.is_failed:
            self.forget_held()
            return
        self.resolve()
        held, self.held = self.held, {}
        for following, touches in held.items():
            self._write(following, list(touches))

    @property
    def is_failed(self) -> bool:
        """Whether the database takes nothing but the end of the transaction, or of the
        savepoint since whose beginning everything is held that is."""
        connection = self.connection
        return connection is not None and has_failed(connection)

    def forget_held(self) -> None:
        """What is held, and what is pending, has not happened."""
        self.context = None
        self.held.clear()
        self.pending.clear()

    def _write(self, following: Following, touches: Sequence[Touch]) -> None:
        connection = self.connection
        assert connection is not None
        outbox = following.outbox_for(connection.engine)
        running = is_running(connection.connection, connection.dialect)
        if running is False and not self.is_own:
            # Somebody has committed, or rolled back, by the driver's own connection.
            outbox.add(touches)
            return
        # PostgreSQL prepares no transaction that notifies others.
        announced = outbox.is_announced and not isinstance(
            connection.get_transaction(), TwoPhaseTransaction
        )
        with explained():
            entries = outbox.insert_many(
                connection, touches, announced, self.room(following)
            )
        self.note(following, outbox, entries)

    def note(
        self,
        following: Following,
        outbox: SQLOutbox,
        entries: Iterable[OutboxEntry] = (),
        numbers: Iterable[int] = (),
    ) -> None:
        """These were written: this process may want to deliver them then."""
        part = self.part(following)
        part.outbox = outbox
        room = self.room(following)
        part.entries.extend(islice(entries, room))
        part.numbers.extend(islice(numbers, max(0, self.room(following))))

    def owe(
        self, connection: Connection, following: Following, debts: Iterable[Debt]
    ) -> None:
        """Write debts in the transaction, each of them once."""
        part = self.part(following)
        new = [debt for debt in dict.fromkeys(debts) if debt not in part.debts]
        if new:
            with explained():
                insert_debts(connection, new)
            part.debts.update(new)

    def room(self, following: Following) -> int:
        """How many more entries this process wants to know by number."""
        if following.by_triggers:
            # The database is asked for all of them in the end.
            return 0
        left = following.publisher.entries_to_know()
        part = self.parts.get(following)
        if part is not None:
            left -= len(part.entries) + len(part.numbers)
        return max(0, left)

    def outbox_of(self, following: Following) -> SQLOutbox:
        """Where an application's entries of this connection are."""
        assert self.connection is not None
        return following.outbox_for(self.connection.engine)

    # --- ends

    def doom(self, connection: Connection, error: BaseException) -> None:
        """Let nobody commit the transaction, or the savepoint that has begun last:
        what has been executed in it was refused."""
        self.doomed, self.doomed_in = error, frozenset(self.savepoints)
        if is_lost(connection):
            return  # and its transaction with it
        dialect, driver = connection.dialect, driver_of(connection.connection)
        if dialect.name == "sqlite" and not connection.in_nested_transaction():
            driver.rollback()
        elif dialect.name == "postgresql" and not dialect.is_async:
            # After an error PostgreSQL takes nothing but a rollback.
            cursor = driver.cursor()
            try:
                cursor.execute("SELECT 1 / 0")
            except dialect.loaded_dbapi.Error:
                pass
            finally:
                cursor.close()

    def roll_back_to(self, name: str) -> None:
        """A savepoint is rolled back."""
        self.forget_held()
        if name in self.doomed_in:
            self.doomed = None
        for part in self.parts.values():
            part.debts.clear()
            if name in part.changes:
                del part.changes[part.changes.index(name) :]

    def begin_savepoint(self, name: str) -> None:
        """A savepoint begins."""
        self.savepoints.append(name)
        for part in self.parts.values():
            if part.changes:
                part.changes.append(name)

    def take(self) -> dict[Following, Part]:
        """What there is, which this state forgets: the transaction has ended."""
        parts = {f: part for f, part in self.parts.items() if not part.is_empty}
        self.parts, self.doomed, self.connection = {}, None, None
        self.by_triggers = ()
        self.savepoints.clear()
        self.forget_held()
        return parts


def transaction_of(connection: Any) -> Transaction:
    """The state of a connection; it begins to be kept.

    :param connection: SQLAlchemy's, or what the pool has handed out.
    """
    found = known_transaction(connection)
    if found is None:
        found = Transaction()
        setattr(_handed_out(connection), _KEY, found)
    return found


def known_transaction(connection: Any) -> Transaction | None:
    """As :func:`transaction_of`; ``None`` if nothing is kept."""
    return getattr(_handed_out(connection), _KEY, None)


def _handed_out(connection: Any) -> Any:
    return connection.connection if isinstance(connection, Connection) else connection


def finish(parts: dict[Following, Part]) -> None:
    """Announce what was committed, and deliver it if this process does that."""
    for following, part in parts.items():
        changes = [change for change in part.changes if isinstance(change, Change)]
        entries: dict[Any, Any] = {part.outbox: part.entries} if part.entries else {}
        numbers: dict[Any, Any] = {part.outbox: part.numbers} if part.numbers else {}
        if part.find is None:
            following.publisher.committed(changes, entries, numbers)
        else:
            sought: dict[Any, Any] = {part.outbox: part.find}
            following.publisher.committed(changes, entries, numbers, sought)


def driver_of(connection: Any) -> Any:
    """The driver's connection; a pool has wrapped it, or it is given as it is."""
    return getattr(connection, "driver_connection", connection)


def roll_back(connection: Any) -> None:
    """Roll back by the driver, unless the connection is lost.

    :param connection: what the pool has handed out.
    """
    driver = driver_of(connection)
    if driver is not None and not getattr(driver, "closed", False):
        driver.rollback()


def is_lost(connection: Connection) -> bool:
    """Whether the connection to the database has ended by itself."""
    if connection.invalidated:
        return True
    driver = driver_of(connection.connection)
    return driver is None or bool(getattr(driver, "closed", False))


def is_running(connection: Any, dialect: Any) -> bool | None:
    """Whether the driver says that a transaction is running; ``None`` if this driver is
    not asked.

    :param connection: what the pool has handed out.
    """
    if dialect.is_async:
        return None
    driver = driver_of(connection)
    if dialect.name == "sqlite":
        running: bool = driver.in_transaction
        return running
    if dialect.driver == "psycopg":
        from psycopg.pq import TransactionStatus

        return bool(driver.pgconn.transaction_status != TransactionStatus.IDLE)
    return None


def has_failed(connection: Connection) -> bool:
    """Whether an error has made the running transaction take nothing any more."""
    dialect = connection.dialect
    if dialect.driver != "psycopg" or dialect.is_async or connection.closed:
        return False
    from psycopg.pq import TransactionStatus

    status = driver_of(connection.connection).pgconn.transaction_status
    return bool(status == TransactionStatus.INERROR)


#: The dialects whose commits are ours to send; see :mod:`.hooks`.
RIDING: set[Any] = set()
