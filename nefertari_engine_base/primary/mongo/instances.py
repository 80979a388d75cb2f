"""Instances that hold what computed fields read, and nothing else.

MongoEngine gives ``None`` for what was not loaded, and fetches a reference when it is
looked at. Both would go unnoticed in a delivery: nobody would follow a change of what
was read. So these instances keep their values in a dictionary that refuses such reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import mongoengine as me
from bson import DBRef
from mongoengine.base import LazyReference
from mongoengine.errors import DoesNotExist

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.mongo.defaults import is_made_anew
from nefertari_engine_base.primary.mongo.dependencies import problem_of
from nefertari_engine_base.primary.mongo.keys import (
    find_by_keys,
    of_class,
    stored_name,
)
from nefertari_engine_base.primary.mongo.relations import Place, reference_of
from nefertari_engine_base.primary.mongo.types import key_field_of
from nefertari_engine_base.schema import ModelSchema, RelationSchema

_Raw = Mapping[str, Any]

#: An instance, or why there is none.
Made = Any


class Held(dict[str, Any]):
    """The values of an instance, where MongoEngine looks for them.

    A value that is an error is raised when it is read.

    :param every: names of all fields of the class.
    :param path: by which the computed fields reach the instance.
    :param unnamed: takes the paths of what is read and is not here.
    """

    def __init__(
        self,
        values: _Raw,
        every: Sequence[str],
        path: tuple[str, ...],
        unnamed: list[str],
    ) -> None:
        super().__init__(values)
        self._every = every
        self._path = path
        self._unnamed = unnamed

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field. :raises ConversionError: if it is not here."""
        return self[name]

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, Exception):
            raise value
        return value

    def __missing__(self, name: str) -> Any:
        path = ".".join((*self._path, name))
        self._unnamed.append(path)
        raise ConversionError(f"{path} is not loaded: depends_on does not name it")

    def __eq__(self, other: object) -> bool:
        # Embedded documents are equal if all of their values are.
        return self._whole() == (other._whole() if isinstance(other, Held) else other)

    def _whole(self) -> dict[str, Any]:
        return {name: self[name] for name in self._every}


class Instances:
    """Makes instances of one class; safe to share between threads.

    :param schema: says what they hold: the key, ``depended`` and ``followed``.
    :param path: by which computed fields reach them.
    """

    def __init__(self, schema: ModelSchema, path: tuple[str, ...] = ()) -> None:
        self._model: Any = schema.model
        self._name = schema.name
        self._path = path
        self._names = {*schema.primary_key, *schema.depended}
        self._relations = [
            (_Inline if relation.inline else _Referenced)(schema, relation, path)
            for relation in schema.followed.values()
        ]
        self._stored = [
            "_cls",
            *(stored_name(self._model, name) for name in sorted(self._names)),
        ]

    @property
    def needed(self) -> Iterator[str]:
        """Names, as MongoDB has them, of what instances are made of."""
        yield from self._stored
        for relation in self._relations:
            yield relation.place.stored

    def make(self, raws: Sequence[_Raw], unnamed: list[str]) -> list[Made]:
        """An instance of each raw document, or why there is none.

        Takes one query for each relation to other collections.

        :param unnamed: takes the paths of what they are asked for and do not hold.
        """
        made = [self._make(raw, unnamed) for raw in raws]
        whole = [
            (raw, instance)
            for raw, instance in zip(raws, made, strict=True)
            if not isinstance(instance, Exception)
        ]
        for relation in self._relations:
            relation.fill(whole, unnamed)
        return made

    def _make(self, raw: Any, unnamed: list[str]) -> Made:
        if not isinstance(raw, Mapping):
            return ConversionError(f"{raw!r} is no document")
        chosen = {name: raw[name] for name in self._stored if name in raw}
        lost = [name for name, value in chosen.items() if _refers(value)]
        for stored in lost:
            # MongoEngine would fetch what it refers to.
            chosen[stored] = None
        try:
            instance = self._model._from_son(chosen)
        except Exception as error:  # noqa: BLE001 - fields of applications convert, too
            return ConversionError(
                f"an instance of {self._name} cannot be made of what is stored: {error}"
            )
        relations = {relation.place.name for relation in self._relations}
        _hold(instance, {*self._names, *relations}, self._path, unnamed)
        for name in self._names:
            stored = stored_name(self._model, name)
            path = (*self._path, name)
            if stored in lost:
                instance._data[name] = ConversionError(
                    f"{'.'.join(path)} holds a reference of no declared class, which "
                    f"cannot be followed back; use a ReferenceField"
                )
            elif chosen.get(stored) is not None:
                _hold_within(instance._data[name], path, unnamed)
            elif is_made_anew(self._model._fields[name]):
                # The document would be another one each time that it is delivered.
                instance._data[name] = None
        return instance


def _refers(value: Any) -> bool:
    """Whether a plain value holds references: those of fields are known, and are no
    plain values."""
    if isinstance(value, Mapping):
        return "_ref" in value or any(map(_refers, value.values()))
    if isinstance(value, list):
        return any(map(_refers, value))
    return isinstance(value, DBRef)


