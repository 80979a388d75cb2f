"""The tables that delivery keeps in the primary's database."""

from __future__ import annotations

from types import TracebackType

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Sequence,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from nefertari_engine_base.exceptions import PrimaryError

#: How the names of all these tables begin.
_PREFIX = "nefertari_"


class epoch_now(FunctionElement[float]):  # noqa: N801 - SQL functions are lower case
    """The database's clock, as seconds since 1970 (UTC).

    Clocks of applications and workers may differ; the database has only one.
    """

    type = Double()
    inherit_cache = True
    name = "epoch_now"


class current_transaction(FunctionElement[int]):  # noqa: N801
    """The number of the running transaction, where transactions have one."""

    type = BigInteger()
    inherit_cache = True
    name = "current_transaction"


@compiles(current_transaction, "postgresql")
def _current_transaction(
    element: current_transaction, compiler: SQLCompiler, **kw: object
) -> str:
    return "txid_current()"


@compiles(current_transaction, "sqlite")
def _no_transaction(
    element: current_transaction, compiler: SQLCompiler, **kw: object
) -> str:
    return "NULL"


@compiles(epoch_now)
def _epoch_now(element: epoch_now, compiler: SQLCompiler, **kw: object) -> str:
    return "extract(epoch from clock_timestamp())"


@compiles(epoch_now, "sqlite")
def _epoch_now_sqlite(element: epoch_now, compiler: SQLCompiler, **kw: object) -> str:
    # https://www.sqlite.org/lang_datefunc.html: 2440587.5 is the epoch's Julian day
    return "((julianday('now') - 2440587.5) * 86400.0)"


metadata = MetaData()


def _number() -> Column[int]:
    """The column that numbers the rows of a table."""
    type_ = BigInteger().with_variant(Integer(), "sqlite")
    return Column("id", type_, primary_key=True, autoincrement=True)


