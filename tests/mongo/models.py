"""Documents with everything that MongoEngine has fields for."""

from __future__ import annotations

from enum import Enum, IntEnum

import mongoengine as me


class Genre(Enum):
    DRAMA = "drama"
    NOIR = "film-noir"


class Stars(IntEnum):
    ONE = 1
    TWO = 2


class Country(me.Document):
    code = me.StringField(primary_key=True, max_length=2)
    name = me.StringField(db_field="n")


class Award(me.EmbeddedDocument):
    title = me.StringField(db_field="t")
    year = me.IntField()
    country = me.ReferenceField(Country, db_field="c")


class Birth(me.EmbeddedDocument):
    day = me.DateField(db_field="d")
    country = me.ReferenceField(Country)


class Person(me.Document):
    meta = {"allow_inheritance": True, "indexes": ["birth.country"]}

    name = me.StringField(required=True)
    notes = me.StringField()
    birth = me.EmbeddedDocumentField(Birth, db_field="b")
    mentor = me.ReferenceField("self")


class Director(Person):
    style = me.StringField()


class Reply(me.EmbeddedDocument):
    text = me.StringField()
    replies = me.ListField(me.EmbeddedDocumentField("self"))


class Film(me.Document):
    meta = {"indexes": ["director"]}

    title = me.StringField(db_field="t", max_length=100)
    year = me.IntField()
    serial = me.SequenceField()
    rating = me.FloatField()
    gross = me.Decimal128Field()
    price = me.DecimalField(precision=3, force_string=True)
    shown = me.BooleanField()
    premiere = me.DateTimeField(db_field="p")
    exact = me.ComplexDateTimeField()
    day = me.DateField()
    genre = me.EnumField(Genre)
    stars = me.EnumField(Stars)
    token = me.UUIDField()
    spelled_token = me.UUIDField(binary=False)
    other = me.ObjectIdField()
    poster = me.BinaryField(max_bytes=1000)
    tags = me.ListField(me.StringField(), db_field="tg")
    grid = me.ListField(me.ListField(me.IntField()))
    anything = me.ListField()
    extra = me.DictField()
    scores = me.MapField(me.Decimal128Field())
    any_value = me.DynamicField()
    place = me.PointField()
    spot = me.GeoPointField()
    site = me.URLField()
    director = me.ReferenceField(Person, db_field="dir")
    cast = me.ListField(me.ReferenceField(Person))
    rival = me.LazyReferenceField("self")
    pointer = me.ReferenceField(Person, dbref=True)
    award = me.EmbeddedDocumentField(Award, db_field="a")
    awards = me.EmbeddedDocumentListField(Award)
    thread = me.EmbeddedDocumentField(Reply)

    @property
    def label(self):
        return f"{self.title} ({self.year})"

    def _quiet(self):
        return self.label
