"""``nefertari-es explain``, as a user types it."""

import json
import re
from pathlib import Path

import pytest

from nefertari_engine_base.values import Touch
from tests.sync.models import Director, Movie

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"


def test_a_document_that_equals_its_row_is_status_0(app, ini, run):
    app.save(Movie(id=1, title="Alien", director=Director(id=7, name="Scott")))
    app.drain()
    result = run("-c", ini, "explain", "Movie", "1")
    assert result.returncode == 0, result.stderr
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[:2] == ["Movie 1", "primary: The row is there."]
    assert lines[2] == lines[4]
    assert lines[2].startswith("hash ")
    assert lines[3].startswith("elasticsearch: Version ")
    assert lines[3].endswith(", for a change that touches it.")
    assert lines[5:] == ["The document equals the row."]


def test_a_stale_document_is_status_1_and_its_fields_are_shown(app, ini, run):
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    with app.session() as session:
        session.get(Movie, 1).title = "[b]" * 40
        session.commit()
    result = run("-c", ini, "explain", "Movie", "1")
    assert (result.returncode, result.stderr) == (1, "")
    assert 'title: the index has "Alien"' in result.stdout
    assert f'the row has   "{"[b]" * 19}' in result.stdout
    assert "[b]" * 30 not in result.stdout
    assert "A change waits since" in result.stdout
    assert "A worker delivers it." in result.stdout


def test_a_document_that_is_not_there_is_told_with_its_dead_letter(app, ini, run):
    app.save(Movie(id=1, title="Alien"))
    (outbox,) = app.engines.outboxes()
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "[red]number[/nothing] expected", None)
    result = run("-c", ini, "explain", "Movie", "1")
    assert result.returncode == 1
    assert "There is no document; a deleted one leaves nothing" in result.stdout
    assert "The row's document is missing." in result.stdout
    assert "dead letter: [red]number[/nothing] expected." in result.stdout


def test_json_has_every_value(app, ini, run):
    app.save(Movie(id=1, title="Alien"))
    app.drain()
    (outbox,) = app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    result = run("-c", ini, "explain", "Movie", "1", "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["model"], told["sync"], told["in_order"]) == ("Movie", "worker", True)
    row = told["row"]
    assert (row["id"], row["state"], row["says"]) == (
        "1",
        "present",
        "The row is there.",
    )
    (index,) = told["indices"]
    stored = index["stored"]
    assert stored["source"] == row["document"]
    assert stored["hash"] == row["hash"]
    assert stored["version"] == stored["noted_version"]
    assert stored["why"] == "change"
    assert stored["written_at"].endswith("+00:00")
    (waiting,) = index["waiting"]
    assert waiting["entry"]["touch"]["key"] == "1"
    assert index["says"][0] == "The document equals the row."


@pytest.mark.parametrize(
    ("setting", "arguments", "says"),
    [
        ("", ("Moovie", "1"), "Moovie has no secondary"),
        ("", ("Movie", "first"), "'first' is no id of Movie"),
        (f"elasticsearch.hosts = {NOBODY}", ("Movie", "1"), "did not answer"),
        (
            "elasticsearch.index_prefix = nobodys",
            ("Movie", "1"),
            "nefertari-es setup",
        ),
    ],
    ids=["model", "id", "server", "index"],
)
def test_a_mistake_is_one_sentence_and_status_1(
    app, ini, run, setting, arguments, says
):
    key = setting.partition(" =")[0]
    text = Path(ini).read_text()
    Path(ini).write_text(re.sub(rf"(?m)^{key} =.*$", setting, text) if key else text)
    result = run("-c", ini, "explain", *arguments)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert says in last
