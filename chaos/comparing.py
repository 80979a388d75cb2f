"""The index against the rows: document by document, field by field.

Neither side is read as delivery or searches read: what there should be is told by the
primary's own way of reading, documents are taken from the search server as they are
stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from elasticsearch.helpers import scan

from chaos.application import Application

Documents = Mapping[str, Mapping[str, Any]]


@dataclass
class Difference:
    """Where an index and its rows differ, as the ids of documents.

    :attr rows: how many rows were compared.
    :attr lost: rows without a document.
    :attr ghosts: documents without a row.
    :attr stale: documents that are not what their rows are; for each its fields, with
        what the row says and what the document says.
    """

    rows: int = 0
    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    stale: dict[str, dict[str, tuple[Any, Any]]] = field(default_factory=dict)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Numbers of the lost, the ghosts and the stale."""
        return len(self.lost), len(self.ghosts), len(self.stale)

    def __bool__(self) -> bool:
        return any(self.counts)

    def add(self, other: Self) -> None:
        """Take over what another comparison has found."""
        self.rows += other.rows
        self.lost += other.lost
        self.ghosts += other.ghosts
        self.stale |= other.stale


def difference(rows: Documents, documents: Documents) -> Difference:
    """Compare documents as they should be with those that are there, by id."""
    return Difference(
        rows=len(rows),
        lost=sorted(rows.keys() - documents.keys()),
        ghosts=sorted(documents.keys() - rows.keys()),
        stale={
            id_: fields
            for id_ in rows.keys() & documents.keys()
            if (fields := _differing_fields(rows[id_], documents[id_]))
        },
    )


def _differing_fields(
    row: Mapping[str, Any], document: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    missing = object()
    return {
        name: (row.get(name), document.get(name))
        for name in row.keys() | document.keys()
        if row.get(name, missing) != document.get(name, missing)
    }


def compare_all(app: Application, model: type[Any]) -> Difference:
    """Compare all rows of a model with its whole index."""
    return difference(app.kind.rows(app, model, None), _all_documents(app, model))


def compare_some(
    app: Application, model: type[Any], numbers: Sequence[int]
) -> Difference:
    """Compare only these integer keys of a model; sees writes without a refresh."""
    answer = app.secondary.client.mget(
        index=_alias(app, model), ids=[str(number) for number in numbers]
    )
    found = {doc["_id"]: doc["_source"] for doc in answer["docs"] if doc["found"]}
    return difference(app.kind.rows(app, model, numbers), _contents(found))


def _all_documents(app: Application, model: type[Any]) -> Documents:
    client, alias = app.secondary.client, _alias(app, model)
    client.indices.refresh(index=alias)
    hits: Iterable[Mapping[str, Any]] = scan(client, index=alias)
    return _contents({hit["_id"]: hit["_source"] for hit in hits})


def _alias(app: Application, model: type[Any]) -> str:
    alias: str = app.secondary.model_of(app.engines.schema_of(model)).alias
    return alias


def _contents(sources: Documents) -> Documents:
    """Documents without what delivery notes in them."""
    return {
        id_: {name: value for name, value in source.items() if name != "_sync"}
        for id_, source in sources.items()
    }
