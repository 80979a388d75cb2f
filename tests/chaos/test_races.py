"""A row that begins to follow another while that one goes is not forgotten."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from chaos.comparing import compare_all
from chaos.sql.models import (
    INDEXED,
    Author,
    Book,
    Country,
    Prize,
    Review,
    Tag,
    book_tags,
)
from nefertari_engine_base.sync.worker import drain


def insert_a_book(session):
    session.add(Book(id=9, title="new", author_id=1))


def move_a_book(session):
    session.get(Book, 5).author_id = 1


def review_a_book(session):
    session.add(Review(book_id=6, number=1, text="x", stars=1))


def give_a_prize(session):
    session.get(Prize, 1).author_id = 1


def link_a_tag(session):
    session.execute(book_tags.insert(), {"book_id": 5, "tag_id": 1})


def move_an_author(session):
    session.get(Author, 2).country_id = 1


RACES = [
    (Author, insert_a_book),
    (Author, move_a_book),
    (Author, review_a_book),
    (Author, give_a_prize),
    (Tag, link_a_tag),
    (Country, move_an_author),
]


def fill(app):
    with app.session() as session:
        session.add_all([Country(id=1, name="c"), Tag(id=1, name="t")])
        session.add_all([Author(id=1, name="a"), Author(id=2, name="b")])
        session.flush()
        session.add_all(
            [
                Book(id=5, title="t", author_id=2),
                Book(id=6, title="t", author_id=1),
                Prize(id=1, name="p"),
            ]
        )
        session.commit()


def meanwhile(app, model, change):
    """Try to commit a change when the first row of a model is about to be deleted."""
    tried = []

    def before_execute(connection, cursor, statement, *_):
        if statement.startswith(f"DELETE FROM {model.__tablename__}") and not tried:
            tried.append(change)
            with app.session() as session:
                session.execute(sa.text("SET LOCAL lock_timeout = '500ms'"))
                try:
                    change(session)
                    session.commit()
                except sa.exc.OperationalError as error:
                    # It would have waited for the end of the delete.
                    if "lock timeout" not in str(error):
                        raise

    sa.event.listen(app.database, "before_cursor_execute", before_execute)
    return tried


@pytest.mark.parametrize("by_statement", [False, True], ids=["session", "statement"])
@pytest.mark.parametrize(("model", "change"), RACES)
def test_a_row_that_goes_takes_all_its_documents_along(
    app, model, change, by_statement
):
    fill(app)
    tried = meanwhile(app, model, change)
    with app.session() as session:
        if by_statement:
            session.execute(sa.delete(model).where(model.id == 1))
        else:
            session.delete(session.get(model, 1))
        session.commit()
    assert tried
    drain(app.engines)
    assert not any(compare_all(app, one) for one in INDEXED)
