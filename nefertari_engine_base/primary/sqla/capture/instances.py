"""What the unit of work says of instances, for subscribers of Pyramid's events.

Entries follow from statements, so this is nobody's business but that of subscribers:
without any, nothing is kept. Nothing is loaded either: an attribute that is not there
is not told of. https://docs.sqlalchemy.org/en/20/orm/events.html#mapper-events
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstanceState, Mapper, Session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from nefertari_engine_base.events import (
    ChangesCommitted,
    DocumentCreated,
    DocumentDeleted,
    DocumentUpdated,
)
from nefertari_engine_base.primary.sqla.capture.announcing import Log
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.capture.transactions import transaction_of
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Action, Change, DocumentRef

_FLUSHED = "nefertari_flushed"

_EVENTS = (DocumentCreated, DocumentUpdated, DocumentDeleted, ChangesCommitted)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is told of the instances of one class, and to whom.

    :attr schema: has the model's key; of a base class, if that is what has documents.
    :attr references: attributes that refer to other models.
    :attr derived: attributes that the database computes, whatever has changed.
    """

    model: type
    schema: ModelSchema
    references: frozenset[str]
    derived: frozenset[str]
    key: tuple[str, ...]
    following: Following


#: By class; the last application that has asked for a class is told.
SOURCES: WeakKeyDictionary[type, Source] = WeakKeyDictionary()


def listen(source: Source) -> None:
    """Hear of a class's instances from now on."""
    mapper: Mapper[Any] = inspect(source.model)
    for name, listener in _LISTENERS.items():
        if not event.contains(mapper, name, listener):
            event.listen(mapper, name, listener)
    SOURCES[source.model] = source


def forget(following: Following) -> None:
    """Tell an application nothing more."""
    for model, source in list(SOURCES.items()):
        if source.following is following:
            del SOURCES[model]


def _heard(target: Any) -> Source | None:
    source = SOURCES.get(type(target))
    if source is None or not source.following.publisher.is_heard(*_EVENTS):
        return None
    return source


def _after_insert(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _heard(target)) is not None:
        state = instance_state(target)
        ref = DocumentRef(source.model.__name__, _current_id(source, state))
        references = dict.fromkeys(source.references - state.expired_attributes)
        references |= _references(source, state)
        change = Change(ref, Action.CREATED, references=references)
        _keep(state, connection, source, change)


def _after_update(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _heard(target)) is None:
        return
    state = instance_state(target)
    fields = _changed(state)
    if not fields:
        return
    name, current_id = source.model.__name__, _current_id(source, state)
    references, previous = _references(source, state), _previous(source, state)
    # A row that is switched for another one of its key has no identity yet.
    old_id = current_id
    if state.identity is not None:
        old_id = source.schema.document_id(state.identity)
    ref = DocumentRef(name, current_id)
    if old_id != current_id:
        gone = DocumentRef(name, old_id)
        _keep(
            state, connection, source,
            Change(gone, Action.DELETED, None, references, previous),
        )  # fmt: skip
        _keep(state, connection, source, Change(ref, Action.CREATED, None, references))
        return
    fields |= source.derived
    _keep(
        state, connection, source,
        Change(ref, Action.UPDATED, fields, references, previous),
    )  # fmt: skip


def _after_delete(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := _heard(target)) is not None:
        state = instance_state(target)
        id_ = source.schema.document_id(state.identity or _current_key(source, state))
        change = Change(
            DocumentRef(source.model.__name__, id_),
            Action.DELETED,
            references=_references(source, state),
            previous=_previous(source, state),
        )
        _keep(state, connection, source, change)


def _current_id(source: Source, state: InstanceState[Any]) -> str:
    return source.schema.document_id(_current_key(source, state))


def _current_key(source: Source, state: InstanceState[Any]) -> tuple[Any, ...]:
    values = state.dict
    known = dict(zip(source.key, state.identity or (), strict=False))
    return tuple(values.get(name, known.get(name)) for name in source.key)


def _changed(state: InstanceState[Any]) -> frozenset[str]:
    """Attributes with a net change; loads nothing."""
    keys = [key for key in state.committed_state if _history(state, key).has_changes()]
    # What a back reference has added to a collection that is not loaded.
    return frozenset([*keys, *state._pending_mutations])


def _history(state: InstanceState[Any], key: str) -> Any:
    return state.manager[key].impl.get_history(state, state.dict, PASSIVE_NO_INITIALIZE)


def _references(source: Source, state: InstanceState[Any]) -> dict[str, Any]:
    """Values of the reference attributes that are there."""
    values = state.dict
    return {key: values[key] for key in source.references if key in values}


def _previous(source: Source, state: InstanceState[Any]) -> Mapping[str, Any]:
    """Old values of the references, where they are known."""
    previous = {}
    for key in source.references:
        if key in state.committed_state:
            deleted = _history(state, key).deleted
            if deleted:
                previous[key] = deleted[0]
    return previous


def _keep(
    state: InstanceState[Any], connection: Connection, source: Source, change: Change
) -> None:
    if (session := state.session) is not None:
        found = session.info.setdefault(_FLUSHED, [])
        found.append((connection, source, change, state.obj()))


# --- flushes --------------------------------------------------------------------------


def before_flush(session: Session, context: Any, instances: Any) -> None:
    """Statements of a flush are told of by its instances."""
    session.info[_FLUSHED] = []


def is_flushing(session: Session | None) -> bool:
    """Whether a flush is running."""
    return session is not None and _FLUSHED in session.info


def after_soft_rollback(session: Session, previous: Any) -> None:
    """A flush that has failed is told nothing of."""
    session.info.pop(_FLUSHED, None)


def after_flush(session: Session, context: Any) -> None:
    """Send the events of a flush. What a subscriber raises makes the flush fail."""
    for connection, source, change, instance in session.info.pop(_FLUSHED, ()):
        following, log = source.following, Log()
        publisher = following.publisher
        publisher.publish(log, [(change, source.model, instance)])
        transaction = transaction_of(connection)
        log.write(connection, transaction, following)
        if publisher.is_heard(ChangesCommitted):
            transaction.part(following).changes.append(change)


_LISTENERS: dict[str, Callable[..., None]] = {
    "after_insert": _after_insert,
    "after_update": _after_update,
    "after_delete": _after_delete,
}
