"""Classes of MongoEngine get collections that announce their writes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from mongoengine.connection import ConnectionFailure as MongoEngineConnectionFailure
from pymongo.collection import Collection

from nefertari_engine_base.primary.mongo.announcing import owed
from nefertari_engine_base.primary.mongo.capturing import AnnouncingCollection
from nefertari_engine_base.primary.mongo.keys import home_of
from nefertari_engine_base.primary.mongo.sources import SOURCES, Source
from nefertari_engine_base.primary.mongo.types import key_field_of
from nefertari_engine_base.values.debts import CLEARED

_GETTER = "_get_collection"
_DROPPER = "drop_collection"


def listen(source: Source) -> None:
    """Report the changes of a class from now on; the last call for a class counts."""
    root = _root_of(source.model)
    for name, make in ((_GETTER, _CollectionGetter), (_DROPPER, _Dropper)):
        original = inspect.getattr_static(root, name)
        if not isinstance(original, make):
            setattr(root, name, make(original))
    SOURCES.add(source)


def _root_of(model: Any) -> Any:
    """The outermost class that has the collection of a class: others that inherit from
    it write to the same documents."""
    home = home_of(model)
    return next(
        base
        for base in reversed(model.__mro__)
        if key_field_of(base) is not None and home_of(base) == home
    )


class _CollectionGetter:
    """Stands for the class method of MongoEngine by which everybody gets a collection.

    Asked of an instance it gives a collection that knows of it.
    """

    def __init__(self, original: Any) -> None:
        self._original = original

    def __get__(self, instance: Any, owner: Any) -> Callable[[], Collection[Any]]:
        return partial(self._get, instance, owner)

    def _get(self, instance: Any, owner: Any) -> Collection[Any]:
        collection = self._original.__get__(None, owner)()
        if not isinstance(collection, AnnouncingCollection):
            # MongoEngine keeps it there, and takes it back from there.
            collection = owner._collection = AnnouncingCollection.of(collection)
        if instance is None:
            return collection
        return AnnouncingCollection.of(collection, acting=instance)


class _Dropper:
    """Stands for ``drop_collection``, after which all documents are owed."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def __get__(self, instance: Any, owner: Any) -> Callable[[], None]:
        return partial(self._drop, owner)

    def _drop(self, owner: Any) -> None:
        drop = self._original.__get__(None, owner)
        with owed(_sources_of(owner), CLEARED):
            drop()


def _sources_of(owner: Any) -> list[Source]:
    """The sources in the collection of a class, which is not asked for: that would make
    its indexes, and may be impossible where a drop is not."""
    name = owner._get_collection_name()
    if not name:
        return []  # an abstract class, and MongoEngine says so
    try:
        return SOURCES.of(owner._get_db()[name])
    except MongoEngineConnectionFailure:
        return []  # nothing is dropped without a connection
