"""Each fault alone, a few times; ``python -m chaos.faults`` does it 200 times."""

import os
import secrets

import pytest

from chaos import faults
from chaos.primaries import NAMES, primary_named

SEED = os.environ.get("NEFERTARI_TEST_SEED") or secrets.token_hex(4)


@pytest.fixture
def database_url_of(request):
    """Function from the name of a primary to the URL of an empty database."""
    return lambda primary: request.getfixturevalue(f"{primary}_database_url")


@pytest.mark.parametrize(("primary", "trials"), [("postgresql", 2), ("mongodb", 1)])
def test_no_fault_loses_a_document_or_makes_one_appear(
    primary, trials, database_url_of, elasticsearch_url
):
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    url = database_url_of(primary)
    rows = list(faults.run(primary, url, elasticsearch_url, trials, SEED))
    expected = primary_named(primary).faults
    assert [(row.fault, row.difference.counts, row.waiting) for row in rows] == [
        (fault, (0, 0, 0), 0) for fault in expected
    ]


@pytest.mark.parametrize(
    ("primary", "fault", "counts"),
    [
        # A new book, a deleted one, a changed one, and their author who shows them all.
        ("postgresql", "server down during a commit", (1, 1, 2)),
        ("mongodb", "server down during a write", (1, 1, 1)),
    ],
    ids=NAMES,
)
def test_what_a_fault_does_is_counted_when_nobody_mends_it(
    primary, fault, counts, database_url_of, elasticsearch_url, monkeypatch
):
    monkeypatch.setattr(faults, "drain", lambda engines: None)
    url = database_url_of(primary)
    (row,) = faults.run(primary, url, elasticsearch_url, 1, SEED, [fault])
    assert row.difference.counts == counts
    assert row.waiting
    assert not row.passed
