"""Index every document of a model, by the same road as every delivery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nefertari_engine_base.encoding import content_hash
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.interfaces import IOutbox, ISecondaryEngine
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync import lateness
from nefertari_engine_base.sync.delivery import MOST_ROUNDS
from nefertari_engine_base.sync.versions import highest_stored
from nefertari_engine_base.values import (
    DeliveryReport,
    DocumentRef,
    Outcome,
    Snapshot,
    Write,
    WriteResult,
)
from nefertari_engine_base.values.inspection import INDEX

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


def index_all(
    engines: Engines,
    schema: ModelSchema,
    on_batch: Callable[[DeliveryReport], None] | None = None,
    *,
    only_different: bool = False,
) -> DeliveryReport:
    """Write the documents of all rows of a model to each secondary.

    Rows are read in the order of their key, a batch at a time, each batch with a
    version of its own, so that changes made meanwhile are neither lost nor undone.

    All of them are visible to searches in the end.

    :param on_batch: is called with the report of each batch.
    :param only_different: leave documents alone whose content hash is that of the row.
    :raises SecondaryUnavailable: if the server could not be reached; what was written
        so far stays, and a repeat is harmless.
    """
    primary = engines.primary_of(schema.model)
    outbox = primary.outbox_of(schema)
    total, after = DeliveryReport(), None
    while ids := primary.list_ids(schema, after, engines.settings.batch_size):
        after = ids[-1]
        version, report = _write_batch(engines, outbox, schema, ids, only_different)
        while outbox.is_fenced(version):
            # A catch-up has begun meanwhile, and may not have seen these documents.
            version, report = _write_batch(engines, outbox, schema, ids, only_different)
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


def _write_batch(
    engines: Engines,
    outbox: IOutbox,
    schema: ModelSchema,
    ids: Sequence[str],
    only_different: bool,
) -> tuple[int, DeliveryReport]:
    """Draw, load and write documents; the version, and what became of them."""
    refs = [DocumentRef(schema.name, id_) for id_ in ids]
    load = partial(outbox.draw_and_load, refs)
    report, first, there, rounds = DeliveryReport(), 0, 0, 0
    results: list[WriteResult] = []
    while rounds < MOST_ROUNDS:
        until = lateness.latest(engines)
        snapshot = engines.versions.drawn(outbox, load, there)
        first = first or snapshot.version
        writes = _writes(schema, snapshot, refs)
        results = []
        for name, secondary in engines.secondaries.items():
            chosen = _different(secondary, schema, writes) if only_different else writes
            own = secondary.write(schema, chosen, until=until)
            lateness.repeat_late(outbox, name, schema.name, own)
            results += own
        report.errors.extend(snapshot.errors.items())
        for result in results:
            report.count(result.outcome)
            if result.outcome is Outcome.REFUSED:
                ref = DocumentRef(schema.name, result.id)
                report.errors.append((ref, result.reason or ""))
        expired = {one.id for one in results if one.outcome is Outcome.EXPIRED}
        again = {one.id for one in results if one.outcome is Outcome.SUPERSEDED}
        again |= expired
        if not again:
            return first, report
        # What was too old has to be written, as long as the others are.
        rounds += not 0 < len(expired) < len(results)
        there = highest_stored(results)
        refs = [ref for ref in refs if ref.id in again]
        load = partial(outbox.draw_and_load, refs)
    lateness.check_progress([(None, results)])
    return first, report


def _writes(
    schema: ModelSchema, snapshot: Snapshot, refs: Sequence[DocumentRef]
) -> list[Write]:
    """The documents of rows, and deletes of those that a row has no more: it is gone
    meanwhile, or does not meet the model's condition."""
    documents = snapshot.documents.get(schema.name, {})
    return [
        Write(ref.id, snapshot.version, documents.get(ref.id), INDEX)
        for ref in refs
        if ref not in snapshot.errors
    ]


def _different(
    secondary: ISecondaryEngine, schema: ModelSchema, writes: Sequence[Write]
) -> list[Write]:
    """The writes that would change a document."""
    stored = secondary.stored(schema, [write.id for write in writes])
    return [
        write
        for write, there in zip(writes, stored, strict=True)
        if (None if there is None else there.hash)
        != (None if write.source is None else content_hash(write.source))
    ]
