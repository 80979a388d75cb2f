"""Documents that PostgreSQL writes: they mean what the Core loader's documents mean."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

import orjson
import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given
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
from nefertari_engine_base.exceptions import InvalidDocumentId
from nefertari_engine_base.primary.sqla.json_loading import (
    JSONStatement,
    UnreadableRows,
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
    instants,
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
    return statement.documents(cursor.fetchall(), connection)


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


# --- embedded documents -----------------------------------------------------------

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


# --- types ------------------------------------------------------------------------

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
                left = ()
            except UnreadableRows as error:
                found, left = dict(error.documents), error.ids
            found |= loader.load(connection, left)
        assert all(is_left_to_python(values[int(id_)]) for id_ in left)
        assert found.keys() == expected.keys()
        for id_, document in expected.items():
            form = json.loads(document)["value"]
            found_form = json.loads(found[id_])["value"]
            assert same(field.decode(found_form), field.decode(form))
            if case.kind not in (Kind.FLOAT, Kind.JSON, Kind.DECIMAL, Kind.IP):
                assert found[id_] == document

    explore()


def is_left_to_python(value) -> bool:
    """Whether a value's JSON has a number that jsonb would make another kind of, or a
    backslash before an escaped character, which SQL does not tell from a half of one.
    """
    form = json.dumps(value, default=str)
    return re.search(r"\de(\+?\d\d|-\d\d\d)|\d{250}|\\\\u", form) is not None


#: One column of each type, and a value that a session prints in ways of its own.
PRINTED = {
    "date": (sa.Date(), dt.date(1982, 6, 25)),
    "moment": (sa.DateTime(), dt.datetime(1982, 6, 25, 20, 15, 0, 120_000)),  # noqa: DTZ001
    "instant": (
        sa.DateTime(timezone=True),
        dt.datetime(1982, 6, 25, 20, 15, tzinfo=dt.UTC),
    ),
    "time": (sa.Time(), dt.time(20, 15, 0, 10)),
    "zoned": (
        sa.Time(timezone=True),
        dt.time(20, 15, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
    ),
    "interval": (sa.Interval(), dt.timedelta(days=-3, microseconds=70)),
    "bytes": (sa.LargeBinary(), bytes(range(256)) * 2),
    "decimal": (sa.Numeric(), Decimal("-1234567.80")),
    "float": (sa.Float(), 0.1 + 0.2),
    "json": (sa.JSON(), {"b": [1.5, None], "a": "é\n\\"}),
    "text": (sa.Text(), "\\ \" ' \x01 % %(key_0)s é\n"),
    "jsonb": (pg.JSONB(), [1, {"x": "y"}]),
}
SETTINGS = [
    {"TimeZone": "Asia/Kolkata"},
    {"TimeZone": "America/New_York", "DateStyle": "SQL, DMY"},
    {"DateStyle": "German"},
    {"DateStyle": "Postgres, MDY", "bytea_output": "escape"},
    {"IntervalStyle": "iso_8601"},
    {"IntervalStyle": "sql_standard", "extra_float_digits": "3"},
    {"IntervalStyle": "postgres_verbose", "standard_conforming_strings": "off"},
    {"plan_cache_mode": "force_generic_plan"},
]


def test_no_setting_of_a_session_changes_the_bytes(postgresql):
    metadata = sa.MetaData()
    base = type("PrintedBase", (DeclarativeBase,), {"metadata": metadata})
    columns = {name: mapped_column(type_) for name, (type_, _) in PRINTED.items()}
    columns["id"] = mapped_column(sa.Integer, primary_key=True)
    model = type("Printed", (base,), {"__tablename__": "printed", **columns})
    metadata.create_all(postgresql)
    values = {name: value for name, (_, value) in PRINTED.items()}
    schema = described(model)
    with postgresql.begin() as connection:
        connection.execute(sa.insert(model).values(id=1, **values))
        expected = Loader(schema).load(connection, ["1"])["1"]
    statement = statement_of(postgresql, schema)
    found = set()
    for settings in SETTINGS:
        with postgresql.connect() as connection:
            for name, value in settings.items():
                connection.exec_driver_sql(f"SET LOCAL {name} = '{value}'")
            found.add(load(connection, statement, ["1"])["1"])
    [document] = found
    assert orjson.loads(document) == orjson.loads(expected)
    for name in PRINTED:
        decoded = schema.fields[name].decode(orjson.loads(document)[name])
        assert decoded == values[name]


SMALLEST, GREATEST = "0001-01-01", "9999-12-31"
#: Types, and values that both loaders read alike.
READABLE = [
    ("date", sa.Date(), f"'{SMALLEST}'"),
    ("date", sa.Date(), f"'{GREATEST}'"),
    ("timestamp", sa.DateTime(), f"'{SMALLEST} 00:00:00.000001'"),
    ("timestamp", sa.DateTime(), f"'{GREATEST} 23:59:59.999999'"),
    ("timestamptz", sa.DateTime(timezone=True), f"'{SMALLEST} 00:00:00+00'"),
    ("timestamptz", sa.DateTime(timezone=True), f"'{GREATEST} 23:59:59.999+00'"),
    ("time", sa.Time(), "'23:59:59.999999'"),
    ("timetz", sa.Time(timezone=True), "'00:00:00.5+15:59:59'"),
    ("timetz", sa.Time(timezone=True), "'23:59:59.000001-01:02:03'"),
    ("interval", sa.Interval(), "'1 year 2 months 3 days 04:05:06.7'"),
    ("interval", sa.Interval(), "'-1 year 3 days -04:05:06.000007'"),
    ("interval", sa.Interval(), "'999999999 days 23:59:59.999999'"),
    ("interval", sa.Interval(), "'-999999999 days'"),
    ("numeric", sa.Numeric(), "'NaN'"),
    ("numeric", sa.Numeric(), "'Infinity'"),
    ("numeric", sa.Numeric(), "1e-300"),
    ("numeric", sa.Numeric(asdecimal=False), "'NaN'"),
    ("numeric", sa.Numeric(asdecimal=False), "9.99e307"),
    ("numeric", sa.Numeric(asdecimal=False), "-1e-320"),
    ("float8", sa.Float(), "'-Infinity'"),
    ("float8", sa.Float(), "-0.0"),
    ("float8", sa.Float(), "5e-324"),
    ("json", sa.JSON(), """'{"a": 1,\n\t"b": {"c": [ 1, 2 ]}, "a": 2}'"""),
    ("json", sa.JSON(), r"""'["\ud83c\udfac \u00e9 \\ \n", 1e5, 1.50, -0]'"""),
    ("json", sa.JSON(), "'null'"),
    ("jsonb", pg.JSONB(), "'null'"),
    ("jsonb", pg.JSONB(), "'[1e300, 1e-300, 12345678901234567890]'"),
    ("hstore", pg.HSTORE(), r"""'a=>1, b=>NULL, "c d"=>"\"x"'"""),
    ("inet", pg.INET(), "'10.0.0.1/8'"),
    ("inet", pg.INET(), "'::ffff:1.2.3.4'"),
    ("inet", pg.INET(), "'2001:db8::1/64'"),
    ("cidr", pg.CIDR(), "'10.0.0.1'"),
    ("int[]", pg.ARRAY(sa.Integer), "'[0:1]={1,2}'"),
    ("int[]", pg.ARRAY(sa.Integer), "'{{1,2},{3,NULL}}'"),
    ("text[]", pg.ARRAY(sa.Text), "'{}'"),
    ("money", pg.MONEY(), "'-12.50'"),
    ("bit varying(9)", pg.BIT(9, varying=True), "B'010'"),
    ("citext", pg.CITEXT(), "'ABC'"),
    ("char(3)", sa.CHAR(3), "'a'"),
    ("bytea", sa.LargeBinary(), "repeat('x', 1000)::bytea"),
    ("varchar", sa.Enum("100 %", "a') THEN b", native_enum=False), "'a'') THEN b'"),
    ("varchar", sa.Enum("100 %", "b", native_enum=False), "'100 %%'"),
    ("text", sa.Text(), "chr(1) || chr(127) || chr(8232) || '</script>'"),
]
#: Types, and values that SQL leaves to Python, whatever that makes of them.
UNREADABLE = [
    ("date", sa.Date(), "'10000-01-01'"),
    ("date", sa.Date(), "'0001-12-31 BC'"),
    ("date", sa.Date(), "'infinity'"),
    ("timestamp", sa.DateTime(), "'-infinity'"),
    ("timestamp", sa.DateTime(), "'10000-01-01'"),
    ("timestamptz", sa.DateTime(timezone=True), "'infinity'"),
    ("timestamptz", sa.DateTime(timezone=True), "'0044-03-15 00:00:00+00 BC'"),
    ("time", sa.Time(), "'24:00:00'"),
    ("timetz", sa.Time(timezone=True), "'24:00:00+00'"),
    ("interval", sa.Interval(), "'1000000000 days'"),
    ("interval", sa.Interval(), "'178000000 years'"),
    ("interval", sa.Interval(), "'-999999999 days -00:00:00.000001'"),
    ("numeric", sa.Numeric(asdecimal=False), "1e400"),
    ("numeric", sa.Numeric(asdecimal=False), "'-Infinity'"),
    ("varchar", sa.Enum("a", "b", native_enum=False), "'c'"),
    ("text[]", pg.ARRAY(sa.Enum("a", "b", native_enum=False)), "'{a,NULL,c}'"),
    ("json", sa.JSON(), r"""'"\u0000"'"""),
    ("json", sa.JSON(), r"""'{"a": "\ud83c"}'"""),
    ("json", sa.JSON(), r"""'["\udfac"]'"""),
    ("json", sa.JSON(), r"""'"\ud83c\ud83c\udfac"'"""),
    ("json", sa.JSON(), r"""'"\\ud83c\udfac"'"""),
    ("json", sa.JSON(), "'[1e400]'"),
    ("json", sa.JSON(), "'1e-20000'"),
    ("json", sa.JSON(), "repeat('9', 140000)::json"),
    ("json", sa.JSON(), "'1E22'"),
]


def stored(connection, column_type, type_, value):
    """A model of one row, whose value is an expression of SQL."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS holders")
    connection.exec_driver_sql(
        f"CREATE TABLE holders (id integer PRIMARY KEY, value {column_type})"
    )
    connection.exec_driver_sql(f"INSERT INTO holders VALUES (1, {value})")
    return described(holder_of(type_))


