"""The triggers of PostgreSQL: one for each table and kind of statement.

They see all rows of a statement at once, so that a COPY of a million rows writes its
entries by one INSERT. https://www.postgresql.org/docs/current/sql-createtrigger.html

A statement on a table fires the triggers of this table, whichever partitions it
reaches; one on a partition fires those of the partition alone. So partitions, and
tables that inherit, have triggers that call the same functions.

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
from nefertari_engine_base.primary.sqla.triggers import transitions
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.quoting import (
    PLAIN,
    literal,
    quoted,
    table_name,
)
from nefertari_engine_base.primary.sqla.triggers.transitions import NEW, OLD, Entries
from nefertari_engine_base.primary.sqla.triggers.trigger import (
    Installed,
    Place,
    Survey,
    Trigger,
    check_kind,
)
from nefertari_engine_base.primary.sqla.waking import NOTIFICATION

_REFERENCING = {
    "insert": f"REFERENCING NEW TABLE AS {NEW} ",
    "update": f"REFERENCING NEW TABLE AS {NEW} OLD TABLE AS {OLD} ",
    "delete": f"REFERENCING OLD TABLE AS {OLD} ",
    "truncate": "",
}
#: PostgreSQL cuts longer names off.
_LONGEST_NAME = 63
_NOTIFY = f"  IF FOUND THEN PERFORM {NOTIFICATION}; END IF;\n"
#: Relations that statements change, and that triggers see the changes of.
_TABLES = {"r": "table", "p": "table"}
_OTHERS = {"v": "view", "m": "materialized view", "f": "foreign table"}


def prepare(connection: Connection) -> None:
    """Let nobody else install or remove at the same time."""
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK}
    )


def survey(connection: Connection, tables: Sequence[sa.Table]) -> Survey:
    """What the database has of tables and of our triggers; by one query."""
    names = {table_name(table): table for table in tables}
    values = {"names": list(names), "outbox": outbox.name}
    found: dict[sa.Table, Place] = {}
    parts: dict[sa.Table, list[Place]] = {}
    installed, functions = {}, {}
    own, path, outdated = None, "", False
    for row in connection.execute(_SURVEY, values):
        if row.what == "trigger":
            function = f"{row.schema}.{quoted(row.function)}"
            functions[function] = f"DROP FUNCTION IF EXISTS {function}()"
            if row.name is not None:
                installed[row.place, row.name] = _installed(row, function)
            continue
        place = Place(row.place, row.schema, _TABLES.get(row.kind) or _OTHERS[row.kind])
        if row.what == "outbox":
            own, path, outdated = place, row.source, not row.is_sound
        elif row.what == "table":
            found[names[row.name]] = place
        else:
            parts.setdefault(names[row.name], []).append(place)
    kept = {table: tuple(places) for table, places in parts.items()}
    return Survey(found, own, kept, installed, functions, path, outdated)


def _installed(row: Any, function: str) -> Installed:
    return Installed(
        table=row.place,
        name=row.name,
        source=row.source if row.is_sound else "",
        enabled=row.kind in ("O", "A"),
        drop=(f"DROP TRIGGER IF EXISTS {quoted(row.name)} ON {row.place}",),
        function=function,
    )


#: A trigger of ours is one whose function writes our outbox. What tgtype is:
#: https://doxygen.postgresql.org/pg__trigger_8h_source.html
_SURVEY = sa.text(
    r"""
    WITH RECURSIVE
    own AS (
        SELECT class.oid, quote_ident(nspname) AS schema
        FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = relnamespace
        WHERE class.oid = to_regclass(:outbox)
    ),
    tree AS (
        SELECT 'table' AS what, name, to_regclass(name)::oid AS oid
        FROM unnest(CAST(:names AS text[])) AS name
        UNION
        SELECT 'part', name, inhrelid
        FROM tree JOIN pg_inherits ON inhparent = tree.oid
    )
    SELECT what, name, class.oid::regclass::text AS place,
           quote_ident(nspname) AS schema, relkind::text AS kind,
           NULL AS source, NULL AS function, false AS is_sound
    FROM tree
    JOIN pg_class AS class ON class.oid = tree.oid
    JOIN pg_namespace AS space ON space.oid = relnamespace
    UNION ALL
    SELECT 'outbox', NULL, own.oid::regclass::text, schema, 'r',
           (SELECT string_agg(quote_ident(name), ', ')
            FROM unnest(current_schemas(true)) AS name WHERE name !~ '^pg_temp'),
           NULL, EXISTS (SELECT FROM pg_attribute WHERE attrelid = own.oid
                         AND attname = 'transaction_id' AND NOT attisdropped)
    FROM own
    UNION ALL
    SELECT 'trigger', tgname, tgrelid::regclass::text, quote_ident(nspname),
           tgenabled::text, prosrc, proname,
           prosecdef AND tgqual IS NULL AND tgattr = ''::int2vector
           AND tgtype = CASE split_part(tgname, '_', 2)
               WHEN 'insert' THEN 4 WHEN 'delete' THEN 8
               WHEN 'update' THEN 16 WHEN 'truncate' THEN 32 END
    FROM own
    JOIN pg_proc AS proc ON proname LIKE 'nefertari\_%'
    JOIN pg_namespace AS space ON space.oid = pronamespace
    LEFT JOIN pg_trigger ON tgfoid = proc.oid AND NOT tgisinternal
    WHERE position('INSERT INTO ' || own.schema || '.nefertari_' IN prosrc) > 0
    ORDER BY 1, 2, 3
    """
)


def wanted(
    found: Survey,
    table: sa.Table,
    captures: Sequence[Capture],
    secondaries: Sequence[str],
    announces: bool,
) -> Iterator[Trigger]:
    """The triggers that a table should have, and each of its partitions.

    :raises PrimaryError: if the table or the outbox is not there.
    :raises ConfigurationError: if it is no table, or cannot have triggers.
    """
    place = found.tables.get(table)
    if place is None or found.outbox is None:
        raise PrimaryError(
            f"The database has no table {outbox.name if place else table_name(table)}: "
            f"run nefertari-es setup first."
        )
    places = (place, *found.parts.get(table, ()))
    for one in places:
        check_kind(one, captures)
    maker = _Maker(table, places, found.outbox.schema, found.path, announces)
    for event, entries in transitions.entries_of(table, captures, secondaries):
        yield from maker.of_rows(event, entries)
    models = sorted({capture.root for capture in captures})
    yield from maker.of_truncate(models, secondaries)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the triggers of one table.

    :attr places: where the table is, and its partitions.
    :attr own_schema: the schema of the outbox.
    :attr path: where the functions look for operators of the columns' types.
    """

    table: sa.Table
    places: tuple[Place, ...]
    own_schema: str
    path: str
    announces: bool

    def of_rows(self, event: str, entries: Entries) -> Iterator[Trigger]:
        """Rows that a statement touches become entries."""
        insert = f"{self.own_schema}.{outbox.name} (secondary, model, path, key)"
        empty = [
            f"{rows} AS (SELECT * FROM {self.places[0].name} WHERE false)"
            for rows in (NEW, OLD)
        ]
        # What a function names is looked up when it runs, by somebody else.
        trial = entries.text(*empty)
        body = f"  INSERT INTO {insert}\n  {entries.text()};\n"
        return self._triggers(event, body, trial, _NOTIFY)

    def of_truncate(
        self, models: Sequence[str], secondaries: Sequence[str]
    ) -> Iterator[Trigger]:
        """Nobody is told which rows TRUNCATE removes: it becomes a debt."""
        dialect = PLAIN["postgresql"]
        values = ", ".join(
            f"({literal(secondary, dialect)}, {literal(model, dialect)}, "
            f"TG_TABLE_NAME || ' was truncated')"
            for secondary in secondaries
            for model in models
        )
        insert = f"{self.own_schema}.{debt.name} (secondary, model, reason)"
        body = f"  INSERT INTO {insert}\n  VALUES {values};\n"
        return self._triggers("truncate", body, "SELECT 1", "")

    def _triggers(
        self, event: str, body: str, trial: str, notify: str
    ) -> Iterator[Trigger]:
        own = short_name(f"nefertari_{event}_{self.table.name}")
        function = f"{self.places[0].schema}.{quoted(own)}"
        silent, waking = (
            f"\nBEGIN\n{body}{more}  RETURN NULL;\nEND\n" for more in ("", notify)
        )
        source = waking if self.announces else silent
        for place in self.places:
            name = f"nefertari_{event}"
            if place is not self.places[0]:
                # It may have triggers for documents of its own beside these.
                name = short_name(f"{name}_of_{self.table.name}")
            drop = f"DROP TRIGGER IF EXISTS {quoted(name)} ON {place.name}"
            yield Trigger(
                table=place.name,
                name=name,
                source=source,
                alternative=silent if self.announces else waking,
                define=(self._define(function, source),),
                attach=(
                    drop,
                    f"CREATE TRIGGER {quoted(name)} AFTER {event.upper()} "
                    f"ON {place.name} {_REFERENCING[event]}FOR EACH STATEMENT "
                    f"EXECUTE FUNCTION {function}()",
                ),
                drop=(drop,),
                trial=trial,
                function=function,
            )

    def _define(self, function: str, source: str) -> str:
        tag = "$nefertari$"
        while tag in source:
            tag = f"{tag[:-1]}_$"
        # The planner takes the rows of a statement for more than they are, and then
        # compiles what is done before it is compiled.
        return (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger "
            f"LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = {self.path}, pg_temp SET jit = off "
            f"AS {tag}{source}{tag}"
        )


def short_name(name: str) -> str:
    """A name that the database does not cut off; another one for each name."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
    start = name.encode()[: _LONGEST_NAME - len(digest) - 1].decode(errors="ignore")
    return f"{start}_{digest}"
