"""The parts of the engine put together by hand, with writers that keep its protocol.

It stands where the engine will: what is missing is the capture of MongoEngine's writes,
which the tests do themselves by :meth:`Primary.writing`.
"""

from __future__ import annotations

from contextlib import contextmanager

from zope.interface import implementer

from nefertari_engine_base.interfaces import IPrimaryEngine
from nefertari_engine_base.primary.mongo import loading, querying
from nefertari_engine_base.primary.mongo.entries import homes_of
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from nefertari_engine_base.primary.mongo.schema import describe, is_document
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.values import Capability, Touch


class Clocked(MongoOutbox):
    """An outbox whose clock can be put forward."""

    def pass_time(self, seconds):
        now = self.collections.now
        self.collections.now = lambda: now() + seconds


@implementer(IPrimaryEngine)
class Primary:
    name = "mongo"
    follows_rows = False
    capabilities = Capability.NONE

    def __init__(self, database):
        self.schemas = {}
        self.outbox = Clocked(database, self._loader_of)

    def _loader_of(self, name):
        return Loader(self.schemas[name])

    def owns(self, model):
        return is_document(model)

    def describe(self, model, options_of):
        options = options_of(model) or SecondaryOptions()
        schema = describe(model, options, options_of)
        self.schemas[schema.name] = schema
        return schema

    def listen(self, publisher, graph):
        pass

    def announce_entries(self):
        pass

    def setup_database(self):
        self.outbox.setup()

    def outboxes(self):
        return [self.outbox]

    def outbox_of(self, schema):
        return self.outbox

    def triggers(self, secondaries):
        return []

    def document_id(self, instance):
        return self.schemas[type(instance).__name__].document_id((instance.pk,))

    def to_dict(self, instance):
        return loading.to_dict(self.schemas[type(instance).__name__], instance)

    def search(self, schema, query):
        return querying.search(schema, query)

    def count(self, schema, query):
        return querying.count(schema, query)

    def explain(self, schema, query):
        return querying.explain(schema, query)

    def get_by_ids(self, schema, ids, documents_only=False):
        return querying.get_by_ids(schema, ids, documents_only)

    def list_ids(self, schema, after, limit):
        return self._loader_of(schema.name).list_ids(after, limit)

    def close(self):
        pass

    @contextmanager
    def writing(self, *touches, dies=False):
        """A write of documents, whose entries come before it.

        :param dies: the writer does not come to confirm them, but its write comes
            before its lease ends.
        """
        entries = self.outbox.announce([Touch("memory", *touch) for touch in touches])
        if dies:
            ids = homes_of(entry.id for entry in entries)
            self.outbox.collections.outbox.update_many(
                {"_id": {"$in": ids}}, {"$inc": {"writer_until": 60.0}}
            )
        yield
        if not dies:
            self.outbox.confirm(entries)
