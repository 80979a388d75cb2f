"""Nefertari's ``Relationship``: a relation and its way back by one call.

One side stores keys, and both read them:

* where a ``ForeignKeyField`` of either class says whose keys it holds, that is the one;
* otherwise the side that leads to one, if the other leads to many;
* otherwise the side that declares the relation: a key, or a list of keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mongoengine as me

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.mongo.contract import attributes, registry
from nefertari_engine_base.primary.mongo.contract.containers import ListField
from nefertari_engine_base.primary.mongo.contract.keys import (
    ForeignKeyField,
    KeyField,
    delete_rule,
)
from nefertari_engine_base.primary.mongo.links import Link, add_link, links_of


class RelationshipField:
    """A relation of a class, as ``Relationship`` makes it; an attribute of instances.

    :attr parameters: the keywords that it was made from.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = dict(parameters)
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return attributes.get(instance, _link_of(owner, self.name))

    def __set__(self, instance: Any, value: Any) -> None:
        attributes.set_to(instance, _link_of(type(instance), self.name), value)

    @property
    def document(self) -> str:
        """Name of the class that it leads to."""
        name: str = self.parameters["document"]
        return name

    @property
    def many(self) -> bool:
        """Whether it leads to many."""
        return bool(self.parameters.get("uselist", True))

    @property
    def back(self) -> RelationshipField | None:
        """The way back; ``None`` if there is none."""
        name = self.parameters.get("backref_name")
        if not name:
            return None
        prefix = "backref_"
        options = {
            key.removeprefix(prefix): value
            for key, value in self.parameters.items()
            if key.startswith(prefix)
        }
        back = RelationshipField({"uselist": False, **options})
        back.name = name
        return back


#: The classes of relations.
relationship_fields: tuple[type, ...] = (RelationshipField,)

#: Relations that wait for the class which they lead to.
_WAITING: list[tuple[Any, RelationshipField]] = []


def Relationship(**parameters: Any) -> Any:  # noqa: N802 - nefertari calls it so
    """A relation to ``document``, the name of a class, which may follow later.

    ``uselist`` is true unless said otherwise; ``foreign_keys`` names the field that
    holds the keys (``Story.owner_id``) where several could; ``ondelete`` says what
    becomes of keys of what is deleted: ``NULLIFY`` (``PULL`` of a list, both by
    default), ``CASCADE``, ``RESTRICT``, ``DO_NOTHING``. With ``backref_`` before them
    the keywords are those of the way back, called ``backref_name``, which leads to one
    object unless ``backref_uselist`` is true. Any other keyword is ignored.
    """
    return RelationshipField(parameters)


def declare(model: Any) -> None:
    """Connect the relations of a new class, and those that have waited for it."""
    found: dict[str, RelationshipField] = {}
    for owner in reversed(model.__mro__):
        found.update(
            (name, value)
            for name, value in vars(owner).items()
            if isinstance(value, RelationshipField)
        )
    known = links_of(model)
    _WAITING.extend((model, field) for n, field in found.items() if n not in known)
    for owner, field in list(_WAITING):
        target = registry.find(field.document)
        if target is not None:
            _WAITING.remove((owner, field))
            _connect(owner, field, target)


def check_all_connected() -> None:
    """:raises ConfigurationError: naming a relation that leads to no class."""
    for model, field in _WAITING:
        raise ConfigurationError(
            f"{model.__name__}.{field.name} leads to {field.document!r}, which is no "
            f"model. Give the resource of that name a schema in the RAML file."
        )


def is_relationship_field(field: str, model_cls: type) -> bool:
    """Whether a class has a relation of this name."""
    return field in links_of(model_cls)


def get_relationship_cls(field: str, model_cls: type) -> type:
    """The class that a relation leads to."""
    target: type = links_of(model_cls)[field].target
    return target


def _link_of(model: Any, name: str) -> Link:
    link = links_of(model).get(name)
    if link is None:
        check_all_connected()
        raise AttributeError(f"{model.__name__} has no relation {name!r}")
    return link


