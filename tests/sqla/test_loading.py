"""Documents of rows: their bytes, how many statements they take, who embeds what."""

import datetime as dt
from decimal import Decimal

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from nefertari_engine_base.exceptions import InvalidDocumentId
from nefertari_engine_base.primary.sqla.loading import Loader, to_dict
from nefertari_engine_base.schema import Nested
from tests.sqla.models import (
    Animal,
    Base,
    Cat,
    Country,
    Director,
    Dog,
    Genre,
    Mood,
    Movie,
    Newspaper,
    Node,
    Owner,
    Paper,
    Review,
    Seat,
    Ticket,
    counted_statements,
    described,
    movie_genres,
)

pytestmark = pytest.mark.filterwarnings("ignore:Dialect sqlite.*Decimal")

NEVER = Nested(reindex="never")


@pytest.fixture
def session(database):
    Base.metadata.create_all(database)
    with Session(database) as session:
        yield session


def blade_runner() -> Movie:
    return Movie(
        id=1,
        title="Blade Runner",
        year=1982,
        rating=8.1,
        gross=Decimal("41722424.50"),
        released=dt.date(1982, 6, 25),
        watched_at=dt.datetime(2020, 1, 2, 20, 15, tzinfo=dt.UTC),
        mood=Mood.DARK,
        director=Director(id=5, name="Scott", country=Country(id=9, name="UK")),
    )


def load(session, loader: Loader, ids) -> dict[str, object]:
    session.commit()
    found = loader.load(session.connection(), ids)
    return {id_: orjson.loads(document) for id_, document in found.items()}


# --- documents -------------------------------------------------------------------


def test_a_document_has_the_forms_of_all_its_values(session):
    session.add(blade_runner())
    document = load(session, Loader(described(Movie)), ["1"])["1"]
    zone = "" if session.bind.dialect.name == "sqlite" else "+00:00"
    assert document == {
        "id": 1,
        "title": "Blade Runner",
        "year": 1982,
        "rating": 8.1,
        "gross": "41722424.50",
        "released": "1982-06-25",
        "watched_at": f"2020-01-02T20:15:00{zone}",
        "mood": "DARK",
        "plot": None,
        "director_id": 5,
        "title_length": 12,
    }


def test_only_rows_that_exist_have_documents(session):
    session.add(blade_runner())
    assert load(session, Loader(described(Movie)), ["1", "2"]).keys() == {"1"}
    session.execute(sa.delete(Movie))
    assert load(session, Loader(described(Movie)), ["1", "2"]) == {}


def test_no_ids_are_no_documents(session):
    assert load(session, Loader(described(Movie)), []) == {}


@pytest.mark.parametrize(
    ("model", "id_"), [(Movie, "one"), (Seat, "a"), (Seat, "a,one"), (Seat, "a,1,2")]
)
def test_an_id_that_is_none_of_the_model_is_an_error(session, model, id_):
    with pytest.raises(InvalidDocumentId, match=model.__name__):
        Loader(described(model)).load(session.connection(), [id_])


def test_a_key_that_is_longer_than_its_column_finds_nothing(session):
    session.add(Seat(row="a" * 80, number=1))
    assert load(session, Loader(described(Seat)), ["a" * 81 + ",1"]) == {}
    session.add(Genre(name="b" * 40))
    assert load(session, Loader(described(Genre)), ["b" * 41]) == {}


def test_a_document_comes_under_the_id_that_its_row_has(session):
    session.add(blade_runner())
    assert load(session, Loader(described(Movie)), ["01"]).keys() == {"1"}


def test_embedded_documents_stand_in_their_owners(session):
    session.add(blade_runner())
    session.add(Movie(id=2, title="Nobody's", director=None))
    schema = described(Movie, nested={"director.country": Nested(fields=("name",))})
    found = load(session, Loader(schema), ["1", "2"])
    assert found["1"]["director"] == {
        "id": 5,
        "name": "Scott",
        "notes": None,
        "country_id": 9,
        "country": {"name": "UK"},
    }
    assert found["2"]["director"] is None


def test_embedded_documents_appear_without_the_references_that_link_them(session):
    session.add(blade_runner())
    schema = described(
        Movie,
        nested={"director": Nested(fields=("name",))},
        exclude=("director_id", "plot"),
    )
    document = load(session, Loader(schema), ["1"])["1"]
    assert document["director"] == {"name": "Scott"}
    assert "director_id" not in document


