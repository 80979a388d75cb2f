"""Python in the documentation is Python, and the queries are queries."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.sqla.loading import to_dict
from tests.application import Application
from tests.docs.blocks import DOCS, pages, python_blocks
from tests.sqla.models import described
from tests.sync.models import Country, Director, Genre, Movie, declare

BLOCKS = [block for page in pages() for block in python_blocks(page)]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_compiles(block):
    block.compiled()


@pytest.fixture
def app(tmp_path, elasticsearch_url, index_prefix):
    app = Application(
        f"sqlite:///{tmp_path / 'docs.sqlite'}",
        elasticsearch_url,
        index_prefix,
        declare,
    ).setup()
    app.save(
        Movie(
            id=5,
            title="Blade Runner",
            year=1982,
            rating=8.2,
            director=Director(name="Ridley Scott", country=Country(name="UK")),
            genres=[Genre(id=3, name="Horror"), Genre(name="Science Fiction")],
        )
    )
    yield app
    app.close()


def test_every_query_of_the_page_of_queries_is_answered(app, capsys):
    names = {"Movie": Movie, "__name__": "howto"}
    app.secondary.refresh([app.engines.schema_of(Movie)])
    with app.session() as session:
        names["session"] = session
        for block in python_blocks(DOCS / "howto" / "queries.rst"):
            block.run(names)
    assert names["movie"].title == "Blade Runner"
    assert "Blade Runner" in capsys.readouterr().out


def test_the_view_of_the_page_of_queries_answers_by_either_engine(app):
    names = {"Movie": Movie, "__name__": "howto"}
    (view,) = (
        block
        for block in python_blocks(DOCS / "howto" / "queries.rst")
        if "def movies(" in block.source
    )
    view.run(names)
    app.secondary.refresh([app.engines.schema_of(Movie)])

    def answer(**parameters):
        request = SimpleNamespace(
            GET=SimpleNamespace(mixed=lambda: parameters), engines=app.engines
        )
        return names["movies"](request)

    by_index, by_database = answer(), answer(_query_secondary="false")
    assert by_index["total"] == by_database["total"] == 1
    (found,) = by_index["data"]
    (row,) = by_database["data"]
    assert {**found, **row} == found


def test_the_model_of_the_page_of_computed_fields_has_one(monkeypatch):
    page: Any = ModuleType("computed_fields_page")
    # Where SQLAlchemy looks annotations up.
    monkeypatch.setitem(sys.modules, page.__name__, page)
    block, _ = python_blocks(DOCS / "howto" / "computed-fields.rst")
    block.run(vars(page))
    director = page.Director(name="Ridley Scott")
    movie = page.Movie(title="Alien", year=1979, director=director)
    document = to_dict(described(page.Movie), movie)
    assert document["label"] == "Alien (1979), Ridley Scott"


def test_a_memory_engine_takes_the_place_of_the_server_as_documented():
    includeme = next(
        block
        for block in python_blocks(DOCS / "howto" / "testing.rst")
        if "def includeme" in block.source
    )
    names = {}
    includeme.run(names)
    config = Configurator(
        settings={
            "nefertari.engine": "nefertari_engine_base.primary.sqla",
            "sqlalchemy.url": "sqlite://",
        }
    )
    config.include("nefertari_engine_base")
    names["includeme"](config)
    config.add_secondary(Movie, nested=("director", "genres"))
    config.commit()
    engines = engines_of(config.registry)
    try:
        engines.setup_database()
        with engines.primaries["sqla"].sessions.factory.begin() as session:
            session.add(Movie(id=1, title="Alien"))
        (hit,) = Movie.get_collection(q="alien")
        assert hit.title == "Alien"
    finally:
        engines.close()
