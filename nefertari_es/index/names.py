"""Names: the alias that a model's documents are reached by, and its indices."""

from __future__ import annotations

import re

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """``MovieStar`` as ``movie_star``, ``HTTPCall`` as ``http_call``."""
    return _WORD_START.sub("_", name).lower()


def alias_of(prefix: str, model: str) -> str:
    """The alias of a model's collection, such as ``nefertari-movie_star``."""
    return f"{prefix}-{snake_case(model)}"


def physical_name(alias: str, generation: int) -> str:
    """The name of an index behind an alias, such as ``nefertari-movie-000001``."""
    return f"{alias}-{generation:06d}"


def generation_of(alias: str, index: str) -> int | None:
    """The number at the end of an index's name; ``None`` if it is not behind the
    alias by its name."""
    match = re.fullmatch(re.escape(alias) + r"-(\d{6,})", index)
    return int(match[1]) if match else None
