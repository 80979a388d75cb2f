"""Subscriber predicates of the events of changes."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator


class ForModels:
    """``for_models=(Movie, Person)``: events of these models and their subclasses.

    An event after commit matches if any of its changes is of one of the models.
    """

    def __init__(self, models: type | tuple[type, ...], config: Configurator) -> None:
        self.models = models if isinstance(models, tuple) else (models,)

    def text(self) -> str:
        """What ``proutes`` and its likes show."""
        names = ", ".join(model.__name__ for model in self.models)
        return f"for_models = ({names})"

    phash = text

    def __call__(self, event: Any) -> bool:
        """Whether the subscriber wants the event."""
        model = getattr(event, "model", None)
        if model is not None:
            return issubclass(model, self.models)
        names = {
            cls.__name__ for model in self.models for cls in _with_subclasses(model)
        }
        return any(change.ref.model in names for change in event.changes)


def _with_subclasses(model: type) -> set[type]:
    found = {model}
    subclass: type
    for subclass in model.__subclasses__():
        found |= _with_subclasses(subclass)
    return found
