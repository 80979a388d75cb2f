"""The index and the rows, compared when a test is over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Table, inspect, select
from sqlalchemy.exc import NoInspectionAvailable, SQLAlchemyError
from sqlalchemy.orm import Mapper

from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import DocumentRef
from tests.peers.sqlalchemy.application import Application
from tests.peers.sqlalchemy.mappers import all_mappers
from tests.peers.sqlalchemy.records import Difference, Phase, Record

_Source = Mapping[str, Any]


class Comparison:
    """Compares the documents of an application with what SQLAlchemy reads.

    :param bare: names of tables that no session has written.
    :param refused: (model, id) of documents that the index has refused.
    """

    def __init__(
        self,
        application: Application,
        record: Record,
        bare: set[str],
        refused: set[tuple[str, str]],
    ) -> None:
        self._application = application
        self._record = record
        self._bare = bare
        self._refused = refused | application.initially_refused

    def all(self) -> None:
        """Compare each model."""
        for schema in list(self._application.engines.schemas.values()):
            try:
                _ModelComparison(self, schema).compare()
            except NoInspectionAvailable:
                self._record.uncompared.append(f"{schema.name}: its mapper is gone")
            except SQLAlchemyError as error:
                self._record.uncompared.append(f"{schema.name}: {_first_line(error)}")

    def is_refused(self, model: str, id_: str) -> bool:
        """Whether nothing can be expected of a document."""
        return (model, id_) in self._refused

    def is_bare(self, tables: Iterable[str]) -> bool:
        """Whether any of these tables was written by no session."""
        return not self._bare.isdisjoint(tables)

    @property
    def application(self) -> Application:
        """Whose documents are compared."""
        return self._application

    @property
    def record(self) -> Record:
        """Where differences are written down."""
        return self._record


class _ModelComparison:
    """One model. :raises NoInspectionAvailable: if it is not mapped any more."""

    def __init__(self, whole: Comparison, schema: ModelSchema) -> None:
        self._whole = whole
        self._schema = schema
        mapper: Mapper[Any] = inspect(schema.model)
        self._mapper = mapper
        tables = _tables_around(mapper, bool(schema.relations))
        self._marks = {
            "shared": bool(_strangers(mapper)),
            "bare": whole.is_bare(tables),
        }
        self._index = _documents(whole.application, schema)

    def compare(self) -> None:
        """Write down what differs. :raises SQLAlchemyError: if there is no table."""
        rows = self._rows()
        record = self._whole.record
        record.compared += 1
        record.rows += len(rows)
        by_id: dict[str, list[_Source]] = {}
        for values in rows:
            if (id_ := self._id_of(values)) is not None:
                by_id.setdefault(id_, []).append(values)
        for id_, (values, *others) in by_id.items():
            if others:
                # Of concrete inheritance, where each table counts for itself; of joins.
                record.uncompared.append(f"{self._schema.name}: rows with the same key")
            elif not self._whole.is_refused(self._schema.name, id_):
                self._compare_row(id_, values)
        for id_ in self._index.keys() - by_id.keys():
            if not self._whole.is_refused(self._schema.name, id_):
                self._differs("ghost", id_, document=repr(self._index[id_]))
        if self._schema.relations:
            self._compare_embedded()

    def _rows(self) -> list[_Source]:
        """The rows as SQLAlchemy reads them, by the names of the attributes."""
        schema = self._schema
        names = dict.fromkeys([*schema.primary_key, *self._columns()])
        statement = select(*(getattr(schema.model, name) for name in names))
        outbox = self._whole.application.primary.outbox_of(schema)
        with outbox.engine.connect() as connection:
            rows = connection.execute(statement).all()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _columns(self) -> list[str]:
        attributes = self._mapper.column_attrs
        return [name for name in self._schema.stored if name in attributes]

    def _id_of(self, values: _Source) -> str | None:
        key = [values[part] for part in self._schema.primary_key]
        if None in key:
            return None  # a part of an outer join; SQLAlchemy loads nothing either
        try:
            return self._schema.document_id(key)
        except Exception as error:  # noqa: BLE001 - of a type that a test made
            self._whole.record.note(Phase.DELIVERY, error, self._schema.name)
            return None

    def _compare_row(self, id_: str, values: _Source) -> None:
        document = self._index.get(id_)
        if document is None:
            self._differs("lost", id_, row=repr(dict(values)))
            return
        for name in self._columns():
            value, there = values[name], document.get(name)
            try:
                expected = _plain(self._schema.fields[name].encode(value))
            except Exception:  # noqa: BLE001 - then it is no document either
                continue
            if not _is_same(expected, _plain(there)):
                self._differs("stale", id_, name, repr(value), repr(there))

    def _compare_embedded(self) -> None:
        """With what is loaded now: embedded rows are not compared one by one."""
        schema, application = self._schema, self._whole.application
        outbox = application.primary.outbox_of(schema)
        refs = [DocumentRef(schema.name, id_) for id_ in self._index]
        try:
            with outbox.engine.connect() as connection:
                documents, _ = outbox.load(connection, refs)
        except Exception as error:  # noqa: BLE001 - the next model may be better
            self._whole.record.note(Phase.DELIVERY, error, schema.name)
            return
        for id_, text in documents.get(schema.name, {}).items():
            if id_ not in self._index or self._whole.is_refused(schema.name, id_):
                continue
            loaded, there = orjson.loads(text), self._index[id_]
            for name in schema.relations:
                row, document = loaded.get(name), there.get(name)
                if _ordered(row) != _ordered(document):
                    self._differs(
                        "stale embedded", id_, name, json.dumps(row), repr(document)
                    )

    def _differs(
        self, kind: str, id_: str, name: str = "", row: str = "", document: str = ""
    ) -> None:
        self._whole.record.differences.append(
            Difference(
                kind=kind,
                model=self._schema.name,
                id=id_,
                field=name,
                row=row[:300],
                document=document[:300],
                **self._marks,
            )
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]


def _documents(application: Application, schema: ModelSchema) -> dict[str, _Source]:
    """The documents of the index, by id."""
    found = {}
    for ids in application.memory.ids_below(schema, 2**62):
        stored = application.memory.stored(schema, ids)
        for id_, one in zip(ids, stored, strict=True):
            if one is not None:
                found[id_] = one.source
    return found


def _tables_around(mapper: Mapper[Any], with_relations: bool) -> set[str]:
    """Names of the tables whose rows a model's documents show."""
    tables = {
        name for one in mapper.self_and_descendants for name in _names(one.tables)
    }
    if with_relations:
        for relation in mapper.relationships:
            tables |= _names([*relation.mapper.tables, relation.secondary])
    return tables


def _names(tables: Iterable[Any]) -> set[str]:
    return {one.name for one in tables if isinstance(one, Table)}


def _strangers(mapper: Mapper[Any]) -> list[Mapper[Any]]:
    """Mappers of classes that are no relatives, and share a table."""
    # By name: some tests describe a table twice.
    tables = _names(mapper.tables)
    return [
        other
        for other in all_mappers()
        if other.configured
        and not other.common_parent(mapper)
        and not tables.isdisjoint(_names(other.tables))
    ]


def _plain(value: Any) -> Any:
    try:
        return orjson.loads(orjson.dumps(value))
    except TypeError:
        return json.loads(json.dumps(value, default=str))


def _is_same(one: Any, other: Any) -> bool:
    if one == other:
        return True
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    return _ADDRESS.sub("", str(one)) == _ADDRESS.sub("", str(other))


#: What tells apart two instances that say of themselves nothing but where they are.
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def _ordered(value: Any) -> Sequence[Any]:
    """Embedded documents in an order that does not depend on the rows'."""
    if isinstance(value, list):
        return sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
    return [value]
