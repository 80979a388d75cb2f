"""An explanation in plain words: what is wrong, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.sync.explain import Explanation, IndexedRow, RowState
from nefertari_engine_base.values.inspection import (
    CHANGE,
    INDEX,
    RecordedEntry,
    change_of,
)

_ROWS = {
    RowState.PRESENT: "The row is there.",
    RowState.MISSING: "There is no such row.",
    RowState.LEFT_OUT: "The row is there, and when= gives it no document.",
}

_WITHOUT_DOCUMENT = {
    RowState.MISSING: "There is no such row",
    RowState.LEFT_OUT: "when= gives the row no document",
    RowState.UNREADABLE: "No document can be made of the row",
}

_DELIVERERS = {
    SyncMode.INLINE: "What a commit could not deliver itself is left to a worker.",
    SyncMode.WORKER: "A worker delivers it.",
    SyncMode.OFF: "nefertari.sync is off: nobody delivers it.",
}


def row_sentence(explanation: Explanation) -> str:
    """What the primary says, in one sentence."""
    row = explanation.row
    if row.state is RowState.UNREADABLE:
        return f"The row cannot be made a document: {row.error}"
    sentence = _ROWS[row.state]
    if row.state is RowState.PRESENT and row.other_ids:
        sentence += f" Its key is spelled {row.id!r}."
    return sentence


def reason_sentence(why: str | None) -> str:
    """Why a document was written, in words.

    :param why: of :class:`~nefertari_engine_base.values.inspection.StoredDocument`.
    """
    if why is None:
        return "why was not noted"
    if why == CHANGE:
        return "for a change that touches it"
    if why == INDEX:
        return "because all documents of the model were indexed"
    path = why.removeprefix(change_of(""))
    return f"for a change of a row that it embeds as {path}" if path != why else why


def verdict(explanation: Explanation, index: IndexedRow) -> list[str]:
    """What is to be said of one index, in sentences: first whether it equals the
    primary, then what keeps it from that."""
    return [_state(explanation, index), *_remarks(index), *_causes(explanation, index)]


def _state(explanation: Explanation, index: IndexedRow) -> str:
    state = explanation.row.state
    if index.stored is None:
        if state is RowState.PRESENT:
            return "The row's document is missing."
        return f"{_WITHOUT_DOCUMENT[state]}, and the index has none."
    if state is not RowState.PRESENT:
        return f"{_WITHOUT_DOCUMENT[state]}, and the index still has one."
    if index.differing:
        if index.stored.hash == explanation.row.hash:
            return "Somebody else has changed the document in the index."
        return "The document is of another state of the row."
    if index.stored.hash != explanation.row.hash:
        return (
            "The fields are equal, and the content hashes are not: another release of "
            "the application has written the document, or somebody else."
        )
    return "The document equals the row."


def _remarks(index: IndexedRow) -> Iterator[str]:
    stored = index.stored
    if stored is not None and stored.noted_version != stored.version:
        yield (
            f"The index gives the document version {stored.version}, and the document "
            f"says {stored.noted_version}: not delivery has written it last."
        )
    for id_ in index.strays:
        yield f"A document is under {id_!r} too, which is not how the row spells it."


def _causes(explanation: Explanation, index: IndexedRow) -> Iterator[str]:
    model = explanation.model
    for entry in index.dead:
        yield (
            f"{_subject(entry)} was refused {entry.entry.attempts} times and is a dead "
            f"letter: {entry.reason or 'no reason is known'}. Mend the cause, then: "
            f"nefertari-es dead-letters retry {model} {entry.entry.touch.key}"
        )
    for entry in index.waiting:
        sentence = f"{_subject(entry)} waits since {_shown(entry.created_at)}."
        if entry.entry.attempts:
            sentence += (
                f" It was refused {entry.entry.attempts} times, last for: "
                f"{entry.reason}. It is due at {_shown(entry.due_at)}."
            )
        yield f"{sentence} {_DELIVERERS[explanation.sync]}"
    for debt in index.owed:
        yield (
            f"All documents of {model} are owed since {_shown(debt.since)}: "
            f"{debt.reason}. To catch up: nefertari-es catch-up {model}"
        )
    if not (index.equal or index.dead or index.waiting or index.owed):
        yield (
            "Nothing waits for it: it was changed past the sessions, or before it had "
            "documents. " + _remedy(explanation)
        )


def _remedy(explanation: Explanation) -> str:
    if explanation.row.state is RowState.MISSING:
        return f"What has no row is removed by: nefertari-es index {explanation.model}"
    if explanation.row.state is RowState.UNREADABLE:
        return "Mend the row through a session."
    return (
        f"Change the row through a session, or write all documents: nefertari-es "
        f"index {explanation.model}"
    )


def _subject(entry: RecordedEntry) -> str:
    touch = entry.entry.touch
    if touch.path:
        return f"A change of {touch.path} {touch.key}, which it may embed,"
    return "A change"


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"
