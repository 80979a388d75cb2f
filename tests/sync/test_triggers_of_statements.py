"""Triggers see what the database does, by whatever statement it is told to."""

from __future__ import annotations

import os

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base.exceptions import ConfigurationError, PrimaryError
from tests.sync.unheard import Unheard


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "countries"
    code: Mapped[str] = mapped_column(sa.String(2), primary_key=True)
    name: Mapped[str | None]


class Person(Base):
    """Shows its country and its films."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    country_code: Mapped[str | None] = mapped_column(
        sa.ForeignKey(
            "countries.code", onupdate="CASCADE", ondelete="SET NULL",
            deferrable=True, initially="DEFERRED",
        )
    )  # fmt: skip
    country: Mapped[Country | None] = relationship()
    films: Mapped[list[Film]] = relationship(
        foreign_keys="Film.person_id", order_by="Film.id", viewonly=True
    )


class Film(Base):
    """Shows who made it."""

    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    person_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("people.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    editor_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("people.id", ondelete="SET DEFAULT"), server_default="1"
    )
    person: Mapped[Person | None] = relationship(foreign_keys=person_id)
    editor: Mapped[Person | None] = relationship(foreign_keys=editor_id)


MODELS = {
    Person: {"nested": ("country", "films")},
    Film: {"nested": ("person.country", "editor")},
}
ROWS = (
    "INSERT INTO countries VALUES ('it', 'Italy'), ('jp', 'Japan')",
    "INSERT INTO people VALUES (1, 'Ann', 'it'), (2, 'Bob', 'jp'), (3, 'Cem', NULL)",
    "INSERT INTO films VALUES (1, 'a', 2, 3), (2, 'b', 2, 1), (3, 'c', 3, 2)",
)


@pytest.fixture
def app(database_url):
    with Unheard(database_url, MODELS).installed() as app:
        app.write(*ROWS)
        app.check()
        yield app


@pytest.fixture
def pg(postgresql_database_url):
    with Unheard(postgresql_database_url, MODELS).installed() as app:
        app.write(*ROWS)
        app.check()
        yield app


# --- what the database does by itself ----------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM people WHERE id = 2",
        "DELETE FROM countries WHERE code = 'jp'",
        "UPDATE countries SET code = 'kr' WHERE code = 'jp'",
        "UPDATE people SET id = 20 WHERE id = 2",
        "DELETE FROM people WHERE id = 3",
    ],
)
def test_rows_that_foreign_keys_change_are_followed(app, statement):
    if statement.startswith("UPDATE people"):
        app.write("UPDATE films SET editor_id = NULL")
    app.write(statement, obeys=True)
    assert app.entries()
    app.check()


#: Nothing happens to the rows that refer to one that goes, but an error at the end.
OTHERWISE = (
    "ALTER TABLE people DROP CONSTRAINT people_country_code_fkey",
    "ALTER TABLE people ADD FOREIGN KEY (country_code) REFERENCES countries "
    "DEFERRABLE INITIALLY DEFERRED",
)


def test_a_row_may_be_replaced_while_foreign_keys_wait(app):
    """Nobody changes the rows that refer to it."""
    if not app.is_sqlite:
        app.write(*OTHERWISE, "SET CONSTRAINTS ALL IMMEDIATE")
    app.write(
        "DELETE FROM countries WHERE code = 'it'",
        "INSERT INTO countries VALUES ('it', 'Italia')",
    )
    app.check()
    app.write(
        "INSERT INTO people VALUES (4, 'Dan', 'fr')",
        "INSERT INTO countries VALUES ('fr', 'France')",
    )
    app.check()


def test_a_row_may_be_replaced_by_one_statement(pg):
    pg.write("ALTER TABLE people DROP CONSTRAINT people_country_code_fkey")
    pg.write("ALTER TABLE people ADD FOREIGN KEY (country_code) REFERENCES countries")
    pg.write(
        "WITH gone AS (DELETE FROM countries WHERE code = 'it' RETURNING code) "
        "INSERT INTO countries SELECT code, 'Italia' FROM gone"
    )
    pg.check()


def test_rows_may_change_their_keys_with_each_other(pg):
    pg.write(
        "ALTER TABLE films DROP CONSTRAINT films_pkey",
        "ALTER TABLE films ADD PRIMARY KEY (id) DEFERRABLE",
        "UPDATE films SET id = 3 - id WHERE id < 3",
    )
    pg.check()


# --- kinds of statements -----------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO films VALUES (1, 'x', 3, 3), (9, 'y', 1, 1) "
        "ON CONFLICT (id) DO UPDATE SET title = excluded.title, "
        "person_id = excluded.person_id",
        "MERGE INTO films USING (VALUES (1, 'm'), (2, ''), (9, 'n')) AS v (id, title) "
        "ON films.id = v.id "
        "WHEN MATCHED AND v.title = '' THEN DELETE "
        "WHEN MATCHED THEN UPDATE SET title = v.title, person_id = 3 "
        "WHEN NOT MATCHED THEN INSERT (id, title) VALUES (v.id, v.title)",
        "WITH moved AS (UPDATE films SET person_id = 1 WHERE id = 1 RETURNING id), "
        "gone AS (DELETE FROM films WHERE id = 3 RETURNING *), "
        "new AS (INSERT INTO people VALUES (8, 'Eve') RETURNING id) "
        "INSERT INTO films SELECT id + 100, title, person_id FROM gone",
        "UPDATE films SET title = p.name FROM people AS p WHERE p.id = person_id",
        "DELETE FROM films USING people AS p WHERE p.id = person_id AND p.name = 'Bob'",
        "DO $$ BEGIN UPDATE films SET title = 'z' WHERE id = 1; "
        "BEGIN UPDATE films SET title = 'never'; RAISE division_by_zero; "
        "EXCEPTION WHEN division_by_zero THEN NULL; END; END $$",
    ],
    ids=["upsert", "merge", "cte", "update from", "delete using", "savepoint"],
)
def test_statements_of_every_kind_are_followed(pg, statement):
    pg.write(statement)
    assert pg.entries()
    pg.check()


def test_a_truncated_table_and_those_that_go_with_it_are_owed(pg):
    pg.write("TRUNCATE countries CASCADE")
    assert pg.entries() == []
    assert pg.owed() == {"Person", "Film"}
    pg.check()
    assert pg.documents(Film) == {}


@pytest.mark.parametrize(
    ("role", "seen"), [("origin", True), ("local", True), ("replica", False)]
)
def test_a_session_that_replicates_is_seen_if_triggers_are_enabled_always(
    pg, role, seen
):
    replicate = f"SET LOCAL session_replication_role = {role}"
    update = "UPDATE films SET title = title || '!'"
    pg.write(replicate, update)
    assert bool(pg.entries()) is seen
    pg.write("ALTER TABLE films ENABLE ALWAYS TRIGGER nefertari_update")
    assert pg.problems() == []
    pg.write(replicate, update)
    assert pg.entries()
    pg.check()


# --- partitions --------------------------------------------------------------------

PARTITIONED = (
    "CREATE TABLE visits (id int NOT NULL, place text, day date NOT NULL, "
    "PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
    "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2001-01-01') "
    "TO ('2002-01-01') PARTITION BY RANGE (id)",
    "CREATE TABLE visits_1a PARTITION OF visits_1 FOR VALUES FROM (0) TO (100)",
    # The columns of this one are in another order.
    "CREATE TABLE visits_2 (day date NOT NULL, was int, id int NOT NULL, place text)",
    "ALTER TABLE visits_2 DROP COLUMN was",
    "ALTER TABLE visits ATTACH PARTITION visits_2 FOR VALUES FROM ('2002-01-01') "
    "TO ('2003-01-01')",
)


def visits():
    class Own(DeclarativeBase):
        pass

    class Visit(Own):
        __tablename__ = "visits"
        id: Mapped[int] = mapped_column(primary_key=True)
        day: Mapped[sa.Date] = mapped_column(sa.Date, primary_key=True)
        place: Mapped[str | None]

    return Visit


@pytest.fixture
def partitioned(postgresql_database_url):
    app = Unheard(postgresql_database_url, {visits(): {}}, *PARTITIONED)
    with app.installed():
        yield app


def test_statements_on_partitions_are_followed(partitioned):
    app = partitioned
    for statement, entries in (
        ("INSERT INTO visits VALUES (1, 'a', '2001-02-03'), (2, 'b', '2002-02-03')", 2),
        ("INSERT INTO visits_1a VALUES (3, 'c', '2001-02-03')", 1),
        ("INSERT INTO visits_2 (id, day) VALUES (4, '2002-02-03')", 1),
        ("UPDATE visits SET place = 'd' WHERE id < 3", 2),
        ("UPDATE visits SET day = day", 0),
        ("UPDATE visits_1 SET place = 'e'", 2),
        ("UPDATE visits_2 SET place = 'f' WHERE id = 4", 1),
        # It moves to the other partition.
        ("UPDATE visits SET day = '2002-05-05' WHERE id = 1", 2),
        ("DELETE FROM visits_2 WHERE id = 2", 1),
        ("DELETE FROM visits WHERE id = 3", 1),
    ):
        app.write(statement)
        assert len(app.entries()) == entries, statement
        app.check()
    for number, table in enumerate(("visits_2", "visits")):
        app.write(f"INSERT INTO visits VALUES ({number}, 'a', '2002-02-03')")
        app.check()
        app.write(f"TRUNCATE {table}")
        assert app.owed() == {"Visit"}
        app.check()


def test_partitions_that_come_and_go_are_told_of(partitioned):
    app = partitioned
    assert app.problems() == []
    app.write(
        "CREATE TABLE visits_3 PARTITION OF visits FOR VALUES FROM ('2003-01-01') "
        "TO ('2004-01-01')",
        "ALTER TABLE visits DETACH PARTITION visits_1",
    )
    problems = {(table, problem) for table, _, problem in app.problems()}
    assert problems == {
        ("visits_3", "missing"),
        ("visits_1", "left over"),
        ("visits_1a", "left over"),
    }
    app.triggers.install()
    assert app.problems() == []
    app.write("INSERT INTO visits_3 VALUES (1, 'a', '2003-02-03')")
    assert len(app.entries()) == 1
    app.check()
    app.write("INSERT INTO visits_1a VALUES (1, 'a', '2001-02-03')")
    assert app.entries() == []


def cities():
    class Own(DeclarativeBase):
        pass

    class City(Own):
        __tablename__ = "cities"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]

    class Capital(Own):
        __tablename__ = "capitals"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]
        state: Mapped[str | None]

    return City, Capital


def test_tables_that_inherit_are_followed(postgresql_database_url):
    city, capital = cities()
    tables = (
        "CREATE TABLE cities (id int PRIMARY KEY, name text)",
        "CREATE TABLE capitals (state text, PRIMARY KEY (id)) INHERITS (cities)",
    )
    app = Unheard(postgresql_database_url, {city: {}, capital: {}}, *tables)
    with app.installed():
        assert app.problems() == []
        app.write("INSERT INTO capitals VALUES (1, 'Rome', 'it')")
        assert sorted(app.entries()) == [("Capital", "", "1"), ("City", "", "1")]
        app.check()
        app.write("UPDATE cities SET name = 'Roma'", "INSERT INTO cities VALUES (2)")
        assert ("City", "", "1") in app.entries()


# --- rights ------------------------------------------------------------------------


@pytest.fixture
def role(pg):
    """A role that may write films and no more."""
    name = f"nefertari_few_{os.urandom(4).hex()}"
    with pg.database.connect() as connection:
        schema = connection.execute(sa.text("SELECT current_schema()")).scalar_one()
    pg.write(
        f"CREATE ROLE {name}",
        f'GRANT USAGE ON SCHEMA "{schema}" TO {name}',
        f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON films TO {name}",
    )
    yield name
    pg.write(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def test_who_may_write_a_table_needs_no_other_right(pg, role):
    for statement in (
        "INSERT INTO films VALUES (7, 'x', 1, 1)",
        "UPDATE films SET title = 'y'",
        "DELETE FROM films WHERE id = 7",
        "TRUNCATE films",
    ):
        pg.write(f"SET LOCAL ROLE {role}", "SET LOCAL search_path = ''", *(
            [statement.replace("films", f'"{schema_of(pg)}".films')]
        ))  # fmt: skip
    assert pg.owed() == {"Film", "Person"}
    pg.check()


def schema_of(app):
    with app.database.connect() as connection:
        return connection.execute(sa.text("SELECT current_schema()")).scalar_one()


def test_who_may_not_make_triggers_can_see_that_they_are_right(pg, role):
    @sa.event.listens_for(pg.database, "begin")
    def begin(connection):
        connection.exec_driver_sql(f"SET LOCAL ROLE {role}")

    assert pg.problems() == []
    pg.triggers.install()  # there is nothing to do
    sa.event.remove(pg.database, "begin", begin)
    pg.write("DROP TRIGGER nefertari_update ON films")
    sa.event.listen(pg.database, "begin", begin)
    with pytest.raises(PrimaryError, match="refused the work on triggers"):
        pg.triggers.install()
    sa.event.remove(pg.database, "begin", begin)


# --- older versions ----------------------------------------------------------------


def test_triggers_of_an_older_version_are_replaced(pg):
    """They were called differently, and what they called was, too."""
    schema = schema_of(pg)
    pg.triggers.remove()
    pg.write(
        f'CREATE FUNCTION "{schema}".nefertari_update_old() RETURNS trigger '
        f"LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO "
        f"{schema}.nefertari_outbox (secondary, model, path, key) "
        f"SELECT 'memory', 'Film', '', id::text FROM new_rows; RETURN NULL; END $$",
        f"CREATE TRIGGER nefertari_update AFTER UPDATE ON films REFERENCING NEW TABLE "
        f'AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "{schema}".'
        f"nefertari_update_old()",
        f"CREATE TRIGGER nefertari_old AFTER UPDATE ON films REFERENCING NEW TABLE "
        f'AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION "{schema}".'
        f"nefertari_update_old()",
    )
    problems = {
        name: problem for table, name, problem in pg.problems() if table == "films"
    }
    assert problems["nefertari_update"] == "different"
    assert problems["nefertari_old"] == "left over"
    pg.triggers.install()
    assert pg.problems() == []
    with pg.database.connect() as connection:
        query = "SELECT count(*) FROM pg_proc WHERE proname = 'nefertari_update_old'"
        assert connection.execute(sa.text(query)).scalar_one() == 0
    pg.write("UPDATE films SET title = 'x' WHERE id = 1")
    pg.check()


@pytest.mark.parametrize(
    "change",
    [
        "ALTER FUNCTION nefertari_update_films() SECURITY INVOKER",
        "DROP TRIGGER nefertari_update ON films; CREATE TRIGGER nefertari_update "
        "AFTER UPDATE ON films FOR EACH ROW EXECUTE FUNCTION nefertari_update_films()",
    ],
)
def test_a_trigger_that_is_fired_otherwise_is_different(pg, change):
    pg.write(*change.split("; "))
    problems = pg.problems()
    assert problems == [("films", "nefertari_update", "different")]
    pg.triggers.install()
    assert pg.problems() == []
    pg.write("UPDATE films SET title = 'x' WHERE id = 1")
    pg.check()


def test_a_foreign_table_among_those_that_inherit_is_refused(postgresql_database_url):
    table = "CREATE TABLE cities (id int PRIMARY KEY, name text)"
    city, _ = cities()
    with Unheard(postgresql_database_url, {city: {}}, table).installed() as app:
        app.write(
            "CREATE EXTENSION IF NOT EXISTS file_fdw",
            "CREATE SERVER nefertari_files FOREIGN DATA WRAPPER file_fdw",
            "CREATE FOREIGN TABLE others () INHERITS (cities) "
            "SERVER nefertari_files OPTIONS (filename '/dev/null')",
        )
        with pytest.raises(ConfigurationError, match="others is a foreign table"):
            app.triggers.check()
        app.write("DROP EXTENSION file_fdw CASCADE")
