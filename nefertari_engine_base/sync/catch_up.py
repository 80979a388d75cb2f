"""Settle debts: bring all documents of a model in line with its rows.

What was changed while sync was suspended is in no outbox, and what an index has lost
is known to nobody. A :class:`~nefertari_engine_base.values.Debt` says of a model that
this is so. It is settled by

1. reading the numbers of the model's debts that are committed,
2. raising a fence: drawing a version, and storing it,
3. writing the document of every row, each batch by draw, load, write,
4. removing documents that have no row: of those whose version is below the fence,
   each batch by draw, load, write,
5. forgetting the debts that were read, and no others.

Why nothing is missed, while the application goes on writing and suspending:

* A debt is written by the transaction that it is about. One that was read in step 1
  belongs to a transaction that was over by then, whose changes every later load sees.
  One that was not read stays, whatever this catch-up has seen of its transaction.
* After step 3, each row that was there throughout has a document with a version above
  the fence: the one written here, or a later one, which holds as much. What is below
  the fence is left over, or belongs to a row that is younger than step 1, or was
  refused. Loading tells.
* A delivery may have loaded a row before a suspended transaction deleted it, and write
  the document after step 4. No outbox knows of that delete. But the delivery drew its
  version before it loaded, so before the fence; and it acknowledges its entries after
  it has written, so after the fence was stored. Then it is not allowed to: its entries
  stay, and the next delivery finds no row, and removes the document. Whoever writes
  without entries asks for the fence after each batch, and repeats it.

A delivery that dies has acknowledged nothing, and its entries are delivered again. The
argument leaves one gap: a write that no entry names any more, since its process has
died while it was under way, and that reaches the index only after step 4 of a later
catch-up. It may be one of a catch-up, or on PostgreSQL one for an entry with a path.
``tests/model`` explores all this, the gap excepted.

A catch-up that is broken off, or run twice at the same time, does no harm: debts are
forgotten only at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from nefertari_engine_base.exceptions import InvalidDocumentId, SecondaryUnavailable
from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import (
    DeliveryReport,
    DocumentRef,
    Outcome,
    Touch,
    Write,
)

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


@dataclass(slots=True)
class CaughtUp:
    """What a catch-up with one model did.

    :attr report: of the documents that were written.
    :attr removed: documents that had no row.
    :attr debts: how many were settled.
    """

    report: DeliveryReport = field(default_factory=DeliveryReport)
    removed: int = 0
    debts: int = 0


def catch_up(
    engines: Engines,
    schema: ModelSchema,
    on_batch: Callable[[DeliveryReport], None] | None = None,
    *,
    only_different: bool = False,
) -> CaughtUp:
    """Write the documents of all rows of a model, remove all others, settle its debts.

    Documents that the index refuses get entries in the outbox, where they are tried
    again and become dead letters: what was refused is known, and no longer owed.

    :param on_batch: is called with the report of each batch of rows.
    :param only_different: compare contents, and write what differs. A delivery that has
        loaded a row before, and writes it afterwards, is stopped by the fence as above.
    :raises SecondaryUnavailable: if the server could not be reached, or put off
        documents; the debts stay, and a repeat is harmless.
    """
    outbox = engines.primary_of(schema.model).outbox_of(schema)
    done = CaughtUp()

    def after_batch(report: DeliveryReport) -> None:
        _record_refused(engines, outbox, report)
        if on_batch:
            on_batch(report)

    # A database may have been restored in its place: documents above its versions would
    # not be found.
    engines.versions.move_ahead(outbox)
    numbers = outbox.debts(schema.name, engines.secondaries)
    fences = {
        name: engines.versions.drawn(outbox, partial(outbox.fence, name, schema.name))
        for name in engines.secondaries
    }
    done.report = index_all(engines, schema, after_batch, only_different=only_different)
    for name, fence in fences.items():
        done.removed += _remove_left_over(engines, outbox, schema, name, fence)
    outbox.settle(numbers)
    done.debts = len(numbers)
    return done


def indebted(engines: Engines) -> dict[str, list[str]]:
    """Why the documents of each model have to be caught up with, by model.

    Models and secondary engines that the application does not have are left out: their
    debts wait for an application that has them.
    """
    reasons: dict[str, list[str]] = {}
    for outbox in engines.outboxes():
        for debt in outbox.debt_status():
            if debt.model in engines.schemas and debt.secondary in engines.secondaries:
                reasons.setdefault(debt.model, []).append(debt.reason)
    return reasons


def _record_refused(engines: Engines, outbox: IOutbox, report: DeliveryReport) -> None:
    outbox.add(
        Touch(secondary, ref.model, ref.id)
        for secondary in engines.secondaries
        for ref in dict.fromkeys(ref for ref, _ in report.errors)
    )


def _remove_left_over(
    engines: Engines, outbox: IOutbox, schema: ModelSchema, name: str, fence: int
) -> int:
    """Remove the documents below the fence that have no row; how many there were."""
    secondary, removed = engines.secondaries[name], 0
    for ids in secondary.ids_below(schema, fence):
        writes = list(_removals(engines, outbox, schema, ids))
        results = secondary.write(schema, writes)
        engines.deletions.note(outbox, name, schema.name, writes, results)
        for result in results:
            if result.outcome not in (Outcome.WRITTEN, Outcome.SUPERSEDED):
                raise SecondaryUnavailable(
                    f"{schema.name} {result.id} has no row, and its document could not "
                    f"be removed: {result.reason}"
                )
            removed += result.outcome is Outcome.WRITTEN
    if removed:
        secondary.refresh([schema])
    return removed


def _removals(
    engines: Engines, outbox: IOutbox, schema: ModelSchema, ids: Sequence[str]
) -> Iterator[Write]:
    refs = [DocumentRef(schema.name, id_) for id_ in ids if _can_be_id(schema, id_)]
    load = partial(outbox.draw_and_load, refs)
    snapshot = engines.versions.drawn(outbox, load)
    there = {ref.id for ref in snapshot.errors}
    there.update(snapshot.documents.get(schema.name, ()))
    for id_ in ids:
        if id_ not in there:
            yield Write(id_, snapshot.version, None)


def _can_be_id(schema: ModelSchema, document_id: str) -> bool:
    try:
        schema.parse_id(document_id)
    except InvalidDocumentId:
        return False
    return True
