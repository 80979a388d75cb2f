"""The only road into a secondary: claim, draw a version, load, write, acknowledge.

Why the order is right, for any number of deliveries at once, in any order, repeated,
or broken off anywhere:

* for a committed change, some delivery claims its entry after the commit, then draws
  a version v, then loads in a newer snapshot, so its write holds the change;
* a write with a version above v drew it later, so loaded later, so holds it too;
* hence the document that ends with the highest version holds every change.

A version conflict means that something newer is there, if this primary has drawn the
version that is there. Nobody can tell (:mod:`.versions`); so the document is written
once more, with a version that is drawn after the other one was seen.

Drawing before claiming, or loading before drawing, breaks it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from nefertari_engine_base.events import DeliveryEnded
from nefertari_engine_base.exceptions import EngineError, SecondaryUnavailable
from nefertari_engine_base.interfaces import IClaim, IOutbox
from nefertari_engine_base.refusals import blames_document
from nefertari_engine_base.sync import failures, lateness
from nefertari_engine_base.sync.batches import Batch
from nefertari_engine_base.sync.versions import highest_stored
from nefertari_engine_base.values import (
    DeliveryReport,
    DocumentRef,
    OutboxEntry,
    Outcome,
    Snapshot,
    Write,
    WriteResult,
)

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: The longest time until a refused document is tried again, in seconds.
LONGEST_RETRY_DELAY = 3600.0

#: How often documents are written that are superseded each time: others write them all
#: the while. Their entries stay for the next delivery.
MOST_ROUNDS = 4

#: What is written once more, with another version.
_AGAIN = frozenset({Outcome.SUPERSEDED, Outcome.EXPIRED})
#: What is written; the late ones have entries of their own by then.
_LANDED = frozenset({Outcome.WRITTEN, Outcome.LATE})

#: So many claims are given up for versions to be moved ahead, each for a session of the
#: server that was not known before.
_CLAIMS_MOVED_AHEAD_FOR = 10


def deliver(
    engines: Engines, outbox: IOutbox, limit: int, ids: Sequence[int] | None = None
) -> DeliveryReport:
    """Deliver entries of one outbox, once.

    :param limit: how many entries to claim, and how many documents to look up for
        an entry with a path. Once as many were looked up, further entries with a path
        are left to the next delivery.
    :param ids: only these entries, each of them.
    :raises SecondaryUnavailable: if the server could not be reached; the entries
        wait for the next delivery.
    """
    most = limit if ids is None else math.inf
    without = engines.forms.without(outbox) if ids is None else ()
    claims = partial(outbox.claim, limit, ids, without)
    with _announced(engines) as report, _claimed(engines, outbox, claims) as claim:
        _deliver_claimed(engines, outbox, claim, limit, most, report)
    return report


@contextmanager
def _claimed(
    engines: Engines,
    outbox: IOutbox,
    claims: Callable[[], AbstractContextManager[IClaim]],
) -> Iterator[IClaim]:
    """A claim, with versions that are known to be above those of the index.

    They are moved ahead while nothing is claimed: who holds a transaction behind a
    pooler, and waits for another, may wait for all who do the same.
    """
    versions = engines.versions
    for _ in range(_CLAIMS_MOVED_AHEAD_FOR):
        with claims() as claim:
            if not claim.entries or versions.is_checked(outbox):
                yield claim
                return
        versions.check(outbox)
    with claims() as claim:
        yield claim


@contextmanager
def _announced(engines: Engines) -> Iterator[DeliveryReport]:
    """A report to fill, which is announced by an event in the end."""
    report, begun = DeliveryReport(), time.perf_counter()
    try:
        yield report
    except Exception as error:
        _announce(engines, DeliveryEnded(report, time.perf_counter() - begun, error))
        raise
    if report.documents or report.entries or report.expanded or report.errors:
        _announce(engines, DeliveryEnded(report, time.perf_counter() - begun))


def _announce(engines: Engines, event: DeliveryEnded) -> None:
    try:
        engines.registry.notify(event)
    except Exception as error:  # noqa: BLE001 - the delivery has happened
        failures.handler(engines.registry).subscriber_failed(error, event)


def _deliver_claimed(
    engines: Engines, outbox: IOutbox, claim: IClaim, limit: int, most: float,
    report: DeliveryReport,
) -> None:  # fmt: skip
    for secondary, batch in _resolve(engines, claim, limit, most, report).items():
        _deliver_batch(engines, outbox, claim, secondary, batch, report)
    if report.written:
        engines.pause.end()


def deliver_inline(
    engines: Engines,
    outbox: IOutbox,
    entries: Sequence[OutboxEntry],
    numbers: Sequence[int] = (),
) -> None:
    """Deliver the entries of the transaction that was just committed.

    Never raises: the commit has happened, and the entries are safe in the outbox.

    :param numbers: of entries that are known by nothing else.
    """
    if engines.pause.active:
        return
    settings = engines.settings
    size = settings.batch_size
    chosen = entries[: settings.inline_limit]
    named = [entry for entry in chosen if not entry.touch.path]
    ids = [entry.id for entry in chosen if entry.touch.path]
    ids += numbers[: max(0, settings.inline_limit - len(chosen))]
    try:
        for start in range(0, len(named), size):
            own = named[start : start + size]
            claims = partial(outbox.claim_own, own)
            with (
                _announced(engines) as report,
                _claimed(engines, outbox, claims) as claim,
            ):
                _deliver_claimed(engines, outbox, claim, size, size, report)
            _all_taken(report)
        for start in range(0, len(ids), size):
            _all_taken(deliver(engines, outbox, size, ids[start : start + size]))
        engines.deletions.look()
    except Exception as error:  # noqa: BLE001 - the entries stay; see docstring
        if isinstance(error, SecondaryUnavailable):
            engines.pause.begin(settings.pause_after_failure)
        failures.handler(engines.registry).delivery_failed(
            error, len(entries) + len(numbers)
        )


def _all_taken(report: DeliveryReport) -> None:
    if report.deferred:
        raise SecondaryUnavailable(f"{report.deferred} writes were put off.")


def _resolve(
    engines: Engines,
    claim: IClaim,
    limit: int,
    most: float,
    report: DeliveryReport,
) -> Mapping[str, Batch]:
    """The claimed entries by secondary and document, those with a path expanded.

    :param limit: how many documents to find for one entry.
    :param most: after how many documents no further entry is expanded.
    """
    batches: dict[str, Batch] = {}
    for entry in claim.entries:
        touch = entry.touch
        if touch.secondary not in engines.secondaries:
            _refuse(engines, claim, [entry], f"No engine {touch.secondary!r}.", report)
            continue
        if touch.model not in engines.schemas:
            _refuse(engines, claim, [entry], f"No model {touch.model!r}.", report)
            continue
        entries: Sequence[OutboxEntry] = (entry,)
        if touch.path:
            if report.expanded >= most:
                continue
            try:
                entries = claim.expand(entry, limit)
            except Exception as error:
                if not blames_document(error):
                    raise
                # Written by another version of the application, or by hand.
                said = str(error) if isinstance(error, EngineError) else repr(error)
                reason = f"No documents can be found by {touch.path!r}: {said}"
                _refuse(engines, claim, [entry], reason, report)
                continue
            report.expanded += len(entries)
            report.entries += not entries
        batch = batches.setdefault(touch.secondary, Batch())
        for named in entries:
            batch.add(named, touch.path)
    return batches


def _deliver_batch(
    engines: Engines, outbox: IOutbox, claim: IClaim, secondary: str, batch: Batch,
    report: DeliveryReport,
) -> None:  # fmt: skip
    """Draw, load and write, once more for what was superseded; then acknowledge."""
    applied: list[OutboxEntry] = []
    left: list[DocumentRef] = list(batch)
    there, written = 0, _Written()
    for _ in range(MOST_ROUNDS):
        until = lateness.latest(engines)
        load = partial(claim.draw_and_load, left)
        snapshot = engines.versions.drawn(outbox, load, there)
        # Whoever has recorded it before the draw has the entries delivered anew.
        for model in engines.forms.foreign(outbox, claim.recorded_forms()):
            batch.leave(model)
        left = [ref for ref in left if ref in batch]
        written = _write(engines, outbox, secondary, batch, left, snapshot, until)
        left = _settle(engines, claim, batch, snapshot, written, applied, report)
        if not left:
            break
        there = highest_stored(one for _, results in written for one in results)
    if left and not applied:
        lateness.check_progress(written)
    claim.acknowledge(applied)
    report.entries += len(applied)


_Written = list[tuple[Sequence[DocumentRef], Sequence[WriteResult]]]


def _write(
    engines: Engines, outbox: IOutbox, secondary: str, batch: Batch,
    left: Sequence[DocumentRef], snapshot: Snapshot, until: float,
) -> _Written:  # fmt: skip
    """Write documents; the results for each model's, in the order of these.

    :param until: see :meth:`ISecondaryEngine.write`.
    """
    found: _Written = []
    for model, refs in _by_model(left, snapshot).items():
        respelled = _respelled(snapshot, model, refs)
        writes = _writes(snapshot, batch, [*refs, *respelled])
        results = engines.secondaries[secondary].write(
            engines.schemas[model], writes, until=until
        )
        lateness.repeat_late(outbox, secondary, model, results)
        engines.deletions.note(outbox, secondary, model, writes, results)
        found.append((refs, results))
    return found


def _settle(
    engines: Engines,
    claim: IClaim,
    batch: Batch,
    snapshot: Snapshot,
    written: _Written,
    applied: list[OutboxEntry],
    report: DeliveryReport,
) -> list[DocumentRef]:
    """Count what became of documents; those that have to be written once more.

    :param applied: gets the entries of what has arrived.
    """
    again: list[DocumentRef] = []
    for ref in batch.keys() & snapshot.errors.keys():
        _refuse(engines, claim, batch[ref], snapshot.errors[ref], report)
    for refs, results in written:
        # First the documents under the ids that their rows have, then their entries.
        others = {result.outcome for result in results[len(refs) :]}
        landed = others <= _LANDED
        for ref, result in zip(refs, results, strict=False):
            # Neither is looked up in a set: that takes longer than all the rest.
            outcome = result.outcome
            if outcome is Outcome.REFUSED:
                _refuse(engines, claim, batch[ref], result.reason or "", report)
            elif outcome is Outcome.SUPERSEDED or outcome is Outcome.EXPIRED:
                again.append(ref)
            elif outcome is Outcome.WRITTEN or outcome is Outcome.LATE:
                if landed or _exists(snapshot, ref):
                    applied.extend(batch[ref])
                elif others & _AGAIN:
                    again.append(ref)
        for result in results:
            report.count(result.outcome)
    return again


def put_aside(engines: Engines, outbox: IOutbox, error: Exception) -> None:
    """Count a failure against the entry that is due first: it was the only one of
    deliveries that have failed again and again, while the outbox itself answers.

    :raises PrimaryError: if the outbox does not answer.
    """
    with _announced(engines) as report, outbox.claim(1) as claim:
        for entry in claim.entries:
            reason = f"It cannot be delivered alone either: {error}"
            _refuse(engines, claim, [entry], reason, report)


def _by_model(
    left: Sequence[DocumentRef], snapshot: Snapshot
) -> dict[str, list[DocumentRef]]:
    models: dict[str, list[DocumentRef]] = {}
    for ref in left:
        if ref not in snapshot.errors:
            models.setdefault(ref.model, []).append(ref)
    return models


def _respelled(
    snapshot: Snapshot, model: str, refs: Sequence[DocumentRef]
) -> list[DocumentRef]:
    """Documents that were loaded under another id than the one that was asked for.

    A key may be spelled otherwise by its row than by the instance that was saved: a
    decimal 1.1 in a column of two places is 1.10. Its document has the row's id.
    """
    documents = snapshot.documents.get(model, {})
    if len(documents) <= len(refs) and all(ref.id in documents for ref in refs):
        return []
    asked = {ref.id for ref in refs}
    return [DocumentRef(model, id_) for id_ in documents if id_ not in asked]


def _exists(snapshot: Snapshot, ref: DocumentRef) -> bool:
    return ref.id in snapshot.documents.get(ref.model, {})


def _writes(
    snapshot: Snapshot, batch: Batch, refs: Sequence[DocumentRef]
) -> list[Write]:
    return [
        Write(
            ref.id,
            snapshot.version,
            snapshot.documents.get(ref.model, {}).get(ref.id),
            batch.why(ref),
        )
        for ref in refs
    ]


def _refuse(
    engines: Engines,
    claim: IClaim,
    entries: Sequence[OutboxEntry],
    reason: str,
    report: DeliveryReport,
) -> None:
    """Count a refusal against the entries of one document."""
    settings = engines.settings
    ref = DocumentRef(entries[0].touch.model, entries[0].touch.key)
    report.errors.append((ref, reason))
    final = any(entry.attempts + 1 >= settings.max_attempts for entry in entries)
    for entry in entries:
        delay = settings.retry_delay * 2**entry.attempts * random.uniform(0.5, 1.5)
        claim.refuse(entry, reason, None if final else min(delay, LONGEST_RETRY_DELAY))
    failures.handler(engines.registry).document_refused(ref, reason, final)
