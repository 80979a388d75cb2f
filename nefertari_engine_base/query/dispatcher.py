"""Which engine answers a read, and what happens when it cannot.

The secondary answers unless something says otherwise; in this order: the parameter
``_query_secondary``, the model's option, the setting ``nefertari.query_secondary``.
While the secondary cannot be reached, a read that the primary can answer goes there
(the setting ``nefertari.fallback``), and any other raises
:exc:`~nefertari_engine_base.exceptions.SecondaryUnavailable`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.exceptions import (
    DocumentNotFound,
    InvalidDocumentId,
    InvalidParameter,
    QueryError,
    SecondaryUnavailable,
)
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.query.hydrate import hydrated_page
from nefertari_engine_base.query.params import Request, parse_parameters
from nefertari_engine_base.query.restriction import restricted
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Filter, Page, Query
from nefertari_engine_base.values.access import Access

log = logging.getLogger(__name__)


def get_collection(
    engines: Engines,
    model: type | str,
    parameters: Mapping[str, Any],
    *,
    access: Access | None = None,
    filters: Sequence[Filter] = (),
) -> Any:
    """Answer a read of many documents.

    :param parameters: see :mod:`nefertari_engine_base.query.params`.
    :param access: who asks, and sees only what the documents' access control lists let
        him see; ``None``: everything.
    :param filters: conditions of the caller, besides those of the parameters.
    :return: a :class:`~nefertari_engine_base.values.Page`; with ``_count`` an
        integer, with ``_explain`` what the engine would be asked.
    :raises QueryError: if the parameters are wrong.
    :raises SecondaryUnavailable: if only the secondary could answer.
    :raises DocumentNotFound: if nothing matches and ``_raise_on_empty`` is set.
    """
    schema = engines.schema_of(model)
    request = parse_parameters(schema, parameters)
    query = _narrowed(schema, request.query, access, filters)
    answer = _ask(engines, schema, replace(request, query=query))
    if request.raise_on_empty and isinstance(answer, Page) and not answer:
        raise DocumentNotFound(f"No {schema.name} matches {_spoken(parameters)}.")
    return answer


def get_item(engines: Engines, model: type | str, parameters: Mapping[str, Any]) -> Any:
    """Answer a read of one document.

    A lone key (``id=5``, or the key by its name) is read in real time; anything else
    is the first hit of :func:`get_collection`.

    :return: the document; ``None`` if there is none and ``_raise_on_empty`` is false.
    :raises DocumentNotFound: if there is none, by default.
    """
    schema = engines.schema_of(model)
    parameters = {name: value for name, value in parameters.items() if name[:2] != "__"}
    required = parse_parameters(
        schema, {"_raise_on_empty": parameters.pop("_raise_on_empty", True)}
    ).raise_on_empty
    document_id = _lone_id(schema, parameters)
    if document_id is not None:
        choice = {"_query_secondary": parameters.get("_query_secondary")}
        found = get_by_ids(engines, model, [document_id], choice)[0]
    else:
        found = next(
            iter(get_collection(engines, model, {**parameters, "_limit": 1})), None
        )
    if found is None and required:
        raise DocumentNotFound(f"There is no {schema.name} with {_spoken(parameters)}.")
    return found


def get_by_ids(
    engines: Engines,
    model: type | str,
    ids: Sequence[object],
    parameters: Mapping[str, Any],
) -> list[Any | None]:
    """The documents of these ids, in their order, ``None`` where there is none.

    :param parameters: ``_query_secondary``, or nothing.
    :raises InvalidDocumentId: for an id that cannot be one of the model.
    :raises InvalidParameter: for any other parameter.
    """
    if unknown := parameters.keys() - {"_query_secondary"}:
        raise InvalidParameter(min(unknown), "reading by ids takes no such parameter.")
    schema = engines.schema_of(model)
    names = [schema.document_id(schema.parse_id(id_)) for id_ in ids]
    request = parse_parameters(schema, parameters)
    if _asks_secondary(engines, schema, request):
        try:
            return list(_secondary(engines).get(schema, names))
        except SecondaryUnavailable as error:
            _fall_back(engines, schema, request, error)
    primary = engines.primary_of(schema.model)
    replaces = _replaces_secondary(engines, schema, request)
    found = primary.get_by_ids(schema, names, documents_only=replaces)
    return [found.get(name) for name in names]


def count(engines: Engines, model: type | str, parameters: Mapping[str, Any]) -> int:
    """How many documents match. Errors as :func:`get_collection`."""
    number: int = get_collection(engines, model, {**parameters, "_count": True})
    return number


def aggregate(
    engines: Engines,
    questions: Mapping[str, Mapping[str, Any]],
    aggregations: Mapping[str, Any],
    *,
    access: Access | None = None,
    filters: Sequence[Filter] = (),
) -> Mapping[str, Any]:
    """What the documents of several models add up to, as if they were of one.

    :param questions: names of models, and the parameters that choose among the
        documents of each.
    :param aggregations: in the secondary's own JSON.
    :param access: as of :func:`get_collection`, for all models.
    :param filters: as of :func:`get_collection`, for all models.
    :return: nothing, if no model is asked.
    :raises InvalidParameter: if there is no secondary, or for a wrong parameter.
    :raises SecondaryUnavailable: if it does not answer; no primary could.
    """
    if engines.secondary is None:
        raise InvalidParameter("_aggs", "only a secondary answers it; there is none.")
    asked = []
    for name, parameters in questions.items():
        schema = engines.schema_of(name)
        query = parse_parameters(schema, parameters).query
        asked.append((schema, _narrowed(schema, query, access, filters)))
    if not asked:
        return {}
    found: Mapping[str, Any] = engines.secondary.aggregate(asked, aggregations)
    return found


def _narrowed(
    schema: ModelSchema, query: Query, access: Access | None, filters: Sequence[Filter]
) -> Query:
    query = replace(query, filters=(*query.filters, *filters))
    return query if access is None else restricted(schema, query, access)


def _wants_secondary(engines: Engines, schema: ModelSchema, request: Request) -> bool:
    for choice in (request.query_secondary, schema.options.query_secondary):
        if choice is not None:
            return choice
    return engines.settings.query_secondary


def _asks_secondary(engines: Engines, schema: ModelSchema, request: Request) -> bool:
    if engines.secondary is None or not _wants_secondary(engines, schema, request):
        return False
    if engines.pause.active and engines.settings.fallback:
        return _only_for_secondary(schema, request.query) or request.explain
    return True


def _ask(engines: Engines, schema: ModelSchema, request: Request) -> Any:
    if _asks_secondary(engines, schema, request):
        try:
            return _ask_secondary(engines, schema, request)
        except SecondaryUnavailable as error:
            _fall_back(engines, schema, request, error)
    if _replaces_secondary(engines, schema, request):
        return _ask_in_place(engines, schema, request)
    return _ask_primary(engines, schema, request)


def _ask_in_place(engines: Engines, schema: ModelSchema, request: Request) -> Any:
    """Ask the primary because the secondary cannot be reached.

    :raises SecondaryUnavailable: if the primary cannot answer; nothing is wrong with
        the query then.
    """
    query = replace(request.query, documents_only=True)
    try:
        return _ask_primary(engines, schema, replace(request, query=query))
    except (InvalidParameter, InvalidDocumentId):
        raise
    except QueryError as error:
        raise SecondaryUnavailable(
            f"The secondary does not answer, and the primary cannot: {error} Try again "
            f"later."
        ) from error


def _replaces_secondary(
    engines: Engines, schema: ModelSchema, request: Request
) -> bool:
    """Whether the primary answers because the secondary cannot: what has no document
    must not show up then."""
    return engines.secondary is not None and _wants_secondary(engines, schema, request)


def _fall_back(
    engines: Engines,
    schema: ModelSchema,
    request: Request,
    error: SecondaryUnavailable,
) -> None:
    """Return if the primary may answer instead. :raises SecondaryUnavailable: else."""
    if _only_for_secondary(schema, request.query):
        raise SecondaryUnavailable(
            f"{str(error).rstrip('.')}. Full-text search, aggregations and comparing "
            f"computed fields have nobody else to answer them; try again later."
        ) from error
    if not engines.settings.fallback or request.explain:
        raise error
    engines.pause.begin(engines.settings.pause_after_failure)
    log.warning(
        "The secondary does not answer; a read of %s goes to the primary",
        schema.name,
        extra={"action": "query_fallback"},
    )


def _only_for_secondary(schema: ModelSchema, query: Query) -> bool:
    """Whether no primary can answer: it stores neither words nor computed values."""
    return (
        query.needs_secondary
        or schema.computed_among(query.compared_fields) is not None
    )


def _secondary(engines: Engines) -> ISecondaryEngine:
    assert engines.secondary is not None
    return engines.secondary


def _ask_secondary(engines: Engines, schema: ModelSchema, request: Request) -> Any:
    secondary = _secondary(engines)
    if request.query.refresh:
        secondary.refresh([schema])
    if request.explain:
        return secondary.explain(schema, request.query)
    if request.count:
        return secondary.count(schema, request.query)
    if request.hydrate:
        return hydrated_page(engines, schema, request.query)
    return secondary.search(schema, request.query)


def _ask_primary(engines: Engines, schema: ModelSchema, request: Request) -> Any:
    primary = engines.primary_of(schema.model)
    if request.query.needs_secondary:
        raise InvalidParameter(
            "q" if request.query.text is not None else "_aggs",
            f"only a secondary answers it, and this read of {schema.name} goes to the "
            f"primary ({primary.name}).",
        )
    computed = schema.computed_among(request.query.compared_fields)
    if computed is not None:
        raise InvalidParameter(
            computed,
            f"is computed, so only a secondary filters and sorts by it, and this read "
            f"of {schema.name} goes to the primary ({primary.name}).",
        )
    if request.explain:
        return primary.explain(schema, request.query)
    if request.count:
        return primary.count(schema, request.query)
    return primary.search(schema, request.query)


def _spoken(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def _lone_id(schema: ModelSchema, parameters: Mapping[str, Any]) -> str | None:
    names = [name for name in parameters if name != "_query_secondary"]
    if not names:
        raise InvalidParameter("id", "say which document.")
    if len(names) != 1 or isinstance(parameters[names[0]], list | tuple):
        return None
    if names[0] == "id" and "id" not in schema.fields:
        return schema.document_id(schema.parse_id(parameters["id"]))
    if (names[0],) == schema.primary_key:
        field = schema.key_fields[0]
        return schema.document_id((field.parse(parameters[names[0]]),))
    return None
