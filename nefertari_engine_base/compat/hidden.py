"""What a response must not tell of objects that its reader may not see.

nefertari-guards takes embedded objects out of a response. A relation that is shown by
keys tells of objects, too: what is there, and how many. A key that a row holds itself
is the row's own content, and stays; the keys of rows that lead back to it are theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyramid.settings import asbool
from pyramid.threadlocal import get_current_request

from nefertari_engine_base.compat.guards import access_of, is_wanted
from nefertari_engine_base.compat.objects import is_reference
from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values.access import Access

#: Keys of one statement.
_ROWS_AT_ONCE = 1000


def reader_of(request: Any = None) -> Access | None:
    """Who reads, by a request or by the current one; ``None`` if anybody may read
    everything, or there is no request."""
    request = request or get_current_request()
    if request is None:
        return None
    settings = request.registry.settings
    if not (is_wanted(settings) and asbool(settings.get("auth"))):
        return None
    return access_of(request.effective_principals, "view")


def without_hidden(request: Any, data: dict[str, Any]) -> dict[str, Any]:
    """What a request may see of an object.

    :param data: the object as a response shows it; changed in its place.
    """
    reader = reader_of(request)
    if reader is not None:
        from nefertari_guards.elasticsearch import check_relations_permissions

        check_relations_permissions(request, data)
        engines = engines_of(request.registry)
        schema = engines.schemas.get(data["_type"])
        if schema is not None:
            hide_keys(engines, [(schema, data)], reader)
    return data


def hide_keys(
    engines: Engines,
    shown: Iterable[tuple[ModelSchema, dict[str, Any]]],
    reader: Access,
) -> None:
    """Leave out keys of what somebody may not see; the primary is asked.

    :param shown: objects as a response shows them; changed in their place.
    """
    places: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for schema, data in shown:
        for target, holder, name in _keys(schema, data):
            places.setdefault(target, []).append((holder, name))
    for target, found in places.items():
        wanted = {key for data, name in found for key in _listed(data[name])}
        known = engines.schemas.get(target)
        # Of a model without documents nobody can be asked.
        seen = visible_keys(engines, known, wanted, reader) if known else set()
        for data, name in found:
            if isinstance(data[name], list):
                data[name] = [key for key in data[name] if key in seen]
            elif data[name] not in seen:
                data[name] = None


def visible_keys(
    engines: Engines, schema: ModelSchema, keys: Iterable[Any], asking: Access
) -> set[Any]:
    """Those of the keys whose rows let somebody in now."""
    name = schema.primary_key[0]
    # A document has a key in its own form, where a row may have an object.
    by_id = {schema.document_id([key]): key for key in keys}
    ids = list(by_id)
    seen: set[Any] = set()
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        chosen = {
            name: [by_id[id_] for id_ in ids[start : start + _ROWS_AT_ONCE]],
            "_limit": None,
            "_fields": name,
            "_query_secondary": False,
        }
        rows = dispatcher.get_collection(engines, schema.name, chosen, access=asking)
        seen.update(by_id[schema.document_id([getattr(row, name)])] for row in rows)
    return seen


def _keys(
    schema: ModelSchema, data: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Where keys of others' rows are: of which model, in what, under which name."""
    for name, relation in schema.relations.items():
        if not data.get(name):
            continue
        if not is_reference(relation):
            for inner in _listed(data[name]):
                yield from _keys(relation.document, inner)
        elif relation.is_guarded:
            yield relation.target, data, name


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
