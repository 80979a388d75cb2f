"""How errors look: a page for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from pyramid.csrf import BadCSRFOrigin, BadCSRFToken
from pyramid.httpexceptions import HTTPException, HTTPNotFound
from pyramid.request import Request
from pyramid.view import exception_view_config, notfound_view_config

from examples.movies.validation import Invalid
from nefertari_engine_base import EngineError

_API = r"^/api/"
_PAGE = "examples.movies:templates/error.jinja2"

_AWAY = "Full-text search needs the search engine, which does not answer at the moment."

_TITLES = {
    400: "That cannot be asked",
    404: "Not here",
    503: "Search is away for a moment",
}


def _shown(request: Request, status: int, message: str) -> dict[str, Any]:
    request.response.status_int = status
    if status == 503:
        request.response.headers["Retry-After"] = "5"
    return {
        "status": status,
        "title": _TITLES.get(status, "Something went wrong"),
        "message": message,
    }


def _status(error: EngineError) -> int:
    # What is no fault of the request is for the server's own log.
    if error.status >= 500 and error.status not in (502, 503):
        raise error
    return error.status


@exception_view_config(EngineError, renderer=_PAGE)
def engine_error_page(error: EngineError, request: Request) -> dict[str, Any]:
    """An error of the engines, in words."""
    status = _status(error)
    # Which server failed how is for programs and for the log.
    return _shown(request, status, _AWAY if status == 503 else str(error))


@exception_view_config(EngineError, path_info=_API, renderer="json")
def engine_error_json(error: EngineError, request: Request) -> dict[str, Any]:
    """An error of the engines, as JSON."""
    return _shown(request, _status(error), str(error))


@notfound_view_config(renderer=_PAGE)
def not_found_page(error: HTTPNotFound, request: Request) -> dict[str, Any]:
    """Nothing is at this address."""
    return _shown(request, 404, error.detail or "Nothing is at this address.")


@notfound_view_config(path_info=_API, renderer="json")
def not_found_json(error: HTTPNotFound, request: Request) -> dict[str, Any]:
    """Nothing is at this address, as JSON."""
    return _shown(request, 404, error.detail or "Nothing is at this address.")


@exception_view_config(BadCSRFOrigin, renderer=_PAGE)
@exception_view_config(BadCSRFToken, renderer=_PAGE)
def bad_token_page(error: HTTPException, request: Request) -> dict[str, Any]:
    """A form that this application did not hand out, or long ago."""
    message = "The form is too old, or was not sent from here. Open it again."
    return _shown(request, 400, message)


@exception_view_config(HTTPException, path_info=_API, renderer="json")
def http_error_json(error: HTTPException, request: Request) -> dict[str, Any]:
    """An error of HTTP, as JSON."""
    return _shown(request, error.status_int, error.detail or error.explanation)


@exception_view_config(Invalid, path_info=_API, renderer="json")
def invalid_json(error: Invalid, request: Request) -> dict[str, Any]:
    """What was given cannot be a film; all errors, by field."""
    shown = _shown(request, 400, str(error))
    return {**shown, "errors": error.errors}
