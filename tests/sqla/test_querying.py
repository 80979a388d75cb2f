"""What the primary answers to queries, on every database."""

import enum
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from nefertari_engine_base.exceptions import InvalidDocumentId, QueryError
from nefertari_engine_base.primary.sqla import querying
from nefertari_engine_base.values import Filter, Operator, Query, Sort
from tests.sqla.models import (
    Base,
    Cat,
    Country,
    Director,
    Dog,
    Genre,
    Mood,
    Movie,
    Node,
    Owner,
    Review,
    Seat,
    Ticket,
    counted_statements,
    described,
)

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.*Decimal")

MOVIE = described(Movie, nested=("director.country", "genres", "reviews"))
SEAT = described(Seat, nested=("tickets",))
NODE = described(Node, nested=("parent", "children.children", "friends"))


@pytest.fixture
def session(database):
    Base.metadata.create_all(database)
    with Session(database) as session:
        uk, us = Country(id=1, name="UK"), Country(id=2, name="US")
        scott = Director(id=1, name="Scott", country=uk)
        lynch = Director(id=2, name="Lynch", country=us)
        sf, dark, fun = (Genre(name=name) for name in ("sf", "dark", "Fun"))
        session.add_all(
            [
                Movie(
                    id=1,
                    title="Alien",
                    year=1979,
                    rating=8.5,
                    gross=Decimal("1.10"),
                    mood=Mood.DARK,
                    director=scott,
                    genres=[sf, dark],
                    reviews=[Review(stars=5, text="bad"), Review(stars=1, text="good")],
                ),
                Movie(
                    id=2,
                    title="blade runner",
                    year=1982,
                    rating=8.1,
                    mood=Mood.DARK,
                    director=scott,
                    genres=[sf],
                    reviews=[Review(stars=5, text="good")],
                ),
                Movie(id=3, title="Dune", year=1984, director=lynch, genres=[sf, fun]),
                Movie(id=4, title="Zodiac", mood=Mood.LIGHT),
                Movie(id=5, title="alone", year=1982, rating=3.0, director=lynch),
            ]
        )
        root = Node(id=1, name="root")
        left, right = (Node(id=n, name=f"n{n}", parent=root) for n in (2, 3))
        leaf = Node(id=4, name="leaf", parent=left)
        right.friends = [leaf, root]
        session.add_all([root, leaf])
        session.add(Seat(row="a,", number=1, tickets=[Ticket(id=1)]))
        session.add(Seat(row="a,", number=2))
        session.commit()
        session.expunge_all()
        yield session


def ids(session, schema, *filters, **options):
    query = Query(filters=filters, **options)
    page = querying.search(session, schema, query)
    assert querying.count(session, schema, query) == page.total
    return [item.id for item in page.items]


# --- filters ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("title", "eq", "Dune", [3]),
        ("title", "eq", "dune", []),
        ("year", "in", [1979, 1984], [1, 3]),
        ("year", "in", [], []),
        ("year", "all", [1982], [2, 5]),
        ("year", "all", [1982, 1984], []),
        ("year", "gt", 1982, [3]),
        ("year", "gte", 1982, [2, 3, 5]),
        ("year", "lt", 1982, [1]),
        ("year", "lte", 1982, [1, 2, 5]),
        ("year", "exists", True, [1, 2, 3, 5]),
        ("year", "exists", False, [4]),
        ("title", "gt", "Zodiac", [2, 5]),
        ("title", "lt", "a", [1, 3, 4]),
        ("gross", "eq", Decimal("1.1"), [1]),
        ("mood", "eq", Mood.LIGHT, [4]),
        ("mood", "gt", Mood.DARK, [4]),
        ("title_length", "eq", 5, [1, 5]),
        ("director.name", "eq", "Scott", [1, 2]),
        ("director.name", "exists", True, [1, 2, 3, 5]),
        ("director.name", "exists", False, [4]),
        ("director.country.name", "eq", "US", [3, 5]),
        ("director.country.name", "in", ["UK", "US"], [1, 2, 3, 5]),
        ("genres.name", "eq", "sf", [1, 2, 3]),
        ("genres.name", "all", ["sf", "dark"], [1]),
        ("genres.name", "in", ["dark", "Fun"], [1, 3]),
        ("genres.name", "exists", False, [4, 5]),
        ("reviews.stars", "gte", 5, [1, 2]),
        ("reviews.text", "exists", True, [1, 2]),
    ],
)
def test_a_filter_finds_rows(session, field, operator, value, expected):
    assert ids(session, MOVIE, Filter(field, Operator(operator), value)) == expected


def test_filters_are_all_met(session):
    found = ids(
        session,
        MOVIE,
        Filter("year", Operator.EQ, 1982),
        Filter("director.name", Operator.EQ, "Lynch"),
        Filter("director.country.name", Operator.EQ, "US"),
    )
    assert found == [5]


