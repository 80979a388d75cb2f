"""MongoDB comes back from a copy of its collections, as ``mongorestore`` makes it."""

from __future__ import annotations

import mongoengine as me
import pytest

from nefertari_engine_base import Queryable
from nefertari_engine_base.primary.mongo.collections import Collections
from tests.mongo.conftest import empty_mongodb
from tests.mongo.indexed import Indexed
from tools.mongodb_backups import dump, restore


class Painter(Queryable, me.Document):
    id = me.IntField(primary_key=True)
    name = me.StringField()


class Painting(Queryable, me.Document):
    meta = {"indexes": ["painter"]}

    id = me.IntField(primary_key=True)
    title = me.StringField()
    painter = me.ReferenceField(Painter)


MODELS = {Painter: {}, Painting: {"nested": ("painter",)}}


@pytest.fixture
def make(elasticsearch_url, index_prefix):
    made = []

    def make():
        app = Indexed(elasticsearch_url, index_prefix, MODELS, nefertari__sync="inline")
        made.append(app)
        return app

    yield make
    for app in reversed(made):
        app.close()


@pytest.fixture
def app(mongodb, make):
    return fill(make())


def fill(app):
    """Six paintings in the database and in the index."""
    app.setup()
    painter = Painter(id=1, name="Vermeer").save()
    for number in range(1, 7):
        Painting(id=number, title=f"painting {number}", painter=painter).save()
    # An entry that is confirmed just while it is delivered inline is left to a worker.
    app.drain()
    return app


def live_on(app):
    """What happens after the backup: a delete, changes, a new document."""
    Painting.objects(id=2).delete()
    for number in range(5):
        Painting.objects(id=3).update(title=f"lost {number}")
    Painting(id=7, title="lost").save()
    Painter.objects(id=1).update(name="lost")
    assert_index_equals_collections(app)


def assert_index_equals_collections(app):
    for model in MODELS:
        schema = app.engines.schema_of(model)
        primary = app.engines.primary_of(model)
        documents = app.documents(model)
        assert documents.keys() == {str(one.id) for one in model.objects}
        for one in model.objects:
            document = documents[str(one.id)]
            expected = dict(primary.to_dict(one))
            assert {name: document[name] for name in expected} == expected, schema.name


def titles(app):
    return {int(id_): one["title"] for id_, one in app.documents(Painting).items()}


def write_and_index(app, order):
    """One that had not changed, one that had, and one that had been deleted are
    written, before everything is indexed or after it."""
    if order == "index first":
        app.index()
        assert_index_equals_collections(app)
    Painting.objects(id=4).update(title="new 4")
    for number in (2, 3):
        painting = Painting.objects.get(id=number)
        painting.title = f"new {number}"
        painting.save()
    Painting.objects(id=6).delete()
    assert [titles(app).get(n) for n in (2, 3, 4, 6)] == [
        "new 2",
        "new 3",
        "new 4",
        None,
    ]
    if order == "write first":
        app.index()
    assert_index_equals_collections(app)
    assert titles(app) == {
        1: "painting 1", 2: "new 2", 3: "new 3", 4: "new 4", 5: "painting 5",
    }  # fmt: skip
    assert app.documents(Painting)["1"]["painter"]["name"] == "Vermeer"
    assert app.outbox_of(Painting).waiting() == 0


@pytest.mark.parametrize("order", ["index first", "write first"])
def test_a_copy_restored_under_an_application_that_goes_on_is_what_the_index_has(
    mongodb, app, order
):
    backup = dump(mongodb)
    live_on(app)
    restore(mongodb, backup)
    write_and_index(app, order)


@pytest.mark.parametrize("order", ["index first", "write first"])
def test_a_copy_in_a_new_database_is_what_the_index_has(mongodb_url, make, order):
    with empty_mongodb(mongodb_url) as database:
        app = fill(make())
        backup = dump(database)
        live_on(app)
        app.engines.close()
    with empty_mongodb(mongodb_url) as database:
        restore(database, backup)
        write_and_index(make(), order)


def test_indexing_alone_brings_the_index_back_to_the_copy(mongodb, app):
    backup = dump(mongodb)
    live_on(app)
    restore(mongodb, backup)
    app.index()
    assert titles(app) == {n: f"painting {n}" for n in range(1, 7)}
    assert_index_equals_collections(app)


def test_a_process_that_goes_on_shares_no_numbers_of_entries_with_one_that_is_new(
    mongodb, app
):
    """The counter comes back from the backup, too, and would give them once more."""
    backup = dump(mongodb)
    goes_on = Collections(mongodb)
    there = goes_on.numbers(10)
    restore(mongodb, backup)
    new = Collections(mongodb).numbers(2000)
    assert not {*there, *goes_on.numbers(100)} & {*new}
