"""Hypothesis strategies for operations on a family, and for whole programs."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.differential.families import FAMILIES, Family
from tests.differential.operations import sessions, statements, texts
from tests.differential.operations.conditions import OneOf
from tests.differential.operations.places import ROADS, TARGETS
from tests.differential.playing import Program
from tests.differential.shapes import Shape, shape_of
from tests.differential.values import (
    Strategy,
    changes_of,
    conditions_of,
    keys_of,
    rows_of,
    values_of,
)

_SYNC = st.sampled_from(["auto", "fetch", "evaluate", False])
_TARGET = st.sampled_from(TARGETS)
_ROAD = st.sampled_from((*ROADS, "session", "session", "connection"))


@cache
def operations_on(family_name: str, dialect: str) -> Strategy:
    """One operation, on any class of a family."""
    family = FAMILIES[family_name]
    shapes = [shape_of(model) for model in family.models.values()]
    by_class = [
        st.one_of(
            _of_instances(shape),
            _of_instances(shape),
            _of_statements(family, shape),
            _of_texts(family, shape),
        )
        for shape in shapes
    ]
    return st.one_of(
        st.one_of(by_class),
        st.one_of(by_class),
        _of_sessions(),
        *_of_joins(family),
        *([_of_ctes(family, shapes)] if dialect == "postgresql" else []),
    )


def _of_sessions() -> Strategy:
    methods = ("flush", "commit", "commit", "rollback", "close")
    others = ("expire_all", "expunge_all")
    return st.one_of(
        st.builds(sessions.Session, st.sampled_from((*methods, *others))),
        st.builds(sessions.Savepoint, st.sampled_from(["session", "connection"])),
        st.builds(sessions.Savepoint, st.sampled_from(["session", "text"])),
        st.builds(sessions.EndSavepoint, st.sampled_from(["commit", "rollback"])),
        st.builds(sessions.EndSavepoint, st.sampled_from(["rollback", "commit"])),
        st.just(sessions.TextCommit()),
        st.just(sessions.DriverCommit()),
        st.just(sessions.Deliver()),
    )


def _of_instances(shape: Shape) -> Strategy:
    name, keys = st.just(shape.model.__name__), keys_of(shape)
    got = st.sampled_from(["get", "expired", "load_only", "detached", "made", "held"])
    found = [
        st.builds(sessions.Add, name, rows_of(shape)),
        st.builds(sessions.Add, name, rows_of(shape, key=False)),
        st.builds(sessions.Merge, name, rows_of(shape)),
        st.builds(sessions.Change, name, keys, changes_of(shape), got),
        st.builds(sessions.Change, name, keys, changes_of(shape, keys=False), got),
        st.builds(sessions.Delete, name, keys),
        st.builds(sessions.Switch, name, keys, rows_of(shape, key=False)),
        st.builds(sessions.Read, name, st.one_of(st.none(), keys)),
    ]
    what = st.sampled_from(["append", "append", "remove", "replace"])
    for relation, (target, many) in shape.relations.items():
        others = keys_of(shape_of(target))
        some, told = (
            st.lists(others, min_size=1, max_size=2).map(tuple),
            st.just(relation),
        )
        if many:
            found.append(st.builds(sessions.Collect, name, keys, told, some, what))
        else:
            other = st.one_of(others, st.none())
            found.append(st.builds(sessions.Relate, name, keys, told, other))
    return st.one_of(found)


def _of_statements(family: Family, shape: Shape) -> Strategy:
    name, where = st.just(shape.model.__name__), conditions_of(family, shape)
    rows = st.lists(rows_of(shape, least=1), min_size=1, max_size=3)
    alike = st.tuples(rows, st.booleans()).map(_made_alike)
    changes = changes_of(shape, expressions=True)
    some_keys = st.sampled_from(shape.key)
    by_key = st.fixed_dictionaries(
        {k: st.sampled_from(shape.attributes[k].pool) for k in shape.key}
    )
    changed = st.tuples(by_key, changes_of(shape, keys=False)).map(
        lambda pair: {**pair[1], **pair[0]}
    )
    found = [
        st.builds(
            statements.Insert,
            name,
            alike,
            st.sampled_from(["values", "one", "list", "rows", "select"]),
            _TARGET,
            _ROAD,
            st.booleans(),
            st.sampled_from([None, None, "nothing", "update"]),
        ),
        st.builds(
            statements.Update,
            name,
            changes,
            where,
            _TARGET,
            _ROAD,
            _SYNC,
            st.booleans(),
        ),
        st.builds(
            statements.DeleteWhere, name, where, _TARGET, _ROAD, _SYNC, st.booleans()
        ),
        st.builds(
            statements.UpdateByKey,
            name,
            st.lists(changed, min_size=1, max_size=3).map(tuple),
        ),
        _many(shape, name, some_keys),
        _twice(shape),
        st.sampled_from(list(shape.attributes.values())).flatmap(
            lambda a: st.builds(
                statements.Lambda,
                st.sampled_from(["update", "delete"]),
                name,
                st.just(a.name),
                st.lists(st.sampled_from(a.pool), min_size=2, max_size=2).map(tuple),
            )
        ),
    ]
    return st.one_of(found)


def _made_alike(told: tuple[list[dict[str, Any]], bool]) -> tuple[dict[str, Any], ...]:
    """Rows of the same names, as most forms want them, unless told otherwise."""
    rows, different = told
    if different and len(rows) > 1:
        return tuple(rows)
    return tuple(
        {name: row.get(name, rows[0][name]) for name in rows[0]} for row in rows
    )


def _many(shape: Shape, name: Strategy, some_keys: Strategy) -> Strategy:
    def pairs(by: str, attribute: str) -> Strategy:
        one = st.tuples(
            st.sampled_from(shape.attributes[by].pool),
            values_of(shape.attributes[attribute]),
        )
        return st.lists(one, min_size=1, max_size=3).map(tuple)

    return st.tuples(some_keys, st.sampled_from(list(shape.attributes))).flatmap(
        lambda two: st.builds(
            statements.Many,
            st.sampled_from(["update", "update", "delete"]),
            name,
            st.just(two[0]),
            st.just(two[1]),
            pairs(*two),
            _TARGET,
            _ROAD,
        )
    )


def _twice(shape: Shape) -> Strategy:
    """The same statement with other values, which is not compiled again."""
    name = shape.model.__name__

    def two(told: tuple[str, str, str, str, int]) -> Strategy:
        by, changed, target, road, number = told
        pool = st.sampled_from(shape.attributes[by].pool)
        where = st.lists(pool, min_size=number, max_size=number).map(
            lambda values: OneOf(by, tuple(values))
        )
        values = values_of(shape.attributes[changed]).map(lambda new: {changed: new})
        alike = {"target": st.just(target), "road": st.just(road)}
        update = st.builds(statements.Update, st.just(name), values, where, **alike)
        delete = st.builds(statements.DeleteWhere, st.just(name), where, **alike)
        return st.one_of(
            st.builds(statements.Twice, one, one) for one in (update, update, delete)
        )

    attributes = st.sampled_from(list(shape.attributes))
    told = st.tuples(attributes, attributes, _TARGET, _ROAD, st.sampled_from([1, 1, 2]))
    return told.flatmap(two)


def _of_texts(family: Family, shape: Shape) -> Strategy:
    name, where = st.just(shape.model.__name__), conditions_of(family, shape)
    by_key = st.fixed_dictionaries(
        {k: st.sampled_from(shape.attributes[k].pool) for k in shape.key}
    )
    rows = st.lists(rows_of(shape), min_size=1, max_size=3)
    changes = changes_of(shape, expressions=True)
    what = st.sampled_from(["update", "update", "delete"])
    method = ("bulk_save_objects", "bulk_insert_mappings")
    changed = st.tuples(by_key, changes_of(shape, keys=False)).map(
        lambda pair: {**pair[1], **pair[0]}
    )
    found = [
        st.builds(
            texts.Text, what, name, changes_of(shape), by_key, _ROAD, st.booleans()
        ),
        st.builds(
            texts.Text,
            st.just("insert"), name, rows_of(shape), st.just({}), _ROAD, st.booleans(),
        ),
        st.builds(texts.OldQuery, name, st.one_of(changes, st.none()), where, _SYNC),
        st.builds(texts.OldBulk, st.sampled_from(method), name, rows.map(tuple)),
        st.builds(
            texts.OldBulk,
            st.just("bulk_update_mappings"),
            name,
            st.lists(changed, min_size=1, max_size=3).map(tuple),
        ),
    ]  # fmt: skip
    first = shape.attributes[shape.key[0]]
    plain = [a for a in shape.attributes.values() if a.is_text and a.nullable]
    if len(shape.key) == 1 and first.is_number and plain:
        found.append(
            st.builds(
                texts.Crowd,
                name,
                st.just(first.name),
                st.just(plain[0].name),
                st.just("x"),
                st.sampled_from([30, 30, 1100]),
                st.sampled_from([None, "update", "delete"]),
            )
        )
    return st.one_of(found)


def _of_joins(family: Family) -> list[Strategy]:
    found = []
    for number, (model, _, other) in enumerate(family.joins):
        changes = st.one_of(changes_of(shape_of(model), expressions=True), st.none())
        where = conditions_of(family, shape_of(other))
        told = (st.just(number), changes, where, _TARGET, _ROAD, _SYNC)
        found.append(st.builds(statements.Joined, *told))
    return [st.one_of(found)] if found else []


def _of_ctes(family: Family, shapes: list[Shape]) -> Strategy:
    inner, outer = [], []
    for shape in shapes:
        name, where = st.just(shape.model.__name__), conditions_of(family, shape)
        rest = (where, _TARGET, st.just("session"), st.just("auto"), st.just(True))
        changes = changes_of(shape, expressions=True)
        inner.append(st.builds(statements.Update, name, changes, *rest))
        inner.append(st.builds(statements.DeleteWhere, name, *rest))
        outer.append(st.tuples(name, changes_of(shape, keys=False)))
    outside = st.one_of(st.just(("select", None)), *outer)
    return st.tuples(st.one_of(inner), outside, _ROAD).map(
        lambda told: statements.InCTE(told[0], told[1][0], told[1][1], told[2])
    )


def is_one_of(operation: Any, words: frozenset[str]) -> bool:
    """Whether an operation, its condition, or one of its values is called so."""
    told = {type(operation).__name__}
    for value in vars(operation).values():
        told.add(value if isinstance(value, str) else type(value).__name__)
    return not words.isdisjoint(told)


@st.composite
def programs(
    draw: Any,
    dialect: str,
    families: tuple[str, ...] = (),
    longest: int = 8,
    skip: frozenset[str] = frozenset(),
) -> Program:
    """A program on one family.

    :param families: which to choose from; all of them by default.
    :param skip: leave out operations that are called so, or that have such a value:
        ``Text``, ``autocommit``, ``EverySecond``.
    """
    name = draw(st.sampled_from(families or tuple(FAMILIES)))
    family = FAMILIES[name]
    one = operations_on(name, dialect)
    if skip:
        one = one.filter(lambda operation: not is_one_of(operation, skip))
    inner = st.lists(one, min_size=1, max_size=3).map(tuple)
    many = [one] * 6
    if "Attempt" not in skip:
        many.append(st.builds(sessions.Attempt, inner))
    operations = draw(st.lists(st.one_of(many), min_size=1, max_size=longest))
    listeners = tuple(
        one for one in family.listeners if one in family.always or draw(_rarely())
    )
    return Program(
        family=name,
        operations=tuple(operations),
        listeners=listeners,
        seeded=draw(st.sampled_from([False, True, True, True])),
        swallows=draw(_rarely()),
        autoflush=draw(st.booleans()),
        expire_on_commit=draw(st.booleans()),
        recipe=draw(_rarely()) if dialect == "sqlite" else False,
        sync=draw(st.sampled_from(["inline", "worker"])),
    )


def _rarely() -> Strategy:
    return st.sampled_from([False, False, False, True])
