"""The engines of an application: who owns which model, and what is derived from it.

One :class:`Engines` stands in each application's registry. It is filled by
directives while the application is configured, and completed by
:meth:`Engines.complete` once every model is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

from pyramid.registry import Registry
from zope.interface import implementer

from nefertari_engine_base.exceptions import ConfigurationError, UnknownModel
from nefertari_engine_base.generation import (
    generate_document,
    link_document,
    model_of,
)
from nefertari_engine_base.interfaces import (
    IEngines,
    IOutbox,
    IPrimaryEngine,
    ISecondaryEngine,
    ITriggers,
)
from nefertari_engine_base.schema import ModelSchema, SecondaryOptions
from nefertari_engine_base.setting_up import is_setting_up
from nefertari_engine_base.settings import CaptureMode, EngineSettings, SyncMode
from nefertari_engine_base.sync.capture import Publisher
from nefertari_engine_base.sync.deletions import Deletions
from nefertari_engine_base.sync.forms import Forms
from nefertari_engine_base.sync.losses import IndexWatch
from nefertari_engine_base.sync.pause import Pause
from nefertari_engine_base.sync.related import DependencyGraph
from nefertari_engine_base.sync.versions import Versions

# The application that a model belongs to: the one configured last. A class has one
# ``secondary``, so it cannot serve two applications of a process at the same time.
_OWNERS: WeakKeyDictionary[type, Engines] = WeakKeyDictionary()


@implementer(IEngines)
class Engines:
    """Models, engines, and the links between them.

    :attr primaries: engines that own data, by name.
    :attr secondaries: engines of documents, by name; the first is the one that
        ``Model.secondary`` belongs to and that is queried.
    :attr schemas: schema of each model that has documents, by model name.
    :attr graph: which documents a change touches.
    :attr versions: see :class:`~nefertari_engine_base.sync.versions.Versions`.
    :attr watch: see :class:`~nefertari_engine_base.sync.losses.IndexWatch`.
    :attr forms: see :class:`~nefertari_engine_base.sync.forms.Forms`.
    :attr deletions: see :class:`~nefertari_engine_base.sync.deletions.Deletions`.
    :attr pause: see :class:`~nefertari_engine_base.sync.pause.Pause`.
    """

    def __init__(self, registry: Registry, settings: EngineSettings) -> None:
        self.registry = registry
        self.settings = settings
        self.primaries: dict[str, IPrimaryEngine] = {}
        self.secondaries: dict[str, ISecondaryEngine] = {}
        self.schemas: dict[str, ModelSchema] = {}
        self.graph = DependencyGraph(())
        self.pause = Pause()
        self.versions = Versions(self)
        self.watch = IndexWatch(self)
        self.forms = Forms(self)
        self.deletions = Deletions(self)
        self._options: dict[type, SecondaryOptions] = {}
        self._documents: dict[tuple[str, str], type] = {}
        self._linked: set[type] = set()
        self._bases: dict[type, tuple[str, ...]] = {}
        self._included: set[str] = set()

    # --- configuration -----------------------------------------------------

    def is_first_inclusion(self, module: str) -> bool:
        """Whether the module of an engine is included for the first time.

        Pyramid sees to that for one configurator. A second one of the same registry, as
        programs make it, would put an engine that knows no model in the place of the
        application's.
        """
        if module in self._included:
            return False
        self._included.add(module)
        return True

    def add_primary(self, engine: IPrimaryEngine) -> None:
        """Make an engine known that owns data."""
        self.primaries[engine.name] = engine

    def add_secondary(self, engine: ISecondaryEngine) -> None:
        """Make an engine known that holds documents."""
        self.secondaries[engine.name] = engine

    def add_model(self, model: type, options: SecondaryOptions) -> None:
        """Want documents of a model."""
        self._options[model] = options

    def options_of(self, model: type) -> SecondaryOptions | None:
        """What ``@secondary`` was told of the model; ``None`` without documents."""
        return self._options.get(model)

    def complete(self) -> None:
        """Describe the new models, generate their documents, begin to listen.

        May be called again after more models were added.

        :raises ConfigurationError: if anything does not fit together.
        """
        fresh = [model for model in self._options if model not in self._linked]
        if not fresh or not self.primaries:
            return
        for model in fresh:
            schema = self.primary_of(model).describe(model, self.options_of)
            other = self.schemas.setdefault(schema.name, schema)
            if other is not schema:
                raise ConfigurationError(
                    f"Two models are called {schema.name}: {_place(other.model)} and "
                    f"{_place(model)}. Documents are told apart by the name of their "
                    f"model: rename one."
                )
            self._link(schema)
        self.graph = DependencyGraph(self.schemas.values())
        self._bases.clear()
        for primary in self.primaries.values():
            primary.listen(Publisher(self, primary), self.graph)
            if self.settings.sync is SyncMode.WORKER and self.settings.notify:
                primary.announce_entries()

    def _link(self, schema: ModelSchema) -> None:
        _OWNERS[schema.model] = self
        self._linked.add(schema.model)
        for engine in self.secondaries.values():
            document = generate_document(schema, engine)
            self._documents[engine.name, schema.name] = document
        if self.secondaries:
            first = next(iter(self.secondaries))
            link_document(schema.model, self._documents[first, schema.name])

    def check_settings(self, event: object = None) -> None:
        """Check what the settings say of models; called when the application is made.

        :raises ConfigurationError: if ``nefertari.sync.suspended`` names no model.
        """
        unknown = self.settings.suspended.models - self.schemas.keys()
        if unknown:
            known = ", ".join(sorted(self.schemas)) or "none"
            raise ConfigurationError(
                f"nefertari.sync.suspended = {' '.join(sorted(unknown))}: no model of "
                f"this name has documents (models that have: {known})."
            )

    def check_triggers(self, event: object = None) -> None:
        """See that the databases that tell of changes themselves do so; called when the
        application is made, and idle where that is done to set it up.

        :raises ConfigurationError: if triggers are missing or outdated, or if no engine
            relies on them though the settings say so.
        """
        required = list(self._required_triggers())
        if self.settings.capture is CaptureMode.TRIGGERS and not required:
            raise ConfigurationError(
                f"nefertari.capture = triggers, but no engine of this application "
                f"({', '.join(self.primaries) or 'it has none'}) captures changes so. "
                f"An engine that the application makes itself has to be told: "
                f'SQLAlchemyEngine(engine, capture="triggers"). MongoDB has none.'
            )
        if not is_setting_up():
            for triggers in required:
                triggers.ensure()

    def _required_triggers(self) -> Iterator[ITriggers]:
        for primary in self.primaries.values():
            for triggers in primary.triggers(tuple(self.secondaries)):
                if triggers.required:
                    yield triggers

    # --- questions ---------------------------------------------------------

    def primary_of(self, model: type) -> IPrimaryEngine:
        """The engine that owns a model. :raises UnknownModel:"""
        for engine in self.primaries.values():
            if engine.owns(model):
                return engine
        known = ", ".join(self.primaries) or "none"
        raise UnknownModel(
            f"No primary engine stores {_place(model)} (engines: {known}). Include the "
            f"engine of its kind, for example nefertari_engine_base.primary.sqla, in "
            f"nefertari.engine."
        )

    @property
    def secondary(self) -> ISecondaryEngine | None:
        """The secondary engine that is queried, or ``None`` without one."""
        return next(iter(self.secondaries.values()), None)

    def schema_of(self, model: type | str) -> ModelSchema:
        """The schema of a model, its document class, or its name.

        :raises UnknownModel: if it has no documents here.
        """
        name = model if isinstance(model, str) else _primary_class(model).__name__
        try:
            return self.schemas[name]
        except KeyError:
            known = ", ".join(sorted(self.schemas)) or "none"
            raise UnknownModel(
                f"{name} has no secondary here (models that have: {known}). Decorate "
                f"it with @secondary and scan its module, or call "
                f"config.add_secondary({name})."
            ) from None

    def document_class(self, schema: ModelSchema, secondary: str) -> type:
        """The generated class of a model for one secondary engine."""
        return self._documents[secondary, schema.name]

    def bases(self, model: type) -> tuple[str, ...]:
        """Names of the model's superclasses whose changes matter to documents."""
        known = self._bases.get(model)
        if known is None:
            names = self.graph.models()
            known = tuple(
                base.__name__ for base in model.__mro__[1:] if base.__name__ in names
            )
            self._bases[model] = known
        return known

    def outboxes(self) -> Iterator[IOutbox]:
        """The outboxes of all primaries."""
        for primary in self.primaries.values():
            yield from primary.outboxes()

    # --- life --------------------------------------------------------------

    def setup_database(self) -> None:
        """Create what is missing: tables and the outbox first, triggers where they are
        the capture, then indices.

        What was missing though it had been there is owed; see :mod:`~.sync.losses`.
        """
        for primary in self.primaries.values():
            primary.setup_database()
        for triggers in self._required_triggers():
            triggers.install()
        for secondary in self.secondaries.values():
            secondary.setup_database()
        # From here on only processes that have these forms deliver.
        self.forms.record()
        self.watch.check()

    def close(self) -> None:
        """Stop listening, and give back every connection."""
        for primary in self.primaries.values():
            primary.close()
        for secondary in self.secondaries.values():
            secondary.close()
        for schema in self.schemas.values():
            if _OWNERS.get(schema.model) is self:
                del _OWNERS[schema.model]


