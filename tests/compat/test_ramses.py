"""Unmodified Ramses on these engines, in an environment of its own.

``RAMSES_TESTS=all`` runs every test with every database and index; otherwise each runs
once, and those that an index or a database could change run on both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import empty_database
from tests.mongo.conftest import empty_mongodb
from tools import ramses

ROOT = Path(__file__).parent.parent.parent
RAML = ROOT / "examples" / "newsroom" / "api.raml"

_SQLA, _ES = "nefertari_engine_base.primary.sqla", "nefertari_es"
_MONGO = "nefertari_engine_base.primary.mongo"
_TICKET = ("users", "articles", "search", "tickets", "models", "programs")

#: What is asked of Elasticsearch when not everything is: what it stores, how it is
#: asked, who keeps it up to date.
_SHORT = (
    "every_type or asked_for or several or aggregated or found_by_words or script"
    " or system or filtered or profile_and or changes_its_author or server or missing"
)


@pytest.fixture(scope="module")
def python() -> Path:
    return ramses.python()


@pytest.fixture
def settings(elasticsearch_url, index_prefix) -> dict[str, str]:
    return {
        "pyramid.includes": "nefertari_engine_base.compat",
        "nefertari.engine": f"{_SQLA} {_ES}",
        "elasticsearch.hosts": elasticsearch_url.removeprefix("http://").rstrip("/"),
        "elasticsearch.index_name": index_prefix,
        "elasticsearch.enable_refresh_query": "true",
        "elasticsearch.enable_aggregations": "true",
        "elasticsearch.enable_polymorphic_query": "true",
        "ramses.raml_schema": str(RAML),
        "auth": "true",
        "auth_tkt_secret": "secret",
        "system.user": "system",
        "system.password": "123456",
        "system.email": "system@example.com",
        "enable_get_tunneling": "true",
    }


@pytest.fixture
def run(python, server_of, tmp_path_factory, settings):
    """Runs tests of ``tests/ramses`` on a database of this kind."""

    def run_on(kind: str, names: tuple[str, ...], *arguments: str) -> None:
        with primary(kind, server_of, tmp_path_factory) as where:
            engine = settings["nefertari.engine"]
            if kind == "mongodb":
                engine = engine.replace(_SQLA, _MONGO)
            newsroom = {**settings, "nefertari.engine": engine, **where}
            environment = {
                **os.environ,
                "NEWSROOM": json.dumps(newsroom),
                "PYTHONPATH": str(ROOT),
            }
            files = [f"tests/ramses/test_{name}.py" for name in names]
            result = subprocess.run(
                [
                    *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                    # Nefertari and Ramses use what is deprecated.
                    *("-o", "filterwarnings=", "-W", "ignore", *files, *arguments),
                ],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert result.returncode == 0, result.stdout + result.stderr

    return run_on


@contextmanager
def primary(kind: str, server_of, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The setting that says where an empty database of a kind is, for a while."""
    if kind == "mongodb":
        with empty_mongodb(server_of(kind).url) as database:
            host = urlsplit(server_of(kind).url)._replace(path=f"/{database.name}")
            yield {"mongodb.url": host.geturl()}
    else:
        with empty_database(kind, server_of, tmp_path_factory) as url:
            yield {"sqlalchemy.url": url}


#: Installed with Ramses: 199 tests, and 64 of nefertari-guards. Of its other two, one
#: needs nefertari-sqla, one asserts queries of servers before version 5.
_THEIR_TESTS = (
    *("acl", "auth", "generators", "models", "registry", "utils", "views"),
    *("acl_utils", "base", "count_ace_script", "documents", "elasticsearch"),
    *("script_utils", "update_ace_script", "view"),
)
_NOT_THEIRS = "not test_build_search_params"

