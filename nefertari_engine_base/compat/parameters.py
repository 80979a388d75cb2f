"""From nefertari's parameters of a read to those of this package.

They have the same names, and differ in what follows from one index for all:

* a relation may be named where its key is meant: ``owner=rick`` and ``_sort=owner``,
* without ``_limit`` all are wanted; nefertari's views set one for ``GET``,
* ``_refresh_index`` is about writes, and ignored by reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nefertari_engine_base.compat.objects import is_reference
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.schema import ModelSchema

_IGNORED = frozenset({"_refresh_index"})
_NAMES = frozenset({"_sort", "_search_fields"})


def query_parameters(
    schema: ModelSchema, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Parameters for :func:`nefertari_engine_base.query.dispatcher.get_collection`."""
    asked = known_names(schema, parameters)
    for name in _NAMES & asked.keys():
        asked[name] = [
            _signed(schema, item.strip())
            for item in _split(asked[name])
            if item.strip()
        ]
    if "_count" in asked:
        asked["_count"] = True
    asked.setdefault("_limit", None)
    if asked["_limit"] is None:
        asked.pop("_page", None)
    return asked


def known_names(schema: ModelSchema, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters, the names of fields being those of documents."""
    return {
        name if name.startswith("_") else _field_name(schema, name): value
        for name, value in parameters.items()
        if name not in _IGNORED
    }


def _split(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else list(value)


def _signed(schema: ModelSchema, name: str) -> str:
    bare = name.lstrip("+-")
    return name[: len(name) - len(bare)] + _field_name(schema, bare)


def _field_name(schema: ModelSchema, name: str) -> str:
    path, separator, suffix = name.partition("__")
    relation = schema.relations.get(path)
    if relation is not None and is_reference(relation):
        path = f"{path}.{relation.document.primary_key[0]}"
    elif path == "id" and path not in schema.fields and len(schema.primary_key) == 1:
        path = schema.primary_key[0]
    return f"{path}{separator}{suffix}"


def aggregations_of(
    engines: Engines, schema: ModelSchema, aggregations: Mapping[str, Any]
) -> dict[str, Any]:
    """Aggregations whose fields are those of the index.

    Whatever stands under a key ``field`` is the name of a field of the model.
    """
    return {
        key: _aggregated(engines, schema, key, value)
        for key, value in aggregations.items()
    }


def _aggregated(engines: Engines, schema: ModelSchema, key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return aggregations_of(engines, schema, value)
    if key == "field" and isinstance(value, str) and engines.secondary is not None:
        name = _field_name(schema, value)
        return engines.secondary.exact_name(schema, name) or name
    return value
