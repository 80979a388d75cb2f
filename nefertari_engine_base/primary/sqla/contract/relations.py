"""Nefertari's ``Relationship``: a relation and its way back by one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import (
    Mapper,
    RelationshipProperty,
    backref,
    class_mapper,
    relationship,
)

from nefertari_engine_base.primary.sqla.contract.fields import PARAMETERS

_PREFIX = "backref_"
_OPTIONS = frozenset(
    {
        *("uselist", "foreign_keys", "primaryjoin", "secondary", "secondaryjoin"),
        *("order_by", "back_populates", "post_update", "cascade", "viewonly", "lazy"),
        *("collection_class", "passive_deletes", "passive_updates", "remote_side"),
        *("join_depth", "single_parent", "innerjoin", "info", "active_history"),
    }
)

#: The classes of relations.
relationship_fields: tuple[type, ...] = (RelationshipProperty,)


def Relationship(**parameters: Any) -> Any:  # noqa: N802 - nefertari calls it so
    """A relation to ``document``, the name of a class, which may follow later.

    Keywords are those of SQLAlchemy's ``relationship``; with ``backref_`` before them
    they are those of the way back, called ``backref_name``, which leads to one object
    unless ``backref_uselist`` is true. Any other keyword is ignored.
    """
    there = _options(parameters.items())
    back = _options(
        (name.removeprefix(_PREFIX), value)
        for name, value in parameters.items()
        if name.startswith(_PREFIX)
    )
    if name := parameters.get("backref_name"):
        back.setdefault("uselist", False)
        there["backref"] = backref(name, **back)
    made = relationship(parameters["document"], **there)
    made.info[PARAMETERS] = dict(parameters)
    return made


def _options(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    options = {}
    for name, value in items:
        if name in _OPTIONS:
            options[name] = value
        elif name == "help_text":
            options["doc"] = value
    return options


def relations_of(model: type) -> Mapping[str, RelationshipProperty[Any]]:
    """The relations of a mapped class, those that others lead back with included."""
    mapper: Mapper[Any] = class_mapper(model)
    return {relation.key: relation for relation in mapper.relationships}


def is_relationship_field(field: str, model_cls: type) -> bool:
    """Whether a class has a relation of this name."""
    return field in relations_of(model_cls)


def get_relationship_cls(field: str, model_cls: type) -> type:
    """The class that a relation leads to."""
    return relations_of(model_cls)[field].mapper.class_
