"""The condition under which a document of MongoDB has one in the index:
``@secondary(when=...)``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mongoengine.errors import InvalidQueryError, LookUpError
from mongoengine.queryset.visitor import QNode

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.schema import SecondaryOptions

#: What a query may combine conditions with.
_COMBINING = frozenset({"$and", "$or", "$nor"})


def condition_of(
    model: Any, options: SecondaryOptions
) -> tuple[Mapping[str, Any] | None, frozenset[str]]:
    """The condition of ``when=`` as MongoDB's query, and the fields that it looks at.

    :raises ConfigurationError: if it is none, or looks at anything else.
    """
    if options.when is None:
        return None, frozenset()
    condition = options.when(model)
    if not isinstance(condition, QNode):
        raise _refused(model, f"makes {condition!r}, which is no Q")
    try:
        query: dict[str, Any] = condition.to_query(model)
    except (InvalidQueryError, LookUpError) as error:
        raise _refused(model, f"makes no query: {error}") from error
    names = {field.db_field: name for name, field in model._fields.items()}
    looked_at = set()
    for path in _paths(query):
        name = names.get(path.partition(".")[0])
        if name is None:
            raise _refused(model, f"looks at {path!r}, which is no field")
        looked_at.add(name)
    if not looked_at:
        raise _refused(model, "looks at no field")
    return query, frozenset(looked_at)


def _paths(query: Mapping[str, Any]) -> Iterator[str]:
    for key, value in query.items():
        if key in _COMBINING:
            for part in value:
                yield from _paths(part)
        else:
            yield key


def _refused(model: type, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"when= of {model.__name__} {why}. Give a Q of fields of the class, like "
        f"when=lambda model: Q(published=True): a change of anything else would not be "
        f"followed."
    )
