"""Values of computed fields, from instances that hold what the fields depend on.

Instances are loaded on the connection of the delivery, after the version was drawn like
everything else, with the columns and relations that ``depends_on`` names and with no
others. Then they are detached: a method that reads anything else is told so, since
nobody would follow the changes of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, lazyload, load_only, selectinload
from sqlalchemy.orm.collections import collection_adapter
from sqlalchemy.orm.exc import DetachedInstanceError
from sqlalchemy.orm.interfaces import ORMOption

from nefertari_engine_base.document_fields import compute, unnamed_read
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.sqla.encoders import readable
from nefertari_engine_base.primary.sqla.keys import KeyedSelect, columns_of
from nefertari_engine_base.schema import FieldSchema, ModelSchema

#: Values by the names of the fields; an error stands for one that cannot be had.
Values = dict[str, Any]

# What SQLAlchemy says of an attribute that a detached instance would have to load.
_NOT_LOADED = re.compile(r" at 0x([0-9a-f]+)> is not bound .* attribute '(\w+)'")


class ComputedFields:
    """The computed fields of one schema; safe to share between threads.

    :param schema: one that has any.
    """

    def __init__(self, schema: ModelSchema) -> None:
        self._schema = schema
        key = columns_of(schema.model, schema.primary_key)
        statement: Any = select(schema.model).options(*_dependencies(schema))
        self._instances = KeyedSelect(statement, key)
        self._rows = KeyedSelect(select(*key), key)
        self._key_of = attrgetter(*schema.primary_key)

    def values(self, connection: Connection, keys: Iterable[Any]) -> dict[Any, Values]:
        """The values in their form in documents, by the key of the row.

        Takes a statement, and one for each relation that is read, for up to five
        hundred rows.

        :param keys: tuples, or values if the key has one part.
        :raises ConversionError: if a row holds a value that cannot be read.
        """
        wanted = list(dict.fromkeys(keys))
        instances = self._load(connection, wanted) if wanted else {}
        found = {key: self._computed(row) for key, row in instances.items()}
        missing = [key for key in wanted if key not in found]
        if missing:
            found |= self._without_instance(connection, missing)
        return found

    def _load(self, connection: Connection, keys: Sequence[Any]) -> dict[Any, Any]:
        dialect, key_of = connection.dialect.name, self._key_of
        # It takes part in the delivery's transaction, and leaves it as it is.
        with (
            readable(self._schema.name),
            Session(
                connection,
                autoflush=False,
                expire_on_commit=False,
                join_transaction_mode="rollback_only",
            ) as session,
        ):
            return {
                key_of(instance): instance
                for statement, values in self._instances.prepare(dialect, keys)
                for instance in session.scalars(statement, values)
            }

    def _computed(self, instance: Any) -> Values:
        schema, id_ = self._schema, self._id(self._key_of(instance))
        values: Values = {}
        for name, field in schema.computed.items():
            try:
                values[name] = compute(schema, field, id_, instance)
            except ConversionError as error:
                values[name] = _explained(schema, field, id_, instance, error)
        return values

    def _without_instance(
        self, connection: Connection, keys: Sequence[Any]
    ) -> dict[Any, Values]:
        """Of rows that were read a moment ago: most likely they are gone, and their
        documents will be when their own changes are delivered."""
        schema = self._schema
        there: set[Any] = set()
        for statement, values in self._rows.prepare(connection.dialect.name, keys):
            rows = connection.execute(statement, values)
            there |= {row[0] if len(row) == 1 else tuple(row) for row in rows}
        return {
            key: dict.fromkeys(
                schema.computed, self._hidden(key) if key in there else None
            )
            for key in keys
        }

    def _id(self, key: Any) -> str:
        schema = self._schema
        return schema.document_id(key if len(schema.primary_key) > 1 else (key,))

    def _hidden(self, key: Any) -> ConversionError:
        name = self._schema.name
        return ConversionError(
            f"{name} {self._id(key)}: a session does not find the row, which its "
            f"computed fields need. A listener of the application filters what "
            f"sessions find: let it listen to your sessionmaker, and not to Session."
        )


def _dependencies(schema: ModelSchema) -> Iterator[ORMOption]:
    """Options that load what the computed fields of a model read, and nothing else."""
    names = {*schema.primary_key, *schema.depended}
    for relation in schema.followed.values():
        names.update(relation.owner_fields)
    yield load_only(*columns_of(schema.model, sorted(names)))
    for relation in schema.followed.values():
        attribute = getattr(schema.model, relation.name)
        below: Any = _dependencies(relation.document)
        yield selectinload(attribute).options(*below)
    # Whatever the model says: to be loaded when it is read, which then it cannot be.
    yield lazyload("*")


# --- reads that nobody follows -------------------------------------------------------


def _explained(
    schema: ModelSchema,
    field: FieldSchema,
    document_id: str,
    instance: Any,
    error: ConversionError,
) -> ConversionError:
    """The error, naming what the method reads if that is what is wrong."""
    cause = error.__cause__
    if not isinstance(cause, DetachedInstanceError):
        return error
    what = f"what is not loaded ({cause})"
    if found := _NOT_LOADED.search(what):
        address, attribute = int(found[1], 16), found[2]
        path = next(_paths(schema, instance, address, ()), ("...",))
        what = ".".join((*path, attribute))
    explained = unnamed_read(schema, field, document_id, what)
    explained.__cause__ = cause
    return explained


def _paths(
    schema: ModelSchema, instance: Any, address: int, path: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """The paths by which computed fields of an instance reach another one."""
    if id(instance) == address:
        yield path
    for relation in schema.followed.values():
        value = vars(instance).get(relation.name)
        if value is not None:
            related = collection_adapter(value) if relation.many else (value,)
            for item in related:
                below = (*path, relation.name)
                yield from _paths(relation.document, item, address, below)
