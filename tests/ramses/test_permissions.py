"""Who may do what, however one authenticates oneself."""

from __future__ import annotations

from tests.ramses.conftest import authenticated

pytestmark = authenticated


def test_nobody_writes_without_logging_in(anonymous):
    body = {"title": "t", "text": "t"}
    answer = anonymous.post_json("/articles", body, status=403).json
    assert answer.keys() >= {
        *("status_code", "explanation", "message", "title", "timestamp"),
        *("request_url", "client_addr", "remote_addr"),
    }


def test_a_user_changes_of_himself_what_he_sees(rick):
    rick.patch_json("/users/rick", {"first_name": "Rick"}, status=200)
    assert rick.get("/users/rick").json["first_name"] == "Rick"
    answer = rick.patch_json("/users/rick", {"status": "blocked"}, status=403)
    message = "Not enough permissions to update fields: status"
    assert answer.json["message"] == message
    rick.patch_json("/users/system", {"first_name": "x"}, status=403)
    rick.delete("/users/rick", status=403)


def test_who_writes_an_article_is_its_author(rick, admin):
    article = rick.post_json("/articles", {"title": "t", "text": "t"}).json
    assert article["author"] == "rick"
    url = f"/articles/{article['id']}"
    assert rick.patch_json(url, {"title": "new"}).json["title"] == "new"
    rick.delete(url, status=403)
    other = admin.post_json("/articles", {"title": "t", "text": "t"}).json
    assert other["author"] == "system"
    rick.patch_json(f"/articles/{other['id']}", {"title": "x"}, status=403)
