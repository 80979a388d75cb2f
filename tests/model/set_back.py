"""A model of a primary that was restored: an index whose versions it has not drawn.

One document, and any number of workers that deliver it. The index begins with a version
of the time before the restore, which the primary is going to draw again, and one write
of that time is still under way. Another delivery draws versions for documents of its
own. What is told apart is what a worker does when its write is superseded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

#: Contents of the time before the restore.
FOREIGN = -1

#: How far versions move ahead: beyond whatever was drawn before the restore.
JUMP = 5


class Worker(NamedTuple):
    """Where a delivery is: idle, drawn, loaded, sent, written or superseded.

    :attr seen: the version that superseded its write.
    """

    stage: str = "idle"
    claimed: int = 0
    version: int = 0
    loaded: int = 0
    seen: int = 0


class State(NamedTuple):
    """The row is the number of commits; an entry for each that is not acknowledged."""

    row: int
    entries: frozenset[int]
    counter: int
    others: int
    index: tuple[int, int]
    sent: frozenset[tuple[int, int]]
    workers: tuple[Worker, ...]


Steps = Iterator[tuple[str, str, State]]


@dataclass(frozen=True)
class Restored:
    """The system.

    :attr superseded: what a worker does then: ``done`` counts it as written; ``judged``
        counts it as written if a version that is drawn afterwards is above; ``again``
        draws, loads and writes once more.
    :attr commits: how many there will be.
    :attr others: versions that are drawn for other documents.
    """

    superseded: str = "again"
    commits: int = 2
    workers: int = 2
    others: int = 1

    def initial(self) -> State:
        """The row is as in the backup; the index is newer."""
        return State(
            row=0,
            entries=frozenset({0}),
            counter=0,
            others=self.others,
            index=(2, FOREIGN),
            sent=frozenset({(4, FOREIGN)}),
            workers=(Worker(),) * self.workers,
        )

    def canonical(self, state: State) -> State:
        """Workers are all alike."""
        return state._replace(workers=tuple(sorted(state.workers)))

    def steps(self, state: State) -> Steps:
        """What can happen next."""
        if state.row < self.commits:
            number = state.row + 1
            entries = state.entries | {number}
            yield "somebody", "commits", state._replace(row=number, entries=entries)
        if state.others:
            after = state._replace(counter=state.counter + 1, others=state.others - 1)
            yield "another delivery", f"draws {after.counter}", after
        for write in state.sent:
            after = state._replace(sent=state.sent - {write})
            if write[0] > state.index[0]:
                after = after._replace(index=write)
            yield f"version {write[0]}", "arrives late", after
        for number, worker in enumerate(state.workers):
            for what, after in self._work(state, number, worker):
                yield f"worker {number}", what, after

    def _work(
        self, state: State, number: int, worker: Worker
    ) -> Iterator[tuple[str, State]]:
        def go(stage: str, state: State = state, **new: int) -> State:
            workers = list(state.workers)
            workers[number] = worker._replace(stage=stage, **new)
            return state._replace(workers=tuple(workers))

        if worker.stage == "idle":
            held = {one.claimed for one in state.workers if one.stage != "idle"}
            for entry in state.entries - held:
                yield f"claims {entry}", go("claimed", claimed=entry)
        elif worker.stage == "claimed":
            version = state.counter + 1
            drawn = state._replace(counter=version)
            yield f"draws {version}", go("drawn", drawn, version=version)
        elif worker.stage == "drawn":
            yield f"loads {state.row}", go("loaded", loaded=state.row)
        elif worker.stage == "loaded":
            there = state.index[0]
            if worker.version > there:
                stored = state._replace(index=(worker.version, worker.loaded))
                yield f"writes version {worker.version}", go("written", stored)
            else:
                yield f"is superseded by {there}", go("superseded", seen=there)
        elif worker.stage == "superseded":
            yield from self._superseded(state, worker, go)
        else:
            left = state._replace(entries=state.entries - {worker.claimed})
            workers = list(left.workers)
            workers[number] = Worker()
            yield "acknowledges", left._replace(workers=tuple(workers))

    def _superseded(
        self, state: State, worker: Worker, go: object
    ) -> Iterator[tuple[str, State]]:
        assert callable(go)
        if self.superseded == "done":
            yield "takes that for written", go("written")
            return
        version = state.counter + 1
        drawn = state._replace(counter=version)
        if version <= worker.seen:
            ahead = state._replace(counter=worker.seen + JUMP)
            yield "moves ahead", go("claimed", ahead)
        elif self.superseded == "judged":
            yield f"draws {version}, and takes it for written", go("written", drawn)
        else:
            yield f"draws {version}, and begins again", go("claimed", drawn)

    def problem(self, state: State) -> str | None:
        """What the product promises, and this state breaks."""
        if self.quiescent(state) and state.index[1] != state.row:
            return f"the row is {state.row}, and the index has {state.index[1]}"
        return None

    def quiescent(self, state: State) -> bool:
        """Whether everything is committed, delivered and arrived."""
        return (
            state.row == self.commits
            and not state.entries
            and not state.sent
            and not state.others
            and all(worker.stage == "idle" for worker in state.workers)
        )
