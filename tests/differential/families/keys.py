"""Keys of all kinds, and columns that the database or SQLAlchemy fills."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
)
from sqlalchemy.sql.functions import FunctionElement

from tests.differential.families.family import Family, tick


class Base(DeclarativeBase):
    pass


class _RandomUUID(FunctionElement):
    inherit_cache = True


class Hall(Base):
    """Has a key of two parts, one of them text, under other names than its columns."""

    __tablename__ = "halls"
    town: Mapped[str] = mapped_column("hall_town", sa.String(20), primary_key=True)
    number: Mapped[int] = mapped_column(
        "hall_number", primary_key=True, autoincrement=False
    )
    label: Mapped[str | None] = mapped_column("hall_label", sa.String(20))
    shows: Mapped[list[Show]] = relationship(
        back_populates="hall", order_by="Show.id", passive_deletes=True
    )


class Show(Base):
    """Has a key that the database numbers, and columns that fill themselves."""

    __tablename__ = "shows"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["in_town", "in_number"],
            ["halls.hall_town", "halls.hall_number"],
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column("show_name", sa.String(20), unique=True)
    town: Mapped[str | None] = mapped_column("in_town", sa.String(20))
    number: Mapped[int | None] = mapped_column("in_number")
    state: Mapped[str | None] = mapped_column(
        sa.String(20), server_default=sa.text("'fresh'")
    )
    touched: Mapped[int | None] = mapped_column(default=tick, onupdate=tick)
    stamp: Mapped[int | None] = mapped_column(
        server_default=sa.text("7"), onupdate=sa.text("8")
    )
    twice: Mapped[int | None] = mapped_column(
        sa.Computed("in_number * 2", persisted=True)
    )
    loud: Mapped[str | None] = column_property(
        sa.func.upper(name.column) + "!", deferred=False
    )
    hall: Mapped[Hall | None] = relationship(back_populates="shows")


class Document(Base):
    """Has a version that the unit of work counts, and a key made by Python."""

    __tablename__ = "documents"
    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=lambda: uuid.UUID(int=tick())
    )
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}
    title: Mapped[str | None] = mapped_column(sa.String(20))
    pages: Mapped[list[Page]] = relationship(
        back_populates="document", order_by="Page.id", cascade="all, delete-orphan"
    )


class Page(Base):
    """A child with a natural key, for row switches."""

    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    words: Mapped[str | None] = mapped_column(sa.String(20))
    document_id: Mapped[uuid.UUID | None] = mapped_column(
        sa.ForeignKey("documents.id", onupdate="CASCADE")
    )
    document: Mapped[Document | None] = relationship(back_populates="pages")


@compiles(_RandomUUID)
def _random_uuid(element, compiler, **options):
    return "gen_random_uuid()"


@compiles(_RandomUUID, "sqlite")
def _random_uuid_of_sqlite(element, compiler, **options):
    return "(lower(hex(randomblob(16))))"


class Ticket(Base):
    """Has a key that the server makes, a different one each time."""

    __tablename__ = "tickets"
    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=_RandomUUID()
    )
    seat: Mapped[str | None] = mapped_column(sa.String(20))


def _seed():
    hall = Hall(town="a", number=1, label="h")
    document = Document(id=uuid.UUID(int=1001), title="d")
    return [
        *(hall, Hall(town="a", number=2), Hall(town="b", number=1)),
        Show(name="one", hall=hall),
        Show(name="two", hall=hall),
        Show(name="three"),
        document,
        Document(id=uuid.UUID(int=1002)),
        Page(id=1, words="w", document=document),
        Page(id=2, document=document),
    ]


FAMILIES = [
    Family(
        name="keys",
        base=Base,
        documents={
            Hall: {"nested": ("shows",)},
            Show: {"nested": ("hall",)},
            Document: {"nested": ("pages",)},
            Page: {"nested": ("document",)},
            Ticket: {},
        },
        seed=_seed,
        joins=((Page, "document_id", Document),),
    )
]
