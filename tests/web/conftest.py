"""A small Pyramid application over films, as its own author would write it."""

from __future__ import annotations

import os

import pytest
from pyramid.config import Configurator
from webtest import TestApp

from tests.application import Application
from tests.conftest import empty_database
from tests.sync.models import declare
from tests.web import views

#: The transaction manager of pyramid_tm: one for each request, or one for each thread.
MANAGERS = {"explicit": "pyramid_tm.explicit_manager", "default": None}


def make_web(database_url, search_url, prefix, configure=None, **settings):
    """The application of :mod:`tests.web.views`, with a client as ``web``."""
    made: list[Configurator] = []

    def complete(config):
        made.append(config)
        config.include("pyramid_tm")
        declare(config)
        config.include(views)
        if configure is not None:
            configure(config)

    app = Application(database_url, search_url, prefix, complete, **settings)
    app.web = TestApp(
        made[0].make_wsgi_app(), extra_environ={"HTTP_ACCEPT": "application/json"}
    )
    return app


@pytest.fixture
def make_app(server_of, elasticsearch_url, tmp_path_factory, index_prefix):
    """Function that makes an application of a test's own."""
    made = []
    with empty_database("sqlite", server_of, tmp_path_factory) as url:

        def make(configure=None, search_url=elasticsearch_url, **settings):
            app = make_web(url, search_url, index_prefix, configure, **settings)
            app.primary.setup_database()
            if search_url == elasticsearch_url:
                app.setup()
            made.append(app)
            return app

        yield make
        for app in reversed(made):
            app.close()


@pytest.fixture(
    scope="module",
    params=[("sqlite", "explicit"), ("sqlite", "default"), ("postgresql", "explicit")],
    ids=lambda pair: "-".join(pair),
)
def app(request, server_of, elasticsearch_url, tmp_path_factory):
    """One application for many tests, with each kind of transaction manager."""
    database, manager = request.param
    hook = MANAGERS[manager]
    settings = {"tm__manager_hook": hook} if hook else {}
    with empty_database(database, server_of, tmp_path_factory) as url:
        prefix = f"web-{database}-{manager}-{os.getpid()}"
        app = make_web(url, elasticsearch_url, prefix, **settings).setup()
        yield app
        app.close()
