"""Each primary engine passes the conformance suite, and those of its capabilities."""

from __future__ import annotations

import pytest

from nefertari_engine_base.testing.primary_claiming import ClaimingSuite
from nefertari_engine_base.testing.primary_events import EventsSuite
from nefertari_engine_base.testing.primary_following import FollowingSuite
from nefertari_engine_base.testing.primary_refusing import RefusingSuite
from nefertari_engine_base.testing.primary_suite import (
    EntryFirstSuite,
    LeasingSuite,
    LockingSuite,
    NoRelatedSortSuite,
    PrimaryEngineSuite,
    RelatedSortSuite,
    SavepointsSuite,
    TransactionalSuite,
)
from nefertari_engine_base.testing.primary_writing import WritingSuite


class TestSQLite(
    PrimaryEngineSuite,
    TransactionalSuite,
    SavepointsSuite,
    LeasingSuite,
    RelatedSortSuite,
):
    @pytest.fixture
    def bench(self, sqlite_bench):
        return sqlite_bench


class TestPostgreSQL(
    PrimaryEngineSuite,
    TransactionalSuite,
    SavepointsSuite,
    LockingSuite,
    RelatedSortSuite,
):
    @pytest.fixture
    def bench(self, postgresql_bench):
        return postgresql_bench


class TestMongoDB(
    PrimaryEngineSuite, EntryFirstSuite, LeasingSuite, NoRelatedSortSuite
):
    @pytest.fixture
    def bench(self, mongodb_bench):
        return mongodb_bench


class TestTriggers(
    WritingSuite,
    FollowingSuite,
    EventsSuite,
    ClaimingSuite,
    RefusingSuite,
    TransactionalSuite,
    SavepointsSuite,
):
    """What the capture has a part in, with triggers of PostgreSQL."""

    @pytest.fixture
    def bench(self, triggers_bench):
        return triggers_bench

    # Triggers write an entry for each statement and row: more than there have to be.
    test_a_document_has_one_entry_however_often_a_transaction_changes_it = None
    test_a_deleted_document_leaves_the_index = None
    test_a_statement_deletes_what_it_finds = None
    # They do not know that sync is suspended.
    test_a_debt_is_rolled_back_with_its_transaction = None
    # Statements are not looked at, and so not told of.
    test_one_statement_is_announced_by_one_event_of_all_that_it_changes = None
    test_a_subscriber_may_veto_each_kind_of_write_and_nothing_is_written = None
    test_after_the_commit_its_changes_are_announced_once = None
