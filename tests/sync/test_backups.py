"""PostgreSQL comes back from a backup that its own tools have made."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

from tests.application import assert_index_equals_rows
from tests.sync.films import change, delete, titles
from tests.sync.models import INDEXED, Director, Movie
from tests.sync.own_databases import empty_database
from tests.sync.processes import worker, write_ini
from tests.sync.working import until
from tools.backups import dump, restore

#: Of the films in the backup.
IDS = (1, 2, 3, 4, 5, 6, 8, 9)
#: Those of them that are deleted after it.
DELETED = (8, 9, 2)


@pytest.fixture(params=["session", "triggers"])
def capture(request):
    return request.param


@pytest.fixture
def live(postgresql_url):
    with empty_database(postgresql_url) as url:
        yield url


@pytest.fixture
def make(make_on, capture):
    """Makes the application on a database."""
    return partial(make_on, nefertari__capture=capture)


@pytest.fixture
def app(make, live):
    return make(live).setup()


def fill(app):
    director = Director(id=1, name="Ridley Scott")
    films = [Movie(id=n, title=f"film {n}") for n in IDS]
    # Those that are deleted later are in no other document.
    director.films = [film for film in films if film.id not in DELETED]
    app.save(director, *films)


def live_on(app):
    """What happens after the backup: changes, a new row, and deletes, whose versions
    are far above those that any document has."""
    for number in range(5):
        change(app, 3, f"lost {number}")
    app.save(Movie(id=7, title="lost"))
    with app.session() as session:
        session.get_one(Director, 1).name = "lost"
        session.commit()
    (outbox,) = app.engines.outboxes()
    for id_ in DELETED:
        # Each new connection moves versions ahead.
        outbox.engine.dispose()
        outbox.autocommit_engine.dispose()
        delete(app, id_)
    app.drain()
    assert_index_equals_rows(app, INDEXED)


def index(app, tmp_path):
    """What the page for operators says to do, by the command itself."""
    ini = write_ini(tmp_path / "index.ini", app.settings)
    command = [sys.executable, "-m", "nefertari_es.cli", "-c", ini, "index"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def write_and_index(app, tmp_path, order):
    """A row that had not changed, one that had, and one that had been deleted are
    written by the application, before the command or after it."""
    if order == "index first":
        index(app, tmp_path)
        assert_index_equals_rows(app, INDEXED)
    change(app, 4, "new 4")
    change(app, 3, "new 3")
    change(app, 2, "new 2")
    delete(app, 6)
    assert titles(app).keys() >= {2, 3, 4}
    assert [titles(app)[n] for n in (2, 3, 4)] == ["new 2", "new 3", "new 4"]
    if order == "write first":
        index(app, tmp_path)
    assert_index_equals_rows(app, INDEXED)
    assert titles(app) == {
        1: "film 1", 2: "new 2", 3: "new 3", 4: "new 4", 5: "film 5", 8: "film 8",
        9: "film 9",
    }  # fmt: skip
    assert app.documents(Director)["1"]["name"] == "Ridley Scott"
    assert app.waiting() == 0


@pytest.mark.parametrize("order", ["index first", "write first"])
def test_a_backup_in_a_new_database_is_what_the_index_has(
    app, make, postgresql_url, live, tmp_path, order
):
    fill(app)
    dump(live, tmp_path / "backup")
    live_on(app)
    with empty_database(postgresql_url) as url:
        restore(url, tmp_path / "backup")
        restored = make(url)
        write_and_index(restored, tmp_path, order)
        restored.engines.close()
        restored.database.dispose()


@pytest.mark.parametrize("order", ["index first", "write first"])
def test_a_backup_restored_under_an_application_that_goes_on_is_what_the_index_has(
    app, live, tmp_path, order
):
    fill(app)
    dump(live, tmp_path / "backup")
    live_on(app)
    sessions = pids(app)
    restore(live, tmp_path / "backup", "--clean", "--if-exists")
    assert pids(app) & sessions  # the connections have survived
    write_and_index(app, tmp_path, order)


def test_the_command_alone_brings_the_index_back_to_the_backup(app, live, tmp_path):
    fill(app)
    dump(live, tmp_path / "backup")
    live_on(app)
    restore(live, tmp_path / "backup", "--clean", "--if-exists")
    index(app, tmp_path)
    assert titles(app) == {n: f"film {n}" for n in IDS}
    assert_index_equals_rows(app, INDEXED)


def test_a_worker_goes_on_through_a_restore_and_delivers_what_the_backup_owes(
    make, live, tmp_path
):
    """The backup was made while changes waited, which were delivered after it."""
    app = make(live, nefertari__sync="worker").setup()
    fill(app)
    waiting = app.waiting()
    assert waiting
    dump(live, tmp_path / "backup")
    ini = write_ini(tmp_path / "worker.ini", app.settings)
    with worker(ini) as one:
        until(lambda: app.waiting() == 0)
        change(app, 3, "lost")
        until(lambda: titles(app).get(3) == "lost")
        restore(live, tmp_path / "backup", "--clean", "--if-exists")
        until(lambda: app.waiting() == 0)
        until(lambda: titles(app).get(3) == "film 3")
        assert_index_equals_rows(app, INDEXED)
        assert one.end() == 0, one.said()
        assert "draws versions again" in one.said()


def pids(app):
    """The sessions of the server that this process has."""
    with app.database.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}
