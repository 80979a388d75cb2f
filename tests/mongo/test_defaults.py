"""Documents stored before a field was declared: instance, index and queries agree."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum

import mongoengine as me
import pytest
from bson import ObjectId
from pyramid.exceptions import ConfigurationExecutionError

from nefertari_engine_base import Queryable, document_field
from nefertari_engine_base.sync.catch_up import catch_up
from tests.mongo.films import Films, Picture
from tests.mongo.indexed import Indexed

#: As MongoDB gives it.
_SINCE = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_BETWEEN = datetime(2021, 1, 1, tzinfo=UTC)
_LATER = datetime(2024, 1, 1, tzinfo=UTC)


class State(Enum):
    NEW = "new"
    SOLD = "sold"


class Address(me.EmbeddedDocument):
    street = me.StringField()
    city = me.StringField(default="Rome")


class Part(me.EmbeddedDocument):
    name = me.StringField()
    amount = me.IntField(default=1)


class Item(Queryable, me.Document):
    id = me.IntField(primary_key=True)
    title = me.StringField()
    stars = me.IntField(db_field="s", default=3)
    price = me.Decimal128Field(default=Decimal("9.90"))
    state = me.EnumField(State, default=State.NEW)
    since = me.DateTimeField(default=_SINCE)
    word = me.StringField(default="$word")
    is_public = me.BooleanField(default=True)
    labels = me.ListField(me.StringField(), default=["a", "b"])
    extras = me.DictField()
    rating = me.IntField(default=5, null=True)
    created = me.DateTimeField(default=datetime.utcnow)
    address = me.EmbeddedDocumentField(Address)
    parts = me.EmbeddedDocumentListField(Part)

    @document_field(depends_on=("stars", "created"))
    def said(self) -> str:
        return f"{self.stars} stars, made {self.created}"


#: As they were stored before the fields had been declared, or with ``null``.
OLD = [
    {"_id": 1, "title": "old", "address": {"street": "Via"}, "parts": [{"name": "x"}]},
    {"_id": 2, "title": "null", "s": None, "labels": None, "address": None},
    {"_id": 3, "title": "bare"},
]
#: What the last of them is worth.
_WORTH = {
    "title": "bare", "stars": 3, "price": "9.90", "state": "new", "word": "$word",
    "since": "2020-01-01T00:00:00", "is_public": True, "labels": ["a", "b"],
    "extras": {}, "rating": None, "created": None, "address": None, "parts": [],
}  # fmt: skip


@pytest.fixture
def shop(mongodb, elasticsearch_url, index_prefix):
    shop = Indexed(
        elasticsearch_url, index_prefix, {Item: {}}, nefertari__sync="worker"
    ).setup()
    mongodb["item"].insert_many(OLD)
    Item(
        id=4, title="new", stars=5, price=Decimal(2), state=State.SOLD, word="w",
        is_public=False, labels=["c"], since=_LATER, rating=1,
        address=Address(city="Oslo"), parts=[Part(name="y", amount=7)],
        created=_BETWEEN,
    ).save()  # fmt: skip
    shop.drain()
    shop.index()
    yield shop
    shop.close()


def test_documents_have_the_defaults_that_instances_have(shop):
    documents = shop.documents(Item)
    primary = shop.engines.primary_of(Item)
    for item in Item.objects:
        expected = dict(primary.to_dict(item))
        for name in ("created", "said"):
            del expected[name]
        shown = documents[str(item.id)]
        assert {name: shown[name] for name in expected} == expected
    assert {name: documents["3"][name] for name in _WORTH} == _WORTH
    assert documents["1"]["address"] == {"street": "Via", "city": "Rome"}
    assert documents["1"]["parts"] == [{"name": "x", "amount": 1}]
    assert documents["2"]["address"] is None


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"stars": 3}, {1, 2, 3}),
        ({"stars": 5}, {4}),
        ({"stars__gte": 3}, {1, 2, 3, 4}),
        ({"stars__gt": 3}, {4}),
        ({"stars__lt": 4}, {1, 2, 3}),
        ({"stars__in": [3, 9]}, {1, 2, 3}),
        ({"stars__in": [4, 9]}, set()),
        ({"stars__exists": True}, {1, 2, 3, 4}),
        ({"stars__exists": False}, set()),
        ({"price": Decimal("9.9")}, {1, 2, 3}),
        ({"price__lte": Decimal("9.89")}, {4}),
        ({"state": "new"}, {1, 2, 3}),
        ({"since__lt": _BETWEEN}, {1, 2, 3}),
        ({"word": "$word"}, {1, 2, 3}),
        ({"is_public": True}, {1, 2, 3}),
        ({"is_public": False}, {4}),
        ({"labels": "b"}, {1, 2, 3}),
        ({"labels__all": ["a", "b"]}, {1, 2, 3}),
        ({"labels__all": ["a", "c"]}, set()),
        ({"labels__in": ["c", "b"]}, {1, 2, 3, 4}),
        ({"rating": 5}, set()),
        ({"rating__exists": False}, {1, 2, 3}),
        ({"created__exists": False}, {1, 2, 3}),
        ({"address.city": "Rome"}, {1}),
        ({"address.city__exists": True}, {1, 4}),
        ({"address.city__exists": False}, {2, 3}),
        ({"parts.amount": 1}, {1}),
        ({"parts.amount__gt": 1}, {4}),
        ({"parts.name": "x", "parts.amount": 1}, {1}),
        ({"parts.name": "y", "parts.amount": 1}, set()),
    ],
)
def test_either_engine_finds_what_has_a_default(shop, parameters, found):
    for secondary in (True, False):
        page = Item.get_collection(
            _query_secondary=secondary, _limit=None, _refresh_index=True, **parameters
        )
        assert {int(item.id) for item in page} == found, secondary


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("stars,-id", [3, 2, 1, 4]),
        ("-stars,id", [4, 1, 2, 3]),
        ("price,id", [4, 1, 2, 3]),
        ("word,id", [1, 2, 3, 4]),
        ("address.city,id", [4, 1, 2, 3]),
        ("-address.city,id", [1, 4, 2, 3]),
        ("rating,id", [4, 1, 2, 3]),
    ],
)
def test_either_engine_orders_by_defaults(shop, sort, order):
    for secondary in (True, False):
        page = Item.get_collection(
            _query_secondary=secondary, _sort=sort, _limit=10, _refresh_index=True
        )
        assert [int(item.id) for item in page] == order, secondary


def test_a_default_that_a_function_makes_is_in_no_document(shop):
    first = shop.documents(Item)
    assert first["3"]["created"] is None
    assert first["3"]["said"] == "3 stars, made None"
    shop.index()
    assert shop.documents(Item) == first
    schema = shop.engines.schema_of(Item)
    (stored,) = shop.secondary.stored(schema, ["3"])
    shop.index()
    (again,) = shop.secondary.stored(schema, ["3"])
    assert again.version > stored.version
    assert again.hash == stored.hash


def test_what_a_function_makes_is_in_the_document_once_it_is_saved(shop):
    item = Item.objects.get(id=3)
    item.created = item.created
    item._mark_as_changed("created")
    item.save()
    shop.drain()
    assert shop.documents(Item)["3"]["created"] is not None


def test_a_condition_asks_for_what_is_stored(mongodb, films):
    """``when=`` is a query of MongoDB, which is the application's own."""
    mongodb["picture"].insert_one({"_id": ObjectId(), "t": "Alien"})
    assert Picture.objects.get().published
    catch_up(films.engines, films.engines.schema_of(Picture))
    assert films.index(Picture) == {}


def test_a_default_that_cannot_be_stored_is_an_error_at_start_up(mongodb):
    class Odd(me.Document):
        when = me.DateTimeField(default=_SINCE)
        whose = me.ObjectIdField(default="nobody")

    class Odds(Films):
        models = (Odd,)

        def declare(self, config):
            config.add_secondary(Odd)

    with pytest.raises(ConfigurationExecutionError, match=r"Odd\.whose: its default"):
        Odds()
