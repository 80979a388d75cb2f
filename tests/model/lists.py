"""A model of a list of entries: one write of two documents, and deliveries beside.

What :mod:`tests.model.entry_first` shows of single entries is taken for granted. Here a
writer announces both documents in one list, writes them one after the other, and
confirms the list, or delivers it itself. Deliveries take as much of the list as they
may, acknowledge document by document, and the index may refuse one, which then leaves
the list. See :mod:`nefertari_engine_base.primary.mongo.claims`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

_KEYS = (0, 1)
_NOBODY = -1


@dataclass(frozen=True)
class Rules:
    """What makes it right, each of which can be broken."""

    keeps_unconfirmed_whole: bool = True
    shortening_confirms: bool = True
    loses_what_has_changed: bool = True
    adds_shortened_anew: bool = True


class Listed(NamedTuple):
    """The list in the outbox.

    :attr lease: whether its writer's lease still lasts.
    :attr claimed: number of the worker that has claimed it.
    """

    keys: tuple[int, ...] = _KEYS
    confirmed: bool = False
    lease: bool = True
    claimed: int = _NOBODY


class Single(NamedTuple):
    """A confirmed entry of its own."""

    key: int
    claimed: int = _NOBODY


class Delivery(NamedTuple):
    """A delivery under way.

    :attr seen: the list, as it is known to this claim.
    :attr keys: what it takes of the list, and has not acknowledged yet.
    :attr lost: somebody else has changed the list since: nothing more is taken from it.
    :attr done: of the writer's own: nothing is left to be confirmed.
    :attr single: keys of the single entries that it takes.
    """

    step: str = "idle"
    seen: Listed | None = None
    settled: bool = False
    lost: bool = False
    done: bool = False
    keys: tuple[int, ...] = ()
    single: tuple[int, ...] = ()
    version: int = 0
    loaded: tuple[int, ...] = ()


class State(NamedTuple):
    """The two documents, and what is known of them.

    :attr index: version and contents of each document there.
    """

    rows: tuple[int, ...] = (0, 0)
    writer: str = "announce"
    listed: Listed | None = None
    singles: tuple[Single, ...] = ()
    workers: tuple[Delivery, ...] = ()
    own: Delivery = Delivery()
    index: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
    versions: int = 0
    refusals: int = 0
    expiries: int = 0


class Lists:
    """See :class:`tests.model.explore.System`."""

    def __init__(
        self, workers: int, limit: int, rules: Rules | None = None, *,
        refusals: int = 0, expiries: int = 0, deliver_own: bool = False,
    ) -> None:  # fmt: skip
        self.limit, self.deliver_own = limit, deliver_own
        self.rules = rules or Rules()
        self.first = State(
            workers=(Delivery(),) * workers, refusals=refusals, expiries=expiries
        )

    def initial(self) -> State:
        return self.first

    def canonical(self, state: State) -> Hashable:
        deliveries = (*state.workers, state.own)
        versions = {0, *(one for one, _ in state.index)}
        versions |= {one.version for one in deliveries}
        rank = {version: place for place, version in enumerate(sorted(versions))}
        ranked = [one._replace(version=rank[one.version]) for one in deliveries]
        return state._replace(
            versions=0,
            index=tuple((rank[version], value) for version, value in state.index),
            workers=tuple(ranked[:-1]),
            own=ranked[-1],
        )

    def quiescent(self, state: State) -> bool:
        return (
            state.listed is None
            and not state.singles
            and state.writer == "end"
            and all(worker.step == "idle" for worker in state.workers)
        )

    def problem(self, state: State) -> str | None:
        shown = tuple(value for _, value in state.index)
        if self.quiescent(state) and shown != state.rows:
            return f"the index has {shown}, the rows are {state.rows}"
        return None

    def steps(self, state: State) -> Iterator[tuple[str, str, State]]:
        yield from self._write(state)
        listed = state.listed
        if listed is not None and listed.lease and not listed.confirmed:
            yield "time", "ends the lease", _with(state, listed._replace(lease=False))
        if state.expiries and listed is not None and listed.claimed != _NOBODY:
            free = _with(state, listed._replace(claimed=_NOBODY))
            yield "time", "ends a claim", free._replace(expiries=state.expiries - 1)
        for number, worker in enumerate(state.workers):
            for what, after, changed in self._deliver(state, number, worker):
                workers = list(changed.workers)
                workers[number] = after
                yield f"worker {number}", what, changed._replace(workers=tuple(workers))

    # --- the writer --------------------------------------------------------

    def _write(self, state: State) -> Iterator[tuple[str, str, State]]:
        step, who = state.writer, "writer"
        if step == "announce":
            yield who, "announces", state._replace(writer="write 0", listed=Listed())
        elif step == "write 0":
            yield who, "writes 0", state._replace(writer="write 1", rows=(1, 0))
        elif step == "write 1":
            yield who, "writes 1", state._replace(writer="confirm", rows=(1, 1))
        elif step in ("confirm", "confirm at last"):
            yield who, "confirms", self._confirmed(state)._replace(writer="end")
            if self.deliver_own and step == "confirm":
                own = self._claim(state.listed)
                yield who, "claims", state._replace(writer="deliver", own=own)
        elif step == "deliver":
            for what, own, changed in self._go_on(state, None, state.own):
                writer = "deliver"
                if own.step == "idle":
                    # Where it has confirmed the list, or removed the whole of it.
                    writer = "end" if own.done else "confirm at last"
                yield who, what, changed._replace(own=own, writer=writer)
            late = state._replace(own=Delivery(), writer="confirm at last")
            yield who, "fails to deliver", late
        is_in_time = state.listed is not None and state.listed.lease
        if is_in_time and step not in ("announce", "end", "deliver"):
            yield who, "dies", state._replace(writer="end")

    def _confirmed(self, state: State) -> State:
        listed = state.listed
        taken = listed is None or listed.confirmed
        if listed is not None and not listed.confirmed:
            return _with(state, listed._replace(confirmed=True, lease=False))
        if taken and (listed is None or self.rules.adds_shortened_anew):
            singles = tuple(map(Single, _KEYS))
            return state._replace(singles=tuple(sorted((*state.singles, *singles))))
        return state

    # --- deliveries --------------------------------------------------------

    def _claim(self, listed: Listed | None) -> Delivery:
        if listed is None:
            return Delivery("draw")
        settled = listed.confirmed or not listed.lease
        return Delivery("draw", listed, settled, keys=listed.keys[: self.limit])

    def _deliver(
        self, state: State, number: int, worker: Delivery
    ) -> Iterator[tuple[str, Delivery, State]]:
        if worker.step != "idle":
            yield from self._go_on(state, number, worker)
            return
        listed = state.listed
        free = [one for one in state.singles if one.claimed == _NOBODY]
        if listed is not None and listed.claimed == _NOBODY:
            mine = _with(state, listed._replace(claimed=number))
            yield "claims the list", self._claim(listed), mine
        if free:
            taken = [one._replace(claimed=number) for one in free]
            rest = [one for one in state.singles if one.claimed != _NOBODY]
            claimed = Delivery("draw", single=tuple(one.key for one in free))
            singles = tuple(sorted((*rest, *taken)))
            yield "claims entries", claimed, state._replace(singles=singles)

    def _go_on(
        self, state: State, number: int | None, claim: Delivery
    ) -> Iterator[tuple[str, Delivery, State]]:
        if claim.step == "draw":
            version = state.versions + 1
            drawn = claim._replace(step="load", version=version)
            yield "draws", drawn, state._replace(versions=version)
        elif claim.step == "load":
            yield "loads", claim._replace(step="put", loaded=state.rows), state
        elif claim.keys:
            key, rest = claim.keys[0], claim._replace(keys=claim.keys[1:])
            written = _written(state, key, claim)
            yield (f"delivers {key}", *self._left(written, number, rest, key))
            if state.refusals:
                refused = state._replace(refusals=state.refusals - 1)
                if self._is_settled(number, claim):
                    singles = tuple(sorted((*refused.singles, Single(key))))
                    refused = refused._replace(singles=singles)
                yield (f"refuses {key}", *self._left(refused, number, rest, key))
        elif claim.single:
            for key in claim.single:
                state = _written(state, key, claim)
            kept = tuple(one for one in state.singles if one.claimed != number)
            yield "delivers entries", Delivery(), state._replace(singles=kept)
        else:
            yield "ends", *self._ended(state, number, claim)

    def _is_settled(self, number: int | None, claim: Delivery) -> bool:
        return claim.settled or number is None or not self.rules.keeps_unconfirmed_whole

    def _left(
        self, state: State, number: int | None, claim: Delivery, key: int
    ) -> tuple[Delivery, State]:
        """After a document was delivered or refused: it leaves the list."""
        seen, listed = claim.seen, state.listed
        assert seen is not None
        keys = tuple(one for one in seen.keys if one != key)
        if not self._is_settled(number, claim) or claim.lost:
            return claim, state
        is_mine = number is None or (listed is not None and listed.claimed == number)
        if listed is None or not is_mine or listed.confirmed != seen.confirmed:
            if not keys and number is None and not seen.confirmed:
                return claim._replace(done=True), state  # all of it is delivered
            if self.rules.loses_what_has_changed:
                return claim._replace(lost=True), state
            return claim._replace(seen=seen._replace(confirmed=True)), state
        confirms = self.rules.shortening_confirms or number is None
        after = listed._replace(keys=keys, confirmed=confirms or listed.confirmed)
        known = seen._replace(keys=keys, confirmed=after.confirmed)
        if number is None and not seen.confirmed:
            claim = claim._replace(done=True)
        left = after if keys else None
        return claim._replace(seen=known), state._replace(listed=left)

    def _ended(
        self, state: State, number: int | None, claim: Delivery
    ) -> tuple[Delivery, State]:
        listed = state.listed
        if number is not None and listed is not None and listed.claimed == number:
            state = _with(state, listed._replace(claimed=_NOBODY))
        return Delivery(done=claim.done), state


def _with(state: State, listed: Listed) -> State:
    return state._replace(listed=listed)


def _written(state: State, key: int, claim: Delivery) -> State:
    index = list(state.index)
    index[key] = max(index[key], (claim.version, claim.loaded[key]))
    return state._replace(index=tuple(index))
