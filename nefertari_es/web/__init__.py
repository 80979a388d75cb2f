"""Views for operators: health for probes, and metrics for Prometheus.

``config.include("nefertari_es.web")`` adds both; their settings are those of
:class:`~nefertari_es.web.settings.WebSettings`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.sync.health import HealthChecks
from nefertari_engine_base.sync.probes import Probe
from nefertari_engine_base.sync.status import sync_status
from nefertari_engine_base.values import SyncStatus
from nefertari_es.web.health import health_view
from nefertari_es.web.settings import WebSettings

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.registry import Registry

    from nefertari_es.web.metrics import Metrics

__all__ = ["includeme", "metrics_of"]

_STATUS = "nefertari_es.web.status"


def includeme(config: Configurator) -> None:
    """Add the routes and views.

    :raises ConfigurationError: if Prometheus' library is not installed and metrics are
        not switched off, or for a bad setting.
    """
    config.include("nefertari_engine_base")
    settings = WebSettings.from_settings(config.get_settings())
    if settings.health_path:
        checks = HealthChecks(
            engines_of(config.registry),
            timeout=settings.timeout,
            oldest_limit=settings.oldest_limit,
            fatal=settings.fatal,
            status=_status_of(config.registry, settings),
        )
        _add(config, "nefertari_health", settings.health_path, health_view(checks))
    if settings.metrics_path:
        metrics = metrics_of(config.registry)
        _add(config, "nefertari_metrics", settings.metrics_path, metrics.view)


def _add(config: Configurator, name: str, path: str, view: Any) -> None:
    permission = WebSettings.from_settings(config.get_settings()).permission
    # Without one of its own a view has the application's default permission.
    options = {} if permission is None else {"permission": permission}
    config.add_route(name, path)
    config.add_view(
        view, route_name=name, request_method="GET", http_cache=0, **options
    )


def metrics_of(registry: Registry) -> Metrics:
    """The metrics of an application in this process, which are counted from the first
    call on.

    :param registry: the application's.
    :raises ConfigurationError: if Prometheus' library is not installed.
    """
    try:
        from nefertari_es.web.metrics import add_metrics
    except ImportError as error:
        raise ConfigurationError(
            "Metrics need Prometheus' client library: pip install "
            "nefertari-es[prometheus]. To have none, leave nefertari.web.metrics_path "
            "empty."
        ) from error
    settings = WebSettings.from_settings(registry.settings)
    return add_metrics(registry, _status_of(registry, settings), settings.timeout)


def _status_of(registry: Registry, settings: WebSettings) -> Probe[SyncStatus]:
    """The application's one question for its status, which health and metrics share:
    it reads the whole outbox."""
    known: Probe[SyncStatus] | None = registry.get(_STATUS)
    if known is None:
        ask = partial(sync_status, engines_of(registry))
        known = registry[_STATUS] = Probe("status", ask, settings.status_max_age)
    return known
