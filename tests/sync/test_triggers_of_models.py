"""Triggers find the documents of rows, whatever relations and inheritance there are."""

from __future__ import annotations

import datetime as dt
import os
import random
import uuid
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla.loading import to_dict
from tests.application import Application, contents
from tests.sqla import computed_models, models
from tests.sqla.models import (
    Animal,
    Cat,
    Director,
    Dog,
    Genre,
    Movie,
    Newspaper,
    Node,
    Owner,
    Paper,
    Seat,
    Ticket,
)
from tests.sync import test_computed_fields
from tests.sync.test_triggers import triggers

SEED = os.environ.get("NEFERTARI_TEST_SEED") or os.urandom(4).hex()
#: Values of keys and of other columns.
KEYS, WORDS = 4, ["a", "b", "", "\\", "x,y", "漢"]


def declare(config):
    """Documents that embed along every kind of relation, several levels deep."""
    config.add_secondary(
        Movie, nested=("director.country", "genres", "reviews"), exclude=("gross",)
    )
    config.add_secondary(Director, nested=("movies.genres", "movies.reviews"))
    config.add_secondary(Genre, nested=("movies.director",))
    config.add_secondary(Node, nested=("parent", "children.children", "friends"))
    config.add_secondary(Seat, nested=("tickets",))
    config.add_secondary(Ticket, nested=("seat",))
    config.add_secondary(Animal)
    config.add_secondary(Dog)
    config.add_secondary(Cat, exclude=("kind",))
    config.add_secondary(Owner, nested=("animals", "dogs", "cats"))
    config.add_secondary(Paper)
    config.add_secondary(Newspaper)


INDEXED = (Movie, Director, Genre, Node, Seat, Ticket, Animal, Dog, Cat, Owner, Paper,
           Newspaper)  # fmt: skip


class Kit(NamedTuple):
    """Models, what they are told of documents, and the tables to write."""

    declare: Any
    indexed: tuple[type, ...]
    tables: list[sa.Table]


KITS = {
    "every relation": Kit(
        declare, INDEXED, list(models.Base.metadata.tables.values())
    ),
    "computed fields": Kit(
        test_computed_fields.declare,
        test_computed_fields.MODELS,
        [
            table
            for name, table in computed_models.Base.metadata.tables.items()
            if name
            in ("movies", "directors", "countries", "genres", "movie_genres",
                "reviews", "nodes")
        ],
    ),
}  # fmt: skip


@pytest.fixture(params=KITS)
def kit(request):
    return KITS[request.param]


@pytest.fixture
def app(kit, database_url, elasticsearch_url, index_prefix):
    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        kit.declare,
        nefertari__sync="worker",
    ).setup()
    triggers(app).install()
    yield app
    app.close()


class Chaos:
    """Random statements on every table, from values so few that they often meet."""

    def __init__(self, tables, seed):
        self.random = random.Random(seed)
        self.tables = tables

    def value(self, column):
        if column.nullable and self.random.random() < 0.2:
            return None
        if column.name == "kind":
            return self.random.choice(["animal", "cat"])
        if column.foreign_keys:
            (key, *_) = column.foreign_keys
            return self.value(key.column)
        values = {
            sa.Integer: lambda: self.random.randint(1, KEYS),
            sa.String: lambda: self.random.choice(WORDS),
            sa.Text: lambda: self.random.choice(WORDS),
            sa.Double: lambda: float(self.random.randint(1, 10)),
            sa.Numeric: lambda: Decimal(self.random.randint(1, 999)) / 100,
            sa.Boolean: lambda: self.random.random() < 0.5,
            sa.Date: lambda: dt.date(2000, 1, self.random.randint(1, 28)),
            sa.DateTime: lambda: dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
            sa.Enum: lambda: self.random.choice(list(models.Mood)),
        }
        return values[type(column.type)]()

    def statements(self):
        table = self.random.choice(self.tables)
        columns = list(table.columns)
        some = self.random.sample(columns, self.random.randint(1, min(3, len(columns))))
        where = [column == self.value(column) for column in some[:1]]
        kind = self.random.choice(["insert", "insert", "update", "update", "delete"])
        if table.name == "dogs" and kind != "update":
            # A row of one table of a class alone is none that SQLAlchemy could read.
            key, trick = self.random.randint(1, KEYS), self.random.choice(WORDS)
            animals = models.Base.metadata.tables["animals"]
            if kind == "insert":
                return [
                    animals.insert().values(id=key, kind="dog", name=trick),
                    table.insert().values(id=key, trick=trick),
                ]
            return [
                table.delete().where(table.c.id == key),
                animals.delete().where(animals.c.id == key, animals.c.kind == "dog"),
            ]
        if table.name == "animals":
            where.append(table.c.kind != "dog")
        if table.name == "dogs":
            some = [table.c.trick]
        if kind == "insert":
            return [table.insert().values({c: self.value(c) for c in columns})]
        if kind == "update":
            values = {column: self.value(column) for column in some}
            return [table.update().where(*where).values(values)]
        return [table.delete().where(*where)]


