"""What a computed field of a document depends on is known, or refused, at start-up."""

from __future__ import annotations

import itertools

import mongoengine as me
import pytest

from nefertari_engine_base import document_field
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError, UnmappableField
from nefertari_engine_base.primary.mongo.indexes import missing_indexes
from nefertari_engine_base.schema import Nested, Reindex, SecondaryOptions
from nefertari_engine_base.sync.related import DependencyGraph
from nefertari_engine_base.values import Action, Change, DocumentRef
from tests.mongo.computed import described
from tests.mongo.computed_models import (
    Ghost,
    Laurel,
    Length,
    Nation,
    Play,
    Poet,
    Writer,
)


def tree(schema):
    """What computed fields of a schema read, as dictionaries."""
    below = {name: tree(each.document) for name, each in schema.followed.items()}
    return {**dict.fromkeys(sorted(schema.depended)), **below}


def test_dependencies_are_fields_and_relations_and_those_of_other_fields():
    mentor = {"mentor": {"name": None, "mentor": {"name": None}}}
    assert tree(described(Play)) == {
        "prices": None,
        "title": None,
        "year": None,
        "writer": {"name": None, **mentor},
        "cast": {"name": None},
        "prizes": {"title": None, "given_by": {"name": None}},
        "prize": {"title": None, "given_by": {"name": None}},
        "rival": {"title": None},
    }


def test_what_only_excluded_fields_read_is_not_followed():
    computed = [name for name in described(Play).computed if name != "label"]
    schema = described(Play, exclude=computed)
    assert list(schema.computed) == ["label"]
    assert tree(schema) == {"title": None, "year": None, "writer": {"name": None}}


def test_computed_fields_have_kinds_and_may_be_declared():
    declared = object()
    fields = described(Play, fields={"label": declared}).fields
    kinds = {name: fields[name].kind for name in ("label", "size", "best", "crowd")}
    assert list(kinds.values()) == [
        Kind.STRING, Kind.ENUM, Kind.DECIMAL, Kind.INTEGER,
    ]  # fmt: skip
    assert fields["size"].enum is Length
    assert fields["names"].many
    assert fields["label"].nullable
    assert not fields["size"].nullable
    assert fields["label"].declared is declared


def test_embedded_documents_show_their_computed_fields_too():
    schema = described(Play, nested=("writer",))
    assert list(schema.relations["prize"].document.computed) == ["headline"]
    runs = schema.relations["run"].document.relations["prizes"].document
    assert tree(runs) == {"title": None, "given_by": {"name": None}}
    assert list(schema.relations["writer"].document.computed) == ["origin", "school"]
    some = described(
        Play, nested={"writer": Nested(fields=("origin",))}, exclude=("prize.headline",)
    )
    assert list(some.relations["writer"].document.fields) == ["origin"]
    assert not some.relations["prize"].document.computed
    own = SecondaryOptions.of(exclude=("school",))
    of_writer = described(Play, {Writer: own}.get, nested=("writer",))
    assert list(of_writer.relations["writer"].document.computed) == ["origin"]


def test_subclasses_replace_fields_and_switch_them_off():
    assert {"metre", "name"} <= tree(described(Poet)).keys()
    assert "nation" not in tree(described(Poet))
    assert list(described(Ghost).computed) == ["school"]


def test_paths_lead_through_embedded_and_followed_relations():
    schema = described(Play, nested=("writer",))
    for path in ("writer.nation", "writer.mentor.mentor", "run.prizes.given_by"):
        names = [relation.name for relation in schema.follow(path)]
        assert names == path.split(".")
    with pytest.raises(KeyError):
        schema.follow("cast.nation")


def test_the_graph_knows_what_is_read_of_others():
    graph = DependencyGraph([described(Play)])
    assert graph.contents("Nation") == {"name"}
    assert graph.contents("Writer") == {"name", "mentor"}
    assert {"title", "prizes", "prize", "cast", "rival"} <= graph.contents("Play")
    change = Change(DocumentRef("Nation", "fr"), Action.UPDATED, frozenset({"name"}))
    paths = {touch.path for touch in graph.touched("es", change)}
    assert paths == {"prize.given_by", "prizes.given_by", "run.prizes.given_by"}


def test_what_is_read_may_be_there_before_or_after_the_reference():
    graph = DependencyGraph([described(Writer)])
    for action in (Action.CREATED, Action.DELETED):
        change = Change(DocumentRef("Nation", "fr"), action)
        assert {touch.path for touch in graph.touched("es", change)} == {"nation"}


