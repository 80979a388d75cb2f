"""What relations of instances are: read when they are asked for, written when the
instance is saved.

A relation that the instance itself holds the key of is written with it. One that others
hold the key of is written to these, after the instance.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mongoengine as me

from nefertari_engine_base.primary.mongo.keys import stored_name
from nefertari_engine_base.primary.mongo.links import Link, links_of

_VALUES = "_related"


class _Value:
    """What an instance shows for a relation, and what the database has for it.

    :attr known: as it was read; ``None`` if it was set, and not read.
    :attr is_fresh: whether it was read with the instance, and nobody has asked yet.
    """

    __slots__ = ("is_fresh", "known", "shown")

    def __init__(
        self, shown: Any, known: list[Any] | None, is_fresh: bool = False
    ) -> None:
        self.shown = shown
        self.known = known
        self.is_fresh = is_fresh

    @property
    def is_changed(self) -> bool:
        return self.known is None or self.known != _listed(self.shown)


def get(instance: Any, link: Link) -> Any:
    """The related object, or a list of them, which may be changed in place."""
    values = _values(instance)
    value: _Value | None = values.get(link.name)
    if value is not None and (value.is_changed or value.is_fresh):
        value.is_fresh = False
        return value.shown
    found = _read(instance, link, value)
    if not link.many:
        shown = found[0] if found else None
    elif value is None:
        shown = list(found)
    else:
        # Who has the list already, may still change it.
        shown = value.shown
        shown[:] = found
    values[link.name] = _Value(shown, found)
    return shown


def set_to(instance: Any, link: Link, value: Any) -> None:
    """Let a relation lead to other objects; their keys will do, too."""
    if link.many and value is None:
        value = []
    _values(instance)[link.name] = _Value(value, None)
    if link.owner_field is not None and all(_is_stored(v) for v in _listed(value)):
        _hold_keys(instance, link, value)


def related_keys(instance: Any, link: Link) -> Any:
    """The key that a relation leads to, or a list of keys; asks for no more."""
    value = _values(instance).get(link.name)
    if value is not None and value.is_changed:
        keys = [_key_of(item) for item in _listed(value.shown)]
    elif link.owner_field is not None:
        keys = _listed(instance._data.get(link.owner_field))
    else:
        keys = _keys_of_holders(instance, link)
    return keys if link.many else next(iter(keys), None)


def hold_keys(instance: Any) -> None:
    """Before an instance is saved: take the keys of what was set, which is saved if it
    is not yet."""
    for link, value in _changed(instance):
        if link.owner_field is not None:
            for item in _listed(value.shown):
                if not _is_stored(item):
                    item.save()
            _hold_keys(instance, link, value.shown)


def give_keys(instance: Any) -> None:
    """After an instance is saved: let others hold its key, or no more."""
    for link, value in _changed(instance):
        if link.target_field is not None:
            _give_key(instance, link, _listed(value.shown))
    _values(instance).clear()


def put(instance: Any, link: Link, found: list[Any]) -> None:
    """Remember what was read for a relation together with the instance."""
    shown = list(found) if link.many else next(iter(found), None)
    _values(instance)[link.name] = _Value(shown, found, is_fresh=True)


def _values(instance: Any) -> dict[str, _Value]:
    values: dict[str, _Value] = instance.__dict__.setdefault(_VALUES, {})
    return values


def _changed(instance: Any) -> list[tuple[Link, _Value]]:
    links = links_of(type(instance))
    return [
        (links[name], value)
        for name, value in _values(instance).items()
        if value.is_changed
    ]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _is_stored(item: Any) -> bool:
    """Whether there is a document of an instance, or of a key."""
    if not isinstance(item, me.Document):
        return True
    stored: bool = getattr(item, "_is_stored", item.pk is not None)
    return stored


def _key_of(item: Any) -> Any:
    return item.pk if isinstance(item, me.Document) else item


def _hold_keys(instance: Any, link: Link, shown: Any) -> None:
    keys = [_key_of(item) for item in _listed(shown)]
    held = keys if link.many else next(iter(keys), None)
    setattr(instance, link.owner_field or "", held)


# --- reading -----------------------------------------------------------------------


def _read(instance: Any, link: Link, value: _Value | None) -> list[Any]:
    if link.owner_field is None:
        return _holders(instance, link)
    keys = _listed(instance._data.get(link.owner_field))
    known = [] if value is None else value.known or []
    if known and [item.pk for item in known] == keys:
        return known
    found = link.target.objects(pk__in=keys)
    by_key = {item.pk: item for item in found} if keys else {}
    return [by_key[key] for key in keys if key in by_key]


def _holders(instance: Any, link: Link) -> list[Any]:
    if instance.pk is None:
        return []
    chosen = link.target.objects(**{link.target_field or "": instance.pk})
    return list(chosen.order_by("pk"))


def _keys_of_holders(instance: Any, link: Link) -> list[Any]:
    if instance.pk is None:
        return []
    field = instance._fields[instance._meta["id_field"]]
    query = {
        stored_name(link.target, link.target_field or ""): field.to_mongo(instance.pk)
    }
    collection = link.target._get_collection()
    key = link.target._fields[link.target._meta["id_field"]]
    found = collection.find(query, {"_id": True}).sort("_id", 1)
    return [key.to_python(raw["_id"]) for raw in found]


# --- writing -----------------------------------------------------------------------


def _give_key(instance: Any, link: Link, wanted: Iterable[Any]) -> None:
    """Let these, and no others, hold the key of an instance."""
    name, target = link.target_field or "", link.target
    in_list = isinstance(target._fields[name], me.ListField)
    add, remove = ("add_to_set", "pull") if in_list else ("set", "unset")
    before = set(_keys_of_holders(instance, link))
    items = list(wanted)
    after = {_key_of(item) for item in items}
    gone = before - after
    if gone:
        target.objects(pk__in=list(gone)).update(**{f"{remove}__{name}": instance.pk})
    for item in items:
        if not isinstance(item, me.Document) or (in_list and _is_stored(item)):
            chosen = target.objects(pk=_key_of(item))
            chosen.update(**{f"{add}__{name}": instance.pk})
        elif in_list:
            setattr(item, name, [*(getattr(item, name) or ()), instance.pk])
            item.save()
        elif item.pk not in before or not _is_stored(item) or item._is_modified():
            setattr(item, name, instance.pk)
            item.save()
