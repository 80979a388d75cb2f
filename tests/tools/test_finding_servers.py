"""What the development servers are found with, before any of them is started."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tools.servers import (
    NAMES,
    MissingDependency,
    NotOurServer,
    ServersError,
    Settings,
    start,
)
from tools.servers.cache import installed
from tools.servers.doctor import report
from tools.servers.elasticsearch import Elasticsearch
from tools.servers.java import JavaRange, find


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


class TestServersOfOthers:
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
