"""Documents that cannot be delivered: the list, and what their dead letters say."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from elasticsearch import dsl
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import Queryable, document_field


class Base(DeclarativeBase):
    """The base of the models."""


class Colour(enum.Enum):
    """Two of them."""

    RED = "red"
    BLUE = "blue"


#: What a computed field raises, by the word in the row.
RAISED: dict[str, Callable[[], Any]] = {
    "value": lambda: int("seven"),
    "key": lambda: {}["seven"],
    "zero": lambda: 1 // 0,
    "type": lambda: len(7),  # type: ignore[arg-type]
    "attribute": lambda: object().seven,  # type: ignore[attr-defined]
    "assertion": lambda: (_ for _ in ()).throw(AssertionError("seven")),
    "memory": lambda: (_ for _ in ()).throw(MemoryError("seven")),
    "system": lambda: (_ for _ in ()).throw(OSError("seven")),
    "stop": lambda: next(iter(())),
    "unicode": lambda: b"\xff".decode(),
    "recursion": lambda: _deeper(),
    "object": object,
    "set": lambda: {1, 2},
    "huge": lambda: 10**400,
}


def _deeper() -> Any:
    return _deeper()


class Thing(Queryable, Base):
    """Has a column of each kind that can go wrong."""

    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.Text)
    word: Mapped[str | None] = mapped_column(sa.Text)
    data: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    colour: Mapped[Colour | None] = mapped_column(sa.Enum(Colour, native_enum=False))
    day: Mapped[dt.date | None]
    moment: Mapped[dt.datetime | None]
    hour: Mapped[dt.time | None]
    gap: Mapped[dt.timedelta | None]
    amount: Mapped[Decimal | None] = mapped_column(sa.Numeric(30, 2))
    token: Mapped[uuid.UUID | None]
    trap: Mapped[str | None] = mapped_column(sa.String(20))
    parts: Mapped[list[Part]] = relationship(back_populates="thing")

    @document_field(depends_on=("trap",))
    def sprung(self) -> int:
        """Goes wrong in many ways."""
        return RAISED[self.trap]() if self.trap else 0


class Part(Queryable, Base):
    """Is embedded in its thing."""

    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(sa.ForeignKey("things.id"))
    data: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    thing: Mapped[Thing] = relationship(back_populates="parts")


class Plain(Queryable, Base):
    """Has documents that PostgreSQL writes by itself."""

    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.Text)
    data: Mapped[Any] = mapped_column(sa.JSON, nullable=True)
    day: Mapped[dt.date | None]


class Named(Queryable, Base):
    """Has a text as its key."""

    __tablename__ = "named"
    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)


def declare(config: Any) -> None:
    """Give the models documents."""
    whole = {"word": dsl.Keyword()}
    config.add_secondary(Thing, nested=("parts",), fields=whole)
    config.add_secondary(Plain)
    config.add_secondary(Named)


@dataclass(frozen=True)
class Poison:
    """A row that cannot become a document, or an entry that leads to none.

    :attr reason: a pattern that the dead letter's reason has in it.
    :attr columns: SQL of the row's values, by column.
    :attr then: statements after that; ``:id`` is the row's.
    :attr entry: model, path and key of the entry, if it is not the row's.
    """

    name: str
    reason: str
    columns: dict[str, str] = field(default_factory=dict)
    model: str = "Thing"
    then: tuple[str, ...] = ()
    entry: tuple[str, str, str] | None = None


def nested(levels: int, begin: str = "[", end: str = "]") -> str:
    return f"'{begin * levels}{end * levels}'"


_DEEP = "deep|depth|recursion|nested"
_MANY_PARTS = {
    "sqlite": "INSERT INTO parts (id, thing_id, data) WITH RECURSIVE n(i) AS "
    "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) "
    "SELECT :id * 100000 + i, :id, '1' FROM n",
    "postgresql": "INSERT INTO parts (id, thing_id, data) "
    "SELECT :id * 100000 + i, :id, '1' FROM generate_series(1, 10001) i",
}


def poisons(database: str) -> list[Poison]:
    """Those of this kind of database."""
    found = [
        Poison(f"{model}: {name}", reason, {"data": data}, model)
        for model in ("Thing", "Plain")
        for name, reason, data in [
            ("a deep list", _DEEP, nested(1500)),
            ("a deeper list", _DEEP, nested(4000)),
            ("a deep object", _DEEP, nested(1500, '{"a":', "}").replace(":}", ":1}")),
            ("310 digits", "read back", f"'[{'1' * 310}]'"),
            ("400 digits, negative", "read back", f"'[-{'9' * 400}]'"),
            ("5000 digits", "digits|read back", f"'[{'1' * 5000}]'"),
            ("many digits inside", "read back", f"""'{{"a": [1{"0" * 350}]}}'"""),
        ]
    ]
    found += [
        Poison(f"computed: {word}", "sprung|Thing", {"trap": f"'{word}'"})
        for word in RAISED
    ]
    found += [
        Poison("an unknown colour", "teal|enum", {"colour": "'teal'"}),
        Poison("an immense term", "immense term|longer than", {"word": _long(40_000)}),
        Poison("too many parts", "nested_objects_limit", then=(_MANY_PARTS[database],)),
        Poison(
            "a deep part",
            _DEEP,
            then=(
                "INSERT INTO parts (id, thing_id, data) "
                f"VALUES (:id * 100000, :id, {nested(1500)})",
            ),
        ),
        Poison("a long id", "512", {"name": _long(600)}, "Named"),
        Poison("no model", "No model", entry=("Ghost", "", "1")),
        Poison("no path", "No documents can be found", entry=("Thing", "ghosts", "1")),
        Poison("no number", "no id", entry=("Thing", "", "seven")),
        Poison("a huge number", ".", entry=("Thing", "", "9" * 40)),
        Poison("an empty id", "no id", entry=("Thing", "", "")),
        Poison("no number on a path", ".", entry=("Thing", "parts", "seven")),
        Poison("a huge number on a path", ".", entry=("Thing", "parts", "9" * 40)),
        Poison("a word that is refused", "status 429", {"title": "'SAY-429'"}),
        Poison("a word that is cut off", "answer", {"title": "'SAY-lost'"}),
        Poison("a word with no answer", "status 503", {"title": "'SAY-503'"}),
        Poison("a word that is too large", "too large", {"title": "'SAY-413'"}),
        Poison("a word that is forbidden", "403", {"title": "'SAY-403'"}),
        Poison("a word that breaks it", "500", {"title": "'SAY-500'"}, "Plain"),
        Poison("an item that is put off", "item", {"title": "'ITEM-429'"}, "Plain"),
    ]
    return found + (_OF_SQLITE if database == "sqlite" else _OF_POSTGRESQL)


def _long(length: int) -> str:
    return "'" + "x" * length + "'"


_OF_SQLITE = [
    Poison("no JSON", "read", {"data": "'{'"}),
    Poison("half a pair", "surrogate|utf-8|UTF-8", {"data": "'\"\\ud800\"'"}),
    Poison("no day", "read", {"day": "'yesterday'"}),
    Poison("no moment", "read", {"moment": "'just now'"}),
    Poison("no hour", "read", {"hour": "'tea time'"}),
    Poison("no UUID", "read", {"token": "'token'"}),
    Poison("no UTF-8", "UTF-8|utf-8", {"title": "CAST(x'ff41' AS TEXT)"}),
    Poison("no day in a plain one", "read", {"day": "'never'"}, "Plain"),
]
_OF_POSTGRESQL = [
    Poison("a day for ever", "read|large", {"day": "'infinity'"}),
    Poison("a day before Christ", "read|small|BC", {"day": "'0044-03-15 BC'"}),
    Poison("a moment for ever", "read|large", {"moment": "'infinity'"}),
    Poison("a moment too late", "read|large", {"moment": "'20000-01-01'"}),
    Poison("a gap of eons", "read|large|range", {"gap": "'170000000 years'"}),
    Poison("a plain day for ever", "read|large", {"day": "'infinity'"}, "Plain"),
    Poison("a plain day in 20000", "read|large", {"day": "'20000-01-01'"}, "Plain"),
]
