"""MongoEngine as the primary engine: ordinary document classes, on MongoDB.

Include it by ``nefertari.engine = nefertari_engine_base.primary.mongo``; it connects
MongoEngine to ``mongodb.url``. An application that has connections of its own calls
``mongoengine.connect`` itself, and ``config.add_primary_engine(MongoDBEngine())``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pyramid.config import Configurator
from pyramid.events import ApplicationCreated

from nefertari_engine_base.compat.names import CONTRACT
from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.exceptions import ConfigurationError

try:
    from mongoengine import connect
    from mongoengine.connection import DEFAULT_CONNECTION_NAME, ConnectionFailure
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    from nefertari_engine_base.primary.mongo.engine import MongoDBEngine
except ImportError as error:
    raise ConfigurationError(
        'MongoEngine is missing: pip install "nefertari-es[mongo]".'
    ) from error

__all__ = ["MongoDBEngine", "includeme", *CONTRACT]


def __getattr__(name: str) -> Any:
    # What only models of nefertari are made of, is imported when it is asked for.
    if name in CONTRACT:
        return getattr(import_module(f"{__name__}.contract"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def includeme(config: Configurator) -> None:
    """Connect MongoEngine as the settings say, and make the engine.

    :raises ConfigurationError: if there is no URL, if it names no database, or if
        MongoEngine has another default connection.
    """
    config.include("nefertari_engine_base")
    if not engines_of(config.registry).is_first_inclusion(__name__):
        return
    url = config.get_settings().get("mongodb.url")
    if not url:
        raise ConfigurationError(
            "mongodb.url is not set: say where the database is, for example "
            "mongodb.url = mongodb://localhost/movies"
        )
    _connect(url)
    engine = MongoDBEngine(closes=DEFAULT_CONNECTION_NAME)
    config.add_primary_engine(engine)
    config.add_subscriber(lambda event: engine.hint(), ApplicationCreated)


def _connect(url: str) -> None:
    try:
        # Without a database in it MongoEngine would take one that is called "test".
        name = parse_uri(url)["database"]
    except (PyMongoError, ValueError) as error:
        raise ConfigurationError(f"mongodb.url: {error}") from error
    if not name:
        raise ConfigurationError(
            "mongodb.url names no database: add it, for example "
            "mongodb://localhost/movies"
        )
    try:
        connect(host=url, uuidRepresentation="standard")
    except ConnectionFailure as error:
        raise ConfigurationError(
            f"mongodb.url: {error}. An application that connects MongoEngine itself "
            f"calls config.add_primary_engine(MongoDBEngine()) instead."
        ) from error
