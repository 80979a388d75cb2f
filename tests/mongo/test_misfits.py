"""A document whose ``_id`` its class cannot have made is refused alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID, uuid4

import mongoengine as me
import pytest
from bson import Binary, Decimal128, ObjectId, Timestamp

from nefertari_engine_base.exceptions import InvalidDocumentId
from nefertari_engine_base.primary.mongo.ids import Ids, is_spelling
from nefertari_engine_base.primary.mongo.order import sort_key
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import Touch
from tests.mongo.films import Films


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Rank(Enum):
    FIRST = 1
    SECOND = 2


TODAY = datetime(2026, 3, 4, 5, 6, 7)  # noqa: DTZ001 - as MongoEngine stores it

#: Values of ``_id`` of every type that MongoDB takes one of.
ANYTHING = (
    *(None, 5, 5.5, Decimal128("7.25"), "text", "", "\\odd", {"a": {"b": 1}}, b"bytes"),
    *(UUID(int=7), Binary(b"0" * 16, 3), ObjectId("65" * 12), True, TODAY),
    *(Timestamp(5, 1), 2**40),
)

#: Key fields, and keys that they make.
KEYS = {
    "object_id": (lambda: me.ObjectIdField(primary_key=True), [ObjectId()]),
    "integer": (lambda: me.IntField(primary_key=True), [3, -1, 2**50]),
    "sequence": (lambda: me.SequenceField(primary_key=True), [3]),
    "spelled_sequence": (
        lambda: me.SequenceField(primary_key=True, value_decorator=str),
        ["3"],
    ),
    "string": (lambda: me.StringField(primary_key=True), ["a", "\\", "\\\\x", "\\x"]),
    "url": (lambda: me.URLField(primary_key=True), ["http://example.com/"]),
    "float": (lambda: me.FloatField(primary_key=True), [1.5, 2.0]),
    "decimal": (lambda: me.DecimalField(primary_key=True), [Decimal("1.50")]),
    "spelled_decimal": (
        lambda: me.DecimalField(primary_key=True, force_string=True),
        [Decimal("1.50")],
    ),
    "decimal128": (
        lambda: me.Decimal128Field(primary_key=True),
        [Decimal("1.50"), Decimal("1E+3")],
    ),
    "datetime": (
        lambda: me.DateTimeField(primary_key=True),
        [datetime(2026, 1, 2, 3, 4, 5, 6000)],  # noqa: DTZ001 - as it is stored
    ),
    "exact_datetime": (
        lambda: me.ComplexDateTimeField(primary_key=True),
        [datetime(2026, 1, 2, 3, 4, 5, 678901)],  # noqa: DTZ001 - as it is stored
    ),
    "date": (lambda: me.DateField(primary_key=True), [date(2026, 1, 2)]),
    "uuid": (lambda: me.UUIDField(primary_key=True), [uuid4()]),
    "spelled_uuid": (lambda: me.UUIDField(primary_key=True, binary=False), [uuid4()]),
    "binary": (lambda: me.BinaryField(primary_key=True), [b"abc"]),
    "enumeration": (lambda: me.EnumField(Colour, primary_key=True), [Colour.RED]),
    "ranks": (lambda: me.EnumField(Rank, primary_key=True), [Rank.FIRST]),
    "boolean": (lambda: me.BooleanField(primary_key=True), [False]),
}


class Keyed(Films):
    """An application of one class, with a key of some kind, which shows itself."""

    def __init__(self, name):
        make, self.keys = KEYS[name]
        key = make()
        if isinstance(key, me.SequenceField):
            key.sequence_name = name
        self.model = type(
            f"Keyed{name.title().replace('_', '')}",
            (me.Document,),
            {
                "key": key,
                "title": me.StringField(),
                "other": me.ReferenceField("self"),
                "meta": {"indexes": ["other"]},
            },
        )
        self.models = (self.model,)
        super().__init__(**{"nefertari.sync.max_attempts": "1"})
        self.schema = self.engines.schema_of(self.model)
        self.ids = Ids(self.schema)
        # A collection that announces nothing.
        self.bare = self.model._get_collection().database[
            self.model._get_collection_name()
        ]

    def declare(self, config):
        config.add_secondary(self.model, nested=("other",))

    def refused(self):
        """The dead letters' reasons, by the spellings of their documents."""
        return {
            letter.entry.touch.key: letter.reason
            for letter in self.outbox.dead_letters()
        }

    def assert_refused(self, misfits):
        """Deliver, and look that these are dead, and no others."""
        drain(self.engines)
        refused = self.refused()
        assert refused.keys() == {self.ids.of(key) for key in misfits}
        assert all(reason.startswith("_id: ") for reason in refused.values())


@pytest.fixture(params=KEYS)
def keyed(request, mongodb):
    keyed = Keyed(request.param)
    yield keyed
    keyed.close()


