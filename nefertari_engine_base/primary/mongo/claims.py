"""Claims by leases: a name and a time on each entry. Who dies leaves marks that expire.

An entry is removed only as it was when it was claimed. If its writer has confirmed it
since, the write may have come after the documents were loaded: the entry stays, and is
delivered again.

Entries leave their list together, or some of them before the others: those that are
delivered, as many as a delivery takes, and each that is refused, which goes on alone. A
list of which any has left is confirmed by that, and its writer, who finds it so, knows
that what has left may have been loaded before the write.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from nefertari_engine_base.exceptions import ConversionError, PrimaryError
from nefertari_engine_base.interfaces import IClaim
from nefertari_engine_base.primary.mongo.collections import (
    blames_stored,
    translated_errors,
)
from nefertari_engine_base.primary.mongo.entries import (
    count_of,
    entries_of,
    entry_of,
    inserted,
    list_of,
    stored_entry,
    without,
)
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


@dataclass(slots=True)
class _Home:
    """What entries of a claim are stored in.

    :attr until: when its writer's lease ends, as it was claimed.
    :attr keys: of a list, those that are still in it; ``None`` of an entry alone.
    :attr is_lost: somebody else has changed the list since it was claimed.
    """

    stored: Mapping[str, Any]
    until: float
    keys: Sequence[str | None] | None
    is_lost: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> _Home:
        """What a stored document is to a claim."""
        return cls(stored, stored["writer_until"], stored.get("keys"))

    @property
    def number(self) -> int:
        """The number of the stored document."""
        number: int = self.stored["_id"]
        return number


@implementer(IClaim)
class OwnClaim:
    """Entries that this process has just written; see :meth:`IOutbox.claim_own`.

    :param stored: what the entries are stored in.
    :param now: the server's time before they were read.
    :param ids: of the entries that are claimed of these; ``None``: all of them.
    :param written: those that are as good as confirmed, since this process has written
        what they stand for, and has not confirmed them yet.
    """

    def __init__(
        self,
        source: MongoOutbox,
        stored: Sequence[Mapping[str, Any]],
        now: float,
        ids: Collection[int] | None = None,
        written: Sequence[OutboxEntry] = (),
    ) -> None:
        self.source = source
        found = (entry for one in stored for entry in entries_of(one))
        self.entries = [one for one in found if ids is None or one.id in ids]
        self._now = now
        self._outbox = source.collections.outbox
        self._homes = {one["_id"]: _Home.of(one) for one in stored}
        self._touches = {entry.id: entry.touch for entry in self.entries}
        self._written: dict[int, list[OutboxEntry]] = {}
        for entry in written:
            self._written.setdefault(list_of(entry.id), []).append(entry)
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
            # An entry may have left its list as a dead letter by its number.
            if id_ != self._home(entry).number
        ]
        for until, homes in self._by_writer(self._left(entries)):
            settled = [home.number for home in homes if self._is_settled(home)]
            unsettled = [home.number for home in homes if not self._is_settled(home)]
            if settled:
                self._outbox.delete_many(self._as_claimed(settled, until))
                for number in settled:
                    self._confirmed(self._homes[number])
            if unsettled:
                as_claimed = self._as_claimed(unsettled, until)
                self._outbox.update_many(as_claimed, {"$set": {"due_at": until}})
        if dead:
            self._outbox.delete_many({"_id": {"$in": dead}, "dead_at": {"$gt": 0}})

    def _left(self, entries: Iterable[OutboxEntry]) -> Iterator[_Home]:
        """What these entries are stored in, where nothing else is to stay there; from
        the other lists, they are taken."""
        gone: dict[int, list[OutboxEntry]] = {}
        for entry in entries:
            gone.setdefault(self._home(entry).number, []).append(entry)
        for number, own in gone.items():
            home = self._homes[number]
            if home.keys is not None and self._is_settled(home):
                keys = without(home.keys, own)
                if count_of(keys):
                    self._shorten(home, keys)
                    continue
            yield home

    def _shorten(self, home: _Home, keys: Sequence[str | None]) -> None:
        """Leave these of a list that is settled."""
        if home.is_lost:
            return
        # Together, so that two claims which do this agree on the number at least.
        rest = {"keys": keys, "count": count_of(keys)}
        # Now confirmed, what is left comes behind what is due by now.
        rest |= {"writer_until": 0.0, "due_at": self.source.collections.now()}
        as_claimed = self._as_claimed([home.number], home.until)
        if self._outbox.update_one(as_claimed, {"$set": rest}).matched_count:
            self._confirmed(home)
            home.keys, home.until = keys, 0.0
        else:
            # It is delivered again, all of it: nothing more may be taken from it.
            home.is_lost = True

    def _confirmed(self, home: _Home) -> None:
        """An entry, or the list that it is in, needs no confirmation any more."""
        if home.keys is None or home.until > 0.0:
            # Somebody may have shortened it before it was claimed, and perhaps before
            # the write: then its writer has to add it anew.
            self._written.pop(home.number, None)

    def _home(self, entry: OutboxEntry) -> _Home:
        home = self._homes.get(entry.id)
        return self._homes[list_of(entry.id)] if home is None else home

    @property
    def unconfirmed(self) -> list[OutboxEntry]:
        """Those that are written and still to be confirmed."""
        return [entry for entries in self._written.values() for entry in entries]

    def _is_settled(self, home: _Home) -> bool:
        """Whether the document of an entry was written, or never will be, before this
        claim loads it."""
        return home.until <= self._now or home.number in self._written

    def _as_claimed(self, numbers: Sequence[int], until: float) -> dict[str, Any]:
        """The query for what one writer has stored, as it was claimed."""
        return {**self.mine, "_id": {"$in": list(numbers)}, "writer_until": until}

    def _by_writer(
        self, homes: Iterable[_Home]
    ) -> Iterator[tuple[float, Sequence[_Home]]]:
        """What is stored, by the end of its writers' leases."""
        found: dict[float, list[_Home]] = {}
        for home in homes:
            if not home.is_lost:
                found.setdefault(home.until, []).append(home)
        yield from found.items()

    def refuse(self, entry: OutboxEntry, reason: str, delay: float | None) -> None:
        """See :meth:`IClaim.refuse`.

        An entry whose writer may still write does not die: what it stands for may not
        have been seen yet.
        """
        home = self._home(entry)
        if home.keys is not None:
            self._refuse_listed(home, home.keys, entry, reason, delay)
            return
        until = home.until
        now = self.source.collections.now()
        values: dict[str, Any] = {"reason": reason, "claimed_until": 0.0}
        if not self._is_settled(home):
            values["due_at"] = until if delay is None else now + delay
        else:
            values |= _next_trial(now, delay)
        if self._written.pop(home.number, None) is not None:
            values["writer_until"] = 0.0
        self._outbox.update_one(
            {**self.mine, "_id": entry.id, "writer_until": until},
            {"$set": values, "$inc": {"attempts": 1}, "$unset": {"claimed_by": ""}},
        )

    def _refuse_listed(
        self, home: _Home, keys: Sequence[str | None], entry: OutboxEntry, reason: str,
        delay: float | None,
    ) -> None:  # fmt: skip
        """Refuse an entry of a list, from where it goes on alone."""
        if not self._is_settled(home):
            # The list stays whole until it is known what its writer has written.
            as_claimed = self._as_claimed([home.number], home.until)
            later = {"due_at": home.until, "reason": reason}
            self._outbox.update_one(as_claimed, {"$set": later})
            return
        trial = _next_trial(self.source.collections.now(), delay)
        alone = stored_entry(
            entry.id, entry.touch, home.stored["created_at"], reason=reason,
            attempts=entry.attempts + 1, **trial,
        )  # fmt: skip
        # First the new one: a crash between the two repeats the delivery.
        self._outbox.replace_one({"_id": entry.id}, alone, upsert=True)
        rest = without(keys, [entry])
        if count_of(rest):
            self._shorten(home, rest)
        elif not home.is_lost:
            as_claimed = self._as_claimed([home.number], home.until)
            self._outbox.delete_many(as_claimed)
            self._confirmed(home)


