"""A capture that is broken on purpose is found; so the comparison can find something.

None of these uses anything of how capture is made, so all hold for any capture.
"""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, note, settings

from tests.differential.operations.sessions import (
    Add,
    Change,
    Collect,
    Delete,
    Deliver,
    Read,
)
from tests.differential.operations.sessions import Session as Call
from tests.differential.operations.statements import DeleteWhere
from tests.differential.playing import Program
from tests.differential.programs import programs
from tests.differential.runner import Runner, compare
from tests.differential.test_programs import EXAMPLES, FAMILIES


def drop_entries(app):
    """Entries are gone before they are delivered, but for those of the first rows."""
    deliver, lost = app.deliver, sa.text("DELETE FROM nefertari_outbox")

    def drop_and_deliver():
        with app.database.begin() as connection:
            connection.execute(lost)
        deliver()

    def deliver_first():
        app.deliver = drop_and_deliver
        deliver()

    app.deliver = deliver_first


def narrow_statements(app):
    """DELETEs find nothing."""

    @sa.event.listens_for(app.database, "before_execute", retval=True)
    def narrow(connection, clause, several, one, options):
        if isinstance(clause, sa.Delete):
            clause = clause.where(sa.false())
        return clause, several, one


def fail(app):
    """Every UPDATE fails."""

    @sa.event.listens_for(app.database, "before_execute")
    def refuse(connection, clause, several, one, options):
        if isinstance(clause, sa.Update) and clause.table.name == "books":
            raise LookupError("ours")


def load_attributes(app):
    """Whatever is expired is loaded, as soon as something else is asked for."""

    @sa.event.listens_for(app.database, "before_execute")
    def load(connection, clause, several, one, options):
        for session in list(sa.orm.session._sessions.values()):
            for instance in list(session.identity_map.values()):
                if "name" in vars(instance) or not hasattr(type(instance), "name"):
                    continue
                if not busy:
                    busy.append(True)
                    _ = instance.name
                    busy.clear()

    busy = []


ADDED = Add("Publisher", {"id": 3, "name": "new"})
DELETED = DeleteWhere("Review")
CHANGED = Change("Book", (1,), {"title": "x"})
LOADED = Change("Publisher", (1,), {}, got="expired")


@pytest.mark.parametrize(
    ("sabotage", "operations", "expected"),
    [
        (drop_entries, (ADDED, Add("Publisher", {"id": 4})), "lost: Publisher"),
        (drop_entries, (CHANGED,), "stale: "),
        (drop_entries, (Delete("Book", (1,)),), "ghost: "),
        (narrow_statements, (DELETED,), "rows of reviews"),
        (fail, (CHANGED,), "result of 1"),
        (load_attributes, (LOADED, Read("Review")), "loaded attributes of 1"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_capture_is_found(databases, plain, sabotage, operations, expected):
    program = Program("books", operations, sync="worker")
    assert Runner(databases, plain).differences(program) == []
    runner = Runner(databases, plain, sabotage=sabotage)
    found = runner.differences(program)
    assert any(line.startswith(expected) for line in found), found


def test_programs_do_the_same_when_they_are_played_twice(kind, databases, plain):
    @settings(
        max_examples=max(1, EXAMPLES // 2),
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=set(Phase) - {Phase.explain},
    )
    @given(programs(kind, FAMILIES))
    def same(program):
        played = []
        for ours in (False, True):
            with databases(program.family, ours) as url:
                plain.begin(program, url)
                played.append(plain.end())
        found = list(compare(program, *played))
        note(f"{program}\n" + "\n".join(found))
        assert not found

    same()


def test_a_program_of_all_that_is_plain_makes_no_difference(databases, plain):
    operations = (
        ADDED,
        Call("commit"),
        CHANGED,
        Collect("Author", ("b",), "books", ((1,),)),
        Call("flush"),
        Delete("Chapter", (1,)),
        Deliver(),
        Delete("Book", (2,)),
        Read("Book"),
    )
    for sync in ("inline", "worker"):
        program = Program("books", operations, sync=sync)
        assert Runner(databases, plain).differences(program) == []