def test_lists_without_an_order_are_in_that_of_the_key(session):
    names = ["b", "a", "B", "é", "Z", "z"]
    movie = blade_runner()
    movie.genres = [Genre(name=name) for name in names]
    session.add(movie)
    loader = Loader(described(Movie, nested=("genres",)))
    genres = load(session, loader, ["1"])["1"]["genres"]
    assert [genre["name"] for genre in genres] == sorted(names)


def test_lists_have_the_order_of_their_relation(session):
    movie = blade_runner()
    movie.reviews = [Review(id=n, stars=s) for n, s in [(1, 2), (2, 5), (4, 3), (3, 3)]]
    session.add(movie)
    loader = Loader(described(Movie, nested=("reviews",)))
    reviews = load(session, loader, ["1"])["1"]["reviews"]
    assert [review["id"] for review in reviews] == [2, 3, 4, 1]


def test_lists_may_have_the_order_of_the_table_that_links_them(session):
    session.add_all([blade_runner(), *(Genre(name=name) for name in "abc")])
    session.flush()
    rows = [("a", 3), ("b", 1), ("c", 2)]
    session.execute(
        sa.insert(movie_genres),
        [{"movie_id": 1, "genre_name": name, "position": at} for name, at in rows],
    )
    loader = Loader(described(Movie, nested={"ranked_genres": NEVER}))
    genres = load(session, loader, ["1"])["1"]["ranked_genres"]
    assert [genre["name"] for genre in genres] == ["b", "c", "a"]


def test_a_relation_with_a_condition_of_its_own_is_embedded_by_it(session):
    movie = blade_runner()
    movie.reviews = [Review(id=1, stars=5), Review(id=2, stars=1)]
    session.add_all([movie, Movie(id=2, title="Unseen")])
    loader = Loader(described(Movie, nested={"good_reviews": NEVER}))
    found = load(session, loader, ["1", "2"])
    assert [review["id"] for review in found["1"]["good_reviews"]] == [1]
    assert found["2"]["good_reviews"] == []


def test_documents_of_composite_keys_embed_by_all_of_the_key(session):
    session.add(Seat(row="a,\\", number=1, tickets=[Ticket(id=1), Ticket(id=2)]))
    session.add(Seat(row="a,\\", number=2, tickets=[Ticket(id=3)]))
    session.add(Ticket(id=4))
    seats = Loader(described(Seat, nested=("tickets",)))
    session.flush()
    found = load(session, seats, seats.list_ids(session.connection(), None, 10))
    assert [
        [ticket["id"] for ticket in seat["tickets"]] for seat in found.values()
    ] == [[1, 2], [3]]
    found = load(session, Loader(described(Ticket, nested=("seat",))), ["3", "4"])
    assert found["3"]["seat"]["number"] == 2
    assert found["4"]["seat"] is None


def test_inheritance_of_every_kind_has_documents(session):
    dog, cat = Dog(id=1, name="Rex", trick="sit"), Cat(id=2, name="Tom", lives=9)
    other = Animal(id=3, name="Nemo")
    session.add(Owner(id=1, name="Ann", animals=[dog, cat, other]))
    session.add_all([Paper(id=1, title="P"), Newspaper(id=1, title="N", city="B")])
    session.commit()

    def documents(model, **options):
        loader = Loader(described(model, **options))
        return load(session, loader, ["1", "2", "3"])

    assert documents(Animal).keys() == {"1", "2", "3"}
    assert documents(Dog) == {
        "1": {"id": 1, "kind": "dog", "name": "Rex", "owner_id": 1, "trick": "sit"}
    }
    assert documents(Cat).keys() == {"2"}
    assert documents(Paper) == {"1": {"id": 1, "title": "P"}}
    assert documents(Newspaper) == {"1": {"id": 1, "title": "N", "city": "B"}}
    owner = documents(Owner, nested=("animals", "dogs", "cats"))["1"]
    assert [animal["name"] for animal in owner["animals"]] == ["Rex", "Tom", "Nemo"]
    assert [dog["trick"] for dog in owner["dogs"]] == ["sit"]
    assert [cat["lives"] for cat in owner["cats"]] == [9]


# --- the same bytes ----------------------------------------------------------------

EMBEDDING = [
    (Movie, ("director.country", "genres.movies", "reviews")),
    (Movie, ("dynamic_reviews", "written_reviews")),
    (Director, ("movies.reviews",)),
    (Genre, ("movies",)),
    (Node, ("parent.parent", "children.children", "friends.friends")),
    (Seat, ("tickets",)),
    (Ticket, ("seat.tickets",)),
    (Owner, ("animals", "dogs", "cats")),
]


