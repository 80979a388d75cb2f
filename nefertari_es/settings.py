"""Every ini key of the Elasticsearch engine, read once into a frozen value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pyramid.settings import asbool, aslist

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.settings import read_integer, read_number

_TEXTS = ("username", "password", "api_key", "ca_certs")

_INTEGERS = {
    "number_of_shards": 1,
    "bulk_documents": 1000,
    "bulk_bytes": 8 * 1024 * 1024,
    "bulk_connections": 4,
    "scan_size": 1000,
    "max_result_window": 10_000,
    "nested_objects_limit": 10_000,
    "nested_fields_limit": 100,
    "total_fields_limit": 1000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchSettings:
    """What the application's settings say of Elasticsearch.

    :attr hosts: ``elasticsearch.hosts``: URLs of the nodes. Default
        ``http://localhost:9200``.
    :attr username: ``elasticsearch.username``, with ``elasticsearch.password``: basic
        authentication. Default: none.
    :attr api_key: ``elasticsearch.api_key``: an encoded API key. Default: none.
    :attr ca_certs: ``elasticsearch.ca_certs``: path of the certificates that an HTTPS
        host is checked against. Default: those of the system.
    :attr verify_certs: ``elasticsearch.verify_certs``: whether an HTTPS host is checked
        at all. Default true.
    :attr request_timeout: ``elasticsearch.request_timeout``: seconds until a request
        counts as unanswered. Default 10.
    :attr max_retries: ``elasticsearch.max_retries``: how often a request is sent again,
        at once, when its connection fails; every request here may be repeated safely.
        What the server itself rejects is never repeated here, but by delivery, after
        a pause. Default: one less than the number of hosts, and at least 1.
    :attr index_prefix: ``elasticsearch.index_prefix``: the beginning of the name of
        every alias and index. Default ``nefertari``.
    :attr number_of_shards: ``elasticsearch.number_of_shards``: primary shards of a new
        index. Default 1.
    :attr number_of_replicas: ``elasticsearch.number_of_replicas``: copies of each shard
        of a new index, or ``auto``: one where there is a second node to hold it, so
        that a single node is not for ever "yellow". Default ``auto``.
    :attr gc_deletes: ``elasticsearch.gc_deletes``: how long an index remembers the
        version of a deleted document, as a time value such as ``1h``. A write that is
        later than this could bring the document back. Default ``1h``.
    :attr bulk_documents: ``elasticsearch.bulk_documents``: most documents of one bulk
        request. Default 1000.
    :attr bulk_bytes: ``elasticsearch.bulk_bytes``: bytes after which a bulk request is
        sent, whatever it holds. Default 8388608 (8 MiB).
    :attr bulk_connections: ``elasticsearch.bulk_connections``: bulk requests under way
        at the same time. Default 4.
    :attr scan_size: ``elasticsearch.scan_size``: documents of one request where all
        hits are wanted. Default 1000.
    :attr max_result_window: ``elasticsearch.max_result_window``: ``start + limit`` may
        not exceed it; what the index setting of that name says. Default 10000.
    :attr nested_objects_limit: ``elasticsearch.nested_objects_limit``: how many
        embedded rows of to-many relations one document may have, all relations
        together. Default 10000.
    :attr nested_fields_limit: ``elasticsearch.nested_fields_limit``: how many to-many
        relations one model may embed. Default 100.
    :attr total_fields_limit: ``elasticsearch.total_fields_limit``: how many fields one
        model may have in its index, those of embedded rows included. Default 1000.
    """

    hosts: tuple[str, ...] = ("http://localhost:9200",)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    verify_certs: bool = True
    request_timeout: float = 10.0
    max_retries: int = 1
    index_prefix: str = "nefertari"
    number_of_shards: int = 1
    number_of_replicas: int | None = None
    gc_deletes: str = "1h"
    bulk_documents: int = 1000
    bulk_bytes: int = 8 * 1024 * 1024
    bulk_connections: int = 4
    scan_size: int = 1000
    max_result_window: int = 10_000
    nested_objects_limit: int = 10_000
    nested_fields_limit: int = 100
    total_fields_limit: int = 1000

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ElasticsearchSettings:
        """Read the keys. :raises ConfigurationError: for a bad value."""
        hosts = _hosts(settings)
        return cls(
            hosts=hosts,
            verify_certs=asbool(settings.get("elasticsearch.verify_certs", True)),
            request_timeout=read_number(settings, "elasticsearch.request_timeout", 10),
            max_retries=read_integer(
                settings, "elasticsearch.max_retries", max(1, len(hosts) - 1), minimum=0
            ),
            index_prefix=_index_prefix(settings),
            number_of_replicas=_replicas(settings),
            gc_deletes=str(settings.get("elasticsearch.gc_deletes", "1h")).strip(),
            **_plain_values(settings),
        )


def _plain_values(settings: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: settings.get(f"elasticsearch.{key}") for key in _TEXTS
    }
    for key, default in _INTEGERS.items():
        values[key] = read_integer(settings, f"elasticsearch.{key}", default)
    return values


def _hosts(settings: Mapping[str, Any]) -> tuple[str, ...]:
    key = "elasticsearch.hosts"
    hosts = tuple(aslist(settings.get(key, "http://localhost:9200")))
    for host in hosts:
        parts = urlsplit(host)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                f"{key}: {host!r} is no URL such as http://localhost:9200."
            )
    if not hosts:
        raise ConfigurationError(f"{key} is empty: name at least one URL.")
    return hosts


def _index_prefix(settings: Mapping[str, Any]) -> str:
    key = "elasticsearch.index_prefix"
    prefix = str(settings.get(key, "nefertari")).strip()
    # The rules of the server for index names, less what no prefix needs:
    # https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,99}", prefix):
        raise ConfigurationError(
            f"{key} = {prefix!r}: expected up to 100 lower-case letters, digits, "
            f"'-', '_' and '.', a letter or digit first."
        )
    return prefix


def _replicas(settings: Mapping[str, Any]) -> int | None:
    key = "elasticsearch.number_of_replicas"
    if str(settings.get(key, "auto")).strip().lower() == "auto":
        return None
    return read_integer(settings, key, 1, minimum=0)
