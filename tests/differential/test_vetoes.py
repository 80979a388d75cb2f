"""Nothing of a transaction is committed that a subscriber has vetoed, though the caller
swallows the veto and commits, in whatever way."""

from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from nefertari_engine_base.interfaces import IInTransaction
from tests.differential.families import FAMILIES
from tests.differential.operations.sessions import DriverCommit, Session, TextCommit
from tests.differential.playing import play, rows_of
from tests.differential.programs import programs
from tests.differential.runner import Runner, captured
from tests.differential.test_programs import CAPTURE, EXAMPLES
from tests.differential.test_programs import FAMILIES as CHOSEN

#: What ends a transaction or a part of it in other ways, and what commits at once.
SKIP = frozenset({"Savepoint", "EndSavepoint", "Attempt", "autocommit", "TextCommit"})
ENDINGS = {
    "by the session": Session("commit"),
    "by a text": TextCommit(),
    "by the driver": DriverCommit(),
}


class Vetoed(Exception):
    """A subscriber's veto."""


class Veto:
    """A subscriber that vetoes the first event after it is armed.

    :attr at: the number of the operation that it is armed before.
    :attr committed: the rows that were committed when it did; ``None`` before.
    :attr left: the rows that are committed in the end.
    """

    def __init__(self, program, at):
        self.program, self.at, self.armed = program, at, False
        self.committed = self.left = self.database = None

    def declare(self, config):
        config.add_subscriber(self, IInTransaction)

    def __call__(self, event):
        if self.armed and self.committed is None:
            self.committed = self.rows()
            raise Vetoed("no")

    def rows(self):
        return rows_of(self.database, FAMILIES[self.program.family])

    def watch(self, number, world):
        self.armed = self.armed or number == self.at
        if number == len(self.program.operations):
            self.left = self.rows()
            self.armed = False


def differences(program, runner):
    """What is committed of a vetoed transaction, which is the last but one operation's
    or the last's; and where the index is not what the rows are."""
    veto = Veto(program, len(program.operations) - 2)
    with (
        runner.databases(program.family, ours=True) as url,
        captured(program, url, capture=runner.capture, declare=veto.declare) as app,
    ):
        veto.database = app.database
        play(program, app.database, app.deliver, veto.watch)
        runner.counts["vetoed" if veto.committed else "not vetoed"] += 1
        if veto.committed is not None and veto.committed != veto.left:
            yield f"before the veto: {veto.committed}\n  committed: {veto.left}"
        yield from list(runner.checked(app))[:12]


def test_nothing_of_a_vetoed_transaction_is_committed(kind, databases, plain):
    runner = Runner(databases, plain, CAPTURE)

    @settings(
        max_examples=max(1, EXAMPLES // 3),
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=set(Phase) - {Phase.explain},
    )
    @given(programs(kind, CHOSEN, 4, SKIP), st.sampled_from([*ENDINGS.values()]))
    def nothing(program, ending):
        operations = (*program.operations, ending)
        program = replace(program, operations=operations, swallows=True)
        found = list(differences(program, runner))
        note("\n".join([str(program), *found]))
        assert not found

    try:
        nothing()
    finally:
        print(dict(runner.counts))  # noqa: T201