@pytest.mark.parametrize(("column_type", "type_", "value"), READABLE)
def test_values_at_the_border_are_those_of_the_core_loader(
    postgresql, column_type, type_, value
):
    with postgresql.connect() as connection:
        schema = stored(connection, column_type, type_, value)
        field = schema.fields["value"]
        expected = Loader(schema).load(connection, ["1"])["1"]
        found = load(connection, statement_of(postgresql, schema), ["1"])["1"]
    assert b"\n" not in found
    form, other = (json.loads(document)["value"] for document in (found, expected))
    assert same(field.decode(form), field.decode(other))
    assert field.kind is Kind.FLOAT or type(form) is type(other)


@pytest.mark.parametrize(("column_type", "type_", "value"), UNREADABLE)
def test_what_sql_leaves_to_python_does_not_end_the_transaction(
    postgresql, column_type, type_, value
):
    with postgresql.connect() as connection:
        schema = stored(connection, column_type, type_, value)
        with pytest.raises(UnreadableRows, match="Holder, first '1'"):
            load(connection, statement_of(postgresql, schema), ["1"])
        connection.exec_driver_sql("UPDATE holders SET value = NULL")
        found = load(connection, statement_of(postgresql, schema), ["1"])
    assert found == {"1": b'{"id":1,"value":null}'}


