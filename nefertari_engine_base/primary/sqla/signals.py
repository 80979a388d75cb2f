"""What SQLAlchemy's unit of work says of changes.

Rows are heard of one by one, from mapper events, which also tell what the unit of
work's cascades and orphans did; they are announced together when their flush is done.
https://docs.sqlalchemy.org/en/20/orm/events.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.orm import InstanceState, Mapper, Session
from sqlalchemy.orm.attributes import instance_state, set_committed_value
from sqlalchemy.orm.base import PASSIVE_NO_INITIALIZE

from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.sqla.announcing import (
    announce,
    heard_of,
    known_of,
)
from nefertari_engine_base.primary.sqla.cascades import (
    Cause,
    foresee,
    lock_rows,
    reaches_documents,
)
from nefertari_engine_base.primary.sqla.references import (
    stored_key,
    stored_references,
)
from nefertari_engine_base.primary.sqla.sources import SOURCES, Source
from nefertari_engine_base.primary.sqla.tables import explained
from nefertari_engine_base.values import Action, Change, DocumentRef


def listen(source: Source) -> None:
    """Report the changes of a model from now on; the last call for a model counts."""
    if source.model not in SOURCES:
        mapper: Mapper[Any] = inspect(source.model)
        for name, listener in _MAPPER_LISTENERS.items():
            event.listen(mapper, name, listener)
    for key in source.references:
        attribute = getattr(source.model, key)
        if not event.contains(attribute, "set", _keep_old_value):
            # Asks SQLAlchemy to load the old value before it is overwritten: it
            # names a document that has lost a row.
            event.listen(attribute, "set", _keep_old_value, active_history=True)
    SOURCES[source.model] = source


def forget(publisher: IPublisher) -> None:
    """Report nothing more to a publisher."""
    for model, source in list(SOURCES.items()):
        if source.publisher is publisher:
            del SOURCES[model]
            for name, listener in _MAPPER_LISTENERS.items():
                event.remove(inspect(model), name, listener)


def _keep_old_value(*arguments: Any) -> None:
    """Listens for the sake of ``active_history`` alone."""


# --- rows ----------------------------------------------------------------------


def _after_insert(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    if (source := SOURCES.get(type(target))) is not None:
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
    if (source := SOURCES.get(type(target))) is None:
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
    old_id = _stored_id(source, state)
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
    if (source := SOURCES.get(type(target))) is not None:
        state = instance_state(target)
        id_ = _stored_id(source, state)
        change = Change(
            DocumentRef(source.name, id_),
            Action.DELETED,
            references=_references(source, state),
            previous=_previous(source, state),
            shown_in=heard_of(state.session).going.pop(state, {})
            if state.session
            else {},
        )
        _hear(state, connection, source, change, target)


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
    stored = heard_of(session).stored.pop(state, None) if session else None
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
        heard = heard_of(session)
        heard.flushed.setdefault(connection, []).append((source, change, target))


# --- sessions --------------------------------------------------------------------


def _before_flush(session: Session, context: Any, instances: Any) -> None:
    """Learn what nobody can tell any more once it is flushed."""
    # Each is a new collection whenever it is asked for.
    going, dirty = session.deleted, session.dirty
    if not (going or dirty):
        return
    referring: dict[Source, list[InstanceState[Any]]] = {}
    for collection in (going, dirty):
        for instance in collection:
            source = SOURCES.get(type(instance))
            if source is not None and source.references:
                _load_references(source, instance)
                referring.setdefault(source, []).append(inspect(instance))
    for source, states in referring.items():
        mapper: Mapper[Any] = inspect(source.model)
        connection = session.connection(bind_arguments={"mapper": mapper})
        names = sorted(source.references)
        with explained():
            stored = stored_references(connection, mapper, names, states)
        heard_of(session).stored.update(stored)
    for instance in going:
        source = SOURCES.get(type(instance))
        if source is not None:
            _look_up_key(source, session, instance_state(instance))
            _look_up_shown(source, session, instance_state(instance))
    moved = [instance for instance in dirty if _has_new_key(instance)]
    for instance in moved:
        source = SOURCES.get(type(instance))
        if source is not None:
            _look_up_key(source, session, instance_state(instance))
    _foresee(session, going, Cause.DELETE)
    _foresee(session, moved, Cause.NEW_KEY)


def _look_up_key(source: Source, session: Session, state: InstanceState[Any]) -> None:
    if source.is_respelled and state.identity:
        connection = session.connection(bind_arguments={"mapper": state.mapper})
        key = stored_key(connection, state.mapper, state.identity)
        heard_of(session).spelled[state] = key


def _stored_id(source: Source, state: InstanceState[Any]) -> str:
    """The id of the document that a row has had."""
    known = heard_of(state.session).spelled if state.session else {}
    return source.schema.document_id(known.get(state) or state.identity or ())


def _look_up_shown(source: Source, session: Session, state: InstanceState[Any]) -> None:
    """Learn which documents show a row, while it is there: after the delete, and after
    what the database cascades, nobody can tell any more."""
    if source.shown_in is not None and state.identity:
        connection = session.connection(bind_arguments={"mapper": state.mapper})
        # Nobody else shall begin to show it.
        lock_rows(connection, state.mapper, [state.identity])
        id_ = source.schema.document_id(state.identity or ())
        heard_of(session).going[state] = source.shown_in(connection, [id_])


def _before_delete(mapper: Mapper[Any], connection: Connection, target: Any) -> None:
    source, state = SOURCES.get(type(target)), instance_state(target)
    session = state.session
    # An orphan is found out by the flush itself.
    if source is not None and session and state not in heard_of(session).going:
        _look_up_shown(source, session, state)


def _has_new_key(instance: Any) -> bool:
    state = instance_state(instance)
    return any(
        state.mapper.get_property_by_column(column).key in state.committed_state
        for column in state.mapper.primary_key
    )


def _foresee(session: Session, instances: Iterable[Any], cause: Cause) -> None:
    """Learn what the database will do by itself with the rows of others."""
    keys: dict[Mapper[Any], list[Any]] = {}
    for instance in instances:
        state = instance_state(instance)
        if state.identity is not None:
            keys.setdefault(state.mapper, []).append(state.identity)
    for mapper, chosen in keys.items():
        if reaches_documents(mapper, cause):
            connection = session.connection(bind_arguments={"mapper": mapper})
            found = foresee(connection, mapper, chosen, cause)
            heard_of(session).cascaded.setdefault(connection, []).extend(found)


def _load_references(source: Source, instance: Any) -> None:
    values = inspect(instance).dict
    for key in source.references:
        if key not in values:
            # Reading does not keep the None of an attribute that was never set.
            set_committed_value(instance, key, getattr(instance, key))


def _after_flush(session: Session, context: Any) -> None:
    heard = known_of(session)
    if heard is None:
        return
    flushed, cascaded = heard.flushed, heard.cascaded
    heard.forget_flush()
    for connection, found in flushed.items():
        announce(session, connection, found)
    for connection, found in cascaded.items():
        # What the unit of work's own cascades have done was heard of already.
        known = {change.ref for _, change, _ in flushed.get(connection, ())}
        new = [item for item in found if item[1].ref not in known]
        announce(session, connection, new)


_MAPPER_LISTENERS: dict[str, Callable[..., None]] = {
    "after_insert": _after_insert,
    "after_update": _after_update,
    "before_delete": _before_delete,
    "after_delete": _after_delete,
}

event.listen(Session, "before_flush", _before_flush)
event.listen(Session, "after_flush", _after_flush)
