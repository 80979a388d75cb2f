"""The application of the write path's tests, on every database.

A module with ``SESSION_ONLY``, names of tests, has its tests run with triggers as the
capture as well, on PostgreSQL, but for these: what they look at is how sessions do it.
"""

from contextlib import ExitStack

import pytest

from tests.application import Application
from tests.conftest import TRIGGERS
from tests.sync.models import declare

_DATABASES = ["sqlite", "postgresql"]


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc):
    only = getattr(metafunc.module, "SESSION_ONLY", None)
    own = metafunc.function.__name__
    if only is None or own in only or "capture" not in metafunc.fixturenames:
        return
    databases = [*_DATABASES, f"postgresql{TRIGGERS}"]
    # A mark takes the place of the fixture's own parameters.
    chosen = pytest.mark.parametrize("database_url", databases, indirect=True)
    metafunc.definition.add_marker(chosen)


@pytest.fixture
def capture(request):
    """The setting ``nefertari.capture``."""
    callspec = getattr(request.node, "callspec", None)
    name = callspec.params.get("database_url", "") if callspec else ""
    return "triggers" if name.endswith(TRIGGERS) else "session"


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix, capture):
    """Inline sync, SQLite and PostgreSQL in turn, with Elasticsearch."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__capture=capture,
    ).setup()  # fmt: skip
    yield app
    app.close()


@pytest.fixture
def worker_app(database_url, elasticsearch_url, index_prefix, capture):
    """As ``app``, but nothing is delivered until ``drain()``."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync="worker", nefertari__capture=capture,
    ).setup()  # fmt: skip
    yield app
    app.close()


@pytest.fixture
def make_on(elasticsearch_url, index_prefix):
    """Function that makes applications on databases of any URL, on one server."""
    with ExitStack() as stack:

        def make(url, configure=declare, **settings):
            app = Application(
                url, elasticsearch_url, index_prefix, configure, **settings
            )
            stack.callback(app.close)
            return app

        yield make


@pytest.fixture
def make_app(database_url, make_on):
    """Function that makes applications on one database and one server."""

    def make(configure=declare, **settings):
        return make_on(database_url, configure, **settings).setup()

    return make
