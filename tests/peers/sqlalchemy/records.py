"""What is written down of each test: one line of JSON."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

#: The folder of the package that is tried out.
PACKAGE = "nefertari_engine_base"


class Phase(StrEnum):
    """What was done when something went wrong that the test itself does not show."""

    START = "start-up"
    DELIVERY = "delivery"
    CLOSE = "close"
    #: Of these tests of tests.
    HARNESS = "harness"


@dataclass(slots=True, kw_only=True)
class Fault:
    """An exception.

    :attr ours: frames of the package, ``file:line function``, the innermost last.
    :attr place: the innermost frame of all.
    :attr test: the line of the test.
    :attr asserts_statements: SQLAlchemy's assertions on statements raised it.
    :attr phase: for those that the test itself does not show.
    """

    type: str
    message: str
    ours: list[str]
    place: str
    test: str = ""
    asserts_statements: bool = False
    phase: str = ""
    model: str = ""

    @classmethod
    def of(cls, error: BaseException, **more: Any) -> Fault:
        """What is worth knowing of an exception and its causes."""
        frames = [frame for one in _chain(error) for frame in _frames(one)]
        ours = [_named(frame) for frame in frames if f"/{PACKAGE}/" in frame.filename]
        tests = [frame for frame in _frames(error) if "/test/" in frame.filename]
        return cls(
            type=type(error).__qualname__,
            message=str(error)[:1500],
            ours=ours[-6:],
            place=_named(frames[-1]) if frames else "",
            test=_named(tests[-1]) if tests else "",
            asserts_statements=any("assertsql.py" in one.filename for one in frames),
            **more,
        )


@dataclass(slots=True, kw_only=True)
class Difference:
    """A document that is not what its row says.

    :attr kind: ``lost``, ``ghost``, ``stale``, or ``stale embedded``.
    :attr shared: another class that is no relative is mapped to one of its tables.
    :attr bare: a connection that no session had, or a text, wrote to its tables.
    """

    kind: str
    model: str
    id: str
    field: str = ""
    row: str = ""
    document: str = ""
    shared: bool = False
    bare: bool = False


@dataclass(slots=True, kw_only=True)
class Record:
    """What one test did.

    :attr outcome: ``passed``, ``failed`` or ``skipped``, of all its phases.
    :attr offered: how many mapped classes there were.
    :attr accepted: names of those that have documents.
    :attr refusals: why others, or some of their columns and relations, have none.
    :attr compared: models that were compared, with ``rows`` rows.
    :attr uncompared: why not.
    :attr entries: that waited at the end, by model.
    :attr debts: (model, reason, number): to be synchronised again as a whole.
    :attr undelivered: (model, id, reason): documents that were refused.
    :attr hidden: statements of ours that SQLAlchemy's assertions were not shown.
    :attr committed: sessions that the test had left open.
    """

    id: str
    outcome: str = "passed"
    failure: Fault | None = None
    faults: list[Fault] = field(default_factory=list)
    offered: int = 0
    accepted: list[str] = field(default_factory=list)
    embedded: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    rows: int = 0
    uncompared: list[str] = field(default_factory=list)
    entries: dict[str, int] = field(default_factory=dict)
    debts: list[tuple[str, str, int]] = field(default_factory=list)
    undelivered: list[tuple[str, str, str]] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    hidden: int = 0
    committed: int = 0

    def refuse(self, reason: str) -> None:
        """Count a refusal at start-up."""
        self.refusals[reason] = self.refusals.get(reason, 0) + 1

    def note(self, phase: Phase, error: BaseException, model: str = "") -> None:
        """Keep an exception that the test itself does not show."""
        self.faults.append(Fault.of(error, phase=phase.value, model=model))

    def append_to(self, path: Path) -> None:
        """Add a line to a file."""
        with path.open("a") as file:
            file.write(json.dumps(asdict(self), default=repr) + "\n")


def read(paths: Iterable[Path]) -> Iterator[Record]:
    """The records of files."""
    for path in paths:
        with path.open() as file:
            for line in file:
                yield _parse(json.loads(line))


def _parse(values: dict[str, Any]) -> Record:
    failure = values.pop("failure")
    faults = [Fault(**one) for one in values.pop("faults")]
    differences = [Difference(**one) for one in values.pop("differences")]
    record = Record(**values, faults=faults, differences=differences)
    record.failure = failure and Fault(**failure)
    return record


def _chain(error: BaseException) -> list[BaseException]:
    """An exception behind those that it comes from."""
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.insert(0, one)
        one = one.__cause__ or one.__context__
    return found


def _frames(error: BaseException) -> traceback.StackSummary:
    found: TracebackType | None = error.__traceback__
    return traceback.extract_tb(found)


def _named(frame: traceback.FrameSummary) -> str:
    _, package, inner = frame.filename.rpartition(f"/{PACKAGE}/")
    name = inner if package else "/".join(frame.filename.split("/")[-2:])
    return f"{name}:{frame.lineno} {frame.name}"
