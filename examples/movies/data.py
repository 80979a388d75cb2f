"""The films as they were collected, and what has to be mended in them.

Each rule is one function. A value that no rule mends stays as it is, and each value
that one does is counted under the name of the rule.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from examples.movies.models import Rating

#: The latest year of a film; the films were collected in 2010 and 2011.
NEWEST_YEAR = 2011

UNTITLED = "Untitled"

_DATE_FORMS = ("%b %d %Y", "%d-%b-%y", "%m/%d/%Y", "%Y-%m-%d")
_NO_NAMES = frozenset({"", "n/a", "none", "unknown", "distributor unknown", "tba"})


@dataclass(frozen=True, slots=True)
class Film:
    """One film: values of the columns, and the names of what it is related to."""

    columns: Mapping[str, Any]
    director: str | None
    distributor: str | None
    genre: str | None


@dataclass(slots=True)
class Repairs:
    """How many values each rule has mended."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, rule: str, before: object, after: object) -> Any:
        """Count a value if the rule has changed it, and return the new one."""
        if type(before) is not type(after) or before != after:
            self.counts[rule] += 1
        return after

    @property
    def total(self) -> int:
        """How many values were mended."""
        return sum(self.counts.values())


def read_films(path: Path) -> tuple[list[Film], Repairs]:
    """The films of ``movies.json``, mended."""
    repairs = Repairs()
    records = json.loads(path.read_text(encoding="utf-8"))
    return [read_film(record, repairs) for record in records], repairs


def read_film(record: Mapping[str, Any], repairs: Repairs) -> Film:
    """One film, from one record."""
    # Releases of the file spell its keys with blanks or with underscores.
    raw = {key.replace(" ", "_"): value for key, value in record.items()}
    us_gross, worldwide = _grosses(raw, repairs)
    return Film(
        columns={
            "title": mend_title(raw["Title"], repairs),
            **_released(raw["Release_Date"], repairs),
            "mpaa_rating": Rating(raw["MPAA_Rating"]) if raw["MPAA_Rating"] else None,
            "running_time": whole(raw["Running_Time_min"], repairs),
            "source": mend_name(raw["Source"], repairs),
            "creative_type": mend_name(raw["Creative_Type"], repairs),
            "us_gross": us_gross,
            "worldwide_gross": worldwide,
            "us_dvd_sales": dollars(raw["US_DVD_Sales"], repairs),
            "production_budget": dollars(raw["Production_Budget"], repairs),
            "rotten_tomatoes": whole(raw["Rotten_Tomatoes_Rating"], repairs),
            "imdb_rating": number(raw["IMDB_Rating"], repairs),
            "imdb_votes": whole(raw["IMDB_Votes"], repairs),
        },
        director=mend_name(raw["Director"], repairs),
        distributor=mend_name(raw["Distributor"], repairs),
        genre=mend_name(raw["Major_Genre"], repairs),
    )


# --- titles and names --------------------------------------------------------


def mend_title(value: object, repairs: Repairs) -> str:
    """The title of a film."""
    # A film must have one, and one film has none.
    if value is None:
        return str(repairs.note("missing titles", value, UNTITLED))
    # Titles such as 300 and 1941 are numbers in the file.
    title = repairs.note("titles that were numbers", value, str(value))
    title = repairs.note("titles in a wrong encoding", title, _decoded(title))
    return str(repairs.note("doubled blanks", title, " ".join(title.split())))


def _decoded(title: str) -> str:
    # "Am\u00c8lie": text in Windows' encoding that was once read as the Macintosh's.
    # What the Macintosh cannot have written, such as "Alien\u00b3", was read rightly.
    try:
        return title.encode("mac_roman").decode("cp1252")
    except UnicodeError:
        return title


def mend_name(value: object, repairs: Repairs) -> str | None:
    """The name of somebody or something, or ``None``."""
    if value is None:
        return None
    # "Distributor Unknown" is a hole with a name.
    name = " ".join(str(value).split())
    if name.lower() in _NO_NAMES:
        repairs.note("names that mean nobody", name, None)
        return None
    return str(repairs.note("names that were not text", value, name))


# --- dates -------------------------------------------------------------------


def mend_date(value: object, repairs: Repairs) -> date | None:
    """The day on which a film was first shown, or ``None``."""
    if value is None:
        return None
    text = str(value).strip()
    for form in _DATE_FORMS:
        try:
            found = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day
        except ValueError:
            continue
        return _likely(found, repairs)
    # Some releases of the file have a bare year; its first day is the convention.
    if re.fullmatch(r"\d{4}", text):
        first_day = date(int(text), 1, 1)
        repairs.note("dates that were years", text, first_day)
        return _likely(first_day, repairs)
    # Anything else is no date, such as "TBA".
    repairs.note("dates that were none", text, None)
    return None


def _likely(found: date, repairs: Repairs) -> date | None:
    # The last day before the Unix epoch: a missing date that was stored as zero, and
    # read in a time zone west of Greenwich.
    if found == date(1969, 12, 31):
        repairs.note("dates that were zero", found, None)
        return None
    # Years once had two digits: Gone with the Wind is not of 2039.
    if found.year > NEWEST_YEAR:
        earlier = found.replace(year=found.year - 100)
        repairs.note("dates in the wrong century", found, earlier)
        return earlier
    return found


def _released(value: object, repairs: Repairs) -> dict[str, Any]:
    released = mend_date(value, repairs)
    return {"release_date": released, "year": released.year if released else None}


# --- numbers -----------------------------------------------------------------


def _numeric(
    value: object, convert: Callable[[str], Any], rule: str, repairs: Repairs
) -> Any:
    if value is None:
        return None
    if isinstance(value, int | float):
        return convert(str(value))
    # Numbers in text, some with signs of a currency or of thousands.
    try:
        found = convert(re.sub(r"[$,\s]", "", str(value)))
    except (ValueError, ArithmeticError):
        found = None
    repairs.note(rule, value, found)
    return found


def whole(value: object, repairs: Repairs) -> int | None:
    """A whole number, or ``None``."""
    found: int | None = _numeric(value, int, "numbers that were text", repairs)
    return found


def number(value: object, repairs: Repairs) -> float | None:
    """A number, or ``None``; the file has 7 where it means 7.0."""
    found: float | None = _numeric(value, float, "numbers that were text", repairs)
    return found


def dollars(value: object, repairs: Repairs) -> Decimal | None:
    """An amount of money, or ``None``."""
    found: Decimal | None = _numeric(value, Decimal, "amounts that were text", repairs)
    return found


def _grosses(
    raw: Mapping[str, Any], repairs: Repairs
) -> tuple[Decimal | None, Decimal | None]:
    at_home = dollars(raw["US_Gross"], repairs)
    worldwide = dollars(raw["Worldwide_Gross"], repairs)
    # Nobody in the world paid for 12 Angry Men? Then nobody knows how much. But a
    # film that earned elsewhere may really have earned nothing in the United States.
    if worldwide == 0:
        worldwide = repairs.note("grosses that nobody knows", worldwide, None)
        if at_home == 0:
            at_home = repairs.note("grosses that nobody knows", at_home, None)
    return at_home, worldwide


def names_of(films: Iterable[Film], relation: str) -> Iterator[str]:
    """Every name that films have for a relation, once, in the order of appearance."""
    names = (getattr(film, relation) for film in films)
    yield from dict.fromkeys(name for name in names if name is not None)
