"""``database_acls`` under a security policy of Pyramid 2, which knows no principals."""

from __future__ import annotations

import pytest

from tests.ramses.conftest import Client, remove_rows
from tests.ramses.test_guards import NOBODY, PUBLIC, entry, titles

EDITORS = [entry("allow", "editors", "all"), NOBODY]
SEEN = {
    "": ["public"],
    "rick": ["public", "ricks"],
    "morty editors": ["public", "editors"],
    "rick editors": ["public", "ricks", "editors"],
    "everyone": ["public"],
}


@pytest.fixture(scope="module")
def client(wsgi):
    """A client; articles are read by everyone, rick, and editors."""
    remove_rows()
    client = Client(wsgi)
    lists = {
        "public": PUBLIC,
        "ricks": [entry("allow", "rick", "view")],
        "editors": EDITORS,
    }
    for title, acl in lists.items():
        fields = {"title": title, "text": "x", "_acl": acl}
        admin = {"X-User": "system g:admin"}
        client.post_json("/articles", fields, headers=admin)
    return client


@pytest.mark.parametrize("user", SEEN)
def test_principals_of_the_policy_decide_who_sees_what(client, user):
    seen, headers = SEEN[user], {"X-User": user} if user else {}
    answer = client.get("/articles?_sort=id", headers=headers)
    assert (titles(answer), answer.json["total"]) == (seen, len(seen))
    several = client.get("/users,articles", headers=headers)
    assert sorted(titles(several)) == sorted(seen)
    for article in client.get("/articles", headers={"X-User": "rick editors"}).json[
        "data"
    ]:
        url = f"/articles/{article['id']}"
        answer = client.get(url, headers=headers, status="*")
        assert answer.status_code == (200 if article["title"] in seen else 403)


def test_writes_of_a_collection_ask_for_the_same_principals(client):
    headers = {"X-User": "g:admin"}
    answer = client.patch_json("/articles", {"title": "public"}, headers=headers)
    assert answer.json["message"] == "Updated 1 Article(s) objects"
    client.delete("/articles", headers={"X-User": "rick"}, status=403)
