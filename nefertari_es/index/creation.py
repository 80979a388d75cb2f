"""Create the index of a model, or bring one that is there up to date in place."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError, dsl

from nefertari_engine_base.exceptions import ConfigurationError, SecondaryError
from nefertari_es.client import root_cause, translated_errors, with_advice
from nefertari_es.index.mapping import (
    FINGERPRINT,
    analysis_of,
    compare,
    mapping_body,
)
from nefertari_es.index.names import physical_name
from nefertari_es.settings import ElasticsearchSettings

log = logging.getLogger(__name__)

_JSON = {"accept": "application/json", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class ExistingIndex:
    """An index that an alias leads to.

    :attr mappings: its mapping as the server has it.
    :attr settings: its settings as the server has them.
    """

    name: str
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def fingerprint(self) -> str | None:
        """What the mapping was made from; ``None`` if it was not made here."""
        value = self.mappings.get("_meta", {}).get(FINGERPRINT)
        return None if value is None else str(value)


def ensure_index(
    client: Elasticsearch,
    alias: str,
    document: type[dsl.Document],
    settings: ElasticsearchSettings,
) -> None:
    """Make the alias lead to an index that can hold these documents.

    Safe to call again, and by several processes at once.

    :raises ConfigurationError: if an index of the alias's own name is in the way, or
        the index has a mapping that cannot become the wanted one in place.
    """
    with translated_errors():
        existing = find_index(client, alias)
        if existing is None and not _create(client, alias, document, settings):
            existing = find_index(client, alias)
            if existing is None:
                raise SecondaryError(
                    f"The index {physical_name(alias, 1)!r} exists, but no alias "
                    f"{alias!r} leads to it. Add the alias, or delete the index."
                )
    if existing is not None:
        # First the room for new fields.
        _raise_limits(client, existing, settings)
        _update(client, existing, document)


def find_index(client: Elasticsearch, alias: str) -> ExistingIndex | None:
    """The index that the alias leads to, or ``None``.

    :raises ConfigurationError: if the alias's name is that of an index.
    """
    try:
        indices = client.indices.get(index=alias).body
    except NotFoundError:
        return None
    if alias in indices:
        raise ConfigurationError(
            f"{alias!r} is the name of an index, and has to be the name of an alias. "
            f"Delete that index if it is of no use, or set another "
            f"elasticsearch.index_prefix."
        )
    # More than one is behind the alias only while an index is being replaced: the
    # newest is the one that new documents go to.
    name = max(indices)
    found = indices[name]
    return ExistingIndex(name, found.get("mappings", {}), found.get("settings", {}))


def _create(
    client: Elasticsearch,
    alias: str,
    document: type[dsl.Document],
    settings: ElasticsearchSettings,
) -> bool:
    """Create index and alias in one call; false if another process was first."""
    try:
        client.perform_request(
            "PUT",
            f"/{physical_name(alias, 1)}",
            headers=_JSON,
            body={
                "aliases": {alias: {"is_write_index": True}},
                "settings": index_settings(settings, document),
                "mappings": mapping_body(document),
            },
        )
    except BadRequestError as error:
        kind, reason = root_cause(error)
        if kind == "resource_already_exists_exception":
            return False
        raise ConfigurationError(
            f"The server cannot create the index of {document.__name__}: "
            f"{with_advice(reason)}"
        ) from error
    log.info("Created index %s behind alias %s", physical_name(alias, 1), alias)
    return True


def index_settings(
    settings: ElasticsearchSettings, document: type[dsl.Document]
) -> dict[str, Any]:
    """The settings of a new index, analyzers of declared fields included."""
    index: dict[str, Any] = {
        "number_of_shards": settings.number_of_shards,
        # How long a delete keeps its version, which a late write is compared with:
        # https://www.elastic.co/docs/reference/elasticsearch/index-settings/index-modules
        "gc_deletes": settings.gc_deletes,
        "max_result_window": settings.max_result_window,
        "mapping": _limits(settings),
    }
    if settings.number_of_replicas is None:
        index["auto_expand_replicas"] = "0-1"
    else:
        index["number_of_replicas"] = settings.number_of_replicas
    body: dict[str, Any] = {"index": index}
    if analysis := analysis_of(document):
        body["analysis"] = analysis
    return body


def _limits(settings: ElasticsearchSettings) -> dict[str, Any]:
    """The limits of an index, as the server calls them."""
    return {
        "nested_objects": {"limit": settings.nested_objects_limit},
        "nested_fields": {"limit": settings.nested_fields_limit},
        "total_fields": {"limit": settings.total_fields_limit},
    }


def _raise_limits(
    client: Elasticsearch, existing: ExistingIndex, settings: ElasticsearchSettings
) -> None:
    """Bring the limits of an index to what the settings say, unless they are."""
    known = existing.settings.get("index", {}).get("mapping", {})
    wanted = {
        name: value
        for name, value in _limits(settings).items()
        if str(known.get(name, {}).get("limit")) != str(value["limit"])
    }
    if wanted:
        with translated_errors():
            client.perform_request(
                "PUT",
                f"/{existing.name}/_settings",
                headers=_JSON,
                body={"index": {"mapping": wanted}},
            )


def _update(
    client: Elasticsearch, existing: ExistingIndex, document: type[dsl.Document]
) -> None:
    wanted = mapping_body(document)
    if existing.fingerprint == wanted["_meta"][FINGERPRINT]:
        return
    difference = compare(existing.mappings.get("properties", {}), wanted["properties"])
    try:
        with translated_errors():
            _put_mapping(client, existing.name, wanted)
    except _Incompatible as error:
        fields = ", ".join(difference.changed) or "its analyzers"
        raise ConfigurationError(
            f"The index {existing.name} maps {document.__name__} in another way, which "
            f"cannot be changed in place ({fields}): {error}. Rebuild it: "
            f"`nefertari-es setup`."
        ) from error.__cause__
    if difference.added:
        log.warning(
            "Index %s has new fields (%s): documents written before are found by them "
            "after a rebuild",
            existing.name,
            ", ".join(difference.added),
        )


class _Incompatible(Exception):
    """The server refuses to change a mapping in place."""


def _put_mapping(client: Elasticsearch, index: str, body: Mapping[str, Any]) -> None:
    try:
        client.perform_request(
            "PUT",
            f"/{index}/_mapping",
            headers=_JSON,
            body=body,
        )
    except BadRequestError as error:
        raise _Incompatible(with_advice(root_cause(error)[1])) from error
