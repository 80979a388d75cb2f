"""The ini keys of the engine."""

from __future__ import annotations

import pytest
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.schema import FieldSchema
from nefertari_es.settings import ElasticsearchSettings

read = ElasticsearchSettings.from_settings


def test_every_key_has_a_default():
    assert read({}) == ElasticsearchSettings()


def test_keys_are_read_from_text():
    settings = read(
        {
            "elasticsearch.hosts": "http://a:9200 https://b:9200\n http://c",
            "elasticsearch.index_prefix": "films",
            "elasticsearch.request_timeout": "2.5",
            "elasticsearch.number_of_replicas": "0",
            "elasticsearch.verify_certs": "false",
            "elasticsearch.bulk_documents": "50",
            "elasticsearch.api_key": "secret",
        }
    )
    assert settings.hosts == ("http://a:9200", "https://b:9200", "http://c")
    assert (settings.index_prefix, settings.request_timeout) == ("films", 2.5)
    assert (settings.number_of_replicas, settings.bulk_documents) == (0, 50)
    assert settings.verify_certs is False
    assert settings.max_retries == 2
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hosts", "localhost:9200"),
        ("hosts", " "),
        ("index_prefix", "Films"),
        ("index_prefix", "-films"),
        ("index_prefix", "a,b"),
        ("request_timeout", "soon"),
        ("number_of_replicas", "-1"),
        ("bulk_documents", "0"),
        ("max_retries", "1.5"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_key(key, value):
    with pytest.raises(ConfigurationError, match=f"elasticsearch.{key}"):
        read({f"elasticsearch.{key}": value})


def test_including_the_package_registers_an_engine_and_connects_to_nothing():
    config = Configurator(settings={"elasticsearch.hosts": "http://127.0.0.1:1"})
    config.include("nefertari_es")
    config.commit()
    engine = engines_of(config.registry).secondaries["elasticsearch"]
    assert engine.settings.hosts == ("http://127.0.0.1:1",)
    engine.close()


def _with_directive(*kinds):
    dsl = pytest.importorskip("elasticsearch.dsl")
    config = Configurator()
    config.include("nefertari_es")
    for kind in kinds:
        config.add_elasticsearch_field(kind, lambda field: dsl.Keyword(boost=2))
    config.commit()
    return engines_of(config.registry).secondaries["elasticsearch"]


def test_the_table_of_types_can_be_changed():
    engine = _with_directive("string")
    field = FieldSchema(name="title", kind=Kind.STRING)
    assert engine.make_field("Movie", field).to_dict() == {
        "type": "keyword",
        "boost": 2,
    }
    engine.close()


def test_a_kind_that_is_not_there_is_refused():
    with pytest.raises(ConfigurationError, match="no kind"):
        _with_directive("colour")


def test_a_client_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "elasticsearch.dsl", None)
    with pytest.raises(ConfigurationError, match=r"nefertari-es\[es\]"):
        Configurator().include("nefertari_es")
