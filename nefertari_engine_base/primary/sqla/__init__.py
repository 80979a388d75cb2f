"""SQLAlchemy as the primary engine: ordinary declarative models, SQLite or PostgreSQL.

Include it by ``nefertari.engine = nefertari_engine_base.primary.sqla``; it makes its
engine from the settings ``sqlalchemy.*``. An application that has an engine of its
own calls ``config.add_primary_engine(SQLAlchemyEngine(engine))`` instead.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pyramid.config import Configurator

from nefertari_engine_base.compat.names import CONTRACT
from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.exceptions import ConfigurationError

try:
    from sqlalchemy import engine_from_config, event

    from nefertari_engine_base.primary.sqla.engine import SQLAlchemyEngine
    from nefertari_engine_base.primary.sqla.own_sessions import (
        Timeouts,
        note_pooler,
    )
except ImportError as error:
    raise ConfigurationError(
        'SQLAlchemy is missing: pip install "nefertari-es[sqla]".'
    ) from error

__all__ = ["SQLAlchemyEngine", "Timeouts", "includeme", *CONTRACT]


def __getattr__(name: str) -> Any:
    # What only models of nefertari are made of, is imported when it is asked for.
    if name in CONTRACT:
        return getattr(import_module(f"{__name__}.contract"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def includeme(config: Configurator) -> None:
    """Make the engine of the settings, and ``request.dbsession``."""
    config.include("nefertari_engine_base")
    if not engines_of(config.registry).is_first_inclusion(__name__):
        return
    settings = config.get_settings()
    if "sqlalchemy.url" not in settings:
        raise ConfigurationError(
            "sqlalchemy.url is not set: say where the database is, for example "
            "sqlalchemy.url = sqlite:///%(here)s/app.sqlite"
        )
    known = engines_of(config.registry).settings
    made = engine_from_config(settings, "sqlalchemy.")
    if made.dialect.driver == "psycopg":
        # Behind a pooler it must prepare nothing, which no setting could say.
        event.listen(made, "connect", note_pooler)
    engine = SQLAlchemyEngine(
        made,
        capture=known.capture,
        is_ours=True,
        timeouts=Timeouts(
            claim=known.claim_timeout,
            statement=known.statement_timeout,
            connection=known.connection_timeout,
        ),
    )
    config.add_primary_engine(engine)
    config.add_request_method(engine.sessions.of_request, "dbsession", reify=True)
