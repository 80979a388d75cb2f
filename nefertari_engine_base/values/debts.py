"""What is known to be missing from an index as a whole.

A debt says of one model: its documents may be missing, stale, or left over. Debts come
from changes that were made while sync was suspended, and from indices that have lost
what they held. See :mod:`nefertari_engine_base.sync.catch_up`, which settles them.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Reasons of debts.
SUSPENDED = "sync was suspended"
GONE = "the index was gone"
REPLACED = "the index was replaced"
OLDER = "the index is older than what was written to it"
EMPTIED = "documents are missing from the index"
CLEARED = "the collection was dropped or replaced"
UNFOLLOWED = "a write could not be followed"

#: Those that ``catch-up`` is for; workers see to all others by themselves.
LEFT_TO_PEOPLE = frozenset({SUSPENDED, GONE, REPLACED, OLDER, EMPTIED})


@dataclass(frozen=True, slots=True)
class Debt:
    """That documents of a model may be missing, stale, or left over.

    :attr secondary: name of the engine whose documents are meant.
    :attr reason: in words, for people.
    """

    secondary: str
    model: str
    reason: str = SUSPENDED


@dataclass(frozen=True, slots=True)
class IndexState:
    """What tells whether an index is still the one that it was a while ago.

    :attr place: where it is to be found, such as its alias. What is there under another
        place is no loss of this one.
    :attr identity: of the index; one that was made anew or restored has another.
        Empty: there is no index.
    :attr operations: how many writes and deletes it has taken; never becomes less.
    :attr documents: about how many it holds.
    """

    place: str
    identity: str
    operations: int = 0
    documents: int = 0

    @property
    def remembered(self) -> dict[str, str | int]:
        """What an outbox remembers of it, by name, for its place."""
        return {
            "identity": self.identity,
            "operations": self.operations,
            "documents": self.documents,
        }
