"""What a visitor asked for, as it stands in the address of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from webob.multidict import MultiDict

from examples.movies.words import query_string
from nefertari_engine_base.exceptions import InvalidParameter

#: The width of a bar of the histogram of ratings.
RATING_STEP = 0.5

#: The first weighs most.
SEARCHED = "title,director.name,distributor.name,genre.name,source,creative_type"

RELEVANCE = "relevance"

#: By the name in the address: what it is called, and what get_collection is asked.
SORTS: Mapping[str, tuple[str, str]] = {
    RELEVANCE: ("Best match", ""),
    "votes": ("Most voted", "-imdb_votes"),
    "rating": ("Best rated", "-imdb_rating,-imdb_votes"),
    "newest": ("Newest", "-release_date"),
    "oldest": ("Oldest", "release_date"),
    "gross": ("Highest gross", "-worldwide_gross"),
    "title": ("Title", "title"),
}


@dataclass(frozen=True, slots=True)
class Facet:
    """One list of values to choose from.

    :attr name: in the address.
    :attr field: what get_collection filters by.
    :attr term: the field of the index with whole values.
    """

    name: str
    label: str
    field: str
    term: str
    size: int


FACETS = (
    Facet("genre", "Genre", "genre.name", "genre.name.raw", 12),
    Facet("mpaa", "MPAA rating", "mpaa_rating", "mpaa_rating", 7),
    Facet("distributor", "Distributor", "distributor.name", "distributor.name.raw", 10),
    Facet("director", "Director", "director.name", "director.name.raw", 10),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a visitor asked for, as it stands in the address.

    :attr facets: chosen values, by the name of the facet.
    :attr years: the first and the last year.
    :attr imdb: the lower end of a bar of the histogram of ratings.
    :attr page: from 1.
    """

    text: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    years: tuple[int, int] | None = None
    imdb: float | None = None
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, params: MultiDict) -> Choice:
        """The choice in the parameters of a request. :raises InvalidParameter:"""
        first, last = (_number(params, name, int) for name in ("from", "to"))
        years = None
        if first is not None or last is not None:
            years = (first or 1900, last or 2099)
        facets = {facet.name: tuple(params.getall(facet.name)) for facet in FACETS}
        sort = params.get("sort", "")
        return cls(
            text=params.get("q", "").strip(),
            facets={name: values for name, values in facets.items() if values},
            years=years,
            imdb=_number(params, "imdb", float),
            sort=sort if sort in SORTS else "",
            page=max(_number(params, "page", int) or 1, 1),
        )

    @property
    def sorted_by(self) -> str:
        """The order in use: the chosen one, or the one that fits."""
        if self.sort and (self.text or self.sort != RELEVANCE):
            return self.sort
        return RELEVANCE if self.text else "votes"

    @property
    def narrowed(self) -> bool:
        """Whether anything but a text was chosen."""
        return bool(self.facets or self.years or self.imdb is not None)

    def filters(self) -> dict[str, Any]:
        """The choice as parameters of get_collection, without its page."""
        filters: dict[str, Any] = {
            facet.field: list(self.facets[facet.name])
            for facet in FACETS
            if facet.name in self.facets
        }
        if self.years:
            filters["year__gte"], filters["year__lte"] = self.years
        if self.imdb is not None:
            filters["imdb_rating__gte"] = self.imdb
            filters["imdb_rating__lt"] = self.imdb + RATING_STEP
        if self.text:
            filters["q"] = query_string(self.text)
            filters["_search_fields"] = SEARCHED
        return filters

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Names and values of the address."""
        if self.text:
            yield "q", self.text
        for name, values in self.facets.items():
            yield from ((name, value) for value in values)
        if self.years:
            yield "from", str(self.years[0])
            yield "to", str(self.years[1])
        if self.imdb is not None:
            yield "imdb", f"{self.imdb:g}"
        if self.sort:
            yield "sort", self.sort
        if self.page > 1:
            yield "page", str(self.page)

    def url(self, **changes: Any) -> str:
        """The address of this choice with something changed; on its first page."""
        pairs = replace(self, **{"page": 1, **changes}).pairs()
        return "/?" + urlencode(list(pairs))

    def toggled(self, facet: str, value: str) -> str:
        """The address with a value added, or taken away if it is chosen."""
        values = self.facets.get(facet, ())
        if value in values:
            values = tuple(other for other in values if other != value)
        else:
            values = (*values, value)
        facets = {**self.facets, facet: values}
        return self.url(
            facets={name: chosen for name, chosen in facets.items() if chosen}
        )

    def without(self, facet: str) -> Choice:
        """The choice without the values of one facet."""
        facets = {name: chosen for name, chosen in self.facets.items() if name != facet}
        return replace(self, facets=facets)


def _number(params: MultiDict, name: str, kind: type) -> Any:
    text = params.get(name, "").strip()
    if not text:
        return None
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not 0 <= number < 10_000:
        raise InvalidParameter(name, f"{text!r} is no number that makes sense here.")
    return number
