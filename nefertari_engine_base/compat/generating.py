"""From the models of nefertari to their documents, once all of them are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.schema import Nested, SecondaryOptions


def add_documents(engines: Engines, models: Iterable[Any]) -> None:
    """Generate the documents of those of these models that want some, and have none.

    :param models: subclasses of :class:`~nefertari_engine_base.compat.models.Model`.
    """
    for model in models:
        wanted = getattr(model, "_index_enabled", False)
        if wanted and engines.options_of(model) is None:
            engines.add_model(model, SecondaryOptions(nested=dict(_embedded(model))))
    engines.complete()


def _embedded(
    model: Any, depth: int | None = None, path: str = ""
) -> Iterator[tuple[str, Nested]]:
    """Every relation: by the key of what it leads to, or whole if it is nested."""
    depth = model._nesting_depth if depth is None else depth
    for name, (target, _, _) in model._relations().items():
        if depth > 0 and name in model._nested_relationships:
            yield path + name, Nested()
            yield from _embedded(target, depth - 1, f"{path}{name}.")
        else:
            yield path + name, Nested(fields=(target.pk_field(),))
