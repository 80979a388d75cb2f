"""Which tables of a database are followed, and what their rows lead to.

Statements name tables. What changes of a table's rows touch is said by the same
:class:`~..triggers.captures.Capture` that triggers are made of; what a database does by
itself to the rows of other tables is said by its foreign keys.
https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Table, inspect
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Mapper

from nefertari_engine_base.interfaces import IPublisher
from nefertari_engine_base.primary.sqla.capture import dml
from nefertari_engine_base.primary.sqla.outbox import SQLOutbox
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.schema import ModelSchema


class Cause(Enum):
    """What happens to the rows that others refer to."""

    DELETE = "ondelete"
    NEW_KEY = "onupdate"


#: What the database does to referring rows, where it does anything.
_RULES = ("CASCADE", "SET NULL", "SET DEFAULT")

_Name = tuple[str | None, str]


@dataclass(slots=True, eq=False)
class Rule:
    """What the database does to the rows of another table that refer to some rows.

    :attr action: ``CASCADE``, ``SET NULL`` or ``SET DEFAULT``.
    :attr child: the table of the rows that refer.
    """

    constraint: ForeignKeyConstraint
    action: str
    child: FollowedTable

    @property
    def columns(self) -> list[str]:
        """Names of the referring columns."""
        return [column.name for column in self.constraint.columns]

    @property
    def referred(self) -> list[str]:
        """Names of the columns that they refer to, in the same order."""
        return [element.column.name for element in self.constraint.elements]


@dataclass(slots=True, eq=False)
class FollowedTable:
    """A table whose rows documents depend on, or rows that go with its rows.

    :attr captures: what its rows touch.
    :attr rules: what the database does with its rows to those of others.
    :attr documents: names of the models whose documents a statement may touch.
    :attr models: the mapped classes that its rows may be of, the most general first.
    """

    table: Table
    captures: tuple[Capture, ...] = ()
    rules: dict[Cause, list[Rule]] = field(default_factory=dict)
    documents: frozenset[str] = frozenset()
    models: tuple[type, ...] = ()

    @property
    def key(self) -> list[str]:
        """Names of the columns of the primary key."""
        return [column.name for column in self.table.primary_key]


class Following:
    """What is followed of one database, and to whom it is reported.

    :param captures: what changes touch, by table.
    :param models: the mapped classes that anything is reported of, with what has
        their key.
    :param outbox_for: finds the outbox of an engine.
    :param by_triggers: whether the database writes the entries, so that no statement is
        looked at.
    """

    def __init__(
        self,
        publisher: IPublisher,
        captures: Mapping[Table, Sequence[Capture]],
        models: Mapping[type, ModelSchema],
        outbox_for: Callable[[Engine], SQLOutbox],
        *,
        by_triggers: bool = False,
    ) -> None:
        self.publisher = publisher
        self.by_triggers = by_triggers
        self._models = models
        self.outbox_for = outbox_for
        self.tables: dict[_Name, FollowedTable] = {}
        followed = {
            table: FollowedTable(table, tuple(captures[table])) for table in captures
        }
        self._add_rules(followed)
        for model in models:
            mapper: Mapper[Any] = inspect(model)
            for one in mapper.tables:
                if (found := followed.get(one)) is not None:  # type: ignore[call-overload]
                    found.models += (model,)
        for table in followed.values():
            table.documents = frozenset(_documents(table))
            table.models = tuple(sorted(table.models, key=_depth))
            self._add(table)

    def _add(self, table: FollowedTable) -> None:
        """Add a table, of which there may be two descriptions, in two MetaData."""
        known = self.tables.setdefault((table.table.schema, table.table.name), table)
        if known is not table:
            known.captures += table.captures
            known.documents |= table.documents
            known.models += table.models
            for cause, rules in table.rules.items():
                known.rules.setdefault(cause, []).extend(rules)

    def follows(self, model: type) -> bool:
        """Whether anything is reported of a class."""
        return model in self._models

    def schema_of(self, model: type) -> ModelSchema:
        """The schema that has the key of a class."""
        return self._models[model]

    def table_of(self, selectable: Any) -> FollowedTable | None:
        """The followed table that a statement names, itself or by an alias."""
        table = dml.unaliased(selectable)
        name = getattr(table, "name", None)
        return (
            None
            if name is None
            else self.tables.get((getattr(table, "schema", None), name))
        )

    def named(self, name: str) -> list[FollowedTable]:
        """The followed tables of this name, in whatever schema; letters of any case."""
        bare = name.lower()
        return [one for (_, known), one in self.tables.items() if known.lower() == bare]

    def _add_rules(self, followed: dict[Table, FollowedTable]) -> None:
        """Add rules, and the tables that only lead to others by them."""
        metadatas = {table.metadata for table in followed}
        constraints = [
            constraint
            for metadata in metadatas
            for table in metadata.tables.values()
            for constraint in table.foreign_key_constraints
            if _is_resolvable(constraint)
        ]
        todo = list(followed.values())
        while todo:
            child = todo.pop()
            for constraint in constraints:
                if constraint.table is not child.table:
                    continue
                for cause in Cause:
                    action = str(getattr(constraint, cause.value) or "").upper()
                    if action not in _RULES:
                        continue
                    parent = followed.get(constraint.referred_table)
                    if parent is None:
                        parent = FollowedTable(constraint.referred_table)
                        followed[constraint.referred_table] = parent
                        todo.append(parent)
                    rule = Rule(constraint, action, child)
                    parent.rules.setdefault(cause, []).append(rule)


def _is_resolvable(constraint: ForeignKeyConstraint) -> bool:
    """Whether the table that a foreign key leads to is known."""
    tables = constraint.table.metadata.tables
    return all(
        element.target_fullname.rpartition(".")[0] in tables
        for element in constraint.elements
    )


def _documents(table: FollowedTable) -> Iterator[str]:
    passed: set[FollowedTable] = set()
    todo = [table]
    while todo:
        one = todo.pop()
        if one not in passed:
            passed.add(one)
            yield from (capture.root for capture in one.captures)
            todo += [rule.child for rules in one.rules.values() for rule in rules]


def _depth(model: type) -> int:
    mapper: Mapper[Any] = inspect(model)
    return len(list(mapper.iterate_to_root()))
