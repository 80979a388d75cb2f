"""pytest's hooks: ``pytest -p tests.peers.sqlalchemy.plugin``.

SQLAlchemy's own plugin wants to be the first to import parts of SQLAlchemy, so that it
is imported when the first test begins.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.sqlalchemy.options import Options
from tests.peers.sqlalchemy.records import Fault, Phase, Record

_OPTIONS = Options.from_environment()
# Processes of xdist have a file each.
_RECORDS = Path(_OPTIONS.records + os.environ.get("PYTEST_XDIST_WORKER", ""))
_RECORD = pytest.StashKey[Record]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Make the record of a test, and write it down."""
    item.stash[_RECORD] = Record(id=item.nodeid)
    try:
        return (yield)
    finally:
        item.stash[_RECORD].append_to(_RECORDS)


@pytest.fixture(autouse=True)
def _prepared() -> None:
    """Before the test's own fixtures, since plugins come first."""
    from tests.peers.sqlalchemy.following import Following

    Following.of_process(_OPTIONS).prepare()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: Any) -> Iterator[None]:
    """Follow what the test does, between its fixtures."""
    from tests.peers.sqlalchemy.following import Following

    record = item.stash[_RECORD]
    following = Following.of_process(_OPTIONS)
    following.begin(item, record)
    passed = False
    try:
        result = yield
        passed = True
        return result
    finally:
        try:
            following.end(item, record, passed)
        except Exception as error:  # noqa: BLE001 - is reported with the others
            record.note(Phase.HARNESS, error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the outcome of a phase of the test."""
    report = yield
    record = item.stash[_RECORD]
    if report.outcome != "passed" and record.outcome != "failed":
        record.outcome = report.outcome
        if report.failed and call.excinfo is not None:
            record.failure = Fault.of(call.excinfo.value)
    return report
