"""With the entry before the document nothing is lost, and each rule is needed."""

from __future__ import annotations

import pytest

from tests.model.entry_first import EntryFirst, Rules
from tests.model.explore import explore


@pytest.mark.parametrize(
    ("writers", "workers", "expiries"), [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 0)]
)
def test_nothing_is_lost_in_any_order(writers, workers, expiries):
    found = explore(EntryFirst(writers, workers, expiries=expiries))
    assert found.problem is None, found
    assert found.ends
    print(writers, workers, found)  # noqa: T201


@pytest.mark.parametrize(
    ("writers", "workers", "expiries"), [(1, 1, 1), (1, 2, 1), (2, 1, 0)]
)
def test_nothing_is_lost_where_writers_deliver_what_they_have_written(
    writers, workers, expiries
):
    found = explore(EntryFirst(writers, workers, expiries=expiries, deliver_own=True))
    assert found.problem is None, found
    assert found.ends


def test_a_writer_that_loads_before_it_writes_must_not_remove_its_entry():
    rules = Rules(own_after_write=False)
    found = explore(EntryFirst(1, 1, rules, deliver_own=True))
    assert "the index has" in (found.problem or ""), found


@pytest.mark.parametrize(
    "rule", ["entry_first", "keeps_unconfirmed", "removes_as_claimed", "adds_anew"]
)
def test_each_rule_is_needed(rule):
    found = explore(EntryFirst(2, 2, Rules(**{rule: False})))
    assert found.problem, rule
    assert "the index has" in found.problem, found
