"""The documents of rows, as JSON that PostgreSQL itself writes, by one statement.

What is sent back is the text of each document, and its key. The documents decode to
the same values as those of :class:`~nefertari_engine_base.primary.sqla.loading.Loader`,
which serves the models that there is no statement for (``json_expressions`` lists
the types), and rows whose values SQL cannot write.

A statement is worth its name where it is prepared and planned once: a connection that
asks for few documents at a time should ``SET plan_cache_mode = force_generic_plan``,
since PostgreSQL otherwise plans it again for each of them.

https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConversionError, InvalidDocumentId
from nefertari_engine_base.json_text import check_readable, may_be_unreadable
from nefertari_engine_base.primary.sqla.json_levels import (
    NoFormError,
    select_documents,
)
from nefertari_engine_base.primary.sqla.json_slots import Slots
from nefertari_engine_base.primary.sqla.json_templates import UNREADABLE
from nefertari_engine_base.primary.sqla.keys import INTEGERS, parse_ids
from nefertari_engine_base.refusals import RefusedDocuments
from nefertari_engine_base.schema import ModelSchema

_BIGINT = range(-(2**63), 2**63)


def _is_text(value: str) -> bool:
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


_POSSIBLE: dict[Kind, Callable[[Any], bool]] = {
    **dict.fromkeys(INTEGERS, _BIGINT.__contains__),
    Kind.STRING: _is_text,
    Kind.TEXT: _is_text,
}


class UnreadableRows(ConversionError):
    """SQL could not write some documents; the statement has not failed.

    The Core loader can be asked for these documents in the same transaction: it loads
    them, or tells which field is to blame. The others are what they always are, so
    that the bytes of a document do not depend on its neighbours.

    :attr ids: of the documents that are missing.
    :attr documents: the others, by document id.
    :attr reasons: why others cannot be written at all, by document id.
    """

    def __init__(
        self,
        model: str,
        ids: Sequence[str],
        documents: Mapping[str, bytes],
        reasons: Mapping[str, str],
    ) -> None:
        super().__init__(
            f"The database cannot write {len(ids)} documents of {model}, first "
            f"{ids[0]!r}: it holds a value that SQL has no form for."
        )
        self.ids = tuple(ids)
        self.documents = documents
        self.reasons = reasons


def array_literal(numbers: Iterable[int]) -> str:
    """Integers as an array of PostgreSQL's.

    For a list, psycopg looks for the narrowest type that holds every item, which takes
    longer than the rest of a statement, and prepares another statement for each type.
    """
    return f"{{{','.join(map(str, numbers))}}}"


@dataclass(frozen=True)
class JSONStatement:
    """A statement that loads documents of one model; safe to share between threads.

    :attr sql: text for psycopg, with parameters in the style ``%(name)s``. Its rows
        are the text of a document and the parts of its key.
    :attr slots: fills in computed values; ``None`` if there are none.
    """

    schema: ModelSchema
    sql: str
    slots: Slots | None = None

    def parameters(self, ids: Sequence[str]) -> dict[str, Any]:
        """The parameters of ``sql`` that ask for the documents of these ids.

        :raises InvalidDocumentId: for an id that cannot be one of the model.
        """
        keys = parse_ids(self.schema, ids)
        parts = self.schema.key_fields
        if len(parts) > 1:
            columns = list(map(list, zip(*keys, strict=True))) or [[]] * len(parts)
        else:
            columns = [keys]
        for part, values in zip(parts, columns, strict=True):
            is_possible = _POSSIBLE.get(part.kind)
            if is_possible is not None and not all(map(is_possible, values)):
                self._raise_for_culprit(ids)
        return {
            f"key_{number}": array_literal(values) if part.kind in INTEGERS else values
            for number, (part, values) in enumerate(zip(parts, columns, strict=True))
        }

    def documents(
        self, rows: Sequence[tuple[Any, ...]], connection: Connection
    ) -> dict[str, bytes]:
        """Document by document id, from the rows that ``sql`` gave.

        :param connection: that gave them; asked for what computed fields read.
        :raises UnreadableRows: for documents that SQL could not write; it carries
            the others.
        :raises RefusedDocuments: for documents whose computed fields have no values;
            it carries the others.
        """
        id_of_key = self._id_reader()
        loaded: dict[str, bytes] = {}
        refused: dict[str, str] = {}
        unreadable: list[str] = []
        texts: Iterable[Any] = (row[0] for row in rows)
        if self.slots is not None:
            texts = self.slots.fill(connection, list(texts))
        for text, (_, *key) in zip(texts, rows, strict=True):
            if isinstance(text, ConversionError):
                refused[id_of_key(key)] = str(text)
            elif UNREADABLE in text:
                unreadable.append(id_of_key(key))
            elif (reason := self._unreadable(data := text.encode())) is not None:
                refused[id_of_key(key)] = reason
            else:
                loaded[id_of_key(key)] = data
        if unreadable:
            raise UnreadableRows(self.schema.name, unreadable, loaded, refused)
        if refused:
            raise RefusedDocuments(refused, loaded)
        return loaded

    @cached_property
    def _has_json(self) -> bool:
        """Whether documents hold JSON that its writers have made."""
        schemas = [self.schema, *(inner for _, inner in self.schema.walk())]
        return any(
            field.kind is Kind.JSON
            for schema in schemas
            for field in schema.fields.values()
        )

    def _unreadable(self, text: bytes) -> str | None:
        try:
            if self._has_json and may_be_unreadable(text):
                check_readable(self.schema.name, text)
        except ConversionError as error:
            return str(error)
        return None

    @cached_property
    def is_numbered(self) -> bool:
        """Whether the key is one number."""
        kinds = [part.kind for part in self.schema.key_fields]
        return len(kinds) == 1 and kinds[0] in INTEGERS

    def _id_reader(self) -> Callable[[Sequence[Any]], str]:
        schema = self.schema
        if self.is_numbered:
            return lambda key: str(key[0])
        return schema.document_id

    def _raise_for_culprit(self, ids: Sequence[str]) -> None:
        parts = self.schema.key_fields
        for id_ in ids:
            for part, value in zip(parts, self.schema.parse_id(id_), strict=True):
                is_possible = _POSSIBLE.get(part.kind)
                if is_possible is not None and not is_possible(value):
                    raise InvalidDocumentId(
                        self.schema.name, id_, "what PostgreSQL can hold"
                    )


def json_statement(schema: ModelSchema, dialect: sa.Dialect) -> JSONStatement | None:
    """The statement for documents of a schema; ``None`` if SQL alone cannot write
    them, or if the database or its driver is none that this is made for.

    :param dialect: of the engine that will execute it.
    """
    if (dialect.name, dialect.driver) != ("postgresql", "psycopg"):
        return None
    try:
        statement, computed = select_documents(schema, dialect)
        compiled = statement.compile(
            dialect=dialect, compile_kwargs={"literal_binds": True}
        )
    except (NoFormError, SQLAlchemyError, NotImplementedError):
        return None
    sql = str(compiled)
    # Whether a backslash in a constant escapes depends on a setting of the server.
    if "\\" in sql:
        return None
    return JSONStatement(schema, sql, Slots(computed) if computed else None)
