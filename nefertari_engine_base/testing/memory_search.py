"""Filters, sorting and text of the in-memory engine, over stored JSON objects.

It answers as an index does: a field that holds a list matches if one of its values
does, and conditions on an embedded list hold for one and the same element.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_interface
from operator import eq, ge, gt, itemgetter, le, lt
from typing import Any

from nefertari_engine_base.encoding import Kind, convert
from nefertari_engine_base.exceptions import ConversionError, InvalidParameter
from nefertari_engine_base.schema import FieldSchema, ModelSchema
from nefertari_engine_base.values import Filter, Operator, Sort
from nefertari_engine_base.values.access import Access, Entry, decode

Source = Mapping[str, Any]

#: The name that hits are sorted by how well they match with.
SCORE = "_score"


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A document that matches."""

    id: str
    source: Source
    score: float


#: Kinds that an index keeps and does not compare.
_NOT_COMPARED = frozenset({Kind.BINARY, Kind.JSON, Kind.ACL})
#: Kinds that have no greater and less.
_NOT_ORDERED = _NOT_COMPARED | {Kind.NETWORK}

_ORDERINGS = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})


class Conditions:
    """The filters of a query, checked, ready to be asked of any document.

    :raises InvalidParameter: for a field that is not there or cannot be compared so,
        or a value that is none of its kind.
    """

    def __init__(self, schema: ModelSchema, filters: Iterable[Filter]) -> None:
        self._alone: list[Condition] = []
        self._groups: dict[tuple[str, ...], list[Condition]] = {}
        for one in filters:
            condition = Condition(schema, one)
            if condition.stands_alone:
                self._alone.append(condition)
            else:
                self._groups.setdefault(condition.nested, []).append(condition)

    def hold_for(self, source: Source) -> bool:
        """Whether a document meets every one of them."""
        return all(one.holds_for(source) for one in self._alone) and all(
            any(
                all(one.holds_in(element) for one in conditions)
                for element in elements(source, nested)
            )
            for nested, conditions in self._groups.items()
        )


def elements(source: Source, steps: Sequence[str]) -> Iterator[Source]:
    """The embedded objects that these relations lead to."""
    if not steps:
        yield source
        return
    found = source.get(steps[0])
    for item in found if isinstance(found, list) else [found]:
        if item is not None:
            yield from elements(item, steps[1:])


class Condition:
    """One filter, with its path taken apart.

    :attr nested: the steps to the innermost embedded list around the field.
    """

    def __init__(self, schema: ModelSchema, condition: Filter) -> None:
        self.steps, self.nested, self.field = locate(schema, condition.field)
        self.operator = condition.operator
        self.value = condition.value
        self._asked = self.field.kind is Kind.ACL and _is_asked(condition)
        if not self._asked and (
            self.field.kind in _NOT_COMPARED
            or (self.operator in _ORDERINGS and self.field.kind in _NOT_ORDERED)
        ):
            raise InvalidParameter(
                condition.field, f"{self.operator} does not apply to this field."
            )
        if self.operator in {Operator.IN, Operator.ALL}:
            values = list(self.value)
        else:
            values = [] if self.operator is Operator.EXISTS else [self.value]
        self._wanted = (
            []
            if self._asked
            else [self._key(value) for value in values if value is not None]
        )

    @property
    def asks_for_none(self) -> bool:
        """Whether it holds where there is no value."""
        if self.operator is Operator.EXISTS:
            return not self.value
        return self.operator is Operator.EQ and self.value is None

    @property
    def stands_alone(self) -> bool:
        """Whether it does not speak of one element of an embedded list."""
        return not self.nested or self.asks_for_none or self.operator is Operator.ALL

    def holds_for(self, source: Source) -> bool:
        """Whether the whole document meets it."""
        return self._holds(source, self.steps)

    def holds_in(self, element: Source) -> bool:
        """Whether one element of the embedded list meets it."""
        return self._holds(element, self.steps[len(self.nested) :])

    def _holds(self, source: Source, steps: Sequence[str]) -> bool:
        if self._asked:
            lists = (
                element.get(self.field.name) for element in elements(source, steps)
            )
            return any(_answers(self.value, decode(form or ())) for form in lists)
        stored = stored_values(source, steps, self.field)
        if self.asks_for_none:
            return not stored
        if self.operator is Operator.EXISTS:
            return bool(stored)
        keys = (comparable(self.field, form) for form in stored)
        have = [key for key in keys if key is not None]
        if self.operator is Operator.ALL:
            return all(key in have for key in self._wanted)
        compare = _COMPARISONS[self.operator]
        return any(compare(key, wanted) for key in have for wanted in self._wanted)

    def _key(self, value: Any) -> Any:
        try:
            form = convert(self.field.name, self.field.encode, value)
        except ConversionError as error:
            raise InvalidParameter(self.field.name, str(error)) from error
        return _key_of(self.field, form)