def test_a_document_is_the_same_beside_one_that_is_unreadable(filled):
    schema = described(Director, nested=("movies",))
    loader, statement = Loader(schema), statement_of(filled, schema)
    ids = loader.list_ids(filled, None, 100)
    before = load(filled, statement, ids)
    filled.exec_driver_sql("UPDATE movies SET released = 'infinity' WHERE id = 2")
    with pytest.raises(UnreadableRows) as raised:
        load(filled, statement, ids)
    assert raised.value.ids == ("1",)
    del before["1"]
    assert raised.value.documents == before


# --- models without a statement ---------------------------------------------------


class Lower(TypeDecorator):
    impl = sa.String
    cache_ok = True

    def process_result_value(self, value, dialect):
        return value and value.lower()


class Selected(TypeDecorator):
    impl = sa.String
    cache_ok = True

    def column_expression(self, column):
        return sa.func.upper(column)


class Own(sa.String):
    def result_processor(self, dialect, coltype):
        return lambda value: value and value[::-1]


class Geometry(UserDefinedType):
    cache_ok = True


@pytest.mark.parametrize(
    "type_",
    [
        Lower(),
        Selected(),
        Own(),
        Wrapped(),
        Cents(),
        Geometry(),
        pg.ARRAY(Lower()),
        pg.ARRAY(sa.Date()),
        pg.ARRAY(sa.LargeBinary()),
        pg.DOMAIN("shade", sa.Enum(Colour)),
        sa.Float(asdecimal=True),
        sa.Interval(native=False),
        sa.Uuid(native_uuid=False),
        sa.Enum(Colour, omit_aliases=False),
        sa.String().with_variant(Lower(), "postgresql"),
        sa.JSON().with_variant(pg.ARRAY(sa.Integer), "postgresql"),
        sa.BINARY(),
    ],
    ids=str,
)
def test_values_that_python_makes_are_left_to_the_core_loader(type_, postgresql):
    register_type(Geometry, Kind.JSON)
    dialect = postgresql.dialect
    assert json_statement(described(holder_of(type_)), dialect) is None
    metadata = sa.MetaData()
    base = type("Owners", (DeclarativeBase,), {"metadata": metadata})
    held = type(
        "Held",
        (base,),
        {
            "__tablename__": "held",
            "id": mapped_column(sa.Integer, primary_key=True),
            "owner_id": mapped_column(sa.ForeignKey("holders.id")),
            "value": mapped_column(type_),
        },
    )
    holder = type(
        "Holder",
        (base,),
        {
            "__tablename__": "holders",
            "id": mapped_column(sa.Integer, primary_key=True),
            "held": relationship(held),
        },
    )
    assert json_statement(described(holder, nested=("held",)), dialect) is None
    schema = described(holder, nested=("held",), exclude=("held.value",))
    assert json_statement(schema, dialect) is not None


