"""A neutral query as the body of a search request, without detours.

Building the same body with ``elasticsearch.dsl`` takes longer than the server needs for
many a search. https://www.elastic.co/docs/explore-analyze/query-filter/languages/querydsl
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.values import Query, Sort
from nefertari_es.aggregation_scope import check_scope
from nefertari_es.filters import filter_clauses
from nefertari_es.paths import IndexedField, IndexedModel

SCORE = "_score"


def search_body(model: IndexedModel, query: Query, window: int) -> dict[str, Any]:
    """The body of a search for at most ``query.limit`` hits.

    :param window: the largest ``start + limit`` that the index allows.
    :raises InvalidParameter: for a field that is not there or cannot be used so, for a
        page beyond the window, and for an aggregation that tells of hidden documents.
    """
    limit = 0 if query.limit is None else query.limit
    if query.start + limit > window:
        raise InvalidParameter(
            "_limit",
            f"pages end at hit {window}. To read on, filter by the last key of the "
            f"page before, or use {model.schema.name}.secondary.search().scan().",
        )
    body: dict[str, Any] = {
        "size": limit,
        "track_total_hits": True,
        "sort": sort_keys(model, query),
    }
    if query.start:
        body["from"] = query.start
    if (clause := query_clause(model, query)) is not None:
        body["query"] = clause
    if query.ids_only:
        body["_source"] = False
    elif query.fields is not None:
        body["_source"] = _known_names(model, query.fields)
    if query.aggregations is not None:
        if query.is_restricted:
            check_scope(query.aggregations)
        body["aggs"] = dict(query.aggregations)
    return body


def aggregations_body(
    questions: Sequence[tuple[IndexedModel, Query]], aggregations: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a search in the indices of several models, for aggregations alone.

    Each query speaks of the documents of its own model only.

    :raises InvalidParameter: for an aggregation that tells of hidden documents.
    """
    if any(query.is_restricted for _, query in questions):
        check_scope(aggregations)
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {
            "bool": {"should": [_in_index(model, query) for model, query in questions]}
        },
        "aggs": dict(aggregations),
    }


def _in_index(model: IndexedModel, query: Query) -> dict[str, Any]:
    # An alias is a name of its index here, too, whichever that is by now.
    clauses: list[dict[str, Any]] = [{"term": {"_index": model.alias}}]
    if (clause := query_clause(model, query)) is not None:
        clauses.append(clause)
    return {"bool": {"filter": clauses}}


def query_clause(model: IndexedModel, query: Query) -> dict[str, Any] | None:
    """Text and filters as one clause; ``None`` if every document matches."""
    wanted, unwanted = filter_clauses(model, query.filters)
    text = None if query.text is None else _text_clause(model, query)
    if not wanted and not unwanted:
        return text
    clause: dict[str, Any] = {}
    if text is not None:
        clause["must"] = text
    if wanted:
        clause["filter"] = wanted
    if unwanted:
        clause["must_not"] = unwanted
    return {"bool": clause}


def _text_clause(model: IndexedModel, query: Query) -> dict[str, Any]:
    names: list[str] = model.searched
    if query.text_fields:
        known = _known_names(model, query.text_fields)
        # The first field that is named weighs most.
        names = [
            f"{name}^{weight}"
            for name, weight in zip(known, range(len(known), 0, -1), strict=True)
        ]
    return {"query_string": {"query": query.text, "fields": names, "lenient": True}}


def _known_names(model: IndexedModel, names: tuple[str, ...]) -> list[str]:
    for name in names:
        if name not in model.contents:
            raise InvalidParameter(name, f"{model.schema.name} has no such field.")
    return list(names)


def sort_keys(model: IndexedModel, query: Query) -> list[Any]:
    """The keys to sort by, ended by the primary key, so that the order is total.

    Without any, a search of text is sorted by how well it matches.
    """
    keys: list[Any] = [_sort_key(model, sort) for sort in query.sort]
    if not keys and query.text is not None:
        keys.append({SCORE: "desc"})
    named = {sort.field for sort in query.sort}
    for name in model.schema.primary_key:
        field = model.fields[name]
        if name not in named and field.ordered is not None:
            keys.append({field.ordered: "asc"})
    return keys


def _sort_key(model: IndexedModel, sort: Sort) -> dict[str, Any]:
    order = "desc" if sort.descending else "asc"
    if sort.field == SCORE:
        return {SCORE: order}
    field = model.field(sort.field)
    if field.ordered is None:
        raise InvalidParameter(
            sort.field, f"{model.schema.name} cannot be sorted by this field."
        )
    return {field.ordered: _sort_options(field, order)}


def _sort_options(field: IndexedField, order: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "order": order,
        "missing": "_last",
        "unmapped_type": field.type if field.ordered == field.path else "keyword",
    }
    if field.nested:
        options["nested"] = {"path": field.nested[-1]}
    return options
