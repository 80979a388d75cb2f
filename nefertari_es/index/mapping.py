"""The mapping of a model's index, and the fingerprint that tells two apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from elasticsearch import dsl

#: The object in every document that delivery owns: its version and content hash, and
#: when and why it was written. The last two are for people: they are in the source, and
#: in no mapping, so that they cost the index nothing.
SYNC = "_sync"
SYNC_VERSION = f"{SYNC}.version"

#: The key of ``_meta`` that holds the fingerprint.
FINGERPRINT = "nefertari_fingerprint"

#: Neither is searched: one is sorted by, the other read from the document.
_SYNC_MAPPING: Mapping[str, Any] = {
    "properties": {
        "version": {"type": "long"},
        "hash": {"type": "keyword", "index": False, "doc_values": False},
    }
}


def mapping_body(document: type[dsl.Document]) -> dict[str, Any]:
    """The mapping of a generated class, with its fingerprint.

    ``dynamic`` is false: while a new release of an application rolls out, documents
    with a field that the index does not know yet are kept whole and not refused.
    """
    properties = document._doc_type.mapping.to_dict().get("properties", {})
    return {
        "dynamic": False,
        "properties": {**properties, SYNC: _SYNC_MAPPING},
        "_meta": {FINGERPRINT: fingerprint(document)},
    }


def analysis_of(document: type[dsl.Document]) -> dict[str, Any]:
    """Analyzers, filters and normalizers that the declared fields define."""
    return document._doc_type.mapping._collect_analysis()


def fingerprint(document: type[dsl.Document]) -> str:
    """A short hash of everything that decides how documents are indexed."""
    described = {
        "properties": document._doc_type.mapping.to_dict().get("properties", {}),
        "analysis": analysis_of(document),
    }
    text = orjson.dumps(described, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=12).hexdigest()


@dataclass(slots=True)
class Difference:
    """What a new mapping has that the index has not.

    :attr added: paths of fields that the index does not know.
    :attr changed: paths of fields that the index maps otherwise.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def compare(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> Difference:
    """How the mapping of an index has to change; both as their ``properties``.

    Only what ``wanted`` says is compared, since a server adds defaults of its own.
    Fields that are no longer wanted stay where they are: no mapping can lose one.
    """
    difference = Difference()
    known = dict(_walk(current))
    for path, definition in _walk(wanted):
        if path not in known:
            difference.added.append(path)
        elif not _includes(known[path], definition):
            difference.changed.append(path)
    return difference


def _walk(
    properties: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every field and sub-field, by path, with its own parameters."""
    for name, definition in properties.items():
        path = prefix + name
        own = {
            key: value
            for key, value in definition.items()
            if key not in {"properties", "fields"}
        }
        own.setdefault("type", "object")
        yield path, own
        yield from _walk(definition.get("properties", {}), f"{path}.")
        yield from _walk(definition.get("fields", {}), f"{path}.")


def _includes(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    # A server may answer a number or boolean of a mapping as a string.
    return all(
        key in known and str(known[key]).lower() == str(value).lower()
        for key, value in wanted.items()
    )
