"""Metrics as Prometheus reads them: of the outbox, and of this process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from nefertari_engine_base.events import DeliveryEnded
from nefertari_engine_base.exceptions import SecondaryUnavailable
from nefertari_engine_base.values import Debt, Touch, Write
from nefertari_es.web import metrics_of
from tests.sync.models import Movie

PATH = "/_sync/metrics"

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def make(make_app):
    """Function that makes an application with the views."""

    def make(configure=lambda config: None, **settings):
        def both(config):
            configure(config)
            config.include("nefertari_es.web")

        settings.setdefault("nefertari__web__status_max_age", "0")
        return make_app(both, **settings)

    return make


def samples(text, parser=parse):
    """Value by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser(text)
        for sample in family.samples
    }


def scraped(app):
    return samples(app.web.get(PATH).text)


def test_what_waits_is_a_gauge_for_every_model(make):
    app = make(nefertari__sync="off")
    (outbox,) = app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", key) for key in "1234"])
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "for a while", 600)
        claim.refuse(claim.entries[1], "for good", None)
    with app.database.begin() as connection:
        older = "UPDATE nefertari_outbox SET created_at = created_at - 60"
        connection.execute(sa.text(older))
    outbox.heartbeat("machine:1", 5.0, 3)
    outbox.heartbeat("machine:2", 5.0, 3)
    with app.database.begin() as connection:
        silent = "UPDATE nefertari_worker SET seen_at = seen_at - 61 WHERE name = '{}'"
        connection.execute(sa.text(silent.format("machine:2")))
    outbox.owe([Debt("elasticsearch", "Movie"), Debt("elasticsearch", "Movie")])
    found = scraped(app)
    assert found["nefertari_sync_up",] == 1
    assert found["nefertari_sync_debts", "Movie"] == 2
    assert found["nefertari_sync_debts", "Seat"] == 0
    assert found["nefertari_sync_entries_waiting", "Movie"] == 3
    assert found["nefertari_sync_entries_retried", "Movie"] == 1
    assert found["nefertari_sync_dead_letters", "Movie"] == 1
    assert 60 <= found["nefertari_sync_oldest_entry_age_seconds", "Movie"] < 120
    assert found["nefertari_sync_entries_waiting", "Director"] == 0
    assert found["nefertari_sync_oldest_entry_age_seconds", "Seat"] == 0
    assert found["nefertari_sync_workers", "alive"] == 1
    assert found["nefertari_sync_workers", "lost"] == 1


def test_deliveries_of_this_process_are_counted_by_outcome(make):
    app = make()
    before = scraped(app)
    assert before["nefertari_sync_documents_total", "written"] == 0
    assert before["nefertari_sync_delivery_duration_seconds_count",] == 0
    app.save(Movie(id=1, title="Alien"), Movie(id=2, title="Brazil"))
    found = scraped(app)
    assert found["nefertari_sync_documents_total", "written"] == 2
    assert found["nefertari_sync_documents_total", "superseded"] == 0
    assert found["nefertari_sync_entries_delivered_total",] == 2
    assert found["nefertari_sync_delivery_duration_seconds_count",] == 1
    assert 0 < found["nefertari_sync_delivery_duration_seconds_sum",] < 60
    assert found["nefertari_sync_delivery_failures_total",] == 0


def test_a_document_that_is_refused_or_cannot_be_loaded_is_counted_once(make):
    app = make(nefertari__sync="worker")
    (outbox,) = app.engines.outboxes()
    too_long = "x" * 600
    outbox.add(
        [
            Touch("elasticsearch", "Movie", "no number"),
            Touch("elasticsearch", "Seat", f"{too_long},1"),
        ]
    )
    app.drain()
    found = scraped(app)
    assert found["nefertari_sync_documents_total", "refused"] == 2
    assert found["nefertari_sync_entries_retried", "Movie"] == 1


def test_a_document_that_has_a_newer_version_is_superseded(make):
    app = make(nefertari__sync="worker")
    app.save(Movie(id=1, title="Alien"))
    (outbox,) = app.engines.outboxes()
    # From now on the index is not looked at for versions that are too high.
    app.engines.versions.drawn(outbox, lambda: outbox.draw_and_load([]))
    newer = Write("1", 2**60, b'{"id":1}')
    app.secondary.write(app.engines.schema_of(Movie), [newer])
    app.drain()
    assert scraped(app)["nefertari_sync_documents_total", "superseded"] == 1


def test_a_failed_delivery_is_counted(make):
    app = make(search_url=NOBODY)
    app.save(Movie(id=1, title="Alien"))
    found = scraped(app)
    assert found["nefertari_sync_delivery_failures_total",] == 1
    assert found["nefertari_sync_delivery_duration_seconds_count",] == 1
    assert found["nefertari_sync_entries_waiting", "Movie"] == 1


