"""Access control lists in documents of MongoEngine, and what MongoDB says of them."""

from __future__ import annotations

from typing import Any

import mongoengine as me

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.mongo.types import register_field
from nefertari_engine_base.values import access
from nefertari_engine_base.values.access import Access, Entry


class AccessListField(me.ListField):  # type: ignore[misc]
    """A list of entries; see :mod:`nefertari_engine_base.values.access`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)

    def validate(self, value: Any) -> None:
        """Refuse what is no list of entries."""
        try:
            access.checked(value)
        except ValueError as error:
            self.error(str(error))


register_field(AccessListField, Kind.ACL)


def answers(name: str, asked: Access | Entry) -> dict[str, Any]:
    """The query for documents whose list lets somebody in, or holds an entry.

    :param name: of the stored field.
    """
    if isinstance(asked, Entry):
        return {name: {"$elemMatch": asked.as_dict()}}
    matching = {
        "$filter": {
            "input": {"$ifNull": [f"${name}", []]},
            "as": "entry",
            "cond": {
                "$and": [
                    _one_of(access.PRINCIPAL, asked.principals),
                    _one_of(access.PERMISSION, asked.permissions),
                ]
            },
        }
    }
    actions = {"$map": {"input": matching, "as": "entry", "in": "$$entry.action"}}
    return {"$expr": {"$eq": [{"$arrayElemAt": [actions, 0]}, access.ALLOW]}}


def _one_of(part: str, words: frozenset[str]) -> dict[str, Any]:
    # Words are no expressions, whatever they begin with.
    return {"$in": [f"$$entry.{part}", {"$literal": sorted(words)}]}
