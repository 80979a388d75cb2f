"""From documents and instances to the objects that nefertari's views show.

Such an object has the fields of the model as attributes, a related object by its key,
or as an object of its own where the model says ``_nested_relationships``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nefertari_engine_base.schema import ModelSchema, RelationSchema


def proxy_of(data: Mapping[str, Any]) -> Any:
    """Nefertari's object of some data, which has a ``_type``."""
    from nefertari.utils import dict2obj

    return dict2obj(dict(data))


def empty_dictset() -> dict[str, Any]:
    """Nefertari's own kind of dictionary, which its wrappers expect."""
    from nefertari.utils import dictset

    data: dict[str, Any] = dictset()
    return data


def data_of(
    schema: ModelSchema, item: Any, fields: Iterable[str] | None = None
) -> dict[str, Any]:
    """The fields of a document or an instance, with ``_type``, ``_pk``, ``_score``.

    :param fields: names of the fields that are wanted; ``None`` means all.
    """
    wanted = None if fields is None else {name.partition(".")[0] for name in fields}
    data = _contents(schema, item, wanted)
    data["_type"] = schema.name
    data["_score"] = getattr(item, "_score", None)
    return data


def _contents(
    schema: ModelSchema, item: Any, wanted: set[str] | None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        name: getattr(item, name)
        for name in schema.fields
        if wanted is None or name in wanted
    }
    if schema.acl in data and data[schema.acl] is None:
        # A row from before it had a list; nefertari-guards reads lists alone.
        data[schema.acl] = []
    for name, relation in schema.relations.items():
        if wanted is None or name in wanted:
            related = getattr(item, name)
            if relation.many:
                data[name] = [_related(relation, each) for each in related or ()]
            else:
                data[name] = None if related is None else _related(relation, related)
    key = [getattr(item, name) for name in schema.primary_key]
    data["_pk"] = schema.document_id(key)
    return data


def _related(relation: RelationSchema, item: Any) -> Any:
    schema = relation.document
    if is_reference(relation):
        return getattr(item, schema.primary_key[0])
    return {**_contents(schema, item, None), "_type": schema.name}


def is_reference(relation: RelationSchema) -> bool:
    """Whether documents hold no more of a related one than its key."""
    shown = relation.document
    return not shown.relations and tuple(shown.fields) == shown.primary_key
