"""What waits in one SQL database, and who works on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Float,
    Integer,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.engine import Connection

from nefertari_engine_base.primary.sqla import debts
from nefertari_engine_base.primary.sqla.entries import ENTRY_COLUMNS
from nefertari_engine_base.primary.sqla.tables import epoch_now, outbox, worker
from nefertari_engine_base.values import (
    ModelStatus,
    OutboxEntry,
    RecordedEntry,
    SyncStatus,
    Touch,
    WorkerStatus,
)

#: Seconds without a word after which a worker is taken for lost: longer than any
#: delivery or pause of a living one.
LOST_AFTER = 60.0
#: Seconds after which a lost worker is forgotten.
FORGOTTEN_AFTER = 86400.0

# An index with all of these columns was measured to be no faster, with a million
# entries, than reading the table, which holds nothing but entries.
_LIVING = (
    select(
        outbox.c.model,
        func.count().label("waiting"),
        (epoch_now() - func.min(outbox.c.created_at)).label("oldest"),
        func.sum(case((outbox.c.attempts > 0, 1), else_=0)).label("retried"),
        literal(0, Integer).label("dead"),
    )
    .where(outbox.c.dead_at.is_(None))
    .group_by(outbox.c.model)
)
_DEAD = (
    select(
        outbox.c.model,
        literal(0, Integer),
        literal(0.0, Float),
        literal(0, Integer),
        func.count(),
    )
    .where(outbox.c.dead_at.is_not(None))
    .group_by(outbox.c.model)
)
_RECORDED = (
    *ENTRY_COLUMNS, outbox.c.created_at, outbox.c.due_at, outbox.c.dead_at,
    outbox.c.reason,
)  # fmt: skip
_MODELS = _LIVING.union_all(_DEAD)
_WORKERS = (
    select(worker, (epoch_now() - worker.c.seen_at).label("silent"))
    .where(worker.c.seen_at > epoch_now() - FORGOTTEN_AFTER)
    .order_by(worker.c.name)
)


def status(connection: Connection) -> SyncStatus:
    """See :meth:`IOutbox.status`."""
    models: dict[str, ModelStatus] = {}
    for row in connection.execute(_MODELS):
        # Clocks may be set back.
        oldest = max(0.0, row.oldest) if row.waiting else None
        one = ModelStatus(row.model, row.waiting, oldest, int(row.retried), row.dead)
        known = models.get(row.model)
        models[row.model] = one + known if known else one
    return SyncStatus(
        tuple(models[name] for name in sorted(models)),
        tuple(map(_worker_status, connection.execute(_WORKERS))),
        debts.status(connection),
    )


def _worker_status(row: Any) -> WorkerStatus:
    return WorkerStatus(
        row.name,
        datetime.fromtimestamp(row.started_at, UTC),
        datetime.fromtimestamp(row.seen_at, UTC),
        row.documents,
        lost=row.silent > LOST_AFTER,
        per_second=row.per_second,
    )


def recorded(
    connection: Connection, model: str, keys: Mapping[str, Collection[str] | None]
) -> list[RecordedEntry]:
    """See :meth:`IOutbox.recorded`."""
    if not keys:
        return []
    columns = outbox.c
    meant = [
        and_(
            columns.path == path, true() if chosen is None else columns.key.in_(chosen)
        )
        for path, chosen in keys.items()
    ]
    rows = connection.execute(
        select(*_RECORDED)
        .where(columns.model == model, or_(*meant))
        .order_by(columns.id)
    )
    return [
        RecordedEntry(
            OutboxEntry(
                row.id,
                Touch(row.secondary, row.model, row.key, row.path),
                row.cursor,
                row.attempts,
            ),
            datetime.fromtimestamp(row.created_at, UTC),
            datetime.fromtimestamp(row.due_at, UTC),
            row.dead_at and datetime.fromtimestamp(row.dead_at, UTC),
            row.reason,
        )
        for row in rows
    ]


def heartbeat(
    connection: Connection, name: str, uptime: float, documents: int, per_second: float
) -> None:
    """See :meth:`IOutbox.heartbeat`."""
    old = worker.c.seen_at < epoch_now() - FORGOTTEN_AFTER
    connection.execute(delete(worker).where(or_(worker.c.name == name, old)))
    connection.execute(
        insert(worker).values(
            name=name,
            started_at=epoch_now() - uptime,
            seen_at=epoch_now(),
            documents=documents,
            per_second=per_second,
        )
    )


def forget_worker(connection: Connection, name: str) -> None:
    """See :meth:`IOutbox.forget_worker`."""
    connection.execute(delete(worker).where(worker.c.name == name))
