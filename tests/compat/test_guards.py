"""What the compatibility says of nefertari-guards where it is not installed, and how it
reads the principals of a request."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyramid.authorization import Authenticated, Everyone
from pyramid.interfaces import IAuthenticationPolicy, ISecurityPolicy
from pyramid.registry import Registry

from nefertari_engine_base.compat import guards
from nefertari_engine_base.compat.principals import effective_principals
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.values.access import Entry

SETTINGS = {
    "nefertari.engine": "nefertari_engine_base.primary.sqla nefertari_es",
    "database_acls": "true",
}


def test_a_missing_package_is_an_error_at_start_up():
    with pytest.raises(ConfigurationError, match=r"nefertari-guards==0\.2\.0"):
        guards.install(SETTINGS)


def test_the_search_of_find_by_ace_is_understood_and_no_other():
    terms = {"action": "allow", "principal": "rick", "permission": "view"}
    must = [{"term": {f"_acl.{name}": word}} for name, word in terms.items()]
    nested = {"path": "_acl", "filter": {"bool": {"must": must}}}
    body = {"query": {"filtered": {"filter": {"nested": nested}}}}
    assert guards.entry_of(body) == Entry("allow", "rick", "view")
    for other in ({"query": {"match_all": {}}}, {"query": 5}, {}):
        with pytest.raises(ValueError, match="not run here"):
            guards.entry_of(other)


def asking(user_id=None, identity=None, policy=None, old=None):
    registry = Registry()
    registry.registerUtility(policy or object(), ISecurityPolicy)
    if old is not None:
        registry.registerUtility(old, IAuthenticationPolicy)
    request = SimpleNamespace(
        registry=registry, authenticated_userid=user_id, identity=identity
    )
    return effective_principals(request)


def test_a_stranger_is_everyone():
    assert asking() == [Everyone]
    assert asking(identity=SimpleNamespace(principals=["x"])) == [Everyone]


@pytest.mark.parametrize(
    ("identity", "named"),
    [
        (SimpleNamespace(principals=["g:a", "g:b"]), ["g:a", "g:b"]),
        ({"principals": ("g:a",)}, ["g:a"]),
        ({"principals": None}, []),
        (SimpleNamespace(principals=None), []),
        ("rick", []),
    ],
    ids=str,
)
def test_an_identity_names_its_principals(identity, named):
    assert asking("rick", identity) == [Everyone, Authenticated, "rick", *named]


def test_a_policy_may_tell_principals_itself():
    policy = SimpleNamespace(effective_principals=lambda request: ["x", "y"])
    assert asking("rick", policy=policy) == ["x", "y"]


def test_an_old_policy_is_asked_as_ever():
    old = SimpleNamespace(effective_principals=lambda request: {"x"})
    assert asking("rick", old=old) == ["x"]
