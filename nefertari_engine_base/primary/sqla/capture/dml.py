"""What SQLAlchemy knows of a compiled INSERT, UPDATE or DELETE.

Some of it has no public name. All of it is read here, and nowhere else; the names are
the same in SQLAlchemy 2.0.43 and 2.1.
https://docs.sqlalchemy.org/en/20/core/internals.html#sqlalchemy.engine.ExecutionContext
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.selectable import Alias


def statement_of(compiled: Any) -> Any:
    """The statement as it was rendered: with the criteria that the ORM has added."""
    return _state(compiled).statement


def _state(compiled: Any) -> Any:
    """Of the statement itself, where a select() was told to read its rows."""
    return compiled.dml_compile_state or compiled.compile_state


def is_of(context: Any, text: str) -> bool:
    """Whether what is executed is the context's statement, and neither a default that
    it asks the database for before, nor a text that somebody has put in its place.

    A comment that was put around it changes nothing.
    """
    # It has none while it asks for what it needs first.
    own = getattr(context, "statement", None)
    if own is None:
        return False
    return bool(own is text or own in text or is_in_batches(context))


def is_in_batches(context: Any) -> bool:
    """Whether an INSERT of many rows is executed as several ones, which share the
    context. https://docs.sqlalchemy.org/en/20/core/connections.html#engine-insertmanyvalues
    """
    return bool(context.execute_style.name == "INSERTMANYVALUES")


def unaliased(table: Any) -> Any:
    """The table of an alias, or the table itself."""
    while isinstance(table, Alias):
        table = table.element
    return table


def criteria(statement: Any) -> Sequence[Any]:
    """The conditions of the WHERE of an UPDATE or a DELETE."""
    # A lambda stands for what it has made when it was asked first.
    return [getattr(part, "_resolved", part) for part in statement._where_criteria]


def values_set(compiled: Any, statement: Any) -> dict[str, Any] | None:
    """What an UPDATE sets, by the column's name: an expression, or the name of a
    parameter; ``None`` if that cannot be told."""
    columns = {column.key: column for column in unaliased(statement.table).c}
    found: dict[str, Any] = {}
    for target, value in (_state(compiled)._dict_parameters or {}).items():
        column = columns.get(target if isinstance(target, str) else target.key)
        if column is None:
            return None
        found[column.name] = _name_of(compiled, value) or value
    for key in compiled.column_keys or ():
        if key in columns and key in compiled.binds:
            found.setdefault(columns[key].name, key)
    for column in (*compiled.update_prefetch, *compiled.postfetch):
        if column.name in found:
            continue
        key = column.key
        found[column.name] = key if key in compiled.binds else None
    return found or None


def pinned(compiled: Any, statement: Any) -> dict[str, str]:
    """Columns that the WHERE compares with a parameter, by name, with the name of the
    parameter."""
    found: dict[str, str] = {}
    table = statement.table
    for part in conjuncts(criteria(statement)):
        if not isinstance(part, BinaryExpression) or part.operator is not operators.eq:
            continue
        for column, value in ((part.left, part.right), (part.right, part.left)):
            if (
                isinstance(value, BindParameter)
                and getattr(column, "table", None) is not None
                and column.table == table
                and (name := _name_of(compiled, value)) is not None
            ):
                found.setdefault(column.name, name)
    return found


def _name_of(compiled: Any, value: Any) -> str | None:
    """The name of a parameter in a compiled statement, which may have a copy of it."""
    if not isinstance(value, BindParameter):
        return None
    known = value if value in compiled.bind_names else compiled.binds.get(value.key)
    name: str | None = compiled.bind_names.get(known)
    return name


def conjuncts(conditions: Sequence[Any]) -> Iterator[Any]:
    """The parts that all have to be true."""
    for condition in conditions:
        if isinstance(condition, BooleanClauseList) and (
            condition.operator is operators.and_
        ):
            yield from conjuncts(condition.clauses)
        else:
            yield condition


def bound_values(
    context: Any, elements: Sequence[Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters of a statement that is made of parts of an executed one.

    :param elements: the parts.
    :param values: those of the executed one, by name.
    :raises LookupError: if one of them has been made a part of the text.
    """
    compiled = context.compiled
    found: dict[str, Any] = {}
    for element in elements:
        for part in visitors.iterate(element):
            if isinstance(part, BindParameter):
                name = _name_of(compiled, part)
                if name is not None:
                    found[part.key] = _value_of(context, part, name, values)
    return found


