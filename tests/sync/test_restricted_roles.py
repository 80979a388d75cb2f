"""Statements of a role with few rights do what they do without us, and what they change
reaches the index."""

from __future__ import annotations

import os

import pytest
import sqlalchemy as sa

from nefertari_engine_base.events import DocumentsChanged
from tests.sync.halls import STATEMENTS, application, fill

#: What a role may do to both tables.
RIGHTS = {
    "insert": ("INSERT",),
    "insert, and read keys": ("INSERT", "SELECT (id)"),
    "delete": ("DELETE",),
    "delete, and read keys": ("DELETE", "SELECT (id)"),
    "all but update": ("INSERT", "DELETE", "SELECT"),
    "update": ("UPDATE",),
    "update, and read keys": ("UPDATE", "SELECT (id)"),
    "read and update keys": ("UPDATE (id)", "SELECT (id)"),
    "all but read, and read keys": ("INSERT", "UPDATE", "DELETE", "SELECT (id)"),
    "all but read": ("INSERT", "UPDATE", "DELETE"),
    "read": ("SELECT",),
    "nothing": (),
}


@pytest.fixture
def app(postgresql_database_url):
    with application(postgresql_database_url) as app:
        yield app


@pytest.fixture
def unheard(app):
    """An engine that nobody follows, on the same database."""
    url = app.database.url.update_query_dict({"application_name": "unheard"})
    engine = sa.create_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def make_role(app):
    """Function that makes a role with these rights, and those that capture needs."""
    names = []
    with app.database.connect() as connection:
        schema = connection.scalar(sa.text("SELECT current_schema()"))

    def make(rights):
        name = f"nefertari_guest_{os.urandom(4).hex()}"
        names.append(name)
        app.write(
            f"CREATE ROLE {name}",
            f'GRANT USAGE ON SCHEMA "{schema}" TO {name}',
            f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA "{schema}" TO {name}',
            f"GRANT INSERT, SELECT ON nefertari_outbox, nefertari_debt TO {name}",
            *(f"GRANT {right} ON films, halls TO {name}" for right in rights),
        )
        return name

    yield make
    for name in names:
        app.write(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def outcome(engine, role, statement, *, commits):
    """What a statement answers to a role, and to whoever asks next."""
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
        try:
            answer = connection.execute(statement()).rowcount
        except sa.exc.DBAPIError as error:
            return str(error.orig)
        next_ = connection.exec_driver_sql("SELECT 1").scalar_one()
        if commits:
            connection.commit()
        return answer, next_


@pytest.mark.parametrize("is_heard", [False, True], ids=["alone", "with-a-subscriber"])
@pytest.mark.parametrize("rights", RIGHTS)
def test_a_role_with_few_rights_is_told_what_it_is_told_without_us(
    app, unheard, make_role, rights, is_heard
):
    role = make_role(RIGHTS[rights])
    if is_heard:
        app.registry.registerHandler(
            lambda event: list(event.changes), [DocumentsChanged]
        )
    done, different = 0, {}
    for name, statement in STATEMENTS.items():
        fill(app)
        expected = outcome(unheard, role, statement, commits=False)
        fill(app)
        seen = outcome(app.database, role, statement, commits=True)
        if seen != expected:
            different[name] = seen, expected
        app.check()
        done += isinstance(expected, tuple)
    assert not different
    assert done or rights in ("read", "nothing")
