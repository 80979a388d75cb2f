"""The bulk writer: chunks, connections, and what becomes of a failure."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from nefertari_engine_base.encoding import content_hash
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.testing.workbench import Workbench, drop, put
from nefertari_engine_base.values import Outcome, Query, Write
from nefertari_es.client import make_client
from nefertari_es.settings import ElasticsearchSettings
from nefertari_es.writer import BulkWriter


def _writes(count, size=0):
    text = b"x" * size
    return [Write(str(n), 1, b'{"id":%d,"t":"%b"}' % (n, text)) for n in range(count)]


class FakeServer:
    """Answers bulk requests as a function of their number and documents."""

    def __init__(self, answer):
        self.sizes: list[int] = []
        self.paths: set[str] = set()
        self.threads: set[int] = set()
        lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                count = body.count(b'"version_type"')
                with lock:
                    fake.sizes.append(count)
                    fake.paths.add(self.path)
                    fake.threads.add(threading.get_ident())
                    status, items = answer(len(fake.sizes), count)
                data = items if isinstance(items, bytes) else orjson.dumps(items)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"


def _landed(_, count):
    return 200, {"errors": False, "items": [{"index": {"status": 201}}] * count}


@pytest.fixture
def fake_writer():
    """Function that makes a writer to a fake server: (writer, server)."""
    closing = []

    def make(answer=_landed, **settings):
        fake = FakeServer(answer)
        options = ElasticsearchSettings(hosts=(fake.url,), **settings)
        client = make_client(options)
        closing.append((client, fake.server))
        return BulkWriter(client, options), fake

    yield make
    for client, server in closing:
        client.close()
        server.shutdown()
        server.server_close()


def _outcomes(results):
    return [result.outcome for result in results]


def test_chunks_end_at_a_number_of_documents(fake_writer):
    writer, fake = fake_writer(bulk_documents=10)
    assert len(writer.write("a", _writes(25))) == 25
    assert sorted(fake.sizes) == [5, 10, 10]
    assert all(path.startswith("/a/_bulk?") for path in fake.paths)
    assert all("require_alias=true" in path for path in fake.paths)


def test_chunks_end_at_a_number_of_bytes(fake_writer):
    writer, fake = fake_writer(bulk_bytes=5000)
    writes = [*_writes(8, 1000), *_writes(1, 20_000), *_writes(2, 10)]
    assert len(writer.write("a", writes)) == 11
    assert 1 in fake.sizes
    assert max(fake.sizes) <= 4


def test_one_chunk_is_sent_without_a_thread(fake_writer, monkeypatch):
    writer, fake = fake_writer()
    monkeypatch.setattr("nefertari_es.writer.ThreadPoolExecutor", None)
    assert _outcomes(writer.write("a", _writes(1000))) == [Outcome.WRITTEN] * 1000
    assert fake.sizes == [1000]


def test_a_request_that_is_too_large_is_split(fake_writer):
    def answer(number, count):
        return (413, {}) if count > 3 else _landed(number, count)

    writer, fake = fake_writer(answer)
    assert _outcomes(writer.write("a", _writes(10))) == [Outcome.WRITTEN] * 10
    assert max(size for size in fake.sizes if size <= 3) <= 3


def test_a_document_that_is_too_large_is_refused_alone(fake_writer):
    writer, _ = fake_writer(lambda number, count: (413, {}))
    results = writer.write("a", _writes(3))
    assert _outcomes(results) == [Outcome.REFUSED] * 3
    assert all(result.reason for result in results)


def test_what_the_server_cannot_take_now_is_deferred(fake_writer):
    error = {"type": "es_rejected_execution_exception", "reason": "full"}
    block = {"type": "cluster_block_exception", "reason": "read-only"}
    items = [
        {"index": {"status": 201}},
        {"index": {"status": 429, "error": error}},
        {"index": {"status": 403, "error": block}},
        {"index": {"status": 400, "error": {"type": "t", "reason": "bad"}}},
        {"index": {"status": 409, "error": {"type": "v", "reason": "newer"}}},
    ]
    answer = {"errors": True, "items": items}
    writer, _ = fake_writer(lambda number, count: (200, answer))
    results = writer.write("a", _writes(5))
    assert _outcomes(results) == [
        Outcome.WRITTEN,
        Outcome.DEFERRED,
        Outcome.DEFERRED,
        Outcome.REFUSED,
        Outcome.SUPERSEDED,
    ]
    assert results[3].reason == "t: bad"


@pytest.mark.parametrize(
    "answer",
    [
        _landed(1, 2)[1],
        {"errors": True, "items": [{"index": {"status": 201}}] * 2},
        {"errors": True},
        ["items"],
        b"<html>Welcome</html>",
        b"",
    ],
    ids=str,
)
@pytest.mark.parametrize("chunks", [1, 2])
def test_what_does_not_answer_for_every_write_is_an_error(fake_writer, answer, chunks):
    writer, _ = fake_writer(lambda number, count: (200, answer), bulk_documents=3)
    with pytest.raises(SecondaryUnavailable, match=r"bulk request|2 of 3 writes"):
        writer.write("a", _writes(3 * chunks))


def test_a_source_that_cannot_be_encoded_raises_what_its_encoder_did(fake_writer):
    writer, _ = fake_writer(bulk_documents=1)
    with pytest.raises(TypeError):
        writer.write("a", [Write("1", 1, {}), Write("2", 1, object())], orjson.dumps)


def test_a_server_that_falls_silent_leaves_the_rest_deferred(fake_writer):
    def answer(number, count):
        return _landed(number, count) if number < 3 else (503, {"error": "down"})

    writer, fake = fake_writer(answer, bulk_documents=10, bulk_connections=1)
    results = writer.write("a", _writes(100))
    assert _outcomes(results) == [Outcome.WRITTEN] * 20 + [Outcome.DEFERRED] * 80
    assert [result.id for result in results] == [str(n) for n in range(100)]
    assert len(fake.sizes) == 3


@pytest.mark.parametrize("count", [1, 100])
def test_a_server_that_is_not_there_raises(fake_writer, count):
    writer, _ = fake_writer(
        lambda number, count: (429, {"error": "busy"}), bulk_documents=10
    )
    with pytest.raises(SecondaryUnavailable) as caught:
        writer.write("a", _writes(count))
    assert caught.value.__cause__ is not None


def test_nobody_answering_raises_and_reads_no_further():
    settings = ElasticsearchSettings(hosts=("http://127.0.0.1:1",), bulk_documents=10)
    client = make_client(settings)
    read = []
    writes = (read.append(write) or write for write in _writes(10_000))
    with pytest.raises(SecondaryUnavailable):
        BulkWriter(client, settings).write("a", writes)
    assert len(read) < 1000
    client.close()


def test_a_missing_index_is_not_made_up(search_engine):
    bench = Workbench(search_engine)
    alias = search_engine.model_of(bench.schema).alias
    search_engine.client.indices.delete(index=f"{alias}-000001")
    for writes in ([put("1", 1, id=1)], [drop("1", 2)]):
        with pytest.raises(SecondaryUnavailable, match="setup_database"):
            search_engine.write(bench.schema, writes)
    assert not search_engine.client.indices.exists(index=alias)


def test_sources_can_be_encoded_by_the_writer(search_engine):
    bench = Workbench(search_engine)
    writes = [Write(str(n), 1, {"id": n, "string": "é"}) for n in range(700)]
    results = search_engine.write(bench.schema, iter(writes), encode=orjson.dumps)
    assert _outcomes(results) == [Outcome.WRITTEN] * 700
    assert bench.get("699")[0].string == "é"


def test_documents_carry_version_and_hash_of_their_contents(search_engine):
    bench = Workbench(search_engine)
    source = b'{"id":1}'
    bench.write(Write("1", 2**53 + 1, source))
    alias = search_engine.model_of(bench.schema).alias
    stored = search_engine.client.get(index=alias, id="1")["_source"]
    sync = stored["_sync"]
    assert isinstance(sync.pop("at"), int)
    assert sync == {"version": 2**53 + 1, "hash": content_hash(source)}
    assert len(sync["hash"]) == 12
    assert "_sync" not in bench.get("1")[0].to_dict()
    search_engine.refresh([bench.schema])
    assert bench.ids(text=str(2**53 + 1)) == []
    assert search_engine.count(bench.schema, Query()) == 1


def test_when_and_why_a_document_was_written_are_in_no_mapping(search_engine):
    bench = Workbench(search_engine)
    bench.write(put("1", 1, id=1))
    alias = search_engine.model_of(bench.schema).alias
    (index,) = search_engine.client.indices.get_mapping(index=alias).body.values()
    mapped = index["mappings"]["properties"]["_sync"]["properties"]
    assert mapped.keys() == {"version", "hash"}
