"""The bulk writer: versioned writes as NDJSON over several connections.

Sources arrive as JSON bytes and are sent as they are, with the version, the hash of the
contents, and when and why they are written appended; nothing is parsed or encoded
again. One request answers for all its documents, in their order, so a refused one harms
no other.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch

from nefertari_engine_base.encoding import hash_bytes
from nefertari_engine_base.exceptions import (
    EngineError,
    SecondaryError,
    SecondaryUnavailable,
)
from nefertari_engine_base.values import Outcome, Write, WriteResult
from nefertari_engine_base.values.inspection import CHANGE
from nefertari_es.client import (
    INDEX_NOT_FOUND,
    UNAVAILABLE_STATUSES,
    missing_index,
    root_cause,
    translated_errors,
)
from nefertari_es.settings import ElasticsearchSettings

Encode = Callable[[Any], bytes]

_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}

# With `status` of every item kept, an answer's place in the list is its document's;
# leaving out the successes would lose it. An alias that is gone must not come back as
# an index with a mapping that the server made up.
_PARAMETERS = (
    "filter_path=items.*.status,items.*.error.type,items.*.error.reason"
    "&require_alias=true"
)

# Looking up a member of an enumeration costs more than half a result.
_WRITTEN = Outcome.WRITTEN

_CONFLICT = 409
_NOT_FOUND = 404
_TOO_LARGE = 413

#: Errors of one item that are the server's or the index's state, not the document's.
_NOT_THE_DOCUMENT = frozenset(
    {
        "circuit_breaking_exception",
        "cluster_block_exception",
        "es_rejected_execution_exception",
        "index_closed_exception",
        "rejected_execution_exception",
        "unavailable_shards_exception",
    }
)

#: What the server says of a write that it has simply carried out. To count these is
#: quicker than to look at each answer.
_SUCCESSES: tuple[dict[str, Any], ...] = (
    {"index": {"status": 201}},
    {"index": {"status": 200}},
    {"delete": {"status": 200}},
)

#: Below this many bytes a source may be that of an object without members.
_SHORT = 64

#: What an action line and the appended object add to a source, in bytes, about.
_OVERHEAD = 200


class BulkWriter:
    """Writes to any alias through one client; may be used by several threads."""

    def __init__(self, client: Elasticsearch, settings: ElasticsearchSettings) -> None:
        self._client = client
        self._documents = settings.bulk_documents
        self._bytes = settings.bulk_bytes
        self._connections = settings.bulk_connections

    def write(
        self, alias: str, writes: Iterable[Write], encode: Encode | None = None
    ) -> list[WriteResult]:
        """Apply writes; the results are in their order.

        One chunk is sent by the calling thread, several over as many connections as
        the settings say, while ``writes`` is still being read.

        :param encode: makes JSON bytes of each source, in the thread that sends it,
            for sources that are not bytes yet.
        :raises SecondaryUnavailable: if nothing could be sent. If only a part could,
            the rest is DEFERRED.
        """
        transfer = _Transfer(self._client, alias, encode)
        chunks = self._chunks(writes)
        first, second = next(chunks, None), next(chunks, None)
        if first is None:
            return []
        if second is None:
            results = transfer.send(first)
        else:
            results = self._send_all(transfer, chain((first, second), chunks))
        if transfer.failure is not None and not transfer.landed:
            raise SecondaryUnavailable(str(transfer.failure)) from transfer.failure
        return results

    def _chunks(self, writes: Iterable[Write]) -> Iterator[list[Write]]:
        chunk: list[Write] = []
        size = 0
        for write in writes:
            source = write.source
            # A source that is still to be encoded has no size yet.
            added = len(source) + _OVERHEAD if isinstance(source, bytes) else _OVERHEAD
            if chunk and (len(chunk) >= self._documents or size + added > self._bytes):
                yield chunk
                chunk, size = [], 0
            chunk.append(write)
            size += added
        if chunk:
            yield chunk

    def _send_all(
        self, transfer: _Transfer, chunks: Iterable[list[Write]]
    ) -> list[WriteResult]:
        results: list[WriteResult] = []
        waiting: deque[Future[list[WriteResult]]] = deque()
        with ThreadPoolExecutor(self._connections, "bulk") as senders:
            for chunk in chunks:
                # As many again may wait, so that no connection does.
                if len(waiting) >= 2 * self._connections:
                    results += waiting.popleft().result()
                waiting.append(senders.submit(transfer.send, chunk))
                if transfer.failure is not None and not transfer.landed:
                    break
            for future in waiting:
                results += future.result()
        return results


class _Transfer:
    """The requests of one call of :meth:`BulkWriter.write`.

    :attr landed: whether the server has answered for any document.
    :attr failure: why a request failed as a whole; no other is sent after it.
    """

    def __init__(
        self, client: Elasticsearch, alias: str, encode: Encode | None
    ) -> None:
        self._client = client
        self._target = f"/{alias}/_bulk?{_PARAMETERS}"
        self._encode = encode
        self.landed = False
        self.failure: EngineError | None = None

    def send(self, chunk: Sequence[Write]) -> list[WriteResult]:
        """Send one request, and the results of its writes."""
        if self.failure is None:
            try:
                with translated_errors():
                    return self._answers(chunk)
            except EngineError as error:
                self.failure = error
        reason = str(self.failure)
        return [WriteResult(write.id, Outcome.DEFERRED, reason) for write in chunk]

    def _answers(self, chunk: Sequence[Write]) -> list[WriteResult]:
        try:
            response = self._client.perform_request(
                "POST", self._target, headers=_HEADERS, body=self._body(chunk)
            )
        except ApiError as error:
            if not _blames_some_document(error):
                raise
            return self._halves(chunk, root_cause(error)[1])
        items = response.body["items"]
        if len(items) < len(chunk):
            raise SecondaryError(
                f"The search server answered {len(items)} of {len(chunk)} writes."
            )
        if sum(map(items.count, _SUCCESSES)) == len(items):
            results = [WriteResult(write.id, _WRITTEN) for write in chunk]
        else:
            # The guard of deletes comes last, and has no write.
            results = list(map(_result, chunk, items))
        self.landed = True
        return results

    def _halves(self, chunk: Sequence[Write], reason: str) -> list[WriteResult]:
        """Find the documents that a whole request was refused for."""
        if len(chunk) == 1:
            self.landed = True
            return [WriteResult(chunk[0].id, Outcome.REFUSED, reason)]
        middle = len(chunk) // 2
        return self.send(chunk[:middle]) + self.send(chunk[middle:])

    def _body(self, chunk: Sequence[Write]) -> bytes:
        encode = self._encode
        lines: list[bytes] = []
        ends = _Ends(int(time.time()))
        only_deletes = True
        for write in chunk:
            source = write.source
            if source is None:
                lines.append(_delete_line(write))
            else:
                if encode:
                    source = encode(source)
                lines.append(_index_lines(write, source, ends[write.why]))
                only_deletes = False
        if only_deletes:
            lines.append(_guard_lines(chunk[0]))
        return b"".join(lines)


class _Ends(dict[str, bytes]):
    """How the appended object ends, by what a document is written for: made once for
    a request, not for each of its documents.

    What most documents are written for goes without saying: each byte of a document
    costs the server more than it costs here.

    :param at: seconds since 1970 (UTC).
    """

    def __init__(self, at: int) -> None:
        self._at = at

    def __missing__(self, why: str) -> bytes:
        reason = b"" if why == CHANGE else b',"why":%b' % orjson.dumps(why)
        end = b'","at":%d%b}}\n' % (self._at, reason)
        self[why] = end
        return end


def _guard_lines(write: Write) -> bytes:
    """An update of what was just deleted, which changes nothing.

    A versioned delete creates the index that it does not find, and `require_alias`
    does not keep it from it, unless an update or index action stands beside it.
    """
    return b'{"update":{"_id":%b}}\n{"doc":{}}\n' % orjson.dumps(write.id)


def _delete_line(write: Write) -> bytes:
    return b'{"delete":{"_id":%b,"version":%d,"version_type":"external"}}\n' % (
        orjson.dumps(write.id),
        write.version,
    )


def _index_lines(write: Write, source: bytes, end: bytes) -> bytes:
    """The action, and the source on one line with ``_sync`` appended."""
    digest = hash_bytes(source)
    if b"\n" in source or not source.endswith(b"}"):
        # In JSON a line feed can only stand between tokens, where a space does as well.
        source = source.replace(b"\n", b" ").strip()
    head = source[:-1]
    comma = b"" if len(head) < _SHORT and head.strip() == b"{" else b","
    return (
        b'{"index":{"_id":%b,"version":%d,"version_type":"external"}}\n'
        b'%b%b"_sync":{"version":%d,"hash":"%b%b'
    ) % (
        orjson.dumps(write.id),
        write.version,
        head,
        comma,
        write.version,
        digest,
        end,
    )


def _blames_some_document(error: ApiError) -> bool:
    """Whether the request was refused as a whole because of what is in it: too many
    bytes for the server, or an id that is too long."""
    if error.meta.status == _TOO_LARGE:
        return True
    return root_cause(error)[0] == "action_request_validation_exception"


def _result(write: Write, item: Mapping[str, Any]) -> WriteResult:
    """What became of a write."""
    (answer,) = item.values()
    status = answer["status"]
    if status < 300:
        return WriteResult(write.id, _WRITTEN)
    if status == _CONFLICT:
        return WriteResult(write.id, Outcome.SUPERSEDED)
    error = answer.get("error")
    if error is None:
        # A delete of what is not there: its version is remembered all the same.
        return WriteResult(write.id, Outcome.WRITTEN)
    kind, reason = error["type"], f"{error['type']}: {error['reason']}"
    if kind == INDEX_NOT_FOUND:
        raise missing_index(error["reason"])
    if status in UNAVAILABLE_STATUSES or kind in _NOT_THE_DOCUMENT:
        return WriteResult(write.id, Outcome.DEFERRED, reason)
    return WriteResult(write.id, Outcome.REFUSED, reason)
