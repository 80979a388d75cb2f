"""Computed values in texts of documents that PostgreSQL has written.

Where the values of a row belong, the text has a slot: the number of the level in the
statement and the key of the row, between two characters that JSON never holds raw. The
slot follows the name of the first computed field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy.engine import Connection

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.json_text import write_json
from nefertari_engine_base.primary.sqla.computing import ComputedFields, Values
from nefertari_engine_base.primary.sqla.json_templates import UNREADABLE
from nefertari_engine_base.schema import ModelSchema

_EDGE = "\x02"
_SLOT = re.compile(f"{_EDGE}([0-9]+)([^{_EDGE}]*){_EDGE}")

#: Text of a document, or why there is none.
Text = str | ConversionError


def slot(number: int, key: Sequence[Any]) -> list[Any]:
    """The parts of a slot, from expressions of SQL that write the parts of a key."""
    parts: list[Any] = [f"{_EDGE}{number}["]
    for text in key:
        parts += [text, ","]
    return [*parts[:-1], f"]{_EDGE}"]


class Slots:
    """Fills the slots of one statement's texts; safe to share between threads.

    :param schemas: those with computed fields, by the number of their level.
    """

    def __init__(self, schemas: Iterable[ModelSchema]) -> None:
        self._schemas = tuple(schemas)
        self._computed = tuple(map(ComputedFields, self._schemas))

    def fill(self, connection: Connection, texts: Sequence[str]) -> list[Text]:
        """The texts of documents, with computed values; those that hold what SQL could
        not write are left alone.

        :raises ConversionError: if a row holds a value that cannot be read.
        """
        found: list[dict[str, Any]] = [{} for _ in self._schemas]
        for text in texts:
            if UNREADABLE not in text:
                for number, key in _SLOT.findall(text):
                    level = int(number)
                    if key not in found[level]:
                        found[level][key] = self._parse_key(level, key)
        members: dict[tuple[str, str], Text] = {}
        for level, keys in enumerate(found):
            values = self._computed[level].values(connection, keys.values())
            for text, key in keys.items():
                written = _written(self._schemas[level], values[key])
                members[str(level), text] = written
        return [_filled(text, members) for text in texts]

    def _parse_key(self, level: int, text: str) -> Any:
        schema = self._schemas[level]
        parts = [
            part.decode(value)
            for part, value in zip(schema.key_fields, orjson.loads(text), strict=True)
        ]
        return tuple(parts) if len(parts) > 1 else parts[0]


def _written(schema: ModelSchema, values: Values) -> Text:
    try:
        texts = [write_json(schema.name, value).decode() for value in values.values()]
    except ConversionError as error:
        return error
    names = (orjson.dumps(name).decode() for name in values)
    members = ",".join(map("{}:{}".format, names, texts))
    return members.partition(":")[2]  # the first name is there


def _filled(text: str, members: dict[tuple[str, str], Text]) -> Text:
    if UNREADABLE in text:
        return text

    def replace(match: re.Match[str]) -> str:
        member = members[match[1], match[2]]
        if isinstance(member, ConversionError):
            raise member
        return member

    try:
        return _SLOT.sub(replace, text)
    except ConversionError as error:
        return error
