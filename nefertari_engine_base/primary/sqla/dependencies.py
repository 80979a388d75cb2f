"""What computed fields read: ``depends_on`` taken apart, and checked.

Dependencies on other computed fields are replaced by what these depend on in turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Mapper, RelationshipProperty

from nefertari_engine_base.document_fields import document_fields_of
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.suggestions import nearest

#: Relations that are queries, and cannot be loaded before they are read.
_QUERIES = frozenset({"dynamic", "write_only"})

_Passed = tuple[tuple[type, str], ...]


@dataclass(slots=True)
class Reads:
    """What computed fields read of the rows of one model.

    :attr columns: names of its column attributes.
    :attr relations: what they read of the rows that a relation leads to, by its name.
    """

    columns: set[str] = field(default_factory=set)
    relations: dict[str, Reads] = field(default_factory=dict)


def reads_of(mapper: Mapper[Any], names: Iterable[str], root: str) -> Reads:
    """What these computed fields of a mapped class read.

    :param root: name of the model whose documents have them, for messages.
    :raises ConfigurationError: for a dependency that there is not, or on itself.
    """
    reads = Reads()
    resolver = _Resolver(root)
    for name in names:
        resolver.add_field(reads, mapper, name, ())
    return reads


class _Resolver:
    def __init__(self, root: str) -> None:
        self._root = root

    def add_field(
        self, reads: Reads, mapper: Mapper[Any], name: str, passed: _Passed
    ) -> None:
        """Add what a computed field reads.

        :param passed: the computed fields that have led here.
        """
        model = mapper.class_
        if (model, name) in passed:
            chain = [f"{owner.__name__}.{each}" for owner, each in passed]
            chain.append(f"{model.__name__}.{name}")
            raise ConfigurationError(
                f"{self._root}: computed fields depend on each other: "
                f"{' -> '.join(chain)}. Let one of them depend on columns."
            )
        for path in document_fields_of(model)[name].depends_on:
            self._add_path(reads, mapper, path, (*passed, (model, name)))

    def _add_path(
        self, reads: Reads, mapper: Mapper[Any], path: str, passed: _Passed
    ) -> None:
        *steps, last = path.split(".")
        for step in steps:
            relationship = self._relationship(mapper, step, path, passed)
            reads = reads.relations.setdefault(step, Reads())
            mapper = relationship.mapper
        if last in mapper.synonyms:
            last = mapper.synonyms[last].name
        if last in mapper.relationships:
            self._relationship(mapper, last, path, passed)
            reads.relations.setdefault(last, Reads())
        elif last in mapper.column_attrs:
            reads.columns.add(last)
        elif last in document_fields_of(mapper.class_):
            self.add_field(reads, mapper, last, passed)
        else:
            known = (
                *mapper.column_attrs.keys(),
                *mapper.relationships.keys(),
                *document_fields_of(mapper.class_),
            )
            raise self._wrong(
                path,
                passed,
                f"{mapper.class_.__name__} has no column, relation or computed field "
                f"{last!r}. {nearest(last, known)}",
            )

    def _relationship(
        self, mapper: Mapper[Any], name: str, path: str, passed: _Passed
    ) -> RelationshipProperty[Any]:
        relationship = mapper.relationships.get(name)
        if relationship is None:
            raise self._wrong(
                path,
                passed,
                f"{mapper.class_.__name__} has no relation {name!r}. "
                f"{nearest(name, mapper.relationships.keys())}",
            )
        if relationship.lazy in _QUERIES:
            raise self._wrong(
                path,
                passed,
                f"{mapper.class_.__name__}.{name} is a {relationship.lazy} relation, "
                f"which is a query and cannot be read beforehand. Depend on an "
                f"ordinary relation to the same rows.",
            )
        return relationship

    def _wrong(self, path: str, passed: _Passed, why: str) -> ConfigurationError:
        model, name = passed[-1]
        field = name if model.__name__ == self._root else f"{model.__name__}.{name}"
        return ConfigurationError(
            f"{self._root}: {field} depends on {path!r}, but {why}"
        )