def _next_trial(now: float, delay: float | None) -> dict[str, float]:
    """When a refused entry is tried again, or that it is dead."""
    return {"dead_at": now} if delay is None else {"due_at": now + delay}


@implementer(IClaim)
class LeasingClaim(OwnClaim):
    """Entries that carry this claim's name."""

    def __init__(
        self,
        source: MongoOutbox,
        name: str,
        stored: Sequence[Mapping[str, Any]],
        now: float,
        limit: int,
        ids: Collection[int] | None = None,
    ) -> None:
        super().__init__(source, stored, now, ids)
        # The last list may have more; they are the first of a later delivery.
        del self.entries[limit:]
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
        stored = inserted(
            collections,
            [Touch(touch.secondary, touch.model, id_) for id_ in ids],
            claim=(self._name, collections.now() + LEASE),
        )
        self._homes.update((one["_id"], _Home.of(one)) for one in stored)
        entries = list(map(entry_of, stored))
        self._touches.update((named.id, named.touch) for named in entries)
        self._advance(group, ids[-1] if len(ids) == limit else None)
        return entries

    def _advance(self, group: Sequence[OutboxEntry], cursor: str | None) -> None:
        for until, homes in self._by_writer(map(self._home, group)):
            numbers = [home.number for home in homes]
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
