"""What ``api.raml`` and its schemas refer to by name, in double braces."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyramid.security import Allow
from ramses import registry


@registry.add
def now() -> datetime:
    """The time, in UTC, as fields without a zone hold it."""
    return datetime.utcnow()  # noqa: DTZ003


@registry.add
def strip(**event: Any) -> Any:
    """Processor: text without spaces around it."""
    value = event["new_value"]
    return value.strip() if isinstance(value, str) else value


@registry.add
def set_author(event: Any) -> None:
    """Before an article is created: who is logged in has written it, unless told."""
    user = getattr(event.view.request, "user", None)
    if user is not None and "author" not in event.view._json_params:
        event.set_field_value("author", user)


@registry.add
def count_words(event: Any) -> None:
    """Before an article is written: how many words it has."""
    text = event.view._json_params.get("text")
    if text is not None:
        event.set_field_value("words", len(text.split()))


@registry.add
def own_user(ace: Any, request: Any, obj: Any) -> Any:
    """Principal: the user that an item is, or whose profile it becomes."""
    if obj is None:
        return None
    name = getattr(obj, "username", None) or request.matchdict["users_username"]
    return (Allow, str(name), ace[2])


@registry.add
def own_article(ace: Any, request: Any, obj: Any) -> Any:
    """Principal: the author of the article that an item is."""
    author = getattr(obj, "author", None)
    if author is None:
        return None
    return (Allow, str(getattr(author, "username", author)), ace[2])
