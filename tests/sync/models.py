"""Films, those who make them, and what else the tests of the write path need."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import Queryable


class Base(DeclarativeBase):
    """The base of all models."""


class Country(Base):
    """Where directors come from; has no documents of its own."""

    __tablename__ = "countries"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))


class Director(Queryable, Base):
    """Embeds its films."""

    __tablename__ = "directors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    country_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("countries.id", ondelete="SET NULL")
    )
    country: Mapped[Country | None] = relationship()
    films: Mapped[list[Movie]] = relationship(
        back_populates="director", order_by="Movie.id"
    )


movie_genres = sa.Table(
    "movie_genres",
    Base.metadata,
    sa.Column("movie_id", sa.ForeignKey("movies.id"), primary_key=True),
    sa.Column("genre_id", sa.ForeignKey("genres.id"), primary_key=True),
)


class Genre(Base):
    """Linked with films by a table."""

    __tablename__ = "genres"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    movies: Mapped[list[Movie]] = relationship(
        secondary=movie_genres, back_populates="genres"
    )


class Movie(Queryable, Base):
    """Embeds its director, the director's country, and its genres."""

    __tablename__ = "movies"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    year: Mapped[int | None]
    rating: Mapped[float | None]
    gross: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 2))
    released: Mapped[dt.date | None]
    notes: Mapped[str | None] = mapped_column(sa.Text)
    director_id: Mapped[int | None] = mapped_column(sa.ForeignKey("directors.id"))
    director: Mapped[Director | None] = relationship(back_populates="films")
    genres: Mapped[list[Genre]] = relationship(
        secondary=movie_genres, back_populates="movies", order_by="Genre.id"
    )

    def slug(self) -> str:
        """A plain method, which documents have too."""
        return self.title.lower().replace(" ", "-")

    @property
    def decade(self) -> int | None:
        """A plain property, which documents have too."""
        return None if self.year is None else self.year // 10 * 10


class Seat(Queryable, Base):
    """Has a key of two parts, one of them any text."""

    __tablename__ = "seats"
    row: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    guest: Mapped[str | None] = mapped_column(sa.String(80))


def declare(config) -> None:
    """Give the models documents."""
    config.add_secondary(
        Movie, nested=("director", "director.country", "genres"), exclude=("notes",)
    )
    config.add_secondary(Director, nested=("films",), exclude=("notes",))
    config.add_secondary(Seat)


INDEXED = (Movie, Director, Seat)
