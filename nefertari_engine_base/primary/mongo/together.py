"""Entries with a path that are looked up together.

A first load makes an entry for each document that others may show. One query for the
keys of many of them finds what as many queries would have found, as long as all of that
is not more than one look-up may find. Where it is more, fewer are asked for together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.values import OutboxEntry

#: Finds at most so many ids as are asked for, of the documents that show any of these.
Find = Callable[[Sequence[OutboxEntry]], Sequence[str]]

#: So many entries are looked up together at first.
_MOST = 1_000


class _Way(NamedTuple):
    """What entries have in common that are looked up together."""

    secondary: str
    model: str
    path: str


class LookUps:
    """The entries with a path of one claim, in groups.

    :param entries: of the claim; those without a path do not matter.
    """

    def __init__(self, entries: Iterable[OutboxEntry]) -> None:
        self._waiting: dict[_Way, dict[int, OutboxEntry]] = {}
        self._sizes: dict[_Way, int] = {}
        for entry in entries:
            # One that goes on somewhere goes on alone.
            if entry.touch.path and entry.cursor is None:
                self._waiting.setdefault(_way_of(entry), {})[entry.id] = entry
        self._done: set[int] = set()

    def is_done(self, entry: OutboxEntry) -> bool:
        """Whether an entry was looked up together with another one."""
        return entry.id in self._done

    def find(
        self, entry: OutboxEntry, limit: int, find: Find
    ) -> tuple[list[OutboxEntry], Sequence[str]]:
        """Look up an entry, and others with it: the entries, and the ids.

        :param limit: how many ids ``find`` finds at most. If it finds as many, the
            entry is alone, and there may be more.
        """
        way = _way_of(entry)
        waiting = self._waiting.get(way, {})
        size = self._sizes.get(way, _MOST)
        if entry.id not in waiting or size == 1:
            size = 1
        while True:
            group = [entry, *_others(waiting, entry, size - 1)]
            try:
                ids = find(group)
            except ConversionError:
                # One of them is at fault, which is to say so alone.
                if len(group) == 1:
                    raise
                size = 1
                continue
            if len(group) == 1 or len(ids) < limit:
                break
            size = len(group) // 2
        self._sizes[way] = min(2 * size, _MOST)
        for one in group:
            waiting.pop(one.id, None)
            self._done.add(one.id)
        return group, ids


def _way_of(entry: OutboxEntry) -> _Way:
    return _Way(entry.touch.secondary, entry.touch.model, entry.touch.path)


def _others(
    waiting: dict[int, OutboxEntry], entry: OutboxEntry, most: int
) -> Iterable[OutboxEntry]:
    found = (one for id_, one in waiting.items() if id_ != entry.id)
    return (one for one, _ in zip(found, range(most), strict=False))
