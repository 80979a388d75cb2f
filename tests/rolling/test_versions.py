"""Two versions of one application side by side, each with a worker of its own."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import pytest
import sqlalchemy as sa

from tests.application import Application
from tests.rolling.application import declare, new_models, old_models
from tests.sync.processes import worker, write_ini
from tests.sync.working import until

_MIGRATION = ["ALTER TABLE films ADD COLUMN year INTEGER"]


class Versions:
    """Both versions on one database, each as an application and as a worker's file."""

    def __init__(self, make, tmp_path):
        self.models = {"old": old_models(), "new": new_models()}
        self.apps = {name: make(partial(declare, models=m))
                     for name, m in self.models.items()}  # fmt: skip
        self.ini = {
            name: write_ini(
                tmp_path / f"{name}.ini",
                {**app.settings, "version": name},
                "tests.rolling.application:main",
            )
            for name, app in self.apps.items()
        }
        self.apps["old"].setup()
        with self.apps["old"].database.begin() as connection:
            for statement in _MIGRATION:
                connection.execute(sa.text(statement))
        tables = self.models["new"].Prize.metadata
        tables.create_all(self.apps["old"].database)

    def save(self, version, model, **columns):
        self.apps[version].save(getattr(self.models[version], model)(**columns))

    def waiting(self):
        """(model, key) of what waits."""
        return sorted((model, key) for model, _, key in self.apps["old"].entries())

    def source(self, model, key):
        """What the index holds of a document."""
        app = self.apps["new" if model != "Director" else "old"]
        (found,) = app.secondary.stored(app.engines.schemas[model], [str(key)])
        return None if found is None else found.source

    def dead(self):
        (outbox,) = self.apps["new"].engines.outboxes()
        return outbox.dead_letters()

    @contextmanager
    def workers(self, *names):
        if not names:
            yield
            return
        with worker(self.ini[names[0]]) as first, self.workers(*names[1:]):
            yield
            assert first.end() == 0, first.said()


@pytest.fixture
def versions(database_url, elasticsearch_url, index_prefix, tmp_path):
    made = []

    def make(declare):
        app = Application(
            database_url, elasticsearch_url, index_prefix, declare,
            nefertari__sync="worker",
        )  # fmt: skip
        made.append(app)
        return app

    yield Versions(make, tmp_path)
    for app in made:
        app.close()


def play(versions):
    """Processes of both versions write."""
    versions.save("old", "Film", id=1, title="Alien")
    versions.save("new", "Film", id=2, title="Aliens", year=1986)
    versions.save("old", "Director", id=1, name="Scott")
    versions.save("new", "Person", id=2, name="Cameron")
    versions.save("new", "Prize", id=1, name="Oscar")
    versions.save("old", "Country", id=1, name="UK")


def test_setup_first_leaves_what_has_changed_to_the_new_version(versions):
    versions.apps["new"].setup()
    with versions.workers("old"):
        play(versions)
        # The old worker has what both versions have alike, and what is its alone.
        left = [("Film", "1"), ("Film", "2"), ("Person", "2"), ("Prize", "1")]
        until(lambda: versions.waiting() == left)
        assert versions.source("Director", 1)["name"] == "Scott"
        assert versions.source("Country", 1)["name"] == "UK"
        with versions.workers("new"):
            until(lambda: versions.waiting() == [])
            assert versions.source("Film", 1)["year"] is None
            assert versions.source("Film", 2)["year"] == 1986
            assert versions.source("Person", 2)["name"] == "Cameron"
            assert versions.source("Prize", 1)["name"] == "Oscar"
            with versions.apps["old"].session() as session:
                # A process of the old version goes on to write, and nothing is old.
                film = session.get_one(versions.models["old"].Film, 2)
                film.title = "Aliens (again)"
                session.commit()
            until(lambda: versions.waiting() == [])
            found = versions.source("Film", 2)
            assert (found["title"], found["year"]) == ("Aliens (again)", 1986)
    assert versions.dead() == []
    assert versions.apps["new"].engines.forms.unknown() == ["Director"]


def test_workers_first_leave_what_has_changed_to_the_old_version_until_setup(versions):
    with versions.workers("new"):
        versions.save("old", "Film", id=1, title="Alien")
        versions.save("old", "Director", id=1, name="Scott")
        versions.save("old", "Country", id=1, name="UK")
        until(lambda: versions.waiting() == [("Director", "1"), ("Film", "1")])
        with versions.workers("old"):
            until(lambda: versions.waiting() == [])
            assert "year" not in versions.source("Film", 1)
            versions.apps["new"].setup()
            play_rest = partial(versions.save, "new")
            play_rest("Film", id=2, title="Aliens", year=1986)
            play_rest("Person", id=2, name="Cameron")
            play_rest("Prize", id=1, name="Oscar")
            versions.save("old", "Director", id=3, name="Hill")
            until(lambda: versions.waiting() == [])
        assert versions.source("Film", 2)["year"] == 1986
        assert versions.source("Person", 2)["name"] == "Cameron"
        assert versions.source("Prize", 1)["name"] == "Oscar"
        assert versions.source("Director", 3)["name"] == "Hill"
    assert versions.dead() == []


def test_inline_processes_of_the_old_version_leave_what_has_changed_to_workers(
    versions,
):
    old, new = versions.apps["old"], versions.apps["new"]
    new.setup()
    settings = {**old.settings, "nefertari.sync": "inline"}
    inline = Application(
        settings["sqlalchemy.url"], settings["elasticsearch.hosts"],
        settings["elasticsearch.index_prefix"],
        partial(declare, models=(models := old_models())), nefertari__sync="inline",
    )  # fmt: skip
    inline.save(models.Film(id=1, title="Alien"), models.Country(id=1, name="UK"))
    assert versions.waiting() == [("Film", "1")]
    assert versions.source("Film", 1) is None
    inline.engines.close()
    inline.database.dispose()
    new.drain()
    assert versions.source("Film", 1) is not None
    assert "year" in versions.source("Film", 1)


def test_a_model_that_no_version_has_any_more_is_forgotten(versions):
    versions.save("old", "Director", id=1, name="Scott")
    new = versions.apps["new"].setup()
    new.drain()
    assert versions.waiting() == [("Director", "1")]
    assert new.engines.forms.forget("Director")
    # A worker asks every second what is recorded.
    until(lambda: new.drain().errors)
    with new.database.connect() as connection:
        reason = connection.scalar(sa.text("SELECT reason FROM nefertari_outbox"))
    assert "No model 'Director'" in reason
