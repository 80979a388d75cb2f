"""The health view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from pyramid.request import Request
from pyramid.response import Response

from nefertari_engine_base.sync.health import Check, Health, HealthChecks, HealthState


def health_view(checks: HealthChecks) -> Callable[[Request], Response]:
    """A view that answers with the health of the application: 200, or 503 if it is
    down."""

    def view(request: Request) -> Response:
        health = checks.run()
        return Response(
            orjson.dumps(plain(health)),
            status=503 if health.state is HealthState.DOWN else 200,
            content_type="application/json",
            charset="utf-8",
        )

    return view


def plain(health: Health) -> dict[str, Any]:
    """Health as JSON data, in the words of
    https://datatracker.ietf.org/doc/draft-inadarei-api-health-check/ where it has any.
    """
    checks = {check.name: _plain_check(check) for check in health.checks}
    return {"status": health.state, "checks": checks}


def _plain_check(check: Check) -> dict[str, Any]:
    values = {
        "status": check.state,
        "observedValue": check.value,
        "observedUnit": check.unit,
        "output": check.says,
    }
    return {name: value for name, value in values.items() if value is not None}
