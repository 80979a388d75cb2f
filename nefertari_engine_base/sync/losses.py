"""Notice that an index has lost what it held, though nobody here has removed it.

An index may be deleted and made anew, restored from an old snapshot, or emptied by a
query. Nothing of that is a change of the primary. So the state of each index is
remembered in the primary's database, and compared now and then: whenever a process
begins to deliver, by workers while they run, by setup, and by ``nefertari-es status``.
What is noticed becomes a debt; see :mod:`nefertari_engine_base.sync.catch_up`.

An alarm is only given where documents are certainly missing or left over. Another
identity is one, unless there is neither a row nor a document. So is a count of
operations that has become less. A count of documents that has become less is none by
itself, since rows are deleted: where it has fallen by half, rows are looked up that
have no document, and that no entry, debt or dead letter accounts for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync import failures
from nefertari_engine_base.values import DocumentRef
from nefertari_engine_base.values.debts import (
    EMPTIED,
    GONE,
    OLDER,
    REPLACED,
    Debt,
    IndexState,
)

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines


#: How many rows are looked up in an index that holds less than it did.
_SAMPLE = 500


class IndexWatch:
    """Compares the indices of an application with what is remembered of them."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._looked = -math.inf

    def look(self) -> None:
        """As :meth:`check`, unless that was done within ``check_interval``."""
        now = time.monotonic()
        if now - self._looked >= self._engines.settings.check_interval:
            self._looked = now
            self.check()

    def check(self) -> list[Debt]:
        """Ask every index now; the debts that were made.

        Each is told to the failure handler.

        :raises SecondaryUnavailable: if a server did not answer.
        :raises PrimaryError: if a database did not.
        """
        engines = self._engines
        made = []
        for name, secondary in engines.secondaries.items():
            # First what is remembered: an index is never behind what it was before.
            remembered = {
                outbox: outbox.index_states(name) for outbox in engines.outboxes()
            }
            schemas = list(engines.schemas.values())
            states = secondary.index_states(schemas)
            for schema in schemas:
                outbox = engines.primary_of(schema.model).outbox_of(schema)
                state = states.get(schema.name)
                if state is None:
                    continue
                known = remembered[outbox].get((schema.name, state.place))
                if state != known:
                    made += self._compare(outbox, name, schema, known, state)
        for debt in made:
            failures.handler(engines.registry).index_lost(debt)
        return made

    def _compare(
        self,
        outbox: IOutbox,
        secondary: str,
        schema: ModelSchema,
        known: IndexState | None,
        state: IndexState,
    ) -> list[Debt]:
        """Remember the new state of an index; the debt that it makes."""
        reason = None
        if known is not None:
            reason = _visible_loss(known, state)
            if reason in (GONE, REPLACED) and self._is_empty(schema, state):
                reason = None
            if reason is None and 2 * state.documents < known.documents:
                lacking = self._lacks_documents(outbox, secondary, schema)
                if lacking is None:
                    return []  # the old number stays, to be compared again
                reason = EMPTIED if lacking else None
        elif not state.identity:
            return []
        if not outbox.remember_index(secondary, schema.name, known, state, reason):
            return []  # another process has noticed
        return [] if reason is None else [Debt(secondary, schema.name, reason)]

    def _is_empty(self, schema: ModelSchema, state: IndexState) -> bool:
        """Whether there is neither a row nor a document."""
        primary = self._engines.primary_of(schema.model)
        return not state.documents and not primary.list_ids(schema, None, 1)

    def _lacks_documents(
        self, outbox: IOutbox, secondary: str, schema: ModelSchema
    ) -> bool | None:
        """Whether any of the first rows lacks its document; ``None`` as long as that of
        each of them may be on its way.

        What has a document in the primary's eyes before and after, and no entry in
        between, must be in the index in between.
        """
        engines = self._engines
        ids = engines.primary_of(schema.model).list_ids(schema, None, _SAMPLE)
        documented = _documented(outbox, schema, ids)
        if outbox.debts(schema.name, [secondary]):
            return None
        waiting = outbox.waiting_keys(secondary, schema.name, documented)
        expected = [id_ for id_ in documented if id_ not in waiting]
        if documented and not expected:
            return None
        found = engines.secondaries[secondary].get(schema, expected)
        missing = [id_ for id_, one in zip(expected, found, strict=True) if one is None]
        return bool(_documented(outbox, schema, missing))


def _visible_loss(known: IndexState, state: IndexState) -> str | None:
    """What two states of an index alone say."""
    if state.identity == known.identity:
        return OLDER if state.operations < known.operations else None
    if not state.identity:
        return GONE
    if not known.identity and not state.documents:
        # Made anew after it was gone, of which there is a debt already.
        return None
    return REPLACED


def _documented(outbox: IOutbox, schema: ModelSchema, ids: Sequence[str]) -> list[str]:
    """Those of the rows that have a document by now."""
    refs = [DocumentRef(schema.name, id_) for id_ in ids]
    documents = outbox.draw_and_load(refs).documents.get(schema.name, {})
    return [id_ for id_ in ids if id_ in documents]
