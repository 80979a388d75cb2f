"""One bad document is one bad document, and nothing but its end ends a worker."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.sync import worker
from nefertari_engine_base.sync.failures import LoggingFailureHandler
from nefertari_engine_base.values import Touch
from tests.application import Application
from tests.sync.faulty_server import Lost, gate_to
from tests.sync.poison import Named, Plain, Poison, Thing, declare, poisons
from tests.sync.working import until, working

_TABLES = {"Thing": "things", "Plain": "plain", "Named": "named"}
_WORD = re.compile(rb"SAY-(\w+)")


@pytest.fixture
def picky_url(elasticsearch_url):
    """URL of a server that answers requests with some words by what these say."""
    with gate_to(elasticsearch_url, "0") as (gate, url):
        forward = gate.forward

        def pick(method, path, headers, body):
            json = [("content-type", "application/json")]
            if found := _WORD.search(body):
                if found[1] == b"lost":
                    raise Lost
                # Without a word, as some proxies do.
                return int(found[1]), [], b""
            if b"ITEM-429" in body:
                item = b'{"index":{"status":429,"error":{"type":"es_rejected_'
                item += b'execution_exception","reason":"no room for this item"}}}'
                count = body.count(b'"index":')
                items = b",".join([item] * count)
                return 200, json, b'{"errors":true,"items":[%b]}' % items
            return forward(method, path, headers, body)

        gate.forward = pick
        yield url


@pytest.fixture
def app(database_url, picky_url, index_prefix):
    app = Application(
        database_url, picky_url, index_prefix, declare, nefertari__sync="worker",
        nefertari__sync__max_attempts=2, nefertari__sync__retry_delay=0.01,
        nefertari__sync__poll_interval=0.05,
    ).setup()  # fmt: skip
    yield app
    app.close()


def put(connection, number: int, poison: Poison) -> Touch:
    """Write the row, unheard; the entry that leads to it."""
    columns = dict(poison.columns)
    if poison.entry is None:
        if poison.model == "Named":
            key = columns["name"].strip("'")
        else:
            columns["id"], key = str(number), str(number)
        names, values = ", ".join(columns), ", ".join(columns.values())
        table = _TABLES[poison.model]
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({values})")
        for statement in poison.then:
            connection.execute(sa.text(statement.replace(":id", str(number))))
        return Touch("elasticsearch", poison.model, key)
    model, path, key = poison.entry
    return Touch("elasticsearch", model, key, path)


def test_fifty_poisons_are_dead_letters_their_neighbours_land_and_the_worker_lives(
    app, monkeypatch
):
    # Some take the connection with them: that the server rests then is not looked at.
    monkeypatch.setattr(worker, "LONGEST_BACKOFF", 0.5)
    chosen = poisons(app.database.dialect.name)
    assert len(chosen) >= 50
    (outbox,) = app.engines.outboxes()
    touches = {}
    # Nobody hears of what an engine of their own writes.
    unheard = sa.create_engine(app.settings["sqlalchemy.url"])
    with unheard.connect() as connection:
        for number, poison in enumerate(chosen, 1):
            good = 1000 + number
            neighbours = [
                put(connection, good, Poison("", "", {"title": "'good'"})),
                put(connection, good, Poison("", "", model="Plain")),
                put(connection, 0, Poison("", "", {"name": f"'n{number}'"}, "Named")),
            ]
            touch = put(connection, number, poison)
            touches[touch] = poison
            connection.commit()
            outbox.add([*neighbours[:2], touch, neighbours[2]])
    unheard.dispose()
    with working(app):
        until(lambda: outbox.waiting() == 0, 400)
        app.save(Thing(id=9000, title="after all that"))
        until(lambda: outbox.waiting() == 0, 60)
    letters = {letter.entry.touch: letter.reason for letter in outbox.dead_letters()}
    assert letters.keys() == touches.keys()
    unhelpful = {
        poison.name: letters[touch][:300]
        for touch, poison in touches.items()
        if not re.search(poison.reason, letters[touch])
    }
    assert unhelpful == {}
    ids = {str(1000 + number) for number in range(1, len(chosen) + 1)}
    assert app.documents(Thing).keys() == ids | {"9000"}
    assert app.documents(Plain).keys() == ids
    names = {f"n{number}" for number in range(1, len(chosen) + 1)}
    assert app.documents(Named).keys() == names


class Failing(LoggingFailureHandler):
    """An application's own, which fails itself."""

    has_failed = False

    def document_refused(self, ref, reason, final):
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("nobody has foreseen this")


def test_what_nobody_has_foreseen_ends_no_worker(app):
    handler = Failing()
    app.registry.registerUtility(handler, IFailureHandler)
    (outbox,) = app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Ghost", "1")])
    app.save(Plain(id=1, title="good"))
    with working(app):
        until(lambda: outbox.waiting() == 0)
    assert handler.has_failed
    assert app.documents(Plain).keys() == {"1"}
