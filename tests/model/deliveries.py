"""The steps of deliveries, in the order that the rules say.

What a claim is on PostgreSQL and on SQLite is in ``primary/sqla/locking.py`` and
``leasing.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tests.model.parts import (
    COMMITTED,
    IDLE,
    WRITTEN,
    Delivery,
    Scenario,
    State,
    Steps,
    Write,
    bits_of,
    document_of,
    held_entries,
    parts_of,
    put,
    versions_of,
)

#: What a delivery does, and the state after it.
Outcomes = Iterator[tuple[str, State]]


class Deliveries:
    """All workers and all own claims of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._rules = scenario.rules

    def steps(self, state: State) -> Steps:
        """What a delivery can do next, or what can happen to it."""
        for number, delivery in enumerate(state.deliveries):
            if self._can_go_on(state, number):
                yield from self._delivery(state, number, delivery)
            if state.crashes and not self._rests(state, number):
                yield from self._crashes(state, number, delivery)
        if self._rules.leases:
            yield from self._ends_of_leases(state)

    def rest(self, state: State) -> bool:
        """Whether no delivery has begun anything that it must end."""
        numbers = range(len(state.deliveries))
        return all(self._rests(state, number) for number in numbers)

    def _program(self, number: int) -> tuple[str, ...]:
        owned = self._scenario.owners[number] is not None
        return self._rules.own if owned else self._rules.worker

    def _can_go_on(self, state: State, number: int) -> bool:
        """Whether a delivery can take its next step as far as transactions go."""
        owner = self._scenario.owners[number]
        position = state.deliveries[number].position
        if owner is None:
            return True
        if position == len(self._rules.own):
            return False
        stage = state.transactions[owner]
        if stage == COMMITTED:
            return True
        if self._scenario.transactions[owner].outer:
            return stage != IDLE
        return stage == WRITTEN and position == 0 and self._rules.own[0] == "draw"

    def _rests(self, state: State, number: int) -> bool:
        """Whether a delivery has nothing begun that it must end."""
        delivery = state.deliveries[number]
        if self._scenario.owners[number] is None:
            return not delivery.claimed
        return delivery.position == 0 or not self._can_go_on(state, number)

    def _batch(self, number: int, delivery: Delivery) -> tuple[int, ...]:
        """The documents that a delivery is about."""
        owner = self._scenario.owners[number]
        if owner is None or self._rules.leases:
            return self._scenario.documents_of[delivery.claimed]
        # Locking own claims load what they were told of, seen or not.
        return self._scenario.documents_of[self._scenario.entries_of[owner]]

    def _delivery(self, state: State, number: int, delivery: Delivery) -> Steps:
        """The next step of a delivery, in each way that it can turn out."""
        step = self._program(number)[delivery.position]
        name = self._scenario.names[number]
        for what, after in getattr(self, f"_{step}")(state, number, delivery):
            yield name, what, after

    def _claim(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """A worker claims some entries that nobody has claimed."""
        taken = state.abandoned | (held_entries(state) & ~state.lapsed)
        for claimed in parts_of(state.outbox & ~taken):
            others = tuple(
                one._replace(held=one.held & ~claimed) for one in state.deliveries
            )
            after = state._replace(deliveries=others, lapsed=state.lapsed & ~claimed)
            mine = delivery._replace(claimed=claimed, held=claimed)
            yield f"claims {bits_of(claimed)}", self._next(after, number, mine)

    def _see(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """An own claim finds those of its entries that are committed."""
        owner = self._scenario.owners[number]
        assert owner is not None
        seen = state.outbox & self._scenario.entries_of[owner]
        mine = delivery._replace(claimed=seen)
        yield f"sees {bits_of(seen)}", self._next(state, number, mine)

    def _draw(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """A version above all that were drawn before."""
        drawn = 1
        if not self._rules.constant_version:
            drawn += max(versions_of(state), default=0)
        mine = delivery._replace(version=drawn)
        yield f"draws version {drawn}", self._next(state, number, mine)

    def _load(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """The rows of the documents, by one statement or one after the other."""
        rows = state.rows
        if self._rules.reads_uncommitted:
            for other, stage in enumerate(state.transactions):
                if stage == WRITTEN:
                    rows = self._scenario.written(rows, other)
        batch = self._batch(number, delivery)
        known = delivery.loaded or ((),) * len(batch)
        loaded = []
        for document, contents in zip(batch, known, strict=True):
            missing = self._scenario.documents[document][len(contents) :]
            if self._rules.statement_per_row:
                missing = missing[:1]
            loaded.append(contents + tuple(rows[row] for row in missing))
        mine = delivery._replace(loaded=tuple(loaded))
        complete = all(
            len(contents) == len(self._scenario.documents[document])
            for document, contents in zip(batch, loaded, strict=True)
        )
        after = self._next if complete else self._stay
        yield f"loads {mine.loaded}", after(state, number, mine)

    def _write(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """The writes are sent; they arrive one by one, by steps of their own."""
        writes = self._writes(number, delivery)
        after = state._replace(sent=tuple(sorted({*state.sent, *writes})))
        documents = ", ".join(f"{one.document} as {one.contents}" for one in writes)
        what = f"sends version {delivery.version} of document {documents or '-'}"
        yield what, self._next(after, number, delivery)

    def _writes(self, number: int, delivery: Delivery) -> list[Write]:
        batch = self._batch(number, delivery)
        return [
            Write(document, delivery.version, document_of(contents))
            for document, contents in zip(batch, delivery.loaded, strict=True)
        ]

    def _acknowledge(self, state: State, number: int, delivery: Delivery) -> Outcomes:
        """Entries are removed, once all of the delivery's writes have arrived."""
        if any(write in state.sent for write in self._writes(number, delivery)):
            return
        owner = self._scenario.owners[number]
        if owner is None:
            removed = delivery.claimed & delivery.held
        else:
            removed = delivery.claimed
            if self._rules.acknowledges_unseen:
                removed = self._scenario.entries_of[owner] & state.outbox
            if not self._rules.leases:
                removed &= ~held_entries(state)
        after = state._replace(outbox=state.outbox & ~removed)
        what = f"acknowledges {bits_of(removed)}"
        yield what, self._next(after, number, delivery)

    def _next(self, state: State, number: int, delivery: Delivery) -> State:
        """Go on to the next step of the program; a worker begins again."""
        position = delivery.position + 1
        end = len(self._program(number))
        if position < end:
            return self._stay(state, number, delivery._replace(position=position))
        if self._scenario.owners[number] is not None:
            return self._stay(state, number, Delivery(end))
        # What a lease has not acknowledged is released, and so is a lock.
        if state.lapsed & delivery.held:
            state = state._replace(lapsed=state.lapsed & ~delivery.held)
        return self._stay(state, number, Delivery())

    def _stay(self, state: State, number: int, delivery: Delivery) -> State:
        return state._replace(deliveries=put(state.deliveries, number, delivery))

    def _crashes(self, state: State, number: int, delivery: Delivery) -> Steps:
        """A delivery dies; of what it has sent, any part never arrives.

        A worker is started again; an own claim is not, since its process is gone.
        """
        abandoned, lapsed = state.abandoned, state.lapsed
        if self._rules.leases:
            abandoned |= delivery.held & ~lapsed & state.outbox
            lapsed &= ~delivery.held
        fresh = Delivery()
        if self._scenario.owners[number] is not None:
            fresh = Delivery(len(self._rules.own))
        after = self._stay(state, number, fresh)._replace(
            crashes=state.crashes - 1, abandoned=abandoned, lapsed=lapsed
        )
        mine: set[Write] = set()
        if delivery.loaded:
            mine = set(state.sent) & set(self._writes(number, delivery))
        name = self._scenario.names[number]
        yield name, "dies", after
        for count in range(1, len(mine) + 1):
            for lost in combinations(sorted(mine), count):
                sent = tuple(write for write in state.sent if write not in lost)
                what = f"dies, and {count} of its writes with it"
                yield name, what, after._replace(sent=sent)

    def _ends_of_leases(self, state: State) -> Steps:
        for bit in bits_of(state.abandoned):
            after = state._replace(abandoned=state.abandoned & ~(1 << bit))
            yield f"the lease of entry {bit}", "ends; its delivery is dead", after
        if state.early_ends:
            for bit in bits_of(held_entries(state) & ~state.lapsed & state.outbox):
                after = state._replace(
                    lapsed=state.lapsed | 1 << bit, early_ends=state.early_ends - 1
                )
                yield f"the lease of entry {bit}", "ends too early", after
