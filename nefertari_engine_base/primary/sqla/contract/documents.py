"""The bases of models of nefertari: ``BaseDocument``, and ``ESBaseDocument`` for models
that have documents in the secondary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy.orm import class_mapper

from nefertari_engine_base.compat.models import Model, Related, only_for_primary
from nefertari_engine_base.primary.sqla.contract.base import Base, ESMetaclass
from nefertari_engine_base.primary.sqla.contract.fields import PARAMETERS
from nefertari_engine_base.primary.sqla.contract.reading import Reads
from nefertari_engine_base.primary.sqla.contract.relations import relations_of
from nefertari_engine_base.primary.sqla.contract.writing import Writes
from nefertari_engine_base.primary.sqla.types import describe_type


class BaseMixin(Reads, Writes, Model):
    """What every model of nefertari has; see
    :class:`~nefertari_engine_base.compat.models.Model`."""

    __not_inherited_by_secondary__ = True

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

    @classmethod
    def _stored(cls) -> Sequence[str]:
        return list(class_mapper(cls).column_attrs.keys())

    @classmethod
    def _relations(cls) -> Mapping[str, Related]:
        return {
            name: Related(
                relation.mapper.class_, bool(relation.uselist), relation.back_populates
            )
            for name, relation in relations_of(cls).items()
        }

    @classmethod
    def _mapped(cls, name: str) -> dict[str, str]:
        (column,) = class_mapper(cls).column_attrs[name].columns
        described = describe_type(column.type)
        return {} if described is None else {"type": str(described.kind)}


BaseMixin.__only_for_primary__ = only_for_primary(BaseMixin)  # type: ignore[attr-defined]


class BaseDocument(BaseMixin, Base):
    """Base of models that have no documents."""

    __not_inherited_by_secondary__ = True
    __abstract__ = True


class ESBaseDocument(BaseDocument, metaclass=ESMetaclass):
    """Base of models that have documents in the secondary."""

    __not_inherited_by_secondary__ = True
    __abstract__ = True
    _index_enabled: ClassVar[bool] = True
