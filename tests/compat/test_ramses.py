"""Unmodified Ramses on these engines, in an environment of its own.

``RAMSES_TESTS=all`` runs every test with every database, with an index and without, and
in every way to authenticate oneself; otherwise each runs once, and those that a
database or an index could change run on all.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.compat.newsroom import ROOT, SQLA, token_raml

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
    ("mongodb alone", "tickets"): (_EVERY, _WORDS),
    ("mongodb", "tickets"): (_EVERY, _WORDS),
    ("mongodb", "tokens"): (("tokens", "permissions"), ""),
}

#: Reads and writes by what the application has imported before.
_EARLY = "survives or asked_for or aggregated or several"


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
    settings["nefertari.engine"] = SQLA
    run_all("sqlite", "sqlite alone")


def test_it_runs_on_postgresql_with_elasticsearch(run_all):
    run_all("postgresql", "postgresql")


def test_it_runs_on_sqlite_with_elasticsearch(run_all):
    run_all("sqlite", "sqlite")


def test_it_runs_on_mongodb_without_a_secondary(run_all, settings):
    settings["nefertari.engine"] = SQLA
    run_all("mongodb", "mongodb alone")


def test_it_runs_on_mongodb_with_elasticsearch(run_all):
    run_all("mongodb", "mongodb")


def test_a_module_that_was_imported_before_is_changed_in_its_place(run, settings):
    run("sqlite", ("articles", "search"), "-p", "tests.ramses.early", "-k", _EARLY)
