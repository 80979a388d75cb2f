"""Nefertari's parameters of pages and names, for reads of a primary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def split_names(value: Any) -> list[str]:
    """Names that are separated by commas, or are a list already."""
    if value is None:
        return []
    items = value.split(",") if isinstance(value, str) else list(value)
    names = [item.strip() if isinstance(item, str) else item for item in items]
    return [name for name in names if name != ""]


def limits(params: Mapping[str, Any]) -> tuple[int, int]:
    """The first row and how many, of ``_limit`` and ``_start`` or ``_page``.

    :raises ValueError: for both of these, a negative number, or none at all.
    """
    start, page = params.get("_start"), params.get("_page")
    if start is not None and page is not None:
        raise ValueError("Can not specify _start and _page at the same time")
    limit = int(params["_limit"])
    first = int(start) if start is not None else int(page or 0) * limit
    if limit < 0 or first < 0:
        raise ValueError("_limit/_page or _limit/_start can not be < 0")
    return first, limit
