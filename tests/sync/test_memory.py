"""A transaction may change as many rows as the database bears: little of it is held."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
import sqlalchemy as sa
from pyramid.config import Configurator
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.testing.memory import MemoryEngine

ROWS = 6_000
#: Bytes of ours: 64 MB for 1,000,000 rows, and a batch of a statement's entries.
MOST = ROWS * 64 + 1_000_000


class Base(DeclarativeBase):
    pass


class Story(Base):
    __tablename__ = "stories"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(40))


def rows(numbers):
    return [{"id": number, "title": "a title"} for number in numbers]


def in_bulk(session):
    session.execute(sa.insert(Story), rows(range(ROWS)))


def in_bulk_with_keys_told(session):
    statement = sa.insert(Story).returning(Story.id)
    session.execute(statement, [{"title": "a title"} for _ in range(ROWS)]).all()


def in_batches_of_instances(session):
    for start in range(0, ROWS, 1000):
        session.add_all(Story(**row) for row in rows(range(start, start + 1000)))
        session.flush()
        session.expunge_all()


def by_one_statement(session):
    select = sa.select(sa.literal_column("*")).select_from(source(session))
    session.execute(sa.insert(Story).from_select(["id", "title"], select))
    session.execute(sa.update(Story).values(title="another"))
    session.execute(sa.delete(Story))


def source(session):
    if session.get_bind().dialect.name == "postgresql":
        return sa.text(f"(SELECT n, 'a' FROM generate_series(1, {ROWS}) AS n) AS s")
    return sa.text(
        f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
        f"WHERE n < {ROWS}) SELECT n, 'a' FROM c) AS s"
    )


def one_by_one_by_key(session):
    session.execute(sa.insert(Story), rows(range(ROWS)))
    session.execute(
        sa.update(Story), [{"id": number, "title": "b"} for number in range(ROWS)]
    )


WAYS = (
    in_bulk,
    in_bulk_with_keys_told,
    in_batches_of_instances,
    by_one_statement,
    one_by_one_by_key,
)


@pytest.fixture
def plain(database_url):
    engine = sa.create_engine(database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def followed(plain, sync):
    engine = sa.create_engine(plain.url)
    config = Configurator(settings={"nefertari.sync": sync})
    config.include("nefertari_engine_base")
    config.add_primary_engine(SQLAlchemyEngine(engine))
    config.add_secondary_engine(MemoryEngine())
    config.add_secondary(Story)
    config.commit()
    engines = engines_of(config.registry)
    engines.setup_database()
    yield engine
    engines.close()
    engine.dispose()


def peak(engine, way):
    """Bytes that the transaction needs at most, beyond what was there before."""
    with Session(engine) as session:
        session.connection()
        gc.collect()
        tracemalloc.start()
        try:
            way(session)
            session.commit()
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            session.execute(sa.delete(Story))
            session.commit()
    return found


@pytest.mark.parametrize(
    ("sync", "way"),
    [*(("worker", way) for way in WAYS), ("inline", in_bulk)],
    ids=lambda told: getattr(told, "__name__", told),
)
def test_a_transaction_holds_at_most_64_bytes_of_ours_for_each_row(
    plain, sync, way, request
):
    alone = peak(plain, way)
    followed = request.getfixturevalue("followed")
    peak(followed, way)  # compiles what is compiled once
    assert peak(followed, way) - alone < MOST
