"""A connection that is lost while capture reads is what it is to the application."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.sync.halls import STATEMENTS, application, fill


@pytest.fixture
def app(postgresql_database_url):
    with application(postgresql_database_url) as app:
        yield app


#: What SQLAlchemy and psycopg raise without us.
LOST = {("OperationalError", "AdminShutdown"), ("OperationalError", "OperationalError")}


#: Waits until it is gone.
_END = sa.text("SELECT pg_terminate_backend(:pid, 5000)")


def outcome(engine, admin, statement, *, later):
    """Whether the connection was lost, what became of the statement, and of the next
    transaction.

    :param later: it is ended before the driver waits for the server so many times.
    """
    sent = 0

    def before(driver):
        nonlocal sent
        sent += 1
        if sent == later:
            admin.execute(
                sa.select(sa.func.pg_terminate_backend(driver.info.backend_pid))
            )

    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        wait = driver.wait

        def waiting(*given, **options):
            before(driver)
            return wait(*given, **options)

        driver.wait = waiting
        try:
            connection.execute(statement())
            connection.commit()
            told = "done"
        except sa.exc.SQLAlchemyError as error:
            told = type(error).__name__, type(error.orig).__name__
            connection.rollback()
        del driver.wait
        return sent >= later, told, connection.scalar(sa.select(1))


@pytest.mark.parametrize("name", STATEMENTS)
def test_whenever_a_connection_is_lost_the_application_is_told_so(app, name):
    admin_engine = sa.create_engine(app.database.url, isolation_level="AUTOCOMMIT")
    with admin_engine.connect() as admin:
        is_lost, later = True, 0
        while is_lost:
            later += 1
            fill(app)
            statement = STATEMENTS[name]
            is_lost, told, next_ = outcome(app.database, admin, statement, later=later)
            assert told in (LOST if is_lost else {"done"}), later
            assert next_ == 1
            app.check()
        assert later > 2
    admin_engine.dispose()
