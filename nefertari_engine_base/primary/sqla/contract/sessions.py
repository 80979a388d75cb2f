"""The engine that models of nefertari are stored by, and its current session."""

from __future__ import annotations

from typing import Any

from pyramid.threadlocal import get_current_registry
from sqlalchemy.orm import Session

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.interfaces import IEngines
from nefertari_engine_base.primary.sqla.engine import SQLAlchemyEngine

_LATEST: list[SQLAlchemyEngine] = []


def use(engine: SQLAlchemyEngine) -> None:
    """Store the models by this engine where no application is running."""
    _LATEST[:] = [engine]


def current_session() -> Session:
    """The session of the current request, else one that joins the transaction of this
    thread, for scripts, shells and the time of configuration.

    :raises ConfigurationError: if no application has been configured.
    """
    return current_engine().sessions.joined()


def current_engine() -> SQLAlchemyEngine:
    """The engine of the running application, else of the one configured last.

    :raises ConfigurationError: if no application has been configured.
    """
    engines: Any = get_current_registry().queryUtility(IEngines)
    found = engines.primaries.get(SQLAlchemyEngine.name) if engines else None
    if isinstance(found, SQLAlchemyEngine):
        return found
    if not _LATEST:
        raise ConfigurationError(
            "There is no database yet: include nefertari.engine, with "
            "nefertari_engine_base.primary.sqla in it, before models are read."
        )
    return _LATEST[-1]
