"""Versions that a restored primary has not drawn supersede nothing (R4)."""

from __future__ import annotations

import pytest

from tests.model.explore import explore
from tests.model.set_back import Restored

RIGHT = {
    "one worker": Restored(workers=1),
    "two workers": Restored(commits=2, others=1),
    "two workers, more draws of others": Restored(commits=1, others=3),
}


@pytest.mark.parametrize("system", RIGHT.values(), ids=list(RIGHT))
def test_what_is_superseded_is_written_again_until_it_arrives(system):
    exploration = explore(system)
    print(exploration)  # noqa: T201 - what was seen
    assert exploration.problem is None, str(exploration)
    assert exploration.ends


def test_a_conflict_that_counts_as_written_leaves_what_was_there_before_the_restore():
    exploration = explore(Restored(superseded="done"))
    assert exploration.problem is not None


def test_a_version_that_others_may_have_drawn_meanwhile_proves_nothing():
    """The number that the index has is drawn again, for another document."""
    exploration = explore(Restored(superseded="judged"))
    assert exploration.problem is not None
