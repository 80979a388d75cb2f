"""Plays a scenario: ``python -m tests.compat.oracle.play NAME``.

It runs in the environments of both, nefertari-sqla's and this package's, reads the
settings of the application in ``NEWSROOM``, and prints the answers as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from tests.compat.oracle.scenarios import SCENARIOS, Ask

#: What gives the answers on the old side.
OF_THE_ORACLE = (
    *("nefertari", "ramses", "nefertari-sqla", "SQLAlchemy", "pyramid"),
    "elasticsearch",
)


class Player:
    """A client that keeps the tokens that it is given.

    :param client: of WebTest.
    :param before: called before each request.
    """

    def __init__(self, client: Any, before: Callable[[], None]) -> None:
        self._client = client
        self._before = before
        self._tokens: dict[str, str] = {}

    def answer(self, ask: Ask) -> dict[str, Any]:
        """Status, headers and JSON of the answer to a request."""
        options: dict[str, Any] = {"method": ask.method, "status": "*"}
        if ask.body is not None:
            options["body"] = json.dumps(ask.body).encode()
            options["content_type"] = "application/json"
        if ask.token is not None:
            options["headers"] = {"Authorization": self._tokens[ask.token]}
        # As a browser does it: what a query means is left as it is.
        path = quote(ask.path, safe="/?&=,.:*()_")
        self._before()
        try:
            response = self._client.request(path, **options)
        except Exception as error:  # noqa: BLE001 - a server's answer to any is 500
            return {"status": 500, "json": type(error).__name__}
        token = response.headers.get("WWW-Authenticate")
        if token is not None:
            self._keep(token)
        is_json = response.body and response.content_type == "application/json"
        return {
            "status": response.status_int,
            "location": response.headers.get("Location"),
            "allow": response.headers.get("Allow"),
            "cookie": "Set-Cookie" in response.headers,
            "token": token and token.partition(":")[0],
            "type": response.content_type,
            "json": plain(in_order(ask, response.json)) if is_json else None,
        }

    def _keep(self, token: str) -> None:
        name = token.partition(" ")[2].partition(":")[0]
        if self._tokens.get(name) != token:
            self._tokens[f"old {name}"] = self._tokens.get(name, "")
            self._tokens[name] = token


def in_order(ask: Ask, answer: Any) -> Any:
    """The answer, its documents by key where the request does not say in which order:
    the oracle shows them in any."""
    found = answer.get("data")
    if isinstance(found, list) and "_sort" not in ask.path:
        found.sort(key=lambda each: each.get("_self", "") if "_pk" in each else "")
    return answer


#: Members that are another each time, that no two servers count alike, or that
#: Pyramid adds to some errors and not to others.
LEFT_OUT = frozenset({"timestamp", "took", "_score", "headers", "request_url"})


def plain(value: Any, name: str = "") -> Any:
    """A value without what is another each time: times, salts."""
    if isinstance(value, dict):
        return {k: plain(v, k) for k, v in value.items() if k not in LEFT_OUT}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and name == "password":
        return value[:4]
    if isinstance(value, str) and name.endswith("ed_at"):
        return re.sub(r"\d", "0", value)
    if isinstance(value, str) and name == "message":
        # PostgreSQL goes on with the whole row.
        return value.partition("\nDETAIL")[0]
    return value


def main() -> None:
    """Make the application, and print what it answers."""
    import webtest

    settings = json.loads(os.environ["NEWSROOM"])
    is_oracle = "nefertari_sqla" in settings["nefertari.engine"]
    if is_oracle:
        from tests.compat.oracle.wire import install

        install()
    from examples.newsroom import main as make

    app = make({}, **settings)
    client = webtest.TestApp(app, extra_environ={"REMOTE_ADDR": "127.0.0.1"})
    player = Player(client, (lambda: None) if is_oracle else _refreshing(app))
    asked = SCENARIOS[sys.argv[1]]
    answers = [{"request": str(ask), **player.answer(ask)} for ask in asked]
    versions = {name: version(name) for name in OF_THE_ORACLE} if is_oracle else {}
    record = json.dumps({"versions": versions, "answers": answers})
    print(record.replace(settings["elasticsearch.index_name"], "newsroom"))  # noqa: T201


def _refreshing(app: Any) -> Callable[[], None]:
    """Lets a read find what was written before; the wire of the oracle always does."""
    from nefertari_engine_base import engines_of

    engines = engines_of(app.registry)
    return lambda: engines.secondary.refresh(engines.schemas.values())


if __name__ == "__main__":
    main()
