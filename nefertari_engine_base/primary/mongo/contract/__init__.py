"""What ``nefertari.engine`` exports: nefertari's field classes, bases and functions.

An application that declares its models with MongoEngine itself imports none of this.
"""

from __future__ import annotations

from nefertari_engine_base.compat.encoding import ESJSONSerializer, JSONEncoder
from nefertari_engine_base.primary.mongo.contract.base import ESMetaclass
from nefertari_engine_base.primary.mongo.contract.containers import (
    BinaryField,
    DictField,
    ListField,
    PickleField,
)
from nefertari_engine_base.primary.mongo.contract.documents import (
    BaseDocument,
    BaseMixin,
    ESBaseDocument,
)
from nefertari_engine_base.primary.mongo.contract.fields import (
    BigIntegerField,
    BooleanField,
    ChoiceField,
    DateField,
    DateTimeField,
    DecimalField,
    FloatField,
    IdField,
    IntegerField,
    IntervalField,
    SmallIntegerField,
    StringField,
    TextField,
    TimeField,
    UnicodeField,
    UnicodeTextField,
)
from nefertari_engine_base.primary.mongo.contract.keys import ForeignKeyField
from nefertari_engine_base.primary.mongo.contract.registry import (
    get_document_classes,
    get_document_cls,
)
from nefertari_engine_base.primary.mongo.contract.relations import (
    Relationship,
    get_relationship_cls,
    is_relationship_field,
    relationship_fields,
)
from nefertari_engine_base.primary.mongo.contract.setup import setup_database

__all__ = [
    # Bases
    "BaseDocument",
    "BaseMixin",
    "ESBaseDocument",
    "ESMetaclass",
    # Fields
    "BigIntegerField",
    "BinaryField",
    "BooleanField",
    "ChoiceField",
    "DateField",
    "DateTimeField",
    "DecimalField",
    "DictField",
    "FloatField",
    "ForeignKeyField",
    "IdField",
    "IntegerField",
    "IntervalField",
    "ListField",
    "PickleField",
    "Relationship",
    "SmallIntegerField",
    "StringField",
    "TextField",
    "TimeField",
    "UnicodeField",
    "UnicodeTextField",
    # Functions and the rest
    "ESJSONSerializer",
    "JSONEncoder",
    "get_document_classes",
    "get_document_cls",
    "get_relationship_cls",
    "is_relationship_field",
    "relationship_fields",
    "setup_database",
]  # fmt: skip
