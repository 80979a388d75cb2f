"""The module that ``nefertari.elasticsearch`` is while this package is used."""

from __future__ import annotations

from pyramid.config import Configurator

from nefertari_engine_base.compat import guards
from nefertari_engine_base.compat.facade import ES, Documents

__all__ = ["ES", "IndexNotFoundException", "includeme"]

#: Its name in nefertari.
_ESDocs = Documents


class IndexNotFoundException(Exception):
    """Part of nefertari's module; never raised here."""


def includeme(config: Configurator) -> None:
    """Read the settings, and add the route of several collections if they want it."""
    # Nefertari's own class, if an application had imported it before.
    from nefertari import elasticsearch as module
    from nefertari.utils import dictset

    module.ES.setup(dictset(config.registry.settings))
    if module.ES.settings.asbool("enable_polymorphic_query"):
        if guards.is_wanted(config.get_settings()):
            guards.include_several(config)
        else:
            config.include("nefertari.polymorphic")
