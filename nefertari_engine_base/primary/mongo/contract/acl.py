"""The field of nefertari-guards; imported only where that is installed.

``nefertari_guards.engine`` takes all public names from here.
"""

from __future__ import annotations

from typing import Any

from nefertari_engine_base.compat.acl import ACL_TYPE_MAPPING, Encoder, stored_list
from nefertari_engine_base.primary.mongo.access import AccessListField
from nefertari_engine_base.primary.mongo.contract.fields import BaseField


class ACLField(Encoder, BaseField, AccessListField):
    """An access control list; empty by default, so that nobody is let in.

    It takes lists of Pyramid, and those of nefertari-guards.
    """

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.initial = self.initial or []

    def convert(self, value: Any) -> Any:
        """See :meth:`BaseField.convert`."""
        return stored_list(value)


#: Part of what nefertari-guards expects; mappings are made of models here.
EXTENDED_TYPES_MAP = {ACLField: ACL_TYPE_MAPPING}
