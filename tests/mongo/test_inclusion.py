"""Including the engine of MongoDB: by setting, by hand, and wrongly."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from urllib.parse import urlsplit

import mongoengine as me
import pytest
from pyramid.config import Configurator

from nefertari_engine_base import Queryable, engines_of
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import Capability

ENGINE = "nefertari_engine_base.primary.mongo"


class Singer(me.Document):
    name = me.StringField()


class Song(Queryable, me.Document):
    title = me.StringField()
    singer = me.ReferenceField(Singer)


@pytest.fixture
def url(mongodb_url):
    name = f"included_{os.getpid()}"
    yield urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    client = me.connect(
        host=mongodb_url, alias="cleaning", uuidRepresentation="standard"
    )
    client.drop_database(name)
    me.disconnect("cleaning")


def configured(**settings):
    config = Configurator(settings={"nefertari.engine": ENGINE, **settings})
    config.include("nefertari_engine_base")
    return config


@pytest.fixture
def config(url):
    config = configured(**{"mongodb.url": url})
    config.add_secondary_engine(MemoryEngine())
    config.add_secondary(Song, nested=("singer",))
    yield config
    engines_of(config.registry).close()


def test_the_setting_connects_mongoengine_and_makes_the_engine(config):
    config.commit()
    engines = engines_of(config.registry)
    engines.setup_database()
    song = Song(title="Hurt", singer=Singer(name="Cash").save()).save()
    drain(engines)
    (found,) = Song.get_collection(title="Hurt")
    assert found._pk == str(song.pk)
    (found,) = Song.get_collection(title="Hurt", _query_secondary=False)
    assert found == song
    assert engines.primaries["mongo"].capabilities is Capability.NONE


def test_closing_the_engines_closes_the_connection_of_the_setting(config):
    config.commit()
    engines_of(config.registry).close()
    with pytest.raises(me.ConnectionFailure):
        me.get_connection()


def test_an_application_may_be_made_anew_after_another_class_has_taken_a_name(url):
    def saved():
        config = configured(**{"mongodb.url": url})
        config.add_secondary_engine(MemoryEngine())
        config.add_secondary(Song, nested=("singer",))
        config.commit()
        engines = engines_of(config.registry)
        try:
            engines.setup_database()
            return Song(title="Hurt", singer=Singer(name="Cash").save()).save().pk
        finally:
            engines.close()

    for name in ("Song", "Singer"):
        type(name, (me.Document,), {"__module__": "elsewhere"})
    assert saved() != saved()


def test_an_index_that_mongodb_lacks_is_named_when_the_application_is_made(
    config, caplog
):
    with caplog.at_level(logging.WARNING, "nefertari_engine_base"):
        config.make_wsgi_app()
    (record,) = caplog.records
    assert 'db.song.createIndex({"singer": 1})' in record.getMessage()


def test_an_application_is_made_while_mongodb_is_away(caplog):
    config = configured(
        **{"mongodb.url": "mongodb://127.0.0.1:9/none?serverSelectionTimeoutMS=200"}
    )
    config.add_secondary_engine(MemoryEngine())
    config.add_secondary(Song, nested=("singer",))
    try:
        with caplog.at_level(logging.WARNING, "nefertari_engine_base"):
            config.make_wsgi_app()
        assert "could not be asked for its indexes" in caplog.text
    finally:
        engines_of(config.registry).close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (None, "mongodb.url is not set"),
        ("mongodb://localhost", "names no database"),
        ("mongodb://localhost/", "names no database"),
        ("localhost/movies", "mongodb.url"),
        ("mongodb://local host:port/x", "mongodb.url"),
    ],
)
def test_a_url_that_leads_to_no_database_is_refused(url, message):
    settings = {} if url is None else {"mongodb.url": url}
    with pytest.raises(ConfigurationError, match=message):
        configured(**settings)


def test_another_default_connection_is_not_replaced(url, mongodb):
    with pytest.raises(ConfigurationError, match="MongoDBEngine"):
        configured(**{"mongodb.url": url})


def test_a_password_in_a_url_is_not_in_the_message():
    with pytest.raises(ConfigurationError) as caught:
        configured(**{"mongodb.url": "mongodb://me:secret@localhost"})
    assert "secret" not in str(caught.value)


def test_without_mongoengine_the_message_says_what_to_install():
    hidden = "import sys; sys.modules['mongoengine'] = None; "
    done = subprocess.run(
        [sys.executable, "-c", f"{hidden}import {ENGINE}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'pip install "nefertari-es[mongo]"' in done.stderr
