"""The application of the commands' tests: ``use = call:tests.cli.application:main``."""

from pyramid.config import Configurator

from tests.sync.models import declare


def main(global_config, **settings):
    """An application without views."""
    with Configurator(settings=settings) as config:
        config.include("nefertari_engine_base")
        declare(config)
    return config.make_wsgi_app()
