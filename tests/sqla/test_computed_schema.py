"""What a computed field depends on is known, or refused, when an application starts."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import document_field
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    MissingInverse,
    UnmappableField,
)
from nefertari_engine_base.primary.sqla.schema import derived_fields
from nefertari_engine_base.schema import Nested, Reindex, SecondaryOptions
from nefertari_engine_base.sync.related import DependencyGraph
from tests.sqla.computed_models import Cat, Director, Dog, Movie
from tests.sqla.models import described


def tree(schema):
    """What computed fields of a schema read, as dictionaries."""
    below = {name: tree(each.document) for name, each in schema.followed.items()}
    return {**dict.fromkeys(sorted(schema.depended)), **below}


def test_dependencies_are_columns_and_relations_and_those_of_other_fields():
    assert tree(described(Movie)) == {
        "title": None,  # by its synonym, too
        "year": None,
        "director": {"name": None},
        "genres": {"loud": None},
        "reviews": {"stars": None},
    }


def test_what_only_excluded_fields_read_is_not_followed():
    schema = described(Movie, exclude=("stars", "shout"))
    assert list(schema.computed) == ["size", "label"]
    assert tree(schema) == {"title": None, "year": None, "director": {"name": None}}


def test_the_secondary_has_a_field_for_it_which_may_be_declared():
    declared = object()
    schema = described(Movie, fields={"label": declared})
    assert schema.fields["label"].declared is declared
    assert schema.fields["label"].kind is Kind.STRING
    assert schema.fields["label"].nullable
    assert not schema.fields["size"].nullable
    assert schema.fields["stars"].kind is Kind.DECIMAL


def test_embedded_rows_show_their_computed_fields_too():
    schema = described(Movie, nested=("director",)).relations["director"].document
    assert list(schema.computed) == ["origin", "titles"]
    # Films are listed by their ids.
    assert tree(schema) == {
        "name": None, "country": {"name": None}, "movies": {"id": None, "title": None},
    }  # fmt: skip
    some = described(
        Movie, nested={"director": Nested(fields=("origin",))}, exclude=("size",)
    )
    assert list(some.relations["director"].document.fields) == ["origin"]
    none = described(Movie, nested=("director",), exclude=("director.origin",))
    assert list(none.relations["director"].document.computed) == ["titles"]
    own = SecondaryOptions.of(exclude=("titles",))
    of_director = described(Movie, {Director: own}.get, nested=("director",))
    assert list(of_director.relations["director"].document.computed) == ["origin"]


def test_subclasses_replace_fields_and_switch_them_off():
    assert tree(described(Dog)) == {"name": None, "trick": None}
    assert not described(Cat).computed


def test_paths_lead_through_embedded_and_followed_relations():
    schema = described(Movie, nested=("director",))
    for path in ("director", "director.country", "director.movies", "genres"):
        names = [relation.name for relation in schema.follow(path)]
        assert names == path.split(".")
    for path in ("country", "director.genres", "genres.movies"):
        with pytest.raises(KeyError):
            schema.follow(path)


def test_the_graph_knows_what_is_read_of_embedded_rows():
    graph = DependencyGraph([described(Movie, nested=("director",), exclude=("size",))])
    assert graph.contents("Country") == {"name"}
    assert graph.contents("Genre") == {"loud"}
    assert graph.references("Review") == {"movie_id"}
    assert graph.references("Movie") == {"director_id"}
    paths = {path for _, path in graph.shown_in("Country")}
    assert paths == {"director.country"}


@pytest.mark.parametrize("reindex", ["link", "never"])
def test_where_copies_may_be_stale_what_is_computed_of_them_may_be_too(reindex):
    embedded = described(
        Movie, nested={"director": Nested(reindex=reindex)}, exclude=("label", "shout")
    )
    graph = DependencyGraph([embedded])
    assert graph.contents("Country") == frozenset()
    inner = embedded.relations["director"].document
    assert inner.followed["country"].reindex is Reindex.NEVER


# --- what is refused ---------------------------------------------------------------


def model(*depends_on, returns=str):
    """A class with one computed field that has these dependencies."""

    class Own(DeclarativeBase):
        registry = sa.orm.registry()

    class Part(Own):
        __tablename__ = "parts"
        id: Mapped[int] = mapped_column(primary_key=True)
        code: Mapped[str] = mapped_column(unique=True)

        @document_field(depends_on=("id",), type=int)
        def twice(self):
            return 2 * self.id

    class Note(Own):
        __tablename__ = "notes"
        id: Mapped[int] = mapped_column(primary_key=True)
        thing_id: Mapped[int] = mapped_column(sa.ForeignKey("things.id"))

    class Thing(Own):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        blob: Mapped[object] = mapped_column(sa.PickleType)
        changed: Mapped[str | None] = mapped_column(onupdate="now")
        part_code: Mapped[str | None] = mapped_column(sa.ForeignKey(Part.code))
        part: Mapped[Part | None] = relationship(Part)
        notes = relationship("Note", lazy="dynamic", viewonly=True)
        written = relationship("Note", lazy="write_only", viewonly=True)

        @document_field(depends_on=depends_on, type=returns)
        def field(self):
            return ""

        @document_field(depends_on=("field", "b"), type=str)
        def a(self):
            return ""

        @document_field(depends_on=("a",), type=str)
        def b(self):
            return ""

    return Thing


EXCLUDED = ("a", "b", "blob")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("titel", "Thing has no column, relation or computed field 'titel'.*title"),
        ("part.kode", "Part has no column, relation or computed field 'kode'.*code"),
        ("title.x", "Thing has no relation 'title'"),
        ("twice", "Thing has no column, relation or computed field 'twice'"),
        ("notes", "Thing.notes is a dynamic relation"),
        ("written.id", "Thing.written is a write_only relation"),
        ("", "tuple of names"),
    ],
)
def test_a_dependency_that_there_is_not_is_an_error_that_names_it(path, problem):
    with pytest.raises(ConfigurationError, match=problem) as error:
        described(model(path), exclude=EXCLUDED)
    assert path in str(error.value)


def test_fields_that_depend_on_each_other_are_an_error():
    with pytest.raises(ConfigurationError, match=r"Thing\.a -> Thing\.b -> Thing\.a"):
        described(model(), exclude=("blob",))


def test_a_relation_that_cannot_be_followed_back_is_a_missing_inverse():
    with pytest.raises(MissingInverse, match=r"depends on 'part'.*not by its pr"):
        described(model("part.code"), exclude=EXCLUDED)
    # Depending on a field of the part means depending on the part.
    with pytest.raises(MissingInverse, match="Thing depends on 'part'"):
        described(model("part.twice"), exclude=EXCLUDED)


def test_stale_values_are_accepted_like_stale_copies():
    never = {"part": Nested(reindex="never")}
    schema = described(model("part.code"), nested=never, exclude=EXCLUDED)
    graph = DependencyGraph([schema])
    assert graph.contents("Part") == frozenset()
    assert graph.shown_in("Part") == []


def test_a_type_without_a_meaning_is_unmappable_where_it_is_embedded_too():
    with pytest.raises(UnmappableField, match=r"Thing\.field "):
        described(model(returns=object), exclude=EXCLUDED)


def test_columns_that_no_index_can_hold_may_be_depended_on():
    schema = described(model("blob"), exclude=EXCLUDED)
    assert schema.depended == {"blob"}
    assert "blob" not in schema.fields


def test_what_an_update_changes_by_itself_is_known_where_it_is_only_read():
    schema = described(model("changed"), exclude=(*EXCLUDED, "changed"))
    assert derived_fields(schema) == frozenset()
    contents = DependencyGraph([schema]).contents("Thing")
    assert derived_fields(schema, contents) == {"changed"}


def test_a_field_that_depends_on_nothing_is_written_with_its_row():
    schema = described(model(), exclude=(*EXCLUDED, "title", "changed", "part_code"))
    assert tree(schema) == {}
    assert DependencyGraph([schema]).contents("Thing") == {"id"}
