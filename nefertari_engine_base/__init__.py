"""A second life in a search engine for the models of a Pyramid application.

``config.include("nefertari_engine_base")`` includes the engines that the setting
``nefertari.engine`` names, and adds:

* directives ``config.add_secondary``, ``config.add_primary_engine``,
  ``config.add_secondary_engine``,
* the subscriber predicate ``for_models``,
* ``request.engines`` and ``request.sync_status``,
* an exception view that answers errors of the family with their HTTP status.
"""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.events import ApplicationCreated

from nefertari_engine_base.config import (
    add_primary_engine,
    add_secondary,
    add_secondary_engine,
    engine_error_view,
    engines_of_request,
    secondary,
    setup_database,
    sync_status_of_request,
)
from nefertari_engine_base.document_fields import document_field
from nefertari_engine_base.engines import Engines, engines_of, secondary_of
from nefertari_engine_base.events import (
    ChangesCommitted,
    DeliveryEnded,
    DocumentCreated,
    DocumentDeleted,
    DocumentsChanged,
    DocumentUpdated,
    TableChanging,
)
from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.interfaces import (
    IEngines,
    IInTransaction,
    ITableChanging,
)
from nefertari_engine_base.predicates import ForModels
from nefertari_engine_base.query.queryable import Queryable
from nefertari_engine_base.schema import Nested, Reindex
from nefertari_engine_base.settings import EngineSettings
from nefertari_engine_base.sync import suspended
from nefertari_engine_base.sync.capture import TouchDocuments, TouchRows
from nefertari_engine_base.sync.visibility import visibility

__all__ = [
    # Declaring models
    "Nested",
    "Queryable",
    "Reindex",
    "document_field",
    "secondary",
    "secondary_of",
    # Events
    "ChangesCommitted",
    "DeliveryEnded",
    "DocumentCreated",
    "DocumentDeleted",
    "DocumentUpdated",
    "DocumentsChanged",
    "TableChanging",
    # The rest
    "EngineError",
    "Engines",
    "engines_of",
    "includeme",
    "setup_database",
    "suspended",
    "visibility",
]  # fmt: skip


def includeme(config: Configurator) -> None:
    """Set up the base, and include the engines of ``nefertari.engine``.

    An application that has them keeps them, whichever configurator includes it again.
    """
    if config.registry.queryUtility(IEngines) is not None:
        return
    settings = EngineSettings.from_settings(config.get_settings())
    engines = Engines(config.registry, settings)
    config.registry.registerUtility(engines, IEngines)

    config.add_directive("add_secondary", add_secondary)
    config.add_directive("add_primary_engine", add_primary_engine)
    config.add_directive("add_secondary_engine", add_secondary_engine)
    config.add_subscriber_predicate("for_models", ForModels)
    config.add_subscriber(TouchDocuments(engines), IInTransaction)
    config.add_subscriber(TouchRows(engines), ITableChanging)
    # Models may be added in several commits: only then are all of them known.
    config.add_subscriber(engines.check_settings, ApplicationCreated)
    config.add_subscriber(engines.check_triggers, ApplicationCreated)
    config.add_request_method(engines_of_request, "engines", reify=True)
    config.add_request_method(sync_status_of_request, "sync_status", reify=True)
    config.add_exception_view(engine_error_view, context=EngineError)

    for engine in settings.engines:
        config.include(engine)
