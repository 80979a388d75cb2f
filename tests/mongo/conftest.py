"""An empty database for MongoEngine's default connection."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import mongoengine as me
import pytest
from pymongo.monitoring import CommandListener

from tests.mongo.films import Films

_NUMBERS = itertools.count(1)


@pytest.fixture
def mongodb(mongodb_url, commands) -> Iterator[object]:
    """An empty database, of PyMongo; the documents of MongoEngine are in it."""
    with empty_mongodb(mongodb_url, event_listeners=[commands]) as database:
        yield database


@contextmanager
def empty_mongodb(mongodb_url, **options) -> Iterator[object]:
    """An empty database in MongoEngine's default connection, for a while.

    :param options: of the connection.
    """
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    host = urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    client = me.connect(host=host, uuidRepresentation="standard", **options)
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


class Commands(CommandListener):
    """What is sent to the server: (command, collection), in order."""

    def __init__(self):
        self.sent = []

    def started(self, event):
        self.sent.append((event.command_name, event.command[event.command_name]))

    def succeeded(self, event):
        """Of no interest."""

    def failed(self, event):
        """Of no interest."""

    def taken(self):
        """How often each (command, collection) was sent since this was asked last."""
        sent, self.sent = self.sent, []
        return Counter(sent)


@pytest.fixture
def commands() -> Commands:
    """What is sent to the server, by tests that ask for ``mongodb`` as well."""
    return Commands()


@pytest.fixture
def films(mongodb) -> Iterator[Films]:
    """Films, and nothing delivered until it is asked for."""
    films = Films()
    yield films
    films.close()
