"""What only the secondary answers: words, aggregations."""

from __future__ import annotations

import pytest

from tests.ramses.conftest import authenticated
from tests.ramses.test_articles import three, titles  # noqa: F401


@pytest.fixture(autouse=True)
def secondary(engines):
    if engines.secondary is None:
        pytest.skip("there is no secondary")


def test_articles_are_found_by_words(admin, three):  # noqa: F811
    assert sorted(titles(admin.get("/articles?q=gun"))) == ["s1", "s2"]
    assert titles(admin.get("/articles?q=text:cruiser")) == ["s3"]
    assert titles(admin.get("/articles?q=gun&_search_fields=title")) == []
    assert titles(admin.get("/articles?q=gun&author=system&title=s2")) == ["s2"]
    assert admin.get("/articles?q=gun").json["data"][0]["_score"] > 0


def test_words_are_looked_for_in_several_collections(admin, three):  # noqa: F811
    answer = admin.get("/users,articles?q=rick OR cruiser").json
    assert {document["_pk"] for document in answer["data"]} >= {"rick", str(three[2])}


def test_articles_are_aggregated(admin, three):  # noqa: F811
    answer = admin.get("/articles?_aggs.cheapest.min.field=price").json
    assert answer == {"cheapest": {"value": 1.0}}
    answer = admin.get("/articles?_aggs.by.terms.field=author&title=s3").json
    assert [(b["key"], b["doc_count"]) for b in answer["by"]["buckets"]] == [
        ("rick", 1),
    ]
    answer = admin.get("/articles?_aggregations.by.terms.field=title").json
    assert len(answer["by"]["buckets"]) == 3


def test_several_collections_are_aggregated_as_one(admin, three):  # noqa: F811
    url = "/users,articles?_aggs.by.terms.field"
    found = admin.get(f"{url}=username&_aggs.mean.avg.field=price").json
    assert {bucket["key"] for bucket in found["by"]["buckets"]} == {"rick", "system"}
    assert found["mean"]["value"] == 2.0
    found = admin.get(f"{url}=author&q=gun OR rick&title=s2").json
    assert [(b["key"], b["doc_count"]) for b in found["by"]["buckets"]] == [
        ("system", 1),
    ]
    both = admin.get("/users,articles?_aggs.n.value_count.field=created_at").json
    assert both == {"n": {"value": 5}}
    nothing = admin.get(f"{url}=author&username=rick&title=s1").json
    assert nothing["by"]["buckets"] == []
    answer = admin.get("/users,articles?_aggs.x.max.field=nonsense", status=400).json
    assert "nonsense" in answer["message"]
    assert admin.get("/nosuch,neither?_aggs.x.max.field=id").json == {}


@authenticated
def test_nobody_aggregates_what_he_does_not_see(anonymous, three):  # noqa: F811
    anonymous.get("/articles?_aggs.x.min.field=price", status=403)
    for field in ("price", "password"):
        url = f"/users,articles?_aggs.by.sub.aggs.x.terms.field={field}"
        answer = anonymous.get(url, status=403).json
        assert field in answer["message"]
    answer = anonymous.get("/articles?_aggs.x.value_count.field=id").json
    assert answer == {"x": {"value": len(three)}}