@pytest.fixture
def misfits(keyed):
    """Two documents of a key each that the class makes are delivered; behind our back,
    documents of other keys are there: those."""
    for key in keyed.keys:
        keyed.model(key=key, title="good").save()
    keyed.assert_index_equals_collections()
    misfits = []
    for key in ANYTHING:
        if is_spelling(keyed.ids.of(key)) and not keyed.bare.find_one({"_id": key}):
            keyed.bare.insert_one({"_id": key, "title": "odd"})
            misfits.append(key)
    return misfits


@pytest.fixture
def comparable(keyed, misfits):
    """Those of them that the server of the tests can put in an order: it compares no
    binaries with each other."""
    binaries = [key for key in misfits if isinstance(key, bytes | UUID)]
    has_own = isinstance(keyed.model._fields["key"], me.BinaryField | me.UUIDField)
    gone = binaries if has_own else binaries[1:]
    keyed.bare.delete_many({"_id": {"$in": gone}})
    return [key for key in misfits if not any(key is one for one in gone)]


def good(keyed):
    """The index has these and no others, with this title."""
    return {one["title"] for one in keyed.index(keyed.model).values()}


def test_ids_of_keys_lead_back_to_them_and_no_two_have_the_same(keyed):
    found = {}
    for key in ANYTHING:
        id_ = keyed.ids.of(key)
        assert sort_key(keyed.ids.stored(id_)) == sort_key(key), id_
        assert id_ not in found, (key, found[id_])
        found[id_] = key
        if is_spelling(id_):
            with pytest.raises(InvalidDocumentId):
                keyed.ids.key(id_)
    for key in keyed.keys:
        id_ = keyed.ids.of(keyed.model._fields["key"].to_mongo(key))
        assert not is_spelling(id_)
        assert id_ not in found


def test_writes_of_a_query_set_that_meet_them_do_what_they_do_without_us(
    keyed, misfits
):
    assert len(misfits) >= 5
    count = len(misfits) + len(keyed.keys)
    assert keyed.model.objects.update(set__title="new") == count
    assert {raw["title"] for raw in keyed.bare.find()} == {"new"}
    keyed.assert_refused(misfits)
    assert good(keyed) == {"new"}
    assert keyed.model.objects.delete() == count
    assert keyed.bare.count_documents({}) == 0
    drain(keyed.engines)
    assert keyed.index(keyed.model) == {}


def test_a_catch_up_refuses_them_and_writes_all_others(keyed, comparable):
    keyed.bare.update_many({}, {"$set": {"title": "behind our back"}})
    keyed.engines.settings = replace(keyed.engines.settings, batch_size=3)
    catch_up(keyed.engines, keyed.schema)
    assert good(keyed) == {"behind our back"}
    assert len(keyed.index(keyed.model)) == len(keyed.keys)
    keyed.assert_refused(comparable)


def test_once_they_are_gone_their_dead_letters_can_be_retried(keyed, misfits):
    keyed.model.objects.update(set__title="new")
    keyed.assert_refused(misfits)
    keyed.bare.delete_many({"_id": {"$in": misfits}})
    assert keyed.outbox.retry() == len(misfits)
    keyed.deliver()
    assert keyed.refused() == {}


def test_a_document_that_shows_one_is_refused_with_it_and_follows_it(mongodb):
    keyed = Keyed("integer")
    try:
        owner = keyed.model(key=1, title="owner").save()
        keyed.bare.insert_one({"_id": "misfit", "title": "odd"})
        keyed.bare.update_one({"_id": owner.pk}, {"$set": {"other": "misfit"}})
        keyed.model.objects(__raw__={"_id": "misfit"}).update(set__title="new")
        drain(keyed.engines)
        assert keyed.refused().keys() == {keyed.ids.of("misfit"), "1"}
        assert ".key: 'misfit'" in keyed.refused()["1"]
        keyed.model.objects(__raw__={"_id": "misfit"}).delete()
        drain(keyed.engines)
        assert keyed.index(keyed.model)["1"]["other"] is None
        assert keyed.refused().keys() == set()
    finally:
        keyed.close()


def test_pages_of_ids_hold_every_document_once(keyed, comparable):
    count = len(comparable) + len(keyed.keys)
    for limit in (1, 2, 5, count, 100):
        listed, after = [], None
        while page := keyed.primary.list_ids(keyed.schema, after, limit):
            listed += page
            after = page[-1]
        assert len(listed) == len({*listed}) == count, limit


def test_what_is_no_spelling_is_no_id(mongodb):
    keyed = Keyed("string")
    try:
        with pytest.raises(InvalidDocumentId):
            keyed.ids.stored("\\neither this nor that")
        touch = Touch(MemoryEngine.name, keyed.schema.name, "\\neither", "other")
        keyed.outbox.add([touch])
        drain(keyed.engines)
        assert list(keyed.refused()) == ["\\neither"]
    finally:
        keyed.close()


def test_times_with_a_zone_are_those_without(mongodb):
    keyed = Keyed("datetime")
    try:
        assert sort_key(keyed.ids.stored(keyed.ids.of(TODAY))) == sort_key(TODAY)
        aware = datetime(2026, 3, 4, tzinfo=UTC)
        assert keyed.ids.key(keyed.ids.of(aware)) == aware
    finally:
        keyed.close()
