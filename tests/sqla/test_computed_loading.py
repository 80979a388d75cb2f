"""Values of computed fields: which rows they are made of, and what they may read."""

from __future__ import annotations

import gc

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    object_session,
    relationship,
)

from nefertari_engine_base import document_field
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.sqla.json_loading import (
    UnreadableRows,
    json_statement,
)
from nefertari_engine_base.primary.sqla.loading import Loader, to_dict
from nefertari_engine_base.primary.sqla.locking import LockingOutbox
from nefertari_engine_base.refusals import RefusedDocuments, load_apart
from nefertari_engine_base.schema import Nested
from nefertari_engine_base.values import DocumentRef
from tests.sqla.computed_models import (
    Animal,
    Base,
    Cat,
    Country,
    Director,
    Dog,
    Genre,
    Movie,
    Node,
    Review,
    Seat,
)
from tests.sqla.models import counted_statements, described


@pytest.fixture
def session(database):
    Base.metadata.create_all(database)
    with Session(database) as session:
        session.add_all(rows())
        session.commit()
        yield session


def rows():
    yield from (Country(id=n, name=f"c{n}") for n in (1, 2))
    directors = [Director(id=n, name=f"d{n}", country_id=n % 3 or None) for n in (1, 3)]
    genres = [Genre(name=name, loud=name == "b") for name in "abc"]
    for n in range(1, 13):
        yield Movie(
            id=n,
            title=f"movie {n}\x02\n"[: n + 4],
            year=1900 + n if n % 3 else None,
            rating=float(n),
            director=directors[n % 2] if n % 5 else None,
            genres=genres[: n % 4],
            reviews=[Review(stars=s) for s in range(n % 3)],
        )
    root = Node(id=1, name="root")
    yield from (root, *(Node(id=n, name=f"n{n}", parent=root) for n in (2, 3, 4)))
    yield from (Dog(id=1, name="Rex", trick="sit"), Cat(id=2, name="Tom"))
    yield Seat(row='a,"\\', number=2)


MODELS = [
    (Movie, {}),
    (Movie, {"nested": ("director", "genres", "reviews")}),
    (Movie, {"nested": {"director": Nested(fields=("origin",))}}),
    (Movie, {"exclude": ("label", "stars")}),
    (Director, {"nested": ("movies.director",)}),
    (Node, {}),
    (Node, {"nested": ("parent", "children.children")}),
    (Seat, {}),
    (Animal, {}),
    (Dog, {}),
    (Cat, {}),
]


def load(session, schema, ids=None):
    loader, connection = Loader(schema), session.connection()
    return loader.load(connection, ids or loader.list_ids(connection, None, 100))


def load_written(session, schema, ids):
    """The documents that PostgreSQL itself writes."""
    connection = session.connection()
    statement = json_statement(schema, connection.dialect)
    assert statement is not None
    cursor = connection.connection.cursor()
    cursor.execute(statement.sql, statement.parameters(ids))
    return statement.documents(cursor.fetchall(), connection)


# --- values ------------------------------------------------------------------------


def test_computed_fields_stand_behind_everything_else(session):
    document = orjson.loads(load(session, described(Movie, nested=("genres",)))["2"])
    names = ["id", "title", "year", "rating", "director_id", "genres"]
    assert list(document) == [*names, "size", "label", "stars", "shout"]
    assert document["size"] == "LONG"
    assert document["label"] == "movie  (1902), d1"
    assert document["stars"] == "0.5"
    assert document["shout"] == "MOVIE  (1902), D1"


@pytest.mark.parametrize(("model", "options"), MODELS)
def test_an_instance_and_its_row_make_the_same_bytes(session, model, options):
    schema = described(model, **options)
    found = load(session, schema)
    assert found
    for id_, document in found.items():
        instance = session.get(model, schema.parse_id(id_))
        assert orjson.dumps(to_dict(schema, instance)) == document


@pytest.mark.parametrize(("model", "options"), MODELS)
def test_a_document_is_the_same_alone_and_among_others(session, model, options):
    schema = described(model, **options)
    for id_, document in load(session, schema).items():
        assert load(session, schema, [id_]) == {id_: document}