def test_an_idle_worker_counts_no_deliveries(make):
    app = make(nefertari__sync="worker")
    app.drain()
    assert scraped(app)["nefertari_sync_delivery_duration_seconds_count",] == 0


def test_a_subscriber_of_deliveries_that_fails_harms_none(make, caplog):
    heard = []

    def fail(event):
        heard.append(event)
        raise RuntimeError("subscriber")

    app = make(lambda config: config.add_subscriber(fail, DeliveryEnded))
    app.save(Movie(id=1, title="Alien"))
    assert app.waiting() == 0
    (event,) = heard
    assert (event.report.written, event.error) == (1, None)
    assert "A subscriber of DeliveryEnded failed" in caplog.text


def test_the_event_of_a_failed_delivery_has_the_error(make):
    heard = []
    app = make(
        lambda config: config.add_subscriber(heard.append, DeliveryEnded),
        search_url=NOBODY,
    )
    app.save(Movie(id=1, title="Alien"))
    (event,) = heard
    assert isinstance(event.error, SecondaryUnavailable)
    assert event.seconds > 0


def test_without_its_tables_the_database_is_told_to_be_down(make):
    app = make()
    app.save(Movie(id=1, title="Alien"))
    with app.database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE nefertari_outbox RENAME TO gone"))
    found = scraped(app)
    assert found["nefertari_sync_up",] == 0
    assert ("nefertari_sync_entries_waiting", "Movie") not in found
    assert found["nefertari_sync_documents_total", "written"] == 1


def test_the_outbox_is_counted_once_in_a_while(make):
    app = make(nefertari__sync="off", nefertari__web__status_max_age="3600")
    assert scraped(app)["nefertari_sync_entries_waiting", "Movie"] == 0
    app.save(Movie(id=1, title="Alien"))
    assert scraped(app)["nefertari_sync_entries_waiting", "Movie"] == 0
    # The health view has the same answer, and costs no count of its own.
    checks = app.web.get("/_sync/health").json["checks"]
    assert checks["waiting"]["observedValue"] == 0


def test_openmetrics_are_told_to_who_asks_for_them(make):
    app = make()
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    answer = app.web.get(PATH, headers={"Accept": accept})
    assert answer.content_type == "application/openmetrics-text"
    found = samples(answer.text, parse_openmetrics)
    assert found["nefertari_sync_up",] == 1
    assert app.web.get(PATH).content_type == "text/plain"


def test_an_application_can_add_them_to_metrics_of_its_own(make):
    app = make()
    own = CollectorRegistry()
    own.register(metrics_of(app.registry).registry)
    assert samples(generate_latest(own).decode())["nefertari_sync_up",] == 1
    assert metrics_of(app.registry) is metrics_of(app.registry)


def test_names_follow_prometheuss_rules(make):
    for family in parse(make().web.get(PATH).text):
        assert family.name.startswith("nefertari_sync_")
        assert family.documentation.endswith(".")
        unit = any(word in family.name for word in ("age", "duration"))
        assert family.name.endswith("_seconds") == unit or "created" in family.name


# --- processes -------------------------------------------------------------------

PREFORKED = """
import sys
from pyramid.config import Configurator
from nefertari_engine_base.events import DeliveryEnded
from nefertari_engine_base.values import DeliveryReport
from nefertari_es.web import metrics_of
config = Configurator(settings={
    "nefertari.engine": "nefertari_engine_base.primary.sqla nefertari_es",
    "sqlalchemy.url": "sqlite://",
})
config.include("nefertari_es.web")
config.commit()
config.registry.notify(DeliveryEnded(DeliveryReport(written=3, entries=3), 0.1))
print(metrics_of(config.registry).exposed("")[0].decode())
"""


def test_the_counts_of_preforked_processes_are_added(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for number in (1, 2):
        result = subprocess.run(
            [sys.executable, "-c", PREFORKED],
            env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        found = samples(result.stdout)
        assert found["nefertari_sync_documents_total", "written"] == 3 * number


MISSING = """
import sys
sys.modules["prometheus_client"] = None
from pyramid.config import Configurator
settings = {"sqlalchemy.url": "sqlite://", "nefertari.web.metrics_path": sys.argv[1]}
config = Configurator(settings=settings)
config.include("nefertari_engine_base.primary.sqla")
config.include("nefertari_es.web")
"""


def test_without_prometheuss_library_start_up_says_what_to_install():
    def start(path):
        return subprocess.run(
            [sys.executable, "-c", MISSING, path],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    result = start("/metrics")
    assert result.returncode == 1
    assert "ConfigurationError: Metrics need Prometheus' client" in result.stderr
    assert "pip install nefertari-es[prometheus]" in result.stderr
    assert start("").returncode == 0
