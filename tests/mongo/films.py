"""Films in MongoDB, and an application of them with the in-memory secondary."""

from __future__ import annotations

import mongoengine as me
import orjson
from pyramid.config import Configurator

from nefertari_engine_base import Queryable, engines_of
from nefertari_engine_base.interfaces import IInTransaction
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.primary.mongo.entries import entries_of
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine


class Land(me.Document):
    """Has no documents of its own."""

    code = me.StringField(primary_key=True)
    name = me.StringField()


class Human(me.Document):
    meta = {"allow_inheritance": True, "indexes": ["country"]}

    name = me.StringField()
    notes = me.StringField()
    country = me.ReferenceField(Land)


class Filmmaker(Human):
    style = me.StringField()


class Prize(me.EmbeddedDocument):
    title = me.StringField()
    given_by = me.ReferenceField(Land)


class Picture(Queryable, me.Document):
    meta = {"indexes": ["director", "cast", "awards.given_by"]}

    title = me.StringField(db_field="t")
    year = me.IntField()
    notes = me.StringField()
    number = me.SequenceField()
    code = me.StringField(unique=True, sparse=True)
    published = me.BooleanField(default=True)
    tags = me.ListField(me.StringField())
    director = me.ReferenceField(
        Filmmaker, db_field="d", reverse_delete_rule=me.NULLIFY
    )
    cast = me.ListField(me.ReferenceField(Human, reverse_delete_rule=me.PULL))
    awards = me.EmbeddedDocumentListField(Prize)


class Critique(me.Document):
    stars = me.IntField()
    film = me.ReferenceField(Picture, reverse_delete_rule=me.CASCADE)


class Ticket(me.Document):
    film = me.ReferenceField(Picture, reverse_delete_rule=me.DENY)


MODELS = (Picture, Human, Critique, Ticket)
NESTED = ("director.country", "cast", "awards.given_by")


class Films:
    """The application.

    :attr models: those that have documents.
    :attr heard: the events that were sent in writes.
    :attr listener: a subscriber of a test's own.
    """

    models = MODELS

    def __init__(self, sync="worker", **settings):
        config = Configurator(settings={"nefertari.sync": sync, **settings})
        config.include("nefertari_engine_base")
        self.primary, self.secondary = MongoDBEngine(), MemoryEngine()
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.secondary)
        self.declare(config)
        self.heard, self.listener = [], None
        config.add_subscriber(self._hear, IInTransaction)
        config.commit()
        self.engines = engines_of(config.registry)
        self.engines.setup_database()
        self.outbox = self.primary.outbox_of(self.engines.schema_of(self.models[0]))

    def declare(self, config):
        config.add_secondary(
            Picture,
            nested=NESTED,
            exclude=("notes", "director.notes", "cast.notes"),
            when=lambda model: me.Q(published=True),
        )
        config.add_secondary(Human, exclude=("notes",))
        config.add_secondary(Critique)
        config.add_secondary(Ticket)

    def _hear(self, event):
        if self.listener is not None:
            self.listener(event)
        self.heard.append(event)

    def events(self):
        """(name of the event, model, number of changes, instance) of each, once."""
        heard, self.heard = self.heard, []
        return [
            (
                type(event).__name__,
                event.model.__name__,
                len(event.changes),
                getattr(event, "instance", None),
            )
            for event in heard
        ]

    def entries(self):
        """(model, path) of what waits, sorted."""
        self.outbox.flush()
        found = self.outbox.collections.outbox.find()
        touches = [one.touch for stored in found for one in entries_of(stored)]
        return sorted((touch.model, touch.path) for touch in touches)

    def deliver(self):
        drain(self.engines)
        assert self.outbox.waiting() == 0

    def catch_up(self):
        """Settle every debt that can be settled now."""
        for model in indebted(self.engines):
            catch_up(self.engines, self.engines.schemas[model])

    def assert_index_equals_collections(self):
        """Deliver, and compare every document of every model, in both directions."""
        self.deliver()
        for model in self.models:
            schema = self.engines.schema_of(model)
            loader = Loader(schema)
            expected = loader.load(loader.list_ids(None, 100_000))
            assert self.index(model) == {
                id_: orjson.loads(text) for id_, text in expected.items()
            }, model.__name__

    def index(self, model):
        """Every document of a model, by id."""
        schema = self.engines.schema_of(model)
        batches = self.secondary.ids_below(schema, 2**62)
        ids = [id_ for batch in batches for id_ in batch]
        stored = self.secondary.stored(schema, ids)
        return {id_: dict(one.source) for id_, one in zip(ids, stored, strict=True)}

    def close(self):
        self.engines.close()