def test_other_fields_keep_the_bytes_that_they_have_without_computed_ones(session):
    computed = tuple(described(Movie).computed)
    plain = load(session, described(Movie, nested=("genres",), exclude=computed))
    for id_, document in load(session, described(Movie, nested=("genres",))).items():
        assert document.startswith(plain[id_][:-1] + b',"size":')


@pytest.mark.parametrize(("model", "options"), MODELS)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_documents_that_postgresql_writes_have_the_same_values_in_the_same_places(
    session, model, options
):
    schema = described(model, **options)
    expected = load(session, schema)
    found = load_written(session, schema, list(expected))
    assert found.keys() == expected.keys()
    for id_, document in found.items():
        # PostgreSQL writes a whole float without its fraction.
        other = orjson.dumps(orjson.loads(expected[id_].replace(b".0,", b",")))
        assert document == other


def test_an_unflushed_instance_has_its_values(session):
    movie = Movie(title="New", director=Director(name="Me"))
    assert movie.label == "New (None), Me"
    document = to_dict(described(Movie), movie)
    assert document["label"] == "New (None), Me"
    with pytest.raises(AttributeError, match="label of Movie is computed"):
        movie.label = "Other"
    with pytest.raises(AttributeError, match="label of Movie is computed"):
        Movie(label="Other")


def test_a_superclass_shows_its_own_field_of_all_its_rows(session):
    found = load(session, described(Animal))
    calls = {id_: orjson.loads(document)["call"] for id_, document in found.items()}
    assert calls == {"1": "Rex!", "2": "Tom!"}
    assert orjson.loads(load(session, described(Dog))["1"])["call"] == "Rex, sit!"
    assert "call" not in orjson.loads(load(session, described(Cat))["2"])


# --- statements --------------------------------------------------------------------


def test_each_level_of_what_is_read_takes_one_statement(session):
    with counted_statements(session.bind) as statements:
        assert len(load(session, described(Movie))) == 12
    tables = [sql.split("FROM ")[1].split()[0] for sql in statements[1:]]
    # Rows, instances, and what these lead to; genres by the table in between.
    assert tables[:2] == ["movies", "movies"]
    assert sorted(tables[2:]) == ["directors", "movie_genres", "reviews"]


def test_only_what_is_read_is_loaded(session):
    with counted_statements(session.bind) as statements:
        load(session, described(Movie, exclude=("stars", "shout", "size")))
    assert len(statements) == 4  # ids, rows, instances, directors
    assert "rating" in statements[1]
    assert "rating" not in statements[2]
    assert "notes" not in statements[3]


def test_models_without_computed_fields_make_no_instances(session):
    schema = described(Movie, exclude=("label", "stars", "shout", "size"))
    session.close()
    gc.collect()
    load(session, schema)
    # By its type, since proxies of what is gone answer for nothing else.
    assert not any(issubclass(type(each), Movie) for each in gc.get_objects())


def test_nothing_is_asked_for_embedded_rows_that_there_are_not(session):
    schema = described(
        Movie, nested=("director",), exclude=("label", "stars", "shout", "size")
    )
    with counted_statements(session.bind) as statements:
        load(session, schema, ["5"])
    assert len(statements) == 1


def test_values_are_read_in_the_transaction_of_the_load(session):
    with session.bind.connect() as connection, connection.begin() as transaction:
        connection.execute(sa.update(Movie).values(title="uncommitted"))
        document = Loader(described(Movie)).load(connection, ["1"])["1"]
        assert orjson.loads(document)["label"].startswith("uncommitted")
        assert transaction.is_active
        assert connection.in_transaction()
        transaction.rollback()
    session.expire_all()
    assert session.get(Movie, 1).title != "uncommitted"


def test_loading_in_no_transaction_leaves_none(session):
    session.close()
    with session.bind.connect() as connection:
        schema = described(Seat)
        ids = Loader(schema).list_ids(connection, None, 10)
        connection.rollback()
        Loader(schema).load(connection, ids)
        connection.rollback()
        assert not connection.in_transaction()


