"""On what a statement is, and by whom it is executed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tests.differential.shapes import shape_of
from tests.differential.world import World, plain

#: What a statement names: the class, its table, or a table that no metadata knows.
TARGETS = ("model", "table", "bare")

#: Who executes it: the session, its connection, a connection of its own, one that
#: commits each statement by itself.
ROADS = ("session", "connection", "own", "autocommit")


class Target:
    """The class, the table, or a bare table of a statement."""

    def __init__(self, world: World, model: str, kind: str) -> None:
        self.model, self.kind = world.model(model), kind
        self.shape = shape_of(self.model)
        table = sa.inspect(self.model).local_table
        if kind == "bare":
            columns = (sa.column(c.name, c.type) for c in table.columns)
            table = sa.table(table.name, *columns)
        self.entity: Any = self.model if kind == "model" else table
        self._table = table

    def column(self, attribute: str) -> Any:
        """The column of an attribute, as the statement names it."""
        if self.kind == "model":
            return getattr(self.model, attribute)
        return self._table.c[self._name(attribute)]

    def _name(self, attribute: str) -> str:
        # A subclass's table of its own may lack the column, which is its error.
        column = self.shape.attributes[attribute].column
        for one in sa.inspect(self.model).get_property(attribute).columns:
            if one.name in self._table.c:
                column = one
        return column.name

    def values(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values under the names that the statement has for them."""
        if self.kind == "model":
            return dict(values)
        return {self._name(name): value for name, value in values.items()}

    def key_columns(self) -> list[Any]:
        """The columns of the key."""
        return [self.column(name) for name in self.shape.key]


def execute(world: World, road: str, statement: Any, *arguments: Any) -> Any:
    """Execute a statement, and what it answers.

    A connection of its own does not wait for the session: that one commits before.
    """
    if road == "session":
        return answer(world.session.execute(statement, *arguments))
    if road == "connection":
        world.session.flush()
        return answer(world.session.connection().execute(statement, *arguments))
    world.session.commit()
    world.savepoints.clear()
    if road == "own":
        with world.database.begin() as connection:
            return answer(connection.execute(statement, *arguments))
    options = {"isolation_level": "AUTOCOMMIT"}
    with world.database.connect().execution_options(**options) as connection:
        return answer(connection.execute(statement, *arguments))


def answer(result: Any) -> Any:
    """Rows, or what is known of a statement without any.

    The class of a result is nobody's business, so it is asked for nothing that only
    some classes have.
    """
    if not isinstance(result, sa.CursorResult):
        try:
            return sorted((plain(row) for row in result.all()), key=repr)
        except sa.exc.ResourceClosedError:
            return "no rows"
    if result.returns_rows:
        return sorted((plain(row) for row in result.all()), key=repr)
    told: dict[str, Any] = {"rowcount": result.rowcount}
    if result.context.isinsert and not result.context.executemany:
        try:
            told["key"] = plain(result.inserted_primary_key)
        except sa.exc.InvalidRequestError as error:
            told["key"] = str(error)
    return told
