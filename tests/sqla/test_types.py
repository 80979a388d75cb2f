"""Every type's values, from the database to a document and back."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.types import TypeDecorator, UserDefinedType

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.json_text import write_json
from nefertari_engine_base.primary.sqla.loading import Loader, to_dict
from nefertari_engine_base.primary.sqla.types import (
    TypeDescription,
    describe_type,
    register_type,
)
from tests.sqla.models import described

pytestmark = [
    pytest.mark.filterwarnings("ignore:Dialect sqlite.*Decimal"),
    # SQLAlchemy 2.1 of two of its own types, MONEY and DOMAIN
    pytest.mark.filterwarnings("ignore:Type object.*operator_classes"),
]


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
    ROUGE = "r"  # noqa: PIE796 - an alias


class LowerCase(TypeDecorator):
    impl = sa.String
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value if value is None else value.lower()


class Cents(TypeDecorator):
    """Decimals of two places, stored as integers."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else int(value * 100)

    def process_result_value(self, value, dialect):
        return None if value is None else Decimal(value) / 100


def values_of(colours):
    return [colour.value for colour in colours]


@dataclass
class Case:
    """Values that a column of a type is tried with."""

    name: str
    type: Any
    values: st.SearchStrategy
    kind: Kind
    many: bool = False

    def __str__(self):
        return self.name


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
zones = st.integers(-12, 12).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
earliest, latest = dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)  # noqa: DTZ001
moments = st.datetimes(earliest, latest)
instants = st.datetimes(earliest, latest, timezones=zones)
cents = st.decimals(-(10**10), 10**10, places=2, allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | text
    # JSONB writes larger ones as integers, which not every reader takes for exact.
    | st.floats(-1e15, 1e15),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip
small = st.floats(-1e9, 1e9)
deltas = st.timedeltas(dt.timedelta(-40_000), dt.timedelta(40_000))
int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)

EVERYWHERE = [
    Case("String", sa.String(), text, Kind.STRING),
    Case("Text", sa.Text(), text, Kind.TEXT),
    Case("Unicode", sa.Unicode(), text, Kind.STRING),
    Case("UnicodeText", sa.UnicodeText(), text, Kind.TEXT),
    Case("Integer", sa.Integer(), int32, Kind.INTEGER),
    Case(
        "SmallInteger",
        sa.SmallInteger(),
        st.integers(-(2**15), 2**15 - 1),
        Kind.SMALL_INTEGER,
    ),
    Case("BigInteger", sa.BigInteger(), int64, Kind.BIG_INTEGER),
    Case("Numeric", sa.Numeric(13, 2), cents, Kind.DECIMAL),
    Case("Numeric of floats", sa.Numeric(asdecimal=False), small, Kind.FLOAT),
    Case("Float", sa.Float(), st.floats(allow_nan=False), Kind.FLOAT),
    Case("Float of decimals", sa.Float(asdecimal=True), small, Kind.DECIMAL),
    Case("Double", sa.Double(), st.floats(allow_nan=False), Kind.FLOAT),
    Case("REAL", sa.REAL(), st.floats(width=32, allow_nan=False), Kind.FLOAT),
    Case("Boolean", sa.Boolean(), st.booleans(), Kind.BOOLEAN),
    Case("Date", sa.Date(), st.dates(), Kind.DATE),
    Case("DateTime", sa.DateTime(), st.datetimes(), Kind.DATETIME),
    Case("DateTime with zone", sa.DateTime(timezone=True), instants, Kind.DATETIME),
    Case("Time", sa.Time(), st.times(), Kind.TIME),
    Case("Interval", sa.Interval(), deltas, Kind.INTERVAL),
    Case("LargeBinary", sa.LargeBinary(), st.binary(), Kind.BINARY),
    Case("Enum", sa.Enum(Colour), st.sampled_from(Colour), Kind.ENUM),
    Case(
        "Enum of values",
        sa.Enum(Colour, values_callable=values_of, name="colour_values"),
        st.sampled_from(Colour),
        Kind.ENUM,
    ),
    Case(
        "Enum that is not native",
        sa.Enum(Colour, native_enum=False),
        st.sampled_from(Colour),
        Kind.ENUM,
    ),
    Case(
        "Enum of strings",
        sa.Enum("a", "b c", "é", name="strings"),
        st.sampled_from(["a", "b c", "é"]),
        Kind.ENUM,
    ),
    Case("Uuid", sa.Uuid(), st.uuids(), Kind.UUID),
    Case("Uuid of strings", sa.Uuid(as_uuid=False), st.uuids().map(str), Kind.TOKEN),
    Case("JSON", sa.JSON(), json_values, Kind.JSON),
    Case("TypeDecorator", LowerCase(), text, Kind.STRING),
    Case(
        "variants",
        sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
        int64,
        Kind.BIG_INTEGER,
    ),
    Case(
        "a variant of another kind",
        sa.JSON().with_variant(pg.ARRAY(sa.Integer), "postgresql"),
        st.lists(int32),
        Kind.JSON,
    ),
]  # fmt: skip