def _hold(
    instance: Any, names: Iterable[str], path: tuple[str, ...], unnamed: list[str]
) -> None:
    """Leave an instance with these values alone."""
    values, every = instance._data, instance._fields_ordered
    kept = {name: values.get(name) for name in (*names, "_cls") if name in every}
    instance._data = Held(kept, every, path, unnamed)
    # So MongoEngine neither fetches what lists refer to nor draws numbers.
    instance._initialised = False


def _hold_within(value: Any, path: tuple[str, ...], unnamed: list[str]) -> None:
    """Leave documents that are inside of plain values, as those of maps are, without
    their references."""
    if isinstance(value, me.EmbeddedDocument):
        fields = value._fields
        names = [name for name, field in fields.items() if not problem_of(field)]
        _hold(value, names, path, unnamed)
        for name in names:
            _hold_within(value._data[name], (*path, name), unnamed)
    elif isinstance(value, Mapping):
        for item in value.values():
            _hold_within(item, path, unnamed)
    elif isinstance(value, list | tuple):
        for item in value:
            _hold_within(item, path, unnamed)


class _Relation:
    """What instances hold for one relation."""

    def __init__(
        self, schema: ModelSchema, relation: RelationSchema, path: tuple[str, ...]
    ) -> None:
        model: Any = schema.model
        name, stored = relation.name, stored_name(model, relation.name)
        self.reference = (reference_of(model._fields[name]) or (None,))[0]
        self.place = Place(schema.name, name, stored, relation.many)
        self.instances = Instances(relation.document, (*path, name))
        self.schema = relation.document

    def fill(self, owners: Sequence[tuple[_Raw, Any]], unnamed: list[str]) -> None:
        """Put into instances what their raw documents lead to."""
        holding: list[tuple[Any, list[Any]]] = []
        for raw, instance in owners:
            # MongoEngine has given the default to what is not stored.
            if raw.get(self.place.stored) is not None:
                try:
                    holding.append((instance, self.held(raw)))
                except (ConversionError, TypeError) as error:
                    instance._data[self.place.name] = ConversionError(str(error))
        found = self.found([items for _, items in holding], unnamed)
        for (instance, _), values in zip(holding, found, strict=True):
            instance._data[self.place.name] = self._arranged(values)

    def held(self, raw: _Raw) -> list[Any]:
        """What a raw document holds. :raises ConversionError: if it cannot be read."""
        return self.place.held(raw)

    def found(
        self, held: Sequence[Sequence[Any]], unnamed: list[str]
    ) -> list[list[Made]]:
        """What each owner leads to, by what it holds."""
        raise NotImplementedError

    def _arranged(self, values: Sequence[Made]) -> Any:
        if not self.place.many:
            return values[0]
        errors = (value for value in values if isinstance(value, Exception))
        return next(errors, None) or list(values)


class _Inline(_Relation):
    """Documents that are a part of their owner."""

    def found(
        self, held: Sequence[Sequence[Any]], unnamed: list[str]
    ) -> list[list[Made]]:
        """See :meth:`_Relation.found`."""
        items = [item for items in held for item in items]
        made = iter(self.instances.make(items, unnamed))
        return [[next(made) for _ in items] for items in held]


class _Referenced(_Relation):
    """Documents of other collections. One that is gone is what it is to MongoEngine: an
    error when it is looked at, and its reference in a list."""

    def held(self, raw: _Raw) -> list[Any]:
        """The keys that a raw document holds."""
        held = self.place.held(raw)
        keys = [item.id if isinstance(item, DBRef) else item for item in held]
        hash(tuple(keys))  # what cannot be hashed is no key
        return keys

    def found(
        self, held: Sequence[Sequence[Any]], unnamed: list[str]
    ) -> list[list[Made]]:
        """See :meth:`_Relation.found`."""
        model: Any = self.schema.model
        keys = dict.fromkeys(key for items in held for key in items)
        raws = list(find_by_keys(model, of_class(model), keys, self.instances.needed))
        ids = (raw["_id"] for raw in raws)
        made = dict(zip(ids, self.instances.make(raws, unnamed), strict=True))
        return [[self._reference(key, made) for key in items] for items in held]

    def _reference(self, key: Any, made: Mapping[Any, Made]) -> Made:
        model: Any = self.schema.model
        gone = DBRef(model._get_collection_name(), _spoken(model, key))
        if isinstance(self.reference, me.LazyReferenceField):
            found = made.get(key, model.DoesNotExist(f"{gone} is gone"))
            return _Fetched(model, gone.id, found, self.reference.passthrough)
        if key in made or self.place.many:
            return made.get(key, gone)
        return DoesNotExist(f"Trying to dereference unknown document {gone}")


def _spoken(model: Any, key: Any) -> Any:
    """A key as MongoEngine gives it."""
    try:
        return key_field_of(model).to_python(key)
    except (ValueError, TypeError, AttributeError):
        return key


class _Fetched(LazyReference):  # type: ignore[misc]
    """A lazy reference whose document was fetched beforehand."""

    __slots__ = ()

    def fetch(self, force: bool = False) -> Any:
        """The document. :raises DoesNotExist: if it is gone."""
        if isinstance(self._cached_doc, Exception):
            raise self._cached_doc
        return self._cached_doc
