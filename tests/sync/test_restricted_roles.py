"""Statements of a role with few rights do what they do without us, and what they change
reaches the index."""

from __future__ import annotations

import itertools
import os

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
)

from nefertari_engine_base.events import DocumentsChanged
from tests.sync.unheard import Unheard


class Base(DeclarativeBase):
    pass


class Hall(Base):
    __tablename__ = "halls"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(unique=True)
    films: Mapped[list[Film]] = relationship(
        back_populates="hall", passive_deletes=True
    )


class Film(Base):
    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    hall_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey(Hall.id, ondelete="CASCADE")
    )
    hall: Mapped[Hall | None] = relationship(back_populates="films")


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
STATEMENTS = {
    "insert with key": lambda: sa.insert(Hall).values(id=9, name="d"),
    "insert without key": lambda: sa.insert(Hall).values(name="d").inline(),
    "insert of many": lambda: (
        sa.insert(Film)
        .values([{"title": "x", "hall_id": 1001}, {"title": "y", "hall_id": 1002}])
        .inline()
    ),
    "insert from select": lambda: sa.insert(Film).from_select(
        ["title", "hall_id"], sa.select(sa.literal("x"), Hall.id)
    ),
    "upsert that does nothing": lambda: (
        insert(Hall).values(id=1001, name="d").on_conflict_do_nothing().inline()
    ),
    "upsert": lambda: (
        insert(Hall)
        .values(id=1001, name="d")
        .on_conflict_do_update(index_elements=["id"], set_={"name": "e"})
        .inline()
    ),
    "upsert of a child": lambda: (
        insert(Film)
        .values(id=1001, hall_id=1002)
        .on_conflict_do_update(index_elements=["id"], set_={"hall_id": 1003})
        .inline()
    ),
    "update of all": lambda: sa.update(Hall).values(name=None),
    "update by key": lambda: (
        sa.update(Film).where(Film.id == 1001).values(hall_id=1002)
    ),
    "update of a key": lambda: sa.update(Film).where(Film.id == 1001).values(id=9),
    "update by condition": lambda: (
        sa.update(Film).where(Film.title == "a").values(hall_id=1002)
    ),
    "delete of all": lambda: sa.delete(Film),
    "delete by key": lambda: sa.delete(Hall).where(Hall.id == 1001),
    "delete by condition": lambda: sa.delete(Hall).where(Hall.name == "a"),
    "delete of others' rows": lambda: sa.delete(Film).where(Film.hall_id == Hall.id),
}
# Numbers that no sequence gives.
VALUES = [{"id": 1001 + n, "name": name} for n, name in enumerate("abc")]


def fill(app):
    with Session(app.database) as session:
        session.execute(sa.delete(Film))
        session.execute(sa.delete(Hall))
        session.execute(sa.insert(Hall), VALUES)
        films = [
            {"id": id_, "title": title, "hall_id": hall}
            for id_, (title, hall) in enumerate(
                itertools.product("ab", [1001, 1002, None]), start=1001
            )
        ]
        session.execute(sa.insert(Film), films)
        session.commit()
    app.check()


@pytest.fixture
def app(postgresql_database_url):
    models = {Hall: {"nested": ("films",)}, Film: {"nested": ("hall",)}}
    settings = {"nefertari__capture": "session", "nefertari__sync": "worker"}
    with Unheard(postgresql_database_url, models, **settings) as app:
        yield app.setup()


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
