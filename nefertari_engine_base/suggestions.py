"""What may have been meant by a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from nefertari_engine_base.exceptions import ConfigurationError


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence with the known names that are like this one, or with all of them."""
    known = sorted(known)
    found = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if found:
        return f"Did you mean {' or '.join(found)}?"
    return f"There are: {', '.join(known) or 'none'}."


def check_names(
    model: str, option: str, names: Iterable[str], known: Iterable[str]
) -> None:
    """Make sure that an option of a model names fields of it.

    :raises ConfigurationError: for the first name that is none; says which it may be.
    """
    known = list(known)
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"{model}: {option} names {name!r}, which is no field of {model}. "
                f"{nearest(name, known)}"
            )
