"""Indices: created once, found again, and never changed behind one's back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from elasticsearch import dsl

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError, SecondaryError
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.schema import FieldSchema, ModelSchema
from nefertari_es.index.names import alias_of, generation_of, physical_name


def _schema(**kinds):
    fields = {"id": FieldSchema(name="id", kind=Kind.INTEGER, primary_key=True)}
    for name, kind in kinds.items():
        declared = kind if isinstance(kind, dsl.Field) else None
        kind = Kind.STRING if declared else kind
        fields[name] = FieldSchema(name=name, kind=kind, declared=declared)
    return ModelSchema(
        name="MovieStar",
        model=type("MovieStar", (), {}),
        fields=fields,
        primary_key=("id",),
    )


def _engine(make_engine, schema, **settings):
    engine = make_engine(**settings)
    generate_document(schema, engine)
    return engine


def _alias(engine):
    return alias_of(engine.settings.index_prefix, "MovieStar")


@pytest.mark.parametrize(
    ("model", "alias"),
    [
        ("Movie", "p-movie"),
        ("MovieStar", "p-movie_star"),
        ("HTTPCall", "p-http_call"),
        ("Sha256Sum", "p-sha256_sum"),
    ],
)
def test_aliases_are_lower_case_words(model, alias):
    assert alias_of("p", model) == alias


def test_physical_names_are_numbered():
    assert physical_name("p-movie", 12) == "p-movie-000012"
    assert generation_of("p-movie", "p-movie-000012") == 12
    assert generation_of("p-movie", "p-movie_star-000012") is None


def test_an_index_is_created_behind_its_alias(make_engine):
    engine = _engine(make_engine, _schema(title=Kind.STRING), gc_deletes="2h")
    engine.setup_database()
    (found,) = engine.client.indices.get(index=_alias(engine)).body.items()
    name, index = found
    assert name == _alias(engine) + "-000001"
    assert index["aliases"] == {_alias(engine): {"is_write_index": True}}
    assert index["settings"]["index"]["gc_deletes"] == "2h"
    assert index["mappings"]["properties"]["title"]["type"] == "text"
    assert index["mappings"]["dynamic"] == "false"
    health = engine.client.cluster.health(index=name).body
    assert health["status"] == "green"


def test_many_processes_may_create_it_at_once(make_engine):
    schema = _schema(title=Kind.STRING)
    engines = [_engine(make_engine, schema) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda engine: engine.setup_database(), engines))
    assert len(engines[0].client.indices.get(index=_alias(engines[0])).body) == 1


def test_a_new_field_is_added_in_place(make_engine, caplog):
    old = _engine(make_engine, _schema(title=Kind.STRING))
    old.setup_database()
    new = _engine(make_engine, _schema(title=Kind.STRING, year=Kind.INTEGER))
    with caplog.at_level("WARNING"):
        new.setup_database()
    assert "year" in caplog.text
    mappings = new.client.indices.get_mapping(index=_alias(new)).body
    (mapping,) = (index["mappings"] for index in mappings.values())
    assert mapping["properties"]["year"] == {"type": "long"}
    caplog.clear()
    new.setup_database()
    assert not caplog.text


def test_a_field_of_another_type_is_an_error_that_names_it(make_engine):
    _engine(make_engine, _schema(title=Kind.STRING)).setup_database()
    changed = _engine(make_engine, _schema(title=Kind.INTEGER))
    with pytest.raises(ConfigurationError, match=r"\(title.*nefertari-es"):
        changed.setup_database()


def test_an_index_of_the_aliass_name_is_an_error(make_engine):
    engine = _engine(make_engine, _schema())
    engine.client.indices.create(index=_alias(engine))
    with pytest.raises(ConfigurationError, match="name of an index"):
        engine.setup_database()


def test_an_index_that_has_lost_its_alias_is_an_error(make_engine):
    engine = _engine(make_engine, _schema())
    engine.client.indices.create(index=_alias(engine) + "-000001")
    with pytest.raises(SecondaryError, match="no alias"):
        engine.setup_database()


def test_two_models_cannot_share_an_alias(make_engine):
    engine = _engine(make_engine, _schema())
    with pytest.raises(ConfigurationError, match="share the alias"):
        generate_document(replace(_schema(), name="Movie_Star"), engine)


def test_declared_fields_bring_their_analyzers(make_engine):
    shout = dsl.analyzer("shout", tokenizer="standard", filter=["lowercase"])
    engine = _engine(make_engine, _schema(title=dsl.Text(analyzer=shout)))
    engine.setup_database()
    (index,) = engine.client.indices.get(index=_alias(engine)).body.values()
    assert "shout" in index["settings"]["index"]["analysis"]["analyzer"]


@pytest.mark.parametrize("name", ["to_dict", "_sync", "_id", "_hit", "_schema"])
def test_a_field_that_no_document_can_have_is_named(make_engine, name):
    with pytest.raises(ConfigurationError, match=rf"MovieStar\.{name}"):
        _engine(make_engine, _schema(**{name: Kind.STRING}))


def test_setup_raises_the_limits_of_an_index_that_is_there(make_engine):
    schema = _schema(title=Kind.STRING)
    engine = _engine(make_engine, schema)
    engine.setup_database()
    limits = {"nested_objects_limit": 20_000, "total_fields_limit": 3000}
    wider = replace(engine.settings, **limits)
    engine.settings = wider
    engine.setup_database()
    (index,) = engine.client.indices.get(index=_alias(engine)).body.values()
    mapping = index["settings"]["index"]["mapping"]
    assert mapping["nested_objects"]["limit"] == "20000"
    assert mapping["total_fields"]["limit"] == "3000"


def test_more_fields_than_the_limit_are_an_error_that_a_setting_mends(make_engine):
    schema = _schema(**{f"field_{number}": Kind.INTEGER for number in range(1001)})
    with pytest.raises(ConfigurationError, match=r"elasticsearch\.total_fields_limit"):
        _engine(make_engine, schema).setup_database()
    _engine(make_engine, schema, total_fields_limit=1100).setup_database()
