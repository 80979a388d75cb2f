"""A write of many documents by their keys, as several statements of one command.

A statement that names a thousand keys costs some servers of the protocol the square of
their number. To those that find each key in an index it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import pymongo.collection
from pymongo import DeleteMany, UpdateMany
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from pymongo.results import BulkWriteResult

#: So many keys are in one statement. The servers that take the square of it take about
#: as long for the statements themselves from here on downwards.
KEYS_OF_A_STATEMENT = 20

#: Options of a write that are a statement's own; the others are the command's.
_OF_A_STATEMENT = frozenset({"collation", "hint", "array_filters"})
_OF_A_COMMAND = frozenset({"session", "comment", "let", "bypass_document_validation"})

_DUPLICATE_KEY, _TIMED_OUT = 11000, 64

Query = Mapping[str, Any]
RawCollection = pymongo.collection.Collection[dict[str, Any]]


def can_be_parted(options: Mapping[str, Any]) -> bool:
    """Whether a write with these options can be made of statements."""
    return options.keys() <= _OF_A_STATEMENT | _OF_A_COMMAND


def statements(keys: Iterable[Any]) -> Iterator[list[Any]]:
    """Keys, so many at a time as one statement names."""
    listed = list(keys)
    for start in range(0, len(listed), KEYS_OF_A_STATEMENT):
        yield listed[start : start + KEYS_OF_A_STATEMENT]


def update_parts(
    collection: RawCollection,
    queries: Sequence[Query],
    update: Any,
    options: Mapping[str, Any],
) -> BulkWriteResult:
    """Update what each of these finds; errors are those of ``update_many``."""
    own = {name: value for name, value in options.items() if name in _OF_A_STATEMENT}
    parts = [UpdateMany(query, update, **own) for query in queries]
    return _write(collection, parts, options)


def delete_parts(
    collection: RawCollection, queries: Sequence[Query], options: Mapping[str, Any]
) -> BulkWriteResult:
    """Delete what each of these finds; errors are those of ``delete_many``."""
    own = {name: value for name, value in options.items() if name in _OF_A_STATEMENT}
    parts = [DeleteMany(query, **own) for query in queries]
    return _write(collection, parts, options)


def _write(
    collection: RawCollection,
    parts: Sequence[UpdateMany | DeleteMany],
    options: Mapping[str, Any],
) -> BulkWriteResult:
    shared = {name: value for name, value in options.items() if name in _OF_A_COMMAND}
    try:
        # Not the collection's own, of which nobody would know what it writes. In order,
        # as one statement would: the first that is refused is the last.
        return pymongo.collection.Collection.bulk_write(
            collection, parts, ordered=True, **shared
        )
    except BulkWriteError as error:
        _raise_as_one(error)


def _raise_as_one(error: BulkWriteError) -> NoReturn:
    """Raise what PyMongo raises where one statement has failed so."""
    if errors := error.details.get("writeErrors"):
        last = errors[-1]
        is_duplicate = last.get("code") == _DUPLICATE_KEY
        kind = DuplicateKeyError if is_duplicate else WriteError
        raise kind(last.get("errmsg"), last.get("code"), last) from None
    last = error.details["writeConcernErrors"][-1]
    timed_out = last.get("code") == _TIMED_OUT
    concern = WTimeoutError if timed_out else WriteConcernError
    raise concern(last.get("errmsg"), last.get("code"), last) from None
