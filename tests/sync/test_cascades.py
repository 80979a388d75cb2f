"""What the database does by itself with other rows reaches their documents."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base.primary.sqla.loading import to_dict
from tests.application import Application, assert_index_equals_rows, contents

SESSION_ONLY = set()


class Base(DeclarativeBase):
    """The base of all models."""


class Author(Base):
    """Embeds its books, which go with it."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(
        back_populates="author", passive_deletes=True, order_by="Book.id"
    )


class Shelf(Base):
    """No document shows it; it goes with its author, and its books with it."""

    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(
        sa.ForeignKey("authors.id", ondelete="CASCADE")
    )


class Prize(Base):
    """Stays without its author."""

    __tablename__ = "prizes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("authors.id", ondelete="SET NULL", onupdate="CASCADE")
    )
    author: Mapped[Author | None] = relationship()


class Book(Base):
    """Embeds its author; a sequel goes with the book that it follows."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str] = mapped_column(default="book")
    author_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("authors.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    shelf_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("shelves.id", ondelete="CASCADE")
    )
    follows_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("books.id", ondelete="CASCADE")
    )
    author: Mapped[Author | None] = relationship(back_populates="books")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "book"}


class Novel(Book):
    """In the same table, with a field of its own."""

    genre: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "novel"}


INDEXED = (Author, Prize, Novel)


def declare(config) -> None:
    """Give the models documents."""
    config.add_secondary(Author, nested=("books",))
    config.add_secondary(Prize, nested=("author",))
    config.add_secondary(Book, nested=("author",))
    config.add_secondary(Novel)


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix, capture):
    """Two authors with books, shelves and prizes; nothing is delivered by itself."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync="worker", nefertari__capture=capture,
    )  # fmt: skip
    if app.database.dialect.name == "sqlite":
        sa.event.listen(app.database, "connect", _check_references)
    app.setup()
    for n in (1, 2):
        app.save(Author(id=n, name=f"Author {n}"))
        app.save(Shelf(id=n, author_id=n))
        app.save(
            Book(id=10 * n, title="First", author_id=n),
            Prize(id=n, name="Prize", author_id=n),
        )
        app.save(Novel(id=10 * n + 1, title="Sequel", genre="x", follows_id=10 * n))
        app.save(Novel(id=10 * n + 2, title="On a shelf", shelf_id=n))
    check(app)
    yield app
    app.close()


def _check_references(connection, record) -> None:
    connection.execute("PRAGMA foreign_keys=ON")


def check(app):
    """Everything is delivered, and every document is its row."""
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    schema = app.engines.schema_of(Book)
    with app.session() as session:
        # A novel has a document among the books as well, with what every book has.
        rows = {
            str(book.id): to_dict(schema, book)
            for book in session.scalars(sa.select(Book))
        }
    documents = app.documents(Book)
    assert {id_: contents(d) for id_, d in documents.items()} == rows


def delete_in_session(app):
    with app.session() as session:
        session.delete(session.get(Author, 1))
        session.commit()


def delete_by_statement(app):
    with app.session() as session:
        session.execute(sa.delete(Author).where(Author.id == 1))
        session.commit()


@pytest.mark.parametrize("delete", [delete_in_session, delete_by_statement])
def test_rows_that_go_with_others_take_their_documents_along(app, delete):
    delete(app)
    with app.database.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM books")) == 3
    check(app)
    assert app.documents(Book).keys() == {"20", "21", "22"}
    assert app.documents(Novel).keys() == {"21", "22"}


@pytest.mark.parametrize("delete", [delete_in_session, delete_by_statement])
def test_rows_that_lose_a_reference_lose_it_in_their_documents(app, delete):
    delete(app)
    check(app)
    assert app.documents(Prize)["1"]["author"] is None


def rename_in_session(app):
    with app.session() as session:
        author = session.get(Author, 1)
        author.id = 7
        session.commit()


def rename_by_statement(app):
    with app.session() as session:
        session.execute(sa.update(Author).where(Author.id == 1).values(id=7))
        session.commit()


@pytest.mark.parametrize("rename", [rename_in_session, rename_by_statement])
def test_a_new_key_reaches_the_documents_of_the_rows_that_follow_it(app, rename):
    with app.session() as session:
        session.execute(sa.delete(Shelf))
        session.commit()
    check(app)
    rename(app)
    check(app)
    assert app.documents(Prize)["1"]["author"]["id"] == 7
    assert app.documents(Author).keys() == {"7", "2"}


def test_a_statement_on_a_base_class_reaches_the_documents_of_its_subclasses(app):
    with app.session() as session:
        session.execute(sa.update(Book).values(title=Book.title + "!"))
        session.execute(sa.delete(Book).where(Book.id == 12))
        session.commit()
    check(app)
    assert app.documents(Novel)["11"]["title"] == "Sequel!"


def test_a_row_that_becomes_one_of_another_class_changes_its_documents(app):
    with app.session() as session:
        session.execute(
            sa.update(Book).where(Book.id == 11).values(kind="book"),
            execution_options={"synchronize_session": False},
        )
        session.commit()
    check(app)
    assert app.documents(Novel).keys() == {"12", "21", "22"}


def test_statements_change_rows_that_no_document_depends_on_as_well(app):
    with app.session() as session:
        result = session.execute(sa.update(Book).values(title="All"))
        assert result.rowcount == 6
        session.execute(sa.delete(Shelf).where(Shelf.id == 2))
        session.commit()
    check(app)
    assert app.documents(Novel).keys() == {"11", "12", "21"}


@pytest.mark.parametrize("is_core", [False, True])
def test_rows_of_a_class_without_documents_take_others_along(app, is_core):
    with app.session() as session:
        if is_core:
            session.execute(Shelf.__table__.delete())
        else:
            session.execute(sa.delete(Shelf))
        session.commit()
    check(app)
    assert app.documents(Novel).keys() == {"11", "21"}


def test_rows_of_a_base_class_without_documents_are_changed_too(
    database_url, elasticsearch_url, index_prefix
):
    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        lambda config: config.add_secondary(Novel),
        nefertari__sync="worker",
    ).setup()
    try:
        app.save(Book(id=1, title="a book"), Novel(id=2, title="a novel"))
        with app.session() as session:
            result = session.execute(sa.update(Book).values(title="changed"))
            assert result.rowcount == 2
            session.commit()
        app.drain()
        assert_index_equals_rows(app, [Novel])
        with app.session() as session:
            assert session.get(Book, 1).title == "changed"
    finally:
        app.close()
