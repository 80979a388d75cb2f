"""What a run with documents says, beside one without."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.peers.mongoengine.runs import Record, Run

_KNOWN = Path(__file__).with_name("known.toml")


class Known:
    """Tests that are not what they are without documents, each with its reason.

    :param entries: of ``known.toml``.
    """

    def __init__(self, entries: list[dict]) -> None:
        self._reasons = {
            (mode, test): entry["reason"]
            for entry in entries
            for mode in entry["modes"]
            for test in entry["tests"]
        }

    @classmethod
    def read(cls) -> Known:
        return cls(tomllib.loads(_KNOWN.read_text())["known"])

    def reason(self, mode: str, test: str) -> str | None:
        return self._reasons.get((mode, test))

    def outdated(self, run: Run) -> list[str]:
        """Tests of this run that are listed, and as they are without documents."""
        return [
            test
            for mode, test in self._reasons
            if mode == run.mode and test in run.records and not run.records[test].error
        ]


def complaints(plain: Run, run: Run, known: Known) -> Iterator[str]:
    """What is wrong, and listed nowhere: one sentence for each test."""
    for test, record in run.records.items():
        if known.reason(run.mode, test) is None:
            for what in _wrong(plain.records.get(test), record):
                yield f"{run.mode}: {test}: {what}"
    for test in plain.records.keys() - run.records.keys():
        yield f"{run.mode}: {test} was not run"


def _wrong(plain: Record | None, record: Record) -> Iterator[str]:
    passes = plain is not None and plain.outcome == "passed"
    if passes and record.outcome != "passed":
        yield f"passes without documents, and not with them: {record.error}"
    yield from record.differences
    yield from record.problems


def figures(plain: Run, run: Run) -> str:
    """The run in two lines."""
    better = sum(
        record.outcome == "passed" and plain.records[test].outcome == "failed"
        for test, record in run.records.items()
        if test in plain.records
    )
    return (
        f"{run.mode}: {run.count('passed')} passed, {run.count('failed')} failed "
        f"({plain.count('failed')} without documents, {better} of which pass here), "
        f"{run.count('skipped')} skipped;\n  {run.total('models')} classes, "
        f"{run.total('refused')} fields or classes refused at start-up, "
        f"{run.total('documents')} documents compared, {run.total('unseen')} models "
        f"written past, {run.total('differences')} differences"
    )