def test_kinds_that_an_application_registers_are_left_to_the_core_loader(postgresql):
    class Registered(TypeDecorator):
        impl = sa.Integer
        cache_ok = True

    schema = described(holder_of(Registered()))
    assert json_statement(schema, postgresql.dialect) is not None
    register_type(Registered, Kind.DECIMAL)
    schema = described(holder_of(Registered()))
    assert json_statement(schema, postgresql.dialect) is None


def test_a_json_deserializer_of_the_application_is_not_passed_over(
    postgresql_database_url,
):
    engine = sa.create_engine(
        postgresql_database_url, json_deserializer=lambda text: {"read": text}
    )
    assert json_statement(described(holder_of(sa.JSON())), engine.dialect) is None
    assert json_statement(described(holder_of(sa.Text())), engine.dialect) is not None


def test_only_postgresql_by_psycopg_is_asked_to_write_json():
    schema = described(Movie)
    assert json_statement(schema, sqlite.dialect()) is None
    assert (
        json_statement(
            schema,
            sa.create_mock_engine("postgresql+asyncpg://", lambda *_: None).dialect,
        )
        is None
    )


# --- keys -------------------------------------------------------------------------


class KeyBase(DeclarativeBase):
    pass


class Named(KeyBase):
    __tablename__ = "named"
    name: Mapped[str] = mapped_column(sa.String(9), primary_key=True)


class Pair(KeyBase):
    __tablename__ = "pairs"
    left = mapped_column(sa.Text, primary_key=True)
    right = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)


class Keyed(KeyBase):
    __tablename__ = "keyed"
    id = mapped_column(sa.Uuid, primary_key=True)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (Named, st.tuples(difficult)),
        (Pair, st.tuples(difficult, st.integers(-(2**15), 2**15 - 1))),
        (Keyed, st.tuples(st.uuids())),
    ],
)
def test_keys_of_any_value_lead_to_their_documents(model, keys, postgresql):
    KeyBase.metadata.create_all(postgresql)
    schema = described(model)
    loader, statement = Loader(schema), statement_of(postgresql, schema)

    @exploring
    @given(st.lists(keys, unique=True))
    def explore(drawn):
        ids = [schema.document_id(key) for key in drawn]
        with postgresql.begin() as connection:
            connection.execute(sa.delete(model))
            for key in drawn:
                values = dict(zip(schema.primary_key, key, strict=True))
                connection.execute(sa.insert(model).values(values))
            found = load(connection, statement, ids)
            assert found == loader.load(connection, ids)
            assert found.keys() == set(ids)

    explore()


@pytest.mark.parametrize(
    ("model", "id_"),
    [
        (Movie, "one"),
        (Movie, str(2**63)),
        (Pair, "a"),
        (Pair, "a,one"),
        (Pair, f"a,{2**70}"),
        (Pair, "a\0,1"),
        (Named, "\0"),
        (Named, "\ud800"),
        (Keyed, "x"),
    ],
)
def test_an_id_that_no_row_can_have_is_an_error(postgresql, model, id_):
    statement = statement_of(postgresql, described(model))
    with pytest.raises(InvalidDocumentId, match=model.__name__):
        statement.parameters([id_])


def test_a_key_beyond_its_column_finds_nothing(filled):
    movies = statement_of(filled, described(Movie))
    assert load(filled, movies, [str(2**40), "-1"]) == {}
    genres = statement_of(filled, described(Genre))
    assert load(filled, genres, ["a" * 41]) == {}


def test_a_document_comes_under_the_id_that_its_row_has(filled):
    movies = statement_of(filled, described(Movie))
    assert load(filled, movies, ["01"]).keys() == {"1"}


