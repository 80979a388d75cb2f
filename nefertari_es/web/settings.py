"""Every ini key of the views, read once into a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyramid.settings import aslist

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.settings import read_number
from nefertari_engine_base.sync.health import CHECKS


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What the application's settings say of the views for operators.

    :attr health_path: ``nefertari.web.health_path``: where the health view is; empty
        for none. Default ``/_sync/health``.
    :attr metrics_path: ``nefertari.web.metrics_path``: where Prometheus finds metrics;
        empty for none. Default ``/_sync/metrics``.
    :attr permission: ``nefertari.web.permission``: the permission that both views ask
        for. Default: none of their own, which is the application's default permission.
    :attr timeout: ``nefertari.web.timeout``: seconds after which a server that is asked
        for its health, or for metrics, counts as silent. Default 2.
    :attr oldest_limit: ``nefertari.web.oldest_limit``: seconds that a change may wait
        until health is degraded. Default 300.
    :attr fatal: ``nefertari.web.fatal``: checks whose failure makes the health view
        answer 503. Default ``primary``.
    :attr status_max_age: ``nefertari.web.status_max_age``: seconds for which what was
        counted in the outbox is told again. Default 5.
    """

    health_path: str = "/_sync/health"
    metrics_path: str = "/_sync/metrics"
    permission: str | None = None
    timeout: float = 2.0
    oldest_limit: float = 300.0
    fatal: tuple[str, ...] = ("primary",)
    status_max_age: float = 5.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> WebSettings:
        """Read the keys. :raises ConfigurationError: for a bad value."""
        permission = str(settings.get("nefertari.web.permission", "")).strip()
        return cls(
            health_path=_path(settings, "nefertari.web.health_path", "/_sync/health"),
            metrics_path=_path(
                settings, "nefertari.web.metrics_path", "/_sync/metrics"
            ),
            permission=permission or None,
            timeout=read_number(settings, "nefertari.web.timeout", 2.0, minimum=0.1),
            oldest_limit=read_number(settings, "nefertari.web.oldest_limit", 300.0),
            fatal=_fatal(settings),
            status_max_age=read_number(settings, "nefertari.web.status_max_age", 5.0),
        )


def _path(settings: Mapping[str, Any], key: str, default: str) -> str:
    return str(settings.get(key, default)).strip()


def _fatal(settings: Mapping[str, Any]) -> tuple[str, ...]:
    key = "nefertari.web.fatal"
    names = tuple(aslist(settings.get(key, "primary")))
    for name in names:
        if name not in CHECKS:
            raise ConfigurationError(
                f"{key}: there is no check {name!r}; expected any of "
                f"{', '.join(CHECKS)}."
            )
    return names
