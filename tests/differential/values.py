"""Hypothesis strategies for what stands in operations: keys, values, conditions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.families import Family
from tests.differential.operations.conditions import (
    Doubled,
    Equals,
    EverySecond,
    Everything,
    Fails,
    InSelect,
    Longer,
    OneOf,
    Plus,
    Unknown,
)
from tests.differential.shapes import Attribute, Shape, shape_of

Strategy = st.SearchStrategy[Any]


def values_of(attribute: Attribute, expressions: bool = False) -> Strategy:
    """Values of a column; ``None`` where that is allowed."""
    found: Strategy = st.sampled_from(attribute.pool)
    if attribute.nullable:
        found = st.one_of(found, found, st.none())
    if expressions and not attribute.column.foreign_keys:
        if attribute.is_number:
            found = st.one_of(found, st.builds(Plus, st.sampled_from([1, 1000])))
        elif attribute.is_text and not attribute.key:
            found = st.one_of(found, st.just(Doubled()))
    return found


def keys_of(shape: Shape) -> Strategy:
    """Keys of a class, which are likely to be there."""
    return st.tuples(*(st.sampled_from(shape.attributes[k].pool) for k in shape.key))


def rows_of(shape: Shape, *, key: bool = True, least: int = 0) -> Strategy:
    """Values of a new row, with its key or without."""
    optional = {
        name: values_of(attribute)
        for name, attribute in shape.attributes.items()
        if name not in shape.key and not _is_for_others(attribute)
    }
    keys = {name: values_of(shape.attributes[name]) for name in shape.key if key}
    rows = st.fixed_dictionaries(keys, optional=optional)
    return rows.filter(lambda row: len(row) >= least) if least else rows


def changes_of(
    shape: Shape, *, keys: bool = True, expressions: bool = False
) -> Strategy:
    """Values for one or two attributes of a row."""
    names = [
        name
        for name, attribute in shape.attributes.items()
        if (keys or name not in shape.key) and not _is_version(attribute)
    ]
    one = st.sampled_from(names)
    chosen = st.lists(one, min_size=1, max_size=2, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries(
            {n: values_of(shape.attributes[n], expressions) for n in names}
        )
    )


def _is_version(attribute: Attribute) -> bool:
    return attribute.column.name == "version"


def _is_for_others(attribute: Attribute) -> bool:
    """Whether the unit of work fills it itself, so that rows seldom name it."""
    return _is_version(attribute) or attribute.name == "kind"


def conditions_of(family: Family, shape: Shape) -> Strategy:
    """Conditions of statements on a class."""
    attributes = list(shape.attributes.values())
    any_of = st.sampled_from(attributes)
    equals = any_of.flatmap(lambda a: st.builds(Equals, st.just(a.name), values_of(a)))
    by_key = st.sampled_from(shape.key).flatmap(
        lambda name: st.builds(
            Equals, st.just(name), st.sampled_from(shape.attributes[name].pool)
        )
    )
    one_of = any_of.flatmap(
        lambda a: st.builds(
            OneOf,
            st.just(a.name),
            st.lists(st.sampled_from(a.pool), min_size=1, max_size=3).map(tuple),
        )
    )
    texts = [a.name for a in attributes if a.is_text]
    found = [
        *(by_key, by_key, by_key, equals, equals, one_of),
        st.just(Everything()),
        st.builds(Fails, any_of.map(lambda a: a.name)),
        st.just(Unknown()),
        st.just(EverySecond()),
    ]
    if texts:
        found.append(st.builds(Longer, st.sampled_from(texts), st.integers(0, 2)))
    selects = [_in_select(a, family) for a in shape.references]
    return st.one_of(*found, *(one for one in selects if one is not None))


def _in_select(attribute: Attribute, family: Family) -> Strategy | None:
    key = next(iter(attribute.column.foreign_keys)).column
    for model in family.models.values():
        shape = shape_of(model)
        if len(shape.key) == 1 and shape.attributes[shape.key[0]].column is key:
            return _in_select_of(attribute, shape)
    return None


def _in_select_of(attribute: Attribute, shape: Shape) -> Strategy:
    return st.sampled_from(list(shape.attributes.values())).flatmap(
        lambda other: st.builds(
            InSelect,
            st.just(attribute.name),
            st.just(shape.model.__name__),
            st.just(other.name),
            values_of(other),
        )
    )
