"""An application whose index is kept in memory, and writes that no session makes."""

from __future__ import annotations

from typing import Any

import orjson
import sqlalchemy as sa
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from tests.application import Application


class Unheard(Application):
    """Models on an empty database, with triggers; nothing is delivered by itself.

    :param models: those that have documents, with the options of ``@secondary``.
    :param before: statements to execute before tables are made by the models.
    """

    def __init__(
        self, database_url: str, models: dict[type, dict[str, Any]], *before: str,
        **settings: Any,
    ) -> None:  # fmt: skip
        self.models = models
        self.settings = {
            "nefertari.engine": "nefertari_engine_base.primary.sqla",
            "sqlalchemy.url": database_url,
            "nefertari.sync": "worker",
            **{key.replace("__", "."): value for key, value in settings.items()},
        }
        config = Configurator(settings=self.settings)
        config.include("nefertari_engine_base")
        config.add_secondary_engine(MemoryEngine())
        for model, options in models.items():
            config.add_secondary(model, **options)
        config.commit()
        self.registry = config.registry
        self.engines = engines_of(config.registry)
        self.primary = self.engines.primaries["sqla"]
        self.secondary = self.engines.secondary
        self.database = self.primary.engine
        if before:
            self.write(*before)

    def __enter__(self) -> Unheard:
        return self

    def __exit__(self, *error: object) -> None:
        self.engines.close()
        self.database.dispose()

    @property
    def triggers(self) -> Any:
        (found,) = self.primary.triggers(["memory"])
        return found

    @property
    def is_sqlite(self) -> bool:
        return self.database.dialect.name == "sqlite"

    def installed(self) -> Unheard:
        self.setup()
        self.triggers.install()
        return self

    def write(self, *statements: str, obeys: bool = False) -> None:
        """Execute texts as another program does, in one transaction.

        :param obeys: SQLite obeys foreign keys.
        """
        with self.database.connect() as connection:
            driver: Any = connection.connection.driver_connection
            if obeys and self.is_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")
            for statement in statements:
                driver.execute(statement)
            driver.commit()
            if obeys and self.is_sqlite:
                driver.execute("PRAGMA foreign_keys = OFF")

    def problems(self) -> list[tuple[str, str, str]]:
        return [
            (one.table, one.name, str(one.problem))
            for one in self.triggers.check()
            if one.problem
        ]

    def check(self) -> None:
        """After a delivery, and after what is owed, the index equals the rows."""
        drain(self.engines)
        assert self.entries() == []
        for debt in next(iter(self.engines.outboxes())).debt_status():
            catch_up(self.engines, self.engines.schema_of(debt.model))
        for model in self.models:
            assert self.documents(model) == self.rows(model), model.__name__

    def documents(self, model: Any) -> dict[str, Any]:
        """Every document, by id."""
        collection = self.secondary._collections[model.__name__]
        return {
            id_: one.source
            for id_, one in collection.stored.items()
            if one.source is not None
        }

    def rows(self, model: Any) -> dict[str, Any]:
        """Every document that there should be, by id, as a delivery loads it."""
        schema = self.engines.schema_of(model)
        ids = self.primary.list_ids(schema, None, 10_000)
        (outbox,) = self.engines.outboxes()
        with self.database.connect() as connection:
            loaded = outbox.load_documents(connection, schema.name, ids)
        return {id_: orjson.loads(document) for id_, document in loaded.items()}

    def owed(self) -> set[str]:
        (outbox,) = self.engines.outboxes()
        return {debt.model for debt in outbox.debt_status()}


def new_tables(url: str, *tables: sa.Table) -> None:
    """Make tables of no model."""
    engine = sa.create_engine(url)
    for table in tables:
        table.create(engine)
    engine.dispose()
