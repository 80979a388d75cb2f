"""Directives, the decorator, and how errors of the family answer a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import venusian
from pyramid.config import Configurator
from pyramid.httpexceptions import status_map
from pyramid.request import Request
from pyramid.response import Response

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.interfaces import IPrimaryEngine, ISecondaryEngine
from nefertari_engine_base.schema import Nested, SecondaryOptions
from nefertari_engine_base.sync.status import sync_status
from nefertari_engine_base.values import SyncStatus

M = TypeVar("M", bound=type)

#: Engines and models are known before the documents are generated.
ORDER_ENGINES = -10
ORDER_MODELS = 10
ORDER_COMPLETE = 1000


def secondary(
    *,
    nested: Mapping[str, Nested] | Sequence[str] = (),
    fields: Mapping[str, Any] | None = None,
    exclude: Sequence[str] = (),
    query_secondary: bool | None = None,
    when: Callable[[type], Any] | None = None,
) -> Callable[[M], M]:
    """Give a model documents in the secondary engine; found by ``config.scan``.

    :param nested: relations to embed: names or dotted paths, or a mapping of them to
        :class:`~nefertari_engine_base.schema.Nested`.
    :param fields: the secondary engine's own field for a name, where its table of
        types would choose another: ``{"title": Text(fields={"raw": Keyword()})}``.
    :param exclude: names of fields that stay out of the index.
    :param query_secondary: whether collection queries of this model go to the
        secondary; overrides the setting ``nefertari.query_secondary``.
    :param when: makes of the class the condition under which a row has a document:
        ``when=lambda model: model.published``. It looks at columns of the class only,
        since a change of anything else is not followed.
    """

    def decorate(model: M) -> M:
        def register(scanner: Any, name: str, decorated: type) -> None:
            # A subclass inherits the decorator's mark, and is not meant by it.
            if decorated is model:
                scanner.config.add_secondary(
                    model,
                    nested=nested,
                    fields=fields,
                    exclude=exclude,
                    query_secondary=query_secondary,
                    when=when,
                )

        # The category that config.scan looks for unless told otherwise.
        venusian.attach(model, register, category="pyramid")
        return model

    return decorate


def add_secondary(
    config: Configurator,
    model: type,
    *,
    nested: Mapping[str, Nested] | Sequence[str] = (),
    fields: Mapping[str, Any] | None = None,
    exclude: Sequence[str] = (),
    query_secondary: bool | None = None,
    when: Callable[[type], Any] | None = None,
) -> None:
    """Directive: what :func:`secondary` does, without a scan.

    Two declarations for one model are a conflict that names both places.
    """
    model = config.maybe_dotted(model)
    engines = engines_of(config.registry)
    options = SecondaryOptions.of(
        nested=nested,
        fields=fields,
        exclude=exclude,
        query_secondary=query_secondary,
        when=when,
    )
    introspectable = config.introspectable(
        "secondary models", model, f"{model.__module__}.{model.__qualname__}", "model"
    )
    introspectable["options"] = options
    config.action(
        ("nefertari secondary", model),
        lambda: engines.add_model(model, options),
        order=ORDER_MODELS,
        introspectables=(introspectable,),
    )
    _complete_later(config, engines)


def add_primary_engine(config: Configurator, engine: IPrimaryEngine) -> None:
    """Directive: make an engine known that owns data."""
    engines = engines_of(config.registry)
    config.action(
        ("nefertari primary engine", engine.name),
        lambda: engines.add_primary(engine),
        order=ORDER_ENGINES,
    )
    _complete_later(config, engines)


def add_secondary_engine(config: Configurator, engine: ISecondaryEngine) -> None:
    """Directive: make an engine known that holds documents of the models."""
    engines = engines_of(config.registry)
    config.action(
        ("nefertari secondary engine", engine.name),
        lambda: engines.add_secondary(engine),
        order=ORDER_ENGINES,
    )
    _complete_later(config, engines)


def _complete_later(config: Configurator, engines: Engines) -> None:
    # Without a discriminator, so that any number of them get along; the first one of
    # a commit does the work, the others find it done.
    config.action(None, engines.complete, order=ORDER_COMPLETE)


def setup_database(config: Configurator) -> None:
    """Create what the engines lack: tables, the outbox, indices.

    Commits the configuration, so that every model is known. Safe to call each time
    an application starts.
    """
    config.commit()
    engines_of(config.registry).setup_database()


def engines_of_request(request: Request) -> Engines:
    """Request property ``engines``: the engines of the application."""
    return engines_of(request.registry)


def sync_status_of_request(request: Request) -> SyncStatus:
    """Request property ``sync_status``: what waits to be indexed, asked once."""
    return sync_status(engines_of(request.registry))


def engine_error_view(error: EngineError, request: Request) -> Response:
    """Exception view: an error of the family, as JSON or in words, with its status.

    A registered view for :exc:`~.exceptions.EngineError` of the application's own
    takes its place.
    """
    if error.status >= 500 and error.status not in (502, 503):
        raise error
    response: Response = status_map[error.status](detail=str(error))
    return response
