"""Changes of a primary, and the documents that they touch: never contents.

Every write makes some of them, and deliveries count by the thousand: these are tuples,
which are made, compared and hashed several times as fast as frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

_NOTHING: Mapping[str, Any] = {}


class Action(StrEnum):
    """What happened to a row or a document of the primary."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class DocumentRef(NamedTuple):
    """A document: the name of its model, and its primary key as a string.

    :attr id: the key in the form of
        :meth:`nefertari_engine_base.schema.ModelSchema.document_id`.
    """

    model: str
    id: str


class Change(NamedTuple):
    """A reference to what changed in the primary, never its contents.

    :attr fields: names of the changed columns and relations; ``None`` when
        the primary cannot tell, which means "any of them".
    :attr references: current values of the fields that refer to other models; a list of
        keys where one refers to several.
    :attr previous: the values that those fields had before, where they differ.
    :attr shown_in: for a row that goes: ids of the documents that show it, by model,
        looked up while it was still there.
    :attr fresh: for a row that comes: its key was made for it, so that nothing can
        have referred to it before.
    """

    ref: DocumentRef
    action: Action
    fields: frozenset[str] | None = None
    references: Mapping[str, Any] = _NOTHING
    previous: Mapping[str, Any] = _NOTHING
    shown_in: Mapping[str, Sequence[str]] = _NOTHING
    fresh: bool = False


class Touch(NamedTuple):
    """Documents of one secondary that a change touches.

    With an empty ``path`` it names one document, ``key`` being its id. With a
    path it names every document of ``model`` that reaches, through the embedded
    relations of the dotted path, the row of the path's last model whose id is
    ``key``; these are looked up at delivery.
    """

    secondary: str
    model: str
    key: str
    path: str = ""


class OutboxEntry(NamedTuple):
    """A touch that is stored in the primary until a secondary has applied it.

    :attr id: the primary's number of the entry.
    :attr cursor: where an interrupted look-up of documents goes on, or ``None``.
    :attr attempts: how often the index has refused this document.
    """

    id: int
    touch: Touch
    cursor: str | None = None
    attempts: int = 0
