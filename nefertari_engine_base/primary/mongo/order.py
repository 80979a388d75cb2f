"""The order of values of different types, as MongoDB sorts them.

Comparisons such as ``$gt`` find values of the same rank alone, so that what comes
behind a key is asked for in two questions.

https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from bson import DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp

#: Types of Python, and numbers of BSON's types, from the lowest rank to the highest.
_RANKS: tuple[tuple[tuple[type, ...], tuple[int, ...]], ...] = (
    ((MinKey,), (-1,)),
    ((type(None),), (10,)),
    ((int, float, Decimal128), (1, 16, 18, 19)),
    ((str,), (2,)),
    ((Mapping, DBRef), (3,)),
    ((list, tuple), (4,)),
    ((bytes, UUID), (5,)),
    ((ObjectId,), (7,)),
    ((bool,), (8,)),
    ((datetime,), (9,)),
    ((Timestamp,), (17,)),
    ((Regex, re.Pattern), (11,)),
    ((MaxKey,), (127,)),
)
# Code and symbols are left out: not every server that speaks the protocol knows them.


def rank_of(value: Any) -> int:
    """The rank of a value's type: values of a lower rank come before it."""
    if isinstance(value, bool):
        return _BOOL  # an int in Python
    for rank, (types, _) in enumerate(_RANKS):
        if isinstance(value, types):
            return rank
    return len(_RANKS)


_BOOL = next(rank for rank, (types, _) in enumerate(_RANKS) if bool in types)


def types_behind(value: Any) -> list[int]:
    """Numbers of BSON's types whose values all come behind this one."""
    return [number for _, numbers in _RANKS[rank_of(value) + 1 :] for number in numbers]


def identity(value: Any) -> Hashable:
    """Is the same of values that MongoDB takes for the same key, and of no others."""
    rank = rank_of(value)
    if isinstance(value, Decimal128):
        return rank, value.to_decimal()
    if isinstance(value, Mapping | list | tuple):
        return rank, repr(value)
    return rank, value


def sort_key(value: Any) -> tuple[int, Any]:
    """Sorts values as MongoDB does, as far as Python can compare them."""
    rank = rank_of(value)
    if isinstance(value, Decimal128):
        return rank, value.to_decimal()
    if isinstance(value, UUID):
        value = value.bytes
    if isinstance(value, bytes):
        return rank, (len(value), bytes(value))
    if isinstance(value, int | float | str | ObjectId | datetime):
        return rank, value
    return rank, repr(value)
