"""Every interleaving of a system's steps, or a random one.

A system is what :class:`System` says: states and the steps that lead from each to the
next. The search is breadth-first, so the trace of what it finds is a shortest one.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, Protocol

UNENDED = "nothing can happen, but not everything has ended"

#: How likely a priority changes with a step of a random run.
CHANGE_OF_PRIORITY = 0.25


class System(Protocol):
    """Something whose states can be enumerated."""

    def initial(self) -> Any:
        """The state in which every run begins."""

    def steps(self, state: Any) -> Iterable[tuple[str, str, Any]]:
        """What can happen next: who does what, and the state after it."""

    def canonical(self, state: Any) -> Hashable:
        """The same for states that differ in nothing that can be observed."""

    def problem(self, state: Any) -> str | None:
        """What is wrong with a state."""

    def quiescent(self, state: Any) -> bool:
        """Whether everything that was begun has come to its end."""


class Exploration(NamedTuple):
    """What a search has seen."""

    states: int
    ends: int
    problem: str | None = None
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        seen = f"{self.states:,} states, {self.ends:,} of them ends"
        if self.problem is None:
            return seen
        lines = [f"{seen}; {self.problem}, after {len(self.trace)} steps:"]
        lines += [f"  {number:2}. {step}" for number, step in enumerate(self.trace, 1)]
        return "\n".join(lines)


def explore(system: System) -> Exploration:
    """Visit every state that can be reached, until one of them has a problem."""
    initial = system.initial()
    first = system.canonical(initial)
    reached_by: dict[Hashable, tuple[Hashable, str] | None] = {first: None}
    frontier = [(first, initial)]
    ends = 0
    while frontier:
        following = []
        for key, state in frontier:
            problem = system.problem(state)
            successors = () if problem else tuple(system.steps(state))
            if system.quiescent(state):
                ends += 1
            elif not successors and not problem:
                problem = UNENDED
            if problem:
                trace = _trace(reached_by, key)
                return Exploration(len(reached_by), ends, problem, trace)
            for who, what, successor in successors:
                successor_key = system.canonical(successor)
                if successor_key not in reached_by:
                    reached_by[successor_key] = key, f"{who} {what}"
                    following.append((successor_key, successor))
        frontier = following
    return Exploration(len(reached_by), ends)


def _trace(
    reached_by: dict[Hashable, tuple[Hashable, str] | None], key: Hashable
) -> tuple[str, ...]:
    labels = []
    while (step := reached_by[key]) is not None:
        key, label = step
        labels.append(label)
    return tuple(reversed(labels))


def walk(system: System, chance: random.Random) -> Exploration:
    """Take one step after the other by chance, until nothing can happen any more.

    Of all who can act it is the one of the highest priority; priorities are random,
    and change now and then. So somebody may sleep while others do a lot, which is when
    errors of order show: S. Burckhardt et al., "A Randomized Scheduler with
    Probabilistic Guarantees of Finding Bugs", 2010.
    """
    state = system.initial()
    priorities: dict[str, float] = {}
    labels: list[str] = []
    ends = 0
    while True:
        successors = tuple(system.steps(state))
        quiescent = system.quiescent(state)
        ends += quiescent
        problem = system.problem(state)
        if not successors and not quiescent:
            problem = problem or UNENDED
        if problem or not successors:
            return Exploration(len(labels) + 1, ends, problem, tuple(labels))
        actors = {who for who, _, _ in successors}
        for who in sorted(actors - priorities.keys()):
            priorities[who] = chance.random()
        actor = max(actors, key=priorities.__getitem__)
        if chance.random() < CHANGE_OF_PRIORITY:
            priorities[actor] = chance.random()
        what, state = chance.choice(
            [(what, after) for who, what, after in successors if who == actor]
        )
        labels.append(f"{actor} {what}")
