"""Classes of MongoEngine become schemas, or start-up says why not."""

from __future__ import annotations

import mongoengine as me
import pytest
from mongoengine import Q

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError, UnmappableField
from nefertari_engine_base.generation import generate_document
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.primary.mongo.types import (
    TypeDescription,
    Unmappable,
    describe_field,
    register_field,
)
from nefertari_engine_base.schema import Nested, Reindex, SecondaryOptions
from nefertari_engine_base.sync.related import DependencyGraph
from nefertari_engine_base.testing.memory import MemoryEngine
from nefertari_engine_base.values import Action, Change, DocumentRef, Touch
from tests.mongo.models import Award, Director, Film, Genre, Person, Stars


def schema_of(model, options_of=lambda model: None, **options):
    return describe(model, SecondaryOptions.of(**options), options_of)


def refused(error, model, **options):
    with pytest.raises(error) as raised:
        schema_of(model, **options)
    return str(raised.value)


def test_every_field_has_its_kind():
    fields = schema_of(Film).fields
    assert {name: (field.kind, field.many) for name, field in fields.items()} == {
        "id": (Kind.TOKEN, False),
        "title": (Kind.STRING, False),
        "year": (Kind.BIG_INTEGER, False),
        "serial": (Kind.BIG_INTEGER, False),
        "rating": (Kind.FLOAT, False),
        "gross": (Kind.DECIMAL, False),
        "price": (Kind.DECIMAL, False),
        "shown": (Kind.BOOLEAN, False),
        "premiere": (Kind.DATETIME, False),
        "exact": (Kind.DATETIME, False),
        "day": (Kind.DATE, False),
        "genre": (Kind.ENUM, False),
        "stars": (Kind.ENUM, False),
        "token": (Kind.UUID, False),
        "spelled_token": (Kind.UUID, False),
        "other": (Kind.TOKEN, False),
        "poster": (Kind.BINARY, False),
        "tags": (Kind.STRING, True),
        "grid": (Kind.BIG_INTEGER, True),
        "anything": (Kind.JSON, False),
        "extra": (Kind.JSON, False),
        "scores": (Kind.JSON, False),
        "any_value": (Kind.JSON, False),
        "place": (Kind.JSON, False),
        "spot": (Kind.JSON, False),
        "site": (Kind.STRING, False),
        "director": (Kind.TOKEN, False),
        "cast": (Kind.TOKEN, True),
        "rival": (Kind.TOKEN, False),
        "pointer": (Kind.TOKEN, False),
    }
    assert fields["title"].length == 100
    assert fields["price"].scale == 3
    assert fields["poster"].length == 1000
    assert fields["genre"].enum is Genre
    assert fields["stars"].enum_values == ("1", "2")
    assert fields["stars"].enum is Stars
    assert fields["director"].reference
    assert not fields["title"].reference


def test_the_primary_key_is_the_class_s_own():
    schema = schema_of(Film)
    assert schema.primary_key == ("id",)
    assert schema.key_fields[0].primary_key
    assert not schema.key_fields[0].nullable
    country = schema_of(Film, nested=("award.country",)).relations["award"]
    inner = country.document.relations["country"].document
    assert inner.primary_key == ("code",)


def test_a_reference_is_as_its_target_s_key():
    class Keyed(me.Document):
        number = me.IntField(primary_key=True)

    class Referring(me.Document):
        one = me.ReferenceField(Keyed)

    field = schema_of(Referring).fields["one"]
    assert (field.kind, field.reference) == (Kind.BIG_INTEGER, True)


def test_embedded_documents_are_relations_without_being_asked_for():
    schema = schema_of(Film)
    award, awards = schema.relations["award"], schema.relations["awards"]
    assert (award.inline, award.many) == (True, False)
    assert (awards.inline, awards.many) == (True, True)
    assert list(award.document.fields) == ["title", "year", "country"]
    assert award.document.primary_key == ()
    assert award.owner_fields == ()


