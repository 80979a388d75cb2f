"""Documents with computed fields: of their own, of others, of embedded documents."""

from __future__ import annotations

import enum
from decimal import Decimal

import mongoengine as me

from nefertari_engine_base import Queryable, document_field


class Length(enum.Enum):
    SHORT = "short"
    LONG = "long"


class Nation(me.Document):
    code = me.StringField(primary_key=True)
    name = me.StringField(db_field="n")
    notes = me.StringField()


class Writer(me.Document):
    meta = {"allow_inheritance": True, "indexes": ["nation", "mentor"]}

    name = me.StringField()
    notes = me.StringField()
    nation = me.ReferenceField(Nation)
    mentor = me.ReferenceField("self")

    @document_field(depends_on=("name", "nation.name"))
    def origin(self) -> str:
        return f"{self.name} ({self.nation.name if self.nation else '?'})"

    @document_field(depends_on=("name", "mentor.name", "mentor.mentor.name"))
    def school(self) -> str:
        names, writer = [self.name], self.mentor
        while writer is not None and len(names) < 3:
            names.append(writer.name)
            writer = writer.mentor if len(names) < 3 else None
        return " < ".join(names)


class Poet(Writer):
    metre = me.StringField()

    @document_field(depends_on=("name", "metre"))
    def origin(self) -> str:
        return f"{self.name} in {self.metre}"


class Ghost(Writer):
    #: Nobody knows.
    origin = None


class Laurel(me.EmbeddedDocument):
    title = me.StringField(db_field="t")
    year = me.IntField()
    given_by = me.ReferenceField(Nation, db_field="by")

    @document_field(depends_on=("title", "given_by.name"))
    def headline(self) -> str:
        return f"{self.title} of {self.given_by.name if self.given_by else 'nobody'}"


class Run(me.EmbeddedDocument):
    """Has no computed field, but holds what has some."""

    nights = me.IntField()
    prizes = me.ListField(me.EmbeddedDocumentField(Laurel))


class Sized:
    """A mixin with a field of its own."""

    @document_field(depends_on=("title",))
    def size(self) -> Length:
        return Length.LONG if len(self.title) > 6 else Length.SHORT


class Play(Sized, Queryable, me.Document):
    meta = {"indexes": ["writer", "cast", "prize.given_by", "prizes.given_by", "rival"]}

    title = me.StringField(db_field="t", default="untitled")
    year = me.IntField()
    notes = me.StringField()
    number = me.SequenceField()
    writer = me.ReferenceField(Writer, db_field="w")
    cast = me.ListField(me.ReferenceField(Writer))
    rival = me.LazyReferenceField("self", passthrough=True)
    prize = me.EmbeddedDocumentField(Laurel)
    prizes = me.EmbeddedDocumentListField(Laurel, db_field="ps")
    run = me.EmbeddedDocumentField(Run)
    prices = me.MapField(me.Decimal128Field())

    @document_field(depends_on=("title", "year", "writer.name"))
    def label(self) -> str | None:
        """The title as it stands on a bill."""
        if self.writer is None:
            return None
        return f"{self.title} ({self.year}), {self.writer.name}"

    @document_field(depends_on=("cast.name",))
    def names(self) -> list[str]:
        return [each.name for each in self.cast]

    @document_field(depends_on=("prizes.title", "prizes.given_by.name"))
    def laurels(self) -> list[str]:
        return [f"{each.title}/{each.given_by.name}" for each in self.prizes]

    @document_field(depends_on=("label", "prize.headline", "writer.school"))
    def shout(self) -> str | None:
        if self.label is None or self.prize is None:
            return self.label
        return f"{self.label}, {self.prize.headline}, {self.writer.school}".upper()

    @document_field(depends_on=("rival.title",))
    def rivalry(self) -> str | None:
        return f"{self.rival.title} {self.rival.fetch().title}" if self.rival else None

    @document_field(depends_on=("prices",))
    def best(self) -> Decimal | None:
        return max(self.prices.values(), default=None)

    @document_field(depends_on=("cast",))
    def crowd(self) -> int:
        return len(self.cast)
