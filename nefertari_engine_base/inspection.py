"""What engines can be asked about single documents, by people and by probes.

Nothing of the write path needs these answers: :mod:`nefertari_engine_base.sync.explain`
and health checks do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from nefertari_engine_base.schema import ModelSchema
    from nefertari_engine_base.values import OutboxEntry

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


class IInspectableSecondary(Interface):
    """What a secondary engine tells of itself and of one document."""

    def stored(schema: ModelSchema, ids: Sequence[str]) -> Sequence[Any]:
        """:class:`StoredDocument` of each id, in order, ``None`` where there is none.

        They are read in real time: no refresh is needed to see a write.

        :raises SecondaryUnavailable: if the server did not answer.
        :raises SecondaryError: if the model's index is missing.
        """

    def missing(timeout: float) -> Sequence[str]:
        """Names of the attached models whose documents have no place yet; asks the
        server, once.

        :param timeout: seconds to wait for the answer.
        :raises SecondaryUnavailable: if the server did not answer in time.
        """


class IInspectableOutbox(Interface):
    """What an outbox tells of one document."""

    def recorded(
        model: str, keys: Mapping[str, Collection[str] | None]
    ) -> Sequence[RecordedEntry]:
        """Entries for documents of this model, dead ones included, in the order that
        they were made. Reads the whole outbox.

        :param keys: the keys of the touches that are meant, by their path, ``None``
            for any; the empty path is that of the documents themselves.
        """
