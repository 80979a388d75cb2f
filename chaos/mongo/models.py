"""Documents with every kind of reference that a change can travel along."""

from __future__ import annotations

from typing import Any

import mongoengine as me

from chaos.primaries import OLD
from nefertari_engine_base import Queryable


class Place(me.Document):
    """Is shown by creators and editions, and has no documents of its own."""

    id = me.SequenceField(primary_key=True)
    name = me.StringField()


class Creator(me.Document):
    """The base of two classes that share a collection; shows its place, and outlives
    it."""

    meta = {"allow_inheritance": True, "indexes": ["place"]}  # noqa: RUF012

    id = me.SequenceField(primary_key=True)
    name = me.StringField()
    place = me.ReferenceField(Place, reverse_delete_rule=me.NULLIFY)


class Novelist(Creator):
    """Takes its volumes along when it goes."""

    style = me.StringField()


class Painter(Creator):
    """Is taken from the lists of volumes when it goes."""

    palette = me.StringField()


class Subject(me.Document):
    """In lists of volumes, until it goes."""

    id = me.SequenceField(primary_key=True)
    name = me.StringField()


class Edition(me.EmbeddedDocument):
    """Is in a volume; refers to a place, which may be gone."""

    publisher = me.StringField()
    place = me.ReferenceField(Place)


class Blurb(me.EmbeddedDocument):
    """Is in a volume."""

    text = me.StringField(db_field="x")
    words = me.IntField()


class Volume(Queryable, me.Document):
    """Shows its author, the author's place, its painters, its subjects, and the places
    of its editions; has a document while it is published."""

    meta = {  # noqa: RUF012
        "indexes": ["author", "painters", "subjects", "editions.place"]
    }

    id = me.SequenceField(primary_key=True)
    title = me.StringField(db_field="t")
    year = me.IntField()
    price = me.Decimal128Field()
    published = me.BooleanField(default=True)
    notes = me.StringField()
    author = me.ReferenceField(Novelist, db_field="a", reverse_delete_rule=me.CASCADE)
    painters = me.ListField(me.ReferenceField(Painter, reverse_delete_rule=me.PULL))
    subjects = me.ListField(me.ReferenceField(Subject, reverse_delete_rule=me.PULL))
    editions = me.EmbeddedDocumentListField(Edition)
    blurb = me.EmbeddedDocumentField(Blurb)


class Opinion(me.Document):
    """Has a key that the driver makes; goes with its volume."""

    meta = {"indexes": ["volume"]}  # noqa: RUF012

    text = me.StringField()
    stars = me.IntField()
    volume = me.ReferenceField(Volume, reverse_delete_rule=me.CASCADE)


class Honour(me.Document):
    """Shows its creator, and stays without it."""

    meta = {"indexes": ["creator"]}  # noqa: RUF012

    id = me.SequenceField(primary_key=True)
    name = me.StringField()
    creator = me.ReferenceField(Creator, reverse_delete_rule=me.NULLIFY)


#: The models that have documents.
INDEXED: tuple[type[Any], ...] = (Creator, Volume, Opinion, Honour)


def declare(config: Any, version: str) -> None:
    """Give the models documents; see :meth:`chaos.primaries.Primary.declare`."""
    hidden = ("price",) if version == OLD else ()
    config.add_secondary(Creator, nested=("place",))
    config.add_secondary(
        Volume,
        nested=("author.place", "painters", "subjects", "editions.place"),
        exclude=("notes", *hidden),
        when=lambda model: me.Q(published=True),
    )
    config.add_secondary(Opinion, nested=("volume.author",), exclude=("volume.notes",))
    if version != OLD:
        config.add_secondary(Honour, nested=("creator.place",))
