"""Entries of the outbox as documents of MongoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nefertari_engine_base.primary.mongo.collections import Collections
from nefertari_engine_base.values import OutboxEntry, Touch


def entry_of(stored: Mapping[str, Any]) -> OutboxEntry:
    """The entry of a stored document."""
    touch = Touch(stored["secondary"], stored["model"], stored["key"], stored["path"])
    return OutboxEntry(stored["_id"], touch, stored["cursor"], stored["attempts"])


def inserted(
    collections: Collections,
    touches: Sequence[Touch],
    *,
    due_at: float | None = None,
    writer_until: float = 0.0,
    claim: tuple[str, float] | None = None,
) -> list[OutboxEntry]:
    """Insert entries; they.

    :param due_at: when they are to be delivered; ``None``: now.
    :param writer_until: when their writer's lease ends; 0: they are confirmed.
    :param claim: name and end of the claim that has them.
    """
    if not touches:
        return []
    now = collections.now()
    stored = [
        {
            "_id": number,
            "secondary": touch.secondary,
            "model": touch.model,
            "path": touch.path,
            "key": touch.key,
            "cursor": None,
            "attempts": 0,
            "reason": None,
            "created_at": now,
            "due_at": now if due_at is None else due_at,
            "dead_at": None,
            "writer_until": writer_until,
            # No name without a claim: the index of names holds the claimed alone.
            **({} if claim is None else {"claimed_by": claim[0]}),
            "claimed_until": 0.0 if claim is None else claim[1],
        }
        for number, touch in zip(
            collections.numbers(len(touches)), touches, strict=True
        )
    ]
    if len(stored) == 1:
        collections.outbox.insert_one(stored[0])  # half the work of PyMongo
    else:
        collections.outbox.insert_many(stored)
    return list(map(entry_of, stored))
