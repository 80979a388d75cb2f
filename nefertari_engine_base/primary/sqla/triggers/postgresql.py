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
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.sqla.tables import ADVISORY_LOCK, outbox
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
    place, target = _place(connection, table), _qualified_outbox(connection)
    path = connection.execute(_SEARCH_PATH).scalar_one()
    for event, rows in _selects(captures, secondaries, connection.dialect).items():
        if rows:
            yield _trigger(table, place, event, rows, target, path, announces)


def installed(connection: Connection) -> dict[tuple[str, str], Installed]:
    """Our triggers that are there, by table and name."""
    if connection.execute(_PLACE, {"name": outbox.name}).first() is None:
        return {}
    target = _qualified_outbox(connection)
    rows = connection.execute(_INSTALLED, {"writes": f"%INSERT INTO {target} %"})
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


def _qualified_outbox(connection: Connection) -> str:
    _, schema = _place(connection, outbox)
    return f"{schema}.{outbox.name}"


def _trigger(
    table: sa.Table,
    place: tuple[str, str],
    event: str,
    rows: Sequence[str],
    target: str,
    path: str,
    announces: bool,
) -> Trigger:
    name, (qualified, schema) = f"nefertari_{event}", place
    function = f'{schema}."{_function_name(name, table.name)}"'
    notify = f"\n  IF FOUND THEN PERFORM {NOTIFICATION}; END IF;" if announces else ""
    query = "\n  UNION\n  ".join(rows)
    source = f"""
BEGIN
  INSERT INTO {target} (secondary, model, path, key)
  {query};{notify}
  RETURN NULL;
END
"""
    empty = ", ".join(
        f"{rows} AS (SELECT * FROM {qualified} WHERE false)" for rows in (_NEW, _OLD)
    )
    return Trigger(
        table=qualified,
        name=name,
        source=source,
        # What a function names is looked up when it runs, in somebody's transaction.
        trial=f"WITH {empty} {query}",
        create=(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger "
            f"LANGUAGE plpgsql SECURITY DEFINER SET search_path = {path}, pg_temp "
            f"AS $nefertari${source}$nefertari$",
            f"DROP TRIGGER IF EXISTS {name} ON {qualified}",
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON {qualified} "
            f"REFERENCING {_REFERENCING[event]} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()",
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