def test_documents_inside_of_their_own_kind_are_json():
    thread = schema_of(Film).relations["thread"].document
    assert thread.fields["replies"].kind is Kind.JSON
    assert not thread.relations


def test_a_nested_reference_takes_the_place_of_its_key():
    schema = schema_of(Film, nested=("director", "cast"))
    director, cast = schema.relations["director"], schema.relations["cast"]
    assert "director" not in schema.fields
    assert schema.hidden["director"].reference
    assert (director.many, director.owner_fields) == (False, ("director",))
    assert (cast.many, cast.owner_fields) == (True, ("cast",))
    assert director.target == "Person"


def test_a_nested_path_leads_through_embedded_documents():
    schema = schema_of(Film, nested=("director.birth.country", "awards.country"))
    names = [
        relation.name for relation in schema.find("director.birth.country.name")[0]
    ]
    assert names == ["director", "birth", "country"]
    assert schema.find("awards.country.code")[1].kind is Kind.STRING


def test_what_the_related_model_leaves_out_is_left_out_where_it_is_embedded():
    def options_of(model):
        if model is Person:
            return SecondaryOptions.of(exclude=("notes",), fields={"name": "own"})
        return None

    person = schema_of(Film, options_of, nested=("director",)).relations["director"]
    assert "notes" not in person.document.fields
    assert person.document.fields["name"].declared == "own"


def test_nested_names_the_fields_and_when_to_reindex():
    nested = {"director": Nested(fields=("name",), reindex="link")}
    relation = schema_of(Film, nested=nested).relations["director"]
    assert list(relation.document.fields) == ["name"]
    assert list(relation.document.hidden) == ["id"]
    assert relation.reindex is Reindex.LINK


def test_exclude_and_fields_reach_into_embedded_documents():
    options = {"exclude": ("award.year", "thread"), "fields": {"award.title": "own"}}
    schema = schema_of(Film, **options)
    assert "thread" not in schema.relations
    award = schema.relations["award"].document
    assert list(award.fields) == ["title", "country"]
    assert award.fields["title"].declared == "own"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nested": ("directer",)}, "Did you mean director"),
        ({"nested": ("title",)}, "leads to no document"),
        ({"nested": ("extra",)}, "leads to no document"),
        ({"exclude": ("nothing",)}, "no field of Film"),
        ({"exclude": ("id",)}, "primary key"),
        ({"exclude": ("director.name",)}, "has to be named in nested"),
        ({"exclude": ("award", "award.year")}, "exclude leaves out"),
        ({"fields": {"award.nothing": 1}}, "no field of Award"),
        ({"nested": {"director": Nested(fields=("nme",))}}, "Did you mean name"),
        ({"nested": {"director": Nested(reindex="seldom")}}, "none of always"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, said):
    assert said in refused(ConfigurationError, Film, **options)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (me.FileField, "GridFS"),
        (me.GenericReferenceField, "a document of any class"),
        (me.GenericLazyReferenceField, "a document of any class"),
        (lambda: me.ListField(me.GenericReferenceField()), "a document of any class"),
        (lambda: me.MapField(me.GenericReferenceField()), "a document of any class"),
        (me.GenericEmbeddedDocumentField, "EmbeddedDocumentField"),
        (lambda: me.SequenceField(value_decorator=float), "value_decorator"),
        (lambda: me.ReferenceField("Nobody"), "is not declared"),
        (lambda: me.ReferenceField(AbstractOne), "abstract"),
    ],
)
def test_a_field_without_meaning_is_refused_with_the_reason(make, said):
    holder: type = type(me.Document)("Holder", (me.Document,), {"field": make()})
    message = refused(UnmappableField, holder)
    assert "Holder.field" in message
    assert said in message
    assert "field" not in schema_of(holder, exclude=("field",)).fields


