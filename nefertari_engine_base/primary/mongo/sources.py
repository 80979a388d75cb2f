"""What is reported of the documents of each class, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo.collection import Collection

from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.mongo.ids import Ids
from nefertari_engine_base.primary.mongo.keys import (
    home_name_of,
    is_home,
    key_reader,
    stored_name,
)
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from nefertari_engine_base.schema import ModelSchema


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is reported of the documents of one class, and to whom.

    :attr schema: has the model's key; of a base class, if that is what has documents.
    :attr outbox: finds the outbox of the database that they are in.
    :attr references: fields whose old values are needed: they hold the keys of those
        whose documents show these.
    """

    model: Any
    schema: ModelSchema
    publisher: IPublisher
    outbox: Callable[[], MongoOutbox]
    references: frozenset[str] = frozenset()
    name: str = field(init=False)
    ids: Ids = field(init=False)
    _readers: Mapping[str, Callable[[Any], Any]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.model.__name__)
        object.__setattr__(self, "ids", Ids(self.schema))
        readers = {name: key_reader(self.model, name) for name in self.references}
        object.__setattr__(self, "_readers", readers)

    @property
    def held(self) -> frozenset[str]:
        """The references' names in MongoDB."""
        return frozenset(stored_name(self.model, name) for name in self.references)

    def keys_in(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """What a raw document holds in its references: keys, lists of keys."""
        return {
            name: read(raw.get(stored_name(self.model, name)))
            for name, read in self._readers.items()
        }

    def field_names(self, stored: Iterable[str]) -> frozenset[str]:
        """Names of fields from their names in MongoDB."""
        names = self.model._reverse_db_field_map
        return frozenset(names.get(name, name) for name in stored)


class Sources:
    """The sources that are listened to."""

    def __init__(self) -> None:
        self._by_model: dict[type, Source] = {}
        self._by_collection: dict[str, list[Source]] = {}

    def add(self, source: Source) -> None:
        """Report to this source from now on; the last one of a class counts."""
        self._by_model[source.model] = source
        self._arrange()

    def forget(self, publisher: IPublisher) -> None:
        """Report nothing more to a publisher."""
        self._by_model = {
            model: source
            for model, source in self._by_model.items()
            if source.publisher is not publisher
        }
        self._arrange()

    def _arrange(self) -> None:
        found: dict[str, list[Source]] = {}
        for source in self._by_model.values():
            found.setdefault(home_name_of(source.model), []).append(source)
        self._by_collection = found

    def of(self, collection: Collection[Any]) -> list[Source]:
        """The sources whose documents are in a collection."""
        found = self._by_collection.get(collection.name, ())
        return [source for source in found if is_home(source.model, collection)]


def matching(sources: Iterable[Source], class_name: str | None) -> list[Source]:
    """The sources that a document belongs to: the nearest class of each hierarchy.

    :param class_name: the document's ``_cls``: the names of its class and of what it
        inherits from, the outermost first; ``None`` if it has none.
    """
    nearest: dict[str, Source] = {}
    for source in sources:
        own: str = source.model._class_name
        root = own.partition(".")[0]
        if not source.model._meta.get("allow_inheritance"):
            nearest[own] = source
        elif class_name is not None and f"{class_name}.".startswith(f"{own}."):
            known = nearest.get(root)
            if known is None or len(known.model._class_name) < len(own):
                nearest[root] = source
    return list(nearest.values())


#: Every application's; a class belongs to the one that was configured last.
SOURCES = Sources()
