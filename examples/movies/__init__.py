"""Films: search, facets, histograms, editing, and the same as JSON.

``pserve development.ini`` serves it, ``pserve mongodb.ini`` on MongoDB. Environment
variables go before the files: ``DATABASE_URL`` (``sqlalchemy.url``), ``MONGODB_URL``
(``mongodb.url``) and ``ELASTICSEARCH_URL`` (``elasticsearch.hosts``).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from pyramid.config import Configurator
from pyramid.router import Router
from pyramid.session import SignedCookieSessionFactory
from pyramid.settings import asbool

from examples.movies.load import prepare
from examples.movies.presenting import FILTERS

_FROM_ENVIRONMENT = {
    "sqlalchemy.url": "DATABASE_URL",
    "mongodb.url": "MONGODB_URL",
    "elasticsearch.hosts": "ELASTICSEARCH_URL",
}


def main(global_config: Mapping[str, str], **settings: Any) -> Router:
    """The application.

    It takes the settings of the packages, and two of its own: ``movies.load`` (whether
    an empty database is filled with the films, default true) and ``movies.secret``
    (signs cookies; by default new at each start).
    """
    settings = with_environment(settings)
    settings.setdefault("tm.manager_hook", "pyramid_tm.explicit_manager")
    settings.setdefault("jinja2.filters", dict(FILTERS))
    with Configurator(settings=settings) as config:
        config.include("pyramid_tm")
        config.include("pyramid_jinja2")
        config.include("nefertari_engine_base")
        config.include("examples.movies.database")
        config.include("examples.movies.routes")
        config.set_session_factory(
            SignedCookieSessionFactory(
                settings.get("movies.secret") or secrets.token_hex(32),
                httponly=True,
                samesite="Lax",
            )
        )
        config.set_default_csrf_options(require_csrf=True)
        # Two talk to a terminal, and need packages that a server does not. Models are
        # scanned where their database is chosen.
        config.scan(
            "examples.movies", ignore=[".demo", ".tour", ".models", ".database"]
        )
        prepare(config, load=asbool(settings.get("movies.load", True)))
        return config.make_wsgi_app()


def with_environment(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with those that the environment gives in their place."""
    given = {
        key: os.environ[variable]
        for key, variable in _FROM_ENVIRONMENT.items()
        if os.environ.get(variable)
    }
    return {**settings, **given}
