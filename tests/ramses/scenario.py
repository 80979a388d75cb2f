"""Requests that are sent to two applications, and what they answered.

It runs in the environments of both: ``python scenario.py`` reads the settings in
``NEWSROOM`` and prints the answers, one JSON object for each request.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

ADMIN = {"login": "system", "password": "123456"}
RICK = {"username": "Rick", "email": "RICK@x.com", "password": "secret"}
S1 = {"title": "s1", "text": "one two", "author": "rick", "price": 1.5}
S2 = {"title": "s2", "text": "three", "tags": ["a"], "layout": {"b": 1}}

#: (method, path, body)
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", "/users", None),
    ("POST", "/articles", S1),
    ("POST", "/auth/login", {**ADMIN, "login": "nobody"}),
    ("POST", "/auth/login", {**ADMIN, "password": "wrong"}),
    ("POST", "/auth/login", ADMIN),
    ("POST", "/users", RICK),
    ("POST", "/users", RICK),
    ("POST", "/users", {"username": "x"}),
    ("GET", "/users/rick", None),
    ("GET", "/users/self", None),
    ("GET", "/users/nobody", None),
    ("PATCH", "/users/rick", {"last_name": "Sanchez"}),
    ("PATCH", "/users/rick", {"groups": ["admin", "-user"]}),
    ("PATCH", "/users/rick", {"status": "nonsense"}),
    ("PATCH", "/users/rick", {"nonsense": 1}),
    ("GET", "/users/rick/settings", None),
    ("POST", "/users/rick/settings", {"language": "en", "age": 70}),
    ("POST", "/users/rick/settings", {"-language": ""}),
    ("GET", "/users/rick/groups", None),
    ("POST", "/users/rick/groups", {"user": ""}),
    ("POST", "/users/rick/groups", {"nonsense": ""}),
    ("POST", "/users/rick/groups", {}),
    ("GET", "/users/rick/profile", None),
    ("POST", "/users/rick/profile", {"address": "C-137"}),
    ("PATCH", "/users/rick/profile", {"address": "C-138"}),
    ("GET", "/users/rick/profile", None),
    ("DELETE", "/users/rick/profile", None),
    ("GET", "/users/rick", None),
    ("POST", "/articles", S1),
    ("POST", "/articles", S2),
    ("POST", "/articles", {"title": "t"}),
    ("POST", "/articles", {**S1, "nonsense": 1}),
    ("POST", "/articles", {**S1, "author": "ghost"}),
    ("POST", "/articles", {**S1, "kind": "poem"}),
    ("GET", "/articles?_sort=id", None),
    ("GET", "/articles/1", None),
    ("GET", "/articles/99", None),
    ("GET", "/articles?title=s2", None),
    ("GET", "/articles?_fields=title&_sort=id", None),
    ("GET", "/articles?_count", None),
    ("GET", "/articles?_limit=1&_page=1&_sort=-id", None),
    ("GET", "/articles?_limit=-1", None),
    ("GET", "/articles?_limit=x", None),
    ("GET", "/articles?_start=1&_page=1", None),
    ("GET", "/users/rick/articles", None),
    ("GET", "/users/rick/articles/1", None),
    ("GET", "/users/rick/articles/2", None),
    ("GET", "/users/rick", None),
    ("PATCH", "/articles?title=s1", {"progress": 0.5}),
    ("PATCH", "/articles/1", {"author": "system", "embargo": 60}),
    ("GET", "/articles/1", None),
    ("GET", "/users/system", None),
    ("PUT", "/articles/2", {"title": "new", "text": "t"}),
    ("PUT", "/articles/2", {"title": "new"}),
    ("HEAD", "/articles", None),
    ("OPTIONS", "/articles", None),
    ("OPTIONS", "/users/rick", None),
    ("GET", "/articles?_m=POST&title=tunnel&text=x", None),
    ("GET", "/users,articles?_limit=1", None),
    ("GET", "/users,articles?_count", None),
    ("DELETE", "/articles/1", None),
    ("DELETE", "/articles/99", None),
    ("DELETE", "/articles", None),
    ("DELETE", "/users", None),
    ("PUT", "/users/rick", {"email": "r@x.com", "password": "secret"}),
    ("GET", "/auth/logout", None),
    ("POST", "/auth/register", {**RICK, "username": "Morty", "email": "m@x.com"}),
    ("POST", "/auth/register", {**RICK, "username": "Other", "email": "m@x.com"}),
    ("GET", "/users/morty", None),
    ("PATCH", "/users/morty", {"first_name": "Morty"}),
    ("PATCH", "/users/morty", {"status": "blocked"}),
    ("DELETE", "/users/morty", None),
    ("DELETE", "/users/rick", None),
]


def play(client: Any) -> list[dict[str, Any]]:
    """Status, headers and JSON of each answer."""
    answers = []
    for method, path, body in REQUESTS:
        if body is None:
            response = client.request(path, method=method, status="*")
        else:
            response = client.request(
                path,
                method=method,
                status="*",
                body=json.dumps(body).encode(),
                content_type="application/json",
            )
        is_json = response.body and response.content_type == "application/json"
        answers.append(
            {
                "request": f"{method} {path} {json.dumps(body)}",
                "status": response.status_int,
                "location": response.headers.get("Location"),
                "allow": response.headers.get("Allow"),
                "cookie": "Set-Cookie" in response.headers,
                "type": response.content_type,
                "json": response.json if is_json else None,
            }
        )
    return answers


def main() -> None:
    """Make the application, and print what it answers."""
    import webtest

    settings = json.loads(os.environ["NEWSROOM"])
    if "nefertari_sqla" in settings["nefertari.engine"]:
        # Beside the file: in the other environment the checkout has other packages.
        from old_index import install

        install()
    from examples.newsroom import main as make

    app = make({}, **settings)
    client = webtest.TestApp(app, extra_environ={"REMOTE_ADDR": "127.0.0.1"})
    json.dump(play(client), sys.stdout)


if __name__ == "__main__":
    main()
