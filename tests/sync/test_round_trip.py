"""From a saved row to a real index and back: every value of every type, every key."""

from __future__ import annotations

import itertools
import json
import os
import re
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import DeclarativeBase, mapped_column

from nefertari_engine_base import Queryable
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.values import Touch
from tests.application import Application, assert_index_equals_rows
from tests.conftest import empty_database
from tests.sqla.test_types import EVERYWHERE, POSTGRESQL, Colour, LowerCase, same

pytestmark = [
    pytest.mark.filterwarnings("ignore:Dialect sqlite.*Decimal"),
    # SQLAlchemy 2.1 of two of its own types, MONEY and DOMAIN
    pytest.mark.filterwarnings("ignore:Type object.*operator_classes"),
]

CASES = {"sqlite": EVERYWHERE, "postgresql": EVERYWHERE + POSTGRESQL}

#: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-id-field
LONGEST_ID = 512

NUMBERS = itertools.count(1)


def name_of(case) -> str:
    return "a_" + re.sub(r"\W", "_", case.name.lower())


class KeyBase(DeclarativeBase):
    pass


class Pair(Queryable, KeyBase):
    """Has a key of two texts."""

    __tablename__ = "pairs"
    left = mapped_column(sa.Text, primary_key=True)
    right = mapped_column(sa.Text, primary_key=True)
    note = mapped_column(sa.Text)


class Named(Queryable, KeyBase):
    """Has a key of one text."""

    __tablename__ = "named"
    name = mapped_column(sa.Text, primary_key=True)
    note = mapped_column(sa.Text)


class Mixture(Queryable, KeyBase):
    """Has a key of many types."""

    __tablename__ = "mixtures"
    amount = mapped_column(sa.Numeric(12, 2), primary_key=True)
    day = mapped_column(sa.Date, primary_key=True)
    uuid = mapped_column(sa.Uuid, primary_key=True)
    data = mapped_column(sa.LargeBinary, primary_key=True)
    colour = mapped_column(sa.Enum(Colour, native_enum=False), primary_key=True)
    note = mapped_column(sa.Text)


class Price(Queryable, KeyBase):
    __tablename__ = "prices"
    amount = mapped_column(sa.Numeric(6, 2), primary_key=True)
    note = mapped_column(sa.Text)


class Day(Queryable, KeyBase):
    __tablename__ = "days"
    day = mapped_column(sa.Date, primary_key=True)
    note = mapped_column(sa.Text)


class Thing(Queryable, KeyBase):
    __tablename__ = "things"
    uuid = mapped_column(sa.Uuid, primary_key=True)
    note = mapped_column(sa.Text)


class Blob(Queryable, KeyBase):
    __tablename__ = "blobs"
    data = mapped_column(sa.LargeBinary, primary_key=True)
    note = mapped_column(sa.Text)


class Paint(Queryable, KeyBase):
    __tablename__ = "paints"
    colour = mapped_column(sa.Enum(Colour, native_enum=False), primary_key=True)
    note = mapped_column(sa.Text)


class Lowered(Queryable, KeyBase):
    """Has a key that the column's type spells otherwise than the application."""

    __tablename__ = "lowered"
    name = mapped_column(LowerCase, primary_key=True)
    note = mapped_column(sa.Text)


#: What KEYS has strategies for.
KEYED = (Pair, Named, Mixture, Price, Day, Thing, Blob, Paint)


def specimen_of(cases) -> type:
    """A model with a column of the type of each case."""
    base = type("SpecimenBase", (DeclarativeBase,), {"metadata": sa.MetaData()})
    columns = {name_of(case): mapped_column(case.type) for case in cases}
    key = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    namespace = {"__tablename__": "specimens", "id": key, **columns}
    return type("Specimen", (Queryable, base), namespace)


