"""The newsroom, an application of unmodified Ramses, as a client sees it.

These tests need nefertari, so they run in an environment of their own, which
``tests/compat`` starts with the application's settings in ``NEWSROOM``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import webtest

from nefertari_engine_base import engines_of
from tests.ramses.programs import write_ini

_SETTINGS = json.loads(os.environ.get("NEWSROOM", "{}"))

collect_ignore_glob = [] if _SETTINGS else ["test_*.py"]


def _mode() -> str:
    if _SETTINGS.get("auth") == "false":
        return "open"
    raml = Path(_SETTINGS["ramses.raml_schema"]).read_text()
    return "tokens" if "securedBy: [token]" in raml else "tickets"


#: How one authenticates oneself: by ``tickets``, by ``tokens``; not at all if ``open``.
MODE = _mode() if _SETTINGS else ""

#: For tests of who may do what.
authenticated = pytest.mark.skipif(MODE == "open", reason="everybody may do everything")

ADMIN = {"login": "system", "password": "123456"}


@pytest.fixture(scope="session")
def wsgi():
    """The application: one in a process, since its models are."""
    from examples.newsroom import main

    app = main({}, **_SETTINGS)
    yield app
    _close(app)


def _close(app: Any) -> None:
    engines = engines_of(app.registry)
    secondary = engines.secondary
    if secondary is not None:
        client, prefix = secondary.client, secondary.settings.index_prefix
        with suppress(Exception):
            found = client.indices.get(index=f"{prefix}-*", ignore_unavailable=True)
            client.indices.delete(index=",".join(found) or f"{prefix}-none-*")
    engines.close()


@pytest.fixture
def engines(wsgi):
    """The engines of the application."""
    return engines_of(wsgi.registry)


@pytest.fixture
def empty(wsgi):
    """No rows but the system's user."""
    remove_rows()


def remove_rows() -> None:
    """Delete every row but the system's user."""
    import transaction
    from nefertari import engine

    for name in ("Article", "Profile", "ApiKey", "User"):
        with suppress(ValueError):
            model = engine.get_document_cls(name)
            owner = {"User": "username", "ApiKey": "user_id"}.get(name)
            rows = model.get_collection()
            if owner is not None:
                rows = [row for row in rows if getattr(row, owner) != "system"]
            model._delete_many(rows)
    if MODE == "open":
        # Nobody needs one there; the tests know him.
        user = engine.get_document_cls("User")
        known = {"email": "system@example.com", "password": "123456"}
        groups = {"groups": ["admin"]}
        user.get_or_create(username="system", defaults={**known, **groups})
    transaction.commit()
    Client.written = True


@pytest.fixture
def ini(tmp_path, wsgi):
    """The application's settings as a file, with a server at any free port."""
    path = tmp_path / "newsroom.ini"
    write_ini(path)
    return path


@pytest.fixture
def anonymous(wsgi, empty):
    """A client that has not logged in."""
    return Client(wsgi)


@pytest.fixture
def admin(wsgi, empty, credentials):
    """A client that is known to be the administrator."""
    client = Client(wsgi)
    if MODE != "open":
        if not credentials:
            url = "/auth/login" if MODE == "tickets" else "/auth/token"
            answer = client.post_json(url, ADMIN)
            credentials += [list(client.cookiejar), answer.headers]
        client.remember(*credentials)
    return client


@pytest.fixture(scope="session")
def credentials():
    """Cookies and headers of the administrator; checking a password takes its time."""
    return []


@pytest.fixture
def rick(admin, wsgi):
    """A client that has registered himself, as rick."""
    client = Client(wsgi)
    account = {"username": "rick", "email": "rick@x.com", "password": "secret"}
    answer = client.post_json("/auth/register", account)
    client.remember((), answer.headers)
    return client


class Client(webtest.TestApp):
    """A client that waits for the index as ``_refresh_index`` does, but only once for
    all writes before a read."""

    written = True

    def remember(self, cookies: Iterable[Any], headers: Mapping[str, str]) -> None:
        """Send these cookies, and the token of these headers, if there is one."""
        for cookie in cookies:
            self.cookiejar.set_cookie(cookie)
        if token := headers.get("WWW-Authenticate"):
            self.extra_environ["HTTP_AUTHORIZATION"] = token

    def do_request(self, request: Any, *arguments: Any, **options: Any) -> Any:
        """Send a request."""
        engines = engines_of(self.app.registry)
        if Client.written and engines.secondary is not None:
            engines.secondary.refresh(engines.schemas.values())
            Client.written = False
        if request.method not in ("GET", "HEAD", "OPTIONS") or "_m=" in request.url:
            Client.written = True
        return super().do_request(request, *arguments, **options)
