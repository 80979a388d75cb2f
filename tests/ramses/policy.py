"""A security policy of Pyramid 2: a header says who asks."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from pyramid.authorization import ACLHelper
from pyramid.config import Configurator


class HeaderPolicy:
    """``X-User: rick writers editors`` is rick, who is in two groups."""

    def identity(self, request: Any) -> Any:
        """The user and his groups; ``None`` without the header."""
        name, *groups = request.headers.get("X-User", "").split() or [None]
        return name and SimpleNamespace(id=name, principals=groups)

    def authenticated_userid(self, request: Any) -> str | None:
        """Name of the user."""
        identity = self.identity(request)
        return identity and identity.id

    def permits(self, request: Any, context: Any, permission: str) -> Any:
        """What the context's list says to the request's principals."""
        principals = request.effective_principals
        return ACLHelper().permits(context, principals, permission)

    def remember(self, request: Any, userid: str, **_: Any) -> list[Any]:
        """Nothing: the client sends its header again."""
        return []

    def forget(self, request: Any, **_: Any) -> list[Any]:
        """Nothing."""
        return []


class TellingPolicy(HeaderPolicy):
    """One that tells principals itself, and has no identity."""

    def identity(self, request: Any) -> Any:
        """Nobody."""
        return None

    def effective_principals(self, request: Any) -> list[str]:
        """Everyone, and the words of the header."""
        return ["system.Everyone", *request.headers.get("X-User", "").split()]


def includeme(config: Configurator) -> None:
    """Use the one of them that the environment names."""
    telling = os.environ.get("NEWSROOM_POLICY") == "telling"
    config.set_security_policy(TellingPolicy() if telling else HeaderPolicy())
