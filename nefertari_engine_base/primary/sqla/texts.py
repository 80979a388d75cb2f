"""Statements of deliveries on PostgreSQL, as texts that the driver executes.

Compiled from expressions they take the client three times as long, which an inline
delivery, of one document after every commit, cannot hide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from sqlalchemy.engine import Connection, Dialect

from nefertari_engine_base.primary.sqla.debts import UNFENCED_TEXT
from nefertari_engine_base.primary.sqla.entries import ENTRY_COLUMNS, insert_text
from nefertari_engine_base.primary.sqla.json_loading import array_literal

# Losing an acknowledgement costs a repeated delivery, which is harmless: it need not
# wait for the disk. Said in the claiming statement to save a round trip.
CLAIM = (
    f"SELECT {', '.join(column.name for column in ENTRY_COLUMNS)}, "
    "set_config('synchronous_commit', 'off', true) "
    "FROM nefertari_outbox WHERE {} FOR UPDATE SKIP LOCKED"
)
CLAIM_DUE = CLAIM.format(
    "dead_at IS NULL AND due_at <= extract(epoch from clock_timestamp()) "
    "AND model <> ALL(%(without)s::text[]) ORDER BY due_at, id LIMIT %(limit)s"
)
# Said like this, no plan takes the whole index of the living entries for the few.
CLAIM_IDS = CLAIM.format("id = ANY(%(ids)s::bigint[]) AND coalesce(dead_at, 0) = 0")
DRAW = "SELECT nextval('nefertari_version')"
# Seen before the draw like the entries themselves; see dead_letters.obsolete.
OBSOLETE = (
    "ARRAY(SELECT ARRAY[dead.id, entry.id] FROM nefertari_outbox entry "
    "JOIN nefertari_outbox dead USING (key, model, secondary) "
    "WHERE entry.id = ANY(%(ids)s::bigint[]) AND entry.path = '' "
    "AND dead.path = '' AND dead.dead_at IS NOT NULL AND dead.id <> entry.id)"
)
DRAW_CLAIMED = f"SELECT nextval('nefertari_version'), {OBSOLETE}"
ACKNOWLEDGE = (
    "DELETE FROM nefertari_outbox WHERE id = ANY(%(ids)s::bigint[]) "
    f"AND {UNFENCED_TEXT}"
)
# A statement sees what was committed before it began, and draws after that: one round
# trip makes sure that the entries are visible, and then draws.
SEE_AND_DRAW = (
    "SELECT nextval('nefertari_version'), "
    f"ARRAY(SELECT id FROM nefertari_outbox WHERE id = ANY(%(ids)s::bigint[])), "
    f"{OBSOLETE}"
)
# Who has locked an entry will acknowledge it: waiting for a delivery that waits for a
# search server would hold up the request whose commit this was. Nor may two deliveries
# wait for each other that clear the same dead letters.
ACKNOWLEDGE_FREE = (
    "WITH own AS MATERIALIZED ("
    "SELECT id, set_config('synchronous_commit', 'off', true) AS unsafe "
    "FROM nefertari_outbox WHERE id = ANY(%(ids)s::bigint[]) FOR UPDATE SKIP LOCKED) "
    "DELETE FROM nefertari_outbox USING own "
    "WHERE nefertari_outbox.id = own.id AND own.unsafe = 'off' "
    f"AND {UNFENCED_TEXT}"
)
#: The number of the running transaction, if it has written anything, when it began, and
#: how it is isolated. The server knows it: this question cannot fail.
TRANSACTION = (
    "SELECT txid_current_if_assigned(), extract(epoch from now())::double precision, "
    "current_setting('transaction_isolation')"
)
# Entries of one transaction. They were due when they were made, so those that came
# before it began are not looked at.
_WRITTEN = (
    "SELECT id, secondary, model, key, path FROM {} WHERE dead_at IS NULL "
    "AND due_at >= {} AND transaction_id = {} ORDER BY due_at, id LIMIT {}"
)
WRITTEN_IN = _WRITTEN.format("nefertari_outbox", "%(since)s", "%(number)s", "%(limit)s")
#: Where the outbox is.
PLACE = (
    "SELECT quote_ident(nspname) || '.nefertari_outbox' "
    "FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = relnamespace "
    "WHERE class.oid = to_regclass('nefertari_outbox')"
)


#: The form of each model's documents.
FORMS = "SELECT model, form FROM nefertari_form"


def question(place: str, most: int) -> str:
    """What the running transaction is asked together with its COMMIT: its number, when
    it began, its isolation, and its entries, unless it is serializable.

    :param place: the outbox, as SQL names it.
    :param most: how many entries at most.
    """
    since = "extract(epoch from now())::double precision"
    number = (
        "txid_current_if_assigned() "
        "AND current_setting('transaction_isolation') <> 'serializable'"
    )
    written = _WRITTEN.format(place, since, number, most)
    # One row at least, whatever is written; the text is parsed and planned each time.
    return (
        f"{TRANSACTION}, written.* "
        f"FROM (VALUES (1)) AS asked LEFT JOIN ({written}) AS written ON true"
    )


LOCK_ONE = "SELECT id FROM nefertari_outbox WHERE id = %(id)s FOR UPDATE SKIP LOCKED"


def acknowledge(
    connection: Connection, statement: str, ids: Sequence[int], version: int
) -> None:
    """Execute a text that removes entries, unless ``version`` has to be repeated."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, {"ids": array_literal(ids), "version": version})
    finally:
        cursor.close()


@cache
def numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """A text in psycopg's style as PostgreSQL is sent it, with ``$1`` for the first
    name, and the names."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        name = match[1]
        return f"${names.setdefault(name, len(names) + 1)}" if name else "%"

    text = re.sub(r"%(?:\((\w+)\)s|%)", number, statement)
    return text.encode(), tuple(names)


@cache
def sent_insert(dialect: Dialect, announced: bool) -> bytes:
    """The insert of one entry as the server is sent it: secondary, model, path, key."""
    return numbered(insert_text(dialect, announced)[0])[0]
