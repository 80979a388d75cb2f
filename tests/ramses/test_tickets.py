"""Registering, logging in and out with a cookie, and what it is good for."""

from __future__ import annotations

from tests.ramses.conftest import ADMIN


def test_nobody_writes_without_logging_in(anonymous):
    body = {"title": "t", "text": "t"}
    answer = anonymous.post_json("/articles", body, status=403).json
    assert answer.keys() >= {
        *("status_code", "explanation", "message", "title", "timestamp"),
        *("request_url", "client_addr", "remote_addr"),
    }


def test_logging_in_gives_a_cookie(anonymous):
    unknown = {"login": "nobody", "password": "123456"}
    answer = anonymous.post_json("/auth/login", unknown, status=404)
    assert answer.json["message"] == "User not found"
    wrong = {**ADMIN, "password": "wrong"}
    answer = anonymous.post_json("/auth/login", wrong, status=401)
    assert answer.json["message"] == "Failed to Login."
    answer = anonymous.post_json("/auth/login", ADMIN)
    assert answer.json["message"] == "Logged in"
    assert "newsroom=" in answer.headers["Set-Cookie"]
    assert "password" in anonymous.get("/users/system").json


def test_logging_out_takes_the_cookie_away(admin):
    assert admin.get("/auth/logout").json["message"] == "Logged out"
    admin.post_json("/articles", {"title": "t", "text": "t"}, status=403)
    admin.post_json("/auth/login", ADMIN)
    assert admin.post_json("/auth/logout", {}).status_code == 200


def test_who_registers_is_logged_in(anonymous):
    account = {"username": "Morty", "email": "m@x.com", "password": "secret"}
    answer = anonymous.post_json("/auth/register", account, status=200)
    assert answer.json["message"] == "Registered"
    assert "newsroom=" in answer.headers["Set-Cookie"]
    user = anonymous.get("/users/morty").json
    assert user.keys() == {
        *("username", "first_name", "last_name", "articles", "_type", "_pk", "_self"),
    }
    again = {**account, "username": "other"}
    anonymous.post_json("/auth/register", again, status=409)


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
