"""A small model of the write path: transactions, an outbox, deliveries, an index.

The steps and their order are those of ``docs/architecture/write-path.rst``. What may
go wrong in reality is a step of its own here: a transaction waits before its commit, a
delivery dies between any two steps, a write arrives late or never, a lease ends too
early.
"""

from __future__ import annotations

from tests.model.deliveries import Deliveries
from tests.model.parts import (
    COMMITTED,
    IDLE,
    INITIAL,
    ROLLED_BACK,
    WRITTEN,
    Delivery,
    Scenario,
    State,
    Steps,
    Stored,
    put,
    versions_of,
)


class WritePath:
    """A scenario as a system for :mod:`tests.model.explore`."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._deliveries = Deliveries(scenario)

    # --- the system --------------------------------------------------------------

    def initial(self) -> State:
        """An index that agrees with the rows."""
        scenario = self._scenario
        count = max(row for rows in scenario.documents for row in rows) + 1
        rows = tuple(0 if row in scenario.absent else INITIAL for row in range(count))
        return State(
            rows=rows,
            transactions=(IDLE,) * len(scenario.transactions),
            outbox=0,
            abandoned=0,
            lapsed=0,
            index=tuple(
                Stored(0, scenario.contents_of(rows, document))
                for document in range(len(scenario.documents))
            ),
            sent=(),
            deliveries=(Delivery(),) * len(scenario.owners),
            crashes=scenario.crashes,
            early_ends=scenario.early_ends,
        )

    def steps(self, state: State) -> Steps:
        """What can happen next."""
        yield from self._transactions(state)
        yield from self._arrivals(state)
        yield from self._deliveries.steps(state)
        if self._scenario.rules.forgets != "never":
            yield from self._forgotten_tombstones(state)

    def canonical(self, state: State) -> State:
        """Versions by rank, and workers, who are all alike, in order.

        Versions are compared and nothing else, and a drawn one is above all others.
        """
        versions = sorted(versions_of(state))
        deliveries, workers = state.deliveries, self._scenario.workers
        if versions and versions[-1] != len(versions):
            ranks = {version: rank for rank, version in enumerate(versions, 1)}
            ranks[0] = 0
            index, sent, deliveries = (
                tuple(one._replace(version=ranks[one.version]) for one in group)
                for group in (state.index, state.sent, deliveries)
            )
            state = state._replace(index=index, sent=sent, deliveries=deliveries)
        if workers > 1:
            ordered = (*sorted(deliveries[:workers]), *deliveries[workers:])
            if ordered != deliveries:
                state = state._replace(deliveries=ordered)
        return state

    def problem(self, state: State) -> str | None:
        """What the product promises, and this state breaks."""
        for stored in state.index:
            for value in stored.contents:
                if value > 0 and state.transactions[value - 1] != COMMITTED:
                    return f"the index has a value of {value}, which is not committed"
        if self.quiescent(state):
            for document, stored in enumerate(state.index):
                contents = self._scenario.contents_of(state.rows, document)
                if stored.contents != contents:
                    return (
                        f"everything has ended, and document {document} is "
                        f"{stored.contents} in the index and {contents} in the primary"
                    )
        return None

    def quiescent(self, state: State) -> bool:
        """Whether everything is committed, delivered and arrived."""
        return (
            not state.outbox
            and not state.sent
            and not {IDLE, WRITTEN} & set(state.transactions)
            and self._deliveries.rest(state)
        )

    # --- the primary -------------------------------------------------------------

    def _transactions(self, state: State) -> Steps:
        for number, stage in enumerate(state.transactions):
            name = f"transaction {number + 1}"
            if stage == IDLE and not self._must_wait(state, number):
                yield name, "writes", self._enter(state, number, WRITTEN)
            elif stage == WRITTEN:
                after = self._enter(state, number, COMMITTED)
                yield (
                    name,
                    "commits",
                    after._replace(
                        rows=self._scenario.written(state.rows, number),
                        outbox=state.outbox | self._scenario.entries_of[number],
                    ),
                )
                yield name, "rolls back", self._enter(state, number, ROLLED_BACK)

    def _must_wait(self, state: State, number: int) -> bool:
        """Whether another transaction has locked a row that this one writes."""
        rows = set(self._scenario.transactions[number].rows)
        return any(
            stage == WRITTEN and rows & set(self._scenario.transactions[other].rows)
            for other, stage in enumerate(state.transactions)
        )

    def _enter(self, state: State, number: int, stage: int) -> State:
        return state._replace(transactions=put(state.transactions, number, stage))

    # --- the index ---------------------------------------------------------------

    def _arrivals(self, state: State) -> Steps:
        for write in state.sent:
            sent = tuple(other for other in state.sent if other != write)
            after = state._replace(sent=sent)
            name = f"version {write.version} of document {write.document}"
            stored = state.index[write.document]
            if self._scenario.rules.last_write_wins or write.version > stored.version:
                new = Stored(write.version, write.contents)
                index = put(state.index, write.document, new)
                yield name, "arrives", after._replace(index=index)
            else:
                yield name, "arrives, a conflict", after

    def _forgotten_tombstones(self, state: State) -> Steps:
        for document, stored in enumerate(state.index):
            if stored.contents or not stored.version:
                continue
            late = [one.version for one in state.sent if one.document == document]
            drawn = [one.version for one in state.deliveries if one.version]
            waits_for = {
                "early": [],
                "is under way": late,
                "is left": late + drawn,
            }[self._scenario.rules.forgets]
            if all(version > stored.version for version in waits_for):
                index = put(state.index, document, Stored(0, ()))
                what = f"forgets the tombstone of document {document}"
                yield "the index", what, state._replace(index=index)
