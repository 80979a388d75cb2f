"""Models with computed fields: of columns, of related rows, of one another."""

from __future__ import annotations

import enum
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    mapped_column,
    relationship,
    synonym,
)

from nefertari_engine_base import Queryable, document_field


class Base(DeclarativeBase):
    pass


class Size(enum.Enum):
    SHORT = "short"
    LONG = "long"


class Country(Base):
    __tablename__ = "countries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))


class Director(Queryable, Base):
    __tablename__ = "directors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    notes: Mapped[str | None]
    country_id: Mapped[int | None] = mapped_column(sa.ForeignKey("countries.id"))
    country: Mapped[Country | None] = relationship()
    movies: Mapped[list[Movie]] = relationship(
        back_populates="director", order_by="Movie.id", passive_deletes=True
    )

    @document_field(depends_on=("name", "country.name"))
    def origin(self) -> str:
        return f"{self.name} ({self.country.name if self.country else '?'})"

    @document_field(depends_on=("movies.title",))
    def titles(self) -> list[str]:
        return [movie.title for movie in self.movies]


movie_genres = sa.Table(
    "movie_genres",
    Base.metadata,
    sa.Column("movie_id", sa.ForeignKey("movies.id"), primary_key=True),
    sa.Column("genre_name", sa.ForeignKey("genres.name"), primary_key=True),
)


class Genre(Base):
    __tablename__ = "genres"
    name: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    loud: Mapped[bool] = mapped_column(default=False)
    movies: Mapped[list[Movie]] = relationship(
        secondary=movie_genres, back_populates="genres"
    )


class Sized:
    """A mixin with a field of its own."""

    @document_field(depends_on=("title",))
    def size(self) -> Size:
        return Size.LONG if len(self.title) > 5 else Size.SHORT


class Movie(Sized, Queryable, Base):
    __tablename__ = "movies"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    year: Mapped[int | None]
    rating: Mapped[float | None]
    name = synonym("title")
    director_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("directors.id", ondelete="SET NULL")
    )
    director: Mapped[Director | None] = relationship(back_populates="movies")
    genres: Mapped[list[Genre]] = relationship(
        secondary=movie_genres, back_populates="movies"
    )
    reviews: Mapped[list[Review]] = relationship(
        back_populates="movie", passive_deletes=True
    )
    good_reviews: Mapped[list[Review]] = relationship(
        primaryjoin="and_(Movie.id == Review.movie_id, Review.stars > 3)",
        viewonly=True,
    )
    dynamic_reviews: DynamicMapped[Review] = relationship(viewonly=True)

    @document_field(depends_on=("name", "year", "director.name"))
    def label(self) -> str | None:
        """The title as it stands on a shelf."""
        if self.director is None:
            return None
        return f"{self.title} ({self.year}), {self.director.name}"

    @document_field(depends_on=("reviews.stars",))
    def stars(self) -> Decimal | None:
        stars = [Decimal(review.stars) for review in self.reviews]
        return sum(stars, Decimal(0)) / len(stars) if stars else None

    @document_field(depends_on=("label", "genres.loud"))
    def shout(self) -> str | None:
        loud = any(genre.loud for genre in self.genres)
        return self.label.upper() if loud and self.label else self.label


class Review(Base):
    __tablename__ = "reviews"
    id: Mapped[int] = mapped_column(primary_key=True)
    movie_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("movies.id", ondelete="CASCADE")
    )
    stars: Mapped[int]
    text: Mapped[str | None] = mapped_column(sa.String(200))
    movie: Mapped[Movie | None] = relationship(back_populates="reviews")


class Node(Base):
    """Refers to itself: the same row is a root and what others read."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("nodes.id"))
    parent: Mapped[Node | None] = relationship(
        back_populates="children", remote_side=[id]
    )
    children: Mapped[list[Node]] = relationship(
        back_populates="parent", order_by="Node.id"
    )

    @document_field(depends_on=("name", "parent.name", "parent.children.name"))
    def place(self) -> str:
        if self.parent is None:
            return self.name
        others = [each.name for each in self.parent.children if each is not self]
        return f"{self.parent.name}/{self.name} beside {','.join(others)}"


class Seat(Base):
    """Has a key of two parts."""

    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

    @document_field(depends_on=("row", "number"))
    def sign(self) -> str:
        return f"{self.row}{self.number}"


class Animal(Base):
    """Joined inheritance."""

    __tablename__ = "animals"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(40))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

    @document_field(depends_on=("name",))
    def call(self) -> str:
        return f"{self.name}!"


class Dog(Animal):
    __tablename__ = "dogs"
    id: Mapped[int] = mapped_column(sa.ForeignKey("animals.id"), primary_key=True)
    trick: Mapped[str | None] = mapped_column(sa.String(40))
    __mapper_args__ = {"polymorphic_identity": "dog"}

    @document_field(depends_on=("name", "trick"))
    def call(self) -> str:
        if self.trick is None:
            raise LookupError("no trick")
        return f"{self.name}, {self.trick}!"


class Cat(Animal):
    __mapper_args__ = {"polymorphic_identity": "cat"}
    #: Cats do not come.
    call = None
