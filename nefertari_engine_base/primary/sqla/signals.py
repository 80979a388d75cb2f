"""What SQLAlchemy's unit of work says of changes.

Rows are heard of one by one, from mapper events, which also tell what cascades and
orphans did; they are announced together when their flush is done. Listeners stand on
:class:`sqlalchemy.orm.Session` itself, so every session counts: one of pyramid_tm's,
one of a script that calls ``commit()``, a scoped one.
https://docs.sqlalchemy.org/en/20/orm/events.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import InstanceState, Mapper, Session, SessionTransaction
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox, insert_entries
from nefertari_engine_base.primary.sqla.references import stored_references
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.transaction import TransactionLog
from nefertari_engine_base.values import Action, Change, DocumentRef

_INFO = "nefertari_engine_base"
#: How the names of the tables of delivery begin.
_TABLES = "nefertari_"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is reported of the rows of one model, and to whom.

    :attr schema: has the model's key; of a base class, if that is what has documents.
    :attr references: attributes whose old values are needed.
    :attr derived: attributes that the database computes, whatever has changed.
    :attr shown_in: looks up the documents that show a row, by its id; ``None`` if no
        document does that could not be named otherwise.
    """

    model: type
    schema: ModelSchema
    references: frozenset[str]
    derived: frozenset[str]
    shown_in: Callable[[Connection, str], Mapping[str, Sequence[str]]] | None
    publisher: IPublisher
    outbox_for: Callable[[Engine], SQLOutbox]
    name: str = field(init=False)
    key: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        mapper: Mapper[Any] = inspect(self.model)
        key = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
        object.__setattr__(self, "name", self.model.__name__)
        object.__setattr__(self, "key", tuple(key))

    def current_id(self, state: InstanceState[Any]) -> str:
        """The document id of an instance as it has just been flushed."""
        values = state.dict
        try:
            key: Sequence[Any] = [values[name] for name in self.key]
        except KeyError:  # expired: the database has changed it
            key = state.mapper.primary_key_from_instance(state.obj())
        return self.schema.document_id(key)


_Found = tuple[Source, Change, Any]


@dataclass(slots=True)
class _Heard:
    """What was heard in a session, and not yet dealt with.

    :attr flushed: rows of the running flush, by the connection they were written on.
    :attr committed: the (nested) transaction that has just been committed.
    :attr stored: references as they stand in the rows that the running flush changes.
    :attr going: the documents that show rows which the running flush deletes.
    """

    flushed: dict[Connection, list[_Found]] = field(default_factory=dict)
    logs: dict[IPublisher, TransactionLog] = field(default_factory=dict)
    committed: SessionTransaction | None = None
    stored: dict[InstanceState[Any], Mapping[str, Any]] = field(default_factory=dict)
    going: dict[InstanceState[Any], Mapping[str, Sequence[str]]] = field(
        default_factory=dict
    )


_SOURCES: WeakKeyDictionary[type, Source] = WeakKeyDictionary()


def listen(source: Source) -> None:
    """Report the changes of a model from now on; the last call for a model counts."""
    if source.model not in _SOURCES:
        mapper: Mapper[Any] = inspect(source.model)
        for name, listener in _MAPPER_LISTENERS.items():
            event.listen(mapper, name, listener)
    for key in source.references:
        attribute = getattr(source.model, key)
        if not event.contains(attribute, "set", _keep_old_value):
            # Asks SQLAlchemy to load the old value before it is overwritten: it
            # names a document that has lost a row.
            event.listen(attribute, "set", _keep_old_value, active_history=True)
    _SOURCES[source.model] = source


def forget(publisher: IPublisher) -> None:
    """Report nothing more to a publisher."""
    for model, source in list(_SOURCES.items()):
        if source.publisher is publisher:
            del _SOURCES[model]
            for name, listener in _MAPPER_LISTENERS.items():
                event.remove(inspect(model), name, listener)


def _keep_old_value(*arguments: Any) -> None:
    """Listens for the sake of ``active_history`` alone."""


# --- rows ----------------------------------------------------------------------


def _after_insert(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _SOURCES.get(type(target))) is not None:
        state = instance_state(target)
        ref = DocumentRef(source.name, source.current_id(state))
        references: dict[str, Any] = {}
        if source.references:
            # What was never set, and is not for the database to set, is NULL.
            references.update(
                dict.fromkeys(source.references - state.expired_attributes)
            )
            references.update(_references(source, state))
        change = Change(ref, Action.CREATED, references=references)
        _hear(state, connection, source, change, target)


def _after_update(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _SOURCES.get(type(target))) is None:
        return
    state = instance_state(target)
    fields = _changed(state)
    if not fields:
        return
    fields |= source.derived
    name = source.name
    current_id = source.current_id(state)
    references = _references(source, state)
    previous = _previous(source, state)
    old_id = source.schema.document_id(state.identity or ())
    if old_id != current_id:
        # The row has another key now: the old document goes, a new one comes.
        gone = Change(
            DocumentRef(name, old_id), Action.DELETED, None, references, previous
        )
        come = Change(DocumentRef(name, current_id), Action.CREATED, None, references)
        _hear(state, connection, source, gone, target)
        _hear(state, connection, source, come, target)
        return
    change = Change(
        DocumentRef(name, current_id), Action.UPDATED, fields, references, previous
    )
    _hear(state, connection, source, change, target)


def _after_delete(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _SOURCES.get(type(target))) is not None:
        state = instance_state(target)
        id_ = source.schema.document_id(state.identity or ())
        change = Change(
            DocumentRef(source.name, id_),
            Action.DELETED,
            references=_references(source, state),
            previous=_previous(source, state),
            shown_in=_heard(state.session).going.pop(state, {})
            if state.session
            else {},
        )
        _hear(state, connection, source, change, target)


