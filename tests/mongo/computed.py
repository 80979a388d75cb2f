"""What tests of computed fields share: documents as they are loaded, and queries."""

from __future__ import annotations

import orjson
from pymongo import monitoring

from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.schema import SecondaryOptions


class Asked(monitoring.CommandListener):
    """The queries that the server was asked."""

    def __init__(self):
        self.finds = []

    def started(self, event):
        if event.command_name in ("find", "aggregate"):
            self.finds.append(dict(event.command))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass


ASKED = Asked()
monitoring.register(ASKED)


def described(model, options_of=lambda model: None, **options):
    return describe(model, SecondaryOptions.of(**options), options_of)


def load(schema, *ids):
    loader = Loader(schema)
    return loader.load([str(id_) for id_ in ids] or loader.list_ids(None, 100))


def load_one(schema, instance):
    (document,) = load(schema, instance.pk).values()
    return orjson.loads(document)
