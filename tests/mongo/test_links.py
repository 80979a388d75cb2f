"""Relations by the keys that plain fields hold: both directions, one truth."""

from __future__ import annotations

import pytest
from mongoengine import Document, IntField, ListField, StringField
from pyramid.config import Configurator

from nefertari_engine_base import DocumentsChanged, DocumentUpdated, engines_of
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.primary.mongo.indexes import missing_indexes
from nefertari_engine_base.primary.mongo.links import Link, add_link
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine


class City(Document):
    key = StringField(primary_key=True)


class Writer(Document):
    key = StringField(primary_key=True)
    name = StringField()
    city_key = StringField()


class Poem(Document):
    key = StringField(primary_key=True)
    title = StringField()
    pages = IntField()
    writer_key = StringField()
    reader_keys = ListField(StringField())


add_link(City, Link(name="writers", target=Writer, many=True, target_field="city_key"))
add_link(Writer, Link(name="poems", target=Poem, many=True, target_field="writer_key"))
add_link(Writer, Link(name="read", target=Poem, many=True, target_field="reader_keys"))
add_link(
    Poem,
    Link(
        name="writer",
        target=Writer,
        many=False,
        owner_field="writer_key",
        hidden=True,
    ),
)
add_link(
    Poem, Link(name="readers", target=Writer, many=True, owner_field="reader_keys")
)


class App:
    def __init__(self, database):
        self.config = config = Configurator(settings={"nefertari.sync": "worker"})
        config.include("nefertari_engine_base")
        self.primary, self.secondary = MongoDBEngine(), MemoryEngine()
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.secondary)
        config.add_secondary(City, nested=("writers.poems",))
        config.add_secondary(Writer, nested=("poems", "read"))
        config.add_secondary(Poem, nested=("writer", "readers"))
        config.commit()
        self.engines = engines_of(config.registry)
        self.engines.setup_database()

    def shown(self, model, key):
        drain(self.engines)
        schema = self.engines.schemas[model.__name__]
        found = self.secondary.stored(schema, [key])[0]
        return None if found is None else found.source

    def subscribe(self, subscriber, event):
        self.config.add_subscriber(subscriber, event)
        self.config.commit()


@pytest.fixture
def app(mongodb):
    app = App(mongodb)
    City(key="wien").save()
    for name in "ab":
        Writer(key=name, city_key="wien").save()
    yield app
    app.engines.close()


def poems(app, writer):
    return [poem["key"] for poem in app.shown(Writer, writer)["poems"]]


def test_both_directions_are_embedded(app):
    Poem(key="1", title="t", writer_key="a", reader_keys=["a", "b"]).save()
    shown = app.shown(Poem, "1")
    assert shown["writer"] == {"key": "a", "name": None, "city_key": "wien"}
    assert [reader["key"] for reader in shown["readers"]] == ["a", "b"]
    assert "writer_key" not in shown
    assert poems(app, "a") == ["1"]
    assert [poem["title"] for poem in app.shown(Writer, "b")["read"]] == ["t"]
    assert app.shown(City, "wien")["writers"][0]["poems"][0]["title"] == "t"


@pytest.mark.parametrize(
    "move",
    [
        lambda: Poem.objects(key="1").update(set__writer_key="b"),
        lambda: Poem.objects(key="1").update_one(set__writer_key="b"),
        lambda: Poem.objects(key="1").modify(set__writer_key="b"),
        lambda: Poem.objects(key="1").get().update(set__writer_key="b"),
        lambda: Poem(key="1", writer_key="b").save(),
        lambda: Poem.objects.get(key="1").modify(writer_key="b"),
    ],
)
def test_who_loses_a_document_and_who_gains_it_follow(app, move):
    Poem(key="1", writer_key="a").save()
    assert (poems(app, "a"), poems(app, "b")) == (["1"], [])
    move()
    assert (poems(app, "a"), poems(app, "b")) == ([], ["1"])


