"""The field of nefertari-guards; imported only where that is installed.

``nefertari_guards.engine`` takes all public names from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from nefertari_engine_base.compat.acl import ACL_TYPE_MAPPING, Encoder, stored_list
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary.sqla.contract.fields import BaseField
from nefertari_engine_base.primary.sqla.contract.types import Checked
from nefertari_engine_base.primary.sqla.types import register_type


class ACLType(Checked):
    """A column of JSON; takes lists of Pyramid, and those of nefertari-guards."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def convert(self, value: Any) -> Any:
        """See :meth:`Checked.convert`."""
        return stored_list(value)


register_type(ACLType, Kind.ACL)


class ACLField(Encoder, BaseField):
    """An access control list; empty by default, so that nobody is let in."""

    _sqla_type_cls = ACLType

    @classmethod
    def _column_options(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        options = super()._column_options(parameters)
        return {**options, "default": options.get("default") or []}


#: Part of what nefertari-guards expects; mappings are made of models here.
EXTENDED_TYPES_MAP = {ACLType: ACL_TYPE_MAPPING}
