"""Mapped classes of many kinds, in small families; none of them knows of us.

A program is about one family. What may be written to a class, programs find out by
looking at its mapper.
"""

from __future__ import annotations

from tests.differential.families import (
    books,
    concrete,
    joined,
    keys,
    odd,
    single,
    soft,
    tags,
    trees,
)
from tests.differential.families.family import Family

FAMILIES: dict[str, Family] = {
    family.name: family
    for module in (books, tags, single, joined, concrete, keys, trees, odd, soft)
    for family in module.FAMILIES
}

__all__ = ["FAMILIES", "Family"]
