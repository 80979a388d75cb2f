"""Reads of several collections at once: ``GET /users,stories``.

Each model has an index of its own, and each is asked. A page that begins at ``start``
needs the first ``start + limit`` hits of each. Aggregations are one question to all
indices, since answers of each could not be merged.

As in one index for all, documents that lack a field match no filter by it, come last
where they are sorted by it, and do not show it. What no model has is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from nefertari_engine_base.compat.paging import split_names
from nefertari_engine_base.compat.parameters import (
    aggregations_of,
    field_name,
    has_field,
    query_parameters,
)
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.query.params import parse_parameters
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Page

#: Parameters whose values are names of fields.
_LISTS = ("_fields", "_sort", "_search_fields")
_PAGING = ("_limit", "_start", "_page")


@dataclass(frozen=True, slots=True)
class Question:
    """What one model is asked.

    :attr sort: where its documents have the values of each key that all are sorted
        by; ``None`` for one that they lack.
    """

    schema: ModelSchema
    parameters: dict[str, Any]
    sort: tuple[str | None, ...]


def collection_of_several(
    engines: Engines,
    names: Sequence[str],
    parameters: Mapping[str, Any],
    **restriction: Any,
) -> Any:
    """One page of the documents of these models, or with ``_count`` their number.

    Without ``_sort`` and ``q`` the models follow each other by name.

    :param restriction: keywords of
        :func:`~nefertari_engine_base.query.dispatcher.get_collection`.
    :raises InvalidParameter: if every model lacks a field, or for a bad value.
    """
    schemas = [engines.schema_of(name) for name in sorted(names)]
    paging = {name: parameters[name] for name in _PAGING if name in parameters}
    page = parse_parameters(schemas[0], query_parameters(schemas[0], paging)).query
    end = None if page.limit is None else page.start + page.limit
    others = {k: v for k, v in parameters.items() if k not in _PAGING}
    questions = _questions(schemas, {**others, "_limit": end})
    answers = [
        dispatcher.get_collection(
            engines, question.schema.name, question.parameters, **restriction
        )
        for question in questions
    ]
    if "_count" in parameters:
        return sum(answers)
    return Page(
        items=_merged(questions, answers, parameters)[page.start : end],
        total=sum(answer.total for answer in answers),
        start=page.start,
        limit=page.limit,
        took=sum(answer.took or 0 for answer in answers),
        fields=_shown(schemas, parameters),
    )


def aggregations_of_several(
    engines: Engines,
    names: Sequence[str],
    parameters: Mapping[str, Any],
    **restriction: Any,
) -> Mapping[str, Any]:
    """What the documents of these models add up to, as if they were of one.

    :param parameters: ``_aggregations_params`` among them; the others choose.
    :param restriction: as of :func:`collection_of_several`.
    :raises InvalidParameter: as :func:`collection_of_several`.
    """
    choice = dict(parameters)
    wanted = choice.pop("_aggregations_params")
    schemas = [engines.schema_of(name) for name in names]
    questions = _questions(schemas, choice) or [_question_of_none(schemas[0])]
    aggregations = aggregations_of(engines, schemas, wanted)
    asked = {question.schema.name: question.parameters for question in questions}
    return dispatcher.aggregate(engines, asked, aggregations, **restriction)


def _questions(
    schemas: Sequence[ModelSchema], parameters: Mapping[str, Any]
) -> list[Question]:
    """What each model is asked that can have matches."""
    _check_names(schemas, parameters)
    questions = []
    for schema in schemas:
        known = _known(schema, parameters)
        if known is not None:
            sort = tuple(
                field_name(schema, bare) if has_field(schema, bare) else None
                for bare in (
                    key.lstrip("+-") for key in split_names(parameters.get("_sort"))
                )
            )
            questions.append(Question(schema, query_parameters(schema, known), sort))
    return questions


def _question_of_none(schema: ModelSchema) -> Question:
    """One that no document is an answer to: even that has the form of an answer."""
    return Question(schema, {f"{schema.primary_key[0]}__in": []}, ())


def _check_names(schemas: Sequence[ModelSchema], parameters: Mapping[str, Any]) -> None:
    named = [(name, name) for name in parameters if _is_filter(name, parameters)]
    for parameter in _LISTS:
        named += [(parameter, each) for each in split_names(parameters.get(parameter))]
    for parameter, name in named:
        if not any(has_field(schema, name) for schema in schemas):
            models = " and ".join(schema.name for schema in schemas)
            raise InvalidParameter(parameter, f"{models} have no field {name!r}.")


def _known(schema: ModelSchema, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a model can be asked; ``None`` if none of its documents can match."""
    known = dict(parameters)
    for name in parameters:
        if _is_filter(name, parameters) and not has_field(schema, name):
            return None
    for parameter in _LISTS:
        names = split_names(parameters.get(parameter))
        had = [name for name in names if has_field(schema, name)]
        if names and not had and parameter == "_search_fields":
            return None
        known[parameter] = had
    if "_fields" in parameters:
        known["_fields"] = _read(schema, known["_fields"], known["_sort"], parameters)
    return known


