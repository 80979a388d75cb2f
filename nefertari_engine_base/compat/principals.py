"""``request.effective_principals`` under every kind of security policy.

Pyramid 2 tells principals of the old policies alone, and calls everybody a stranger
under a new one. nefertari asks for them where it reads several collections at once, and
nefertari-guards wherever it filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyramid.authorization import Authenticated, Everyone
from pyramid.interfaces import IAuthenticationPolicy, ISecurityPolicy


def effective_principals(request: Any) -> list[Any]:
    """The principals of who sends a request.

    * of an old authentication policy: what it answers,
    * of a security policy with a method ``effective_principals(request)``: what that
      answers,
    * of any other: everyone; and if the request is authenticated, ``Authenticated``,
      the user id, and ``principals`` of ``request.identity``, an attribute or a key.

    ``permits`` of the policy has to ask for the same principals, or collections and
    items would be shown to different people.
    """
    registry = request.registry
    old = registry.queryUtility(IAuthenticationPolicy)
    if old is not None:
        return list(old.effective_principals(request))
    policy = registry.queryUtility(ISecurityPolicy)
    answer = getattr(policy, "effective_principals", None)
    if answer is not None:
        return list(answer(request))
    user_id = request.authenticated_userid
    if user_id is None:
        return [Everyone]
    return [Everyone, Authenticated, user_id, *_named(request.identity)]


def _named(identity: Any) -> Iterable[Any]:
    if isinstance(identity, Mapping):
        return identity.get("principals") or ()
    return getattr(identity, "principals", None) or ()
