"""Document ids from ``_id``, and back.

MongoDB checks no types: a collection may hold documents whose ``_id`` is none that the
key field of the class makes, written by another program or by an earlier version of the
class. Such a document has no id that its field could be read from, and is refused; that
is told of it alone. Until then it is called by a *spelling*: its ``_id`` in MongoDB's
extended JSON, behind a backslash, which no document id looks like.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import mongoengine as me
from bson import Binary, Decimal128, ObjectId, json_util
from bson.binary import BINARY_SUBTYPE, UuidRepresentation

from nefertari_engine_base import encoding
from nefertari_engine_base.exceptions import InvalidDocumentId
from nefertari_engine_base.primary.mongo.encoders import MISREAD, reader_of
from nefertari_engine_base.primary.mongo.keys import home_of
from nefertari_engine_base.primary.mongo.order import rank_of
from nefertari_engine_base.primary.mongo.types import key_field_of
from nefertari_engine_base.schema import ModelSchema

#: An id of one part never has a backslash before anything but another one, or nothing;
#: see :mod:`nefertari_engine_base.document_ids`.
_SPELLED = "\\"

#: Binaries are read as they are stored, whichever UUIDs the client makes of them.
_AS_JSON = json_util.CANONICAL_JSON_OPTIONS.with_options(
    uuid_representation=UuidRepresentation.UNSPECIFIED, tz_aware=False
)

#: Types of ``_id`` that are as their field has written them, without a closer look.
_OBVIOUS: tuple[tuple[Any, frozenset[type]], ...] = (
    (me.ObjectIdField, frozenset({ObjectId})),
    (me.StringField, frozenset({str})),
    (me.IntField, frozenset({int})),
)


class Ids:
    """Document ids of one model."""

    def __init__(self, schema: ModelSchema) -> None:
        field = key_field_of(schema.model)
        self._schema = schema
        self._field = field
        self._read: Callable[[Any], Any] = reader_of(schema.key_fields[0], field)
        self._obvious = next(
            (types for made_by, types in _OBVIOUS if type(field) is made_by),
            frozenset[type](),
        )

    def of(self, key: Any) -> str:
        """The document id of an ``_id``; the spelling of one that has none."""
        if type(key) in self._obvious:
            if type(key) is ObjectId:
                return str(key)  # nothing of its digits needs to be quoted
            return self._schema.document_id((self._read(key),))
        try:
            id_ = self._schema.document_id((self._read(key),))
            if _are_same(self.key(id_), key):
                return id_
        except MISREAD:
            pass
        return _SPELLED + json_util.dumps(self._as_stored(key), json_options=_AS_JSON)

    def _as_stored(self, key: Any) -> Any:
        if isinstance(key, UUID):
            options = home_of(self._schema.model).codec_options
            return Binary.from_uuid(key, options.uuid_representation)
        return key

    def key(self, document_id: str) -> Any:
        """The ``_id`` of a document. :raises InvalidDocumentId: if it can be none."""
        if is_spelling(document_id):
            raise self._invalid(document_id)
        (value,) = self._schema.parse_id(document_id)
        try:
            return self._field.to_mongo(value)
        except MISREAD as error:
            raise self._invalid(document_id) from error

    def stored(self, document_id: str) -> Any:
        """The ``_id`` of a document or of a spelling.

        :raises InvalidDocumentId: if it is neither.
        """
        if not is_spelling(document_id):
            return self.key(document_id)
        try:
            return json_util.loads(document_id[1:], json_options=_AS_JSON)
        except MISREAD as error:
            raise self._invalid(document_id) from error

    def refusal(self, document_id: str) -> str:
        """Why a document of this spelling cannot be written."""
        key = self.stored(document_id)
        return (
            f"_id: {key!r} cannot be written to a document: the key of "
            f"{self._schema.name} is a {type(self._field).__name__}, which does not "
            f"make such a value. Store the document under another _id, or delete it."
        )

    def _invalid(self, document_id: str) -> InvalidDocumentId:
        expected = encoding.DESCRIPTIONS[self._schema.key_fields[0].kind]
        if isinstance(self._field, me.ObjectIdField):
            expected = "24 hexadecimal digits"
        return InvalidDocumentId(self._schema.name, document_id, expected)


def is_spelling(document_id: str) -> bool:
    """Whether this stands for an ``_id`` that its field has not made."""
    return document_id[:1] == _SPELLED and document_id[1:2] not in ("", _SPELLED)


def _are_same(one: Any, other: Any) -> bool:
    """Whether MongoDB takes two values for the same."""
    return rank_of(one) == rank_of(other) and bool(_plain(one) == _plain(other))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, Binary) and value.subtype == BINARY_SUBTYPE:
        return bytes(value)  # which it does not take for the same
    if isinstance(value, UUID):
        return Binary.from_uuid(value)
    return value
