"""What an application has told its connection is meant for its own statements."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base.exceptions import ConfigurationError, UncapturedStatement
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from tests.sync.unheard import Unheard

OPTIONS = [
    {"stream_results": True},
    {"yield_per": 2},
    {"stream_results": True, "max_row_buffer": 2},
    {"compiled_cache": None},
    {"insertmanyvalues_page_size": 2},
    {"preserve_rowcount": True},
]


class Base(DeclarativeBase):
    pass


class Room(Base):
    """Its ids are spelled by Python alone."""

    __tablename__ = "rooms"
    id: Mapped[float] = mapped_column(sa.Float, primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))


class Seat(Base):
    __tablename__ = "seats"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))


@pytest.fixture
def app(database_url):
    with Unheard(database_url, {Room: {}, Seat: {}}).setup() as app:
        yield app


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_of_a_connection_are_left_as_they_are_and_change_no_entry(app, options):
    if not app.is_sqlite and {"stream_results", "yield_per"} & options.keys():
        pytest.skip("psycopg streams the rows of SELECT alone, and fails otherwise")
    with Session(app.database) as session:
        connection = session.connection(execution_options=options)
        told = connection.get_execution_options()
        for model in (Room, Seat):
            rows = [{"id": number, "name": "a"} for number in range(1, 6)]
            session.execute(sa.insert(model), rows)
            session.execute(sa.update(model).values(name="b"))
            session.execute(sa.update(model), [{"id": 2, "name": "c"}])
            session.execute(sa.delete(model).where(model.id > 3))
            assert connection.get_execution_options() == told
        session.commit()
    app.check()
    assert len(app.documents(Room)) == len(app.documents(Seat)) == 3


@pytest.fixture
def listed(postgresql_database_url):
    """Documents of a schema of their own, beside tables that have none."""
    path = sa.make_url(postgresql_database_url).query["options"]
    name = f"{path.partition('=')[2]}_listed"

    class Own(DeclarativeBase):
        metadata = sa.MetaData(schema=name)

    class Hall(Own):
        __tablename__ = "halls"
        id: Mapped[float] = mapped_column(sa.Float, primary_key=True)
        name: Mapped[str | None] = mapped_column(sa.String(20))

    create = f"CREATE SCHEMA {name}"
    with Unheard(postgresql_database_url, {Hall: {}}, create).setup() as app:
        app.schema = name
        yield app
        app.write(f"DROP SCHEMA {name} CASCADE")


def test_entries_are_written_whatever_schemas_a_connection_translates(listed):
    (hall,) = listed.models
    options = {"schema_translate_map": {None: "no_such_schema"}}
    with Session(listed.database) as session:
        session.connection(execution_options=options)
        session.execute(sa.insert(hall), [{"id": n, "name": "a"} for n in range(5)])
        session.execute(sa.update(hall).values(name="b"))
        session.add(hall(id=7))
        session.commit()
    listed.check()
    assert len(listed.documents(hall)) == 6


def test_rows_of_another_schema_are_warned_of_and_no_documents(listed, caplog):
    (hall,) = listed.models
    path = listed.schema.removesuffix("_listed")
    listed.write(f"CREATE TABLE {path}.halls (LIKE {listed.schema}.halls)")
    options = {"schema_translate_map": {listed.schema: path}}
    with Session(listed.database) as session:
        session.connection(execution_options=options)
        session.execute(sa.insert(hall), [{"id": n, "name": "a"} for n in range(5)])
        session.execute(sa.update(hall).values(name="b"))
        session.commit()
    assert listed.entries() == []
    assert listed.owed() == set()
    assert caplog.text.count("search_path") == 1


def test_rows_of_another_schema_can_be_refused(listed):
    (hall,) = listed.models
    path = listed.schema.removesuffix("_listed")
    listed.write(f"CREATE TABLE {path}.halls (LIKE {listed.schema}.halls)")
    url = listed.settings["sqlalchemy.url"]
    with (
        Unheard(url, {hall: {}}, nefertari__uncaptured="refuse") as strict,
        Session(strict.database) as session,
    ):
        options = {"schema_translate_map": {listed.schema: path}}
        session.connection(execution_options=options)
        with pytest.raises(UncapturedStatement, match="search_path"):
            session.execute(sa.insert(hall), [{"id": 1}])


def test_an_engine_that_translates_schemas_is_refused():
    translates = {"schema_translate_map": {None: "tenant"}}
    engine = sa.create_engine("sqlite://", execution_options=translates)
    with pytest.raises(ConfigurationError, match="search_path"):
        SQLAlchemyEngine(engine)
