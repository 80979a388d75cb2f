"""The tables that triggers write, as text for a migration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable

from nefertari_engine_base.primary.sqla.tables import (
    ADD_TRANSACTION,
    FIRST_VERSION,
    debt,
    form,
    index,
    outbox,
    version_counter,
    version_sequence,
    worker,
)
from nefertari_engine_base.primary.sqla.triggers.quoting import PLAIN


def statements(dialect_name: str) -> Iterator[str]:
    """Statements that make what is missing of our tables, and harm nothing."""
    elements: list[Any] = []
    tables = [outbox, worker, debt, index, form]
    if dialect_name == "postgresql":
        elements.append(CreateSequence(version_sequence, if_not_exists=True))
    else:
        tables.append(version_counter)
    for table in tables:
        elements.append(CreateTable(table, if_not_exists=True))
        for one in sorted(table.indexes, key=lambda each: str(each.name)):
            elements.append(CreateIndex(one, if_not_exists=True))
    for element in elements:
        text = str(element.compile(dialect=PLAIN[dialect_name]))
        yield "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
    yield ADD_TRANSACTION if dialect_name == "postgresql" else FIRST_VERSION