def test_filters_on_a_list_are_met_by_one_and_the_same_row(session):
    found = ids(
        session,
        MOVIE,
        Filter("reviews.stars", Operator.EQ, 5),
        Filter("reviews.text", Operator.EQ, "good"),
    )
    assert found == [2]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("parent.name", "root", [2, 3]),
        ("children.name", "leaf", [2]),
        ("children.children.name", "leaf", [1]),
        ("friends.name", "root", [3]),
    ],
)
def test_filters_reach_into_the_same_model(session, field, value, expected):
    assert ids(session, NODE, Filter(field, Operator.EQ, value)) == expected


def test_filters_apply_to_composite_keys(session):
    query = Query(filters=(Filter("tickets.id", Operator.EQ, 1),))
    page = querying.search(session, SEAT, query)
    assert [(seat.row, seat.number) for seat in page] == [("a,", 1)]


# --- order and pages ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([], [1, 2, 3, 4, 5]),
        ([Sort("title")], [1, 3, 4, 5, 2]),
        ([Sort("title", True)], [2, 5, 4, 3, 1]),
        ([Sort("year")], [1, 2, 5, 3, 4]),
        ([Sort("year", True)], [3, 2, 5, 1, 4]),
        ([Sort("year", True), Sort("rating")], [3, 5, 2, 1, 4]),
        ([Sort("mood")], [1, 2, 4, 3, 5]),
        ([Sort("mood", True)], [4, 1, 2, 3, 5]),
        ([Sort("director.name")], [3, 5, 1, 2, 4]),
        ([Sort("director.country.name", True)], [3, 5, 1, 2, 4]),
        ([Sort("genres.name")], [3, 1, 2, 4, 5]),
        ([Sort("genres.name", True)], [1, 2, 3, 4, 5]),
    ],
)
def test_rows_are_sorted_by_bytes_with_the_absent_last(session, sort, expected):
    assert ids(session, MOVIE, sort=tuple(sort)) == expected


def test_inherited_rows_are_sorted_and_filtered(session):
    session.add(Owner(id=1, name="Ann", animals=[Dog(name="b"), Dog(name="a")]))
    session.add(Cat(name="c", lives=9))
    session.commit()
    dogs = querying.search(session, described(Dog), Query(sort=(Sort("name"),)))
    assert [dog.name for dog in dogs] == ["a", "b"]
    assert querying.count(session, described(Cat), Query()) == 1
    owner = described(Owner, nested=("dogs", "cats"))
    query = Query(
        filters=(Filter("dogs.name", Operator.EQ, "a"),), sort=(Sort("dogs.name"),)
    )
    assert [found.name for found in querying.search(session, owner, query)] == ["Ann"]


@pytest.mark.parametrize(
    ("start", "limit", "expected"),
    [
        (0, 2, [1, 2]),
        (2, 2, [3, 4]),
        (4, 2, [5]),
        (9, 2, []),
        (1, None, [2, 3, 4, 5]),
        (0, 0, []),
    ],
)
def test_a_page_knows_the_total(session, start, limit, expected):
    page = querying.search(session, MOVIE, Query(start=start, limit=limit))
    assert [movie.id for movie in page] == expected
    assert (page.total, page.start, page.limit) == (5, start, limit)


@pytest.mark.parametrize("query", [Query(text="alien"), Query(aggregations={"a": {}})])
def test_only_the_secondary_answers_texts_and_aggregations(session, query):
    for answer in (querying.search, querying.count):
        with pytest.raises(QueryError, match="only be answered by the secondary"):
            answer(session, MOVIE, query)


def test_a_value_that_the_database_refuses_is_an_error_of_the_query(session):
    query = Query(filters=(Filter("year", Operator.EQ, 10**30),))
    with pytest.raises(QueryError, match="refuses a value"):
        querying.search(session, MOVIE, query)


def test_a_query_is_explained_by_its_sql(session):
    query = Query(filters=(Filter("title", Operator.EQ, "Dune"),))
    explained = querying.explain(session, MOVIE, query)
    assert "WHERE movies.film_title = " in explained["sql"]
    assert "Dune" in explained["parameters"].values()


# --- what is loaded ----------------------------------------------------------------


def test_embedded_relations_are_loaded_with_the_page(session):
    with counted_statements(session.bind) as statements:
        page = querying.search(session, MOVIE, Query())
        for movie in page:
            assert movie.director is None or movie.director.country.name
            assert all(genre.name for genre in movie.genres)
            assert all(review.stars for review in movie.reviews)
    assert len(statements) == 3


