"""Which database holds the rows of which class, if there are several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import MetaData, Table, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Mapper

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.schema import ModelSchema


class Binds:
    """The engines of an application, as ``Session(binds=...)`` has them.

    https://docs.sqlalchemy.org/en/20/orm/persistence_techniques.html#partitioning-strategies-e-g-multiple-database-backends-per-session

    :param engine: of every class that is not named.
    :param binds: engines of classes, and of all that inherit from these.
    """

    def __init__(self, engine: Engine, binds: Mapping[type, Engine]) -> None:
        self.engine = engine
        self.by_class = dict(binds)

    @property
    def engines(self) -> list[Engine]:
        """Every engine once, the one that most classes have first."""
        return list(dict.fromkeys([self.engine, *self.by_class.values()]))

    def engine_of(self, model: type) -> Engine:
        """The engine of the database that a class has its rows in."""
        for base in model.__mro__:
            if base in self.by_class:
                return self.by_class[base]
        return self.engine

    def check(self, schema: ModelSchema) -> None:
        """Documents embed and read rows of their own database, since these are
        joined.

        :raises ConfigurationError: if one would have to embed or read others.
        """
        engine = self.engine_of(schema.model)
        for relations, inner in schema.walk(followed=True):
            if relations and self.engine_of(inner.model) is not engine:
                path = ".".join(relation.name for relation in relations)
                raise ConfigurationError(
                    f"{schema.name}.{path} leads to rows of another database, which "
                    f"no statement can join. Leave {path!r} out of nested= and of "
                    f"depends_on=."
                )

    def tables(self, engine: Engine, models: Iterable[Any]) -> Iterator[MetaTables]:
        """The tables to create in one database, by their metadata.

        Those of no class, such as link tables, go with the classes that they link.
        """
        metadatas: dict[MetaData, set[Mapper[Any]]] = {}
        for model in models:
            mapper: Mapper[Any] = inspect(model)
            # A class that was mapped imperatively has no attribute metadata.
            for table in mapper.tables:
                if isinstance(table, Table):
                    found = metadatas.setdefault(table.metadata, set())
                    if self.by_class:
                        # A class whose mapping has failed makes this one fail, too.
                        found.update(mapper.registry.mappers)
        for metadata, mappers in metadatas.items():
            elsewhere: set[Any] = set()
            for mapper in mappers:
                if self.engine_of(mapper.class_) is not engine:
                    elsewhere.update(mapper.tables)
                    elsewhere.update(r.secondary for r in mapper.relationships)
            chosen = [t for t in metadata.tables.values() if t not in elsewhere]
            yield metadata, chosen


MetaTables = tuple[MetaData, list[Table]]
