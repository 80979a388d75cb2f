"""Models with every kind of relation and inheritance that a document can embed."""

from __future__ import annotations

import datetime as dt
import enum
from contextlib import contextmanager
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    WriteOnlyMapped,
    column_property,
    deferred,
    mapped_column,
    relationship,
    synonym,
)

from nefertari_engine_base.primary.sqla.schema import describe
from nefertari_engine_base.schema import ModelSchema, SecondaryOptions


def described(model, options_of=None, **options) -> ModelSchema:
    """The schema of a model, as @secondary with these options would make it."""
    return describe(
        model, SecondaryOptions.of(**options), options_of or (lambda _: None)
    )


@contextmanager
def counted_statements(engine):
    """The texts of the statements that are executed in the block."""
    statements = []

    def count(connection, cursor, statement, *rest):
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", count)
    yield statements
    sa.event.remove(engine, "before_cursor_execute", count)


class Base(DeclarativeBase):
    pass


class Mood(enum.Enum):
    LIGHT = "light"
    DARK = "dark"


class Country(Base):
    __tablename__ = "countries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))


class Director(Base):
    __tablename__ = "directors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    country_id: Mapped[int | None] = mapped_column(sa.ForeignKey("countries.id"))
    country: Mapped[Country | None] = relationship()
    movies: Mapped[list[Movie]] = relationship(back_populates="director")


movie_genres = sa.Table(
    "movie_genres",
    Base.metadata,
    sa.Column("movie_id", sa.ForeignKey("movies.id"), primary_key=True),
    sa.Column("genre_name", sa.ForeignKey("genres.name"), primary_key=True),
    sa.Column("position", sa.Integer),
)


class Genre(Base):
    __tablename__ = "genres"
    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    movies: Mapped[list[Movie]] = relationship(
        secondary=movie_genres, back_populates="genres"
    )


class Movie(Base):
    __tablename__ = "movies"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column("film_title", sa.String(200))
    year: Mapped[int | None]
    rating: Mapped[float | None]
    gross: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 2))
    released: Mapped[dt.date | None]
    watched_at: Mapped[dt.datetime | None] = mapped_column(sa.DateTime(timezone=True))
    mood: Mapped[Mood | None]
    plot: Mapped[str | None] = deferred(mapped_column(sa.Text))
    name = synonym("title")
    director_id: Mapped[int | None] = mapped_column(sa.ForeignKey("directors.id"))
    director: Mapped[Director | None] = relationship(back_populates="movies")
    genres: Mapped[list[Genre]] = relationship(
        secondary=movie_genres, back_populates="movies"
    )
    ranked_genres: Mapped[list[Genre]] = relationship(
        secondary=movie_genres, order_by=movie_genres.c.position, viewonly=True
    )
    reviews: Mapped[list[Review]] = relationship(
        back_populates="movie", order_by="Review.stars.desc()"
    )
    good_reviews: Mapped[list[Review]] = relationship(
        primaryjoin="and_(Movie.id == Review.movie_id, Review.stars > 3)",
        viewonly=True,
    )
    dynamic_reviews: DynamicMapped[Review] = relationship(viewonly=True)
    written_reviews: WriteOnlyMapped[Review] = relationship(viewonly=True)


Movie.title_length = column_property(sa.func.length(Movie.title, type_=sa.Integer))


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True)
    movie_id: Mapped[int | None] = mapped_column(sa.ForeignKey("movies.id"))
    stars: Mapped[int]
    text: Mapped[str | None] = mapped_column(sa.String(200))
    movie: Mapped[Movie | None] = relationship(back_populates="reviews")


friendships = sa.Table(
    "friendships",
    Base.metadata,
    sa.Column("left_id", sa.ForeignKey("nodes.id"), primary_key=True),
    sa.Column("right_id", sa.ForeignKey("nodes.id"), primary_key=True),
)


class Node(Base):
    """Refers to itself in every way."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("nodes.id"))
    parent: Mapped[Node | None] = relationship(
        back_populates="children", remote_side=[id]
    )
    children: Mapped[list[Node]] = relationship(back_populates="parent")
    friends: Mapped[list[Node]] = relationship(
        secondary=friendships,
        primaryjoin=id == friendships.c.left_id,
        secondaryjoin=id == friendships.c.right_id,
    )


class Seat(Base):
    """Has a key of two parts, one of them any text."""

    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    guest: Mapped[str | None] = mapped_column(sa.String(80))
    tickets: Mapped[list[Ticket]] = relationship(back_populates="seat")


class Ticket(Base):
    """Refers to a seat, its columns in another order than the key's."""

    __tablename__ = "tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    seat_number: Mapped[int | None]
    seat_row: Mapped[str | None] = mapped_column(sa.String(80))
    seat: Mapped[Seat | None] = relationship(back_populates="tickets")
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["seat_number", "seat_row"], ["seats.number", "seats.row"]
        ),
    )


class Animal(Base):
    """Joined inheritance: each class has a table."""

    __tablename__ = "animals"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(40))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("owners.id"))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}


class Dog(Animal):
    __tablename__ = "dogs"
    id: Mapped[int] = mapped_column(sa.ForeignKey("animals.id"), primary_key=True)
    trick: Mapped[str | None] = mapped_column(sa.String(40))
    __mapper_args__ = {"polymorphic_identity": "dog"}


class Cat(Animal):
    """Single inheritance: shares the table of its base."""

    lives: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "cat"}


class Owner(Base):
    __tablename__ = "owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    animals: Mapped[list[Animal]] = relationship()
    dogs: Mapped[list[Dog]] = relationship(viewonly=True)
    cats: Mapped[list[Cat]] = relationship(viewonly=True)


class Paper(Base):
    __tablename__ = "papers"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))


class Newspaper(Paper):
    """Concrete inheritance: a table of its own with all of the columns."""

    __tablename__ = "newspapers"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))
    city: Mapped[str | None] = mapped_column(sa.String(40))
    __mapper_args__ = {"concrete": True}
