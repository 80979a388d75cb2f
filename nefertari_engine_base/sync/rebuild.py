"""Index every document of a model, by the same road as every delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.inspection import INDEX
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import (
    DeliveryReport,
    DocumentRef,
    Outcome,
    Write,
)

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


def index_all(
    engines: Engines,
    schema: ModelSchema,
    on_batch: Callable[[DeliveryReport], None] | None = None,
) -> DeliveryReport:
    """Write the documents of all rows of a model to each secondary.

    Rows are read in the order of their key, a batch at a time, each batch with a
    version of its own, so that changes made meanwhile are neither lost nor undone.

    All of them are visible to searches in the end.

    :param on_batch: is called with the report of each batch.
    :raises SecondaryUnavailable: if the server could not be reached; what was written
        so far stays, and a repeat is harmless.
    """
    primary = engines.primary_of(schema.model)
    outbox = primary.outbox_of(schema)
    total, after = DeliveryReport(), None
    while ids := primary.list_ids(schema, after, engines.settings.batch_size):
        after = ids[-1]
        refs = [DocumentRef(schema.name, id_) for id_ in ids]
        load = partial(outbox.draw_and_load, refs)
        snapshot = engines.versions.drawn(outbox, load)
        documents = snapshot.documents.get(schema.name, {})
        report = DeliveryReport()
        report.errors.extend(snapshot.errors.items())
        for secondary in engines.secondaries.values():
            results = secondary.write(
                schema,
                _writes(schema, snapshot.version, ids, documents),
            )
            for result in results:
                report.count(result.outcome)
                if result.outcome is Outcome.REFUSED:
                    ref = DocumentRef(schema.name, result.id)
                    report.errors.append((ref, result.reason or ""))
        total.add(report)
        if on_batch:
            on_batch(report)
        if report.deferred:
            raise SecondaryUnavailable(
                f"The secondary put off {report.deferred} documents of {schema.name}."
            )
    for secondary in engines.secondaries.values():
        secondary.refresh([schema])
    return total


def _writes(
    schema: ModelSchema,
    version: int,
    ids: Sequence[str],
    documents: Mapping[str, bytes],
) -> list[Write]:
    if schema.condition is not None:
        # A row without a document may have had one, before the condition was made.
        return [Write(id_, version, documents.get(id_), INDEX) for id_ in ids]
    # A row that is gone meanwhile is left to its own delete.
    return [Write(id_, version, text, INDEX) for id_, text in documents.items()]
