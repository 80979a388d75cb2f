"""Users of PostgreSQL that have the rights which the page for operators grants."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from nefertari_engine_base import suspended
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.sync.status import sync_status
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie
from tests.sync.own_databases import empty_database
from tests.sync.working import until, working

PAGE = Path(__file__).parents[2] / "docs/howto/operations.rst"

#: Rights on tables of the application's own, which are its own affair.
OWN = """
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO movies_web;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO movies_web;
REVOKE ALL ON nefertari_outbox, nefertari_debt, nefertari_index, nefertari_form,
    nefertari_worker FROM movies_web;
REVOKE ALL ON SEQUENCE nefertari_version, nefertari_outbox_id_seq,
    nefertari_debt_id_seq FROM movies_web;
"""

ROLES = ("setup", "web", "worker")


def granted(name):
    """The statements of the page behind this comment, up to the next one."""
    found = rf"\n   -- {name}\n(.*?)(?=\n   -- |\n\S)"
    (text,) = re.findall(found, PAGE.read_text(), re.S)
    return text


class Users:
    """A database, and three users of it that are nothing but what they were granted."""

    def __init__(self, url, prefix):
        self.url, self.prefix = sa.make_url(url), prefix
        self.admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        for role in ROLES:
            self.execute(f"CREATE ROLE movies_{role} LOGIN PASSWORD 'secret'")
        self.execute(granted("setup's"))

    def execute(self, text, role=None):
        """As the superuser, or as one of them."""
        text = text.replace("movies_", f"{self.prefix}_")
        engine = self.admin
        if role is not None:
            engine = sa.create_engine(self.as_(role), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(text)
        if role is not None:
            engine.dispose()

    def as_(self, role):
        url = self.url.set(username=f"{self.prefix}_{role}", password="secret")
        return url.render_as_string(hide_password=False)

    def close(self):
        for role in ROLES:
            self.execute(f"DROP OWNED BY movies_{role} CASCADE")
            self.execute(f"DROP ROLE movies_{role}")
        self.admin.dispose()


@pytest.fixture
def users(postgresql_url, index_prefix):
    with empty_database(postgresql_url) as url:
        users = Users(url, index_prefix.replace("-", "_"))
        yield users
        users.close()


@pytest.fixture(params=["session", "triggers"])
def capture(request):
    return request.param


@pytest.fixture
def make(users, make_on, capture):
    """Makes the application of one of the users."""

    def make(role, **settings):
        return make_on(users.as_(role), nefertari__capture=capture, **settings)

    return make


@pytest.fixture
def set_up(make, users):
    """What setup does, as its user; then the rights that the application has anyway."""
    make("setup").setup()
    users.execute(OWN, "setup")
    return users


def use(app):
    """A new row, changes of one and of many, a change of an embedded one, deletes."""
    director = Director(id=1, name="Ridley Scott")
    app.save(
        director, *(Movie(id=n, title=str(n), director=director) for n in range(5))
    )
    with app.session() as session:
        session.get_one(Movie, 1).title = "changed"
        session.get_one(Director, 1).name = "changed"
        session.execute(sa.update(Movie).where(Movie.id > 2).values(title="many"))
        session.execute(sa.delete(Movie).where(Movie.id == 4))
        session.commit()
    with suspended(Movie):
        app.save(Movie(id=9, title="owed"))


def test_web_and_worker_do_with_what_the_page_grants(make, set_up, capture):
    set_up.execute(granted("the worker's"), "setup")
    if capture == "session":
        set_up.execute(granted("the application's"), "setup")
    web = make("web", nefertari__sync="worker")
    worker = make("worker", nefertari__sync="worker")
    use(web)
    with working(worker):
        until(lambda: worker.waiting() == 0)
    assert sync_status(worker.engines).workers is not None
    for model in INDEXED:
        catch_up(worker.engines, worker.engines.schema_of(model))
    assert_index_equals_rows(worker, INDEXED)
    assert worker.engines.watch.check() == []


def test_a_process_that_delivers_inline_needs_what_both_need(make, set_up):
    set_up.execute(
        granted("the worker's").replace("movies_worker", "movies_web"), "setup"
    )
    set_up.execute(granted("the application's"), "setup")
    web = make("web", nefertari__sync="inline")
    use(web)
    assert web.waiting() == 0
    with suspended(Director):
        web.save(Director(id=2, name="owed"))
    for model in INDEXED:
        catch_up(web.engines, web.engines.schema_of(model))
    assert_index_equals_rows(web, INDEXED)


@pytest.mark.parametrize("capture", ["session"], indirect=True)
def test_without_the_rights_of_the_application_a_write_fails_as_a_whole(make, set_up):
    web = make("web", nefertari__sync="worker")
    with pytest.raises(ProgrammingError, match=r"permission denied .*nefertari_outbox"):
        web.save(Movie(id=1, title="Alien"))
    with web.session() as session:
        assert session.get(Movie, 1) is None


@pytest.mark.parametrize("capture", ["triggers"], indirect=True)
def test_with_triggers_the_application_needs_no_right_of_ours(make, set_up):
    web = make("web", nefertari__sync="worker")
    use(web)
    assert make("setup", nefertari__sync="worker").waiting() > 0


def test_without_the_rights_of_the_worker_changes_wait(make, set_up, capture):
    set_up.execute(granted("the application's"), "setup")
    web = make("web", nefertari__sync="worker")
    use(web)
    worker = make("worker", nefertari__sync="worker")
    with pytest.raises(PrimaryError, match="permission denied"):
        worker.drain()
    set_up.execute(granted("the worker's"), "setup")
    worker.drain()
    assert worker.waiting() == 0


@pytest.mark.parametrize("capture", ["session"], indirect=True)
def test_rows_that_may_be_deleted_and_not_locked_are_followed_by_a_comparison(
    make, set_up
):
    set_up.execute(granted("the application's"), "setup")
    set_up.execute(granted("the worker's"), "setup")
    web = make("web", nefertari__sync="worker")
    use(web)
    worker = make("worker", nefertari__sync="worker")
    with working(worker):
        until(lambda: worker.waiting() == 0)
    set_up.execute("REVOKE UPDATE ON movies FROM movies_web", "setup")
    with web.session() as session:
        session.execute(sa.delete(Movie).where(Movie.id == 3))
        session.commit()
    for model in INDEXED:
        catch_up(worker.engines, worker.engines.schema_of(model))
    with working(worker):
        until(lambda: worker.waiting() == 0)
    assert_index_equals_rows(worker, INDEXED)
