"""The values that travel between engines: frozen, and made of the stdlib alone."""

from __future__ import annotations

from nefertari_engine_base.values.changes import (
    Action,
    Change,
    DocumentRef,
    OutboxEntry,
    Touch,
)
from nefertari_engine_base.values.debts import Debt, IndexState
from nefertari_engine_base.values.deliveries import (
    DeadLetter,
    DeliveryReport,
    Outcome,
    Snapshot,
    Write,
    WriteResult,
)
from nefertari_engine_base.values.inspection import RecordedEntry, StoredDocument
from nefertari_engine_base.values.queries import (
    Filter,
    Hit,
    Operator,
    Page,
    Query,
    Sort,
)
from nefertari_engine_base.values.status import (
    Capability,
    DebtStatus,
    ModelStatus,
    SyncStatus,
    TriggerProblem,
    TriggerState,
    WorkerStatus,
)

__all__ = [
    "Debt",
    "IndexState",
    "RecordedEntry",
    "StoredDocument",
    "Action",
    "DocumentRef",
    "Change",
    "Touch",
    "OutboxEntry",
    "Snapshot",
    "Write",
    "Outcome",
    "WriteResult",
    "DeliveryReport",
    "DeadLetter",
    "Operator",
    "Filter",
    "Sort",
    "Query",
    "Hit",
    "Page",
    "Capability",
    "ModelStatus",
    "WorkerStatus",
    "DebtStatus",
    "SyncStatus",
    "TriggerProblem",
    "TriggerState",
]
