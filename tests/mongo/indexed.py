"""An application whose documents are in MongoDB and in a real search server."""

from __future__ import annotations

from contextlib import suppress

import elasticsearch
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.sync.worker import drain


class Indexed:
    """The application; the database is MongoEngine's default connection.

    :param models: those that have documents, each with options of ``@secondary``.
    """

    def __init__(self, search_url, index_prefix, models, **settings):
        config = Configurator(
            settings={
                "elasticsearch.hosts": search_url,
                "elasticsearch.index_prefix": index_prefix,
                **{key.replace("__", "."): value for key, value in settings.items()},
            }
        )
        config.include("nefertari_engine_base")
        config.add_primary_engine(MongoDBEngine())
        config.include("nefertari_es")
        for model, options in models.items():
            config.add_secondary(model, **options)
        config.commit()
        self.models = list(models)
        self.engines = engines_of(config.registry)
        self.secondary = self.engines.secondary

    def setup(self):
        self.engines.setup_database()
        return self

    def outbox_of(self, model):
        schema = self.engines.schema_of(model)
        return self.engines.primary_of(model).outbox_of(schema)

    def drain(self):
        return drain(self.engines)

    def index(self):
        """What ``nefertari-es index`` does."""
        for model in self.models:
            catch_up(self.engines, self.engines.schema_of(model))

    def documents(self, model):
        """Every document of a model that a search finds, by id."""
        self.secondary.refresh([self.engines.schema_of(model)])
        page = model.secondary.get_collection(_limit=None)
        return {document.meta.id: document.to_dict() for document in page}

    def close(self):
        client, prefix = self.secondary.client, self.secondary.settings.index_prefix
        with suppress(elasticsearch.ApiError, elasticsearch.TransportError):
            found = client.indices.get(index=f"{prefix}-*", ignore_unavailable=True)
            client.indices.delete(index=",".join(found) or f"{prefix}-none-*")
        self.engines.close()
