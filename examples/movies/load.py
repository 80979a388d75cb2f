"""Films into the database, and all of them into the index."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pyramid.config import Configurator
from sqlalchemy import Connection, Engine, func, insert, select

from examples.movies.data import Film, Repairs, names_of, read_films
from examples.movies.models import Director, Distributor, Genre, Movie
from examples.movies.source import find_films
from nefertari_engine_base import Engines, engines_of, setup_database
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import DeliveryReport

log = logging.getLogger(__name__)

_RELATED: Mapping[str, type] = {
    "director": Director,
    "distributor": Distributor,
    "genre": Genre,
}

#: The models that have documents.
INDEXED: tuple[Any, ...] = (Movie, Director)


def prepare(config: Configurator, *, load: bool) -> None:
    """Create tables and indices, and fill them if they are empty and ``load`` is set.

    Without a search engine the application starts all the same.
    """
    try:
        setup_database(config)
        if load:
            fill(engines_of(config.registry))
    except SecondaryUnavailable as error:
        log.warning("Starting without the search engine: %s", error)


def fill(engines: Engines) -> None:
    """Load the films unless there are any, and index what is not indexed."""
    engine = database(engines)
    if not count_rows(engine, Movie):
        films, repairs = read_films(find_films())
        load_rows(engine, films)
        log_repairs(films, repairs)
    if any(
        model.secondary.count(_refresh_index=True) != count_rows(engine, model)
        for model in INDEXED
    ):
        log.info("Indexed %d documents", index_films(engines).written)


def database(engines: Engines) -> Engine:
    """The database that the films are in."""
    primary: Any = engines.primary_of(Movie)
    engine: Engine = primary.engine
    return engine


def log_repairs(films: list[Film], repairs: Repairs) -> None:
    """Say what was loaded and what was mended."""
    log.info("Loaded %d films, mended %d values", len(films), repairs.total)
    for rule, number in repairs.counts.most_common():
        log.info("  %d %s", number, rule)


def load_rows(engine: Engine, films: list[Film]) -> None:
    """Insert films and what they are related to, in one transaction.

    These are statements on tables, which nobody listens to: all that they write is
    indexed afterwards, at once.
    """
    with engine.begin() as connection:
        keys = {
            relation: _insert_names(connection, model, list(names_of(films, relation)))
            for relation, model in _RELATED.items()
        }
        connection.execute(insert(_table(Movie)), [_row(film, keys) for film in films])


def _table(model: type) -> Any:
    return model.__table__  # type: ignore[attr-defined]


def _insert_names(
    connection: Connection, model: type, names: list[str]
) -> dict[str, int]:
    table = _table(model)
    connection.execute(insert(table), [{"name": name} for name in names])
    found = connection.execute(select(table.c.name, table.c.id))
    return {row.name: row.id for row in found}


def _row(film: Film, keys: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    row = dict(film.columns)
    for relation, known in keys.items():
        name = getattr(film, relation)
        row[f"{relation}_id"] = None if name is None else known[name]
    return row


def count_rows(engine: Engine, model: type) -> int:
    """How many rows a model has."""
    with engine.connect() as connection:
        number = connection.scalar(select(func.count()).select_from(_table(model)))
    return int(number or 0)


def index_films(
    engines: Engines, on_batch: Callable[[DeliveryReport], None] | None = None
) -> DeliveryReport:
    """Write the documents of every row, and wait until searches see them."""
    total = DeliveryReport()
    schemas = [engines.schema_of(model) for model in INDEXED]
    for schema in schemas:
        total.add(index_all(engines, schema, on_batch))
    for secondary in engines.secondaries.values():
        secondary.refresh(schemas)
    return total