def _connect(owner: Any, field: RelationshipField, target: Any) -> None:
    back = field.back
    if back is not None:
        back.parameters["document"] = owner.__name__
    stored, is_over_there = _place(owner, field, target, back)
    holder, held = (target, owner) if is_over_there else (owner, target)
    holding, other = (back, field) if is_over_there else (field, back)
    hidden = stored is None
    if stored is None:
        assert holding is not None
        stored = _add_keys(holder, holding, held)
    if holding is not None:
        _add(holder, holding, held, owner_field=stored, hidden=hidden)
    if other is not None:
        _add(held, other, holder, target_field=stored)
    _index(holder, stored)
    rule = _rule(holder._fields[stored], holding)
    if rule != me.DO_NOTHING:
        held.register_delete_rule(holder, stored, rule)


def _place(
    owner: Any, field: RelationshipField, target: Any, back: RelationshipField | None
) -> tuple[str | None, bool]:
    """The foreign key that stores a relation, if there is one; and whether the class
    that the relation leads to stores it."""
    if not field.many and (stored := _foreign_key(owner, target, field)):
        return stored, False
    if back is not None and back.many:
        return None, False
    stored = _foreign_key(target, owner, field)
    return stored, stored is not None or (field.many and back is not None)


def _add(model: Any, field: RelationshipField, target: Any, **stored: Any) -> None:
    name = field.name
    if vars(model).get(name) is not field:
        if name in model._fields or name in links_of(model):
            raise ConfigurationError(
                f"{model.__name__} has a field {name!r} already, which a relation of "
                f"{target.__name__} calls its way back. Give it another backref_name."
            )
        setattr(model, name, field)
    link = Link(
        name=name, target=target, many=field.many, attach=attributes.put, **stored
    )
    add_link(model, link)


def _foreign_key(holder: Any, target: Any, field: RelationshipField) -> str | None:
    """The field of a class that holds the keys of a relation to another one."""
    named = field.parameters.get("foreign_keys")
    if named:
        place, _, name = str(named).strip("[] ").partition(".")
        is_here = place in (holder.__name__, getattr(holder, "__tablename__", place))
        return name if is_here and name in holder._fields else None
    taken = {link.owner_field for link in links_of(holder).values()}
    found = [
        name
        for name, key in holder._fields.items()
        if isinstance(key, ForeignKeyField)
        and key.target is target
        and key.is_of_primary_key
        and name not in taken
    ]
    if len(found) > 1:
        raise ConfigurationError(
            f"{holder.__name__} has several keys of {target.__name__}: "
            f"{', '.join(found)}. Say by foreign_keys={holder.__name__}.{found[0]} "
            f"which one is meant."
        )
    return found[0] if found else None


def _add_keys(holder: Any, field: RelationshipField, target: Any) -> str:
    """A field for the keys of a relation, in which nefertari-mongodb had them, too."""
    name = f"_{field.name}_key"
    options = {
        "db_field": field.parameters.get("name") or field.name,
        "required": field.parameters.get("required"),
    }
    key = KeyField(document=target.__name__, **({} if field.many else options))
    made = _ListOfKeys(key, **options) if field.many else key
    made.name = name
    made.owner_document = holder
    setattr(holder, name, made)
    holder._fields[name] = made
    holder._db_field_map[name] = made.db_field
    holder._reverse_db_field_map[made.db_field] = name
    holder._fields_ordered = (*holder._fields_ordered, name)
    return name


class _ListOfKeys(ListField):
    def __init__(self, key: KeyField, **parameters: Any) -> None:
        super().__init__(item_type=lambda: key, **parameters)
        self.initial = None


def _rule(stored: Any, holding: RelationshipField | None) -> Any:
    if isinstance(stored, ForeignKeyField) and stored.parameters.get("ref_ondelete"):
        return delete_rule("ref_ondelete", stored.parameters["ref_ondelete"])
    rule = holding.parameters.get("ondelete") if holding is not None else None
    many = isinstance(stored, ListField)
    if rule is None:
        return me.PULL if many else me.NULLIFY
    found = delete_rule("ondelete", rule)
    return me.PULL if many and found == me.NULLIFY else found


def _index(model: Any, name: str) -> None:
    """Let MongoDB have an index by which documents are looked up."""
    specs = model._meta["index_specs"]
    spec = model._build_index_spec(name)
    if all(other["fields"][:1] != spec["fields"] for other in specs):
        specs.append(spec)
