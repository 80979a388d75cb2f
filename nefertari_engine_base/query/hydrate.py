"""From hits to the primary's instances: one search of ids, one query by key.

The order of the hits is kept. A hit whose row is gone is dropped, its document is
queued for repair, and the page is refilled with the hits that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Hit, Page, Query, Touch

#: How often a page is refilled; after that it stays short. Only an index that is far
#: behind has so many vanished rows, and repairs are on their way.
MOST_REFILLS = 3


def hydrated_page(engines: Engines, schema: ModelSchema, query: Query) -> Page[Any]:
    """Search the secondary, and return the primary's instances.

    :raises SecondaryUnavailable: if the secondary did not answer.
    """
    secondary = engines.secondary
    assert secondary is not None
    query = replace(query, ids_only=True)
    page: Page[Hit] = secondary.search(schema, query)
    instances, vanished = _load(engines, schema, page)
    gone, start = list(vanished), query.start + len(page)
    for _ in range(MOST_REFILLS):
        if not vanished or start >= page.total:
            break
        more = secondary.search(
            schema, replace(query, start=start, limit=len(vanished), aggregations=None)
        )
        found, vanished = _load(engines, schema, more)
        instances += found
        gone += vanished
        start += len(more)
    if gone:
        _queue_repair(engines, schema, gone)
    return replace(page, items=instances, total=page.total - len(gone))


def _load(
    engines: Engines, schema: ModelSchema, page: Page[Hit]
) -> tuple[list[Any], list[str]]:
    ids = [hit.id for hit in page.items]
    primary = engines.primary_of(schema.model)
    found = primary.get_by_ids(schema, ids, documents_only=True) if ids else {}
    return (
        [found[id_] for id_ in ids if id_ in found],
        [id_ for id_ in ids if id_ not in found],
    )


def _queue_repair(engines: Engines, schema: ModelSchema, ids: Sequence[str]) -> None:
    outbox = engines.primary_of(schema.model).outbox_of(schema)
    outbox.add(
        Touch(secondary, schema.name, id_)
        for secondary in engines.secondaries
        for id_ in ids
    )
