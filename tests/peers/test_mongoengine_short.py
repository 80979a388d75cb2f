"""A part of MongoEngine's own tests passes as ever where its classes have documents.

``make peers-mongoengine`` runs all that are to be had.
"""

from __future__ import annotations

import pytest

from tests.peers.mongoengine import source
from tests.peers.mongoengine.runs import INLINE, PLAIN, WORKER, Run
from tests.peers.mongoengine.verdict import Known, complaints

for _needed in ("blinker", "PIL"):
    pytest.importorskip(_needed)

#: They write most for their time, and are in the source distribution.
_SHORT = ["tests/test_dereference.py", "tests/test_signals.py"]


@pytest.fixture(scope="module")
def run(mongodb_url):
    """Function that runs them in a mode."""
    base = source.folder()

    def make(mode, **options):
        return Run.of(mode, base, _SHORT, url=mongodb_url, **options)

    return make


@pytest.fixture(scope="module")
def plain(run):
    """The run without documents."""
    plain = run(PLAIN)
    assert plain.count("passed") > 30
    return plain


@pytest.mark.parametrize("mode", [WORKER, INLINE])
def test_tests_of_mongoengine_pass_with_documents_which_are_what_is_stored(
    run, plain, mode
):
    found = run(mode)
    assert list(complaints(plain, found, Known.read())) == []
    assert found.total("models") > 50
    assert found.total("documents") > 100


def test_an_entry_that_is_lost_is_noticed(run):
    assert run(WORKER, loses=True).total("differences") > 50
