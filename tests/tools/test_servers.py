"""The development servers; the cheapest real one, PostgreSQL, stands for all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import psycopg
import pytest

from tools.servers import (
    NAMES,
    MissingDependency,
    Server,
    ServerFailed,
    ServersError,
    Settings,
    running,
    start,
)
from tools.servers.process import Command
from tools.servers.recipe import Finding, Recipe, Scratch
from tools.servers.server import OwnServer
from tools.servers.signals import Forwarder

ROOT = Path(__file__).parents[2]


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def listens(url: str) -> bool:
    host, _, port = url.rpartition("@")[2].partition("/")[0].partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 5):
        return True
    return False


def data_folder(url: str) -> Path:
    return Path(str(query(url, "SHOW data_directory")[0][0]))


class Doomed(Recipe):
    """A server that tells why it cannot start, or that never serves."""

    script = "echo no luck today >&2; exit 3"

    def fetch(self) -> None:
        pass

    def prepare(self, scratch: Scratch) -> None:
        pass

    def command(self, scratch: Scratch) -> Command:
        return Command(("sh", "-c", self.script))

    def url(self, scratch: Scratch) -> str:
        return f"doomed://127.0.0.1:{scratch.ports[0]}"

    def is_ready(self, scratch: Scratch) -> bool:
        return False

    def findings(self) -> Iterator[Finding]:
        yield Finding("doomed")


class Hanging(Doomed):
    script = "sleep 1000"


class TestFailures:
    def test_a_server_that_dies_is_an_error_that_ends_with_its_log(
        self, bare: Settings
    ) -> None:
        message = r"doomed ended with status 3.*\nno luck today"
        with pytest.raises(ServerFailed, match=message):
            OwnServer("doomed", Doomed(bare), Event())

    def test_a_server_that_is_not_ready_in_time_is_stopped(
        self, bare: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tools.servers.server.READY_TIMEOUT", 0.3)
        with pytest.raises(ServerFailed, match="hanging was not ready after"):
            OwnServer("hanging", Hanging(bare), Event())

    def test_a_start_can_be_abandoned(self, bare: Settings) -> None:
        abandoned = Event()
        abandoned.set()
        with pytest.raises(ServersError, match="was given up"):
            OwnServer("hanging", Hanging(bare), abandoned)

    def test_when_one_does_not_start_the_others_are_stopped(
        self, settings: Settings, bare: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_java = replace(bare, postgresql_folder=settings.postgresql_folder)
        monkeypatch.setattr(tempfile, "tempdir", str(bare.cache.parent))
        with (
            pytest.raises(MissingDependency, match="Java"),
            running("postgresql", "mongodb", settings=without_java),
        ):
            pytest.fail("MongoDB cannot have started without Java")
        assert list(bare.cache.parent.glob("nefertari-*")) == []


class TestLifeOfAServer:
    def test_a_url_in_the_environment_is_used_as_it_is_and_never_stopped(
        self, postgresql: Server, settings: Settings
    ) -> None:
        given = replace(settings, urls={"postgresql": postgresql.url})
        with running("postgresql", settings=given) as urls:
            assert urls == {"postgresql": postgresql.url}
        server = start("postgresql", given)
        assert server.external
        server.stop()
        assert query(postgresql.url, "SELECT 1") == [(1,)]

    def test_it_is_configured_for_capture_and_durability(
        self, postgresql: Server
    ) -> None:
        expected = {
            "wal_level": "logical",
            "max_connections": "200",
            "fsync": "on",
            "listen_addresses": "127.0.0.1",
        }
        for name, value in expected.items():
            assert query(postgresql.url, f"SHOW {name}") == [(value,)]

    @pytest.mark.parametrize("end", ["kill", "halt"])
    def test_a_killed_or_halted_server_comes_back_with_its_data(
        self, postgresql: Server, end: str
    ) -> None:
        url = postgresql.url
        query(url, f"CREATE TABLE survives_{end} AS SELECT 42 AS answer")
        getattr(postgresql, end)()
        assert not listens(url)
        postgresql.restart()
        assert postgresql.url == url
        assert query(url, f"SELECT answer FROM survives_{end}") == [(42,)]

    def test_a_running_server_is_halted_before_it_is_restarted(
        self, postgresql: Server
    ) -> None:
        begun = query(postgresql.url, "SELECT pg_postmaster_start_time()")
        postgresql.restart()
        assert query(postgresql.url, "SELECT pg_postmaster_start_time()") > begun

    def test_a_paused_server_hangs_with_all_its_processes_until_it_is_resumed(
        self, postgresql: Server
    ) -> None:
        with ThreadPoolExecutor(2) as pool, connect(postgresql.url) as connected:
            postgresql.pause()
            pending: tuple[Future[Any], ...] = (
                pool.submit(query, postgresql.url, "SELECT 1"),
                pool.submit(connected.execute, "SELECT 1"),
            )
            assert not wait(pending, timeout=0.3).done
            postgresql.resume()
            assert not wait(pending, timeout=30).not_done

    def test_a_paused_server_can_be_halted(self, postgresql: Server) -> None:
        postgresql.pause()
        begun = monotonic()
        postgresql.halt()
        assert monotonic() - begun < 30
        postgresql.restart()

    def test_a_server_that_does_not_run_is_not_paused(self, postgresql: Server) -> None:
        postgresql.halt()
        try:
            with pytest.raises(ServersError, match=r"Call restart\(\) first"):
                postgresql.pause()
        finally:
            postgresql.restart()

    def test_a_stopped_server_leaves_no_data_and_may_be_stopped_again(
        self, settings: Settings
    ) -> None:
        server = start("postgresql", settings)
        folder = data_folder(server.url)
        assert folder.exists()
        server.stop()
        assert not folder.parent.exists()
        assert not listens(server.url)
        server.stop()

    def test_all_are_stopped_when_the_block_raises(self, settings: Settings) -> None:
        seen = []

        def use_and_fail() -> None:
            with running("postgresql", settings=settings) as urls:
                seen.append(urls["postgresql"])
                assert listens(seen[0])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            use_and_fail()
        assert not listens(seen[0])


@contextlib.contextmanager
def command_line(
    *arguments: str, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run the tool as users do; kill it if the test leaves it behind."""
    ours = {name: os.environ[name] for name in os.environ if name[-4:] != "_URL"}
    process = subprocess.Popen(
        (sys.executable, "-m", "tools.servers", *arguments),
        cwd=ROOT,
        env={**ours, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def outcome(*arguments: str, **variables: str) -> tuple[int, str, str]:
    with command_line(*arguments, **variables) as process:
        output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


class TestCommandLine:
    def test_run_gives_the_command_the_urls_and_ends_with_its_status(self) -> None:
        script = "import os; print(os.environ['POSTGRESQL_URL']); raise SystemExit(7)"
        status, output, _ = outcome(
            "run", "postgresql", "--", sys.executable, "-c", script
        )
        assert status == 7
        assert output.startswith("postgresql+psycopg://nefertari@127.0.0.1:")
        assert not listens(output.strip())

    @pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
    def test_run_forwards_signals_to_the_command(self, signum: signal.Signals) -> None:
        script = "trap 'exit 9' INT TERM; echo up; while :; do sleep 0.05; done"
        with command_line("run", "postgresql", "--", "sh", "-c", script) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(signum)
            assert process.wait(60) == 9

    def test_a_signal_that_comes_before_the_command_is_not_lost(self) -> None:
        forwarder = Forwarder()
        forwarder(signal.SIGTERM)
        with subprocess.Popen(("sleep", "1000")) as command:
            forwarder.begin(command)
            assert command.wait(60) == -signal.SIGTERM

    def test_run_of_no_such_command_fails_as_in_a_shell(self) -> None:
        status, _, errors = outcome("run", "postgresql", "--", "no-such-command")
        assert status == 127
        assert "no-such-command: No such file" in errors

    def test_start_prints_exports_and_runs_until_it_is_interrupted(self) -> None:
        with command_line("start", "postgresql") as process:
            url = started_url(process)
            assert query(url, "SELECT 1") == [(1,)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        assert not listens(url)

    def test_servers_and_data_go_when_the_tool_is_killed(self) -> None:
        with command_line("start", "postgresql") as process:
            url = started_url(process)
            scratch = data_folder(url).parent
            process.kill()
            deadline = monotonic() + 30
            while (listens(url) or scratch.exists()) and monotonic() < deadline:
                Event().wait(0.02)
        assert not listens(url)
        assert not scratch.exists()

    def test_a_server_given_by_its_url_needs_nothing(self) -> None:
        script = "import os; print(os.environ['MONGODB_URL'])"
        status, output, _ = outcome(
            *("run", "mongodb", "--", sys.executable, "-c", script),
            MONGODB_URL="mongodb://there",
        )
        assert (status, output) == (0, "mongodb://there\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("start", "no-such-server"),
            ("run", "postgresql"),
            ("run", "postgresql", "--"),
            ("start", "postgresql", "--", "true"),
            ("doctor", "no-such-server"),
        ],
    )
    def test_errors_are_messages_with_status_2(self, arguments: tuple[str]) -> None:
        status, _, errors = outcome(*arguments)
        assert status == 2
        assert "Traceback" not in errors
        assert "servers: " in errors

    def test_the_doctor_writes_about_every_server(self) -> None:
        _, output, _ = outcome("doctor")
        assert all(f"{name}:" in output for name in NAMES)


def started_url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("export POSTGRESQL_URL=")
    return line.strip().partition("=")[2]


class TestAllServers:
    def test_they_start_together_and_serve(self, settings: Settings) -> None:
        with running(*NAMES, settings=settings) as urls:
            assert set(urls) == set(NAMES)
            check_search(urls)
            assert query(urls["postgresql"], "SELECT 1") == [(1,)]
            assert listens(urls["mongodb"].replace("//", "//@"))

    def test_mongodb_on_h2_keeps_its_data_when_it_is_halted(
        self, settings: Settings
    ) -> None:
        pymongo = pytest.importorskip("pymongo")
        durable = replace(settings, mongodb_storage="h2")
        with start("mongodb", durable) as server:
            with pymongo.MongoClient(server.url) as client:
                client.get_default_database().films.insert_one({"_id": 1})
            server.halt()
            server.restart()
            with pymongo.MongoClient(server.url) as client:
                assert client.get_default_database().films.find_one() == {"_id": 1}


def check_search(urls: Mapping[str, str]) -> None:
    for name in ("elasticsearch", "opensearch"):
        request = urllib.request.Request(
            f"{urls[name]}/films/_doc/1?refresh=true",
            method="PUT",
            data=b'{"title": "Blade Runner"}',
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 201
        with urllib.request.urlopen(f"{urls[name]}/films/_count?q=blade") as answer:
            assert b'"count":1' in answer.read()
