"""The application that a test of MongoEngine is given, and its index in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from harness.server import COMMANDS
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.exceptions import ConfigurationError, UnmappableField
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.primary.mongo.keys import home_of
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.sync.capture import Publisher
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine


class Application:
    """Documents for classes as they turn up.

    :param sync: as ``nefertari.sync``.
    :param nests: embed every reference that can be embedded.
    :attr refused: why classes, or fields of them, have no documents.
    """

    def __init__(self, sync: str, nests: bool) -> None:
        config = Configurator(
            settings={"nefertari.sync": sync, "nefertari.sync.max_attempts": "1"}
        )
        config.include("nefertari_engine_base")
        self.primary, self.memory = MongoDBEngine(), MemoryEngine()
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.memory)
        config.commit()
        self.engines = engines_of(config.registry)
        # Each is new: its index has lost nothing.
        self.engines.watch._looked = time.monotonic()
        self.refused: list[str] = []
        self._nests = nests
        self._ready: set[object] = set()

    @property
    def schemas(self):
        """Of the classes that have documents, by name."""
        return self.engines.schemas

    def add(self, models: Iterable[type]) -> None:
        """Give documents to these classes, as far as they can have them."""
        added = [model for model in models if self._add(model)]
        # New classes may inherit from known ones.
        publisher = Publisher(self.engines, self.primary)
        self.primary.listen(publisher, self.engines.graph)
        for outbox in self.engines.outboxes():
            if outbox not in self._ready:
                self._ready.add(outbox)
                _clear(outbox)
                outbox.setup()
        for model in added:
            schema = self.schemas[model.__name__]
            if home_of(model).find_one({}, {"_id": True}) is not None:
                catch_up(self.engines, schema)

    def _add(self, model: type) -> bool:
        try:
            options = self._options(model)
            self.engines.add_model(model, options)
            self.engines.complete()
        except ConfigurationError as error:
            self._forget(model)
            self.refused.append(f"{type(error).__name__}: {error}")
            return False
        return True

    def _options(self, model: type) -> SecondaryOptions:
        """Options with which a class can have documents.

        :raises ConfigurationError: if there are none.
        """
        excluded: list[str] = []
        while True:
            options = SecondaryOptions.of(exclude=tuple(excluded))
            try:
                self._describe(model, options)
                break
            except UnmappableField as error:
                # As its message says.
                if error.field in excluded:
                    raise
                excluded.append(error.field)
                self.refused.append(f"left out: {error}")
        nested = tuple(self._embeddable(model, excluded)) if self._nests else ()
        return SecondaryOptions.of(nested=nested, exclude=tuple(excluded))

    def _embeddable(self, model: type, excluded: list[str]) -> Iterator[str]:
        for name in model._fields_ordered:
            with suppress(ConfigurationError, KeyError):
                options = SecondaryOptions.of(nested=(name,), exclude=tuple(excluded))
                if not self._describe(model, options).relations[name].inline:
                    yield name

    def _describe(self, model: type, options: SecondaryOptions):
        schema = describe(model, options, self.engines.options_of)
        generate_document(schema, MemoryEngine())
        return schema

    def _forget(self, model: type) -> None:
        engines, name = self.engines, model.__name__
        engines._options.pop(model, None)
        engines._linked.discard(model)
        known = engines.schemas.get(name)
        if known is not None and known.model is model:
            del engines.schemas[name]
            self.primary._schemas.pop(name, None)
            self.primary._loaders.pop(name, None)

    # --- delivering -----------------------------------------------------------

    def settle(self) -> None:
        """Deliver what waits, and catch up with what is owed."""
        with COMMANDS.quiet():
            self._deliver()
            for model in indebted(self.engines):
                catch_up(self.engines, self.schemas[model])

    def _deliver(self) -> None:
        drain(self.engines)
        late = 0
        for outbox in self.engines.outboxes():
            # As if the seconds had passed that unconfirmed ones are given.
            unconfirmed = {"writer_until": {"$gt": 0}}
            late += outbox.collections.outbox.update_many(
                unconfirmed, {"$set": {"due_at": 0.0}}
            ).matched_count
        if late:
            drain(self.engines)

    def lose_entries(self) -> None:
        """Lose every second entry: what compares has to notice."""
        for outbox in self.engines.outboxes():
            ids = [entry["_id"] for entry in outbox.collections.outbox.find()]
            outbox.collections.outbox.delete_many({"_id": {"$in": ids[::2]}})

    def dead(self) -> set[tuple[str, str]]:
        """(model, id) of the documents that cannot be written."""
        return {
            (letter.entry.touch.model, letter.entry.touch.key)
            for outbox in self.engines.outboxes()
            for letter in outbox.dead_letters()
        }

    def close(self) -> None:
        """Hear no more of any class."""
        self.engines.close()


def _clear(outbox) -> None:
    held = outbox.collections
    for one in (held.outbox, held.debts, held.indices, held.workers):
        one.delete_many({})