POSTGRESQL = [
    Case("NaN", sa.Float(), st.floats(), Kind.FLOAT),
    Case(
        "Numeric of any size",
        sa.Numeric(),
        st.decimals(allow_nan=False, allow_infinity=False).filter(
            lambda number: abs(number.adjusted()) < 200
        )
        | st.just(Decimal("NaN")),
        Kind.DECIMAL,
    ),
    Case(
        "Time with zone", sa.Time(timezone=True), st.times(timezones=zones), Kind.TIME
    ),
    Case("UUID", pg.UUID(), st.uuids(), Kind.UUID),
    Case("TIMESTAMP", pg.TIMESTAMP(precision=3), moments, Kind.DATETIME),
    Case("INTERVAL", pg.INTERVAL(), deltas, Kind.INTERVAL),
    Case("ENUM", pg.ENUM(Colour, name="pg_colour"), st.sampled_from(Colour), Kind.ENUM),
    Case("JSONB", pg.JSONB(), json_values, Kind.JSON),
    Case("INET", pg.INET(), st.ip_addresses(), Kind.IP),
    Case(
        "INET with a mask",
        pg.INET(),
        st.builds(lambda ip: ip_interface(f"{ip}/20"), st.ip_addresses()),
        Kind.IP,
    ),
    Case(
        "CIDR",
        pg.CIDR(),
        st.builds(lambda ip: ip_network(f"{ip}/20", strict=False), st.ip_addresses()),
        Kind.NETWORK,
    ),
    Case("MACADDR", pg.MACADDR(), st.just("08:00:2b:01:02:03"), Kind.TOKEN),
    Case("MACADDR8", pg.MACADDR8(), st.just("08:00:2b:01:02:03:04:05"), Kind.TOKEN),
    Case("BIT", pg.BIT(4), st.text("01", min_size=4, max_size=4), Kind.TOKEN),
    Case("OID", pg.OID(), st.integers(0, 2**32 - 1), Kind.BIG_INTEGER),
    Case("MONEY", pg.MONEY(), st.just("$1.50"), Kind.TOKEN),
    Case("DOMAIN", pg.DOMAIN("small", sa.Integer()), int32, Kind.INTEGER),
    Case("CITEXT", pg.CITEXT(), text, Kind.STRING),
    Case("HSTORE", pg.HSTORE(), st.dictionaries(text, text | st.none()), Kind.JSON),
    Case(
        "ARRAY", sa.ARRAY(sa.Integer), st.lists(int32 | st.none()), Kind.INTEGER, True
    ),
    Case("ARRAY of text", pg.ARRAY(sa.String), st.lists(text), Kind.STRING, True),
    Case(
        "ARRAY of decimals",
        pg.ARRAY(sa.Numeric(13, 2)),
        st.lists(cents),
        Kind.DECIMAL,
        True,
    ),
    Case(
        "ARRAY of instants",
        pg.ARRAY(sa.DateTime(timezone=True)),
        st.lists(instants),
        Kind.DATETIME,
        True,
    ),
    Case(
        "ARRAY of members",
        pg.ARRAY(pg.ENUM(Colour, name="items")),
        st.lists(st.sampled_from(Colour)),
        Kind.ENUM,
        True,
    ),
    Case(
        "ARRAY of arrays",
        pg.ARRAY(sa.Integer, dimensions=2),
        st.lists(st.tuples(int32, int32).map(list)),
        Kind.INTEGER,
        True,
    ),
]  # fmt: skip


NUMBERS = itertools.count(1)


def holder_of(type_) -> type:
    """A model of its own with a column ``value`` of this type."""
    metadata = sa.MetaData()
    base = type("HolderBase", (DeclarativeBase,), {"metadata": metadata})
    namespace = {
        "__tablename__": "holders",
        "id": mapped_column(sa.Integer, primary_key=True),
        "value": mapped_column(type_, nullable=True),
    }
    return type("Holder", (base,), namespace)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal to the last digit."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return str(one) == str(other)
    numbers = (int, float)
    if type(one) in numbers and type(other) in numbers:
        return one == other  # SQLite makes integers of whole numbers
    return isinstance(other, type(one)) and one == other


