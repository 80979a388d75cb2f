"""What is started from a shell: the demo, ``development.ini`` and ``mongodb.ini``."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from pyramid.paster import get_appsettings

from tests.examples.conftest import empty_mongodb

ROOT = Path(__file__).parents[2]

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"


def run(*command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "120",
            **environment,
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.fixture
def settings(films_path, monkeypatch, elasticsearch_url):
    """The environment of a program that uses the servers of the tests."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return {"ELASTICSEARCH_URL": elasticsearch_url, "MOVIES_JSON": str(films_path)}


@pytest.fixture
def mongodb_settings(settings, mongodb_url):
    """The same, with an empty database of MongoDB."""
    with empty_mongodb(mongodb_url, f"movies_program_{os.getpid()}") as url:
        yield {**settings, "MONGODB_URL": url}


@pytest.fixture
def prefix(elasticsearch_url):
    """A prefix of index names; the indices are removed in the end."""
    prefix = f"movies-program-{os.getpid()}"
    yield prefix
    with Elasticsearch(elasticsearch_url) as client:
        for name in client.indices.get(index=f"{prefix}-*"):
            client.indices.delete(index=name)


def test_the_demo_loads_indexes_compares_and_tours(settings):
    done = run("-m", "examples.movies.demo", "--check", **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3,201 loaded into sqlite" in done.stdout
    assert "80,124 fields of 3,751 documents" in done.stdout
    assert "no differences" in done.stdout
    assert done.stdout.count("✓") == 9
    assert "✗" not in done.stdout
    assert "All of it held." in done.stdout
    assert not done.stderr


KEPT = """
import sys
from examples.movies import demo
primary = sys.argv[2]
demo.KEPT_PREFIXES[primary] = sys.argv[1]
sys.exit(demo.run(["--check", "--primary", primary]))
"""


def test_the_demo_is_the_same_on_mongodb(mongodb_settings, prefix):
    done = run("-c", KEPT, prefix, "mongodb", **mongodb_settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3,201 loaded into mongodb" in done.stdout
    assert "70,521 fields of 3,751 documents" in done.stdout
    assert "no differences" in done.stdout
    # It has no transactions, so that nothing is rolled back.
    assert done.stdout.count("✓") == 8
    assert not done.stderr


def test_the_demo_runs_twice_on_a_database_that_is_kept(settings, database_url, prefix):
    settings["DATABASE_URL"] = database_url
    first = run("-c", KEPT, prefix, "sql", **settings)
    assert first.returncode == 0, first.stdout + first.stderr
    second = run("-c", KEPT, prefix, "sql", **settings)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "3,201 are in the database already" in second.stdout


def test_the_demo_ends_with_status_1_when_it_cannot_do_its_work(settings):
    settings["ELASTICSEARCH_URL"] = NOBODY
    done = run("-m", "examples.movies.demo", "--check", **settings)
    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_the_demo_serves_after_its_tour_and_ends_cleanly_on_ctrl_c(settings):
    demo = subprocess.Popen(
        [sys.executable, "-m", "examples.movies.demo", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    with demo:
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "Films are at" in line:
                break
        address = re.search(r"http://\S+", lines[-1])
        assert address, "".join(lines)
        with urllib.request.urlopen(address[0]) as answer:
            assert answer.status == 200
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert demo.returncode == 0, rest
    assert "Traceback" not in rest


ASK = """
import sys, webtest
from pyramid.paster import get_app
app = webtest.TestApp(get_app(sys.argv[1]))
for address in sys.argv[2:]:
    print(app.get(address, expect_errors=True).status_int)
"""


def copied(name, folder, prefix):
    """A copy of a settings file with indices of its own."""
    text = (ROOT / name).read_text()
    text, number = re.subn(r"(?<=index_prefix = ).*", prefix, text)
    assert number == 1
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.fixture(params=["development.ini", "mongodb.ini"])
def started(request, tmp_path, prefix):
    """A copy of each settings file, and the environment to start it in."""
    if request.param == "mongodb.ini":
        copied("development.ini", tmp_path, prefix)
        settings = request.getfixturevalue("mongodb_settings")
    else:
        settings = request.getfixturevalue("settings")
    return copied(request.param, tmp_path, prefix), settings


def test_the_first_start_by_an_ini_loads_and_indexes_the_films(started):
    ini, settings = started
    done = run("-c", ASK, ini, "/", "/?q=alien", "/api/movies/1", **settings)
    assert done.stdout.split() == ["200", "200", "200"], done.stderr


def test_the_application_starts_without_a_search_engine(started):
    ini, settings = started
    settings["ELASTICSEARCH_URL"] = NOBODY
    done = run("-c", ASK, ini, "/", "/?q=alien", "/films/new", **settings)
    assert done.stdout.split() == ["200", "503", "200"], done.stderr


def test_mongodb_takes_another_engine_another_url_and_indices_of_its_own():
    sql, mongodb = (
        get_appsettings(str(ROOT / name)) for name in ("development.ini", "mongodb.ini")
    )
    changed = {key for key in mongodb if mongodb[key] != sql.get(key)}
    assert changed == {
        "nefertari.engine", "mongodb.url", "elasticsearch.index_prefix"
    }  # fmt: skip
    assert sql.keys() <= mongodb.keys()