def _read(
    schema: ModelSchema,
    shown: Sequence[str],
    sort: Sequence[str],
    parameters: Mapping[str, Any],
) -> list[str]:
    """The fields that are read of a model: those to show, and those to merge by."""
    keys = [key.lstrip("+-") for key in sort]
    if any(not name.startswith("-") for name in split_names(parameters["_fields"])):
        # Without any name all would be read.
        return [*shown, *keys, *schema.primary_key]
    return [name for name in shown if name.lstrip("-") not in keys]


def _is_filter(name: str, parameters: Mapping[str, Any]) -> bool:
    return not name.startswith("_") and name != "q" and parameters[name] != "_all"


def _shown(
    schemas: Sequence[ModelSchema], parameters: Mapping[str, Any]
) -> tuple[str, ...] | None:
    names = split_names(parameters.get("_fields"))
    if not names:
        return None
    if chosen := [name for name in names if not name.startswith("-")]:
        return tuple(chosen)
    tops = {name for schema in schemas for name in (*schema.fields, *schema.relations)}
    return tuple(sorted(tops - {name.lstrip("-") for name in names}))


def _merged(
    questions: Sequence[Question],
    answers: Sequence[Page[Any]],
    parameters: Mapping[str, Any],
) -> list[Any]:
    """The items of all answers, in the order of each key; those without a value last,
    and then by how well they match, if text was looked for."""
    found = [
        (_values_of(question, item), item)
        for question, answer in zip(questions, answers, strict=True)
        for item in answer
    ]
    keys = split_names(parameters.get("_sort"))
    if parameters.get("q") and not keys:
        found.sort(key=lambda each: -(each[1]._score or 0.0))
    for number in reversed(range(len(keys))):
        # Sorting is stable, so the first key is sorted by last.
        there = [each for each in found if each[0][number] is not None]
        missing = [each for each in found if each[0][number] is None]
        there.sort(key=_comparable(number), reverse=keys[number].startswith("-"))
        found = there + missing
    return [item for _, item in found]


def _values_of(question: Question, item: Any) -> tuple[Any, ...]:
    return tuple(
        None if path is None else _value_of(item, path) for path in question.sort
    )


def _value_of(item: Any, path: str) -> Any:
    try:
        return attrgetter(path)(item)
    except AttributeError:
        # An object on the way is missing.
        return None


def _comparable(number: int) -> Callable[[tuple[tuple[Any, ...], Any]], Any]:
    # Fields of one name may hold numbers in one model and text in another.
    def key(each: tuple[tuple[Any, ...], Any]) -> tuple[str, Any]:
        found = each[0][number]
        is_number = isinstance(found, int | float)
        return ("" if is_number else type(found).__name__, found)

    return key