_MAPPER_LISTENERS: dict[str, Callable[..., None]] = {
    "after_insert": _after_insert,
    "after_update": _after_update,
    "after_delete": _after_delete,
}


def _changed(state: InstanceState[Any]) -> frozenset[str]:
    """Attributes with a net change; loads nothing."""
    keys = [key for key in state.committed_state if _history(state, key).has_changes()]
    # What a back reference has added to a collection that is not loaded.
    return frozenset([*keys, *state._pending_mutations])


def _history(state: InstanceState[Any], key: str) -> Any:
    return state.manager[key].impl.get_history(state, state.dict, PASSIVE_NO_INITIALIZE)


def _references(source: Source, state: InstanceState[Any]) -> dict[str, Any]:
    """Values of the reference attributes that are known without asking."""
    values = state.dict
    return {key: values[key] for key in source.references if key in values}


def _previous(source: Source, state: InstanceState[Any]) -> dict[str, Any]:
    """Old values of the references: those that the row had, where it was asked."""
    session = state.session
    stored = _heard(session).stored.pop(state, None) if session else None
    if stored is not None:
        values = state.dict
        return {key: value for key, value in stored.items() if values.get(key) != value}
    previous = {}
    for key in source.references:
        if key in state.committed_state:
            deleted = _history(state, key).deleted
            if deleted:
                previous[key] = deleted[0]
    return previous


def _hear(
    state: InstanceState[Any],
    connection: Connection,
    source: Source,
    change: Change,
    target: Any,
) -> None:
    session = state.session
    if session is not None:
        heard = _heard(session)
        heard.flushed.setdefault(connection, []).append((source, change, target))


def _heard(session: Session) -> _Heard:
    heard: _Heard = session.info.setdefault(_INFO, None) or _Heard()
    session.info[_INFO] = heard
    return heard


# --- sessions --------------------------------------------------------------------


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    """Learn what nobody can tell any more once it is flushed."""
    referring: dict[Source, list[InstanceState[Any]]] = {}
    for collection in (session.deleted, session.dirty):
        for instance in collection:
            source = _SOURCES.get(type(instance))
            if source is not None and source.references:
                _load_references(source, instance)
                referring.setdefault(source, []).append(inspect(instance))
    for source, states in referring.items():
        mapper: Mapper[Any] = inspect(source.model)
        connection = session.connection(bind_arguments={"mapper": mapper})
        names = sorted(source.references)
        with _explained():
            stored = stored_references(connection, mapper, names, states)
        _heard(session).stored.update(stored)
    for instance in session.deleted:
        source = _SOURCES.get(type(instance))
        if source is not None and source.shown_in is not None:
            # After the delete, and after what the database cascades, nobody can tell
            # any more which documents have shown the row.
            state = inspect(instance)
            connection = session.connection(bind_arguments={"mapper": state.mapper})
            id_ = source.schema.document_id(state.identity or ())
            _heard(session).going[state] = source.shown_in(connection, id_)


def _load_references(source: Source, instance: Any) -> None:
    values = inspect(instance).dict
    for key in source.references:
        if key not in values:
            # Reading does not keep the None of an attribute that was never set.
            set_committed_value(instance, key, getattr(instance, key))


def _after_flush(session: Session, context: Any) -> None:
    heard: _Heard | None = session.info.get(_INFO)
    if heard is None:
        return
    flushed, heard.flushed = heard.flushed, {}
    heard.stored, heard.going = {}, {}
    for connection, found in flushed.items():
        for publisher, changes in _by_publisher(found):
            log = heard.logs.get(publisher)
            if log is None:
                log = heard.logs[publisher] = _new_log(session)
            log.record(change for _, change, _ in changes)
            try:
                publisher.publish(
                    log,
                    [(change, source.model, row) for source, change, row in changes],
                )
            except BaseException:
                log.forget_wanted()
                raise
            outbox = changes[0][0].outbox_for(connection.engine)
            with _explained():
                log.write(outbox, partial(insert_entries, connection))


@contextmanager
def _explained() -> Iterator[None]:
    """A missing outbox, which a new application may well have, explained."""
    try:
        yield
    except (OperationalError, ProgrammingError) as error:
        if _TABLES in str(error.orig):
            raise PrimaryError(
                f"The database lacks the tables {_TABLES}*, in which changes are kept "
                f"until they are indexed. Call setup_database(config), or "
                f"nefertari-es setup."
            ) from error
        raise


def _by_publisher(found: list[_Found]) -> Iterator[tuple[IPublisher, list[_Found]]]:
    groups: dict[IPublisher, list[_Found]] = {}
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
    heard: _Heard | None = session.info.get(_INFO)
    if heard is not None and transaction.nested:
        for log in heard.logs.values():
            log.begin_savepoint()


def _after_commit(session: Session) -> None:
    heard: _Heard | None = session.info.get(_INFO)
    if heard is not None:
        heard.committed = session.get_nested_transaction() or session.get_transaction()


def _after_soft_rollback(session: Session, previous: SessionTransaction) -> None:
    heard: _Heard | None = session.info.get(_INFO)
    if heard is not None:
        heard.flushed = {}
        heard.going = {}
        heard.stored = {}


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    heard: _Heard | None = session.info.get(_INFO)
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


_SESSION_LISTENERS: dict[str, Callable[..., None]] = {
    "before_flush": _before_flush,
    "after_flush": _after_flush,
    "after_transaction_create": _after_transaction_create,
    "after_commit": _after_commit,
    "after_soft_rollback": _after_soft_rollback,
    "after_transaction_end": _after_transaction_end,
}

for _name, _listener in _SESSION_LISTENERS.items():
    event.listen(Session, _name, _listener)
