"""``nefertari-es dead-letters``, as a user types it."""

import json

import pytest

from nefertari_engine_base.values import Touch
from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Movie


@pytest.fixture
def dead(app):
    """Films 1 and 2 and a director are dead letters; film 1 is well by now."""
    app.save(Movie(id=1, title="Alien"))
    (outbox,) = app.engines.outboxes()
    outbox.add(
        [
            Touch("elasticsearch", "Movie", "2"),
            Touch("elasticsearch", "Director", "3", "films"),
        ]
    )
    with outbox.claim(10) as claim:
        for entry in claim.entries:
            claim.refuse(entry, "[red]number[/nothing] expected", None)
    return outbox


def test_a_table_shows_what_was_refused_and_why(ini, run, dead):
    result = run("-c", ini, "dead-letters", "list")
    assert result.returncode == 0, result.stderr
    words = " ".join(result.stdout.replace("│", " ").split())
    assert "Movie" in words
    assert "films 3" in words
    assert "[red]number" in words


def test_json_has_every_value_of_a_dead_letter(ini, run, dead):
    result = run("-c", ini, "dead-letters", "list", "Director", "--json")
    assert result.returncode == 0, result.stderr
    (letter,) = json.loads(result.stdout)
    assert letter.pop("created_at") <= letter.pop("dead_at")
    assert letter == {
        "secondary": "elasticsearch",
        "model": "Director",
        "id": "3",
        "path": "films",
        "attempts": 1,
        "reason": "[red]number[/nothing] expected",
    }


def test_retry_has_a_document_delivered_after_all(app, ini, run, dead):
    result = run("-c", ini, "dead-letters", "retry", "Movie", "1")
    assert (result.returncode, result.stdout) == (
        0,
        "1 dead letter will be tried again.\n",
    )
    app.drain()
    assert_index_equals_rows(app, INDEXED)
    assert len(dead.dead_letters()) == 2


def test_drop_removes_those_of_a_model(ini, run, dead):
    result = run("-c", ini, "dead-letters", "drop", "Movie")
    assert (result.returncode, result.stdout) == (0, "2 dead letters removed.\n")
    assert [letter.entry.touch.model for letter in dead.dead_letters()] == ["Director"]


def test_all_are_dropped_only_by_somebody_who_says_so(ini, run, dead):
    result = run("-c", ini, "dead-letters", "drop")
    assert result.returncode == 1
    assert "Remove the dead letters of all models?" in result.stderr
    assert len(dead.dead_letters()) == 3
    result = run("-c", ini, "dead-letters", "drop", "--yes")
    assert (result.returncode, result.stdout) == (0, "3 dead letters removed.\n")
    result = run("-c", ini, "dead-letters", "list")
    assert result.stdout == "There are no dead letters.\n"
