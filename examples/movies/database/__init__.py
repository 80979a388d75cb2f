"""What the application asks of its database, whichever that is.

The engine that the settings name chooses the models and the database. Everything else
is the same for each: pages, JSON, templates, and what the search engine is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.settings import aslist

from examples.movies.data import Film
from nefertari_engine_base import engines_of
from nefertari_engine_base.exceptions import ConfigurationError

#: By the engine; only the chosen one is imported.
_DATABASES = {
    "nefertari_engine_base.primary.sqla": "examples.movies.database.sql.SqlDatabase",
    "nefertari_engine_base.primary.mongo": (
        "examples.movies.database.mongo.MongoDatabase"
    ),
}

_KEY = "examples.movies.database"


class Store(Protocol):
    """Reads and writes single rows, all in one transaction if the database has them."""

    def find(self, model: Any, **values: Any) -> Any:
        """The row that has these values, or ``None``."""

    def names(self, model: Any) -> list[str]:
        """Every name, sorted."""

    def save(self, row: Any) -> None:
        """Save a row that is new or was changed; a new one gets its key."""

    def delete(self, row: Any) -> None:
        """Delete a row."""


class Database(Protocol):
    """The films in a database. Made from the engines, which are not complete yet.

    :attr models: the module with the models.
    """

    models: Any

    @property
    def name(self) -> str:
        """What people call the database."""

    def load(self, films: Sequence[Film]) -> None:
        """Insert films and what they are related to; nothing of it is indexed."""

    def count(self, model: Any) -> int:
        """How many rows a model has."""

    def rows(self, model: Any) -> Iterable[Any]:
        """Every row in the order of the keys, with what it is related to."""

    def store_of(self, request: Request) -> Store:
        """A store for the time of a request."""

    def begin(self) -> AbstractContextManager[Store]:
        """A store for a block, which is one transaction if the database has them."""

    def close(self) -> None:
        """Give back every connection."""


def includeme(config: Configurator) -> None:
    """Add the models, ``request.models`` and ``request.store``.

    :raises ConfigurationError: if no engine is set that there are models for.
    """
    names = aslist(config.get_settings().get("nefertari.engine", ""))
    found = [_DATABASES[name] for name in names if name in _DATABASES]
    if not found:
        raise ConfigurationError(
            f"nefertari.engine names no engine that this application has models for; "
            f"add one of {', '.join(_DATABASES)}."
        )
    database: Database = config.maybe_dotted(found[0])(engines_of(config.registry))
    config.registry[_KEY] = database
    config.scan(database.models)
    config.add_request_method(lambda _: database.models, "models", reify=True)
    config.add_request_method(database.store_of, "store", reify=True)


def database_of(registry: Registry) -> Database:
    """The database of an application."""
    found: Database = registry[_KEY]
    return found
