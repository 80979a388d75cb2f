"""A model of MongoDB's outbox: the entry before the document, and deliveries beside.

Writers write one document each, one after the other in any order: announce an entry,
write, confirm, in steps of their own. A writer may die between any two, and its lease
may end at any time; but one that dies writes nothing after its lease has ended.
Deliveries claim, draw, load, write to the index and acknowledge. A writer may deliver
what it has written itself, and removes its entry then without confirming it. See
:mod:`nefertari_engine_base.primary.mongo.outbox`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Rules:
    """What makes it right, each of which can be broken."""

    entry_first: bool = True
    keeps_unconfirmed: bool = True
    removes_as_claimed: bool = True
    adds_anew: bool = True
    own_after_write: bool = True


#: Who has claimed an entry that is free.
_NOBODY = -1


class Entry(NamedTuple):
    """An entry in the outbox.

    :attr lease: whether its writer's lease still lasts; without meaning once confirmed.
    :attr claimed: number of the worker that has claimed it.
    """

    writer: int
    confirmed: bool
    lease: bool
    claimed: int = _NOBODY

    @property
    def settled(self) -> bool:
        """Whether a delivery may remove it."""
        return self.confirmed or not self.lease


class Worker(NamedTuple):
    """A delivery under way.

    :attr claimed: the entries as they were when they were claimed.
    """

    step: str = "idle"
    claimed: tuple[Entry, ...] = ()
    version: int = 0
    loaded: int = 0


class State(NamedTuple):
    """The document in the primary, and what is known of it.

    :attr writers: the next step of each.
    :attr versions: how many were drawn.
    :attr own: each writer's delivery of what it has written.
    :attr expiries: how many claims may still expire before their deliveries end.
    :attr index: version and contents of the document there.
    """

    row: int
    writers: tuple[str, ...]
    entries: tuple[Entry, ...]
    workers: tuple[Worker, ...]
    own: tuple[Worker, ...]
    versions: int = 0
    index: tuple[int, int] = (0, 0)
    expiries: int = 0


class EntryFirst:
    """See :class:`tests.model.explore.System`."""

    def __init__(
        self,
        writers: int,
        workers: int,
        rules: Rules | None = None,
        deaths: bool = True,
        expiries: int = 0,
        deliver_own: bool = False,
    ) -> None:
        self.writers, self.workers, self.deaths = writers, workers, deaths
        self.expiries, self.deliver_own = expiries, deliver_own
        self.rules = rules or Rules()
        self.order = ("announce", "write") if self.rules.entry_first else ("write",)
        self.order += ("confirm",)

    def initial(self) -> State:
        first = (self.order[0],) * self.writers
        workers = (Worker(),) * self.workers
        own = (Worker(),) * self.writers
        return State(0, first, (), workers, own, expiries=self.expiries)

    def canonical(self, state: State) -> Hashable:
        # Deliveries may repeat for ever: of versions only their order can be seen.
        deliveries = (*state.workers, *state.own)
        versions = {0, state.index[0], *(one.version for one in deliveries)}
        rank = {version: place for place, version in enumerate(sorted(versions))}

        def ranked(workers: tuple[Worker, ...]) -> tuple[Worker, ...]:
            return tuple(one._replace(version=rank[one.version]) for one in workers)

        return state._replace(
            versions=0,
            index=(rank[state.index[0]], state.index[1]),
            workers=ranked(state.workers),
            own=ranked(state.own),
        )

    def problem(self, state: State) -> str | None:
        if self.quiescent(state) and state.index[1] != state.row:
            return f"the index has {state.index[1]}, the row is {state.row}"
        return None

    def quiescent(self, state: State) -> bool:
        return (
            not state.entries
            and all(step == "end" for step in state.writers)
            and all(worker.step == "idle" for worker in state.workers)
        )

    def steps(self, state: State) -> Iterator[tuple[str, str, State]]:
        for number, step in enumerate(state.writers):
            if step == "deliver":
                yield from self._deliver_own(state, number)
            elif step != "end":
                yield from self._write(state, number, step)
        for entry in state.entries:
            if not entry.settled and not self._is_doomed(state, entry):
                ended = entry._replace(lease=False)
                entries = _swapped(state.entries, entry, ended)
                yield "time", "ends a lease", state._replace(entries=entries)
        if state.expiries:
            yield from self._expire(state)
        for number, worker in enumerate(state.workers):
            for what, after, changed in self._deliver(state, number, worker):
                workers = list(state.workers)
                workers[number] = after
                yield f"worker {number}", what, changed._replace(workers=tuple(workers))

    def _expire(self, state: State) -> Iterator[tuple[str, str, State]]:
        for entry in state.entries:
            if entry.claimed != _NOBODY:
                free = entry._replace(claimed=_NOBODY)
                entries = _swapped(state.entries, entry, free)
                left = state.expiries - 1
                after = state._replace(entries=entries, expiries=left)
                yield "time", "ends a claim", after

    def _is_doomed(self, state: State, entry: Entry) -> bool:
        """Whether its writer may only die or write in time."""
        return state.writers[entry.writer] == "write in time"

    # --- writers -----------------------------------------------------------

    def _write(
        self, state: State, number: int, step: str
    ) -> Iterator[tuple[str, str, State]]:
        who = f"writer {number}"
        named = {"write in time": "write", "confirm at last": "confirm"}
        position = self.order.index(named.get(step, step))
        following = (*self.order, "end")[position + 1]

        def then(after: str, **changed: object) -> State:
            writers = list(state.writers)
            writers[number] = after
            return state._replace(writers=tuple(writers), **changed)  # type: ignore[arg-type]

        if step == "announce":
            entries = (*state.entries, Entry(number, confirmed=False, lease=True))
            yield who, "announces", then("write", entries=entries)
            if self.deaths:
                yield who, "announces", then("write in time", entries=entries)
        elif step == "write in time":
            yield who, "writes and dies", then("end", row=number + 1)
            yield who, "dies", then("end")
        elif step == "write":
            yield who, "writes", then(following, row=number + 1)
            if self.deaths and not self.rules.entry_first:
                yield who, "writes and dies", then("end", row=number + 1)
            if not self.rules.own_after_write and state.own[number].step == "idle":
                version = state.versions + 1
                early = Worker("put", version=version, loaded=state.row)
                own = _exchanged(state.own, number, early)
                yield who, "loads", state._replace(own=own, versions=version)
        else:
            yield who, "confirms", then("end", entries=self._confirmed(state, number))
            if self.deliver_own and step == "confirm":
                own = state.own
                if own[number].step == "idle":
                    own = _exchanged(own, number, Worker("draw"))
                yield who, "begins to deliver", then("deliver", own=own)

    def _deliver_own(
        self, state: State, number: int
    ) -> Iterator[tuple[str, str, State]]:
        """The writer delivers what it has written, or fails to and confirms it."""
        who, worker = f"writer {number}", state.own[number]

        def goes_on(after: Worker, **changed: object) -> State:
            own = _exchanged(state.own, number, after)
            return state._replace(own=own, **changed)  # type: ignore[arg-type]

        def ends(step: str, entries: tuple[Entry, ...]) -> State:
            writers = list(state.writers)
            writers[number] = step
            return goes_on(Worker(), writers=tuple(writers), entries=entries)

        yield who, "fails to deliver", ends("confirm at last", state.entries)
        if worker.step == "draw":
            version = state.versions + 1
            after = worker._replace(step="load", version=version)
            yield who, "draws", goes_on(after, versions=version)
        elif worker.step == "load":
            yield who, "loads", goes_on(worker._replace(step="put", loaded=state.row))
        elif worker.step == "put":
            index = max(state.index, (worker.version, worker.loaded))
            yield who, "writes", goes_on(worker._replace(step="ack"), index=index)
        else:
            # Whoever has claimed it, and whether its lease lasts or not.
            others = (one for one in state.entries if one.writer != number)
            yield who, "removes its entry", ends("end", tuple(others))

    def _confirmed(self, state: State, number: int) -> tuple[Entry, ...]:
        own = [entry for entry in state.entries if entry.writer == number]
        if not own and not (self.rules.adds_anew or not self.rules.entry_first):
            return state.entries
        if not own:
            return (*state.entries, Entry(number, confirmed=True, lease=False))
        confirmed = own[0]._replace(confirmed=True, lease=False)
        return _swapped(state.entries, own[0], confirmed)

    # --- deliveries --------------------------------------------------------

    def _deliver(
        self, state: State, number: int, worker: Worker
    ) -> Iterator[tuple[str, Worker, State]]:
        if worker.step == "idle":
            free = [one for one in state.entries if one.claimed == _NOBODY]
            if free:
                taken = tuple(one._replace(claimed=number) for one in free)
                rest = [one for one in state.entries if one.claimed != _NOBODY]
                entries = tuple(sorted((*rest, *taken)))
                changed = state._replace(entries=entries)
                yield "claims", Worker("draw", taken), changed
        elif worker.step == "draw":
            version = state.versions + 1
            after = worker._replace(step="load", version=version)
            yield "draws", after, state._replace(versions=version)
        elif worker.step == "load":
            yield "loads", worker._replace(step="put", loaded=state.row), state
        elif worker.step == "put":
            index = max(state.index, (worker.version, worker.loaded))
            yield "writes", worker._replace(step="ack"), state._replace(index=index)
        else:
            entries = self._acknowledged(state, number, worker)
            yield "acknowledges", Worker(), state._replace(entries=entries)

    def _acknowledged(
        self, state: State, number: int, worker: Worker
    ) -> tuple[Entry, ...]:
        claimed = {entry.writer: entry for entry in worker.claimed}
        kept = []
        for entry in state.entries:
            seen = claimed.get(entry.writer)
            if seen is None or entry.claimed != number:
                kept.append(entry)
            elif not self._removes(seen, entry):
                kept.append(entry._replace(claimed=_NOBODY))
        return tuple(sorted(kept))

    def _removes(self, seen: Entry, entry: Entry) -> bool:
        if self.rules.keeps_unconfirmed and not seen.settled:
            return False
        # What ends a lease leaves no mark on the entry; what confirms it does.
        return seen.confirmed == entry.confirmed or not self.rules.removes_as_claimed


def _exchanged(
    workers: tuple[Worker, ...], number: int, after: Worker
) -> tuple[Worker, ...]:
    return (*workers[:number], after, *workers[number + 1 :])


def _swapped(entries: tuple[Entry, ...], old: Entry, new: Entry) -> tuple[Entry, ...]:
    return tuple(sorted(replace_one(entries, old, new)))


def replace_one(entries: tuple[Entry, ...], old: Entry, new: Entry) -> Iterator[Entry]:
    """The entries with one of them exchanged."""
    for entry in entries:
        yield new if entry is old else entry
