"""Elasticsearch and OpenSearch as a secondary engine.

``config.include("nefertari_es")`` registers an engine for the hosts that
``elasticsearch.hosts`` names, and adds the directive ``add_elasticsearch_field``. It
opens no connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pyramid.config import Configurator

__all__ = ["includeme"]


def includeme(config: Configurator) -> None:
    """Register the engine.

    :raises ConfigurationError: if the client is not installed, or for a bad setting.
    """
    try:
        import elasticsearch.dsl  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "nefertari_es needs the Elasticsearch client: pip install nefertari-es[es]"
        ) from error

    from nefertari_engine_base.engines import engines_of
    from nefertari_es.config import field_directive
    from nefertari_es.engine import ElasticsearchEngine
    from nefertari_es.settings import ElasticsearchSettings

    config.include("nefertari_engine_base")
    if not engines_of(config.registry).is_first_inclusion(__name__):
        return
    settings = ElasticsearchSettings.from_settings(config.get_settings())
    engine = ElasticsearchEngine(settings)
    config.add_secondary_engine(engine)
    config.add_directive("add_elasticsearch_field", field_directive(engine.field_types))
