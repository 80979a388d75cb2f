"""A change that touches thousands of documents holds up no other, and loses none."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nefertari_engine_base.sync.delivery import deliver
from nefertari_engine_base.values import Touch
from tests.application import Application, assert_index_equals_rows
from tests.sync.models import Director, Genre, Movie, declare

FILMS = 3000


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix):
    """3,000 films of director 1, and film 0 of nobody; nothing of them is indexed."""
    app = Application(
        database_url,
        elasticsearch_url,
        index_prefix,
        declare,
        nefertari__sync="worker",
        nefertari__sync__batch_size="100",
    ).setup()
    with app.database.begin() as connection:
        connection.execute(sa.insert(Director), [{"id": 1, "name": "Scott"}])
        connection.execute(sa.insert(Movie), [{"id": 0, "title": "Alone"}])
        connection.execute(
            sa.insert(Movie),
            [
                {"id": number, "title": f"Film {number}", "director_id": 1}
                for number in range(1, FILMS + 1)
            ],
        )
    empty_outbox(app)
    yield app
    app.close()


def empty_outbox(app):
    with app.database.begin() as connection:
        connection.execute(sa.text("DELETE FROM nefertari_outbox"))


def change(app, model, number, **values):
    with app.session() as session:
        instance = session.get(model, number)
        for name, value in values.items():
            setattr(instance, name, value)
        session.commit()


def deliver_once(app):
    (outbox,) = app.engines.outboxes()
    return deliver(app.engines, outbox, app.engines.settings.batch_size)


def test_a_change_after_a_large_fan_out_does_not_wait_for_its_end(app):
    change(app, Director, 1, name="Ridley")
    deliver_once(app)
    change(app, Movie, 0, title="Changed")
    deliveries = 0
    while ("Movie", "", "0") in app.entries():
        deliver_once(app)
        deliveries += 1
    assert deliveries <= 2
    assert ("Movie", "director", "1") in app.entries()
    found = app.documents(Movie)
    assert found["0"]["title"] == "Changed"
    assert len(found) < 500
    app.drain()
    assert_index_equals_rows(app, [Movie, Director])
    assert app.entries() == []


def test_each_of_many_fan_outs_has_its_turn(app):
    with app.database.begin() as connection:
        connection.execute(
            sa.insert(Genre), [{"id": n, "name": "Drama"} for n in (1, 2)]
        )
        for number in (1, 2):
            connection.execute(
                sa.text(
                    "INSERT INTO movie_genres (movie_id, genre_id) "
                    f"SELECT id, {number} FROM movies WHERE id > 0"
                )
            )
    empty_outbox(app)
    (outbox,) = app.engines.outboxes()
    outbox.add(
        [
            Touch("elasticsearch", "Movie", "1", "director"),
            Touch("elasticsearch", "Movie", "1", "genres"),
            Touch("elasticsearch", "Movie", "2", "genres"),
            Touch("elasticsearch", "Movie", "0"),
        ]
    )
    assert deliver_once(app).documents == 101
    paths = [path for _, path, _ in app.entries()]
    assert paths == ["director", "genres", "genres"]
    for _ in range(2):
        assert deliver_once(app).expanded == 100
    assert cursors(app) == ["100", "100", "100"]


def cursors(app):
    with app.database.connect() as connection:
        statement = sa.text("SELECT cursor FROM nefertari_outbox ORDER BY id")
        return list(connection.scalars(statement))


def test_a_change_after_more_fan_outs_than_a_batch_holds_waits_for_a_turn_of_each(app):
    (outbox,) = app.engines.outboxes()
    change(app, Director, 1, name="Ridley")
    outbox.add([Touch("elasticsearch", "Movie", "1", "director")] * 2)
    outbox.add([Touch("elasticsearch", "Movie", "0")])
    deliveries = 0
    while ("Movie", "", "0") in app.entries():
        deliver(app.engines, outbox, 2)
        deliveries += 1
        assert deliveries <= 5
    assert len(app.documents(Movie)) < 20


def test_fan_outs_to_nothing_do_not_end_a_drain(app):
    (outbox,) = app.engines.outboxes()
    nobody = [Touch("elasticsearch", "Movie", str(n), "genres") for n in range(200)]
    outbox.add([*nobody, Touch("elasticsearch", "Movie", "0")])
    app.drain()
    assert app.entries() == []
    assert app.documents(Movie).keys() == {"0"}


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_a_crash_between_two_batches_loses_nothing(app, monkeypatch, batch):
    write, calls = app.secondary.write, 0

    def crash(schema, writes, **options):
        nonlocal calls
        calls += 1
        if calls == batch:
            raise RuntimeError("crashed")
        return write(schema, writes, **options)

    change(app, Director, 1, name="Ridley")
    with monkeypatch.context() as patch:
        patch.setattr(app.secondary, "write", crash)
        with pytest.raises(RuntimeError, match="crashed"):
            app.drain()
    assert app.entries()
    assert len(app.documents(Movie)) < FILMS
    change(app, Movie, 0, title="Changed")
    app.drain()
    assert_index_equals_rows(app, [Movie, Director])
    assert app.entries() == []
