"""Claims by leases: a name and a time on each entry. Who dies leaves marks that expire.

An entry is removed only as it was when it was claimed. If its writer has confirmed it
since, the write may have come after the documents were loaded: the entry stays, and is
delivered again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from nefertari_engine_base.exceptions import ConversionError, PrimaryError
from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.mongo.collections import (
    blames_stored,
    translated_errors,
)
from nefertari_engine_base.primary.mongo.entries import entry_of, inserted
from nefertari_engine_base.primary.mongo.together import LookUps
from nefertari_engine_base.refusals import reason_of
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Snapshot, Touch

if TYPE_CHECKING:
    from nefertari_engine_base.primary.mongo.outbox import MongoOutbox

log = logging.getLogger(__name__)

#: How long a claim lasts, in seconds: longer than any delivery, since a claim that
#: expires too early costs a repeat, and one that expires too late costs a wait.
LEASE = 60.0

_UNCLAIMED: Mapping[str, Any] = {
    "$unset": {"claimed_by": ""},
    "$set": {"claimed_until": 0.0},
}


@implementer(IClaim)
class OwnClaim:
    """Entries that this process has just written; see :meth:`IOutbox.claim_own`.

    :param stored: the entries as they are stored.
    :param now: the server's time before they were read.
    :param written: those that are as good as confirmed, since this process has written
        what they stand for, and has not confirmed them yet.
    :attr unconfirmed: those of them that are still to be confirmed, by their numbers.
    """

    def __init__(
        self,
        source: MongoOutbox,
        stored: Sequence[Mapping[str, Any]],
        now: float,
        written: Sequence[OutboxEntry] = (),
    ) -> None:
        self.source = source
        self.entries = [entry_of(one) for one in stored]
        self._now = now
        self._outbox = source.collections.outbox
        self._writer_until = {one["_id"]: one["writer_until"] for one in stored}
        self._touches = {entry.id: entry.touch for entry in self.entries}
        self.unconfirmed = {entry.id: entry for entry in written}
        self._obsolete: dict[Touch, list[int]] = {}
        self._version = 0

    #: What an entry has to be beside its number for this claim to change it.
    mine: Mapping[str, Any] = {}

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """Entries with a path are claimed by :meth:`MongoOutbox.claim`."""
        raise NotImplementedError

    def draw_and_load(self, refs: Sequence[DocumentRef]) -> Snapshot:
        """See :meth:`IClaim.draw_and_load`."""
        self._obsolete = self._find_obsolete()
        snapshot = self.source.draw_and_load(refs)
        self._version = snapshot.version
        return snapshot

    def _find_obsolete(self) -> dict[Touch, list[int]]:
        """Dead letters of the claimed documents, asked before the version is drawn:
        what is loaded after that holds their changes too."""
        keys = {touch.key for touch in self._touches.values() if not touch.path}
        query = {"dead_at": {"$gt": 0}, "path": "", "key": {"$in": list(keys)}}
        found: dict[Touch, list[int]] = {}
        for one in self._outbox.find(query):
            found.setdefault(entry_of(one).touch, []).append(one["_id"])
        return found

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IClaim.recorded_forms`."""
        return self.source.recorded_forms()

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """See :meth:`IClaim.acknowledge`.

        What was written has been answered by now. A fence that is raised later is
        raised by a catch-up that looks into the index later, and finds it.
        """
        if not entries or self.source.is_fenced(self._version):
            return
        dead = [
            id_
            for entry in entries
            for id_ in self._obsolete.get(entry.touch, ())
            if id_ != entry.id
        ]
        for until, ids in self._by_writer(entries):
            settled = [id_ for id_ in ids if self._is_settled(id_)]
            unsettled = [id_ for id_ in ids if not self._is_settled(id_)]
            if settled:
                self._outbox.delete_many(self._as_claimed(settled, until))
                for id_ in settled:
                    self.unconfirmed.pop(id_, None)
            if unsettled:
                as_claimed = self._as_claimed(unsettled, until)
                self._outbox.update_many(as_claimed, {"$set": {"due_at": until}})
        if dead:
            self._outbox.delete_many({"_id": {"$in": dead}, "dead_at": {"$gt": 0}})

    def _is_settled(self, id_: int) -> bool:
        """Whether the document of an entry was written, or never will be, before this
        claim loads it."""
        return self._writer_until[id_] <= self._now or id_ in self.unconfirmed

    def _as_claimed(self, ids: Sequence[int], until: float) -> dict[str, Any]:
        """The query for entries of one writer that are as they were claimed."""
        return {**self.mine, "_id": {"$in": list(ids)}, "writer_until": until}

    def _by_writer(
        self, entries: Sequence[OutboxEntry]
    ) -> Iterator[tuple[float, list[int]]]:
        """Numbers of entries by the end of their writers' leases."""
        found: dict[float, list[int]] = {}
        for entry in entries:
            found.setdefault(self._writer_until[entry.id], []).append(entry.id)
        yield from found.items()

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`.

        An entry whose writer may still write does not die: what it stands for may not
        have been seen yet.
        """
        until = self._writer_until[entry.id]
        now = self.source.collections.now()
        values: dict[str, Any] = {"reason": reason, "claimed_until": 0.0}
        if not self._is_settled(entry.id):
            values["due_at"] = until if delay is None else now + delay
        elif delay is None:
            values["dead_at"] = now
        else:
            values["due_at"] = now + delay
        if self.unconfirmed.pop(entry.id, None) is not None:
            values["writer_until"] = 0.0
        self._outbox.update_one(
            {**self.mine, "_id": entry.id, "writer_until": until},
            {"$set": values, "$inc": {"attempts": 1}, "$unset": {"claimed_by": ""}},
        )


@implementer(IClaim)
class LeasingClaim(OwnClaim):
    """Entries that carry this claim's name."""

    def __init__(
        self,
        source: MongoOutbox,
        name: str,
        stored: Sequence[Mapping[str, Any]],
        now: float,
    ) -> None:
        super().__init__(source, stored, now)
        self._name = name
        self._look_ups = LookUps(self.entries)
        self.mine = {"claimed_by": name}

    def expand(self, entry: OutboxEntry, limit: int) -> Sequence[OutboxEntry]:
        """See :meth:`IClaim.expand`.

        Others that are looked up in the same way are expanded with it, and come to
        nothing when it is their turn.
        """
        if self._look_ups.is_done(entry):
            return ()
        touch = entry.touch
        loader = self.source.loader_of(touch.model)

        def find(group: Sequence[OutboxEntry]) -> Sequence[str]:
            keys = [one.touch.key for one in group]
            try:
                return loader.find_owners(touch.path, keys, entry.cursor, limit)
            except Exception as error:
                if not blames_stored(error):
                    raise
                raise ConversionError(reason_of(error)) from error

        group, ids = self._look_ups.find(entry, limit, find)
        collections = self.source.collections
        # The new ones first: a crash between the two repeats the look-up.
        entries = inserted(
            collections,
            [Touch(touch.secondary, touch.model, id_) for id_ in ids],
            claim=(self._name, collections.now() + LEASE),
        )
        for named in entries:
            self._writer_until[named.id] = 0.0
            self._touches[named.id] = named.touch
        self._advance(group, ids[-1] if len(ids) == limit else None)
        return entries

    def _advance(self, group: Sequence[OutboxEntry], cursor: str | None) -> None:
        for until, numbers in self._by_writer(group):
            as_claimed = self._as_claimed(numbers, until)
            if cursor is None and until <= self._now:
                self._outbox.delete_many(as_claimed)
                continue
            # Behind what is due by now, or until its writer is known to have written.
            due_at = self.source.collections.now() if cursor is not None else until
            self._outbox.update_many(
                as_claimed, {"$set": {"cursor": cursor, "due_at": due_at}}
            )

    def release(self) -> None:
        """Give back what was not acknowledged."""
        try:
            with translated_errors():
                self._outbox.update_many({"claimed_by": self._name}, _UNCLAIMED)
        except PrimaryError as error:
            # The lease ends by itself; the error of the delivery is the one to see.
            log.warning(
                "A claim was not released and expires in %d s: %s",
                LEASE,
                error,
                extra={"action": "release_claim"},
            )
