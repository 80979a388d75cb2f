"""Where a relationship stores its link, and whether the link can be followed back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import (
    Mapper,
    RelationshipDirection,
    RelationshipProperty,
    aliased,
)
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import operators, visitors

_Pairs = list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Link:
    """The link of a relationship.

    ``owner_fields``, ``target_fields`` and ``through`` are those of
    :class:`~nefertari_engine_base.schema.RelationSchema`; all are empty if there is
    a ``problem``.

    :attr problem: why the link is not one that can be followed back; or empty.
    """

    owner_fields: tuple[str, ...] = ()
    target_fields: tuple[str, ...] = ()
    through: bool = False
    problem: str = ""


def find_link(relationship: RelationshipProperty[Any]) -> Link:
    """The link of a relationship."""
    owner, target = relationship.parent, relationship.mapper
    if relationship.secondary is not None:
        return _through(relationship, owner, target)
    pairs: _Pairs = list(relationship.local_remote_pairs or ())
    if not _is_equality(relationship.primaryjoin, pairs):
        return Link(problem="its primaryjoin is more than an equality of keys")
    try:
        if relationship.direction is RelationshipDirection.MANYTOONE:
            reverse = [(remote, local) for local, remote in pairs]
            return Link(owner_fields=_matched(target, reverse, owner))
        return Link(target_fields=_matched(owner, pairs, target))
    except _NoKeyError as error:
        return Link(problem=str(error))


def columns_to_owner(relationship: RelationshipProperty[Any]) -> list[Any]:
    """Columns of a many-to-many relation's own table that hold the owner's key, in
    the order of the key."""
    owner = relationship.parent
    held = {
        owner.get_property_by_column(column).key: linked
        for column, linked in relationship.synchronize_pairs
    }
    return [held[name] for name in _key_names(owner)]


def order_fields(relationship: RelationshipProperty[Any]) -> frozenset[str]:
    """Attributes of the related class that a relation is ordered by: who has another
    place in a list of documents has changed it, whether the list shows them or not."""
    target, names = relationship.mapper, set()
    for clause in relationship.order_by or ():
        for element in visitors.iterate(clause):
            if isinstance(element, sa.Column) and element.table in target.tables:
                # One that the class does not map, no session changes.
                with suppress(UnmappedColumnError):
                    names.add(target.get_property_by_column(element).key)
    return frozenset(names)


class _NoKeyError(Exception):
    """The columns of a link are not a primary key; the message says which are."""


def _matched(
    keyed: Mapper[Any], pairs: Iterable[tuple[Any, Any]], other: Mapper[Any]
) -> tuple[str, ...]:
    """Attributes of ``other`` that hold the key of ``keyed``, in the key's order.

    :param pairs: (column of ``keyed``, column of ``other``).
    """
    found = {_attribute(keyed, key): _attribute(other, held) for key, held in pairs}
    names = _key_names(keyed)
    if sorted(found) != sorted(names):
        raise _NoKeyError(
            f"it refers to {keyed.class_.__name__} by {', '.join(sorted(found))}, and "
            f"not by its primary key ({', '.join(names)})"
        )
    return tuple(found[name] for name in names)


def _key_names(mapper: Mapper[Any]) -> list[str]:
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def _is_of_key(mapper: Mapper[Any], column: Any) -> bool:
    try:
        return mapper.get_property_by_column(column).key in _key_names(mapper)
    except UnmappedColumnError:
        # A table between that the other class refers to itself.
        return False


def _attribute(mapper: Mapper[Any], column: Any) -> str:
    try:
        return mapper.get_property_by_column(column).key
    except UnmappedColumnError:
        raise _NoKeyError(
            f"{mapper.class_.__name__} does not map the column {column}"
        ) from None


def _through(
    relationship: RelationshipProperty[Any], owner: Mapper[Any], target: Mapper[Any]
) -> Link:
    secondary = relationship.secondary
    if not isinstance(secondary, sa.Table):
        return Link(
            problem="its secondary is no table but a join or a SELECT, of which one "
            "row does not tell what it links; map the class in between, and embed the "
            "two relations through it"
        )
    # Only these pairs tell the sides of a self-referential relation apart.
    to_owner = list(relationship.synchronize_pairs)
    to_target = list(relationship.secondary_synchronize_pairs or ())
    conditions = (
        (relationship.primaryjoin, to_owner, owner),
        (relationship.secondaryjoin, to_target, target),
    )
    for condition, pairs, mapper in conditions:
        if not _is_equality(condition, pairs):
            return Link(problem="its joins are more than an equality of keys")
        if len(pairs) != len(mapper.primary_key) or not all(
            _is_of_key(mapper, column) for column, _ in pairs
        ):
            return Link(
                problem=f"{secondary} refers to {mapper.class_.__name__} by something "
                f"else than its primary key"
            )
    return Link(through=True, problem=_other_writer(relationship, secondary))


def _other_writer(relationship: RelationshipProperty[Any], secondary: Any) -> str:
    """What else writes the table of a many-to-many relation, unseen by it."""
    if relationship.viewonly:
        return "it is viewonly, so that changes are made somewhere else"
    known = {relationship, *relationship._reverse_property}
    for mapper in relationship.parent.registry.mappers:
        if secondary in mapper.tables:
            return (
                f"{mapper.class_.__name__} maps {secondary}, and its rows come "
                f"and go without the relation; embed the relation to "
                f"{mapper.class_.__name__} instead"
            )
        for other in mapper.relationships:
            if other.secondary is secondary and not (other in known or other.viewonly):
                return (
                    f"{mapper.class_.__name__}.{other.key} writes {secondary} "
                    f"too; connect the two by back_populates"
                )
    return ""


def _is_equality(condition: Any, pairs: _Pairs) -> bool:
    """Whether a join condition says that these columns are equal, and no more."""
    wanted = {frozenset(pair) for pair in pairs}
    found = []
    for part in _conjuncts(condition):
        if getattr(part, "operator", None) is not operators.eq:
            return False
        found.append(frozenset((part.left, part.right)))
    return len(found) == len(wanted) and set(found) == wanted


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, sa.BooleanClauseList) and (
        condition.operator is operators.and_
    ):
        for part in condition.clauses:
            yield from _conjuncts(part)
    else:
        yield condition


def joins_from_owner(
    model: type, relationship: RelationshipProperty[Any]
) -> tuple[Any, list[tuple[Any, ...]]]:
    """What to select the owners from, and the joins that lead to the related rows,
    whatever the relation's conditions are."""
    if relationship.secondary is None or relationship.mapper.common_parent(
        relationship.parent
    ):
        # The owner is the alias, since a relation orders by what it leads to.
        owner: Any = aliased(model)
        return owner, [(getattr(owner, relationship.key),)]
    # SQLAlchemy would make an alias of a table that one may order by.
    return model, [
        (relationship.secondary, relationship.primaryjoin),
        (relationship.mapper.class_, relationship.secondaryjoin),
    ]
