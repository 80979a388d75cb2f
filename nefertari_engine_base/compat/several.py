"""Reads of several collections at once: ``GET /users,stories``.

Each model has an index of its own, and each is asked. A page that begins at ``start``
needs the first ``start + limit`` hits of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from nefertari_engine_base.compat.parameters import query_parameters
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.query.params import parse_parameters
from nefertari_engine_base.values import Page, Query


def collection_of_several(
    engines: Engines,
    names: Sequence[str],
    parameters: Mapping[str, Any],
    **restriction: Any,
) -> Any:
    """One page of the documents of these models, or with ``_count`` their number.

    A model that lacks a field which is asked for has no matches; without ``_sort`` and
    ``q`` the models follow each other by name.

    :param restriction: keywords of
        :func:`~nefertari_engine_base.query.dispatcher.get_collection`.
    :raises InvalidParameter: if every model lacks the field, or for a bad value.
    """
    questions, query = _questions(engines, sorted(names), parameters)
    answers = [
        dispatcher.get_collection(engines, name, asked, **restriction)
        for name, asked in questions.items()
    ]
    if "_count" in parameters:
        return sum(answers)
    items = _merged([item for page in answers for item in page], query)
    end = None if query.limit is None else query.start + query.limit
    return Page(
        items=items[query.start : end],
        total=sum(page.total for page in answers),
        start=query.start,
        limit=query.limit,
        took=sum(page.took or 0 for page in answers),
        fields=query.fields,
    )


def _questions(
    engines: Engines, names: Sequence[str], parameters: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], Query]:
    """The parameters of each model that can be asked, and what they mean in common."""
    questions: dict[str, dict[str, Any]] = {}
    refused: InvalidParameter | None = None
    query = Query()
    for name in names:
        schema = engines.schema_of(name)
        asked = query_parameters(schema, parameters)
        try:
            query = parse_parameters(schema, asked).query
        except InvalidParameter as error:
            refused = error
            continue
        limit = None if query.limit is None else query.start + query.limit
        questions[name] = {**asked, "_limit": limit}
        questions[name].pop("_start", None)
        questions[name].pop("_page", None)
    if refused is not None and not questions:
        raise refused
    return questions, query


def _merged(items: list[Any], query: Query) -> list[Any]:
    for sort in reversed(query.sort):
        # Sorting is stable, so the first key is sorted by last.
        value = _value_of(sort.field)
        there = [item for item in items if value(item) is not None]
        missing = [item for item in items if value(item) is None]
        there.sort(key=_comparable(value), reverse=sort.descending)
        items = there + missing
    if query.text is not None and not query.sort:
        items.sort(key=lambda item: -(item._score or 0.0))
    return items


def _value_of(path: str) -> Callable[[Any], Any]:
    read = attrgetter(path)

    def value(item: Any) -> Any:
        try:
            return read(item)
        except AttributeError:
            return None

    return value


def _comparable(value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # Fields of one name may hold numbers in one model and text in another.
    def key(item: Any) -> tuple[str, Any]:
        found = value(item)
        number = isinstance(found, int | float)
        return ("" if number else type(found).__name__, found)

    return key
