"""A primary that draws versions again: restored from a backup, or in its place."""

from __future__ import annotations

import sqlalchemy as sa

from nefertari_engine_base.sync.catch_up import catch_up
from tests.application import assert_index_equals_rows
from tests.sync.films import change, delete, titles
from tests.sync.models import INDEXED, Movie

BACKUP = [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]


def restore(app, version=5):
    """What ``pg_restore --clean`` does to a database that is in use: its rows and its
    counter are those of the backup, and connections survive."""
    statements = {
        "postgresql": f"SELECT setval('nefertari_version', {version})",
        "sqlite": f"UPDATE nefertari_version_counter SET value = {version}",
    }
    with app.database.connect() as connection:
        driver = connection.connection.driver_connection
        cursor = driver.cursor()
        cursor.execute("DELETE FROM movies")
        for row in BACKUP:
            cursor.execute(
                f"INSERT INTO movies (id, title) VALUES ({row['id']}, '{row['title']}')"
            )
        cursor.execute("DELETE FROM nefertari_outbox")
        cursor.execute(statements[app.database.dialect.name])
        driver.commit()


def test_a_row_that_was_deleted_after_the_backup_comes_back(app):
    """The index remembers the version of its delete, which nobody can ask for."""
    app.save(*(Movie(**row) for row in BACKUP))
    delete(app, 2)
    restore(app)
    catch_up(app.engines, app.engines.schema_of(Movie))
    assert titles(app) == {1: "a", 2: "b"}
    assert_index_equals_rows(app, INDEXED)


def test_a_change_in_a_database_that_was_restored_in_its_place_reaches_the_index(app):
    app.save(*(Movie(**row) for row in BACKUP))
    change(app, 1, "lost")
    restore(app)
    change(app, 1, "new")
    assert titles(app)[1] == "new"


def test_a_process_that_has_drawn_nothing_since_the_backup_overtakes_the_index(
    app, make_app
):
    """It cannot know that versions are drawn again; a conflict tells."""
    app.save(*(Movie(**row) for row in BACKUP))
    idle = make_app()
    idle.save(Movie(id=3, title="c"))
    with app.database.connect() as connection:
        name = app.database.dialect.name
        query = {
            "postgresql": "SELECT last_value FROM nefertari_version",
            "sqlite": "SELECT value FROM nefertari_version_counter",
        }
        backup = connection.execute(sa.text(query[name])).scalar_one()
    for number in range(5):
        change(app, 1, f"lost {number}")
    delete(app, 2)
    restore(app, backup)
    change(idle, 1, "new")
    change(idle, 2, "is back")
    assert {**titles(app), 3: None} == {1: "new", 2: "is back", 3: None}


def test_a_version_that_was_drawn_before_is_used_for_nothing(app):
    versions, outbox = app.engines.versions, next(iter(app.engines.outboxes()))

    def draw():
        return outbox.draw_and_load(())

    first = versions.drawn(outbox, draw).version
    restore(app)
    assert versions.drawn(outbox, draw).version > first


def test_documents_of_rows_that_the_backup_lacks_are_removed(app):
    app.save(*(Movie(**row) for row in BACKUP), Movie(id=3, title="c"))
    change(app, 3, "newer")
    restore(app)
    catch_up(app.engines, app.engines.schema_of(Movie))
    assert titles(app) == {1: "a", 2: "b"}
