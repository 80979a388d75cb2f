"""A small model of a catch-up, beside deliveries and transactions that go on.

There is one row and its document. Some transactions leave an entry, others, whose sync
is suspended, a debt. Steps and their order are those of
:mod:`nefertari_engine_base.sync.catch_up`. A delivery or a catch-up may die between any
two steps, and a write arrive late or never.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.model.parts import put

GONE = 0


class Transaction(NamedTuple):
    """What a transaction makes of the row, and whether its sync is suspended."""

    value: int
    suspended: bool = False


class Rules(NamedTuple):
    """What a catch-up and a delivery do; by default, what the product does.

    :attr survives: whether the write of a catch-up that dies may still arrive later.
        That is the product's gap; in the model it has arrived, or never will.
    """

    catch_up: tuple[str, ...] = (
        *("read", "fence", "list", "draw", "load", "write"),
        *("scan", "draw", "load", "remove", "settle"),
    )
    acknowledges_fenced: bool = False
    settles_all: bool = False
    survives: bool = False


class Write(NamedTuple):
    """A write that is under way."""

    version: int
    value: int


class Busy(NamedTuple):
    """A delivery or a catch-up: how far it is, and what it knows."""

    position: int = 0
    taken: frozenset[int] = frozenset()
    fence: int = 0
    version: int = 0
    loaded: int | None = None
    skips: bool = False


class State(NamedTuple):
    """Everything that there is."""

    row: int
    done: frozenset[int]
    outbox: frozenset[int]
    debts: frozenset[int]
    fence: int
    index: Write
    sent: frozenset[Write]
    busy: tuple[Busy, ...]
    crashes: int


Steps = Iterator[tuple[str, str, State]]

_DELIVERY = ("claim", "draw", "load", "write", "acknowledge")
#: The last one of :attr:`State.busy`.
_CATCH_UP = -1


class CatchingUp:
    """A system for :mod:`tests.model.explore`."""

    def __init__(
        self,
        *transactions: Transaction,
        rules: Rules | None = None,
        workers: int = 1,
        crashes: int = 0,
        row: int = 1,
    ) -> None:
        self._transactions = transactions
        self._rules = rules or Rules()
        self._programs = (*[_DELIVERY] * workers, self._rules.catch_up)
        self._crashes = crashes
        self._row = row

    def initial(self) -> State:
        """A row, or none, and an index that agrees."""
        nothing: frozenset[int] = frozenset()
        busy = (Busy(),) * len(self._programs)
        return State(
            self._row, nothing, nothing, nothing, 0, Write(0, self._row), frozenset(),
            busy, self._crashes,
        )  # fmt: skip

    def canonical(self, state: State) -> State:
        """Versions by rank: they are compared, and a drawn one is above all others."""
        ranks = {version: rank for rank, version in enumerate(sorted(_versions(state)))}
        return state._replace(
            fence=ranks[state.fence],
            index=state.index._replace(version=ranks[state.index.version]),
            sent=frozenset(Write(ranks[one.version], one.value) for one in state.sent),
            busy=tuple(
                one._replace(version=ranks[one.version], fence=ranks[one.fence])
                for one in state.busy
            ),
        )

    def quiescent(self, state: State) -> bool:
        """Whether all is delivered, settled and arrived."""
        return (
            len(state.done) == len(self._transactions)
            and not (state.outbox or state.debts or state.sent)
            and not any(one.position for one in state.busy)
        )

    def problem(self, state: State) -> str | None:
        """That something was missed."""
        if self.quiescent(state) and state.index.value != state.row:
            return f"the row is {state.row}, and the document {state.index.value}"
        return None

    def steps(self, state: State) -> Steps:
        """What can happen next."""
        for number, transaction in enumerate(self._transactions):
            if number not in state.done:
                yield (
                    f"transaction {number}",
                    "commits",
                    _commit(state, number, transaction),
                )
        for write in state.sent:
            after = state._replace(sent=state.sent - {write})
            if write.version > state.index.version:
                after = after._replace(index=write)
            yield f"write {write}", "arrives", after
        for number, program in enumerate(self._programs):
            one = state.busy[number]
            name = "catch-up" if program is self._rules.catch_up else f"worker {number}"
            step = program[one.position]
            for after in getattr(self, f"_{step}")(state, number, one):
                yield name, f"{step}: {after.busy[number]}", after
            if state.crashes and one.position:
                yield from self._crash(state, number, name)

    def _crash(self, state: State, number: int, name: str) -> Steps:
        dead = state._replace(
            busy=put(state.busy, number, Busy()), crashes=state.crashes - 1
        )
        mine = {one for one in state.sent if one.version == state.busy[number].version}
        if mine:
            yield name, "dies with its write", dead._replace(sent=state.sent - mine)
        if not mine or self._rules.survives or number < len(self._programs) - 1:
            yield name, "dies", dead

    # --- steps

    def _claim(self, state: State, number: int, one: Busy) -> Iterator[State]:
        others = {entry for other in state.busy[:_CATCH_UP] for entry in other.taken}
        if free := state.outbox - others:
            yield self._go_on(state, number, one._replace(taken=free))

    def _draw(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if not one.skips:
            one = one._replace(version=max(_versions(state)) + 1)
        yield self._go_on(state, number, one)

    def _load(self, state: State, number: int, one: Busy) -> Iterator[State]:
        yield self._go_on(state, number, one._replace(loaded=state.row))

    def _write(self, state: State, number: int, one: Busy) -> Iterator[State]:
        assert one.loaded is not None
        if not one.skips:
            sent = state.sent | {Write(one.version, one.loaded)}
            state = state._replace(sent=sent)
        yield self._go_on(state, number, one._replace(skips=False))

    def _acknowledge(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if _has_arrived(state, one):
            fenced = state.fence > one.version and not self._rules.acknowledges_fenced
            removed = frozenset[int]() if fenced else one.taken
            after = state._replace(outbox=state.outbox - removed)
            yield self._go_on(after, number, one)

    def _read(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if state.debts or one.position:
            yield self._go_on(state, number, one._replace(taken=state.debts))

    def _fence(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if state.debts or one.position:
            fence = max(_versions(state)) + 1
            after = state._replace(fence=fence)
            yield self._go_on(after, number, one._replace(fence=fence))

    def _list(self, state: State, number: int, one: Busy) -> Iterator[State]:
        yield self._go_on(state, number, one._replace(skips=state.row == GONE))

    def _scan(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if _has_arrived(state, one):
            found = state.index.value != GONE and state.index.version < one.fence
            yield self._go_on(state, number, one._replace(skips=not found))

    def _remove(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if not one.skips and one.loaded == GONE:
            state = state._replace(sent=state.sent | {Write(one.version, GONE)})
        yield self._go_on(state, number, one._replace(skips=False))

    def _settle(self, state: State, number: int, one: Busy) -> Iterator[State]:
        if _has_arrived(state, one):
            settled = state.debts if self._rules.settles_all else one.taken
            after = state._replace(debts=state.debts - settled)
            yield self._go_on(after, number, one)

    def _go_on(self, state: State, number: int, one: Busy) -> State:
        position = one.position + 1
        ended = position == len(self._programs[number])
        one = Busy() if ended else one._replace(position=position)
        return state._replace(busy=put(state.busy, number, one))


def _commit(state: State, number: int, transaction: Transaction) -> State:
    after = state._replace(row=transaction.value, done=state.done | {number})
    if transaction.suspended:
        return after._replace(debts=state.debts | {number})
    return after._replace(outbox=state.outbox | {number})


def _has_arrived(state: State, one: Busy) -> bool:
    return all(write.version != one.version for write in state.sent)


def _versions(state: State) -> set[int]:
    versions = {0, state.fence, state.index.version}
    versions.update(write.version for write in state.sent)
    for one in state.busy:
        versions |= {one.version, one.fence}
    return versions
