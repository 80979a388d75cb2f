"""SQLAlchemy behind the interface of primary engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Table, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, NoInspectionAvailable
from sqlalchemy.orm import Mapper, Session, configure_mappers
from zope.interface import implementer

from nefertari_engine_base.exceptions import (
    ConfigurationError,
    PrimaryError,
    UnknownModel,
)
from nefertari_engine_base.interfaces import (
    IDependencyGraph,
    IPrimaryEngine,
    IPublisher,
)
from nefertari_engine_base.primary.sqla import querying, schema
from nefertari_engine_base.primary.sqla.binds import Binds
from nefertari_engine_base.primary.sqla.capture import hooks, instances
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.leasing import LeasingOutbox
from nefertari_engine_base.primary.sqla.loading import Loader, to_dict
from nefertari_engine_base.primary.sqla.locking import LockingOutbox
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox
from nefertari_engine_base.primary.sqla.own_engines import Forked
from nefertari_engine_base.primary.sqla.own_sessions import Timeouts
from nefertari_engine_base.primary.sqla.session import Sessions
from nefertari_engine_base.primary.sqla.triggers.captures import Capture as TableCapture
from nefertari_engine_base.primary.sqla.triggers.captures import captures_of
from nefertari_engine_base.primary.sqla.triggers.installing import Triggers
from nefertari_engine_base.schema import ModelSchema, SecondaryOptions
from nefertari_engine_base.settings import CaptureMode, capture_of
from nefertari_engine_base.values import Capability, Page, Query

_OUTBOXES: dict[str, type[SQLOutbox]] = {
    "postgresql": LockingOutbox,
    "sqlite": LeasingOutbox,
}


@implementer(IPrimaryEngine)
class SQLAlchemyEngine:
    """Models of SQLAlchemy, on SQLite or PostgreSQL.

    :param engine: the application's engine.
    :param session: finds the session that reads use; by default those of
        :class:`~nefertari_engine_base.primary.sqla.session.Sessions`.
    :param binds: engines of classes that have their rows in other databases, as
        :class:`sqlalchemy.orm.Session` takes them. Each database has an outbox.
    :param capture: who tells of changes: ``session``, or ``triggers`` of the databases.
    :param timeouts: how long PostgreSQL waits for deliveries.
    :param is_ours: whether the engine connects anew in a process that was forked; one
        of the application is its own affair.
    :param delivery: an engine on the same database to make that of deliveries from, if
        it cannot be like the application's.
    """

    name = "sqla"
    follows_rows = True

    def __init__(
        self,
        engine: Engine,
        session: Callable[[], Session] | None = None,
        binds: Mapping[type, Engine] | None = None,
        capture: CaptureMode | str = CaptureMode.SESSION,
        timeouts: Timeouts | None = None,
        delivery: Engine | None = None,
        is_ours: bool = False,
    ) -> None:
        self.capture = capture_of(capture)
        for one in (engine, *(binds or {}).values()):
            _refuse_translated(one)
        self.binds = Binds(engine, binds or {})
        for one in self.binds.engines:
            if one.dialect.name not in _OUTBOXES:
                raise ConfigurationError(
                    f"{one.dialect.name} is not supported: the outbox needs SQLite or "
                    f"PostgreSQL."
                )
        self.engine = engine
        self.timeouts = timeouts or Timeouts()
        self._delivery = delivery
        engines = list(self.binds.engines)
        self._forked = Forked(*((engines, ()) if is_ours else ((), engines)))
        self.sessions = Sessions(engine, self.binds.by_class)
        self._session = session or self.sessions.current
        self._followings: list[Following] = []
        self._graph: IDependencyGraph | None = None
        self._schemas: dict[str, ModelSchema] = {}
        self._loaders: dict[str, Loader] = {}
        self._outboxes: WeakKeyDictionary[Engine, SQLOutbox] = WeakKeyDictionary()
        self._announces = False

    @property
    def capabilities(self) -> Capability:
        """See :attr:`IPrimaryEngine.capabilities`."""
        flags = Capability.TRANSACTIONAL | Capability.SAVEPOINTS
        flags |= Capability.RELATED_SORT
        if self.engine.dialect.name == "postgresql":
            flags |= Capability.SKIP_LOCKED
        return flags

    # --- models ------------------------------------------------------------

    def owns(self, model: type) -> bool:
        """See :meth:`IPrimaryEngine.owns`."""
        try:
            return bool(inspect(model).is_mapper)
        except NoInspectionAvailable:
            return False

    def describe(
        self, model: type, options_of: Callable[[type], SecondaryOptions | None]
    ) -> ModelSchema:
        """See :meth:`IPrimaryEngine.describe`."""
        configure_mappers()
        options = options_of(model) or SecondaryOptions()
        described = replace(
            schema.describe(model, options, options_of), internals=_internals(model)
        )
        self.binds.check(described)
        self._schemas[described.name] = described
        self._loaders.pop(described.name, None)
        return described

    def listen(self, publisher: IPublisher, graph: IDependencyGraph) -> None:
        """See :meth:`IPrimaryEngine.listen`."""
        self._forget()
        self._graph = graph
        models = self._models()
        captures = captures_of(graph.dependencies())
        for engine in self.binds.engines:
            own = self._captures_of(engine, captures)
            here = {
                m: s for m, s in models.items() if self.binds.engine_of(m) is engine
            }
            following = Following(
                publisher, own, here, self._outbox_for,
                by_triggers=self.capture is CaptureMode.TRIGGERS,
            )  # fmt: skip
            self._followings.append(following)
            hooks.follow(engine, following)
            for model, described in here.items():
                self._tell_of_instances(model, described, graph, following)
        hooks.listen()

    def _forget(self) -> None:
        for following in self._followings:
            hooks.forget(following)
            instances.forget(following)
        self._followings.clear()

    def _models(self) -> dict[type, ModelSchema]:
        """The mapped classes that documents depend on, with what has their key."""
        found: dict[type, ModelSchema] = {}
        for known in self._known_schemas().values():
            mapper: Mapper[Any]
            for mapper in inspect(known.model).self_and_descendants:
                found[mapper.class_] = self._schema_of(mapper.class_)
        return found

    def _tell_of_instances(
        self, model: type, described: ModelSchema, graph: IDependencyGraph,
        following: Following,
    ) -> None:  # fmt: skip
        mapper: Mapper[Any] = inspect(model)
        bases = tuple(base.__name__ for base in model.__mro__[1:])
        contents = graph.contents(model.__name__, bases)
        key = [mapper.get_property_by_column(part).key for part in mapper.primary_key]
        instances.listen(
            instances.Source(
                model=model,
                schema=described,
                references=graph.references(model.__name__, bases),
                derived=schema.derived_fields(described, contents),
                key=tuple(key),
                following=following,
            )
        )

    def _known_schemas(self) -> dict[str, ModelSchema]:
        """Schemas of the models with documents, of those that only are embedded, and of
        those that only computed fields read."""
        known = dict(self._schemas)
        for followed in (False, True):
            for root in self._schemas.values():
                for _, inner in root.walk(followed=followed):
                    known.setdefault(inner.name, inner)
        return known

    def _schema_of(self, model: type) -> ModelSchema:
        known = self._known_schemas()
        for base in model.__mro__:
            if base.__name__ in known:
                return known[base.__name__]
        raise UnknownModel(f"{model.__name__} has no documents and is in none.")

    # --- delivery ----------------------------------------------------------

    def setup_database(self) -> None:
        """See :meth:`IPrimaryEngine.setup_database`.

        A SQLite file is put in WAL mode, in which deliveries and readers do not wait
        for each other: https://www.sqlite.org/wal.html
        """
        models = [known.model for known in self._known_schemas().values()]
        for engine in self.binds.engines:
            outbox = self._outbox_for(engine)
            used = self._waiting(engine)
            if engine.dialect.name == "sqlite":
                _write_ahead(used)
            for metadata, tables in self.binds.tables(engine, models):
                metadata.create_all(used, tables)
            outbox.setup()

    def outboxes(self) -> Sequence[SQLOutbox]:
        """See :meth:`IPrimaryEngine.outboxes`."""
        return [self._outbox_for(engine) for engine in self.binds.engines]

    def outbox_of(self, schema: ModelSchema) -> SQLOutbox:
        """See :meth:`IPrimaryEngine.outbox_of`."""
        return self._outbox_for(self.binds.engine_of(schema.model))

    def _outbox_for(self, engine: Engine) -> SQLOutbox:
        outbox = self._outboxes.get(engine)
        if outbox is None:
            _refuse_autocommit(engine)
            delivery = self._delivery if engine is self.engine else None
            outbox = _OUTBOXES[engine.dialect.name](
                engine, self._loader_of, self.timeouts, delivery
            )
            self._outboxes[engine] = outbox
            outbox.announces = self._announces
        return outbox

    def _waiting(self, engine: Engine) -> Engine:
        """An engine on the same database whose driver waits."""
        if engine.dialect.is_async:
            return self._outbox_for(engine).engine
        return engine

    def announce_entries(self) -> None:
        """See :meth:`IPrimaryEngine.announce_entries`."""
        self._announces = True
        for outbox in list(self._outboxes.values()):
            outbox.announces = True

    def _loader_of(self, model: str) -> Loader:
        loader = self._loaders.get(model)
        if loader is None:
            loader = self._loaders[model] = Loader(self._schemas[model])
        return loader

    def triggers(self, secondaries: Sequence[str]) -> Sequence[Triggers]:
        """See :meth:`IPrimaryEngine.triggers`."""

        def captures(engine: Engine) -> Mapping[Table, Sequence[TableCapture]]:
            found = captures_of(self._graph.dependencies() if self._graph else ())
            return self._captures_of(engine, found)

        return [
            Triggers(
                self._waiting(engine),
                partial(captures, engine),
                secondaries,
                announces=self._announces,
                required=self.capture is CaptureMode.TRIGGERS,
            )
            for engine in self.binds.engines
        ]

    def _captures_of(
        self, engine: Engine, captures: Mapping[Table, list[TableCapture]]
    ) -> dict[Table, list[TableCapture]]:
        """Those of the tables of one database."""
        models = [known.model for known in self._known_schemas().values()]
        here = {
            table for _, tables in self.binds.tables(engine, models) for table in tables
        }
        return {table: captures[table] for table in captures if table in here}

    # --- reading -----------------------------------------------------------

    def document_id(self, instance: Any) -> str:
        """See :meth:`IPrimaryEngine.document_id`."""
        mapper = inspect(type(instance))
        return self._schema_of(type(instance)).document_id(
            mapper.primary_key_from_instance(instance)
        )

    def to_dict(self, instance: Any) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.to_dict`."""
        return to_dict(self._schema_of(type(instance)), instance)

    def search(self, schema: ModelSchema, query: Query) -> Page[Any]:
        """See :meth:`IPrimaryEngine.search`."""
        with _translated_read_errors():
            page = querying.search(self._session(), schema, query)
            page.engine = self.name
            return page

    def count(self, schema: ModelSchema, query: Query) -> int:
        """See :meth:`IPrimaryEngine.count`."""
        with _translated_read_errors():
            return querying.count(self._session(), schema, query)

    def explain(self, schema: ModelSchema, query: Query) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.explain`."""
        with _translated_read_errors():
            return querying.explain(self._session(), schema, query)

    def get_by_ids(
        self, schema: ModelSchema, ids: Sequence[str], documents_only: bool = False
    ) -> Mapping[str, Any]:
        """See :meth:`IPrimaryEngine.get_by_ids`."""
        with _translated_read_errors():
            session = self._session()
            return querying.get_by_ids(session, schema, ids, documents_only)

    def list_ids(
        self, schema: ModelSchema, after: str | None, limit: int
    ) -> Sequence[str]:
        """See :meth:`IPrimaryEngine.list_ids`."""
        outbox = self.outbox_of(schema)
        with outbox.translated_errors(), outbox.engine.connect() as connection:
            return self._loader_of(schema.name).list_ids(connection, after, limit)

    def close(self) -> None:
        """See :meth:`IPrimaryEngine.close`."""
        self._forget()
        self.sessions.remove()
        for outbox in list(self._outboxes.values()):
            outbox.close()


def _refuse_autocommit(engine: Engine) -> None:
    default = getattr(engine.dialect, "_on_connect_isolation_level", None)
    level = engine.get_execution_options().get("isolation_level", default)
    if level == "AUTOCOMMIT":
        raise ConfigurationError(
            f"{engine!r} commits each statement by itself (AUTOCOMMIT). A change and "
            f"its outbox entry have to be one transaction: use another isolation "
            f"level for the sessions that write models."
        )


def _internals(model: type) -> frozenset[str]:
    """Class attributes that SQLAlchemy has put there, or that configure it."""
    names = {"metadata", "registry", "type_annotation_map"}
    for owner in model.__mro__:
        for name, value in vars(owner).items():
            if type(value).__module__.startswith("sqlalchemy.") or "_sa_" in name:
                names.add(name)
    return frozenset(names)


def _refuse_translated(engine: Engine) -> None:
    if engine.get_execution_options().get("schema_translate_map"):
        raise ConfigurationError(
            "An engine with a schema_translate_map cannot be followed: texts obey none"
            ". Set the schema in the search_path of its connections: "
            "create_engine(url, connect_args={'options': '-csearch_path=tenant'})."
        )


@contextmanager
def _translated_read_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise PrimaryError(f"The database failed a read: {error}") from error


def _write_ahead(engine: Engine) -> None:
    """Put a file of SQLite in WAL mode, from without a transaction: the application's
    listeners may have a connection of SQLAlchemy begin one at once.

    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    """
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        connection.close()
