"""The outbox of one database of MongoDB.

A change and its entry are two writes here. The entry comes first and is *unconfirmed*;
then the document is written; then the writer confirms the entry. Who dies between
leaves an entry that costs one delivery, and never a change without one.

An unconfirmed entry is delivered when it is due, since its writer may have died after
the write; but it stays until the writer confirms it or the writer's lease ends, since
the write may also be still on its way. A writer that is slower than its lease finds its
entry gone when it confirms, and adds it anew.

Entries of one write are stored in lists; see :mod:`~.primary.mongo.entries`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from uuid import uuid4

from pymongo.database import Database
from zope.interface import implementer

from nefertari_engine_base.interfaces import IClaim, IOutbox
from nefertari_engine_base.primary.mongo import status
from nefertari_engine_base.primary.mongo.claims import LEASE, LeasingClaim, OwnClaim
from nefertari_engine_base.primary.mongo.collections import (
    WRITER_LEASE,
    Collections,
    blames_stored,
    translated_errors,
)
from nefertari_engine_base.primary.mongo.confirming import Confirmations
from nefertari_engine_base.primary.mongo.debts import Indebted
from nefertari_engine_base.primary.mongo.entries import (
    announced,
    entries_of,
    entry_of,
    homes_of,
    inserted,
    list_of,
)
from nefertari_engine_base.primary.mongo.keys import chunks
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.primary.mongo.parts import statements, update_parts
from nefertari_engine_base.refusals import load_apart
from nefertari_engine_base.values import (
    DeadLetter,
    DocumentRef,
    OutboxEntry,
    RecordedEntry,
    Snapshot,
    SyncStatus,
    Touch,
)

#: Seconds until an unconfirmed entry is delivered: longer than writes take, so that few
#: are delivered twice; short, since the writer may have died after its write.
UNCONFIRMED_DELAY = 5.0

#: Seconds that an announcement takes at most, unless the machine has slept meanwhile.
_MOST_OF_ANNOUNCING = 5.0

#: Finds the loader of a model. :raises KeyError:
LoaderOf = Callable[[str], Loader]


@implementer(IOutbox)
class MongoOutbox(Indebted):
    """See :class:`~nefertari_engine_base.interfaces.IOutbox`.

    :param database: that the outbox is in.
    :param loader_of: finds loaders of the models whose documents are in the database.
    """

    #: See :class:`~nefertari_engine_base.interfaces.IOutbox`. The driver does not tell
    #: when it has reached another server.
    generation = 0

    def __init__(self, database: Database[dict[str, Any]], loader_of: LoaderOf) -> None:
        super().__init__()
        self.collections = Collections(database)
        self.loader_of = loader_of
        self.confirmations = Confirmations(lambda entries: self.confirm(entries))

    def setup(self) -> None:
        """Create what is missing of the collections and their indexes."""
        with translated_errors():
            self.collections.setup()

    # --- entries -----------------------------------------------------------

    def add(self, touches: Iterable[Touch]) -> None:
        """See :meth:`IOutbox.add`."""
        if chosen := list(touches):
            with translated_errors():
                inserted(self.collections, chosen)

    def announce(self, touches: Sequence[Touch]) -> list[OutboxEntry]:
        """Add entries for documents that are about to be written, unconfirmed.

        :raises PrimaryError: if MongoDB did not take them; then nothing must be
            written.
        """
        with translated_errors():
            begun = self.collections.now()
            entries = self._announce(touches)
            if self.collections.now() - begun > _MOST_OF_ANNOUNCING:
                # The machine has slept, say, and the write would begin when its lease
                # has ended. Who takes that long twice in a row does not sleep.
                self.confirm(entries)
                entries = self._announce(touches)
            return entries

    def _announce(self, touches: Sequence[Touch]) -> list[OutboxEntry]:
        return announced(self.collections, touches, UNCONFIRMED_DELAY, WRITER_LEASE)

    def confirm(self, entries: Iterable[OutboxEntry]) -> None:
        """The documents of these entries are written, or never will be.

        One entry of a list confirms all of it: one write stands behind them.
        """
        writes: dict[int, list[OutboxEntry]] = {}
        for entry in entries:
            writes.setdefault(list_of(entry.id), []).append(entry)
        with translated_errors():
            for numbers in chunks(writes):
                missing = self._confirm(numbers) < len(numbers)
                there = self._counts(numbers) if missing else {}
                for number in numbers if missing else ():
                    own = writes[number]
                    if there.get(number, 0) < len(own):
                        # The lease has ended, and a delivery that may have loaded
                        # before the write has taken the entry, or some of the list.
                        inserted(self.collections, [entry.touch for entry in own])

    def _confirm(self, numbers: Sequence[int]) -> int:
        """Confirm what is stored under these numbers, as long as nothing of it was
        taken; how many these are."""
        # Whatever was looked up or refused may have been so before the write.
        confirmed = {"writer_until": 0.0, "cursor": None, "dead_at": None}
        change = {"$set": {**confirmed, "due_at": self.collections.now()}}
        outbox = self.collections.outbox
        # What takes an entry out of a list leaves the list confirmed.
        queries = [
            {"_id": {"$in": part}, "writer_until": {"$gt": 0.0}}
            for part in statements(numbers)
        ]
        return update_parts(outbox, queries, change, {}).matched_count

    def _counts(self, numbers: Sequence[int]) -> dict[int, int]:
        """How many entries are stored under each of these numbers."""
        query = {"_id": {"$in": list(numbers)}}
        found = self.collections.outbox.find(query, {"count": True})
        return {one["_id"]: one.get("count", 1) for one in found}

    def flush(self) -> None:
        """Confirm what this process has written."""
        self.confirmations.flush()

    @contextmanager
    def claim(
        self,
        limit: int,
        ids: Sequence[int] | None = None,
        without: Collection[str] = (),
    ) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim`."""
        name = str(uuid4())
        self.flush()
        with translated_errors():
            now = self.collections.now()
            stored = self._mark(name, now, limit, ids, without)
            chosen = None if ids is None else frozenset(ids)
            claim = LeasingClaim(self, name, stored, now, limit, chosen)
            try:
                yield claim
            finally:
                if claim.entries:
                    claim.release()

    def _mark(
        self,
        name: str,
        now: float,
        limit: int,
        ids: Sequence[int] | None,
        without: Collection[str],
    ) -> list[dict[str, Any]]:
        """Give entries the name of a claim; they as they are then."""
        outbox = self.collections.outbox
        free: dict[str, Any] = {"dead_at": None, "claimed_until": {"$lt": now}}
        if ids is None:
            wanted = {**free, "due_at": {"$lte": now}}
            if without:
                wanted["model"] = {"$nin": list(without)}
        else:
            wanted = {**free, "_id": {"$in": homes_of(ids[:limit])}}
        order = [("due_at", 1), ("_id", 1)]
        while True:
            found = outbox.find(wanted, {"count": True}).sort(order).limit(limit)
            chosen = list(_as_many(found, limit))
            if not chosen:
                return []
            marked = outbox.update_many(
                {**free, "_id": {"$in": chosen}},
                {"$set": {"claimed_by": name, "claimed_until": now + LEASE}},
            )
            if marked.matched_count:
                return list(outbox.find({"claimed_by": name}).sort(order))
            # Others were faster with every one of them.

    @contextmanager
    def claim_own(self, entries: Sequence[OutboxEntry]) -> Iterator[IClaim]:
        """See :meth:`IOutbox.claim_own`."""
        ids = {entry.id for entry in entries}
        # What they stand for is written: a delivery from here on is as good as any.
        written = self.confirmations.take(entries)
        with translated_errors():
            seen = list(self.collections.outbox.find({"_id": {"$in": homes_of(ids)}}))
            claim = OwnClaim(self, seen, self.collections.now(), ids, written)
            try:
                yield claim
            finally:
                self.confirmations.add(claim.unconfirmed)

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IOutbox.draw_and_load`."""
        with translated_errors():
            version = self.collections.draw_version()
            return Snapshot(version, *load_apart(self._load, refs, blames_stored))

    def _load(self, model: str, ids: Sequence[str]) -> Mapping[str, bytes]:
        return self.loader_of(model).load(ids)

    def advance_version(self, above: int) -> None:
        """See :meth:`IOutbox.advance_version`."""
        with translated_errors():
            self.collections.advance_version(above)

    # --- questions ---------------------------------------------------------

    def remaining(self, ids: Sequence[int]) -> int:
        """See :meth:`IOutbox.remaining`."""
        self.flush()
        with translated_errors():
            query = {"_id": {"$in": homes_of(ids)}, "dead_at": None}
            found = self.collections.outbox.find(query)
            asked = frozenset(ids)
            return sum(
                entry.id in asked for stored in found for entry in entries_of(stored)
            )

    def waiting(self) -> int:
        """See :meth:`IOutbox.waiting`."""
        self.flush()
        with translated_errors():
            return status.waiting(self.collections)

    def status(self) -> SyncStatus:
        """See :meth:`IOutbox.status`."""
        self.flush()
        with translated_errors():
            return SyncStatus(
                status.models(self.collections),
                status.workers(self.collections),
                self.debt_status(),
            )

    def recorded(
        self, model: str, keys: Mapping[str, Collection[str] | None]
    ) -> Sequence[RecordedEntry]:
        """See :meth:`IOutbox.recorded`."""
        self.flush()
        with translated_errors():
            return status.recorded(self.collections, model, keys)

    def heartbeat(
        self, name: str, uptime: float, documents: int, per_second: float = 0.0
    ) -> None:
        """See :meth:`IOutbox.heartbeat`."""
        with translated_errors():
            status.heartbeat(self.collections, name, uptime, documents, per_second)

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IOutbox.recorded_forms`."""
        with translated_errors():
            return {one["_id"]: one["form"] for one in self.collections.forms.find()}

    def record_forms(self, forms: Mapping[str, str]) -> None:
        """See :meth:`IOutbox.record_forms`."""
        with translated_errors():
            for model, form in forms.items():
                change = {"$set": {"form": form}}
                self.collections.forms.update_one({"_id": model}, change, upsert=True)

    def forget_form(self, model: str) -> bool:
        """See :meth:`IOutbox.forget_form`."""
        with translated_errors():
            return bool(self.collections.forms.delete_one({"_id": model}).deleted_count)

    def forget_worker(self, name: str) -> None:
        """See :meth:`IOutbox.forget_worker`."""
        with translated_errors():
            self.collections.workers.delete_one({"_id": name})

    def listen(self, wake: Callable[[], object]) -> AbstractContextManager[None]:
        """See :meth:`IOutbox.listen`: nobody is woken, workers look by themselves."""
        return nullcontext()

    # --- dead letters ------------------------------------------------------

    def dead_letters(
        self, model: str | None = None, key: str | None = None
    ) -> Sequence[DeadLetter]:
        """See :meth:`IOutbox.dead_letters`."""
        self.flush()
        order = [("created_at", 1), ("_id", 1)]
        with translated_errors():
            found = self.collections.outbox.find(_dead(model, key)).sort(order)
            return [
                DeadLetter(
                    entry_of(one),
                    one["reason"] or "",
                    status.moment(one["created_at"]),
                    status.moment(one["dead_at"]),
                )
                for one in found
            ]

    def retry(self, model: str | None = None, key: str | None = None) -> int:
        """See :meth:`IOutbox.retry`."""
        self.flush()
        with translated_errors():
            due = {"dead_at": None, "attempts": 0, "due_at": self.collections.now()}
            outbox = self.collections.outbox
            return outbox.update_many(_dead(model, key), {"$set": due}).matched_count

    def drop(self, model: str | None = None, key: str | None = None) -> int:
        """See :meth:`IOutbox.drop`."""
        with translated_errors():
            return self.collections.outbox.delete_many(_dead(model, key)).deleted_count


def _as_many(found: Iterable[Mapping[str, Any]], limit: int) -> Iterator[int]:
    """The numbers of as many documents as have so many entries."""
    count = 0
    for stored in found:
        if count >= limit:
            return
        count += stored.get("count", 1)
        yield stored["_id"]


def _dead(model: str | None, key: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"dead_at": {"$gt": 0}}
    if model is not None:
        query["model"] = model
    if key is not None:
        query["key"] = key
    return query
