"""The entries of an INSERT: of the rows that it names, or of those that it has made.

Keys that the database makes are in the result, which is there once SQLAlchemy has seen
to it; so such touches are pending until the next thing happens on the connection. Where
a result does not tell them, the new rows are found by their keys' sequence, by the
number of SQLite's last row, or on PostgreSQL by the transaction that made them.
https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.capture import dml, row_changes, upserts
from nefertari_engine_base.primary.sqla.capture.attempting import attempted
from nefertari_engine_base.primary.sqla.capture.plans import InsertPlan, NamedCapture
from nefertari_engine_base.primary.sqla.capture.sequences import last_number, name_of
from nefertari_engine_base.primary.sqla.capture.sets import (
    EntrySet,
    Reading,
    columns_of,
)
from nefertari_engine_base.primary.sqla.capture.touching import UNKNOWN, Known
from nefertari_engine_base.primary.sqla.capture.transactions import is_running
from nefertari_engine_base.primary.sqla.keys import MOST_KEYS, KeyedSelect
from nefertari_engine_base.values import Action, Touch

if TYPE_CHECKING:
    from nefertari_engine_base.primary.sqla.capture.executing import Execution

Values = Mapping[str, Any]


def run(execution: Execution, plan: InsertPlan, call: Callable[[], Any]) -> Any:
    """Execute an INSERT, with what goes before and after."""
    insert = _Insert(execution, plan)
    if plan.is_of_any_key and upserts.has_other_keys(execution.connection, plan):
        execution.statement.resync(
            execution.connection, plan.documents, upserts.UNKNOWN_KEYS
        )
        return call()
    waits = plan.tells_enough and (
        insert.has_keys or (insert.will_have_keys and not execution.transaction.is_own)
    )
    reads = plan.is_upsert or not waits
    if reads and not insert.read_before():
        return call()
    try:
        result = call()
    except BaseException:
        if (
            execution.connection.dialect.name == "sqlite"
            and execution.context.executemany
        ):
            # What was written before the failure stays.
            insert.wait()
        raise
    try:
        insert.follow(waits=waits)
    except BaseException as error:
        execution.doom(error)
        raise
    return result


class _Insert:
    def __init__(self, execution: Execution, plan: InsertPlan) -> None:
        self._execution, self._plan = execution, plan
        assert plan.table is not None
        self._table = plan.table
        self._connection = execution.connection
        self._is_told = execution.is_told
        self._first: int | None = None
        key = self._table.key
        self._needs = [name for name in key if not self._is_named(name)]

    def _is_named(self, name: str) -> bool:
        rows = self._plan.rows
        return rows is not None and all(name in row for row in rows)

    @property
    def has_keys(self) -> bool:
        """Whether the parameters have the whole key of every row."""
        return not self._needs

    @property
    def will_have_keys(self) -> bool:
        """Whether the result will tell the keys of all rows."""
        plan, context = self._plan, self._execution.context
        if plan.returns or plan.rows is None or len(plan.rows) > 1:
            return False
        return not context.executemany or dml.is_in_batches(context)

    def read_before(self) -> bool:
        """What comes before the statement; whether it goes on as planned."""
        with self._execution.understood() as understood:
            if not self._plan.is_upsert:
                self.look_at_sequence()
            elif self._plan.moves:
                self.read_moved()
        return bool(understood)

    def follow(self, *, waits: bool) -> None:
        """What comes after the statement, or after the first of its batches."""
        in_batches = dml.is_in_batches(self._execution.context)
        if self._plan.is_upsert:
            if in_batches:
                self.later(self.read_conflicts)
            else:
                self.read_conflicts()
        elif waits and self.has_keys and not in_batches:
            # Not later: its parameters are not to be held until then.
            self.tell()
        elif waits:
            self.wait()
        elif in_batches:
            self.later(self.find_new)
        else:
            self.find_new()

    def wait(self) -> None:
        """Have the touches made when the result is there."""
        execution = self._execution
        execution.transaction.wait(
            execution.connection, execution.following, self._touches
        )

    def tell(self) -> None:
        """Have the touches made now."""
        execution = self._execution
        execution.transaction.want(
            execution.connection, execution.following, self._touches()
        )

    def _touches(self) -> Iterator[Touch]:
        plan, execution = self._plan, self._execution
        exact, begun = [one for one in plan.names if one.is_exact], False
        try:
            for touch in execution.statement.told(self._connection, self._known(exact)):
                begun = True
                yield touch
        except LookupError:
            # A part of the key is NULL, or is made by the database alone.
            if begun and self._connection.dialect.name == "sqlite":
                # The last row may be one of ours by now.
                self._give_up()
            else:
                self.find_new()
            return
        inexact = [one for one in plan.names if not one.is_exact]
        if inexact:
            self._read_by_key(inexact)
        if self._is_told:
            self._tell(
                row_changes.of_named(
                    execution, self._table, list(self._rows()), plan.action
                )
            )

    def _tell(self, changes: Sequence[row_changes.Found]) -> None:
        if changes:
            self._execution.statement.executed(self._connection, changes)

    def _known(self, captures: Sequence[NamedCapture]) -> Iterator[Known]:
        for values in self._rows():
            for names, by_row in captures:
                if not names.is_meant(values):
                    continue
                try:
                    known = names.known(values)
                except LookupError:
                    if by_row is None:
                        raise
                    known = by_row.known(values)
                if known is not None:
                    yield known

    def _rows(self) -> Iterator[Values]:
        """The values of each row, as far as they are known."""
        plan, context = self._plan, self._execution.context
        null = dict.fromkeys(plan.never)
        keys = None if self.has_keys else dml.inserted_keys(context)
        key = self._table.key
        for number, parameters in enumerate(context.compiled_parameters):
            for names in plan.rows or ():
                values = dict(null)
                values.update((c, parameters.get(n, UNKNOWN)) for c, n in names.items())
                if keys is not None:
                    row = keys[number] if number < len(keys) else None
                    for name, part in zip(key, row or (), strict=False):
                        if part is not None or values.get(name, UNKNOWN) is UNKNOWN:
                            values[name] = UNKNOWN if part is None else part
                yield values

    # --- what is read

    def _entries(self, rows: Any, captures: Sequence[NamedCapture]) -> EntrySet:
        readings = [Reading(one.names.capture) for one in captures]
        needed = list(dict.fromkeys([*columns_of(readings), *self._table.key]))
        columns = [
            self._table.table.c[name].label(name)
            for name in _keys(self._table.table, needed)
        ]
        return EntrySet(rows.add_columns(*columns), readings, needed)

    def _read_by_key(self, captures: Sequence[NamedCapture]) -> None:
        """The database may spell these keys otherwise than the statement does."""
        key = self._table.key
        rows = (tuple(row.get(name, UNKNOWN) for name in key) for row in self._rows())
        known = (k for k in rows if UNKNOWN not in k and None not in k)
        with self._reading_after():
            while chosen := list(islice(known, MOST_KEYS)):
                self._read(key, chosen, captures)

    def _read(
        self,
        names: Sequence[str],
        chosen: list[tuple[Any, ...]],
        captures: Sequence[NamedCapture],
        *,
        lock: bool = False,
    ) -> None:
        table = self._table.table
        columns = [table.c[name] for name in _keys(table, names)]
        keys: list[Any] = [k[0] for k in chosen] if len(columns) == 1 else chosen
        rows = sa.select().select_from(table)
        if lock:
            rows = rows.with_for_update(of=table, key_share=True)
        keyed = KeyedSelect(rows, columns)
        for statement, values in keyed.prepare(self._connection.dialect.name, keys):
            self._execution.make(self._entries(statement, captures), values)

    def read_moved(self) -> None:
        """What the rows touch that an upsert is going to change; they are locked, since
        others could change what they touch meanwhile."""
        with self._execution.reading_before():
            self._read_conflicts(lock=True)

    def read_conflicts(self) -> None:
        """What the rows touch that an upsert has made or changed."""
        conditions: list[Any] = []
        with self._reading_after():
            conditions = self._read_conflicts(lock=False)
        loose = [row for row in self._rows() if self._plan.is_without_key(row)]
        if loose and self.has_keys:
            key = self._table.key
            keys = [tuple(row[n] for n in key) for row in loose]
            with self._reading_after():
                self._read(key, keys, self._plan.names)
        elif loose and self._connection.dialect.name == "postgresql":
            self.find_new()
        elif loose:
            self._give_up()
        if conditions and self._is_told:
            self._tell(
                row_changes.with_conditions(
                    self._execution, [sa.or_(*conditions)], self._table, Action.UPDATED
                )
            )

    def _read_conflicts(self, *, lock: bool) -> list[Any]:
        """Make the entries of the rows that have the keys; the conditions that choose
        them."""
        rows, conditions = list(self._rows()), []
        for names in self._plan.conflicts:
            chosen = [tuple(row.get(name) for name in names) for row in rows]
            chosen = [k for k in dict.fromkeys(chosen) if None not in k]
            if chosen:
                self._read(names, chosen, self._plan.names, lock=lock)
                columns = [
                    self._table.table.c[n] for n in _keys(self._table.table, names)
                ]
                conditions.append(sa.tuple_(*columns).in_(chosen))
        return conditions

    def find_new(self) -> None:
        """Find the rows that were made, of which nothing is told."""
        execution, table = self._execution, self._table.table
        condition = self._is_new()
        if condition is None or self._is_over():
            self._give_up()
            return
        rows = sa.select().select_from(table).where(condition)
        with self._reading_after() as refused:
            execution.make(self._entries(rows, self._plan.names), {})
        if self._is_told and not refused:
            self._tell(
                row_changes.with_conditions(
                    execution, [condition], self._table, self._plan.action
                )
            )

    @contextmanager
    def _reading_after(self) -> Iterator[list[Exception]]:
        """What is read after the statement: if the database refuses it, the models are
        synchronised again. Who may insert rows need not be allowed to read them.

        :return: see :func:`.attempting.attempted`.
        """
        with attempted(self._connection) as refused:
            yield refused
        if refused:
            self._give_up()

    def _is_over(self) -> bool:
        """Whether somebody has ended the transaction by the driver's own connection:
        its rows are as old as all others, or have gone with their table."""
        connection = self._connection
        running = is_running(connection.connection, connection.dialect)
        return running is False and not self._execution.transaction.is_own

    def later(self, read: Callable[[], None]) -> None:
        """Read once the last batch of rows is there."""

        def find() -> Sequence[Touch]:
            read()
            return ()

        execution = self._execution
        execution.transaction.wait(execution.connection, execution.following, find)

    def look_at_sequence(self) -> None:
        """Learn where the numbers of the new rows begin."""
        column = self._numbered()
        if column is not None and self._connection.dialect.name == "postgresql":
            self._first = last_number(self._connection, column)

    def _numbered(self) -> Any:
        """The column that the database numbers the new rows by, if it does."""
        key, table = self._table.key, self._table.table
        column = table.autoincrement_column
        if len(key) != 1 or column is None or column.name != key[0]:
            return None
        return None if column.name in self._plan.named else column

    def _is_new(self) -> Any:
        """The condition that the new rows meet, and few others."""
        execution, column = self._execution, self._numbered()
        if self._connection.dialect.name == "postgresql":
            # No row of ours is older than the transaction; others may be as young.
            name = name_of(self._table.table, self._connection)
            young = sa.text(f"age({name}.xmin) <= age(pg_current_xact_id()::xid)")
            return (
                young if self._first is None else sa.and_(column > self._first, young)
            )
        if column is None:
            return None
        made = execution.cursor.rowcount
        if self._plan.rows is not None:
            made = len(self._plan.rows) * len(execution.parameters)
        last: Any = sa.literal_column("last_insert_rowid()")
        return None if made < 0 else sa.and_(column <= last, column > last - made)

    def _give_up(self) -> None:
        execution = self._execution
        why = "the keys of its new rows are told by nothing"
        execution.statement.resync(
            self._connection, self._plan.documents, why, after=True
        )


def _keys(table: Any, names: Sequence[str]) -> list[str]:
    by_name = {column.name: column.key for column in table.c}
    return [by_name[name] for name in names]