def test_a_load_flushes_and_commits_nothing(session):
    heard = []
    names = ("before_flush", "after_flush", "before_commit", "after_commit")
    listeners = {name: lambda *_, name=name: heard.append(name) for name in names}
    for name, listener in listeners.items():
        sa.event.listen(Session, name, listener)
    with session.bind.connect() as connection:
        Loader(described(Movie)).load(connection, ["1", "2"])
    for name, listener in listeners.items():
        sa.event.remove(Session, name, listener)
    assert heard == []


# --- what cannot be computed -------------------------------------------------------


class Careless(DeclarativeBase):
    pass


class Reader(Careless):
    """Has one field for each way to go wrong, by the title of the row."""

    __tablename__ = "readers"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    secret: Mapped[str | None]
    friend_id: Mapped[int | None] = mapped_column(sa.ForeignKey("readers.id"))
    friend: Mapped[Reader | None] = relationship(remote_side=[id])
    books: Mapped[list[Book]] = relationship(back_populates="reader")
    eager: Mapped[list[Book]] = relationship(viewonly=True, lazy="selectin")
    joined: Mapped[list[Book]] = relationship(viewonly=True, lazy="joined")

    @document_field(depends_on=("title", "friend.title"))
    def mood(self) -> str:
        return FUNCTIONS[self.title](self)


class Book(Careless):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    pages: Mapped[int | None]
    reader_id: Mapped[int | None] = mapped_column(sa.ForeignKey("readers.id"))
    reader: Mapped[Reader | None] = relationship(back_populates="books")


def query(self):
    return object_session(self).scalar(sa.select(Reader.title))


FUNCTIONS = {
    "fine": lambda self: "fine",
    "raises": lambda self: 1 / 0,
    "column": lambda self: self.secret,
    "relation": lambda self: self.books[0],
    "eager relation": lambda self: self.eager,
    "joined relation": lambda self: self.friend.joined,
    "friend's column": lambda self: self.friend.secret,
    "friend's relation": lambda self: self.friend.books,
    "number": lambda self: 7,
    "none": lambda self: None,
    "surrogate": lambda self: "\ud800",
    "query": query,
}
REASONS = {
    "raises": "mood of Reader raised ZeroDivisionError: division by zero",
    "column": "mood of Reader reads secret, which depends_on does not name",
    "relation": "mood of Reader reads books, which depends_on does not name",
    "eager relation": "mood of Reader reads eager, which depends_on does not name",
    "joined relation": "mood of Reader reads friend.joined, which depends_on does not",
    "friend's column": "mood of Reader reads friend.secret, which",
    "friend's relation": "mood of Reader reads friend.books, which",
    "number": "mood of Reader is 7; expected a string",
    "none": "mood of Reader is None; expected a string",
    "surrogate": "mood of Reader is no text that UTF-8 can write",
    "query": "mood of Reader raised AttributeError",
}


@pytest.fixture
def careless(database):
    Careless.metadata.create_all(database)
    with Session(database) as session:
        session.add_all(
            Reader(id=n, title=title, friend=Reader(id=n + 100, title="fine"))
            for n, title in enumerate(FUNCTIONS, 1)
        )
        session.commit()
        yield session


@pytest.mark.parametrize("title", REASONS)
def test_a_field_that_cannot_be_computed_says_which_and_why(careless, title):
    id_ = str(list(FUNCTIONS).index(title) + 1)
    with pytest.raises(RefusedDocuments) as refused:
        Loader(described(Reader)).load(careless.connection(), [id_])
    assert str(refused.value).startswith(f"Reader {id_}: {REASONS[title]}")
    assert refused.value.reasons == {id_: str(refused.value)}


def test_its_neighbours_are_loaded_by_the_same_statements(careless):
    schema, connection = described(Reader), careless.connection()
    ids = [str(n + 1) for n in range(len(FUNCTIONS))]
    refs = [DocumentRef("Reader", id_) for id_ in ids]
    loader = Loader(schema)
    with counted_statements(careless.bind) as statements:
        documents, errors = load_apart(
            lambda model, chosen: loader.load(connection, chosen), refs
        )
    assert len(statements) == 3  # rows, instances, friends
    assert documents["Reader"].keys() == {"1"}
    assert [ref.id for ref in errors] == ids[1:]


