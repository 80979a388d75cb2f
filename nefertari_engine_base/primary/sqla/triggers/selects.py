"""The entries of captures, as queries for triggers.

Each gives the columns ``secondary, model, path, key`` of the outbox.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa

from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.names import document_id
from nefertari_engine_base.primary.sqla.triggers.quoting import (
    Row,
    literal,
    row,
    table_name,
)

_FOUND = "found"


@dataclass(frozen=True, slots=True)
class Touches:
    """Entries of rows: of those of the source, or of the one that a trigger has.

    :attr columns: what to select of a row, as one text.
    :attr conditions: what holds of the rows that are meant.
    :attr source: what follows FROM; nothing for the row of a trigger.
    """

    columns: str
    conditions: tuple[str, ...]
    source: str = ""

    def where(self, *conditions: str) -> Touches:
        """Those of which these hold, too; an empty one holds always."""
        more = tuple(f"({condition})" for condition in conditions if condition)
        return replace(self, conditions=self.conditions + more)

    def __str__(self) -> str:
        start = f"FROM {self.source} " if self.source else ""
        return f"SELECT {self.columns} {start}WHERE {' AND '.join(self.conditions)}"


def touches(
    capture: Capture,
    secondary: str,
    changed: Row,
    dialect: sa.Dialect,
    source: str = "",
) -> Touches:
    """What rows touch: those that others refer to touch these, if the capture says so.

    :param changed: names the columns of a row.
    :param source: what to select the rows from; nothing where a trigger has one row.
    """
    key, origin, conditions = capture.key, changed, []
    if capture.referrers is None:
        conditions = [f"{changed(column)} IS NOT NULL" for column in key]
    else:
        key, origin = capture.referrers.key, row(_FOUND)
        conditions = [
            f"{origin(a)} = {changed(b)}"
            for a, b in zip(
                capture.referrers.references, capture.referrers.referred, strict=True
            )
        ]
        others = f"{table_name(capture.referrers.table)} AS {_FOUND}"
        source = f"{source} CROSS JOIN {others}" if source else others
    conditions += of_class(capture, changed, dialect)
    words = [literal(w, dialect) for w in (secondary, capture.root, capture.path)]
    columns = ", ".join([*words, document_id(key, origin, dialect)])
    return Touches(columns, tuple(conditions), source)


def of_class(capture: Capture, changed: Row, dialect: sa.Dialect) -> list[str]:
    """The condition that a row is of the classes that are meant, if there is one."""
    if capture.classes is None:
        return []
    column, values = capture.classes
    texts = [literal(value, dialect, column.type) for value in values]
    return [f"{changed(column)} IN ({', '.join(texts)})"]
