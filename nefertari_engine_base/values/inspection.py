"""What engines tell about single documents, to people and to probes.

Nothing of the write path needs these answers: :mod:`nefertari_engine_base.sync.explain`
and health checks do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nefertari_engine_base.values.changes import OutboxEntry

#: Why a document is written: an entry of the outbox names it.
CHANGE = "change"
#: Why a document is written: all documents of its model are.
INDEX = "index"


def change_of(path: str) -> str:
    """Why a document is written: a row has changed that it embeds by this path."""
    return f"{CHANGE} of {path}"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as a secondary engine holds it.

    :attr version: the version that the engine compares writes with.
    :attr source: its contents, without what delivery has appended.
    :attr noted_version: the version in the document itself; the same, unless somebody
        else has written it. ``None`` if there is none.
    :attr hash: the content hash in the document, or ``None``.
    :attr written_at: when it was sent, to the second, by the clock of the sender (UTC);
        ``None`` if it was written by a release that did not note it.
    :attr why: ``change``, ``change of PATH``, ``index``, or ``None`` as above.
    """

    version: int
    source: Mapping[str, Any]
    noted_version: int | None = None
    hash: str | None = None
    written_at: datetime | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry of the outbox, with what is known of its deliveries.

    :attr created_at: when the change was recorded (UTC).
    :attr due_at: when it is to be delivered next (UTC).
    :attr dead_at: when it became a dead letter (UTC); ``None`` while it waits.
    :attr reason: what the index said of it last; ``None`` if it was never refused.
    """

    entry: OutboxEntry
    created_at: datetime
    due_at: datetime
    dead_at: datetime | None = None
    reason: str | None = None
