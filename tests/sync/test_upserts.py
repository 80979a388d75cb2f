"""An INSERT ... ON CONFLICT DO UPDATE is followed by whatever key it meets rows."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.sync.unheard import Unheard


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship(back_populates="shelf")


class Book(Base):
    """Has a number, and two other keys."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(sa.String(20), unique=True)
    row: Mapped[int | None]
    place: Mapped[int | None]
    title: Mapped[str | None]
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelves.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")
    __table_args__ = (sa.Index("places", "row", "place", unique=True),)


@pytest.fixture
def app(database_url):
    models = {Book: {"nested": ("shelf",)}, Shelf: {"nested": ("books",)}}
    with Unheard(database_url, models, nefertari__capture="session") as app:
        app.setup()
        with Session(app.database) as session:
            session.add_all([Shelf(id=1), Shelf(id=2)])
            for n in (1, 2, 3):
                session.add(
                    Book(code=f"c{n}", row=1, place=n, title=f"t{n}", shelf_id=1)
                )
            session.commit()
        app.check()
        yield app


def upsert(app, targets, rows, returning=False, **set_):
    make = sqlite if app.is_sqlite else postgresql
    statement = make.insert(Book)
    values = set_ or {"title": statement.excluded.title}
    values = {
        name: getattr(statement.excluded, value[1:])
        if str(value).startswith("=")
        else value
        for name, value in values.items()
    }
    if targets is None:
        statement = statement.on_conflict_do_update(set_=values)
    else:
        statement = statement.on_conflict_do_update(index_elements=targets, set_=values)
    if returning:
        statement = statement.returning(Book.id)
    with Session(app.database) as session:
        session.execute(statement, rows)
        session.commit()


def without_debt(app):
    assert app.owed() == set()
    app.check()


def only_sqlite(app):
    if not app.is_sqlite:
        pytest.skip("PostgreSQL wants to be told the key")


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "code": "new", "title": "by number"},
        {"code": "c1", "title": "by code"},
        {"row": 1, "place": 1, "title": "by place"},
        {"code": None, "row": 1, "place": 1, "title": "by place alone"},
        {"id": 90, "code": "c1", "row": 1, "place": 90, "title": "by code"},
    ],
)
def test_an_upsert_that_names_no_key_changes_rows_by_any_of_them(app, row):
    only_sqlite(app)
    upsert(app, None, [row])
    assert [d["title"] for d in app.rows(Book).values()].count(row["title"]) == 1
    without_debt(app)
    assert len(app.documents(Book)) == 3


def test_an_upsert_that_names_no_key_makes_rows(app):
    only_sqlite(app)
    upsert(app, None, [{"code": "c8", "title": "a"}, {"code": "c9", "title": "b"}])
    without_debt(app)
    assert len(app.documents(Book)) == 5


def test_an_upsert_may_meet_a_key_that_only_the_database_knows(app):
    only_sqlite(app)
    app.write("CREATE UNIQUE INDEX titles ON books (title)")
    upsert(
        app, None, [{"code": "c9", "title": "t2", "shelf_id": 2}], shelf_id="=shelf_id"
    )
    assert app.owed() == {"Book", "Shelf"}
    app.check()
    assert app.documents(Book)["2"]["shelf"]["id"] == 2


def test_an_upsert_that_gives_a_row_another_key_reaches_it(app):
    upsert(app, ["code"], [{"code": "c1", "title": "x"}], code="moved")
    without_debt(app)
    assert app.documents(Book)["1"]["code"] == "moved"


def test_an_upsert_that_gives_a_row_another_key_and_owner_is_compared(app):
    rows = [{"code": "c1", "shelf_id": 2}]
    upsert(app, ["code"], rows, code="moved", shelf_id="=shelf_id")
    app.check()
    assert [b["code"] for b in app.documents(Shelf)["2"]["books"]] == ["moved"]


def test_rows_that_an_upsert_makes_without_its_key_are_found(app):
    rows = [{"code": None, "title": "a"}, {"code": "c1", "title": "b"}]
    upsert(app, ["code"], rows)
    upsert(app, ["code"], [{"id": 70, "code": None, "title": "c"}])
    app.check()
    assert len(app.documents(Book)) == 5


def test_an_upsert_in_several_batches_is_followed_to_the_last_one(app):
    rows = [{"code": f"c{n}", "title": f"new {n}", "shelf_id": 2} for n in range(2500)]
    upsert(app, ["code"], rows, returning=True, title="=title", shelf_id="=shelf_id")
    without_debt(app)
    assert len(app.documents(Book)) == 2500
    assert app.documents(Shelf)["1"]["books"] == []
