"""Without authentication (``auth = false``) everybody may do everything."""

from __future__ import annotations

import json

import pytest

from tests.ramses.conftest import MODE
from tests.ramses.programs import ask, run_program, served

pytestmark = pytest.mark.skipif(MODE != "open", reason="users authenticate themselves")


def test_everybody_reads_and_writes_everything(anonymous):
    body = {"username": "Rick", "email": "r@x.com", "password": "secret"}
    user = anonymous.post_json("/users", body, status=201).json
    assert user["password"].startswith("$2")
    assert anonymous.get("/users/rick/settings").json == {}
    groups = anonymous.get("/users/rick/groups").json
    assert groups == {"data": ["user"], "count": 1}
    article = {"title": "t", "text": "one two", "author": "rick"}
    made = anonymous.post_json("/articles", article, status=201).json
    assert (made["author"], made["words"]) == ("rick", 2)
    assert anonymous.get("/articles?author=rick").json["total"] == 1
    anonymous.delete(f"/articles/{made['id']}")
    assert anonymous.get("/articles?author=rick").json["total"] == 0


def test_nefertaris_program_posts_what_is_in_a_file(ini, empty, tmp_path):
    users, profiles = tmp_path / "users.json", tmp_path / "profiles.json"
    account = {"email": "r@x.com", "password": "secret"}
    users.write_text(json.dumps([{"username": "rick", **account}]))
    profiles.write_text(json.dumps([{"address": "a"}, {"address": "b"}]))
    with served(ini) as url:
        target = f"{url}/users?_refresh_index=true"
        said = run_program("nefertari.post2api", "-f", users, "-u", target)
        assert "201" in said
        target = f"{url}/users/{{username}}/profile"
        run_program("nefertari.post2api", "-f", profiles, "-u", target)
        assert ask(f"{url}/users/rick/profile")[1]["address"] in "ab"
