"""What is done before and after the body of each test."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from sqlalchemy import MetaData, Table, event, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import session as sessions
from sqlalchemy.pool import Pool
from sqlalchemy.schema import sort_tables_and_constraints
from sqlalchemy.testing import config, engines

from tests.peers.sqlalchemy.listeners import Listeners
from tests.peers.sqlalchemy.mappers import Mappers
from tests.peers.sqlalchemy.options import Options
from tests.peers.sqlalchemy.records import Fault, Phase, Record
from tests.peers.sqlalchemy.statements import hide_ours, is_write, tables_written_bare

_LISTENERS = Listeners()
with _LISTENERS.recording():
    from nefertari_engine_base.exceptions import PrimaryError
    from nefertari_engine_base.primary.sqla import tables
    from nefertari_engine_base.sync.catch_up import catch_up, indebted
    from nefertari_engine_base.sync.worker import drain
    from tests.peers.sqlalchemy.application import (
        Application,
        CannotStart,
        can_be_added,
        remove_triggers,
    )
    from tests.peers.sqlalchemy.comparing import Comparison

#: Databases that the primary can have its outbox in.
_DIALECTS = frozenset({"postgresql", "sqlite"})
#: Test classes that are about when mappers are configured: these are, when they say so.
_CONFIGURE_THEMSELVES = frozenset(
    {
        "ConfigureAliasedOnSelectTest",
        "ContextualWarningsTest",
        "RegistryConfigDisposeTest",
    }
)


class Following:
    """Follows one test after the other, in one process."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._record: Record | None = None
        self._application: Application | None = None
        self._database: Engine | None = None
        self._bare: set[str] = set()
        self._has_new_tables = False
        event.listen(Pool, "connect", _hurry)
        if options.follows:
            self._mappers = Mappers(self._add_models, self._stop)
            event.listen(Engine, "before_cursor_execute", self._look)
            event.listen(Table, "after_create", self._keep_new_table)
            if not options.shows_statements:
                hide_ours(self._count_hidden)

    @staticmethod
    @cache
    def of_process(options: Options) -> Following:
        """The one of this process."""
        return Following(options)

    def prepare(self) -> None:
        """The fixtures of a test begin, which may lock the database."""
        if (database := self._database_to_follow()) is not None:
            _empty_outbox(database)
            if self._options.capture == "triggers":
                remove_triggers(database)

    def begin(self, item: Any, record: Record) -> None:
        """A test begins, after its fixtures."""
        if (database := self._database_to_follow()) is None:
            return
        _LISTENERS.restore()
        self._bare = set()
        self._record, self._database = record, database
        self._mappers.begin(item.cls)
        if item.cls.__name__ not in _CONFIGURE_THEMSELVES:
            self._mappers.configure()
        self._add_models()

    def end(self, item: Any, record: Record, passed: bool) -> None:
        """A test ends, before its fixtures do."""
        if self._record is None:
            return
        try:
            with self._mappers.held():
                if passed and self._application is not None:
                    self._converge(item, record, self._application)
        finally:
            self._mappers.end()
            self._record = self._database = None
            self._close_application(record)

    def _database_to_follow(self) -> Engine | None:
        database: Any = config.db
        if not self._options.follows or database.dialect.is_async:
            return None
        return database if database.dialect.name in _DIALECTS else None

    # --- meanwhile ---------------------------------------------------------

    def _add_models(self) -> None:
        """Give the classes that are configured by now documents."""
        if self._record is None or self._database is None:
            return
        record, database = self._record, self._database
        with self._mappers.held():
            self._has_new_tables = False
            fresh = self._mappers.take(partial(can_be_added, self._options, database))
            if not fresh:
                return
            try:
                if self._application is None:
                    self._application = Application(database, self._options, record)
                self._application.add(fresh)
            except CannotStart as error:
                record.uncompared.append(str(error.__doc__))
                self._close_application(record)
            except Exception as error:  # noqa: BLE001 - it is not the test's
                record.note(Phase.START, error)

    def _look(
        self,
        conn: Any,
        cursor: Any,
        statement: str,
        values: Any,
        context: Any,
        many: Any,
    ) -> None:
        if self._record is None:
            return
        self._bare.update(tables_written_bare(statement, context))
        if self._has_new_tables and is_write(statement):
            self._add_models()

    def _keep_new_table(self, *_: Any, **__: Any) -> None:
        self._has_new_tables = True

    def _stop(self) -> None:
        """Mappers are thrown away, which no application does that goes on."""
        if self._application is not None and self._record is not None:
            self._record.uncompared.append("the test throws mappers away")
            self._close_application(self._record)
            self._mappers.forget()

    def _count_hidden(self) -> None:
        if self._record is not None:
            self._record.hidden += 1

    # --- afterwards --------------------------------------------------------

    def _converge(self, item: Any, record: Record, application: Application) -> None:
        """Deliver what the test has committed, and compare."""
        bare = set(self._bare)
        if _is_cleaned_up(item.cls):
            _commit_sessions(record)
        sessions.close_all_sessions()
        # Whatever the test's fixtures hold open would lock the database.
        engines.testing_reaper.rollback_all()  # type: ignore[no-untyped-call]
        with _noted(record, Phase.DELIVERY) as is_done:
            record.entries = _waiting(application)
            if _deliver(application):
                _settle_debts(application, record)
                is_done.append(True)
            else:
                record.uncompared.append("the database is locked")
        if is_done:
            with _noted(record, Phase.HARNESS):
                refused = _undelivered(application, record)
                Comparison(application, record, bare, refused).all()

    def _close_application(self, record: Record) -> None:
        application, self._application = self._application, None
        with _noted(record, Phase.CLOSE), self._mappers.held():
            if application is not None:
                application.close()