@pytest.fixture
def filled(session):
    movies = [
        Movie(id=n, title=f"movie {n}", year=1900 + n, gross=Decimal(n) / 3)
        for n in range(1, 30)
    ]
    directors = [
        Director(id=n, name=f"d{n}", country_id=n % 3 or None) for n in range(8)
    ]
    genres = [Genre(name=f"g{n}") for n in range(12)]
    for n, movie in enumerate(movies):
        movie.director_id = n % 9 if n % 9 < 8 else None
        movie.genres = [genres[n % 12], genres[(n + 5) % 12]] if n % 4 else []
        movie.reviews = [Review(stars=s) for s in range(n % 5)]
    nodes = [Node(id=n, name=f"n{n}") for n in range(1, 20)]
    for n, node in enumerate(nodes):
        node.parent = nodes[(n - 1) // 2] if n else None
        node.friends = [nodes[n * 7 % 19], nodes[n * 11 % 19]][: n % 3]
    session.add_all([Country(id=n, name=f"c{n}") for n in range(1, 3)])
    session.flush()
    session.add_all([*directors, *genres])
    session.flush()
    session.add_all([*movies, *nodes])
    session.add_all(
        Seat(row=row, number=number, tickets=[Ticket() for _ in range(number)])
        for row in ("a", "b,", "c\\", "")
        for number in range(3)
    )
    session.add(Owner(name="Ann", animals=[Dog(name="Rex"), Cat(name="Tom")]))
    session.commit()
    return session


@pytest.mark.parametrize(("model", "nested"), EMBEDDING)
def test_an_instance_and_its_row_make_the_same_bytes(filled, model, nested):
    schema = described(model, nested=nested)
    loader = Loader(schema)
    connection = filled.connection()
    ids = loader.list_ids(connection, None, 100)
    found = loader.load(connection, ids)
    assert list(ids)
    assert found.keys() == set(ids)
    for id_ in ids:
        instance = filled.get(model, schema.parse_id(id_))
        assert orjson.dumps(to_dict(schema, instance)) == found[id_]


@pytest.mark.parametrize(("model", "nested"), EMBEDDING)
def test_a_document_is_the_same_alone_and_among_others(filled, model, nested):
    loader = Loader(described(model, nested=nested))
    connection = filled.connection()
    ids = loader.list_ids(connection, None, 100)
    together = loader.load(connection, ids)
    for id_ in ids:
        assert loader.load(connection, [id_]) == {id_: together[id_]}


def test_an_instance_shows_what_is_not_flushed_yet(session):
    schema = described(Movie, nested=("director", "reviews"))
    movie = Movie(title="New", director=Director(name="Me"), reviews=[Review(stars=1)])
    document = to_dict(schema, movie)
    assert (document["id"], document["title"]) == (None, "New")
    assert document["director"]["name"] == "Me"
    assert [review["stars"] for review in document["reviews"]] == [1]


# --- statements --------------------------------------------------------------------


def test_each_embedded_level_takes_one_statement(filled):
    loader = Loader(described(Movie, nested=("director.country", "genres", "reviews")))
    ids = [str(number) for number in range(1, 30)]
    with counted_statements(filled.bind) as statements:
        assert len(loader.load(filled.connection(), ids)) == 29
    tables = [sql.split("FROM ")[1].split()[0] for sql in statements]
    assert tables == ["movies", "directors", "countries", "genres", "reviews"]


def test_nothing_is_asked_for_documents_that_embed_nobody(filled):
    loader = Loader(described(Ticket, nested=("seat",)))
    filled.execute(sa.update(Ticket).values(seat_row=None, seat_number=None))
    filled.commit()
    with counted_statements(filled.bind) as statements:
        loader.load(filled.connection(), ["1", "2"])
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (Country, [{"id": n, "name": str(n)} for n in range(1, 12_001)]),
        (Seat, [{"row": str(n % 90), "number": n} for n in range(1, 12_001)]),
    ],
)
def test_thousands_of_ids_are_loaded_at_once(session, model, rows):
    session.execute(sa.insert(model), rows)
    session.commit()
    loader = Loader(described(model))
    connection = session.connection()
    ids = loader.list_ids(connection, None, 20_000)
    assert len(ids) == 12_000
    with counted_statements(session.bind) as statements:
        assert loader.load(connection, ids).keys() == set(ids)
    assert len(statements) <= 3


# --- owners ------------------------------------------------------------------------


