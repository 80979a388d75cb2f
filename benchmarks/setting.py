"""What benchmarks run on: servers, an empty schema, applications."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pyramid.config import Configurator

from benchmarks.measure import Contender, Plan, Result, Samples, measure
from nefertari_engine_base import engines_of
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine


@dataclass(frozen=True)
class Setting:
    """What a benchmark is given.

    :attr elasticsearch: URL of the search server.
    :attr postgresql: URL of the database, in SQLAlchemy's form.
    :attr mongodb: URL of the server of MongoDB's protocol.
    :attr scale: 1 is a full run; a part of it measures less, and less exactly.
    :attr seed: of the order of the contenders and of all input.
    """

    elasticsearch: str
    postgresql: str
    mongodb: str
    scale: float = 1.0
    seed: int = 1

    @property
    def prefix(self) -> str:
        """Beginning of the names of everything that is left on servers meanwhile."""
        return f"bench-{os.getpid()}"

    def size(self, full: int, least: int = 1) -> int:
        """A number that shrinks with the scale."""
        return max(least, round(full * self.scale))

    def plan(self, operations: int = 1, blocks: int = 1, warm_up: int = 1) -> Plan:
        """A plan of this scale; nine repetitions when it is full."""
        return Plan(
            repetitions=self.size(9, 2),
            operations=operations,
            blocks=self.size(blocks),
            warm_up=self.size(warm_up, min(warm_up, 3)),
        )

    def measure(self, contenders: list[Contender], plan: Plan) -> Samples:
        """Measure in an order that the seed decides."""
        return measure(contenders, plan, random.Random(self.seed))


Benchmark = Callable[[Setting], Result]


@contextmanager
def database(setting: Setting, suffix: str = "") -> Iterator[sa.Engine]:
    """An engine on an empty schema of PostgreSQL, which is dropped in the end.

    :param suffix: of the schema's name, for a second one.
    """
    name = setting.prefix.replace("-", "_") + suffix
    url = sa.make_url(setting.postgresql)
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine = sa.create_engine(
        url.update_query_dict({"options": f"-csearch_path={name}"})
    )
    try:
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        server.dispose()


def configure(
    setting: Setting,
    engine: sa.Engine,
    declare: Callable[[Any], object],
    **settings: str,
) -> Engines:
    """The engines of an application; nothing is connected or created yet.

    :param declare: is called with the configurator, and adds the models.
    """
    config = Configurator(
        settings={
            "nefertari.engine": "nefertari_es",
            "elasticsearch.hosts": setting.elasticsearch,
            "elasticsearch.index_prefix": setting.prefix,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
    )
    config.include("nefertari_engine_base")
    capture = config.get_settings().get("nefertari.capture", "session")
    config.add_primary_engine(SQLAlchemyEngine(engine, capture=capture))
    declare(config)
    config.commit()
    return engines_of(config.registry)


@contextmanager
def application(
    setting: Setting,
    engine: sa.Engine,
    declare: Callable[[Any], object],
    **settings: str,
) -> Iterator[Engines]:
    """The engines of an application whose tables and indices were just created."""
    engines = configure(setting, engine, declare, **settings)
    with ExitStack() as stack:
        stack.callback(engines.close)
        stack.callback(delete_indices, engines)
        engines.setup_database()
        yield engines


def delete_indices(engines: Engines) -> None:
    """Delete the indices of an application."""
    secondary: Any = engines.secondary
    aliases = [secondary.model_of(schema).alias for schema in engines.schemas.values()]
    for alias in aliases:
        found = secondary.client.indices.get(index=alias, ignore_unavailable=True)
        for name in found.body:
            secondary.client.indices.delete(index=name)
