"""Values of computed fields, from instances that hold what the fields depend on.

The instances are made of the raw documents that are loaded anyway, and of those that
these refer to, read by the same road: after the version was drawn, and what a majority
has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nefertari_engine_base.document_fields import compute, unnamed_read
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.mongo.instances import Instances, Made
from nefertari_engine_base.primary.mongo.keys import stored_name
from nefertari_engine_base.primary.mongo.relations import Place
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema

_Raw = Mapping[str, Any]
_Document = dict[str, Any]


class ComputedFields:
    """The computed fields of one schema, and those of what it embeds inline; safe to
    share between threads."""

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        self._instances = Instances(schema)
        self._inline = [
            _InlineFields(schema, relation, below)
            for relation in schema.relations.values()
            if relation.inline
            and (below := ComputedFields.of(relation.document)) is not None
        ]

    @classmethod
    def of(cls, schema: ModelSchema) -> ComputedFields | None:
        """The computed fields of a schema; ``None`` if there are none."""
        found = cls(schema)
        return found if schema.computed or found._inline else None

    def fill(
        self,
        raws: Sequence[_Raw],
        documents: Sequence[_Document],
        ids: Sequence[str],
        instances: Sequence[Any] | None = None,
    ) -> None:
        """Put the values into documents; an error stands for one that cannot be had.

        :param raws: what the documents were made of.
        :param ids: of the documents, for messages.
        :param instances: those to ask; by default they are made.
        """
        schema = self._schema
        unnamed: list[str] = []
        asked: Sequence[Made] = () if instances is None else instances
        if schema.computed:
            if instances is None:
                asked = self._instances.make(raws, unnamed)
            for document, id_, one in zip(documents, ids, asked, strict=True):
                for name, field in schema.computed.items():
                    unnamed.clear()
                    document[name] = _value(schema, field, id_, one, unnamed)
        for inline in self._inline:
            inline.fill(raws, documents, ids, instances)


class _InlineFields:
    """The computed fields of documents that are a part of their owners."""

    def __init__(
        self, schema: ModelSchema, relation: RelationSchema, below: ComputedFields
    ) -> None:
        name, stored = relation.name, stored_name(schema.model, relation.name)
        self._place = Place(schema.name, name, stored, relation.many)
        self._is_root = bool(schema.primary_key)
        self._below = below

    def fill(
        self,
        raws: Sequence[_Raw],
        documents: Sequence[_Document],
        ids: Sequence[str],
        instances: Sequence[Any] | None,
    ) -> None:
        """See :meth:`ComputedFields.fill`."""
        name = self._place.name
        held = [self._place.held(raw) for raw in raws]
        shown = [_listed(document[name]) for document in documents]
        below = [
            f"in {self._place.owner} {id_}" if self._is_root else id_
            for id_, items in zip(ids, held, strict=True)
            for _ in items
        ]
        asked = None
        if instances is not None:
            asked = [item for one in instances for item in _listed(one._data.get(name))]
        self._below.fill(_flat(held), _flat(shown), below, asked)


def _flat(lists: Sequence[Sequence[Any]]) -> list[Any]:
    return [item for items in lists for item in items]


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [item for item in value if item is not None]
    return [] if value is None else [value]


def _value(
    schema: ModelSchema,
    field: FieldSchema,
    document_id: str,
    instance: Made,
    unnamed: list[str],
) -> Any:
    if isinstance(instance, Exception):
        return ConversionError(f"{schema.name} {document_id}: {instance}")
    try:
        value = compute(schema, field, document_id, instance)
    except ConversionError as error:
        value = error
    if unnamed:
        # Whatever the method has made of the error that it was given.
        return unnamed_read(schema, field, document_id, unnamed[0])
    return value


def first_error(value: Any) -> ConversionError | None:
    """The first error that stands for a value in a document, if there is one."""
    if isinstance(value, ConversionError):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return next(filter(None, map(first_error, value)), None)
    return None