def test_copies_that_mongoengine_keeps_are_refused():
    # Making one takes a library that nothing else here needs.
    field = object.__new__(me.CachedReferenceField)
    assert "keeps a copy" in describe_field(field).reason


def test_a_declared_field_takes_what_no_kind_fits_but_no_file():
    class Declaring(me.Document):
        any_one = me.GenericReferenceField()
        file = me.FileField()

    options = {"fields": {"any_one": "own", "file": "own"}}
    assert "Declaring.file" in refused(UnmappableField, Declaring, **options)
    schema = schema_of(Declaring, fields={"any_one": "own"}, exclude=("file",))
    assert schema.fields["any_one"].declared == "own"


class AbstractOne(me.Document):
    meta = {"abstract": True}


@pytest.mark.parametrize("model", [AbstractOne, Award, int])
def test_a_class_without_collection_is_refused(model):
    assert "no document class" in refused(ConfigurationError, model)


def test_a_key_that_makes_no_id_is_refused():
    class PairKeyed(me.Document):
        key = me.ListField(me.IntField(), primary_key=True)

    assert "makes no id" in refused(ConfigurationError, PairKeyed)


def test_a_subclass_has_the_inherited_fields_and_names_its_bases():
    schema = schema_of(Director)
    assert [*schema.fields, *schema.relations] == [
        *("id", "name", "notes", "mentor", "style", "birth"),
    ]
    assert "Person" in schema.bases
    assert "_cls" not in schema.fields


def test_a_dynamic_document_has_its_declared_fields():
    class Loose(me.DynamicDocument):
        title = me.StringField()

    assert list(schema_of(Loose).fields) == ["id", "title"]


def test_a_condition_is_kept_as_a_query_with_the_fields_that_it_looks_at():
    def published(model):
        return Q(title__ne=None) & (Q(year__gt=1900) | Q(award__title="Oscar"))

    schema = schema_of(Film, when=published)
    assert schema.condition_fields == {"title", "year", "award"}
    assert "t" in str(schema.condition)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (lambda model: True, "is no Q"),
        (lambda model: Q(), "looks at no field"),
        (lambda model: Q(nothing=1), "makes no query"),
        (lambda model: Q(director__name="x"), "makes no query"),
        (lambda model: Q(__raw__={"nothing": 1}), "no field"),
    ],
)
def test_a_condition_that_cannot_be_followed_is_refused(when, said):
    assert said in refused(ConfigurationError, Film, when=when)


def test_an_application_s_own_field_is_described_by_its_base_or_by_the_application():
    class Slug(me.StringField):
        pass

    class Colour(me.base.BaseField):
        pass

    assert describe_field(Slug()) == TypeDescription(kind=Kind.STRING)
    assert describe_field(Colour()) == Unmappable("")
    register_field(Colour, Kind.TOKEN)
    assert describe_field(Colour()) == TypeDescription(kind=Kind.TOKEN)


def test_a_document_class_is_generated_with_the_model_s_behaviour_alone():
    schema = schema_of(Film, nested=("director",))
    document = generate_document(schema, MemoryEngine())
    own = {name for name in vars(document) if not name.startswith("__")}
    known = {*schema.fields, *schema.relations, "primary", "label", "_quiet"}
    assert {"label", "_quiet"} <= own
    assert not {n for n in own - known if n in vars(me.Document) or n == "objects"}


def test_a_change_of_what_is_embedded_names_the_documents_that_show_it():
    film = schema_of(Film, nested=("director.birth.country", "awards.country"))
    graph = DependencyGraph([film])
    assert "award" in graph.contents("Film")
    assert {"name", "birth"} <= graph.contents("Person")
    change = Change(DocumentRef("Country", "fr"), Action.UPDATED, frozenset({"name"}))
    assert set(graph.touched("memory", change)) == {
        Touch("memory", "Film", "fr", "director.birth.country"),
        Touch("memory", "Film", "fr", "awards.country"),
    }
