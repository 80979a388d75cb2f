"""``nefertari-es worker --metrics-port``, as a user types it."""

import signal
import socket
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.application import assert_index_equals_rows
from tests.sync.models import INDEXED, Movie
from tests.sync.working import until


@pytest.fixture
def port():
    """A port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def scraped(port):
    """Value by name and labels; nothing while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_worker_serves_its_own_metrics_while_it_lives(app, make_ini, command, port):
    ini = make_ini("nefertari.web.status_max_age = 0")
    arguments = ("-c", ini, "worker", "--metrics-port", str(port))
    process = subprocess.Popen(command(*arguments))
    try:
        until(lambda: process.poll() is None and scraped(port))
        app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Brazil"))
        until(lambda: scraped(port).get(("nefertari_sync_documents_total", "written")))
        until(lambda: not app.waiting())
        found = until(
            lambda: (
                scraped(port).get(("nefertari_sync_entries_delivered_total",)) == 2
                and scraped(port)
            )
        )
        assert found["nefertari_sync_documents_total", "written"] == 2
        assert found["nefertari_sync_workers", "alive"] == 1
        assert found["nefertari_sync_entries_waiting", "Movie"] == 0
        assert found["nefertari_sync_delivery_duration_seconds_count",] >= 1
        assert found["process_resident_memory_bytes",] > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert scraped(port) == {}
    finally:
        process.kill()
        process.wait()
    assert_index_equals_rows(app, INDEXED)


def test_a_port_that_is_taken_is_one_sentence(app, ini, run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        result = run("-c", ini, "worker", "--metrics-port", str(taken))
    assert result.returncode == 1
    assert f"Metrics cannot be served on 127.0.0.1:{taken}" in result.stderr
    assert "Traceback" not in result.stderr


def test_metrics_of_a_worker_that_ends_at_once_are_a_mistake(ini, run):
    result = run("-c", ini, "worker", "--once", "--metrics-port", "9000")
    assert result.returncode == 2
    assert "--once ends before anybody could ask" in result.stderr
