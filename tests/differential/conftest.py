"""Empty databases, many and fast, and the process that knows nothing of us."""

import itertools
from contextlib import contextmanager

import pytest

from tests.conftest import empty_database
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
    """Function that gives an empty database for a while."""
    if kind == "postgresql":
        return lambda: empty_database(kind, server_of, tmp_path_factory)
    folder, numbers = tmp_path_factory.mktemp("differential"), itertools.count()

    @contextmanager
    def empty():
        path = folder / f"{next(numbers)}.sqlite"
        try:
            yield f"sqlite:///{path}"
        finally:
            for one in folder.glob(f"{path.name}*"):
                one.unlink()

    return empty
