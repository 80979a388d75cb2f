"""The development servers; the cheapest real one, PostgreSQL, stands for all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
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
    NotOurServer,
    Server,
    ServerFailed,
    ServersError,
    Settings,
    running,
    start,
)
from tools.servers.cache import installed
from tools.servers.doctor import report
from tools.servers.elasticsearch import Elasticsearch
from tools.servers.java import JavaRange, find
from tools.servers.process import Command
from tools.servers.recipe import Finding, Recipe, Scratch
from tools.servers.server import OwnServer
from tools.servers.signals import Forwarder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Those of the environment, but for servers that are not ours to kill."""
    return replace(Settings.from_environment(), urls={})


@pytest.fixture(scope="module")
def postgresql(settings: Settings) -> Iterator[Server]:
    with start("postgresql", settings) as server:
        yield server


@pytest.fixture
def bare() -> Iterator[Settings]:
    """Settings of a machine where nothing is installed and nothing may be."""
    # Not tmp_path, which is closed to the users that root's servers run as.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Settings(
            cache=folder / "cache",
            search_path=str(folder / "bin"),
            jvm_folder=folder / "jvm",
            postgresql_folder=folder / "postgresql",
        )


def make_jdk(home: Path, version: int) -> Path:
    """Make what looks like a JDK to whoever asks its ``java`` for its properties."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f"#!/bin/sh\n"
        f"echo '    java.home = {home}' >&2\n"
        f"echo '    java.specification.version = {version}' >&2\n"
    )
    java.chmod(0o755)
    (java.parent / "javac").touch()
    return home


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


class TestServersOfOthers:
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

    @pytest.mark.parametrize("name", NAMES)
    def test_every_server_has_its_variable(self, name: str) -> None:
        environ = {f"{name.upper()}_URL": "scheme://somewhere", "HOME": "/"}
        server = start(name, Settings.from_environment(environ))
        assert (server.name, server.url) == (name, "scheme://somewhere")

    @pytest.mark.parametrize("verb", ["halt", "kill", "pause", "resume", "restart"])
    def test_they_are_not_controlled(self, bare: Settings, verb: str) -> None:
        server = start("postgresql", replace(bare, urls={"postgresql": "pg://there"}))
        with pytest.raises(NotOurServer, match=r"Unset POSTGRESQL_URL"):
            getattr(server, verb)()

    def test_an_empty_variable_is_none(self) -> None:
        assert not Settings.from_environment({"MONGODB_URL": ""}).urls


class TestWhatIsMissing:
    @pytest.mark.parametrize("name", ["elasticsearch", "opensearch", "mongodb"])
    def test_missing_java_is_a_message_that_says_what_to_install(
        self, bare: Settings, name: str
    ) -> None:
        message = r"needs Java 17.*apt-get install default-jdk-headless"
        with pytest.raises(MissingDependency, match=message):
            start(name, bare)

    @pytest.mark.parametrize("name", ["elasticsearch", "opensearch", "mongodb"])
    def test_missing_maven_is_a_message_that_says_what_to_install(
        self, bare: Settings, name: str
    ) -> None:
        make_jdk(bare.jvm_folder / "jdk", 21)
        with pytest.raises(MissingDependency, match=r"apt-get install maven"):
            start(name, bare)

    def test_missing_postgresql_is_a_message_that_says_what_to_install(
        self, bare: Settings
    ) -> None:
        with pytest.raises(MissingDependency, match=r"apt-get install postgresql"):
            start("postgresql", bare)

    def test_the_doctor_tells_all_of_it_and_touches_nothing(
        self, bare: Settings, tmp_path: Path
    ) -> None:
        with (tmp_path / "report").open("w+") as output:
            is_complete = report(NAMES, bare, output)
            output.seek(0)
            text = output.read()
        assert not is_complete
        assert text.count("MISSING") == 7
        assert not bare.cache.exists()

    def test_the_doctor_is_content_with_urls(
        self, bare: Settings, tmp_path: Path
    ) -> None:
        given = replace(bare, urls=dict.fromkeys(NAMES, "scheme://somewhere"))
        with (tmp_path / "report").open("w") as output:
            assert report(NAMES, given, output)

    def test_an_unknown_name_is_told_the_known_ones(self, bare: Settings) -> None:
        with pytest.raises(ServersError, match=r"Choose from: elasticsearch, "):
            start("elastic", bare)

    def test_an_unknown_storage_is_told_the_known_ones(self, bare: Settings) -> None:
        with pytest.raises(ServersError, match=r"set it to one of: memory, h2"):
            replace(bare, mongodb_storage="disk")


class TestJava:
    def test_java_home_comes_before_path_and_path_before_the_system(
        self, bare: Settings, tmp_path: Path
    ) -> None:
        in_system = make_jdk(bare.jvm_folder / "jdk", 17)
        assert found_home(bare, JavaRange(17)) == in_system
        on_path = make_jdk(tmp_path / "on-path", 17)
        bare = replace(bare, search_path=str(on_path / "bin"))
        assert found_home(bare, JavaRange(17)) == on_path
        chosen = make_jdk(tmp_path / "chosen", 17)
        bare = replace(bare, java_home=chosen)
        assert found_home(bare, JavaRange(17)) == chosen

    def test_a_jdk_that_a_server_cannot_use_is_passed_over(
        self, bare: Settings, tmp_path: Path
    ) -> None:
        bare = replace(bare, java_home=make_jdk(tmp_path / "old", 17))
        newer = make_jdk(bare.jvm_folder / "newer", 25)
        assert found_home(bare, JavaRange(21)) == newer
        assert found_home(bare, JavaRange(21, below=24)) is None

    @pytest.mark.parametrize(
        ("java", "server"), [(25, "9.5.0"), (21, "9.5.0"), (17, "8.19.9")]
    )
    def test_elasticsearch_is_the_newest_that_java_can_run(
        self, bare: Settings, java: int, server: str
    ) -> None:
        make_jdk(bare.jvm_folder / "jdk", java)
        told = next(Elasticsearch(bare).findings())
        assert told.text.startswith(f"Elasticsearch {server} on Java {java}")

    def test_elasticsearch_is_the_version_that_is_asked_for(
        self, bare: Settings
    ) -> None:
        make_jdk(bare.jvm_folder / "jdk", 25)
        asked = replace(bare, elasticsearch_version="9.2.0")
        told = next(Elasticsearch(asked).findings())
        assert told.text.startswith("Elasticsearch 9.2.0 on Java 25")


def found_home(settings: Settings, wanted: JavaRange) -> Path | None:
    java = find(settings, wanted)
    return java.home if java else None


class TestInstallations:
    def test_many_who_ask_at_once_get_one_that_is_built_once(
        self, tmp_path: Path
    ) -> None:
        built = []
        together = threading.Barrier(8)

        def build(work: Path) -> Path:
            built.append(work)
            (work / "result").mkdir()
            (work / "result" / "file").write_text("complete")
            return work / "result"

        def ask() -> str:
            together.wait()
            return (installed(tmp_path, "thing", build) / "file").read_text()

        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(ask) for _ in range(8)]
        assert {answer.result() for answer in answers} == {"complete"}
        assert len(built) == 1

    def test_one_that_failed_leaves_nothing_and_can_be_tried_again(
        self, tmp_path: Path
    ) -> None:
        def fail(work: Path) -> Path:
            (work / "half").touch()
            raise ServersError("no network")

        def succeed(work: Path) -> Path:
            (work / "result").mkdir()
            return work / "result"

        with pytest.raises(ServersError, match="no network"):
            installed(tmp_path, "thing", fail)
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
        assert installed(tmp_path, "thing", succeed).is_dir()


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
