"""Documents that a delivery writes together, and the entries they are written for."""

from __future__ import annotations

from nefertari_engine_base.values import DocumentRef, OutboxEntry
from nefertari_engine_base.values.inspection import CHANGE, change_of


class Batch(dict[DocumentRef, list[OutboxEntry]]):
    """The entries of each document.

    :attr paths: for documents that only embedded rows have led to, by which path.
    """

    def __init__(self) -> None:
        self.paths: dict[DocumentRef, str] = {}

    def add(self, entry: OutboxEntry, path: str) -> None:
        """Add the entry of a document.

        :param path: by which the document was found; empty if it was named.
        """
        ref = DocumentRef(entry.touch.model, entry.touch.key)
        entries = self.setdefault(ref, [])
        if not path:
            self.paths.pop(ref, None)
        elif not entries:
            self.paths[ref] = path
        entries.append(entry)

    def leave(self, model: str) -> None:
        """Leave the entries of a model to others."""
        for ref in [ref for ref in self if ref.model == model]:
            del self[ref]

    def why(self, ref: DocumentRef) -> str:
        """Why a document is written; see :mod:`.values.inspection`."""
        path = self.paths.get(ref)
        return change_of(path) if path else CHANGE
