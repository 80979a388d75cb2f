"""What fields of MongoEngine lead to: embedded documents, and documents elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mongoengine as me

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.mongo.types import REFERENCES


def inline_class(field: Any) -> tuple[Any, bool] | None:
    """The class of the embedded documents of a field, and whether there are many;
    ``None`` if the field holds something else."""
    if isinstance(field, me.EmbeddedDocumentField):
        return field.document_type, False
    if isinstance(field, me.ListField) and isinstance(
        field.field, me.EmbeddedDocumentField
    ):
        return field.field.document_type, True
    return None


def reference_of(field: Any) -> tuple[Any, bool] | None:
    """The reference that a field is, or is a list of, and whether it is a list;
    ``None`` if the field holds something else."""
    if isinstance(field, REFERENCES):
        return field, False
    if isinstance(field, me.ListField) and isinstance(field.field, REFERENCES):
        return field.field, True
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents of a class hold what a relation leads to.

    :attr owner: name of the class, for messages.
    :attr name: of the relation.
    :attr stored: its name in MongoDB.
    """

    owner: str
    name: str
    stored: str
    many: bool

    def held(self, raw: Mapping[str, Any]) -> list[Any]:
        """What a raw document holds there. :raises ConversionError:"""
        value = raw.get(self.stored)
        if value is None:
            return []
        if not self.many:
            return [value]
        if not isinstance(value, list):
            raise ConversionError(
                f"{self.owner}.{self.name}: {value!r} cannot be written to a document: "
                f"it is no list"
            )
        return [item for item in value if item is not None]
