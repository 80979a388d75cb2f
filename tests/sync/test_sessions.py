"""Every kind of session, and every number of databases, delivers what it commits."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationExecutionError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.sync.worker import drain
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie


def test_two_sessions_of_a_thread_keep_their_changes_apart(app):
    with app.session() as one, app.session() as other:
        one.add(Movie(id=1, title="kept"))
        if app.database.dialect.name == "postgresql":
            other.add(Movie(id=2, title="dropped"))
            one.flush()
            other.flush()
        else:
            one.flush()
        other.rollback()
        one.commit()
    assert app.entries() == []
    assert app.documents(Movie).keys() == {"1"}


def test_a_scoped_session_delivers_each_of_its_transactions(app):
    sessions = scoped_session(sessionmaker(app.database))
    sessions.add(Movie(id=1, title="first"))
    sessions.commit()
    sessions.execute(sa.update(Movie).values(title="second"))
    sessions.commit()
    sessions.add(Movie(id=2, title="never"))
    sessions.remove()
    assert app.documents(Movie)["1"]["title"] == "second"
    assert_index_equals_rows(app, INDEXED)


def test_a_connection_that_commits_in_the_midst_of_a_session_is_followed(worker_app):
    with worker_app.database.connect() as connection:
        session = Session(connection)
        session.add(movie := Movie(id=1, title="first"))
        session.flush()
        connection.commit()
        worker_app.drain()
        movie.title = "second"
        session.flush()
        connection.commit()
        session.close()
    worker_app.drain()
    assert_index_equals_rows(worker_app, INDEXED)


@pytest.fixture
def two_phases(app):
    """Function that makes sessions that commit in two phases."""
    if app.database.dialect.name == "sqlite":
        pytest.skip("SQLite has no two-phase commit")
    with app.database.connect() as connection:
        if connection.scalar(sa.text("SHOW max_prepared_transactions")) == "0":
            pytest.skip("the server allows no prepared transactions")
    return lambda: Session(app.database, twophase=True)


def test_a_two_phase_commit_delivers_when_it_is_committed(app, two_phases):
    with two_phases() as session:
        session.add(Director(id=1, name="d"))
        session.add(Movie(id=1, title="prepared", director_id=1))
        session.prepare()
        assert app.documents(Movie) == {}
        session.commit()
    assert app.entries() == []
    assert_index_equals_rows(app, INDEXED)


def test_a_two_phase_rollback_leaves_nothing(app, two_phases):
    with two_phases() as session:
        session.add(Movie(id=1, title="prepared"))
        session.prepare()
        session.rollback()
    assert app.entries() == []
    assert app.documents(Movie) == {}


# --- several databases --------------------------------------------------------------


class Base(DeclarativeBase):
    """The base of all models."""


class Film(Base):
    """In the first database."""

    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Ticket(Base):
    """In the second one."""

    __tablename__ = "tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    seat: Mapped[str]
    film_id: Mapped[int | None]
    film: Mapped[Film | None] = relationship(
        primaryjoin="foreign(Ticket.film_id) == Film.id"
    )


def configured(url, other, search_url, prefix, **nested):
    """The engines of an application whose tickets are elsewhere."""
    config = Configurator(
        settings={
            "nefertari.engine": "nefertari_es",
            "elasticsearch.hosts": search_url,
            "elasticsearch.index_prefix": prefix,
            **nested.pop("settings", {}),
        }
    )
    config.include("nefertari_engine_base")
    first, second = sa.create_engine(url), sa.create_engine(other)
    config.add_primary_engine(SQLAlchemyEngine(first, binds={Ticket: second}))
    config.add_secondary(Film)
    config.add_secondary(Ticket, **nested)
    config.commit()
    return engines_of(config.registry)


@pytest.fixture
def other_url(tmp_path):
    return f"sqlite:///{tmp_path}/tickets.sqlite"


@pytest.mark.parametrize("sync", ["inline", "worker"])
def test_one_session_delivers_from_the_outbox_of_each_database(
    database_url, other_url, elasticsearch_url, index_prefix, sync
):
    engines = configured(
        database_url, other_url, elasticsearch_url, index_prefix,
        settings={"nefertari.sync": sync},
    )  # fmt: skip
    primary = engines.primaries["sqla"]
    try:
        engines.setup_database()
        for engine, table in zip(
            primary.binds.engines, ("films", "tickets"), strict=True
        ):
            names = sa.inspect(engine).get_table_names()
            assert {"films", "tickets"} & set(names) == {table}
            assert "nefertari_outbox" in names
        with primary.sessions.factory.begin() as session:
            session.add_all([Film(id=1, title="a film"), Ticket(id=1, seat="A1")])
        with primary.sessions.factory.begin() as session:
            session.get(Film, 1).title = "changed"
            session.execute(sa.update(Ticket).values(seat="B2"))
        if sync == "worker":
            assert [outbox.waiting() for outbox in engines.outboxes()] == [2, 2]
        drain(engines)
        engines.secondary.refresh(engines.schemas.values())
        assert Film.secondary.get_item(id=1).title == "changed"
        assert Ticket.secondary.get_item(id=1).seat == "B2"
    finally:
        client = engines.secondary.client
        client.indices.delete(
            index=",".join(client.indices.get(index=f"{index_prefix}-*"))
        )
        engines.close()
        for engine in primary.binds.engines:
            engine.dispose()


def test_a_document_cannot_embed_rows_of_another_database(
    other_url, elasticsearch_url, index_prefix
):
    with pytest.raises(
        ConfigurationExecutionError, match=r"Ticket\.film leads to rows"
    ):
        configured(
            "sqlite://", other_url, elasticsearch_url, index_prefix, nested=["film"]
        )
