"""A small application, as its own author would configure it, and questions to it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import elasticsearch
import sqlalchemy as sa
from pyramid.config import Configurator
from sqlalchemy.orm import Session

from nefertari_engine_base import engines_of
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.sync.worker import drain


class Application:
    """An application over some models, on a real database and a real search server.

    :param declare: called with the configurator, declares models and subscribers.
    """

    def __init__(
        self, database_url: str, search_url: str, index_prefix: str, declare: Any,
        **settings: Any,
    ) -> None:  # fmt: skip
        self.settings = {
            "nefertari.engine": "nefertari_engine_base.primary.sqla nefertari_es",
            "sqlalchemy.url": database_url,
            "elasticsearch.hosts": search_url,
            "elasticsearch.index_prefix": index_prefix,
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
        config = Configurator(settings=self.settings)
        config.include("nefertari_engine_base")
        declare(config)
        config.commit()
        self.registry = config.registry
        self.engines: Engines = engines_of(config.registry)
        self.primary: Any = self.engines.primaries["sqla"]
        self.secondary: Any = self.engines.secondary
        self.database: sa.Engine = self.primary.engine

    def setup(self) -> Application:
        self.engines.setup_database()
        return self

    def close(self) -> None:
        client, prefix = self.secondary.client, self.secondary.settings.index_prefix
        with suppress(elasticsearch.ApiError, elasticsearch.TransportError):
            # A server has room for a thousand indices, and no more.
            found = client.indices.get(index=f"{prefix}-*", ignore_unavailable=True)
            client.indices.delete(index=",".join(found) or f"{prefix}-none-*")
        self.engines.close()
        self.database.dispose()

    def session(self, **options: Any) -> Session:
        return Session(self.database, **options)

    def save(self, *instances: Any) -> None:
        with self.session(expire_on_commit=False) as session:
            session.add_all(instances)
            session.commit()

    def drain(self) -> Any:
        return drain(self.engines)

    def waiting(self) -> int:
        return sum(outbox.waiting() for outbox in self.engines.outboxes())

    def entries(self) -> list[tuple[str, str, str]]:
        """(model, path, key) of what waits in the outbox, in order."""
        with self.database.connect() as connection:
            rows = connection.execute(
                sa.text("SELECT model, path, key FROM nefertari_outbox ORDER BY id")
            )
            return [tuple(row) for row in rows]

    def documents(self, model: Any) -> dict[str, dict[str, Any]]:
        """Every document of a model that a search finds, by id."""
        schema = self.engines.schema_of(model)
        self.secondary.refresh([schema])
        page = model.secondary.get_collection(_limit=None)
        return {document.meta.id: document.to_dict() for document in page}

    def rows(self, model: Any) -> dict[str, dict[str, Any]]:
        """Every row of a model, as its document should be, from fresh instances."""
        with self.session() as session:
            return {
                self.primary.document_id(row): dict(self.primary.to_dict(row))
                for row in session.scalars(sa.select(model)).unique()
            }


def contents(document: dict[str, Any]) -> dict[str, Any]:
    """A document without what is said of it."""
    return {
        name: value for name, value in document.items() if name not in ("_type", "_pk")
    }


def assert_index_equals_rows(app: Application, models: Iterable[Any]) -> None:
    """Every row has its document, field by field, and there are no others."""
    for model in models:
        rows = app.rows(model)
        documents = {id_: contents(d) for id_, d in app.documents(model).items()}
        assert documents.keys() == rows.keys(), model.__name__
        for id_, row in rows.items():
            assert documents[id_] == row, (model.__name__, id_)
