"""A document that a late write brings back after its delete, with MongoDB."""

from __future__ import annotations

import mongoengine as me
import pytest

import nefertari_es.deadline as deadline_module
from nefertari_engine_base import Queryable
from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.values import Write
from tests.mongo.indexed import Indexed
from tests.sync.forgetting import AT_ONCE, await_forgotten


class Sketch(Queryable, me.Document):
    id = me.IntField(primary_key=True)
    title = me.StringField()


@pytest.fixture(params=["elasticsearch", "opensearch"])
def app(request, server_of, mongodb, index_prefix):
    app = Indexed(
        server_of(request.param).url,
        index_prefix,
        {Sketch: {}},
        nefertari__sync="worker",
        nefertari__sync__deletes_checked_after=0.001,
        elasticsearch__gc_deletes=AT_ONCE,
    ).setup()
    yield app
    app.close()


def forget(app):
    alias = app.secondary.model_of(app.engines.schema_of(Sketch)).alias
    await_forgotten(app.secondary.client, alias)


def test_it_is_found_and_deleted_again(app):
    Sketch(id=1, title="a").save()
    app.drain()
    Sketch.objects(id=1).delete()
    app.drain()
    forget(app)
    schema = app.engines.schema_of(Sketch)
    app.secondary.write(schema, [Write("1", 1, b'{"id":1,"title":"from the dead"}')])
    assert app.documents(Sketch).keys() == {"1"}
    app.engines.deletions.look()
    app.drain()
    assert app.documents(Sketch) == {}
    assert app.outbox_of(Sketch).waiting() == 0


def test_a_machine_that_slept_loads_again_before_it_writes(app, monkeypatch):
    Sketch(id=1, title="a").save()
    looks = []

    def look():
        looks.append(elapsed())
        if len(looks) == 1:
            Sketch.objects(id=1).delete()
            app.drain()
            forget(app)
            return elapsed() + 3600
        return elapsed()

    monkeypatch.setattr(deadline_module, "elapsed", look)
    app.drain()
    assert app.documents(Sketch) == {}
    assert app.outbox_of(Sketch).waiting() == 0
