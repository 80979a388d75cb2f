"""``nefertari-es status``, as a user types it."""

import json
import subprocess

from nefertari_engine_base.values import Touch
from tests.sync.models import Movie
from tests.sync.working import until


def test_json_has_totals_models_and_workers(app, ini, run):
    app.save(Movie(id=1, title="Alien"))
    (outbox,) = app.engines.outboxes()
    outbox.heartbeat("machine:1", 5.0, 3, 12.5)
    result = run("-c", ini, "status", "--json")
    assert result.returncode == 0, result.stderr
    status = json.loads(result.stdout)
    oldest = status["total"]["oldest"]
    assert 0 <= oldest < 60
    counts = {"waiting": 1, "oldest": oldest, "retried": 0, "dead": 0}
    assert status["total"] == counts
    assert status["models"] == [{"model": "Movie", **counts}]
    (worker,) = status["workers"]
    assert (worker["name"], worker["documents"]) == ("machine:1", 3)
    assert worker["lost"] is False
    assert (worker["per_second"], status["throughput"]) == (12.5, 12.5)


def test_a_table_shows_models_and_their_sum(app, ini, run):
    (outbox,) = app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", key) for key in "123"])
    result = run("-c", ini, "status")
    assert result.returncode == 0, result.stderr
    rows = [line.replace("│", " ").split() for line in result.stdout.splitlines()]
    assert ["Movie", "3"] in [row[:2] for row in rows]
    assert ["all", "3"] in [row[:2] for row in rows]
    assert "No worker is running." in result.stdout


def test_a_worker_process_that_was_killed_stays_in_sight(app, ini, command):
    (outbox,) = app.engines.outboxes()
    process = subprocess.Popen(command("-c", ini, "worker"))
    try:
        (worker,) = until(lambda: outbox.status().workers)
        assert worker.name.endswith(f":{process.pid}")
    finally:
        process.kill()
        process.wait()
    assert outbox.status().workers
