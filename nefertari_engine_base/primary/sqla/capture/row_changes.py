"""Which rows a statement changes, for subscribers who ask: nobody else pays for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import Column, inspect
from sqlalchemy.orm import Mapper

from nefertari_engine_base.primary.sqla.asking import ask
from nefertari_engine_base.primary.sqla.capture import dml
from nefertari_engine_base.primary.sqla.capture.attempting import attempted
from nefertari_engine_base.primary.sqla.capture.following import (
    FollowedTable,
    Following,
)
from nefertari_engine_base.primary.sqla.capture.plans import ChangePlan
from nefertari_engine_base.values import Action, Change, DocumentRef

if TYPE_CHECKING:
    from nefertari_engine_base.primary.sqla.capture.executing import Execution

Found = tuple[type, Change]


class RowChanges:
    """Makes changes of rows of a table."""

    def __init__(self, following: Following, table: FollowedTable) -> None:
        self._following = following
        self._table = table
        self._mapper: Mapper[Any] | None = None
        if table.models:
            self._mapper = inspect(table.models[0])
        self.names = list(table.key)
        self._class: str | None = None
        on = self._mapper.polymorphic_on if self._mapper else None
        if isinstance(on, Column) and on.table is table.table:
            self._class = on.name
            self.names.append(on.name)

    def is_told(self, action: Action) -> bool:
        """Whether rows of this table stand for instances: those of a subclass's table
        come and go with those of its base."""
        if self._mapper is None or not self._table.key:
            return False
        is_base = self._mapper.local_table is self._mapper.base_mapper.local_table
        return is_base or action is Action.UPDATED

    def of(
        self, rows: Iterable[Mapping[str, Any]], action: Action,
        fields: frozenset[str] | None,
    ) -> list[Found]:  # fmt: skip
        """The changes of these rows."""
        found = []
        for row in rows:
            model = self._model_of(row)
            key = [row.get(name) for name in self._table.key]
            if model is not None and None not in key:
                id_ = self._following.schema_of(model).document_id(key)
                ref = DocumentRef(model.__name__, id_)
                found.append((model, Change(ref, action, fields)))
        return found

    def _model_of(self, row: Mapping[str, Any]) -> type | None:
        assert self._mapper is not None
        model: type = self._mapper.class_
        if self._class is not None:
            known = self._mapper.base_mapper.polymorphic_map.get(row.get(self._class))
            if known is not None:
                model = known.class_
        return model if self._following.follows(model) else None

    def fields_of(self, columns: Iterable[str] | None) -> frozenset[str] | None:
        """Names of the attributes of columns."""
        if columns is None or self._mapper is None:
            return None
        names = set(columns)
        return frozenset(
            attribute.key
            for mapper in self._mapper.self_and_descendants
            for attribute in mapper.column_attrs
            if any(getattr(c, "name", None) in names for c in attribute.columns)
        )


def before(execution: Execution, plan: ChangePlan) -> list[Found]:
    """The rows that an UPDATE or a DELETE is going to change."""
    table = plan.table
    assert table is not None
    changes = RowChanges(execution.following, table)
    if not changes.is_told(plan.action):
        return []
    fields = None
    if plan.action is Action.UPDATED:
        fields = changes.fields_of(plan.changed)
    rows: list[Any] = []
    context = execution.context
    if plan.by_key and len(changes.names) == len(table.key):
        for values in execution.parameters:
            rows.append({c: values[name] for c, name in plan.pinned.items()})
        return changes.of(rows, plan.action, fields)
    assert plan.source is not None
    chosen = plan.source.select(changes.names, has_new=False)
    for values in execution.parameters:
        bound = dml.bound_values(context, plan.elements, values)
        rows += _read(execution, chosen, bound)
    return changes.of(rows, plan.action, fields)


def with_conditions(
    execution: Execution, chosen: Any, table: FollowedTable, action: Action
) -> list[Found]:
    """The rows that a condition chooses."""
    changes = RowChanges(execution.following, table)
    if not changes.is_told(action):
        return []
    columns = {column.name: column for column in table.table.c}
    statement: Any = sa.select(*(columns[name] for name in changes.names))
    for condition in chosen:
        statement = statement.where(condition)
    return changes.of(_read(execution, statement, None), action, None)


def _read(execution: Execution, statement: Any, values: Any) -> Sequence[Any]:
    """The rows of a query; none if the database refuses it, which fails nobody else."""
    with attempted(execution.connection) as refused:
        return ask(execution.connection, statement, values).mappings().all()
    execution.statement.tell_unread(*refused)
    return ()


def of_named(
    execution: Execution, table: FollowedTable, rows: Sequence[Mapping[str, Any]],
    action: Action,
) -> list[Found]:  # fmt: skip
    """The rows whose values are known."""
    changes = RowChanges(execution.following, table)
    return changes.of(rows, action, None) if changes.is_told(action) else []
