"""From parameters of a request or a call to a :class:`~...values.Query`.

The parameters are nefertari's. Everything is checked here, against the schema, before
any engine is asked: a bad name or value is one clear error, whichever engine would
have answered.

========================  ====================================================
``name=value``            equality, or any of several values if it is a list;
                          dotted names reach into embedded documents
``name__in``              any of the values (a list, or separated by commas)
``name__all``             all of the values
``name__gt`` ``__gte``    above; at least
``name__lt`` ``__lte``    below; at most
``name__exists``          true: has a value; false: has none
``name__bool``            equality with a boolean written as text
``q``                     Lucene query string, answered by the secondary only
``_search_fields``        fields that ``q`` searches, separated by commas
``_sort``                 fields separated by commas, ``-`` for descending
``_limit``                largest number of hits; ``None`` means all
``_start`` or ``_page``   number of the first hit, or of the page, from 0
``_fields``               fields to return, separated by commas; ``-`` leaves out
``_count``                return the number of matches alone
``_explain``              return what the engine would be asked
``_aggs``                 aggregations, in the secondary's own JSON
``_strict``               false: ignore unknown names instead of refusing them
``_refresh_index``        make all earlier writes visible first
``_query_secondary``      which engine to ask
``_raise_on_empty``       raise ``DocumentNotFound`` when nothing matches
``_hydrate``              return the primary's instances
========================  ====================================================
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyramid.settings import asbool

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.schema import FieldSchema, ModelSchema
from nefertari_engine_base.values import Filter, Operator, Query, Sort

#: Hits of a page unless ``_limit`` says otherwise, as in nefertari.
DEFAULT_LIMIT = 20

_OPERATORS = {operator.value: operator for operator in Operator}
_UNORDERED = frozenset({Kind.JSON, Kind.BINARY, Kind.ACL})


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asked for: a query, and what to do with its answer.

    :attr query_secondary: what ``_query_secondary`` said; ``None`` if nothing.
    """

    query: Query
    count: bool = False
    explain: bool = False
    query_secondary: bool | None = None
    raise_on_empty: bool = False
    hydrate: bool = False


def parse_parameters(schema: ModelSchema, parameters: Mapping[str, Any]) -> Request:
    """Check parameters against a schema.

    :param parameters: see the module; values may be text, as in a URL, or Python
        values of the field's type. Names that begin with two underscores are ignored.
    :raises InvalidParameter: naming the parameter, and what it may be.
    """
    names = {name: value for name, value in parameters.items() if name[:2] != "__"}
    known = {name: names.pop(name) for name in list(names) if _is_control(name)}
    strict = _boolean(known, "_strict", default=True)
    text = known.get("q")
    query = Query(
        filters=tuple(_filters(schema, names, strict)),
        text=None if text is None or text == "" else str(text),
        text_fields=tuple(_field_names(schema, known, "_search_fields", strict)),
        sort=tuple(_sorts(schema, known, strict)),
        limit=_limit(known),
        start=_start(known),
        fields=_projection(schema, known, strict),
        aggregations=_aggregations(known),
        refresh=_boolean(known, "_refresh_index"),
    )
    choice = known.get("_query_secondary")
    return Request(
        query,
        count=_present(known, "_count"),
        explain=_present(known, "_explain"),
        query_secondary=None if choice is None else asbool(choice),
        raise_on_empty=_boolean(known, "_raise_on_empty"),
        hydrate=_boolean(known, "_hydrate"),
    )


_CONTROLS = frozenset(
    {
        "q", "_search_fields", "_sort", "_limit", "_start", "_page", "_fields",
        "_count", "_explain", "_aggs", "_aggregations", "_strict", "_refresh_index",
        "_query_secondary", "_raise_on_empty", "_hydrate",
    }
)  # fmt: skip


def _is_control(name: str) -> bool:
    if name in _CONTROLS:
        return True
    if name.startswith("_"):
        raise InvalidParameter(
            name, f"unknown. {_nearest(name, _CONTROLS) or 'See the documentation.'}"
        )
    return False


def _filters(
    schema: ModelSchema, parameters: Mapping[str, Any], strict: bool
) -> Iterable[Filter]:
    for parameter, value in parameters.items():
        if value == "_all":
            continue
        name, _, suffix = parameter.partition("__")
        name = _canonical(schema, name)
        field = _find(schema, name, parameter, strict)
        if field is None:
            continue
        if suffix and suffix != "bool" and suffix not in _OPERATORS:
            raise InvalidParameter(
                parameter,
                f"unknown operator {suffix!r}; there are "
                f"{', '.join(sorted(_OPERATORS))} and bool.",
            )
        if field.kind in _UNORDERED and suffix != "exists":
            raise InvalidParameter(
                parameter, f"{field.kind} fields can only be asked for __exists."
            )
        yield _filter(field, name, suffix, value, parameter)


