"""With entries in lists nothing is lost, and each rule of lists is needed."""

from __future__ import annotations

import pytest

from tests.model.explore import explore
from tests.model.lists import Lists, Rules


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize(
    ("workers", "refusals", "expiries"), [(1, 1, 1), (2, 0, 1), (2, 1, 0)]
)
def test_nothing_of_a_list_is_lost_in_any_order(limit, workers, refusals, expiries):
    found = explore(Lists(workers, limit, refusals=refusals, expiries=expiries))
    assert found.problem is None, found
    assert found.ends
    print(limit, workers, refusals, expiries, found)  # noqa: T201


@pytest.mark.parametrize("limit", [1, 2])
def test_nothing_of_a_list_is_lost_where_its_writer_delivers_it(limit):
    lists = Lists(1, limit, refusals=1, expiries=1, deliver_own=True)
    found = explore(lists)
    assert found.problem is None, found
    assert found.ends


@pytest.mark.parametrize(
    "rule",
    [
        "keeps_unconfirmed_whole",
        "shortening_confirms",
        "loses_what_has_changed",
        "adds_shortened_anew",
    ],
)
def test_each_rule_is_needed(rule):
    found = explore(Lists(1, 2, Rules(**{rule: False}), expiries=1))
    assert found.problem, rule
    assert "the index has" in found.problem, found
