"""What is wrong with a run, but for what is expected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.peers.sqlalchemy.expected import Expected, expectation
from tests.peers.sqlalchemy.records import Fault, Phase, Record

#: Of the tests that wrote entries or debts, the share that may end with a debt: what is
#: synchronised as a whole is right in any case, and shows nothing of how changes are
#: followed.
MOST_INDEBTED = 0.05

#: Of many tests, the share in which something was compared: less says little. Others
#: write nothing, or map nothing that has a table.
LEAST_COMPARED = 0.45
_MANY = 5000


class Kind(StrEnum):
    """What can be wrong with a test."""

    STATEMENTS = "assertions on statements fail"
    OURS = "the test fails in our code"
    FAILED = "the test fails elsewhere"
    DIFFERS = "the index differs from the rows"
    START = "start-up ends in an error that is no ConfigurationError"
    DELIVERY = "delivery fails"
    CLOSE = "closing fails"
    REFUSED = "documents are refused"
    HARNESS = "the test could not be followed"
    MISSING = "the test was not run"


_OF_PHASE = {
    Phase.START: Kind.START,
    Phase.DELIVERY: Kind.DELIVERY,
    Phase.CLOSE: Kind.CLOSE,
    Phase.HARNESS: Kind.HARNESS,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with a test.

    :attr group: what it has in common with others.
    :attr text: more of it.
    :attr expected: what is known of it.
    """

    kind: Kind
    test: str
    group: str
    text: str = ""
    expected: Expected | None = None


@dataclass(slots=True)
class Judgement:
    """What is to be said of a run.

    :attr database: that it had.
    :attr capture: that it had.
    """

    database: str
    capture: str
    records: Sequence[Record]
    baseline: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        for record in self.records:
            for kind, group, text in self._wrong_with(record):
                known = expectation(record.id, self.database, self.capture)
                self.problems.append(Problem(kind, record.id, group, text, known))
        missing = self.baseline.keys() - {record.id for record in self.records}
        self.problems += [Problem(Kind.MISSING, id_, "") for id_ in sorted(missing)]

    @property
    def unexpected(self) -> list[Problem]:
        """What should not be."""
        return [one for one in self.problems if one.expected is None]

    @property
    def debts(self) -> Counter[str]:
        """Debts by their reason."""
        found: Counter[str] = Counter()
        for record in self.records:
            for _, reason, number in record.debts:
                found[reason] += number
        return found

    @property
    def indebted(self) -> list[Record]:
        """The tests that ended with a debt."""
        return [record for record in self.records if record.debts]

    @property
    def is_indebted(self) -> bool:
        """Whether there are so many debts that the rest says little."""
        # Entries of those that embed relations are delivered by then.
        written = sum(
            bool(one.entries or one.debts or (one.embedded and one.rows))
            for one in self.records
        )
        return len(self.indebted) > MOST_INDEBTED * written

    @property
    def is_blind(self) -> bool:
        """Whether so little was compared that the rest says little."""
        compared = sum(bool(one.compared) for one in self.records)
        many = len(self.records)
        return many >= _MANY and compared < LEAST_COMPARED * many

    @property
    def passed(self) -> bool:
        """Whether all is as it should be."""
        return not (self.unexpected or self.is_indebted or self.is_blind)

    def _wrong_with(self, record: Record) -> Iterator[tuple[Kind, str, str]]:
        plainly = self.baseline.get(record.id, "unknown")
        if record.outcome != plainly and plainly not in ("failed", "unknown"):
            yield _outcome(record, plainly)
        for fault in record.faults:
            kind = _OF_PHASE[Phase(fault.phase)]
            yield kind, _place_of(fault), f"{fault.model} {fault.message}".strip()
        for one in record.differences:
            marks = [name for name in ("shared", "bare") if getattr(one, name)]
            group = " ".join([one.kind, *(f"({mark} table)" for mark in marks)])
            what = f"{one.model} {one.id} {one.field}".rstrip()
            yield Kind.DIFFERS, group, f"{what}: row {one.row}, document {one.document}"
        for model, id_, reason in record.undelivered:
            yield Kind.REFUSED, _without_numbers(reason), f"{model} {id_}"


def _outcome(record: Record, plainly: str) -> tuple[Kind, str, str]:
    failure = record.failure
    if failure is None:
        return Kind.FAILED, f"{plainly} plainly, {record.outcome} with us", ""
    kind = Kind.OURS if failure.ours else Kind.FAILED
    if failure.asserts_statements and failure.type == "AssertionError":
        kind = Kind.STATEMENTS
    return kind, _place_of(failure), failure.message


def _place_of(fault: Fault) -> str:
    return f"{fault.type} at {fault.ours[-1] if fault.ours else fault.place}"


def _without_numbers(text: str) -> str:
    return re.sub(r"\d+", "N", text)[:120]
