"""Short ways to ask a secondary engine, for its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.testing.specimens import SPECIMEN
from nefertari_engine_base.values import Filter, Operator, Outcome, Query, Write


class Workbench:
    """An engine with a model attached, the specimen's, and short ways to ask it."""

    def __init__(
        self, engine: ISecondaryEngine, schema: ModelSchema = SPECIMEN
    ) -> None:
        self.engine = engine
        self.schema = schema
        self.document: Any = generate_document(schema, engine)
        engine.setup_database()

    def write(self, *writes: Write) -> list[Outcome]:
        """Outcomes of these writes, in order."""
        results = self.engine.write(self.schema, list(writes))
        assert [result.id for result in results] == [write.id for write in writes]
        return [result.outcome for result in results]

    def fill(self, *documents: dict[str, Any], version: int = 1) -> None:
        """Write documents of these fields, and make them visible."""
        outcomes = self.write(
            *(_put(self.schema, str(one["id"]), version, one) for one in documents)
        )
        assert set(outcomes) <= {Outcome.WRITTEN}
        self.refresh()

    def refresh(self) -> None:
        """Make every write visible."""
        self.engine.refresh([self.schema])

    def ids(self, *filters: Filter, **query: Any) -> list[str]:
        """Ids of the hits, in order."""
        page = self.engine.search(self.schema, Query(filters=filters, **query))
        return [document._pk for document in page]

    def get(self, *ids: str) -> Sequence[Any]:
        """Documents by id."""
        return self.engine.get(self.schema, ids)


def put(document_id: str, version: int, **fields: Any) -> Write:
    """A write of a document, from values as the primary has them."""
    return _put(SPECIMEN, document_id, version, fields)


def _put(
    schema: ModelSchema, document_id: str, version: int, fields: Mapping[str, Any]
) -> Write:
    return Write(document_id, version, orjson.dumps(_encoded(schema, fields)))


def _encoded(schema: ModelSchema, fields: Any) -> Any:
    if isinstance(fields, list):
        return [_encoded(schema, one) for one in fields]
    if fields is None:
        return None
    source = {}
    for name, value in fields.items():
        if name in schema.relations:
            value = _encoded(schema.relations[name].document, value)
        elif name in schema.fields:
            value = schema.fields[name].encode(value)
        source[name] = value
    return source


def drop(document_id: str, version: int) -> Write:
    """A delete."""
    return Write(document_id, version, None)


def where(field: str, value: Any, operator: Operator = Operator.EQ) -> Filter:
    """A filter."""
    return Filter(field, operator, value)


def raises(error: type[Exception], ask: Any, *arguments: Any) -> Exception:
    """The error that a call raises."""
    try:
        ask(*arguments)
    except error as raised:
        return raised
    raise AssertionError(f"{error.__name__} was not raised")
