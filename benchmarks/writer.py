"""The bulk writer, against the ceiling of the server and against the client's helpers.

The same documents of about 500 bytes go into an index that is made anew before each
time, with the mapping of a model and without periodic refreshes.
"""

from __future__ import annotations

import http.client
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson
from elasticsearch import Elasticsearch
from elasticsearch.helpers import parallel_bulk, streaming_bulk
from elasticsearch.serializer import OrjsonSerializer

from benchmarks.measure import Bar, Contender, Result, cpu, rate
from benchmarks.models import StoryColumns, new_base, story_values
from benchmarks.setting import Setting, application, database
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.values import Outcome, Write

READY = "ready-made NDJSON, 2 connections"
READY_MORE = "the same, 4 connections"
READY_SAME = "the same, with versions and hashes"
OURS = "writer, from dictionaries"
OURS_BYTES = "writer, from JSON"
PARALLEL = "helpers.parallel_bulk (orjson, 3 threads)"
STREAMING = "helpers.streaming_bulk (orjson)"

BARS = (
    Bar(OURS, READY, 0.85, "documents/s", rate, at_least=True),
    Bar(OURS, PARALLEL, 0.5, "client CPU", cpu),
    Bar(OURS_BYTES, READY, 0.85, "documents/s", rate, at_least=True),
    Bar(OURS_BYTES, PARALLEL, 0.5, "client CPU", cpu),
)

CHUNK = 1000
CONNECTIONS = 2
MOST_CONNECTIONS = 4

Documents = list[tuple[str, dict[str, Any]]]


def run(setting: Setting) -> Result:
    """Measure."""
    documents = make_documents(setting.size(30_000, 2000), setting.seed)
    with ExitStack() as stack:
        index = stack.enter_context(_new_index(setting))
        pool = stack.enter_context(ThreadPoolExecutor(MOST_CONNECTIONS))
        client = stack.enter_context(
            Elasticsearch(
                setting.elasticsearch,
                serializers={"application/json": OrjsonSerializer()},
            )
        )
        contenders = [
            Ready(READY, index, pool, documents, plain_lines).contender(),
            Ready(
                READY_MORE, index, pool, documents, plain_lines, MOST_CONNECTIONS
            ).contender(),
            Ready(READY_SAME, index, pool, documents, _versioned_lines).contender(),
            _ours(OURS, index, documents, orjson.dumps),
            _ours(OURS_BYTES, index, _encoded(documents), None),
            _helper(PARALLEL, index, documents, client, parallel_bulk, thread_count=3),
            _helper(STREAMING, index, documents, client, streaming_bulk),
        ]
        samples = setting.measure(contenders, setting.plan(blocks=2))
    bytes_each = sum(len(line) for _, line in _encoded(documents)) / len(documents)
    title = f"writer: {len(documents):,} documents of {bytes_each:.0f} bytes"
    return Result(title, samples, READY, BARS, len(documents), "documents")


def make_documents(count: int, seed: int) -> Documents:
    """Documents with their ids."""
    first = random.Random(seed).randrange(1_000_000)
    return [
        (str(number), {"id": number, **story_values(first + number)})
        for number in range(count)
    ]


def _encoded(documents: Documents) -> list[tuple[str, bytes]]:
    return [(id_, orjson.dumps(document)) for id_, document in documents]


@contextmanager
def _new_index(setting: Setting) -> Iterator[Index]:
    model = type("Story", (StoryColumns, new_base()), {"__tablename__": "stories"})
    with (
        database(setting) as engine,
        application(setting, engine, lambda c: c.add_secondary(model)) as engines,
    ):
        yield Index(setting.elasticsearch, engines, engines.schema_of(model))


class Index:
    """An index of the engine's, behind its alias, that can be emptied."""

    def __init__(self, url: str, engines: Engines, schema: ModelSchema) -> None:
        secondary: Any = engines.secondary
        self.url = url
        self.schema = schema
        self.engine = secondary
        self.alias: str = secondary.model_of(schema).alias

    def empty(self) -> None:
        """Make the index anew."""
        indices = self.engine.client.indices
        for name in indices.get(index=self.alias).body:
            indices.delete(index=name)
        self.engine.setup_database()
        indices.put_settings(index=self.alias, settings={"refresh_interval": "-1"})

    def check(self, count: int) -> None:
        """The documents are there. :raises RuntimeError: if some are not."""
        self.engine.refresh([self.schema])
        found = self.engine.client.count(index=self.alias)["count"]
        if found != count:
            raise RuntimeError(f"{found} of {count} documents were written")


def _contender(index: Index, name: str, documents: Any, operation: Any) -> Contender:
    return Contender(name, operation, index.empty, lambda: index.check(len(documents)))


# --- ready-made bodies -------------------------------------------------------------


def plain_lines(id_: str, document: dict[str, Any]) -> bytes:
    return b'{"index":{"_id":"%b"}}\n%b\n' % (id_.encode(), orjson.dumps(document))


def _versioned_lines(id_: str, document: dict[str, Any]) -> bytes:
    action = b'{"index":{"_id":"%b","version":1,"version_type":"external"}}\n'
    sync = {"version": 1, "hash": f"{int(id_):016x}", "at": 1_700_000_000}
    return action % id_.encode() + orjson.dumps({**document, "_sync": sync}) + b"\n"


class Ready:
    """Bodies that were made beforehand, sent by as many threads as connections."""

    def __init__(
        self, name: str, index: Index, pool: ThreadPoolExecutor, documents: Documents,
        lines: Any, connections: int = CONNECTIONS,
    ) -> None:  # fmt: skip
        self._name = name
        self._index = index
        self._pool = pool
        self._documents = documents
        self._connections = connections
        self._host = urlsplit(index.url).netloc
        self._path = f"/{index.alias}/_bulk?filter_path=errors"
        self._bodies = [
            b"".join(lines(*document) for document in documents[start : start + CHUNK])
            for start in range(0, len(documents), CHUNK)
        ]

    def contender(self) -> Contender:
        """The contender."""
        return _contender(self._index, self._name, self._documents, self._operation)

    def _operation(self, _: int) -> None:
        bodies = deque(self._bodies)
        senders = [
            self._pool.submit(self._send, bodies) for _ in range(self._connections)
        ]
        for sender in senders:
            sender.result()

    def _send(self, bodies: deque[bytes]) -> None:
        connection = http.client.HTTPConnection(self._host)
        headers = {"content-type": "application/x-ndjson"}
        while True:
            try:
                body = bodies.popleft()
            except IndexError:
                return connection.close()
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse().read()
            if b"false" not in answer:
                raise RuntimeError(answer)


# --- the others --------------------------------------------------------------------


def _ours(name: str, index: Index, documents: Any, encode: Any) -> Contender:
    def operation(_: int) -> None:
        writes = (Write(id_, 1, document) for id_, document in documents)
        for result in index.engine.write(index.schema, writes, encode):
            if result.outcome is not Outcome.WRITTEN:
                raise RuntimeError(result)

    return _contender(index, name, documents, operation)


def _helper(
    name: str, index: Index, documents: Documents, client: Elasticsearch, helper: Any,
    **options: Any,
) -> Contender:  # fmt: skip
    def actions() -> Iterator[dict[str, Any]]:
        for id_, document in documents:
            yield {"_index": index.alias, "_id": id_, "_source": document}

    def operation(_: int) -> None:
        deque(helper(client, actions(), chunk_size=CHUNK, **options), maxlen=0)

    return _contender(index, name, documents, operation)
