"""Triggers on tables and columns of any name, and for models of any name."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.sync.unheard import Unheard

NAMES = {
    "a percent sign": "100% of %s and %(id)s %%",
    "single quotes": "it's 'quoted''",
    "double quotes": 'say "so" ""',
    "capitals": "MixedCase",
    "letters of other scripts": "фильмы_映画",
    "a word of SQL": "select",
    "dollars": "$nefertari$ $1",
    "a backslash": "back\\slash",
    "colons": "a :name and ::text",
    "as long as a name may be": ("a_rather_long_name_" * 5)[:63],
    "bytes that are cut off": ("длинное_имя_таблицы_" * 4)[:63],
}


def models(name, schema=None):
    """Documents that embed rows, all of which are called like this."""

    class Base(DeclarativeBase):
        metadata = sa.MetaData(schema=schema)

    class Größe(Base):
        __tablename__ = name
        nummer = mapped_column(f"id {name}"[:50], sa.Integer, primary_key=True)
        größe: Mapped[str | None] = mapped_column(name[:50], sa.String(200))

    class 映画(Base):  # noqa: N801
        __tablename__ = f"2 {name}"[:63]
        id: Mapped[int] = mapped_column(primary_key=True)
        größe_id = mapped_column(f"ref {name}"[:50], sa.ForeignKey(Größe.nummer))
        größe: Mapped[Größe | None] = relationship(backref="映画s")

    return Größe, 映画


def statements(app, name, schema):
    quote = '"' + name[:50].replace('"', '""') + '"'
    first, second = (model.__table__.name.replace('"', '""') for model in app.models)
    prefix = "" if schema is None else '"' + schema.replace('"', '""') + '".'
    first, second = f'{prefix}"{first}"', f'{prefix}"{second}"'
    return [
        f"INSERT INTO {first} VALUES (1, 'a'), (2, 'b')",
        f"INSERT INTO {second} VALUES (1, 1), (2, 1)",
        f"UPDATE {first} SET {quote} = '%' WHERE {quote} = 'a'",
        f"UPDATE {second} SET id = id + 10",
        f"DELETE FROM {second} WHERE id = 11",
        f"DELETE FROM {first} WHERE {quote} = 'b'",
    ]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_rows_of_tables_of_any_name_reach_the_index(database_url, name):
    follow(database_url, name)


@pytest.mark.parametrize("name", list(NAMES.values())[:6], ids=list(NAMES)[:6])
def test_rows_of_schemas_of_any_name_reach_the_index(postgresql_database_url, name):
    quoted = '"' + name.replace('"', '""') + '"'
    create = f"CREATE SCHEMA {quoted}"
    try:
        follow(postgresql_database_url, "films", name, create)
    finally:
        engine = sa.create_engine(postgresql_database_url)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            driver.execute(f"DROP SCHEMA {quoted} CASCADE")
            driver.commit()
        engine.dispose()


def follow(url, name, schema=None, *before):
    one, other = models(name, schema)
    options = {one: {"nested": ("映画s",)}, other: {"nested": ("größe",)}}
    with Unheard(url, options, *before).installed() as app:
        assert app.problems() == []
        for statement in statements(app, name, schema):
            app.write(statement)
            assert app.entries()
            app.check()
        assert app.documents(one)["1"]["größe"] == "%"
        app.triggers.install()
        assert app.problems() == []
        app.triggers.remove()
        assert {problem for _, _, problem in app.problems()} == {"missing"}
        app.write(*statements(app, name, schema)[2:3])
        assert app.entries() == []


def test_tables_whose_names_differ_by_a_quote_alone_have_their_own_triggers(
    database_url,
):
    """And so have those that differ only behind where PostgreSQL cuts names off."""

    class Base(DeclarativeBase):
        pass

    long = "nearly_as_long_as_a_name_of_postgresql_may_be_which_is_63"
    found = {
        f"Model{number}": type(
            f"Model{number}",
            (Base,),
            {
                "__tablename__": name,
                "id": mapped_column(sa.Integer, primary_key=True),
            },
        )
        for number, name in enumerate(("ab", 'a"b', 'a""b', f"{long}_1", f"{long}_2"))
    }
    with Unheard(database_url, {m: {} for m in found.values()}).installed() as app:
        for model in found.values():
            name = model.__table__.name.replace('"', '""')
            app.write(f'INSERT INTO "{name}" VALUES (7)')
        assert app.entries() == [(name, "", "7") for name in found]
        app.check()


def test_classes_of_two_declarative_bases_on_one_table_share_its_triggers(
    database_url,
):
    """Each has a Table of its own, which knows other columns."""

    class Base(DeclarativeBase):
        pass

    class Other(DeclarativeBase):
        pass

    class Hall(Base):
        __tablename__ = "halls"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]
        seats: Mapped[int | None]

    class Room(Other):
        __tablename__ = "halls"
        id: Mapped[int] = mapped_column(primary_key=True)
        seats: Mapped[int | None]

    with Unheard(database_url, {Hall: {}, Room: {}}).installed() as app:
        app.write("INSERT INTO halls VALUES (7, 'Aurora', 20)")
        assert app.entries() == [("Hall", "", "7"), ("Room", "", "7")]
        app.check()
        app.write("UPDATE halls SET name = 'Borealis'")
        app.write("UPDATE halls SET seats = 30")
        app.check()
        app.write("DELETE FROM halls")
        app.check()


SCRIPT = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.sync.unheard import Unheard

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "items"
    __table_args__ = tuple(sa.UniqueConstraint(name) for name in "abcdef")
    id: Mapped[int] = mapped_column(primary_key=True)
    a: Mapped[int]
    b: Mapped[int]
    c: Mapped[int]
    d: Mapped[int]
    e: Mapped[int]
    f: Mapped[int]

with Unheard("sqlite://", {Item: {}}).setup() as app:
    print(*app.triggers.script(), sep=chr(10))
"""


def test_the_text_of_a_trigger_is_the_same_in_every_process():
    """It is compared with the text of the one that is there."""
    texts = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": str(seed), "PYTHONUTF8": "1"},
        ).stdout
        for seed in range(6)
    }
    assert len(texts) == 1
    assert "CREATE TRIGGER" in texts.pop()
