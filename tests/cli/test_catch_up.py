"""``nefertari-es catch-up``, as a user types it, and what others say of debts."""

import json

import pytest

from nefertari_engine_base import suspended
from nefertari_engine_base.values import Debt, Write
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Movie, Seat


@pytest.fixture
def owing(app):
    """A film and a seat that are owed, and a ghost."""
    schema = app.engines.schema_of(Movie)
    app.secondary.write(schema, [Write("9", 1, b'{"id":9,"title":"ghost"}')])
    with suspended():
        app.save(Movie(id=1, title="Alien"), Seat(row="A", number=1))
    return app


def owed(app):
    (outbox,) = app.engines.outboxes()
    return [debt.model for debt in outbox.status().debts]


def test_it_settles_what_is_owed_and_delivers_what_waits(owing, ini, run):
    owing.save(Movie(id=2, title="in the outbox"))
    result = run("-c", ini, "catch-up")
    assert result.returncode == 0, result.stderr
    assert "Movie: sync was suspended." in result.stdout
    assert "2 documents written, 0 had newer ones, 0 refused, 1 removed" in " ".join(
        result.stdout.split()
    )
    assert "1 entries delivered." in result.stdout
    assert owed(owing) == []
    assert owing.waiting() == 0
    assert_index_equals_rows(owing, INDEXED)


def test_it_settles_the_models_that_are_named_and_no_others(owing, ini, run):
    result = run("-c", ini, "catch-up", "Movie")
    assert result.returncode == 0, result.stderr
    assert owed(owing) == ["Seat"]
    assert_index_equals_rows(owing, [Movie])


def test_with_nothing_owed_it_says_so(app, ini, run):
    for arguments in ((), ("Movie",)):
        result = run("-c", ini, "catch-up", *arguments)
        assert (result.returncode, result.stdout) == (0, "Nothing is owed.\n")


def test_an_unknown_model_is_one_sentence(ini, run):
    result = run("-c", ini, "catch-up", "Moovie")
    assert result.returncode == 1
    assert "Moovie has no secondary" in result.stderr
    assert "Traceback" not in result.stderr


def test_index_settles_debts_and_removes_ghosts_too(owing, ini, run):
    result = run("-c", ini, "index", "Movie")
    assert result.returncode == 0, result.stderr
    assert owed(owing) == ["Seat"]
    assert_index_equals_rows(owing, [Movie])


def test_status_shows_what_is_owed_and_why(owing, ini, run):
    result = run("-c", ini, "status")
    assert result.returncode == 0, result.stderr
    rows = [line.replace("│", " ").split() for line in result.stdout.splitlines()]
    assert ["Movie", "sync", "was", "suspended"] in [row[:4] for row in rows]
    assert "nefertari-es catch-up" in result.stdout


def test_status_as_json_has_debts(owing, ini, run):
    result = run("-c", ini, "status", "--json")
    movie, seat = json.loads(result.stdout)["debts"]
    assert movie.pop("since").startswith("20")
    assert movie == {
        "secondary": "elasticsearch",
        "model": "Movie",
        "reason": "sync was suspended",
        "count": 1,
    }
    assert seat["model"] == "Seat"


def test_status_looks_whether_an_index_has_lost_anything(app, ini, run):
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    app.engines.watch.check()
    client = app.secondary.client
    alias = app.secondary.model_of(app.engines.schema_of(Movie)).alias
    (name,) = client.indices.get_alias(name=alias).body
    client.indices.delete(index=name)
    result = run("-c", ini, "status")
    assert result.returncode == 0, result.stderr
    assert "the index was gone" in result.stdout
    assert "nefertari-es catch-up Movie" in result.stderr
    assert run("-c", ini, "setup").returncode == 0
    assert run("-c", ini, "catch-up").returncode == 0
    assert_index_equals_rows(app, INDEXED)


def test_status_works_while_the_search_server_is_away(app, make_ini, run):
    (outbox,) = app.engines.outboxes()
    outbox.owe([Debt("elasticsearch", "Movie")])
    ini = make_ini()
    with open(ini) as stream:
        lines = stream.read().splitlines()
    away = [
        "elasticsearch.hosts = http://127.0.0.1:1"
        if line.startswith("elasticsearch.hosts")
        else line
        for line in lines
    ]
    with open(ini, "w") as stream:
        stream.write("\n".join(away))
    result = run("-c", ini, "status")
    assert result.returncode == 0, result.stderr
    assert "the indices were not checked" in result.stderr
    assert "sync was suspended" in result.stdout
