"""How rows are read that a statement changes, and what is reported of them.

A statement names no instances. Its rows are read by the columns that name documents:
the primary key, the references to other models, and what tells a row's class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, inspect, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapper

from nefertari_engine_base.primary.sqla.announcing import Found
from nefertari_engine_base.primary.sqla.keys import fetch_keyed
from nefertari_engine_base.primary.sqla.sources import SOURCES, Source
from nefertari_engine_base.values import Action, Change, DocumentRef


@dataclass(frozen=True, slots=True)
class NamedRow:
    """A row, as far as documents are named by it.

    :attr references: values by attribute, of those that could be read.
    """

    source: Source
    id: str
    key: tuple[Any, ...]
    references: Mapping[str, Any]


class RowReader:
    """The columns to read of the rows of a mapped class, and rows made of them.

    :param entity: the mapped class or an alias of it, for a statement of the ORM.
    :param table: for one of Core: the table that it is about.
    """

    def __init__(
        self, mapper: Mapper[Any], entity: Any = None, table: Table | None = None
    ) -> None:
        self.mapper = mapper
        self.entity = mapper.class_ if entity is None else entity
        self.table = table
        key = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
        self.key_names = key
        self.key = [self._column(mapper, name) for name in key]
        self.references: dict[str, Any] = {}
        for descendant in mapper.self_and_descendants:
            source = SOURCES.get(descendant.class_)
            for name in sorted(source.references) if source else ():
                column = self._column(descendant, name)
                if column is not None:
                    self.references.setdefault(name, column)
        self._classes = self._discriminator()
        self.columns = [*self.key, *self.references.values(), *self._classes]

    def _column(self, mapper: Mapper[Any], name: str) -> Any:
        columns = mapper.attrs[name].columns
        if self.table is not None:
            return next((c for c in columns if c.table is self.table), None)
        if mapper is self.mapper:
            return getattr(self.entity, name)
        # An attribute of a subclass: its column may be in the table of this class.
        return next((c for c in columns if c.table in self.mapper.tables), None)

    def _discriminator(self) -> list[Any]:
        column = self.mapper.polymorphic_on
        if column is None or len(list(self.mapper.self_and_descendants)) == 1:
            return []
        if self.table is not None and (
            not isinstance(column, Column) or column.table is not self.table
        ):
            return []
        return [column]

    @property
    def discriminator_names(self) -> frozenset[str]:
        """Attributes that decide about the class of a row."""
        column = self.mapper.polymorphic_on
        if not self._classes or not isinstance(column, Column):
            return frozenset()
        return frozenset({self.mapper.get_property_by_column(column).key})

    @property
    def contents(self) -> frozenset[str]:
        """Attributes whose change concerns any document."""
        names = {*self.key_names, *self.references, *self.discriminator_names}
        for mapper in self.mapper.self_and_descendants:
            source = SOURCES.get(mapper.class_)
            if source is not None:
                names |= source.contents | source.derived
        return frozenset(names)

    def rows(self, values: Iterable[Sequence[Any]]) -> list[NamedRow]:
        """Rows that begin with ``columns``, those that documents depend on."""
        named = [self.row(tuple(row)) for row in values]
        return [row for row in named if row is not None]

    def row(self, row: tuple[Any, ...]) -> NamedRow | None:
        """A row of ``columns``; ``None`` if no document depends on its class."""
        model: type = self.mapper.class_
        width = len(self.key)
        if self._classes:
            value = row[width + len(self.references)]
            known = self.mapper.polymorphic_map.get(value)
            model = model if known is None else known.class_
        source = SOURCES.get(model)
        if source is None:
            return None
        key = row[:width]
        found = dict(zip(self.references, row[width:], strict=False))
        references = {n: v for n, v in found.items() if n in source.references}
        return NamedRow(source, source.schema.document_id(key), key, references)


def read_rows(
    connection: Connection, reader: RowReader, keys: Sequence[tuple[Any, ...]]
) -> list[NamedRow]:
    """Lock and read the rows of these keys that exist."""
    statement = select(*reader.columns).with_for_update()
    return reader.rows(fetch_keyed(connection, statement, reader.key, keys))


def mapper_of(table: Any, *, unfollowed: bool = False) -> Mapper[Any] | None:
    """The mapped class whose rows a table holds.

    :param unfollowed: also if no document depends on them.
    """
    found: Mapper[Any] | None = None
    models = list(SOURCES)
    if unfollowed:
        registries: set[Any] = {inspect(model).registry for model in models}
        models = [m.class_ for registry in registries for m in registry.mappers]
    for model in models:
        mapper: Mapper[Any]
        for mapper in inspect(model).iterate_to_root():
            # Of several classes in one table, the one that all rows belong to.
            if mapper.local_table is table:
                found = mapper
        if found is not None:
            return found
    return None


def is_followed(mapper: Mapper[Any]) -> bool:
    """Whether documents depend on rows of a class or of its subclasses."""
    return any(m.class_ in SOURCES for m in mapper.self_and_descendants)


# --- what is reported --------------------------------------------------------------


def created(row: NamedRow) -> Found:
    """That a row is new."""
    ref = DocumentRef(row.source.name, row.id)
    return row.source, Change(ref, Action.CREATED, references=row.references), None


def updated(
    row: NamedRow,
    fields: frozenset[str] | None,
    previous: Mapping[str, Any] | None = None,
) -> Found:
    """That fields of a row have changed; ``None``: any of them."""
    if fields is not None:
        fields |= row.source.derived
    change = Change(
        DocumentRef(row.source.name, row.id),
        Action.UPDATED,
        fields,
        row.references,
        previous or {},
    )
    return row.source, change, None


def changed(
    connection: Connection,
    reader: RowReader,
    rows: Sequence[tuple[NamedRow, tuple[Any, ...]]],
    fields: frozenset[str] | None,
) -> list[Found]:
    """That rows were updated, as they were before, each with the key it has now.

    :param fields: what was set; ``None``: anything.
    """
    names = {*reader.references, *reader.key_names, *reader.discriminator_names}
    now: dict[tuple[Any, ...], NamedRow] = {}
    if fields is None or fields & names:
        keys = [key for _, key in rows]
        now = {row.key: row for row in read_rows(connection, reader, keys)}
    found: list[Found] = []
    for row, key in rows:
        current = now.get(key, row)
        if current.id != row.id or current.source is not row.source:
            found += [*deleted([row], connection), created(current)]
            continue
        previous = {
            name: value
            for name, value in row.references.items()
            if current.references.get(name) != value
        }
        found.append(updated(current, fields, previous))
    return found


def deleted(rows: Sequence[NamedRow], connection: Connection) -> list[Found]:
    """That rows will be gone; looks up now which documents show them."""
    found: list[Found] = []
    shown = _shown_in(rows, connection)
    for row in rows:
        change = Change(
            DocumentRef(row.source.name, row.id),
            Action.DELETED,
            references=row.references,
            shown_in=shown.pop(row.source, {}),
        )
        found.append((row.source, change, None))
    return found


def _shown_in(
    rows: Sequence[NamedRow], connection: Connection
) -> dict[Source, Mapping[str, Sequence[str]]]:
    ids: dict[Source, list[str]] = {}
    for row in rows:
        if row.source.shown_in is not None:
            ids.setdefault(row.source, []).append(row.id)
    return {
        source: source.shown_in(connection, found)
        for source, found in ids.items()
        if source.shown_in is not None
    }
