"""Films, and who made and showed them: ordinary documents of MongoEngine.

Nothing here knows of a search engine but the decorator, which says which references a
film's document shows. Keys are numbers, as in SQL, so that addresses are the same.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from mongoengine import (
    NULLIFY,
    PULL,
    DateField,
    Decimal128Field,
    Document,
    EnumField,
    FloatField,
    IntField,
    ListField,
    ReferenceField,
    SequenceField,
    StringField,
)

from examples.movies.models import LONGEST_NAME, Rating
from nefertari_engine_base import Nested, Queryable, secondary


class DollarsField(Decimal128Field):
    """An amount, stored to the cent."""

    def to_mongo(self, value: Any) -> Any:
        """See :meth:`mongoengine.base.BaseField.to_mongo`."""
        return super().to_mongo(
            round(value, 2) if isinstance(value, Decimal) else value
        )


def _name(**options: Any) -> StringField:
    return StringField(max_length=LONGEST_NAME, **options)


@secondary(nested={"films": Nested(fields=("id", "title", "year", "imdb_rating"))})
class Director(Queryable, Document):
    """A director; the document lists the films."""

    meta = {"collection": "directors", "indexes": ["films"]}  # noqa: RUF012

    id = SequenceField(primary_key=True)
    name = _name(required=True, unique=True)

    #: A reference has no way back in MongoDB. So this list is kept by ``Movie.save``.
    films = ListField(ReferenceField("Movie"))


class Distributor(Document):
    """Who brought films to the cinemas; has no documents, but is in those of films."""

    meta = {"collection": "distributors"}  # noqa: RUF012

    id = SequenceField(primary_key=True)
    name = _name(required=True, unique=True)


class Genre(Document):
    """A genre; has no documents, but is in those of films."""

    meta = {"collection": "genres"}  # noqa: RUF012

    id = SequenceField(primary_key=True)
    name = _name(required=True, unique=True)


_NAMED = Nested(fields=("id", "name"))


@secondary(nested={"director": _NAMED, "distributor": _NAMED, "genre": _NAMED})
class Movie(Queryable, Document):
    """A film. What nobody knows of it is ``None``; amounts are US dollars."""

    meta = {  # noqa: RUF012
        "collection": "movies",
        "indexes": ["title", "year", "director", "distributor", "genre"],
    }

    id = SequenceField(primary_key=True)
    title = _name(required=True)
    release_date = DateField()
    #: Follows ``release_date``.
    year = IntField()
    mpaa_rating = EnumField(Rating)
    running_time = IntField()
    source = _name()
    creative_type = _name()
    us_gross = DollarsField()
    worldwide_gross = DollarsField()
    us_dvd_sales = DollarsField()
    production_budget = DollarsField()
    rotten_tomatoes = IntField()
    imdb_rating = FloatField()
    imdb_votes = IntField()

    director = ReferenceField(Director, reverse_delete_rule=NULLIFY)
    distributor = ReferenceField(Distributor, reverse_delete_rule=NULLIFY)
    genre = ReferenceField(Genre, reverse_delete_rule=NULLIFY)

    def clean(self) -> None:
        """Let the year follow the date; MongoEngine calls this before it saves."""
        self.year = self.release_date.year if self.release_date else None

    def save(self, *args: Any, **options: Any) -> Movie:
        """Save the film, and keep it on the list of its director alone.

        A crash in between leaves a list behind, until the film is saved again.
        """
        super().save(*args, **options)
        keys = [self.director.id] if self.director else []
        Director.objects(films=self, id__nin=keys).update(pull__films=self)
        Director.objects(films__ne=self, id__in=keys).update(push__films=self)
        return self


# Here, because the list is declared before the films are.
Movie.register_delete_rule(Director, "films", PULL)

#: Fields of documents that those of another kind of database lack.
OWN_FIELDS: dict[type, tuple[str, ...]] = {}
