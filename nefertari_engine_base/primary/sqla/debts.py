"""Debts in a SQL database, and what is remembered of each index.

A debt is a row that a transaction writes beside what it changes: both are seen from
the same commit on. So there is one for each transaction, and never "one unless there
is one": who settles a debt has to know that the transaction which made it is over, and
that those that made others may not be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.sql import ColumnElement

from nefertari_engine_base.primary.sqla.asking import ask
from nefertari_engine_base.primary.sqla.tables import debt, index, outbox
from nefertari_engine_base.values import Debt, DebtStatus, IndexState

#: Whether no catch-up has begun since the version ``version`` was drawn. What was
#: loaded before that may be what the catch-up wants to see removed.
UNFENCED: ColumnElement[bool] = ~exists().where(index.c.fence > bindparam("version"))
#: The same for statements that the driver executes.
UNFENCED_TEXT = (
    "NOT EXISTS (SELECT 1 FROM nefertari_index WHERE fence > %(version)s::bigint)"
)
#: The highest fence. A version must never be drawn below it.
HIGHEST_FENCE = "(SELECT coalesce(max(fence), 0) FROM nefertari_index)"

#: Numbers of one statement; SQLite takes 32766 parameters.
_AT_ONCE = 1000

_DEBTS = (
    select(debt.c.id)
    .where(
        debt.c.model == bindparam("model"),
        debt.c.secondary.in_(bindparam("secondaries", expanding=True)),
    )
    .order_by(debt.c.id)
)
_SETTLE = delete(debt).where(debt.c.id.in_(bindparam("numbers", expanding=True)))
_WAITING_KEYS = select(outbox.c.key).where(
    outbox.c.secondary == bindparam("secondary"),
    outbox.c.model == bindparam("model"),
    outbox.c.path == "",
    outbox.c.key.in_(bindparam("keys", expanding=True)),
)
_STATUS = (
    select(
        debt.c.secondary,
        debt.c.model,
        debt.c.reason,
        func.min(debt.c.created_at).label("since"),
        func.count().label("number"),
    )
    .group_by(debt.c.secondary, debt.c.model, debt.c.reason)
    .order_by(debt.c.model, debt.c.secondary, debt.c.reason)
)
_IS_FENCED = select(exists().where(index.c.fence > bindparam("version")))


def insert_debts(connection: Connection, debts: Iterable[Debt]) -> None:
    """Insert debts in the connection's transaction."""
    rows = [
        {"secondary": one.secondary, "model": one.model, "reason": one.reason}
        for one in debts
    ]
    if rows:
        ask(connection, insert(debt), rows)


def status(connection: Connection) -> tuple[DebtStatus, ...]:
    """What is owed, by model and reason."""
    return tuple(
        DebtStatus(
            row.secondary,
            row.model,
            row.reason,
            datetime.fromtimestamp(row.since, UTC),
            row.number,
        )
        for row in connection.execute(_STATUS)
    )


def raise_fence(
    connection: Connection, secondary: str, model: str, version: int
) -> int:
    """Set the fence of a model to this version, unless it is higher; the fence."""
    statement = _insert_into_index(connection).values(
        secondary=secondary, model=model, place="", fence=version
    )
    fence = statement.excluded.fence
    # Of two that draw at the same time the later one may be the first to get here.
    higher = case((index.c.fence > fence, index.c.fence), else_=fence)
    statement = statement.on_conflict_do_update(
        index_elements=index.primary_key, set_={"fence": higher}
    )
    raised: int = connection.execute(statement.returning(index.c.fence)).scalar_one()
    return raised


def _remember(
    connection: Connection,
    named: Mapping[str, str],
    known: IndexState | None,
    state: IndexState,
) -> bool:
    values = state.remembered
    if known is None:
        as_known: ColumnElement[bool] = index.c.identity.is_(None)
    else:
        as_known = and_(*(index.c[name] == it for name, it in known.remembered.items()))
    statement = _insert_into_index(connection).values(**named, **values)
    statement = statement.on_conflict_do_update(
        index_elements=index.primary_key, set_=values, where=as_known
    )
    rows = connection.execute(statement.returning(literal(1)))
    return rows.first() is not None


def _insert_into_index(connection: Connection) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(index)


class Indebted(ABC):
    """The part of an outbox that :class:`~..interfaces.IOutbox` describes."""

    engine: Engine

    @abstractmethod
    def translated_errors(self) -> AbstractContextManager[None]:
        """Errors of the database as one of the family. :raises PrimaryError:"""

    @abstractmethod
    def fence(self, secondary: str, model: str) -> int:
        """See :meth:`IOutbox.fence`."""

    def owe(self, debts: Iterable[Debt]) -> None:
        """See :meth:`IOutbox.owe`."""
        with self.translated_errors(), self.engine.begin() as connection:
            insert_debts(connection, debts)

    def debts(self, model: str, secondaries: Iterable[str]) -> Sequence[int]:
        """See :meth:`IOutbox.debts`."""
        values = {"model": model, "secondaries": list(secondaries)}
        with self.translated_errors(), self.engine.connect() as connection:
            return connection.execute(_DEBTS, values).scalars().all()

    def debt_status(self) -> Sequence[DebtStatus]:
        """See :meth:`IOutbox.debt_status`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return status(connection)

    def settle(self, numbers: Sequence[int]) -> None:
        """See :meth:`IOutbox.settle`."""
        with self.translated_errors(), self.engine.begin() as connection:
            for chunk in _chunks(numbers):
                connection.execute(_SETTLE, {"numbers": chunk})

    def waiting_keys(
        self, secondary: str, model: str, keys: Collection[str]
    ) -> Collection[str]:
        """See :meth:`IOutbox.waiting_keys`."""
        values = {"secondary": secondary, "model": model, "keys": list(keys)}
        with self.translated_errors(), self.engine.connect() as connection:
            return frozenset(connection.execute(_WAITING_KEYS, values).scalars())

    def is_fenced(self, version: int) -> bool:
        """See :meth:`IOutbox.is_fenced`."""
        with self.translated_errors(), self.engine.connect() as connection:
            found = connection.execute(_IS_FENCED, {"version": version})
            return bool(found.scalar_one())

    @contextmanager
    def exclusively(self, name: str) -> Iterator[bool]:
        """See :meth:`IOutbox.exclusively`. SQLite's processes are few; :mod:`.locking`
        has a lock."""
        yield True

    def index_states(self, secondary: str) -> Mapping[tuple[str, str], IndexState]:
        """See :meth:`IOutbox.index_states`."""
        statement = select(index).where(
            index.c.secondary == secondary, index.c.identity.is_not(None)
        )
        with self.translated_errors(), self.engine.connect() as connection:
            return {
                (row.model, row.place): IndexState(
                    row.place, row.identity, row.operations, row.documents
                )
                for row in connection.execute(statement)
            }

    def remember_index(
        self,
        secondary: str,
        model: str,
        known: IndexState | None,
        state: IndexState,
        reason: str | None = None,
    ) -> bool:
        """See :meth:`IOutbox.remember_index`."""
        named = {"secondary": secondary, "model": model, "place": state.place}
        with self.translated_errors(), self.engine.begin() as connection:
            remembered = _remember(connection, named, known, state)
            if remembered and reason is not None:
                insert_debts(connection, [Debt(secondary, model, reason)])
            return remembered


def _chunks(numbers: Sequence[int]) -> Iterator[list[int]]:
    left = iter(numbers)
    while chunk := list(islice(left, _AT_ONCE)):
        yield chunk
