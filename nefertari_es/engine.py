"""Elasticsearch and OpenSearch as a secondary engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from elasticsearch import Elasticsearch, dsl
from zope.interface import implementer

from nefertari_engine_base.exceptions import ConfigurationError, UnknownModel
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.values import (
    IndexState,
    Page,
    Query,
    StoredDocument,
    Write,
    WriteResult,
)
from nefertari_es.attachment import attach
from nefertari_es.bulk import Encode
from nefertari_es.client import make_client
from nefertari_es.documents import BaseDocument, InnerDocument
from nefertari_es.fields import FieldTypes
from nefertari_es.index.creation import ensure_index
from nefertari_es.index.names import alias_of
from nefertari_es.index.states import index_states
from nefertari_es.paths import IndexedModel, shared_name
from nefertari_es.reader import Reader
from nefertari_es.settings import ElasticsearchSettings
from nefertari_es.writer import BulkWriter

#: Indices that are created at the same time.
_INDICES_AT_ONCE = 4


@implementer(ISecondaryEngine)
class ElasticsearchEngine:
    """The engine of one application; its methods may be called by several threads.

    :param client: used instead of one that is made from the settings.
    :attr field_types: the table of types, which an application may add to.
    """

    name = "elasticsearch"

    def __init__(
        self,
        settings: ElasticsearchSettings | None = None,
        client: Elasticsearch | None = None,
    ) -> None:
        self.settings = settings or ElasticsearchSettings()
        self.client = client or make_client(self.settings)
        self.field_types = FieldTypes()
        self._models: dict[str, IndexedModel] = {}
        self._writer = BulkWriter(self.client, self.settings)
        self._reader = Reader(self.client, self.settings, self.name)

    # --- generation

    def document_base(self) -> type:
        """:class:`~nefertari_es.documents.BaseDocument`."""
        return BaseDocument

    def make_field(self, model: str, field: FieldSchema) -> dsl.Field:
        """The field of the index, by the declared one or the table of types."""
        return self.field_types.make(model, field)

    def make_relation(
        self, model: str, relation: RelationSchema, inner: type[InnerDocument]
    ) -> dsl.Field:
        """One embedded document is an object, a list of them is nested.

        The fields of nested documents are indexed with the outer one as well, so that
        a plain query finds them by name: it then does not tell which of the embedded
        documents matches. Those of rows that have access control lists of their own are
        nested alone, so that nothing reaches them but a filter that asks the list.
        """
        if relation.declared is not None:
            return _declared(model, relation)
        if relation.is_guarded:
            return dsl.Nested(inner)
        if relation.many:
            return dsl.Nested(inner, include_in_root=True)
        return dsl.Object(inner)

    def make_inner_document(
        self, name: str, namespace: Mapping[str, Any]
    ) -> type[InnerDocument]:
        """A class for embedded documents."""
        return type(name, (InnerDocument,), dict(namespace))

    def attach(self, document: type[BaseDocument], schema: ModelSchema) -> None:
        """Bind a generated class to its alias.

        :raises ConfigurationError: if two models would share an alias, or a field
            cannot have its name.
        """
        alias = alias_of(self.settings.index_prefix, schema.name)
        for other in self._models.values():
            if other.alias == alias and other.schema.name != schema.name:
                raise ConfigurationError(
                    f"{schema.name} and {other.schema.name} would share the alias "
                    f"{alias!r}. Rename one of the models."
                )
        attach(document, schema, self.client, alias)
        self._models[schema.name] = IndexedModel(schema, document, alias)

    # --- the server

    def setup_database(self) -> None:
        """Create the missing indices of the attached models.

        :raises ConfigurationError: if one is there that cannot take their documents.
        """

        def ensure(model: IndexedModel) -> None:
            ensure_index(self.client, model.alias, model.document, self.settings)

        # The server takes its time for each, and little more for some at once.
        with ThreadPoolExecutor(_INDICES_AT_ONCE, "setup") as threads:
            for _ in threads.map(ensure, self._models.values()):
                pass

    def close(self) -> None:
        """Close every connection."""
        self.client.close()

    # --- writing

    def write(
        self,
        schema: ModelSchema,
        writes: Iterable[Write],
        encode: Encode | None = None,
        *,
        until: float | None = None,
    ) -> Sequence[WriteResult]:
        """Apply versioned writes; see :meth:`ISecondaryEngine.write`.

        :param encode: see :meth:`~nefertari_es.writer.BulkWriter.write`.
        """
        return self._writer.write(self.model_of(schema).alias, writes, encode, until)

    def refresh(self, schemas: Iterable[ModelSchema]) -> None:
        """Make every write so far visible to searches."""
        self._reader.refresh([self.model_of(schema).alias for schema in schemas])

    # --- reading

    def search(self, schema: ModelSchema, query: Query) -> Page[Any]:
        """Documents that match; :class:`~nefertari_engine_base.values.Hit` if only
        ids are asked for."""
        return self._reader.search(self.model_of(schema), query)

    def explain(self, schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """The request that :meth:`search` would send: method, path and body."""
        return self._reader.explain(self.model_of(schema), query)

    def count(self, schema: ModelSchema, query: Query) -> int:
        """How many documents match, exactly."""
        return self._reader.count(self.model_of(schema), query)

    def aggregate(
        self,
        questions: Sequence[tuple[ModelSchema, Query]],
        aggregations: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """What documents of several models add up to, by one request to all indices."""
        asked = [(self.model_of(schema), query) for schema, query in questions]
        return self._reader.aggregate(asked, aggregations)

    def shared_name(self, schemas: Sequence[ModelSchema], path: str) -> str | None:
        """The field that holds whole values in the indices of all these models, such
        as ``title.raw``."""
        return shared_name([self.model_of(schema) for schema in schemas], path)

    def get(self, schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any | None]:
        """The documents of these ids, ``None`` where there is none; in real time."""
        return self._reader.get(self.model_of(schema), ids)

    def stored(
        self, schema: ModelSchema, ids: Sequence[str]
    ) -> Sequence[StoredDocument | None]:
        """The documents of these ids as they are stored; in real time."""
        return self._reader.stored(self.model_of(schema), ids)

    def missing(self, timeout: float) -> Sequence[str]:
        """Names of the attached models whose alias leads to no index."""
        names = {model.alias: name for name, model in self._models.items()}
        return [names[alias] for alias in self._reader.missing(names, timeout)]

    def highest_version(self, schemas: Iterable[ModelSchema]) -> int:
        """The highest version that a document of these models carries; 0 if none."""
        return self._reader.highest_version(
            [self.model_of(schema).alias for schema in schemas]
        )

    def ids_below(self, schema: ModelSchema, version: int) -> Iterator[Sequence[str]]:
        """Ids of the documents whose version is below this one, in batches."""
        return self._reader.ids_below(self.model_of(schema), version)

    def index_states(self, schemas: Iterable[ModelSchema]) -> Mapping[str, IndexState]:
        """The state of each model's index, by model; see
        :meth:`~nefertari_engine_base.interfaces.ISecondaryEngine.index_states`."""
        aliases = {schema.name: self.model_of(schema).alias for schema in schemas}
        return index_states(self.client, aliases)

    def model_of(self, schema: ModelSchema) -> IndexedModel:
        """The attached model. :raises UnknownModel: if it is not attached."""
        try:
            return self._models[schema.name]
        except KeyError:
            raise UnknownModel(
                f"{schema.name} has no documents in {self.name}: it was not attached."
            ) from None


def _declared(model: str, relation: RelationSchema) -> dsl.Field:
    field = relation.declared
    if isinstance(field, dsl.Field):
        return field
    raise ConfigurationError(
        f"{model}.{relation.name} is declared as {field!r}, which is no field of "
        f"elasticsearch.dsl."
    )