@contextmanager
def own_postgresql_database(server_url):
    """A database, since an extension belongs to one schema of a whole database."""
    name = f"test_round_trip_{os.getpid()}"
    server = sa.create_engine(server_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    url = sa.make_url(server_url).set(database=name)
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for extension in ("citext", "hstore"):
            connection.execute(sa.text(f"CREATE EXTENSION {extension}"))
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def database_of(kind, server_of, tmp_path_factory):
    if kind == "postgresql":
        return own_postgresql_database(server_of(kind).url)
    return empty_database(kind, server_of, tmp_path_factory)


@pytest.fixture(
    scope="module",
    params=[("sqlite", "elasticsearch"), ("postgresql", "opensearch")],
    ids=lambda pair: "-".join(pair),
)
def app(request, server_of, tmp_path_factory):
    """Inline sync from each database to one of the search servers."""
    database, search = request.param
    cases = CASES[database]
    specimen = specimen_of(cases)

    def declare(config):
        for model in (specimen, *KEYED, Lowered):
            config.add_secondary(model)

    with database_of(database, server_of, tmp_path_factory) as url:
        app = Application(
            url, server_of(search).url, f"round-trip-{os.getpid()}", declare,
            nefertari__sync__max_attempts="1",
        ).setup()  # fmt: skip
        app.cases = {name_of(case): case for case in cases}
        app.specimen = specimen
        yield app
        app.close()


# --- values ----------------------------------------------------------------------


def exactly(kind, one, other) -> bool:
    """Whether two values are one and the same, to the last digit."""
    if kind is Kind.JSON and one is not None and other is not None:
        # Equal in Python, but not in JSON: 1, 1.0 and true.
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    return same(one, other)


def assert_document_is_exact(app, number) -> None:
    """The document of a specimen, read in real time, has the values of its row."""
    document = app.specimen.secondary.get_item(id=number)
    assert type(document) is app.specimen.secondary
    with app.session() as fresh:
        row = fresh.get(app.specimen, number)
        different = {
            name: (getattr(row, name), getattr(document, name))
            for name, case in app.cases.items()
            if not exactly(case.kind, getattr(document, name), getattr(row, name))
        }
    assert different == {}, "as (row, document)"


@pytest.fixture(scope="module")
def values_of_all_columns(app):
    return {name: st.none() | case.values for name, case in app.cases.items()}


exploring = settings(
    # What differs is told by name; to simplify the rest of a row takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_every_value_of_a_row_survives_in_its_document(app, values_of_all_columns):
    everything = st.fixed_dictionaries(values_of_all_columns)
    some = st.lists(st.sampled_from(sorted(app.cases)), max_size=6, unique=True)

    @exploring
    @given(st.data())
    def explore(data):
        number = next(NUMBERS)
        app.save(app.specimen(id=number, **data.draw(everything)))
        assert_document_is_exact(app, number)
        with app.session() as session:
            row = session.get(app.specimen, number)
            for name in data.draw(some):
                setattr(row, name, data.draw(values_of_all_columns[name]))
            session.commit()
        assert_document_is_exact(app, number)
        assert app.waiting() == 0

    explore()


def test_a_whole_collection_read_by_a_search_is_as_exact_as_one_item(app):
    app.secondary.refresh([app.engines.schema_of(app.specimen)])
    with app.session() as fresh:
        rows = {row.id: row for row in fresh.scalars(sa.select(app.specimen))}
        documents = list(app.specimen.secondary.get_collection(_limit=None))
        assert {document.id for document in documents} == rows.keys()
        for document in documents:
            for name, case in app.cases.items():
                row_value = getattr(rows[document.id], name)
                assert exactly(case.kind, getattr(document, name), row_value), name


def test_a_row_of_nothing_is_a_document_of_nothing(app):
    number = next(NUMBERS)
    app.save(app.specimen(id=number))
    document = app.specimen.secondary.get_item(id=number)
    assert {getattr(document, name) for name in app.cases} == {None}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("a_json", {"n": 2**53 + 1}),
        ("a_json", {"n": 2**64 - 1}),
        ("a_json", [1, 1.0, True, -0.0, 1e300]),
        ("a_json", {"": 1, ".": 2, "a.b": 3, " ": 4, "..": 5}),
        ("a_json", {"_sync": {"version": "x"}, "_id": 7}),
        ("a_json", [[[]], [{}], None]),
        ("a_json", "\u2028\x01\x7f\n"),
        ("a_biginteger", 2**63 - 1),
        ("a_biginteger", -(2**63)),
        ("a_numeric", Decimal("99999999999.99")),
        ("a_float", 5e-324),
        ("a_float", float("-inf")),
        ("a_text", "x" * 100_000),
        ("a_largebinary", bytes(range(256)) * 300),
    ],
    ids=lambda given: given if str(given).startswith("a_") else str(given)[:24],
)
def test_extreme_values_survive(app, column, value):
    number = next(NUMBERS)
    app.save(app.specimen(id=number, **{column: value}))
    assert_document_is_exact(app, number)


