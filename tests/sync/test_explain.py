"""What is told of one row and its document: what is where, since when, and why."""

from __future__ import annotations

import datetime as dt

import orjson
import pytest
import sqlalchemy as sa

from nefertari_engine_base import Nested
from nefertari_engine_base.exceptions import (
    InvalidDocumentId,
    SecondaryError,
    UnknownModel,
)
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.sync.explain import RowState, explain
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.sync.verdict import reason_sentence, row_sentence, verdict
from nefertari_engine_base.values import Touch, Write
from tests.application import Application
from tests.sync.models import Director, Genre, Movie, Seat, declare


def told(app, model, id_):
    """The explanation, its one index, and what is said of it."""
    explanation = explain(app.engines, model, id_)
    (index,) = explanation.indices
    return explanation, index, " ".join(verdict(explanation, index))


def execute(app, statement):
    with app.database.begin() as connection:
        connection.execute(sa.text(statement))


def forge(app, model, id_, source, version=2**40):
    """Write a document by another road than delivery."""
    schema = app.engines.schema_of(model)
    app.secondary.write(schema, [Write(id_, version, orjson.dumps(source))])


# --- what is in order ------------------------------------------------------------


def test_a_document_that_equals_its_row_is_in_order(worker_app):
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    worker_app.save(Movie(id=1, title="Alien", rating=8.5))
    worker_app.drain()
    explanation, index, says = told(worker_app, Movie, "1")
    assert explanation.in_order
    assert index.equal
    assert explanation.row.state is RowState.PRESENT
    assert explanation.row.hash == index.stored.hash
    assert explanation.row.document == index.stored.source
    assert index.stored.version == index.stored.noted_version > 0
    assert before <= index.stored.written_at <= dt.datetime.now(dt.UTC)
    assert index.stored.why == "change"
    assert (index.waiting, index.dead, index.differing) == ((), (), ())
    assert says == "The document equals the row."


def test_every_model_is_explained_by_name_or_class_and_whatever_it_embeds(worker_app):
    director = Director(id=1, name="Scott")
    genre = Genre(id=1, name="Horror")
    worker_app.save(Movie(id=1, title="Alien", director=director, genres=[genre]))
    worker_app.save(Seat(row="a,b\\", number=3, guest="Ripley"))
    worker_app.drain()
    for model, id_ in [("Movie", "1"), (Director, "1"), ("Seat", "a\\,b\\\\,3")]:
        assert explain(worker_app.engines, model, id_).in_order, model


def test_no_row_and_no_document_are_in_order(worker_app):
    explanation, index, says = told(worker_app, Movie, "404")
    assert explanation.in_order
    assert explanation.row.state is RowState.MISSING
    assert index.stored is None
    assert row_sentence(explanation) == "There is no such row."
    assert says == "There is no such row, and the index has none."


# --- why it was written ----------------------------------------------------------


def test_a_document_tells_whether_a_change_named_it_or_an_embedded_row_led_to_it(
    worker_app,
):
    director = Director(id=7, name="Scott")
    worker_app.save(Movie(id=1, title="Alien", director=director))
    worker_app.drain()
    with worker_app.session() as session:
        session.get(Director, 7).name = "Ridley Scott"
        session.commit()
    worker_app.drain()
    _, index, _ = told(worker_app, Movie, "1")
    assert index.stored.why == "change of director"
    assert "embeds as director" in reason_sentence(index.stored.why)
    # The director's own document was named, whatever led to the films.
    assert told(worker_app, Director, "7")[1].stored.why == "change"


def test_a_document_that_was_named_and_found_at_once_was_named(worker_app):
    worker_app.save(Movie(id=1, title="Alien", director=Director(id=7, name="Scott")))
    worker_app.drain()
    with worker_app.session() as session:
        session.get(Director, 7).name = "Ridley Scott"
        session.flush()
        session.get(Movie, 1).title = "Aliens"
        session.commit()
    worker_app.drain()
    assert told(worker_app, Movie, "1")[1].stored.why == "change"


