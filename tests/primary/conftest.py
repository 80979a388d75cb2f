"""The bench of each primary engine, on a store with nothing in it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from nefertari_engine_base.testing.primary_bench import Bench
from tests.conftest import empty_database
from tests.mongo.conftest import empty_mongodb
from tests.primary.mongo_kit import MongoKit
from tests.primary.sql_kit import PostgreSQLKit, SQLKit


@pytest.fixture(scope="session")
def kit_of(server_of, tmp_path_factory):
    """Context manager from the name of a database to a kit on an empty one."""

    @contextmanager
    def make(name, **options):
        if name == "mongodb":
            with empty_mongodb(server_of(name).url):
                yield MongoKit()
        else:
            with empty_database(name, server_of, tmp_path_factory) as url:
                yield (SQLKit if name == "sqlite" else PostgreSQLKit)(url, **options)

    return make


@pytest.fixture
def sqlite_bench(kit_of):
    with kit_of("sqlite") as kit, Bench(kit) as bench:
        yield bench


@pytest.fixture
def postgresql_bench(kit_of):
    with kit_of("postgresql") as kit, Bench(kit) as bench:
        yield bench


@pytest.fixture
def triggers_bench(kit_of):
    with kit_of("postgresql", capture="triggers") as kit, Bench(kit) as bench:
        yield bench


@pytest.fixture
def mongodb_bench(kit_of):
    with kit_of("mongodb") as kit, Bench(kit) as bench:
        yield bench
