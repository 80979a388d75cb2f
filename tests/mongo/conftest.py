"""An empty database for MongoEngine's default connection."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import mongoengine as me
import pytest

from tests.mongo.films import Films

_NUMBERS = itertools.count(1)


@pytest.fixture
def mongodb(mongodb_url) -> Iterator[object]:
    """An empty database, of PyMongo; the documents of MongoEngine are in it."""
    with empty_mongodb(mongodb_url) as database:
        yield database


@contextmanager
def empty_mongodb(mongodb_url) -> Iterator[object]:
    """An empty database in MongoEngine's default connection, for a while."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    host = urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    client = me.connect(host=host, uuidRepresentation="standard")
    try:
        yield client[name]
        client.drop_database(name)
    finally:
        me.disconnect()
        forget_collections(me.Document)


def forget_collections(model) -> None:
    """Have classes ask for their collections anew.

    MongoEngine does that by the names of classes, and the tests have several of a name.
    """
    for subclass in model.__subclasses__():
        subclass._disconnect()
        forget_collections(subclass)


@pytest.fixture
def films(mongodb) -> Iterator[Films]:
    """Films, and nothing delivered until it is asked for."""
    films = Films()
    yield films
    films.close()
