"""Entries of the outbox as documents of MongoDB.

What one write is about to do to many documents of a model is stored as a few *lists*,
each of which has many entries. They are announced and confirmed together, since one
write stands behind them; a claim takes them as the entries that they are. An entry that
is refused, or that is looked up by a path, is a document of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nefertari_engine_base.primary.mongo.collections import Collections
from nefertari_engine_base.values import OutboxEntry, Touch

#: So many keys are in one list: far less than a delivery takes at once, so that workers
#: have something to share.
KEYS_OF_A_LIST = 100

#: The number of an entry of a list is the number of the list, and so many times its
#: place there, counted from 1. No list and no entry gets a number as high as this.
_PLACE = 2**48

#: How many entries a stored document has, for the server to sum up.
COUNT: Mapping[str, Any] = {"$ifNull": ["$count", 1]}


def entry_of(stored: Mapping[str, Any]) -> OutboxEntry:
    """The entry of a stored document that is no list."""
    touch = Touch(stored["secondary"], stored["model"], stored["key"], stored["path"])
    return OutboxEntry(stored["_id"], touch, stored["cursor"], stored["attempts"])


def entries_of(stored: Mapping[str, Any]) -> list[OutboxEntry]:
    """The entries of a stored document."""
    keys = stored.get("keys")
    if keys is None:
        return [entry_of(stored)]
    number, secondary, model = stored["_id"], stored["secondary"], stored["model"]
    return [
        OutboxEntry(number + place * _PLACE, Touch(secondary, model, key))
        for place, key in enumerate(keys, start=1)
        if key is not None
    ]


def homes_of(ids: Iterable[int]) -> list[int]:
    """Numbers of the documents that entries are, or may be, stored in.

    One that was refused has left its list, and goes by the same number.
    """
    homes = dict.fromkeys(ids)
    homes.update(dict.fromkeys(map(list_of, list(homes))))
    return list(homes)


def list_of(id_: int) -> int:
    """The number of the list that an entry is announced in; its own, if in none."""
    return id_ % _PLACE


def naming(keys: Iterable[str]) -> dict[str, Any]:
    """The query for stored entries that name any of these keys."""
    chosen = {"$in": list(keys)}
    return {"$or": [{"key": chosen}, {"keys": chosen}]}


def without(keys: Sequence[str | None], gone: Iterable[OutboxEntry]) -> list[Any]:
    """The keys of a list after these entries of it are gone. The places of the others
    stay, since their numbers tell them."""
    rest = list(keys)
    for entry in gone:
        rest[entry.id // _PLACE - 1] = None
    return rest


def count_of(keys: Sequence[str | None]) -> int:
    """How many entries a list has left."""
    return len(keys) - keys.count(None)


def stored_entry(
    number: int, touch: Touch, created_at: float, **others: Any
) -> dict[str, Any]:
    """An entry as a document of its own.

    :param others: what differs from a confirmed entry that is due at once.
    """
    return {
        **_stored(number, touch, created_at),
        "key": touch.key,
        **others,
    }


def inserted(
    collections: Collections,
    touches: Sequence[Touch],
    *,
    claim: tuple[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Insert entries that are due; they, as they are stored.

    :param claim: name and end of the claim that has them.
    """
    if not touches:
        return []
    now = collections.now()
    claimed = (
        {} if claim is None else {"claimed_by": claim[0], "claimed_until": claim[1]}
    )
    numbers = collections.numbers(len(touches))
    stored = [
        stored_entry(number, touch, now, **claimed)
        for number, touch in zip(numbers, touches, strict=True)
    ]
    _insert(collections, stored)
    return stored


def announced(
    collections: Collections, touches: Sequence[Touch], delay: float, lease: float
) -> list[OutboxEntry]:
    """Insert entries of one write, unconfirmed, those of one model in lists.

    :param delay: seconds until they are delivered if they are still unconfirmed then.
    :param lease: seconds that the write may take.
    """
    now = collections.now()
    until = {"due_at": now + delay, "writer_until": now + lease}
    groups = list(_groups(touches))
    stored = []
    for number, group in zip(collections.numbers(len(groups)), groups, strict=True):
        if len(group) == 1:
            stored.append(stored_entry(number, group[0], now, **until))
        else:
            keys = [touch.key for touch in group]
            listed = {"keys": keys, "count": len(keys)}
            stored.append({**_stored(number, group[0], now), **listed, **until})
    _insert(collections, stored)
    return [
        OutboxEntry(number, touch)
        for one, group in zip(stored, groups, strict=True)
        for number, touch in zip(_numbers_in(one), group, strict=True)
    ]


def _numbers_in(stored: Mapping[str, Any]) -> Iterable[int]:
    first: int = stored["_id"]
    if "keys" not in stored:
        return (first,)
    return range(first + _PLACE, first + stored["count"] * _PLACE + 1, _PLACE)


def _groups(touches: Sequence[Touch]) -> Iterator[Sequence[Touch]]:
    """Touches by what they share a document with."""
    if len(touches) == 1:
        yield touches
        return
    by_model: dict[tuple[str, str], list[Touch]] = {}
    for touch in touches:
        if touch.path:
            yield [touch]  # looked up apart, or together with those of other writes
        else:
            by_model.setdefault(touch[:2], []).append(touch)
    for group in by_model.values():
        for start in range(0, len(group), KEYS_OF_A_LIST):
            yield group[start : start + KEYS_OF_A_LIST]


def _stored(number: int, touch: Touch, created_at: float) -> dict[str, Any]:
    return {
        "_id": number,
        "secondary": touch.secondary,
        "model": touch.model,
        "path": touch.path,
        "cursor": None,
        "attempts": 0,
        "reason": None,
        "created_at": created_at,
        "due_at": created_at,
        "dead_at": None,
        "writer_until": 0.0,
        # No name without a claim: the index of names holds the claimed alone.
        "claimed_until": 0.0,
    }


def _insert(collections: Collections, stored: Sequence[dict[str, Any]]) -> None:
    if len(stored) == 1:
        collections.outbox.insert_one(stored[0])  # half the work of PyMongo
    elif stored:
        collections.outbox.insert_many(stored)
