"""Play one program on one database. Knows nothing of us: it is imported by the process
that plays programs without us."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from tests.differential.families import FAMILIES, Family
from tests.differential.families.family import ticking
from tests.differential.world import World, plain


@dataclass(frozen=True)
class Program:
    """What is done, by whom, and in which mode we follow.

    :attr seeded: whether the family's first rows are there.
    :attr swallows: whether errors are ignored, and the session goes on as it is;
        otherwise it is rolled back.
    :attr recipe: on SQLite, whether BEGIN is sent as SQLAlchemy's recipe for
        savepoints has it, or left to the driver.
    :attr sync: ``inline`` or ``worker``.
    """

    family: str
    operations: tuple[Any, ...]
    listeners: tuple[str, ...] = ()
    seeded: bool = True
    swallows: bool = False
    autoflush: bool = True
    expire_on_commit: bool = True
    recipe: bool = False
    sync: str = "inline"

    def __str__(self) -> str:
        flags = [
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if name not in ("family", "operations")
        ]
        lines = [f"{self.family}: {', '.join(flags)}"]
        return "\n  ".join([*lines, *map(repr, self.operations)])


@dataclass
class Played:
    """What became of a program.

    :attr results: of each operation, and of the commit in the end.
    :attr rows: all rows in the end, by table.
    """

    results: list[Any] = field(default_factory=list)
    rows: dict[str, list[Any]] = field(default_factory=dict)


#: Seconds that a statement waits for a lock at most.
PATIENCE = 0.3


def connect(url: str, program: Program) -> sa.Engine:
    """The application's engine, on a database without tables."""
    if not url.startswith("sqlite"):
        return sa.create_engine(url)
    engine = sa.create_engine(url, connect_args={"timeout": PATIENCE})

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        numbers = iter(range(1, 1 << 30))
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=OFF")
        connection.create_function("probe", 0, lambda: next(numbers))
        if program.recipe:
            connection.isolation_level = None

    if program.recipe:
        sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN"))
    return engine


def make_tables(engine: sa.Engine, family: Family) -> None:
    """The application's tables, unless they are there."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            there = sa.text("SELECT to_regclass('probe_numbers')")
            if connection.execute(there).scalar() is not None:
                return
            connection.execute(sa.text("CREATE SEQUENCE probe_numbers"))
            connection.execute(
                sa.text(
                    "CREATE FUNCTION probe() RETURNS bigint VOLATILE LANGUAGE sql AS "
                    "$$SELECT nextval('probe_numbers')$$"
                )
            )
    family.base.metadata.create_all(engine)


def play(
    program: Program,
    engine: sa.Engine,
    deliver: Callable[[], None] = lambda: None,
    watch: Callable[[int, World], None] = lambda number, world: None,
) -> Played:
    """Play a program.

    :param deliver: delivers what waits.
    :param watch: is called before each operation with its number.
    """
    family, played = FAMILIES[program.family], Played()
    options = {
        "autoflush": program.autoflush,
        "expire_on_commit": program.expire_on_commit,
    }
    with warnings.catch_warnings(), ticking():
        warnings.simplefilter("ignore")
        if program.seeded:
            with Session(engine) as session:
                session.add_all(family.seed())
                session.commit()
            deliver()
        world = World(family, engine, options, program.listeners, deliver)
        world.begin()
        try:
            for number, operation in enumerate(program.operations):
                watch(number, world)
                played.results.append(_run(world, operation.run, program.swallows))
            watch(len(program.operations), world)
            commit = lambda world: world.session.commit()  # noqa: E731
            played.results.append(_run(world, commit, program.swallows))
        finally:
            world.end()
    played.rows = rows_of(engine, family)
    return played


def _run(world: World, run: Callable[[World], Any], swallows: bool) -> Any:
    try:
        result = plain(run(world))
    except Exception as error:  # noqa: BLE001 - what is raised is a result
        result = error_text(error)
        if not swallows:
            world.roll_back()
    return [result, world.fingerprint()]


_NOISE = re.compile(
    r"\n\[SQL: .*|\n\(Background on .*|\nLINE \d.*| at 0x[0-9a-f]+|\btest_\d+_\d+\b"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    re.DOTALL,
)


def error_text(error: Exception) -> str:
    """An error, without what differs from run to run."""
    if isinstance(error, sa.exc.CircularDependencyError):
        return type(error).__name__  # Its message lists a set.
    if str(error).startswith("Unconsumed column names"):
        return type(error).__name__  # So does this one.
    return f"{type(error).__name__}: {_NOISE.sub('', str(error))}"


def rows_of(engine: sa.Engine, family: Family) -> dict[str, list[Any]]:
    """All rows that are committed, by table."""
    with engine.connect() as connection:
        return {
            table.name: sorted(
                (plain(row) for row in connection.execute(sa.select(table))), key=repr
            )
            for table in family.tables
        }
