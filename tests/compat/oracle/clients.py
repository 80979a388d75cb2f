"""Two ways to ask an application: in the process, and by a server."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from typing import Any, NamedTuple, Protocol


class Response(NamedTuple):
    """What is compared of a response, and what is not."""

    status: int
    headers: Mapping[str, str] | Message
    body: bytes


class Client(Protocol):
    """Sends requests, and keeps cookies."""

    def request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Response:
        """The response to a request."""


class OfWebTest:
    """Calls a WSGI application.

    :param application: it.
    """

    def __init__(self, application: Any) -> None:
        import webtest

        here = {"REMOTE_ADDR": "127.0.0.1"}
        self._client = webtest.TestApp(application, extra_environ=here)

    def request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Response:
        """See :class:`Client`. What the application raises is a server's error."""
        content = {} if body is None else {"body": body}
        options = {"method": method, "headers": headers, "status": "*", **content}
        try:
            response = self._client.request(path, **options)
        except Exception:  # noqa: BLE001 - whatever it is
            return Response(500, {}, b"")
        return Response(response.status_int, response.headers, response.body)


class OfHTTP:
    """Asks a server, as one that is called ``localhost``.

    :param url: of the server, without a path.
    """

    def __init__(self, url: str) -> None:
        self._server = url.partition("://")[2]
        self._cookies: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Response:
        """See :class:`Client`."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        known = {"Cookie": cookies} if cookies else {}
        connection = HTTPConnection(self._server, timeout=30)
        try:
            connection.request(
                method, path, body, {"Host": "localhost", **known, **headers}
            )
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie", ()):
            self._keep(SimpleCookie(line))
        return Response(response.status, response.headers, content)

    def _keep(self, cookies: SimpleCookie) -> None:
        for name, cookie in cookies.items():
            if cookie["max-age"] == "0":
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = cookie.coded_value
