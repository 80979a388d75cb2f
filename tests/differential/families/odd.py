"""Two classes on one table, and a relation that the database does not enforce."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


class SharedBase(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    mail: Mapped[str | None] = mapped_column(sa.String(20))
    letters: Mapped[list[Letter]] = relationship(
        primaryjoin="foreign(Letter.person_id) == Person.id", order_by="Letter.id",
        back_populates="person",
    )  # fmt: skip


class Letter(Base):
    """Refers to a person who need not be there."""

    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str | None] = mapped_column(sa.String(20))
    person_id: Mapped[int | None] = mapped_column(info={"pool": [1, 2, 3, 1001]})
    person: Mapped[Person | None] = relationship(
        primaryjoin="foreign(Letter.person_id) == Person.id", back_populates="letters"
    )


class Member(SharedBase):
    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    mail: Mapped[str | None] = mapped_column(sa.String(20))


class Contact(SharedBase):
    """Is mapped to the table of members, and to fewer of its columns."""

    __table__ = Member.__table__
    __mapper_args__ = {
        "include_properties": ["id", "name"],
        "primary_key": [Member.__table__.c.id],
    }


def _shared_seed():
    return [Member(id=1, name="p", mail="m"), Contact(id=2, name="q")]


def _seed():
    person = Person(id=1, name="p", mail="m")
    return [
        *(person, Person(id=2)),
        Letter(id=1, words="w", person=person),
        Letter(id=2, words="to nobody", person_id=3),
    ]


FAMILIES = [
    Family(
        name="odd",
        base=Base,
        documents={
            Person: {"nested": ("letters",)},
            Letter: {"nested": ("person",)},
        },
        seed=_seed,
        joins=((Letter, "person_id", Person),),
    ),
    Family(
        name="shared",
        base=SharedBase,
        documents={Member: {}, Contact: {}},
        seed=_shared_seed,
    ),
]
