"""How a request changes a list or an object: by what it adds and takes away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nefertari_engine_base.compat.errors import bad_request


def changed_object(
    current: Mapping[str, Any] | None, change: Mapping[str, Any] | str | None
) -> dict[str, Any]:
    """An object with some keys set, and those named with ``-`` taken away.

    :param change: ``None`` and ``""`` take all of them away.
    """
    if not change or isinstance(change, str):
        return {}
    value = dict(current or {})
    added, removed = _split(change)
    for key in removed:
        value.pop(key, None)
    for key in added:
        value[key.strip()] = change[key]
    return value


def changed_list(
    current: Iterable[Any] | None,
    change: Mapping[str, Any] | Iterable[Any] | str | None,
    unique: bool,
) -> list[Any]:
    """A list with some items added, and those named with ``-`` taken away.

    :param change: the items, or an object whose keys are the items; ``None`` and ``""``
        take all of them away.
    :param unique: add none that is there.
    :raises JHTTPBadRequest: if the change names nothing.
    """
    if change is None or change == "":
        return []
    items = [change] if isinstance(change, str) else list(change)
    added, removed = _split(items)
    if not added and not removed:
        raise bad_request("Missing params")
    value = list(current or ())
    for item in added:
        if not unique or item not in value:
            value.append(item)
    return [item for item in value if str(item) not in removed]


def _split(keys: Iterable[Any]) -> tuple[list[Any], set[str]]:
    """What is added, and what is taken away; what begins with ``__`` is neither."""
    added, removed = [], set()
    for key in keys:
        if not isinstance(key, str):
            added.append(key)
        elif key.startswith("-"):
            removed.add(key[1:])
        elif not key.startswith("__"):
            added.append(key)
    return added, removed
