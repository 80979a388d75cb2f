"""The tests of SQLAlchemy's that write most, with each capture switched on.

``make peers-sqlalchemy`` runs all of them, on every database.
"""

from __future__ import annotations

import pytest

from tests.peers.sqlalchemy.expected import EXPECTED, Expected, expectation, short
from tests.peers.sqlalchemy.interpreters import installed_version
from tests.peers.sqlalchemy.judging import Kind
from tests.peers.sqlalchemy.running import Bench
from tests.peers.sqlalchemy.runs import CAPTURES, Run
from tests.peers.sqlalchemy.selection import SHORT
from tests.peers.sqlalchemy.summary import lines


def run_of(
    *tests: str, mode: str = "flat", capture: str = "session", drops: bool = False
) -> Run:
    bench = Bench(installed_version(), "sqlite", shows_progress=False)
    return Run(bench=bench, tests=tests, mode=mode, capture=capture, drops=drops)


@pytest.mark.parametrize("capture", CAPTURES)
def test_what_passes_without_us_passes_with_us_and_is_in_the_index(capture):
    judgement = run_of(*SHORT, capture=capture).execute()
    assert judgement.passed, "\n".join(lines(judgement))


def test_relations_that_are_embedded_are_right_after_each_commit():
    judgement = run_of("test/orm/test_manytomany.py", mode="embedded").execute()
    assert sum(record.embedded for record in judgement.records)
    assert judgement.passed, "\n".join(lines(judgement))


def test_documents_that_are_not_written_are_noticed():
    judgement = run_of("test/orm/test_naturalpks.py", drops=True).execute()
    differing = [one for one in judgement.problems if one.kind is Kind.DIFFERS]
    assert len(differing) > 10


def test_what_is_expected_is_meant_on_each_database():
    id_ = "test/orm/test_x.py::SomeTest_postgresql+psycopg_15_18::test_a[b-c]"
    assert short(id_) == "test_x.py::SomeTest::test_a[b-c]"
    for name in ("test_x.py::SomeTest", "test_x.py::SomeTest::test_a", short(id_)):
        known = [Expected(name, "why not", database="postgresql")]
        assert expectation(id_, "postgresql", "session", known) is known[0]
        assert expectation(id_, "sqlite", "session", known) is None
    for name in ("test_x.py::Some", "test_x.py::SomeTest::test_b"):
        known = [Expected(name, "why not")]
        assert expectation(id_, "postgresql", "session", known) is None


@pytest.mark.parametrize("one", EXPECTED, ids=lambda one: one.name)
def test_what_is_expected_has_a_reason(one):
    assert len(one.reason) > 20
