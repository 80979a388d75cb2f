"""One run with us: what is asked for, its results and where these are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.sqlalchemy.baseline import outcomes
from tests.peers.sqlalchemy.expected import without_database
from tests.peers.sqlalchemy.judging import Judgement
from tests.peers.sqlalchemy.places import cache
from tests.peers.sqlalchemy.records import Record, read
from tests.peers.sqlalchemy.running import Bench
from tests.peers.sqlalchemy.selection import resolved
from tests.peers.sqlalchemy.sources import source

#: What documents are made of, and when they are delivered.
MODES = ("flat", "embedded")
#: Values of ``nefertari.capture``.
CAPTURES = ("session", "triggers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run with us.

    :attr tests: files, folders or tests of SQLAlchemy's distribution, or patterns.
    :attr mode: one of :data:`MODES`; see :attr:`.options.Options.embeds`.
    :attr drops: see :attr:`.options.Options.drops`.
    :attr shows_statements: see :attr:`.options.Options.shows_statements`.
    """

    bench: Bench
    tests: Sequence[str]
    mode: str = MODES[0]
    capture: str = CAPTURES[0]
    drops: bool = False
    shows_statements: bool = False

    @property
    def name(self) -> str:
        """What tells it from other runs."""
        words = (self.bench.version, self.bench.database, self.mode, self.capture)
        return "-".join(words) + ("-dropping" if self.drops else "")

    @property
    def kept(self) -> Path:
        """The file with the records of the last run of this name."""
        return cache() / f"records-{self.name}.jsonl"

    def execute(self) -> Judgement:
        """Run the tests, and say what is wrong."""
        tests = self._resolved()
        baseline = outcomes(self.bench, tests)
        records = self.bench.run(
            tests,
            embeds=self.mode == "embedded",
            capture=self.capture,
            drops=self.drops,
            shows_statements=self.shows_statements,
        )
        self.kept.unlink(missing_ok=True)
        for record in records:
            record.append_to(self.kept)
        return self._judge(tests, records, baseline)

    def judge_again(self) -> Judgement:
        """Say what was wrong with the last run of this name."""
        tests = self._resolved()
        return self._judge(tests, list(read([self.kept])), outcomes(self.bench, tests))

    def _resolved(self) -> list[str]:
        return resolved(source(self.bench.version), self.tests)

    def _judge(
        self,
        tests: Sequence[str],
        records: Sequence[Record],
        baseline: Mapping[str, str],
    ) -> Judgement:
        wanted = {
            id_: outcome
            for id_, outcome in baseline.items()
            if any(_is_in(id_, test) for test in tests)
        }
        return Judgement(self.bench.database, self.capture, records, wanted)


def _is_in(id_: str, test: str) -> bool:
    """Whether a test is the one of this name, or in the file, folder or class."""
    name = without_database(id_)
    return name == test or (name.startswith(test) and name[len(test)] in "/:[")
