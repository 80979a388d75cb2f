"""A query that finds nothing but what somebody may see.

The condition is one of the query's filters, so that every engine that answers, counts
or explains the query applies it. An embedded document that has a list of its own is
found by none of its fields unless its list lets the asking one in, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from nefertari_engine_base.access import Access
from nefertari_engine_base.exceptions import ConfigurationError, InvalidParameter
from nefertari_engine_base.schema import ModelSchema, RelationSchema
from nefertari_engine_base.values import Filter, Operator, Query


def restricted(schema: ModelSchema, query: Query, access: Access) -> Query:
    """The query, of documents alone whose lists let somebody in.

    :raises ConfigurationError: if documents of the model have no access control list.
    :raises InvalidParameter: for a question about embedded documents whose answer
        could tell of those that are kept from him.
    """
    if schema.acl is None:
        raise ConfigurationError(
            f"{schema.name} has no access control list, so nobody may see any of its "
            f"documents. Give it a field of one, or do not restrict its reads."
        )
    for sort in query.sort:
        if next(_guarded(schema, sort.field), None):
            raise InvalidParameter(
                "_sort", f"{sort.field!r} is of documents that not everybody may see."
            )
    paths = {path: None for one in query.filters for path in _paths(schema, one)}
    lists = [schema.acl, *paths]
    conditions = (Filter(path, Operator.EQ, access) for path in lists)
    return replace(query, filters=(*query.filters, *conditions))


def _paths(schema: ModelSchema, condition: Filter) -> Iterator[str]:
    """The lists of embedded documents that a filter looks into."""
    path = condition.field
    found = list(_guarded(schema, path))
    if not found:
        return
    # Any other condition holds for an element as a whole, which the list is one of.
    of_one_element = condition.operator is not Operator.ALL and (
        bool(condition.value)
        if condition.operator is Operator.EXISTS
        else condition.value is not None
    )
    if not of_one_element or len(found) > 1 or _leads_on(schema, path):
        raise InvalidParameter(
            path, "it is of documents that not everybody may see; ask for them by it."
        )
    yield from found


def _guarded(schema: ModelSchema, path: str) -> Iterator[str]:
    """The lists of the embedded documents that a dotted name leads through."""
    relations = schema.find(path)[0]
    for number, relation in enumerate(relations, 1):
        if relation.document.acl is not None:
            names = (each.name for each in relations[:number])
            yield ".".join([*names, relation.document.acl])


def _leads_on(schema: ModelSchema, path: str) -> bool:
    """Whether a list of others is embedded in what has a list."""
    relations = list(schema.find(path)[0])
    while relations and relations[0].document.acl is None:
        relations.pop(0)
    return _any_many(relations[1:])


def _any_many(relations: Iterable[RelationSchema]) -> bool:
    return any(relation.many for relation in relations)
