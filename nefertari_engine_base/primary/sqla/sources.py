"""What is reported of the rows of each model, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import inspect
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import InstanceState, Mapper

from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox
from nefertari_engine_base.primary.sqla.types import is_spelled_one_way
from nefertari_engine_base.schema import ModelSchema


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What is reported of the rows of one model, and to whom.

    :attr schema: has the model's key; of a base class, if that is what has documents.
    :attr references: attributes whose old values are needed.
    :attr contents: attributes and relations that any document shows.
    :attr derived: attributes that the database computes, whatever has changed.
    :attr shown_in: looks up the documents that show any of some rows, by their ids;
        ``None`` if no document does that could not be named otherwise.
    :attr is_respelled: rows may spell their key otherwise than instances do.
    """

    model: type
    schema: ModelSchema
    references: frozenset[str]
    derived: frozenset[str]
    contents: frozenset[str]
    shown_in: Callable[[Connection, Sequence[str]], Mapping[str, Sequence[str]]] | None
    publisher: IPublisher
    outbox_for: Callable[[Engine], SQLOutbox]
    name: str = field(init=False)
    key: tuple[str, ...] = field(init=False)
    is_respelled: bool = field(init=False)

    def __post_init__(self) -> None:
        mapper: Mapper[Any] = inspect(self.model)
        key = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
        object.__setattr__(self, "name", self.model.__name__)
        object.__setattr__(self, "key", tuple(key))
        types = [part.type for part in mapper.primary_key]
        object.__setattr__(
            self, "is_respelled", not all(map(is_spelled_one_way, types))
        )

    def current_id(self, state: InstanceState[Any]) -> str:
        """The document id of an instance as it has just been flushed."""
        values = state.dict
        try:
            key: Sequence[Any] = [values[name] for name in self.key]
        except KeyError:  # expired: the database has changed it
            key = state.mapper.primary_key_from_instance(state.obj())
        return self.schema.document_id(key)


#: The sources that are listened to, by model.
SOURCES: WeakKeyDictionary[type, Source] = WeakKeyDictionary()
