"""An application over a kit's models, and short ways to write to it and to ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import orjson
from pyramid.config import Configurator

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.events import ChangesCommitted
from nefertari_engine_base.interfaces import IInTransaction, IOutbox, IPrimaryEngine
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.testing.primary_kit import MODELS, PrimaryKit
from nefertari_engine_base.values import DocumentRef, OutboxEntry, Query, Touch

K = TypeVar("K", bound=PrimaryKit, covariant=True)

#: More documents than any test makes.
ALL = 100_000

#: The secondary engine of the suites, by the name that entries have.
MEMORY = MemoryEngine.name


class Bench(Generic[K]):
    """The application; a context manager, which closes it and its kit.

    Nothing is delivered until it is asked for.

    :param add_secondary: gives the configuration a secondary engine; by default the one
        in memory.
    :param settings: of the application.
    :attr heard: the events that were sent in writes.
    :attr commits: the events that were sent after commits.
    :attr listener: hears the events of writes before they are noted, and may veto.
    """

    def __init__(
        self,
        kit: K,
        add_secondary: Callable[[Configurator], object] | None = None,
        **settings: Any,
    ) -> None:
        self.kit = kit
        config = Configurator(settings={"nefertari.sync": "worker", **settings})
        config.include("nefertari_engine_base")
        self.primary: IPrimaryEngine = kit.make_engine()
        config.add_primary_engine(self.primary)
        self.memory = MemoryEngine()
        if add_secondary is None:
            config.add_secondary_engine(self.memory)
        else:
            add_secondary(config)
        self._declare(config)
        self.heard: list[Any] = []
        self.commits: list[Any] = []
        self.listener: Callable[[Any], object] | None = None
        config.add_subscriber(self._hear, IInTransaction)
        config.add_subscriber(self.commits.append, ChangesCommitted)
        config.commit()
        self.engines: Engines = engines_of(config.registry)
        self.engines.setup_database()

    def _declare(self, config: Configurator) -> None:
        models = self.kit.models
        assert {name: models[name].__name__ for name in models} == dict(
            zip(MODELS, MODELS, strict=True)
        )
        config.add_secondary(
            models["Film"],
            nested=("director.country", "genres"),
            exclude=("notes", "director.notes"),
            when=self.kit.is_published,
        )
        config.add_secondary(models["Person"], nested=("country",), exclude=("notes",))

    def _hear(self, event: Any) -> None:
        if self.listener is not None:
            self.listener(event)
        self.heard.append(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.engines.close()
        finally:
            self.kit.close()

    # --- writing -----------------------------------------------------------

    def create(self, model: str, key: int, **fields: Any) -> Any:
        """See :meth:`PrimaryKit.create`."""
        return self.kit.create(self.kit.models[model], {"id": key, **fields})

    def change(self, model: str, key: int, **fields: Any) -> Any:
        """See :meth:`PrimaryKit.change`."""
        return self.kit.change(self.kit.models[model], key, fields)

    def delete(self, model: str, key: int) -> Any:
        """See :meth:`PrimaryKit.delete`."""
        return self.kit.delete(self.kit.models[model], key)

    def create_many(self, model: str, *rows: Mapping[str, Any]) -> None:
        """See :meth:`PrimaryKit.create_many`."""
        self.kit.create_many(self.kit.models[model], rows)

    def change_where(self, model: str, field: str, value: Any, **fields: Any) -> None:
        """See :meth:`PrimaryKit.change_where`."""
        self.kit.change_where(self.kit.models[model], field, value, fields)

    def delete_where(self, model: str, field: str, value: Any) -> None:
        """See :meth:`PrimaryKit.delete_where`."""
        self.kit.delete_where(self.kit.models[model], field, value)

    def create_world(self) -> None:
        """Two countries, three persons, three genres, and films 1 to 4 of some of
        them."""
        for key, name in enumerate(("UK", "US"), 1):
            self.create("Country", key, name=name)
        for key, name in enumerate(("horror", "space", "noir"), 1):
            self.create("Genre", key, name=name)
        self.create("Person", 1, name="Scott", country=1)
        self.create("Person", 2, name="Cameron", country=2)
        self.create("Person", 3, name="Nobody")
        self.create("Film", 1, title="Alien", year=1979, director=1, genres=[1, 2])
        self.create("Film", 2, title="Aliens", year=1986, director=2, genres=[2])
        self.create("Film", 3, title="Blade Runner", year=1982, director=1, genres=[3])
        self.create("Film", 4, title="Lost")

    def fill(self) -> None:
        """Create the world, and have it in the index; its events are forgotten."""
        self.create_world()
        self.assert_converged()
        self.forget_events()

    # --- what is recorded --------------------------------------------------

    def schema(self, model: str = "Film") -> ModelSchema:
        """The schema of a model with documents."""
        return self.engines.schema_of(model)

    @property
    def outbox(self) -> IOutbox:
        """The outbox of films."""
        return self.primary.outbox_of(self.schema())

    def entries(self) -> list[tuple[str, str, str]]:
        """(model, path, key) of what waits, sorted."""
        found = []
        for model in ("Film", "Person"):
            schema = self.schema(model)
            paths = {
                ".".join(relation.name for relation in relations): None
                for relations, _ in schema.walk()
            }
            for one in self.outbox.recorded(model, paths):
                touch = one.entry.touch
                found.append((touch.model, touch.path, touch.key))
        return sorted(found)

    def events(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """(name of the event, model, ids) of each, in order; they are forgotten."""
        heard = [
            (
                type(event).__name__,
                event.model.__name__,
                tuple(sorted(change.ref.id for change in event.changes)),
            )
            for event in self.heard
        ]
        self.forget_events()
        return heard

    def forget_events(self) -> None:
        """Forget the events so far."""
        self.heard.clear()
        self.commits.clear()

    @contextmanager
    def settings(self, **settings: Any) -> Iterator[None]:
        """Other settings for a while."""
        before = self.engines.settings
        self.engines.settings = replace(before, **settings)
        try:
            yield
        finally:
            self.engines.settings = before

    # --- delivering --------------------------------------------------------

    def deliver(self) -> None:
        """Deliver everything that is due; nothing else may wait."""
        drain(self.engines)
        assert self.outbox.waiting() == 0

    def deliver_due(self) -> None:
        """Deliver everything that is due."""
        drain(self.engines)

    def pass_time(self, seconds: float) -> None:
        """See :meth:`PrimaryKit.pass_time`."""
        self.kit.pass_time(self.outbox, seconds)

    def catch_up(self) -> None:
        """Settle every debt that can be settled now."""
        for model in indebted(self.engines):
            catch_up(self.engines, self.engines.schemas[model])

    def add_films(self, *keys: int | str, path: str = "") -> None:
        """Add entries for documents of films."""
        self.outbox.add([film(key, path) for key in keys])

    # --- what is in the index ----------------------------------------------

    def index(self, model: str = "Film") -> dict[str, dict[str, Any]]:
        """Every document of a model, by id."""
        schema = self.schema(model)
        ids = [id_ for some in self.memory.ids_below(schema, 2**62) for id_ in some]
        return {
            id_: dict(one.source)
            for id_, one in zip(ids, self.memory.stored(schema, ids), strict=True)
            if one is not None
        }

    def rows(self, model: str = "Film") -> dict[str, dict[str, Any]]:
        """Every document of a model as instances tell it, by id."""
        self.kit.forget()
        schema = self.schema(model)
        ids = self.primary.list_ids(schema, None, ALL)
        found = self.primary.get_by_ids(schema, ids, documents_only=True)
        return {
            id_: dict(self.primary.to_dict(instance)) for id_, instance in found.items()
        }

    def loaded(self, model: str = "Film") -> dict[str, dict[str, Any]]:
        """Every document of a model as deliveries load it, by id."""
        ids = self.primary.list_ids(self.schema(model), None, ALL)
        snapshot = self.outbox.draw_and_load([DocumentRef(model, id_) for id_ in ids])
        assert not snapshot.errors
        documents = snapshot.documents.get(model, {})
        return {id_: orjson.loads(text) for id_, text in documents.items()}

    def assert_converged(self) -> None:
        """Deliver; then the index has what the primary has, field by field, and nothing
        else."""
        self.deliver()
        for model in ("Film", "Person"):
            index = self.index(model)
            assert index == self.rows(model), model
            assert index == self.loaded(model), model

    def ids(self, *filters: Any, **query: Any) -> list[str]:
        """Ids of the films that the primary finds, in order."""
        self.kit.forget()
        page = self.primary.search(self.schema(), Query(filters=filters, **query))
        return [self.primary.document_id(one) for one in page]


def film(key: int | str, path: str = "", secondary: str = MEMORY) -> Touch:
    """A touch of a film's document, or of those of films by a path."""
    return Touch(secondary, "Film", str(key), path)


def keys_of(entries: Any) -> list[str]:
    """The keys that entries name, in order."""
    return [entry.touch.key for entry in entries]


def refs_of(entries: Any) -> list[DocumentRef]:
    """The documents that entries name."""
    return [DocumentRef(entry.touch.model, entry.touch.key) for entry in entries]


def bury(bench: Bench[PrimaryKit], *touches: Touch, reason: str = "odd") -> None:
    """Add entries, and make dead letters of them."""
    bench.outbox.add(touches)
    with bench.outbox.claim(ALL) as claim:
        found: list[OutboxEntry] = [
            one for one in claim.entries if one.touch in touches
        ]
        assert len(found) == len(touches)
        for entry in found:
            claim.refuse(entry, reason, None)
