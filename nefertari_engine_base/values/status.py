"""What engines can do, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Flag, StrEnum, auto


class Capability(Flag):
    """What a primary engine can promise; conformance suites and docs read it."""

    NONE = 0
    #: The outbox entry and the change are committed or rolled back as one.
    TRANSACTIONAL = auto()
    #: An inner rollback undoes a part of a transaction.
    SAVEPOINTS = auto()
    #: Claimed entries are locked by the database; elsewhere they carry a lease.
    SKIP_LOCKED = auto()
    #: Reads are sorted by fields of embedded rows as well.
    RELATED_SORT = auto()


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What waits for the documents of one model, in outbox entries.

    :attr model: its name; empty where it stands for all.
    :attr waiting: entries to be delivered.
    :attr oldest: seconds since the change that has waited longest; ``None`` when
        nothing waits.
    :attr retried: those of the waiting that the index has refused at least once.
    :attr dead: dead letters.
    """

    model: str
    waiting: int = 0
    oldest: float | None = None
    retried: int = 0
    dead: int = 0

    def __add__(self, other: ModelStatus) -> ModelStatus:
        return ModelStatus(
            self.model,
            self.waiting + other.waiting,
            max(
                (age for age in (self.oldest, other.oldest) if age is not None),
                default=None,
            ),
            self.retried + other.retried,
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker that has been seen within a day.

    :attr name: its host and the number of its process.
    :attr started_at: when it was started (UTC).
    :attr seen_at: when it told last that it is alive (UTC).
    :attr documents: how many it has written since it was started.
    :attr lost: whether it has been silent for so long that it must have crashed.
    :attr per_second: documents that it wrote in a second, between the last two times
        that it told.
    """

    name: str
    started_at: datetime
    seen_at: datetime
    documents: int
    lost: bool
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class DebtStatus:
    """Why the documents of a model have to be caught up with, since when (UTC), and by
    how many debts, which says nothing of how many documents."""

    secondary: str
    model: str
    reason: str
    since: datetime
    count: int


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How far the documents are behind their rows, and who catches up.

    :attr models: those of which something waits or is dead, by name.
    :attr debts: models that have to be caught up with, by name and reason.
    """

    models: tuple[ModelStatus, ...] = ()
    workers: tuple[WorkerStatus, ...] = ()
    debts: tuple[DebtStatus, ...] = ()

    @property
    def throughput(self) -> float:
        """Documents that the living workers write in a second."""
        return sum(worker.per_second for worker in self.workers if not worker.lost)

    @property
    def total(self) -> ModelStatus:
        """The models together."""
        return sum(self.models, ModelStatus(""))

    def __add__(self, other: SyncStatus) -> SyncStatus:
        models = {model.model: model for model in self.models}
        for model in other.models:
            known = models.get(model.model)
            models[model.model] = known + model if known else model
        ordered = tuple(models[name] for name in sorted(models))
        debts = self.debts + other.debts
        return SyncStatus(ordered, self.workers + other.workers, debts)


class TriggerProblem(StrEnum):
    """What is wrong with a trigger."""

    MISSING = "missing"
    #: Of another version of the models or of this package.
    DIFFERENT = "different"
    DISABLED = "disabled"
    #: Of a table that no document depends on any more.
    LEFT_OVER = "left over"


@dataclass(frozen=True, slots=True)
class TriggerState:
    """A trigger that is there, or should be.

    :attr problem: ``None`` if it is as it should be.
    """

    table: str
    name: str
    problem: TriggerProblem | None = None
