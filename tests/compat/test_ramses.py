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
_EVERY = (
    *("users", "articles", "search", "models", "programs"),
    *("tickets", "tokens", "open", "permissions"),
)

#: What is asked of Elasticsearch when not everything is: what it stores, how it is
#: asked, who keeps it up to date.
_WORDS = (
    "every_type or asked_for or several or aggregated or found_by_words or script"
    " or system or filtered or profile_and or changes_its_author or server or missing"
)

#: What runs when not everything does: by engines and how one authenticates oneself,
#: the files, and words in the names of their tests.
_SHORT = {
    ("sqlite alone", "tickets"): (_EVERY, ""),
    ("postgresql", "tickets"): (_EVERY, _WORDS),
    ("postgresql", "tokens"): (("tokens", "permissions"), ""),
    ("sqlite", "open"): (("open",), ""),
}

#: Reads and writes by what the application has imported before.
_EARLY = "survives or asked_for or aggregated or several"


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


@pytest.fixture(params=["tickets", "tokens", "open"])
def mode(request, settings, tmp_path) -> str:
    """How one authenticates oneself."""
    if request.param == "tokens":
        settings["ramses.raml_schema"] = str(token_raml(tmp_path))
    if request.param == "open":
        settings["auth"] = "false"
    return request.param


@pytest.fixture
def run_all(run, mode):
    """Runs every test, or of some engines the short form."""

    def run_on(kind: str, engines: str) -> None:
        if os.environ.get("RAMSES_TESTS") == "all":
            run(kind, _EVERY)
            return
        names, words = _SHORT.get((engines, mode), ((), ""))
        if not names:
            pytest.skip("RAMSES_TESTS=all runs it")
        run(kind, names, *(("-k", words) if words else ()))

    return run_on


def test_it_runs_on_sqlite_without_a_secondary(run_all, settings):
    settings["nefertari.engine"] = _SQLA
    run_all("sqlite", "sqlite alone")


def test_it_runs_on_postgresql_with_elasticsearch(run_all):
    run_all("postgresql", "postgresql")


def test_it_runs_on_sqlite_with_elasticsearch(run_all):
    run_all("sqlite", "sqlite")


def test_a_module_that_was_imported_before_is_changed_in_its_place(run, settings):
    run("sqlite", ("articles", "search"), "-p", "tests.ramses.early", "-k", _EARLY)
