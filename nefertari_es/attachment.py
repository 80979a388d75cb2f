"""Binding a generated class to its collection: fields on the class, index and alias."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from elasticsearch import Elasticsearch, dsl
from elasticsearch.dsl.document_base import InstrumentedField

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.schema import ModelSchema, RelationSchema
from nefertari_es.documents import BaseDocument, LazyDocument
from nefertari_es.index.mapping import SYNC

#: Fields of the server's own that a document cannot have:
#: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/document-metadata-fields
_METADATA_FIELDS = frozenset(
    {
        *("_doc_count", "_field_names", "_id", "_ignored", "_ignored_source"),
        *("_index", "_meta", "_nested_path", "_routing", "_seq_no", "_source"),
        *("_tier", "_type", "_version"),
    }
)
#: What documents themselves are read by.
_NEEDED = frozenset({"to_dict", "from_es", "_hit", "_schema", SYNC})


class StoredField:
    """A field on a generated class: decodes its value once for each document.

    On the class it is the query expression that ``elasticsearch.dsl`` has there; where
    the class has a method of that name (``search``, ``get``), it is that method, and
    the value on documents alone.
    """

    __slots__ = ("_decode", "_name", "_on_class")

    def __init__(
        self, name: str, decode: Callable[[Any], Any], on_class: Callable[[type], Any]
    ) -> None:
        self._name = name
        self._decode = decode
        self._on_class = on_class

    # There is no __set__: the decoded value, which is put into the instance's
    # __dict__, is found before this is called again.
    def __get__(self, document: LazyDocument | None, owner: type) -> Any:
        if document is None:
            return self._on_class(owner)
        name = self._name
        value = self._decode(document._hit["_source"].get(name))
        document.__dict__[name] = value
        return value


def attach(
    document: type[BaseDocument],
    schema: ModelSchema,
    client: Elasticsearch,
    alias: str,
) -> None:
    """Make the class decode the model's documents, and search the alias.

    :raises ConfigurationError: for a field whose name documents need themselves.
    """
    _add_fields(document, schema, [schema.name])
    index = dsl.Index(alias, using=client)
    document._index = index
    index.document(document)


def _add_fields(
    document: type[LazyDocument], schema: ModelSchema, path: Iterable[str]
) -> None:
    document._schema = schema
    for name, field in schema.fields.items():
        _add_field(document, path, name, field.decode)
    for name, relation in schema.relations.items():
        inner = document._doc_type.mapping[name]._doc_class
        _add_fields(inner, relation.document, [*path, name])
        _add_field(document, path, name, _relation_decoder(relation, inner))


def _add_field(
    document: type[LazyDocument],
    path: Iterable[str],
    name: str,
    decode: Callable[[Any], Any],
) -> None:
    inherited = getattr(super(document, document), name, None)
    if (
        name == SYNC
        or name in _METADATA_FIELDS | _NEEDED
        or (inherited is not None and name.startswith("_"))
    ):
        raise ConfigurationError(
            f"{'.'.join(path)}.{name}: no document can have a field of this name. "
            f"Rename the attribute, or leave it out with @secondary(exclude="
            f'("{name}",)).'
        )

    def on_class(owner: type) -> Any:
        if callable(inherited):
            return getattr(super(document, owner), name)
        return InstrumentedField(name, document._doc_type.mapping[name])

    setattr(document, name, StoredField(name, decode, on_class))


def _relation_decoder(
    relation: RelationSchema, inner: type[LazyDocument]
) -> Callable[[Any], Any]:
    make = inner._of

    def decode_one(source: Any) -> Any:
        return None if source is None else make({"_source": source})

    def decode_many(sources: Any) -> list[Any]:
        return [make({"_source": source}) for source in sources or ()]

    return decode_many if relation.many else decode_one