# --- keys ------------------------------------------------------------------------

hostile = st.text(
    st.sampled_from("a,\\/ \"'%?#&:;*\n\té☃\U0001f3ac"), max_size=8
) | st.sampled_from(["", ",", "\\", "\\,", ",,", " ", "null", "_all", "../a", "a" * 99])

KEYS = {
    Pair: st.tuples(hostile, hostile),
    Named: st.tuples(hostile),
    Mixture: st.tuples(
        st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
        st.dates(),
        st.uuids(),
        st.binary(max_size=40),
        st.sampled_from(Colour),
    ),
    Price: st.tuples(st.decimals(-9999, 9999, places=2, allow_nan=False)),
    Day: st.tuples(st.dates()),
    Thing: st.tuples(st.uuids()),
    Blob: st.tuples(st.binary(max_size=40)),
    Paint: st.tuples(st.sampled_from(Colour)),
}


@pytest.mark.parametrize("model", KEYED, ids=lambda model: model.__name__)
def test_a_document_is_found_by_the_key_of_its_row_whatever_the_key_is(app, model):
    schema = app.engines.schema_of(model)

    @settings(exploring, max_examples=15)
    @given(st.lists(KEYS[model], min_size=1, max_size=6, unique=True))
    def explore(keys):
        rows = [
            model(**dict(zip(schema.primary_key, key, strict=True)), note=str(number))
            for number, key in enumerate(keys)
        ]
        app.save(*rows)
        ids = [app.primary.document_id(row) for row in rows]
        assert len(set(ids)) == len(keys)
        documents = model.secondary.get_by_ids(ids)
        for number, (id_, document) in enumerate(zip(ids, documents, strict=True)):
            assert document is not None, id_
            assert (document.note, document.meta.id) == (str(number), id_)
            key = tuple(getattr(document, name) for name in schema.primary_key)
            with app.session() as fresh:
                assert fresh.get(model, key).note == str(number)
        with app.session() as session:
            for row in session.scalars(sa.select(model)):
                session.delete(row)
            session.commit()
        assert model.secondary.get_by_ids(ids) == [None] * len(ids)
        assert app.waiting() == 0

    explore()


@pytest.fixture
def mixture(app):
    """A row whose key has a part of each type."""
    parts = {
        "amount": Decimal("-1.50"),
        "day": date(1982, 6, 25),
        "uuid": UUID(int=7),
        "data": b"\0,\\",
        "colour": Colour.GREEN,
    }
    app.save(Mixture(**parts, note="found"))
    yield parts
    with app.session() as session:
        session.delete(session.get(Mixture, tuple(parts.values())))
        session.commit()


def assert_finds(parts, parameters) -> None:
    (document,) = Mixture.get_collection(**parameters, _refresh_index=True)
    assert document.note == "found"
    assert {name: getattr(document, name) for name in parts} == parts