@pytest.mark.parametrize(
    "type_", [sa.CHAR(3), pg.CITEXT(), sa.Enum("a", name="letters"), sa.Float()]
)
def test_keys_that_compare_in_ways_of_their_own_are_left_to_the_core_loader(
    type_, postgresql
):
    base = type("OddBase", (DeclarativeBase,), {})
    key = mapped_column(type_, primary_key=True)
    odd = type("Odd", (base,), {"__tablename__": "odd", "id": key})
    assert json_statement(described(odd), postgresql.dialect) is None


# --- names, orders, expressions ---------------------------------------------------


class OddBase(DeclarativeBase):
    pass


class Shelf(OddBase):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship(
        order_by="(Book.rank.desc().nulls_last(), Book.weight + Book.id)",
        back_populates="shelf",
    )
    label: Mapped[Label | None] = relationship(back_populates="shelf")


class Book(OddBase):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shelves.id"))
    rank: Mapped[int | None]
    weight: Mapped[int] = mapped_column('100 % of "it"')
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")


class Label(OddBase):
    __tablename__ = "labels"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(sa.ForeignKey("shelves.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="label")


Shelf.book_count = column_property(
    sa.select(sa.func.count(Book.id, type_=sa.Integer))
    .where(Book.shelf_id == Shelf.id)
    .correlate_except(Book)
    .scalar_subquery()
)


def test_relations_keep_their_order_and_expressions_their_meaning(postgresql):
    OddBase.metadata.create_all(postgresql)
    rows = [(1, 5, 0), (2, None, 0), (3, 5, -9), (4, 7, 0), (5, None, -9)]
    with Session(postgresql) as session:
        books = [Book(id=n, rank=r, weight=w) for n, r, w in rows]
        session.add(Shelf(id=1, books=books, label=Label(id=9)))
        session.add(Shelf(id=2))
        session.commit()
        connection = session.connection()
        schema = described(Shelf, nested=("books", "label"))
        found = load(connection, statement_of(postgresql, schema), ["1", "2"])
        assert found == Loader(schema).load(connection, ["1", "2"])
    shelf = orjson.loads(found["1"])
    assert [book["id"] for book in shelf["books"]] == [4, 3, 1, 5, 2]
    assert (shelf["book_count"], shelf["label"]["id"]) == (5, 9)


def test_names_of_any_number_and_length_are_kept(postgresql):
    metadata = sa.MetaData()
    base = type("WideBase", (DeclarativeBase,), {"metadata": metadata})
    names = [f"{'long_name_' * 8}{number}é" for number in range(250)]
    columns = {
        name: mapped_column(f"c{number}", sa.Integer)
        for number, name in enumerate(names)
    }
    columns["id"] = mapped_column(sa.Integer, primary_key=True)
    wide = type("Wide", (base,), {"__tablename__": "wide", **columns})
    metadata.create_all(postgresql)
    schema = described(wide)
    with postgresql.begin() as connection:
        connection.execute(sa.insert(wide).values(id=1, **dict.fromkeys(names, 7)))
        found = load(connection, statement_of(postgresql, schema), ["1"])
        assert found == Loader(schema).load(connection, ["1"])


# --- use --------------------------------------------------------------------------


def test_the_statement_needs_no_index_on_what_it_embeds(filled):
    """Each table is scanned once, however many documents are asked for."""
    statement = statement_of(filled, described(Movie, nested=("reviews",)))
    ids = [str(number) for number in range(1, 30)]
    filled.exec_driver_sql("SET LOCAL enable_indexscan = off")
    cursor = filled.connection.cursor()
    cursor.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}", statement.parameters(ids)
    )
    plan = json.dumps(cursor.fetchone()[0])
    scans = re.findall(r'"Relation Name": "reviews".*?"Actual Loops": (\d+)', plan)
    assert scans == ["1"]


def test_a_generic_plan_finds_keys_by_the_index(filled):
    statement = statement_of(filled, described(Seat))
    filled.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    filled.exec_driver_sql("SET LOCAL enable_seqscan = off")
    cursor = filled.connection.cursor()
    cursor.execute(f"EXPLAIN {statement.sql}", statement.parameters(["a,1"]))
    assert "seats_pkey" in "".join(line for (line,) in cursor)


def test_the_statement_goes_through_a_pipeline(filled):
    statement = statement_of(filled, described(Movie, nested=("director", "reviews")))
    connection: psycopg.Connection = filled.connection.dbapi_connection
    with connection.pipeline():
        first = connection.execute("SELECT 1")
        second = connection.execute(statement.sql, statement.parameters(["1", "2"]))
        assert first.fetchall() == [(1,)]
        found = statement.documents(second.fetchall(), filled)
        assert found.keys() == {"1", "2"}
