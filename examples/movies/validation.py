"""What may be written into a film, from a form or from JSON."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pyramid.request import Request

from examples.movies.models import LONGEST_NAME, Rating

#: One more digit does not fit the column.
_MOST_DOLLARS = Decimal("999999999999.99")
_MOST_WHOLE = 2**31 - 1


class Invalid(ValueError):
    """What was given cannot be a film.

    :attr errors: what is wrong, by the name of the field.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {what}" for name, what in errors.items()))
        self.errors = dict(errors)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    text = " ".join(value.split())
    # The database cannot store these: control characters, and halves of pairs.
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("has a character that cannot be stored")
    if len(text) > LONGEST_NAME:
        raise ValueError(f"must have at most {LONGEST_NAME} characters")
    return text


def _name(value: Any) -> str:
    # Documents have a mapping where a form has the name.
    return _text(value.get("name") if isinstance(value, Mapping) else value)


def _date(value: Any) -> date:
    try:
        found = date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError("must be a date such as 1982-06-25") from None
    if not 1880 <= found.year <= 2100:
        raise ValueError("must be a year from 1880 to 2100")
    return found


def _rating(value: Any) -> Rating:
    try:
        return Rating(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Rating)}") from None


def _whole(lowest: int, highest: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        number = _decimal(value)
        if number != number.to_integral_value() or not lowest <= number <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest:,}")
        return int(number)

    return convert


def _decimal(value: Any) -> Decimal:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = Decimal(str(value).strip())
    except (ArithmeticError, TypeError):
        raise ValueError("must be a number") from None
    if not number.is_finite():
        raise ValueError("must be a number")
    return number


def _dollars(value: Any) -> Decimal:
    amount = _decimal(str(value).replace(",", "").removeprefix("$"))
    if not 0 <= amount <= _MOST_DOLLARS or amount != round(amount, 2):
        raise ValueError("must be an amount of dollars, with at most two decimals")
    return amount


def _score(value: Any) -> float:
    number = float(_decimal(value))
    if not math.isfinite(number) or not 0 <= number <= 10:
        raise ValueError("must be a number from 0 to 10")
    return number


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form.

    :attr kind: which control shows it: text, date, choice, number or money.
    """

    name: str
    label: str
    convert: Callable[[Any], Any]
    kind: str = "text"
    hint: str = ""
    choices: tuple[str, ...] = ()


FIELDS = (
    Field("title", "Title", _text),
    Field("release_date", "Release date", _date, "date"),
    Field("director", "Director", _name, hint="A new name adds a director."),
    Field("distributor", "Distributor", _name),
    Field("genre", "Genre", _name),
    Field("mpaa_rating", "MPAA rating", _rating, "choice", choices=tuple(Rating)),
    Field("running_time", "Running time", _whole(1, 1000), "number", "Minutes."),
    Field("source", "Source", _text),
    Field("creative_type", "Creative type", _text),
    Field("imdb_rating", "IMDb rating", _score, "number", "From 0 to 10."),
    Field("imdb_votes", "IMDb votes", _whole(0, _MOST_WHOLE), "number"),
    Field("rotten_tomatoes", "Rotten Tomatoes", _whole(0, 100), "number", "Percent."),
    Field("production_budget", "Production budget", _dollars, "money"),
    Field("us_gross", "US gross", _dollars, "money"),
    Field("worldwide_gross", "Worldwide gross", _dollars, "money"),
    Field("us_dvd_sales", "US DVD sales", _dollars, "money"),
)

_BY_NAME = {field.name: field for field in FIELDS}
#: Names of models.
_RELATED = {"director": "Director", "distributor": "Distributor", "genre": "Genre"}
#: What documents have, and what follows from the rest.
_READ_ONLY = frozenset(
    {"id", "year", "director_id", "distributor_id", "genre_id", "_pk", "_type"}
)


def check(given: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
    """The values of a film; what is empty is ``None``.

    :param partial: leave out the fields that were not given.
    :raises Invalid: with all that is wrong.
    """
    errors = {
        name: "is no field of a film"
        for name in given
        if name not in _BY_NAME and name not in _READ_ONLY
    }
    values: dict[str, Any] = {}
    for field in FIELDS:
        if partial and field.name not in given:
            continue
        value = given.get(field.name)
        try:
            values[field.name] = None if _is_empty(value) else field.convert(value)
        except ValueError as error:
            errors[field.name] = str(error)
    if "title" in values and not values["title"]:
        errors["title"] = "must be given"
    if errors:
        raise Invalid(errors)
    return values


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def apply(request: Request, movie: Any, values: Mapping[str, Any]) -> None:
    """Write checked values into a film. New names become new rows."""
    found = {
        name: _named(request, _RELATED[name], value)
        for name, value in values.items()
        if name in _RELATED and value is not None
    }
    for name, value in {**values, **found}.items():
        setattr(movie, name, value)


def _named(request: Request, kind: str, name: str) -> Any:
    """The row of this name; a new one if there is none."""
    model = getattr(request.models, kind)
    row = request.store.find(model, name=name)
    if row is None:
        row = model(name=name)
        request.store.save(row)
    return row
