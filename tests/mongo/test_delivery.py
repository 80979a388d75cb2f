"""Deliveries from MongoDB's outbox: the index converges, whoever dies when."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import orjson
import pytest
from mongoengine import (
    Document,
    EmbeddedDocument,
    EmbeddedDocumentListField,
    ReferenceField,
    StringField,
)
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.mongo import outbox as outbox_module
from nefertari_engine_base.sync.catch_up import catch_up
from nefertari_engine_base.sync.explain import explain
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import Debt
from tests.mongo.primary import Primary


class Home(EmbeddedDocument):
    city = StringField()


class Author(Document):
    key = StringField(primary_key=True)
    name = StringField()
    homes = EmbeddedDocumentListField(Home)


class Book(Document):
    key = StringField(primary_key=True)
    title = StringField()
    author = ReferenceField(Author)


class App:
    def __init__(self, database):
        config = Configurator(settings={"nefertari.sync": "worker"})
        config.include("nefertari_engine_base")
        self.primary = Primary(database)
        self.secondary = MemoryEngine()
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.secondary)
        config.add_secondary(Author)
        config.add_secondary(Book, nested=("author",))
        config.commit()
        self.engines = engines_of(config.registry)
        self.engines.setup_database()

    def drain_all(self):
        """Deliver what is due, and what will be when every lease has ended."""
        drain(self.engines)
        self.primary.outbox.pass_time(3600)
        drain(self.engines)
        assert self.primary.outbox.waiting() == 0

    def index(self, model):
        schema, ids = self.engines.schemas[model], [str(n) for n in range(20)]
        stored = self.secondary.stored(schema, ids)
        return {
            id_: dict(one.source)
            for id_, one in zip(ids, stored, strict=True)
            if one is not None
        }

    def collection(self, model):
        loader = self.primary._loader_of(model)
        documents = loader.load(loader.list_ids(None, 100))
        return {id_: orjson.loads(text) for id_, text in documents.items()}

    def assert_converged(self):
        for model in ("Author", "Book"):
            assert self.index(model) == self.collection(model), model


@pytest.fixture
def app(mongodb):
    app = App(mongodb)
    yield app
    app.engines.close()


def test_a_written_document_is_delivered_changed_and_removed(app):
    with app.primary.writing(("Author", "1")):
        Author(key="1", name="x", homes=[Home(city="y")]).save()
    drain(app.engines)
    assert app.index("Author")["1"]["homes"] == [{"city": "y"}]
    app.assert_converged()
    with app.primary.writing(("Author", "1")):
        Author.objects.delete()
    drain(app.engines)
    assert app.index("Author") == {}


def test_a_change_of_what_is_embedded_reaches_every_document_that_embeds_it(app):
    author = Author(key="1", name="old").save()
    for number in range(7):
        Book(key=str(number), author=author).save()
    with app.primary.writing(("Author", "1"), ("Book", "1", "author")):
        Author.objects(key="1").update(name="new")
    drain(app.engines)
    assert {book["author"]["name"] for book in app.index("Book").values()} == {"new"}
    assert len(app.index("Book")) == 7


def test_a_document_with_embedded_ones_is_explained(app):
    author = Author(key="1", homes=[Home(city="x"), Home(city="y")]).save()
    Book(key="1", author=author).save()
    with app.primary.writing(("Author", "1"), ("Book", "1", "author")):
        pass
    explanation = explain(app.engines, Book, "1")
    (found,) = explanation.indices
    assert [one.entry.touch.path for one in found.waiting] == ["author"]
    app.drain_all()
    (found,) = explain(app.engines, Author, "1").indices
    assert found.equal
    assert not found.waiting


def test_a_writer_that_died_before_its_write_leaves_nothing(app):
    with app.primary.writing(("Author", "1"), dies=True):
        pass
    app.drain_all()
    assert app.index("Author") == {}


def test_a_writer_that_died_after_its_write_is_caught_up_with(app):
    with app.primary.writing(("Author", "1"), dies=True):
        Author(key="1").save()
    app.drain_all()
    app.assert_converged()


def test_a_restored_database_gets_versions_above_those_of_the_index(app):
    with app.primary.writing(("Author", "1")):
        Author(key="1", name="old").save()
    drain(app.engines)
    counters = app.primary.outbox.collections._counters
    counters.update_one({"_id": "version"}, {"$set": {"value": 0}})
    again = App(counters.database)
    again.secondary = app.secondary
    again.engines.secondaries["memory"] = app.secondary
    with again.primary.writing(("Author", "1")):
        Author.objects.update(name="new")
    drain(again.engines)
    assert app.index("Author")["1"]["name"] == "new"


def test_documents_are_those_of_a_backup_that_was_restored_in_its_place(app):
    """One was deleted after it, one changed, and one made."""
    with app.primary.writing(("Author", "1"), ("Author", "2")):
        Author(key="1", name="old").save()
        Author(key="2", name="old").save()
    drain(app.engines)
    for key in ("1", "3"):
        with app.primary.writing(("Author", key)):
            Author(key=key, name="newer").save()
    with app.primary.writing(("Author", "2")):
        Author.objects(key="2").delete()
    drain(app.engines)
    counters = app.primary.outbox.collections._counters
    counters.update_one({"_id": "version"}, {"$set": {"value": 1}})
    Author.objects(key="3").delete()
    Author.objects(key="1").update(name="old")
    Author(key="2", name="old").save()
    catch_up(app.engines, app.engines.schemas["Author"])
    assert app.index("Author").keys() == {"1", "2"}
    app.assert_converged()


def test_what_was_owed_is_caught_up_with(app):
    with app.primary.writing(("Author", "1"), ("Author", "2")):
        Author(key="1", name="old").save()
        Author(key="2").save()
    drain(app.engines)
    # Nobody writes entries while sync is suspended.
    Author.objects(key="1").update(name="new")
    Author.objects(key="2").delete()
    app.primary.outbox.owe([Debt("memory", "Author")])
    catch_up(app.engines, app.engines.schemas["Author"])
    app.drain_all()
    app.assert_converged()
    assert not app.primary.outbox.debts("Author", ["memory"])


def write_at_random(app, number, seed):
    """Forty writes of a writer that has documents of its own: MongoDB itself does not
    say which of two writes of one document came last."""
    dice = random.Random(seed * 10 + number)
    for step in range(40):
        key = str(number * 5 + dice.randrange(5))
        touches = [("Author", key), ("Book", key), ("Book", key, "author")]
        with app.primary.writing(*touches, dies=dice.random() < 0.2):
            if dice.random() < 0.1:
                continue
            if dice.random() < 0.3:
                Author.objects(key=key).delete()
            else:
                Author(key=key, name=f"{number}-{step}").save()
            if dice.random() < 0.3:
                Book.objects(key=key).delete()
            else:
                author = str(dice.randrange(15))
                Book(key=key, title=str(step), author=author).save()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_index_converges_whatever_writers_and_workers_do(app, monkeypatch, seed):
    # Unconfirmed entries are due at once, and most leases end before the write does.
    monkeypatch.setattr(outbox_module, "UNCONFIRMED_DELAY", 0.0)
    monkeypatch.setattr(outbox_module, "WRITER_LEASE", 0.003)
    writing = threading.Event()
    writing.set()

    def work():
        while writing.is_set():
            drain(app.engines)

    with ThreadPoolExecutor(5) as threads:
        workers = [threads.submit(work) for _ in range(2)]
        writers = [threads.submit(write_at_random, app, n, seed) for n in range(3)]
        wait(writers)
        writing.clear()
    for one in (*writers, *workers):
        one.result()
    app.drain_all()
    app.assert_converged()
