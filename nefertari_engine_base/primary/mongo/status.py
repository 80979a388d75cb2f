"""What waits in one database of MongoDB, and who works on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from nefertari_engine_base.primary.mongo.collections import Collections
from nefertari_engine_base.primary.mongo.entries import COUNT, entries_of, naming
from nefertari_engine_base.values import ModelStatus, RecordedEntry, WorkerStatus

#: Seconds without a word after which a worker is taken for lost: longer than any
#: delivery or pause of a living one.
LOST_AFTER = 60.0
#: Seconds after which a lost worker is forgotten.
FORGOTTEN_AFTER = 86400.0


def moment(seconds: float) -> datetime:
    """A time of the server's clock."""
    return datetime.fromtimestamp(seconds, UTC)


def waiting(collections: Collections) -> int:
    """See :meth:`IOutbox.waiting`."""
    counted = collections.outbox.aggregate(
        [
            {"$match": {"dead_at": None}},
            {"$group": {"_id": None, "waiting": {"$sum": COUNT}}},
        ]
    )
    return sum(int(group["waiting"]) for group in counted)


def models(collections: Collections) -> tuple[ModelStatus, ...]:
    """What waits or is dead, by model."""
    now = collections.now()
    found: dict[str, ModelStatus] = {}
    living = collections.outbox.aggregate(
        [
            {"$match": {"dead_at": None}},
            {
                "$group": {
                    "_id": "$model",
                    "waiting": {"$sum": COUNT},
                    "first": {"$min": "$created_at"},
                    "retried": {"$sum": {"$cond": [{"$gt": ["$attempts", 0]}, 1, 0]}},
                }
            },
        ]
    )
    for group in living:
        # Clocks may be set back.
        oldest = max(0.0, now - group["first"])
        found[group["_id"]] = ModelStatus(
            group["_id"], group["waiting"], oldest, group["retried"]
        )
    dead = collections.outbox.aggregate(
        [
            {"$match": {"dead_at": {"$gt": 0}}},
            {"$group": {"_id": "$model", "dead": {"$sum": 1}}},
        ]
    )
    for group in dead:
        name = group["_id"]
        known = found.get(name, ModelStatus(name))
        found[name] = known + ModelStatus(name, dead=group["dead"])
    return tuple(found[name] for name in sorted(found))


def workers(collections: Collections) -> tuple[WorkerStatus, ...]:
    """The workers that were seen within a day, by name."""
    now = collections.now()
    seen = {"seen_at": {"$gt": now - FORGOTTEN_AFTER}}
    return tuple(
        WorkerStatus(
            worker["_id"],
            moment(worker["started_at"]),
            moment(worker["seen_at"]),
            worker["documents"],
            lost=now - worker["seen_at"] > LOST_AFTER,
            per_second=worker["per_second"],
        )
        for worker in collections.workers.find(seen).sort([("_id", 1)])
    )


def heartbeat(
    collections: Collections,
    name: str,
    uptime: float,
    documents: int,
    per_second: float,
) -> None:
    """See :meth:`IOutbox.heartbeat`."""
    now = collections.now()
    collections.workers.delete_many({"seen_at": {"$lt": now - FORGOTTEN_AFTER}})
    values = {
        "started_at": now - uptime,
        "seen_at": now,
        "documents": documents,
        "per_second": per_second,
    }
    collections.workers.replace_one({"_id": name}, values, upsert=True)


def recorded(
    collections: Collections, model: str, keys: Mapping[str, Collection[str] | None]
) -> list[RecordedEntry]:
    """See :meth:`IOutbox.recorded`."""
    if not keys:
        return []
    meant: list[dict[str, Any]] = [
        {"path": path} | ({} if chosen is None else naming(chosen))
        for path, chosen in keys.items()
    ]
    found = collections.outbox.find({"model": model, "$or": meant})
    return [
        RecordedEntry(
            entry,
            moment(one["created_at"]),
            moment(one["due_at"]),
            None if one["dead_at"] is None else moment(one["dead_at"]),
            one["reason"],
        )
        for one in found.sort([("created_at", 1), ("_id", 1)])
        for entry in entries_of(one)
        if (chosen := keys[entry.touch.path]) is None or entry.touch.key in chosen
    ]