def _is_asked(condition: Filter) -> bool:
    is_equal = condition.operator is Operator.EQ
    return is_equal and isinstance(condition.value, Access | Entry)


def _answers(asked: Access | Entry, entries: Sequence[Mapping[str, Any]]) -> bool:
    if isinstance(asked, Access):
        return asked.is_allowed_by(entries)
    return asked.as_dict() in entries


_COMPARISONS: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQ: eq,
    Operator.IN: eq,
    Operator.GT: gt,
    Operator.GTE: ge,
    Operator.LT: lt,
    Operator.LTE: le,
}


def locate(
    schema: ModelSchema, path: str
) -> tuple[tuple[str, ...], tuple[str, ...], FieldSchema]:
    """The steps to a field, those to its innermost embedded list, and the field as
    one of its values.

    :raises InvalidParameter: if there is no such field.
    """
    try:
        relations, field = schema.find(path)
    except KeyError:
        raise InvalidParameter(path, f"{schema.name} has no such field.") from None
    steps = tuple(relation.name for relation in relations)
    depth = max(
        (i for i, relation in enumerate(relations, 1) if relation.many), default=0
    )
    return steps, steps[:depth], dataclasses.replace(field, many=False)


def stored_values(
    source: Source, steps: Sequence[str], field: FieldSchema
) -> list[Any]:
    """The forms that a field has in a document, lists of lists laid out flat."""
    values: list[Any] = []
    for element in elements(source, steps):
        values += _flat(element.get(field.name), field.kind)
    return values


def _flat(value: Any, kind: Kind) -> Iterator[Any]:
    if isinstance(value, list) and kind is not Kind.JSON:
        for item in value:
            yield from _flat(item, kind)
    elif value is not None:
        yield value


def comparable(field: FieldSchema, form: Any) -> Any:
    """What a stored form is compared by; ``None`` for what an index leaves out."""
    if form is None:
        return None
    key = _key_of(field, form)
    if isinstance(key, Decimal) and not key.is_finite():
        return None
    return key


def _key_of(field: FieldSchema, form: Any) -> Any:
    if field.kind in {Kind.FLOAT, Kind.DECIMAL}:
        return Decimal(str(form))
    if field.kind is Kind.DATETIME:
        moment = datetime.fromisoformat(form)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if field.kind is Kind.IP:
        address = ip_interface(form)
        return address.version, int(address.ip), address.network.prefixlen
    return form


def sort_hits(
    schema: ModelSchema, hits: Iterable[FoundSource], sort: Sequence[Sort]
) -> list[FoundSource]:
    """Hits in order; those without a value last, equal ones by the primary key.

    :raises InvalidParameter: for a field that has no order.
    """
    named = {one.field for one in sort}
    keys = [*sort, *(Sort(name) for name in schema.primary_key if name not in named)]
    ordered = list(hits)
    for key in reversed(keys):
        rank = _ranking(schema, key)
        present = [(value, hit) for hit in ordered if (value := rank(hit)) is not None]
        missing = [hit for hit in ordered if rank(hit) is None]
        present.sort(key=itemgetter(0), reverse=key.descending)
        ordered = [hit for _, hit in present] + missing
    return ordered


def _ranking(schema: ModelSchema, key: Sort) -> Callable[[FoundSource], Any]:
    if key.field == SCORE:
        return lambda hit: hit.score
    steps, _, field = locate(schema, key.field)
    if field.kind in _NOT_COMPARED:
        raise InvalidParameter(key.field, "documents cannot be sorted by this field.")
    choose = max if key.descending else min

    def rank(hit: FoundSource) -> Any:
        forms = stored_values(hit.source, steps, field)
        values = [
            value for form in forms if (value := comparable(field, form)) is not None
        ]
        return choose(values) if values else None

    return rank


def project(source: Source, paths: Iterable[str]) -> dict[str, Any]:
    """The part of a document that these dotted names cover."""
    part: dict[str, Any] = {}
    inner: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        if name not in source:
            continue
        if rest:
            inner.setdefault(name, []).append(rest)
        else:
            part[name] = source[name]
    for name, rests in inner.items():
        if name not in part:
            found = source[name]
            part[name] = (
                [project(item, rests) for item in found]
                if isinstance(found, list)
                else found and project(found, rests)
            )
    return part
