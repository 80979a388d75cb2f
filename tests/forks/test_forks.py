"""Processes that are forked from one that has loaded the application."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa

from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from tests.conftest import empty_database
from tests.mongo.conftest import empty_mongodb
from tests.sync.processes import write_ini
from tests.sync.working import until
from tools.servers.ports import free_ports

WORKERS = 4
NOTES = 400


@pytest.fixture(params=["sqlite", "postgresql", "mongodb"])
def database(request, server_of, tmp_path_factory):
    """Settings of the primary."""
    if request.param == "mongodb":
        with empty_mongodb(server_of("mongodb").url) as found:
            host = server_of("mongodb").url.rpartition("/")[0]
            yield {
                "nefertari.engine": "nefertari_engine_base.primary.mongo nefertari_es",
                "mongodb.url": f"{host}/{found.name}",
            }
        return
    with empty_database(request.param, server_of, tmp_path_factory) as url:
        yield {
            "nefertari.engine": "nefertari_engine_base.primary.sqla nefertari_es",
            "sqlalchemy.url": url,
        }


class Server:
    """A server on a port of this machine."""

    def __init__(self, port):
        self.port = port

    def ask(self, path, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", f"/{path}?{urlencode(parameters)}")
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return json.loads(body)
        finally:
            connection.close()

    def answers(self):
        try:
            return self.ask("read", key=0)
        except OSError:
            return None


@contextmanager
def gunicorn(ini, log):
    """Four preloaded workers."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gunicorn", "--preload", "--paste", ini]
    options = ["--workers", str(WORKERS), "--threads", "4"]
    bind = ["--bind", f"127.0.0.1:{port}"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, *options, *bind], stdout=said, stderr=said
        )
    server = Server(port)
    try:
        until(lambda: process.poll() is not None or server.answers(), 120)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        process.terminate()
        process.wait(60)


def test_four_preloaded_workers_of_gunicorn_get_their_own_answers(
    database, elasticsearch_url, index_prefix, tmp_path
):
    settings = {
        **database,
        "elasticsearch.hosts": elasticsearch_url,
        "elasticsearch.index_prefix": index_prefix,
    }
    ini = write_ini(tmp_path / "app.ini", settings, "tests.forks.application:main")
    log = tmp_path / "gunicorn.log"
    with gunicorn(ini, log) as server, ThreadPoolExecutor(16) as threads:

        def write_and_read(key):
            return server.ask("create", key=key, text=f"note {key}")

        found = list(threads.map(write_and_read, range(1, NOTES)))
        for key, answer in enumerate(found, 1):
            text = f"note {key}"
            assert (answer["database"], answer["index"]) == (text, text), key
        assert len({answer["process"] for answer in found}) == WORKERS
        again = list(threads.map(lambda key: server.ask("read", key=key), range(NOTES)))
    texts = ["before the fork", *(f"note {key}" for key in range(1, NOTES))]
    assert [answer["index"] for answer in again] == texts
    assert "Traceback" not in log.read_text()


def in_child(ask):
    """What a forked process answers."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.write(writing, str(ask()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(process, 0)
    return text


def test_an_engine_of_the_application_that_is_forked_with_connections_is_warned_of(
    postgresql_database_url, caplog
):
    engine = sa.create_engine(postgresql_database_url)
    primary = SQLAlchemyEngine(engine)

    def warnings():
        return [record.levelname for record in caplog.records if "fork" in record.msg]

    assert in_child(warnings) == "[]"
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    assert in_child(warnings) == "['WARNING']"
    engine.dispose()
    assert in_child(warnings) == "[]"
    primary.close()
