"""Registering and authenticating with a token in a header."""

from __future__ import annotations

import pytest

from tests.ramses.conftest import MODE

pytestmark = pytest.mark.skipif(MODE != "tokens", reason="there are no tokens")

ACCOUNT = {"username": "morty", "email": "m@x.com", "password": "secret"}
LOGIN = {"login": "morty", "password": "secret"}


@pytest.fixture
def header(anonymous):
    answer = anonymous.post_json("/auth/register", ACCOUNT, status=200)
    return answer.headers["WWW-Authenticate"]


def write(client, header, status):
    client.post_json(
        "/articles",
        {"title": "t", "text": "t"},
        headers={"Authorization": header},
        status=status,
    )


def test_who_registers_gets_a_token(anonymous, header):
    assert header.startswith("ApiKey morty:")
    write(anonymous, header, status=201)
    write(anonymous, header + "0", status=403)
    shown = anonymous.get("/articles", headers={"Authorization": header}).json
    assert shown["data"][0]["author"] == "morty"


def test_a_token_is_told_to_who_knows_the_password(anonymous, header):
    answer = anonymous.post_json("/auth/token", LOGIN, status=200)
    assert answer.headers["WWW-Authenticate"] == header
    anonymous.post_json("/auth/token", {**LOGIN, "password": "wrong"}, status=401)
    anonymous.post_json("/auth/token", {**LOGIN, "login": "nobody"}, status=404)


def test_a_token_that_was_reset_is_worth_nothing(anonymous, header):
    answer = anonymous.post_json("/auth/reset_token", LOGIN, status=200)
    fresh = answer.headers["WWW-Authenticate"]
    assert fresh != header
    write(anonymous, header, status=403)
    write(anonymous, fresh, status=201)


def test_a_user_is_shown_with_the_key_of_his_token(anonymous, header):
    from nefertari import engine

    user = engine.get_document_cls("User").get_item(username="morty")
    assert user.api_key.token == header.partition(":")[2]
    assert user.to_dict()["api_key"] == user.api_key.id
