"""How values look on a page: filters of the templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from markupsafe import Markup, escape

_UNITS = ((1_000_000_000, "bn"), (1_000_000, "m"), (1_000, "k"))
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def money(amount: Decimal | None) -> str:
    """An amount in a few characters: ``$27.9 m``."""
    if amount is None:
        return "unknown"
    for size, unit in _UNITS:
        if abs(amount) >= size:
            return f"${float(amount / size):.3g} {unit}"
    return f"${amount:,.0f}"


def dollars(amount: Decimal | None) -> str:
    """An amount in full: ``$27,902,310``."""
    return "unknown" if amount is None else f"${amount:,.0f}"


def thousands(number: int | None) -> str:
    """A number with its thousands apart."""
    return "unknown" if number is None else f"{number:,}"


def day(value: date | None) -> str:
    """A date in words; the same in every locale."""
    if value is None:
        return "unknown"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def marked(text: str | None, words: Iterable[str]) -> Markup:
    """The text with the words marked that were searched for; a word marks the
    beginnings that it is, too."""
    found = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    if not text or not found:
        return escape(text or "")
    pieces = re.split(rf"(?i)\b((?:{found})\w*)", text)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(piece) if number % 2 else piece
        for number, piece in enumerate(pieces)
    )


def pretty_json(data: Any) -> str:
    """Data as indented JSON."""
    return orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()


#: By the names that templates know them by.
FILTERS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (money, dollars, thousands, day, marked, pretty_json)
}
