"""``nefertari-es triggers sql``, and the recipe of the documentation for Alembic."""

from __future__ import annotations

import subprocess
import sys
from itertools import takewhile

import pytest
import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.tables import metadata as own_metadata
from nefertari_engine_base.values import TriggerProblem
from tests.application import assert_index_equals_rows
from tests.docs.blocks import DOCS
from tests.sync.models import INDEXED, Base, Movie
from tests.sync.test_triggers import problems

pytest.importorskip("alembic")

ENV = """
from alembic import context
from sqlalchemy import create_engine
from tests.sync.models import Base

{recipe}

with create_engine({url!r}).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_name=include_name
    )
    with context.begin_transaction():
        context.run_migrations()
"""

FIRST = """
from alembic import op
from tests.sync.models import Base

revision, down_revision = "1", None
branch_labels = depends_on = None

def upgrade():
    Base.metadata.create_all(op.get_bind())

def downgrade():
    Base.metadata.drop_all(op.get_bind())
"""


def recipes():
    """The blocks of Python that the page shows: of env.py, and of a migration."""
    page = (DOCS / "howto" / "triggers.rst").read_text()
    found = []
    for block in page.split(".. code-block:: python\n\n")[1:]:
        lines = takewhile(
            lambda line: not line or line.startswith("   "), block.split("\n")
        )
        found.append("\n".join(line[3:] for line in lines))
    of_environment, of_migration = found
    return of_environment, of_migration


@pytest.fixture
def alembic(tmp_path, database_url):
    """Function that runs alembic in a folder of migrations."""
    of_environment, of_migration = recipes()
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV.format(url=database_url, recipe=of_environment))
    (folder / "script.py.mako").write_text("${upgrades}\n")
    (folder / "versions" / "first.py").write_text(FIRST)
    (folder / "versions" / "triggers.py").write_text(
        f'revision, down_revision = "2", "1"\nbranch_labels = depends_on = None\n'
        f"{of_migration}"
    )
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}\n")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(tmp_path / "alembic.ini"),
             *arguments],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    run.versions = folder / "versions"
    return run


def drop_everything(engine):
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
        own_metadata.drop_all(connection)


def test_the_recipe_for_alembic_upgrades_and_downgrades(app, make_ini, run, alembic):
    ini = make_ini("nefertari.capture = triggers")
    result = run("-c", ini, "triggers", "sql")
    assert result.returncode == 0, result.stderr
    (alembic.versions / "triggers.sql").write_text(result.stdout)
    result = run("-c", ini, "triggers", "sql", "--remove")
    assert result.returncode == 0, result.stderr
    (alembic.versions / "triggers_remove.sql").write_text(result.stdout)
    drop_everything(app.database)

    result = alembic("upgrade", "head")
    assert result.returncode == 0, result.stderr
    # Nothing is left for autogenerate to change.
    result = alembic("check")
    assert result.returncode == 0, result.stdout + result.stderr
    assert problems(app) == {None}
    result = alembic("downgrade", "1")
    assert result.returncode == 0, result.stderr
    assert problems(app) == {TriggerProblem.MISSING}

    assert alembic("upgrade", "head").returncode == 0
    # The statements may be repeated.
    assert alembic("stamp", "1").returncode == 0
    result = alembic("upgrade", "head")
    assert result.returncode == 0, result.stderr
    assert problems(app) == {None}
    with app.database.begin() as connection:
        connection.execute(sa.text("INSERT INTO movies (id, title) VALUES (1, 'A')"))
    app.drain()
    assert app.documents(Movie)["1"]["title"] == "A"
    assert_index_equals_rows(app, INDEXED)


def test_setup_makes_triggers_where_they_are_the_capture(app, make_ini, run):
    ini = make_ini("nefertari.capture = triggers")
    result = run("-c", ini, "worker", "--once")
    assert result.returncode == 1
    assert "nefertari-es triggers sql" in result.stderr
    assert "Traceback" not in result.stderr
    assert run("-c", ini, "triggers", "check").returncode == 1
    result = run("-c", ini, "setup")
    assert result.returncode == 0, result.stderr
    assert run("-c", ini, "triggers", "check").returncode == 0
    result = run("-c", ini, "worker", "--once")
    assert result.returncode == 0, result.stderr
