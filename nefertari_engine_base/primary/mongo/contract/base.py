"""The classes that models of nefertari are made by."""

from __future__ import annotations

import sys
from typing import Any

from mongoengine.base.metaclasses import TopLevelDocumentMetaclass

from nefertari_engine_base.primary.mongo.contract import registry, relations


class DocumentMeta(TopLevelDocumentMetaclass):
    """Metaclass of models: knows them by their names, and connects their relations."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **_: Any
    ) -> Any:
        """Make a model."""
        # A class that is made by a call would be said to be of MongoEngine's module.
        caller = sys._getframe(1).f_globals.get("__name__", __name__)
        namespace.setdefault("__module__", caller)
        return super().__new__(mcs, name, bases, namespace)

    def __init__(
        self, name: str, bases: tuple[type, ...], namespace: Any, **_: Any
    ) -> None:
        super().__init__(name, bases, namespace)
        model: Any = self
        if not model._meta.get("abstract"):
            registry.add(self)
            relations.declare(self)


class ESMetaclass(DocumentMeta):
    """Metaclass of models that have documents in the secondary."""
