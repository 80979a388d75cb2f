"""Models with every kind of relation that a change can travel along."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from chaos.primaries import OLD
from nefertari_engine_base import Queryable


class Base(DeclarativeBase):
    """The base of all models."""


class Country(Base):
    """Is shown by its authors, and has no documents of its own."""

    __tablename__ = "countries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Author(Queryable, Base):
    """Embeds its books, which go with it, and its country, which it outlives."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("countries.id", ondelete="SET NULL"), index=True
    )
    country: Mapped[Country | None] = relationship()
    books: Mapped[list[Book]] = relationship(
        back_populates="author", passive_deletes=True, order_by="Book.id"
    )


book_tags = sa.Table(
    "book_tags",
    Base.metadata,
    sa.Column(
        "book_id", sa.ForeignKey("books.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column(
        "tag_id",
        sa.ForeignKey("tags.id", ondelete="CASCADE"),
        primary_key=True,
        index=True,
    ),
)


class Tag(Base):
    """Linked with books by a table."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Queryable, Base):
    """Embeds its author, the author's country, its tags and its reviews."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    year: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 2))
    author_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("authors.id", ondelete="CASCADE"), index=True
    )
    author: Mapped[Author | None] = relationship(back_populates="books")
    tags: Mapped[list[Tag]] = relationship(
        secondary=book_tags, order_by="Tag.id", passive_deletes=True
    )
    # Those that a session knows it deletes itself, the others go by the database.
    reviews: Mapped[list[Review]] = relationship(
        back_populates="book",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Review.number",
    )
    # That another session has deleted a row already is nothing to warn of here.
    __mapper_args__: ClassVar[dict[str, Any]] = {"confirm_deleted_rows": False}


class Review(Queryable, Base):
    """Has a key of two parts, one of them a reference; goes with its book."""

    __tablename__ = "reviews"
    book_id: Mapped[int] = mapped_column(
        sa.ForeignKey("books.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
    stars: Mapped[int]
    book: Mapped[Book] = relationship(back_populates="reviews")


class Prize(Queryable, Base):
    """Embeds its author, and stays without it."""

    __tablename__ = "prizes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("authors.id", ondelete="SET NULL"), index=True
    )
    author: Mapped[Author | None] = relationship()


#: One row for each change, written by the transaction that makes it: what is here is
#: what was committed, whoever was killed when.
changes = sa.Table(
    "chaos_changes",
    Base.metadata,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("writer", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
)

#: The models that have documents.
INDEXED: tuple[type[Any], ...] = (Author, Book, Review, Prize)


def declare(config: Any, version: str) -> None:
    """Give the models documents; see :meth:`chaos.primaries.Primary.declare`."""
    hidden = ("price",) if version == OLD else ()
    config.add_secondary(Author, nested=("country", "books"))
    config.add_secondary(
        Book, nested=("author", "author.country", "tags", "reviews"), exclude=hidden
    )
    config.add_secondary(Review, nested=("book",))
    if version != OLD:
        config.add_secondary(Prize, nested=("author",))
