"""What a field is worth of which nothing is stored: it was declared after its documents
were written, say.

MongoEngine gives instances the field's default. A document of the index has to tell the
same, and a query to find it, whoever answers. That can only be so for a default that is
always the same. One that a function makes is another for each instance, and no fact of
the database: it is worth nothing, neither in an index nor to a computed field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bson
import mongoengine as me
from bson import Decimal128
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from bson.errors import BSONError

from nefertari_engine_base.exceptions import ConfigurationError

#: Builtin classes, which MongoEngine's own fields have for defaults: what they make
#: without arguments is always the same.
_ALWAYS_THE_SAME = (bool, bytes, dict, float, int, list, str, tuple)

_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD
)


def is_made_anew(field: Any) -> bool:
    """Whether each instance gets another value for nothing, by a function."""
    made = callable(field.default) and field.default not in _ALWAYS_THE_SAME
    return made and not field.null


def default_of(field: Any) -> Any:
    """The value, as MongoDB would give it, of a field that has none; ``None`` if it is
    worth nothing.

    :param field: of MongoEngine.
    """
    if field.default is None or field.null or is_made_anew(field):
        return None
    value = field.default() if callable(field.default) else field.default
    return as_stored(field.to_mongo(value))


def check_default(model: str, path: Sequence[str], field: Any) -> None:
    """See that the default of a field can be stored.

    :raises ConfigurationError: if it cannot, which MongoEngine finds when it is saved.
    """
    try:
        default_of(field)
    except (me.ValidationError, BSONError, ValueError, TypeError) as error:
        name = ".".join((model, *path))
        raise ConfigurationError(
            f"{name}: its default cannot be stored in MongoDB: {error}"
        ) from error


def findable_default(field: Any) -> Any:
    """The same, where a query may find it: an empty list or object is no value."""
    default = default_of(field)
    return None if default in ([], {}) else default


def as_stored(value: Any) -> Any:
    """A value as it comes back from MongoDB: its moments have milliseconds, say."""
    return bson.decode(bson.encode({"": value}, codec_options=_CODEC), _CODEC)[""]


def comparable(value: Any) -> Any:
    """A stored value as Python compares it like MongoDB does, which takes no truth for
    a number."""
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    return isinstance(value, bool), value
