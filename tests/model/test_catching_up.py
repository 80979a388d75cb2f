"""A catch-up misses nothing, and each of its rules is needed."""

from __future__ import annotations

import pytest

from tests.model.catching_up import GONE, CatchingUp, Rules, Transaction
from tests.model.explore import explore

CHANGE = Transaction(2)
DELETE = Transaction(GONE)
SILENT_CHANGE = Transaction(3, suspended=True)
SILENT_DELETE = Transaction(GONE, suspended=True)
SILENT_RETURN = Transaction(4, suspended=True)

_STEPS = Rules().catch_up


def without(*steps):
    return tuple(step for step in _STEPS if step not in steps)


SCENARIOS = {
    "a change and a silent delete": ((CHANGE, SILENT_DELETE), {}),
    "a delete and a silent change": ((DELETE, SILENT_CHANGE), {}),
    "two silent ones": ((SILENT_CHANGE, SILENT_DELETE), {}),
    "a new row and a silent delete": ((CHANGE, SILENT_DELETE), {"row": GONE}),
    "a new row, a silent delete and two workers": (
        (CHANGE, SILENT_DELETE),
        {"row": GONE, "workers": 2},
    ),
    "a new row, a silent delete and a crash": (
        (CHANGE, SILENT_DELETE),
        {"row": GONE, "crashes": 1},
    ),
    "a new row and three": (
        (CHANGE, SILENT_DELETE, SILENT_RETURN),
        {"row": GONE, "crashes": 1},
    ),
    "three": ((CHANGE, SILENT_DELETE, SILENT_RETURN), {}),
    "two workers": ((CHANGE, SILENT_DELETE), {"workers": 2}),
    "a crash": ((CHANGE, SILENT_DELETE), {"crashes": 1}),
    "a crash of two silent ones": ((SILENT_CHANGE, SILENT_DELETE), {"crashes": 1}),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_missed_in_any_order(name):
    transactions, options = SCENARIOS[name]
    found = explore(CatchingUp(*transactions, **options))
    assert found.problem is None, found
    assert found.ends
    print(name, found)  # noqa: T201


BROKEN = {
    "deliveries that drew before the fence acknowledge": (
        Rules(acknowledges_fenced=True),
        (CHANGE, SILENT_DELETE),
        {"row": GONE},
    ),
    "the fence is stored after looking for documents without rows": (
        Rules((*without("fence", "settle"), "fence", "settle")),
        (CHANGE, SILENT_DELETE),
    ),
    "a dead catch-up's write arrives after the next one has looked": (
        Rules(survives=True),
        (CHANGE, SILENT_DELETE, SILENT_RETURN),
        {"row": GONE, "crashes": 1},
    ),
    "debts that were not read are settled": (
        Rules(settles_all=True),
        (SILENT_CHANGE, SILENT_DELETE),
    ),
    "debts are read last": (
        Rules((*without("read", "settle"), "read", "settle")),
        (SILENT_CHANGE, SILENT_DELETE),
    ),
    "nothing is removed": (
        Rules(("read", "fence", "list", "draw", "load", "write", "settle")),
        (SILENT_DELETE,),
    ),
    "rows are loaded before the draw": (
        Rules(
            (
                *("read", "fence", "list", "load", "draw", "write"),
                *("scan", "load", "draw", "remove", "settle"),
            )
        ),
        (SILENT_CHANGE, DELETE),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_without_a_rule_something_is_missed(name):
    rules, transactions, *options = BROKEN[name]
    found = explore(CatchingUp(*transactions, rules=rules, **dict(*options)))
    assert found.problem is not None
    print(name, found)  # noqa: T201
