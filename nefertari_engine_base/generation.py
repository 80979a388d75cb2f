"""From a model to its document class, by ``type()``.

A generated class has one base, the secondary engine's document class; the primary's
plain methods, properties and class attributes; and fields made anew by the secondary
engine. It is an ordinary class to look at: its name, module, qualified name and
docstring lead to the model, and ``Movie.secondary`` is where it says it is.

A model may have an attribute of its own that is called ``secondary`` or ``primary``. It
keeps that, and so does its document class. :func:`model_of` and
:func:`~nefertari_engine_base.engines.secondary_of` know what belongs together, whatever
the attributes are.
"""

from __future__ import annotations

import inspect
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.schema import ModelSchema

#: Set on a base class whose attributes the documents must not inherit: the base of
#: all models, mixins that are about the primary's own life.
NOT_INHERITED = "__not_inherited_by_secondary__"

#: Set on a class: names of attributes that the documents must not have, whoever in the
#: inheritance defines them.
ONLY_FOR_PRIMARY = "__only_for_primary__"


#: Names of the links between the two worlds.
_PRIMARY, _SECONDARY = "primary", "secondary"

#: The model of each generated class. It has the class as its attribute, so that both
#: would stay for ever if it was kept here.
_MODELS: WeakKeyDictionary[type, ReferenceType[type]] = WeakKeyDictionary()


def generate_document(schema: ModelSchema, secondary: ISecondaryEngine) -> type:
    """Generate the document class of a model for a secondary engine.

    :raises UnmappableField: naming the model and the field.
    """
    namespace = {
        _PRIMARY: schema.model,
        **_behaviour(schema),
        **_fields(schema, secondary),
        "__module__": schema.model.__module__,
        "__qualname__": f"{schema.model.__qualname__}.secondary",
        "__doc__": _docstring(schema, secondary),
    }
    document = type(schema.name, (secondary.document_base(),), namespace)
    _MODELS[document] = ref(schema.model)
    secondary.attach(document, schema)
    return document


def link_document(model: Any, document: type) -> None:
    """Let ``model.secondary`` be a generated class, unless the model has something of
    its own there: a mapped attribute would be stored no more."""
    own = inspect.getattr_static(model, _SECONDARY, None)
    if own is None or _is_generated(own):
        model.secondary = document


def model_of(document: object) -> type | None:
    """The model of a generated class; ``None`` of anything else."""
    found = _MODELS.get(document) if isinstance(document, type) else None
    return None if found is None else found()


def _is_generated(value: object) -> bool:
    return model_of(value) is not None


def _fields(schema: ModelSchema, secondary: ISecondaryEngine) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: secondary.make_field(schema.name, field)
        for name, field in schema.fields.items()
    }
    for name, relation in schema.relations.items():
        inner = secondary.make_inner_document(
            relation.target, _fields(relation.document, secondary)
        )
        fields[name] = secondary.make_relation(schema.name, relation, inner)
    return fields


def _behaviour(schema: ModelSchema) -> dict[str, Any]:
    """The model's plain methods, properties and class attributes.

    The whole inheritance is walked, since mixins carry behaviour too; the nearest
    definition of a name wins, as in the model itself.
    """
    behaviour: dict[str, Any] = {}
    other = {*schema.fields, *schema.relations, *schema.hidden, *schema.internals}
    other |= getattr(schema.model, ONLY_FOR_PRIMARY, frozenset())
    for owner in reversed(schema.model.__mro__):
        if owner is object or NOT_INHERITED in vars(owner):
            continue
        for name, value in vars(owner).items():
            is_link = name == _SECONDARY and _is_generated(value)
            if not name.startswith("__") and name not in other and not is_link:
                behaviour[name] = value
    return behaviour


def _docstring(schema: ModelSchema, secondary: ISecondaryEngine) -> str:
    first = (schema.model.__doc__ or "").strip().partition("\n")[0]
    text = f"Documents of {schema.name} in {secondary.name}."
    return f"{text}\n\n{first}" if first else text
