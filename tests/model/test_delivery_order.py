"""The order of a delivery's steps is right, and each other order is wrong.

No server takes part: a small model is explored, as far as it goes or by chance. The
random test prints its seed, which the environment variable ``NEFERTARI_TEST_SEED``
sets again.
"""

from __future__ import annotations

import gc
import os
import random
import secrets
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from tests.model.explore import explore, walk
from tests.model.parts import Rules, Scenario, State, Transaction
from tests.model.system import WritePath

SEED = os.environ.get("NEFERTARI_TEST_SEED") or secrets.token_hex(4)

#: A document of a row of its own and a row that it embeds, as a movie its director.
MOVIE = ((0, 1),)

#: The same, and the embedded row is a document by itself.
MOVIE_AND_DIRECTOR = ((0, 1), (1,))

CHANGE = Transaction(changes=(0,))
CHANGE_EMBEDDED = Transaction(changes=(1,))
DELETE = Transaction(deletes=(0,))
INLINE_CHANGE = replace(CHANGE, inline=True)
INLINE_DELETE = replace(DELETE, inline=True)
OUTER_CHANGE = replace(INLINE_CHANGE, outer=True)

LEASES = Rules(leases=True)


def tell(what: object) -> None:
    """Print what ``pytest -rP`` shows of a test that passes."""
    print(what)  # noqa: T201


@pytest.fixture(autouse=True, scope="module")
def no_garbage_collection():
    """States have no cycles, and looking for some takes a fifth of the time."""
    gc.disable()
    yield
    gc.enable()


# --- the product's order ---------------------------------------------------------


class Explored(NamedTuple):
    """A scenario, and how many states it was measured to have."""

    states: int
    scenario: Scenario


RIGHT = {
    "three transactions, two workers": Explored(
        37_558,
        Scenario(MOVIE, (CHANGE, CHANGE_EMBEDDED, DELETE), workers=2),
    ),
    "two workers that die twice": Explored(
        4_730, Scenario(MOVIE, (CHANGE, DELETE), workers=2, crashes=2)
    ),
    "a row that comes, goes and comes again": Explored(
        6_740,
        Scenario(MOVIE, (CHANGE, DELETE, CHANGE), workers=2, crashes=0, absent=(0,)),
    ),
    "an own claim, two workers": Explored(
        2_665,
        Scenario(MOVIE, (INLINE_CHANGE, CHANGE_EMBEDDED), workers=2, crashes=0),
    ),
    "an own claim, a worker": Explored(7_756, Scenario(MOVIE, (INLINE_CHANGE, DELETE))),
    "two own claims, a worker": Explored(
        20_502, Scenario(MOVIE, (INLINE_CHANGE, INLINE_DELETE), crashes=0)
    ),
    "an own claim in an outer transaction": Explored(
        15_591, Scenario(MOVIE, (OUTER_CHANGE, DELETE))
    ),
    "leases that end too early": Explored(
        22_138, Scenario(MOVIE, (CHANGE, DELETE), 2, early_ends=1, rules=LEASES)
    ),
    "leases and an own claim": Explored(
        25_803, Scenario(MOVIE, (INLINE_CHANGE, DELETE), early_ends=1, rules=LEASES)
    ),
    "leases and an own claim in an outer transaction": Explored(
        5_019,
        Scenario(MOVIE, (OUTER_CHANGE, DELETE), crashes=0, early_ends=1, rules=LEASES),
    ),
    "two documents, each row read by a statement": Explored(
        23_046,
        Scenario(
            MOVIE_AND_DIRECTOR,
            (CHANGE_EMBEDDED, DELETE),
            workers=2,
            rules=Rules(statement_per_row=True),
        ),
    ),
    "tombstones that are forgotten late enough": Explored(
        8_607,
        Scenario(MOVIE, (INLINE_CHANGE, DELETE), rules=Rules(forgets="is left")),
    ),
}


@pytest.mark.parametrize(("states", "scenario"), RIGHT.values(), ids=list(RIGHT))
def test_no_interleaving_leaves_the_index_behind_the_primary(states, scenario):
    exploration = explore(WritePath(scenario))
    tell(exploration)
    assert exploration.problem is None, str(exploration)
    assert exploration.ends
    # A model that lost some of its steps would pass as well.
    assert exploration.states == states


# --- other orders and rules ------------------------------------------------------


def worker(*steps: str) -> Rules:
    return Rules(worker=steps)


def own(*steps: str) -> Rules:
    return Rules(own=steps)


TWO_WORKERS = Scenario(MOVIE, (CHANGE, CHANGE_EMBEDDED), workers=2)
WITH_DELETE = Scenario(MOVIE, (CHANGE, DELETE), workers=2)
OWN_CLAIM = Scenario(MOVIE, (INLINE_CHANGE, CHANGE_EMBEDDED))
OUTER = Scenario(MOVIE, (OUTER_CHANGE, CHANGE_EMBEDDED))


class Wrong(NamedTuple):
    """Rules that are not the product's, and where they are found out."""

    scenario: Scenario
    rules: Rules
    #: How many steps it takes at least to show it.
    steps: int
    problem: str = "everything has ended, and document 0 is"


