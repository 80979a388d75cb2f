"""A server that has no room for a document has room for its neighbours."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest

from tests.application import Application
from tests.sync.poison import Plain, declare
from tests.sync.working import until, working
from tools import servers


@pytest.fixture(params=["elasticsearch", "opensearch"])
def small_server(request):
    """A server with a small heap, which no other test has to share."""
    named = servers.url_variable(request.param)
    environment = {key: value for key, value in os.environ.items() if key != named}
    settings = servers.Settings.from_environment(environment)
    with servers.start(request.param, replace(settings, heap="300m")) as server:
        yield server


def test_a_text_that_the_server_has_no_room_for_harms_no_other(
    small_server, postgresql_database_url, index_prefix
):
    app = Application(
        postgresql_database_url, small_server.url, index_prefix, declare,
        nefertari__sync="worker", nefertari__sync__max_attempts=1,
    ).setup()  # fmt: skip
    try:
        # Twice of what it has for all requests, which is a tenth of its heap.
        app.save(*[Plain(id=number, title="good") for number in range(20)])
        app.save(Plain(id=99, title="x" * 60_000_000))
        (outbox,) = app.engines.outboxes()
        with working(app):
            until(lambda: outbox.waiting() == 0, 120)
        (letter,) = outbox.dead_letters()
        assert letter.entry.touch.key == "99"
        assert re.search("bytes|too large", letter.reason)
        assert app.documents(Plain).keys() == {str(number) for number in range(20)}
    finally:
        app.close()
