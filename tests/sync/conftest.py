"""The application of the write path's tests, on every database."""

import pytest

from tests.application import Application
from tests.sync.models import declare


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix):
    """Inline sync, SQLite and PostgreSQL in turn, with Elasticsearch."""
    app = Application(database_url, elasticsearch_url, index_prefix, declare).setup()
    yield app
    app.close()


@pytest.fixture
def worker_app(database_url, elasticsearch_url, index_prefix):
    """As ``app``, but nothing is delivered until ``drain()``."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare, nefertari__sync="worker"
    ).setup()
    yield app
    app.close()
