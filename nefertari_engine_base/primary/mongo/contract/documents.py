"""The bases of models of nefertari: ``BaseDocument``, and ``ESBaseDocument`` for models
that have documents in the secondary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import mongoengine as me

from nefertari_engine_base.compat.models import Model, Related, only_for_primary
from nefertari_engine_base.primary.mongo.contract import attributes
from nefertari_engine_base.primary.mongo.contract.base import DocumentMeta, ESMetaclass
from nefertari_engine_base.primary.mongo.contract.fields import BaseField, made
from nefertari_engine_base.primary.mongo.contract.reading import Reads
from nefertari_engine_base.primary.mongo.contract.relations import RelationshipField
from nefertari_engine_base.primary.mongo.contract.writing import Writes
from nefertari_engine_base.primary.mongo.links import Link, link_fields, links_of
from nefertari_engine_base.primary.mongo.types import TypeDescription, describe_field


class BaseMixin(Reads, Writes, Model):
    """What every model of nefertari has; see
    :class:`~nefertari_engine_base.compat.models.Model`."""

    __not_inherited_by_secondary__ = True

    _fields: ClassVar[Mapping[str, Any]]

    def __init__(self, *args: Any, **values: Any) -> None:
        # MongoEngine makes instances of what it has read with this.
        self._is_stored = not values.get("_created", True)
        related: dict[str, Any] = {}
        if not self._is_stored:
            links = links_of(type(self))
            related = {name: values.pop(name) for name in links.keys() & values.keys()}
            values = {**self._initial_values(values), "__auto_convert": False}
        super().__init__(*args, **values)
        for name, value in related.items():
            setattr(self, name, value)

    @classmethod
    def _initial_values(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """What was given, checked, and the defaults of what was not.

        :raises ValueError: naming the field.
        """
        given = {
            cls.pk_field() if n in ("id", "pk") else n: v for n, v in values.items()
        }
        for name, field in cls._fields.items():
            if isinstance(field, BaseField):
                if name in given:
                    given[name] = field.checked(given[name])
                elif field.initial is not None:
                    given[name] = field.checked(made(field.initial))
        return given

    @classmethod
    def pk_field(cls) -> str:
        """Name of the primary key."""
        model: Any = cls
        name: str = model._meta["id_field"]
        return name

    @classmethod
    def pk_field_type(cls) -> type:
        """Class of the primary key's field."""
        return type(cls._fields[cls.pk_field()])

    @classmethod
    def get_field_params(cls, field_name: str) -> dict[str, Any] | None:
        """The keywords that a field was made from; ``None`` if it is not one."""
        found = cls._fields.get(field_name)
        if field_name in links_of(cls):
            found = vars(cls).get(field_name) or getattr(cls, field_name)
        if isinstance(found, BaseField | RelationshipField):
            return found.parameters
        return None

    @classmethod
    def _stored(cls) -> Sequence[str]:
        model: Any = cls
        hidden = {"_cls", *link_fields(cls)}
        return [name for name in model._fields_ordered if name not in hidden]

    @classmethod
    def _relations(cls) -> Mapping[str, Related]:
        return {
            name: Related(link.target, link.many, _back(link))
            for name, link in links_of(cls).items()
        }

    @classmethod
    def _mapped(cls, name: str) -> dict[str, str]:
        described = describe_field(cls._fields[name])
        if isinstance(described, TypeDescription):
            return {"type": str(described.kind)}
        return {}

    def _related_keys(self, name: str) -> Any:
        return attributes.related_keys(self, links_of(type(self))[name])


def _back(link: Link) -> str | None:
    """The relation that leads back by the same keys."""
    for name, other in links_of(link.target).items():
        if link.owner_field is not None and other.target_field == link.owner_field:
            return name
        if link.target_field is not None and other.owner_field == link.target_field:
            return name
    return None


BaseMixin.__only_for_primary__ = only_for_primary(BaseMixin)  # type: ignore[attr-defined]


class BaseDocument(BaseMixin, me.Document, metaclass=DocumentMeta):
    """Base of models that have no documents."""

    __not_inherited_by_secondary__ = True
    # What is stored beside the fields, by an earlier version of the model, is ignored.
    meta: ClassVar[Any] = {"abstract": True, "strict": False}


class ESBaseDocument(BaseDocument, metaclass=ESMetaclass):
    """Base of models that have documents in the secondary."""

    __not_inherited_by_secondary__ = True
    meta: ClassVar[Any] = {"abstract": True, "strict": False}
    _index_enabled: ClassVar[bool] = True