def check_round_trip(engine, model, values) -> None:
    """Values of a column are the same in its rows and in their documents."""
    schema = described(model)
    loader, table = Loader(schema), model.__table__
    rows = [{"id": next(NUMBERS), "value": value} for value in values]
    with engine.begin() as connection:
        connection.execute(sa.insert(table), rows)
    ids = [str(row["id"]) for row in rows]
    with engine.connect() as connection:
        found = connection.execute(
            sa.select(table.c.id, table.c.value).where(
                table.c.id.in_([row["id"] for row in rows])
            )
        )
        stored = {str(id_): value for id_, value in found}
        documents = loader.load(connection, ids)
    assert documents.keys() == stored.keys() == set(ids)
    for id_, value in stored.items():
        form = json.loads(documents[id_])["value"]
        read = schema.fields["value"].decode(form)
        assert same(read, value), (value, form, read)
    with Session(engine) as session:
        for id_ in ids:
            document = to_dict(schema, session.get(model, int(id_)))
            assert write_json("Holder", document) == documents[id_]


exploring = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
    ],
)


@pytest.mark.parametrize("case", EVERYWHERE, ids=str)
def test_values_survive_the_round_trip(case, database):
    model = holder_of(case.type)
    model.metadata.create_all(database)

    @exploring
    @given(st.lists(st.none() | case.values, min_size=1, max_size=6))
    def explore(values):
        check_round_trip(database, model, values)

    explore()


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


@pytest.mark.parametrize("case", POSTGRESQL, ids=str)
def test_values_of_postgresql_survive_the_round_trip(case, postgresql):
    model = holder_of(case.type)
    model.metadata.create_all(postgresql)

    @exploring
    @given(st.lists(st.none() | case.values, min_size=1, max_size=6))
    def explore(values):
        check_round_trip(postgresql, model, values)

    explore()


@pytest.mark.parametrize("case", EVERYWHERE + POSTGRESQL, ids=str)
def test_a_type_is_described(case):
    description = describe_type(case.type)
    assert (description.kind, description.many) == (case.kind, case.many)


def test_documents_do_not_depend_on_the_time_zone_of_a_connection(postgresql):
    model = holder_of(sa.DateTime(timezone=True))
    model.metadata.create_all(postgresql)
    loader = Loader(described(model))
    with postgresql.begin() as connection:
        moment = dt.datetime(1982, 6, 25, 20, tzinfo=dt.UTC)
        connection.execute(sa.insert(model).values(id=1, value=moment))
    for zone in ("UTC", "America/New_York", "Asia/Kolkata"):
        with postgresql.connect() as connection:
            connection.execute(sa.text(f"SET TIME ZONE '{zone}'"))
            documents = loader.load(connection, ["1"])
            assert documents == {"1": b'{"id":1,"value":"1982-06-25T20:00:00+00:00"}'}


# --- descriptions ----------------------------------------------------------------


def test_an_enumeration_tells_its_members_and_what_is_stored_for_them():
    named = describe_type(sa.Enum(Colour))
    assert (named.enum, named.enum_values) == (Colour, ("RED", "GREEN"))
    valued = describe_type(sa.Enum(Colour, values_callable=values_of))
    assert valued.enum_values == ("r", "g")
    plain = describe_type(sa.Enum("a", "b"))
    assert (plain.enum, plain.enum_values) == (None, ("a", "b"))


def test_an_enumeration_with_aliases_is_known_by_its_members():
    description = describe_type(sa.Enum(Colour, omit_aliases=False))
    assert description.enum_values == ("RED", "GREEN")


@pytest.mark.parametrize(
    "type_",
    [
        pg.INT4RANGE(),
        pg.DATEMULTIRANGE(),
        pg.TSVECTOR(),
        sa.PickleType(),
        sa.types.NullType(),
        sa.ARRAY(pg.INT4RANGE()),
        type("GEOMETRY", (UserDefinedType,), {})(),
    ],
    ids=lambda type_: type(type_).__name__,
)
def test_a_type_without_a_meaning_in_an_index_has_no_description(type_):
    assert describe_type(type_) is None


def test_an_application_can_describe_its_own_types():
    class Geometry(UserDefinedType):
        pass

    class Point(Geometry):
        pass

    register_type(Geometry, Kind.JSON)
    assert describe_type(Point()) == TypeDescription(kind=Kind.JSON)
    register_type(Point, lambda type_: TypeDescription(kind=Kind.TOKEN, length=9))
    assert describe_type(Point()).length == 9
    assert describe_type(Geometry()).kind is Kind.JSON


def test_an_application_can_describe_its_decorated_types(database):
    model = holder_of(Cents())
    model.metadata.create_all(database)
    register_type(Cents, Kind.DECIMAL)
    check_round_trip(database, model, [Decimal("1.50"), Decimal("-0.07"), None])


# --- values that no document can hold ----------------------------------------------


class Wrapped(TypeDecorator):
    """Makes objects of strings that only the application knows."""

    impl = sa.Date
    cache_ok = True

    def process_result_value(self, value, dialect):
        return None if value is None else {"day": value}


