"""The classes that models of nefertari are made from, and the names of all of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.decl_api import DeclarativeAttributeIntercept
from sqlalchemy.sql import ClauseElement

from nefertari_engine_base.primary.sqla.contract.types import Checked

_CLASSES: dict[str, type] = {}


class DocumentMeta(DeclarativeAttributeIntercept):
    """Metaclass of models: knows them by their names, and checks what is set."""

    def __init__(
        self, name: str, bases: tuple[type, ...], namespace: Any, **_: Any
    ) -> None:
        super().__init__(name, bases, namespace)
        mapper = self.__dict__.get("__mapper__")
        if mapper is not None:
            _CLASSES[name] = self
            for attribute in mapper.column_attrs:
                _check_values(self, attribute.key, attribute.columns[0].type)


class ESMetaclass(DocumentMeta):
    """Metaclass of models that have documents in the secondary."""


class Base(DeclarativeBase, metaclass=DocumentMeta):
    """The declarative base of all models of nefertari in this process."""

    __not_inherited_by_secondary__ = True
    __abstract__ = True


def get_document_cls(name: str) -> type:
    """The model of a name. :raises ValueError: if there is none."""
    try:
        return _CLASSES[name]
    except KeyError:
        raise ValueError(f"SQLAlchemy model `{name}` does not exist") from None


def get_document_classes() -> dict[str, type]:
    """Every model by its name, abstract ones left out."""
    return dict(_CLASSES)


def _check_values(model: type, name: str, type_: Any) -> None:
    if not isinstance(type_, Checked):
        return

    def convert(instance: Any, value: Any, old: Any, initiator: Any) -> Any:
        if value is None or isinstance(value, ClauseElement):
            return value
        try:
            return type_.convert(value)
        except ValueError as error:
            raise ValueError(f"Field `{name}`: {error}") from error

    event.listen(getattr(model, name), "set", convert, retval=True, propagate=True)
