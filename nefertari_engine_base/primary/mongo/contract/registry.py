"""The models of nefertari by their names."""

from __future__ import annotations

from typing import Any

_CLASSES: dict[str, Any] = {}


def add(model: type) -> None:
    """Know a model by its name; the last one of a name counts."""
    _CLASSES[model.__name__] = model


def find(name: str) -> Any:
    """The model of a name; ``None`` if there is none."""
    return _CLASSES.get(name)


def find_table(name: str) -> Any:
    """The model whose ``__tablename__`` this is; ``None`` if there is none."""
    found = (m for m in _CLASSES.values() if getattr(m, "__tablename__", None) == name)
    return next(found, None)


def get_document_cls(name: str) -> type:
    """The model of a name. :raises ValueError: if there is none."""
    try:
        model: type = _CLASSES[name]
    except KeyError:
        raise ValueError(f"MongoEngine model `{name}` does not exist") from None
    return model


def get_document_classes() -> dict[str, type]:
    """Every model by its name, abstract ones left out."""
    return dict(_CLASSES)