@pytest.mark.parametrize("reindex", ["link", "never"])
def test_where_copies_may_be_stale_what_is_computed_of_them_may_be_too(reindex):
    computed = tuple(described(Play).computed)
    schema = described(
        Play, nested={"writer": Nested(reindex=reindex)}, exclude=computed
    )
    inner = schema.relations["writer"].document
    assert inner.followed["nation"].reindex is Reindex.NEVER
    paths = {
        touch.path
        for touch in DependencyGraph([schema]).touched(
            "es", Change(DocumentRef("Nation", "fr"), Action.UPDATED)
        )
    }
    assert "writer.nation" not in paths


def test_what_stale_copies_hold_inline_may_be_stale_too():
    class Prized(me.Document):
        prize = me.EmbeddedDocumentField(Laurel)

    class Holder(me.Document):
        held = me.ReferenceField(Prized)

    schema = described(Holder, nested={"held": Nested(reindex="link")})
    prize = schema.relations["held"].document.relations["prize"].document
    assert prize.followed["given_by"].reindex is Reindex.NEVER


def test_references_that_computed_fields_read_want_indexes(mongodb):
    class Unindexed(me.Document):
        writer = me.ReferenceField(Writer, db_field="w")
        prizes = me.EmbeddedDocumentListField(Laurel, db_field="ps")

        @document_field(depends_on=("writer.nation.name", "prizes.given_by.name"))
        def text(self) -> str:
            return ""

    Writer.ensure_indexes()
    found = missing_indexes([described(Unindexed, exclude=("prizes",))])
    names = {(one.model, one.path) for one in found}
    assert names == {("Unindexed", "w"), ("Unindexed", "ps.by")}


# --- what is refused ---------------------------------------------------------------


class Part(me.EmbeddedDocument):
    code = me.StringField()
    parts = me.EmbeddedDocumentListField("self")


class Faceless(me.Document):
    meta = {"abstract": True}


_NUMBERS = itertools.count()


def model(*depends_on, returns=str):
    """A class with one computed field that has these dependencies."""

    class Thing(me.Document):
        meta = {"collection": f"things_{next(_NUMBERS)}"}

        title = me.StringField()
        part = me.EmbeddedDocumentField(Part)
        nation = me.ReferenceField(Nation)
        any = me.GenericReferenceField()
        anys = me.ListField(me.GenericReferenceField())
        copy = me.CachedReferenceField(Nation, auto_sync=False)
        file = me.FileField()
        map = me.MapField(me.ReferenceField(Nation))
        grid = me.ListField(me.ListField(me.ReferenceField(Nation)))
        faceless = me.ReferenceField(Faceless)
        lost = me.ReferenceField("NeverDeclared")

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


EXCLUDED = ("any", "anys", "copy", "file", "map", "grid", "faceless", "lost", "a", "b")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("titel", "Thing has no field, relation or computed field 'titel'.*title"),
        ("nation.kode", "Nation has no field, relation.*'kode'.*code"),
        ("part.kode", "Part has no field, relation.*'kode'.*code"),
        ("title.x", "Thing has no relation 'title'"),
        ("_cls", "Thing has no field"),
        ("any", "Thing.any is a GenericReferenceField"),
        ("anys", "Thing.anys is a GenericReferenceField"),
        ("any.name", "Thing has no relation 'any'"),
        ("copy", "Thing.copy is a CachedReferenceField"),
        ("file", "Thing.file is a FileField, whose contents GridFS keeps"),
        ("map", "Thing.map has a ReferenceField where no query finds its key"),
        ("grid", "Thing.grid has a ReferenceField where no query"),
        ("faceless", "Thing.faceless has a ReferenceField"),
        ("lost", "Thing.lost has a ReferenceField"),
        ("", "tuple of names"),
    ],
)
def test_a_dependency_that_there_is_not_is_an_error_that_names_it(path, problem):
    with pytest.raises(ConfigurationError, match=problem) as error:
        described(model(path), exclude=EXCLUDED)
    assert path in str(error.value)


def test_fields_that_depend_on_each_other_are_an_error():
    excluded = [name for name in EXCLUDED if name not in ("a", "b")]
    with pytest.raises(ConfigurationError, match=r"Thing\.a -> Thing\.b -> Thing\.a"):
        described(model(), exclude=excluded)


def test_the_key_may_be_depended_on_by_either_name():
    assert tree(described(model("pk", "id"), exclude=EXCLUDED)) == {"id": None}


def test_documents_inside_of_their_own_kind_may_be_depended_on_to_any_depth():
    schema = described(model("part.parts.parts.code"), exclude=EXCLUDED)
    assert tree(schema) == {"part": {"parts": {"parts": {"code": None}}}}


def test_a_type_without_a_meaning_is_unmappable():
    with pytest.raises(UnmappableField, match=r"Thing\.field "):
        described(model(returns=object), exclude=EXCLUDED)


def test_what_is_computed_embeds_nothing():
    with pytest.raises(ConfigurationError, match=r"'field', which leads to no docu"):
        described(model(), nested=("field",), exclude=EXCLUDED)
