"""Documents that PostgreSQL writes: they mean what the Core loader's documents mean."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConversionError, InvalidDocumentId
from nefertari_engine_base.primary.sqla.json_loading import (
    JSONStatement,
    json_statement,
)
from nefertari_engine_base.primary.sqla.loading import Loader
from nefertari_engine_base.primary.sqla.types import register_type
from nefertari_engine_base.schema import Nested
from tests.sqla.models import (
    Animal,
    Base,
    Cat,
    Country,
    Director,
    Dog,
    Genre,
    Movie,
    Newspaper,
    Node,
    Owner,
    Paper,
    Review,
    Seat,
    Ticket,
    described,
)
from tests.sqla.test_types import (
    EVERYWHERE,
    POSTGRESQL,
    Case,
    Cents,
    Colour,
    Wrapped,
    cents,
    difficult,
    exploring,
    holder_of,
    int32,
    instants,
    json_values,
    same,
    text,
)

pytestmark = [
    # SQLAlchemy 2.1 of two of its own types, MONEY and DOMAIN
    pytest.mark.filterwarnings("ignore:Type object.*operator_classes"),
]

NEVER = Nested(reindex="never")


@pytest.fixture
def postgresql(postgresql_database_url):
    engine = sa.create_engine(postgresql_database_url)
    with engine.begin() as connection:
        schema = connection.scalar(sa.text("SELECT current_schema()"))
        for extension in ("citext", "hstore"):
            connection.execute(sa.text(f"CREATE EXTENSION {extension} SCHEMA {schema}"))
    engine.dispose()  # drivers look for hstore when they connect
    yield engine
    engine.dispose()


def statement_of(engine, schema) -> JSONStatement:
    statement = json_statement(schema, engine.dialect)
    assert statement is not None
    return statement


def load(connection, statement: JSONStatement, ids) -> dict[str, bytes]:
    """Documents, as a connection of the driver would be asked for them."""
    cursor = connection.connection.cursor()
    cursor.execute(statement.sql, statement.parameters(ids))
    return statement.documents(cursor.fetchall())


def as_json(value: Any) -> Any:
    """An object as its members in their order, and one whose numbers have types."""
    return orjson.loads(value)


def assert_same_shape(one: Any, other: Any) -> None:
    """Equal, with the members of objects in the same order."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert list(one) == list(other)
        for name, value in one.items():
            assert_same_shape(value, other[name])
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other)
        for item, other_item in zip(one, other, strict=True):
            assert_same_shape(item, other_item)
    else:
        assert one == other


# --- embedded documents ----------------------------------------------------------------

EMBEDDING = [
    (Movie, {}),
    (Movie, {"nested": ("director.country", "genres.movies", "reviews")}),
    (Movie, {"nested": ("dynamic_reviews", "written_reviews")}),
    (Movie, {"nested": {"ranked_genres": NEVER, "good_reviews": NEVER}}),
    (
        Movie,
        {
            "nested": {"director": Nested(fields=("name",))},
            "exclude": ("director_id", "plot"),
        },
    ),
    (Director, {"nested": ("movies.reviews", "movies.genres")}),
    (Genre, {"nested": ("movies",)}),
    (Node, {"nested": ("parent.parent", "children.children", "friends.friends")}),
    (Node, {"nested": ("parent.children.friends",)}),
    (Seat, {"nested": ("tickets",)}),
    (Ticket, {"nested": ("seat.tickets",)}),
    (Owner, {"nested": ("animals", "dogs", "cats")}),
    (Animal, {}),
    (Dog, {}),
    (Cat, {}),
    (Paper, {}),
    (Newspaper, {}),
]


