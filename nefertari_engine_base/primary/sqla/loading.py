"""The documents of rows, as JSON, without making instances but for computed fields.

A schema is compiled once into statements: one for the rows of the model, and one for
each embedded relation, whose rows are found by the keys of all parents at once. Rows
become dictionaries, and these JSON: stored fields, embedded relations and computed
fields in the order of the schema. A row has the same bytes whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.engine import Connection, Row
from sqlalchemy.orm import RelationshipProperty, class_mapper, object_session
from sqlalchemy.orm.collections import collection_adapter

from nefertari_engine_base.document_fields import compute
from nefertari_engine_base.encoding import Kind, convert
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.json_text import write_json
from nefertari_engine_base.primary.sqla.computing import ComputedFields
from nefertari_engine_base.primary.sqla.encoders import (
    encoder_of,
    find_culprit,
    readable,
)
from nefertari_engine_base.primary.sqla.keys import (
    INTEGERS,
    KeyedSelect,
    KeyPages,
    columns_of,
    has_document,
    key_getter,
    parse_ids,
)
from nefertari_engine_base.primary.sqla.links import columns_to_owner, joins_from_owner
from nefertari_engine_base.primary.sqla.ordering import byte_order
from nefertari_engine_base.primary.sqla.types import have_equal_values
from nefertari_engine_base.refusals import RefusedDocuments
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema

_Document = dict[str, Any]
_Rows = Sequence[Row[Any]]


class Loader:
    """Loads the documents of one model; safe to share between threads.

    :param schema: of the model, with what it embeds.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self.schema = schema
        self._level = _Level(schema)
        self._pages = KeyPages(schema)
        self._rows = KeyedSelect(
            select(*self._level.columns).where(*has_document(schema)),
            columns_of(schema.model, schema.primary_key),
        )

    def load(self, connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
        """JSON of each document that exists, by document id.

        An id is that of the row as the database gives it: where two spellings of a
        key are equal (``1.1`` and ``1.10``), it may be another than was asked for.

        :raises InvalidDocumentId: for an id that cannot be one of the model.
        :raises ~nefertari_engine_base.refusals.RefusedDocuments: for
            documents that cannot be written; it carries the others.
        :raises ConversionError: for a row that cannot be read.
        """
        schema, level = self.schema, self._level
        name, id_of_row = schema.name, level.id_of_row
        loaded: dict[str, bytes] = {}
        refused: dict[str, str] = {}
        for rows in _fetch(connection, schema, self._rows, parse_ids(schema, ids)):
            documents = level.documents(connection, rows)
            for row, document in zip(rows, documents, strict=True):
                try:
                    loaded[id_of_row(row)] = write_json(name, document)
                except ConversionError as error:
                    refused[id_of_row(row)] = str(error)
        if refused:
            raise RefusedDocuments(refused, loaded)
        return loaded

    def list_ids(
        self, connection: Connection, after: str | None, limit: int
    ) -> list[str]:
        """Ids of the model's documents in the order of the primary key.

        :param after: go on behind this id; ``None`` starts at the beginning.
        """
        return self._pages.all(connection, after, limit)

    def find_owners(
        self, connection: Connection, path: str, key: str, after: str | None, limit: int
    ) -> list[str]:
        """Ids of the documents that embed a row, in the order of the primary key.

        :param path: dotted names of the embedded relations that lead to the row.
        :param key: id of the row among the rows of the path's last model.
        :param after: go on behind this id; ``None`` starts at the beginning.
        """
        return self._pages.owners(connection, path, key, after, limit)

    def find_all_owners(
        self, connection: Connection, path: str, keys: Sequence[str]
    ) -> list[str]:
        """Ids of the documents that embed any of these rows; in no order."""
        return self._pages.owners_of_all(connection, path, keys)


def to_dict(schema: ModelSchema, instance: Any) -> dict[str, Any]:
    """The document of an instance as it is, what has not been flushed included.

    Written by orjson, the one of an unchanged row is what :meth:`Loader.load` gives.

    :raises ConversionError: for a value that no document can hold.
    """
    document: _Document = {
        name: convert(f"{schema.name}.{name}", field.encode, getattr(instance, name))
        for name, field in schema.stored.items()
    }
    for name, relation in schema.relations.items():
        related = [
            to_dict(relation.document, item)
            for item in _related(instance, relation, schema)
        ]
        document[name] = related if relation.many else next(iter(related), None)
    if schema.computed:
        key = class_mapper(schema.model).primary_key_from_instance(instance)
        id_ = "(new)" if None in key else schema.document_id(key)
        for name, field in schema.computed.items():
            document[name] = compute(schema, field, id_, instance)
    return document


class _Level:
    """Documents of one schema, from rows of its columns: those of the document,
    hidden ones, and then any that the statement needs."""

    def __init__(self, schema: ModelSchema) -> None:
        self.schema = schema
        names = [*schema.stored, *schema.hidden]
        self.position = {name: number for number, name in enumerate(names)}
        self.columns = columns_of(schema.model, names)
        self.names = tuple(schema.stored)
        self.converters = list(_converters(schema))
        self.embedded = [
            _Embedded(self, relation) for relation in schema.relations.values()
        ]
        self.computed = ComputedFields(schema) if schema.computed else None
        self.id_of_row = self._id_reader()

    def getter(self, names: Sequence[str]) -> Callable[[Any], Any]:
        """From a row to these columns, as a key."""
        return key_getter([self.position[name] for name in names])

    def documents(self, connection: Connection, rows: _Rows) -> list[_Document]:
        """The documents of rows, with what they embed."""
        documents = self._plain_documents(rows)
        for embedded in self.embedded:
            embedded.attach(connection, rows, documents)
        if self.computed is not None:
            keys = list(map(self.getter(self.schema.primary_key), rows))
            values = self.computed.values(connection, keys)
            for key, document in zip(keys, documents, strict=True):
                document.update(values[key])
        return documents

    def _plain_documents(self, rows: _Rows) -> list[_Document]:
        names, converters = self.names, self.converters
        documents = []
        for row in rows:
            # The names end before the columns that are no part of the document do.
            document = dict(zip(names, row, strict=False))
            try:
                for name, encode in converters:
                    value = document[name]
                    if value is not None:
                        document[name] = encode(value)
            except Exception as error:
                schema = self.schema
                raise find_culprit(schema.name, schema.stored.values(), row) from error
            documents.append(document)
        return documents

    def _id_reader(self) -> Callable[[Any], str]:
        key_of, document_id = (
            self.getter(self.schema.primary_key),
            self.schema.document_id,
        )
        if len(self.schema.primary_key) > 1:
            return lambda row: document_id(key_of(row))
        if self.schema.key_fields[0].kind in INTEGERS:
            return lambda row: str(key_of(row))
        return lambda row: document_id((key_of(row),))


def _converters(
    schema: ModelSchema,
) -> Iterable[tuple[str, Callable[[Any], Any]]]:
    attributes = class_mapper(schema.model).column_attrs
    for name, field in schema.stored.items():
        encode = encoder_of(field, attributes[name].columns[0].type)
        if encode is not None:
            yield name, encode


class _Embedded:
    """One embedded relation: a statement that finds the rows of many owners.

    A row says by its link whose it is: a key that both the owner's row and the
    embedded row have.
    """

    def __init__(self, owner: _Level, relation: RelationSchema) -> None:
        self.name = relation.name
        self.many = relation.many
        self.level = _Level(relation.document)
        relationship = class_mapper(owner.schema.model).relationships[relation.name]
        key = owner.schema.primary_key
        self.link_of_owner = owner.getter(relation.owner_fields or key)
        if not _links_by_value(relationship):
            self.link_of_owner = owner.getter(key)
            statement, link = self._by_join(owner.schema, relationship)
        elif relation.through:
            statement, link = self._by_table(relationship)
        elif relation.owner_fields or relation.target_fields:
            statement, link = self._by_field(relation)
        else:
            statement, link = self._by_join(owner.schema, relationship)
        self.is_composite = len(link) > 1
        order = columns_of(relation.document.model, relation.document.primary_key)
        self.rows = KeyedSelect(
            statement.order_by(*(relationship.order_by or ()), *map(byte_order, order)),
            link,
        )

    def _by_field(self, relation: RelationSchema) -> tuple[Select[Any], list[Any]]:
        names = relation.target_fields or relation.document.primary_key
        self.link_of_row = self.level.getter(names)
        return select(*self.level.columns), columns_of(relation.document.model, names)

    def _by_table(
        self, relationship: RelationshipProperty[Any]
    ) -> tuple[Select[Any], list[Any]]:
        secondary, condition = relationship.secondary, relationship.secondaryjoin
        assert secondary is not None
        link = columns_to_owner(relationship)
        statement = select(*self._with_link(link)).select_from(
            relationship.mapper.class_
        )
        return statement.join(secondary, condition), link

    def _by_join(
        self, schema: ModelSchema, relationship: RelationshipProperty[Any]
    ) -> tuple[Select[Any], list[Any]]:
        owner, joins = joins_from_owner(schema.model, relationship)
        link = columns_of(owner, schema.primary_key)
        statement = select(*self._with_link(link)).select_from(owner)
        for join in joins:
            statement = statement.join(*join)
        return statement, link

    def _with_link(self, link: Sequence[Any]) -> list[Any]:
        first = len(self.level.columns)
        self.link_of_row = key_getter(range(first, first + len(link)))
        return [*self.level.columns, *link]

    def attach(
        self, connection: Connection, owners: _Rows, documents: Sequence[_Document]
    ) -> None:
        """Put the embedded documents into those of their owners."""
        links = list(map(self.link_of_owner, owners))
        found = self._find(connection, links)
        name: str = self.name
        missing: list[_Document] | None = [] if self.many else None
        for link, document in zip(links, documents, strict=True):
            document[name] = found.get(link, missing)

    def _find(self, connection: Connection, links: Iterable[Any]) -> dict[Any, Any]:
        """By link: the list of embedded documents, or the one of a to-one relation."""
        found: dict[Any, Any] = {}
        link_of_row, level = self.link_of_row, self.level
        keys = dict.fromkeys(links)
        keys.pop(None, None)
        chosen = [key for key in keys if None not in key] if self.is_composite else keys
        for rows in _fetch(connection, level.schema, self.rows, list(chosen)):
            documents = level.documents(connection, rows)
            for row, document in zip(rows, documents, strict=True):
                if self.many:
                    found.setdefault(link_of_row(row), []).append(document)
                else:
                    found.setdefault(link_of_row(row), document)
        return found


def _fetch(
    connection: Connection, schema: ModelSchema, source: KeyedSelect, keys: list[Any]
) -> Iterator[_Rows]:
    """Rows of these keys, so many at a time as one statement asks for."""
    for statement, values in source.prepare(connection.dialect.name, keys):
        with readable(schema.name):
            rows = connection.execute(statement, values).all()
        yield rows


def _links_by_value(relationship: RelationshipProperty[Any]) -> bool:
    """Whether Python finds the two sides of the link equal when the database does."""
    pairs = [
        *(relationship.local_remote_pairs or ()),
        *relationship.synchronize_pairs,
    ]
    return all(have_equal_values(one.type, other.type) for one, other in pairs)


# --- instances -------------------------------------------------------------------


def _related(
    instance: Any, relation: RelationSchema, schema: ModelSchema
) -> Sequence[Any]:
    value = getattr(instance, relation.name)
    if not relation.many:
        return [] if value is None else [value]
    relationship = class_mapper(schema.model).relationships[relation.name]
    if relationship.lazy == "write_only":
        session = object_session(instance)
        items = [] if session is None else list(session.scalars(value.select()))
    elif relationship.lazy == "dynamic":
        items = list(value)
    else:
        items = list(collection_adapter(value))
    if relationship.order_by:
        return items
    keys = relation.document.key_fields
    return sorted(items, key=lambda item: [_rank(item, key) for key in keys])


def _rank(instance: Any, key: FieldSchema) -> tuple[bool, Any]:
    # An instance that has not been flushed may have no key yet: it comes last.
    value = getattr(instance, key.name)
    return (value is None, key.encode(value) if key.kind is Kind.ENUM else value)
