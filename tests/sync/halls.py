"""Films that halls show, each in the documents of the other, and statements on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
)

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


MODELS = {Hall: {"nested": ("films",)}, Film: {"nested": ("hall",)}}
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


@contextmanager
def application(database_url: str) -> Iterator[Unheard]:
    """An application that a worker delivers for, with sessions as its capture."""
    settings = {"nefertari__capture": "session", "nefertari__sync": "worker"}
    with Unheard(database_url, MODELS, **settings) as app:
        yield app.setup()
