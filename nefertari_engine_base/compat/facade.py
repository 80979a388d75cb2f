"""The class that nefertari and Ramses read collections and items through.

Each read goes the way of every read of this package, so that the secondary answers,
and the primary where there is none or while it cannot be reached. What the class did
for writing has nothing left to do: documents follow the primary by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pyramid.threadlocal import get_current_registry

from nefertari_engine_base.compat.errors import not_found, translated_errors
from nefertari_engine_base.compat.guards import access_of, entry_of
from nefertari_engine_base.compat.hidden import hide_keys, reader_of, visible_keys
from nefertari_engine_base.compat.objects import data_of, proxy_of
from nefertari_engine_base.compat.parameters import (
    aggregations_of,
    known_names,
    query_parameters,
)
from nefertari_engine_base.compat.privacy import check_privacy
from nefertari_engine_base.compat.several import (
    aggregations_of_several,
    collection_of_several,
)
from nefertari_engine_base.engines import Engines, engines_of, owner_of
from nefertari_engine_base.exceptions import (
    DocumentNotFound,
    InvalidDocumentId,
    InvalidParameter,
)
from nefertari_engine_base.interfaces import IEngines
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.values import Filter, Operator, Page, Touch
from nefertari_engine_base.values.access import Access


class Documents(list[Any]):
    """The objects of a page.

    :attr _nefertari_meta: ``total``, ``start``, ``fields`` and ``took``, which become
        part of the response.
    """

    _nefertari_meta: dict[str, Any]


class ES:
    """Collections by the names of their models.

    :param source: name of a model, or of several, separated by commas.
    :param index_name: ignored: each model has an index of its own.
    :param chunk_size: ignored: ``elasticsearch.bulk_documents`` is what is used.
    """

    api: ClassVar[Any] = None
    settings: ClassVar[Any] = None
    _mappings_setup: ClassVar[bool] = False
    _rewrites: ClassVar[bool] = False

    def __init__(
        self,
        source: str = "",
        index_name: str | None = None,
        chunk_size: int | None = None,
    ) -> None:
        self.doc_type = self.src2type(source)

    # --- settings and indices ----------------------------------------------

    @classmethod
    def setup(cls, settings: Any) -> None:
        """Remember what nefertari asks the settings of Elasticsearch for.

        :param settings: a ``dictset`` of the application's settings.
        """
        cls.settings = settings.mget("elasticsearch")

    @classmethod
    def src2type(cls, source: str) -> str:
        """The name of a model's documents: the model's."""
        return source

    @classmethod
    def create_index(cls, index_name: str | None = None) -> None:
        """Does nothing; ``setup_database`` creates what is missing."""

    @classmethod
    def setup_mappings(cls, force: bool = False) -> None:
        """Does nothing; ``setup_database`` creates what is missing."""

    @classmethod
    def delete_index(cls, index_name: str | None = None) -> None:
        """Let :meth:`index_missing_documents` write every document anew.

        Nothing is deleted, so that searches go on meanwhile.
        """
        cls._rewrites = True

    # --- reading -----------------------------------------------------------

    @property
    def _names(self) -> list[str]:
        """The models; none if all collections of a request were unknown."""
        return [name for name in self.doc_type.split(",") if name]

    def get_collection(self, **parameters: Any) -> Any:
        """A page of a model's documents, or of several models'; with ``_count``, how
        many there are."""
        names = self._names
        if not names:
            return 0 if "_count" in parameters else _no_documents()
        engines = _engines_of(names)
        with translated_errors():
            restriction = self._restriction(engines.schema_of(names[0]), parameters)
            if len(names) > 1:
                answer = collection_of_several(
                    engines, names, parameters, **restriction
                )
            else:
                schema = engines.schema_of(names[0])
                asked = query_parameters(schema, parameters)
                answer = dispatcher.get_collection(
                    engines, names[0], asked, **restriction
                )
                if self._is_for_writing and isinstance(answer, Page):
                    answer = _confirmed(engines, schema, answer, restriction["access"])
        if not isinstance(answer, Page):
            return answer
        return _documents(engines, answer, self._reader)

    def get_item(self, **parameters: Any) -> Any:
        """The document of an id, or the first that matches.

        :raises JHTTPNotFound: if there is none; unless ``_raise_on_empty`` is false,
            then it is ``None``.
        """
        required = parameters.pop("_raise_on_empty", True)
        engines = _engines_of([self.doc_type])
        schema = engines.schema_of(self.doc_type)
        names = known_names(schema, parameters)
        with translated_errors():
            found = _get(engines, schema, names)
        if found is None:
            if required:
                raise not_found(f"'{self.doc_type}({parameters})' resource not found")
            return None
        data, reader = data_of(schema, found), self._reader
        if reader is not None:
            with translated_errors():
                hide_keys(engines, [(schema, data)], reader)
        return proxy_of(data)

    def aggregate(self, **parameters: Any) -> Mapping[str, Any]:
        """What the secondary answers to aggregations, as it answers.

        :param _aggregations_params: the aggregations; names of fields in them are
            those of the models.
        :raises JHTTPForbidden: if the user of the request does not see a field of one
            of several models; nefertari itself checks those of a lone model.
        """
        parameters.pop("_raise_on_empty", None)
        names = self._names
        if not names:
            return {}
        engines = _engines_of(names)
        with translated_errors():
            schema = engines.schema_of(names[0])
            restriction = self._restriction(schema, parameters)
            if len(names) > 1:
                schemas = [engines.schema_of(name) for name in names]
                check_privacy(schemas, parameters["_aggregations_params"])
                return dict(
                    aggregations_of_several(engines, names, parameters, **restriction)
                )
            wanted = parameters.pop("_aggregations_params")
            asked = query_parameters(schema, {**parameters, "_limit": 0})
            asked["_aggs"] = aggregations_of(engines, [schema], wanted)
            page = dispatcher.get_collection(engines, schema.name, asked, **restriction)
        return dict(page.aggregations)

    # --- nefertari-guards ---------------------------------------------------

    #: What a request wants to do; set by the subclass of nefertari-guards.
    _req_permission: str | None = None

    @property
    def _reader(self) -> Access | None:
        """Who is shown the answer; ``None`` if it is not filtered."""
        # nefertari-guards keeps the request to itself; its subclass filters.
        return None if type(self) is ES else reader_of()

    @property
    def _is_for_writing(self) -> bool:
        return self._req_permission not in (None, "view")

    def _restriction(
        self, schema: ModelSchema, parameters: dict[str, Any]
    ) -> dict[str, Any]:
        """What nefertari-guards asks for, taken out of the parameters, as keywords of
        the dispatcher."""
        if self._req_permission is not None:
            principals = parameters.pop("_principals")
            return {"access": access_of(principals, self._req_permission)}
        if isinstance(parameters.get("body"), Mapping) and schema.acl is not None:
            entry = entry_of(parameters.pop("body"))
            return {"filters": (Filter(schema.acl, Operator.EQ, entry),)}
        return {}

    # --- writing -----------------------------------------------------------

    def index(self, documents: Any, request: Any = None, **_: Any) -> None:
        """Does nothing: what is saved is indexed."""

    def delete(self, ids: Any, request: Any = None) -> None:
        """Does nothing: what is deleted leaves the index."""

    @classmethod
    def index_relations(cls, db_obj: Any, request: Any = None, **_: Any) -> None:
        """Does nothing: documents that show an object follow it."""

    @classmethod
    def bulk_index_relations(cls, items: Any, request: Any = None, **_: Any) -> None:
        """Does nothing: documents that show an object follow it."""

    def index_missing_documents(
        self, documents: Sequence[Mapping[str, Any]], request: Any = None
    ) -> None:
        """Write the documents that the index lacks; every one of the model after
        :meth:`delete_index`.

        :param documents: of the primary, each with its ``_pk``.
        """
        engines = _engines_of([self.doc_type])
        schema = engines.schema_of(self.doc_type)
        if self._rewrites:
            index_all(engines, schema)
            return
        ids = [str(document["_pk"]) for document in documents]
        outbox = engines.primary_of(schema.model).outbox_of(schema)
        for name, secondary in engines.secondaries.items():
            found = secondary.get(schema, ids)
            outbox.add(
                Touch(name, schema.name, id_)
                for id_, document in zip(ids, found, strict=True)
                if document is None
            )
        drain(engines)


def _get(engines: Engines, schema: ModelSchema, names: Mapping[str, Any]) -> Any:
    try:
        return dispatcher.get_item(engines, schema.name, names)
    except (DocumentNotFound, InvalidDocumentId, InvalidParameter):
        # What is no key of the model is the key of nothing.
        return None


def _engines_of(names: Iterable[str]) -> Engines:
    """The engines of the running application; else of the one that has the models."""
    registry = get_current_registry()
    if registry.queryUtility(IEngines) is not None:
        return engines_of(registry)
    from nefertari import engine

    for name in names:
        return owner_of(engine.get_document_cls(name))
    return engines_of(registry)


def _confirmed(
    engines: Engines, schema: ModelSchema, page: Page[Any], asking: Access
) -> Page[Any]:
    """The documents of a page whose rows let somebody in now: the index may be behind,
    and have rights that were taken away a moment ago."""
    if engines.secondary is None:
        return page
    key = schema.primary_key[0]
    keys = [getattr(item, key) for item in page]
    kept = visible_keys(engines, schema, keys, asking)
    return replace(page, items=[item for item in page if getattr(item, key) in kept])


def _no_documents() -> Documents:
    documents = Documents()
    documents._nefertari_meta = {"total": 0, "start": 0, "fields": [], "took": 0}
    return documents


def _documents(engines: Engines, page: Page[Any], reader: Access | None) -> Documents:
    schemas = [engines.schema_of(type(item)) for item in page]
    shown = [
        (schema, data_of(schema, item, page.fields))
        for schema, item in zip(schemas, page, strict=True)
    ]
    if reader is not None:
        hide_keys(engines, shown, reader)
    documents = Documents(proxy_of(data) for _, data in shown)
    documents._nefertari_meta = {
        "total": page.total,
        "start": page.start,
        "fields": list(page.fields or ()),
        "took": page.took or 0,
    }
    return documents
