"""A newsroom: an API that Ramses makes of a RAML file, stored in SQL or MongoDB, read
from Elasticsearch.

Ramses and nefertari are the released ones. All that is special is in the settings::

    pyramid.includes = nefertari_engine_base.compat
    nefertari.engine = nefertari_engine_base.primary.sqla nefertari_es

or ``nefertari_engine_base.primary.mongo nefertari_es``.

With ``database_acls = true``, nefertari-guards stores with each object who may do what
to it: what the RAML says of items, or ``_acl`` of the request.
"""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator

from examples.newsroom import handlers  # noqa: F401 - registers names for the RAML


def main(global_config: Any, **settings: str) -> Any:
    """The WSGI application."""
    config = Configurator(settings=settings)
    config.include("ramses")
    return config.make_wsgi_app()
