"""Each fault alone, a few times; ``python -m chaos.faults`` does it 200 times."""

import os
import secrets

import pytest

from chaos import faults
from chaos.sql.trials import FAULTS

SEED = os.environ.get("NEFERTARI_TEST_SEED") or secrets.token_hex(4)


def test_no_fault_loses_a_document_or_makes_one_appear(
    postgresql_database_url, elasticsearch_url
):
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    rows = list(
        faults.run("postgresql", postgresql_database_url, elasticsearch_url, 2, SEED)
    )
    assert [row.fault for row in rows] == list(FAULTS)
    assert [(row.fault, row.difference.counts, row.waiting) for row in rows] == [
        (fault, (0, 0, 0), 0) for fault in FAULTS
    ]


@pytest.mark.parametrize("fault", ["server down during a commit"])
def test_what_a_fault_does_is_counted_when_nobody_mends_it(
    postgresql_database_url, elasticsearch_url, monkeypatch, fault
):
    monkeypatch.setattr(faults, "drain", lambda engines: None)
    (row,) = faults.run(
        "postgresql", postgresql_database_url, elasticsearch_url, 1, SEED, [fault]
    )
    # A new book, a deleted one, a changed one, and their author who shows them all.
    assert row.difference.counts == (1, 1, 2)
    assert row.waiting
    assert not row.passed
