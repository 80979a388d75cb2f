"""Films into the database, and all of them into the index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator

from examples.movies.data import Film, Repairs, read_films
from examples.movies.database import database_of
from examples.movies.source import find_films
from nefertari_engine_base import Engines, engines_of, setup_database
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import DeliveryReport

log = logging.getLogger(__name__)


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
    database = database_of(engines.registry)
    if not database.count(database.models.Movie):
        films, repairs = read_films(find_films())
        database.load(films)
        log_repairs(films, repairs)
    if any(
        model.secondary.count(_refresh_index=True) != database.count(model)
        for model in indexed(engines)
    ):
        log.info("Indexed %d documents", index_films(engines).written)


def indexed(engines: Engines) -> list[Any]:
    """The models that have documents."""
    return [schema.model for schema in engines.schemas.values()]


def log_repairs(films: list[Film], repairs: Repairs) -> None:
    """Say what was loaded and what was mended."""
    log.info("Loaded %d films, mended %d values", len(films), repairs.total)
    for rule, number in repairs.counts.most_common():
        log.info("  %d %s", number, rule)


def index_films(
    engines: Engines, on_batch: Callable[[DeliveryReport], None] | None = None
) -> DeliveryReport:
    """Write the documents of every row, and wait until searches see them."""
    total = DeliveryReport()
    schemas = list(engines.schemas.values())
    for schema in schemas:
        total.add(index_all(engines, schema, on_batch))
    for secondary in engines.secondaries.values():
        secondary.refresh(schemas)
    return total
