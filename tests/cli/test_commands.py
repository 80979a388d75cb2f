"""The command line, as a user types it."""

import signal
import subprocess
import time

import pytest

from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Director, Movie


def test_worker_once_delivers_what_waits_and_ends(app, ini, run):
    app.save(Movie(id=1, title="Alien"), Director(id=1, name="Scott"))
    result = run("-c", ini, "worker", "--once")
    assert result.returncode == 0, result.stderr
    assert "entries delivered: 2 documents written" in result.stdout
    assert app.waiting() == 0
    assert_index_equals_rows(app, INDEXED)


def test_a_worker_delivers_until_it_is_told_to_end(app, ini, command):
    process = subprocess.Popen(command("-c", ini, "worker"), stderr=subprocess.PIPE)
    try:
        for number in range(3):
            app.save(Movie(id=number, title="Alien"))
            deadline = time.monotonic() + 60
            while app.waiting():
                assert time.monotonic() < deadline
                assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()
    assert_index_equals_rows(app, INDEXED)


def test_an_idle_worker_ends_at_once_when_it_is_told_to(app, make_ini, command):
    ini = make_ini("nefertari.sync.poll_interval = 600")
    app.save(Movie(id=1, title="Alien"))
    process = subprocess.Popen(command("-c", ini, "worker"), stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while app.waiting():
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


def test_index_writes_every_row_and_mends_what_is_wrong(app, ini, run):
    app.save(*[Movie(id=i, title=f"Film {i}") for i in range(1200)])
    with app.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM nefertari_outbox")
    result = run("-c", ini, "index", "Movie")
    assert result.returncode == 0, result.stderr
    assert_index_equals_rows(app, INDEXED)


def test_setup_creates_what_is_missing_and_may_be_repeated(app, ini, run):
    for _ in range(2):
        result = run("-c", ini, "setup")
        assert result.returncode == 0, result.stderr
    assert "Director, Movie, Seat" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-c", "nowhere.ini", "setup"), "nowhere.ini is not there"),
        (("index", "Moovie"), "Moovie has no secondary"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_traceback(ini, run, arguments, says):
    if "-c" not in arguments:
        arguments = ("-c", ini, *arguments)
    result = run(*arguments)
    assert result.returncode != 0
    assert says in result.stderr
    assert "Traceback" not in result.stderr
