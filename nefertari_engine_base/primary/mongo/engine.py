"""MongoEngine behind the interface of primary engines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pymongo
from mongoengine.connection import disconnect
from pymongo.errors import PyMongoError
from zope.interface import implementer

from nefertari_engine_base.exceptions import ConfigurationError, UnknownModel
from nefertari_engine_base.interfaces import (
    IDependencyGraph,
    IPrimaryEngine,
    IPublisher,
)
from nefertari_engine_base.primary.mongo import loading, querying, schema
from nefertari_engine_base.primary.mongo.collections import translated_errors
from nefertari_engine_base.primary.mongo.ids import Ids
from nefertari_engine_base.primary.mongo.indexes import missing_indexes
from nefertari_engine_base.primary.mongo.keys import (
    database_of,
    home_of,
    stored_key,
)
from nefertari_engine_base.primary.mongo.listening import listen
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from nefertari_engine_base.primary.mongo.sources import SOURCES, Source
from nefertari_engine_base.schema import ModelSchema, SecondaryOptions
from nefertari_engine_base.values import Capability, Page, Query

log = logging.getLogger(__name__)

#: How long a start waits for the server to tell its indexes, in seconds.
_HINT_TIMEOUT = 5.0


@implementer(IPrimaryEngine)
class MongoDBEngine:
    """Documents of MongoEngine, on a server of MongoDB.

    The connections are MongoEngine's own: ``mongoengine.connect`` has to be called
    before the configuration is complete. Each database has an outbox.

    :param closes: alias of the connection that is closed with the engine, if any.
    """

    name = "mongo"
    follows_rows = False
    #: See :attr:`IPrimaryEngine.capabilities`.
    capabilities = Capability.NONE

    def __init__(self, closes: str | None = None) -> None:
        self._closes = closes
        self._has_hinted = False
        self._publisher: IPublisher | None = None
        self._schemas: dict[str, ModelSchema] = {}
        self._known: dict[str, ModelSchema] = {}
        self._loaders: dict[str, Loader] = {}
        self._outboxes: dict[tuple[Any, str], MongoOutbox] = {}
        # To hash a client takes as long as to prepare a write's entry.
        self._latest: tuple[Any, MongoOutbox | None] = (None, None)

    # --- models ------------------------------------------------------------

    def owns(self, model: type) -> bool:
        """See :meth:`IPrimaryEngine.owns`."""
        return schema.is_document(model)

    def describe(
        self, model: type, options_of: Callable[[type], SecondaryOptions | None]
    ) -> ModelSchema:
        """See :meth:`IPrimaryEngine.describe`."""
        options = options_of(model) or SecondaryOptions()
        described = schema.describe(model, options, options_of)
        _check_database(described)
        self._schemas[described.name] = described
        self._loaders.pop(described.name, None)
        return described

    def listen(self, publisher: IPublisher, graph: IDependencyGraph) -> None:
        """See :meth:`IPrimaryEngine.listen`."""
        if self._publisher is not None:
            SOURCES.forget(self._publisher)
        self._publisher = publisher
        self._known = _with_embedded(self._schemas)
        for known in self._known.values():
            outbox = partial(self._outbox_for, known.model)
            for model in _family(known.model):
                described = self._schema_of(model)
                bases = [base.__name__ for base in model.__mro__[1:]]
                held = graph.references(model.__name__, bases)
                listen(Source(model, described, publisher, outbox, held))

    def _schema_of(self, model: type) -> ModelSchema:
        for base in model.__mro__:
            if base.__name__ in self._known:
                return self._known[base.__name__]
        raise UnknownModel(f"{model.__name__} has no documents and is in none.")

    # --- delivery ----------------------------------------------------------

    def setup_database(self) -> None:
        """See :meth:`IPrimaryEngine.setup_database`.

        The indexes that the models declare are created, too, except those of models
        that say ``auto_create_index=False``.
        """
        for outbox in self.outboxes():
            outbox.setup()
        with translated_errors():
            for known in self._known.values():
                model: Any = known.model
                if model._meta.get("auto_create_index", True):
                    model.ensure_indexes()
        self.hint()

    def hint(self) -> None:
        """Log a warning for each index that MongoDB lacks and deliveries want, once."""
        if self._has_hinted:
            return
        self._has_hinted = True
        try:
            with pymongo.timeout(_HINT_TIMEOUT):
                for missing in missing_indexes(self._schemas.values()):
                    log.warning("%s", missing)
        except PyMongoError as error:
            log.warning("MongoDB could not be asked for its indexes: %s", error)

    def outboxes(self) -> Sequence[MongoOutbox]:
        """See :meth:`IPrimaryEngine.outboxes`."""
        found = {self._outbox_for(known.model): None for known in self._known.values()}
        return list(found)

    def outbox_of(self, schema: ModelSchema) -> MongoOutbox:
        """See :meth:`IPrimaryEngine.outbox_of`."""
        return self._outbox_for(schema.model)

    def _outbox_for(self, model: type) -> MongoOutbox:
        database = database_of(model)
        known, outbox = self._latest
        if outbox is not None and known is database:
            return outbox
        outbox = self._outbox_in(database)
        self._latest = database, outbox
        return outbox

    def _outbox_in(self, database: Any) -> MongoOutbox:
        # By the client, too: an alias may have been connected anew.
        key = (database.client, database.name)
        outbox = self._outboxes.get(key)
        if outbox is None:
            outbox = MongoOutbox(database, self._loader_of)
            outbox = self._outboxes.setdefault(key, outbox)
        return outbox

    def announce_entries(self) -> None:
        """See :meth:`IPrimaryEngine.announce_entries`: nobody is woken here."""

    def _loader_of(self, model: str) -> Loader:
        loader = self._loaders.get(model)
        if loader is None:
            loader = self._loaders[model] = Loader(self._schemas[model])
        return loader

    def triggers(self, secondaries: Sequence[str]) -> Sequence[Any]:
        """See :meth:`IPrimaryEngine.triggers`: there are none."""
        return ()

    # --- reading -----------------------------------------------------------

    def document_id(self, instance: Any) -> str:
        """See :meth:`IPrimaryEngine.document_id`."""
        return Ids(self._schema_of(type(instance))).of(stored_key(instance))

    def to_dict(self, instance: Any) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.to_dict`."""
        with translated_errors():
            return loading.to_dict(self._schema_of(type(instance)), instance)

    def search(self, schema: ModelSchema, query: Query) -> Page[Any]:
        """See :meth:`IPrimaryEngine.search`."""
        with translated_errors():
            page = querying.search(schema, query)
            page.engine = self.name
            return page

    def count(self, schema: ModelSchema, query: Query) -> int:
        """See :meth:`IPrimaryEngine.count`."""
        with translated_errors():
            return querying.count(schema, query)

    def explain(self, schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.explain`."""
        with translated_errors():
            return querying.explain(schema, query)

    def get_by_ids(
        self, schema: ModelSchema, ids: Sequence[str], documents_only: bool = False
    ) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.get_by_ids`."""
        with translated_errors():
            return querying.get_by_ids(schema, ids, documents_only)

    def list_ids(
        self, schema: ModelSchema, after: str | None, limit: int
    ) -> Sequence[str]:
        """See :meth:`IPrimaryEngine.list_ids`."""
        with translated_errors():
            return self._loader_of(schema.name).list_ids(after, limit)

    def close(self) -> None:
        """See :meth:`IPrimaryEngine.close`."""
        if self._publisher is not None:
            SOURCES.forget(self._publisher)
            self._publisher = None
        for outbox in self._outboxes.values():
            outbox.flush()
        if self._closes is not None:
            disconnect(self._closes)
            for known in self._known.values():
                for model in _family(known.model):
                    # MongoEngine itself does it for classes that it finds by their
                    # names, which others may have, too.
                    model._disconnect()


def _with_embedded(schemas: Mapping[str, ModelSchema]) -> dict[str, ModelSchema]:
    """Schemas of the models with documents, of those that are embedded by reference
    only, and of those that only computed fields read."""
    known = dict(schemas)
    for followed in (False, True):
        for root in schemas.values():
            for _, inner in root.walk(followed=followed):
                if schema.is_document(inner.model):
                    known.setdefault(inner.name, inner)
    return known


def _check_database(described: ModelSchema) -> None:
    """Each database draws its own versions, which tell nothing of another's changes.

    :raises ConfigurationError: if documents would embed those of another database.
    """
    database = home_of(described.model).database
    for relations, inner in described.walk(followed=True):
        is_elsewhere = (
            schema.is_document(inner.model)
            and home_of(inner.model).database != database
        )
        if is_elsewhere:
            path = ".".join(relation.name for relation in relations)
            raise ConfigurationError(
                f"{described.name}.{path} leads to documents of another database, "
                f"whose changes are delivered apart. Leave {path!r} out of nested= "
                f"and of depends_on."
            )


def _family(model: Any) -> Iterator[Any]:
    """A class, and all that inherit from it."""
    yield model
    for subclass in model.__subclasses__():
        if schema.is_document(subclass):
            yield from _family(subclass)
