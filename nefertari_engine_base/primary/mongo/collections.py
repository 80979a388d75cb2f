"""The collections that delivery keeps in the primary's database, its clock and its
numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import SystemRandom
from threading import Lock
from typing import Any

from pymongo import ReadPreference, ReturnDocument
from pymongo.database import Database
from pymongo.errors import (
    ConnectionFailure,
    DocumentTooLarge,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.forks import renew_after_fork
from nefertari_engine_base.refusals import blames_document

#: By how many versions those to come are moved ahead: the index forgets the versions of
#: deletes in time, and does not tell them.
VERSION_JUMP = 2**20

#: Numbers of entries and debts that a process takes at once. They tell what they number
#: apart; they do not order it.
_NUMBERS_AT_ONCE = 1_000

#: What is counted of a number; above it, a word of chance. A restore sets the counter
#: back, under processes that go on with numbers of it: who takes the same again gets
#: another word.
_COUNTED = 2**28
#: So many words there are: a number stays below that which places in lists begin at.
_WORDS = 2**20 - 1

#: How long a write may take to reach the server, in seconds, after it was announced.
WRITE_TIME = 60.0

#: By how many seconds the clocks of two nodes may differ: the lease of a writer is
#: reckoned by that of one, and after a failover judged by that of another.
CLOCK_SKEW = 60.0

#: For how long what a writer has announced counts as under way, in seconds.
WRITER_LEASE = WRITE_TIME + CLOCK_SKEW

#: Seconds that the server's clock is believed without asking it again.
_CLOCK_IS_FRESH = 60.0

#: If this machine's two clocks drift apart by more seconds than this, it has slept, or
#: its clock was set: then the server's is asked.
_JUMP = 1.0
#: So often it is asked in a row, as long as the answer takes longer than that.
_ASKED_AT_MOST = 3


# A process that was forked does not draw what its parent draws.
randrange = SystemRandom().randrange


class Collections:
    """What delivery keeps in one database.

    Everything is acknowledged by a majority, so that no failover takes it back: neither
    an entry, nor a version that was drawn.

    :attr outbox: committed changes that are not yet known to be indexed.
    :attr workers: each tells every few seconds that it is alive.
    :attr debts: that documents of a model may differ from their index.
    :attr indices: what is remembered of the index of each model, by its place; and,
        without a place, the fence of the model.
    :attr forms: the form of each model's documents, by the last setup.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        safe = database.with_options(
            write_concern=WriteConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("local"),
        )
        self.outbox = safe["nefertari_outbox"]
        self.workers = safe["nefertari_worker"]
        self.debts = safe["nefertari_debt"]
        self.indices = safe["nefertari_index"]
        self.forms = safe["nefertari_form"]
        self._counters = safe["nefertari_counter"]
        self._database = safe
        self.renew()
        renew_after_fork(self)
        self._clock_offset = 0.0
        #: When the server's clock was asked, by both of this machine.
        self._clock_asked: tuple[float, float] | None = None

    def renew(self) -> None:
        """See :class:`~nefertari_engine_base.forks.Renewable`: the numbers that were
        taken are the parent's. The driver sees to its sockets itself."""
        self._lock = Lock()
        self._free = range(0)

    def setup(self) -> None:
        """Create what is missing. Safe for processes that start at the same time."""
        self.outbox.create_index([("due_at", 1), ("_id", 1)])
        self.outbox.create_index("claimed_by", sparse=True)
        self.outbox.create_index([("dead_at", 1), ("key", 1)])
        for counter in ("version", "number"):
            self._counters.update_one(
                {"_id": counter}, {"$setOnInsert": {"value": 0}}, upsert=True
            )

    def draw_version(self) -> int:
        """A version above all that were drawn before.

        Once a majority has acknowledged it, a majority has every write that the
        primary took before it.
        """
        return self._count("version", 1)

    def advance_version(self, above: int) -> None:
        """Make every later version greater than ``above`` and than every fence."""
        fences = self.indices.find({"fence": {"$gt": above}}, {"fence": True})
        highest = max((index["fence"] for index in fences), default=above)
        version = {"_id": "version"}
        # Neither step sets it back, whatever others do between the two.
        self._counters.update_one(version, {"$max": {"value": highest}}, upsert=True)
        self._count("version", VERSION_JUMP)

    def numbers(self, count: int) -> list[int]:
        """Numbers that were never given before."""
        with self._lock:
            if len(self._free) < count:
                taken = max(count, _NUMBERS_AT_ONCE)
                last = self._count("number", taken)
                word = randrange(_WORDS) * _COUNTED
                first = word + (last - taken + 1) % _COUNTED
                self._free = range(first, first + taken)
            numbers, self._free = self._free[:count], self._free[count:]
            return list(numbers)

    def _count(self, counter: str, step: int) -> int:
        # The value before: some servers of the protocol tell the one after so late that
        # it is another's already.
        found = self._counters.find_one_and_update(
            {"_id": counter},
            {"$inc": {"value": step}},
            return_document=ReturnDocument.BEFORE,
        )
        if found is None:
            raise PrimaryError(
                f"{self._database.name} lacks what deliveries need: call "
                f"setup_database(config), or run nefertari-es setup."
            )
        return int(found["value"]) + step

    def now(self) -> float:
        """The server's clock, as seconds since 1970 (UTC).

        Clocks of applications and workers may differ; the primary has only one. It is
        asked now and then, and this process counts between, sleep of its machine
        included. A machine that its host has stopped cannot count that; it is told when
        its own clock is set, and asks then.
        """
        if not self._is_clock_fresh():
            self._ask_clock()
        return elapsed() + self._clock_offset

    def _is_clock_fresh(self) -> bool:
        if self._clock_asked is None:
            return False
        counted = elapsed() - self._clock_asked[0]
        shown = time.time() - self._clock_asked[1]
        return counted <= _CLOCK_IS_FRESH and abs(shown - counted) <= _JUMP

    def _ask_clock(self) -> None:
        for _ in range(_ASKED_AT_MOST):
            before = elapsed()
            local = self._server_time()
            after = elapsed()
            self._clock_offset = local.timestamp() - (before + after) / 2
            self._clock_asked = after, time.time()
            if after - before <= _JUMP:
                return

    def _server_time(self) -> datetime:
        # The newer name of this command is unknown to some servers of the protocol.
        local: datetime = self._database.client.admin.command("isMaster")["localTime"]
        return local if local.tzinfo is not None else local.replace(tzinfo=UTC)


#: Codes of the server that speak of what is stored, or asked for: a bad value, invalid
#: or too large BSON. https://www.mongodb.com/docs/manual/reference/error-codes/
_OF_STORED = frozenset({2, 9, 22, 53, 10334, 17419})


def blames_stored(error: Exception) -> bool:
    """Whether an error may be one of a stored document, and not of the server."""
    if isinstance(error, DocumentTooLarge):
        return True
    if isinstance(error, OperationFailure):
        return error.code in _OF_STORED
    if isinstance(error, PyMongoError):
        return False
    return blames_document(error)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Errors of the driver as one of the family. :raises PrimaryError:"""
    try:
        yield
    except ConnectionFailure as error:
        raise PrimaryError(
            f"MongoDB does not answer: {error}. See that it runs where mongodb.url "
            f"says, or where the application has connected MongoEngine to."
        ) from error
    except InvalidOperation as error:
        # Of a client that the application has closed, say.
        raise PrimaryError(
            f"MongoDB could not be asked: {error}. Call mongoengine.disconnect() after "
            f"the last delivery, or connect anew before it."
        ) from error
    except PyMongoError as error:
        raise PrimaryError(f"MongoDB refused: {error}") from error
