"""Answers of a search as pages of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nefertari_engine_base.values import Hit, Page, Query
from nefertari_es.paths import IndexedModel

#: What is read of an answer without contents; the rest is not even sent.
IDS_ONLY_FILTER = (
    "took,_scroll_id,hits.total.value,hits.hits._id,hits.hits._score,aggregations"
)


def make_page(
    model: IndexedModel, query: Query, answer: Mapping[str, Any], engine: str
) -> Page[Any]:
    """The page of an answer.

    :return: documents of the model's class, or of :class:`Hit` for a query of ids.
    """
    hits = answer["hits"]
    return Page(
        items=make_items(model, query, hits.get("hits", ())),
        total=hits["total"]["value"],
        start=query.start,
        limit=query.limit,
        took=answer.get("took"),
        engine=engine,
        fields=query.fields,
        aggregations=answer.get("aggregations", {}),
    )


def make_items(
    model: IndexedModel, query: Query, hits: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """The hits, one by one, as what the query asks for."""
    if query.ids_only:
        return [Hit(hit["_id"], None, hit.get("_score")) for hit in hits]
    # A document is its hit and nothing else until a field is read, so making it costs
    # less than a sequence that would put it off.
    make = model.document._of
    return [make(hit) for hit in hits]
