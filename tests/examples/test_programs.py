"""What is started from a shell: the demo, and ``development.ini``."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

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


def test_the_demo_runs_twice_on_a_database_that_is_kept(settings, database_url, prefix):
    settings["DATABASE_URL"] = database_url
    code = (
        "import sys; from examples.movies import demo;"
        "demo.KEPT_PREFIX = sys.argv[1]; sys.exit(demo.run(['--check']))"
    )
    first = run("-c", code, prefix, **settings)
    assert first.returncode == 0, first.stdout + first.stderr
    second = run("-c", code, prefix, **settings)
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


@pytest.fixture
def ini(tmp_path, prefix):
    """A copy of ``development.ini`` with a database and an index of its own."""
    text = (ROOT / "development.ini").read_text()
    copy = tmp_path / "development.ini"
    assert "index_prefix = movies" in text
    copy.write_text(text.replace("index_prefix = movies", f"index_prefix = {prefix}"))
    return str(copy)


def test_the_first_start_by_development_ini_loads_and_indexes_the_films(settings, ini):
    done = run("-c", ASK, ini, "/", "/?q=alien", "/api/movies/1", **settings)
    assert done.stdout.split() == ["200", "200", "200"], done.stderr


def test_the_application_starts_without_a_search_engine(settings, ini):
    settings["ELASTICSEARCH_URL"] = NOBODY
    done = run("-c", ASK, ini, "/", "/?q=alien", "/films/new", **settings)
    assert done.stdout.split() == ["200", "503", "200"], done.stderr
