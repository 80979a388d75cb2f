"""The session's legacy bulk methods, which send no events.

``bulk_save_objects``, ``bulk_insert_mappings`` and ``bulk_update_mappings`` go past the
unit of work and past ``do_orm_execute``. So the methods of
:class:`sqlalchemy.orm.Session` are replaced by ones that call them and report; classes
derived from it inherit these.
https://docs.sqlalchemy.org/en/20/orm/queryguide/dml.html#legacy-session-bulk-insert-methods
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.attributes import instance_state

from nefertari_engine_base.primary.sqla.announcing import Found, announce
from nefertari_engine_base.primary.sqla.references import lock_sqlite
from nefertari_engine_base.primary.sqla.rows import (
    RowReader,
    changed,
    created,
    is_followed,
    read_rows,
)

_Keys = Sequence[tuple[Any, ...]]


class _Rows:
    """Rows of one class that a bulk method writes in a session."""

    def __init__(self, session: Session, mapper: Mapper[Any]) -> None:
        self._session = session
        self._reader = RowReader(mapper)
        self._bind = {"mapper": mapper}
        self.key_names = self._reader.key_names

    def report_new(self, keys: _Keys) -> None:
        """Report that rows of these keys were inserted."""
        connection = self._session.connection(bind_arguments=self._bind)
        rows = read_rows(connection, self._reader, keys)
        announce(self._session, connection, [created(row) for row in rows])

    @contextmanager
    def reported_change(self, keys: _Keys) -> Iterator[None]:
        """Report that rows of these keys were updated meanwhile."""
        connection = self._session.connection(bind_arguments=self._bind)
        lock_sqlite(connection)
        before = read_rows(connection, self._reader, keys)
        yield
        rows = [(row, row.key) for row in before]
        found: list[Found] = changed(connection, self._reader, rows, None)
        announce(self._session, connection, found)


def _insert_mappings(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def bulk_insert_mappings(
        session: Session,
        mapper: Any,
        mappings: Iterable[dict[str, Any]],
        return_defaults: bool = False,
        render_nulls: bool = False,
    ) -> None:
        mapped: Mapper[Any] = inspect(mapper)
        if not is_followed(mapped):
            original(session, mapper, mappings, return_defaults, render_nulls)
            return
        rows, values = _Rows(session, mapped), list(mappings)
        if not all(_has_key(rows, row) for row in values):
            # The database makes keys, and only so tells which.
            return_defaults = True
        original(session, mapper, values, return_defaults, render_nulls)
        rows.report_new([_key(rows, row) for row in values])

    return bulk_insert_mappings


def _update_mappings(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def bulk_update_mappings(
        session: Session, mapper: Any, mappings: Iterable[dict[str, Any]]
    ) -> None:
        mapped: Mapper[Any] = inspect(mapper)
        if not is_followed(mapped):
            original(session, mapper, mappings)
            return
        rows, values = _Rows(session, mapped), list(mappings)
        with rows.reported_change([_key(rows, row) for row in values]):
            original(session, mapper, values)

    return bulk_update_mappings


def _save_objects(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def bulk_save_objects(
        session: Session,
        objects: Iterable[object],
        return_defaults: bool = False,
        update_changed_only: bool = True,
        preserve_order: bool = True,
    ) -> None:
        saved = list(objects)
        new: dict[Mapper[Any], list[Any]] = {}
        old: dict[Mapper[Any], list[Any]] = {}
        for instance in saved:
            state = instance_state(instance)
            if is_followed(state.mapper):
                group = new if state.key is None else old
                group.setdefault(state.mapper, []).append(instance)
        changes = _Changes(session, old)
        with changes.reported():
            original(
                session,
                saved,
                return_defaults or bool(new),
                update_changed_only,
                preserve_order,
            )
        for mapper, instances in new.items():
            keys = [tuple(mapper.primary_key_from_instance(i)) for i in instances]
            _Rows(session, mapper).report_new(keys)

    return bulk_save_objects


class _Changes:
    """Persistent instances that are saved in bulk, by class."""

    def __init__(self, session: Session, old: dict[Mapper[Any], list[Any]]) -> None:
        self._groups = [
            (_Rows(session, mapper), [instance_state(i).identity or () for i in found])
            for mapper, found in old.items()
        ]

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Report their rows once they were updated."""
        with ExitStack() as stack:
            for rows, keys in self._groups:
                stack.enter_context(rows.reported_change(keys))
            yield


def _has_key(rows: _Rows, values: dict[str, Any]) -> bool:
    return all(values.get(name) is not None for name in rows.key_names)


def _key(rows: _Rows, values: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(values[name] for name in rows.key_names)


_REPLACED: dict[str, Callable[..., Callable[..., None]]] = {
    "bulk_insert_mappings": _insert_mappings,
    "bulk_update_mappings": _update_mappings,
    "bulk_save_objects": _save_objects,
}

for _name, _reporting in _REPLACED.items():
    setattr(Session, _name, _reporting(getattr(Session, _name)))
