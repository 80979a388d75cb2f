"""What changes of a table's rows touch: the dependency graph, table by table.

The graph speaks of models and attributes, and is asked about one change at a time. A
trigger has to know beforehand. It sees each row before and after, so it needs nothing
of what a session has to look up before a delete, but for documents that go on referring
to a row that is gone: by a link that no foreign key keeps, or for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Table, inspect
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.sql import visitors

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla.links import columns_to_owner
from nefertari_engine_base.primary.sqla.mapped_tables import tables_beside, tables_of
from nefertari_engine_base.primary.sqla.triggers.expressions import (
    columns_in,
    correlated,
    has_subquery,
    is_opaque,
)
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.related import Dependency

Columns = tuple[Column[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Referrers:
    """Rows that refer to the rows of a table: touched when these go.

    :attr references: columns of another table that hold the key of the row.
    :attr referred: the columns of the row that they hold.
    :attr key: columns of that other table that name what is touched.
    :attr guarded: a foreign key keeps rows from going unnoticed.
    :attr linked: they are rows of a table that links others.
    """

    references: Columns
    referred: Columns
    key: Columns
    guarded: bool
    linked: bool = False

    @property
    def table(self) -> Table:
        """The table of the rows that refer."""
        table = self.key[0].table
        assert isinstance(table, Table)
        return table


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """What the rows of a table touch.

    :attr table: the table.
    :attr root: name of the model whose documents are touched.
    :attr path: of relations from its documents to the row that ``key`` is of; empty
        for the documents themselves.
    :attr key: columns of the table, in the order of the key.
    :attr watched: columns; an update that changes none of them touches nothing.
    :attr classes: the column that tells a row's class, and its values for the rows that
        are meant; ``None`` if that is all of them.
    :attr only_updates: new rows, and those that go, touch nothing.
    :attr referrers: they are touched by rows that go, in place of ``key``.
    :attr document: the schema whose key ``key`` is.
    :attr by_row: the same documents, found by the row's own key; where ``key`` is that
        of others, and the rows have one.
    """

    table: Table
    root: str
    path: str
    key: Columns
    watched: Columns
    document: ModelSchema
    classes: tuple[Column[Any], tuple[Any, ...]] | None = None
    only_updates: bool = False
    referrers: Referrers | None = None
    by_row: Capture | None = None


def captures_of(
    dependencies: Iterable[Dependency],
    problems: list[ConfigurationError] | None = None,
) -> dict[Table, list[Capture]]:
    """What is to be captured, by the table that it is captured at.

    :param problems: is filled with what cannot be followed from tables alone.
    :raises ConfigurationError: for the first such problem, without ``problems``.
    """
    found: dict[Table, list[Capture]] = {}
    for dependency in dependencies:
        if not dependency.is_never_followed:
            try:
                for capture in _captures(dependency):
                    found.setdefault(capture.table, []).append(capture)
            except ConfigurationError as error:
                if problems is None:
                    raise
                problems.append(error)
    return found


def _captures(dependency: Dependency) -> Iterator[Capture]:
    relations = dependency.relations
    schema = _shown(dependency)
    mapper: Mapper[Any] = inspect(schema.model)
    for table, key in (*tables_of(mapper), *tables_beside(mapper)):
        rows = _Rows(dependency, mapper, table, tuple(key))
        if rows.classes and not rows.classes[1]:
            continue  # no row is of a class without an identity
        if not relations:
            yield rows.capture("", rows.key, schema)
        elif relations[-1].target_fields:
            yield rows.of_owners()
        else:
            yield from rows.of_referred()
    yield from _link_captures(dependency, schema, mapper)
    _check_tables(dependency, mapper)
    yield from _subquery_captures(dependency, mapper)


def _check_tables(dependency: Dependency, mapper: Mapper[Any]) -> None:
    """:raises ConfigurationError: if rows of a class are none of a table's."""
    known = [table for table, _ in tables_of(mapper)]
    for table in mapper.tables:
        if table not in known or not known:
            raise ConfigurationError(
                f"{mapper.class_.__name__}, which documents of {dependency.root.name} "
                f"show, has rows of {table.description}, whose changes do not name the "
                f"key of {mapper.class_.__name__}. Let its properties name the key in "
                f"each of its tables, or map one table."
            )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a class in one of its tables."""

    dependency: Dependency
    mapper: Mapper[Any]
    table: Table
    key: Columns

    def capture(
        self, path: str, key: Columns, document: ModelSchema, **options: Any
    ) -> Capture:
        return Capture(
            table=self.table,
            root=self.dependency.root.name,
            path=path,
            key=key,
            watched=self._watched(key),
            document=document,
            classes=self.classes,
            **options,
        )

    @property
    def classes(self) -> Classes | None:
        """The classes that are meant, by a column of this table."""
        return _classes(self.mapper, self.table)

    def of_owners(self) -> Capture:
        """The rows refer to the owners that show them."""
        names = self.dependency.relations[-1].target_fields
        columns = [_column(self.mapper, name, self.table) for name in names]
        references = tuple(column for column in columns if column is not None)
        path, document = self.dependency.path, self._document
        by_row = self.capture(path, self.key, document, only_updates=True)
        if len(references) < len(names):
            # They are in another table of the same class.
            return by_row
        owner = self.dependency.owner
        return self.capture(self._owner_path, references, owner, by_row=by_row)

    def of_referred(self) -> Iterator[Capture]:
        """The owners refer to the rows that they show, or are linked with them."""
        dependency = self.dependency
        owner: Mapper[Any] = inspect(dependency.owner.model)
        relationship = owner.relationships[dependency.relations[-1].name]
        referrers = self._referrers(owner, relationship)
        # A row that nothing keeps from being missed is looked for when its entry is
        # delivered: who refers to it may not be committed yet.
        path = dependency.path
        guarded = referrers.guarded
        yield self.capture(path, self.key, self._document, only_updates=guarded)
        own = referrers.referred
        if own and (referrers.guarded or relationship.secondary is not None):
            owned = dependency.owner
            capture = self.capture(self._owner_path, own, owned, referrers=referrers)
            # What else changes in a row is found by its path.
            watched = (*own, *self._class_columns)
            yield replace(capture, watched=tuple(dict.fromkeys(watched)))

    def _referrers(
        self, owner: Mapper[Any], relationship: RelationshipProperty[Any]
    ) -> Referrers:
        if relationship.secondary is None:
            pairs: list[Any] = list(relationship.local_remote_pairs or ())
            key: Any = tuple(owner.primary_key)
            if len({column.table for column in (*key, *(p[0] for p in pairs))}) > 1:
                # The owner's own reference is in the table of a subclass.
                key = _key_in(owner, pairs[0][0].table)
        else:
            pairs = [(b, a) for a, b in relationship.secondary_synchronize_pairs or ()]
            key = tuple(columns_to_owner(relationship))
        references, referred = zip(*pairs, strict=True)
        found = [_same(self.mapper, column, self.table) for column in referred]
        # A concrete heir may lack what is referred to, and then nobody refers to it.
        own = tuple(column for column in found if column is not None)
        own = own if len(own) == len(found) else ()
        linked = relationship.secondary is not None
        guarded = _is_guarded(references, referred)
        return Referrers(references, own, key, guarded, linked)

    @property
    def _document(self) -> ModelSchema:
        return self.dependency.relations[-1].document

    @property
    def _owner_path(self) -> str:
        return ".".join(step.name for step in self.dependency.relations[:-1])

    @property
    def _class_columns(self) -> Columns:
        """Columns of this table that the class of a row is told by."""
        told = self.mapper.polymorphic_on
        if told is None:
            return ()
        if has_subquery(told) or is_opaque(told):
            return tuple(self.table.columns)
        return tuple(c for c in columns_in(told) if c.table is self.table)

    def _watched(self, key: Columns) -> Columns:
        names = self.dependency.contents
        watched = dict.fromkeys([*self.key, *key, *self._class_columns])
        for name in sorted(names & set(self.mapper.column_attrs.keys())):
            column = _column(self.mapper, name, self.table)
            if column is not None:
                watched[column] = None
            elif _is_expression(self.mapper, name):
                expression = self.mapper.get_property(name).columns[0]
                if is_opaque(expression):
                    # Nobody knows what it looks at.
                    return tuple(dict.fromkeys([*watched, *self.table.columns]))
                seen = columns_in(expression)
                watched |= dict.fromkeys(c for c in seen if c.table is self.table)
        return tuple(watched)


def _subquery_captures(
    dependency: Dependency, mapper: Mapper[Any]
) -> Iterator[Capture]:
    """The rows that an attribute of the rows of a class is a subquery of."""
    for name in sorted(dependency.contents & set(mapper.column_attrs.keys())):
        expression = mapper.get_property(name).columns[0]
        if _is_expression(mapper, name) and has_subquery(expression):
            key, seen = correlated(mapper, name)
            table = key[0].table
            assert isinstance(table, Table)
            yield Capture(
                table=table,
                root=dependency.root.name,
                path=dependency.path,
                key=key,
                watched=tuple(dict.fromkeys([*key, *seen])),
                document=_shown(dependency),
            )


def _link_captures(
    dependency: Dependency, schema: ModelSchema, mapper: Mapper[Any]
) -> Iterator[Capture]:
    """The rows of the tables that link the rows of a class with others."""
    for relation in (*schema.relations.values(), *schema.followed.values()):
        if relation.through and relation.name in dependency.contents:
            relationship = mapper.relationships[relation.name]
            key = tuple(columns_to_owner(relationship))
            table = key[0].table
            assert isinstance(table, Table)
            pairs: list[Any] = list(relationship.secondary_synchronize_pairs or ())
            linked = [column for _, column in pairs]
            yield Capture(
                table=table,
                root=dependency.root.name,
                path=dependency.path,
                key=key,
                watched=tuple(dict.fromkeys([*key, *linked, *_order(relationship)])),
                document=schema,
            )


def _shown(dependency: Dependency) -> ModelSchema:
    relations = dependency.relations
    return relations[-1].document if relations else dependency.root


def _order(relationship: RelationshipProperty[Any]) -> list[Column[Any]]:
    """Columns of the link table that a relation is ordered by."""
    return [
        element
        for clause in relationship.order_by or ()
        for element in visitors.iterate(clause)
        if isinstance(element, Column) and element.table == relationship.secondary
    ]


def _column(mapper: Mapper[Any], name: str, table: Table) -> Column[Any] | None:
    """The column of an attribute in one of the class's tables."""
    columns: Sequence[Any] = mapper.get_property(name).columns
    own = next((c for c in columns if getattr(c, "table", None) is table), None)
    if own is None and table not in mapper.tables:
        # Of a concrete heir.
        return next((table.c[c.key] for c in columns if c.key in table.c), None)
    return own


