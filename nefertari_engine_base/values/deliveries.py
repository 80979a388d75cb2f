"""What a delivery loads, writes and hears back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from nefertari_engine_base.values.changes import DocumentRef, OutboxEntry

_NO_ERRORS: Mapping[DocumentRef, str] = {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Documents, and a version that was drawn before they were loaded.

    :attr documents: JSON of each document that exists, by document id, for each
        model; a document that was asked for and is not here does not exist.
    :attr errors: why a document exists but cannot be loaded.
    """

    version: int
    documents: Mapping[str, Mapping[str, bytes]]
    errors: Mapping[DocumentRef, str] = field(default_factory=lambda: _NO_ERRORS)


# Tuples, since there is one of each for every document of a mass indexing: a frozen
# dataclass takes three times as long to make.


class Write(NamedTuple):
    """One versioned write; without a ``source`` it is a delete.

    :attr source: the document as UTF-8 JSON text of an object.
    :attr why: what it is written for, for people: see :mod:`.inspection`.
    """

    id: str
    version: int
    source: bytes | None
    why: str = "change"


class Outcome(StrEnum):
    """What the secondary says of one write."""

    WRITTEN = "written"
    #: A newer version is there already. That is as good as written, if this primary has
    #: drawn it.
    SUPERSEDED = "superseded"
    #: The document itself was refused; trying again will not help by itself.
    REFUSED = "refused"
    #: The server could not take it now; it is as if it had not been tried.
    DEFERRED = "deferred"
    #: Not sent, since what it holds was loaded too long ago: load it again.
    EXPIRED = "expired"
    #: Written so late that others may have deleted the document before, and the
    #: secondary forgotten that: deliver it once more.
    LATE = "late"


class WriteResult(NamedTuple):
    """The answer to one :class:`Write`, in the order of the writes.

    :attr stored: the version that is there in place of one that was superseded.
    """

    id: str
    outcome: Outcome
    reason: str | None = None
    stored: int | None = None


@dataclass(slots=True)
class DeliveryReport:
    """What a delivery did, in documents unless said otherwise.

    :attr entries: outbox entries that are gone from the outbox.
    :attr expanded: documents that were found for entries with a path.
    :attr deferred: entries left for later because the server was not there.
    :attr errors: (document, reason) of each refused document.
    """

    written: int = 0
    superseded: int = 0
    refused: int = 0
    deferred: int = 0
    expanded: int = 0
    entries: int = 0
    errors: list[tuple[DocumentRef, str]] = field(default_factory=list)

    @property
    def documents(self) -> int:
        """How many writes were sent to the secondary."""
        return self.written + self.superseded + self.refused + self.deferred

    def count(self, outcome: Outcome) -> None:
        """Count the outcome of one write; not what was not sent."""
        if outcome is Outcome.LATE:
            outcome = Outcome.WRITTEN
        if outcome is not Outcome.EXPIRED:
            setattr(self, outcome.value, getattr(self, outcome.value) + 1)

    def add(self, other: DeliveryReport) -> None:
        """Add the figures of another report to this one."""
        self.written += other.written
        self.superseded += other.superseded
        self.refused += other.refused
        self.deferred += other.deferred
        self.expanded += other.expanded
        self.entries += other.entries
        self.errors.extend(other.errors)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that was refused so often that nobody tries it any more.

    :attr entry: with the number of refusals in ``attempts``.
    :attr reason: what the index said of it last.
    :attr created_at: when the change was recorded (UTC).
    :attr dead_at: when it was refused for the last time (UTC).
    """

    entry: OutboxEntry
    reason: str
    created_at: datetime
    dead_at: datetime