def test_an_owner_of_a_row_that_cannot_be_computed_is_refused_alone(careless):
    careless.add_all([Book(id=1, reader_id=1), Book(id=2, reader_id=2), Book(id=3)])
    careless.flush()
    schema = described(Book, nested=("reader",))
    with pytest.raises(RefusedDocuments) as refused:
        Loader(schema).load(careless.connection(), ["1", "2", "3"])
    assert refused.value.documents.keys() == {"1", "3"}
    assert refused.value.reasons.keys() == {"2"}
    assert "Reader 2: mood of Reader raised" in refused.value.reasons["2"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_documents_that_postgresql_writes_are_refused_alone_too(careless):
    careless.add_all([Book(id=1, reader_id=1), Book(id=2, reader_id=2), Book(id=3)])
    careless.flush()
    schema = described(Book, nested=("reader",))
    with pytest.raises(RefusedDocuments) as refused:
        load_written(careless, schema, ["1", "2", "3"])
    assert refused.value.documents.keys() == {"1", "3"}
    assert refused.value.reasons.keys() == {"2"}


def test_an_instance_that_cannot_be_computed_is_an_error_of_the_family(careless):
    with pytest.raises(ConversionError, match="Reader 2: mood of Reader raised Zero"):
        to_dict(described(Reader), careless.get(Reader, 2))
    with pytest.raises(ConversionError, match=r"Reader \(new\): mood of Reader is 7"):
        to_dict(described(Reader), Reader(title="number"))


# --- rows that change meanwhile ----------------------------------------------------


@pytest.fixture
def before_instances(session):
    """Calls a function once, before the first instances are loaded."""
    todo = []

    def listener(state):
        if state.is_select and not state.is_relationship_load and todo:
            todo.pop()(state)

    sa.event.listen(Session, "do_orm_execute", listener)
    yield todo.append
    sa.event.remove(Session, "do_orm_execute", listener)


def test_a_row_that_is_gone_meanwhile_has_no_values_until_its_delete_is_delivered(
    session, before_instances
):
    schema = described(Seat)
    (id_,) = load(session, schema)
    session.rollback()
    with session.bind.connect() as connection:

        def delete(state):
            with session.bind.begin() as other:
                other.execute(sa.delete(Seat))

        before_instances(delete)
        document = orjson.loads(Loader(schema).load(connection, [id_])[id_])
    assert document == {"row": 'a,"\\', "number": 2, "sign": None}


def test_a_row_that_a_listener_hides_from_sessions_is_refused(
    session, before_instances
):
    def hide(state):
        state.statement = state.statement.where(Movie.id != 2)

    before_instances(hide)
    with pytest.raises(RefusedDocuments, match="Movie 2: a session does not find"):
        load(session, described(Movie))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_rows_that_sql_cannot_write_and_values_that_python_cannot_are_told_apart(
    database,
):
    class Own(DeclarativeBase):
        pass

    class Event(Own):
        __tablename__ = "events"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[dict | None] = mapped_column(sa.JSON)

        @document_field(depends_on=("id",))
        def half(self) -> int:
            return 10 // (self.id - 2)

    Own.metadata.create_all(database)
    with Session(database) as session:
        session.execute(
            sa.text("INSERT INTO events VALUES (1, '{}'), (2, '{}'), (3, :odd)"),
            {"odd": '{"a": "\\u0000"}'},
        )
        with pytest.raises(UnreadableRows) as unreadable:
            load_written(session, described(Event), ["1", "2", "3"])
        assert unreadable.value.ids == ("3",)
        assert unreadable.value.documents.keys() == {"1"}
        assert unreadable.value.reasons.keys() == {"2"}
        session.commit()
    outbox = LockingOutbox(database, {"Event": Loader(described(Event))}.__getitem__)
    with database.begin() as connection:
        refs = [DocumentRef("Event", id_) for id_ in "123"]
        documents, errors = outbox.load(connection, refs)
    assert documents["Event"].keys() == {"1", "3"}
    assert [ref.id for ref in errors] == ["2"]
    outbox.close()
