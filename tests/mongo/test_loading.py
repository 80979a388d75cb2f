"""Documents of MongoDB become JSON, with what they embed, as MongoEngine reads them."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from bson import Binary, DBRef, Decimal128, ObjectId
from mongoengine import Q

from nefertari_engine_base.exceptions import ConversionError, InvalidDocumentId
from nefertari_engine_base.primary.mongo import keys
from nefertari_engine_base.primary.mongo.loading import Loader, to_dict
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.refusals import load_apart
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.values import DocumentRef
from tests.mongo.models import (
    Award,
    Birth,
    Country,
    Director,
    Film,
    Genre,
    Person,
    Reply,
    Stars,
)

TOKEN = UUID("12345678-1234-5678-1234-567812345678")
PREMIERE, EXACT = "1946-05-08T20:15:00.123000", "1946-05-08T20:15:00.123456"

NESTED = ("director.birth.country", "cast", "award.country", "awards.country")


def schema_of(model, **options):
    return describe(model, SecondaryOptions.of(**options), lambda model: None)


def load(schema, *ids):
    documents = Loader(schema).load([str(id_) for id_ in ids])
    return {id_: orjson.loads(text) for id_, text in documents.items()}


def load_one(schema, instance):
    (document,) = load(schema, instance.pk).values()
    return document


@pytest.fixture
def france(mongodb):
    return Country(code="fr", name="France").save()


@pytest.fixture
def renoir(france):
    birth = Birth(day=date(1894, 9, 15), country=france)
    return Director(name="Renoir", birth=birth, style="light").save()


def test_every_value_has_the_form_of_its_kind(mongodb, renoir):
    film = Film(
        title="Partie de campagne",
        year=2**60,
        rating=7.5,
        gross=Decimal("12345678901234567890.12"),
        price=Decimal("1.25"),
        shown=True,
        premiere=datetime.fromisoformat(PREMIERE),
        exact=datetime.fromisoformat(EXACT),
        day=date(1946, 5, 8),
        genre=Genre.NOIR,
        stars=Stars.TWO,
        token=TOKEN,
        spelled_token=TOKEN,
        other=ObjectId("0123456789abcdef01234567"),
        poster=b"\x00\xff",
        tags=["a", "b"],
        grid=[[1, 2], []],
        anything=[1, "x", {"at": datetime.fromisoformat(PREMIERE)}],
        extra={"id": ObjectId("0123456789abcdef01234567"), "deep": [{"b": None}]},
        scores={"de": Decimal("1.10")},
        any_value=None,
        place=[2.5, 48.5],
        spot=[2.5, 48.5],
        site="http://example.org/",
        director=renoir,
        cast=[renoir],
        pointer=renoir,
        award=Award(title="Oscar", year=1946),
        awards=[Award(title="A"), Award(title="B", country="fr")],
        thread=Reply(text="x", replies=[Reply(text="y")]),
    ).save()
    id_ = str(renoir.pk)
    assert load_one(schema_of(Film), film) == {
        "id": str(film.pk),
        "title": "Partie de campagne",
        "year": 2**60,
        "serial": film.serial,
        "rating": 7.5,
        "gross": "12345678901234567890.12",
        "price": "1.250",
        "shown": True,
        "premiere": PREMIERE,
        "exact": EXACT,
        "day": "1946-05-08",
        "genre": "film-noir",
        "stars": "2",
        "token": str(TOKEN),
        "spelled_token": str(TOKEN),
        "other": "0123456789abcdef01234567",
        "poster": "AP8=",
        "tags": ["a", "b"],
        "grid": [[1, 2], []],
        "anything": [1, "x", {"at": PREMIERE}],
        "extra": {"id": "0123456789abcdef01234567", "deep": [{"b": None}]},
        "scores": {"de": "1.10"},
        "any_value": None,
        "place": {"type": "Point", "coordinates": [2.5, 48.5]},
        "spot": [2.5, 48.5],
        "site": "http://example.org/",
        "director": id_,
        "cast": [id_],
        "rival": None,
        "pointer": id_,
        "award": {"title": "Oscar", "year": 1946, "country": None},
        "awards": [
            {"title": "A", "year": None, "country": None},
            {"title": "B", "year": None, "country": "fr"},
        ],
        "thread": {"text": "x", "replies": [{"text": "y", "replies": []}]},
    }


def test_an_instance_has_the_bytes_of_its_document(mongodb, renoir):
    film = Film(title="x", director=renoir, cast=[renoir], place=[1, 2]).save()
    schema = schema_of(Film, nested=NESTED)
    film = Film.objects.get(pk=film.pk)
    loaded = Loader(schema).load([str(film.pk)])[str(film.pk)]
    assert orjson.dumps(to_dict(schema, film)) == loaded


def test_values_decode_to_those_that_mongoengine_reads(mongodb):
    film = Film(genre=Genre.DRAMA, stars=1, token=TOKEN, gross=Decimal("1.10")).save()
    document, schema = load_one(schema_of(Film), film), schema_of(Film)
    film = Film.objects.get(pk=film.pk)
    for name in ("genre", "stars", "token", "gross"):
        assert schema.fields[name].decode(document[name]) == getattr(film, name), name


def test_what_is_not_stored_is_null_and_a_list_is_empty(mongodb):
    mongodb.film.insert_one({"_id": ObjectId()})
    film = Film.objects.first()
    document = load_one(schema_of(Film), film)
    assert document["title"] is None
    assert document["tags"] == document["awards"] == []


def test_references_are_embedded_at_every_level(mongodb, renoir, france):
    ghost = DBRef("person", ObjectId())
    awards = [Award(title="A", country=france), Award(title="B")]
    film = Film(director=renoir, cast=[renoir, ghost, renoir], awards=awards).save()
    document = load_one(schema_of(Film, nested=NESTED), film)
    country = {"code": "fr", "name": "France"}
    assert document["director"]["birth"] == {"day": "1894-09-15", "country": country}
    assert [person["name"] for person in document["cast"]] == ["Renoir", "Renoir"]
    assert [award["country"] for award in document["awards"]] == [country, None]
    assert document["award"] is None


def test_a_dbref_is_embedded_like_any_reference(mongodb, renoir):
    film = Film(pointer=renoir).save()
    document = load_one(schema_of(Film, nested=("pointer",)), film)
    assert document["pointer"]["name"] == "Renoir"


def test_a_subclass_has_documents_of_its_own_and_of_its_base(mongodb, renoir):
    person = Person(name="Anna").save()
    ids = [renoir.pk, person.pk]
    assert load(schema_of(Person), *ids).keys() == {str(id_) for id_ in ids}
    assert load(schema_of(Director), *ids).keys() == {str(renoir.pk)}
    assert load_one(schema_of(Director), renoir)["style"] == "light"


def test_a_document_that_misses_the_condition_is_not_there(mongodb):
    films = [Film(title="x", year=year).save() for year in (1, 2)]
    schema = schema_of(Film, when=lambda model: Q(title="x", year__gt=1))
    assert load(schema, *(film.pk for film in films)).keys() == {str(films[1].pk)}
    assert Loader(schema).list_ids(None, 10) == [str(films[1].pk)]


@pytest.mark.parametrize(
    "raw",
    [
        {"year": "many"},
        {"genre": "opera"},
        {"tg": "abc"},
        {"tg": [{}, 1], "grid": [["x"]]},
        {"p": "yesterday"},
        {"token": "spelled"},
        {"a": "text"},
        {"awards": {"t": "A"}},
        {"extra": {"pattern": re.compile("x")}},
        {"cast": [{}]},
    ],
)
def test_a_value_that_cannot_be_read_concerns_its_document_alone(mongodb, raw):
    bad, good = ObjectId(), ObjectId()
    mongodb.film.insert_many([{"_id": bad, **raw}, {"_id": good, "t": "good"}])
    loader = Loader(schema_of(Film, nested=("cast",)))
    refs = [DocumentRef("Film", str(id_)) for id_ in (bad, good)]
    documents, errors = load_apart(lambda model, ids: loader.load(ids), refs)
    assert documents["Film"].keys() == {str(good)}
    assert errors.keys() == {refs[0]}
    with pytest.raises(ConversionError, match=r"Film\."):
        loader.load([str(bad)])


def test_an_id_that_can_be_none_is_refused(mongodb):
    with pytest.raises(InvalidDocumentId, match="24 hexadecimal digits"):
        Loader(schema_of(Film)).load(["rosebud"])


def test_ids_are_listed_page_by_page_in_the_order_of_the_key(mongodb):
    for code in ("de", "fr", "at", "ch"):
        Country(code=code).save()
    loader = Loader(schema_of(Country))
    assert loader.list_ids(None, 3) == ["at", "ch", "de"]
    assert loader.list_ids("de", 3) == ["fr"]


@pytest.mark.parametrize("most", [5_000, 2])
def test_documents_that_embed_another_are_found_page_by_page(
    mongodb, france, monkeypatch, most
):
    monkeypatch.setattr(keys, "MOST_KEYS", most)
    persons = [
        Person(name=str(number), birth=Birth(country=france)).save()
        for number in range(5)
    ]
    Person(name="elsewhere", birth=Birth(country="de")).save()
    ids = [str(Film(director=person).save().pk) for person in reversed(persons)]
    Film(title="of nobody").save()
    loader = Loader(schema_of(Film, nested=("director.birth.country",)))
    path = "director.birth.country"
    assert loader.find_owners(path, ["fr"], None, 3) == ids[:3]
    assert loader.find_owners(path, ["fr"], ids[2], 3) == ids[3:]
    assert sorted(loader.find_all_owners(path, ["fr", "xx"])) == sorted(ids)


@pytest.mark.parametrize("field", ["cast", "pointer", "director"])
def test_every_form_of_a_reference_is_followed_back(mongodb, renoir, field):
    value = [renoir] if field == "cast" else renoir
    film = Film(**{field: value}).save()
    Film().save()
    loader = Loader(schema_of(Film, nested=(field,)))
    assert loader.find_owners(field, [str(renoir.pk)], None, 10) == [str(film.pk)]


def test_references_inside_of_embedded_lists_are_followed_back(mongodb, france):
    film = Film(awards=[Award(title="A"), Award(title="B", country=france)]).save()
    loader = Loader(schema_of(Film, nested=("awards.country",)))
    assert loader.find_owners("awards.country", ["fr"], None, 10) == [str(film.pk)]


def test_a_path_that_is_none_is_a_lookup_error(mongodb):
    with pytest.raises(LookupError):
        Loader(schema_of(Film)).find_owners("director", ["x"], None, 1)


def test_bson_s_own_types_inside_of_json_are_plain(mongodb):
    extra = {"b": b"\x01", "u": Binary(TOKEN.bytes, 4), "d": Decimal128("1.0")}
    extra["r"] = DBRef("person", 5)
    mongodb.film.insert_one({"_id": ObjectId(), "extra": extra})
    document = load_one(schema_of(Film), Film.objects.only("pk").first())
    assert document["extra"] == {"b": "AQ==", "u": str(TOKEN), "d": "1.0", "r": 5}


def test_decimals_and_uuids_are_read_as_any_client_wrote_them(mongodb):
    raw = {"price": Decimal128("1.5"), "token": Binary(TOKEN.bytes, 4)}
    mongodb.film.insert_one({"_id": ObjectId(), **raw})
    document = load_one(schema_of(Film), Film.objects.only("pk").first())
    assert (document["price"], document["token"]) == ("1.500", str(TOKEN))
