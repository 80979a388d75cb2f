"""The search visits every state once, and finds the shortest way to a problem."""

from __future__ import annotations

import random

from tests.model.explore import UNENDED, explore, walk


class Counters:
    """Counters that each go up to a limit, one step at a time."""

    def __init__(self, count: int, limit: int, wrong=None, end=None) -> None:
        self._count = count
        self._limit = limit
        self._wrong = wrong
        self._end = end or (limit,) * count

    def initial(self):
        return (0,) * self._count

    def steps(self, state):
        for number, value in enumerate(state):
            if value < self._limit:
                after = (*state[:number], value + 1, *state[number + 1 :])
                yield f"counter {number}", "goes up", after

    def canonical(self, state):
        return state

    def problem(self, state):
        return "wrong" if state == self._wrong else None

    def quiescent(self, state):
        return state == self._end


def test_every_state_is_visited_once():
    exploration = explore(Counters(3, 4))
    assert exploration.problem is None
    assert (exploration.states, exploration.ends) == (5**3, 1)


def test_states_that_are_the_same_are_visited_once():
    counters = Counters(2, 4)
    counters.canonical = lambda state: tuple(sorted(state))
    assert explore(counters).states == 5 * 6 / 2


def test_the_trace_is_a_shortest_one():
    exploration = explore(Counters(2, 4, wrong=(0, 2)))
    assert exploration.problem == "wrong"
    assert exploration.trace == ("counter 1 goes up",) * 2


def test_an_end_that_is_none_is_a_problem():
    exploration = explore(Counters(2, 2, end=(9, 9)))
    assert exploration.problem == UNENDED
    assert len(exploration.trace) == 4


def test_a_random_run_goes_to_the_end():
    run = walk(Counters(2, 3), random.Random(1))
    assert run.problem is None
    assert (run.states, run.ends, len(run.trace)) == (7, 1, 6)


def test_a_random_run_stops_at_a_problem():
    run = walk(Counters(1, 3, wrong=(2,)), random.Random(1))
    assert run.problem == "wrong"
    assert len(run.trace) == 2
