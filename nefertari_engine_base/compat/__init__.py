"""What unmodified nefertari 0.7 and Ramses 0.5 need; nothing else here knows of them.

Include it before everything else, by the application's settings::

    pyramid.includes = nefertari_engine_base.compat
    nefertari.engine = nefertari_engine_base.primary.sqla nefertari_es

Pyramid does so while it makes the configurator, which is before ``ramses`` is imported.
See :mod:`~nefertari_engine_base.compat.standins` for what is put in their place, and
:mod:`~nefertari_engine_base.compat.facade` for how their reads are answered.
"""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.settings import asbool

from nefertari_engine_base.compat import guards, standins
from nefertari_engine_base.compat.principals import effective_principals

__all__ = ["includeme"]


def includeme(config: Configurator) -> None:
    """Put the stand-ins in place, translate settings, and include pyramid_tm."""
    standins.install()
    settings = config.get_settings()
    translate_settings(settings)
    if guards.is_wanted(settings):
        guards.install(settings)
    config.add_request_method(effective_principals, property=True)
    config.include("pyramid_tm")
    if asbool(settings.get("elasticsearch.enable_refresh_query")):
        config.add_subscriber(wait_for_index, NewRequest)


def translate_settings(settings: dict[str, str]) -> None:
    """Give nefertari's settings the form that this engine and pyramid_tm read.

    Hosts without a scheme are meant to be ``http``, and the name of nefertari's one
    index is the prefix of ours, unless they say otherwise themselves.
    """
    if hosts := settings.get("elasticsearch.hosts"):
        names = str(hosts).replace(",", " ").split()
        settings["elasticsearch.hosts"] = " ".join(
            name if "://" in name else f"http://{name}" for name in names
        )
    if name := settings.get("elasticsearch.index_name"):
        settings.setdefault("elasticsearch.index_prefix", name)
    # Nefertari's policy of tokens raises an error for a user who is not there. Asked by
    # the transaction's tween, it would be answered by nobody.
    settings.setdefault("tm.annotate_user", "false")


def wait_for_index(event: NewRequest) -> None:
    """Let the commit of a request with ``_refresh_index=true`` wait until searches
    find what it has written."""
    request = event.request
    if asbool(request.GET.get("_refresh_index")):
        request.sync_visibility = "visible"
