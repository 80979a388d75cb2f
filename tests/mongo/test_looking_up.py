"""Who shows a document is looked up for many entries at once."""

from __future__ import annotations

from dataclasses import replace

import mongoengine as me
import pytest

from nefertari_engine_base.sync.delivery import deliver
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import Touch
from tests.mongo.films import Films

PARENTS, ROWS = 240, 300


class Airport(me.Document):
    code = me.StringField(primary_key=True)
    name = me.StringField()


class Flight(me.Document):
    meta = {"indexes": ["origin", "target"]}

    number = me.IntField(primary_key=True)
    origin = me.ReferenceField(Airport)
    target = me.ReferenceField(Airport)


class Flights(Films):
    """An application in which flights show their airports."""

    models = (Flight,)

    def declare(self, config):
        config.add_secondary(Flight, nested=("origin", "target"))

    def load(self, rows=ROWS, parents=PARENTS):
        """Load everything for the first time."""
        airports = [Airport(code=f"{n:05}", name=f"No. {n}") for n in range(parents)]
        Airport.objects.insert(airports)
        flights = [
            Flight(
                number=n,
                origin=airports[n % parents],
                target=airports[(n + 1) % parents],
            )
            for n in range(rows)
        ]
        Flight.objects.insert(flights)

    def enter(self, path, *keys):
        """Add entries for who shows these by a path."""
        self.outbox.add(Touch(MemoryEngine.name, "Flight", key, path) for key in keys)


@pytest.fixture
def flights(mongodb):
    flights = Flights()
    yield flights
    flights.close()


def test_those_who_show_many_inserted_documents_are_looked_up_together(
    flights, commands
):
    flights.load()
    assert len(flights.entries()) == 2 * PARENTS + ROWS
    commands.taken()
    flights.deliver()
    sent = commands.taken()
    assert sent["find", "flight"] < 20
    assert sent["delete", "nefertari_outbox"] < 20
    assert sent["find", "nefertari_outbox"] < 40
    assert sent["insert", "nefertari_outbox"] < 20
    flights.assert_index_equals_collections()
    assert len(flights.index(Flight)) == ROWS


def test_a_document_that_several_entries_lead_to_is_written_once(flights):
    flights.load()
    flights.deliver()
    flights.enter("origin", "00001", "00002")
    flights.enter("target", "00001", "00002")
    report = deliver(flights.engines, flights.outbox, 100)
    # 00001 and 00002 are shown by the flights 0, 1, 2, 240, 241 and 242.
    assert report.documents == 6
    assert flights.outbox.waiting() == 0


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
def test_look_ups_find_all_however_few_documents_one_may_find(flights, limit):
    flights.load(rows=60, parents=4)
    flights.deliver()
    Airport._get_collection().database["airport"].update_many(
        {}, {"$set": {"name": "Renamed behind our back"}}
    )
    flights.enter("origin", "00000", "00001", "none", "00002", "00003")
    rounds = 0
    while flights.outbox.waiting():
        report = deliver(flights.engines, flights.outbox, limit)
        assert report.expanded <= 2 * limit
        rounds += 1
        assert rounds < 200
    assert all(
        document["origin"]["name"] == "Renamed behind our back"
        for document in flights.index(Flight).values()
    )


def test_a_key_that_can_be_none_dies_alone(flights):
    flights.load(rows=10, parents=2)
    flights.deliver()
    flights.enter("origin", "00000")
    flights.enter("nowhere", "00000")
    flights.enter("origin", "00001")
    settings = flights.engines.settings
    flights.engines.settings = replace(settings, max_attempts=1)
    report = deliver(flights.engines, flights.outbox, 100)
    assert report.documents == 10
    (letter,) = flights.outbox.dead_letters()
    assert letter.entry.touch.path == "nowhere"


def test_an_entry_that_its_writer_has_not_confirmed_stays_after_it_was_looked_up(
    flights,
):
    flights.load(rows=10, parents=2)
    flights.deliver()
    touches = [
        Touch(MemoryEngine.name, "Flight", key, "origin") for key in ("00000", "00001")
    ]
    entries = flights.outbox.announce(touches)
    ids = [entry.id for entry in entries]
    report = deliver(flights.engines, flights.outbox, 100, ids)
    assert report.documents == 10
    assert flights.outbox.remaining(ids) == 2
    flights.outbox.confirm(entries)
    flights.deliver()
