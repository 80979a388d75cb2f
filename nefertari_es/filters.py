"""Filters of a neutral query as clauses of a search."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_interface
from typing import Any

from nefertari_engine_base.encoding import Kind, convert
from nefertari_engine_base.exceptions import ConversionError, InvalidParameter
from nefertari_engine_base.values import Filter, Operator, access
from nefertari_engine_base.values.access import Access, Entry
from nefertari_es.paths import IndexedField, IndexedModel

Clause = dict[str, Any]

_RANGES = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})

_NONE: Clause = {"match_none": {}}

_LEAST, _GREATEST = -(2**63), 2**63 - 1

_MOST_TERMS = 65_536

#: Types whose presence the index knows without whole values.
_KNOWN_BY_THEMSELVES = frozenset({"text", "ip_range"})


def filter_clauses(
    model: IndexedModel, filters: Iterable[Filter]
) -> tuple[list[Clause], list[Clause]]:
    """Clauses that must match, and clauses that must not.

    Conditions on fields of the same embedded list hold for one and the same element
    of it; that a field has no value holds if no element has one.

    :raises InvalidParameter: for a field that is not there, that the index cannot
        compare so, or a value that is none of its kind.
    """
    wanted: list[Clause] = []
    unwanted: list[Clause] = []
    groups: dict[str, list[Clause]] = {}
    for condition in filters:
        field = model.field(condition.field)
        if _asks_for_none(condition):
            unwanted.append(_around(field, _exists(field)))
        elif condition.operator is Operator.ALL:
            # Each value may be in another element.
            wanted += [_around(field, _equals(field, [v])) for v in condition.value]
        elif field.nested:
            groups.setdefault(field.nested[-1], []).append(_clause(field, condition))
        else:
            wanted.append(_clause(field, condition))
    wanted += [_nested(path, clauses) for path, clauses in groups.items()]
    return wanted, unwanted


def _asks_for_none(condition: Filter) -> bool:
    if condition.operator is Operator.EXISTS:
        return not condition.value
    return condition.operator is Operator.EQ and condition.value is None


def _around(field: IndexedField, clause: Clause) -> Clause:
    return _nested(field.nested[-1], [clause]) if field.nested else clause


def _nested(path: str, clauses: list[Clause]) -> Clause:
    query = clauses[0] if len(clauses) == 1 else {"bool": {"filter": clauses}}
    return {"nested": {"path": path, "query": query}}


def _clause(field: IndexedField, condition: Filter) -> Clause:
    operator = condition.operator
    if field.item.kind is Kind.ACL:
        return _of_acl(field, condition)
    if operator is Operator.EXISTS:
        return _exists(field)
    if operator in _RANGES:
        return _range(field, operator, condition.value)
    values = [condition.value] if operator is Operator.EQ else list(condition.value)
    return _equals(field, values)


def _of_acl(field: IndexedField, condition: Filter) -> Clause:
    """That a list lets somebody in, or holds an entry."""
    asked = condition.value
    if isinstance(asked, Access):
        terms = {
            access.ACTION: [access.ALLOW],
            access.PRINCIPAL: sorted(asked.principals),
            access.PERMISSION: sorted(asked.permissions),
        }
    elif isinstance(asked, Entry):
        terms = {name: [part] for name, part in asked.as_dict().items()}
    else:
        raise _not_compared(field)
    clause: Clause = {
        "filter": [
            {"terms": {f"{field.path}.{name}": values}}
            for name, values in terms.items()
        ]
    }
    if isinstance(asked, Access):
        unless = f"{field.path}.{access.UNLESS}"
        clause["must_not"] = [{"terms": {unless: asked.words()}}]
    return _nested(field.path, [{"bool": clause}])


def _equals(field: IndexedField, values: Iterable[Any]) -> Clause:
    if field.exact is None:
        raise _not_compared(field)
    forms = [
        form for value in values if value is not None for form in _forms(field, value)
    ]
    # An index refuses more in one clause (index.max_terms_count).
    chunks = [forms[i : i + _MOST_TERMS] for i in range(0, len(forms), _MOST_TERMS)]
    clauses: list[Clause] = [{"terms": {field.exact: chunk}} for chunk in chunks]
    if len(clauses) == 1:
        return clauses[0]
    return {"bool": {"should": clauses}} if clauses else _NONE


def _range(field: IndexedField, operator: Operator, value: Any) -> Clause:
    if field.ordered is None or field.item.kind is Kind.NETWORK:
        raise InvalidParameter(
            field.path, "the index cannot tell greater and less in this field."
        )
    if value is None:
        return _NONE
    form = _encoded(field, value)
    if field.type == "long" and not _LEAST <= form <= _GREATEST:
        upwards = operator in {Operator.GT, Operator.GTE}
        return _exists(field) if upwards == (form < _LEAST) else _NONE
    if field.type == "ip":
        form = str(ip_interface(form).ip)
    return {"range": {field.ordered: {operator.value: form}}}


def _exists(field: IndexedField) -> Clause:
    if field.exact is None and field.type not in _KNOWN_BY_THEMSELVES:
        raise _not_compared(field)
    # A value that is not indexed (an address with a mask) has its sub-field only.
    name = field.exact if field.type == "ip" else field.path
    clause: Clause = {"exists": {"field": name}}
    if field.type == "double" and not field.nested:
        # NaN and what is beyond a double is not indexed, but is there.
        ignored = {"term": {"_ignored": field.path}}
        clause = {"bool": {"should": [clause, ignored]}}
    return clause


def _forms(field: IndexedField, value: Any) -> list[Any]:
    """The terms that an equal value can have in the index."""
    form = _encoded(field, value)
    if field.type == "long":
        return [form] if _LEAST <= form <= _GREATEST else []
    if field.type == "double":
        return [form] if math.isfinite(float(form)) else []
    if field.item.kind is Kind.IP:
        # A host is written with its full mask by some drivers, without by others.
        address = ip_interface(form)
        if address.network.num_addresses == 1:
            return [str(address.ip), address.with_prefixlen]
    return [form]


def _encoded(field: IndexedField, value: Any) -> Any:
    try:
        form = convert(field.path, field.item.encode, value)
    except ConversionError as error:
        raise InvalidParameter(field.path, str(error)) from error
    if field.item.kind is Kind.DATETIME:
        # Where digits are left out, the server rounds to the next second and not to
        # the next millisecond.
        return datetime.fromisoformat(form).isoformat(timespec="milliseconds")
    return form


def _not_compared(field: IndexedField) -> InvalidParameter:
    return InvalidParameter(
        field.path, "the index keeps this field and cannot compare it."
    )
