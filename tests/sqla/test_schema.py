"""What a mapped class says of its documents."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    MissingInverse,
    UnmappableField,
)
from nefertari_engine_base.primary.sqla.schema import derived_fields
from nefertari_engine_base.schema import Nested, Reindex, SecondaryOptions
from tests.sqla.models import (
    Animal,
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
    Seat,
    Ticket,
    described,
)

# --- fields ----------------------------------------------------------------------


def test_fields_have_attribute_names_and_the_order_of_the_model():
    assert list(described(Movie).fields) == [
        "id", "title", "year", "rating", "gross", "released", "watched_at", "mood",
        "plot", "director_id", "title_length",
    ]  # fmt: skip


def test_a_field_tells_what_its_column_is():
    fields = described(Movie).fields
    assert fields["id"].primary_key
    assert not fields["id"].nullable
    assert fields["title"].length == 200
    assert not fields["title"].nullable
    assert (fields["gross"].precision, fields["gross"].scale) == (14, 2)
    assert fields["watched_at"].timezone
    assert fields["mood"].enum is Mood
    assert fields["mood"].enum_values == ("LIGHT", "DARK")
    assert fields["director_id"].reference
    assert not fields["year"].reference


def test_deferred_columns_and_expressions_are_fields_and_synonyms_are_not():
    fields = described(Movie).fields
    assert fields["plot"].kind is Kind.TEXT
    assert fields["title_length"].kind is Kind.INTEGER
    assert "name" not in fields


def test_an_expression_may_change_with_any_update():
    assert derived_fields(described(Movie)) == {"title_length"}


def test_a_composite_key_has_the_order_of_the_table():
    schema = described(Seat)
    assert schema.primary_key == ("row", "number")
    assert schema.document_id(("a,b", 3)) == "a\\,b,3"


def test_an_excluded_field_is_no_part_of_the_document():
    assert "plot" not in described(Movie, exclude=("plot",)).fields


def test_a_key_cannot_be_excluded():
    with pytest.raises(ConfigurationError, match=r"Seat: exclude names number.* key"):
        described(Seat, exclude=("number",))


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Movie, {"exclude": ("titel",)}),
        (Movie, {"fields": {"titel": object()}}),
        (Director, {"nested": {"movies": Nested(fields=("titel",))}}),
        (Director, {"nested": ("movies",), "exclude": ("movies.titel",)}),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest_names(model, options):
    with pytest.raises(ConfigurationError, match=r"Movie: .*'titel'.*mean title\?"):
        described(model, **options)


def test_a_class_that_is_not_mapped_is_an_error():
    with pytest.raises(ConfigurationError, match="Plain is no mapped class"):
        described(type("Plain", (), {}))


def test_a_declared_field_is_kept_with_the_schema():
    field, relation = object(), object()
    schema = described(
        Movie, nested=("director",), fields={"title": field, "director": relation}
    )
    assert schema.fields["title"].declared is field
    assert schema.relations["director"].declared is relation


def test_options_are_kept_with_the_schema():
    schema = described(Movie, exclude=("plot",), query_secondary=False)
    assert schema.options == SecondaryOptions(exclude=("plot",), query_secondary=False)


# --- types without a meaning -------------------------------------------------------


class OtherBase(DeclarativeBase):
    pass


class Booking(OtherBase):
    __tablename__ = "bookings"
    id: Mapped[int] = mapped_column(primary_key=True)
    during = mapped_column(pg.TSTZRANGE)
    hotel_id = mapped_column(sa.ForeignKey("hotels.id"))


class Hotel(OtherBase):
    __tablename__ = "hotels"
    id: Mapped[int] = mapped_column(primary_key=True)
    bookings: Mapped[list[Booking]] = relationship()


def test_an_unmappable_type_names_model_field_and_type():
    with pytest.raises(UnmappableField, match=r"Booking\.during is of type TSTZRANGE"):
        described(Booking)


def test_an_unmappable_field_can_be_excluded():
    assert list(described(Booking, exclude=("during",)).fields) == ["id", "hotel_id"]


def test_an_unmappable_field_can_be_declared():
    declared = object()
    field = described(Booking, fields={"during": declared}).fields["during"]
    assert (field.kind, field.declared) == (Kind.JSON, declared)


def test_an_unmappable_embedded_field_can_be_excluded_by_its_path():
    with pytest.raises(UnmappableField, match=r"Hotel\.bookings\.during"):
        described(Hotel, nested=("bookings",))
    schema = described(Hotel, nested=("bookings",), exclude=("bookings.during",))
    assert list(schema.relations["bookings"].document.fields) == ["id", "hotel_id"]


# --- relations -------------------------------------------------------------------


def test_nothing_is_embedded_unless_named():
    assert described(Movie).relations == {}


def test_a_many_to_one_relation_is_linked_by_the_owner():
    relation = described(Movie, nested=("director",)).relations["director"]
    assert (relation.many, relation.target) == (False, "Director")
    assert relation.owner_fields == ("director_id",)
    assert relation.target_fields == ()
    assert not relation.through


def test_a_one_to_many_relation_is_linked_by_the_target():
    relation = described(Director, nested=("movies",)).relations["movies"]
    assert (relation.many, relation.target) == (True, "Movie")
    assert relation.target_fields == ("director_id",)
    assert relation.owner_fields == ()


def test_a_many_to_many_relation_is_linked_by_a_table():
    relation = described(Movie, nested=("genres",)).relations["genres"]
    assert (relation.many, relation.through) == (True, True)
    assert relation.owner_fields == relation.target_fields == ()


def test_references_to_a_composite_key_have_the_order_of_the_key():
    ticket = described(Ticket, nested=("seat",)).relations["seat"]
    assert ticket.owner_fields == ("seat_row", "seat_number")
    seat = described(Seat, nested=("tickets",)).relations["tickets"]
    assert seat.target_fields == ("seat_row", "seat_number")


def test_a_path_embeds_each_of_its_steps():
    schema = described(Movie, nested=("director.country",))
    assert list(schema.relations) == ["director"]
    assert list(schema.relations["director"].document.relations) == ["country"]
    relations, field = schema.find("director.country.name")
    assert [relation.target for relation in relations] == ["Director", "Country"]
    assert field.kind is Kind.STRING


def test_a_related_model_s_own_relations_are_not_embedded():
    own = {Director: SecondaryOptions.of(nested=("movies", "country"))}
    schema = described(Movie, own.get, nested=("director",))
    assert schema.relations["director"].document.relations == {}


def test_an_embedded_document_has_the_fields_that_the_related_model_indexes():
    declared = object()
    own = {Director: SecondaryOptions.of(exclude=("notes",), fields={"name": declared})}
    inner = described(Movie, own.get, nested=("director",)).relations["director"]
    assert list(inner.document.fields) == ["id", "name", "country_id"]
    assert inner.document.fields["name"].declared is declared


def test_an_embedded_document_has_all_columns_of_a_model_without_documents():
    inner = described(Movie, nested=("director",)).relations["director"].document
    assert list(inner.fields) == ["id", "name", "notes", "country_id"]


def test_chosen_fields_of_an_embedded_document_leave_its_key_hidden():
    schema = described(Movie, nested={"director": Nested(fields=("name",))})
    inner = schema.relations["director"].document
    assert list(inner.fields) == ["name"]
    assert list(inner.hidden) == ["id"]
    assert inner.document_id((7,)) == "7"


def test_references_that_are_not_shown_are_hidden_fields():
    schema = described(Movie, nested=("director",), exclude=("director_id",))
    assert list(schema.hidden) == ["director_id"]
    schema = described(Director, nested={"movies": Nested(fields=("title",))})
    assert list(schema.relations["movies"].document.hidden) == ["id", "director_id"]


def test_a_relation_to_the_same_model_is_embedded_as_deep_as_named():
    schema = described(Node, nested=("parent", "children.children", "friends"))
    assert schema.relations["parent"].owner_fields == ("parent_id",)
    assert schema.relations["friends"].through
    children = schema.relations["children"]
    assert children.target_fields == ("parent_id",)
    assert list(children.document.relations) == ["children"]
    assert children.document.relations["children"].document.relations == {}


def test_a_dynamic_relation_can_be_embedded():
    schema = described(Movie, nested=("dynamic_reviews", "written_reviews"))
    for relation in schema.relations.values():
        assert relation.target_fields == ("movie_id",)


@pytest.mark.parametrize("reindex", ["link", Reindex.LINK])
def test_reindex_is_taken_as_text_or_as_a_member(reindex):
    schema = described(Movie, nested={"director": Nested(reindex=reindex)})
    assert schema.relations["director"].reindex is Reindex.LINK


def test_an_unknown_reindex_names_the_choices():
    with pytest.raises(ConfigurationError, match="none of always, link, never"):
        described(Movie, nested={"director": Nested(reindex="sometimes")})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("directr", r"Movie has no relation 'directr'\. Did you mean director\?"),
        ("director.land", r"'director\.land', but Director has no relation 'land'"),
        ("title", r"'title', which is a column of Movie"),
    ],
)
def test_a_path_that_names_no_relation_is_an_error(path, message):
    with pytest.raises(ConfigurationError, match=message):
        described(Movie, nested=(path,))


def test_an_option_for_a_relation_that_is_not_embedded_is_an_error():
    with pytest.raises(ConfigurationError, match="'director' is not embedded"):
        described(Movie, exclude=("director.notes",))


# --- relations that cannot be followed back ---------------------------------------


class Isbn(OtherBase):
    __tablename__ = "isbns"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(20), unique=True)


shelves_books = sa.Table(
    "shelves_books",
    OtherBase.metadata,
    sa.Column("shelf_id", sa.ForeignKey("shelves.id"), primary_key=True),
    sa.Column("book_id", sa.ForeignKey("books.id"), primary_key=True),
)


class Book(OtherBase):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str | None] = mapped_column(sa.ForeignKey("isbns.code"))
    isbn: Mapped[Isbn | None] = relationship()
    shelves: Mapped[list["Shelf"]] = relationship(
        secondary=shelves_books, overlaps="books"
    )
    loans: Mapped[list["Loan"]] = relationship(back_populates="book")
    readers: Mapped[list["Reader"]] = relationship(
        secondary="loans", overlaps="loans,book,reader"
    )
    reader_names = association_proxy("readers", "name")


class Shelf(OtherBase):
    __tablename__ = "shelves"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list[Book]] = relationship(
        secondary=shelves_books, overlaps="shelves"
    )


class Reader(OtherBase):
    __tablename__ = "readers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Loan(OtherBase):
    __tablename__ = "loans"
    book_id: Mapped[int] = mapped_column(sa.ForeignKey("books.id"), primary_key=True)
    reader_id: Mapped[int] = mapped_column(
        sa.ForeignKey("readers.id"), primary_key=True
    )
    book: Mapped[Book] = relationship(back_populates="loans", overlaps="readers")
    reader: Mapped[Reader] = relationship(overlaps="readers")


UNFOLLOWABLE = [
    (Movie, "good_reviews", "its primaryjoin is more than an equality of keys"),
    (Movie, "ranked_genres", "it is viewonly"),
    (Book, "isbn", r"refers to Isbn by code, and not by its primary key \(id\)"),
    (Book, "shelves", r"Shelf\.books writes shelves_books too.*back_populates"),
    (Book, "readers", "Loan maps loans, .* embed the relation to Loan instead"),
]


@pytest.mark.parametrize(("model", "path", "reason"), UNFOLLOWABLE)
def test_a_relation_that_cannot_be_followed_back_says_why(model, path, reason):
    with pytest.raises(MissingInverse, match=rf"{model.__name__} embeds '{path}'"):
        described(model, nested=(path,))
    with pytest.raises(MissingInverse, match=reason):
        described(model, nested={path: Nested(reindex="link")})


@pytest.mark.parametrize(("model", "path", "reason"), UNFOLLOWABLE)
def test_such_a_relation_is_embedded_if_its_copies_may_be_stale(model, path, reason):
    schema = described(model, nested={path: Nested(reindex="never")})
    assert schema.relations[path].reindex is Reindex.NEVER


def test_the_association_class_itself_can_be_embedded():
    schema = described(Book, nested=("loans.reader",))
    assert schema.relations["loans"].target_fields == ("book_id",)
    assert schema.relations["loans"].document.fields["book_id"].reference


def test_an_association_proxy_names_the_relation_behind_it():
    with pytest.raises(ConfigurationError, match=r"association proxy.*'readers\.name'"):
        described(Book, nested=("reader_names",))


def test_relations_with_back_populates_over_one_table_can_be_followed():
    assert described(Genre, nested=("movies",)).relations["movies"].through


# --- inheritance -----------------------------------------------------------------


def test_joined_inheritance_has_the_fields_of_all_tables():
    schema = described(Dog)
    assert set(schema.fields) == {"id", "kind", "name", "owner_id", "trick"}
    assert schema.primary_key == ("id",)
    assert schema.bases == ("Animal",)
    assert not schema.fields["id"].reference
    assert schema.fields["owner_id"].reference


def test_single_inheritance_has_the_fields_of_the_class_only():
    assert set(described(Cat).fields) == {"id", "kind", "name", "owner_id", "lives"}
    assert set(described(Animal).fields) == {"id", "kind", "name", "owner_id"}
    assert described(Cat).bases == ("Animal",)


def test_concrete_inheritance_has_the_fields_of_its_own_table():
    assert set(described(Newspaper).fields) == {"id", "title", "city"}
    assert described(Newspaper).bases == ("Paper",)
    assert set(described(Paper).fields) == {"id", "title"}


def test_a_relation_may_lead_to_a_subclass():
    schema = described(Owner, nested=("animals", "dogs", "cats"))
    assert "trick" in schema.relations["dogs"].document.fields
    assert "lives" not in schema.relations["animals"].document.fields


def test_a_model_without_relations_has_no_bases():
    assert described(Country).bases == ()


class Ancestor(OtherBase):
    __tablename__ = "ancestors"
    id: Mapped[int] = mapped_column(primary_key=True)
    heirs = relationship("Heir", secondary="parents", viewonly=True)


class Parent(OtherBase):
    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(primary_key=True)
    ancestor_id = mapped_column(sa.ForeignKey("ancestors.id"))


class Heir(OtherBase):
    __tablename__ = "heirs"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id = mapped_column(sa.ForeignKey("parents.id"))


def test_a_relation_through_a_table_that_the_other_side_refers_to_is_an_error():
    with pytest.raises(
        MissingInverse, match="parents refers to Heir by something else"
    ):
        described(Ancestor, nested=("heirs",))