def engines_of(registry: Registry) -> Engines:
    """The engines of an application. :raises ConfigurationError: if there are none."""
    found: Engines | None = registry.queryUtility(IEngines)
    if found is None:
        raise ConfigurationError(
            "This application has no engines: call "
            'config.include("nefertari_engine_base").'
        )
    return found


def owner_of(model: type) -> Engines:
    """The engines of the application that a model belongs to.

    :raises UnknownModel: if no application has it.
    """
    model = _primary_class(model)
    for base in model.__mro__:
        owner = _OWNERS.get(base)
        if owner is not None:
            return owner
    raise UnknownModel(
        f"{_place(model)} belongs to no configured application: decorate it with "
        f"@secondary, scan its module, and commit the configuration."
    )


def secondary_of(model: type) -> type:
    """The generated class of a model, which is ``model.secondary`` unless the model has
    an attribute of its own that is called so.

    :raises UnknownModel: if it has no documents, or no application.
    """
    engines = owner_of(model)
    if engines.secondary is None:
        raise UnknownModel(
            f"{_place(model)} has no documents: no secondary engine is included, such "
            f"as nefertari_es."
        )
    return engines.document_class(engines.schema_of(model), engines.secondary.name)


def _primary_class(model: type) -> type:
    return model_of(model) or model


def _place(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"