_BESIDE_THE_STAND_INS = """
import sys, pytest
from nefertari_engine_base.compat import standins
standins.install()
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_the_tests_of_ramses_and_guards_pass_beside_the_stand_ins(python):
    where = "import nefertari; print(nefertari.__path__[0])"
    said = subprocess.run([python, "-c", where], capture_output=True, text=True)
    folder = Path(said.stdout.strip()).parent
    result = subprocess.run(
        [
            *(str(python), "-W", "ignore", "-c", _BESIDE_THE_STAND_INS, "-q"),
            *("-p", "no:cacheprovider", "-W", "ignore", "--rootdir", "."),
            *("-k", _NOT_THEIRS),
            *(f"tests/test_{name}.py" for name in _THEIR_TESTS),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "263 passed" in result.stdout, result.stdout + result.stderr


def _short() -> tuple[str, ...]:
    return () if os.environ.get("RAMSES_TESTS") == "all" else ("-k", _SHORT)


def test_it_runs_on_sqlite_without_a_secondary(run, settings):
    settings["nefertari.engine"] = _SQLA
    run("sqlite", _TICKET)


def test_it_runs_on_postgresql_with_elasticsearch(run):
    run("postgresql", _TICKET, *_short())


@pytest.mark.skipif(bool(_short()), reason="one way is enough for the short form")
def test_it_runs_on_sqlite_with_elasticsearch(run):
    run("sqlite", _TICKET)


def test_it_runs_on_mongodb_with_elasticsearch(run):
    run("mongodb", _TICKET, *_short())


def test_it_runs_on_mongodb_without_a_secondary(run, settings):
    settings["nefertari.engine"] = _SQLA
    run("mongodb", _TICKET)


@pytest.fixture
def tokens(settings, tmp_path) -> None:
    folder = shutil.copytree(RAML.parent, tmp_path / "newsroom")
    raml = folder / RAML.name
    raml.write_text(
        RAML.read_text().replace("securedBy: [ticket]", "securedBy: [token]")
    )
    settings["ramses.raml_schema"] = str(raml)


_GUARDS = ("guards", "guards_writes")


@pytest.fixture
def guarded(settings) -> dict[str, str]:
    settings["database_acls"] = "true"
    return settings


def test_access_control_lists_filter_on_sqlite_without_a_secondary(run, guarded):
    guarded["nefertari.engine"] = _SQLA
    run("sqlite", _GUARDS)


def test_access_control_lists_filter_on_postgresql_with_elasticsearch(run, guarded):
    run("postgresql", _GUARDS)


@pytest.mark.skipif(bool(_short()), reason="one way is enough for the short form")
@pytest.mark.parametrize("search", ["elasticsearch", "opensearch"])
def test_access_control_lists_filter_on_sqlite_with(run, guarded, server_of, search):
    guarded["elasticsearch.hosts"] = server_of(search).url
    run("sqlite", _GUARDS)


@pytest.mark.parametrize("policy", ["telling", "identifying"])
def test_access_control_lists_ask_a_security_policy_for_principals(
    run, guarded, tmp_path, monkeypatch, policy
):
    folder = shutil.copytree(RAML.parent, tmp_path / "newsroom")
    raml = folder / RAML.name
    raml.write_text(RAML.read_text().replace("securedBy: [ticket]\n", ""))
    guarded["ramses.raml_schema"] = str(raml)
    guarded["pyramid.includes"] += " tests.ramses.policy"
    guarded["nefertari.engine"] = f"\n{_SQLA}\n{_ES}"
    monkeypatch.setenv("NEWSROOM_POLICY", policy)
    run("sqlite", ("policies",))


@pytest.mark.usefixtures("tokens")
@pytest.mark.parametrize("kind", ["sqlite", "mongodb"])
def test_it_authenticates_by_tokens(run, kind):
    run(kind, ("tokens",))


@pytest.mark.parametrize("kind", ["sqlite", "mongodb"])
def test_it_needs_no_authentication(run, settings, kind):
    settings["auth"] = "false"
    run(kind, ("open",))