#: Committed changes that are not yet known to be indexed. ``claimed_by`` and
#: ``claimed_until`` are used where rows cannot be locked past a transaction;
#: ``transaction_id`` where triggers write entries of which nothing else is known.
outbox = Table(
    "nefertari_outbox",
    metadata,
    _number(),
    Column("secondary", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("path", String(255), nullable=False),
    Column("key", Text, nullable=False),
    Column("cursor", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Column("created_at", Double, nullable=False, server_default=epoch_now()),
    Column("due_at", Double, nullable=False, server_default=epoch_now()),
    Column("dead_at", Double),
    Column("claimed_by", String(36)),
    Column("claimed_until", Double),
    # Named by no insert: a session and a trigger leave it to the database.
    Column("transaction_id", BigInteger, server_default=current_transaction()),
    # A number that was given once must not be given again: an inline delivery asks
    # for its entries by number.
    sqlite_autoincrement=True,
)

Index(
    "nefertari_outbox_due",
    outbox.c.due_at,
    outbox.c.id,
    postgresql_where=outbox.c.dead_at.is_(None),
    sqlite_where=outbox.c.dead_at.is_(None),
)

# Both are empty as long as nothing is dead, and so cost the living entries nothing.
Index(
    "nefertari_outbox_dead",
    outbox.c.model,
    outbox.c.id,
    postgresql_where=outbox.c.dead_at.is_not(None),
    sqlite_where=outbox.c.dead_at.is_not(None),
)
Index(
    "nefertari_outbox_dead_key",
    outbox.c.key,
    # A key may be of any length, one of a B-tree may not; and the burial of a document
    # that was refused for its long id must not fail.
    # https://www.postgresql.org/docs/current/btree.html
    postgresql_using="hash",
    postgresql_where=outbox.c.dead_at.is_not(None),
    sqlite_where=outbox.c.dead_at.is_not(None),
)

#: Workers, each of which tells every few seconds that it is alive.
worker = Table(
    "nefertari_worker",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("per_second", Double, nullable=False),
)

#: That documents of a model may differ from their rows; see :mod:`.sqla.debts`.
debt = Table(
    "nefertari_debt",
    metadata,
    _number(),
    Column("secondary", String(64), nullable=False),
    Column("model", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Double, nullable=False, server_default=epoch_now()),
    # Debts are settled by number: one that was given once must not be given again.
    sqlite_autoincrement=True,
)

#: What is remembered of the index of each model, by the place where it is to be found;
#: and, without a place, the fence of the model. See :mod:`.sqla.debts`.
index = Table(
    "nefertari_index",
    metadata,
    Column("secondary", String(64), primary_key=True),
    Column("model", String(255), primary_key=True),
    Column("place", String(255), primary_key=True),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("identity", Text),
    Column("operations", BigInteger),
    Column("documents", BigInteger),
)

#: Of what form the documents of each model are, by the last setup.
form = Table(
    "nefertari_form",
    metadata,
    Column("model", String(255), primary_key=True),
    Column("form", String(64), nullable=False),
)

#: Where versions are drawn on databases that have sequences. A cache would hand out
#: numbers that were drawn long before the claim.
#: https://www.postgresql.org/docs/current/sql-createsequence.html
version_sequence = Sequence(
    "nefertari_version", metadata=metadata, data_type=BigInteger, cache=1
)

#: Where versions are drawn on databases that have none: one row.
version_counter = Table(
    "nefertari_version_counter",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

#: The row of SQLite's counter, unless it is there.
FIRST_VERSION = (
    "INSERT OR IGNORE INTO nefertari_version_counter (id, value) VALUES (1, 0)"
)

#: By how many versions those to come are moved ahead, durably, by every new connection
#: to PostgreSQL and by every process on SQLite. Two kinds of versions may be above what
#: the database remembers: those whose advance was not yet on the disk when the server
#: crashed, and those of deletes, which the index forgets in time and does not tell.
VERSION_JUMP = 2**20

#: Key of the advisory lock under which tables are created and versions moved ahead;
#: any constant that other programs are unlikely to use.
ADVISORY_LOCK = 0x6E65666572746172


#: What makes an outbox of an older version one of this. It is executed only if it has
#: to be, since it waits for everybody who uses the table.
ADD_TRANSACTION = (
    "ALTER TABLE nefertari_outbox ADD COLUMN IF NOT EXISTS transaction_id BIGINT "
    "DEFAULT txid_current()"
)
_HAS_TRANSACTION = text(
    "SELECT EXISTS (SELECT FROM pg_attribute "
    "WHERE attrelid = to_regclass('nefertari_outbox') "
    "AND attname = 'transaction_id' AND NOT attisdropped)"
)


def create_tables(connection: Connection) -> None:
    """Create what is missing. Safe for processes that start at the same time."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}
        )
        version_sequence.create(connection, checkfirst=True)
        _create_common(connection)
        if not connection.execute(_HAS_TRANSACTION).scalar_one():
            connection.execute(text(ADD_TRANSACTION))
        return
    _create_common(connection)
    version_counter.create(connection, checkfirst=True)
    connection.execute(text(FIRST_VERSION))


def _create_common(connection: Connection) -> None:
    for table in (outbox, worker, debt, index, form):
        table.create(connection, checkfirst=True)


def _is_missing(error: BaseException | None) -> bool:
    """Whether one of these tables is not there."""
    cause: object = getattr(error, "orig", error)
    text = str(cause)
    if _PREFIX not in text:
        return False
    # https://www.postgresql.org/docs/current/errcodes-appendix.html
    is_undefined = getattr(cause, "sqlstate", None) in ("42P01", "42703")
    return is_undefined or "no such table" in text or "no column named" in text


class explained:  # noqa: N801 - it is used like a function
    """``with explained():`` a missing outbox, which a new application may well have, is
    an error that says what to do.

    :param drivers: errors of a driver that come as they are, beside SQLAlchemy's.
    """

    def __init__(self, *drivers: type[Exception]) -> None:
        self._errors: tuple[type[Exception], ...] = (
            *(OperationalError, ProgrammingError),
            *drivers,
        )

    def __enter__(self) -> None:
        # Every write comes by here: generators of contextlib take longer.
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, self._errors) and _is_missing(error):
            raise PrimaryError(
                f"The database lacks the tables {_PREFIX}*, in which changes are kept "
                f"until they are indexed. Call setup_database(config), or "
                f"nefertari-es setup."
            ) from error
