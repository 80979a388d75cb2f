"""Relations that a class declares beside its fields: by keys that plain fields hold.

A reference of MongoEngine leads one way. A link is a relation as SQL has it: one side
stores keys, in a field that both sides name, and both can be embedded. What is stored
once cannot contradict itself, however many write at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nefertari_engine_base.primary.mongo.order import identity

_ATTRIBUTE = "_links"


@dataclass(frozen=True, kw_only=True)
class Link:
    """One direction of a relation. Exactly one of the two fields is given.

    :attr name: of the relation, in the class that it leads from.
    :attr target: the class that it leads to.
    :attr many: whether it leads to several.
    :attr owner_field: field of the class itself that holds the target's key, or a list
        of keys.
    :attr target_field: field of the target that holds the key of the class, or a list
        of keys.
    :attr hidden: the field is there for the relation alone, and so no field of a
        document.
    :attr attach: of an instance, the link and what it leads to; keeps that for who asks
        the instance.
    """

    name: str
    target: Any
    many: bool
    owner_field: str | None = None
    target_field: str | None = None
    hidden: bool = False
    attach: Callable[[Any, Link, list[Any]], None] | None = None


def add_link(model: Any, link: Link) -> None:
    """Let a class have a relation."""
    setattr(model, _ATTRIBUTE, {**vars(model).get(_ATTRIBUTE, {}), link.name: link})


def links_of(model: Any) -> Mapping[str, Link]:
    """The links of a class by their names, inherited ones included."""
    found: dict[str, Link] = {}
    for owner in reversed(model.__mro__):
        found.update(vars(owner).get(_ATTRIBUTE, {}))
    return found


def stored_field(model: Any, relation: str) -> str | None:
    """The field of a class that holds the keys which a relation leads to; ``None`` if
    others hold the class's."""
    link = links_of(model).get(relation)
    return relation if link is None else link.owner_field


def link_fields(model: Any) -> frozenset[str]:
    """Fields of a class that are there for links alone."""
    links = links_of(model).values()
    return frozenset(
        link.owner_field for link in links if link.hidden and link.owner_field
    )


def keys_in(values: Iterable[Any]) -> list[Any]:
    """The keys in values of a field that holds one key, or a list of keys."""
    found: dict[Hashable, Any] = {}
    for value in values:
        for key in value if isinstance(value, list) else [value]:
            if key is not None:
                found.setdefault(identity(key), key)
    return list(found.values())


def in_order(keys: Iterable[Any]) -> list[Any]:
    """Keys as MongoDB would sort them.

    It checks no types, and Python orders no values of different ones.
    """
    return sorted(keys, key=lambda key: (type(key).__name__, key))
