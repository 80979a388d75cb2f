"""MongoEngine's tests on the server that ``MONGODB_URL`` names.

They connect to the default address. They count queries by the server's profiler, which
the server of the tests has not; here the driver counts. The collections of the outbox
are hidden from those who ask for names, as are the commands on them from who counts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import mongoengine.connection
import pymongo
from mongoengine import context_managers
from pymongo import monitoring
from pymongo.synchronous.database import Database

#: Names of collections that the outbox is made of begin so.
OWN = "nefertari_"
#: A part of the path of every file that writes for an announced write.
_ANNOUNCING = "/nefertari_engine_base/primary/mongo/"

_UNCOUNTED = frozenset(
    [
        "hello",
        "ismaster",
        "ping",
        "buildInfo",
        "endSessions",
        "killCursors",
        "createIndexes",
        "listIndexes",
        "listCollections",
    ]
)
_WRITING = frozenset(
    ("insert", "update", "delete", "findAndModify", "drop", "renameCollection")
)


class Commands(monitoring.CommandListener):
    """Hears what is sent to the server.

    :attr unseen: (database, collection) of what was written past the models; ``None``
        in place of a collection stands for all.
    """

    def __init__(self) -> None:
        self.unseen: set[tuple[str, str | None]] = set()
        self.is_quiet = False
        self._counters: list[DriverCounter] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if self.is_quiet:
            return
        name, database = event.command_name, event.database_name
        target = str(event.command.get(name))
        if target.startswith(OWN):
            return
        if name not in _UNCOUNTED:
            for counter in self._counters:
                counter.count += counter.db.name == database
        if name == "dropDatabase" or _replaces(event):
            self.unseen.add((database, None))
        elif name in _WRITING and not _is_announced():
            self.unseen.add((database, target))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Of no interest."""

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hear nothing of what is sent meanwhile."""
        before, self.is_quiet = self.is_quiet, True
        try:
            yield
        finally:
            self.is_quiet = before

    def has_seen(self, database: str, collection: str) -> bool:
        """Whether all that was written to a collection went through its models."""
        return self.unseen.isdisjoint({(database, collection), (database, None)})

    def count_for(self, counter: DriverCounter) -> None:
        self._counters.append(counter)

    def count_no_more_for(self, counter: DriverCounter) -> None:
        if counter in self._counters:
            self._counters.remove(counter)


def _replaces(event: monitoring.CommandStartedEvent) -> bool:
    pipeline = event.command.get("pipeline", ())
    if any("$out" in stage or "$merge" in stage for stage in pipeline):
        return True
    out = event.command.get("out", {})
    return event.command_name == "mapReduce" and "inline" not in out


def _is_announced() -> bool:
    frame = sys._getframe(2)
    while frame is not None:
        if _ANNOUNCING in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


COMMANDS = Commands()


class DriverCounter(context_managers.query_counter):
    """MongoEngine's counter of queries, without the profiler."""

    def _turn_on_profiling(self) -> None:
        self.count = 0
        COMMANDS.count_for(self)

    def _resets_profiling(self) -> None:
        COMMANDS.count_no_more_for(self)

    def _get_count(self) -> int:
        return self.count

    # Two are the same if they have counted the same, and the list tells them apart.
    __hash__ = None


def prepare(url: str) -> None:
    """Have everything that connects from now on connect to this server."""
    parts = urlsplit(url)
    mongoengine.connection.DEFAULT_HOST = parts.hostname
    mongoengine.connection.DEFAULT_PORT = parts.port
    pymongo.MongoClient.HOST, pymongo.MongoClient.PORT = parts.hostname, parts.port
    monitoring.register(COMMANDS)
    context_managers.query_counter = DriverCounter
    names = Database.list_collection_names

    def list_collection_names(self, *args, **options):
        found = names(self, *args, **options)
        return [name for name in found if not name.startswith(OWN)]

    Database.list_collection_names = list_collection_names