@contextmanager
def _noted(record: Record, phase: Phase) -> Iterator[list[bool]]:
    """Exceptions are written down."""
    try:
        yield []
    except Exception as error:  # noqa: BLE001 - the next test may be better
        record.note(phase, error)


def _hurry(connection: Any, _: Any) -> None:
    """SQLite as an application has it, but for the disk, which nobody waits for."""
    if type(connection).__module__.startswith("sqlite3"):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA busy_timeout=250")


def _empty_outbox(database: Engine) -> None:
    """What delivery keeps, as a new application finds it; versions go on."""
    # The cache of the engine's compiled statements is what some tests are about.
    engine = database.execution_options(compiled_cache=None)
    with engine.begin() as connection:
        tables.create_tables(connection)
        for table in (tables.outbox, tables.debt, tables.index):
            connection.execute(table.delete())


def _is_cleaned_up(test_class: Any) -> bool:
    """Whether what is committed is no more there when the next test begins."""
    if getattr(test_class, "run_create_tables", None) == "each":
        return True
    return (
        getattr(test_class, "run_inserts", "each") != "once"
        and getattr(test_class, "run_deletes", "each") == "each"
        and not _refers_in_circles(getattr(test_class, "_tables_metadata", None))
    )


def _refers_in_circles(metadata: MetaData | None) -> bool:
    """Whether no order of deletes empties all tables."""
    if metadata is None:
        return False
    tables_in_order: Any = sort_tables_and_constraints
    ordered = tables_in_order(metadata.tables.values())
    return any(table is None and keys for table, keys in ordered)


def _commit_sessions(record: Record) -> None:
    """Commit what the test has flushed: otherwise half of it would not be compared."""
    for session in list(sessions._sessions.values()):
        transaction = session.get_transaction()
        if transaction is None or not transaction.is_active:
            continue
        if not _is_connected(transaction):
            continue
        try:
            session.commit()
            record.committed += 1
        except Exception as error:  # noqa: BLE001 - the test left it in any state
            session.rollback()
            fault = Fault.of(error, phase=Phase.HARNESS.value)
            if fault.ours and not isinstance(error, DBAPIError):
                record.faults.append(fault)


def _is_connected(transaction: Any) -> bool:
    """Whether a session has its connections still: some tests give back all."""
    connections = [one for one, *_ in transaction._connections.values()]
    return all(not one.closed and one.connection.is_valid for one in connections)


def _waiting(application: Application) -> dict[str, int]:
    """How many entries wait, by model."""
    column = tables.outbox.c.model
    statement = select(column, func.count()).group_by(column)
    found: dict[str, int] = {}
    for outbox in application.primary.outboxes():
        with outbox.engine.connect() as connection:
            found.update(map(tuple, connection.execute(statement)))
    return found


def _deliver(application: Application) -> bool:
    """Deliver everything; false if the test holds the lock of its SQLite database."""
    for _ in range(2):
        try:
            drain(application.engines)
            return True
        except PrimaryError as error:
            if "locked" not in str(error):
                raise
            # A cursor that nobody holds any more is closed by this.
            gc.collect()
    return False


def _settle_debts(application: Application, record: Record) -> None:
    """Do what a worker does by and by, and count how often there was a need."""
    for outbox in application.primary.outboxes():
        for one in outbox.debt_status():
            record.debts.append((one.model, one.reason, one.count))
    for model in indebted(application.engines):
        catch_up(application.engines, application.engines.schemas[model])


def _undelivered(application: Application, record: Record) -> set[tuple[str, str]]:
    """The documents that the index has refused."""
    refused = set()
    columns = tables.outbox.c
    statement = select(columns.model, columns.key, columns.reason)
    for outbox in application.primary.outboxes():
        with outbox.engine.connect() as connection:
            for model, key, reason in connection.execute(statement):
                refused.add((model, key))
                record.undelivered.append((model, key, (reason or "")[:300]))
    return refused


logging.getLogger("nefertari_engine_base").setLevel(logging.CRITICAL)
