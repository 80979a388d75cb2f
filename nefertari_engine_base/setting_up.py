"""Applications that are started to be set up: what they lack is about to be made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SETTING_UP: ContextVar[bool] = ContextVar("nefertari_setting_up", default=False)


@contextmanager
def setting_up() -> Iterator[None]:
    """Start an application although its database may lack what it needs.

    For programs that set up, migrate or look: ``nefertari-es setup`` does so.
    """
    token = _SETTING_UP.set(True)
    try:
        yield
    finally:
        _SETTING_UP.reset(token)


def is_setting_up() -> bool:
    """Whether an application is started to be set up."""
    return _SETTING_UP.get()
