"""INSERT, UPDATE and DELETE in SQLAlchemy's many spellings."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tests.differential.operations.conditions import Everything, built
from tests.differential.operations.places import Target, execute
from tests.differential.world import World, plain

Row = dict[str, Any]


@dataclass(frozen=True)
class Insert:
    """An INSERT.

    :attr form: ``values`` in the statement; ``one`` dictionary beside it; a ``list`` of
        them; ``rows`` in one statement; ``select`` of literals.
    :attr conflict: ``nothing``, ``update`` of all that is no key, or none.
    """

    model: str
    rows: tuple[Row, ...]
    form: str = "list"
    target: str = "model"
    road: str = "session"
    returning: bool = False
    conflict: str | None = None

    def run(self, world: World) -> Any:
        target = Target(world, self.model, self.target)
        rows = [target.values(row) for row in self.rows]
        told = copy.deepcopy(rows)
        statement = self._statement(world, target, rows)
        arguments: Any = ()
        if self.form == "one":
            arguments = (rows[0],)
        elif self.form == "list":
            arguments = (rows,)
        result = execute(world, self.road, statement, *arguments)
        return result if rows == told else [result, "dictionaries changed", plain(rows)]

    def _statement(self, world: World, target: Target, rows: list[Row]) -> Any:
        dialect = world.database.dialect.name
        module = {"postgresql": postgresql, "sqlite": sqlite}[dialect]
        statement: Any = module.insert(target.entity)
        if self.form == "values":
            statement = statement.values(**rows[0])
        elif self.form == "rows":
            statement = statement.values(rows)
        elif self.form == "select":
            names = list(rows[0])
            literals = sa.select(*(sa.literal(rows[0][name]) for name in names))
            # SQLite would take ON CONFLICT for the join's condition.
            statement = statement.from_select(names, literals.where(sa.true()))
        if self.conflict == "nothing":
            statement = statement.on_conflict_do_nothing()
        elif self.conflict == "update":
            keys = {column.name for column in target.key_columns()}
            new = {c.name: c for c in statement.excluded if c.name not in keys}
            written = {name: new[name] for name in rows[0] if name in new}
            statement = statement.on_conflict_do_update(
                index_elements=target.key_columns(), set_=written
            )
        if self.returning:
            statement = statement.returning(*target.key_columns())
        return statement


@dataclass(frozen=True)
class Update:
    """An UPDATE with a condition."""

    model: str
    values: Row
    where: Any = field(default_factory=Everything)
    target: str = "model"
    road: str = "session"
    sync: str | bool = "auto"
    returning: bool = False

    def statement(self, world: World) -> Any:
        target = Target(world, self.model, self.target)
        statement = sa.update(target.entity)
        if conditions := self.where.build(world, target.column):
            statement = statement.where(*conditions)
        values = built(self.values, target.column)
        statement = statement.values(target.values(values))
        return (
            statement.returning(*target.key_columns()) if self.returning else statement
        )

    def run(self, world: World) -> Any:
        statement = self.statement(world)
        if self.target == "model" and self.road == "session":
            options = {"synchronize_session": self.sync}
            statement = statement.execution_options(**options)
        return execute(world, self.road, statement)


@dataclass(frozen=True)
class DeleteWhere:
    """A DELETE with a condition."""

    model: str
    where: Any = field(default_factory=Everything)
    target: str = "model"
    road: str = "session"
    sync: str | bool = "auto"
    returning: bool = False

    def statement(self, world: World) -> Any:
        target = Target(world, self.model, self.target)
        statement = sa.delete(target.entity)
        if conditions := self.where.build(world, target.column):
            statement = statement.where(*conditions)
        return (
            statement.returning(*target.key_columns()) if self.returning else statement
        )

    run = Update.run


@dataclass(frozen=True)
class UpdateByKey:
    """``session.execute(update(Model), [...])``: by primary key."""

    model: str
    rows: tuple[Row, ...]

    def run(self, world: World) -> Any:
        rows = copy.deepcopy(list(self.rows))
        result = execute(world, "session", sa.update(world.model(self.model)), rows)
        return result if rows == list(self.rows) else [result, "changed", plain(rows)]


@dataclass(frozen=True)
class Many:
    """An UPDATE or DELETE executed for many, with names of bind parameters that the
    application has chosen.

    :attr what: ``update`` or ``delete``.
    :attr pairs: (value of ``by``, new value) of each.
    """

    what: str
    model: str
    by: str
    attribute: str
    pairs: tuple[tuple[Any, Any], ...]
    target: str = "table"
    road: str = "session"

    def run(self, world: World) -> Any:
        target = Target(world, self.model, self.target)
        condition = target.column(self.by) == sa.bindparam("b_by")
        if self.what == "delete":
            statement: Any = sa.delete(target.entity).where(condition)
            told: list[Row] = [{"b_by": by} for by, _ in self.pairs]
        else:
            values = target.values({self.attribute: sa.bindparam("b_new")})
            statement = sa.update(target.entity).where(condition).values(values)
            told = [{"b_by": by, "b_new": new} for by, new in self.pairs]
        if self.target == "model" and self.road == "session":
            # The only one that SQLAlchemy has for many.
            statement = statement.execution_options(synchronize_session=None)
            connection = world.session.connection()
            return execute_many(connection, statement, told)
        return execute(world, self.road, statement, told)


def execute_many(connection: sa.Connection, statement: Any, told: list[Row]) -> Any:
    """On a connection, as SQLAlchemy advises for classes."""
    return connection.execute(statement, told).rowcount


@dataclass(frozen=True)
class Joined:
    """``UPDATE .. FROM`` or ``DELETE .. USING`` another table.

    :attr join: which of the family's.
    :attr values: what is set; without any, rows are deleted.
    """

    join: int
    values: Row | None
    where: Any
    target: str = "model"
    road: str = "session"
    sync: str | bool = "auto"

    def run(self, world: World) -> Any:
        model, name, other = world.family.joins[self.join]
        target = Target(world, model.__name__, self.target)
        joined = Target(world, other.__name__, self.target)
        statement: Any = sa.delete(target.entity)
        if self.values is not None:
            values = target.values(built(self.values, target.column))
            statement = sa.update(target.entity).values(values)
        conditions = self.where.build(world, joined.column)
        statement = statement.where(
            target.column(name) == joined.key_columns()[0], *conditions
        )
        if self.target == "model" and self.road == "session":
            statement = statement.execution_options(synchronize_session=self.sync)
        return execute(world, self.road, statement)


@dataclass(frozen=True)
class InCTE:
    """A statement that changes rows, in a CTE of another statement.

    :attr inner: an :class:`Update` or :class:`DeleteWhere`, made with ``returning``.
    :attr outer: ``select``, or the class that is updated where its key is among what
        the inner one returns.
    """

    inner: Any
    outer: str = "select"
    values: Row | None = None
    road: str = "session"

    def run(self, world: World) -> Any:
        cte = self.inner.statement(world).cte("changed")
        if self.outer == "select":
            return execute(world, self.road, sa.select(cte))
        target = Target(world, self.outer, "model")
        first = next(iter(cte.c))
        statement = (
            sa.update(target.entity)
            .where(target.key_columns()[0].in_(sa.select(first)))
            .values(target.values(self.values or {}))
            .execution_options(synchronize_session=False)
        )
        return execute(world, self.road, statement)


@dataclass(frozen=True)
class Lambda:
    """A lambda statement, which SQLAlchemy analyses once and executes again with other
    values of its closure."""

    what: str
    model: str
    attribute: str
    values: tuple[Any, ...]

    def run(self, world: World) -> Any:
        return [self._run(world, value) for value in self.values]

    def _run(self, world: World, value: Any) -> Any:
        model, make = world.model(self.model), {"delete": sa.delete}.get(self.what)
        column = getattr(model, self.attribute)
        if make is None:
            statement = sa.lambda_stmt(
                lambda: sa.update(model).where(column == value).values({column: value})
            )
        else:
            statement = sa.lambda_stmt(lambda: sa.delete(model).where(column == value))
        return execute(world, "session", statement)


@dataclass(frozen=True)
class Twice:
    """Two statements that are compiled once, if only their values differ."""

    first: Any
    second: Any

    def run(self, world: World) -> Any:
        return [self.first.run(world), self.second.run(world)]