def test_a_row_is_found_by_the_parts_of_its_key(mixture):
    parts = {name: mixture[name] for name in ("amount", "day", "uuid")}
    assert_finds(mixture, parts)
    assert_finds(mixture, {name: str(value) for name, value in parts.items()})


def test_a_row_is_found_by_a_member_of_an_enumeration(mixture):
    assert_finds(mixture, {"colour": "GREEN"})
    assert_finds(mixture, {"colour": Colour.GREEN})


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f3ac"])
def test_an_id_of_the_longest_length_lands(app, letter):
    name = letter * (LONGEST_ID // len(letter.encode()))
    app.save(Named(name=name, note="long"))
    assert Named.secondary.get_item(name=name).note == "long"


@pytest.mark.parametrize("letter", ["x", "é"])
def test_an_id_that_is_too_long_is_refused_and_its_neighbours_land(app, letter):
    name = letter * (LONGEST_ID // len(letter.encode())) + "y"
    before, after = f"before {letter}", f"{letter} after"
    app.save(*[Named(name=key, note="here") for key in (before, name, after)])
    assert Named.secondary.get_item(name=before).note == "here"
    assert Named.secondary.get_item(name=after).note == "here"
    assert Named.secondary.get_by_ids([name]) == [None]
    with app.database.connect() as connection:
        dead = connection.execute(
            sa.text(
                "SELECT model, attempts, reason, dead_at FROM nefertari_outbox"
                " WHERE key = :key"
            ),
            {"key": name},
        ).one()
    assert (dead.model, dead.attempts) == ("Named", 1)
    assert "512" in dead.reason
    assert dead.dead_at is not None
    assert app.waiting() == 0


#: Two models, their keys as the application and as the row spells them, and another.
RESPELLED = [
    pytest.param(
        Price, "amount", Decimal("1.1"), Decimal("3.5"), ["1.10", "3.50"], id="decimal"
    ),
    pytest.param(Lowered, "name", "One", "Other", ["one", "other"], id="text"),
]
RESPELLED_NAMES = ("model", "attribute", "key", "other", "ids")


def assert_the_only_document_is(app, model, id_, note) -> None:
    documents = app.documents(model)
    assert {found: document["note"] for found, document in documents.items()} == {
        id_: note
    }
    assert_index_equals_rows(app, [model])


@pytest.mark.parametrize("fresh", [False, True], ids=["same session", "new session"])
@pytest.mark.parametrize(RESPELLED_NAMES, RESPELLED)
def test_a_key_spelled_otherwise_than_by_its_row_has_one_document(
    app, model, attribute, key, other, ids, fresh
):
    clear(app, model)
    with app.session(expire_on_commit=False) as session:
        row = model(**{attribute: key}, note="new")
        session.add(row)
        session.commit()
        assert_the_only_document_is(app, model, ids[0], "new")
        row.note = "changed"
        session.commit()
        assert_the_only_document_is(app, model, ids[0], "changed")
        if fresh:
            session.expunge(row)
            row = session.get(model, key)
        session.delete(row)
        session.commit()
    assert app.documents(model) == {}
    assert app.waiting() == 0


@pytest.mark.parametrize(RESPELLED_NAMES, RESPELLED)
def test_a_key_spelled_otherwise_that_changes_leaves_no_old_document(
    app, model, attribute, key, other, ids
):
    clear(app, model)
    with app.session(expire_on_commit=False) as session:
        row = model(**{attribute: key}, note="moved")
        session.add(row)
        session.commit()
        setattr(row, attribute, other)
        session.commit()
        assert_the_only_document_is(app, model, ids[1], "moved")


def clear(app, model) -> None:
    """No rows and no documents, whatever a test before has left."""
    with app.session() as session:
        session.execute(sa.delete(model.__table__))
        session.commit()
    touches = [
        Touch(app.secondary.name, model.__name__, id_) for id_ in app.documents(model)
    ]
    next(iter(app.engines.outboxes())).add(touches)
    app.drain()
    assert app.documents(model) == {}
