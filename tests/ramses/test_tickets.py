"""Registering, logging in and out with a cookie, and what it is good for."""

from __future__ import annotations

import pytest

from tests.ramses.conftest import ADMIN, MODE

pytestmark = pytest.mark.skipif(MODE != "tickets", reason="there are no tickets")


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