@pytest.mark.parametrize("keys", ["obeyed", "ignored"])
def test_random_statements_on_every_table_leave_nothing_stale(app, kit, keys):
    sqlite = app.database.dialect.name == "sqlite"
    if not sqlite and keys == "ignored":
        pytest.skip("PostgreSQL obeys foreign keys")
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    chaos, done = Chaos(kit.tables, SEED), 0
    for _ in range(8):
        for _ in range(60):
            try:
                with app.database.begin() as connection:
                    if sqlite:
                        obeyed = "ON" if keys == "obeyed" else "OFF"
                        connection.exec_driver_sql(f"PRAGMA foreign_keys = {obeyed}")
                    for statement in chaos.statements():
                        # An insert may not tell.
                        done += abs(connection.execute(statement).rowcount)
            except sa.exc.IntegrityError:
                continue
        app.drain()
        assert app.entries() == []
        for model in kit.indexed:
            assert documents(app, model) == rows(app, model), model.__name__
    assert done > 50


def documents(app, model):
    found = app.documents(model).items()
    return {id_: unordered(contents(document)) for id_, document in found}


def rows(app, model):
    """What the documents of a model should be, subclasses shown as the model is."""
    schema = app.engines.schema_of(model)
    with app.session() as session:
        return {
            app.primary.document_id(row): unordered(to_dict(schema, row))
            for row in session.scalars(sa.select(model)).unique()
        }


def unordered(value):
    """A document whose relations have no order."""
    if isinstance(value, list):
        return sorted(map(unordered, value), key=repr)
    if isinstance(value, dict):
        return {name: unordered(item) for name, item in value.items()}
    return value


class Base(DeclarativeBase):
    pass


class Stamped(Base):
    """A key of many types."""

    __tablename__ = "stamped"
    token: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(primary_key=True)
    clock: Mapped[dt.time] = mapped_column(primary_key=True)
    flag: Mapped[bool] = mapped_column(primary_key=True)
    mood: Mapped[models.Mood] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


class Hashed(Base):
    """Python alone knows what its key means."""

    class Reversed(sa.types.TypeDecorator):
        impl = sa.String
        cache_ok = True

        def process_bind_param(self, value, dialect):
            return value[::-1]

        def process_result_value(self, value, dialect):
            return value[::-1]

    __tablename__ = "hashed"
    id: Mapped[str] = mapped_column(Reversed, primary_key=True)


def make(database_url, elasticsearch_url, index_prefix, *classes):
    def declare(config):
        for model in classes:
            config.add_secondary(model)

    return Application(
        database_url, elasticsearch_url, index_prefix, declare, nefertari__sync="worker"
    ).setup()


@pytest.mark.parametrize("microsecond", [0, 120])
def test_ids_of_keys_of_every_type_are_those_of_sessions(
    database_url, elasticsearch_url, index_prefix, microsecond
):
    app = make(database_url, elasticsearch_url, index_prefix, Stamped)
    try:
        key = {
            "token": uuid.uuid4(),
            "day": dt.date(1982, 6, 25),
            "at": dt.datetime(1982, 6, 25, 20, 15, 0, microsecond),  # noqa: DTZ001
            "clock": dt.time(20, 15, 0, microsecond),
            "flag": False,
            "mood": models.Mood.DARK,
            "word": "a,\\b",
        }
        app.save(Stamped(**key))
        by_session = app.entries()
        triggers(app).install()
        with app.database.begin() as connection:
            connection.execute(Stamped.__table__.delete())
        # The statement itself makes an entry, and the trigger makes one.
        assert app.entries() == [*by_session, *by_session, *by_session]
    finally:
        app.close()


def test_triggers_are_refused_where_sql_cannot_name_a_document(
    database_url, elasticsearch_url, index_prefix
):
    app = make(database_url, elasticsearch_url, index_prefix, Hashed, Stamped)
    try:
        with pytest.raises(ConfigurationError, match=r"hashed\.id"):
            triggers(app).install()
        triggers(app).remove()
    finally:
        app.close()
