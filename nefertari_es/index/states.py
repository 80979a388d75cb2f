"""What tells whether an index is still the one that it was a while ago.

An index that was made anew has another UUID. One that was restored from a snapshot in
place keeps it, and its shards get another history. A shard numbers its operations: one
that has lost some, and not by a restore, is behind the number that it had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from nefertari_engine_base.values import IndexState
from nefertari_es.client import translated_errors

_HEADERS = {"accept": "application/json"}

#: Names of one request line, which may have 4096 bytes in all.
_ALIASES_AT_ONCE = 30

_INDICES = (
    "filter_path=*.aliases,*.settings.index.uuid,*.settings.index.number_of_shards"
)
_SHARDS = (
    "level=shards&filter_path=indices.*.primaries.docs.count,"
    "indices.*.shards.*.routing.primary,indices.*.shards.*.seq_no.max_seq_no,"
    "indices.*.shards.*.commit.user_data.history_uuid"
)


def index_states(
    client: Elasticsearch, aliases: Mapping[str, str]
) -> dict[str, IndexState]:
    """The states of the indices that these aliases lead to, by the aliases' keys.

    Those with a shard that does not answer now, closed ones too, are left out.

    :raises SecondaryUnavailable: if the server did not answer.
    """
    states: dict[str, IndexState] = {}
    models = list(aliases)
    with translated_errors():
        for start in range(0, len(models), _ALIASES_AT_ONCE):
            some = models[start : start + _ALIASES_AT_ONCE]
            states.update(_states(client, {model: aliases[model] for model in some}))
    return states


def _states(
    client: Elasticsearch, aliases: Mapping[str, str]
) -> Iterator[tuple[str, IndexState]]:
    names = ",".join(aliases.values())
    # The number of documents is that of the last refresh.
    _ask(client, "POST", f"/{names}/_refresh?ignore_unavailable=true")
    indices = _ask(client, "GET", f"/{names}?ignore_unavailable=true&{_INDICES}")
    stats = _ask(
        client, "GET", f"/{names}/_stats/docs?ignore_unavailable=true&{_SHARDS}"
    ).get("indices", {})
    for model, alias in aliases.items():
        behind = [name for name in indices if alias in indices[name]["aliases"]]
        if not behind:
            yield model, IndexState(alias, "")
            continue
        # As index.creation finds it.
        name = max(behind)
        settings = indices[name]["settings"]["index"]
        shards = _primary_shards(stats.get(name, {}))
        if len(shards) == int(settings["number_of_shards"]):
            documents = int(stats[name]["primaries"]["docs"]["count"])
            yield model, _state(alias, settings["uuid"], shards, documents)


def _primary_shards(stats: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The copies that take the writes, of the shards that are there and can tell."""
    return [
        copy
        for _, copies in sorted(stats.get("shards", {}).items())
        for copy in copies
        if copy["routing"]["primary"] and "seq_no" in copy and "commit" in copy
    ]


def _state(
    alias: str, uuid: str, shards: Sequence[Mapping[str, Any]], documents: int
) -> IndexState:
    histories = [shard["commit"]["user_data"]["history_uuid"] for shard in shards]
    identity = hashlib.blake2b("/".join([uuid, *histories]).encode(), digest_size=16)
    operations = sum(int(shard["seq_no"]["max_seq_no"]) + 1 for shard in shards)
    return IndexState(alias, identity.hexdigest(), operations, documents)


def _ask(client: Elasticsearch, method: str, path: str) -> Any:
    return client.perform_request(method, path, headers=_HEADERS).body
