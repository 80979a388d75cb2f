"""Each primary engine passes the conformance suite, and those of its capabilities."""

from __future__ import annotations

import pytest

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