def test_a_document_tells_that_all_of_its_model_were_indexed(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    index_all(worker_app.engines, worker_app.engines.schema_of(Movie))
    explanation, index, _ = told(worker_app, Movie, "1")
    assert index.stored.why == "index"
    assert explanation.in_order


# --- why it was not written ------------------------------------------------------


def test_a_change_that_waits_is_told_with_the_fields_that_differ(worker_app):
    worker_app.save(Movie(id=1, title="Alien", year=1979))
    worker_app.drain()
    with worker_app.session() as session:
        session.get(Movie, 1).title = "Aliens"
        session.commit()
    explanation, index, says = told(worker_app, Movie, "1")
    assert not explanation.in_order
    assert index.differing == ("title",)
    assert index.stored.source["title"] == "Alien"
    assert explanation.row.document["title"] == "Aliens"
    (entry,) = index.waiting
    assert entry.entry.attempts == 0
    assert entry.reason is None
    assert abs(entry.created_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert "another state of the row" in says
    assert "A change waits since" in says
    assert "A worker delivers it." in says


def test_a_change_of_an_embedded_row_that_waits_is_told(worker_app):
    director = Director(id=7, name="Scott")
    worker_app.save(Movie(id=1, title="Alien", director=director))
    worker_app.save(
        Movie(id=2, title="Brazil", director=Director(id=8, name="Gilliam"))
    )
    worker_app.drain()
    with worker_app.session() as session:
        session.get(Director, 7).name = "Ridley Scott"
        session.commit()
    _, index, says = told(worker_app, Movie, "1")
    assert index.differing == ("director",)
    assert [entry.entry.touch.path for entry in index.waiting] == ["director"]
    assert "A change of director 7" in says
    assert told(worker_app, Movie, "2")[1].waiting == ()


def test_what_may_wait_for_an_embedded_row_without_a_key_is_told(
    database_url, elasticsearch_url, index_prefix
):
    def declare_some(config):
        nested = {"director": Nested(fields=("name",))}
        config.add_secondary(Movie, nested=nested)

    app = Application(
        database_url, elasticsearch_url, index_prefix, declare_some,
        nefertari__sync="worker",
    ).setup()  # fmt: skip
    try:
        app.save(Movie(id=1, title="Alien", director=Director(id=7, name="Scott")))
        app.drain()
        with app.session() as session:
            session.get(Director, 7).name = "Ridley Scott"
            session.commit()
        _, _, says = told(app, Movie, "1")
        assert "A change of director 7, which it may embed, waits since" in says
    finally:
        app.close()


def test_switched_off_sync_is_told(database_url, elasticsearch_url, index_prefix):
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare, nefertari__sync="off"
    ).setup()
    try:
        app.save(Movie(id=1, title="Alien"))
        explanation, index, says = told(app, Movie, "1")
        assert explanation.sync is SyncMode.OFF
        assert index.stored is None
        assert "The row's document is missing." in says
        assert "nefertari.sync is off: nobody delivers it." in says
    finally:
        app.close()


def test_a_refusal_is_told_with_its_reason_and_when_it_is_tried_again(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    (outbox,) = worker_app.engines.outboxes()
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "too strange", 600)
    _, index, says = told(worker_app, Movie, "1")
    (entry,) = index.waiting
    assert (entry.entry.attempts, entry.reason) == (1, "too strange")
    assert entry.due_at - entry.created_at > dt.timedelta(seconds=500)
    assert "refused 1 times, last for: too strange. It is due at" in says


def test_a_dead_letter_is_told_even_where_the_document_is_right(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    (outbox,) = worker_app.engines.outboxes()
    outbox.add([Touch("elasticsearch", "Movie", "1")])
    with outbox.claim(10) as claim:
        claim.refuse(claim.entries[0], "too strange", None)
    explanation, index, says = told(worker_app, Movie, "1")
    assert index.equal
    assert not explanation.in_order
    assert index.dead[0].reason == "too strange"
    assert index.dead[0].dead_at is not None
    assert "is a dead letter: too strange" in says
    assert "nefertari-es dead-letters retry Movie 1" in says


def test_the_entries_of_other_documents_and_engines_are_not_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    (outbox,) = worker_app.engines.outboxes()
    outbox.add(
        [
            Touch("elasticsearch", "Movie", "2"),
            Touch("elasticsearch", "Director", "1"),
            Touch("elasticsearch", "Movie", "1", "director"),
            Touch("other", "Movie", "1"),
        ]
    )
    _, index, _ = told(worker_app, Movie, "1")
    assert index.waiting == ()


def test_a_row_that_was_changed_past_the_sessions_is_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    with worker_app.database.connect() as connection:
        connection.connection.cursor().execute(
            "UPDATE movies SET title = 'Brazil' WHERE id = 1"
        )
        connection.connection.commit()
    _, index, says = told(worker_app, Movie, "1")
    assert index.differing == ("title",)
    assert "Nothing waits for it: it was changed past the sessions" in says
    assert "nefertari-es index Movie" in says


def test_a_document_without_a_row_is_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    execute(worker_app, "DELETE FROM movies WHERE id = 1")
    explanation, index, says = told(worker_app, Movie, "1")
    assert explanation.row.state is RowState.MISSING
    assert index.stored is not None
    assert not explanation.in_order
    assert "There is no such row, and the index still has one." in says


def test_a_row_that_no_document_can_hold_is_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    if worker_app.database.dialect.name == "sqlite":
        execute(worker_app, "UPDATE movies SET released = 'soon' WHERE id = 1")
    else:
        execute(worker_app, "UPDATE movies SET released = '0044-03-15 BC' WHERE id = 1")
    explanation, index, says = told(worker_app, Movie, "1")
    assert explanation.row.state is RowState.UNREADABLE
    assert "cannot be made a document" in row_sentence(explanation)
    assert not index.equal
    assert "No document can be made of the row, and the index still has one." in says


def test_a_row_that_the_condition_leaves_out_is_told(
    database_url, elasticsearch_url, index_prefix
):
    def declare_some(config):
        config.add_secondary(Movie, when=lambda model: model.year > 1980)

    app = Application(
        database_url, elasticsearch_url, index_prefix, declare_some
    ).setup()
    try:
        app.save(Movie(id=1, title="Alien", year=1979))
        explanation, _, says = told(app, Movie, "1")
        assert explanation.row.state is RowState.LEFT_OUT
        assert explanation.in_order
        assert "when= gives the row no document, and the index has none." in says
        assert explain(app.engines, Movie, "2").row.state is RowState.MISSING
        forge(app, Movie, "1", explanation.row.document or {"id": 1})
        assert not explain(app.engines, Movie, "1").in_order
    finally:
        app.close()


# --- what others have written ----------------------------------------------------


def test_a_document_that_somebody_else_has_changed_is_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    client = worker_app.secondary.client
    alias = worker_app.secondary.model_of(worker_app.engines.schema_of(Movie)).alias
    client.update(index=alias, id="1", doc={"title": "Aliens"})
    explanation, index, says = told(worker_app, Movie, "1")
    assert index.stored.hash == explanation.row.hash
    assert index.differing == ("title",)
    assert not explanation.in_order
    assert "Somebody else has changed the document" in says
    assert "not delivery has written it last" in says


def test_a_document_of_an_older_release_is_told(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    worker_app.drain()
    client = worker_app.secondary.client
    alias = worker_app.secondary.model_of(worker_app.engines.schema_of(Movie)).alias
    source = client.get(index=alias, id="1")["_source"]
    sync = {"version": 2**40, "hash": source["_sync"]["hash"]}
    client.index(
        index=alias, id="1", version=2**40, version_type="external",
        document={**source, "_sync": sync},
    )  # fmt: skip
    explanation, index, _ = told(worker_app, Movie, "1")
    assert explanation.in_order
    assert (index.stored.written_at, index.stored.why) == (None, None)
    assert reason_sentence(None) == "why was not noted"


# --- ids and models --------------------------------------------------------------


def test_a_key_that_is_spelled_otherwise_leads_to_its_row(worker_app):
    worker_app.save(Movie(id=7, title="Alien"))
    worker_app.drain()
    explanation, index, _ = told(worker_app, Movie, "007")
    assert explanation.in_order
    assert explanation.row.id == "7"
    assert row_sentence(explanation) == "The row is there. Its key is spelled '7'."
    assert index.stored.source["id"] == 7
    forge(worker_app, Movie, "007", explanation.row.document)
    explanation, index, says = told(worker_app, Movie, "007")
    assert index.strays == ("007",)
    assert not explanation.in_order
    assert "A document is under '007' too" in says


def test_mistakes_are_errors_that_say_what_to_do(worker_app):
    engines = worker_app.engines
    with pytest.raises(UnknownModel, match="Moovie has no secondary here"):
        explain(engines, "Moovie", "1")
    with pytest.raises(InvalidDocumentId, match="'first' is no id of Movie"):
        explain(engines, "Movie", "first")
    with pytest.raises(InvalidDocumentId, match=r"row .*number"):
        explain(engines, "Seat", "1")
    alias = worker_app.secondary.model_of(engines.schema_of(Movie)).alias
    worker_app.secondary.client.indices.delete(index=f"{alias}-000001")
    with pytest.raises(SecondaryError, match="nefertari-es setup"):
        explain(engines, "Movie", "1")


def test_a_delivery_in_between_does_not_confuse_it(worker_app, monkeypatch):
    worker_app.save(Movie(id=1, title="Alien"))
    (outbox,) = worker_app.engines.outboxes()
    recorded, asked = outbox.recorded, []

    def deliver_first(*arguments):
        if not asked:
            worker_app.drain()
        asked.append(1)
        return recorded(*arguments)

    monkeypatch.setattr(outbox, "recorded", deliver_first)
    explanation, index, _ = told(worker_app, Movie, "1")
    assert explanation.in_order
    assert index.stored.version == index.stored.noted_version
    assert len(asked) == 2


def test_explaining_changes_nothing(worker_app):
    worker_app.save(Movie(id=1, title="Alien"))
    entries = worker_app.entries()
    explain(worker_app.engines, Movie, "1")
    assert worker_app.entries() == entries
    assert worker_app.documents(Movie) == {}
