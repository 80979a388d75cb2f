"""Debts in a database of MongoDB, and what is remembered of each index.

A debt for what is about to be written comes before the write, as entries do: it is
*open*, and no catch-up may settle it, until its writer closes it or the writer's lease
ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import local
from typing import Any

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from nefertari_engine_base.primary.mongo.collections import (
    WRITER_LEASE,
    Collections,
    translated_errors,
)
from nefertari_engine_base.primary.mongo.entries import entries_of, naming
from nefertari_engine_base.values import Debt, DebtStatus, IndexState


class Indebted:
    """The part of an outbox that :class:`~..interfaces.IOutbox` describes."""

    collections: Collections

    def __init__(self) -> None:
        self._of_thread = local()

    def owe(self, debts: Iterable[Debt]) -> None:
        """See :meth:`IOutbox.owe`."""
        owed = list(debts)
        if owed:
            with translated_errors():
                self._insert_debts(owed)

    def open_debts(self, debts: Sequence[Debt]) -> list[int]:
        """Owe what is about to be written; the numbers of the debts.

        :raises PrimaryError: if MongoDB did not take them; then nothing must be
            written.
        """
        with translated_errors():
            until = self.collections.now() + WRITER_LEASE
            return self._insert_debts(debts, writer_until=until)

    def close_debts(self, numbers: Sequence[int], debts: Sequence[Debt]) -> None:
        """What these debts are for is written, or never will be.

        They take the place of those that this thread has closed before, so that many
        writes do not make many debts.
        """
        closed: dict[Debt, int] = self._of_thread.__dict__.setdefault("closed", {})
        with translated_errors():
            for number, debt in zip(numbers, debts, strict=True):
                replaced = [number]
                if debt in closed:
                    replaced.append(closed.pop(debt))
                closed[debt] = self._replace_debts(replaced, debt)

    def _replace_debts(self, numbers: Sequence[int], debt: Debt) -> int:
        """Put a debt that is not open in the place of others; its number.

        It is a new one even if nothing but the lease changes: once a lease has ended, a
        catch-up may have read the old number before the write, and settles that.
        """
        collection, replaced = self.collections.debts, {"_id": {"$in": list(numbers)}}
        since = [one["created_at"] for one in collection.find(replaced)]
        (number,) = self._insert_debts([debt], since=min(since, default=None))
        collection.delete_many(replaced)
        return number

    def _insert_debts(
        self,
        debts: Sequence[Debt],
        *,
        writer_until: float = 0.0,
        since: float | None = None,
    ) -> list[int]:
        numbers = self.collections.numbers(len(debts))
        now = self.collections.now()
        self.collections.debts.insert_many(
            [
                {
                    "_id": number,
                    "secondary": debt.secondary,
                    "model": debt.model,
                    "reason": debt.reason,
                    "created_at": now if since is None else since,
                    "writer_until": writer_until,
                }
                for number, debt in zip(numbers, debts, strict=True)
            ]
        )
        return numbers

    def debts(self, model: str, secondaries: Iterable[str]) -> Sequence[int]:
        """See :meth:`IOutbox.debts`."""
        with translated_errors():
            query = {
                "model": model,
                "secondary": {"$in": list(secondaries)},
                "writer_until": {"$lte": self.collections.now()},
            }
            return sorted(debt["_id"] for debt in self.collections.debts.find(query))

    def settle(self, numbers: Sequence[int]) -> None:
        """See :meth:`IOutbox.settle`."""
        with translated_errors():
            self.collections.debts.delete_many({"_id": {"$in": list(numbers)}})

    def waiting_keys(
        self, secondary: str, model: str, keys: Collection[str]
    ) -> Collection[str]:
        """See :meth:`IOutbox.waiting_keys`."""
        query = {"secondary": secondary, "model": model, "path": ""}
        with translated_errors():
            found = self.collections.outbox.find({**query, **naming(keys)})
            named = {one.touch.key for stored in found for one in entries_of(stored)}
            return named.intersection(keys)

    def fence(self, secondary: str, model: str) -> int:
        """See :meth:`IOutbox.fence`."""
        with translated_errors():
            version = self.collections.draw_version()
            index = self.collections.indices.find_one_and_update(
                {"_id": _identify(secondary, model, "")},
                # Of two that draw at the same time the later one may get here first.
                {"$max": {"fence": version}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            assert index is not None  # upserted
            return int(index["fence"])

    def is_fenced(self, version: int) -> bool:
        """See :meth:`IOutbox.is_fenced`."""
        with translated_errors():
            fenced = self.collections.indices.find_one({"fence": {"$gt": version}})
            return fenced is not None

    @contextmanager
    def exclusively(self, name: str) -> Iterator[bool]:
        """See :meth:`IOutbox.exclusively`; MongoDB has no lock to ask for."""
        yield True

    def index_states(self, secondary: str) -> Mapping[tuple[str, str], IndexState]:
        """See :meth:`IOutbox.index_states`."""
        with translated_errors():
            found = self.collections.indices.find(
                {"_id.secondary": secondary, "identity": {"$ne": None}}
            )
            return {
                (index["_id"]["model"], index["_id"]["place"]): IndexState(
                    index["_id"]["place"],
                    index["identity"],
                    index["operations"],
                    index["documents"],
                )
                for index in found
            }

    def remember_index(
        self,
        secondary: str,
        model: str,
        known: IndexState | None,
        state: IndexState,
        reason: str | None = None,
    ) -> bool:
        """See :meth:`IOutbox.remember_index`.

        The debt is made first: a crash between the two leaves one that nobody needed,
        and never an index whose loss is forgotten.
        """
        as_known = {"identity": None} if known is None else known.remembered
        query = {"_id": _identify(secondary, model, state.place), **as_known}
        with translated_errors():
            debts = [] if reason is None else [Debt(secondary, model, reason)]
            numbers = self._insert_debts(debts) if debts else []
            remembered = self._remember(query, state, known is None)
            if not remembered:
                self.settle(numbers)
            return remembered

    def _remember(self, query: Any, state: IndexState, is_new: bool) -> bool:
        try:
            result = self.collections.indices.update_one(
                query, {"$set": state.remembered}, upsert=is_new
            )
        except DuplicateKeyError:
            return False  # another process has remembered one
        return result.matched_count > 0 or result.upserted_id is not None

    def debt_status(self) -> tuple[DebtStatus, ...]:
        """See :meth:`IOutbox.debt_status`."""
        key = {name: f"${name}" for name in ("model", "secondary", "reason")}
        grouping = {
            "_id": key,
            "since": {"$min": "$created_at"},
            "count": {"$sum": 1},
        }
        with translated_errors():
            groups = list(self.collections.debts.aggregate([{"$group": grouping}]))
        found = [
            DebtStatus(
                group["_id"]["secondary"],
                group["_id"]["model"],
                group["_id"]["reason"],
                datetime.fromtimestamp(group["since"], UTC),
                group["count"],
            )
            for group in groups
        ]
        return tuple(sorted(found, key=lambda one: (one.model, one.secondary)))


def _identify(secondary: str, model: str, place: str) -> dict[str, str]:
    # MongoDB compares such keys with the order of their parts.
    return {"secondary": secondary, "model": model, "place": place}
