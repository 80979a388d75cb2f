"""The names that ``nefertari.engine`` takes from the module of a primary engine."""

from __future__ import annotations

#: Without importing what they name: a primary exports them when they are asked for.
CONTRACT = (
    *("BaseDocument", "BaseMixin", "ESBaseDocument", "ESMetaclass"),
    *("BigIntegerField", "BinaryField", "BooleanField", "ChoiceField", "DateField"),
    *("DateTimeField", "DecimalField", "DictField", "FloatField", "ForeignKeyField"),
    *("IdField", "IntegerField", "IntervalField", "ListField", "PickleField"),
    *("Relationship", "SmallIntegerField", "StringField", "TextField", "TimeField"),
    *("UnicodeField", "UnicodeTextField", "ESJSONSerializer", "JSONEncoder"),
    *("get_document_classes", "get_document_cls", "get_relationship_cls"),
    *("is_relationship_field", "relationship_fields", "setup_database"),
)
