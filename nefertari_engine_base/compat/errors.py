"""Errors of this package as those that nefertari's views and callers expect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nefertari_engine_base.exceptions import EngineError


def http_error(status: int, message: str) -> Exception:
    """An instance of nefertari's JSON error of this HTTP status."""
    from nefertari.json_httpexceptions import STATUS_MAP

    error: Exception = STATUS_MAP[status](message)
    return error


def bad_request(message: str) -> Exception:
    """``JHTTPBadRequest``, 400."""
    return http_error(400, message)


def not_found(message: str) -> Exception:
    """``JHTTPNotFound``, 404."""
    return http_error(404, message)


def conflict(message: str) -> Exception:
    """``JHTTPConflict``, 409."""
    return http_error(409, message)


@contextmanager
def translated_errors() -> Iterator[None]:
    """An error of the family that has an HTTP status becomes nefertari's of it.

    Nefertari would answer any other exception with 400, a server that cannot be
    reached included.
    """
    try:
        yield
    except EngineError as error:
        if error.status == 500:
            raise
        raise http_error(error.status, str(error)) from error
