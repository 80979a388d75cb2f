"""Unmodified Ramses on these engines, in an environment of its own.

``RAMSES_TESTS=all`` runs every test with every database and index; otherwise each runs
once, and those that an index or a database could change run on both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import empty_database
from tools import ramses

ROOT = Path(__file__).parent.parent.parent
RAML = ROOT / "examples" / "newsroom" / "api.raml"

_SQLA, _ES = "nefertari_engine_base.primary.sqla", "nefertari_es"
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
        with empty_database(kind, server_of, tmp_path_factory) as url:
            environment = {
                **os.environ,
                "NEWSROOM": json.dumps({**settings, "sqlalchemy.url": url}),
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


#: Installed with Ramses; the folder has tests of nefertari-guards as well.
_THEIR_TESTS = ("acl", "auth", "generators", "models", "registry", "utils", "views")

_BESIDE_THE_STAND_INS = """
import sys, pytest
from nefertari_engine_base.compat import standins
standins.install()
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_the_tests_of_ramses_pass_beside_the_stand_ins(python):
    where = "import nefertari; print(nefertari.__path__[0])"
    said = subprocess.run([python, "-c", where], capture_output=True, text=True)
    folder = Path(said.stdout.strip()).parent
    result = subprocess.run(
        [
            *(str(python), "-W", "ignore", "-c", _BESIDE_THE_STAND_INS, "-q"),
            *("-p", "no:cacheprovider", "-W", "ignore", "--rootdir", "."),
            *(f"tests/test_{name}.py" for name in _THEIR_TESTS),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "199 passed" in result.stdout, result.stdout + result.stderr


def token_raml(folder: Path) -> Path:
    """The newsroom's RAML with tokens for tickets, in a copy."""
    copy = shutil.copytree(RAML.parent, folder / "newsroom") / RAML.name
    text = RAML.read_text()
    copy.write_text(text.replace("securedBy: [ticket]", "securedBy: [token]"))
    return Path(copy)


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


def test_it_authenticates_by_tokens(run, settings, tmp_path):
    settings["ramses.raml_schema"] = str(token_raml(tmp_path))
    run("sqlite", ("tokens",))


def test_it_needs_no_authentication(run, settings):
    settings["auth"] = "false"
    run("sqlite", ("open",))
