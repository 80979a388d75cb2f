"""Writes of models: each is done when it is called, as MongoDB has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import mongoengine as me
from mongoengine.queryset.base import BaseQuerySet
from pymongo.errors import OperationFailure, WriteError

from nefertari_engine_base.compat.errors import bad_request, conflict
from nefertari_engine_base.compat.writing import Writing
from nefertari_engine_base.primary.mongo.access import AccessListField
from nefertari_engine_base.primary.mongo.contract import attributes
from nefertari_engine_base.primary.mongo.contract.fields import made
from nefertari_engine_base.primary.mongo.links import links_of

#: Models, with the relation by which each instance of the key gets one of theirs.
_GENERATED: dict[type, list[tuple[Any, str]]] = {}


class Writes(Writing):
    """A mixin: the methods of models that write."""

    __not_inherited_by_secondary__ = True

    _is_stored: bool
    pk: Any
    _fields: ClassVar[Mapping[str, Any]]

    def save(self, request: Any = None, **options: Any) -> Any:
        """See :meth:`~nefertari_engine_base.compat.writing.Writing.save`.

        Related objects are written with it, those before that it refers to, and those
        after that refer to it.

        :param options: those of MongoEngine.
        """
        self._request = request
        instance: Any = self
        with refused_documents(type(self)):
            attributes.hold_keys(instance)
            # Not before: what it refers to may have saved it, too.
            is_new = not self._is_stored
            if is_new:
                options["force_insert"] = True
            elif instance._get_changed_fields():
                self._take_updates()
            me.Document.save(instance, **options)
            self._is_stored = True
            attributes.give_keys(instance)
        if is_new:
            _generate_for(instance)
        return self

    def _take_updates(self) -> None:
        """Give fields the values that a change of others brings."""
        instance: Any = self
        changed = set(instance._get_changed_fields())
        for name, field in instance._fields.items():
            update = getattr(field, "onupdate", None)
            if update is not None and field.db_field not in changed:
                setattr(instance, name, made(update))

    def delete(self, request: Any = None, **options: Any) -> None:
        """Delete the document, and do to those that refer to it what they say.

        :raises JHTTPBadRequest: if one of them says ``RESTRICT``.
        """
        self._request = request
        with refused_documents(type(self)):
            me.Document.delete(self, **options)

    @classmethod
    def _update_many(
        cls, items: Any, params: Mapping[str, Any], request: Any = None, **_: Any
    ) -> int:
        """Change fields of the documents of a query, by one statement where they are
        plain fields, or of instances. Returns how many."""
        model: Any = cls
        fields = cls._fields
        if not isinstance(items, BaseQuerySet) or not all(
            name in fields and cls._holds(name) is None for name in params
        ):
            changed = list(items)
            for item in changed:
                item.update(params, request)
            return len(changed)
        values = {
            name: fields[name].checked(value)
            for name, value in params.items()
            if name != model.pk_field()
        }
        chosen = _by_key(cls, items)
        if not values:
            return int(chosen.count())
        for name, field in fields.items():
            if getattr(field, "onupdate", None) is not None:
                values.setdefault(name, field.checked(made(field.onupdate)))
        with refused_documents(cls):
            return int(chosen.update(**_statement(values)))

    @classmethod
    def _delete_many(cls, items: Any, request: Any = None, **_: Any) -> int:
        """Delete the documents of a query, by one statement, or instances. Returns how
        many."""
        if isinstance(items, BaseQuerySet):
            with refused_documents(cls):
                return int(_by_key(cls, items).delete())
        doomed = list(items)
        for item in doomed:
            item.delete(request)
        return len(doomed)

    @classmethod
    def autogenerate_for(cls, model: type, set_to: str) -> None:
        """Make an instance with each new one of another model, if it has none.

        :param set_to: the relation to the other model.
        """
        _GENERATED.setdefault(model, []).append((cls, set_to))

    @classmethod
    def _holds(cls, name: str) -> type | None:
        model: Any = cls
        field = model._fields.get(name)
        # An access control list is replaced: the order of its entries has a meaning.
        if isinstance(field, me.ListField) and not isinstance(field, AccessListField):
            return list
        return dict if isinstance(field, me.DictField) else None

    def _is_modified(self) -> bool:
        """Whether a stored instance has changes that are not written yet."""
        instance: Any = self
        return self._is_stored and bool(instance._get_changed_fields())

    def _is_created(self) -> bool:
        """Whether the instance is not stored yet."""
        return not self._is_stored


def _generate_for(instance: Any) -> None:
    for model, set_to in _GENERATED.get(type(instance), ()):
        link = links_of(model)[set_to]
        if not model.objects(**{link.owner_field or "": instance.pk}).limit(1).count():
            model(**{set_to: instance}).save()


def _by_key(model: Any, query: Any) -> Any:
    """The documents of a query, whatever its limit and order are."""
    return model.objects(pk__in=list(query.scalar("pk")))


def _statement(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"unset__{name}" if value is None else f"set__{name}": value
        for name, value in values.items()
    }


@contextmanager
def refused_documents(model: type) -> Iterator[None]:
    """A document that the model or the database refuses is the request's fault.

    :raises JHTTPConflict: if there is one of its key, or another unique value.
    :raises JHTTPBadRequest: for any other reason.
    """
    try:
        yield
    except me.NotUniqueError as error:
        raise conflict(f"Resource `{model.__name__}` already exists.") from error
    except me.ValidationError as error:
        raise bad_request(f"{model.__name__}: {error}") from error
    except me.OperationError as error:
        cause = error.__context__
        if isinstance(cause, OperationFailure) and not isinstance(cause, WriteError):
            raise
        raise bad_request(f"{model.__name__}: {error}") from error
