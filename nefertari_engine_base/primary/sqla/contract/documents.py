"""The bases of models of nefertari: ``BaseDocument``, and ``ESBaseDocument`` for models
that have documents in the secondary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from sqlalchemy.orm import class_mapper

from nefertari_engine_base.compat.hidden import without_hidden
from nefertari_engine_base.compat.objects import empty_dictset
from nefertari_engine_base.primary.sqla.contract.base import Base, ESMetaclass
from nefertari_engine_base.primary.sqla.contract.fields import PARAMETERS
from nefertari_engine_base.primary.sqla.contract.reading import Reads
from nefertari_engine_base.primary.sqla.contract.relations import relations_of
from nefertari_engine_base.primary.sqla.contract.writing import Writes
from nefertari_engine_base.primary.sqla.types import describe_type


class BaseMixin(Reads, Writes):
    """What every model of nefertari has.

    :cvar _public_fields: names of the fields that everybody sees.
    :cvar _auth_fields: names of the fields that who has logged in sees.
    :cvar _hidden_fields: names of the fields that only administrators see.
    :cvar _nested_relationships: names of the relations whose objects are shown whole;
        of any other, keys are.
    :cvar _nesting_depth: how many steps of such relations are shown whole.
    """

    __not_inherited_by_secondary__ = True

    _public_fields: ClassVar[Any] = None
    _auth_fields: ClassVar[Any] = None
    _hidden_fields: ClassVar[Any] = None
    _nested_relationships: ClassVar[Any] = ()
    _nesting_depth: ClassVar[int] = 1

    @property
    def _type(self) -> str:
        return type(self).__name__

    @classmethod
    def pk_field(cls) -> str:
        """Name of the primary key."""
        mapper = class_mapper(cls)
        return mapper.get_property_by_column(mapper.primary_key[0]).key

    @classmethod
    def pk_field_type(cls) -> type:
        """Class of the primary key's type."""
        return type(class_mapper(cls).primary_key[0].type)

    @classmethod
    def get_null_values(cls) -> dict[str, Any]:
        """What each field is when a request leaves it out: ``None``, or an empty list
        of a relation to many."""
        values: dict[str, Any] = dict.fromkeys(class_mapper(cls).column_attrs.keys())
        for name, relation in relations_of(cls).items():
            values[name] = [] if relation.uselist else None
        values.pop("_acl", None)
        return values

    @classmethod
    def get_field_params(cls, field_name: str) -> dict[str, Any] | None:
        """The keywords that a field was made from; ``None`` if it is not one."""
        mapper = class_mapper(cls)
        if field_name in mapper.column_attrs:
            info = mapper.column_attrs[field_name].columns[0].info
        elif field_name in mapper.relationships:
            info = mapper.relationships[field_name].info
        else:
            return None
        found: dict[str, Any] | None = info.get(PARAMETERS)
        return found

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The fields, with ``_type`` and ``_pk``; related objects by their keys, or as
        such dictionaries where they are nested.

        :param _depth: steps of nested relations; ``_nesting_depth`` by default.
        :param request: what the dictionary is shown to; where objects have access
            control lists, nested ones that it may not see are left out.
        """
        depth = kwargs.get("_depth")
        depth = self._nesting_depth if depth is None else depth
        data = empty_dictset()
        for name in class_mapper(type(self)).column_attrs.keys():  # noqa: SIM118
            data[name] = getattr(self, name)
        for name in relations_of(type(self)):
            nested = depth > 0 and name in self._nested_relationships
            data[name] = _shown(getattr(self, name), depth - 1 if nested else None)
        data["_type"] = self._type
        data["_pk"] = str(getattr(self, self.pk_field()))
        request = kwargs.get("request")
        return data if request is None else without_hidden(request, data)

    def get_related_documents(
        self, nested_only: bool = False
    ) -> Iterator[tuple[type, list[Any]]]:
        """Related objects, with their model, relation by relation.

        :param nested_only: only those that show this object whole.
        """
        for name, relation in relations_of(type(self)).items():
            value = getattr(self, name)
            related = list(value) if relation.uselist else [value] if value else []
            back = relation.back_populates
            shows = getattr(relation.mapper.class_, "_nested_relationships", ())
            if related and not (nested_only and back and back not in shows):
                yield relation.mapper.class_, related

    @classmethod
    def get_es_mapping(
        cls, _depth: int | None = None, types_map: Any = None
    ) -> dict[str, Any]:
        """Names of the fields with their kinds. The secondary makes its mappings from
        the model itself; this is for programs that ask."""
        properties: dict[str, Any] = {"_pk": {"type": "string"}}
        for name, attribute in class_mapper(cls).column_attrs.items():
            properties[name] = _mapped(attribute.columns[0])
        depth = cls._nesting_depth if _depth is None else _depth
        for name, relation in relations_of(cls).items():
            target: Any = relation.mapper.class_
            if depth > 0 and name in cls._nested_relationships:
                inner = target.get_es_mapping(_depth=depth - 1)[target.__name__]
                properties[name] = {"type": "nested", **inner}
            else:
                properties[name] = _mapped(relation.mapper.primary_key[0])
        return {cls.__name__: {"properties": properties}}

    def __repr__(self) -> str:
        name = self.pk_field()
        return f"<{type(self).__name__}: {name}={getattr(self, name)}>"


#: Names that stay with the primary whoever defines them: a mixin of users overrides
#: some, and calls what it has overridden.
BaseMixin.__only_for_primary__ = frozenset(  # type: ignore[attr-defined]
    name for owner in (Reads, Writes, BaseMixin) for name in vars(owner)
) - {"_public_fields", "_auth_fields", "_hidden_fields", "_nested_relationships"}


def _mapped(column: Any) -> dict[str, str]:
    described = describe_type(column.type)
    return {} if described is None else {"type": str(described.kind)}


def _shown(value: Any, depth: int | None) -> Any:
    if isinstance(value, BaseMixin):
        if depth is not None:
            return value.to_dict(_depth=depth)
        return getattr(value, value.pk_field())
    if isinstance(value, list):
        return [_shown(item, depth) for item in value]
    return value


class BaseDocument(BaseMixin, Base):
    """Base of models that have no documents."""

    __not_inherited_by_secondary__ = True
    __abstract__ = True


class ESBaseDocument(BaseDocument, metaclass=ESMetaclass):
    """Base of models that have documents in the secondary."""

    __not_inherited_by_secondary__ = True
    __abstract__ = True
    _index_enabled: ClassVar[bool] = True
