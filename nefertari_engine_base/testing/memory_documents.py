"""Documents of the in-memory secondary engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from nefertari_engine_base.exceptions import SecondaryOwnedError
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema


class MemoryField:
    """A field on a generated class: decodes the stored form when it is read."""

    def __init__(self, field: FieldSchema) -> None:
        self.field = field

    def __get__(self, document: MemoryDocument | None, owner: type) -> Any:
        if document is None:
            return self
        return self.field.decode(document._source.get(self.field.name))


class MemoryRelation:
    """Embedded documents on a generated class."""

    def __init__(self, relation: RelationSchema, inner: type[MemoryDocument]) -> None:
        self.relation = relation
        self.inner = inner

    def __get__(self, document: MemoryDocument | None, owner: type) -> Any:
        if document is None:
            return self
        stored = document._source.get(self.relation.name)
        if self.relation.many:
            return [self.inner(item) for item in stored or ()]
        return None if stored is None else self.inner(stored)


class MemoryDocument:
    """The one base of generated documents, embedded ones included.

    :param source: the stored JSON object.
    :param id: the id it is stored under; embedded documents have none.
    """

    _schema: ClassVar[ModelSchema]

    def __init__(
        self,
        source: Mapping[str, Any],
        id: str | None = None,  # noqa: A002 - the field's own word
        score: float | None = None,
    ) -> None:
        self._source = source
        self._id = id
        self._score = score

    @property
    def _type(self) -> str:
        return self._schema.name

    @property
    def _pk(self) -> str:
        if self._id is not None:
            return self._id
        schema = self._schema
        return schema.document_id([getattr(self, name) for name in schema.primary_key])

    @property
    def pk(self) -> str:
        """The id, where the model has no attribute of this name."""
        return self._pk

    def to_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The stored fields as plain JSON data, with ``_type`` and ``_pk``."""
        if self._id is None:
            return dict(self._source)
        return {**self._source, "_type": self._type, "_pk": self._id}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if self._id is None:
            return self._source == other._source
        return self._id == other._id

    def __hash__(self) -> int:
        return hash((type(self), self._id))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._pk}>"

    # --- what only the primary may do

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(self._type, "save")

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(self._type, "update")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(self._type, "delete")


def bind(document: type[MemoryDocument], schema: ModelSchema) -> None:
    """Give a generated class, and those of its embedded documents, their schema."""
    document._schema = schema
    for name, relation in schema.relations.items():
        bind(vars(document)[name].inner, relation.document)
