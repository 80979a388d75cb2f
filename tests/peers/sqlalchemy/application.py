"""The application of one test: its engines, and documents for what the test maps."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyramid.config import Configurator
from sqlalchemy import Table, inspect, literal, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapper

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    PrimaryError,
    UnmappableField,
)
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.primary.sqla.own_engines import OWN
from nefertari_engine_base.schema import ModelSchema, SecondaryOptions
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import DocumentRef, Outcome, Write, WriteResult
from tests.peers.sqlalchemy.options import Options
from tests.peers.sqlalchemy.records import Phase, Record

#: Rows of a model that a test may have when it begins.
_MOST_ROWS = 100_000


class DroppingEngine(MemoryEngine):
    """Does not write every second document: what is compared has to notice."""

    _count = 0

    def write(
        self, schema: ModelSchema, writes: Iterable[Write], until: float | None = None
    ) -> Sequence[WriteResult]:
        """Say of all that they are written."""
        results: list[WriteResult] = []
        for write in writes:
            self._count += 1
            if self._count % 2:
                results += super().write(schema, [write])
            else:
                results.append(WriteResult(write.id, Outcome.WRITTEN))
        return results


class CannotStart(Exception):
    """Triggers cannot be installed while the test holds the lock of its database."""


class Application:
    """An application over the engine of a test.

    :attr initially_refused: (model, id) of rows that were there, and cannot have a
        document.
    """

    primary: SQLAlchemyEngine
    memory: MemoryEngine
    engines: Engines

    def __init__(self, engine: Engine, options: Options, record: Record) -> None:
        self._engine = engine
        self._options = options
        self._record = record
        self._accepted: dict[type, SecondaryOptions] = {}
        self.initially_refused: set[tuple[str, str]] = set()
        self._configure()

    def _configure(self) -> None:
        self.primary = self._make_primary()
        self.memory = DroppingEngine() if self._options.drops else MemoryEngine()
        config = Configurator(settings=self._options.settings)
        config.include("nefertari_engine_base")
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.memory)
        config.commit()
        self.engines = engines_of(config.registry)

    def _make_primary(self) -> SQLAlchemyEngine:
        capture = self._options.capture or "session"
        return SQLAlchemyEngine(self._engine, capture=capture)

    def add(self, mappers: Sequence[Mapper[Any]]) -> None:
        """Give mapped classes documents, as far as they can have any.

        :raises CannotStart: if the application is of no use any more.
        """
        chosen: dict[type, SecondaryOptions] = {}
        for mapper in mappers:
            self._record.offered += 1
            self._choose(mapper, chosen)
        try:
            self._complete(chosen)
        except ConfigurationError:
            # What describes each of them alone had no objection.
            self._add_each(chosen)
        for model in chosen:
            if model in self._accepted:
                self._record.accepted.append(model.__name__)
                self._fill(self.engines.schemas[model.__name__])

    def _add_each(self, chosen: Mapping[type, SecondaryOptions]) -> None:
        """Find out which of some models it is that an application cannot have."""
        before = dict(self._accepted)
        for model, options in chosen.items():
            self._restart()
            try:
                self._complete({model: options})
            except ConfigurationError as error:
                self._record.refuse(f"{type(error).__name__}: {str(error)[:160]}")
                self._restart()
        for model in before:
            self._fill(self.engines.schemas[model.__name__])

    def _restart(self) -> None:
        """Begin again with the models that were accepted."""
        self.close()
        accepted, self._accepted = self._accepted, {}
        self._configure()
        self._complete(accepted)

    def _complete(self, models: Mapping[type, SecondaryOptions]) -> None:
        """:raises ConfigurationError: if one of the models cannot be had."""
        for model, options in models.items():
            self.engines.add_model(model, options)
        self.engines.complete()
        self._install_triggers()
        self._accepted.update(models)

    def close(self) -> None:
        """Stop to follow."""
        self.engines.close()

    # --- choosing ----------------------------------------------------------

    def _choose(
        self, mapper: Mapper[Any], chosen: dict[type, SecondaryOptions]
    ) -> None:
        model, record = mapper.class_, self._record
        names = {one.__name__ for one in chosen} | self.engines.schemas.keys()
        if model.__name__ in names:
            record.refuse("another model of the test has the same name")
            return
        try:
            chosen[model] = self._options_of(mapper, chosen)
        except ConfigurationError as error:
            record.refuse(f"{type(error).__name__}: {str(error)[:160]}")
        except Exception as error:  # noqa: BLE001 - the next model may be better
            record.note(Phase.START, error, model.__name__)

    def _options_of(
        self, mapper: Mapper[Any], chosen: dict[type, SecondaryOptions]
    ) -> SecondaryOptions:
        """Every column that can be in a document and, if relations are embedded, each
        that can be."""
        excluded: list[str] = []
        nested: list[str] = []
        keys = {mapper.get_property_by_column(part).key for part in mapper.primary_key}
        while True:
            options = SecondaryOptions.of(exclude=tuple(excluded))
            try:
                self._try(mapper.class_, options, chosen)
                break
            except UnmappableField as error:
                # What its message advises; without a key there is no document.
                if error.field in {*excluded, *keys}:
                    raise
                excluded.append(error.field)
                self._record.refuse("(column) " + _type_named_in(error))
        for name in mapper.relationships.keys() if self._options.embeds else ():
            one = SecondaryOptions.of(nested=(name,), exclude=tuple(excluded))
            try:
                self._try(mapper.class_, one, chosen)
            except ConfigurationError as error:
                reason = f"{type(error).__name__}: {str(error)[:160]}"
                self._record.refuse(f"(relation) {reason}")
            except Exception as error:  # noqa: BLE001 - the next may be better
                where = f"{mapper.class_.__name__}.{name}"
                self._record.note(Phase.START, error, where)
            else:
                nested.append(name)
        self._record.embedded += len(nested)
        return SecondaryOptions.of(nested=tuple(nested), exclude=tuple(excluded))

    def _try(
        self,
        model: type,
        options: SecondaryOptions,
        chosen: dict[type, SecondaryOptions],
    ) -> None:
        """Describe a model for nobody.

        :raises ConfigurationError: if it cannot have documents like this.
        :raises AttributeError: if it is described wrongly.
        """

        def options_of(other: type) -> SecondaryOptions | None:
            if other is model:
                return options
            return chosen.get(other) or self.engines.options_of(other)

        described = self._make_primary().describe(model, options_of)
        generate_document(described, MemoryEngine())
        for name in described.stored:
            getattr(model, name)

    # --- starting ----------------------------------------------------------

    def _install_triggers(self) -> None:
        if self._options.capture == "triggers":
            try:
                for triggers in self.primary.triggers(list(self.engines.secondaries)):
                    # A test may listen to its engine, and count what that compiles;
                    # an application is set up before.
                    triggers._engine = _quiet(self._engine)
                    triggers.install()
            except PrimaryError as error:
                if "locked" in str(error):
                    raise CannotStart from error
                raise

    def _fill(self, schema: ModelSchema) -> None:
        """Write the documents of the rows that are there already.

        Their version is below every other. None is drawn, since the test may hold the
        lock of its SQLite database.
        """
        outbox = self.primary.outbox_of(schema)
        try:
            with outbox.engine.connect() as connection:
                some = select(literal(1)).select_from(schema.model).limit(1)
                if connection.execute(some).first() is None:
                    return
            ids = self.primary.list_ids(schema, None, _MOST_ROWS)
            refs = [DocumentRef(schema.name, id_) for id_ in ids]
            with outbox.engine.begin() as connection:
                documents, errors = outbox.load(connection, refs)
        except (SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
            return  # its table is made later, or no SELECT of it can be right
        except Exception as error:  # noqa: BLE001 - the comparison goes on
            self._record.note(Phase.START, error, schema.name)
            return
        loaded = documents.get(schema.name, {})
        writes = [Write(id_, 0, text) for id_, text in loaded.items()]
        # Not those that are to be dropped.
        results = MemoryEngine.write(self.memory, schema, writes)
        refused = [one.id for one in results if one.outcome is not Outcome.WRITTEN]
        self.initially_refused.update((schema.name, id_) for id_ in refused)
        self.initially_refused.update((ref.model, ref.id) for ref in errors)


def remove_triggers(engine: Engine) -> None:
    """Take off the triggers that an earlier application has put on tables."""
    for triggers in SQLAlchemyEngine(engine).triggers([MemoryEngine.name]):
        triggers.remove()


def _quiet(engine: Engine) -> Engine:
    """The same database, without the listeners, cache and log of a test's engine."""
    options = {"compiled_cache": None, OWN: True}
    return Engine(
        engine.pool,
        engine.dialect,
        engine.url,
        logging_name=_QUIET,
        execution_options=options,
    )


_QUIET = "peers"
logging.getLogger(f"sqlalchemy.engine.Engine.{_QUIET}").setLevel(logging.CRITICAL)


def can_be_added(options: Options, engine: Engine, mapper: Mapper[Any]) -> bool:
    """Whether an application could start with a mapped class.

    It has its tables by then; but only triggers cannot be told of them before.
    """
    if options.capture != "triggers":
        return True
    tables = [table for table in mapper.tables if isinstance(table, Table)]
    inspector = inspect(_quiet(engine))
    return all(inspector.has_table(one.name, schema=one.schema) for one in tables)


def _type_named_in(error: UnmappableField) -> str:
    return str(error).partition("of type ")[2].partition(",")[0][:40]
