"""Films, and who made and showed them: ordinary declarative classes of SQLAlchemy.

Nothing here knows of a search engine but the decorator, which says which relations a
film's document shows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from sqlalchemy import Enum, ForeignKey, Numeric, String
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    validates,
)

from examples.movies.models import LONGEST_NAME, Rating
from nefertari_engine_base import Nested, Queryable, secondary


def _values(ratings: Iterable[Rating]) -> list[str]:
    return [rating.value for rating in ratings]


class Base(DeclarativeBase):
    """The models of this application."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: String(LONGEST_NAME),
        Decimal: Numeric(14, 2),
        Rating: Enum(Rating, values_callable=_values, native_enum=False, length=16),
    }


@secondary(nested={"films": Nested(fields=("id", "title", "year", "imdb_rating"))})
class Director(Queryable, Base):
    """A director; the document lists the films."""

    __tablename__ = "directors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    films: Mapped[list[Movie]] = relationship(
        back_populates="director", order_by="Movie.id"
    )


class Distributor(Base):
    """Who brought films to the cinemas; has no documents, but is in those of films."""

    __tablename__ = "distributors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    films: Mapped[list[Movie]] = relationship(back_populates="distributor")


class Genre(Base):
    """A genre; has no documents, but is in those of films."""

    __tablename__ = "genres"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    films: Mapped[list[Movie]] = relationship(back_populates="genre")


_NAMED = Nested(fields=("id", "name"))


@secondary(nested={"director": _NAMED, "distributor": _NAMED, "genre": _NAMED})
class Movie(Queryable, Base):
    """A film. What nobody knows of it is ``None``; amounts are US dollars."""

    __tablename__ = "movies"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    release_date: Mapped[date | None]
    #: Follows ``release_date``.
    year: Mapped[int | None] = mapped_column(index=True)
    mpaa_rating: Mapped[Rating | None]
    running_time: Mapped[int | None]
    source: Mapped[str | None]
    creative_type: Mapped[str | None]
    us_gross: Mapped[Decimal | None]
    worldwide_gross: Mapped[Decimal | None]
    us_dvd_sales: Mapped[Decimal | None]
    production_budget: Mapped[Decimal | None]
    rotten_tomatoes: Mapped[int | None]
    imdb_rating: Mapped[float | None]
    imdb_votes: Mapped[int | None]

    director_id: Mapped[int | None] = mapped_column(
        ForeignKey("directors.id"), index=True
    )
    distributor_id: Mapped[int | None] = mapped_column(
        ForeignKey("distributors.id"), index=True
    )
    genre_id: Mapped[int | None] = mapped_column(ForeignKey("genres.id"), index=True)

    director: Mapped[Director | None] = relationship(back_populates="films")
    distributor: Mapped[Distributor | None] = relationship(back_populates="films")
    genre: Mapped[Genre | None] = relationship(back_populates="films")

    @validates("release_date")
    def _year_follows(self, _: str, released: date | None) -> date | None:
        self.year = released.year if released else None
        return released


#: Fields of documents that those of another kind of database lack.
OWN_FIELDS = {Movie: ("director_id", "distributor_id", "genre_id")}
