"""How the rows of an UPDATE or a DELETE are found before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select
from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla.capture.cascading import Level, levels
from nefertari_engine_base.primary.sqla.capture.following import Cause, FollowedTable
from nefertari_engine_base.primary.sqla.capture.sets import (
    EntrySet,
    Reading,
    columns_of,
    new_label,
)
from nefertari_engine_base.primary.sqla.keys import KeyedSelect
from nefertari_engine_base.values import Action


class RowSource:
    """The rows of a statement, by its own conditions.

    :attr reads: makes the entries of what they touch; ``None`` if nothing is read.
    :attr levels: the rows of others that follow them.

    :param criteria: the conditions.
    :param values: what columns are set to: an expression, or a parameter's name.
    :param changed: columns that are set; ``None``: any.
    :param readings: what is to be made of the rows.
    :param shared: others may go on to refer to the rows.
    """

    def __init__(
        self, table: FollowedTable, action: Action, target: Any,
        criteria: Sequence[Any], values: Mapping[str, Any], changed: set[str] | None,
        readings: Sequence[Reading],
        *, shared: bool,
    ) -> None:  # fmt: skip
        self._table, self._action, self._target = table, action, target
        self._criteria, self._values, self._changed = criteria, values, changed
        self._readings, self._shared = readings, shared
        cause = Cause.DELETE if action is Action.DELETED else Cause.NEW_KEY
        self.levels: list[Level] = levels(
            table, self.select, cause, frozenset(changed or ())
        )
        self.reads = self._entries()
        self._keyed: dict[str, tuple[KeyedSelect, RowSource]] = {}

    @property
    def is_by_key(self) -> bool:
        """Whether rows of many keys can be read together: no new values are needed."""
        return not any(r.is_new for r in self._readings) and not (
            self.levels and self._action is Action.UPDATED
        )

    def locking(self) -> Select[Any]:
        """Locks the rows, and counts them."""
        names = self._table.key or [c.name for c in self._target.c]
        rows = self.select(names, has_new=False)
        rows = rows.with_for_update(of=self._target, key_share=self._shared)
        return sa.select(sa.func.count()).select_from(rows.subquery())

    def of_keys(
        self, connection: Connection, keys: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[RowSource, Mapping[str, Any]]]:
        """The same for rows of given keys, with parameters, for some at a time."""
        dialect = connection.dialect.name
        columns = [self._target.c[name] for name in self._key_names()]
        chosen: Sequence[Any] = keys if len(columns) > 1 else [key[0] for key in keys]
        if dialect not in self._keyed:
            keyed = KeyedSelect(sa.select(), columns)
            statement, _ = next(iter(keyed.prepare(dialect, chosen)))
            source = RowSource(
                self._table, self._action, self._target, (statement.whereclause,),
                {}, self._changed, self._readings, shared=self._shared,
            )  # fmt: skip
            self._keyed[dialect] = keyed, source
        keyed, source = self._keyed[dialect]
        for _, values in keyed.prepare(dialect, chosen):
            yield source, values

    def _key_names(self) -> list[str]:
        keys = {column.name: column.key for column in self._target.c}
        return [keys[name] for name in self._table.key]

    def _entries(self) -> EntrySet | None:
        if not self._readings:
            return None
        needed = dict.fromkeys([*columns_of(self._readings), *self._table.key])
        has_new = any(reading.is_new for reading in self._readings)
        rows = self.select(list(needed), has_new).with_for_update(
            of=self._target, key_share=self._shared
        )
        changed = {n for n in needed if has_new and self._values.get(n) is not None}
        distinct = self._table.key if self._is_joined() else ()
        return EntrySet(rows, self._readings, list(needed), changed, distinct)

    def select(self, names: Sequence[str], has_new: bool = True) -> Select[Any]:
        """Selects columns of the rows, and what becomes of those that change."""
        by_name = {column.name: column for column in self._target.c}
        columns = [by_name[name].label(name) for name in names]
        for name in names:
            value = self._values.get(name) if has_new else None
            if value is None:
                continue
            type_ = by_name[name].type
            if isinstance(value, str):
                value = sa.bindparam(value, type_=type_)
            # PostgreSQL has to be told what an unknown is.
            columns.append(sa.cast(value, type_).label(new_label(name)))
        return sa.select(*columns).select_from(self._target).where(*self._criteria)

    def _is_joined(self) -> bool:
        """Whether other tables are joined: a row may be found more than once."""
        return any(
            not one.is_derived_from(self._target)
            for part in self._criteria
            for one in part._from_objects
        )