@pytest.mark.parametrize(
    "delete",
    [
        lambda: Poem.objects(key="1").delete(),
        lambda: Poem.objects.get(key="1").delete(),
        lambda: Poem._get_collection().delete_one({"_id": "1"}),
        lambda: Poem._get_collection().find_one_and_delete({"_id": "1"}),
    ],
)
def test_who_had_a_deleted_document_follows(app, delete):
    Poem(key="1", writer_key="a", reader_keys=["b"]).save()
    assert app.shown(Writer, "b")["read"] != []
    delete()
    assert poems(app, "a") == []
    assert app.shown(Writer, "b")["read"] == []
    assert app.shown(City, "wien")["writers"][0]["poems"] == []


def test_a_changed_document_is_shown_by_its_owners(app):
    Poem(key="1", writer_key="a", reader_keys=["b"]).save()
    app.shown(Writer, "a")
    Poem.objects.get(key="1").update(set__title="new")
    assert app.shown(Writer, "a")["poems"][0]["title"] == "new"
    assert app.shown(Writer, "b")["read"][0]["title"] == "new"
    assert app.shown(City, "wien")["writers"][0]["poems"][0]["title"] == "new"


def test_each_member_of_a_list_of_keys_follows(app):
    poem = Poem(key="1", reader_keys=["a"]).save()
    assert len(app.shown(Writer, "a")["read"]) == 1
    poem.reader_keys = ["b"]
    poem.save()
    assert app.shown(Writer, "a")["read"] == []
    assert len(app.shown(Writer, "b")["read"]) == 1
    Poem.objects(key="1").update(push__reader_keys="a")
    assert len(app.shown(Writer, "a")["read"]) == 1
    Poem.objects.update(pull__reader_keys="b")
    assert app.shown(Writer, "b")["read"] == []


@pytest.mark.parametrize(
    ("event", "write"),
    [
        (DocumentUpdated, lambda: Poem(key="1", writer_key="c").save()),
        (DocumentsChanged, lambda: Poem.objects.update(set__writer_key="c")),
        (
            DocumentsChanged,
            lambda: Poem.objects.update(set__writer_key="c", inc__pages=1),
        ),
        (DocumentsChanged, lambda: Poem.objects.update(rename__title="writer_key")),
        (DocumentsChanged, lambda: Poem.objects.delete()),
    ],
)
def test_who_gains_a_document_in_between_is_not_forgotten(app, mongodb, event, write):
    """Between the read of the old reference and the write, somebody else moves it."""
    Writer(key="c").save()
    Poem(key="0", writer_key="a", title="c").save()
    Poem(key="1", writer_key="a", title="c", pages=0).save()
    assert poems(app, "a") == ["0", "1"]
    moved = []

    def move_away(event):
        if not moved:
            moved.append(True)
            Poem._get_collection().update_one(
                {"_id": "1"}, {"$set": {"writer_key": "b"}}
            )
            # Delivered at once, so that only the outer write can take it back.
            assert poems(app, "b") == ["1"]

    app.subscribe(move_away, event)
    write()
    left = mongodb.poem.find_one({"_id": "1"}) or {}
    assert moved
    assert left.get("writer_key") != "b"
    assert left.get("pages") in (None, 0, 1)
    assert (poems(app, "b"), poems(app, "c")) == (
        [],
        [p["_id"] for p in mongodb.poem.find({"writer_key": "c"}).sort("_id", 1)],
    )


def test_the_primary_filters_by_what_leads_here(app):
    Poem(key="1", title="t", writer_key="a").save()

    def keys(**filters):
        page = dispatcher.get_collection(
            app.engines, "Writer", {**filters, "_query_secondary": False}
        )
        return [writer.key for writer in page]

    assert keys(**{"poems.title": "t"}) == ["a"]
    assert keys(**{"poems.title": "x"}) == []
    assert keys(**{"poems.key__exists": False}) == ["b"]
    page = dispatcher.get_collection(
        app.engines, "Poem", {"writer.key": "a", "_query_secondary": False}
    )
    assert [poem.key for poem in page] == ["1"]


def test_an_index_is_wanted_where_keys_are_held(app):
    missing = missing_indexes(app.engines.schemas.values())
    assert {str(one).split(":")[0] for one in missing} == {
        "Poem has no index of MongoDB on 'writer_key'",
        "Poem has no index of MongoDB on 'reader_keys'",
        "Writer has no index of MongoDB on 'city_key'",
    }
