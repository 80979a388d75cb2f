"""The bulk writer: versioned writes over several connections.

One request answers for all its documents, in their order, so a refused one harms no
other.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain, repeat
from typing import Any

import orjson
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from nefertari_engine_base.exceptions import (
    EngineError,
    SecondaryError,
    SecondaryUnavailable,
)
from nefertari_engine_base.values import Outcome, Write, WriteResult
from nefertari_es.bulk import Encode, bulk_body
from nefertari_es.client import (
    INDEX_NOT_FOUND,
    JSON_BYTES,
    UNAVAILABLE_STATUSES,
    missing_index,
    root_cause,
    translated_errors,
    with_advice,
)
from nefertari_es.culprits import Prober, Trouble
from nefertari_es.deadline import Deadline, unanswered
from nefertari_es.settings import ElasticsearchSettings

_HEADERS = {"accept": JSON_BYTES, "content-type": "application/x-ndjson"}

# With `status` of every item kept, an answer's place in the list is its document's;
# leaving out the successes would lose it. An alias that is gone must not come back as
# an index with a mapping that the server made up.
_PARAMETERS = (
    "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,"
    "items.*.error.caused_by.reason&require_alias=true"
)

# Looking up a member of an enumeration costs more than half a result.
_WRITTEN = Outcome.WRITTEN

_CONFLICT = 409
_CURRENT = re.compile(r"current version \[(\d+)\]")
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

#: How the answer begins if no document was refused, which is nearly always so. To learn
#: it so is quicker than to parse what became of each.
_NO_ERRORS = b'{"errors":false,'
_STATUS = b'"status":'

#: A result from its members. To call the class costs twice as much.
_new_result = partial(tuple.__new__, WriteResult)
#: Neither a reason nor another version.
_NOTHING = (repeat(None), repeat(None))

#: What an action line and the appended object add to a source, in bytes, about.
_OVERHEAD = 200


class BulkWriter:
    """Writes to any alias through one client; may be used by several threads."""

    def __init__(self, client: Elasticsearch, settings: ElasticsearchSettings) -> None:
        self._client = client
        self._documents = settings.bulk_documents
        self._bytes = settings.bulk_bytes
        self._connections = settings.bulk_connections
        self._longest = settings.request_timeout * (settings.max_retries + 1)
        self._trouble = Trouble()

    def write(
        self,
        alias: str,
        writes: Iterable[Write],
        encode: Encode | None = None,
        until: float | None = None,
    ) -> list[WriteResult]:
        """Apply writes; the results are in their order.

        One chunk is sent by the calling thread, several over as many connections as
        the settings say, while ``writes`` is still being read.

        :param encode: makes JSON bytes of each source that is not bytes yet.
        :param until: see :meth:`ISecondaryEngine.write`.
        :raises SecondaryUnavailable: if nothing could be sent. If only a part could,
            the rest is DEFERRED.
        """
        prober = Prober(self._client, alias, self._trouble)
        deadline = Deadline(until, self._longest)
        transfer = _Transfer(self._client, alias, encode, prober, deadline)
        chunks = self._chunks(writes)
        first, second = next(chunks, None), next(chunks, None)
        if first is None:
            return []
        if second is None:
            results = transfer.write(first)
        else:
            results = self._send_all(transfer, chain((first, second), chunks))
        self._trouble.note(alias, transfer.has_put_off)
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
                # Made here, while the senders wait for the server: they would only take
                # turns with each other.
                try:
                    body = transfer.body(chunk)
                except UnsendableWrites:
                    waiting.append(senders.submit(transfer.write, chunk))
                else:
                    waiting.append(senders.submit(transfer.send, chunk, body))
                if transfer.failure is not None and not transfer.landed:
                    break
            for future in waiting:
                results += future.result()
        return results


class UnsendableWrites(Exception):
    """Some of the writes have no form in a request."""


class _Transfer:
    """The requests of one call of :meth:`BulkWriter.write`.

    :attr landed: whether the server has answered for any document.
    :attr failure: why a request failed as a whole; no other is sent after it.
    :attr has_put_off: whether any document was put off.
    """

    def __init__(
        self,
        client: Elasticsearch,
        alias: str,
        encode: Encode | None,
        prober: Prober,
        deadline: Deadline,
    ) -> None:
        self._client = client
        self._target = f"/{alias}/_bulk?{_PARAMETERS}"
        self._encode = encode
        self._prober = prober
        self._deadline = deadline
        self.landed = False
        self.failure: EngineError | None = None
        self.has_put_off = False

    def body(self, chunk: Sequence[Write]) -> bytes:
        """What a request for these writes sends.

        :raises UnsendableWrites: if one of them has no form.
        """
        try:
            return bulk_body(chunk, self._encode)
        except orjson.JSONEncodeError as error:
            if self._encode is not None:
                raise
            raise UnsendableWrites(f"It cannot be sent: {error}") from error

    def write(self, chunk: Sequence[Write]) -> list[WriteResult]:
        """The results of writes, each of which may have no form."""
        try:
            body = self.body(chunk)
        except UnsendableWrites as error:
            return self._halves(chunk, str(error))
        return self.send(chunk, body)

    def send(self, chunk: Sequence[Write], body: bytes) -> list[WriteResult]:
        """Send one request, and the results of its writes."""
        if self.failure is None:
            try:
                return self._sent(chunk, body)
            except EngineError as error:
                self.failure = error
        self.has_put_off = True
        reason = str(self.failure)
        return [WriteResult(write.id, Outcome.DEFERRED, reason) for write in chunk]

    def _sent(self, chunk: Sequence[Write], body: bytes) -> list[WriteResult]:
        try:
            with translated_errors():
                results = self._results(chunk, body)
        except EngineError as error:
            if not self._prober.takes_others(len(body)):
                raise
            return self._halves(chunk, _not_this(len(body), str(error)))
        put_off = [
            number
            for number, result in enumerate(results)
            if result.outcome is Outcome.DEFERRED
        ]
        if put_off:
            self._find_among(put_off, chunk, results, len(body))
        return results

    def _find_among(
        self, put_off: Sequence[int], chunk: Sequence[Write],
        results: list[WriteResult], size: int,
    ) -> None:  # fmt: skip
        """See whether documents that were put off are to blame for that."""
        if not self._prober.takes_others(size):
            self.has_put_off = True
            return
        some = [chunk[number] for number in put_off]
        if len(some) < len(chunk):
            again = self.write(some)
        else:
            reason = results[put_off[0]].reason or ""
            again = self._halves(some, _not_this(size, reason))
        for number, result in zip(put_off, again, strict=True):
            results[number] = result

    def _results(self, chunk: Sequence[Write], body: bytes) -> list[WriteResult]:
        if self._deadline.has_passed:
            return [WriteResult(write.id, Outcome.EXPIRED) for write in chunk]
        try:
            response = self._client.perform_request(
                "POST", self._target, headers=_HEADERS, body=body
            )
        except TransportError:
            if not self._deadline.was_missed:
                raise
            return unanswered(chunk)
        except ApiError as error:
            if not _blames_some_document(error):
                raise
            reason = root_cause(error)[1]
            if error.meta.status == _TOO_LARGE:
                reason = _too_large(len(body), reason)
            return self._halves(chunk, reason)
        answer: bytes = response.body or b""
        if answer.startswith(_NO_ERRORS):
            _check_number(chunk, answer.count(_STATUS))
            ids = [write.id for write in chunk]
            results = list(map(_new_result, zip(ids, repeat(_WRITTEN), *_NOTHING)))
        else:
            items = _items(answer)
            _check_number(chunk, len(items))
            # The guard of deletes comes last, and has no write.
            results = list(map(_result, chunk, items))
        self.landed = True
        return self._deadline.checked(chunk, results)

    def _halves(self, chunk: Sequence[Write], reason: str) -> list[WriteResult]:
        """Find the documents that a whole request was refused for."""
        if len(chunk) == 1:
            self.landed = True
            return [WriteResult(chunk[0].id, Outcome.REFUSED, reason)]
        middle = len(chunk) // 2
        halves = chunk[:middle], chunk[middle:]
        return [found for half in halves for found in self.write(half)]


def _not_this(size: int, reason: str) -> str:
    return (
        f"The search server takes other documents, and not this one, of {size} bytes: "
        f"{reason}"
    )


def _too_large(size: int, reason: str) -> str:
    return (
        f"A request with this document alone, of {size} bytes, is too large for the "
        f"search server, or for a proxy before it ({reason}): raise "
        f"http.max_content_length there, or leave the large field out with "
        f"@secondary(exclude=...)."
    )


def _items(answer: bytes) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = orjson.loads(answer)["items"]
    except (ValueError, LookupError, TypeError) as error:
        said = answer[:200].decode("utf-8", "replace")
        raise SecondaryError(f"No answer to a bulk request: {said!r}") from error
    return items


def _check_number(chunk: Sequence[Write], answered: int) -> None:
    if answered < len(chunk):
        raise SecondaryError(
            f"The search server answered {answered} of {len(chunk)} writes."
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
        return WriteResult(write.id, Outcome.SUPERSEDED, stored=_stored(answer))
    error = answer.get("error")
    if error is None:
        # A delete of what is not there: its version is remembered all the same.
        return WriteResult(write.id, Outcome.WRITTEN)
    kind, reason = error["type"], _said(error)
    if kind == INDEX_NOT_FOUND:
        raise missing_index(error["reason"])
    if status in UNAVAILABLE_STATUSES or kind in _NOT_THE_DOCUMENT:
        return WriteResult(write.id, Outcome.DEFERRED, reason)
    return WriteResult(write.id, Outcome.REFUSED, reason)


def _stored(answer: Mapping[str, Any]) -> int | None:
    """The version that is there. Nothing but the reason tells it.
    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-index"""
    found = _CURRENT.search((answer.get("error") or {}).get("reason") or "")
    return None if found is None else int(found[1])


def _said(error: Mapping[str, Any]) -> str:
    """The reason of a refusal, with what is behind it and what can be done."""
    reason = f"{error['type']}: {error['reason']}"
    if cause := (error.get("caused_by") or {}).get("reason"):
        reason += f": {cause}"
    return with_advice(reason)
