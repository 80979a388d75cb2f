"""The entries of captures, as SELECT statements for triggers.

Each gives the columns ``secondary, model, path, key`` of the outbox.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.names import document_id, name_of

_FOUND = "found"


def touches(
    capture: Capture, secondary: str, row: str, dialect: sa.Dialect, source: str = ""
) -> str:
    """What rows touch.

    :param row: what a row is called.
    :param source: what to select the rows from; nothing where a trigger has one row.
    """
    conditions = [f"{name_of(c, row, dialect)} IS NOT NULL" for c in capture.key]
    conditions += _of_class(capture, row, dialect)
    key = document_id(capture.key, row, dialect)
    start = f"FROM {source} AS {row} " if source else ""
    return (
        f"SELECT {_words(capture, secondary)}, {key} "
        f"{start}WHERE {' AND '.join(conditions)}"
    )


def touches_of_referrers(
    capture: Capture, secondary: str, row: str, dialect: sa.Dialect, source: str = ""
) -> str:
    """What is touched by rows that others refer to; parameters as for
    :func:`touches`."""
    referrers = capture.referrers
    assert referrers is not None
    conditions = [
        f"{name_of(a, _FOUND, dialect)} = {name_of(b, row, dialect)}"
        for a, b in zip(referrers.references, referrers.referred, strict=True)
    ]
    conditions += _of_class(capture, row, dialect)
    key = document_id(referrers.key, _FOUND, dialect)
    table = table_name(referrers.table, dialect)
    rows = f"{source} AS {row} CROSS JOIN " if source else ""
    return (
        f"SELECT {_words(capture, secondary)}, {key} "
        f"FROM {rows}{table} AS {_FOUND} WHERE {' AND '.join(conditions)}"
    )


def table_name(table: sa.Table, dialect: sa.Dialect) -> str:
    """A table, as SQL names it."""
    name: str = dialect.identifier_preparer.format_table(table)
    return name


def literal(value: Any, dialect: sa.Dialect, type_: Any = None) -> str:
    """A value, as SQL writes it."""
    expression = sa.literal(value, type_ or sa.Text())
    options = {"literal_binds": True}
    return str(expression.compile(dialect=dialect, compile_kwargs=options))


def _words(capture: Capture, secondary: str) -> str:
    # Names of engines, classes and attributes: no quotes can be in them.
    return f"'{secondary}', '{capture.root}', '{capture.path}'"


def _of_class(capture: Capture, row: str, dialect: sa.Dialect) -> list[str]:
    if capture.classes is None:
        return []
    column, values = capture.classes
    texts = [literal(value, dialect, column.type) for value in values]
    return [f"{name_of(column, row, dialect)} IN ({', '.join(texts)})"]
