"""What computed fields can read of rows: columns, and relations that can be loaded
beforehand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Mapper

#: Relations that are queries, and cannot be loaded before they are read.
_QUERIES = frozenset({"dynamic", "write_only"})


class MappedAttributes:
    """See :class:`~nefertari_engine_base.dependencies.Attributes`."""

    nouns = ("column", "relation")

    def __init__(self, mapper: Mapper[Any]) -> None:
        self._mapper = mapper

    @property
    def model(self) -> type:
        """See :class:`~nefertari_engine_base.dependencies.Attributes`."""
        model: type = self._mapper.class_
        return model

    @property
    def fields(self) -> Collection[str]:
        """Names of the column attributes."""
        return self._mapper.column_attrs.keys()

    @property
    def relations(self) -> Collection[str]:
        """Names of the relationships."""
        return self._mapper.relationships.keys()

    def resolve(self, name: str) -> str:
        """What a synonym stands for."""
        synonyms = self._mapper.synonyms
        return synonyms[name].name if name in synonyms else name

    def behind(self, relation: str) -> MappedAttributes:
        """What can be read of the rows that a relationship leads to."""
        return MappedAttributes(self._mapper.relationships[relation].mapper)

    def problem(self, name: str) -> str | None:
        """Why a relationship cannot be loaded before it is read."""
        relationship = self._mapper.relationships.get(name)
        if relationship is None or relationship.lazy not in _QUERIES:
            return None
        return (
            f"is a {relationship.lazy} relation, which is a query and cannot be read "
            f"beforehand. Depend on an ordinary relation to the same rows."
        )
