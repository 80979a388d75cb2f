"""``nefertari-es triggers``, as a user types it."""

import sqlalchemy as sa

from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Movie


def test_what_a_console_writes_is_found_once_triggers_are_there(app, ini, run):
    result = run("-c", ini, "triggers", "check")
    assert result.returncode == 1
    assert "missing" in result.stdout
    assert "nefertari-es triggers install" in result.stdout

    result = run("-c", ini, "triggers", "install")
    assert result.returncode == 0, result.stderr
    assert "run nefertari-es index" in result.stdout
    with app.database.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO movies (id, title) VALUES (1, 'Alien')")
        )
    app.drain()
    assert app.documents(Movie)["1"]["title"] == "Alien"
    assert_index_equals_rows(app, INDEXED)

    result = run("-c", ini, "triggers", "check")
    assert (result.returncode, "missing" in result.stdout) == (0, False)

    result = run("-c", ini, "triggers", "remove")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("removed.\n")
    assert run("-c", ini, "triggers", "check").returncode == 1