def test_chosen_fields_are_loaded_alone(session):
    with counted_statements(session.bind) as statements:
        page = querying.search(session, MOVIE, Query(fields=("title", "director.name")))
        assert [(movie.title, movie.director and movie.director.name) for movie in page]
    assert len(statements) == 1
    assert page.fields == ("title", "director.name")
    unloaded = sa.inspect(page[0]).unloaded
    assert {"year", "genres", "reviews"} <= unloaded
    assert "director" not in unloaded


def test_a_chosen_relation_is_loaded_in_whole(session):
    page = querying.search(session, MOVIE, Query(fields=("title", "genres")))
    assert "genres" not in sa.inspect(page[0]).unloaded
    assert "director" in sa.inspect(page[0]).unloaded


def test_a_search_of_ids_loads_keys_only(session):
    with counted_statements(session.bind) as statements:
        page = querying.search(session, MOVIE, Query(ids_only=True))
        assert [movie.id for movie in page] == [1, 2, 3, 4, 5]
    assert len(statements) == 1
    assert "title" in sa.inspect(page[0]).unloaded


def test_relations_that_cannot_be_loaded_eagerly_are_left_alone(session):
    schema = described(Movie, nested=("dynamic_reviews", "written_reviews"))
    assert len(querying.search(session, schema, Query())) == 5
    assert len(querying.get_by_ids(session, schema, ["1"])["1"].dynamic_reviews.all())


# --- by id -------------------------------------------------------------------------


def test_instances_are_found_by_their_ids(session):
    with counted_statements(session.bind) as statements:
        found = querying.get_by_ids(session, MOVIE, ["5", "1", "99"])
        assert {id_: movie.title for id_, movie in found.items()} == {
            "1": "Alien",
            "5": "alone",
        }
        assert found["5"].director.country.name == "US"
        assert [genre.name for genre in found["1"].genres]
    assert len(statements) == 3


def test_instances_of_composite_keys_are_found_by_their_ids(session):
    found = querying.get_by_ids(session, SEAT, ["a\\,,2", "a\\,,1", "b,1"])
    assert {id_: seat.number for id_, seat in found.items()} == {
        "a\\,,1": 1,
        "a\\,,2": 2,
    }


def test_an_instance_comes_under_the_id_that_was_asked_for(session):
    assert list(querying.get_by_ids(session, MOVIE, ["01"])) == ["01"]


def test_no_ids_are_no_instances(session):
    assert querying.get_by_ids(session, MOVIE, []) == {}


@pytest.mark.parametrize("id_", ["one", "", "1.5"])
def test_an_id_that_is_none_of_the_model_is_an_error(session, id_):
    with pytest.raises(InvalidDocumentId, match="Movie"):
        querying.get_by_ids(session, MOVIE, [id_])


# --- arrays and JSON ---------------------------------------------------------------


class Tag(enum.Enum):
    A = "a"
    B = "b"


class ListBase(DeclarativeBase):
    pass


class Listed(ListBase):
    __tablename__ = "listed"
    id: Mapped[int] = mapped_column(primary_key=True)
    words = mapped_column(pg.ARRAY(sa.String).with_variant(sa.JSON, "sqlite"))
    numbers = mapped_column(sa.ARRAY(sa.Integer).with_variant(sa.JSON, "sqlite"))
    data = mapped_column(sa.JSON)


LISTED = described(Listed)


@pytest.fixture
def lists(database):
    ListBase.metadata.create_all(database)
    with Session(database) as session:
        session.add(Listed(id=1, words=["a", "b"], numbers=[1, 5], data={"x": 1}))
        session.add(Listed(id=2, words=["b"], numbers=[], data=None))
        session.add(Listed(id=3, words=None, numbers=None, data=sa.null()))
        session.commit()
        yield session


@pytest.mark.parametrize(
    ("field", "operator", "value", "expected"),
    [
        ("words", "eq", "b", [1, 2]),
        ("words", "in", ["a", "x"], [1]),
        ("words", "in", [], []),
        ("words", "all", ["a", "b"], [1]),
        ("numbers", "gt", 4, [1]),
        ("numbers", "lt", 1, []),
        ("numbers", "lte", 1, [1]),
    ],
)
def test_an_item_of_a_list_meets_the_filter(lists, field, operator, value, expected):
    condition = Filter(field, Operator(operator), value)
    if lists.bind.dialect.name == "sqlite":
        with pytest.raises(QueryError, match="cannot look into"):
            ids(lists, LISTED, condition)
    else:
        assert ids(lists, LISTED, condition) == expected


@pytest.mark.parametrize(
    ("field", "wanted", "expected"),
    [
        ("data", True, [1]),
        ("data", False, [2, 3]),
        ("numbers", True, [1]),
        ("numbers", False, [2, 3]),
        ("words", True, [1, 2]),
    ],
)
def test_an_empty_list_and_the_null_of_json_are_no_value(
    lists, field, wanted, expected
):
    condition = Filter(field, Operator.EXISTS, wanted)
    assert ids(lists, LISTED, condition) == expected