def _filter(
    field: FieldSchema, name: str, suffix: str, value: Any, parameter: str
) -> Filter:
    if suffix == "exists":
        return Filter(name, Operator.EXISTS, _parse_boolean(parameter, value))
    if suffix == "bool":
        if field.kind is not Kind.BOOLEAN:
            raise InvalidParameter(
                parameter, f"__bool is for booleans; {name} is {field.kind}."
            )
        return Filter(name, Operator.EQ, _parse_boolean(parameter, value))
    operator = _OPERATORS.get(suffix, Operator.EQ)
    many = isinstance(value, list | tuple | set | frozenset)
    if operator is Operator.EQ and many:
        operator = Operator.IN
    if operator in (Operator.IN, Operator.ALL):
        values = value if many else str(value).split(",")
        return Filter(name, operator, [field.parse(item, parameter) for item in values])
    if value is None or value == "null":
        return Filter(name, Operator.EXISTS, False)
    return Filter(name, operator, field.parse(value, parameter))


def _canonical(schema: ModelSchema, name: str) -> str:
    # Ramses and nefertari ask for "id" whatever the key is called.
    if name == "id" and name not in schema.fields and len(schema.primary_key) == 1:
        return schema.primary_key[0]
    return name


def _find(
    schema: ModelSchema, name: str, parameter: str, strict: bool
) -> FieldSchema | None:
    try:
        return schema.find(name)[1]
    except KeyError:
        if not strict:
            return None
        names = [
            ".".join([*(relation.name for relation in relations), field])
            for relations, inner in schema.walk()
            for field in inner.fields
        ]
        raise InvalidParameter(
            parameter, f"{schema.name} has no field {name!r}. {_nearest(name, names)}"
        ) from None


def _nearest(name: str, names: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(nearest)}?" if nearest else ""


def _split(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else list(value)
    return [item.strip() for item in items if item.strip()]


def _field_names(
    schema: ModelSchema, known: Mapping[str, Any], parameter: str, strict: bool
) -> list[str]:
    names = _split(known.get(parameter) or ())
    return [name for name in names if _find(schema, name, parameter, strict)]


def _sorts(
    schema: ModelSchema, known: Mapping[str, Any], strict: bool
) -> Iterable[Sort]:
    for item in _split(known.get("_sort") or ()):
        name = _canonical(schema, item.lstrip("+-"))
        field = _find(schema, name, "_sort", strict)
        if field is None:
            continue
        if field.kind in _UNORDERED:
            raise InvalidParameter("_sort", f"{field.kind} fields have no order.")
        yield Sort(name, item.startswith("-"))


def _projection(
    schema: ModelSchema, known: Mapping[str, Any], strict: bool
) -> tuple[str, ...] | None:
    names = _split(known.get("_fields") or ())
    if not names:
        return None
    tops = {*schema.fields, *schema.relations}
    chosen, left_out = [], set()
    for name in names:
        bare = name.lstrip("-")
        if bare not in tops:
            _find(schema, bare, "_fields", strict)
        if name.startswith("-"):
            left_out.add(bare)
        else:
            chosen.append(name)
    if chosen:
        return tuple(name for name in chosen if name not in left_out)
    return tuple(sorted(tops - left_out))


def _limit(known: Mapping[str, Any]) -> int | None:
    if "_limit" in known and known["_limit"] is None:
        return None
    return _natural(known, "_limit", DEFAULT_LIMIT)


def _start(known: Mapping[str, Any]) -> int:
    if "_page" in known:
        if "_start" in known:
            raise InvalidParameter("_page", "give either _page or _start, not both.")
        limit = _limit(known)
        if limit is None:
            raise InvalidParameter("_page", "there are no pages without a _limit.")
        return _natural(known, "_page", 0) * limit
    return _natural(known, "_start", 0)


def _natural(known: Mapping[str, Any], parameter: str, default: int) -> int:
    value = known.get(parameter, default)
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool):
        raise InvalidParameter(
            parameter, f"{value!r} is not a whole number of at least 0."
        )
    return number


def _aggregations(known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value = known.get("_aggs", known.get("_aggregations"))
    if value is not None and not isinstance(value, Mapping):
        raise InvalidParameter("_aggs", "expected a mapping of aggregations.")
    return value


def _present(known: Mapping[str, Any], parameter: str) -> bool:
    """Nefertari's rule: ``?_count`` counts, whatever its value but a false one."""
    if parameter not in known:
        return False
    return bool(known[parameter] == "" or asbool(known[parameter]))


def _boolean(known: Mapping[str, Any], parameter: str, default: bool = False) -> bool:
    value = known.get(parameter)
    return default if value is None else _parse_boolean(parameter, value)


def _parse_boolean(parameter: str, value: Any) -> bool:
    field = FieldSchema(name=parameter, kind=Kind.BOOLEAN)
    return bool(field.parse(value, parameter))
