"""Which classes of documents a test has: its own, and those of its module."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import mongoengine as me
from mongoengine.base import metaclasses

#: Where classes are made that a module has when it is imported.
IMPORT = "import"


class Classes:
    """Remembers where each class of documents was made.

    :attr place: where classes are made now: a test, or the setting up of a class.
    """

    def __init__(self) -> None:
        self.place: object = IMPORT
        self._places: WeakKeyDictionary[type, object] = WeakKeyDictionary()

    def watch(self) -> None:
        """Begin to remember."""
        meta, places = metaclasses.TopLevelDocumentMetaclass, self._places
        make = meta.__new__

        def make_and_remember(mcs, name, bases, attributes):
            made = make(mcs, name, bases, attributes)
            places[made] = self.place
            return made

        meta.__new__ = make_and_remember

    def of(self, module: str, places: Iterable[object]) -> list[type]:
        """Those of a module, and those that were made at these places; bases first."""
        chosen = {*places}
        found = [
            one
            for one, place in self._places.items()
            if is_model(one)
            and (place in chosen or (place == IMPORT and one.__module__ == module))
        ]
        return sorted(found, key=lambda one: len(one.__mro__))


def is_model(value: object) -> bool:
    """Whether this is a class of documents that has a collection."""
    return (
        isinstance(value, type)
        and issubclass(value, me.Document)
        and value not in (me.Document, me.DynamicDocument)
        and not value._meta.get("abstract")
    )