@pytest.fixture
def linked(session):
    """Two countries, three directors, six movies, three genres; a tree of nodes."""
    session.add_all([Country(id=1, name="UK"), Country(id=2, name="US")])
    session.flush()
    session.add_all(
        Director(id=n, name=f"d{n}", country_id=c) for n, c in [(1, 1), (2, 1), (3, 2)]
    )
    genres = {name: Genre(name=name) for name in ("a,", "b", "c")}
    session.add_all(genres.values())
    session.flush()
    for n in range(1, 7):
        session.add(
            Movie(
                id=n,
                title=f"m{n}",
                director_id=(n + 1) // 2,
                genres=[genres["a,"], genres["b"]] if n % 2 else [genres["b"]],
                reviews=[Review(id=n * 10, stars=1), Review(id=n * 10 + 1, stars=2)],
            )
        )
    session.add_all(
        Node(id=n, name=f"n{n}", parent_id=parent)
        for n, parent in [(1, None), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)]
    )
    session.add(Seat(row="x,y", number=1, tickets=[Ticket(id=1), Ticket(id=2)]))
    session.flush()
    session.get(Node, 1).friends = [session.get(Node, 4), session.get(Node, 5)]
    session.get(Node, 6).friends = [session.get(Node, 4)]
    session.commit()
    return session


@pytest.mark.parametrize(
    ("model", "path", "key", "owners"),
    [
        (Movie, "director", "2", ["3", "4"]),
        (Director, "movies", "3", ["2"]),
        (Movie, "genres", "a\\,", []),
        (Movie, "genres", "a,", ["1", "3", "5"]),
        (Movie, "genres", "c", []),
        (Movie, "director.country", "1", ["1", "2", "3", "4"]),
        (Director, "movies.reviews", "41", ["2"]),
        (Director, "movies.genres", "a,", ["1", "2", "3"]),
        (Genre, "movies.director", "1", ["a,", "b"]),
        (Genre, "movies.reviews", "20", ["b"]),
        (Movie, "reviews", "50", ["5"]),
        (Movie, "dynamic_reviews", "50", ["5"]),
        (Node, "parent", "2", ["4", "5"]),
        (Node, "children", "2", ["1"]),
        (Node, "parent.parent", "1", ["4", "5", "6"]),
        (Node, "children.children", "6", ["1"]),
        (Node, "friends", "4", ["1", "6"]),
        (Node, "children.friends", "4", ["3"]),
        (Ticket, "seat", "x\\,y,1", ["1", "2"]),
        (Seat, "tickets", "2", ["x\\,y,1"]),
        (Movie, "director", "99", []),
    ],
)
def test_owners_of_an_embedded_row_are_found(linked, model, path, key, owners):
    loader = Loader(described(model, nested=(path,)))
    assert loader.find_owners(linked.connection(), path, key, None, 100) == owners


@pytest.mark.parametrize("path", ["director.country", "director"])
def test_owners_are_found_page_by_page(session, path):
    session.add(Country(id=1, name="UK"))
    session.flush()
    session.add(Director(id=1, name="d", country_id=1))
    session.flush()
    rows = [{"id": n, "title": str(n), "director_id": 1} for n in range(1, 26)]
    session.execute(sa.insert(Movie), rows)
    session.commit()
    loader = Loader(described(Movie, nested=(path,)))
    found, after = [], None
    while page := loader.find_owners(session.connection(), path, "1", after, 10):
        found.append(page)
        after = page[-1]
    assert [len(page) for page in found] == [10, 10, 5]
    assert [id_ for page in found for id_ in page] == [str(n) for n in range(1, 26)]


def test_owners_with_composite_keys_are_found_page_by_page(session):
    session.add_all(
        Seat(row=row, number=number, guest="x", tickets=[Ticket()])
        for row in ("a", "a,", "b")
        for number in (1, 2, 3)
    )
    session.commit()
    loader = Loader(described(Seat))
    connection = session.connection()
    ids = loader.list_ids(connection, None, 100)
    paged, after = [], None
    while page := loader.list_ids(connection, after, 4):
        paged += page
        after = page[-1]
    assert paged == ids
    assert len(ids) == 9


def test_an_owner_is_found_once_however_many_ways_lead_to_it(linked):
    movie = linked.get(Movie, 1)
    movie.genres.append(linked.get(Genre, "c"))
    linked.commit()
    loader = Loader(described(Genre, nested=("movies.director",)))
    owners = loader.find_owners(linked.connection(), "movies.director", "1", None, 9)
    assert owners == ["a,", "b", "c"]


def test_owners_of_a_deleted_row_are_found_as_long_as_they_refer_to_it(linked):
    loader = Loader(described(Movie, nested=("director",)))
    linked.execute(sa.update(Movie).where(Movie.id == 3).values(director_id=None))
    linked.commit()
    found = loader.find_owners(linked.connection(), "director", "2", None, 9)
    assert found == ["4"]
