"""What a run has shown, as text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from tests.peers.sqlalchemy.expected import EXPECTED, short
from tests.peers.sqlalchemy.judging import Judgement, Kind, Problem
from tests.peers.sqlalchemy.records import Record

#: How many tests of a group are named.
_NAMED = 4


def lines(judgement: Judgement, named: int = _NAMED) -> Iterator[str]:
    """The whole summary.

    :param named: how many tests of each group are named.
    """
    yield from _figures(judgement)
    yield from _uncompared(judgement.records)
    yield from _refusals(judgement.records)
    yield from _debts(judgement)
    for kind in Kind:
        problems = [one for one in judgement.unexpected if one.kind is kind]
        if problems:
            tests = len({one.test for one in problems})
            yield f"\n{kind.value}: {tests} tests"
            yield from _groups(problems, lambda one: one.group, named)
    yield from _expected(judgement)
    tests = len({one.test for one in judgement.unexpected})
    yield (
        "\nAll as expected."
        if judgement.passed
        else f"\n{tests} tests are not as expected."
    )


def _figures(judgement: Judgement) -> Iterator[str]:
    records = judgement.records
    plainly = Counter(judgement.baseline.values())
    yield f"without us: {_counted(plainly)}"
    yield f"with us:    {_counted(Counter(one.outcome for one in records))}"
    yield (
        f"models: {_sum(records, lambda one: one.offered)} mapped, "
        f"{_sum(records, lambda one: len(one.accepted))} with documents, "
        f"{_sum(records, lambda one: one.embedded)} relations embedded"
    )
    yield (
        f"compared: {_sum(records, lambda one: one.compared)} models, "
        f"{_sum(records, lambda one: one.rows)} rows, in "
        f"{sum(bool(one.compared) for one in records)} tests"
    )
    if judgement.is_blind:
        yield "  That is too little."
    yield (
        f"entries left at the end: "
        f"{_sum(records, lambda one: sum(one.entries.values()))}, in "
        f"{sum(bool(one.entries) for one in records)} tests; "
        f"sessions committed for the tests: {_sum(records, lambda one: one.committed)}"
    )
    yield (
        f"statements hidden from assertions: {_sum(records, lambda one: one.hidden)}, "
        f"in {sum(bool(one.hidden) for one in records)} tests"
    )


def _uncompared(records: Sequence[Record]) -> Iterator[str]:
    found = Counter(
        re.sub(r"^\w+: (\(\S+\) )?", "", reason)[:90]
        for record in records
        for reason in record.uncompared
    )
    yield f"\nnot compared: {found.total()}"
    yield from (f"  {number:6} {reason}" for reason, number in found.most_common(8))


def _refusals(records: Sequence[Record]) -> Iterator[str]:
    found: Counter[str] = Counter()
    for record in records:
        for reason, number in record.refusals.items():
            found[_kind_of_refusal(reason)] += number
    yield f"\nrefused at start-up, with a reason: {found.total()}"
    for reason, number in found.most_common(12):
        yield f"  {number:6} {reason}"


def _kind_of_refusal(reason: str) -> str:
    """The reason without names of models."""
    words = (word for word in reason.split() if "." not in word and "'" not in word)
    return " ".join(words)[:110]


def _debts(judgement: Judgement) -> Iterator[str]:
    debts = judgement.debts
    tests = [record.id for record in judgement.indebted]
    yield f"\nsynchronised again as a whole: {debts.total()} debts, {len(tests)} tests"
    for reason, number in debts.most_common(12):
        yield f"  {number:6} {reason}"
    yield from (f"         {short(test)}" for test in tests[:_NAMED])
    if judgement.is_indebted:
        yield "  These are too many."


def _groups(
    problems: Sequence[Problem], group_of: Callable[[Problem], str], named: int
) -> Iterator[str]:
    groups: dict[str, dict[str, Problem]] = defaultdict(dict)
    for one in problems:
        groups[group_of(one)].setdefault(one.test, one)
    for group, found in sorted(groups.items(), key=lambda item: -len(item[1])):
        yield f"  {len(found):4} {group}"
        for test, one in list(found.items())[:named]:
            text = " ".join(one.text.split())[:200]
            yield f"         {short(test)}" + (f": {text}" if text else "")


def _expected(judgement: Judgement) -> Iterator[str]:
    known = [one for one in judgement.problems if one.expected is not None]
    yield f"\nexpected: {len({one.test for one in known})} tests"
    for reason in dict.fromkeys(one.reason for one in EXPECTED):
        tests = {one.test for one in known if one.expected and _is(one, reason)}
        yield f"  {len(tests):4} {reason}"


def _is(problem: Problem, reason: str) -> bool:
    return problem.expected is not None and problem.expected.reason == reason


def _counted(outcomes: Counter[str]) -> str:
    words = (f"{number} {word}" for word, number in outcomes.most_common())
    return f"{outcomes.total()} tests: " + ", ".join(words)


def _sum(records: Sequence[Record], number_of: Callable[[Record], int]) -> int:
    return sum(map(number_of, records))
