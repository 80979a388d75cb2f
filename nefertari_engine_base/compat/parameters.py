"""From nefertari's parameters of a read to those of this package.

They have the same names, and differ in what follows from one index for all:

* a relation may be named where its key is meant: ``owner=rick`` and ``_sort=owner``,
* without ``_limit`` all are wanted; nefertari's views set one for ``GET``,
* ``_refresh_index`` is about writes, and ignored by reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nefertari_engine_base.compat.objects import is_reference
from nefertari_engine_base.compat.paging import split_names
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.schema import ModelSchema

_IGNORED = frozenset({"_refresh_index"})
_NAMES = frozenset({"_sort", "_search_fields"})


def query_parameters(
    schema: ModelSchema, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters for :func:`nefertari_engine_base.query.dispatcher.get_collection`."""
    asked = known_names(schema, parameters)
    for name in _NAMES & asked.keys():
        asked[name] = [_signed(schema, item) for item in split_names(asked[name])]
    if "_count" in asked:
        asked["_count"] = True
    asked.setdefault("_limit", None)
    if asked["_limit"] is None:
        asked.pop("_page", None)
    return asked


def known_names(schema: ModelSchema, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters, the names of fields being those of documents."""
    return {
        name if name.startswith("_") else field_name(schema, name): value
        for name, value in parameters.items()
        if name not in _IGNORED
    }


def has_field(schema: ModelSchema, name: str) -> bool:
    """Whether a model has a field or a relation of a name that a request uses: with a
    sign before it, or an operator behind."""
    path = field_name(schema, name.lstrip("+-")).partition("__")[0]
    try:
        schema.find(path)
    except KeyError:
        return path in schema.relations
    return True


def _signed(schema: ModelSchema, name: str) -> str:
    bare = name.lstrip("+-")
    return name[: len(name) - len(bare)] + field_name(schema, bare)


def field_name(schema: ModelSchema, name: str) -> str:
    """The dotted name in documents of what a request names; an operator stays on it."""
    path, separator, suffix = name.partition("__")
    relation = schema.relations.get(path)
    if relation is not None and is_reference(relation):
        path = f"{path}.{relation.document.primary_key[0]}"
    elif path == "id" and path not in schema.fields and len(schema.primary_key) == 1:
        path = schema.primary_key[0]
    return f"{path}{separator}{suffix}"


def aggregations_of(
    engines: Engines, schemas: Sequence[ModelSchema], aggregations: Mapping[str, Any]
) -> dict[str, Any]:
    """Aggregations whose fields are those of the index, or of several models' indices.

    Whatever stands under a key ``field`` is the name of a field of the models.

    :raises InvalidParameter: if no model has the field, or several have it in
        different ways.
    """
    return {
        key: _aggregated(engines, schemas, key, value)
        for key, value in aggregations.items()
    }


def aggregated_fields(aggregations: Mapping[str, Any]) -> Iterator[str]:
    """The names of fields in some aggregations, however deep."""
    for key, value in aggregations.items():
        if isinstance(value, Mapping):
            yield from aggregated_fields(value)
        elif key == "field" and isinstance(value, str):
            yield value


def _aggregated(
    engines: Engines, schemas: Sequence[ModelSchema], key: str, value: Any
) -> Any:
    if isinstance(value, Mapping):
        return aggregations_of(engines, schemas, value)
    if key == "field" and isinstance(value, str) and engines.secondary is not None:
        return _index_name(engines.secondary, schemas, value)
    return value


def _index_name(
    secondary: ISecondaryEngine, schemas: Sequence[ModelSchema], name: str
) -> str:
    top = name.partition(".")[0]
    having = [schema for schema in schemas if _has(schema, top)] or schemas
    paths = {field_name(schema, name) for schema in having}
    if len(paths) > 1:
        raise InvalidParameter(
            name, "the models mean different things by it; ask for each of them alone."
        )
    (path,) = paths
    return secondary.shared_name(having, path) or path


def _has(schema: ModelSchema, name: str) -> bool:
    return name in schema.fields or name in schema.relations
