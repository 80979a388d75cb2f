"""The outbox of one database of MongoDB.

A change and its entry are two writes here. The entry comes first and is *unconfirmed*;
then the document is written; then the writer confirms the entry. Who dies between
leaves an entry that costs one delivery, and never a change without one.

An unconfirmed entry is delivered when it is due, since its writer may have died after
the write; but it stays until the writer confirms it or the writer's lease ends, since
the write may also be still on its way. A writer that is slower than its lease finds its
entry gone when it confirms, and adds it anew.
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
from nefertari_engine_base.primary.mongo.entries import entry_of, inserted
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
            now = self.collections.now()
            return inserted(
                self.collections,
                touches,
                due_at=now + UNCONFIRMED_DELAY,
                writer_until=now + WRITER_LEASE,
            )

    def confirm(self, entries: Sequence[OutboxEntry]) -> None:
        """The documents of these entries are written, or never will be."""
        with translated_errors():
            for chunk in chunks(entries):
                self._confirm(chunk)

    def _confirm(self, entries: Sequence[OutboxEntry]) -> None:
        # Whatever was looked up or refused may have been so before the write.
        confirmed = {"writer_until": 0.0, "cursor": None, "dead_at": None}
        change = {"$set": {**confirmed, "due_at": self.collections.now()}}
        outbox, ids = self.collections.outbox, {entry.id for entry in entries}
        queries = [{"_id": {"$in": part}} for part in statements(ids)]
        if update_parts(outbox, queries, change, {}).matched_count < len(ids):
            stored = (entry for query in queries for entry in outbox.find(query))
            there = {entry["_id"] for entry in stored}
            # The lease has ended, and a delivery that may have loaded before the write
            # has taken them.
            late = [entry.touch for entry in entries if entry.id not in there]
            inserted(self.collections, late)

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
            marked = self._mark(name, now, limit, ids, without)
            claim = LeasingClaim(self, name, marked, now)
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
            wanted = {**free, "_id": {"$in": list(ids[:limit])}}
        order = [("due_at", 1), ("_id", 1)]
        while True:
            found = outbox.find(wanted, {"_id": True}).sort(order).limit(limit)
            chosen = [entry["_id"] for entry in found]
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
        ids = [entry.id for entry in entries]
        # What they stand for is written: a delivery from here on is as good as any.
        written = self.confirmations.take(entries)
        with translated_errors():
            seen = list(self.collections.outbox.find({"_id": {"$in": ids}}))
            claim = OwnClaim(self, seen, self.collections.now(), written)
            try:
                yield claim
            finally:
                self.confirmations.add(claim.unconfirmed.values())

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
            return self.collections.outbox.count_documents(
                {"_id": {"$in": list(ids)}, "dead_at": None}
            )

    def waiting(self) -> int:
        """See :meth:`IOutbox.waiting`."""
        self.flush()
        with translated_errors():
            return self.collections.outbox.count_documents({"dead_at": None})

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


def _dead(model: str | None, key: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"dead_at": {"$gt": 0}}
    if model is not None:
        query["model"] = model
    if key is not None:
        query["key"] = key
    return query
