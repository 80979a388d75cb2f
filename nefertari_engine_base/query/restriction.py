"""A query that finds nothing but what somebody may see.

The condition is one of the query's filters, so that every engine that answers, counts
or explains the query applies it. An embedded document that has a list of its own is
found by none of its fields unless its list lets the asking one in, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nefertari_engine_base.exceptions import ConfigurationError, InvalidParameter
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Filter, Operator, Query
from nefertari_engine_base.values.access import Access


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
        if _guarded(schema, sort.field):
            raise _refused("_sort")
    paths = {path: None for one in query.filters for path in _lists(schema, one)}
    conditions = (Filter(path, Operator.EQ, access) for path in (schema.acl, *paths))
    return replace(query, filters=(*query.filters, *conditions))


def _lists(schema: ModelSchema, condition: Filter) -> Iterator[str]:
    """The access control list of the embedded documents that a filter looks into."""
    guarded = _guarded(schema, condition.field)
    if not guarded:
        return
    relations = schema.find(condition.field)[0]
    shown, *below = relations[guarded[0] :]
    # The list is asked of the very element that meets the condition, or of no other.
    of_one_element = condition.operator is not Operator.ALL and (
        bool(condition.value)
        if condition.operator is Operator.EXISTS
        else condition.value is not None
    )
    is_innermost = len(guarded) == 1 and not any(each.many for each in below)
    if not of_one_element or not is_innermost or shown.document.acl is None:
        raise _refused(condition.field)
    path = (*(each.name for each in relations[: guarded[0] + 1]), shown.document.acl)
    yield ".".join(path)


def _guarded(schema: ModelSchema, path: str) -> list[int]:
    """Which relations that a dotted name leads through are guarded, by number."""
    relations = schema.find(path)[0]
    return [number for number, each in enumerate(relations) if each.is_guarded]


def _refused(parameter: str) -> InvalidParameter:
    return InvalidParameter(
        parameter,
        "this would tell of embedded documents that are not shown to everybody; ask "
        "for these documents themselves.",
    )
