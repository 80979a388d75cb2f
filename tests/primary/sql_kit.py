"""The kit of SQLAlchemy's engine: the models of the suites, how they are written."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import contextmanager
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from nefertari_engine_base import Queryable
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.testing.primary_kit import LockingKit, SavepointsKit


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "suite_country"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(sa.String(80))


class Genre(Base):
    __tablename__ = "suite_genre"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(sa.String(80))
    films: Mapped[list[Film]] = relationship(
        secondary="suite_film_genre", back_populates="genres", passive_deletes=True
    )


class Person(Queryable, Base):
    __tablename__ = "suite_person"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(sa.String(80))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    country_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("suite_country.id", ondelete="SET NULL")
    )
    country: Mapped[Country | None] = relationship()


film_genre = sa.Table(
    "suite_film_genre",
    Base.metadata,
    sa.Column(
        "film_id", sa.ForeignKey("suite_film.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column(
        "genre_id",
        sa.ForeignKey("suite_genre.id", ondelete="CASCADE"),
        primary_key=True,
    ),
)


class Film(Queryable, Base):
    __tablename__ = "suite_film"
    # Two may delete one film at once: no reason to warn.
    __mapper_args__ = {"confirm_deleted_rows": False}
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str | None] = mapped_column(sa.String(200))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    year: Mapped[int | None]
    rating: Mapped[float | None]
    gross: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 2))
    released: Mapped[dt.date | None]
    published: Mapped[bool] = mapped_column(default=True)
    director_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("suite_person.id", ondelete="SET NULL")
    )
    director: Mapped[Person | None] = relationship()
    genres: Mapped[list[Genre]] = relationship(
        secondary=film_genre, back_populates="films", order_by="Genre.id"
    )


class SQLKit(SavepointsKit):
    """Sessions that an application has for itself.

    :param url: of an empty database.
    :param capture: who tells of changes.
    """

    models = {model.__name__: model for model in (Country, Genre, Person, Film)}
    clashes = (
        sa.exc.OperationalError,
        sa.exc.IntegrityError,
        StaleDataError,
        ObjectDeletedError,
    )

    def __init__(self, url, capture="session"):
        self.capture = capture
        self.database = sa.create_engine(url)
        if self.database.dialect.name == "sqlite":
            sa.event.listen(self.database, "connect", _obey_foreign_keys)
        self._of_thread = threading.local()
        self._engine = None

    def make_engine(self):
        self._engine = SQLAlchemyEngine(self.database, capture=self.capture)
        return self._engine

    def is_published(self, model):
        return model.published

    # --- writing

    @contextmanager
    def transaction(self):
        with Session(self.database, expire_on_commit=False) as session, session.begin():
            self._of_thread.session = session
            try:
                yield
            finally:
                del self._of_thread.session

    @contextmanager
    def savepoint(self):
        with self._of_thread.session.begin_nested():
            yield

    @contextmanager
    def _session(self):
        running = getattr(self._of_thread, "session", None)
        if running is not None:
            yield running
            running.flush()
            return
        with Session(self.database, expire_on_commit=False) as session, session.begin():
            yield session

    def create(self, model, fields):
        with self._session() as session:
            instance = model(**self._values(session, fields))
            session.add(instance)
        return instance

    def change(self, model, key, fields):
        with self._session() as session:
            instance = session.get(model, key)
            if instance is not None:
                for name, value in self._values(session, fields).items():
                    setattr(instance, name, value)
        return instance

    def _values(self, session, fields):
        """Instances in place of the keys of references."""
        values = dict(fields)
        for name, model in (("country", Country), ("director", Person)):
            if values.get(name) is not None:
                values[name] = session.get(model, values[name])
        if "genres" in values:
            values["genres"] = [session.get(Genre, key) for key in values["genres"]]
        return values

    def delete(self, model, key):
        with self._session() as session:
            instance = session.get(model, key)
            if instance is not None:
                session.delete(instance)
        return instance

    def create_many(self, model, rows):
        with self._session() as session:
            session.execute(sa.insert(model), [_columns(row) for row in rows])

    def change_where(self, model, field, value, fields):
        with self._session() as session:
            where = getattr(model, field) == value
            session.execute(sa.update(model).where(where).values(**_columns(fields)))

    def delete_where(self, model, field, value):
        with self._session() as session:
            session.execute(sa.delete(model).where(getattr(model, field) == value))

    # --- what else

    def forget(self):
        self._engine.sessions.remove()

    def pass_time(self, outbox, seconds):
        free = "SELECT id FROM nefertari_outbox"
        if self.database.dialect.name == "postgresql":
            free += " FOR UPDATE SKIP LOCKED"
        with self.database.begin() as connection:
            for statement in (
                "UPDATE nefertari_outbox SET created_at = created_at - :seconds, "
                "due_at = due_at - :seconds, dead_at = dead_at - :seconds, "
                f"claimed_until = claimed_until - :seconds WHERE id IN ({free})",
                "UPDATE nefertari_worker SET started_at = started_at - :seconds, "
                "seen_at = seen_at - :seconds",
            ):
                connection.execute(sa.text(statement), {"seconds": seconds})

    def close(self):
        self.database.dispose()


class PostgreSQLKit(SQLKit, LockingKit):
    """As :class:`SQLKit`, on PostgreSQL."""

    def disconnect(self):
        with self.database.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks "
                    "WHERE relation = 'nefertari_outbox'::regclass "
                    "AND pid <> pg_backend_pid()"
                )
            )


def _columns(fields):
    """Names of columns in place of references."""
    names = {"director": "director_id", "country": "country_id"}
    return {names.get(name, name): value for name, value in fields.items()}


def _obey_foreign_keys(connection, record):
    connection.execute("PRAGMA foreign_keys=ON")
