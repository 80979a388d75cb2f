"""Reads that either engine can be asked, and their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar, overload

from nefertari_engine_base.values.access import Access

T = TypeVar("T")

_NOTHING: Mapping[str, Any] = {}


class Operator(StrEnum):
    """How a filter compares a field; the suffix of a parameter after ``__``."""

    EQ = "eq"
    IN = "in"
    ALL = "all"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EXISTS = "exists"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a field; dotted names reach into embedded documents.

    The value for an access control list is an
    :class:`~nefertari_engine_base.values.access.Access` or an
    :class:`~nefertari_engine_base.values.access.Entry`, with the operator ``EQ``.
    """

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort key; documents without a value come last in either direction."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A read that either engine can be asked, checked against the schema.

    :attr text: a Lucene query string, or ``None``. Only a secondary answers it.
    :attr text_fields: fields that ``text`` searches; empty means all.
    :attr limit: largest number of hits; ``None`` means all that the engine gives.
    :attr fields: fields to return; ``None`` means all.
    :attr aggregations: aggregations in the secondary's own JSON, or ``None``.
    :attr ids_only: the caller needs ids and no contents.
    :attr refresh: make every earlier write visible before the search.
    :attr documents_only: a primary leaves out what has no document, since it answers
        in place of the secondary.
    """

    filters: tuple[Filter, ...] = ()
    text: str | None = None
    text_fields: tuple[str, ...] = ()
    sort: tuple[Sort, ...] = ()
    limit: int | None = 20
    start: int = 0
    fields: tuple[str, ...] | None = None
    aggregations: Mapping[str, Any] | None = None
    ids_only: bool = False
    refresh: bool = False
    documents_only: bool = False

    @property
    def is_restricted(self) -> bool:
        """Whether some documents are kept from whoever asks."""
        return any(isinstance(one.value, Access) for one in self.filters)

    @property
    def compared_fields(self) -> tuple[str, ...]:
        """Dotted names of the fields that it filters and sorts by."""
        filtered = (condition.field for condition in self.filters)
        return (*filtered, *(key.field for key in self.sort))

    @property
    def needs_secondary(self) -> bool:
        """Whether only a search engine can answer this."""
        return self.text is not None or self.aggregations is not None


@dataclass(frozen=True, slots=True)
class Hit:
    """One search hit as the secondary returned it.

    :attr source: the stored JSON object, or ``None`` for a search of ids only.
    """

    id: str
    source: Mapping[str, Any] | None
    score: float | None = None


@dataclass(slots=True)
class Page(Sequence[T], Generic[T]):
    """An answer of either engine: items, and where they stand in the whole.

    :attr total: how many items match, before ``limit`` and ``start``.
    :attr took: milliseconds that the engine says it needed; ``None`` if it
        does not say.
    :attr engine: name of the engine that answered.
    """

    items: Sequence[T]
    total: int
    start: int = 0
    limit: int | None = None
    took: int | None = None
    engine: str = ""
    fields: tuple[str, ...] | None = None
    aggregations: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @property
    def _nefertari_meta(self) -> dict[str, Any]:
        return {
            "total": self.total,
            "start": self.start,
            "fields": list(self.fields or ()),
            "took": self.took,
        }
