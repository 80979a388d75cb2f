"""Writes of models, in the transaction of the request, or of the thread without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Query, Session, class_mapper, object_session

from nefertari_engine_base.compat.errors import bad_request, conflict
from nefertari_engine_base.compat.writing import Writing
from nefertari_engine_base.primary.sqla.contract import containers
from nefertari_engine_base.primary.sqla.contract.relations import relations_of
from nefertari_engine_base.primary.sqla.contract.sessions import current_session

_UNIQUE_VIOLATION = "23505"
_SQLITE_UNIQUE = frozenset({"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})


class Writes(Writing):
    """A mixin: the methods of models that write."""

    __not_inherited_by_secondary__ = True

    def save(self, request: Any = None) -> Any:
        """See :meth:`~nefertari_engine_base.compat.writing.Writing.save`."""
        self._request = request
        session = object_session(self) or current_session()
        with refused_rows(type(self)):
            session.add(self)
            session.flush()
        session.expire(self)
        return self

    def delete(self, request: Any = None) -> None:
        """Delete the row, at the next flush."""
        self._request = request
        (object_session(self) or current_session()).delete(self)

    @classmethod
    def _update_many(
        cls, items: Any, params: Mapping[str, Any], request: Any = None, **_: Any
    ) -> int:
        """Change fields of the rows of a query, by one statement where they are plain
        columns, or of instances. Returns how many."""
        columns = class_mapper(cls).column_attrs
        model: Any = cls
        if not isinstance(items, Query) or not all(
            name in columns and cls._holds(name) is None for name in params
        ):
            changed = list(items)
            for item in changed:
                item.update(params, request)
            return len(changed)
        values = {
            getattr(model, name): value
            for name, value in params.items()
            if name != model.pk_field()
        }
        chosen = _by_key(cls, items)
        if not values:
            return int(chosen.count())
        with refused_rows(cls):
            return int(chosen.update(values, synchronize_session="fetch"))

    @classmethod
    def _delete_many(cls, items: Any, request: Any = None, **_: Any) -> int:
        """Delete the rows of a query, by one statement, or instances. Returns how
        many."""
        if isinstance(items, Query):
            with refused_rows(cls):
                deleted = _by_key(cls, items).delete(synchronize_session="fetch")
            return int(deleted)
        session, doomed = current_session(), list(items)
        with refused_rows(cls):
            for item in doomed:
                session.delete(item)
            session.flush()
        return len(doomed)

    @classmethod
    def autogenerate_for(cls, model: type, set_to: str) -> None:
        """Make an instance with each new one of another model, if it has none.

        :param set_to: the relation to the other model.
        """
        back = relations_of(cls)[set_to].back_populates

        def generate(session: Session, context: Any, instances: Any) -> None:
            for instance in list(session.new):
                if isinstance(instance, model) and not (
                    back and getattr(instance, back)
                ):
                    session.add(cls(**{set_to: instance}))

        event.listen(Session, "before_flush", generate)

    @classmethod
    def _holds(cls, name: str) -> type | None:
        columns = class_mapper(cls).column_attrs
        kind = columns[name].columns[0].type if name in columns else None
        if isinstance(kind, containers.List):
            return list
        return dict if isinstance(kind, containers.Object) else None

    def _is_modified(self) -> bool:
        """Whether a stored instance has changes that are not written yet."""
        state: Any = sa.inspect(self)
        return bool(state.persistent and state.session.is_modified(self))

    def _is_created(self) -> bool:
        """Whether the instance is not stored yet."""
        state: Any = sa.inspect(self)
        return not state.persistent


def _by_key(model: type, query: Query[Any]) -> Query[Any]:
    """The rows of a query, whatever its limit and order are."""
    key = class_mapper(model).primary_key[0]
    chosen = query.with_entities(key).subquery()
    return query.session.query(model).filter(key.in_(sa.select(chosen)))


@contextmanager
def refused_rows(model: type) -> Iterator[None]:
    """A row that the database refuses is the request's fault.

    :raises JHTTPConflict: if there is one of its key, or another unique value.
    :raises JHTTPBadRequest: for any other reason.
    """
    try:
        yield
    except IntegrityError as error:
        if _is_duplicate(error):
            raise conflict(f"Resource `{model.__name__}` already exists.") from error
        raise _bad_row(model, error) from error
    except StatementError as error:
        if isinstance(error, DBAPIError) and not isinstance(error, sa.exc.DataError):
            raise
        raise _bad_row(model, error) from error


def _bad_row(model: type, error: StatementError) -> Exception:
    # PostgreSQL goes on with the whole row, which has hashes of passwords in it.
    reason = str(error.orig).partition("\n")[0]
    return bad_request(f"{model.__name__}: {reason}")


def _is_duplicate(error: IntegrityError) -> bool:
    original: Any = error.orig
    return (
        getattr(original, "sqlstate", None) == _UNIQUE_VIOLATION
        or getattr(original, "sqlite_errorname", None) in _SQLITE_UNIQUE
    )
