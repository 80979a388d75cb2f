"""Plays a scenario: ``python -m tests.compat.oracle.play NAME [--served]``.

It runs in the environments of both, nefertari-sqla's and this package's, reads the
settings of the application in ``NEWSROOM``, and prints the answers as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from tests.compat.oracle.clients import Client, OfHTTP, OfWebTest
from tests.compat.oracle.scenarios import SCENARIOS, Ask

#: What gives the answers on the old side.
OF_THE_ORACLE = (
    *("nefertari", "ramses", "nefertari-sqla", "SQLAlchemy", "pyramid"),
    "elasticsearch",
)


class Player:
    """A client that keeps the tokens that it is given.

    :param before: called before each request.
    """

    def __init__(self, client: Client, before: Callable[[], None]) -> None:
        self._client = client
        self._before = before
        self._tokens: dict[str, str] = {}

    def answer(self, ask: Ask) -> dict[str, Any]:
        """Status, headers and JSON of the answer to a request."""
        body, headers = None, {}
        if ask.body is not None:
            body = json.dumps(ask.body).encode()
            headers["Content-Type"] = "application/json"
        if ask.token is not None:
            headers["Authorization"] = self._tokens[ask.token]
        # As a browser does it: what a query means is left as it is.
        path = quote(ask.path, safe="/?&=,.:*()_")
        self._before()
        response = self._client.request(ask.method, path, body, headers)
        token = response.headers.get("WWW-Authenticate")
        if token is not None:
            self._keep(token)
        type_ = response.headers.get("Content-Type", "").partition(";")[0]
        is_json = response.body and type_ == "application/json"
        content = json.loads(response.body) if is_json else None
        return {
            "status": response.status,
            "location": response.headers.get("Location"),
            "allow": response.headers.get("Allow"),
            "cookie": "Set-Cookie" in response.headers,
            "token": token and token.partition(":")[0],
            "type": type_,
            "json": plain(in_order(ask, content)) if is_json else None,
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
    """Make the application, or serve it, and print what it answers."""
    settings = json.loads(os.environ["NEWSROOM"])
    is_oracle = "nefertari_sqla" in settings["nefertari.engine"]
    if is_oracle:
        from tests.compat.oracle.wire import install

        install()
    before = (lambda: None) if is_oracle else partial(_refresh, settings)
    asked = SCENARIOS[sys.argv[1]]
    with _client(settings, served="--served" in sys.argv) as client:
        player = Player(client, before)
        answers = [{"request": str(ask), **player.answer(ask)} for ask in asked]
    versions = {name: version(name) for name in OF_THE_ORACLE} if is_oracle else {}
    record = json.dumps({"versions": versions, "answers": answers})
    print(record.replace(settings["elasticsearch.index_name"], "newsroom"))  # noqa: T201


@contextmanager
def _client(settings: dict[str, str], served: bool) -> Iterator[Client]:
    if not served:
        from examples.newsroom import main as make

        yield OfWebTest(make({}, **settings))
        return
    from tests.ramses.programs import served as serving
    from tests.ramses.programs import write_ini

    with TemporaryDirectory() as folder:
        ini = Path(folder) / "newsroom.ini"
        write_ini(ini)
        with serving(ini) as url:
            yield OfHTTP(url)


def _refresh(settings: dict[str, str]) -> None:
    """Let a read find what was written before; the wire of the oracle always does."""
    host, name = settings["elasticsearch.hosts"], settings["elasticsearch.index_name"]
    urlopen(f"http://{host}/{name}-*/_refresh", data=b"").close()


if __name__ == "__main__":
    main()
