"""The triggers of PostgreSQL: one for each table and kind of statement.

They see all rows of a statement at once, so that a COPY of a million rows writes its
entries by one INSERT. https://www.postgresql.org/docs/current/sql-createtrigger.html

The functions have the rights of who installs them: who may write a table need not be
allowed to write the outbox.
https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.sqla.tables import ADVISORY_LOCK, debt, outbox
from nefertari_engine_base.primary.sqla.triggers import selects
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.names import name_of
from nefertari_engine_base.primary.sqla.triggers.trigger import Installed, Trigger
from nefertari_engine_base.primary.sqla.waking import NOTIFICATION

_ROW, _OTHER = "changed", "other"
_NEW, _OLD = "new_rows", "old_rows"
_REFERENCING = {
    "insert": f"NEW TABLE AS {_NEW}",
    "update": f"NEW TABLE AS {_NEW} OLD TABLE AS {_OLD}",
    "delete": f"OLD TABLE AS {_OLD}",
}
#: PostgreSQL cuts longer names off.
_LONGEST_NAME = 63


def prepare(connection: Connection) -> None:
    """Let nobody else install or remove at the same time."""
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}
    )


def wanted(
    connection: Connection,
    table: sa.Table,
    captures: Sequence[Capture],
    secondaries: Sequence[str],
    announces: bool,
) -> Iterator[Trigger]:
    """The triggers that a table should have.

    :raises PrimaryError: if the table or the outbox is not there.
    """
    place, schema = _place(connection, table), _place(connection, outbox)[1]
    path = connection.execute(_SEARCH_PATH).scalar_one()
    made = _Maker(table, *place, schema, path, announces)
    for event, rows in _selects(captures, secondaries, connection.dialect).items():
        if rows:
            yield made.of_rows(event, rows)
    yield made.of_truncate(sorted({c.root for c in captures}), secondaries)


def installed(connection: Connection) -> dict[tuple[str, str], Installed]:
    """Our triggers that are there, by table and name."""
    found = connection.execute(_PLACE, {"name": outbox.name}).first()
    if found is None:
        return {}
    rows = connection.execute(_INSTALLED, {"writes": f"%INSERT INTO {found[1]}.nef%"})
    return {
        (table, name): Installed(
            table,
            name,
            source,
            state in ("O", "A"),
            (f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {function}()"),
        )
        for table, name, state, source, function in rows
    }


_SEARCH_PATH = sa.text(
    "SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(true)) "
    "AS name WHERE name !~ '^pg_temp'"
)
_INSTALLED = sa.text(
    """
    SELECT class.oid::regclass::text, quote_ident(tgname), tgenabled, prosrc,
           proc.oid::regproc::text
    FROM pg_trigger
    JOIN pg_class AS class ON class.oid = tgrelid
    JOIN pg_proc AS proc ON proc.oid = tgfoid
    WHERE NOT tgisinternal AND prosrc LIKE :writes
    ORDER BY 1, 2
    """
)
_PLACE = sa.text(
    """
    SELECT class.oid::regclass::text, quote_ident(nspname)
    FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = relnamespace
    WHERE class.oid = to_regclass(:name)
    """
)


def _place(connection: Connection, table: sa.Table) -> tuple[str, str]:
    """The table's name, and that of its schema."""
    name = selects.table_name(table, connection.dialect)
    row = connection.execute(_PLACE, {"name": name}).first()
    if row is None:
        raise PrimaryError(
            f"The database has no table {name}: run nefertari-es setup first."
        )
    return row[0], row[1]


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the triggers of one table.

    :attr qualified: the table's name, and ``schema`` that of its schema.
    :attr own_schema: the schema of the outbox.
    :attr path: where the functions look for operators of the columns' types.
    """

    table: sa.Table
    qualified: str
    schema: str
    own_schema: str
    path: str
    announces: bool

    def of_rows(self, event: str, rows: Sequence[str]) -> Trigger:
        """Rows that a statement touches become entries."""
        query = "\n  UNION\n  ".join(rows)
        insert = f"{self.own_schema}.{outbox.name} (secondary, model, path, key)"
        notify = ""
        if self.announces:
            notify = f"  IF FOUND THEN PERFORM {NOTIFICATION}; END IF;\n"
        empty = ", ".join(
            f"{rows} AS (SELECT * FROM {self.qualified} WHERE false)"
            for rows in (_NEW, _OLD)
        )
        return self._trigger(
            event,
            f"  INSERT INTO {insert}\n  {query};\n{notify}",
            f"REFERENCING {_REFERENCING[event]} ",
            # What a function names is looked up when it runs, by somebody else.
            f"WITH {empty} {query}",
        )

    def of_truncate(self, models: Sequence[str], secondaries: Sequence[str]) -> Trigger:
        """Nobody is told which rows TRUNCATE removes: it becomes a debt."""
        values = ", ".join(
            f"('{secondary}', '{model}', '{self._plain_name} was truncated')"
            for secondary in secondaries
            for model in models
        )
        insert = f"{self.own_schema}.{debt.name} (secondary, model, reason)"
        return self._trigger(
            "truncate", f"  INSERT INTO {insert}\n  VALUES {values};\n", "", "SELECT 1"
        )

    @property
    def _plain_name(self) -> str:
        return self.table.name.replace("'", "''")

    def _trigger(self, event: str, body: str, referencing: str, trial: str) -> Trigger:
        name = f"nefertari_{event}"
        function = f'{self.schema}."{_function_name(name, self.table.name)}"'
        source = f"\nBEGIN\n{body}  RETURN NULL;\nEND\n"
        return Trigger(
            table=self.qualified,
            name=name,
            source=source,
            trial=trial,
            create=(
                f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger "
                f"LANGUAGE plpgsql SECURITY DEFINER "
                f"SET search_path = {self.path}, pg_temp "
                f"AS $nefertari${source}$nefertari$",
                f"DROP TRIGGER IF EXISTS {name} ON {self.qualified}",
                f"CREATE TRIGGER {name} AFTER {event.upper()} ON {self.qualified} "
                f"{referencing}FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
            ),
        )


def _function_name(name: str, table: str) -> str:
    full = f"{name}_{table}".replace('"', "")
    if len(full.encode()) <= _LONGEST_NAME:
        return full
    digest = hashlib.blake2b(table.encode(), digest_size=6).hexdigest()
    return f"{name}_{digest}"


def _selects(
    captures: Sequence[Capture], secondaries: Sequence[str], dialect: sa.Dialect
) -> dict[str, list[str]]:
    """The entries to write, by event."""
    found: dict[str, list[str]] = {"insert": [], "update": [], "delete": []}
    for secondary in secondaries:
        for capture in captures:
            for event, texts in _of_capture(capture, secondary, dialect).items():
                found[event] += texts
    return found


def _of_capture(
    capture: Capture, secondary: str, dialect: sa.Dialect
) -> dict[str, list[str]]:
    write: Any = selects.touches
    arguments = (capture, secondary, _ROW, dialect)
    after, before = _changed(capture, dialect)
    if capture.referrers is not None:
        if capture.referrers.guarded:
            # The rows that refer are changed as well, or nothing is.
            return {}
        write = selects.touches_of_referrers
        # Who comes may have been missed for a while.
        return {
            "insert": [write(*arguments, _NEW)],
            "update": [write(*arguments, before), write(*arguments, after)],
            "delete": [write(*arguments, _OLD)],
        }
    updates = [write(*arguments, after), write(*arguments, before)]
    if capture.only_updates:
        return {"update": updates}
    return {
        "insert": [write(*arguments, _NEW)],
        "update": updates,
        "delete": [write(*arguments, _OLD)],
    }


def _changed(capture: Capture, dialect: sa.Dialect) -> tuple[str, str]:
    """The rows that an update has changed: as they are, and as they were."""
    return (
        _difference(capture, _NEW, _OLD, dialect),
        _difference(capture, _OLD, _NEW, dialect),
    )


def _difference(capture: Capture, rows: str, others: str, dialect: sa.Dialect) -> str:
    key = list(capture.table.primary_key) or capture.key
    same = [f"{name_of(c, _OTHER, dialect)} = {name_of(c, _ROW, dialect)}" for c in key]
    for column in capture.watched:
        # As text: some types have no equality, and some collations too much of it.
        one, two = (
            f'{name_of(column, row, dialect)}::text COLLATE "C"'
            for row in (_OTHER, _ROW)
        )
        same.append(f"{one} IS NOT DISTINCT FROM {two}")
    return (
        f"(SELECT * FROM {rows} AS {_ROW} WHERE NOT EXISTS "
        f"(SELECT FROM {others} AS {_OTHER} WHERE {' AND '.join(same)}))"
    )
