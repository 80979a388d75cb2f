"""Statements as texts, the old ``Query``, and the old bulk methods."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

from tests.differential.operations.conditions import Everything, built
from tests.differential.operations.places import Target, answer, execute
from tests.differential.world import World, plain

Row = dict[str, Any]

#: Writes parameters as ``text()`` has them, without a database's casts.
_NAMED = DefaultDialect(paramstyle="named")


@dataclass(frozen=True)
class Text:
    """A statement as text: an INSERT of ``values``, or an UPDATE or a DELETE by
    equality with ``by``.

    :attr driver: by ``exec_driver_sql`` of the session's connection, with literals.
    """

    what: str
    model: str
    values: Row
    by: Row
    road: str = "session"
    driver: bool = False

    def run(self, world: World) -> Any:
        target = Target(world, self.model, "table")
        statement = self._statement(target)
        if not self.driver:
            compiled = statement.compile(dialect=_NAMED)
            types = [
                sa.bindparam(name, compiled.params[name], type_=bind.type)
                for bind, name in compiled.bind_names.items()
            ]
            return execute(world, self.road, sa.text(str(compiled)).bindparams(*types))
        world.session.flush()
        literal = str(
            statement.compile(
                world.database, compile_kwargs={"literal_binds": True}
            )
        )  # fmt: skip
        connection = world.session.connection()
        return answer(connection.exec_driver_sql(literal))

    def _statement(self, target: Target) -> Any:
        values = target.values(self.values)
        table = target.entity
        if self.what == "insert":
            return sa.insert(table).values(values).inline()
        equal = [target.column(name) == value for name, value in self.by.items()]
        if self.what == "delete":
            return sa.delete(table).where(*equal)
        return sa.update(table).where(*equal).values(values)


@dataclass(frozen=True)
class OldQuery:
    """``Query.update`` or ``Query.delete``.

    :attr values: what is set; without any, rows are deleted.
    """

    model: str
    values: Row | None
    where: Any = field(default_factory=Everything)
    sync: str | bool = "auto"

    def run(self, world: World) -> Any:
        target = Target(world, self.model, "model")
        query = world.session.query(target.model)
        query = query.filter(*self.where.build(world, target.column))
        if self.values is None:
            return query.delete(synchronize_session=self.sync)
        values = built(self.values, target.column)
        return query.update(values, synchronize_session=self.sync)


@dataclass(frozen=True)
class OldBulk:
    """``bulk_save_objects``, ``bulk_insert_mappings`` or ``bulk_update_mappings``."""

    method: str
    model: str
    rows: tuple[Row, ...]

    def run(self, world: World) -> Any:
        model, rows = world.model(self.model), copy.deepcopy(list(self.rows))
        if self.method == "bulk_save_objects":
            world.session.bulk_save_objects([model(**row) for row in rows])
            return None
        getattr(world.session, self.method)(model, rows)
        return None if rows == list(self.rows) else ["changed", plain(rows)]


@dataclass(frozen=True)
class Crowd:
    """Many rows inserted by one call, with keys above 2,000.

    :attr then: what is done with all of them by another: ``update``, ``delete``.
    """

    model: str
    key: str
    attribute: str
    value: Any
    count: int
    then: str | None = None

    def run(self, world: World) -> Any:
        target = Target(world, self.model, "model")
        keys = range(2000, 2000 + self.count)
        rows = [{self.key: key, self.attribute: self.value} for key in keys]
        results = [execute(world, "session", sa.insert(target.entity), rows)]
        condition = target.column(self.key) >= 2000
        options = {"synchronize_session": False}
        if self.then == "update":
            values = {self.attribute: None}
            statement: Any = sa.update(target.entity).where(condition).values(values)
            statement = statement.execution_options(**options)
            results.append(execute(world, "session", statement))
        elif self.then == "delete":
            statement = sa.delete(target.entity).where(condition)
            statement = statement.execution_options(**options)
            results.append(execute(world, "session", statement))
        return results
