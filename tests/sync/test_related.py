"""The dependency graph names every touched document, and no other."""

import pytest

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.schema import (
    FieldSchema,
    ModelSchema,
    Reindex,
    RelationSchema,
)
from nefertari_engine_base.sync.related import DependencyGraph
from nefertari_engine_base.values import Action, Change, DocumentRef, Touch

SESSION_ONLY = set()


def model(name, *fields, relations=(), hidden=()):
    ids = FieldSchema(name="id", kind=Kind.INTEGER, primary_key=True)
    return ModelSchema(
        name=name,
        model=type(name, (), {}),
        fields={
            "id": ids,
            **{f: FieldSchema(name=f, kind=Kind.STRING) for f in fields},
        },
        hidden={f: FieldSchema(name=f, kind=Kind.INTEGER) for f in hidden},
        primary_key=("id",),
        relations={relation.name: relation for relation in relations},
    )


def many_to_one(name, document, reindex=Reindex.ALWAYS):
    return RelationSchema(
        name=name, many=False, document=document, owner_fields=(f"{name}_id",),
        reindex=reindex,
    )  # fmt: skip


def one_to_many(name, document, back, reindex=Reindex.ALWAYS):
    return RelationSchema(
        name=name, many=True, document=document, target_fields=(back,), reindex=reindex
    )


def through(name, document):
    return RelationSchema(name=name, many=True, document=document, through=True)


def updated(name, key, *fields, references=None, previous=None):
    return Change(
        DocumentRef(name, key), Action.UPDATED, frozenset(fields), references or {},
        previous or {},
    )  # fmt: skip


def touched(root, change):
    return set(DependencyGraph([root]).touched("es", change))


def own(name, key):
    return Touch("es", name, key)


def via(name, path, key):
    return Touch("es", name, key, path)


COUNTRY = model("Country", "name")
DIRECTOR = model("Director", "name", relations=[many_to_one("country", COUNTRY)])
MOVIE = model("Movie", "title", relations=[many_to_one("director", DIRECTOR)])
FILM = model("Movie", "title", hidden=["director_id"])
BY_DIRECTOR = model(
    "Director", "name", relations=[one_to_many("films", FILM, "director_id")]
)


def test_a_change_of_its_own_field_touches_the_document():
    assert touched(MOVIE, updated("Movie", "1", "title")) == {own("Movie", "1")}


def test_a_change_of_no_indexed_field_touches_nothing():
    assert touched(MOVIE, updated("Movie", "1", "notes")) == set()


def test_a_moved_reference_touches_the_document_even_if_it_is_not_indexed():
    assert touched(MOVIE, updated("Movie", "1", "director_id")) == {own("Movie", "1")}


def test_a_renamed_director_touches_the_films_by_a_path():
    change = updated("Director", "7", "name")
    assert touched(MOVIE, change) == {via("Movie", "director", "7")}


def test_a_director_who_moves_to_another_country_touches_the_films():
    change = updated("Director", "7", "country_id")
    assert touched(MOVIE, change) == {via("Movie", "director", "7")}


def test_a_renamed_country_touches_the_films_two_steps_away():
    change = updated("Country", "3", "name")
    assert touched(MOVIE, change) == {via("Movie", "director.country", "3")}


def test_a_new_director_touches_no_film():
    assert touched(MOVIE, Change(DocumentRef("Director", "7"), Action.CREATED)) == set()


def test_a_deleted_director_touches_the_films_that_were_looked_up_before():
    graph = DependencyGraph([MOVIE, BY_DIRECTOR])
    assert graph.shown_in("Director") == [("Movie", "director")]
    assert graph.shown_in("Movie") == []
    change = Change(
        DocumentRef("Director", "7"), Action.DELETED, shown_in={"Movie": ["1", "2"]}
    )
    assert touched(MOVIE, change) == {own("Movie", "1"), own("Movie", "2")}


def test_a_renamed_film_touches_its_director():
    change = updated("Movie", "1", "title", references={"director_id": 7})
    assert touched(BY_DIRECTOR, change) == {own("Director", "7")}


def test_a_moved_film_touches_the_old_director_and_the_new_one():
    change = updated(
        "Movie", "1", "director_id",
        references={"director_id": 8}, previous={"director_id": 7},
    )  # fmt: skip
    assert touched(BY_DIRECTOR, change) == {own("Director", "7"), own("Director", "8")}


def test_a_film_that_gets_its_first_director_touches_only_that_one():
    change = updated(
        "Movie", "1", "director_id",
        references={"director_id": 8}, previous={"director_id": None},
    )  # fmt: skip
    assert touched(BY_DIRECTOR, change) == {own("Director", "8")}


@pytest.mark.parametrize("action", [Action.CREATED, Action.DELETED])
def test_a_new_or_deleted_film_touches_its_director(action):
    change = Change(DocumentRef("Movie", "1"), action, references={"director_id": 7})
    assert touched(BY_DIRECTOR, change) == {own("Director", "7")}


def test_a_reference_that_is_not_known_is_looked_up_at_delivery():
    change = updated("Movie", "1", "title")
    assert touched(BY_DIRECTOR, change) == {via("Director", "films", "1")}


def test_a_film_of_a_director_of_a_country_touches_the_country():
    country = model(
        "Country",
        "name",
        relations=[one_to_many("directors", BY_DIRECTOR, "country_id")],
    )
    change = updated("Movie", "1", "title", references={"director_id": 7})
    assert touched(country, change) == {via("Country", "directors", "7")}


def test_a_changed_link_touches_the_owner_and_a_renamed_target_the_path():
    actor = model("Actor", "name")
    cast = model("Movie", "title", relations=[through("cast", actor)])
    assert touched(cast, updated("Movie", "1", "cast")) == {own("Movie", "1")}
    assert touched(cast, updated("Actor", "5", "name")) == {via("Movie", "cast", "5")}


def test_reindex_link_follows_the_link_and_not_the_contents():
    root = model(
        "Director", "name",
        relations=[one_to_many("films", FILM, "director_id", Reindex.LINK)],
    )  # fmt: skip
    moved = updated(
        "Movie", "1", "director_id",
        references={"director_id": 8}, previous={"director_id": 7},
    )  # fmt: skip
    renamed = updated("Movie", "1", "title", references={"director_id": 8})
    assert touched(root, moved) == {own("Director", "7"), own("Director", "8")}
    assert touched(root, renamed) == set()


def test_reindex_never_follows_nothing():
    root = model(
        "Director", "name",
        relations=[one_to_many("films", FILM, "director_id", Reindex.NEVER)],
    )  # fmt: skip
    moved = updated("Movie", "1", "director_id", references={"director_id": 8})
    assert touched(root, moved) == set()


def test_unknown_fields_touch_everything_that_could_be_meant():
    change = Change(DocumentRef("Director", "7"), Action.UPDATED)
    assert touched(MOVIE, change) == {via("Movie", "director", "7")}


def test_a_change_of_a_subclass_touches_the_documents_of_its_bases():
    graph = DependencyGraph([MOVIE])
    change = updated("Documentary", "1", "title")
    assert set(graph.touched("es", change, ("Movie",))) == {own("Movie", "1")}
