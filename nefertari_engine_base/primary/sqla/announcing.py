"""What a session has changed, from the change to the end of its transaction.

Changes are announced when they have been flushed or executed, and their entries are
written with them; a savepoint that is rolled back takes both back. Listeners stand on
:class:`sqlalchemy.orm.Session` itself, so every session counts: one of pyramid_tm's,
one of a script that calls ``commit()``, a scoped one.
https://docs.sqlalchemy.org/en/20/orm/session_events.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, RootTransaction
from sqlalchemy.orm import InstanceState, Session, SessionTransaction

from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.sqla import holding
from nefertari_engine_base.primary.sqla.debts import insert_debts
from nefertari_engine_base.primary.sqla.sources import SOURCES, Source
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.sync.transaction import TransactionLog
from nefertari_engine_base.values import Action, Change

_INFO = "nefertari_engine_base"

#: A change, and the instance it happened to, if there is one.
Found = tuple[Source, Change, Any]


@dataclass(slots=True)
class Heard:
    """What was heard in a session, and not yet dealt with.

    :attr flushed: rows of the running flush, by the connection they were written on.
    :attr roots: the transactions that entries were last written in.
    :attr committed: the (nested) transaction that has just been committed.
    :attr stored: references as they stand in the rows that the running flush changes.
    :attr going: the documents that show rows which the running flush deletes.
    :attr spelled: keys of rows that go or get another one, as the rows spell them.
    :attr cascaded: what the database will do by itself in the running flush.
    """

    flushed: dict[Connection, list[Found]] = field(default_factory=dict)
    logs: dict[IPublisher, TransactionLog] = field(default_factory=dict)
    roots: dict[Connection, RootTransaction | None] = field(default_factory=dict)
    committed: SessionTransaction | None = None
    stored: dict[InstanceState[Any], Mapping[str, Any]] = field(default_factory=dict)
    going: dict[InstanceState[Any], Mapping[str, Sequence[str]]] = field(
        default_factory=dict
    )
    cascaded: dict[Connection, list[Found]] = field(default_factory=dict)
    spelled: dict[InstanceState[Any], tuple[Any, ...]] = field(default_factory=dict)

    def forget_flush(self) -> None:
        """The running flush is over, or has failed."""
        self.flushed, self.cascaded = {}, {}
        self.stored, self.going, self.spelled = {}, {}, {}


def heard_of(session: Session) -> Heard:
    """What was heard in a session, which begins to be remembered."""
    heard: Heard = session.info.setdefault(_INFO, None) or Heard()
    session.info[_INFO] = heard
    return heard


def known_of(session: Session) -> Heard | None:
    """As :func:`heard_of`; ``None`` if nothing was heard."""
    known: Heard | None = session.info.get(_INFO)
    return known


def announce(session: Session, connection: Connection, found: Sequence[Found]) -> None:
    """Announce changes in the session's transaction, and write their entries, or have
    them written with its commit; see :mod:`.holding`.

    Changes with an instance get an event each, the others one for each model and
    action.

    :raises PrimaryError: if the database lacks the outbox.
    """
    _look_for_another_transaction(heard_of(session), connection)
    for publisher, changes in _by_publisher(found):
        log = _log_of(session, publisher)
        log.record(change for _, change, _ in changes)
        try:
            _publish(publisher, log, changes)
        except BaseException:
            log.forget_wanted()
            raise
        outbox = changes[0][0].outbox_for(connection.engine)
        if (wanted := log.take(outbox)) is not None:
            holding.write(connection, wanted)
        with explained():
            log.write_debts(partial(insert_debts, connection))


def _look_for_another_transaction(heard: Heard, connection: Connection) -> None:
    """Whoever gave a session its connection may have committed on it meanwhile: entries
    that were written before are no longer those of what comes."""
    root = connection.get_transaction()
    if heard.roots.setdefault(connection, root) is not root:
        heard.roots[connection] = root
        for log in heard.logs.values():
            log.forget_written()


def forgo(session: Session, connection: Connection, models: Sequence[type]) -> bool:
    """Owe all documents that show rows of these classes, if sync is suspended for all.

    :return: whether it is; if not, nothing is owed.
    :raises PrimaryError: if the database lacks the table of debts.
    """
    if not models:
        return False
    publishers = {SOURCES[model].publisher for model in models}
    logs = {publisher: _log_of(session, publisher) for publisher in publishers}
    forgone = all(
        publisher.forgo(log, publisher.documents_of(models))
        for publisher, log in logs.items()
    )
    for log in logs.values():
        if forgone:
            with explained():
                log.write_debts(partial(insert_debts, connection))
        else:
            log.forget_wanted()
    return forgone


def _log_of(session: Session, publisher: IPublisher) -> TransactionLog:
    logs = heard_of(session).logs
    if publisher not in logs:
        logs[publisher] = _new_log(session)
    return logs[publisher]


def _publish(
    publisher: IPublisher, log: TransactionLog, changes: Sequence[Found]
) -> None:
    single = [
        (change, source.model, row)
        for source, change, row in changes
        if row is not None
    ]
    if single:
        publisher.publish(log, single)
    if len(single) < len(changes):
        groups: dict[tuple[type, Action], list[Change]] = {}
        for source, change, row in changes:
            if row is None:
                groups.setdefault((source.model, change.action), []).append(change)
        for (model, _), group in groups.items():
            publisher.publish_many(log, model, group)


def _by_publisher(
    found: Sequence[Found],
) -> Iterator[tuple[IPublisher, Sequence[Found]]]:
    groups: dict[IPublisher, list[Found]] = {}
    for item in found:
        groups.setdefault(item[0].publisher, []).append(item)
    yield from groups.items()


def _new_log(session: Session) -> TransactionLog:
    log = TransactionLog()
    transaction = session.get_nested_transaction() or session.get_transaction()
    while transaction is not None:
        if transaction.nested:
            log.begin_savepoint()
        transaction = transaction.parent
    return log


def _after_transaction_create(
    session: Session, transaction: SessionTransaction
) -> None:
    heard = known_of(session)
    if heard is not None and transaction.nested:
        for log in heard.logs.values():
            log.begin_savepoint()


def _after_commit(session: Session) -> None:
    heard = known_of(session)
    if heard is not None:
        heard.committed = session.get_nested_transaction() or session.get_transaction()


def _after_soft_rollback(session: Session, previous: SessionTransaction) -> None:
    heard = known_of(session)
    if heard is not None:
        heard.forget_flush()


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    heard = known_of(session)
    if heard is None:
        return
    committed = heard.committed is transaction
    if transaction.nested:
        for log in heard.logs.values():
            if committed:
                log.release_savepoint()
            else:
                log.rollback_savepoint()
    elif transaction.parent is None:
        # The session is free for others from here on, and so is this state.
        del session.info[_INFO]
        if committed:
            for publisher, log in heard.logs.items():
                publisher.committed(log.changes, log.entries())


_LISTENERS: dict[str, Callable[..., None]] = {
    "after_transaction_create": _after_transaction_create,
    "after_commit": _after_commit,
    "after_soft_rollback": _after_soft_rollback,
    "after_transaction_end": _after_transaction_end,
}

for _name, _listener in _LISTENERS.items():
    event.listen(Session, _name, _listener)