def _is_expression(mapper: Mapper[Any], name: str) -> bool:
    columns: Sequence[Any] = mapper.get_property(name).columns
    return not any(isinstance(column, Column) for column in columns)


def _same(mapper: Mapper[Any], column: Column[Any], table: Table) -> Column[Any] | None:
    """The column of a part of the key in another of the class's tables."""
    return _column(mapper, mapper.get_property_by_column(column).key, table)


def _key_in(mapper: Mapper[Any], table: Any) -> Columns:
    return next(tuple(key) for known, key in tables_of(mapper) if known is table)


def _is_guarded(
    references: Sequence[Column[Any]], referred: Sequence[Column[Any]]
) -> bool:
    wanted = set(zip(references, referred, strict=True))
    table: Any = references[0].table
    return any(
        {(element.parent, element.column) for element in constraint.elements} == wanted
        for constraint in table.foreign_key_constraints
    )


Classes = tuple[Column[Any], tuple[Any, ...]]


def _classes(mapper: Mapper[Any], table: Table) -> Classes | None:
    column = mapper.polymorphic_on
    if mapper.inherits is None or not isinstance(column, Column):
        return None
    if column.table is not table:
        return None
    if mapper.local_table is mapper.inherits.local_table and not mapper.single:
        # It names its table again, and SQLAlchemy selects all rows of it.
        return None
    values = [m.polymorphic_identity for m in mapper.self_and_descendants]
    return column, tuple(value for value in values if value is not None)