def test_a_value_that_is_not_of_its_kind_names_model_and_field(database):
    model = holder_of(Wrapped())
    model.metadata.create_all(database)
    with database.begin() as connection:
        day = dt.date(1982, 6, 25)
        connection.execute(
            sa.insert(model), [{"id": 1, "value": day}, {"id": 2, "value": None}]
        )
        loader = Loader(described(model))
        assert loader.load(connection, ["2"]) == {"2": b'{"id":2,"value":null}'}
        with pytest.raises(
            ConversionError, match=r"Holder\.value: .*cannot be written"
        ):
            loader.load(connection, ["1", "2"])


def test_a_value_that_cannot_be_read_is_an_error_of_the_family(database):
    model = holder_of(sa.Enum(Colour, native_enum=False))
    model.metadata.create_all(database)
    with database.begin() as connection:
        connection.execute(sa.text("INSERT INTO holders VALUES (1, 'BLUE')"))
        with pytest.raises(ConversionError, match=r"Holder.*BLUE"):
            Loader(described(model)).load(connection, ["1"])


def test_a_date_beyond_python_s_is_an_error_of_the_family(postgresql):
    model = holder_of(sa.Date())
    model.metadata.create_all(postgresql)
    with postgresql.begin() as connection:
        connection.execute(sa.text("INSERT INTO holders VALUES (1, '10001-01-01')"))
        with pytest.raises(ConversionError, match="Holder"):
            Loader(described(model)).load(connection, ["1"])


def test_the_null_of_json_and_that_of_sql_are_one_in_a_document(database):
    model = holder_of(sa.JSON())
    model.metadata.create_all(database)
    with database.begin() as connection:
        nulls = [{"id": 1, "value": sa.JSON.NULL}, {"id": 2, "value": sa.null()}]
        for row in nulls:
            connection.execute(sa.insert(model).values(row))
        documents = Loader(described(model)).load(connection, ["1", "2"])
    assert documents["1"] == b'{"id":1,"value":null}'
    assert documents["2"] == b'{"id":2,"value":null}'


def test_integers_of_more_than_64_bits_inside_json_are_kept(database):
    model = holder_of(sa.JSON())
    model.metadata.create_all(database)
    check_round_trip(database, model, [{"n": 2**70, "text": "ü\u2028"}, [-(10**30)]])


def test_an_address_without_a_mask_stays_one(postgresql):
    model = holder_of(pg.INET())
    model.metadata.create_all(postgresql)
    check_round_trip(postgresql, model, [ip_address("10.0.0.1"), ip_address("::1")])


# --- keys ------------------------------------------------------------------------


class KeyBase(DeclarativeBase):
    pass


class Pair(KeyBase):
    __tablename__ = "pairs"
    left = mapped_column(sa.Text, primary_key=True)
    right = mapped_column(sa.Text, primary_key=True)


class Named(KeyBase):
    __tablename__ = "named"
    name = mapped_column(sa.Text, primary_key=True)


difficult = st.text(st.sampled_from("a,\\ \"'é☃\U0001f3ac\n%:"), max_size=6)


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        (Pair, st.lists(st.tuples(difficult, difficult), min_size=1, unique=True)),
        (Named, st.lists(st.tuples(difficult), min_size=1, unique=True)),
    ],
    ids=["composite", "simple"],
)
def test_keys_of_any_text_have_ids_that_lead_back(model, keys, database):
    KeyBase.metadata.create_all(database)
    schema = described(model)
    loader = Loader(schema)

    @exploring
    @given(keys)
    def explore(drawn):
        with database.begin() as connection:
            connection.execute(sa.delete(model))
            rows = [dict(zip(schema.primary_key, key, strict=True)) for key in drawn]
            connection.execute(sa.insert(model), rows)
            ids = loader.list_ids(connection, None, 1000)
            assert set(ids) == {schema.document_id(key) for key in drawn}
            documents = loader.load(connection, ids)
            assert documents.keys() == set(ids)
            for id_, document in documents.items():
                key = tuple(json.loads(document).values())
                assert schema.parse_id(id_) == key
                assert loader.load(connection, [id_]) == {id_: document}

    explore()


def test_pages_of_ids_go_through_all_keys(database):
    KeyBase.metadata.create_all(database)
    loader = Loader(described(Pair))
    rows = [{"left": f"a{n % 7},", "right": f"\\{n}"} for n in range(50)]
    with database.begin() as connection:
        connection.execute(sa.insert(Pair), rows)
        ids: list[str] = []
        while page := loader.list_ids(connection, ids[-1] if ids else None, 8):
            ids += page
        assert len(ids) == len(set(ids)) == 50
        assert ids == loader.list_ids(connection, None, 1000)
