"""The newsroom with nefertari-guards: each object says who may do what to it."""

from __future__ import annotations

import os

import pytest

from tests.compat.newsroom import ES, SQLA, changed_raml

_ALL = os.environ.get("RAMSES_TESTS") == "all"
_GUARDS = ("guards", "guards_writes")


@pytest.fixture
def guarded(settings) -> dict[str, str]:
    settings["database_acls"] = "true"
    return settings


def test_access_control_lists_filter_on_sqlite_without_a_secondary(run, guarded):
    guarded["nefertari.engine"] = SQLA
    run("sqlite", _GUARDS)


def test_access_control_lists_filter_on_postgresql_with_elasticsearch(run, guarded):
    run("postgresql", _GUARDS)


def test_access_control_lists_filter_on_mongodb_with_elasticsearch(run, guarded):
    run("mongodb", _GUARDS)


def test_access_control_lists_filter_on_mongodb_without_a_secondary(run, guarded):
    guarded["nefertari.engine"] = SQLA
    run("mongodb", _GUARDS)


@pytest.mark.skipif(not _ALL, reason="one way is enough for the short form")
@pytest.mark.parametrize("search", ["elasticsearch", "opensearch"])
def test_access_control_lists_filter_on_sqlite_with(run, guarded, server_of, search):
    guarded["elasticsearch.hosts"] = server_of(search).url
    run("sqlite", _GUARDS)


@pytest.mark.parametrize("policy", ["telling", "identifying"])
def test_access_control_lists_ask_a_security_policy_for_principals(
    run, guarded, tmp_path, monkeypatch, policy
):
    raml = changed_raml(tmp_path, "securedBy: [ticket]\n", "")
    guarded["ramses.raml_schema"] = str(raml)
    guarded["pyramid.includes"] += " tests.ramses.policy"
    guarded["nefertari.engine"] = f"\n{SQLA}\n{ES}"
    monkeypatch.setenv("NEWSROOM_POLICY", policy)
    run("sqlite", ("policies",))
