"""The condition under which a row has a document: ``@secondary(when=...)``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import visitors

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.schema import SecondaryOptions


def condition_of(
    mapper: Mapper[Any], options: SecondaryOptions
) -> tuple[Any, frozenset[str]]:
    """The condition of ``when=``, and the attributes that it looks at.

    :raises ConfigurationError: if it is none, or looks at anything else.
    """
    if options.when is None:
        return None, frozenset()
    model: Any = mapper.class_
    try:
        condition = sa.select(model).where(options.when(model)).whereclause
    except (sa.exc.SQLAlchemyError, AttributeError, TypeError) as error:
        raise _refused(model, f"makes no SQL condition: {error}") from error
    assert condition is not None
    names: set[str] = set()
    for element in visitors.iterate(condition):
        if isinstance(element, sa.Column) and element.table in mapper.tables:
            names.add(mapper.get_property_by_column(element).key)
        elif isinstance(element, sa.Column | sa.SelectBase):
            raise _refused(model, f"looks at more than its columns: {element}")
    if not names:
        raise _refused(model, f"looks at no column: {condition}")
    return condition, frozenset(names)


def _refused(model: type, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"when= of {model.__name__} {why}. Give a condition on columns of the class "
        f"alone, like when=lambda model: model.published: a change of anything else "
        f"would not be followed."
    )
