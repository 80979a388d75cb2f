"""Entries around a statement: before it, or from what it has made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler

from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.primary.sqla.asking import ask
from nefertari_engine_base.primary.sqla.capture import (
    announcing,
    cascading,
    dml,
    inserting,
    instances,
    row_changes,
    texts,
    volatile,
)
from nefertari_engine_base.primary.sqla.capture.announcing import Statement
from nefertari_engine_base.primary.sqla.capture.attempting import attempted
from nefertari_engine_base.primary.sqla.capture.drivers import (
    are_keys_enforced,
    commits_by_itself,
    own_transaction,
)
from nefertari_engine_base.primary.sqla.capture.ending import ended_unseen
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.capture.own_entries import notice
from nefertari_engine_base.primary.sqla.capture.planning import changes_rows, plans_of
from nefertari_engine_base.primary.sqla.capture.plans import (
    ChangePlan,
    InsertPlan,
    Plan,
)
from nefertari_engine_base.primary.sqla.capture.reading import RowSource
from nefertari_engine_base.primary.sqla.capture.sets import EntrySet
from nefertari_engine_base.primary.sqla.capture.touching import Known
from nefertari_engine_base.primary.sqla.capture.transactions import (
    Transaction,
    has_failed,
    is_lost,
    known_transaction,
    transaction_of,
)
from nefertari_engine_base.primary.sqla.keys import MOST_KEYS
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.values import Touch

#: What a driver does with the statement.
Call = Callable[[], Any]


class Execution:
    """A statement that is about to be executed, for one application.

    :param call: executes it, by the driver.
    """

    def __init__(
        self, connection: Connection, context: Any, cursor: Any,
        transaction: Transaction, following: Following, plan: Plan,
    ) -> None:  # fmt: skip
        self.connection, self.context, self.cursor = connection, context, cursor
        self.transaction, self.following, self.plan = transaction, following, plan
        self.outbox = following.outbox_for(connection.engine)
        self.statement = Statement(following, plan, context.statement, transaction)
        self.parameters: Sequence[Mapping[str, Any]] = context.compiled_parameters

    @property
    def is_told(self) -> bool:
        """Whether somebody asks for the rows, and no instances stand for them."""
        session = self.transaction.session
        flushing = session is not None and instances.is_flushing(session())
        return not flushing and announcing.is_heard(self.following)

    def run(self, call: Call) -> Any:
        """Execute it, with what goes before and after."""
        self.statement.announce(self.connection)
        plan = self.plan
        if not self.statement.is_wanted and not self.is_told:
            return call()
        if plan.uncaptured:
            self.statement.resync(self.connection, plan.uncaptured, plan.why)
            return call()
        if isinstance(plan, InsertPlan):
            return inserting.run(self, plan, call)
        assert isinstance(plan, ChangePlan)
        changes = row_changes.before(self, plan) if self.is_told else ()
        result = self._change(plan, call)
        if changes:
            self.statement.executed(self.connection, changes)
        return result

    # --- UPDATE and DELETE

    def _change(self, plan: ChangePlan, call: Call) -> Any:
        if plan.suspects and volatile.is_volatile(self.connection, plan.suspects):
            names = ", ".join(sorted(plan.suspects))
            why = f"it may choose other rows each time ({names})"
            self.statement.resync(self.connection, plan.documents, why)
            return call()
        counts: list[int | None] = []
        with self.understood() as understood:
            counts = self._read(plan)
        if not understood:
            return call()
        touches = partial(self._touches, plan)
        try:
            result = call()
        except BaseException:
            if self.context.executemany and self.connection.dialect.name == "sqlite":
                # What it has written before it has failed stays.
                self.transaction.wait(self.connection, self.following, touches)
            raise
        try:
            self.transaction.want(self.connection, self.following, touches())
            self._check(plan, counts)
        except BaseException as error:
            self.doom(error)
            raise
        return result

    @contextmanager
    def understood(self) -> Iterator[list[bool]]:
        """Before the statement: a defect of ours is not to be the application's error.

        :return: is empty afterwards, if its models are synchronised again instead.
        """
        found = [True]
        try:
            yield found
        except (SQLAlchemyError, EngineError):
            raise
        except Exception as error:
            if is_lost(self.connection):
                raise  # told of, as that of the statement would be
            found.clear()
            why = announcing.misunderstood(error)
            self.statement.resync(self.connection, self.plan.documents, why)

    def doom(self, error: BaseException) -> None:
        """After the statement: nobody can commit it if its entries fail."""
        self.transaction.doom(self.connection, error)

    def _touches(self, plan: ChangePlan) -> Iterator[Touch]:
        return self.statement.told(self.connection, self._named(plan))

    def _named(self, plan: ChangePlan) -> Iterator[Known]:
        for values in self.parameters:
            old = {column: values[name] for column, name in plan.pinned.items()}
            new = {**old, **{c: values[name] for c, name in plan.news.items()}}
            for names, is_new in plan.named:
                row = new if is_new else old
                known = names.known(row) if names.is_meant(row) else None
                if known is not None:
                    yield known

    def _read(self, plan: ChangePlan) -> list[int | None]:
        """Make entries of what has to be read; the numbers of rows, set by set."""
        source = plan.source
        if source is None or (source.reads is None and not source.levels):
            return []
        if len(self.parameters) > 1 and plan.by_key and source.is_by_key:
            names = [plan.pinned[name] for name in plan.table.key]  # type: ignore[union-attr]
            keys = (tuple(values[name] for name in names) for values in self.parameters)
            known = (key for key in keys if None not in key)
            with self.reading_before():
                while chosen := list(dict.fromkeys(islice(known, MOST_KEYS))):
                    for keyed, values in source.of_keys(self.connection, chosen):
                        self._make(keyed, values)
            return []
        return [self._read_one(plan, source, values) for values in self.parameters]

    def _read_one(
        self, plan: ChangePlan, source: RowSource, values: Mapping[str, Any]
    ) -> int | None:
        try:
            bound = dml.bound_values(self.context, plan.elements, values)
        except LookupError:
            why = "a value is a part of its text"
            self.statement.resync(self.connection, plan.documents, why)
            return None
        bound |= {name: values[name] for name in plan.news.values()}
        with self.reading_before():
            return self._make(source, bound)
        return None

    @contextmanager
    def reading_before(self) -> Iterator[None]:
        """What is read before the statement: if the database refuses it, the models are
        synchronised again."""
        with attempted(self.connection) as refused:
            yield
        if refused:
            why = "its rows could not be read before it"
            self.statement.resync(self.connection, self.plan.documents, why)

    def _make(self, source: RowSource, values: Mapping[str, Any]) -> int | None:
        rows: int | None = None
        if source.reads is not None:
            rows = self.make(source.reads, values)
        elif source.levels and self.connection.dialect.name != "sqlite":
            rows = ask(self.connection, source.locking(), values).scalar_one()
        for level in source.levels:
            if self.connection.dialect.name != "sqlite":
                cascading.lock(self.connection, level, values)
            entries = level.entries(enforced=True)
            if entries is not None:
                self.make(entries, values)
        return rows

    def make(self, entries: EntrySet, values: Mapping[str, Any]) -> int | None:
        """Have the database make entries; the number of rows, if it was counted."""
        wanted = self.statement.wanted
        if self.statement.owed:
            roots = {reading.capture.root for reading in entries.readings}
            self.statement.owe(self.connection, roots)
        if not wanted:
            return None
        most = self.transaction.room(self.following)
        with explained():
            made = entries.make(self.connection, self.outbox, wanted, values, most)
        self.transaction.note(self.following, self.outbox, made.entries, made.ids)
        return made.rows

    def _check(self, plan: ChangePlan, counts: Sequence[int | None]) -> None:
        """Rows that were locked cannot become fewer: if the statement has changed as
        many as there were, it has changed these."""
        if plan.by_key or len(counts) != 1 or counts[0] is None:
            return
        if self.connection.dialect.name == "sqlite":
            # Nobody else can have written meanwhile, and RETURNING counts no rows yet.
            return
        changed = self.cursor.rowcount
        if changed >= 0 and changed != counts[0]:
            why = f"it changed {changed} rows where {counts[0]} had been seen"
            self.statement.resync(self.connection, plan.documents, why, after=True)


# --- what the dialect is asked to do -------------------------------------------------


@dataclass(slots=True, eq=False)
class Followed:
    """Who follows what a dialect executes.

    :attr by_statements: applications whose entries are written around statements.
    :attr by_triggers: those whose entries the database writes.
    """

    by_statements: list[Following] = field(default_factory=list)
    by_triggers: list[Following] = field(default_factory=list)

    def add(self, following: Following) -> None:
        """Follow for an application; it may do so already."""
        chosen = self.by_triggers if following.by_triggers else self.by_statements
        if following not in chosen:
            chosen.append(following)

    def discard(self, following: Following) -> None:
        """Follow for an application no more."""
        for chosen in (self.by_triggers, self.by_statements):
            if following in chosen:
                chosen.remove(following)


def execute(
    followed: Followed, original: Callable[..., Any], cursor: Any,
    text: str, *rest: Any,
) -> Any:  # fmt: skip
    """Stands in for the dialect's ``do_execute`` and its likes.

    :param rest: the parameters, if there are any, and the statement's context.
    """
    context, followings = rest[-1], followed.by_statements
    if not followings:
        # Nothing but what subscribers have asked for may have to be written before.
        if followed.by_triggers and notice(context, followed.by_triggers):
            return texts.execute(
                (), partial(original, cursor, text, *rest), text, context
            )
        return original(cursor, text, *rest)
    _notice_end(context)
    if followed.by_triggers:
        notice(context, followed.by_triggers)
    compiled = getattr(context, "compiled", None)
    call = partial(original, cursor, text, *rest)
    if isinstance(compiled, SQLCompiler) and not compiled.isplaintext:
        if changes_rows(compiled):
            return _execute_compiled(followings, call, cursor, text, context, compiled)
        if getattr(compiled.statement, "is_select", False):
            return call()
    return texts.execute(followings, call, text, context)


def _notice_end(context: Any) -> None:
    """What is held may be of a transaction that the driver's own connection has ended:
    a rollback of the one that begins now is not to undo it."""
    if context is not None:
        connection = context.root_connection
        known = known_transaction(connection)
        if known is not None and known.is_busy and not known.is_own:
            ended_unseen(connection.dialect, connection.connection, known)


def _execute_compiled(
    followings: Sequence[Following], call: Call, cursor: Any, text: str, context: Any,
    compiled: Any,
) -> Any:  # fmt: skip
    connection = context.root_connection
    known = known_transaction(connection)
    if known is not None and known.context is context:
        # The next batch of the same statement.
        return call()
    if has_failed(connection):
        # The database refuses it, and whatever would be asked of it before.
        return call()
    if known is not None:
        known.resolve()
    if not dml.is_of(context, text):
        # A default that it asks for first, or what somebody has made of it.
        return texts.execute(followings, call, text, context)
    enforced = are_keys_enforced(connection)
    found = [
        (one, plan)
        for one in followings
        for plan in plans_of(compiled, one, enforced)
        if not _is_elsewhere(one, plan, context)
    ]
    if not found:
        return call()
    return _execute_followed(found, call, cursor, context)


def _execute_followed(
    found: Sequence[tuple[Following, Plan]], call: Call, cursor: Any, context: Any
) -> Any:
    connection = context.root_connection
    transaction = transaction_of(connection)
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite and dml.gives_rows(context) and commits_by_itself(connection):
        # Nothing can be committed as long as its rows are not fetched.
        for following, plan in found:
            announcing.owe_all(connection, transaction, following, plan, context)
        return call()
    with own_transaction(connection, transaction):
        if dml.is_in_batches(context):
            transaction.context = context
        for following, plan in found:
            execution = Execution(
                connection, context, cursor, transaction, following, plan
            )
            call = partial(execution.run, call)
        return call()


def _is_elsewhere(following: Following, plan: Plan, context: Any) -> bool:
    """Whether the rows are of another schema than those of the documents."""
    translated = dml.schemas_translated(context)
    if not translated or plan.table is None:
        return False
    schema = plan.table.table.schema
    chosen = translated.get(schema, schema)
    if chosen == schema:
        return False
    announcing.tell_elsewhere(following, plan.table.table.name, chosen)
    return True
