"""One bad document is one bad document, on MongoDB too."""

from __future__ import annotations

import re

import mongoengine as me
import pytest
from bson import Regex
from bson.raw_bson import RawBSONDocument

from nefertari_engine_base.values import Touch
from tests.mongo.films import Films
from tests.sync.working import until, working


class Thing(me.Document):
    meta = {"collection": "things"}

    key = me.IntField(primary_key=True)
    title = me.StringField()
    data = me.DynamicField()
    moment = me.DateTimeField()
    amount = me.Decimal128Field()


class Things(Films):
    models = (Thing,)

    def declare(self, config):
        config.add_secondary(Thing)


def nested(levels):
    found = 1
    for _ in range(levels):
        found = [found]
    return found


#: Fields of the stored document, and what the reason has in it.
STORED = {
    "a deep list": ({"data": nested(900)}, "deep|depth|recursion|nested"),
    "a pattern": ({"data": Regex("x")}, "Regex|JSON"),
    "a list for a number": ({"amount": [1]}, "amount"),
    "a text for a moment": ({"moment": "just now"}, "moment"),
}
#: A date-time beyond what Python has, in BSON. Texts that are no UTF-8 are mended by
#: the server of these tests.
RAW = {
    "a moment too late": (b"\x09moment\x00" + (2**62).to_bytes(8, "little"), "."),
}
#: Keys of entries.
KEYS = {"no number": ("seven", "no id"), "a huge number": ("9" * 40, ".")}


def raw(key, element):
    body = b"\x10_id\x00" + key.to_bytes(4, "little") + element
    whole = (len(body) + 5).to_bytes(4, "little") + body + b"\x00"
    return RawBSONDocument(whole)


@pytest.fixture
def things(mongodb):
    things = Things(
        **{
            "nefertari.sync.max_attempts": 2,
            "nefertari.sync.retry_delay": 0.01,
            "nefertari.sync.poll_interval": 0.02,
        }
    )
    yield things
    things.close()


def test_each_poison_is_a_dead_letter_its_neighbours_land_and_the_worker_lives(
    mongodb, things
):
    reasons, collection = {}, mongodb["things"]
    for number, (fields, reason) in enumerate(STORED.values(), 1):
        collection.insert_one({"_id": number, **fields})
        reasons[str(number)] = reason
    for number, (element, reason) in enumerate(RAW.values(), 100):
        collection.insert_one(raw(number, element))
        reasons[str(number)] = reason
    reasons |= dict(KEYS.values())
    entries = []
    for number, key in enumerate(reasons, 1000):
        collection.insert_one({"_id": number, "title": "good"})
        entries += [
            Touch("memory", "Thing", str(number)),
            Touch("memory", "Thing", key),
        ]
    things.outbox.add(entries)
    with working(things):
        until(lambda: things.outbox.waiting() == 0)
        Thing(key=9000, title="after all that").save()
        until(lambda: things.outbox.waiting() == 0)
    letters = {
        letter.entry.touch.key: letter.reason for letter in things.outbox.dead_letters()
    }
    assert letters.keys() == reasons.keys()
    for key, reason in reasons.items():
        assert re.search(reason, letters[key]), (key, letters[key])
    good = {str(number) for number in range(1000, 1000 + len(reasons))}
    assert things.index(Thing).keys() == good | {"9000"}
