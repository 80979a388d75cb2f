"""One-to-many in all its ways: orphans, cascades of the unit of work and of the
database, natural keys that change."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family, listening


class Base(DeclarativeBase):
    pass


class Author(Base):
    """Has a natural key, which the database copies to the books when it changes."""

    __tablename__ = "authors"
    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    land: Mapped[str | None] = mapped_column(sa.String(20))
    books: Mapped[list[Book]] = relationship(
        back_populates="author", cascade="all, delete-orphan", passive_deletes=True,
        order_by="Book.id",
    )  # fmt: skip


class Publisher(Base):
    """Is forgotten by its books, by the database's SET NULL."""

    __tablename__ = "publishers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    books: Mapped[list[Book]] = relationship(
        back_populates="publisher", passive_deletes=True, order_by="Book.id"
    )


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.String(20))
    pages: Mapped[int | None]
    author_name: Mapped[str | None] = mapped_column(
        sa.ForeignKey("authors.name", ondelete="CASCADE", onupdate="CASCADE")
    )
    publisher_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("publishers.id", ondelete="SET NULL")
    )
    author: Mapped[Author | None] = relationship(back_populates="books")
    publisher: Mapped[Publisher | None] = relationship(back_populates="books")
    reviews: Mapped[list[Review]] = relationship(
        back_populates="book", passive_deletes="all", order_by="Review.id"
    )
    chapters: Mapped[list[Chapter]] = relationship(
        back_populates="book", cascade="all, delete-orphan", order_by="Chapter.id"
    )


class Review(Base):
    """Goes with its book by the database alone."""

    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str | None] = mapped_column(sa.String(20))
    book_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("books.id", ondelete="CASCADE")
    )
    book: Mapped[Book | None] = relationship(back_populates="reviews")


class Chapter(Base):
    """Goes with its book by the unit of work alone."""

    __tablename__ = "chapters"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.String(20))
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("books.id"))
    book: Mapped[Book] = relationship(back_populates="chapters")


def _seed():
    ann, bob = Author(name="a", land="x"), Author(name="b")
    house = Publisher(id=1, name="p")
    first = Book(id=1, title="one", author=ann, publisher=house, pages=1)
    second = Book(id=2, title="two", author=ann, pages=2)
    third = Book(id=3, title="three", author=bob, publisher=house)
    return [
        *(ann, bob, house, Publisher(id=2), first, second, third),
        Review(id=1, words="good", book=first),
        Review(id=2, words="bad", book=second),
        Chapter(id=1, title="i", book=first),
        Chapter(id=2, title="ii", book=first),
    ]


def _delete_books_without_pages(session, undo):
    @listening(session, "before_flush", undo)
    def before_flush(session, context, instances):
        for instance in list(session.dirty):
            if isinstance(instance, Book) and instance.__dict__.get("pages") == 0:
                session.delete(instance)


def _add_review_of_new_book(session, undo):
    @listening(session, "before_flush", undo)
    def before_flush(session, context, instances):
        for instance in list(session.new):
            if isinstance(instance, Book) and instance.id is not None:
                review = Review(id=instance.id + 500, words="auto", book=instance)
                session.add(review)


def _count_on_the_connection(session, undo):
    @listening(Review, "after_insert", undo)
    @listening(Review, "after_update", undo)
    def count(mapper, connection, target):
        books = Book.__table__
        connection.execute(
            sa.update(books)
            .where(books.c.id == target.book_id)
            .values(pages=sa.func.coalesce(books.c.pages, 0) + 1)
        )


FAMILIES = [
    Family(
        name="books",
        base=Base,
        documents={
            Author: {"nested": ("books", "books.reviews")},
            Publisher: {"nested": ("books",)},
            Book: {"nested": ("author", "publisher", "reviews", "chapters")},
            Review: {"nested": ("book", "book.author")},
            Chapter: {"nested": ("book",)},
        },
        seed=_seed,
        listeners={
            "delete books without pages": _delete_books_without_pages,
            "add review of new book": _add_review_of_new_book,
            "count on the connection": _count_on_the_connection,
        },
        joins=(
            (Book, "author_name", Author),
            (Book, "publisher_id", Publisher),
            (Review, "book_id", Book),
        ),
    )
]
