"""What computed fields can read of documents: fields, and what can be followed back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import mongoengine as me

from nefertari_engine_base.primary.mongo.relations import inline_class, reference_of
from nefertari_engine_base.primary.mongo.types import (
    REFERENCES,
    key_field_of,
    target_of,
)


class DocumentAttributes:
    """See :class:`~nefertari_engine_base.dependencies.Attributes`.

    :param model: a class of documents, or of embedded ones.
    """

    nouns = ("field", "relation")

    def __init__(self, model: Any) -> None:
        self._model = model
        names = [name for name in model._fields_ordered if name != "_cls"]
        self._targets = {
            name: target
            for name in names
            if (target := _target(model._fields[name])) is not None
        }
        self._names = [name for name in names if name not in self._targets]

    @property
    def model(self) -> type:
        """See :class:`~nefertari_engine_base.dependencies.Attributes`."""
        model: type = self._model
        return model

    @property
    def fields(self) -> Collection[str]:
        """Names of the fields that lead to no other document."""
        return self._names

    @property
    def relations(self) -> Collection[str]:
        """Names of embedded documents, of references, and of lists of them."""
        return self._targets

    def resolve(self, name: str) -> str:
        """``pk`` stands for the key of the class."""
        meta = getattr(self._model, "_meta", {})
        key: str | None = meta.get("id_field") if name == "pk" else None
        return key or name

    def behind(self, relation: str) -> DocumentAttributes:
        """What can be read of the documents that a relation leads to."""
        return DocumentAttributes(self._targets[relation])

    def problem(self, name: str) -> str | None:
        """Why a field cannot be read beforehand, and followed."""
        if name in self._targets:
            return None
        return problem_of(self._model._fields[name])


_PROBLEMS = (
    (
        (me.GenericReferenceField, me.CachedReferenceField),
        "is a {}, which cannot be followed back. Depend on a ReferenceField.",
    ),
    (
        REFERENCES,
        "has a {} where no query finds its key, or to a class that has no collection. "
        "Depend on a ReferenceField to a class of documents, or on a list of them.",
    ),
    (me.FileField, "is a {}, whose contents GridFS keeps in other collections."),
)


def problem_of(field: Any) -> str | None:
    """Why what a plain field holds cannot all be read beforehand, and followed."""
    while field is not None:
        for classes, reason in _PROBLEMS:
            if isinstance(field, classes):
                return reason.format(type(field).__name__)
        field = getattr(field, "field", None)
    return None


def _target(field: Any) -> Any:
    """The class that a field leads to; ``None`` if it is a plain field, or leads to
    what has no collection."""
    inline = inline_class(field)
    if inline is not None:
        return inline[0]
    reference = reference_of(field)
    if reference is None:
        return None
    target = target_of(reference[0])
    return None if target is None or key_field_of(target) is None else target
