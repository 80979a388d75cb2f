"""From the models of nefertari to their documents, once all of them are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyramid.config import Configurator

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.primary.mongo.contract import relations
from nefertari_engine_base.primary.mongo.contract.registry import get_document_classes
from nefertari_engine_base.primary.mongo.links import links_of
from nefertari_engine_base.schema import Nested, SecondaryOptions


def setup_database(config: Configurator) -> None:
    """Give every model that wants them documents, and create indexes and indices.

    Ramses calls it when its models are generated. What is added to a model afterwards,
    relations that lead back to it among them, is in no document.
    """
    config.commit()
    engines = engines_of(config.registry)
    add_documents(engines)
    engines.setup_database()


def add_documents(engines: Engines) -> None:
    """Generate the documents of models that have none yet.

    :raises ConfigurationError: if a relation leads to no model.
    """
    relations.check_all_connected()
    for model in get_document_classes().values():
        wanted = getattr(model, "_index_enabled", False)
        if wanted and engines.options_of(model) is None:
            engines.add_model(model, SecondaryOptions(nested=dict(_embedded(model))))
    engines.complete()


def _embedded(
    model: Any, depth: int | None = None, path: str = ""
) -> Iterator[tuple[str, Nested]]:
    """Every relation: by the key of what it leads to, or whole if it is nested."""
    depth = model._nesting_depth if depth is None else depth
    for name, link in links_of(model).items():
        if depth > 0 and name in model._nested_relationships:
            yield path + name, Nested()
            yield from _embedded(link.target, depth - 1, f"{path}{name}.")
        else:
            yield path + name, Nested(fields=(link.target.pk_field(),))