def _value_of(context: Any, bind: Any, name: str, values: Mapping[str, Any]) -> Any:
    """The value of a parameter; that of an IN was given out to several ones."""
    if name in values:
        return values[name]
    names = (getattr(context, "_expanded_parameters", None) or {})[name]
    flat = [values[one] for one in names]
    if not getattr(bind.type, "_is_tuple_type", False):
        return flat
    width = len(bind.type.types)
    return [tuple(flat[at : at + width]) for at in range(0, len(flat), width)]


def row_names(compiled: Any, statement: Any) -> list[dict[str, str]] | None:
    """The names of the parameters of each row of VALUES, by the column's name.

    One row, unless the statement itself lists several; ``None`` if its rows come from
    a SELECT.
    """
    if statement.select is not None:
        return None
    state, binds = _state(compiled), compiled.binds
    columns = list(unaliased(statement.table).c)
    rows = len(state._multi_parameters or ()) or 1
    if rows == 1 and not statement._multi_values:
        return [{c.name: c.key for c in columns if c.key in binds}]
    found: list[dict[str, str]] = []
    for number in range(rows):
        row: dict[str, str] = {}
        for column in columns:
            name = f"{column.key}_m{number}"
            if name not in binds and number == 0:
                name = column.key
            if name in binds:
                row[column.name] = name
        found.append(row)
    return found


def names_inserted(compiled: Any, statement: Any) -> set[str]:
    """Columns that an INSERT gives a value, of whatever kind."""
    columns = {column.key: column for column in unaliased(statement.table).c}
    found = {columns[key].name for key in compiled.column_keys or () if key in columns}
    for target in _state(compiled)._dict_parameters or {}:
        found.add(target if isinstance(target, str) else target.name)
    for name in statement._select_names or ():
        found.add(columns[name].name if name in columns else name)
    # That of a second row stands for the table's.
    prefetched = (getattr(c, "original", c) for c in compiled.insert_prefetch)
    found.update(column.name for column in prefetched)
    return found


def names_given(statement: Any) -> set[str]:
    """Columns that an INSERT inside of another statement gives a value."""
    columns = {column.key: column for column in unaliased(statement.table).c}
    rows = [row for rows in statement._multi_values for row in rows]
    found: set[str] = set()
    for row in (statement._values or {}, *rows):
        if not isinstance(row, Mapping):
            return {column.name for column in columns.values()}
        found.update(one if isinstance(one, str) else one.key for one in row)
    found.update(statement._select_names or ())
    return {columns[key].name if key in columns else key for key in found}


def gives_rows(context: Any) -> bool:
    """Whether the statement has a RETURNING, asked for or not."""
    return bool(context.compiled.effective_returning)


def returns_rows(statement: Any) -> bool:
    """Whether the application has asked for columns of the rows."""
    return bool(statement._returning)


def conflict_clause(statement: Any) -> Any:
    """The ON CONFLICT of an INSERT, or ``None``."""
    return statement._post_values_clause


def prefixes(statement: Any) -> str:
    """What stands between INSERT and INTO, in capitals."""
    return " ".join(str(prefix) for prefix, _ in statement._prefixes).upper()


def inserted_keys(context: Any) -> Sequence[Any] | None:
    """Primary keys of the rows that an INSERT has made, as its result tells them."""
    found: Sequence[Any] | None = getattr(context, "inserted_primary_key_rows", None)
    return found


def has_ctes(compiled: Any) -> bool:
    """Whether a statement has common table expressions."""
    return bool(compiled.ctes)


def nested_changes(compiled: Any) -> list[Any]:
    """The statements that change rows within others: in their common table
    expressions."""
    found: list[Any] = []
    for cte in compiled.ctes or ():
        for element in visitors.iterate(cte.element):
            if getattr(element, "is_dml", False) and element not in found:
                found.append(element)
    return found


def schemas_translated(context: Any) -> Mapping[Any, Any]:
    """The schemas that stand for others in this statement."""
    found: Mapping[Any, Any]
    found = context.execution_options.get("schema_translate_map") or {}
    return found
