"""Who is to blame for a request that the server does not take.

A server that is busy, or gone, puts everything off, and no document is to blame. One
that answers to others, and never to a request with a certain document in it, would be
asked for ever, and the neighbours of that document with it: a text of 60 MB, of which
the server has no room for the request; a filter in front of it that refuses some word.
So after a few failures in a row the server is probed: by a request that changes
nothing, and weighs as much as a small document. If it takes that, the documents are
sent in halves, until one is alone.
"""

from __future__ import annotations

from threading import Lock
from uuid import uuid4

import orjson
from elasticsearch import Elasticsearch

from nefertari_engine_base.exceptions import EngineError
from nefertari_es.client import translated_errors

#: So many calls of the writer have to fail, one after the other, before the server is
#: probed: what is busy is to be left alone.
PATIENCE = 2
#: So many times the server is probed in one call at most.
_PROBES = 128
#: How much a probe weighs at most, in bytes.
_HEAVIEST = 64 * 1024
#: Seconds that a probe waits for its answer.
_TIMEOUT = 5.0

_HEADERS = {"accept": "application/json", "content-type": "application/x-ndjson"}
_PARAMETERS = "require_alias=true&filter_path=items.*.status,items.*.error.type"
#: What the server says of the probe's document. If it is the index that is missing,
#: nobody is to blame.
_MISSING = "document_missing_exception"


class Trouble:
    """How many calls of a writer have failed in a row, by alias; shared by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures: dict[str, int] = {}

    def note(self, alias: str, has_failed: bool) -> None:
        """A call has ended."""
        with self._lock:
            if has_failed:
                self._failures[alias] = self._failures.get(alias, 0) + 1
            else:
                self._failures.pop(alias, None)

    def lasts(self, alias: str) -> bool:
        """Whether a document may be to blame."""
        return self._failures.get(alias, 0) >= PATIENCE


class Prober:
    """Probes for one call of a writer.

    :param alias: that the call writes to.
    """

    def __init__(self, client: Elasticsearch, alias: str, trouble: Trouble) -> None:
        self._client = client
        self._target = f"/{alias}/_bulk?{_PARAMETERS}"
        self._left = _PROBES if trouble.lasts(alias) else 0

    def takes_others(self, size: int) -> bool:
        """Whether the server takes a request like that which it has not taken.

        :param size: of that, in bytes.
        """
        if self._left <= 0:
            return False
        self._left -= 1
        # Not before: another client takes as long as all else that a write is prepared
        # by, and nearly none is probed.
        client = self._client.options(request_timeout=_TIMEOUT, max_retries=0)
        try:
            with translated_errors():
                answer = client.perform_request(
                    "POST", self._target, headers=_HEADERS, body=_probe(size)
                )
            (item,) = answer.body["items"]
            answered: bool = item["update"]["error"]["type"] == _MISSING
        except (EngineError, LookupError, TypeError, ValueError):
            # No answer, or none to this question: nobody can be blamed.
            return False
        return answered


def _probe(size: int) -> bytes:
    """An update of a document that is not there."""
    action = {"update": {"_id": f"nefertari-probe-{uuid4()}"}}
    padding = {"doc": {"padding": "x" * min(size, _HEAVIEST)}}
    return b"%b\n%b\n" % (orjson.dumps(action), orjson.dumps(padding))
