"""The body of a bulk request.

Sources arrive as JSON bytes and are sent as they are, with the version, the hash of the
contents, and when and why they are written appended; nothing is parsed or encoded
again. This runs for every document that is written, so what is the same in most of a
request is made once for it.
https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from nefertari_engine_base.encoding import hash_bytes
from nefertari_engine_base.values import Write
from nefertari_engine_base.values.inspection import CHANGE

Encode = Callable[[Any], bytes]

#: Below this many bytes a source may be that of an object without members.
_SHORT = 64

_BRACE = ord("}")


def bulk_body(writes: Sequence[Write], encode: Encode | None = None) -> bytes:
    """NDJSON of versioned index and delete actions, in the order of the writes.

    :param encode: makes JSON bytes of each source that is not bytes yet.
    """
    frames = _Frames(int(time.time()))
    lines: list[bytes] = []
    only_deletes = True
    for id_, version, source, why in writes:
        if source is None:
            lines.append(_delete_line(id_, version))
            continue
        only_deletes = False
        if encode:
            source = encode(source)
        action, sync, end = frames[version, why]
        digest = hash_bytes(source)
        if len(source) < _SHORT or source[-1] != _BRACE or b"\n" in source:
            source, sync = _one_line(source, sync)
        lines.append(
            b'{"index":{"_id":%b%b%b%b%b%b'
            % (orjson.dumps(id_), action, source[:-1], sync, digest, end)
        )
    if only_deletes:
        lines.append(_guard_lines(writes[0]))
    return b"".join(lines)


class _Frames(dict[tuple[int, str], tuple[bytes, bytes, bytes]]):
    """What stands between id, source and hash, by version and reason: the rest of the
    action, the beginning of the appended object, and its end.

    What most documents are written for goes without saying: each byte of a document
    costs the server more than it costs here.

    :param at: seconds since 1970 (UTC).
    """

    def __init__(self, at: int) -> None:
        self._at = at

    def __missing__(self, key: tuple[int, str]) -> tuple[bytes, bytes, bytes]:
        version, why = key
        reason = b"" if why == CHANGE else b',"why":%b' % orjson.dumps(why)
        frame = (
            b',"version":%d,"version_type":"external"}}\n' % version,
            b',"_sync":{"version":%d,"hash":"' % version,
            b'","at":%d%b}}\n' % (self._at, reason),
        )
        self[key] = frame
        return frame


def _one_line(source: bytes, sync: bytes) -> tuple[bytes, bytes]:
    """A source without line feeds and spaces at its ends, and what is appended to it,
    without its comma if the object has no members."""
    # In JSON a line feed can only stand between tokens, where a space does as well.
    source = source.replace(b"\n", b" ").strip()
    empty = len(source) < _SHORT and source[:-1].strip() == b"{"
    return source, sync[1:] if empty else sync


def _delete_line(id_: str, version: int) -> bytes:
    return b'{"delete":{"_id":%b,"version":%d,"version_type":"external"}}\n' % (
        orjson.dumps(id_),
        version,
    )


def _guard_lines(write: Write) -> bytes:
    """An update of what was just deleted, which changes nothing.

    A versioned delete creates the index that it does not find, and `require_alias`
    does not keep it from it, unless an update or index action stands beside it.
    """
    return b'{"update":{"_id":%b}}\n{"doc":{}}\n' % orjson.dumps(write.id)
