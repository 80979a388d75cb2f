"""Touches by the values that a statement names itself: nothing is read for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.types import is_spelled_one_way
from nefertari_engine_base.values import Touch

#: Names of the models whose documents are wanted, by secondary engine.
Wanted = Mapping[str, Collection[str]]

#: Stands for a value that is not known here.
UNKNOWN: Any = object()


class Known(NamedTuple):
    """A touch of documents, but for the engine that it is for."""

    root: str
    path: str
    key: str


class Names:
    """How the documents that a capture touches are named by the values of a row.

    :attr columns: names of the columns that are needed.
    """

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.columns = tuple(column.name for column in capture.key)
        # The database may spell such a key otherwise than the statement does.
        self.is_exact = all(is_spelled_one_way(c.type) for c in capture.key)
        self._document_id = capture.document.document_id
        self._root, self._path = capture.root, capture.path
        self._class = None if capture.classes is None else capture.classes[0].name
        self._values = frozenset() if capture.classes is None else capture.classes[1]

    def can_name(self, names: Collection[str]) -> bool:
        """Whether the values of these columns are enough."""
        return self.is_exact and all(column in names for column in self.columns)

    def is_meant(self, values: Mapping[str, Any]) -> bool:
        """Whether a row may be of the class that is meant."""
        if self._class is None:
            return True
        value = values.get(self._class, UNKNOWN)
        return value is UNKNOWN or value in self._values

    def known(self, values: Mapping[str, Any]) -> Known | None:
        """What is touched; ``None`` if a part of the key is NULL.

        :raises LookupError: if a part of it is not known.
        """
        key = [values.get(column, UNKNOWN) for column in self.columns]
        for part in key:
            if part is None:
                return None
            if part is UNKNOWN:
                raise LookupError(self.columns)
        return Known(self._root, self._path, self._document_id(key))


def spread(found: Iterable[Known], wanted: Wanted) -> Iterator[Touch]:
    """The touches of these documents for each engine that wants them."""
    for secondary, names in wanted.items():
        for root, path, key in found:
            if root in names:
                yield Touch(secondary, root, key, path)
