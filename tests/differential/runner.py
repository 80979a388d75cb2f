"""Play a program twice, without us and with us, and say in what the two differ."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from pyramid.config import Configurator

from nefertari_engine_base import Engines, engines_of
from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import DocumentRef
from tests.differential.databases import Databases
from tests.differential.families import FAMILIES
from tests.differential.playing import Program, connect, make_tables, play
from tests.differential.without_us import Plain


class Failures(logging.Handler):
    """Remembers what is told to the failure handler, and defects that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(f"{record.getMessage()}: {record.exc_info}")

    def delivery_failed(self, error: BaseException, waiting: int) -> None:
        self.told.append(f"delivery failed: {error!r}")

    def document_refused(self, ref: Any, reason: str, final: bool) -> None:
        self.told.append(f"refused: {ref} {reason}")

    def subscriber_failed(self, error: BaseException, event: Any) -> None:
        self.told.append(f"subscriber failed: {error!r}")

    def index_lost(self, debt: Any) -> None:
        self.told.append(f"index lost: {debt}")


@dataclass
class Captured:
    """An application of ours, on a database of its own."""

    engines: Engines
    database: sa.Engine
    failures: Failures = field(default_factory=Failures)

    def deliver(self) -> None:
        drain(self.engines)

    def settle(self) -> int:
        """Catch up with the models that are owed; how many there were."""
        models = indebted(self.engines)
        for model in models:
            catch_up(self.engines, self.engines.schema_of(model))
        return len(models)

    def differences(self) -> Iterator[str]:
        """Where the index is not what the rows make of it."""
        for schema in self.engines.schemas.values():
            expected, found = self._expected(schema), self._found(schema)
            for id_ in sorted(expected.keys() | found.keys()):
                name = f"{schema.name} {id_}"
                if id_ not in found:
                    yield f"lost: {name}, expected {expected[id_]}"
                elif id_ not in expected:
                    yield f"ghost: {name}, found {found[id_]}"
                elif expected[id_] != found[id_]:
                    yield f"stale: {name}\n  {found[id_]}\n  {expected[id_]} expected"

    def _expected(self, schema: ModelSchema) -> dict[str, Any]:
        """What the product makes of the rows that are there, without any capture."""
        primary = self.engines.primary_of(schema.model)
        ids = primary.list_ids(schema, None, 1_000_000)
        refs = [DocumentRef(schema.name, id_) for id_ in ids]
        snapshot = primary.outbox_of(schema).draw_and_load(refs)
        if snapshot.errors:
            raise LookupError(f"cannot be loaded: {snapshot.errors}")
        documents = snapshot.documents.get(schema.name, {})
        return {id_: orjson.loads(json) for id_, json in documents.items()}

    def _found(self, schema: ModelSchema) -> dict[str, Any]:
        memory, found = self.engines.secondaries["memory"], {}
        for ids in memory.ids_below(schema, 1 << 62):
            for id_, stored in zip(ids, memory.stored(schema, ids), strict=True):
                found[id_] = stored.source
        return found


@contextmanager
def captured(
    program: Program,
    url: str,
    *,
    capture: str = "session",
    declare: Callable[[Configurator], None] = lambda config: None,
    settings: dict[str, Any] | None = None,
) -> Iterator[Captured]:
    """An application of ours over a family, its tables made.

    :param capture: the setting ``nefertari.capture``.
    :param declare: is called with the configurator, to add subscribers.
    """
    family, database = FAMILIES[program.family], connect(url, program)
    told = {"nefertari.sync": program.sync, **(settings or {})}
    if capture != "session":
        told["nefertari.capture"] = capture
    config = Configurator(settings=told)
    config.include("nefertari_engine_base")
    config.add_primary_engine(SQLAlchemyEngine(database, capture=capture))
    config.add_secondary_engine(MemoryEngine())
    for model, options in family.documents.items():
        config.add_secondary(model, **options)
    declare(config)
    config.commit()
    app = Captured(engines_of(config.registry), database)
    config.registry.registerUtility(app.failures, IFailureHandler)
    log = logging.getLogger("nefertari_engine_base.capture")
    log.addHandler(app.failures)
    try:
        make_tables(database, family)
        app.engines.setup_database()
        yield app
    finally:
        log.removeHandler(app.failures)
        app.engines.close()
        database.dispose()


@dataclass
class Runner:
    """Runs programs on one kind of database.

    :attr capture: the setting ``nefertari.capture``.
    :attr sabotage: is called with each application of ours before its program is
        played; for a negative control.
    :attr counts: programs, those that left debts, and what else is worth knowing.
    """

    databases: Databases
    plain: Plain
    capture: str = "session"
    sabotage: Callable[[Captured], None] = lambda app: None
    counts: Counter[str] = field(default_factory=Counter)

    def differences(self, program: Program) -> list[str]:
        """In what a program differs with us; nothing if all is well."""
        with (
            self.databases(program.family, ours=False) as one,
            self.databases(program.family, ours=True) as other,
        ):
            self.plain.begin(program, one)
            try:
                played, index = self._with_us(program, other)
            finally:
                without = self.plain.end()
        self.counts["programs"] += 1
        found = list(compare(program, without, played))
        if found and self._happens_without_us(program, played):
            self.counts["programs of more than one outcome"] += 1
            found = []
        return _shortened([*found, *index])

    def _happens_without_us(self, program: Program, played: Any) -> bool:
        """Whether another process, without us, does what was done with us: in which
        order SQLAlchemy flushes unrelated rows may depend on addresses in memory."""
        for _ in range(_REPEATS):
            process = Plain()
            try:
                with self.databases(program.family, ours=False) as url:
                    process.begin(program, url)
                    without = process.end()
            finally:
                process.close()
            if not any(compare(program, without, played)):
                return True
        return False

    def _with_us(self, program: Program, url: str) -> tuple[Any, list[str]]:
        with captured(program, url, capture=self.capture) as app:
            self.sabotage(app)
            played = play(program, app.database, app.deliver)
            return played, list(self.checked(app))

    def checked(self, app: Captured) -> Iterator[str]:
        """Deliver everything, settle what is owed, and compare the index."""
        try:
            app.deliver()
            if debts := app.settle():
                self.counts["programs with debts"] += 1
                self.counts["debts"] += debts
            app.deliver()
            yield from app.differences()
        except Exception as error:  # noqa: BLE001 - a difference like any other
            yield f"delivery raised: {error!r}"
        self.counts["deliveries that failed"] += len(app.failures.told)
        for told in app.failures.told:
            yield f"told to the failure handler: {told}"


#: Processes that are asked whether a difference is one of ours.
_REPEATS = 8


def _shortened(found: list[str], most: int = 12) -> list[str]:
    return [*found[:most], f"and {len(found) - most} more"][: len(found)]


def compare(program: Program, without: Any, with_us: Any) -> Iterator[str]:
    """In what two runs differ, but for the index."""
    pairs = zip(without.results, with_us.results, strict=True)
    for number, (plain, ours) in enumerate(pairs):
        if plain != ours:
            operations = (*program.operations, "the last commit")
            what = 0 if plain[0] != ours[0] else 1
            yield (
                f"{('result', 'loaded attributes')[what]} of {number}: "
                f"{operations[number]}\n  without us: {plain[what]}\n"
                f"  with us:    {ours[what]}"
            )
            break  # What comes after follows from it.
    for table, rows in without.rows.items():
        if rows != with_us.rows[table]:
            yield (
                f"rows of {table}\n  without us: {rows}\n"
                f"  with us:    {with_us.rows[table]}"
            )
