# ruff: noqa: D102 - the names of the tests are their sentences
"""The conformance suites of primary engines.

A package with an engine writes a kit, which is told of in :mod:`.primary_kit`, and runs
the suites from its own tests, with pytest::

    class TestMyEngine(PrimaryEngineSuite, TransactionalSuite, LeasingSuite, ...):
        @pytest.fixture
        def bench(self):
            with Bench(MyKit(...)) as bench:    # on a store with nothing in it
                yield bench

:class:`PrimaryEngineSuite` is for every engine. Of the other suites it takes those that
the engine's capabilities ask for, no more and no fewer; a test of
:class:`PrimaryEngineSuite` names what is wrong. Nothing is skipped, so what passes has
been tested. Every test is one sentence of what
:class:`~..interfaces.IPrimaryEngine` and :class:`~..interfaces.IOutbox` promise.
"""

from __future__ import annotations

from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_claiming import ClaimingSuite
from nefertari_engine_base.testing.primary_entry_first import EntryFirstSuite
from nefertari_engine_base.testing.primary_events import EventsSuite
from nefertari_engine_base.testing.primary_following import FollowingSuite
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.testing.primary_owing import OwingSuite
from nefertari_engine_base.testing.primary_reading import (
    NoRelatedSortSuite,
    ReadingSuite,
    RelatedSortSuite,
)
from nefertari_engine_base.testing.primary_refusing import RefusingSuite
from nefertari_engine_base.testing.primary_rolling import RollingSuite
from nefertari_engine_base.testing.primary_transactions import (
    LeasingSuite,
    LockingSuite,
    SavepointsSuite,
    TransactionalSuite,
)
from nefertari_engine_base.testing.primary_writing import WritingSuite
from nefertari_engine_base.values import Capability

__all__ = [
    "Bench",
    "PrimaryEngineSuite",
    "TransactionalSuite",
    "EntryFirstSuite",
    "SavepointsSuite",
    "LockingSuite",
    "LeasingSuite",
    "RelatedSortSuite",
    "NoRelatedSortSuite",
    "suites_of",
]

#: The suite of those that have a capability, and that of those that have not, if the
#: lack of it promises something as well.
SUITES: dict[Capability, tuple[type, type | None]] = {
    Capability.TRANSACTIONAL: (TransactionalSuite, EntryFirstSuite),
    Capability.SAVEPOINTS: (SavepointsSuite, None),
    Capability.SKIP_LOCKED: (LockingSuite, LeasingSuite),
    Capability.RELATED_SORT: (RelatedSortSuite, NoRelatedSortSuite),
}


def suites_of(capabilities: Capability) -> set[type]:
    """The suites that an engine passes beside :class:`PrimaryEngineSuite`."""
    chosen = {
        suites[0] if capability in capabilities else suites[1]
        for capability, suites in SUITES.items()
    }
    return {suite for suite in chosen if suite is not None}


class PrimaryEngineSuite(
    WritingSuite,
    FollowingSuite,
    EventsSuite,
    ClaimingSuite,
    RefusingSuite,
    OwingSuite,
    ReadingSuite,
    RollingSuite,
):
    """Subclass it and provide the fixture ``bench``; see the module."""

    def test_the_suites_that_are_run_are_those_of_the_engines_capabilities(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        assert set(SUITES) == set(Capability)
        known = {suite for pair in SUITES.values() for suite in pair if suite}
        run = {suite for suite in known if isinstance(self, suite)}
        assert run == suites_of(bench.primary.capabilities)
