"""Filters, sorting and pages mean on MongoDB what they mean in the index."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from bson import ObjectId
from mongoengine import Q

from nefertari_engine_base.exceptions import InvalidDocumentId, QueryError
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.primary.mongo import querying
from nefertari_engine_base.primary.mongo.loading import to_dict
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.testing.workbench import where
from nefertari_engine_base.values import Operator, Query, Sort, Write
from tests.mongo.models import (
    Award,
    Birth,
    Country,
    Director,
    Film,
    Genre,
    Person,
    Stars,
)

TOKEN = UUID("12345678-1234-5678-1234-567812345678")
PREMIERE = datetime.fromisoformat("1946-05-08T20:15:00.123")
NESTED = ("director.birth.country", "cast", "awards.country", "pointer")


def schema_of(model, **options):
    return describe(model, SecondaryOptions.of(**options), lambda model: None)


SCHEMA = schema_of(Film, nested=NESTED)


@pytest.fixture
def films(mongodb):
    """Titles of films by number, which differ in everything that is compared."""
    france = Country(code="fr", name="France").save()
    spain = Country(code="es", name="España").save()
    renoir = Director(name="Renoir", birth=Birth(country=france)).save()
    vigo = Person(name="Vigo").save()
    Film(
        title="a",
        year=1,
        rating=2.5,
        gross=Decimal("1.5"),
        price=Decimal("1.5"),
        shown=True,
        premiere=PREMIERE,
        exact=PREMIERE,
        day=date(1946, 5, 8),
        genre=Genre.NOIR,
        stars=Stars.TWO,
        token=TOKEN,
        other=ObjectId("0123456789abcdef01234567"),
        tags=["x", "y"],
        grid=[[1]],
        director=renoir,
        cast=[renoir, vigo],
        pointer=vigo,
        award=Award(title="Oscar", year=3),
        awards=[Award(title="A", year=1, country=france), Award(title="B", year=2)],
    ).save()
    Film(
        title="B",
        year=2,
        rating=1.5,
        gross=Decimal("10"),
        shown=False,
        genre=Genre.DRAMA,
        tags=["y"],
        director=vigo,
        cast=[vigo],
        award=Award(title="Palme", year=1),
        awards=[Award(title="A", year=2, country=spain)],
    ).save()
    Film(title="é", tags=[]).save()
    return Film.objects


def asked(films, *filters, sort=(), **options):
    """Titles that MongoDB finds; those that the index finds must be the same ones."""
    query = Query(filters=filters, sort=tuple(sort), **options)
    page = querying.search(SCHEMA, query)
    assert querying.count(SCHEMA, query) == page.total
    return [film.title for film in page]


@pytest.mark.parametrize(
    ("field", "value", "titles"),
    [
        ("title", "a", ["a"]),
        ("year", 2, ["B"]),
        ("rating", 2.5, ["a"]),
        ("gross", Decimal("10.00"), ["B"]),
        ("price", Decimal("1.5"), ["a"]),
        ("shown", True, ["a"]),
        ("premiere", PREMIERE, ["a"]),
        ("exact", PREMIERE, ["a"]),
        ("day", date(1946, 5, 8), ["a"]),
        ("genre", Genre.DRAMA, ["B"]),
        ("stars", Stars.TWO, ["a"]),
        ("token", TOKEN, ["a"]),
        ("other", "0123456789abcdef01234567", ["a"]),
        ("other", "none", []),
        ("tags", "y", ["a", "B"]),
        ("award.title", "Oscar", ["a"]),
        ("awards.title", "A", ["a", "B"]),
        ("director.name", "Renoir", ["a"]),
        ("cast.name", "Vigo", ["a", "B"]),
        ("pointer.name", "Vigo", ["a"]),
        ("director.birth.country.name", "France", ["a"]),
        ("awards.country.code", "es", ["B"]),
        ("awards.country.code", "xx", []),
    ],
)
def test_equality(films, field, value, titles):
    assert asked(films, where(field, value)) == titles
    assert asked(films, where(field, [value], Operator.IN)) == titles


@pytest.mark.parametrize(
    ("field", "operator", "value", "titles"),
    [
        ("year", Operator.GT, 1, ["B"]),
        ("year", Operator.GTE, 1, ["a", "B"]),
        ("year", Operator.LT, 2, ["a"]),
        ("gross", Operator.LTE, Decimal("1.50"), ["a"]),
        ("title", Operator.GTE, "a", ["a", "é"]),
        ("premiere", Operator.LT, PREMIERE, []),
        ("genre", Operator.GT, Genre.DRAMA, ["a"]),
        ("award.year", Operator.GT, 1, ["a"]),
        ("awards.year", Operator.GT, 1, ["a", "B"]),
        ("year", Operator.IN, [1, 5], ["a"]),
        ("year", Operator.IN, [], []),
        ("tags", Operator.ALL, ["x", "y"], ["a"]),
        ("awards.title", Operator.ALL, ["A", "B"], ["a"]),
        ("cast.name", Operator.ALL, ["Renoir", "Vigo"], ["a"]),
        ("year", Operator.EXISTS, True, ["a", "B"]),
        ("year", Operator.EXISTS, False, ["é"]),
        ("tags", Operator.EXISTS, True, ["a", "B"]),
        ("tags", Operator.EXISTS, False, ["é"]),
        ("awards.country.code", Operator.EXISTS, False, ["é"]),
        ("director.birth.country.code", Operator.EXISTS, False, ["B", "é"]),
    ],
)
def test_operators(films, field, operator, value, titles):
    assert asked(films, where(field, value, operator)) == titles


def test_one_embedded_document_meets_all_filters_on_it(films):
    both = where("awards.title", "A"), where("awards.year", 2)
    assert asked(films, *both) == ["B"]
    assert asked(films, where("cast.name", "Renoir"), where("cast.name", "Vigo")) == []


@pytest.mark.parametrize("field", ["title", "year", "gross", "genre", "award.year"])
@pytest.mark.parametrize("descending", [False, True])
def test_the_order_is_that_of_the_index(films, field, descending):
    sort = [Sort(field, descending)]
    engine = MemoryEngine()
    generate_document(SCHEMA, engine)
    engine.setup_database()
    writes = [
        Write(str(film.pk), 1, orjson.dumps(to_dict(SCHEMA, film))) for film in films
    ]
    engine.write(SCHEMA, writes)
    engine.refresh([SCHEMA])
    found = engine.search(SCHEMA, Query(sort=tuple(sort)))
    assert asked(films, sort=sort) == [document.title for document in found]


def test_what_has_no_value_comes_last_in_either_direction(films):
    assert asked(films, sort=[Sort("year")]) == ["a", "B", "é"]
    assert asked(films, sort=[Sort("year", True)]) == ["B", "a", "é"]


def test_pages_tell_the_total(films):
    sort = [Sort("title", True)]
    assert asked(films, sort=sort, limit=1, start=1) == ["a"]
    assert querying.search(SCHEMA, Query(limit=1)).total == 3
    assert querying.search(SCHEMA, Query(limit=1, start=9)).total == 3
    empty = querying.search(SCHEMA, Query(limit=0))
    assert (len(empty), empty.total) == (0, 3)
    assert len(querying.search(SCHEMA, Query(limit=None))) == 3


def test_what_has_no_document_is_left_out_where_the_index_is_stood_in_for(films):
    schema = schema_of(Film, when=lambda model: Q(year__gt=1))
    assert querying.count(schema, Query()) == 3
    assert querying.count(schema, Query(documents_only=True)) == 1
    ids = [str(film.pk) for film in films]
    assert len(querying.get_by_ids(schema, ids)) == 3
    assert len(querying.get_by_ids(schema, ids, documents_only=True)) == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (Query(text="x"), "Full-text"),
        (Query(aggregations={}), "Aggregations"),
        (Query(filters=(where("grid", 1),)), "list of lists"),
        (Query(filters=(where("price", Decimal(1), Operator.GT),)), "does not order"),
        (Query(filters=(where("stars", Stars.ONE, Operator.GT),)), "does not order"),
        (Query(sort=(Sort("token"),)), "does not order"),
        (Query(sort=(Sort("director.name"),)), "another collection"),
    ],
)
def test_what_mongodb_cannot_answer_is_refused(mongodb, query, said):
    with pytest.raises(QueryError, match=said):
        querying.search(SCHEMA, query)


def test_instances_are_of_their_own_class_and_found_by_id(films):
    renoir, vigo = Director.objects.first(), Person.objects(name="Vigo").first()
    schema = schema_of(Person)
    ids = [str(renoir.pk), str(vigo.pk), str(ObjectId())]
    found = querying.get_by_ids(schema, ids)
    assert found == {ids[0]: renoir, ids[1]: vigo}
    assert type(found[ids[0]]) is Director
    assert querying.get_by_ids(schema_of(Director), ids).keys() == {ids[0]}
    with pytest.raises(InvalidDocumentId):
        querying.get_by_ids(schema, ["x"])


def test_what_documents_embed_is_fetched_with_them(films):
    page = querying.search(SCHEMA, Query(sort=(Sort("title", True),)))
    film = page[1]
    # As MongoEngine keeps them: what is no instance would be a query for each.
    assert [type(person) for person in film._data["cast"]] == [Director, Person]
    birth = film._data["director"]._data["birth"]
    assert birth._data["country"].name == "France"
    assert page[0].cast == []
    assert not film._get_changed_fields()
    assert [person.name for person in film.cast] == ["Renoir", "Vigo"]


def test_a_lazy_reference_is_fetched_with_its_document(films):
    one, other = films[0], films[1]
    one.rival = other
    one.save()
    schema = schema_of(Film, nested=("rival",))
    found = querying.get_by_ids(schema, [str(one.pk)])[str(one.pk)]
    assert found._data["rival"]._cached_doc == other
    ghost = ObjectId()
    Film.objects(pk=one.pk).update(set__rival=ghost, set__director=ghost)
    found = querying.get_by_ids(SCHEMA, [str(one.pk)])[str(one.pk)]
    assert found._data["director"].id == ghost


def test_an_explanation_has_the_pipeline(films):
    explained = querying.explain(SCHEMA, Query(filters=(where("year", 1),), limit=5))
    assert explained["collection"] == "film"
    assert {"$limit": 5} in explained["pipeline"]
