"""Each primary gives the same answer as a search server to what both can be asked."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from decimal import Decimal

import elasticsearch
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_reading import create_films
from nefertari_engine_base.values import Capability

WORDS = ["alien", "Blade", "runner", "Zoë", "été", "star", "Ω", "the"]


@pytest.fixture(
    scope="module",
    params=[
        ("sqlite", "elasticsearch"),
        ("postgresql", "opensearch"),
        ("mongodb", "elasticsearch"),
    ],
    ids=lambda pair: "-".join(pair),
)
def bench(request, server_of, kit_of):
    """The same films in each database, with one of the search servers."""
    database, search = request.param
    options = {
        "elasticsearch.hosts": server_of(search).url,
        "elasticsearch.index_prefix": f"answers-{os.getpid()}-{database}",
    }
    with (
        kit_of(database) as kit,
        Bench(kit, lambda config: config.include("nefertari_es"), **options) as bench,
    ):
        create_films(bench)
        drain(bench.engines)
        assert bench.outbox.waiting() == 0
        bench.engines.secondary.refresh(bench.engines.schemas.values())
        yield bench
        remove_indices(bench.engines.secondary)


def remove_indices(secondary):
    client, prefix = secondary.client, secondary.settings.index_prefix
    with suppress(elasticsearch.ApiError, elasticsearch.TransportError):
        found = client.indices.get(index=f"{prefix}-*", ignore_unavailable=True)
        client.indices.delete(index=",".join(found) or f"{prefix}-none-*")


NUMBERS = {
    "year": [1979, 1982, 1990, 2001],
    "rating": [6.5, 7.25, -1.5, 0],
    "id": [1, 30, 40],
}
EXACT = {
    "title": ["alien Blade", "the the", "Zoë star", "Alien"],
    "published": [True, False],
    "director.id": [1, 2, 9],
    "director.name": ["Scott", "Cameron", "Nobody", "none"],
    "director.country.name": ["UK", "US", "FR"],
    "genres.name": ["horror", "space", "western"],
    "genres.id": [1, 2, 9],
    "gross": [Decimal("12.50"), Decimal("12.5")],
    "released": [dt.date(1979, 5, 25), dt.date(1979, 5, 26)],
    **NUMBERS,
}
SORTABLE = ["id", "title", "year", "rating", "gross", "released", "published"]
RELATED = ["director.name", "director.country.name"]


@st.composite
def filters(draw):
    name = draw(st.sampled_from(sorted(EXACT)))
    values = st.sampled_from(EXACT[name])
    operators = ["", "__in", "__exists"]
    if name in NUMBERS or name == "released":
        operators += ["__gt", "__gte", "__lt", "__lte"]
    operator = draw(st.sampled_from(operators))
    if operator == "__exists":
        return name + operator, draw(st.booleans())
    if operator == "__in":
        return name + operator, draw(st.lists(values, min_size=1, max_size=3))
    return name + operator, draw(values)


@st.composite
def queries(draw, sortable):
    query = dict(draw(st.lists(filters(), max_size=3)))
    keys = st.builds(
        "{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(sortable)
    )
    if sort := draw(st.lists(keys, max_size=2)):
        query["_sort"] = ",".join(sort)
    query["_limit"] = draw(st.sampled_from([0, 1, 7, 20, 100]))
    query["_start"] = draw(st.sampled_from([0, 0, 1, 5, 39, 70]))
    return query


QUERIES = {False: queries(SORTABLE), True: queries(SORTABLE + RELATED)}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_both_engines_find_the_same_films_in_the_same_order(bench, data):
    sorts_related = Capability.RELATED_SORT in bench.primary.capabilities
    query = data.draw(QUERIES[sorts_related])
    film = bench.kit.models["Film"]
    secondary = film.get_collection(**query)
    primary = film.get_collection(**query, _query_secondary=False)
    assert [one.id for one in secondary] == [one.id for one in primary]
    assert secondary.total == primary.total
    assert secondary.engine == "elasticsearch"
    assert primary.engine == bench.primary.name
    assert film.count(**query) == film.count(**query, _query_secondary=False)
