"""What no primary answers, whatever its store."""

from __future__ import annotations

from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Query


def check_answerable(schema: ModelSchema, query: Query) -> None:
    """Refuse queries that need a secondary.

    :raises QueryError: for full-text search and aggregations, and for filters and
        sorting by what the primary does not store.
    """
    computed = schema.computed_among(query.compared_fields)
    if query.needs_secondary:
        what = "Full-text search (q)" if query.text is not None else "Aggregations"
    elif computed is not None:
        what = f"Filters and sorting by {computed}, which is computed,"
    else:
        return
    raise QueryError(
        f"{what} can only be answered by the secondary engine; this query was "
        f"sent to the primary. Leave out _query_secondary=false."
    )
