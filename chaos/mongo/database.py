"""A database on MongoDB, seen from outside of the application."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from chaos.door import Door
from nefertari_engine_base.primary.mongo.claims import LEASE
from nefertari_engine_base.primary.mongo.collections import WRITER_LEASE, Collections
from tools.mongodb_backups import dump, names_of, restore

#: Where each change is counted after it was made: a writer that is killed between the
#: two has made one more.
CHANGES = "chaos_changes"

#: Seconds that leases may take to end.
_PATIENCE = WRITER_LEASE + LEASE + 60

#: What an entry waits for.
_WAITS = ("due_at", "writer_until", "claimed_until")


class MongoDB:
    """See :class:`~chaos.primaries.Database`; victims come through a door."""

    claim_lasts = LEASE

    def __init__(self, url: str) -> None:
        self.url = url
        self._door = Door(url)
        self.victims_url = self._door.url
        self._client: MongoClient[dict[str, Any]] = MongoClient(url)
        self.database: Database[dict[str, Any]] = self._client.get_default_database()

    def count_by_kind(self) -> Mapping[str, int]:
        """See :meth:`Database.count_by_kind`."""
        groups = self.database[CHANGES].aggregate(
            [{"$group": {"_id": "$kind", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
        )
        return {group["_id"]: group["n"] for group in groups}

    def end_connections(self, random_: Random) -> bool:
        """See :meth:`Database.end_connections`."""
        return bool(self._door.end_some(random_, random_.randint(1, 3)))

    def drop_pooled(self, random_: Random) -> bool:
        """See :meth:`Database.drop_pooled`: there is none."""
        return False

    def claims(self) -> frozenset[object]:
        """See :meth:`Database.claims`."""
        collections = Collections(self.database)
        claimed = {"claimed_until": {"$gt": collections.now()}}
        return frozenset(collections.outbox.distinct("claimed_by", claimed))

    def back_up(self, path: Path) -> None:
        """See :meth:`Database.back_up`."""
        path.write_bytes(pickle.dumps(dump(self.database)))

    def restore(self, path: Path) -> None:
        """See :meth:`Database.restore`: what the backup has not is gone."""
        backup = pickle.loads(path.read_bytes())
        for name in set(names_of(self.database)) - backup.keys():
            self.database[name].drop()
        restore(self.database, backup)

    def await_victims(self) -> None:
        """Wait until the server has done all that it was asked through the door."""
        self._door.await_nobody()

    def settle(self, *, patient: bool) -> None:
        """Wait until no entry is kept for one that was killed, neither for a writer nor
        for a delivery."""
        collections = Collections(self.database)
        if not patient:
            self.pass_time(max(WRITER_LEASE, LEASE) + 1)
        end = time.monotonic() + _PATIENCE
        while True:
            later = {"$gt": collections.now()}
            waits = [{name: later} for name in _WAITS]
            if not collections.outbox.find_one({"dead_at": None, "$or": waits}):
                return
            if time.monotonic() > end:
                raise RuntimeError("Entries are still kept for those that were killed.")
            time.sleep(0.5)

    def pass_time(self, seconds: float) -> None:
        """Make everything that entries and debts wait for come earlier, as if time had
        passed; nobody must be delivering."""
        collections = Collections(self.database)
        earlier = dict.fromkeys(_WAITS, -seconds)
        collections.outbox.update_many({}, {"$inc": earlier})
        collections.debts.update_many({}, {"$inc": {"writer_until": -seconds}})

    def close(self) -> None:
        """See :meth:`Database.close`."""
        self._door.shut()
        self._client.close()