WRONG = {
    "draw before claim": Wrong(
        TWO_WORKERS, worker("draw", "claim", "load", "write", "acknowledge"), 16
    ),
    "load before draw": Wrong(
        TWO_WORKERS, worker("claim", "load", "draw", "write", "acknowledge"), 16
    ),
    "acknowledge before write": Wrong(
        TWO_WORKERS, worker("claim", "draw", "load", "acknowledge", "write"), 9
    ),
    "constant version": Wrong(TWO_WORKERS, Rules(constant_version=True), 16),
    "last write wins": Wrong(TWO_WORKERS, Rules(last_write_wins=True), 16),
    "own claim draws before its commit": Wrong(
        OWN_CLAIM, own("draw", "see", "load", "write", "acknowledge"), 16
    ),
    "own claim loads before it draws": Wrong(
        OWN_CLAIM, own("see", "load", "draw", "write", "acknowledge"), 16
    ),
    "own claim acknowledges before it writes": Wrong(
        OWN_CLAIM, own("see", "draw", "load", "acknowledge", "write"), 9
    ),
    "own claim acknowledges what it did not see": Wrong(
        OUTER, Rules(acknowledges_unseen=True), 10
    ),
    "own claim draws before it sees, in an outer transaction": Wrong(
        OUTER, own("draw", "see", "load", "write", "acknowledge"), 16
    ),
    "tombstones forgotten before a late write": Wrong(
        WITH_DELETE, Rules(forgets="early"), 17
    ),
    "tombstones forgotten before what is loaded is sent": Wrong(
        WITH_DELETE, Rules(forgets="is under way"), 17
    ),
    "leases, and load before draw": Wrong(
        TWO_WORKERS,
        replace(worker("claim", "load", "draw", "write", "acknowledge"), leases=True),
        16,
    ),
    "loading what is not committed": Wrong(
        TWO_WORKERS,
        Rules(reads_uncommitted=True),
        8,
        "the index has a value of 2, which is not committed",
    ),
}


@pytest.mark.parametrize(
    ("scenario", "rules", "steps", "problem"), WRONG.values(), ids=list(WRONG)
)
def test_wrong_rules_are_found_out(scenario, rules, steps, problem):
    exploration = explore(WritePath(replace(scenario, rules=rules)))
    tell(exploration)
    assert exploration.problem is not None, f"nothing found in {exploration}"
    assert exploration.problem.startswith(problem)
    assert len(exploration.trace) == steps


def test_an_own_claim_that_follows_a_commit_knows_that_it_sees_all():
    """What makes acknowledging the unseen wrong is the outer transaction alone."""
    rules = Rules(acknowledges_unseen=True)
    exploration = explore(WritePath(replace(OWN_CLAIM, rules=rules)))
    assert exploration.problem is None, str(exploration)


class Recording(WritePath):
    """Notes how everything can end, right or wrong."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.ends: set[tuple] = set()

    def problem(self, state: State) -> None:
        if self.quiescent(state):
            contents = tuple(stored.contents for stored in state.index)
            self.ends.add((state.rows, contents))


class Unreduced(Recording):
    """Takes no two states for the same."""

    def canonical(self, state: State) -> State:
        return state


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(last_write_wins=True),
        worker("draw", "claim", "load", "write", "acknowledge"),
        worker("claim", "load", "draw", "write", "acknowledge"),
    ],
)
def test_states_that_are_taken_for_the_same_end_alike(rules):
    scenario = replace(WITH_DELETE, rules=rules)
    reduced, unreduced = Recording(scenario), Unreduced(scenario)
    assert explore(reduced).states < explore(unreduced).states
    assert reduced.ends == unreduced.ends


# --- larger scenarios, by chance -------------------------------------------------

#: Two movies of one director, who is a document by itself.
DOCUMENTS = ((0, 1), (2, 1), (1,))

WALKS = 200


def random_scenario(chance: random.Random, **rules: Any) -> Scenario:
    """A few transactions and workers, and much that goes wrong."""
    leases = chance.random() < 0.3
    return Scenario(
        DOCUMENTS,
        tuple(random_transaction(chance) for _ in range(chance.randrange(2, 6))),
        workers=chance.randrange(1, 4),
        crashes=chance.choice([0, 1, 4]),
        early_ends=3 * leases,
        absent=tuple(chance.sample(range(3), chance.randrange(3))),
        rules=Rules(
            leases=leases,
            statement_per_row=chance.random() < 0.5,
            forgets=rules.pop("forgets", chance.choice(["never", "is left"])),
            **rules,
        ),
    )


def random_transaction(chance: random.Random) -> Transaction:
    row = chance.randrange(3)
    deletes = chance.random() < 0.3
    return Transaction(
        changes=() if deletes else (row,),
        deletes=(row,) if deletes else (),
        inline=chance.random() < 0.5,
        outer=chance.random() < 0.3,
    )


def test_no_random_run_leaves_the_index_behind_the_primary():
    tell(f"NEFERTARI_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    states = 0
    for number in range(WALKS):
        scenario = random_scenario(chance)
        run = walk(WritePath(scenario), chance)
        assert run.problem is None, f"seed {SEED}, run {number}, {scenario}: {run}"
        states += run.states
    tell(f"{WALKS} runs, {states:,} states")


@pytest.mark.parametrize("name", ["draw before claim", "acknowledge before write"])
def test_random_runs_find_wrong_rules(name):
    chance = random.Random(1)
    order = WRONG[name].rules.worker
    runs = (
        walk(WritePath(random_scenario(chance, worker=order)), chance)
        for _ in range(WALKS)
    )
    found = next((run for run in runs if run.problem), None)
    assert found is not None
    tell(found)
