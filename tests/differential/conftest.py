"""Databases, and the process that knows nothing of us."""

import pytest

from tests.differential.databases import Databases
from tests.differential.without_us import Plain


@pytest.fixture(scope="package")
def plain():
    """A process that plays programs without us."""
    process = Plain()
    yield process
    process.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    """The kind of database."""
    return request.param


@pytest.fixture
def databases(kind, server_of, tmp_path_factory):
    """Empty databases."""
    databases = Databases(kind, server_of, tmp_path_factory)
    yield databases
    databases.close()