@pytest.fixture
def filled(postgresql):
    """A connection to a database in which every relation has none, one and many."""
    Base.metadata.create_all(postgresql)
    movies = [
        Movie(id=n, title=f"movie {n}\n", year=1900 + n, gross=Decimal(n) / 3)
        for n in range(1, 30)
    ]
    genres = [Genre(name=name) for name in ("b", "a", "B", "é", "Z", "z", "", '"')]
    for n, movie in enumerate(movies):
        movie.director_id = n % 9 if n % 9 < 8 else None
        movie.genres = [genres[n % 8], genres[(n + 5) % 8]] if n % 4 else []
        movie.reviews = [Review(stars=s % 3 + 2) for s in range(n % 5)]
    nodes = [Node(id=n, name=f"n{n}") for n in range(1, 20)]
    for n, node in enumerate(nodes):
        node.parent = nodes[(n - 1) // 2] if n else None
        node.friends = [nodes[n * 7 % 19], nodes[n * 11 % 19]][: n % 3]
    seats = [
        Seat(row=row, number=number, tickets=[Ticket() for _ in range(number)])
        for row in ("a", "b,", "c\\", "")
        for number in range(3)
    ]
    animals = [Dog(name="Rex", trick="sit"), Cat(name="Tom"), Animal(name="Nemo")]
    with Session(postgresql) as session:
        session.add_all([Country(id=n, name=f"c{n}") for n in range(1, 3)])
        session.flush()
        session.add_all(
            Director(id=n, name=f"d{n}", country_id=n % 3 or None) for n in range(8)
        )
        session.add_all(genres)
        session.flush()
        session.add_all([*movies, *nodes, *seats, Ticket()])
        session.add_all([Owner(name="Ann", animals=animals), Owner(name="Bob")])
        session.add_all([Paper(title="P"), Newspaper(id=7, title="N")])
        session.commit()
        session.execute(sa.text("UPDATE movie_genres SET position = -movie_id % 2"))
        session.commit()
        yield session.connection()


@pytest.mark.parametrize(("model", "options"), EMBEDDING)
def test_documents_are_those_of_the_core_loader(filled, model, options):
    schema = described(model, **options)
    loader, statement = Loader(schema), statement_of(filled, schema)
    ids = loader.list_ids(filled, None, 100)
    expected = loader.load(filled, ids)
    found = load(filled, statement, [*ids, ids[0]])
    assert ids
    assert found.keys() == expected.keys()
    for id_, document in found.items():
        assert_same_shape(orjson.loads(document), orjson.loads(expected[id_]))
        assert document == orjson.dumps(orjson.loads(document))  # compact
        assert load(filled, statement, [id_]) == {id_: document}
    assert load(filled, statement, []) == {}


# --- types -----------------------------------------------------------------------------

#: Values that pass through Python code, or that SQL has no form for.
BY_PYTHON = {
    "Float of decimals",
    "a variant of another kind",
    "ARRAY of instants",
}
MORE = [
    Case("CHAR", sa.CHAR(5), st.text("ab", max_size=5), Kind.STRING),
    Case("Decorated twice", sa.Interval(native=True), st.timedeltas(), Kind.INTERVAL),
    Case("Numeric without decimals", sa.Numeric(asdecimal=False), cents, Kind.FLOAT),
    Case("DOMAIN of decimals", pg.DOMAIN("amount", sa.Numeric()), cents, Kind.DECIMAL),
    Case(
        "DOMAIN of instants",
        pg.DOMAIN("instant", sa.DateTime(timezone=True)),
        instants,
        Kind.DATETIME,
    ),
    Case(
        "ARRAY of floats",
        pg.ARRAY(sa.Float),
        st.lists(st.floats() | st.none()),
        Kind.FLOAT,
        True,
    ),
    Case(
        "ARRAY of UUIDs",
        pg.ARRAY(sa.Uuid),
        st.lists(st.uuids() | st.none()),
        Kind.UUID,
        True,
    ),
    Case(
        "ARRAY of Booleans",
        pg.ARRAY(sa.Boolean),
        st.lists(st.booleans() | st.none()),
        Kind.BOOLEAN,
        True,
    ),
    Case(
        "ARRAY of any decimals",
        pg.ARRAY(sa.Numeric),
        st.lists(cents | st.none() | st.just(Decimal("NaN"))),
        Kind.DECIMAL,
        True,
    ),
    Case(
        "ARRAY of arrays of text",
        pg.ARRAY(sa.Text, dimensions=2),
        st.lists(st.tuples(text, st.none() | text).map(list)),
        Kind.TEXT,
        True,
    ),
    Case(
        "ARRAY of members with none",
        pg.ARRAY(sa.Enum(Colour, name="colours_or_none")),
        st.lists(st.sampled_from(Colour) | st.none()),
        Kind.ENUM,
        True,
    ),
]
CASES = [case for case in EVERYWHERE + POSTGRESQL + MORE if case.name not in BY_PYTHON]


def insert(engine, model, values) -> list[str]:
    """Rows of a holder, and their ids."""
    rows = [{"id": number, "value": value} for number, value in enumerate(values)]
    with engine.begin() as connection:
        connection.execute(sa.delete(model))
        connection.execute(sa.insert(model.__table__), rows)
    return [str(row["id"]) for row in rows]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_are_those_of_the_core_loader(case, postgresql):
    model = holder_of(case.type)
    model.metadata.create_all(postgresql)
    schema = described(model)
    field = schema.fields["value"]
    loader, statement = Loader(schema), statement_of(postgresql, schema)

    @exploring
    @given(st.lists(st.none() | case.values, min_size=1, max_size=6))
    def explore(values):
        ids = insert(postgresql, model, values)
        with postgresql.connect() as connection:
            expected = loader.load(connection, ids)
            try:
                found = load(connection, statement, ids)
            except ConversionError:
                assert any(map(is_left_to_python, values))
                found = expected
        assert found.keys() == expected.keys()
        for id_, document in expected.items():
            form = json.loads(document)["value"]
            [(_, key), (_, found_form)] = json.loads(
                found[id_], object_pairs_hook=list
            ) if case.kind is not Kind.JSON else json.loads(found[id_]).items()
            assert str(key) == id_
            assert same(field.decode(found_form), field.decode(form))
            if case.kind not in (Kind.FLOAT, Kind.JSON, Kind.DECIMAL, Kind.IP):
                assert found[id_] == document

    explore()


def is_left_to_python(value) -> bool:
    """Whether a value's JSON has a number in scientific notation, as large floats."""
    return re.search(r"\de\+?\d\d", json.dumps(value, default=str)) is not None
