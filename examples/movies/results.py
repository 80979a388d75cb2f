"""Everything that the page shows of the answer.

A facet, and each of the two histograms, counts what the other choices leave: a second
genre can be added to the first, and the whole histogram stays in sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from examples.movies.choice import FACETS, RATING_STEP, SORTS, Choice, Facet
from examples.movies.words import terms
from nefertari_engine_base import Queryable
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.values import Page

PER_PAGE = 24
DECADE = 10

#: The first and the last bar of a whole histogram.
_DECADES = (1910, 2010)
_RATINGS = (1, 9.5)

#: Between the ends of a range.
TO = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram.

    :attr share: of the highest bar, in percent.
    :attr tick: whether its label is shown below it.
    """

    label: str
    count: int
    share: float
    url: str
    chosen: bool
    tick: bool


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet."""

    label: str
    count: int
    url: str
    chosen: bool


@dataclass(slots=True)
class Results:
    """Everything that the page shows.

    :attr complete: whether the search engine answered, facets and histograms with it.
    """

    choice: Choice
    page: Page[Any]
    complete: bool
    facets: list[tuple[Facet, list[FacetValue]]] = field(default_factory=list)
    years: list[Bar] = field(default_factory=list)
    ratings: list[Bar] = field(default_factory=list)

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.page.total // PER_PAGE))

    @property
    def words(self) -> list[str]:
        """The words to mark."""
        return [
            word
            for unwanted, words, _ in terms(self.choice.text)
            if not unwanted
            for word in re.findall(r"\w+", words)
        ]

    @property
    def chips(self) -> list[tuple[str, str]]:
        """What was chosen, with the address that has it no more."""
        choice = self.choice
        chips = [
            (value, choice.toggled(name, value))
            for name, values in choice.facets.items()
            for value in values
        ]
        if choice.years:
            first, last = choice.years
            label = str(first) if first == last else f"{first}{TO}{last}"
            chips.append((label, choice.url(years=None)))
        if choice.imdb is not None:
            label = f"IMDb {choice.imdb:g}{TO}{choice.imdb + RATING_STEP:g}"
            chips.append((label, choice.url(imdb=None)))
        return chips


def find(movies: type[Queryable], choice: Choice, *, refresh: bool = False) -> Results:
    """Ask for a page of films, and for the counts beside it.

    When the search engine does not answer, the database answers what it can: films
    by facets, years and ratings, without counts.

    :param movies: the model.
    :param refresh: see every change that was made before.
    :raises SecondaryUnavailable: if there is a text to search for, and nobody to do it.
    """
    parameters = {
        **choice.filters(),
        "_sort": SORTS[choice.sorted_by][1],
        "_limit": PER_PAGE,
        "_start": (choice.page - 1) * PER_PAGE,
        "_refresh_index": refresh,
    }
    try:
        page = movies.get_collection(**parameters, _aggs=_all_counts(choice))
    except SecondaryUnavailable:
        if choice.text:
            raise
        return Results(choice, movies.get_collection(**parameters), complete=False)
    counts = {**page.aggregations, **_counts_without(movies, choice)}
    return Results(
        choice,
        page,
        complete=True,
        facets=[
            (facet, _values(choice, facet, counts[facet.name]["buckets"]))
            for facet in FACETS
        ],
        years=_year_bars(choice, counts["years"]["buckets"]),
        ratings=_rating_bars(choice, counts["ratings"]["buckets"]),
    )


def _all_counts(choice: Choice) -> dict[str, Any]:
    return {
        **{facet.name: _facet_counts(facet) for facet in FACETS},
        "years": _year_counts(choice),
        "ratings": _rating_counts(),
    }


def _counts_without(movies: type[Queryable], choice: Choice) -> dict[str, Any]:
    """Counts of each chosen facet and histogram as if nothing was chosen in it."""
    asked: dict[str, tuple[Choice, Any]] = {
        facet.name: (choice.without(facet.name), _facet_counts(facet))
        for facet in FACETS
        if facet.name in choice.facets
    }
    if choice.years:
        span = replace(choice, years=_span(choice))
        asked["years"] = (span, _year_counts(choice))
    if choice.imdb is not None:
        asked["ratings"] = (replace(choice, imdb=None), _rating_counts())
    counts: dict[str, Any] = {}
    for name, (wider, aggregation) in asked.items():
        page = movies.get_collection(
            **wider.filters(), _limit=0, _aggs={name: aggregation}
        )
        counts.update(page.aggregations)
    return counts


def _facet_counts(facet: Facet) -> dict[str, Any]:
    return {"terms": {"field": facet.term, "size": facet.size}}


def _rating_counts() -> dict[str, Any]:
    return _histogram("imdb_rating", RATING_STEP, _RATINGS)


def _year_counts(choice: Choice) -> dict[str, Any]:
    span = _span(choice)
    if span is None:
        return _histogram("year", DECADE, _DECADES)
    return _histogram("year", 1, span)


def _histogram(
    name: str, interval: float, bounds: tuple[float, float]
) -> dict[str, Any]:
    # The axis is the same, however few films there are.
    low, high = bounds
    return {
        "histogram": {
            "field": name,
            "interval": interval,
            "extended_bounds": {"min": low, "max": high},
        }
    }


def _span(choice: Choice) -> tuple[int, int] | None:
    """The years of the histogram, if it shows years: the decades of the choice."""
    if choice.years is None:
        return None
    first, last = choice.years
    span = (first // DECADE * DECADE, last // DECADE * DECADE + DECADE - 1)
    return span if span[1] - span[0] < 3 * DECADE else None


# --- from buckets to bars ----------------------------------------------------


def _values(
    choice: Choice, facet: Facet, buckets: Sequence[Mapping[str, Any]]
) -> list[FacetValue]:
    chosen = choice.facets.get(facet.name, ())
    return [
        FacetValue(
            label=bucket["key"],
            count=bucket["doc_count"],
            url=choice.toggled(facet.name, bucket["key"]),
            chosen=bucket["key"] in chosen,
        )
        for bucket in buckets
    ]


def _year_bars(choice: Choice, buckets: Sequence[Mapping[str, Any]]) -> list[Bar]:
    decades = _span(choice) is None
    bars = []
    for bucket, share in _shares(buckets):
        first = int(bucket["key"])
        years = (first, first + DECADE - 1) if decades else (first, first)
        chosen = choice.years is not None and _within(years, choice.years)
        target = years
        if chosen and not decades and choice.years == years:
            # A second click shows the decade again.
            target = (first // DECADE * DECADE, first // DECADE * DECADE + DECADE - 1)
        bars.append(
            Bar(
                label=f"{first}s" if decades else str(first),
                count=bucket["doc_count"],
                share=share,
                url=choice.url(years=target),
                chosen=chosen,
                tick=decades or first % 5 == 0,
            )
        )
    return bars


def _within(years: tuple[int, int], chosen: tuple[int, int]) -> bool:
    return chosen[0] <= years[0] and years[1] <= chosen[1]


def _rating_bars(choice: Choice, buckets: Sequence[Mapping[str, Any]]) -> list[Bar]:
    return [
        Bar(
            label=f"{bucket['key']:g}{TO}{bucket['key'] + RATING_STEP:g}",
            count=bucket["doc_count"],
            share=share,
            url=choice.url(
                imdb=None if bucket["key"] == choice.imdb else bucket["key"]
            ),
            chosen=bucket["key"] == choice.imdb,
            tick=bucket["key"] % 1 == 0,
        )
        for bucket, share in _shares(buckets)
    ]


def _shares(
    buckets: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[Mapping[str, Any], float]]:
    highest = max((bucket["doc_count"] for bucket in buckets), default=0) or 1
    for bucket in buckets:
        yield bucket, round(100 * bucket["doc_count"] / highest, 1)
