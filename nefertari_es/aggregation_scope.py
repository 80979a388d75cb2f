"""Aggregations that tell of no document but those that a query finds.

Most do. But some count what the query leaves out (``global``, ``significant_terms``,
``terms`` with ``min_doc_count=0``), some return whole documents (``top_hits``), and
some leave the documents for those that are nested in them. Where a query keeps
documents from whoever asks, it may have the aggregations and options below, and no
other: what the server will learn to do one day is refused as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nefertari_engine_base.exceptions import InvalidParameter

_METRICS = frozenset(
    {
        *("avg", "cardinality", "extended_stats", "max", "median_absolute_deviation"),
        *("min", "percentile_ranks", "percentiles", "stats", "sum", "value_count"),
    }
)
_BUCKETS = frozenset(
    {
        *("date_histogram", "date_range", "histogram", "ip_range", "missing"),
        *("range", "terms"),
    }
)
_OF_RESULTS = frozenset(
    {
        *("avg_bucket", "bucket_sort", "cumulative_sum", "derivative"),
        *("extended_stats_bucket", "max_bucket", "min_bucket", "percentiles_bucket"),
        *("stats_bucket", "sum_bucket"),
    }
)
_KNOWN = _METRICS | _BUCKETS | _OF_RESULTS
_WITHIN = frozenset({"aggs", "aggregations"})
_REFUSED_OPTIONS = frozenset({"script", "scripts"})


def check_scope(aggregations: Mapping[str, Any]) -> None:
    """Refuse aggregations that look beyond what a query finds.

    :raises InvalidParameter: naming what is refused.
    """
    for body in aggregations.values():
        if not isinstance(body, Mapping):
            raise InvalidParameter("_aggs", f"{body!r} is no aggregation.")
        for name, options in body.items():
            if name in _WITHIN and isinstance(options, Mapping):
                check_scope(options)
            elif name in _KNOWN:
                _check_options(name, options)
            elif name != "meta":
                raise InvalidParameter(
                    "_aggs",
                    f"{name} may tell of documents that are kept from you. There are "
                    f"{', '.join(sorted(_METRICS | _BUCKETS))}.",
                )


def _check_options(name: str, options: Any) -> None:
    if not isinstance(options, Mapping):
        raise InvalidParameter("_aggs", f"{options!r} are no options of {name}.")
    if refused := _REFUSED_OPTIONS & _keys(options):
        raise InvalidParameter("_aggs", f"{min(refused)} is not run here.")
    least = str(options.get("min_doc_count", 1))
    if name == "terms" and not re.fullmatch("[1-9][0-9]*", least):
        raise InvalidParameter(
            "_aggs", "min_doc_count has to be at least 1: other values may be hidden."
        )


def _keys(value: Any) -> set[str]:
    """Every key in some JSON, however deep."""
    if isinstance(value, Mapping):
        return {*value, *(key for one in value.values() for key in _keys(one))}
    if isinstance(value, list | tuple):
        return {key for one in value for key in _keys(one)}
    return set()
