"""The wire between nefertari 0.7 and a search server, which are ten years apart.

Nefertari's own code and its client of that time run as they are. What the client sends
is put into the words of a server of today: an index for each type, ``text`` for
``string``, and so on; what the server answers is put into those of the old one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

_JSON = {"content-type": "application/json", "accept": "application/json"}
#: Types by the names of their indices; types of fields by the names of these.
_TYPES: dict[str, str] = {}
_FIELDS: dict[str, str] = {}


def install() -> None:
    """Let nefertari's connections speak over it."""
    from elasticsearch import Urllib3HttpConnection

    Urllib3HttpConnection.perform_request = _perform_request


def _perform_request(
    connection: Any,
    method: str,
    url: str,
    params: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    timeout: float | None = None,
    ignore: Iterable[int] = (),
) -> tuple[int, Mapping[str, str], str]:
    steps = [step for step in url.split("/") if step]
    request = _request(method, steps, dict(params or {}), body)
    if request is None:
        return 200, {}, ""
    method, path, names, payload = request
    path = f"/{path}?{urlencode(names)}" if names else f"/{path}"
    response = connection.pool.urlopen(method, path, payload, headers=_JSON)
    text = response.data.decode()
    if response.status >= 300:
        connection._raise_error(response.status, text)
    answer = json.dumps(_answer(json.loads(text))) if text else ""
    return response.status, {"content-type": "application/json"}, answer


Request = tuple[str, str, dict[str, Any], "bytes | None"]


def _request(
    method: str, steps: list[str], params: dict[str, Any], body: bytes | None
) -> Request | None:
    """The request of today; ``None`` for what today's servers need not be told."""
    match steps:
        case [index, "_mapping", type_]:
            return "PUT", _name(index, type_), {}, _creation(type_, body)
        case ["_bulk"]:
            return "POST", "_bulk", {"refresh": "true"}, _bulk(body)
        case [index, type_, id_, "_source"]:
            return "GET", f"{_name(index, type_)}/_source/{id_}", {}, None
        case [index, types, "_search" | "_count" as verb]:
            return _search(verb, index, types.split(","), params, body)
        case [index, "_search" | "_count" as verb]:
            return _search(verb, index, list(_TYPES.values()), params, body)
        case ["_count"]:
            return "GET", f"{','.join(_TYPES)}/_count", {}, None
        case [_]:
            # An index of all types: each has its own here, made with its mapping.
            return None
    raise NotImplementedError(f"{method} /{'/'.join(steps)}")


def _search(
    verb: str, index: str, types: list[str], params: dict[str, Any], body: bytes | None
) -> Request:
    path = f"{','.join(_name(index, name) for name in types)}/{verb}"
    content = json.loads(body or b"{}")
    if sort := params.pop("sort", None):
        content["sort"] = list(_sort(sort.decode(), several=len(types) > 1))
    if "_source_include" in params:
        params["_source_includes"] = params.pop("_source_include")
    if verb == "_search":
        params["rest_total_hits_as_int"] = "true"
    return "POST", path, params, json.dumps(content).encode()


def _name(index: str, type_: str) -> str:
    name = f"{index}-{type_.lower()}"
    _TYPES[name] = type_
    return name


def _creation(type_: str, body: bytes | None) -> bytes:
    mapping = _mapping(json.loads(body or b"{}")[type_])
    for name, field in mapping["properties"].items():
        _FIELDS[name] = "keyword" if field["type"] == "text" else field["type"]
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    return json.dumps({"settings": settings, "mappings": mapping}).encode()


def _mapping(old: Mapping[str, Any]) -> dict[str, Any]:
    new = dict(old)
    if new.get("type") == "string":
        # Sorting and aggregations read the words of a text, as they did.
        new = {"type": "text", "fielddata": True}
    if new.get("format") == "dateOptionalTime":
        new["format"] = "date_optional_time"
    if "properties" in new:
        new["properties"] = {
            name: _mapping(inner) for name, inner in new["properties"].items()
        }
    return new


def _bulk(body: bytes | None) -> bytes:
    lines = []
    for line in (body or b"").splitlines():
        content = json.loads(line)
        for action in ("index", "delete"):
            if "_type" in (target := content.get(action, {})):
                type_ = target.pop("_type")
                target["_index"] = _name(target["_index"], type_)
        lines.append(json.dumps(content))
    return "".join(f"{line}\n" for line in lines).encode()


def _sort(keys: str, several: bool) -> Iterable[Mapping[str, Any]]:
    for key in keys.split(","):
        name, _, order = key.rpartition(":")
        # One index had the fields of all its types.
        known = several and name in _FIELDS
        unmapped = {"unmapped_type": _FIELDS[name]} if known else {}
        yield {name: {"order": order, **unmapped}}


def _answer(answer: Any) -> Any:
    if isinstance(answer, dict) and "hits" in answer:
        for hit in answer["hits"]["hits"]:
            hit["_type"] = _TYPES[hit["_index"]]
    return answer
